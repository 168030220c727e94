"""Streets, markets, parks, woods, beaches, snow, sports grounds."""
import cv2
import numpy as np

from canvas import S, across, box, display, lit, paste, ramp, shade, tinted, triple, uint8, warp
from stage import Stage


class Outdoors(Stage):
    def sky(self, img, horizon):
        r, h = self.rng, int(np.clip(horizon + 2, 2, S))
        blue, grey = display(r.normal(.58, .015), self.u(.15, .7), self.u(.5, 1)), np.full(3, self.u(130, 250)) + r.normal(0, 5, 3)
        top = blue if self.sure(.55) else grey
        low = top * .4 + np.array([235, 233, 228]) * .6
        y = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
        sky = np.broadcast_to(top * (1 - y) + low * y, (h, S, 3))
        if self.sure(.65):
            c = np.clip(self.m.noise(h, S, self.u(1, 3), self.u(1.2, 3), True) * self.u(.2, .7) + self.u(-.2, .4), 0, 1)[..., None]
            grey = np.clip(self.m.noise(h, S, 2, 2, True) * 18 + self.u(205, 250), 0, 255)[..., None]
            sky = sky * (1 - c) + grey * c
        img[:h] = uint8(sky)

    def ridge(self, img, base, height, colour, tile=None):
        """A chain of hills or mountains, rough at all scales."""
        x = np.cumsum(self.m.noise(1, S + 2, 1, .4)[0])
        x = x - np.linspace(x[0], x[-1], len(x))
        y = base - height * np.clip(.55 + .35 * x / (np.abs(x).max() + 1e-3) + .1 * self.m.noise(1, S + 2, 1)[0] * .3, .05, 1.5)
        mask = (np.arange(S)[:, None] > y[None, :S]) & (np.arange(S)[:, None] < base + 3)
        top = max(int(y.min()), 0)
        stop = int(np.clip(base + 3, top, S))
        if stop - top < 3:
            return
        if tile is None:
            part = self.m.noise(stop - top, S, 1)[..., None] * 14 + np.asarray(colour)
        else:
            part = cv2.resize(tile, (S, stop - top)) * .6 + np.asarray(colour) * .4
        np.copyto(img[top:stop], uint8(part), where=mask[top:stop, :, None])

    def plane(self, img, horizon, tile):
        """Ground below the horizon in perspective: fine far off, coarse before the camera."""
        y, half, end = int(np.clip(horizon, -200, S - 10)), S * self.u(.3, .8), S + 10
        spread, shift = half * self.u(1, 4), self.u(-1, 1) * S * .6
        small = cv2.resize(tile, (256, 256), interpolation=cv2.INTER_AREA)
        small = np.concatenate([small, small[:, ::-1]], 1)

        def part(a, b):
            """Corners of the ground between two shares of the way from the horizon to the camera."""
            top, bottom = y + (end - y) * a, y + (end - y) * b
            return across(S / 2 + shift * a, top, half + spread * a, bottom, half + spread * b, shift * (b - a))
        box(img, tile, 0, y, S, S)
        warp(img, np.concatenate([tile, tile[:, ::-1]], 1), part(.2, 1))
        warp(img, np.concatenate([small, small[::-1]], 0), part(0, .24))
        ramp(img, 0, y, S, S, self.u(.85, 1.25), self.u(.6, 1.1))
        if self.sure(.5):                               # shadows of trees and houses
            for _ in range(self.rng.randint(1, 7)):
                shade(img, self.u(0, S), self.u(y, S), self.u(60, 300), self.u(8, 60), self.u(.2, .6))

    def growth(self, img, base, height, count, *kinds):
        for x in self.rng.uniform(-40, S + 40, count):
            h = height * np.exp(self.rng.normal(0, .3))
            shade(img, x, base, h * .4, h * .08 + 3, .5)
            paste(img, self.c(*kinds), x, base + self.u(0, .06) * h, h, gain=self.gain(.06), flip=self.sure(.5))

    def hedge(self, img, base, height):
        """A far wall of leaves with an uneven top."""
        tile = cv2.resize(self.m('foliage'), (256, 256), interpolation=cv2.INTER_AREA)
        tile = np.concatenate([tile, tile[:, ::-1]], 1)
        self.ridge(img, base, height, (20, 28, 18), tile)
        shade(img, S / 2, base, S, height * .25, .5)

    def house_row(self, img, h):
        """Fronts that run towards the vanishing point on both sides, or stand across."""
        vx = self.u(-100, S + 100)
        for _ in range(self.rng.randint(1, 4)):
            x = self.u(-100, 300)
            box(img, self.m.part('facade', least=.4), x, h - self.u(60, 330), x + self.u(80, 420), h + 4)
        for edge in (-60, S + 60):
            if self.sure(.75):
                x, far = edge, self.u(.3, .95)
                tall = self.u(.8, 3)
                for _ in range(self.rng.randint(1, 4)):
                    x1 = x + far * (vx - x) * self.u(.3, .9)
                    up = lambda v: tall * abs(v - vx) * self.u(.97, 1.03)
                    down = lambda v: .22 * abs(v - vx)
                    quad = [(x, h - up(x)), (x1, h - up(x1)), (x1, h + down(x1)), (x, h + down(x))]
                    tile = lit(self.m.part('facade', 'facade', 'facade', 'bricks'), self.u(.45, 1.1))
                    warp(img, tile, quad if x < x1 else [quad[1], quad[0], quad[3], quad[2]])
                    x = x1

    def shop_front(self, img, y0, y1):
        x = self.u(-80, 0)
        while x < S:
            w = self.u(80, 220)
            box(img, lit(self.view(), self.u(.25, .8), self.u(0, 40)), x, y0, x + w - 8, y1)
            if self.sure(.7):
                self.row(img, x, x + w, y1, (y1 - y0) * .5, .5)
            if self.sure(.4):
                box(img, self.m('slats'), x, y0 - 14, x + w, y0 + 14)
            if self.sure(.6):
                paste(img, self.c('sign'), x + w / 2, y0 + 6, self.u(18, 40))
            cv2.line(img, (int(x + w - 4), int(y0)), (int(x + w - 4), int(y1)), triple(self.m.dull()), 8)
            x += w

    def poles(self, img, h):
        for _ in range(self.rng.randint(0, 4)):
            x, c, w = int(self.u(0, S)), self.m.dull() * .6, self.rng.randint(2, 14)
            y = int(h + self.u(5, 90))
            cv2.line(img, (x, int(h - self.u(90, 500))), (x, y), triple(c), w)
            cv2.line(img, (x - w // 3, 0), (x - w // 3, y), triple(c * 1.4 + 20), max(w // 4, 1))
        for _ in range(self.rng.randint(0, 4) if self.sure(.4) else 0):
            a, b, sag = self.u(-20, h * .7), self.u(-20, h * .7), self.u(5, 60)
            t = np.linspace(0, 1, 24)
            p = np.stack([t * S, a + (b - a) * t + sag * 4 * t * (1 - t)], 1)
            cv2.polylines(img, [p.astype(np.int32)], False, (30, 30, 34), 1, cv2.LINE_AA)

    def fence(self, img, y, high):
        c, step, w = self.m.dull(), self.u(6, 60), self.rng.randint(1, 6)
        lean = high * .5 if self.sure(.2) else 0
        for x in np.arange(-40, S + 40, step):
            cv2.line(img, (int(x), int(y)), (int(x + lean), int(y - high)), triple(c * self.u(.7, 1.2)), w)
            if lean:
                cv2.line(img, (int(x + lean), int(y)), (int(x), int(y - high)), triple(c * .8), w)
        for k in np.linspace(0, 1, self.rng.randint(2, 5)):
            cv2.line(img, (0, int(y - high * k)), (S, int(y - high * k)), triple(c), max(w, 2))

    def street(self, img):
        r, h = self.rng, self.u(.3, .7) * S
        self.sky(img, h)
        if self.sure(.75):
            self.house_row(img, h)
        if self.sure(.4):
            self.hedge(img, h + 4, self.u(30, 160))
        self.plane(img, h, self.paint_of(self.m('asphalt', 'asphalt', 'tiles', 'rubble', 'gravel', 'bricks'), .4))
        for _ in range(r.randint(0, 3)):                # kerbs, lines, stripes
            x, vx, w, c = self.u(-300, S + 300), self.u(0, S), self.u(3, 40), triple(np.full(3, self.u(60, 235)))
            cv2.fillConvexPoly(img, np.int32([(vx, h), (vx + w * .1, h), (x + w, S), (x - w, S)]), c, cv2.LINE_AA)
        if self.sure(.3):
            self.shop_front(img, h - self.u(20, 90), h + self.u(20, 60))
        self.growth(img, h + self.u(0, 14), self.u(80, 330), r.randint(0, 4), 'tree', 'tree', 'bare', 'fir')
        for y in np.sort(h + np.abs(r.normal(0, 45, r.randint(0, 7)))):
            x, s = self.u(-40, S + 40), 40 + (y - h) * 1.1
            shade(img, x, y + 6, s * 1.2, s * .25 + 2, .7)
            paste(img, self.c('car'), x, y + 6, s, gain=self.gain(), flip=self.sure(.5))
        self.poles(img, h)
        for _ in range(r.randint(0, 4)):
            paste(img, self.c('sign'), self.u(0, S), self.u(h - 200, h), self.u(15, 60))
        if self.sure(.3):
            self.fence(img, h + self.u(10, 120), self.u(30, 120))
        self.litter(img, h, 7, .7)
        self.stand_people(img, h, r.randint(0, 5))

    def market(self, img):
        """Stalls with awnings and heaps of goods."""
        h = self.u(150, 260)
        self.sky(img, h)
        self.house_row(img, h)
        self.plane(img, h, self.m('asphalt', 'tiles', 'rubble'))
        self.stand_people(img, h, self.rng.randint(0, 4))
        for y in np.sort(self.rng.uniform(h + 30, S, self.rng.randint(2, 5))):
            x, w, s = self.u(0, 400), self.u(160, 400), (y - h) / 200 + .4
            box(img, self.paint_of(self.m('slats', 'folds'), .9), x - w / 2, y - 190 * s, x + w / 2, y - 150 * s)
            for e in (-.48, .48):
                cv2.line(img, (int(x + e * w), int(y - 160 * s)), (int(x + e * w), int(y)), (70., 68., 66.), 4)
            if self.sure(.6):
                self.shelf(img, x - w / 2, y - 140 * s, x + w / 2, y - 60 * s)
            for k in range(3):
                heap = self.paint_of(self.m.part('gravel', 'goods', 'anything', 'rubble', least=.2), .9)
                warp(img, heap, across(x + (k - 1) * w / 3, y - 75 * s, w * .15, y - 35 * s, w / 6))
            box(img, self.paint_of(self.m('folds', 'wood', 'slats')), x - w / 2, y - 35 * s, x + w / 2, y)
            shade(img, x, y, w * .6, 20, .6)
            self.row(img, x - w / 2, x + w / 2, y - 60 * s, 50 * s, .5)

    def park(self, img):
        r, h = self.rng, self.u(.0, .65) * S
        self.sky(img, h)
        if self.sure(.3):
            self.ridge(img, h, self.u(30, 200), display(self.u(.5, .62), self.u(.05, .3), self.u(.4, .8)))
        if self.sure(.25):
            x = self.u(-50, 300)
            box(img, self.m.part('facade', least=.5), x, h - self.u(40, 160), x + self.u(90, 350), h + 4)
        if self.sure(.7):
            self.hedge(img, h + 5, self.u(20, 220))
        ground = self.m('grass', 'grass', 'grass', 'sand', 'gravel', 'foliage')
        self.plane(img, h, ground if self.sure(.6) else self.paint_of(ground, .8))
        if self.sure(.35):                              # a path, a patch of earth
            x, vx, w = self.u(-200, S + 200), self.u(0, S), self.u(30, 200)
            warp(img, self.m('sand', 'gravel', 'asphalt', 'rubble'), [(vx, h + 3), (vx + w * .15, h + 3), (x + w, S + 5), (x - w, S + 5)])
        for _ in range(r.randint(0, 3)):
            self.growth(img, h + self.u(0, 80), self.u(60, 420), r.randint(1, 4), 'tree', 'tree', 'tree', 'bare', 'fir')
        if self.sure(.3):
            self.fence(img, h + self.u(0, 120), self.u(25, 110))
        self.litter(img, h, 5, .6)
        self.stand_people(img, h, r.randint(0, 4))

    def wood(self, img):
        """Among trees: leaves all over, stems before them, light in spots."""
        box(img, self.m.part('foliage', 'foliage', 'grass', least=.4), 0, 0, S, S)
        if self.sure(.6):
            ramp(img, 0, 0, S, S, self.u(.7, 1.5), self.u(.3, 1))
        for y in np.sort(self.rng.uniform(150, 520, self.rng.randint(1, 6))):
            self.growth(img, y, self.u(150, 520), self.rng.randint(1, 4), 'tree', 'bare', 'fir', 'tree')
        for _ in range(self.rng.randint(0, 4)):         # stems near by
            x, w = self.u(0, S), self.u(8, 60)
            bark = self.paint_of(self.m('wood').transpose(1, 0, 2), .4)
            quad = [(x - w / 2, -5), (x + w / 2, -5), (x + w * .6 + self.u(-30, 30), S), (x - w * .6 + self.u(-30, 30), S)]
            warp(img, uint8(bark * np.linspace(.3, 1.2, 512)[None, :, None]), quad)
        if self.sure(.5):
            self.plane(img, self.u(280, 420), self.m('grass', 'gravel', 'foliage', 'sand'))
        self.stand_people(img, 150, self.rng.randint(0, 2))

    def beach(self, img):
        r, h = self.rng, self.u(-.15, .6) * S
        self.sky(img, h)
        if h > 20 and self.sure(.5):
            self.ridge(img, h + 2, self.u(10, 110), display(self.u(.3, .62), self.u(.05, .4), self.u(.3, .75)))
        water = self.m('water')
        self.plane(img, h, water)
        for _ in range(r.randint(0, 6)):                # surf
            q, m = self.u(max(h, 0), S), np.zeros((S, S), np.uint8)
            p = np.stack([np.linspace(-10, S + 10, 20), q + r.normal(0, 6, 20)], 1)
            cv2.polylines(m, [p.astype(np.int32)], False, 255, int(self.u(4, 50)))
            a = cv2.blur(m, (9, 9)).astype(np.float32) / 255 * np.clip(self.m.noise(S, S, .8, 2) * .7 + self.u(.2, .9), 0, 1)
            img[:] = uint8(img * (1 - a[..., None]) + np.float32([238, 243, 245]) * a[..., None])
        for _ in range(r.randint(0, 4) if h > 20 else 0):    # boats
            x, s = self.u(0, S), self.u(8, 60)
            cv2.fillConvexPoly(img, np.int32(across(x, h, s, h + s * .35, s * .75)), triple(self.m.any()), cv2.LINE_AA)
            if self.sure(.6):
                sail = np.int32([(x, h - s * 1.8), (x + s * .8, h - 2), (x, h - 2)])
                cv2.fillConvexPoly(img, sail, triple(np.full(3, self.u(150, 250))), cv2.LINE_AA)
        if self.sure(.5):
            s = self.u(max(h + 40, 150), S)
            a, b = s + self.u(-40, 40), s + self.u(-40, 40)
            warp(img, self.m('sand', 'sand', 'gravel', 'rubble'), [(-40, a), (S + 40, b), (S + 300, S + 100), (-300, S + 100)])
            self.litter(img, s, 12, .8)
        self.stand_people(img, h, r.randint(0, 3))

    def snow(self, img):
        r, h = self.rng, self.u(-.1, .6) * S
        self.sky(img, h)
        for k in range(r.randint(0, 3) if h > 10 else 0):
            light = np.array([190, 200, 215.]) * self.u(.5, 1.1)
            self.ridge(img, h, self.u(20, 200) / (k + 1), light, self.m('gravel', 'snowfield', 'foliage'))
        if h > 10 and self.sure(.6):
            self.growth(img, h + 6, self.u(30, 200), r.randint(3, 14), 'fir', 'bare', 'fir')
        self.plane(img, h, self.m('snowfield'))
        for _ in range(r.randint(0, 10)):               # tracks
            way = np.cumsum(r.normal(0, 3, (24, 2)), 0) + r.normal(0, 18, 2)
            p = (np.cumsum(way * [1, .35], 0) + [self.u(0, S), self.u(max(h, 0), S)]).astype(np.int32)
            p[:, 1] = np.maximum(p[:, 1], h)
            cv2.polylines(img, [p], False, triple(np.array([170, 182, 205]) * self.u(.8, 1.1)), r.randint(1, 6), cv2.LINE_AA)
            cv2.polylines(img, [p + [0, 3]], False, (236, 240, 246), 1, cv2.LINE_AA)
        if self.sure(.5):
            self.growth(img, self.u(h, S), self.u(80, 400), r.randint(1, 4), 'fir', 'bare', 'tree')
        if self.sure(.3):
            self.fence(img, self.u(h + 20, S), self.u(20, 120))
        self.stand_people(img, h, r.randint(0, 3))

    def court(self, img):
        """Sports: stands, boards with names, nets, lines."""
        r, h = self.rng, self.u(.1, .6) * S
        k = r.randint(4)
        around = self.m.part(*(('crowd', 'crowd', 'seats') if k < 2 else ('slats', 'bricks', 'plaster', 'foliage')))
        box(img, around, 0, -5, S, h + 5)
        if k == 2:
            self.stand_people(img, -20, r.randint(10, 30), size=self.u(40, 110))
        if self.sure(.6):                               # boards
            y, high = h - self.u(0, 10), self.u(15, 60)
            box(img, self.paint_of(self.m('plaster'), .3), 0, y - high, S, y)
            for x in range(0, S, 110):
                paste(img, self.c('sign'), x + self.u(0, 90), y - 2, high * .9)
        if self.sure(.35):
            self.fence(img, h, self.u(80, 250))
        ground = self.m('grass', 'planks', 'asphalt', 'sand', 'plaster', 'grass')
        colour = display(r.choice([.33, .3, .58, .04, .08, .08]), self.u(.2, .6), self.u(.35, .8))
        self.plane(img, h, tinted(ground, colour, self.u(.3, .8)))
        for _ in range(r.randint(1, 6)):
            c, w = triple(np.full(3, self.u(190, 245))), r.randint(2, 9)
            a, b = (self.u(-300, S + 300), self.u(h, S)), (self.u(-300, S + 300), self.u(h, S))
            if self.sure(.5):
                b = (b[0], a[1] + r.normal(0, 14))
            cv2.line(img, tuple(map(int, a)), tuple(map(int, b)), c, w, cv2.LINE_AA)
        if self.sure(.35):
            self.fence(img, self.u(h + 30, S), self.u(50, 110))
        self.litter(img, h, 5, .5)
        self.stand_people(img, h, r.randint(0, 4))
