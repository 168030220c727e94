"""The layer that `export.py` puts behind a trained network: every map is blurred, so that its peak is where the expected OKS is largest.

COCO's similarity of a joint is a Gaussian of the distance, between 1.4 (eyes) and 5.8 map pixels (hips) wide for a person of usual
size. What a place can expect is the map of where the joint may be, blurred by that Gaussian. The maps of training are blurred already,
by `SIGMA`, and are no exact probabilities; held-out crops are best with half of the width (training/README.md). In MMPose's terms the
old final layer becomes a convolution of `conv_layers`, and the final layer is depthwise. Expected OKS as a decoder: Purkrabek and
Matas 2024, ProbPose, https://arxiv.org/abs/2412.02254.
"""
import copy

import torch

import metrics
from model import HEATMAP_SIZE, INPUT_SIZE, JOINTS, SIGMA, build

KERNEL = 13                 # map pixels; 21 would be no better
SHARE = .5                  # of the similarity's own width
PERSON = 111.               # px of the input: root of the area of a person in a crop, median


def widths(share):
    """Standard deviation of the blur per joint, map pixels."""
    return torch.tensor(share * 2 * metrics.SIGMAS * PERSON * HEATMAP_SIZE[0] / INPUT_SIZE[0], dtype=torch.float32)


def kernels(share):
    """[17, 1, KERNEL, KERNEL]. The blur of a map of training keeps its peak of 1."""
    r = torch.arange(KERNEL) - KERNEL // 2
    s = widths(share)[:, None]
    line = torch.exp(-r * r / (2 * s * s))
    line = line / line.sum(1, keepdim=True) * torch.sqrt((SIGMA ** 2 + s * s) / SIGMA ** 2)
    return (line[:, :, None] * line[:, None])[:, None]


def add(net, share=SHARE):
    """The network with the layer."""
    config = copy.deepcopy(net.config)
    head, count = config['model']['head'], len(JOINTS)
    head.update(conv_out_channels=[*(head.get('conv_out_channels') or []), count],
                conv_kernel_sizes=[*(head.get('conv_kernel_sizes') or []), head['final_layer']['kernel_size']],
                final_layer=dict(kernel_size=KERNEL, padding=KERNEL // 2, groups=count))
    wide = build(config).eval()
    conv, norm = _last(head)
    state = {k.replace('head.final_layer.', conv): v for k, v in net.state_dict().items()}
    missing, unexpected = wide.load_state_dict(state, strict=False)
    # the new batch norm is left as it was made, so that it changes nothing
    assert not unexpected and all(k.startswith((norm, 'head.final_layer.')) for k in missing), (missing, unexpected)
    with torch.no_grad():
        wide.head.final_layer.weight.copy_(kernels(share))
        wide.head.final_layer.bias.zero_()
    return wide


def remove(net):
    """The network without the layer, as it is trained; one that has none as it is."""
    if 'groups' not in (net.config['model']['head'].get('final_layer') or {}):
        return net
    config = copy.deepcopy(net.config)
    head = config['model']['head']
    conv, norm = _last(head)
    size = head['conv_kernel_sizes'][-1]
    head.update(conv_out_channels=head['conv_out_channels'][:-1], conv_kernel_sizes=head['conv_kernel_sizes'][:-1],
                final_layer=dict(kernel_size=size, padding=size // 2))
    plain = build(config).eval()
    state = {k.replace(conv, 'head.final_layer.'): v for k, v in net.state_dict().items()
             if not k.startswith((norm, 'head.final_layer.'))}
    plain.load_state_dict(state)
    return plain


def _last(head):
    """Where the last convolution of `conv_layers` and its batch norm lie in a state_dict."""
    at = 3 * (len(head['conv_out_channels']) - 1)
    return f'head.conv_layers.{at}.', f'head.conv_layers.{at + 1}.'
