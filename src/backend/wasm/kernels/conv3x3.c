/**
 * 3x3 convolution, stride 1, one row and column of zeros around the image, as Winograd's F(4x4, 3x3): 36 products instead of 144 for
 * 16 outputs. Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015), section 4, with their matrices.
 *
 * A strip of tiles is transformed once for all output channels; then, 8 channels at a time, 36 small matrix products and the
 * transform back. The strip and the products of 8 channels stay in the second-level cache.
 */
#include "block.h"

#define POINTS 36
/** Input channels that are transformed together: the half-transformed tile is then 9 kB. */
#define CHUNK 64
/** Bytes of a strip of transformed tiles and of its products with 8 output channels. */
#define STRIP_BYTES (384 * 1024)
/** Between the points of a strip, so that the 36 do not start in the same set of the first-level cache. */
#define POINT_GAP 16

EXPORT(conv3x3_packed_bytes) size conv3x3_packed_bytes(size cin, size cout) {
  return POINTS * round_up(cin, 4) * round_up(cout, COLUMNS) * 4;
}

/** Row i of G times (a, b, c). */
INLINE double filter_point(int i, double a, double b, double c) {
  if (i == 0) return a / 4;
  if (i == 1) return -(a + b + c) / 6;
  if (i == 2) return -(a - b + c) / 6;
  if (i == 3) return a / 24 + b / 12 + c / 6;
  if (i == 4) return a / 24 - b / 12 + c / 6;
  return c;
}

/** `hwio` [3, 3, cin, cout] -> `[cout / 8][36][cin][8]`, cin rounded up to 4: G filter G^T. */
EXPORT(conv3x3_pack) void conv3x3_pack(float* dst, const float* hwio, size cin, size cout) {
  size depth = round_up(cin, 4), step = cin * cout;
  for (size o = 0; o < round_up(cout, COLUMNS); o++) {
    for (size c = 0; c < depth; c++) {
      int is_real = o < cout && c < cin;
      const float* filter = hwio + c * cout + o;
      float* to = dst + (o / COLUMNS * POINTS * depth + c) * COLUMNS + o % COLUMNS;
      for (int i = 0; i < 6; i++) {
        double row[3];
        UNROLL for (int x = 0; x < 3; x++) {
          row[x] = is_real ? filter_point(i, filter[x * step], filter[(3 + x) * step], filter[(6 + x) * step]) : 0;
        }
        for (int j = 0; j < 6; j++) to[(i * 6 + j) * depth * COLUMNS] = (float)filter_point(j, row[0], row[1], row[2]);
      }
    }
  }
}

struct strip {
  size tiles;  /* of the strip, a multiple of ROWS */
  size gap;    /* floats from one point to the next */
};

INLINE struct strip strip_of(size tiles, size depth) {
  size most = STRIP_BYTES / 4 / POINTS / (depth + COLUMNS) / ROWS * ROWS;
  if (most < ROWS) most = ROWS;
  size strips = (tiles + most - 1) / most;
  size each = round_up((tiles + strips - 1) / strips, ROWS);
  return (struct strip){each, each * depth + POINT_GAP};
}

EXPORT(conv3x3_workspace_bytes) size conv3x3_workspace_bytes(size tiles, size cin) {
  struct strip s = strip_of(tiles, round_up(cin, 4));
  return 4 * (POINTS * s.gap + s.tiles * POINTS * COLUMNS + POINTS * CHUNK + CHUNK);
}

/** B^T times (d0 .. d5). */
INLINE void to_points(v4 d0, v4 d1, v4 d2, v4 d3, v4 d4, v4 d5, v4 t[6]) {
  const v4 two = splat(2), minus_two = splat(-2), four = splat(4), minus_four = splat(-4), minus_five = splat(-5);
  v4 even = madd(minus_four, d2, d4), odd = madd(minus_four, d1, d3);
  v4 outer = d4 - d2, inner = d3 - d1;
  t[0] = madd(four, d0, madd(minus_five, d2, d4));
  t[1] = even + odd;
  t[2] = even - odd;
  t[3] = madd(two, inner, outer);
  t[4] = madd(minus_two, inner, outer);
  t[5] = madd(four, d1, madd(minus_five, d3, d5));
}

/** A^T times (m0 .. m5). */
INLINE void to_outputs(v4 m0, v4 m1, v4 m2, v4 m3, v4 m4, v4 m5, v4 y[4]) {
  v4 plus1 = m1 + m2, minus1 = m1 - m2, plus2 = m3 + m4, minus2 = m3 - m4;
  y[0] = m0 + plus1 + plus2;
  y[1] = madd(splat(2), minus2, minus1);
  y[2] = madd(splat(4), plus2, plus1);
  y[3] = madd(splat(8), minus2, minus1) + m5;
}

struct image {
  size h, w, cin, across, down;
};

/** Channels [0, count) of one column of a tile: 6 pixels -> 6 half-transformed ones, which stand 6 * CHUNK floats apart. */
INLINE void transform_column(const float* p0, const float* p1, const float* p2, const float* p3, const float* p4, const float* p5,
                             float* half, size count) {
  v4 t[6];
  size c = 0;
  KEEP_LOOP for (; c + 4 <= count; c += 4) {
    to_points(load(p0 + c), load(p1 + c), load(p2 + c), load(p3 + c), load(p4 + c), load(p5 + c), t);
    UNROLL for (int i = 0; i < 6; i++) store(half + i * 6 * CHUNK + c, t[i]);
  }
  if (c == count) return;
  size rest = count - c;
  to_points(load_some(p0 + c, rest), load_some(p1 + c, rest), load_some(p2 + c, rest), load_some(p3 + c, rest),
            load_some(p4 + c, rest), load_some(p5 + c, rest), t);
  UNROLL for (int i = 0; i < 6; i++) store(half + i * 6 * CHUNK + c, t[i]);
}

/** One row of a half-transformed tile -> 6 points of A, `gap` floats apart. */
INLINE void transform_row(const float* half, float* points, size gap, size count) {
  v4 t[6];
  KEEP_LOOP for (size c = 0; c < count; c += 4, points += ROWS * 4) {
    to_points(load(half + c), load(half + CHUNK + c), load(half + 2 * CHUNK + c), load(half + 3 * CHUNK + c),
              load(half + 4 * CHUNK + c), load(half + 5 * CHUNK + c), t);
    float* to = points;
    UNROLL for (int j = 0; j < 6; j++, to += gap) store(to, t[j]);
  }
}

/** Transforms the tile whose first output is (y, x); `in` is the image, `none` CHUNK zeros. */
INLINE void transform_tile(const struct image* s, const float* in, float* points, float* half, const float* none, size gap, size y,
                           size x) {
  for (size c = 0; c < s->cin; c += CHUNK) {
    size count = smaller(CHUNK, s->cin - c);
    for (size j = 0; j < 6; j++) {
      size column = x - 1 + j;
      int is_inside = column >= 0 && column < s->w;
      const float* top = in + ((y - 1) * s->w + column) * s->cin + c;
      size pitch = s->w * s->cin;
#define PIXEL(i) (is_inside && y - 1 + i >= 0 && y - 1 + i < s->h ? top + (i) * pitch : none)
      transform_column(PIXEL(0), PIXEL(1), PIXEL(2), PIXEL(3), PIXEL(4), PIXEL(5), half + j * CHUNK, count);
#undef PIXEL
    }
    for (size i = 0; i < 6; i++) transform_row(half + i * 6 * CHUNK, points + i * 6 * gap + c * ROWS, gap, count);
  }
}

/** 4 channels of a tile's 36 sums -> 16 outputs. `scratch` has room for them. */
INLINE void transform_back(const struct epilogue* e, const struct image* s, const float* sums, float* scratch, size n, size y,
                           size x, size channel) {
  v4 half[4][6], value[4], bias = bias_of(e, channel);
  size columns = e->cout - channel;
  UNROLL for (int j = 0; j < 6; j++) {
    const float* p = sums + j * COLUMNS;
#define SUM(i) load(p + (i) * 6 * COLUMNS)
    to_outputs(SUM(0), SUM(1), SUM(2), SUM(3), SUM(4), SUM(5), value);
#undef SUM
    UNROLL for (int i = 0; i < 4; i++) half[i][j] = value[i];
  }
  size pitch = s->w * e->cout, at = ((n * s->h + y) * s->w + x) * e->cout + channel;
  int is_whole = columns >= 4 && y + 4 <= s->h && x + 4 <= s->w;
  UNROLL for (int i = 0; i < 4; i++) {
    to_outputs(half[i][0], half[i][1], half[i][2], half[i][3], half[i][4], half[i][5], value);
    if (is_whole) {
      UNROLL for (int j = 0; j < 4; j++) finish(e, at + i * pitch + j * e->cout, value[j] + bias);
    } else {
      UNROLL for (int j = 0; j < 4; j++) store(scratch + (i * 4 + j) * 4, value[j] + bias);
    }
  }
  if (is_whole) return;
  for (size i = 0; i < smaller(4, s->h - y); i++) {
    for (size j = 0; j < smaller(4, s->w - x); j++) {
      finish_some(e, at + i * pitch + j * e->cout, scratch + (i * 4 + j) * 4, smaller(columns, 4));
    }
  }
}

/** The 36 products of a strip with 8 output channels: `sums` [tiles][36][8]. */
INLINE void multiply(const float* a, const float* b, float* sums, size depth, struct strip s, const int halves) {
  for (size point = 0; point < POINTS; point++, a += s.gap, b += depth * COLUMNS) {
    for (size t = 0; t < s.tiles; t += ROWS) {
      v4 sum[ROWS][2];
      product(a + t * depth, b, depth / 4, halves, sum);
      float* to = sums + (t * POINTS + point) * COLUMNS;
      UNROLL for (int r = 0; r < ROWS; r++) {
        UNROLL for (int h = 0; h < halves; h++) store(to + r * POINTS * COLUMNS + 4 * h, sum[r][h]);
      }
    }
  }
}

/**
 * `in` [images, h, w, cin], `packed` from conv3x3_pack, `bias` [cout] or 0, `residual` (or 0) and `out` [images, h, w, cout]. The part
 * that is wanted: tiles [first, end), counted through all images, and channels [from, to), where `from` is a multiple of COLUMNS.
 */
EXPORT(conv3x3)
void conv3x3(const float* in, const float* packed, const float* bias, const float* residual, float* out, float* workspace,
             size h, size w, size cin, size cout, int relu, size first, size end, size from, size to) {
  const struct image s = {h, w, cin, (w + 3) / 4, (h + 3) / 4};
  const struct epilogue e = epilogue_of(bias, residual, out, relu, cout);
  size depth = round_up(cin, 4);
  struct strip strip = strip_of(end - first, depth);
  float *sums = workspace + POINTS * strip.gap, *half = sums + strip.tiles * POINTS * COLUMNS, *none = half + POINTS * CHUNK;
  for (size c = 0; c < CHUNK; c += 4) store(none + c, zero());
  for (; first < end; first += strip.tiles) {
    size count = smaller(strip.tiles, end - first);
    for (size t = 0; t < count; t++) {
      size tile = first + t, image = tile / s.across / s.down;
      float* points = workspace + t / ROWS * ROWS * depth + t % ROWS * 4;
      transform_tile(&s, in + image * h * w * cin, points, half, none, strip.gap, tile / s.across % s.down * 4,
                     tile % s.across * 4);
    }
    struct strip used = {round_up(count, ROWS), strip.gap};
    const float* b = packed + POINTS * depth * from;
    for (size c = from; c < to; c += COLUMNS, b += POINTS * depth * COLUMNS) {
      const int halves = cout - c > 4 ? 2 : 1;
      if (halves == 2) multiply(workspace, b, sums, depth, used, 2);
      else multiply(workspace, b, sums, depth, used, 1);
      for (size t = 0; t < count; t++) {
        size tile = first + t, image = tile / s.across / s.down;
        size y = tile / s.across % s.down * 4, x = tile % s.across * 4;
        const float* sum = sums + t * POINTS * COLUMNS;
        KEEP_LOOP for (size k = 0; k < halves; k++) transform_back(&e, &s, sum + 4 * k, half, image, y, x, c + 4 * k);
      }
    }
  }
}
