/** Heatmaps [N, h, w, K] -> [N, K, 3]: x, y in input space and the score. The numbers are those of each codec's `decode`. */
import { InputError } from '../../errors.js';
import { addOffsets } from '../../ops/add_offsets.js';
import { blurAxis } from '../../ops/blur_axis.js';
import { darkRefine } from '../../ops/dark_refine.js';
import { heatmapArgmax } from '../../ops/heatmap_argmax.js';
import { megviiRefine } from '../../ops/megvii_refine.js';
import { quarterOffset } from '../../ops/quarter_offset.js';
import * as tf from '../../tf.js';
import type { Tensor, Tensor3D, Tensor4D } from '../../tf.js';
import type { MegviiHeatmap } from '../megvii_heatmap.js';
import type { MSRAHeatmap } from '../msra_heatmap.js';
import type { UDPHeatmap } from '../udp_heatmap.js';
import { halfGaussianKernel, type BlurBorder } from '../utils/cv2_gaussian_blur.js';
import { requireTensors, scaleColumns } from './columns.js';

export function decodeMsra(codec: MSRAHeatmap, encoded: readonly Tensor[]): Tensor3D {
  const maps = oneMap(encoded, 'MSRAHeatmap');
  return tf.tidy(() => {
    const peaks = heatmapArgmax({ maps }, {});
    const refined = codec.unbiased
      ? refineDark(maps, peaks, codec.blurKernelSize, false)
      : quarterOffset({ peaks, maps }, {});
    return scaleColumns(refined, [...codec.scaleFactor, 1]);
  });
}

export function decodeUdp(codec: UDPHeatmap, encoded: readonly Tensor[]): Tensor3D {
  const maps = oneMap(encoded, 'UDPHeatmap');
  const [w, h] = codec.inputSize;
  const [mapW, mapH] = codec.heatmapSize;
  return tf.tidy(() => {
    const peaks = codec.heatmapType === 'gaussian' ? udpGaussian(codec, maps) : udpCombined(codec, maps);
    return scaleColumns(peaks, [w / (mapW - 1), h / (mapH - 1), 1]);
  });
}

function udpGaussian(codec: UDPHeatmap, maps: Tensor4D): Tensor3D {
  return refineDark(maps, heatmapArgmax({ maps }, {}), codec.blurKernelSize, true);
}

/** Maximum of the blurred class maps plus the offsets found there. */
function udpCombined(codec: UDPHeatmap, maps: Tensor4D): Tensor3D {
  const [, h, w, channels] = maps.shape;
  if (channels % 3 !== 0) {
    throw new InputError(`UDPHeatmap.batchDecode: found ${channels} maps; expected 3 per keypoint for "combined".`);
  }
  const classes = blur(maps, 2 * codec.blurKernelSize + 1, 'reflect101', 3);
  const radius = Math.fround(codec.radiusFactor * Math.max(w, h));
  return addOffsets({ peaks: heatmapArgmax({ maps: classes }, {}), maps }, { radius });
}

export function decodeMegvii(codec: MegviiHeatmap, encoded: readonly Tensor[]): Tensor3D {
  const maps = oneMap(encoded, 'MegviiHeatmap');
  return tf.tidy(() => {
    const [n, , , k] = maps.shape;
    const blurred = blur(maps, codec.kernelSize, 'zero');
    const before = heatmapArgmax({ maps }, {});
    const after = heatmapArgmax({ maps: blurred }, {});
    const top = (peaks: Tensor3D) => tf.slice(peaks, [0, 0, 2], [n, k, 1]);
    const ratio = tf.reshape(tf.div(top(before), top(after)), [n, 1, 1, k]);
    const scaled = tf.mul<Tensor4D>(blurred, ratio);
    const peaks = heatmapArgmax({ maps: scaled }, {});
    return scaleColumns(megviiRefine({ peaks, maps: scaled, before, after }, {}), [...codec.scaleFactor, 1]);
  });
}

function refineDark(maps: Tensor4D, peaks: Tensor3D, kernel: number, udp: boolean): Tensor3D {
  const blurred = blur(maps, kernel, 'zero');
  return darkRefine({ peaks, blurred, blurredPeaks: heatmapArgmax({ maps: blurred }, {}) }, { udp });
}

/** `cv2.GaussianBlur` of every `step`-th map. */
function blur(maps: Tensor4D, kernel: number, border: BlurBorder, step = 1): Tensor4D {
  const half = [...halfGaussianKernel(kernel)];
  const rows = blurAxis({ maps }, { axis: 2, half, border, step });
  return blurAxis({ maps: rows }, { axis: 1, half, border, step: 1 });
}

function oneMap(encoded: readonly Tensor[], where: string): Tensor4D {
  requireTensors(encoded, 4, 1, where, 'one tensor of heatmaps [N, h, w, K]');
  return encoded[0] as Tensor4D;
}
