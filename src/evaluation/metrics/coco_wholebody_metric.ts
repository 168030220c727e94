/** COCO-WholeBody AP and AR (MMPose: `mmpose/evaluation/metrics/coco_wholebody_metric.py`). */
import type { CocoAnnotation, CocoJson, CocoResult } from '../../datasets/coco.js';
import { cocoEval, COCO_STATS, type KeypointIouType } from '../functional/coco_eval.js';
import type { MetricContext, MetricValues } from './base.js';
import { CocoMetric, type PersonResult } from './coco_metric.js';

/** How the 133 keypoints divide, in order. */
const PARTS: readonly (readonly [key: string, count: number])[] = [
  ['keypoints', 17],
  ['foot_kpts', 6],
  ['face_kpts', 68],
  ['lefthand_kpts', 21],
  ['righthand_kpts', 21],
];

/** Body parts that COCO-WholeBody also evaluates alone. */
export type WholeBodyPart = 'body' | 'foot' | 'face' | 'lefthand' | 'righthand';
const PART_NAMES: readonly WholeBodyPart[] = ['body', 'foot', 'face', 'lefthand', 'righthand'];

/** A person's flat [133 * 3] keypoints under COCO-WholeBody's keys. */
export function splitWholeBody(
  keypoints: readonly number[],
): Pick<CocoAnnotation, 'keypoints'> & Record<string, number[]> {
  let at = 0;
  const entries = PARTS.map(([key, count]) => [key, keypoints.slice(at * 3, (at += count) * 3)]);
  return Object.fromEntries(entries) as Record<string, number[]>;
}

/**
 * `CocoMetric` over all 133 keypoints. MMPose prints the tables of the parts and returns the whole body's; here the parts'
 * tables of the last `evaluate` are in `parts`.
 */
export class CocoWholeBodyMetric extends CocoMetric {
  #parts: Readonly<Partial<Record<WholeBodyPart, MetricValues>>> = {};

  constructor(config: Readonly<Record<string, unknown>> = {}, context: MetricContext = {}) {
    super(config, context, 'coco-wholebody');
  }

  /** AP and AR of body, feet, face and hands alone. */
  get parts(): Readonly<Partial<Record<WholeBodyPart, MetricValues>>> {
    return this.#parts;
  }

  override toResult(person: PersonResult): CocoResult {
    const keypoints = Array.from(person.keypoints.data);
    return { ...splitWholeBody(keypoints), image_id: person.imgId, category_id: 1, score: person.score } as CocoResult;
  }

  protected override evaluateCoco(gt: CocoJson, persons: readonly PersonResult[], sigmas: Float32Array): MetricValues {
    const results = persons.map((person) => this.toResult(person));
    const evaluate = (iouType: KeypointIouType, partSigmas: Float32Array): MetricValues => {
      const stats = cocoEval(gt, results, { iouType, sigmas: partSigmas, useArea: this.config.use_area });
      return Object.fromEntries(COCO_STATS.map((name, i) => [name, stats[i]]));
    };
    let at = 0;
    this.#parts = Object.fromEntries(
      PART_NAMES.map((part, i) => [part, evaluate(`keypoints_${part}`, sigmas.slice(at, (at += PARTS[i][1])))]),
    );
    return evaluate('keypoints_wholebody', sigmas);
  }
}
