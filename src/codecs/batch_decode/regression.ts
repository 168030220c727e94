/** Coordinates [N, K, 2], or [N, K, 4] with sigmas -> [N, K, 3]: x, y in input space and the score. */
import { InputError } from '../../errors.js';
import * as tf from '../../tf.js';
import type { Tensor, Tensor3D } from '../../tf.js';
import type { RegressionLabel } from '../regression_label.js';
import { requireTensors, scaleColumns } from './columns.js';

const EXPECTED = '[N, K, 2], or [N, K, 4] with sigma';

export function decodeRegression(codec: RegressionLabel, encoded: readonly Tensor[]): Tensor3D {
  requireTensors(encoded, 3, 1, 'RegressionLabel', EXPECTED);
  const coords = encoded[0] as Tensor3D;
  const [n, k, dims] = coords.shape;
  if (dims !== 2 && dims !== 4) {
    throw new InputError(
      `RegressionLabel.batchDecode: found shape [${coords.shape.join(', ')}]; expected ${EXPECTED}.`,
    );
  }
  return tf.tidy(() => {
    const points = scaleColumns(dims === 2 ? coords : tf.slice(coords, [0, 0, 0], [n, k, 2]), codec.inputSize);
    if (dims === 2) return tf.concat([points, tf.ones<tf.Rank.R3>([n, k, 1])], 2);
    // The mean of 1 - sigma over both axes.
    const [sigmaX, sigmaY] = [2, 3].map((column) => tf.slice(coords, [0, 0, column], [n, k, 1]));
    const score = tf.mul<Tensor3D>(tf.add(tf.sub(1, sigmaX), tf.sub(1, sigmaY)), 0.5);
    return tf.concat([points, score], 2);
  });
}
