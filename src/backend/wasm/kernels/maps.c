/** What happens to maps between convolutions: means, gates, sums of two sizes. NHWC. */
#include "block.h"

/** 4 channels of the mean over rows x columns pixels; row by row, which rounds less than one long sum. */
INLINE v4 mean_of(const float* in, size rows, size columns, size row_pitch, size c, float share) {
  v4 sum = zero();
  KEEP_LOOP for (size y = 0; y < rows; y++, in += row_pitch) {
    v4 row = zero();
    const float* pixel = in;
    KEEP_LOOP for (size x = 0; x < columns; x++, pixel += c) row += load(pixel);
    sum += row;
  }
  return sum * splat(share);
}

INLINE float mean_of_one(const float* in, size rows, size columns, size row_pitch, size c, float share) {
  float sum = 0;
  KEEP_LOOP for (size y = 0; y < rows; y++, in += row_pitch) {
    float row = 0;
    KEEP_LOOP for (size x = 0; x < columns; x++) row += in[x * c];
    sum += row;
  }
  return sum * share;
}

/** Means of windows side by side: `in` [n, h, w, c] -> `out` [n, h / kh, w / kw, c], whose divisions leave no rest. */
EXPORT(mean_windows)
void mean_windows(const float* in, float* out, size n, size h, size w, size c, size kh, size kw) {
  float share = 1.0f / (float)(kh * kw);
  size pitch = w * c;
  KEEP_LOOP for (size band = 0; band < n * (h / kh); band++, in += kh * pitch) {
    KEEP_LOOP for (size x = 0; x < w; x += kw, out += c) {
      const float* window = in + x * c;
      if (c < 4) {
        KEEP_LOOP for (size i = 0; i < c; i++) out[i] = mean_of_one(window + i, kh, kw, pitch, c, share);
      } else {
        KEEP_LOOP for (size i = 0; i < c; i += 4) {
          size at = smaller(i, c - 4);
          store(out + at, mean_of(window + at, kh, kw, pitch, c, share));
        }
      }
    }
  }
}

INLINE void combine_pixel(const float* a, const float* b, float* out, size c, int times) {
  size i = 0;
  if (times) {
    KEEP_LOOP for (; i + 4 <= c; i += 4) store(out + i, load(a + i) * load(b + i));
    KEEP_LOOP for (; i < c; i++) out[i] = a[i] * b[i];
  } else {
    KEEP_LOOP for (; i + 4 <= c; i += 4) store(out + i, load(a + i) + load(b + i));
    KEEP_LOOP for (; i < c; i++) out[i] = a[i] + b[i];
  }
}

/**
 * `map` [n, h, w, c] plus or times `coarse` [n, h / high, w / wide, c], each pixel of which stands for high x wide of them (PyTorch's
 * nearest interpolation by whole factors; of one pixel, a gate).
 */
EXPORT(combine)
void combine(const float* map, const float* coarse, float* out, size n, size h, size w, size c, size high, size wide, int times) {
  size pitch = w / wide * c;
  KEEP_LOOP for (size y = 0; y < n * h; y++) {
    const float* other = coarse + y / high * pitch;
    KEEP_LOOP for (size x = 0; x < w; x += wide, other += c) {
      KEEP_LOOP for (size i = 0; i < wide; i++, map += c, out += c) combine_pixel(map, other, out, c, times);
    }
  }
}

/**
 * e to the x: 2 to a whole number, by its bits, times a polynomial for the rest, |r| <= ln 2 / 2 (Cephes' expf: about one unit in the
 * last place). x is kept where the result is a normal number; NaN stays NaN.
 */
INLINE v4 exp4(v4 x) {
  x = __builtin_wasm_pmin_f32x4(__builtin_wasm_pmax_f32x4(x, splat(-87.0f)), splat(88.0f));
  v4 whole = __builtin_wasm_nearest_f32x4(x * splat(1.44269504f));
  v4 r = x - whole * splat(0.693359375f) + whole * splat(2.12194440e-4f);
  v4 p = splat(1.9875691500e-4f);
  p = madd(p, r, splat(1.3981999507e-3f));
  p = madd(p, r, splat(8.3334519073e-3f));
  p = madd(p, r, splat(4.1665795894e-2f));
  p = madd(p, r, splat(1.6666665459e-1f));
  p = madd(p, r, splat(5.0000001201e-1f));
  p = madd(p * r, r, r) + splat(1);
  typedef int i4 __attribute__((vector_size(16)));
  i4 exponent = __builtin_wasm_trunc_saturate_s_i32x4_f32x4(whole);
  return p * (v4)((exponent + 127) << 23);
}

INLINE v4 sigmoid4(v4 x, v4 times) { return times / (splat(1) + exp4(-x)); }

/** `out` = 1 / (1 + e to the -x), times x itself for SiLU. */
EXPORT(sigmoid) void sigmoid(const float* in, float* out, size count, int times_x) {
  KEEP_LOOP for (; count > 0; count -= 4, in += 4, out += 4) {
    v4 x = load_some(in, count);
    v4 y = sigmoid4(x, times_x ? x : splat(1));
    if (count >= 4) {
      store(out, y);
    } else {
      out[0] = y[0];
      if (count > 1) out[1] = y[1];
      if (count > 2) out[2] = y[2];
    }
  }
}
