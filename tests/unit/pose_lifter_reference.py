"""Numbers for pose_lifter.test.ts from MMPose's own codecs, sequences and PoseLifter, with a small network.

Run with MMPose 1.3.2, MMEngine and MMCV to be imported: python3 tests/unit/pose_lifter_reference.py > tests/unit/pose_lifter_reference.json
Values are the golden set's `uniform` formula over a name, -1 to 1.
"""
import json

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

import mmpose.codecs  # noqa: F401, registers
import mmpose.datasets.transforms  # noqa: F401
import mmpose.models  # noqa: F401
from mmpose.apis.inference_3d import (collate_pose_sequence, convert_keypoint_definition, extract_pose_sequence,
                                       inference_pose_lifter_model)
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample

from formula import F, uniform


def plain(value):
    if isinstance(value, np.ndarray):
        return dict(shape=list(value.shape), data=[float(repr(F(v))) for v in value.astype(F).ravel()])
    return value


def codec_case(config, frames):
    codec = KEYPOINT_CODECS.build(dict(config))
    k = config['num_keypoints']
    keypoints = 100 + 90 * uniform('keypoints', (frames, k, 2))
    visible = (uniform('visible', (frames, k)) > -.5).astype(F)
    target, target_visible = uniform('target', (1, k, 3)), (uniform('seen', (1, k, 1)) > 0).astype(F)
    more = dict(camera_param=dict(w=200, h=150)) if config['type'] == 'VideoPoseLifting' else {}
    if 'normalize_camera' in config:
        more['camera_param'].update(f=np.ones((2, 1)), c=np.ones((2, 1)))
    encoded = codec.encode(keypoints.astype(F), visible, target, target_visible, **more)
    names = ('keypoint_labels', 'lifting_target_label', 'lifting_target_weight', 'trajectory_weights', 'target_root')
    out = 1 if config.get('remove_root') and np.size(config.get('root_index', 0)) == 1 else 0
    pose = uniform('pose', (1, k - out, 3))
    root = uniform('root', (1, 3))
    return dict(config=config, frames=frames, encoded={n: plain(encoded[n]) for n in names if n in encoded},
                decoded=plain(codec.decode(pose, root)[0]), relative=plain(codec.decode(pose)[0]))


def motionbert_case(config, frames):
    codec = KEYPOINT_CODECS.build(dict(config))
    k = config['num_keypoints']
    visible = (uniform('visible', (frames, k)) > -.5).astype(F)
    target, target_visible = uniform('target', (frames, k, 3)), (uniform('seen', (frames, k, 1)) > 0).astype(F)
    encoded = codec.encode((100 + 90 * uniform('keypoints', (frames, k, 2))).astype(F), visible, target.copy(), target_visible,
                           camera_param=dict(w=200, h=150))
    poses = 100 * uniform('poses', (frames, k, 3))
    names = ('keypoint_labels', 'lifting_target_label', 'lifting_target_weight', 'factor')
    moved = codec.decode(poses.copy(), np.array([200]), np.array([150]), np.full((1, 1), 4, F)) if frames == 1 else \
        codec.decode(poses.copy(), np.full(frames, 200), np.full(frames, 150), np.full((frames, 1), 4, F))
    return dict(config=config, frames=frames, encoded={n: plain(encoded[n]) for n in names}, moved=plain(moved[0]),
                plain=plain(codec.decode(poses.copy())[0]))


def statistics(name, k, columns):
    return [uniform(name, (k, columns)).tolist()], (1.5 + uniform(name + ' deviation', (k, columns))).tolist()


def codecs():
    mean, std = statistics('mean', 5, 2)
    target_mean, target_std = statistics('target mean', 4, 3)
    video, image = dict(type='VideoPoseLifting', num_keypoints=5), dict(type='ImagePoseLifting', num_keypoints=5)
    return [
        codec_case(video, 3),
        codec_case(dict(video, remove_root=True, root_index=2, save_index=True, concat_vis=True), 2),
        codec_case(dict(video, root_index=[1, 3], reshape_keypoints=False, normalize_camera=True), 2),
        codec_case(dict(video, zero_center=False), 1),
        codec_case(dict(image, remove_root=True, keypoints_mean=mean, keypoints_std=std, target_mean=target_mean,
                        target_std=target_std), 1),
        codec_case(dict(image, root_index=[0, 4], remove_root=True, concat_vis=True), 1),
    ]


def motionbert():
    config = dict(type='MotionBERTLabel', num_keypoints=5)
    return [motionbert_case(config, 1), motionbert_case(dict(config, concat_vis=True, rootrel=True), 3),
            motionbert_case(dict(config, mode='train', root_index=2), 2)]


def conversions():
    shapes = dict(coco=17, posetrack18=17, aic=14, crowdpose=14, h36m=17)
    points = {n: 100 * uniform(n, (2, k, 3)).astype(F) for n, k in shapes.items()}
    return {n: plain(convert_keypoint_definition(p.copy(), n, 'h36m')) for n, p in points.items()}


def sequences():
    cases = [(10, 0, False, 5, 1), (10, 9, False, 5, 1), (10, 4, True, 7, 1), (10, 5, False, 5, 3), (3, 1, False, 9, 2), (10, 3, True, 3, 2)]
    return [dict(frames=n, frameIdx=i, causal=c, seqLen=s, step=t, found=extract_pose_sequence(list(range(n)), i, c, s, t))
            for n, i, c, s, t in cases]


def fill(model):
    state = {}
    for name, value in model.state_dict().items():
        if name.endswith('num_batches_tracked'):
            state[name] = value
            continue
        u = torch.from_numpy(uniform(name, tuple(value.shape)))
        state[name] = 1 + .5 * u if name.endswith('running_var') or '.bn.weight' in name else .3 * u
    model.load_state_dict(state)


def frame(index, people):
    """people: ids; their keypoints follow from the id and the frame."""
    keypoints = np.concatenate([300 + 100 * uniform(f'person {p} frame {index}', (1, 17, 2)) for p in people])
    boxes = np.concatenate([keypoints.min(1) - 5, keypoints.max(1) + 5], 1)
    found = []
    for i, p in enumerate(people):
        sample = PoseDataSample()
        sample.pred_instances = InstanceData(keypoints=keypoints[i:i + 1], bboxes=boxes[i:i + 1])
        sample.gt_instances = InstanceData(bboxes=boxes[i:i + 1])
        sample.track_id = p
        found.append(sample)
    return found


# Nobody is missing after the wanted frame: there MMPose means to repeat the last pose, but takes zeros.
PEOPLE = [[1, 2], [2, 1], [1], [2, 1], [1, 2, 3], [3, 1, 2], [2, 3, 1], [1, 2, 3], [3, 2, 1]]
MOTION = dict(
    type='PoseLifter',
    backbone=dict(type='DSTFormer', in_channels=3, feat_size=8, depth=2, num_heads=2, mlp_ratio=2, seq_len=9, att_fuse=True),
    head=dict(type='MotionRegressionHead', in_channels=8, out_channels=3, embedding_size=6,
              decoder=dict(type='MotionBERTLabel', num_keypoints=17, concat_vis=True, rootrel=True)))
FLIP = [0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 11, 12, 13]
VIDEO = dict(
    type='PoseLifter',
    backbone=dict(type='TCN', in_channels=34, stem_channels=8, num_blocks=1, kernel_sizes=(3, 3), dropout=.25),
    head=dict(type='TemporalRegressionHead', in_channels=8, num_joints=17, loss=dict(type='MPJPELoss'),
              decoder=dict(type='VideoPoseLifting', num_keypoints=17, zero_center=True, root_index=0, remove_root=False)))
SEMI = dict(
    VIDEO, traj_backbone=dict(VIDEO['backbone'], causal=False),
    traj_head=dict(type='TrajectoryRegressionHead', in_channels=8, num_joints=1, loss=dict(type='MPJPELoss'),
                   decoder=dict(type='VideoPoseLifting', num_keypoints=17, zero_center=True, root_index=0, remove_root=False)))
IMAGE = dict(
    type='PoseLifter',
    backbone=dict(type='TCN', in_channels=34, stem_channels=8, num_blocks=1, kernel_sizes=(1, 1), dropout=.5),
    head=dict(type='TemporalRegressionHead', in_channels=8, num_joints=16, loss=dict(type='MSELoss'),
              decoder=dict(type='ImagePoseLifting', num_keypoints=17, root_index=0, remove_root=True,
                           keypoints_mean=(300 + 50 * uniform('mean 2', (17, 2))).tolist(),
                           keypoints_std=(100 + 50 * uniform('std 2', (17, 2))).tolist(),
                           target_mean=uniform('mean 3', (16, 3)).tolist(), target_std=(1.5 + uniform('std 3', (16, 3))).tolist())))
STATS = dict(bbox_center=np.array([[528., 427.]], F), bbox_scale=np.array([400.], F))


def wanted(keypoints):
    """Of the poses of a whole sequence [1, T, K, 3] the one in the middle."""
    return keypoints if keypoints.ndim == 3 else keypoints[:, keypoints.shape[1] // 2]


def lifted_motion(name, config, frames):
    """Sequences of several frames, which inference_pose_lifter_model cannot give MotionBERT's codec: its target has one."""
    model = MODELS.build(json.loads(json.dumps(config)))
    model.eval()
    fill(model)
    codec = KEYPOINT_CODECS.build(dict(config['head']['decoder']))
    inputs, samples = [], []
    for sequence in collate_pose_sequence([frame(i, PEOPLE[i]) for i in frames], True, len(frames) // 2):
        keypoints = sequence.pred_instances.keypoints[0]
        ones = np.ones(keypoints.shape[:2], F)
        encoded = codec.encode(keypoints, ones, np.zeros((len(frames), 17, 3), F), ones[..., None], dict(w=640, h=480))
        inputs.append(torch.from_numpy(encoded['keypoint_labels'].astype(F)))
        samples.append(PoseDataSample(metainfo=dict(flip_indices=FLIP, factor=encoded['factor'], camera_param=dict(w=640, h=480))))
    results = model.predict(torch.stack(inputs), samples)
    return dict(name=name, config=config, frames=frames, withTrackId=True, normPose2d=False,
                keypoints=[plain(wanted(np.asarray(r.pred_instances.keypoints))) for r in results],
                parameters=[[n, list(v.shape)] for n, v in model.state_dict().items() if not n.endswith('num_batches_tracked')])


def lifted(name, config, frames, causal=False, with_track_id=True, norm_pose_2d=False):
    config = json.loads(json.dumps(config))
    if causal:
        config['backbone']['causal'] = True
    model = MODELS.build(json.loads(json.dumps(config)))
    model.eval()
    fill(model)
    pipeline = [dict(type='GenerateTarget', encoder=config['head']['decoder']),
                dict(type='PackPoseInputs', meta_keys=('id', 'target_root', 'flip_indices', 'factor', 'camera_param'))]
    model.cfg = ConfigDict(default_scope='mmpose', test_dataloader=dict(dataset=dict(pipeline=pipeline, causal=causal)))
    model.dataset_meta = dict(stats_info=STATS, flip_indices=FLIP)
    results = inference_pose_lifter_model(model, [frame(i, PEOPLE[i]) for i in frames], with_track_id, (640, 480), norm_pose_2d)
    return dict(name=name, config=config, frames=frames, withTrackId=with_track_id, normPose2d=norm_pose_2d,
                keypoints=[plain(wanted(np.asarray(r.pred_instances.keypoints))) for r in results],
                parameters=[[n, list(v.shape)] for n, v in model.state_dict().items() if not n.endswith('num_batches_tracked')])


def inferencer():
    """What Pose3DInferencer makes of the last of some frames with COCO's keypoints: its steps from the converter on."""
    config = json.loads(json.dumps(VIDEO))
    config['backbone']['kernel_sizes'] = [1, 3]
    model = MODELS.build(json.loads(json.dumps(config)))
    model.eval()
    fill(model)
    pipeline = [dict(type='GenerateTarget', encoder=config['head']['decoder']),
                dict(type='PackPoseInputs', meta_keys=('id', 'target_root'))]
    model.cfg = ConfigDict(default_scope='mmpose', test_dataloader=dict(dataset=dict(pipeline=pipeline, causal=False)))
    model.dataset_meta = dict(stats_info=STATS)
    frames = [frame(i, PEOPLE[i]) for i in range(5)]
    for samples in frames:
        for s in samples:
            s.pred_instances.keypoints = convert_keypoint_definition(s.pred_instances.keypoints, 'coco', 'h36m')
    sequence = extract_pose_sequence(frames, 4, False, 3)
    results = inference_pose_lifter_model(model, sequence, True, (640, 480), True)
    keypoints = np.concatenate([np.asarray(r.pred_instances.keypoints) for r in results])
    keypoints = keypoints[..., [0, 2, 1]]
    keypoints[..., 0] = -keypoints[..., 0]
    keypoints[..., 2] = -keypoints[..., 2]
    level = plain(keypoints)
    keypoints[..., 2] -= np.min(keypoints[..., 2], axis=-1, keepdims=True)
    return dict(config=config, keypoints=plain(keypoints), aroundPelvis=level)


def main():
    with torch.no_grad():
        cases = [
            lifted('video', VIDEO, list(range(9))),
            lifted('causal', VIDEO, list(range(9)), causal=True),
            lifted('by order', VIDEO, [1] * 4 + [0] + [3] * 4, with_track_id=False),
            lifted('moved to the average', VIDEO, list(range(9)), norm_pose_2d=True),
            lifted('semi-supervised', SEMI, list(range(9))),
            lifted('image', IMAGE, [6]),
            lifted_motion('motion', MOTION, list(range(9))),
            lifted('motion, one frame, mirrored too', dict(MOTION, test_cfg=dict(flip_test=True)), [4]),
            lifted_motion('motion, five frames, mirrored too, by halves', dict(MOTION, backbone=dict(MOTION['backbone'], att_fuse=False),
                   test_cfg=dict(flip_test=True)), list(range(2, 7))),
        ]
        last = inferencer()
    print(json.dumps(dict(people=PEOPLE, codecs=codecs(), motionbert=motionbert(), conversions=conversions(), sequences=sequences(), lifted=cases, inferencer=last),
                     separators=(',', ':')))


if __name__ == '__main__':
    main()
