/** How much work a node is, whatever kernel does it: for profiles, which compare it with the time that it took. */
import type { Graph, GraphNode } from './graph.js';

/** Multiply-adds, as direct convolution and the plain matrix product count them; 0 for everything else. */
export function macsOf({ op, inputs, outputs, attrs }: GraphNode, { values }: Graph): number {
  const out = values[outputs[0]].shape.reduce((a, b) => a * b, 1);
  const second = values[inputs[1]]?.shape;
  switch (op) {
    case 'Conv':
    case 'GroupedConv':
      return out * second[0] * second[1] * (attrs.kind === 'depthwise' ? 1 : second[2]);
    case 'BatchMatMul':
    case '_FusedMatMul':
      return out * second.at(attrs.transposeB ? -1 : -2)!;
    default:
      return 0;
  }
}
