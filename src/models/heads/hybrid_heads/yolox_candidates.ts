/** From the dense outputs of YOLOX-Pose and RTMO to candidates: grid cells above a score, without double detections. */
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import { nmsTorch } from '../../../evaluation/functional/nms.js';
import { concatRows, type NdArray } from '../../../ndarray.js';
import type { TestCfg } from '../../test_cfg.js';

interface PriorConfig {
  readonly strides: readonly number[];
  readonly offset: number;
  readonly centralize_points: boolean;
}

/** Where the cells of several maps lie in the picture (MMPose: `MlvlPointGenerator`). */
export class GridPriors {
  readonly strides: readonly number[];
  readonly #shift: (stride: number) => number;

  constructor(config: ConfigDict, where: string) {
    const cfg = readConfig<PriorConfig>(config, where, { strides: REQUIRED, offset: 0.5, centralize_points: false });
    const { strides, offset } = cfg;
    if (!Array.isArray(strides) || !strides.every((s) => Number.isInteger(s) && s > 0)) {
      throw new ConfigError(`${where}.strides: found ${JSON.stringify(strides)}; expected a list of whole numbers.`);
    }
    this.strides = strides;
    this.#shift = cfg.centralize_points ? (stride) => (stride - 1) / 2 : (stride) => offset * stride;
  }

  /** Cell number `index` of maps with these shapes [1, h, w, C], finest first. px, input space */
  cell(levels: readonly NdArray[], index: number): { x: number; y: number; stride: number } {
    let left = index;
    for (const [i, { shape }] of levels.entries()) {
      const [, h, w] = shape;
      if (left >= h * w) {
        left -= h * w;
        continue;
      }
      const stride = this.strides[i];
      const shift = this.#shift(stride);
      return { x: (left % w) * stride + shift, y: Math.floor(left / w) * stride + shift, stride };
    }
    throw new RangeError(`cell ${index} lies outside all maps`);
  }
}

/** Candidates, best first. */
export interface Candidates {
  /** [N] numbers of cells, over all maps. */
  readonly cells: readonly number[];
  /** [N, 2] px */
  readonly priors: NdArray;
  /** [N] px */
  readonly strides: readonly number[];
  /** [N, 4] xyxy px, not clipped. */
  readonly bboxes: NdArray;
  /** [N] */
  readonly scores: Float32Array;
}

/** Maps [1, h, w, C] of several levels -> [cells, C]. */
export function flattenLevels(levels: readonly NdArray[]): NdArray {
  return concatRows(levels.map(({ data, shape: [, h, w, c] }) => ({ data, shape: [h * w, c] })));
}

/** Rows of [cells, C]. */
export function takeRows({ data, shape: [, width] }: NdArray, rows: readonly number[]): NdArray {
  const out = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) out.set(data.subarray(row * width, (row + 1) * width), i * width);
  return { data: out, shape: [rows.length, width] };
}

export function sigmoid(x: number): number {
  return Math.fround(1 / (1 + Math.exp(-x)));
}

/**
 * @param scores - of each cell, 0..1
 * @param bboxLevels - maps [1, h, w, 4]: centre in strides from the cell, logarithm of the size in strides
 */
export function selectCandidates(
  scores: ArrayLike<number>,
  bboxLevels: readonly NdArray[],
  grid: GridPriors,
  { scoreThr, nmsThr }: TestCfg,
): Candidates {
  const threshold = Math.fround(scoreThr ?? 0.01);
  const cells: number[] = [];
  for (let i = 0; i < scores.length; i++) if (scores[i] > threshold) cells.push(i);
  cells.sort((a, b) => scores[b] - scores[a] || a - b);
  const flat = flattenLevels(bboxLevels);
  const all = decodeBoxes(cells, flat, bboxLevels, grid);
  const overlap = nmsThr ?? 1;
  const cellScores = cells.map((cell) => scores[cell]);
  const keep = overlap < 1 ? nmsTorch(all.bboxes, cellScores, overlap) : cells.map((_, i) => i);
  return {
    cells: keep.map((i) => cells[i]),
    priors: takeRows(all.priors, keep),
    strides: keep.map((i) => all.strides[i]),
    bboxes: takeRows(all.bboxes, keep),
    scores: Float32Array.from(keep, (i) => cellScores[i]),
  };
}

/** In float32 steps, as PyTorch. */
function decodeBoxes(
  cells: readonly number[],
  { data }: NdArray,
  levels: readonly NdArray[],
  grid: GridPriors,
): Pick<Candidates, 'priors' | 'strides' | 'bboxes'> {
  const f = Math.fround;
  const [priors, bboxes] = [new Float32Array(cells.length * 2), new Float32Array(cells.length * 4)];
  const strides = cells.map((cell, i) => {
    const { x, y, stride } = grid.cell(levels, cell);
    for (const [axis, prior] of [x, y].entries()) {
      const middle = f(f(data[cell * 4 + axis] * stride) + prior);
      const half = f(f(f(Math.exp(data[cell * 4 + 2 + axis])) * stride) / 2);
      priors[i * 2 + axis] = prior;
      bboxes[i * 4 + axis] = middle - half;
      bboxes[i * 4 + 2 + axis] = middle + half;
    }
    return stride;
  });
  const n = cells.length;
  return { priors: { data: priors, shape: [n, 2] }, strides, bboxes: { data: bboxes, shape: [n, 4] } };
}

/** Boxes cut off at the edges of the network's input. */
export function clipBoxes({ data, shape }: NdArray, size: readonly [w: number, h: number]): NdArray {
  return { data: data.map((v, i) => Math.min(Math.max(v, 0), size[i % 2])), shape };
}
