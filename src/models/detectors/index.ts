/** The detectors that configs may name, and their heads, each loaded when it is first built. */
import { Registry } from '../../registry.js';
import type { DetectorClass } from './rtmdet.js';
import type { BboxHeadClass } from './rtmdet_head.js';

export type { DetectorClass, DetectorParts, RTMDet } from './rtmdet.js';
export type { BboxHeadClass } from './rtmdet_head.js';

export const DETECTORS = /*@__PURE__*/ new Registry<DetectorClass>('DETECTORS', {
  RTMDet: () => import('./rtmdet.js').then((m) => m.RTMDet),
});

export const BBOX_HEADS = /*@__PURE__*/ new Registry<BboxHeadClass>('BBOX_HEADS', {
  RTMDetHead: () => import('./rtmdet_head.js').then((m) => m.RTMDetHead),
  RTMDetSepBNHead: () => import('./rtmdet_head.js').then((m) => m.RTMDetSepBNHead),
});
