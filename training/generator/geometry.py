"""Rotations as 3 x 3 matrices. Axes: x the body's left, y up, z forward; angles in degrees."""
import math

import numpy as np

X, Y, Z = np.eye(3)


def rot(axis, degrees):
    """Rotation about a unit axis."""
    x, y, z = axis
    a = math.radians(degrees)
    c, s = math.cos(a), math.sin(a)
    d = 1 - c
    return np.array([[c + x * x * d, x * y * d - z * s, x * z * d + y * s],
                     [y * x * d + z * s, c + y * y * d, y * z * d - x * s],
                     [z * x * d - y * s, z * y * d + x * s, c + z * z * d]])


def cross(a, b):
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def length(v):
    return math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])


def unit(v):
    return np.asarray(v, float) / (length(v) + 1e-12)


def between(a, b):
    """Smallest rotation that takes direction a to direction b."""
    v = cross(a, b)
    n = length(v)
    if n < 1e-6:
        return np.eye(3) if a @ b > 0 else rot(X, 180)
    return rot(v / n, math.degrees(math.atan2(n, a @ b)))


def frame(forward, side):
    """Right-handed axes (columns): first along forward, second as near to side as possible."""
    a = unit(forward)
    b = unit(np.asarray(side) - (side @ a) * a)
    return np.stack([a, b, cross(a, b)], 1)
