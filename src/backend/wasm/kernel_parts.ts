/** How a convolution is cut into parts that threads compute side by side: ranges of its output's pixels (tiles, rows) or channels. */

/** Units [first, end) of the output, in the kernel's own units, and channels [from, to). */
export type Part = readonly [first: number, end: number, from: number, to: number];

/** What is cut: `units` in steps of `unitStep` and `channels` in steps of 8, and how much work all of it is. */
export interface Work {
  readonly units: number;
  readonly unitStep: number;
  readonly channels: number;
  /** Multiplications and additions, or what takes as long. */
  readonly products: number;
}

/** Work below it takes one thread about 0.3 ms: waking another, which takes up to 0.1 ms, gains little. */
const FEWEST_PRODUCTS = 5_000_000;
/** The kernels' blocks of output channels. */
const CHANNEL_STEP = 8;

/**
 * At most `threads` parts of nearly equal size. Channels are cut when there are more of them than units: filters, of which each
 * thread then reads its share, are the larger operand. Else units, whose inputs each thread reads for itself.
 */
export function cutIntoParts({ units, unitStep, channels, products }: Work, threads: number): readonly Part[] {
  const [byUnits, byChannels] = [Math.ceil(units / unitStep), Math.ceil(channels / CHANNEL_STEP)];
  if (threads === 1 || products < FEWEST_PRODUCTS) return [[0, units, 0, channels]];
  if (channels > units && byChannels > 1) {
    return ranges(channels, CHANNEL_STEP, Math.min(threads, byChannels)).map(([from, to]) => [0, units, from, to]);
  }
  return ranges(units, unitStep, Math.min(threads, byUnits)).map(([first, end]) => [first, end, 0, channels]);
}

/** 0 .. size in `count` neighbours, all but the last multiples of `step`. */
function ranges(size: number, step: number, count: number): [number, number][] {
  const steps = Math.ceil(size / step);
  const at = (i: number) => Math.min(size, Math.floor((i * steps) / count) * step);
  return Array.from({ length: count }, (_, i) => [at(i), at(i + 1)]);
}
