"""Prints the numbers that src/backend/self_test.ts stores: the same small network in PyTorch, in float64.

Run: /usr/bin/python3 tests/browser/backend_self_test_numbers.py
"""
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def values(shape, seed, scale):
    """values() of self_test.ts: row-major in tfjs's layout."""
    size = 1
    for n in shape:
        size *= n
    data = [(((i * 31 + seed * 17) % 101) / 101 - 0.5) * scale for i in range(size)]
    return torch.tensor(data).to(torch.float32).to(torch.float64).reshape(shape)


def conv(x, kernel, seed, stride=1, padding=0):
    """kernel is HWIO."""
    weight = values(kernel, seed, 0.8).permute(3, 2, 0, 1)
    return F.relu(F.conv2d(x, weight, values([kernel[3]], seed + 1, 0.4), stride=stride, padding=padding))


x = values([1, 12, 8, 3], 1, 2).permute(0, 3, 1, 2)
a = conv(x, [3, 3, 3, 8], 2, stride=2, padding=1)
depthwise = values([3, 3, 8, 1], 4, 1.2).permute(2, 3, 0, 1)
a = F.conv2d(a, depthwise, padding=1, groups=8)
a = conv(a, [1, 1, 8, 16], 5)
low = conv(a, [3, 3, 16, 16], 7, stride=2, padding=1)
a = a + F.interpolate(low, scale_factor=2, mode='nearest')
a = a * torch.sigmoid(a)
up = F.interpolate(a, scale_factor=2, mode='bilinear', align_corners=False)
phases = conv(a, [3, 3, 16, 16], 9, padding=1)
# depth to space: channel (row * 2 + column) * 4 + c of a pixel becomes channel c of one of its four parts
heat = phases.reshape(1, 2, 2, 4, 6, 4).permute(0, 3, 4, 1, 5, 2).reshape(1, 4, 12, 8)
logits = heat.reshape(4, 96) @ values([96, 6], 11, 1)
out = torch.cat([logits.flatten(), torch.softmax(logits, 1).flatten(), up.mean((2, 3)).flatten(), up.amax((2, 3)).flatten()])
print(', '.join(f'{v:.6g}' for v in out.tolist()))
