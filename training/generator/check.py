"""Self-check of the generator: python3 -m check --assets DIR (in this folder). Prints OK or fails with what is wrong.

The same seed must give the same bytes; shapes and ranges must be those of the pool; keypoints that can be seen must
lie inside the picture and its frame; the box must lie inside the picture and hold something.
"""
import argparse
import os
import shutil
import tempfile

import numpy as np

import generate
from pool import Pool

RECORDS = 40


def fill(assets, cache, folder, seed):
    generate.main(['--assets', assets, '--cache', cache, '--pool', folder, '--slots', str(RECORDS), '--seed', str(seed), '--count', str(RECORDS)])
    return Pool(folder, RECORDS)


def check_record(k, pool):
    rgba, kps, frame, box = pool.rgba[k], pool.kps[k], pool.frame[k], pool.box[k]
    h, w = rgba.shape[:2]
    assert np.isfinite(kps).all() and np.isfinite(box).all(), f'record {k}: not finite'
    assert not np.isnan(frame).any(), f'record {k}: frame {frame}'
    seen = kps[kps[:, 2] > .7, :2]
    assert len(seen) > 0, f'record {k}: nothing can be seen'
    assert (seen >= -.5).all() and (seen <= [w - .5, h - .5]).all(), f'record {k}: visible keypoint outside the picture'
    assert (seen >= frame[:2] - 1e-3).all() and (seen <= frame[2:] + 1e-3).all(), f'record {k}: visible keypoint outside the frame'
    assert (box[:2] >= -.5).all() and (box[2:] <= [w - .5, h - .5]).all() and (box[2:] > box[:2]).all(), f'record {k}: box {box}'
    x0, y0, x1, y1 = (box + .5).round().astype(int)
    assert rgba[y0:y1, x0:x1, 3].mean() > 20, f'record {k}: nothing in the box'
    assert pool.kind[k] in (0, 1), f'record {k}: kind {pool.kind[k]}'
    if pool.kind[k] == 1:
        assert (rgba[..., 3] == 255).all(), f'record {k}: a full scene with holes'


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument('--assets', required=True)
    ap.add_argument('--cache', default=generate.CACHE)
    o = ap.parse_args()
    folder = tempfile.mkdtemp()
    try:
        pools = [fill(o.assets, o.cache, os.path.join(folder, str(i)), seed) for i, seed in enumerate((1, 1, 2))]
        for name in ('rgba', 'kps', 'frame', 'box', 'kind', 'count'):
            a, b = getattr(pools[0], name), getattr(pools[1], name)
            assert np.array_equal(a, b), f'{name}: the same seed gave other bytes'
        assert not np.array_equal(pools[0].rgba, pools[2].rgba), 'another seed gave the same pictures'
        assert pools[0].count[0] == RECORDS
        for k in range(RECORDS):
            check_record(k, pools[0])
    finally:
        shutil.rmtree(folder)
    print(f'OK, {RECORDS} records')


if __name__ == '__main__':
    main()
