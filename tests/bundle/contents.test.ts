/** What is in the package: types that check in strict consumers, entry points that resolve everywhere, and no more bytes than agreed. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { describe, expect, inject, test } from 'vitest';
import { command, PROJECT } from './installed.js';

const app = inject('app');
const tarball = inject('tarball');
const installed = join(app, 'node_modules/inpose');

const bin = (path: string) => join(PROJECT, 'node_modules', path);
const require = createRequire(import.meta.url);

describe('type declarations', () => {
  /** TypeScript 5 comes with are-the-types-wrong; the newest is ours. */
  const COMPILERS = {
    'TypeScript 7': bin('typescript/bin/tsc'),
    'TypeScript 5': createRequire(require.resolve('@arethetypeswrong/core/package.json')).resolve(
      'typescript/lib/tsc.js',
    ),
  };

  test.each(Object.entries(COMPILERS).flatMap(([name, tsc]) => ['bundler', 'node16'].map((how) => [name, how, tsc])))(
    '%s, module resolution %s, libraries checked',
    async (name, how, tsc) => {
      const entries = await entryPoints();
      const lines = entries.map((entry, i) => `import * as entry${i} from '${entry}';\nexport { entry${i} };`);
      await writeFile(join(app, 'consumer.ts'), `${lines.join('\n')}\n${CONSUMER}`);
      const config = {
        compilerOptions: {
          ...{ strict: true, skipLibCheck: false, noEmit: true, exactOptionalPropertyTypes: true, types: [] },
          ...{ target: 'es2022', lib: ['ES2022', 'DOM', 'DOM.Iterable'] },
          ...{ module: how === 'bundler' ? 'esnext' : 'node16', moduleResolution: how },
        },
        files: ['consumer.ts'],
      };
      const file = join(app, `tsconfig.${name.at(-1)}.${how}.json`);
      await writeFile(file, JSON.stringify(config));
      expect(await command(app, process.execPath, tsc, '-p', file)).toBe('');
    },
  );

  test('name no other package', async () => {
    const folder = join(installed, 'dist/types');
    const offenders: string[] = [];
    for (const name of await readdir(folder, { recursive: true })) {
      if (!name.endsWith('.d.ts')) continue;
      const text = await readFile(join(folder, name), 'utf8');
      if (/(from|import\() ?['"](?!\.)|<reference/.test(text)) offenders.push(name);
    }
    expect(offenders).toEqual([]);
  });
});

/** A line for everything that the README shows. */
const CONSUMER = `
import { Pose2DInferencer } from 'inpose';
export async function keypoints(checkpoint: Blob, image: ImageBitmap): Promise<number> {
  const inferencer = await Pose2DInferencer.create({ checkpoint, backend: 'auto' });
  const sample = await inferencer.infer(image, { bboxes: [[0, 0, 10, 20]] });
  await inferencer.dispose();
  return sample.predInstances?.keypoints.data[0] ?? NaN;
}
`;

/** Importable entry points of package.json with types. */
async function entryPoints(): Promise<string[]> {
  const { exports } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
  return Object.entries<string | { types: string }>(exports)
    .filter(([name, target]) => typeof target === 'object' && !name.includes('*'))
    .map(([name]) => name.replace(/^\./, 'inpose'));
}

test('publint has nothing to say', async () => {
  const printed = await command(
    PROJECT,
    process.execPath,
    bin('publint/src/cli.js'),
    'run',
    installed,
    '--strict',
    '--pack',
    'false',
  );
  expect(printed).toContain('All good!');
});

test('are the types wrong? no', async () => {
  const attw = bin('@arethetypeswrong/cli/dist/index.js');
  // Its settings: ES modules only; the IIFE is a script, and the .wasm files have no types to be wrong.
  const options = ['--config-path', join(PROJECT, '.attw.json'), '--no-definitely-typed'];
  const printed = await command(inject('scratch'), process.execPath, attw, tarball, ...options);
  expect(printed).toContain('bundler: 🟢');
});

test('the command line tool starts', async () => {
  const inpose = join(app, 'node_modules/.bin/inpose');
  expect(await command(app, process.execPath, inpose, '--help')).toMatch(/inspect[\s\S]*convert/);
  expect(await command(app, process.execPath, inpose, 'list', 'body26')).toContain('halpe26');
});

test('holds what it should, and nothing else', async () => {
  const names = await readdir(installed, { recursive: true });
  expect(['LICENSE', 'NOTICE', 'README.md', 'CHANGELOG.md'].filter((name) => !names.includes(name))).toEqual([]);
  expect(
    names.filter((name) => /^(src|tests|demo|bench|training|node_modules)\b|^dist\/demo|\.map$|\.pth$/.test(name)),
  ).toEqual([]);
});

describe('size', () => {
  const gzipped = async (file: string) => gzipSync(await readFile(join(installed, 'dist', file))).length;
  /**
   * kB gzipped. A budget that is met by raising it is a decision, so it stands here: 470 until the convolutions for wasm came, which
   * are 14 kB and make networks two to four times as fast where there is no GPU; 490 until nine
   * more backbones, six heads and two necks came; 500 until the person detector came, which is 6; 506 until bottom-up models (3) and
   * four transformers (5) came; 515 until several people were followed (4);
   * 519 until DEKR, CID and associative embedding came, which are 7; 526 until the worker came (3);
   * 530 until HourglassAENet and TCN came (2); 532 until poses were lifted into space (4);
   * 536 until V2VNet came (2); 538 until MotionBERT came (2); 540 until hands in space came (2); 542 until ED-Pose came (11); 554 until
   * depthwise convolutions, gates and threads for wasm came (3); 557 until colours in Firefox and WebKit were the file's (2) and the
   * shaders' indentation went (-7); 551 until the published models had names (1); 552 until
   * pose-detection's functions came (1).
   */
  test.each([
    ['inpose.iife.js', 554],
    ['inpose.bundle.mjs', 554],
  ])('%s', async (file, budget) => {
    expect(await gzipped(file)).toBeLessThan(budget * 1000);
  });

  test('of the default model', async () => {
    expect((await stat(join(installed, 'dist/inpose-default.safetensors'))).size).toBeLessThan(2_500_000);
  });

  /**
   * 4.50 MB until ED-Pose, lifting, MotionBERT, hands in space, TCN and V2VNet came: their code is in it three times, once per build; 4.60
   * until the list of published models came.
   */
  test('of the whole package', async () => {
    expect((await stat(tarball)).size).toBeLessThan(4_650_000);
  });
});

/** Bundles `code` as an application would and gives the modules that are loaded at once. */
async function bundled(code: string): Promise<{ modules: string[]; bytes: number }> {
  const entry = join(app, 'shake.js');
  await writeFile(entry, code);
  const result = await build({
    ...{ root: app, configFile: false, logLevel: 'error' },
    build: { write: false, minify: true, rolldownOptions: { input: entry, preserveEntrySignatures: 'strict' } },
  });
  if (Array.isArray(result) || !('output' in result)) throw new Error('expected one output');
  const chunks = new Map(
    result.output.flatMap((output) => (output.type === 'chunk' ? [[output.fileName, output]] : [])),
  );
  const [first] = [...chunks.values()].filter(({ isEntry }) => isEntry);
  const loaded = new Set([first]);
  for (const chunk of loaded) for (const name of chunk.imports) loaded.add(chunks.get(name)!);
  const list = [...loaded];
  return {
    modules: list.flatMap(({ moduleIds }) => moduleIds),
    bytes: list.reduce((n, { code: c }) => n + c.length, 0),
  };
}

describe('an application gets only what it imports', () => {
  const heavy = (modules: readonly string[]) =>
    modules.filter((id) => /@tensorflow|dist\/(models|nn|apis|backend)\//.test(id.replaceAll('\\', '/')));

  test.each([
    ["import { SimCCLabel } from 'inpose/codecs/simcc_label'; console.log(SimCCLabel);", 20_000],
    ["import { buildCodec } from 'inpose/codecs'; console.log(buildCodec);", 10_000],
    ["import { PoseLocalVisualizer } from 'inpose/visualization'; console.log(PoseLocalVisualizer);", 80_000],
    ["import { openCheckpoint } from 'inpose/checkpoint'; console.log(openCheckpoint);", 80_000],
    ["import * as structures from 'inpose/structures'; console.log(structures);", 40_000],
  ])('%s', async (code, budget) => {
    const { modules, bytes } = await bundled(code);
    expect(heavy(modules)).toEqual([]);
    expect(bytes).toBeLessThan(budget);
  });

  test('no backbone, head, codec or backend is loaded before it is asked for', async () => {
    const { modules } = await bundled("import { Pose2DInferencer } from 'inpose'; console.log(Pose2DInferencer);");
    const early = modules.filter((id) =>
      /dist\/models\/(backbones|necks|heads)\/(?!index)|dist\/codecs\/\w+_(heatmap|label)|tfjs-backend/.test(id),
    );
    expect(early).toEqual([]);
  });
});
