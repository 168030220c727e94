/** Mirroring and clipping keypoints (MMPose: `mmpose/structures/keypoint/transforms.py`). No function changes its arguments. */
import { InputError } from '../../errors.js';
import type { NdArray } from '../../ndarray.js';
import type { FlipDirection, FloatArray } from '../bbox/transforms.js';

/** Keypoints with their visibility; the pair that MMPose's functions return. */
export interface KeypointsAndVisible<
  T extends FloatArray = Float32Array,
  V extends NdArray<FloatArray> | null = NdArray,
> {
  keypoints: NdArray<T>;
  keypointsVisible: V;
}

/**
 * Mirrors keypoints in a picture and swaps left with right. `diagonal` swaps nothing: it is a turn by 180 degrees.
 *
 * @param keypoints - [..., K, D] px
 * @param keypointsVisible - [..., K] or [..., K, C]; null when unknown
 * @param imageSize - [w, h] px
 * @param flipIndices - [K]: partner of each keypoint
 */
export function flipKeypoints<T extends FloatArray, V extends NdArray<FloatArray> | null>(
  keypoints: NdArray<T>,
  keypointsVisible: V,
  [w, h]: readonly [w: number, h: number],
  flipIndices: readonly number[],
  direction: FlipDirection = 'horizontal',
): KeypointsAndVisible<T, V> {
  const axis = keypoints.shape.length - 2;
  checkVisible(keypoints, keypointsVisible);
  if (!['horizontal', 'vertical', 'diagonal'].includes(direction)) {
    throw new InputError(`flipKeypoints: found direction "${direction}"; expected horizontal, vertical or diagonal.`);
  }
  const swap = direction !== 'diagonal';
  const flipped = swap ? takeRows(keypoints, axis, flipIndices) : copy(keypoints);
  const visible = keypointsVisible && (swap ? takeRows(keypointsVisible, axis, flipIndices) : copy(keypointsVisible));
  const d = keypoints.shape[keypoints.shape.length - 1];
  for (let i = 0; i < flipped.data.length; i += d) {
    if (direction !== 'vertical') flipped.data[i] = w - 1 - flipped.data[i];
    if (direction !== 'horizontal') flipped.data[i + 1] = h - 1 - flipped.data[i + 1];
  }
  return { keypoints: flipped, keypointsVisible: visible as V };
}

function checkVisible(keypoints: NdArray<FloatArray>, visible: NdArray<FloatArray> | null): void {
  if (!visible) return;
  const expected = keypoints.shape.slice(0, -1);
  if (expected.every((n, i) => n === visible.shape[i])) return;
  throw new InputError(
    `flipKeypoints: found visibility of shape [${visible.shape.join(', ')}] for keypoints of shape ` +
      `[${keypoints.shape.join(', ')}]; expected [${expected.join(', ')}, ...].`,
  );
}

function copy<T extends FloatArray>({ data, shape }: NdArray<T>): NdArray<T> {
  return { data: data.slice() as T, shape };
}

/** `take(indices)` along the axis of the keypoints; what lies behind it moves as blocks. */
function takeRows<T extends FloatArray>(
  { data, shape }: NdArray<T>,
  axis: number,
  indices: readonly number[],
): NdArray<T> {
  const k = shape[axis];
  if (indices.length !== k) {
    throw new InputError(`flipIndices: found ${indices.length} indices; expected ${k}, one per keypoint.`);
  }
  const out = data.slice() as T;
  const block = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  for (let start = 0; start < data.length; start += k * block) {
    for (let i = 0; i < k; i++) {
      const from = start + indices[i] * block;
      out.set(data.subarray(from, from + block) as never, start + i * block);
    }
  }
  return { data: out, shape };
}

export interface FlipCenterOptions {
  /** Mirror about a fixed x, or about the mean of some joints. @default 'static' */
  centerMode?: 'static' | 'root';
  /** x of the mirror for `static`. @default 0.5 */
  centerX?: number;
  /** Joints whose mean x is the mirror for `root`. @default 0 */
  centerIndex?: number | readonly number[];
}

/**
 * Mirrors keypoints about a vertical line of one's choice, as the 3D lifters do.
 *
 * @param keypoints - [..., K, D]
 * @param keypointsVisible - [..., K]
 * @throws InputError for `root` with more than one instance: MMPose's own broadcast fails there
 */
export function flipKeypointsCustomCenter<T extends FloatArray>(
  keypoints: NdArray<T>,
  keypointsVisible: NdArray,
  flipIndices: readonly number[],
  { centerMode = 'static', centerX = 0.5, centerIndex = 0 }: FlipCenterOptions = {},
): KeypointsAndVisible<T> {
  const axis = keypoints.shape.length - 2;
  const d = keypoints.shape[axis + 1];
  if (centerMode !== 'static' && centerMode !== 'root') {
    throw new InputError(
      `flipKeypointsCustomCenter: found centerMode "${String(centerMode)}"; expected static or root.`,
    );
  }
  const flipped = takeRows(keypoints, axis, flipIndices);
  const visible = takeRows(keypointsVisible, axis, flipIndices);
  const x =
    centerMode === 'static' ? centerX : rootX(keypoints, typeof centerIndex === 'number' ? [centerIndex] : centerIndex);
  for (let i = 0; i < flipped.data.length; i += d) flipped.data[i] = x * 2 - flipped.data[i];
  return { keypoints: flipped, keypointsVisible: visible };
}

function rootX({ data, shape }: NdArray<FloatArray>, joints: readonly number[]): number {
  const [k, d] = shape.slice(-2);
  if (joints.some((j) => j < 0 || j >= k)) {
    throw new InputError(`flipKeypointsCustomCenter: found centerIndex [${joints.join(', ')}]; expected 0..${k - 1}.`);
  }
  const instances = data.length / (k * d);
  if (instances !== 1) {
    throw new InputError(`flipKeypointsCustomCenter: found ${instances} instances; expected 1 with centerMode "root".`);
  }
  let sum = 0;
  for (const j of joints) sum += data[j * d];
  return sum / joints.length;
}

/**
 * Marks keypoints outside [0, w] x [0, h] as invisible.
 *
 * @param keypoints - [..., K, D] px
 * @param keypointsVisible - [..., K], or [..., K, C] of which only the first channel is cleared
 * @param shape - [w, h] px
 */
export function keypointClipBorder<T extends FloatArray>(
  keypoints: NdArray<T>,
  keypointsVisible: NdArray,
  [w, h]: readonly [w: number, h: number],
): KeypointsAndVisible<T> {
  const d = keypoints.shape[keypoints.shape.length - 1];
  const points = keypoints.data.length / d;
  const visible = copy(keypointsVisible);
  const step = visible.data.length / points;
  for (let i = 0; i < points; i++) {
    const x = keypoints.data[i * d];
    const y = keypoints.data[i * d + 1];
    if (x > w || x < 0 || y > h || y < 0) visible.data[i * step] = 0;
  }
  return { keypoints, keypointsVisible: visible };
}
