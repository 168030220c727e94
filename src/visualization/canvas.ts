/**
 * The painter on a 2D canvas context, on the page or in a worker. Anti-aliased, yet as wide as OpenCV's strokes, so that a canvas
 * and a picture drawn by MMPose cover the same pixels. Canvas coordinates name corners, OpenCV's name pixels: hence the halves.
 */
import type { RgbColor } from '../datasets/metainfo/types.js';
import { InputError } from '../errors.js';
import type { Painter, TextStyle } from './painter.js';

/** Where the canvas painter draws. */
export type Context2D = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** Paints on `context` at its current transform; `width` and `height` default to the canvas's. */
export function canvasPainter(
  context: Context2D,
  width: number = context.canvas.width,
  height: number = context.canvas.height,
): Painter {
  return new CanvasPainter(context, width, height);
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
  if (!context) throw new InputError(`canvas: no 2D context for ${width} x ${height} px; expected a smaller picture.`);
  return context;
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
  readonly #context: Context2D;

  constructor(context: Context2D, width: number, height: number) {
    this.#context = context;
    this.width = width;
    this.height = height;
  }

  line(x1: number, y1: number, x2: number, y2: number, color: RgbColor, thickness: number): void {
    const context = this.#context;
    const dx = x2 - x1;
    const dy = y2 - y1;
    const length = Math.hypot(dx, dy);
    context.save();
    context.strokeStyle = css(color);
    context.lineWidth = strokeWidth(thickness, length === 0 ? 1 : Math.max(Math.abs(dx), Math.abs(dy)) / length);
    context.lineCap = thickness > 1 ? 'round' : 'square';
    context.beginPath();
    context.moveTo(x1 + 0.5, y1 + 0.5);
    context.lineTo(x2 + 0.5, y2 + 0.5);
    context.stroke();
    context.restore();
  }

  rectangle(x1: number, y1: number, x2: number, y2: number, color: RgbColor, thickness: number, alpha: number): void {
    const context = this.#context;
    context.save();
    context.globalAlpha = alpha;
    context.strokeStyle = css(color);
    context.lineWidth = strokeWidth(thickness, 1);
    context.lineJoin = 'round';
    context.strokeRect(x1 + 0.5, y1 + 0.5, x2 - x1, y2 - y1);
    context.restore();
  }

  circle(x: number, y: number, radius: number, color: RgbColor, alpha: number): void {
    this.#fillPath(color, alpha, (context) => context.arc(x + 0.5, y + 0.5, radius + 0.5, 0, 2 * Math.PI));
  }

  ellipse(x: number, y: number, halfX: number, halfY: number, degrees: number, color: RgbColor, alpha: number): void {
    const turn = (degrees * Math.PI) / 180;
    this.#fillPath(color, alpha, (context) =>
      context.ellipse(x + 0.5, y + 0.5, halfX + 0.5, halfY + 0.5, turn, 0, 2 * Math.PI),
    );
  }

  text(text: string, x: number, y: number, style: TextStyle): void {
    const context = this.#context;
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
    const scratch = scratchContext(this.width, this.height);
    const picture = scratch.createImageData(this.width, this.height);
    for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
      picture.data[to] = rgb[from];
      picture.data[to + 1] = rgb[from + 1];
      picture.data[to + 2] = rgb[from + 2];
      picture.data[to + 3] = 255;
    }
    scratch.putImageData(picture, 0, 0);
    const context = this.#context;
    context.save();
    context.globalAlpha = alpha;
    context.drawImage(scratch.canvas, 0, 0);
    context.restore();
  }

  flood(color: RgbColor): void {
    const context = this.#context;
    context.save();
    context.fillStyle = css(color);
    context.fillRect(0, 0, this.width, this.height);
    context.restore();
  }

  #fillPath(color: RgbColor, alpha: number, path: (context: Context2D) => void): void {
    const context = this.#context;
    context.save();
    context.globalAlpha = alpha;
    context.fillStyle = css(color);
    context.beginPath();
    path(context);
    context.fill();
    context.restore();
  }
}

function css([r, g, b]: RgbColor): string {
  return `rgb(${r} ${g} ${b})`;
}

/**
 * OpenCV's real stroke width. One pixel means one pixel along the *shorter* axis, thus less across a slanted line; a thicker line
 * has its outline drawn on top (one more pixel), and an odd thickness another one.
 *
 * @param slant - longer extent of the line over its length, 0.7..1
 */
function strokeWidth(thickness: number, slant: number): number {
  if (thickness <= 1) return slant;
  return thickness + (Math.round(thickness) % 2) + slant;
}
