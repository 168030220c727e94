/** `torch.nn.Linear` over the last axis. */
import * as tf from '../tf.js';
import type { Tensor, Tensor1D, Tensor2D } from '../tf.js';
import { Module, Parameter } from './module.js';

export class Linear extends Module<Tensor, Tensor> {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(inFeatures: number, outFeatures: number, options: { bias?: boolean } = {}) {
    super();
    this.weight = new Parameter([outFeatures, inFeatures]);
    this.bias = (options.bias ?? true) ? new Parameter([outFeatures]) : null;
  }

  override prepare(): void {
    this.weight.upload([1, 0]); // [out, in] -> [in, out]
    this.bias?.upload();
  }

  /** x [..., in] -> [..., out] */
  override forward(x: Tensor): Tensor {
    const weight = this.weight.tensor as Tensor2D;
    const bias = this.bias?.tensor as Tensor1D | undefined;
    const [inFeatures, outFeatures] = weight.shape;
    const flat = tf.reshape(x, [-1, inFeatures]) as Tensor2D;
    const y = tf.fused.matMul({ a: flat, b: weight, bias });
    return tf.reshape(y, [...x.shape.slice(0, -1), outFeatures]);
  }
}
