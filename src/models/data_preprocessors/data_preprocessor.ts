/**
 * From uint8 pictures to the network's float32 batch (MMPose: `mmpose/models/data_preprocessors/data_preprocessor.py`, on top of
 * MMEngine's `ImgDataPreprocessor`): channel order, mean and std, padding to a common size. Plain arrays on the CPU.
 */
import { readConfig, type ConfigDict } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import { sizeOf, type NdArray } from '../../ndarray.js';

/** A picture or crop, [h, w, 3] (or [h, w, 1]), 0..255. */
export type Uint8Image = NdArray<Uint8Array> | NdArray<Uint8ClampedArray>;

/** The network's input and what each picture was padded to. */
export interface PreprocessedBatch {
  /** [N, H, W, C], normalised. */
  readonly inputs: NdArray;
  readonly metainfo: readonly PadMetainfo[];
}

export interface PadMetainfo {
  /** Size of the batch, px. */
  readonly batchInputShape: readonly [h: number, w: number];
  /** Size of this picture rounded up to `pad_size_divisor`, px. */
  readonly padShape: readonly [h: number, w: number];
}

interface PreprocessorConfig {
  readonly mean: readonly number[] | null;
  readonly std: readonly number[] | null;
  readonly pad_size_divisor: number;
  readonly pad_value: number;
  readonly bgr_to_rgb: boolean;
  readonly rgb_to_bgr: boolean;
}

const SPEC = {
  mean: null,
  std: null,
  pad_size_divisor: 1,
  pad_value: 0,
  bgr_to_rgb: false,
  rgb_to_bgr: false,
  // Accepted and without effect here: a matter of CUDA copies, and of training.
  non_blocking: false,
  batch_augments: null,
};

/**
 * MMPose's `PoseDataPreprocessor`. MMPose's pictures are BGR, so a conversion in the config (`bgr_to_rgb`, and `rgb_to_bgr`
 * which does the same swap) means that the network wants RGB, and none that it wants BGR.
 */
export class PoseDataPreprocessor {
  /** Order of the network's channels. */
  readonly channelOrder: 'rgb' | 'bgr';
  readonly mean: readonly number[] | null;
  readonly std: readonly number[] | null;
  readonly padSizeDivisor: number;
  readonly padValue: number;
  /** Normalised value of each byte, [256] per channel of the network; one for all channels where mean and std are single. */
  readonly byteTables: readonly Float32Array[];

  constructor(config: ConfigDict | Record<string, unknown> = {}, where = 'model.data_preprocessor') {
    const cfg = readConfig<PreprocessorConfig>(config, where, SPEC);
    checkConfig(cfg, where);
    this.channelOrder = cfg.bgr_to_rgb || cfg.rgb_to_bgr ? 'rgb' : 'bgr';
    this.mean = cfg.mean;
    this.std = cfg.std;
    this.padSizeDivisor = cfg.pad_size_divisor;
    this.padValue = cfg.pad_value;
    const channels = cfg.mean?.length ?? 1;
    this.byteTables = Array.from({ length: channels }, (_, c) => byteTable(cfg.mean?.[c], cfg.std?.[c]));
  }

  /**
   * Normalises pictures and pads them at the right and bottom to one size.
   *
   * @param images - one or more, sizes may differ
   * @param channelOrder - of the pictures; a browser's are RGB
   * @throws InputError for an empty batch or a channel count that does not fit mean and std
   */
  forward(images: readonly Uint8Image[], channelOrder: 'rgb' | 'bgr' = 'rgb'): PreprocessedBatch {
    const channels = this.#checkImages(images);
    const padShapes = images.map(({ shape: [h, w] }) => [this.#roundUp(h), this.#roundUp(w)] as const);
    const height = Math.max(...padShapes.map(([h]) => h));
    const width = Math.max(...padShapes.map(([, w]) => w));
    const shape = [images.length, height, width, channels];
    const data = new Float32Array(sizeOf(shape));
    const swap = channels === 3 && channelOrder !== this.channelOrder;
    for (const [n, image] of images.entries()) {
      const target = data.subarray(n * height * width * channels, (n + 1) * height * width * channels);
      if (image.shape[0] < height || image.shape[1] < width) target.fill(this.padValue);
      this.#normalizeInto(target, width, image, swap);
    }
    const batchInputShape = [height, width] as const;
    return { inputs: { data, shape }, metainfo: padShapes.map((padShape) => ({ batchInputShape, padShape })) };
  }

  #normalizeInto(target: Float32Array, width: number, image: Uint8Image, swap: boolean): void {
    const [h, w, channels] = image.shape;
    const tables = this.byteTables;
    for (let c = 0; c < channels; c++) {
      const table = tables[tables.length === 1 ? 0 : c];
      const source = swap ? channels - 1 - c : c;
      for (let y = 0; y < h; y++) {
        let from = y * w * channels + source;
        let to = y * width * channels + c;
        for (let x = 0; x < w; x++, from += channels, to += channels) target[to] = table[image.data[from]];
      }
    }
  }

  #checkImages(images: readonly Uint8Image[]): number {
    if (images.length === 0) throw new InputError('PoseDataPreprocessor: found no pictures; expected at least one.');
    const channels = images[0].shape[2];
    for (const { shape } of images) {
      const fits =
        shape.length === 3 && sizeOf(shape) > 0 && shape[2] === channels && (channels === 3 || channels === 1);
      if (!fits || (this.mean?.length === 3 && channels !== 3)) {
        throw new InputError(
          `PoseDataPreprocessor: found a picture of shape [${shape}]; expected [h, w, ${this.mean?.length === 1 ? '1 or 3' : 3}], alike for all.`,
        );
      }
    }
    return channels;
  }

  /** Size of the batch for pictures of one size, px. */
  paddedSize([w, h]: readonly [w: number, h: number]): [w: number, h: number] {
    return [this.#roundUp(w), this.#roundUp(h)];
  }

  #roundUp(size: number): number {
    return Math.ceil(size / this.padSizeDivisor) * this.padSizeDivisor;
  }
}

/** (x - mean) / std for each byte, rounded to float32 at both steps as PyTorch does; without a mean, the byte itself. */
function byteTable(mean: number | undefined, std: number | undefined): Float32Array {
  const table = new Float32Array(256);
  if (mean === undefined || std === undefined) return table.map((_, x) => x);
  const [m, s] = [Math.fround(mean), Math.fround(std)];
  return table.map((_, x) => Math.fround(x - m) / s);
}

function checkConfig(cfg: PreprocessorConfig, where: string): void {
  const { mean, std } = cfg;
  const fail = (key: string, expected: string): never => {
    const found = JSON.stringify(cfg[key as keyof PreprocessorConfig]);
    throw new ConfigError(`${where}.${key}: found ${found}; expected ${expected}.`);
  };
  if ((mean === null) !== (std === null)) fail('std', 'mean and std both or neither');
  for (const [key, list] of Object.entries({ mean, std })) {
    if (list === null) continue;
    const ok = Array.isArray(list) && (list.length === 1 || list.length === 3) && list.every(Number.isFinite);
    if (!ok) fail(key, 'a list of 1 or 3 numbers');
  }
  if (mean && std && mean.length !== std.length) fail('std', `${mean.length} numbers, as many as mean`);
  if (cfg.bgr_to_rgb && cfg.rgb_to_bgr) fail('rgb_to_bgr', 'only one of bgr_to_rgb and rgb_to_bgr to be true');
  if (!Number.isInteger(cfg.pad_size_divisor) || cfg.pad_size_divisor < 1)
    fail('pad_size_divisor', 'a whole number from 1');
}

/** MMDetection's `DetDataPreprocessor`: the same for pictures; its other keys concern masks and training. */
export class DetDataPreprocessor extends PoseDataPreprocessor {
  constructor(config: ConfigDict | Record<string, unknown> = {}, where = 'model.data_preprocessor') {
    const { pad_mask: _m, mask_pad_value: _v, pad_seg: _s, seg_pad_value: _w, boxtype2tensor: _b, ...own } = config;
    super(own, where);
  }
}
