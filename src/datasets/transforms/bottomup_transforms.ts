/** Whole pictures for bottom-up models (MMPose: `mmpose/datasets/transforms/bottomup_transforms.py`). */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import { ndarray, zeros, type NdArray } from '../../ndarray.js';
import {
  bboxClipBorder,
  bboxCorner2xyxy,
  bboxXyxy2corner,
  getPersWarpMatrix,
  getUdpWarpMatrix,
  getWarpMatrix,
  transformPoints,
} from '../../structures/bbox/transforms.js';
import { keypointClipBorder } from '../../structures/keypoint/transforms.js';
import {
  checkSize,
  requireField,
  type RandomSource,
  type Transform,
  type TransformContext,
  type TransformResults,
} from './base.js';
import { truncNorm, uniform } from './random.js';
import { warpAffine, warpPerspective, type PixelImage } from './warp_affine.js';

type Config = Readonly<Record<string, unknown>>;
type Size = readonly [w: number, h: number];

function singleImage(results: TransformResults, where: string): PixelImage {
  const img = requireField(results, 'img', where);
  if (Array.isArray(img)) throw new InputError(`${where}: found a list of pictures; expected one.`);
  return img as PixelImage;
}

function imageLike(source: PixelImage, data: Uint8Array, [width, height]: Size): PixelImage {
  return { data, width, height, channels: source.channels === 1 ? 1 : 3 };
}

interface ResizeConfig {
  input_size: unknown;
  aug_scales: readonly number[] | null;
  size_factor: number;
  resize_mode: 'fit' | 'expand';
  pad_val: readonly number[];
  use_udp: boolean;
}

/** Size of the picture inside the input, and of the input itself; the former may be fractional. */
interface ResizedTo {
  readonly actual: Size;
  readonly padded: Size;
}

/**
 * Resizes a picture into (`fit`) or over (`expand`) the input size, padded to a multiple of `size_factor`; with `aug_scales`
 * into further sizes. Sets img, imgShape, inputCenter, inputScale, inputSize of the first.
 */
export class BottomupResize implements Transform {
  readonly inputSize: Size;
  /** RGB of the margins. */
  readonly padVal: readonly [number, number, number];
  readonly #config: ResizeConfig;

  constructor(config: Config) {
    this.#config = readConfig<ResizeConfig>(config, 'BottomupResize', {
      input_size: REQUIRED,
      aug_scales: null,
      size_factor: 32,
      resize_mode: 'fit',
      pad_val: [0, 0, 0],
      use_udp: false,
    });
    this.inputSize = checkSize(this.#config.input_size, 'BottomupResize.input_size');
    const [r, g = r, b = r] = this.#config.pad_val;
    this.padVal = [r, g, b];
    if (!['fit', 'expand'].includes(this.#config.resize_mode)) {
      throw new ConfigError(
        `BottomupResize.resize_mode: found "${this.#config.resize_mode}"; expected "fit" or "expand".`,
      );
    }
  }

  transform(results: TransformResults): TransformResults {
    const image = singleImage(results, 'BottomupResize');
    const size: Size = results.oriShape ? [results.oriShape[1], results.oriShape[0]] : [image.width, image.height];
    const [w, h] = this.inputSize;
    const scales = this.#config.aug_scales ?? [];
    const sizes: Size[] = [[w, h], ...scales.map((s): Size => [Math.trunc(w * s), Math.trunc(h * s)])];
    const steps = sizes.map((input) => this.#step(size, input));
    const images = steps.map(({ matrix, padded }) =>
      imageLike(image, warpAffine(image, matrix, padded, { borderValue: this.#config.pad_val }), padded),
    );
    return { ...results, img: scales.length > 0 ? images : images[0], ...placeOf(steps[0]) };
  }

  /** All but the picture itself that `transform` gives for a picture of this size, [w, h] px. */
  place(size: Size): ReturnType<typeof placeOf> {
    return placeOf(this.#step(size, this.inputSize));
  }

  #step([imgW, imgH]: Size, input: Size) {
    const { actual, padded } = this.#sizes(imgW / imgH, input);
    if (this.#config.use_udp) {
      const center = Float32Array.of((imgW - 1) / 2, (imgH - 1) / 2);
      const scale = Float32Array.of(imgW, imgH);
      return { center, scale, padded, matrix: getUdpWarpMatrix(center, scale, 0, actual) };
    }
    const center = Float32Array.of(imgW / 2, imgH / 2);
    const scale = Float32Array.of((imgW * padded[0]) / actual[0], (imgH * padded[1]) / actual[1]);
    return { center, scale, padded, matrix: getWarpMatrix(center, scale, 0, padded) };
  }

  #sizes(ratio: number, input: Size): ResizedTo {
    const { size_factor: factor, resize_mode: mode } = this.#config;
    const [w, h] = ceilToMultiple(input, factor);
    if (mode === 'expand') {
      const actual: Size = [Math.max(w, h * ratio), Math.max(h, w / ratio)];
      return { actual, padded: ceilToMultiple(actual, factor) };
    }
    if (w !== input[0] || h !== input[1]) {
      throw new ConfigError(
        `BottomupResize.input_size: found ${input.join(' x ')}; expected multiples of ${factor} at all scales with "fit".`,
      );
    }
    return { actual: [Math.min(w, h * ratio), Math.min(h, w / ratio)], padded: [w, h] };
  }
}

interface ResizeStep {
  readonly center: Float32Array;
  readonly scale: Float32Array;
  readonly padded: Size;
  readonly matrix: Float64Array;
}

/** Where a resized picture lies. */
function placeOf({ center, scale, padded, matrix }: ResizeStep) {
  return {
    imgShape: [padded[1], padded[0]] as const,
    inputCenter: ndarray(center, [2]),
    inputScale: ndarray(scale, [2]),
    inputSize: padded,
    warpMat: matrix,
  };
}

function ceilToMultiple([w, h]: Size, base: number): Size {
  return [Math.ceil(w / base) * base, Math.ceil(h / base) * base];
}

interface RandomAffineConfig {
  input_size: unknown;
  shift_factor: number;
  shift_prob: number;
  scale_factor: readonly [min: number, max: number];
  scale_prob: number;
  scale_type: 'long' | 'short';
  rotate_factor: number;
  rotate_prob: number;
  shear_factor: number;
  shear_prob: number;
  use_udp: boolean;
  pad_val: number | readonly number[];
  distribution: 'trunc_norm' | 'uniform';
  transform_mode: 'affine' | 'affine_udp' | 'perspective';
  bbox_keep_corner: boolean;
  clip_border: boolean;
}

interface RandomAffineParams {
  readonly offset: readonly [number, number];
  readonly scale: number;
  readonly rotate: number;
  readonly shear: readonly [number, number];
}

/**
 * Shifts, resizes, turns (and, with `perspective`, shears) a picture with its keypoints, boxes and areas. Boxes become their
 * four corners [N, 4, 2] unless `bbox_keep_corner` is false.
 */
export class BottomupRandomAffine implements Transform {
  readonly inputSize: Size;
  readonly #config: RandomAffineConfig;
  readonly #random: RandomSource;

  constructor(config: Config, context: TransformContext = {}) {
    this.#config = readConfig<RandomAffineConfig>(config, 'BottomupRandomAffine', {
      input_size: REQUIRED,
      shift_factor: 0.2,
      shift_prob: 1,
      scale_factor: [0.75, 1.5],
      scale_prob: 1,
      scale_type: 'short',
      rotate_factor: 30,
      rotate_prob: 1,
      shear_factor: 2,
      shear_prob: 1,
      use_udp: false,
      pad_val: 0,
      border: [0, 0],
      distribution: 'trunc_norm',
      transform_mode: 'affine',
      bbox_keep_corner: true,
      clip_border: false,
    });
    this.inputSize = checkSize(this.#config.input_size, 'BottomupRandomAffine.input_size');
    checkChoice('transform_mode', this.#config.transform_mode, ['affine', 'affine_udp', 'perspective']);
    checkChoice('distribution', this.#config.distribution, ['trunc_norm', 'uniform']);
    checkChoice('scale_type', this.#config.scale_type, ['long', 'short']);
    this.#random = context.random ?? Math.random;
  }

  transform(results: TransformResults): TransformResults {
    const image = singleImage(results, 'BottomupRandomAffine');
    const matrix = this.#matrix([image.width, image.height], this.#draw());
    const pad = this.#config.pad_val;
    const borderValue = typeof pad === 'number' ? [pad, pad, pad] : pad;
    const warp = matrix.length === 9 ? warpPerspective : warpAffine;
    return {
      ...results,
      ...this.#annotations(results, matrix),
      img: imageLike(image, warp(image, matrix, this.inputSize, { borderValue }), this.inputSize),
      inputSize: this.inputSize,
      warpMat: matrix,
    };
  }

  #draw(): RandomAffineParams {
    const config = this.#config;
    const draw = (): number =>
      config.distribution === 'uniform' ? uniform(this.#random, -1, 1) : truncNorm(this.#random);
    const happens = (probability: number): boolean => this.#random() < probability;
    const pair = (factor: number): readonly [number, number] => [draw() * factor, draw() * factor];
    const [low, high] = config.scale_factor;
    const offset = happens(config.shift_prob) ? pair(config.shift_factor) : ([0, 0] as const);
    const scale = happens(config.scale_prob) ? low + ((high - low) * (draw() + 1)) / 2 : 1;
    const rotate = happens(config.rotate_prob) ? draw() * config.rotate_factor : 0;
    const shears = config.transform_mode === 'perspective' && happens(config.shear_prob);
    return { offset, scale, rotate, shear: shears ? pair(config.shear_factor) : [0, 0] };
  }

  /** 2x3, or 3x3 for a perspective. */
  #matrix([imgW, imgH]: Size, { offset, scale, rotate, shear }: RandomAffineParams): Float64Array {
    const [w, h] = this.inputSize;
    const { transform_mode: mode } = this.#config;
    if (mode === 'perspective') {
      const shift = [offset[0] * w, offset[1] * h];
      return Float64Array.from(getPersWarpMatrix([w / 2, h / 2], shift, scale, rotate, shear).data);
    }
    const udp = mode === 'affine_udp';
    const middle = udp ? [(imgW - 1) / 2, (imgH - 1) / 2] : [imgW / 2, imgH / 2];
    const center = [middle[0] + offset[0] * imgW, middle[1] + offset[1] * imgH];
    const size = this.#fixAspectRatio([scale * imgW, scale * imgH], w / h);
    return (udp ? getUdpWarpMatrix : getWarpMatrix)(center, size, rotate, [w, h]);
  }

  #fixAspectRatio([w, h]: Size, ratio: number): Size {
    const isWide = w > h * ratio;
    const keepsWidth = isWide === (this.#config.scale_type === 'long');
    return keepsWidth ? [w, w / ratio] : [h * ratio, h];
  }

  #annotations(results: TransformResults, matrix: Float64Array): Partial<TransformResults> {
    const { keypoints, keypointsVisible, bbox, area } = results;
    const { clip_border: clips, bbox_keep_corner: keepsCorners } = this.#config;
    const out: Partial<TransformResults> = {};
    if (keypoints) {
      out.keypoints = project(keypoints, matrix);
      if (clips && keypointsVisible) {
        Object.assign(out, keypointClipBorder(out.keypoints, keypointsVisible, this.inputSize));
      }
    }
    if (bbox) {
      const corners = project(bboxXyxy2corner(bbox), matrix);
      const box = keepsCorners ? corners : bboxCorner2xyxy(corners);
      out.bbox = clips ? bboxClipBorder(box, this.inputSize) : box;
    }
    if (area) out.area = { data: area.data.map((a) => a * determinant(matrix)), shape: area.shape };
    return out;
  }
}

function checkChoice(key: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  throw new ConfigError(`BottomupRandomAffine.${key}: found "${value}"; expected ${choices.join(', ')}.`);
}

/** Points through a 2x3 or 3x3 matrix. */
function project(points: NdArray, matrix: Float64Array): NdArray {
  if (matrix.length === 6) return transformPoints(points, matrix);
  const out = zeros(points.shape);
  for (let i = 0; i < points.data.length; i += 2) {
    const [x, y] = [points.data[i], points.data[i + 1]];
    const depth = matrix[6] * x + matrix[7] * y + matrix[8];
    out.data[i] = (matrix[0] * x + matrix[1] * y + matrix[2]) / depth;
    out.data[i + 1] = (matrix[3] * x + matrix[4] * y + matrix[5]) / depth;
  }
  return out;
}

/** Growth of areas. */
function determinant(m: Float64Array): number {
  if (m.length === 6) return m[0] * m[4] - m[1] * m[3];
  return m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6]);
}
