/** From MMPose's `backbones/utils/make_divisible.py`. */

/** The multiple of `divisor` nearest to `value`, never more than 10 % below it. */
export function makeDivisible(value: number, divisor: number): number {
  const rounded = Math.max(divisor, Math.floor(Math.trunc(value + divisor / 2) / divisor) * divisor);
  return rounded < 0.9 * value ? rounded + divisor : rounded;
}
