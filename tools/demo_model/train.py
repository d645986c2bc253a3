"""Trains the demo model on the CPU, resumable; the learning rate follows the clock.

    python train.py --out build/demo_model --minutes 120 --workers 2

Reads OUT/train*.npz, writes OUT/checkpoint.pt every few minutes and at the end.  Run again to go on where it
stopped; `--minutes` counts the training time of all runs together.  The rate rises in the first steps, stays
flat, and falls to zero over the last `--decay` part of the time.  Weight matrices are trained with Muon
(orthogonalized momentum), embeddings and norms with Adam.  Each worker is a process with one thread that
takes its own batches; gradients are summed after each step.  (Threads inside one process would wait for each
other at every operation, which is slow on a busy machine.)
"""
import argparse
import glob
import os
import signal
import time

import numpy
import torch
import torch.nn.functional as F

from model import Llama, Shape, count

BATCH_TOKENS = 2560  # padded size of one worker's batch


def orthogonalize(g):
    """Newton-Schulz iteration towards the nearest semi-orthogonal matrix; g [N, R, C]."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = g.shape[1] > g.shape[2]
    x = g.mT if tall else g
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x.mT if tall else x


class Muon:
    """Momentum with orthogonalized updates for matrices, grouped by shape."""

    def __init__(self, params, momentum=0.95, decay=0.02):
        self.groups = {}
        for p in params:
            self.groups.setdefault(tuple(p.shape), []).append(p)
        self.buffers = {shape: torch.zeros(len(ps), *shape) for shape, ps in self.groups.items()}
        self.momentum, self.decay = momentum, decay

    @torch.no_grad()
    def step(self, lr):
        for shape, ps in self.groups.items():
            grad = torch.stack([p.grad for p in ps])
            buffer = self.buffers[shape]
            buffer.lerp_(grad, 1 - self.momentum)
            update = orthogonalize(grad.lerp(buffer, self.momentum).bfloat16()).float()
            scale = lr * max(1.0, shape[0] / shape[1]) ** 0.5
            for p, u in zip(ps, update):
                p.mul_(1 - lr * self.decay).add_(u, alpha=-scale)


def loss_of(model, tokens, answers):
    """Sum of next-token losses over the answers; tokens and answers [B, T]."""
    with torch.autocast("cpu", torch.bfloat16):
        states = model(tokens)[:, :-1][answers[:, 1:]]
        logits = F.linear(states, model.embed_tokens.weight)
    return F.cross_entropy(logits.float(), tokens[:, 1:][answers[:, 1:]], reduction="sum")


def rate(elapsed, total, decay, step):
    """Warm-up by steps, flat, then linear to zero by the clock."""
    left = (total - elapsed) / (total * decay)
    return max(0.0, min(1.0, left)) * min(1.0, (step + 1) / 100)


class Data:
    """Documents of all OUT/train*.npz in batches of about equal length, so that hardly any padding is needed."""

    def __init__(self, out):
        parts = [numpy.load(path) for path in sorted(glob.glob(os.path.join(out, "train*.npz")))]
        self.tokens = numpy.concatenate([p["tokens"] for p in parts])
        self.answers = numpy.concatenate([p["answers"] for p in parts])
        starts, base = [], 0
        for p in parts:
            starts.append(p["offsets"][:-1] + base)
            base += len(p["tokens"])
        self.offsets = numpy.concatenate(starts + [[base]])
        self.lengths = numpy.diff(self.offsets)
        self.epoch, self.batches = -1, []

    def plan(self, seed, epoch):
        """The batches (arrays of document numbers) of one epoch, in random order."""
        rng = numpy.random.default_rng([seed, epoch])
        order = rng.permutation(len(self.lengths))
        order = order[numpy.argsort(numpy.arange(len(order)) // 8192 * 1024 + self.lengths[order], kind="stable")]
        batches, current, longest = [], [], 0
        for doc in order:
            longest_new = max(longest, self.lengths[doc])
            if current and longest_new * (len(current) + 1) > BATCH_TOKENS:
                batches.append(current)
                current, longest_new = [], self.lengths[doc]
            current.append(doc)
            longest = longest_new
        batches.append(current)
        groups = [batches[i:i + 512] for i in range(0, len(batches), 512)]
        for group in groups:
            rng.shuffle(group)
        self.batches, self.epoch = [b for group in groups for b in group], epoch

    def batch(self, seed, epoch, index):
        if self.epoch != epoch:
            self.plan(seed, epoch)
        docs = self.batches[index]
        width = max(self.lengths[d] for d in docs)
        tokens = numpy.zeros((len(docs), width), numpy.int64)
        answers = numpy.zeros((len(docs), width), bool)
        for row, doc in enumerate(docs):
            a, b = self.offsets[doc], self.offsets[doc + 1]
            tokens[row, :b - a], answers[row, :b - a] = self.tokens[a:b], self.answers[a:b]
        return torch.from_numpy(tokens), torch.from_numpy(answers)


class Trainer:
    """One worker's model, optimizers and position in the data."""

    def __init__(self, rank, args):
        self.rank, self.args = rank, args
        torch.manual_seed(args.seed)
        self.model = Llama(Shape())
        self.params = list(self.model.parameters())
        self.others = [p for n, p in self.model.named_parameters() if p.dim() != 2 or "embed" in n]
        self.muon = Muon([p for n, p in self.model.named_parameters() if p.dim() == 2 and "embed" not in n])
        self.adam = torch.optim.AdamW(self.others, lr=args.adam_lr, betas=(0.9, 0.95), weight_decay=0.0)
        self.path = os.path.join(args.out, "checkpoint.pt")
        self.step, self.spent, self.epoch, self.index = 0, 0.0, 0, 0
        if os.path.exists(self.path):
            self.load()
        self.data = Data(args.out)
        self.data.plan(args.seed, self.epoch)

    def load(self):
        saved = torch.load(self.path)
        self.model.load_state_dict(saved["model"])
        self.adam.load_state_dict(saved["adam"])
        self.muon.buffers = saved["muon"]
        self.step, self.spent, self.epoch, self.index = (saved[k] for k in ("step", "spent", "epoch", "index"))

    def save(self):
        torch.save(dict(model=self.model.state_dict(), adam=self.adam.state_dict(), muon=self.muon.buffers, step=self.step,
                        spent=self.spent, epoch=self.epoch, index=self.index, shape=vars(self.model.s)), self.path + ".new")
        os.replace(self.path + ".new", self.path)

    def train_step(self):
        """One step on one batch per worker; returns the mean loss of all workers' answer tokens."""
        args = self.args
        if self.index + args.workers > len(self.data.batches):
            self.epoch, self.index = self.epoch + 1, 0
            self.data.plan(args.seed, self.epoch)
        tokens, answers = self.data.batch(args.seed, self.epoch, self.index + self.rank)
        self.index += args.workers
        loss = loss_of(self.model, tokens, answers)
        loss.backward()
        flat = torch.cat([p.grad.flatten() for p in self.params] + [loss.detach().reshape(1), answers[:, 1:].sum().float().reshape(1)])
        if args.workers > 1:
            torch.distributed.all_reduce(flat)
        flat /= flat[-1].clone()
        at = 0
        for p in self.params:
            p.grad = flat[at:at + p.numel()].view_as(p)
            at += p.numel()
        factor = rate(self.spent, args.minutes * 60, args.decay, self.step)
        torch.nn.utils.clip_grad_norm_(self.others, 1.0)
        for group in self.adam.param_groups:
            group["lr"] = args.adam_lr * factor
        self.adam.step()
        self.muon.step(args.lr * factor)
        self.model.zero_grad(set_to_none=True)
        self.step += 1
        return flat[-2].item(), factor


def worker(rank, args):
    torch.set_num_threads(1)
    if args.workers > 1:
        torch.distributed.init_process_group("gloo", init_method="tcp://127.0.0.1:%d" % args.port, rank=rank, world_size=args.workers)
    t = Trainer(rank, args)
    if rank == 0:
        print(f"{count(t.model) / 1e6:.2f} M parameters, {len(t.data.tokens) / 1e6:.1f} M tokens, step {t.step}, {t.spent / 60:.1f} minutes", flush=True)
    first, saved_at, mean, last = t.step, t.spent, None, time.time()
    # The clock and the wish to stop come from worker 0, so that all workers take the same steps.
    control = torch.zeros(2, dtype=torch.float64)
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    while True:
        if rank == 0:
            now = time.time()
            t.spent, last = t.spent + now - last, now
            done = bool(stop) or t.spent >= args.minutes * 60 or (args.steps and t.step - first >= args.steps)
            control[0], control[1] = t.spent, float(done)
        if args.workers > 1:
            torch.distributed.broadcast(control, 0)
        t.spent = control[0].item()
        if control[1]:
            break
        loss, factor = t.train_step()
        mean = loss if mean is None else 0.97 * mean + 0.03 * loss
        if rank == 0 and t.step % 25 == 0:
            print(f"step {t.step} {t.spent / 60:.1f} min epoch {t.epoch + t.index / len(t.data.batches):.3f} loss {mean:.4f} rate {factor:.3f}", flush=True)
        if rank == 0 and t.spent - saved_at > args.save_minutes * 60:
            t.save()
            saved_at = t.spent
    if rank == 0:
        t.save()
        print(f"stopped at step {t.step} after {t.spent / 60:.1f} minutes, loss {mean}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", default="build/demo_model")
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--decay", type=float, default=0.3)
    parser.add_argument("--lr", type=float, default=0.02, help="Muon's rate")
    parser.add_argument("--adam-lr", type=float, default=0.004)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--port", type=int, default=29517, help="local port over which the workers meet")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save-minutes", type=float, default=4)
    parser.add_argument("--steps", type=int, default=0, help="stop after so many steps (for a speed test)")
    args = parser.parse_args()
    if args.workers == 1:
        worker(0, args)
        return
    torch.multiprocessing.spawn(worker, (args,), nprocs=args.workers)


if __name__ == "__main__":
    main()
