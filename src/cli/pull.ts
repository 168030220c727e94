/** `inpose pull NAME`: a published model as one `.safetensors` file, with its config and meta-info. */
import { rm } from 'node:fs/promises';
import { findModel } from '../apis/zoo.js';
import { convert, type ConvertResult } from './convert.js';
import { download } from './download.js';

export interface PullOptions {
  /** Path of the file to write. @default the model's name, in the current folder */
  output?: string;
  /** Floating-point tensors as float16 instead of float32. */
  fp16?: boolean;
  /** Bytes so far and in all (0: not known), first of the download, then of the file written. */
  onProgress?: (bytes: number, total: number, stage: 'downloading' | 'converting') => void;
  signal?: AbortSignal;
}

/**
 * Downloads the weights from where MMPose publishes them, and converts them.
 *
 * @throws ConfigError for a name that is none; CheckpointError or InputError when a file cannot be had or written; nothing is left
 *   behind then
 */
export async function pull(name: string, options: PullOptions = {}): Promise<ConvertResult> {
  const model = await findModel(name);
  const { output = `${model.name}.safetensors`, fp16, onProgress, signal } = options;
  const file = `${output}.download`;
  const report = (stage: 'downloading' | 'converting') => (bytes: number, total: number) =>
    onProgress?.(bytes, total, stage);
  try {
    await download(model.weights, file, { onProgress: report('downloading'), signal });
    return await convert(file, { output, fp16, model: model.name, onProgress: report('converting'), signal });
  } finally {
    await rm(file, { force: true });
  }
}
