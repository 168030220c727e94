/** Bilinear resize with both corner conventions; the formulas are tfjs's, which are PyTorch's. */
import { SAME } from '../nodes.js';
import { shape4 } from '../view.js';
import { literal } from '../expr.js';
import { indexAt, typeOf, widthOf } from './operands.js';
import { declare, groups, type Kernel } from './program.js';

const SIZE = 64;

export const resizeBilinear: Kernel = (node, context) => {
  const [input, out] = [context.view(node.inputs[0]), context.view(node.outputs[0])];
  const { alignCorners, halfPixelCenters } = node.attrs;
  const width = widthOf([input, out]);
  const [, ih, iw] = shape4(input);
  const [n, h, w, c] = shape4(out);
  const perPicture = (h * w * c) / width;
  const ratio = (from: number, to: number) => (alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to);
  const position = (name: string, from: number, to: number) => {
    const step = literal(ratio(from, to));
    return halfPixelCenters ? `max(0.0, (f32(${name}) + 0.5) * ${step} - 0.5)` : `f32(${name}) * ${step}`;
  };
  const at = (y: string, x: string) => `{ let y = ${y}; let x = ${x}; value = input[${indexAt(input, SAME, width)}]; }`;
  const wgsl = `${declare(['input', 'result'], typeOf(width))}
@compute @workgroup_size(${SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ${perPicture}u) { return; }
  let c = id.x % ${c / width}u;
  let x = id.x / ${c / width}u % ${w}u;
  let y = id.x / ${(c / width) * w}u;
  let n = id.z;
  let py = ${position('y', ih, h)};
  let px = ${position('x', iw, w)};
  let y0 = min(u32(py), ${ih - 1}u);
  let x0 = min(u32(px), ${iw - 1}u);
  let y1 = min(y0 + 1u, ${ih - 1}u);
  let x1 = min(x0 + 1u, ${iw - 1}u);
  let fy = py - f32(y0);
  let fx = px - f32(x0);
  var value: ${typeOf(width)};
  ${at('y0', 'x0')} let topLeft = value;
  ${at('y0', 'x1')} let topRight = value;
  ${at('y1', 'x0')} let bottomLeft = value;
  ${at('y1', 'x1')} let bottomRight = value;
  let top = topLeft + (topRight - topLeft) * fx;
  let bottom = bottomLeft + (bottomRight - bottomLeft) * fx;
  result[${indexAt(out, SAME, width)}] = top + (bottom - top) * fy;
}`;
  return [
    {
      label: `bilinear ${ih}x${iw} to ${h}x${w}`,
      wgsl,
      workgroups: [groups(perPicture, SIZE), 1, n],
      bindings: [
        { kind: 'read', value: node.inputs[0] },
        { kind: 'write', value: node.outputs[0] },
      ],
    },
  ];
};
