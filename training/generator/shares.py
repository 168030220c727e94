"""What records show, as shares of many: python3 shares.py --assets DIR [--count 500]"""
import argparse
import time

import numpy as np

from generate import CACHE
from people import OTHERS
from scene import Generator

VISIBLE = .7                                            # weight
NEAR = .02                                              # share of a box that others must show in


class Counting(Generator):
    """Keeps, beside each record, how much of the subject's box shows other people."""

    def label(self, subject, light, zbuf, ids, kpx, kz, edge, box):
        out = super().label(subject, light, zbuf, ids, kpx, kz, edge, box)
        x0, y0, x1, y1 = (int(v) for v in box)
        part = ids[y0:y1, x0:x1]
        self.near = float(((part > 1) & (part < OTHERS)).mean()), bool((((ids > 1) & (ids < OTHERS)).sum() > 100))
        return out


def facts(record, near):
    w, box = record.kps[:, 2], record.box
    width, height = box[2:] - box[:2]
    head, body = w[:5] > VISIBLE, w[5:]
    cut = bool(np.isfinite(record.frame).any())
    return {
        'somebody else in the picture': near[1],
        'a neighbour overlaps the box': near[0] > NEAR,
        'cut by the frame': cut,
        'not cut, every joint in the picture': not cut and (w > 0).all(),
        'a joint of the body hidden by something or somebody': ((body > .3) & (body < .4)).any(),
        'three or more such joints': ((body > .3) & (body < .4)).sum() >= 3,
        'no joint of the head visible': not head.any(),
        'no joint of the head in the picture': not (w[:5] > 0).any(),
        'head and shoulders only': head.any() and (w[5:7] > 0).any() and not (w[7:] > 0).any(),
        'head alone': head.any() and not (body > 0).any(),
        'head and trunk, no knee': head.any() and (w[5:13] > 0).any() and not (w[13:] > 0).any(),
        'legs only': (w[11:] > VISIBLE).any() and not (w[:11] > VISIBLE).any(),
        'box wider than high': width > height,
        'at most three visible joints': (w > VISIBLE).sum() <= 3}


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument('--assets', required=True)
    ap.add_argument('--cache', default=CACHE)
    ap.add_argument('--count', type=int, default=500)
    ap.add_argument('--seed', type=int, default=0)
    o = ap.parse_args()
    g = Counting(o.assets, o.cache, [o.seed])
    for _ in range(50):                                 # the cast fills first
        g.record()
    start = time.process_time()
    rows = [facts(g.record(), g.near) for _ in range(o.count)]
    print(f'{(time.process_time() - start) / o.count * 1e3:.1f} ms of processor time per record')
    for name in rows[0]:
        print(f'{np.mean([r[name] for r in rows]):6.3f}  {name}')


if __name__ == '__main__':
    main()
