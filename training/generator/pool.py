"""The ring of records on disk that generator processes fill and the trainer reads (memory-mapped .npy files)."""
import os

import numpy as np

from scene import HEIGHT, WIDTH


class Pool:
    """rgba uint8 [slots, 256, 192, 4], kps float32 [slots, 17, 3], frame and box float32 [slots, 4], kind uint8 [slots],
    count int64 [64] (records written per worker)."""

    def __init__(self, folder, slots):
        os.makedirs(folder, exist_ok=True)
        self.slots = slots
        self.rgba = self._map(folder, 'rgba', (slots, HEIGHT, WIDTH, 4), np.uint8)
        self.kps = self._map(folder, 'kps', (slots, 17, 3), np.float32)
        self.frame = self._map(folder, 'frame', (slots, 4), np.float32)
        self.box = self._map(folder, 'box', (slots, 4), np.float32)
        self.kind = self._map(folder, 'kind', (slots,), np.uint8)
        self.count = self._map(folder, 'count', (64,), np.int64)

    @staticmethod
    def _map(folder, name, shape, dtype):
        path = os.path.join(folder, name + '.npy')
        if not os.path.exists(path):                    # made aside, so that a second worker never sees half a file
            part = f'{path}.{os.getpid()}'
            np.lib.format.open_memmap(part, 'w+', dtype, shape)
            try:
                os.link(part, path)
            except FileExistsError:
                pass
            os.unlink(part)
        array = np.lib.format.open_memmap(path, 'r+')
        if array.shape != shape:
            raise ValueError(f'{path}: shape {array.shape}; expected {shape}; use another folder or the same --slots')
        return array

    def write(self, slot, record):
        self.rgba[slot], self.kps[slot], self.kind[slot] = record.rgba, record.kps, record.kind
        self.frame[slot], self.box[slot] = record.frame, record.box
