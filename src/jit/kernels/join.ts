/** Concatenation of expressions along channels, with a channel shuffle: one invocation per four output channels, or per one. */
import { preamble, writeExpr } from '../expr.js';
import { SAME, type JoinAttrs } from '../nodes.js';
import { isVec4, shape4 } from '../view.js';
import { indexAt, readAt } from './operands.js';
import { declare, groups as cover, type Kernel } from './program.js';

const SIZE = 64;

export const join: Kernel = (node, context) => {
  const { parts, groups } = node.attrs as unknown as JoinAttrs;
  const views = node.inputs.map((id) => context.view(id));
  const out = context.view(node.outputs[0]);
  const [n, h, w, c] = shape4(out);
  const width = isVec4(out) ? 4 : 1;
  const names = views.map((_, i) => `a${i}`);
  let operand = 0;
  let start = 0;
  const branches = parts.map(({ expr, maps, channels }, p) => {
    const reads = maps.map((map) => {
      const i = operand++;
      return `let v${i} = ${readAt(names[i], views[i], map, 1)};`;
    });
    const first = operand - maps.length;
    const { statements, result } = writeExpr(
      expr,
      maps.map((_, i) => `v${first + i}`),
      'f32',
      `s${p}_`,
    );
    const lines = [`let c = k - ${start}u;`, ...reads, ...statements, `return ${result};`].join(' ');
    start += channels;
    return p < parts.length - 1 ? `if (k < ${start}u) { ${lines} }` : lines;
  });
  const shuffled = (channel: string) =>
    groups === 1 ? channel : `(${channel}) % ${groups}u * ${c / groups}u + (${channel}) / ${groups}u`;
  const elements = Array.from({ length: width }, (_, j) => `element(n, y, x, ${shuffled(`c * ${width}u + ${j}u`)})`);
  const types = [...views.map(() => 'f32'), width === 4 ? 'vec4f' : 'f32'];
  const exprs = parts.map(({ expr }) => expr);
  const wgsl = `${declare([...names, 'result'], types)}
${preamble({ operands: 0, steps: exprs.flatMap(({ steps }) => steps) })}
fn element(n: u32, y: u32, x: u32, k: u32) -> f32 {
  ${branches.join('\n  ')}
}
@compute @workgroup_size(${SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ${(h * w * c) / width}u) { return; }
  let c = id.x % ${c / width}u;
  let x = id.x / ${c / width}u % ${w}u;
  let y = id.x / ${(c / width) * w}u;
  let n = id.z;
  result[${indexAt(out, SAME, width)}] = ${width === 4 ? `vec4f(${elements.join(', ')})` : elements[0]};
}`;
  return [
    {
      label: `join ${parts.map(({ channels }) => channels).join('+')}`,
      wgsl,
      workgroups: [cover((h * w * c) / width, SIZE), 1, n],
      bindings: [
        ...node.inputs.map((value) => ({ kind: 'read', value }) as const),
        { kind: 'write', value: node.outputs[0] },
      ],
    },
  ];
};
