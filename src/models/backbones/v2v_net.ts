/** V2VNet, from MMPose's `backbones/v2v_net.py` (https://arxiv.org/abs/1711.07399): a U-shaped network of 3-D convolutions over voxels. */
import { readConfig, REQUIRED } from '../../config.js';
import { InputError } from '../../errors.js';
import { Act, type ActCfg } from '../../nn/act.js';
import { Conv3d, ConvTranspose3d } from '../../nn/conv3d.js';
import { ConvNormAct } from '../../nn/conv_module.js';
import { chain, Module, type Layers } from '../../nn/module.js';
import { BatchNorm2d, type NormCfg } from '../../nn/norm.js';
import { MaxPool3d } from '../../nn/pool3d.js';
import * as tf from '../../tf.js';
import type { Tensor5D } from '../../tf.js';
import { checkCount } from '../utils/conv_layer.js';

interface V2VNetConfig {
  readonly input_channels: number;
  readonly output_channels: number;
  readonly mid_channels: number;
}

const SPEC = { input_channels: REQUIRED, output_channels: REQUIRED, mid_channels: 32 };

const NORM: NormCfg = { type: 'BN3d' };
const RELU: ActCfg = { type: 'ReLU' };

/** The encoder halves the volume twice. */
const MULTIPLE = 4;

type ConvModule3d = ConvNormAct<Conv3d, Tensor5D>;

/** A convolution that keeps the volume's size, with batch norm. */
function convModule(inChannels: number, outChannels: number, kernel: number, actCfg: ActCfg | null): ConvModule3d {
  const conv = new Conv3d(inChannels, outChannels, kernel, { padding: (kernel - 1) / 2 });
  return new ConvNormAct(conv, { normCfg: NORM, actCfg });
}

class Basic3DBlock extends Module<Tensor5D, Tensor5D> {
  readonly block: ConvModule3d;

  constructor(inChannels: number, outChannels: number, kernel: number) {
    super();
    this.block = convModule(inChannels, outChannels, kernel, RELU);
  }

  override forward(x: Tensor5D): Tensor5D {
    return this.block.forward(x);
  }
}

/** Two 3 x 3 x 3 convolutions and a shortcut. */
class Res3DBlock extends Module<Tensor5D, Tensor5D> {
  readonly res_branch: Layers;
  readonly skip_con: ConvModule3d | null;

  constructor(inChannels: number, outChannels: number) {
    super();
    this.res_branch = [convModule(inChannels, outChannels, 3, RELU), convModule(outChannels, outChannels, 3, null)];
    this.skip_con = inChannels === outChannels ? null : convModule(inChannels, outChannels, 1, null);
  }

  override forward(x: Tensor5D): Tensor5D {
    const skip = this.skip_con ? this.skip_con.forward(x) : x;
    return tf.relu(tf.add(chain(this.res_branch, x), skip));
  }
}

class Upsample3DBlock extends Module<Tensor5D, Tensor5D> {
  readonly block: Layers;

  constructor(inChannels: number, outChannels: number) {
    super();
    this.block = [
      new ConvTranspose3d(inChannels, outChannels, 2, { stride: 2 }),
      new BatchNorm2d(outChannels),
      new Act(RELU),
    ];
  }

  override forward(x: Tensor5D): Tensor5D {
    return chain(this.block, x);
  }
}

/** To a quarter of the resolution and back, with shortcuts at the full and at half. MMPose spells its name so. */
class EncoderDecorder extends Module<Tensor5D, Tensor5D> {
  readonly encoder_res1: Res3DBlock;
  readonly encoder_res2: Res3DBlock;
  readonly mid_res: Res3DBlock;
  readonly decoder_res2: Res3DBlock;
  readonly decoder_upsample2: Upsample3DBlock;
  readonly decoder_res1: Res3DBlock;
  readonly decoder_upsample1: Upsample3DBlock;
  readonly skip_res1: Res3DBlock;
  readonly skip_res2: Res3DBlock;
  readonly #pool = new MaxPool3d(2);

  constructor(channels: number) {
    super();
    this.encoder_res1 = new Res3DBlock(channels, channels * 2);
    this.encoder_res2 = new Res3DBlock(channels * 2, channels * 4);
    this.mid_res = new Res3DBlock(channels * 4, channels * 4);
    this.decoder_res2 = new Res3DBlock(channels * 4, channels * 4);
    this.decoder_upsample2 = new Upsample3DBlock(channels * 4, channels * 2);
    this.decoder_res1 = new Res3DBlock(channels * 2, channels * 2);
    this.decoder_upsample1 = new Upsample3DBlock(channels * 2, channels);
    this.skip_res1 = new Res3DBlock(channels, channels);
    this.skip_res2 = new Res3DBlock(channels * 2, channels * 2);
  }

  override forward(x: Tensor5D): Tensor5D {
    const skip1 = chain([this.skip_res1], x);
    const half = chain([this.#pool, this.encoder_res1], x);
    const skip2 = chain([this.skip_res2], half);
    const back = chain([this.#pool, this.encoder_res2, this.mid_res, this.decoder_res2, this.decoder_upsample2], half);
    return tf.add(chain([this.decoder_res1, this.decoder_upsample1], tf.add<Tensor5D>(back, skip2)), skip1);
  }
}

/** Input [N, D, H, W, input_channels], output one volume [N, D, H, W, output_channels]. D, H and W are multiples of 4. */
export class V2VNet extends Module<Tensor5D, readonly Tensor5D[]> {
  readonly front_layers: Layers;
  readonly encoder_decoder: EncoderDecorder;
  readonly output_layer: Conv3d;

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readConfig<V2VNetConfig>(config, where, SPEC);
    for (const key of Object.keys(SPEC) as (keyof V2VNetConfig)[]) checkCount(cfg[key], `${where}.${key}`);
    const { input_channels: input, output_channels: output, mid_channels: mid } = cfg;
    const half = mid >> 1;
    this.front_layers = [new Basic3DBlock(input, half, 7), new Res3DBlock(half, mid)];
    this.encoder_decoder = new EncoderDecorder(mid);
    this.output_layer = new Conv3d(mid, output, 1);
  }

  override forward(x: Tensor5D): readonly Tensor5D[] {
    const [, ...size] = x.shape.slice(0, 4);
    if (x.shape.length !== 5 || size.some((side) => side % MULTIPLE !== 0)) {
      throw new InputError(
        `V2VNet: found an input [${x.shape}]; expected a volume [N, D, H, W, C] whose sides are multiples of ${MULTIPLE}.`,
      );
    }
    return [chain([this.front_layers, this.encoder_decoder, this.output_layer], x)];
  }
}
