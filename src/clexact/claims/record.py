"""``Record``: a finding as plain data, which is what is stored and what the report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from clexact.claims.all_sizes import Everywhere
from clexact.claims.claim import Claim
from clexact.claims.grid import Size
from clexact.claims.judge import ClaimVerdict, Judgement, Trial

MEANT, INSTEAD = "meant", "instead"


@dataclass(frozen=True)
class Cell:
    """What is certified at one size, beside what is stated there."""

    size: Size
    at: str  # the size as text
    holds: bool | None
    stated: str
    found: str
    evidence: str
    dimension: int
    scope: str
    count: int | None
    laws: tuple[str, ...]
    more: str
    seconds: float
    certificate: str | None  # path in the folder of the results

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Cell:
        """The reverse of ``asdict``."""
        return cls(**{**data, "size": tuple(data["size"]), "laws": tuple(data["laws"])})


@dataclass(frozen=True)
class Table:
    """A statement with what is certified at each size of the grid."""

    words: str
    latex: str
    cells: tuple[Cell, ...]
    everywhere: Everywhere | None = None  # what theorems say of it at all sizes

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Table:
        """The reverse of ``asdict``."""
        everywhere = data["everywhere"] and Everywhere.from_dict(data["everywhere"])
        return cls(data["words"], data["latex"], tuple(map(Cell.from_dict, data["cells"])), everywhere)

    @property
    def proved(self) -> bool:
        """Whether it holds on the grid and is proved for all sizes."""
        return self.everywhere is not None and self.everywhere.holds is True and all(c.holds for c in self.cells)

    def where(self, holds: bool | None) -> list[Cell]:
        """The cells where the statement holds (True), fails (False) or is open (None)."""
        return [cell for cell in self.cells if cell.holds is holds]


@dataclass(frozen=True)
class Record:
    """A claim with its verdict, in plain data only."""

    id: str
    topic: str
    title: str
    source: str
    note: str
    pictures: tuple[str, ...]
    names: tuple[str, ...]  # of the entries of a size
    layered: bool  # whether a size is a list of widths
    verdict: ClaimVerdict
    sentence: str
    written: Table
    nearby: Table | None
    kind: str | None  # of the nearby statement: what was MEANT, or what holds INSTEAD
    formula: Mapping[str, Any] | None  # ``Formula.to_dict``
    budget: str
    seed: int
    command: str

    @property
    def seconds(self) -> float:
        """Total time of the checks."""
        tables = [self.written, *([self.nearby] if self.nearby else [])]
        return sum(cell.seconds for table in tables for cell in table.cells)

    @property
    def corrected(self) -> bool:
        """Whether not what is written, but what was meant or holds instead is proved for all sizes."""
        return self.nearby is not None and self.nearby.proved

    @property
    def certificates(self) -> list[str]:
        """Paths of all its certificates, in the folder of the results."""
        tables = [self.written, *([self.nearby] if self.nearby else [])]
        theorems = [e.certificate for table in tables if table.everywhere for e in table.everywhere.theorems]
        return [name for name in [*(cell.certificate for cell in self.written.cells), *theorems] if name]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self) | {"verdict": self.verdict.value}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Record:
        """The reverse of ``to_dict``; ValueError, TypeError or KeyError for data of another form."""
        tables = {"written": Table.from_dict(data["written"])}
        nearby = data["nearby"] and Table.from_dict(data["nearby"])
        lists = {name: tuple(data[name]) for name in ("pictures", "names")}
        return cls(**{**data, **tables, **lists, "nearby": nearby, "verdict": ClaimVerdict(data["verdict"])})


def record_of(judgement: Judgement, topic: str) -> Record:
    """A finding as plain data."""
    claim, formula = judgement.claim, judgement.formula
    nearby = None if judgement.nearby is None else _table(claim, judgement.nearby)
    kind = None if nearby is None else (MEANT if claim.meant else INSTEAD)
    return Record(
        claim.id, topic, claim.title, claim.source, claim.note, claim.pictures, claim.grid.names,
        bool(claim.grid.lengths), judgement.verdict, judgement.sentence, _table(claim, judgement.written), nearby, kind,
        None if formula is None else formula.to_dict(), judgement.reach.value, judgement.seed, judgement.command,
    )  # fmt: skip


def _table(claim: Claim, trial: Trial) -> Table:
    cells = [
        Cell(
            outcome.size, claim.grid.written(outcome.size), outcome.holds, check.stated, check.found, check.evidence,
            check.dimension, check.scope, check.count, check.laws, check.more, round(outcome.seconds, 6),
            outcome.certificate,
        )
        for outcome in trial.outcomes
        for check in [outcome.check]
    ]  # fmt: skip
    return Table(trial.statement.words, trial.statement.latex, tuple(cells), trial.everywhere)
