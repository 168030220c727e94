/**
 * The Hungarian method as the Python package `munkres` 1.1.4 runs it (MMPose's `_py_max_match`). Costs of associative embedding
 * are rounded to hundreds, so that many assignments are equally cheap: which one is found depends on the order in which zeros
 * are visited, and that order is kept here. Own code; https://pypi.org/project/munkres/ (Apache-2.0) is the reference.
 */

const STAR = 1;
const PRIME = 2;

/**
 * Cheapest assignment of each row to a column of its own; a row beyond the number of columns gets none.
 *
 * @param costs - row-major, `rows` x `columns`, finite; not changed
 * @returns the column of each row, or -1
 */
export function munkres(costs: ArrayLike<number>, rows: number, columns: number): Int32Array {
  return new Assignment(costs, rows, columns).solve().subarray(0, rows);
}

class Assignment {
  readonly #n: number;
  readonly #columns: number;
  readonly #cost: Float64Array;
  /** STAR, PRIME or 0 per element. */
  readonly #marks: Uint8Array;
  readonly #rowCovered: Uint8Array;
  readonly #columnCovered: Uint8Array;

  constructor(costs: ArrayLike<number>, rows: number, columns: number) {
    const n = Math.max(rows, columns);
    this.#n = n;
    this.#columns = columns;
    this.#cost = new Float64Array(n * n);
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) this.#cost[i * n + j] = costs[i * columns + j];
    this.#marks = new Uint8Array(n * n);
    this.#rowCovered = new Uint8Array(n);
    this.#columnCovered = new Uint8Array(n);
  }

  solve(): Int32Array {
    this.#subtractRowMinima();
    this.#starZeros();
    while (!this.#coverStarredColumns()) {
      const start = this.#primeUntilPath();
      if (start < 0) break;
      this.#flipPath(start);
      this.#marks.forEach((mark, i) => mark === PRIME && (this.#marks[i] = 0));
      this.#rowCovered.fill(0);
      this.#columnCovered.fill(0);
    }
    return Int32Array.from({ length: this.#n }, (_, i) => {
      const column = this.#markInRow(i, STAR);
      return column < this.#columns ? column : -1;
    });
  }

  #subtractRowMinima(): void {
    const n = this.#n;
    for (let start = 0; start < n * n; start += n) {
      let min = Infinity;
      for (let i = start; i < start + n; i++) if (this.#cost[i] < min) min = this.#cost[i];
      for (let i = start; i < start + n; i++) this.#cost[i] -= min;
    }
  }

  #starZeros(): void {
    const n = this.#n;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        if (this.#cost[i * n + j] !== 0 || this.#columnCovered[j]) continue;
        this.#marks[i * n + j] = STAR;
        this.#columnCovered[j] = 1;
        break;
      }
    }
    this.#columnCovered.fill(0);
  }

  /** True when every column holds a star, so that the stars are the answer. */
  #coverStarredColumns(): boolean {
    let count = 0;
    for (let i = 0; i < this.#marks.length; i++) {
      if (this.#marks[i] !== STAR) continue;
      this.#columnCovered[i % this.#n] = 1;
      count++;
    }
    return count >= this.#n;
  }

  /** Primes uncovered zeros, making new ones as needed, up to one without a star in its row: its index, or -1 when unsolvable. */
  #primeUntilPath(): number {
    const n = this.#n;
    let [row, column] = [0, 0];
    for (;;) {
      const zero = this.#findZero(row, column);
      if (zero < 0) {
        if (!this.#shiftCosts()) return -1;
        [row, column] = [0, 0];
        continue;
      }
      this.#marks[zero] = PRIME;
      row = Math.floor(zero / n);
      const star = this.#markInRow(row, STAR);
      if (star < 0) return zero;
      // The next search starts at the star, as the reference's does.
      column = star;
      this.#rowCovered[row] = 1;
      this.#columnCovered[column] = 0;
    }
  }

  /** Last uncovered zero of the first row that has one; rows and columns are visited cyclically from the given start. */
  #findZero(startRow: number, startColumn: number): number {
    const n = this.#n;
    for (let step = 0; step < n; step++) {
      const i = (startRow + step) % n;
      if (this.#rowCovered[i]) continue;
      // Visited backwards, the first hit is the one that a forward search would end with.
      for (let back = n - 1; back >= 0; back--) {
        const j = (startColumn + back) % n;
        if (this.#cost[i * n + j] === 0 && !this.#columnCovered[j]) return i * n + j;
      }
    }
    return -1;
  }

  /** Adds the smallest uncovered cost to covered rows and subtracts it from uncovered columns; false when nothing is left. */
  #shiftCosts(): boolean {
    const n = this.#n;
    let min = Infinity;
    for (let i = 0; i < n; i++) {
      if (this.#rowCovered[i]) continue;
      for (let j = 0; j < n; j++)
        if (!this.#columnCovered[j] && this.#cost[i * n + j] < min) min = this.#cost[i * n + j];
    }
    if (min === Infinity) return false;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        // Both steps where both apply: the rounding is part of the reference.
        if (this.#rowCovered[i]) this.#cost[i * n + j] += min;
        if (!this.#columnCovered[j]) this.#cost[i * n + j] -= min;
      }
    }
    return true;
  }

  /** Alternating path of primes and stars from `start`: stars go, primes become stars. */
  #flipPath(start: number): void {
    const n = this.#n;
    let prime = start;
    for (;;) {
      const column = prime % n;
      const row = this.#starInColumn(column);
      this.#marks[prime] = STAR;
      if (row < 0) return;
      this.#marks[row * n + column] = 0;
      prime = row * n + this.#markInRow(row, PRIME);
    }
  }

  #markInRow(row: number, mark: number): number {
    for (let j = 0; j < this.#n; j++) if (this.#marks[row * this.#n + j] === mark) return j;
    return -1;
  }

  #starInColumn(column: number): number {
    for (let i = 0; i < this.#n; i++) if (this.#marks[i * this.#n + column] === STAR) return i;
    return -1;
  }
}
