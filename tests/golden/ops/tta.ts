import type { OpTable } from '../runner.js';

export const OPS: OpTable = {};
