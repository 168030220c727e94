"""Numbers for resize.test.ts: Pillow's Image.resize (bilinear, 8 bits) of the golden set's pattern picture "resize".

Run: python3 tests/unit/resize_pillow_reference.py > tests/unit/resize_pillow_reference.json
"""
import json
import os
import sys

from PIL import Image

sys.path.insert(0, os.path.dirname(__file__))
sys.stdout, stdout = open(os.devnull, 'w'), sys.stdout
from resize_reference import fnv1a, picture  # noqa: E402

sys.stdout = stdout
# Down, up, half, one direction only, the same size, one pixel wide, much smaller, much larger, a little smaller.
SIZES = [((33, 21), (20, 13)), ((7, 5), (14, 9)), ((64, 48), (32, 24)), ((40, 31), (20, 31)), ((40, 31), (40, 44)),
         ((9, 9), (9, 9)), ((1, 3), (4, 4)), ((101, 77), (16, 12)), ((50, 40), (111, 93)), ((100, 75), (99, 74))]

cases = []
for (w, h), size in SIZES:
    out = Image.fromarray(picture('resize', h, w)).resize(size, Image.BILINEAR).tobytes()
    cases.append({'from': [w, h], 'to': list(size), 'first': list(out[:12]), 'hash': fnv1a(out)})
print(json.dumps(cases))
