/** The stages that CSPDarknet and CSPNeXt have in common; they differ in the blocks of the second and third. */
import { ConfigError } from '../../../errors.js';

/** One stage: input and output width, blocks, shortcuts inside the blocks, pyramid pooling before them. */
export type StageSetting = readonly [inC: number, outC: number, blocks: number, addIdentity: boolean, useSpp: boolean];

interface CspArchConfig {
  readonly arch: string;
  readonly out_indices: readonly number[];
  /** MMPose's spelling. */
  readonly arch_ovewrite: readonly StageSetting[] | null;
}

/**
 * @param blocks - of the second and third stage
 * @throws ConfigError for another `arch`, or an output that there is not
 */
export function readCspArch(cfg: CspArchConfig, blocks: number, where: string): readonly StageSetting[] {
  const setting = cfg.arch_ovewrite ?? archSettings(blocks)[cfg.arch];
  if (!setting) {
    throw new ConfigError(`${where}.arch: found ${JSON.stringify(cfg.arch)}; expected "P5" or "P6".`);
  }
  if (!cfg.out_indices.every((i) => Number.isInteger(i) && i >= 0 && i <= setting.length)) {
    throw new ConfigError(
      `${where}.out_indices: found [${cfg.out_indices.join(', ')}]; expected 0 to ${setting.length}.`,
    );
  }
  return setting;
}

function archSettings(blocks: number): Readonly<Record<string, readonly StageSetting[]>> {
  const first: readonly StageSetting[] = [
    [64, 128, 3, true, false],
    [128, 256, blocks, true, false],
    [256, 512, blocks, true, false],
  ];
  return {
    P5: [...first, [512, 1024, 3, false, true]],
    P6: [...first, [512, 768, 3, true, false], [768, 1024, 3, false, true]],
  };
}
