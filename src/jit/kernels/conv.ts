/** Which kernel computes a convolution: by adapter, window and shape. */
import type { GraphNode } from '../graph.js';
import type { ConvAttrs } from '../nodes.js';
import { shape4 } from '../view.js';
import { directConv, directDepthwise, directWidth, type DirectTile } from './conv_direct.js';
import { convLabel, convParts, type ConvParts } from './conv_parts.js';
import { chosenPrograms, type Kernel, type Variant } from './program.js';
import { productParts, suitsWinograd, tilingOf } from './winograd/tiling.js';
import type { TileSize } from './winograd/matrices.js';
import { winogradConv } from './winograd/winograd.js';
import { quadDepthwise, quadPatchConv, quadPixelConv, type QuadTile } from './quad/quad_conv.js';

export const conv: Kernel = (node, context) => {
  const parts = convParts(node as GraphNode & { readonly attrs: ConvAttrs }, context);
  const [n, h, w] = shape4(parts.out);
  const key = `${convLabel(parts)} n${n} ${w}x${h}`;
  return chosenPrograms(key, context.software && context.subgroups ? onQuads(parts) : onGpu(parts), context);
};

function onGpu(parts: ConvParts): readonly Variant[] {
  if (parts.node.attrs.kind === 'depthwise') return [{ name: 'direct', programs: () => [directDepthwise(parts)] }];
  const direct = directTiles(parts).map((tile) => ({
    name: tileName(tile),
    programs: () => [directConv(parts, tile)],
  }));
  return [...direct, ...(suitsWinograd(parts) ? WINOGRAD_SIZES.map((size) => winograd(parts, size)) : [])];
}

const WINOGRAD_SIZES: readonly TileSize[] = [4, 2];

function winograd(parts: ConvParts, size: TileSize): Variant {
  const tiling = tilingOf(parts, size);
  const [tile] = directTiles(productParts(parts, tiling));
  const [inner, outer] = parts.filterShape.slice(2);
  return {
    name: `winograd ${size}x${size}`,
    programs: () => winogradConv(parts, tiling, tile),
    constantBytes: tiling.points * inner * outer * 4,
  };
}

/** Steps over four input channels that one invocation takes at most: beyond, the sum is split among several. */
const LONGEST_SUM = 54;

/** Invocations that keep a large GPU busy; with fewer it waits for memory. */
const BUSY = 65536;

/**
 * All tiles that fit, for measuring; the first is the default. The rule behind it was read off the fastest variants of the shapes
 * of HRNet-W32 and RTMPose-m, one and eight persons, on a large GPU (`npm run bench:node -- --runners tuned --json FILE`).
 */
function directTiles(parts: ConvParts): readonly DirectTile[] {
  const [n, h, w] = shape4(parts.out);
  const [kh, kw, inner, outer] = parts.filterShape;
  const width = directWidth(parts);
  const steps = (kh * kw * inner) / 4;
  const strips = [6, 4, 3, 2, 1].filter((strip) => w % strip === 0);
  const splits = ([1, 2, 4, 8] as const).filter((split) => split === 1 || inner >= 4 * split);
  const split = splits.find((count) => steps / count <= LONGEST_SUM) ?? splits.at(-1)!;
  const strip = strips.find((size) => ((n * h * w * outer) / width / size) * split >= BUSY) ?? 1;
  const tiles: DirectTile[] = [{ strip, blocks: 1, split }];
  const add = (tile: DirectTile) => {
    if (!tiles.some((known) => tileName(known) === tileName(tile))) tiles.push(tile);
  };
  for (const size of strips) {
    if (width === 4 && outer % 8 === 0) add({ strip: size, blocks: 2, split: 1 });
    for (const count of splits) if (count === 1 || size <= 2) add({ strip: size, blocks: 1, split: count });
  }
  return tiles;
}

function tileName({ strip, blocks, split }: DirectTile): string {
  return `direct ${strip}x${blocks}/${split}`;
}

/** Products per sum that a shader may hold: beyond, compiling takes longer than is gained. */
const MOST_PRODUCTS = 1800;

/** Winograd's transforms cost such an adapter what its products save: measured, it is 0.9 to 1.2 times as fast as the patches. */
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
  // 3 before 4: most maps of pose networks are a multiple of 3 wide, and then one shader serves them all.
  const columns = isStrided ? fit(w, [3, 4, 2, 1]) : fit(w, [6, 8, 4, 3, 2, 1]);
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
