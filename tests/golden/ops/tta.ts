/** Test-time augmentation on tensors: MMPose's (B, C, H, W) in, our NHWC through `models/utils/tta.ts`, and back. */
import { readTensor } from '../../../src/backend/readback.js';
import { InposeError } from '../../../src/errors.js';
import type { NdArray } from '../../../src/ndarray.js';
import {
  aggregateHeatmaps,
  flipCoordinates,
  flipHeatmaps,
  flipVectors,
  flipVisibility,
} from '../../../src/models/utils/tta.js';
import * as tf from '../../../src/tf.js';
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from '../../../src/tf.js';
import { goldenBackend } from '../page_backend.js';
import { close, outcome, type CaseContext, type Comparison, type OpTable } from '../runner.js';

const upload = <T extends Tensor>({ data, shape }: NdArray): T =>
  tf.tensor(data, [...shape], 'float32') as unknown as T;
const toNhwc = (array: NdArray): Tensor4D => tf.transpose(upload<Tensor4D>(array), [0, 2, 3, 1]);
const toNchw = (tensor: Tensor4D): Tensor => tf.transpose(tensor, [0, 3, 1, 2]);

/** Runs `section` on the case's backend and compares its tensors with the recorded ones. */
async function compare(ctx: CaseContext, section: () => Tensor[]): Promise<Comparison[]> {
  const backend = await goldenBackend(ctx.backend);
  const before = tf.memory().numTensors;
  let outputs: Tensor[];
  try {
    outputs = backend.run(() => tf.tidy(section));
  } catch (error) {
    if (!(error instanceof InposeError)) throw error;
    return [outcome('raises', [ctx.error ? 'an error' : 'a result'], 'an error')];
  }
  const found: NdArray[] = [];
  for (const output of outputs) {
    found.push({ data: await readTensor(output), shape: output.shape });
    output.dispose();
  }
  if (ctx.error) return [outcome('raises', ['an error'], 'a result')];
  const expected: NdArray[] = Array.isArray(ctx.outputs) ? ctx.outputs : [ctx.outputs];
  const leaked = tf.memory().numTensors - before;
  return [
    ...expected.map((array, i) => close(`output ${i}`, array, found[i])),
    ...(leaked === 0 ? [] : [outcome('tensors left', ['0'], String(leaked))]),
  ];
}

export const OPS: OpTable = {
  flip_heatmaps: (ctx) => {
    const { heatmaps, flip_indices: flipIndices, flip_mode: flipMode, shift_heatmap: shiftHeatmap } = ctx.inputs;
    return compare(ctx, () => [toNchw(flipHeatmaps(toNhwc(heatmaps), { flipIndices, flipMode, shiftHeatmap }))]);
  },
  flip_vectors: (ctx) => {
    const { x_labels, y_labels, flip_indices } = ctx.inputs;
    return compare(ctx, () => flipVectors(upload<Tensor3D>(x_labels), upload<Tensor3D>(y_labels), flip_indices));
  },
  flip_visibility: (ctx) => {
    const { vis, flip_indices } = ctx.inputs;
    return compare(ctx, () => [flipVisibility(upload<Tensor2D>(vis), flip_indices)]);
  },
  flip_coordinates: (ctx) => {
    const { coords, flip_indices, shift_coords, input_size } = ctx.inputs;
    return compare(ctx, () => [flipCoordinates(upload<Tensor3D>(coords), flip_indices, shift_coords, input_size)]);
  },
  aggregate_heatmaps: (ctx) => {
    const { heatmaps, size, align_corners: alignCorners, mode } = ctx.inputs;
    return compare(ctx, () => [toNchw(aggregateHeatmaps(heatmaps.map(toNhwc), { size, alignCorners, mode }))]);
  },
};
