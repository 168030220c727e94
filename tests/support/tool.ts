/** What our command line tools have in common: how they end, and what they say meanwhile. */
import process from 'node:process';

/** Runs a tool to its end: status 1 when it answers no, and with one sentence when it fails. */
export async function runTool(name: string, main: () => Promise<boolean>): Promise<void> {
  try {
    process.exitCode = (await main()) ? 0 : 1;
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}

/** One line that overwrites itself, for people only; '' clears it. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
