/** The worker's side: one `Pose2DInferencer`, called by messages. */
import {
  Pose2DInferencer,
  type InferOptions,
  type Pose2DInferencerOptions,
} from '../apis/inferencers/pose2d_inferencer.js';
import { setPublishedModelsUrl } from '../apis/zoo.js';
import { BackendError } from '../errors.js';
import { toPlainError, WORKER_NAME, type Answer, type Request, type WorkerState } from './protocol.js';

/** A worker's global scope, as far as it is used here. */
export interface Port {
  addEventListener(type: 'message', listener: (event: MessageEvent<Request>) => void): void;
  postMessage(message: Answer, transfer: Transferable[]): void;
}

/** Whether this script runs in a worker that `startWorker` started. */
export function isInposeWorker(): boolean {
  const { WorkerGlobalScope: Scope, name } = globalThis as { WorkerGlobalScope?: new () => unknown; name?: unknown };
  return Scope !== undefined && globalThis instanceof Scope && name === WORKER_NAME;
}

/** Answers the requests that arrive at `port`. */
export function serve(port: Port): void {
  const host = new Host();
  port.addEventListener('message', ({ data }) => {
    void host
      .answer(data, (progress) => port.postMessage(progress, []))
      .then(
        (answer) => answer && port.postMessage(answer, transferables(answer)),
        (error: unknown) => port.postMessage({ id: data.id, type: 'error', error: toPlainError(error) }, []),
      );
  });
}

class Host {
  #inferencer: Pose2DInferencer | null = null;
  readonly #running = new Map<number, AbortController>();
  readonly #trackers = new Map<string, InferOptions['tracker']>();

  /** The last answer to a request; null for those that get none. */
  async answer(request: Request, report: (progress: Answer) => void): Promise<Answer | null> {
    const { id } = request;
    switch (request.call) {
      case 'create':
        setPublishedModelsUrl(request.publishedModels);
        return this.#abortable(id, (signal) => this.#create(id, request.options, signal, report));
      case 'infer':
        return this.#abortable(id, (signal) => this.#infer(request, signal));
      case 'abort':
        this.#running.get(id)?.abort();
        return null;
      case 'forget':
        this.#trackers.delete(request.track);
        return null;
      case 'dispose':
        await this.#inferencer?.dispose();
        return { id, type: 'disposed' };
    }
  }

  async #abortable(id: number, run: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    const controller = new AbortController();
    this.#running.set(id, controller);
    try {
      return await run(controller.signal);
    } finally {
      this.#running.delete(id);
    }
  }

  async #create(
    id: number,
    options: Pose2DInferencerOptions,
    signal: AbortSignal,
    report: (progress: Answer) => void,
  ): Promise<Answer> {
    const onProgress: Pose2DInferencerOptions['onProgress'] = (progress) => report({ id, type: 'progress', progress });
    this.#inferencer = await Pose2DInferencer.create({ ...options, signal, onProgress });
    const { metainfo, notices, takesBoxes, findsEverybody } = this.#inferencer;
    const state = stateOf(this.#inferencer);
    return { id, type: 'created', state, metainfo, notices, takesBoxes, findsEverybody };
  }

  async #infer({ id, image, options }: Request & { call: 'infer' }, signal: AbortSignal): Promise<Answer> {
    const inferencer = this.#inferencer;
    if (!inferencer) throw new BackendError('infer: found no model in the worker; wait for create.');
    const { track, detInterval, ...rest } = options;
    try {
      const tracker = track === undefined ? null : this.#tracker(inferencer, track, detInterval);
      const given: InferOptions = { ...rest, ...(tracker && { tracker }), signal };
      const sample = await inferencer.infer(image, given);
      return { id, type: 'sample', state: stateOf(inferencer), sample };
    } finally {
      // Pictures that came as a transfer are nobody else's.
      if ('close' in image) image.close();
    }
  }

  #tracker(inferencer: Pose2DInferencer, name: string, detInterval?: number): InferOptions['tracker'] {
    if (!this.#trackers.has(name)) this.#trackers.set(name, inferencer.newTracker(detInterval));
    return this.#trackers.get(name);
  }
}

function stateOf({ backend, timings }: Pose2DInferencer): WorkerState {
  return { backend, timings: { ...timings } };
}

/** Heatmaps are large, and nobody here keeps them; the columns of a sample are small enough to copy. */
function transferables(answer: Answer): Transferable[] {
  const heatmaps = answer.type === 'sample' ? answer.sample.predFields?.heatmaps : undefined;
  return heatmaps ? [heatmaps.data.buffer as ArrayBuffer] : [];
}
