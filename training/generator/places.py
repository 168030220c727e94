"""Where snapshots are taken: rooms, kitchens, desks, shops, halls; streets, parks, woods, beaches, snow, stadiums, nights."""
import cv2
import numpy as np

from canvas import S, box, display, lit, paste, ramp, shade, tinted, triple, uint8, warp

VIEWS = 12                                              # finished pictures kept: they show in windows, frames and screens


class Place:
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

    def row(self, img, x0, x1, y, high, density=1.):
        """Small things side by side, partly behind each other."""
        x = x0 + self.u(0, 6)
        while x < x1:
            cut = self.c.small()
            h = high * np.exp(self.rng.normal(-.5, .4))
            self.put(img, cut, x, y + self.u(-.05, .12) * high, min(h, high * 1.5))
            x += h * self.u(.25, .9) / density

    # ------------------------------------------------------------------ rooms
    def room_shell(self, img):
        """Walls, ceiling and floor in perspective; the back wall's bounds."""
        r = self.rng
        x0, x1 = sorted((self.u(-300, 180), self.u(290, 800)))
        y0, y1 = self.u(-350, 60), self.u(240, 470)
        cx, cy, far = (x0 + x1) / 2 + self.u(-60, 60), self.u(100, 260), self.u(2.2, 4)
        out = lambda x, y: (cx + (x - cx) * far, cy + (y - cy) * far)
        wall = self.paint_of(self.m.part('plaster', 'plaster', 'plaster', 'ornament', 'tiles', 'planks', 'bricks'), self.u(.2, .9))
        floor = self.m.part('planks', 'tiles', 'wood', 'ornament', 'plaster', 'asphalt')
        warp(img, self.paint_of(self.m.part('plaster', 'planks', 'tiles')), [out(x0, y0), out(x1, y0), (x1, y0), (x0, y0)])
        warp(img, floor, [(x0, y1), (x1, y1), out(x1, y1), out(x0, y1)])
        box(img, wall, x0, y0, x1, y1)
        for quad, light in (([out(x0, y0), (x0, y0), (x0, y1), out(x0, y1)], self.u(.5, 1.1)), ([(x1, y0), out(x1, y0), out(x1, y1), (x1, y1)], self.u(.5, 1.1))):
            warp(img, lit(wall, light), quad)
        for x in (x0, x1):                              # corners are darker
            shade(img, x, (y0 + y1) / 2, 70, y1 - y0, self.u(.1, .4))
        shade(img, (x0 + x1) / 2, y1, (x1 - x0) * .8, 40, self.u(.1, .5))
        cv2.rectangle(img, (int(x0), int(y1 - self.u(4, 14))), (int(x1), int(y1)), triple(self.m.dull() * .6 + 60), -1)
        if self.sure(.35):                              # a carpet
            a, b = self.u(y1, y1 + 40), self.u(y1 + 60, S + 120)
            left, right = self.u(-100, 200), self.u(250, 600)
            warp(img, self.m('ornament', 'crumpled', 'anything'), [(left, a), (right, a), (right + 90, b), (left - 90, b)])
        return x0, y0, x1, y1

    def window(self, img, x, y, w, h, floor):
        """Frame, bright outside, curtains at its sides, light below."""
        box(img, self.paint_of(self.m('plaster')), x - 9, y - 9, x + w + 9, y + h + 12)
        self.frame_view(img, x, y, w, h, self.u(.7, 2.2), self.u(0, 110))
        bar, c = int(self.u(2, 8)), triple(np.full(3, self.u(60, 245)))
        for i in range(1, self.rng.randint(1, 4)):
            cv2.line(img, (int(x + w * i / 3), int(y)), (int(x + w * i / 3), int(y + h)), c, bar)
        if self.sure(.5):
            cv2.line(img, (int(x), int(y + h * .4)), (int(x + w), int(y + h * .4)), c, bar)
        if self.sure(.3):
            tile = self.m('slats')
            box(img, lit(tile, .5, 110), x, y, x + w, y + h * self.u(.2, 1))
        if self.sure(.7):
            cloth = self.paint_of(self.m('folds'), .6)
            reach = floor if self.sure(.6) else y + h + 15
            a = self.u(.15, .45) * w
            box(img, cloth, x - a, y - 18, x + a * .5, reach)
            box(img, cloth[:, ::-1], x + w - a * .5, y - 18, x + w + a, reach)
        shade(img, x + w / 2, y + h / 2, w * 1.6, h * 1.4, -self.u(0, .4))
        if self.sure(.5):
            self.row(img, x, x + w, y + h + 8, h * .3, .6)

    def frame_view(self, img, x, y, w, h, gain=1., lift=0.):
        box(img, lit(self.view(), gain, lift), x, y, x + w, y + h)

    def picture(self, img, x, y, w, h):
        shade(img, x + w / 2 + 6, y + h / 2 + 10, w * .8, h * .8, .5)
        box(img, uint8(np.full((8, 8, 3), self.m.any())), x - 6, y - 6, x + w + 6, y + h + 6)
        if self.sure(.4):
            box(img, np.full((8, 8, 3), int(self.u(190, 250)), np.uint8), x, y, x + w, y + h)
            x, y, w, h = x + w * .15, y + h * .15, w * .7, h * .7
        self.frame_view(img, x, y, w, h)

    def shelf(self, img, x0, y0, x1, y1):
        """Boards with books and goods far off, or with single things."""
        shade(img, (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) * .8, (y1 - y0) * .8, .4)
        if self.sure(.6):
            box(img, self.m.part('books', 'goods', least=.25), x0, y0, x1, y1)
            ramp(img, x0, y0, x1, y1, self.u(.8, 1.2), self.u(.6, 1))
            return
        back = self.paint_of(self.m('wood', 'plaster'))
        box(img, lit(back, self.u(.3, 1)), x0, y0, x1, y1)
        n = max(1, int((y1 - y0) / self.u(50, 110)))
        for k in range(n):
            y = y0 + (y1 - y0) * (k + 1) / n
            ramp(img, x0, y - (y1 - y0) / n, x1, y, .5, 1.1)
            self.row(img, x0 + 8, x1 - 8, y - 3, (y1 - y0) / n * .75)
            box(img, back, x0 - 3, y - 5, x1 + 3, y + 3)

    def door(self, img, x, floor, w, h):
        box(img, self.paint_of(self.m('plaster')), x - 8, floor - h - 8, x + w + 8, floor)
        box(img, self.paint_of(self.m('wood', 'plaster')).transpose(1, 0, 2), x, floor - h, x + w, floor)
        if self.sure(.3):                               # open
            self.frame_view(img, x, floor - h, w * self.u(.3, 1), h, self.u(.4, 1.3))
        else:
            for a, b in ((.08, .45), (.53, .92)):
                p, q = (int(x + w * .15), int(floor - h * (1 - a))), (int(x + w * .85), int(floor - h * (1 - b)))
                cv2.rectangle(img, p, q, triple(np.full(3, self.u(40, 120))), 1)
                cv2.rectangle(img, (p[0] + 2, p[1] + 2), (q[0] + 2, q[1] + 2), triple(np.full(3, self.u(130, 230))), 1)
        cv2.circle(img, (int(x + w * .9), int(floor - h * .48)), 4, triple(np.full(3, self.u(50, 220))), -1)

    def cupboards(self, img, x0, y0, x1, y1, stuff):
        """Doors and drawers with gaps, handles and a shadow below."""
        box(img, stuff, x0, y0, x1, y1)
        step, mean = self.u(45, 130), stuff[::8, ::8].mean((0, 1))
        dark, edge = triple(mean * .35), triple(mean * 1.25)
        metal = triple(np.full(3, self.u(20, 230)))
        for x in np.arange(x0 + self.u(0, step), x1, step):
            cv2.line(img, (int(x), int(y0)), (int(x), int(y1)), dark, 2)
            cv2.line(img, (int(x) + 2, int(y0)), (int(x) + 2, int(y1)), edge, 1)
            cv2.line(img, (int(x - 8), int(y0 + 12)), (int(x - 8), int(y0 + 12 + step * .3)), metal, 3)
        if self.sure(.5):
            y = int(y0 + (y1 - y0) * self.u(.2, .4))
            cv2.line(img, (int(x0), y), (int(x1), y), dark, 2)
        ramp(img, x0, y0, x1, y1, self.u(.9, 1.2), self.u(.5, .9))

    def table(self, img, x, y, w, h, depth):
        """A table top seen from above, legs, and what stands on it."""
        top, c = self.paint_of(self.m.part('wood', 'planks', 'plaster', 'folds', 'ornament'), .7), self.m.any()
        shade(img, x, y + h, w * .7, h * .5, .5)
        for dx in (-.46, .46, -.38, .38):
            cv2.line(img, (int(x + w * dx), int(y)), (int(x + w * dx * .98), int(y + h)), triple(c * self.u(.4, .9)), max(3, int(w * .03)))
        warp(img, top, [(x - w * .42, y - depth), (x + w * .42, y - depth), (x + w * .52, y), (x - w * .52, y)])
        box(img, lit(top, .55), x - w * .52, y, x + w * .52, y + max(4, w * .03))
        for k in range(self.rng.randint(2, 14)):
            f = (k + .5) / 12
            if self.sure(.25):                          # something flat
                a, b = x + self.u(-.4, .35) * w, y - depth * self.u(.1, .9)
                warp(img, self.m.part('page', 'anything'), [(a, b), (a + w * .12, b), (a + w * .15, b + depth * .25), (a - w * .02, b + depth * .25)])
            else:
                self.put(img, self.c.small(), x + self.u(-.42, .42) * w, y - depth * max(.05, .9 - f), min(w * self.u(.1, .3), 130))

    def sofa(self, img, x, y, w, h):
        cloth = self.paint_of(self.m('crumpled', 'folds', 'ornament', 'plaster'), .5)
        shade(img, x, y, w * .7, h * .3, .7)
        box(img, cloth, x - w / 2, y - h, x + w / 2, y)
        ramp(img, x - w / 2, y - h, x + w / 2, y - h * .45, 1.15, .7)
        ramp(img, x - w / 2, y - h * .45, x + w / 2, y, 1.2, .5)
        for sign in (-1, 1):
            box(img, lit(cloth[:, :200], .85), x + sign * w * .45 - w * .07, y - h * .7, x + sign * w * .45 + w * .07, y)
            ramp(img, x + sign * w * .45 - w * .07, y - h * .7, x + sign * w * .45 + w * .07, y, self.u(.6, 1.2), self.u(.5, 1.1), True)
        for _ in range(self.rng.randint(0, 5)):
            self.put(img, self.c('soft'), x + self.u(-.4, .4) * w, y - h * .4, h * self.u(.35, .7))

    def bed(self, img, x, y, w, h):
        warp(img, self.paint_of(self.m('crumpled', 'ornament'), .5), [(x - w * .4, y - h), (x + w * .4, y - h), (x + w * .6, y), (x - w * .6, y)])
        box(img, self.paint_of(self.m('folds')), x - w * .6, y, x + w * .6, y + h * .4)
        for _ in range(self.rng.randint(1, 5)):
            self.put(img, self.c('soft'), x + self.u(-.4, .4) * w, y - h * self.u(.5, 1), h * self.u(.4, .8))

    def lamp(self, img):
        x, y = self.u(0, S), self.u(0, 200)
        cv2.line(img, (int(x), 0), (int(x), int(y)), (30., 30., 30.), 2)
        paste(img, self.c('turned'), x, y + 40, self.u(30, 90))
        shade(img, x, y + 20, self.u(60, 250), self.u(60, 200), -self.u(.2, 1))

    def furnish(self, img, x0, floor, x1):
        """Things before the back wall, the near ones last."""
        for k in range(self.rng.randint(3, 9)):
            x, y = self.u(-40, S + 40), floor + (S + 60 - floor) * (k / 8 + self.u(0, .12))
            s = .55 + .6 * (y - floor) / max(S - floor, 60)
            what = self.rng.randint(9)
            if what < 2:
                self.sofa(img, x, y, self.u(160, 380) * s, self.u(70, 140) * s)
            elif what < 4:
                self.table(img, x, y - 60 * s, self.u(120, 360) * s, self.u(60, 120) * s, self.u(15, 80) * s)
            elif what == 4:
                h, w = self.u(60, 280) * s, self.u(60, 260) * s
                self.cupboards(img, x - w / 2, y - h, x + w / 2, y, self.paint_of(self.m('wood', 'plaster', 'wood')))
                self.row(img, x - w / 2, x + w / 2, y - h + 3, self.u(25, 80) * s)
            elif what == 5:
                self.bed(img, x, y, self.u(200, 400) * s, self.u(70, 140) * s)
            elif what < 8:
                for _ in range(self.rng.randint(1, 4)):
                    self.put(img, self.c('chair', 'pot_plant', 'carton', 'chair', 'tube', 'soft', 'figure'), x + self.rng.normal(0, 70), y, self.u(70, 220) * s)
            else:
                for _ in range(self.rng.randint(3, 14)):
                    self.put(img, self.c.small(), x + self.rng.normal(0, 70), y + self.u(-12, 12), self.u(15, 90) * s)

    def room(self, img):
        r = self.rng
        x0, y0, x1, floor = self.room_shell(img)
        x = max(x0, -60) + self.u(0, 40)
        while x < min(x1, S + 40) - 30:                 # along the back wall
            w, what = self.u(50, 190), r.randint(9)
            top = max(floor - self.u(200, 330), y0 + 20, -60)
            if what < 2:
                self.window(img, x, top, w, (floor - top) * self.u(.4, .9), floor)
            elif what < 4:
                self.picture(img, x, top + self.u(0, 60), w * self.u(.3, .8), self.u(40, 120))
            elif what < 6:
                self.shelf(img, x, top + self.u(0, 100), x + w, floor if self.sure(.6) else top + self.u(110, 180))
            elif what == 6:
                self.door(img, x, floor, self.u(75, 120), self.u(200, 280))
            elif what == 7:
                box(img, self.paint_of(self.m('folds', 'slats', 'tiles'), .6), x, top, x + w, floor)
            if self.sure(.5):
                self.put(img, self.c('pot_plant', 'carton', 'turned', 'chair', 'soft', 'figure'), x + self.u(0, w), floor + 8, self.u(50, 170))
            x += w + self.u(0, 35)
        self.furnish(img, x0, floor, x1)
        if self.sure(.3):
            self.lamp(img)
        if self.sure(.25):
            self.stand_people(img, floor * .7, r.randint(1, 4))

    def kitchen(self, img):
        r = self.rng
        box(img, self.paint_of(self.m.part('tiles', 'plaster', 'bricks', 'tiles', least=.5), .6), 0, 0, S, S)
        work, stuff = self.u(230, 380), self.paint_of(self.m('wood', 'plaster', 'planks'), .5)
        hang = work - self.u(110, 190)
        for _ in range(r.randint(0, 3)):
            self.window(img, self.u(0, 400), hang - 60, self.u(80, 160), self.u(100, 180), work)
        x = -self.u(0, 120)
        while x < S:
            w = self.u(100, 260)
            if self.sure(.7):
                self.cupboards(img, x, -40, x + w, hang, stuff)
                shade(img, x + w / 2, hang + 14, w * .7, 34, .45)
            elif self.sure(.6):
                self.shelf(img, x, hang - 110, x + w, hang)
            x += w + self.u(0, 50)
        self.cupboards(img, -5, work, S + 5, S + 5, stuff if self.sure(.7) else self.paint_of(self.m('wood', 'plaster')))
        box(img, self.paint_of(self.m('wood', 'gravel', 'plaster', 'asphalt'), .5), 0, work - self.u(8, 40), S, work + self.u(4, 12))
        shade(img, S / 2, work + 18, S, 26, .45)
        self.row(img, 0, S, work - 6, self.u(45, 110), self.u(.6, 1.3))
        if self.sure(.5):                               # fridge, oven
            x, w = self.u(-40, 400), self.u(90, 150)
            box(img, self.paint_of(self.m('plaster', 'slats'), .2), x, work - self.u(0, 240), x + w, S)
            ramp(img, x, 0, x + w, S, self.u(.75, 1.1), self.u(.75, 1.1), True)
            for _ in range(r.randint(0, 9)):
                box(img, self.m.part('page', 'anything'), *(lambda a, b, c: (a, b, a + c, b + c * 1.3))(self.u(x, x + w - 20), self.u(work - 200, work + 60), self.u(10, 30)))
        if self.sure(.5):
            self.table(img, self.u(80, 400), self.u(360, 470), self.u(250, 560), 90, self.u(40, 120))

    def desk(self, img):
        box(img, self.paint_of(self.m.part('plaster', 'plaster', 'bricks', 'folds'), .6), 0, 0, S, S)
        for _ in range(self.rng.randint(1, 6)):
            k, x, y = self.rng.randint(4), self.u(-60, 400), self.u(-40, 160)
            if k == 0:
                self.window(img, x, y, self.u(90, 220), self.u(120, 220), S)
            elif k == 1:
                self.shelf(img, x, y, x + self.u(100, 280), y + self.u(60, 180))
            else:
                self.picture(img, x, y, self.u(40, 130), self.u(40, 130))
        for y in np.sort(self.rng.uniform(250, 440, self.rng.randint(1, 3))):
            self.table(img, self.u(120, 360), y, self.u(420, 800), 160, self.u(60, 150))
            for _ in range(self.rng.randint(1, 4)):
                self.put(img, self.c('screen', 'screen', 'carton'), self.u(20, 460), y - self.u(10, 70), self.u(70, 170))
            self.row(img, 0, S, y - self.u(0, 30), self.u(25, 70), .5)

    def shop(self, img):
        """Shelves of goods to both sides of a gangway, or one from the front."""
        x, y = self.u(120, 360), self.u(150, 250)
        box(img, self.m.part('plaster', 'slats', 'tiles'), 0, 0, S, S)
        warp(img, self.m.part('tiles', 'plaster', 'planks', 'asphalt'), [(x - 40, y + 60), (x + 40, y + 60), (S * 1.8, S), (-S * .8, S)])
        if self.sure(.6):
            for sign, edge in ((-1, -40), (1, S + 40)):
                tile = self.m.part('goods', 'goods', 'books', 'anything')
                a, b = x + sign * self.u(30, 60), edge
                quad = [(b, y - 400), (a, y - 60), (a, y + 65), (b, y + 420)]
                warp(img, tile if sign < 0 else tile[:, ::-1], quad if sign < 0 else [quad[1], quad[0], quad[3], quad[2]])
            self.frame_view(img, x - 40, y - 60, 80, 120, self.u(.6, 1.4))
        else:
            self.shelf(img, -10, self.u(-100, 60), S + 10, self.u(330, 500))
        for _ in range(self.rng.randint(0, 5)):
            cv2.rectangle(img, *(lambda a, b: ((a, b), (a + self.rng.randint(40, 200), b + self.rng.randint(3, 12))))(*self.rng.randint(0, (S, 130))), (250., 250., 245.), -1)
        for _ in range(self.rng.randint(0, 5)):
            paste(img, self.c('sign'), self.u(0, S), self.u(30, 260), self.u(15, 60))
        self.furnish(img, 0, self.u(330, 420), S)
        self.stand_people(img, y, self.rng.randint(0, 4))

    # ------------------------------------------------------------------ outdoors
    def sky(self, img, horizon):
        r, h = self.rng, int(np.clip(horizon + 2, 2, S))
        top = display(r.normal(.58, .015), self.u(.15, .7), self.u(.5, 1)) if self.sure(.55) else np.full(3, self.u(130, 250)) + r.normal(0, 5, 3)
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
        part = self.m.noise(stop - top, S, 1)[..., None] * 14 + np.asarray(colour) if tile is None else cv2.resize(tile, (S, stop - top)) * .6 + np.asarray(colour) * .4
        np.copyto(img[top:stop], uint8(part), where=mask[top:stop, :, None])

    def plane(self, img, horizon, tile, near=None):
        """Ground below the horizon in perspective: fine far off, coarse before the camera."""
        y, z = int(np.clip(horizon, -200, S - 10)), self.u(.3, .8)
        quad = [(S * (.5 - z), y), (S * (.5 + z), y), (S * (.5 + z * self.u(2, 5)), S + 10), (S * (.5 - z * self.u(2, 5)), S + 10)]
        half = cv2.resize(tile, (256, 256), interpolation=cv2.INTER_AREA)
        far = np.concatenate([half, half[:, ::-1]], 1)
        a = y + (S - y) * .22
        at = lambda t: [(quad[0][0] + (quad[3][0] - quad[0][0]) * t, y + (S + 10 - y) * t), (quad[1][0] + (quad[2][0] - quad[1][0]) * t, y + (S + 10 - y) * t)]
        box(img, tile, 0, y, S, S)
        warp(img, np.concatenate([tile, cv2.flip(tile, 1)], 1), at(.2) + quad[2:])
        warp(img, np.concatenate([far, far[::-1]], 0), at(0) + at(.24)[::-1])
        ramp(img, 0, y, S, S, self.u(.85, 1.25), self.u(.6, 1.1))
        if self.sure(.5):                               # shadows of trees and houses
            for _ in range(self.rng.randint(1, 7)):
                shade(img, self.u(0, S), self.u(y, S), self.u(60, 300), self.u(8, 60), self.u(.2, .6))
        return a

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
        for _ in range(r.randint(0, 7)):
            y = self.u(h + 8, S)
            self.put(img, self.c('turned', 'carton', 'pot_plant', 'tube', 'chair', 'soft', 'figure'), self.u(0, S), y, 20 + (y - h) * self.u(.2, .7))
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
                warp(img, heap, [(x + (k - 1.4) * w / 3, y - 75 * s), (x + (k - .5) * w / 3, y - 75 * s), (x + (k - .5) * w / 3, y - 35 * s), (x + (k - 1.5) * w / 3, y - 35 * s)])
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
        self.plane(img, h, self.m('grass', 'grass', 'grass', 'sand', 'gravel', 'foliage') if self.sure(.6) else self.paint_of(self.m('grass'), .8))
        if self.sure(.35):                              # a path, a patch of earth
            x, vx, w = self.u(-200, S + 200), self.u(0, S), self.u(30, 200)
            warp(img, self.m('sand', 'gravel', 'asphalt', 'rubble'), [(vx, h + 3), (vx + w * .15, h + 3), (x + w, S + 5), (x - w, S + 5)])
        for _ in range(r.randint(0, 3)):
            self.growth(img, h + self.u(0, 80), self.u(60, 420), r.randint(1, 4), 'tree', 'tree', 'tree', 'bare', 'fir')
        if self.sure(.3):
            self.fence(img, h + self.u(0, 120), self.u(25, 110))
        for _ in range(r.randint(0, 5)):
            y = self.u(h + 8, S)
            self.put(img, self.c('chair', 'turned', 'soft', 'tube', 'pot_plant', 'car', 'figure'), self.u(0, S), y, 16 + (y - h) * self.u(.2, .6))
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
            cv2.fillConvexPoly(img, np.int32([(x - s, h), (x + s, h), (x + s * .7, h + s * .35), (x - s * .8, h + s * .35)]), triple(self.m.any()), cv2.LINE_AA)
            if self.sure(.6):
                cv2.fillConvexPoly(img, np.int32([(x, h - s * 1.8), (x + s * .8, h - 2), (x, h - 2)]), triple(np.full(3, self.u(150, 250))), cv2.LINE_AA)
        if self.sure(.5):
            s = self.u(max(h + 40, 150), S)
            warp(img, self.m('sand', 'sand', 'gravel', 'rubble'), [(-40, s + self.u(-40, 40)), (S + 40, s + self.u(-40, 40)), (S + 300, S + 100), (-300, S + 100)])
            for _ in range(r.randint(0, 12)):
                y = self.u(s, S)
                self.put(img, self.c('soft', 'turned', 'chair', 'carton', 'tube', 'figure'), self.u(0, S), y, 12 + (y - s) * self.u(.2, .8))
        self.stand_people(img, h, r.randint(0, 3))

    def snow(self, img):
        r, h = self.rng, self.u(-.1, .6) * S
        self.sky(img, h)
        for k in range(r.randint(0, 3) if h > 10 else 0):
            self.ridge(img, h, self.u(20, 200) / (k + 1), np.array([190, 200, 215.]) * self.u(.5, 1.1), self.m('gravel', 'snowfield', 'foliage'))
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
        box(img, self.m.part('crowd', 'crowd', 'seats', least=.4) if k < 2 else self.m.part('slats', 'bricks', 'plaster', 'foliage'), 0, -5, S, h + 5)
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
        self.plane(img, h, tinted(ground, display(r.choice([.33, .3, .58, .04, .08, .08]), self.u(.2, .6), self.u(.35, .8)), self.u(.3, .8)))
        for _ in range(r.randint(1, 6)):
            c, w = triple(np.full(3, self.u(190, 245))), r.randint(2, 9)
            a, b = (self.u(-300, S + 300), self.u(h, S)), (self.u(-300, S + 300), self.u(h, S))
            if self.sure(.5):
                b = (b[0], a[1] + r.normal(0, 14))
            cv2.line(img, tuple(map(int, a)), tuple(map(int, b)), c, w, cv2.LINE_AA)
        if self.sure(.35):
            self.fence(img, self.u(h + 30, S), self.u(50, 110))
        for _ in range(r.randint(0, 5)):
            y = self.u(h + 5, S)
            self.put(img, self.c('turned', 'soft', 'chair', 'carton'), self.u(0, S), y, 14 + (y - h) * self.u(.15, .5))
        self.stand_people(img, h, r.randint(0, 4))

    # ------------------------------------------------------------------ neither
    def wall(self, img):
        box(img, self.paint_of(self.m.part('bricks', 'rubble', 'tiles', 'plaster', 'planks', 'slats', 'facade', 'folds', 'ornament', least=.35), .7), 0, 0, S, S)
        for _ in range(self.rng.randint(0, 7)):         # stains and marks
            shade(img, self.u(0, S), self.u(0, S), self.u(10, 130), self.u(10, 200), self.u(-.25, .4))
        for _ in range(self.rng.randint(0, 6)):
            x, y = self.u(-40, S), self.u(-40, 350)
            k = self.rng.randint(4)
            if k == 0:
                self.window(img, x, y, self.u(60, 200), self.u(80, 220), S)
            elif k == 1:
                self.picture(img, x, y, self.u(40, 200), self.u(40, 200))
            elif k == 2:
                paste(img, self.c('sign'), x, y, self.u(20, 90))
            else:
                cv2.line(img, (int(x), 0), (int(x), S), triple(self.m.dull() * .7), self.rng.randint(2, 14))
        if self.sure(.6):
            y = self.u(330, 460)
            self.plane(img, y, self.m('asphalt', 'tiles', 'gravel', 'grass', 'planks'))
            self.row(img, 0, S, y + 10, self.u(40, 140), self.u(.2, .6))

    def crowd(self, img):
        if self.sure(.5):
            self.street(img)
        else:
            box(img, self.m.part('crowd', 'anything', 'foliage', least=.4), 0, 0, S, S)
        h = self.u(-180, 180)
        for _ in range(2):
            self.stand_people(img, h, self.rng.randint(6, 16), size=self.u(135, 500) if self.sure(.6) else None)

    def stand(self, img):
        """A grandstand, or many heads before something."""
        self.sky(img, S)
        y = self.u(-40, 200)
        box(img, self.m.part('crowd', 'crowd', 'seats', least=.3), 0, y, S, S)
        if self.sure(.4):
            self.fence(img, self.u(200, S), self.u(30, 90))
        self.stand_people(img, 100, self.rng.randint(0, 5))

    def night(self, img):
        """Dark, with lights out of focus."""
        (self.street if self.sure(.6) else self.room)(img)
        img[:] = lit(img, self.u(.08, .4))
        size, level, over = self.u(1, 16), self.u(0, S), img.copy()
        for _ in range(self.rng.randint(3, 45)):
            c = display(self.rng.choice([.08, .1, .12, .12, .6, .99, .35]), self.u(.1, .7), 1) * self.u(.5, 1)
            x, y, n = self.u(0, S), level + self.rng.normal(0, 90), size * self.u(.7, 1.2)
            shade(img, x, y, n * 6, n * 6, -self.u(.3, 2))
            cv2.circle(over, (int(x), int(y)), int(n), triple(c), -1, cv2.LINE_AA)
        img[:] = cv2.addWeighted(cv2.max(img, over), .8, img, .2, 0)

    def heap(self, img):
        """Close to things, nothing in particular."""
        box(img, self.m.part('anything', 'anything', 'goods', 'crumpled', 'rubble', least=.35), 0, 0, S, S)
        for _ in range(self.rng.randint(2, 30)):
            self.put(img, self.c.small(), self.u(0, S), self.u(60, S * 1.2), np.exp(self.u(3.2, 5.7)))

    def leaves(self, img):
        """Plain 'dead leaves'."""
        box(img, self.m.part('anything', least=.4), 0, 0, S, S)
        if self.sure(.5):
            tile = self.m.part('anything', 'folds', 'foliage', 'crumpled')
            a = self.u(0, S)
            warp(img, tile, [(a, -50), (S * 1.5, -50), (S * 1.5, S + 50), (a + self.u(-200, 200), S + 50)])
