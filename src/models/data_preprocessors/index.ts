/** The data preprocessors that configs may name. */
import type { ConfigDict } from '../../config.js';
import { Registry } from '../../registry.js';
import type { PoseDataPreprocessor } from './data_preprocessor.js';

export type { PadMetainfo, PoseDataPreprocessor, PreprocessedBatch, Uint8Image } from './data_preprocessor.js';

export type DataPreprocessorClass = new (config: ConfigDict, where?: string) => PoseDataPreprocessor;

export const DATA_PREPROCESSORS = /*@__PURE__*/ new Registry<DataPreprocessorClass>('DATA_PREPROCESSORS', {
  PoseDataPreprocessor: () => import('./data_preprocessor.js').then((m) => m.PoseDataPreprocessor),
  DetDataPreprocessor: () => import('./data_preprocessor.js').then((m) => m.DetDataPreprocessor),
  ImgDataPreprocessor: () => import('./data_preprocessor.js').then((m) => m.PoseDataPreprocessor),
});
