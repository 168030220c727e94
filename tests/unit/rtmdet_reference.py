"""Numbers for rtmdet.test.ts: RTMDet in PyTorch as MMDetection builds and decodes it, with formula weights on a formula picture.

Run: python3 tests/unit/rtmdet_reference.py > tests/unit/rtmdet_reference.json
Needs PyTorch and OpenCV. Modules carry MMDetection's names; weights and picture are the golden set's formulas (tests/golden/formula.ts).
`python3 tests/unit/rtmdet_reference.py CHECKPOINT PICTURE` prints the boxes of a real checkpoint instead, to check this file itself.
"""
import json
import math
import sys

import cv2
import numpy as np
import torch
from torch import nn


# ---- formulas

def fnv1a(name):
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    return seed


def uniform(name, shape, lo, hi):
    i = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64)
    m = np.uint64(0xFFFFFFFF)
    h = (np.uint64(fnv1a(name)) + i * np.uint64(0x9E3779B9)) & m
    h = ((h ^ (h >> np.uint64(16))) * np.uint64(0x85EBCA6B)) & m
    h = ((h ^ (h >> np.uint64(13))) * np.uint64(0xC2B2AE35)) & m
    u = (h ^ (h >> np.uint64(16))).astype(np.float64) / 2**32
    return (lo + (hi - lo) * u).astype(np.float32).reshape(shape)


def weight(name, shape):
    last = name.rsplit('.', 1)[-1]
    if 'rtm_reg' in name and last == 'bias':
        lo, hi = 0, 1.5
    elif last == 'running_var':
        lo, hi = 0.5, 1.5
    elif last in ('running_mean', 'bias'):
        lo, hi = -0.1, 0.1
    elif len(shape) <= 1:
        lo, hi = 0.5, 1
    else:
        r = (4 if 'rtm_cls' in name else 1.25) * math.sqrt(3 / np.prod(shape[1:]))
        lo, hi = -r, r
    return uniform(name, shape, lo, hi)


def picture(name, h, w):
    s = fnv1a(name) & 511
    y, x, c = np.meshgrid(np.arange(h), np.arange(w), np.arange(3), indexing='ij')
    a = (x * (3 + c) + y * (5 - c) + s) & 511
    t = np.where(a < 256, a, 511 - a)
    b = ((x * x + 2 * y * y + 7 * c * x * y) >> 5) & 63
    k = np.where((((x >> 3) + (y >> 3)) & 1) == 1, 40, 0)
    return np.minimum((t * 3 + b * 2 + k * 4) >> 2, 255).astype(np.uint8)


# ---- network

ACT = {'SiLU': nn.SiLU, 'Swish': nn.SiLU, 'ReLU': nn.ReLU}


class ConvModule(nn.Module):

    def __init__(self, i, o, k, norm, act, stride=1, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(i, o, k, stride, k // 2, groups=groups, bias=norm is None)
        if norm is not None:
            self.bn = nn.BatchNorm2d(o, eps=norm.get('eps', 1e-5))
        self.norm = norm
        self.activate = ACT[act['type']]()

    def forward(self, x):
        x = self.conv(x)
        return self.activate(self.bn(x) if self.norm is not None else x)


class Separable(nn.Module):

    def __init__(self, i, o, k, norm, act, stride=1):
        super().__init__()
        self.depthwise_conv = ConvModule(i, i, k, norm, act, stride, groups=i)
        self.pointwise_conv = ConvModule(i, o, 1, norm, act)

    def forward(self, x):
        return self.pointwise_conv(self.depthwise_conv(x))


class Attention(nn.Module):

    def __init__(self, c):
        super().__init__()
        self.fc = nn.Conv2d(c, c, 1)

    def forward(self, x):
        return x * nn.functional.hardsigmoid(self.fc(x.mean((2, 3), keepdim=True)))


class Block(nn.Module):

    def __init__(self, c, add, conv, norm, act):
        super().__init__()
        self.conv1 = conv(c, c, 3, norm, act)
        self.conv2 = Separable(c, c, 5, norm, act)
        self.add = add

    def forward(self, x):
        y = self.conv2(self.conv1(x))
        return x + y if self.add else y


class CSPLayer(nn.Module):

    def __init__(self, i, o, ratio, n, add, conv, attention, norm, act):
        super().__init__()
        m = int(o * ratio)
        self.main_conv = ConvModule(i, m, 1, norm, act)
        self.short_conv = ConvModule(i, m, 1, norm, act)
        self.final_conv = ConvModule(2 * m, o, 1, norm, act)
        self.blocks = nn.Sequential(*[Block(m, add, conv, norm, act) for _ in range(n)])
        if attention:
            self.attention = Attention(2 * m)

    def forward(self, x):
        y = torch.cat([self.blocks(self.main_conv(x)), self.short_conv(x)], 1)
        return self.final_conv(self.attention(y) if hasattr(self, 'attention') else y)


class SPP(nn.Module):

    def __init__(self, i, o, norm, act):
        super().__init__()
        self.conv1 = ConvModule(i, i // 2, 1, norm, act)
        self.conv2 = ConvModule(i // 2 * 4, o, 1, norm, act)

    def forward(self, x):
        x = self.conv1(x)
        return self.conv2(torch.cat([x] + [nn.functional.max_pool2d(x, k, 1, k // 2) for k in (5, 9, 13)], 1))


P5 = [[64, 128, 3, True, False], [128, 256, 6, True, False], [256, 512, 6, True, False], [512, 1024, 3, False, True]]


class CSPNeXt(nn.Module):

    def __init__(self, c):
        super().__init__()
        norm, act, widen = c['norm_cfg'], c['act_cfg'], c['widen_factor']
        arch = c.get('arch_ovewrite') or P5
        conv = Separable if c.get('use_depthwise') else ConvModule
        first = int(arch[0][0] * widen)
        half = int(arch[0][0] * widen // 2)
        self.stem = nn.Sequential(
            ConvModule(3, half, 3, norm, act, 2), ConvModule(half, half, 3, norm, act), ConvModule(half, first, 3, norm, act))
        self.names = []
        for n, (i, o, blocks, add, spp) in enumerate(arch):
            i, o = int(i * widen), int(o * widen)
            layer = CSPLayer(o, o, c['expand_ratio'], max(round(blocks * c['deepen_factor']), 1), add, conv,
                             c['channel_attention'], norm, act)
            stage = [conv(i, o, 3, norm, act, 2)] + ([SPP(o, o, norm, act)] if spp else []) + [layer]
            self.names.append(f'stage{n + 1}')
            self.add_module(self.names[-1], nn.Sequential(*stage))

    def forward(self, x):
        x = self.stem(x)
        outs = []
        for name in self.names:
            x = getattr(self, name)(x)
            outs.append(x)
        return outs[-3:]


class PAFPN(nn.Module):

    def __init__(self, c):
        super().__init__()
        norm, act, ins, n = c['norm_cfg'], c['act_cfg'], c['in_channels'], c['num_csp_blocks']
        conv = Separable if c.get('use_depthwise') else ConvModule
        layer = lambda i, o: CSPLayer(i, o, c['expand_ratio'], n, False, conv, False, norm, act)
        down = range(len(ins) - 1, 0, -1)
        up = range(len(ins) - 1)
        self.reduce_layers = nn.ModuleList([ConvModule(ins[i], ins[i - 1], 1, norm, act) for i in down])
        self.top_down_blocks = nn.ModuleList([layer(ins[i - 1] * 2, ins[i - 1]) for i in down])
        self.downsamples = nn.ModuleList([conv(ins[i], ins[i], 3, norm, act, 2) for i in up])
        self.bottom_up_blocks = nn.ModuleList([layer(ins[i] * 2, ins[i + 1]) for i in up])
        self.out_convs = nn.ModuleList([conv(i, c['out_channels'], 3, norm, act) for i in ins])

    def forward(self, feats):
        inner = [feats[-1]]
        for i, (reduce, block) in enumerate(zip(self.reduce_layers, self.top_down_blocks)):
            inner[0] = reduce(inner[0])
            big = nn.functional.interpolate(inner[0], scale_factor=2, mode='nearest')
            inner.insert(0, block(torch.cat([big, feats[-2 - i]], 1)))
        outs = [inner[0]]
        for i, (down, block) in enumerate(zip(self.downsamples, self.bottom_up_blocks)):
            outs.append(block(torch.cat([down(outs[-1]), inner[i + 1]], 1)))
        return [conv(x) for conv, x in zip(self.out_convs, outs)]


class Scale(nn.Module):

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.))


def geometric(cls, obj):
    p = (cls.sigmoid() * obj.sigmoid()).sqrt().clamp(0, 1)
    return torch.log(p.clamp(min=1e-5) / (1 - p).clamp(min=1e-5))


class Head(nn.Module):
    """RTMDetHead and RTMDetSepBNHead."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        self.strides = c['anchor_generator']['strides']
        norm, act, i, o, k = c['norm_cfg'], c['act_cfg'], c['in_channels'], c['feat_channels'], c['pred_kernel_size']
        conv = Separable if c.get('use_depthwise') else ConvModule
        stack = lambda: nn.ModuleList([conv(o if n else i, o, 3, norm, act) for n in range(c['stacked_convs'])])
        last = lambda outs: nn.Conv2d(o, outs, k, padding=k // 2)
        self.sep = c['type'] == 'RTMDetSepBNHead'
        many = (lambda f: nn.ModuleList([f() for _ in self.strides])) if self.sep else (lambda f: f())
        self.cls_convs, self.reg_convs = many(stack), many(stack)
        self.rtm_cls, self.rtm_reg = many(lambda: last(c['num_classes'])), many(lambda: last(4))
        if c['with_objectness']:
            self.rtm_obj = many(lambda: last(1))
        if not self.sep:
            self.scales = nn.ModuleList([Scale() for _ in self.strides])
        elif c['share_conv']:
            for level in range(len(self.strides)):
                for n in range(c['stacked_convs']):
                    self.cls_convs[level][n].conv = self.cls_convs[0][n].conv
                    self.reg_convs[level][n].conv = self.reg_convs[0][n].conv

    def forward(self, feats):
        outs = []
        for i, (x, stride) in enumerate(zip(feats, self.strides)):
            at = lambda m: m[i] if self.sep else m
            cls, reg = x, x
            for conv in at(self.cls_convs):
                cls = conv(cls)
            for conv in at(self.reg_convs):
                reg = conv(reg)
            logits, raw = at(self.rtm_cls)(cls), at(self.rtm_reg)(reg)
            if self.c['with_objectness']:
                logits = geometric(logits, at(self.rtm_obj)(reg))
            if not self.sep:
                raw = self.scales[i].scale * raw.exp()
            elif self.c['exp_on_reg']:
                raw = raw.exp()
            outs.append((logits, raw * stride))
        return outs


class RTMDet(nn.Module):

    def __init__(self, c):
        super().__init__()
        self.backbone, self.neck, self.bbox_head = CSPNeXt(c['backbone']), PAFPN(c['neck']), Head(c['bbox_head'])

    def forward(self, x):
        return self.bbox_head(self.neck(self.backbone(x)))


# ---- pictures in, boxes out

def step(config, name):
    return next(s for s in config['test_pipeline'] if s['type'] == name)


def prepare(config, bgr):
    h, w = bgr.shape[:2]
    scale, size = step(config, 'Resize')['scale'], step(config, 'Pad')['size']
    factor = min(max(scale) / max(h, w), min(scale) / min(h, w))
    new = int(w * factor + 0.5), int(h * factor + 0.5)
    small = cv2.resize(bgr, new, interpolation=cv2.INTER_LINEAR)
    padded = np.empty((size[1], size[0], 3), np.uint8)
    padded[:] = step(config, 'Pad')['pad_val']['img']
    padded[:new[1], :new[0]] = small
    pre = config['model']['data_preprocessor']
    x = torch.from_numpy(padded.transpose(2, 0, 1).copy())
    x = (x[[2, 1, 0]] if pre['bgr_to_rgb'] else x).float()
    x = (x - torch.tensor(pre['mean']).view(3, 1, 1)) / torch.tensor(pre['std']).view(3, 1, 1)
    return x[None], (new[0] / w, new[1] / h), size


def nms(boxes, scores, thr):
    order = scores.sort(descending=True, stable=True)[1].tolist()
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    keep = []
    for i in order:
        if keep:
            k = torch.tensor(keep)
            wh = (torch.minimum(boxes[i, 2:], boxes[k, 2:]) - torch.maximum(boxes[i, :2], boxes[k, :2])).clamp(min=0)
            inter = wh[:, 0] * wh[:, 1]
            if (inter / (area[i] + area[k] - inter) > thr).any():
                continue
        keep.append(i)
    return torch.tensor(keep, dtype=torch.long)


def decode(config, outs, factors, size):
    test, head = config['model']['test_cfg'], config['model']['bbox_head']
    offset = head['anchor_generator']['offset']
    boxes, scores, labels = [], [], []
    for (logits, dist), stride in zip(outs, head['anchor_generator']['strides']):
        h, w = logits.shape[2:]
        s = logits[0].permute(1, 2, 0).reshape(h * w, -1).sigmoid()
        d = dist[0].permute(1, 2, 0).reshape(-1, 4)
        y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing='ij')
        points = (torch.stack([x, y], -1).reshape(-1, 2) + offset) * stride
        found = (s > test['score_thr']).nonzero()
        s = s[found[:, 0], found[:, 1]]
        s, order = s.sort(descending=True, stable=True)
        order = order[:test['nms_pre']]
        at, label = found[order, 0], found[order, 1]
        p, d = points[at], d[at]
        box = torch.stack([p[:, 0] - d[:, 0], p[:, 1] - d[:, 1], p[:, 0] + d[:, 2], p[:, 1] + d[:, 3]], -1)
        box[:, 0::2] = box[:, 0::2].clamp(0, size[0])
        box[:, 1::2] = box[:, 1::2].clamp(0, size[1])
        boxes.append(box), scores.append(s[:test['nms_pre']]), labels.append(label)
    boxes, scores, labels = torch.cat(boxes), torch.cat(scores), torch.cat(labels)
    boxes = boxes * torch.tensor([1 / factors[0], 1 / factors[1]] * 2)
    if test['min_bbox_size'] >= 0:
        ok = (boxes[:, 2:] - boxes[:, :2] > test['min_bbox_size']).all(1)
        boxes, scores, labels = boxes[ok], scores[ok], labels[ok]
    moved = boxes + (labels.to(boxes) * (boxes.max() + 1))[:, None]
    keep = nms(moved, scores, test['nms']['iou_threshold'])[:test['max_per_img']]
    return boxes[keep], scores[keep], labels[keep]


# ---- cases

def make_config(head, depthwise, norm, size, **test):
    arch = [[8, 8, 1, True, False], [8, 16, 2, True, False], [16, 16, 1, True, False], [16, 24, 1, False, True]]
    shared = dict(norm_cfg=norm, act_cfg=dict(type='SiLU', inplace=True))
    return dict(
        default_scope='mmdet',
        model=dict(
            type='RTMDet',
            data_preprocessor=dict(type='DetDataPreprocessor', mean=[103.53, 116.28, 123.675], std=[57.375, 57.12, 58.395],
                                   bgr_to_rgb=False, batch_augments=None),
            backbone=dict(type='CSPNeXt', arch='P5', arch_ovewrite=arch, expand_ratio=0.5, deepen_factor=1, widen_factor=1,
                          use_depthwise=depthwise, channel_attention=True, **shared),
            neck=dict(type='CSPNeXtPAFPN', in_channels=[16, 16, 24], out_channels=12, num_csp_blocks=1,
                      use_depthwise=depthwise, expand_ratio=0.5, **shared),
            bbox_head={**dict(in_channels=12, stacked_convs=2, feat_channels=12,
                              anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[8, 16, 32]),
                              bbox_coder=dict(type='DistancePointBBoxCoder'), pred_kernel_size=1, **shared), **head},
            test_cfg={**dict(nms_pre=1000, min_bbox_size=0, score_thr=0.05, nms=dict(type='nms', iou_threshold=0.6),
                             max_per_img=100), **test}),
        test_pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=size, keep_ratio=True),
            dict(type='Pad', size=size, pad_val=dict(img=[114, 114, 114])),
            dict(type='PackDetInputs', meta_keys=['img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor']),
        ])


SEP = dict(type='RTMDetSepBNHead', with_objectness=False)
BN = dict(type='SyncBN')
CASES = [
    # As RTMDet-l, three classes; fewer candidates and boxes than there would be.
    ('shared convolutions', (70, 50), make_config(
        dict(SEP, num_classes=3, share_conv=True, exp_on_reg=True), False, BN, [64, 64], nms_pre=40, max_per_img=30)),
    # As RTMDet-nano for persons.
    ('depthwise', (80, 45), make_config(
        dict(SEP, num_classes=1, share_conv=False, use_depthwise=True, exp_on_reg=False), True, BN, [96, 64])),
    ('objectness', (128, 90), make_config(
        dict(type='RTMDetHead', num_classes=2, with_objectness=True, pred_kernel_size=3,
             anchor_generator=dict(type='MlvlPointGenerator', offset=0.5, strides=[8, 16, 32])),
        False, dict(type='BN', eps=0.001), [64, 64], score_thr=0.2, min_bbox_size=8)),
]


def rounded(t, digits=6):
    return [float(f'{v:.{digits}g}') for v in t.reshape(-1).tolist()]


def run(model, config, bgr):
    x, factors, size = prepare(config, bgr)
    with torch.no_grad():
        outs = model(x)
        raw = torch.cat([torch.cat(pair, 1).permute(0, 2, 3, 1).reshape(-1, sum(p.shape[1] for p in pair)) for pair in outs])
        return raw, decode(config, outs, factors, size)


def fixture(name, size, config):
    model = RTMDet(config['model']).eval()
    state = {k: torch.from_numpy(weight(k, tuple(v.shape))) for k, v in model.state_dict().items() if 'num_batches' not in k}
    if config['model']['bbox_head'].get('share_conv'):
        for k in state:
            first = k.replace('convs.1.', 'convs.0.').replace('convs.2.', 'convs.0.')
            if k.endswith('.conv.weight') and 'bbox_head' in k:
                state[k] = state[first]
    model.load_state_dict(state, strict=False)
    raw, (boxes, scores, labels) = run(model, config, picture(name, size[1], size[0])[:, :, ::-1])
    return dict(name=name, picture=size, config=config, keys=[len(state), fnv1a('\n'.join(sorted(state)))], raw=rounded(raw, 8), bboxes=rounded(boxes),
                scores=rounded(scores), labels=labels.tolist())


if len(sys.argv) > 1:
    file = torch.load(sys.argv[1], map_location='cpu')
    scope = {}
    exec(file['meta']['cfg'], scope)
    net = RTMDet(scope['model'])
    net.load_state_dict(file['state_dict'], strict=True)
    _, (b, s, _) = run(net.eval(), scope, cv2.imread(sys.argv[2]))
    for box, score in zip(b.tolist(), s.tolist()):
        if score > 0.3:
            print([round(v, 3) for v in box], round(score, 6))
else:
    print(json.dumps([fixture(*case) for case in CASES]))
