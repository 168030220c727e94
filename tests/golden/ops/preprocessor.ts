/** `PoseDataPreprocessor`, for the structures group: uint8 CHW pictures in MMPose's BGR, float32 NCHW out. */
import type { NdArray, TypedArray } from '../../../src/ndarray.js';
import { PoseDataPreprocessor } from '../../../src/models/data_preprocessors/data_preprocessor.js';
import { close, exact, type Comparison, type OpTable } from '../runner.js';

/** [C, h, w] -> [h, w, C]. */
function chwToHwc({ data, shape }: NdArray<Uint8Array>): NdArray<Uint8Array> {
  const [c, h, w] = shape;
  const out = new Uint8Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = data[(i % c) * h * w + Math.floor(i / c)];
  return { data: out, shape: [h, w, c] };
}

/** [N, h, w, C] -> [N, C, h, w]. */
export function nhwcToNchw<T extends TypedArray>({ data, shape }: NdArray<T>): NdArray<T> {
  const [n, h, w, c] = shape;
  const out = data.slice() as T;
  const plane = h * w;
  for (let i = 0; i < out.length; i++) {
    const [batch, channel, pixel] = [Math.floor(i / (c * plane)), Math.floor(i / plane) % c, i % plane];
    out[i] = data[(batch * plane + pixel) * c + channel];
  }
  return { data: out, shape: [n, c, h, w] };
}

export const OPS: OpTable = {
  PoseDataPreprocessor: ({ params, inputs, outputs }): Comparison[] => {
    const preprocessor = new PoseDataPreprocessor(params);
    const { inputs: batch, metainfo } = preprocessor.forward(inputs.inputs.map(chwToHwc), 'bgr');
    const padding = metainfo.map((m) => ({ batch_input_shape: [...m.batchInputShape], pad_shape: [...m.padShape] }));
    return [close('inputs', outputs.inputs, nhwcToNchw(batch)), exact('metainfo', outputs.metainfo, padding)];
  },
};
