/**
 * What the drawing helpers need from a surface. There are two: a 2D canvas (canvas.ts, anti-aliased, browser and worker) and plain
 * pixels (raster.ts, OpenCV's arithmetic to the pixel, also in Node). The rules of *what* is drawn stand once, in draw.ts.
 *
 * Coordinates are whole pixels, as OpenCV takes them: (0, 0) is the first pixel, not its corner.
 */
import type { RgbColor } from '../datasets/metainfo/types.js';
import { InputError } from '../errors.js';

/** How a label is placed and sized. */
export interface TextStyle {
  readonly color: RgbColor;
  /** MMPose's font size, px. */
  readonly size: number;
  /** Filled behind the text when given. */
  readonly background?: RgbColor;
  /** Which part of the text stands at x. @default 'left' */
  readonly align?: 'left' | 'center';
}

/** A surface that things can be painted on. */
export interface Painter {
  readonly width: number;
  readonly height: number;
  /** Straight line; opaque, since MMPose draws links so. */
  line(x1: number, y1: number, x2: number, y2: number, color: RgbColor, thickness: number): void;
  /** Outline of a box given by two opposite corners. */
  rectangle(x1: number, y1: number, x2: number, y2: number, color: RgbColor, thickness: number, alpha: number): void;
  /** Filled circle. */
  circle(x: number, y: number, radius: number, color: RgbColor, alpha: number): void;
  /** Filled ellipse with whole half axes, turned by whole degrees. */
  ellipse(x: number, y: number, halfX: number, halfY: number, degrees: number, color: RgbColor, alpha: number): void;
  /** `y` is the base line. */
  text(text: string, x: number, y: number, style: TextStyle): void;
  /** Mixes a picture [height, width, 3] RGB of the surface's own size over it. */
  blend(rgb: Uint8Array, alpha: number): void;
  /** Draws a picture [h, w, 3] RGB, scaled into a box in whole pixels. */
  picture(rgb: Uint8Array, w: number, h: number, x: number, y: number, width: number, height: number): void;
  /** Scales everything that is on the surface into a box, and fills the rest. */
  shrink(x: number, y: number, width: number, height: number, background: RgbColor): void;
  /** Fills everything. */
  flood(color: RgbColor): void;
}

/** A colour by name (`green`, as MMCV reads it: pure green), as `#rrggbb`, or as RGB bytes. */
export type Color = string | RgbColor;

/** One colour for all, one for each, or the packed bytes [n * 3] of a meta-info. `null` entries are not drawn. */
export type Colors = Color | readonly (Color | null)[] | Uint8Array | null;

/** MMCV's eight names. CSS disagrees about green. */
const NAMED: Readonly<Record<string, RgbColor>> = {
  red: [255, 0, 0],
  green: [0, 255, 0],
  blue: [0, 0, 255],
  cyan: [0, 255, 255],
  yellow: [255, 255, 0],
  magenta: [255, 0, 255],
  white: [255, 255, 255],
  black: [0, 0, 0],
};

/**
 * RGB bytes of a colour (MMCV's `color_val`, but RGB).
 *
 * @throws InputError for an unknown name or a channel outside 0..255
 */
export function colorVal(color: Color): RgbColor {
  if (typeof color !== 'string') return checkRgb(color);
  const named = NAMED[color];
  if (named) return named;
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color);
  if (hex) return [parseInt(hex[1], 16), parseInt(hex[2], 16), parseInt(hex[3], 16)];
  throw new InputError(`color: found "${color}"; expected ${Object.keys(NAMED).join(', ')}, "#rrggbb" or [r, g, b].`);
}

function checkRgb(color: RgbColor): RgbColor {
  if (color.length === 3 && color.every((c) => c >= 0 && c <= 255)) return color;
  throw new InputError(`color: found [${color.join(', ')}]; expected three numbers 0..255, in RGB order.`);
}

/**
 * One entry per drawn thing.
 *
 * @param what - for the message: `kptColor`
 * @throws InputError when a list has another length than the things it colours
 */
export function colorList(colors: Colors, count: number, what: string): (RgbColor | null)[] {
  if (colors === null) return Array.from({ length: count }, () => null);
  if (typeof colors === 'string' || isRgb(colors)) return Array.from({ length: count }, () => colorVal(colors));
  const packed = colors instanceof Uint8Array;
  const length = packed ? colors.length / 3 : colors.length;
  if (length !== count) {
    throw new InputError(`${what}: found ${length} colours; expected ${count}, one for each.`);
  }
  if (packed) return Array.from({ length: count }, (_, i) => [colors[3 * i], colors[3 * i + 1], colors[3 * i + 2]]);
  return colors.map((color) => (color === null ? null : colorVal(color)));
}

function isRgb(colors: Exclude<Colors, string | null>): colors is RgbColor {
  return !(colors instanceof Uint8Array) && colors.length === 3 && colors.every((c) => typeof c === 'number');
}
