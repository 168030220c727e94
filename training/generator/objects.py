"""Things that people hold, wear, sit on and ride, as meshes around a posed person.

Every builder gets (mesh, place, options); `place` (see Place) knows where hands, feet, seat and floor are, in the
person's upright axes: x its left, y up, z where the pelvis faces. BUILDERS maps a thing's name to its builder.
"""
import cv2
import numpy as np

import palette
from geometry import X, Y, Z, cross, length, rot, unit
from meshes import DOME, grid, turn_to

BUILDERS = {}


def builder(*names):
    def register(f):
        for n in names or (f.__name__,):
            BUILDERS[n] = f
        return f
    return register


class Place:
    """Landmarks of one posed person in upright axes."""

    def __init__(self, renderer, body, rng):
        self.rng, self.body, self.renderer, self.tilt = rng, body, renderer, body.pose.tilt_matrix
        self.floor, self.seat = body.low, self.bone('pelvis.L')[1][1] - 1.15
        self.pelvis = self.bone('pelvis.L')[1]
        self.kps = body.kps @ self.tilt.T

    def bone(self, name):
        G, p = self.renderer.bone(self.body, name)
        return self.tilt @ G, self.tilt @ p

    def hand(self, s):
        """Middle of the palm, direction of the fingers, axis across the palm."""
        rest = self.body.pose.rest
        G, p = self.bone(f'wrist.{s}')
        fingers = G @ unit(rest(f'finger3-1.{s}') - rest(f'wrist.{s}'))
        across = G @ unit(rest(f'finger2-1.{s}') - rest(f'finger5-1.{s}'))
        return p + fingers * .85 + cross(fingers, across) * (.15 if s == 'L' else -.15), fingers, across

    def u(self, a, b):
        return self.rng.uniform(a, b)

    def colour(self):
        return palette.thing(self.rng)

    def bright(self):
        return palette.hsv(self.rng.rand(), self.rng.uniform(.3, .95), self.rng.uniform(.5, 1.))


def build(mesh, place, things):
    """Adds every thing of a list of (name, options) that has a builder."""
    for name, options in things:
        if name in BUILDERS:
            BUILDERS[name](mesh, place, **options)


# -------------------------------------------------------------------- held
@builder()
def phone(m, p, hand, at_ear=False):
    c, fingers, across = p.hand(hand)
    size = np.array([.7, 1.4, .1])
    turn = turn_to(across if not at_ear else unit(np.array([0, 1, -.3])), fingers)
    m.box(c + fingers * .1, size, palette.hsv(.6, .1, p.u(.03, .25)) if p.rng.rand() < .8 else p.bright(), turn, spec=.3)


@builder('remote')
def remote(m, p, hand):
    c, fingers, _ = p.hand(hand)
    if p.rng.rand() < .5:                               # game controller
        m.box(c + fingers * .3, (.45, 1.6, .35), palette.hsv(0, 0, p.u(.7, 1)), turn_to(fingers), spec=.2)
    else:
        m.box(c + fingers * .4, (.5, 1.9, .2), palette.hsv(0, 0, p.u(.03, .3)), turn_to(fingers))


@builder()
def controller(m, p, hand):
    a, b = p.hand('L')[0], p.hand('R')[0]
    m.box((a + b) / 2, (max(length(a - b), .8) * .9, .45, .8), palette.hsv(0, 0, p.u(.03, .9)))


@builder()
def camera(m, p, hand):
    a, b = p.hand('L')[0], p.hand('R')[0]
    c, k = (a + b) / 2, palette.hsv(0, 0, p.u(.03, .2))
    m.box(c, (1.3, .95, .6), k, spec=.15)
    m.bar(c + [0, 0, .2], c + [0, 0, p.u(.6, 1.4)], .36, k, spec=.3)


@builder('cup', 'glass', 'bottle')
def vessel(m, p, hand):
    c, _, across = p.hand(hand)
    up = unit(np.array([p.rng.normal(0, .2), 1, p.rng.normal(0, .2)]))
    r, h = p.u(.3, .48), p.u(.8, 2.2)
    k = p.colour() if p.rng.rand() < .6 else palette.hsv(p.u(0, 1), .25, .8)
    m.bar(c - up * h * .4, c + up * h * .4, r, k, spec=.3)
    if h > 1.6:
        m.bar(c + up * h * .4, c + up * h * .65, r * .4, k, spec=.3)


@builder('plate', 'pan')
def plate(m, p, hand):
    c, fingers, _ = p.hand(hand)
    c = c + fingers * .9 + [0, .15, 0]
    m.ball(c, (p.u(.9, 1.5), .12, p.u(.9, 1.4)), palette.hsv(.1, .05, p.u(.5, 1)), spec=.2)
    food_on(m, p, c + [0, .15, 0])


def food_on(m, p, c):
    for _ in range(p.rng.randint(1, 5)):
        m.ball(c + p.rng.uniform(-.5, .5, 3) * [1, .1, 1], p.rng.uniform(.15, .5, 3) * [1, .6, 1],
               palette.hsv(p.rng.choice([.05, .09, .12, .28]), p.u(.4, .9), p.u(.3, .95)))


@builder('food')
def food(m, p, hand):
    c, fingers, _ = p.hand(hand)
    if p.rng.rand() < .5:                               # sandwich, hot dog, banana
        m.ball(c + fingers * .3, (.35, .9, .35), palette.hsv(p.u(.06, .14), p.u(.4, .8), p.u(.5, .95)), turn_to(p.hand(hand)[2]))
    else:
        m.ball(c + fingers * .3, p.u(.25, .6), palette.hsv(p.rng.choice([0, .08, .12, .28, .95]), p.u(.4, .9), p.u(.4, .95)))


@builder('spoon', 'knife')
def cutlery(m, p, hand):
    c, fingers, across = p.hand(hand)
    d = unit(fingers + across * p.rng.normal(0, .6))
    m.bar(c - d * .5, c + d * 1.3, .07, palette.hsv(.6, .03, p.u(.4, .9)), spec=.5)
    m.ball(c + d * 1.4, (.16, .35, .06), palette.hsv(.6, .03, p.u(.4, .9)), turn_to(d), spec=.5)


@builder()
def book(m, p, hand):
    c, fingers, _ = p.hand(hand)
    turn = rot(X, -35 + p.rng.normal(0, 20)) @ rot(Y, p.rng.normal(0, 15))
    m.box(c + [0, .6, .2], (1.5, 2., .25), p.bright() if p.rng.rand() < .6 else palette.hsv(.1, .05, .95), turn)


@builder('box')
def small_box(m, p, hand):
    c, fingers, _ = p.hand(hand)
    m.box(c + fingers * .5, p.rng.uniform(.5, 2.2, 3), p.bright() if p.rng.rand() < .5 else p.colour(), rot(Y, p.u(-60, 60)))


@builder()
def carton(m, p):
    c = (p.hand('L')[0] + p.hand('R')[0]) / 2
    w = length(p.hand('L')[0] - p.hand('R')[0])
    m.box(c + [0, .3, .3], (max(w, 1.), p.u(.6, 3), p.u(.8, 3)), p.colour())


@builder()
def flower(m, p, hand):
    c, _, across = p.hand(hand)
    for _ in range(6):
        tip = c + np.array([0, 1.6, 0]) + p.rng.normal(0, .5, 3)
        m.bar(c, tip, .04, palette.hsv(.3, .6, .4))
        m.ball(tip, .3, p.bright())


@builder()
def umbrella(m, p, hand):
    c, _, _ = p.hand(hand)
    up = unit(np.array([p.rng.normal(0, .25), 1, p.rng.normal(0, .25)]))
    top = c + up * p.u(5., 7.5)
    r = p.u(4, 6.5)
    k, k2 = p.bright() if p.rng.rand() < .6 else palette.hsv(0, 0, p.u(.03, .2)), p.bright()
    gores = np.where((np.arange(5 * 17) % 17 // 2 % 2 == 0)[:, None], k, k2 if p.rng.rand() < .5 else k)
    m.add(DOME, turn_to(up) * [r, r * .45, r], top - up * r * .42, gores)
    m.bar(c - up * 1., top, .08, palette.hsv(0, 0, .4), spec=.3)


@builder()
def pole(m, p, hand):
    c, _, _ = p.hand(hand)
    tip = np.array([c[0] * 1.1 + p.rng.normal(0, .8), p.floor + p.u(-.2, 2), c[2] - p.u(-1, 5)])
    d = unit(c - tip)
    k = p.bright() if p.rng.rand() < .5 else palette.hsv(0, 0, p.u(.05, .7))
    m.bar(tip, c + d * .8, .08, k, spec=.2)
    m.ring(tip + d * .7, .35, d, k * .5)


@builder()
def racket(m, p, hand):
    c, fingers, across = p.hand(hand)
    d = unit(across * (1 if p.rng.rand() < .85 else -1) + fingers * p.u(0, .9))
    k = p.bright() if p.rng.rand() < .6 else palette.hsv(0, 0, p.u(.05, .9))
    m.bar(c - d * .5, c + d * 3., .14, k * .4)
    centre, n = c + d * 4.6, unit(cross(d, fingers))
    m.ring(centre, 1.6, n, k, squash=.78, along=d, spec=.2)
    side = unit(cross(n, d))
    for i in np.linspace(-.8, .8, 5):
        half = np.sqrt(1 - i * i) * .98
        m.bar(centre + side * i * 1.25 - d * 1.6 * half, centre + side * i * 1.25 + d * 1.6 * half, .025, palette.hsv(0, 0, .8))
        m.bar(centre + d * i * 1.6 - side * 1.25 * half, centre + d * i * 1.6 + side * 1.25 * half, .025, palette.hsv(0, 0, .8))


@builder()
def bat(m, p, hand, aim):
    c, _, _ = p.hand(hand)
    d = unit(np.array(aim))
    k = palette.hsv(.08, .5, p.u(.4, .8)) if p.rng.rand() < .4 else p.colour()
    m.bar(c - d * .5, c + d * 3.2, .17, k * .6)
    m.bar(c + d * 3.2, c + d * 7., .32, k, spec=.2)
    m.ball(c + d * 7., .32, k)


@builder()
def mitt(m, p, hand):
    c, fingers, across = p.hand(hand)
    m.ball(c + fingers * .3, (1.05, 1.35, .6), palette.hsv(.07, p.u(.4, .7), p.u(.15, .6)), turn_to(fingers, across))


@builder()
def ball(m, p, hand=None, near_foot=None, size=.5):
    if hand:
        c, fingers, _ = p.hand(hand)
        c = c + fingers * (.4 + p.rng.choice([0, p.u(0, 6)]))
    else:
        c = p.kps[15 if near_foot == 'L' else 16] + [p.rng.normal(0, .8), p.u(-.6, 1.5), p.u(1.2, 5)]
    m.ball(c, size, p.bright() if p.rng.rand() < .5 else palette.hsv(.12, .1, .95))


@builder()
def frisbee(m, p, hand):
    c, fingers, across = p.hand(hand)
    m.ball(c + fingers * (1.1 + p.rng.choice([0, p.u(0, 8)])), (1.3, .12, 1.3), p.bright(), rot(Z, p.u(-60, 60)) @ rot(X, p.u(-60, 60)))


@builder('bag', 'suitcase')
def bag(m, p, hand):
    c, _, _ = p.hand(hand)
    k = p.colour() if p.rng.rand() < .6 else palette.cloth(p.rng)
    size = p.rng.uniform((2, 1.8, .8), (3.8, 3.4, 1.4))
    drop = p.u(.6, 1.8)
    if p.rng.rand() < .35:                              # shoulder bag: strap across the trunk
        side = 5 if hand == 'R' else 6
        c = p.kps[11 if hand == 'L' else 12] + [(.8 if hand == 'L' else -.8), .3, p.rng.normal(0, .6)]
        m.bar(p.kps[side] + [0, .3, .6], c + [0, .5, .9], .13, k * .6)
        m.box(c, size * .75, k, rot(Y, 90 + p.rng.normal(0, 15)))
        return
    m.box(c - [0, drop + size[1] / 2, 0], size, k, rot(Y, 90 + p.rng.normal(0, 20)))
    for q in (-.5, .5):
        m.bar(c, c - [q * .3, drop, q * size[0] * .7], .08, k * .6)


@builder()
def backpack(m, p):
    G, c = p.bone('spine02')
    k = palette.cloth(p.rng)
    size = p.rng.uniform((2.2, 3.2, 1.), (3.4, 5.2, 2.2))
    m.ball(c + G @ np.array([0, .3, -1.2 - size[2] / 2]), size * [.56, .56, .6], k, G)
    m.box(c + G @ np.array([0, -.3, -1.3 - size[2] * .9]), size * [.6, .4, .3], k * .7, G)
    for q in (5, 6):
        a = p.kps[q]
        toward = np.sign(.001 + (p.kps[5] - p.kps[6]) @ (G[:, 0])) * (1 if q == 6 else -1)
        a = a + G[:, 0] * toward * .55
        m.bar(a + G @ np.array([0, .45, -.6]), a + G @ np.array([0, .35, .95]), .2, k * .5)
        m.bar(a + G @ np.array([0, .35, .95]), a + G @ np.array([0, -2.3, 1.15]), .2, k * .5)


@builder()
def laptop(m, p, at):
    at, k = np.array(at), palette.hsv(.6, .03, p.rng.choice([.08, .5, .8]))
    m.box(at, (3.3, .15, 2.3), k)
    m.box(at + [0, 1.05, 1.3], (3.3, 2.2, .12), k, rot(X, 18), spec=.2)


# --------------------------------------------------------------- furniture
def legs(m, x, z, top, floor, r, colour, cx=0., cz=0.):
    for a in (-x, x):
        for b in (-z, z):
            m.bar([cx + a, floor, cz + b], [cx + a, top, cz + b], r, colour)


@builder('chair', 'stool')
def chair(m, p):
    k = p.colour()
    c, w = p.pelvis, p.u(1.9, 2.5)
    top = p.seat
    m.box([c[0], top - .2, c[2] + .5], (2 * w, .4, 2 * w), k)
    legs(m, w * .9, w * .9, top - .2, min(p.floor, top - 3), p.u(.08, .22), k * .7, c[0], c[2] + .5)
    back = c[2] + .5 - w
    h, kind = p.u(3, 6), p.rng.randint(3)
    if kind == 0:
        m.box([c[0], top + h * .55, back], (2 * w, h * .9, .25), k, rot(X, -8))
    else:
        for x in (-w * .9, w * .9):
            m.bar([c[0] + x, top, back], [c[0] + x, top + h, back - h * .13], .17, k * .8)
        for i in np.linspace(.35, 1, 3):
            m.box([c[0], top + h * i, back - h * .13 * i], (1.9 * w, .45, .15), k)
    if p.rng.rand() < .3:                               # arm rests
        for x in (-w, w):
            m.box([c[0] + x, top + 2., c[2] + .5], (.3, .25, 2 * w), k * .8)


@builder()
def bench(m, p):
    k, c = p.colour(), p.pelvis
    w, x0 = p.u(9, 20), p.u(-5, 5)
    for z in (-1.2, -.1, 1.):
        m.box([c[0] + x0, p.seat - .15, c[2] + .6 + z], (w, .25, .95), k)
    for x in (-.42, .42):
        m.box([c[0] + x0 + x * w, (p.seat + p.floor) / 2, c[2] + .5], (.4, max(p.seat - p.floor, 1), 2.8), k * .5)
    if p.rng.rand() < .7:
        for i in (1.4, 2.6, 3.8):
            m.box([c[0] + x0, p.seat + i, c[2] - 1.5 - .15 * i], (w, .85, .2), k)


@builder()
def sofa(m, p):
    k = palette.cloth(p.rng) if p.rng.rand() < .7 else palette.hsv(.07, .5, p.u(.1, .5))
    c, w, x0 = p.pelvis, p.u(8, 18), p.u(-3, 3)
    m.box([c[0] + x0, p.seat - 1., c[2] + 1.], (w, 2., 5.5), k)
    m.box([c[0] + x0, p.seat + 1.6, c[2] - 2.3], (w, 5.4, 1.5), k, rot(X, -10))
    for q in (-.5, .5):
        m.box([c[0] + x0 + q * (w + 1.2), p.seat + .3, c[2] + .8], (1.3, 3.6, 5.6), k)
    for _ in range(p.rng.randint(0, 3)):
        m.ball([c[0] + x0 + p.u(-.4, .4) * w, p.seat + 1.3, c[2] - 1.1], (1.5, 1.4, .6), palette.cloth(p.rng), rot(Z, p.u(-30, 30)))


@builder()
def tiers(m, p, pitch, rise, gap):
    """Rows of seats: one bench or single seats, with or without backs."""
    k, c = p.colour() if p.rng.rand() < .5 else p.bright(), p.pelvis
    back = p.rng.uniform(1.5, 4.) if p.rng.rand() < .7 else 0
    single = p.rng.rand() < .5
    for row in (1, 0, -1):
        y, z = p.seat - row * rise, c[2] + .5 + row * pitch
        for x in ((-2, -1, 0, 1, 2) if single else (0,)):
            at, w = c[0] + x * gap + (row % 2) * gap / 2, .85 * gap if single else 6 * gap
            m.box([at, y - .15, z], (w, .3, 3.2), k)
            if back:
                m.box([at, y + back * .55, z - 1.7], (w, back, .25), k * .9, rot(X, -8))


@builder()
def bed(m, p):
    k = palette.hsv(p.u(0, 1), p.u(0, .4), p.u(.5, 1))
    kps = p.kps
    c = kps[[5, 6, 11, 12, 13, 14]].mean(0)
    m.box([c[0], p.floor - 1., c[2]], (p.u(10, 18), 2., 22), k)
    m.ball([kps[0][0], p.floor + .3, kps[0][2]], (2.6, .8, 1.8), palette.hsv(.1, p.u(0, .1), .95))


@builder()
def table(m, p, height, ahead, deep=6., wide=11., laid=False, solid=False, screen=False):
    k = p.colour() if p.rng.rand() < .75 else palette.hsv(p.u(0, 1), p.u(0, .6), p.u(.6, 1))
    cz = p.pelvis[2] + ahead + deep / 2
    cx = p.pelvis[0] + p.rng.normal(0, wide * .12)
    if solid:
        m.box([cx, (height + p.floor) / 2, cz], (wide, max(height - p.floor, .5), deep), k)
    else:
        m.box([cx, height - .15, cz], (wide, .3, deep), k, spec=.1)
        legs(m, wide * .45, deep * .42, height - .2, min(p.floor, height - 4), .25, k * .6, cx, cz)
        if p.rng.rand() < .25:                          # table cloth
            m.box([cx, height - 1.4, cz - deep / 2], (wide, 2.6, .1), k)
    if laid:
        lay(m, p, cx, cz, height, wide, deep)
    if screen:
        x = cx + p.rng.normal(0, 1)
        if p.rng.rand() < .6:
            laptop(m, p, (x, height + .1, cz - deep / 2 + 2.2))
        else:
            m.box([x, height + 2.2, cz + deep * .2], (4.5, 3., .3), palette.hsv(0, 0, .06), spec=.2)


def lay(m, p, cx, cz, y, wide, deep):
    """Plates, glasses, bottles and food on a table."""
    for _ in range(p.rng.randint(2, 9)):
        c = np.array([cx + p.u(-.42, .42) * wide, y, cz + p.u(-.45, .3) * deep])
        q = p.rng.rand()
        if q < .4:
            m.ball(c + [0, .08, 0], (p.u(.8, 1.5), .12, p.u(.8, 1.5)), palette.hsv(.1, p.u(0, .1), p.u(.7, 1)), spec=.2)
            food_on(m, p, c + [0, .25, 0])
        elif q < .75:
            h, r = p.u(.8, 2.8), p.u(.25, .5)
            m.bar(c, c + [0, h, 0], r, p.colour() if p.rng.rand() < .5 else palette.hsv(p.u(0, 1), .3, .8), spec=.4)
            if h > 2:
                m.bar(c + [0, h, 0], c + [0, h * 1.3, 0], r * .35, p.colour(), spec=.4)
        elif q < .9:
            m.box(c + [0, .3, 0], p.rng.uniform(.4, 2., 3) * [1, .5, 1], p.bright() if p.rng.rand() < .5 else p.colour(), rot(Y, p.u(0, 90)))
        else:                                           # cake
            m.bar(c, c + [0, p.u(.6, 1.2), 0], p.u(1, 1.6), palette.hsv(p.rng.choice([.05, .1, .95]), p.u(.1, .6), p.u(.4, 1)))


# ------------------------------------------------------------------ boards
def foot(p, s):
    """Point on the ground under a foot and the foot's direction."""
    G, a = p.bone(f'foot.{s}')
    return a + G @ np.array([0, -.6, .5]), unit(G @ np.array([0, -.2, 1.]))


@builder()
def skis(m, p):
    k = p.bright() if p.rng.rand() < .6 else palette.hsv(0, 0, p.u(.1, .9))
    for s in 'LR':
        a, d = foot(p, s)
        n = p.u(6.5, 9)
        m.box(a + d * n * .12, (.75, .18, 2 * n * .75), k, _along(d), spec=.2)
        m.box(a + [0, .5, 0], (.9, 1., 2.5), k * .4, _along(d))


def _along(d):
    """Rotation with z along d and y upwards."""
    x = unit(cross(Y, d))
    return np.stack([x, cross(d, x), d], 1)


@builder('snowboard', 'surfboard', 'skateboard')
def board(m, p, front, **_):
    a, b = foot(p, front)[0], foot(p, 'R' if front == 'L' else 'L')[0]
    d = unit(a - b)
    name = p.body.pose.board
    c, turn = (a + b) / 2, _along(d)
    if name == 'skateboard':
        m.box(c - turn[:, 1] * .15, (2., .15, 8), p.colour(), turn)
        for z in (-2.6, 2.6):
            for x in (-.7, .7):
                m.ball(c + turn @ np.array([x, -.55, z]), .3, palette.hsv(.1, .1, p.u(.3, 1)))
    elif name == 'snowboard':
        m.ball(c - turn[:, 1] * .1, (1.4, .15, 7.6), p.bright(), turn)
    else:
        m.ball(c - turn[:, 1] * .2, (2.6, .35, p.u(9, 14)), palette.hsv(p.u(0, 1), p.rng.choice([.05, .5]), p.u(.6, 1)), turn, spec=.2)


# ---------------------------------------------------------------- vehicles
@builder()
def bicycle(m, p):
    k, dark = p.bright() if p.rng.rand() < .6 else p.colour(), palette.hsv(0, 0, .06)
    hip, feet = p.pelvis, (foot(p, 'L')[0] + foot(p, 'R')[0]) / 2
    seat, crank = np.array([0, p.seat, hip[2] - .2]), np.array([0, feet[1] + .3, feet[2] - .3])
    hands = (p.hand('L')[0] + p.hand('R')[0]) / 2
    r = 3.3
    rear, fore = crank + [0, .6, -4.2], np.array([0, crank[1] + .6, max(hands[2] + .6, crank[2] + 4.)])
    for w in (rear, fore):
        m.ring(w, r, X, dark, tyre=False)
        m.ring(w, r * .96, X, palette.hsv(0, 0, .5))
        for t in np.arange(4) * np.pi / 4:
            q = np.array([0, np.cos(t), np.sin(t)]) * r
            m.bar(w - q, w + q, .03, palette.hsv(0, 0, .6))
    head = np.array([0, hands[1] - .6, hands[2] - .3])
    for a, b in ((seat, crank), (crank, head), (seat - [0, .8, 0], head), (crank, rear), (seat - [0, .8, 0], rear), (head + [0, .4, 0], fore)):
        m.bar(a, b, .16, k, spec=.2)
    m.box(seat + [0, .05, 0], (1.1, .3, 2.2), dark)
    m.bar(p.hand('L')[0], p.hand('R')[0], .14, dark)
    for s in 'LR':
        m.box(foot(p, s)[0] - [0, .15, 0], (.8, .2, .8), dark)


@builder()
def motorbike(m, p):
    k, dark, metal = p.bright() if p.rng.rand() < .5 else p.colour(), palette.hsv(0, 0, .06), palette.hsv(.6, .03, .6)
    seat, hands = np.array([0, p.seat, p.pelvis[2]]), (p.hand('L')[0] + p.hand('R')[0]) / 2
    r = 3.
    base = min(p.floor, p.seat - 4.5) - .8
    rear, fore = np.array([0, base + r, seat[2] - 3.4]), np.array([0, base + r, max(hands[2] + 3., seat[2] + 6)])
    for w in (rear, fore):
        m.ring(w, r, X, dark, tyre=True)
        m.ball(w, (.45, 1.2, 1.2), metal, spec=.4)
        m.ball(w + [0, 1.2, -.2], (.6, 2.4, 2.8), k, spec=.3)
    m.ball(seat + [0, -.3, -.8], (1.2, .7, 3.4), dark)
    m.ball(seat + [0, .3, 2.8], (1.3, 1.1, 2.1), k, spec=.4)
    m.box(seat + [0, -2.4, 1.6], (1.6, 2.6, 3.2), metal * .4, spec=.3)
    m.bar(hands, fore, .3, metal, spec=.5)
    m.bar(p.hand('L')[0] + [.4, 0, 0], p.hand('R')[0] - [.4, 0, 0], .17, dark)
    m.ball(hands + [0, -.8, 1.], (1., .9, .7), metal, spec=.6)
    m.bar(rear + [1., -.3, 3], rear + [1., -.3, -1.6], .35, metal, spec=.5)
    if p.rng.rand() < .4:                               # windscreen and fairing
        m.ball(hands + [0, -.4, 1.4], (1.6, 2., .8), k, spec=.4)


@builder()
def horse(m, p):
    k = palette.hsv(p.u(.03, .1), p.u(.1, .7), p.rng.choice([.2, .4, .6, .85]))
    c = np.array([0, p.seat - 2.1, p.pelvis[2] - .6])
    m.ball(c, (2.3, 2.4, 6.6), k)
    m.ball(c + [0, .3, -5], (2.1, 2.3, 2.6), k)
    m.ball(c + [0, .2, 4.6], (1.9, 2.4, 2.4), k)
    poll = c + [p.rng.normal(0, .8), p.u(4.2, 6.5), p.u(8.6, 10.)]
    for i in np.linspace(0, 1, 7):
        q = (c + [0, 1., 5.4]) * (1 - i) + poll * i
        m.ball(q, (1.1 - .25 * i, 1.7 - .5 * i, 1.7 - .5 * i), k)
        m.ball(q + [0, .8 - .2 * i, -1.], (.3, 1.1, .9), k * .25)
    m.ball(poll + [0, -.9, 1.4], (.75, 1.9, .95), k, rot(X, -38))
    for x in (-.45, .45):
        m.bar(poll + [x, .5, 0], poll + [x, 1.4, .1], .22, k)
    for x, z in ((-1.1, 4.6), (1.1, 4.6), (-1.1, -5), (1.1, -5)):
        knee = c + [x, -4., z + p.rng.normal(0, 1)]
        m.bar(c + [x, -.5, z], knee, .75, k)
        m.bar(knee, knee + [0, -4.5, p.rng.normal(0, 1.2)], .42, k * p.u(.3, 1))
    m.ball(c + [0, -1., -7.6], (.5, 2.8, .6), k * .3)
    m.ball(c + [0, 2.2, .5], (1.8, .5, 2.2), palette.hsv(.07, .5, .2))
    for s in 'LR':
        m.bar(p.hand(s)[0], poll + [0, -1.8, 1.9], .06, palette.hsv(.07, .5, .15))


# ------------------------------------------------------------- on the head
@builder()
def brim(m, p, colour, edge, wide=False):
    """The peak of a cap, sometimes worn backwards, or the brim of a hat; edge: height of the hat's edge on the resting body."""
    G, c = p.bone('head')
    cols = 13
    if wide:
        angle, reach, droop, wave = np.linspace(0, 2 * np.pi, 2 * cols), p.u(.5, 1.5), p.u(-.2, .5), p.u(0, .15)
        long = np.full(2 * cols, reach)
    else:
        angle, droop, wave = np.linspace(-1.25, 1.25, cols), p.u(.1, .4), 0
        long = p.u(.8, 1.2) * np.maximum(np.cos(angle * 1.25), 0) ** .6
    t = np.linspace(0, 1, 4)[:, None]
    side, ahead = np.sin(angle), np.cos(angle)
    x, z = side * .78 + t * long * side * (1 if wide else .3), ahead * .98 + t * long * ahead
    y = -droop * t * long - (0 if wide else .28) * side ** 2 * (.4 + t) + wave * t * np.sin(2 * angle + p.u(0, 6))
    turn = G @ rot(X, 10) @ (rot(Y, 180) if not wide and p.rng.rand() < .12 else np.eye(3))
    v = np.stack([x, y, z], -1).reshape(-1, 3)
    n = np.tile([0, 1., 0], (len(v), 1)) + np.stack([.6 * x, 0 * y, .2 * z], -1).reshape(-1, 3) * droop
    m.add((v, n, grid(4, len(angle))), turn, c + G @ np.array([0, edge - 6.6, .3]), colour)


@builder()
def bun(m, p, colour, kind):
    G, c = p.bone('head')
    if kind == 'bun':
        at, r = c + G @ np.array([p.rng.normal(0, .1), p.u(.6, 1.9), -1.1]), p.u(.35, .55)
        for k in range(3):                              # coils
            m.ball(at + G @ p.rng.normal(0, .1, 3), r * p.rng.uniform(.8, 1.1, 3), colour * p.u(.8, 1.25), G, spec=.08)
    elif kind == 'tails':
        for x in (-1, 1):
            tail(m, p, G, c + G @ np.array([x * 1., .5, -.35]), np.array([x * .3, 0, 0]), colour, p.u(.9, 2.2))
    else:
        tail(m, p, G, c + G @ np.array([0, p.u(.6, 1.4), -.85]), np.array([0, .15, -.45]), colour, p.u(1., 3.))


def tail(m, p, G, start, out, colour, length):
    """Bound hair: strands that leave the head and hang down together."""
    strands, rows, cols = 6, 5, 6
    m.ball(start + G @ out * .3, .17, p.bright() if p.rng.rand() < .4 else colour * .5)
    t = np.linspace(0, 1, rows)[None, :, None]
    spread, sway = p.rng.normal(0, .08, (strands, 1, 3)), p.rng.normal(0, .12, 3)
    middle = start + G @ out * np.minimum(2.2 * t, 1.2) + spread * (1 + 1.2 * t) + (sway - [0, 1, 0]) * length * t ** 1.4
    radius = p.rng.uniform(.14, .22, (strands, 1, 1)) * (1.1 - .8 * t)
    around = np.linspace(0, 2 * np.pi, cols)
    n = np.stack([np.cos(around), 0 * around, np.sin(around)], -1)
    v = (middle[:, :, None] + radius[..., None] * n).reshape(-1, 3)
    tone = np.repeat(p.rng.uniform(.7, 1.35, strands), rows * cols)[:, None] * colour
    tri = np.concatenate([grid(rows, cols) + rows * cols * k for k in range(strands)])
    m.add((v, np.tile(n, (strands * rows, 1)), tri), np.eye(3), 0., tone, spec=.08)


@builder()
def blanket(m, p, upto):
    """Cloth that lies over the legs, up to a height of the resting body."""
    rest = p.renderer.arrays['attrs'][:13380:3]
    below = (rest[:, 4] < upto) & (rest[:, 0] < .5)
    v = (p.body.verts[:13380:3] @ p.tilt.T)[below]
    low, high = v.min(0)[[0, 2]] - p.u(.3, 2.5), v.max(0)[[0, 2]] + p.u(.1, .6)
    n = 22
    cell = ((v[:, [0, 2]] - low) / (high - low) * n).astype(int).clip(0, n - 1)
    h = np.full((n, n), p.floor, np.float32)
    np.maximum.at(h, (cell[:, 0], cell[:, 1]), v[:, 1])
    h = cv2.dilate(h, np.ones((3, 3), np.uint8)) + .1
    h = np.maximum(cv2.GaussianBlur(h, (0, 0), 1.1), h - .15)
    folds = cv2.resize(p.rng.normal(0, .13, (9, 9)).astype(np.float32), (n, n), interpolation=cv2.INTER_CUBIC)
    h += np.abs(folds)
    step = (high - low) / (n - 1)
    x, z = np.meshgrid(low[0] + step[0] * np.arange(n), low[1] + step[1] * np.arange(n), indexing='ij')
    dx, dz = np.gradient(h, *step)
    normals = np.stack([-dx, np.ones_like(h), -dz], -1).reshape(-1, 3)
    tone = palette.cloth(p.rng) * (1 + .1 * p.rng.normal(size=(n * n, 1))) if p.rng.rand() < .7 else palette.cloth(p.rng)
    m.add((np.stack([x, h, z], -1).reshape(-1, 3), normals, grid(n, n)[:, ::-1]), np.eye(3), 0., tone, spec=.02)
