/** Weighted bilinear values of a map at computed places, as deformable attention has them. */
#include "block.h"

/** One of the four pixels around a place: where its channels begin, and how much it counts; nothing outside the map. */
struct corner {
  const float* pixel;
  float weight;
};

INLINE struct corner corner_of(const float* map, size pitch, size h, size w, size y, size x, float weight) {
  int outside = y < 0 || x < 0 || y >= h || x >= w;
  return outside ? (struct corner){map, 0} : (struct corner){map + (y * w + x) * pitch, weight};
}

/** `out` [d] += `share` times the value of `map` at x, y, px. */
INLINE void add_value(const float* map, size pitch, size h, size w, float y, float x, float share, float* out, size d) {
  if (!(y > -1 && x > -1 && y < (float)h && x < (float)w)) return;
  float top = __builtin_floorf(y), left = __builtin_floorf(x);
  float fy = y - top, fx = x - left;
  size iy = (size)top, ix = (size)left;
  struct corner a = corner_of(map, pitch, h, w, iy, ix, share * (1 - fy) * (1 - fx));
  struct corner b = corner_of(map, pitch, h, w, iy, ix + 1, share * (1 - fy) * fx);
  struct corner c = corner_of(map, pitch, h, w, iy + 1, ix, share * fy * (1 - fx));
  struct corner e = corner_of(map, pitch, h, w, iy + 1, ix + 1, share * fy * fx);
  size i = 0;
  KEEP_LOOP for (; i + 4 <= d; i += 4) {
    v4 upper = madd(splat(b.weight), load(b.pixel + i), splat(a.weight) * load(a.pixel + i));
    v4 lower = madd(splat(e.weight), load(e.pixel + i), splat(c.weight) * load(c.pixel + i));
    store(out + i, load(out + i) + (upper + lower));
  }
  KEEP_LOOP for (; i < d; i++) {
    out[i] += a.weight * a.pixel[i] + b.weight * b.pixel[i] + c.weight * c.pixel[i] + e.weight * e.pixel[i];
  }
}

/**
 * `map` [h, w, heads, d] at `points` places per query and head, x, y as fractions of the map: weighted sums to `out`
 * [queries, heads, d], to what is there with `add`. Places [queries, heads, pitch, 2] and weights [queries, heads, pitch] of other maps lie between.
 */
EXPORT(sample_map)
void sample_map(const float* map, const float* places, const float* weights, float* out, size queries, size heads,
                size d, size h, size w, size points, size pitch, int add) {
  for (; queries > 0; queries--) {
    KEEP_LOOP for (size head = 0; head < heads; head++, places += 2 * pitch, weights += pitch, out += d) {
      if (!add) {
        KEEP_LOOP for (size i = 0; i < d; i++) out[i] = 0;
      }
      KEEP_LOOP for (size p = 0; p < points; p++) {
        float x = places[2 * p] * (float)w - 0.5f, y = places[2 * p + 1] * (float)h - 0.5f;
        add_value(map + head * d, heads * d, h, w, y, x, weights[p], out, d);
      }
    }
  }
}
