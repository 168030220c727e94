/**
 * ED-Pose's attention among persons and their keypoints. MMPose masks a product of all with all; here only what may be seen is
 * multiplied: of a person its own group and the other persons, of a keypoint its own group.
 */
import { batchMatMul } from '../../../../ops/batch_mat_mul.js';
import * as tf from '../../../../tf.js';
import type { Tensor3D } from '../../../../tf.js';
import { joinHeads, splitHeads, type Attend } from '../../../utils/multihead_attention.js';

/** Far below all scores: nothing is left of it after a softmax. */
const HIDDEN = -1e9;

/** Queries in groups of `size`, of which the first is the person. */
export function lookInGroups(size: number): Attend {
  return (q, k, v, heads) => {
    const [n, length, dims] = q.shape;
    const groups = length / size;
    const byGroup = [q, k, v].map((x) => splitHeads(tf.reshape(x, [n * groups, size, dims]) as Tensor3D, heads));
    const persons = [q, k, v].map((x) => {
      const first = tf.slice(tf.reshape(x, [n, groups, size, dims]), [0, 0, 0, 0], [n, groups, 1, dims]);
      return splitHeads(tf.reshape(first, [n, groups, dims]) as Tensor3D, heads);
    });
    const scores = batchMatMul(byGroup[0], byGroup[1], true);
    const [own, others] = tf.split<Tensor3D>(scores, [1, size - 1], 1);
    const points = batchMatMul(tf.softmax(others, 2), byGroup[2]);
    const person = seenByPersons(own, persons, byGroup[2], { n, groups, heads });
    return tf.reshape(joinHeads(tf.concat([person, points], 1), heads), [n, length, dims]);
  };
}

interface Counts {
  readonly n: number;
  readonly groups: number;
  readonly heads: number;
}

/**
 * @param own - scores of persons against their own group, [N groups heads, 1, size]
 * @param persons - queries, keys and values of persons, [N heads, groups, d]
 * @param values - of all groups, [N groups heads, size, d]
 * @returns [N groups heads, 1, d]
 */
function seenByPersons(own: Tensor3D, [q, k, v]: readonly Tensor3D[], values: Tensor3D, counts: Counts): Tensor3D {
  const { n, groups, heads } = counts;
  const size = own.shape[2];
  const d = v.shape[2];
  /** [n groups heads, 1, w] <-> [n heads, groups, w] */
  const toHeads = (x: Tensor3D, w: number): Tensor3D =>
    tf.reshape(tf.transpose(tf.reshape(x, [n, groups, heads, w]), [0, 2, 1, 3]), [n * heads, groups, w]);
  const toGroups = (x: Tensor3D, w: number): Tensor3D =>
    tf.reshape(tf.transpose(tf.reshape(x, [n, heads, groups, w]), [0, 2, 1, 3]), [n * groups * heads, 1, w]);
  // A person is one of its own group already.
  const itself = Float32Array.from({ length: groups * groups }, (_, i) => (i % (groups + 1) === 0 ? HIDDEN : 0));
  const each: Tensor3D = tf.add(batchMatMul(q, k, true), tf.tensor3d(itself, [1, groups, groups]));
  const weights = tf.softmax(tf.concat([toHeads(own, size), each], 2), 2);
  const [ofOwn, ofEach] = tf.split<Tensor3D>(weights, [size, groups], 2);
  const seen = batchMatMul(toGroups(ofOwn, size), values);
  return tf.add(seen, toGroups(batchMatMul(ofEach, v), d));
}
