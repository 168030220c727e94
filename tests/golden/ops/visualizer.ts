/** Pictures drawn with OpenCV's primitives and with `PoseLocalVisualizer`, compared byte by byte. */
import type { NdArray } from '../../../src/ndarray.js';
import type { RgbColor } from '../../../src/datasets/metainfo/types.js';
import type { PoseDataSample } from '../../../src/structures/pose_data_sample.js';
import { jetTable } from '../../../src/visualization/colormap.js';
import { drawHeatmap } from '../../../src/visualization/draw.js';
import { PoseLocalVisualizer } from '../../../src/visualization/local_visualizer.js';
import type { SkeletonStyle } from '../../../src/visualization/local_visualizer.js';
import { copyRaster, createRaster, fillPolygon, rasterPainter } from '../../../src/visualization/raster.js';
import type { RasterImage } from '../../../src/visualization/raster.js';
import { ellipse2Poly } from '../../../src/visualization/scan_convert.js';
import type { Point } from '../../../src/visualization/scan_convert.js';
import { exact } from '../runner.js';
import type { CaseContext, Comparison, OpTable } from '../runner.js';

type Bytes = NdArray<Uint8Array>;

function rasterOf(image: Bytes): RasterImage {
  const [height, width] = image.shape;
  return { data: Uint8Array.from(image.data), width, height, channels: 3 };
}

function sameImage({ outputs }: CaseContext, image: RasterImage): Comparison {
  const actual: Bytes = { data: image.data as Uint8Array, shape: [image.height, image.width, image.channels] };
  return exact('image', outputs.image as Bytes, actual);
}

/** The options of the visualizer's constructor among a case's params. */
function visualizerOf(params: Readonly<Record<string, unknown>>): PoseLocalVisualizer {
  const name = (key: string) => params[key] as never;
  return new PoseLocalVisualizer({
    bboxColor: name('bbox_color'),
    kptColor: (params.kpt_color as Bytes | undefined)?.data,
    linkColor: (params.link_color as Bytes | undefined)?.data,
    skeleton: name('skeleton'),
    lineWidth: name('line_width'),
    radius: name('radius'),
    alpha: name('alpha'),
    showKeypointWeight: name('show_keypoint_weight'),
  });
}

function sampleOf({ inputs }: CaseContext): PoseDataSample {
  const image = inputs.image as Bytes;
  const keypoints = inputs.keypoints as NdArray;
  const visible = inputs.keypoints_visible as NdArray;
  const [count] = keypoints.shape;
  const none = { data: new Float32Array(0), shape: [0, 2] };
  return {
    metainfo: {
      imgShape: [image.shape[0], image.shape[1]],
      inputSize: [0, 0],
      inputCenter: none,
      inputScale: none,
      flipIndices: [],
      timestamp: 0,
    },
    predInstances: {
      bboxes: inputs.bboxes as NdArray,
      bboxScores: { data: new Float32Array(count).fill(1), shape: [count] },
      keypoints,
      keypointScores: visible,
      keypointsVisible: visible,
    },
  };
}

function addDatasample(ctx: CaseContext): Comparison[] {
  const { params, inputs } = ctx;
  const drawn = visualizerOf(params).addDatasample(rasterOf(inputs.image as Bytes), sampleOf(ctx), {
    drawGt: params.draw_gt as boolean | undefined,
    drawBbox: params.draw_bbox as boolean | undefined,
    showKptIdx: params.show_kpt_idx as boolean | undefined,
    kptThr: params.kpt_thr as number | undefined,
    skeletonStyle: params.skeleton_style as SkeletonStyle | undefined,
  });
  return [sameImage(ctx, drawn)];
}

function blank({ inputs }: CaseContext): RasterImage {
  const [height, width] = inputs.shape as number[];
  return createRaster(width, height);
}

function drawLine(ctx: CaseContext): Comparison[] {
  const image = blank(ctx);
  const [x1, y1] = ctx.inputs.p1 as Point;
  const [x2, y2] = ctx.inputs.p2 as Point;
  rasterPainter(image).line(x1, y1, x2, y2, ctx.inputs.color as unknown as RgbColor, ctx.inputs.thickness as number);
  return [sameImage(ctx, image)];
}

function drawCircle(ctx: CaseContext): Comparison[] {
  const image = blank(ctx);
  const [x, y] = ctx.inputs.center as Point;
  rasterPainter(image).circle(x, y, ctx.inputs.radius as number, ctx.inputs.color as unknown as RgbColor, 1);
  return [sameImage(ctx, image)];
}

function drawEllipse(ctx: CaseContext): Comparison[] {
  const { center, axes, angle, color } = ctx.inputs;
  const polygon = ellipse2Poly(center as Point, axes as [number, number], angle as number);
  const image = blank(ctx);
  fillPolygon(image, polygon, color as unknown as RgbColor);
  return [exact('polygon', ctx.outputs.polygon, flatPoints(polygon)), sameImage(ctx, image)];
}

function flatPoints(points: readonly Point[]): NdArray<Int32Array> {
  return { data: Int32Array.from(points.flat()), shape: [points.length, 2] };
}

function overlayHeatmap(ctx: CaseContext): Comparison[] {
  const image = copyRaster(rasterOf(ctx.inputs.image as Bytes));
  drawHeatmap(image, ctx.inputs.heatmaps as NdArray);
  return [sameImage(ctx, image)];
}

function colormap(ctx: CaseContext): Comparison[] {
  return [exact('rgb', ctx.outputs.rgb, { data: jetTable(), shape: [256, 3] })];
}

export const OPS: OpTable = {
  'PoseLocalVisualizer.add_datasample': addDatasample,
  'PoseLocalVisualizer._draw_instance_heatmap': overlayHeatmap,
  'cv2.line': drawLine,
  'cv2.circle(filled)': drawCircle,
  'cv2.ellipse2Poly+fillConvexPoly': drawEllipse,
  'cv2.applyColorMap(COLORMAP_JET)': colormap,
};
