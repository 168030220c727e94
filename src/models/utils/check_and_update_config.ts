/**
 * Configs from before MMPose 1.0 final wrote into the head what a neck does today (MMPose:
 * `mmpose/models/utils/check_and_update_config.py`). Published checkpoints carry such configs, so they are rewritten on the way in.
 */
import type { ConfigDict } from '../../config.js';
import { ConfigError } from '../../errors.js';

type Draft = Record<string, unknown>;

/**
 * Moves `input_transform`, `input_index`, `align_corners`, `extra` and `has_final_layer` of a head to today's keys and to a
 * `FeatureMapProcessor` neck. A config without them comes back unchanged.
 *
 * @throws ConfigError for an unknown `input_transform`
 */
export function checkAndUpdateConfig(
  neck: ConfigDict | null,
  head: ConfigDict,
  where = 'model.head',
): { neck: ConfigDict | null; head: ConfigDict } {
  const { input_transform, input_index, align_corners, extra, has_final_layer, ...rest } = head as Draft;
  const newHead: Draft = rest;
  const newNeck: Draft = { ...neck };
  const index = input_index ?? -1;
  const selected = selectFeatures(input_transform ?? 'select', index as number | number[], newHead, newNeck, where);
  if (selected && align_corners) newNeck.align_corners = align_corners;
  if (extra) convertExtra(extra as Draft, newHead, newNeck);
  if (has_final_layer === false && !('final_layer' in newHead)) newHead.final_layer = null;
  return { neck: Object.keys(newNeck).length > 0 ? (newNeck as ConfigDict) : null, head: newHead as ConfigDict };
}

/** True when a neck now selects the features. */
function selectFeatures(
  transform: unknown,
  index: number | number[],
  head: Draft,
  neck: Draft,
  where: string,
): boolean {
  const pick = (channels: readonly number[], i: number) => channels.at(i);
  const channels = head.in_channels;
  if (transform === 'resize_concat') {
    if (!Array.isArray(channels) || !Array.isArray(index)) {
      throw new ConfigError(
        `${where}.input_transform: found "resize_concat"; expected lists in in_channels and input_index.`,
      );
    }
    head.in_channels = index.reduce((sum, i) => sum + (pick(channels, i) ?? 0), 0);
    Object.assign(neck, { type: 'FeatureMapProcessor', concat: true, select_index: index });
  } else if (transform === 'select') {
    if (Array.isArray(index) ? index.join() === '-1' : index === -1) return false;
    Object.assign(neck, { type: 'FeatureMapProcessor', select_index: index });
    if (Array.isArray(channels)) {
      head.in_channels = Array.isArray(index) ? index.map((i) => pick(channels, i)) : pick(channels, index);
    }
  } else {
    throw new ConfigError(
      `${where}.input_transform: found ${JSON.stringify(transform)}; expected "select" or "resize_concat".`,
    );
  }
  return true;
}

function convertExtra(extra: Draft, head: Draft, neck: Draft): void {
  const kernel = extra.final_conv_kernel as number | undefined;
  if (kernel !== undefined) {
    head.final_layer = kernel > 1 ? { kernel_size: kernel, padding: Math.floor(kernel / 2) } : { kernel_size: kernel };
  }
  if ('upsample' in extra) {
    Object.assign(neck, { type: 'FeatureMapProcessor', scale_factor: Number(extra.upsample), apply_relu: true });
  }
}
