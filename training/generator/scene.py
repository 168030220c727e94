"""One record: a person, what it touches and who is around it, seen by a camera, cut like a photograph, labelled.

Camera axes: x right, y down, z forward. Keypoints, frame and box are pixel-centre coordinates of the record: 0, 0 is
the middle of its first pixel. World axes are the subject's upright axes.
"""
import numpy as np

import lights
from geometry import X, Y, Z, rot
from meshes import FLOOR, Mesh
from people import GROUND, OTHERS, OWN, THINGS, Cast
from renderer import Renderer
from wardrobe import prints

WIDTH, HEIGHT = 192, 256
ROOM = 1.25 * 1.12                                      # MMPose's padding and some room to zoom
# how far (dm) a keypoint may lie behind the drawn surface and still count as visible
DEPTH = np.array([.5, .6, .6, .9, .9, 1.5, 1.5, 1., 1., .8, .8, 2.1, 2.1, 1.2, 1.2, 1., 1.])
TEAM = .5                                               # share of neighbours at the same sport dressed alike
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

    def neighbours(self, subject, to_camera):
        """(body, rotation, translation) of others, in the subject's upright axes."""
        r, posture = self.rng, subject.pose.posture
        out = []

        def put(posture, at, yaw):
            other = self.cast.pick(posture)
            if other is not None and other is not subject:
                R = rot(Y, yaw)
                if subject.pose.outfit and subject.pose.outfit == other.pose.outfit and r.rand() < TEAM:
                    other.material = self.renderer.same_clothes(other.material, subject.material)
                level = subject.low - other.low if posture != 'sit' else (subject.pose.where('root') - other.pose.where('root'))[1]
                out.append((other, R, np.array([at[0], level, at[1]])))

        close = [o for n, o in subject.pose.things if n == 'neighbour']
        if close:
            sign = 1 if close[0]['side'] == 'L' else -1
            put('stand', (sign * r.uniform(3.2, 4.3), r.normal(.2, .5)), r.normal(0, 18))
        table = [o for n, o in subject.pose.things if n == 'table' and posture == 'sit']
        if table and r.rand() < .4:                     # across the table
            put('sit', (r.normal(0, 3), subject.pose.where('root')[2] + table[0]['ahead'] + table[0].get('deep', 6) + 1.8), 180 + r.normal(0, 15))
        right = np.array([to_camera[2], -to_camera[0]])
        front = np.array([to_camera[0], to_camera[2]])
        k = r.rand()
        crowd = 'sit' if posture == 'sit' else 'stand'
        if k < .20:                                     # a row
            gap, both = r.uniform(4.2, 7.5), r.rand() < .5
            for sign in ((1, -1) if both else (r.choice([1, -1]),)):
                put(crowd, (sign * gap + r.normal(0, .4), r.normal(0, 1.)), r.normal(0, 22))
        elif k < .29:                                   # somebody before the subject
            d, off = r.uniform(3.5, 9), r.choice([-1, 1]) * r.uniform(1, 5)
            put('stand' if r.rand() < .7 else crowd, front * d + right * off, r.uniform(-180, 180))
        elif k < .40:                                   # some behind
            for _ in range(r.randint(1, 4)):
                d = r.uniform(3, 25)
                put('stand', -front * d + right * r.normal(0, 2.5 + .3 * d), r.uniform(-180, 180))
        elif k < .45 and posture == 'stand':            # face to face
            put('stand', (r.normal(0, 1), r.uniform(3.5, 6.5)), 180 + r.normal(0, 25))
        elif k < .49 and posture == 'ride':
            put('ride', (r.choice([-1, 1]) * r.uniform(5, 12), r.normal(0, 6)), r.normal(0, 15))
        return out

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
        size = high - low
        q = r.rand()
        if q < .52:
            edge = r.choice(4, p=[.74, .09, .09, .08])
            if edge == 0:                               # below
                frame[3] = low[1] + size[1] * (r.uniform(.12, .45) if r.rand() < .36 else r.uniform(.4, .95))
            elif edge == 3:
                frame[1] = low[1] + size[1] * r.uniform(.03, .72)
            else:
                inner = size[0] * r.uniform(.05, .65)
                frame[0 if edge == 1 else 2] = low[0] + inner if edge == 1 else high[0] - inner
            if r.rand() < .28:                          # and a second side
                if edge in (1, 2):
                    frame[3] = low[1] + size[1] * r.uniform(.3, .95)
                else:
                    k = r.choice([0, 2])
                    frame[k] = low[0] + size[0] * r.uniform(.02, .4) if k == 0 else high[0] - size[0] * r.uniform(.02, .4)
            if edge == 0 and r.rand() < .2:
                frame[1] = low[1] + size[1] * r.uniform(0, .09)
        return frame

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
        people = [(subject, tilt, np.zeros(3))]
        mesh = Mesh(THINGS)
        for m in subject.things:
            mesh.merge(m)
        for other, R, t in self.neighbours(subject, to_camera):
            people.append((other, R @ other.pose.tilt_matrix, t))
            for m in other.things:
                if not (m.owner == THINGS and other.pose.posture == 'sit' and m.count > 3000):
                    mesh.merge(m, R, t, owner=OTHERS if m.owner == OWN else THINGS)
        if r.rand() < SHADOWS and (view @ Y)[2] < -.02:  # the camera is above the ground
            shadow = Mesh(GROUND)
            shadow.add(FLOOR, np.diag([13., 1, 13]), [0, subject.low + .02, 0], np.ones(3))
            mesh.merge(shadow)
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
            rgba, zbuf, ids = self.renderer.render((view, t, scale * np.eye(2), b), people, mesh, *light)
            edge = np.concatenate([scale * frame[:2] + b, scale * frame[2:] + b])       # at twice the record's size
            box = visible_box(ids, edge)
            if box is None:
                return None
            # what hides the person makes the visible part smaller: look closer once
            fill = (box[2:] - box[:2]).max() / (size * scale).max()
            if last or fill > .72:
                break
            low, high = (box[:2] - b) / scale, (box[2:] - b) / scale
        return self.label(subject, rgba, zbuf, ids, kuv * scale + b, kz, edge, box)

    def label(self, subject, rgba, zbuf, ids, kpx, kz, edge, box):
        """kpx, edge, box are at twice the record's size."""
        out = Record()
        kps = np.zeros((17, 3), np.float32)
        kps[:, :2] = kpx / 2 - .5
        x, y = np.floor(kpx).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < 2 * WIDTH) & (y < 2 * HEIGHT)
        inside &= (kpx >= edge[:2]).all(1) & (kpx <= edge[2:]).all(1) & (kz > 1)
        xc, yc = np.clip(x, 0, 2 * WIDTH - 1), np.clip(y, 0, 2 * HEIGHT - 1)
        depth, who = 1 / np.maximum(zbuf[yc, xc], 1e-6), ids[yc, xc]
        seen = depth > kz - DEPTH
        weight = np.where(seen, 1., np.where(who == OWN, OWN_HIDDEN, OTHER_HIDDEN))
        weight[:5][~seen[:5]] = HEAD_HIDDEN             # COCO leaves the hidden side of a head unlabelled
        kps[:, 2] = np.where(inside, weight, 0)
        if not (kps[:, 2] > .7).any():
            return None
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
