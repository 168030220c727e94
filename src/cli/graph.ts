/** `inpose inspect FILE --graph`: the operations of a model's forward pass, as the jit records them and as it compiles them. */
import { writeFile } from 'node:fs/promises';
import { initDetector } from '../apis/detection.js';
import { initModel } from '../apis/inference.js';
import { bottomupResize, topdownPipeline } from '../apis/model_config.js';
import type { WholeConfig } from '../checkpoint/config_source.js';
import type { PoseMetaInfo } from '../datasets/metainfo/types.js';
import { poseMetainfoFromCheckpoint } from '../datasets/utils.js';
import { ConfigError } from '../errors.js';
import { drawGraph } from '../jit/draw_graph.js';
import { printGraph, type Graph } from '../jit/graph.js';
import { optimize } from '../jit/passes/index.js';
import { trace } from '../jit/trace.js';
import { DETECTORS } from '../models/detectors/index.js';
import type { CompilableEstimator } from '../apis/model_jit.js';
import type { PoseDataSample } from '../structures/pose_data_sample.js';
import type { Tensor4D } from '../tf.js';
import { withCheckpoint } from './open.js';

export interface GraphOptions {
  /** After the jit's rewrites, with what each dispatch computes. */
  readonly optimized?: boolean;
  /** Persons. @default 1 */
  readonly batch?: number;
  /** Also draw it into this SVG file. */
  readonly svg?: string;
  readonly signal?: AbortSignal;
}

/**
 * The graph as text, one line per operation. The weights are not read: only their shapes are in it.
 *
 * @throws ConfigError when the file holds no config of a model
 */
export async function inspectGraph(file: string, options: GraphOptions = {}): Promise<string> {
  const { optimized = false, batch = 1, svg, signal } = options;
  const graph = await withCheckpoint(file, { signal }, ({ config, datasetMeta, name }) => {
    if (!config) throw new ConfigError(`${name}: found no config; put NAME.config.json beside the file.`);
    return graphOf(config, datasetMeta && poseMetainfoFromCheckpoint(datasetMeta), batch);
  });
  const shown = optimized ? optimize(graph) : graph;
  if (svg) await writeFile(svg, drawGraph(shown));
  return printGraph(shown);
}

function isDetector(config: WholeConfig): boolean {
  const { model } = config as { readonly model?: { readonly type?: unknown } };
  return typeof model?.type === 'string' && DETECTORS.has(model.type);
}

async function graphOfDetector(config: WholeConfig, batch: number): Promise<Graph> {
  const model = await initDetector(config, null, { backend: 'cpu' });
  try {
    const [w, h] = model.letterbox.inputSize;
    return await trace([batch, h, w, 3], (x) => [model.detector.forward(x as Tensor4D)]);
  } finally {
    await model.dispose();
  }
}

/** Records one forward of the model with empty weights, decoding included. */
async function graphOf(config: WholeConfig, metainfo: PoseMetaInfo | null, batch: number): Promise<Graph> {
  if (isDetector(config)) return graphOfDetector(config, batch);
  const model = await initModel(config, null, { backend: 'cpu', ...(metainfo && { metainfo }) });
  try {
    const estimator = model.estimator as CompilableEstimator;
    if (!('predictTensors' in estimator)) throw new ConfigError('model.type: found one from outside, without a graph.');
    const isWhole = 'decodePictures' in estimator;
    const [w, h] = isWhole ? bottomupResize(model.config).inputSize : topdownPipeline(model.config).affine.inputSize;
    const sample = { metainfo: { inputSize: [w, h], flipIndices: model.metainfo.flipIndices } };
    const samples = Array.from({ length: batch }, () => sample as unknown as PoseDataSample);
    return await trace([batch, h, w, 3], (x) => estimator.predictTensors(x as Tensor4D, samples));
  } finally {
    await model.dispose();
  }
}
