"""Write the pictures of docs/pytorch.md: what a network conserves, how it drifts, and how it is rebalanced.

docs/make_pytorch.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import torch
from torch import Tensor, nn

from clexact.torch import LawMonitor, ModuleLaws, balance, laws

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "clexact"  # the same file again
from matplotlib import pyplot  # noqa: E402

DOCS = Path(__file__).parent
STEPS = 60


def network() -> nn.Sequential:
    """Three layers with a ReLU and without a gate."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 6), nn.Linear(6, 2)).double()


def drifts(known: ModuleLaws, x: Tensor) -> None:
    """Drift and prediction without momentum and with it."""
    figure, axes = pyplot.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
    for ax, momentum in zip(axes, (0.0, 0.9), strict=True):
        net = network()
        optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=momentum)
        monitor = LawMonitor.attach(net, optimizer, laws=known)
        for _ in range(STEPS):
            optimizer.zero_grad()
            (net(x) - 1).square().mean().backward()
            optimizer.step()
        monitor.plot(ax)
        ax.set_title(f"SGD, momentum {momentum:g}")
    figure.savefig(DOCS / "pytorch-drift.svg", metadata={"Date": None})


def balanced(known: ModuleLaws, x: Tensor) -> None:
    """Squared lengths on both sides of each hidden unit, before and after."""
    net = network()
    with torch.no_grad():
        net[0].weight.mul_(3)
        net[0].bias.mul_(3)
        net[2].weight.div_(3)
    figure, axes = pyplot.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
    for ax, title in zip(axes, ("before", "after balance(net, x)"), strict=True):
        with torch.no_grad():
            into = net[0].weight.square().sum(1) + net[0].bias.square()
            out = net[2].weight.square().sum(0)
        units = np.arange(len(into))
        ax.bar(units - 0.2, into, 0.4, label="into the unit")
        ax.bar(units + 0.2, out, 0.4, label="out of the unit")
        ax.set(title=title, xlabel="hidden unit", yscale="log")
        ax.legend()
        balance(net, x)
    axes[0].set_ylabel("squared length")
    figure.savefig(DOCS / "pytorch-balance.svg", metadata={"Date": None})


def main() -> None:
    """All three."""
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    known = laws(network(), x)
    (DOCS / "pytorch-laws.svg").write_text(known.to_svg() + "\n")
    drifts(known, x)
    balanced(known, x)


if __name__ == "__main__":
    main()
