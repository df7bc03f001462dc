"""Rows of a store near random starts, network by network: what ``near_starts`` counts, from a sweep."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from clexact.counting.many_starts import FreeCount, StartCount, StartCounts
from clexact.counting.starts import RANDOM
from clexact.flows.choices import FamilyModel
from clexact.models import FAMILIES
from clexact.sweeps.case import Case
from clexact.sweeps.store import Store

READ = ("case", "failure", "lower", "upper", "scope", "all_gates", "dimension")
TIED = "TieError"

Rows = Iterable[Mapping[str, Any]]
Layers = dict[str, dict[tuple[int, int], StartCounts]]


def start_counts(store: Store, where: str = "", *, all_engines: bool = False) -> dict[Case, StartCounts]:
    """The counts near random starts of each network, beside that with free gates: of the case without near.

    Parameters
    ----------
    store : Store
        Of a sweep.
    where : str
        A condition on its rows (``Store.rows``).
    all_engines : bool
        Whether rows of other versions than the last one used count.

    Returns
    -------
    dict of Case to StartCounts
        By the case of the first seed; rows that failed for another reason than a kink are left out.

    Raises
    ------
    ValueError
        If the store has starts of a network, but not its count with free gates; for a wrong condition.

    Examples
    --------
    >>> from clexact.sweeps.sweep import sweep
    >>> cases = [Case.of("relu", 1, 2, 1), *(Case.of("relu", 1, 2, 1, near="random", seed=n) for n in range(8))]
    >>> with Store(":memory:") as store:
    ...     _ = sweep(cases, store.path)
    ...     for counts in start_counts(store).values():
    ...         print(counts)
    gradient flow of relu [1, 2, 1]: 8 starts (weights uniform, biases uniform), exactly 2 with free gates
      laws  starts
         2       7
         3       1
    """
    free, near = dict[Case, Mapping[str, Any]](), dict[Case, dict[int, Mapping[str, Any]]]()
    for row in store.rows(where, READ, all_engines=all_engines):
        case = Case.from_dict(json.loads(row["case"]))
        if case.near == RANDOM:
            near.setdefault(replace(case, seed=0), {})[case.seed] = row
        elif case.near is None and case.at is None and row["lower"] is not None:
            free.setdefault(replace(case, seed=0), row)
    return {case: _counted(case, free.get(_generic(case)), rows) for case, rows in near.items()}


def _generic(case: Case) -> Case:
    """The same question near a generic start."""
    return replace(case, near=None, init=None, bias_init=None)


def _counted(case: Case, free: Mapping[str, Any] | None, rows: Mapping[int, Mapping[str, Any]]) -> StartCounts:
    if free is None:
        raise ValueError(f"the rows have starts of {case.label}, but not {_generic(case).label}, with free gates.")
    bounded = {seed: rows[seed] for seed in sorted(rows) if rows[seed]["lower"] is not None}
    tied = [seed for seed in sorted(rows) if rows[seed]["failure"].startswith(TIED)]
    counts = [StartCount(seed, row["lower"], row["upper"], bool(row["all_gates"])) for seed, row in bounded.items()]
    scope = next((row["scope"] for row in reversed(bounded.values()) if row["scope"]), "")
    return StartCounts(
        case.flow().description, scope, case.init or "", case.bias_init or "",
        FreeCount(free["lower"], free["upper"], free["scope"]), tuple(counts), tuple(tied),
    )  # fmt: skip


def by_layers(found: Mapping[Case, StartCounts]) -> Layers:
    """{title: {(hidden layers, units of each): counts}}, as ``plot.starts`` draws them; other networks are left out."""
    layers: Layers = {}
    for case, counts in found.items():
        model = case.model
        if not isinstance(model, FamilyModel) or not FAMILIES[model.family].listed or len(model.sizes) < 3:
            continue
        outputs, *hidden, inputs = model.sizes
        if len(set(hidden)) == 1:
            title = f"{_several(inputs, 'input')}, {_several(outputs, 'output')}\n{_family(case)}"
            layers.setdefault(title, {})[len(hidden), hidden[0]] = counts
    if not layers:
        raise ValueError("no row is near a random start of a network whose hidden layers are equally wide.")
    return {title: dict(sorted(counts.items())) for title, counts in layers.items()}


def _several(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number > 1)}"


def _family(case: Case) -> str:
    """The label without its sizes: the family, its options and how starts are drawn."""
    assert isinstance(case.model, FamilyModel)
    _, family, *words = case.label.split()
    return " ".join([family, *words[len(case.model.sizes) :]]).replace(" --near random", "")
