/**
 * Winograd's minimal filtering for 3 x 3 windows (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015): tiles
 * of 2 x 2 or 4 x 4 outputs take 4 or 2.25 products per output and pair of channels instead of 9.
 */

/** Outputs of a tile along each axis. */
export type TileSize = 2 | 4;

/** An output tile is `A^T ((G g G^T) * (B^T d B)) A`, of a window's weights g and an input tile d. */
interface Transforms {
  readonly input: readonly (readonly number[])[];
  readonly filter: readonly (readonly number[])[];
  readonly output: readonly (readonly number[])[];
}

export const TRANSFORMS: Readonly<Record<TileSize, Transforms>> = {
  2: {
    input: [
      [1, 0, -1, 0],
      [0, 1, 1, 0],
      [0, -1, 1, 0],
      [0, 1, 0, -1],
    ],
    filter: [
      [1, 0, 0],
      [1 / 2, 1 / 2, 1 / 2],
      [1 / 2, -1 / 2, 1 / 2],
      [0, 0, 1],
    ],
    output: [
      [1, 1, 1, 0],
      [0, 1, -1, -1],
    ],
  },
  4: {
    input: [
      [4, 0, -5, 0, 1, 0],
      [0, -4, -4, 1, 1, 0],
      [0, 4, -4, -1, 1, 0],
      [0, -2, -1, 2, 1, 0],
      [0, 2, -1, -2, 1, 0],
      [0, 4, 0, -5, 0, 1],
    ],
    filter: [
      [1 / 4, 0, 0],
      [-1 / 6, -1 / 6, -1 / 6],
      [-1 / 6, 1 / 6, -1 / 6],
      [1 / 24, 1 / 12, 1 / 6],
      [1 / 24, -1 / 12, 1 / 6],
      [0, 0, 1],
    ],
    output: [
      [1, 1, 1, 1, 1, 0],
      [0, 1, -1, 2, -2, 0],
      [0, 1, 1, 4, 4, 0],
      [0, 1, -1, 8, -8, 1],
    ],
  },
};

/** Points of a transformed tile along each axis. */
export function pointsOf(size: TileSize): number {
  return size + 2;
}

/**
 * `G g G^T` for every pair of channels, in float64.
 *
 * @param weights - [3, 3, inner, outer]
 * @returns [points * points, inner, outer]
 */
export function transformFilter(weights: ArrayLike<number>, pairs: number, size: TileSize): Float32Array {
  const { filter } = TRANSFORMS[size];
  const points = pointsOf(size);
  const result = new Float32Array(points * points * pairs);
  const half = new Float64Array(points * 3);
  for (let pair = 0; pair < pairs; pair++) {
    for (const [i, [a, b, c]] of filter.entries()) {
      for (let x = 0; x < 3; x++) {
        const at = x * pairs + pair;
        half[i * 3 + x] = a * weights[at] + b * weights[at + 3 * pairs] + c * weights[at + 6 * pairs];
      }
    }
    for (let i = 0; i < points; i++) {
      for (const [j, [a, b, c]] of filter.entries()) {
        result[(i * points + j) * pairs + pair] = a * half[i * 3] + b * half[i * 3 + 1] + c * half[i * 3 + 2];
      }
    }
  }
  return result;
}

/** WGSL of a row of a matrix times named values; zeros and ones cost nothing. */
export function combination(row: readonly number[], names: readonly string[]): string {
  let text = '';
  for (const [i, factor] of row.entries()) {
    if (factor === 0) continue;
    const size = Math.abs(factor);
    const term = size === 1 ? names[i] : `${size}.0 * ${names[i]}`;
    text += text ? ` ${factor < 0 ? '-' : '+'} ${term}` : factor < 0 ? `-${term}` : term;
  }
  return text;
}

/**
 * WGSL statements for `matrix X matrix^T`, X square. Column by column, so that few values of X are alive at once.
 *
 * @param value - WGSL of an element of X
 * @param store - WGSL statement that takes an element of the result
 */
export function transformTile(
  matrix: readonly (readonly number[])[],
  value: (y: number, x: number) => string,
  store: (y: number, x: number, value: string) => string,
): string[] {
  const side = matrix[0].length;
  const numbers = Array.from({ length: side }, (_, i) => i);
  const statements: string[] = [];
  for (const x of numbers) {
    statements.push(...numbers.map((y) => `let d${y}_${x} = ${value(y, x)};`));
    const column = numbers.map((y) => `d${y}_${x}`);
    statements.push(...matrix.map((row, i) => `let t${i}_${x} = ${combination(row, column)};`));
  }
  for (const i of matrix.keys()) {
    const line = numbers.map((x) => `t${i}_${x}`);
    statements.push(...matrix.map((row, j) => store(i, j, combination(row, line))));
  }
  return statements;
}
