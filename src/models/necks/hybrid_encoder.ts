/** RTMO's neck, from MMPose's `necks/hybrid_encoder.py`: RT-DETR's encoder (https://arxiv.org/abs/2304.08069). */
import { readConfig, type ConfigDict } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import type { ActCfg } from '../../nn/act.js';
import { ConvModule } from '../../nn/conv_module.js';
import { chain, Module, type Feats } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import { resizeBy } from '../../nn/resize.js';
import { stripScope } from '../../registry.js';
import * as tf from '../../tf.js';
import type { Tensor3D, Tensor4D } from '../../tf.js';
import { checkCount } from '../utils/conv_layer.js';
import { roundHalfEven } from '../utils/misc.js';
import { RepVGGBlock } from '../utils/reparam_layers.js';
import { DetrTransformerEncoder, SinePositionalEncoding } from '../utils/transformer.js';
import { ChannelMapper } from './channel_mapper.js';
import { checkChannels } from './check_channels.js';

const BN: NormCfg = { type: 'BN' };

/** Two halves, one through RepVGG blocks, added. */
class CSPRepLayer extends Module {
  readonly conv1: ConvModule;
  readonly conv2: ConvModule;
  readonly bottlenecks: readonly RepVGGBlock[];
  readonly conv3: ConvModule | null;

  constructor(inChannels: number, outChannels: number, numBlocks: number, widenFactor: number, actCfg: ActCfg) {
    super();
    const hidden = Math.trunc(outChannels * widenFactor);
    const options = { normCfg: BN, actCfg };
    this.conv1 = new ConvModule(inChannels, hidden, 1, options);
    this.conv2 = new ConvModule(inChannels, hidden, 1, options);
    this.bottlenecks = Array.from({ length: numBlocks }, () => new RepVGGBlock(hidden, hidden, actCfg));
    this.conv3 = hidden === outChannels ? null : new ConvModule(hidden, outChannels, 1, options);
  }

  override forward(x: Tensor4D): Tensor4D {
    return tf.tidy(() => {
      const sum: Tensor4D = tf.add(chain([this.conv1, this.bottlenecks], x), this.conv2.forward(x));
      return chain([this.conv3], sum);
    });
  }
}

interface HybridEncoderConfig {
  readonly encoder_cfg: Readonly<Record<string, unknown>>;
  readonly projector: ConfigDict | null;
  readonly num_encoder_layers: number;
  readonly in_channels: readonly number[];
  readonly hidden_dim: number;
  readonly use_encoder_idx: readonly number[];
  readonly pe_temperature: number;
  readonly widen_factor: number;
  readonly deepen_factor: number;
  readonly spe_learnable: boolean;
  readonly output_indices: readonly number[] | null;
  readonly norm_cfg: NormCfg;
  readonly act_cfg: ActCfg;
}

const SPEC = {
  encoder_cfg: {},
  projector: null,
  num_encoder_layers: 1,
  in_channels: [512, 1024, 2048],
  feat_strides: [8, 16, 32],
  hidden_dim: 256,
  use_encoder_idx: [2],
  pe_temperature: 10000,
  widen_factor: 1,
  deepen_factor: 1,
  spe_learnable: false,
  output_indices: null,
  norm_cfg: BN,
  act_cfg: { type: 'SiLU' },
};

/** Maps of `in_channels`, finest first; attention inside the coarsest, then both ways through the pyramid; `output_indices` selects. */
export class HybridEncoder extends Module<Feats, Feats> {
  readonly input_proj: readonly ConvModule[];
  readonly encoder: readonly DetrTransformerEncoder[];
  readonly sincos_pos_enc: SinePositionalEncoding;
  /** Top-down, coarsest first. */
  readonly lateral_convs: readonly ConvModule[];
  readonly fpn_blocks: readonly CSPRepLayer[];
  /** Bottom-up, finest first. */
  readonly downsample_convs: readonly ConvModule[];
  readonly pan_blocks: readonly CSPRepLayer[];
  readonly projector: ChannelMapper | null;
  readonly #encoded: readonly number[];
  readonly #outputs: readonly number[] | null;
  readonly #positions = new Map<string, Float32Array>();

  constructor(config: Readonly<Record<string, unknown>>, where = 'neck') {
    super();
    const cfg = readConfig<HybridEncoderConfig>(config, where, SPEC);
    checkNeckConfig(cfg, where);
    const { in_channels: widths, hidden_dim: dim, norm_cfg: normCfg, act_cfg: actCfg } = cfg;
    const conv = (from: number, kernel: 1 | 3, options: { stride?: number; padding?: number; actCfg: ActCfg | null }) =>
      new ConvModule(from, dim, kernel, { normCfg, ...options });
    const block = () => new CSPRepLayer(2 * dim, dim, roundHalfEven(3 * cfg.deepen_factor), cfg.widen_factor, actCfg);
    const steps = widths.slice(1);
    this.input_proj = widths.map((width) => conv(width, 1, { actCfg: null }));
    this.encoder = cfg.use_encoder_idx.map(
      () => new DetrTransformerEncoder(cfg.num_encoder_layers, cfg.encoder_cfg, `${where}.encoder_cfg`),
    );
    this.sincos_pos_enc = new SinePositionalEncoding(dim / 2, {
      ...{ temperature: cfg.pe_temperature, learnable: cfg.spe_learnable },
    });
    this.lateral_convs = steps.map(() => conv(dim, 1, { actCfg }));
    this.fpn_blocks = steps.map(block);
    this.downsample_convs = steps.map(() => conv(dim, 3, { stride: 2, padding: 1, actCfg }));
    this.pan_blocks = steps.map(block);
    this.projector = cfg.projector && new ChannelMapper(cfg.projector, `${where}.projector`);
    this.#encoded = cfg.num_encoder_layers > 0 ? cfg.use_encoder_idx : [];
    this.#outputs = cfg.output_indices;
  }

  override forward(feats: Feats): Feats {
    if (feats.length !== this.input_proj.length) {
      throw new InputError(
        `HybridEncoder: found ${feats.length} feature maps; expected ${this.input_proj.length}, one per entry of in_channels.`,
      );
    }
    return tf.tidy(() => {
      const projected = this.input_proj.map((conv, i) => conv.forward(feats[i]));
      for (const [i, level] of this.#encoded.entries()) projected[level] = this.#encode(i, projected[level]);
      const outs = this.#bottomUp(this.#topDown(projected));
      const wanted = this.#outputs ? this.#outputs.map((i) => outs[i]) : outs;
      return [...(this.projector ? this.projector.forward(wanted) : wanted)];
    });
  }

  #encode(i: number, x: Tensor4D): Tensor4D {
    const [n, h, w, channels] = x.shape;
    const positions = tf.tensor3d(this.#positionsOf(h, w), [1, h * w, channels]);
    const tokens = this.encoder[i].forward(tf.reshape(x, [n, h * w, channels]) as Tensor3D, positions);
    return tf.reshape(tokens, [n, h, w, channels]);
  }

  #positionsOf(h: number, w: number): Float32Array {
    const key = `${h} ${w}`;
    let table = this.#positions.get(key);
    if (!table) this.#positions.set(key, (table = this.sincos_pos_enc.grid(h, w)));
    return table;
  }

  /** Maps finest first. */
  #topDown(projected: readonly Tensor4D[]): Tensor4D[] {
    const inner = [projected[projected.length - 1]];
    for (const [i, lateral] of this.lateral_convs.entries()) {
      const high = lateral.forward(inner[0]);
      inner[0] = high;
      const low = projected[projected.length - 2 - i];
      inner.unshift(tf.tidy(() => this.fpn_blocks[i].forward(tf.concat([resizeBy(high, 2), low], 3))));
    }
    return inner;
  }

  #bottomUp(inner: readonly Tensor4D[]): Tensor4D[] {
    const outs = [inner[0]];
    for (const [i, down] of this.downsample_convs.entries()) {
      outs.push(tf.tidy(() => this.pan_blocks[i].forward(tf.concat([down.forward(outs[i]), inner[i + 1]], 3))));
    }
    return outs;
  }
}

function checkNeckConfig(cfg: HybridEncoderConfig, where: string): void {
  checkChannels(cfg.in_channels, `${where}.in_channels`);
  checkCount(cfg.hidden_dim, `${where}.hidden_dim`);
  if (cfg.hidden_dim % 4 !== 0) {
    throw new ConfigError(`${where}.hidden_dim: found ${cfg.hidden_dim}; expected a multiple of 4.`);
  }
  const levels = cfg.in_channels.length;
  for (const key of ['use_encoder_idx', 'output_indices'] as const) {
    if (!(cfg[key] ?? []).every((i) => Number.isInteger(i) && i >= 0 && i < levels)) {
      throw new ConfigError(`${where}.${key}: found [${cfg[key]!.join(', ')}]; expected 0 to ${levels - 1}.`);
    }
  }
  if (cfg.projector && stripScope(String(cfg.projector.type)) !== 'ChannelMapper') {
    throw new ConfigError(`${where}.projector.type: found "${cfg.projector.type}"; expected "ChannelMapper".`);
  }
}
