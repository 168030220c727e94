"""Starts and ends the generator's processes."""
import os
import subprocess
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
GENERATE = os.environ.get('INPOSE_GENERATE', os.path.join(HERE, 'generator', 'generate.py'))
BACKGROUNDS = os.environ.get('INPOSE_BACKGROUNDS', os.path.join(HERE, 'generator', 'backgrounds.py'))
ENV = dict(os.environ, OMP_NUM_THREADS='1', OPENBLAS_NUM_THREADS='1', MKL_NUM_THREADS='1')


def start_generators(assets, pool, slots, seed, workers, log=None, count=None):
    """One process per worker, each filling its own slots until it is ended or has made `count` records."""
    out = open(log, 'a') if log else subprocess.DEVNULL
    os.makedirs(pool, exist_ok=True)

    def start(i):
        return subprocess.Popen(
            [sys.executable, GENERATE, '--assets', assets, '--pool', pool, '--slots', str(slots), '--seed', str(seed),
             '--worker', str(i), '--workers', str(workers), *(['--count', str(count)] if count else [])],
            env=ENV, stdout=out, stderr=subprocess.STDOUT)
    first = start(0)                    # makes the files; the others find them
    wait_for_files(pool, [first])
    return [first] + [start(i) for i in range(1, workers)]


def wait_for_files(pool, processes, seconds=120):
    files = [os.path.join(pool, f + '.npy') for f in ('rgba', 'kps', 'frame', 'box', 'kind', 'count')]
    end = time.time() + seconds
    while not all(os.path.exists(f) and os.path.getsize(f) > 128 for f in files):
        for p in processes:
            if p.poll() is not None:
                raise RuntimeError(f'a generator ended with {p.returncode}; see its log')
        if time.time() > end:
            raise RuntimeError('the generator made no files; see its log')
        time.sleep(.1)


class Backgrounds:
    """Backgrounds being made by `processes` processes: uint8 [count, 320, 320, 3]."""

    def __init__(self, folder, count, seed, processes):
        os.makedirs(folder, exist_ok=True)
        share = -(-count // processes)
        self.files = [os.path.join(folder, f'backgrounds-{seed * 1000 + i}.npy') for i in range(processes)]
        self.running = [subprocess.Popen(
            [sys.executable, BACKGROUNDS, '--out', f, '--count', str(share), '--seed', str(seed * 1000 + i)], env=ENV)
            for i, f in enumerate(self.files)]

    def ready(self):
        return all(p.poll() is not None for p in self.running)

    def load(self):
        """Waits for them."""
        for p in self.running:
            if p.wait():
                raise RuntimeError(f'backgrounds.py ended with {p.returncode}')
        return np.concatenate([np.load(f) for f in self.files])


def stop(processes):
    for p in processes:
        if p.poll() is None:
            p.terminate()
    for p in processes:
        try:
            p.wait(5)
        except subprocess.TimeoutExpired:
            p.kill()
