/** What the command lines of `npm run eval` and `npm run eval:video` have in common. */
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, parse } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidArgumentError, Option } from 'commander';
import type { BackendName } from '../../src/backend/init.js';

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

export const MODEL_HELP = 'checkpoint: .pth or .safetensors; or "default", the model that comes with inpose';
export const CONFIG_HELP =
  'MMPose config as JSON (default: the one inside the checkpoint, else NAME.config.json beside it)';

export interface ModelOptions {
  readonly model: string;
  readonly config?: string;
  readonly backend: BackendName;
  readonly flip?: boolean;
}

/** What the page needs to load a model; URLs are of the page host's. */
export interface ModelRequest {
  /** null: the default model. */
  readonly checkpoint: string | null;
  /** Text of `--config`; null: the one inside the checkpoint. */
  readonly config: string | null;
  /** Text of the config found beside the checkpoint, used when there is none inside. */
  readonly sidecar: string | null;
  readonly backend: BackendName;
  readonly flip: boolean;
}

export function backendOption(): Option {
  return new Option('--backend <name>').choices(['webgpu', 'webgl', 'wasm', 'cpu']).default('wasm');
}

/** A file of that name is reached as `./default`. */
export function isDefault(model: string): boolean {
  return model === 'default';
}

/** @param path - of the checkpoint; null: the default model */
export async function modelRequest(path: string | null, options: ModelOptions): Promise<ModelRequest> {
  const beside = path && join(dirname(path), `${parse(path).name}.config.json`);
  return {
    checkpoint: path && addressOf('model', path),
    // A line break at the end, since the library takes a text without one for an address.
    config: options.config ? `${await readFile(options.config, 'utf8')}\n` : null,
    sidecar: beside && isFile(beside) ? await readFile(beside, 'utf8') : null,
    backend: options.backend,
    flip: options.flip ?? false,
  };
}

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number from 1.');
  return value;
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** @throws Error naming the first that is not there */
export function requireFiles(...paths: (string | null | undefined)[]): void {
  for (const path of paths) {
    if (path && !isFile(path)) throw new Error(`${path}: not found; give the path of an existing file`);
  }
}

/** URL of a file that the page host serves. */
export function addressOf(kind: string, path: string): string {
  return `/@files/${kind}/${encodeURIComponent(basename(path))}`;
}

/** Runs a tool to its end: status 1 and one sentence when it fails. */
export async function runTool(name: string, main: () => Promise<boolean>): Promise<void> {
  try {
    process.exitCode = (await main()) ? 0 : 1;
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}

/** Playwright puts the page's stack behind the message; only the message is for people. */
export function firstLines(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message
    .split('\n')
    .filter((line) => !/^\s+at /.test(line))
    .join('\n')
    .replace(/^page\.evaluate: (\w*Error: )?/, '');
}
