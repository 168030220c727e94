// The passes between a network's convolutions, few and wide: batch normalisation with ReLU, residual sum, max pooling and the
// head's pixel shuffle in one pass each, forward and backward, on a GPU (nvcc) or a CPU (g++ -x c++). C interface for ctypes, built and
// called by layers.py.
//
// Values are bfloat16 with the channels last, [rows, channels], and channels a multiple of eight: a thread has eight channels of a row
// (16 bytes) in hand, always the same eight. Sums over rows go by way of one row of partial sums per block, so that they come out the same
// every time.
#include "eight.h"

namespace {

constexpr int MAX_THREADS = 256, MAX_BLOCKS = 528;      // per block; of a sum (four per multiprocessor of an H100)
constexpr uint8_t NOWHERE = 255;                        // a window of the pooling whose greatest value is not above zero

// ------------------------------------------------------------------------------------------------------------ where things lie
/** Rows in the order of two 2 x 2 shuffles not yet made, ((n, y, x), (first dy, dx), (second dy, dx)), to rows of the picture. h, w: before
    both; w 0: rows stay where they are. */
struct Shuffle {
  uint32_t h, w;
  /** Where the i-th eight goes. */
  HD_MEMBER uint32_t eight(uint32_t i, uint32_t groups) const {
    if (!w) return i;
    uint32_t row = i / groups;
    return (*this)(row) * groups + i - row * groups;
  }
  HD_MEMBER uint32_t operator()(uint32_t row) const {
    uint32_t q = row & 3, p = (row >> 2) & 3, cell = row >> 4, line = cell / w, n = line / h;
    uint32_t x = cell - line * w, y = line - n * h;
    return ((n * 4 * h + 4 * y + 2 * (p >> 1) + (q >> 1)) * 4 * w) + 4 * x + 2 * (p & 1) + (q & 1);
  }
};

/** Of a layer in training, [channels] each: y = scale x + shift, and of the backward pass dx = a g + b x + c. */
struct Coefficients {
  float *mean, *inverse, *scale, *shift, *a, *b, *c;
  Coefficients(float *p, int n) : mean(p), inverse(p + n), scale(p + 2 * n), shift(p + 3 * n), a(p + 4 * n), b(p + 5 * n), c(p + 6 * n) {}
};

// --------------------------------------------------------------------------------------------------------------------- passes
// A pass is a struct with `own(first channel)`, what a thread keeps, and `at(i, own)`, what it does with the i-th eight; one that sums
// adds to two sums per channel.

struct Affine { Eight scale, shift; };
struct Moments {                                        // sums of x and of its square
  const bf16 *x;
  struct Own {};
  HD_MEMBER Own own(int) const { return {}; }
  HD_MEMBER void at(uint32_t i, const Own &, float *one, float *two) const {
    Eight v = load(x + size_t(i) * 8);
#pragma unroll
    for (int k = 0; k < 8; k++) one[k] += v.v[k], two[k] += v.v[k] * v.v[k];
  }
};

struct Normalise {                                      // y = relu(scale x + shift + residual)
  const bf16 *x, *residual;
  bf16 *y;
  const float *scale, *shift;
  uint32_t groups;
  int relu;
  Shuffle place;
  typedef Affine Own;
  HD_MEMBER Own own(int c) const { return {floats(scale + c), floats(shift + c)}; }
  HD_MEMBER void at(uint32_t i, const Own &o) const {
    Eight v = load(x + size_t(i) * 8);
#pragma unroll
    for (int k = 0; k < 8; k++) v.v[k] = v.v[k] * o.scale.v[k] + o.shift.v[k];
    if (residual) {
      Eight r = load(residual + size_t(i) * 8);
#pragma unroll
      for (int k = 0; k < 8; k++) v.v[k] += r.v[k];
    }
    if (relu) {
#pragma unroll
      for (int k = 0; k < 8; k++) v.v[k] = fmaxf(v.v[k], 0);
    }
    store(y + size_t(place.eight(i, groups)) * 8, v);
  }
};

/** The gradient at the normalised value: dy where the ReLU let it through. */
struct Gradient {
  const bf16 *x, *y, *dy;                               // y where there was a residual, else the sign is computed again
  const float *scale, *shift;
  uint32_t groups;
  int relu;
  Shuffle place;
  HD_MEMBER Eight at(uint32_t i, const Eight &v, const Affine &o) const {
    Eight g = load(dy + size_t(place.eight(i, groups)) * 8);
    if (!relu) return g;
    if (y) {
      Eight u = load(y + size_t(i) * 8);
#pragma unroll
      for (int k = 0; k < 8; k++) g.v[k] = u.v[k] > 0 ? g.v[k] : 0;
    } else {
#pragma unroll
      for (int k = 0; k < 8; k++) g.v[k] = v.v[k] * o.scale.v[k] + o.shift.v[k] > 0 ? g.v[k] : 0;
    }
    return g;
  }
};

struct GradientSums {                                   // of g and of g x
  Gradient g;
  typedef Affine Own;
  HD_MEMBER Own own(int c) const { return {floats(g.scale + c), floats(g.shift + c)}; }
  HD_MEMBER void at(uint32_t i, const Own &o, float *one, float *two) const {
    Eight v = load(g.x + size_t(i) * 8), d = g.at(i, v, o);
#pragma unroll
    for (int k = 0; k < 8; k++) one[k] += d.v[k], two[k] += d.v[k] * v.v[k];
  }
};

struct Line { Eight a, b, c; };
struct Backward {                                       // dx, and the residual's gradient
  Gradient g;
  bf16 *dx, *dresidual;
  const float *a, *b, *c;
  struct Own { Affine affine; Line line; };
  HD_MEMBER Own own(int k) const { return {{floats(g.scale + k), floats(g.shift + k)}, {floats(a + k), floats(b + k), floats(c + k)}}; }
  HD_MEMBER void at(uint32_t i, const Own &o) const {
    Eight v = load(g.x + size_t(i) * 8), d = g.at(i, v, o.affine);
    if (dresidual) store(dresidual + size_t(i) * 8, d);
#pragma unroll
    for (int k = 0; k < 8; k++) v.v[k] = o.line.a.v[k] * d.v[k] + o.line.b.v[k] * v.v[k] + o.line.c.v[k];
    store(dx + size_t(i) * 8, v);
  }
};

// ------------------------------------------------------------------------------------- normalise, ReLU and max pooling (3, stride 2)
struct Pooling {
  uint32_t h, w, groups;                                // of x; both even
  struct Cell { uint32_t n; int y, x; uint32_t g; };
  HD_MEMBER Cell cell(uint32_t i, uint32_t rows, uint32_t columns) const {
    uint32_t p = i / groups, line = p / columns, n = line / rows;
    return {n, int(line - n * rows), int(p - line * columns), i - p * groups};
  }
  HD_MEMBER size_t eight(const Cell &c, int y, int x) const { return ((size_t(c.n) * h + y) * w + x) * groups + c.g; }
};

struct Pool {
  const bf16 *x;
  bf16 *y;
  uint8_t *where;                                       // which of the nine, per channel
  const float *scale, *shift;
  Pooling p;
  typedef Affine Own;
  HD_MEMBER Own own(int c) const { return {floats(scale + c), floats(shift + c)}; }
  HD_MEMBER void at(uint32_t i, const Own &o) const {
    Pooling::Cell c = p.cell(i, p.h / 2, p.w / 2);
    Eight best;
    uint32_t at[8];
#pragma unroll
    for (int k = 0; k < 8; k++) best.v[k] = 0, at[k] = NOWHERE;
#pragma unroll
    for (int t = 0; t < 9; t++) {
      int y = 2 * c.y - 1 + t / 3, x_ = 2 * c.x - 1 + t % 3;
      if (y < 0 || x_ < 0) continue;                    // h and w are even: windows end inside
      Eight v = load(x + p.eight(c, y, x_) * 8);
#pragma unroll
      for (int k = 0; k < 8; k++) {
        float u = v.v[k] * o.scale.v[k] + o.shift.v[k];
        if (u > best.v[k]) best.v[k] = u, at[k] = t;
      }
    }
    store(y + size_t(i) * 8, best);
    uint2 packed = {at[0] | at[1] << 8 | at[2] << 16 | at[3] << 24, at[4] | at[5] << 8 | at[6] << 16 | at[7] << 24};
    *reinterpret_cast<uint2 *>(where + size_t(i) * 8) = packed;
  }
};

HD void unpack(const uint8_t *p, uint32_t *at) {
  uint2 q = *reinterpret_cast<const uint2 *>(p);
#pragma unroll
  for (int k = 0; k < 4; k++) at[k] = q.x >> 8 * k & 255, at[4 + k] = q.y >> 8 * k & 255;
}

struct PoolGradientSums {
  const bf16 *x, *dy;
  const uint8_t *where;
  Pooling p;
  struct Own {};
  HD_MEMBER Own own(int) const { return {}; }
  HD_MEMBER void at(uint32_t i, const Own &, float *one, float *two) const {
    Pooling::Cell c = p.cell(i, p.h / 2, p.w / 2);
    uint32_t at[8];
    unpack(where + size_t(i) * 8, at);
    Eight g = load(dy + size_t(i) * 8);
#pragma unroll
    for (int k = 0; k < 8; k++) {
      if (at[k] == NOWHERE) continue;
      int y = 2 * c.y - 1 + int(at[k]) / 3, x_ = 2 * c.x - 1 + int(at[k]) % 3;
      one[k] += g.v[k];
      two[k] += g.v[k] * widened(x[p.eight(c, y, x_) * 8 + k]);
    }
  }
};

struct PoolBackward {
  const bf16 *x, *dy;
  const uint8_t *where;
  bf16 *dx;
  const float *a, *b, *c;
  Pooling p;
  typedef Line Own;
  HD_MEMBER Own own(int k) const { return {floats(a + k), floats(b + k), floats(c + k)}; }
  HD_MEMBER void at(uint32_t i, const Own &o) const {
    Pooling::Cell c = p.cell(i, p.h, p.w);
    Eight v = load(x + size_t(i) * 8), g = {};
    int h = int(p.h / 2), w = int(p.w / 2);
    for (int y = c.y / 2; y <= (c.y + 1) / 2 && y < h; y++)
      for (int q = c.x / 2; q <= (c.x + 1) / 2 && q < w; q++) {
        size_t window = (((size_t(c.n) * h + y) * w + q) * p.groups + c.g) * 8;
        uint32_t at[8], here = uint32_t((c.y - 2 * y + 1) * 3 + c.x - 2 * q + 1);
        unpack(where + window, at);
        Eight d = load(dy + window);
#pragma unroll
        for (int k = 0; k < 8; k++) g.v[k] += at[k] == here ? d.v[k] : 0;
      }
#pragma unroll
    for (int k = 0; k < 8; k++) v.v[k] = o.a.v[k] * g.v[k] + o.b.v[k] * v.v[k] + o.c.v[k];
    store(dx + size_t(i) * 8, v);
  }
};

// ---------------------------------------------------------------------------------------------------------------- the picture
/** uint8 [n, h, w, 3] to normalised cells of 2 x 2 pixels, [n, h / 2 + 3, w / 2 + 3, 16]: dy, dx, colour and four zeros; two rows and
    columns of nothing before the picture and one after it. A 7 x 7 convolution of stride 2 is a 4 x 4 one of these cells. */
struct Cells {
  const uint8_t *image;
  bf16 *out;
  int h, w;
  float mean[3], inverse[3];
  struct Own {};
  HD_MEMBER Own own(int) const { return {}; }
  HD_MEMBER void at(uint32_t i, const Own &) const {
    uint32_t rows = h / 2 + 3, columns = w / 2 + 3, line = i / columns, n = line / rows;
    int y = int(line - n * rows) - 2, x = int(i - line * columns) - 2;
    Eight one = {}, two = {};
    if (y >= 0 && x >= 0 && y < h / 2 && x < w / 2) {
      float v[12];
#pragma unroll
      for (int k = 0; k < 12; k++)
        v[k] = (image[((size_t(n) * h + 2 * y + k / 6) * w + 2 * x + k / 3 % 2) * 3 + k % 3] - mean[k % 3]) * inverse[k % 3];
#pragma unroll
      for (int k = 0; k < 8; k++) one.v[k] = v[k];
#pragma unroll
      for (int k = 0; k < 4; k++) two.v[k] = v[8 + k];
    }
    store(out + size_t(i) * 16, one);
    store(out + size_t(i) * 16 + 8, two);
  }
};

// -------------------------------------------------------------------------------------------------------------------- running
struct Statistics {                                     // of a layer, from the sums
  const float *partial, *gamma, *beta, *bias;           // bias: of the convolution before, which batch normalisation takes away again
  float *running_mean, *running_var;
  Coefficients k;
  float momentum, eps;
  HD_MEMBER void at(int c, double sum, double square, double rows) const {
    double mean = sum / rows, var = fmax(square / rows - mean * mean, 0.);
    float inverse = float(1 / sqrt(var + eps));
    k.mean[c] = float(mean), k.inverse[c] = inverse;
    k.scale[c] = gamma[c] * inverse, k.shift[c] = beta[c] - float(mean) * gamma[c] * inverse;
    running_mean[c] += momentum * (float(mean) + (bias ? bias[c] : 0) - running_mean[c]);
    running_var[c] += momentum * (float(var * rows / (rows - 1)) - running_var[c]);
  }
};

struct Slopes {                                         // of the parameters, and the line that gives dx
  const float *partial;
  float *dgamma, *dbeta;
  Coefficients k;
  HD_MEMBER void at(int c, double sum, double product, double rows) const {
    float mean = k.mean[c], inverse = k.inverse[c], slope = float((product - mean * sum) * inverse);
    dgamma[c] = slope, dbeta[c] = float(sum);
    float a = k.scale[c], b = -a * inverse * slope / float(rows);
    k.a[c] = a, k.b[c] = b, k.c[c] = -a * float(sum / rows) - b * mean;
  }
};

#ifdef __CUDACC__
int threads_of(int groups) { return MAX_THREADS / groups * groups; }
template <class P> __global__ void pass(P p, uint32_t items, int groups) {
  auto own = p.own(int(threadIdx.x) % groups * 8);
  for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < items; i += gridDim.x * blockDim.x) p.at(i, own);
}
template <class P> __global__ void sums(P p, uint32_t items, int groups, float *partial) {
  __shared__ float all[16 * MAX_THREADS];
  auto own = p.own(int(threadIdx.x) % groups * 8);
  float one[8] = {}, two[8] = {};
#pragma unroll 4
  for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < items; i += gridDim.x * blockDim.x) p.at(i, own, one, two);
#pragma unroll
  for (int k = 0; k < 8; k++) all[k * blockDim.x + threadIdx.x] = one[k], all[(8 + k) * blockDim.x + threadIdx.x] = two[k];
  __syncthreads();
  for (int o = threadIdx.x; o < groups * 16; o += blockDim.x) {
    int group = o % groups, k = o / groups;             // k: 0..7 of the first sum, 8..15 of the second
    float total = 0;
    for (int t = group; t < int(blockDim.x); t += groups) total += all[k * blockDim.x + t];
    partial[size_t(blockIdx.x) * groups * 16 + (k / 8) * groups * 8 + group * 8 + k % 8] = total;
  }
}
template <class F> __global__ void finish(F f, int blocks, int channels, double rows) {
  __shared__ double all[2][128];
  int c = blockIdx.x, t = threadIdx.x;
  double one = 0, two = 0;
  for (int b = t; b < blocks; b += 128) {
    const float *row = f.partial + size_t(b) * 2 * channels + c;
    one += row[0], two += row[channels];
  }
  all[0][t] = one, all[1][t] = two;
  for (int half = 64; half; half /= 2) {
    __syncthreads();
    if (t < half) all[0][t] += all[0][t + half], all[1][t] += all[1][t + half];
  }
  if (!t) f.at(c, all[0][0], all[1][0], rows);
}
template <class P> void run(const P &p, size_t items, int groups, void *stream) {
  int threads = threads_of(groups);
  size_t blocks = (items + threads * 4 - 1) / (threads * 4), most = 4 * MAX_BLOCKS;     // what a thread keeps is worth several eights
  pass<<<unsigned(blocks < most ? blocks : most), threads, 0, static_cast<cudaStream_t>(stream)>>>(p, uint32_t(items), groups);
}
template <class P, class F> void reduce(const P &p, const F &f, size_t rows, int channels, size_t count, float *partial, void *stream) {
  int groups = channels / 8, threads = threads_of(groups);
  size_t items = rows * groups, blocks = (items + threads * 4 - 1) / (threads * 4);
  if (blocks > MAX_BLOCKS) blocks = MAX_BLOCKS;
  sums<<<unsigned(blocks), threads, 0, static_cast<cudaStream_t>(stream)>>>(p, uint32_t(items), groups, partial);
  finish<<<channels, 128, 0, static_cast<cudaStream_t>(stream)>>>(f, int(blocks), channels, double(count));
}
int status() { return int(cudaGetLastError()); }
#else
template <class P> void run(const P &p, size_t items, int groups, void *) {
#pragma omp parallel for schedule(static)
  for (long long i = 0; i < (long long)items; i++) p.at(uint32_t(i), p.own(int(i % groups) * 8));
}
template <class P, class F> void reduce(const P &p, const F &f, size_t rows, int channels, size_t count, float *, void *) {
  int groups = channels / 8;
  for (int g = 0; g < groups; g++) {
    double one[8] = {}, two[8] = {};
    auto own = p.own(g * 8);
    for (size_t r = 0; r < rows; r++) {
      float a[8] = {}, b[8] = {};
      p.at(uint32_t(r * groups + g), own, a, b);
      for (int k = 0; k < 8; k++) one[k] += a[k], two[k] += b[k];
    }
    for (int k = 0; k < 8; k++) f.at(g * 8 + k, one[k], two[k], double(count));
  }
}
int status() { return 0; }
#endif

}  // namespace

extern "C" {

/** One normalised layer. Not every pointer is set in every call. */
struct Job {
  const bf16 *x, *residual, *dy;
  bf16 *y, *dx, *dresidual;
  uint8_t *where;                           // of a pooled layer
  const float *gamma, *beta, *bias;
  float *running_mean, *running_var, *dgamma, *dbeta;
  float *coefficients, *partial;            // [7, channels], [MAX_BLOCKS, 2, channels]
  void *stream;
  size_t rows;                              // of x
  int channels, relu, h, w;                 // h, w: of a layer to be shuffled (before) or pooled (x), else 0
  float momentum, eps;
};

int partial_rows() { return MAX_BLOCKS * 2; }

static Statistics statistics(const Job &j) {
  return {j.partial, j.gamma, j.beta, j.bias, j.running_mean, j.running_var, Coefficients(j.coefficients, j.channels), j.momentum, j.eps};
}
static Slopes slopes(const Job &j) { return {j.partial, j.dgamma, j.dbeta, Coefficients(j.coefficients, j.channels)}; }

/** y from x. 0, or CUDA's error code; so the others. */
int norm_forward(const Job *job) {
  const Job &j = *job;
  Coefficients k(j.coefficients, j.channels);
  int groups = j.channels / 8;
  reduce(Moments{j.x}, statistics(j), j.rows, j.channels, j.rows, j.partial, j.stream);
  Shuffle place = {uint32_t(j.h), uint32_t(j.w)};
  run(Normalise{j.x, j.residual, j.y, k.scale, k.shift, uint32_t(groups), j.relu, place}, j.rows * groups, groups, j.stream);
  return status();
}

/** dx, dgamma, dbeta (and dresidual) from x, dy (and y, where there was a residual). */
int norm_backward(const Job *job) {
  const Job &j = *job;
  Coefficients k(j.coefficients, j.channels);
  int groups = j.channels / 8;
  Gradient g = {j.x, j.y, j.dy, k.scale, k.shift, uint32_t(groups), j.relu, {uint32_t(j.h), uint32_t(j.w)}};
  reduce(GradientSums{g}, slopes(j), j.rows, j.channels, j.rows, j.partial, j.stream);
  run(Backward{g, j.dx, j.dresidual, k.a, k.b, k.c}, j.rows * groups, groups, j.stream);
  return status();
}

int pool_forward(const Job *job) {
  const Job &j = *job;
  Coefficients k(j.coefficients, j.channels);
  int groups = j.channels / 8;
  reduce(Moments{j.x}, statistics(j), j.rows, j.channels, j.rows, j.partial, j.stream);
  run(Pool{j.x, j.y, j.where, k.scale, k.shift, {uint32_t(j.h), uint32_t(j.w), uint32_t(groups)}}, j.rows / 4 * groups, groups, j.stream);
  return status();
}

int pool_backward(const Job *job) {
  const Job &j = *job;
  Coefficients k(j.coefficients, j.channels);
  int groups = j.channels / 8;
  Pooling p = {uint32_t(j.h), uint32_t(j.w), uint32_t(groups)};
  reduce(PoolGradientSums{j.x, j.dy, j.where, p}, slopes(j), j.rows / 4, j.channels, j.rows, j.partial, j.stream);
  run(PoolBackward{j.x, j.dy, j.where, j.dx, k.a, k.b, k.c, p}, j.rows * groups, groups, j.stream);
  return status();
}

/** image [n, h, w, 3] to cells; mean and deviation of the three colours. */
int picture_cells(const uint8_t *image, bf16 *out, int n, int h, int w, const float *mean, const float *deviation, void *stream) {
  Cells c = {image, out, h, w, {}, {}};
  for (int k = 0; k < 3; k++) c.mean[k] = mean[k], c.inverse[k] = 1 / deviation[k];
  run(c, size_t(n) * (h / 2 + 3) * (w / 2 + 3), 1, stream);
  return status();
}
}
