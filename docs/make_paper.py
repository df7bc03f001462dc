"""Draw docs/paper.svg: laws against rank, and a run of descent. Needs matplotlib, the extra clexact[plot].

python docs/make_paper.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import clexact
from clexact import plot

PICTURE = Path(__file__).parent / "paper.svg"
RANKS = range(1, 9)
STEPS, RATE = 40, 0.2


def laws(dims: list[int], rank: int) -> int:
    """How many a sum of so many products has, exactly."""
    return int(clexact.certify(clexact.gradient_flow(clexact.models.factorization(dims, rank=rank))))


def run() -> tuple[np.ndarray, np.ndarray]:
    """Steps of stochastic descent of u.v: a law of the flow, and a quotient of two, both relative to the start."""
    draws = np.random.default_rng(0)
    u, v = draws.normal(size=(2, 3))
    kept = []
    for target in draws.normal(1, 1, size=STEPS):
        kept.append((u[0] * u[1] - v[0] * v[1], u[0] * v[2] - u[2] * v[0]))
        t = RATE * (u @ v - target)
        u, v = u - t * v, v - t * u
    law, other = np.array(kept).T
    return law / law[0], (other / law) / (other[0] / law[0])


def main() -> None:
    """Write the picture."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    for dims, mark in (([2, 2], "o-"), ([2, 2, 2], "s-")):
        left.plot(RANKS, [laws(dims, rank) for rank in RANKS], mark, label=" x ".join(map(str, dims)))
    left.set(xlabel="products", ylabel="laws, exactly")
    left.legend()
    law, quotient = run()
    right.plot(law, label="a law of the flow")
    right.plot(quotient, label="a quotient of two")
    right.set(xlabel="steps", ylabel="relative to the start")
    right.legend()
    plot.save(figure, PICTURE)


if __name__ == "__main__":
    main()
