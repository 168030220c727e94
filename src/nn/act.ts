/** Activations by their mmcv/PyTorch names, as functions on tensors and as a module for sequences. */
import { didYouMean } from '../config.js';
import { ConfigError } from '../errors.js';
import * as tf from '../tf.js';
import type { Tensor } from '../tf.js';
import { Module } from './module.js';

/** `act_cfg` of a config. */
export interface ActCfg {
  readonly type: string;
  readonly negative_slope?: number;
  readonly [key: string]: unknown;
}

export type Activation = <T extends Tensor>(x: T) => T;

/** Activations that tfjs fuses into a convolution on every backend. */
export type FusedActivation = 'linear' | 'relu' | 'relu6';

const hardSigmoid: Activation = (x) => tf.clipByValue(tf.add(tf.mul(x, 1 / 6), 0.5), 0, 1);
const silu: Activation = (x) => tf.mul(x, tf.sigmoid(x));
/** 0.5 x (1 + erf(x / sqrt 2)): PyTorch's exact GELU. */
const gelu: Activation = (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
const hardSwish: Activation = (x) => tf.mul(x, hardSigmoid(x));

const ACTIVATIONS: Readonly<Record<string, (cfg: ActCfg) => Activation>> = {
  ReLU: () => (x) => tf.relu(x),
  ReLU6: () => (x) => tf.relu6(x),
  LeakyReLU: (cfg) => (x) => tf.leakyRelu(x, cfg.negative_slope ?? 0.01),
  Sigmoid: () => (x) => tf.sigmoid(x),
  Tanh: () => (x) => tf.tanh(x),
  SiLU: () => silu,
  Swish: () => silu,
  GELU: () => gelu,
  HSigmoid: () => hardSigmoid,
  Hardsigmoid: () => hardSigmoid,
  HSwish: () => hardSwish,
  Hardswish: () => hardSwish,
};

/** mmcv's `build_activation_layer` as a function; `null` is the identity. */
export function buildActivation(cfg: ActCfg | null, where = 'act_cfg'): Activation {
  if (cfg === null) return (x) => x;
  const build = ACTIVATIONS[cfg.type];
  if (!build) {
    throw new ConfigError(
      `${where}.type: found "${cfg.type}"; expected one of ${Object.keys(ACTIVATIONS).join(', ')}.${didYouMean(cfg.type, Object.keys(ACTIVATIONS))}`,
    );
  }
  return build(cfg);
}

/** The name under which tfjs fuses this activation, or null when it must run as its own op. */
export function fusedName(cfg: ActCfg | null): FusedActivation | null {
  if (cfg === null) return 'linear';
  if (cfg.type === 'ReLU') return 'relu';
  if (cfg.type === 'ReLU6') return 'relu6';
  return null;
}

/** An activation as a layer of a sequence; it holds no parameters. */
export class Act extends Module<Tensor, Tensor> {
  readonly #apply: Activation;

  constructor(cfg: ActCfg | null) {
    super();
    this.#apply = buildActivation(cfg);
  }

  override forward(x: Tensor): Tensor {
    return this.#apply(x);
  }
}
