"""`codec.losses` and their gradient by `loss.cu`, in one pass over the maps each way."""
import ctypes

import torch

import native
from codec import ABSENT_WEIGHT, sigma_of


class _Losses(torch.autograd.Function):
    @staticmethod
    def forward(ctx, maps, joints, sigma):
        n, c, h, w = maps.shape
        maps = maps.contiguous(memory_format=torch.channels_last)
        assert maps.dtype == torch.bfloat16 and c == 24 and max(h, w) <= 64 and joints.shape == (n, 17, 5), (maps.dtype, maps.shape)
        joints, gradient = joints.float().contiguous(), torch.empty_like(maps)
        each = torch.empty(n, 17, 2, device=maps.device)
        at = lambda t: ctypes.c_void_p(t.data_ptr())
        native.check(native.load('loss.cu', maps.is_cuda).heatmap_losses(
            at(maps), at(gradient), at(joints), at(each), n, h, w, c, ctypes.c_float(sigma),
            ctypes.c_void_p(native.stream(maps.is_cuda))), 'loss.cu')
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(each)
        return (each * joints[..., 2:4]).sum(), each

    @staticmethod
    def backward(ctx, slope, _):
        return ctx.saved_tensors[0] * slope.to(torch.bfloat16), None, None


def losses(maps, kps, absent, size, mix, share):
    """(where, how much, mix * where + share * how much), the first two as `codec.losses` gives them and without a gradient.
    maps: bfloat16 [n, 24, h, w], the 17 joints' first."""
    (W, H), (h, w) = size, maps.shape[2:]
    weight = kps[..., 2]
    other = torch.where(absent, torch.full_like(weight, ABSENT_WEIGHT), weight)
    weight, other = weight / weight.sum().clamp_min(1), other / other.sum().clamp_min(1)
    x, y = kps[..., 0] * ((w - 1) / (W - 1)), kps[..., 1] * ((h - 1) / (H - 1))
    joints = torch.stack([x, y, mix * weight, share * other, (~absent).float()], -1)
    total, each = _Losses.apply(maps, joints, sigma_of(h))
    return (each[..., 0] * weight).sum(), (each[..., 1] * other).sum(), total
