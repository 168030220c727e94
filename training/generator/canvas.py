"""Painting on uint8 RGB pictures: natural noise, materials warped into place, cut-outs with shadows, heaps of shapes."""
import cv2
import numpy as np

import palette

S = 480                                                 # side of the picture while it is painted; it is made smaller at the end
TILE = 512                                              # side of a material
CORNERS = np.float32([[0, 0], [1, 0], [1, 1], [0, 1]])
TURN, TURN_OF_MANY = (np.linspace(0, 2 * np.pi, n, endpoint=False) for n in (16, 8))     # with the corners of boxes
BLOB = np.exp(-np.square(np.mgrid[-1:1:64j, -1:1:64j]).sum(0) * 3.2).astype(np.float32)
BLOB *= np.clip(1.2 - np.hypot(*np.mgrid[-1:1:64j, -1:1:64j]), 0, .3).astype(np.float32) / .3
NIGHT = np.zeros((S, S, 3), np.uint8)


def show(c):
    """Linear colour to display values 0 .. 255."""
    return 255 * np.minimum(np.maximum(c, 0), 1) ** (1 / 2.2)


def display(h, s, v):
    """Display values 0 .. 255 of hue, saturation and value."""
    return show(palette.hsv(h, s, v))


def triple(c):
    """A colour as OpenCV takes it."""
    return tuple(min(max(float(v), 0.), 255.) for v in c)


def natural_noise(rng, n, slope):
    """n x n picture of unit variance of which the amplitude falls with frequency ** -slope; it can be repeated."""
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(n), np.fft.rfftfreq(n), indexing='ij'))
    f[0, 0] = 1
    spectrum = rng.normal(size=f.shape) + 1j * rng.normal(size=f.shape)
    spectrum *= f ** -slope
    spectrum[0, 0] = 0
    img = np.fft.irfft2(spectrum, (n, n))
    return (img / img.std()).astype(np.float32)


class Noise:
    """Views of a stock of natural noise."""

    def __init__(self, rng):
        self.rng = rng
        self.fine = [natural_noise(rng, TILE, s) for s in np.linspace(.5, 1.1, 8)]
        self.soft = [natural_noise(rng, TILE, s) for s in np.linspace(1.3, 2., 6)]

    def __call__(self, h, w, zoom=1., stretch=1., soft=False):
        """Float (h, w); zoom > 1 makes it coarser, stretch > 1 wider."""
        r, stock = self.rng, self.soft if soft else self.fine
        n = stock[r.randint(len(stock))]
        sh, sw = int(np.clip(h / zoom, 3, TILE)), int(np.clip(w / zoom / stretch, 3, TILE))
        y, x = r.randint(0, TILE + 1 - sh), r.randint(0, TILE + 1 - sw)
        return cv2.resize(n[y:y + sh, x:x + sw], (w, h), interpolation=cv2.INTER_LINEAR)


class Heap:
    """Convex shapes drawn over each other by number, coloured at the end all at once: thousands of them are cheap."""

    def __init__(self, h=TILE, w=TILE):
        self.ids, self.count = np.zeros((h, w), np.uint16), 1
        self.colours, self.places = [np.zeros((1, 3), np.float32)], [np.zeros((1, 2), np.float32)]

    def add(self, x, y, a, b, angle, colours, power=1.):
        """Superellipses with half axes a, b: power 1 ellipses, .2 boxes, 1.8 leaves with two points. Numbers or arrays [n]."""
        n = len(colours)
        x, y, a, b, angle = (np.broadcast_to(v, n)[:, None] for v in (x, y, a, b, angle))
        turn = TURN if n < 700 else TURN_OF_MANY
        c, s = np.cos(turn), np.sin(turn)
        px = a * np.sign(c) * np.abs(c) ** np.reshape(power, (-1, 1))
        py = b * np.sign(s) * np.abs(s) ** np.reshape(power, (-1, 1))
        ca, sa = np.cos(angle), np.sin(angle)
        points = np.stack([px * ca - py * sa + x, px * sa + py * ca + y], 2)
        self.polygons(points, colours)

    def polygons(self, points, colours):
        """points [n, k, 2], colours [n, 3]; the later ones lie on top."""
        for k, p in enumerate(np.round(points * 8).astype(np.int32), self.count):
            cv2.fillConvexPoly(self.ids, p, k, cv2.LINE_8, 3)
        self.count += len(points)
        self.colours.append(np.asarray(colours, np.float32))
        self.places.append(points.mean(1).astype(np.float32))

    def picture(self, rng, ground, slope=.0, shadow=.45, cast=3):
        """uint8 picture: `ground` (h, w, 3) where there is nothing; each shape with its own gradient of light (`slope` per
        100 pixels), shapes on top throw a shadow downwards on those below."""
        ids, colours = self.ids, np.concatenate(self.colours)
        img = colours[ids]
        np.copyto(img, ground, where=(ids == 0)[..., None])
        light = np.ones(ids.shape, np.float32)
        if slope:
            at, g = np.concatenate(self.places), rng.normal(0, slope / 100, (self.count, 2)).astype(np.float32)
            g[0] = 0
            shift = 1 - (at * g).sum(1)
            light = shift[ids] + g[:, 1][ids] * np.arange(ids.shape[0], dtype=np.float32)[:, None] + g[:, 0][ids] * \
                np.arange(ids.shape[1], dtype=np.float32)
        if shadow:
            over = np.zeros(ids.shape, np.uint8)
            d = rng.randint(-cast, cast + 1)
            over[cast:, cast:-cast] = (ids[:-cast, cast - d:ids.shape[1] - cast - d] > ids[cast:, cast:-cast]) * np.uint8(255)
            over = cv2.blur(over, (2 * cast - 1,) * 2)
            light = light * (1 - over * np.float32(shadow / 255))
        return img * np.clip(light, .15, 1.9)[..., None]


def across(x, y0, half0, y1, half1, shift=0.):
    """Corners of what stands upright or lies on the ground: half as wide as `half0` at the top y0, `half1` at the bottom y1."""
    return [(x - half0, y0), (x + half0, y0), (x + shift + half1, y1), (x + shift - half1, y1)]


def uint8(img):
    return cv2.add(np.asarray(img, np.float32), 0., dtype=cv2.CV_8U)


def lit(tile, gain, lift=0.):
    """A uint8 picture brighter or darker."""
    return cv2.convertScaleAbs(tile, alpha=gain, beta=lift)


def area(img, x0, y0, x1, y1):
    """The part of these bounds that lies in the picture, as whole numbers; None if there is nothing."""
    a, b, c, d = max(int(x0), 0), max(int(y0), 0), min(int(np.ceil(x1)), img.shape[1]), min(int(np.ceil(y1)), img.shape[0])
    return (a, b, c, d) if c - a > 1 and d - b > 1 else None


def warp(img, tile, quad):
    """A picture onto a quadrangle (corners from top left, clockwise)."""
    quad = np.float32(quad)
    box = area(img, *quad.min(0), *quad.max(0))
    if box is None:
        return
    x0, y0, x1, y1 = box
    h, w = tile.shape[:2]
    M = cv2.getPerspectiveTransform(CORNERS * np.float32([w - 1, h - 1]), quad - np.float32([x0, y0]))
    out = np.ascontiguousarray(img[y0:y1, x0:x1])
    cv2.warpPerspective(tile, M, (x1 - x0, y1 - y0), dst=out, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
    img[y0:y1, x0:x1] = out


def box(img, tile, x0, y0, x1, y1):
    """A picture onto an upright rectangle."""
    at = area(img, x0, y0, x1, y1)
    if at is None or x1 - x0 > 4000 or y1 - y0 > 4000:
        return
    a, b, c, d = at
    fx, fy = tile.shape[1] / (x1 - x0), tile.shape[0] / (y1 - y0)
    u0, u1 = int((a - x0) * fx), int(np.ceil((c - x0) * fx))
    v0, v1 = int((b - y0) * fy), int(np.ceil((d - y0) * fy))
    seen = tile[max(v0, 0):max(v1, v0 + 1), max(u0, 0):max(u1, u0 + 1)]
    cv2.resize(seen, (c - a, d - b), dst=img[b:d, a:c], interpolation=cv2.INTER_AREA if fx * fy > 1.2 else cv2.INTER_LINEAR)


def paste(img, cut, x, y, h, w=None, gain=(1., 1., 1.), flip=False):
    """A cut-out (RGBA) of height h, its foot's middle at (x, y); gain per channel."""
    w = w or h * cut.shape[1] / cut.shape[0]
    at = area(img, x - w / 2, y - h, x + w / 2, y)
    if at is None or h > 1500 or w > 1500:
        return
    a, b, c, d = at
    q = cv2.resize(cut, (max(int(w) + 1, 2), max(int(h) + 1, 2)), interpolation=cv2.INTER_AREA)
    if flip:
        q = cv2.flip(q, 1)
    left, top = int(x - w / 2), int(y - h)
    q = q[max(b - top, 0):, max(a - left, 0):]
    d, c = min(d, b + q.shape[0]), min(c, a + q.shape[1])
    q = cv2.multiply(q[:d - b, :c - a], (*gain, 1.))
    m = q[..., 3] * np.float32(1 / 255)
    img[b:d, a:c] = cv2.blendLinear(img[b:d, a:c], cv2.cvtColor(q, cv2.COLOR_RGBA2RGB), 1 - m, m)


def shade(img, x, y, rx, ry, strength):
    """Soft round shadow (strength > 0) or light (< 0)."""
    at = area(img, x - rx, y - ry, x + rx, y + ry)
    if at is None or rx > 2000 or ry > 2000:
        return
    a, b, c, d = at
    xs, ys = (np.arange(a, c) - x) * (31.5 / rx) + 31.5, (np.arange(b, d) - y) * (31.5 / ry) + 31.5
    blob = BLOB[np.clip(ys, 0, 63).astype(int)][:, np.clip(xs, 0, 63).astype(int)]
    if strength > 0:
        m = blob * np.float32(strength)
        img[b:d, a:c] = cv2.blendLinear(img[b:d, a:c], NIGHT[b:d, a:c], 1 - m, m)
    else:
        img[b:d, a:c] = uint8(img[b:d, a:c] * (1 - np.float32(strength) * blob)[..., None])


def ramp(img, x0, y0, x1, y1, first, last, across=False):
    """Light that changes evenly from top to bottom, or from left to right."""
    at = area(img, x0, y0, x1, y1)
    if at is None:
        return
    a, b, c, d = at
    g = np.linspace(first, last, c - a if across else d - b, dtype=np.float32)
    g = g[None, :, None] if across else g[:, None, None]
    img[b:d, a:c] = uint8(img[b:d, a:c] * g)


def tinted(tile, colour, keep=.35):
    """A material in another colour, of its own colours `keep` as much."""
    mean = tile[::8, ::8].mean((0, 1)) + 2
    gain = np.asarray(colour) / mean
    M = np.diag(gain * keep) + (1 - keep) * np.outer(gain * mean, [1 / 3] * 3) / mean.mean()
    return cv2.transform(tile, M.astype(np.float32))
