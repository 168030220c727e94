/** Reading files of the `inpose-golden-1` format: tagged JSON beside a raw little-endian file. */
import { sizeOf, type NdArray, type TypedArray } from '../../src/ndarray.js';
import { blocks8, patternImage, uniform } from './formula.js';

/** Where files come from: the disk in Node, the test server in a page. Paths are relative to the golden folder. */
export interface GoldenSource {
  /** Bytes of a file of the golden folder. */
  read(path: string): Promise<Uint8Array>;
  /** Bytes of a file named `shared/...` in a case, or null when it is not on this machine. */
  readShared(path: string): Promise<Uint8Array | null>;
}

/** A stored tensor, with the dtype that MMPose had. float16 comes widened to float32. */
export interface GoldenTensor extends NdArray<TypedArray> {
  readonly dtype: string;
}

/** What is stored of an output too large to keep. */
export interface GoldenSummary {
  readonly $summary: string;
  readonly shape: readonly number[];
  readonly stride: number;
  readonly sum: number;
  readonly abs_sum: number;
  readonly min: number;
  readonly max: number;
  readonly argmax: number;
  readonly sample: GoldenTensor;
}

/** A case with every tagged node decoded. */
export interface GoldenCase {
  readonly name: string;
  readonly op: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- JSON of the recorded call
  readonly params: any;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- JSON of the recorded call
  readonly inputs: any;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- JSON of the recorded call
  readonly outputs: any;
  readonly error?: string;
  readonly message?: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- op-specific extras: hessian_det, state_dict, predict, ...
  readonly [key: string]: any;
}

export interface GoldenFile {
  readonly group: string;
  readonly name: string;
  /** Raw cases: decode them one at a time with `decode`, they may be large. */
  readonly cases: readonly GoldenCase[];
  decode(raw: GoldenCase): GoldenCase;
}

/** Parses `path` (a `.json` of the golden folder) and loads its `.bin`. Null when the file is not of this format. */
export async function readGoldenFile(source: GoldenSource, path: string): Promise<GoldenFile | null> {
  const json = JSON.parse(new TextDecoder().decode(await source.read(path)));
  if (json.format !== 'inpose-golden-1' || !Array.isArray(json.cases)) return null;
  const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/') + 1) : '';
  const bin = json.bin ? await source.read(folder + json.bin) : new Uint8Array();
  // A copy of its own, so that offsets are aligned for typed arrays.
  const buffer = bin.slice().buffer;
  const byName = new Map<string, GoldenCase>(json.cases.map((c: GoldenCase) => [c.name, c]));
  return {
    group: json.group,
    name: json.name ?? path.slice(folder.length, -5),
    cases: json.cases,
    decode: (raw) => decodeNode(withReference(raw, byName), buffer) as GoldenCase,
  };
}

/** `params.model: { same_as: NAME }` stands for the config of another case of the file. */
function withReference(raw: GoldenCase, byName: ReadonlyMap<string, GoldenCase>): GoldenCase {
  const sameAs = raw.params?.model?.same_as;
  if (sameAs === undefined) return raw;
  return { ...raw, params: { ...raw.params, model: byName.get(sameAs)!.params.model } };
}

/** Replaces every tagged node below `node`. `{ file }` nodes stay as they are. */
export function decodeNode(node: unknown, buffer: ArrayBuffer): unknown {
  if (node === 'NaN' || node === 'Infinity' || node === '-Infinity') return Number(node);
  if (Array.isArray(node)) return node.map((child) => decodeNode(child, buffer));
  if (node === null || typeof node !== 'object') return node;
  const tagged = node as Record<string, unknown>;
  if ('$t' in tagged) return decodeTensor(tagged as unknown as TensorNode, buffer);
  if ('formula' in tagged) return evaluateFormula(tagged as unknown as FormulaNode);
  return Object.fromEntries(Object.entries(tagged).map(([key, child]) => [key, decodeNode(child, buffer)]));
}

interface TensorNode {
  readonly $t: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly data?: readonly (number | string)[];
}

interface FormulaNode {
  readonly formula: string;
  readonly name: string;
  readonly shape: readonly number[];
  readonly lo: number;
  readonly hi: number;
}

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

function decodeTensor(node: TensorNode, buffer: ArrayBuffer): GoldenTensor {
  const { $t: dtype, shape } = node;
  const TypedArrayOf = ARRAYS[dtype as keyof typeof ARRAYS];
  if (!TypedArrayOf) throw new TypeError(`golden tensor: found $t "${dtype}"; expected one of ${Object.keys(ARRAYS)}.`);
  if (!node.data) {
    const stored = new TypedArrayOf(buffer, node.offset, sizeOf(shape));
    return {
      dtype,
      shape,
      data: dtype === 'float16' ? Float32Array.from(stored as Uint16Array, halfToFloat) : stored.slice(),
    };
  }
  if (dtype === 'int64') return { dtype, shape, data: BigInt64Array.from(node.data, BigInt) };
  const values = node.data.map(Number);
  return {
    dtype,
    shape,
    data: dtype === 'float16' ? Float32Array.from(values) : new (TypedArrayOf as Float32ArrayConstructor)(values),
  };
}

/** IEEE half bits to a number. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function evaluateFormula(node: FormulaNode): NdArray<TypedArray> & { dtype: string } {
  switch (node.formula) {
    case 'uniform':
      return { dtype: 'float32', ...uniform(node.name, node.shape, node.lo, node.hi) };
    case 'blocks8':
      return { dtype: 'float32', ...blocks8(node.name, node.shape, node.lo, node.hi) };
    case 'pattern_image':
      return { dtype: 'uint8', ...patternImage(node.name, node.shape) };
    default:
      throw new TypeError(`golden input: found formula "${node.formula}"; expected uniform, blocks8 or pattern_image.`);
  }
}
