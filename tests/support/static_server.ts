/** A file server for test pages: folders laid over each other, right content types, Range requests, cross-origin isolation. */
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize, sep } from 'node:path';
import { createGzip } from 'node:zlib';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.svg': 'image/svg+xml',
};

export interface StaticServer {
  /** `http://localhost:PORT`, without a slash at the end. */
  readonly url: string;
  close(): Promise<void>;
}

export interface StaticServerOptions {
  /** Sends the headers that make a page cross-origin isolated, so that wasm may use threads. @default false */
  readonly isolated?: boolean;
  /**
   * Compresses what is worth it, parts of files too, and lets browsers keep everything: Express's `compression`, and so Next.js.
   * @default false
   */
  readonly compressed?: boolean;
  /** Further headers of every answer, such as a Content-Security-Policy. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** @param folders - the first that has a file gives it */
export async function serveFolders(
  folders: readonly string[],
  options: StaticServerOptions = {},
): Promise<StaticServer> {
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(options.headers ?? {})) response.setHeader(name, value);
    if (options.isolated) {
      response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
      response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    }
    answer(folders, request, response, options.compressed ?? false);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function answer(
  folders: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
  isCompressed: boolean,
): void {
  const file = folders
    .map((folder) => fileOf(folder, request.url ?? '/'))
    .find((path) => path && sizeOfFile(path) !== null);
  if (!file) {
    response.writeHead(404).end();
    return;
  }
  const size = sizeOfFile(file)!;
  response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream');
  response.setHeader('Accept-Ranges', 'bytes');
  const part = askedPart(request, size);
  if (part.isPart) response.setHeader('Content-Range', `bytes ${part.start}-${part.end}/${size}`);
  if (isCompressed && isKept(request, response, size)) response.writeHead(304).end();
  else send(file, part, isCompressed, request, response);
}

/** The bytes from `start` to `end`, both included. */
interface Part {
  readonly start: number;
  readonly end: number;
  readonly isPart: boolean;
}

function askedPart(request: IncomingMessage, size: number): Part {
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const start = range ? Number(range[1]) : 0;
  const end = range?.[2] ? Math.min(Number(range[2]), size - 1) : size - 1;
  return { start, end, isPart: range !== null };
}

/** Lets the browser keep the file for a year; whether it already has it. */
function isKept(request: IncomingMessage, response: ServerResponse, size: number): boolean {
  const tag = `W/"${size}"`;
  response.setHeader('Cache-Control', 'public, max-age=31536000, immutable');
  response.setHeader('Last-Modified', new Date(2026, 0).toUTCString());
  response.setHeader('ETag', tag);
  response.setHeader('Vary', 'Accept-Encoding');
  return request.headers['if-none-match'] === tag;
}

function send(
  file: string,
  { start, end, isPart }: Part,
  isCompressed: boolean,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const isWorthIt = extname(file) in TYPES && end - start > 1000;
  const isGzipped = isCompressed && isWorthIt && /gzip/.test(request.headers['accept-encoding'] ?? '');
  if (isGzipped) response.setHeader('Content-Encoding', 'gzip');
  else response.setHeader('Content-Length', end - start + 1);
  response.writeHead(isPart ? 206 : 200);
  if (request.method === 'HEAD') response.end();
  else if (isGzipped) createReadStream(file, { start, end }).pipe(createGzip()).pipe(response);
  else createReadStream(file, { start, end }).pipe(response);
}

/** The file that a URL means, or null when it leads out of the folder. */
function fileOf(folder: string, url: string): string | null {
  const path = decodeURIComponent(new URL(url, 'http://localhost').pathname);
  const file = normalize(join(folder, path.endsWith('/') ? `${path}index.html` : path));
  return file.startsWith(normalize(folder) + sep) ? file : null;
}

function sizeOfFile(file: string): number | null {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat?.isFile() ? stat.size : null;
}
