/**
 * Makes `bench/fixtures` from the golden set: config, list of weights and recorded outputs of the head, and nothing else of the cases
 * that the benchmark runs. Run: `npx tsx bench/select_fixtures.ts ../shared/golden`.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sizeOf } from '../src/ndarray.js';
import { BENCH_MODELS } from './models.js';

const TARGET = fileURLToPath(new URL('fixtures', import.meta.url));

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- raw JSON of the golden set
type Json = any;

const root = resolve(process.argv[2] ?? '../shared/golden');
await mkdir(TARGET, { recursive: true });
const { default: _, ...published } = BENCH_MODELS;
for (const { fixture } of Object.values(published)) await writeSelection(join(root, 'models'), fixture);

async function writeSelection(folder: string, name: string): Promise<void> {
  const file = JSON.parse(await readFile(join(folder, `${name}.json`), 'utf8'));
  const bin = await readFile(join(folder, file.bin));
  const parts: Uint8Array[] = [];
  const cases = file.cases.map((raw: Json) => ({
    ...{ name: raw.name, op: raw.op, params: raw.params, state_dict: raw.state_dict, kept_values: raw.kept_values },
    ...{
      inputs: raw.inputs,
      outputs: { head: repack(raw.outputs.head, bin, parts) },
      float64_noise: raw.float64_noise,
    },
  }));
  const bytes = Buffer.concat(parts);
  const selection = { ...file, bin_bytes: bytes.length, cases };
  await writeFile(join(TARGET, `${name}.json`), JSON.stringify(selection));
  await writeFile(join(TARGET, file.bin), bytes);
}

/** The same node with its bytes at the end of `parts`. */
function repack(node: Json, bin: Uint8Array, parts: Uint8Array[]): Json {
  if (Array.isArray(node)) return node.map((child) => repack(child, bin, parts));
  const bytes = sizeOf(node.shape) * Float32Array.BYTES_PER_ELEMENT;
  const padded = new Uint8Array(Math.ceil(bytes / 8) * 8);
  padded.set(bin.subarray(node.offset, node.offset + bytes));
  const offset = parts.reduce((sum, part) => sum + part.length, 0);
  parts.push(padded);
  return { ...node, offset };
}
