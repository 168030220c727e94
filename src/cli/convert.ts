/** `inpose convert FILE -o OUT.safetensors`: weights, config and meta-info in one file. */
import { open, readFile, realpath, rename, rm } from 'node:fs/promises';
import { findModel } from '../apis/zoo.js';
import { encodeModelMetadata, writeSafetensors, type Checkpoint, type WholeConfig } from '../checkpoint/index.js';
import { InputError } from '../errors.js';
import { FileSource, fileError } from './file_source.js';
import { formatBytes, withCheckpoint } from './open.js';
import { readSafetensors } from '../checkpoint/safetensors.js';

export interface ConvertOptions {
  /** Path of the file to write. */
  output: string;
  /** Floating-point tensors as float16 instead of float32. */
  fp16?: boolean;
  /** Path of a config (JSON or Python literals) to use instead of the one found. */
  config?: string;
  /** Name of a published model whose config to use. */
  model?: string;
  /** Bytes written so far and in all. */
  onProgress?: (writtenBytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
}

export interface ConvertResult {
  /** What was written, for people. */
  readonly summary: string;
  /** What may surprise: no config found, tensors that do not fit float16. */
  readonly notes: readonly string[];
}

/**
 * Converts a checkpoint, one tensor at a time. The file appears under its name only when it is complete.
 *
 * @throws CheckpointError, ConfigError or InputError; nothing is left behind then
 */
export async function convert(file: string, options: ConvertOptions): Promise<ConvertResult> {
  await refuseSameFile(file, options.output);
  const config = await givenConfig(options);
  return withCheckpoint(file, { config, signal: options.signal }, async (checkpoint) => {
    const partial = `${options.output}.partial`;
    try {
      await write(checkpoint, partial, options);
      const kept = options.fp16 ? await countWide(partial) : 0;
      await rename(partial, options.output).catch((cause: unknown) => {
        throw fileError(options.output, 'write', cause);
      });
      return await describe(checkpoint, options, kept);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
  });
}

async function refuseSameFile(input: string, output: string): Promise<void> {
  const [from, to] = await Promise.all([input, output].map((path) => realpath(path).catch(() => null)));
  if (from !== null && from === to) {
    throw new InputError(`${output}: this is the file to convert; give another name with -o.`);
  }
}

/** @throws InputError or ConfigError when it cannot be had */
async function givenConfig({ config, model }: ConvertOptions): Promise<WholeConfig | string | undefined> {
  if (config !== undefined && model !== undefined) {
    throw new InputError('convert: found both --config and --model; expected one, since either is a whole config.');
  }
  if (model !== undefined) return (await findModel(model)).config;
  return config === undefined ? undefined : readText(config);
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw fileError(path, 'read', cause);
  });
}

async function write(checkpoint: Checkpoint, path: string, options: ConvertOptions): Promise<void> {
  const { fp16, onProgress, signal } = options;
  const pieces = writeSafetensors(checkpoint.stateDict, {
    floats: fp16 ? 'float16' : 'float32',
    metadata: encodeModelMetadata(checkpoint),
    onProgress,
    signal,
  });
  const handle = await open(path, 'w').catch((cause: unknown) => {
    throw fileError(options.output, 'write', cause);
  });
  try {
    for await (const piece of pieces) {
      await handle.writeFile(piece).catch((cause: unknown) => {
        throw fileError(options.output, 'write', cause);
      });
    }
  } finally {
    await handle.close();
  }
}

/** Tensors that stayed float32; reading the header again also shows that the file is sound. */
async function countWide(path: string): Promise<number> {
  const source = await FileSource.open(path);
  try {
    const { stateDict } = await readSafetensors(source);
    return [...stateDict.values()].filter(({ dtype }) => dtype === 'float32').length;
  } finally {
    await source.close();
  }
}

async function describe(
  checkpoint: Checkpoint,
  { output, fp16 }: ConvertOptions,
  kept: number,
): Promise<ConvertResult> {
  const source = await FileSource.open(output);
  await source.close();
  const { stateDict, config, configOrigin, configProblem, datasetMeta } = checkpoint;
  const notes: string[] = [];
  if (configProblem) notes.push(configProblem.message);
  if (!config) notes.push('no config was found, so the file holds weights only; pass one with --config or --model');
  if (kept > 0) notes.push(`${kept} tensors hold numbers beyond float16's 65504 and stay float32`);
  const parts = [
    `${stateDict.size} tensors`,
    fp16 ? 'float16' : 'float32',
    formatBytes(source.size),
    config ? `config from ${configOrigin}` : 'no config',
    datasetMeta ? `meta-info ${String(datasetMeta.dataset_name ?? 'unnamed')}` : 'no meta-info',
  ];
  return { summary: `${output}: ${parts.join(', ')}`, notes };
}
