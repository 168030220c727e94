/** The reference cases of single layers and of small networks as forward passes to compile, and PyTorch's numbers to hold them to. */
import { expect } from 'vitest';
import type { Backend } from '../../src/backend/init.js';
import type { NdArray } from '../../src/ndarray.js';
import { disposeModule, prepareModule } from '../../src/nn/module.js';
import type { Tensor } from '../../src/tf.js';
import { uniform } from '../golden/formula.js';
import { NETWORKS } from './jit_networks.js';
import jitReference from './jit_reference.json';
import { channelsFirst, channelsLast } from '../support/channels.js';
import { fill, isTurned, LAYERS, type ReferenceCase } from './nn_layers.js';
import nnReference from './nn_reference.json';

interface NetworkReference {
  readonly name: string;
  readonly input: readonly number[];
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** Cases by what they need: operations with one kernel for all devices and convolutions, which have many. */
interface References<T> {
  readonly plain: readonly T[];
  readonly convolving: readonly T[];
}

const CONVOLUTIONS = ['Conv2d', 'ConvTranspose2d', 'folded'];

const CONVOLVING_NETWORKS = [
  'channel gate',
  'gate across resolutions',
  'shuffle unit',
  'padded convolution',
  'scale after a convolution',
  'convolution after up-sampling',
  'residual connection',
  'sum with an up-sampled branch',
  'bottleneck on half of the channels',
];

export const LAYER_REFERENCES = divide(nnReference as unknown as readonly ReferenceCase[], ({ layer }) =>
  CONVOLUTIONS.includes(layer),
);
export const NETWORK_REFERENCES = divide(jitReference as readonly NetworkReference[], ({ name }) =>
  CONVOLVING_NETWORKS.includes(name),
);

function divide<T>(references: readonly T[], convolves: (reference: T) => boolean): References<T> {
  return { plain: references.filter((reference) => !convolves(reference)), convolving: references.filter(convolves) };
}

export interface JitCase {
  readonly x: NdArray;
  readonly forward: (x: Tensor) => readonly Tensor[];
  /** Fails unless `output` is what PyTorch gives, up to a share of its largest value: by default one for rounding in 32 bits. */
  check(output: NdArray, share?: number): void;
  dispose(): void;
}

/** A layer of `LAYER_REFERENCES` with its weights; channels are last going in and coming out. */
export function layerCase(backend: Backend, reference: ReferenceCase): JitCase {
  const { name, layer, args, input, range, shape, data } = reference;
  const module = LAYERS[layer](args);
  fill(module, name);
  backend.run(() => prepareModule(module));
  const given = uniform(`input:${name}`, input, ...range);
  return {
    x: isTurned(reference) ? channelsLast(given) : given,
    forward: (x) => [module.forward(x as never) as Tensor],
    check: (output, share) => {
      compare(isTurned(reference) ? channelsFirst(output, shape.length) : output, shape, data, share);
    },
    dispose: () => backend.run(() => disposeModule(module)),
  };
}

/** A network of `NETWORK_REFERENCES`. */
export function networkCase({ name, input, shape, data }: NetworkReference): JitCase {
  return {
    x: uniform(`input ${name}`, input, -2, 2),
    forward: (x) => [NETWORKS[name](x)],
    check: (output, share) => compare(output, shape, data, share),
    dispose: () => {},
  };
}

function compare(found: NdArray, shape: readonly number[], data: readonly number[], share = 1e-5): void {
  expect(found.shape).toEqual(shape);
  const scale = Math.max(...data.map(Math.abs));
  const worst = data.reduce((most, value, i) => Math.max(most, Math.abs(value - found.data[i])), 0);
  expect(worst / scale).toBeLessThan(share);
}
