/** The list of published models: words in, names with accuracy and the address of their weights out. */
import { listModels, mainResult, type ZooModel } from 'inpose';
import { byId, make } from './dom.js';
import { attempt } from './notices.js';

/** More would only push the page's other parts away. */
const MOST_SHOWN = 12;

export function wireModelFinder(): void {
  const words = byId('finder-words', HTMLInputElement);
  const show = () => attempt(async () => showModels(await listModels({ words: words.value })));
  words.addEventListener('input', () => void show());
  // The list is read when somebody looks for it, and not before.
  byId('finder', HTMLDetailsElement).addEventListener('toggle', () => void show());
}

function showModels(models: readonly ZooModel[]): void {
  const count = models.length === 1 ? '1 model' : `${models.length} models`;
  const isCut = models.length > MOST_SHOWN;
  byId('finder-count', HTMLElement).textContent = isCut ? `${count}, the first ${MOST_SHOWN} are shown.` : `${count}.`;
  byId('finder-list', HTMLElement).replaceChildren(...models.slice(0, MOST_SHOWN).map(entryOf));
}

function entryOf(model: ZooModel): HTMLLIElement {
  const { name, weights, task, numKeypoints } = model;
  const entry = make('li');
  const link = make('a', name, { href: weights, target: '_blank', rel: 'noreferrer' });
  const kind = task.replace(/ Keypoint$/, '').toLowerCase();
  const facts = [kind, numKeypoints > 0 && `${numKeypoints} keypoints`, mainResult(model)].filter(Boolean);
  entry.append(link, make('span', facts.join(', ')));
  return entry;
}
