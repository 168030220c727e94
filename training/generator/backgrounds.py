"""Backgrounds like those of photographs: python3 backgrounds.py --out FILE.npy --count N --seed S

Writes uint8 [N, 320, 320, 3] (RGB): rooms, streets, meadows, snow, sea, courts, crowds, walls, lights at night; in
perspective, with natural textures (amplitude falling as 1 / frequency), mostly grey-brown colours, often out of focus.
"""
import argparse
import os

from generate import CACHE                              # first: sets the thread variables before numpy loads

import cv2
import numpy as np

import palette

SIZE = 320
ASSETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'assets')
CROWD = 72                                              # rendered people to put into the distance


def show(c):
    """Linear colour to display values 0 .. 255, as a tuple for OpenCV."""
    return tuple(float(v) for v in 255 * np.clip(np.asarray(c, float), 0, 1) ** (1 / 2.2))


def natural_noise(rng, n, slope):
    """n x n picture of unit variance of which the amplitude falls with frequency ** -slope."""
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(n), np.fft.rfftfreq(n), indexing='ij'))
    f[0, 0] = 1
    spectrum = rng.normal(size=f.shape) + 1j * rng.normal(size=f.shape)
    spectrum *= f ** -slope
    spectrum[0, 0] = 0
    img = np.fft.irfft2(spectrum, (n, n))
    return (img / img.std()).astype(np.float32)


class Painter:
    def __init__(self, seed, people=()):
        self.rng = np.random.RandomState([seed, 77])
        self.noise = [natural_noise(self.rng, 512, s) for s in np.linspace(.6, 1.7, 20)]
        self.people = people
        self.kinds = [self.room, self.room, self.street, self.street, self.meadow, self.snow, self.sea, self.court, self.wall,
                      self.crowd, self.room, self.meadow, self.court, self.clutter, self.kitchen, self.street,
                      self.foliage, self.night]

    # ---------------------------------------------------------------- basics
    def u(self, a, b):
        return self.rng.uniform(a, b)

    def texture(self, colour, strength=None, h=SIZE, w=SIZE, stretch=1., chroma=.15):
        """Natural noise around a display colour, float (h, w, 3)."""
        r = self.rng
        strength = self.u(4, 28) if strength is None else strength
        a, b = self.noise[r.randint(len(self.noise))], self.noise[r.randint(len(self.noise))]
        zoom = self.u(.5, 2.5)

        def view(n):
            sh, sw = max(4, min(int(h / zoom), 512)), max(4, min(int(w / zoom / stretch), 512))
            y, x = r.randint(0, 513 - sh), r.randint(0, 513 - sw)
            return cv2.resize(n[y:y + sh, x:x + sw], (w, h), interpolation=cv2.INTER_LINEAR)

        g = view(a)[..., None] * strength
        tint = view(b)[..., None] * strength * chroma * r.normal(0, 1, 3)
        return np.asarray(colour, np.float32) + g + tint

    def dull(self):
        """A quiet colour."""
        r = self.rng
        return np.array(show(palette.hsv(r.choice([r.normal(.08, .03), r.normal(.58, .05), r.normal(.28, .06), r.rand()], p=[.5, .22, .13, .15]),
                                         r.beta(1.2, 4), r.beta(2, 1.5))))

    def any(self):
        return np.array(show(palette.thing(self.rng) if self.rng.rand() < .75 else palette.hsv(self.rng.rand(), self.u(.4, .95), self.u(.3, 1))))

    def fill(self, img, quad, colour, strength=None, **kw):
        """Textured polygon."""
        mask = np.zeros(img.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(np.asarray(quad)).astype(np.int32)], 255, cv2.LINE_AA)
        x, y, w, h = cv2.boundingRect(np.round(np.asarray(quad)).astype(np.int32))
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, img.shape[1]), min(y + h, img.shape[0])
        if x1 - x0 < 2 or y1 - y0 < 2:
            return
        m = mask[y0:y1, x0:x1, None].astype(np.float32) / 255
        t = self.texture(colour, strength, y1 - y0, x1 - x0, **kw)
        img[y0:y1, x0:x1] = img[y0:y1, x0:x1] * (1 - m) + t * m

    def rect(self, img, x0, y0, x1, y1, colour, strength=None, **kw):
        self.fill(img, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour, strength, **kw)

    def plane(self, img, horizon, colour, pattern=None):
        """Ground below the horizon, with a texture in perspective."""
        n = 512
        t = self.texture(colour, h=n, w=n)
        if pattern is not None:
            pattern(t)
        z = self.u(.05, .25)
        quad = np.float32([[SIZE * (.5 - z * 3), horizon], [SIZE * (.5 + z * 3), horizon], [SIZE * 2.2, SIZE * 1.05], [-SIZE * 1.2, SIZE * 1.05]])
        M = cv2.getPerspectiveTransform(np.float32([[0, 0], [n, 0], [n, n], [0, n]]), quad)
        w = cv2.warpPerspective(t, M, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        y = max(int(horizon), 0)
        img[y:] = w[y:]
        d = np.linspace(1, 0, SIZE - y)[:, None, None] ** 3 * self.u(0, .5)         # haze
        img[y:] = img[y:] * (1 - d) + img[max(y - 1, 0)].mean(0) * d

    def sky(self, img, horizon):
        r = self.rng
        day = r.rand()
        top = np.array(show(palette.hsv(r.normal(.58, .015), self.u(.15, .75), self.u(.5, 1)))) if day < .6 else np.full(3, self.u(130, 250)) + r.normal(0, 5, 3)
        low = top * .4 + np.array([235, 235, 235]) * .6
        y = np.linspace(0, 1, max(int(horizon), 2))[:, None, None]
        img[:len(y)] = top * (1 - y) + low * y
        if r.rand() < .6:
            c = self.texture((0, 0, 0), 1., len(y), SIZE, stretch=2.2, chroma=0)[..., :1]
            c = np.clip(c * self.u(.2, .6) + self.u(-.2, .4), 0, 1)
            img[:len(y)] = img[:len(y)] * (1 - c) + self.u(220, 255) * c

    def trees(self, img, base, height, density=1.):
        r = self.rng
        dark = np.array(show(palette.hsv(r.normal(.27, .04), self.u(.2, .7), self.u(.15, .5))))
        x = -20
        while x < SIZE + 20:
            h, w = height * self.u(.5, 1.3), height * self.u(.25, .7)
            if r.rand() < .5:
                cv2.line(img, (int(x), int(base)), (int(x), int(base - h * .5)), tuple(map(float, dark * .5)), max(1, int(w * .1)))
            for _ in range(int(7 * density)):
                c = np.clip(dark * self.u(.5, 1.5), 0, 255)
                cv2.ellipse(img, (int(x + r.normal(0, w * .3)), int(base - h * self.u(.3, 1))), (max(1, int(w * self.u(.1, .4))), max(1, int(w * self.u(.1, .3)))),
                            r.uniform(0, 180), 0, 360, tuple(map(float, c)), -1)
            x += w * self.u(.4, 1.6) / density
        y0, y1 = int(np.clip(base - height * 1.3, 0, SIZE - 1)), int(np.clip(base, 1, SIZE))
        if y1 > y0 + 2:
            img[y0:y1] += self.texture((0, 0, 0), 14, y1 - y0, SIZE, chroma=.1)

    def stand_people(self, img, horizon, count, size=None):
        """Rendered people in the distance, feet on the ground, blurred with it."""
        for _ in range(count if len(self.people) else 0):
            p = self.people[self.rng.randint(len(self.people))]
            y = self.u(horizon + 8, SIZE * 1.1)
            h = size or np.clip((y - horizon) * self.u(.9, 1.6), 24, 300)
            s = h / p.shape[0]
            q = cv2.resize(p, None, fx=s, fy=s, interpolation=cv2.INTER_AREA)
            x0, y0 = int(self.u(-.2, 1) * SIZE), int(y - q.shape[0])
            a, b, c, d = max(x0, 0), max(y0, 0), min(x0 + q.shape[1], SIZE), min(y0 + q.shape[0], SIZE)
            if c - a > 2 and d - b > 2:
                q = q[b - y0:d - y0, a - x0:c - x0].astype(np.float32)
                m = q[..., 3:] / 255
                img[b:d, a:c] = img[b:d, a:c] * (1 - m) + q[..., :3] * m * self.u(.7, 1.1)

    def windows(self, img, x0, y0, x1, y1, colour):
        r = self.rng
        cols, rows = r.randint(1, 9), r.randint(1, 9)
        glass = np.array(show(palette.hsv(.58, self.u(0, .3), r.choice([.15, .3, .9]))))
        gx, gy = (x1 - x0) / cols, (y1 - y0) / rows
        f = self.u(.12, .4)
        for i in range(cols):
            for j in range(rows):
                c = np.clip(glass * self.u(.6, 1.3), 0, 255)
                cv2.rectangle(img, (int(x0 + gx * (i + f / 2)), int(y0 + gy * (j + f / 2))),
                              (int(x0 + gx * (i + 1 - f / 2)), int(y0 + gy * (j + 1 - f / 2))), tuple(map(float, c)), -1)

    def furniture(self, img, floor, count):
        """Boxes with lit tops and dark gaps: cupboards, tables, cars, crates."""
        r = self.rng
        for _ in range(count):
            w, h = self.u(20, 150), self.u(15, 130)
            x, y = self.u(-40, SIZE), floor + self.u(-10, .4 * (SIZE - floor) + 12)
            c = self.any()
            d = self.u(3, 25)
            self.fill(img, [(x, y - h), (x + d, y - h - d * .6), (x + w + d, y - h - d * .6), (x + w, y - h)], c * 1.15)
            self.fill(img, [(x + w, y - h), (x + w + d, y - h - d * .6), (x + w + d, y - d * .6), (x + w, y)], c * .6)
            self.rect(img, x, y - h, x + w, y, c * .85)
            k = r.randint(4)
            if k == 0:
                for i in range(1, r.randint(2, 6)):
                    cv2.line(img, (int(x), int(y - h * i / 6)), (int(x + w), int(y - h * i / 6)), tuple(map(float, c * .4)), r.randint(1, 3))
            elif k == 1:                                # legs and a gap
                self.rect(img, x + 4, y - h * .75, x + w - 4, y, self.dull() * .5)
            elif k == 2:
                self.shelf(img, x, y - h, x + w, y)
            cv2.line(img, (int(x), int(y)), (int(x + w), int(y)), (20., 18., 16.), r.randint(1, 4))

    def shelf(self, img, x0, y0, x1, y1):
        r = self.rng
        rows = r.randint(1, 5)
        for j in range(rows):
            a, b = y0 + (y1 - y0) * j / rows, y0 + (y1 - y0) * (j + 1) / rows
            cv2.rectangle(img, (int(x0), int(a)), (int(x1), int(b)), tuple(map(float, self.dull() * .4)), -1)
            x = x0
            while x < x1 - 3:
                w = self.u(2, 14)
                cv2.rectangle(img, (int(x), int(b - (b - a) * self.u(.35, .9))), (int(min(x + w, x1)), int(b - 2)), tuple(map(float, self.any())), -1)
                x += w + self.u(0, 5)

    def sign(self, img, horizon):
        r = self.rng
        x, y, w, h = self.u(0, SIZE), self.u(0, horizon), self.u(20, 120), self.u(10, 50)
        cv2.rectangle(img, (int(x), int(y)), (int(x + w), int(y + h)), tuple(map(float, self.any())), -1)
        s = ''.join(chr(r.randint(65, 91)) for _ in range(r.randint(3, 9)))
        # OpenCV 5 writes on 8-bit pictures only.
        ink = np.zeros(img.shape[:2], np.uint8)
        cv2.putText(ink, s, (int(x + 3), int(y + h * .75)), int(r.randint(0, 5)), h / 40, 255, int(r.randint(1, 4)), cv2.LINE_AA)
        cover = ink[..., None].astype(np.float32) / 255
        img += cover * (np.float32(self.any()) - img)

    # ---------------------------------------------------------------- scenes
    def room(self, img):
        r = self.rng
        wall, floor = self.dull() * .5 + 95 * r.uniform(.3, 1.1), self.u(.55, 1.) * SIZE
        self.rect(img, 0, 0, SIZE, SIZE, wall, self.u(1, 8))
        corner = r.choice([-1, self.u(30, SIZE - 30)])
        if corner > 0:                                  # side wall, ceiling
            s = r.choice([0, SIZE])
            self.fill(img, [(corner, 0), (s, -60), (s, SIZE), (corner, floor)], wall * self.u(.6, .95), self.u(1, 8))
        tiles = r.rand() < .4

        def boards(t):
            step = r.randint(16, 90)
            for i in range(0, 512, step):
                cv2.line(t, (i, 0), (i, 511), tuple(map(float, t[0, i] * .7)), 2)
                if tiles:
                    cv2.line(t, (0, i), (511, i), tuple(map(float, t[0, i] * .7)), 2)
        self.plane(img, floor, self.dull(), boards)
        for _ in range(r.randint(0, 4)):
            x, y, w, h = self.u(-30, SIZE), self.u(-20, floor * .6), self.u(25, 120), self.u(25, 130)
            k = r.randint(5)
            if k == 0:                                  # window
                self.rect(img, x - 4, y - 4, x + w + 4, y + h + 4, np.full(3, 210.))
                self.rect(img, x, y, x + w, y + h, np.array([225, 235, 245.]) * self.u(.5, 1.05), self.u(5, 30))
                cv2.line(img, (int(x + w / 2), int(y)), (int(x + w / 2), int(y + h)), (200., 200., 200.), 3)
            elif k == 1:                                # picture
                self.rect(img, x - 3, y - 3, x + w * .6 + 3, y + h * .6 + 3, self.any())
                self.rect(img, x, y, x + w * .6, y + h * .6, self.any(), 40)
            elif k == 2:                                # curtain
                base = self.any()
                for i in range(int(w)):
                    c = base * (.75 + .25 * np.sin(i * self.u(.3, .34) + x))
                    cv2.line(img, (int(x + i), int(y)), (int(x + i), int(floor)), tuple(map(float, c)), 1)
            elif k == 3:
                self.shelf(img, x, y, x + w, y + h)
            else:                                       # door
                self.rect(img, x, floor - 190, x + 70, floor, self.any(), 5)
        self.furniture(img, floor, r.randint(0, 5))
        if r.rand() < .25:
            self.stand_people(img, floor * .7, r.randint(1, 4))
        x, y = self.u(0, SIZE), self.u(-50, 100)        # a lamp's falloff
        yy, xx = np.mgrid[:SIZE, :SIZE].astype(np.float32)
        img *= (self.u(.55, .95) + .5 * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * self.u(80, 250) ** 2)))[..., None]

    def kitchen(self, img):
        r = self.rng
        self.rect(img, 0, 0, SIZE, SIZE, self.dull() * .3 + 150, 5)
        y, c = self.u(110, 220), self.any()
        self.rect(img, 0, y, SIZE, SIZE, c, 6)
        self.rect(img, 0, y - 8, SIZE, y + 4, self.dull(), 6)
        self.rect(img, 0, -5, SIZE, self.u(20, 70), c * .95, 6)
        for x in range(-20, SIZE, r.randint(40, 90)):
            cv2.line(img, (x, int(y)), (x, SIZE), tuple(map(float, c * .55)), 2)
        self.shelf(img, 0, y - self.u(20, 60), SIZE, y - 8)
        if r.rand() < .5:
            self.rect(img, *(lambda x: (x, y - 100, x + 80, SIZE))(self.u(0, 240)), np.full(3, self.u(40, 230)), 5)

    def street(self, img):
        r = self.rng
        h = self.u(.3, .75) * SIZE
        self.sky(img, h)
        vx = self.u(0, SIZE)
        for side in (0, 1):                             # fronts running to the vanishing point
            for _ in range(r.randint(0, 4)):
                x0 = r.choice([-40, SIZE + 40]) if side else self.u(-60, SIZE)
                x1 = x0 + self.u(.3, .9) * (vx - x0)
                top0 = h - self.u(60, 400)
                top1 = h + (top0 - h) * abs((x1 - vx) / ((x0 - vx) or 1))
                bottom0, bottom1 = h + 40 * abs(x0 - vx) / SIZE, h + 40 * abs(x1 - vx) / SIZE
                c = self.dull()
                self.fill(img, [(x0, top0), (x1, top1), (x1, bottom1), (x0, bottom0)], c)
                a, b = sorted((x0, x1))
                if b - a > 20:
                    self.windows(img, a + 5, min(top0, top1) + abs(top0 - top1) * .6 + 5, b - 5, h - self.u(5, 30), c)
        if r.rand() < .5:
            self.trees(img, h + 6, self.u(20, 120), .6)

        def marks(t):
            if r.rand() < .6:
                x = r.randint(100, 400)
                for y in range(0, 512, 60):
                    cv2.line(t, (x, y), (x, y + r.randint(30, 60)), (225., 225., 215.), r.randint(3, 9))
            if r.rand() < .5:
                x = r.randint(0, 300)
                cv2.rectangle(t, (x, 0), (x + 130, 511), tuple(map(float, self.dull())), -1)
        self.plane(img, h, np.full(3, self.u(60, 170)) + r.normal(0, 6, 3), marks)
        for _ in range(r.randint(0, 4)):
            self.car(img, self.u(-40, SIZE), h + self.u(2, 60))
        self.stand_people(img, h, r.randint(0, 5))
        for _ in range(r.randint(0, 3)):
            self.sign(img, h)
        if r.rand() < .4:
            x, c = self.u(0, SIZE), np.full(3, self.u(20, 140))
            cv2.line(img, (int(x), 0), (int(x), int(h + 40)), tuple(map(float, c)), r.randint(2, 9))

    def car(self, img, x, y):
        c, s = self.any(), self.u(.5, 1.8)
        dark = (22., 24., 28.)
        self.rect(img, x, y - 26 * s, x + 95 * s, y - 6 * s, c, 8)
        self.fill(img, [(x + 18 * s, y - 26 * s), (x + 32 * s, y - 44 * s), (x + 70 * s, y - 44 * s), (x + 84 * s, y - 26 * s)], c * .9, 6)
        self.fill(img, [(x + 24 * s, y - 27 * s), (x + 35 * s, y - 41 * s), (x + 67 * s, y - 41 * s), (x + 78 * s, y - 27 * s)], np.array([60, 70, 80.]), 15)
        for q in (20, 75):
            cv2.circle(img, (int(x + q * s), int(y - 7 * s)), int(9 * s), dark, -1, cv2.LINE_AA)
        cv2.line(img, (int(x), int(y)), (int(x + 95 * s), int(y)), dark, max(1, int(3 * s)))

    def meadow(self, img):
        r = self.rng
        h = self.u(.05, .7) * SIZE
        self.sky(img, h)
        if r.rand() < .8:
            self.trees(img, h + 5, self.u(15, 150), self.u(.6, 1.3))
        grass = show(palette.hsv(r.normal(.23, .03), self.u(.3, .75), self.u(.3, .75)))
        dirt = show(palette.hsv(.08, self.u(.2, .5), self.u(.4, .8)))

        def patches(t):
            if r.rand() < .4:
                m = np.clip(self.texture((0, 0, 0), 1.2, 512, 512, chroma=0)[..., :1] + self.u(-.5, .6), 0, 1)
                t[:] = t * (1 - m) + (np.array(dirt) + r.normal(0, 8, t.shape)) * m
            if r.rand() < .3:
                cv2.line(t, (r.randint(512), 0), (r.randint(512), 511), (235., 235., 230.), r.randint(3, 9))
        self.plane(img, h, grass if r.rand() < .8 else dirt, patches)
        if r.rand() < .25:                              # fence
            y, c = h + self.u(0, 60), np.full(3, self.u(40, 230))
            for x in range(r.randint(40), SIZE, r.randint(8, 50)):
                cv2.line(img, (x, int(y - 30)), (x, int(y)), tuple(map(float, c)), r.randint(1, 4))
            for q in (0, 14, 28):
                cv2.line(img, (0, int(y - q)), (SIZE, int(y - q)), tuple(map(float, c)), r.randint(1, 4))
        self.stand_people(img, h, r.randint(0, 4))

    def snow(self, img):
        r = self.rng
        h = self.u(-.1, .6) * SIZE
        if h > 5:
            self.sky(img, h)
            if r.rand() < .5:
                pts = [(-10, h)] + [(x, h - self.u(5, 110)) for x in range(0, SIZE + 40, r.randint(25, 80))] + [(SIZE + 10, h)]
                self.fill(img, pts, np.array([190, 200, 215.]) * self.u(.5, 1.1), 25)
            if r.rand() < .6:
                self.trees(img, h + 4, self.u(15, 100), self.u(.4, 1.1))
        white = np.array([232, 238, 246.]) * self.u(.72, 1.05)
        y = max(int(h), 0)
        img[y:] = self.texture(white, self.u(3, 16), SIZE - y, SIZE, stretch=2.5, chroma=.05)
        for _ in range(r.randint(0, 8)):                # tracks
            a = (self.u(-50, SIZE + 50), self.u(y, SIZE))
            b = (a[0] + r.normal(0, 160), a[1] + r.normal(0, 60))
            cv2.line(img, tuple(map(int, a)), tuple(map(int, b)), tuple(map(float, white * self.u(.85, .95))), r.randint(1, 5), cv2.LINE_AA)
        self.stand_people(img, h, r.randint(0, 3))

    def sea(self, img):
        r = self.rng
        h = self.u(-.15, .6) * SIZE
        if h > 3:
            self.sky(img, h)
        water = np.array(show(palette.hsv(r.normal(.53, .04), self.u(.15, .65), self.u(.3, .8))))
        y = max(int(h), 0)
        img[y:] = self.texture(water, self.u(8, 26), SIZE - y, SIZE, stretch=self.u(2, 6), chroma=.1)
        for _ in range(r.randint(0, 5)):                # foam
            m = np.zeros((SIZE, SIZE), np.float32)
            q = self.u(y, SIZE)
            pts = np.array([(x, q + r.normal(0, 7)) for x in range(-10, SIZE + 30, 24)], np.int32)
            cv2.polylines(m, [pts], False, 1., int(self.u(3, 40)))
            m = cv2.GaussianBlur(m, (0, 0), self.u(1, 5))
            m = np.clip(m * (self.texture((0, 0, 0), .7, chroma=0)[..., 0] + self.u(.3, 1)), 0, 1)[..., None]
            m[:y] = 0
            img[:] = img * (1 - m) + np.array([238, 243, 245.]) * m
        if r.rand() < .45:
            s = self.u(max(h + 30, 80), SIZE)
            sand = np.array(show(palette.hsv(.1, self.u(.15, .45), self.u(.5, .95))))
            self.fill(img, [(0, s + self.u(-30, 30)), (SIZE, s + self.u(-30, 30)), (SIZE, SIZE), (0, SIZE)], sand, self.u(5, 20))
        self.stand_people(img, h, r.randint(0, 3))

    def court(self, img):
        r = self.rng
        h = self.u(.0, .6) * SIZE
        self.rect(img, 0, 0, SIZE, SIZE, self.dull() * .6, 10)
        if r.rand() < .5 and len(self.people):          # stands
            self.stand_people(img, -20, r.randint(10, 40), size=self.u(25, 70))
        elif r.rand() < .6:
            c = self.any()
            self.rect(img, 0, h - self.u(20, 140), SIZE, h, c, 6)
            for _ in range(r.randint(0, 3)):
                self.sign(img, h)
        if r.rand() < .3:
            c = np.full(3, self.u(40, 150))
            for x in range(-SIZE, SIZE * 2, r.randint(7, 14)):
                cv2.line(img, (x, 0), (x + int(h), int(h)), tuple(map(float, c)), 1)
                cv2.line(img, (x, 0), (x - int(h), int(h)), tuple(map(float, c)), 1)
        colour = show(palette.hsv(r.choice([.33, .58, .04, .08, .28]), self.u(.25, .65), self.u(.35, .8)))

        def lines(t):
            for _ in range(r.randint(1, 6)):
                x, w = r.randint(20, 490), r.randint(3, 9)
                if r.rand() < .5:
                    cv2.line(t, (x, 0), (x, 511), (235., 235., 230.), w)
                else:
                    cv2.line(t, (0, x), (511, x), (235., 235., 230.), w)
            if r.rand() < .3:
                x = r.randint(0, 400)
                cv2.rectangle(t, (x, -5), (x + 200, 520), tuple(map(float, self.any())), -1)
        self.plane(img, h, colour, lines)
        if r.rand() < .35:                              # net
            y = self.u(h, SIZE * .9)
            for x in range(0, SIZE, 6):
                cv2.line(img, (x, int(y)), (x, int(y + 40)), (50., 50., 50.), 1)
            for q in range(0, 40, 6):
                cv2.line(img, (0, int(y + q)), (SIZE, int(y + q)), (50., 50., 50.), 1)
            cv2.line(img, (0, int(y)), (SIZE, int(y)), (230., 230., 230.), 4)
        self.stand_people(img, h, r.randint(0, 4))

    def wall(self, img):
        r = self.rng
        c = self.dull()
        self.rect(img, 0, 0, SIZE, SIZE, c, self.u(3, 20))
        k = r.randint(4)
        if k == 0:                                      # bricks, tiles, planks
            sx, sy, shade = r.randint(14, 70), r.randint(8, 40), c * self.u(.5, .85)
            for j, y in enumerate(range(0, SIZE, sy)):
                cv2.line(img, (0, y), (SIZE, y), tuple(map(float, shade)), r.randint(1, 3))
                for x in range(-(j % 2) * sx // 2, SIZE, sx):
                    cv2.line(img, (x, y), (x, y + sy), tuple(map(float, shade)), 1)
        elif k == 1:
            self.windows(img, self.u(-100, 50), self.u(-100, 50), self.u(250, 450), self.u(250, 450), c)
        elif k == 2:
            for _ in range(r.randint(1, 6)):
                self.sign(img, SIZE)
        self.furniture(img, self.u(200, 330), r.randint(0, 3))

    def crowd(self, img):
        r = self.rng
        self.rect(img, 0, 0, SIZE, SIZE, self.dull(), 15)
        if r.rand() < .5:
            self.street(img)
        h = self.u(-120, 120)
        for _ in range(2):
            self.stand_people(img, h, r.randint(6, 16), size=self.u(90, 340) if r.rand() < .6 else None)

    def night(self, img):
        r = self.rng
        self.rect(img, 0, 0, SIZE, SIZE, self.dull() * .12, 6)
        for _ in range(r.randint(5, 60)):               # lights out of focus
            c = np.array(show(palette.hsv(r.choice([.08, .12, .6, .95, .35]), self.u(.1, .8), 1))) * self.u(.3, 1)
            cv2.circle(img, (r.randint(SIZE), r.randint(SIZE)), r.randint(1, 16), tuple(map(float, c)), -1, cv2.LINE_AA)
        if r.rand() < .5:
            self.furniture(img, self.u(150, 300), r.randint(1, 4))
            img *= self.u(.3, .7)

    def clutter(self, img):
        """Close-up things, nothing in particular."""
        r = self.rng
        self.rect(img, 0, 0, SIZE, SIZE, self.dull(), 25)
        for _ in range(r.randint(6, 30)):
            c, x, y, s = self.any(), self.u(0, SIZE), self.u(0, SIZE), self.u(8, 90)
            k = r.randint(4)
            if k == 0:
                self.fill(img, np.array([x, y]) + r.normal(0, s * .6, (r.randint(3, 6), 2)), c)
            elif k == 1:
                cv2.ellipse(img, (int(x), int(y)), (int(s), int(s * self.u(.2, 1))), self.u(0, 180), 0, 360, tuple(map(float, c)), -1, cv2.LINE_AA)
            elif k == 2:
                box = cv2.boxPoints(((x, y), (s, s * self.u(.3, 2)), self.u(0, 90)))
                self.fill(img, box, c, 8)
            else:
                pts = np.cumsum(r.normal(0, s * .6, (r.randint(2, 6), 2)), 0) + (x, y)
                cv2.polylines(img, [pts.astype(np.int32)], False, tuple(map(float, c)), r.randint(2, 22), cv2.LINE_AA)

    def foliage(self, img):
        self.rect(img, 0, 0, SIZE, SIZE, np.array(show(palette.hsv(.27, self.u(.2, .6), self.u(.3, .75)))), 30)
        for base in np.linspace(100, 380, self.rng.randint(2, 6)):
            self.trees(img, base, self.u(50, 160), self.u(.7, 1.6))

    # ------------------------------------------------------------------ whole
    def paint(self):
        r = self.rng
        img = np.zeros((SIZE, SIZE, 3), np.float32)
        self.kinds[r.randint(len(self.kinds))](img)
        img = np.clip(img, 0, 255)
        q = r.rand()
        if q < .7:
            img = cv2.GaussianBlur(img, (0, 0), np.exp(r.uniform(np.log(.4), np.log(6))))
        grey = img.mean(2, keepdims=True)
        img = grey + (img - grey) * r.uniform(.5, 1.05)
        img = img * np.exp(r.normal(0, .22)) * np.exp(r.normal(0, .05, 3)).astype(np.float32)
        img += r.normal(0, self.u(.5, 6), img.shape[:2] + (1,)).astype(np.float32)
        if r.rand() < .5:
            img = img[:, ::-1]
        return np.clip(img, 0, 255).astype(np.uint8)


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
            x0, y0, x1, y1 = (r.box + .5).astype(int)
            out.append(np.ascontiguousarray(r.rgba[y0:y1, x0:x1]))
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
