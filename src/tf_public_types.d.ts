/**
 * The published face of `tf.ts`. tfjs's own declarations bring an old @webgpu/types, which collides with TypeScript's DOM library in
 * every application that checks its libraries, so ours do not name them: the build puts this file in the place of `tf.d.ts`. It
 * declares what our public signatures mention. tfjs's own tensors may be passed wherever one of these is asked for.
 */

export type DataType = 'float32' | 'int32' | 'bool' | 'complex64' | 'string';

/** A tfjs tensor: numbers on a backend. Whoever owns it calls `dispose`. */
export interface Tensor<Shape extends number[] = number[]> {
  readonly id: number;
  readonly shape: Shape;
  readonly size: number;
  readonly dtype: DataType;
  readonly rank: number;
  readonly isDisposed: boolean;
  dataId: object;
  dispose(): void;
}

export type Scalar = Tensor;
export type Tensor1D = Tensor<[number]>;
export type Tensor2D = Tensor<[number, number]>;
export type Tensor3D = Tensor<[number, number, number]>;
export type Tensor4D = Tensor<[number, number, number, number]>;
export type Tensor5D = Tensor<[number, number, number, number, number]>;

/** What tfjs's kernel registry holds; opaque here. */
export interface KernelConfig {
  readonly kernelName: string;
  readonly backendName: string;
}

/** A kernel's function; opaque here. */
export type KernelFunc = (call: never) => unknown;
