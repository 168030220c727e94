/**
 * Firefox and WebKitGTK (Safari's engine) as the machine has them, opened at an address and nothing more: the page reports by itself,
 * so that no driver is needed and any other device could have opened the address as well. On a machine without a screen they get one
 * of Xvfb, because neither gives WebGL without.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { isExecutable } from './executable.js';

export const INSTALLED_BROWSERS = ['firefox', 'webkit'] as const;
export type InstalledBrowser = (typeof INSTALLED_BROWSERS)[number];

export function isInstalledBrowser(name: string): name is InstalledBrowser {
  return (INSTALLED_BROWSERS as readonly string[]).includes(name);
}

interface Candidate {
  readonly names: readonly string[];
  readonly install: string;
  /** Arguments that open `url`; `profile` is an empty folder of its own. */
  args(url: string, profile: string): readonly string[];
}

const CANDIDATES: Readonly<Record<InstalledBrowser, Candidate>> = {
  firefox: {
    names: ['firefox', 'firefox-esr'],
    install: 'apt-get install firefox-esr xvfb',
    args: (url, profile) => ['--no-remote', '--profile', profile, url],
  },
  webkit: {
    names: ['MiniBrowser'],
    install: 'apt-get install libwebkit2gtk-4.1-0 xvfb',
    args: (url) => ['--private', '--enable-media-stream=true', '--media-playback-requires-user-gesture=false', url],
  },
};

/** What a new profile of Firefox must not do: ask, greet, call home; and WebGPU, WebGL on a machine without a GPU. */
const FIREFOX_PREFERENCES = {
  'browser.shell.checkDefaultBrowser': false,
  'browser.aboutwelcome.enabled': false,
  'browser.startup.homepage_override.mstone': 'ignore',
  'datareporting.policy.dataSubmissionEnabled': false,
  'toolkit.telemetry.reportingpolicy.firstRun': false,
  'app.normandy.enabled': false,
  'app.update.enabled': false,
  'dom.webgpu.enabled': true,
  'gfx.webgpu.ignore-blocklist': true,
  'webgl.force-enabled': true,
  'dom.disable_open_during_load': false,
  // A tab that says nothing for long is no fault here.
  'dom.max_script_run_time': 0,
};

/** A started browser. */
export interface Opened {
  readonly process: ChildProcess;
  /** Ends it and removes its profile. */
  close(): Promise<void>;
}

/**
 * Opens `url` in a browser with an empty profile. Throws an Error when the machine has no such browser.
 *
 * @param folders - where it is looked for, beside PATH
 */
export async function openInstalled(
  name: InstalledBrowser,
  url: string,
  folders: readonly string[] = FOLDERS,
): Promise<Opened> {
  const path = findInstalled(name, folders);
  if (!path) {
    const { names, install } = CANDIDATES[name];
    throw new Error(`${name}: found no ${names.join(' or ')} on this machine; install it (Debian: ${install}).`);
  }
  const profile = await mkdtemp(join(tmpdir(), 'inpose-browser-'));
  await writeFile(join(profile, 'user.js'), preferences());
  const [command, ...args] = [...screen(), path, ...CANDIDATES[name].args(url, profile)];
  const child = spawn(command, args, {
    // A group of its own: both browsers, and xvfb-run, start processes that outlive the first one.
    detached: true,
    stdio: 'ignore',
    env: {
      ...process.env,
      HOME: profile,
      XDG_RUNTIME_DIR: profile,
      ...(usesGpu() ? {} : { LIBGL_ALWAYS_SOFTWARE: '1' }),
    },
  });
  const stopWithUs = () => stop(child);
  process.once('exit', stopWithUs);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()));
  return {
    process: child,
    close: async () => {
      process.off('exit', stopWithUs);
      stop(child);
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

function findInstalled(name: InstalledBrowser, folders: readonly string[]): string | undefined {
  const all = (process.env.PATH ?? '').split(delimiter).concat(folders);
  return CANDIDATES[name].names
    .flatMap((file) => all.map((folder) => join(folder, file)))
    .find((path) => isExecutable(path));
}

/** As for Chromium. */
function usesGpu(): boolean {
  return process.env.INPOSE_GPU === 'hardware';
}

/** Debian keeps the small browser of WebKitGTK beside the library. */
const FOLDERS = ['/usr/bin', ...['x86_64', 'aarch64'].map((cpu) => `/usr/lib/${cpu}-linux-gnu/webkit2gtk-4.1`)];

/** The command in front that gives a program a screen. */
function screen(): readonly string[] {
  return process.env.DISPLAY || process.env.WAYLAND_DISPLAY || process.platform !== 'linux' ? [] : ['xvfb-run', '-a'];
}

function preferences(): string {
  return Object.entries(FIREFOX_PREFERENCES)
    .map(([key, value]) => `user_pref(${JSON.stringify(key)}, ${JSON.stringify(value)});\n`)
    .join('');
}

function stop(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
