// Small software renderer for synthetic people: skinning, layered garments as displaced shells, z-buffer at twice
// the output size, shading once per output pixel and surface, shadow map, ambient occlusion. C interface for ctypes.
// Built by ../renderer.py.
#include "folds.h"
#include "hair.h"
#include "shoe.h"
#include "shadow.h"

namespace {

struct Lights {
  const float *sky, *ground, *list;     // list: n * (direction toward the light 3, rgb 3), in camera axes
  int n;
  float shadow;                         // how much of the first light a shadow takes away
  float ao;                             // strength of ambient occlusion
  const float* dapple;                  // patches of shade in the first light: strength, patches per dm in two directions, softness
};

struct Objects {
  int nv, nt;
  const float *verts, *norms, *colours, *spec;      // world space; one colour and gloss per vertex
  const int* tris;
  const uint8_t* owner;                             // id per triangle, written into the id picture
};

// What rz_draw leaves for rz_shade: one picture at a time per process.
struct Picture {
  Target T;
  Camera C;
  std::vector<Geometry> geo;
  Geometry objects;
  Shadow shadow;
};
Picture picture;

struct Scene {
  const Model& M;
  const Camera& C;
  const Material* mats;
  const Geometry* geo;                  // LAYERS per person
  const Geometry& objects_geo;
  const Objects& objects;
  const Lights& lights;
  const Shadow& shadow;
  const Target& T;
};

inline bool is_ground(const Scene& s, int o) {
  const Frag& f = s.T.f[o];
  return f.layer == OBJECTS && s.objects.owner[f.tri] == GROUND;
}

// Samples per dm at a sample.
inline float sample_scale(const Scene& s, int o) {
  return std::sqrt(std::fabs(s.C.A[0] * s.C.A[3] - s.C.A[1] * s.C.A[2])) * s.T.z[o];
}

// Share of the surroundings that is nearer to the camera than the sample: dark creases and contacts.
float occlusion(const Scene& s, int o) {
  constexpr int N = 6;
  static const float dir[N][2] = {{1, 0}, {.5f, .87f}, {-.5f, .87f}, {-1, 0}, {-.5f, -.87f}, {.5f, -.87f}};
  const Target& T = s.T;
  const int x = o % T.W, y = o / T.W;
  const float iz = T.z[o], depth = 1 / iz;
  const float unit_px = sample_scale(s, o);
  const uint32_t grain = (uint32_t(x) * 374761393u + uint32_t(y) * 668265263u) * 1274126177u;      // no pattern in the radii
  float sum = 0;
  for (int q = 0; q < N; ++q) {
    const float r = unit_px * (q & 1 ? 0.35f : 0.9f) * (0.8f + 0.4f * ((grain >> (8 + 3 * q)) & 7) / 7.f);
    const int u = x + int(dir[q][0] * r), v = y + int(dir[q][1] * r);
    if (u < 0 || v < 0 || u >= T.W || v >= T.H || T.z[v * T.W + u] <= iz) continue;
    const float nearer = depth - 1 / T.z[v * T.W + u];
    if (nearer <= 0.06f || nearer >= 3.5f || is_ground(s, v * T.W + u)) continue;
    sum += smooth(0.06f, 0.5f, nearer) * smooth(3.5f, 1.5f, nearer);
  }
  return sum / N;
}

// Highlight of a surface (power 16), or of hair that runs along a direction.
inline float highlight(V3 n, const Strands* hair, V3 half) {
  float h = std::max(dot(n, half), 0.f);
  if (hair) {
    const float t = dot(hair->way, half);
    h = std::sqrt(std::max(1 - t * t, 0.f)) * (0.6f + 0.4f * h);
  }
  h *= h; h *= h; h *= h;
  return h * h;
}

// Share of the first light that leaves, blinds or a house let through; needs the axes of the shadow map.
float dappled(const Scene& s, V3 p) {
  const float* d = s.lights.dapple;
  const float x = dot(s.shadow.ax, p) * d[1], y = dot(s.shadow.ay, p) * d[2];
  const float v = noise.at(x, y, 3) + 0.5f * noise.at(2.3f * x, 2.3f * y, 8);
  return 1 - d[0] * smooth(d[3], -d[3], v);
}

void light(const Scene& s, const Surface& f, V3 n, V3 p, float occ, const Strands* hair, float* out) {
  const Lights& L = s.lights;
  const V3 view = unit(p * -1);
  float facing = dot(n, view);
  if (facing < 0) { n = n * -1; facing = -facing; }
  const float up = 0.5f - 0.5f * n.y, open = 1 - L.ao * occ;      // y points down in camera axes
  float e[3], gloss[3];
  const float rim = (1 - facing) * (1 - facing), mirror = (0.03f + f.spec) * rim * rim + 0.02f * rim;
  for (int i = 0; i < 3; ++i) {
    e[i] = lerp(L.ground[i], L.sky[i], up) * open;
    gloss[i] = mirror * e[i];
  }
  const float wrap[3] = {0.22f * f.soft, 0.1f * f.soft, 0.05f * f.soft};
  for (int q = 0; q < L.n; ++q) {
    const float* d = L.list + 6 * q;
    const V3 ld = load(d);
    const float c = dot(n, ld);
    if (c <= -wrap[0]) continue;
    float lit = 0.5f + 0.5f * open;
    if (q == 0 && L.shadow > 0) lit *= 1 - L.shadow * (f.soft > 0 ? clamp01(5 * c) : 1) * (1 - s.shadow.lit(p + n * 0.2f));
    if (q == 0 && L.dapple[0] > 0) lit *= dappled(s, p);
    const float shine = f.spec * highlight(n, hair, unit(ld + view)) * clamp01(4 * c) * lit;
    for (int i = 0; i < 3; ++i) {
      e[i] += std::max((c + wrap[i]) / (1 + wrap[i]), 0.f) * lit * d[3 + i];
      gloss[i] += shine * d[3 + i];
    }
  }
  for (int i = 0; i < 3; ++i) out[i] = f.c[i] * e[i] + gloss[i];
}

// Linear colour of one sample.
void shade(const Scene& s, int o, float* out) {
  const Frag& f = s.T.f[o];
  const float b[3] = {f.b0, f.b1, 1 - f.b0 - f.b1};
  V3 n{0, 0, 0}, p{0, 0, 0};
  Surface surface;
  Strands hair;
  const Strands* strand = nullptr;
  float valley = 0;                     // folds are darker where they are deep
  if (f.layer == OBJECTS) {
    const int* t = s.objects.tris + 3 * f.tri;
    float c[3] = {0, 0, 0};
    for (int q = 0; q < 3; ++q) {
      n = n + s.objects_geo.nrm[t[q]] * b[q];
      p = p + s.objects_geo.pos[t[q]] * b[q];
      for (int i = 0; i < 3; ++i) c[i] += b[q] * s.objects.colours[3 * t[q] + i];
      surface.spec += b[q] * s.objects.spec[t[q]];
    }
    const float r = 1 + 0.12f * noise.at(p.x * 1.3f, p.y * 1.3f, p.z * 1.3f) + 0.08f * noise.at(p.x * 7, p.y * 7, p.z * 7);
    for (int i = 0; i < 3; ++i) surface.c[i] = c[i] * r;
    n = unit(n);
  } else {
    const Geometry& g = s.geo[f.person * LAYERS + f.layer];
    const Material& m = s.mats[f.person];
    const int* t = &s.M.layer(f.layer)[3 * f.tri];
    float a[NATTR] = {0};
    for (int q = 0; q < 3; ++q) {
      const float* aq = &s.M.attrs[t[q] * NATTR];
      for (int i = 0; i < NATTR; ++i) a[i] += b[q] * aq[i];
      n = n + g.nrm[t[q]] * b[q];
      p = p + g.pos[t[q]] * b[q];
    }
    const float px = 0.5f * sample_scale(s, o);
    auto patch = [&] {
      const float* all = s.M.attrs.data();
      return Patch(g.pos[t[0]], g.pos[t[1]], g.pos[t[2]], all + t[0] * NATTR, all + t[1] * NATTR, all + t[2] * NATTR);
    };
    surface = material(f.layer, m, s.M.prints, a, px);
    n = unit(n);
    if (surface.bump > 0.02f) {
      const Relief r = folds(m, a, surface.bump, hanging(f.layer, m, a), f.layer == OUTER ? m.quilt : 0, px);
      n = embossed(n, patch(), r);
      valley = clamp01(-2.5f * r.h);
    }
    if (f.layer == HAIRCAP || f.layer == LONGHAIR) {
      hair = strands(m, a, n, patch(), px);
      n = hair.n;
      for (float& c : surface.c) c *= hair.shade;
      surface.spec = hair.gloss;
      strand = &hair;
    }
  }
  light(s, surface, n, p, std::min(occlusion(s, o) + valley, 1.f), strand, out);
}

// How much darker (display values, 0 .. 1) the ground is at a sample because of who stands on it.
float ground_shadow(const Scene& s, int o) {
  const Frag& f = s.T.f[o];
  const int* t = s.objects.tris + 3 * f.tri;
  const float b[3] = {f.b0, f.b1, 1 - f.b0 - f.b1};
  V3 n{0, 0, 0}, p{0, 0, 0};
  for (int q = 0; q < 3; ++q) { n = n + s.objects_geo.nrm[t[q]] * b[q]; p = p + s.objects_geo.pos[t[q]] * b[q]; }
  n = unit(n);
  const Lights& L = s.lights;
  const float key = std::max(dot(n, load(L.list)), 0.f) * L.list[4], ambient = L.sky[1] + 0.02f;
  const float lit = L.shadow > 0 ? 1 - L.shadow * (1 - s.shadow.lit(p)) : 1;
  const float v = (ambient * (1 - L.ao * occlusion(s, o)) + key * lit) / (ambient + key);
  return std::min(1 - std::sqrt(v), 0.5f);
}

// Averages 2 x 2 samples in linear light; each surface of a pixel is shaded once. Shadows on the ground are black with
// partial alpha.
void resolve(const Scene& s, uint8_t* rgba) {
  const Target& T = s.T;
  const int w = T.W / 2, h = T.H / 2;
  std::memset(rgba, 0, size_t(w) * h * 4);
  for (int y = T.y0 / 2; y < T.y1 / 2; ++y)
    for (int x = T.x0 / 2; x < T.x1 / 2; ++x) {
      uint8_t* out = rgba + 4 * (y * w + x);
      const int base = 2 * y * T.W + 2 * x, at[4] = {base, base + 1, base + T.W, base + T.W + 1};
      float sum[3] = {0, 0, 0}, colour[4][3];
      float shadow = 0, dark = -1;
      int key[4], covered = 0, kinds = 0;
      for (int q = 0; q < 4; ++q) {
        if (T.z[at[q]] <= 0) continue;
        const Frag& f = T.f[at[q]];
        if (is_ground(s, at[q])) {
          shadow += dark = dark < 0 ? ground_shadow(s, at[q]) : dark;
          continue;
        }
        ++covered;
        const int k = f.person * 256 + f.layer;
        int i = 0;
        while (i < kinds && key[i] != k) ++i;
        if (i == kinds) { key[kinds++] = k; shade(s, at[q], colour[i]); }
        for (int c = 0; c < 3; ++c) sum[c] += colour[i][c];
      }
      const float alpha = covered + shadow;
      if (alpha <= 0) continue;
      const float share = covered / alpha;
      for (int c = 0; c < 3; ++c)                                       // rough display gamma
        out[c] = covered ? uint8_t(255 * share * std::sqrt(clamp01(sum[c] / covered)) + 0.5f) : 0;
      out[3] = uint8_t(alpha * 255 / 4);
    }
}

// Normals of cloth as it stands off, not of the body below.
void shell_normals(const std::vector<int>& t, int begin, int end, Geometry& g) {
  for (int v = begin; v < end; ++v) g.nrm[v] = g.nrm[v] * 1e-4f;
  for (size_t k = 0; k < t.size(); k += 3) {
    const int i = t[k], j = t[k + 1], q = t[k + 2];
    if (g.iz[i] <= 0 || g.iz[j] <= 0 || g.iz[q] <= 0) continue;
    const V3 n = cross(g.pos[j] - g.pos[i], g.pos[q] - g.pos[i]);
    g.nrm[i] = g.nrm[i] + n; g.nrm[j] = g.nrm[j] + n; g.nrm[q] = g.nrm[q] + n;
  }
}

// Fills the geometry of one layer of one person. Of skin deep below clothes the shadow map needs a few places.
void place(const Model& M, const Material& m, int l, const Camera& C, const float* R, const float* t, const float* verts,
           const float* norms, Geometry& g) {
  const int mesh = Model::mesh(l);
  g.resize(M.V);
  float RC[9], tc[3];                   // rest of the body to camera in one step
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) RC[3 * i + j] = C.R[3 * i] * R[j] + C.R[3 * i + 1] * R[3 + j] + C.R[3 * i + 2] * R[6 + j];
  store(tc, apply(C.R, load(t)) + load(C.t));
  const Foot feet[2] = {{M, verts, 1}, {M, verts, 0}};
  const bool head = l == HAIRCAP || l == HAT || l == SCARF;
  for (int v = M.begin[mesh]; v < M.begin[mesh + 1]; ++v) {
    const float* a = &M.attrs[v * NATTR];
    const bool elsewhere = (head && a[RY] < 5.f) || (l == SHOES && a[RY] > m.shoe_top + 1.0f) || (l == BODY && v % Shadow::STEP && deep_below(m, a));
    if (elsewhere || !within_reach(l, m, a)) { g.iz[v] = -1; g.in[v] = 0; continue; }
    g.in[v] = inside(l, m, a);
    const float d = g.in[v] || l != BODY ? offset(l, m, a) : 0;
    const V3 n = load(norms + 3 * v);
    V3 shift = n * d;
    if (l == SHOES && a[RZ] > 0.9f) {
      const float t = front_of_shoe(a);
      shift = shift * (1 - t) + feet[a[RX] > 0 ? 0 : 1].turned(to_last(a)) * t;
    }
    g.project(v, C, apply(RC, load(verts + 3 * v) + shift) + load(tc), apply(RC, n));
  }
  if (l == SHOES || l == UPPER || l == OUTER || l == LOWER || l == SKIRT) shell_normals(M.layer(l), M.begin[mesh], M.begin[mesh + 1], g);
}

}  // namespace

extern "C" {

// "name:size" of every field of Material, in order.
const char* rz_material_fields() {
#define F(n) #n ":3 "
#define G(n) #n ":1 "
  return MATERIAL_COLOURS(F) MATERIAL_NUMBERS(G);
#undef F
#undef G
}

void* rz_create(int V, int S, int B, const float* bank, const float* heads, const int* parent, const int* skin_i, const float* skin_w,
                const float* attrs, int nki, const int* kp_ids, int nko, const int* kp_off, int nkb, const int* kp_bones,
                const int* sizes, const int* ntri, const int** tris, int nprints, const uint8_t* prints) {
  Model* m = new Model;
  m->V = V; m->S = S; m->B = B;
  m->bank.assign(bank, bank + size_t(S) * V * 3);
  m->heads.assign(heads, heads + size_t(S) * B * 3);
  m->parent.assign(parent, parent + B);
  m->skin_i.assign(skin_i, skin_i + V * 4);
  m->skin_w.assign(skin_w, skin_w + V * 4);
  m->attrs.assign(attrs, attrs + V * NATTR);
  m->kp_ids.assign(kp_ids, kp_ids + nki);
  m->kp_off.assign(kp_off, kp_off + nko);
  m->kp_bones.assign(kp_bones, kp_bones + nkb);
  for (int i = 0; i < MESHES; ++i) m->tri[i].assign(tris[i], tris[i] + ntri[i] * 3);
  m->tri_head = select(*m, [](const float* a) { return a[HEAD_W] > 0.3f && a[RY] > 6; });
  m->tri_feet = select(*m, [](const float* a) { return a[RY] < -4; });
  m->tri_neck = select(*m, [](const float* a) { return a[RY] > 5.2f && a[RY] < 6.8f && std::fabs(a[RX]) < 1.4f; });
  const int order[MESHES + 1] = {0, sizes[0], sizes[1] + sizes[2], sizes[3], sizes[4], sizes[5]};
  m->begin[0] = 0;
  for (int i = 1; i <= MESHES; ++i) m->begin[i] = m->begin[i - 1] + order[i];
  for (int i = 0; i < 2; ++i) {
    const float side = i ? -1 : 1;
    const V3 at[3] = {{2.2f * side, -7.9f, -0.45f}, {1.8f * side, -8.f, 1.f}, {2.65f * side, -8.f, 1.f}};
    for (int q = 0; q < 3; ++q) m->foot[i][q] = nearest(*m, at[q]);
  }
  m->prints.n = nprints;
  m->prints.data.assign(prints, prints + size_t(nprints) * PRINT_SIZE * PRINT_SIZE);
  return m;
}

// Poses a blend of two bank bodies, one local rotation per bone (row-major, axes of the rest pose).
// out_v, out_n: V * 3; out_kp: 17 * 3; out_bones: B * 12 (global rotation, position).
void rz_pose(void* h, int a, int b, float t, const float* rots, float* out_v, float* out_n, float* out_kp, float* out_bones) {
  const Model& M = *static_cast<Model*>(h);
  const float* va = &M.bank[size_t(a) * M.V * 3]; const float* vb = &M.bank[size_t(b) * M.V * 3];
  const float* ha = &M.heads[size_t(a) * M.B * 3]; const float* hb = &M.heads[size_t(b) * M.B * 3];
  std::vector<float> T(M.B * 3), rest(M.B * 3);
  for (int i = 0; i < M.B * 3; ++i) rest[i] = lerp(ha[i], hb[i], t);
  pose_bones(M, rest.data(), rots, T, out_bones);
  for (int v = 0; v < M.V; ++v) {
    const V3 p{lerp(va[3 * v], vb[3 * v], t), lerp(va[3 * v + 1], vb[3 * v + 1], t), lerp(va[3 * v + 2], vb[3 * v + 2], t)};
    V3 o{0, 0, 0};
    for (int q = 0; q < 4; ++q) {
      const float w = M.skin_w[4 * v + q];
      if (w == 0) continue;
      const int k = M.skin_i[4 * v + q];
      o = o + (apply(out_bones + 12 * k, p) + load(&T[3 * k])) * w;
    }
    store(out_v + 3 * v, o);
  }
  vertex_normals(M, out_v, out_n);
  const int groups = int(M.kp_off.size()) - 1;
  for (int k = 0; k < groups; ++k) {
    V3 s{0, 0, 0};
    for (int i = M.kp_off[k]; i < M.kp_off[k + 1]; ++i) s = s + load(out_v + 3 * M.kp_ids[i]);
    store(out_kp + 3 * k, s * (1.0f / (M.kp_off[k + 1] - M.kp_off[k])));
  }
  for (size_t k = 0; k < M.kp_bones.size(); ++k) std::memcpy(out_kp + 3 * (groups + k), out_bones + 12 * M.kp_bones[k] + 9, 12);
}

// Draws surfaces, not yet colours. W, H: the output size; the camera's A and b are for 2 W x 2 H. clip: x0, y0, x1, y1 in
// samples, even; nothing is drawn outside. verts, norms: n posed bodies; xf: body to world (rotation 9, translation 3) per person.
// zbuf (1 / depth) and id (0 nothing, 1 + person, or an object's owner) have 2 W x 2 H samples.
void rz_draw(void* h, int W, int H, const int* clip, const float* cam, int n, const float** verts, const float** norms,
             const float* xf, const float* mats, int ov, const float* overts, const float* onorms, int ot, const int* otris,
             const uint8_t* oowner, float* zbuf, uint8_t* id) {
  const Model& M = *static_cast<Model*>(h);
  Target& T = picture.T;
  Camera& C = picture.C;
  std::memcpy(&C, cam, sizeof(C));
  T.W = 2 * W; T.H = 2 * H;
  T.x0 = clip[0]; T.y0 = clip[1]; T.x1 = clip[2]; T.y1 = clip[3];
  T.z.assign(size_t(T.W) * T.H, 0);
  T.f.resize(size_t(T.W) * T.H);
  std::vector<Geometry>& geo = picture.geo;
  if (int(geo.size()) < n * LAYERS) geo.resize(n * LAYERS);
  const Material* materials = reinterpret_cast<const Material*>(mats);
  Geometry& og = picture.objects;
  og.resize(ov);
  for (int v = 0; v < ov; ++v) {
    og.in[v] = 1;
    og.project(v, C, apply(C.R, load(overts + 3 * v)) + load(C.t), apply(C.R, load(onorms + 3 * v)));
  }
  raster(otris, ot, false, 255, OBJECTS, og, T, [](int, float, float, float) { return true; });
  static const int order[] = {OUTER, UPPER, LOWER, SKIRT, HAIRCAP, LONGHAIR, SHOES, HAT, SCARF, BODY, EYES};   // outside in
  for (int p = 0; p < n; ++p)
    for (int l : order) {
      const Material& m = materials[p];
      if (!layer_used(l, m)) continue;
      Geometry& g = geo[p * LAYERS + l];
      place(M, m, l, C, xf + 12 * p, xf + 12 * p + 9, verts[p], norms[p], g);
      const std::vector<int>& tri = M.layer(l);
      const bool cull = l == BODY || l == SHOES || l == EYES || l == HAIRCAP || l == HAT;
      raster(tri.data(), int(tri.size() / 3), cull, p, l, g, T, [&](int k, float b0, float b1, float b2) {
        const int* t = &tri[3 * k];
        float a[NATTR];
        for (int q = 0; q < NATTR; ++q)
          a[q] = b0 * M.attrs[t[0] * NATTR + q] + b1 * M.attrs[t[1] * NATTR + q] + b2 * M.attrs[t[2] * NATTR + q];
        return inside(l, m, a);
      });
    }
  for (size_t o = 0; o < T.z.size(); ++o) {
    zbuf[o] = T.z[o];
    id[o] = T.z[o] <= 0 ? 0 : T.f[o].layer == OBJECTS ? oowner[T.f[o].tri] : 1 + T.f[o].person;
    if (id[o] == GROUND) zbuf[o] = id[o] = 0;
  }
}

// Colours of what rz_draw drew last, from the same people and things. rgba: the picture, not premultiplied.
void rz_shade(void* h, int n, const float* mats, int ov, const float* overts, const float* onorms, const float* ocolours,
              const float* ospec, int ot, const int* otris, const uint8_t* oowner, int nl, const float* lights, float shadow,
              float ao, const float* dapple, uint8_t* rgba) {
  const Model& M = *static_cast<Model*>(h);
  const Material* materials = reinterpret_cast<const Material*>(mats);
  const Objects objects{ov, ot, overts, onorms, ocolours, ospec, otris, oowner};
  const Lights L{lights, lights + 3, lights + 6, nl, shadow, ao, dapple};
  const std::vector<Geometry>& geo = picture.geo;
  Shadow& S = picture.shadow;
  if (shadow > 0) {
    S.begin(load(L.list), geo[BODY], M.begin[0], M.begin[1]);
    int casting = ot;                   // the ground comes last and casts none
    while (casting > 0 && oowner[casting - 1] == GROUND) --casting;
    S.add(otris, casting, false, picture.objects, 0, ov);
    for (int p = 0; p < n; ++p)         // of the others only the clothes cast: skin has ten times their triangles
      for (int l : {int(OUTER), int(UPPER), int(LOWER), int(SKIRT), int(SHOES), int(BODY), int(HAT)})
        if (layer_used(l, materials[p]) && (p == 0 || (l != BODY && l != HAT && l != SHOES))) {
          const int mesh = Model::mesh(l);
          const std::vector<int>& t = M.layer(l);
          S.add(t.data(), int(t.size() / 3), l == BODY || l == SHOES, geo[p * LAYERS + l], M.begin[mesh], M.begin[mesh + 1]);
        }
  }
  const Scene scene{M, picture.C, materials, geo.data(), picture.objects, objects, L, S, picture.T};
  resolve(scene, rgba);
}

}  // extern "C"
