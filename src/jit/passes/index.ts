/** The rewrites, in order. Each keeps the graph's meaning; together they leave little more than convolutions. */
import type { Graph } from '../graph.js';
import { deadNodes } from './dead_nodes.js';
import { fuseEpilogue } from './fuse_epilogue.js';
import { fusePointwise } from './fuse_pointwise.js';
import { toConv } from './to_conv.js';
import { toPointwise } from './to_pointwise.js';

const PASSES = [toPointwise, toConv, deadNodes, fusePointwise, fuseEpilogue, deadNodes] as const;

export function optimize(graph: Graph): Graph {
  return PASSES.reduce((current, pass) => pass(current), graph);
}
