/** The rules of the house, read from the import lines of `src/`: imports go downwards, and half the library never sees tfjs. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../../src', import.meta.url));

/** Top folder or file -> level. An import may name a lower level; of its own level, only what SAME_LEVEL allows. */
const LEVELS: Readonly<Record<string, number>> = {
  ...{
    'tf.ts': 0,
    'errors.ts': 0,
    'registry.ts': 0,
    'ndarray.ts': 0,
    'version.ts': 0,
    'config.ts': 0,
    'page_url.ts': 0,
    'slices.ts': 0,
    'tf_public_types.d.ts': 0,
  },
  ...{ structures: 1, datasets: 1, evaluation: 1, tracking: 1, visualization: 1, checkpoint: 1 },
  ...{ backend: 2, ops: 2, nn: 2, jit: 2 },
  ...{ codecs: 3, models: 4, apis: 5, worker: 6, cli: 6, 'index.ts': 6, 'iife.ts': 6 },
};
const SAME_LEVEL: Readonly<Record<string, readonly string[]>> = {
  ...{ datasets: ['structures'], evaluation: ['structures', 'datasets'], tracking: ['structures', 'evaluation'] },
  ...{
    visualization: ['structures', 'datasets'],
    nn: ['backend', 'ops'],
    jit: ['backend', 'ops'],
    ops: ['backend'],
    'iife.ts': ['index.ts', 'worker'],
  },
};
/** L0 is one small set of files that know each other. */
const FREE = (from: string, to: string) =>
  from === to || (LEVELS[from] === 0 && LEVELS[to] === 0) || from === 'index.ts';

interface Edge {
  readonly file: string;
  readonly target: string;
  readonly isType: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const sources = new Map(files.map((file) => [file.replaceAll(sep, '/'), readFileSync(join(SRC, file), 'utf8')]));
const edges = [...sources].flatMap(([file, text]) => edgesOf(file, text));

function edgesOf(file: string, text: string): Edge[] {
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm);
  const dynamic = text.matchAll(/\bimport\((type )?\s*'([^']+)'\)/g);
  return [...statements, ...dynamic].map(([, isType, target]) => ({ file, target, isType: Boolean(isType) }));
}

const top = (file: string) => file.split('/')[0];
const isRelative = (edge: Edge) => edge.target.startsWith('.');
const resolved = (edge: Edge) =>
  normalize(join(dirname(edge.file), edge.target))
    .replaceAll(sep, '/')
    .replace(/\.js$/, '.ts');
const say = (list: readonly Edge[]) => list.map(({ file, target }) => `${file} -> ${target}`);
const without = (text: string) => text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');

describe('imports of src/', () => {
  test('every folder has a level', () => {
    expect(
      [...new Set(files.map((file) => top(file.replaceAll(sep, '/'))))].filter((name) => !(name in LEVELS)),
    ).toEqual([]);
  });

  test('go downwards', () => {
    const upward = edges.filter(isRelative).filter((edge) => {
      const [from, to] = [top(edge.file), top(resolved(edge))];
      return !FREE(from, to) && !(LEVELS[to] < LEVELS[from]) && !SAME_LEVEL[from]?.includes(to);
    });
    expect(say(upward)).toEqual([]);
  });

  test('name files that exist, with their extension', () => {
    expect(say(edges.filter((edge) => isRelative(edge) && !sources.has(resolved(edge))))).toEqual([]);
  });

  test('reach tfjs-core through tf.ts, and the backend packages in backend/init.ts', () => {
    const outside = edges.filter(({ file, target, isType }) => {
      if (!target.startsWith('@tensorflow/')) return false;
      if (target === '@tensorflow/tfjs-core') return file !== 'tf.ts';
      return file !== 'backend/init.ts' && !isType;
    });
    expect(say(outside)).toEqual([]);
  });

  test('keep tfjs out of level 1 and the codecs', () => {
    const pure = ({ file }: Edge) =>
      LEVELS[top(file)] === 1 || (top(file) === 'codecs' && !file.includes('batch_decode'));
    expect(say(edges.filter((edge) => pure(edge) && !edge.isType && resolved(edge) === 'tf.ts'))).toEqual([]);
  });

  test('keep Node out of everything but the command line tool', () => {
    expect(
      say(edges.filter(({ file, target }) => /^(node:|commander|cli-progress)/.test(target) && top(file) !== 'cli')),
    ).toEqual([]);
  });
});

describe('words in src/', () => {
  const offenders = (pattern: RegExp, allowed: (file: string) => boolean) =>
    [...sources].filter(([file, text]) => !allowed(file) && pattern.test(without(text))).map(([file]) => file);

  test('no synchronous read-back', () => {
    expect(offenders(/\b(dataSync|arraySync|bufferSync)\b/, () => false)).toEqual([]);
  });

  test('tensors are read in backend/readback.ts only', () => {
    expect(offenders(/\.(data|array|buffer)\(\)/, (file) => file === 'backend/readback.ts')).toEqual([]);
  });

  test('nothing is printed', () => {
    expect(offenders(/\bconsole\./, (file) => top(file) === 'cli')).toEqual([]);
  });

  test('no enums, no default exports', () => {
    expect(offenders(/^\s*(export )?(const )?enum\s|^export default/m, () => false)).toEqual([]);
  });
});
