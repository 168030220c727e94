// Projection and z-buffer: one fragment (which triangle, where in it) per sample; shading comes later.
#pragma once
#include "body.h"

constexpr int OBJECTS = LAYERS;       // layer number of the scene's other things
constexpr uint8_t GROUND = 202;      // owner of triangles that only catch shadows
constexpr float NEAR = 0.8f;          // dm

struct Frag { int32_t tri; uint8_t person, layer; float b0, b1; };

struct Target {
  int W, H;
  int x0, y0, x1, y1;                 // nothing is drawn outside: what the photograph's frame leaves
  std::vector<float> z;               // 1 / depth, 0 where nothing is
  std::vector<Frag> f;
};

// px = A * (X / Z, Y / Z) + b with camera axes x right, y down, z forward.
struct Camera { float R[9], t[3], A[4], b[2]; };

// Vertices of one layer (or of the objects) in camera space, indexed like their mesh.
struct Geometry {
  std::vector<V3> pos, nrm;
  std::vector<float> sx, sy, iz;
  std::vector<uint8_t> in;            // vertex lies in the layer's region
  void resize(int n) {
    if (int(pos.size()) >= n) return;
    pos.resize(n); nrm.resize(n); sx.resize(n); sy.resize(n); iz.resize(n); in.resize(n);
  }
  void project(int v, const Camera& C, V3 camera_pos, V3 normal) {
    nrm[v] = normal; pos[v] = camera_pos;
    if (camera_pos.z < NEAR) { iz[v] = -1; return; }
    const float w = 1 / camera_pos.z, x = camera_pos.x * w, y = camera_pos.y * w;
    iz[v] = w; sx[v] = C.A[0] * x + C.A[1] * y + C.b[0]; sy[v] = C.A[2] * x + C.A[3] * y + C.b[1];
  }
};

// One edge of a triangle along a pixel row: where slope * x + r >= 0.
struct Span {
  float inv;
  bool rising;
  explicit Span(float slope) : inv(1 / (slope + (slope < 0 ? -1e-20f : 1e-20f))), rising(slope >= 0) {}
  void clip(float r, float& lo, float& hi) const {
    const float at = -r * inv;
    lo = std::max(lo, rising ? at : -1e30f);
    hi = std::min(hi, rising ? 1e30f : at);
  }
};

// inside(k, b0, b1, b2) is asked only for triangles that the layer's border crosses.
template <class Inside>
void raster(const int* tri, int n, bool cull, int person, int layer, const Geometry& g, Target& T, Inside inside) {
  for (int k = 0; k < n; ++k) {
    const int i0 = tri[3 * k], i1 = tri[3 * k + 1], i2 = tri[3 * k + 2];
    const int in = g.in[i0] + g.in[i1] + g.in[i2];
    if (in == 0) continue;
    const float w0 = g.iz[i0], w1 = g.iz[i1], w2 = g.iz[i2];
    if (w0 <= 0 || w1 <= 0 || w2 <= 0) continue;
    const float x0 = g.sx[i0], y0 = g.sy[i0], x1 = g.sx[i1], y1 = g.sy[i1], x2 = g.sx[i2], y2 = g.sy[i2];
    const float area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0);
    if (std::fabs(area) < 1e-6f || (cull && area > 0)) continue;
    const float fxa = std::max(std::min({x0, x1, x2}) - 0.5f, -1.f), fxb = std::min(std::max({x0, x1, x2}) - 0.5f, float(T.W));
    const float fya = std::max(std::min({y0, y1, y2}) - 0.5f, -1.f), fyb = std::min(std::max({y0, y1, y2}) - 0.5f, float(T.H));
    const int xa = std::max(int(std::ceil(fxa)), T.x0), xb = std::min(int(std::floor(fxb)), T.x1 - 1);
    const int ya = std::max(int(std::ceil(fya)), T.y0), yb = std::min(int(std::floor(fyb)), T.y1 - 1);
    if (xa > xb || ya > yb) continue;
    const float inv = 1 / area;
    const float d0x = (y1 - y2) * inv, d0y = (x2 - x1) * inv, d1x = (y2 - y0) * inv, d1y = (x0 - x2) * inv;
    const Span e0(d0x), e1(d1x), e2(-d0x - d1x);
    const float dz = d0x * (w0 - w2) + d1x * (w1 - w2);
    for (int y = ya; y <= yb; ++y) {
      const float py = y + 0.5f - y2, r0 = d0y * py, r1 = d1y * py;
      float lo = xa + 0.5f - x2, hi = xb + 0.5f - x2;
      e0.clip(r0, lo, hi); e1.clip(r1, lo, hi); e2.clip(1 - r0 - r1, lo, hi);
      if (lo > hi) continue;
      const int from = std::max(int(std::ceil(lo - 0.5f + x2)), xa), to = std::min(int(std::floor(hi - 0.5f + x2)), xb);
      const float z0 = w2 + r0 * (w0 - w2) + r1 * (w1 - w2);
      for (int x = from; x <= to; ++x) {
        const float px = x + 0.5f - x2, iz = z0 + dz * px;
        const int o = y * T.W + x;
        if (iz <= T.z[o]) continue;
        const float b0 = std::max(d0x * px + r0, 0.f), b1 = std::max(d1x * px + r1, 0.f);
        if (in != 3 && !inside(k, b0, b1, 1 - b0 - b1)) continue;
        T.z[o] = iz;
        T.f[o] = {k, uint8_t(person), uint8_t(layer), b0, b1};
      }
    }
  }
}
