/**
 * Winograd convolution for GPUs: input tiles are transformed, every point of the transformed tiles is a matrix product over the
 * channels (a 1 x 1 convolution with a filter of its own), and the products are transformed back. Its filters take 1.8 or 4 times
 * the memory of the weights, so it is chosen only where it was measured to be faster.
 */
import { SAME } from '../../nodes.js';
import { isVec4, shape4 } from '../../view.js';
import { directConv, directWidth, type DirectTile } from '../conv_direct.js';
import { convBindings, convLabel, type ConvParts } from '../conv_parts.js';
import { bufferType, epilogue, indexAt, preamble, typeOf, type Width } from '../operands.js';
import { declare, groups, type Program } from '../program.js';
import { pointsOf, TRANSFORMS, transformTile } from './matrices.js';
import { productParts, scratch, transformedFilter, type Tiling } from './tiling.js';

const WORKGROUP = 64;

/** @param tile - of the matrix products, as of a direct 1 x 1 convolution */
export function winogradConv(parts: ConvParts, tiling: Tiling, tile: DirectTile): readonly Program[] {
  const products = directConv(productParts(parts, tiling), tile);
  const bindings = [
    scratch(tiling.input, 'tiles', 'read'),
    transformedFilter(parts, tiling),
    scratch(tiling.output, 'products', 'write'),
  ];
  return [
    toTiles(parts, tiling),
    { ...products, label: `${convLabel(parts)} winograd`, bindings },
    fromTiles(parts, tiling),
  ];
}

/** How a shader begins whose invocations have a tile and a channel, or four, each. */
function tilePerInvocation(total: number, perTile: number): string {
  return `@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ${total}u) { return; }
  let n = id.z;
  let c = id.x % ${perTile}u;
  let tile = id.x / ${perTile}u;`;
}

/** One tile times four channels, or one, per invocation. */
function toTiles(parts: ConvParts, { size, points, tilesX, tiles, rows, input: result }: Tiling): Program {
  const { node, input } = parts;
  const { pad } = node.attrs;
  const [n, h, w, inner] = shape4(input);
  const width: Width = isVec4(input) ? 4 : 1;
  const type = typeOf(width);
  const perTile = inner / width;
  const total = tiles * perTile;
  const sides = Array.from({ length: pointsOf(size) }, (_, i) => i);
  const step = input.rowStride / width;
  const statements = transformTile(
    TRANSFORMS[size].input,
    (y, x) => `select(${type}(0), source[row${y} + column${x}], inY${y} && inX${x})`,
    (i, j, value) => `result[place + ${(i * sides.length + j) * rows * perTile}u] = ${value};`,
  );
  const wgsl = `${declare(['source', 'result'], type)}
${tilePerInvocation(total, perTile)}
  let y0 = i32(tile / ${tilesX}u) * ${size} - ${pad[0]};
  let x0 = i32(tile % ${tilesX}u) * ${size} - ${pad[1]};
  ${sides.map((i) => `let inY${i} = y0 + ${i} >= 0 && y0 + ${i} < ${h}; let inX${i} = x0 + ${i} >= 0 && x0 + ${i} < ${w};`).join('\n  ')}
  let first = ${input.offset / width}u + n * ${input.batched ? h * w * step : 0}u + c;
  ${sides.map((i) => `let row${i} = first + select(0u, u32(y0 + ${i}), inY${i}) * ${w * step}u; let column${i} = select(0u, u32(x0 + ${i}), inX${i}) * ${step}u;`).join('\n  ')}
  let place = (n * ${points * rows}u + tile) * ${perTile}u + c;
  ${statements.join('\n  ')}
}`;
  return {
    label: `winograd tiles ${size}x${size} ${inner}`,
    wgsl,
    workgroups: [groups(total, WORKGROUP), 1, n],
    bindings: [{ kind: 'read', value: node.inputs[0] }, scratch(result, 'tiles', 'write')],
  };
}

/** One tile of the result times four channels, or one, per invocation. */
function fromTiles(parts: ConvParts, { size, points, tilesX, tiles, rows, output: products }: Tiling): Program {
  const { node, out, extras, bias } = parts;
  const { expr } = node.attrs;
  const [n, h, w, outer] = shape4(out);
  const width = directWidth(parts);
  const type = typeOf(width);
  const perTile = outer / width;
  const total = tiles * perTile;
  const side = pointsOf(size);
  const statements = transformTile(
    TRANSFORMS[size].output,
    (y, x) => `products[first + ${(y * side + x) * rows * perTile}u]`,
    (i, j, value) => {
      const done = epilogue(expr, 'value', extras, width, `e${i}_${j}_`);
      const store = `{ let y = y0 + ${i}u; let x = x0 + ${j}u; let value = ${value}${bias.length > 0 ? ' + added' : ''};
    ${done.statements.join('\n    ')}
    result[${indexAt(out, SAME, width)}] = ${done.result}; }`;
      const isInside = [
        ...(h % size > 0 && i > 0 ? [`y0 + ${i}u < ${h}u`] : []),
        ...(w % size > 0 && j > 0 ? [`x0 + ${j}u < ${w}u`] : []),
      ];
      return isInside.length > 0 ? `if (${isInside.join(' && ')}) ${store}` : store;
    },
  );
  const names = ['products', ...bias.map(() => 'bias'), ...extras.map(({ buffer }) => buffer), 'result'];
  const types = [type, ...bias.map(() => type), ...extras.map(({ view }) => bufferType(view, width)), type];
  const wgsl = `${declare(names, types)}
${preamble(expr)}
${tilePerInvocation(total, perTile)}
  let y0 = tile / ${tilesX}u * ${size}u;
  let x0 = tile % ${tilesX}u * ${size}u;
  let first = (n * ${points * rows}u + tile) * ${perTile}u + c;
  ${bias.length > 0 ? 'let added = bias[c];' : ''}
  ${statements.join('\n  ')}
}`;
  return {
    label: `winograd untile ${size}x${size} ${outer}`,
    wgsl,
    workgroups: [groups(total, WORKGROUP), 1, n],
    bindings: [scratch(products, 'products', 'read'), ...convBindings(parts).filter((_, i) => i > 1)],
  };
}
