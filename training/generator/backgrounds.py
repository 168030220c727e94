"""Backgrounds like those of photographs: python3 backgrounds.py --out FILE.npy --count N --seed S

Writes uint8 [N, 320, 320, 3] (RGB): `places.py` paints the scenes from `materials.py` and `clutter.py`; here they get their light
and go through a camera. The power of photographs falls about as 1 / frequency ** 2, and so should theirs.
"""
import argparse
import os

from generate import CACHE                              # first: sets the thread variables before numpy loads

import cv2
import numpy as np

from canvas import S, uint8
from clutter import Clutter
from materials import Materials
from places import Places

SIZE = 320
ASSETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'assets')
CROWD = 40                                              # rendered people to put into the distance
CUT = .15                                               # of a picture's side may show that neighbours go on beyond it
PLACES = dict(room=5, kitchen=2, desk=2, shop=1, street=4, market=1, park=3, wood=1, beach=2, snow=1.5, court=3, wall=1.5, crowd=1,
              stand=.7, night=1, heap=1.5, leaves=1)    # how often, in shares


class Painter:
    def __init__(self, seed, people=()):
        self.rng = np.random.RandomState([seed, 77])
        self.materials = Materials(self.rng)
        self.place = Places(self.rng, self.materials, Clutter(self.rng, self.materials), people)
        self.grain = cv2.GaussianBlur(self.rng.normal(0, 1.4, (2 * SIZE, 2 * SIZE, 1)).astype(np.float32), (0, 0), .5)[..., None]
        self.names, self.limits = list(PLACES), np.cumsum(list(PLACES.values())) / sum(PLACES.values())

    def paint(self, name=None):
        img = np.full((S, S, 3), 128, np.uint8)
        name = name or self.names[int(np.searchsorted(self.limits, self.rng.rand()))]
        getattr(self.place, name)(img)
        img = cv2.resize(img, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        self.place.remember(img)
        img = self.camera(self.light(img.astype(np.float32)))
        return img[:, ::-1] if self.rng.rand() < .5 else img

    def light(self, img):
        """Uneven light, one colour of it over the whole picture, corners that get less."""
        r = self.rng
        n, keep = SIZE // 2, r.uniform(.55, 1.1)
        soft = self.materials.noise(n, n, 1.2, 1, True) * r.uniform(0, .15)
        if r.rand() < .35:                              # one side is brighter
            x = np.linspace(-1, 1, n, dtype=np.float32)
            dark = r.uniform(0, .25)
            soft = soft + (x * r.normal(0, .25) - x * x * dark) + (x * r.normal(0, .25) - x * x * dark)[:, None]
        if r.rand() < .2:                               # sun through leaves or blinds
            spots = self.materials.noise(n, n, r.uniform(.4, 1.2), r.uniform(.6, 3), True)
            soft = soft + (np.clip(spots * r.uniform(1, 6) + r.normal(0, .8), -1, 1) - .3) * r.uniform(.1, .4)
        warm = r.normal(0, .09)
        tint = np.exp(r.normal(.06, .2) + np.array([warm, 0, -warm]) + r.normal(0, .03, 3)).astype(np.float32)
        colour = (np.eye(3) * keep + (1 - keep) / 3) * tint[:, None]
        return cv2.transform(img, colour) * cv2.resize(np.exp(soft), (SIZE, SIZE))[..., None]

    def camera(self, img):
        """Focus, contrast, noise."""
        r = self.rng
        q = r.rand()
        if q < .34:
            img = cv2.GaussianBlur(img, (0, 0), np.exp(r.uniform(np.log(.35), np.log(.8 if q < .18 else 5))))
        elif q < .42:                                   # the far upper part out of focus
            far = np.linspace(1, 0, SIZE, dtype=np.float32)[:, None, None] ** r.uniform(.5, 2)
            img = img * (1 - far) + cv2.GaussianBlur(img, (0, 0), r.uniform(1, 4)) * far
        elif q < .78:                                   # sharpened, as telephones do
            k = r.uniform(.2, 1)
            img = cv2.addWeighted(img, 1 + k, cv2.GaussianBlur(img, (0, 0), r.uniform(.6, 1.2)), -k, 0)
        flat = r.uniform(.72, 1.04)                     # haze, stray light
        img = img * flat + img.mean() * (1 - flat)
        y, x = r.randint(0, len(self.grain) - SIZE, 2)
        img += self.grain[y:y + SIZE, x:x + SIZE] * r.uniform(.5, 6)
        return uint8(img)


def distant_people(assets, cache, seed):
    """RGBA pictures of whole people for the distance; empty where there are no assets."""
    if not os.path.exists(os.path.join(assets, 'base.obj.gz')):
        return []
    from scene import Generator
    g = Generator(assets, cache, [seed, 5])
    out = []
    while len(out) < CROWD:
        r = g.record()
        if np.isinf(r.frame).all() and r.kind == 0:
            alpha = r.rgba[..., 3]
            if max((side > 0).mean() for side in (alpha[:, 0], alpha[:, -1], alpha[0], alpha[-1])) < CUT:
                x, y, w, h = cv2.boundingRect(alpha)
                out.append(np.ascontiguousarray(r.rgba[y:y + h, x:x + w]))
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--out', required=True)
    ap.add_argument('--count', type=int, default=1000)
    ap.add_argument('--seed', type=int, default=0)
    ap.add_argument('--assets', default=ASSETS)
    ap.add_argument('--cache', default=CACHE)
    o = ap.parse_args()
    cv2.setNumThreads(1)
    painter = Painter(o.seed, distant_people(o.assets, o.cache, o.seed))
    np.save(o.out, np.stack([painter.paint() for _ in range(o.count)]))


if __name__ == '__main__':
    main()
