"""What a statement says of all sizes, and what a theorem says of it: plain data beside the findings on the grid."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clexact.models.sizes import Size, SymbolicModel
from clexact.theorems.agreement import value_of
from clexact.theorems.prove import subject_of
from clexact.theorems.stated import settled
from clexact.theorems.theorem import Theorem


@dataclass(frozen=True)
class Lettered:
    """A network of a statement at sizes that are letters, in the order of the entries of a size, with stated laws."""

    model: SymbolicModel
    laws: tuple[str, ...] = ()
    flow: str = "gradient"
    loss: str = "full"


def network(
    family: str, sizes: str, *laws: str, flow: str = "gradient", loss: str = "full", **options: Any
) -> Lettered:
    """A family at sizes such as "n r m", or "n 1 m"."""
    own = tuple(int(size) if size.isdigit() else Size(size) for size in sizes.split())
    return Lettered(SymbolicModel(family, own, options), laws, flow, loss)


@dataclass(frozen=True)
class AllSizes:
    """What is stated of networks of all sizes.

    ``number``: of independent laws, a formula in the letters; ``complete``: that all laws are functions of those given;
    neither: that those given are laws. ``where`` has conditions on the letters. ``part`` says what of the statement
    this is, where it is not all of it: then the statement itself is not proved by it. What is ``long`` is left to the
    full budget.
    """

    networks: tuple[Lettered, ...]
    number: str | None = None
    complete: bool = False
    part: str = ""
    where: str = ""
    long: bool = False


@dataclass(frozen=True)
class Evidence:
    """A theorem as plain data."""

    title: str
    says: tuple[str, ...]
    assumptions: tuple[str, ...]
    bytes: int  # of its certificate, which was verified
    sha256: str
    certificate: str | None  # path in the folder of the results

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Evidence:
        """The reverse of ``asdict``."""
        return cls(**{**data, "says": tuple(data["says"]), "assumptions": tuple(data["assumptions"])})


@dataclass(frozen=True)
class Everywhere:
    """Whether a statement is proved for all sizes (True), refuted at some (False), or neither; why; the theorems."""

    holds: bool | None
    sentence: str
    theorems: tuple[Evidence, ...]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Everywhere:
        """The reverse of ``asdict``."""
        return cls(data["holds"], data["sentence"], tuple(map(Evidence.from_dict, data["theorems"])))


KeepTheorem = Callable[[int, bytes], str | None]  # saves a certificate of so many before it, returns where


def everywhere(stated: AllSizes, known: Mapping[tuple[int, ...], int], keep: KeepTheorem | None = None) -> Everywhere:
    """What theorems say of it; ``known`` has certified numbers of laws, which they must not contradict."""
    found = [
        settled(
            subject_of(net.model, net.flow, laws=net.laws, loss=net.loss), stated.number, stated.complete, stated.where
        )
        for net in stated.networks
    ]
    evidence = list[Evidence]()
    for net, one in zip(stated.networks, found, strict=True):
        if one.theorem is not None:
            _compare(net, one.theorem, known)
            data = one.theorem.to_bytes()
            where = keep(len(evidence) + 1, data) if keep else None
            says = tuple(str(one.theorem).splitlines())
            digest = hashlib.sha256(data).hexdigest()
            evidence.append(Evidence(one.theorem.title, says, one.theorem.assumptions, len(data), digest, where))
    holds = _all([one.holds for one in found])
    said = "; ".join(dict.fromkeys(one.sentence for one in found))
    said = f"{stated.part}: {said}" if stated.part else said
    return Everywhere(None if holds and stated.part else holds, said, tuple(evidence))


def _all(found: list[bool | None]) -> bool | None:
    return False if False in found else None if None in found else True


def _compare(net: Lettered, theorem: Theorem, known: Mapping[tuple[int, ...], int]) -> None:
    """ArithmeticError if a certified number is not that of the theorem."""
    for size, count in known.items():
        sizes = at(net, size)
        own = None if sizes is None else theorem.count(**sizes)
        if own not in (None, count):
            raise ArithmeticError(f"{own} laws of {theorem.title} at {size} by a theorem, {count} certified: a fault.")


def at(net: Lettered, size: tuple[int, ...]) -> dict[str, int] | None:
    """A size by letters; None if it is of a network with more or fewer layers, or letters would be two numbers."""
    letters = net.model.letters if len(net.model.letters) == len(size) else tuple(map(str, net.model.sizes))
    if len(letters) != len(size):
        return None
    sizes = dict(zip(letters, size, strict=True))
    return sizes if all(sizes[letter] == k for letter, k in zip(letters, size, strict=True)) else None


def number_at(stated: AllSizes, size: tuple[int, ...]) -> int | None:
    """What is stated at a size; None where no number is."""
    sizes = next((sizes for net in stated.networks if (sizes := at(net, size)) is not None), None)
    return None if stated.number is None or sizes is None else int(value_of(stated.number, sizes))
