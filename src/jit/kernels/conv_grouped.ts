/**
 * Grouped convolution: each invocation keeps a strip of output pixels for one output channel, or four of one group, and walks the
 * window over the group's input channels. Groups are narrow, so that there is nothing to share between invocations.
 */
import type { GraphNode } from '../graph.js';
import { SAME, type GroupedConvAttrs } from '../nodes.js';
import { isVec4, shape4 } from '../view.js';
import { convBindings, convDeclarations, convParts, filterPreamble, filterType, readFilter } from './conv_parts.js';
import { epilogue, indexAt, preamble, typeOf, widthOf, type Width } from './operands.js';
import {
  chosenPrograms,
  groups as cover,
  type Kernel,
  type KernelContext,
  type Program,
  type VariantKernel,
} from './program.js';

export const convGrouped: Kernel = (node, context) =>
  chosenPrograms(shapeKey(node, context), variants(node, context), context);

/** Strips of several pixels read each weight once for all of them, but leave fewer invocations. */
const variants: VariantKernel = (node, context) => {
  const [, , w] = shape4(context.view(node.outputs[0]));
  const strips = [4, 3, 2, 1].filter((strip) => w % strip === 0);
  return strips.map((strip) => ({ name: `strip ${strip}`, programs: () => [groupedProgram(node, context, strip)] }));
};

function shapeKey(node: GraphNode, context: KernelContext): string {
  const { groups, strides } = node.attrs as unknown as GroupedConvAttrs;
  const [kh, kw, inner, outer] = context.graph.values[node.inputs[1]].shape;
  const [n, h, w] = shape4(context.view(node.outputs[0]));
  return `conv${kh}x${kw} n${n} ${h}x${w} ${inner * groups}->${outer} s${strides[0]} g${groups} f32`;
}

function groupedProgram(node: GraphNode, context: KernelContext, strip: number): Program {
  const { groups } = node.attrs as unknown as GroupedConvAttrs;
  const parts = convParts(node as never, context);
  const { input, out, filterShape, extras } = parts;
  const { strides, dilations, pad, expr } = parts.node.attrs;
  const [kh, kw, inner, outer] = filterShape;
  const groupOut = outer / groups;
  const width: Width = groupOut % 4 === 0 ? widthOf([out, ...extras.map(({ view }) => view)]) : 1;
  const inWidth: Width = inner % 4 === 0 && isVec4(input) ? 4 : 1;
  const [, ih, iw] = shape4(input);
  const [n, h, w] = shape4(out);
  const type = typeOf(width);
  const each = (make: (p: number) => string) => Array.from({ length: strip }, (_, p) => make(p)).join('\n      ');
  const step = input.rowStride / inWidth;
  const lanes = inWidth === 4 ? ['.x', '.y', '.z', '.w'] : [''];
  const perPicture = (outer / width) * (w / strip) * h;
  const products = lanes.map(
    (lane, j) => `{ let weight = ${readFilter(parts, `weights + ${(j * outer) / width}u`)};
      ${each((p) => `sum${p} = fma(${type}(v${p}${lane}), weight, sum${p});`)} }`,
  );
  const finish = each((p) => {
    const done = epilogue(expr, 'value', extras, width, `e${p}_`);
    return `{ let x = x0 + ${p}u;
    let value = sum${p}${parts.bias.length > 0 ? ' + bias[c]' : ''};
    ${done.statements.join('\n    ')}
    result[${indexAt(out, SAME, width)}] = ${done.result}; }`;
  });
  const declarations = convDeclarations(parts, { x: typeOf(inWidth), filter: filterType(parts, width) }, width);
  const wgsl = `${declarations.replace('> x:', '> source:')}
${filterPreamble(parts, width)}
${preamble(expr)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ${perPicture}u) { return; }
  let c = id.x % ${outer / width}u;
  let x0 = id.x / ${outer / width}u % ${w / strip}u * ${strip}u;
  let y = id.x / ${(outer / width) * (w / strip)}u;
  let n = id.z;
  let first = c / ${groupOut / width}u * ${inner / inWidth}u;
  ${each((p) => `var sum${p} = ${type}(0);`)}
  for (var ky = 0; ky < ${kh}; ky++) {
    let sy = i32(y) * ${strides[0]} + ky * ${dilations[0]} - ${pad[0]};
    if (sy < 0 || sy >= ${ih}) { continue; }
    let row = ${input.offset / inWidth}u + ${input.batched ? `n * ${ih * iw * step}u + ` : ''}u32(sy) * ${iw * step}u + first;
    for (var kx = 0; kx < ${kw}; kx++) {
      ${each(
        (p) => `let sx${p} = i32(x0 + ${p}u) * ${strides[1]} + kx * ${dilations[1]} - ${pad[1]};
      let in${p} = sx${p} >= 0 && sx${p} < ${iw};
      let at${p} = row + select(0u, u32(sx${p}), in${p}) * ${step}u;`,
      )}
      for (var k = 0u; k < ${inner / inWidth}u; k++) {
        let weights = ((u32(ky) * ${kw}u + u32(kx)) * ${inner}u + k * ${inWidth}u) * ${outer / width}u + c;
        ${each((p) => `let v${p} = select(${typeOf(inWidth)}(0), source[at${p} + k], in${p});`)}
        ${products.join('\n        ')}
      }
    }
  }
  ${finish}
}`;
  return {
    label: `grouped${kh}x${kw} ${inner * groups}->${outer} g${groups}`,
    wgsl,
    workgroups: [cover(perPicture, 64), 1, n],
    bindings: convBindings(parts),
  };
}
