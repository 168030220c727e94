"""How fast each part is on this machine: generator, composer, trainer (plain, fused, as a graph). Prints one line per finding.

python smoke.py --pool DIR --workers 15 [--configs NAMES]
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
from train import HERE, SIZES, Crops, Trainer, batch_of, wait_for


class Options:
    seed, lr, decay, resume, init, plain, where_from, where_until = 1, 1e-4, .02, None, None, False, .65, .9

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
    a.add_argument('--batch', type=int, default=512)
    a.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    a.add_argument('--least', type=float, default=1.5, help='seconds of every measurement')
    a.add_argument('--configs', nargs='*', default=list(CONFIGS), choices=CONFIGS)
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
        wait_for(lambda: min(pool.count[:o.workers]) >= 3, processes, 120, 'records')
        r0, c0 = time.time(), int(pool.count.sum())
        print(clock(), 'all generators at work', flush=True)
        store = Store(device, o.slots, backgrounds)
        feeder = Feeder(pool, store)
        wait_for(lambda: pool.count.sum() > 200, processes, 60, 'records')
        t, n = time.time(), feeder.step()
        print(clock(), f'feeder: {n} records in {time.time() - t:.2f} s', flush=True)
        measure(o, device, store, clock)
        print(clock(), f'generator: {(pool.count.sum() - c0) / (time.time() - r0):.0f} records/s from {o.workers} workers', flush=True)
    finally:
        workers.stop(processes)


def measure(o, device, store, clock):
    batches = {}
    for size in SIZES:
        crops = Crops(Composer(device, size), store, batch_of(o, size))
        batches[size] = crops.next()
        r = rate(crops.next, device, o.least, 4)
        print(clock(), f'composer {size[1]}x{size[0]}: {r * crops.batch:.0f} crops/s', flush=True)
        if device.type == 'cuda':
            profile(crops.composer.batch, store, crops.batch * crops.TOGETHER)
    for name in o.configs:
        for plain, graphs in ((True, False), (False, False), (False, True)) if device.type == 'cuda' else ((True, False),):
            trainer = Trainer(Options(config=name, device=o.device, plain=plain))
            what = f'trainer {name}{", fused" * trainer.fused}{", as a graph" * graphs}'
            if graphs:
                trainer.record([(size, batch_of(o, size)) for size in SIZES])
            trainer.net.train()
            for size, b in batches.items():
                r = rate(lambda: trainer.train_step(b, size, .3), device, o.least)
                print(clock(), f'{what} {size[1]}x{size[0]}: {r * len(b["kps"]):.0f} crops/s', flush=True)
            if device.type == 'cuda':
                profile(trainer.train_step, b, size, .3)


def profile(f, *args):
    """The kernels that take most of the GPU's time, in ms per call."""
    from torch.profiler import ProfilerActivity
    calls = 4
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[ProfilerActivity.CUDA]) as p:
        t = time.time()
        for _ in range(calls):
            f(*args)
        queued = time.time() - t
        torch.cuda.synchronize()
        spent = time.time() - t
    times = {e.key: e.self_device_time_total / 1e3 / calls for e in p.key_averages()}
    top = sorted(times.items(), key=lambda kv: -kv[1])[:14]
    print(f'  {spent / calls * 1e3:.1f} ms a call, {queued / calls * 1e3:.1f} to queue it, GPU {sum(times.values()):.1f}: '
          + '; '.join(f'{k[:58]} {v:.2f}' for k, v in top), flush=True)


if __name__ == '__main__':
    main()
