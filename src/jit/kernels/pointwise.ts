/** Element-wise expressions, one invocation per element or per four channels. */
import type { Kernel } from './program.js';
import { declare, groups } from './program.js';
import { bufferType, indexAt, preamble, readAt, typeOf, widthOf } from './operands.js';
import { isPointwise, SAME } from '../nodes.js';
import { writeExpr } from '../expr.js';
import { shape4 } from '../view.js';

const SIZE = 64;

export const pointwise: Kernel = (node, context) => {
  if (!isPointwise(node)) return [];
  const { expr, maps } = node.attrs;
  const views = node.inputs.map((id) => context.view(id));
  const out = context.view(node.outputs[0]);
  const width = widthOf([...views, out]);
  const [n, h, w, c] = shape4(out);
  const perPicture = (h * w * c) / width;
  const names = views.map((_, i) => `a${i}`);
  const reads = views.map((view, i) => `let v${i} = ${readAt(names[i], view, maps[i], width)};`);
  const { statements, result } = writeExpr(
    expr,
    views.map((_, i) => `v${i}`),
    typeOf(width),
    's',
  );
  const wgsl = `${declare([...names, 'result'], [...views.map((view) => bufferType(view, width)), typeOf(width)])}
${preamble(expr)}
@compute @workgroup_size(${SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ${perPicture}u) { return; }
  let c = id.x % ${c / width}u;
  let x = id.x / ${c / width}u % ${w}u;
  let y = id.x / ${(c / width) * w}u;
  let n = id.z;
  ${[...reads, ...statements].join('\n  ')}
  result[${indexAt(out, SAME, width)}] = ${result};
}`;
  const bindings = [
    ...node.inputs.map((value) => ({ kind: 'read', value }) as const),
    { kind: 'write', value: node.outputs[0] } as const,
  ];
  const label = `pointwise ${expr.steps.map(({ fn }) => fn).join(' ') || 'copy'}`;
  return [{ label, wgsl, workgroups: [groups(perPicture, SIZE), 1, n], bindings }];
};
