/** Matrix products, also batched and with a fused bias and activation: 16 x 16 tiles in workgroup memory. */
import { sizeOf } from '../../ndarray.js';
import { literal } from '../expr.js';
import { storageIndex } from './copy.js';
import { declare, groups, NoKernel, type Binding, type Kernel } from './program.js';

const TILE = 16;

const ACTIVATIONS: Readonly<Record<string, string>> = {
  linear: 'sum',
  relu: 'max(sum, 0.0)',
  relu6: 'clamp(sum, 0.0, 6.0)',
  sigmoid: '1.0 / (1.0 + exp(-sum))',
};

export const matmul: Kernel = (node, context) => {
  const { attrs } = node;
  const [a, b, out] = [...node.inputs.slice(0, 2), node.outputs[0]].map((id) => context.view(id));
  const { transposeA, transposeB } = attrs;
  const [m, n] = out.shape.slice(-2);
  const k = a.shape.at(transposeA ? -2 : -1)!;
  const batch = sizeOf(out.shape.slice(0, -2));
  const names = (attrs.operands as readonly string[]) ?? ['a', 'b'];
  const biasAt = names.indexOf('bias');
  if (names.includes('preluActivationWeights')) throw new NoKernel('_FusedMatMul', 'with PReLU has no WGSL kernel');
  const activation = ACTIVATIONS[(attrs.activation as string | undefined) ?? 'linear'];
  if (!activation) throw new NoKernel('_FusedMatMul', `with ${String(attrs.activation)} has no WGSL kernel`);
  // A batch of one is shared by all.
  const shared = (shape: readonly number[]) => sizeOf(shape.slice(0, -2)) === 1;
  if (!shared(a.shape) && !shared(b.shape) && sizeOf(a.shape.slice(0, -2)) !== sizeOf(b.shape.slice(0, -2))) {
    throw new NoKernel('BatchMatMul', 'with partly broadcast batches has no WGSL kernel');
  }
  const flatA = `${shared(a.shape) ? '' : `batch * ${m * k}u + `}${transposeA ? `ka * ${m}u + row` : `row * ${k}u + ka`}`;
  const flatB = `${shared(b.shape) ? '' : `batch * ${k * n}u + `}${transposeB ? `column * ${k}u + kb` : `kb * ${n}u + column`}`;
  const buffers = ['a', 'b', ...(biasAt >= 0 ? ['bias'] : []), 'result'];
  const bias = biasAt >= 0 ? context.view(node.inputs[biasAt]) : null;
  const biasTerm = bias ? ` + bias[${storageIndex(bias, bias.shape.at(-1) === 1 ? '0u' : 'column')}]` : '';
  const wgsl = `${declare(buffers, 'f32')}
var<workgroup> tileA: array<f32, ${TILE * TILE}>;
var<workgroup> tileB: array<f32, ${TILE * TILE}>;
@compute @workgroup_size(${TILE}, ${TILE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let row = group.y * ${TILE}u + local.y;
  let column = group.x * ${TILE}u + local.x;
  let batch = group.z;
  var sum = ${literal(0)};
  for (var start = 0u; start < ${k}u; start += ${TILE}u) {
    let ka = start + local.x;
    let kb = start + local.y;
    var va = 0.0;
    var vb = 0.0;
    if (row < ${m}u && ka < ${k}u) { va = a[${storageIndex(a, flatA)}]; }
    if (kb < ${k}u && column < ${n}u) { vb = b[${storageIndex(b, flatB)}]; }
    tileA[local.y * ${TILE}u + local.x] = va;
    tileB[local.y * ${TILE}u + local.x] = vb;
    workgroupBarrier();
    for (var i = 0u; i < ${TILE}u; i++) {
      sum = fma(tileA[local.y * ${TILE}u + i], tileB[i * ${TILE}u + local.x], sum);
    }
    workgroupBarrier();
  }
  if (row < ${m}u && column < ${n}u) {
    sum = sum${biasTerm};
    result[${storageIndex(out, `batch * ${m * n}u + row * ${n}u + column`)}] = ${activation};
  }
}`;
  const read = (value: number): Binding => ({ kind: 'read', value });
  return [
    {
      label: `matmul ${m}x${k}x${n}`,
      wgsl,
      workgroups: [groups(n, TILE), groups(m, TILE), batch],
      bindings: [
        ...[node.inputs[0], node.inputs[1], ...(biasAt >= 0 ? [node.inputs[biasAt]] : [])].map(read),
        { kind: 'write', value: node.outputs[0] },
      ],
    },
  ];
};
