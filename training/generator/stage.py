"""What all places have: colours for materials, things with their shadows, rows of things, people far off."""
import numpy as np

from canvas import S, paste, shade, tinted

LARGE = 'turned', 'carton', 'pot_plant', 'tube', 'chair', 'soft', 'figure'
VIEWS = 12                                              # finished pictures kept: they show in windows, frames and screens


class Stage:
    def __init__(self, rng, materials, clutter, people):
        self.rng, self.m, self.c, self.people = rng, materials, clutter, people
        self.views = []

    def u(self, a, b):
        return self.rng.uniform(a, b)

    def sure(self, p):
        return self.rng.rand() < p

    def remember(self, img):
        self.views.append(img)
        del self.views[:-VIEWS]

    def view(self):
        """An earlier picture, or print."""
        if self.views and self.sure(.8):
            v = self.views[self.rng.randint(len(self.views))]
            n = self.rng.randint(90, len(v))
            y, x = self.rng.randint(0, len(v) - n, 2)
            return v[y:y + n, x:x + n]
        return self.m.part('page', 'anything')

    def paint_of(self, tile, keep=.5):
        return tinted(tile, self.m.dull() * .7 + self.u(10, 70), keep)

    def stand_people(self, img, horizon, count, size=None):
        """Rendered people in the distance, feet on the ground, blurred with it."""
        for _ in range(count if len(self.people) else 0):
            p = self.people[self.rng.randint(len(self.people))]
            y = self.u(horizon + 12, S * 1.1)
            h = size or np.clip((y - horizon) * self.u(.9, 1.6), 36, 450)
            x = self.u(-.1, 1.1) * S
            shade(img, x, y, h * .3, h * .06, self.u(.2, .7))
            paste(img, p, x, y, h, gain=self.gain(.05))

    def put(self, img, cut, x, y, h, lift=0., **kw):
        """A thing with its shadow where it touches."""
        w = h * cut.shape[1] / cut.shape[0]
        shade(img, x, y + 1, w * .75 + 2, max(h * .12, 3), self.u(.35, .75))
        paste(img, cut, x, y - lift, h, gain=self.gain(), flip=self.sure(.5), **kw)

    def gain(self, hue=.07):
        """Light and a shift of colour for a thing, so that those kept look different each time."""
        return np.exp(self.u(-.45, .12) + self.rng.normal(0, hue, 3))

    def litter(self, img, h, most, high):
        """A few things on the ground beyond the horizon h, larger when they are nearer."""
        for y in np.sort(self.rng.uniform(h + 8, S, self.rng.randint(0, most))):
            self.put(img, self.c(*LARGE), self.u(0, S), y, 16 + (y - h) * self.u(.2, high))

    def row(self, img, x0, x1, y, high, density=1.):
        """Small things side by side, partly behind each other."""
        x = x0 + self.u(0, 6)
        while x < x1:
            cut = self.c.small()
            h = high * np.exp(self.rng.normal(-.5, .4))
            self.put(img, cut, x, y + self.u(-.05, .12) * high, min(h, high * 1.5))
            x += h * self.u(.25, .9) / density
