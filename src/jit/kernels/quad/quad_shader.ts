/** Pieces that the shaders for software adapters have in common. */
import { preamble, writeExpr } from '../../expr.js';
import { SAME } from '../../nodes.js';
import { shape4 } from '../../view.js';
import type { ConvParts } from '../conv_parts.js';
import { declare } from '../program.js';
import { indexOf, Params } from './params.js';

const QUAD_HEADER = 'enable subgroups;\ndiagnostic(off, subgroup_uniformity);';

export const each = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
export const lines = (count: number, make: (i: number) => string) => each(count, make).join('\n    ');

/** Sizes that every convolution reads, then its own. */
export function convParams(
  { input, out, filterShape, extras, node }: ConvParts,
  own: Readonly<Record<string, number>>,
): Params {
  const params = new Params();
  const [, h, w] = shape4(out);
  params.add('h', h);
  params.add('w', w);
  params.add('inner', filterShape[2]);
  params.add('outer', node.attrs.kind === 'depthwise' ? filterShape[2] : filterShape[3]);
  for (const [name, value] of Object.entries(own)) params.add(name, value);
  params.addView('x', input);
  params.addView('r', out);
  for (const [i, { view }] of extras.entries()) params.addView(`e${i}`, view);
  return params;
}

/** One assignment per pass over the window. */
export function accumulate(sum: number, products: readonly string[]): string {
  return `sums[${sum}] = sums[${sum}] + ${products.join(' + ')};`;
}

/**
 * Bias, expression and store of every sum. In a loop: written out, these statements would take longer to compile than everything
 * before them.
 *
 * @param place - row and column of pixel `p`
 */
export function finish(
  { node, extras, bias }: ConvParts,
  pixels: number,
  blocks: number,
  [y, x]: readonly [y: string, x: string],
): string {
  const reads = extras.map(
    ({ buffer, map }, i) => `let d${i} = ${buffer}[${indexOf(`e${i}`, map, 'n', 'y', 'x', 'c')}];`,
  );
  const written = writeExpr(node.attrs.expr, ['value', ...extras.map((_, i) => `d${i}`)], 'f32', 'e');
  return `for (var i = 0; i < ${pixels * blocks}; i++) {
    let p = i / ${blocks};
    let c = c0 + i % ${blocks} * 4;
    let y = ${y};
    let x = ${x};
    if (y < h && x < w && c < outer) {
      let value = sums[i]${bias.length > 0 ? ' + bias[c]' : ''};
      ${[...reads, ...written.statements].join('\n      ')}
      result[${indexOf('r', SAME, 'n', 'y', 'x', 'c')}] = ${written.result};
    }
  }`;
}

/** A shader of workgroups of one quad; `groups` of `4 * blocks` channels are neighbours. Its bindings are the sizes, then `buffers`. */
export function quadShader(
  { node }: ConvParts,
  buffers: readonly string[],
  params: Params,
  { sums, blocks }: { readonly sums: number; readonly blocks: number },
  main: string,
): string {
  const names = ['sizes', ...buffers];
  return `${QUAD_HEADER}
${declare(
  names,
  names.map((name) => (name === 'sizes' ? 'i32' : 'f32')),
)}
${preamble(node.attrs.expr)}
@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let lane = i32(local);
  let n = i32(group.z);
  ${params.statements}
  let quad = i32(group.x + group.y * ${WIDEST}u);
  let c0 = quad % groups * ${4 * blocks} + lane;
  var sums: array<f32, ${sums}>;
  ${main}
}`;
}

/** Buffers of a convolution's epilogue and its result, in the order of `convBindings`. */
export function epilogueBuffers({ bias, extras }: ConvParts): string[] {
  return [...bias.map(() => 'bias'), ...extras.map(({ buffer }) => buffer), 'result'];
}

/** Workgroups per row of the dispatch. */
const WIDEST = 32768;

export function spread(count: number, n: number): [number, number, number] {
  return [Math.min(count, WIDEST), Math.ceil(count / WIDEST), n];
}
