/** The `in_channels` of necks that take several feature maps. */
import { ConfigError } from '../../errors.js';
import { checkCount } from '../utils/conv_layer.js';

/** @throws ConfigError unless `channels` is a list of whole numbers from 1 */
export function checkChannels(channels: unknown, where: string): asserts channels is readonly number[] {
  if (!Array.isArray(channels) || channels.length === 0) {
    throw new ConfigError(`${where}: found ${JSON.stringify(channels)}; expected a list, one width per feature map.`);
  }
  for (const [i, count] of channels.entries()) checkCount(count, `${where}.${i}`);
}
