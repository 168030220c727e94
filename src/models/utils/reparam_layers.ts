/** Layers that train as several branches and run as one convolution (MMPose: `mmpose/models/utils/reparam_layers.py`). */
import { buildActivation, fusedName, type ActCfg, type Activation, type FusedActivation } from '../../nn/act.js';
import { ConvModule } from '../../nn/conv_module.js';
import { foldBatchNorm } from '../../nn/fold.js';
import { Module } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';

const BN: NormCfg = { type: 'BN' };

/** RepVGG's block: a 3 x 3 and a 1 x 1 convolution, each with its norm, added; then the activation. */
export class RepVGGBlock extends Module {
  readonly branch_3x3: ConvModule;
  /** Part of the other one after `prepare`. */
  readonly branch_1x1: ConvModule;
  readonly #fused: FusedActivation | null;
  readonly #activate: Activation;

  constructor(inChannels: number, outChannels: number, actCfg: ActCfg = { type: 'ReLU' }) {
    super();
    this.branch_3x3 = new ConvModule(inChannels, outChannels, 3, { padding: 1, normCfg: BN, actCfg: null });
    this.branch_1x1 = new ConvModule(inChannels, outChannels, 1, { normCfg: BN, actCfg: null });
    this.#fused = fusedName(actCfg);
    this.#activate = buildActivation(actCfg);
  }

  /** Adds the small filter to the middle of the large one. */
  override prepare(): void {
    const [large, small] = [this.branch_3x3, this.branch_1x1];
    for (const { conv, bn } of [large, small]) foldBatchNorm(conv, bn!);
    addInto(large.conv.bias!.value, small.conv.bias!.value);
    const [filter, middle] = [large.conv.weight.value, small.conv.weight.value];
    for (let i = 0; i < middle.length; i++) filter[i * 9 + 4] += middle[i];
    small.conv.weight.drop();
    small.conv.bias!.drop();
  }

  override forward(x: Tensor4D): Tensor4D {
    if (this.#fused) return this.branch_3x3.conv.forward(x, this.#fused);
    return tf.tidy(() => this.#activate(this.branch_3x3.conv.forward(x)));
  }
}

function addInto(target: Float32Array, values: Float32Array): void {
  for (let i = 0; i < target.length; i++) target[i] += values[i];
}
