"""Runs on small random data, for pictures that are drawn without arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from clexact.models import linear
from clexact.programs.model import Model

SAMPLES = 16
STEPS = 200
ETA = 0.02
RATES = tuple(np.logspace(-4, -2, 9))
TIME = 2.0


def random_problem(model: Model, seed: int) -> tuple[Any, Any]:
    """Standard normal inputs and targets, and a start of half that size: ((inputs, targets), start)."""
    draws = np.random.default_rng(seed)
    gates = {gate.probe for gate in model.program.gates}
    inputs = {name: draws.normal(size=(SAMPLES, *shape)) for name, shape in model.probes.items() if name not in gates}
    targets = draws.normal(size=(SAMPLES, *model.program.shape))
    return (inputs or None, targets), 0.5 * draws.normal(size=model.dimension)


def runs(model: Model | None = None, seed: int = 0, eta: float = ETA) -> dict[str, Any]:
    """The same problem by gradient descent, by momentum and with weight decay: {title: Trajectory}."""
    from clexact.training import GD, HeavyBallStep, train

    model = linear([3, 2, 4]) if model is None else model
    data, start = random_problem(model, seed)
    plain = GD(eta)
    return {
        "gradient descent": train(model, data, start=start, steps=STEPS, optimizer=plain),
        "momentum 0.9": train(model, data, start=start, steps=STEPS, optimizer=HeavyBallStep(eta, momentum=0.9)),
        "weight decay 0.1": train(model, data, start=start, steps=STEPS, optimizer=plain, weight_decay=0.1),
    }


def slopes(model: Model | None = None, seed: int = 0) -> dict[str, Any]:
    """Drift against step size, in one step and until a fixed time: {label: Slope}."""
    from clexact.training import slope

    model = linear([3, 2, 4]) if model is None else model
    data, start = random_problem(model, seed)
    rates = TIME / np.array([2000, 1000, 500, 250, 125, 64])
    return {
        "one step": slope(model, data, start=start, rates=RATES),
        f"until time {TIME:g}": slope(model, data, start=start, rates=rates.tolist(), time=TIME),
    }
