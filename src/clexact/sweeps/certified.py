"""``certified``: one case run within a budget, whatever happens, and its row."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache
from math import inf
from typing import Any, TypeVar

from clexact.counting.certify import certify
from clexact.counting.count import LawCount
from clexact.counting.memory import MemoryLimitError
from clexact.counting.orbit import Orbit, orbit_dimension
from clexact.flows.flow import Flow
from clexact.support import provenance
from clexact.support.errors import error_bits
from clexact.support.limits import MIB, Limits, forget_peak, limits, peak_memory
from clexact.support.threads import threads
from clexact.sweeps.case import Case, key_of

DONE, STOPPED, FAILED = "done", "stopped", "failed"
CERTIFICATE_MEBIBYTES = 64  # of a compressed certificate that is kept
NOTHING = "nothing was found before the end"


@dataclass(frozen=True)
class Budget:
    """Limits of one case.

    Parameters
    ----------
    seconds : float, optional
        Of time; None: no limit.
    mebibytes : int, optional
        Of resident memory of the process, in MiB; None: no limit.
    certificate_mebibytes : int, optional
        Of a compressed certificate, in MiB; None: no limit; with 0 no certificate is written.

    Raises
    ------
    TypeError, ValueError
        Unless the limits are positive numbers otherwise; those of memory are integers.

    Examples
    --------
    >>> Budget(seconds=60, mebibytes=2000)
    Budget(seconds=60, mebibytes=2000, certificate_mebibytes=64)
    """

    seconds: float | None = None
    mebibytes: int | None = None
    certificate_mebibytes: int | None = CERTIFICATE_MEBIBYTES

    def __post_init__(self) -> None:
        _check_limit("seconds", self.seconds, (int, float))
        _check_limit("mebibytes", self.mebibytes, (int,))
        if self.certificate_mebibytes != 0:
            _check_limit("certificate_mebibytes", self.certificate_mebibytes, (int,))

    def largest(self, other: Budget) -> Budget:
        """The larger of each limit.

        Parameters
        ----------
        other : Budget
            Another budget.

        Returns
        -------
        Budget
            No limit where one of the two has none.

        Examples
        --------
        >>> Budget(seconds=60, mebibytes=100).largest(Budget(seconds=90))
        Budget(seconds=90, mebibytes=None, certificate_mebibytes=64)
        """
        return Budget(
            _larger(self.seconds, other.seconds), _larger(self.mebibytes, other.mebibytes),
            _larger(self.certificate_mebibytes, other.certificate_mebibytes),
        )  # fmt: skip


L = TypeVar("L", int, float)


def _larger(a: L | None, b: L | None) -> L | None:
    """Of two limits, of which None is none."""
    return None if a is None or b is None else max(a, b)


def _check_limit(what: str, value: float | None, kinds: tuple[type, ...]) -> None:
    if value is None:
        return
    if type(value) not in kinds:
        raise TypeError(f"{what} of a budget must be {'a number' if float in kinds else 'an integer'}, not {value!r}.")
    if not 0 < value < inf:
        raise ValueError(f"{what} of a budget must be positive, not {value!r}.")


@dataclass(frozen=True)
class Row:
    """What is known of a case after a run, in plain values.

    ``done``: the answer, ``lower`` <= number of independent laws <= ``upper``. ``stopped``: a limit was reached, which
    ``failure`` says; the bounds are valid, but might be better. ``failed``: an error, and no bounds.

    For a special start, ``lower`` and ``upper`` bound the number of quantities conserved on its orbit: D minus the
    dimension of the orbit. No certificate is made of it.

    Attributes
    ----------
    key : str
        SHA-256 of the case and the engine.
    case : str
        The case as canonical JSON.
    label : str
        The command line that asks the same.
    family : str
        The family, or the file with the name in it.
    flow : str
        Its kind.
    dimension : int or None
        D of the phase space; None where the flow could not be built.
    status : {"done", "stopped", "failed"}
        How it ended.
    lower : int or None
        A bound from below.
    upper : int or None
        A bound from above.
    exhibited : int or None
        Number of independent polynomial laws shown.
    scope : str
        Of which data and starts, and of which gates, the bounds speak; empty without any.
    gates : int or None
        Near a start: how many choices at all gates were met by inputs.
    all_gates : bool or None
        Near a start: whether all that the network has there are known, or those met span what free gates span.
    error : str
        "0", or 2^-100: that of ``lower``.
    filtration : tuple of int
        Dimensions of W_0, W_1, ...
    evidence_lower : str
        What proves the bound from below.
    evidence_upper : str
        What proves the bound from above.
    assumptions : tuple of str
        Under which the answer holds.
    prime : int or None
        Modulo which the brackets have their rank; None without a count.
    stages : str
        JSON: seconds of each stage, from building the flow to writing the certificate.
    seconds : float
        Of the whole case.
    peak_memory : int
        Bytes resident, at most, while the case ran.
    failure : str
        What stopped it, in one sentence; else empty.
    engine : str
        Version and hash of the sources.
    seed : int
        Of all random choices.
    certificate : bytes or None
        Compressed by gzip.
    certificate_note : str
        Why there is none.
    budget_seconds : float or None
        The limit of time.
    budget_mebibytes : int or None
        The limit of memory, in MiB.
    host : str
        Where it ran.
    finished : str
        When, UTC, ISO 8601.

    Examples
    --------
    >>> row = certified(Case.of("linear", 2, 2, 2), Budget(), provenance.engine())
    >>> row.status, row.lower, row.upper, row.filtration
    ('done', 3, 3, (4, 5))
    """

    key: str
    case: str  # canonical JSON
    label: str
    family: str
    flow: str
    dimension: int | None  # D of the phase space; None where the flow could not be built
    status: str
    lower: int | None
    upper: int | None
    exhibited: int | None  # independent polynomial laws shown
    scope: str  # of which data, starts and gates the bounds speak
    gates: int | None  # near a start: choices at all gates that inputs meet
    all_gates: bool | None  # near a start: whether no others are left out
    error: str  # "0", or 2^-100: that of ``lower``
    filtration: tuple[int, ...]
    evidence_lower: str
    evidence_upper: str
    assumptions: tuple[str, ...]
    prime: int | None  # modulo which the brackets have their rank; None without a count
    stages: str  # JSON: seconds of each stage, from building the flow to writing the certificate
    seconds: float
    peak_memory: int  # bytes resident, at most, while the case ran
    failure: str
    engine: str
    seed: int
    certificate: bytes | None  # gzip
    certificate_note: str  # why there is none
    budget_seconds: float | None
    budget_mebibytes: int | None
    host: str
    finished: str  # UTC, ISO 8601


def certified(case: Case, budget: Budget, engine: str) -> Row:
    """Run a case in the main thread of this process, on one core, within its budget.

    Parameters
    ----------
    case : Case
        What is asked.
    budget : Budget
        Its limits.
    engine : str
        That of this process (``provenance.engine``).

    Returns
    -------
    Row
        What happened, errors included.

    Raises
    ------
    ValueError
        If ``engine`` is not that of this process.
    KeyboardInterrupt
        If it comes from outside.

    Examples
    --------
    >>> row = certified(Case.of("neuron", 2, powers=[1, 3]), Budget(), provenance.engine())
    >>> row.label, row.status, row.upper
    ('certify neuron 2 --powers 1,3', 'done', 0)
    """
    if engine != provenance.engine():
        raise ValueError(f"this process computes with clexact {provenance.engine()}, but {engine} was asked for.")
    run = _Run(case, budget)
    run.go()
    return run.row(engine)


def died(case: Case, budget: Budget, engine: str, status: str, failure: str, seconds: float) -> Row:
    """The row of a case whose process was ended, written by who sees it: no bounds, nothing is built."""
    run = _Run(case, budget)
    run.status, run.failure, run.seconds = status, failure, seconds
    return run.row(engine)


class _Run:
    """What is known so far: an interruption leaves it as it is."""

    def __init__(self, case: Case, budget: Budget) -> None:
        self.case, self.budget = case, budget
        self.status, self.failure = FAILED, ""
        self.dimension: int | None = None
        self.count: LawCount | None = None
        self.orbit: Orbit | None = None
        self.certificate: bytes | None = None
        self.note = NOTHING
        self.stages: dict[str, float] = {}
        self.seconds, self.peak = 0.0, 0

    def go(self) -> None:
        """Certify; what is raised becomes the status and the failure."""
        forget_peak()
        start, limited = time.perf_counter(), Limits()
        try:
            budget = self.budget
            with threads(1), limits(budget.seconds, budget.mebibytes) as limited:  # a sweep has a process for each core
                self._certify()
        except KeyboardInterrupt:
            if not limited.reached:
                raise
            if self.status != DONE:
                self.status, self.failure = STOPPED, limited.reached
        except MemoryError as error:
            reason = str(error) if isinstance(error, MemoryLimitError) else "the memory does not suffice"
            self.status, self.failure = STOPPED, reason
        except BaseException as error:  # a user's file may even exit
            self.status, self.failure = FAILED, f"{type(error).__name__}: {' '.join(str(error).split())}"
        self.seconds, self.peak = time.perf_counter() - start, peak_memory()

    def _certify(self) -> None:
        case, start = self.case, time.perf_counter()
        flow = case.flow()
        self.dimension = flow.dimension
        self.stages["flow"] = time.perf_counter() - start
        if case.at is not None:
            self.orbit = orbit_dimension(flow, case.start, seed=case.seed, max_depth=case.depth or 0)
            self.status, self.note = DONE, "of a special start no certificate is made"
            return
        count = certify(
            flow, case.degree, case.seed, near=case.parameters(flow), max_depth=case.depth, keep_partial=True,
            memory_limit=self.budget.mebibytes,
        )  # fmt: skip
        self.count = count
        self.stages |= count.stats
        if count.interrupted:
            raise KeyboardInterrupt
        start = time.perf_counter()
        self._write(count)
        self.stages["certificate"] = time.perf_counter() - start
        self.status, self.failure = (STOPPED, count.stopped) if count.stopped else (DONE, "")

    def _write(self, count: LawCount) -> None:
        allowed = self.budget.certificate_mebibytes
        if allowed == 0:
            self.note = "none was asked for"
            return
        self.note = "the end came before it was written"
        try:
            data = count.certificate.to_bytes(compressed=True)
        except ValueError as error:
            self.note = str(error)
            return
        if allowed is not None and len(data) > allowed * MIB:
            self.note = f"it has {-(-len(data) // MIB)} MiB, over {allowed} MiB"
            return
        self.certificate, self.note = data, ""

    def row(self, engine: str) -> Row:
        """The row of what is known."""
        case, found = self.case, dict[str, Any]()
        if self.status != FAILED and self.count is not None:
            found = _of_count(self.count)
        elif self.status != FAILED and self.orbit is not None:
            found = _of_orbit(self.orbit)
        elif self.status == STOPPED and self.dimension is not None:
            found = {"lower": 0, "upper": self.dimension, "evidence_lower": NOTHING, "evidence_upper": NOTHING}
        text = case.to_json()
        return Row(
            key=key_of(text, engine),
            case=text,
            label=case.label,
            family=case.family,
            flow=case.dynamics.kind,
            dimension=self.dimension,
            status=self.status,
            **(NO_BOUNDS | found),
            stages=json.dumps({stage: round(seconds, 6) for stage, seconds in self.stages.items()}),
            seconds=round(self.seconds, 6),
            peak_memory=self.peak,
            failure=self.failure,
            engine=engine,
            seed=case.seed,
            certificate=self.certificate,
            certificate_note=self.note,
            budget_seconds=self.budget.seconds,
            budget_mebibytes=self.budget.mebibytes,
            host=_host(),
            finished=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )


NO_BOUNDS = {
    "lower": None, "upper": None, "exhibited": None, "scope": "", "gates": None, "all_gates": None, "error": "0",
    "filtration": (), "evidence_lower": "", "evidence_upper": "", "assumptions": (), "prime": None,
}  # fmt: skip


def _of_count(count: LawCount) -> dict[str, Any]:
    return near_columns(count.flow) | {
        "scope": count.scope,
        "lower": count.lower,
        "upper": count.upper,
        "exhibited": count.exhibited,
        "error": _written(count.error),
        "filtration": count.filtration,
        "evidence_lower": count.evidence.lower,
        "evidence_upper": count.evidence.upper,
        "assumptions": count.assumptions,
        "prime": count.closure.prime,
    }


def near_columns(flow: Flow) -> dict[str, Any]:
    """What a row says of the gates near a start."""
    start = flow.start
    return {
        "gates": None if start is None else len(start.regions.found),
        "all_gates": None if start is None else start.complete,
    }


def _of_orbit(orbit: Orbit) -> dict[str, Any]:
    """What is conserved on the orbit: D minus its dimension."""
    D = orbit.dimension
    return {
        "lower": D - orbit.upper,
        "upper": D - orbit.orbit_dimension,
        "scope": orbit.scope,
        "error": _written(orbit.error),
        "evidence_lower": orbit.evidence,
        "evidence_upper": orbit.evidence,
        "assumptions": orbit.generic.assumptions,
    }


def _written(error: Fraction) -> str:
    return f"2^-{error_bits(error)}" if error else "0"


@cache
def _host() -> str:
    return socket.gethostname()
