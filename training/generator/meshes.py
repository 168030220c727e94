"""Triangle meshes from boxes, round bars and ellipsoids: what furniture, vehicles and tools are made of."""
import numpy as np

from geometry import frame, length, unit


def _box():
    v, n = [], []
    for axis in range(3):
        for side in (-.5, .5):
            for a, b in ((-.5, -.5), (.5, -.5), (.5, .5), (-.5, .5)):
                p, q = np.zeros(3), np.zeros(3)
                p[axis], p[(axis + 1) % 3], p[(axis + 2) % 3] = side, a, b
                q[axis] = side * 2
                v.append(p)
                n.append(q)
    t = [[4 * f + i for i in c] for f in range(6) for c in ((0, 1, 2), (0, 2, 3))]
    return np.array(v), np.array(n), np.array(t)


def grid(rows, cols):
    """Triangles of a rows x cols vertex grid."""
    i = np.arange((rows - 1) * (cols - 1))
    a = i // (cols - 1) * cols + i % (cols - 1)
    return np.concatenate([np.stack([a, a + 1, a + cols + 1], 1), np.stack([a, a + cols + 1, a + cols], 1)])


def _sphere(rows=8, cols=13):
    th, ph = np.linspace(0, np.pi, rows), np.linspace(0, 2 * np.pi, cols)
    v = np.stack([np.outer(np.sin(th), np.cos(ph)), np.outer(np.cos(th), np.ones(cols)), np.outer(np.sin(th), np.sin(ph))], -1)
    v = v.reshape(-1, 3)
    return v, v.copy(), grid(rows, cols)


def _cylinder(cols=11):
    """Radius 1, from y = 0 to 1, with caps."""
    ph = np.linspace(0, 2 * np.pi, cols)
    ring = np.stack([np.cos(ph), np.zeros(cols), np.sin(ph)], 1)
    up = np.array([0, 1., 0])
    v = np.concatenate([ring, ring + up, ring, ring + up])
    n = np.concatenate([ring, ring, 0 * ring - up, 0 * ring + up])
    caps = [[2 * cols + k * cols, 2 * cols + k * cols + i, 2 * cols + k * cols + i + 1] for k in (0, 1) for i in range(1, cols - 2)]
    return v, n, np.concatenate([grid(2, cols), np.array(caps)])


def _torus(cols=21, rows=7, thick=.1):
    """Ring of radius 1 in the x-y plane."""
    a, b = np.linspace(0, 2 * np.pi, cols), np.linspace(0, 2 * np.pi, rows)
    a, b = np.meshgrid(a, b, indexing='ij')
    r = 1 + thick * np.cos(b)
    v = np.stack([r * np.cos(a), r * np.sin(a), thick * np.sin(b)], -1).reshape(-1, 3)
    n = np.stack([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)], -1).reshape(-1, 3)
    return v, n, grid(cols, rows)


def _dome(rows=5, cols=17):
    """Upper part of a sphere, open below: an umbrella. Eight coloured gores."""
    th, ph = np.linspace(0, 1.25, rows), np.linspace(0, 2 * np.pi, cols)
    v = np.stack([np.outer(np.sin(th), np.cos(ph)), np.outer(np.cos(th), np.ones(cols)), np.outer(np.sin(th), np.sin(ph))], -1)
    v = v.reshape(-1, 3)
    return v, v.copy(), grid(rows, cols)


def _floor(n=9):
    """Square of side 2 in the x-z plane, facing up."""
    x, z = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n))
    v = np.stack([x.ravel(), 0 * x.ravel(), z.ravel()], 1)
    return v, np.tile([0, 1., 0], (n * n, 1)), grid(n, n)


BOX, SPHERE, CYLINDER, TORUS, TYRE, DOME, FLOOR = _box(), _sphere(), _cylinder(), _torus(thick=.03), _torus(thick=.13), _dome(), _floor()


class Mesh:
    """Grows part by part; owner is the id that the renderer writes where a triangle is seen."""

    def __init__(self, owner):
        self.owner = owner
        self.parts = []
        self.count = 0

    def add(self, shape, A, t, colour, spec=.05):
        """shape: a primitive; A (3, 3) and t (3) place it; colour: (3) or one per vertex."""
        v, n, tri = shape
        A = np.asarray(A, float)
        m = n @ np.linalg.inv(A)
        m /= np.linalg.norm(m, axis=1, keepdims=True) + 1e-9
        k = len(v)
        self.parts.append((v @ A.T + t, m, np.broadcast_to(colour, (k, 3)), np.full(k, spec), tri + self.count, np.full(len(tri), self.owner)))
        self.count += k

    def box(self, centre, size, colour, turn=None, **kw):
        A = np.diag(np.asarray(size, float))
        self.add(BOX, A if turn is None else turn @ A, centre, colour, **kw)

    def ball(self, centre, size, colour, turn=None, **kw):
        A = np.diag(np.broadcast_to(np.asarray(size, float), 3))
        self.add(SPHERE, A if turn is None else turn @ A, centre, colour, **kw)

    def bar(self, a, b, radius, colour, **kw):
        """Round bar from a to b."""
        a, b = np.asarray(a, float), np.asarray(b, float)
        d = b - a
        n = length(d)
        if n < 1e-6:
            return
        side = np.array([1., 0, 0]) if abs(d[0]) < .8 * n else np.array([0, 0, 1.])
        F = frame(d, side)
        self.add(CYLINDER, np.stack([F[:, 1] * radius, d, F[:, 2] * radius], 1), a, colour, **kw)

    def ring(self, centre, radius, normal, colour, tyre=False, squash=1., along=None, **kw):
        """Ring round an axis; squash makes it an ellipse, shortened across `along`."""
        F = frame(normal, np.array([0, 1., .1]) if along is None else np.asarray(along, float))
        self.add(TYRE if tyre else TORUS, np.stack([F[:, 1] * radius, F[:, 2] * radius * squash, F[:, 0] * radius], 1), centre, colour, **kw)

    def merge(self, other, R=None, t=0., owner=None):
        """Adds another mesh, turned and moved."""
        for v, n, c, s, tri, o in other.parts:
            if R is not None:
                v, n = v @ R.T, n @ R.T
            self.parts.append((v + t, n, c, s, tri + self.count, o if owner is None else np.full(len(o), owner)))
        self.count += other.count

    def arrays(self):
        """Vertices, normals, colours, gloss, triangles, owners."""
        if not self.parts:
            z = np.zeros((0, 3), np.float32)
            return z, z, z, np.zeros(0, np.float32), np.zeros((0, 3), np.int32), np.zeros(0, np.uint8)
        types = (np.float32,) * 4 + (np.int32, np.uint8)
        return tuple(np.ascontiguousarray(np.concatenate(p), dtype=t) for p, t in zip(zip(*self.parts), types))


def turn_to(direction, up=(0, 0, 1.)):
    """Rotation of which the y axis points along direction."""
    d = unit(direction)
    u = np.asarray(up, float)
    if abs(d @ u) > .95:
        u = np.array([1., 0, 0])
    F = frame(d, u)
    return np.stack([F[:, 2], F[:, 0], F[:, 1]], 1)
