/**
 * Reading MMPose configs: plain JSON whose keys stay verbatim (snake_case). A class states its keys with their defaults and
 * receives a complete, checked object; unknown keys are errors, except those that only matter to training.
 */
import { ConfigError } from './errors.js';

/** One `{ type, ... }` node of an MMPose config, verbatim. */
export type ConfigDict = { readonly type: string; readonly [key: string]: unknown };

/** Keys of MMPose configs that only training reads; accepted everywhere and ignored. */
export const TRAINING_ONLY_KEYS: ReadonlySet<string> = new Set([
  'loss',
  'loss_keypoint',
  'init_cfg',
  'train_cfg',
  'pretrained',
  'norm_eval',
  'with_cp',
  'frozen_stages',
  'zero_init_residual',
  'zero_init',
  'dropout_rate',
  'drop_path',
  'drop_path_rate',
  'drop_rate',
  'attn_drop_rate',
  'requires_grad',
  '_scope_',
]);

/** Marks a key without a default: leaving it out is a ConfigError. */
export const REQUIRED: unique symbol = Symbol('required');

/** Keys with their default value, or `REQUIRED`. */
export type ConfigSpec = Readonly<Record<string, unknown>>;

/**
 * Checks `config` against `spec` and fills in the defaults.
 *
 * @param where - path of the node, for messages: `model.backbone`
 * @throws ConfigError naming every unknown and every missing key at once
 */
export function readConfig<T extends object>(
  config: Readonly<Record<string, unknown>>,
  where: string,
  spec: ConfigSpec,
): T {
  const out: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [key, fallback] of Object.entries(spec)) {
    const given = config[key];
    if (given === undefined && fallback === REQUIRED) problems.push(`"${key}" is missing`);
    out[key] = given === undefined && fallback !== REQUIRED ? fallback : given;
  }
  for (const key of Object.keys(config)) {
    if (key === 'type' || key in spec || TRAINING_ONLY_KEYS.has(key)) continue;
    problems.push(`unknown key "${key}"${didYouMean(key, Object.keys(spec))}`);
  }
  if (problems.length > 0) {
    throw new ConfigError(`${where}: ${problems.join('; ')}; allowed keys: ${Object.keys(spec).join(', ') || 'none'}.`);
  }
  return out as T;
}

/** ` Did you mean "X"?` for the nearest candidate within a third of the word, else an empty string. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best === undefined ? '' : ` Did you mean "${best}"?`;
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
