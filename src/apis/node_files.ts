/** The package's own files where the package lies on a disk: Node's `fetch` reads no files. */

interface FilesPromises {
  readFile(path: URL): Promise<Uint8Array>;
  readFile(path: URL, encoding: 'utf8'): Promise<string>;
}

/** Node's file functions for a `file:` URL, else undefined. Asked for by name, since an import would follow into browsers' bundles. */
export function nodeFiles(url: string): FilesPromises | undefined {
  if (!url.startsWith('file:')) return undefined;
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  return process?.getBuiltinModule?.('fs/promises') as FilesPromises | undefined;
}
