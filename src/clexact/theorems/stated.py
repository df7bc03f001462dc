"""What is stated of a network at all sizes, settled by proof: that sums are its laws, or all of them, or how many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clexact.proofs.verifier import theorem
from clexact.theorems import counts
from clexact.theorems.agreement import Agreement, agreement
from clexact.theorems.conditions import reduced, said
from clexact.theorems.contraction import NotUniformError, Product
from clexact.theorems.document import described
from clexact.theorems.index_laws import key
from clexact.theorems.network import IndexLaw
from clexact.theorems.parts import parts_of, whole
from clexact.theorems.prove import Subject, prove, recorded
from clexact.theorems.theorem import Theorem


@dataclass(frozen=True)
class Settled:
    """Whether a statement is proved for all sizes (True), refuted by a proof (False), or neither; in words, why."""

    holds: bool | None
    sentence: str
    theorem: Theorem | None  # whose certificate is the evidence


def settled(subject: Subject, number: str | None = None, complete: bool = False, where: str = "") -> Settled:
    """That the laws of a subject are laws, that there are so many independent ones, or that there are no others.

    Parameters
    ----------
    subject : Subject
        With ``laws``, if laws are stated.
    number : str, optional
        How many, a formula in the letters as ``agreement`` reads it; None: no number is stated.
    complete : bool
        Whether it is stated that all laws are functions of the subject's laws.
    where : str
        Conditions on the sizes, as for ``theorem``.

    Returns
    -------
    Settled
        With the theorem that decides it.

    Raises
    ------
    ValueError
        If nothing is stated, or a formula or a law cannot be read.
    """
    if not subject.laws and (number is None or complete):
        raise ValueError("neither laws nor their number are stated.")
    try:
        wrong = not_conserved(subject) if subject.laws else ""
    except NotUniformError as error:
        return Settled(None, f"not proved for all sizes: {error}", None)
    if wrong:
        return Settled(None if subject.fixed else False, f"false at all sizes that are large enough: {wrong}", None)
    theorem = prove(subject, where, grid=False)
    if theorem.document is None:
        return Settled(None, f"not proved for all sizes: {theorem.missing[-1]}", None)
    if number is None and not complete:
        return Settled(True, f"conserved at all sizes{theorem.qualification}", theorem)
    if complete and not all_stated(subject):
        raise ValueError("of equal parts of a network not all laws are stated.")
    found = None if number is None else agreement(theorem, number)
    holds = (theorem.proved or None) if found is None else found.holds
    return Settled(holds, _said(theorem, found), theorem)


def not_conserved(subject: Subject) -> str:
    """What a proof says of stated laws that are none; nothing where all are conserved, at all sizes."""
    network, laws, _ = recorded(subject)
    momentum = subject.flow == "momentum"
    part = whole(network, laws, subject.positive, momentum)
    if len(part.laws) < len(laws):
        raise ValueError("a stated law has a parameter that the network has not.")
    try:
        checked = theorem.Part(described(part), list(subject.letters), momentum)
        theorem.check_laws(checked, subject.decay)
    except theorem.RefusedError as error:
        return str(error)
    return ""


def all_stated(subject: Subject) -> bool:
    """Whether the laws that a theorem of this subject counts are those stated, in each copy of a part."""
    network, laws, _ = recorded(subject)
    known = {key(law) for law in laws}
    return all(
        key(IndexLaw(law.free, tuple(_copied(term, names) for term in law.products))) in known
        for part in parts_of(network, laws, subject.positive, subject.flow == "momentum")
        for names in part.copies
        for law in part.laws
    )


def _copied(term: Product, names: Mapping[str, str]) -> Product:
    return Product(term.coefficient, tuple((names[leaf], own) for leaf, own in term.factors))


def _said(theorem: Theorem, found: Agreement | None) -> str:
    """For which sizes it is proved, or where a theorem has another number."""
    if found is not None and found.differ:
        where, count, point = found.differ[0]
        at = ", ".join(f"{letter} = {k}" for letter, k in point.items())
        whole_regime = next((said(domain) for domain, own in theorem.merged if own == count), said(where))
        has = f"a theorem has exactly {counts.written(count)} for all {whole_regime}"
        return f"false at some sizes: {has}, so {counts.value(count, point)} at {at}"
    if theorem.proved and (found is None or found.holds):
        return f"proved{theorem.qualification} for all {said(reduced(theorem.domain))}"
    pieces = [domain for domain, _ in theorem.merged] if found is None or not found.left else found.agree
    proved = " or ".join(dict.fromkeys(said(reduced(piece)) for piece in pieces))
    return f"proved{theorem.qualification} for all {proved}; nothing is proved at other sizes" if proved else (
        "not proved for all sizes"
    )  # fmt: skip
