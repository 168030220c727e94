/** Moving channels between tensors. NHWC: the channels of a pixel lie side by side, and pixels follow each other `pitch` floats apart. */
#include "block.h"

/**
 * `a` and `b` [count] -> `out` [2 * count], in turns. Of two maps with as many channels it is their concatenation with the channels
 * shuffled between two groups.
 */
EXPORT(interleave) void interleave(const float* a, const float* b, float* out, size count) {
  size i = 0;
  for (; i + 4 <= count; i += 4) {
    v4 x = load(a + i), y = load(b + i);
    store(out + 2 * i, __builtin_shufflevector(x, y, 0, 4, 1, 5));
    store(out + 2 * i + 4, __builtin_shufflevector(x, y, 2, 6, 3, 7));
  }
  KEEP_LOOP for (; i < count; i++) {
    out[2 * i] = a[i];
    out[2 * i + 1] = b[i];
  }
}

/** `count` floats of each of `rows` rows. */
EXPORT(copy_rows)
void copy_rows(const float* in, size in_pitch, float* out, size out_pitch, size count, size rows) {
  for (; rows > 0; rows--, in += in_pitch, out += out_pitch) {
    size i = 0;
    KEEP_LOOP for (; i + 4 <= count; i += 4) store(out + i, load(in + i));
    KEEP_LOOP for (; i < count; i++) out[i] = in[i];
  }
}
