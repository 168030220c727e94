/** Which kernel computes a convolution: by adapter, window and shape. */
import type { GraphNode } from '../graph.js';
import type { ConvAttrs } from '../nodes.js';
import { shape4 } from '../view.js';
import { directConv, directDepthwise, directWidth, type DirectTile } from './conv_direct.js';
import { convLabel, convParts, type ConvParts } from './conv_parts.js';
import { chosenPrograms, type Kernel, type Variant } from './program.js';
import { quadDepthwise, quadPatchConv, quadPixelConv, type QuadTile } from './quad/quad_conv.js';

export const conv: Kernel = (node, context) => {
  const parts = convParts(node as GraphNode & { readonly attrs: ConvAttrs }, context);
  const [n, h, w] = shape4(parts.out);
  const key = `${convLabel(parts)} n${n} ${w}x${h}`;
  return chosenPrograms(key, context.software && context.subgroups ? onQuads(parts) : onGpu(parts), context);
};

function onGpu(parts: ConvParts): readonly Variant[] {
  if (parts.node.attrs.kind === 'depthwise') return [{ name: 'direct', programs: () => [directDepthwise(parts)] }];
  return directTiles(parts).map((tile) => ({
    name: `direct ${tile.strip}x${tile.blocks}/${tile.split}`,
    programs: () => [directConv(parts, tile)],
  }));
}

/** Invocations that keep a GPU busy: fewer leave it waiting for memory, more do not help. */
const BUSY = 16384;

/**
 * Tiles in the order in which they are worth trying: the first is the largest that still gives enough invocations. Its
 * neighbours follow, for measuring.
 */
function directTiles(parts: ConvParts): readonly DirectTile[] {
  const [n, h, w] = shape4(parts.out);
  const [kh, kw, inner, outer] = parts.filterShape;
  const width = directWidth(parts);
  const strips = [6, 4, 3, 2, 1].filter((strip) => w % strip === 0);
  const tiles: DirectTile[] = [];
  const add = (strip: number, blocks: 1 | 2, split: number) => tiles.push({ strip, blocks, split });
  for (const strip of strips) {
    if (width === 4 && outer % 8 === 0) add(strip, 2, 1);
    add(strip, 1, 1);
  }
  const deep = (kh * kw * inner) / 4;
  for (const split of [2, 4, 8]) {
    if (deep < 32 * split || inner < 4 * split) continue;
    for (const strip of strips.filter((size) => size <= 2)) add(strip, 1, split);
  }
  const invocations = ({ strip, blocks, split }: DirectTile) =>
    ((n * h * w * outer) / (width * strip * blocks)) * split;
  const best = tiles.findIndex((tile) => invocations(tile) >= BUSY);
  const first = best < 0 ? tiles.reduce((a, b) => (invocations(b) > invocations(a) ? b : a)) : tiles[best];
  return [first, ...tiles.filter((tile) => tile !== first)];
}

/** Products per sum that a shader may hold: beyond, compiling takes longer than is gained. */
const MOST_PRODUCTS = 1800;

function onQuads(parts: ConvParts): readonly Variant[] {
  const { node, filterShape } = parts;
  const { kind, strides, pad } = node.attrs;
  const [kh, kw, , outer] = filterShape;
  const [, h, w] = shape4(parts.out);
  const variant = (name: string, tile: QuadTile, make: typeof quadPatchConv): Variant => ({
    name: `${name} ${tile.rows}x${tile.columns}x${tile.blocks}`,
    programs: () => [make(parts, tile)],
  });
  if (kind === 'depthwise') {
    const side = kh * kw > 9 && strides[0] === 1 ? [4, 4] : [2, 4];
    return [
      variant(
        'quad depthwise',
        { rows: Math.min(side[0], h), columns: Math.min(side[1], w), blocks: 1 },
        quadDepthwise,
      ),
    ];
  }
  if ([kh, kw, ...strides].every((size) => size === 1) && pad[0] === 0 && pad[1] === 0) {
    return [variant('quad pixels', pixelTile(h * w, outer), quadPixelConv)];
  }
  return [variant('quad patch', patchTile(parts, h, w, outer), quadPatchConv)];
}

function pixelTile(pixels: number, outer: number): QuadTile {
  const blocks = [8, 4, 2, 1].find((q) => outer % (4 * q) === 0) ?? (outer > 16 ? 2 : 1);
  const columns = [16, 8, 4, 2].find((p) => pixels >= p) ?? 1;
  return { rows: 1, columns, blocks };
}

function patchTile({ node, filterShape }: ConvParts, h: number, w: number, outer: number): QuadTile {
  const [kh, kw] = filterShape;
  const isStrided = node.attrs.strides[0] > 1 || node.attrs.strides[1] > 1;
  const fit = (size: number, sides: readonly number[]) =>
    sides.reduce((best, side) => (wasted(size, side) < wasted(size, best) ? side : best));
  const columns = isStrided ? fit(w, [4, 3, 2, 1]) : fit(w, [6, 8, 4, 3, 2, 1]);
  const rows = isStrided ? fit(h, [4, 3, 2, 1]) : fit(h, [8, 4, 3, 2, 1]);
  const blocks = !isStrided && outer % 16 === 0 ? 4 : outer % 8 === 0 ? 2 : 1;
  const tile = { rows, columns, blocks };
  while (tile.rows * tile.columns * tile.blocks * kh * kw > MOST_PRODUCTS) {
    if (tile.rows > 1) tile.rows = Math.ceil(tile.rows / 2);
    else if (tile.blocks > 1) tile.blocks = 1;
    else if (tile.columns > 1) tile.columns = Math.ceil(tile.columns / 2);
    else break;
  }
  return tile;
}

/** Pixels computed for nothing at the far edge. */
function wasted(size: number, side: number): number {
  return Math.ceil(size / side) * side - size;
}
