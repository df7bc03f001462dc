"""The laws in training, on scikit-learn's digits: python bench/training.py [--only NAMES].

Prints the tables of docs/training.md. Needs clexact[training] and scikit-learn. Floating point; every draw has a seed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

import clexact
from clexact import models
from clexact.training import (
    GD,
    SGD,
    Adam,
    AdamW,
    HeavyBallStep,
    NesterovStep,
    Optimizer,
    project,
    simulate,
    slope,
    train,
)

Floats = NDArray[np.float64]
Row = list[object]
SEED = 0


def digits(count: int | None = None) -> tuple[Floats, NDArray[np.int64]]:
    """Images as rows of 64 numbers in [0, 1], and their labels."""
    images, labels = load_digits(return_X_y=True)
    return images[:count] / 16, labels[:count]


def start(model: clexact.Model, scale: float, positive: bool = False) -> Floats:
    """A random start."""
    drawn = scale * np.random.default_rng(SEED).standard_normal(model.dimension)
    return np.abs(drawn) if positive else drawn


NETWORK = models.relu([10, 16, 64], bias=True)


def step_sizes() -> Iterator[Row]:
    """Drift against step size: ReLU network, all digits, cross-entropy, gradient descent."""
    data, theta, rates = digits(), start(NETWORK, 0.3), [0.4, 0.2, 0.1, 0.05, 0.025, 0.0125]
    laws = clexact.certify(clexact.gradient_flow(NETWORK, "cross_entropy")).laws.polynomials()
    yield ["step size", "drift of one step", "drift up to time 4"]
    runs = [slope(NETWORK, data, "cross_entropy", theta, rates, laws=laws, **kind) for kind in ({}, {"time": 4})]
    for k, rate in enumerate(rates):
        yield [str(rate), *(run.drifts[k] for run in runs)]
    yield ["slope", *(f"{run.value:.3f}" for run in runs)]


def optimizers() -> Iterator[Row]:
    """Drift by optimizer: the same network, 300 steps; slope of the drift of 3 steps against the step size."""
    data, theta = digits(), start(NETWORK, 0.3)
    laws = clexact.certify(clexact.gradient_flow(NETWORK, "cross_entropy")).laws.polynomials()
    kinds: list[tuple[Optimizer, float]] = [
        (GD(0.1), 0), (SGD(0.1, 32), 0), (SGD(0.1, 32), 0.01), (HeavyBallStep(0.02, 32), 0),
        (NesterovStep(0.02, 32, momentum=0.9), 0), (Adam(0.003, 32), 0), (AdamW(0.003, 32), 0.01),
    ]  # fmt: skip
    yield ["optimizer", "weight decay", "largest drift", "not explained by the formula", "slope", "loss at the end"]
    for optimizer, decay in kinds:
        run = train(NETWORK, data, "cross_entropy", theta, 300, optimizer, weight_decay=decay, laws=laws, every=10)
        name = f"{type(optimizer).__name__}, step {optimizer.eta}" + (", batch 32" if optimizer.batch else "")
        rates = [optimizer.eta / 2**k for k in range(4)]
        fit = slope(
            NETWORK, data, "cross_entropy", theta, rates, steps=3, weight_decay=decay, laws=laws,
            optimizer=lambda rate, kind=optimizer: replace(kind, eta=rate),
        )  # fmt: skip
        yield [name, decay, run.drift().max(), run.unexplained().max(), f"{fit.value:.2f}", f"{run.losses[-1]:.3f}"]


def tolerances() -> Iterator[Row]:
    """Gradient flow of a linear network, 300 digits, squared loss: drift by the solver's tolerance."""
    images, labels = digits(300)
    model = models.linear([10, 4, 64])
    theta, laws = start(model, 0.3), clexact.certify(clexact.gradient_flow(model)).laws.polynomials()
    yield ["method", "tolerance", f"largest drift of {len(laws)} laws", "gradients", "seconds"]
    for method, tolerance in [("DOP853", 1e-6), ("DOP853", 1e-9), ("DOP853", 1e-12), ("LSODA", 1e-12)]:
        begin = time.perf_counter()
        run = simulate(
            model, (images, np.eye(10)[labels]), "squared", theta, time=5, laws=laws, method=method,
            rtol=tolerance, atol=tolerance,
        )  # fmt: skip
        yield [method, tolerance, run.drift().max(), run.evaluations, f"{time.perf_counter() - begin:.1f}"]


def momentum() -> Iterator[Row]:
    """Momentum breaks the laws of the gradient flow and keeps Noether's: the same network and digits."""
    images, labels = digits(300)
    data, model = (images, np.eye(10)[labels]), models.linear([10, 4, 64])
    theta, velocity = start(model, 0.3), start(model, 0.3)[::-1]
    old = clexact.certify(clexact.gradient_flow(model)).laws.polynomials()
    yield ["flow", "laws certified", "their largest drift", "largest drift of the 10 laws of the gradient flow"]
    for flow in (
        clexact.gradient_flow(model), clexact.momentum_flow(model), clexact.momentum_flow(model, clexact.HeavyBall(1)),
        clexact.momentum_flow(model, clexact.Nesterov()),
    ):  # fmt: skip
        laws = clexact.certify(flow).laws.polynomials()
        options: dict[str, Any] = {} if flow.dimension == model.dimension else {"velocity": velocity}
        names = [*laws.written(), *map(str, old)]
        quantities = dict(zip(names, [*laws, *map(str, old)], strict=True))
        run = simulate(flow, data, "squared", theta, time=[1, 2, 3, 4, 5], laws=quantities, **options)
        drift = run.drift().max(axis=1)
        yield [flow.description.split(" of linear")[0] + flow.description.partition("]")[2], len(laws),
               drift[: len(laws)].max(), drift[-len(old):].max()]  # fmt: skip


def nmf() -> Iterator[Row]:
    """NMF of 100 digits by mirror flow, rank 5: U V^T against the 100 x 64 matrix of images; all entries positive."""
    images, _ = digits(100)
    model = models.nmf(100, 5, 64)
    theta, data = start(model, 0.3, positive=True), (np.eye(64), images.T)
    mirror = clexact.mirror_flow(model, ["U", "V"])
    yield from _against(model, mirror, data, theta, 5)


def icnn() -> Iterator[Row]:
    """Input-convex network 64 -> 3 -> 1 by mirror flow, 40 digits, which are zeros: U positive; V and b Euclidean."""
    images, labels = digits(40)
    model = models.icnn(1, 3, 64, bias=True)
    theta = start(model, 0.3)
    theta[:3] = np.abs(theta[:3])
    yield from _against(model, clexact.mirror_flow(model, ["U"]), (images, (labels == 0)[:, None]), theta, 2)


def _against(model: clexact.Model, mirror: clexact.Flow, data: Any, theta: Floats, end: float) -> Iterator[Row]:
    """The laws of mirror and gradient flow, along both flows."""
    flows = {"mirror": mirror, "gradient": clexact.gradient_flow(model)}
    laws = {name: clexact.certify(flow).laws.polynomials() for name, flow in flows.items()}
    yield ["flow", *(f"largest drift of the {len(found)} laws of the {name} flow" for name, found in laws.items()),
           "loss", "smallest positive entry at the end"]  # fmt: skip
    for name, flow in flows.items():
        runs = [simulate(flow, data, "squared", theta, time=[0, end / 2, end], laws=found) for found in laws.values()]
        yield [name, *(run.drift().max() for run in runs), f"{runs[0].losses[0]:.3f} -> {runs[0].losses[-1]:.3f}",
               float(runs[0].parameters["U"][-1].min())]  # fmt: skip


def bias() -> Iterator[Row]:
    """Implicit bias: sum_i u_i v_i x_i fits 12 equations in 30 unknowns; start projected on u_i^2 - v_i^2 = c."""
    size, draws = 30, np.random.default_rng(SEED)
    model = clexact.Model({"u": (size,), "v": (size,)}, {"x": (size,)}, lambda u, v, x: (u * v * x).sum(), "diagonal")
    x, wanted = draws.standard_normal((12, size)), np.zeros(size)
    wanted[:3] = [1, 1, 2]
    data, drawn = (x, x @ wanted), draws.uniform(0.005, 0.01, 2 * size)
    yield ["c = u_i^2 - v_i^2", "loss at the end", "l1 norm of w", "l2 norm of w", "largest drift of c"]
    for c in (0, 0.01, 0.1, 1, 10):
        run = simulate(model, data, "squared", project(model, None, c, start=drawn), time=[0, 500], rtol=1e-10)
        w = run.parameters["u"][-1] * run.parameters["v"][-1]
        yield [c, run.losses[-1], f"{np.abs(w).sum():.3f}", f"{np.linalg.norm(w):.3f}", run.drift().max()]
    sparse, least = np.abs(wanted).sum(), np.linalg.pinv(x) @ data[1]
    yield ["the sparse solution", "", f"{sparse:.3f}", f"{np.linalg.norm(wanted):.3f}", ""]
    yield ["the least l2 solution", "", f"{np.abs(least).sum():.3f}", f"{np.linalg.norm(least):.3f}", ""]


EXPERIMENTS: dict[str, Callable[[], Iterator[Row]]] = {
    "steps": step_sizes, "optimizers": optimizers, "tolerances": tolerances, "momentum": momentum, "nmf": nmf,
    "icnn": icnn, "bias": bias,
}  # fmt: skip


def written(cell: object) -> str:
    """A number in two or three digits."""
    return f"{cell:.2g}" if isinstance(cell, float) else str(cell)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS), metavar="NAME")
    for name in parser.parse_args().only:
        begin = time.perf_counter()
        head, *rows = [list(map(written, row)) for row in EXPERIMENTS[name]()]
        print(f"\n{EXPERIMENTS[name].__doc__}\n")
        for row in [head, ["---"] * len(head), *rows]:
            print(f"| {' | '.join(row)} |")
        print(f"\n({time.perf_counter() - begin:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
