"""The compiled renderer (render/) behind numpy arrays; builds itself and the baked assets once per machine."""
import ctypes
import fcntl
import glob
import hashlib
import os
import shutil
import subprocess

import numpy as np

import assets

HERE = os.path.dirname(os.path.abspath(__file__))
OWN_LOOKS = ('skin', 'hair', 'hair_thick', 'hair_line', 'ear_cover', 'curly', 'long_hair', 'parting', 'fringe', 'sweep', 'temples', 'beard',
             'stubble', 'brows', 'lips', 'squint', 'seed', 'glasses', 'mouth',
             'hat_line', 'hat_slope', 'hat_thick', 'hood', 'print_back', 'bend_elbow_l', 'bend_elbow_r', 'bend_knee_l', 'bend_knee_r',
             'bend_hip_l', 'bend_hip_r')
FLAGS = ['-O3', '-march=native', '-ffast-math', '-std=c++17', '-fPIC']


def _processor():
    """What -march=native depends on."""
    try:
        with open('/proc/cpuinfo') as f:
            return next((line for line in f if line.startswith('flags')), '')
    except OSError:
        return ''


def _digest(files):
    h = hashlib.sha256((' '.join(FLAGS) + _processor()).encode())
    for f in sorted(files):
        with open(f, 'rb') as fh:
            h.update(fh.read())
    return h.hexdigest()[:12]


def prepare(asset_folder, cache):
    """Compiles render/ and bakes the assets into the cache folder unless both are there. Returns (library, arrays)."""
    os.makedirs(cache, exist_ok=True)
    lib = os.path.join(cache, f'render-{_digest(glob.glob(os.path.join(HERE, "render", "*")))}.so')
    baked = os.path.join(cache, f'bodies-{_digest([os.path.join(HERE, "assets.py")])}.npz')
    with open(os.path.join(cache, 'lock'), 'w') as lock:        # many workers start at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(lib):
            compiler = next((c for c in (os.environ.get('CXX'), 'g++', 'c++', 'clang++') if c and shutil.which(c)), None)
            if compiler is None:
                raise RuntimeError('no C++ compiler found; g++, c++ or clang++ expected; install one or set CXX')
            # linked apart: with -ffast-math the linker would switch off denormals for the whole of Python
            subprocess.run([compiler, *FLAGS, '-c', os.path.join(HERE, 'render', 'render.cpp'), '-o', lib + '.o'], check=True)
            subprocess.run([compiler, '-shared', lib + '.o', '-o', lib + '.part'], check=True)
            os.replace(lib + '.part', lib)
        arrays = assets.load(asset_folder, baked)
    return ctypes.CDLL(lib), arrays


def _p(array):
    return array.ctypes.data_as(ctypes.c_void_p)


class Body:
    """One posed person: vertices and normals in its own axes, keypoints, bones, clothes."""
    __slots__ = ('verts', 'norms', 'kps', 'bones', 'pose', 'material', 'things', 'sex', 'child', 'low', 'high')


class Renderer:
    """W x H is the output size; bodies come from `pose`, pictures from `draw` and then `shade`."""

    def __init__(self, asset_folder, cache, size, prints):
        self.lib, self.arrays = prepare(asset_folder, cache)
        self.W, self.H = size
        a = self.arrays
        self.V, self.B, self.S = a['bank'].shape[1], len(a['parent']), len(a['bank'])
        self.names = [str(n) for n in a['names']]
        self.index = {n: i for i, n in enumerate(self.names)}
        self.lib.rz_material_fields.restype = ctypes.c_char_p
        fields = [f.split(':') for f in self.lib.rz_material_fields().decode().split()]
        self.fields = [(n, int(k)) for n, k in fields]
        self.lib.rz_create.restype = ctypes.c_void_p
        tris = [np.ascontiguousarray(a['tri_' + k]) for k in ('body', 'eyes', 'tights', 'skirt', 'hair')]
        prints = np.ascontiguousarray(prints, np.uint8)
        self.handle = ctypes.c_void_p(self.lib.rz_create(
            self.V, self.S, self.B, _p(a['bank']), _p(a['heads']), _p(a['parent']), _p(a['skin_idx']), _p(a['skin_w']),
            _p(a['attrs']), len(a['kp_ids']), _p(a['kp_ids']), len(a['kp_off']), _p(a['kp_off']), len(a['kp_bones']),
            _p(a['kp_bones']), _p(a['sizes']), _p(np.array([len(t) for t in tris], np.int32)),
            (ctypes.c_void_p * 5)(*[t.ctypes.data for t in tris]), len(prints), _p(prints)))

    def pack(self, material):
        """Material dict to the renderer's float row."""
        out = []
        for name, size in self.fields:
            v = material[name]
            out.extend(v if size == 3 else (v,))
        return np.array(out, np.float32)

    def same_clothes(self, material, like):
        """A copy of a packed material in the other's clothes, with its own head."""
        out, at = like.copy(), 0
        for name, size in self.fields:
            if name in OWN_LOOKS:
                out[at:at + size] = material[at:at + size]
            at += size
        return out

    def pose(self, i, j, t, rotations):
        """Body: bank bodies i and j blended by t, with (B, 3, 3) local bone rotations."""
        b = Body()
        b.verts, b.norms = np.empty((self.V, 3), np.float32), np.empty((self.V, 3), np.float32)
        b.kps, b.bones = np.empty((17, 3), np.float32), np.empty((self.B, 12), np.float32)
        rotations = np.ascontiguousarray(rotations, np.float32)
        self.lib.rz_pose(self.handle, int(i), int(j), ctypes.c_float(t), _p(rotations), _p(b.verts), _p(b.norms), _p(b.kps), _p(b.bones))
        return b

    def bone(self, body, name):
        """Global rotation (3, 3) and position (3) of a bone in the body's axes."""
        row = body.bones[self.index[name]].astype(float)
        return row[:9].reshape(3, 3), row[9:]

    def draw(self, camera, people, mesh, frame):
        """Surfaces without colours, at twice the output size: 1/depth and owner ids.

        camera: view (3, 3), t (3), A (2, 2), b (2) for twice the output size; people: (body, rotation, translation); mesh: a
        Mesh in world space; frame: x0, y0, x1, y1 at twice the output size, nothing is drawn outside."""
        W, H = self.W, self.H
        k = len(people)
        cam = np.concatenate([np.ravel(c) for c in camera]).astype(np.float32)
        xf = np.stack([np.concatenate([R.ravel(), o]) for _, R, o in people]).astype(np.float32)
        mats = np.stack([b.material for b, _, _ in people])
        verts = (ctypes.c_void_p * k)(*[b.verts.ctypes.data for b, _, _ in people])
        norms = (ctypes.c_void_p * k)(*[b.norms.ctypes.data for b, _, _ in people])
        clip = np.int32(np.clip(np.r_[np.floor(frame[:2] / 2), np.ceil(frame[2:] / 2)], 0, [W, H, W, H]) * 2)   # whole pixels, outwards
        zbuf, ids = np.empty((2 * H, 2 * W), np.float32), np.empty((2 * H, 2 * W), np.uint8)
        v, n, c, s, t, o = mesh.arrays()
        self.lib.rz_draw(self.handle, W, H, _p(clip), _p(cam), k, verts, norms, _p(xf), _p(mats), len(v), _p(v), _p(n), len(t), _p(t),
                         _p(o), _p(zbuf), _p(ids))
        self.drawn = mats, (v, n, c, s, t, o)
        return zbuf, ids

    def shade(self, lights, shadow, ao, dapple):
        """Colours of what was drawn last: rgba (H, W, 4)."""
        mats, (v, n, c, s, t, o) = self.drawn
        lights, dapple = np.asarray(lights, np.float32), np.asarray(dapple, np.float32)
        rgba = np.empty((self.H, self.W, 4), np.uint8)
        self.lib.rz_shade(self.handle, len(mats), _p(mats), len(v), _p(v), _p(n), _p(c), _p(s), len(t), _p(t), _p(o), len(lights) // 6 - 1,
                          _p(lights), ctypes.c_float(shadow), ctypes.c_float(ao), _p(dapple), _p(rgba))
        return rgba
