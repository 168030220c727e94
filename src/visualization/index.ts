/** Drawing keypoints, skeletons, boxes and heatmaps on a 2D canvas or on plain pixels. */
export { canvasPainter } from './canvas.js';
export type { CanvasPainterOptions, Context2D } from './canvas.js';
export { applyJet, heatmapColors } from './colormap.js';
export {
  drawBboxes,
  drawHeatmap,
  drawKeypoints,
  drawLabels,
  drawLinks,
  drawOpenposeLinks,
  drawTrackIds,
  painterOf,
  toOpenpose,
} from './draw.js';
export type { BboxStyle, DrawTarget, KeypointStyle, LabelStyle, LinkStyle } from './draw.js';
export { PoseLocalVisualizer } from './local_visualizer.js';
export type {
  AddDatasampleOptions,
  PoseLocalVisualizerOptions,
  SkeletonStyle,
  VisualizerImage,
} from './local_visualizer.js';
export { colorVal } from './painter.js';
export type { Color, Colors, Painter, TextStyle } from './painter.js';
export { copyRaster, createRaster, fillPolygon, rasterPainter } from './raster.js';
export type { RasterImage } from './raster.js';
export { drawXyHeatmaps } from './simcc_plot.js';
export type { XyHeatmapStyle } from './simcc_plot.js';
