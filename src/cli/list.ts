/** `inpose list [WORDS]`: MMPose's published models, one line each. */
import { listModels, type ZooModel } from '../apis/zoo.js';
import { formatBytes } from './open.js';

/** What is shown of a model's results: the first of these that was measured, else whatever was. */
const METRICS = ['AP', 'Whole AP', 'PCK@0.2', 'Mean', 'PCK', 'Total', 'NME', 'NME full', 'NME test', 'MPJPE'];
const HEADINGS = ['NAME', 'TASK', 'POINTS', 'INPUT', 'FP16', 'RESULT'];

/** @param words - all of them must be in a model's name, alias, task or training data, whatever their case */
export async function list(words: readonly string[], options: { json?: boolean } = {}): Promise<string> {
  const wanted = words.map((word) => word.toLowerCase());
  const models = (await listModels()).filter((model) => {
    const text = [model.name, ...model.aliases, model.task, model.trainingData].join(' ').toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
  if (options.json) return JSON.stringify(models, null, 2);
  if (models.length === 0)
    return `none of the published models has ${words.join(' and ')} in its name, task or training data`;
  return table([HEADINGS, ...models.map(rowOf)]);
}

function rowOf(model: ZooModel): string[] {
  const { name, aliases, task, numKeypoints, inputSize, numWeights } = model;
  return [
    [name, ...aliases].join(', '),
    task.replace(/ Keypoint$/, '').toLowerCase(),
    String(numKeypoints),
    // Height first, as in the models' names.
    inputSize?.toReversed().join('x') ?? '',
    // Two bytes a number, as `inpose pull --fp16` writes them.
    numWeights === null ? '' : formatBytes(2 * numWeights),
    resultOf(model),
  ];
}

function resultOf({ results: [result] }: ZooModel): string {
  const names = Object.keys(result.metrics);
  const metric = METRICS.find((name) => names.includes(name)) ?? names[0];
  return `${metric} ${result.metrics[metric]} (${result.dataset})`;
}

/** Columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
