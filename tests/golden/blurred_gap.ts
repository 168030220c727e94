/**
 * The lead of each maximum in UDP's combined maps, which are searched after a blur: the recorded `argmax_gap` is of the maps before it,
 * and two pixels of a blurred map can be equal but for the last bit where they were not.
 */
import type { ConfigDict } from '../../src/config.js';
import { blurPlane, halfGaussianKernel } from '../../src/codecs/utils/cv2_gaussian_blur.js';
import type { NdArray } from '../../src/ndarray.js';

const DEFAULT_KERNEL = 11;

/**
 * (Largest - second) / |largest| of each blurred class map, [K]; null for other codecs.
 *
 * @param heatmaps - [K * 3, H, W]
 */
export function blurredGap(codec: ConfigDict, { data, shape }: NdArray): Float32Array | null {
  if (codec.type !== 'UDPHeatmap' || codec.heatmap_type !== 'combined') return null;
  const [channels, h, w] = shape;
  const half = halfGaussianKernel(2 * ((codec.blur_kernel_size as number | undefined) ?? DEFAULT_KERNEL) + 1);
  return Float32Array.from({ length: channels / 3 }, (_, k) => {
    const map = Float32Array.from(data.subarray(3 * k * h * w, (3 * k + 1) * h * w));
    blurPlane(map, 0, w, h, half, 'reflect101');
    const [second, largest] = map.sort().subarray(-2);
    return (largest - second) / Math.abs(largest);
  });
}
