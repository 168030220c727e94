/** What the command lines of `npm run eval` and `npm run eval:video` have in common. */
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, parse } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Option, type Command } from 'commander';
import {
  addBrowserOptions,
  openPageHost,
  type BrowserOptions,
  type PageHost,
  type PageHostOptions,
} from '../../tests/support/page_host.js';
import type { BackendName } from '../../src/backend/init.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

export const MODEL_HELP = 'checkpoint: .pth or .safetensors; or "default", the model that comes with inpose';
const CONFIG_HELP = 'MMPose config as JSON (default: the one inside the checkpoint, else NAME.config.json beside it)';

export interface ModelOptions extends BrowserOptions {
  readonly model: string;
  readonly config?: string;
  readonly backend: BackendName;
  readonly flip?: boolean;
}

/** A checkpoint and its config; URLs are of the page host's. */
export interface SourceRequest {
  /** null: the default model. */
  readonly checkpoint: string | null;
  /** Text of `--config`; null: the one inside the checkpoint. */
  readonly config: string | null;
  /** Text of the config found beside the checkpoint, used when there is none inside. */
  readonly sidecar: string | null;
}

/** What the page needs to load a model. */
export interface ModelRequest extends SourceRequest {
  readonly backend: BackendName;
  readonly flip: boolean;
}

/** `--model` is the tool's own: not every tool has a default. */
export function addModelOptions(command: Command): Command {
  return addBrowserOptions(command)
    .option('--config <file>', CONFIG_HELP)
    .addOption(new Option('--backend <name>').choices(['webgpu', 'webgl', 'wasm', 'cpu']).default('wasm'))
    .option('--flip', 'flip test');
}

/** A file of that name is reached as `./default`. */
export function isDefault(model: string): boolean {
  return model === 'default';
}

/** @param path - of the checkpoint; null: the default model */
export async function modelRequest(path: string | null, options: ModelOptions): Promise<ModelRequest> {
  return {
    ...(await sourceRequest('model', path, options.config)),
    backend: options.backend,
    flip: options.flip ?? false,
  };
}

/** @param kind - folder under which the page host serves the checkpoint */
export async function sourceRequest(kind: string, path: string | null, config?: string): Promise<SourceRequest> {
  const beside = path && join(dirname(path), `${parse(path).name}.config.json`);
  return {
    checkpoint: path && addressOf(kind, path),
    // A line break at the end, since the library takes a text without one for an address.
    config: config ? `${await readFile(config, 'utf8')}\n` : null,
    sidecar: beside && isFile(beside) ? await readFile(beside, 'utf8') : null,
  };
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

/** What a page says of the model that it has loaded. */
export interface LoadedModel {
  readonly reason: string;
  readonly notices: readonly string[];
}

export function printModel({ reason, notices }: LoadedModel, { model, flip }: ModelOptions): void {
  console.log(`model: ${isDefault(model) ? 'default' : basename(model)}, flip test ${flip ? 'on' : 'off'}`);
  console.log(`backend: ${reason}`);
  for (const notice of notices) console.log(`note: ${notice}`);
}

/**
 * Opens the tool's page, has `work` done with it and closes it.
 *
 * @returns whether the page had nothing to complain of; it is printed otherwise
 * @throws what went wrong in the page, in one sentence
 */
export async function withPage(
  name: string,
  page: Pick<PageHostOptions, 'script' | 'readyWhen' | 'files'>,
  { browser, host: address }: BrowserOptions,
  work: (page: PageHost) => Promise<void>,
): Promise<boolean> {
  const host = await openPageHost({ project: PROJECT, ...page, browser, host: address });
  try {
    await work(host);
  } finally {
    await host.close();
  }
  for (const problem of host.problems) console.error(`${name}: ${problem}`);
  return host.problems.length === 0;
}
