/** Builds, packs and installs once for all files of the project `bundle`. */
import type { TestProject } from 'vitest/node';
import { installPackage } from './installed.js';

declare module 'vitest' {
  interface ProvidedContext {
    scratch: string;
    tarball: string;
    app: string;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { remove, ...installed } = await installPackage();
  for (const [key, value] of Object.entries(installed)) project.provide(key as keyof typeof installed, value);
  return remove;
}
