/** The rewrites, in order. Each keeps the graph's meaning; together they leave little more than convolutions. */
import { atOnce, type Steps } from '../../slices.js';
import type { Graph } from '../graph.js';
import { deadNodes } from './dead_nodes.js';
import { commuteUpsampling } from './commute_upsampling.js';
import { expandSoftmax } from './expand_softmax.js';
import { foldConstants } from './fold_constants.js';
import { foldPadding } from './fold_padding.js';
import { foldScales } from './fold_scales.js';
import { fuseEpilogue } from './fuse_epilogue.js';
import { fuseJoin } from './fuse_join.js';
import { fuseMoves } from './fuse_moves.js';
import { fusePointwise } from './fuse_pointwise.js';
import { fuseRows } from './fuse_rows.js';
import { fuseSqueeze } from './fuse_squeeze.js';
import { groupConvolutions } from './group_convolutions.js';
import { liftRanks } from './lift_ranks.js';
import { simplifyReshapes } from './simplify_reshapes.js';
import { toConv } from './to_conv.js';
import { toPointwise } from './to_pointwise.js';
import { toRoll } from './to_roll.js';

const PASSES = [
  toPointwise,
  toConv,
  expandSoftmax,
  simplifyReshapes,
  foldConstants,
  groupConvolutions,
  liftRanks,
  simplifyReshapes,
  foldConstants,
  deadNodes,
  foldPadding,
  foldScales,
  commuteUpsampling,
  fusePointwise,
  fuseRows,
  fuseEpilogue,
  fuseJoin,
  toRoll,
  fuseMoves,
  fuseSqueeze,
  deadNodes,
] as const;

export function optimize(graph: Graph): Graph {
  return atOnce(optimizing(graph));
}

/** `optimize` for `inSlices`. */
export function* optimizing(graph: Graph): Steps<Graph> {
  let current = graph;
  for (const pass of PASSES) {
    current = pass(current);
    yield;
  }
  return current;
}
