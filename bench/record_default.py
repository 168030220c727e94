"""Writes `bench/fixtures/inpose_default.{json,bin}`: the default model's network with the golden set's formula weights, and what
PyTorch gives for the formula input. Formula weights, so that it stays as it is when other weights are trained.

python3 bench/record_default.py
"""
import json
import os
import struct
import sys

import numpy as np
import torch

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(PROJECT, 'training'))
from model import build  # noqa: E402

NAME, WEIGHTS = 'inpose_default', dict(gain=1.25, norm=[0.5, 1])
SHAPE, LO, HI = (1, 3, 256, 192), -2, 2


def shipped_config():
    with open(os.path.join(PROJECT, 'models/inpose-default.safetensors'), 'rb') as file:
        header = json.loads(file.read(struct.unpack('<Q', file.read(8))[0]))
    return json.loads(header['__metadata__']['inpose.config'])


# --- the golden set's formulas (tests/golden/formula.ts) ---------------------------------------------------------------------
def unit(name, count):
    """u in [0, 1) of the elements 0 .. count - 1."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = (seed ^ byte) * 0x01000193 & 0xFFFFFFFF
    h = (seed + np.arange(1, count + 1, dtype=np.uint64) * 0x9E3779B9) & 0xFFFFFFFF
    h = (h ^ h >> np.uint64(16)) * 0x85EBCA6B & 0xFFFFFFFF
    h = (h ^ h >> np.uint64(13)) * 0xC2B2AE35 & 0xFFFFFFFF
    return (h ^ h >> np.uint64(16)).astype(np.float64) / 2 ** 32


def blocks8(name, shape):
    n, c, h, w = shape
    blocks = unit(f'{name}:block', n * c * (-(-h // 8)) * (-(-w // 8))).reshape(n, c, -(-h // 8), -(-w // 8))
    coarse = blocks.repeat(8, 2).repeat(8, 3)[:, :, :h, :w]
    return (LO + (HI - LO) * (0.75 * coarse + 0.25 * unit(name, n * c * h * w).reshape(shape))).astype(np.float32)


def weight_range(name, shape):
    last = name.rsplit('.', 1)[-1]
    if last == 'running_var':
        return 0.5, 1.5
    if last in ('running_mean', 'bias'):
        return -0.1, 0.1
    if len(shape) < 2:
        return WEIGHTS['norm']
    r = WEIGHTS['gain'] * (3 / np.prod(shape[1:])) ** 0.5
    return -r, r


def formula_weights(state_dict):
    filled = {}
    for name, tensor in state_dict.items():
        if name.endswith('num_batches_tracked'):
            filled[name] = torch.zeros_like(tensor)
            continue
        lo, hi = weight_range(name, tuple(tensor.shape))
        values = (lo + (hi - lo) * unit(name, tensor.numel())).astype(np.float32)
        filled[name] = torch.from_numpy(values.reshape(tuple(tensor.shape)))
    return filled


# --- the file ----------------------------------------------------------------------------------------------------------------
def entry(name, tensor):
    return [name, list(tensor.shape)] + (['int64'] if tensor.dtype == torch.int64 else [])


def main():
    config = shipped_config()
    network = build(config).eval()
    network.load_state_dict(formula_weights(network.state_dict()))
    name = f'input:{NAME}'
    x = torch.from_numpy(blocks8(name, SHAPE))
    with torch.no_grad():
        y = network(x)
        exact = network.double()(x.double())
    noise = float((y - exact).abs().max() / exact.abs().max())
    state_dict = [entry(*item) for item in network.state_dict().items()]
    head = {'$t': 'float32', 'shape': list(y.shape), 'offset': 0}
    case = dict(
        name=NAME, op='model', params=dict(config=config['model'], weights=WEIGHTS), state_dict=state_dict,
        inputs=dict(input=dict(formula='blocks8', name=name, shape=SHAPE, lo=LO, hi=HI)),
        outputs=dict(head=head), float64_noise=dict(value=noise))
    target = os.path.join(PROJECT, 'bench/fixtures', NAME)
    data = y.numpy().astype('<f4').tobytes()
    file = dict(format='inpose-golden-1', group='models', name=NAME, bin=f'{NAME}.bin', bin_bytes=len(data), cases=[case])
    with open(f'{target}.bin', 'wb') as f:
        f.write(data)
    with open(f'{target}.json', 'w') as f:
        f.write(json.dumps(file, separators=(',', ':')))
    print(f'{tuple(y.shape)}, largest {float(y.abs().max()):.3f}, float64 noise {noise:.1e}')


if __name__ == '__main__':
    main()
