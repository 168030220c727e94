/** HourglassNet, from MMPose's `backbones/hourglass.py` (https://arxiv.org/abs/1603.06937): U-shaped networks, one after the other. */
import { readConfig } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import { ConvModule } from '../../nn/conv_module.js';
import { chain, Module, type Feats, type Layers } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import { resizeBy } from '../../nn/resize.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import { BasicBlock, resLayer, type ResLayerOptions } from './resnet.js';

interface HourglassConfig {
  readonly downsample_times: number;
  readonly num_stacks: number;
  readonly stage_channels: readonly number[];
  readonly stage_blocks: readonly number[];
  readonly feat_channel: number;
  readonly norm_cfg: NormCfg;
}

const SPEC = {
  downsample_times: 5,
  num_stacks: 2,
  stage_channels: [256, 256, 384, 384, 384, 512],
  stage_blocks: [2, 2, 2, 2, 2, 4],
  feat_channel: 256,
  norm_cfg: { type: 'BN' },
};

/** The stem divides the resolution by this. */
export const STEM_STRIDE = 4;

/** MMPose hands no norm_cfg to the modules of the stacks. */
export const DEFAULT_NORM: NormCfg = { type: 'BN' };

const blocks = (options: Omit<ResLayerOptions, 'expansion'>): Module[] =>
  resLayer((...args) => new BasicBlock(...args), { expansion: 1, ...options });

/** One level, with the lower ones inside: half resolution and back, added to a branch at full resolution. */
class HourglassModule extends Module {
  readonly up1: Layers;
  readonly low1: Layers;
  readonly low2: Module | Layers;
  readonly low3: Layers;

  constructor(
    depth: number,
    [channels, ...deeper]: readonly number[],
    [numBlocks, ...deeperBlocks]: readonly number[],
  ) {
    super();
    const [next] = deeper;
    const common = { numBlocks, normCfg: DEFAULT_NORM };
    this.up1 = blocks({ ...common, inChannels: channels, outChannels: channels });
    this.low1 = blocks({ ...common, inChannels: channels, outChannels: next, stride: 2 });
    this.low2 =
      depth > 1
        ? new HourglassModule(depth - 1, deeper, deeperBlocks)
        : blocks({ numBlocks: deeperBlocks[0], inChannels: next, outChannels: next, normCfg: DEFAULT_NORM });
    this.low3 = blocks({ ...common, inChannels: next, outChannels: channels, downsampleFirst: false });
  }

  override forward(x: Tensor4D): Tensor4D {
    const low = chain([this.low1, this.low2, this.low3, (y) => resizeBy(y, 2)], x);
    return tf.add(chain(this.up1, x), low);
  }
}

/** Input [N, H, W, 3], output one map [N, H/4, W/4, feat_channel] per stack. H and W are multiples of 4 * 2^downsample_times. */
export class HourglassNet extends Module<Tensor4D, Feats> {
  readonly stem: Layers;
  readonly hourglass_modules: readonly HourglassModule[];
  readonly inters: Layers;
  readonly conv1x1s: readonly ConvModule[];
  readonly out_convs: readonly ConvModule[];
  readonly remap_convs: readonly ConvModule[];
  readonly #multiple: number;

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readHourglassConfig(config, where);
    const { stage_channels: channels, feat_channel: feat, norm_cfg: normCfg, num_stacks: stacks } = cfg;
    const [width] = channels;
    const repeat = <T>(length: number, make: () => T): T[] => Array.from({ length }, make);
    const linear = { normCfg, actCfg: null };
    this.#multiple = STEM_STRIDE * 2 ** cfg.downsample_times;
    this.stem = [
      new ConvModule(3, 128, 7, { padding: 3, stride: 2, normCfg }),
      blocks({ numBlocks: 1, inChannels: 128, outChannels: 256, stride: 2, normCfg }),
    ];
    this.hourglass_modules = repeat(
      stacks,
      () => new HourglassModule(cfg.downsample_times, channels, cfg.stage_blocks),
    );
    // One block at least, which a single stack has without using it.
    this.inters = blocks({ numBlocks: stacks - 1, inChannels: width, outChannels: width, normCfg });
    this.conv1x1s = repeat(stacks - 1, () => new ConvModule(width, width, 1, linear));
    this.out_convs = repeat(stacks, () => new ConvModule(width, feat, 3, { padding: 1, normCfg }));
    this.remap_convs = repeat(stacks - 1, () => new ConvModule(feat, width, 1, linear));
  }

  override forward(x: Tensor4D): Feats {
    checkInputSize('HourglassNet', x, this.#multiple);
    return tf.tidy(() => {
      const outs: Tensor4D[] = [];
      let inter = chain(this.stem, x);
      for (const [i, hourglass] of this.hourglass_modules.entries()) {
        const out = chain([hourglass, this.out_convs[i]], inter);
        outs.push(out);
        if (i < this.hourglass_modules.length - 1) inter = this.#between(i, inter, out);
      }
      return outs;
    });
  }

  /** What stack `i` read, together with what it gave: the input of the next. Disposes `inter`. */
  #between(i: number, inter: Tensor4D, out: Tensor4D): Tensor4D {
    const next = tf.tidy(() => {
      const sum = tf.add(this.conv1x1s[i].forward(inter), this.remap_convs[i].forward(out));
      return chain([this.inters[i]], tf.relu(sum) as Tensor4D);
    });
    inter.dispose();
    return next;
  }
}

/** @throws InputError unless both sides of x [N, H, W, C] are multiples of `multiple` */
export function checkInputSize(what: string, { shape: [, h, w] }: Tensor4D, multiple: number): void {
  if (h % multiple === 0 && w % multiple === 0) return;
  throw new InputError(
    `${what}: found an input of ${w} x ${h}; expected multiples of ${multiple}, which can be halved and doubled again.`,
  );
}

/** @throws ConfigError unless it is a whole number from 1 */
export function checkNumStacks(stacks: number, where: string): void {
  if (Number.isInteger(stacks) && stacks >= 1) return;
  throw new ConfigError(`${where}.num_stacks: found ${JSON.stringify(stacks)}; expected a whole number from 1.`);
}

function readHourglassConfig(config: Readonly<Record<string, unknown>>, where: string): HourglassConfig {
  const cfg = readConfig<HourglassConfig>(config, where, SPEC);
  const { downsample_times: times, num_stacks: stacks, stage_channels: channels, stage_blocks: counts } = cfg;
  checkNumStacks(stacks, where);
  if (!(Number.isInteger(times) && times >= 1) || channels.length !== counts.length || channels.length <= times) {
    throw new ConfigError(
      `${where}: found downsample_times ${times}, stage_channels [${channels.join(', ')}], stage_blocks [${counts.join(', ')}]; ` +
        'expected one width and one number of blocks per level, of which there are more than downsample_times.',
    );
  }
  return cfg;
}
