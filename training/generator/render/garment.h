// What a person wears: which part of the body each layer covers, how far it stands off, and its colour.
// Everything is decided from a vertex's place on the resting body ("attributes"), in dm.
#pragma once
#include "head.h"

constexpr int PRINT_SIZE = 64;      // side of one picture of the print atlas
struct Prints { int n = 0; std::vector<uint8_t> data; };

inline bool layer_used(int l, const Material& m) {
  switch (l) {
    case UPPER: return m.has_upper > 0.5f;
    case OUTER: return m.has_outer > 0.5f;
    case SKIRT: return m.skirt_end < 1.5f;
    case HAIRCAP: return m.hair_line < 1;
    case LONGHAIR: return m.long_hair < 8.5f;
    case HAT: return m.hat_line < 8.5f;
    case SHOES: return m.shoe_top > -8.1f;
    case SCARF: return m.scarf > 0.5f;
  }
  return true;
}

// How far the neckline is lower in front.
inline float neckline(const Material& m, float x) { return m.vneck * clamp01(1 - std::fabs(x) / (0.25f + 0.5f * m.vneck)); }

inline bool in_upper(const Material& m, const float* a, float shrink) {
  if (m.has_upper < 0.5f) return false;
  if (a[ARM_W] > 0.5f) return a[ALONG] < m.sleeve - shrink * 0.1f;
  const float x = std::fabs(a[RX]);
  float top = m.neck + 0.35f * clamp01(0.3f - a[RZ]);
  if (a[RZ] > 0.1f) top -= neckline(m, x);
  if (m.sleeve < -0.01f && x > 1.35f + 1.5f * (m.sleeve + 0.1f)) return false;
  return a[RY] < top - shrink && a[RY] > m.hem + shrink;
}

// dress: 0 a skirt, 1 of one piece with the upper, 2 the lower part of a coat
inline bool is_coat(const Material& m) { return m.dress > 1.5f && m.has_outer > 0.5f; }

// Half the width of an open front; it widens towards the hem.
inline float opening(const Material& m, const float* a) { return m.outer_open * (0.35f + 0.13f * (6.2f - a[RY])); }

inline bool in_outer(const Material& m, const float* a, float shrink) {
  if (m.has_outer < 0.5f) return false;
  if (a[ARM_W] > 0.5f) return a[ALONG] < m.outer_sleeve - shrink * 0.1f;
  const float x = std::fabs(a[RX]);
  if (m.outer_sleeve < -0.01f && x > 1.5f) return false;
  if (a[RZ] > 0.1f && m.outer_open > 0 && x < opening(m, a) + shrink) return false;
  return a[RY] < 6.15f + 0.25f * clamp01(0.3f - a[RZ]) - shrink && a[RY] > m.outer_hem + shrink;
}

inline bool in_lower(const Material& m, const float* a, float shrink) {
  return a[ARM_W] < 0.5f && a[RY] < m.waist - shrink && a[RY] > m.leg_end + shrink;
}

inline bool in_hat(const Material& m, const float* a) {
  if (a[HEAD_W] <= 0.5f) return false;
  if (m.hood > 0.5f) {
    const float ex = a[RX] / 0.72f, ey = (a[RY] - 7.05f) / 1.0f;
    return !(a[RZ] > 0.25f && ex * ex + ey * ey < 1);
  }
  return a[RY] > m.hat_line - m.hat_slope * (1.2f - a[RZ]);
}

inline bool inside(int layer, const Material& m, const float* a) {
  switch (layer) {
    case BODY: return !(in_upper(m, a, 0.12f) || in_lower(m, a, 0.12f) || in_outer(m, a, 0.25f)
                        || (m.shoe_top > -8.1f && a[RY] < m.shoe_top - 0.25f));
    case UPPER: return in_upper(m, a, 0) && !in_outer(m, a, 0.3f);
    case OUTER: return in_outer(m, a, 0);
    case LOWER: return in_lower(m, a, 0);
    case SKIRT: return a[RY] > m.skirt_end && !(is_coat(m) && m.outer_open > 0 && a[RZ] > 0.1f && std::fabs(a[RX]) < opening(m, a));
    case HAIRCAP: return a[HEAD_W] > 0.5f && scalp(a, m) > m.hair_line;
    case LONGHAIR: return a[RY] > m.long_hair + 0.4f * noise.at(a[RX] * 6 + m.seed, 1, a[RZ] * 6) && !(a[RZ] > 0.9f && a[RY] > 6.0f && a[RY] < 7.9f);
    case SHOES: return a[RY] < m.shoe_top;
    case HAT: return in_hat(m, a);
    case SCARF: return a[RY] > 5.55f - 0.1f * a[RZ] && a[RY] < 6.5f && std::fabs(a[RX]) < 1.1f;
  }
  return true;
}

// False where no triangle of a garment can be: a generous margin round `inside`.
inline bool within_reach(int layer, const Material& m, const float* a) {
  const bool arm = a[ARM_W] > 0.5f;
  switch (layer) {
    case UPPER: return arm ? a[ALONG] < std::max(m.sleeve, 0.f) + 0.4f : a[RY] > m.hem - 2;
    case OUTER: return arm ? a[ALONG] < std::max(m.outer_sleeve, 0.f) + 0.4f : a[RY] > m.outer_hem - 2;
    case LOWER: return !arm && a[RY] < m.waist + 2 && a[RY] > m.leg_end - 2;
    case SKIRT: return a[RY] > m.skirt_end - 2;
    case HAIRCAP: return smooth_scalp(a, m) > m.hair_line - 0.5f;
    case HAT: return m.hood > 0.5f || a[RY] > m.hat_line - m.hat_slope * (1.2f - a[RZ]) - 0.6f;
  }
  return true;
}

// True for skin so far below clothes that no triangle of it can be seen.
inline bool deep_below(const Material& m, const float* a) {
  const bool armhole = a[ARM_W] < 0.5f && std::fabs(a[RX]) > 0.8f && a[RY] > 3;
  return (!(armhole && m.sleeve < -0.01f) && in_upper(m, a, 0.9f)) || in_lower(m, a, 0.9f)
    || (!(armhole && m.outer_sleeve < -0.01f) && in_outer(m, a, 1.f));
}

// A hood that lies on the back, a collar that stands up.
inline float neck_cloth(const Material& m, const float* a) {
  if (a[RY] < 4.6f || a[ARM_W] > 0.5f) return 0;
  const float hood = smooth(0.9f, 0.f, std::fabs(a[RY] - 5.5f)) * smooth(0.5f, -0.2f, a[RZ]) * smooth(1.5f, 0.7f, std::fabs(a[RX]));
  return 0.5f * m.hood_down * hood + m.stand_up * smooth(5.6f, 6.1f, a[RY]);
}

inline float lower_offset(const Material& m, const float* a) {
  float f = 0.55f + 0.6f * noise.at(a[RX] * 0.9f + m.seed, a[RY] * 0.6f, a[RZ] * 0.9f);
  f *= smooth(m.waist + 0.2f, m.waist - 1.2f, a[RY]) + 0.1f;        // tight at the waist
  f += m.flare * smooth(-3.5f, -7.f, a[RY]) + 0.25f * noise.at(a[RX] * 2.5f + m.seed, a[RY] * 2.2f, a[RZ] * 2.5f);
  return 0.03f + m.lower_loose * std::max(f, 0.f);
}

// Distance (dm) between the skin (or MakeHuman's helper mesh) and the layer.
inline float offset(int l, const Material& m, const float* a) {
  const float s = m.seed;
  switch (l) {
    case LOWER: return lower_offset(m, a);
    case UPPER: case OUTER: case SKIRT: {
      float f = 0.55f + 0.6f * noise.at(a[RX] * 0.9f + s, a[RY] * 0.6f, a[RZ] * 0.9f);
      if (l == SKIRT) return is_coat(m) ? 0.2f + m.outer_loose * std::max(f, 0.f) : 0.08f + m.lower_loose * std::max(f, 0.f);
      const bool arm = a[ARM_W] > 0.5f;
      const float fine = noise.at(a[RX] * 2.5f + s, arm ? a[ALONG] * 12 : a[RY] * 2.2f, a[RZ] * 2.5f);
      if (!arm) f *= 0.25f + 0.75f * smooth(5.6f, 3.5f, a[RY]);
      f = std::max(f + 0.25f * fine, 0.f);
      float shirt = 0.09f + m.upper_loose * f;
      if (!arm && a[RY] < m.waist) shirt = std::max(shirt, lower_offset(m, a) + 0.05f);       // worn over what is below
      const float neck = neck_cloth(m, a);
      if (l == UPPER) return shirt + (m.has_outer > 0.5f ? 0 : neck);
      return (m.has_upper > 0.5f ? shirt : 0.06f) + 0.08f + m.outer_loose * f + neck;
    }
    case HAIRCAP: {
      if (m.hat_line < 8.5f && m.hood < 0.5f && in_hat(m, a)) return 0.04f;         // pressed flat
      const float edge = smooth(m.hair_line - 0.05f, m.hair_line + 0.6f, scalp(a, m));
      return 0.03f + m.hair_thick * edge * (0.8f + 0.5f * noise.at(a[RX] * 1.7f + s, a[RY] * 1.7f, a[RZ] * 1.7f)
                                            + 0.4f * noise.at(a[RX] * 4 + s, a[RY] * 1.5f, a[RZ] * 4)
                                            + m.curly * noise.at(a[RX] * 6 + s, a[RY] * 6, a[RZ] * 6));
    }
    case LONGHAIR:
      if (m.hat_line < 8.5f && a[RY] > 7.f) return -0.1f;
      return 0.1f * noise.at(a[RX] * 2 + s, a[RY] * 2, a[RZ] * 2) + m.curly * 0.2f * noise.at(a[RX] * 6 + s, a[RY] * 6, a[RZ] * 6);
    case SHOES: return 0.1f;
    case HAT: return 0.10f + m.hat_thick + (m.hat_thick > 0.2f ? 0 : m.hair_thick * 0.6f);
    case SCARF: return 0.22f + 0.18f * noise.at(a[RX] * 2 + s, a[RY] * 4, a[RZ] * 2) + (m.has_outer > 0.5f ? m.outer_loose * 0.3f : 0);
  }
  return 0;
}


// Value of a print at u, v in -1 .. 1, 0 outside.
inline float print_at(const Prints& p, float index, float u, float v) {
  if (index < 0 || p.n == 0 || std::fabs(u) >= 1 || std::fabs(v) >= 1) return 0;
  const int x = int((u * 0.5f + 0.5f) * PRINT_SIZE), y = int((0.5f - v * 0.5f) * PRINT_SIZE);
  return p.data[(size_t(int(index) % p.n) * PRINT_SIZE + y) * PRINT_SIZE + x] * (1.f / 255);
}

inline void pattern(int kind, float scale, float seed, const float* c1, const float* c2, const float* a, float px, float* out) {
  float x = a[RX], y = a[RY], z = a[RZ];
  const bool arm = a[ARM_W] > 0.5f;
  if (arm) { y = -a[ALONG] * 5; x = 2 * z; }
  float t = 0;
  auto wave = [](float v) { v -= std::floor(v); return v < 0.5f ? 1.f : 0.f; };
  switch (kind) {
    case 1: t = wave(y * scale + seed); break;                                        // horizontal stripes
    case 2: t = wave((x + z) * scale + seed); break;                                  // vertical stripes
    case 3: t = 0.5f * wave(y * scale + seed) + 0.5f * wave((x + z) * scale); break;  // checks
    case 4: t = smooth(-0.1f, 0.1f, noise.at(x * scale + seed, y * scale, z * scale)); break;   // camouflage
    case 5: t = smooth(-3, 3, y + seed - 3); break;                                   // gradient
    case 6: {                                                                         // dots
      float u = x * scale * 1.5f, v = y * scale * 1.5f;
      u -= std::floor(u) + 0.5f; v -= std::floor(v) + 0.5f;
      t = u * u + v * v < 0.08f; break;
    }
    case 7: t = std::fabs(x) > 1.05f && !arm; break;                                  // side panels
    case 8: t = 0.5f + 0.5f * noise.at(x * 9 + seed, y * 9, z * 9); break;            // rough cloth
    case 9: t = y > 2.6f + std::sin(seed) && !arm; break;                             // two halves
    case 10: t = arm; break;                                                          // other sleeves
    case 11:                                                                          // flowers
      t = smooth(-0.15f, 0.05f, noise.at(x * scale + seed, y * scale, z * scale) * noise.at(x * 2.3f * scale, y * 2.3f * scale + seed, z)); break;
    case 12: t = arm ? std::fabs(z + 0.1f) < 0.12f : std::fabs(z + 0.15f) < 0.14f && std::fabs(x) > 0.8f; break;   // stripe down the side
    case 13: t = std::fabs(y - 3.6f - 0.4f * std::sin(seed)) < 0.12f * scale; break;  // band round the chest
    case 14: t = 0.35f * (0.5f + 0.5f * noise.at(x * 0.7f + seed, y * 1.2f, z)) ; break;   // worn denim
  }
  float grain = 1 + 0.10f * noise.at(x * 1.7f + seed, y * 1.7f, z * 1.7f);
  if (px > 8) grain += 0.10f * noise.at(x * 14, y * 14 + seed, z * 14);
  for (int i = 0; i < 3; ++i) out[i] = (c1[i] + (c2[i] - c1[i]) * t) * grain;
}

// The closed front of a shirt: the edge that lies above, and buttons beside it.
inline void buttons(float x, float y, float* c) {
  const float v = y * 1.3f - std::floor(y * 1.3f) - 0.5f;
  const float k = x < -0.05f ? 0.6f : x * x + 0.6f * v * v < 0.0016f ? 1.7f : 1;
  for (int i = 0; i < 3; ++i) c[i] *= k;
}

inline void shoe(const Material& m, const float* a, Surface& s) {
  const float x = std::fabs(a[RX]) - 2.2f, y = a[RY], z = a[RZ];
  set(s.c, m.shoe);
  s.spec = 0.03f + 0.3f * m.shoe_shine;
  s.bump = 0.2f;
  auto darker = [&](float k) { for (float& c : s.c) c *= k; };
  if (m.shoe_shine < 0.5f && std::fabs(x) < 0.17f && z > 0.45f && z < 1.25f && y > -7.95f) {           // laces over the tongue
    const float v = z * 5 - std::floor(z * 5);
    if (v < 0.4f && std::fabs(x) < 0.13f) mix(s.c, m.sole, 0.8f); else darker(0.7f);
  }
  const bool stripe = std::fabs(x) > 0.3f && y > -8.f && y < -7.5f && std::fabs(y + 7.75f - 0.4f * (z - 0.4f)) < 0.06f;
  if (m.shoe_shine < 0.3f && stripe) mix(s.c, m.sole, 0.7f);
  if (y < -8.04f) set(s.c, m.sole); else if (y < -8.f) darker(0.5f);
}

// px: pixels per dm
inline Surface material(int layer, const Material& m, const Prints& prints, const float* a, float px) {
  Surface s;
  const float x = a[RX], y = a[RY], z = a[RZ];
  const bool arm = a[ARM_W] > 0.5f;
  auto darker = [&](float k) { for (float& c : s.c) c *= k; };
  auto line = [](float v, float at) { return std::fabs(v - at) < 0.035f; };
  // stitched edges and pockets: seams is a set of bits
  const int seams = int(m.seams);
  auto stitch_top = [&](float sleeve, float hem, const float* trim) {
    if (seams & 1 && (arm ? a[ALONG] > sleeve - 0.06f && a[ALONG] < 1.05f : y < hem + 0.25f)) mix(s.c, trim, 0.85f);    // cuffs
    if (seams & 2 && !arm && z > 0.2f && std::fabs(std::fabs(x) - 0.75f) < 0.4f && (line(y, 1.1f) || line(y, 0.3f) || line(std::fabs(x), 0.37f)) && y < 1.12f && y > 0.28f) darker(0.6f);
    if (seams & 4 && !arm && z > 0.2f && x > 0.35f && x < 1.05f && y > 3.1f && y < 3.9f && (line(y, 3.87f) || line(y, 3.13f) || line(x, 0.38f) || line(x, 1.02f))) darker(0.6f);
    if (arm && line(a[ALONG] * 3, 0.12f)) darker(0.75f);
    const float end = arm ? 5 * (sleeve - a[ALONG]) : y - hem;                   // a hem is sewn
    if (end > 0.1f && end < 0.15f) darker(0.75f);
  };
  auto printed = [&](const float* colour) {
    if (arm) return;
    const float w = m.print_size;
    if (z > 0.25f) mix(s.c, colour, print_at(prints, m.print_front, x / w, (y - 3.6f) / w));
    if (z < -0.1f) mix(s.c, colour, print_at(prints, m.print_back, -x / (1.3f * w), (y - 3.4f) / (1.3f * w)));
  };
  switch (layer) {
    case BODY: {
      set(s.c, m.skin);
      s.spec = m.spec; s.soft = 1;
      blood(m, a, px, s.c);
      if (a[HEAD_W] > 0.5f && z > 0.2f) face(m, a, s);
      else {
        if (arm && a[ALONG] > 0.98f && m.gloves > 0.5f) { set(s.c, m.glove_colour); s.soft = 0; }
        if (y < m.sock_top && !arm) { set(s.c, m.sock); s.soft = s.spec = 0; }
      }
      if (m.hair_line < 1 && a[HEAD_W] > 0.5f) roots(m, a, s.c);
      break;
    }
    case EYES: eye(m, a, s); break;
    case UPPER:
      pattern(int(m.upper_pat), m.upper_scale, m.seed, m.upper, m.upper2, a, px, s.c);
      if (m.has_outer < 0.5f) printed(m.upper2);
      stitch_top(m.sleeve, m.hem, m.upper2);
      if (m.collar > 0.5f && !arm && y > m.neck - 0.4f) mix(s.c, m.upper2, 0.9f);
      if (!arm && z > 0.1f && m.collar < 0.5f && x * x < 0.6f && line(y + neckline(m, x), m.neck - 0.14f)) darker(0.7f);
      if (m.hood_down > 0.2f && z > 0.3f && y > 4.f + m.vneck && line(std::fabs(x) - 0.04f * y, 0.12f)) mix(s.c, m.upper2, 0.7f);   // strings
      if (m.collar > 0.5f && z > 0.2f && std::fabs(x) < 0.09f) buttons(x, y, s.c);
      if (m.tie > 0.5f && z > 0.2f && y < m.neck && std::fabs(x) < 0.1f + 0.035f * (m.neck - y) && y > 1.5f) set(s.c, m.tie_colour);
      if (m.belt > 0.5f && y < m.hem + 0.15f) for (float& c : s.c) c *= 0.5f;
      s.bump = m.bump; s.spec = m.upper_gloss; break;
    case OUTER:
      pattern(int(m.outer_pat), m.outer_scale, m.seed + 3, m.outer, m.outer2, a, px, s.c);
      printed(m.outer2);
      stitch_top(m.outer_sleeve, m.outer_hem, m.outer2);
      if (m.outer_open <= 0 && z > 0.2f && std::fabs(x) < 0.05f) for (float& c : s.c) c *= 0.35f;    // zip
      if (m.outer_open > 0 && z > 0.2f && y > 2.2f && std::fabs(x) < opening(m, a) + 0.09f + 0.1f * (y - 2.2f))
        for (float& c : s.c) c *= 0.72f;                                                           // lapels
      s.bump = m.bump; s.spec = m.outer_gloss; break;
    case SKIRT:
      if (is_coat(m)) {
        pattern(int(m.outer_pat), m.outer_scale, m.seed + 3, m.outer, m.outer2, a, px, s.c);
        if (m.outer_open <= 0 && z > 0.2f && std::fabs(x) < 0.05f) darker(0.35f);
      } else if (m.dress > 0.5f) pattern(int(m.upper_pat), m.upper_scale, m.seed, m.upper, m.upper2, a, px, s.c);
      else pattern(int(m.lower_pat), m.lower_scale, m.seed, m.lower, m.lower2, a, px, s.c);
      s.bump = m.bump; break;
    case LOWER:
      pattern(int(m.lower_pat), m.lower_scale, m.seed, m.lower, m.lower2, a, px, s.c);
      if (m.belt > 0.5f && y > m.waist - 0.3f) darker(0.25f);
      if (seams & 8) {
        if (z > 0.2f && line(x, 0) && y > -0.6f) darker(0.6f);                                                   // fly
        if (z < -0.2f && std::fabs(std::fabs(x) - 0.75f) < 0.45f && y < -0.1f && y > -1.2f && (line(y, -0.15f) || line(y, -1.15f) || line(std::fabs(x), 0.35f) || line(std::fabs(x), 1.15f))) darker(0.6f);
        if (z > 0.1f && y > -0.5f && line(std::fabs(x) - 0.4f * y, 0.95f)) darker(0.65f);                          // pockets
        if (line(z, -0.1f) && std::fabs(x) > 1.f) darker(0.75f);
      }
      if (y - m.leg_end > 0.12f && y - m.leg_end < 0.18f) darker(0.75f);                                         // hem
      s.bump = m.bump; s.spec = m.lower_gloss; break;
    case HAIRCAP: case LONGHAIR: set(s.c, m.hair); break;
    case SHOES: shoe(m, a, s); break;
    case HAT: set(s.c, m.hat); s.bump = m.hat_shine > 0.1f ? 0 : 0.15f; s.spec = m.hat_shine; break;
    case SCARF: set(s.c, m.scarf_colour); s.bump = 0.6f; break;
  }
  return s;
}
