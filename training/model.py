"""The networks, built from MMPose's config language with MMPose's parameter names.

`CONFIGS` holds whole model configs as MMPose writes them (and as `src/models` reads them); `build(config)` makes the torch
module whose `state_dict()` keys are MMPose's. Only what the configs below use is here: HRNet (BASIC and BOTTLENECK blocks,
nearest upsampling), ResNet, HeatmapHead (2 x 2 deconvolutions or none).
"""
import torch
from torch import nn
from torch.nn import functional as F

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
INPUT_SIZE, HEATMAP_SIZE, SIGMA = (192, 256), (48, 64), 2.0
FLIP = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
JOINTS = ('nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist '
          'left_hip right_hip left_knee right_knee left_ankle right_ankle').split()


# ---------------------------------------------------------------------------------------------------------------- configs
def _stage(block, blocks, channels, modules=1):
    return dict(num_modules=modules, num_branches=len(channels), block=block, num_blocks=list(blocks),
                num_channels=list(channels))


def _hrnet(width, blocks=2, stage1=32, stage1_blocks=2, stage3_modules=1):
    widths = [width << i for i in range(4)]
    stages = [_stage('BASIC', [stage1_blocks], [stage1])]
    stages += [_stage('BASIC', [blocks] * n, widths[:n], stage3_modules if n == 3 else 1) for n in (2, 3, 4)]
    backbone = dict(type='HRNet', in_channels=3, extra={f'stage{i + 1}': s for i, s in enumerate(stages)})
    head = dict(type='HeatmapHead', in_channels=width, out_channels=17, deconv_out_channels=None)
    return backbone, head


def _resnet(depth, stages, base, deconvs, convs):
    backbone = dict(type='ResNet', depth=depth, num_stages=stages, stem_channels=base, base_channels=base,
                    strides=[1, 2, 2, 1][:stages], dilations=[1] * stages, out_indices=[stages - 1])
    head = dict(type='HeatmapHead', in_channels=base << (stages - 1), out_channels=17, deconv_out_channels=list(deconvs),
                deconv_kernel_sizes=[2] * len(deconvs), final_layer=dict(kernel_size=3, padding=1))
    if convs:
        head.update(conv_out_channels=list(convs), conv_kernel_sizes=[3] * len(convs))
    return backbone, head


def _config(backbone, head):
    """A whole MMPose config: what `init_model` needs to crop, run and decode."""
    codec = dict(type='UDPHeatmap', input_size=list(INPUT_SIZE), heatmap_size=list(HEATMAP_SIZE), sigma=SIGMA)
    model = dict(
        type='TopdownPoseEstimator',
        data_preprocessor=dict(type='PoseDataPreprocessor', mean=list(MEAN), std=list(STD), bgr_to_rgb=True),
        backbone=backbone,
        head=dict(head, loss=dict(type='KeypointMSELoss', use_target_weight=True), decoder=codec),
        test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=False))
    pipeline = [dict(type='LoadImage'), dict(type='GetBBoxCenterScale'),
                dict(type='TopdownAffine', input_size=list(INPUT_SIZE), use_udp=True), dict(type='PackPoseInputs')]
    return dict(default_scope='mmpose', model=model, codec=codec, val_pipeline=pipeline)


CONFIGS = {
    'resnet34_b24': lambda: _config(*_resnet(34, 3, 24, (64, 48), (48,))),
    'resnet18_b20': lambda: _config(*_resnet(18, 4, 20, (80, 48), (48,))),
    'hrnet_w14': lambda: _config(*_hrnet(14, stage3_modules=2)),
}


# ----------------------------------------------------------------------------------------------------------------- blocks
def conv(cin, cout, k, stride=1, bias=False):
    return nn.Conv2d(cin, cout, k, stride, k // 2, bias=bias)


def for_tensor_cores(layer, x):
    """`layer(x)`; on a GPU with zero channels added up to multiples of eight, for which it has faster kernels."""
    i, o = -layer.in_channels % 8, -layer.out_channels % 8
    if not x.is_cuda or not i + o:
        return layer(x)
    bias = layer.bias if layer.bias is None else F.pad(layer.bias, (0, o))
    x = F.pad(x, (0, 0, 0, 0, 0, i)).contiguous(memory_format=torch.channels_last)
    y = F.conv2d(x, F.pad(layer.weight, (0, 0, 0, 0, 0, i, 0, o)), bias, layer.stride, layer.padding)
    return y[:, :layer.out_channels]


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, cin, cout, stride=1):
        super().__init__()
        self.conv1, self.bn1 = conv(cin, cout, 3, stride), nn.BatchNorm2d(cout)
        self.conv2, self.bn2 = conv(cout, cout, 3), nn.BatchNorm2d(cout)
        self.downsample = None
        if stride != 1 or cin != cout:
            self.downsample = nn.Sequential(conv(cin, cout, 1, stride), nn.BatchNorm2d(cout))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, cin, cout, stride=1):
        super().__init__()
        mid = cout // 4
        self.conv1, self.bn1 = conv(cin, mid, 1), nn.BatchNorm2d(mid)
        self.conv2, self.bn2 = conv(mid, mid, 3, stride), nn.BatchNorm2d(mid)
        self.conv3, self.bn3 = conv(mid, cout, 1), nn.BatchNorm2d(cout)
        self.downsample = None
        if stride != 1 or cin != cout:
            self.downsample = nn.Sequential(conv(cin, cout, 1, stride), nn.BatchNorm2d(cout))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


BLOCKS = dict(BASIC=BasicBlock, BOTTLENECK=Bottleneck)


def res_layer(block, n, cin, cout, stride=1):
    return nn.Sequential(*[block(cin if i == 0 else cout, cout, stride if i == 0 else 1) for i in range(n)])


# ------------------------------------------------------------------------------------------------------------------ HRNet
def conv_bn(cin, cout, k, stride=1, relu=False):
    return nn.Sequential(conv(cin, cout, k, stride), nn.BatchNorm2d(cout), *([nn.ReLU(inplace=True)] if relu else []))


class HRModule(nn.Module):
    def __init__(self, stage, cin, outputs):
        super().__init__()
        block = BLOCKS[stage['block']]
        widths = [c * block.expansion for c in stage['num_channels']]
        self.branches = nn.ModuleList(res_layer(block, n, a, b) for n, a, b in zip(stage['num_blocks'], cin, widths))
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(self._fuse(widths, i, j) for j in range(len(widths))) for i in range(outputs))

    @staticmethod
    def _fuse(widths, i, j):
        """From branch j to output i; None where i == j."""
        if i == j:
            return None
        if j > i:
            return nn.Sequential(*conv_bn(widths[j], widths[i], 1), nn.Upsample(scale_factor=2 ** (j - i), mode='nearest'))
        steps = [conv_bn(widths[j], widths[j], 3, 2, True) for _ in range(i - j - 1)]
        return nn.Sequential(*steps, conv_bn(widths[j], widths[i], 3, 2))

    def forward(self, feats):
        maps = [branch(x) for branch, x in zip(self.branches, feats)]
        out = []
        for layers in self.fuse_layers:
            total = None
            for layer, x in zip(layers, maps):
                term = x if layer is None else layer(x)
                total = term if total is None else total + term
            out.append(F.relu(total))
        return out


class HRNet(nn.Module):
    def __init__(self, in_channels, extra, **_):
        super().__init__()
        s = [extra[f'stage{i}'] for i in (1, 2, 3, 4)]
        width = [[c * BLOCKS[q['block']].expansion for c in q['num_channels']] for q in s]
        self.conv1, self.bn1 = conv(in_channels, 64, 3, 2), nn.BatchNorm2d(64)
        self.conv2, self.bn2 = conv(64, 64, 3, 2), nn.BatchNorm2d(64)
        self.layer1 = res_layer(BLOCKS[s[0]['block']], s[0]['num_blocks'][0], 64, width[0][0])
        for i in (1, 2, 3):
            before = width[i - 1]
            setattr(self, f'transition{i}', nn.ModuleList(
                self._transition(before, w, b) for b, w in enumerate(width[i])))
            modules = s[i]['num_modules']
            setattr(self, f'stage{i + 1}', nn.Sequential(*[
                HRModule(s[i], width[i], 1 if i == 3 and m == modules - 1 else len(width[i])) for m in range(modules)]))

    @staticmethod
    def _transition(before, w, b):
        if b < len(before):
            return None if before[b] == w else conv_bn(before[b], w, 3, 1, True)
        steps = b - len(before) + 1
        return nn.Sequential(*[conv_bn(before[-1], w if k == steps - 1 else before[-1], 3, 2, True) for k in range(steps)])

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        feats = [self.layer1(x)]
        for i in (1, 2, 3):
            transition, stage = getattr(self, f'transition{i}'), getattr(self, f'stage{i + 1}')
            feats = [feats[b] if t is None else t(feats[-1]) for b, t in enumerate(transition)]
            feats = stage(feats)
        return feats[0]


# ----------------------------------------------------------------------------------------------------------------- ResNet
class ResNet(nn.Module):
    BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}

    def __init__(self, depth, stem_channels, base_channels, strides, in_channels=3, **_):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(in_channels, stem_channels, 7, 2, 3, bias=False), nn.BatchNorm2d(stem_channels)
        c = stem_channels
        for i, (n, stride) in enumerate(zip(self.BLOCKS[depth], strides)):
            setattr(self, f'layer{i + 1}', res_layer(BasicBlock, n, c, base_channels << i, stride))
            c = base_channels << i
        self.stages = len(strides)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(for_tensor_cores(self.conv1, x)), inplace=True), 3, 2, 1)
        for i in range(self.stages):
            x = getattr(self, f'layer{i + 1}')(x)
        return x


class Deconv2(nn.ConvTranspose2d):
    """ConvTranspose2d(kernel 2, stride 2) computed as a 1 x 1 convolution and a pixel shuffle: the same numbers, many times
    faster to train on a CPU."""

    def __init__(self, cin, cout):
        super().__init__(cin, cout, 2, 2, bias=False)

    def forward(self, x):
        w = self.weight.permute(1, 2, 3, 0).reshape(-1, self.weight.shape[0], 1, 1)
        return F.pixel_shuffle(F.conv2d(x, w), 2)


class HeatmapHead(nn.Module):
    def __init__(self, in_channels, out_channels, deconv_out_channels=None, conv_out_channels=None, final_layer=None, **_):
        super().__init__()
        layers, convs, c = [], [], in_channels
        for d in deconv_out_channels or ():
            layers += [Deconv2(c, d), nn.BatchNorm2d(d), nn.ReLU(inplace=True)]
            c = d
        for d in conv_out_channels or ():
            convs += [conv(c, d, 3, bias=True), nn.BatchNorm2d(d), nn.ReLU(inplace=True)]
            c = d
        self.deconv_layers, self.conv_layers = nn.Sequential(*layers), nn.Sequential(*convs)
        k = (final_layer or dict(kernel_size=1))['kernel_size']
        self.final_layer = conv(c, out_channels, k, bias=True)

    def forward(self, x):
        return for_tensor_cores(self.final_layer, self.conv_layers(self.deconv_layers(x)))


class PoseEstimator(nn.Module):
    """Input [N, 3, H, W] (normalised RGB) -> heatmaps [N, 17, H / 4, W / 4]."""

    def __init__(self, config):
        super().__init__()
        m = config['model']
        self.backbone = dict(HRNet=HRNet, ResNet=ResNet)[m['backbone']['type']](
            **{k: v for k, v in m['backbone'].items() if k != 'type'})
        self.head = HeatmapHead(**{k: v for k, v in m['head'].items() if k != 'type'})
        for q in self.modules():
            if isinstance(q, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(q.weight, mode='fan_out', nonlinearity='relu')
        nn.init.normal_(self.head.final_layer.weight, std=0.01)
        nn.init.zeros_(self.head.final_layer.bias)

    def forward(self, x):
        return self.head(self.backbone(x))


def build(config):
    return PoseEstimator(config)


def parameter_count(model):
    return sum(p.numel() for p in model.parameters())


if __name__ == '__main__':
    for name, make in CONFIGS.items():
        net, macs = build(make()).eval(), 0

        def hook(module, _, out):
            global total
            total += out.shape[2] * out.shape[3] * module.weight.numel()
        total = 0
        for q in net.modules():
            if isinstance(q, nn.Conv2d):
                q.register_forward_hook(hook)
        with torch.no_grad():
            y = net(torch.zeros(1, 3, 256, 192))
        stored = sum(v.numel() for v in net.state_dict().values() if v.is_floating_point())
        print(f'{name}: {parameter_count(net)} parameters, {stored * 2 / 1e6:.3f} MB in fp16, {total / 1e9:.3f} GMAC, '
              f'output {tuple(y.shape)}')
