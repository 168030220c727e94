/** What the recorded cases leave open: partitions, whole bodies, edges and speed of the evaluation. */
import { describe, expect, it } from 'vitest';
import type { CocoAnnotation, CocoJson } from '../../src/datasets/coco.js';
import { loadPoseMetainfo } from '../../src/datasets/metainfo/index.js';
import { seededRandom } from '../../src/datasets/transforms/random.js';
import { CocoMetric } from '../../src/evaluation/metrics/coco_metric.js';
import { CocoWholeBodyMetric, splitWholeBody } from '../../src/evaluation/metrics/coco_wholebody_metric.js';
import type { EvalSample } from '../../src/evaluation/metrics/base.js';
import { buildMetric, METRICS } from '../../src/evaluation/metrics/index.js';
import { ndarray } from '../../src/ndarray.js';

const random = seededRandom(11);

/** `pictures` x `people` annotated persons, and predictions off by up to `noise` px. */
function scene(pictures: number, people: number, k: number, noise: number) {
  const images = Array.from({ length: pictures }, (_, i) => ({ id: i + 1, width: 640, height: 480 }));
  const annotations: CocoAnnotation[] = [];
  const samples: EvalSample[] = [];
  for (const { id: imgId } of images) {
    for (let p = 0; p < people; p++) {
      const id = annotations.length + 1;
      const points = Array.from({ length: k * 2 }, () => p * 300 + random() * 250);
      const keypoints = Array.from({ length: k }, (_, i) => [points[i * 2], points[i * 2 + 1], 2]).flat();
      annotations.push({
        id,
        image_id: imgId,
        category_id: 1,
        iscrowd: 0,
        bbox: [p * 300, p * 300, 250, 250],
        area: 40000,
        keypoints,
        num_keypoints: k,
      });
      const moved = Float32Array.from(points, (v) => v + (random() - 0.5) * 2 * noise);
      samples.push(sampleOf(id, imgId, moved, k));
    }
  }
  const categories = [{ id: 1, name: 'person' }];
  return { coco: { images, annotations, categories } as CocoJson, samples };
}

function sampleOf(id: number, imgId: number, points: Float32Array, k: number): EvalSample {
  return {
    id,
    imgId,
    predInstances: {
      keypoints: ndarray(points, [1, k, 2]),
      keypointScores: ndarray(new Float32Array(k).fill(0.9), [1, k]),
    },
    gtInstances: {
      bboxScores: ndarray(Float32Array.of(1), [1]),
      bboxScales: ndarray(Float32Array.of(312, 312), [1, 2]),
      keypoints: ndarray(points, [1, k, 2]),
      keypointsVisible: ndarray(new Float32Array(k).fill(1), [1, k]),
    },
  };
}

describe('CocoMetric', () => {
  it('gives 1 for perfect poses, -1 where there was nothing to find, and takes padded batches', async () => {
    const datasetMeta = await loadPoseMetainfo('coco');
    const { coco, samples } = scene(3, 2, 17, 0);
    const metric = new CocoMetric({}, { annotations: coco, datasetMeta });
    metric.process([...samples, samples[0]]);
    const table = metric.evaluate();
    expect(metric.keptAfterNms).toHaveLength(6);
    expect(table['coco/AP']).toBeCloseTo(1, 9);
    expect(table['coco/AR (L)']).toBe(1);
    expect(table['coco/AP (M)']).toBe(-1);
    expect(() => metric.evaluate()).toThrow(/no samples/);
  });

  it('reads the ground truth out of the samples too', async () => {
    const datasetMeta = await loadPoseMetainfo('coco');
    const { coco, samples } = scene(2, 2, 17, 20);
    const byFile = new CocoMetric({}, { annotations: coco, datasetMeta });
    const bySample = new CocoMetric({}, { datasetMeta });
    byFile.process(samples);
    bySample.process(samples.map((s, i) => ({ ...s, oriShape: [480, 640] as const, rawAnnInfo: coco.annotations[i] })));
    expect(bySample.evaluate()).toEqual(byFile.evaluate());
  });

  it('says what is missing', async () => {
    expect(() => new CocoMetric({ ann_file: 'val.json' })).toThrow(/pass the parsed JSON as `annotations`/);
    expect(() => new CocoMetric({ nms_mode: 'nms' })).toThrow(/oks_nms, soft_oks_nms, none/);
    const { coco, samples } = scene(1, 1, 68, 0);
    const metric = new CocoMetric({}, { annotations: coco, datasetMeta: await loadPoseMetainfo('300w') });
    metric.process(samples);
    expect(() => metric.evaluate()).toThrow(/"300w" has no sigmas/);
  });

  it('evaluates 5,000 pictures of 2 people within 5 s of CPU time', { timeout: 60_000 }, async () => {
    const datasetMeta = await loadPoseMetainfo('coco');
    const { coco, samples } = scene(5000, 2, 17, 25);
    const metric = new CocoMetric({}, { annotations: coco, datasetMeta });
    // CPU time: other tests share the machine's cores.
    const start = process.cpuUsage();
    metric.process(samples);
    const table = metric.evaluate();
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(5000);
    expect(table['coco/AP']).toBeGreaterThan(0);
  });
});

describe('CocoWholeBodyMetric', () => {
  it('evaluates the whole and its parts', async () => {
    const datasetMeta = await loadPoseMetainfo('coco_wholebody');
    const { coco, samples } = scene(2, 1, 133, 0);
    const annotations = coco.annotations.map((ann) => ({ ...ann, ...splitWholeBody(ann.keypoints ?? []) }));
    // Only the first person's feet are wrong.
    const feet = samples[0].predInstances.keypoints.data;
    for (let i = 17 * 2; i < 23 * 2; i++) feet[i] += 500;
    const metric = new CocoWholeBodyMetric({}, { annotations: { ...coco, annotations }, datasetMeta });
    metric.process(samples);
    const table = metric.evaluate();
    expect(table['coco-wholebody/AP .5']).toBeCloseTo(1, 9);
    expect(metric.parts.body?.['AP']).toBeCloseTo(1, 9);
    expect(metric.parts.foot?.['AR']).toBe(0.5);
  });
});

describe('KeypointPartitionMetric', () => {
  it('gives a table per part', async () => {
    const datasetMeta = await loadPoseMetainfo('coco');
    const { coco, samples } = scene(2, 1, 17, 0);
    const head = [0, 1, 2, 3, 4];
    const limbs = [5, 6, 7, 8];
    for (const { predInstances } of samples) predInstances.keypoints.data.fill(-999, 10, 18);
    const config = { type: 'KeypointPartitionMetric', metric: { type: 'CocoMetric' }, partitions: { head, limbs } };
    const metric = await buildMetric(config, { annotations: coco, datasetMeta });
    metric.process(samples);
    const table = metric.evaluate();
    expect(table['head/coco/AP']).toBeCloseTo(1, 9);
    expect(table['limbs/coco/AP']).toBe(0);
    const auc = await buildMetric({ ...config, metric: { type: 'AUC' } });
    auc.process(samples);
    expect(Object.keys(auc.evaluate())).toEqual(['head/AUC', 'limbs/AUC']);
    await expect(buildMetric({ ...config, metric: { type: 'Nope' } })).rejects.toThrow(/found "Nope"/);
  });
});

describe('METRICS', () => {
  it('takes an application’s own', async () => {
    class Count {
      #n = 0;
      process(samples: readonly EvalSample[]): void {
        this.#n += samples.length;
      }
      evaluate() {
        return { count: this.#n };
      }
    }
    METRICS.register('Count', () => Count);
    const metric = await buildMetric({ type: 'Count' });
    metric.process(scene(1, 3, 17, 0).samples);
    expect(metric.evaluate()).toEqual({ count: 3 });
    await expect(buildMetric({ type: 'CoccoMetric' })).rejects.toThrow(/Did you mean "CocoMetric"/);
  });
});
