/** Requests to a worker and their answers. */
import type { LoadProgress } from '../apis/inference.js';
import { BackendError } from '../errors.js';
import { fromPlainError, type Answer, type Request } from './protocol.js';

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
export type Message = WithoutId<Request>;

interface Parcel {
  readonly message: Message;
  readonly transfer: Transferable[];
}

interface RequestOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
}

interface Waiting {
  resolve(answer: Answer): void;
  reject(reason: unknown): void;
  onProgress?(progress: LoadProgress): void;
}

export class Connection {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #closing = new Set<() => void>();
  #closed: Error | null = null;
  #count = 0;
  /** Resolves when all requests so far are under way: pictures take differently long to copy, and stay in order. */
  #sent: Promise<unknown> = Promise.resolve();
  #disposal: Promise<void> | null = null;

  /** @throws BackendError when the browser refuses to start one */
  constructor(start: () => Worker) {
    try {
      this.#worker = start();
    } catch (cause) {
      throw new BackendError(`worker: could not be started: ${String(cause)}; use Pose2DInferencer.`, { cause });
    }
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => this.#receive(data));
    this.#worker.addEventListener('messageerror', () => {
      this.close(new BackendError('worker: an answer could not be read.'));
    });
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault();
      // A script that could not be loaded says nothing.
      const why = event.message || 'its script could not be loaded; serve inpose.iife.js beside the other files';
      this.close(new BackendError(`worker: stopped: ${why}.`));
    });
  }

  /** Why there are no more answers, or null. */
  get closed(): Error | null {
    return this.#closed;
  }

  /** Calls `listener` when the connection closes. Returns what takes the listener off. */
  onClose(listener: () => void): () => void {
    this.#closing.add(listener);
    return () => this.#closing.delete(listener);
  }

  /**
   * The answer to a request. Rejects at once when the signal is aborted, with its reason, or the connection is closed.
   *
   * @param parcel - may still be made when this is called; requests are sent in the order of calls
   */
  request(parcel: Message | Promise<Parcel>, { signal, onProgress }: RequestOptions = {}): Promise<Answer> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const id = ++this.#count;
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, ...(onProgress && { onProgress }) });
    });
    const onAbort = () => {
      this.#settle(id)?.reject(signal!.reason);
      this.tell({ call: 'abort' }, id);
    };
    signal?.addEventListener('abort', onAbort);
    void this.#post(id, parcel);
    return answer.finally(() => signal?.removeEventListener('abort', onAbort));
  }

  /** A message that has no answer. */
  tell(message: Message, id = 0): void {
    if (!this.#closed) this.#worker.postMessage({ ...message, id }, []);
  }

  /** Lets the worker free what it holds, and ends it. */
  dispose(): Promise<void> {
    this.#disposal ??= this.#end();
    return this.#disposal;
  }

  /** Ends the worker now. */
  close(reason: Error = new BackendError('dispose was called while this was waiting.')): void {
    if (this.#closed) return;
    this.#closed = reason;
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
    for (const listener of this.#closing) listener();
  }

  async #end(): Promise<void> {
    if (this.#closed) return;
    const ended = this.request({ call: 'dispose' });
    const reason = new BackendError('dispose was called while this was waiting.');
    for (const [id, { reject }] of this.#waiting) if (id !== this.#count) reject(reason);
    await ended.catch(() => {});
    this.close(reason);
  }

  async #post(id: number, parcel: Message | Promise<Parcel>): Promise<void> {
    const before = this.#sent;
    const made = Promise.resolve(parcel).then((given): Parcel => ('message' in given ? given : plain(given)));
    this.#sent = Promise.allSettled([before, made]);
    try {
      const [{ message, transfer }] = await Promise.all([made, before]);
      if (this.#waiting.has(id)) this.#worker.postMessage({ ...message, id }, transfer);
      // Aborted or closed meanwhile: nobody waits for it.
      else for (const picture of transfer) (picture as ImageBitmap | VideoFrame).close();
    } catch (error) {
      this.#settle(id)?.reject(error);
    }
  }

  #receive(answer: Answer): void {
    if (answer.type === 'progress') return this.#waiting.get(answer.id)?.onProgress?.(answer.progress);
    const waiting = this.#settle(answer.id);
    if (answer.type === 'error') waiting?.reject(fromPlainError(answer.error));
    else waiting?.resolve(answer);
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}

const plain = (message: Message): Parcel => ({ message, transfer: [] });
