r"""$W_g(\theta)$ from data: what a piecewise polynomial network's own gradients span, against $W_\varphi(\theta)$.

$W_g(\theta) = \mathrm{Span}_x\, \mathrm{Im}\, \partial_\theta g(\theta, x)^\top$ lies in $W_\varphi(\theta)$, where
all gates are free. The re-parametrization is minimal at $\theta$ when both are equal (arXiv 2307.00144, section 2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import cached_property
from itertools import cycle
from math import lcm

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.linalg import rational_rank, residues
from clexact.algebra.polynomial import Number, check_point, exact
from clexact.flows.cases import FlowOfCases
from clexact.flows.gradient import GradientFlow
from clexact.flows.near import Start
from clexact.laws.polynomial_laws import proposed_laws
from clexact.laws.result import independent
from clexact.lie.closure import ATTEMPTS, DenseSpanBuilder, point_residues
from clexact.programs.model import Model, check_size
from clexact.programs.network import Gates, Input, Network, TieError, line_inputs, spanning_inputs
from clexact.programs.reverse import Exact
from clexact.support.bounds import check_bounds
from clexact.support.errors import RANK_BITS
from clexact.support.listed import listed

MODEST = 10**5  # packed terms of an expansion that is worth an exact rank
LARGEST = 99  # absolute coordinate of a point that is drawn
NUMERATOR, DENOMINATORS = 1000, (1, 10, 100, 1000)  # of the inputs that are drawn: four scales in turn


@dataclass(frozen=True, eq=False)
class DataFields:
    r"""Exact rows of $W_g(\theta)$: $\nabla_\theta g_j(\theta, x_n)$, row n * outputs + j.

    Attributes
    ----------
    variables : tuple of str
        Names of the D parameters.
    point : tuple of int or Fraction
        $\theta$, of D coordinates.
    rows : numpy.ndarray
        Integers and Fractions, of shape (inputs * outputs, D).
    gates : tuple
        The gates read, input by input.

    Examples
    --------
    >>> import clexact
    >>> data_fields(clexact.models.relu([1, 1, 1]), [[1], [2]], [1, 3]).rank
    1
    """

    variables: tuple[str, ...]
    point: tuple[Number, ...]
    rows: Exact  # (inputs * outputs, D) of integers and Fractions
    gates: tuple[Gates, ...]  # the gates read, input by input

    @cached_property
    def rank(self) -> int:
        r"""Dimension of the span of the rows, exact over Q: a proved lower bound of $\dim W_g(\theta)$."""
        return rational_rank(self.rows.tolist())

    def __repr__(self) -> str:
        return f"DataFields({len(self.rows)} rows on Q^{len(self.variables)}, {len(self.gates)} inputs)"


def data_fields(model: Model, inputs: Sequence[object], point: Sequence[Number]) -> DataFields:
    r"""Evaluate a network of polynomial pieces at rational inputs, with its true gates, and differentiate it exactly.

    A unit that receives exactly 0 (or a maximum with two largest entries) is a tie: it is refused, unless both pieces
    have the same gradient, as behind a layer that is off.

    Parameters
    ----------
    model : Model
        The network, without analytic functions.
    inputs : sequence
        {probe: array} for each, or arrays if the model has one probe besides its gates; entries are integers or
        rationals.
    point : sequence of int or Fraction
        $\theta$, of D coordinates.

    Returns
    -------
    DataFields
        The rows and the gates read.

    Raises
    ------
    TypeError
        For floats.
    ValueError
        For analytic functions, and for inputs of wrong names or shapes.
    TieError
        For ties, naming the input and the unit.

    Examples
    --------
    >>> from clexact.functions import relu
    >>> net = Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * relu(v * x))
    >>> data_fields(net, [3, -3], [5, 2]).rows.tolist()
    [[6, 15], [0, 0]]
    """
    network = Network(model, point)
    read = [_rows(network, given, f"input {n}") for n, given in enumerate(_checked(network, inputs))]
    rows = np.concatenate([np.zeros((0, model.dimension), dtype=object), *(rows for rows, _ in read)])
    return DataFields(model.variables, network.point, rows, tuple(gates for _, gates in read))


def _rows(network: Network, given: Input, what: str) -> tuple[Exact, Gates]:
    try:
        values, gates = network.values(given)
    except TieError as error:
        raise TieError(f"{what}: {error}") from None
    return network.jacobian(values, network.program.output), gates


def _checked(network: Network, inputs: Sequence[object]) -> list[Input]:
    given = listed(inputs, "inputs must be a list of inputs")
    return [_check_input(network, one, f"input {n}") for n, one in enumerate(given)]


def _check_input(network: Network, given: object, what: str) -> Input:
    """An input as {probe: array of exact numbers}."""
    names = list(network.inputs)
    if not isinstance(given, Mapping):
        if len(names) != 1:
            raise TypeError(f"{what} must map the probes {names} to arrays, not be {given!r}.")
        given = {names[0]: given}
    if set(given) != set(names):
        raise ValueError(f"{what} must give the probes {names}, not {list(given)}.")
    return {name: _check_array(given[name], shape, f"{name} of {what}") for name, shape in network.inputs.items()}


def _check_array(value: object, shape: tuple[int, ...], what: str) -> Exact:
    array = np.array(value, dtype=object)
    if array.shape != shape:
        raise ValueError(f"{what} must have shape {shape}, not {array.shape}.")
    checked = np.empty(array.size, dtype=object)
    checked[:] = [exact(c, f"an entry of {what}") for c in array.ravel().tolist()]
    return checked.reshape(shape)


# --- is the re-parametrization minimal? ------------------------------------------------------------------------------


class MinimalityStatus(Enum):
    """How W_g(theta), from data, compares with W_phi(theta); the value is the sentence a user reads.

    Examples
    --------
    >>> print(MinimalityStatus.EQUAL.value)
    W_g = W_phi at the point: proved
    """

    EQUAL = "W_g = W_phi at the point: proved"
    SMALLER = "W_g is strictly smaller than W_phi at the point: proved"
    NOT_REACHED = "the inputs tried do not span W_phi; W_g may be smaller"


@dataclass(frozen=True, eq=False)
class Minimality:
    r"""$\dim W_g(\theta)$ against $\dim W_\varphi(\theta)$, and the inputs that show it.

    Attributes
    ----------
    status : MinimalityStatus
        How they compare.
    rank : int
        Of the rows: a proved lower bound of dim W_g, exact if all regions were visited or status is EQUAL.
    phi_rank : tuple of int
        Proved bounds of dim W_phi, lower and upper.
    exhaustive : bool
        Whether the inputs were taken from all linear regions: their rows span W_g.
    point : tuple of int or Fraction
        $\theta$, as given or drawn.
    inputs : tuple
        All that were evaluated, in order: a list for ``data_fields``.
    seed : int
        Of all random choices.

    Examples
    --------
    >>> import clexact
    >>> found = minimality(clexact.models.relu([1, 2, 2, 1], bias=True), seed=4)
    >>> found.status.name, found.rank, found.phi_rank, found.minimal
    ('SMALLER', 6, (8, 8), False)
    """

    status: MinimalityStatus
    rank: int  # of the rows: a proved lower bound of dim W_g, exact if all regions were visited or status is EQUAL
    phi_rank: tuple[int, int]  # proved bounds of dim W_phi, lower and upper
    exhaustive: bool  # whether the inputs were taken from all linear regions: their rows span W_g
    point: tuple[Number, ...]  # as given, or drawn
    inputs: tuple[Input, ...]  # all that were evaluated, in order: a list for data_fields
    seed: int

    def __post_init__(self) -> None:
        check_bounds(*self.phi_rank, "the dimension of W_phi")
        check_bounds(self.rank, self.phi_rank[1], "the dimension of W_g, which lies in W_phi")

    @property
    def minimal(self) -> bool | None:
        """Whether W_g = W_phi at the point; None where it is not decided."""
        return None if self.status is MinimalityStatus.NOT_REACHED else self.status is MinimalityStatus.EQUAL

    def __repr__(self) -> str:
        lower, upper = self.phi_rank
        phi = f"{lower}" if lower == upper else f"{lower}..{upper}"
        after = f"after {len(self.inputs)} input{'s' * (len(self.inputs) != 1)}"
        match self.status:
            case MinimalityStatus.EQUAL:
                return f"Minimality(equal: dim W_g = dim W_phi = {self.rank}, {after})"
            case MinimalityStatus.SMALLER:
                return f"Minimality(smaller: dim W_g = {self.rank} < {phi} = dim W_phi, all regions visited)"
            case _:
                at_least = "" if self.exhaustive else "at least "
                return f"Minimality(not reached: dim W_g {at_least}{self.rank} of dim W_phi {phi}, {after})"


def minimality(
    model: Model,
    point: Sequence[Number] | None = None,
    *,
    seed: int = 0,
    inputs: Sequence[object] = (),
    patience: int = 100,
) -> Minimality:
    r"""Compare $W_g(\theta)$, from data, with $W_\varphi(\theta)$ of free gates, at a rational point.

    EQUAL is proved: the rank of the rows reaches a proved upper bound of $\dim W_\varphi(\theta)$. SMALLER is proved
    where all linear regions are enumerated: for one scalar input, and for two without biases, what enters a gate
    being affine in the input. Otherwise random inputs of four scales are tried, then inputs of all regions on random
    lines, each kind until the rank is reached or ``patience`` inputs in a row have not raised it: NOT_REACHED.

    The talk's theorem is EQUAL for two layers (Peyré 2023; for one scalar input it takes biases, or one hidden unit);
    its conclusion is that deeper networks are SMALLER on open sets.

    Parameters
    ----------
    model : Model
        The network, without analytic functions.
    point : sequence of int or Fraction, optional
        $\theta$, of D coordinates; default: nonzero integers of both signs, drawn from ``seed``.
    seed : int
        Of the point and the inputs.
    inputs : sequence
        Those to begin with, as in ``data_fields``.
    patience : int
        How many inputs in a row may leave the rank as it is, before a kind of them is given up.

    Returns
    -------
    Minimality
        The comparison, and the inputs that show it.

    Raises
    ------
    TypeError, ValueError
        As ``data_fields``.
    TieError
        If a unit is tied on a whole region of inputs.

    Examples
    --------
    >>> from clexact.functions import relu
    >>> net = Model(
    ...     {"U": (2, 3), "V": (3,), "b": (3,)}, {"x": ()}, lambda U, V, b, x: U @ relu(V * x + b)
    ... )
    >>> minimality(net)
    Minimality(equal: dim W_g = dim W_phi = 9, after 5 inputs)
    """
    draws, patience = Draws(seed), check_size(patience, "patience")
    if point is not None:
        return _compare(model, check_point(point, model.dimension), draws, seed, inputs, patience)
    attempts = ATTEMPTS
    while True:
        attempts -= 1
        drawn = tuple(c + (c >= 0) for c in draws.integers(-LARGEST, LARGEST - 1, model.dimension))
        try:
            return _compare(model, drawn, draws, seed, inputs, patience)
        except TieError:  # an unlucky point, or one of the inputs given; or the model has ties everywhere
            if not attempts:
                raise


def _compare(
    model: Model, point: tuple[Number, ...], draws: Draws, seed: int, inputs: Sequence[object], patience: int
) -> Minimality:
    network = Network(model, point)
    phi = phi_bounds(model, point, draws)
    span = _Span(network, goal=phi[1], prime=draws.prime(RANK_BITS))
    for n, given in enumerate(_checked(network, inputs)):
        span.add(given, f"input {n}")
    spanning = spanning_inputs(network)
    if spanning is None:
        numbers = _random_numbers(draws, network.input_size)
        span.drive(map(network.shaped, numbers), patience)
        span.drive(line_inputs(network, zip(numbers, numbers, strict=True)), patience)  # these meet narrow regions
    else:
        span.drive(spanning)
    rank = span.exact_rank() if spanning is not None and not span.reached else span.rank
    status = _status(rank, phi, exact=spanning is not None)
    return Minimality(status, rank, phi, spanning is not None, network.point, tuple(span.inputs), seed)


def _status(rank: int, phi: tuple[int, int], *, exact: bool) -> MinimalityStatus:
    if rank == phi[1]:
        return MinimalityStatus.EQUAL
    return MinimalityStatus.SMALLER if exact and rank < phi[0] else MinimalityStatus.NOT_REACHED


class _Span:
    """Rows from data, input by input, and their rank mod p: a proved lower bound, up to a goal."""

    def __init__(self, network: Network, goal: int, prime: int) -> None:
        self.inputs: list[Input] = []
        self._network, self._goal = network, goal
        self._rows: list[list[Number]] = []
        self._form = Echelon(network.dimension, prime)

    @property
    def rank(self) -> int:
        """The rank so far."""
        return self._form.rank

    @property
    def reached(self) -> bool:
        """Whether the rank is the goal."""
        return self.rank >= self._goal

    def exact_rank(self) -> int:
        """The rank over Q of all rows."""
        return rational_rank(self._rows)

    def add(self, given: Input, what: str) -> bool:
        """Whether the rows of an input raise the rank. TieError, which says ``what``, for a tie."""
        rows, _ = _rows(self._network, given, what)
        self.inputs.append(given)
        self._rows += rows.tolist()
        clearing = np.array([[lcm(*(c.denominator for c in row))] for row in rows.tolist()], dtype=object)
        return bool(self._form.add(residues(rows * clearing, self._form.prime)).any())

    def drive(self, inputs: Iterator[Input], patience: int | None = None) -> None:
        """Add inputs until the goal is reached, there are no more, or ``patience`` in a row did not raise the rank.

        With a patience, inputs are random: one with a tie is left out.
        """
        misses = 0
        while not self.reached and misses != patience and (given := next(inputs, None)) is not None:
            try:
                misses = 0 if self.add(given, "an input of a region") else misses + 1
            except TieError:
                if patience is None:
                    raise
                misses += 1


def _random_numbers(draws: Draws, count: int) -> Iterator[list[Number]]:
    """Random rationals, at four scales in turn."""
    for denominator in cycle(DENOMINATORS):
        numerators = draws.integers(-NUMERATOR, NUMERATOR, count)
        yield [c if denominator == 1 else Fraction(c, denominator) for c in numerators]


def phi_bounds(model: Model, point: Sequence[Number], draws: Draws) -> tuple[int, int]:
    r"""Proved bounds of $\dim W_\varphi(\theta)$, gates free."""
    return span_bounds(GradientFlow(model), point, draws)


def span_bounds(flow: GradientFlow, point: Sequence[Number], draws: Draws) -> tuple[int, int]:
    """Proved bounds of the dimension of what the members of a flow without functions span at a point.

    Below: a rank mod p. Above: D minus the rank of the gradients of the laws that the program's shape proves. Where
    they differ and the expansion is modest, the rank of all fields over Q is exact.
    """
    denominator = lcm(flow.denominator, *(Fraction(c).denominator for c in point))
    prime = draws.prime(RANK_BITS, avoiding=denominator)
    place = point_residues(point, prime)
    upper = flow.dimension - len(independent(proposed_laws(flow, 2), place, prime))
    growth = DenseSpanBuilder(flow, place, prime)
    growth.run(flow, upper, 0, draws, stop_at_stall=True, progress=None)
    lower = growth.form.rank
    if lower < upper and flow.expanded_size <= MODEST:
        lower = upper = flow.fields.rank_at(point)
    return lower, upper


def minimal_at(flow: GradientFlow, start: Start, draws: Draws) -> bool | None:
    r"""Whether $W_g(\theta_0) = W_\varphi(\theta_0)$ at the start of a flow near it; None where it is not decided.

    $W_g(\theta_0)$ is spanned by the pieces that the gates met select: by all that the network has where these are
    complete.
    """
    free = start.free
    if start.spans:
        return True
    if flow.analytic or not isinstance(free, GradientFlow) or isinstance(free, FlowOfCases):
        return None
    phi, here = span_bounds(free, start.point, draws), span_bounds(flow, start.point, draws)
    if here[0] == phi[1]:
        return True
    return False if start.complete and not start.error and here[1] < phi[0] else None
