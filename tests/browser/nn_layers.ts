/** The layers of src/nn by the names of nn_reference.py, filled with the formula's weights: for the tests of eager and of compiled layers. */
import {
  MultiScaleDeformableAttention,
  pixelCentres,
} from '../../src/models/heads/transformer_heads/transformers/deformable_detr_layers.js';
import { lookInGroups } from '../../src/models/heads/transformer_heads/transformers/group_attention.js';
import { MultiheadAttention, PositionalAttention } from '../../src/models/utils/multihead_attention.js';
import { SelfAttention } from '../../src/models/utils/self_attention.js';
import { channelShuffle } from '../../src/models/backbones/utils/channel_shuffle.js';
import { Act } from '../../src/nn/act.js';
import { Conv2d, ConvTranspose2d } from '../../src/nn/conv.js';
import { Conv1d } from '../../src/nn/conv1d.js';
import { Conv3d, ConvTranspose3d } from '../../src/nn/conv3d.js';
import { Linear } from '../../src/nn/linear.js';
import { chain, Module, namedParameters, type AnyModule } from '../../src/nn/module.js';
import { BatchNorm2d, GroupNorm, LayerNorm } from '../../src/nn/norm.js';
import { AdaptiveAvgPool2d, AvgPool2d, MaxPool2d } from '../../src/nn/pool.js';
import { MaxPool3d } from '../../src/nn/pool3d.js';
import { resize, resizeBy } from '../../src/nn/resize.js';
import { gatherRows } from '../../src/ops/gather_rows.js';
import { sineEmbedding } from '../../src/ops/sine_embedding.js';
import { topIndices } from '../../src/ops/top_indices.js';
import * as tf from '../../src/tf.js';
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from '../../src/tf.js';
import { uniform } from '../golden/formula.js';

/** Layers of the library's own axes; the others take and give rows as PyTorch does. */
const CHANNELS_LAST: ReadonlySet<string> = new Set(['Conv1d']);

/** Whether a case's arrays have their channels in another place here. */
export function isTurned({ layer, input }: ReferenceCase): boolean {
  return input.length > 3 || CHANNELS_LAST.has(layer);
}

export interface ReferenceCase {
  readonly name: string;
  readonly layer: string;
  readonly args: Record<string, never>;
  readonly input: readonly number[];
  readonly range: readonly [number, number];
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** A function in the place of a layer. */
class Call extends Module<Tensor, Tensor> {
  readonly #section: (x: Tensor4D) => Tensor;

  constructor(section: (x: Tensor4D) => Tensor) {
    super();
    this.#section = section;
  }

  override forward(x: Tensor): Tensor {
    return this.#section(x as Tensor4D);
  }
}

/** `nn.Sequential`; its parameters are `layers.0...` here. */
class Sequence extends Module {
  readonly layers: readonly AnyModule[];

  constructor(layers: readonly AnyModule[]) {
    super();
    this.layers = layers;
  }

  override forward(x: Tensor4D): Tensor4D {
    return chain(this.layers, x);
  }
}

/** Tokens in groups, of which the first looks at those of the other groups. */
class GroupAttention extends Module<Tensor3D, Tensor3D> {
  readonly attn: PositionalAttention;
  readonly #size: number;

  constructor(dims: number, heads: number, size: number) {
    super();
    this.attn = new PositionalAttention(dims, heads);
    this.#size = size;
  }

  override forward(x: Tensor3D): Tensor3D {
    return this.attn.forward(x, undefined, lookInGroups(this.#size));
  }
}

const MAPS = [
  [4, 6],
  [2, 3],
] as const;

/** Pixels of two maps look at these, from where they are or from some boxes. */
class DeformableAttention extends Module<Tensor3D, Tensor3D> {
  readonly attn: MultiScaleDeformableAttention;
  readonly #of: string;

  constructor(dims: number, heads: number, points: number, of: string) {
    super();
    const config = { embed_dims: dims, num_heads: heads, num_levels: MAPS.length, num_points: points };
    this.attn = new MultiScaleDeformableAttention(config, 'attention');
    this.#of = of;
  }

  override forward(x: Tensor3D): Tensor3D {
    const boxes = uniform('boxes', [2, 30, 4], 0.1, 0.9).data;
    const from = this.#of === 'points' ? pixelCentres(MAPS) : tf.tensor3d(boxes, [2, 30, 4]);
    return this.attn.attend(x, tf.zeros(x.shape), x, from, MAPS);
  }
}

export const LAYERS: Readonly<Record<string, (args: Record<string, never>) => AnyModule>> = {
  Conv2d: ({ inChannels, outChannels, kernel, ...options }) => new Conv2d(inChannels, outChannels, kernel, options),
  Conv1d: ({ inChannels, outChannels, kernel, ...options }) => new Conv1d(inChannels, outChannels, kernel, options),
  Conv3d: ({ inChannels, outChannels, kernel, ...options }) => new Conv3d(inChannels, outChannels, kernel, options),
  ConvTranspose3d: ({ inChannels, outChannels, kernel, ...options }) =>
    new ConvTranspose3d(inChannels, outChannels, kernel, options),
  ConvTranspose2d: ({ inChannels, outChannels, kernel, ...options }) =>
    new ConvTranspose2d(inChannels, outChannels, kernel, options),
  MaxPool2d: ({ kernel, ...options }) => new MaxPool2d(kernel, options),
  MaxPool3d: ({ kernel }) => new MaxPool3d(kernel),
  AvgPool2d: ({ kernel, ...options }) => new AvgPool2d(kernel, options),
  AdaptiveAvgPool2d: ({ size }) => new AdaptiveAvgPool2d(size),
  resize: ({ size, ...options }) => new Call((x) => resize(x, size, options)),
  resizeBy: ({ scaleFactor, ...options }) => new Call((x) => resizeBy(x, scaleFactor, options)),
  Act: (args) => new Act(args as unknown as { type: string }),
  BatchNorm2d: ({ channels, eps }) => new BatchNorm2d(channels, { eps }),
  GroupNorm: ({ groups, channels }) => new GroupNorm(groups, channels),
  LayerNorm: ({ channels }) => new LayerNorm(channels),
  Linear: ({ inFeatures, outFeatures, bias }) => new Linear(inFeatures, outFeatures, { bias }),
  SelfAttention: ({ dims, heads }) => new SelfAttention(dims, heads, {}, 'heads'),
  MultiheadAttention: ({ dims, heads }) => new MultiheadAttention(dims, heads),
  GroupAttention: ({ dims, heads, size }) => new GroupAttention(dims, heads, size),
  DeformableAttention: ({ dims, heads, points, of }) => new DeformableAttention(dims, heads, points, of),
  topIndices: ({ k }) => new Call((x) => topIndices({ scores: x as Tensor as Tensor2D }, { k })),
  // Of all rows the best, by their first values.
  gatherRows: ({ k }) =>
    new Call((x) => {
      const rows = x as Tensor as Tensor3D;
      const [n, m] = rows.shape;
      const scores = tf.reshape(tf.slice(rows, [0, 0, 0], [n, m, 1]), [n, m]) as Tensor2D;
      return gatherRows({ x: rows, places: topIndices({ scores }, { k }) }, {});
    }),
  sineEmbedding: (args) => new Call((x) => sineEmbedding({ positions: x as Tensor as Tensor3D }, args as never)),
  folded: ({ kind }) => sequence(kind),
  channelShuffle: ({ groups }) => new Call((x) => channelShuffle(x, groups)),
};

function sequence(kind: string): Sequence {
  const layers: Record<string, () => Conv2d | ConvTranspose2d> = {
    dense: () => new Conv2d(4, 6, 3, { bias: false }),
    grouped: () => new Conv2d(4, 6, 3, { padding: 1, groups: 2 }),
    depthwise: () => new Conv2d(4, 4, 3, { padding: 1, groups: 4, bias: false }),
    transposed: () => new ConvTranspose2d(4, 6, 4, { stride: 2, padding: 1, bias: false }),
  };
  const conv = layers[kind]();
  return new Sequence([conv, new BatchNorm2d(conv.outChannels), new Act({ type: 'ReLU' })]);
}

/** Gives every parameter its value by the formula. */
export function fill(module: AnyModule, name: string): void {
  for (const [path, parameter] of namedParameters(module)) {
    const key = path.replace(/^layers\./, '');
    const [lo, hi] = key.endsWith('running_var') ? [0.5, 1.5] : [-1, 1];
    parameter.value = uniform(`${key}:${name}`, parameter.shape, lo, hi).data;
  }
}
