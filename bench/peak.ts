/** fp32 peaks of some cards outside their tensor cores, which WebGPU does not reach: TFLOP/s, from the makers' data sheets. */
const PEAKS: readonly (readonly [card: RegExp, tflops: number])[] = [
  [/H100.*PCIe/i, 51.2],
  [/H100|H200/i, 66.9],
  [/A100/i, 19.5],
  [/RTX 4090/i, 82.6],
  [/RTX 3090/i, 35.6],
  [/\bL4\b/i, 30.3],
  [/\bT4\b/i, 8.1],
];

/** By the adapter's description; undefined for cards that are not listed. */
export function peakTflops(adapter: string): number | undefined {
  return PEAKS.find(([card]) => card.test(adapter))?.[1];
}
