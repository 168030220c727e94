/** All codec helpers under one roof (MMPose: `mmpose/codecs/utils`). */
export * from './gaussian_heatmap.js';
export * from './instance_property.js';
export * from './offset_heatmap.js';
export * from './post_processing.js';
export * from './refinement.js';
