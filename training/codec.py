"""MMPose's UDPHeatmap (gaussian) and the loss on its maps: targets, decoding as in `src/codecs/udp_heatmap.ts`."""
import torch
from torch.nn import functional as F

from model import FLIP, SIGMA

SHARPNESS = 10.             # of the spatial softmax over the maps, see `losses`
ABSENT_WEIGHT = 0.3         # of the empty map of a joint that is not in the picture


def sigma_of(h):
    """Of a map of h rows: maps smaller than 64 x 48 get a smaller one."""
    return max(SIGMA * h / 64, 1.2)


def targets(kps, size, shape):
    """Gaussians [n, 17, h, w] with peak 1. kps [n, 17, 2] crop pixels; size (W, H) of the crop; shape (h, w) of the map."""
    (W, H), (h, w) = size, shape
    sigma = sigma_of(h)
    x, y = kps[..., 0] * ((w - 1) / (W - 1)), kps[..., 1] * ((h - 1) / (H - 1))
    gx = torch.exp(-(torch.arange(w, device=kps.device) - x[..., None]) ** 2 / (2 * sigma ** 2))
    gy = torch.exp(-(torch.arange(h, device=kps.device) - y[..., None]) ** 2 / (2 * sigma ** 2))
    return gy[..., :, None] * gx[..., None, :]


def losses(maps, kps, absent, size):
    """(where, how much). Both are least when the map is the Gaussian itself.

    `where` is the cross entropy between softmax(SHARPNESS * Gaussian) and softmax(SHARPNESS * map), less its least value: it finds
    the place from the first steps on, but says nothing of a joint that is not there. `how much` is MMPose's squared error, summed
    over a map, which makes the peak a score; joints that are not there get an empty map. Weights are the records' weights."""
    maps = maps.float()
    t = targets(kps[..., :2], size, maps.shape[2:]).flatten(2)
    w, h = kps[..., 2], maps.flatten(2)
    log_p, log_t = (SHARPNESS * h).log_softmax(-1), (SHARPNESS * t).log_softmax(-1)
    where = ((log_t.exp() * (log_t - log_p)).sum(-1) * w).sum() / w.sum().clamp_min(1)
    w2 = torch.where(absent, torch.full_like(w, ABSENT_WEIGHT), w)
    much = (((h - t * (~absent)[..., None]) ** 2).sum(-1) * w2).sum() / w2.sum().clamp_min(1)
    return where, much


def blur(maps, size=11):
    """cv2.GaussianBlur(map, (size, size), 0) with zeros outside, scaled back to the old maximum, as MMPose does."""
    sigma = .3 * ((size - 1) * .5 - 1) + .8
    r = torch.arange(size, device=maps.device, dtype=maps.dtype) - (size - 1) / 2
    k = torch.exp(-r * r / (2 * sigma * sigma))
    k = (k / k.sum()).view(1, 1, -1, 1)
    x = maps.flatten(0, 1)[:, None]
    x = F.conv2d(F.conv2d(x, k, padding=(size // 2, 0)), k.transpose(2, 3), padding=(0, size // 2))[:, 0].view_as(maps)
    return x * maps.amax((2, 3), keepdim=True) / x.amax((2, 3), keepdim=True).clamp_min(1e-12)


def decode(maps, size):
    """[n, 17, h, w] -> [n, 17, 3]: x, y in crop pixels (DARK-UDP refinement) and the peak as score."""
    maps = maps.float()
    n, k, h, w = maps.shape
    score, at = maps.flatten(2).max(-1)
    px, py = at % w, at // w
    logs = F.pad(blur(maps).clamp(1e-3, 50).log(), (1, 1, 1, 1), mode='replicate').flatten(2)

    def v(dx, dy):
        return logs.gather(2, ((py + 1 + dy) * (w + 2) + px + 1 + dx)[..., None])[..., 0]
    c = v(0, 0)
    dx, dy = .5 * (v(1, 0) - v(-1, 0)), .5 * (v(0, 1) - v(0, -1))
    dxx, dyy = v(1, 0) - 2 * c + v(-1, 0), v(0, 1) - 2 * c + v(0, -1)
    dxy = .5 * (v(1, 1) - v(1, 0) - v(0, 1) + c + c - v(-1, 0) - v(0, -1) + v(-1, -1))
    eps = torch.finfo(torch.float32).eps
    a, b, d = dxx + eps, dxy, dyy + eps
    det = a * d - b * b
    det = torch.where(det.abs() < 1e-12, torch.full_like(det, 1e-12), det)
    x = px - (d * dx - b * dy) / det
    y = py - (a * dy - b * dx) / det
    return torch.stack([x * ((size[0] - 1) / (w - 1)), y * ((size[1] - 1) / (h - 1)), score], -1)


def flip_maps(net, x):
    """MMPose's flip test (flip_mode 'heatmap', no shift)."""
    return (net(x) + net(x.flip(3)).flip(3)[:, FLIP]) / 2
