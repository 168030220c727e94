"""The golden set's formula values for reference scripts, as tests/golden/formula.ts has them."""
import numpy as np

F = np.float32


def uniform(name, shape):
    """float32 values, -1 to 1, that follow from the name."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    out = []
    for i in range(int(np.prod(shape))):
        h = (seed + (i + 1) * 0x9E3779B9) & 0xFFFFFFFF
        h = ((h ^ (h >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
        h = ((h ^ (h >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
        out.append(-1 + 2 * ((h ^ (h >> 16)) / 2**32))
    return np.array(out, dtype=F).reshape(shape)
