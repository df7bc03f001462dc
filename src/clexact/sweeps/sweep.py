"""``sweep``: many cases certified in parallel, within a budget each, and stored as they come."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, overload

from clexact.support.extras import needed
from clexact.support.provenance import engine
from clexact.support.system import need_posix
from clexact.sweeps.case import Case
from clexact.sweeps.certified import DONE, FAILED, STOPPED, Budget, Row, died
from clexact.sweeps.display import Tally, shown
from clexact.sweeps.execute import Local, Pool, execute
from clexact.sweeps.sandbox import Death, Job
from clexact.sweeps.store import Store

if TYPE_CHECKING:
    import pandas as pd

BLOCK, MOST = 2.0, 100  # estimated seconds, and cases, that a driver leases at a time
NO_LIMIT = Budget()


@dataclass(frozen=True)
class Plan:
    """A case to run within its budget, with its key and its estimated cost in seconds."""

    case: Case
    budget: Budget
    key: str
    cost: float


class Sweep(Sequence[Row]):
    """The rows of the cases that have one, in the order of the cases.

    A sequence of ``Row``.

    Parameters
    ----------
    rows : sequence of Row
        What became of the cases.
    tally : Tally
        How the sweep went.

    Examples
    --------
    >>> found = sweep([Case.of("product", 2)])
    >>> found[0].label, found[0].lower, found.counts
    ('certify product 2', 1, {'done': 1, 'stopped': 0, 'failed': 0})
    """

    def __init__(self, rows: Sequence[Row], tally: Tally) -> None:
        self.rows, self.tally = tuple(rows), tally

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<Sweep of {self.tally}>"

    @property
    def counts(self) -> dict[str, int]:
        """How many cases are done, stopped and failed."""
        found = Counter(row.status for row in self.rows)
        return {status: found[status] for status in (DONE, STOPPED, FAILED)}

    def to_frame(self) -> pd.DataFrame:
        """The rows as a DataFrame of pandas, without certificates (``pip install 'clexact[frame]'``).

        Returns
        -------
        pandas.DataFrame
            One row for each.

        Raises
        ------
        ImportError
            Without pandas.

        Examples
        --------
        >>> from clexact.sweeps.certified import certified
        >>> rows = [certified(Case.of("product", 2), Budget(), engine())]
        >>> Sweep(rows, Tally(total=1, cost=0.0)).to_frame()[["label", "lower", "upper"]]
                       label  lower  upper
        0  certify product 2      1      1
        """
        pandas = needed("pandas", "frame")
        names = [field.name for field in fields(Row) if field.name != "certificate"]
        return pandas.DataFrame([{name: getattr(row, name) for name in names} for row in self.rows], columns=names)


def sweep(
    cases: Iterable[Case] | Mapping[Case, Budget],
    db: str | Path = ":memory:",
    *,
    jobs: int = 1,
    cluster: str | None = None,
    budget: Budget = NO_LIMIT,
    retry_failed: bool = False,
    progress: bool = False,
) -> Sweep:
    """Certify all cases, each within its budget, in so many processes or on a dask cluster; store each as it comes.

    After Ctrl-C, or whatever ends the process, the same call goes on from there. A case that never ends, that takes too
    much memory or that ends its process costs its own row only. The answers do not depend on the number of processes.

    Parameters
    ----------
    cases : iterable of Case or mapping of Case to Budget
        A mapping gives each case a budget of its own.
    db : str or Path
        The file of the store: what it holds already is not run again, but for stopped cases whose budget was smaller,
        and failed ones with ``retry_failed``. Default: a temporary one.
    jobs : int
        Number of processes.
    cluster : str, optional
        Address of a dask scheduler (``pip install 'clexact[cluster]'``), as ``tcp://host:8786``.
    budget : Budget
        Of each case that has none of its own.
    retry_failed : bool
        Whether failed cases run again.
    progress : bool
        Whether standard error shows how far it is.

    Returns
    -------
    Sweep
        The rows, in the order of the cases.

    Raises
    ------
    TypeError, ValueError
        For wrong input.
    SweepError
        If the sweep cannot go on.
    StoreError
        An OSError, if the store cannot be written; what is done then is in the store.

    Examples
    --------
    >>> cases = [Case.of("linear", 3, r, 3) for r in (1, 2, 3)]
    >>> [(row.lower, row.upper) for row in sweep(cases)]
    [(1, 1), (3, 3), (6, 6)]
    """
    plans = planned(cases, budget)
    with Store(db) as store:
        tally = carry_out(plans, store, jobs, cluster, retry_failed, progress)
        rows = (store.row(plan.key) for plan in plans)
        return Sweep([row for row in rows if row is not None], tally)


def planned(cases: Iterable[Case] | Mapping[Case, Budget], budget: Budget = NO_LIMIT) -> list[Plan]:
    """The cases with their budgets and keys, each once. TypeError for what is no case or no budget."""
    source, found = engine(), dict[str, Plan]()
    for case in cases:
        limits = cases[case] if isinstance(cases, Mapping) else budget
        if not isinstance(case, Case) or not isinstance(limits, Budget):
            raise TypeError(f"a sweep takes cases, each with a Budget, not {case!r} with {limits!r}.")
        key = case.key(source)
        found.setdefault(key, Plan(case, limits, key, case.cost))
    return list(found.values())


def carry_out(
    plans: Sequence[Plan], store: Store, jobs: int, cluster: str | None, retry_failed: bool, progress: bool
) -> Tally:
    """Run what has no row in the store, the largest first."""
    check_jobs(jobs)
    needed("joblib", "sweep")
    by_key = {plan.key: plan for plan in sorted(plans, key=lambda plan: -plan.cost)}
    todo = {key: by_key[key] for key in store.pending({key: p.budget for key, p in by_key.items()}, retry_failed)}
    tally = Tally(len(todo), sum(plan.cost for plan in todo.values()), reused=len(by_key) - len(todo))
    if todo:
        pool = Local(min(jobs, len(todo))) if cluster is None else _cluster(cluster)
        tally.slots = pool.slots
        try:
            with shown(tally, progress):
                _run(todo, store, pool, tally)
        finally:
            pool.close()
    return tally


def check_jobs(jobs: int) -> None:
    """TypeError unless a number of processes is an integer, ValueError unless it is at least 1 and they can end."""
    need_posix("a sweep", "certify and fit do not")
    if isinstance(jobs, bool) or not isinstance(jobs, int):
        raise TypeError(f"the number of jobs must be an integer, not {jobs!r}.")
    if jobs < 1:
        raise ValueError(f"the number of jobs must be at least 1, not {jobs}.")


def _cluster(address: str) -> Pool:
    needed("distributed", "cluster")
    from clexact.sweeps.cluster import Cluster

    return Cluster(address)


def _run(todo: Mapping[str, Plan], store: Store, pool: Pool, tally: Tally) -> None:
    with closing(execute(_leased(todo, store, pool.crowd, tally), len(todo), pool)) as outcomes:
        for key, outcome in outcomes:
            plan = todo[key]
            row: Row = _dead(plan, outcome) if isinstance(outcome, Death) else pickle.loads(outcome)
            store.add(row)
            tally.add(row.status, plan.cost, row.label)


def _dead(plan: Plan, death: Death) -> Row:
    return died(plan.case, plan.budget, engine(), STOPPED if death.stopped else FAILED, death.sentence, death.seconds)


def _leased(todo: Mapping[str, Plan], store: Store, crowd: int, tally: Tally) -> Iterator[Job]:
    """The cases that no other driver on this store runs, leased block by block."""
    source = engine()
    for block in _blocks(todo.values()):
        mine = set(store.claim([plan.key for plan in block]))
        tally.leave([plan.cost for plan in block if plan.key not in mine])
        for plan in block:
            if plan.key in mine:
                yield Job(plan.key, plan.case.to_json(), plan.budget, source, plan.cost, crowd)


def _blocks(plans: Iterable[Plan]) -> Iterator[list[Plan]]:
    block, cost = list[Plan](), 0.0
    for plan in plans:
        if block and (cost + plan.cost > BLOCK or len(block) == MOST):
            yield block
            block, cost = [], 0.0
        block.append(plan)
        cost += plan.cost
    if block:
        yield block
