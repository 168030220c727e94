"""Numbers for resize.test.ts: cv2.resize (bilinear, 8 bits) of the golden set's pattern picture "resize".

Run: python3 tests/unit/resize_reference.py > tests/unit/resize_reference.json
"""
import json

import cv2
import numpy as np


def fnv1a(data):
    seed = 0x811C9DC5
    for byte in data:
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    return seed


def picture(name, h, w):
    s = fnv1a(name.encode()) & 511
    y, x, c = np.meshgrid(np.arange(h), np.arange(w), np.arange(3), indexing='ij')
    a = (x * (3 + c) + y * (5 - c) + s) & 511
    t = np.where(a < 256, a, 511 - a)
    b = ((x * x + 2 * y * y + 7 * c * x * y) >> 5) & 63
    k = np.where((((x >> 3) + (y >> 3)) & 1) == 1, 40, 0)
    return np.minimum((t * 3 + b * 2 + k * 4) >> 2, 255).astype(np.uint8)


# Down, up, half (a mean of four), half in one direction, the same size, one pixel wide, much smaller.
SIZES = [((33, 21), (20, 13)), ((7, 5), (14, 9)), ((64, 48), (32, 24)), ((40, 31), (20, 31)), ((9, 9), (9, 9)),
         ((1, 3), (4, 4)), ((101, 77), (16, 12)), ((50, 40), (111, 93))]

cases = []
for (w, h), (out_w, out_h) in SIZES:
    out = cv2.resize(picture('resize', h, w), (out_w, out_h), interpolation=cv2.INTER_LINEAR).reshape(-1)
    cases.append({'from': [w, h], 'to': [out_w, out_h], 'first': out[:12].tolist(), 'hash': fnv1a(out.tolist())})
print(json.dumps(cases))
