"""Layers of `layers.cu` as torch functions, for training: batch normalisation with what follows it in one pass."""
import ctypes

import torch

import native
from model import MEAN, STD

_POINTERS = ('x residual dy y dx dresidual where gamma beta bias running_mean running_var dgamma dbeta coefficients partial').split()


class _Job(ctypes.Structure):
    _fields_ = [(n, ctypes.c_void_p) for n in _POINTERS] + [('stream', ctypes.c_void_p), ('rows', ctypes.c_size_t)] + \
               [(n, ctypes.c_int) for n in ('channels', 'relu', 'h', 'w')] + [(n, ctypes.c_float) for n in ('momentum', 'eps')]


def _library(x):
    return native.load('layers.cu', x.is_cuda)


def _call(name, x, channels, sizes, **tensors):
    """Calls a function of layers.cu. sizes: relu, h, w, momentum, eps where it wants them."""
    assert x.dtype == torch.bfloat16 and channels % 8 == 0 and x.numel() < 2 ** 34, (name, x.dtype, x.shape)
    library = _library(x)
    partial = torch.empty(library.partial_rows(), channels, device=x.device)
    job = _Job(stream=native.stream(x.is_cuda), rows=x.numel() // channels, channels=channels, **sizes)
    for k, t in dict(tensors, x=x, partial=partial).items():
        if t is not None:
            setattr(job, k, t.data_ptr())
    native.check(getattr(library, name)(ctypes.byref(job)), f'layers.cu, {name}')


def _dense(x):
    """The tensor itself where its channels lie together, row after row; else a copy that is so: [n, c, h, w] or [..., c]."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x.contiguous()


def _channels(x):
    return x.shape[1] if x.ndim == 4 else x.shape[-1]


def _layer(x, bn, bias, **sizes):
    """Sizes and tensors of a layer's forward call, and its coefficients."""
    k = torch.empty(7, _channels(x), device=x.device)
    tensors = dict(gamma=bn.weight, beta=bn.bias, bias=bias, running_mean=bn.running_mean, running_var=bn.running_var, coefficients=k)
    return dict(sizes, momentum=bn.momentum, eps=bn.eps), tensors, k


def _slopes(k, channels):
    d = torch.empty(2, channels, device=k.device)
    return d[0], d[1], dict(coefficients=k, dgamma=d[0], dbeta=d[1])


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, beta, residual, bn, relu, shuffle, bias):
        c, (h, w) = _channels(x), shuffle or (0, 0)
        x, residual = _dense(x), None if residual is None else _dense(residual)
        y = x.new_empty(len(x), 4 * h, 4 * w, c).permute(0, 3, 1, 2) if shuffle else torch.empty_like(x)
        ctx.sizes, tensors, k = _layer(x, bn, bias, relu=relu, h=h, w=w)
        _call('norm_forward', x, c, ctx.sizes, y=y, residual=residual, **tensors)
        ctx.save_for_backward(x, k, *([] if residual is None else [y]))
        return y

    @staticmethod
    def backward(ctx, dy):
        x, k, *y = ctx.saved_tensors
        dx, other = torch.empty_like(x), torch.empty_like(x) if y else None
        dgamma, dbeta, tensors = _slopes(k, _channels(x))
        _call('norm_backward', x, _channels(x), ctx.sizes, dy=_dense(dy), y=y[0] if y else None, dx=dx, dresidual=other, **tensors)
        return dx, dgamma, dbeta, other, None, None, None, None


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, beta, bn):
        x = _dense(x)
        n, c, h, w = x.shape
        assert h % 2 == w % 2 == 0, x.shape
        y = x.new_empty(n, h // 2, w // 2, c).permute(0, 3, 1, 2)
        where = torch.empty(y.numel(), dtype=torch.uint8, device=x.device)
        ctx.sizes, tensors, k = _layer(x, bn, None, h=h, w=w)
        _call('pool_forward', x, c, ctx.sizes, y=y, where=where, **tensors)
        ctx.save_for_backward(x, k, where)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, k, where = ctx.saved_tensors
        dx = torch.empty_like(x)
        dgamma, dbeta, tensors = _slopes(k, x.shape[1])
        _call('pool_backward', x, x.shape[1], ctx.sizes, dy=_dense(dy), where=where, dx=dx, **tensors)
        return dx, dgamma, dbeta, None


def norm(x, bn, residual=None, relu=True, bias=None):
    """relu(bn(x + bias) + residual) of a BatchNorm2d in training, with its running statistics brought up to date.
    x: bfloat16 [n, c, h, w], channels last, or [..., c]. The bias, of the convolution before, gets no gradient: it has no effect."""
    return _Norm.apply(x, bn.weight, bn.bias, residual, bn, relu, None, bias)


def norm_shuffled(x, bn, h, w):
    """relu(bn(x)) of what two 2 x 2 deconvolutions of an h x w map gave, [n, h, w, 4, 4, c], put in its places: [n, c, 4 h, 4 w]."""
    return _Norm.apply(x, bn.weight, bn.bias, None, bn, True, (h, w), None)


def norm_pool(x, bn):
    """max_pool2d(relu(bn(x)), 3, 2, 1). x: bfloat16 [n, c, h, w], h and w even."""
    return _Pool.apply(x, bn.weight, bn.bias, bn)


def cells(image):
    """uint8 [n, 3, h, w], channels last, normalised for the network, in cells of 2 x 2 pixels: bfloat16 [n, 16, h / 2 + 3, w / 2 + 3]
    (dy, dx, colour, four zeros), with two cells of nothing before the picture and one after it."""
    n, _, h, w = image.shape
    image = _dense(image)
    assert image.dtype == torch.uint8 and h % 2 == w % 2 == 0, (image.dtype, image.shape)
    out = torch.empty(n, h // 2 + 3, w // 2 + 3, 16, dtype=torch.bfloat16, device=image.device)
    three = ctypes.c_float * 3
    code = _library(image).picture_cells(
        ctypes.c_void_p(image.data_ptr()), ctypes.c_void_p(out.data_ptr()), n, h, w, three(*MEAN), three(*STD),
        ctypes.c_void_p(native.stream(image.is_cuda)))
    native.check(code, 'layers.cu, picture_cells')
    return out.permute(0, 3, 1, 2)
