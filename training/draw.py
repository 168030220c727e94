"""Sheets of crops with their joints drawn over them."""
import cv2
import numpy as np

LIMBS = [(5, 7), (7, 9), (6, 8), (8, 10), (5, 6), (11, 12), (5, 11), (6, 12), (11, 13), (13, 15), (12, 14), (14, 16),
         (0, 1), (0, 2), (1, 3), (2, 4)]


def skeleton(image, kps, thr):
    """Left limbs orange, right ones blue; joints green where the weight or score is high, magenta in between, red low."""
    image = np.ascontiguousarray(image)
    p = np.clip(kps[:, :2], -999, 999).round().astype(int)
    for a, b in LIMBS:
        if kps[a, 2] > thr and kps[b, 2] > thr:
            cv2.line(image, tuple(map(int, p[a])), tuple(map(int, p[b])), (255, 120, 0) if b % 2 else (0, 200, 255), 1, cv2.LINE_AA)
    for q, s in zip(p, kps[:, 2]):
        if s > thr:
            cv2.circle(image, tuple(map(int, q)), 2, (0, 255, 0) if s > .85 else (255, 0, 255) if s > .5 else (255, 0, 0), -1)
    return image


def sheet(path, images, kps, boxes=None, thr=.05, columns=8):
    """images: uint8 [n, H, W, 3] RGB."""
    tiles = []
    for i, image in enumerate(images):
        t = skeleton(image, kps[i], thr)
        if boxes is not None:
            x0, y0, x1, y1 = (int(v) for v in np.clip(boxes[i], -999, 999))
            cv2.rectangle(t, (x0, y0), (x1, y1), (255, 255, 0), 1)
        tiles.append(t)
    while len(tiles) % columns:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.concatenate(tiles[i:i + columns], 1) for i in range(0, len(tiles), columns)]
    cv2.imwrite(path, np.concatenate(rows)[..., ::-1])
