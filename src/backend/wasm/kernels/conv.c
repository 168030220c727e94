/**
 * Any dense convolution: a strip of output pixels is gathered into rows of A (im2col), then multiplied. In NHWC the kw * cin floats
 * under one row of the filter lie side by side in memory, so a row of A is kh such segments, each rounded up to 4 floats: few
 * channels (3 in the stem) cost little padding that way. A 1x1 convolution is the case of one segment.
 */
#include "block.h"

/** The strip of A stays in the second-level cache beside one block of B. */
#define STRIP_BYTES (192 * 1024)

struct shape {
  size n, h, w, cin, kh, kw, stride_y, stride_x, top, left, oh, ow;
};

INLINE size segment_of(size kw, size cin) { return round_up(kw * cin, 4); }

EXPORT(conv_packed_bytes) size conv_packed_bytes(size kh, size kw, size cin, size cout) {
  return kh * segment_of(kw, cin) * round_up(cout, COLUMNS) * 4;
}

/** `hwio` [kh, kw, cin, cout] -> B. */
EXPORT(conv_pack) void conv_pack(float* dst, const float* hwio, size kh, size kw, size cin, size cout) {
  size length = kw * cin, segment = segment_of(kw, cin);
  for (size c = 0; c < cout; c += COLUMNS) {
    for (size y = 0; y < kh; y++) {
      for (size k = 0; k < segment; k++) {
        for (size j = 0; j < COLUMNS; j++) {
          *dst++ = k < length && c + j < cout ? hwio[(y * length + k) * cout + c + j] : 0;
        }
      }
    }
  }
}

/** Output pixels per strip: whole blocks, the strips of a convolution nearly equal. */
INLINE size strip_of(size pixels, size k) {
  size most = STRIP_BYTES / 4 / k / ROWS * ROWS;
  if (most < ROWS) most = ROWS;
  size strips = (pixels + most - 1) / most;
  return round_up((pixels + strips - 1) / strips, ROWS);
}

EXPORT(conv_workspace_bytes)
size conv_workspace_bytes(size pixels, size kh, size kw, size cin) {
  size k = kh * segment_of(kw, cin);
  return (strip_of(pixels, k) * k + ROWS * COLUMNS) * 4;
}

/** Part of a segment that lies within the row: floats [from, to) of `src`; zeros elsewhere. Four floats stand every ROWS * 4. */
INLINE void gather_clipped(float* dst, const float* src, size from, size to, size segment) {
  for (size k = 0; k < segment; k++) {
    dst[k / 4 * (ROWS * 4) + k % 4] = k >= from && k < to ? src[k] : 0;
  }
}

INLINE void gather_clipped_by_4(float* dst, const float* src, size from, size to, size segment) {
  for (size k = 0; k < segment; k += 4, dst += ROWS * 4) store(dst, k >= from && k < to ? load(src + k) : zero());
}

INLINE void gather_whole(float* dst, const float* src, size length) {
  size k = 0;
  for (; k + 4 <= length; k += 4, dst += ROWS * 4) store(dst, load(src + k));
  if (k < length) store(dst, load_some(src + k, length - k));
}

INLINE void gather_zeros(float* dst, size segment) {
  for (size k = 0; k < segment; k += 4, dst += ROWS * 4) store(dst, zero());
}

/** One row of A: what the filter sees from output pixel (y, x) of image n. */
INLINE void gather_pixel(const struct shape* s, const float* in, float* dst, size n, size y, size x) {
  size length = s->kw * s->cin, segment = round_up(length, 4);
  size x0 = x * s->stride_x - s->left, y0 = y * s->stride_y - s->top;
  size from = x0 < 0 ? -x0 * s->cin : 0;
  size to = smaller(s->kw, s->w - x0) * s->cin;
  for (size i = 0; i < s->kh; i++, dst += segment * ROWS) {
    size row = y0 + i;
    const float* src = in + ((n * s->h + row) * s->w + x0) * s->cin;
    if (row < 0 || row >= s->h) gather_zeros(dst, segment);
    else if (from == 0 && to == length) gather_whole(dst, src, length);
    else if (s->cin % 4 == 0) gather_clipped_by_4(dst, src, from, to, segment);
    else gather_clipped(dst, src, from, to, segment);
  }
}

INLINE void gather(const struct shape* s, const float* in, float* a, size first, size count, size k) {
  size x = first % s->ow, y = first / s->ow % s->oh, n = first / s->ow / s->oh;
  for (size p = 0; p < count; p++) {
    gather_pixel(s, in, a + p / ROWS * ROWS * k + p % ROWS * 4, n, y, x);
    if (++x < s->ow) continue;
    x = 0;
    if (++y < s->oh) continue;
    y = 0;
    n++;
  }
}

/** A strip times one block of 8 output channels, of which there are `columns`. `scratch` has room for ROWS * 8 floats. */
INLINE void multiply(const struct epilogue* e, const float* a, const float* b, float* scratch, size k, size pixel, size count,
                     size channel, const int halves) {
  v4 bias[2], sum[ROWS][2];
  UNROLL for (int h = 0; h < halves; h++) bias[h] = bias_of(e, channel + 4 * h);
  size columns = smaller(e->cout - channel, COLUMNS);
  for (size p = 0; p < count; p += ROWS, a += ROWS * k) {
    product(a, b, k / 4, halves, sum);
    size rows = smaller(count - p, ROWS), at = (pixel + p) * e->cout + channel;
    if (rows == ROWS && columns == 4 * halves) {
      UNROLL for (int r = 0; r < ROWS; r++) {
        UNROLL for (int h = 0; h < halves; h++) finish(e, at + r * e->cout + 4 * h, sum[r][h] + bias[h]);
      }
      continue;
    }
    UNROLL for (int r = 0; r < ROWS; r++) {
      UNROLL for (int h = 0; h < halves; h++) store(scratch + r * COLUMNS + 4 * h, sum[r][h] + bias[h]);
    }
    for (size r = 0; r < rows; r++) finish_some(e, at + r * e->cout, scratch + r * COLUMNS, columns);
  }
}

/**
 * `in` [n, h, w, cin], `packed` from conv_pack, `out` and `residual` [n, oh, ow, cout]. `top` and `left`: zeros before the first row
 * and column; those behind the last follow from oh and ow. The part that is
 * wanted: pixels [first, end), counted through all images, and channels [from, to), where `from` is a multiple of COLUMNS.
 */
EXPORT(conv)
void conv(const float* in, const float* packed, const float* bias, const float* residual, float* out, float* workspace, size n,
          size h, size w, size cin, size cout, size kh, size kw, size stride_y, size stride_x, size top, size left, size oh,
          size ow, int relu, size first, size end, size from, size to) {
  const struct shape s = {n, h, w, cin, kh, kw, stride_y, stride_x, top, left, oh, ow};
  const struct epilogue e = epilogue_of(bias, residual, out, relu, cout);
  size k = kh * segment_of(kw, cin), strip = strip_of(end - first, k);
  float *scratch = workspace, *a = workspace + ROWS * COLUMNS;
  for (size pixel = first; pixel < end; pixel += strip) {
    size count = smaller(strip, end - pixel);
    gather(&s, in, a, pixel, count, k);
    const float* b = packed + from * k;
    for (size c = from; c < to; c += COLUMNS, b += k * COLUMNS) {
      if (cout - c > 4) multiply(&e, a, b, scratch, k, pixel, count, c, 2);
      else multiply(&e, a, b, scratch, k, pixel, count, c, 1);
    }
  }
}
