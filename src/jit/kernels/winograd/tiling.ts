/** Which layers Winograd's filters suit, into how many tiles, and the scratch memory and products that these take. */
import { derived } from '../../draft.js';
import { shape4, type View } from '../../view.js';
import type { ConvParts } from '../conv_parts.js';
import { constantKey, type Binding } from '../program.js';
import { pointsOf, transformFilter, type TileSize } from './matrices.js';

export interface Tiling {
  readonly size: TileSize;
  /** Points of a transformed tile, both axes together: 16 or 36. */
  readonly points: number;
  readonly tilesX: number;
  /** Per picture. */
  readonly tiles: number;
  /** `tiles`, up to the next multiple of 4: the products of the last ones are of no matter. */
  readonly rows: number;
  /** Transformed input, [n * points, 1, rows, inner]. */
  readonly input: View;
  /** Transformed output, [n * points, 1, rows, outer]. */
  readonly output: View;
}

/** Fewer channels spend more on transforming than they save. */
const LEAST_CHANNELS = 16;

/** Whether a convolution is of the kind that Winograd's filters compute. */
export function suitsWinograd({ node, filterShape: [kh, kw, inner, outer], halfFilter }: ConvParts): boolean {
  const { kind, strides, dilations } = node.attrs;
  return (
    kind === 'dense' &&
    !halfFilter &&
    [kh, kw].every((side) => side === 3) &&
    [...strides, ...dilations].every((step) => step === 1) &&
    [inner, outer].every((channels) => channels % 4 === 0 && channels >= LEAST_CHANNELS)
  );
}

export function tilingOf({ out, filterShape: [, , inner, outer] }: ConvParts, size: TileSize): Tiling {
  const [n, h, w] = shape4(out);
  const points = pointsOf(size) ** 2;
  const tilesX = Math.ceil(w / size);
  const tiles = tilesX * Math.ceil(h / size);
  const rows = Math.ceil(tiles / 4) * 4;
  const scratch = (channels: number): View => {
    return { storage: -1, shape: [n * points, 1, rows, channels], offset: 0, rowStride: channels, batched: true };
  };
  return { size, points, tilesX, tiles, rows, input: scratch(inner), output: scratch(outer) };
}

/** The products over the channels, as a 1 x 1 convolution: without bias and expression, its bindings are `productBindings`. */
export function productParts({ node, filterShape }: ConvParts, { points, input, output }: Tiling): ConvParts {
  const attrs = { ...node.attrs, pad: [0, 0] as const, hasBias: false, expr: { operands: 1, steps: [] }, maps: [] };
  return {
    node: { ...node, inputs: node.inputs.slice(0, 2), attrs },
    ...{ input, out: output, banks: points, extras: [], bias: [], halfFilter: false },
    filterShape: [1, 1, filterShape[2], filterShape[3]],
    filter: { kind: 'constant', key: '', data: new Float32Array() },
  };
}

/** The filter, transformed once. */
export function transformedFilter({ filter, filterShape }: ConvParts, { size }: Tiling): Binding {
  const weights = (filter as Binding & { readonly data: Float32Array }).data;
  const pairs = filterShape[2] * filterShape[3];
  const data = derived([weights], `winograd ${size}`, () => transformFilter(weights, pairs, size));
  return { kind: 'constant', key: constantKey(data), data };
}

export function scratch(view: View, name: 'tiles' | 'products', access: 'read' | 'write'): Binding {
  return { kind: 'scratch', name, size: view.shape.reduce((a, b) => a * b, 1), access };
}
