/**
 * Element-wise expressions: what a fused chain of additions, activations and the like computes per element. Kernels paste the
 * WGSL of an expression where they have an element in hand, as `f32` or `vec4f` alike.
 */

/** One step; `args` index the expression's operands first, then the steps before this one. */
export interface Step {
  readonly fn: StepName;
  readonly args: readonly number[];
  /** Numbers of the step: bounds, slopes, a scalar operand. */
  readonly numbers?: readonly number[];
}

/** Steps in order; the last one is the result. Without steps the result is operand 0. */
export interface Expr {
  readonly operands: number;
  readonly steps: readonly Step[];
}

type Write = (args: readonly string[], numbers: readonly string[], type: string) => string;

const STEPS = {
  add: ([a, b]) => `${a} + ${b}`,
  sub: ([a, b]) => `${a} - ${b}`,
  mul: ([a, b]) => `${a} * ${b}`,
  div: ([a, b]) => `${a} / ${b}`,
  max: ([a, b]) => `max(${a}, ${b})`,
  min: ([a, b]) => `min(${a}, ${b})`,
  pow: ([a, b]) => `pow(${a}, ${b})`,
  prelu: ([a, b], _, type) => `select(${a} * ${b}, ${a}, ${a} >= ${type}(0))`,
  /** A scalar as an operand. */
  scalar: (_, [n], type) => `${type}(${n})`,
  abs: ([a]) => `abs(${a})`,
  neg: ([a]) => `-${a}`,
  square: ([a]) => `${a} * ${a}`,
  sqrt: ([a]) => `sqrt(${a})`,
  rsqrt: ([a]) => `inverseSqrt(${a})`,
  exp: ([a]) => `exp(${a})`,
  expm1: ([a]) => `exp(${a}) - 1`,
  log: ([a]) => `log(${a})`,
  relu: ([a], _, type) => `max(${a}, ${type}(0))`,
  relu6: ([a], _, type) => `clamp(${a}, ${type}(0), ${type}(6))`,
  clamp: ([a], [lo, hi], type) => `clamp(${a}, ${type}(${lo}), ${type}(${hi}))`,
  leakyRelu: ([a], [slope], type) => `select(${a} * ${slope}, ${a}, ${a} >= ${type}(0))`,
  elu: ([a], _, type) => `select(exp(${a}) - 1, ${a}, ${a} >= ${type}(0))`,
  sigmoid: ([a]) => `1 / (1 + exp(-${a}))`,
  tanh: ([a], _, type) => `1 - 2 / (exp(2 * clamp(${a}, ${type}(-20), ${type}(20))) + 1)`,
  softplus: ([a], _, type) => `max(${a}, ${type}(0)) + log(1 + exp(-abs(${a})))`,
  // Abramowitz and Stegun 7.1.26, error below 1.5e-7.
  erf: ([a]) => `erf_${'T'}(${a})`,
  step: ([a], [alpha], type) => `select(${type}(${alpha}), ${type}(1), ${a} > ${type}(0))`,
} as const satisfies Record<string, Write>;

export type StepName = keyof typeof STEPS;

/** The same steps on numbers, for constants. */
const VALUES: Readonly<Record<StepName, (args: readonly number[], numbers: readonly number[]) => number>> = {
  add: ([a, b]) => a + b,
  sub: ([a, b]) => a - b,
  mul: ([a, b]) => a * b,
  div: ([a, b]) => a / b,
  max: ([a, b]) => Math.max(a, b),
  min: ([a, b]) => Math.min(a, b),
  pow: ([a, b]) => a ** b,
  prelu: ([a, b]) => (a >= 0 ? a : a * b),
  scalar: (_, [n]) => n,
  abs: ([a]) => Math.abs(a),
  neg: ([a]) => -a,
  square: ([a]) => a * a,
  sqrt: ([a]) => Math.sqrt(a),
  rsqrt: ([a]) => 1 / Math.sqrt(a),
  exp: ([a]) => Math.exp(a),
  expm1: ([a]) => Math.expm1(a),
  log: ([a]) => Math.log(a),
  relu: ([a]) => Math.max(a, 0),
  relu6: ([a]) => Math.min(Math.max(a, 0), 6),
  clamp: ([a], [lo, hi]) => Math.min(Math.max(a, lo), hi),
  leakyRelu: ([a], [slope]) => (a >= 0 ? a : a * slope),
  elu: ([a]) => (a >= 0 ? a : Math.expm1(a)),
  sigmoid: ([a]) => 1 / (1 + Math.exp(-a)),
  tanh: ([a]) => Math.tanh(a),
  softplus: ([a]) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))),
  erf: ([a]) => erf(a),
  step: ([a], [alpha]) => (a > 0 ? 1 : alpha),
};

/** Abramowitz and Stegun 7.1.26, as the shaders compute it. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - p * Math.exp(-x * x));
}

/** The expression of numbers. */
export function evaluate({ steps }: Expr, operands: readonly number[]): number {
  const found = [...operands];
  for (const { fn, args, numbers } of steps)
    found.push(
      VALUES[fn](
        args.map((i) => found[i]),
        numbers ?? [],
      ),
    );
  return found.at(-1)!;
}

/** A number as a WGSL float literal. */
export function literal(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`literal: found ${value}; WGSL has no such constant.`);
  const text = Math.fround(value).toString();
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/**
 * WGSL statements that compute `expr`, and the name of the result.
 *
 * @param operands - WGSL names of the operands, of type `type`
 * @param prefix - makes the local names unique
 */
export function writeExpr(
  expr: Expr,
  operands: readonly string[],
  type: 'f32' | 'vec4f',
  prefix: string,
): { statements: string[]; result: string } {
  const names = [...operands];
  const statements = expr.steps.map((step, i) => {
    const name = `${prefix}${i}`;
    const write: Write = STEPS[step.fn];
    const args = step.args.map((arg) => names[arg]);
    const text = write(args, (step.numbers ?? []).map(literal), type).replace(
      'erf_T',
      type === 'f32' ? 'erf1' : 'erf4',
    );
    names.push(name);
    return `let ${name} = ${text};`;
  });
  return { statements, result: names[names.length - 1] };
}

/** Functions that some steps need, for the top of a shader. */
export function preamble(expr: Expr): string {
  if (!expr.steps.some(({ fn }) => fn === 'erf')) return '';
  return [erfFunction('erf1', 'f32'), erfFunction('erf4', 'vec4f')].join('\n');
}

function erfFunction(name: string, type: string): string {
  return `fn ${name}(x: ${type}) -> ${type} {
  let a = abs(x);
  let t = 1 / (1 + 0.3275911 * a);
  let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(x) * (1 - p * exp(-a * a));
}`;
}

/** Runs `second` on the result of `first`: operands of `first`, then those of `second` except the one replaced. */
export function compose(first: Expr, second: Expr, replaced: number): Expr {
  const added = second.operands - 1;
  const shift = (arg: number) => (arg < first.operands ? arg : arg + added);
  const head = first.steps.map((step) => ({ ...step, args: step.args.map(shift) }));
  const operands = first.operands + added;
  const result = first.steps.length > 0 ? operands + first.steps.length - 1 : 0;
  const move = (arg: number) => {
    if (arg === replaced) return result;
    if (arg < second.operands) return first.operands + (arg < replaced ? arg : arg - 1);
    return operands + first.steps.length + (arg - second.operands);
  };
  const tail = second.steps.map((step) => ({ ...step, args: step.args.map(move) }));
  return { operands, steps: [...head, ...tail] };
}

/** Operands that are the same value, found in the same way, as one. */
export function mergeOperands<M>(
  inputs: readonly number[],
  maps: readonly M[],
  expr: Expr,
): { inputs: number[]; maps: M[]; expr: Expr } {
  const keys = inputs.map((id, i) => `${id} ${JSON.stringify(maps[i])}`);
  const first = keys.map((key) => keys.indexOf(key));
  const kept = first.filter((at, i) => at === i);
  const removed = inputs.length - kept.length;
  const move = (arg: number) => (arg < expr.operands ? kept.indexOf(first[arg]) : arg - removed);
  return {
    inputs: kept.map((i) => inputs[i]),
    maps: kept.map((i) => maps[i]),
    expr: { operands: kept.length, steps: expr.steps.map((step) => ({ ...step, args: step.args.map(move) })) },
  };
}
