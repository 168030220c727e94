// Paints crops from scenes: every pixel of every crop at once, on a GPU (nvcc) or a CPU (g++ -x c++). C interface for ctypes,
// built by ../painter.py, which writes scene.h (`struct Scene`, the numbers of one crop) from its list of fields.
//
// Four passes, each a function of one pixel or block:
//   Paint   background, people, things in front, light                          -> lit    [n, H, W] float4, 0..1
//   Expose  blur and resampling to the small picture that a camera took, noise  -> small  [n, H, W] float4, the picture in a corner
//   Jpeg    8 x 8 blocks quantised as JPEG does, where a crop wants it          -> coded  [n, H, W] float4, Y Cb Cr
//   Develop enlarged to the crop again, black outside the photograph            -> out    [n, H, W, 3] uint8
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __CUDACC__
#define HD __device__ __forceinline__
#define HD_MEMBER __device__
#else
#define HD static inline
#define HD_MEMBER
struct float4 { float x, y, z, w; };
#endif

#include "scene.h"

namespace {

constexpr int SW = 192, SH = 256;           // sprite
constexpr int AW = 24, AH = 32;             // its alpha, blurred, for the shadow around it

struct Colour { float r, g, b; };

HD float clamp(float v, float lo, float hi) { return fminf(fmaxf(v, lo), hi); }
HD Colour mix(Colour a, Colour b, float t) { return {a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t}; }
HD float luminance(Colour c) { return .299f * c.r + .587f * c.g + .114f * c.b; }
HD Colour coloured(const float *m, Colour c) {
  return {m[0] * c.r + m[1] * c.g + m[2] * c.b + m[9], m[3] * c.r + m[4] * c.g + m[5] * c.b + m[10],
          m[6] * c.r + m[7] * c.g + m[8] * c.b + m[11]};
}

// ------------------------------------------------------------------------------------------------------------- random numbers
HD uint32_t hash(uint32_t v) {              // PCG's output permutation
  v = v * 747796405u + 2891336453u;
  v = ((v >> ((v >> 28) + 4)) ^ v) * 277803737u;
  return (v >> 22) ^ v;
}
HD float uniform(uint32_t h) { return (h >> 8) * (1.f / 16777216.f) + 1e-7f; }
HD float normal(uint32_t &state) {          // Box and Muller
  uint32_t a = hash(state), b = hash(a);
  state = b;
  return sqrtf(-2.f * logf(uniform(a))) * cosf(6.2831853f * uniform(b));
}

// ---------------------------------------------------------------------------------------------------------------- the sources
struct Sources {
  const uint8_t *sprites;                   // [slots, SH, SW, 4] straight alpha
  const uint8_t *shades;                    // [slots, AH, AW] blurred alpha
  const uint8_t *backgrounds;               // [count, side, side, 3]
  int side;
};

HD float mirrored(float v, float last) {    // reflection at the middle of the border's pixels
  v = fabsf(fmodf(v, 2 * last));
  return v > last ? 2 * last - v : v;
}

/** A view's colour where the crop's pixel i, j shows it. */
HD Colour view(const Sources &s, const View &v, float i, float j) {
  float last = float(s.side - 1);
  float x = mirrored(v.map[0] + v.map[1] * i + v.map[2] * j, last), y = mirrored(v.map[3] + v.map[4] * i + v.map[5] * j, last);
  int x0 = int(x), y0 = int(y), x1 = x0 + (x0 < s.side - 1), y1 = y0 + (y0 < s.side - 1);
  float fx = x - x0, fy = y - y0;
  const uint8_t *p = s.backgrounds + size_t(v.image) * s.side * s.side * 3;
  const uint8_t *a = p + (y0 * s.side + x0) * 3, *b = p + (y0 * s.side + x1) * 3, *c = p + (y1 * s.side + x0) * 3, *d = p + (y1 * s.side + x1) * 3;
  float wa = (1 - fx) * (1 - fy) / 255, wb = fx * (1 - fy) / 255, wc = (1 - fx) * fy / 255, wd = fx * fy / 255;
  Colour q = {wa * a[0] + wb * b[0] + wc * c[0] + wd * d[0], wa * a[1] + wb * b[1] + wc * c[1] + wd * d[1],
              wa * a[2] + wb * b[2] + wc * c[2] + wd * d[2]};
  return coloured(v.colour, q);
}

/** Premultiplied colour and alpha of a record at x, y of its sprite; nothing outside. */
HD float4 sprite(const Sources &s, int record, float x, float y) {
  float4 out = {0, 0, 0, 0};
  if (!(x > -1 && x < SW && y > -1 && y < SH)) return out;
  int x0 = int(floorf(x)), y0 = int(floorf(y));
  float fx = x - x0, fy = y - y0;
  const uint8_t *base = s.sprites + size_t(record) * SH * SW * 4;
  for (int k = 0; k < 4; k++) {
    int xx = x0 + (k & 1), yy = y0 + (k >> 1);
    if (xx < 0 || yy < 0 || xx >= SW || yy >= SH) continue;
    uint32_t q = *reinterpret_cast<const uint32_t *>(base + (yy * SW + xx) * 4);
    float w = ((k & 1) ? fx : 1 - fx) * ((k >> 1) ? fy : 1 - fy) * (q >> 24) * (1.f / 255), c = w * (1.f / 255);
    out.x += c * (q & 255);
    out.y += c * ((q >> 8) & 255);
    out.z += c * ((q >> 16) & 255);
    out.w += w;
  }
  return out;
}

HD float shade(const Sources &s, int record, float x, float y) {
  float u = clamp((x + .5f) * AW / SW - .5f, 0, AW - 1), v = clamp((y + .5f) * AH / SH - .5f, 0, AH - 1);
  int u0 = int(u), v0 = int(v), u1 = u0 + (u0 < AW - 1), v1 = v0 + (v0 < AH - 1);
  const uint8_t *p = s.shades + size_t(record) * AH * AW;
  float fu = u - u0, fv = v - v0;
  return ((p[v0 * AW + u0] * (1 - fu) + p[v0 * AW + u1] * fu) * (1 - fv) + (p[v1 * AW + u0] * (1 - fu) + p[v1 * AW + u1] * fu) * fv) / 255;
}

// ------------------------------------------------------------------------------------------------------------------- painting
HD void over(Colour &canvas, const Sources &s, const Person &p, float x, float y, float light) {
  if (p.on == 0) return;
  float fx = (p.place[0] * x + p.place[1] - (SW - 1) * .5f) * p.place[3] + (SW - 1) * .5f, fy = p.place[0] * y + p.place[2];
  float4 q = sprite(s, p.record, fx, fy);
  float rest = 1 - q.w;
  canvas = {canvas.r * rest + q.x * p.gain[0] * light, canvas.g * rest + q.y * p.gain[1] * light, canvas.b * rest + q.z * p.gain[2] * light};
}

/** How much of a thing in front covers x, y of sprite space; `compose.py` has the same for joints. */
HD float cover(const Shape &s, float x, float y) {
  if (s.on == 0) return 0;
  float dx = x - s.centre[0], dy = y - s.centre[1];
  float px = (dx * s.turn[0] + dy * s.turn[1]) / s.half[0], py = (dy * s.turn[0] - dx * s.turn[1]) / s.half[1], grow = 1;
  if (s.wave[0] != 0) grow += s.wave[0] * sinf(s.wave[1] * atan2f(py, px) + s.wave[2]);
  float box = fminf((grow - fabsf(px)) * s.half[0], (grow - fabsf(py)) * s.half[1]);
  float ball = (grow - sqrtf(px * px + py * py)) * fminf(s.half[0], s.half[1]);
  return clamp((s.round != 0 ? ball : box) + .5f, 0, 1);
}

HD Colour scene_at(const Sources &s, const Scene &c, float i, float j) {
  float x = c.to_sprite[0] + c.to_sprite[1] * i + c.to_sprite[2] * j, y = c.to_sprite[3] + c.to_sprite[4] * i + c.to_sprite[5] * j;
  Colour canvas = view(s, c.ground, i, j);
  float t = c.split[0] + c.split[1] * i + c.split[2] * j;
  if (t > 0) canvas = mix(canvas, view(s, c.second, i, j), fminf(t, 1));
  canvas = {clamp(canvas.r, 0, 1), clamp(canvas.g, 0, 1), clamp(canvas.b, 0, 1)};
  over(canvas, s, c.behind0, x, y, 1);
  over(canvas, s, c.behind1, x, y, 1);
  if (c.shadow > 0) {
    float dark = 1 - c.shadow * shade(s, c.own.record, x, y);
    canvas = {canvas.r * dark, canvas.g * dark, canvas.b * dark};
  }
  float folds = c.folds == 0 ? 1 : expf(c.folds * (luminance(view(s, c.cloth, i, j)) - .5f));
  over(canvas, s, c.own, x, y, folds);
  over(canvas, s, c.front, x, y, 1);
  const Shape *shapes[3] = {&c.shape0, &c.shape1, &c.shape2};
  for (int k = 0; k < 3; k++) {
    float m = cover(*shapes[k], x, y);
    if (m == 0) continue;
    Colour flat = {shapes[k]->colour[0], shapes[k]->colour[1], shapes[k]->colour[2]};
    canvas = mix(canvas, shapes[k]->texture > 0 ? mix(flat, view(s, c.cloth, i, j), shapes[k]->texture) : flat, m);
  }
  return canvas;
}

/** A camera's tone curve: what is bright runs into white softly; then gamma. */
HD float developed(float v, float gamma) {
  constexpr float knee = .75f;
  v = fmaxf(v, 1e-4f);
  return powf(v < knee ? v : 1 - (1 - knee) * expf((knee - v) / (1 - knee)), gamma);
}

/** Exposure, white balance, contrast, saturation, a gradient of light, vignetting, gamma. u, v: -1..1 over the crop. */
HD Colour lit(const Scene &c, Colour q, float u, float v) {
  q = coloured(c.light, q);
  float k = clamp((1 + c.slope[0] * u + c.slope[1] * v) * (1 - c.corners * (u * u + v * v)), .2f, 2.f);
  return {developed(q.r * k, c.gamma), developed(q.g * k, c.gamma), developed(q.b * k, c.gamma)};
}

struct Size { int n, w, h; };

/** A pixel of a crop, and where that crop's pixels begin. */
struct Pixel { int i, j; size_t crop, first; };

HD Pixel pixel_of(size_t id, Size size) {
  size_t pixels = size_t(size.w) * size.h, crop = id / pixels;
  return {int(id % size.w), int(id / size.w % size.h), crop, crop * pixels};
}

struct Paint {
  Sources sources;
  const Scene *scenes;
  float4 *out;
  Size size;
  int samples;                              // per side of a pixel
  HD_MEMBER void operator()(size_t id) const {
    const Pixel at = pixel_of(id, size);
    const int i = at.i, j = at.j;
    const Scene &c = scenes[at.crop];
    Colour sum = {0, 0, 0};
    for (int k = 0; k < samples * samples; k++) {
      float di = (k % samples + .5f) / samples - .5f, dj = (k / samples + .5f) / samples - .5f;
      Colour q = scene_at(sources, c, i + di, j + dj);
      sum = {sum.r + q.r, sum.g + q.g, sum.b + q.b};
    }
    float part = 1.f / (samples * samples);
    Colour q = lit(c, {sum.r * part, sum.g * part, sum.b * part}, 2.f * i / (size.w - 1) - 1, 2.f * j / (size.h - 1) - 1);
    out[id] = {q.r, q.g, q.b, 0};
  }
};

// --------------------------------------------------------------------------------------------------------------------- camera
struct Expose {
  const Scene *scenes;
  const float4 *in;
  float4 *out;
  Size size;
  HD_MEMBER void operator()(size_t id) const {
    const Pixel at = pixel_of(id, size);
    const int i = at.i, j = at.j;
    const Scene &c = scenes[at.crop];
    if (i >= c.corner[0] + c.small[0] + 8 || j >= c.corner[1] + c.small[1] + 8) return;     // no block of the picture is there
    const float4 *p = in + at.first;
    float sx = clamp(i - c.corner[0], 0, c.small[0] - 1), sy = clamp(j - c.corner[1], 0, c.small[1] - 1);
    float x = (sx + .5f) * size.w / c.small[0] - .5f, y = (sy + .5f) * size.h / c.small[1] - .5f;
    Colour q = filtered(c, p, x, y);
    if (c.sharp > 0) {
      float4 m = p[int(y + .5f) * size.w + int(x + .5f)];
      q = mix(q, {m.x, m.y, m.z}, 1 + c.sharp);
    }
    if (c.noise > 0) {
      uint32_t state = hash(uint32_t(c.seed) ^ hash(uint32_t(j * size.w + i)));
      float r = normal(state) * c.noise, g = c.mono != 0 ? r : normal(state) * c.noise, b = c.mono != 0 ? r : normal(state) * c.noise;
      q = {q.r + r, q.g + g, q.b + b};
    }
    out[id] = {clamp(q.r, 0, 1), clamp(q.g, 0, 1), clamp(q.b, 0, 1), 0};
  }
  /** Mean of the pixels around x, y under the Gaussian of c.blur (a quadratic form). */
  HD_MEMBER Colour filtered(const Scene &c, const float4 *p, float x, float y) const {
    int x0 = int(ceilf(x - c.reach[0])), x1 = int(floorf(x + c.reach[0])), y0 = int(ceilf(y - c.reach[1])), y1 = int(floorf(y + c.reach[1]));
    Colour sum = {0, 0, 0};
    float total = 1e-12f;
    for (int v = y0; v <= y1; v++)
      for (int u = x0; u <= x1; u++) {
        float dx = u - x, dy = v - y, w = expf(-.5f * (c.blur[0] * dx * dx + 2 * c.blur[1] * dx * dy + c.blur[2] * dy * dy));
        int uc = u < 0 ? 0 : u >= size.w ? size.w - 1 : u, vc = v < 0 ? 0 : v >= size.h ? size.h - 1 : v;
        float4 q = p[vc * size.w + uc];
        sum = {sum.r + w * q.x, sum.g + w * q.y, sum.b + w * q.z};
        total += w;
      }
    return {sum.r / total, sum.g / total, sum.b / total};
  }
};

// JPEG, annex K
#ifdef __CUDACC__
__constant__
#else
const
#endif
float TABLES[2][64] = {
    {16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
     18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99},
    {17, 18, 24, 47, 1e6, 1e6, 1e6, 1e6, 18, 21, 26, 66, 1e6, 1e6, 1e6, 1e6, 24, 26, 56, 99, 1e6, 1e6, 1e6, 1e6, 47, 66, 99, 99, 1e6, 1e6, 1e6, 1e6,
     1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6,
     1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6}};          // chroma is subsampled: it has no fine detail

/** One step of the DCT (rows or columns) of v in place; back: the inverse. `gap`: distance of the eight numbers. */
HD void dct8(float *v, int gap, bool back) {
  const float C[8] = {.35355339f, .49039264f, .46193977f, .41573481f, .35355339f, .27778512f, .19134172f, .09754516f};
  float t[8];
#pragma unroll
  for (int a = 0; a < 8; a++) {
    float sum = 0;
#pragma unroll
    for (int b = 0; b < 8; b++) {
      int k = back ? b : a, at = back ? a : b;
      // cos((2 at + 1) k pi / 16) from the first octant
      int q = ((2 * at + 1) * k) & 31;
      q = q > 16 ? 32 - q : q;
      float value = k == 0 ? C[0] : q == 8 ? 0.f : q < 8 ? (q == 0 ? .5f : C[q]) : -(q == 16 ? .5f : C[16 - q]);
      sum += value * v[b * gap];
    }
    t[a] = sum;
  }
#pragma unroll
  for (int a = 0; a < 8; a++) v[a * gap] = t[a];
}

struct Jpeg {
  const Scene *scenes;
  const float4 *in;
  float4 *out;
  Size size;
  HD_MEMBER void operator()(size_t id) const {             // channel, block, crop
    int channel = id % 3, bw = size.w / 8, bh = size.h / 8;
    size_t block = id / 3 % (size_t(bw) * bh), crop = id / 3 / (size_t(bw) * bh);
    const Scene &c = scenes[crop];
    int x = block % bw * 8, y = block / bw * 8;
    if (c.jpeg == 0 || x >= c.corner[0] + c.small[0] || y >= c.corner[1] + c.small[1]) return;
    const float M[3][3] = {{.299f, .587f, .114f}, {-.168736f, -.331264f, .5f}, {.5f, -.418688f, -.081312f}};
    float mr = M[channel][0], mg = M[channel][1], mb = M[channel][2], v[64];
    size_t at = crop * size.w * size.h + size_t(y) * size.w + x;
#pragma unroll
    for (int k = 0; k < 64; k++) {
      float4 q = in[at + (k >> 3) * size.w + (k & 7)];
      v[k] = mr * q.x + mg * q.y + mb * q.z - (channel == 0 ? .5f : 0.f);
    }
#pragma unroll
    for (int r = 0; r < 8; r++) dct8(v + 8 * r, 1, false);
#pragma unroll
    for (int r = 0; r < 8; r++) dct8(v + r, 8, false);
#pragma unroll
    for (int k = 0; k < 64; k++) {
      float step = fmaxf(TABLES[channel > 0][k] * c.jpeg, 1) / 255;
      v[k] = rintf(v[k] / step) * step;
    }
#pragma unroll
    for (int r = 0; r < 8; r++) dct8(v + r, 8, true);
#pragma unroll
    for (int r = 0; r < 8; r++) dct8(v + 8 * r, 1, true);
#pragma unroll
    for (int k = 0; k < 64; k++)
      reinterpret_cast<float *>(out + at + (k >> 3) * size.w + (k & 7))[channel] = v[k] + (channel == 0 ? .5f : 0.f);
  }
};

struct Develop {
  const Scene *scenes;
  const float4 *small, *coded;
  uint8_t *out;
  Size size;
  HD_MEMBER void operator()(size_t id) const {
    const Pixel at = pixel_of(id, size);
    const int i = at.i, j = at.j;
    const Scene &c = scenes[at.crop];
    const float4 *p = (c.jpeg != 0 ? coded : small) + at.first;
    float x = clamp((i + .5f) * c.small[0] / size.w - .5f, 0, c.small[0] - 1) + c.corner[0];
    float y = clamp((j + .5f) * c.small[1] / size.h - .5f, 0, c.small[1] - 1) + c.corner[1];
    int x0 = int(x), y0 = int(y), x1 = x0 + 1 < c.corner[0] + c.small[0] ? x0 + 1 : x0, y1 = y0 + 1 < c.corner[1] + c.small[1] ? y0 + 1 : y0;
    float fx = x - x0, fy = y - y0;
    float4 a = p[y0 * size.w + x0], b = p[y0 * size.w + x1], d = p[y1 * size.w + x0], e = p[y1 * size.w + x1];
    Colour q = mix(mix({a.x, a.y, a.z}, {b.x, b.y, b.z}, fx), mix({d.x, d.y, d.z}, {e.x, e.y, e.z}, fx), fy);
    if (c.jpeg != 0) q = {q.r + 1.402f * q.b, q.r - .344136f * q.g - .714136f * q.b, q.r + 1.772f * q.g};
    float inside = in_frame(c, i, j) * 255;
    uint8_t *o = out + id * 3;
    o[0] = uint8_t(clamp(q.r, 0, 1) * inside + .5f);
    o[1] = uint8_t(clamp(q.g, 0, 1) * inside + .5f);
    o[2] = uint8_t(clamp(q.b, 0, 1) * inside + .5f);
  }
  /** 1 inside the photograph, 0 outside, soft over one crop pixel. */
  HD_MEMBER float in_frame(const Scene &c, int i, int j) const {
    float x = c.to_sprite[0] + c.to_sprite[1] * i + c.to_sprite[2] * j, y = c.to_sprite[3] + c.to_sprite[4] * i + c.to_sprite[5] * j;
    float d = fminf(fminf(x - c.frame[0], c.frame[2] - x), fminf(y - c.frame[1], c.frame[3] - y));
    return clamp(d / c.unit + .5f, 0, 1);
  }
};

// --------------------------------------------------------------------------------------------------------------------- running
#ifdef __CUDACC__
template <class F> __global__ void kernel(size_t n, F f) {
  size_t id = size_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (id < n) f(id);
}
template <class F> void each(size_t n, const F &f, int block, void *stream) {
  kernel<<<unsigned((n + block - 1) / block), block, 0, static_cast<cudaStream_t>(stream)>>>(n, f);
}
#else
template <class F> void each(size_t n, const F &f, int, void *) {
#pragma omp parallel for schedule(static)
  for (long long id = 0; id < (long long)n; id++) f(size_t(id));
}
#endif

}  // namespace

extern "C" {

struct Job {
  const uint8_t *sprites, *shades, *backgrounds;
  const Scene *scenes;
  float4 *lit, *small;                      // workspace: n * w * h each; `coded` goes where `lit` was
  uint8_t *out;
  void *stream;
  int side, n, w, h, samples;
};

int scene_words() { return sizeof(Scene) / 4; }

/** 0, or CUDA's error code. */
int paint(const Job *job) {
  Size size = {job->n, job->w, job->h};
  size_t pixels = size_t(size.n) * size.w * size.h;
  Sources sources = {job->sprites, job->shades, job->backgrounds, job->side};
  each(pixels, Paint{sources, job->scenes, job->lit, size, job->samples}, 128, job->stream);
  each(pixels, Expose{job->scenes, job->lit, job->small, size}, 128, job->stream);
  each(pixels / 64 * 3, Jpeg{job->scenes, job->small, job->lit, size}, 96, job->stream);
  each(pixels, Develop{job->scenes, job->small, job->lit, job->out, size}, 128, job->stream);
#ifdef __CUDACC__
  return int(cudaGetLastError());
#else
  return 0;
#endif
}
}
