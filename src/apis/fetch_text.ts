/** Small text files by URL, with messages that say what was there instead. */
import { ConfigError } from '../errors.js';

export interface FetchTextOptions {
  readonly fetch?: (input: string, init?: RequestInit) => Promise<Response>;
  readonly signal?: AbortSignal;
}

/** @throws ConfigError naming the URL and what the server answered; or the signal's own reason */
export async function fetchText(url: string, what: string, options: FetchTextOptions = {}): Promise<string> {
  const { fetch = globalThis.fetch, signal } = options;
  try {
    const response = await fetch(url, { signal });
    if (response.ok) return await response.text();
    throw new ConfigError(`${url}: the server answered ${response.status}; expected ${what}.`);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`${url}: could not be fetched; expected ${what}.`, { cause: error });
  }
}
