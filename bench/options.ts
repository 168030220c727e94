/** Command line values of the benchmarks. */
import { InvalidArgumentError } from 'commander';

/** `a,b` with every part among `known`. */
export function listOf<T extends string>(known: readonly T[]): (text: string) => T[] {
  return (text) =>
    text.split(',').map((part) => {
      const name = part.trim() as T;
      if (!known.includes(name))
        throw new InvalidArgumentError(`found "${name}"; expected any of ${known.join(', ')}.`);
      return name;
    });
}

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number from 1.');
  return value;
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0) || value === Infinity) throw new InvalidArgumentError('expected a number above 0.');
  return value;
}

/** `1,2,4` */
export function integers(text: string): number[] {
  return text.split(',').map((part) => positiveInteger(part.trim()));
}
