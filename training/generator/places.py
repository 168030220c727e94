"""Where snapshots are taken: all of indoors.py and outdoors.py; walls, crowds, nights, heaps of things."""
import cv2
import numpy as np

from canvas import S, box, display, lit, paste, shade, triple, warp
from indoors import Indoors
from outdoors import Outdoors


class Places(Indoors, Outdoors):
    def wall(self, img):
        kinds = 'bricks', 'rubble', 'tiles', 'plaster', 'planks', 'slats', 'facade', 'folds', 'ornament'
        box(img, self.paint_of(self.m.part(*kinds, least=.35), .7), 0, 0, S, S)
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
