"""Makes training crops from the generator's records, a whole batch at a time, on the device.

A record is one person on a transparent ground (kind 0) or a whole rendered scene (kind 1); see `pool.py`. `Composer.batch`
puts people on random backgrounds, other people behind and in front of them, things over them, cuts the photograph, takes
MMPose's top-down crop of what is still visible, and plays a bad camera. Here every crop is decided: a row of numbers
(`painter.SCENE`); the pixels are the painter's. There is no loop over samples: a thing that only some samples get is
switched off in the others, so every shape is fixed.

Spaces: *sprite* = pixels of the record, pixel centres at whole numbers (192 x 256); *crop* = pixels of the network's input.
Everything random about the scene is placed in sprite space, so that the visible part of the person can be measured there on
a coarse grid before the crop is chosen.
"""
import math

import torch

from model import FLIP
from painter import Painter, pack
from pool import COARSE

SW, SH = 192, 256           # sprite
PADDING = 1.25              # MMPose's GetBBoxCenterScale
WEIGHT_HIDDEN = 0.35        # joint hidden by something that is not the own body
BEHIND = (.32, .12)         # share of the crops with a first, a second person behind
FRONT = .14                 # with somebody in front
THINGS = .40                # with things in front
SHAPES = 3
QUALITY = (.42, .46, .12)   # share of clean, ordinary and poor photographs
GREY, METERED = .5, .6     # mean value that a camera sets its exposure for, and how far it gets there


class Composer:
    def __init__(self, device, size=(192, 256), extra_cut=0.06):
        """`size`: (width, height) of the crops. `extra_cut`: share of uncut sprites whose photograph is cut here."""
        self.device, self.size, self.extra_cut = torch.device(device), size, extra_cut
        self.flip = torch.tensor(FLIP, device=self.device)
        self.painter = Painter(self.device)

    # ------------------------------------------------------------------------------------------------------ random numbers
    def u(self, *shape, lo=0., hi=1.):
        return torch.rand(*shape, device=self.device) * (hi - lo) + lo

    def g(self, *shape, mean=0., std=1.):
        return torch.randn(*shape, device=self.device) * std + mean

    def some(self, n, p):
        return torch.rand(n, device=self.device) < p

    def sign(self, n):
        return torch.where(self.some(n, .5), 1., -1.)

    def pick(self, n, probabilities):
        """Whole numbers [n] with these probabilities."""
        at, out, total = torch.rand(n, device=self.device), torch.zeros(n, dtype=torch.long, device=self.device), 0.
        for p in probabilities[:-1]:
            total += p
            out += at > total
        return out

    # ---------------------------------------------------------------------------------------------------------- one batch
    @torch.no_grad()
    def batch(self, store, n):
        """n crops. Returns dict(image uint8 [n, 3, H, W] RGB, kps [n, 17, 3] crop pixels and weight, absent [n, 17] bool: not
        in the photograph or not in the crop, area [n] of the visible person in crop pixels, box [n, 4] crop pixels)."""
        rec = store.take(store.draw(n))
        people = self._other_people(store, rec, n)
        shapes = self._shapes(rec['box'], n)
        frame = self._frame(rec)
        seen = self._visible(store, rec, frame, people, shapes)
        # too little left: without the things in front and the extra cut
        lost = seen['share'] < .3
        frame = torch.where(lost[:, None], rec['frame'], frame)
        people['front']['on'] *= ~lost
        shapes['on'] &= ~lost[:, None]
        seen = self._visible(store, rec, frame, people, shapes)
        crop = self._crop(seen['box'], rec['kind'] == 1)
        scenes = self._scenes(store, rec, people, shapes, frame, crop, n)
        image = self.painter.paint(store, scenes, self.size, 2 if self.size[1] < 192 else 1)
        kps, absent = self._joints(store, rec, frame, people, shapes, crop)
        return dict(image=image, kps=kps, absent=absent, area=seen['area'] / crop['unit'] ** 2, box=self._crop_box(seen['box'], crop))

    # -------------------------------------------------------------------------------------------------------------- scene
    def _other_people(self, store, rec, n):
        return dict(behind0=self._place(store, rec, BEHIND[0], n, False), behind1=self._place(store, rec, BEHIND[1], n, False),
                    front=self._place(store, rec, FRONT, n, True))

    def _place(self, store, rec, share, n, front):
        """Somebody beside the target for a share of the crops: a painter's person; `place` takes target-sprite pixels to its own."""
        other = store.take(store.draw(n))
        on = self.some(n, share) & (other['kind'] == 0) & torch.isinf(other['frame']).all(1)      # whole, nothing cut by the sprite's border
        a, b = rec['box'], other['box']
        size_a, size_b = a[:, 2:] - a[:, :2], (b[:, 2:] - b[:, :2]).clamp_min(8)
        ratio = torch.exp(self.g(n, mean=.1 if front else -.25, std=.3))
        k = size_b[:, 1] / (size_a[:, 1].clamp_min(8) * ratio)          # own pixels per target pixel
        shift = self.sign(n) * self.u(n, lo=.25 if front else .1, hi=1.1) * torch.maximum(size_a[:, 0], size_b[:, 0] / k) * .9
        level = self.some(n, .6)                                        # feet on about the same height
        feet = a[:, 3] + self.g(n, std=.08) * size_a[:, 1] - (0 if front else .06) * size_a[:, 1]
        mid = (a[:, 1] + a[:, 3]) / 2 + self.g(n, std=.25) * size_a[:, 1]
        cx = (a[:, 0] + a[:, 2]) / 2 + shift
        tx = (b[:, 0] + b[:, 2]) / 2 - k * cx
        ty = torch.where(level, b[:, 3] - k * feet, (b[:, 1] + b[:, 3]) / 2 - k * mid)
        return dict(record=other['ids'], place=torch.stack([k, tx, ty, self.sign(n)], 1), gain=self._gain(n, .25), on=on.float())

    @staticmethod
    def _through(place, x, y):
        """Target-sprite pixels to another sprite's. x, y: [n, ...]."""
        k, tx, ty, mirrored = [v.view(-1, *[1] * (x.ndim - 1)) for v in place.unbind(1)]
        return (k * x + tx - (SW - 1) / 2) * mirrored + (SW - 1) / 2, k * y + ty

    def _shapes(self, box, n):
        """Things in front: soft boxes, ellipses, strips, and edges that hide everything below them. Tensors [n, SHAPES, ...]."""
        m, b = n * SHAPES, box
        size = b[:, 2:] - b[:, :2]
        scale = size.prod(1).clamp_min(64).sqrt()
        kind = self.pick(m, [.3, .25, .25, .2]).view(n, -1)                    # strip, box, ellipse, edge
        on = torch.stack([self.some(n, p) for p in (.85, .3, .15)], 1) & self.some(n, THINGS)[:, None]
        kind[:, 1:] = kind[:, 1:].clamp_max(2)                                 # one edge at most
        c = b[:, None, :2] + self.u(n, SHAPES, 2, lo=-.05, hi=1.05) * size[:, None]
        h = self.u(n, SHAPES, 2, lo=.05, hi=.32) * scale[:, None, None]
        angle = self.u(n, SHAPES, hi=math.pi)
        strip, edge = kind == 0, kind == 3
        h[..., 0] = torch.where(strip, scale[:, None] * self.u(n, SHAPES, lo=.3, hi=2.5), h[..., 0])
        h[..., 1] = torch.where(strip, scale[:, None] * self.u(n, SHAPES, lo=.015, hi=.1), h[..., 1])
        far = 6 * scale[:, None]
        top = b[:, None, 1] + size[:, None, 1] * self.u(n, SHAPES, lo=.3, hi=.92)
        h = torch.where(edge[..., None], far[..., None], h)
        angle = torch.where(edge, self.g(n, SHAPES, std=.08), angle)
        narrow = edge & self.some(m, .3).view(n, -1)                           # a chair's back, a box: not the whole width
        h[..., 0] = torch.where(narrow, scale[:, None] * self.u(n, SHAPES, lo=.25, hi=.7), h[..., 0])
        c = torch.where(edge[..., None], torch.stack([c[..., 0], top + far], -1), c)
        # how much of the texture shows; 0 = flat colour
        colour, texture = self.u(n, SHAPES, 3) ** 1.3, self.u(n, SHAPES) * self.some(m, .8).view(n, -1)
        wave = torch.stack([self.u(n, SHAPES, hi=.18) * self.some(m, .4).view(n, -1) * (~strip & ~edge), self.u(n, SHAPES, lo=2, hi=9),
                            self.u(n, SHAPES, hi=6.3)], -1)
        return dict(on=on, round=kind == 2, centre=c, half=h, turn=torch.stack([angle.cos(), angle.sin()], -1), colour=colour,
                    texture=texture, wave=wave)

    @staticmethod
    def _shape_mask(s, k, x, y):
        """Coverage of shape k at points x, y [n, ...] of sprite space, soft over about one pixel; the painter has the same."""
        e = lambda v: v[:, k].view(-1, *[1] * (x.ndim - 1))
        dx, dy = x - e(s['centre'][..., 0]), y - e(s['centre'][..., 1])
        hx, hy, cos, sin = e(s['half'][..., 0]), e(s['half'][..., 1]), e(s['turn'][..., 0]), e(s['turn'][..., 1])
        px, py = (dx * cos + dy * sin) / hx, (dy * cos - dx * sin) / hy
        grow = 1 + e(s['wave'][..., 0]) * torch.sin(e(s['wave'][..., 1]) * torch.atan2(py, px) + e(s['wave'][..., 2]))
        # distance to the border in pixels, about
        box = torch.minimum((grow - px.abs()) * hx, (grow - py.abs()) * hy)
        ball = (grow - torch.sqrt(px * px + py * py + 1e-9)) * torch.minimum(hx, hy)
        return (torch.where(e(s['round']), ball, box) + .5).clamp(0, 1) * e(s['on'])

    def _frame(self, rec):
        """The photograph's frame in sprite space [n, 4] (x0, y0, x1, y1)."""
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
        return torch.where(cut[:, None], new, frame)

    @staticmethod
    def _in_frame(x, y, frame):
        """Whether points [n, ...] are inside the photograph."""
        e = lambda k: frame[:, k].view(-1, *[1] * (x.ndim - 1))
        return (x >= e(0)) & (x <= e(2)) & (y >= e(1)) & (y <= e(3))

    def _cover(self, store, people, shapes, x, y):
        """How much of the target is hidden by things in front at points x, y [n, ...] of sprite space."""
        front = people['front']
        cover = store.alpha_at(front['record'], *self._through(front['place'], x, y)) * front['on'].view(-1, *[1] * (x.ndim - 1))
        for k in range(SHAPES):
            cover = torch.maximum(cover, self._shape_mask(shapes, k, x, y))
        return cover

    def _visible(self, store, rec, frame, people, shapes):
        """What is left of the target on the coarse grid: dict(box [n, 4], area [n], share [n] of the record's visible part)."""
        n = len(frame)
        gx = (torch.arange(SW // COARSE, device=self.device) * COARSE + (COARSE - 1) / 2).float()
        gy = (torch.arange(SH // COARSE, device=self.device) * COARSE + (COARSE - 1) / 2).float()
        x, y = gx.expand(n, len(gy), len(gx)), gy[:, None].expand(n, len(gy), len(gx))
        box = rec['box']
        # alpha also covers what the person touches and others beside; in a scene it covers everything: the box limits both
        before = store.coarse[rec['ids']] * (1 / 255) * (self._in_frame(x, y, box) & self._in_frame(x, y, rec['frame']))
        left = before * self._in_frame(x, y, frame) * (1 - self._cover(store, people, shapes, x, y))
        on = left > .35
        half, big = COARSE / 2, 1e5

        def extent(rows, grid):
            return torch.where(rows, grid, big).amin(1) - half, torch.where(rows, grid, -big).amax(1) + half
        x0, x1 = extent(on.any(1), gx)
        y0, y1 = extent(on.any(2), gy)
        found = torch.stack([x0, y0, x1, y1], 1)
        found[:, :2] = torch.maximum(torch.maximum(found[:, :2], box[:, :2]), frame[:, :2])
        found[:, 2:] = torch.minimum(torch.minimum(found[:, 2:], box[:, 2:]), frame[:, 2:])
        bad = ((found[:, 2:] - found[:, :2]) < 3).any(1) | ~on.flatten(1).any(1)
        found = torch.where(bad[:, None], box, found)
        fill = torch.where(rec['kind'] == 1, .5, 1.)
        area = left.flatten(1).sum(1) * COARSE ** 2 * fill
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
        turned = self.some(n, .3) & (~scene | self.some(n, .3))
        angle = torch.where(turned, self.g(n, std=15).clamp(-45, 45), torch.zeros(n, device=self.device)) * math.pi / 180
        return dict(centre=centre, unit=width / (W - 1), uy=width * H / W / (H - 1), cos=angle.cos(), sin=angle.sin(), mirror=self.sign(n))

    def _to_sprite(self, c):
        """Affine map [n, 6] from crop pixels to sprite pixels, as the painter wants it."""
        W, H = self.size
        xi, xj, yi, yj = c['unit'] * c['mirror'] * c['cos'], -c['uy'] * c['sin'], c['unit'] * c['mirror'] * c['sin'], c['uy'] * c['cos']
        x0 = c['centre'][:, 0] - xi * (W - 1) / 2 - xj * (H - 1) / 2
        y0 = c['centre'][:, 1] - yi * (W - 1) / 2 - yj * (H - 1) / 2
        return torch.stack([x0, xi, xj, y0, yi, yj], 1)

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

    def _joints(self, store, rec, frame, people, shapes, crop):
        W, H = self.size
        p, w = rec['kps'][..., :2], rec['kps'][..., 2]
        hidden = self._cover(store, people, shapes, p[..., 0], p[..., 1]) > .5
        w = torch.where(hidden, w.clamp_max(WEIGHT_HIDDEN), w)
        w = w * self._in_frame(p[..., 0], p[..., 1], frame)
        q = self._to_crop(crop, p)
        inside = (q[..., 0] >= 0) & (q[..., 0] <= W - 1) & (q[..., 1] >= 0) & (q[..., 1] <= H - 1)
        kps = torch.cat([q, (w * inside)[..., None]], -1)
        kps = torch.where((crop['mirror'] < 0)[:, None, None], kps[:, self.flip], kps)
        return kps, kps[..., 2] == 0

    # ------------------------------------------------------------------------------------------------------- painter's rows
    def _scenes(self, store, rec, people, shapes, frame, crop, n):
        own = dict(record=rec['ids'], place=torch.tensor([1., 0, 0, 1], device=self.device).expand(n, 4), gain=self._gain(n, .15, .04),
                   on=torch.ones(n, device=self.device))
        part = lambda k: {name: v[:, k] for name, v in shapes.items()}
        poor = self.pick(n, QUALITY).float() / 2                # 0 clean, .5 ordinary, 1 poor
        ground = self._view(store, n)
        scene = (store.bright[rec['ids']] + store.back_mean[ground['image']].mean(1)) / 2
        exposure = ((GREY / scene.clamp_min(.02)) ** METERED).clamp(.7, 2.)
        return pack(dict(
            people, own=own, to_sprite=self._to_sprite(crop), unit=crop['unit'], frame=frame.clamp(-1e4, 1e4),
            ground=ground, second=self._view(store, n), split=self._split(n), cloth=self._view(store, n),
            shadow=self.u(n, hi=.6) * self.some(n, .35), folds=self.u(n, hi=.8) * self.sign(n) * self.some(n, .25),
            shape0=part(0), shape1=part(1), shape2=part(2), **self._light(n, poor, exposure), **self._camera(n, poor)))

    def _gain(self, n, std=.2, tint=.04):
        """Light of one layer [n, 3]."""
        return torch.exp(self.g(n, 1, std=std) + self.g(n, 3, std=tint))

    def _view(self, store, n):
        """A random view of a random background, in other colours."""
        W, H = self.size
        image = torch.randint(len(store.back), (n,), device=self.device)
        side = store.back.shape[1]
        zoom = torch.exp(self.u(n, lo=-1.1, hi=.8)) * side / max(W, H) * .7
        angle = self.g(n, std=.15)
        i, j, cos, sin = zoom * self.sign(n), zoom, angle.cos(), angle.sin()
        xi, xj, yi, yj = i * cos, -j * sin, i * sin, j * cos
        x0 = self.u(n, lo=.1, hi=.9) * side - xi * (W - 1) / 2 - xj * (H - 1) / 2
        y0 = self.u(n, lo=.1, hi=.9) * side - yi * (W - 1) / 2 - yj * (H - 1) / 2
        contrast = torch.exp(self.g(n, mean=-.1, std=.3)).clamp(.3, 1.8)[:, None]
        matrix = self._hues(n, .2) * (contrast * self._gain(n, .25, .05))[:, None].transpose(1, 2)
        mean = store.back_mean[image][..., None]
        offset = (self._gain(n, .0, .0)[..., None] * mean - matrix @ mean)[..., 0] + self.g(n, 1, std=.05)
        return dict(image=image, map=torch.stack([x0, xi, xj, y0, yi, yj], 1), colour=torch.cat([matrix.flatten(1), offset], 1))

    def _hues(self, n, share):
        """Turns of the colour circle for a share, as matrices [n, 3, 3] that leave grey alone."""
        a = torch.where(self.some(n, share), self.u(n, lo=-math.pi, hi=math.pi), torch.zeros(n, device=self.device))
        cos, sin, third = a.cos()[:, None, None], a.sin()[:, None, None], torch.full((3, 3), 1 / 3, device=self.device)
        cross = torch.tensor([[0., -1, 1], [1, 0, -1], [-1, 1, 0]], device=self.device) / math.sqrt(3)
        return cos * torch.eye(3, device=self.device) + (1 - cos) * third + sin * cross

    def _split(self, n):
        """Where the second background begins: nowhere, or beyond a line through the crop, sharp or soft."""
        W, H = self.size
        a, soft = self.u(n, hi=2 * math.pi), torch.exp(self.u(n, lo=-1., hi=3.5)) * H / 256
        i, j = a.cos() / soft, a.sin() / soft
        start = -i * self.u(n, hi=1.) * W - j * self.u(n, hi=1.) * H
        off = ~self.some(n, .5)
        return torch.stack([torch.where(off, -9., start), torch.where(off, 0., i), torch.where(off, 0., j)], 1)

    def _light(self, n, poor, exposure):
        """Exposure, white balance, contrast, saturation, gamma, a gradient of light over the picture, vignetting. poor [n]: 0..1;
        exposure [n]: the camera's."""
        much = (.6 + .6 * poor)
        grey, eye = torch.full((3, 3), 1 / 3, device=self.device), torch.eye(3, device=self.device)
        saturation = torch.where(self.some(n, .05), 0., torch.exp(self.g(n, std=.25)).clamp(.2, 1.7))[:, None, None]
        mix = eye * saturation + grey * (1 - saturation) + self.g(n, 3, 3, std=.03)
        gain = exposure[:, None] * torch.exp((self.g(n, 1, mean=.04, std=.2) + self.g(n, 3, std=.04)) * much[:, None])
        contrast = torch.exp(self.g(n, mean=-.12, std=.2) * much)[:, None]
        matrix = mix * (gain * contrast)[..., None]
        offset = (1 - contrast) * .45 + self.g(n, 1, std=.04) * much[:, None]
        slope = torch.stack([self.g(n, std=.25) * self.some(n, .35), self.g(n, std=.25) * self.some(n, .35)], 1)
        return dict(light=torch.cat([matrix.flatten(1), offset.expand(n, 3)], 1), slope=slope,
                    corners=self.u(n, hi=.25) * self.some(n, .25), gamma=torch.exp(self.g(n, std=.22) * much))

    def _camera(self, n, poor):
        """Pictures of people are mostly small: size of the small picture, blur (out of focus, moved, sharpened), noise, JPEG."""
        W, H = self.size
        base = max(256 / H, 1.)                                 # a low-resolution run already has smaller pictures
        f = (torch.exp(self.g(n, mean=.3, std=.6)) / base).clamp(1., 6 / base)
        w, h = (W / f).round().clamp_min(12), (H / f).round().clamp_min(16)
        blurred, moved = self.some(n, .2) | (poor == 1), self.some(n, .1)
        s = self.u(n, lo=.3, hi=.6) + self.u(n, hi=.9) * (.4 + .6 * poor)
        s1 = torch.where(moved, self.u(n, lo=.8, hi=2.4), s) * blurred / base
        s2 = torch.where(moved, self.u(n, lo=.3, hi=.6), s) * blurred / base
        sharp = self.u(n, lo=.3, hi=1.4) * (blurred & ~moved & self.some(n, .3))
        a, resample = self.u(n, hi=math.pi), self.u(n, lo=.3, hi=.5)
        xx = s1 ** 2 * a.cos() ** 2 + s2 ** 2 * a.sin() ** 2 + (resample * W / w) ** 2
        yy = s1 ** 2 * a.sin() ** 2 + s2 ** 2 * a.cos() ** 2 + (resample * H / h) ** 2
        xy = (s1 ** 2 - s2 ** 2) * a.cos() * a.sin()
        det = xx * yy - xy * xy
        blur, reach = torch.stack([yy / det, -xy / det, xx / det], 1), torch.stack([xx.sqrt(), yy.sqrt()], 1) * 2.3
        corner = torch.minimum((torch.rand(n, 2, device=self.device) * 8).floor(), torch.stack([W - w, H - h], 1))
        noise = self.u(n) ** 2 * (.01 + .025 * poor) * self.some(n, .5)
        quality = self.u(n, lo=20, hi=95) + 25 * (1 - poor)     # not always at a multiple of 8: JPEG's blocks
        jpeg = torch.where(quality < 50, 50 / quality, (2 - quality / 50).clamp_min(.02)) * self.some(n, .5)
        return dict(small=torch.stack([w, h], 1), corner=corner, blur=blur, reach=reach.clamp_min(.75), sharp=sharp, noise=noise,
                    mono=self.some(n, .5), seed=torch.randint(2 ** 31 - 1, (n,), device=self.device), jpeg=jpeg)
