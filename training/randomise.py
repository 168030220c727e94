"""Pictures that no camera takes, so that a network trained on rendered people relies less on how surfaces are rendered.

Tobin et al. 2017 (domain randomisation); Xu et al. 2021, 'Robust and Generalizable Visual Representation Learning via Random
Convolutions'. What a picture shows, and where, stays as it is; and black, what is outside of the photograph.
"""
import math

import torch
from torch.nn import functional as F

TOGETHER = 16               # crops that share a random filter
FILTERS = 1, 3, 5, 7        # widths of filters
GRAINS = 1, 2, 4            # widths of grains
NOISE = .6                  # largest standard deviation, in parts of the picture's own


@torch.no_grad()
def randomise(image, share):
    """uint8 [n, 3, H, W], channels last -> the same, with the first `share` of the crops changed."""
    k = round(share * len(image))
    x = image[:k].float() / 255
    for part in x.split(TOGETHER):
        if torch.rand(()) < .4:
            part.copy_(_filtered(part))
    x = _overlaid(_recoloured(x))
    x = x + _noise(x)
    x = (x.clamp(0, 1) * 255).round().to(torch.uint8) * (image[:k].amax(1, keepdim=True) > 0)
    return torch.cat([x, image[k:]]).contiguous(memory_format=torch.channels_last)


def _uniform(n, lo, hi, device):
    return torch.rand(n, 1, 1, 1, device=device) * (hi - lo) + lo


def _some(n, share, device):
    return torch.rand(n, 1, 1, 1, device=device) < share


def _filtered(x):
    """Through a random filter, mixed with the picture; mean and contrast stay about the same."""
    k = FILTERS[int(torch.randint(len(FILTERS), ()))]
    w = torch.randn(3, 3, k, k, device=x.device) / math.sqrt(3 * k * k)
    mean, std = x.mean((1, 2, 3), keepdim=True), x.std((1, 2, 3), keepdim=True)
    y = F.conv2d(x - mean, w, padding=k // 2)
    y = y * (std / y.std((1, 2, 3), keepdim=True).clamp_min(1e-3))
    keep = _uniform(len(x), 0, 1, x.device)
    return mean + keep * (x - mean) + (1 - keep) * y


def _recoloured(x):
    """Channels mixed, a colour cast, contrast, gamma; now and then grey or inverted."""
    n, device = len(x), x.device
    some = lambda share: _some(n, share, device)[..., 0]
    mix = torch.eye(3, device=device) + .25 * torch.randn(n, 3, 3, device=device) * some(.5)
    mix = torch.where(some(.1), torch.full((3, 3), 1 / 3, device=device), mix)
    mix = mix / mix.sum(2, keepdim=True).abs().clamp_min(.3) * torch.exp(.15 * torch.randn(n, 3, 1, device=device))
    contrast = torch.exp(_uniform(n, -.8, .3, device))[..., 0]
    mean = mix @ x.mean((2, 3))[..., None]
    shift = mean * (1 - contrast) + .08 * torch.randn(n, 1, 1, device=device)
    inverted = torch.where(some(.06), -1., 1.)              # v -> 1 - v
    matrix, shift = inverted * contrast * mix, inverted * shift + (1 - inverted) / 2
    y = torch.baddbmm(shift, matrix, x.flatten(2)).view(x.shape)
    return y.clamp(1e-3, 1) ** torch.exp(.3 * torch.randn(n, 1, 1, 1, device=device))


def _overlaid(x):
    """Another crop shines through."""
    much = _uniform(len(x), 0, .35, x.device) * _some(len(x), .3, x.device)
    return x + much * (x.roll(1, 0).flip(3) - x)


def _noise(x):
    """Grains of one colour or many."""
    n, _, h, w = x.shape
    out, contrast = 0, x.std((1, 2, 3), keepdim=True)
    for size in GRAINS:
        grains = torch.randn(n, 3, -(-h // size), -(-w // size), device=x.device)
        grains = torch.where(_some(n, .5, x.device), grains[:, :1], grains)
        much = _uniform(n, 0, NOISE, x.device) * contrast * _some(n, .2, x.device)
        out = out + much * F.interpolate(grains, size=(h, w))
    return out
