/** The result card: total time, time per step, backend and why, scores per keypoint; and the result as a file. */
import type { PoseDataSample, PoseMetaInfo } from 'inpose';
import { byId, make } from './dom.js';

export interface Report {
  readonly sample: PoseDataSample;
  readonly metainfo: PoseMetaInfo;
  readonly backend: { readonly name: string; readonly reason: string };
  /** ms per step */
  readonly timings: Readonly<Record<string, number>>;
  /** ms, from the call to the answer */
  readonly totalMs: number;
  readonly kptThr: number;
  /** Frames per second instead of the time of one picture. */
  readonly video: boolean;
}

export class Results {
  readonly #none = byId('results-none', HTMLElement);
  readonly #body = byId('results', HTMLDivElement);
  readonly #rows = byId('score-rows', HTMLTableSectionElement);
  readonly #person = byId('person', HTMLSelectElement);
  readonly #personField = byId('person-field', HTMLDivElement);
  #report: Report | null = null;

  constructor() {
    this.#person.addEventListener('change', () => this.#showScores());
  }

  clear(): void {
    this.#report = null;
    this.#none.hidden = false;
    this.#body.hidden = true;
  }

  show(report: Report): void {
    this.#report = report;
    this.#none.hidden = true;
    this.#body.hidden = false;
    byId('total-ms', HTMLElement).textContent = inMs(report.totalMs);
    byId('total-unit', HTMLElement).textContent = report.video
      ? `ms a frame, ${(1000 / report.totalMs).toFixed(1)} a second`
      : `ms on ${backendLabel(report.backend.name)}`;
    byId('backend-reason', HTMLElement).textContent = report.backend.reason;
    this.#showHops(report.timings);
    this.#showPersons(personCount(report.sample));
    this.#showScores();
  }

  #showHops(timings: Report['timings']): void {
    const list = byId('hop-list', HTMLElement);
    list.replaceChildren(
      ...Object.entries(timings).flatMap(([hop, ms]) => [make('dt', hopLabel(hop)), make('dd', `${inMs(ms)} ms`)]),
    );
  }

  #showPersons(count: number): void {
    this.#personField.hidden = count < 2;
    if (this.#person.options.length === count) return;
    this.#person.replaceChildren(
      ...Array.from({ length: count }, (_, i) => make('option', String(i + 1), { value: String(i) })),
    );
  }

  #showScores(): void {
    if (!this.#report) return;
    const { sample, metainfo, kptThr } = this.#report;
    const instances = sample.predInstances;
    const person = Math.max(0, this.#person.selectedIndex);
    if (!instances || person >= instances.keypoints.shape[0]) {
      this.#rows.replaceChildren();
      return;
    }
    const [, count, stride] = instances.keypoints.shape;
    const rows = Array.from({ length: count }, (_, k) => {
      const i = person * count + k;
      const [x, y] = instances.keypoints.data.subarray(i * stride, i * stride + 2);
      return scoreRow(metainfo, k, x, y, instances.keypointScores.data[i], kptThr);
    });
    this.#rows.replaceChildren(...rows);
  }
}

function scoreRow(
  metainfo: PoseMetaInfo,
  k: number,
  x: number,
  y: number,
  score: number,
  kptThr: number,
): HTMLTableRowElement {
  const row = make('tr');
  if (!(score >= kptThr)) row.className = 'low';
  const name = make('th', '', { scope: 'row' });
  const dot = make('span', '', { class: 'dot', 'aria-hidden': 'true' });
  dot.style.backgroundColor = `rgb(${metainfo.keypointColors.subarray(3 * k, 3 * k + 3).join(' ')})`;
  name.append(dot, metainfo.keypointId2name[k].replaceAll('_', ' '));
  const last = make('td');
  const bar = make('span', '', { class: 'bar', 'aria-hidden': 'true' });
  bar.style.setProperty('--part', `${100 * Math.max(0, Math.min(1, score))}%`);
  last.append(bar, score.toFixed(2));
  row.append(name, make('td', x.toFixed(1)), make('td', y.toFixed(1)), last);
  return row;
}

export function personCount({ predInstances }: PoseDataSample): number {
  return predInstances?.keypoints.shape[0] ?? 0;
}

export function backendLabel(name: string): string {
  return { webgpu: 'WebGPU', webgl: 'WebGL', wasm: 'WebAssembly', cpu: 'JavaScript' }[name] ?? name;
}

function hopLabel(hop: string): string {
  const words = hop
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ')
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function inMs(ms: number): string {
  return ms >= 100 ? ms.toFixed(0) : ms.toFixed(1);
}

/** The result in the words of MMPose's inferencer: one entry per person, image pixels. */
export function toJson(report: Report, image: { name: string; width: number; height: number }, model: string): string {
  const { sample, metainfo, backend } = report;
  const instances = sample.predInstances;
  const [, count, stride] = instances?.keypoints.shape ?? [0, 0, 2];
  const persons = Array.from({ length: personCount(sample) }, (_, n) => ({
    bbox: [...instances!.bboxes.data.subarray(4 * n, 4 * n + 4)],
    bbox_score: instances!.bboxScores.data[n],
    keypoints: Array.from({ length: count }, (_, k) => {
      const at = (n * count + k) * stride;
      return [...instances!.keypoints.data.subarray(at, at + stride)];
    }),
    keypoint_scores: [...instances!.keypointScores.data.subarray(n * count, (n + 1) * count)],
  }));
  const meta = { dataset_name: metainfo.datasetName, keypoint_id2name: metainfo.keypointId2name };
  return JSON.stringify({ image, model, backend: backend.name, meta_info: meta, instance_info: persons }, null, 2);
}
