"""Writes nn_reference.json: what torch.nn gives for the layers of src/nn, for nn.test.ts.

Inputs and weights are the golden set's `uniform` formula (tests/golden/formula.ts), so only outputs are stored.
Made with torch 1.13 (Debian's python3-torch):  python3 nn_reference.py > nn_reference.json
"""
import json
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def uniform(name, shape, lo=-1.0, hi=1.0):
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    i = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64)
    m = np.uint64(0xFFFFFFFF)
    h = (np.uint64(seed) + i * np.uint64(0x9E3779B9)) & m
    h ^= h >> np.uint64(16)
    h = (h * np.uint64(0x85EBCA6B)) & m
    h ^= h >> np.uint64(13)
    h = (h * np.uint64(0xC2B2AE35)) & m
    h ^= h >> np.uint64(16)
    u = h.astype(np.float64) / 2.0**32
    return torch.from_numpy((lo + (hi - lo) * u).astype(np.float32).reshape(shape))


def values(t):
    return [float(np.format_float_positional(v, unique=True)) for v in t.detach().numpy().astype(np.float32).ravel()]


CASES = []


def case(layer, args, shape, fn, lo=-2.0, hi=2.0):
    name = f'{layer} {json.dumps(args)} {list(shape)}'
    x = uniform('input:' + name, shape, lo, hi)
    with torch.no_grad():
        y = fn(x, name)
    CASES.append(dict(name=name, layer=layer, args=args, input=list(shape), range=[lo, hi], shape=list(y.shape), data=values(y)))


def filled(module, name):
    for key, p in module.state_dict().items():
        if key.endswith('num_batches_tracked'):
            continue
        lo, hi = (0.5, 1.5) if key.endswith('running_var') else (-1.0, 1.0)
        p.copy_(uniform(f'{key}:{name}', tuple(p.shape), lo, hi))
    return module.eval()


def conv(i, o, k, shape, **kw):
    args = dict(inChannels=i, outChannels=o, kernel=k, **kw)
    case('Conv2d', args, shape, lambda x, n: filled(nn.Conv2d(i, o, k, **kw), n)(x))


def deconv(i, o, k, shape, stride=1, padding=0, outputPadding=0, groups=1, bias=True):
    args = dict(inChannels=i, outChannels=o, kernel=k, stride=stride, padding=padding, outputPadding=outputPadding,
                groups=groups, bias=bias)
    make = lambda: nn.ConvTranspose2d(i, o, k, stride, padding, outputPadding, groups, bias)
    case('ConvTranspose2d', args, shape, lambda x, n: filled(make(), n)(x))


S = (2, 4, 7, 6)
conv(4, 3, 3, S)
conv(4, 3, 3, S, stride=2, padding=1)
conv(4, 3, 3, (1, 4, 8, 8), stride=2, padding=1)
conv(4, 3, 3, S, padding=2, dilation=2)
conv(4, 3, 3, S, stride=2, padding=2, dilation=2)
conv(4, 3, [3, 5], S, padding=[1, 2])
conv(4, 3, [1, 3], S, padding=[0, 1], stride=[1, 2])
conv(4, 3, [5, 1], S, padding=[1, 0], stride=[2, 1], bias=False)
conv(4, 3, 1, S, stride=2)
conv(4, 3, 1, S, padding=1)
conv(3, 4, 7, (1, 3, 16, 12), stride=2, padding=3)
conv(4, 6, 3, S, padding=1, groups=2)
conv(4, 8, 3, S, padding=1, groups=4)
conv(6, 3, 3, (1, 6, 5, 5), padding=1, groups=3, stride=2, bias=False)
conv(4, 4, 3, S, padding=1, groups=4)
conv(4, 4, 3, S, padding=1, groups=4, stride=2)
conv(4, 4, 3, (1, 4, 8, 8), padding=1, groups=4, stride=2)
conv(4, 4, 5, S, padding=2, groups=4, bias=False)
conv(4, 4, 3, S, padding=2, groups=4, dilation=2)
conv(4, 4, 3, S, padding=2, groups=4, dilation=2, stride=2)
conv(4, 4, [3, 5], S, padding=[1, 2], groups=4)
# Sizes and channels that kernels cut into tiles, and some that leave a rest.
conv(16, 20, 3, (1, 16, 9, 7), padding=1)
conv(16, 16, 3, (3, 16, 3, 3), padding=1, bias=False)
conv(16, 16, 3, (1, 16, 6, 5), padding=[0, 1])
conv(4, 5, 3, (3, 4, 7, 5), padding=1)
conv(8, 8, 3, (2, 8, 9, 7), padding=1, stride=2)
conv(8, 8, 3, (1, 8, 7, 5), padding=2, dilation=2)
conv(16, 24, 1, (2, 16, 7, 5))
conv(8, 8, 3, (2, 8, 6, 4), padding=1, groups=2)
conv(8, 8, 3, (3, 8, 5, 8), padding=1, groups=8)
conv(4, 3, 1, (2, 4, 7, 1))  # a map one pixel wide
# tfjs counts windows wrongly when it is given one padding for unlike axes.
conv(4, 3, [1, 3], S)
conv(4, 3, 3, S, padding=1, stride=[1, 2])
conv(4, 3, [3, 1], S, padding=1, dilation=[2, 1])
conv(4, 4, [1, 3], S, groups=4)


def conv1d(i, o, k, shape, **kw):
    args = dict(inChannels=i, outChannels=o, kernel=k, **kw)
    case('Conv1d', args, shape, lambda x, n: filled(nn.Conv1d(i, o, k, **kw), n)(x))


conv1d(6, 4, 3, (2, 6, 11))
conv1d(6, 4, 3, (2, 6, 12), stride=3, bias=False)
conv1d(6, 4, 3, (1, 6, 11), dilation=4, padding=2)
conv1d(6, 4, 5, (1, 6, 11), padding=2, groups=2)
conv1d(6, 8, 1, (2, 6, 7))


def conv3d(i, o, k, shape, **kw):
    args = dict(inChannels=i, outChannels=o, kernel=k, **kw)
    case('Conv3d', args, shape, lambda x, n: filled(nn.Conv3d(i, o, k, **kw), n)(x))


V = (2, 3, 2, 3, 4)
conv3d(3, 4, 3, V, padding=1)
conv3d(3, 4, 3, (1, 3, 4, 3, 5), bias=False)
conv3d(3, 4, 1, V)
conv3d(3, 2, 7, (1, 3, 2, 3, 5), padding=3)
case('ConvTranspose3d', dict(inChannels=3, outChannels=4, kernel=2, stride=2), V,
     lambda x, n: filled(nn.ConvTranspose3d(3, 4, 2, 2), n)(x))
case('ConvTranspose3d', dict(inChannels=3, outChannels=2, kernel=3, stride=3, bias=False), (1, 3, 1, 2, 2),
     lambda x, n: filled(nn.ConvTranspose3d(3, 2, 3, 3, bias=False), n)(x))
case('MaxPool3d', dict(kernel=2), (2, 3, 4, 5, 6), lambda x, n: nn.MaxPool3d(2)(x), -3.0, -1.0)
case('MaxPool3d', dict(kernel=3), (1, 3, 7, 3, 4), lambda x, n: nn.MaxPool3d(3)(x))

deconv(4, 3, 4, (2, 4, 3, 5), stride=2, padding=1)
deconv(4, 3, 4, (1, 4, 3, 5), stride=2, padding=1, bias=False)
deconv(4, 3, 3, (1, 4, 3, 5), stride=2, padding=1, outputPadding=1)
deconv(4, 3, 2, (1, 4, 3, 5), stride=2)
deconv(4, 3, 3, (1, 4, 3, 5), stride=1, padding=1)
deconv(4, 3, 2, (1, 4, 3, 5), stride=3, outputPadding=2)
deconv(4, 6, 4, (1, 4, 3, 5), stride=2, padding=1, groups=2)
deconv(4, 4, 4, (1, 4, 3, 5), stride=2, padding=1, groups=4)
deconv(4, 3, 8, (1, 4, 2, 3), stride=4, padding=2)

for kernel, kw, shape in [
    (3, dict(stride=2, padding=1), (1, 3, 8, 7)),
    (3, dict(stride=2, padding=1), (2, 3, 9, 6)),
    (5, dict(stride=1, padding=2), (1, 3, 4, 3)),
    (13, dict(stride=1, padding=6), (1, 3, 4, 3)),
    (2, {}, (1, 3, 5, 7)),
    (2, dict(ceilMode=True), (1, 3, 5, 7)),
    (3, dict(stride=2, padding=1, ceilMode=True), (1, 3, 8, 6)),
    ([2, 3], dict(stride=[1, 2], padding=[0, 1]), (1, 3, 6, 6)),
]:
    def run(x, n, kernel=kernel, kw=kw):
        return nn.MaxPool2d(kernel, kw.get('stride'), kw.get('padding', 0), ceil_mode=kw.get('ceilMode', False))(x)
    # All negative: padding must never win.
    case('MaxPool2d', dict(kernel=kernel, **kw), shape, run, -3.0, -1.0)

for kernel, kw, shape in [
    (2, {}, (2, 3, 6, 8)),
    (2, dict(ceilMode=True, countIncludePad=False), (1, 3, 5, 7)),
    (2, dict(ceilMode=True), (1, 3, 5, 7)),
    (3, dict(stride=2, padding=1), (1, 3, 7, 8)),
    (3, dict(stride=2, padding=1, countIncludePad=False), (1, 3, 7, 8)),
    (3, dict(stride=2, padding=1, ceilMode=True), (1, 3, 8, 6)),
    (3, dict(stride=1, padding=1, countIncludePad=False), (1, 3, 4, 4)),
    ([2, 3], dict(stride=[2, 1], padding=[1, 0]), (1, 3, 6, 6)),
]:
    def run(x, n, kernel=kernel, kw=kw):
        return nn.AvgPool2d(kernel, kw.get('stride'), kw.get('padding', 0), kw.get('ceilMode', False),
                            kw.get('countIncludePad', True))(x)
    case('AvgPool2d', dict(kernel=kernel, **kw), shape, run)

for size, shape in [([1, 1], (2, 3, 7, 6)), ([2, 3], (2, 3, 8, 9)), ([3, 2], (1, 3, 7, 5)), ([5, 4], (1, 3, 3, 4)), ([7, 6], (1, 2, 7, 6))]:
    case('AdaptiveAvgPool2d', dict(size=size), shape, lambda x, n, size=size: F.adaptive_avg_pool2d(x, size))

for size, mode, ac, shape in [
    ([8, 6], 'nearest', None, (2, 3, 4, 3)),
    ([16, 6], 'nearest', None, (1, 3, 4, 3)),
    ([9, 12], 'nearest', None, (1, 3, 3, 4)),
    ([7, 5], 'nearest', None, (1, 3, 4, 3)),
    ([3, 2], 'nearest', None, (1, 3, 7, 5)),
    ([41, 23], 'nearest', None, (1, 1, 13, 7)),
    ([8, 6], 'bilinear', False, (2, 3, 4, 3)),
    ([8, 6], 'bilinear', True, (2, 3, 4, 3)),
    ([7, 5], 'bilinear', False, (1, 3, 4, 3)),
    ([7, 5], 'bilinear', True, (1, 3, 4, 3)),
    ([3, 2], 'bilinear', False, (1, 3, 7, 5)),
    ([3, 2], 'bilinear', True, (1, 3, 7, 5)),
    ([1, 1], 'bilinear', True, (1, 3, 7, 5)),
    ([4, 4], 'bilinear', True, (1, 3, 1, 1)),
    ([16, 12], 'bilinear', False, (1, 3, 1, 3)),
]:
    case('resize', dict(size=size, mode=mode, alignCorners=bool(ac)), shape,
         lambda x, n, size=size, mode=mode, ac=ac: F.interpolate(x, size, mode=mode, align_corners=ac))

for factor, mode, ac, shape in [
    (2, 'nearest', None, (1, 3, 4, 3)),
    (1.5, 'nearest', None, (1, 3, 5, 4)),
    (0.6, 'nearest', None, (1, 3, 7, 9)),
    (2, 'bilinear', False, (1, 3, 4, 3)),
    (4, 'bilinear', True, (1, 3, 4, 3)),
    (1.5, 'bilinear', False, (1, 3, 5, 4)),
    (1.5, 'bilinear', True, (1, 3, 5, 4)),
    (0.5, 'bilinear', False, (1, 3, 7, 9)),
    (1.1, 'bilinear', False, (1, 3, 4, 9)),
    (1.1, 'bilinear', False, (1, 3, 4, 12)),
    (1.1, 'nearest', None, (1, 3, 4, 12)),
]:
    case('resizeBy', dict(scaleFactor=factor, mode=mode, alignCorners=bool(ac)), shape,
         lambda x, n, f=factor, mode=mode, ac=ac: F.interpolate(x, scale_factor=f, mode=mode, align_corners=ac))

hsigmoid = lambda x, b=3.0, d=6.0, lo=0.0, hi=1.0: ((x + b) / d).clamp(lo, hi)
for cfg, fn in [
    (dict(type='ReLU'), F.relu), (dict(type='ReLU6'), F.relu6), (dict(type='LeakyReLU'), F.leaky_relu),
    (dict(type='LeakyReLU', negative_slope=0.1), lambda x: F.leaky_relu(x, 0.1)), (dict(type='RReLU'), lambda x: F.rrelu(x)),
    (dict(type='ELU'), F.elu), (dict(type='ELU', alpha=0.5), lambda x: F.elu(x, 0.5)), (dict(type='Sigmoid'), torch.sigmoid),
    (dict(type='Tanh'), torch.tanh), (dict(type='SiLU'), F.silu), (dict(type='Swish'), F.silu), (dict(type='GELU'), F.gelu),
    (dict(type='Mish'), F.mish), (dict(type='Softplus'), F.softplus), (dict(type='Clip', min=-2, max=3), lambda x: x.clamp(-2, 3)),
    (dict(type='Clamp'), lambda x: x.clamp(-1, 1)), (dict(type='Hardsigmoid'), F.hardsigmoid), (dict(type='HSigmoid'), hsigmoid),
    (dict(type='HSigmoid', bias=1, divisor=2), lambda x: hsigmoid(x, 1.0, 2.0)), (dict(type='Hardswish'), F.hardswish),
    (dict(type='HSwish'), F.hardswish),
]:
    case('Act', cfg, (1, 2, 4, 5), lambda x, n, fn=fn: fn(x), -8.0, 8.0)

case('BatchNorm2d', dict(channels=3, eps=1e-3), (2, 3, 4, 5), lambda x, n: filled(nn.BatchNorm2d(3, eps=1e-3), n)(x))
case('LayerNorm', dict(channels=6), (2, 5, 6), lambda x, n: filled(nn.LayerNorm(6), n)(x))
case('GroupNorm', dict(groups=3, channels=6), (2, 6, 4, 5), lambda x, n: filled(nn.GroupNorm(3, 6), n)(x))
case('Linear', dict(inFeatures=6, outFeatures=4), (2, 5, 6), lambda x, n: filled(nn.Linear(6, 4), n)(x))
case('Linear', dict(inFeatures=6, outFeatures=4, bias=False), (3, 6), lambda x, n: filled(nn.Linear(6, 4, bias=False), n)(x))


class SelfAttention(nn.Module):
    def __init__(self, dims, heads):
        super().__init__()
        self.qkv, self.proj, self.heads = nn.Linear(dims, 3 * dims), nn.Linear(dims, dims), heads

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        weights = F.softmax(q @ k.transpose(-2, -1) * (c // self.heads)**-0.5, dim=-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(b, n, c))


case('SelfAttention', dict(dims=10, heads=2), (2, 7, 10), lambda x, n: filled(SelfAttention(10, 2), n)(x))
case('MultiheadAttention', dict(dims=12, heads=3), (2, 9, 12),
     lambda x, n: filled(nn.MultiheadAttention(12, 3, batch_first=True), n)(x, x, x)[0])


def group_mask(groups, size):
    """MMPose's rule: nobody looks at another group, except persons (the first of each) at persons."""
    group = torch.arange(groups * size) // size
    person = torch.arange(groups * size) % size == 0
    return (group[:, None] != group[None, :]) & ~(person[:, None] & person[None, :])


class GroupAttention(nn.Module):
    def __init__(self, dims, heads):
        super().__init__()
        self.attn = nn.MultiheadAttention(dims, heads, batch_first=True)

    def forward(self, x, groups, size):
        return self.attn(x, x, x, attn_mask=group_mask(groups, size))[0]


case('GroupAttention', dict(dims=12, heads=3, size=4), (2, 20, 12),
     lambda x, n: filled(GroupAttention(12, 3), n)(x, 5, 4))

MAPS = [(4, 6), (2, 3)]


class DeformableAttention(nn.Module):
    """mmcv's MultiScaleDeformableAttention with its shortcut, on PyTorch's grid_sample."""

    def __init__(self, dims, heads, points):
        super().__init__()
        count = heads * len(MAPS) * points
        self.attn = nn.Module()
        self.attn.sampling_offsets, self.attn.attention_weights = nn.Linear(dims, count * 2), nn.Linear(dims, count)
        self.attn.value_proj, self.attn.output_proj = nn.Linear(dims, dims), nn.Linear(dims, dims)
        self.heads, self.points = heads, points

    def forward(self, x, reference):
        b, q, c = x.shape
        h, l, p, d = self.heads, len(MAPS), self.points, c // self.heads
        offsets = self.attn.sampling_offsets(x).view(b, q, h, l, p, 2)
        weights = self.attn.attention_weights(x).view(b, q, h, l * p).softmax(-1).view(b, q, h, l, p)
        place = reference[:, :, None, None, None, :2]
        if reference.shape[-1] == 2:
            places = place + offsets / torch.tensor(MAPS).flip(1)[None, None, None, :, None, :]
        else:
            places = place + offsets / p * reference[:, :, None, None, None, 2:] * 0.5
        out, start = 0, 0
        value = self.attn.value_proj(x)
        for i, (rows, columns) in enumerate(MAPS):
            level = value[:, start:start + rows * columns].view(b, rows, columns, h, d).permute(0, 3, 4, 1, 2)
            grid = (2 * places[:, :, :, i] - 1).transpose(1, 2).flatten(0, 1)
            seen = F.grid_sample(level.flatten(0, 1), grid, align_corners=False).view(b, h, d, q, p)
            out = out + (seen * weights[:, :, :, i].permute(0, 2, 1, 3)[:, :, None]).sum(-1)
            start += rows * columns
        return x + self.attn.output_proj(out.permute(0, 3, 1, 2).reshape(b, q, c))


def centres():
    grids = [torch.meshgrid((torch.arange(h) + 0.5) / h, (torch.arange(w) + 0.5) / w, indexing='ij') for h, w in MAPS]
    return torch.cat([torch.stack((x, y), -1).view(-1, 2) for y, x in grids])[None]


for of, dims in [('points', 8), ('boxes', 8), ('points', 6)]:
    reference = centres() if of == 'points' else uniform('boxes', (2, 30, 4), 0.1, 0.9)
    case('DeformableAttention', dict(dims=dims, heads=2, points=3, of=of), (2, 30, dims),
         lambda x, n, r=reference, c=dims: filled(DeformableAttention(c, 2, 3), n)(x, r))

for k in [1, 7, 40]:
    case('topIndices', dict(k=k), (2, 40), lambda x, n, k=k: x.topk(k).indices.float())
case('gatherRows', dict(k=5), (2, 12, 3),
     lambda x, n: torch.gather(x, 1, x[..., 0].topk(5).indices[..., None].expand(-1, -1, 3)))


def sine_embedding(x, features, temperature):
    j = torch.arange(features, dtype=torch.float64)
    angle = x.double()[..., None] * 2 * np.pi / temperature**(2 * (j // 2) / features)
    return torch.where(j % 2 == 0, angle.sin(), angle.cos()).flatten(2)


case('sineEmbedding', dict(features=8, temperature=10000), (2, 5, 4), lambda x, n: sine_embedding(x, 8, 10000.0), 0.0, 1.0)


class Sequence(nn.Sequential):
    """What prepareModule folds and fuses."""


def sequence(kind, x, n):
    layer = nn.Conv2d(4, 6, 3, padding=1, groups=2) if kind == 'grouped' else (
        nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False) if kind == 'depthwise' else (
            nn.ConvTranspose2d(4, 6, 4, 2, 1, bias=False) if kind == 'transposed' else nn.Conv2d(4, 6, 3, bias=False)))
    out = layer.out_channels
    return filled(Sequence(layer, nn.BatchNorm2d(out), nn.ReLU()), n)(x)


for kind in ['dense', 'grouped', 'depthwise', 'transposed']:
    case('folded', dict(kind=kind), (2, 4, 5, 6), lambda x, n, kind=kind: sequence(kind, x, n))


def shuffle(x, groups):
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


for groups, shape in [(2, (2, 6, 3, 4)), (3, (1, 6, 3, 4))]:
    case('channelShuffle', dict(groups=groups), shape, lambda x, n, g=groups: shuffle(x, g))

if __name__ == '__main__':
    json.dump(CASES, sys.stdout, separators=(',', ':'))
