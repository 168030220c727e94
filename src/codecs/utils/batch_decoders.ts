/**
 * Where the codecs find their decoders for tensors. Those need tfjs, which decoding arrays does not, so they live in modules of their
 * own (`codecs/batch_decode`) that load on demand.
 */
import { InputError } from '../../errors.js';
import type { Tensor, Tensor3D } from '../../tf.js';
import type { IntegralRegressionLabel } from '../integral_regression_label.js';
import type { MegviiHeatmap } from '../megvii_heatmap.js';
import type { MSRAHeatmap } from '../msra_heatmap.js';
import type { RegressionLabel } from '../regression_label.js';
import type { SimCCLabel } from '../simcc_label.js';
import type { UDPHeatmap } from '../udp_heatmap.js';

type BatchDecode<Codec> = (codec: Codec, encoded: readonly Tensor[]) => Tensor3D;

export interface BatchDecoders {
  readonly MSRAHeatmap: BatchDecode<MSRAHeatmap>;
  readonly UDPHeatmap: BatchDecode<UDPHeatmap>;
  readonly MegviiHeatmap: BatchDecode<MegviiHeatmap>;
  readonly SimCCLabel: BatchDecode<SimCCLabel>;
  readonly RegressionLabel: BatchDecode<RegressionLabel>;
  readonly IntegralRegressionLabel: BatchDecode<IntegralRegressionLabel>;
}

let loaded: BatchDecoders | null = null;

/** Makes `batchDecode` of all codecs usable: loads tfjs and the decoders for tensors. Models do this by themselves. */
export async function loadBatchDecode(): Promise<void> {
  loaded ??= (await import('../batch_decode/index.js')).BATCH_DECODERS;
}

/**
 * The decoder of one codec.
 *
 * @throws InputError before `loadBatchDecode`
 */
export function batchDecoder<Name extends keyof BatchDecoders>(name: Name): BatchDecoders[Name] {
  if (loaded) return loaded[name];
  throw new InputError(
    `${name}.batchDecode: found tensors, but tfjs is not loaded; expected \`await loadBatchDecode()\` before (building a model does that), or use decode with arrays.`,
  );
}
