/** The package as users get it: built, packed, and installed from the tarball into a fresh folder. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const exec = promisify(execFile);

/** Gives stdout; a failure says what the command printed. */
export async function command(cwd: string, name: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await exec(name, args, { cwd, maxBuffer: 1 << 26, env: cleanEnvironment() });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    // The end is where tools say what was wrong; the cause would print it all a second time.
    // oxlint-disable-next-line preserve-caught-error
    throw new Error(`${name} ${args.join(' ')} failed:\n${stdout.slice(-4000)}\n${stderr.slice(-4000)}`);
  }
}

/** An `npm test` around us must not be taken for the settings of the application. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_ENV$|VITEST|TEST$|INIT_CWD$)/.test(name));
  return Object.fromEntries(kept);
}

export interface Installed {
  /** A folder of its own for everything that a test writes. */
  readonly scratch: string;
  readonly tarball: string;
  /** A project with the package in `node_modules`; applications live in folders below it. */
  readonly app: string;
  remove(): Promise<void>;
}

/** Builds, packs and installs. `prepack` builds, so this is also the test that publishing does. */
export async function installPackage(): Promise<Installed> {
  const scratch = await mkdtemp(join(tmpdir(), 'inpose-package-'));
  await command(PROJECT, 'npm', 'pack', '--silent', '--pack-destination', scratch);
  const [name] = (await readdir(scratch)).filter((file) => file.endsWith('.tgz'));
  const tarball = join(scratch, name);
  const app = join(scratch, 'app');
  await mkdir(app);
  await writeFile(join(app, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
  await command(app, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--silent', tarball);
  return {
    scratch,
    tarball,
    app,
    remove: () => rm(scratch, { recursive: true, force: true }),
  };
}
