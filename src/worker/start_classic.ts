/** Starts the script-tag build as a worker; used by the builds' version of `start_worker.ts`. */
import { packageUrl } from '../page_url.js';
import { WORKER_NAME } from './protocol.js';

/** One small script for each library address of another origin. */
const relays = new Map<string, string>();

/**
 * @param script - address of `inpose.iife.js`. Browsers start no worker from another origin, but a worker may load scripts from there
 * @throws DOMException of the browser where workers are forbidden
 */
export function startClassic(script: string): Worker {
  const url = packageUrl(script);
  const isOwn = new URL(url).origin === globalThis.location.origin;
  return new Worker(isOwn ? url : relayTo(url), { name: WORKER_NAME });
}

function relayTo(url: string): string {
  const relay =
    relays.get(url) ??
    URL.createObjectURL(new Blob([`importScripts(${JSON.stringify(url)});`], { type: 'text/javascript' }));
  relays.set(url, relay);
  return relay;
}
