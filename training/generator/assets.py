"""Bakes the CC0 MakeHuman files into the arrays the renderer needs.

`load(folder, cache)` reads the gzipped base mesh, rig, weights and body targets and returns a dict of numpy arrays,
kept as an .npz because parsing takes a while. Units are MakeHuman's: 1 unit = 1 dm, y up, the body looks along +z,
its left is +x. Run as a program it lists the arrays: python3 assets.py ASSETS CACHE.npz
"""
import gzip
import json
import os
import sys

import numpy as np

GROUPS = ('body', 'helper-l-eye', 'helper-r-eye', 'helper-tights', 'helper-skirt', 'helper-hair')
SEXES, AGES, RACES = ('female', 'male'), ('child', 'young', 'old'), ('african', 'asian', 'caucasian')
LEVELS = ('min', 'average', 'max')
BODIES = 72                                             # bodies in the bank
AGE_MEANS = (0.15, 0.9, 1.0, 1.1, 1.2, 1.6)             # 0 child, 1 young, 2 old; the bank cycles through them
BODY_BONES = ('spine', 'root', 'pelvis', 'clavicle', 'shoulder', 'upperarm', 'lowerarm', 'wrist', 'finger', 'metacarpal',
              'upperleg', 'lowerleg', 'foot', 'toe', 'breast', 'neck01', 'neck02')
LIMB_BONES = ('upperarm01', 'lowerarm01', 'wrist', 'upperleg01', 'lowerleg01', 'foot')


def _open(folder, name):
    return gzip.open(os.path.join(folder, name + '.gz'), 'rt')


def _read_obj(folder):
    verts, faces, group = [], {}, None
    with _open(folder, 'base.obj') as f:
        for line in f:
            if line.startswith('v '):
                verts.append([float(x) for x in line.split()[1:4]])
            elif line.startswith('g '):
                group = line.split()[1]
            elif line.startswith('f '):
                faces.setdefault(group, []).append([int(t.split('/')[0]) - 1 for t in line.split()[1:]])
    return np.array(verts, np.float32), {k: np.array(v) for k, v in faces.items()}


def _read_target(folder, name, n):
    out = np.zeros((n, 3), np.float32)
    with _open(folder, name + '.target') as f:
        for line in f:
            if line[0] in '#\n':
                continue
            i, x, y, z = line.split()
            out[int(i)] = float(x), float(y), float(z)
    return out


def _levels(rng, mean):
    """Weights over three ordered levels, non-zero on at most two neighbours."""
    x = np.clip(rng.normal(mean, 0.55), 0, 2)
    w = np.clip(1 - np.abs(np.arange(3) - x), 0, 1)
    return w / w.sum()


def _bank(folder, base, rng, head_share, neck):
    """Random bodies; the generator blends pairs of them. Even ones are female, odd ones male.

    MakeHuman's youngest is about eleven: small children get a larger head (head_share: weight of the head's bones per
    vertex; neck: function from vertices to the joint that stays where it is).
    """
    cache = {}

    def target(name):
        if name not in cache:
            cache[name] = _read_target(folder, name, len(base))
        return cache[name]

    bodies = []
    for k in range(BODIES):
        sex = SEXES[k % 2]
        ages = _levels(rng, AGE_MEANS[(k // 2) % len(AGE_MEANS)])
        races = rng.dirichlet([0.5] * 3)
        muscle, weight = _levels(rng, 1.0), _levels(rng, 1.1)
        v = base.copy()
        for a, wa in zip(AGES, ages):
            if wa == 0:
                continue
            for r, wr in zip(RACES, races):
                v += wa * wr * target(f'{r}-{sex}-{a}')
            for m, wm in zip(LEVELS, muscle):
                for w, ww in zip(LEVELS, weight):
                    if wm * ww > 0 and (m, w) != ('average', 'average'):
                        v += wa * wm * ww * target(f'universal-{sex}-{a}-{m}muscle-{w}weight')
        if AGE_MEANS[(k // 2) % len(AGE_MEANS)] < .5:
            v += (rng.uniform(.05, .4) * head_share)[:, None] * (v - neck(v))
        bodies.append(v)
    return np.stack(bodies)


def _triangles(faces):
    """Drawn vertices in group order and triangles per group in their new numbers."""
    remap = np.full(1 + max(f.max() for f in faces.values()), -1)
    order, tris = [], {}
    for g in GROUPS:
        ids = np.unique(faces[g])
        remap[ids] = len(order) + np.arange(len(ids))
        order += list(ids)
    for g in GROUPS:
        q = remap[faces[g]]
        tris[g] = np.concatenate([q[:, [0, 1, 2]], q[:, [0, 2, 3]]]).astype(np.int32)
    return np.array(order), tris


def _bone_order(rig):
    """Bone names, parents first."""
    names = []
    while len(names) < len(rig['bones']):
        for n, b in rig['bones'].items():
            if n not in names and (b['parent'] is None or b['parent'] in names):
                names.append(n)
    return names


def _attributes(rest, head, index, dense):
    """Per vertex: share of arm bones, place along the arm (0 shoulder, 0.5 elbow, 1 wrist), share of head bones, x, y, z."""
    def weight_of(*prefixes):
        return dense[:, [i for n, i in index.items() if n.startswith(prefixes)]].sum(1)

    arm = weight_of('upperarm', 'lowerarm', 'wrist', 'finger', 'metacarpal')
    not_head = weight_of(*BODY_BONES)
    along = np.zeros(len(rest), np.float32)
    for s in 'LR':
        sh, el, wr = (head[index[f'{b}.{s}']] for b in ('upperarm01', 'lowerarm01', 'wrist'))
        side = rest[:, 0] * (1 if s == 'L' else -1) > 0
        u = (rest - sh) @ (el - sh) / np.sum((el - sh) ** 2)
        l = (rest - el) @ (wr - el) / np.sum((wr - el) ** 2)
        du = np.linalg.norm(rest - (sh + np.clip(u, 0, 1)[:, None] * (el - sh)), axis=1)
        dl = np.linalg.norm(rest - (el + np.clip(l, 0, 2)[:, None] * (wr - el)), axis=1)
        a = np.where(du < dl, 0.5 * np.minimum(u, 1), 0.5 + 0.5 * np.maximum(l, 0))
        along = np.where(side & (arm > 0.02), a, along)
    return np.stack([arm, along, 1 - not_head, *rest.T], 1).astype(np.float32)


def _head_points(rest, attrs, tris):
    """Vertices of which the means are nose, left eye, right eye, left ear, right ear."""
    body = np.arange(len(rest)) <= tris['body'].max()
    y = rest[:, 1]
    nose = np.argmax(np.where(body & (np.abs(rest[:, 0]) < 0.05) & (y > 6.7) & (y < 7.3), rest[:, 2], -9))
    groups = [[nose]] + [np.unique(tris[g]) for g in ('helper-l-eye', 'helper-r-eye')]
    for s in (1, -1):
        x = np.where(body & (y > 6.6) & (y < 7.7) & (attrs[:, 2] > 0.5), s * rest[:, 0], -9)
        groups.append(np.where(x > x.max() - 0.12)[0])
    return groups


def build(folder, seed=1):
    rng = np.random.RandomState(seed)
    base, faces = _read_obj(folder)
    with _open(folder, 'default.mhskel') as f:
        rig = json.load(f)
    with _open(folder, 'default_weights.mhw') as f:
        weights = json.load(f)['weights']
    order, tris = _triangles(faces)
    names = _bone_order(rig)
    index = {n: i for i, n in enumerate(names)}
    parent = np.array([index.get(rig['bones'][n]['parent'], -1) for n in names], np.int32)

    full = np.zeros((len(base), len(names)), np.float32)
    for n, pairs in weights.items():
        for v, w in pairs:
            full[v, index[n]] = w
    full[full.sum(1) == 0, 0] = 1
    full /= full.sum(1, keepdims=True)                  # the helper meshes' weights add up to a half
    dense = full[order]
    top = np.argsort(-dense, 1, kind='stable')[:, :4]
    topw = np.take_along_axis(dense, top, 1)
    topw /= topw.sum(1, keepdims=True)

    def bone_heads(verts):
        return np.stack([verts[..., rig['joints'][rig['bones'][n]['head']], :].mean(-2) for n in names], -2)

    head_bones = [i for n, i in index.items() if not n.startswith(BODY_BONES)]
    bank = _bank(folder, base, rng, full[:, head_bones].sum(1), lambda v: bone_heads(v)[index['neck02']])
    rest = base[order]
    attrs = _attributes(rest, bone_heads(base), index, dense)
    points = _head_points(rest, attrs, tris)
    return dict(
        bank=bank[:, order].astype(np.float32), heads=bone_heads(bank).astype(np.float32), parent=parent,
        names=np.array(names), skin_idx=top.astype(np.int32), skin_w=topw.astype(np.float32), attrs=attrs,
        kp_ids=np.concatenate(points).astype(np.int32), kp_off=np.cumsum([0] + [len(g) for g in points]).astype(np.int32),
        kp_bones=np.array([index[f'{b}.{s}'] for b in LIMB_BONES for s in 'LR'], np.int32),
        sizes=np.array([len(np.unique(faces[g])) for g in GROUPS], np.int32),
        tri_body=tris['body'], tri_eyes=np.concatenate([tris['helper-l-eye'], tris['helper-r-eye']]),
        tri_tights=tris['helper-tights'], tri_skirt=tris['helper-skirt'], tri_hair=tris['helper-hair'])


def load(folder, cache):
    if not os.path.exists(cache):
        arrays = build(folder)
        np.savez(cache + '.part.npz', **arrays)
        os.replace(cache + '.part.npz', cache)
    with np.load(cache) as z:
        return {k: z[k] for k in z.files}


if __name__ == '__main__':
    for name, array in load(*sys.argv[1:3]).items():
        print(name, array.shape, array.dtype)
