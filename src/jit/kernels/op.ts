/** The ops of `ops/`: their own WGSL, between declarations that suit the plan's views. */
import { touch, type WgslOp } from '../../ops/webgpu/flat_program.js';
import type { GraphNode } from '../graph.js';
import { storageIndex } from './copy.js';
import { declare, type Binding, type KernelContext, type Program } from './program.js';

export function opProgram(op: WgslOp, node: GraphNode, context: KernelContext): Program {
  const order = node.attrs.operands as readonly string[];
  const values = op.inputs.map((input) => node.inputs[order.indexOf(input)]);
  const out = context.view(node.outputs[0]);
  const shapes = Object.fromEntries(op.inputs.map((input, i) => [input, context.graph.values[values[i]].shape]));
  const { wgsl, workgroupSize, workgroups } = op.program(shapes, node.attrs);
  const getters = op.inputs.map(
    (input, i) => `fn get_${input}(i: u32) -> f32 { return ${input}[${storageIndex(context.view(values[i]), 'i')}]; }`,
  );
  const code = `${declare([...op.inputs, 'result'], 'f32')}
${getters.join('\n')}
fn put(i: u32, value: f32) { result[${storageIndex(out, 'i')}] = value; }
${wgsl}
@compute @workgroup_size(${workgroupSize})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  ${touch(op.inputs)}
  run(group.z, group.x, local);
}`;
  return {
    label: node.op,
    wgsl: code,
    workgroups: [workgroups, 1, out.shape[0]],
    bindings: [...values.map((value): Binding => ({ kind: 'read', value })), { kind: 'write', value: node.outputs[0] }],
  };
}
