/** MMPose's `WindowMSA` of Swin and HRFormer: attention with a learned bias per distance of two pixels of a window. */
import { Parameter } from '../../nn/module.js';
import * as tf from '../../tf.js';
import type { Tensor3D, Tensor4D } from '../../tf.js';
import { SelfAttention } from './self_attention.js';
import type { Size } from './tokens.js';

/** Tokens of windows [N windows, window h w, C] -> the same shape. */
export class WindowMSA extends SelfAttention {
  readonly relative_position_bias_table: RelativePositionBias | null;
  readonly #numHeads: number;

  constructor(
    dims: number,
    numHeads: number,
    window: Size,
    options: { readonly bias: boolean; readonly scale?: number | null; readonly withRpe?: boolean },
    where: string,
  ) {
    super(dims, numHeads, options, where);
    this.#numHeads = numHeads;
    this.relative_position_bias_table = (options.withRpe ?? true) ? new RelativePositionBias(window, numHeads) : null;
  }

  override prepare(): void {
    super.prepare();
    this.relative_position_bias_table?.upload();
  }

  /** @param mask - [1, windows, L, L], added to the scores of every picture */
  override forward(x: Tensor3D, mask: Tensor4D | null = null): Tensor3D {
    return this.attend(x, (scores) => {
      const [rows, length] = scores.shape;
      const masked = mask ? addMask(scores, mask) : scores;
      const byHead = tf.reshape(masked, [this.#numHeads, rows / this.#numHeads, length, length]);
      const bias = this.relative_position_bias_table?.tensor as Tensor4D | undefined;
      return tf.reshape(tf.softmax(bias ? tf.add(byHead, bias) : byHead, 3), scores.shape);
    });
  }
}

/** scores [heads N windows, L, L] + mask [1, windows, L, L] */
function addMask(scores: Tensor3D, mask: Tensor4D): Tensor4D {
  const [rows, length] = scores.shape;
  const [, windows] = mask.shape;
  return tf.add(tf.reshape(scores, [rows / windows, windows, length, length]), mask);
}

/**
 * A bias per head and distance: [(2 h - 1) (2 w - 1), heads] in the checkpoint, [heads, 1, L, L] on the device. MMPose looks the
 * values up in each forward.
 */
class RelativePositionBias extends Parameter {
  readonly #window: Size;

  constructor(window: Size, numHeads: number) {
    super([(2 * window[0] - 1) * (2 * window[1] - 1), numHeads]);
    this.#window = window;
  }

  override upload(): void {
    const [h, w] = this.#window;
    const [length, heads] = [h * w, this.shape[1]];
    const table = this.value;
    const bias = new Float32Array(heads * length * length);
    let to = 0;
    for (let head = 0; head < heads; head++) {
      for (let i = 0; i < length; i++) {
        for (let j = 0; j < length; j++, to++) {
          const dy = Math.floor(i / w) - Math.floor(j / w) + h - 1;
          const dx = (i % w) - (j % w) + w - 1;
          bias[to] = table[(dy * (2 * w - 1) + dx) * heads + head];
        }
      }
    }
    this.uploadAs(bias, [heads, 1, length, length]);
  }
}
