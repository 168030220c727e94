/** Small helpers of the model definitions. */

/** Python's `round`: halves go to the even neighbour, which decides how deep a scaled network is. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
