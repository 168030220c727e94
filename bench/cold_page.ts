/** The page half of `bench/cold.ts`: loads a model as an application does, and watches the main thread meanwhile. */
import { Pose2DInferencer } from '../src/apis/inferencers/pose2d_inferencer.js';
import { readbackStats } from '../src/backend/readback.js';
import { patternImage } from '../tests/golden/formula.js';

export interface ColdRequest {
  readonly config: Record<string, unknown>;
  readonly checkpoint: string;
  readonly flipTest: boolean;
  /** Frames after the first. */
  readonly frames: number;
}

export interface LongTask {
  /** ms after the start. */
  readonly start: number;
  readonly duration: number;
}

export interface ColdReport {
  readonly backend: string;
  /** Until `create` was done, and until the first result, ms. */
  readonly created: number;
  readonly first: number;
  /** When each stage of the progress was reported last, ms after the start. */
  readonly stages: Readonly<Record<string, number>>;
  readonly longTasks: readonly LongTask[];
  /** JavaScript of each later frame, from the call to the submitted work and from the numbers to the result, ms. */
  readonly js: readonly number[];
  /** From call to result of each later frame, ms. */
  readonly totals: readonly number[];
  readonly bytesPerFrame: number;
}

declare global {
  interface Window {
    coldStart(request: ColdRequest): Promise<ColdReport>;
  }
}

window.coldStart = async ({ config, checkpoint, flipTest, frames }) => {
  const longTasks: LongTask[] = [];
  const start = performance.now();
  const observer = new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) {
      if (startTime >= start) longTasks.push({ start: startTime - start, duration });
    }
  });
  observer.observe({ type: 'longtask' });
  const stages: Record<string, number> = {};
  const inferencer = await Pose2DInferencer.create({
    // Tuning would take its idle time between the frames.
    ...{ config, checkpoint, flipTest, backend: 'webgpu', tune: false },
    onProgress: ({ stage }) => (stages[stage] = performance.now() - start),
  });
  const created = performance.now() - start;
  const { data } = patternImage('cold', [480, 640, 3]);
  const picture = { data, width: 640, height: 480, channels: 3 as const };
  const bboxes = [[200, 40, 420, 460]];
  await inferencer.infer(picture, { bboxes });
  const first = performance.now() - start;
  const canvas = new OffscreenCanvas(640, 480);
  canvas.getContext('2d')!.fillRect(100, 100, 50, 50);
  const bitmap = canvas.transferToImageBitmap();
  const [js, totals]: number[][] = [[], []];
  const before = readbackStats();
  performance.mark('frames begin');
  for (let i = 0; i < frames; i++) {
    await inferencer.infer(bitmap, { bboxes });
    const { crop, network, decode, total } = inferencer.timings;
    js.push(crop + network + decode);
    totals.push(total);
  }
  performance.mark('frames end');
  const bytesPerFrame = (readbackStats().bytes - before.bytes) / Math.max(frames, 1);
  await new Promise((resolve) => setTimeout(resolve, 100));
  observer.disconnect();
  const backend = inferencer.backend.reason;
  await inferencer.dispose();
  return { backend, created, first, stages, longTasks, js, totals, bytesPerFrame };
};
