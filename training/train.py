"""Trains the network on crops composed on the device from records that the generator's processes keep making.

python train.py --out DIR --seconds 530 --workers 15            # starts the generator itself
python train.py --out DIR --pool DIR --workers 0 --pool-workers 1 ...   # reads a pool that something else fills

The learning rate is a cosine over the wall-clock budget, or over --steps; `--resume FILE` goes on from a `resume.pth` where that stood.
Everything random comes from --seed, but a run depends on how fast the machine is.
"""
import argparse
import json
import math
import os
import time

os.environ.setdefault('OMP_NUM_THREADS', '4')
import numpy as np
import torch

import codec
import fused
import loss
import metrics
import workers
from compose import Composer
from draw import sheet
from graph import Graph
from model import CONFIGS, MEAN, STD, build, parameter_count
from pool import Feeder, Pool, Store
from randomise import randomise
from weights import load

VAL_SEED = 987654
SIZES = (96, 128), (144, 192), (192, 256)                # (W, H) of the crops, one after the other
WHERE, SHARE = 3., .3                                    # of the cross entropy (until it fades) and of the squared error in the loss
HERE = os.path.dirname(os.path.abspath(__file__))


def arguments():
    a = argparse.ArgumentParser()
    a.add_argument('--out', required=True)
    a.add_argument('--seconds', type=float, default=530, help='wall clock of the training itself')
    a.add_argument('--config', default=next(iter(CONFIGS)), choices=CONFIGS)
    a.add_argument('--assets', default=os.path.join(HERE, 'assets'))
    a.add_argument('--pool', help='folder of the ring files; default: OUT/pool')
    a.add_argument('--slots', type=int, default=100000)
    a.add_argument('--workers', type=int, default=15, help='generator processes to start; 0: none')
    a.add_argument('--pool-workers', type=int, default=1, help='with --workers 0: how many fill the pool')
    a.add_argument('--backgrounds', type=int, default=2400)
    a.add_argument('--batch', type=int, default=512)
    a.add_argument('--lr', type=float, default=4e-3)
    a.add_argument('--decay', type=float, default=.02)
    a.add_argument('--low-until', type=float, default=.3, help='share of the time at half the input size')
    a.add_argument('--middle-until', type=float, default=.6, help='share of the time at three quarters at most')
    a.add_argument('--where-from', type=float, default=.65, help='share of the time after which the cross entropy fades')
    a.add_argument('--where-until', type=float, default=.9, help='share of the time after which only the squared error is left')
    a.add_argument('--randomise', type=float, default=0., help='share of the crops that become pictures that no camera takes (randomise.py)')
    a.add_argument('--start', type=int, default=3000, help='records to wait for')
    a.add_argument('--seed', type=int, default=1)
    a.add_argument('--resume', help='a resume.pth to go on from, with the same --seconds')
    a.add_argument('--init', help='weights to begin a new run with: an ema.pth or a file of export.py')
    a.add_argument('--checkpoint-every', type=float, default=75, help='seconds')
    a.add_argument('--val', type=int, default=512, help='held-out records; 0: none')
    a.add_argument('--no-graphs', dest='graphs', action='store_false', help='queue every kernel of a step by itself')
    a.add_argument('--plain', action='store_true', help='the network as model.py has it, without layers.cu')
    a.add_argument('--steps', type=int, help='so many steps instead of so many seconds: the same on a slower or faster machine')
    a.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return a.parse_args()


class Trainer:
    """The network, its mean over time (`ema`) and AdamW. On a GPU a step of one input size is recorded once as a CUDA graph and
    replayed: queueing its thousand kernels takes longer than running them when the pictures are small."""

    def __init__(self, o):
        self.o, self.device = o, torch.device(o.device)
        self.cuda = self.device.type == 'cuda'
        torch.manual_seed(o.seed)
        if self.cuda:
            torch.backends.cudnn.benchmark = True
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.config = CONFIGS[o.config]()
        self.net = build(self.config).to(self.device, memory_format=torch.channels_last)
        if o.init:
            self.net.load_state_dict(load(o.init).state_dict())
        self.ema = build(self.config).to(self.device, memory_format=torch.channels_last).eval()
        self.ema.load_state_dict(self.net.state_dict())
        decay = [p for p in self.net.parameters() if p.ndim > 1]
        rest = [p for p in self.net.parameters() if p.ndim <= 1]
        # numbers that change from step to step lie on the device, where a graph reads them
        self.lr, self.mix = torch.tensor(o.lr, device=self.device), torch.tensor(1., device=self.device)
        extra = dict(lr=self.lr, fused=True, capturable=True) if self.cuda else dict(lr=o.lr)
        self.opt = torch.optim.AdamW([dict(params=decay, weight_decay=o.decay), dict(params=rest, weight_decay=0)], betas=(.9, .99), **extra)
        self._share_lr()
        self.step = self.seen = 0
        self.done = 0.                              # seconds of the budget used before this process
        if o.resume:
            self.load(o.resume)
        self.graphs = {}
        self.fused = self.cuda and not o.plain and fused.possible(self.net)
        pairs = [(a, b) for a, b in zip(self.ema.state_dict().values(), self.net.state_dict().values()) if a.is_floating_point()]
        self.ema_values, self.net_values = [a for a, _ in pairs], [b for _, b in pairs]
        self.mean = torch.tensor(MEAN, device=self.device).view(1, 3, 1, 1)
        self.std = torch.tensor(STD, device=self.device).view(1, 3, 1, 1)

    def _share_lr(self):
        if self.cuda:
            for g in self.opt.param_groups:
                g['lr'] = self.lr                   # the tensor itself, not the copy that the optimizer may have made

    def normalise(self, image):
        """uint8 or 0..255 [n, 3, H, W] -> the network's input."""
        return ((image.float() - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def losses(self, b, size):
        """The two losses and their weighted sum (on the device)."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            maps = fused.forward(self.net, b['image']) if self.fused else self.net(self.normalise(b['image']))
        if self.fused:
            return loss.losses(maps, b['kps'], b['absent'], size, self.mix, SHARE)
        where, much = codec.losses(maps, b['kps'], b['absent'], size)
        return where, much, self.mix * where + SHARE * much

    def update(self, b, size):
        """Forward, backward and the optimizer's step. Returns the losses."""
        values = self.losses(b, size)
        values[2].backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 20.)
        self.opt.step()
        return torch.stack([v.detach() for v in values])

    def train_step(self, b, size, part):
        """part: 0..1 of the budget. Returns the two losses and their sum (on the device)."""
        o = self.o
        lr = o.lr * min(1, (self.step + 1) / 150) * (.5 + .5 * math.cos(math.pi * min(part, 1))) + o.lr * .002
        self.mix.fill_(WHERE * min(1., max(0., (o.where_until - part) / (o.where_until - o.where_from))))
        if self.cuda:
            self.lr.fill_(lr)
        else:
            for g in self.opt.param_groups:
                g['lr'] = lr
        graph = self.graphs.get((size, len(b['kps'])))
        if graph:
            values = graph.replay(b)
        else:
            self.opt.zero_grad(set_to_none=True)
            values = self.update(b, size)
        self.step += 1
        self.seen += len(b['kps'])
        decay = min(.998, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            if hasattr(torch, '_foreach_lerp_'):
                torch._foreach_lerp_(self.ema_values, self.net_values, 1 - decay)
            else:
                for a, v in zip(self.ema_values, self.net_values):
                    a.lerp_(v, 1 - decay)
        return values

    def check_fused(self, say):
        """Goes on without `fused.py` where it is wrong on this machine."""
        if self.fused:
            self.net.train()
            torch.backends.cudnn.benchmark = False      # these few steps are not worth the search
            wrong = fused.difference(self.net, self.normalise, SIZES[0])
            torch.backends.cudnn.benchmark = True
            say('fused layers: ' + ', '.join(f'{k} {v:.2f}' for k, v in wrong.items()), 'of the error that bfloat16 makes')
            self.fused = max(wrong.values()) < fused.ACCEPTED
            if not self.fused:
                say('fused layers are wrong here: not used')

    def record(self, sizes):
        """Records a graph per (size, crops per step). Weights and the optimizer's state are as before afterwards."""
        weights = [v.clone() for v in self.net.state_dict().values()]
        moments = {p: {k: v.clone() for k, v in s.items()} for p, s in self.opt.state.items()}
        self.net.train()
        try:
            for size, n in sizes:
                self.graphs[size, n] = Graph(self, size, n)
        finally:
            self._restore(weights, moments)

    def _restore(self, weights, moments):
        with torch.no_grad():
            for v, kept in zip(self.net.state_dict().values(), weights):
                v.copy_(kept)
            for p, s in self.opt.state.items():
                for k, v in s.items():
                    v.copy_(moments[p][k]) if p in moments else v.zero_()

    # ---------------------------------------------------------------------------------------------------------- files
    def save(self, spent, final=False):
        half = lambda v: v.to(torch.bfloat16) if torch.is_tensor(v) and v.is_floating_point() and v.ndim else v
        state = self.opt.state_dict()
        state = dict(param_groups=[dict(g, lr=float(g['lr'])) for g in state['param_groups']],
                     state={k: {n: half(v) for n, v in s.items()} for k, s in state['state'].items()})
        cpu = lambda d: {k: v.detach().cpu().contiguous() for k, v in d.items()}
        meta = dict(config=self.config, name=self.o.config, step=self.step, seen=self.seen, spent=spent, seed=self.o.seed)
        self._write('ema.pth', dict(meta, state_dict=cpu(self.ema.state_dict())))
        if not final:
            self._write('resume.pth', dict(meta, net=cpu(self.net.state_dict()), ema=cpu(self.ema.state_dict()), opt=state))

    def _write(self, name, data):
        path = os.path.join(self.o.out, name)
        torch.save(data, path + '.part')
        os.replace(path + '.part', path)

    def load(self, path):
        c = torch.load(path, map_location=self.device)
        self.net.load_state_dict(c['net'])
        self.ema.load_state_dict(c['ema'])
        state = c['opt']
        state['state'] = {k: {n: v.float() if torch.is_tensor(v) and v.dtype == torch.bfloat16 else v for n, v in s.items()}
                          for k, s in state['state'].items()}
        self.opt.load_state_dict(state)
        self._share_lr()
        self.step, self.seen, self.done = c['step'], c['seen'], c['spent']

    # ----------------------------------------------------------------------------------------------------- evaluation
    @torch.no_grad()
    def validate(self, val, size, flip=False):
        """val: list of composed batches of the full input size."""
        pred = []
        for b in val:
            image = b['image'].float()
            if image.shape[2] != size[1]:
                image = torch.nn.functional.interpolate(image, size=size[::-1], mode='area')
            x = self.normalise(image)
            maps = codec.flip_maps(self.ema, x) if flip else self.ema(x)
            p = codec.decode(maps, size)
            full = torch.tensor([(image_side - 1) / (s - 1) for image_side, s in zip(b['image'].shape[:1:-1], size)], device=p.device)
            p[..., :2] *= full
            pred.append(p.cpu().numpy())
        cat = lambda k: np.concatenate([b[k].cpu().numpy() for b in val])
        pred = np.concatenate(pred)
        return pred, metrics.evaluate(pred, cat('kps'), cat('area'), cat('box')), metrics.reliability(pred, cat('kps'), cat('area'))


def wait_for(condition, processes, seconds, what):
    end = time.time() + seconds
    while not condition():
        for p in processes:
            if p.poll() is not None:
                raise RuntimeError(f'a generator ended with {p.returncode}; see generator.log')
        if time.time() > end:
            raise RuntimeError(f'waited {seconds} s for {what}')
        time.sleep(.1)


def start_held_out(o):
    """Generators of the records that no training sees: own seed; they end by themselves."""
    each = -(-o.val // o.workers) + 1               # the newest of every worker is never read
    return workers.start_generators(o.assets, os.path.join(o.pool, 'val'), each * o.workers, VAL_SEED, o.workers,
                                    os.path.join(o.out, 'generator.log'), each)


class HeldOut:
    """Crops of the held-out records, composed when they are first asked for."""

    def __init__(self, o, backgrounds, device):
        self.o, self.backgrounds, self.device, self.processes, self.made = o, backgrounds, device, [], None
        if o.val and o.workers:
            self.processes = start_held_out(o)

    def batches(self):
        if not self.o.val:
            return []
        if self.made is None:
            self.made = self._compose()
        return self.made

    def _compose(self):
        o, device = self.o, self.device
        folder, count = (os.path.join(o.pool, 'val'), o.workers) if o.workers else (o.pool, o.pool_workers)
        end = time.time() + 240
        while any(p.poll() is None for p in self.processes) and time.time() < end:
            time.sleep(.1)
        if any(p.poll() for p in self.processes):
            raise RuntimeError('a generator of the held-out records failed; see generator.log')
        pool = Pool(folder, count)
        store = Store(device, pool.slots, self.backgrounds)
        Feeder(pool, store, chunk=10 ** 6).step()
        states = torch.random.get_rng_state(), torch.cuda.get_rng_state() if device.type == 'cuda' else None
        torch.manual_seed(VAL_SEED)
        composer = Composer(device)
        out = [composer.batch(store, 64) for _ in range(max(o.val // 64, 1))]
        torch.random.set_rng_state(states[0])
        if states[1] is not None:
            torch.cuda.set_rng_state(states[1])
        return out


def overlays(o, name, batch, pred=None, count=32):
    image = batch['image'][:count].permute(0, 2, 3, 1).contiguous().cpu().numpy()
    kps = batch['kps'][:count].cpu().numpy() if pred is None else pred[:count]
    try:
        sheet(os.path.join(o.out, name), image, kps, batch['box'][:count].cpu().numpy(), thr=.05 if pred is None else .3)
    except Exception as e:                          # a picture is not worth a run
        print('no', name, e)


def main():
    o = arguments()
    began = time.time()
    os.makedirs(o.out, exist_ok=True)
    o.pool = o.pool or os.path.join(o.out, 'pool')
    log = open(os.path.join(o.out, 'log.txt'), 'a')

    def say(*words):
        line = ' '.join(str(w) for w in words)
        print(line, flush=True)
        log.write(line + '\n')
        log.flush()
    say(json.dumps(vars(o)))
    device = torch.device(o.device)
    processes = []
    feeder = more = held = None
    try:
        if o.workers:
            first = min(o.backgrounds, 24 * o.workers)
            backgrounds = workers.Backgrounds(os.path.join(o.pool, 'backgrounds'), first, o.seed, o.workers).load()
            processes += workers.start_generators(o.assets, o.pool, o.slots, o.seed, o.workers, os.path.join(o.out, 'generator.log'))
        else:
            backgrounds = np.load(os.path.join(o.pool, 'backs.npy'))
        say(f'{time.time() - began:.1f} s: {len(backgrounds)} backgrounds, generators started')
        trainer = Trainer(o)
        say(o.config, parameter_count(trainer.net), 'parameters on', o.device, torch.__version__)
        trainer.check_fused(say)
        if device.type == 'cuda' and o.graphs:
            record(o, trainer, say)
            say(f'{time.time() - began:.1f} s: {len(trainer.graphs)} graphs recorded')
        held = HeldOut(o, backgrounds, device)
        if o.workers and o.backgrounds > first:     # the rest while the training runs
            more = workers.Backgrounds(os.path.join(o.pool, 'more'), o.backgrounds - first, o.seed + 500, max(o.workers // 3, 1))
        pool = Pool(o.pool, o.workers or o.pool_workers)
        store = Store(device, pool.slots, backgrounds)
        feeder = Feeder(pool, store)
        feeder.start()
        wait_for(lambda: store.records >= min(o.start, o.slots - o.workers - 2) or feeder.error, processes, 240, 'the first records')
        say(f'{time.time() - began:.1f} s: {store.records} records, training begins')
        run(o, trainer, store, feeder, held, say, more)
    finally:
        if feeder:
            feeder.stopping.set()
        workers.stop(processes + (held.processes if held else []) + (more.running if more else []))


def record(o, trainer, say):
    """Records the graphs that the run needs; without them it is slower, not wrong."""
    try:
        trainer.record([(size, batch_of(o, size)) for size in sizes_of(o)])
    except RuntimeError as e:
        trainer.graphs.clear()
        say('no graphs:', e)


def batch_of(o, size):
    """Crops per step: more of small ones, in eights."""
    return max(int(o.batch * {96: 1.5, 144: 1.25, 192: 1}[size[0]]) // 8 * 8, 8)


def size_at(o, part):
    """Of the crops when so much of the time is over."""
    return SIZES[(part >= o.low_until) + (part >= max(o.middle_until, o.low_until))]


def sizes_of(o):
    return sorted({size_at(o, part) for part in (0, o.low_until, o.middle_until, 1)})


class Crops:
    """Batches of crops, composed several at a time: the numbers of a scene are many small tensors."""

    TOGETHER = 16

    def __init__(self, composer, store, batch, randomised=0.):
        self.composer, self.store, self.batch, self.randomised, self.ready = composer, store, batch, randomised, []

    def next(self):
        if not self.ready:
            many = self.composer.batch(self.store, self.batch * self.TOGETHER)
            self.ready = [{k: v[i:i + self.batch] for k, v in many.items()} for i in range(0, self.batch * self.TOGETHER, self.batch)]
        return self._finished(self.ready.pop())

    def sample(self, n):
        """n crops, to look at."""
        return self._finished(self.composer.batch(self.store, n))

    def _finished(self, b):
        return dict(b, image=randomise(b['image'], self.randomised)) if self.randomised else b


def run(o, trainer, store, feeder, held, say, more=None):
    device = trainer.device
    crops = {size: Crops(Composer(device, size), store, batch_of(o, size), o.randomise) for size in {*sizes_of(o), SIZES[-1]}}
    full = SIZES[-1]
    overlays(o, 'crops.png', crops[full].sample(32))
    torch.manual_seed(o.seed + 7919 * (trainer.step + 1))
    t0 = saved = told = time.time()
    first_seen, told_seen, first_records, sums, count = trainer.seen, trainer.seen, store.records, None, 0
    trainer.net.train()
    while True:
        now = time.time()
        spent = trainer.done + now - t0
        part = trainer.step / o.steps if o.steps else spent / o.seconds
        if part >= 1:
            break
        if feeder.error:
            raise feeder.error
        size = size_at(o, part)
        values = trainer.train_step(crops[size].next(), size, part)
        sums, count = values if sums is None else sums + values, count + 1
        if now - told > 10 or trainer.step == 20:
            v = (sums / count).tolist()
            if not all(math.isfinite(q) for q in v):
                raise RuntimeError(f'the loss is {v} at step {trainer.step}')
            now = time.time()
            say(f'{spent:.0f} s step {trainer.step} {size[1]}x{size[0]} loss {v[2]:.3f} where {v[0]:.3f} much {v[1]:.3f} '
                f'{(trainer.seen - told_seen) / (now - told):.0f} crops/s {(store.records - first_records) / (now - t0):.0f} '
                f'records/s {store.records} records seen {trainer.seen}')
            told, told_seen, sums, count = now, trainer.seen, None, 0
            if more and more.ready():
                more = more_backgrounds(store, more, say)
        if now - saved > o.checkpoint_every:
            saved = now
            trainer.save(spent)
            report(trainer, held.batches(), size, say, f'{spent:.0f} s')
    spent = trainer.done + time.time() - t0
    trainer.save(spent if o.steps else min(spent, o.seconds))
    say(f'end: {spent:.0f} s, {trainer.step} steps, {trainer.seen} crops, {(trainer.seen - first_seen) / (time.time() - t0):.0f} crops/s, '
        f'{store.records} records')
    val = held.batches()
    if val:
        pred = report(trainer, val, full, say, 'end, flip', True, True)
        overlays(o, 'held-out.png', val[0], pred)


def more_backgrounds(store, more, say):
    try:
        store.add_backgrounds(more.load())
        say(f'{len(store.back)} backgrounds')
    except (RuntimeError, OSError) as e:            # the run goes on with those it has
        say('no more backgrounds:', e)
    return None


def report(trainer, val, size, say, when, flip=False, joints=False):
    if not val:
        return None
    pred, r, rel = trainer.validate(val, size, flip)
    say(f"HELD-OUT {when} {size[1]}x{size[0]}: AP {r['AP']:.3f} AP50 {r['AP50']:.3f} AP75 {r['AP75']:.3f} OKS {r['OKS']:.3f} PCK {r['PCK']:.3f}")
    say('  score > t: share above, right of those, found of the right: ' + '; '.join(f'{t:.1f}: {a:.2f} {p:.2f} {q:.2f}' for t, a, p, q in rel))
    if joints:
        say('  joints (similarity, PCK): ' + ' '.join(f'{s:.2f}/{p:.2f}' for s, p, _ in r['joints']))
    return pred


if __name__ == '__main__':
    main()
