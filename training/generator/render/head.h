// Skin and the head: where hair grows, what a face looks like. Places are those of the resting body, in dm.
#pragma once
#include "material.h"

// Hair grows where this, and some noise, is above m.hair_line.
inline float smooth_scalp(const float* a, const Material& m) {
  const float s = a[RY] - 6.95f - 0.75f * a[RZ] + m.ear_cover * smooth(0.55f, 0.1f, a[RZ]);
  if (a[RZ] < 0.55f) return s;
  return s + smooth(0.55f, 1.05f, a[RZ]) * (m.fringe * clamp01(1 + m.sweep * a[RX]) - m.temples * smooth(0.15f, 0.5f, std::fabs(a[RX])));
}

inline float scalp(const float* a, const Material& m) {
  return smooth_scalp(a, m) + 0.07f * noise.at(a[RX] * 4 + m.seed, a[RY] * 2, a[RZ] * 4)             // no hair line is straight
    + (0.06f + 0.1f * m.fringe) * noise.at(a[RX] * 12 + m.seed, a[RY] * 3, a[RZ] * 12);
}

// Colour of skin where hair begins.
inline void roots(const Material& m, const float* a, float* c) {
  if (smooth_scalp(a, m) > m.hair_line - 0.5f) mix(c, m.hair, smooth(m.hair_line - 0.16f, m.hair_line + 0.02f, scalp(a, m)));
}

// Skin is not of one colour.
inline void blood(const Material& m, const float* a, float px, float* c) {
  const float x = a[RX], y = a[RY], z = a[RZ];
  const float n = noise.at(x * 2.5f + m.seed, y * 2.5f, z * 2.5f);
  const float fine = px > 8 ? 1 + 0.05f * noise.at(x * 11 + m.seed, y * 11, z * 11) : 1;
  float red = n;
  if (a[ARM_W] > 0.5f && a[ALONG] > 1.05f) red += 1;                                // hands
  if (a[HEAD_W] > 0.5f && z < 0.35f && std::fabs(x) > 0.68f) red += 1.5f;           // ears
  c[0] *= fine * (1 + 0.05f * n);
  c[1] *= fine * (1 + 0.05f * n - 0.07f * red);
  c[2] *= fine * (1 + 0.05f * n - 0.07f * red);
}

inline float ellipse(float x, float y, float rx, float ry) { x /= rx; y /= ry; return x * x + y * y; }

inline void beard(const Material& m, const float* a, float* c) {
  const float x = std::fabs(a[RX]), y = a[RY];
  if (m.beard + m.stubble < 0.02f || a[RZ] < 0.1f || y > 7.35f) return;
  const float lips = smooth(1.f, 1.6f, ellipse(x, y - 6.62f, 0.26f, 0.1f));
  const float low = lips * smooth(7.02f, 6.74f, y - 0.5f * smooth(0.45f, 0.75f, x) + (x < 0.2f ? 0.12f : 0));
  const float rough = 0.8f + 0.28f * noise.at(a[RX] * 14 + m.seed, y * 6, a[RZ] * 14);
  mix(c, m.hair, clamp01(low * rough * std::max(m.beard, 0.35f * m.stubble)));
}

inline void mouth(const Material& m, float x, float y, Surface& s) {
  const float e = ellipse(x, y - 6.64f, 0.32f, 0.115f);
  if (e > 1.4f) return;
  const float lip[3] = {m.skin[0] * 0.92f, m.skin[1] * (0.66f - 0.36f * m.lips), m.skin[2] * (0.66f - 0.3f * m.lips)};
  const float dark[3] = {m.skin[0] * 0.3f, m.skin[1] * 0.15f, m.skin[2] * 0.14f}, teeth[3] = {0.62f, 0.57f, 0.5f};
  const float soft = smooth(1.3f, 0.7f, e);
  mix(s.c, lip, soft * (y > 6.645f ? 0.95f : 0.8f));
  s.spec += 0.05f * soft;
  const float gap = 0.016f + 0.075f * m.mouth, in = ellipse(x, y - 6.65f, 0.27f, gap);
  mix(s.c, dark, 0.85f * smooth(1.4f, 0.7f, in));
  if (m.mouth > 0.45f) mix(s.c, teeth, smooth(0.9f, 0.5f, ellipse(x, y - 6.665f, 0.22f, gap * 0.75f)));
}

inline void spectacles(const Material& m, const float* a, Surface& s) {
  const float x = std::fabs(a[RX]), y = a[RY], z = a[RZ];
  if (m.glasses < 0.5f || std::fabs(y - 7.28f) > 0.26f || z < 0.1f) return;
  const float frame[3] = {0.03f, 0.03f, 0.035f}, glare[3] = {0.75f, 0.8f, 0.85f};
  const float r = ellipse(x - 0.33f, y - 7.26f, 0.32f, 0.23f), cloud = noise.at(a[RX] * 3 + m.seed * 3, y * 4 + 2 * a[RX], 5);
  if (z > 0.95f && r < 1) {
    if (m.glasses > 1.5f) {                             // dark, with the sky above
      set(s.c, frame);
      mix(s.c, glare, 0.25f * smooth(7.2f, 7.45f, y) * clamp01(0.5f + cloud));
      s.spec = 0.6f;
    } else {
      mix(s.c, glare, 0.5f * smooth(0.25f, 0.55f, cloud));
      mix(s.c, frame, smooth(0.6f, 0.75f, r));
      s.spec = 0.3f;
    }
    s.soft = 0;
  } else if (y > 7.25f && y < 7.36f) mix(s.c, frame, 0.9f);
  if (m.glasses > 2.5f && z > 0.7f && x < 0.85f) {      // goggles
    set(s.c, m.hat);
    mix(s.c, frame, r < 1.6f ? 0.8f : 0.f);
    s.spec = 0.8f;
    s.soft = 0;
  }
}

inline void face(const Material& m, const float* a, Surface& s) {
  const float x = std::fabs(a[RX]), y = a[RY], z = a[RZ];
  const float dark[3] = {m.skin[0] * 0.55f, m.skin[1] * 0.42f, m.skin[2] * 0.4f}, lash[3] = {0.03f, 0.02f, 0.018f};
  const float red[3] = {m.skin[0] * 1.06f, m.skin[1] * 0.82f, m.skin[2] * 0.8f};
  if (z > 0.6f && y < 7.25f && y > 6.4f) mix(s.c, red, 0.5f * smooth(1.2f, 0.3f, ellipse(x - 0.5f, y - 6.98f, 0.3f, 0.25f)));
  beard(m, a, s.c);
  if (z > 0.9f) {
    mix(s.c, red, 0.6f * smooth(1.3f, 0.3f, ellipse(x, y - 7.f, 0.2f, 0.14f)));                          // nose
    s.spec *= 1 + smooth(1.2f, 0.3f, ellipse(x, y - 7.2f, 0.13f, 0.35f)) + 0.8f * smooth(1.2f, 0.2f, ellipse(x, y - 7.9f, 0.5f, 0.25f));
    mouth(m, x, y, s);
    mix(s.c, dark, 0.3f * smooth(1.3f, 0.5f, ellipse(x - 0.31f, y - 7.27f, 0.25f, 0.16f)));
    mix(s.c, dark, 0.9f * smooth(1.3f, 0.6f, ellipse(x - 0.1f, y - 6.93f, 0.075f, 0.045f)));             // nostrils
    const float lid = ellipse(x - 0.315f, y - 7.285f, 0.165f, 0.075f);
    mix(s.c, lash, (y > 7.285f ? 0.85f : 0.35f) * smooth(0.5f, 0.8f, lid) * smooth(1.6f, 1.1f, lid));
    const float arch = y - (7.56f - 0.5f * (x - 0.42f) * (x - 0.42f)), thin = 0.022f + 0.028f * m.brows;
    if (std::fabs(arch) < 2 * thin && x > 0.08f && x < 0.66f) {
      const float hairy = 0.7f + 0.5f * noise.at(x * 16 + m.seed, y * 10, a[RX] > 0);
      const float there = smooth(1.6f * thin, 0.5f * thin, std::fabs(arch)) * smooth(0.08f, 0.18f, x) * smooth(0.66f, 0.5f, x);
      mix(s.c, m.hair, clamp01(hairy * there) * (0.45f + 0.45f * m.brows));
    }
  }
  spectacles(m, a, s);
}

inline void eye(const Material& m, const float* a, Surface& s) {
  static const float iris[4][3] = {{0.05f, 0.025f, 0.015f}, {0.10f, 0.05f, 0.02f}, {0.12f, 0.2f, 0.3f}, {0.12f, 0.16f, 0.09f}};
  const float white[3] = {0.45f, 0.42f, 0.4f}, black[3] = {0.01f, 0.01f, 0.01f}, shine[3] = {1.1f, 1.1f, 1.1f};
  const float gaze = (a[RX] > 0 ? 0.05f : -0.05f) * std::sin(7 * m.seed);
  const float x = std::fabs(a[RX]) - 0.308f - gaze, y = a[RY] - 7.285f, r = x * x + y * y;
  const int colour = int(m.seed * 7) % 7;
  set(s.c, white);
  mix(s.c, iris[colour < 4 ? colour & 1 : colour == 4 ? 1 : colour - 3], smooth(0.0095f, 0.0070f, r));
  mix(s.c, black, smooth(0.0018f, 0.0009f, r));
  mix(s.c, shine, smooth(0.0006f, 0.0002f, (x - 0.02f) * (x - 0.02f) + (y - 0.025f) * (y - 0.025f)));
  s.spec = 0.4f;
  const float lid = a[RY] - (7.38f - 0.17f * m.squint);
  mix(s.c, black, 0.7f * smooth(-0.07f, 0.f, lid));                                  // shadow and lashes of the lid
  if (lid > 0.01f) { for (int i = 0; i < 3; ++i) s.c[i] = 0.8f * m.skin[i]; s.spec = m.spec; }
  if (m.glasses > 1.5f) s.c[0] = s.c[1] = s.c[2] = 0.03f;
}
