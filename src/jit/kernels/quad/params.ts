/**
 * Sizes of one node as data instead of text: shaders for software adapters read them from a small buffer, because compiling a
 * large shader takes such an adapter longer than running it. One pipeline then serves all layers of a kind.
 */
import type { OperandMap } from '../../nodes.js';
import { shape4, type View } from '../../view.js';
import type { Binding } from '../program.js';

/** Named numbers, in the order in which the shader finds them. */
export class Params {
  readonly #names: string[] = [];
  readonly #values: number[] = [];

  /** Adds a number and gives the name by which WGSL reads it. */
  add(name: string, value: number): string {
    this.#names.push(name);
    this.#values.push(value);
    return name;
  }

  /** Adds how a view is indexed, as `NAME_o`, `NAME_n`, `NAME_y`, `NAME_x` and `NAME_c`: the offset and a step per axis. */
  addView(name: string, view: View): void {
    const [, h, w, c] = shape4(view);
    this.add(`${name}_o`, view.offset);
    this.add(`${name}_n`, view.batched ? h * w * view.rowStride : 0);
    this.add(`${name}_y`, h > 1 ? w * view.rowStride : 0);
    this.add(`${name}_x`, w > 1 ? view.rowStride : 0);
    this.add(`${name}_c`, c > 1 ? 1 : 0);
  }

  /** The binding; equal sizes share one upload. */
  get binding(): Binding {
    return { kind: 'constant', key: `sizes ${this.#values.join()}`, data: Int32Array.from(this.#values) };
  }

  /** WGSL that reads all numbers, of type i32, from a buffer named `sizes`. */
  get statements(): string {
    return this.#names.map((name, i) => `let ${name} = sizes[${i}];`).join('\n  ');
  }
}

/** Index into a view added under `name`, at i32 coordinates. */
export function indexOf(name: string, map: OperandMap, n: string, y: string, x: string, c: string): string {
  const scaled = (at: string, factor: number) => (factor === 1 ? at : `(${at}) / ${factor}`);
  return `${name}_o + ${n} * ${name}_n + ${scaled(y, map.up[0])} * ${name}_y + ${scaled(x, map.up[1])} * ${name}_x + (${c}) * ${name}_c`;
}
