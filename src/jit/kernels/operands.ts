/** WGSL for finding elements: at an output element (n, y, x, c), with broadcasting, up-sampling and views. */
import type { Expr } from '../expr.js';
import { preamble, writeExpr } from '../expr.js';
import type { OperandMap } from '../nodes.js';
import { isVec4, shape4, type View } from '../view.js';

/** Elements per variable: scalars, or four channels at once. */
export type Width = 1 | 4;

export function typeOf(width: Width): 'f32' | 'vec4f' {
  return width === 4 ? 'vec4f' : 'f32';
}

/** 4 when all views allow it. A view with one channel is broadcast, and read as a scalar whatever the width. */
export function widthOf(views: readonly View[]): Width {
  return views.some(isVec4) && views.every((view) => isVec4(view) || isSingle(view)) ? 4 : 1;
}

function isSingle(view: View): boolean {
  return shape4(view)[3] === 1;
}

/** Index of the operand's element (or group of four) at output coordinates named n, y, x and c, all `u32`. */
export function indexAt(view: View, map: OperandMap, width: Width): string {
  const [, h, w, c] = shape4(view);
  const per = isSingle(view) ? 1 : width;
  const step = view.rowStride / per;
  const scaled = (name: string, factor: number) => (factor === 1 ? name : `(${name} / ${factor}u)`);
  const terms: string[] = [];
  if (view.offset > 0) terms.push(`${view.offset / per}u`);
  if (view.batched) terms.push(`n * ${h * w * step}u`);
  if (h > 1) terms.push(`${scaled('y', map.up[0])} * ${w * step}u`);
  if (w > 1) terms.push(`${scaled('x', map.up[1])} * ${step}u`);
  if (c > 1) terms.push('c');
  return terms.length > 0 ? terms.join(' + ') : '0u';
}

/** WGSL type of an operand's buffer. */
export function bufferType(view: View, width: Width): 'f32' | 'vec4f' {
  return isSingle(view) ? 'f32' : typeOf(width);
}

/** Reads an operand as `type`; a single channel is spread. */
export function readAt(buffer: string, view: View, map: OperandMap, width: Width): string {
  const value = `${buffer}[${indexAt(view, map, width)}]`;
  return isSingle(view) && width === 4 ? `vec4f(${value})` : value;
}

/** Statements that finish an element: the expression of `result` and further operands, and its name. */
export function epilogue(
  expr: Expr,
  result: string,
  extras: readonly { buffer: string; view: View; map: OperandMap }[],
  width: Width,
  prefix = 'e',
): { statements: string[]; result: string } {
  const reads = extras.map(({ buffer, view, map }, i) => `let ${prefix}x${i} = ${readAt(buffer, view, map, width)};`);
  const names = [result, ...extras.map((_, i) => `${prefix}x${i}`)];
  const written = writeExpr(expr, names, typeOf(width), prefix);
  return { statements: [...reads, ...written.statements], result: written.result };
}

export { preamble };
