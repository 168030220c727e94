/**
 * The index arithmetic of operations that only move elements: which input element each output element is. `copy.ts` compiles it,
 * one operation or a chain of them at a time.
 */
import { sizeOf } from '../../ndarray.js';
import * as tf from '../../tf.js';
import type { MoveStep } from '../nodes.js';
import { NoKernel } from './program.js';

/** Where an element comes from, in WGSL, from the coordinates `o(0)`, `o(1)`, ... of an output element. */
export interface Source {
  /** Flat index of the source element. */
  readonly flat: string;
  /** Whether there is a source element, else the value is `outside`. */
  readonly inside?: string;
  readonly outside?: number;
  /** Functions at the top of the shader. */
  readonly top?: string;
}

/** Row-major strides of a shape. */
export function stridesOf(shape: readonly number[]): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

/** WGSL of a flat index at these coordinates. */
export function flatOf(shape: readonly number[], at: readonly string[]): string {
  const strides = stridesOf(shape);
  return at.map((coordinate, axis) => `(${coordinate}) * ${strides[axis]}u`).join(' + ') || '0u';
}

type Coordinates = (axis: number) => string;
type Attrs = Readonly<Record<string, never>>;
type Move = (step: MoveStep, o: Coordinates, attrs: Attrs) => Source;

/** A move that finds each coordinate for itself. */
const perAxis =
  (at: (step: MoveStep, o: Coordinates, attrs: Attrs) => (axis: number, size: number) => string): Move =>
  (step, o, attrs) => {
    const find = at(step, o, attrs);
    return {
      flat: flatOf(
        step.from,
        step.from.map((size, axis) => find(axis, size)),
      ),
    };
  };

const MOVES: Readonly<Record<string, Move>> = {
  Reshape: ({ to }, o) => ({
    flat: flatOf(
      to,
      to.map((_, axis) => o(axis)),
    ),
  }),
  Transpose: perAxis(
    (_, o, { perm }) =>
      (axis) =>
        o((perm as readonly number[]).indexOf(axis)),
  ),
  Reverse: perAxis(({ from }, o, { dims }) => {
    const axes = tf.util.parseAxisParam(dims, [...from]);
    return (axis, size) => (axes.includes(axis) ? `${size - 1}u - ${o(axis)}` : o(axis));
  }),
  Slice: perAxis(({ from }, o, { begin, size }) => {
    const [start] = tf.slice_util.parseSliceParams({ shape: [...from] } as tf.TensorInfo, begin, size);
    return (axis) => `${o(axis)} + ${start[axis]}u`;
  }),
  Roll: perAxis((_, o, { axis: along, by }) => (axis, size) => {
    return axis === along ? `(${o(axis)} + ${Number(by)}u) % ${size}u` : o(axis);
  }),
  Tile: perAxis((_, o) => (axis, size) => `${o(axis)} % ${size}u`),
  StridedSlice: stridedSlice,
  PadV2: ({ from }, o, { paddings, constantValue }) => {
    // Unsigned: left of the input wraps to far beyond it.
    const at = from.map((_, axis) => `${o(axis)} - ${paddings[axis][0]}u`);
    const inside = from.map((size, axis) => `${at[axis]} < ${size}u`).join(' && ');
    return { flat: flatOf(from, at), inside, outside: Number(constantValue ?? 0) };
  },
  MirrorPad: perAxis((_, o, { paddings, mode }) => {
    // `reflect` does not repeat the edge, `symmetric` does.
    const repeat = (mode as string) === 'symmetric' ? 1 : 0;
    return (axis, size) => {
      const at = `(i32(${o(axis)}) - ${paddings[axis][0]})`;
      return `u32(select(select(${at}, ${2 * (size - 1) + repeat} - ${at}, ${at} >= ${size}), -${at} - ${repeat}, ${at} < 0))`;
    };
  }),
  DepthToSpace: ({ from: [, h, w, c] }, o, { blockSize }) => {
    const depth = c / blockSize ** 2;
    const channel = `((${o(1)} % ${blockSize}u) * ${blockSize}u + ${o(2)} % ${blockSize}u) * ${depth}u + ${o(3)}`;
    return { flat: flatOf([1, h, w, c], [o(0), `${o(1)} / ${blockSize}u`, `${o(2)} / ${blockSize}u`, channel]) };
  },
  ResizeNearestNeighbor: perAxis(({ to }, o, { alignCorners, halfPixelCenters }) => (axis, size) => {
    if (axis === 0 || axis === 3) return o(axis);
    // In whole numbers, since a float32 just below an integer would be cut down to the one before.
    const out = to[axis];
    if (alignCorners && out > 1) return `(${o(axis)} * ${2 * (size - 1)}u + ${out - 1}u) / ${2 * (out - 1)}u`;
    return halfPixelCenters ? `(${o(axis)} * 2u + 1u) * ${size}u / ${2 * out}u` : `${o(axis)} * ${size}u / ${out}u`;
  }),
  GatherV2: ({ from, indices }, o, { axis: along }) => {
    const axis = tf.util.parseAxisParam(along, [...from])[0];
    if (!indices) throw new NoKernel('GatherV2', 'with computed indices is no move');
    const name = `picked_${indices.join('_').slice(0, 60)}_${indices.length}`.replaceAll('-', 'm');
    const table = `const ${name} = array<u32, ${indices.length}>(${indices.map((i) => `${i}u`).join(', ')});`;
    const at = from.map((_, a) => (a === axis ? `${name}[${o(a)}]` : o(a)));
    return { flat: flatOf(from, at), top: table };
  },
};

function stridedSlice({ from, to }: MoveStep, o: Coordinates, attrs: Attrs): Source {
  const { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = attrs;
  const info = tf.slice_util.sliceInfo(
    [...from],
    begin,
    end,
    strides,
    beginMask,
    endMask,
    ellipsisMask,
    newAxisMask,
    shrinkAxisMask,
  );
  // Axes may be dropped or added besides: the elements and their order are those of the full shape.
  const shape = from.map((_, axis) => Math.ceil((info.end[axis] - info.begin[axis]) / info.strides[axis]));
  const flat = flatOf(
    to,
    to.map((_, axis) => o(axis)),
  );
  const full = stridesOf(shape);
  const at = from.map((_, axis) => {
    const position = `i32((${flat}) / ${full[axis]}u % ${shape[axis]}u)`;
    return `u32(${info.begin[axis]} + ${position} * ${info.strides[axis]})`;
  });
  return { flat: flatOf(from, at) };
}

export const MOVE_OPS: readonly string[] = Object.keys(MOVES);

/** @throws NoKernel for an operation that computes */
export function sourceOf(step: MoveStep, o: Coordinates): Source {
  return MOVES[step.op](step, o, step.attrs as Attrs);
}
