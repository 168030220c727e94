/**
 * The painter on plain pixels: OpenCV's shapes and OpenCV's mixing, so that a picture drawn here equals MMPose's to the last bit.
 * For Node, for tests, and for whoever has no canvas.
 */
import type { RgbColor } from '../datasets/metainfo/types.js';
import { InputError } from '../errors.js';
import { resizeBilinear } from './colormap.js';
import type { Painter, TextStyle } from './painter.js';
import {
  circle,
  ellipse2Poly,
  filledBox,
  line,
  polygon,
  rectangle,
  roundHalfEven,
  strokeText,
  textSize,
} from './scan_convert.js';
import type { Point, Shape, Span } from './scan_convert.js';

/** Pixels in memory: [height, width, channels], RGB or RGBA, row-major. */
export interface RasterImage {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
}

/** A black picture; RGBA starts transparent. */
export function createRaster(width: number, height: number, channels: 3 | 4 = 3): RasterImage {
  return { data: new Uint8Array(width * height * channels), width, height, channels };
}

/** A copy that can be drawn on without touching the original. */
export function copyRaster(image: RasterImage): RasterImage {
  return { ...image, data: Uint8Array.from(image.data) };
}

/** Paints on `image` in place. */
export function rasterPainter(image: RasterImage): Painter {
  checkRaster(image);
  return new RasterPainter(image);
}

/** `cv2.fillConvexPoly` with whole-pixel vertices, in place. */
export function fillPolygon(image: RasterImage, points: readonly Point[], color: RgbColor, alpha = 1): void {
  checkRaster(image);
  new RasterPainter(image).polygon(points, color, alpha);
}

function checkRaster({ data, width, height, channels }: RasterImage): void {
  if (data.length === width * height * channels && (channels === 3 || channels === 4)) return;
  throw new InputError(
    `RasterImage: found ${data.length} bytes; expected ${width} x ${height} x ${channels} (channels 3 or 4).`,
  );
}

class RasterPainter implements Painter {
  readonly width: number;
  readonly height: number;
  readonly #image: RasterImage;
  /** 1 where the shape being blended covers a pixel; shapes overlap themselves, and each pixel mixes once. */
  #mask: Uint8Array | undefined;

  constructor(image: RasterImage) {
    this.#image = image;
    this.width = image.width;
    this.height = image.height;
  }

  line(x1: number, y1: number, x2: number, y2: number, color: RgbColor, thickness: number): void {
    this.#draw(color, 1, line(x1, y1, x2, y2, thickness));
  }

  rectangle(x1: number, y1: number, x2: number, y2: number, color: RgbColor, thickness: number, alpha: number): void {
    this.#draw(color, alpha, rectangle(x1, y1, x2, y2, thickness));
  }

  circle(x: number, y: number, radius: number, color: RgbColor, alpha: number): void {
    this.#draw(color, alpha, circle(x, y, radius));
  }

  ellipse(x: number, y: number, halfX: number, halfY: number, degrees: number, color: RgbColor, alpha: number): void {
    this.polygon(ellipse2Poly([x, y], [halfX, halfY], degrees), color, alpha);
  }

  polygon(points: readonly Point[], color: RgbColor, alpha: number): void {
    this.#draw(color, alpha, polygon(points));
  }

  text(text: string, x: number, y: number, style: TextStyle): void {
    const scale = Math.max(0.1, style.size / 30);
    const thickness = Math.max(1, Math.floor(style.size / 15));
    const [width, height, baseline] = textSize(text, scale, thickness);
    const left = style.align === 'center' ? Math.max(0, x - Math.floor(width / 2)) : x;
    let bottom = y;
    const { background } = style;
    if (background) {
      const pad = Math.floor(baseline / 2);
      bottom -= pad;
      this.#draw(background, 1, filledBox(left, bottom - height - pad, left + width, bottom + pad));
    }
    this.#draw(style.color, 1, strokeText(text, left, bottom, scale, thickness - 1));
  }

  blend(rgb: Uint8Array, alpha: number): void {
    for (let i = 0; i < this.width * this.height; i++) {
      mixPixel(this.#image, i, rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], alpha);
    }
  }

  picture(rgb: Uint8Array, w: number, h: number, x: number, y: number, width: number, height: number): void {
    const channels = [0, 1, 2].map((c) => {
      const plane = Float32Array.from({ length: w * h }, (_, i) => rgb[3 * i + c]);
      return resizeBilinear(plane, w, h, width, height);
    });
    for (let i = 0; i < width * height; i++) {
      const [px, py] = [x + (i % width), y + Math.floor(i / width)];
      if (px < 0 || py < 0 || px >= this.width || py >= this.height) continue;
      const color = channels.map((plane) => Math.round(plane[i])) as [number, number, number];
      this.#put(color, py, px, px);
    }
  }

  shrink(x: number, y: number, width: number, height: number, background: RgbColor): void {
    const { data, channels } = this.#image;
    const rgb = new Uint8Array(this.width * this.height * 3);
    for (let i = 0; i < this.width * this.height; i++) {
      for (let c = 0; c < 3; c++) rgb[3 * i + c] = data[i * channels + c];
    }
    this.flood(background);
    this.picture(rgb, this.width, this.height, x, y, width, height);
  }

  flood(color: RgbColor): void {
    for (let y = 0; y < this.height; y++) this.#put(color, y, 0, this.width - 1);
  }

  /** Draws a shape opaquely, or collects it first and mixes it once (OpenCV: draw on a copy, then `addWeighted`). */
  #draw(color: RgbColor, alpha: number, shape: Shape): void {
    const { width, height } = this;
    if (alpha === 1) {
      shape({ width, height, span: (y, x1, x2) => this.#put(color, y, x1, x2) });
      return;
    }
    const mask = (this.#mask ??= new Uint8Array(width * height));
    const covered: number[] = [];
    const span: Span = (y, x1, x2) => {
      for (let at = y * width + x1; at <= y * width + x2; at++) {
        if (mask[at] === 0) covered.push(at);
        mask[at] = 1;
      }
    };
    shape({ width, height, span });
    this.#mix(color, alpha, covered);
    for (const at of covered) mask[at] = 0;
  }

  #put(color: RgbColor, y: number, x1: number, x2: number): void {
    const { data, channels } = this.#image;
    const start = (y * this.width + x1) * channels;
    const end = (y * this.width + x2) * channels;
    for (let at = start; at <= end; at += channels) {
      data[at] = color[0];
      data[at + 1] = color[1];
      data[at + 2] = color[2];
      if (channels === 4) data[at + 3] = 255;
    }
  }

  #mix(color: RgbColor, alpha: number, pixels: readonly number[]): void {
    for (const pixel of pixels) mixPixel(this.#image, pixel, color[0], color[1], color[2], alpha);
  }
}

/** `cv2.addWeighted` on one pixel; on a translucent one, its generalisation (source over). */
function mixPixel(
  { data, channels }: RasterImage,
  pixel: number,
  r: number,
  g: number,
  b: number,
  alpha: number,
): void {
  const at = pixel * channels;
  const below = channels === 4 ? data[at + 3] / 255 : 1;
  const sum = alpha + below * (1 - alpha);
  if (sum === 0) return;
  const take = Math.fround(alpha / sum);
  const keep = Math.fround(1 - alpha / sum);
  data[at] = mix(data[at], r, keep, take);
  data[at + 1] = mix(data[at + 1], g, keep, take);
  data[at + 2] = mix(data[at + 2], b, keep, take);
  if (channels === 4) data[at + 3] = Math.round(255 * sum);
}

/** One channel of `cv2.addWeighted`: float32, a fused multiply-add, halves to even. */
function mix(below: number, above: number, keep: number, take: number): number {
  const sum = Math.fround(below * keep + Math.fround(above * take));
  return Math.max(0, Math.min(255, roundHalfEven(sum)));
}
