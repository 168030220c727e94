/** Small RTMDets with formula weights and what PyTorch makes of them (rtmdet_reference.py), for Node and for browsers. */
import { expect } from 'vitest';
import type { PoseConfig } from '../../src/apis/model_config.js';
import { encodeSafetensors, type StateDict } from '../../src/checkpoint/index.js';
import type { PixelImage } from '../../src/datasets/transforms/warp_affine.js';
import { buildDetector } from '../../src/models/detectors/build_detector.js';
import { sizeOf } from '../../src/ndarray.js';
import { namedParameters } from '../../src/nn/module.js';
import type { DetInstanceData } from '../../src/structures/det_data_sample.js';
import { patternImage, uniform, weightTensor } from '../golden/formula.js';
import reference from '../unit/rtmdet_reference.json';

export interface RTMDetCase {
  readonly name: string;
  /** [w, h] px */
  readonly picture: readonly number[];
  readonly config: PoseConfig;
  /** How many parameters, and the hash of their names. */
  readonly keys: readonly number[];
  readonly raw: readonly number[];
  readonly bboxes: readonly number[];
  readonly scores: readonly number[];
  readonly labels: readonly number[];
}

export const CASES = reference as unknown as readonly RTMDetCase[];

export function pictureOf({ name, picture: [width, height] }: RTMDetCase): PixelImage {
  return { data: patternImage(name, [height, width, 3]).data, width, height, channels: 3 };
}

/** The rules of rtmdet_reference.py. */
function weightOf(name: string, shape: readonly number[]): Float32Array {
  if (name.includes('rtm_reg') && name.endsWith('.bias')) return uniform(name, shape, 0, 1.5).data;
  const gain = name.includes('rtm_cls') ? 4 : 1.25;
  return weightTensor(name, shape, { gain, norm: [0.5, 1] }).data;
}

export async function detectorWeights({ config }: RTMDetCase): Promise<Uint8Array<ArrayBuffer>> {
  const { share_conv } = config.model.bbox_head as { share_conv?: boolean };
  const stateDict: StateDict = new Map(
    [...namedParameters(await buildDetector(config.model))].map(([name, { shape }]) => {
      const isShared = share_conv && /bbox_head\..*\.conv\.weight$/.test(name);
      const source = isShared ? name.replace(/convs\.[12]\./, 'convs.0.') : name;
      return [name, { dtype: 'float32', shape, read: async () => weightOf(source, shape) }];
    }),
  );
  return encodeSafetensors(stateDict);
}

export function checkBoxes(
  { bboxes, scores, labels }: DetInstanceData,
  expected: Pick<RTMDetCase, 'bboxes' | 'scores' | 'labels'>,
  px: number,
  score: number,
): void {
  expect([...labels.data]).toEqual(expected.labels);
  expect(scores.data).toHaveLength(sizeOf(scores.shape));
  for (const [i, value] of expected.scores.entries()) expect(Math.abs(scores.data[i] - value)).toBeLessThan(score);
  for (let i = 0; i < bboxes.data.length; i++) expect(Math.abs(bboxes.data[i] - expected.bboxes[i])).toBeLessThan(px);
}
