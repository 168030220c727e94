/**
 * The self-contained builds: everything of the index and of `inpose/worker`, and `inpose/pose-detection` as `poseDetection`, for a
 * script tag as `window.inpose`. Started as a worker of `Pose2DWorker`, the script answers its messages.
 */
import { isInposeWorker, serve, type Port } from './worker/host.js';

export * from './index.js';
export * from './worker/index.js';
export * as poseDetection from './apis/pose_detection.js';

if (isInposeWorker()) serve(globalThis as unknown as Port);
