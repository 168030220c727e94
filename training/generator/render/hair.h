// Hair as strands that run from the crown, or from a parting, outwards and down.
#pragma once
#include "patch.h"

// Normal, direction of the strands (camera axes), factor of the colour, gloss.
struct Strands { V3 n, way; float shade, gloss; };

inline Strands strands(const Material& m, const float* a, V3 n, const Patch& p, float px) {
  constexpr float CROWN = -0.1f;
  const bool parted = m.parting < 1;
  const float from = parted ? std::min(std::max(a[RZ], CROWN), 1.f) : CROWN;       // where the strand begins
  const float dx = a[RX] - (parted ? m.parting : 0), dz = a[RZ] - from, r = std::sqrt(dx * dx + dz * dz) + 0.04f;
  const float c = dx / r, s = dz / r, free = parted && a[RZ] > CROWN && a[RZ] < 1 ? 1.f : 0.f;
  const float wave = m.curly > 0.02f ? m.curly * noise.at(a[RX] * 4 + m.seed, a[RY] * 4, a[RZ] * 4) : 0;
  V3 slope{0, 0, 0};
  float shade = 1, lift = 0;
  auto layer = [&](float around, float down, float height, float contrast) {
    const Slope k = noise.slope(c * around + m.seed + wave * around * 0.4f, a[RY] * down, s * around + from * around * 0.9f);
    const float g = height * around, t = g / (r + 0.12f) * (c * k.z - s * k.x);               // across the strands
    slope.x -= s * t; slope.y += height * down * k.y; slope.z += c * t + free * 0.9f * g * k.z;
    shade += contrast * k.v;
    lift += height * k.v;
    return k.v;
  };
  const float lock = layer(5, 0.7f, 0.05f, 0.28f), fine = smooth(6, 14, px);
  float thread = 0;
  if (fine > 0.05f) thread = layer(17, 1.2f, 0.018f * fine, 0.38f * fine);
  Strands out;
  const V3 g = p.gradient(0, slope.x, slope.y, slope.z);
  out.n = unit(n - g * (1 / (1 + 0.5f * std::sqrt(dot(g, g)))));
  out.way = unit(p.gradient(0, c, -0.8f, s) + n * (0.25f * lock + 0.3f * thread));
  if (parted && free > 0 && std::fabs(dx) < 0.03f + 0.01f * lock && a[RY] > 7.9f) shade *= 1.6f;        // skin shows
  out.shade = std::max(shade, 0.25f);
  out.gloss = 0.13f * clamp01(0.75f + lock + 0.5f * thread) * (1 - 0.6f * m.curly);
  return out;
}
