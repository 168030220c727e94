/** The pyramid that CSPNeXtPAFPN and YOLOXPAFPN share: coarse maps to fine ones and back, joined by cross-stage-partial layers. */
import { readConfig, REQUIRED } from '../../config.js';
import { InputError } from '../../errors.js';
import { ConvModule } from '../../nn/conv_module.js';
import { Module, type Feats } from '../../nn/module.js';
import { readResizeMode, Upsample } from '../../nn/resize.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import { convOf, CSPLayer, type CSPLayerOptions, type CspCfg } from '../utils/csp_layer.js';

export interface CspPafpnOptions extends CspCfg {
  /** Of the input maps, finest first. */
  readonly widths: readonly number[];
  readonly useDepthwise: boolean;
  readonly layers: Pick<CSPLayerOptions, 'numBlocks' | 'expandRatio' | 'useCspnextBlock'>;
  readonly upsample: Upsample;
  /** Name of the neck, for messages. */
  readonly name: string;
}

/** Feature maps of `widths`, finest first, to maps of the same sizes and widths. */
export class CspPafpn extends Module<Feats, Feats> {
  /** Top-down, coarsest first. */
  readonly reduce_layers: readonly ConvModule[];
  readonly top_down_blocks: readonly CSPLayer[];
  /** Bottom-up, finest first. */
  readonly downsamples: readonly Module[];
  readonly bottom_up_blocks: readonly CSPLayer[];
  readonly #upsample: Upsample;
  readonly #name: string;

  constructor({ widths, useDepthwise, layers, upsample, name, normCfg, actCfg }: CspPafpnOptions) {
    super();
    const common = { normCfg, actCfg };
    const layer = (inChannels: number, outChannels: number) =>
      new CSPLayer(inChannels, outChannels, { ...common, ...layers, addIdentity: false, useDepthwise });
    const coarseToFine = widths
      .slice(1)
      .map((width, i) => [width, widths[i]] as const)
      .toReversed();
    this.#upsample = upsample;
    this.#name = name;
    this.reduce_layers = coarseToFine.map(([from, to]) => new ConvModule(from, to, 1, common));
    this.top_down_blocks = coarseToFine.map(([, to]) => layer(to * 2, to));
    const finer = widths.slice(0, -1);
    this.downsamples = finer.map((width) => convOf(useDepthwise, width, width, { stride: 2, padding: 1, ...common }));
    this.bottom_up_blocks = finer.map((width, i) => layer(width * 2, widths[i + 1]));
  }

  override forward(feats: Feats): Feats {
    if (feats.length !== this.downsamples.length + 1) {
      throw new InputError(
        `${this.#name}: found ${feats.length} feature maps; expected ${this.downsamples.length + 1}, one per entry of in_channels.`,
      );
    }
    return tf.tidy(() => {
      const inner = this.#topDown(feats);
      const outs = [inner[0]];
      for (const [i, downsample] of this.downsamples.entries()) {
        const join = () => tf.concat([downsample.forward(outs[i]), inner[i + 1]], 3);
        outs.push(tf.tidy(() => this.bottom_up_blocks[i].forward(join())));
      }
      return this.select(outs);
    });
  }

  /** What the neck gives of its maps, finest first; in the tidy of `forward`. */
  protected select(outs: Tensor4D[]): Tensor4D[] {
    return outs;
  }

  /** Maps finest first; all but the finest are as wide as the next finer input. */
  #topDown(feats: Feats): Tensor4D[] {
    const inner = [feats[feats.length - 1]];
    for (const [i, reduce] of this.reduce_layers.entries()) {
      const high = reduce.forward(inner[0]);
      const low = feats[feats.length - 2 - i];
      inner[0] = high;
      inner.unshift(tf.tidy(() => this.top_down_blocks[i].forward(tf.concat([this.#upsample.forward(high), low], 3))));
    }
    return inner;
  }
}

/** `upsample_cfg` of a config. */
export function readUpsample(config: Readonly<Record<string, unknown>>, where: string): Upsample {
  const cfg = readConfig<{ scale_factor: number; mode: unknown; align_corners: boolean | null }>(config, where, {
    ...{ scale_factor: REQUIRED, mode: 'nearest', align_corners: null },
  });
  const mode = readResizeMode(cfg.mode, `${where}.mode`);
  return new Upsample(cfg.scale_factor, { mode, alignCorners: cfg.align_corners ?? false });
}
