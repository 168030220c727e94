"""Who is around the subject: people who touch it, rows, queues, groups, spectators, passers-by.

Places (x, z) are on the ground of the subject's upright axes (x its left, z where its pelvis faces), in dm; `right` and
`front` are the camera's directions there. The people are earlier subjects, in their own poses and clothes.
"""
import copy

import numpy as np

from chance import pick
from geometry import Y, rot

TEAM, UNIFORM = .5, .07                                 # share of groups dressed alike: at the same sport, else
CALM = ('stand', 'hold', 'telephone', 'photograph', 'embrace', 'hug', 'with_child', 'carry', 'cheer', 'walk', 'umbrella', 'counter')
# what is arranged around a person in a posture, and how often
MODES = dict(
    stand=dict(alone=.27, row=.14, overlap=.17, before=.08, behind=.11, queue=.06, group=.07, crowd=.05, face=.03, held=.02),
    sit=dict(alone=.30, row=.24, front_row=.12, behind=.12, before=.10, overlap=.12),
    ride=dict(alone=.62, riders=.16, behind=.12, before=.10),
    floor=dict(alone=.48, row=.20, behind=.12, before=.08, overlap=.12))
MODES['lie'] = MODES['floor']


class Company:
    def __init__(self, cast, renderer, rng):
        self.cast, self.renderer, self.rng = cast, renderer, rng

    def around(self, subject, to_camera):
        """(body, rotation, translation, whether its furniture comes along) of the others."""
        r, pose = self.rng, subject.pose
        self.subject, self.out = subject, []
        self.right, self.front = np.array([to_camera[2], -to_camera[0]]), np.array([to_camera[0], to_camera[2]])
        self.alike = r.rand() < UNIFORM
        options = dict(pose.things)
        if 'tiers' in options:
            self.spectators(**options['tiers'])
            return self.out
        if 'neighbour' in options:
            self.partner(**options['neighbour'])
            if r.rand() < .65:
                return self.out
        elif subject.child and pose.posture == 'stand' and r.rand() < .2:       # a child before an adult
            self.put('stand', (r.normal(0, .6), -r.uniform(1.9, 2.9)), r.normal(0, 15), want=lambda b: not b.child)
        if 'table' in options and pose.posture == 'sit' and r.rand() < .4:
            self.across(options['table'])
        modes = MODES[pose.posture]
        getattr(self, pick(r, list(modes), modes.values()))()
        return self.out

    # ------------------------------------------------------------------ tools
    def pick(self, posture, want):
        """An earlier person who is not in the picture yet, if possible one that `want` likes."""
        found = None
        for _ in range(5):
            b = self.cast.pick(posture)
            if b is None:
                break
            if b is self.subject or any(b.verts is o[0].verts for o in self.out):
                continue
            found = b
            if want is None or want(b):
                break
        return found

    def put(self, posture, at, yaw, want=None, raised=0., furniture=True):
        """Adds somebody; False where nobody is known in that posture."""
        other, s = self.pick(posture, want), self.subject
        if other is None:
            return False
        same_sport = s.pose.outfit and s.pose.outfit == other.pose.outfit
        if self.alike or (same_sport and self.rng.rand() < TEAM):
            other = copy.copy(other)                    # for this picture only
            other.material = self.renderer.same_clothes(other.material, s.material)
        both_sit = posture == 'sit' and s.pose.posture == 'sit'
        level = (s.pose.where('root') - other.pose.where('root'))[1] if both_sit else s.low - other.low
        self.out.append((other, rot(Y, yaw), np.array([at[0], level + raised, at[1]]), furniture and 'tiers' not in dict(other.pose.things)))
        return True

    @staticmethod
    def calm(body):
        return body.pose.activity in CALM

    def like_subject(self):
        """The posture of a neighbour, and whom to prefer."""
        p = self.subject.pose
        if p.posture == 'stand':
            return 'stand', (lambda b: b.pose.outfit == p.outfit) if p.outfit else self.calm
        return p.posture, None

    def facing(self):
        """Mostly the way the subject faces."""
        return self.rng.normal(0, 28) if self.rng.rand() < .6 else self.rng.uniform(-180, 180)

    # ------------------------------------------------------------------ people who touch
    def partner(self, side=None, kind='beside', **_):
        r = self.rng
        if kind == 'beside':
            sign = 1 if side == 'L' else -1
            self.put('stand', (sign * r.uniform(2.9, 4.1), r.normal(.2, .5)), r.normal(0, 18), self.calm)
        elif kind == 'hug':
            self.put('stand', (r.normal(0, .5), r.uniform(2.2, 3.)), 180 + r.normal(0, 12), lambda b: b.pose.activity == 'hug')
        else:
            self.put('stand', (r.normal(0, .5), r.uniform(1.9, 2.7)), r.normal(0, 14), lambda b: b.child)

    def held(self):
        """Somebody beside has an arm round the subject."""
        if not self.put('stand', (0, 0), self.rng.normal(0, 10), lambda b: b.pose.activity == 'embrace'):
            return
        other, R, t, furniture = self.out.pop()
        side = [o['side'] for n, o in other.pose.things if n == 'neighbour' and 'side' in o] or [self.rng.choice(['L', 'R'])]
        t = t + [(-1 if side[0] == 'L' else 1) * self.rng.uniform(2.9, 4.), 0, self.rng.normal(-.2, .4)]
        self.out.append((other, R, t, furniture))

    def face(self):
        r = self.rng
        self.put('stand', (r.normal(0, 1), r.uniform(2.7, 6)), 180 + r.normal(0, 25), self.calm)

    # ------------------------------------------------------------------ rows
    def row(self):
        """Shoulder to shoulder."""
        r = self.rng
        posture, want = self.like_subject()
        gap = r.uniform(3.7, 5.6) if posture in ('stand', 'sit') else r.uniform(4.5, 8)
        for sign in ((1, -1) if r.rand() < .55 else (r.choice([1, -1]),)):
            self.put(posture, (sign * gap + r.normal(0, .3), r.normal(0, .7)), r.normal(0, 18), want)
            if r.rand() < .25:
                self.put(posture, (sign * 2 * gap + r.normal(0, .4), r.normal(0, .8)), r.normal(0, 18), want)

    def front_row(self):
        """People who sit before the subject and hide its lap; they face the same way or the subject."""
        r = self.rng
        z, drop, turned = r.uniform(5.5, 9), r.uniform(0, 4.5), 0 if r.rand() < .75 else 180
        for x in self.staggered(r.uniform(4, 5.5), 2):
            self.put('sit', (x, z + r.normal(0, .4)), turned + r.normal(0, 12), raised=-drop, furniture=False)
        if r.rand() < .5:
            self.put('sit', (r.choice([-1, 1]) * r.uniform(3.9, 5.5), r.normal(0, .5)), r.normal(0, 15))

    def staggered(self, gap, count):
        """Places of a row that sees between the heads of the row before it, about the middle."""
        first = -gap / 2 + self.rng.normal(0, gap * .2)
        return [first + gap * k for k in range(count)]

    def spectators(self, pitch, rise, gap):
        """Rows of seats, each lower than the one behind."""
        r = self.rng
        for sign in (1, -1):
            if r.rand() < .85:
                self.put('sit', (sign * gap + r.normal(0, .3), r.normal(0, .3)), r.normal(0, 14), furniture=False)
        for k in (1, -1):
            if r.rand() < (.75 if k > 0 else .6):
                for x in self.staggered(gap, 2):
                    self.put('sit', (x, k * pitch + r.normal(0, .3)), r.normal(0, 14), raised=-k * rise, furniture=False)

    def across(self, table):
        r, z = self.rng, self.subject.pose.where('root')[2]
        self.put('sit', (r.normal(0, 3), z + table['ahead'] + table.get('deep', 6) + 1.8), 180 + r.normal(0, 15))

    def queue(self):
        r, z = self.rng, 0.
        for sign in ((1, -1) if r.rand() < .6 else (r.choice([1, -1]),)):
            z = sign * r.uniform(2.8, 5.5)
            self.put('stand', (r.normal(0, .8), z), r.normal(0, 22), self.calm)
        if r.rand() < .4:
            self.put('stand', (r.normal(0, 1), z * 2.1), r.normal(0, 25), self.calm)

    def group(self):
        """A group photograph: a row before, lower or crouching or of children, and one behind."""
        r = self.rng
        self.alike |= r.rand() < .12
        gap = r.uniform(3., 4.6)
        low = r.rand()
        for x in self.staggered(gap, r.randint(1, 3)):
            at, yaw = (x, r.uniform(2.2, 4.)), r.normal(0, 14)
            if low < .4:
                self.put('floor', at, yaw, furniture=False)
            else:
                self.put('stand', at, yaw, (lambda b: b.child) if low < .6 else self.calm, raised=0 if low < .6 else -r.uniform(0, 4))
        for x in self.staggered(gap, r.randint(1, 3)):
            self.put('stand', (x, -r.uniform(2.2, 3.6)), r.normal(0, 14), self.calm, raised=r.uniform(0, 2.5))
        if r.rand() < .6:
            self.put('stand', (r.choice([-1, 1]) * gap, r.normal(0, .5)), r.normal(0, 14), self.calm)

    # ------------------------------------------------------------------ in the way, or in the background
    def overlap(self):
        """Partly behind or before the subject, as the camera sees it."""
        r = self.rng
        posture, want = self.like_subject()
        if posture == 'sit' and r.rand() < .5:
            posture, want = 'stand', self.calm
        for _ in range(1 if r.rand() < .75 else 2):
            depth, off = r.choice([1, -1], p=[.45, .55]) * r.uniform(1.4, 4.5), r.choice([-1, 1]) * r.uniform(1.2, 4.2)
            d = self.front * depth + self.right * off
            d *= max(1, (2.7 if posture == 'stand' else 4.) / np.hypot(*d))
            self.put(posture, d, self.facing(), want)

    def before(self):
        r = self.rng
        d, off = r.uniform(2.8, 8), r.choice([-1, 1]) * r.uniform(.9, 4.5)
        self.put('stand' if r.rand() < .7 else self.like_subject()[0], self.front * d + self.right * off, r.uniform(-180, 180))

    def behind(self):
        r = self.rng
        for _ in range(r.randint(1, 4)):
            d = np.exp(r.uniform(np.log(2.8), np.log(22)))
            self.put('stand', -self.front * d + self.right * r.normal(0, 2.2 + .3 * d), r.uniform(-180, 180))

    def crowd(self):
        r = self.rng
        way = r.uniform(-180, 180) if r.rand() < .5 else 0.
        for k in range(r.randint(3, 6)):
            a, d = r.uniform(0, 2 * np.pi), r.uniform(3., 9)
            self.put('stand', (d * np.cos(a), d * np.sin(a)), way + r.normal(0, 30) if r.rand() < .7 else r.uniform(-180, 180), self.calm)

    def riders(self):
        r = self.rng
        self.put('ride', (r.choice([-1, 1]) * r.uniform(4.5, 11), r.normal(0, 6)), r.normal(0, 15))

    def alone(self):
        pass
