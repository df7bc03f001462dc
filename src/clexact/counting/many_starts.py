"""How many laws a network has near starts as it is initialised: the counts, and how often each is met."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from clexact.counting.certify import certify
from clexact.counting.starts import random_start
from clexact.flows.flow import Flow
from clexact.programs.gates import qualification
from clexact.programs.model import check_size
from clexact.programs.network import TieError
from clexact.support.bounds import in_words
from clexact.support.progress import Progress


@dataclass(frozen=True)
class FreeCount:
    """The count near a generic start, with free gates.

    Attributes
    ----------
    lower : int
        A proved lower bound of the number of laws.
    upper : int
        A proved upper bound.
    scope : str
        Of which data, starts and gates it speaks.
    """

    lower: int
    upper: int
    scope: str


@dataclass(frozen=True)
class StartCount:
    """The count near one start.

    Attributes
    ----------
    seed : int
        Of the start.
    lower : int
        A proved lower bound of the number of laws near it.
    upper : int
        A proved upper bound.
    complete : bool
        Whether all gates that the network has near it are known.
    """

    seed: int
    lower: int
    upper: int
    complete: bool


@dataclass(frozen=True)
class StartCounts:
    """Counts near random starts.

    Attributes
    ----------
    description : str
        The flow in words.
    scope : str
        Of which data, starts and gates the counts speak.
    init : str
        How weights were drawn.
    bias_init : str
        How biases were drawn.
    free : FreeCount
        The count with free gates.
    counts : tuple of StartCount
        One for each start.
    tied : tuple of int
        Seeds of starts on a kink, which have no count.

    Examples
    --------
    >>> import clexact
    >>> flow = clexact.gradient_flow(clexact.models.relu([1, 2, 1]))
    >>> print(clexact.near_starts(flow, 8))
    gradient flow of relu [1, 2, 1]: 8 starts (weights uniform, biases uniform), exactly 2 with free gates
      laws  starts
         2       7
         3       1
    """

    description: str
    scope: str
    init: str
    bias_init: str
    free: FreeCount
    counts: tuple[StartCount, ...]
    tied: tuple[int, ...]

    @property
    def table(self) -> dict[tuple[int, int], int]:
        """How many starts have these bounds, in their order."""
        return dict(sorted(Counter((c.lower, c.upper) for c in self.counts).items()))

    @property
    def excess(self) -> tuple[int, ...]:
        """For each start, how many laws more than with free gates are proved near it."""
        return tuple(max(0, c.lower - self.free.upper) for c in self.counts)

    def __str__(self) -> str:
        drawn = f"weights {self.init}, biases {self.bias_init}"
        free = f"{in_words(self.free.lower, self.free.upper)}{qualification(self.free.scope) or ' near a generic one'}"
        rows = [f"{self.description}: {len(self.counts)} starts ({drawn}), {free}"]
        rows += [f"{'laws':>6}  starts"]
        rows += [f"{_short(*bounds):>6}  {count:>6}" for bounds, count in self.table.items()]
        rows += [f"on a kink: {len(self.tied)}"] * bool(self.tied)
        return "\n".join(rows)

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Plain data: the keys of ``clexact certify --starts --json``.

        Returns
        -------
        dict
            Of types of JSON.

        Examples
        --------
        >>> import clexact
        >>> found = clexact.near_starts(clexact.gradient_flow(clexact.models.relu([1, 2, 1])), 4, seed=1)
        >>> [row["seed"] for row in found.to_dict()["starts"]]
        [1, 2, 3, 4]
        """
        rows = [{"seed": c.seed, "lower": c.lower, "upper": c.upper, "complete": c.complete} for c in self.counts]
        table = [{"lower": low, "upper": high, "starts": n} for (low, high), n in self.table.items()]
        free = {"lower": self.free.lower, "upper": self.free.upper}
        return {
            "model": self.description, "scope": self.scope, "init": self.init, "bias_init": self.bias_init,
            "free": free, "table": table, "starts": rows, "tied": list(self.tied),
        }  # fmt: skip

    def to_json(self) -> str:
        """The data of ``to_dict`` as one JSON object.

        Returns
        -------
        str
            One line.

        Examples
        --------
        >>> import clexact
        >>> found = clexact.near_starts(clexact.gradient_flow(clexact.models.relu([1, 2, 1])), 4)
        >>> json.loads(found.to_json())["free"]
        {'lower': 2, 'upper': 2}
        """
        return json.dumps(self.to_dict())


def near_starts(
    flow: Flow,
    starts: int = 200,
    init: str = "uniform",
    bias_init: str = "uniform",
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> StartCounts:
    """Count the laws of a network near random starts, with its true gates.

    Parameters
    ----------
    flow : Flow
        A flow of a model.
    starts : int
        How many, at least 1.
    init : {"uniform", "normal", "kaiming", "xavier"}
        As in ``random_start``.
    bias_init : {"uniform", "normal", "zero"}
        Likewise.
    seed : int
        Of the first start and of its count; the others have the next ones: each is that of ``certify`` with this seed.
    progress : callable, optional
        Called with (stage, done, total).

    Returns
    -------
    StartCounts
        One count for each start, exact or bounded, and how often each is met.

    Raises
    ------
    ValueError
        For explicit fields, another word, and fewer than one start.

    Examples
    --------
    >>> import clexact
    >>> clexact.near_starts(clexact.gradient_flow(clexact.models.relu([1, 2, 1])), 8).table
    {(2, 2): 7, (3, 3): 1}
    """
    starts = check_size(starts, "starts")
    if flow.gradients is None:
        raise ValueError("a start decides gates, and explicit fields have none: near belongs to models.")
    generic, counts, tied, scope = certify(flow), list[StartCount](), list[int](), ""
    free = FreeCount(generic.lower, generic.upper, generic.scope)
    for n in range(starts):
        try:
            near = random_start(flow.gradients.model, init, bias_init, seed=seed + n)
            count = certify(flow, near=near, seed=seed + n)
        except TieError:
            tied.append(seed + n)
            continue
        scope, start = count.scope, count.flow.start
        counts.append(StartCount(seed + n, count.lower, count.upper, start is not None and start.complete))
        if progress:
            progress("starts", n + 1, starts)
    return StartCounts(flow.description, scope, init, bias_init, free, tuple(counts), tuple(tied))


def _short(lower: int, upper: int) -> str:
    return str(lower) if lower == upper else f"{lower}..{upper}"
