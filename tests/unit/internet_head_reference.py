"""Numbers for internet_head.test.ts from MMPose's own Hand3DHeatmap and InternetHead.

Run with MMPose 1.3.2, MMEngine and MMCV to be imported: python3 tests/unit/internet_head_reference.py > tests/unit/internet_head_reference.json
Values are the golden set's `uniform` formula over a name, -1 to 1.
"""
import json

import numpy as np
import torch

import mmpose.codecs  # noqa: F401, registers
import mmpose.models  # noqa: F401
from mmpose.registry import KEYPOINT_CODECS, MODELS

from formula import F, uniform


def plain(value):
    value = np.asarray(value)
    return dict(shape=list(value.shape), data=[float(repr(F(v))) for v in value.astype(F).ravel()])


CODEC = dict(type='Hand3DHeatmap', image_size=[32, 24], heatmap_size=[8, 6, 4], depth_size=4, root_heatmap_size=8, heatmap_size_root=8,
             sigma=1.5, max_bound=255)


def encoded(config, people=1):
    codec = KEYPOINT_CODECS.build(dict(config))
    keypoints = np.concatenate([16 + 14 * uniform('xy', (people, 4, 2)), 230 * uniform('depth', (people, 4, 1))], -1).astype(F)
    visible = (uniform('visible', (people, 4)) > -.5).astype(F)
    found = codec.encode(keypoints, visible, (1.5 + uniform('weights', (4, ))).astype(F), F(90), F(1), np.array([1., 0.], F), F(1),
                         None, None)
    return dict(config=config, people=people, encoded={k: plain(np.atleast_1d(v)) for k, v in found.items()})


def head():
    config = dict(type='InternetHead',
                  keypoint_head_cfg=dict(in_channels=6, out_channels=8, depth_size=4, deconv_out_channels=[5], deconv_kernel_sizes=[4]),
                  root_head_cfg=dict(in_channels=6, heatmap_size=8, hidden_dims=[5]),
                  hand_type_head_cfg=dict(in_channels=6, num_labels=2, hidden_dims=[5]), decoder=CODEC)
    module = MODELS.build(json.loads(json.dumps(config)))
    module.eval()
    state = {}
    for name, value in module.state_dict().items():
        if name.endswith('num_batches_tracked'):
            state[name] = value
            continue
        u = torch.from_numpy(uniform(name, tuple(value.shape)))
        is_scale = name.endswith('running_var') or 'deconv_layers.1.weight' in name
        state[name] = 1 + .5 * u if is_scale else .6 * u
    module.load_state_dict(state)
    feats = (torch.from_numpy(uniform('features', (2, 6, 3, 4))),)
    with torch.no_grad():
        outputs = module(feats)
        preds = module.predict(feats, [None, None])
    return dict(config=config, outputs=[plain(o.numpy()) for o in outputs],
                preds=[dict(keypoints=plain(p.keypoints), scores=plain(p.keypoint_scores), relRootDepth=plain(p.rel_root_depth),
                            handType=plain(p.hand_type)) for p in preds],
                parameters=[[n, list(v.shape)] for n, v in module.state_dict().items() if not n.endswith('num_batches_tracked')])


if __name__ == '__main__':
    cases = [encoded(CODEC), encoded(dict(CODEC, use_different_joint_weights=True, sigma=1), 2)]
    print(json.dumps(dict(codecs=cases, head=head()), separators=(',', ':')))
