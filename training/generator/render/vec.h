// Small vectors and the 3-D value noise that clothes, skin and hair are shaded with.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

struct V3 { float x, y, z; };
inline V3 operator+(V3 a, V3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
inline V3 operator-(V3 a, V3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline V3 operator*(V3 a, float s) { return {a.x * s, a.y * s, a.z * s}; }
inline float dot(V3 a, V3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline V3 cross(V3 a, V3 b) { return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x}; }
inline V3 unit(V3 a) { return a * (1 / (std::sqrt(dot(a, a)) + 1e-12f)); }
inline float clamp01(float v) { return v < 0 ? 0 : v > 1 ? 1 : v; }
inline float lerp(float a, float b, float t) { return a + (b - a) * t; }
inline float smooth(float a, float b, float v) { float t = clamp01((v - a) / (b - a)); return t * t * (3 - 2 * t); }
inline V3 load(const float* p) { return {p[0], p[1], p[2]}; }
inline void store(float* p, V3 v) { p[0] = v.x; p[1] = v.y; p[2] = v.z; }

// Row-major 3 x 3 matrix times vector.
inline V3 apply(const float* R, V3 p) {
  return {R[0] * p.x + R[1] * p.y + R[2] * p.z, R[3] * p.x + R[4] * p.y + R[5] * p.z, R[6] * p.x + R[7] * p.y + R[8] * p.z};
}

struct Slope { float v, x, y, z; };      // a value and its derivatives

// Value noise in -1 .. 1 on a random lattice that repeats every 32 units.
struct Noise {
  float t[32][32][32];
  Noise() {
    uint32_t s = 12345;
    for (float* p = &t[0][0][0]; p < &t[0][0][0] + 32768; ++p) {
      s = s * 1664525u + 1013904223u;
      *p = (s >> 8) * (1.0f / 16777216) * 2 - 1;
    }
  }
  float at(float x, float y, float z) const {
    const float fx = std::floor(x), fy = std::floor(y), fz = std::floor(z);
    const int i = int(fx) & 31, j = int(fy) & 31, k = int(fz) & 31, i1 = (i + 1) & 31, j1 = (j + 1) & 31, k1 = (k + 1) & 31;
    float u = x - fx, v = y - fy, w = z - fz;
    u = u * u * (3 - 2 * u); v = v * v * (3 - 2 * v); w = w * w * (3 - 2 * w);
    return lerp(lerp(lerp(t[i][j][k], t[i1][j][k], u), lerp(t[i][j1][k], t[i1][j1][k], u), v),
                lerp(lerp(t[i][j][k1], t[i1][j][k1], u), lerp(t[i][j1][k1], t[i1][j1][k1], u), v), w);
  }
  Slope slope(float x, float y, float z) const {
    const float fx = std::floor(x), fy = std::floor(y), fz = std::floor(z);
    const int i = int(fx) & 31, j = int(fy) & 31, k = int(fz) & 31, i1 = (i + 1) & 31, j1 = (j + 1) & 31, k1 = (k + 1) & 31;
    const float p = x - fx, q = y - fy, r = z - fz;
    const float u = p * p * (3 - 2 * p), v = q * q * (3 - 2 * q), w = r * r * (3 - 2 * r);
    const float a = t[i][j][k], b = t[i1][j][k], c = t[i][j1][k], d = t[i1][j1][k];
    const float e = t[i][j][k1], f = t[i1][j][k1], g = t[i][j1][k1], h = t[i1][j1][k1];
    const float ab = lerp(a, b, u), cd = lerp(c, d, u), ef = lerp(e, f, u), gh = lerp(g, h, u);
    const float low = lerp(ab, cd, v), high = lerp(ef, gh, v);
    const float dx = lerp(lerp(b - a, d - c, v), lerp(f - e, h - g, v), w), dy = lerp(cd - ab, gh - ef, w);
    return {lerp(low, high, w), dx * 6 * p * (1 - p), dy * 6 * q * (1 - q), (high - low) * 6 * r * (1 - r)};
  }
};
inline const Noise noise;
