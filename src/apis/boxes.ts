/** Person boxes as a caller gives them, checked and brought to one form. */
import { InputError } from '../errors.js';
import type { NdArray } from '../ndarray.js';

/** `xyxy` (left, top, right, bottom) or `xywh` (left, top, width, height), px, image space. */
export type BoxFormat = 'xyxy' | 'xywh';

/** Rows of 4 numbers, or of 5 with a score. */
export type BoxesLike = NdArray | NdArray<Float64Array> | readonly ArrayLike<number>[];

/** N persons. */
export interface PersonBoxes {
  /** [N, 4] xyxy, px, image space. */
  readonly bboxes: NdArray;
  /** [N], 0..1; 1 where none was given. */
  readonly scores: NdArray;
}

/**
 * @param boxes - undefined or null: the whole picture is one box, as in MMPose; an empty list: nobody
 * @throws InputError naming the row that has no area, is not a number, or lies wholly outside the picture
 */
export function checkBoxes(
  boxes: BoxesLike | null | undefined,
  format: BoxFormat,
  { width, height }: { readonly width: number; readonly height: number },
): PersonBoxes {
  if (format !== 'xyxy' && format !== 'xywh') {
    throw new InputError(`bboxFormat: found ${JSON.stringify(format)}; expected "xyxy" or "xywh".`);
  }
  const rows = boxes ? rowsOf(boxes) : [[0, 0, width, height]];
  const bboxes = new Float32Array(rows.length * 4);
  const scores = new Float32Array(rows.length).fill(1);
  const isXywh = format === 'xywh' && Boolean(boxes);
  for (const [i, row] of rows.entries()) {
    const [x1, y1] = [row[0], row[1]];
    const box = isXywh ? [x1, y1, x1 + row[2], y1 + row[3]] : [x1, y1, row[2], row[3]];
    const problem = problemOf(row, box, width, height);
    if (problem) {
      throw new InputError(
        `bboxes[${i}]: found [${Array.from(row).join(', ')}] (${format}); ${problem}. Picture: ${width} x ${height} px.`,
      );
    }
    bboxes.set(box, i * 4);
    if (row.length === 5) scores[i] = row[4];
  }
  return { bboxes: { data: bboxes, shape: [rows.length, 4] }, scores: { data: scores, shape: [rows.length] } };
}

function problemOf(row: ArrayLike<number>, box: readonly number[], width: number, height: number): string | null {
  if (row.length !== 4 && row.length !== 5) return 'expected 4 numbers, or 5 with a score';
  if (!Array.from(row).every((v) => typeof v === 'number' && Number.isFinite(v))) return 'expected finite numbers';
  const [x1, y1, x2, y2] = box;
  if (!(x2 > x1 && y2 > y1)) return 'expected a box with a width and a height above 0';
  if (x2 <= 0 || y2 <= 0 || x1 >= width || y1 >= height) return 'expected a box that overlaps the picture';
  return null;
}

function rowsOf(boxes: BoxesLike): ArrayLike<number>[] {
  if (Array.isArray(boxes)) {
    const rows = boxes as readonly unknown[];
    const bad = rows.findIndex((row) => !Array.isArray(row) && !ArrayBuffer.isView(row));
    if (bad < 0) return [...(boxes as readonly ArrayLike<number>[])];
    throw new InputError(
      `bboxes[${bad}]: found ${String(rows[bad])}; expected a list of boxes, [[x1, y1, x2, y2], ...].`,
    );
  }
  const { data, shape } = boxes as NdArray;
  const columns = shape?.[1];
  if (!data || shape?.length !== 2 || data.length !== shape[0] * columns) {
    throw new InputError(`bboxes: found shape [${shape ?? '?'}]; expected [N, 4], or a list of [x1, y1, x2, y2].`);
  }
  return Array.from({ length: shape[0] }, (_, i) => data.subarray(i * columns, (i + 1) * columns));
}
