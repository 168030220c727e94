/**
 * Test-time augmentation (MMPose: `mmpose/models/utils/tta.py`): outputs of a mirrored picture turned back into the frame of the
 * original, on tensors. Maps are NHWC here, (B, C, H, W) there. Every function borrows its inputs and gives new tensors; call them
 * in a tidy.
 */
import { ConfigError, InputError } from '../../errors.js';
import { resize } from '../../nn/resize.js';
import * as tf from '../../tf.js';
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from '../../tf.js';
import type { FlipMode } from '../test_cfg.js';

export interface FlipHeatmapsOptions {
  /** [K]: left/right partner of each keypoint; null keeps the order. */
  readonly flipIndices?: readonly number[] | null;
  readonly flipMode?: FlipMode;
  /** Default true, as in MMPose (a model's `test_cfg` defaults to false). */
  readonly shiftHeatmap?: boolean;
}

/** Channels per keypoint, and which of them is an x offset that changes its sign. */
const FLIP_LAYOUT: Readonly<Record<FlipMode, { readonly channels: number; readonly negated: number }>> = {
  heatmap: { channels: 1, negated: -1 },
  udp_combined: { channels: 3, negated: 1 },
  offset: { channels: 2, negated: 0 },
};

/**
 * Mirrors heatmaps and swaps those of left/right partners.
 *
 * @param heatmaps - [N, h, w, C]; C is K, 3 K (`udp_combined`: heatmap, x, y of each keypoint) or 2 K (`offset`: x, y)
 * @returns [N, h, w, C]
 * @throws ConfigError for an unknown mode, InputError when flipIndices do not fit C
 */
export function flipHeatmaps(heatmaps: Tensor4D, options: FlipHeatmapsOptions = {}): Tensor4D {
  const { flipIndices = null, flipMode = 'heatmap', shiftHeatmap = true } = options;
  const layout = FLIP_LAYOUT[flipMode];
  if (!layout) {
    const modes = Object.keys(FLIP_LAYOUT).join(', ');
    throw new ConfigError(`flipHeatmaps: found flipMode ${JSON.stringify(flipMode)}; expected one of ${modes}.`);
  }
  let y = tf.reverse(heatmaps, 2);
  if (flipIndices) y = gatherChannels(y, flipIndices, layout.channels);
  if (layout.negated >= 0) y = negateChannels(y, layout.channels, layout.negated);
  return shiftHeatmap ? shiftRight(y) : y;
}

/** out[channels * k + j] = in[channels * flipIndices[k] + j], along the last axis. */
function gatherChannels(x: Tensor4D, flipIndices: readonly number[], channels: number): Tensor4D {
  checkPartners('flipHeatmaps', flipIndices, x.shape[3] / channels);
  const index = new Int32Array(x.shape[3]);
  for (let c = 0; c < index.length; c++) index[c] = flipIndices[Math.floor(c / channels)] * channels + (c % channels);
  return tf.gather(x, tf.tensor1d(index, 'int32'), 3);
}

function negateChannels(x: Tensor4D, channels: number, negated: number): Tensor4D {
  const signs = Float32Array.from({ length: x.shape[3] }, (_, c) => (c % channels === negated ? -1 : 1));
  return tf.mul(x, tf.tensor1d(signs));
}

/** One pixel to the right; the first column stays. */
function shiftRight(x: Tensor4D): Tensor4D {
  const [n, h, w, c] = x.shape;
  if (w < 2) return x;
  return tf.concat([tf.slice(x, [0, 0, 0, 0], [n, h, 1, c]), tf.slice(x, [0, 0, 0, 0], [n, h, w - 1, c])], 2);
}

/**
 * Mirrors SimCC vectors: x [N, K, Wx] is reversed and swapped, y [N, K, Wy] swapped.
 *
 * @throws InputError when flipIndices do not have K entries
 */
export function flipVectors(x: Tensor3D, y: Tensor3D, flipIndices: readonly number[]): [x: Tensor3D, y: Tensor3D] {
  checkPartners('flipVectors', flipIndices, x.shape[1]);
  checkPartners('flipVectors', flipIndices, y.shape[1]);
  return [tf.reverse(gatherKeypoints(x, flipIndices), 2), gatherKeypoints(y, flipIndices)];
}

/**
 * Mirrors coordinates [N, K, D] that are fractions of the input: x becomes 1 - x, less one pixel with `shiftCoords`. Further
 * columns (y, sigmas) only change places.
 *
 * @param inputSize - px
 */
export function flipCoordinates(
  coords: Tensor3D,
  flipIndices: readonly number[],
  shiftCoords: boolean,
  inputSize: readonly [w: number, h: number],
): Tensor3D {
  const [n, k, d] = coords.shape;
  checkPartners('flipCoordinates', flipIndices, k);
  let x = tf.sub(1, tf.slice(coords, [0, 0, 0], [n, k, 1])) as Tensor3D;
  if (shiftCoords) x = tf.sub(x, 1 / inputSize[0]);
  const flipped = d > 1 ? tf.concat([x, tf.slice(coords, [0, 0, 1], [n, k, d - 1])], 2) : x;
  return gatherKeypoints(flipped, flipIndices);
}

/** Swaps the visibilities [N, K] of left/right partners. */
export function flipVisibility(visible: Tensor2D, flipIndices: readonly number[]): Tensor2D {
  checkPartners('flipVisibility', flipIndices, visible.shape[1]);
  return gatherKeypoints(visible, flipIndices);
}

function gatherKeypoints<T extends Tensor>(x: T, flipIndices: readonly number[]): T {
  return tf.gather(x, tf.tensor1d(flipIndices as number[], 'int32'), 1) as T;
}

function checkPartners(where: string, flipIndices: readonly number[], numKeypoints: number): void {
  if (flipIndices.length === numKeypoints) return;
  throw new InputError(
    `${where}: found ${flipIndices.length} flipIndices for ${numKeypoints} keypoints; expected the meta-info of the dataset that the model was trained on.`,
  );
}

export interface AggregateHeatmapsOptions {
  /** [w, h] px; default: that of the first. */
  readonly size?: readonly [w: number, h: number] | null;
  /** Default false. */
  readonly alignCorners?: boolean;
  /** Default `'average'`, which needs equal channels. */
  readonly mode?: 'average' | 'concat';
}

/**
 * Brings maps [N, h_i, w_i, C_i] to one size (bilinear, as `F.interpolate`) and averages them or joins their channels.
 *
 * @throws InputError when batch sizes or, for `'average'`, channels differ
 */
export function aggregateHeatmaps(heatmaps: readonly Tensor4D[], options: AggregateHeatmapsOptions = {}): Tensor4D {
  const { size = null, alignCorners = false, mode = 'average' } = options;
  if (mode !== 'average' && mode !== 'concat') {
    throw new ConfigError(`aggregateHeatmaps: found mode ${JSON.stringify(mode)}; expected "average" or "concat".`);
  }
  const [n, h0, w0, c] = heatmaps[0].shape;
  const [w, h] = size ?? [w0, h0];
  const resized = heatmaps.map((map) => {
    if (map.shape[0] !== n || (mode === 'average' && map.shape[3] !== c)) {
      throw new InputError(
        `aggregateHeatmaps: found maps [${map.shape}] and [${heatmaps[0].shape}]; expected equal N and C.`,
      );
    }
    return resize(map, [h, w], { mode: 'bilinear', alignCorners });
  });
  if (mode === 'concat') return tf.concat(resized, 3);
  return tf.div(
    resized.reduce((sum, map) => tf.add(sum, map)),
    resized.length,
  );
}
