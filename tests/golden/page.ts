/** The golden runner inside a browser page: the same tables, files over HTTP from the test server. */
import type { GoldenSource } from './format.js';
import { runGoldenFile, type CaseReport } from './runner.js';

export interface PageRequest {
  /** Which of the server's golden folders to read from. */
  readonly root: number;
  readonly path: string;
  readonly cases: readonly string[];
  readonly backend: string;
  readonly corrupt: boolean;
}

declare global {
  interface Window {
    runGolden(request: PageRequest): Promise<CaseReport[]>;
  }
}

function httpSource(root: number): GoldenSource {
  const get = async (url: string): Promise<Uint8Array | null> => {
    const response = await fetch(url);
    // The server answers 204 for a file that is not there: a 404 would be a console error.
    if (response.status === 204) return null;
    if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  };
  const url = (kind: string, path: string) => `/@files/${root}/${kind}/${encodeURIComponent(path)}`;
  return {
    read: async (path) => (await get(url('file', path))) ?? Promise.reject(new Error(`${path} is missing`)),
    readShared: (path) => get(url('shared', path)),
  };
}

window.runGolden = ({ root, path, cases, backend, corrupt }) => {
  const names = new Set(cases);
  return runGoldenFile(httpSource(root), path, { backend, corrupt, wanted: (_group, _file, name) => names.has(name) });
};
