/**
 * What travels through a data pipeline (MMPose's `results` dict, with our camelCase names) and what a transform is. Random
 * transforms draw from an injected source, so that a test or a training page can repeat them.
 */
import type { ConfigDict } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import type { NdArray } from '../../ndarray.js';
import type { FlipDirection, FloatArray } from '../../structures/bbox/transforms.js';
import type { PixelImage } from './warp_affine.js';

/** Training targets under MMPose's names; a list of arrays for several levels or encoders. */
export type TargetArrays = Record<string, TargetArray | TargetArray[]>;
export type TargetArray = NdArray<FloatArray | Int32Array>;

/** The part of a codec that `GenerateTarget` uses; the library's codecs fit. */
export interface TargetEncoder {
  encode(
    keypoints: NdArray,
    keypointsVisible?: NdArray,
    auxiliary?: Readonly<Record<string, never>>,
  ): Record<string, TargetArray>;
}

/** What a codec's class says about its targets (MMPose: class attributes of the codec). */
export interface TargetTables {
  readonly auxiliaryEncodeKeys?: readonly string[];
  readonly labelMappingTable?: Readonly<Record<string, string>>;
  readonly fieldMappingTable?: Readonly<Record<string, string>>;
  readonly instanceMappingTable?: Readonly<Record<string, string>>;
}

/** The tables of an encoder's class. */
export function tablesOf(encoder: TargetEncoder): TargetTables {
  return encoder.constructor as TargetTables;
}

/** A sample on its way through a pipeline. N persons, K keypoints; all in px of the current picture unless said otherwise. */
export interface TransformResults {
  img?: PixelImage | readonly PixelImage[];
  imgMask?: PixelImage;
  /** Path or id that `LoadImage` hands to the loader. */
  imgPath?: string;
  oriShape?: readonly [h: number, w: number];
  imgShape?: readonly [h: number, w: number];
  /** [N, 4] xyxy */
  bbox?: NdArray;
  /** [N] */
  bboxScore?: NdArray;
  /** [N, 2] */
  bboxCenter?: NdArray;
  /** [N, 2] */
  bboxScale?: NdArray;
  /** [N] degrees */
  bboxRotation?: NdArray;
  /** [N, K, 2] */
  keypoints?: NdArray;
  /** [N, K], or [N, K, 2] with a weight in the second channel */
  keypointsVisible?: NdArray;
  /** [N, K, 2] px, input space */
  transformedKeypoints?: NdArray;
  /** [N] */
  area?: NdArray;
  inputSize?: readonly [w: number, h: number];
  /** [2] */
  inputCenter?: NdArray;
  /** [2] */
  inputScale?: NdArray;
  /** 2x3, source to input px: the matrix of the last affine transform. */
  warpMat?: Float64Array;
  flip?: boolean;
  flipDirection?: FlipDirection | null;
  flipIndices?: readonly number[];
  flipPairs?: readonly (readonly [number, number])[];
  upperBodyIds?: readonly number[];
  lowerBodyIds?: readonly number[];
  /** [K] */
  datasetKeypointWeights?: NdArray;
  /** Targets of `GenerateTarget`. */
  targets?: TargetArrays;
  /** [N, K] */
  keypointsVisibleWeights?: NdArray;
  [key: string]: unknown;
}

/** A step of a pipeline. `null` drops the sample. */
export interface Transform {
  transform(results: TransformResults): TransformResults | null | Promise<TransformResults | null>;
}

/** Uniform numbers in [0, 1); `Math.random` is one. */
export type RandomSource = () => number;

/** What a pipeline's transforms may need from outside. */
export interface TransformContext {
  /** @default Math.random */
  readonly random?: RandomSource;
  /** Builds a codec for `GenerateTarget`: hand over `buildCodec` of the codecs. */
  readonly buildEncoder?: (config: ConfigDict, where: string) => Promise<TargetEncoder> | TargetEncoder;
  /** Decodes a picture for `LoadImage`. */
  readonly loadImage?: (path: string) => Promise<PixelImage> | PixelImage;
}

/** A transform class: built from one config object with MMPose's keys. */
export type TransformClass = new (config: Readonly<Record<string, unknown>>, context?: TransformContext) => Transform;

/**
 * The named field of a sample.
 *
 * @throws InputError naming the transform that needs it
 */
export function requireField<K extends keyof TransformResults>(
  results: TransformResults,
  field: K,
  where: string,
): NonNullable<TransformResults[K]> {
  const value = results[field];
  if (value === undefined || value === null) {
    throw new InputError(`${where}: found no ${String(field)} in the sample; put a transform that sets it before.`);
  }
  return value as NonNullable<TransformResults[K]>;
}

/** `img_shape` -> `imgShape`: MMPose's name of a field to ours. */
export function camelCase(word: string): string {
  return word.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Reads a config's `[w, h]`. */
export function checkSize(value: unknown, where: string): readonly [w: number, h: number] {
  if (Array.isArray(value) && value.length === 2 && value.every((n) => Number.isInteger(n) && n > 0)) {
    return value as unknown as readonly [w: number, h: number];
  }
  throw new ConfigError(`${where}: found ${JSON.stringify(value)}; expected two positive integers [w, h].`);
}
