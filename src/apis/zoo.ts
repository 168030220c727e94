/**
 * The models that MMPose has published, as facts: config, weights file, metrics. They are one file of the package,
 * `inpose-zoo.json` (`models/make_zoo.ts` makes it), found as the default model is and read only when something asks for it.
 */
import { withoutExtension, type Fetch } from '../checkpoint/byte_source.js';
import { didYouMean } from '../config.js';
import { ConfigError } from '../errors.js';
import { packageUrl } from '../page_url.js';
import { fetchText } from './fetch_text.js';
import type { PoseConfig } from './model_config.js';
import { nodeFiles } from './node_files.js';

/** A published model. */
export interface ZooModel {
  /** The name of MMPose's config file, such as `rtmpose-m_8xb256-420e_coco-256x192`. */
  readonly name: string;
  /** Short names that MMPose's inferencers take: `human`, `face`. */
  readonly aliases: readonly string[];
  /** `Body 2D Keypoint`, `Hand 3D Keypoint`, ...; `Detection`: to pass as `detCheckpoint`. */
  readonly task: string;
  readonly trainingData: string;
  /** 0 for detectors. */
  readonly numKeypoints: number;
  /** What the network sees, px; null for lifters and where the picture decides. */
  readonly inputSize: readonly [w: number, h: number] | null;
  /** Numbers in the weights file; null where MMPose itself cannot build the model. */
  readonly numWeights: number | null;
  /** What MMPose reports. */
  readonly results: readonly { readonly dataset: string; readonly metrics: Readonly<Record<string, number>> }[];
  /** Address of the weights. Nothing is fetched from there: download them, or let `inpose pull` do so. */
  readonly weights: string;
  /** To pass as `config`. */
  readonly config: PoseConfig;
}

export interface ZooOptions {
  /** Stands in for the global `fetch`. */
  readonly fetch?: Fetch;
}

export interface ListModelsOptions extends ZooOptions {
  /** Only models with all these words in name, alias, task or training data, whatever their case. */
  readonly words?: string;
}

/**
 * The published models, in the order of their names (MMEngine: `BaseInferencer.list_models`).
 *
 * @throws ConfigError when the package's list cannot be read
 */
export async function listModels({ words = '', fetch }: ListModelsOptions = {}): Promise<readonly ZooModel[]> {
  const wanted = words.toLowerCase().split(/\s+/);
  return (await allModels({ fetch })).filter((model) => {
    const text = [model.name, ...model.aliases, model.task, model.trainingData].join(' ').toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}

/** What is told of a model's accuracy where there is room for one number: the first of these that was measured. */
const MAIN_METRICS = ['AP', 'Whole AP', 'PCK@0.2', 'Mean', 'PCK', 'Total', 'NME', 'NME full', 'NME test', 'MPJPE'];

/** `AP 0.746 (COCO)`: the number by which models of one kind are compared. */
export function mainResult({ results: [{ dataset, metrics }] }: ZooModel): string {
  const names = Object.keys(metrics);
  const metric = MAIN_METRICS.find((name) => names.includes(name)) ?? names[0];
  return `${metric} ${metrics[metric]} (${dataset})`;
}

let toldUrl: string | null = null;
let listed: Promise<readonly ZooModel[]> | null = null;

function allModels(options: ZooOptions): Promise<readonly ZooModel[]> {
  return (listed ??= readList(options).catch((error: unknown) => {
    listed = null; // may be there the next time
    throw error;
  }));
}

/** Address of the list. */
export function publishedModelsUrl(): string {
  return toldUrl ?? packageUrl(new URL('../../models/inpose-zoo.json', import.meta.url).href);
}

/** Says where the list is: a bundler may have put it elsewhere than beside the worker's script, and only the page's part knows where. */
export function setPublishedModelsUrl(url: string): void {
  toldUrl = url;
}

async function readList({ fetch }: ZooOptions): Promise<readonly ZooModel[]> {
  const [url, what] = [publishedModelsUrl(), 'the list of published models that comes with the package'];
  const files = fetch ? undefined : nodeFiles(url);
  try {
    return JSON.parse(files ? await files.readFile(new URL(url), 'utf8') : await fetchText(url, what, { fetch }));
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(`${url}: could not be read; expected ${what}.`, { cause });
  }
}

/**
 * One published model, by name, alias, or the name of its weights file.
 *
 * ```js
 * const { config } = await findModel('rtmpose-m_8xb256-420e_coco-256x192');
 * const inferencer = await Pose2DInferencer.create({ config, checkpoint: '/models/mine.pth' });
 * ```
 *
 * @throws ConfigError for a name that is not one of them, with the nearest
 */
export async function findModel(name: string, options: ZooOptions = {}): Promise<ZooModel> {
  const models = await allModels(options);
  const found =
    models.find((model) => model.name === name || model.aliases.includes(name)) ?? modelOfFile(models, name);
  if (found) return found;
  const names = models.flatMap((model) => [model.name, ...model.aliases]);
  throw new ConfigError(`model: "${name}" is not a published model.${didYouMean(name, names)}`);
}

/** The config of the model whose weights are published under a file's name; null where there is none, or no list. */
export async function publishedConfig(file: string, options: ZooOptions = {}): Promise<PoseConfig | null> {
  const models = await allModels(options).catch(() => []); // an application may leave the list out
  return modelOfFile(models, file)?.config ?? null;
}

function modelOfFile(models: readonly ZooModel[], file: string): ZooModel | undefined {
  const stem = stemOf(file);
  return models.find(({ weights }) => stemOf(weights) === stem);
}

/** `hrnet_w32-c78dce93.pth (1)`, its URL, and the same as `.safetensors` all have one stem. */
function stemOf(file: string): string {
  const path = file.split(/[?#]/)[0];
  const name = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
  return withoutExtension(name.replace(/ ?\(\d+\)(?=\.\w+$)/, '')).toLowerCase();
}
