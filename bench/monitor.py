"""The cost of ``clexact.torch.LawMonitor``: training steps of a ResNet-18 with it and without, alternately in one run.

bench/monitor.py [--sizes 32 224] [--batch 32] [--steps 20] [--every 1] [--threads N] [--cpu]

Both networks start alike and see the same data. The first ratio compares whole steps. The second adds to a step without
the monitor only what ``optimizer.step()``, in which the monitor works, takes longer: it leaves out the hooks in
backward(), under 0.5 ms, and the noise of forward and backward. All are medians; of steps after the first 4, at which
the monitor does more. On a machine that is busy with other work, take ``--cpu --threads 1``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from clexact.torch import LawMonitor, ModuleLaws, laws

WARM_UP = 4  # steps
WIDTHS = ((64, 1), (128, 2), (256, 2), (512, 2))  # channels and stride of each of the four stages


class Block(nn.Module):
    """Two convolutions of 3 x 3 with batch norm, added to the input (arXiv 1512.03385)."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or before != channels:
            self.shortcut = nn.Sequential(nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(inner)) + self.shortcut(x))


class ResNet18(nn.Module):
    """With the stem for images of 32 x 32 (3 x 3, no pooling), or the one for larger images (7 x 7, max-pooling)."""

    def __init__(self, classes: int, small: bool) -> None:
        super().__init__()
        stem = nn.Conv2d(3, 64, 3, 1, 1, bias=False) if small else nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        pool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        self.stem = nn.Sequential(stem, nn.BatchNorm2d(64), nn.ReLU(), pool)
        blocks, before = [], 64
        for channels, stride in WIDTHS:
            blocks += [Block(before, channels, stride), Block(channels, channels, 1)]
            before = channels
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class Step(NamedTuple):
    """Seconds of a training step, and of ``optimizer.step()`` within it."""

    whole: float
    update: float


class Training:
    """A network with its optimizer, watched or not."""

    def __init__(self, size: int, seed: int, known: ModuleLaws | None = None, every: int = 1) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)  # layers draw their weights from the global generator
            self.net = ResNet18(10 if size < 64 else 1000, size < 64)
        self.optimizer = torch.optim.SGD(self.net.parameters(), 0.01)
        self.monitor = None if known is None else LawMonitor.attach(self.net, self.optimizer, laws=known, every=every)

    def step(self, images: Tensor, targets: Tensor, clock: Callable[[], float]) -> Step:
        """One step, timed."""
        start = clock()
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(self.net(images), targets).backward()
        middle = clock()
        self.optimizer.step()
        end = clock()
        return Step(end - start, end - middle)


def measure(size: int, batch: int, steps: int, every: int, clock: Callable[[], float], seed: int) -> None:
    """Print one row: medians of both kinds of steps, and their ratios."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(batch, 3, size, size, generator=generator)
    targets = torch.randint(10, (batch,), generator=generator)
    plain = Training(size, seed)
    known = laws(plain.net, images[:2], loss="cross_entropy", certify=False)
    watched = Training(size, seed, known, every)
    rows = [(plain.step(images, targets, clock), watched.step(images, targets, clock)) for _ in range(WARM_UP + steps)][
        WARM_UP:
    ]
    without, beside = (
        Step(*(statistics.median(pair[side][kind] for pair in rows) for kind in (0, 1))) for side in (0, 1)
    )
    assert watched.monitor is not None
    print(
        f"{size} x {size}, {len(known)} laws, {known.count} numbers: a step {without.whole:.3f} s, "
        f"watched {beside.whole:.3f} s: ratio {beside.whole / without.whole:.4f}; "
        f"optimizer.step() {1e3 * without.update:.1f} ms, "
        f"watched {1e3 * beside.update:.1f} ms: ratio {1 + (beside.update - without.update) / without.whole:.4f}; "
        f"{len(watched.monitor.diagnose())} findings"
    )


def main() -> None:
    """Read the arguments and measure each size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 224], help="images of so many pixels squared")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--every", type=int, default=1, help="observe one step in so many")
    parser.add_argument("--threads", type=int, help="threads of torch (default: its own choice)")
    parser.add_argument("--cpu", action="store_true", help="CPU time of this process instead of wall time")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    clock, kind = (time.process_time, "CPU") if options.cpu else (time.perf_counter, "wall")
    told = f"{torch.get_num_threads()} threads, batch {options.batch}, every={options.every}, {kind} time"
    print(f"torch {torch.__version__}, {told}")
    for size in options.sizes:
        measure(size, options.batch, options.steps, options.every, clock, options.seed)


if __name__ == "__main__":
    main()
