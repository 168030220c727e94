"""A ResNet with a HeatmapHead of `model.py` as it is trained on a GPU: the same parameters and numbers in fewer passes over memory.

What takes the time at large inputs is not arithmetic but reading and writing: normalisation, ReLU, sums and pooling go through
`layers.py`; the first convolution reads cells of 2 x 2 pixels; the head's deconvolutions are matrix products, and their pixels
are put in place once. python fused.py checks it against `model.py` on this machine.
"""
import torch
from torch.nn import functional as F

import layers
from model import ResNet

ACCEPTED = 1.5              # see `difference`; a wrong layer gives more than 2


def possible(net):
    """Whether `forward` knows this network."""
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    head = net.head
    return (isinstance(net.backbone, ResNet) and len(head.deconv_layers) == 6 and head.final_layer.out_channels == 17
            and all(m.num_features % 8 == 0 for m in norms))


def forward(net, image):
    """uint8 [n, 3, H, W] -> bfloat16 [n, 24, H / 4, W / 4]: the 17 heatmaps of net(normalised image) in training, and seven of zeros.
    Call it under autocast."""
    return _head(net.head, _backbone(net.backbone, image))


def _backbone(b, image):
    x = layers.norm_pool(F.conv2d(layers.cells(image), _stem(b.conv1.weight)), b.bn1)
    for i in range(b.stages):
        for block in getattr(b, f'layer{i + 1}'):
            x = _block(block, x)
    return x


def _stem(w):
    """The weights [c, 3, 7, 7] of a convolution of stride 2 and padding 3 for `layers.cells`: [c, 16, 4, 4]."""
    c = len(w)
    w = F.pad(w, (1, 0, 1, 0)).reshape(c, 3, 4, 2, 4, 2).permute(0, 3, 5, 1, 2, 4).reshape(c, 12, 4, 4)
    return F.pad(w, (0, 0, 0, 0, 0, 4)).contiguous(memory_format=torch.channels_last)


def _block(block, x):
    y = layers.norm(block.conv1(x), block.bn1)
    if block.downsample is not None:
        x = layers.norm(block.downsample[0](x), block.downsample[1], relu=False)
    return layers.norm(block.conv2(y), block.bn2, residual=x)


def _head(head, x):
    first, norm1, _, second, norm2, _ = head.deconv_layers
    n, _, h, w = x.shape
    x = layers.norm(_deconv(x.permute(0, 2, 3, 1), first), norm1)
    x = layers.norm_shuffled(_deconv(x, second), norm2, h, w)
    for conv, norm, _ in zip(*[iter(head.conv_layers)] * 3):
        x = layers.norm(F.conv2d(x, conv.weight, None, conv.stride, conv.padding), norm, bias=conv.bias)
    last, more = head.final_layer, -head.final_layer.out_channels % 8
    return F.conv2d(x, F.pad(last.weight, (0, 0) * 3 + (0, more)), F.pad(last.bias, (0, more)), last.stride, last.padding)


def _deconv(x, layer):
    """[..., cin] -> [..., 4, cout]: what a 2 x 2 deconvolution puts at dy, dx of every pixel."""
    cin, cout = layer.weight.shape[:2]
    return F.linear(x, layer.weight.permute(2, 3, 1, 0).reshape(4 * cout, cin)).view(*x.shape[:-1], 4, cout)


def difference(net, normalise, size, n=32):
    """The error of `forward` and its gradients in parts of the error that the network as written has in bfloat16, each against single
    precision: dict(maps, gradients, statistics). The network is as before afterwards."""
    device = next(net.parameters()).device
    generator = torch.Generator(device).manual_seed(3)
    noise = lambda *shape: torch.rand(*shape, device=device, generator=generator)
    image = F.interpolate(noise(n, 3, size[1] // 8, size[0] // 8), size=size[::-1], mode='bilinear').mul(255).byte()
    image = image.contiguous(memory_format=torch.channels_last)
    goal = noise(n, 17, size[1] // 4, size[0] // 4)
    kept = {k: v.clone() for k, v in net.state_dict().items()}

    def run(forward, low):
        net.load_state_dict(kept)
        net.zero_grad(set_to_none=True)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=low):
            maps = forward()[:, :17].float()
        ((maps - goal) ** 2).sum((1, 2, 3)).mean().backward()
        statistics = [v.float() for k, v in net.state_dict().items() if 'running_' in k]
        gradients = [p.grad.flatten() for p in net.parameters() if p.grad is not None and p.ndim > 1]
        return dict(maps=maps.detach().flatten(), gradients=torch.cat(gradients), statistics=torch.cat(statistics))
    exact, plain = run(lambda: net(normalise(image)), False), run(lambda: net(normalise(image)), True)
    fast = run(lambda: forward(net, image), True)
    net.load_state_dict(kept)
    net.zero_grad(set_to_none=True)
    return {k: float((fast[k] - v).norm() / (plain[k] - v).norm()) for k, v in exact.items()}


def _check():
    from model import CONFIGS, MEAN, STD, build
    torch.manual_seed(1)
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    net = build(CONFIGS['resnet34_b24']()).to(device, memory_format=torch.channels_last).train()
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
    found = difference(net, lambda v: (v.float() - mean) / std, (96, 128), 8)
    print(', '.join(f'{k} {v:.2f}' for k, v in found.items()), 'of the error that bfloat16 makes')
    if max(found.values()) > ACCEPTED:
        raise SystemExit('fused.py is wrong on this machine')


if __name__ == '__main__':
    _check()
