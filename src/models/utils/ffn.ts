/** mmcv's `FFN` of two layers, with its shortcut. */
import { Act, type ActCfg } from '../../nn/act.js';
import { Linear } from '../../nn/linear.js';
import { chain, Module } from '../../nn/module.js';
import * as tf from '../../tf.js';
import type { Tensor3D } from '../../tf.js';

/** Tokens [N, L, C] -> [N, L, C], by way of `hidden` channels. */
export class FFN extends Module<Tensor3D, Tensor3D> {
  readonly layers: readonly [readonly [Linear, Act], Linear];

  constructor(dims: number, hidden: number, actCfg: ActCfg) {
    super();
    this.layers = [[new Linear(dims, hidden), new Act(actCfg)], new Linear(hidden, dims)];
  }

  /** @param shortcut - what the result is added to: the input, or what it was before a norm */
  override forward(x: Tensor3D, shortcut: Tensor3D = x): Tensor3D {
    return tf.add(shortcut, chain(this.layers, x));
  }
}
