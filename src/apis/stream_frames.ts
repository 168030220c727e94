/** The loop behind `stream`: results of a playing video's newest frames. */
import type { PoseDataSample } from '../structures/pose_data_sample.js';
import { FrameTicker } from './frame_ticker.js';
import { LookAhead } from './look_ahead.js';

export interface FrameLoop {
  readonly signal?: AbortSignal | undefined;
  /** Who computes: the stream ends with its error when it closes. */
  readonly owner: { readonly closed: Error | null; onClose(listener: () => void): () => void };
  /** Whether a frame may begin before the last one's result is there. @default false */
  readonly isFree?: boolean;
  /**
   * @param timestamp - the frame's presentation time, ms
   * @param last - the newest result
   */
  infer(timestamp: number, last: PoseDataSample | null): Promise<PoseDataSample>;
}

/** Ends with the video, or when the signal is aborted. A frame that arrives while the last one is being computed replaces the one that waits. */
export async function* streamFrames(
  video: HTMLVideoElement,
  { signal, owner, isFree = false, infer }: FrameLoop,
): AsyncGenerator<PoseDataSample, void, undefined> {
  const ticker = new FrameTicker(video);
  const stop = () => ticker.stop();
  signal?.addEventListener('abort', stop);
  const ignoreClose = owner.onClose(stop);
  let last: PoseDataSample | null = null;
  const begin = (timestamp: number) => infer(timestamp, last);
  const ahead = isFree ? new LookAhead(ticker, begin) : null;
  const next = async () => {
    const timestamp = await ticker.next();
    return timestamp === null ? null : begin(timestamp);
  };
  try {
    for (;;) {
      last = signal?.aborted ? null : await (ahead ? ahead.next() : next());
      if (owner.closed) throw owner.closed;
      if (!last) return;
      yield last;
    }
  } catch (error) {
    // The loop that aborted it has what it wanted.
    if (!signal?.aborted) throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
    ignoreClose();
    ticker.stop();
  }
}
