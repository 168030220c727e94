/**
 * MMPose's `PoseLocalVisualizer`: draws a `PoseDataSample` in the colours of its meta-info, onto a 2D canvas or onto plain pixels.
 * It renders and filters by `kptThr`, nothing else. Windows, files and storage backends of MMPose are left out: a page has its own.
 */
import { DATASET_METAINFO } from '../datasets/metainfo/index.js';
import type { PoseMetaInfo } from '../datasets/metainfo/types.js';
import { parsePoseMetainfo } from '../datasets/utils.js';
import { ConfigError, InputError } from '../errors.js';
import { didYouMean } from '../config.js';
import type { NdArray } from '../ndarray.js';
import { row } from '../ndarray.js';
import type { InstanceData, PoseDataSample, PredFields } from '../structures/pose_data_sample.js';
import { canvasPainter, resultContext } from './canvas.js';
import type { Context2D } from './canvas.js';
import {
  drawBboxes,
  drawHeatmap,
  drawKeypoints,
  drawLabels,
  drawLinks,
  drawOpenposeLinks,
  drawTrackIds,
  toOpenpose,
} from './draw.js';
import { colorList } from './painter.js';
import type { Color, Colors, Painter } from './painter.js';
import { copyRaster, createRaster, rasterPainter } from './raster.js';
import type { RasterImage } from './raster.js';
import { drawXyHeatmaps } from './simcc_plot.js';

export type SkeletonStyle = 'mmpose' | 'openpose';

/** Looks; a meta-info given to `setDatasetMeta` overrides the colours and the skeleton. */
export interface PoseLocalVisualizerOptions {
  /** @default 'green' */
  readonly bboxColor?: Color;
  /** One colour, or one per keypoint. @default 'red' */
  readonly kptColor?: Colors;
  /** One colour, or one per link; null draws no links. @default null */
  readonly linkColor?: Colors;
  /** Track ids; null leaves them out. @default 'white' */
  readonly textColor?: Color | null;
  /** Pairs of keypoint indices. @default null */
  readonly skeleton?: readonly (readonly number[])[] | null;
  /** px @default 1 */
  readonly lineWidth?: number;
  /** px @default 3 */
  readonly radius?: number;
  /** Make unsure keypoints transparent. @default false */
  readonly showKeypointWeight?: boolean;
  /** Opacity of keypoints and boxes, 0..1. @default 1 */
  readonly alpha?: number;
  /** Anti-aliased strokes on a canvas, instead of exactly the pixels that MMPose fills. @default false */
  readonly smooth?: boolean;
  /** The canvas to draw on; resized to the picture. @default a canvas of its own per call: an element on a page, else an OffscreenCanvas */
  readonly context?: Context2D | null;
}

export interface AddDatasampleOptions {
  /** @default whether the sample has annotations; true leaves room for them in any case, as MMPose does */
  readonly drawGt?: boolean | null;
  /** @default true */
  readonly drawPred?: boolean;
  /** A second row with the heatmaps over the picture; for SimCC models, with a bar per keypoint and axis. @default false */
  readonly drawHeatmap?: boolean;
  /** @default false */
  readonly drawBbox?: boolean;
  /** Index beside each keypoint. @default false */
  readonly showKptIdx?: boolean;
  /** Name beside each keypoint; needs a meta-info. @default false */
  readonly showKptName?: boolean;
  /** Track id at each box, where the sample has ids. @default true */
  readonly showTrackId?: boolean;
  /** @default 'mmpose' */
  readonly skeletonStyle?: SkeletonStyle;
  /** Draw on black instead of the picture. @default false */
  readonly blackBackground?: boolean;
  /** Keypoints with a lower score are not drawn. @default 0.3 */
  readonly kptThr?: number;
}

/** Anything a canvas can draw; null leaves the background transparent (an overlay). */
export type VisualizerImage = CanvasImageSource | ImageData | null;

type Looks = Required<PoseLocalVisualizerOptions>;
type Choices = Required<AddDatasampleOptions>;

const LOOKS: Looks = {
  bboxColor: 'green',
  kptColor: 'red',
  linkColor: null,
  textColor: 'white',
  skeleton: null,
  lineWidth: 1,
  radius: 3,
  showKeypointWeight: false,
  alpha: 1,
  smooth: false,
  context: null,
};

const CHOICES: Choices = {
  drawGt: null,
  drawPred: true,
  drawHeatmap: false,
  drawBbox: false,
  showKptIdx: false,
  showKptName: false,
  showTrackId: true,
  skeletonStyle: 'mmpose',
  blackBackground: false,
  kptThr: 0.3,
};

/** Meta-info with OpenPose's order and colours, per dataset. */
const OPENPOSE_METAINFO: Readonly<Record<string, string>> = {
  coco: 'coco_openpose',
  coco_wholebody: 'coco_wholebody_openpose',
};

/** One cell of the output: what to draw there. */
type Panel = (painter: Painter) => void;

/**
 * Draws keypoints, skeletons, boxes and heatmaps.
 *
 * @example
 * const visualizer = new PoseLocalVisualizer({ radius: 4, lineWidth: 2, context: canvas.getContext('2d') });
 * await visualizer.setDatasetMeta(inferencer.metainfo);
 * visualizer.addDatasample(photo, sample, { drawGt: false, kptThr: 0.4 });
 */
export class PoseLocalVisualizer {
  readonly #options: Looks;
  #looks: Looks;
  #names: readonly string[] = [];

  /** @throws ConfigError for an unknown option */
  constructor(options: PoseLocalVisualizerOptions = {}) {
    this.#options = withDefaults(options, LOOKS, 'PoseLocalVisualizer');
    this.#looks = this.#options;
  }

  /**
   * Takes skeleton and colours from a meta-info. The mmpose style holds when this returns; the openpose style first loads its own
   * meta-info, so await the result.
   *
   * @throws ConfigError when the dataset has no openpose style (coco and coco_wholebody have)
   */
  async setDatasetMeta(metainfo: PoseMetaInfo, skeletonStyle: SkeletonStyle = 'mmpose'): Promise<void> {
    this.#applyMeta(skeletonStyle === 'openpose' ? await openposeMetainfo(metainfo.datasetName) : metainfo);
  }

  #applyMeta(metainfo: PoseMetaInfo): void {
    this.#names = metainfo.keypointId2name;
    this.#looks = {
      ...this.#options,
      kptColor: metainfo.keypointColors,
      linkColor: metainfo.skeletonLinkColors,
      skeleton: metainfo.skeletonLinks,
    };
  }

  /**
   * Draws a sample. With annotations and predictions both present the left half shows the annotations and the right half the
   * predictions; with `drawHeatmap` a second row below shows the heatmaps.
   *
   * @param image - on a canvas: anything drawable, or null for a transparent overlay of the sample's `imgShape`.
   *   As plain pixels: a `RasterImage`, which is not changed; the result then equals OpenCV's drawing to the pixel
   * @returns the canvas drawn on, or new pixels
   * @throws InputError when colours do not fit the keypoints, or the picture has no size
   */
  addDatasample(image: RasterImage, sample: PoseDataSample, options?: AddDatasampleOptions): RasterImage;
  addDatasample(
    image: VisualizerImage,
    sample: PoseDataSample,
    options?: AddDatasampleOptions,
  ): HTMLCanvasElement | OffscreenCanvas;
  addDatasample(
    image: RasterImage | VisualizerImage,
    sample: PoseDataSample,
    options: AddDatasampleOptions = {},
  ): RasterImage | HTMLCanvasElement | OffscreenCanvas {
    const choices = withDefaults(options, CHOICES, 'addDatasample');
    const grid = this.#panels(sample, choices);
    if (isRaster(image)) return drawRasterGrid(choices.blackBackground ? blackLike(image) : image, grid);
    return this.#drawCanvasGrid(image, sample, grid, choices.blackBackground);
  }

  /** Rows of panels, all rows of equal length. */
  #panels(sample: PoseDataSample, choices: Choices): Panel[][] {
    const sides: [InstanceData | undefined, PredFields | undefined][] = [];
    if (choices.drawGt ?? sample.gtInstances) sides.push([sample.gtInstances, undefined]);
    if (choices.drawPred || sides.length === 0) sides.push([sample.predInstances, sample.predFields]);
    const poses = sides.map(([instances]): Panel => (painter) => {
      if (instances) this.#drawInstances(painter, instances, choices);
    });
    if (!choices.drawHeatmap || !sides.some(([, fields]) => fields)) return [poses];
    const heatmaps = sides.map(([instances, fields]): Panel => (painter) => {
      if (!fields) return;
      // As in MMPose, the SimCC vectors beside the heatmaps decide.
      if (instances?.keypointXLabels) drawXyHeatmaps(painter, fields.heatmaps);
      else drawHeatmap(painter, fields.heatmaps);
    });
    return [poses, heatmaps];
  }

  #drawInstances(painter: Painter, instances: InstanceData, choices: Choices): void {
    const { bboxColor, lineWidth, alpha, textColor } = this.#looks;
    if (choices.skeletonStyle === 'openpose') this.#drawOpenpose(painter, instances, choices);
    else this.#drawMmpose(painter, instances, choices);
    if (choices.drawBbox) drawBboxes(painter, instances.bboxes, { color: bboxColor, lineWidth, alpha });
    if (choices.showTrackId && textColor !== null) drawTrackIds(painter, instances, { color: textColor });
  }

  #drawMmpose(painter: Painter, instances: InstanceData, choices: Choices): void {
    const { kptColor, linkColor, skeleton, lineWidth, radius, alpha, showKeypointWeight } = this.#looks;
    const { kptThr } = choices;
    // A person's dots go over the own links but under the next person's.
    for (const [points, visible] of eachPerson(instances.keypoints, instances.keypointsVisible)) {
      if (skeleton && linkColor !== null) {
        drawLinks(painter, points, visible, { links: skeleton, colors: linkColor, lineWidth, kptThr });
      }
      drawKeypoints(painter, points, visible, { colors: kptColor, radius, alpha, showKeypointWeight, kptThr });
      this.#drawKeypointLabels(painter, points, visible, choices);
    }
  }

  #drawKeypointLabels(painter: Painter, points: NdArray, visible: NdArray, choices: Choices): void {
    const { showKptIdx, showKptName, kptThr } = choices;
    if (!showKptIdx && !showKptName) return;
    const { kptColor, radius } = this.#looks;
    const labelOf = (k: number) =>
      [showKptIdx ? String(k) : '', showKptName ? (this.#names[k] ?? '') : ''].filter(Boolean).join(' ');
    drawLabels(painter, points, visible, labelOf, { colors: kptColor, radius, kptThr });
  }

  #drawOpenpose(painter: Painter, instances: InstanceData, { kptThr }: Choices): void {
    const { kptColor, linkColor, skeleton, lineWidth, radius, alpha, showKeypointWeight } = this.#looks;
    const { keypoints, scores } = toOpenpose(instances.keypoints, instances.keypointsVisible, kptThr);
    for (const [points, visible] of eachPerson(keypoints, scores)) {
      if (skeleton && linkColor !== null) {
        drawOpenposeLinks(painter, points, visible, { links: skeleton, colors: linkColor, lineWidth, kptThr });
      }
      drawOpenposeKeypoints(painter, points, visible, { colors: kptColor, radius, alpha, showKeypointWeight, kptThr });
    }
  }

  #drawCanvasGrid(
    image: VisualizerImage,
    sample: PoseDataSample,
    grid: Panel[][],
    black: boolean,
  ): HTMLCanvasElement | OffscreenCanvas {
    const [width, height] = sizeOfImage(image, sample);
    const [columns, rows] = [grid[0].length, grid.length];
    const context = this.#looks.context ?? resultContext(width * columns, height * rows);
    fitCanvas(context, width * columns, height * rows);
    grid.forEach((panels, y) =>
      panels.forEach((panel, x) => {
        context.save();
        context.translate(x * width, y * height);
        context.beginPath();
        context.rect(0, 0, width, height);
        context.clip();
        const painter = canvasPainter(context, { width, height, smooth: this.#looks.smooth });
        if (black) painter.flood([0, 0, 0]);
        else drawPicture(context, image, x * width, y * height, width, height);
        panel(painter);
        context.restore();
      }),
    );
    return context.canvas;
  }
}

/** Options over defaults; a name that no default has is an error rather than a silent nothing. */
function withDefaults<T extends object>(given: Partial<T>, defaults: T, where: string): T {
  const out = { ...defaults };
  for (const [key, value] of Object.entries(given)) {
    if (!(key in defaults)) {
      throw new ConfigError(
        `${where}: unknown option "${key}"; expected ${Object.keys(defaults).join(', ')}.${didYouMean(key, Object.keys(defaults))}`,
      );
    }
    if (value !== undefined) Object.assign(out, { [key]: value });
  }
  return out;
}

async function openposeMetainfo(datasetName: string): Promise<PoseMetaInfo> {
  const name = OPENPOSE_METAINFO[datasetName];
  if (!name) {
    throw new ConfigError(
      `setDatasetMeta: the openpose style has no skeleton for "${datasetName}"; use it with ${Object.keys(OPENPOSE_METAINFO).join(' or ')}, or choose the mmpose style.`,
    );
  }
  return parsePoseMetainfo(await DATASET_METAINFO.get(name, 'setDatasetMeta'));
}

function eachPerson(keypoints: NdArray, visible: NdArray): [points: NdArray, visible: NdArray][] {
  return Array.from({ length: keypoints.shape[0] }, (_, n) => [row(keypoints, n), row(visible, n)]);
}

/** Body dots at full size, face and hand dots at half; black means "do not draw". */
function drawOpenposeKeypoints(
  painter: Painter,
  points: NdArray,
  visible: NdArray,
  style: { colors: Colors; radius: number; alpha: number; showKeypointWeight: boolean; kptThr: number },
): void {
  const count = points.shape[0];
  const colors = colorList(style.colors, count, 'kptColor');
  const shown = colors.map((color) => (color && color.some((c) => c > 0) ? color : null));
  const only = (from: number, to: number) => shown.map((color, k) => (k >= from && k < to ? color : null));
  drawKeypoints(painter, points, visible, { ...style, colors: only(0, 18) });
  const radius = Math.floor(style.radius / 2);
  if (count > 18) drawKeypoints(painter, points, visible, { ...style, colors: only(18, count), radius });
}

function isRaster(image: RasterImage | VisualizerImage): image is RasterImage {
  return image !== null && 'channels' in image;
}

function blackLike({ width, height, channels }: RasterImage): RasterImage {
  const image = createRaster(width, height, channels);
  rasterPainter(image).flood([0, 0, 0]);
  return image;
}

function drawRasterGrid(image: RasterImage, grid: Panel[][]): RasterImage {
  const cells = grid.map((panels) =>
    panels.map((panel) => {
      const cell = copyRaster(image);
      panel(rasterPainter(cell));
      return cell;
    }),
  );
  if (cells.length === 1 && cells[0].length === 1) return cells[0][0];
  const out = createRaster(image.width * cells[0].length, image.height * cells.length, image.channels);
  cells.forEach((line, y) => line.forEach((cell, x) => paste(out, cell, x * image.width, y * image.height)));
  return out;
}

function paste(out: RasterImage, cell: RasterImage, left: number, top: number): void {
  const bytes = cell.width * cell.channels;
  for (let y = 0; y < cell.height; y++) {
    const line = cell.data.subarray(y * bytes, (y + 1) * bytes);
    out.data.set(line, ((top + y) * out.width + left) * out.channels);
  }
}

/** Width and height in source pixels, not CSS pixels. */
function sizeOfImage(image: VisualizerImage, { metainfo }: PoseDataSample): [width: number, height: number] {
  if (image === null) return [metainfo.imgShape[1], metainfo.imgShape[0]];
  const size = image as unknown as Record<string, number | undefined>;
  const width = size.naturalWidth ?? size.videoWidth ?? size.displayWidth ?? size.width;
  const height = size.naturalHeight ?? size.videoHeight ?? size.displayHeight ?? size.height;
  if (typeof width === 'number' && typeof height === 'number' && width > 0 && height > 0) return [width, height];
  throw new InputError(
    `addDatasample: found a picture of ${String(width)} x ${String(height)} px; wait until it is loaded.`,
  );
}

/** Setting a canvas's size clears it and is slow, so only when it changes. */
function fitCanvas({ canvas }: Context2D, width: number, height: number): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

function drawPicture(
  context: Context2D,
  image: VisualizerImage,
  left: number,
  top: number,
  width: number,
  height: number,
): void {
  context.clearRect(0, 0, width, height);
  if (image === null) return;
  // putImageData ignores the transform, hence the absolute corner.
  if (typeof ImageData !== 'undefined' && image instanceof ImageData) context.putImageData(image, left, top);
  else context.drawImage(image as CanvasImageSource, 0, 0, width, height);
}
