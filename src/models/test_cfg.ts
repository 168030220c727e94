/**
 * `test_cfg` of an MMPose model, read once into a typed object with MMPose's defaults, instead of `test_cfg.get('...', False)`
 * scattered over the heads.
 */
import { readConfig } from '../config.js';
import { ConfigError } from '../errors.js';

/** How a flip test mirrors dense outputs: plain heatmaps, UDP's (heatmap, x, y) triples, or (x, y) offset pairs. */
export type FlipMode = 'heatmap' | 'udp_combined' | 'offset';

export interface TestCfg {
  /** Also run the mirrored picture and average both outputs. */
  readonly flipTest: boolean;
  readonly flipMode: FlipMode;
  /** Move flipped heatmaps one pixel to the right. */
  readonly shiftHeatmap: boolean;
  /** Take one pixel off flipped coordinates; only regression heads read it. */
  readonly shiftCoords: boolean;
  /** Return the dense outputs in `predFields`, too. */
  readonly outputHeatmaps: boolean;
  /**
   * Decode on the backend where the codec can, so that keypoints are read instead of maps. Not a key of MMPose: set for GPUs, since
   * elsewhere decoding on the CPU is as fast and exact to the bit. Without effect together with `outputHeatmaps`. @default false
   */
  readonly batchDecode?: boolean;
  /** Keypoints to keep, in this order; null for all. */
  readonly outputKeypointIndices: readonly number[] | null;
  readonly scoreThr: number | null;
  readonly nmsThr: number | null;
  /** DEKR: distance below which two poses are one. */
  readonly nmsDistThr: number | null;
  readonly nmsJointsThr: number | null;
  /** CID: centres below this score are dropped. */
  readonly scoreThreshold: number | null;
  readonly maxNumPeople: number | null;
  readonly blurKernelSize: number | null;
  /** Associative embedding: resize heatmaps to the network's input before decoding. */
  readonly restoreHeatmapSize: boolean;
  readonly alignCorners: boolean;
  /** EDPose: number of candidates kept. */
  readonly numSelect: number | null;
  /** RTMO and YOLOX-Pose: network input that the thresholds were tuned for. */
  readonly inputSize: readonly [w: number, h: number] | null;
}

const FLIP_MODES: readonly string[] = ['heatmap', 'udp_combined', 'offset'];

const SPEC = {
  flip_test: false,
  flip_mode: 'heatmap',
  shift_heatmap: false,
  shift_coords: true,
  output_heatmaps: false,
  output_keypoint_indices: null,
  score_thr: null,
  nms_thr: null,
  nms_dist_thr: null,
  nms_joints_thr: null,
  score_threshold: null,
  max_num_people: null,
  max_instances: null,
  blur_kernel_size: null,
  restore_heatmap_size: false,
  align_corners: false,
  num_select: null,
  input_size: null,
  // Written in published configs, and read by none of MMPose's heads except as "not supported".
  multiscale_test: false,
  Pmultiscale_test: false,
  // RTMW3D's configs say 'vis' or '2d' for the loss and the visualisation.
  mode: null,
};

/**
 * Parses `test_cfg`; null and undefined give the defaults.
 *
 * @throws ConfigError for unknown keys and values of the wrong type
 */
export function parseTestCfg(config: unknown, where = 'model.test_cfg'): TestCfg {
  if (config !== null && config !== undefined && (typeof config !== 'object' || Array.isArray(config))) {
    throw new ConfigError(
      `${where}: found ${JSON.stringify(config)}; expected an object such as { "flip_test": true }.`,
    );
  }
  const raw = readConfig<Record<keyof typeof SPEC, unknown>>((config ?? {}) as Record<string, unknown>, where, SPEC);
  const read = new Reader(raw, where);
  if (read.flag('multiscale_test')) {
    throw new ConfigError(`${where}.multiscale_test: found true; MMPose's heads do not support it; set it to false.`);
  }
  return {
    flipTest: read.flag('flip_test'),
    flipMode: read.flipMode(),
    shiftHeatmap: read.flag('shift_heatmap'),
    shiftCoords: read.flag('shift_coords'),
    outputHeatmaps: read.flag('output_heatmaps'),
    outputKeypointIndices: read.indices('output_keypoint_indices'),
    scoreThr: read.number('score_thr'),
    nmsThr: read.number('nms_thr'),
    nmsDistThr: read.number('nms_dist_thr'),
    nmsJointsThr: read.number('nms_joints_thr'),
    scoreThreshold: read.number('score_threshold'),
    maxNumPeople: read.number('max_num_people') ?? read.number('max_instances'),
    blurKernelSize: read.number('blur_kernel_size'),
    restoreHeatmapSize: read.flag('restore_heatmap_size'),
    alignCorners: read.flag('align_corners'),
    numSelect: read.number('num_select'),
    inputSize: read.indices('input_size') as [number, number] | null,
  };
}

/** Typed access to the raw values; each message names the key. */
class Reader {
  readonly #raw: Readonly<Record<string, unknown>>;
  readonly #where: string;

  constructor(raw: Readonly<Record<string, unknown>>, where: string) {
    this.#raw = raw;
    this.#where = where;
  }

  flag(key: string): boolean {
    const value = this.#raw[key] ?? false;
    return typeof value === 'boolean' ? value : this.#fail(key, 'true or false');
  }

  number(key: string): number | null {
    const value = this.#raw[key] ?? null;
    return value === null || typeof value === 'number' ? value : this.#fail(key, 'a number');
  }

  indices(key: string): readonly number[] | null {
    const value = this.#raw[key] ?? null;
    if (value === null) return null;
    const ok = Array.isArray(value) && value.every((v) => Number.isInteger(v) && v >= 0);
    return ok ? (value as number[]) : this.#fail(key, 'a list of whole numbers');
  }

  flipMode(): FlipMode {
    const value = this.#raw.flip_mode;
    return FLIP_MODES.includes(value as string)
      ? (value as FlipMode)
      : this.#fail('flip_mode', `one of ${FLIP_MODES.join(', ')}`);
  }

  #fail(key: string, expected: string): never {
    throw new ConfigError(`${this.#where}.${key}: found ${JSON.stringify(this.#raw[key])}; expected ${expected}.`);
  }
}
