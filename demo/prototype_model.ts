/**
 * Our own small network (trained on rendered people only) in MMPose's words: its PyTorch file in, a safetensors file with config
 * out. Only for the picture in the README, which shows nothing but our own material; the file itself is not in this repository.
 *
 * The network is a narrow ResNet-18 with two deconvolutions. Its maps hold logits of a spatial softmax: peaks lie where a decoder
 * finds them, but their height is no score, so the last layer is scaled to bring sure peaks near 1.
 */
import { encodeSafetensors } from '../src/checkpoint/index.js';
import type { CheckpointTensor, StateDict } from '../src/checkpoint/index.js';
import { openByteSource } from '../src/checkpoint/index.js';
import { encodeModelMetadata } from '../src/checkpoint/index.js';
import { PyDict } from '../src/checkpoint/pickle_values.js';
import { PthTensor, readPth } from '../src/checkpoint/pth.js';

const LOGIT_SCALE = 0.1;
const INPUT_SIZE = [144, 192];
const CODEC = { type: 'UDPHeatmap', input_size: INPUT_SIZE, heatmap_size: [36, 48], sigma: 2 };

const CONFIG = {
  model: {
    type: 'TopdownPoseEstimator',
    data_preprocessor: {
      type: 'PoseDataPreprocessor',
      mean: [123.675, 116.28, 103.53],
      std: [58.395, 57.12, 57.375],
      bgr_to_rgb: true,
    },
    backbone: {
      type: 'ResNet',
      depth: 18,
      stem_channels: 24,
      base_channels: 24,
      strides: [1, 2, 2, 1],
      dilations: [1, 1, 1, 1],
      out_indices: [3],
    },
    head: {
      type: 'HeatmapHead',
      in_channels: 192,
      out_channels: 17,
      deconv_out_channels: [96, 64],
      deconv_kernel_sizes: [2, 2],
      final_layer: { kernel_size: 3, padding: 1 },
      decoder: CODEC,
    },
    test_cfg: { flip_test: true, flip_mode: 'heatmap', shift_heatmap: false },
  },
  test_dataloader: { dataset: { type: 'CocoDataset' } },
  test_pipeline: [
    { type: 'LoadImage' },
    { type: 'GetBBoxCenterScale' },
    { type: 'TopdownAffine', input_size: INPUT_SIZE, use_udp: true },
    { type: 'PackPoseInputs' },
  ],
};

/** Converts the training script's checkpoint (`{ model: state_dict, args, ... }`). */
export async function convertPrototype(file: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
  const root = await readPth(await openByteSource(file));
  const weights = root instanceof PyDict ? root.get('model') : undefined;
  if (!(weights instanceof PyDict)) throw new Error('prototype: expected a checkpoint of its training script.');
  const stateDict = new Map<string, CheckpointTensor>();
  for (const [key, tensor] of weights.entries()) {
    if (tensor instanceof PthTensor) stateDict.set(...(await renamed(String(key), tensor)));
  }
  return encodeSafetensors(stateDict, { metadata: metadataOf(stateDict) });
}

function metadataOf(stateDict: StateDict): Record<string, string> {
  return encodeModelMetadata({ config: CONFIG, datasetMeta: null, versions: new Map([['head', 2]]), stateDict });
}

async function renamed(key: string, tensor: CheckpointTensor): Promise<[string, CheckpointTensor]> {
  const [part, index, ...rest] = key.split('.');
  const tail = rest.join('.');
  switch (part) {
    case 'stem':
      return [`backbone.${index === '0' ? 'conv1' : 'bn1'}.${tail}`, tensor];
    case 'body': {
      // Two blocks per stage.
      const block = `backbone.layer${Math.floor(Number(index) / 2) + 1}.${Number(index) % 2}`;
      return [`${block}.${tail.replace(/^down\./, 'downsample.')}`, tensor];
    }
    case 'up':
      return rest[0] === 'conv'
        ? [`head.deconv_layers.${index}.weight`, await asDeconvolution(tensor)]
        : [`head.deconv_layers.${index}.${tail}`, tensor];
    default:
      return [`head.final_layer.${index}`, await scaled(tensor)];
  }
}

/** A 1x1 convolution and a pixel shuffle as the equal 2x2 deconvolution: [out * 4, in, 1, 1] to [in, out, 2, 2]. */
async function asDeconvolution(tensor: CheckpointTensor): Promise<CheckpointTensor> {
  const from = (await tensor.read()) as Float32Array;
  const [rows, inputs] = tensor.shape;
  const to = new Float32Array(from.length);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < inputs; i++) to[i * rows + row] = from[row * inputs + i];
  }
  return { dtype: 'float32', shape: [inputs, rows / 4, 2, 2], read: async () => to };
}

async function scaled(tensor: CheckpointTensor): Promise<CheckpointTensor> {
  const values = ((await tensor.read()) as Float32Array).map((value) => value * LOGIT_SCALE);
  return { dtype: 'float32', shape: tensor.shape, read: async () => values };
}
