// Folds of cloth as a relief: a height over the garment, and the shift of the normal that belongs to it.
// Wide folds hang along limbs, creases lie across them where they bend.
#pragma once
#include "garment.h"
#include "patch.h"

// Height (dm) at a place and how it changes with ALONG, RX, RY, RZ.
struct Relief { float h = 0, along = 0, x = 0, y = 0, z = 0; };

inline float near(float v, float at, float width) { return smooth(width, 0.f, std::fabs(v - at)); }

// How much a garment is creased at a place (0 .. about 1.5): at bent joints, where limbs begin, above cuffs.
inline float creased(const Material& m, const float* a) {
  const bool left = a[RX] > 0;
  if (a[ARM_W] > 0.5f) {
    const float bend = left ? m.bend_elbow_l : m.bend_elbow_r;
    return 0.15f + near(a[ALONG], 0.5f, 0.3f) * (0.3f + bend) + 0.5f * near(a[ALONG], 0.f, 0.2f) + 0.4f * smooth(0.8f, 0.95f, a[ALONG]);
  }
  const float y = a[RY], hip = left ? m.bend_hip_l : m.bend_hip_r, knee = left ? m.bend_knee_l : m.bend_knee_r;
  if (y > 2.4f) return 0.12f + 0.7f * near(std::fabs(a[RX]), 1.5f, 0.9f) * near(y, 4.4f, 1.8f);
  return 0.12f + near(y, 1.f, 1.2f) * (0.45f + 0.6f * hip) + near(y, -0.4f, 1.1f) * (0.35f + 0.9f * hip)
    + near(y, -4.1f, 1.3f) * (0.2f + 1.1f * knee) + 0.6f * smooth(-6.2f, -7.3f, y);
}

// hang: strength of the wide folds; quilt: seams per dm across a padded garment, or 0; px: pixels per dm.
inline Relief folds(const Material& m, const float* a, float strength, float hang, float quilt, float px) {
  constexpr float PI = 3.14159f, ARM = 5;              // ARM: its length, dm
  const bool arm = a[ARM_W] > 0.5f;
  const float side = a[RX] > 0 ? 1.f : -1.f;
  float l = a[RY], u = a[RX], v = a[RZ], slant = -0.5f * side;      // along, across, and which way creases run
  if (arm) { l = a[ALONG] * ARM; u = 0.75f * side * a[RX] + 0.66f * a[RY] + 4 * side; slant = 0.4f * side; }
  else if (l < -2) slant = 0.35f * side;
  const float s = m.seed, c = creased(m, a);
  float h = 0, dl = 0, du = 0, dv = 0;
  auto add = [&](float k, const Slope& n, float fl, float fu, float fv, float skew) {
    h += k * n.v;
    dl += k * fl * n.y; du += k * (fu * n.x + skew * fl * n.y); dv += k * fv * n.z;
  };
  add(0.36f * strength * hang, noise.slope(u * 1.5f + s, l * 0.32f, v * 1.5f), 0.32f, 1.5f, 1.5f, 0);
  Slope n = noise.slope(u * 0.7f + s + 9, (l + slant * u) * 1.8f, v * 0.8f);
  const float r = std::sqrt(n.v * n.v + 0.012f), k = n.v / r;       // sharp valleys between round ridges
  add(0.28f * strength * c, {r, n.x * k, n.y * k, n.z * k}, 1.8f, 0.7f, 0.8f, slant);
  if (quilt > 0) {
    const float w = PI * quilt * l, b = std::sin(w), o = std::sqrt(b * b + 0.02f);
    h += 0.13f * (o - 0.6f);
    dl += 0.13f * PI * quilt * std::cos(w) * b / o;
  }
  const float fine = strength * smooth(4.5f, 9.f, px);
  if (fine > 0.05f)
    add(0.06f * fine * (0.5f + c), noise.slope(u * 3.4f + s, (l - slant * u) * 3.8f, v * 3.4f + 5), 3.8f, 3.4f, 3.4f, -slant);
  if (!arm) return {h, 0, du, dl, dv};
  return {h, ARM * dl, 0.75f * side * du, 0.66f * du, dv};
}

// How freely a layer hangs at a place, 0 .. 1.5: tight cloth has no wide folds.
inline float hanging(int layer, const Material& m, const float* a) {
  switch (layer) {
    case UPPER: return clamp01(3.5f * m.upper_loose) * smooth(5.2f, 3.2f, a[ARM_W] > 0.5f ? 3.5f : a[RY]);
    case OUTER: return clamp01(3 * m.outer_loose) * (a[ARM_W] > 0.5f ? 0.7f : smooth(5.4f, 3.2f, a[RY]));
    case LOWER: return clamp01(3 * m.lower_loose) * smooth(0.5f, -1.5f, a[RY]);
    case SKIRT: return 0.4f + smooth(0.5f, -4.f, a[RY]);
  }
  return 0;
}

inline V3 embossed(V3 n, const Patch& p, const Relief& r) {
  V3 g = p.gradient(r.along, r.x, r.y, r.z);
  const float steep = std::sqrt(dot(g, g));
  return unit(n - g * (1 / (1 + 0.5f * steep)));
}
