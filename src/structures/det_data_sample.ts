/** What a detector finds (MMDetection's `DetDataSample`), as plain columns of typed arrays. */
import type { NdArray } from '../ndarray.js';

/** Columns of N boxes, best first. */
export interface DetInstanceData {
  /** [N, 4] xyxy, px, image space. */
  bboxes: NdArray;
  /** [N], 0..1. */
  scores: NdArray;
  /** [N] index of the class. */
  labels: NdArray<Int32Array>;
}

/** One picture's detections. */
export interface DetDataSample {
  metainfo: {
    /** Height and width of the source picture, px. */
    imgShape: readonly [h: number, w: number];
    /** Network input, px. */
    inputSize: readonly [w: number, h: number];
    /** Size of the picture in the input by its own. */
    scaleFactor: readonly [w: number, h: number];
    /** Presentation time of the frame, ms; 0 for a still picture. */
    timestamp: number;
  };
  predInstances: DetInstanceData;
}
