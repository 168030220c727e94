/** Golden files from the disk. */
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import type { GoldenSource } from './format.js';

/** Reads below `root`; `shared/...` starts at the nearest folder upwards that contains `shared/`, else beside the project. */
export function nodeSource(root: string, project: string): GoldenSource {
  return {
    read: async (path) => new Uint8Array(await readFile(join(root, path))),
    readShared: async (path) => {
      const found = findShared(root, project, path);
      return found === null ? null : new Uint8Array(await readFile(found));
    },
  };
}

/** Absolute path of a `shared/...` file, or null. */
export function findShared(root: string, project: string, path: string): string | null {
  if (!path.startsWith('shared/') || path.split('/').includes('..')) return null;
  for (let folder = resolve(root); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'shared'))) return existing(join(folder, path));
    if (dirname(folder) === folder) return existing(join(project, '..', path));
  }
}

function existing(path: string): string | null {
  return existsSync(path) ? path : null;
}

/** Every `.json` below `root`, as paths relative to it, sorted. */
export async function listJson(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}
