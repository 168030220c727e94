/** The decoders for tensors, by codec. Everything here is synchronous and issues work only; the caller reads the result. */
import type { BatchDecoders } from '../utils/batch_decoders.js';
import { decodeMegvii, decodeMsra, decodeUdp } from './heatmaps.js';
import { decodeRegression } from './regression.js';
import { decodeSimcc } from './simcc.js';

export const BATCH_DECODERS: BatchDecoders = {
  MSRAHeatmap: decodeMsra,
  UDPHeatmap: decodeUdp,
  MegviiHeatmap: decodeMegvii,
  SimCCLabel: decodeSimcc,
  RegressionLabel: decodeRegression,
  IntegralRegressionLabel: ({ keypointCodec }, encoded) => decodeRegression(keypointCodec, encoded),
};
