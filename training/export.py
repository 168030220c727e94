"""Writes the shipped file: fp16 safetensors with MMPose's keys, the config and the meta-info inside.

python export.py --ckpt ema.pth [ema.pth ...] --out ../models/inpose-default.safetensors [--scale S | --calibrate HELDOUT.npz]

Several files are averaged; one that is named twice counts twice. MMPose's decoders take a map's peak as the score. `--calibrate` finds the factor
that makes the peak the best estimate of "this joint is right" (similarity above 0.5) on held-out crops, and folds it into the last layer.
"""
import argparse
import json
import struct

import numpy as np
import torch

import metrics
from model import FLIP, JOINTS
from weights import load_mean

# MMPose's configs/_base_/datasets/coco.py
LINKS = [(15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10),
         (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)]
GREEN, ORANGE, BLUE = [0, 255, 0], [255, 128, 0], [51, 153, 255]
LINK_COLORS = [GREEN, GREEN, ORANGE, ORANGE, BLUE, BLUE, BLUE, BLUE, GREEN, ORANGE, GREEN, ORANGE] + [BLUE] * 7
WEIGHTS = [1, 1, 1, 1, 1, 1, 1, 1.2, 1.2, 1.5, 1.5, 1, 1, 1.2, 1.2, 1.5, 1.5]


def dataset_meta():
    """What MMPose's parse_pose_metainfo makes of COCO, as plain lists."""
    left = lambda name: name.startswith('left')
    return dict(
        dataset_name='coco', num_keypoints=17, keypoint_id2name={str(i): n for i, n in enumerate(JOINTS)},
        keypoint_name2id={n: i for i, n in enumerate(JOINTS)}, upper_body_ids=list(range(11)), lower_body_ids=list(range(11, 17)),
        flip_indices=FLIP, flip_pairs=[[j, i] for i, j in enumerate(FLIP) if i != j],
        keypoint_colors=[BLUE] * 5 + [GREEN if left(n) else ORANGE for n in JOINTS[5:]],
        num_skeleton_links=len(LINKS), skeleton_links=[list(p) for p in LINKS], skeleton_link_colors=LINK_COLORS,
        dataset_keypoint_weights=WEIGHTS, sigmas=[round(float(s), 4) for s in metrics.SIGMAS])


def halves(state_dict):
    """float16 tensors without what inference does not read."""
    return {k: v.to(torch.float16) for k, v in state_dict.items() if not k.endswith('num_batches_tracked')}


def write_safetensors(path, tensors, metadata):
    header, at = {'__metadata__': metadata}, 0
    for k, v in tensors.items():
        size = v.numel() * 2
        header[k] = dict(dtype='F16', shape=list(v.shape), data_offsets=[at, at + size])
        at += size
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text)
        for v in tensors.values():
            f.write(v.contiguous().numpy().astype('<f2').tobytes())
    return 8 + len(text) + at


def best_scale(scores, right):
    """The factor c with the least sum of (min(c score, 1) - right)^2."""
    grid = np.exp(np.linspace(np.log(.5), np.log(3), 200))
    return float(min(grid, key=lambda c: ((np.clip(c * scores, 0, 1) - right) ** 2).mean()))


def write_reference(path, net, tensors):
    """Output of the rounded weights, computed in float32, for a noise picture of 64 x 64."""
    net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}, strict=False)
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        y = net(x)
    flat = lambda t: [round(float(v), 7) for v in t.permute(0, 2, 3, 1).flatten()]
    with open(path, 'w') as f:
        json.dump(dict(input=flat(x), inputShape=[1, 64, 64, 3], output=flat(y)), f)


def main():
    a = argparse.ArgumentParser()
    a.add_argument('--ckpt', required=True, nargs='+', help='of train.py, or files of this; of several the mean of their weights')
    a.add_argument('--out', required=True)
    a.add_argument('--scale', type=float, default=1.)
    a.add_argument('--calibrate', help='held-out crops of `evaluate.py make`')
    a.add_argument('--reference', help='writes a small input and its maps for check_export.ts')
    o = a.parse_args()
    config, net = load_mean(o.ckpt)
    scale = o.scale
    if o.calibrate:
        from evaluate import predict, read
        d = read(o.calibrate)
        pred = predict(net, d['image'], flip=False)
        right = (metrics.joint_similarity(pred, d['kps'], d['area']) > .5) & (d['kps'][..., 2] > 0)
        scale = best_scale(pred[..., 2], right)
        print(f'scale {scale:.3f}; score > t: share above, right of those, found of the right')
        for name, k in (('before', 1.), ('after', scale)):
            q = np.concatenate([pred[..., :2], pred[..., 2:] * k], -1)
            print(name, '; '.join(f'{t:.1f}: {s:.3f} {p:.3f} {r:.3f}' for t, s, p, r in metrics.reliability(q, d['kps'], d['area'])))
    with torch.no_grad():
        net.head.final_layer.weight *= scale
        net.head.final_layer.bias *= scale
    tensors = halves(net.state_dict())
    meta = {'format': 'pt', 'inpose.config': json.dumps(config, separators=(',', ':')),
            'inpose.dataset_meta': json.dumps(dataset_meta(), separators=(',', ':')),
            'inpose.state_dict_versions': json.dumps({'head': 2})}      # HeatmapHead._version: no old names to convert
    if o.reference:
        write_reference(o.reference, net, tensors)
    size = write_safetensors(o.out, tensors, meta)
    print(f'{o.out}: {size} bytes, scale {scale:.3f}')


if __name__ == '__main__':
    main()
