"""Writes mmpose_reference.json: what MMPose's own modules give for configs that the golden set has no case of, for mmpose_reference.test.ts.

Runs the source files of MMPose (a checkout of 1.3.2, named as argument) on torch alone: the few classes of mmcv and mmengine that they use
stand below. Inputs and weights are the golden set's `uniform` formula (tests/golden/formula.ts), so only outputs are stored.
Made with torch 1.13 (Debian's python3-torch):  python3 mmpose_reference.py ../../../mmpose > mmpose_reference.json
"""
import importlib
import json
import os
import sys
import types

import torch
import torch.nn as nn

from nn_reference import filled, uniform, values


def module(name, **contents):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__dict__.update(contents)


def package(name):
    """A package of the checkout without its __init__, which would import everything."""
    module(name, __path__=[os.path.join(sys.argv[1], *name.split('.'))])


class BaseModule(nn.Module):

    def __init__(self, init_cfg=None):
        super().__init__()


def build_conv_layer(cfg, *args, **kwargs):
    return getattr(nn, (cfg or dict(type='Conv2d'))['type'])(*args, **kwargs)


class ConvModule(nn.Module):

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, bias='auto', conv_cfg=None,
                 norm_cfg=None, act_cfg=dict(type='ReLU')):
        super().__init__()
        bias = norm_cfg is None if bias == 'auto' else bias
        self.conv = build_conv_layer(conv_cfg, in_channels, out_channels, kernel_size, stride, padding, dilation, bias=bias)
        norms = dict(BN=nn.BatchNorm2d, BN1d=nn.BatchNorm1d, BN3d=nn.BatchNorm3d)
        self.bn = norms[norm_cfg['type']](out_channels) if norm_cfg else nn.Identity()
        self.act = nn.ReLU() if act_cfg else nn.Identity()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Registry(dict):

    def register_module(self):
        return lambda cls: self.setdefault(cls.__name__, cls)

    def build(self, cfg):
        return self[cfg['type']](**{key: value for key, value in cfg.items() if key != 'type'})


MODELS = Registry()
CASES = []


def case(config, shape, lo=-2.0, hi=2.0):
    name = f'{json.dumps(config)} {list(shape)}'
    network = MODELS.build(config)
    filled(network, name)  # whose eval() gives None in MMPose's backbones
    with torch.no_grad():
        outputs = network(uniform('input:' + name, shape, lo, hi))
    outputs = [dict(shape=list(out.shape), data=values(out)) for out in outputs]
    CASES.append(dict(name=name, config=config, input=list(shape), range=[lo, hi], outputs=outputs))


def main():
    torch.set_grad_enabled(False)
    module('mmcv')
    module('mmcv.cnn', ConvModule=ConvModule, build_conv_layer=build_conv_layer, MaxPool2d=nn.MaxPool2d)
    module('mmengine')
    module('mmengine.model', BaseModule=BaseModule)
    module('mmpose.registry', MODELS=MODELS)
    for name in ['mmpose', 'mmpose.models', 'mmpose.models.utils', 'mmpose.models.backbones']:
        package(name)
    for name in ['hourglass_ae', 'tcn', 'v2v_net']:
        importlib.import_module('mmpose.models.backbones.' + name)

    tcn = dict(type='TCN', in_channels=6, stem_channels=8)
    case(tcn, (2, 6, 29))
    case(dict(tcn, causal=True), (1, 6, 29))
    case(dict(tcn, use_stride_conv=True), (2, 6, 27))
    case(dict(tcn, use_stride_conv=True), (1, 6, 54))
    case(dict(tcn, use_stride_conv=True, causal=True), (1, 6, 27))
    case(dict(tcn, residual=False), (1, 6, 27))
    case(dict(tcn, num_blocks=1, kernel_sizes=[3, 5]), (1, 6, 17))
    case(dict(tcn, norm_cfg=None, max_norm=1.0), (1, 6, 27))
    ae = dict(type='HourglassAENet', downsample_times=2, num_stacks=2, out_channels=3, stage_channels=[4, 6, 8], feat_channels=4)
    case(ae, (1, 3, 32, 16))
    case(dict(type='V2VNet', input_channels=2, output_channels=2, mid_channels=4), (2, 2, 4, 8, 12))
    json.dump(CASES, sys.stdout, separators=(',', ':'))


if __name__ == '__main__':
    main()
