/**
 * HourglassAENet, from MMPose's `backbones/hourglass_ae.py` (https://arxiv.org/abs/1611.05424): U-shaped networks, one after the other, whose
 * outputs are the heatmaps and tag maps of associative embedding. With `AssociativeEmbeddingHead` without layers it is a whole bottom-up model.
 */
import { readConfig } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { ConvModule } from '../../nn/conv_module.js';
import { chain, Module, type Feats, type Layers } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import { MaxPool2d } from '../../nn/pool.js';
import { resizeBy } from '../../nn/resize.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import { checkInputSize, checkNumStacks, DEFAULT_NORM, STEM_STRIDE } from './hourglass.js';

interface HourglassAEConfig {
  readonly downsample_times: number;
  readonly num_stacks: number;
  readonly out_channels: number;
  readonly stage_channels: readonly number[];
  readonly feat_channels: number;
  readonly norm_cfg: NormCfg;
}

const SPEC = {
  downsample_times: 4,
  num_stacks: 1,
  out_channels: 34,
  stage_channels: [256, 384, 512, 640, 768],
  feat_channels: 256,
  norm_cfg: { type: 'BN' },
};

/** 3 x 3, batch norm, ReLU; height and width stay. */
function conv3x3(inChannels: number, outChannels: number, normCfg: NormCfg): ConvModule {
  return new ConvModule(inChannels, outChannels, 3, { padding: 1, normCfg });
}

/** One level, with the lower ones inside: half resolution and back, added to a branch at full resolution. */
class HourglassAEModule extends Module {
  readonly up1: ConvModule;
  readonly low1: ConvModule;
  readonly low2: Module;
  readonly low3: ConvModule;
  readonly #pool1 = new MaxPool2d(2);

  constructor(depth: number, [channels, ...deeper]: readonly number[], normCfg: NormCfg) {
    super();
    const [next] = deeper;
    this.up1 = conv3x3(channels, channels, normCfg);
    this.low1 = conv3x3(channels, next, normCfg);
    // MMPose hands its norm_cfg to the first level only.
    this.low2 = depth > 1 ? new HourglassAEModule(depth - 1, deeper, DEFAULT_NORM) : conv3x3(next, next, normCfg);
    this.low3 = conv3x3(next, channels, normCfg);
  }

  override forward(x: Tensor4D): Tensor4D {
    const low = chain([this.#pool1, this.low1, this.low2, this.low3, (y) => resizeBy(y, 2)], x);
    return tf.add(this.up1.forward(x), low);
  }
}

/** Input [N, H, W, 3], output one map [N, H/4, W/4, out_channels] per stack. H and W are multiples of 4 * 2^downsample_times. */
export class HourglassAENet extends Module<Tensor4D, Feats> {
  readonly stem: Layers;
  readonly hourglass_modules: readonly Layers[];
  readonly out_convs: readonly ConvModule[];
  readonly remap_out_convs: readonly ConvModule[];
  readonly remap_feature_convs: readonly ConvModule[];
  readonly #multiple: number;

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readHourglassAEConfig(config, where);
    const { out_channels: out, feat_channels: feat, norm_cfg: normCfg, num_stacks: stacks } = cfg;
    const repeat = <T>(length: number, make: () => T): T[] => Array.from({ length }, make);
    const linear = { normCfg, actCfg: null };
    this.#multiple = STEM_STRIDE * 2 ** cfg.downsample_times;
    this.stem = [
      new ConvModule(3, 64, 7, { padding: 3, stride: 2, normCfg }),
      conv3x3(64, 128, normCfg),
      new MaxPool2d(2),
      conv3x3(128, 128, normCfg),
      conv3x3(128, feat, normCfg),
    ];
    this.hourglass_modules = repeat(stacks, () => [
      new HourglassAEModule(cfg.downsample_times, cfg.stage_channels, normCfg),
      conv3x3(feat, feat, normCfg),
      conv3x3(feat, feat, normCfg),
    ]);
    this.out_convs = repeat(stacks, () => new ConvModule(feat, out, 1, { actCfg: null }));
    this.remap_out_convs = repeat(stacks - 1, () => new ConvModule(out, feat, 1, linear));
    this.remap_feature_convs = repeat(stacks - 1, () => new ConvModule(feat, feat, 1, linear));
  }

  override forward(x: Tensor4D): Feats {
    checkInputSize('HourglassAENet', x, this.#multiple);
    return tf.tidy(() => {
      const outs: Tensor4D[] = [];
      let inter = chain(this.stem, x);
      for (const [i, hourglass] of this.hourglass_modules.entries()) {
        const feat = chain(hourglass, inter);
        outs.push(this.out_convs[i].forward(feat));
        if (i < this.hourglass_modules.length - 1) inter = this.#between(i, inter, outs[i], feat);
        feat.dispose();
      }
      return outs;
    });
  }

  /** What stack `i` read, together with what it gave: the input of the next. Disposes `inter`. */
  #between(i: number, inter: Tensor4D, out: Tensor4D, feat: Tensor4D): Tensor4D {
    const next = tf.tidy(() => {
      const withOut = tf.add(inter, this.remap_out_convs[i].forward(out));
      return tf.add<Tensor4D>(withOut, this.remap_feature_convs[i].forward(feat));
    });
    inter.dispose();
    return next;
  }
}

function readHourglassAEConfig(config: Readonly<Record<string, unknown>>, where: string): HourglassAEConfig {
  const cfg = readConfig<HourglassAEConfig>(config, where, SPEC);
  const { downsample_times: times, stage_channels: channels, feat_channels: feat } = cfg;
  checkNumStacks(cfg.num_stacks, where);
  if (!(Number.isInteger(times) && times >= 1) || channels.length <= times) {
    throw new ConfigError(
      `${where}: found downsample_times ${times}, stage_channels [${channels.join(', ')}]; ` +
        'expected a whole number from 1, and more widths than that.',
    );
  }
  if (feat !== channels[0]) {
    throw new ConfigError(
      `${where}.feat_channels: found ${feat}; expected ${channels[0]}, the first of stage_channels.`,
    );
  }
  return cfg;
}
