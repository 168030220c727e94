/**
 * What a whole MMDetection config says beside the network: how the test pipeline brings a picture to the network's size
 * (MMDetection's `Resize` and `Pad`).
 */
import { resizeBilinear } from '../datasets/transforms/resize.js';
import { readConfig, REQUIRED } from '../config.js';
import { ConfigError } from '../errors.js';
import type { Placement } from '../models/detectors/bbox_post_process.js';
import type { Frame } from './frame.js';
import { pipelineStep, type PoseConfig } from './model_config.js';

type Dict = Readonly<Record<string, unknown>>;
type Size = readonly [w: number, h: number];

/** A picture in the network's size, not normalised yet. */
export interface Letterboxed extends Placement {
  /** [h, w, 3] RGB */
  readonly image: { readonly data: Uint8Array; readonly shape: readonly [number, number, number] };
}

/** Resizes into a size, with the picture's own aspect ratio or without, and pads at the right and below. */
export class Letterbox {
  readonly #scale: Size;
  readonly #keepRatio: boolean;
  /** What the padded size is a multiple of, or that size itself; null: no padding. */
  readonly #pad: { readonly size: Size | null; readonly divisor: number } | null;
  /** RGB */
  readonly #padVal: readonly number[];
  /** Coarsest stride of the network. */
  readonly #multiple: number;

  /** @throws ConfigError when the pipeline has no Resize to a size, or a Pad that does not fit it */
  constructor(config: PoseConfig, multiple: number) {
    const step = pipelineStep(config);
    const resize = step('Resize');
    if (!resize) {
      throw new ConfigError(
        'config: found no test_pipeline with a Resize; expected MMDetection\'s, such as [{ "type": "Resize", "scale": [640, 640], "keep_ratio": true }, { "type": "Pad", "size": [640, 640] }].',
      );
    }
    const { scale, keep_ratio } = readResize(resize);
    this.#scale = checkSize(scale, 'test_pipeline.Resize.scale');
    this.#keepRatio = keep_ratio;
    const pad = readPad(step('Pad'));
    this.#pad = pad;
    this.#padVal = pad?.value ?? [0, 0, 0];
    this.#multiple = multiple;
  }

  /** Input of the largest network, px; pictures of all sizes give it, except with `size_divisor` or without padding. */
  get inputSize(): Size {
    return this.#padded(this.#scale);
  }

  /** @throws ConfigError when the result is no input for the network */
  transform(frame: Frame): Letterboxed {
    const resized = this.#resizedTo([frame.width, frame.height]);
    const inputSize = this.#padded(resized);
    this.#checkInput(resized, inputSize);
    const pixels = resizeBilinear(frame, resized);
    const data = this.#place(pixels, resized, inputSize);
    return {
      image: { data, shape: [inputSize[1], inputSize[0], 3] },
      inputSize,
      scaleFactor: [resized[0] / frame.width, resized[1] / frame.height],
    };
  }

  #resizedTo([w, h]: Size): Size {
    const [scaleW, scaleH] = this.#scale;
    if (!this.#keepRatio) return this.#scale;
    const [long, short] = [Math.max(scaleW, scaleH), Math.min(scaleW, scaleH)];
    const factor = Math.min(long / Math.max(w, h), short / Math.min(w, h));
    return [Math.max(1, Math.trunc(w * factor + 0.5)), Math.max(1, Math.trunc(h * factor + 0.5))];
  }

  #padded([w, h]: Size): Size {
    if (!this.#pad) return [w, h];
    const { size, divisor } = this.#pad;
    return size ?? [Math.ceil(w / divisor) * divisor, Math.ceil(h / divisor) * divisor];
  }

  #checkInput(resized: Size, padded: Size): void {
    if (resized[0] > padded[0] || resized[1] > padded[1]) {
      throw new ConfigError(
        `test_pipeline: found Pad to ${padded.join(' x ')} px after a Resize to ${resized.join(' x ')}; expected at least that size.`,
      );
    }
    if (padded.every((side) => side % this.#multiple === 0)) return;
    throw new ConfigError(
      `test_pipeline: found an input of ${padded.join(' x ')} px; expected multiples of ${this.#multiple}: add a Pad with size_divisor ${this.#multiple}.`,
    );
  }

  #place(pixels: Uint8Array, [w, h]: Size, [width, height]: Size): Uint8Array {
    if (w === width && h === height) return pixels;
    const out = new Uint8Array(width * height * 3);
    for (let i = 0; i < out.length; i++) out[i] = this.#padVal[i % 3];
    for (let y = 0; y < h; y++) out.set(pixels.subarray(y * w * 3, (y + 1) * w * 3), y * width * 3);
    return out;
  }
}

function readResize(step: Dict): { scale: unknown; keep_ratio: boolean } {
  const cfg = readConfig<{ scale: unknown; keep_ratio: boolean; interpolation: string }>(step, 'test_pipeline.Resize', {
    ...{ scale: REQUIRED, keep_ratio: false, interpolation: 'bilinear' },
    ...{ backend: 'cv2', clip_object_border: true, scale_factor: null },
  });
  if (cfg.interpolation === 'bilinear') return cfg;
  throw new ConfigError(
    `test_pipeline.Resize.interpolation: found ${JSON.stringify(cfg.interpolation)}; expected "bilinear".`,
  );
}

function readPad(step: Dict | undefined): { size: Size | null; divisor: number; value: readonly number[] } | null {
  if (!step) return null;
  const where = 'test_pipeline.Pad';
  const cfg = readConfig<{ size: unknown; size_divisor: number | null; pad_val: unknown }>(step, where, {
    ...{ size: null, size_divisor: null, pad_to_square: false, pad_val: 0, padding_mode: 'constant' },
  });
  if (cfg.size === null && !(Number.isInteger(cfg.size_divisor) && cfg.size_divisor! > 0)) {
    throw new ConfigError(
      `${where}: found neither size nor size_divisor; expected one of them, here as the only forms of Pad.`,
    );
  }
  const size = cfg.size === null ? null : checkSize(cfg.size, `${where}.size`);
  return { size, divisor: cfg.size_divisor ?? 1, value: readPadVal(cfg.pad_val, `${where}.pad_val`) };
}

/** MMDetection's pictures are BGR. */
function readPadVal(padVal: unknown, where: string): readonly number[] {
  const value =
    typeof padVal === 'object' && padVal !== null && !Array.isArray(padVal) ? ((padVal as Dict).img ?? 0) : padVal;
  const list = Array.isArray(value) ? (value as unknown[]) : [value, value, value];
  if (list.length === 3 && list.every((v) => typeof v === 'number' && v >= 0 && v <= 255)) {
    return (list as number[]).toReversed();
  }
  throw new ConfigError(`${where}: found ${JSON.stringify(padVal)}; expected a number, or three, from 0 to 255.`);
}

function checkSize(size: unknown, where: string): Size {
  const ok = Array.isArray(size) && size.length === 2 && size.every((v) => Number.isInteger(v) && v > 0);
  if (ok) return size as unknown as Size;
  throw new ConfigError(`${where}: found ${JSON.stringify(size)}; expected [width, height], px.`);
}
