/** Following people from frame to frame. Plain arrays, no tfjs. */
export { RoiTracker, type Look, type RoiTrackerOptions, type RoiView } from './roi.js';
