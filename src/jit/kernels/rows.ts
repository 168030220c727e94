/**
 * Chains of row reductions and element-wise work: a workgroup per row. The elements are computed again from the inputs for each
 * reduction, which costs less than keeping them.
 */
import { preamble, writeExpr } from '../expr.js';
import { SAME, type RowsAttrs } from '../nodes.js';
import { shape4 } from '../view.js';
import { indexAt, readAt } from './operands.js';
import { declare, type Kernel } from './program.js';
import { REDUCERS } from './reduce.js';

const SIZE = 64;

export const rowsKernel: Kernel = (node, context) => {
  const { steps } = node.attrs as unknown as RowsAttrs;
  const views = node.inputs.map((id) => context.view(id));
  const out = context.view(node.outputs[0]);
  const [n, h, w] = shape4(out);
  const names = views.map((_, i) => `a${i}`);
  const widths = [...views.map((view) => shape4(view)[3])];
  const columns = Math.max(...widths);
  /** Whether a value is the same all along the row. */
  const isRow = (id: number) => (id < views.length ? widths[id] === 1 : steps[id - views.length].isRow);
  const lines: string[] = [];
  for (const [i, view] of views.entries())
    if (widths[i] === 1) lines.push(`let v${i} = ${readAt(names[i], view, SAME, 1)};`);
  /** Statements that compute an element of value `id` at column c, from what holds for the row. */
  const elements = (id: number, done = new Set<number>()): string[] => {
    if (isRow(id) || done.has(id)) return [];
    done.add(id);
    if (id < views.length) return [`let v${id} = ${readAt(names[id], views[id], SAME, 1)};`];
    const step = steps[id - views.length];
    return [...step.args.flatMap((arg) => elements(arg, done)), ...computed(step, id)];
  };
  const computed = (step: RowsAttrs['steps'][number], id: number): string[] => {
    if (step.kind !== 'elements') return [];
    const { statements, result } = writeExpr(
      step.expr,
      step.args.map((arg) => `v${arg}`),
      'f32',
      `s${id}_`,
    );
    return [...statements, `let v${id} = ${result};`];
  };
  for (const [i, step] of steps.entries()) {
    const id = views.length + i;
    if (step.kind === 'reduction') {
      const [arg] = step.args;
      const { start, pick, end } = REDUCERS[step.op];
      lines.push(`var total${id} = ${start};
  for (var c = t; c < ${columns}u; c += ${SIZE}u) { ${elements(arg).join(' ')} let a = total${id}; let b = v${arg}; total${id} = ${pick}; }
  partial[t] = total${id};
  for (var half = ${SIZE / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (t < half) { let a = partial[t]; let b = partial[t + half]; partial[t] = ${pick}; }
  }
  workgroupBarrier();
  let sum${id} = partial[0];
  let v${id} = ${end(columns).replaceAll('total', `sum${id}`)};
  workgroupBarrier();`);
    } else if (step.isRow) lines.push(...computed(step, id));
  }
  const last = views.length + steps.length - 1;
  const exprs = steps.flatMap((step) => (step.kind === 'elements' ? step.expr.steps : []));
  const wgsl = `${declare([...names, 'result'], 'f32')}
${preamble({ operands: 0, steps: exprs })}
var<workgroup> partial: array<f32, ${SIZE}>;
@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {
  let x = group.x;
  let y = group.y;
  let n = group.z;
  ${lines.join('\n  ')}
  for (var c = t; c < ${columns}u; c += ${SIZE}u) {
    ${elements(last).join('\n    ')}
    result[${indexAt(out, SAME, 1)}] = v${last};
  }
}`;
  return [
    {
      label: `rows ${columns} ${steps.map((step) => (step.kind === 'reduction' ? step.op.toLowerCase() : '.')).join('')}`,
      wgsl,
      workgroups: [w, h, n],
      bindings: [
        ...node.inputs.map((value) => ({ kind: 'read', value }) as const),
        { kind: 'write', value: node.outputs[0] },
      ],
    },
  ];
};
