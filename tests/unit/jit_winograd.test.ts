/** Winograd's matrices, against a convolution written out. */
import { expect, test } from 'vitest';
import { combination, pointsOf, transformFilter, TRANSFORMS } from '../../src/jit/kernels/winograd/matrices.js';
import { uniform } from '../golden/formula.js';

type Matrix = readonly (readonly number[])[];

const multiply = (a: Matrix, b: Matrix) =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
const transposed = (a: Matrix) => a[0].map((_, j) => a.map((row) => row[j]));
const square = (values: ArrayLike<number>, side: number) =>
  Array.from({ length: side }, (_, y) => Array.from({ length: side }, (_, x) => values[y * side + x]));

test.each([2, 4] as const)('a tile of %d x %d outputs is the convolution', (size) => {
  const { input, output } = TRANSFORMS[size];
  const side = pointsOf(size);
  const tile = square(uniform('tile', [side, side], -1, 1).data, side);
  const weights = uniform('weights', [3, 3, 2], -1, 1).data;
  const filters = transformFilter(weights, 2, size);
  for (const pair of [0, 1]) {
    const filter = square(
      filters.filter((_, i) => i % 2 === pair),
      side,
    );
    const points = multiply(multiply(input, tile), transposed(input));
    const products = points.map((row, i) => row.map((value, j) => value * filter[i][j]));
    const found = multiply(multiply(output, products), transposed(output));
    for (const [y, row] of found.entries()) {
      for (const [x, value] of row.entries()) {
        let expected = 0;
        for (let k = 0; k < 9; k++) expected += tile[y + Math.floor(k / 3)][x + (k % 3)] * weights[k * 2 + pair];
        expect(value).toBeCloseTo(expected, 5);
      }
    }
  }
});

test('a row of a matrix as WGSL', () => {
  expect(combination([4, 0, -5, 0, 1, 0], ['a', 'b', 'c', 'd', 'e', 'f'])).toBe('4.0 * a - 5.0 * c + e');
  expect(combination([0, -1, 1, -1], ['a', 'b', 'c', 'd'])).toBe('-b + c - d');
});
