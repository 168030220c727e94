/**
 * The painter on a 2D canvas context, on the page or in a worker. By default it fills exactly the pixels that OpenCV fills, so
 * that a canvas shows MMPose's picture; `smooth` draws anti-aliased strokes of the same width, nicer on a screen.
 */
import type { RgbColor } from '../datasets/metainfo/types.js';
import { InputError } from '../errors.js';
import type { Painter, TextStyle } from './painter.js';
import { circle, ellipse2Poly, line, polygon, rectangle } from './scan_convert.js';
import type { Shape, Span } from './scan_convert.js';

/** Where the canvas painter draws. */
export type Context2D = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

export interface CanvasPainterOptions {
  /** px @default the canvas's */
  readonly width?: number;
  /** px @default the canvas's */
  readonly height?: number;
  /** Anti-aliased instead of OpenCV's pixels. @default false */
  readonly smooth?: boolean;
}

/** Paints on `context` at its current transform. */
export function canvasPainter(context: Context2D, options: CanvasPainterOptions = {}): Painter {
  const { width = context.canvas.width, height = context.canvas.height, smooth = false } = options;
  return smooth ? new SmoothCanvasPainter(context, width, height) : new CanvasPainter(context, width, height);
}

/**
 * An off-screen canvas, also where `OffscreenCanvas` is missing but a page is there.
 *
 * @throws InputError in an environment without canvases
 */
export function scratchContext(width: number, height: number): Context2D {
  const canvas =
    typeof OffscreenCanvas === 'undefined' ? pageCanvas(width, height) : new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d') as Context2D | null;
  if (!context) throw noContext(width, height);
  return context;
}

/**
 * A canvas to hand out: on a page an element, which can be put there; in a worker an `OffscreenCanvas`.
 *
 * @throws InputError in an environment without canvases
 */
export function resultContext(width: number, height: number): Context2D {
  if (typeof document === 'undefined') return scratchContext(width, height);
  const context = pageCanvas(width, height).getContext('2d');
  if (!context) throw noContext(width, height);
  return context;
}

function noContext(width: number, height: number): InputError {
  return new InputError(`canvas: no 2D context for ${width} x ${height} px; expected a smaller picture.`);
}

function pageCanvas(width: number, height: number): HTMLCanvasElement {
  if (typeof document === 'undefined') {
    throw new InputError(
      'canvas: this environment has none; pass a RasterImage ({ data, width, height, channels }) instead.',
    );
  }
  return Object.assign(document.createElement('canvas'), { width, height });
}

class CanvasPainter implements Painter {
  readonly width: number;
  readonly height: number;
  protected readonly context: Context2D;

  constructor(context: Context2D, width: number, height: number) {
    this.context = context;
    this.width = width;
    this.height = height;
  }

  line(x1: number, y1: number, x2: number, y2: number, color: RgbColor, thickness: number): void {
    this.#fillShape(color, 1, line(x1, y1, x2, y2, thickness));
  }

  rectangle(x1: number, y1: number, x2: number, y2: number, color: RgbColor, thickness: number, alpha: number): void {
    this.#fillShape(color, alpha, rectangle(x1, y1, x2, y2, thickness));
  }

  circle(x: number, y: number, radius: number, color: RgbColor, alpha: number): void {
    this.#fillShape(color, alpha, circle(x, y, radius));
  }

  ellipse(x: number, y: number, halfX: number, halfY: number, degrees: number, color: RgbColor, alpha: number): void {
    this.#fillShape(color, alpha, polygon(ellipse2Poly([x, y], [halfX, halfY], degrees)));
  }

  /** In the page's own font: OpenCV's has no accents and no lower case worth the name. */
  text(text: string, x: number, y: number, style: TextStyle): void {
    const { context } = this;
    context.save();
    context.font = `${style.size}px system-ui, sans-serif`;
    context.textBaseline = 'alphabetic';
    const { width } = context.measureText(text);
    const left = style.align === 'center' ? Math.max(0, x - width / 2) : x;
    let bottom = y;
    if (style.background) {
      const pad = style.size * 0.2;
      bottom -= pad;
      context.fillStyle = css(style.background);
      context.fillRect(left, bottom - style.size * 0.75 - pad, width + 2 * pad, style.size * 0.75 + 2 * pad);
      context.translate(pad, 0);
    }
    context.fillStyle = css(style.color);
    context.fillText(text, left, bottom);
    context.restore();
  }

  blend(rgb: Uint8Array, alpha: number): void {
    const { context, width, height } = this;
    context.save();
    context.globalAlpha = alpha;
    context.drawImage(canvasOf(rgb, width, height), 0, 0);
    context.restore();
  }

  picture(rgb: Uint8Array, w: number, h: number, x: number, y: number, width: number, height: number): void {
    this.context.drawImage(canvasOf(rgb, w, h), x, y, width, height);
  }

  /** Through a copy: other cells of the same canvas must stay, and a picture from elsewhere cannot be read. */
  shrink(x: number, y: number, width: number, height: number, background: RgbColor): void {
    const { context } = this;
    const { e, f } = context.getTransform();
    const copy = scratchContext(this.width, this.height);
    copy.drawImage(context.canvas, -e, -f);
    this.flood(background);
    context.drawImage(copy.canvas, x, y, width, height);
  }

  flood(color: RgbColor): void {
    this.fillPath(color, 1, (context) => context.rect(0, 0, this.width, this.height));
  }

  protected fillPath(color: RgbColor, alpha: number, path: (context: Context2D) => void): void {
    const { context } = this;
    context.save();
    context.globalAlpha = alpha;
    context.fillStyle = css(color);
    context.beginPath();
    path(context);
    context.fill();
    context.restore();
  }

  /**
   * Whole pixels, each filled once, also where the shape overlaps itself and is translucent. Rectangles, not one path: a path of
   * a hundred rectangles takes browsers without a GPU milliseconds.
   */
  #fillShape(color: RgbColor, alpha: number, shape: Shape): void {
    const { width, height, context } = this;
    const rows = new Map<number, [x1: number, x2: number][]>();
    const span: Span = (y, x1, x2) => {
      const row = rows.get(y);
      if (row) row.push([x1, x2]);
      else rows.set(y, [[x1, x2]]);
    };
    shape({ width, height, span });
    context.save();
    context.globalAlpha = alpha;
    context.fillStyle = css(color);
    for (const [y, row] of rows) {
      for (const [x1, x2] of joined(row)) context.fillRect(x1, y, x2 - x1 + 1, 1);
    }
    context.restore();
  }
}

/** A canvas that shows these pixels, [height, width, 3] RGB. */
function canvasOf(rgb: Uint8Array, width: number, height: number): HTMLCanvasElement | OffscreenCanvas {
  const scratch = scratchContext(width, height);
  const picture = scratch.createImageData(width, height);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    picture.data[to] = rgb[from];
    picture.data[to + 1] = rgb[from + 1];
    picture.data[to + 2] = rgb[from + 2];
    picture.data[to + 3] = 255;
  }
  scratch.putImageData(picture, 0, 0);
  return scratch.canvas;
}

/** Runs of pixels without overlaps: neighbours and overlapping ones become one. */
function joined(runs: [x1: number, x2: number][]): [x1: number, x2: number][] {
  if (runs.length === 1) return runs;
  const out: [x1: number, x2: number][] = [];
  for (const run of runs.sort((a, b) => a[0] - b[0])) {
    const last = out.at(-1);
    if (last && run[0] <= last[1] + 1) last[1] = Math.max(last[1], run[1]);
    else out.push(run);
  }
  return out;
}

/**
 * Anti-aliased. Canvas coordinates name corners where OpenCV's name pixels: hence the halves. The odd tenths are fitted, so that
 * both drawings cover the same pixels as nearly as they can.
 */
class SmoothCanvasPainter extends CanvasPainter {
  override line(x1: number, y1: number, x2: number, y2: number, color: RgbColor, thickness: number): void {
    const { context } = this;
    context.save();
    context.strokeStyle = css(color);
    context.lineWidth = strokeWidth(thickness);
    context.lineCap = thickness > 1 ? 'round' : 'square';
    context.beginPath();
    context.moveTo(x1 + 0.5, y1 + 0.5);
    context.lineTo(x2 + 0.5, y2 + 0.5);
    context.stroke();
    context.restore();
  }

  override rectangle(
    x1: number,
    y1: number,
    x2: number,
    y2: number,
    color: RgbColor,
    thickness: number,
    alpha: number,
  ): void {
    const { context } = this;
    context.save();
    context.globalAlpha = alpha;
    context.strokeStyle = css(color);
    context.lineWidth = strokeWidth(thickness);
    context.lineJoin = 'round';
    context.strokeRect(x1 + 0.5, y1 + 0.5, x2 - x1, y2 - y1);
    context.restore();
  }

  override circle(x: number, y: number, radius: number, color: RgbColor, alpha: number): void {
    const r = radius < 1 ? 0.6 : Math.trunc(radius) + 0.1;
    this.fillPath(color, alpha, (context) => context.arc(x + 0.5, y + 0.5, r, 0, 2 * Math.PI));
  }

  override ellipse(
    x: number,
    y: number,
    halfX: number,
    halfY: number,
    degrees: number,
    color: RgbColor,
    alpha: number,
  ): void {
    const turn = (degrees * Math.PI) / 180;
    this.fillPath(color, alpha, (context) =>
      context.ellipse(x + 0.5, y + 0.5, halfX + 0.5, halfY + 0.5, turn, 0, 2 * Math.PI),
    );
  }
}

function css([r, g, b]: RgbColor): string {
  return `rgb(${r} ${g} ${b})`;
}

/**
 * The width that covers what OpenCV covers. A thick line of OpenCV has its outline drawn on top, and an odd thickness comes out as
 * wide as the next even one.
 */
function strokeWidth(thickness: number): number {
  if (thickness <= 1) return 1;
  return thickness + (Math.round(thickness) % 2) + 0.7;
}
