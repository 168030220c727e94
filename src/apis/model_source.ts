/** Where a model comes from: a config and a weights file, each from memory or by URL. */
import {
  convertStateDict,
  openCheckpoint,
  readConfigText,
  type ByteSourceLike,
  type Checkpoint,
  type Fetch,
  type WholeConfig,
} from '../checkpoint/index.js';
import { ConfigError } from '../errors.js';
import { loadStateDict } from '../nn/load_state_dict.js';
import type { AnyModule } from '../nn/module.js';
import { fetchText } from './fetch_text.js';
import { normalizeConfig, type PoseConfig } from './model_config.js';
import { publishedConfig } from './zoo.js';

/**
 * A whole MMPose config or its `model` node as an object or text (JSON, or Python literals); or the URL of such a file; or null:
 * it is in the checkpoint, or beside it.
 */
export type ConfigSource = WholeConfig | string | URL | null;

/** How far loading is. */
export interface LoadProgress {
  /** `download`: bytes of the checkpoint; `weights`: tensors read from it; `compile`: shaders of a network, on WebGPU. */
  readonly stage: 'download' | 'weights' | 'compile';
  readonly loaded: number;
  /** 0 where it is not known. */
  readonly total: number;
}

/** What reading needs of the options of `initModel` and `initDetector`. */
export interface SourceOptions {
  readonly signal?: AbortSignal;
  readonly fetch?: Fetch;
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly sidecar?: Blob | WholeConfig | string;
}

/** The explicit config, if there is one. */
export async function explicitConfig(config: ConfigSource, options: SourceOptions): Promise<PoseConfig | null> {
  if (config === null || config === undefined) return null;
  if (typeof config !== 'string' && !(config instanceof URL)) return normalizeConfig(config, 'config');
  const text = String(config);
  if (isConfigText(text)) return normalizeConfig(readConfigText(text, 'config'), 'config');
  return normalizeConfig(readConfigText(await fetchText(text, 'a config', options), text), text);
}

/** Whether a string is a config itself, not the address of one: URLs have neither braces nor line breaks. */
export function isConfigText(text: string): boolean {
  return /[{\n]/.test(text);
}

/** @param config - the explicit one: then nothing is looked for in the file or beside it */
export async function openModelFile(
  source: ByteSourceLike,
  config: PoseConfig | null,
  { signal, fetch, onProgress, sidecar }: SourceOptions,
): Promise<Checkpoint> {
  return openCheckpoint(source, {
    ...{ signal, fetch, published: (name: string) => publishedConfig(name, { fetch }) },
    ...(config && { config }),
    ...(sidecar !== undefined && { sidecar: sidecar instanceof Blob ? await sidecar.text() : sidecar }),
    onProgress: onProgress && ((loaded, total) => onProgress({ stage: 'download', loaded, total })),
  });
}

/** @throws ConfigError when there is none, or it cannot be read */
export function configOf(explicit: PoseConfig | null, file: Checkpoint | null): PoseConfig {
  if (explicit) return explicit;
  if (file?.config) return normalizeConfig(file.config, `${file.name}: config`);
  if (file?.configProblem) throw file.configProblem;
  throw new ConfigError(
    `config: found none, neither given nor in ${file?.name ?? 'a checkpoint'}; pass MMPose's config as JSON, or its file as the option sidecar.`,
  );
}

/** Weights into a network that has none. */
export async function loadWeights(
  network: AnyModule,
  config: PoseConfig,
  file: Checkpoint,
  { signal, onProgress }: SourceOptions,
): Promise<void> {
  await loadStateDict(network, convertStateDict(file.stateDict, file.versions, config.model), {
    signal,
    source: file.name,
    onProgress: onProgress && ((loaded, total) => onProgress({ stage: 'weights', loaded, total })),
  });
}
