"""Measures a checkpoint of `train.py` or a file of `export.py`: on held-out composed crops, and (a finished run only, never to choose anything) on photographs.

python evaluate.py make --pool DIR --backgrounds F.npy --out HELDOUT.npz --count 500     # composes the held-out crops
python evaluate.py synthetic --ckpt ema.pth --crops HELDOUT.npz [--flip] [--noise SD] [--draw OUT.png]
python evaluate.py photos --ckpt ema.pth --ann JSON --images DIR [--flip] [--draw OUT.png]
"""
import argparse
import json
import os

import numpy as np
import torch

import codec
import metrics
from draw import sheet
from model import INPUT_SIZE, JOINTS, MEAN, STD
from train import VAL_SEED
from weights import load


def read(path):
    with np.load(path) as z:
        return {k: z[k] for k in z.files}


@torch.no_grad()
def predict(net, images, flip):
    """images: 0..255 [n, 256, 192, 3] RGB -> [n, 17, 3] crop pixels and score."""
    out = []
    for i in range(0, len(images), 32):
        x = (torch.from_numpy(images[i:i + 32]).float() - torch.tensor(MEAN)) / torch.tensor(STD)
        x = x.permute(0, 3, 1, 2)
        maps = codec.flip_maps(net, x) if flip else net(x)
        out.append(codec.decode(maps, INPUT_SIZE).numpy())
    return np.concatenate(out)


def make(o):
    from compose import Composer
    from pool import Feeder, Pool, Store
    torch.manual_seed(VAL_SEED)
    pool = Pool(o.pool, 1)
    store = Store('cpu', pool.slots, np.load(o.backgrounds))
    Feeder(pool, store, chunk=10 ** 6).step()
    composer, parts = Composer('cpu', INPUT_SIZE), []
    while sum(len(p['kps']) for p in parts) < o.count:
        parts.append(composer.batch(store, 50))
    cat = lambda k: torch.cat([p[k] for p in parts])[:o.count].numpy()
    image = np.ascontiguousarray(cat('image').transpose(0, 2, 3, 1))
    np.savez_compressed(o.out, image=image, **{k: cat(k) for k in ('kps', 'area', 'box')})
    print(o.out, len(image), 'crops of', store.records, 'records')


def noisy(images, sd):
    """float32, with normal noise of this standard deviation, the same every time; at 0 the images."""
    if not sd:
        return images
    x = images.astype(np.float32)
    return (x + np.random.RandomState(0).randn(*x.shape) * sd).clip(0, 255).astype(np.float32)


def report(r):
    print(f"AP {r['AP']:.3f} AP50 {r['AP50']:.3f} AP75 {r['AP75']:.3f} OKS {r['OKS']:.3f} PCK@0.2 {r['PCK']:.3f}")
    for name, (s, p, n) in zip(JOINTS, r['joints']):
        print(f'  {name:15s} n {n:4d}  similarity {s:.3f}  PCK@0.2 {p:.3f}')


def show_reliability(rows):
    print('score > t: share above, right of those, found of the right')
    for t, s, p, q in rows:
        print(f'  {t:.1f}: {s:.3f} {p:.3f} {q:.3f}')


def synthetic(o):
    net = load(o.ckpt)
    d = read(o.crops)
    pred = predict(net, noisy(d['image'], o.noise), o.flip)
    report(metrics.evaluate(pred, d['kps'], d['area'], d['box']))
    show_reliability(metrics.reliability(pred, d['kps'], d['area']))
    if o.draw:
        sheet(o.draw, d['image'][:64], pred[:64], d['box'][:64], thr=.3)


def photos(o):
    """Crops of ground-truth boxes as MMPose makes them; AP over these people only (the official number: `npm run eval`)."""
    import cv2
    d = json.load(open(o.ann))
    files = {i['id']: os.path.splitext(i['file_name'])[0] for i in d['images']}
    stems = {os.path.splitext(f)[0]: os.path.join(o.images, f) for f in os.listdir(o.images)}
    crops, kps, area, box = [], [], [], []
    W, H = INPUT_SIZE
    for a in d['annotations']:
        if not a.get('num_keypoints') or a.get('iscrowd'):
            continue
        image = cv2.imread(stems[files[a['image_id']]])[..., ::-1]
        x, y, w, h = a['bbox']
        width = max(w, h * W / H) * 1.25
        s = np.array([(W - 1) / width, (H - 1) / (width * H / W)])
        t = np.array([(W - 1) / 2, (H - 1) / 2]) - s * [x + w / 2, y + h / 2]
        crops.append(cv2.warpAffine(np.ascontiguousarray(image), np.column_stack([np.diag(s), t]), (W, H)))
        g = np.array(a['keypoints'], float).reshape(17, 3)
        kps.append(np.column_stack([g[:, :2] * s + t, g[:, 2] > 0]))
        area.append(a['area'] * s[0] * s[1])
        box.append(np.concatenate([np.array([x, y]) * s + t, np.array([x + w, y + h]) * s + t]))
    crops, kps, area, box = (np.stack(v) for v in (crops, kps, area, box))
    net = load(o.ckpt)
    pred = predict(net, crops, o.flip)
    print(len(crops), 'people')
    report(metrics.evaluate(pred, kps, area, box, labelled=0))
    labelled = kps[..., 2] > 0
    right = metrics.joint_similarity(pred, kps, area) > .5
    for t in (.2, .3, .4, .5, .6):
        sure = pred[..., 2] > t
        above = labelled & sure
        print(f'  score > {t}: {above.sum()} of {labelled.sum()} labelled joints, right {right[above].mean():.3f}; '
              f'{(sure & ~labelled).sum()} of {(~labelled).sum()} joints without a label')
    if o.draw:
        sheet(o.draw, crops, pred, box, thr=.3, columns=13)


def main():
    a = argparse.ArgumentParser()
    sub = a.add_subparsers(dest='what', required=True)
    m = sub.add_parser('make')
    for k in ('pool', 'backgrounds', 'out'):
        m.add_argument('--' + k, required=True)
    m.add_argument('--count', type=int, default=500)
    s, p = sub.add_parser('synthetic'), sub.add_parser('photos')
    s.add_argument('--crops', required=True)
    s.add_argument('--noise', type=float, default=0., help='standard deviation of noise that is added, of 255')
    p.add_argument('--ann', required=True)
    p.add_argument('--images', required=True)
    for q in (s, p):
        q.add_argument('--ckpt', required=True)
        q.add_argument('--flip', action='store_true')
        q.add_argument('--draw')
    o = a.parse_args()
    torch.set_num_threads(1)
    dict(make=make, synthetic=synthetic, photos=photos)[o.what](o)


if __name__ == '__main__':
    main()
