/**
 * `cv2.warpAffine` of all persons of a frame in one dispatch, from a texture straight into the network's input, in the integer
 * arithmetic of `datasets/transforms/warp_affine.ts`: equal to it bit by bit. The fixed-point terms per row and column are float64
 * work and come from the CPU; so do the normalised values of the 256 bytes. Not one of tfjs's kernels: no tensor is read.
 */
import type { WarpTerms } from '../../structures/warp_maps.js';

export interface CropShape {
  /** px, input space */
  readonly cropSize: readonly [w: number, h: number];
  /** px; the crop is padded to it at the right and bottom. */
  readonly inputSize: readonly [w: number, h: number];
  /** Whether the network's channels are those of the picture in reverse. */
  readonly swap: boolean;
  /** Bytes of everything outside the picture, in its own order of channels. */
  readonly border: readonly [number, number, number];
  /** Whether the picture is a `texture_external` (a video frame in place) instead of a `texture_2d`. */
  readonly external: boolean;
}

/** Invocations per workgroup along x and along y. */
export const CROP_TILE = 8;

/** Where a table of normalised bytes ends: 256 values per channel, then the padding's. */
const PAD_INDEX = 3 * 256;

/** Terms of several persons in one array: their number, then per person columns X, columns Y, rows X, rows Y. */
export function packTerms(terms: readonly WarpTerms[]): Int32Array<ArrayBuffer> {
  const [{ columnX, rowX }] = terms;
  const stride = 2 * (columnX.length + rowX.length);
  const packed = new Int32Array(1 + terms.length * stride);
  packed[0] = terms.length;
  for (const [i, person] of terms.entries()) {
    let at = 1 + i * stride;
    for (const part of [person.columnX, person.columnY, person.rowX, person.rowY]) {
      packed.set(part, at);
      at += part.length;
    }
  }
  return packed;
}

/** What bytes become: [256] per channel of the network, and the value of padding. */
export function packTable(tables: readonly Float32Array[], padValue: number): Float32Array<ArrayBuffer> {
  const packed = new Float32Array(PAD_INDEX + 1);
  for (let c = 0; c < 3; c++) packed.set(tables[tables.length === 1 ? 0 : c], c * 256);
  packed[PAD_INDEX] = padValue;
  return packed;
}

/**
 * Bindings: 0 the picture, 1 the terms, 2 the table, 3 the input [N, h, w, 3]. Dispatch: tiles along x and y of the input, N.
 * Entries of a padded batch repeat the last person.
 */
export function cropWgsl({ cropSize: [w, h], inputSize: [width, height], swap, border, external }: CropShape): string {
  const type = external ? 'texture_external' : 'texture_2d<f32>';
  const load = external ? 'textureLoad(picture, at)' : 'textureLoad(picture, at, 0)';
  return `
@group(0) @binding(0) var picture: ${type};
@group(0) @binding(1) var<storage, read> terms: array<i32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

// The bytes of a pixel, or of the border.
fn pixel(at: vec2i) -> vec3i {
  let size = vec2i(textureDimensions(picture));
  if (any(at < vec2i(0)) || any(at >= size)) { return vec3i(${border.join(', ')}); }
  return vec3i(round(${load}.rgb * 255.0));
}

@compute @workgroup_size(${CROP_TILE}, ${CROP_TILE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let x = i32(id.x);
  let y = i32(id.y);
  if (x >= ${width} || y >= ${height}) { return; }
  let out = ((id.z * ${height}u + id.y) * ${width}u + id.x) * 3u;
  if (x >= ${w} || y >= ${h}) {
    for (var c = 0u; c < 3u; c++) { result[out + c] = table[${PAD_INDEX}]; }
    return;
  }
  let person = min(i32(id.z), terms[0] - 1);
  let columns = 1 + person * ${2 * (w + h)};
  let rows = columns + ${2 * w};
  // In 1/32 px.
  let position = vec2i(
    (terms[rows + y] + terms[columns + x]) >> 5u,
    (terms[rows + ${h} + y] + terms[columns + ${w} + x]) >> 5u,
  );
  let corner = position >> vec2u(5u);
  let part = position & vec2i(31);
  let w11 = part.x * part.y;
  let w01 = (part.x << 5u) - w11;
  let w10 = (part.y << 5u) - w11;
  let w00 = 1024 - w01 - w10 - w11;
  let sum = pixel(corner) * w00 + pixel(corner + vec2i(1, 0)) * w01
    + pixel(corner + vec2i(0, 1)) * w10 + pixel(corner + vec2i(1, 1)) * w11;
  let bytes = ((sum + vec3i(512)) >> vec3u(10u))${swap ? '.bgr' : ''};
  for (var c = 0; c < 3; c++) { result[out + u32(c)] = table[c * 256 + bytes[c]]; }
}`;
}
