/**
 * The only file that names '@tensorflow/tfjs-core'. Everything else imports `* as tf` from here and uses the functional style
 * (`tf.add(a, b)`, never `a.add(b)`), so that bundlers drop the ops that no model uses.
 */
export * from '@tensorflow/tfjs-core';
