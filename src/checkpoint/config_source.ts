/**
 * Where a checkpoint's config comes from. First that exists: an explicit one; the safetensors `__metadata__`; `meta.cfg` of a `.pth`;
 * a sidecar `NAME.config.json`; what the caller knows of files of this name.
 */
import { ConfigError } from '../errors.js';
import { parsePythonConfig } from './py_literal.js';

/** A whole MMPose config: `model`, `test_pipeline`, ... verbatim. */
export type WholeConfig = Readonly<Record<string, unknown>>;

export type ConfigOrigin = 'explicit' | 'safetensors' | 'meta.cfg' | 'sidecar' | 'published';

/** What was found, or why nothing was. */
export interface FoundConfig {
  readonly config: WholeConfig | null;
  readonly origin: ConfigOrigin | null;
  /** A config was there but cannot be read; a later source may still have given one. */
  readonly problem: ConfigError | null;
}

export interface ConfigSources {
  /** A whole config, or its text: JSON, or Python literals. */
  readonly explicit?: WholeConfig | string;
  readonly safetensors: WholeConfig | null;
  /** The text of `meta.cfg`. */
  readonly cfgText: string | null;
  /** Asked after those above, and only then: it may be a download. */
  readonly sidecar: () => Promise<WholeConfig | string | null>;
  /** Asked last. */
  readonly published: () => Promise<WholeConfig | null>;
}

/**
 * @param name - of the checkpoint, for messages
 * @throws ConfigError when the explicit config cannot be read
 */
export async function findConfig(sources: ConfigSources, name: string): Promise<FoundConfig> {
  const { explicit, safetensors, cfgText } = sources;
  if (explicit !== undefined) return found(readConfigText(explicit, 'config'), 'explicit');
  if (safetensors) return found(safetensors, 'safetensors');
  let problem: ConfigError | null = null;
  try {
    if (cfgText !== null) return found(parsePythonConfig(cfgText, `${name}: meta.cfg`), 'meta.cfg');
  } catch (error) {
    // Kept and not thrown: weights with an odd config are still readable, and a sidecar may help.
    if (!(error instanceof ConfigError)) throw error;
    problem = error;
  }
  const sidecar = await sources.sidecar();
  if (sidecar !== null) return { ...found(readConfigText(sidecar, `${name}: sidecar config`), 'sidecar'), problem };
  const published = await sources.published();
  return { config: published, origin: published && 'published', problem };
}

function found(config: WholeConfig, origin: ConfigOrigin): FoundConfig {
  return { config, origin, problem: null };
}

/**
 * A config from an object or its text.
 *
 * @throws ConfigError for text that is neither JSON nor Python literals, and for values that are no dict
 */
export function readConfigText(config: WholeConfig | string, where: string): WholeConfig {
  const value = typeof config === 'string' ? parseText(config, where) : config;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as WholeConfig;
  throw new ConfigError(`${where}: expected a whole config with "model"; pass an object, JSON or Python literals.`);
}

function parseText(text: string, where: string): unknown {
  if (!/^\s*[{[]/.test(text)) return parsePythonConfig(text, where);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ConfigError(`${where}: ${cause instanceof Error ? cause.message : 'no JSON'}; expected JSON.`, { cause });
  }
}
