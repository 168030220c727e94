/** YOLOX-Pose (MMPose: `mmpose/models/heads/hybrid_heads/yoloxpose_head.py`, https://arxiv.org/abs/2204.06806): per cell of three maps a score, a box and keypoints. */
import type { KeypointCodec } from '../../../codecs/base.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import type { NdArray } from '../../../ndarray.js';
import type { ActCfg } from '../../../nn/act.js';
import { Conv2d } from '../../../nn/conv.js';
import { checkConvCfg, ConvModule } from '../../../nn/conv_module.js';
import { chain, Module } from '../../../nn/module.js';
import type { NormCfg } from '../../../nn/norm.js';
import * as tf from '../../../tf.js';
import type { Tensor, Tensor4D } from '../../../tf.js';
import { checkCount } from '../../utils/conv_layer.js';
import type { HeadFeats } from '../base_head.js';
import { BottomupHead, type PictureOutputs, type PicturePrediction } from '../bottomup_head.js';
import { clipBoxes, flattenLevels, GridPriors, selectCandidates, sigmoid, takeRows } from './yolox_candidates.js';

/** What both heads of this family have in their config. */
export interface YoloxHeadConfig {
  readonly num_keypoints: number;
  readonly head_module_cfg: Readonly<Record<string, unknown>>;
  readonly featmap_strides: readonly number[];
  readonly prior_generator: ConfigDict;
}

/** Keys of both heads; those after the first four are for training. */
export const YOLOX_HEAD_SPEC = {
  num_keypoints: REQUIRED,
  head_module_cfg: REQUIRED,
  featmap_strides: [8, 16, 32],
  prior_generator: REQUIRED,
  ...{ num_classes: 1, use_aux_loss: false, assigner: null, overlaps_power: 1 },
  ...{ loss_cls: null, loss_obj: null, loss_bbox: null, loss_oks: null, loss_vis: null },
  ...{ loss_bbox_aux: null, loss_kpt_aux: null },
};

/** @throws ConfigError unless it is a list of whole numbers */
export function checkStrides(strides: unknown, where: string): asserts strides is readonly number[] {
  if (Array.isArray(strides) && strides.length > 0 && strides.every((s) => Number.isInteger(s) && s > 0)) return;
  throw new ConfigError(`${where}: found ${JSON.stringify(strides)}; expected a list of whole numbers.`);
}

interface HeadModuleConfig {
  readonly num_classes: number;
  readonly in_channels: number | readonly number[];
  readonly widen_factor: number;
  readonly feat_channels: number;
  readonly stacked_convs: number;
  readonly conv_bias: boolean | 'auto';
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
  readonly act_cfg: ActCfg;
}

const MODULE_SPEC = {
  num_classes: 1,
  in_channels: REQUIRED,
  widen_factor: 1,
  feat_channels: 256,
  stacked_convs: 2,
  // Set by the head.
  ...{ num_keypoints: null, featmap_strides: null },
  conv_bias: 'auto',
  conv_cfg: null,
  norm_cfg: { type: 'BN', eps: 1e-3 },
  act_cfg: { type: 'SiLU' },
};

/** How each of `count` equal branches, one per map, is made. */
export function perLevel<T>(strides: readonly number[], make: () => T): readonly T[] {
  return strides.map(make);
}

/** Three branches of convolutions per map. */
class YOLOXPoseHeadModule extends Module<HeadFeats, Tensor[]> {
  readonly conv_cls: readonly (readonly ConvModule[])[];
  readonly out_cls: readonly Conv2d[];
  readonly conv_reg: readonly (readonly ConvModule[])[];
  readonly out_bbox: readonly Conv2d[];
  readonly out_obj: readonly Conv2d[];
  readonly conv_pose: readonly (readonly ConvModule[])[];
  readonly out_kpt: readonly Conv2d[];
  readonly out_kpt_vis: readonly Conv2d[];

  constructor(
    config: Readonly<Record<string, unknown>>,
    numKeypoints: number,
    strides: readonly number[],
    where: string,
  ) {
    super();
    const cfg = readConfig<HeadModuleConfig>(config, where, MODULE_SPEC);
    checkConvCfg(cfg.conv_cfg, where);
    const inChannels = Math.trunc((cfg.in_channels as number) * cfg.widen_factor);
    const feat = Math.trunc(cfg.feat_channels * cfg.widen_factor);
    checkCount(inChannels, `${where}.in_channels`);
    checkCount(feat, `${where}.feat_channels`);
    const options = {
      ...{ padding: 1, normCfg: cfg.norm_cfg, actCfg: cfg.act_cfg },
      ...(cfg.conv_bias !== 'auto' && { bias: cfg.conv_bias }),
    };
    const stack = (count: number) =>
      perLevel(strides, () =>
        Array.from({ length: count }, (_, i) => new ConvModule(i === 0 ? inChannels : feat, feat, 3, options)),
      );
    const out = (channels: number) => perLevel(strides, () => new Conv2d(feat, channels, 1));
    this.conv_cls = stack(cfg.stacked_convs);
    this.out_cls = out(cfg.num_classes);
    this.conv_reg = stack(cfg.stacked_convs);
    this.out_bbox = out(4);
    this.out_obj = out(1);
    this.conv_pose = stack(cfg.stacked_convs * 2);
    this.out_kpt = out(numKeypoints * 2);
    this.out_kpt_vis = out(numKeypoints);
  }

  /** All maps of the scores, then of objectness, boxes, offsets and visibilities. */
  override forward(feats: HeadFeats): Tensor[] {
    const branch = (stacks: readonly (readonly ConvModule[])[]) => feats.map((x, i) => chain(stacks[i], x as Tensor4D));
    const cls = branch(this.conv_cls);
    const reg = branch(this.conv_reg);
    const pose = branch(this.conv_pose);
    const out = (layers: readonly Conv2d[], maps: readonly Tensor4D[]) => maps.map((x, i) => layers[i].forward(x));
    return [
      ...out(this.out_cls, cls),
      ...out(this.out_obj, reg),
      ...out(this.out_bbox, reg),
      ...out(this.out_kpt, pose),
      ...out(this.out_kpt_vis, pose),
    ];
  }
}

/** Maps of the neck, finest first -> per map scores [N, h, w, classes], objectness 1, boxes 4, offsets 2 K, visibilities K. */
export class YOLOXPoseHead extends BottomupHead {
  readonly head_module: YOLOXPoseHeadModule;
  readonly #numKeypoints: number;
  readonly #grid: GridPriors;

  constructor(config: ConfigDict, _decoder: KeypointCodec | null = null, where = 'model.head') {
    super(null, where);
    const cfg = readConfig<YoloxHeadConfig>(config, where, YOLOX_HEAD_SPEC);
    checkCount(cfg.num_keypoints, `${where}.num_keypoints`);
    checkStrides(cfg.featmap_strides, `${where}.featmap_strides`);
    this.#numKeypoints = cfg.num_keypoints;
    this.#grid = new GridPriors(cfg.prior_generator, `${where}.prior_generator`);
    this.head_module = new YOLOXPoseHeadModule(
      ...([cfg.head_module_cfg, cfg.num_keypoints, cfg.featmap_strides, `${where}.head_module_cfg`] as const),
    );
  }

  override forward(feats: HeadFeats): Tensor[] {
    return tf.tidy(() => this.head_module.forward(feats));
  }

  override predictPicture({ outputs, sample, testCfg }: PictureOutputs): Promise<PicturePrediction> {
    const levels = this.#grid.strides.length;
    const [cls, objectness, boxes, offsets, visible] = Array.from({ length: 5 }, (_, i) =>
      outputs.slice(i * levels, (i + 1) * levels),
    );
    const found = selectCandidates(cellScores(cls, objectness), boxes, this.#grid, testCfg);
    const k = this.#numKeypoints;
    const n = found.cells.length;
    const { data } = takeRows(flattenLevels(offsets), found.cells);
    const keypoints = data.map((offset, i) => {
      const person = Math.floor(i / (2 * k));
      return Math.fround(offset * found.strides[person]) + found.priors.data[person * 2 + (i % 2)];
    });
    const scores = takeRows(flattenLevels(visible), found.cells).data.map(sigmoid);
    return Promise.resolve({
      keypoints: { data: keypoints, shape: [n, k, 2] },
      keypointScores: { data: scores, shape: [n, k] },
      bboxes: clipBoxes(found.bboxes, sample.metainfo.inputSize),
      bboxScores: { data: found.scores, shape: [n] },
    });
  }
}

/** Per cell its best class times, where there is one, its objectness. */
export function cellScores(classes: readonly NdArray[], objectness?: readonly NdArray[]): Float32Array {
  const { data, shape } = flattenLevels(classes);
  const objects = objectness && flattenLevels(objectness).data;
  return Float32Array.from({ length: shape[0] }, (_, cell) => {
    const best = Math.max(...data.subarray(cell * shape[1], (cell + 1) * shape[1]));
    return objects ? sigmoid(best) * sigmoid(objects[cell]) : sigmoid(best);
  });
}
