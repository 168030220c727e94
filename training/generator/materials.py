"""Materials as square pictures: walls, floors, cloth, leaves, crowds, goods, and heaps of anything ('dead leaves')."""
import cv2
import numpy as np

import palette
from canvas import Heap, Noise, TILE, display, show, tinted, triple, uint8

RENEW = .08                                             # share of the uses at which a material is made anew
STOCK = 3                                               # pictures kept of each


class Materials:
    def __init__(self, rng):
        self.rng, self.noise, self.stock = rng, Noise(rng), {}

    def __call__(self, *names):
        """One of these materials, often made earlier."""
        r = self.rng
        name = names[r.randint(len(names))]
        kept = self.stock.setdefault(name, [])
        if len(kept) < STOCK and r.rand() < .4 or not kept or r.rand() < RENEW:
            kept.insert(0, uint8(getattr(self, name)()))
            del kept[STOCK:]
        return kept[r.randint(len(kept))]

    def part(self, *names, least=.5):
        """A window into one of these materials."""
        r, tile = self.rng, self(*names)
        n = int(TILE * r.uniform(least, 1))
        y, x = r.randint(0, TILE - n + 1, 2)
        return tile[y:y + n, x:x + n]

    # ------------------------------------------------------------------ colours
    def u(self, a, b):
        return self.rng.uniform(a, b)

    def hue(self):
        """Of paint and plastic: purple and turquoise are rare."""
        r = self.rng
        return r.rand() if r.rand() < .15 else r.normal((0, .04, .11, .15, .33, .6, .6)[r.randint(7)], .03)

    def dull(self):
        """A quiet colour: mostly browns, greys, some blue and green."""
        r = self.rng
        hue = [r.normal(.085, .03), r.normal(.58, .05), r.normal(.26, .06), self.hue()][np.searchsorted([.6, .8, .9], r.rand())]
        return display(hue, r.beta(1.2, 4.2), r.beta(2, 1.6))

    def any(self):
        r = self.rng
        q = r.rand()
        if q < .3:
            return self.dull()
        return show(palette.thing(r)) if q < .75 else display(self.hue(), self.u(.35, .9), self.u(.3, .95))

    def spread(self, colour, n, light=.25, hue=.045):
        """n colours about one."""
        r = self.rng
        return (np.asarray(colour) * np.exp(r.normal(0, light, (n, 1)) + r.normal(0, hue, (n, 3)))).astype(np.float32)

    def scheme(self, n):
        """n colours of things that stand together: a few families, few of them loud."""
        r = self.rng
        families = np.array([self.any() if r.rand() < .45 else self.dull() for _ in range(r.randint(3, 9))])
        return self.spread(families[r.randint(len(families), size=n)], n, .25, 0)

    def ground(self, colour, strength, chroma=.12, zoom=1., stretch=1., soft=False):
        """Noise around a colour, float (TILE, TILE, 3)."""
        g = self.noise(TILE, TILE, zoom, stretch, soft)
        t = self.noise(TILE, TILE, 2, stretch, True) * (strength * chroma)
        return cv2.merge([g * strength + t * self.rng.normal() + float(c) for c in colour])

    def mottle(self, img, strength):
        """Multiplies by noise."""
        return img * np.exp(self.noise(*img.shape[:2], self.u(.8, 2)) * strength)[..., None]

    # ------------------------------------------------------------------ walls and floors
    def plaster(self):
        return self.mottle(self.ground(self.dull() * .5 + self.u(50, 125), self.u(3, 12), .3, soft=True), self.u(.01, .06))

    def asphalt(self):
        img = self.ground(np.full(3, self.u(60, 150)) + self.rng.normal(0, 5, 3), self.u(8, 24), .1, .8)
        img += self.noise(TILE, TILE, 2, 1, True)[..., None] * self.u(4, 16)
        for _ in range(self.rng.randint(0, 5)):         # cracks and seams
            p = np.cumsum(self.rng.normal(0, 28, (14, 2)) + self.rng.normal(0, 22, 2), 0) + self.rng.uniform(0, TILE, 2)
            cv2.polylines(img, [p.astype(np.int32)], False, triple(img.mean((0, 1)) * self.u(.4, .7)), self.rng.randint(1, 4))
        return img

    def grain(self, colour):
        """Wood along x."""
        warp = self.noise(TILE, TILE, 2, self.u(3, 8), True)
        rings = np.sin((np.linspace(0, self.u(20, 90), TILE, dtype=np.float32)[:, None] + warp * self.u(1, 4)))
        fibre = self.noise(TILE, TILE, 1, self.u(8, 20))
        light = np.exp(rings * self.u(.03, .14) + fibre * self.u(.05, .14) + warp * .08)
        return light[..., None] * np.asarray(colour, np.float32)

    def wood(self):
        return self.grain(display(self.rng.normal(.075, .015), self.u(.25, .65), self.u(.25, .85)))

    def laid(self, colours, sx, sy, gap, bond, ground, slope=.15, corner=.12):
        """Rows of stones, boards or tiles."""
        r, heap = self.rng, Heap()
        rows = int(TILE / sy) + 2
        for j in range(rows):
            x = np.arange(-sx, TILE + sx, sx) + (j * bond * sx) % sx
            n = len(x)
            dx, dy = r.normal(0, gap * .2, (2, n))
            heap.add(x + sx / 2 + dx, (j + .5) * sy + dy, (sx - gap) / 2, (sy - gap) / 2, 0, colours(n), corner)
        img = heap.picture(r, ground, slope, self.u(0, .5), 2)
        return self.mottle(img, self.u(.02, .12))

    def bricks(self):
        c = display(self.rng.normal(.035, .02), self.u(.2, .6), self.u(.35, .85)) if self.rng.rand() < .7 else self.dull()
        sy, d = self.u(14, 40), self.u(.05, .25)
        mortar = self.ground(self.dull() * .4 + 90, 10)
        return self.laid(lambda n: self.spread(c, n, d), sy * self.u(2, 3.2), sy, self.u(2, 5), .5, mortar, .4)

    def tiles(self):
        c, s, d = self.dull() * .6 + self.u(20, 110), self.u(24, 90), self.u(.01, .12)
        if self.rng.rand() < .25:                       # two colours
            other = self.dull()
            mixed = lambda n: self.spread(np.where(self.rng.rand(n, 1) < .5, c, other), n, d, d / 3)
            return self.laid(mixed, s, s, self.u(1, 4), 0, self.ground(c * .6, 8))
        gaps, bond = self.ground(c * self.u(.5, .9), 8), self.rng.choice([0, .5])
        return self.laid(lambda n: self.spread(c, n, d, d / 3), s * self.u(1, 2.2), s, self.u(1, 4), bond, gaps, .3)

    def planks(self):
        c, sy = display(self.rng.normal(.075, .015), self.u(.15, .6), self.u(.25, .85)), self.u(16, 50)
        gaps, d = np.full((TILE, TILE, 3), 40, np.float32), self.u(.04, .2)
        grey = lambda n: self.spread(np.full(3, 128.), n, d, .03)
        return self.grain(c) * self.laid(grey, sy * self.u(4, 12), sy, self.u(1, 4), self.u(.2, .6), gaps) / 128

    def slats(self):
        """Corrugated sheet, blinds, radiators, shutters."""
        period, sharp = self.u(8, 44), self.u(.4, 2)
        wave = np.sin(np.arange(TILE, dtype=np.float32) * (2 * np.pi / period))
        img = self.ground(self.dull(), self.u(3, 9)) * np.exp(np.sign(wave) * np.abs(wave) ** sharp * self.u(.1, .35))[:, None, None]
        return img if self.rng.rand() < .5 else img.transpose(1, 0, 2)

    def gravel(self):
        return self.stones(self.u(3, 9), 2600, self.dull() * .6 + 40)

    def rubble(self):
        return self.stones(self.u(12, 34), 620, self.dull() * .7 + 30)

    def stones(self, size, n, colour):
        r, heap = self.rng, Heap()
        a = size * np.exp(r.normal(0, .4, n))
        x, y, angle = r.uniform(0, TILE, n), r.uniform(0, TILE, n), r.uniform(0, 3.1, n)
        heap.add(x, y, a, a * r.uniform(.5, 1, n), angle, self.spread(colour, n, .3, .07), .7)
        return self.mottle(heap.picture(r, self.ground(colour * .5, 8), 120 / size * .12, .6, 2 if size < 10 else 3), .12)

    def sand(self):
        img = self.ground(display(self.rng.normal(.1, .015), self.u(.15, .45), self.u(.55, .95)), self.u(8, 20), .1, .8)
        y = np.linspace(0, self.u(40, 160), TILE, dtype=np.float32)[:, None] + self.noise(TILE, TILE, 2, 2, True) * self.u(1, 5)
        return img * (1 + np.sin(y) * self.u(0, .16))[..., None] * np.exp(self.noise(TILE, TILE, 1.5)[..., None] * .06)

    def snowfield(self):
        img = np.full((TILE, TILE, 3), (226, 233, 243), np.float32) * self.u(.75, 1)
        relief = self.noise(TILE, TILE, self.u(.7, 2), self.u(1, 2.5))
        img *= np.exp(relief * self.u(.03, .12))[..., None]
        return img * (1 - np.float32([.25, .17, .06]) * np.clip(self.noise(TILE, TILE, 2, 2, True) * .8, 0, 1)[..., None])

    def water(self):
        r = self.rng
        c, wide = display(r.normal(.54, .05), self.u(.1, .6), self.u(.25, .75)), self.u(2, 6)
        ripple = self.noise(TILE, TILE, self.u(.6, 2), wide)
        sky = np.clip(ripple * self.u(.25, .55) + .35 + .25 * self.noise(TILE, TILE, 2, wide, True), 0, 1)[..., None]
        img = c * (1 - sky) * self.u(.5, .9) + (c * .35 + self.u(100, 160)) * sky
        return img + np.clip(ripple - self.u(1.4, 2.6), 0, 1)[..., None] * 190

    # ------------------------------------------------------------------ cloth and ornaments
    def folds(self):
        """Hanging cloth."""
        x = np.linspace(0, self.u(18, 90), TILE, dtype=np.float32)[None]
        phase = x + self.noise(TILE, TILE, 2, .35, True) * self.u(.5, 2)
        wave = np.sin(phase) + .5 * np.sin(2.3 * phase + 1) + .3 * np.sin(4.1 * phase)
        cloth = self.ornament() if self.rng.rand() < .35 else np.broadcast_to(show(palette.cloth(self.rng)) * .8 + 20, (TILE, TILE, 3))
        return cloth * np.exp(wave * self.u(.12, .32) + self.noise(TILE, TILE, 1) * .03)[..., None]

    def crumpled(self):
        """Bed linen, coats in a heap, bags."""
        relief = np.abs(self.noise(TILE, TILE, 2, 1, True)) + .5 * np.abs(self.noise(TILE, TILE, 1.5, 1, True))
        d = cv2.Sobel(cv2.GaussianBlur(relief, (0, 0), 2), cv2.CV_32F, self.rng.randint(2), 1 if self.rng.rand() < .5 else 2, ksize=5)
        cloth = self.ornament() if self.rng.rand() < .25 else np.broadcast_to(show(palette.cloth(self.rng)) * .8 + 15, (TILE, TILE, 3))
        return cloth * np.exp(np.clip(d / d.std(), -2.5, 2.5) * self.u(.1, .3))[..., None]

    def ornament(self):
        """A mirrored and repeated scrap: carpets, wallpaper, prints."""
        n = 2 ** self.rng.randint(4, 8)
        scrap = self('anything')
        y, x = self.rng.randint(0, TILE - n, 2)
        scrap = scrap[y:y + n, x:x + n]
        if n > 32:
            scrap = cv2.resize(scrap, (n // 2, n // 2), interpolation=cv2.INTER_AREA)
        scrap = np.concatenate([scrap, scrap[:, ::-1]], 1)
        scrap = np.concatenate([scrap, scrap[::-1]], 0)
        k = -(-TILE // len(scrap))
        img = np.tile(scrap, (k, k, 1))[:TILE, :TILE].astype(np.float32)
        img = tinted(img, self.dull() * .6 + self.u(20, 80), self.u(.2, .8)) * self.u(.3, 1) + self.u(0, 60)
        return self.mottle(np.maximum(img, 0), .05)

    # ------------------------------------------------------------------ plants
    def leaf_colours(self, x, y, n, light=None):
        """Greens lit from above, in clumps."""
        r = self.rng
        hue = r.normal(.24, .04) if r.rand() < .85 else self.u(.04, .14)
        base = display(hue, self.u(.25, .65), self.u(.35, .75))
        if light is None:
            light = self.noise(TILE, TILE, 2, 1, True)[np.clip(y, 0, TILE - 1).astype(int), np.clip(x, 0, TILE - 1).astype(int)]
        gain = np.exp(.32 * light + r.normal(0, .28, n) - .3)[:, None]
        warm = np.clip(light, -1, 1.5)[:, None] * np.float32([12, 10, -6])
        return base * gain * np.exp(r.normal(0, .05, (n, 3))) + warm * gain, gain[:, 0]

    def foliage(self):
        r, heap, n = self.rng, Heap(), 3000
        x, y = r.uniform(0, TILE, (2, n))
        c, gain = self.leaf_colours(x, y, n)
        order = np.argsort(gain + r.normal(0, .3, n))   # what is lit lies on top
        size = self.u(4, 13) * np.exp(r.normal(0, .3, n))
        heap.add(x[order], y[order], size, size * self.u(.3, .7), r.normal(self.u(0, 3), .9, n), c[order], 1.5)
        ground = self.ground((14, 18, 10), 6)
        if r.rand() < .4:                               # sky in the gaps
            ground = np.where(self.noise(TILE, TILE, 1, 1, True)[..., None] > 0, np.float32([205, 218, 230]), ground)
        return heap.picture(r, ground, .8, .55, 3)

    def grass(self):
        r, heap, n = self.rng, Heap(), 3400
        x, y = r.uniform(0, TILE, n), np.sort(r.uniform(0, TILE + 20, n))
        c, _ = self.leaf_colours(x, y, n)
        if r.rand() < .3:                               # dry
            c = c[:, [1, 0, 2]] * np.float32([1.05, 1.1, .8])
        tall = self.u(7, 26) * np.exp(r.normal(0, .3, n))
        heap.add(x, y, self.u(.9, 2), tall, r.normal(0, .4, n), c, 1.6)
        if r.rand() < .4:                               # flowers, fallen leaves
            k = r.randint(20, 400)
            heap.add(*r.uniform(0, TILE, (2, k)), self.u(1.5, 4), self.u(1.5, 4), 0, self.spread(self.any() * .5 + 100, k, .2))
        return heap.picture(r, self.ground(c.mean(0) * .55, 14), .5, .4, 2)

    # ------------------------------------------------------------------ many things
    def anything(self):
        """Shapes of all sizes over each other ('dead leaves'), each with its own stuff; colours go with the place."""
        r, heap, n = self.rng, Heap(), 1500
        size = np.clip(4 * r.rand(n) ** -.6, 3, 190)
        x, y = r.uniform(-20, TILE + 20, (2, n))
        size[size < 9] *= r.uniform(1, 3)
        field = cv2.merge([self.noise(64, 64, .25, 1, True) for _ in range(3)])
        near = field[np.clip(y / 8, 0, 63).astype(int), np.clip(x / 8, 0, 63).astype(int)]
        base = self.scheme(n) * np.exp(near.mean(1, keepdims=True) * .35 + near * .08)
        flat = np.where(r.rand(n) < .3, r.uniform(.06, .25, n), r.uniform(.4, 1, n))
        order = np.argsort(-size * np.exp(r.normal(0, .9, n)))
        power = r.choice([.15, .5, 1, 1, 1.5], n)
        turn = np.where(r.rand(n) < .5, r.choice([0, np.pi / 2], n) + r.normal(0, .06, n), r.uniform(0, 3.2, n))
        heap.add(x[order], y[order], size[order], (size * flat)[order], turn[order], base[order], power[order])
        img = heap.picture(r, self.ground(self.dull() * .6, 12), .5, .6, 4)
        return self.stuff(img, heap.ids, heap.count)

    def stuff(self, img, ids, count):
        """Its own texture for every shape: noise fine and coarse, stripes, grain."""
        r = self.rng
        stripes = np.sin(np.arange(TILE, dtype=np.float32) * self.u(.2, 1.2))
        views = [self.noise(TILE, TILE, *view) for view in ((1,), (.7,), (1, 10), (1, .1))]
        fields = np.stack(views + [np.broadcast_to(line, (TILE, TILE)) for line in (stripes, stripes[:, None])])
        which, much = r.randint(len(fields), size=count), np.abs(r.normal(0, .2, count)).astype(np.float32)
        rows, cols = np.ogrid[:TILE, :TILE]
        return img * np.exp(fields[which[ids], rows, cols] * much[ids])[..., None]

    def rows_of(self, wide, high, colours, ground, fill=1.):
        """Things side by side on boards."""
        r, heap, y = self.rng, Heap(), 0.
        pitch = self.u(*high)
        while y < TILE:
            n = int(1.4 * TILE / np.mean(wide))
            w = r.uniform(*wide) * np.exp(r.normal(0, .3, n))
            x = np.cumsum(w) - w / 2
            h = pitch * np.clip(r.normal(.62, .13, n), .25, .86)
            tilt = np.where(r.rand(n) < .07, r.normal(0, .14, n), 0)
            on = r.rand(n) < fill
            c = colours(n)
            foot = y + pitch * .94
            heap.add(x[on], (foot - h / 2)[on], (w * .47)[on], (h / 2)[on], tilt[on], c[on], .15)
            label = on & (r.rand(n) < .6)               # bands and titles
            k = label.sum()
            lift, high = h * r.uniform(.3, .8, n), h * r.uniform(.04, .2, n)
            heap.add(x[label], foot - lift[label], w[label] * .36, high[label], 0, self.spread(self.scheme(k) * .5 + 90, k, .3), .2)
            heap.add(TILE / 2, y + pitch * .97, TILE, pitch * .035 + 1, 0, ground[None] * 1.7, .2)
            y += pitch
        img = heap.picture(r, self.ground(ground * .6, 6), 1.2, .6, 4)
        return self.mottle(img, .06)

    def books(self):
        return self.rows_of((6, 20), (55, 130), self.scheme, self.dull() * .5, .93)

    def goods(self):
        return self.rows_of((14, 44), (50, 110), self.scheme, self.dull() * .6, .9)

    def crowd(self):
        """Heads and shoulders, row before row."""
        r, heap = self.rng, Heap()
        head = self.u(7, 22)
        y = -head
        while y < TILE + 3 * head:
            n = int(TILE / head / self.u(1.6, 2.8)) + 2
            x = (np.arange(n) + r.rand(n) * .7) * TILE / n + self.u(-10, 10)
            yy = y + r.normal(0, head * .5, n)
            s = head * np.exp(r.normal(0, .08, n))
            cloth, skin = (np.array([show(colour(r)) for _ in x]) for colour in (palette.cloth, palette.skin))
            hair = np.array([show(palette.hair(r, False)) if r.rand() < .85 else show(palette.cloth(r)) for _ in x])
            lean, back = r.normal(0, .12, n), r.rand(n) < .3
            heap.add(x, yy - s * .12, s * .72, s * 1., lean, hair)
            heap.add(x, yy + s * 3.5, s * 1.5, s * 2.5, r.normal(0, .08, n), cloth, .65)
            heap.add(x, yy + s * .9, s * .4, s * .5, lean, skin * .75, .5)
            heap.add(x, yy + s * .1, s * .6, s * .8, lean, np.where(back[:, None], hair, skin))
            heap.add(x - lean * s, yy - s * .5, s * .62, s * .38, lean, hair)
            arm = r.rand(n) < .35
            side = r.choice([-1, 1], arm.sum())
            up = r.rand(arm.sum()) < .3
            ax, ay, s = x[arm] + side * s[arm] * 1.2, (yy + s * 2.6)[arm] - up * 2.6 * s[arm], s[arm]
            sleeve = np.where(r.rand(len(side), 1) < .6, skin[arm], cloth[arm] * .8)
            heap.add(ax, ay, s * .33, s * 1.5, side * r.normal(.1, .35, len(side)), sleeve, .8)
            y += head * self.u(1.6, 2.8)
        return self.mottle(heap.picture(r, self.ground((40, 40, 45), 10), 2., .4, 2), .1)

    def seats(self):
        """Empty rows, a few people in them."""
        r, s = self.rng, self.u(12, 34)
        c, heap = self.any(), Heap()
        for y in np.arange(0, TILE + s * 2, s * 1.5):
            x = np.arange(-s, TILE + s, s) + self.u(0, 2)
            n = len(x)
            heap.add(x, y, s * .43, s * .5, 0, self.spread(c, n, .05, .02), .35)
            heap.add(x, y + s * .55, s * .43, s * .17, 0, self.spread(c * .6, n, .05, .02), .35)
            taken = x[r.rand(n) < self.u(0, .4)]
            cloth, skin = (np.array([show(colour(r)) for _ in taken]).reshape(-1, 3) for colour in (palette.cloth, palette.skin))
            heap.add(taken, y + s * .1, s * .34, s * .6, 0, cloth, .6)
            heap.add(taken, y - s * .6, s * .18, s * .25, 0, skin)
        return self.mottle(heap.picture(r, self.ground(self.dull() * .5, 10), 2., .55, 3), .06)

    def facade(self):
        """A house front: windows in rows, with frames, sills, curtains and what they mirror."""
        r = self.rng
        wall = self('bricks', 'plaster', 'plaster', 'tiles', 'slats').astype(np.float32)
        wall = tinted(wall, self.dull() * .6 + self.u(20, 90), self.u(.2, .9))
        sx, sy, fx, fy = self.u(36, 130), self.u(44, 150), self.u(.4, .9), self.u(.4, .85)
        heap = Heap()
        x, y = [v.ravel() for v in np.meshgrid(np.arange(sx / 2, TILE, sx), np.arange(sy / 2, TILE, sy))]
        n = len(x)
        frame, glass = self.dull() * .7 + self.u(0, 80), display(.58, self.u(0, .3), self.u(.15, .5))

        def put(dx, dy, w, h, c):
            heap.add(x + dx * sx * fx, y + dy * sy * fy, w * sx * fx, h * sy * fy, 0, c, .1)
        put(0, 0, .5, .5, self.spread(frame, n, .03, .01))
        put(0, -.02, .44, .45, self.spread(glass, n, .5, .08))
        put(-.25, -.1, .16, .3, np.where(r.rand(n, 1) < .5, self.spread(glass * .5 + 80, n, .4), self.spread(glass, n, .4)))
        put(.22, .2, .18, .2, self.spread(glass * .8 + 20, n, .5))
        put(0, 0, .03, .45, self.spread(frame, n, .03, .01))
        put(0, -.1, .45, .02, self.spread(frame, n, .03, .01))
        put(0, .54, .56, .05, self.spread(frame * .9 + 20, n, .05))
        return self.mottle(heap.picture(r, wall, 1.2, .5, 4), .06)

    def page(self):
        """Print: lines of text, headings, pictures; on paper, posters or screens."""
        r = self.rng
        dark = r.rand() < .35
        img = uint8(np.full((TILE, TILE, 3), 1, np.float32) * (self.any() * .35 + (20 if dark else 150)))
        y = 20
        while y < TILE - 30:
            k, size = r.randint(4), r.randint(8, 30)
            ink = triple(self.any() * .6 + (110 if dark else 0))
            if k == 0:
                h = r.randint(40, 180)
                x = r.randint(10, 200)
                part = self('anything')[:h, :r.randint(100, TILE - x)]
                img[y:y + h, x:x + part.shape[1]] = part[:max(0, TILE - y)]
                y += h + 12
            elif k == 1:
                text, at = ''.join(r.choice(list('ABDEGHILMNORSTU'), r.randint(3, 9))), (r.randint(10, 80), y + size * 2)
                cv2.putText(img, text, at, r.choice([0, 2, 3, 4]), size / 12, ink, max(1, size // 5), cv2.LINE_8)
                y += size * 3
            else:
                for _ in range(r.randint(2, 8)):
                    x = 20
                    while x < TILE * .9:
                        w = r.randint(10, 60)
                        cv2.line(img, (x, y), (min(x + w, 490), y), ink, max(2, size // 4))
                        x += w + size // 2
                    y += size
        return self.mottle(img, .03)
