/** Weights files: reading, writing, converting old names. Needs no tfjs and runs in pages, workers and Node alike. */
export type { ByteSource, ByteSourceLike, ByteSourceOptions, Fetch } from './byte_source.js';
export { sidecarName } from './byte_source.js';
export { openByteSource } from './open_byte_source.js';
export { readConfigText, type ConfigOrigin, type WholeConfig } from './config_source.js';
export { convertStateDict, HEAD_CONVERSIONS } from './conversion.js';
export { encodeModelMetadata, type ModelMetadata } from './model_metadata.js';
export { openCheckpoint, type Checkpoint, type OpenCheckpointOptions } from './open_checkpoint.js';
export type { PlainObject, PlainValue } from './plain.js';
export { parsePythonConfig, type PyLiteral } from './py_literal.js';
export { encodeSafetensors, readSafetensors, writeSafetensors, type WriteOptions } from './safetensors.js';
export type { StoredStateDict } from './select_state_dict.js';
export type { CheckpointDtype, CheckpointTensor, StateDict, StateDictVersions } from './state_dict.js';
