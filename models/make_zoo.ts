/**
 * `npm run make:zoo`: writes `inpose-zoo.json`, the published models that the library knows by name, from MMPose's model index (name,
 * config, weights URL, metrics and parameters of each, as one list). Facts that belong to training are left out, and what a config
 * says of its dataset is put where MMPose's own configs have it, so that the library reads both alike.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { Letterbox } from '../src/apis/detector_config.js';
import { bottomupResize, findMetainfo, metainfoMismatch, topdownPipeline } from '../src/apis/model_config.js';
import type { PoseConfig } from '../src/apis/model_config.js';
import type { ZooModel } from '../src/apis/zoo.js';
import type { ConfigDict } from '../src/config.js';
import { buildDetector } from '../src/models/detectors/build_detector.js';
import { sizeOf } from '../src/ndarray.js';
import { namedParameters } from '../src/nn/module.js';
import { runTool } from '../tests/support/tool.js';
import { rtmdetOfOneClass } from './rtmdet_configs.js';

const INDEX = fileURLToPath(new URL('../../shared/zoo/mmpose-models.json', import.meta.url));
const PROJECTS = 'https://download.openmmlab.com/mmpose/v1/projects';
const OUTPUT = fileURLToPath(new URL('inpose-zoo.json', import.meta.url));

/** What the index says of a model, as far as it is read. */
interface Entry {
  readonly config: string;
  readonly alias: string | readonly string[] | null;
  readonly training_data: string | readonly string[];
  readonly weights: string;
  readonly results: readonly { Task: string; Dataset: string; Metrics: Readonly<Record<string, number>> }[];
  readonly dataset_type: string;
  readonly metainfo: string | null;
  readonly model: ConfigDict;
  readonly test_pipeline: readonly ConfigDict[];
  readonly state_dict: { readonly values: number } | null;
}

/** `test_dataloader.dataset` of the lifters, which the index lacks; from their configs in `configs/body_3d_keypoint`. */
const SEQUENCES: readonly (readonly [name: RegExp, dataset: Readonly<Record<string, unknown>>])[] = [
  [/^image-pose-lift_tcn/, { seq_len: 1, causal: true }],
  [/^motionbert_/, { seq_len: 1, seq_step: 1, multiple_target: 243 }],
  [/^video-pose-lift_tcn-1frm/, { seq_len: 1, causal: false, pad_video_seq: false }],
  [/^video-pose-lift_tcn-27frm/, { seq_len: 27, causal: false, pad_video_seq: true }],
  [/^video-pose-lift_tcn-81frm/, { seq_len: 81, causal: false, pad_video_seq: true }],
  [/^video-pose-lift_tcn-243frm/, { seq_len: 243, causal: false, pad_video_seq: true }],
];

/** MMPose's own choice of detectors (`demo/mmdetection_cfg`, `projects/rtmpose/README.md`), which the index does not have. */
const DETECTORS: readonly Omit<ZooModel, 'task' | 'aliases' | 'numKeypoints' | 'inputSize' | 'numWeights'>[] = [
  {
    name: 'rtmdet_nano_320-8xb32_coco-person',
    trainingData: 'COCO, Objects365',
    results: [{ dataset: 'COCO persons', metrics: { AP: 0.403 } }],
    weights: `${PROJECTS}/rtmpose/rtmdet_nano_8xb32-100e_coco-obj365-person-05d8511e.pth`,
    config: rtmdetOfOneClass('nano', 320),
  },
  {
    name: 'rtmdet_m_640-8xb32_coco-person',
    trainingData: 'COCO, Objects365',
    results: [{ dataset: 'COCO persons', metrics: { AP: 0.625 } }],
    weights: `${PROJECTS}/rtmpose/rtmdet_m_8xb32-100e_coco-obj365-person-235e8209.pth`,
    config: rtmdetOfOneClass('m', 640),
  },
  {
    name: 'rtmdet_nano_320-8xb32_hand',
    trainingData: 'hands of several datasets',
    results: [{ dataset: 'OneHand10K', metrics: { AP: 0.76 } }],
    weights: `${PROJECTS}/rtmposev1/rtmdet_nano_8xb32-300e_hand-267f9c8f.pth`,
    config: rtmdetOfOneClass('nano', 320),
  },
];

const { index, output } = new Command('make:zoo')
  .option('--index <file>', "MMPose's model index as a list", INDEX)
  .option('-o, --output <file>', 'file to write', OUTPUT)
  .parse()
  .opts<{ readonly index: string; readonly output: string }>();

await runTool('zoo', async () => {
  const entries: readonly Entry[] = JSON.parse(await readFile(index, 'utf8'));
  const models: ZooModel[] = [];
  for (const name of new Set(entries.map(({ config }) => nameOf(config)))) {
    // The index has a model twice where it was measured in two ways.
    const same = entries.filter(({ config }) => nameOf(config) === name);
    if (hasItsOwnWeights(name, same[0], entries)) models.push(await zooModel(name, same, takenAliases(models)));
    else console.log(`${name}: left out, its weights are those of another model`);
  }
  for (const detector of DETECTORS) models.push(await zooDetector(detector));
  models.sort((a, b) => (a.name < b.name ? -1 : 1));
  await writeFile(output, `[\n${models.map((model) => JSON.stringify(model)).join(',\n')}\n]\n`);
  console.log(`${output}: ${models.length} models`);
  return true;
});

/** The config's file name: the index's own `name` is that of another model in one case. */
function nameOf(config: string): string {
  return config.slice(config.lastIndexOf('/') + 1).replace(/\.py$/, '');
}

/** One entry of the index repeats another's address: whose file it is, is in the file's name. */
function hasItsOwnWeights(name: string, { weights }: Entry, entries: readonly Entry[]): boolean {
  const others = entries.filter((other) => other.weights === weights && nameOf(other.config) !== name);
  return others.length === 0 || weights.includes(`/${name}-`);
}

/** An alias stands for the first model that has it, as in MMEngine. */
function takenAliases(models: readonly ZooModel[]): ReadonlySet<string> {
  return new Set(models.flatMap(({ aliases }) => aliases));
}

async function zooModel(name: string, same: readonly Entry[], taken: ReadonlySet<string>): Promise<ZooModel> {
  const [entry] = same;
  if (new Set(same.map(({ weights }) => weights)).size > 1) throw new Error(`${name}: more than one weights file`);
  const config = configOf(name, entry);
  const notices: string[] = [];
  const metainfo = await findMetainfo(undefined, null, config, notices);
  const mismatch = metainfoMismatch(config, metainfo) ?? notices[0];
  if (mismatch) throw new Error(`${name}: ${mismatch}`);
  return {
    name,
    aliases: [entry.alias ?? []].flat().filter((alias) => !taken.has(alias)),
    task: entry.results[0].Task,
    trainingData: isMislabelled(entry) ? 'COCO' : [entry.training_data].flat().join(', '),
    numKeypoints: metainfo.numKeypoints,
    inputSize: inputSizeOf(config),
    numWeights: entry.state_dict?.values ?? null,
    results: same.flatMap((one) => resultsOf(one)),
    weights: addressOf(entry),
    config,
  };
}

async function zooDetector(facts: (typeof DETECTORS)[number]): Promise<ZooModel> {
  const { inputSize } = new Letterbox(facts.config, 32);
  const parameters = [...namedParameters(await buildDetector(facts.config.model)).values()];
  const numWeights = parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return { ...{ task: 'Detection', aliases: [], numKeypoints: 0, inputSize, numWeights }, ...facts };
}

function configOf(name: string, entry: Entry): PoseConfig {
  const { model, dataset_type: type, metainfo } = entry;
  const lifting = SEQUENCES.find(([pattern]) => pattern.test(name))?.[1];
  const subset = /deepfashion_(upper|lower|full)/.exec(name)?.[1];
  const dataset = {
    type,
    ...(metainfo && { metainfo: { from_file: metainfo } }),
    ...(subset && { subset }),
    ...lifting,
  };
  const pipeline = entry.test_pipeline.map(withoutFileSystem);
  return { model, test_dataloader: { dataset: { ...dataset, pipeline } } };
}

/** The index says CrowdPose of the RTMOs that were trained on COCO and measured there, as the page of their folder has it. */
function isMislabelled({ config }: Entry): boolean {
  return config.includes('/rtmo/coco/');
}

function resultsOf(entry: Entry): ZooModel['results'] {
  return entry.results.map(({ Dataset, Metrics }) => ({
    dataset: isMislabelled(entry) ? 'COCO' : Dataset,
    metrics: Metrics,
  }));
}

/** One address of the index has a bracket before it. */
function addressOf({ weights }: Entry): string {
  const [address] = /https:\/\/\S+\.pth$/.exec(weights) ?? [];
  if (address === undefined) throw new Error(`${weights}: expected the address of a .pth file`);
  return address;
}

/** A step of a pipeline without where it reads files from. */
function withoutFileSystem(step: ConfigDict): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(step).filter(([key]) => key !== 'backend_args'));
}

/** px; null for what takes no pictures. */
function inputSizeOf(config: PoseConfig): readonly [w: number, h: number] | null {
  if (config.model.type === 'TopdownPoseEstimator') return topdownPipeline(config).affine.inputSize;
  if (config.model.type === 'BottomupPoseEstimator') return bottomupResize(config).inputSize;
  return null;
}
