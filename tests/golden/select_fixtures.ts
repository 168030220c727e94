/**
 * Makes `tests/fixtures/golden` from the full golden set: a selection small enough to keep in the repository (the smallest cases
 * of every operation first, up to a budget per group). Run: `npx tsx tests/golden/select_fixtures.ts ../shared/golden`.
 */
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sizeOf } from '../../src/ndarray.js';
import { listJson, nodeSource } from './node_source.js';

const TARGET = fileURLToPath(new URL('../fixtures/golden', import.meta.url));

/** Bytes per group; a file's share follows from the round-robin over its operations. */
const BUDGET_BYTES: Readonly<Record<string, number>> = {
  checkpoints: Infinity,
  codecs: 2_600_000,
  e2e: 60_000,
  evaluation: Infinity,
  models: Infinity,
  structures: 1_400_000,
  tta: 600_000,
  visualizer: 1_100_000,
};

/** Models are chosen by name: one of each kind that runs in seconds. */
const MODELS: readonly RegExp[] = [
  /^(dsnt|vis)_res50_64$/,
  /^cpm_64$/,
  /^hrformer_small_96x64$/,
  /^hrnet_tiny/,
  /^hrnet_w32_(udp_regress|coco_aic_combine)_64$/,
  /^litehrnet/,
  /^resnet18_deconv$/,
  /^rle_res50_96x64$/,
  /^rsn18_64$/,
  /^rtmo_s_160$/,
  /^rtmpose_t/,
  /^rtmw_m_128x96$/,
  /^simcc_res50/,
  /^swin_t_96x64$/,
  /^tcn_/,
  /^v2vnet$/,
  /^vipnas_res50_96x64$/,
  /^vitpose_small_simple_64$/,
  /^yoloxpose_tiny_160$/,
  /^neck_(channel_mapper|fmap_proc|fpn|gap)$/,
];

const ELEMENT_BYTES: Readonly<Record<string, number>> = {
  ...{ float32: 4, float64: 8, float16: 2, int32: 4, int64: 8, uint8: 1, bool: 1 },
};

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- raw JSON of the golden set
type Json = any;

interface Candidate {
  readonly path: string;
  readonly raw: Json;
  readonly bytes: number;
}

const root = resolve(process.argv[2] ?? '../shared/golden');
const source = nodeSource(root, dirname(TARGET));
await rm(TARGET, { recursive: true, force: true });
const files = new Map<string, Json>();
for (const path of await listJson(root)) {
  const json = JSON.parse(new TextDecoder().decode(await source.read(path)));
  if (json.format === 'inpose-golden-1' && json.cases) files.set(path, json);
}
for (const [group, budget] of Object.entries(BUDGET_BYTES)) {
  const chosen = choose(
    [...files].filter(([, json]) => json.group === group),
    budget,
  );
  for (const [path, json] of files) {
    const cases = json.cases.filter((raw: Json) => chosen.has(raw));
    if (cases.length > 0) await writeSelection(path, { ...json, cases });
  }
}

/** Round-robin over operations, smallest case first, until the budget is spent. */
function choose(entries: readonly (readonly [string, Json])[], budget: number): Set<Json> {
  const byOp = new Map<string, Candidate[]>();
  for (const [path, json] of entries) {
    if (json.group === 'models' && !MODELS.some((re) => re.test(json.name))) continue;
    for (const raw of json.cases) {
      // Photographs are not shipped: a case that needs one would be skipped.
      if (json.group === 'e2e' && raw.inputs.image.file) continue;
      const op = `${path}#${raw.op}`;
      byOp.set(op, [...(byOp.get(op) ?? []), { path, raw, bytes: JSON.stringify(raw).length + binBytes(raw) }]);
    }
  }
  for (const list of byOp.values()) list.sort((a, b) => a.bytes - b.bytes);
  const chosen = new Set<Json>();
  let spent = 0;
  for (let round = 0; [...byOp.values()].some((list) => round < list.length); round++) {
    for (const list of byOp.values()) {
      const next = list[round];
      if (!next || (round > 0 && spent + next.bytes > budget)) continue;
      chosen.add(next.raw);
      spent += next.bytes;
    }
  }
  return chosen;
}

function binBytes(node: Json): number {
  if (node === null || typeof node !== 'object') return 0;
  if ('$t' in node) return 'offset' in node ? sizeOf(node.shape) * ELEMENT_BYTES[node.$t] : 0;
  return Object.values(node).reduce((sum: number, child) => sum + binBytes(child), 0);
}

/** Writes the chosen cases with a `.bin` that holds only their bytes, and the files that they name. */
async function writeSelection(path: string, json: Json): Promise<void> {
  const folder = dirname(path);
  await mkdir(join(TARGET, folder), { recursive: true });
  const bin = json.bin ? await source.read(join(folder, json.bin)) : new Uint8Array();
  const parts: Uint8Array[] = [];
  let end = 0;
  const repack = (node: Json): Json => {
    if (node === null || typeof node !== 'object') return node;
    if (Array.isArray(node)) return node.map(repack);
    if (!('$t' in node && 'offset' in node)) {
      return Object.fromEntries(Object.entries(node).map(([key, child]) => [key, repack(child)]));
    }
    const bytes = sizeOf(node.shape) * ELEMENT_BYTES[node.$t];
    const padded = new Uint8Array(Math.ceil(bytes / 8) * 8);
    padded.set(bin.subarray(node.offset, node.offset + bytes));
    parts.push(padded);
    end += padded.length;
    return { ...node, offset: end - padded.length };
  };
  const cases = withReferencedModels(json.cases, files.get(path)!.cases).map(repack);
  const out = { ...json, cases, ...(json.bin ? { bin_bytes: end } : {}) };
  if (end === 0) delete out.bin;
  await writeFile(join(TARGET, path), JSON.stringify(out));
  if (end > 0) await writeFile(join(TARGET, folder, json.bin), Buffer.concat(parts));
  for (const raw of json.cases) {
    const file = raw.inputs?.file;
    if (json.group === 'checkpoints' && file) await copyFile(join(root, folder, file), join(TARGET, folder, file));
  }
}

/** A `same_as` whose case was not chosen is replaced by what it names. */
function withReferencedModels(cases: readonly Json[], all: readonly Json[]): Json[] {
  const kept = new Set(cases.map((raw) => raw.name));
  return cases.map((raw) => {
    const sameAs = raw.params?.model?.same_as;
    if (sameAs === undefined || kept.has(sameAs)) return raw;
    return { ...raw, params: { ...raw.params, model: all.find((other) => other.name === sameAs).params.model } };
  });
}
