/** Half-precision numbers and bfloat16, bit by bit: browsers without Float16Array have neither. */

const float32 = new Float32Array(1);
const bits32 = new Uint32Array(float32.buffer);

/** IEEE half bits to a number; exact. */
export function halfToFloat(half: number): number {
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  const sign = half & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (fraction + 1024) * 2 ** (exponent - 25);
}

/**
 * A number to IEEE half bits, rounded to the nearest, ties to even, as `tensor.half()` does: by way of float32. Beyond 65504 (from
 * 65520 on) it is infinity.
 */
export function floatToHalf(value: number): number {
  float32[0] = value;
  const bits = bits32[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and above
  if (magnitude >= 0x38800000) return sign | roundBits(magnitude - 0x38000000, 13);
  // Subnormal halves: units of 2^-24. Below half a unit (2^-25, itself a tie to zero) nothing is left.
  const exponent = magnitude >>> 23;
  if (exponent < 102) return sign;
  return sign | roundBits((magnitude & 0x7fffff) | 0x800000, 126 - exponent);
}

/** Drops the low `count` bits; nearest, ties to even. A carry into the exponent is the right next number. */
function roundBits(bits: number, count: number): number {
  const half = 1 << (count - 1);
  const odd = (bits >>> count) & 1;
  return (bits + half - 1 + odd) >>> count;
}

let halves: Float32Array | undefined;

/** Widens an array of half bits; exact. */
export function widenHalf(source: Uint16Array): Float32Array {
  halves ??= Float32Array.from({ length: 65536 }, (_, half) => halfToFloat(half));
  const out = new Float32Array(source.length);
  for (let i = 0; i < source.length; i++) out[i] = halves[source[i]];
  return out;
}

/** Widens an array of bfloat16 bits, the upper halves of float32; exact. */
export function widenBfloat16(source: Uint16Array): Float32Array {
  const bits = new Uint32Array(source.length);
  for (let i = 0; i < source.length; i++) bits[i] = source[i] << 16;
  return new Float32Array(bits.buffer);
}
