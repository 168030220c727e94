/** A loaded detector: MMDetection's `nn.Module` with `cfg` and `dataset_meta` attached, plus the backend that it lives on. */
import type { RTMDet } from '../models/detectors/index.js';
import type { Letterbox } from './detector_config.js';
import { LoadedModel, type Living, type LoadedModelParts } from './loaded_model.js';
import type { NetworkJit } from './network_jit.js';

export type LivingDetector = Living<RTMDet, NetworkJit>;

export interface DetModelParts extends LoadedModelParts<RTMDet, NetworkJit> {
  readonly letterbox: Letterbox;
  readonly classes: readonly string[] | null;
}

/** Made by `initDetector`. Keep one per network; calls on it queue. */
export class DetModel extends LoadedModel<RTMDet, NetworkJit> {
  /** Names of the classes, by label; null where the checkpoint does not say. */
  readonly classes: readonly string[] | null;
  readonly letterbox: Letterbox;

  constructor(parts: DetModelParts) {
    super('DetModel', parts);
    this.letterbox = parts.letterbox;
    this.classes = parts.classes;
  }

  get detector(): RTMDet {
    return this.network;
  }
}
