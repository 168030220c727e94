/**
 * What both convolutions are made of: a block of ROWS output pixels (or tiles) times 8 output channels, kept in registers while the
 * input channels pass by. All arrays are float32. There is no libc, no static data and no stack in memory (these modules live in a
 * memory that belongs to somebody else): no address of a local variable may escape, which `build_wasm_kernels.ts` checks.
 *
 * Left operand "A": blocks of ROWS rows, `[block][k / 4][ROWS][4]`, the sum's length K rounded up to 4.
 * Right operand "B": blocks of 8 columns, `[block][k][8]`, zero in the rows and columns that only round up.
 */
#pragma once

typedef float v4 __attribute__((vector_size(16)));
/** A v4 at any address that a float may have. */
typedef float v4_loose __attribute__((vector_size(16), aligned(4)));
typedef int size;

#define INLINE static inline __attribute__((always_inline))
#define EXPORT(name) __attribute__((export_name(#name)))
#define UNROLL _Pragma("clang loop unroll(full)")
#define KEEP_LOOP _Pragma("clang loop unroll(disable) vectorize(disable)")

/** x64 has 16 registers: the accumulators, two of B, one of A and, without a fused multiply-add, the product. */
#define ROWS 6
#define COLUMNS 8

/**
 * Keeps the order of the source. Else clang joins the four steps of one sum into one expression, each of which waits for the one
 * before; V8 keeps clang's order.
 */
#define PIN(value) __asm__ volatile("" : "+r"(value))

INLINE size round_up(size value, size step) { return (value + step - 1) / step * step; }
INLINE size smaller(size a, size b) { return a < b ? a : b; }

INLINE v4 load(const float* p) { return *(const v4_loose*)p; }
INLINE void store(float* p, v4 value) { *(v4_loose*)p = value; }
INLINE v4 splat(float x) { return (v4){x, x, x, x}; }
INLINE v4 zero(void) { return splat(0); }

INLINE v4 madd(v4 a, v4 b, v4 c) {
#ifdef __wasm_relaxed_simd__
  return __builtin_wasm_relaxed_madd_f32x4(a, b, c);
#else
  return a * b + c;
#endif
}

/** The first `count` of four floats, zeros behind them; reads no float beyond. */
INLINE v4 load_some(const float* p, size count) {
  if (count >= 4) return load(p);
  v4 value = zero();
  if (count > 0) value[0] = p[0];
  if (count > 1) value[1] = p[1];
  if (count > 2) value[2] = p[2];
  return value;
}

/** sum[r][h] = A's row r times columns 4 h .. 4 h + 3 of B, `halves` = 1 or 2. */
INLINE void product(const float* a, const float* b, size k4, const int halves, v4 sum[ROWS][2]) {
  UNROLL for (int r = 0; r < ROWS; r++) {
    UNROLL for (int h = 0; h < halves; h++) sum[r][h] = zero();
  }
  KEEP_LOOP for (; k4 > 0; k4--) {
    UNROLL for (int k = 0; k < 4; k++) {
      v4 right[2];
      UNROLL for (int h = 0; h < halves; h++) right[h] = load(b + k * COLUMNS + 4 * h);
      UNROLL for (int r = 0; r < ROWS; r++) {
        v4 left = splat(a[r * 4 + k]);
        UNROLL for (int h = 0; h < halves; h++) {
          sum[r][h] = madd(left, right[h], sum[r][h]);
          PIN(sum[r][h]);
        }
      }
    }
    a += ROWS * 4;
    b += COLUMNS * 4;
  }
}

/** What happens to a sum before it is stored: `max(x + bias + residual, floor)`. */
struct epilogue {
  const float* bias;     /* [cout] or 0 */
  const float* residual; /* shape of the output, or 0 */
  float* out;
  float floor; /* 0 for ReLU, else minus infinity */
  size cout;
};

INLINE struct epilogue epilogue_of(const float* bias, const float* residual, float* out, int relu, size cout) {
  return (struct epilogue){bias, residual, out, relu ? 0 : -__builtin_inff(), cout};
}

INLINE v4 bias_of(const struct epilogue* e, size channel) {
  return e->bias ? load_some(e->bias + channel, e->cout - channel) : zero();
}

/** Four channels of one output pixel; `at` counts floats from the start of the output. `value` has its bias already. */
INLINE void finish(const struct epilogue* e, size at, v4 value) {
  if (e->residual) value += load(e->residual + at);
  /* x < floor ? floor : x, one instruction on x64; NaN stays NaN, as in tfjs. */
  store(e->out + at, __builtin_wasm_pmax_f32x4(value, splat(e->floor)));
}

/** The same for `count` < 4 channels, which `from` has in memory: the last ones of a pixel, or a tile at the edge. */
INLINE void finish_some(const struct epilogue* e, size at, const float* from, size count) {
  KEEP_LOOP for (size c = 0; c < count; c++) {
    float value = from[c] + (e->residual ? e->residual[at + c] : 0);
    e->out[at + c] = value < e->floor ? e->floor : value;
  }
}
