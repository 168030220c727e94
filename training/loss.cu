// `losses` of codec.py and their gradient in one kernel, a block per sample, on a GPU (nvcc) or a CPU (g++ -x c++). C interface for ctypes,
// built and called by loss.py.
//
// Maps are bfloat16 [n, h, w, channels], the joints first and then zeros up to a multiple of eight. Every joint j of a sample has two
// numbers: `where`, the cross entropy between the softmax of SHARPNESS times its Gaussian t and that of SHARPNESS times its map m, less
// its least value, and `much`, the squared distance of m from t (from nothing where the joint is absent). With the weights a and b of a
// joint, what is learned is a where + b much; d / dm = a SHARPNESS (softmax(m) - softmax(t)) + 2 b (m - t).
#include "eight.h"

namespace {

constexpr int JOINTS = 17, THREADS = 256, LONGEST = 64;
constexpr float SHARPNESS = 10, LEAST = 1e-30f;

struct Size { int h, w, channels; float sigma; };
struct Sample {                             // of one sample
  const bf16 *maps;
  bf16 *gradient;
  const float *joints;                      // [JOINTS, 5]: x, y in map pixels, a, b, 1 where present
  float *losses;                            // [JOINTS, 2]
};
struct Table { float x[JOINTS][LONGEST], y[JOINTS][LONGEST]; };
struct Sums { float m, t, cross, much; };   // of exp(SHARPNESS (m - 1)), the same of t, of the latter times t - m, of the squared error

HD void tabulate(Table &table, const Sample &s, const Size &size, int k) {
  int j = k / LONGEST, p = k % LONGEST;
  float x = p - s.joints[j * 5], y = p - s.joints[j * 5 + 1], f = -.5f / (size.sigma * size.sigma);
  table.x[j][p] = expf(f * x * x), table.y[j][p] = expf(f * y * y);
}
HD float sharp(float v) { return expf(SHARPNESS * fminf(v - 1, 8)); }

/** The values of a pixel, joints first. */
struct Pixel { float m[JOINTS + 7]; };
HD Pixel read(const Sample &s, const Size &size, int p) {
  Pixel out;
#pragma unroll
  for (int g = 0; g < 3; g++) {
    Eight e = load(s.maps + size_t(p) * size.channels + g * 8);
#pragma unroll
    for (int k = 0; k < 8; k++) out.m[g * 8 + k] = e.v[k];
  }
  return out;
}
HD void add(Sums *sums, const Table &table, const Sample &s, const Size &size, int p) {
  Pixel v = read(s, size, p);
  int y = p / size.w, x = p - y * size.w;
#pragma unroll
  for (int j = 0; j < JOINTS; j++) {
    float m = v.m[j], t = table.x[j][x] * table.y[j][y], e = sharp(t), d = m - t * s.joints[j * 5 + 4];
    sums[j].m += sharp(m), sums[j].t += e, sums[j].cross += e * (t - m), sums[j].much += d * d;
  }
}
HD void finish(const Sums &q, const Sample &s, int j) {
  s.losses[j * 2] = SHARPNESS * q.cross / q.t - logf(q.t) + logf(q.m + LEAST);
  s.losses[j * 2 + 1] = q.much;
}
HD void slope(const Sums *sums, const Table &table, const Sample &s, const Size &size, int p) {
  Pixel v = read(s, size, p);
  int y = p / size.w, x = p - y * size.w;
#pragma unroll
  for (int j = 0; j < JOINTS; j++) {
    const float *k = s.joints + j * 5;
    float m = v.m[j], t = table.x[j][x] * table.y[j][y];
    v.m[j] = k[2] * SHARPNESS * (sharp(m) / (sums[j].m + LEAST) - sharp(t) / sums[j].t) + 2 * k[3] * (m - t * k[4]);
  }
#pragma unroll
  for (int j = JOINTS; j < JOINTS + 7; j++) v.m[j] = 0;
#pragma unroll
  for (int g = 0; g < 3; g++) {
    Eight e;
#pragma unroll
    for (int k = 0; k < 8; k++) e.v[k] = v.m[g * 8 + k];
    store(s.gradient + size_t(p) * size.channels + g * 8, e);
  }
}
HD Sample sample(const Sample &all, const Size &size, int n) {
  size_t maps = size_t(n) * size.h * size.w * size.channels;
  return {all.maps + maps, all.gradient + maps, all.joints + n * JOINTS * 5, all.losses + n * JOINTS * 2};
}

#ifdef __CUDACC__
HD float over_warp(float v) {
  for (int k = 16; k; k /= 2) v += __shfl_xor_sync(~0u, v, k);
  return v;
}
__global__ void __launch_bounds__(THREADS) losses(Sample all, Size size) {
  __shared__ Table table;
  __shared__ Sums parts[THREADS / 32][JOINTS], total[JOINTS];
  Sample s = sample(all, size, blockIdx.x);
  int t = threadIdx.x, pixels = size.h * size.w;
  for (int k = t; k < JOINTS * LONGEST; k += THREADS) tabulate(table, s, size, k);
  __syncthreads();
  Sums sums[JOINTS] = {};
  for (int p = t; p < pixels; p += THREADS) add(sums, table, s, size, p);
#pragma unroll
  for (int j = 0; j < JOINTS; j++) {
    Sums q = {over_warp(sums[j].m), over_warp(sums[j].t), over_warp(sums[j].cross), over_warp(sums[j].much)};
    if (t % 32 == 0) parts[t / 32][j] = q;
  }
  __syncthreads();
  if (t < JOINTS) {
    Sums q = {};
    for (int k = 0; k < THREADS / 32; k++) {
      const Sums &p = parts[k][t];
      q.m += p.m, q.t += p.t, q.cross += p.cross, q.much += p.much;
    }
    total[t] = q;
    finish(q, s, t);
  }
  __syncthreads();
  for (int p = t; p < pixels; p += THREADS) slope(total, table, s, size, p);
}
#else
void losses(const Sample &all, const Size &size, int n) {
  Sample s = sample(all, size, n);
  Table table;
  Sums sums[JOINTS] = {};
  for (int k = 0; k < JOINTS * LONGEST; k++) tabulate(table, s, size, k);
  for (int p = 0; p < size.h * size.w; p++) add(sums, table, s, size, p);
  for (int j = 0; j < JOINTS; j++) finish(sums[j], s, j);
  for (int p = 0; p < size.h * size.w; p++) slope(sums, table, s, size, p);
}
#endif

}  // namespace

extern "C" {

/** joints [n, 17, 5] -> losses [n, 17, 2] and the gradient at the maps. h and w up to 64, channels 24. 0, or CUDA's error code. */
int heatmap_losses(const bf16 *maps, bf16 *gradient, const float *joints, float *out, int n, int h, int w, int channels, float sigma,
                   void *stream) {
  Sample all = {maps, gradient, joints, out};
  Size size = {h, w, channels, sigma};
#ifdef __CUDACC__
  losses<<<n, THREADS, 0, static_cast<cudaStream_t>(stream)>>>(all, size);
  return int(cudaGetLastError());
#else
#pragma omp parallel for
  for (int i = 0; i < n; i++) losses(all, size, i);
  return 0;
#endif
}
}
