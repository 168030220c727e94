/**
 * A traced network as an ONNX file, so that onnxruntime runs the very same weights. Written as PyTorch's exporter writes a network
 * in eval mode: maps in NCHW, batch norm folded into convolutions, `ConvTranspose`, `GlobalAveragePool` and `HardSigmoid` where
 * PyTorch has them. Inputs and maps among the outputs are NCHW, too.
 */
import type { Graph, GraphNode } from '../../src/jit/graph.js';
import { activate, floatsOf, OPS } from './ops.js';
import { findPatterns, type Pattern } from './patterns.js';
import { encodeModel } from './proto.js';
import { OnnxWriter } from './writer.js';

const OPSET = 17;

/**
 * @param graph - as `jit/trace.ts` gives it, before any pass
 * @throws Error naming the first kernel that has no ONNX form here
 */
export function exportOnnx(graph: Graph): Uint8Array {
  const writer = new OnnxWriter(graph);
  const { last, inner } = findPatterns(graph);
  for (const node of graph.nodes) {
    if (inner.has(node)) continue;
    const pattern = last.get(node);
    if (pattern) writePattern(pattern, node, writer);
    else writeNode(node, writer);
  }
  return encodeModel(writer.finish(), OPSET);
}

function writeNode(node: GraphNode, writer: OnnxWriter): void {
  const emit = OPS[node.op];
  if (!emit)
    throw new Error(`onnx export: found the kernel ${node.op}; expected one of ${Object.keys(OPS).join(', ')}`);
  emit(node, writer);
}

function writePattern(pattern: Pattern, { outputs: [out] }: GraphNode, writer: OnnxWriter): void {
  switch (pattern.kind) {
    case 'ConvTranspose':
      return writeConvTranspose(pattern, writer);
    case 'ChannelShuffle': {
      const [n, h, w, c] = writer.shape(out);
      const grouped = [n, pattern.groups, c / pattern.groups, h, w];
      const split = writer.node('Reshape', [writer.use(pattern.from, 'first'), writer.ints(grouped)]);
      const turned = writer.node('Transpose', [split], { perm: [0, 2, 1, 3, 4] });
      return writer.define(out, writer.node('Reshape', [turned, writer.ints([n, c, h, w])]));
    }
    case 'HardSigmoid': {
      const layout = writer.layoutOf(pattern.from);
      const attributes = { alpha: { float: 1 / 6 }, beta: { float: 0.5 } };
      return writer.define(out, writer.node('HardSigmoid', [writer.use(pattern.from, layout)], attributes), layout);
    }
    default:
      pattern satisfies never;
  }
}

/** The inverse of `ConvTranspose2d` in nn/conv.ts: filter [taps, taps, I, (s s O)] of all phases back to [I, O, k, k]. */
function writeConvTranspose(
  { conv, slice, stride }: Pattern & { readonly kind: 'ConvTranspose' },
  writer: OnnxWriter,
): void {
  const [x, filter, bias] = conv.inputs;
  const [out] = slice.outputs;
  const [, inH, inW] = writer.shape(x);
  const [, outH, outW, outChannels] = writer.shape(out);
  const { data, kernel } = unphase(floatsOf(writer, filter), writer.shape(filter), stride);
  const weight = writer.floats(data, [writer.shape(x)[3], outChannels, kernel, kernel]);
  // The bias is repeated for every phase.
  const names = bias === undefined ? [] : [writer.floats(floatsOf(writer, bias).slice(0, outChannels), [outChannels])];
  const [, top, left] = slice.attrs.begin as readonly number[];
  const bottom = (inH - 1) * stride + kernel - top - outH;
  const right = (inW - 1) * stride + kernel - left - outW;
  const attributes = { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: [top, left, bottom, right] };
  const name = writer.node('ConvTranspose', [writer.use(x, 'first'), weight, ...names], attributes);
  writer.define(out, activate(conv, writer, name));
}

function unphase(
  filter: Float32Array,
  [taps, , inChannels, phases]: readonly number[],
  stride: number,
): { data: Float32Array; kernel: number } {
  const kernel = taps * stride;
  const outChannels = phases / stride ** 2;
  const data = new Float32Array(inChannels * outChannels * kernel ** 2);
  for (let i = 0; i < inChannels; i++) {
    for (let o = 0; o < outChannels; o++) {
      for (let y = 0; y < kernel; y++) {
        for (let x = 0; x < kernel; x++) {
          const [ty, tx] = [taps - 1 - Math.floor(y / stride), taps - 1 - Math.floor(x / stride)];
          const phase = (y % stride) * stride + (x % stride);
          const from = ((ty * taps + tx) * inChannels + i) * phases + phase * outChannels + o;
          data[((i * outChannels + o) * kernel + y) * kernel + x] = filter[from];
        }
      }
    }
  }
  return { data, kernel };
}
