/** Cutting a picture into patches, mmcv's and MMPose's `PatchEmbed`: a strided convolution and, where asked for, a norm. */
import { Conv2d } from '../../nn/conv.js';
import { Module } from '../../nn/module.js';
import type { LayerNorm } from '../../nn/norm.js';
import * as tf from '../../tf.js';
import type { Tensor3D, Tensor4D } from '../../tf.js';
import { toTokens, type Size } from './tokens.js';

export interface Patches {
  readonly kernel: number;
  readonly stride: number;
  /** On every side; `corner` adds what is missing to whole patches, on the right and below. */
  readonly padding: number | 'corner';
}

/** [N, H, W, C] -> [N, h w, out] */
export class PatchEmbed extends Module<Tensor4D, Tensor3D> {
  readonly projection: Conv2d;
  readonly norm: LayerNorm | null;
  readonly #patches: Patches;

  constructor(inChannels: number, outChannels: number, patches: Patches, norm: LayerNorm | null) {
    super();
    const { kernel, stride } = patches;
    const padding = patches.padding === 'corner' ? 0 : patches.padding;
    this.#patches = patches;
    this.projection = new Conv2d(inChannels, outChannels, kernel, { stride, padding });
    this.norm = norm;
  }

  /** Of the map that the tokens stand for. */
  size({ shape: [, h, w] }: Tensor4D): Size {
    return patchCounts([h, w], this.#patches);
  }

  override forward(x: Tensor4D): Tensor3D {
    const tokens = toTokens(this.projection.forward(this.#cover(x)));
    return this.norm ? (this.norm.forward(tokens) as Tensor3D) : tokens;
  }

  #cover(x: Tensor4D): Tensor4D {
    return this.#patches.padding === 'corner' ? padCorner(x, this.#patches) : x;
  }
}

/** Patches in each direction of a picture. */
export function patchCounts([h, w]: Size, { kernel, stride, padding }: Patches): Size {
  const count = (length: number) =>
    padding === 'corner' ? Math.ceil(length / stride) : Math.floor((length + 2 * padding - kernel) / stride) + 1;
  return [count(h), count(w)];
}

/** Zeros on the right and below, so that patches cover the map. */
export function padCorner(x: Tensor4D, { kernel, stride }: Omit<Patches, 'padding'>): Tensor4D {
  const missing = (length: number) => Math.max(0, (Math.ceil(length / stride) - 1) * stride + kernel - length);
  const [, h, w] = x.shape;
  const [below, right] = [missing(h), missing(w)];
  if (below === 0 && right === 0) return x;
  return tf.pad(x, [
    [0, 0],
    [0, below],
    [0, right],
    [0, 0],
  ]);
}
