/**
 * The page half of `npm run eval -- --video`: one person followed through a video without boxes, frame by frame as an application
 * would, but with every frame looked at however long it takes.
 */
import { Pose2DInferencer } from '../../src/apis/inferencers/pose2d_inferencer.js';
import { RoiTracker } from '../../src/tracking/roi.js';
import { PoseLocalVisualizer } from '../../src/visualization/local_visualizer.js';
import type { ModelRequest } from './cli_options.js';

export interface VideoRequest extends ModelRequest {
  readonly video: string;
  /** Frames per second to look at. */
  readonly fps: number;
}

export interface VideoReply {
  readonly backend: string;
  readonly reason: string;
  readonly notices: readonly string[];
  readonly frames: number;
  /** px */
  readonly size: readonly [w: number, h: number];
}

/** One frame as `--out` writes it. */
export interface FrameRecord {
  /** s */
  readonly time: number;
  readonly found: boolean;
  /** Counts how often the person was found anew; -1 while it is not found. */
  readonly track_id: number;
  /** Where it was looked for, xyxy, px */
  readonly bbox: readonly number[];
  /** Mean of the keypoints' scores. */
  readonly score: number;
  /** K x [x, y, score], px */
  readonly keypoints: readonly (readonly number[])[];
  readonly ms: number;
}

declare global {
  interface Window {
    startVideo(request: VideoRequest): Promise<VideoReply>;
    /** @param overlay - whether to give the frame with its skeleton, too, as a PNG's data URL */
    evalFrame(index: number, overlay: boolean): Promise<{ record: FrameRecord; overlay: string | null }>;
    finishVideo(): Promise<void>;
  }
}

interface VideoSession {
  readonly inferencer: Pose2DInferencer;
  readonly visualizer: PoseLocalVisualizer;
  readonly video: HTMLVideoElement;
  readonly tracker: RoiTracker;
  readonly fps: number;
}

let session: VideoSession;

window.startVideo = async ({ checkpoint, sidecar, config, backend, flip, fps, ...request }) => {
  const video = await openVideo(request.video);
  const inferencer = await Pose2DInferencer.create({
    ...{ config, backend, flipTest: flip },
    ...(checkpoint !== null && { checkpoint }),
    ...(sidecar !== null && { sidecar }),
  });
  const visualizer = new PoseLocalVisualizer({ radius: 6, lineWidth: 3 });
  await visualizer.setDatasetMeta(inferencer.metainfo);
  session = { inferencer, visualizer, video, tracker: new RoiTracker(), fps };
  return {
    backend: inferencer.backend.name,
    reason: inferencer.backend.reason,
    notices: inferencer.notices,
    frames: Math.max(1, Math.round(video.duration * fps)),
    size: [video.videoWidth, video.videoHeight],
  };
};

window.evalFrame = async (index, withOverlay) => {
  const { inferencer, visualizer, video, tracker, fps } = session;
  // The middle of a frame's time, where rounding cannot lead to its neighbour.
  const time = (index + 0.5) / fps;
  await seek(video, Math.min(time, video.duration));
  const start = performance.now();
  const sample = await inferencer.infer(video, { tracker, timestamp: time * 1000 });
  const ms = performance.now() - start;
  const { bboxes, keypoints, keypointScores, trackIds } = sample.predInstances!;
  const scores = [...keypointScores.data];
  const [, , dims] = keypoints.shape;
  const id = trackIds!.data[0];
  const record: FrameRecord = {
    ...{ time, found: id >= 0, track_id: id, bbox: [...bboxes.data], ms },
    score: scores.reduce((a, b) => a + b, 0) / scores.length,
    keypoints: scores.map((score, k) => [keypoints.data[k * dims], keypoints.data[k * dims + 1], score]),
  };
  if (!withOverlay) return { record, overlay: null };
  const picture = await createImageBitmap(video);
  const canvas = visualizer.addDatasample(picture, sample, { kptThr: 0.3, drawBbox: true }) as HTMLCanvasElement;
  picture.close();
  return { record, overlay: canvas.toDataURL('image/png') };
};

window.finishVideo = () => session.inferencer.dispose();

async function openVideo(url: string): Promise<HTMLVideoElement> {
  const video = document.createElement('video');
  video.muted = true;
  video.preload = 'auto';
  // As a whole: a server without ranges could not be sought in.
  video.src = URL.createObjectURL(await (await fetch(url)).blob());
  await event(video, 'loadeddata');
  if (Number.isFinite(video.duration) && video.videoWidth > 0) return video;
  throw new Error(`${decodeURIComponent(url.split('/').at(-1)!)}: expected a video file with a duration`);
}

async function seek(video: HTMLVideoElement, time: number): Promise<void> {
  if (video.currentTime === time) return;
  const done = event(video, 'seeked');
  video.currentTime = time;
  await done;
}

function event(video: HTMLVideoElement, type: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = () => reject(new Error(`this browser cannot play the video (${video.error?.message ?? 'unknown'})`));
    video.addEventListener(type, () => resolve(), { once: true });
    video.addEventListener('error', fail, { once: true });
  });
}
