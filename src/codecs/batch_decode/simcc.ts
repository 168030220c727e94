/**
 * SimCC vectors x [N, K, Wx], y [N, K, Wy] -> [N, K, 3]: x, y in input space and the score. With `decode_visibility` the visibility
 * is one more column before the score.
 */
import { InputError } from '../../errors.js';
import { blurAxis } from '../../ops/blur_axis.js';
import { simccArgmax } from '../../ops/simcc_argmax.js';
import { simccDark } from '../../ops/simcc_dark.js';
import { simccVisibility } from '../../ops/simcc_visibility.js';
import * as tf from '../../tf.js';
import type { Tensor, Tensor3D } from '../../tf.js';
import { darkKernel, type SimCCLabel } from '../simcc_label.js';
import { halfGaussianKernel } from '../utils/cv2_gaussian_blur.js';
import { requireTensors, scaleColumns } from './columns.js';

export function decodeSimcc(codec: SimCCLabel, encoded: readonly Tensor[]): Tensor3D {
  requireTensors(encoded, 3, 2, 'SimCCLabel', 'vectors x [N, K, Wx] and y [N, K, Wy]');
  const [x, y] = encoded as [Tensor3D, Tensor3D];
  if (x.shape[0] !== y.shape[0] || x.shape[1] !== y.shape[1]) {
    throw new InputError(
      `SimCCLabel.batchDecode: found [${x.shape.join(', ')}] and [${y.shape.join(', ')}]; expected vectors of equal N and K.`,
    );
  }
  return tf.tidy(() => decodeVectors(codec, x, y));
}

function decodeVectors(codec: SimCCLabel, x: Tensor3D, y: Tensor3D): Tensor3D {
  const { useDark, decodeVisibility, decodeBeta, sigma, simccSplitRatio } = codec;
  const blurredX = useDark ? blurVectors(x, sigma[0]) : x;
  const blurredY = useDark ? blurVectors(y, sigma[1]) : y;
  const peaks = simccArgmax({ x, y }, {});
  const bins = useDark ? simccDark({ peaks, x, y, blurredX, blurredY }, {}) : peaks;
  const packed = scaleColumns(bins, [1 / simccSplitRatio, 1 / simccSplitRatio, 1]);
  if (!decodeVisibility) return packed;
  const attrs = { dark: useDark, beta: decodeBeta, sigma: [...sigma] as [number, number] };
  const visible = simccVisibility({ x, y, blurredX, blurredY }, attrs);
  const [n, k] = packed.shape;
  const column = (start: number, size: number) => tf.slice(packed, [0, 0, start], [n, k, size]);
  return tf.concat([column(0, 2), visible, column(2, 1)], 2);
}

/** DARK's blur along the bins. */
function blurVectors(vectors: Tensor3D, sigma: number): Tensor3D {
  const half = [...halfGaussianKernel(darkKernel(sigma))];
  const [n, k, bins] = vectors.shape;
  const maps = tf.reshape<tf.Rank.R4>(vectors, [n, k, bins, 1]);
  return tf.reshape<tf.Rank.R3>(blurAxis({ maps }, { axis: 2, half, border: 'zero', step: 1 }), [n, k, bins]);
}
