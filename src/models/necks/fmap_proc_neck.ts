/** From MMPose's `necks/fmap_proc_neck.py`. */
import { readConfig } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import { Module, type Feats } from '../../nn/module.js';
import { resize, resizeBy } from '../../nn/resize.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';

interface FeatureMapProcessorConfig {
  readonly select_index: number | readonly number[] | null;
  readonly concat: boolean;
  readonly scale_factor: number;
  readonly apply_relu: boolean;
  readonly align_corners: boolean | null;
}

/**
 * Selects feature maps, joins them along the channels (resized to the first one's size), applies ReLU and rescales, each step as
 * the config asks.
 */
export class FeatureMapProcessor extends Module<Feats, Feats> {
  readonly #config: FeatureMapProcessorConfig;
  readonly #selectIndex: readonly number[] | null;
  readonly #bilinear: { mode: 'bilinear'; alignCorners: boolean };

  constructor(config: Readonly<Record<string, unknown>>, where = 'neck') {
    super();
    this.#config = readConfig<FeatureMapProcessorConfig>(config, where, {
      select_index: null,
      concat: false,
      scale_factor: 1,
      apply_relu: false,
      align_corners: false,
    });
    const { select_index: select, scale_factor: factor, align_corners: alignCorners } = this.#config;
    if (!(factor > 0)) {
      throw new ConfigError(`${where}.scale_factor: found ${factor}; expected a positive number.`);
    }
    this.#selectIndex = typeof select === 'number' ? [select] : select;
    this.#bilinear = { mode: 'bilinear', alignCorners: alignCorners ?? false };
  }

  override forward(feats: Feats): Feats {
    const { concat, apply_relu: applyRelu, scale_factor: factor } = this.#config;
    return tf.tidy(() => {
      let maps = this.#select(feats);
      if (concat) maps = [this.#concat(maps)];
      if (applyRelu) maps = maps.map((map) => tf.relu(map));
      if (factor !== 1) maps = maps.map((map) => resizeBy(map, factor, this.#bilinear));
      // A map that passes unchanged is given as a tensor of its own: the caller owns what a module returns.
      return maps.map((map) => (feats.includes(map) ? tf.clone(map) : map));
    });
  }

  /** Negative indices count from the end, as in Python. */
  #select(feats: Feats): Tensor4D[] {
    if (!this.#selectIndex) return [...feats];
    return this.#selectIndex.map((index) => {
      const map = feats.at(index);
      if (!map) {
        throw new InputError(
          `FeatureMapProcessor.select_index: found ${index}; the backbone gives ${feats.length} feature maps.`,
        );
      }
      return map;
    });
  }

  #concat(maps: readonly Tensor4D[]): Tensor4D {
    const [, h, w] = maps[0].shape;
    const sized = maps.map((map) => resize(map, [h, w], this.#bilinear));
    return sized.length === 1 ? sized[0] : tf.concat(sized, 3);
  }
}
