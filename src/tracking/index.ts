/** Following people from frame to frame. Plain arrays, no tfjs. */
export { RoiTracker, type Look, type RoiTrackerOptions, type RoiView } from './roi.js';
export { PoseTracker, type Find, type FrameView, type PoseTrackerOptions } from './pose_tracker.js';
export {
  OneEuroFilter,
  PoseSmoother,
  SMOOTHING_PRESETS,
  type OneEuroOptions,
  type SmoothingPreset,
} from './one_euro_filter.js';
export { trackByIou, type TrackedPerson, type TrackMatch } from './track_by_iou.js';
export { trackByOks } from './track_by_oks.js';
