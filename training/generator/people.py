"""Posed and dressed people with the things they use, kept for a while so that several records share one."""
import numpy as np

import objects
import wardrobe
from activities import ACTIVITIES
from assets import AGE_MEANS
from chance import pick
from meshes import Mesh
from skeleton import Skeleton

# Keypoints that COCO's annotators set elsewhere than the joint or vertex of the mesh: (bone that carries the shift,
# shift in dm in the bone's resting axes; x is mirrored for the right side).
SHIFTS = {0: ('head', (0, .12, 0)), 5: ('clavicle', (.05, .22, 0)), 11: ('pelvis', (.12, .10, 0)), 15: ('lowerleg01', (0, .15, 0))}
OWN, OTHERS, THINGS, GROUND = 1, 199, 200, 202          # owner ids of meshes in the id picture


BENDS = dict(elbow=(5, 7, 9), knee=(11, 13, 15), hip=(5, 11, 13))      # left keypoints before, at and after the joint


def bends(kps):
    """How far elbows, knees and hips are bent, 0 straight .. 1: there cloth is creased."""
    joints = np.array([[k + side for k in chain] for chain in BENDS.values() for side in (0, 1)])
    a, b, c = kps[joints[:, 0]], kps[joints[:, 1]], kps[joints[:, 2]]
    u, v = b - a, c - b
    cos = (u * v).sum(1) / np.sqrt((u * u).sum(1) * (v * v).sum(1))
    bend = np.clip(np.arccos(np.clip(cos, -1, 1)) / 1.6, 0, 1)
    return {f'bend_{name}_{side}': bend[2 * i + k] for i, name in enumerate(BENDS) for k, side in enumerate('lr')}


class Cast:
    """Makes people; `pick` returns earlier ones for the neighbourhood of a subject."""

    KEEP = 48

    def __init__(self, renderer, rng):
        self.r, self.rng = renderer, rng
        self.names = list(ACTIVITIES)
        weights = np.array([ACTIVITIES[n][1] for n in self.names], float)
        self.weights = weights / weights.sum()
        self.kept = {}

    def make(self, activity=None):
        r, a = self.rng, self.r.arrays
        i, j, t = r.randint(self.r.S), r.randint(self.r.S), r.uniform(0, .5)
        if (i - j) % 2:
            j = (j + 1) % self.r.S                      # blend within one sex
        name = activity or pick(r, self.names, self.weights)
        p = Skeleton(self.r.index, a['parent'], a['heads'][i] * (1 - t) + a['heads'][j] * t, r)
        p.activity = name
        ACTIVITIES[name][0](p)
        body = self.r.pose(i, j, t, p.R)
        body.pose = p
        age = AGE_MEANS[(i // 2) % len(AGE_MEANS)]
        body.sex, body.child = ('female', 'male')[i % 2], age < .5
        self._place_keypoints(body)
        y = body.verts[::9] @ p.tilt_matrix[1]
        body.low, body.high = float(y.min()), float(y.max())
        self.clothe(body, age > 1.5)
        kept = self.kept.setdefault(p.posture, [])
        kept.append(body)
        if len(kept) > self.KEEP // 3:
            kept.pop(r.randint(len(kept) // 2))
        return body

    def clothe(self, body, old=False):
        """New clothes and things."""
        p, r = body.pose, self.rng
        m = wardrobe.dress(r, body.sex, body.child, old, p.outfit, p.posture)
        m.update(bends(body.kps))
        body.material = self.r.pack(m)
        place = objects.Place(self.r, body, r)
        worn, used = Mesh(OWN), Mesh(THINGS)
        if m['brim'] and not m['hood']:
            objects.brim(worn, place, m['hat'], m['hat_line'] + .3 * m['hat_slope'], wide=m['brim'] == 'wide')
        if m['bun'] and m['hood'] < .5 and m['hair_line'] < 1:
            objects.bun(worn, place, m['hair'], m['bun'])
        objects.build(used, place, p.things)
        body.things = worn, used

    def _place_keypoints(self, body):
        for k, (bone, shift) in SHIFTS.items():
            if k == 0:
                body.kps[0] += self.r.bone(body, bone)[0] @ np.array(shift)
                continue
            for q, s, sign in ((k, 'L', 1), (k + 1, 'R', -1)):
                G = self.r.bone(body, f'{bone}.{s}')[0]
                body.kps[q] += G @ (np.array(shift) * [sign, 1, 1])

    def pick(self, posture):
        """An earlier person in a posture, or None."""
        kept = self.kept.get(posture) or []
        return kept[self.rng.randint(len(kept))] if len(kept) > 3 else None
