/**
 * Activations by their mmcv/PyTorch names, as functions on tensors and as a module for sequences. All are composed of kernels that
 * every tfjs backend has. Not here: PReLU (it has a parameter, and no pose network uses it).
 */
import { didYouMean } from '../config.js';
import { ConfigError } from '../errors.js';
import { sigmoid, silu } from '../ops/sigmoid.js';
import * as tf from '../tf.js';
import type { Tensor } from '../tf.js';
import { Module } from './module.js';

/** `act_cfg` of a config. */
export interface ActCfg {
  readonly type: string;
  readonly [key: string]: unknown;
}

export type Activation = <T extends Tensor>(x: T) => T;

/** Activations that tfjs fuses into a convolution on every backend. */
export type FusedActivation = 'linear' | 'relu' | 'relu6';

/** 0.5 x (1 + erf(x / sqrt 2)): PyTorch's exact GELU. */
const gelu: Activation = (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
/** x * relu6(x + 3) / 6, PyTorch's order of operations. */
const hardSwish: Activation = (x) => tf.mul(x, tf.mul(tf.relu6(tf.add(x, 3)), 1 / 6));
const hardSigmoid: Activation = (x) => tf.mul(tf.relu6(tf.add(x, 3)), 1 / 6);
const mish: Activation = (x) => tf.mul(x, tf.tanh(tf.softplus(x)));

/** One activation: the keys that its config may have with their defaults, and the function they give. */
interface ActSpec {
  readonly defaults: Readonly<Record<string, number>>;
  build(values: Readonly<Record<string, number>>): Activation;
}

/** An activation without options. */
function plain(activation: Activation): ActSpec {
  return { defaults: {}, build: () => activation };
}

function clamp(): ActSpec {
  return { defaults: { min: -1, max: 1 }, build: (v) => (x) => tf.clipByValue(x, v.min, v.max) };
}

const ACTIVATIONS: Readonly<Record<string, ActSpec>> = {
  ReLU: plain((x) => tf.relu(x)),
  ReLU6: plain((x) => tf.relu6(x)),
  LeakyReLU: { defaults: { negative_slope: 0.01 }, build: (v) => (x) => tf.leakyRelu(x, v.negative_slope) },
  // In eval mode RReLU's random slope is the middle of its range.
  RReLU: {
    defaults: { lower: 1 / 8, upper: 1 / 3 },
    build: (v) => (x) => tf.leakyRelu(x, (v.lower + v.upper) / 2),
  },
  ELU: { defaults: { alpha: 1 }, build: (v) => elu(v.alpha) },
  Sigmoid: plain((x) => sigmoid(x)),
  Tanh: plain((x) => tf.tanh(x)),
  SiLU: plain(silu),
  Swish: plain(silu),
  GELU: plain(gelu),
  Mish: plain(mish),
  Softplus: plain((x) => tf.softplus(x)),
  Clip: clamp(),
  Clamp: clamp(),
  Hardsigmoid: plain(hardSigmoid),
  // mmcv's own, with options; its defaults equal Hardsigmoid.
  HSigmoid: {
    defaults: { bias: 3, divisor: 6, min_value: 0, max_value: 1 },
    build: (v) => (x) => tf.clipByValue(tf.mul(tf.add(x, v.bias), 1 / v.divisor), v.min_value, v.max_value),
  },
  Hardswish: plain(hardSwish),
  HSwish: plain(hardSwish),
};

/** relu(x) + alpha * (exp(min(x, 0)) - 1). */
function elu(alpha: number): Activation {
  if (alpha === 1) return (x) => tf.elu(x);
  return (x) => tf.add(tf.relu(x), tf.mul(tf.expm1(tf.minimum(x, 0)), alpha));
}

/**
 * mmcv's `build_activation_layer` as a function; `null` is the identity.
 *
 * @throws ConfigError for an unknown type or option
 */
export function buildActivation(cfg: ActCfg | null, where = 'act_cfg'): Activation {
  if (cfg === null) return (x) => x;
  const spec = Object.hasOwn(ACTIVATIONS, cfg.type) ? ACTIVATIONS[cfg.type] : undefined;
  if (!spec) {
    throw new ConfigError(
      `${where}.type: found "${cfg.type}"; expected one of ${Object.keys(ACTIVATIONS).join(', ')}.${didYouMean(String(cfg.type), Object.keys(ACTIVATIONS))}`,
    );
  }
  return spec.build(readOptions(cfg, spec.defaults, where));
}

function readOptions(
  cfg: ActCfg,
  defaults: Readonly<Record<string, number>>,
  where: string,
): Readonly<Record<string, number>> {
  const values: Record<string, number> = { ...defaults };
  for (const [key, value] of Object.entries(cfg)) {
    // `inplace` saves memory in PyTorch and changes nothing here.
    if (key === 'type' || key === 'inplace') continue;
    if (!(key in defaults) || typeof value !== 'number') {
      throw new ConfigError(
        `${where}.${key}: found ${JSON.stringify(value)}; ${cfg.type} takes numbers for: ${Object.keys(defaults).join(', ') || 'nothing'}.`,
      );
    }
    values[key] = value;
  }
  return values;
}

/** The name under which tfjs fuses this activation, or null when it must run as its own op. */
export function fusedName(cfg: ActCfg | null): FusedActivation | null {
  if (cfg === null) return 'linear';
  if (cfg.type === 'ReLU') return 'relu';
  if (cfg.type === 'ReLU6') return 'relu6';
  return null;
}

/** An activation as a layer of a sequence; it holds no parameters. `prepareModule` may move it into the convolution before it. */
export class Act extends Module<Tensor, Tensor> {
  readonly kind = 'act';
  readonly fusedName: FusedActivation | null;
  readonly #apply: Activation;
  #fused = false;

  constructor(cfg: ActCfg | null) {
    super();
    this.#apply = buildActivation(cfg);
    this.fusedName = fusedName(cfg);
  }

  /** Called by `fuseActivation`: the convolution before applies it already. */
  markFused(): void {
    this.#fused = true;
  }

  override forward(x: Tensor): Tensor {
    return this.#fused ? x : this.#apply(x);
  }
}
