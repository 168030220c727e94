/**
 * Depthwise convolution: every channel has a filter of its own. In registers stay up to 8 channels of up to ACROSS neighbours in a row
 * of the output, while the taps pass by. Filters are read as they are, [kh, kw, channels].
 *
 * Blocks of channels overlap where their number does not divide (the last begins at c - 4 or c - 8), so that none reads beyond a
 * pixel; at least 4 channels are expected. A part is rows [first, end) of the output, counted through all images.
 */
#include "block.h"

#define ACROSS 4

struct shape {
  size h, w, c, kh, kw, stride_y, stride_x, top, left, oh, ow;
};

/** Taps [from, to) of one axis. */
struct taps {
  size from, to;
};

/** Those that lie inside an image of `extent` pixels, when the first of `count` is at pixel `first`. */
INLINE struct taps inside(size first, size count, size extent) {
  return (struct taps){first < 0 ? -first : 0, smaller(count, extent - first)};
}

/** `pixels` outputs side by side, 4 * halves channels. `in` and `filter`: first tap, first channel; `at`: floats into the output. */
INLINE void convolve(const struct shape* s, const struct epilogue* e, const float* in, const float* filter, struct taps rows,
                     struct taps columns, size at, size channel, const int pixels, const int halves) {
  v4 sum[ACROSS][2];
  UNROLL for (int p = 0; p < pixels; p++) {
    UNROLL for (int h = 0; h < halves; h++) sum[p][h] = zero();
  }
  size step = s->stride_x * s->c;
  KEEP_LOOP for (size y = rows.from; y < rows.to; y++) {
    const float* from = in + (y * s->w + columns.from) * s->c;
    const float* tap = filter + (y * s->kw + columns.from) * s->c;
    KEEP_LOOP for (size x = columns.from; x < columns.to; x++, from += s->c, tap += s->c) {
      UNROLL for (int h = 0; h < halves; h++) {
        v4 weight = load(tap + 4 * h);
        UNROLL for (int p = 0; p < pixels; p++) sum[p][h] = madd(load(from + p * step + 4 * h), weight, sum[p][h]);
      }
    }
  }
  UNROLL for (int h = 0; h < halves; h++) {
    v4 bias = e->bias ? load(e->bias + channel + 4 * h) : zero();
    UNROLL for (int p = 0; p < pixels; p++) finish(e, at + p * s->c + 4 * h, sum[p][h] + bias);
  }
}

/** One row of the output, 4 * halves channels. `in`: the image's first pixel. */
INLINE void convolve_row(const struct shape* s, const struct epilogue* e, const float* in, const float* filter, size y, size at,
                         size channel, const int halves) {
  size y0 = y * s->stride_y - s->top;
  struct taps rows = inside(y0, s->kh, s->h), all = {0, s->kw};
  /* Outputs from `whole` on, and before the first whose last tap is outside, see all columns of the filter. */
  size whole = (s->left + s->stride_x - 1) / s->stride_x, reach = s->w - s->kw + s->left;
  size end = reach < 0 ? 0 : smaller(s->ow, reach / s->stride_x + 1);
  const float* row = in + (y0 * s->w - s->left) * s->c + channel;
  filter += channel;
  at += channel;
  size x = 0;
  KEEP_LOOP while (x < s->ow) {
    const float* from = row + x * s->stride_x * s->c;
    if (x >= whole && x + ACROSS <= end) {
      convolve(s, e, from, filter, rows, all, at + x * s->c, channel, ACROSS, halves);
      x += ACROSS;
    } else {
      struct taps columns = inside(x * s->stride_x - s->left, s->kw, s->w);
      convolve(s, e, from, filter, rows, columns, at + x * s->c, channel, 1, halves);
      x++;
    }
  }
}

/** `in` [images, h, w, c], `filter` [kh, kw, c], `bias` [c] or 0, `out` [images, oh, ow, c]. `top`, `left` as in `conv`. */
EXPORT(depthwise)
void depthwise(const float* in, const float* filter, const float* bias, float* out, size h, size w, size c, size kh,
               size kw, size stride_y, size stride_x, size top, size left, size oh, size ow, int relu, size first, size end) {
  const struct shape s = {h, w, c, kh, kw, stride_y, stride_x, top, left, oh, ow};
  const struct epilogue e = epilogue_of(bias, 0, out, relu, c);
  for (; first < end; first++) {
    const float* image = in + first / oh * h * w * c;
    size channel = 0, y = first % oh, at = first * ow * c;
    KEEP_LOOP for (; c >= 8 && channel + 4 < c; channel += 8) {
      convolve_row(&s, &e, image, filter, y, at, smaller(channel, c - 8), 2);
    }
    KEEP_LOOP for (; channel < c; channel += 4) convolve_row(&s, &e, image, filter, y, at, smaller(channel, c - 4), 1);
  }
}
