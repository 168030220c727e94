"""Crops of another renderer: the prototype's, from which this folder's generator began. For `evaluate.py synthetic --crops`.

python prototype_crops.py --folder PROTOTYPE --assets MAKEHUMAN --out CROPS.npz [--count 2000]
"""
import argparse
import os
import sys
import tempfile

import cv2
import numpy as np

import native
from model import INPUT_SIZE

SIZE = 189, 252             # of its pictures, (width, height): a person fills some 20 % of them
AREA, BOX = .2, (.1, .1, .9, .9)


def pictures(folder, assets_folder, count, seed):
    """uint8 [count, 252, 189, 3] RGB and keypoints [count, 17, 3] (x, y, weight)."""
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    import assets
    from generator import Generator
    library = native.compiled(os.path.abspath(os.path.join(folder, 'render.cpp')))
    with tempfile.TemporaryDirectory() as baked:
        arrays = assets.load(assets_folder, os.path.join(baked, 'assets.npz'))
    generator = Generator(arrays, library, seed, size=SIZE)
    return [np.stack(v) for v in zip(*[generator.sample() for _ in range(count)])]


def main():
    a = argparse.ArgumentParser()
    for k in ('folder', 'assets', 'out'):
        a.add_argument('--' + k, required=True)
    a.add_argument('--count', type=int, default=2000)
    a.add_argument('--seed', type=int, default=424242)
    o = a.parse_args()
    image, kps = pictures(o.folder, o.assets, o.count, o.seed)
    W, H = INPUT_SIZE
    image = np.stack([cv2.resize(i, INPUT_SIZE, interpolation=cv2.INTER_LINEAR) for i in image])
    kps[..., :2] = (kps[..., :2] + .5) * (W / SIZE[0]) - .5
    np.savez_compressed(o.out, image=image, kps=kps, area=np.full(len(image), AREA * W * H), box=np.tile(np.array(BOX) * [W, H, W, H], (len(image), 1)))
    print(o.out, len(image), 'crops')


if __name__ == '__main__':
    main()
