/**
 * Starting the worker. From source it is a module of its own; the builds replace this file (`vite.worker.ts`): there the worker is the
 * script-tag build, which serves when it finds itself in a worker of this name, so that tfjs is inside and nothing is to be resolved.
 */
import { WORKER_NAME } from './protocol.js';

/** @throws DOMException of the browser where workers are forbidden */
export function startWorker(): Worker {
  return new Worker(new URL('./serve.ts', import.meta.url), { type: 'module', name: WORKER_NAME });
}
