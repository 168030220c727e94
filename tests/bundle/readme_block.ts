import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from './installed.js';

const readme = readFileSync(join(PROJECT, 'README.md'), 'utf8');

/** The README's first block of a language that contains `word`. */
export function readmeBlock(language: string, word: string): string {
  const blocks = [...readme.matchAll(/^```(\w+)\n([^]*?)^```/gm)];
  const found = blocks.find(([, name, code]) => name === language && code.includes(word));
  if (!found) throw new Error(`README.md: no ${language} block with ${word}`);
  return found[2];
}
