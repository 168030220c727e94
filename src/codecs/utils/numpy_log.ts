/**
 * NumPy's float32 logarithm on x86-64 with AVX2 or AVX-512, to the last bit: DARK takes second differences of such logarithms and
 * divides by them, so that on flat maps one bit moves a point by pixels.
 *
 * A rational approximation of log(1 + x) on sqrt(1/2) - 1 < x <= sqrt(2) - 1; the coefficients are NumPy's
 * (`numpy/core/src/umath/npy_simd_data.h`, BSD-3-Clause).
 */
const f32 = Math.fround;
const LN2 = f32(Math.LN2);
const SQRT2 = f32(Math.SQRT2);

const [P1, P2, P3, P4, P5] = [1, 2.112677543073053, 1.4800006335765066, 0.3808837741388408, 0.025899791179079226].map(
  f32,
);
const [Q1, Q2, Q3, Q4, Q5] = [
  2.6126775430731093, 2.453006071784736, 0.9864942958519419, 0.15464763749839067, 0.005875095403124574,
].map(f32);

const floatView = new Float32Array(1);
const bitView = new Int32Array(floatView.buffer);

/** Natural logarithm of a positive, normal float32; NaN for NaN. */
export function log32(value: number): number {
  if (!(value < Infinity)) return value;
  floatView[0] = value;
  const bits = bitView[0];
  let exponent = (bits >> 23) - 127;
  bitView[0] = (bits & 0x7fffff) | 0x3f800000;
  let x = floatView[0];
  if (x > SQRT2) {
    x *= 0.5;
    exponent++;
  }
  x = f32(x - 1);
  // Each step is a fused multiply-add: the float64 product of two float32 is exact.
  let above = f32(P5 * x + P4);
  above = f32(above * x + P3);
  above = f32(above * x + P2);
  above = f32(above * x + P1);
  above = f32(above * x);
  let below = f32(Q5 * x + Q4);
  below = f32(below * x + Q3);
  below = f32(below * x + Q2);
  below = f32(below * x + Q1);
  below = f32(below * x + 1);
  return f32(exponent * LN2 + f32(above / below));
}
