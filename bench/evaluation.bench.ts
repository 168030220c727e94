/**
 * How long COCO's evaluation and a CPU crop take in Node: `npx tsx bench/evaluation.bench.ts`. Prints medians in milliseconds;
 * there is no pass or fail here.
 */
import type { CocoAnnotation } from '../src/datasets/coco.js';
import { coco } from '../src/datasets/metainfo/coco.js';
import { seededRandom } from '../src/datasets/transforms/random.js';
import { warpAffine } from '../src/datasets/transforms/warp_affine.js';
import { parsePoseMetainfo } from '../src/datasets/utils.js';
import type { EvalSample } from '../src/evaluation/metrics/base.js';
import { CocoMetric } from '../src/evaluation/metrics/coco_metric.js';
import { ndarray } from '../src/ndarray.js';
import { getWarpMatrix } from '../src/structures/bbox/transforms.js';

const PICTURES = 5000;
const PEOPLE = 2;
const K = 17;

function annotate(random: () => number) {
  const images = Array.from({ length: PICTURES }, (_, i) => ({ id: i + 1, width: 640, height: 480 }));
  const annotations = images.flatMap(({ id }) =>
    Array.from({ length: PEOPLE }, (_, p): CocoAnnotation => {
      const keypoints = Array.from({ length: K }, () => [p * 300 + random() * 300, random() * 300, 2]).flat();
      const area = 1000 + random() * 40000;
      const bbox = [p * 300, 0, 300, 300];
      return { id: id * PEOPLE + p, image_id: id, category_id: 1, iscrowd: 0, bbox, area, keypoints, num_keypoints: K };
    }),
  );
  return { images, annotations, categories: [{ id: 1, name: 'person' }] };
}

/** A prediction some pixels off. */
function predict({ id, image_id: imgId, keypoints = [] }: CocoAnnotation, random: () => number): EvalSample {
  const points = Float32Array.from({ length: K * 2 }, (_, i) => keypoints[(i >> 1) * 3 + (i & 1)] + random() * 20);
  const scores = new Float32Array(K).map(() => random());
  return {
    id,
    imgId,
    predInstances: { keypoints: ndarray(points, [1, K, 2]), keypointScores: ndarray(scores, [1, K]) },
  };
}

function median(runs: number, run: () => void): string {
  const times = Array.from({ length: runs }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  return times.sort((a, b) => a - b)[runs >> 1].toFixed(2);
}

const random = seededRandom(1);
const annotations = annotate(random);
const samples = annotations.annotations.map((ann) => predict(ann, random));
const datasetMeta = parsePoseMetainfo(coco);
const evaluation = median(5, () => {
  const metric = new CocoMetric({}, { annotations, datasetMeta });
  metric.process(samples);
  metric.evaluate();
});
console.log(`CocoMetric, ${PICTURES} pictures x ${PEOPLE} people: ${evaluation} ms`);

const frame = {
  data: new Uint8Array(1280 * 720 * 4).map((_, i) => i * 31),
  width: 1280,
  height: 720,
  channels: 4,
} as const;
for (const [place, x] of [
  ['inside', 600],
  ['over the edge', 60],
] as const) {
  const matrix = getWarpMatrix([x, 350], [450, 600], 0, [192, 256]);
  console.log(`crop of 192 x 256, ${place}: ${median(50, () => warpAffine(frame, matrix, [192, 256]))} ms`);
}
