/**
 * `numpy.argsort` with its default algorithm. It is not stable, and MMPose's NMS functions reverse it: which of two equal scores
 * wins depends on NumPy's own order of exchanges, so the same introsort stands here.
 */

/** Parts of up to this many elements and one more are sorted by insertion. */
const SMALL = 15;

/** Indices that sort `values` ascending, in NumPy's order among equals; NaN last. */
export function argsort(values: ArrayLike<number>): number[] {
  const order = Array.from({ length: values.length }, (_, i) => i);
  const stack: [low: number, high: number, depth: number][] = [
    [0, order.length - 1, 2 * Math.floor(Math.log2(order.length || 1))],
  ];
  for (let part = stack.pop(); part; part = stack.pop()) sortPart(values, order, part, stack);
  return order;
}

/** As `argsort(values)[::-1]` in NumPy. */
export function argsortDescending(values: ArrayLike<number>): number[] {
  return argsort(values).reverse();
}

function less(a: number, b: number): boolean {
  return a < b || (b !== b && a === a);
}

function swap(order: number[], i: number, j: number): void {
  [order[i], order[j]] = [order[j], order[i]];
}

/** Splits until the smaller half is small, leaving larger halves on the stack. */
function sortPart(
  v: ArrayLike<number>,
  order: number[],
  [start, end, depthLeft]: [number, number, number],
  stack: [number, number, number][],
): void {
  let [low, high, depth] = [start, end, depthLeft];
  if (depth < 0) return heapOrder(v, order, low, high);
  while (high - low > SMALL) {
    const pivot = partition(v, order, low, high);
    depth--;
    if (pivot - low < high - pivot) {
      stack.push([pivot + 1, high, depth]);
      high = pivot - 1;
    } else {
      stack.push([low, pivot - 1, depth]);
      low = pivot + 1;
    }
  }
  insertionSort(v, order, low, high);
}

/** Median of three as pivot; returns where it ends up. */
function partition(v: ArrayLike<number>, order: number[], low: number, high: number): number {
  const middle = low + ((high - low) >> 1);
  if (less(v[order[middle]], v[order[low]])) swap(order, middle, low);
  if (less(v[order[high]], v[order[middle]])) swap(order, high, middle);
  if (less(v[order[middle]], v[order[low]])) swap(order, middle, low);
  const pivot = v[order[middle]];
  let i = low;
  let j = high - 1;
  swap(order, middle, j);
  for (;;) {
    do i++;
    while (less(v[order[i]], pivot));
    do j--;
    while (less(pivot, v[order[j]]));
    if (i >= j) break;
    swap(order, i, j);
  }
  swap(order, i, high - 1);
  return i;
}

function insertionSort(v: ArrayLike<number>, order: number[], low: number, high: number): void {
  for (let i = low + 1; i <= high; i++) {
    const index = order[i];
    let j = i;
    for (; j > low && less(v[index], v[order[j - 1]]); j--) order[j] = order[j - 1];
    order[j] = index;
  }
}

/** NumPy's heapsort, for inputs that defeat the pivots. */
function heapOrder(v: ArrayLike<number>, order: number[], low: number, high: number): void {
  let n = high - low + 1;
  const sift = (root: number, index: number): void => {
    let i = root;
    for (let j = i * 2; j <= n; j = i * 2) {
      if (j < n && less(v[order[low + j - 1]], v[order[low + j]])) j++;
      if (!less(v[index], v[order[low + j - 1]])) break;
      order[low + i - 1] = order[low + j - 1];
      i = j;
    }
    order[low + i - 1] = index;
  };
  for (let root = n >> 1; root > 0; root--) sift(root, order[low + root - 1]);
  while (n > 1) {
    const index = order[low + n - 1];
    order[low + n - 1] = order[low];
    n--;
    sift(1, index);
  }
}
