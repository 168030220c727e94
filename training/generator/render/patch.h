// From slopes over the resting body to slopes in the picture.
#pragma once
#include "material.h"

// A triangle of a surface in camera space.
struct Patch {
  V3 u, v;                              // how a change along each of two edges becomes a slope on the surface
  const float *a0, *a1, *a2;

  Patch(const V3& p0, const V3& p1, const V3& p2, const float* a0, const float* a1, const float* a2) : a0(a0), a1(a1), a2(a2) {
    const V3 e1 = p1 - p0, e2 = p2 - p0;
    const V3 n = cross(e1, e2);
    const float k = 1 / (dot(n, n) + 1e-9f);
    u = cross(e2, n) * k;
    v = cross(n, e1) * k;
  }
  // Gradient on the surface of a function with these derivatives over the resting body.
  V3 gradient(float along, float x, float y, float z) const {
    auto change = [&](const float* b) {
      return along * (b[ALONG] - a0[ALONG]) + x * (b[RX] - a0[RX]) + y * (b[RY] - a0[RY]) + z * (b[RZ] - a0[RZ]);
    };
    return u * change(a1) + v * change(a2);
  }
};
