/** `inpose list [WORDS]`: MMPose's published models, one line each. */
import { listModels, mainResult, type ZooModel } from '../apis/zoo.js';
import { formatBytes } from './open.js';

const HEADINGS = ['NAME', 'TASK', 'POINTS', 'INPUT', 'FP16', 'RESULT'];

/** @param words - all of them must be in a model's name, alias, task or training data, whatever their case */
export async function list(words: readonly string[], options: { json?: boolean } = {}): Promise<string> {
  const models = await listModels({ words: words.join(' ') });
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
    numKeypoints ? String(numKeypoints) : '',
    // Height first, as in the models' names.
    inputSize?.toReversed().join('x') ?? '',
    // Two bytes a number, as `inpose pull --fp16` writes them.
    numWeights === null ? '' : formatBytes(2 * numWeights),
    mainResult(model),
  ];
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
