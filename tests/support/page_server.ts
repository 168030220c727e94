/** The Vite server of a page of ours. Files from outside the project are served through `/@files/...` by a function of the caller's. */
import { join } from 'node:path';
import { createServer, type Plugin, type ViteDevServer } from 'vite';

/** Bytes for the path after `/@files/`, or null when there is no such file. */
export type FileLookup = (path: string) => Promise<Uint8Array | null>;

export interface PageServerOptions {
  /** Root of the project. */
  readonly project: string;
  /** Path below the project of the script that is all there is of the page; relative addresses in it are relative to its folder. */
  readonly script: string;
  readonly files: FileLookup;
  /** Names the place of the packages that are bundled for the page; servers that run at the same time need places of their own. */
  readonly cache?: string;
  /** Scripts that run before the page's own, as paths below the project. */
  readonly before?: readonly string[];
  readonly plugins?: readonly Plugin[];
  /** Address to listen at. @default this machine alone */
  readonly host?: string;
}

export interface PageServer {
  /** Addresses of the page; the first one is for this machine. */
  readonly urls: readonly string[];
  close(): Promise<void>;
}

export async function startPageServer(options: PageServerOptions): Promise<PageServer> {
  const server = await listen(options);
  const { local, network } = server.resolvedUrls!;
  return {
    urls: [...local, ...network].map((root) => new URL(addressOf(options.script), root).href),
    close: () => server.close(),
  };
}

async function listen({ project, script, files, ...options }: PageServerOptions): Promise<ViteDevServer> {
  const { cache = script, before = [], plugins = [], host = '127.0.0.1' } = options;
  const server = await createServer({
    root: project,
    configFile: join(project, 'vite.config.ts'),
    logLevel: 'error',
    plugins: [scriptPage([...before, script]), outsideFiles(files), ...plugins],
    // Packages that are found while the page runs would reload it. Vite looks for them only when it finds none bundled already, so
    // that each page needs a place of its own for them.
    optimizeDeps: { entries: [script] },
    cacheDir: join(project, 'node_modules/.vite', cache.replaceAll(/\W/g, '_')),
    server: { host, port: 0, hmr: false, watch: null, headers: ISOLATION_HEADERS },
  });
  return server.listen();
}

/** Cross-origin isolation, so that wasm may use threads. */
const ISOLATION_HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

function addressOf(script: string): string {
  return `/${script}.html`;
}

/** @param scripts - in order; the last one gives the page its address */
function scriptPage(scripts: readonly string[]): Plugin {
  const script = scripts.at(-1)!;
  const html = `<!doctype html>
<meta charset="utf-8" />
<title>${script}</title>
<link rel="icon" href="data:," />
${scripts.map((path) => `<script type="module" src="/${path}"></script>`).join('\n')}
`;
  return {
    name: 'inpose:script-page',
    configureServer({ middlewares }) {
      middlewares.use(addressOf(script), (_request, response) => {
        response.writeHead(200, { ...ISOLATION_HEADERS, 'Content-Type': 'text/html' }).end(html);
      });
    },
  };
}

/** Anything missing is an empty 204: a 404 would be a console error. Honours `Range`, as the checkpoint reader asks. */
function outsideFiles(files: FileLookup): Plugin {
  return {
    name: 'inpose:outside-files',
    configureServer({ middlewares }) {
      middlewares.use('/@files/', async (request, response) => {
        const path = decodeURIComponent((request.url ?? '').replace(/^\//, '').replace(/\?.*$/, ''));
        const body = await files(path).catch(() => null);
        response.setHeader('Content-Type', path.endsWith('.json') ? 'application/json' : 'application/octet-stream');
        response.setHeader('Accept-Ranges', 'bytes');
        const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
        if (!body) return void response.writeHead(204).end();
        if (!range) return void response.writeHead(200).end(body);
        const [start, end] = [Number(range[1]), Math.min(Number(range[2] || Infinity), body.length - 1)];
        response.setHeader('Content-Range', `bytes ${start}-${end}/${body.length}`);
        response.writeHead(206).end(body.subarray(start, end + 1));
      });
    },
  };
}
