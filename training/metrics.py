"""OKS, average precision and PCK of top-down predictions against known joints; reliability of the scores."""
import numpy as np

SIGMAS = np.array([.26, .25, .25, .35, .35, .79, .79, .72, .72, .62, .62, 1.07, 1.07, .87, .87, .89, .89]) / 10


def joint_similarity(pred, kps, area):
    """exp(-e) of COCO's OKS per joint [n, 17]. pred, kps: [n, 17, >= 2]; area: [n]."""
    d2 = ((pred[..., :2] - kps[..., :2]) ** 2).sum(-1)
    return np.exp(-d2 / (2 * SIGMAS) ** 2 / (area[:, None] + np.spacing(1)) / 2)


def evaluate(pred, kps, area, box, labelled=.2):
    """pred [n, 17, 3], one person per picture. Joints of weight > `labelled` count (COCO labels hidden joints too).
    dict(AP, AP50, AP75, OKS, PCK: share within 0.2 of the box's longer side, joints: per-joint similarity and PCK)."""
    on = kps[..., 2] > labelled
    keep = on.any(1)
    pred, kps, area, box, on = pred[keep], kps[keep], area[keep], box[keep], on[keep]
    sim = joint_similarity(pred, kps, area)
    each = (sim * on).sum(1) / on.sum(1)
    order = np.argsort(-pred[..., 2].mean(1), kind='mergesort')
    aps = np.array([average_precision(each[order] >= t) for t in np.arange(.5, .96, .05)])
    side = np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])
    near = np.hypot(*np.moveaxis(pred[..., :2] - kps[..., :2], -1, 0)) < .2 * side[:, None]
    mean = lambda v: float(v[on].mean())
    joints = [(float(sim[on[:, j], j].mean()), float(near[on[:, j], j].mean()), int(on[:, j].sum())) for j in range(17)]
    return dict(AP=float(aps.mean()), AP50=float(aps[0]), AP75=float(aps[5]), OKS=float(each.mean()), PCK=mean(near), joints=joints)


def average_precision(hits):
    """COCO's 101-point average precision of detections in order of score; every person has one."""
    tp = np.cumsum(hits)
    recall, precision = tp / len(hits), tp / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, np.linspace(0, 1, 101), side='left')
    return float(np.mean([precision[i] if i < len(precision) else 0. for i in at]))


def reliability(pred, kps, area, thresholds=(.1, .2, .3, .4, .5, .6, .7), good=.5):
    """For each score threshold: share of joints above it, and how many of those are right (similarity > `good`; a joint that
    is not in the picture is never right)."""
    right = (joint_similarity(pred, kps, area) > good) & (kps[..., 2] > 0)
    rows = []
    for t in thresholds:
        above = pred[..., 2] > t
        rows.append((t, float(above.mean()), float(right[above].mean()) if above.any() else float('nan'),
                     float((above & right).sum() / max(right.sum(), 1))))
    return rows
