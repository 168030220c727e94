"""Builds `painter.cu` and paints scenes with it.

A scene is a row of 4-byte numbers in the order of `SCENE`, which is also where C++'s `struct Scene` comes from. `compose.py`
fills it. Crop pixels are i, j; sprite space is the record's pixels; both have pixel centres at whole numbers.
"""
import ctypes

import torch

import native

# A view of a background: picture, affine map from crop to picture pixels (x0, x_i, x_j, y0, y_i, y_j), 3 x 3 colour matrix and offset.
VIEW = [('image', int, 1), ('map', float, 6), ('colour', float, 12)]
# A record over the canvas: its number, map from the target's sprite to its own (k, tx, ty, mirrored), light.
PERSON = [('record', int, 1), ('place', float, 4), ('gain', float, 3), ('on', float, 1)]
# A thing in front, in sprite space: a box or an ellipse (round) with a wavy border (depth, waves, phase).
SHAPE = [('centre', float, 2), ('half', float, 2), ('turn', float, 2), ('wave', float, 3), ('round', float, 1), ('on', float, 1),
         ('colour', float, 3), ('texture', float, 1)]
SCENE = [
    ('to_sprite', float, 6), ('unit', float, 1), ('frame', float, 4),       # crop to sprite (as a view's map); sprite pixels per crop pixel
    ('ground', VIEW, 1), ('second', VIEW, 1), ('split', float, 3),          # second where split0 + split1 i + split2 j > 0
    ('cloth', VIEW, 1),                                                     # texture of things in front, and the folds' light
    ('behind0', PERSON, 1), ('behind1', PERSON, 1), ('own', PERSON, 1), ('front', PERSON, 1), ('shadow', float, 1), ('folds', float, 1),
    ('shape0', SHAPE, 1), ('shape1', SHAPE, 1), ('shape2', SHAPE, 1),
    ('light', float, 12), ('slope', float, 2), ('corners', float, 1), ('gamma', float, 1),
    ('small', float, 2), ('corner', float, 2),                              # size of the picture that was taken, and where it lies
    ('blur', float, 3), ('reach', float, 2), ('sharp', float, 1),           # quadratic form (xx, xy, yy) of the Gaussian, its extent
    ('noise', float, 1), ('mono', float, 1), ('seed', int, 1), ('jpeg', float, 1),
]


def _struct(name, fields):
    lines = []
    for field, kind, count in fields:
        text = {int: 'int32_t', float: 'float', id(VIEW): 'View', id(PERSON): 'Person', id(SHAPE): 'Shape'}[
            kind if kind in (int, float) else id(kind)]
        lines.append(f'  {text} {field}' + (f'[{count}];' if count > 1 else ';'))
    return f'struct {name} {{\n' + '\n'.join(lines) + '\n};\n'


def header():
    return '// Written by painter.py.\n' + ''.join(_struct(n, f) for n, f in (('View', VIEW), ('Person', PERSON), ('Shape', SHAPE), ('Scene', SCENE)))


def pack(values, fields=SCENE):
    """values: dict by field name (a dict again for a view, person or shape; tensors [n] or [n, count]) -> [n, words] float32, whole
    numbers as their bits."""
    columns = []
    for field, kind, count in fields:
        v = values[field]
        if kind is int:
            columns.append(v.to(torch.int32).view(torch.float32)[:, None])
        elif kind is float:
            v = v.float()
            columns.append(v[:, None] if v.ndim == 1 else v)
            assert columns[-1].shape[1] == count, (field, v.shape)
        else:
            columns.append(pack(v, kind))
    return torch.cat(columns, 1)


class _Job(ctypes.Structure):
    _fields_ = [(n, ctypes.c_void_p) for n in ('sprites', 'shades', 'backgrounds', 'scenes', 'lit', 'small', 'out', 'stream')] + \
               [(n, ctypes.c_int) for n in ('side', 'n', 'w', 'h', 'samples')]


class Painter:
    def __init__(self, device):
        self.device = torch.device(device)
        self.cuda = self.device.type == 'cuda'
        self.library = native.load('painter.cu', self.cuda, {'scene.h': header()})
        self.words = sum(1 for _ in _words(SCENE))
        assert self.library.scene_words() == self.words, (self.library.scene_words(), self.words)
        self.space = {}

    def paint(self, store, scenes, size, samples=1):
        """scenes [n, words] of `pack`; size (W, H), multiples of 8. Returns uint8 [n, 3, H, W], channels last."""
        n, (w, h) = len(scenes), size
        assert scenes.shape[1] == self.words and scenes.dtype == torch.float32 and w % 8 == h % 8 == 0
        scenes = scenes.contiguous()
        key = (n, w, h)
        if key not in self.space:
            self.space[key] = [torch.empty(n, h, w, 4, device=self.device) for _ in range(2)]
        lit, small = self.space[key]
        out = torch.empty(n, h, w, 3, dtype=torch.uint8, device=self.device)
        job = _Job(*[t.data_ptr() for t in (store.rgba, store.shade, store.back, scenes, lit, small, out)], native.stream(self.cuda),
                   store.back.shape[1], n, w, h, samples)
        native.check(self.library.paint(ctypes.byref(job)), 'painter.cu')
        return out.permute(0, 3, 1, 2)


def _words(fields):
    for _, kind, count in fields:
        yield from range(count) if kind in (int, float) else _words(kind)
