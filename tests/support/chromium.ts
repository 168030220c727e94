/**
 * The Chromium that every browser test, the golden runner, the accuracy harness and the demo's screenshot use: found, or brought,
 * in one place. Order: INPOSE_CHROMIUM, the system's, playwright's, and only then an install (playwright's, else Debian's).
 *
 * WebGPU and WebGL run on Chromium's software adapter, which is the same everywhere; INPOSE_GPU=hardware asks for the real GPU.
 */
import { execFile } from 'node:child_process';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { chromium } from 'playwright';
import type { Browser, LaunchOptions } from 'playwright';
import { isExecutable } from './executable.js';

const run = promisify(execFile);

const SYSTEM_NAMES = ['chromium', 'google-chrome-stable', 'google-chrome', 'chromium-browser', 'chrome'];
const MAC_PATHS = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
/** A download that a firewall swallows must not use up the time of the whole test run. */
const DOWNLOAD_LIMIT_MS = 180_000;
const APT_LIMIT_MS = 420_000;

export interface ChromiumOptions {
  /** Which GPU WebGPU and WebGL get. @default the environment's INPOSE_GPU, else 'software' */
  readonly gpu?: 'software' | 'hardware' | 'none';
  /** Further command line flags. */
  readonly flags?: readonly string[];
  /** Let pages reach hosts other than this machine. @default false */
  readonly network?: boolean;
}

/** Command line flags of all our browsers. */
export function chromiumFlags(options: ChromiumOptions = {}): string[] {
  const gpu = options.gpu ?? (process.env.INPOSE_GPU === 'hardware' ? 'hardware' : 'software');
  return [
    // Only our own pages run here, often as root in a container, where Chromium's sandbox cannot start.
    '--no-sandbox',
    // Containers give /dev/shm 64 MB; a page with a few large canvases then dies without a word.
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-default-apps',
    '--no-first-run',
    '--no-pings',
    ...GPU_FLAGS[gpu],
    ...(options.network ? [] : ['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1']),
    ...(options.flags ?? []),
  ];
}

const GPU_FLAGS = {
  software: [
    '--enable-unsafe-webgpu',
    '--use-webgpu-adapter=swiftshader',
    '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader',
  ],
  hardware: [
    '--enable-unsafe-webgpu',
    '--enable-features=Vulkan',
    '--use-angle=vulkan',
    '--ignore-gpu-blocklist',
    '--enable-gpu',
  ],
  none: ['--disable-gpu', '--disable-software-rasterizer'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** Starts a headless Chromium, installing one first when the machine has none. The caller closes it. */
export async function launchChromium(
  options: ChromiumOptions & Pick<LaunchOptions, 'headless'> = {},
): Promise<Browser> {
  return chromium.launch({
    executablePath: await findChromium(),
    headless: options.headless ?? true,
    args: chromiumFlags(options),
  });
}

let found: Promise<string> | undefined;

/** Path of a Chromium that starts; brings one when there is none. Asked twice, it looks once. */
export function findChromium(): Promise<string> {
  found ??= locateChromium().then((path) => path ?? installChromium());
  return found;
}

/** Path of an installed Chromium that starts, or undefined. Installs nothing. */
export async function locateChromium(): Promise<string | undefined> {
  const own = process.env.INPOSE_CHROMIUM;
  if (own) {
    if (await starts(own)) return own;
    throw new Error(
      `INPOSE_CHROMIUM: found "${own}", which does not start; expected the path of a Chromium or Chrome.`,
    );
  }
  for (const candidate of [...systemPaths(), chromium.executablePath()]) {
    if (isExecutable(candidate) && (await starts(candidate))) return candidate;
  }
  return undefined;
}

function systemPaths(): string[] {
  const folders = (process.env.PATH ?? '').split(delimiter).concat('/usr/bin', '/usr/local/bin', '/opt/google/chrome');
  const onPath = SYSTEM_NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...new Set(onPath), ...(process.platform === 'darwin' ? MAC_PATHS : [])];
}

/** Ubuntu's `chromium-browser` may be a stub for a snap, and playwright's may lack system libraries: a path alone proves nothing. */
async function starts(path: string): Promise<boolean> {
  try {
    const { stdout } = await run(path, ['--version', '--no-sandbox'], { timeout: 20_000 });
    return /chrom/i.test(stdout);
  } catch {
    return false;
  }
}

async function installChromium(): Promise<string> {
  const isRoot = process.getuid?.() === 0;
  const reasons: string[] = [];
  const attempts: [name: string, install: () => Promise<unknown>][] = [["playwright's", installPlaywrights]];
  if (isRoot) attempts.push(["Debian's", installDebians]);
  else reasons.push("Debian's: needs root");
  for (const [name, install] of attempts) {
    process.stderr.write(`No Chromium on this machine; installing ${name}\n`);
    try {
      await install();
    } catch (error) {
      reasons.push(`${name}: ${firstLine(error)}`);
    }
    const path = await locateChromium();
    if (path) return path;
  }
  throw new Error(
    `Chromium: none found and none could be installed (${reasons.join('; ')}). Install Chromium, or set INPOSE_CHROMIUM to its path.`,
  );
}

function installPlaywrights(): Promise<unknown> {
  return run('npx', ['--no-install', 'playwright', 'install', 'chromium'], {
    timeout: DOWNLOAD_LIMIT_MS,
    env: { ...process.env, PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT: '15000' },
  });
}

async function installDebians(): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update'], { timeout: APT_LIMIT_MS, env });
  await run('apt-get', ['install', '-y', '--no-install-recommends', 'chromium'], {
    timeout: APT_LIMIT_MS,
    env,
    maxBuffer: 64 * 1024 * 1024,
  });
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n')[0];
}
