"""Numbers for rtmcc_block.test.ts: MMPose's RTMCCBlock (self-attention) in NumPy, step by step as its PyTorch code does them.

Run: python3 tests/unit/rtmcc_block_reference.py > tests/unit/rtmcc_block_reference.json
Weights and inputs are the golden set's `uniform` formula over the parameter's name, -1 to 1.
"""
import json

import numpy as np

from formula import F, uniform


def rope(x):
    """x (B, K, 2, s), along axis 1."""
    half = x.shape[-1] // 2
    position = np.arange(x.shape[1]).reshape(-1, 1)[..., None]
    inv_freq = F(10000) ** (np.arange(half, dtype=F) / F(half))
    angle = (position * inv_freq[None, None, :]).astype(F)
    sin, cos = np.sin(angle), np.cos(angle)
    x1, x2 = np.split(x, 2, axis=-1)
    return np.concatenate([x1 * cos - x2 * sin, x2 * cos + x1 * sin], axis=-1)


def rel_pos_bias(w, n):
    t = np.tile(np.pad(w[:2 * n - 1], [0, n]), n)
    t = t[..., :-n].reshape(-1, n, 3 * n - 2)
    r = (2 * n - 1) // 2
    return t[..., r:-r]


def block(x, tokens, in_dims, out_dims, s, expansion, act, bias, rel, pos):
    e = int(in_dims * expansion)
    norm = np.linalg.norm(x, axis=-1, keepdims=True) * in_dims**-0.5
    y = x / np.maximum(norm, 1e-5) * uniform('ln.g', [1])
    uv = y @ uniform('uv.weight', [2 * e + s, in_dims]).T
    if bias:
        uv = uv + uniform('uv.bias', [2 * e + s])
    uv = uv / (1 + np.exp(-uv)) if act == 'SiLU' else np.maximum(uv, 0)
    u, v, base = uv[..., :e], uv[..., e:2 * e], uv[..., 2 * e:]
    base = base[:, :, None] * uniform('gamma', [2, s])[None, None] + uniform('beta', [2, s])
    if pos:
        base = rope(base)
    q, k = base[:, :, 0], base[:, :, 1]
    qk = q @ k.transpose(0, 2, 1)
    if rel:
        qk = qk + rel_pos_bias(uniform('w', [2 * tokens - 1]), tokens)
    kernel = np.square(np.maximum(qk / np.sqrt(s), 0))
    out = (u * (kernel @ v)) @ uniform('o.weight', [out_dims, e]).T
    if bias:
        out = out + uniform('o.bias', [out_dims])
    if in_dims == out_dims:
        out = out + x * uniform('res_scale.scale', [in_dims])
    return out


cases = []
for act, bias, rel, pos, out_dims in [('SiLU', False, False, False, 6), ('ReLU', False, True, False, 6),
                                      ('SiLU', True, True, True, 6), ('SiLU', False, False, True, 4)]:
    config = dict(numToken=5, inDims=6, outDims=out_dims, s=4, expansionFactor=1.5, actFn=act, bias=bias,
                  useRelBias=rel, posEnc=pos)
    x = uniform('input', [2, 5, 6])
    y = block(x, 5, 6, out_dims, 4, 1.5, act, bias, rel, pos)
    cases.append(dict(config=config, output=[float(f'{v:.8g}') for v in y.reshape(-1)]))
print(json.dumps(cases))
