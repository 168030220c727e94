/** `inpose/worker`: pose estimation off the page's main thread. Importing this has no effect. */
export { Pose2DWorker } from './client.js';
export type { Pose2DWorkerOptions, WorkerInferOptions, WorkerStreamOptions } from './client.js';
