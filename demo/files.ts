/** Sorts dropped and picked files: checkpoints with their configs, or a picture, or a video. */
import { DemoError } from './messages.js';

export interface SortedFiles {
  readonly checkpoints: readonly File[];
  readonly configs: readonly File[];
  /** The first. */
  readonly media?: File;
}

const CHECKPOINT = /\.(pth|pt|safetensors)$/i;
const CONFIG = /\.json$/i;
const PICTURE = /\.(jpe?g|png|webp|gif|bmp|avif|heic|tiff?)$/i;
const VIDEO = /\.(mp4|m4v|mov|webm|ogv|mkv|avi)$/i;

/**
 * @throws DemoError when none of the files is of any kind
 */
export function sortFiles(files: Iterable<File>): SortedFiles {
  const all = [...files];
  const sorted = {
    checkpoints: all.filter(({ name }) => CHECKPOINT.test(name)),
    configs: all.filter(({ name }) => CONFIG.test(name)),
    media: all.find((file) => isPicture(file) || isVideo(file)),
  };
  if (all.length > 0 && sorted.checkpoints.length + sorted.configs.length === 0 && !sorted.media) {
    throw new DemoError(
      'This file is of no use here',
      `Found "${all[0].name}". Expected a picture, a video, a checkpoint (.pth, .safetensors) or its config (.json).`,
    );
  }
  return sorted;
}

export function isVideo({ type, name }: File): boolean {
  return type.startsWith('video/') || VIDEO.test(name);
}

function isPicture({ type, name }: File): boolean {
  return type.startsWith('image/') || PICTURE.test(name);
}
