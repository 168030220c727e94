/** Which kernel compiles which operation. */
import type { GraphNode } from '../graph.js';
import { registeredOp } from '../trace_shapes.js';
import { conv } from './conv.js';
import { convGrouped } from './conv_grouped.js';
import { concat, copy, gather, split } from './copy.js';
import { MOVE_OPS } from './moves.js';
import { join } from './join.js';
import { matmul } from './matmul.js';
import { opProgram } from './op.js';
import { pointwise } from './pointwise.js';
import { pool } from './pool.js';
import { NoKernel, type Kernel, type KernelContext, type Program } from './program.js';
import { argReduce, oneHot, reduce, REDUCE_OPS } from './reduce.js';
import { resizeBilinear } from './resize_bilinear.js';
import { rowsKernel } from './rows.js';
import { squeeze } from './squeeze.js';

const KERNELS: Readonly<Record<string, Kernel>> = {
  ...Object.fromEntries([...MOVE_OPS, 'ExpandDims', 'Identity', 'Move'].map((op) => [op, copy])),
  ...Object.fromEntries(REDUCE_OPS.map((op) => [op, reduce])),
  ArgMax: argReduce,
  ArgMin: argReduce,
  AvgPool: pool,
  BatchMatMul: matmul,
  Concat: concat,
  Conv: conv,
  GatherV2: gather,
  GroupedConv: convGrouped,
  Join: join,
  MaxPool: pool,
  OneHot: oneHot,
  Pointwise: pointwise,
  ResizeBilinear: resizeBilinear,
  Rows: rowsKernel,
  SplitV: split,
  Squeeze: squeeze,
  _FusedMatMul: matmul,
};

/** @throws NoKernel naming the operation that cannot be compiled */
export function programsOf(node: GraphNode, context: KernelContext): readonly Program[] {
  const op = registeredOp(node.op);
  if (op) return [opProgram(op, node, context)];
  const kernel = KERNELS[node.op];
  if (!kernel) throw new NoKernel(node.op);
  return kernel(node, context);
}
