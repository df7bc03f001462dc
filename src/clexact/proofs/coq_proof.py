"""A certificate whose bounds meet, as a proof that Coq checks: ``count.v``, then what is particular to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from clexact.proofs.certificate import Certificate
from clexact.proofs.coq_reader import Claim, Poly, added, derivative, multiplied, read_claim

MODULI = (2**31 - 1, 2**31 - 19, 2**31 - 61, 2**31 - 69)  # nothing rests on what they are


def coq(certificate: Certificate | str | Path) -> str:
    r"""Return a proof of a count for Coq 8.16, one file that needs nothing but Coq.

    ``count.v``, proved once, says for every ring of functions with partial derivatives: if $X h = 0$ as polynomials for
    $N$ laws $h$, and the matrix $M$ of $D - N$ brackets of the fields and of the $N$ gradients, at the point, has
    $M M' = M' M = 1$ modulo an integer, then the laws are conserved and independent at the point, and no $N + 1$
    functions of class $C^2$ that are conserved have independent gradients there. The rest of the file holds fields,
    laws, point and $M'$; Coq multiplies.

    Parameters
    ----------
    certificate : Certificate or path
        A count with both bounds met, of polynomial fields.

    Returns
    -------
    str
        The text of a file for ``coqc``. The fields are those of the document, multiplied out; ``verify`` with
        ``rebuild`` says whether the document's are those of the model.

    Raises
    ------
    ValueError
        If the bounds do not meet by polynomial laws; for analytic functions, roots, and counts near a start or on given
        inputs; if the laws and brackets are dependent at the point.

    Examples
    --------
    >>> import clexact
    >>> count = clexact.certify(clexact.gradient_flow(clexact.models.product(2)))
    >>> print(*[line for line in clexact.coq(count.certificate).splitlines() if line.startswith("Theorem count ")])
    Theorem count : length laws = 1%nat /\ exactly 2 fields laws point.
    """
    loaded = certificate if isinstance(certificate, Certificate) else Certificate.load(certificate)
    claim = read_claim(loaded.data)
    return library() + "\n" + statement(claim, *inverse(claim))


def library() -> str:
    """The part that is the same for all counts."""
    return (files("clexact.proofs") / "coq" / "count.v").read_text(encoding="utf-8")


# --- the matrix of brackets and gradients, and its inverse -----------------------------------------------------------


def inverse(claim: Claim) -> tuple[int, list[list[int]]]:
    """A modulus and the inverse of the matrix modulo it; ValueError if there is none."""
    for p in MODULI:
        found = _inverse([*_rows(claim, p)], p)
        if found is not None:
            return p, found
    raise ValueError(
        f"the {len(claim.members)} brackets and the gradients of the {len(claim.laws)} laws are no basis of "
        f"{len(claim.coordinates)} dimensions at the point."
    )


def _rows(claim: Claim, p: int) -> list[list[int]]:
    D, point = len(claim.coordinates), claim.point
    gradients = [[_at(derivative(h, i + 1), point, p) for i in range(D)] for h in claim.laws]
    return [_member_row(claim, member, p) for member in claim.members] + gradients


def _member_row(claim: Claim, member: Any, p: int) -> list[int]:
    """Its value at the point; the outermost bracket is not multiplied out."""
    if isinstance(member, dict):
        return [_at(q, claim.point, p) for q in _vector(claim, member)]
    a, b = (_vector(claim, part) for part in member)
    at_a, at_b = ([_at(q, claim.point, p) for q in part] for part in (a, b))
    return [(_along(a[i], at_b, claim.point, p) - _along(b[i], at_a, claim.point, p)) % p for i in range(len(a))]


def _along(q: Poly, direction: Sequence[int], point: Sequence[int], p: int) -> int:
    variables = {v for m in q for v in m}
    return sum(_at(derivative(q, v), point, p) * direction[v - 1] for v in variables) % p


def _vector(claim: Claim, member: Any) -> list[Poly]:
    """A member as polynomials in the coordinates."""
    D = len(claim.coordinates)
    if isinstance(member, dict):
        return [_plugged(q, member, D) for q in claim.fields]
    a, b = (_vector(claim, part) for part in member)
    out = []
    for i in range(D):
        total: Poly = {}
        for j in range(D):
            total = added(total, multiplied(derivative(a[i], j + 1), b[j]))
            total = added(total, multiplied(derivative(b[i], j + 1), a[j]), -1)
        out.append(total)
    return out


def _plugged(q: Poly, seed: Mapping[int, int], D: int) -> Poly:
    """Numbers in place of the constants of the family."""
    out: Poly = {}
    for m, c in q.items():
        for v in m:
            c *= seed.get(v - D - 1, 0) if v > D else 1
        if c:
            key = tuple(v for v in m if v <= D)
            out[key] = out.get(key, 0) + c
    return {m: c for m, c in out.items() if c}


def _at(q: Poly, point: Sequence[int], p: int) -> int:
    total = 0
    for m, c in q.items():
        term = int(c)
        for v in m:
            term = term * point[v - 1] % p
        total += term
    return total % p


def _inverse(rows: list[list[int]], p: int) -> list[list[int]] | None:
    """Gauss and Jordan, modulo p."""
    n = len(rows[0]) if rows else 0
    if len(rows) != n:
        return None
    work = [row + [int(i == j) for j in range(n)] for i, row in enumerate(rows)]
    for j in range(n):
        pivot = next((i for i in range(j, n) if work[i][j]), None)
        if pivot is None:
            return None
        work[j], work[pivot] = work[pivot], work[j]
        scale = pow(work[j][j], -1, p)
        work[j] = [x * scale % p for x in work[j]]
        for i in range(n):
            if i != j and (c := work[i][j]):
                work[i] = [(x - c * y) % p for x, y in zip(work[i], work[j], strict=True)]
    return [row[n:] for row in work]


# --- text ------------------------------------------------------------------------------------------------------------


def statement(claim: Claim, p: int, found: Sequence[Sequence[int]]) -> str:
    """The fields, laws and point, the members, the inverse, and the theorem."""
    D, seeds = len(claim.coordinates), len(claim.constants)
    return f"""(** * {_comment(claim.description)}

  Coordinates: {_comment(", ".join(f"{i + 1} {name}" for i, name in enumerate(claim.coordinates)))}
  Constants of the family: {_comment(", ".join(f"{D + k + 1} {name}" for k, name in enumerate(claim.constants)))} *)

Definition fields : list poly := {_list(map(_poly, claim.fields))}.
Definition laws : list poly := {_list(map(_poly, claim.laws))}.
Definition point : list Z := {_integers(claim.point)}.
Definition members : list member := {_list(_member(m, seeds) for m in claim.members)}.
Definition modulus : Z := {p}%Z.
Definition inverse : list (list Z) := {_list(map(_integers, found))}.

Theorem count : length laws = {claim.count}%nat /\\ exactly {D} fields laws point.
Proof.
  split. reflexivity. apply counted with (members := members) (p := modulus) (N := inverse).
  vm_cast_no_check (eq_refl true).
Qed.
Print Assumptions count.
"""


def _comment(text: str) -> str:
    """Nothing that opens or closes a comment, or a string in it."""
    return text.replace("(*", "( *").replace("*)", "* )").replace('"', "'")


def _list(items: Any) -> str:
    return "[" + ";\n  ".join(items) + "]"


def _integers(numbers: Sequence[int]) -> str:
    return "[" + "; ".join(str(n) if n >= 0 else f"({n})" for n in numbers) + "]%Z"


def _poly(p: Poly) -> str:
    """Terms in the order of Coq's ``compare``: a monomial comes after those that continue it."""
    terms = sorted(p.items(), key=lambda item: (*item[0], float("inf")))
    return "[" + "; ".join(f"(({c.numerator})%Z, [{'; '.join(map(str, m))}]%positive)" for m, c in terms) + "]"


def _member(member: Any, seeds: int) -> str:
    if isinstance(member, dict):
        return f"Field {_integers([member.get(k, 0) for k in range(seeds)])}"
    a, b = (_member(part, seeds) for part in member)
    return f"Bracket ({a}) ({b})"
