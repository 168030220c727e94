/** The applications, as their authors would write them. Each shows the same result: `window.found`, or a line on stdout in Node. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PUBLISHED_FILE } from './fixture.js';

/** The part that all share: load, infer, hand back plain numbers. `files` is where the fixture is. `only=default`: the default model. */
const USE = `
export async function use({ createBackend, listModels, Pose2DInferencer, Pose2DWorker }, backend, files, only, where) {
  const Inferencer = where === 'worker' ? Pose2DWorker : Pose2DInferencer;
  // Starting a backend runs its self-test; a whole network on a software GPU takes longer than it tells.
  if (only === 'start') {
    const started = await createBackend(backend);
    await started.dispose();
    return { backend: started.name };
  }
  const read = (name) => fetch(new URL(name, files));
  const picture = only === 'default' ? 'sample' : 'picture';
  const { width, height, bboxes } = await (await read(picture + '.json')).json();
  const data = new Uint8Array(await (await read(picture + '.rgb')).arrayBuffer());
  const inferencer =
    only === 'default'
      ? await Inferencer.create()
      : only === 'published'
        ? await Inferencer.create({ checkpoint: new URL('${PUBLISHED_FILE}', files).href, backend })
        : await Inferencer.create({
            config: await (await read('config.json')).json(),
            checkpoint: new URL('model.safetensors', files).href,
            backend,
          });
  const { predInstances } = await inferencer.infer({ data, width, height, channels: 3 }, { bboxes });
  const { keypoints, keypointScores } = predInstances;
  const result = {
    backend: inferencer.backend.name,
    keypoints: Array.from({ length: keypoints.shape[1] }, (_, k) => [...keypoints.data.slice(2 * k, 2 * k + 2)]),
    scores: [...keypointScores.data],
    ...(only === 'default' && { published: (await listModels()).length }),
  };
  await inferencer.dispose();
  return result;
}
`;

const show = (lib: string) => `
const query = new URLSearchParams(location.search);
use(${lib}, query.get('backend'), new URL('./', location.href), query.get('only'), query.get('in')).then(
  (found) => { window.found = found; },
  (error) => { window.found = { failed: String(error) }; },
);
`;

// An icon, since browsers ask for /favicon.ico otherwise and get a 404.
const page = (body: string) => `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8" /><title>app</title><link rel="icon" href="data:," /></head>
  <body>${body}</body>
</html>
`;

/** For bundlers: the package by its name. */
export async function writeBundledApp(folder: string): Promise<void> {
  await write(folder, {
    'index.html': page('<script type="module" src="./main.js"></script>'),
    'use.js': USE,
    'main.js': `import * as inpose from 'inpose';
import { Pose2DWorker } from 'inpose/worker';
import { use } from './use.js';
${show('{ ...inpose, Pose2DWorker }')}`,
  });
}

/** Without a bundler: `script.html` and `module.html`, with the package's `dist/` beside them. */
export async function writePlainPages(folder: string): Promise<void> {
  await write(folder, {
    'use.js': USE,
    'show.js': `import { use } from './use.js';\n${show('window.inpose')}`,
    'script.html': page('<script src="./lib/inpose.iife.js"></script><script type="module" src="./show.js"></script>'),
    'elsewhere.html': page(
      `<script>
  const script = document.createElement('script');
  script.src = new URLSearchParams(location.search).get('lib') + '/lib/inpose.iife.js';
  script.onload = () => import('./show.js');
  document.head.append(script);
</script>`,
    ),
    'module.html': page('<script type="module" src="./module.js"></script>'),
    'module.js': `import * as inpose from './lib/inpose.bundle.mjs';\nimport { use } from './use.js';\n${show('inpose')}`,
  });
}

/** For Node: reads files by URL, as a page does, and prints the result. */
export async function writeNodeApp(folder: string): Promise<void> {
  await write(folder, {
    'use.js': USE,
    'main.js': `import * as inpose from 'inpose';
import { use } from './use.js';
const [backend, files, only] = process.argv.slice(2);
process.stdout.write(JSON.stringify(await use(inpose, backend, files, only)));
`,
  });
}

async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}
