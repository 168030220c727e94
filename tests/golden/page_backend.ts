/** The tfjs backend that the golden operations of a page run on, started once per page and name. */
import { createBackend, type Backend, type BackendChoice } from '../../src/backend/init.js';

const started = new Map<string, Promise<Backend>>();

/** The backend of `ctx.backend`; software GPUs count, since a test asks for its backend by name. */
export function goldenBackend(name: string): Promise<Backend> {
  const backend = started.get(name) ?? createBackend(name as BackendChoice);
  started.set(name, backend);
  return backend;
}
