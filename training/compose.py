"""Makes training crops from the generator's records, a whole batch at a time, on the device.

A record is one person on a transparent ground (kind 0) or a whole rendered scene (kind 1); see `pool.py`. `Composer.batch`
puts people on random backgrounds, other people behind and in front of them, things over them, cuts the photograph, takes
MMPose's top-down crop of what is still visible, and plays a bad camera. There is no loop over samples: a thing that only
some samples get is done for a slice of the batch (its place in the batch is random elsewhere), so every shape is fixed.

Spaces: *sprite* = pixels of the record, pixel centres at whole numbers (192 x 256); *crop* = pixels of the network's input.
Everything random about the scene is placed in sprite space, so that the visible part of the person can be measured there on
a coarse grid before the crop is chosen.
"""
import math

import torch
from torch.nn import functional as F

from model import FLIP

SW, SH = 192, 256           # sprite
STEP = 4                    # coarse grid of the visibility test, sprite pixels
PADDING = 1.25              # MMPose's GetBBoxCenterScale
WEIGHT_HIDDEN = 0.35        # joint hidden by something that is not the own body
MAX_SHAPES = 3

# Annex K of the JPEG standard.
LUMA = [16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
        14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99]
CHROMA = [17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
          47, 66, 99, 99, 99, 99, 99, 99] + [99] * 32
YCBCR = [[.299, .587, .114], [-.168736, -.331264, .5], [.5, -.418688, -.081312]]


class Composer:
    def __init__(self, device, size=(192, 256), extra_cut=0.06):
        """`size`: (width, height) of the crops. `extra_cut`: share of uncut sprites whose photograph is cut here."""
        self.device, self.size, self.extra_cut = torch.device(device), size, extra_cut
        t = lambda v: torch.tensor(v, dtype=torch.float32, device=self.device)
        k = torch.arange(8, dtype=torch.float32)
        dct = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) * .5
        dct[0] *= math.sqrt(.5)
        self.dct = dct.to(self.device)
        chroma = torch.tensor(CHROMA, dtype=torch.float32).view(8, 8)
        chroma[4:] = chroma[:, 4:] = 1e4                    # subsampled chroma has no fine detail
        self.tables = torch.stack([t(LUMA).view(8, 8), chroma.to(self.device), chroma.to(self.device)])
        self.ycbcr = t(YCBCR)
        self.rgb = torch.linalg.inv(torch.tensor(YCBCR, dtype=torch.float64)).float().to(self.device)
        self.flip = torch.tensor(FLIP, device=self.device)

    # ------------------------------------------------------------------------------------------------------ random numbers
    def u(self, *shape, lo=0., hi=1.):
        return torch.rand(*shape, device=self.device) * (hi - lo) + lo

    def g(self, *shape, mean=0., std=1.):
        return torch.randn(*shape, device=self.device) * std + mean

    def some(self, n, p):
        return torch.rand(n, device=self.device) < p

    def pick(self, n, probabilities):
        p = torch.tensor(probabilities, dtype=torch.float32, device=self.device)
        return torch.multinomial(p, n, replacement=True)

    # ---------------------------------------------------------------------------------------------------------- one batch
    @torch.no_grad()
    def batch(self, store, n):
        """n crops. Returns dict(image [n, 3, H, W] in 0..1, kps [n, 17, 3] crop pixels and weight, absent [n, 17] bool: not
        in the photograph or not in the crop, area [n] of the visible person in crop pixels, box [n, 4] crop pixels)."""
        ids = store.draw(n)
        rec = store.take(ids)
        layers = self._other_people(store, rec, n)
        shapes = self._shapes(rec['box'], n)
        frame, extra = self._frame(rec)
        seen = self._visible(rec, frame, layers, shapes)
        # too little left: without the things in front and the extra cut
        lost = seen['share'] < .3
        frame = torch.where(lost[:, None], rec['frame'], frame)
        layers['front_on'] &= ~lost[layers['front']]
        shapes['on'] &= ~lost[shapes['where']][:, None]
        seen = self._visible(rec, frame, layers, shapes)
        crop = self._crop(seen['box'], rec['kind'] == 1)
        x, y = self._to_sprite(crop)
        image = self._paint(store, rec, layers, shapes, x, y, n)
        inside = self._in_frame(x, y, frame, soft=crop['unit'])
        image = self._camera(image, n) * inside[:, None]
        kps, absent = self._joints(rec, frame, layers, shapes, crop)
        return dict(image=image, kps=kps, absent=absent, area=seen['area'] / crop['unit'] ** 2, box=self._crop_box(seen['box'], crop))

    # -------------------------------------------------------------------------------------------------------------- scene
    def _other_people(self, store, rec, n):
        """Sprites behind (two slices of the batch) and in front (one slice): records and where they lie."""
        behind = [slice(0, int(.36 * n)), slice(0, int(.16 * n))]
        front = slice(int(.1 * n), int(.26 * n))
        out = dict(behind=[], front=front)
        for k, s in enumerate(behind):
            out['behind'].append((s, *self._place(store, rec, s, False)))
        out['front_rec'], out['front_map'], out['front_on'] = self._place(store, rec, front, True)
        return out

    def _place(self, store, rec, s, front):
        """A person beside the target: (record, map, on); map [m, 3] takes target-sprite pixels to its own: k, tx, ty."""
        m = s.stop - s.start
        other = store.take(store.draw(m))
        on = (other['kind'] == 0) & torch.isinf(other['frame']).all(1)      # whole, nothing cut by the sprite's border
        a, b = rec['box'][s], other['box']
        size_a, size_b = a[:, 2:] - a[:, :2], (b[:, 2:] - b[:, :2]).clamp_min(8)
        ratio = torch.exp(self.g(m, mean=.1 if front else -.25, std=.3))
        k = size_b[:, 1] / (size_a[:, 1].clamp_min(8) * ratio)          # own pixels per target pixel
        side = torch.where(self.some(m, .5), 1., -1.)
        shift = side * self.u(m, lo=.25 if front else .15, hi=1.1) * torch.maximum(size_a[:, 0], size_b[:, 0] / k) * .9
        level = self.some(m, .6)                                        # feet on about the same height
        feet = a[:, 3] + self.g(m, std=.08) * size_a[:, 1] - (0 if front else .06) * size_a[:, 1]
        mid = (a[:, 1] + a[:, 3]) / 2 + self.g(m, std=.25) * size_a[:, 1]
        cx = (a[:, 0] + a[:, 2]) / 2 + shift
        tx = (b[:, 0] + b[:, 2]) / 2 - k * cx
        ty = torch.where(level, b[:, 3] - k * feet, (b[:, 1] + b[:, 3]) / 2 - k * mid)
        mirrored = torch.where(self.some(m, .5), 1., -1.)
        return other, torch.stack([k, tx, ty, mirrored], 1), on

    @staticmethod
    def _through(place, x, y):
        """Target-sprite pixels to another sprite's. x, y: [m, ...]."""
        k, tx, ty, mirrored = [v.view(-1, *[1] * (x.ndim - 1)) for v in place.unbind(1)]
        return (k * x + tx - (SW - 1) / 2) * mirrored + (SW - 1) / 2, k * y + ty

    def _shapes(self, box, n):
        """Occluders for a slice of the batch: soft boxes, ellipses, strips, and edges that hide everything below them."""
        where = slice(int(.3 * n), int(.7 * n))
        m, b = where.stop - where.start, box[where]
        size = b[:, 2:] - b[:, :2]
        scale = size.prod(1).clamp_min(64).sqrt()
        kind = self.pick(m * MAX_SHAPES, [.3, .25, .25, .2]).view(m, -1)       # strip, box, ellipse, edge
        on = torch.rand(m, MAX_SHAPES, device=self.device) < torch.tensor([.85, .3, .15], device=self.device)
        kind[:, 1:] = kind[:, 1:].clamp_max(2)                                 # one edge at most
        c = b[:, None, :2] + self.u(m, MAX_SHAPES, 2, lo=-.05, hi=1.05) * size[:, None]
        h = self.u(m, MAX_SHAPES, 2, lo=.05, hi=.32) ** 1.0 * scale[:, None, None]
        angle = self.u(m, MAX_SHAPES, hi=math.pi)
        strip, edge = kind == 0, kind == 3
        h[..., 0] = torch.where(strip, scale[:, None] * self.u(m, MAX_SHAPES, lo=.3, hi=2.5), h[..., 0])
        h[..., 1] = torch.where(strip, scale[:, None] * self.u(m, MAX_SHAPES, lo=.015, hi=.1), h[..., 1])
        far = 6 * scale[:, None]
        top = b[:, None, 1] + size[:, None, 1] * self.u(m, MAX_SHAPES, lo=.3, hi=.92)
        h = torch.where(edge[..., None], far[..., None], h)
        angle = torch.where(edge, self.g(m, MAX_SHAPES, std=.08), angle)
        narrow = edge & self.some(m * MAX_SHAPES, .3).view(m, -1)              # a chair's back, a box: not the whole width
        h[..., 0] = torch.where(narrow, scale[:, None] * self.u(m, MAX_SHAPES, lo=.25, hi=.7), h[..., 0])
        mid = torch.stack([c[..., 0], top + far], -1)
        c = torch.where(edge[..., None], mid, c)
        # how the texture is coloured; 0 = flat colour
        colour, texture = self.u(m, MAX_SHAPES, 3) ** 1.3, self.u(m, MAX_SHAPES) * (torch.rand(m, MAX_SHAPES, device=self.device) < .8)
        wave = torch.stack([self.u(m, MAX_SHAPES, hi=.18) * self.some(m * MAX_SHAPES, .4).view(m, -1),
                            self.u(m, MAX_SHAPES, lo=2, hi=9), self.u(m, MAX_SHAPES, hi=6.3)], -1)
        return dict(where=where, on=on, round=kind == 2, centre=c, half=h, cos=angle.cos(), sin=angle.sin(), colour=colour,
                    texture=texture, wave=wave * (~strip & ~edge)[..., None])

    def _shape_mask(self, s, k, x, y):
        """Coverage of shape k at points x, y [m, ...] of sprite space, soft over about one pixel."""
        e = lambda v: v[:, k].view(-1, *[1] * (x.ndim - 1))
        dx, dy = x - e(s['centre'][..., 0]), y - e(s['centre'][..., 1])
        hx, hy = e(s['half'][..., 0]), e(s['half'][..., 1])
        px, py = (dx * e(s['cos']) + dy * e(s['sin'])) / hx, (dy * e(s['cos']) - dx * e(s['sin'])) / hy
        grow = 1 + e(s['wave'][..., 0]) * torch.sin(e(s['wave'][..., 1]) * torch.atan2(py, px) + e(s['wave'][..., 2]))
        ax, ay = px.abs(), py.abs()
        # distance to the border in pixels, about
        box = torch.minimum((grow - ax) * hx, (grow - ay) * hy)
        ball = (grow - torch.sqrt(px * px + py * py + 1e-9)) * torch.minimum(hx, hy)
        return (torch.where(e(s['round']), ball, box) + .5).clamp(0, 1) * e(s['on'])

    def _frame(self, rec):
        """The photograph's frame in sprite space [n, 4] (x0, y0, x1, y1), and whether it was cut here."""
        n = len(rec['box'])
        box, frame = rec['box'], rec['frame'].clone()
        size = box[:, 2:] - box[:, :2]
        new = torch.full_like(frame, float('inf'))
        new[:, :2] = -float('inf')
        edge = self.pick(n, [.60, .13, .13, .14])                # bottom, left, right, top
        r = self.u(n)
        bottom = box[:, 1] + size[:, 1] * (.2 + .8 * r)
        new[:, 3] = torch.where(edge == 0, bottom, new[:, 3])
        new[:, 0] = torch.where(edge == 1, box[:, 0] + size[:, 0] * .65 * r, new[:, 0])
        new[:, 2] = torch.where(edge == 2, box[:, 2] - size[:, 0] * .65 * r, new[:, 2])
        new[:, 1] = torch.where(edge == 3, box[:, 1] + size[:, 1] * .6 * r, new[:, 1])
        near = self.some(n * 4, .12).view(n, 4)                  # an edge close to the person that cuts nothing
        gap = self.u(n, 4, lo=.0, hi=.3) * size.repeat(1, 2) * torch.tensor([-1., -1, 1, 1], device=self.device)
        close = torch.where(near, box + gap, new)
        new[:, :2], new[:, 2:] = torch.maximum(new[:, :2], close[:, :2]), torch.minimum(new[:, 2:], close[:, 2:])
        cut = (rec['kind'] == 0) & torch.isinf(frame).all(1) & self.some(n, self.extra_cut)
        return torch.where(cut[:, None], new, frame), cut

    @staticmethod
    def _in_frame(x, y, frame, soft):
        """Whether points are inside the photograph, 0..1; `soft`: width of the border in sprite pixels, [n] or a number."""
        e = lambda v: v.view(-1, *[1] * (x.ndim - 1))
        s = e(soft) if torch.is_tensor(soft) else soft
        f = frame.clamp(-1e4, 1e4)
        d = torch.minimum(torch.minimum(x - e(f[:, 0]), e(f[:, 2]) - x), torch.minimum(y - e(f[:, 1]), e(f[:, 3]) - y))
        return (d / s + .5).clamp(0, 1)

    def _cover(self, layers, shapes, x, y):
        """How much of the target is hidden by things in front at points x, y [n, ...] of sprite space."""
        cover = torch.zeros_like(x)
        s = layers['front']
        fx, fy = self._through(layers['front_map'], x[s], y[s])
        a = self._sample(layers['front_rec']['alpha'], fx, fy)[:, 0]
        cover[s] = a * layers['front_on'].view(-1, *[1] * (x.ndim - 1))
        s = shapes['where']
        for k in range(MAX_SHAPES):
            cover[s] = torch.maximum(cover[s], self._shape_mask(shapes, k, x[s], y[s]))
        return cover

    def _visible(self, rec, frame, layers, shapes):
        """What is left of the target on the coarse grid: dict(box [n, 4], area [n], share [n] of the record's visible part)."""
        n = len(frame)
        gx = (torch.arange(SW // STEP, device=self.device) * STEP + (STEP - 1) / 2).float()
        gy = (torch.arange(SH // STEP, device=self.device) * STEP + (STEP - 1) / 2).float()
        x, y = gx.expand(n, len(gy), len(gx)), gy[:, None].expand(n, len(gy), len(gx))
        box = rec['box']
        # alpha also covers what the person touches and others beside; in a scene it covers everything: the box limits both
        own = F.avg_pool2d(rec['alpha'], STEP)[:, 0] * self._in_frame(x, y, box, 1.)
        before = own * (self._in_frame(x, y, rec['frame'], 1.) > .5)
        left = before * (self._in_frame(x, y, frame, 1.) > .5) * (1 - self._cover(layers, shapes, x, y))
        on = left > .35
        half = STEP / 2
        big = 1e5

        def extent(rows, grid):
            lo = torch.where(rows, grid, big).amin(1) - half
            hi = torch.where(rows, grid, -big).amax(1) + half
            return lo, hi
        x0, x1 = extent(on.any(1), gx)
        y0, y1 = extent(on.any(2), gy)
        found = torch.stack([x0, y0, x1, y1], 1)
        found[:, :2] = torch.maximum(torch.maximum(found[:, :2], box[:, :2]), frame[:, :2])
        found[:, 2:] = torch.minimum(torch.minimum(found[:, 2:], box[:, 2:]), frame[:, 2:])
        bad = ((found[:, 2:] - found[:, :2]) < 3).any(1) | ~on.flatten(1).any(1)
        found = torch.where(bad[:, None], box, found)
        fill = torch.where(rec['kind'] == 1, .5, 1.)
        area = left.flatten(1).sum(1) * STEP ** 2 * fill
        share = torch.where(bad, torch.zeros_like(area), left.flatten(1).sum(1) / before.flatten(1).sum(1).clamp_min(1e-3))
        return dict(box=found, area=area.clamp_min(16), share=share)

    # --------------------------------------------------------------------------------------------------------------- crop
    def _crop(self, box, scene):
        """MMPose's crop of `box` with random scale, shift, turn and mirror. `unit`: sprite pixels per crop pixel. A scene ends at
        its border, so it is turned less often."""
        n, (W, H) = len(box), self.size
        centre, size = (box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2]
        centre = centre + self.g(n, 2, std=.045) * size
        width = torch.maximum(size[:, 0], size[:, 1] * W / H) * PADDING
        width = width * torch.exp(self.g(n, mean=.0, std=.14).clamp(-.35, .35))
        angle = torch.where(self.some(n, .4) & (~scene | self.some(n, .3)), self.g(n, std=18).clamp(-50, 50), torch.zeros(n, device=self.device)) * math.pi / 180
        mirror = torch.where(self.some(n, .5), -1., 1.)
        return dict(centre=centre, unit=width / (W - 1), uy=width * H / W / (H - 1), cos=angle.cos(), sin=angle.sin(), mirror=mirror)

    def _to_sprite(self, c):
        """Sprite coordinates of all crop pixels: x, y [n, H, W]."""
        W, H = self.size
        e = lambda v: v[:, None, None]
        du = (torch.arange(W, device=self.device) - (W - 1) / 2)[None, None] * e(c['unit'] * c['mirror'])
        dv = (torch.arange(H, device=self.device) - (H - 1) / 2)[None, :, None] * e(c['uy'])
        return (e(c['centre'][:, 0]) + du * e(c['cos']) - dv * e(c['sin']),
                e(c['centre'][:, 1]) + du * e(c['sin']) + dv * e(c['cos']))

    def _to_crop(self, c, p):
        """p [n, k, 2] sprite -> crop pixels."""
        W, H = self.size
        e = lambda v: v[:, None]
        d = p - c['centre'][:, None]
        du = (d[..., 0] * e(c['cos']) + d[..., 1] * e(c['sin'])) / e(c['unit'] * c['mirror'])
        dv = (d[..., 1] * e(c['cos']) - d[..., 0] * e(c['sin'])) / e(c['uy'])
        return torch.stack([du + (W - 1) / 2, dv + (H - 1) / 2], -1)

    def _crop_box(self, box, c):
        corners = torch.stack([box[:, [0, 1]], box[:, [2, 1]], box[:, [2, 3]], box[:, [0, 3]]], 1)
        q = self._to_crop(c, corners)
        return torch.cat([q.amin(1), q.amax(1)], 1)

    def _joints(self, rec, frame, layers, shapes, crop):
        W, H = self.size
        p, w = rec['kps'][..., :2], rec['kps'][..., 2]
        hidden = self._cover(layers, shapes, p[..., 0], p[..., 1]) > .5
        w = torch.where(hidden, w.clamp_max(WEIGHT_HIDDEN), w)
        w = w * (self._in_frame(p[..., 0], p[..., 1], frame, 1e-3) > .5)
        q = self._to_crop(crop, p)
        inside = (q[..., 0] >= 0) & (q[..., 0] <= W - 1) & (q[..., 1] >= 0) & (q[..., 1] <= H - 1)
        w = w * inside
        kps = torch.cat([q, w[..., None]], -1)
        kps = torch.where((crop['mirror'] < 0)[:, None, None], kps[:, self.flip], kps)
        return kps, kps[..., 2] == 0

    # -------------------------------------------------------------------------------------------------------------- paint
    @staticmethod
    def _sample(image, x, y, mode='bilinear', pad='zeros'):
        """image [n, c, h, w] at pixel positions x, y [n, ...] (one or two more dimensions)."""
        h, w = image.shape[2:]
        flat = x.ndim == 2
        if flat:
            x, y = x[:, None], y[:, None]
        grid = torch.stack([x * (2 / (w - 1)) - 1, y * (2 / (h - 1)) - 1], -1)
        out = F.grid_sample(image, grid.to(image.dtype), mode=mode, padding_mode=pad, align_corners=True)
        return out[:, :, 0] if flat else out

    def _gain(self, m, std=.2, tint=.04):
        """Light of one layer: [m, 3, 1, 1]."""
        return (torch.exp(self.g(m, 1, std=std) + self.g(m, 3, std=tint)))[..., None, None]

    def _background(self, store, m, x, y):
        """A random view of random backgrounds. x, y: sprite coordinates of the crop's pixels, for the shape only."""
        W, H = self.size
        image = store.backgrounds(m)
        side = image.shape[-1]
        zoom = torch.exp(self.u(m, lo=-.9, hi=.9)) * side / max(W, H) * .7
        angle = self.g(m, std=.12)
        cx, cy = self.u(m, lo=.15, hi=.85) * side, self.u(m, lo=.15, hi=.85) * side
        e = lambda v: v[:, None, None]
        du = (torch.arange(W, device=self.device) - (W - 1) / 2)[None, None] * e(zoom * torch.where(self.some(m, .5), 1., -1.))
        dv = (torch.arange(H, device=self.device) - (H - 1) / 2)[None, :, None] * e(zoom)
        bx, by = e(cx) + du * e(angle.cos()) - dv * e(angle.sin()), e(cy) + du * e(angle.sin()) + dv * e(angle.cos())
        out = self._sample(image, bx, by, pad='reflection')
        contrast = torch.exp(self.g(m, mean=-.1, std=.3))[:, None, None, None].clamp(.3, 1.8)
        mean = out.mean((2, 3), keepdim=True)
        return (mean + (out - mean) * contrast) * self._gain(m, .25, .05) + self.g(m, std=.05)[:, None, None, None]

    def _over(self, canvas, rgba, gain, on=None):
        """Premultiplied sprite over the canvas, in place."""
        a = rgba[:, 3:]
        rgb = rgba[:, :3] * gain
        if on is not None:
            on = on.view(-1, 1, 1, 1).to(a.dtype)
            a, rgb = a * on, rgb * on
        canvas.mul_(1 - a).add_(rgb)

    def _paint(self, store, rec, layers, shapes, x, y, n):
        canvas = self._background(store, n, x, y).clamp_(0, 1)
        for s, other, place, on in layers['behind']:
            ox, oy = self._through(place, x[s], y[s])
            self._over(canvas[s], self._sample(other['rgba'], ox, oy), self._gain(s.stop - s.start, .25), on)
        own = self._sample(rec['rgba'], x, y)
        self._shadow(canvas, own[:, 3:])
        self._over(canvas, own, self._gain(n, .15, .04))
        s = layers['front']
        ox, oy = self._through(layers['front_map'], x[s], y[s])
        self._over(canvas[s], self._sample(layers['front_rec']['rgba'], ox, oy), self._gain(s.stop - s.start, .25), layers['front_on'])
        s = shapes['where']
        texture = self._background(store, s.stop - s.start, x[s], y[s])
        part = canvas[s]
        for k in range(MAX_SHAPES):
            mask = self._shape_mask(shapes, k, x[s], y[s])[:, None]
            mix, flat = shapes['texture'][:, k, None, None, None], shapes['colour'][:, k, :, None, None]
            part.add_(mask * (flat + (texture - flat) * mix - part))
        return canvas

    def _shadow(self, canvas, alpha):
        """Darkens the ground around some people (contact shadow, ambient occlusion)."""
        n = len(alpha)
        small = F.avg_pool2d(alpha, 8)
        small = F.avg_pool2d(F.avg_pool2d(small, 5, 1, 2), 5, 1, 2)
        soft = F.interpolate(small, size=alpha.shape[2:], mode='bilinear', align_corners=False)
        depth = self.u(n, lo=0, hi=.6) * self.some(n, .35)
        canvas.mul_(1 - soft * depth[:, None, None, None])

    # ------------------------------------------------------------------------------------------------------------- camera
    def _camera(self, x, n):
        """Blur, small picture, light, noise, JPEG, enlarged again. x: [n, 3, H, W] in 0..1."""
        x = self._for_some(x, .5, self._blur)
        x = self._light(x)
        small, back = self._shrink(x)
        small = self._noise(small)
        small = self._for_some(small, .5, self._jpeg)
        return back(small).clamp_(0, 1)

    def _for_some(self, x, share, f):
        """`f` on a run of samples that begins at a random place of the batch."""
        n = len(x)
        at = (torch.arange(int(round(share * n)), device=self.device) + torch.randint(n, (1,), device=self.device)) % n
        return x.index_copy_(0, at, f(x[at])) if len(at) else x

    def _blur(self, x):
        """Out of focus, moved, or sharpened: one 7 x 7 kernel per sample."""
        m, r = len(x), torch.arange(7, device=self.device).float() - 3
        gx, gy = r[None, None], r[None, :, None]
        e = lambda v: v[:, None, None]
        a = self.u(m, hi=math.pi)
        along, across = gx * e(a.cos()) + gy * e(a.sin()), gy * e(a.cos()) - gx * e(a.sin())
        s = self.u(m, lo=.35, hi=1.7)
        motion = self.some(m, .3)
        s1 = torch.where(motion, self.u(m, lo=1., hi=3.), s)
        s2 = torch.where(motion, self.u(m, lo=.3, hi=.6), s)
        k = torch.exp(-.5 * ((along / e(s1)) ** 2 + (across / e(s2)) ** 2))
        k = k / k.sum((1, 2), keepdim=True)
        sharp = e(torch.where(self.some(m, .3), self.u(m, lo=.4, hi=1.6), torch.zeros(m, device=self.device)))
        unit = torch.zeros(7, 7, device=self.device)
        unit[3, 3] = 1
        k = torch.where(sharp > 0, unit * (1 + sharp) - sharp * k, k)
        h, w = x.shape[2:]
        k = k[:, None].expand(m, 3, 7, 7).reshape(m * 3, 1, 7, 7)
        padded = F.pad(x, (3, 3, 3, 3), mode='replicate').view(1, m * 3, h + 6, w + 6)
        return F.conv2d(padded, k.to(x.dtype), groups=m * 3).view(m, 3, h, w)

    def _light(self, x):
        """Exposure, white balance, contrast, saturation, gamma, a gradient of light over the picture, vignetting."""
        n, (h, w) = len(x), x.shape[2:]
        grey = torch.full((3, 3), 1 / 3, device=self.device)
        eye = torch.eye(3, device=self.device)
        saturation = torch.where(self.some(n, .06), 0., torch.exp(self.g(n, std=.25)).clamp(.2, 1.7))[:, None, None]
        mix = eye * saturation + grey * (1 - saturation) + self.g(n, 3, 3, std=.03)
        gain = torch.exp(self.g(n, 1, mean=-.06, std=.2) + self.g(n, 3, std=.035))
        contrast = torch.exp(self.g(n, mean=-.05, std=.18))[:, None]
        m = mix * (gain * contrast)[..., None]
        b = (1 - contrast) * .45 + self.g(n, 1, std=.04)
        y = torch.baddbmm(b[..., None].expand(n, 3, 1), m, x.flatten(2)).view_as(x)
        gy, gx = torch.linspace(-1, 1, h, device=self.device)[None, :, None], torch.linspace(-1, 1, w, device=self.device)[None, None]
        e = lambda v: v[:, None, None]
        slope = 1 + e(self.g(n, std=.25) * self.some(n, .35)) * gx + e(self.g(n, std=.25) * self.some(n, .35)) * gy
        dark = 1 - e(self.u(n, hi=.35) * self.some(n, .25)) * (gx * gx + gy * gy) * .7
        y.mul_((slope * dark).clamp(.2, 2)[:, None]).clamp_(1e-4, 1)
        return y.pow_(torch.exp(self.g(n, std=.2))[:, None, None, None])

    def _shrink(self, x):
        """Pictures of people are mostly small: resamples to a smaller picture in the corner of the same tensor. Returns it and
        the way back. Averages through a pyramid, so that nothing aliases."""
        n, (h, w) = len(x), x.shape[2:]
        base = max(256 / h, 1.)                                  # a low-resolution run already has smaller pictures
        f = torch.exp(self.g(n, mean=.35, std=.65)) / base
        f = f.clamp(1., 6.5 / base)
        sw, sh = (w / f).round().clamp_min(12), (h / f).round().clamp_min(16)
        atlas = torch.zeros(n, 3, h, w + w // 2 + 2, device=self.device, dtype=x.dtype)
        atlas[..., :w] = x
        origin, level, top = [(0, 0)], x, 0
        for _ in range(3):
            level = F.avg_pool2d(level, 2)
            lh, lw = level.shape[2:]
            atlas[:, :, top:top + lh, w + 1:w + 1 + lw] = level
            origin.append((w + 1, top))
            top += lh
        lod = torch.log2(w / sw).round().clamp(0, 3).long()
        ox, oy = torch.tensor(origin, device=self.device).float()[lod].unbind(1)
        e = lambda v: v.view(-1, 1, 1)
        part = torch.exp2(-lod.float())
        # where the small picture lies: not always at a multiple of 8, for JPEG's blocks
        dx = torch.minimum((torch.rand(n, device=self.device) * 8).floor(), w - sw)
        dy = torch.minimum((torch.rand(n, device=self.device) * 8).floor(), h - sh)
        i, j = torch.arange(w, device=self.device)[None, None], torch.arange(h, device=self.device)[None, :, None]
        px = ((i - e(dx)).clamp(min=0) + .5) * e(w * part / sw) - .5
        py = ((j - e(dy)).clamp(min=0) + .5) * e(h * part / sh) - .5
        px = torch.minimum(px.clamp_min(0), e(w * part - 1)) + e(ox)
        py = torch.minimum(py.clamp_min(0), e(h * part - 1)) + e(oy)
        small = self._sample(atlas, px.expand(n, h, w), py.expand(n, h, w))

        def back(q):
            bx = torch.minimum(((i + .5) * e(sw / w) - .5).clamp_min(0), e(sw - 1)) + e(dx)
            by = torch.minimum(((j + .5) * e(sh / h) - .5).clamp_min(0), e(sh - 1)) + e(dy)
            return self._sample(q, bx.expand(n, h, w), by.expand(n, h, w), pad='border')
        return small, back

    def _noise(self, x):
        n = len(x)
        level = (self.u(n) ** 2 * .035 * self.some(n, .5))[:, None, None, None]
        noise = torch.randn(x.shape, device=self.device, dtype=x.dtype)
        mono = self.some(n, .5)[:, None, None, None]
        return x.add_(level * torch.where(mono, noise[:, :1], noise)).clamp_(0, 1)

    def _jpeg(self, x):
        """8 x 8 DCT, quantised as JPEG does at qualities 12 to 90."""
        m, (h, w) = len(x), x.shape[2:]
        q = self.u(m, lo=12, hi=90)
        scale = torch.where(q < 50, 50 / q, 2 - q / 50)[:, None, None, None]
        step = (self.tables * scale).clamp_min(1) / 255
        y = torch.einsum('ij,njhw->nihw', self.ycbcr, x).view(m, 3, h // 8, 8, w // 8, 8)
        c = torch.einsum('ai,ncyixj,bj->ncyxab', self.dct, y - .5, self.dct)
        step = step[:, :, None, None]
        c = (c / step).round_().mul_(step)
        y = torch.einsum('ai,ncyxab,bj->ncyixj', self.dct, c, self.dct).reshape(m, 3, h, w) + .5
        return torch.einsum('ij,njhw->nihw', self.rgb, y).clamp_(0, 1)
