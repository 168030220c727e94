/**
 * Pictures of one of several sizes, without margins (MMPose: `BottomupRandomChoiceResize` of
 * `mmpose/datasets/transforms/bottomup_transforms.py`). ED-Pose's pictures are resized so, in tests to one size.
 */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import { ndarray, type NdArray } from '../../ndarray.js';
import {
  checkSize,
  requireField,
  type RandomSource,
  type Transform,
  type TransformContext,
  type TransformResults,
} from './base.js';
import { resizeBilinear } from './resize.js';
import { resizePillow } from './resize_pillow.js';
import type { PixelImage } from './warp_affine.js';

type Size = readonly [w: number, h: number];

interface ChoiceResizeConfig {
  readonly scales: unknown;
  readonly keep_ratio: boolean;
  readonly clip_object_border: boolean;
  readonly backend: 'cv2' | 'pillow';
}

/** Where a resized picture lies. */
interface Placed {
  readonly imgShape: readonly [h: number, w: number];
  readonly inputSize: Size;
  readonly inputCenter: NdArray;
  readonly inputScale: NdArray;
}

/** Sets img, imgShape, inputSize, inputCenter and inputScale; boxes and keypoints follow. */
export class BottomupRandomChoiceResize implements Transform {
  /** Of a picture that fills the first of the scales. */
  readonly inputSize: Size;
  readonly padVal = [0, 0, 0] as const;
  /** With `keep_ratio` the longest and the shortest side, at most; else width and height. */
  readonly scales: readonly Size[];
  readonly #config: ChoiceResizeConfig;
  readonly #random: RandomSource;

  constructor(config: Readonly<Record<string, unknown>>, context: TransformContext = {}) {
    this.#config = readConfig<ChoiceResizeConfig>(config, 'BottomupRandomChoiceResize', {
      scales: REQUIRED,
      keep_ratio: false,
      clip_object_border: true,
      backend: 'cv2',
    });
    const { scales, keep_ratio: keepsRatio, backend } = this.#config;
    const given = Array.isArray(scales) && Array.isArray(scales[0]) ? scales : [scales];
    const sizes = given.map((scale, i) => checkSize(scale, `BottomupRandomChoiceResize.scales.${i}`));
    this.scales = keepsRatio ? sizes.map(([a, b]) => [Math.max(a, b), Math.min(a, b)]) : sizes;
    this.inputSize = this.scales[0];
    if (!['cv2', 'pillow'].includes(backend)) {
      throw new ConfigError(`BottomupRandomChoiceResize.backend: found "${backend}"; expected "cv2" or "pillow".`);
    }
    this.#random = context.random ?? Math.random;
  }

  transform(results: TransformResults): TransformResults {
    const image = requireField(results, 'img', 'BottomupRandomChoiceResize');
    if (Array.isArray(image)) {
      throw new InputError('BottomupRandomChoiceResize: found a list of pictures; expected one.');
    }
    const img = image as PixelImage;
    const scale = this.scales[Math.floor(this.#random() * this.scales.length)];
    const [w, h] = this.#sizeAt(scale, [img.width, img.height]);
    const resize = this.#config.backend === 'pillow' ? resizePillow : resizeBilinear;
    const resized: PixelImage = { data: resize(img, [w, h]), width: w, height: h, channels: 3 };
    const original: Size = results.oriShape ? [results.oriShape[1], results.oriShape[0]] : [img.width, img.height];
    return {
      ...results,
      img: resized,
      ...placeOf([w, h], original),
      ...this.#annotations(results, [w / img.width, h / img.height], [w, h]),
    };
  }

  /** All but the picture itself that `transform` gives for a picture of this size, [w, h] px, at the first of the scales. */
  place(size: Size): Placed & { readonly warpMat?: undefined } {
    return placeOf(this.#sizeAt(this.scales[0], size), size);
  }

  /** mmcv's `rescale_size`, which would make lines of thin pictures nothing at all. */
  #sizeAt([long, short]: Size, [w, h]: Size): Size {
    if (!this.#config.keep_ratio) return [long, short];
    const factor = Math.min(long / Math.max(w, h), short / Math.min(w, h));
    return [Math.max(Math.trunc(w * factor + 0.5), 1), Math.max(Math.trunc(h * factor + 0.5), 1)];
  }

  #annotations(results: TransformResults, factors: Size, size: Size): Partial<TransformResults> {
    const { clip_object_border: clips } = this.#config;
    const scaled = ({ data, shape }: NdArray): NdArray => ({
      data: data.map((value, i) => {
        const moved = value * factors[i % 2];
        return clips ? Math.min(Math.max(moved, 0), size[i % 2]) : moved;
      }),
      shape,
    });
    const { bbox, keypoints } = results;
    return { ...(bbox && { bbox: scaled(bbox) }), ...(keypoints && { keypoints: scaled(keypoints) }) };
  }
}

/**
 * MMPose reads the original's [h, w] as [w, h], and gives the size of the result as [h, w]: x is divided by the new height and multiplied
 * by the old one, and y likewise by the widths. Since both sizes are whole pixels, that is a little off the ratio of the axis itself.
 */
function placeOf([w, h]: Size, [originalW, originalH]: Size): Placed {
  const scale = Float32Array.of((w / h) * originalH, (h / w) * originalW);
  return {
    imgShape: [h, w],
    inputSize: [w, h],
    inputCenter: ndarray(
      scale.map((s) => s / 2),
      [2],
    ),
    inputScale: ndarray(scale, [2]),
  };
}
