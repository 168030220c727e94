"""What people in photographs do: whole-body poses with correlated limbs, the things they use, and how often.

Every function poses one Skeleton. ACTIVITIES maps a name to (function, weight).
"""
import numpy as np

from chance import pick
from geometry import unit
from skeleton import SIDES

ACTIVITIES = {}


def activity(weight):
    def register(f):
        ACTIVITIES[f.__name__] = (f, weight)
        return f
    return register


def other(s):
    return 'R' if s == 'L' else 'L'


# ----------------------------------------------------------------------- parts
def relaxed_trunk(p, lean=2., bend=4., spread=1.):
    p.tilt(p.n(lean, 4 * spread), p.n(0, 3 * spread))
    p.trunk(p.n(bend, 7 * spread), p.n(0, 5 * spread), p.n(0, 9 * spread))
    look(p)


def look(p, down=0., yaw=24.):
    p.head(p.n(0, yaw), p.n(4 + down, 11) - 0.25 * p.bend, p.n(0, 6))


def stand_legs(p, width=0.):
    weight_on = p.rng.choice(['L', 'R', 'both'])
    for s, _ in SIDES:
        free = weight_on not in (s, 'both')
        p.leg(s, p.n(6 if free else 1, 5), p.n(1 + width, 4), p.n(7, 8), abs(p.n(14 if free else 3, 6)))


def hang_arm(p, s):
    p.arm(s, abs(p.n(9, 7)), p.n(25, 45), p.n(5, 20), abs(p.n(16, 12)))


def casual_arm(p, s, low=1.):
    """An arm with nothing particular to do."""
    k = pick(p.rng, range(8), [.38, .12, .12, .10, .09, .07, .06, .06])
    if k == 0:
        hang_arm(p, s)
    elif k == 1:                                        # hand on the hip or in a pocket
        if p.chance(.5):
            p.reach(s, p.anchor('hip', s), pole=[(1 if s == 'L' else -1), .1, p.n(-.4, .3)], grip=25)
        else:
            p.arm(s, p.n(14, 4), p.n(-25, 15), p.n(35, 12), p.n(35, 8), grip=20)
    elif k == 2:
        p.reach(s, p.anchor('belly', s) + p.rng.normal(0, .5, 3))
    elif k == 3:                                        # gesture
        p.reach(s, p.anchor('chest', s) + np.array([(1 if s == 'L' else -1) * p.u(0, 1.8), p.n(0, .8), p.u(.3, 2.2)]))
    elif k == 4:
        p.arm(s, p.n(30, 14), p.n(70, 25), p.n(20, 20), p.n(80, 25))
    elif k == 5:                                        # behind the back
        p.arm(s, p.n(28, 8), p.n(-75, 15), p.n(20, 15), p.n(50, 20))
    elif k == 6:
        p.reach(s, p.anchor(p.rng.choice(['mouth', 'eye', 'ear', 'top']), s) + p.rng.normal(0, .2, 3))
    else:
        p.arm(s, p.n(75, 28), p.n(35, 35), p.n(10, 30), p.n(30, 25))


def casual_arms(p):
    k = p.rng.rand()
    if k < .10:                                         # crossed
        for s, sign in SIDES:
            p.reach(s, p.anchor('chest', s) * [0, 1, 1] + np.array([-sign * p.u(.6, 1.1), p.n(-.7, .25), .1]), grip=30)
    elif k < .20:                                       # hands joined
        at = p.middle('belly') + np.array([0, p.n(-.7, .9), p.u(0, .4)])
        for s, sign in SIDES:
            p.reach(s, at + np.array([sign * .35, 0, 0]))
    elif k < .26:                                       # both on the hips
        for s, sign in SIDES:
            p.reach(s, p.anchor('hip', s), pole=[sign, .1, p.n(-.4, .3)], grip=25)
    elif k < .62:
        for s, _ in SIDES:
            hang_arm(p, s)
    else:
        for s, _ in SIDES:
            casual_arm(p, s)


def hold_arm(p, s, thing, where=None, **options):
    """Forearm forward with something in the hand."""
    sign = 1 if s == 'L' else -1
    at = where if where is not None else p.anchor(p.rng.choice(['belly', 'chest']), s) + np.array([sign * p.u(-1.6, 1.2), p.n(0, .6), p.u(.2, 1.5)])
    p.reach(s, at, grip=options.pop('grip', 55))
    p.thing(thing, hand=s, **options)


def both_hands(p, at, apart=.5, pole=None, grip=60):
    for s, sign in SIDES:
        p.reach(s, np.asarray(at) + np.array([sign * apart / 2, 0, 0]), grip=grip,
                pole=None if pole is None else np.asarray(pole) * [sign, 1, 1])


def sit_legs(p, knees=86., apart=8.):
    k = p.rng.rand()
    for s, sign in SIDES:
        flex = p.n(82, 7)
        p.leg(s, flex, p.n(apart, 7), p.n(4, 8), p.n(knees, 14))
    if k < .14:                                         # one over the other
        s = p.rng.choice(['L', 'R'])
        p.leg(s, p.n(98, 5), p.n(-8, 4), p.n(-6, 5), p.n(75, 15), flat=False)
    elif k < .22:                                       # ankle on the knee
        s = p.rng.choice(['L', 'R'])
        p.leg(s, p.n(92, 5), p.n(15, 5), p.n(48, 8), p.n(112, 8), flat=False)
    elif k < .32:                                       # stretched
        for s, _ in SIDES:
            p.leg(s, p.n(72, 8), p.n(6, 5), p.n(5, 6), p.n(35, 14))
    p.posture = 'sit'


# ------------------------------------------------------------------- standing
@activity(15)
def stand(p):
    relaxed_trunk(p)
    stand_legs(p)
    casual_arms(p)
    if p.chance(.15):
        p.thing('bag', hand=p.rng.choice(['L', 'R']))
    if p.chance(.10):
        p.thing('backpack')


@activity(8)
def hold(p):
    relaxed_trunk(p)
    stand_legs(p)
    s = p.rng.choice(['L', 'R'])
    casual_arm(p, other(s))
    hold_arm(p, s, p.rng.choice(['phone', 'cup', 'bottle', 'plate', 'book', 'box', 'remote', 'glass', 'flower']))
    look(p, down=12)


@activity(3)
def telephone(p):
    relaxed_trunk(p)
    (stand_legs if p.chance(.7) else sit_legs)(p)
    s = p.rng.choice(['L', 'R'])
    casual_arm(p, other(s))
    hold_arm(p, s, 'phone', where=p.anchor('ear', s) + np.array([0, -.5, .1]), at_ear=True)
    if p.posture == 'sit':
        p.thing('chair')


@activity(3)
def photograph(p):
    relaxed_trunk(p)
    stand_legs(p)
    if p.chance(.6):
        at = p.middle('eye') + np.array([0, p.n(-.6, .3), p.u(0, 2.)])
        both_hands(p, at, apart=1.2)
        p.thing('camera', hand='R')
    else:                                               # self portrait
        s = p.rng.choice(['L', 'R'])
        casual_arm(p, other(s))
        p.arm(s, p.n(95, 12), p.n(70, 15), 0, p.n(18, 10), grip=40)
        p.thing('phone', hand=s)


@activity(3)
def umbrella(p):
    relaxed_trunk(p)
    (walk_legs if p.chance(.5) else stand_legs)(p)
    s = p.rng.choice(['L', 'R'])
    casual_arm(p, other(s))
    sign = 1 if s == 'L' else -1
    hold_arm(p, s, 'umbrella', where=p.anchor('chest', s) + np.array([sign * .4, p.n(-.3, .4), .3]), grip=80)


@activity(3)
def embrace(p):
    """An arm round somebody beside."""
    relaxed_trunk(p)
    stand_legs(p)
    s = p.rng.choice(['L', 'R'])
    sign = 1 if s == 'L' else -1
    casual_arm(p, other(s))
    if p.chance(.7):
        p.arm(s, p.n(72, 10), p.n(5, 12), p.n(0, 10), p.n(35, 15))
    else:                                               # a hand on the shoulder or the belly of the other
        p.reach(s, p.anchor('chest', s) + np.array([sign * p.u(1.6, 3.), p.n(.3, 1.), p.u(.2, 1.6)]), grip=15)
    if p.chance(.25):                                   # the other hand too
        p.reach(other(s), p.anchor('chest', s) + np.array([sign * p.u(.4, 2.), p.n(-.2, .8), p.u(.4, 1.4)]), grip=20)
    p.things.append(('neighbour', dict(side=s)))
    p.head(-sign * p.n(0, 12), p.n(2, 7), sign * p.n(-6, 6))


@activity(3)
def hug(p):
    """Both arms round somebody in front."""
    relaxed_trunk(p, lean=5)
    stand_legs(p)
    chest = p.middle('chest')
    for s, sign in SIDES:
        p.reach(s, chest + np.array([sign * p.u(.1, 1.3), p.n(.3, .9), p.u(1.6, 2.6)]), pole=[sign, -.5, 0], grip=12, guard=False)
    p.things.append(('neighbour', dict(kind='hug')))
    look(p, down=6)


@activity(2)
def with_child(p):
    """Hands on the shoulders of a child in front."""
    relaxed_trunk(p, lean=3)
    stand_legs(p)
    belly = p.middle('belly')
    for s, sign in SIDES:
        if p.chance(.75):
            p.reach(s, belly + np.array([sign * p.u(.5, 1.5), p.u(.2, 2.), p.u(.1, 1.)]), grip=15)
        else:
            casual_arm(p, s)
    p.things.append(('neighbour', dict(kind='child')))
    look(p, down=8)


@activity(3)
def carry(p):
    relaxed_trunk(p)
    (walk_legs if p.chance(.5) else stand_legs)(p)
    if p.chance(.4):
        both_hands(p, p.middle('belly') + np.array([0, p.n(0, .6), p.u(.2, 1.2)]), apart=p.u(1.5, 3.5))
        p.thing('carton')
    else:
        s = p.rng.choice(['L', 'R'])
        hang_arm(p, s)
        casual_arm(p, other(s))
        p.thing(p.rng.choice(['bag', 'suitcase']), hand=s)


@activity(3)
def cheer(p):
    relaxed_trunk(p, spread=1.4)
    stand_legs(p, width=4)
    both = p.chance(.6)
    for s, _ in SIDES:
        if both or s == 'L':
            p.arm(s, p.n(145, 18), p.n(25, 35), p.n(0, 30), p.n(35, 28))
        else:
            casual_arm(p, s)


# --------------------------------------------------------------------- moving
def walk_legs(p):
    f = p.rng.choice([1, -1])
    stride = p.u(.3, 1.)
    for s, sign in SIDES:
        front = sign == f
        p.leg(s, (24 if front else -12) * stride + p.n(0, 3), p.n(0, 3), p.n(4, 6),
              abs(p.n(6, 4)) if front else p.n(22, 14) * stride)
    p.phase, p.stride = f, stride


@activity(10)
def walk(p):
    relaxed_trunk(p, lean=4)
    walk_legs(p)
    for s, sign in SIDES:
        back = sign == p.phase                          # arms swing against the legs
        a = (-20 if back else 22) * p.stride + p.n(0, 6)
        p.arm(s, abs(a) + 6, 75 if a > 0 else -75, p.n(5, 12), abs(p.n(20 if back else 28, 10)))
    if p.chance(.35):
        casual_arm(p, p.rng.choice(['L', 'R']))
    if p.chance(.2):
        p.thing('bag', hand=p.rng.choice(['L', 'R']))
    if p.chance(.15):
        p.thing('backpack')


@activity(4)
def run(p):
    p.tilt(p.n(10, 5), p.n(0, 4))
    p.trunk(p.n(6, 6), p.n(0, 5), p.n(0, 9))
    look(p)
    f = p.rng.choice([1, -1])
    for s, sign in SIDES:
        if sign == f:
            p.leg(s, p.n(45, 16), p.n(0, 4), p.n(3, 5), p.n(55, 26), flat=False)
        else:
            p.leg(s, p.n(-14, 12), p.n(0, 4), p.n(3, 5), abs(p.n(35, 30)), flat=False)
        back = sign == f
        p.arm(s, p.n(38, 12), -75 if back else 70, p.n(10, 12), p.n(85, 16), grip=60)


@activity(3)
def kick(p):
    p.tilt(p.n(-3, 9), p.n(0, 7))
    p.trunk(p.n(8, 9), p.n(0, 8), p.n(0, 14))
    look(p, down=18)
    s = p.rng.choice(['L', 'R'])
    p.leg(s, p.n(35, 30), p.n(12, 10), p.n(8, 10), p.n(30, 22), flat=False)
    p.leg(other(s), p.n(5, 8), p.n(3, 5), p.n(5, 8), abs(p.n(22, 12)))
    p.arm(s, p.n(40, 16), p.n(-20, 40), p.n(0, 20), p.n(35, 20))
    p.arm(other(s), p.n(62, 18), p.n(25, 35), p.n(0, 20), p.n(30, 20))
    p.thing('ball', near_foot=s, size=1.1)


@activity(2)
def jump(p):
    relaxed_trunk(p, spread=2)
    for s, _ in SIDES:
        p.leg(s, p.n(35, 28), p.n(15, 12), p.n(5, 10), abs(p.n(60, 30)), flat=False)
        p.arm(s, p.n(105, 32), p.n(20, 40), p.n(0, 25), p.n(30, 22))
    p.free_yaw = True


# ---------------------------------------------------------------------- bent
@activity(4)
def lean_forward(p):
    p.tilt(p.n(28, 14), p.n(0, 4))
    p.trunk(p.n(26, 14), p.n(0, 7), p.n(0, 10))
    look(p, down=5)
    for s, _ in SIDES:
        p.leg(s, p.n(12, 12), p.n(3, 6), p.n(5, 8), abs(p.n(18, 18)))
    at = p.where('spine01') + np.array([p.n(0, 1.), p.n(-3.2, 1.2), p.u(1.8, 4.)])
    if p.chance(.6):
        for s, sign in SIDES:
            p.reach(s, at + np.array([sign * p.u(.3, 1.6), p.n(0, .3), p.n(0, .5)]))
    else:
        s = p.rng.choice(['L', 'R'])
        p.reach(s, at)
        if p.chance(.5):
            p.reach(other(s), p.anchor('knee', other(s)))
        else:
            casual_arm(p, other(s))
    if p.chance(.5):
        p.thing('table', height=float(at[1] - .3), ahead=2.2)
    p.free_yaw = True


@activity(4)
def counter(p):
    """Cooking, washing, reaching on a work top."""
    p.tilt(p.n(5, 5), p.n(0, 3))
    p.trunk(p.n(14, 9), p.n(0, 6), p.n(0, 14))
    look(p, down=22)
    stand_legs(p)
    top = p.where('spine04')[1] + p.u(-.6, .5)
    for s, sign in SIDES:
        p.reach(s, [sign * p.u(.2, 2.), top + p.u(.2, 1.), p.u(2.8, 4.4)])
    if p.chance(.4):
        p.thing(p.rng.choice(['knife', 'spoon', 'pan', 'cup', 'plate']), hand=p.rng.choice(['L', 'R']))
    p.thing('table', height=float(top - .1), ahead=1.9, deep=3.5, wide=14, solid=True, laid=p.chance(.7))


@activity(2)
def squat(p):
    p.tilt(p.n(20, 12), p.n(0, 4))
    p.trunk(p.n(22, 12), p.n(0, 7), p.n(0, 9))
    look(p)
    for s, sign in SIDES:
        p.leg(s, p.n(98, 14), p.n(20, 9), p.n(12, 9), p.n(125, 12))
    for s, sign in SIDES:
        if p.chance(.6):
            p.reach(s, p.anchor('knee', s) + np.array([0, .2, p.u(0, 1.5)]))
        else:
            p.reach(s, p.where(f'foot.{s}') + np.array([0, p.u(0, 2), 2.]))
    p.free_yaw = True


@activity(2)
def kneel(p):
    relaxed_trunk(p, lean=8, bend=12)
    if p.chance(.5):
        s = p.rng.choice(['L', 'R'])
        p.leg(s, p.n(85, 8), p.n(6, 5), p.n(5, 6), p.n(92, 8))
        p.leg(other(s), p.n(2, 8), p.n(4, 4), 0, p.n(92, 8), flat=False)
    else:
        for s, _ in SIDES:
            p.leg(s, p.n(25, 18), p.n(6, 5), 0, p.n(118, 14), flat=False)
    casual_arms(p)
    p.free_yaw = True
    p.posture = 'floor'


# --------------------------------------------------------------------- sitting
@activity(9)
def sit(p):
    relaxed_trunk(p, lean=-4, bend=9)
    sit_legs(p)
    k = p.rng.rand()
    if k < .45:
        for s, sign in SIDES:
            p.reach(s, p.anchor(p.rng.choice(['thigh', 'knee']), s) + p.rng.normal(0, .3, 3) + np.array([0, .2, 0]))
    elif k < .6:
        at = p.middle('thigh') + np.array([0, .3, 0])
        both_hands(p, at, apart=.7, grip=30)
    else:
        for s, _ in SIDES:
            casual_arm(p, s)
    p.thing(pick(p.rng, ['chair', 'bench', 'sofa', 'stool'], [.45, .3, .15, .1]))


@activity(6)
def spectate(p):
    """In a row of seats, with people beside, before and behind."""
    relaxed_trunk(p, lean=p.n(0, 6), bend=12)
    sit_legs(p)
    k = p.rng.rand()
    if k < .30:
        for s, sign in SIDES:
            p.reach(s, p.anchor(p.rng.choice(['thigh', 'knee']), s) + p.rng.normal(0, .3, 3) + np.array([0, .2, 0]))
    elif k < .45:                                       # elbows on the knees
        p.trunk(p.n(32, 8), p.n(0, 4), p.n(0, 6))
        look(p)
        both_hands(p, p.middle('knee') + np.array([0, p.u(.3, 2.), 0]), apart=p.u(.2, 1.))
    elif k < .60:                                       # clapping
        both_hands(p, p.middle('chest') + np.array([0, p.n(-.3, .6), p.u(.6, 1.6)]), apart=p.u(.3, 1.6), grip=8)
    elif k < .68:
        for s, sign in SIDES:                           # cheering
            p.arm(s, p.n(140, 20), p.n(40, 30), p.n(0, 20), p.n(35, 25))
    elif k < .85:
        s = p.rng.choice(['L', 'R'])
        casual_arm(p, other(s))
        hold_arm(p, s, p.rng.choice(['phone', 'cup', 'bottle', 'food', 'box']))
    else:
        casual_arms(p)
    p.thing('tiers', pitch=p.u(6.5, 8.5), rise=p.u(.5, 4.5), gap=p.u(4., 5.2))


@activity(11)
def table_meal(p):
    p.tilt(p.n(2, 5), p.n(0, 3))
    p.trunk(p.n(14, 9), p.n(0, 5), p.n(0, 10))
    look(p, down=12)
    sit_legs(p)
    top = p.where('spine04')[1] + p.u(.0, .9)
    for s, sign in SIDES:
        k = p.rng.rand()
        if k < .5:                                      # forearms on the table
            p.reach(s, [sign * p.u(.1, 1.8), top + p.u(.25, .5), p.u(2.6, 4.2)], pole=[sign, -.6, 0])
            if p.chance(.3):
                p.thing(p.rng.choice(['spoon', 'knife', 'cup', 'glass', 'phone']), hand=s)
        elif k < .65:                                   # eating, drinking
            p.reach(s, p.anchor('mouth', s) + p.rng.normal(0, .25, 3) + np.array([0, -.2, .5]), pole=[sign, -.7, .3])
            p.thing(p.rng.choice(['cup', 'glass', 'spoon', 'food', 'bottle']), hand=s)
        elif k < .75:                                   # chin on the hand
            p.reach(s, p.anchor('mouth', s) + np.array([0, -.6, -.2]), pole=[sign * .4, -1, .6])
        else:
            casual_arm(p, s)
    p.thing(pick(p.rng, ['chair', 'bench', 'sofa'], [.7, .2, .1]))
    p.thing('table', height=float(top), ahead=p.u(1.5, 2.3), laid=True, wide=p.u(7, 18), deep=p.u(5, 10))


@activity(5)
def sofa(p):
    p.tilt(p.n(-14, 7), p.n(0, 4))
    p.trunk(p.n(16, 8), p.n(0, 6), p.n(0, 8))
    look(p, down=14)
    sit_legs(p)
    k = p.rng.rand()
    lap = p.middle('thigh')
    if k < .35:
        both_hands(p, lap + np.array([0, .9, .3]), apart=p.u(1., 2.2), grip=20)
        p.thing('laptop', at=(lap + np.array([0, .25, .7])).tolist())
    elif k < .6:
        both_hands(p, p.middle('belly') + np.array([0, p.n(.2, .5), 1.]), apart=.8)
        p.thing(p.rng.choice(['phone', 'book', 'remote', 'controller']), hand=p.rng.choice(['L', 'R']))
    else:
        for s, sign in SIDES:
            casual_arm(p, s) if p.chance(.5) else p.arm(s, p.n(50, 18), p.n(5, 20), 0, p.n(40, 20))
    p.thing('sofa')
    if p.chance(.15):
        p.thing('blanket', upto=p.u(-.5, 1.))


@activity(2)
def desk(p):
    p.tilt(p.n(3, 5), 0)
    p.trunk(p.n(12, 8), p.n(0, 4), p.n(0, 6))
    look(p, down=8, yaw=14)
    sit_legs(p)
    top = p.where('spine04')[1] + p.u(.2, .9)
    both_hands(p, [p.n(0, .3), top + .3, p.u(2.8, 3.8)], apart=p.u(1.2, 2.6), grip=20)
    p.thing('chair')
    p.thing('table', height=float(top), ahead=1.7, screen=True)


@activity(4)
def sit_ground(p):
    relaxed_trunk(p, lean=-8, bend=22)
    k = p.rng.rand()
    for s, _ in SIDES:
        if k < .35:                                     # cross-legged
            p.leg(s, p.n(82, 8), p.n(15, 6), p.n(50, 10), p.n(122, 9), flat=False)
        elif k < .7:
            p.leg(s, p.n(105, 14), p.n(6, 6), p.n(4, 6), p.n(105, 18))
        else:
            p.leg(s, p.n(82, 6), p.n(10, 7), p.n(6, 7), abs(p.n(12, 12)), flat=False)
    for s, sign in SIDES:
        if p.chance(.3):
            p.arm(s, p.n(40, 8), p.n(-45, 15), 0, p.n(10, 8), grip=5)
        elif p.chance(.5):
            p.reach(s, p.anchor('knee', s))
        else:
            casual_arm(p, s)
    p.free_yaw = True
    p.posture = 'floor'


@activity(4)
def lie(p):
    p.tilt(pick(p.rng, [-1, 1], [.75, .25]) * p.n(84, 10), 0)
    tilt, p.tilt_matrix = p.tilt_matrix, np.eye(3)      # limbs relative to the lying body
    p.trunk(p.n(8, 12), p.n(0, 9), p.n(0, 12))
    look(p)
    for s, _ in SIDES:
        p.leg(s, abs(p.n(20, 22)), p.n(8, 8), p.n(8, 12), abs(p.n(30, 30)), flat=False)
        casual_arm(p, s)
    p.tilt_matrix = tilt
    if p.chance(.5):
        p.thing('bed')
    if p.chance(.35):
        p.thing('blanket', upto=p.u(-1.5, 4))
    p.free_yaw = True
    p.posture = 'lie'


# ----------------------------------------------------------------------- sport
@activity(5)
def ski(p):
    p.tilt(p.n(18, 9), p.n(0, 7))
    p.trunk(p.n(22, 12), p.n(0, 7), p.n(0, 12))
    look(p)
    bend = p.u(15, 75)
    for s, sign in SIDES:
        p.leg(s, bend * .62 + p.n(8, 6), p.n(3, 6), p.n(2, 6), bend + p.n(5, 9))
    stride = p.chance(.3)
    for s, sign in SIDES:
        if stride and s == 'L':
            p.arm(s, p.n(35, 15), p.n(-60, 25), 0, p.n(30, 15), grip=80)
        else:
            p.reach(s, p.anchor('belly', s) + np.array([sign * p.u(.6, 2.), p.n(.2, .7), p.u(.3, 2.)]), grip=80)
        p.thing('pole', hand=s)
    p.thing('skis')
    p.outfit = 'winter'
    p.free_yaw = True


@activity(3)
def snowboard(p):
    board(p, 'snowboard')
    p.outfit = 'winter'


@activity(4)
def surf(p):
    board(p, 'surfboard')
    p.outfit = 'beach'


@activity(5)
def skateboard(p):
    board(p, 'skateboard')
    p.outfit = 'casual'


def board(p, thing):
    """Sideways on a board: knees bent, arms out for balance."""
    f = p.rng.choice([1, -1])                           # front foot
    bend = p.u(15, 95)
    p.tilt(p.n(14, 9) + bend * .15, p.n(0, 12))
    p.trunk(p.n(16, 11) + bend * .1, p.n(0, 9), f * p.n(22, 16))
    p.head(f * p.n(48, 16), p.n(0, 10) - .25 * p.bend, p.n(0, 7))
    for s, sign in SIDES:
        p.leg(s, bend * .75 + p.n(5, 8), p.n(19, 7), p.n(6, 8), bend * 1.25 + p.n(5, 10), flat=p.chance(.6))
    for s, sign in SIDES:
        if p.chance(.8):
            p.arm(s, p.n(66, 24), p.n(15, 32), p.n(0, 20), p.n(35, 22))
        elif p.chance(.5):
            p.reach(s, p.where(f'foot.{s}') + np.array([0, p.u(.5, 2.), .5]))
        else:
            casual_arm(p, s)
    p.board = thing
    p.thing(thing, front='L' if f > 0 else 'R')
    p.free_yaw = True


@activity(4)
def bat(p):
    p.tilt(p.n(12, 7), p.n(0, 5))
    p.trunk(p.n(12, 8), p.n(0, 6), p.n(0, 14))
    f = p.rng.choice([1, -1])
    p.head(f * p.n(55, 14), p.n(5, 9) - .25 * p.bend, p.n(0, 6))
    for s, sign in SIDES:
        p.leg(s, p.n(28, 10), p.n(16, 6), p.n(6, 8), p.n(42, 15))
    k = p.rng.rand()
    if k < .5:                                          # waiting: hands behind the rear shoulder
        at = p.where('spine01') + np.array([-f * p.u(1.2, 2.2), p.u(.3, 1.6), p.u(.4, 1.8)])
        aim = unit([-f * p.n(.3, .3), p.u(.5, 1.2), p.n(-.5, .5)])
    elif k < .8:                                        # swing
        at = p.where('spine02') + np.array([f * p.u(-.5, 2.), p.n(-.3, .6), p.u(2.4, 3.6)])
        aim = unit([f * p.n(.8, .5), p.n(0, .35), p.u(0, 1.)])
    else:                                               # follow through
        at = p.where('spine01') + np.array([f * p.u(1.5, 2.4), p.u(0, 1.), p.u(0, 1.4)])
        aim = unit([f * .2, p.n(.1, .4), -1])
    p.reach('L', at, grip=80)
    p.reach('R', p.where('wrist.L') + np.array([-f * .1, .4, .35]), grip=80)
    p.thing('bat', hand='L', aim=aim.tolist())
    p.outfit = 'baseball'
    p.free_yaw = True


@activity(3)
def pitch(p):
    p.tilt(p.n(15, 12), p.n(0, 12))
    p.trunk(p.n(8, 12), p.n(0, 10), p.n(0, 25))
    look(p)
    t = p.rng.choice(['L', 'R'])
    p.leg(other(t), p.n(50, 25), p.n(14, 8), p.n(5, 8), p.n(50, 25))
    p.leg(t, p.n(-14, 14), p.n(10, 8), p.n(10, 10), p.n(30, 20), flat=False)
    p.arm(t, p.n(95, 25), p.n(-10, 45), p.n(-30, 30), p.n(75, 30), grip=60)
    p.arm(other(t), p.n(60, 22), p.n(60, 30), p.n(20, 20), p.n(60, 30), grip=50)
    p.thing('mitt', hand=other(t))
    if p.chance(.6):
        p.thing('ball', hand=t, size=.37)
    p.outfit = 'baseball'
    p.free_yaw = True


@activity(2)
def catcher(p):
    p.tilt(p.n(24, 8), p.n(0, 4))
    p.trunk(p.n(18, 9), p.n(0, 6), p.n(0, 8))
    look(p)
    for s, _ in SIDES:
        p.leg(s, p.n(100, 10), p.n(28, 8), p.n(15, 8), p.n(128, 9))
    s = p.rng.choice(['L', 'R'])
    p.reach(s, p.anchor('chest', s) + np.array([0, p.n(0, .7), p.u(1., 2.5)]), grip=40)
    p.thing('mitt', hand=s)
    p.reach(other(s), p.anchor('knee', other(s)) if p.chance(.6) else p.anchor('hip', other(s)), grip=60)
    p.outfit = 'baseball'
    p.free_yaw = True


@activity(6)
def tennis(p):
    p.tilt(p.n(10, 9), p.n(0, 7))
    p.trunk(p.n(8, 9), p.n(0, 8), p.n(0, 20))
    look(p)
    for s, _ in SIDES:
        p.leg(s, p.n(18, 18), p.n(13, 9), p.n(8, 9), abs(p.n(35, 20)), flat=p.chance(.6))
    s = p.rng.choice(['L', 'R'])
    o, sign = other(s), (1 if s == 'L' else -1)
    k = p.rng.rand()
    if k < .25:                                         # serve
        p.arm(s, p.n(135, 25), p.n(-10, 30), p.n(-10, 25), p.n(55, 35), grip=80)
        p.arm(o, p.n(150, 18), p.n(60, 25), 0, p.n(15, 12))
    elif k < .7:                                        # forehand
        p.arm(s, p.n(65, 18), p.n(20, 40), p.n(0, 25), p.n(35, 22), grip=80)
        p.arm(o, p.n(60, 20), p.n(60, 35), p.n(0, 20), p.n(45, 25))
    elif k < .85:                                       # backhand, both hands
        at = p.where('spine02') + np.array([-sign * p.u(.5, 2.5), p.n(-.8, .8), p.u(1.5, 3.)])
        both_hands(p, at, apart=.4, grip=80)
    else:                                               # ready
        both_hands(p, p.middle('belly') + np.array([0, .2, p.u(.8, 1.8)]), apart=.6, grip=80)
    p.thing('racket', hand=s)
    p.outfit = 'sport'
    p.free_yaw = True


@activity(4)
def frisbee(p):
    p.tilt(p.n(12, 12), p.n(0, 9))
    p.trunk(p.n(8, 10), p.n(0, 9), p.n(0, 22))
    look(p)
    (walk_legs if p.chance(.4) else lambda q: [q.leg(s, q.n(22, 20), q.n(10, 8), q.n(6, 8), abs(q.n(35, 25))) for s in 'LR'])(p)
    s = p.rng.choice(['L', 'R'])
    p.arm(s, p.n(80, 28), p.n(60, 55), p.n(0, 25), p.n(45, 35), grip=50)
    casual_arm(p, other(s)) if p.chance(.5) else p.arm(other(s), p.n(60, 25), p.n(30, 40), 0, p.n(40, 25))
    p.thing(p.rng.choice(['frisbee', 'ball']), hand=s)
    p.outfit = 'sport'


@activity(3)
def bicycle(p):
    ride(p, 'bicycle', lean=p.n(24, 10), grip_ahead=p.u(3.6, 4.6), grip_low=p.u(1.2, 2.6), flex=(62, 22), knee=(72, 30))


@activity(4)
def motorbike(p):
    ride(p, 'motorbike', lean=p.n(12, 9), grip_ahead=p.u(3.4, 4.4), grip_low=p.u(1.4, 2.6), flex=(66, 4), knee=(88, 8))
    if p.chance(.6):
        p.outfit = 'biker'


@activity(3)
def horse(p):
    ride(p, 'horse', lean=p.n(6, 7), grip_ahead=p.u(2.2, 3.2), grip_low=p.u(2.4, 3.2), flex=(55, 3), knee=(62, 8), abduct=26)
    if p.chance(.4):
        p.outfit = 'rider'


def ride(p, thing, lean, grip_ahead, grip_low, flex, knee, abduct=9):
    p.tilt(lean, p.n(0, 3))
    p.trunk(p.n(12, 8), p.n(0, 4), p.n(0, 7))
    look(p)
    f, kn = p.n(flex[0], 6), p.n(knee[0], 8)
    up = p.u(-1, 1)
    for s, sign in SIDES:
        p.leg(s, f + sign * up * flex[1], abduct + p.n(0, 3), p.n(5, 5), kn + sign * up * knee[1])
    shoulder = p.where('spine01')
    for s, sign in SIDES:
        wide = .5 if thing == 'horse' else p.u(2.2, 2.9)
        p.reach(s, [sign * wide, shoulder[1] - grip_low, shoulder[2] + min(grip_ahead, .9 * p.arm_length)], pole=[sign, -.8, 0], grip=80)
    if p.chance(.12):
        casual_arm(p, p.rng.choice(['L', 'R']))
    p.thing(thing)
    p.posture = 'ride'
    p.free_yaw = True


@activity(2)
def fly_kite(p):
    relaxed_trunk(p, lean=-4)
    stand_legs(p, width=4)
    p.head(p.n(0, 20), p.n(-18, 8), 0)
    for s, sign in SIDES:
        p.reach(s, p.anchor('chest', s) + np.array([0, p.u(-1, 2.5), p.u(.5, 2.)]), grip=70)


# -------------------------------------------------------------------- anything
@activity(9)
def anything(p):
    """Independent limbs: what no activity above covers."""
    p.tilt(p.n(6, 16), p.n(0, 9))
    p.trunk(p.n(10, 16), p.n(0, 11), p.n(0, 16))
    look(p, yaw=30)
    for s, _ in SIDES:
        if p.chance(.5):
            p.leg(s, p.n(10, 14), p.n(4, 8), p.n(6, 10), abs(p.n(14, 18)))
        else:
            p.leg(s, p.u(-15, 105), p.u(-6, 40), p.u(-15, 35), p.u(0, 125), flat=False)
        if p.chance(.4):
            casual_arm(p, s)
        else:
            p.arm(s, p.u(0, 165), p.u(-60, 130), p.u(-45, 70), p.u(0, 140))
    p.free_yaw = True
