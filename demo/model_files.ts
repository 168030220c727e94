/** Which of the files that were dropped is the pose model and which the person detector, by the type in their configs. */
import { DETECTORS, openCheckpoint } from 'inpose';
import { DemoError } from './messages.js';

/** A checkpoint and, if it was given, its config as text. */
export interface ModelFile {
  readonly checkpoint: File;
  /** null: it is in the checkpoint. */
  readonly config: string | null;
}

export interface ModelFiles {
  readonly pose: ModelFile | null;
  readonly detector: ModelFile | null;
  /** A config for a checkpoint that came before. */
  readonly poseConfig: string | null;
  readonly detectorConfig: string | null;
}

/**
 * @throws DemoError for several files of one kind
 */
export async function assignFiles(checkpoints: readonly File[], configs: readonly File[]): Promise<ModelFiles> {
  const texts = await Promise.all(configs.map((config) => config.text()));
  const detectorConfig = single(texts.filter(isDetectorConfig), 'configs of detectors') ?? null;
  const poseConfig =
    single(
      texts.filter((text) => !isDetectorConfig(text)),
      'configs',
    ) ?? null;
  const roles = await Promise.all(
    checkpoints.map((file) => isDetector(file, detectorConfig !== null, poseConfig !== null)),
  );
  const detector = single(
    checkpoints.filter((_, i) => roles[i]),
    'detectors',
  );
  const pose = single(
    checkpoints.filter((_, i) => !roles[i]),
    'pose models',
  );
  return {
    pose: pose ? { checkpoint: pose, config: poseConfig } : null,
    detector: detector ? { checkpoint: detector, config: detectorConfig } : null,
    poseConfig,
    detectorConfig,
  };
}

function single<T>(list: readonly T[], what: string): T | undefined {
  if (list.length <= 1) return list[0];
  throw new DemoError(
    'Too many files',
    `Found ${list.length} ${what}. Drop one pose model, and one person detector beside it.`,
  );
}

/** A checkpoint without a config of its own is what the config that came with it says; one that cannot be read says so when it is loaded. */
async function isDetector(file: File, withDetectorConfig: boolean, withPoseConfig: boolean): Promise<boolean> {
  try {
    const { config } = await openCheckpoint(file);
    return config ? isDetectorType(config) : withDetectorConfig && !withPoseConfig;
  } catch {
    return false;
  }
}

function isDetectorConfig(text: string): boolean {
  try {
    return isDetectorType(JSON.parse(text) as Readonly<Record<string, unknown>>);
  } catch {
    return false;
  }
}

function isDetectorType(config: Readonly<Record<string, unknown>>): boolean {
  const model = (config.model ?? config) as { readonly type?: unknown };
  return typeof model.type === 'string' && DETECTORS.has(model.type);
}
