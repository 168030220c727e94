/** Every tolerance of the golden tests, in one place. None may be loosened to make a case pass. */

export interface Tolerance {
  /** Largest allowed |found - expected|; a difference within either bound passes. */
  readonly abs: number;
  /** Largest allowed |found - expected| / |expected|. */
  readonly rel: number;
}

/** Codecs, structures, tta, evaluation: 1e-4 absolute or 1e-5 relative. */
export const NUMERIC: Tolerance = { abs: 1e-4, rel: 1e-5 };

/** Keypoints of whole models, px, wherever argmax_gap or hessian_det allow a comparison. */
export const KEYPOINT_PX: Tolerance = { abs: 0.02, rel: 0 };

/** DARK and UDP refinement invert this determinant; below it float noise is amplified (golden README). */
export const MIN_HESSIAN_DET = 1e-3;

/** Crops are equal to the bit, except for OpenCV's own deviations of 1 in two values of two recorded crops (golden notes). */
export const CROP: Tolerance = { abs: 1, rel: 0 };
export const MAX_CROP_DEVIATIONS = 2;

/** JPEG decoders differ by a level or two (golden README). */
export const JPEG: Tolerance = { abs: 2, rel: 0 };
/** What that may change of a network's outputs, as a share of max|out|. Only where the decoded pixels did differ. */
export const JPEG_SHARE = 0.02;

/** Share of max|out| by which a network's output may differ. */
export function networkTolerance(backend: string, float64Noise: number): number {
  return backend === 'webgpu' || backend === 'webgl' ? 1e-3 : Math.max(20 * float64Noise, 1e-5);
}
