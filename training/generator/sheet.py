"""Contact sheet of records over plain or photo-like backgrounds, with their labels: python3 sheet.py --help"""
import argparse
import time

import cv2
import numpy as np

from generate import CACHE
from scene import Generator

LIMBS = [(5, 7), (7, 9), (6, 8), (8, 10), (5, 6), (11, 12), (5, 11), (6, 12), (11, 13), (13, 15), (12, 14), (14, 16), (0, 1), (0, 2), (1, 3), (2, 4)]
LEFT, RIGHT = (255, 120, 0), (0, 200, 255)
SEEN, HIDDEN = (0, 255, 0), (255, 0, 255)


def over(record, rng, backgrounds=None):
    """RGB picture of a record over a background; black outside the photograph."""
    h, w = record.rgba.shape[:2]
    if backgrounds is not None and len(backgrounds):
        b = backgrounds[rng.randint(len(backgrounds))]
        y, x = rng.randint(b.shape[0] - h + 1), rng.randint(b.shape[1] - w + 1)
        back = b[y:y + h, x:x + w].astype(float)
    else:
        back = np.full((h, w, 3), rng.uniform(60, 200), float)
    a = record.rgba[..., 3:] / 255.
    img = record.rgba[..., :3] * a + back * (1 - a)
    yy, xx = np.mgrid[:h, :w]
    f = record.frame
    out = (xx < f[0]) | (yy < f[1]) | (xx > f[2]) | (yy > f[3])
    img[out] = 0
    return img.astype(np.uint8)


def draw(img, kps, box=None, scale=2):
    img = cv2.resize(img, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    p = ((kps[:, :2] + .5) * scale).astype(int)
    for a, b in LIMBS:
        if kps[a, 2] > .2 and kps[b, 2] > .2:
            cv2.line(img, tuple(map(int, p[a])), tuple(map(int, p[b])), LEFT if b % 2 else RIGHT, 1, cv2.LINE_AA)
    for q in range(17):
        if kps[q, 2] > .2:
            cv2.circle(img, tuple(map(int, p[q])), 2, SEEN if kps[q, 2] > .9 else HIDDEN, -1)
    if box is not None:
        x0, y0, x1, y1 = (int((v + .5) * scale) for v in box)
        cv2.rectangle(img, (x0, y0), (x1, y1), (255, 255, 0), 1)
    return img


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument('--assets', required=True)
    ap.add_argument('--out', required=True)
    ap.add_argument('--cache', default=CACHE)
    ap.add_argument('--rows', type=int, default=3)
    ap.add_argument('--cols', type=int, default=8)
    ap.add_argument('--seed', type=int, default=0)
    ap.add_argument('--draw', action='store_true', help='with keypoints and box')
    ap.add_argument('--backgrounds', help='.npy of backgrounds.py')
    ap.add_argument('--activity', help='only this activity')
    ap.add_argument('--scale', type=int, default=1)
    o = ap.parse_args()
    cv2.setNumThreads(1)
    backgrounds = np.load(o.backgrounds, mmap_mode='r') if o.backgrounds else None
    g = Generator(o.assets, o.cache, [o.seed])
    if o.activity:
        g.cast.weights = (np.array(g.cast.names) == o.activity).astype(float)
    for _ in range(8):
        g.record()
    start = time.time()
    records = [g.record() for _ in range(o.rows * o.cols)]
    print(f'{(time.time() - start) / len(records) * 1e3:.1f} ms per record')
    tiles = []
    for r in records:
        img = over(r, g.rng, backgrounds)
        img = draw(img, r.kps, r.box, o.scale) if o.draw else cv2.resize(img, None, fx=o.scale, fy=o.scale)
        tiles.append(cv2.copyMakeBorder(img, 0, 2, 0, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255)))
    sheet = np.concatenate([np.concatenate(tiles[i * o.cols:(i + 1) * o.cols], 1) for i in range(o.rows)], 0)
    cv2.imwrite(o.out, sheet[..., ::-1])


if __name__ == '__main__':
    main()
