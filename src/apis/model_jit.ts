/** The compiled form of a pose model on WebGPU: its networks by batch size and test configuration, and the crops that fill them. */
import type { Backend } from '../backend/init.js';
import type { CompiledNetwork, FillInput } from '../jit/compiler.js';
import { PoseDataPreprocessor } from '../models/data_preprocessors/data_preprocessor.js';
import type { BottomupPoseEstimator, TopdownPoseEstimator } from '../models/pose_estimators/index.js';
import type { TestCfg } from '../models/test_cfg.js';
import type { NdArray } from '../ndarray.js';
import type { PoseDataSample } from '../structures/pose_data_sample.js';
import type { Tensor, Tensor4D } from '../tf.js';
import { importsVideoFrames } from './external_texture.js';
import type { Snapshot, SnapshotOptions } from './frame.js';
import { GpuCrop, type CropBatch } from './gpu_crop.js';
import { FrameTexture } from './gpu_frame.js';
import { NetworkJit, type NetworkJitOptions } from './network_jit.js';
import { keepsStraightAlpha } from './straight_alpha.js';
import { withTestCfg } from './with_test_cfg.js';

/** What can be compiled: all up to the numbers that decoding takes. */
export type CompilableEstimator = TopdownPoseEstimator | BottomupPoseEstimator;

/** Persons that go through one network together. */
export interface NetworkBatch extends CropBatch {
  readonly network: CompiledNetwork;
}

export interface ModelJitOptions extends NetworkJitOptions {
  /** [w, h] px of the crops, unless a call says otherwise. */
  readonly cropSize: readonly [w: number, h: number];
  /** RGB of everything outside the picture. @default black */
  readonly border?: readonly [number, number, number];
}

export class ModelJit {
  readonly #estimator: CompilableEstimator;
  readonly #networks: NetworkJit;
  readonly #frame: FrameTexture;
  #keepsAlpha = false;
  /** By size; all but bottom-up models have one. */
  readonly #crops = new Map<string, GpuCrop>();
  readonly #cropSize: readonly [w: number, h: number];
  readonly #border: ModelJitOptions['border'];

  constructor(backend: Backend, estimator: CompilableEstimator, { cropSize, border, ...options }: ModelJitOptions) {
    this.#estimator = estimator;
    this.#networks = new NetworkJit(backend, options);
    this.#frame = new FrameTexture(this.#device);
    this.#cropSize = cropSize;
    this.#border = border;
  }

  get #device(): GPUDevice {
    return this.#networks.device as GPUDevice;
  }

  /** Whether pictures go to the GPU: not for a model that runs eagerly, or whose preprocessor is not the library's own. */
  get takesPictures(): boolean {
    const isOwn = this.#estimator.dataPreprocessor.forward === PoseDataPreprocessor.prototype.forward;
    return !this.#networks.runsEagerly && isOwn;
  }

  /** Whether the network runs on the CPU after all, where a run takes seconds. */
  get isSoftware(): boolean {
    return this.#networks.isSoftware;
  }

  /** What the device does with pictures, as far as it was tried out. */
  get copies(): SnapshotOptions {
    return { videoFrames: this.#frame.importsVideo, straightAlpha: this.#keepsAlpha };
  }

  /** Whether a picture of this size goes to the GPU. */
  fits(size: { readonly width: number; readonly height: number }): boolean {
    return this.takesPictures && this.#frame.fits(size);
  }

  /** How the network runs, in words: compiled, or eagerly and why. */
  get note(): string {
    return this.#networks.note;
  }

  /**
   * The network for inputs of this shape; null when the model runs eagerly.
   *
   * @throws BackendError when the GPU refuses the compiled network
   */
  network(
    shape: readonly number[],
    samples: readonly PoseDataSample[],
    testCfg: TestCfg,
  ): Promise<CompiledNetwork | null> {
    const estimator = this.#estimator;
    const { flipTest, flipMode, shiftHeatmap, shiftCoords, outputHeatmaps } = testCfg;
    const key = [shape.join(), flipTest, flipMode, shiftHeatmap, shiftCoords, outputHeatmaps].join(' ');
    return this.#networks.network(key, shape, (x) =>
      withTestCfg(estimator, testCfg, () => estimator.predictTensors(x as Tensor4D, samples)),
    );
  }

  /**
   * Some layers of the model, compiled on their own for inputs of this shape; null where the model runs eagerly, or these have an
   * operation without a shader.
   *
   * @throws BackendError when the GPU refuses the compiled layers
   */
  async part(
    name: string,
    shape: readonly number[],
    forward: (x: Tensor) => Tensor,
  ): Promise<((x: Float32Array) => Promise<NdArray>) | null> {
    const part = await this.#networks.part(`${name} ${shape.join()}`, shape, (x) => [forward(x)]);
    return part && ((x) => this.run(part, x).then(([output]) => output));
  }

  /** Issues one run at once; the promise waits for its numbers, or for a fault of the GPU. */
  run(network: CompiledNetwork, x: Float32Array): Promise<NdArray[]> {
    return this.#networks.run(network, x);
  }

  /**
   * Compiles what `runPicture` needs beside the network. Done after the first call with this size.
   *
   * @throws BackendError when a shader does not compile
   */
  async prepareCrop(size: readonly [w: number, h: number] = this.#cropSize): Promise<void> {
    const crop = this.#cropOf(size);
    await crop.prepare(false);
    this.#keepsAlpha = await keepsStraightAlpha(this.#device);
    if (this.#frame.importsVideo) await crop.prepare(true);
    if (this.#frame.importsVideo || !(await importsVideoFrames(this.#device))) return;
    await crop.prepare(true);
    this.#frame.importsVideo = true;
  }

  #cropOf(size: readonly [w: number, h: number]): GpuCrop {
    const key = size.join();
    let crop = this.#crops.get(key);
    if (!crop) {
      crop = new GpuCrop(this.#device, size, this.#estimator.dataPreprocessor, this.#border);
      this.#crops.set(key, crop);
    }
    return crop;
  }

  /**
   * Persons of one picture: crop and network of all batches as one command buffer, issued before this returns; the promise waits for
   * its numbers, or for a fault of the GPU.
   *
   * @returns per batch, the outputs for its persons
   * @throws InputError (at once) for a picture that the browser does not let be read
   */
  runPicture(picture: Snapshot, batches: readonly NetworkBatch[]): Promise<NdArray[][]> {
    return this.#networks.runFilled(() => {
      const [{ columnX, rowX }] = batches[0].terms;
      const fills = this.#cropOf([columnX.length, rowX.length]).fills(this.#frame.upload(picture), batches);
      return batches.map(({ network, terms }, i) => ({ network, fill: fills[i] as FillInput, rows: terms.length }));
    });
  }

  /** Frees weights and buffers. Safe to call twice. */
  async dispose(): Promise<void> {
    await this.#networks.dispose();
    for (const crop of this.#crops.values()) crop.dispose();
    this.#frame.dispose();
  }
}
