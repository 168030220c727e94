/**
 * `npm run test:zoo`: builds every model of MMPose's index from its config, and compares the names and shapes of all parameters with
 * those of MMPose's own, by their hash.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { ConfigDict } from '../../src/config.js';
import { buildPoseEstimator } from '../../src/models/builder.js';
import { namedParameters } from '../../src/nn/module.js';
import { progress, runTool } from '../support/tool.js';

const INDEX = fileURLToPath(new URL('../../../shared/zoo/mmpose-models.json', import.meta.url));

interface Entry {
  readonly name: string;
  readonly model: ConfigDict;
  /** null for models that MMPose itself does not build. */
  readonly state_dict: { readonly keys: number; readonly sha256: string } | null;
}

type Outcome = 'equal' | 'built' | `not built: ${string}` | `other parameters: ${string}`;

const { index } = new Command('test:zoo')
  .option('--index <file>', 'list of models with config and hash', INDEX)
  .parse()
  .opts<{ readonly index: string }>();

await runTool('zoo', main);

async function main(): Promise<boolean> {
  if (!existsSync(index)) throw new Error(`${resolve(index)}: not found; give the index of models with --index`);
  const entries: readonly Entry[] = JSON.parse(await readFile(index, 'utf8'));
  const outcomes: Outcome[] = [];
  for (const entry of entries) {
    const outcome = await outcomeOf(entry);
    outcomes.push(outcome);
    progress(`${outcomes.length} of ${entries.length} models`);
    if (outcome !== 'equal' && outcome !== 'built') console.log(`${entry.name}: ${outcome}`);
  }
  progress('');
  const count = (wanted: RegExp) => outcomes.filter((outcome) => wanted.test(outcome)).length;
  const [equal, built] = [count(/^equal/), count(/^built/)];
  console.log(`${equal} with MMPose's names and shapes, ${built} that MMPose does not build to compare with`);
  console.log(`zoo: ${equal + built} passed, ${entries.length - equal - built} failed`);
  return equal + built === entries.length && equal > 0;
}

async function outcomeOf({ model, state_dict: expected }: Entry): Promise<Outcome> {
  let lines: string[];
  try {
    lines = stateDictLines(await buildPoseEstimator(model), model);
  } catch (error) {
    return `not built: ${(error as Error).message}`;
  }
  if (!expected) return 'built';
  const hash = createHash('sha256').update(lines.toSorted().join('\n')).digest('hex');
  return hash === expected.sha256 ? 'equal' : `other parameters: ${lines.length} here, ${expected.keys} in MMPose`;
}

/** `name shape` of everything in MMPose's `state_dict()`. */
function stateDictLines(estimator: Parameters<typeof namedParameters>[0], model: ConfigDict): string[] {
  const lines: string[] = [];
  for (const [name, { shape, persistent }] of namedParameters(estimator)) {
    if (persistent === false) continue;
    lines.push(`${name} ${shape.join('x')}`, ...companions(name, shape, model));
  }
  return [...lines, ...lossOf(model)];
}

/** What PyTorch keeps beside a parameter, and inference can do without. */
function companions(name: string, shape: readonly number[], { backbone }: ConfigDict): string[] {
  const { type = 'BN' } = ((backbone as ConfigDict).norm_cfg ?? {}) as { readonly type?: string };
  if (name.endsWith('running_var') && type !== 'FrozenBatchNorm2d')
    return [`${name.replace('running_var', 'num_batches_tracked')} `];
  if (name.endsWith('relative_position_bias_table')) {
    // [(2 w - 1)^2, heads] of a window of w x w.
    const window = ((Math.sqrt(shape[0]) + 1) / 2) ** 2;
    return [`${name.replace('_bias_table', '_index')} ${window}x${window}`];
  }
  return [];
}

/** What only losses use: the sigmas of OKS, the flow model of RLE (`RealNVP`: six pairs of three linear layers). */
function lossOf({ head }: ConfigDict): string[] {
  const { type, num_keypoints } = (head ?? {}) as ConfigDict;
  if (type === 'RTMOHead' || type === 'YOLOXPoseHead') return [`head.loss_oks.sigmas ${num_keypoints}`];
  if (type !== 'RLEHead') return [];
  const linears = [
    [0, 64, 2],
    [2, 64, 64],
    [4, 2, 64],
  ];
  const nets = ['s', 't'].flatMap((net) =>
    Array.from({ length: 6 }, (_, i) =>
      linears.flatMap(([at, out, from]) => [
        `${net}.${i}.${at}.weight ${out}x${from}`,
        `${net}.${i}.${at}.bias ${out}`,
      ]),
    ).flat(),
  );
  return ['loc 2', 'cov 2x2', 'mask 6x2', ...nets].map((line) => `head.loss_module.flow_model.${line}`);
}
