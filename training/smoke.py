"""How fast each part is on this machine: generator, composer, trainer (plain and compiled). Prints one line per finding.

python smoke.py --assets DIR --pool DIR --workers 15 --seconds 40
"""
import argparse
import os
import shutil
import time

os.environ.setdefault('OMP_NUM_THREADS', '4')
import torch

import workers
from compose import Composer
from model import CONFIGS
from pool import Feeder, Pool, Store
from train import HERE, Trainer, wait_for


class Options:
    seed, lr, decay, resume, compile, where_until = 1, 1e-4, .02, None, False, .8

    def __init__(self, **kw):
        self.__dict__.update(kw)


def system():
    print(f'torch {torch.__version__}, {os.cpu_count()} CPUs, affinity {len(os.sched_getaffinity(0))}, '
          f'cuda {torch.cuda.get_device_name() if torch.cuda.is_available() else None}', flush=True)
    for path in ('/dev/shm', '/tmp', os.getcwd()):
        total, _, free = shutil.disk_usage(path)
        print(f'  {path}: {free / 2 ** 30:.1f} of {total / 2 ** 30:.1f} GiB free')
    print('  ', open('/proc/meminfo').readline().strip(), '; compiler',
          next((c for c in ('g++', 'c++', 'clang++') if shutil.which(c)), None), flush=True)


def rate(f, device, least=1.5, warm=3):
    """Calls per second."""
    sync = torch.cuda.synchronize if device.type == 'cuda' else lambda: None
    for _ in range(warm if device.type == 'cuda' else 1):
        f()
    sync()
    t, n = time.time(), 0
    while time.time() - t < least:
        f()
        n += 1
        if n % 4 == 0:
            sync()
    sync()
    return n / (time.time() - t)


def main():
    a = argparse.ArgumentParser()
    a.add_argument('--assets', default=os.path.join(HERE, 'assets'))
    a.add_argument('--pool', required=True)
    a.add_argument('--workers', type=int, default=15)
    a.add_argument('--slots', type=int, default=20000)
    a.add_argument('--seconds', type=float, default=40)
    a.add_argument('--batch', type=int, default=512)
    a.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    a.add_argument('--least', type=float, default=1.5)
    o = a.parse_args()
    began = time.time()
    clock = lambda: f'[{time.time() - began:5.1f} s]'
    device = torch.device(o.device)
    system()
    processes = []
    try:
        count = 16 * o.workers
        backgrounds = workers.Backgrounds(os.path.join(o.pool, 'backgrounds'), count, 1, o.workers).load()
        print(clock(), f'{count} backgrounds', flush=True)
        processes = workers.start_generators(o.assets, o.pool, o.slots, 1, o.workers, os.path.join(o.pool, 'generator.log'))
        pool = Pool(o.pool, o.workers)
        print(clock(), 'generators started', flush=True)
        wait_for(lambda: min(pool.count[:o.workers]) >= 3, processes, 120, 'records')
        r0, c0 = time.time(), int(pool.count.sum())
        print(clock(), 'all generators at work', flush=True)
        store = Store(device, o.slots, backgrounds)
        feeder = Feeder(pool, store)
        wait_for(lambda: pool.count.sum() > 200, processes, 60, 'records')
        feeder.step()
        measure(o, device, store, clock, began)
        print(clock(), f'generator: {(pool.count.sum() - c0) / (time.time() - r0):.0f} records/s from {o.workers} workers', flush=True)
        t, n = time.time(), feeder.step()
        print(clock(), f'feeder: {n} records in {time.time() - t:.2f} s', flush=True)
        if time.time() - began < o.seconds - 8:
            compiled(o, device, clock)
    finally:
        workers.stop(processes)


def measure(o, device, store, clock, began):
    batches = {}
    for size in ((192, 256), (96, 128)):
        composer = Composer(device, size)
        t = time.time()
        batches[size] = composer.batch(store, o.batch)
        first = time.time() - t
        r = rate(lambda: composer.batch(store, o.batch), device, o.least)
        memory = torch.cuda.max_memory_allocated() / 2 ** 30 if device.type == 'cuda' else 0
        print(clock(), f'composer {size[1]}x{size[0]}: {r * o.batch:.0f} crops/s (first call {first:.1f} s, {memory:.1f} GiB at most)', flush=True)
        if size[0] == 192 and device.type == 'cuda':
            profile(composer, store, o.batch)
    for name in CONFIGS:
        trainer = Trainer(Options(config=name, device=o.device))
        trainer.net.train()
        for size, b in batches.items():
            r = rate(lambda: trainer.train_step(b, size, .3), device, o.least)
            print(clock(), f'trainer {name} {size[1]}x{size[0]}: {r * o.batch:.0f} crops/s', flush=True)


def profile(composer, store, n):
    """GPU and CPU time of the composer's parts, in ms per batch."""
    parts = {}
    for name in ('_visible', '_paint', '_camera', '_blur', '_light', '_shrink', '_noise', '_jpeg', '_joints'):
        def timed(*args, f=getattr(composer, name), name=name):
            torch.cuda.synchronize()
            t = time.time()
            out = f(*args)
            torch.cuda.synchronize()
            parts[name] = parts.get(name, 0) + (time.time() - t) * 1e3
            return out
        setattr(composer, name, timed)
    t = time.time()
    for _ in range(3):
        composer.batch(store, n)
    torch.cuda.synchronize()
    print(f'  of {(time.time() - t) / 3 * 1e3:.1f} ms: ' + ', '.join(f'{k} {v / 3:.1f}' for k, v in parts.items()), flush=True)


def compiled(o, device, clock):
    t = time.time()
    try:
        trainer = Trainer(Options(config=next(iter(CONFIGS)), device=o.device, compile=True))
        trainer.net.train()
        b = dict(image=torch.rand(o.batch, 3, 256, 192, device=device), kps=torch.rand(o.batch, 17, 3, device=device) * 150,
                 absent=torch.zeros(o.batch, 17, dtype=torch.bool, device=device))
        trainer.train_step(b, (192, 256), .3)
        first = time.time() - t
        r = rate(lambda: trainer.train_step(b, (192, 256), .3), device, o.least)
        print(clock(), f'trainer compiled: first step {first:.1f} s, {r * o.batch:.0f} crops/s', flush=True)
    except Exception as e:
        print(clock(), f'compiling failed after {time.time() - t:.1f} s: {type(e).__name__}: {str(e)[:300]}', flush=True)


if __name__ == '__main__':
    main()
