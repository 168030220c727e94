/**
 * RTMO (MMPose: `mmpose/models/heads/hybrid_heads/rtmo_head.py`, https://arxiv.org/abs/2312.07526): per cell of two maps a score, a box
 * and a pose vector; from the vectors of the cells that are left, `DCC` finds the keypoints.
 */
import { readTensor } from '../../../backend/readback.js';
import type { KeypointCodec } from '../../../codecs/base.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { zeros, type NdArray } from '../../../ndarray.js';
import type { ActCfg } from '../../../nn/act.js';
import { Conv2d } from '../../../nn/conv.js';
import { checkConvCfg, ConvModule } from '../../../nn/conv_module.js';
import { chain, Module } from '../../../nn/module.js';
import type { NormCfg } from '../../../nn/norm.js';
import { bboxXyxy2cs } from '../../../structures/bbox/transforms.js';
import * as tf from '../../../tf.js';
import type { Tensor, Tensor2D, Tensor4D } from '../../../tf.js';
import { checkCount } from '../../utils/conv_layer.js';
import type { HeadFeats } from '../base_head.js';
import { BottomupHead, type PictureOutputs, type PicturePrediction, type PictureBackend } from '../bottomup_head.js';
import { DCC, type DccInput } from './dcc.js';
import { clipBoxes, flattenLevels, GridPriors, selectCandidates, sigmoid, takeRows } from './yolox_candidates.js';
import { cellScores, checkStrides, perLevel, YOLOX_HEAD_SPEC, type YoloxHeadConfig } from './yoloxpose_head.js';

/** Candidates that go through `DCC` together: what they need on the backend is bounded then. */
const MAX_BATCH = 16;

interface RTMOHeadModuleConfig {
  readonly num_classes: number;
  readonly in_channels: number;
  readonly widen_factor: number;
  readonly cls_feat_channels: number;
  readonly stacked_convs: number;
  readonly num_groups: number;
  readonly channels_per_group: number;
  readonly pose_vec_channels: number;
  readonly conv_bias: boolean | 'auto';
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
  readonly act_cfg: ActCfg;
}

const MODULE_SPEC = {
  num_classes: 1,
  in_channels: REQUIRED,
  widen_factor: 1,
  cls_feat_channels: 256,
  stacked_convs: 2,
  num_groups: 8,
  channels_per_group: 36,
  pose_vec_channels: -1,
  // Set by the head.
  ...{ num_keypoints: null, featmap_strides: null },
  conv_bias: 'auto',
  conv_cfg: null,
  norm_cfg: { type: 'BN', eps: 1e-3 },
  act_cfg: { type: 'SiLU' },
};

/** Two branches of convolutions per map, each on its half of the channels. */
class RTMOHeadModule extends Module<HeadFeats, Tensor[]> {
  readonly conv_cls: readonly (readonly ConvModule[])[];
  readonly out_cls: readonly Conv2d[];
  readonly conv_pose: readonly (readonly ConvModule[])[];
  readonly out_bbox: readonly Conv2d[];
  /** Only training reads these: offsets of a first guess. */
  readonly out_kpt_reg: readonly Conv2d[];
  readonly out_kpt_vis: readonly Conv2d[];
  readonly out_pose: readonly Conv2d[] | null;

  constructor(
    config: Readonly<Record<string, unknown>>,
    numKeypoints: number,
    strides: readonly number[],
    where: string,
  ) {
    super();
    const cfg = readConfig<RTMOHeadModuleConfig>(config, where, MODULE_SPEC);
    checkConvCfg(cfg.conv_cfg, where);
    const inChannels = Math.trunc(cfg.in_channels * cfg.widen_factor);
    const clsChannels = Math.trunc(cfg.cls_feat_channels * cfg.widen_factor);
    const groups = cfg.num_groups;
    const poseChannels = groups * Math.trunc(cfg.channels_per_group * cfg.widen_factor);
    for (const [key, count] of Object.entries({ in_channels: inChannels, cls_feat_channels: clsChannels })) {
      checkCount(count, `${where}.${key}`);
    }
    checkCount(poseChannels, `${where}.channels_per_group`);
    const options = {
      ...{ padding: 1, normCfg: cfg.norm_cfg, actCfg: cfg.act_cfg },
      ...(cfg.conv_bias !== 'auto' && { bias: cfg.conv_bias }),
    };
    const stack = (count: number, channels: number, laterGroups: number) =>
      perLevel(strides, () =>
        Array.from({ length: count }, (_, i) =>
          i === 0
            ? new ConvModule(inChannels, channels, 3, options)
            : new ConvModule(channels, channels, 3, { ...options, groups: laterGroups }),
        ),
      );
    const out = (from: number, channels: number) => perLevel(strides, () => new Conv2d(from, channels, 1));
    this.conv_cls = stack(cfg.stacked_convs, clsChannels, 1);
    this.out_cls = out(clsChannels, cfg.num_classes);
    this.conv_pose = stack(cfg.stacked_convs * 2, poseChannels, groups);
    this.out_bbox = out(poseChannels, 4);
    this.out_kpt_reg = out(poseChannels, numKeypoints * 2);
    this.out_kpt_vis = out(poseChannels, numKeypoints);
    this.out_pose = cfg.pose_vec_channels > 0 ? out(poseChannels, cfg.pose_vec_channels) : null;
  }

  override prepare(): void {
    for (const { weight, bias } of this.out_kpt_reg) {
      weight.drop();
      bias!.drop();
    }
  }

  /** All maps of the scores, then of boxes, visibilities and pose vectors. */
  override forward(feats: HeadFeats): Tensor[] {
    const halves = feats.map((x) => tf.split<Tensor4D>(x as Tensor4D, 2, 3));
    const cls = halves.map(([x], i) => chain(this.conv_cls[i], x));
    const pose = halves.map(([, x], i) => chain(this.conv_pose[i], x));
    const out = (layers: readonly Conv2d[], maps: readonly Tensor4D[]) => maps.map((x, i) => layers[i].forward(x));
    return [
      ...out(this.out_cls, cls),
      ...out(this.out_bbox, pose),
      ...out(this.out_kpt_vis, pose),
      ...(this.out_pose ? out(this.out_pose, pose) : pose),
    ];
  }
}

interface RTMOHeadConfig extends YoloxHeadConfig {
  readonly bbox_padding: number;
  readonly dcc_cfg: Readonly<Record<string, unknown>>;
}

const SPEC = {
  ...YOLOX_HEAD_SPEC,
  featmap_strides: [16, 32],
  bbox_padding: 1.25,
  dcc_cfg: REQUIRED,
  ...{ proxy_target_cc: false, loss_mle: null },
};

/** Maps of the neck, finest first -> per map scores [N, h, w, classes], boxes 4, visibilities K, pose vectors C. */
export class RTMOHead extends BottomupHead {
  readonly head_module: RTMOHeadModule;
  readonly dcc: DCC;
  readonly #numKeypoints: number;
  readonly #bboxPadding: number;
  readonly #grid: GridPriors;

  constructor(config: ConfigDict, _decoder: KeypointCodec | null = null, where = 'model.head') {
    super(null, where);
    const cfg = readConfig<RTMOHeadConfig>(config, where, SPEC);
    const { num_keypoints: numKeypoints, featmap_strides: strides } = cfg;
    checkCount(numKeypoints, `${where}.num_keypoints`);
    checkStrides(strides, `${where}.featmap_strides`);
    this.#numKeypoints = numKeypoints;
    this.#bboxPadding = cfg.bbox_padding;
    this.#grid = new GridPriors(cfg.prior_generator, `${where}.prior_generator`);
    this.head_module = new RTMOHeadModule(cfg.head_module_cfg, numKeypoints, strides, `${where}.head_module_cfg`);
    this.dcc = new DCC(cfg.dcc_cfg, numKeypoints, `${where}.dcc_cfg`);
  }

  override forward(feats: HeadFeats): Tensor[] {
    return tf.tidy(() => this.head_module.forward(feats));
  }

  override async predictPicture({ outputs, sample, testCfg, backend }: PictureOutputs): Promise<PicturePrediction> {
    const levels = this.#grid.strides.length;
    const [cls, boxes, visible, vecs] = Array.from({ length: 4 }, (_, i) =>
      outputs.slice(i * levels, (i + 1) * levels),
    );
    const found = selectCandidates(cellScores(cls), boxes, this.#grid, testCfg);
    const [n, k] = [found.cells.length, this.#numKeypoints];
    const { center: centers, scale: scales } = bboxXyxy2cs(found.bboxes, this.#bboxPadding);
    const poseVecs = takeRows(flattenLevels(vecs), found.cells);
    const keypoints = await this.#locate({ poseVecs, centers, scales, grids: found.priors }, backend);
    const scores = takeRows(flattenLevels(visible), found.cells).data.map(sigmoid);
    return {
      keypoints,
      keypointScores: { data: scores, shape: [n, k] },
      bboxes: clipBoxes(found.bboxes, sample.metainfo.inputSize),
      bboxScores: { data: found.scores, shape: [n] },
    };
  }

  override async warmUp(backend: PictureBackend): Promise<void> {
    const pair = zeros([1, 2]);
    await this.#locate(
      { poseVecs: zeros([1, this.dcc.inChannels]), centers: pair, scales: pair, grids: pair },
      backend,
    );
  }

  /** [N, K, 2] px, input space */
  async #locate(input: DccInput, backend: PictureBackend): Promise<NdArray> {
    const n = input.poseVecs.shape[0];
    const keypoints = zeros([n, this.#numKeypoints, 2]);
    for (let first = 0; first < n; first += MAX_BATCH) {
      const count = Math.min(MAX_BATCH, n - first);
      const places = await this.#places(this.dcc.pack(rowsOf(input, first, count)), backend);
      const from = first * this.#numKeypoints * 2;
      keypoints.data.set(places.subarray(0, count * this.#numKeypoints * 2), from);
    }
    const size = 2 * this.#numKeypoints;
    for (let i = 0; i < keypoints.data.length; i++) {
      const at = Math.floor(i / size) * 2 + (i % 2);
      keypoints.data[i] = keypoints.data[i] * input.scales.data[at] + input.centers.data[at];
    }
    return keypoints;
  }

  /** `DCC`'s answer, [N, K, 2]. */
  async #places({ data, shape }: NdArray, backend: PictureBackend): Promise<Float32Array> {
    const forward = (x: Tensor) => tf.tidy(() => this.dcc.forward(x as Tensor2D));
    const compiled = await backend.compiled?.('dcc', shape, forward);
    if (compiled) return (await compiled(data)).data;
    const places = backend.run(() => tf.tidy(() => forward(tf.tensor(data, [...shape]))));
    try {
      return await readTensor(places);
    } finally {
      places.dispose();
    }
  }
}

/** `count` rows from `first` on, filled up to a power of four: on GPUs each new number compiles its own shaders. */
function rowsOf(input: DccInput, first: number, count: number): DccInput {
  const rows = Array.from({ length: 4 ** Math.ceil(Math.log2(count) / 2) }, (_, i) => first + Math.min(i, count - 1));
  return {
    poseVecs: takeRows(input.poseVecs, rows),
    centers: takeRows(input.centers, rows),
    scales: takeRows(input.scales, rows),
    grids: takeRows(input.grids, rows),
  };
}
