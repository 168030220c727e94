/**
 * Convolutions for software adapters (SwiftShader: a GPU imitated on the CPU), as found by measuring one:
 * - a load from a buffer costs as much as 15 multiplications whatever its width, so each value is loaded once per patch of output
 *   pixels, four different values per load (one per invocation of a quad), and handed round with `quadBroadcast`;
 * - a variable that is assigned costs more than an expression, so all products of a pass over the window are one sum;
 * - `a * b + c` is faster than `fma`;
 * - compiling takes longer than a frame, so sizes are data (`params.ts`) and layers share pipelines.
 *
 * A quad is four neighbouring invocations: four neighbouring output channels, `blocks` times, for every pixel of the patch.
 */
import { shape4 } from '../../view.js';
import { convBindings, convLabel, type ConvParts } from '../conv_parts.js';
import type { Program } from '../program.js';
import type { Params } from './params.js';
import { accumulate, convParams, each, epilogueBuffers, finish, lines, quadShader, spread } from './quad_shader.js';

/** Output pixels and groups of four channels per quad. */
export interface QuadTile {
  readonly rows: number;
  readonly columns: number;
  readonly blocks: number;
}

/** Any window, stride and dilation; the window is unrolled, so `rows * columns * blocks * kh * kw` is the shader's length. */
export function quadPatchConv(parts: ConvParts, { rows, columns, blocks }: QuadTile): Program {
  const { node, out, filterShape } = parts;
  const { strides, dilations } = node.attrs;
  const [kh, kw, , outer] = filterShape;
  const [n, h, w] = shape4(out);
  const patchColumns = (columns - 1) * strides[1] + (kw - 1) * dilations[1] + 1;
  const patch = ((rows - 1) * strides[0] + (kh - 1) * dilations[0] + 1) * patchColumns;
  const loads = Math.ceil(patch / 4);
  const tilesX = Math.ceil(w / columns);
  const tiles = tilesX * Math.ceil(h / rows);
  const groups = Math.ceil(outer / (4 * blocks));

  const params = convParams(parts, { groups, ...edges(parts), tilesX });
  const pixelOf = (row: number, column: number, ky: number, kx: number) =>
    (row * strides[0] + ky * dilations[0]) * patchColumns + column * strides[1] + kx * dilations[1];
  const places = lines(loads, (i) => {
    const at = `(lane + ${4 * i})`;
    return `let py${i} = y0 * ${strides[0]} + ${at} / ${patchColumns} - padTop; let px${i} = x0 * ${strides[1]} + ${at} % ${patchColumns} - padLeft;
    let in${i} = py${i} >= 0 && py${i} < ih && px${i} >= 0 && px${i} < iw;
    let at${i} = x_o + n * x_n + clamp(py${i}, 0, ih - 1) * x_y + clamp(px${i}, 0, iw - 1) * x_x;`;
  });
  const window = each(kh * kw, (t) => t);
  const sums = lines(rows * columns, (p) =>
    each(blocks, (q) => {
      const [row, column] = [Math.floor(p / columns), p % columns];
      const products = window.map((t) => `b${pixelOf(row, column, Math.floor(t / kw), t % kw)} * w${t}_${q}`);
      return accumulate(p * blocks + q, products);
    }).join(' '),
  );
  const body = `for (var k = 0; k < inner; k++) {
    let weights = k * outer + c0;
    ${lines(loads, (i) => `let v${i} = select(0.0, source[at${i} + k], in${i});`)}
    ${lines(patch, (e) => `let b${e} = quadBroadcast(v${e >> 2}, ${e & 3}u);`)}
    ${window.map((t) => each(blocks, (q) => `let w${t}_${q} = filter_[weights + ${t} * inner * outer + ${4 * q}];`).join(' ')).join('\n    ')}
    ${sums}
  }`;
  const main = `let tile = quad / groups;
  let x0 = tile % tilesX * ${columns};
  let y0 = tile / tilesX * ${rows};
  ${places}
  ${body}
  ${finish(parts, rows * columns, blocks, [`y0 + p / ${columns}`, `x0 + p % ${columns}`])}`;
  return {
    label: convLabel(parts),
    wgsl: convShader(parts, params, { sums: rows * columns * blocks, blocks }, main),
    workgroups: spread(tiles * groups, n),
    bindings: [params.binding, ...convBindings(parts)],
  };
}

/** 1x1 at stride 1: a run of pixels, four input channels at a time. */
export function quadPixelConv(parts: ConvParts, { columns, blocks }: QuadTile): Program {
  const { input, out, filterShape } = parts;
  const [, , inner, outer] = filterShape;
  const [n, h, w] = shape4(out);
  const runs = Math.ceil((h * w) / columns);
  const groups = Math.ceil(outer / (4 * blocks));
  // Not `x_x`, which is 0 where a map is one pixel wide: a run goes on in the next row.
  const params = convParams(parts, { groups, pixel: input.rowStride });
  // Past the last channel the weights are of no matter: what they are multiplied with is 0.
  const read = (p: number) =>
    inner % 4 === 0 ? `source[at${p} + k + lane]` : `select(0.0, source[at${p} + k + lane], k + lane < inner)`;
  const sums = lines(columns, (p) =>
    each(blocks, (q) => {
      const products = each(4, (j) => `b${p}_${j} * w${j}_${q}`);
      return accumulate(p * blocks + q, products);
    }).join(' '),
  );
  const main = `let first = quad / groups * ${columns};
  ${lines(columns, (p) => `let at${p} = x_o + n * x_n + min(first + ${p}, h * w - 1) * pixel;`)}
  for (var k = 0; k < inner; k += 4) {
    let weights = k * outer + c0;
    ${lines(columns, (p) => `let v${p} = ${read(p)};`)}
    ${lines(columns, (p) => each(4, (j) => `let b${p}_${j} = quadBroadcast(v${p}, ${j}u);`).join(' '))}
    ${lines(4, (j) => each(blocks, (q) => `let w${j}_${q} = filter_[weights + ${j} * outer + ${4 * q}];`).join(' '))}
    ${sums}
  }
  ${finish(parts, columns, blocks, ['(first + p) / w', '(first + p) % w'])}`;
  return {
    label: convLabel(parts),
    wgsl: convShader(parts, params, { sums: columns * blocks, blocks }, main),
    workgroups: spread(runs * groups, n),
    bindings: [params.binding, ...convBindings(parts)],
  };
}

/** One channel per invocation, a patch of pixels each. */
export function quadDepthwise(parts: ConvParts, { rows, columns }: QuadTile): Program {
  const { node, out, filterShape } = parts;
  const { strides, dilations } = node.attrs;
  const [kh, kw] = filterShape;
  const [n, h, w] = shape4(out);
  const patchRows = (rows - 1) * strides[0] + (kh - 1) * dilations[0] + 1;
  const patchColumns = (columns - 1) * strides[1] + (kw - 1) * dilations[1] + 1;
  const tilesX = Math.ceil(w / columns);
  const tiles = tilesX * Math.ceil(h / rows);
  const groups = Math.ceil(filterShape[2] / 4);
  const params = convParams(parts, { groups, ...edges(parts), tilesX });
  const loads = lines(patchRows, (r) => {
    const row = `let iy${r} = y0 * ${strides[0]} + ${r} - padTop; let ry${r} = iy${r} >= 0 && iy${r} < ih; let at${r} = x_o + n * x_n + clamp(iy${r}, 0, ih - 1) * x_y + c0;`;
    const values = each(
      patchColumns,
      (c) => `let v${r}_${c} = select(0.0, source[at${r} + ax${c}], ry${r} && rx${c});`,
    );
    return [row, ...values].join('\n    ');
  });
  const used = lines(
    patchColumns,
    (c) =>
      `let ix${c} = x0 * ${strides[1]} + ${c} - padLeft; let rx${c} = ix${c} >= 0 && ix${c} < iw; let ax${c} = clamp(ix${c}, 0, iw - 1) * x_x;`,
  );
  const sums = lines(rows * columns, (p) => {
    const [row, column] = [Math.floor(p / columns), p % columns];
    const products = each(kh * kw, (t) => {
      const [r, c] = [
        row * strides[0] + Math.floor(t / kw) * dilations[0],
        column * strides[1] + (t % kw) * dilations[1],
      ];
      return `v${r}_${c} * w${t}`;
    });
    return `sums[${p}] = ${products.join(' + ')};`;
  });
  const main = `let tile = quad / groups;
  let x0 = tile % tilesX * ${columns};
  let y0 = tile / tilesX * ${rows};
  ${lines(kh * kw, (t) => `let w${t} = filter_[${t} * outer + c0];`)}
  ${used}
  ${loads}
  ${sums}
  ${finish(parts, rows * columns, 1, [`y0 + p / ${columns}`, `x0 + p % ${columns}`])}`;
  return {
    label: convLabel(parts),
    wgsl: convShader(parts, params, { sums: rows * columns, blocks: 1 }, main),
    workgroups: spread(tiles * groups, n),
    bindings: [params.binding, ...convBindings(parts)],
  };
}

function convShader(parts: ConvParts, params: Params, size: { sums: number; blocks: number }, main: string): string {
  return quadShader(parts, ['source', 'filter_', ...epilogueBuffers(parts)], params, size, main);
}

/** Where the window begins, for kernels that walk one. */
function edges({ node, input }: ConvParts): Readonly<Record<string, number>> {
  const [, ih, iw] = shape4(input);
  const [padTop, padLeft] = node.attrs.pad;
  return { ih, iw, padTop, padLeft };
}
