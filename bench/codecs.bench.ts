/**
 * How long the codecs decode on the CPU in Node: `npx tsx bench/codecs.bench.ts`. Prints medians in milliseconds; there is no
 * pass or fail here.
 */
import { AssociativeEmbedding } from '../src/codecs/associative_embedding.js';
import { MegviiHeatmap } from '../src/codecs/megvii_heatmap.js';
import { MSRAHeatmap } from '../src/codecs/msra_heatmap.js';
import { SimCCLabel } from '../src/codecs/simcc_label.js';
import { UDPHeatmap } from '../src/codecs/udp_heatmap.js';
import type { NdArray } from '../src/ndarray.js';

const RUNS = 100;
const K = 17;

/** The same numbers in every run. */
function makeRandom(start: number): () => number {
  let state = start;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Keypoints [count, K, 2] inside the input. */
function randomKeypoints(count: number, [w, h]: readonly [number, number], random: () => number): NdArray {
  const data = new Float32Array(count * K * 2);
  for (let i = 0; i < data.length; i += 2) {
    data[i] = random() * (w - 1);
    data[i + 1] = random() * (h - 1);
  }
  return { data, shape: [count, K, 2] };
}

/** Maps as a network gives them: peaks below 1 and noise everywhere. */
function withNoise(maps: NdArray, random: () => number, level: number): NdArray {
  return { data: maps.data.map((value) => value * 0.85 + random() * level), shape: maps.shape };
}

/** Persons whose keypoints lie together, with one tag value each around them. */
function crowd(codec: AssociativeEmbedding, persons: number, random: () => number): [NdArray, NdArray] {
  const [w, h] = codec.heatmapSize;
  const [inputW, inputH] = codec.inputSize;
  const keypoints = randomKeypoints(persons, [inputW / 6, inputH / 6], random);
  const tags: NdArray = { data: new Float32Array(K * w * h).map(() => random() * 0.05), shape: [K, h, w] };
  for (let n = 0; n < persons; n++) {
    const [x, y] = [(n % 6) * (inputW / 6), Math.floor(n / 6) * (inputH / 6)];
    for (let k = 0; k < K; k++) {
      const i = (n * K + k) * 2;
      keypoints.data[i] += x;
      keypoints.data[i + 1] += y;
      paintTag(tags, k, keypoints.data[i] / (inputW / w), keypoints.data[i + 1] / (inputH / h), 2 * n);
    }
  }
  const visible = { data: new Float32Array(persons * K).map(() => (random() < 0.8 ? 1 : 0)), shape: [persons, K] };
  const { heatmaps } = codec.encode(keypoints, visible);
  return [withNoise(heatmaps as NdArray, random, 0.02), tags];
}

function paintTag(tags: NdArray, k: number, cx: number, cy: number, tag: number): void {
  const [, h, w] = tags.shape;
  for (let y = Math.max(0, Math.floor(cy) - 6); y < Math.min(h, cy + 6); y++) {
    for (let x = Math.max(0, Math.floor(cx) - 6); x < Math.min(w, cx + 6); x++) tags.data[(k * h + y) * w + x] = tag;
  }
}

function report(name: string, run: () => unknown): void {
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const start = performance.now();
    run();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const [fastest, median] = [times[0], times[RUNS / 2]].map((ms) => ms.toFixed(2).padStart(8));
  process.stdout.write(`${name.padEnd(52)} median ${median} ms   fastest ${fastest} ms\n`);
}

const random = makeRandom(7);
const sizes = { input_size: [288, 384], heatmap_size: [72, 96] } as const;
const points = randomKeypoints(1, sizes.input_size, random);

const udp = new UDPHeatmap({ ...sizes, sigma: 3, blur_kernel_size: 11 });
const udpMaps = withNoise(udp.encode(points).heatmaps as NdArray, random, 0.02);
report('UDPHeatmap.decode 17x96x72, peaks', () => udp.decode(udpMaps));
const noise: NdArray = { data: udpMaps.data.map(random), shape: udpMaps.shape };
report('UDPHeatmap.decode 17x96x72, noise only', () => udp.decode(noise));

const combined = new UDPHeatmap({ ...sizes, heatmap_type: 'combined' });
const combinedMaps = combined.encode(points).heatmaps as NdArray;
report('UDPHeatmap.decode combined 51x96x72', () => combined.decode(combinedMaps));

const msra = new MSRAHeatmap({ ...sizes, sigma: 3 });
report('MSRAHeatmap.decode 17x96x72', () => msra.decode(udpMaps));
const dark = new MSRAHeatmap({ ...sizes, sigma: 3, unbiased: true, blur_kernel_size: 17 });
report('MSRAHeatmap.decode 17x96x72, unbiased', () => dark.decode(udpMaps));
const megvii = new MegviiHeatmap({ ...sizes, kernel_size: 11 });
report('MegviiHeatmap.decode 17x96x72', () => megvii.decode(udpMaps));

const simcc = new SimCCLabel({ input_size: [288, 384], sigma: [6, 6.93], normalize: false, use_dark: true });
const { keypoint_x_labels: simccX, keypoint_y_labels: simccY } = simcc.encode(points);
report('SimCCLabel.decode 17x(576+768), use_dark', () => simcc.decode(simccX as NdArray, simccY as NdArray));

const order = [0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13, 14, 15, 16];
for (const size of [128, 256]) {
  for (const use_udp of [false, true]) {
    const ae = new AssociativeEmbedding({
      input_size: [512, 512],
      heatmap_size: [size, size],
      sigma: 2,
      use_udp,
      decode_keypoint_order: order,
      decode_topk: 30,
    });
    const [maps, tags] = crowd(ae, 30, random);
    const persons = ae.decode(maps, tags).scores.shape[0];
    const name = `AssociativeEmbedding.decode 17x${size}x${size}${use_udp ? ' udp' : ''}, ${persons} persons`;
    report(name, () => ae.decode(maps, tags));
  }
}
