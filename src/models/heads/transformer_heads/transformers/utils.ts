/** Small parts of transformer heads (MMPose: `transformer_heads/transformers/utils.py`). */
import { readConfig } from '../../../../config.js';
import { ConfigError } from '../../../../errors.js';
import { Linear } from '../../../../nn/linear.js';
import { Module, Parameter } from '../../../../nn/module.js';
import * as tf from '../../../../tf.js';
import type { Tensor, Tensor2D } from '../../../../tf.js';
import { checkCount } from '../../../utils/conv_layer.js';

/** MMPose's `FFN` of these heads: linear layers with ReLU between them. */
export class FFN extends Module<Tensor, Tensor> {
  readonly layers: readonly Linear[];

  constructor(inputs: number, hidden: number, outputs: number, numLayers: number) {
    super();
    const widths = [inputs, ...Array.from({ length: numLayers - 1 }, () => hidden), outputs];
    this.layers = widths.slice(1).map((width, i) => new Linear(widths[i], width));
  }

  /** x [..., inputs] -> [..., outputs] */
  override forward(x: Tensor): Tensor {
    return tf.tidy(() => this.layers.reduce((y, layer, i) => layer.forward(i === 0 ? y : tf.relu(y)), x));
  }
}

/** log(x / (1 - x)), each of both at least 0.001, as MMPose has it. */
export function inverseSigmoid<T extends Tensor>(x: T): T {
  const inside = tf.clipByValue(x, 0, 1);
  return tf.log(tf.div(tf.maximum(inside, 1e-3), tf.maximum(tf.sub(1, inside), 1e-3))) as T;
}

interface PositionEmbeddingConfig {
  readonly num_pos_feats: number;
  readonly temperatureH: number;
  readonly temperatureW: number;
  readonly normalize: boolean;
  readonly scale: number | null;
}

/** Sines and cosines of the rows and columns of a map, with a temperature for each axis. No parameters. */
export class PositionEmbeddingSineHW {
  /** Values per pixel. */
  readonly channels: number;
  readonly #config: PositionEmbeddingConfig;

  constructor(config: Readonly<Record<string, unknown>>, where: string) {
    this.#config = readConfig<PositionEmbeddingConfig>(config, where, {
      ...{ num_pos_feats: 64, temperatureH: 10000, temperatureW: 10000, normalize: false, scale: null },
    });
    checkCount(this.#config.num_pos_feats, `${where}.num_pos_feats`);
    if (this.#config.scale !== null && !this.#config.normalize) {
      throw new ConfigError(`${where}.scale: found ${this.#config.scale} without normalize; expected normalize true.`);
    }
    this.channels = 2 * this.#config.num_pos_feats;
  }

  /** [h w, channels]: of each pixel the row's values, then the column's. */
  table(h: number, w: number): Float32Array {
    const { num_pos_feats: count, temperatureH, temperatureW } = this.#config;
    const rows = this.#axis(h, temperatureH);
    const columns = this.#axis(w, temperatureW);
    const out = new Float32Array(h * w * 2 * count);
    for (let i = 0; i < h * w; i++) {
      const [y, x] = [Math.floor(i / w), i % w];
      out.set(rows.subarray(y * count, (y + 1) * count), 2 * i * count);
      out.set(columns.subarray(x * count, (x + 1) * count), (2 * i + 1) * count);
    }
    return out;
  }

  /** [size, num_pos_feats]: sine and cosine in turns. */
  #axis(size: number, temperature: number): Float32Array {
    const { num_pos_feats: count, normalize, scale } = this.#config;
    const unit = normalize ? (scale ?? 2 * Math.PI) / (size + 1e-6) : 1;
    const out = new Float32Array(size * count);
    for (let i = 0; i < out.length; i++) {
      const j = i % count;
      const angle = ((Math.floor(i / count) + 1) * unit) / temperature ** ((2 * Math.floor(j / 2)) / count);
      out[i] = j % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
    return out;
  }
}

/** `torch.nn.Embedding` as a table; nothing is looked up. */
export class Embedding extends Module<never, never> {
  readonly weight: Parameter;

  constructor(rows: number, dims: number) {
    super();
    this.weight = new Parameter([rows, dims]);
  }

  override prepare(): void {
    this.weight.upload();
  }

  override forward(): never {
    throw new ConfigError('Embedding: has no forward; read table.');
  }

  /** [rows, dims] */
  get table(): Tensor2D {
    return this.weight.tensor as Tensor2D;
  }
}
