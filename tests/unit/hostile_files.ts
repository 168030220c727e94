/**
 * A process of its own that opens hostile weights files one after the other and reads what they offer, as an application would.
 * Prints the time of each and by how much the most memory ever in use grew; see hostile_files.test.ts.
 */
import { deflateRawSync } from 'node:zlib';
import { openCheckpoint } from '../../src/checkpoint/index.js';
import { CheckpointError } from '../../src/errors.js';
import { concat, fixture, fixtureNames, le, makePth, makeZip, statePickle } from './checkpoint_files.js';

export interface HostileReport {
  readonly files: readonly { readonly name: string; readonly ms: number; readonly outcome: string }[];
  /** Peak of the whole process above the peak before the first file, bytes. */
  readonly growth: number;
}

const MiB = 2 ** 20;

function deflated(bytes: number, size: number): Uint8Array {
  return makeZip([{ name: 'a/data.pkl', data: deflateRawSync(new Uint8Array(bytes)), method: 8, size }]);
}

const made: Readonly<Record<string, Uint8Array>> = {
  'a pickle of 200 MB in 200 kB': deflated(200 * MiB, 200 * MiB),
  'a pickle of 200 MB that says it has 1 kB': deflated(200 * MiB, 1000),
  'a tensor of 8 GB in a file of 1 kB': makePth(statePickle('w', 0x7fffffff), { 0: new Uint8Array(12) }),
  'a string of 4 GB': makePth(concat([0x80, 2], 'X', le(0xffffffff, 4), 'x')),
  'ten million dicts': makePth(new Uint8Array(10 * MiB).fill(0x7d)),
  'a safetensors header of 2^48 bytes': concat(le(2 ** 48, 8), '{}'),
  'a safetensors header of 7 MB of brackets': concat(le(7 * MiB, 8), new Uint8Array(7 * MiB).fill(0x5b)),
  'a safetensors tensor beyond the file': safetensors({
    w: { dtype: 'F32', shape: [2 ** 31], data_offsets: [0, 2 ** 33] },
  }),
};

function safetensors(header: object): Uint8Array {
  const text = JSON.stringify(header);
  return concat(le(text.length, 8), text);
}

async function outcomeOf(bytes: Uint8Array): Promise<string> {
  try {
    const { stateDict } = await openCheckpoint(bytes);
    for (const tensor of stateDict.values()) await tensor.read();
    return 'opens';
  } catch (error) {
    return error instanceof CheckpointError ? 'CheckpointError' : String(error);
  }
}

/** Bytes; Node gives kilobytes. */
const peak = (): number => process.resourceUsage().maxRSS * 1024;

// A good file first, so that the code itself is compiled and counted before.
await outcomeOf(fixture('mmpose1x_published.pth'));
const recorded = fixtureNames().filter((name) => name.startsWith('bad_'));
const all = { ...Object.fromEntries(recorded.map((name) => [name, fixture(name)])), ...made };
const before = peak();
const files: { name: string; ms: number; outcome: string }[] = [];
for (const [name, bytes] of Object.entries(all)) {
  const start = process.cpuUsage();
  const outcome = await outcomeOf(bytes);
  const { user, system } = process.cpuUsage(start);
  files.push({ name, ms: (user + system) / 1000, outcome });
}
process.stdout.write(JSON.stringify({ files, growth: peak() - before } satisfies HostileReport));
