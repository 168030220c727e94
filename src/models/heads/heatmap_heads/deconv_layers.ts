/** The upsampling layers of heatmap heads (MMPose: `_make_deconv_layers` of HeatmapHead and CPMHead). */
import { ConfigError } from '../../../errors.js';
import { Act } from '../../../nn/act.js';
import { ConvTranspose2d } from '../../../nn/conv.js';
import type { Layers } from '../../../nn/module.js';
import { BatchNorm2d } from '../../../nn/norm.js';
import { checkCount } from '../../utils/conv_layer.js';

/** Padding and output padding of a stride-2 deconvolution that exactly doubles the size. */
const DECONV_PADDING: Readonly<Record<number, readonly [padding: number, outputPadding: number]>> = {
  4: [1, 0],
  3: [1, 1],
  2: [0, 0],
};

/** One layer of a stack. */
export type LayerSize = readonly [channels: number, kernel: number];

/**
 * Channels and kernels of a stack of layers; empty when there are none.
 *
 * @throws ConfigError unless there are as many kernels as channels, all whole numbers from 1
 */
export function pairUp(
  channels: readonly number[] | null,
  kernels: readonly number[] | null,
  where: string,
): LayerSize[] {
  if (!channels || channels.length === 0) return [];
  if (!kernels || kernels.length !== channels.length) {
    throw new ConfigError(
      `${where}_kernel_sizes: found ${JSON.stringify(kernels)}; expected as many as ${where}_out_channels, ${channels.length}.`,
    );
  }
  return channels.map((count, i) => {
    checkCount(count, `${where}_out_channels.${i}`);
    checkCount(kernels[i], `${where}_kernel_sizes.${i}`);
    return [count, kernels[i]];
  });
}

/**
 * Per size a deconvolution that doubles height and width, batch norm and ReLU.
 *
 * @param groups - of each deconvolution; a missing one is dense
 * @throws ConfigError for a kernel other than 4, 3 and 2
 */
export function deconvLayers(
  inChannels: number,
  sizes: readonly LayerSize[],
  where: string,
  groups: readonly number[] = [],
): Layers {
  let from = inChannels;
  return sizes.flatMap(([to, kernel], i) => {
    const paddings = DECONV_PADDING[kernel];
    if (!paddings) throw new ConfigError(`${where}.deconv_kernel_sizes: found ${kernel}; expected 4, 3 or 2.`);
    const [padding, outputPadding] = paddings;
    const options = { stride: 2, padding, outputPadding, groups: groups[i], bias: false };
    const deconv = new ConvTranspose2d(from, to, kernel, options);
    from = to;
    return [deconv, new BatchNorm2d(to), new Act({ type: 'ReLU' })];
  });
}
