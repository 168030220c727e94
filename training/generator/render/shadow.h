// Orthographic depth map seen from the key light: shadows people and things cast on themselves and on each other.
#pragma once
#include "raster.h"

struct Shadow {
  static const int N = 224, STEP = 7; // side of the map; every STEPth vertex frames it
  V3 ax, ay, d;
  float cx, cy, scale;
  std::vector<float> z;
  std::vector<V3> at;                 // vertices of one layer in the map: cell, cell, distance towards the light

  // Frames the map on the vertices b .. e of the subject's body.
  void begin(V3 light, const Geometry& g, int b, int e) {
    d = unit(light);
    ax = unit(cross(std::fabs(d.y) < 0.9f ? V3{0, 1, 0} : V3{1, 0, 0}, d));
    ay = cross(d, ax);
    float x0 = 1e9f, x1 = -1e9f, y0 = 1e9f, y1 = -1e9f;
    for (int v = b; v < e; v += STEP) {
      const float x = dot(ax, g.pos[v]), y = dot(ay, g.pos[v]);
      x0 = std::min(x0, x); x1 = std::max(x1, x); y0 = std::min(y0, y); y1 = std::max(y1, y);
    }
    cx = (x0 + x1) / 2; cy = (y0 + y1) / 2;
    scale = N / (std::max(x1 - x0, y1 - y0) * 1.15f + 0.1f);
    z.assign(N * N, -1e9f);
  }

  // Triangles of a layer of which the vertices are b .. e; closed: those that face away from the light add nothing.
  void add(const int* tri, int n, bool closed, const Geometry& g, int b, int e) {
    if (int(at.size()) < e) at.resize(e);
    bool near = false;
    for (int v = b; v < e; ++v) {
      if (g.iz[v] <= 0) continue;
      at[v] = {(dot(ax, g.pos[v]) - cx) * scale + N / 2, (dot(ay, g.pos[v]) - cy) * scale + N / 2, dot(d, g.pos[v])};
      near |= at[v].x > 0 && at[v].x < N && at[v].y > 0 && at[v].y < N;
    }
    if (!near) return;
    for (int k = 0; k < n; ++k) {
      const int* i = tri + 3 * k;
      if (!(g.in[i[0]] + g.in[i[1]] + g.in[i[2]]) || g.iz[i[0]] <= 0 || g.iz[i[1]] <= 0 || g.iz[i[2]] <= 0) continue;
      const V3 &p0 = at[i[0]], &p1 = at[i[1]], &p2 = at[i[2]];
      const float x[3] = {p0.x, p1.x, p2.x}, y[3] = {p0.y, p1.y, p2.y}, w[3] = {p0.z, p1.z, p2.z};
      const float area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]);
      if (std::fabs(area) < 1e-7f || (closed && area < 0)) continue;
      const int xa = int(std::max(0.f, std::min({x[0], x[1], x[2]}))), xb = int(std::min(N - 1.f, std::max({x[0], x[1], x[2]})));
      const int ya = int(std::max(0.f, std::min({y[0], y[1], y[2]}))), yb = int(std::min(N - 1.f, std::max({y[0], y[1], y[2]})));
      if (xa > xb || ya > yb) continue;
      const float inv = 1 / area;
      const float d0x = (y[1] - y[2]) * inv, d0y = (x[2] - x[1]) * inv, d1x = (y[2] - y[0]) * inv, d1y = (x[0] - x[2]) * inv;
      const Span e0(d0x), e1(d1x), e2(-d0x - d1x);
      const float dw = d0x * (w[0] - w[2]) + d1x * (w[1] - w[2]);
      for (int v = ya; v <= yb; ++v) {
        const float py = v + 0.5f - y[2], r0 = d0y * py, r1 = d1y * py;
        float lo = xa + 0.5f - x[2], hi = xb + 0.5f - x[2];
        e0.clip(r0, lo, hi); e1.clip(r1, lo, hi); e2.clip(1 - r0 - r1, lo, hi);
        if (lo > hi) continue;
        const int from = std::max(xa, int(std::ceil(lo - 0.5f + x[2] - 1e-3f))), to = std::min(xb, int(std::floor(hi - 0.5f + x[2] + 1e-3f)));
        float* row = &z[v * N];
        const float base = w[2] + r0 * (w[0] - w[2]) + r1 * (w[1] - w[2]);
        for (int u = from; u <= to; ++u) row[u] = std::max(row[u], base + dw * (u + 0.5f - x[2]));
      }
    }
  }

  // Share of four neighbouring cells that see the light.
  float lit(V3 p) const {
    const float x = (dot(ax, p) - cx) * scale + N / 2 - 0.5f, y = (dot(ay, p) - cy) * scale + N / 2 - 0.5f, w = dot(d, p) + 0.22f;
    const int u = int(std::floor(x)), v = int(std::floor(y));
    if (u < 0 || v < 0 || u >= N - 1 || v >= N - 1) return 1;
    const float fx = x - u, fy = y - v;
    const float* q = &z[v * N + u];
    auto s = [&](float o) { return clamp01(1 - 5 * (o - w)); };      // what lies just below the surface hides little
    return (s(q[0]) * (1 - fx) + s(q[1]) * fx) * (1 - fy) + (s(q[N]) * (1 - fx) + s(q[N + 1]) * fx) * fy;
  }
};
