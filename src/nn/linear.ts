/** `torch.nn.Linear` over the last axis. */
import { hasWasmConv, packWasmFilter, wasmConv2d, type ConvGeometry } from '../ops/wasm/conv2d.js';
import * as tf from '../tf.js';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '../tf.js';
import { Module, Parameter } from './module.js';

/** From which on the wasm kernel, which computes six at a time, is the faster one. */
const FEWEST_ROWS = 6;

export class Linear extends Module<Tensor, Tensor> {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly #geometry: ConvGeometry;
  /** The weight has the form of the wasm kernel. */
  #isPacked = false;

  constructor(inFeatures: number, outFeatures: number, options: { bias?: boolean } = {}) {
    super();
    this.weight = new Parameter([outFeatures, inFeatures]);
    this.bias = (options.bias ?? true) ? new Parameter([outFeatures]) : null;
    this.#geometry = {
      ...{ kernel: [1, 1], strides: [1, 1], padding: [0, 0] },
      ...{ inChannels: inFeatures, outChannels: outFeatures },
    };
  }

  override prepare(): void {
    this.weight.upload([1, 0]); // [out, in] -> [in, out]
    this.bias?.upload();
  }

  /** x [..., in] -> [..., out] */
  override forward(x: Tensor): Tensor {
    const [outFeatures, inFeatures] = this.weight.shape;
    const bias = this.bias?.tensor as Tensor1D | undefined;
    const flat = tf.reshape(x, [-1, inFeatures]) as Tensor2D;
    this.#isPacked ||= flat.shape[0] >= FEWEST_ROWS && hasWasmConv(this.#geometry);
    const y = this.#isPacked
      ? this.#convolve(flat, bias)
      : tf.fused.matMul({ a: flat, b: this.weight.tensor as Tensor2D, bias });
    return tf.reshape(y, [...x.shape.slice(0, -1), outFeatures]);
  }

  /** Rows are a map of one row of pixels to the library's own kernel. */
  #convolve(rows: Tensor2D, bias: Tensor1D | undefined): Tensor4D {
    const [count, inFeatures] = rows.shape;
    const { outChannels } = this.#geometry;
    const packed = this.weight.arranged((weight) =>
      tf.tidy(() => packWasmFilter(tf.reshape(weight, [1, 1, inFeatures, outChannels]), this.#geometry, [1, count])),
    );
    return wasmConv2d({ x: tf.reshape(rows, [1, 1, count, inFeatures]), packed, bias }, this.#geometry, 'linear');
  }
}
