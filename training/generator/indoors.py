"""Rooms, kitchens, desks, shops, and what stands in them."""
import cv2
import numpy as np

from canvas import S, across, box, lit, paste, ramp, shade, triple, uint8, warp
from stage import LARGE, Stage


class Indoors(Stage):
    def room_shell(self, img):
        """Walls, ceiling and floor in perspective; the back wall's bounds."""
        x0, x1 = sorted((self.u(-300, 180), self.u(290, 800)))
        y0, y1 = self.u(-350, 60), self.u(240, 470)
        cx, cy, far = (x0 + x1) / 2 + self.u(-60, 60), self.u(100, 260), self.u(2.2, 4)
        out = lambda x, y: (cx + (x - cx) * far, cy + (y - cy) * far)
        wall = self.paint_of(self.m.part(*('plaster',) * 7, 'ornament', 'tiles', 'planks', 'bricks'), self.u(.2, .9))
        floor = self.m.part('planks', 'planks', 'tiles', 'wood', 'ornament', 'plaster', 'gravel')
        warp(img, self.paint_of(self.m.part('plaster', 'planks', 'tiles')), [out(x0, y0), out(x1, y0), (x1, y0), (x0, y0)])
        warp(img, floor, [(x0, y1), (x1, y1), out(x1, y1), out(x0, y1)])
        box(img, wall, x0, y0, x1, y1)
        warp(img, lit(wall, self.u(.5, 1.1)), [out(x0, y0), (x0, y0), (x0, y1), out(x0, y1)])
        warp(img, lit(wall, self.u(.5, 1.1)), [(x1, y0), out(x1, y0), out(x1, y1), (x1, y1)])
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
        warp(img, top, across(x, y - depth, w * .42, y, w * .52))
        box(img, lit(top, .55), x - w * .52, y, x + w * .52, y + max(4, w * .03))
        for k in range(self.rng.randint(2, 14)):
            f = (k + .5) / 12
            if self.sure(.25):                          # something flat
                a, b = x + self.u(-.4, .35) * w, y - depth * self.u(.1, .9)
                warp(img, self.m.part('page', 'anything'), across(a, b, w * .06, b + depth * .25, w * .08, self.u(-.1, .1) * w))
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
        warp(img, self.paint_of(self.m('crumpled', 'ornament'), .5), across(x, y - h, w * .4, y, w * .6))
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
                    self.put(img, self.c('chair', *LARGE), x + self.rng.normal(0, 70), y, self.u(70, 220) * s)
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
                self.put(img, self.c(*LARGE), x + self.u(0, w), floor + 8, self.u(50, 170))
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
            for _ in range(r.randint(0, 9)):            # notes on it
                a, b, c = self.u(x, x + w - 20), self.u(work - 200, work + 60), self.u(10, 30)
                box(img, self.m.part('page', 'anything'), a, b, a + c, b + c * 1.3)
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
            a, b = self.rng.randint(0, (S, 130))        # tubes of light
            cv2.rectangle(img, (a, b), (a + self.rng.randint(40, 200), b + self.rng.randint(3, 12)), (250., 250., 245.), -1)
        for _ in range(self.rng.randint(0, 5)):
            paste(img, self.c('sign'), self.u(0, S), self.u(30, 260), self.u(15, 60))
        self.furnish(img, 0, self.u(330, 420), S)
        self.stand_people(img, y, self.rng.randint(0, 4))
