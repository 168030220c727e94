/**
 * Direct convolution for every shape: each invocation keeps a strip of output pixels times a few output channels in registers and
 * walks the window. Depthwise convolutions walk one channel (or four) each.
 */
import { SAME } from '../nodes.js';
import { isVec4, shape4 } from '../view.js';
import {
  convBindings,
  convDeclarations,
  convLabel,
  filterPreamble,
  filterType,
  readFilter,
  type ConvParts,
} from './conv_parts.js';
import { epilogue, indexAt, preamble, typeOf, widthOf, type Width } from './operands.js';
import { groups, NoKernel, type Program } from './program.js';

const each = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

/** How a direct convolution is cut into invocations. */
export interface DirectTile {
  /** Output pixels of one row per invocation; divides the row. */
  readonly strip: number;
  /** Groups of four output channels per invocation. */
  readonly blocks: 1 | 2;
  /** Invocations that share one output, each taking every n-th input channel: a deep sum over a small map fills the GPU this way. */
  readonly split: number;
}

const WORKGROUP = 64;

/**
 * HWIO as it is, when four output channels are neighbours; else the scalar path reads it.
 *
 * @param parts - with a filter of 16-bit floats (`halfFilter`), products and sums are still 32-bit
 */
export function directConv(parts: ConvParts, { strip, blocks, split }: DirectTile): Program {
  const { node, input, out, filterShape, extras, banks } = parts;
  const { strides, dilations, pad, expr } = node.attrs;
  const [kh, kw, inner, outer] = filterShape;
  const width = directWidth(parts);
  const inWidth: Width = isVec4(input) ? 4 : 1;
  const [, ih, iw] = shape4(input);
  const [n, h, w] = shape4(out);
  const perGroup = outer / width / blocks;
  const type = typeOf(width);
  const step = input.rowStride / inWidth;
  const perWorkgroup = WORKGROUP / split;
  const tiles = perGroup * (w / strip) * h;
  const bank = banks > 1 ? ` + n % ${banks}u * ${(kh * kw * inner * outer) / width}u` : '';
  const sums = each(strip, (p) => each(blocks, (q) => `sum${p}_${q}`)).flat();
  const taps = each(strip, (p) => {
    const column = `i32(x0 + ${p}u) * ${strides[1]} + kx * ${dilations[1]} - ${pad[1]}`;
    return `let sx${p} = ${column};
        let in${p} = sx${p} >= 0 && sx${p} < ${iw};
        let at${p} = row + select(0u, u32(sx${p}), in${p}) * ${step}u;`;
  });
  const lanes = inWidth === 4 ? ['.x', '.y', '.z', '.w'] : [''];
  // All loads of a few steps before their products: a GPU waits for memory once, not once a step.
  const unroll = unrollOf(inner / inWidth, split);
  const reads = each(unroll, (u) => [
    ...each(
      strip,
      (p) => `let v${u}_${p} = select(${typeOf(inWidth)}(0), source[at${p} + k + ${u * split}u], in${p});`,
    ),
    ...lanes.flatMap((_, j) =>
      each(
        blocks,
        (q) =>
          `let w${u}_${j}_${q} = ${readFilter(parts, `weights + ${((u * split * inWidth + j) * outer) / width}u + ${q}u`)};`,
      ),
    ),
  ]).flat();
  const products = each(unroll, (u) =>
    lanes.flatMap((lane, j) =>
      each(blocks, (q) =>
        each(strip, (p) => `sum${p}_${q} = fma(${type}(v${u}_${p}${lane}), w${u}_${j}_${q}, sum${p}_${q});`),
      ).flat(),
    ),
  ).flat();
  const finish = each(strip, (p) =>
    each(blocks, (q) => {
      const done = epilogue(expr, `value`, extras, width, `e${p}_${q}_`);
      return `{ let x = x0 + ${p}u; let c = c0 + ${q}u;
    let value = sum${p}_${q}${parts.bias.length > 0 ? ' + bias[c]' : ''};
    ${done.statements.join('\n    ')}
    result[${indexAt(out, SAME, width)}] = ${done.result}; }`;
    }).join('\n'),
  );
  const types = { x: typeOf(inWidth), filter: filterType(parts, width) };
  const wgsl = `${convDeclarations(parts, types, width).replace('> x:', '> source:')}
${filterPreamble(parts, width)}
${preamble(expr)}
${split > 1 ? `var<workgroup> partial: array<${type}, ${(split - 1) * perWorkgroup * sums.length}>;` : ''}
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = group.x * ${perWorkgroup}u + local % ${perWorkgroup}u;
  let slice = local / ${perWorkgroup}u;
  let tile = min(index, ${tiles - 1}u);
  let c0 = tile % ${perGroup}u * ${blocks}u;
  let x0 = tile / ${perGroup}u % ${w / strip}u * ${strip}u;
  let y = tile / ${perGroup * (w / strip)}u;
  let n = group.z;
  ${sums.map((sum) => `var ${sum} = ${type}(0);`).join(' ')}
  for (var ky = 0; ky < ${kh}; ky++) {
    let sy = i32(y) * ${strides[0]} + ky * ${dilations[0]} - ${pad[0]};
    if (sy < 0 || sy >= ${ih}) { continue; }
    let row = ${input.offset / inWidth}u + ${input.batched ? `n * ${ih * iw * step}u + ` : ''}u32(sy) * ${iw * step}u;
    for (var kx = 0; kx < ${kw}; kx++) {
        ${taps.join('\n        ')}
        for (var k = slice; k < ${inner / inWidth}u; k += ${split * unroll}u) {
          let weights = ((u32(ky) * ${kw}u + u32(kx)) * ${inner}u + k * ${inWidth}u) * ${outer / width}u + c0${bank};
          ${reads.join('\n          ')}
          ${products.join('\n          ')}
        }
    }
  }
  ${split > 1 ? addPartials(sums, split, perWorkgroup) : ''}
  if (slice > 0u || index >= ${tiles}u) { return; }
  ${finish.join('\n  ')}
}`;
  return {
    label: convLabel(parts),
    wgsl,
    workgroups: [groups(tiles, perWorkgroup), 1, n],
    bindings: convBindings(parts),
  };
}

/** Steps over the input channels that are written out; a divisor of how many each slice takes. */
function unrollOf(steps: number, split: number): number {
  if (steps % split !== 0) return 1;
  return [4, 3, 2].find((unroll) => (steps / split) % unroll === 0) ?? 1;
}

/** Every slice but the first hands over its sums; the first adds them up. */
function addPartials(sums: readonly string[], split: number, perWorkgroup: number): string {
  const at = (slice: string, i: number) =>
    `partial[(${slice} * ${perWorkgroup}u + local % ${perWorkgroup}u) * ${sums.length}u + ${i}u]`;
  const adds = sums.map((sum, i) => `${sum} += ${at('other', i)};`).join(' ');
  return `if (slice > 0u) { ${sums.map((sum, i) => `${at('(slice - 1u)', i)} = ${sum};`).join(' ')} }
  workgroupBarrier();
  if (slice == 0u) { for (var other = 0u; other < ${split - 1}u; other++) { ${adds} } }`;
}

/** Four output channels per variable where they are neighbours everywhere. */
export function directWidth({ out, extras }: ConvParts): Width {
  return widthOf([out, ...extras.map(({ view }) => view)]);
}

/** One output pixel times one channel, or four, per invocation. */
export function directDepthwise(parts: ConvParts): Program {
  const { node, input, out, filterShape, extras } = parts;
  const { strides, dilations, pad, expr } = node.attrs;
  const [kh, kw, inner, multiplier] = filterShape;
  if (multiplier !== 1) throw new NoKernel('DepthwiseConv2dNative', 'with a channel multiplier has no WGSL kernel');
  const width = widthOf([input, out, ...extras.map(({ view }) => view)]);
  const type = typeOf(width);
  const [, ih, iw] = shape4(input);
  const [n, h, w] = shape4(out);
  const perPicture = (h * w * inner) / width;
  const done = epilogue(expr, 'value', extras, width);
  const types = { x: type, filter: filterType(parts, width) };
  const wgsl = `${convDeclarations(parts, types, width).replace('> x:', '> source:')}
${filterPreamble(parts, width)}
${preamble(expr)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ${perPicture}u) { return; }
  let c = id.x % ${inner / width}u;
  let outX = id.x / ${inner / width}u % ${w}u;
  let outY = id.x / ${(inner / width) * w}u;
  let n = id.z;
  var sum = ${type}(0);
  for (var ky = 0; ky < ${kh}; ky++) {
    let sy = i32(outY) * ${strides[0]} + ky * ${dilations[0]} - ${pad[0]};
    if (sy < 0 || sy >= ${ih}) { continue; }
    for (var kx = 0; kx < ${kw}; kx++) {
      let sx = i32(outX) * ${strides[1]} + kx * ${dilations[1]} - ${pad[1]};
      if (sx < 0 || sx >= ${iw}) { continue; }
      let y = u32(sy);
      let x = u32(sx);
      sum = fma(source[${indexAt(input, SAME, width)}], ${readFilter(parts, `u32(ky * ${kw} + kx) * ${inner / width}u + c`)}, sum);
    }
  }
  let y = outY;
  let x = outX;
  let value = sum${parts.bias.length > 0 ? ' + bias[c]' : ''};
  ${done.statements.join('\n  ')}
  result[${indexAt(out, SAME, width)}] = ${done.result};
}`;
  return {
    label: convLabel(parts),
    wgsl,
    workgroups: [groups(perPicture, 64), 1, n],
    bindings: convBindings(parts),
  };
}
