/**
 * The few checks and steps that all codecs share.
 */
import { ConfigError, InputError } from '../../errors.js';
import { type NdArray, full } from '../../ndarray.js';

/** `[w, h]`, as in MMPose. */
export type Size = readonly [w: number, h: number];

/**
 * Checks a size of a config.
 *
 * @throws ConfigError unless `value` is two positive numbers
 */
export function readSize(value: unknown, where: string): Size {
  const ok = Array.isArray(value) && value.length === 2 && value.every((n) => Number.isFinite(n) && n > 0);
  if (!ok) {
    throw new ConfigError(
      `${where}: found ${JSON.stringify(value)}; expected [width, height] in pixels, both positive.`,
    );
  }
  return [value[0], value[1]];
}

/**
 * Checks a number of a config.
 *
 * @throws ConfigError unless `value` is a positive finite number
 */
export function readPositive(value: unknown, where: string): number {
  if (typeof value !== 'number' || !(value > 0) || !Number.isFinite(value)) {
    throw new ConfigError(`${where}: found ${JSON.stringify(value)}; expected a positive number.`);
  }
  return value;
}

/**
 * Checks a word of a config.
 *
 * @throws ConfigError unless `value` is one of `choices`
 */
export function readChoice<T extends string>(value: unknown, choices: readonly T[], where: string): T {
  if (!choices.includes(value as T)) {
    throw new ConfigError(
      `${where}: found ${JSON.stringify(value)}; expected ${choices.map((c) => `"${c}"`).join(' or ')}.`,
    );
  }
  return value as T;
}

/** The given visibility, or all 1 for `keypoints` [N, K, D]. */
export function visibleOrOnes(keypoints: NdArray, keypointsVisible?: NdArray): NdArray {
  return keypointsVisible ?? full(keypoints.shape.slice(0, 2), 1);
}

/**
 * Single-instance codecs draw one map per keypoint.
 *
 * @throws InputError when `keypoints` [N, K, D] holds more or less than one instance
 */
export function requireOneInstance(keypoints: NdArray, where: string): void {
  if (keypoints.shape[0] !== 1) {
    throw new InputError(
      `${where}.encode: found ${keypoints.shape[0]} instances; expected 1, encode the instances one at a time.`,
    );
  }
}

/** Divides x and y of [..., 2] by float32 factors, in float32; a new array. */
export function divideXy(points: NdArray, factor: Size): NdArray {
  const out = new Float32Array(points.data.length);
  for (let i = 0; i < out.length; i += 2) {
    out[i] = points.data[i] / factor[0];
    out[i + 1] = points.data[i + 1] / factor[1];
  }
  return { data: out, shape: points.shape };
}

/** Multiplies x and y of [..., 2] by float32 factors, in float32, in place. */
export function scaleXy(points: NdArray, factor: Size): NdArray {
  for (let i = 0; i < points.data.length; i += 2) {
    points.data[i] *= factor[0];
    points.data[i + 1] *= factor[1];
  }
  return points;
}

/** Input pixels per map pixel, float32 as in MMPose. */
export function scaleFactor(inputSize: Size, heatmapSize: Size): Size {
  return [Math.fround(inputSize[0] / heatmapSize[0]), Math.fround(inputSize[1] / heatmapSize[1])];
}

/** UDP counts intervals, not pixels: `(input - 1) / (map - 1)`, float32. */
export function udpScaleFactor(inputSize: Size, heatmapSize: Size): Size {
  return scaleFactor([inputSize[0] - 1, inputSize[1] - 1], [heatmapSize[0] - 1, heatmapSize[1] - 1]);
}

/** The same array with a leading axis of 1 (`array[None]`), without a copy. */
export function unsqueeze(array: NdArray): NdArray {
  return { data: array.data, shape: [1, ...array.shape] };
}

/** An own copy, for functions that work in place. */
export function copyOf(array: NdArray): NdArray {
  return { data: array.data.slice(), shape: array.shape };
}

/**
 * Checks the number of axes of an array that came from outside.
 *
 * @throws InputError naming the expected shape
 */
export function requireRank(array: NdArray, rank: number, where: string, expected: string): void {
  if (array.shape.length !== rank) {
    throw new InputError(`${where}: found shape [${array.shape.join(', ')}]; expected ${expected}.`);
  }
}
