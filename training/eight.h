// bfloat16 values, eight at a time, on a GPU (nvcc) or a CPU (g++ -x c++).
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#include <cuda_bf16.h>
#define HD __device__ __forceinline__
#define HD_MEMBER __device__
#else
#define HD static inline
#define HD_MEMBER
struct uint4 { uint32_t x, y, z, w; };
struct uint2 { uint32_t x, y; };
#endif

namespace {

typedef uint16_t bf16;
struct Eight { float v[8]; };

HD float widened(uint32_t bits) {
#ifdef __CUDACC__
  return __uint_as_float(bits << 16);
#else
  float f;
  bits <<= 16;
  memcpy(&f, &bits, 4);
  return f;
#endif
}
HD uint32_t narrowed(float a, float b) {                // to nearest even, b in the upper half
#ifdef __CUDACC__
  __nv_bfloat162 two = __floats2bfloat162_rn(a, b);
  return *reinterpret_cast<uint32_t *>(&two);
#else
  auto one = [](float f) { uint32_t u; memcpy(&u, &f, 4); return (u + 0x7fff + ((u >> 16) & 1)) >> 16; };
  return one(a) | one(b) << 16;
#endif
}
HD Eight load(const bf16 *p) {
  uint4 q = *reinterpret_cast<const uint4 *>(p);
  return {{widened(q.x & 0xffff), widened(q.x >> 16), widened(q.y & 0xffff), widened(q.y >> 16),
           widened(q.z & 0xffff), widened(q.z >> 16), widened(q.w & 0xffff), widened(q.w >> 16)}};
}
HD void store(bf16 *p, const Eight &e) {
  *reinterpret_cast<uint4 *>(p) = {narrowed(e.v[0], e.v[1]), narrowed(e.v[2], e.v[3]), narrowed(e.v[4], e.v[5]), narrowed(e.v[6], e.v[7])};
}
HD Eight floats(const float *p) {
  Eight e;
#pragma unroll
  for (int k = 0; k < 8; k++) e.v[k] = p[k];
  return e;
}

}  // namespace
