/**
 * CPM, from MMPose's `backbones/cpm.py` (https://arxiv.org/abs/1602.00134): Convolutional Pose Machines, whose stages refine the heatmaps
 * of the stage before with large kernels.
 */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { ConvModule } from '../../nn/conv_module.js';
import { chain, Module, type Feats, type Layers } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import { MaxPool2d } from '../../nn/pool.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';

interface CPMConfig {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly feat_channels: number;
  readonly middle_channels: number;
  readonly num_stages: number;
  readonly norm_cfg: NormCfg | null;
}

const SPEC = {
  in_channels: REQUIRED,
  out_channels: REQUIRED,
  feat_channels: 128,
  middle_channels: 32,
  num_stages: 6,
  norm_cfg: { type: 'BN' },
};

/** A convolution that keeps height and width. */
function sameConv(inChannels: number, outChannels: number, kernel: number, normCfg: NormCfg | null): ConvModule {
  return new ConvModule(inChannels, outChannels, kernel, { padding: (kernel - 1) / 2, normCfg });
}

/** Three 11 x 11 convolutions. */
class CpmBlock extends Module {
  readonly model: readonly ConvModule[];

  constructor(inChannels: number, channels: number, normCfg: NormCfg | null) {
    super();
    this.model = [inChannels, channels, channels].map((from) => sameConv(from, channels, 11, normCfg));
  }

  override forward(x: Tensor4D): Tensor4D {
    return chain(this.model, x);
  }
}

/** Input [N, H, W, 3], output one map [N, H/8, W/8, out_channels] per stage. */
export class CPM extends Module<Tensor4D, Feats> {
  readonly stem: Layers;
  readonly middle: Layers;
  readonly cpm_stages: readonly CpmBlock[];
  readonly middle_conv: readonly Layers[];
  readonly out_convs: readonly Layers[];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readCPMConfig(config, where);
    const { out_channels: out, feat_channels: feat, middle_channels: middle, norm_cfg: normCfg } = cfg;
    const refining = <T>(make: () => T): T[] => Array.from({ length: cfg.num_stages - 1 }, make);
    const heatmaps = (from: number) => new ConvModule(from, out, 1, { actCfg: null });
    this.stem = [
      ...downsampling(normCfg),
      sameConv(128, 32, 5, normCfg),
      sameConv(32, 512, 9, normCfg),
      sameConv(512, 512, 1, normCfg),
      heatmaps(512),
    ];
    this.middle = downsampling(normCfg);
    this.cpm_stages = refining(() => new CpmBlock(middle + out, feat, normCfg));
    this.middle_conv = refining(() => [sameConv(128, middle, 5, normCfg)]);
    this.out_convs = refining(() => [sameConv(feat, feat, 1, normCfg), heatmaps(feat)]);
  }

  override forward(x: Tensor4D): Feats {
    return tf.tidy(() => {
      const outs = [chain(this.stem, x)];
      const middle = chain(this.middle, x);
      for (const [i, stage] of this.cpm_stages.entries()) {
        const out = tf.tidy(() => {
          const input = tf.concat([outs[i], chain(this.middle_conv[i], middle)], 3);
          return chain([stage, this.out_convs[i]], input);
        });
        outs.push(out);
      }
      return outs;
    });
  }
}

/** [N, H, W, 3] -> [N, H/8, W/8, 128]. */
function downsampling(normCfg: NormCfg | null): Module[] {
  return [3, 128, 128].flatMap((from) => [
    sameConv(from, 128, 9, normCfg),
    new MaxPool2d(3, { stride: 2, padding: 1 }),
  ]);
}

function readCPMConfig(config: Readonly<Record<string, unknown>>, where: string): CPMConfig {
  const cfg = readConfig<CPMConfig>(config, where, SPEC);
  if (cfg.in_channels !== 3) {
    throw new ConfigError(`${where}.in_channels: found ${JSON.stringify(cfg.in_channels)}; expected 3.`);
  }
  if (!(Number.isInteger(cfg.num_stages) && cfg.num_stages >= 1)) {
    throw new ConfigError(
      `${where}.num_stages: found ${JSON.stringify(cfg.num_stages)}; expected a whole number from 1.`,
    );
  }
  return cfg;
}
