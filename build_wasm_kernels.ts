/**
 * Compiles `src/backend/wasm/kernels/*.c` into `src/backend/wasm/kernel_bytes.ts`: run `npm run build:wasm-kernels` after every change
 * of a source. The bytes are in the repository, so only who changes the kernels needs clang and wasm-ld (16 or later; CLANG and
 * WASM_LD name others). A unit test compares the hash of the sources that is written beside the bytes.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const KERNELS = path('src/backend/wasm/kernels');
const OUTPUT = path('src/backend/wasm/kernel_bytes.ts');
/**
 * Long sums of products with and without relaxed SIMD; the others, which wait for memory more than for arithmetic, once for all, since
 * every byte here is in every bundle.
 */
const PRODUCTS = ['conv', 'conv3x3', 'sample'];
const MODULES = {
  simd: { units: PRODUCTS, flags: [] },
  relaxedSimd: { units: PRODUCTS, flags: ['-mrelaxed-simd'] },
  maps: { units: ['channels', 'depthwise', 'maps'], flags: [] },
} as const satisfies Record<string, ModuleSpec>;
const UNITS = new Set(Object.values(MODULES).flatMap(({ units }) => units));
const SOURCES = ['block.h', ...[...UNITS].map((unit) => `${unit}.c`)];

interface ModuleSpec {
  readonly units: readonly string[];
  readonly flags: readonly string[];
}

const COMPILE = [
  '--target=wasm32-unknown-unknown',
  ...['-O3', '-ffreestanding', '-fno-builtin', '-nostdlib', '-Wall', '-Wextra', '-Werror'],
  '-msimd128',
  // Loop strength reduction takes the constant part of an address out of the load, which then costs an addition of its own.
  ...['-mllvm', '-disable-lsr'],
  // Without it the code doubles per option of the epilogue, and is no faster.
  ...['-mllvm', '-enable-nontrivial-unswitch=false'],
];
const LINK = ['--no-entry', '--import-memory', '--strip-all', '-z', 'stack-size=0'];

/** SHA-256 of all that decides about the bytes, apart from the compiler's version. */
export function hashOfSources(): string {
  const hash = createHash('sha256').update(JSON.stringify([COMPILE, LINK, MODULES]));
  for (const file of SOURCES) hash.update(`\n${file}\n`).update(readFileSync(join(KERNELS, file), 'utf8'));
  return hash.digest('hex');
}

function compile({ units, flags }: ModuleSpec, folder: string): Buffer {
  const objects = units.map((unit) => {
    const object = join(folder, `${unit}.o`);
    const source = join(KERNELS, `${unit}.c`);
    execFileSync(process.env.CLANG ?? 'clang-16', [...COMPILE, ...flags, '-c', source, '-o', object], {
      stdio: 'inherit',
    });
    checkOwnsNoMemory(object);
    return object;
  });
  const linked = join(folder, 'linked.wasm');
  execFileSync(process.env.WASM_LD ?? 'wasm-ld-16', [...LINK, ...objects, '-o', linked], { stdio: 'inherit' });
  return readFileSync(linked);
}

/**
 * The modules live in somebody else's memory, so they must own no address there: no static data, which the linker would place from
 * 1024 on, and no stack, which a function would reach through the global `__stack_pointer`.
 */
function checkOwnsNoMemory(object: string): void {
  const text = readFileSync(object, 'latin1');
  const found = ['__stack_pointer', '.rodata', '.data.', '.bss'].filter((name) => text.includes(name));
  if (found.length === 0) return;
  throw new Error(`${object}: found ${found.join(', ')}; expected no memory of its own; see block.h.`);
}

function build(): void {
  const folder = mkdtempSync(join(tmpdir(), 'kernels-'));
  try {
    const entries = Object.entries(MODULES).map(
      ([name, spec]) => `  ${name}: '${compile(spec, folder).toString('base64')}',`,
    );
    const head =
      '/** Written by `npm run build:wasm-kernels`: the compiled `kernels/*.c` in base64, and the hash of their sources. */';
    const hash = `export const KERNEL_SOURCES = '${hashOfSources()}';`;
    writeFileSync(OUTPUT, `${head}\n${hash}\n\nexport const KERNEL_BYTES = {\n${entries.join('\n')}\n};\n`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) build();
