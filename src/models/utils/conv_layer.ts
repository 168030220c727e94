/** mmcv's `build_conv_layer` for the layers that heads describe by a config. */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { Conv2d, type Pair } from '../../nn/conv.js';

interface ConvLayerConfig {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly kernel_size: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
  readonly bias: boolean;
}

const SPEC = {
  in_channels: REQUIRED,
  out_channels: REQUIRED,
  kernel_size: REQUIRED,
  stride: 1,
  padding: 0,
  dilation: 1,
  groups: 1,
  bias: true,
};

/**
 * A convolution from `{ type?: 'Conv2d', in_channels, out_channels, kernel_size, ... }`.
 *
 * @throws ConfigError for another type, unknown keys, or channels that are not one number
 */
export function buildConvLayer(config: Readonly<Record<string, unknown>>, where: string): Conv2d {
  const type = config.type ?? 'Conv2d';
  if (type !== 'Conv2d' && type !== 'Conv') {
    throw new ConfigError(`${where}.type: found ${JSON.stringify(type)}; expected "Conv2d".`);
  }
  const { in_channels, out_channels, kernel_size, ...options } = readConfig<ConvLayerConfig>(config, where, SPEC);
  checkCount(in_channels, `${where}.in_channels`);
  checkCount(out_channels, `${where}.out_channels`);
  return new Conv2d(in_channels, out_channels, kernel_size, options);
}

/**
 * The last convolution of a head: 1 x 1 from `inChannels` to `outChannels`, changed by `config`; none when that is null.
 *
 * @throws ConfigError as `buildConvLayer`
 */
export function buildFinalLayer(
  config: Readonly<Record<string, unknown>> | null,
  inChannels: number,
  outChannels: number,
  where: string,
): Conv2d | null {
  if (config === null) return null;
  return buildConvLayer({ in_channels: inChannels, out_channels: outChannels, kernel_size: 1, ...config }, where);
}

/** @throws ConfigError unless `value` is a whole number from 1 */
export function checkCount(value: unknown, where: string): asserts value is number {
  if (typeof value === 'number' && Number.isInteger(value) && value > 0) return;
  throw new ConfigError(`${where}: found ${JSON.stringify(value)}; expected a whole number from 1.`);
}
