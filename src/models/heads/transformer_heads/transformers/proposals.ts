/** The boxes that ED-Pose's first queries start from (MMPose: `EDPoseHead.gen_encoder_output_proposals`): one around each pixel. */
import type { MapSizes } from './deformable_detr_layers.js';

/** A box whose logits are this large covers the picture: the sigmoid is 1, as of MMPose's infinity. */
const EVERYTHING = 1e4;

const f32 = Math.fround;

/** Of all pixels of all maps. */
export interface Proposals {
  /** [S, 4] centre and size as logits of fractions. */
  readonly logits: Float32Array;
  /** [S]: 0 where the box touches the picture's border, and the pixel does not count. */
  readonly counts: Float32Array;
}

export function proposalsOf(maps: MapSizes): Proposals {
  const total = maps.reduce((sum, [h, w]) => sum + h * w, 0);
  const logits = new Float32Array(4 * total);
  const counts = new Float32Array(total);
  let at = 0;
  for (const [level, [h, w]] of maps.entries()) {
    const size = f32(f32(0.05) * 2 ** level);
    for (let i = 0; i < h * w; i++, at++) {
      const box = [f32(((i % w) + 0.5) / w), f32((Math.floor(i / w) + 0.5) / h), size, size];
      const isInside = box.every((value) => value > f32(0.01) && value < f32(0.99));
      counts[at] = Number(isInside);
      logits.set(
        box.map((value) => (isInside ? Math.log(value / (1 - value)) : EVERYTHING)),
        4 * at,
      );
    }
  }
  return { logits, counts };
}
