/** mmcv's `DeformConv2d` as DEKR uses it: 3 x 3, stride and padding 1, offsets per group, no bias of its own. */
import { deformConv } from '../ops/deform_conv.js';
import * as tf from '../tf.js';
import type { Tensor1D, Tensor4D } from '../tf.js';
import { checkGroups } from './conv.js';
import type { FusedActivation } from './act.js';
import type { FoldableConv } from './fold.js';
import { Module, Parameter, transpose } from './module.js';

export class DeformConv2d extends Module implements FoldableConv {
  readonly kind = 'conv';
  readonly weight: Parameter;
  /** From a batch norm that was folded in. */
  bias: Parameter | null = null;
  readonly outChannels: number;
  activation: FusedActivation = 'linear';
  readonly #groups: number;

  constructor(inChannels: number, outChannels: number, groups: number) {
    super();
    checkGroups('DeformConv2d', groups, inChannels, outChannels);
    this.outChannels = outChannels;
    this.#groups = groups;
    this.weight = new Parameter([outChannels, inChannels / groups, 3, 3]);
  }

  /** [group x out, in, 3, 3] -> [1, tap x group, in, out]. */
  override prepare(): void {
    const groups = this.#groups;
    const [out, inputs] = [this.outChannels / groups, this.weight.shape[1]];
    const { data } = transpose(this.weight.value, [groups, out, inputs, 9], [3, 0, 2, 1]);
    this.weight.uploadAs(data, [1, 9 * groups, inputs, out]);
    this.bias?.upload();
  }

  /** @param offsets - [N, h, w, groups x 9 x 2]: y, x of each tap, px */
  override forward(x: Tensor4D, offsets?: Tensor4D): Tensor4D {
    const taps = this.weight.tensor as Tensor4D;
    const y = deformConv({ x, offsets: offsets!, taps }, { groups: this.#groups });
    return this.bias ? tf.add(y, this.bias.tensor as Tensor1D) : y;
  }
}
