/**
 * inpose: MMPose's inference side in the browser. Importing this has no effect, and networks, codecs, meta-info and backends
 * load only when they are used.
 */
export { BackendError, CheckpointError, ConfigError, InposeError, InputError, type InposeErrorCode } from './errors.js';
export { Registry, type Loader } from './registry.js';
export { ndarray, type NdArray, type TypedArray } from './ndarray.js';
export type { ConfigDict } from './config.js';

// Loading models and running them
export { inferenceBottomup, inferenceTopdown, initModel } from './apis/inference.js';
export { inferenceDetector, initDetector } from './apis/detection.js';
export type { InferenceDetectorOptions, InitDetectorOptions } from './apis/detection.js';
export type { DetModel } from './apis/det_model.js';
export { defaultModelUrl } from './apis/default_model.js';
export { findModel, listModels, mainResult } from './apis/zoo.js';
export type { ListModelsOptions, ZooModel, ZooOptions } from './apis/zoo.js';
export type {
  ConfigSource,
  InferenceBottomupOptions,
  InferenceTopdownOptions,
  InitModelOptions,
  LoadProgress,
} from './apis/inference.js';
export { Pose2DInferencer } from './apis/inferencers/pose2d_inferencer.js';
export type { InferOptions, Pose2DInferencerOptions, StreamOptions } from './apis/inferencers/pose2d_inferencer.js';
export { Pose3DInferencer } from './apis/inferencers/pose3d_inferencer.js';
export type {
  LiftedPoses,
  LiftOptions,
  Pose2DSource,
  Pose3DInferencerOptions,
} from './apis/inferencers/pose3d_inferencer.js';
export { inferencePoseLifterModel, type InferencePoseLifterOptions } from './apis/pose_lifting.js';
export {
  collatePoseSequence,
  convertKeypointDefinition,
  extractPoseSequence,
  type PoseSequence,
  type PoseSequenceOptions,
} from './apis/pose_sequences.js';
export type { PersonDetectorOptions } from './apis/person_detector.js';
export type { PoseModel } from './apis/pose_model.js';
export type { Timings } from './apis/predict_topdown.js';
export type { BoxesLike, BoxFormat } from './apis/boxes.js';
export { FrameReader, type Frame, type FrameSource } from './apis/frame.js';
export type { MetainfoSource, PoseConfig } from './apis/model_config.js';

// Backends
export { BACKEND_NAMES, createBackend } from './backend/init.js';
export type { Backend, BackendChoice, BackendName, BackendOptions } from './backend/init.js';
export type { WasmPaths } from './backend/wasm_paths.js';

// Results, and the geometry between picture and network
export * from './structures/index.js';

// Weights files
export * from './checkpoint/index.js';
export { compareStateDict, loadStateDict, type LoadReport } from './nn/load_state_dict.js';

// Building blocks, and the registries that an application adds its own to
export { KEYPOINT_CODECS, loadBatchDecode } from './codecs/index.js';
export type { CodecClass, DecodedKeypoints, EncodedLabels, KeypointCodec } from './codecs/base.js';
export { BACKBONES, type BackboneClass } from './models/backbones/index.js';
export { NECKS, type NeckClass } from './models/necks/index.js';
export { HEADS, type DenseFields, type HeadClass, type HeadFeats, type HeadPrediction } from './models/heads/index.js';
export { BaseHead } from './models/heads/base_head.js';
export {
  BottomupHead,
  type PictureBackend,
  type PictureOutputs,
  type PicturePrediction,
} from './models/heads/bottomup_head.js';
export * from './nn/index.js';
export { DATA_PREPROCESSORS } from './models/data_preprocessors/index.js';
export { BBOX_HEADS, DETECTORS } from './models/detectors/index.js';
export { buildDetector } from './models/detectors/build_detector.js';
export { POSE_ESTIMATORS } from './models/pose_estimators/index.js';
export {
  buildBackbone,
  buildDecoder as buildCodec,
  buildHead,
  buildNeck,
  buildPoseEstimator,
} from './models/builder.js';
export type { FlipMode, TestCfg } from './models/test_cfg.js';

// Datasets, meta-info and transforms
export * from './datasets/index.js';

// Metrics
export * from './evaluation/index.js';

// Following people from frame to frame
export * from './tracking/index.js';

// Drawing
export * from './visualization/index.js';
