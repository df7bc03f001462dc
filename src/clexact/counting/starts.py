"""Starts: by name, from a file, as arrays, or drawn as networks are initialised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import isqrt, prod
from pathlib import Path
from statistics import NormalDist
from typing import cast

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.parse import read_text
from clexact.algebra.polynomial import Number, check_point, exact, rational
from clexact.algebra.terms import Ints
from clexact.flows.flow import Flow
from clexact.flows.gradient import GradientFlow
from clexact.laws.polynomial_laws import proposed_laws
from clexact.programs.model import Model
from clexact.programs.places import Shape
from clexact.support.nearest import check_word, one_of

STARTS = ("zero", "identity", "balanced", "rank-deficient", "dead-unit")
RANDOM = "random"
INITS, BIAS_INITS = ("uniform", "normal", "kaiming", "xavier"), ("uniform", "normal", "zero")
GRID = 10**6  # denominator of the numbers that are drawn

Start = str | Sequence[Number] | Mapping[str, object]


# --- drawn, and as arrays --------------------------------------------------------------------------------------------


def random_start(
    model: Model, init: str = "uniform", bias_init: str = "uniform", *, seed: int = 0
) -> tuple[Number, ...]:
    r"""Parameters as networks are initialised, rounded to multiples of 10^-6.

    With $f_{\text{in}}$ and $f_{\text{out}}$ of an array of two axes or more, counted as PyTorch does (the size of a
    slice along the first axis, and that axis times those behind the second), its entries are uniform in [-b, b] with
    $b = \sqrt{6/f_{\text{in}}}$ (``"kaiming"``: He et al. 2015) or $\sqrt{6/(f_{\text{in}} + f_{\text{out}})}$
    (``"xavier"``: Glorot and Bengio 2010) or 1 (``"uniform"``), or standard normal (``"normal"``).

    Parameters
    ----------
    model : Model
        The network.
    init : {"uniform", "normal", "kaiming", "xavier"}
        Of arrays of two axes or more.
    bias_init : {"uniform", "normal", "zero"}
        Of the others.
    seed : int
        Of all random choices, at least 0.

    Returns
    -------
    tuple of int or Fraction
        $\theta$, of D coordinates.

    Raises
    ------
    ValueError
        For another word.

    Examples
    --------
    >>> import clexact
    >>> start = clexact.random_start(clexact.models.relu([1, 2, 1], bias=True), "kaiming", "zero")
    >>> len(start), start[-1], max(abs(c) for c in start) < 3
    (6, 0, True)
    """
    check_inits(init, bias_init)
    draws, start = Draws(seed), list[Number]()
    for shape in model.parameters.values():
        kind = init if len(shape) > 1 else bias_init
        start += [Fraction(c, GRID) if c % GRID else c // GRID for c in _drawn(kind, shape, draws)]
    return tuple(start)


def check_inits(init: object, bias_init: object) -> None:
    """ValueError for a word that says no way to draw weights, or biases."""
    check_word(init, INITS, "init")
    check_word(bias_init, BIAS_INITS, "bias_init")


def _drawn(kind: str, shape: Shape, draws: Draws) -> list[int]:
    """Multiples of 1 / GRID."""
    size = prod(shape)
    match kind:
        case "zero":
            return [0] * size
        case "normal":
            normal = NormalDist()
            return [round(GRID * normal.inv_cdf((2 * k + 1) / (2 * GRID))) for k in draws.integers(0, GRID - 1, size)]
        case "uniform":
            bound = GRID
        case _:
            inward, outward = prod(shape[1:]), shape[0] * prod(shape[2:])
            bound = isqrt(6 * GRID**2 // (inward if kind == "kaiming" else inward + outward))
    return draws.integers(-bound, bound, size)


def parameters_at(
    flow: Flow, near: Start, seed: int, init: str = "uniform", bias_init: str = "uniform"
) -> tuple[Number, ...]:
    """The parameters of a flow at a start; ValueError for a wrong name or shape, TypeError for floats."""
    gradients = flow.gradients
    if gradients is None:
        raise ValueError("a start decides gates, and explicit fields have none: near belongs to models.")
    if isinstance(near, str):
        if near == RANDOM:
            return random_start(gradients.model, init, bias_init, seed=seed)
        named = near in STARTS
        return named_start(gradients, near, seed) if named else _from_file(near, gradients.dimension, (RANDOM, *STARTS))
    if isinstance(near, Mapping):
        return _joined(gradients.model, near)
    return check_point(near, gradients.dimension)


def _joined(model: Model, arrays: Mapping[str, object]) -> tuple[Number, ...]:
    """The entries of arrays, in the order of the parameters."""
    if set(arrays) != set(model.parameters):
        raise ValueError(f"a start must give the parameters {list(model.parameters)}, not {list(arrays)}.")
    start = list[Number]()
    for name, shape in model.parameters.items():
        array = np.array(arrays[name], dtype=object)
        if array.shape != shape:
            raise ValueError(f"{name} of a start must have shape {shape}, not {array.shape}.")
        start += [exact(c, f"an entry of {name} of a start") for c in array.ravel().tolist()]
    return tuple(start)


# --- named starts ----------------------------------------------------------------------------------------------------


def start_of(flow: Flow, point: Start, seed: int) -> tuple[Number, ...]:
    """A start in the phase space: by its name, by arrays of parameters, or D rationals."""
    if isinstance(point, str):
        return named_start(flow, point, seed)
    if isinstance(point, Mapping) and flow.gradients is not None:
        return _in_phase(flow, _joined(flow.gradients.model, point))
    return check_point(cast(Sequence[Number], point), flow.dimension)  # explicit fields have no parameters by name


def _in_phase(flow: Flow, start: Sequence[Number]) -> tuple[Number, ...]:
    """With velocities zero, and t = 0 (s and Nesterov's t: 1)."""
    clock = [] if flow.phase.clock is None else [flow.phase.start]
    return (*clock, *start, *([0] * (flow.dimension - len(clock) - len(start))))


def named_start(flow: Flow, name: str, seed: int = 0) -> tuple[Number, ...]:
    """A start by its name, or from the file of this name: rationals separated by blanks, commas or lines.

    ``zero``; ``identity``: ones where the first two indices are equal, in arrays with two axes or more, else 0;
    ``balanced``: such a point with distinct numbers in place of ones, at which all quadratic laws known vanish;
    ``rank-deficient``: random integer matrices of less than full rank; ``dead-unit``: all weights into and out of one
    hidden unit are zero, the others random integers. In a phase space the velocities are zero, and t = 0 (s and
    Nesterov's t: 1).
    """
    if name not in STARTS:
        return _from_file(name, flow.dimension)
    if flow.gradients is None:
        if name == "zero":
            return (0,) * flow.dimension
        raise ValueError(f"the start {name!r} needs a model; for explicit fields give zero or a file of rationals.")
    return _in_phase(flow, _starts(flow.gradients, name, Draws(seed)))


def _starts(flow: GradientFlow, name: str, draws: Draws) -> tuple[Number, ...]:
    shapes = flow.model.parameters.values()
    match name:
        case "zero":
            return (0,) * flow.dimension
        case "identity":
            return _flat([_diagonal(shape, [1] * min(shape, default=0)) for shape in shapes])
        case "balanced":
            return _balanced(flow)
        case "rank-deficient":
            return _flat([_deficient(shape, draws) for shape in shapes])
        case _:
            return _dead_unit(flow, draws)


def _flat(arrays: Sequence[Ints]) -> tuple[Number, ...]:
    return tuple(int(c) for array in arrays for c in array.ravel().tolist())


def _diagonal(shape: tuple[int, ...], numbers: Sequence[int]) -> Ints:
    out = np.zeros(shape, dtype=np.int64)
    if len(shape) > 1:
        for k, c in zip(range(min(shape[:2])), numbers, strict=False):
            out[(k, k, *([0] * (len(shape) - 2)))] = c
    return out


def _balanced(flow: GradientFlow) -> tuple[Number, ...]:
    matrices = [shape for shape in flow.model.parameters.values() if len(shape) > 1]
    width = min((min(shape[:2]) for shape in matrices), default=0)
    start = _flat([_diagonal(shape, range(1, width + 1)) for shape in flow.model.parameters.values()])
    laws = proposed_laws(flow, 2)
    if not width or any(h(*start) for h in laws):
        raise ValueError(f"no balanced start is known for {flow.model.name}; give a file of rationals.")
    return start


def _deficient(shape: tuple[int, ...], draws: Draws) -> Ints:
    """Random integers; a matrix is a product through one dimension less than its smaller side (at least 1)."""
    if len(shape) < 2:
        return np.array(draws.integers(-9, 9, int(np.prod(shape)))).reshape(shape)
    rows, columns = shape[0], int(np.prod(shape[1:]))
    inner = max(1, min(rows, columns) - 1)
    left, right = (np.array(draws.integers(-3, 3, n)) for n in (rows * inner, inner * columns))
    return np.asarray(left.reshape(rows, inner) @ right.reshape(inner, columns)).reshape(shape)


def _dead_unit(flow: GradientFlow, draws: Draws) -> tuple[Number, ...]:
    units = [scaling for scaling in flow.symmetries.scalings if len(set(scaling.values())) > 1]
    if not units:
        raise ValueError(f"no hidden unit is known in {flow.model.name}; give a file of rationals.")
    dead = min(units, key=lambda scaling: (len(scaling), min(scaling)))
    numbers = draws.integers(1, 9, flow.dimension)
    return tuple(0 if j in dead else c for j, c in enumerate(numbers))


def _from_file(path: str, dimension: int, names: Sequence[str] = STARTS) -> tuple[Number, ...]:
    numbers = read_start(path, names)
    if len(numbers) != dimension:
        raise ValueError(f"{path}: expected {dimension} rationals, not {len(numbers)}.")
    return numbers


def read_start(path: str | Path, names: Sequence[str] = STARTS) -> tuple[Number, ...]:
    """The rationals of a file, separated by blanks, commas or lines; ValueError for all else."""
    try:
        words = read_text(path).replace(",", " ").split()
    except (OSError, ValueError):
        raise ValueError(one_of("the start", str(path), names, " or a file of rationals")) from None
    try:
        return tuple(map(rational, words))
    except ValueError:
        raise ValueError(f"{path}: expected rationals such as 3 or -1/2.") from None
