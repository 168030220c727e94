/**
 * The networks that are measured: MMPose's published configs at the size that people use and the default model's, and where their
 * numbers were recorded.
 */
export interface BenchModel {
  /** Case in `bench/fixtures`, of the golden set; the default model's by `record_default.py`. */
  readonly fixture: string;
  /** [h, w] px of the input that is timed; outputs are recorded at the size that the case has. */
  readonly size: readonly [h: number, w: number];
}

export const BENCH_MODELS = {
  hrnet_w32: { fixture: 'hrnet_w32_256x192', size: [256, 192] },
  rtmpose_m: { fixture: 'rtmpose_m_256x192', size: [256, 192] },
  litehrnet_18: { fixture: 'litehrnet18_64', size: [256, 192] },
  resnet50: { fixture: 'res50_96x64', size: [256, 192] },
  default: { fixture: 'inpose_default', size: [256, 192] },
} as const satisfies Readonly<Record<string, BenchModel>>;

export type BenchModelName = keyof typeof BENCH_MODELS;
