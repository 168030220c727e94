/** `inpose inspect FILE`: what is in a weights file, without reading a single weight. */
import type { Checkpoint } from '../checkpoint/index.js';
import { sizeOf } from '../ndarray.js';
import { formatBytes, withCheckpoint } from './open.js';

/**
 * The report, as text or as JSON.
 *
 * @throws CheckpointError or InputError when the file cannot be read
 */
export async function inspect(file: string, options: { json?: boolean; signal?: AbortSignal } = {}): Promise<string> {
  const { json, signal } = options;
  return withCheckpoint(file, { signal }, async (checkpoint, size) =>
    json ? JSON.stringify(toJson(checkpoint, file, size), plainArrays, 2) : toText(checkpoint, file, size),
  );
}

function toJson(checkpoint: Checkpoint, file: string, size: number): unknown {
  const { format, stored, meta, config, configOrigin, configProblem, datasetMeta } = checkpoint;
  return {
    file,
    format,
    bytes: size || null,
    state_dict_path: stored[0].path,
    state_dicts: stored.map(({ path, stateDict }) => ({ path, tensors: stateDict.size })),
    tensors: [...checkpoint.stateDict].map(([key, { dtype, shape }]) => ({ key, dtype, shape })),
    versions: Object.fromEntries(checkpoint.versions),
    meta,
    dataset_meta: datasetMeta,
    config_origin: configOrigin,
    config_problem: configProblem?.message ?? null,
    config,
  };
}

/** Typed arrays as lists; integers beyond 2^53 as the nearest number. */
function plainArrays(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  return ArrayBuffer.isView(value) ? Array.from(value as Uint8Array, Number) : value;
}

function toText(checkpoint: Checkpoint, file: string, size: number): string {
  const { format, stateDict, stored } = checkpoint;
  const values = [...stateDict.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const width = Math.min(72, Math.max(...[...stateDict.keys()].map((key) => key.length)));
  const others = stored.slice(1).map(({ path }) => `; also holds ${path.join('.')}, which is not used`);
  return [
    `${file}: ${format}${size ? `, ${formatBytes(size)}` : ''}`,
    '',
    `${stored[0].path.join('.') || 'tensors'}: ${stateDict.size} tensors, ${values} values${others.join('')}`,
    ...[...stateDict].map(
      ([key, { dtype, shape }]) => `  ${key.padEnd(width)}  ${dtype.padEnd(8)}  [${shape.join(', ')}]`,
    ),
    '',
    ...describeMeta(checkpoint),
    describeDataset(checkpoint),
    ...describeConfig(checkpoint),
  ].join('\n');
}

function describeMeta({ meta }: Checkpoint): string[] {
  const entries = Object.entries(meta).filter(([key]) => key !== 'dataset_meta');
  const lines = entries.map(([key, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value, plainArrays);
    const isLong = text.length > 80 || text.includes('\n');
    return `  ${key}: ${isLong ? `${JSON.stringify(text.slice(0, 60))}... (${text.length} characters)` : text}`;
  });
  return lines.length > 0 ? ['meta:', ...lines] : ['meta: none'];
}

function describeDataset({ datasetMeta }: Checkpoint): string {
  if (!datasetMeta) return 'dataset meta-info: none (the config decides)';
  return `dataset meta-info: ${String(datasetMeta.dataset_name ?? 'unnamed')}, ${String(datasetMeta.num_keypoints ?? '?')} keypoints`;
}

function describeConfig({ config, configOrigin, configProblem }: Checkpoint): string[] {
  const problem = configProblem ? [`config problem: ${configProblem.message}`] : [];
  if (!config)
    return [
      ...problem,
      'config: none found; put NAME.config.json beside the file, or convert it with --config or --model',
    ];
  const model = typeOf(config.model);
  const parts = ['backbone', 'neck', 'head'].map((part) => typeOf(child(config.model, part))).filter(Boolean);
  const head = child(config.model, 'head');
  const poseHead = child(head, 'pose_cfg');
  const decoder = typeOf(child(poseHead ?? head, 'decoder'));
  const summary = [model, ...parts, typeOf(poseHead), decoder].filter(Boolean).join(', ');
  return [...problem, `config: from ${configOrigin}: ${summary || Object.keys(config).join(', ')}`];
}

function child(node: unknown, key: string): unknown {
  return typeof node === 'object' && node !== null ? (node as Record<string, unknown>)[key] : undefined;
}

function typeOf(node: unknown): string {
  const type = child(node, 'type');
  return typeof type === 'string' ? type : '';
}
