// The body model: a bank of MakeHuman bodies that share one mesh, one skeleton and one set of skin weights.
#pragma once
#include "garment.h"

enum Mesh { M_BODY, M_EYES, M_TIGHTS, M_SKIRT, M_HAIR, MESHES };

struct Model {
  int V, S, B;                      // vertices, bodies in the bank, bones
  std::vector<float> bank, heads, attrs, skin_w;
  std::vector<int> parent, skin_i, kp_ids, kp_off, kp_bones;
  std::vector<int> tri[MESHES], tri_head, tri_feet, tri_neck;
  int begin[MESHES + 1];            // first vertex of each mesh
  Prints prints;
  int foot[2][3];                   // heel, inner and outer ball of the left and the right foot

  const std::vector<int>& layer(int l) const {
    switch (l) {
      case HAIRCAP: case HAT: return tri_head;
      case SHOES: return tri_feet;
      case SCARF: return tri_neck;
      default: return tri[mesh(l)];
    }
  }
  static int mesh(int l) {
    static const int set[LAYERS] = {M_BODY, M_EYES, M_TIGHTS, M_TIGHTS, M_TIGHTS, M_SKIRT, M_BODY, M_HAIR, M_BODY, M_BODY, M_BODY};
    return set[l];
  }
};

// Body triangles of which the first vertex passes the test.
template <class Test> std::vector<int> select(const Model& m, Test test) {
  std::vector<int> out;
  const std::vector<int>& t = m.tri[M_BODY];
  for (size_t k = 0; k < t.size(); k += 3)
    if (test(&m.attrs[t[k] * NATTR])) out.insert(out.end(), &t[k], &t[k] + 3);
  return out;
}

// Body vertex nearest to a place of the resting body.
inline int nearest(const Model& m, V3 at) {
  int best = 0;
  float least = 1e9f;
  for (int v = m.begin[M_BODY]; v < m.begin[M_BODY + 1]; ++v) {
    const V3 d = load(&m.attrs[v * NATTR + RX]) - at;
    if (dot(d, d) < least) { least = dot(d, d); best = v; }
  }
  return best;
}

// Global rotation (9) and head position (3) of every bone; x' = G x + T takes resting points to posed ones.
inline void pose_bones(const Model& M, const float* rest, const float* rots, std::vector<float>& T, float* out) {
  for (int k = 0; k < M.B; ++k) {
    const float* r = rots + 9 * k;
    float* g = out + 12 * k;
    const V3 head = load(rest + 3 * k);
    V3 pos = head;
    const int p = M.parent[k];
    if (p < 0) std::memcpy(g, r, 36);
    else {
      const float* q = out + 12 * p;
      for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) g[3 * i + j] = q[3 * i] * r[j] + q[3 * i + 1] * r[3 + j] + q[3 * i + 2] * r[6 + j];
      pos = apply(q, head) + load(&T[3 * p]);
    }
    store(&T[3 * k], pos - apply(g, head));
    store(g + 9, pos);
  }
}

// Vertex normals, weighted by the area of the adjoining triangles.
inline void vertex_normals(const Model& M, const float* verts, float* out) {
  std::memset(out, 0, sizeof(float) * M.V * 3);
  for (int l = 0; l < MESHES; ++l) {
    const std::vector<int>& t = M.tri[l];
    for (size_t k = 0; k < t.size(); k += 3) {
      const V3 p0 = load(verts + 3 * t[k]), n = cross(load(verts + 3 * t[k + 1]) - p0, load(verts + 3 * t[k + 2]) - p0);
      for (int q = 0; q < 3; ++q) { float* d = out + 3 * t[k + q]; d[0] += n.x; d[1] += n.y; d[2] += n.z; }
    }
  }
  for (int v = 0; v < M.V; ++v) store(out + 3 * v, unit(load(out + 3 * v)));
}
