/** Overlap of boxes (MMPose: `mmpose/structures/bbox/bbox_overlaps.py`). Boxes are continuous here: no pixel is added to a side. */
import { InputError } from '../../errors.js';
import { sizeOf, type NdArray } from '../../ndarray.js';

/** Intersection over union, over the first box, or generalised IoU (CVPR 2019). */
export type OverlapMode = 'iou' | 'iof' | 'giou';

export interface OverlapOptions {
  /** @default 'iou' */
  mode?: OverlapMode;
  /** Compare row i with row i only. @default false */
  isAligned?: boolean;
  /** Smallest denominator. @default 1e-6 */
  eps?: number;
}

/**
 * @param bboxes1 - [..., M, 4] or [4], xyxy
 * @param bboxes2 - [..., N, 4] or [4], xyxy, with the same leading axes
 * @returns [..., M, N], or [..., M] when aligned
 */
export function bboxOverlaps(
  bboxes1: NdArray,
  bboxes2: NdArray,
  { mode = 'iou', isAligned = false, eps = 1e-6 }: OverlapOptions = {},
): NdArray {
  const [a, b] = [asBoxes(bboxes1), asBoxes(bboxes2)];
  const lead = a.shape.slice(0, -2);
  const [m, n] = [a.shape[lead.length], b.shape[lead.length]];
  checkPair(a, b, isAligned, mode);
  const shape = isAligned ? [...lead, m] : [...lead, m, n];
  const out = new Float32Array(sizeOf(shape));
  const columns = isAligned ? 1 : n;
  for (let k = 0; k < out.length; k++) {
    const rowA = Math.floor(k / columns);
    const rowB = isAligned ? rowA : Math.floor(rowA / m) * n + (k % n);
    out[k] = overlap(a.data, rowA * 4, b.data, rowB * 4, mode, eps);
  }
  return { data: out, shape };
}

function asBoxes(boxes: NdArray): NdArray {
  return boxes.shape.length === 1 && boxes.data.length > 0 ? { data: boxes.data, shape: [1, boxes.shape[0]] } : boxes;
}

function checkPair(a: NdArray, b: NdArray, isAligned: boolean, mode: string): void {
  const ok = (boxes: NdArray): boolean => boxes.shape.at(-1) === 4 || boxes.shape[0] === 0;
  const leads = [a, b].map(({ shape }) => shape.slice(0, -2).join());
  if (!ok(a) || !ok(b) || leads[0] !== leads[1] || (isAligned && a.shape.at(-2) !== b.shape.at(-2))) {
    throw new InputError(
      `bboxOverlaps: found shapes [${a.shape.join(', ')}] and [${b.shape.join(', ')}]; expected [..., M, 4] and ` +
        `[..., N, 4]${isAligned ? ' with M = N' : ''}.`,
    );
  }
  if (!['iou', 'iof', 'giou'].includes(mode)) {
    throw new InputError(`bboxOverlaps: found mode "${mode}"; expected iou, iof or giou.`);
  }
}

/** Overlap of the boxes at two offsets, in float32 steps. */
function overlap(a: Float32Array, i: number, b: Float32Array, j: number, mode: OverlapMode, eps: number): number {
  const f = Math.fround;
  const areaA = f(f(a[i + 2] - a[i]) * f(a[i + 3] - a[i + 1]));
  const w = Math.max(0, f(Math.min(a[i + 2], b[j + 2]) - Math.max(a[i], b[j])));
  const h = Math.max(0, f(Math.min(a[i + 3], b[j + 3]) - Math.max(a[i + 1], b[j + 1])));
  const shared = f(w * h);
  if (mode === 'iof') return shared / Math.max(areaA, f(eps));
  const areaB = f(f(b[j + 2] - b[j]) * f(b[j + 3] - b[j + 1]));
  const union = Math.max(f(f(areaA + areaB) - shared), f(eps));
  const iou = f(shared / union);
  if (mode === 'iou') return iou;
  const outerW = Math.max(0, f(Math.max(a[i + 2], b[j + 2]) - Math.min(a[i], b[j])));
  const outerH = Math.max(0, f(Math.max(a[i + 3], b[j + 3]) - Math.min(a[i + 1], b[j + 1])));
  const outer = Math.max(f(outerW * outerH), f(eps));
  return iou - f(f(outer - union) / outer);
}
