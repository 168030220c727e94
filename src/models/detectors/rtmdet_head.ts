/**
 * RTMDet's heads (MMDetection: `mmdet/models/dense_heads/rtmdet_head.py`, https://arxiv.org/abs/2212.07784): per level and point a
 * logit per class and the distances to the four sides of a box.
 */
import { readConfig, REQUIRED, type ConfigDict } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import type { ActCfg } from '../../nn/act.js';
import { Conv2d } from '../../nn/conv.js';
import { checkConvCfg, type ConvModule, type DepthwiseSeparableConvModule } from '../../nn/conv_module.js';
import { chain, Module, Parameter, type Feats } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import { stripScope } from '../../registry.js';
import * as tf from '../../tf.js';
import type { Tensor3D, Tensor4D } from '../../tf.js';
import { checkCount } from '../utils/conv_layer.js';
import { convOf } from '../utils/csp_layer.js';

/** Points of all levels: where level l has a cell (x, y), its point is ((x + offset) * stride, (y + offset) * stride). */
export interface PointGenerator {
  /** px per cell, one per level, finest first. */
  readonly strides: readonly number[];
  readonly offset: number;
}

interface HeadConfig {
  readonly num_classes: number;
  readonly in_channels: number;
  readonly feat_channels: number;
  readonly stacked_convs: number;
  readonly with_objectness: boolean;
  readonly pred_kernel_size: number;
  readonly anchor_generator: ConfigDict;
  readonly bbox_coder: ConfigDict;
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
  readonly act_cfg: ActCfg;
  readonly share_conv: boolean;
  readonly use_depthwise: boolean;
  readonly exp_on_reg: boolean;
}

/** What only training reads; accepted and without effect. */
const TRAINING = {
  loss_cls: null,
  loss_bbox: null,
  loss_centerness: null,
  loss_obj: null,
  reg_decoded_bbox: true,
  test_cfg: null,
};

const COMMON = {
  num_classes: REQUIRED,
  in_channels: REQUIRED,
  feat_channels: 256,
  stacked_convs: 4,
  with_objectness: true,
  pred_kernel_size: 3,
  anchor_generator: { type: 'MlvlPointGenerator', offset: 0, strides: [8, 16, 32] },
  bbox_coder: { type: 'DistancePointBBoxCoder' },
  conv_cfg: null,
  ...TRAINING,
};

type ConvBlock = ConvModule | DepthwiseSeparableConvModule;

/** How the builder makes a head; `where` is the path of its config, for messages. */
export type BboxHeadClass = new (config: ConfigDict, where?: string) => BaseRTMDetHead;

/** The layers of one level. */
interface Level {
  readonly clsConvs: readonly ConvBlock[];
  readonly regConvs: readonly ConvBlock[];
  readonly cls: Conv2d;
  readonly reg: Conv2d;
  readonly obj: Conv2d | null;
  /** Distances from raw outputs, before the stride. */
  readonly distances: (raw: Tensor4D) => Tensor4D;
}

export abstract class BaseRTMDetHead extends Module<Feats, Tensor3D> {
  readonly numClasses: number;
  readonly points: PointGenerator;
  /** Whether boxes are cut off at the border of the input. */
  readonly clipBorder: boolean;

  constructor(cfg: HeadConfig, where: string) {
    super();
    checkConvCfg(cfg.conv_cfg, where);
    for (const key of ['num_classes', 'in_channels', 'feat_channels', 'stacked_convs', 'pred_kernel_size'] as const) {
      checkCount(cfg[key], `${where}.${key}`);
    }
    this.numClasses = cfg.num_classes;
    this.points = readPoints(cfg.anchor_generator, `${where}.anchor_generator`);
    this.clipBorder = readCoder(cfg.bbox_coder, `${where}.bbox_coder`);
  }

  protected abstract level(i: number): Level;

  /**
   * @param feats - one map per level, finest first
   * @returns [N, P, classes + 4], points row by row, finest level first: logits, then distances to left, top, right and bottom, px, input space
   * @throws InputError when the number of maps is another
   */
  override forward(feats: Feats): Tensor3D {
    const { strides } = this.points;
    if (feats.length !== strides.length) {
      throw new InputError(`RTMDetHead: found ${feats.length} feature maps; expected ${strides.length}.`);
    }
    const levels = feats.map((x, i) => tf.tidy(() => this.#forwardLevel(x, this.level(i), strides[i])));
    return tf.concat(levels, 1);
  }

  #forwardLevel(x: Tensor4D, { clsConvs, regConvs, cls, reg, obj, distances }: Level, stride: number): Tensor3D {
    const logits = tf.tidy(() => cls.forward(chain(clsConvs, x)));
    const regFeat = chain(regConvs, x);
    const scores = obj ? withObjectness(logits, obj.forward(regFeat)) : logits;
    const joined = tf.concat([scores, tf.mul<Tensor4D>(distances(reg.forward(regFeat)), stride)], 3);
    const [n, h, w, c] = joined.shape;
    return tf.reshape(joined, [n, h * w, c]);
  }
}

/** Logit of the geometric mean of both probabilities. */
function withObjectness(cls: Tensor4D, obj: Tensor4D): Tensor4D {
  const EPS = 1e-5;
  const mean = tf.sqrt(tf.mul<Tensor4D>(tf.sigmoid(cls), tf.sigmoid(obj)));
  return tf.log(tf.div<Tensor4D>(tf.maximum(mean, EPS), tf.maximum(tf.sub(1, mean), EPS)));
}

/** One stack of layers for all levels, and a factor per level. */
export class RTMDetHead extends BaseRTMDetHead {
  readonly cls_convs: readonly ConvModule[];
  readonly reg_convs: readonly ConvModule[];
  readonly rtm_cls: Conv2d;
  readonly rtm_reg: Conv2d;
  readonly rtm_obj: Conv2d | null;
  readonly scales: readonly Scale[];

  constructor(config: ConfigDict, where = 'bbox_head') {
    const cfg = readConfig<HeadConfig>(config, where, { ...COMMON, norm_cfg: null, act_cfg: { type: 'ReLU' } });
    super(cfg, where);
    const stack = () => makeStack(cfg, false);
    this.cls_convs = stack() as ConvModule[];
    this.reg_convs = stack() as ConvModule[];
    this.rtm_cls = lastConv(cfg, cfg.num_classes);
    this.rtm_reg = lastConv(cfg, 4);
    this.rtm_obj = cfg.with_objectness ? lastConv(cfg, 1) : null;
    this.scales = this.points.strides.map(() => new Scale());
  }

  protected override level(i: number): Level {
    return {
      ...{
        clsConvs: this.cls_convs,
        regConvs: this.reg_convs,
        cls: this.rtm_cls,
        reg: this.rtm_reg,
        obj: this.rtm_obj,
      },
      distances: (raw) => this.scales[i].forward(tf.exp(raw)),
    };
  }
}

/** mmcv's `Scale`: one learnt factor. */
class Scale extends Module {
  readonly scale = new Parameter([], { value: Float32Array.of(1) });

  override prepare(): void {
    this.scale.upload();
  }

  override forward(x: Tensor4D): Tensor4D {
    return tf.mul(x, this.scale.tensor);
  }
}

/**
 * Layers per level: batch norms always, convolutions unless `share_conv`. A shared convolution is stored once per level in a
 * state_dict and read so: its batch norm is folded into it, and that differs.
 */
export class RTMDetSepBNHead extends BaseRTMDetHead {
  readonly cls_convs: readonly (readonly ConvBlock[])[];
  readonly reg_convs: readonly (readonly ConvBlock[])[];
  readonly rtm_cls: readonly Conv2d[];
  readonly rtm_reg: readonly Conv2d[];
  readonly rtm_obj: readonly Conv2d[] | null;
  readonly #distances: (raw: Tensor4D) => Tensor4D;

  constructor(config: ConfigDict, where = 'bbox_head') {
    const cfg = readConfig<HeadConfig>(config, where, {
      ...COMMON,
      ...{ share_conv: true, use_depthwise: false, exp_on_reg: false, pred_kernel_size: 1 },
      // A config's own norm_cfg without eps means PyTorch's 1e-5.
      ...{ norm_cfg: { type: 'BN', eps: 1e-3 }, act_cfg: { type: 'SiLU' } },
    });
    super(cfg, where);
    if (cfg.share_conv && cfg.use_depthwise) {
      throw new ConfigError(
        `${where}.share_conv: found true with use_depthwise; expected one of them, here as in MMDetection.`,
      );
    }
    const perLevel = <T>(make: () => T) => this.points.strides.map(make);
    this.cls_convs = perLevel(() => makeStack(cfg, cfg.use_depthwise));
    this.reg_convs = perLevel(() => makeStack(cfg, cfg.use_depthwise));
    this.rtm_cls = perLevel(() => lastConv(cfg, cfg.num_classes));
    this.rtm_reg = perLevel(() => lastConv(cfg, 4));
    this.rtm_obj = cfg.with_objectness ? perLevel(() => lastConv(cfg, 1)) : null;
    this.#distances = cfg.exp_on_reg ? (raw) => tf.exp(raw) : (raw) => raw;
  }

  protected override level(i: number): Level {
    return {
      ...{ clsConvs: this.cls_convs[i], regConvs: this.reg_convs[i], cls: this.rtm_cls[i], reg: this.rtm_reg[i] },
      ...{ obj: this.rtm_obj?.[i] ?? null, distances: this.#distances },
    };
  }
}

function makeStack(cfg: HeadConfig, useDepthwise: boolean): ConvBlock[] {
  const { in_channels: first, feat_channels: width, norm_cfg: normCfg, act_cfg: actCfg } = cfg;
  return Array.from({ length: cfg.stacked_convs }, (_, i) =>
    convOf(useDepthwise, i === 0 ? first : width, width, { padding: 1, normCfg, actCfg }),
  );
}

function lastConv({ feat_channels, pred_kernel_size: k }: HeadConfig, outputs: number): Conv2d {
  return new Conv2d(feat_channels, outputs, k, { padding: Math.floor(k / 2) });
}

/** @throws ConfigError for another generator than MlvlPointGenerator, or strides that are not square */
function readPoints(config: ConfigDict, where: string): PointGenerator {
  checkType(config, 'MlvlPointGenerator', where);
  const cfg = readConfig<{ strides: readonly (number | readonly number[])[]; offset: number }>(config, where, {
    strides: REQUIRED,
    offset: 0.5,
  });
  const strides = Array.isArray(cfg.strides) ? cfg.strides.map(squareStride) : [];
  if (strides.length === 0 || !strides.every((stride) => Number.isInteger(stride) && stride > 0)) {
    throw new ConfigError(`${where}.strides: found ${JSON.stringify(cfg.strides)}; expected whole numbers from 1.`);
  }
  return { strides, offset: cfg.offset };
}

function squareStride(stride: number | readonly number[]): number {
  if (typeof stride === 'number') return stride;
  return stride.length === 2 && stride[0] === stride[1] ? stride[0] : NaN;
}

function readCoder(config: ConfigDict, where: string): boolean {
  checkType(config, 'DistancePointBBoxCoder', where);
  return readConfig<{ clip_border: boolean }>(config, where, { clip_border: true, use_box_type: false }).clip_border;
}

function checkType(config: ConfigDict, expected: string, where: string): void {
  if (stripScope(String(config?.type)) === expected) return;
  throw new ConfigError(`${where}.type: found ${JSON.stringify(config?.type)}; expected "${expected}".`);
}
