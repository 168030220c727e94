"""Numbers for cid_head.test.ts: MMPose's own cid_head.py, run on small features with stand-ins for MMCV and MMEngine.

Run: python3 tests/unit/cid_head_reference.py MMPOSE > tests/unit/cid_head_reference.json, MMPOSE being a checkout of MMPose 1.3.2.
Weights and features are the golden set's `uniform` formula over the name, -0.5 to 0.5 (features -1 to 1). What its codec gets is
recorded, and what `predict` makes of a codec's answer; the codec itself has its own golden data.
"""
import json
import sys
import types

import numpy as np
import torch
from torch import nn

K, C, GFD, H, W = 3, 6, 4, 10, 12
FLIP = [0, 2, 1]


def uniform(name, shape, lo, hi):
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    i = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64)
    h = (seed + i * 0x9E3779B9) & 0xFFFFFFFF
    h = ((h ^ (h >> np.uint64(16))) * 0x85EBCA6B) & 0xFFFFFFFF
    h = ((h ^ (h >> np.uint64(13))) * 0xC2B2AE35) & 0xFFFFFFFF
    u = (h ^ (h >> np.uint64(16))) / 2**32
    return torch.from_numpy((lo + (hi - lo) * u).astype(np.float32).reshape(shape))


class Record(types.SimpleNamespace):
    """InstanceData and PixelData."""

    @staticmethod
    def cat(records):
        return records[0]


class Codec:
    """Keeps what it is given."""

    def decode(self, heatmaps, scores):
        self.heatmaps, self.scores = heatmaps, scores
        return np.zeros((len(heatmaps), K, 2)), scores


class BaseHead(nn.Module):

    def __init__(self, init_cfg=None):
        super().__init__()

    def decode(self, outputs):
        keypoints, scores = self.decoder.decode(*outputs)
        return [Record(keypoints=keypoints, keypoint_scores=scores)]


class Registry:

    def register_module(self):
        return lambda cls: cls

    def build(self, config):
        return Codec() if config['type'] == 'DecoupledHeatmap' else nn.Identity()


class BaseModule(nn.Module):

    def __init__(self, init_cfg=None):
        super().__init__()


def conv(config):
    return nn.Conv2d(**{key: value for key, value in config.items() if key != 'type'})


def module(name, **contents):
    made = types.ModuleType(name)
    made.__path__ = []
    made.__dict__.update(contents)
    sys.modules[name] = made
    return made


def load(root, path, name):
    made = module(name)
    made.__package__ = name.rpartition('.')[0]
    with open(f'{root}/{path}') as file:
        exec(compile(file.read(), path, 'exec'), made.__dict__)
    return made


def load_head(root):
    module('mmcv')
    module('mmcv.cnn', build_conv_layer=conv)
    module('mmengine')
    module('mmengine.model', BaseModule=BaseModule, ModuleDict=nn.ModuleDict)
    module('mmengine.structures', InstanceData=Record, PixelData=Record)
    for name in ('mmpose', 'mmpose.models', 'mmpose.models.utils', 'mmpose.models.heads', 'mmpose.utils'):
        module(name)
    module('mmpose.models.heads.heatmap_heads')
    module('mmpose.models.heads.base_head', BaseHead=BaseHead)
    module('mmpose.registry', KEYPOINT_CODECS=Registry(), MODELS=Registry())
    names = ('ConfigType', 'Features', 'OptConfigType', 'OptSampleList', 'Predictions')
    module('mmpose.utils.typing', **{name: object for name in names})
    load(root, 'mmpose/models/utils/tta.py', 'mmpose.models.utils.tta')
    name = 'mmpose.models.heads.heatmap_heads.cid_head'
    return load(root, 'mmpose/models/heads/heatmap_heads/cid_head.py', name).CIDHead


def numbers(values):
    return [float(f'{v:.7g}') for v in np.asarray(values, dtype=np.float64).reshape(-1)]


def main(root):
    head = load_head(root)(C, GFD, K, decoder=dict(type='DecoupledHeatmap')).eval()
    for name, parameter in head.named_parameters():
        parameter.data = uniform(name, tuple(parameter.shape), -0.5, 0.5)
    feats = uniform('feats', (1, C, H, W), -1, 1)
    mirrored = uniform('mirrored', (1, C, H, W), -1, 1)
    sample = Record(metainfo=dict(input_size=(48, 30), flip_indices=FLIP))
    cases = []
    for flip in (False, True):
        for test_cfg in ({}, dict(max_instances=3, blur_kernel_size=5, score_threshold=0.3)):
            given = [(feats, ), (mirrored, )] if flip else (feats, )
            with torch.no_grad():
                [pred] = head.predict(given, [sample], dict(flip_test=flip, **test_cfg))
            heatmaps, scores = head.decoder.heatmaps, head.decoder.scores
            cases.append({
                'testCfg': dict(flip_test=flip, **test_cfg),
                'scores': numbers(scores),
                'sums': numbers(heatmaps.sum((2, 3))),
                'first': numbers(heatmaps[0]),
                'last': numbers(heatmaps[-1]),
                'shift': numbers(pred.keypoints[0, 0]),
            })
    print(json.dumps(cases))


main(sys.argv[1])
