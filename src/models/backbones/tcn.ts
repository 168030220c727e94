/**
 * TCN, from MMPose's `backbones/tcn.py` (VideoPose3D, https://arxiv.org/abs/1811.11742): dilated convolutions over the frames of a
 * sequence of 2-D poses. A sequence is a map one pixel high here, [N, 1, T, C], where MMPose has [N, C, T].
 */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import { Conv1d, type Conv1dOptions } from '../../nn/conv1d.js';
import { ConvNormAct } from '../../nn/conv_module.js';
import { chain, Module, walk, type Feats } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';

interface TCNConfig {
  readonly in_channels: number;
  readonly stem_channels: number;
  readonly num_blocks: number;
  readonly kernel_sizes: readonly number[];
  readonly causal: boolean;
  readonly residual: boolean;
  readonly use_stride_conv: boolean;
  readonly conv_cfg: { readonly type?: unknown };
  readonly norm_cfg: NormCfg | null;
  readonly max_norm: number | null;
}

const SPEC = {
  in_channels: REQUIRED,
  stem_channels: 1024,
  num_blocks: 2,
  kernel_sizes: [3, 3, 3],
  dropout: 0.25,
  causal: false,
  residual: true,
  use_stride_conv: false,
  conv_cfg: { type: 'Conv1d' },
  norm_cfg: { type: 'BN1d' },
  max_norm: null,
};

/** mmcv's `ConvModule` of a 1-D convolution: batch norm, ReLU, and a bias only without norm. */
function convModule(
  inChannels: number,
  outChannels: number,
  kernel: number,
  normCfg: NormCfg | null,
  options: Conv1dOptions = {},
): ConvNormAct<Conv1d, Tensor4D> {
  const conv = new Conv1d(inChannels, outChannels, kernel, { ...options, bias: normCfg === null });
  return new ConvNormAct(conv, { normCfg });
}

/** Every `step`-th frame of x [N, 1, T, C], from `start` up to `end`. */
function frames(x: Tensor4D, start: number, end: number, step = 1): Tensor4D {
  const [n, h, , channels] = x.shape;
  if (step === 1) return tf.slice(x, [0, 0, start, 0], [n, h, end - start, channels]);
  return tf.stridedSlice(x, [0, 0, start, 0], [n, h, end, channels], [1, 1, step, 1]) as Tensor4D;
}

/** A convolution over frames and one per frame, added to the frames in the middle of the first one's windows, or at their end (`causal`). */
class BasicTemporalBlock extends Module {
  readonly conv1: readonly [ConvNormAct<Conv1d, Tensor4D>];
  readonly conv2: readonly [ConvNormAct<Conv1d, Tensor4D>];
  readonly #kernel: number;
  readonly #dilation: number;
  readonly #config: TCNConfig;

  constructor(kernel: number, dilation: number, config: TCNConfig) {
    super();
    const { stem_channels: channels, norm_cfg: normCfg, use_stride_conv: strided } = config;
    this.#kernel = kernel;
    this.#dilation = dilation;
    this.#config = config;
    this.conv1 = [convModule(channels, channels, kernel, normCfg, strided ? { stride: kernel } : { dilation })];
    this.conv2 = [convModule(channels, channels, 1, normCfg)];
  }

  override forward(x: Tensor4D): Tensor4D {
    const out = chain([this.conv1, this.conv2], x);
    return this.#config.residual ? tf.add(out, this.#shortcut(x, out.shape[2])) : out;
  }

  #shortcut(x: Tensor4D, expected: number): Tensor4D {
    const { causal, use_stride_conv: strided } = this.#config;
    const [length, half] = [x.shape[2], this.#kernel >> 1];
    const middle = strided ? half : half * this.#dilation;
    const start = causal ? 2 * middle : middle;
    const shortcut = strided ? frames(x, start, length, this.#kernel) : frames(x, start, length - 2 * middle + start);
    if (shortcut.shape[2] === expected) return shortcut;
    throw new InputError(
      `TCN: found ${length} frames before a convolution of stride ${this.#kernel}; expected a multiple of it: give as many frames as the receptive field, or multiples.`,
    );
  }
}

/**
 * Input [N, 1, T, in_channels], output one sequence [N, 1, T', stem_channels] per block. The last is of T - R + 1 frames, where R is the
 * product of the kernel sizes (the receptive field), or with `use_stride_conv` of T / R.
 */
export class TCN extends Module<Tensor4D, Feats> {
  readonly expand_conv: ConvNormAct<Conv1d, Tensor4D>;
  readonly tcn_blocks: readonly BasicTemporalBlock[];
  /** Whether an output belongs to the last frame of its window, not to the one in the middle. */
  readonly causal: boolean;
  /** Frames that one output depends on. */
  readonly receptiveField: number;
  readonly #maxNorm: number | null;

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readTCNConfig(config, where);
    const [first, ...rest] = cfg.kernel_sizes;
    const options = cfg.use_stride_conv ? { stride: first } : {};
    this.causal = cfg.causal;
    this.expand_conv = convModule(cfg.in_channels, cfg.stem_channels, first, cfg.norm_cfg, options);
    let dilation = first;
    this.tcn_blocks = rest.map((kernel) => {
      const block = new BasicTemporalBlock(kernel, dilation, cfg);
      dilation *= kernel;
      return block;
    });
    this.receptiveField = dilation;
    this.#maxNorm = cfg.max_norm;
  }

  /** MMPose clips with `max_norm` in every forward, so also at inference. */
  override prepare(): void {
    if (this.#maxNorm === null) return;
    walk(this, (node) => {
      if (node instanceof Conv1d) clipNorm(node.weight.value, this.#maxNorm!);
    });
  }

  override forward(x: Tensor4D): Feats {
    if (x.shape[1] !== 1 || x.shape[2] < this.receptiveField) {
      throw new InputError(
        `TCN: found a sequence [${x.shape}]; expected [N, 1, T, C] with at least ${this.receptiveField} frames (T), the receptive field.`,
      );
    }
    return tf.tidy(() => {
      let y = this.expand_conv.forward(x);
      return this.tcn_blocks.map((block) => (y = chain([block], y)));
    });
  }
}

/** Scales the values of a whole tensor to a norm of at most `maxNorm`. */
function clipNorm(values: Float32Array, maxNorm: number): void {
  const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  if (norm <= maxNorm) return;
  for (let i = 0; i < values.length; i++) values[i] *= maxNorm / (norm + 1e-6);
}

function readTCNConfig(config: Readonly<Record<string, unknown>>, where: string): TCNConfig {
  const cfg = readConfig<TCNConfig>(config, where, SPEC);
  const { num_blocks: blocks, kernel_sizes: kernels, conv_cfg: convCfg } = cfg;
  if (kernels.length !== blocks + 1 || !kernels.every((k) => Number.isInteger(k) && k >= 1 && k % 2 === 1)) {
    throw new ConfigError(
      `${where}.kernel_sizes: found [${kernels.join(', ')}] for num_blocks ${blocks}; expected ${blocks + 1} odd numbers.`,
    );
  }
  if (convCfg?.type !== 'Conv1d') {
    throw new ConfigError(`${where}.conv_cfg: found ${JSON.stringify(convCfg)}; expected { "type": "Conv1d" }.`);
  }
  return cfg;
}
