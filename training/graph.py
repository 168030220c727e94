"""A training step as a CUDA graph."""
import torch


class Graph:
    """`trainer.update` for n crops of one size, recorded. The inputs are copied into the graph's own."""

    WARM = 3                # steps before recording: cuDNN chooses its kernels, AdamW makes its state

    def __init__(self, trainer, size, n):
        self.trainer, self.size, self.n = trainer, size, n
        self.inputs = self._noise()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(self.WARM):
                trainer.opt.zero_grad(set_to_none=True)
                trainer.update(self.inputs, size)
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        trainer.opt.zero_grad(set_to_none=True)     # so that backward writes the gradients instead of adding to them
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.values = trainer.update(self.inputs, size)
        self.gradients = self._gradients()          # the graph's own memory
        self._check()

    def _gradients(self):
        return [p.grad for p in self.trainer.net.parameters() if p.grad is not None]

    def _noise(self):
        """A batch of nothing."""
        (w, h), n, device = self.size, self.n, self.trainer.device
        kps = torch.rand(n, 17, 3, device=device)
        kps[..., :2] *= h / 2
        image = torch.randint(256, (n, h, w, 3), dtype=torch.uint8, device=device).permute(0, 3, 1, 2)
        return dict(image=image, kps=kps, absent=kps[..., 2] > .8)

    def replay(self, b):
        for k, v in self.inputs.items():
            v.copy_(b[k])
        self.graph.replay()
        return self.values.clone()

    def _check(self):
        """That the graph makes another batch's gradients, as the same step does that is not recorded."""
        trainer, b = self.trainer, self._noise()
        lr = trainer.lr.clone()
        trainer.lr.fill_(0)
        trainer.opt.zero_grad(set_to_none=True)
        expected = trainer.update(b, self.size), [g.clone() for g in self._gradients()]
        for _ in range(2):
            values = self.replay(b)
        trainer.lr.copy_(lr)
        norm = lambda tensors: torch.stack([t.float().norm() for t in tensors]).norm()
        error = float(norm([a - e for a, e in zip(self.gradients, expected[1])]) / norm(expected[1]))
        loss = float(((values - expected[0]).abs() / expected[0].abs().clamp_min(1e-3)).max())
        if not (error < .1 and loss < .05):         # bfloat16 and sums in another order
            raise RuntimeError(f'the graph of {self.size} is wrong: gradients differ by {error:.3f}, losses by {loss:.3f}')
