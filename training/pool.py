"""The generator's records: memory-mapped ring files, and their mirror in the device's memory.

Files of a pool folder (written by `generator/generate.py`, one ring, worker w of n writes slots w, w + n, w + 2n, ...):
rgba.npy uint8 [slots, 256, 192, 4] (straight alpha; kind 1: a whole scene, alpha 255), kps.npy float32 [slots, 17, 3] (x, y at
pixel centres; weight 1 visible, .8 behind the own body, .35 behind something else, .1 hidden side of the head, 0 not in the
photograph), frame.npy float32 [slots, 4] (the photograph's frame, infinite where it cuts nothing), box.npy float32 [slots, 4]
(x0, y0, x1, y1 of what is visible), kind.npy uint8 [slots], count.npy int64 [64] (records written by each worker).
"""
import os
import threading
import time

import numpy as np
import torch
from torch.nn import functional as F

COARSE = 4                  # pixels of a record per pixel of `Store.coarse`
NAMES = dict(rgba=np.uint8, kps=np.float32, frame=np.float32, box=np.float32, kind=np.uint8)


class Pool:
    """Read-only view of the ring files."""

    def __init__(self, folder, workers):
        self.workers = workers
        for name, dtype in NAMES.items():
            a = np.load(os.path.join(folder, name + '.npy'), mmap_mode='r')
            assert a.dtype == dtype, (name, a.dtype)
            setattr(self, name, a)
        assert self.rgba.shape[1:] == (256, 192, 4), self.rgba.shape
        self.count = np.load(os.path.join(folder, 'count.npy'), mmap_mode='r')
        self.slots = len(self.rgba)
        self.seen = np.zeros(workers, np.int64)

    def fresh(self, limit):
        """Slots written since the last call, at most about `limit`. The record being written now is never among them."""
        out = []
        for w in range(self.workers):
            total = int(self.count[w])
            ring = (self.slots - w + self.workers - 1) // self.workers
            first = max(self.seen[w], total - ring + 1)
            last = min(total, first + max(limit // self.workers, 1))
            if last > first:
                out.append(w + self.workers * (np.arange(first, last) % ring))
                self.seen[w] = last
        return np.unique(np.concatenate(out)) if out else np.zeros(0, np.int64)


class Store:
    """Records and backgrounds in the device's memory. `take` gives what `Composer` reads."""

    def __init__(self, device, slots, backgrounds):
        """backgrounds: uint8 [N, S, S, 3]."""
        self.device = torch.device(device)
        self.slots = slots
        new = lambda *shape, dtype: torch.zeros(slots, *shape, dtype=dtype, device=self.device)
        self.rgba = new(256, 192, 4, dtype=torch.uint8)
        self.kps, self.frame, self.box = (new(*s, dtype=torch.float32) for s in ((17, 3), (4,), (4,)))
        self.kind = new(dtype=torch.uint8)
        self.border = new(4, dtype=torch.float32)               # share of each border (left, top, right, bottom) that is covered
        self.coarse = new(256 // COARSE, 192 // COARSE, dtype=torch.uint8)      # mean alpha
        self.shade = new(32, 24, dtype=torch.uint8)             # alpha, blurred, for a shadow around the person
        self.bright = new(dtype=torch.float32)                  # mean luminance of what is covered, 0..1
        self.filled = np.zeros(slots, bool)
        # slots that hold a record, in order of arrival; grown in place, since the reading stream may lag behind the writing one
        self.order, self.count = new(dtype=torch.long), 0
        self.records = 0
        self.back = torch.zeros(0, *backgrounds.shape[1:], dtype=torch.uint8, device=self.device)
        self.add_backgrounds(backgrounds)

    def add_backgrounds(self, backgrounds):
        self.back = torch.cat([self.back, torch.from_numpy(np.ascontiguousarray(backgrounds)).to(self.device)])
        self.back_mean = self.back[:, ::4, ::4].float().mean((1, 2)) / 255      # [N, 3] in 0..1

    def put(self, slots, arrays):
        """Copies records into their slots. arrays: dict of numpy arrays in the order of `slots`."""
        if not len(slots):
            return
        cuda = self.device.type == 'cuda'
        at = torch.from_numpy(slots).to(self.device)
        a = arrays['rgba'][..., 3]
        lines = [a[:, :, 0], a[:, 0], a[:, :, -1], a[:, -1]]
        arrays = dict(arrays, border=np.stack([(v > 127).mean(1, dtype=np.float32) for v in lines], 1))
        for name, value in arrays.items():
            v = torch.from_numpy(np.ascontiguousarray(value))
            if cuda:
                v = v.pin_memory()
            getattr(self, name).index_copy_(0, at, v.to(self.device, non_blocking=cuda))
        self._put_alpha(at)
        first = slots[~self.filled[slots]]
        count = self.count + len(first)
        self.order[self.count:count] = torch.from_numpy(first).to(self.device)
        if cuda:
            torch.cuda.current_stream().synchronize()
        self.filled[first] = True
        self.records += len(slots)
        self.count = count                                      # last: from now on they are drawn

    def draw(self, n):
        return self.order[torch.randint(self.count, (n,), device=self.device)]

    def _put_alpha(self, at):
        for some in at.split(2048):
            rgba = self.rgba[some]
            alpha, few = rgba[..., 3].float()[:, None], rgba[:, ::4, ::4].float()
            light = (few[..., :3] @ few.new_tensor([.299, .587, .114]) * few[..., 3]).sum((1, 2))
            self.bright.index_copy_(0, some, light / (few[..., 3].sum((1, 2)).clamp_min(1) * 255))
            self.coarse.index_copy_(0, some, F.avg_pool2d(alpha, COARSE)[:, 0].round().byte())
            soft = F.avg_pool2d(F.avg_pool2d(F.avg_pool2d(alpha, 8), 5, 1, 2), 5, 1, 2)
            self.shade.index_copy_(0, some, soft[:, 0].round().byte())

    def take(self, ids):
        """dict(ids, kps, frame, box, kind), in sprite pixels: whole numbers are pixel centres (the files give borders between pixels)."""
        kind, frame, box = self.kind[ids], self.frame[ids] - .5, self.box[ids] - .5
        # where somebody or something is cut by the sprite's border, the photograph ends there; a scene always does
        limit = torch.tensor([-.5, -.5, 191.5, 255.5], device=self.device)
        inner = torch.cat([torch.maximum(frame[:, :2], limit[:2]), torch.minimum(frame[:, 2:], limit[2:])], 1)
        frame = torch.where((kind == 1)[:, None] | (self.border[ids] > .1), inner, frame)
        return dict(ids=ids, kps=self.kps[ids], frame=frame, box=box, kind=kind)

    def alpha_at(self, ids, x, y):
        """Alpha 0..1 of record ids [n] at the pixels nearest to x, y [n, ...]; 0 outside."""
        xi, yi = x.round().long(), y.round().long()
        inside = (xi >= 0) & (xi < 192) & (yi >= 0) & (yi < 256)
        a = self.rgba[ids.view(-1, *[1] * (x.ndim - 1)), yi.clamp(0, 255), xi.clamp(0, 191), 3]
        return a * inside * (1 / 255)


class Feeder(threading.Thread):
    """Keeps copying new records from the pool to the store."""

    def __init__(self, pool, store, chunk=2048, pause=.2):
        super().__init__(daemon=True)
        self.pool, self.store, self.chunk, self.pause = pool, store, chunk, pause
        self.stopping = threading.Event()
        self.error = None

    def step(self):
        slots = self.pool.fresh(self.chunk)
        self.store.put(slots, {k: getattr(self.pool, k)[slots] for k in NAMES})
        return len(slots)

    def run(self):
        try:
            if self.store.device.type == 'cuda':
                with torch.cuda.stream(torch.cuda.Stream()):
                    self._loop()
            else:
                self._loop()
        except Exception as e:                                  # told to the trainer, which stops with it
            self.error = e

    def _loop(self):
        while not self.stopping.is_set():
            if self.step() < self.chunk // 4:
                time.sleep(self.pause)
