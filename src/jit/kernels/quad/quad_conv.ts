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
import { writeExpr, preamble } from '../../expr.js';
import { SAME } from '../../nodes.js';
import { shape4 } from '../../view.js';
import { convBindings, convLabel, type ConvParts } from '../conv_parts.js';
import { declare, type Program } from '../program.js';
import { indexOf, Params } from './params.js';

/** Output pixels and groups of four channels per quad. */
export interface QuadTile {
  readonly rows: number;
  readonly columns: number;
  readonly blocks: number;
}

const QUAD_HEADER = 'enable subgroups;\ndiagnostic(off, subgroup_uniformity);';

const each = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const lines = (count: number, make: (i: number) => string) => each(count, make).join('\n    ');

/** Any window, stride and dilation; the window is unrolled, so `rows * columns * blocks * kh * kw` is the shader's length. */
export function quadPatchConv(parts: ConvParts, { rows, columns, blocks }: QuadTile): Program {
  const { node, input, out, filterShape } = parts;
  const { strides, dilations, pad } = node.attrs;
  const [kh, kw, , outer] = filterShape;
  const [, ih, iw] = shape4(input);
  const [n, h, w] = shape4(out);
  const patchColumns = (columns - 1) * strides[1] + (kw - 1) * dilations[1] + 1;
  const patch = ((rows - 1) * strides[0] + (kh - 1) * dilations[0] + 1) * patchColumns;
  const loads = Math.ceil(patch / 4);
  const tilesX = Math.ceil(w / columns);
  const tiles = tilesX * Math.ceil(h / rows);
  const groups = Math.ceil(outer / (4 * blocks));

  const params = convParams(parts, [
    ['ih', ih],
    ['iw', iw],
    ['padTop', pad[0]],
    ['padLeft', pad[1]],
    ['tilesX', tilesX],
    ['groups', groups],
  ]);
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
    wgsl: quadShader(parts, params, rows * columns * blocks, blocks, main),
    workgroups: spread(tiles * groups, n),
    bindings: [params.binding, ...convBindings(parts)],
  };
}

/** 1x1 at stride 1: a run of pixels, four input channels at a time. */
export function quadPixelConv(parts: ConvParts, { columns, blocks }: QuadTile): Program {
  const { out, filterShape } = parts;
  const [, , inner, outer] = filterShape;
  const [n, h, w] = shape4(out);
  const runs = Math.ceil((h * w) / columns);
  const groups = Math.ceil(outer / (4 * blocks));
  const params = convParams(parts, [['groups', groups]]);
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
  ${lines(columns, (p) => `let at${p} = x_o + n * x_n + min(first + ${p}, h * w - 1) * x_x;`)}
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
    wgsl: quadShader(parts, params, columns * blocks, blocks, main),
    workgroups: spread(runs * groups, n),
    bindings: [params.binding, ...convBindings(parts)],
  };
}

/** One channel per invocation, a patch of pixels each. */
export function quadDepthwise(parts: ConvParts, { rows, columns }: QuadTile): Program {
  const { node, input, out, filterShape } = parts;
  const { strides, dilations, pad } = node.attrs;
  const [kh, kw] = filterShape;
  const [, ih, iw] = shape4(input);
  const [n, h, w] = shape4(out);
  const patchRows = (rows - 1) * strides[0] + (kh - 1) * dilations[0] + 1;
  const patchColumns = (columns - 1) * strides[1] + (kw - 1) * dilations[1] + 1;
  const tilesX = Math.ceil(w / columns);
  const tiles = tilesX * Math.ceil(h / rows);
  const groups = Math.ceil(filterShape[2] / 4);
  const params = convParams(parts, [
    ['ih', ih],
    ['iw', iw],
    ['padTop', pad[0]],
    ['padLeft', pad[1]],
    ['tilesX', tilesX],
    ['groups', groups],
  ]);
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
    wgsl: quadShader(parts, params, rows * columns, 1, main),
    workgroups: spread(tiles * groups, n),
    bindings: [params.binding, ...convBindings(parts)],
  };
}

/** Sizes that every kernel of this file reads, then its own. */
function convParams({ input, out, filterShape, extras, node }: ConvParts, own: readonly (readonly [string, number])[]) {
  const params = new Params();
  const [, h, w] = shape4(out);
  params.add('h', h);
  params.add('w', w);
  params.add('inner', filterShape[2]);
  params.add('outer', node.attrs.kind === 'depthwise' ? filterShape[2] : filterShape[3]);
  for (const [name, value] of own) params.add(name, value);
  params.addView('x', input);
  params.addView('r', out);
  for (const [i, { view }] of extras.entries()) params.addView(`e${i}`, view);
  return params;
}

/** One assignment per pass over the window. */
function accumulate(sum: number, products: readonly string[]): string {
  return `sums[${sum}] = sums[${sum}] + ${products.join(' + ')};`;
}

/**
 * Bias, expression and store of every sum. In a loop: written out, these statements would take longer to compile than everything
 * before them.
 *
 * @param place - row and column of pixel `p`
 */
function finish(
  { node, extras, bias }: ConvParts,
  pixels: number,
  blocks: number,
  [y, x]: readonly [y: string, x: string],
): string {
  const reads = extras.map(
    ({ buffer, map }, i) => `let d${i} = ${buffer}[${indexOf(`e${i}`, map, 'n', 'y', 'x', 'c')}];`,
  );
  const written = writeExpr(node.attrs.expr, ['value', ...extras.map((_, i) => `d${i}`)], 'f32', 'e');
  return `for (var i = 0; i < ${pixels * blocks}; i++) {
    let p = i / ${blocks};
    let c = c0 + i % ${blocks} * 4;
    let y = ${y};
    let x = ${x};
    if (y < h && x < w && c < outer) {
      let value = sums[i]${bias.length > 0 ? ' + bias[c]' : ''};
      ${[...reads, ...written.statements].join('\n      ')}
      result[${indexOf('r', SAME, 'n', 'y', 'x', 'c')}] = ${written.result};
    }
  }`;
}

function quadShader(
  { node, bias, extras }: ConvParts,
  params: Params,
  sums: number,
  blocks: number,
  main: string,
): string {
  const names = [
    'sizes',
    'source',
    'filter_',
    ...bias.map(() => 'bias'),
    ...extras.map(({ buffer }) => buffer),
    'result',
  ];
  return `${QUAD_HEADER}
${declare(
  names,
  names.map((name) => (name === 'sizes' ? 'i32' : 'f32')),
)}
${preamble(node.attrs.expr)}
@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let lane = i32(local);
  let n = i32(group.z);
  ${params.statements}
  let quad = i32(group.x + group.y * ${WIDEST}u);
  let c0 = quad % groups * ${4 * blocks} + lane;
  var sums: array<f32, ${sums}>;
  ${main}
}`;
}

/** Workgroups per row of the dispatch. */
const WIDEST = 32768;

function spread(count: number, n: number): [number, number, number] {
  return [Math.min(count, WIDEST), Math.ceil(count / WIDEST), n];
}
