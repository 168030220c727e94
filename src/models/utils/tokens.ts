/** Pictures as lists of tokens, as transformers take them: NHWC with one axis less, so neither way moves an element. */
import * as tf from '../../tf.js';
import type { Tensor3D, Tensor4D } from '../../tf.js';

/** Height and width of the map that tokens stand for. */
export type Size = readonly [h: number, w: number];

/** [N, h w, C] -> [N, h, w, C] */
export function toMap(tokens: Tensor3D, [h, w]: Size): Tensor4D {
  const [n, , channels] = tokens.shape;
  return tf.reshape(tokens, [n, h, w, channels]);
}

/** [N, h, w, C] -> [N, h w, C] */
export function toTokens(map: Tensor4D): Tensor3D {
  const [n, h, w, channels] = map.shape;
  return tf.reshape(map, [n, h * w, channels]);
}
