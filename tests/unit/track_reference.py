"""Numbers for pose_tracker.test.ts: whom MMPose's `_track_by_iou` and `_track_by_oks` match (mmpose/apis/inference_tracking.py).

Run in MMPose's repository: python3 track_reference.py > track_reference.json
"""
import importlib.util
import json
import sys
import types

import numpy as np


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# The two files alone: MMPose's packages import everything else.
for package in ['mmpose', 'mmpose.structures', 'mmpose.structures.bbox', 'mmpose.evaluation', 'mmpose.evaluation.functional']:
    sys.modules[package] = types.ModuleType(package)
sys.modules['mmpose.structures.bbox'].bbox_overlaps = None
load('mmpose.evaluation.functional.nms', 'mmpose/evaluation/functional/nms.py')
tracking = load('inference_tracking', 'mmpose/apis/inference_tracking.py')


class Sample:

    def __init__(self, box, keypoints, track_id=-1):
        self.track_id = track_id
        self.pred_instances = types.SimpleNamespace(
            bboxes=np.array([box]), keypoints=np.array([keypoints]).reshape(1, 17, 2),
            keypoint_scores=np.full((1, 17), 0.9), areas=np.array([(box[2] - box[0]) * (box[3] - box[1])]))


def match(function, people, last, **options):
    ids = []
    for person in people:
        track_id, last, _ = function(person, last, 0.3, **options)
        ids.append(track_id)
    return ids


rng = np.random.RandomState(0)
cases = []
for n, n_last in [(3, 3), (4, 2), (2, 4), (5, 5), (1, 0)]:
    def person(x):
        box = np.round([x, 20, x + 60, 170] + rng.uniform(-4, 4, 4), 2)
        points = box[:2] + rng.uniform(0.1, 0.9, (17, 2)) * (box[2:] - box[:2])
        return box, np.round(points, 2)

    last = [person(x) for x in rng.uniform(0, 300, n_last)]
    people = []
    for i in range(n):
        if i < n_last and rng.rand() < 0.8:
            shift = rng.uniform(-25, 25)
            box, points = last[n_last - 1 - i]
            people.append((np.round(box + [shift, 0, shift, 0], 2),
                           np.round(points + [shift, 0] + rng.normal(0, 4, points.shape), 2)))
        else:
            people.append(person(rng.uniform(0, 300)))
    samples = lambda: [Sample(b, k, 10 + i) for i, (b, k) in enumerate(last)]
    current = [Sample(b, k) for b, k in people]
    cases.append(dict(
        boxes=[b.tolist() for b, _ in people], keypoints=[k.reshape(-1).tolist() for _, k in people],
        lastBoxes=[b.tolist() for b, _ in last], lastKeypoints=[k.reshape(-1).tolist() for _, k in last],
        iou=match(tracking._track_by_iou, current, samples()), oks=match(tracking._track_by_oks, current, samples())))
print(json.dumps(cases))
