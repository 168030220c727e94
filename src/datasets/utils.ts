/** Meta-info from its three sources: our files, an application's object, a checkpoint (MMPose: `mmpose/datasets/datasets/utils.py`). */
import { didYouMean } from '../config.js';
import { ConfigError } from '../errors.js';
import type { DatasetInfo, KeypointInfo, PoseMetaInfo, RgbColor } from './metainfo/types.js';

/** MMPose's colours for points and links that have none. */
const DEFAULT_KEYPOINT_COLOR: RgbColor = [255, 128, 0];
const DEFAULT_LINK_COLOR: RgbColor = [96, 96, 255];

/**
 * Turns names into indices and colours into bytes, and checks the meta-info on the way.
 *
 * @throws ConfigError naming the missing key, or the point that a link or a swap names in vain
 */
export function parsePoseMetainfo(info: DatasetInfo): PoseMetaInfo {
  for (const key of ['dataset_name', 'keypoint_info', 'skeleton_info', 'joint_weights']) {
    if (info[key] === undefined) throw new ConfigError(`metainfo: "${key}" is missing; see datasets/metainfo/coco.ts.`);
  }
  const points = Object.values(info.keypoint_info);
  const links = Object.values(info.skeleton_info);
  const keypointName2id: Record<string, number> = Object.fromEntries(points.map(({ name }, i) => [name, i]));
  const idOf = (name: string, where: string): number =>
    keypointIndex(keypointName2id, name, `${info.dataset_name}.${where}`);
  return {
    datasetName: info.dataset_name,
    numKeypoints: points.length,
    keypointId2name: points.map(({ name }) => name),
    keypointName2id,
    flipIndices: points.map((point) => idOf(partnerOf(point), 'keypoint_info.swap')),
    flipPairs: flipPairsOf(points).map(([a, b]) => [idOf(a, 'keypoint_info.swap'), idOf(b, 'keypoint_info.swap')]),
    skeletonLinks: links.map(({ link: [a, b] }) => [idOf(a, 'skeleton_info.link'), idOf(b, 'skeleton_info.link')]),
    keypointColors: colorBytes(points.map(({ color }) => color ?? DEFAULT_KEYPOINT_COLOR)),
    skeletonLinkColors: colorBytes(links.map(({ color }) => color ?? DEFAULT_LINK_COLOR)),
    sigmas: Float32Array.from(info.sigmas ?? []),
    jointWeights: Float32Array.from(info.joint_weights),
    upperBodyIds: idsOfType(points, 'upper'),
    lowerBodyIds: idsOfType(points, 'lower'),
    ...(info.stats_info && { statsInfo: statsOf(info.stats_info) }),
  };
}

function keypointIndex(ids: Readonly<Record<string, number>>, name: string, where: string): number {
  if (Object.hasOwn(ids, name)) return ids[name];
  throw new ConfigError(`metainfo ${where}: "${name}" is not a keypoint.${didYouMean(name, Object.keys(ids))}`);
}

function partnerOf({ name, swap }: KeypointInfo): string {
  return swap || name;
}

/** (partner, point) of every point that has one, once each. */
function flipPairsOf(points: readonly KeypointInfo[]): [string, string][] {
  const pairs = new Map<string, [string, string]>();
  for (const point of points) {
    const partner = partnerOf(point);
    if (partner !== point.name) pairs.set(JSON.stringify([partner, point.name]), [partner, point.name]);
  }
  return [...pairs.values()];
}

function idsOfType(points: readonly KeypointInfo[], type: string): number[] {
  return points.flatMap((point, i) => (point.type === type ? [i] : []));
}

function colorBytes(colors: readonly RgbColor[]): Uint8Array {
  return Uint8Array.from(colors.flat());
}

function statsOf(stats: NonNullable<DatasetInfo['stats_info']>): Record<string, Float32Array> {
  const entries = Object.entries(stats);
  return Object.fromEntries(entries.map(([key, v]) => [key, Float32Array.from(typeof v === 'number' ? [v] : v)]));
}

/**
 * The parsed meta-info that MMPose stores in a checkpoint's `dataset_meta`. Arrays may be nested lists or NdArrays, dicts plain
 * objects or Maps, as readers of pickles give them.
 *
 * @returns null when `meta` holds no keypoint names, as in detectors' checkpoints
 */
export function poseMetainfoFromCheckpoint(meta: unknown): PoseMetaInfo | null {
  const field = fieldsOf(meta);
  const names = field('keypoint_id2name');
  if (names === undefined) return null;
  const nameOf = fieldsOf(names);
  const k = Number(field('num_keypoints') ?? sizeOfDict(names));
  const keypointId2name = Array.from({ length: k }, (_, i) => String(nameOf(String(i))));
  const stats = field('stats_info');
  return {
    datasetName: String(field('dataset_name') ?? 'unknown'),
    numKeypoints: k,
    keypointId2name,
    keypointName2id: Object.fromEntries(keypointId2name.map((name, i) => [name, i])),
    flipIndices: flat(field('flip_indices') ?? keypointId2name.map((_, i) => i)),
    flipPairs: pairs(field('flip_pairs')),
    skeletonLinks: pairs(field('skeleton_links')),
    keypointColors: Uint8Array.from(flat(field('keypoint_colors'))),
    skeletonLinkColors: Uint8Array.from(flat(field('skeleton_link_colors'))),
    sigmas: Float32Array.from(flat(field('sigmas'))),
    jointWeights: Float32Array.from(flat(field('dataset_keypoint_weights'))),
    upperBodyIds: flat(field('upper_body_ids')),
    lowerBodyIds: flat(field('lower_body_ids')),
    ...(stats !== undefined && { statsInfo: statsInfoOf(stats) }),
  };
}

/** Reads string keys of a plain object or a Map; a Map's keys may also be the integers of a Python dict. */
function fieldsOf(dict: unknown): (key: string) => unknown {
  if (dict instanceof Map) return (key) => dict.get(key) ?? dict.get(Number(key)) ?? undefined;
  if (typeof dict !== 'object' || dict === null) return () => undefined;
  return (key) => (Object.hasOwn(dict, key) ? ((dict as Record<string, unknown>)[key] ?? undefined) : undefined);
}

function sizeOfDict(dict: unknown): number {
  return dict instanceof Map ? dict.size : Object.keys(dict as object).length;
}

function statsInfoOf(stats: unknown): Record<string, Float32Array> {
  const entries = stats instanceof Map ? [...stats] : Object.entries(stats as object);
  return Object.fromEntries(entries.map(([key, value]) => [String(key), Float32Array.from(flat(value))]));
}

/** Numbers of a scalar, a nested list, a typed array or an NdArray, in order. */
function flat(value: unknown): number[] {
  if (value === undefined || value === null) return [];
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return [Number(value)];
  if (Array.isArray(value)) return value.flatMap(flat);
  if (ArrayBuffer.isView(value)) return Array.from(value as Float32Array, Number);
  if (typeof value === 'object' && 'data' in value) return flat(value.data);
  throw new ConfigError(`dataset_meta: found ${typeof value} where numbers were expected; the checkpoint is damaged.`);
}

function pairs(value: unknown): [number, number][] {
  const numbers = flat(value);
  return Array.from({ length: numbers.length >> 1 }, (_, i) => [numbers[i * 2], numbers[i * 2 + 1]]);
}
