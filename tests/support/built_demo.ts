/** The demo page as it is published: built, and served from a folder by a server that does nothing else. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, preview } from 'vite';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

export interface BuiltDemo {
  readonly folder: string;
  /** `http://localhost:PORT` */
  readonly origin: string;
  close(): Promise<void>;
}

/** @param built - a folder with the page, which stays; left out: it is built now, in a folder that goes again */
export async function serveBuiltDemo(built?: string): Promise<BuiltDemo> {
  const folder = built ?? (await buildDemo());
  const at = { root: folder, build: { outDir: folder }, preview: { port: 0, host: '127.0.0.1' } };
  const server = await preview({ configFile: false, logLevel: 'error', ...at });
  return {
    folder,
    origin: new URL(server.resolvedUrls!.local[0]).origin,
    close: async () => {
      await server.close();
      if (!built) await rm(folder, { recursive: true, force: true });
    },
  };
}

async function buildDemo(): Promise<string> {
  const outDir = await mkdtemp(join(tmpdir(), 'inpose-demo-'));
  const config = { configFile: join(PROJECT, 'vite.config.ts'), mode: 'demo', logLevel: 'error' } as const;
  await build({ ...config, build: { outDir, emptyOutDir: true } });
  return outDir;
}
