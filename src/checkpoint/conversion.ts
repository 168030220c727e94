/**
 * Renames of old state_dicts, as MMPose's `_load_state_dict_pre_hook`s do: plain functions, and a table that says which model
 * classes they concern. Most apply only when the file's version of that module is missing or below 2 (MMPose 0.x); applied to a
 * new file by mistake, DEKR's would ruin it.
 */
import type { TypedArray } from '../ndarray.js';
import type { CheckpointTensor, StateDict, StateDictVersions } from './state_dict.js';

/** A state_dict of anything that can be renamed: lazy tensors, or arrays in a test. */
export type Weights<T> = ReadonlyMap<string, T>;

/** What DEKR's conversion does to tensors, beyond renaming. */
export interface TensorOps<T> {
  /** `-v` */
  negate(tensor: T): T;
  /** `torch.cat((v[1:], v[:1]))` */
  rotateFirst(tensor: T): T;
}

/** Old names are of version 1 or none; all converted modules are at version 2. */
const CURRENT_VERSION = 2;

/** Whether a module of this version needs its old names converted. */
export function isOldVersion(version: number | null | undefined): boolean {
  return !version || version < CURRENT_VERSION;
}

/** Renames in place of order: converted keys go to the end, as Python's pop and set do. */
function rename<T>(
  source: Weights<T>,
  change: (key: string, tensor: T) => readonly [string, T] | null,
): Map<string, T> {
  const out = new Map(source);
  for (const [key, tensor] of source) {
    const changed = change(key, tensor);
    if (!changed) continue;
    out.delete(key);
    out.set(changed[0], changed[1]);
  }
  return out;
}

/** `str.lstrip(characters)`: MMPose uses it to cut a prefix, and depends on it cutting more. */
function stripLeft(text: string, characters: string): string {
  let start = 0;
  while (start < text.length && characters.includes(text[start])) start++;
  return text.slice(start);
}

/** `BasePoseEstimator`: the preprocessor's constants go; 0.x says `keypoint_head`. */
export function convertPoseEstimator<T>(stateDict: Weights<T>, version: number | null | undefined): Map<string, T> {
  const kept = new Map(stateDict);
  kept.delete('data_preprocessor.mean');
  kept.delete('data_preprocessor.std');
  if (!isOldVersion(version)) return kept;
  return rename(kept, (key, tensor) =>
    key.includes('keypoint_head') ? [key.replaceAll('keypoint_head', 'head'), tensor] : null,
  );
}

/**
 * `HeatmapHead` and `ViPNASHead`: 0.x kept the intermediate convolutions in `final_layer`.
 *
 * @param convLayers - entries of the head's `conv_layers` sequence (three per convolution: conv, norm, activation)
 */
export function convertHeatmapHead<T>(
  stateDict: Weights<T>,
  prefix: string,
  version: number | null | undefined,
  convLayers: number,
): Map<string, T> {
  if (!isOldVersion(version)) return new Map(stateDict);
  return rename(stateDict, (key, tensor) => {
    if (!key.startsWith(prefix)) return null;
    const [layer, index, name, ...rest] = key.slice(prefix.length).split('.');
    if (layer !== 'final_layer' || name === undefined || rest.length > 0) return [key, tensor];
    const renamed = Number(index) < convLayers ? `conv_layers.${index}.${name}` : `final_layer.${name}`;
    return [prefix + renamed, tensor];
  });
}

/** `RLEHead`: 0.x called the loss `loss`. */
export function convertRLEHead<T>(
  stateDict: Weights<T>,
  prefix: string,
  version: number | null | undefined,
): Map<string, T> {
  if (!isOldVersion(version)) return new Map(stateDict);
  return rename(stateDict, (key, tensor) => {
    const [first, ...rest] = stripLeft(key, prefix).split('.');
    return [first === 'loss' ? `${prefix}loss_module.${rest.join('.')}` : key, tensor];
  });
}

/**
 * `IntegralRegressionHead` and `DSNTHead`: weights of a heatmap head go into `simplebaseline_head`, whatever the version.
 *
 * @param hasSimpleBaseline - the head has deconvolutions, and so a `simplebaseline_head`
 */
export function convertIntegralRegressionHead<T>(
  stateDict: Weights<T>,
  prefix: string,
  hasSimpleBaseline: boolean,
): Map<string, T> {
  return rename(stateDict, (key, tensor) => {
    if (!key.startsWith(prefix)) return null;
    // Cutting the characters of "head." turns "head.deconv_layers" into "conv_layers" as well.
    const name = stripLeft(key, prefix);
    const [first, ...rest] = name.split('.');
    if (!hasSimpleBaseline) return [key, tensor];
    if (first === 'conv_layers') return [`${prefix}simplebaseline_head.deconv_layers.${rest.join('.')}`, tensor];
    return [first === 'final_layer' ? `${prefix}simplebaseline_head.${name}` : key, tensor];
  });
}

const CID_NAMES: readonly (readonly [string, string])[] = [
  ['keypoint_center_conv', 'iia_module.keypoint_root_conv'],
  ['conv_down', 'gfd_module.conv_down'],
  ['c_attn', 'gfd_module.channel_attention'],
  ['s_attn', 'gfd_module.spatial_attention'],
  ['fuse_attn', 'gfd_module.fuse_attention'],
  ['heatmap_conv', 'gfd_module.heatmap_conv'],
];

/** `CIDHead`: 1.x groups its layers into modules. */
export function convertCIDHead<T>(stateDict: Weights<T>, version: number | null | undefined): Map<string, T> {
  if (!isOldVersion(version)) return new Map(stateDict);
  return rename(stateDict, (key, tensor) => {
    const name = CID_NAMES.reduce((text, [old, now]) => (text.includes(old) ? text.replaceAll(old, now) : text), key);
    return name === key ? null : [name, tensor];
  });
}

/** `DEKRHead`: new names, displacements the other way round, and the root's heatmap last instead of first. */
export function convertDEKRHead<T>(
  stateDict: Weights<T>,
  version: number | null | undefined,
  ops: TensorOps<T>,
): Map<string, T> {
  if (!isOldVersion(version)) return new Map(stateDict);
  return rename(stateDict, (key, tensor) => {
    if (key.includes('offset_conv_layer')) {
      const name = key.replaceAll('offset_conv_layers', 'displacement_conv_layers');
      return [name, name.includes('displacement_conv_layers.3.') ? ops.negate(tensor) : tensor];
    }
    if (key.includes('heatmap_conv_layers.2')) return [key, ops.rotateFirst(tensor)];
    return key.includes('rescore_net') ? [key.replaceAll('rescore_net', 'head.rescore_net'), tensor] : null;
  });
}

/**
 * MMCV's `DeformConv2dPack` and `ModulatedDeformConv2dPack`: before version 2 the offset layer stood beside the convolution
 * (`conv1_offset.weight`), now it is in it (`conv1.conv_offset.weight`).
 *
 * @param prefix - of the convolution, with its dot: `backbone.layer1.0.conv2.`
 */
export function convertDeformConv2dPack<T>(
  stateDict: Weights<T>,
  prefix: string,
  version: number | null | undefined,
): Map<string, T> {
  if (!isOldVersion(version)) return new Map(stateDict);
  return rename(stateDict, (key, tensor) => {
    const name = ['weight', 'bias'].find((part) => key === `${prefix.slice(0, -1)}_offset.${part}`);
    const renamed = `${prefix}conv_offset.${name}`;
    return name !== undefined && !stateDict.has(renamed) ? [renamed, tensor] : null;
  });
}

// ---- by model class

type HeadConfig = Readonly<Record<string, unknown>>;
type HeadConversion = (
  stateDict: StateDict,
  version: number | undefined,
  head: HeadConfig,
) => Map<string, CheckpointTensor>;

const heatmapHead: HeadConversion = (stateDict, version, head) =>
  convertHeatmapHead(stateDict, 'head.', version, 3 * lengthOf(head.conv_out_channels));
const integralHead: HeadConversion = (stateDict, _version, head) =>
  convertIntegralRegressionHead(
    stateDict,
    'head.',
    head.deconv_out_channels === undefined || lengthOf(head.deconv_out_channels) > 0,
  );

/** Head class -> conversion of the keys below `head.`. */
export const HEAD_CONVERSIONS: Readonly<Record<string, HeadConversion>> = {
  HeatmapHead: heatmapHead,
  ViPNASHead: heatmapHead,
  AssociativeEmbeddingHead: heatmapHead,
  RLEHead: (stateDict, version) => convertRLEHead(stateDict, 'head.', version),
  IntegralRegressionHead: integralHead,
  DSNTHead: integralHead,
  CIDHead: (stateDict, version) => convertCIDHead(stateDict, version),
  DEKRHead: (stateDict, version) => convertDEKRHead(stateDict, version, LAZY_TENSOR_OPS),
};

function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 0;
}

/**
 * All conversions that a model needs, in MMPose's order: the estimator's, then the head's.
 *
 * @param model - the config's `model`; its `head.type` chooses the conversion
 */
export function convertStateDict(
  stateDict: StateDict,
  versions: StateDictVersions,
  model: Readonly<Record<string, unknown>>,
): StateDict {
  const converted = convertPoseEstimator(stateDict, versions.get(''));
  const head = model.head as HeadConfig | null | undefined;
  const type = String(head?.type ?? '').replace(/^.*\./, '');
  if (!head || !Object.hasOwn(HEAD_CONVERSIONS, type)) return converted;
  // Only the head's own keys, as in PyTorch; 0.x kept DEKR's rescore_net beside the head.
  const isHeads = (key: string) => key.startsWith('head.') || key.startsWith('rescore_net.');
  const own = new Map([...converted].filter(([key]) => isHeads(key)));
  const rest = [...converted].filter(([key]) => !isHeads(key));
  return new Map([...rest, ...HEAD_CONVERSIONS[type](own, versions.get('head'), head)]);
}

/** DEKR's tensor changes, applied when the tensor is read. */
const LAZY_TENSOR_OPS: TensorOps<CheckpointTensor> = {
  negate: (tensor) => transformed(tensor, (values) => (values as Float32Array).map((v) => -v)),
  rotateFirst: (tensor) =>
    transformed(tensor, (values) => {
      const first = values.length / (tensor.shape[0] || 1);
      const out = values.slice() as Float32Array;
      out.set((values as Float32Array).subarray(first));
      out.set((values as Float32Array).subarray(0, first), values.length - first);
      return out;
    }),
};

function transformed(tensor: CheckpointTensor, change: (values: TypedArray) => TypedArray): CheckpointTensor {
  const { dtype, shape } = tensor;
  return { dtype, shape, read: async () => change(await tensor.read()) };
}
