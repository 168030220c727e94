/** RTMDet (MMDetection: `mmdet/models/detectors/rtmdet.py`): backbone, neck and head as one network. Training is left out. */
import { readTensor } from '../../backend/readback.js';
import { row, type NdArray } from '../../ndarray.js';
import { disposeModule, Module, type Feats } from '../../nn/module.js';
import type { DetInstanceData } from '../../structures/det_data_sample.js';
import * as tf from '../../tf.js';
import type { Tensor3D, Tensor4D } from '../../tf.js';
import { PoseDataPreprocessor } from '../data_preprocessors/data_preprocessor.js';
import { predictByFeat, type DetTestCfg, type Placement } from './bbox_post_process.js';
import type { BaseRTMDetHead } from './rtmdet_head.js';

export interface DetectorParts {
  readonly backbone: Module<Tensor4D, Feats>;
  readonly neck: Module<Feats, Feats> | null;
  readonly bboxHead: BaseRTMDetHead;
  readonly testCfg: DetTestCfg;
  /** Default: no normalisation. */
  readonly dataPreprocessor?: PoseDataPreprocessor;
}

export type DetectorClass = new (parts: DetectorParts) => RTMDet;

/** The field names `backbone`, `neck` and `bbox_head` are the first parts of the checkpoint's keys. */
export class RTMDet extends Module<Tensor4D, Tensor3D> {
  readonly backbone: Module<Tensor4D, Feats>;
  readonly neck: Module<Feats, Feats> | null;
  readonly bbox_head: BaseRTMDetHead;
  readonly dataPreprocessor: PoseDataPreprocessor;
  readonly testCfg: DetTestCfg;

  constructor(parts: DetectorParts) {
    super();
    this.backbone = parts.backbone;
    this.neck = parts.neck;
    this.bbox_head = parts.bboxHead;
    this.testCfg = parts.testCfg;
    this.dataPreprocessor = parts.dataPreprocessor ?? new PoseDataPreprocessor();
  }

  /** x [N, h, w, 3], normalised, sides multiples of the coarsest stride -> [N, P, classes + 4]; see the head. */
  override forward(x: Tensor4D): Tensor3D {
    return tf.tidy(() => {
      const feats = this.backbone.forward(x);
      return this.bbox_head.forward(this.neck ? this.neck.forward(feats) : feats);
    });
  }

  /**
   * Boxes of a batch. Everything that needs the backend happens before the first await.
   *
   * @param x - [N, h, w, 3], normalised
   * @param placements - N
   */
  async predict(x: Tensor4D, placements: readonly Placement[], scoreThr?: number): Promise<DetInstanceData[]> {
    const output = this.forward(x);
    try {
      const { shape } = output;
      return this.decodeOutput({ data: await readTensor(output), shape }, placements, scoreThr);
    } finally {
      output.dispose();
    }
  }

  /**
   * `predict` for outputs that are numbers already.
   *
   * @param output - [N, P, classes + 4]
   * @param scoreThr - used where it is higher than the config's; the boxes that are left are the same
   */
  decodeOutput(output: NdArray, placements: readonly Placement[], scoreThr = 0): DetInstanceData[] {
    const testCfg = { ...this.testCfg, scoreThr: Math.max(this.testCfg.scoreThr, scoreThr) };
    return placements.map((placement, i) => predictByFeat(row(output, i), this.bbox_head, testCfg, placement));
  }

  /** Frees all parameters. Safe to call twice. */
  dispose(): void {
    disposeModule(this);
  }
}
