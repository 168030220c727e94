/**
 * The smallest possible module system: a class with fields. A module's field path *is* its checkpoint key (`layer1.0.conv1.weight`),
 * so loading, preparing and disposing are generic walks, and no model keeps a table of names.
 */
import { BackendError } from '../errors.js';
import { sizeOf } from '../ndarray.js';
import { atOnce, type Steps } from '../slices.js';
import * as tf from '../tf.js';
import type { Tensor, Tensor4D } from '../tf.js';
import { foldBatchNorm, fuseActivation, isBatchNorm, isConv, isFusableAct } from './fold.js';

/**
 * One named tensor of a checkpoint. It lives twice, never at once: as host values in PyTorch's layout between loading and
 * `prepare`, then as a tensor in tfjs's layout.
 */
export class Parameter {
  /** Shape as in PyTorch (OIHW, [out, in]). */
  readonly shape: readonly number[];
  /** False for constants that PyTorch does not store in the state_dict. */
  readonly persistent: boolean;
  #value: Float32Array | null;
  #tensor: Tensor | null = null;
  #isArranged = false;
  #isDropped = false;

  constructor(shape: readonly number[], options: { value?: Float32Array; persistent?: boolean } = {}) {
    this.shape = shape;
    this.persistent = options.persistent ?? true;
    this.#value = options.value ?? null;
  }

  /** Host values in PyTorch's layout; zeros when nothing was loaded. Only before `upload`. */
  get value(): Float32Array {
    if (this.#tensor)
      throw new BackendError('Parameter.value: found an uploaded parameter; read host values before prepare().');
    this.#value ??= new Float32Array(sizeOf(this.shape));
    return this.#value;
  }

  set value(value: Float32Array) {
    this.#value = value;
  }

  /** The tensor in tfjs's layout. Only after `upload`. */
  get tensor(): Tensor {
    if (!this.#tensor)
      throw new BackendError('Parameter.tensor: found no tensor; call prepareModule(model) after loading.');
    return this.#tensor;
  }

  /** Moves the host values to the current backend, with the axes in the order `perm` and then, if given, in another shape. */
  upload(perm?: readonly number[], shape?: readonly number[]): void {
    const { data, shape: permuted } = transpose(this.value, this.shape, perm);
    this.uploadAs(data, shape ?? permuted);
  }

  /** Moves `data`, a rearrangement of the host values that no order of axes expresses, to the current backend. */
  uploadAs(data: Float32Array, shape: readonly number[]): void {
    this.#value = null;
    if (this.#isDropped) return;
    // Outside any scope of the caller's: parameters outlive every tidy.
    this.#tensor = tf.keep(tf.tensor(data, shape as number[], 'float32'));
  }

  /**
   * The tensor as `arrange` makes it, which happens once: what a backend's own kernel reads instead of tfjs's layout. Afterwards there
   * is only this form.
   */
  arranged<T extends Tensor>(arrange: (tensor: Tensor) => T): T {
    if (!this.#isArranged) {
      const before = this.tensor;
      this.#tensor = tf.keep(arrange(before));
      before.dispose();
      this.#isArranged = true;
    }
    return this.tensor as T;
  }

  /** Lets go of host values that became part of another parameter, or that only training reads: `upload` then does nothing. */
  drop(): void {
    this.#value = null;
    this.#isDropped = true;
  }

  /** Frees both forms. Safe to call twice. */
  dispose(): void {
    this.#value = null;
    this.#tensor?.dispose();
    this.#tensor = null;
  }
}

/** NumPy's `transpose`, for uploading weights in tfjs's order of axes. */
export function transpose(
  data: Float32Array,
  shape: readonly number[],
  perm?: readonly number[],
): { data: Float32Array; shape: readonly number[] } {
  if (!perm) return { data, shape };
  const outShape = perm.map((axis) => shape[axis]);
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const outStrides = perm.map((axis) => strides[axis]);
  const out = new Float32Array(data.length);
  const index = new Array<number>(perm.length).fill(0);
  const last = perm.length - 1;
  const [run, step] = [outShape[last] ?? 1, outStrides[last] ?? 0];
  let source = 0;
  for (let i = 0; i < out.length; i += run) {
    for (let j = 0, from = source; j < run; j++, from += step) out[i + j] = data[from];
    for (let axis = last - 1; axis >= 0; axis--) {
      source += outStrides[axis];
      if (++index[axis] < outShape[axis]) break;
      source -= outStrides[axis] * outShape[axis];
      index[axis] = 0;
    }
  }
  return { data: out, shape: outShape };
}

/** A layer or a network. Fields that hold parameters: `Module | Parameter | (nested) arrays of those | null`. */
export abstract class Module<I = Tensor4D, O = Tensor4D> {
  /** Borrows its input, gives its output; neither tidies nor disposes, except for modules with long loops of their own. */
  abstract forward(x: I): O;

  /**
   * Called once after loading, before the children's: fold batch norm into convolutions, then upload own parameters in tfjs's
   * layout.
   */
  prepare?(): void;
}

/** A step of a chain that is not a child: the owner's own few ops between two layers. */
export type Step = (x: Tensor4D) => Tensor4D;
/** `nn.Sequential` and `nn.ModuleList` are plain arrays; `null` holes are skipped. */
export type Layers = readonly (AnyModule | Layers | Step | null)[];
/** Feature maps of several resolutions, each [N, H/stride, W/stride, C], finest first. */
export type Feats = readonly Tensor4D[];
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- children of any signature
export type AnyModule = Module<any, any>;

type Visitor = (node: AnyModule | Parameter | readonly unknown[], path: string) => void;

/** Visits every module, array and parameter below `node`, parents first, in field order. */
export function walk(node: unknown, visit: Visitor, path = ''): void {
  if (node instanceof Parameter) return visit(node, path);
  if (!(node instanceof Module) && !Array.isArray(node)) return;
  if (node instanceof Module || node.some(holdsParameters)) visit(node, path);
  for (const [field, child] of Object.entries(node)) walk(child, visit, path ? `${path}.${field}` : field);
}

function holdsParameters(node: unknown): boolean {
  return node instanceof Module || node instanceof Parameter || (Array.isArray(node) && node.some(holdsParameters));
}

/** Every parameter by its checkpoint key. */
export function namedParameters(root: unknown): Map<string, Parameter> {
  const found = new Map<string, Parameter>();
  walk(root, (node, path) => {
    if (node instanceof Parameter) found.set(path, node);
  });
  return found;
}

/** Folds and uploads everything below `root`, on the current backend. Call once, after loading and outside any tidy. */
export function prepareModule(root: AnyModule): void {
  atOnce(preparing(root));
}

/** `prepareModule` for `inSlices`. */
export function* preparing(root: AnyModule): Steps<void> {
  // Collected first: preparing replaces parameters, but neither modules nor arrays.
  const nodes: unknown[] = [];
  walk(root, (node) => nodes.push(node));
  for (const node of nodes) {
    if (Array.isArray(node)) foldSequence(node);
    else if (node instanceof Module) node.prepare?.();
    yield;
  }
}

/** In a sequence, a batch norm that follows a convolution is folded into it, and an activation after that runs in its kernel. */
function foldSequence(layers: readonly unknown[]): void {
  for (const [i, conv] of layers.entries()) {
    if (!isConv(conv)) continue;
    let next = i + 1;
    const norm = layers[next];
    if (isBatchNorm(norm)) {
      foldBatchNorm(conv, norm);
      next++;
    }
    const act = layers[next];
    if (isFusableAct(act)) fuseActivation(conv, act);
  }
}

/** Frees every parameter below `root`. Safe to call twice. */
export function disposeModule(root: AnyModule): void {
  for (const parameter of namedParameters(root).values()) parameter.dispose();
}

/**
 * Runs layers one after the other. Each runs in a tidy of its own and the intermediate that it consumed is dropped at once (never
 * the caller's input): one tidy around a whole network would hold every activation.
 */
export function chain<T extends Tensor = Tensor4D>(layers: Layers, x: T): T {
  let y: T = x;
  for (const layer of layers) {
    if (layer === null) continue;
    const next: T = tf.tidy(() => runLayer(layer, y));
    if (y !== x && next !== y) y.dispose();
    y = next;
  }
  return y;
}

function runLayer<T extends Tensor>(layer: AnyModule | Layers | Step, x: T): T {
  if (layer instanceof Module) return layer.forward(x) as T;
  if (typeof layer === 'function') return layer(x as Tensor as Tensor4D) as Tensor as T;
  return chain<T>(layer, x);
}

/**
 * `chain` for networks of parallel branches: every layer maps a list of feature maps to another. Maps that a layer consumed and
 * did not pass on are dropped, never the caller's.
 */
export function chainFeats(layers: readonly (Module<Feats, Feats> | ((feats: Feats) => Feats))[], feats: Feats): Feats {
  let y: Feats = feats;
  for (const layer of layers) {
    const next = tf.tidy(() => [...(typeof layer === 'function' ? layer(y) : layer.forward(y))]);
    for (const map of y) if (!feats.includes(map) && !next.includes(map)) map.dispose();
    y = next;
  }
  return y;
}

/**
 * Runs the stages of a backbone one after the other and gives the outputs of those whose index is in `wanted`, in the order of the
 * stages. All others are dropped as soon as the next stage has read them.
 */
export function chainStages(stages: readonly Layers[], x: Tensor4D, wanted: readonly number[]): Feats {
  return tf.tidy(() => {
    const outs: Tensor4D[] = [];
    let y = x;
    for (const [i, stage] of stages.entries()) {
      const next = chain(stage, y);
      if (next !== y && y !== x && !outs.includes(y)) y.dispose();
      y = next;
      if (wanted.includes(i)) outs.push(y);
    }
    return outs;
  });
}
