// Shoes close over the toes: their front is a rounded shape, not the skin moved outwards.
#pragma once
#include "body.h"

// Where one foot of a posed body is: axes (rest to posed) with the change of size.
struct Foot {
  V3 x, y, z;
  static void axes(V3 heel, V3 inner, V3 outer, float side, V3& x, V3& y, V3& z) {
    const V3 across = (outer - inner) * side, along = (inner + outer) * 0.5f - heel;
    x = unit(across);
    y = unit(cross(along, across));
    z = cross(x, y);
  }
  Foot(const Model& m, const float* verts, int left) {
    const int* f = m.foot[left ? 0 : 1];
    const float side = left ? 1.f : -1.f;
    V3 p[3], r[3], a, b, c, u, v, w;
    for (int q = 0; q < 3; ++q) { p[q] = load(verts + 3 * f[q]); r[q] = load(&m.attrs[f[q] * NATTR + RX]); }
    axes(r[0], r[1], r[2], side, a, b, c);
    axes(p[0], p[1], p[2], side, u, v, w);
    const V3 e = p[2] - p[0], g = r[2] - r[0];
    const float size = std::sqrt(dot(e, e) / dot(g, g));
    x = (u * a.x + v * b.x + w * c.x) * size;
    y = (u * a.y + v * b.y + w * c.y) * size;
    z = (u * a.z + v * b.z + w * c.z) * size;
  }
  V3 turned(V3 d) const { return x * d.x + y * d.y + z * d.z; }
};

// How much of the shoe's front shape a place takes, 0 .. 1; soles stay as they are.
inline float front_of_shoe(const float* a) { return smooth(0.9f, 1.3f, a[RZ]) * smooth(-8.14f, -8.06f, a[RY]); }

// From a place of the resting foot to the shoe's front.
inline V3 to_last(const float* a) {
  const float side = a[RX] > 0 ? 1.f : -1.f;
  const V3 middle{2.2f * side, -8.2f, 0.9f}, d = load(a + RX) - middle;
  const float ex = d.x / 0.56f, ey = d.y / 0.58f, ez = d.z / 1.2f;
  return d * (1 / std::sqrt(ex * ex + ey * ey + ez * ez + 1e-6f) - 1);
}
