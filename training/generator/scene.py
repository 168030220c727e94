"""One record: a person, what it touches and who is around it, seen by a camera, cut like a photograph, labelled.

Camera axes: x right, y down, z forward. Keypoints, frame and box are pixel-centre coordinates of the record: 0, 0 is
the middle of its first pixel. World axes are the subject's upright axes.
"""
import numpy as np

import lights
from chance import pick
from company import Company
from geometry import X, Y, Z, rot
from meshes import FLOOR, Mesh
from people import GROUND, OTHERS, OWN, THINGS, Cast
from renderer import Renderer
from wardrobe import prints

WIDTH, HEIGHT = 192, 256
ROOM = 1.25 * 1.12                                      # MMPose's padding and some room to zoom
# how far (dm) a keypoint may lie behind the drawn surface and still count as visible
DEPTH = np.array([.5, .6, .6, .9, .9, 1.5, 1.5, 1., 1., .8, .8, 2.1, 2.1, 1.2, 1.2, 1., 1.])
WHOLE = .53                                             # share of records that the photograph's frame does not cut
# what a frame leaves of a person, and how often
CUTS = dict(bust=.45, face=.06, half=.16, headless=.08, legs=.05, side=.15, piece=.05)
SHADOWS = .45                                           # share of records with a shadow on the ground
SPRITE, FULL = 0, 1
HEAD_HIDDEN, OWN_HIDDEN, OTHER_HIDDEN = .1, .8, .35     # weights of keypoints that cannot be seen


class Record:
    """rgba (256, 192, 4), kps (17, 3), frame (4), box (4), kind."""
    __slots__ = ('rgba', 'kps', 'frame', 'box', 'kind', 'activity')


class Generator:
    def __init__(self, assets, cache, seed, backgrounds=None):
        self.rng = np.random.RandomState(seed)
        self.renderer = Renderer(assets, cache, (WIDTH, HEIGHT), prints(self.rng))
        self.cast = Cast(self.renderer, self.rng)
        self.company = Company(self.cast, self.renderer, self.rng)
        self.backgrounds = backgrounds
        self.subject, self.uses = None, 0

    # ----------------------------------------------------------------- people
    def next_subject(self):
        """Every posed body serves twice, in other clothes and from another side."""
        if self.subject is None or self.uses >= 2:
            self.subject, self.uses = self.cast.make(), 0
        else:
            self.cast.clothe(self.subject)
        self.uses += 1
        return self.subject

    # ----------------------------------------------------------------- camera
    def aim(self, subject):
        """View rotation (world to camera) and distance."""
        r = self.rng
        q = r.rand()
        elevation = r.normal(6, 8) if q < .82 else r.uniform(14, 55) if q < .95 else r.uniform(-30, -5)
        yaw = r.normal(0, 48) if not subject.pose.free_yaw and r.rand() < .68 else r.uniform(-180, 180)
        view = rot(X, elevation) @ np.diag([1., -1, -1]) @ rot(Y, yaw)
        return rot(Z, r.normal(0, 2.5)) @ view, np.exp(r.uniform(np.log(15), np.log(130)))

    def cut(self, low, high, kps):
        """Frame of the photograph (x0, y0, x1, y1; infinite where it cuts nothing) around a person's extent."""
        r = self.rng
        frame = np.array([-np.inf, -np.inf, np.inf, np.inf])
        if r.rand() < WHOLE:
            return frame
        size = high - low
        nose, shoulder, hip = kps[0, 1], kps[5:7, 1].mean(), kps[11:13, 1].mean()
        trunk = hip - shoulder
        kind = pick(r, list(CUTS), CUTS.values())
        if trunk < .12 * size[1]:                       # lying, bent, upside down: nothing to go by
            kind = 'side' if r.rand() < .5 else 'piece'
        if kind == 'bust':
            frame[3] = shoulder + trunk * (.95 * r.rand() ** 2.3 - .04)
        elif kind == 'face':
            frame[3] = shoulder - max(shoulder - nose, .2 * trunk) * r.uniform(0, .6)
        elif kind == 'half':
            frame[3] = hip + (high[1] - hip) * r.uniform(-.15, .92)
        elif kind == 'headless':
            frame[1] = shoulder + trunk * r.uniform(-.3, .5)
            if r.rand() < .5:
                frame[3] = hip + (high[1] - hip) * r.uniform(0, .8)
        elif kind == 'legs':
            frame[1] = hip + trunk * r.uniform(-.35, .4)
            if r.rand() < .3:
                frame[3] = hip + (high[1] - hip) * r.uniform(.5, .95)
        elif kind == 'side':
            self.cut_side(frame, low, high, r.uniform(.05, .6))
            if r.rand() < .4:
                frame[3] = low[1] + size[1] * r.uniform(.3, .95)
        else:
            frame[3 if r.rand() < .7 else 1] = low[1] + size[1] * r.uniform(.15, .8)
            if r.rand() < .3:
                self.cut_side(frame, low, high, r.uniform(.05, .5))
        if kind in ('bust', 'face'):
            if r.rand() < .25:                          # too near: the forehead or an arm is lost
                frame[1] = nose - max(shoulder - nose, .2 * trunk) * r.uniform(.25, 1.1)
            if r.rand() < .3:
                self.cut_side(frame, low, high, r.uniform(.02, .45))
        return frame

    def cut_side(self, frame, low, high, share):
        inner = (high[0] - low[0]) * share
        if self.rng.rand() < .5:
            frame[0] = low[0] + inner
        else:
            frame[2] = high[0] - inner

    # ----------------------------------------------------------------- record
    def record(self):
        """Tries until somebody is worth showing."""
        while True:
            out = self.attempt()
            if out is not None:
                return out

    def attempt(self):
        r = self.rng
        subject = self.next_subject()
        tilt = subject.pose.tilt_matrix
        view, distance = self.aim(subject)
        to_camera = -view[2]
        to_camera = to_camera * [1, 0, 1] / (np.hypot(to_camera[0], to_camera[2]) + 1e-6)
        others = self.company.around(subject, to_camera)
        shadow = Mesh(GROUND)
        if r.rand() < SHADOWS and (view @ Y)[2] < -.02:  # the camera is above the ground
            shadow.add(FLOOR, np.diag([13., 1, 13]), [0, subject.low + .02, 0], np.ones(3))
        kps = subject.kps @ tilt.T
        t = -view @ kps[5:17].mean(0) + rot(Y, r.normal(0, 8)) @ rot(X, r.normal(0, 5)) @ np.array([0, 0, distance])

        def project(points):
            c = points @ view.T + t
            return c[:, :2] / np.maximum(c[:, 2:], .5), c[:, 2]

        uv = project(subject.verts[:13380:5] @ tilt.T)[0]
        kuv, kz = project(kps)
        frame = self.cut(uv.min(0), uv.max(0), kuv)
        seen = uv[((uv >= frame[:2]) & (uv <= frame[2:])).all(1)]
        if len(seen) < 60:
            return None
        light = lights.sample(r)
        low, high = seen.min(0), seen.max(0)
        for last in (False, True):
            size = np.maximum(high - low, 1e-3)
            if size.min() < .03 * (uv.max(0) - uv.min(0)).max():
                return None
            scale = 2 * WIDTH / (max(size[0], size[1] * WIDTH / HEIGHT) * ROOM)
            b = np.array([WIDTH, HEIGHT]) - scale * (low + high) / 2
            edge = np.concatenate([scale * frame[:2] + b, scale * frame[2:] + b])       # at twice the record's size
            people, mesh = self.crowd(subject, others, shadow, lambda p: scale * project(p)[0] + b, edge)
            zbuf, ids = self.renderer.draw((view, t, scale * np.eye(2), b), people, mesh, edge)
            box = visible_box(ids, edge)
            if box is None:
                return None
            # what hides the person makes the visible part smaller: look closer once
            fill = (box[2:] - box[:2]).max() / (size * scale).max()
            if last or fill > .72:
                break
            low, high = (box[:2] - b) / scale, (box[2:] - b) / scale
        return self.label(subject, light, zbuf, ids, kuv * scale + b, kz, edge, box)

    @staticmethod
    def crowd(subject, others, shadow, to_picture, edge):
        """People and things to render: the subject, and those of the others of whom something is in the picture."""
        people, mesh = [(subject, subject.pose.tilt_matrix, np.zeros(3))], Mesh(THINGS)
        for m in subject.things:
            mesh.merge(m)
        low, high = np.maximum(edge[:2], 0), np.minimum(edge[2:], [2 * WIDTH, 2 * HEIGHT])
        for other, R, t, furniture in others:
            A = R @ other.pose.tilt_matrix
            p = to_picture(other.verts[:13380:100] @ A.T + t)
            margin = .06 * (p.max(0) - p.min(0)).max()
            if (p.max(0) + margin < low).any() or (p.min(0) - margin > high).any():
                continue
            people.append((other, A, t))
            for m in other.things:
                if m.owner == OWN or furniture and not (other.pose.posture == 'sit' and m.count > 3000):
                    mesh.merge(m, R, t, owner=OTHERS if m.owner == OWN else THINGS)
        mesh.merge(shadow)
        return people, mesh

    def label(self, subject, light, zbuf, ids, kpx, kz, edge, box):
        """kpx, edge, box are at twice the record's size."""
        out = Record()
        kps = np.zeros((17, 3), np.float32)
        kps[:, :2] = kpx / 2 - .5
        x, y = np.floor(kpx).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < 2 * WIDTH) & (y < 2 * HEIGHT)
        inside &= (kpx >= edge[:2]).all(1) & (kpx <= edge[2:]).all(1) & (kz > 1)
        xc, yc = np.clip(x, 0, 2 * WIDTH - 1), np.clip(y, 0, 2 * HEIGHT - 1)
        depth, who = 1 / np.maximum(zbuf[yc, xc], 1e-6), ids[yc, xc]
        somebody = (who > OWN) & (who <= OTHERS)        # in front of a joint: it is covered, however near
        seen = depth > kz - np.where(somebody, 0, DEPTH)
        weight = np.where(seen, 1., np.where(who == OWN, OWN_HIDDEN, OTHER_HIDDEN))
        weight[:5][~seen[:5]] = HEAD_HIDDEN             # COCO leaves the hidden side of a head unlabelled
        kps[:, 2] = np.where(inside, weight, 0)
        if not (kps[:, 2] > .7).any():
            return None
        rgba = self.renderer.shade(*light)
        x0, y0, x1, y1 = np.clip(np.nan_to_num(edge / 2, posinf=1e6, neginf=-1e6), [0] * 4, [WIDTH, HEIGHT, WIDTH, HEIGHT])
        rgba[:int(round(y0))] = 0
        rgba[int(round(y1)):] = 0
        rgba[:, :int(round(x0))] = 0
        rgba[:, int(round(x1)):] = 0
        out.rgba, out.kps, out.kind = rgba, kps, SPRITE
        out.frame, out.box, out.activity = np.float32(edge / 2 - .5), np.float32(box / 2 - .5), subject.pose.activity
        return out


def visible_box(ids, edge):
    """x0, y0, x1, y1 of the subject's samples inside the frame, or None where too few are left."""
    h, w = ids.shape
    x0, y0, x1, y1 = (int(v) for v in np.clip(np.nan_to_num(edge, posinf=1e6, neginf=-1e6), [0] * 4, [w, h, w, h]))
    own = ids[y0:y1, x0:x1] == OWN
    rows, cols = np.flatnonzero(own.any(1)), np.flatnonzero(own.any(0))
    if len(rows) < 6 or len(cols) < 6 or own.sum() < 400:
        return None
    return np.array([x0 + cols[0], y0 + rows[0], x0 + cols[-1] + 1, y0 + rows[-1] + 1], float)
