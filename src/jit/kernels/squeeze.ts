/**
 * Means over windows and one or two 1 x 1 convolutions, a workgroup per pixel of the result. The sums of a step are spread over the
 * invocations, several to each sum where there are fewer sums than invocations.
 */
import { sizeOf, type TypedArray } from '../../ndarray.js';
import { derived } from '../draft.js';
import { preamble, writeExpr, type Expr } from '../expr.js';
import { SAME, type SqueezeAttrs } from '../nodes.js';
import { shape4 } from '../view.js';
import { indexAt } from './operands.js';
import { constantKey, declare, type Kernel } from './program.js';

export const squeeze: Kernel = (node, context) => {
  const { windows, stages } = node.attrs as unknown as SqueezeAttrs;
  const parts = node.inputs.slice(0, windows.length).map((id, i) => ({ view: context.view(id), window: windows[i] }));
  const out = context.view(node.outputs[0]);
  const [n, h, w] = shape4(out);
  const size = windows.some(([wh, ww]) => wh * ww >= 256) ? 256 : 64;
  const threads = Math.min(size, context.limits.maxComputeInvocationsPerWorkgroup);
  const blocks: string[] = [];
  let channels = 0;
  for (const [i, { view, window }] of parts.entries()) {
    const [, , , c] = shape4(view);
    const at = `{ let c = lane; let y = oy * ${window[0]}u + k / ${window[1]}u; let x = ox * ${window[1]}u + k % ${window[1]}u;
      sum += part${i}[${indexAt(view, SAME, 1)}]; }`;
    const area = window[0] * window[1];
    blocks.push(spread(threads, c, area, at, `values0[${channels}u + lane] = sum${area > 1 ? ` / ${area}.0` : ''};`));
    channels += c;
  }
  const pieces: TypedArray[] = [];
  let input = windows.length;
  let start = 0;
  const sizes = [channels];
  for (const [i, { expr, hasBias }] of stages.entries()) {
    const filter = node.inputs[input++];
    const [, , inner, outer] = context.graph.values[filter].shape;
    pieces.push(context.constant(filter)!);
    const first = start;
    start += sizeOf([inner, outer]);
    const biased = hasBias ? `sum + weights[${start}u + lane]` : 'sum';
    if (hasBias) {
      pieces.push(context.constant(node.inputs[input++])!);
      start += outer;
    }
    const isLast = i === stages.length - 1;
    const target = isLast ? 'result[RESULT]' : `values${i + 1}[lane]`;
    const finish = `${finished(expr, biased, target, i)}`.replace('RESULT', indexAt(out, SAME, 1));
    const term = `sum = fma(values${i}[k], weights[${first}u + k * ${outer}u + lane], sum);`;
    blocks.push(spread(threads, outer, inner, term, finish));
    sizes.push(outer);
  }
  const data = derived(pieces, 'weights of a squeeze', () => {
    const all = new Float32Array(start);
    let to = 0;
    for (const piece of pieces) {
      all.set(piece as Float32Array, to);
      to += piece.length;
    }
    return all;
  });
  const names = [...parts.map((_, i) => `part${i}`), 'weights', 'result'];
  const wgsl = `${declare(names, 'f32')}
${preamble({ operands: 0, steps: stages.flatMap(({ expr }) => expr.steps) })}
${sizes
  .slice(0, -1)
  .map((count, i) => `var<workgroup> values${i}: array<f32, ${count}>;`)
  .join('\n')}
var<workgroup> partial: array<f32, ${threads}>;
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {
  let ox = group.x % ${w}u;
  let oy = group.x / ${w}u;
  let n = group.z;
  ${blocks.join('\n  ')}
}`;
  return [
    {
      label: `squeeze ${sizes.join('->')}`,
      wgsl,
      workgroups: [h * w, 1, n],
      bindings: [
        ...node.inputs.slice(0, windows.length).map((value) => ({ kind: 'read', value }) as const),
        { kind: 'constant', key: constantKey(data), data },
        { kind: 'write', value: node.outputs[0] },
      ],
    },
  ];
};

/** `expr` of a sum, written to `target`; `lane` is the output channel. */
function finished(expr: Expr, value: string, target: string, stage: number): string {
  const { statements, result } = writeExpr(expr, ['value'], 'f32', `s${stage}_`);
  return `let value = ${value}; ${statements.join(' ')} let x = ox; let y = oy; let c = lane; ${target} = ${result};`;
}

/** `lanes` sums over k below `length`, and a barrier. `term` adds one, `finish` takes `sum`. */
function spread(threads: number, lanes: number, length: number, term: string, finish: string): string {
  const slices = Math.min(length, Math.floor(threads / lanes));
  if (slices < 2) {
    return `for (var lane = t; lane < ${lanes}u; lane += ${threads}u) {
    var sum = 0.0;
    for (var k = 0u; k < ${length}u; k++) { ${term} }
    ${finish}
  }
  workgroupBarrier();`;
  }
  return `{
    let lane = t % ${lanes}u;
    var sum = 0.0;
    if (t < ${lanes * slices}u) { for (var k = t / ${lanes}u; k < ${length}u; k += ${slices}u) { ${term} } }
    partial[t] = sum;
  }
  workgroupBarrier();
  if (t < ${lanes}u) {
    let lane = t;
    var sum = 0.0;
    for (var s = 0u; s < ${slices}u; s++) { sum += partial[t + s * ${lanes}u]; }
    ${finish}
  }
  workgroupBarrier();`;
}
