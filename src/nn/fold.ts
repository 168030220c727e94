/**
 * What happens to a network once, after loading: batch norm and activation become part of the convolution before them.
 *
 * Folding an inference-mode batch norm into the convolution before it: w' = w * g / sqrt(var + eps), b' = (b - mean) * g /
 * sqrt(var + eps) + beta, per output channel, computed in float64.
 */
import type { Act, FusedActivation } from './act.js';
import type { BatchNorm2d } from './norm.js';
import { Parameter } from './module.js';

/** What folding needs to know of a convolution, transposed or not. */
export interface FoldableConv {
  readonly kind: 'conv' | 'conv_transpose';
  readonly weight: Parameter;
  bias: Parameter | null;
  readonly outChannels: number;
  /** The activation that `forward` applies when its caller names none. */
  activation: FusedActivation;
}

export function isConv(node: unknown): node is FoldableConv {
  const kind = (node as FoldableConv | null)?.kind;
  return kind === 'conv' || kind === 'conv_transpose';
}

export function isBatchNorm(node: unknown): node is BatchNorm2d {
  return (node as { kind?: string } | null)?.kind === 'batch_norm';
}

/** An activation layer that a convolution's kernel can apply itself. */
export function isFusableAct(node: unknown): node is Act {
  const act = node as Act | null;
  return act?.kind === 'act' && act.fusedName !== null;
}

/** Moves `act` into the kernel of `conv`; afterwards `act.forward` is the identity. */
export function fuseActivation(conv: FoldableConv, act: Act): void {
  if (conv.activation !== 'linear' || act.fusedName === null) return;
  conv.activation = act.fusedName;
  act.markFused();
}

/** Folds `norm` into `conv` (host values, before upload), once; afterwards `norm.forward` is the identity. */
export function foldBatchNorm(conv: FoldableConv, norm: BatchNorm2d): void {
  if (norm.isFolded) return;
  const { scale, shift } = norm.affine();
  scaleOutputChannels(conv, scale);
  const bias = new Float32Array(conv.outChannels);
  const old = conv.bias?.value;
  for (let o = 0; o < bias.length; o++) bias[o] = (old ? old[o] : 0) * scale[o] + shift[o];
  conv.bias = new Parameter([conv.outChannels], { value: bias });
  norm.markFolded();
}

/** Weights are [O, I/g, ...] for a convolution and [I, O/g, ...] for a transposed one. */
function scaleOutputChannels(conv: FoldableConv, scale: Float64Array): void {
  const weight = conv.weight.value;
  const [d0, d1] = conv.weight.shape;
  const inner = weight.length / (d0 * d1);
  const groupInputs = conv.kind === 'conv_transpose' ? d0 / (conv.outChannels / d1) : 0;
  for (let a = 0; a < d0; a++) {
    for (let b = 0; b < d1; b++) {
      const out = conv.kind === 'conv' ? a : Math.floor(a / groupInputs) * d1 + b;
      const start = (a * d1 + b) * inner;
      for (let k = 0; k < inner; k++) weight[start + k] = weight[start + k] * scale[out];
    }
  }
}
