"""Pose builder: trunk, head, legs and arms in everyday words, turned into one local rotation per bone.

Leg and arm angles are given in upright axes (x the person's left, y up, z where the pelvis faces), so that a leaning
trunk does not move feet or hanging arms. Arms can also reach for a point (two-bone inverse kinematics).
Set the trunk, head and legs before the arms.
"""
import math

import numpy as np

from geometry import X, Y, Z, between, cross, frame, length, rot, unit

SIDES = (('L', 1), ('R', -1))
SPINE = ('spine05', 'spine04', 'spine03', 'spine02', 'spine01')
NECK = ('neck01', 'neck02', 'neck03', 'head')


class Skeleton:
    def __init__(self, index, parent, heads, rng):
        """index: bone name to row; parent: row of the parent; heads: (B, 3) resting joint positions."""
        self.index, self.parent, self.heads, self.rng = index, parent, heads.astype(float), rng
        self.R = np.tile(np.eye(3), (len(parent), 1, 1))
        self.tilt_matrix = np.eye(3)
        self.yaw = 0.0
        self.posture = 'stand'                          # stand, sit, floor, lie or ride: where neighbours may be put
        self.things = []                                # (name, options), see objects.py
        self.outfit = self.activity = self.board = None
        self.free_yaw = False                           # the camera may stand anywhere
        self._memo = {}
        self.arm_length = length(self.rest('lowerarm01.L') - self.rest('upperarm01.L')) + length(self.rest('wrist.L') - self.rest('lowerarm01.L'))
        self.leg_length = length(self.rest('lowerleg01.L') - self.rest('upperleg01.L')) + length(self.rest('foot.L') - self.rest('lowerleg01.L'))

    def n(self, mean, std):
        return self.rng.normal(mean, std)

    def u(self, low, high):
        return self.rng.uniform(low, high)

    def chance(self, p):
        return self.rng.rand() < p

    def rest(self, bone):
        return self.heads[self.index[bone]]

    def set(self, bone, rotation):
        self.R[self.index[bone]] = rotation
        self._memo.clear()

    def bone(self, name):
        """Global rotation and position of a bone, in the body's own (tilted) axes."""
        k = self.index[name] if isinstance(name, str) else name
        if k in self._memo:
            return self._memo[k]
        p = self.parent[k]
        if p < 0:
            out = self.R[k], self.heads[k]
        else:
            G, pos = self.bone(int(p))
            out = G @ self.R[k], pos + G @ (self.heads[k] - self.heads[p])
        self._memo[k] = out
        return out

    def where(self, bone):
        """Position of a joint in upright axes."""
        return self.tilt_matrix @ self.bone(bone)[1]

    # ------------------------------------------------------------------ trunk
    def tilt(self, lean=0., roll=0.):
        """Leans the pelvis forward and sideways."""
        self.tilt_matrix = rot(Z, roll) @ rot(X, lean)

    def trunk(self, bend, side=0., turn=0.):
        part = rot(Y, turn / 5) @ rot(X, bend / 5) @ rot(Z, side / 5)
        for b in SPINE:
            self.R[self.index[b]] = part
        self._memo.clear()
        self.bend = bend

    def head(self, yaw, pitch, roll=0.):
        part = rot(Y, yaw / 4) @ rot(X, pitch / 4) @ rot(Z, roll / 4)
        for b in NECK:
            self.R[self.index[b]] = part
        self._memo.clear()

    # ------------------------------------------------------------------- legs
    def leg(self, s, flex, abduct=0., twist=0., knee=0., flat=True):
        """Thigh forward (flex) and outward (abduct) of hanging, knee bent; flat keeps the sole level."""
        sign = 1 if s == 'L' else -1
        knee = max(knee, 0.)
        self.set(f'upperleg01.{s}', self.tilt_matrix.T @ rot(Y, sign * twist) @ rot(X, -flex) @ rot(Z, sign * (abduct - 3)))
        self.set(f'lowerleg01.{s}', rot(X, knee))
        pitch = np.clip(flex - knee, -35, 25) if flat else 0.
        self.set(f'foot.{s}', rot(X, pitch + self.n(0, 5)) @ rot(Z, self.n(0, 4)))

    # ------------------------------------------------------------------- arms
    def _shoulder(self, s, sign, elevation):
        """The shoulder girdle follows a raised arm."""
        self.set(f'clavicle.{s}', rot(Z, sign * 0.22 * max(elevation - 60, 0)))
        return self.bone(f'shoulder01.{s}')[0]

    def _arm_axes(self, s):
        upper = unit(self.rest(f'lowerarm01.{s}') - self.rest(f'upperarm01.{s}'))
        fore = unit(self.rest(f'wrist.{s}') - self.rest(f'lowerarm01.{s}'))
        hinge = unit(cross(upper, fore))
        return upper, fore, hinge, math.degrees(math.acos(np.clip(upper @ fore, -1, 1)))

    def arm(self, s, raised, azimuth=20., twist=0., flex=15., with_trunk=False, grip=None):
        """Upper arm raised by an angle from hanging, towards azimuth (0 sideways, 90 forward, 180 across the body)."""
        sign = 1 if s == 'L' else -1
        e, a = math.radians(raised), math.radians(azimuth)
        d = np.array([sign * math.sin(e) * math.cos(a), -math.cos(e), math.sin(e) * math.sin(a)])
        upper, fore, hinge, rest_flex = self._arm_axes(s)
        G = self._shoulder(s, sign, raised)
        d = d if with_trunk else G.T @ (self.tilt_matrix.T @ d)
        self.set(f'upperarm01.{s}', rot(d, sign * twist) @ between(upper, d))
        self.set(f'lowerarm01.{s}', rot(hinge, max(flex, 2) - rest_flex))
        self._hand(s, fore, hinge, grip)
        self._keep_outside(s, sign, grip)

    def reach(self, s, target, pole=None, grip=None, guard=True):
        """Wrist to a point (upright axes); the elbow bends towards pole."""
        sign = 1 if s == 'L' else -1
        if pole is None:
            pole = np.array([sign * self.u(0.2, 1.1), -1., self.u(-0.9, 0.0)])
        target = self.tilt_matrix.T @ np.asarray(target, float)
        pole = self.tilt_matrix.T @ np.asarray(pole, float)
        start = self.bone(f'upperarm01.{s}')[1]
        rise = math.degrees(math.acos(np.clip(-unit(target - start)[1], -1, 1)))
        G = self._shoulder(s, sign, rise)
        start = self.bone(f'upperarm01.{s}')[1]
        upper, fore, hinge, rest_flex = self._arm_axes(s)
        a = length(self.rest(f'lowerarm01.{s}') - self.rest(f'upperarm01.{s}'))
        b = length(self.rest(f'wrist.{s}') - self.rest(f'lowerarm01.{s}'))
        to = target - start
        d = np.clip(length(to), abs(a - b) + 0.35, (a + b) * 0.995)
        to = unit(to)
        along = (a * a + d * d - b * b) / (2 * d)
        out = unit(pole - (pole @ to) * to)
        elbow = to * along + out * math.sqrt(max(a * a - along * along, 1e-6))
        wrist = to * d
        d1, d2 = unit(elbow), unit(wrist - elbow)
        axis = cross(d1, d2)
        turn = frame(d1, axis) @ frame(upper, hinge).T
        self.set(f'upperarm01.{s}', G.T @ turn)
        flex = math.degrees(math.acos(np.clip(d1 @ d2, -1, 1)))
        self.set(f'lowerarm01.{s}', rot(hinge, flex - rest_flex))
        self._hand(s, fore, hinge, grip)
        if guard:
            self._keep_outside(s, sign, grip)

    def _hand(self, s, fore, hinge, grip):
        self.set(f'lowerarm02.{s}', rot(fore, self.n(0, 30)))
        self.set(f'wrist.{s}', rot(hinge, self.n(5, 14)) @ rot(fore, self.n(0, 15)))
        curl = self.rng.choice([5, 15, 30, 55, 80]) + self.n(0, 8) if grip is None else grip
        spread = self.n(0, 4) if curl > 40 else self.u(0, 9)
        for k in range(2, 6):
            c = curl * self.u(0.75, 1.15)
            if grip is None and curl < 60 and self.chance(0.06):
                c = 80 - c
            for j in (1, 2, 3):
                r = rot(hinge, 0.9 * c)
                self.R[self.index[f'finger{k}-{j}.{s}']] = r @ rot(Y, (k - 3.5) * spread) if j == 1 else r
        self._memo.clear()

    def _keep_outside(self, s, sign, grip):
        """Pushes a wrist that ended inside the trunk or the head out to the surface."""
        G, centre = self.bone('spine03')
        p = self.bone(f'wrist.{s}')[1]
        q = G.T @ (p - centre)
        top = 3.6 * length(self.rest('spine01') - self.rest('spine05')) / 4.0
        if -3.2 < q[1] < top:
            rx, rz = 1.75, 1.45
            k = math.sqrt((q[0] / rx) ** 2 + ((q[2] - 0.2) / rz) ** 2)
            if k < 1:
                front = 1. if q[2] > -0.5 else -1.
                q[2] = 0.2 + front * rz * math.sqrt(max(1 - (q[0] / rx) ** 2, 0.1)) * 1.02
                self.reach(s, self.tilt_matrix @ (centre + G @ q), grip=grip, guard=False)
        G, centre = self.bone('head')
        centre = centre + G @ np.array([0, 0.75, 0.35])
        away = self.bone(f'wrist.{s}')[1] - centre
        if length(away) < 1.15:
            away = unit(away + np.array([sign * 0.3, 0, 0.2])) * 1.25
            self.reach(s, self.tilt_matrix @ (centre + away), grip=grip, guard=False)

    # ---------------------------------------------------------------- anchors
    def anchor(self, name, s='L'):
        """Upright position of a place on the body that hands go to."""
        sign = 1 if s == 'L' else -1
        if name in ('mouth', 'ear', 'eye', 'top'):
            G, pos = self.bone('head')
            rest = {'mouth': (sign * 0.5, -0.35, 1.95), 'ear': (sign * 1.25, 0.1, 0.75), 'eye': (sign * 0.5, 0.5, 2.0), 'top': (sign * 0.6, 1.9, 0.3)}[name]
        elif name in ('chest', 'belly', 'hip', 'back'):
            G, pos = self.bone('spine02' if name == 'chest' else 'spine04')
            rest = {'chest': (sign * 0.5, 0.8, 2.1), 'belly': (sign * 0.6, -0.2, 2.1), 'hip': (sign * 1.75, -0.4, 0.5), 'back': (sign * 0.5, -0.4, -1.5)}[name]
        elif name == 'knee':
            return self.where(f'lowerleg01.{s}') + np.array([0, 0.75, -0.3])
        elif name == 'thigh':
            return 0.55 * self.where(f'lowerleg01.{s}') + 0.45 * self.where(f'upperleg01.{s}') + np.array([-0.2 * sign, 0.95, 0])
        else:
            raise KeyError(name)
        return self.tilt_matrix @ (pos + G @ np.array(rest))

    def middle(self, name):
        """Between a place's left and right."""
        return (self.anchor(name, 'L') + self.anchor(name, 'R')) / 2

    def thing(self, name, **options):
        self.things.append((name, options))
