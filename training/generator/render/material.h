// What a person looks like, as numbers from wardrobe.py, and what a place of the surface looks like.
#pragma once
#include "vec.h"

// Colours are linear light. The names are read by Python through rz_material_fields.
#define MATERIAL_COLOURS(F) \
  F(skin) F(hair) F(upper) F(upper2) F(lower) F(lower2) F(outer) F(outer2) F(shoe) F(sole) F(hat) \
  F(tie_colour) F(scarf_colour) F(sock) F(glove_colour)
#define MATERIAL_NUMBERS(F) \
  F(seed) F(upper_pat) F(upper_scale) F(lower_pat) F(lower_scale) F(outer_pat) F(outer_scale) \
  F(has_upper) F(sleeve) F(hem) F(neck) F(vneck) F(collar) F(tie) F(upper_loose) F(bump) F(hood_down) F(stand_up) F(quilt) \
  F(upper_gloss) F(lower_gloss) F(outer_gloss) \
  F(has_outer) F(outer_sleeve) F(outer_hem) F(outer_open) F(outer_loose) \
  F(waist) F(leg_end) F(lower_loose) F(flare) F(belt) F(skirt_end) F(dress) \
  F(shoe_top) F(shoe_shine) F(sock_top) F(gloves) F(scarf) \
  F(hair_thick) F(hair_line) F(ear_cover) F(curly) F(long_hair) \
  F(parting) F(fringe) F(sweep) F(temples) F(beard) F(stubble) F(brows) F(lips) F(squint) \
  F(hat_line) F(hat_slope) F(hat_thick) F(hat_shine) F(hood) \
  F(seams) F(glasses) F(mouth) F(spec) F(print_front) F(print_back) F(print_size) \
  F(bend_elbow_l) F(bend_elbow_r) F(bend_knee_l) F(bend_knee_r) F(bend_hip_l) F(bend_hip_r)

struct Material {
#define F(n) float n[3];
  MATERIAL_COLOURS(F)
#undef F
#define F(n) float n;
  MATERIAL_NUMBERS(F)
#undef F
};

enum Layer { BODY, EYES, UPPER, OUTER, LOWER, SKIRT, HAIRCAP, LONGHAIR, SHOES, HAT, SCARF, LAYERS };
// ALONG: 0 shoulder, 0.5 elbow, 1 wrist; RX RY RZ: place on the resting body, its left is +x, up +y, front +z.
enum { ARM_W, ALONG, HEAD_W, RX, RY, RZ, NATTR };

// soft: light that enters skin comes out beside
struct Surface { float c[3]; float bump = 0, spec = 0, soft = 0; };

inline void set(float* d, const float* s) { d[0] = s[0]; d[1] = s[1]; d[2] = s[2]; }
inline void mix(float* d, const float* s, float t) { for (int i = 0; i < 3; ++i) d[i] += (s[i] - d[i]) * t; }
