/** Command line tools of the project, run as a user runs them. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a TypeScript file of the project to its end, whatever the end is. */
export function runScript(path: string, args: readonly string[]): Promise<Ended> {
  const command = ['--import', 'tsx', join(PROJECT, path), ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: PROJECT, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : 1;
      resolve({ code: error ? code : 0, stdout, stderr });
    });
  });
}
