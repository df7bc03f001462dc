"""``judge``: the verdict on one claim, with all that was certified on its grid."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from clexact.claims.all_sizes import AllSizes, Everywhere, everywhere, number_at
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Reach, Size
from clexact.counting.count import LawCount
from clexact.formulas.boundary import boundary
from clexact.formulas.fit import fit
from clexact.formulas.formula import Formula
from clexact.programs.gates import FREE, FREE_GATES
from clexact.proofs.certificate import Certificate
from clexact.support.progress import Progress

LISTED = 8  # sizes named in a sentence where no condition describes them
Keep = Callable[[Claim, Size, Certificate], str | None]  # saves a certificate, returns where
KeepTheorem = Callable[[Claim, str, bytes], str | None]  # the same for one of a theorem, by a name


class ClaimVerdict(Enum):
    """What the certified numbers say of a statement; the value is the word a reader sees."""

    PROVED = "proved for all sizes"
    CONFIRMED = "confirmed"
    PARTLY = "holds on a part"
    MISPRINT = "misprint"
    REFUTED = "refuted"
    OPEN = "open"


@dataclass(frozen=True)
class Outcome:
    """The check at one size."""

    size: Size
    check: Check
    seconds: float
    certificate: str | None = None  # where it is saved

    @property
    def holds(self) -> bool | None:
        return self.check.holds


@dataclass(frozen=True)
class Trial:
    """A statement with its outcomes on the grid."""

    statement: Statement
    outcomes: tuple[Outcome, ...]
    everywhere: Everywhere | None = None  # what theorems say of all sizes

    @property
    def proved(self) -> bool:
        """Whether it is proved for all sizes."""
        return self.confirmed and self.everywhere is not None and self.everywhere.holds is True

    @property
    def refuted(self) -> bool:
        """Whether it fails at some size of the grid, or a theorem refutes it."""
        return bool(self.sizes(False)) or (self.everywhere is not None and self.everywhere.holds is False)

    @property
    def confirmed(self) -> bool:
        """Whether it holds at every size of the grid."""
        return all(outcome.holds for outcome in self.outcomes)

    def sizes(self, holds: bool | None) -> list[Size]:
        """Where it holds (True), fails (False) or is open (None)."""
        return [outcome.size for outcome in self.outcomes if outcome.holds is holds]


@dataclass(frozen=True)
class Judgement:
    """A claim with its verdict. ``sentence`` says where it holds and fails; ``truth`` what holds on all of the grid."""

    claim: Claim
    verdict: ClaimVerdict
    sentence: str
    written: Trial  # the statement as the source writes it
    nearby: Trial | None  # what was meant, or what is true instead
    formula: Formula | None  # that fits all certified counts, tested on sizes held out
    reach: Reach
    seed: int

    @property
    def seconds(self) -> float:
        """Total time of the checks."""
        trials = [self.written, *([self.nearby] if self.nearby else [])]
        return sum(outcome.seconds for trial in trials for outcome in trial.outcomes)

    @property
    def command(self) -> str:
        """What repeats it."""
        return f"clexact reproduce --claims {self.claim.id} --budget {self.reach.value} --seed {self.seed}"


def judge(
    claim: Claim,
    reach: Reach,
    seed: int = 0,
    *,
    progress: Progress | None = None,
    keep: Keep | None = None,
    keep_theorem: KeepTheorem | None = None,
) -> Judgement:
    """Check the statement at every size of its grid, and what was meant or holds instead where it fails.

    PROVED: it holds on all of the grid, and a theorem covers all sizes. CONFIRMED: it holds on all of the grid.
    MISPRINT: refuted as written, and what was meant holds on all of the grid. PARTLY: it fails at some sizes, of the
    grid or by a theorem, or REFUTED at all; the sentence has the exact condition where one is found. OPEN: nothing
    fails, but somewhere the bounds do not meet.
    """
    sizes = claim.grid.sizes(reach)
    written = _tried(claim, claim.statement, sizes, seed, progress, keep)
    written = _with_theorems(claim, written, reach, "", keep_theorem)
    other = claim.meant or claim.instead
    nearby = _tried(claim, other, sizes, seed, progress, None) if written.refuted and other else None
    nearby = nearby and _with_theorems(claim, nearby, reach, "nearby-", keep_theorem)
    verdict = _verdict(claim, written, nearby)
    return Judgement(claim, verdict, _sentence(claim, verdict, written, nearby), written, nearby,
                   _formula(claim, written, seed), reach, seed)  # fmt: skip


def _tried(
    claim: Claim, statement: Statement, sizes: list[Size], seed: int, progress: Progress | None, keep: Keep | None
) -> Trial:
    outcomes = []
    for done, size in enumerate(sizes):
        if progress:
            progress(claim.id, done, len(sizes))
        start = time.perf_counter()
        check = statement.check(size, seed)
        seconds = time.perf_counter() - start
        certificate = _certificate(check.proof) if keep and check.proof else None
        where = keep(claim, size, certificate) if keep and certificate else None
        outcomes.append(Outcome(size, check.without_proof(), seconds, where))
    return Trial(statement, tuple(outcomes))


def _with_theorems(claim: Claim, trial: Trial, reach: Reach, prefix: str, keep: KeepTheorem | None) -> Trial:
    """With what theorems say of the statement at all sizes, none of which the grid may contradict."""
    stated = trial.statement.all_sizes
    if stated is None or (stated.long and reach is not Reach.FULL):
        return trial
    _compare_formula(claim, stated, trial)
    known = {outcome.size: outcome.check.count for outcome in trial.outcomes if outcome.check.count is not None}

    def kept(number: int, data: bytes) -> str | None:
        return keep(claim, f"{prefix}theorem-{number}", data) if keep else None

    found = everywhere(stated, known, kept)
    if found.holds and trial.sizes(False):
        raise ArithmeticError(f"{claim.id} is proved for all sizes, and fails at {listed(claim, trial.sizes(False))}.")
    return replace(trial, everywhere=found)


def _compare_formula(claim: Claim, stated: AllSizes, trial: Trial) -> None:
    """ArithmeticError where the formula in letters is not what is checked at a size of the grid."""
    for outcome in trial.outcomes:
        number, count = number_at(stated, outcome.size), outcome.check.count
        if None not in (number, count, outcome.holds) and (number == count) is not outcome.holds:
            raise ArithmeticError(f"{claim.id}: {number} is not what is stated at {claim.grid.written(outcome.size)}.")


def _certificate(count: LawCount) -> Certificate | None:
    """None where the fields are too many to be listed."""
    try:
        return count.certificate
    except ValueError:
        return None


def _verdict(claim: Claim, written: Trial, nearby: Trial | None) -> ClaimVerdict:
    if written.confirmed and not written.refuted:
        return ClaimVerdict.PROVED if written.proved else ClaimVerdict.CONFIRMED
    if not written.refuted:
        return ClaimVerdict.OPEN
    if claim.meant and nearby and nearby.confirmed:
        return ClaimVerdict.MISPRINT
    return ClaimVerdict.PARTLY if written.sizes(True) else ClaimVerdict.REFUTED


def _sentence(claim: Claim, verdict: ClaimVerdict, written: Trial, nearby: Trial | None) -> str:
    """Where it holds, fails and is open, in words."""
    count = len(written.outcomes)
    on = f"all {count} sizes" if count > 1 else "the case"
    failing = f"it fails {where(claim, written)}" if written.sizes(False) else "it does not fail"
    fails = f"on this grid {failing}"
    parts = {
        ClaimVerdict.PROVED: f"holds on {on} of the grid",
        ClaimVerdict.CONFIRMED: f"holds on {on}",
        ClaimVerdict.OPEN: f"open at {listed(claim, written.sizes(None))}: the bounds do not meet there",
        ClaimVerdict.MISPRINT: f"as written, {fails}; what was meant holds on {on}",
        ClaimVerdict.PARTLY: f"holds on {len(written.sizes(True))} of {count} sizes; {fails}",
        ClaimVerdict.REFUTED: f"fails on {on}",
    }
    clauses = [parts[verdict]]
    if verdict in (ClaimVerdict.PARTLY, ClaimVerdict.MISPRINT, ClaimVerdict.REFUTED) and written.sizes(None):
        clauses.append(f"open at {listed(claim, written.sizes(None))}")
    clauses += _with_free_gates(claim, written)
    if written.everywhere:
        clauses.append(written.everywhere.sentence)
    if nearby and nearby.proved and nearby.everywhere:
        instead = "what was meant is" if verdict is ClaimVerdict.MISPRINT else f"instead: {nearby.statement.words},"
        clauses.append(f"{instead} {nearby.everywhere.sentence}")
    elif nearby and verdict is not ClaimVerdict.MISPRINT:
        clauses.append("instead, on all of the grid: " + nearby.statement.words if nearby.confirmed
                    else f"what was tried instead fails at {listed(claim, nearby.sizes(False))}")  # fmt: skip
        clauses += [nearby.everywhere.sentence] if nearby.everywhere and nearby.everywhere.theorems else []
    return "; ".join(clauses)


def _with_free_gates(claim: Claim, written: Trial) -> list[str]:
    """Of which sizes gates are free; of the others true gates are known to span as much, or there are none."""
    free = [outcome.size for outcome in written.outcomes if _free(outcome.check)]
    others = [outcome.size for outcome in written.outcomes if not _free(outcome.check)]
    if not free:
        return []
    return [f"certified {FREE}{f' {_condition(claim, others, free)}' if others else ''}"]


def _free(check: Check) -> bool:
    """Whether it speaks of free gates."""
    return FREE_GATES in check.scope or FREE in check.found + check.evidence


def where(claim: Claim, trial: Trial) -> str:
    """The exact condition on the sizes at which a statement fails, or a list of them."""
    fails, holds = trial.sizes(False), trial.sizes(True)
    return _condition(claim, holds, fails) if holds else "everywhere"


def _condition(claim: Claim, outside: list[Size], inside: list[Size]) -> str:
    """Which sizes of the two lists are inside."""
    names = None if claim.grid.lengths else claim.grid.names
    condition = None if claim.grid.numbered else boundary(outside, inside, names)
    return f"exactly where {condition}" if condition else f"at {listed(claim, inside)}"


def listed(claim: Claim, sizes: list[Size]) -> str:
    """Some sizes, and how many more."""
    shown = "; ".join(claim.grid.written(size) for size in sizes[:LISTED])
    return shown + (f"; and {len(sizes) - LISTED} more" if len(sizes) > LISTED else "")


def _formula(claim: Claim, trial: Trial, seed: int) -> Formula | None:
    """A formula for the certified counts, where every size has one."""
    counts = {outcome.size: outcome.check.count for outcome in trial.outcomes}
    known = {size: count for size, count in counts.items() if count is not None}
    layered = claim.grid.lengths or claim.grid.numbered
    if not claim.fitted or layered or len(known) < len(counts) or len(counts) < 2:
        return None
    return fit(known, claim.grid.names, seed=seed)
