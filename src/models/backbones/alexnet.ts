/** AlexNet as a feature extractor, from MMPose's `backbones/alexnet.py`. Not here: its classifier. */
import { readConfig } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { Act } from '../../nn/act.js';
import { Conv2d } from '../../nn/conv.js';
import { chain, Module, type AnyModule, type Feats } from '../../nn/module.js';
import { MaxPool2d } from '../../nn/pool.js';
import type { Tensor4D } from '../../tf.js';

/** Input [N, H, W, 3], output one map [N, h, w, 256]. */
export class AlexNet extends Module<Tensor4D, Feats> {
  readonly features: readonly AnyModule[];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const { num_classes: classes } = readConfig<{ num_classes: number }>(config, where, { num_classes: -1 });
    if (classes > 0) {
      throw new ConfigError(
        `${where}.num_classes: found ${classes}; a pose network has no classifier: leave the key out.`,
      );
    }
    const relu = () => new Act({ type: 'ReLU' });
    const pool = () => new MaxPool2d(3, { stride: 2 });
    this.features = [
      ...[new Conv2d(3, 64, 11, { stride: 4, padding: 2 }), relu(), pool()],
      ...[new Conv2d(64, 192, 5, { padding: 2 }), relu(), pool()],
      ...[new Conv2d(192, 384, 3, { padding: 1 }), relu()],
      ...[new Conv2d(384, 256, 3, { padding: 1 }), relu()],
      ...[new Conv2d(256, 256, 3, { padding: 1 }), relu(), pool()],
    ];
  }

  override forward(x: Tensor4D): Feats {
    return [chain(this.features, x)];
  }
}
