"""Writes jit_reference.json: what PyTorch gives for the small networks of jit_networks.ts, which the jit rewrites in its own ways.

Inputs and weights are the golden set's `uniform` formula, so only outputs are stored. Maps are NHWC here, as in the networks.
Made with torch 1.13 (Debian's python3-torch):  python3 jit_reference.py > jit_reference.json
"""
import json
import sys

import torch
import torch.nn.functional as F

from nn_reference import uniform, values

CASES = []


def w(name, *shape):
    return uniform(name, shape)


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def conv(x, name, shape, bias=True, **options):
    """shape: OIHW; the networks hold the same numbers as HWIO, drawn in OIHW."""
    return nhwc(F.conv2d(nchw(x), w(name, *shape), w(name + ' bias', shape[0]) if bias else None, **options))


def shifted_windows(x):
    padded = torch.roll(F.pad(x.view(2, 7, 6, 4), (0, 0, 0, 0, 0, 1)), (-1, -1), (1, 2))
    return padded.view(2, 2, 4, 2, 3, 4).permute(0, 1, 3, 2, 4, 5).reshape(8, 12, 4)


def joined_windows(x):
    padded = x.view(2, 2, 3, 4, 3, 4).permute(0, 1, 3, 2, 4, 5).reshape(2, 8, 9, 4)
    return torch.roll(padded, (2, 2), (1, 2))[:, 0:7, 1:8].reshape(2, 49, 4)


def case(name, shape, fn):
    x = uniform('input ' + name, shape, -2.0, 2.0)
    with torch.no_grad():
        y = fn(x)
    CASES.append(dict(name=name, input=list(shape), shape=list(y.shape), data=values(y.float().contiguous())))


def shuffle(x, groups):
    return nhwc(F.channel_shuffle(nchw(x).contiguous(), groups))


def attention(x):
    q, k, v = (x @ w(name, 16, 16) for name in 'qkv')
    return F.softmax(q @ k.transpose(1, 2) * 0.25, dim=-1) @ v + x


def gate(x):
    mean = x.mean((1, 2), keepdim=True)
    hidden = F.relu(conv(mean, 'squeeze', (3, 8, 1, 1)))
    return x * torch.sigmoid(conv(hidden, 'excite', (8, 3, 1, 1)))


def cross_gate(x):
    coarse = nhwc(F.avg_pool2d(nchw(conv(x, 'coarse', (6, 8, 3, 3), padding=1)), 2))
    joined = torch.cat([nhwc(F.avg_pool2d(nchw(x), 2)), coarse], 3)
    hidden = F.relu(conv(joined, 'squeeze', (3, 14, 1, 1)))
    return torch.sigmoid(conv(hidden, 'excite', (14, 3, 1, 1)))


def shuffle_unit(x):
    low, high = x.chunk(2, 3)
    y = F.relu(conv(high, 'unit', (4, 4, 1, 1)))
    return shuffle(torch.cat([low, y * gate_of(y)], 3), 2)


def gate_of(y):
    return torch.sigmoid(y.mean((1, 2), keepdim=True))


def fused_branches(x):
    coarse = conv(nhwc(F.avg_pool2d(nchw(x), 2)), 'coarse', (16, 16, 1, 1))
    up = nhwc(F.interpolate(nchw(coarse), scale_factor=2))
    return F.relu(conv(x, 'fine', (16, 16, 3, 3), padding=1) + up)


def partial_bottleneck(x):
    low, high = x.chunk(2, 3)
    y = F.silu(conv(high, 'narrow', (16, 16, 1, 1)))
    return torch.cat([low, high + F.silu(conv(y, 'wide', (16, 16, 3, 3), padding=1))], 3)


case('layer norm', (2, 5, 24), lambda x: F.layer_norm(x, (24,), w('gamma', 24), w('beta', 24)))
case('largest of rows', (2, 3, 7), lambda x: x.max(2).values)
case('softmax of scaled rows', (2, 3, 7), lambda x: F.softmax(x * 0.5, dim=-1))
case('attention', (2, 5, 16), attention)
case('channel gate', (2, 6, 5, 8), gate)
case('gate across resolutions', (2, 8, 6, 8), cross_gate)
case('shuffle unit', (2, 5, 4, 8), shuffle_unit)
case('shuffle of three groups', (1, 3, 4, 6), lambda x: shuffle(torch.cat([x, x * 2, x + 1], 3), 3))
case('reflected border', (1, 5, 4, 3), lambda x: nhwc(F.pad(nchw(x), (2, 1, 1, 3), mode='reflect')))
case('border of another number', (1, 3, 4, 3), lambda x: nhwc(F.pad(nchw(x), (1, 0, 2, 1), value=0.5)))
case('nearest at half pixels', (1, 5, 3, 4), lambda x: nhwc(F.interpolate(nchw(x), (7, 8), mode='nearest-exact')))
case('padded average', (2, 6, 6, 4), lambda x: nhwc(F.avg_pool2d(nchw(x), 3, 2, 1, count_include_pad=True)))
case('padded convolution', (2, 6, 5, 4), lambda x: nhwc(F.conv2d(F.pad(nchw(x), (0, 1, 2, 0)), w('f', 8, 4, 3, 3))))
case('one hot of the largest', (3, 5, 6), lambda x: F.one_hot(x.argmax(1), 5))
case('slice that drops an axis', (2, 5, 6, 3), lambda x: x[:, 1:, ::2, -1])
case('least and product', (2, 3, 4, 5), lambda x: torch.amin(x, (1, 2)) + torch.prod(x, 3).sum((1, 2)).unsqueeze(1))
case('scale after a convolution', (1, 5, 4, 3),
     lambda x: F.relu(conv(x, 'scaled', (8, 3, 3, 3), padding=1) * w('factor', 8) + w('summand', 8)))
case('convolution after up-sampling', (1, 3, 4, 8),
     lambda x: conv(nhwc(F.interpolate(nchw(x), scale_factor=2)), 'late', (4, 8, 1, 1)))
case('gather by computed indices', (4, 6), lambda x: x[x.argmax(0)])
case('mirrored and picked', (2, 3, 4, 5), lambda x: x.flip(2)[..., [0, 2, 1, 4, 3]])
case('residual connection', (1, 8, 6, 32), lambda x: F.relu(conv(x, 'deep', (32, 32, 3, 3), padding=1) + x))
case('sum with an up-sampled branch', (1, 6, 4, 16), fused_branches)
case('bottleneck on half of the channels', (2, 4, 5, 32), partial_bottleneck)
case('rows of two lengths', (1, 1, 5, 40), lambda x: (x[..., :2] - 0.5 / x.exp().sum(-1, keepdim=True)) * 2)
case('resized embedding', (2, 6, 8, 4),
     lambda x: x + nhwc(F.interpolate(nchw(w('position', 1, 3, 4, 4)), (6, 8), mode='bilinear')))
case('shifted windows', (2, 42, 4), shifted_windows)
case('windows put together', (12, 12, 4), joined_windows)
json.dump(CASES, sys.stdout, separators=(',', ':'))
