"""Small and large things as cut-outs (RGBA): pots, bottles, boxes, bags, lamps, screens, chairs, plants, trees, cars.

Some are shaped like heads and limbs, but are not.
"""
import cv2
import numpy as np

from canvas import Heap, box, display, triple, uint8

STOCK = 16                                              # cut-outs kept of each kind
RENEW = dict(tree=.06, bare=.06, fir=.06, car=.08)      # share of the uses at which one is made anew


class Clutter:
    def __init__(self, rng, materials):
        self.rng, self.m, self.stock = rng, materials, {}

    def __call__(self, *names):
        """One of these kinds of things, often made earlier."""
        r = self.rng
        name = names[r.randint(len(names))]
        kept = self.stock.setdefault(name, [])
        if not kept or r.rand() < RENEW.get(name, .1) * (1 if len(kept) == STOCK else 2):
            kept.insert(0, getattr(self, name)())
            del kept[STOCK:]
        return kept[r.randint(len(kept))]

    def small(self):
        return self('turned', 'turned', 'carton', 'soft', 'turned', 'carton', 'carton', 'tube', 'pot_plant', 'screen', 'figure')

    def u(self, a, b):
        return self.rng.uniform(a, b)

    def cut(self, colour, alpha):
        return np.dstack([uint8(colour), uint8(alpha)])

    # ------------------------------------------------------------------ round and soft things
    def turned(self):
        """Bottles, jars, vases, lamps, bollards, balloons: an outline turned about an upright axis."""
        r, h, w = self.rng, 128, 96
        knots = r.randint(3, 7)
        ys, half = np.sort(r.rand(knots)), r.uniform(.12, 1, knots)
        ys[0], ys[-1] = 0, 1
        y = np.linspace(0, 1, h)
        if r.rand() < .25:                              # ball, balloon, bulb
            radius = np.sqrt(np.clip(1 - (2 * y - 1) ** 2, 0, 1)) * np.clip(1.3 - y * self.u(-.2, .6), 0, 1)
        else:
            radius = np.interp(y, ys, half)
            if r.rand() < .6:
                radius = cv2.GaussianBlur(radius[:, None], (0, 0), self.u(2, 9))[:, 0]
        half = radius * self.u(.25, 1) * (w / 2 - 2)
        x = (np.arange(w) - w / 2 + .5)[None] / np.maximum(half, .5)[:, None]
        alpha = np.clip((1 - np.abs(x)) * np.maximum(half, .5)[:, None] + .5, 0, 1)
        side, dark = self.u(-.6, .6), self.u(.25, .6)
        light = 1 - dark * np.clip(np.abs(x - side), 0, 1.6) ** self.u(1, 2.5)
        shine = np.exp(-((x - side) / self.u(.05, .25)) ** 2) * (self.u(20, 160) if r.rand() < .6 else 0)
        bands = np.repeat(self.m.any()[None], h, 0)
        for _ in range(r.randint(0, 4)):
            a = r.randint(h)
            bands[a:a + r.randint(4, 60)] = self.m.any()
        img = bands[:, None] * light[..., None] + shine[..., None]
        if r.rand() < .4:                               # a label
            part = cv2.resize(self.m.part('page', 'anything', least=.1), (w, h // 3))
            a = r.randint(20, 80)
            img[a:a + h // 3] = part * light[a:a + h // 3, :, None]
        return self.cut(img, alpha * 255)

    def inflate(self, mask, colour, rough=.05):
        """Roundness for a flat shape, lit from above and one side."""
        d = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5)
        top = max(d.max(), 1)
        high = cv2.GaussianBlur(np.sqrt(np.clip(1 - (1 - d / top) ** 2, 0, 1)) * top, (0, 0), 2)
        gx, gy = cv2.Sobel(high, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(high, cv2.CV_32F, 0, 1) / 8
        side = self.u(-.8, .8)
        normal = 1 / np.sqrt(1 + gx * gx + gy * gy)
        light = .35 + .75 * np.clip((.55 + gy * .8 + gx * side) * normal, 0, 1.3)
        light *= np.exp(self.m.noise(*mask.shape, 1.5) * rough)
        return self.cut(colour * light[..., None], mask)

    def soft(self):
        """Bags, cushions, stuffed toys, heaps of clothes, stones."""
        r, n = self.rng, 112
        mask = np.zeros((n, n), np.uint8)
        for _ in range(r.randint(1, 5)):
            c, s = (r.randint(34, n - 34), r.randint(38, n - 34)), (r.randint(12, 34), r.randint(12, 34))
            cv2.ellipse(mask, c, s, self.u(0, 180), 0, 360, 255, -1, cv2.LINE_AA)
        mask[n - r.randint(2, 16):] = 0
        ys, xs = np.where(mask > 0)
        mask = mask[ys.min():ys.max() + 1, xs.min():xs.max() + 1]
        stuff = cv2.resize(self.m.part('crumpled', 'ornament', 'folds', least=.2), mask.shape[::-1], interpolation=cv2.INTER_AREA)
        return self.inflate(mask, stuff.astype(np.float32), .05)

    def tube(self):
        """Bent and tapered round things: hoses, branches, arms of lamps and chairs, rolled cloth."""
        r, h, w = self.rng, 150, 110
        p = np.cumsum(np.vstack([[w / 2, h], r.normal((0, -38), (18, 8), (4, 2))]), 0)
        p[:, 0] = np.clip(p[:, 0], 18, w - 18)
        p[:, 1] = np.clip(p[:, 1], 14, h)
        mask, width = np.zeros((h, w), np.uint8), self.u(4, 26)
        for k in range(len(p) - 1):
            cv2.line(mask, tuple(int(v) for v in p[k]), tuple(int(v) for v in p[k + 1]), 255, max(2, int(width)), cv2.LINE_AA)
            width *= self.u(.6, 1)
        if r.rand() < .3:
            cv2.circle(mask, tuple(int(v) for v in p[-1]), r.randint(8, 18), 255, -1, cv2.LINE_AA)
        return self.inflate(mask, np.broadcast_to(self.m.any(), (h, w, 3)), .08)

    def figure(self):
        """Limbs from one place, with or without a ball: statues, coat stands, hydrants, toys, roots."""
        r, h, w = self.rng, 160, 120
        mask, at = np.zeros((h, w), np.uint8), np.array([w / 2, h * self.u(.3, .6)])
        for a in np.append(np.pi / 2 + r.normal(0, .2), r.uniform(0, 2 * np.pi, r.randint(1, 5))):
            p, thick = at, self.u(6, 26)
            for _ in range(r.randint(1, 4)):
                q = p + np.array([np.cos(a), np.sin(a)]) * self.u(14, 45)
                cv2.line(mask, tuple(int(v) for v in p), tuple(int(v) for v in q), 255, max(3, int(thick)), cv2.LINE_AA)
                p, a, thick = q, a + r.normal(0, .6), thick * self.u(.6, 1)
        if r.rand() < .4:
            ball, size = (int(at[0]), int(at[1] - self.u(20, 50))), (r.randint(7, 18), r.randint(8, 20))
            cv2.ellipse(mask, ball, size, 0, 0, 360, 255, -1, cv2.LINE_AA)
        cv2.rectangle(mask, (r.randint(20, 50), h - r.randint(3, 14)), (r.randint(70, 100), h), 255, -1)
        if r.rand() < .5:
            return self.inflate(mask, np.broadcast_to(self.m.any(), (h, w, 3)), .1)
        return self.inflate(mask, cv2.resize(self.m.part('crumpled', 'wood', 'folds', 'plaster'), (w, h)).astype(np.float32), .06)

    # ------------------------------------------------------------------ made of flat sides
    def carton(self):
        """Boxes, cases, packets, machines: front, top and one side."""
        r, (h, w) = self.rng, self.rng.randint((60, 40), 128)
        img, alpha = np.zeros((h, w, 3), np.float32), np.zeros((h, w), np.uint8)
        dx, dy = int(w * self.u(0, .35)), int(h * self.u(0, .3))
        c = self.m.any()
        faces = [([(0, dy), (w - dx, dy), (w - dx, h), (0, h)], .85), ([(dx, 0), (w, 0), (w - dx, dy), (0, dy)], 1.15),
                 ([(w - dx, dy), (w, 0), (w, h - dy), (w - dx, h)], self.u(.4, .75))]
        for points, light in faces:
            cv2.fillPoly(img, [np.int32(points)], triple(c * light))
            cv2.fillPoly(alpha, [np.int32(points)], 255)
        front = img[dy:, :max(w - dx, 1)]
        k = r.randint(5)
        if k < 2 and min(front.shape[:2]) > 12:          # printed
            printed = self.m.part('page', 'anything', 'ornament', least=.15).astype(np.float32)
            box(front, printed, 3, 3, front.shape[1] - 3, front.shape[0] - 3)
        elif k < 4:                                     # doors, drawers, keys, grilles
            self.fittings(front, c)
        img *= np.exp(self.m.noise(h, w, 1) * .05)[..., None]
        img *= np.linspace(1.1, self.u(.6, 1), h, dtype=np.float32)[:, None, None]
        return self.cut(img, alpha)

    def fittings(self, front, c):
        r, (h, w) = self.rng, front.shape[:2]
        rows, cols = r.randint(1, 6), r.randint(1, 4)
        for j in range(rows):
            for i in range(cols):
                a, b = (int((i + .06) * w / cols), int((j + .08) * h / rows)), (int((i + .94) * w / cols), int((j + .92) * h / rows))
                cv2.rectangle(front, a, b, triple(c * self.u(.75, 1.1)), -1)
                cv2.line(front, (a[0], b[1]), b, triple(c * .4), 1)
                cv2.line(front, a, (b[0], a[1]), triple(c * 1.2 + 15), 1)
                cv2.circle(front, ((a[0] + b[0]) // 2, (a[1] * 2 + b[1]) // 3), 2, triple(c * .3 + self.u(0, 150)), -1)

    def screen(self):
        h, w = 96, 140
        img, alpha = np.full((h, w, 3), self.u(12, 60), np.float32), np.zeros((h, w), np.uint8)
        cv2.rectangle(alpha, (0, 0), (w - 1, 82), 255, -1)
        cv2.rectangle(alpha, (w // 2 - 9, 80), (w // 2 + 9, h), 255, -1)
        cv2.rectangle(alpha, (w // 2 - 30, h - 5), (w // 2 + 30, h), 255, -1)
        face = cv2.resize(self.m.part('page', 'page', 'anything'), (w - 8, 74), interpolation=cv2.INTER_AREA)
        img[4:78, 4:w - 4] = face * self.u(.1, 1.) + self.u(0, 40)
        return self.cut(img, alpha)

    def chair(self):
        r, h, w = self.rng, 128, 84
        img, alpha = np.zeros((h, w, 3), np.uint8), np.zeros((h, w), np.uint8)
        c, t = self.m.any(), r.randint(3, 9)
        parts = [((14, 60), (10, 127)), ((70, 60), (74, 127)), ((22, 60), (24, 112)), ((62, 60), (60, 112)),
                 ((14, 4), (14, 64)), ((70, 4), (70, 64))]
        for a, b in parts:
            for image, v in ((img, triple(c * self.u(.5, 1))), (alpha, 255)):
                cv2.line(image, a, b, v, t, cv2.LINE_AA)
        full = r.rand() < .5
        bars = [((14, 4), (70, 44 if full else 16)), ((10, 58), (74, 70))] + ([] if full else [((14, 28), (70, 38))])
        for (x0, y0), (x1, y1) in bars:
            cv2.rectangle(alpha, (x0, y0), (x1, y1), 255, -1)
            cv2.rectangle(img, (x0, y0), (x1, y1), triple(c * self.u(.7, 1.15)), -1)
        return self.cut(img * np.linspace(1.1, .6, h)[:, None, None], alpha)

    def car(self):
        r, h, w = self.rng, 110, 260
        alpha, c = np.zeros((h, w), np.uint8), self.m.any()
        roof, bonnet, tail = r.randint(2, 20), r.randint(30, 62), r.randint(4, 50)
        body = np.int32([(4, 60), (tail, 46), (tail + 34, roof), (150, roof), (200, 46), (w - 14, max(bonnet, 50)), (w - 3, 86), (3, 90)])
        cv2.fillPoly(alpha, [body], 255, cv2.LINE_AA)
        up = np.linspace(1.25, .45, h)[:, None, None] + (np.abs(np.arange(h) - 54) < 5)[:, None, None] * .3
        img = np.broadcast_to(c, (h, w, 3)) * up * np.exp(self.m.noise(h, w, 2, 3, True) * .12)[..., None]
        img = np.ascontiguousarray(img, np.float32)
        glass = cv2.resize(self.m.part('foliage', 'facade', 'anything'), (w, h)).astype(np.float32) * .4 + self.u(0, 60)
        mask = np.zeros((h, w), np.uint8)
        top = roof + 5
        cv2.fillPoly(mask, [np.int32([(tail + 18, 44), (tail + 40, top), (tail + 74, top), (tail + 74, 44)])], 255, cv2.LINE_AA)
        cv2.fillPoly(mask, [np.int32([(tail + 80, 44), (tail + 80, top), (148, top), (188, 45)])], 255, cv2.LINE_AA)
        m = mask[..., None] / 255
        img = np.ascontiguousarray(img * (1 - m) + glass * m, np.float32)
        for x in (tail + 77, 192):
            cv2.line(img, (x, 46), (x, 82), triple(c * .35), 1)
        cv2.rectangle(img, (w - 22, 58), (w - 6, 66), triple((235, 235, 215)), -1)
        cv2.rectangle(img, (5, 60), (14, 70), triple((170, 25, 20)), -1)
        for x in (54, 206):
            cv2.circle(img, (x, 86), 22, (18., 18., 20.), -1)
            cv2.circle(alpha, (x, 86), 21, 255, -1, cv2.LINE_AA)
            cv2.circle(img, (x, 86), 12, triple(np.full(3, self.u(60, 190))), -1)
            for a in np.arange(0, 6.2, 1.05):
                cv2.line(img, (x, 86), (int(x + 11 * np.cos(a)), int(86 + 11 * np.sin(a))), (40., 40., 42.), 2)
        return self.cut(img, alpha)

    def sign(self):
        r = self.rng
        text = ''.join(r.choice(list('ABCDEFGHIKLMNOPRSTUVWZ'), r.randint(2, 9)))
        w, h = 26 * len(text) + 20, 56
        img = np.full((h, w, 3), self.m.any() if r.rand() < .7 else self.m.dull(), np.float32).astype(np.uint8)
        cv2.rectangle(img, (0, 0), (w - 1, h - 1), triple(self.m.any()), r.randint(1, 5))
        ink = triple(self.m.any() * .5 + 110 * (img[20, 8].mean() < 120))
        cv2.putText(img, text, (10, 42), r.choice([0, 2, 3, 4, 6]), self.u(.9, 1.3), ink, r.randint(2, 5), cv2.LINE_AA)
        return self.cut(img, np.full((h, w), 255))

    # ------------------------------------------------------------------ plants
    def branch(self, out, x, y, angle, length, width, depth):
        """Collects the pieces of a branching stem as quadrangles."""
        r = self.rng
        x1, y1 = x + length * np.sin(angle), y - length * np.cos(angle)
        nx, ny, end = np.cos(angle), np.sin(angle), width * .7
        out.append([(x - nx * width, y - ny * width), (x + nx * width, y + ny * width),
                    (x1 + nx * end, y1 + ny * end), (x1 - nx * end, y1 - ny * end)])
        if depth:
            for k in range(2 if r.rand() < .6 else 3):
                self.branch(out, x1, y1, angle + r.normal(0, .5), length * self.u(.55, .9), end * self.u(.55, .9), depth - 1)
        return out

    def tree(self):
        """A crown of clumps of leaves with gaps, branches in them."""
        r, n = self.rng, 300
        heap, bark = Heap(n, n), display(.08, self.u(.1, .45), self.u(.15, .5))
        quads = np.array(self.branch([], n / 2, n, r.normal(0, .08), self.u(50, 110), self.u(4, 11), 4))
        heap.polygons(quads, self.m.spread(bark, len(quads), .2))
        tips, k = quads[:, 2], 1500
        clump = tips[len(tips) // 4:][r.randint(len(tips) * 3 // 4, size=26)] * [1, .9] + r.normal(0, 8, (26, 2))
        which, off = r.randint(26, size=k), r.normal(0, 1, (k, 2)) * self.u(12, 27)
        at = clump[which] + off
        light = np.clip(-off[:, 1] / 18 + r.normal(0, .4, 26)[which], -2, 2)
        c, gain = self.m.leaf_colours(None, None, k, light)
        order, size = np.argsort(gain), self.u(3, 6.5)
        heap.add(at[order, 0], at[order, 1], size, size * self.u(.4, .8), r.uniform(0, 3.1, k), c[order], 1.4)
        return self.cut(heap.picture(r, np.zeros((n, n, 3), np.float32), 1., .5, 3), (heap.ids > 0) * 255)

    def bare(self):
        n = 300
        heap = Heap(n, n)
        quads = np.array(self.branch([], n / 2, n, self.rng.normal(0, .1), self.u(55, 90), self.u(4, 10), 6))
        heap.polygons(quads, self.m.spread(display(.08, self.u(.1, .4), self.u(.15, .5)), len(quads), .2))
        return self.cut(heap.picture(self.rng, np.zeros((n, n, 3), np.float32), 0, .2), (heap.ids > 0) * 255)

    def fir(self):
        r, h, w, k = self.rng, 300, 170, 1100
        heap = Heap(h, w)
        y = np.sort(h * .97 * np.sqrt(r.rand(k)))
        tier = (y * self.u(.04, .09)) % 1
        x = w / 2 + r.uniform(-1, 1, k) * (y / h) * w * .48 * (.55 + .45 * tier)
        c, _ = self.m.leaf_colours(None, None, k, 1.2 - 2.2 * tier + r.normal(0, .3, k))
        heap.add(w / 2, h * .9, 5, h * .1, 0, np.array([[50, 38, 28.]]), .3)
        droop = np.sign(x - w / 2) * self.u(.1, .6) + r.normal(0, .2, k)
        heap.add(x, y, 9, 2.2, droop, c * np.float32([.7, .75, .8]), 1.3)
        return self.cut(heap.picture(r, np.zeros((h, w, 3), np.float32), 0, .5, 3), (heap.ids > 0) * 255)

    def pot_plant(self):
        r, h, w, k = self.rng, 150, 120, 90
        heap = Heap(h, w)
        a, length = r.normal(0, .75, k), r.uniform(.3, 1, k) * 78
        x, y = w / 2 + np.sin(a) * length * .7, 104 - np.cos(a) * length
        c, gain = self.m.leaf_colours(None, None, k, np.cos(a) + r.normal(0, .6, k))
        if r.rand() < .3:
            c[::3] = self.m.any()                       # blossoms
        pot = np.array([[(38, 100), (82, 100), (76, 148), (44, 148)]])
        heap.polygons(pot, self.m.any()[None])
        heap.add(x, y, self.u(2.5, 7), length * .3, a, c[np.argsort(gain)], 1.5)
        return self.cut(heap.picture(r, np.zeros((h, w, 3), np.float32), 2., .5, 3), (heap.ids > 0) * 255)

