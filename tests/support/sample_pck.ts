/**
 * Where the joints of the demo's sample picture are: rendered, so they are exact. What the default model finds there must hold for
 * every set of weights that may take the present one's place.
 */
import sample from '../fixtures/sample_keypoints.json' with { type: 'json' };

export const SAMPLE_SIZE = sample.size as [w: number, h: number];

/** Distances count against the larger side of the box round the joints. */
const PCK_THRESHOLD = 0.1;
/** The least share of joints nearer than that which a usable default model finds in so easy a picture. */
export const LEAST_PCK = 0.75;

/** Share of the sample's joints that were found. */
export function samplePck(keypoints: readonly (readonly number[])[]): number {
  const sides = [0, 1].map((axis) => {
    const values = sample.keypoints.map((point) => point[axis]);
    return Math.max(...values) - Math.min(...values);
  });
  const size = Math.max(...sides);
  const found = sample.keypoints.filter(([x, y], k) => {
    const [foundX, foundY] = keypoints[k] ?? [NaN, NaN];
    return Math.hypot(foundX - x, foundY - y) < PCK_THRESHOLD * size;
  });
  return found.length / sample.keypoints.length;
}
