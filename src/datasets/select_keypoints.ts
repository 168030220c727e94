/** The meta-info of some of a dataset's keypoints, for networks that know more of them than they give. */
import { ConfigError } from '../errors.js';
import type { PoseMetaInfo } from './metainfo/types.js';

/**
 * @param indices - of the keypoints that stay, in their new order
 * @returns links and pairs whose ends both stay; a keypoint whose partner goes is its own partner then
 * @throws ConfigError for an index that the dataset does not have
 */
export function selectKeypoints(metainfo: PoseMetaInfo, indices: readonly number[]): PoseMetaInfo {
  const { datasetName, numKeypoints } = metainfo;
  const outside = indices.find((i) => i >= numKeypoints);
  if (outside !== undefined) {
    throw new ConfigError(
      `output_keypoint_indices: found ${outside}; expected indices below ${numKeypoints}, the keypoints of "${datasetName}".`,
    );
  }
  const newId = new Map(indices.map((from, to) => [from, to]));
  const renumber = (pairs: readonly (readonly [number, number])[]) =>
    pairs.map(([a, b]) => [newId.get(a), newId.get(b)] as const);
  const staying = (pair: readonly (number | undefined)[]): pair is readonly [number, number] =>
    !pair.includes(undefined);
  const links = renumber(metainfo.skeletonLinks);
  const keptLinks = [...links.keys()].filter((i) => staying(links[i]));
  const keypointId2name = indices.map((i) => metainfo.keypointId2name[i]);
  const ids = (list: readonly number[]) => list.flatMap((i) => newId.get(i) ?? []);
  return {
    datasetName,
    numKeypoints: indices.length,
    keypointId2name,
    keypointName2id: Object.fromEntries(keypointId2name.map((name, i) => [name, i])),
    flipIndices: indices.map((from, to) => newId.get(metainfo.flipIndices[from]) ?? to),
    flipPairs: renumber(metainfo.flipPairs).filter(staying),
    skeletonLinks: links.filter(staying),
    keypointColors: rows(metainfo.keypointColors, indices, 3),
    skeletonLinkColors: rows(metainfo.skeletonLinkColors, keptLinks, 3),
    sigmas: rows(metainfo.sigmas, indices),
    jointWeights: rows(metainfo.jointWeights, indices),
    upperBodyIds: ids(metainfo.upperBodyIds),
    lowerBodyIds: ids(metainfo.lowerBodyIds),
  };
}

/** Rows of `width` numbers; what a dataset does not publish is missing here as well. */
function rows<T extends Uint8Array | Float32Array>(data: T, indices: readonly number[], width = 1): T {
  const numbers = indices.flatMap((i) => [...data.subarray(i * width, (i + 1) * width)]);
  return (data instanceof Uint8Array ? Uint8Array.from(numbers) : Float32Array.from(numbers)) as T;
}
