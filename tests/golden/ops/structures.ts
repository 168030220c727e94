import type { OpTable } from '../runner.js';
import { OPS as PREPROCESSOR } from './preprocessor.js';

export const OPS: OpTable = { ...PREPROCESSOR };
