/**
 * Direct convolution for every shape: each invocation keeps a strip of output pixels times a few output channels in registers and
 * walks the window. Depthwise convolutions walk one channel (or four) each.
 */
import { SAME } from '../nodes.js';
import { isVec4, shape4 } from '../view.js';
import { convBindings, convDeclarations, convLabel, type ConvParts } from './conv_parts.js';
import { epilogue, indexAt, preamble, typeOf, widthOf, type Width } from './operands.js';
import { groups, NoKernel, type Program } from './program.js';

/** Output columns per invocation: as many as divide the row, up to six. */
function stripOf(width: number): number {
  return [6, 4, 5, 3, 2].find((p) => width % p === 0) ?? 1;
}

/** HWIO as it is, when four output channels are neighbours; else the scalar path reads it. */
export function directConv(parts: ConvParts): Program {
  const { node, input, out, filterShape, extras } = parts;
  const { strides, dilations, pad, expr } = node.attrs;
  const [kh, kw, inner, outer] = filterShape;
  const width = widthOf([out, ...extras.map(({ view }) => view)]);
  const inWidth: Width = isVec4(input) ? 4 : 1;
  const [, ih, iw] = shape4(input);
  const [n, h, w] = shape4(out);
  const strip = stripOf(w);
  const blocks = width === 4 && outer % 8 === 0 ? 2 : 1;
  const perGroup = outer / width / blocks;
  const type = typeOf(width);
  const each = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
  const step = input.rowStride / inWidth;
  const taps = each(strip, (p) => {
    const column = `i32(x0 + ${p}u) * ${strides[1]} + kx * ${dilations[1]} - ${pad[1]}`;
    return `let sx${p} = ${column};
        let in${p} = sx${p} >= 0 && sx${p} < ${iw};
        let at${p} = row + select(0u, u32(sx${p}), in${p}) * ${step}u;`;
  });
  const lanes = inWidth === 4 ? ['.x', '.y', '.z', '.w'] : [''];
  const products = lanes.flatMap((lane, j) =>
    each(blocks, (q) => [
      `let w${j}_${q} = filter_[weights + ${(j * outer) / width}u + ${q}u];`,
      ...each(strip, (p) => `sum${p}_${q} = fma(${type}(v${p}${lane}), w${j}_${q}, sum${p}_${q});`),
    ]).flat(),
  );
  const finish = each(strip, (p) =>
    each(blocks, (q) => {
      const done = epilogue(expr, `value`, extras, width, `e${p}_${q}_`);
      return `{ let x = x0 + ${p}u; let c = c0 + ${q}u;
    let value = sum${p}_${q}${parts.bias.length > 0 ? ' + bias[c]' : ''};
    ${done.statements.join('\n    ')}
    result[${indexAt(out, SAME, width)}] = ${done.result}; }`;
    }).join('\n'),
  );
  const wgsl = `${convDeclarations(parts, { x: typeOf(inWidth), filter: type }, width).replace('> x:', '> source:')}
${preamble(expr)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ${perGroup * (w / strip) * h}u) { return; }
  let c0 = id.x % ${perGroup}u * ${blocks}u;
  let x0 = id.x / ${perGroup}u % ${w / strip}u * ${strip}u;
  let y = id.x / ${perGroup * (w / strip)}u;
  let n = id.z;
  ${each(strip, (p) => each(blocks, (q) => `var sum${p}_${q} = ${type}(0);`).join(' ')).join(' ')}
  for (var ky = 0; ky < ${kh}; ky++) {
    let sy = i32(y) * ${strides[0]} + ky * ${dilations[0]} - ${pad[0]};
    if (sy < 0 || sy >= ${ih}) { continue; }
    let row = ${input.offset / inWidth}u + ${input.batched ? `n * ${ih * iw * step}u + ` : ''}u32(sy) * ${iw * step}u;
    for (var kx = 0; kx < ${kw}; kx++) {
        ${taps.join('\n        ')}
        for (var k = 0u; k < ${inner / inWidth}u; k++) {
          let weights = ((u32(ky) * ${kw}u + u32(kx)) * ${inner}u + k * ${inWidth}u) * ${outer / width}u + c0;
          ${each(strip, (p) => `let v${p} = select(${typeOf(inWidth)}(0), source[at${p} + k], in${p});`).join('\n          ')}
          ${products.join('\n          ')}
        }
    }
  }
  ${finish.join('\n  ')}
}`;
  return {
    label: convLabel(parts),
    wgsl,
    workgroups: [groups(perGroup * (w / strip) * h, 64), 1, n],
    bindings: convBindings(parts),
  };
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
  const wgsl = `${convDeclarations(parts, { x: type, filter: type }, width).replace('> x:', '> source:')}
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
      sum = fma(source[${indexAt(input, SAME, width)}], filter_[u32(ky * ${kw} + kx) * ${inner / width}u + c], sum);
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
