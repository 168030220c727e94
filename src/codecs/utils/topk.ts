/**
 * The k largest values as `torch.topk` (CPU) orders them. Among equal values the order follows from libstdc++'s algorithms:
 * `partial_sort` when k * 64 <= n, else `nth_element` and `sort`. Equal peaks are common in drawn maps (every Gaussian's
 * maximum is 1) and the order decides which person is first, so these algorithms are followed step by step when values repeat.
 */

/**
 * Indices of the `k` largest of `values[start, start + length)`, relative to `start`, largest first; NaN counts as largest.
 */
export function topk(values: Float32Array, start: number, length: number, k: number): Int32Array {
  const count = Math.min(k, length);
  const order = new Order(values, start, length);
  if (count * 64 <= length) order.partialSort(0, count, length);
  else {
    order.nthElement(count - 1);
    order.sort(0, count - 1);
  }
  return order.queue.slice(0, count);
}

/** Indices that are permuted by comparing the values behind them. */
class Order {
  readonly queue: Int32Array;
  readonly #values: Float32Array;
  readonly #start: number;

  constructor(values: Float32Array, start: number, length: number) {
    this.#values = values;
    this.#start = start;
    this.queue = Int32Array.from({ length }, (_, i) => i);
  }

  /** Whether index `a` belongs before index `b`. */
  #before(a: number, b: number): boolean {
    const x = this.#values[this.#start + a];
    const y = this.#values[this.#start + b];
    return x > y || (x !== x && y === y);
  }

  #swap(i: number, j: number): void {
    const kept = this.queue[i];
    this.queue[i] = this.queue[j];
    this.queue[j] = kept;
  }

  /** std::partial_sort(first, middle, last). */
  partialSort(first: number, middle: number, last: number): void {
    this.#heapSelect(first, middle, last);
    for (let end = middle - 1; end > first; end--) this.#popHeap(first, end, end);
  }

  /** Moves the best `middle - first` elements of [first, last) into a heap at the front, worst on top. */
  #heapSelect(first: number, middle: number, last: number): void {
    const length = middle - first;
    for (let parent = (length - 2) >> 1; parent >= 0; parent--) {
      this.#adjustHeap(first, parent, length, this.queue[first + parent]);
    }
    for (let i = middle; i < last; i++)
      if (this.#before(this.queue[i], this.queue[first])) this.#popHeap(first, middle, i);
  }

  #popHeap(first: number, last: number, result: number): void {
    const value = this.queue[result];
    this.queue[result] = this.queue[first];
    this.#adjustHeap(first, 0, last - first, value);
  }

  #adjustHeap(first: number, start: number, length: number, value: number): void {
    const { queue } = this;
    let hole = start;
    let child = hole;
    while (child < (length - 1) >> 1) {
      child = 2 * (child + 1);
      if (this.#before(queue[first + child], queue[first + child - 1])) child--;
      queue[first + hole] = queue[first + child];
      hole = child;
    }
    if ((length & 1) === 0 && child === (length - 2) >> 1) {
      child = 2 * (child + 1);
      queue[first + hole] = queue[first + child - 1];
      hole = child - 1;
    }
    let parent = (hole - 1) >> 1;
    while (hole > start && this.#before(queue[first + parent], value)) {
      queue[first + hole] = queue[first + parent];
      hole = parent;
      parent = (hole - 1) >> 1;
    }
    queue[first + hole] = value;
  }

  /** std::nth_element over all elements. */
  nthElement(nth: number): void {
    let [first, last] = [0, this.queue.length];
    let depth = 2 * floorLog2(last);
    while (last - first > 3) {
      if (depth-- === 0) {
        this.#heapSelect(first, nth + 1, last);
        this.#swap(first, nth);
        return;
      }
      const cut = this.#partition(first, last);
      if (cut <= nth) first = cut;
      else last = cut;
    }
    this.#insertionSort(first, last);
  }

  /** std::sort(first, last). */
  sort(first: number, last: number): void {
    if (last <= first) return;
    this.#introsort(first, last, 2 * floorLog2(last - first));
    const sorted = Math.min(last, first + INSERTION_LIMIT);
    this.#insertionSort(first, sorted);
    for (let i = sorted; i < last; i++) this.#insertUnguarded(i);
  }

  #introsort(first: number, end: number, depthLeft: number): void {
    let [last, depth] = [end, depthLeft];
    while (last - first > INSERTION_LIMIT) {
      if (depth-- === 0) return this.partialSort(first, last, last);
      const cut = this.#partition(first, last);
      this.#introsort(cut, last, depth);
      last = cut;
    }
  }

  /** Hoare partition around the median of the second, the middle and the last element, moved to the front. */
  #partition(first: number, end: number): number {
    this.#moveMedianToFirst(first, first + 1, first + ((end - first) >> 1), end - 1);
    const pivot = this.queue[first];
    let [left, right] = [first + 1, end];
    for (;;) {
      while (this.#before(this.queue[left], pivot)) left++;
      right--;
      while (this.#before(pivot, this.queue[right])) right--;
      if (left >= right) return left;
      this.#swap(left, right);
      left++;
    }
  }

  #moveMedianToFirst(result: number, a: number, b: number, c: number): void {
    const [x, y, z] = [this.queue[a], this.queue[b], this.queue[c]];
    if (this.#before(x, y)) this.#swap(result, this.#before(y, z) ? b : this.#before(x, z) ? c : a);
    else this.#swap(result, this.#before(x, z) ? a : this.#before(y, z) ? c : b);
  }

  #insertionSort(first: number, last: number): void {
    for (let i = first + 1; i < last; i++) {
      const value = this.queue[i];
      if (!this.#before(value, this.queue[first])) this.#insertUnguarded(i);
      else {
        this.queue.copyWithin(first + 1, first, i);
        this.queue[first] = value;
      }
    }
  }

  #insertUnguarded(at: number): void {
    const value = this.queue[at];
    let i = at;
    for (; this.#before(value, this.queue[i - 1]); i--) this.queue[i] = this.queue[i - 1];
    this.queue[i] = value;
  }
}

/** libstdc++ leaves runs up to this length to insertion sort. */
const INSERTION_LIMIT = 16;

function floorLog2(n: number): number {
  return 31 - Math.clz32(n);
}
