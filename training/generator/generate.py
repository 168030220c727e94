"""Fills a pool with rendered people: python3 generate.py --assets DIR --pool DIR --slots N --seed S --worker i --workers n

Worker i of n writes slots i, i + n, i + 2 n ... round and round, or `--count` records and stops.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
for variable in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ.setdefault(variable, '1')                # one process per core; before numpy loads

import cv2                                              # noqa: E402
import numpy as np                                      # noqa: E402

from pool import Pool                                   # noqa: E402
from scene import Generator                             # noqa: E402

CACHE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'build')


def arguments(argv=None):
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--assets', required=True, help='folder with the MakeHuman files')
    ap.add_argument('--pool', required=True, help='folder of the ring, made if missing')
    ap.add_argument('--slots', type=int, default=20000)
    ap.add_argument('--seed', type=int, default=0)
    ap.add_argument('--worker', type=int, default=0)
    ap.add_argument('--workers', type=int, default=1)
    ap.add_argument('--count', type=int, default=None, help='stop after so many records of this worker')
    ap.add_argument('--cache', default=CACHE, help='folder for the compiled renderer and the baked bodies')
    return ap.parse_args(argv)


def main(argv=None):
    o = arguments(argv)
    cv2.setNumThreads(1)
    pool = Pool(o.pool, o.slots)
    first = n = int(pool.count[o.worker])               # a restart goes on with other pictures
    generator = Generator(o.assets, o.cache, [o.seed, o.worker, first])
    mine = np.arange(o.worker, o.slots, o.workers)
    start = time.time()
    while o.count is None or n - first < o.count:
        pool.write(mine[n % len(mine)], generator.record())
        n += 1
        pool.count[o.worker] = n
        if (n - first) % 2000 == 0:
            print(f'worker {o.worker}: {n} records, {(n - first) / (time.time() - start):.1f} per second', flush=True)


if __name__ == '__main__':
    main()
