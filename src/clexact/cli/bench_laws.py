"""``clexact bench-laws``: systems of the literature with their laws and what they have none of, certified, as JSON."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clexact.algebra.fields import VectorFields, packed_derivatives
from clexact.algebra.linalg import flint_rank
from clexact.algebra.terms import concatenate, monomials_of_degree
from clexact.counting.certify import certify
from clexact.flows.dynamics import as_flow
from clexact.laws.polynomial_laws import polynomial_laws
from clexact.laws.relations import further_than
from clexact.support.files import check_place, write_atomically
from clexact.support.nearest import unknown
from clexact.support.version import __version__
from clexact.systems.known import KNOWN, KnownSystem

EPILOG = """\
examples:
  clexact bench-laws --list
  clexact bench-laws lorenz kepler
  clexact bench-laws --out laws.json --certificates folder
"""
PRIME = 2**61 - 1
FORMS_DEGREE = 2  # up to which other forms are looked for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which systems, and where the answers go."""
    parser.add_argument("systems", nargs="*", metavar="NAME", help="of systems (default: all)")
    parser.add_argument("--list", action="store_true", help="print the systems")
    parser.add_argument("--out", metavar="FILE", help="write the JSON there")
    parser.add_argument("--certificates", metavar="FOLDER", help="write the certificate of each count there")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default 0)")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(arguments: argparse.Namespace) -> None:
    """Print or write one JSON object."""
    if arguments.list:
        for known in KNOWN:
            print(f"{known.name}: {known.source}")
        return
    chosen = _chosen(arguments.systems)
    if arguments.out is not None:
        check_place(Path(arguments.out))
    folder = None if arguments.certificates is None else Path(arguments.certificates)
    if folder is not None and not folder.is_dir():
        raise ValueError(f"{arguments.certificates!r} is no folder.")
    entries = []
    for known in chosen:
        if not arguments.quiet:
            print(known.name, file=sys.stderr, flush=True)
        entries.append(entry(known, arguments.seed, folder))
    text = json.dumps({"clexact": __version__, "seed": arguments.seed, "systems": entries}, indent=1) + "\n"
    if arguments.out is None:
        print(text, end="")
    else:
        write_atomically(Path(arguments.out), text.encode())


def _chosen(names: Sequence[str]) -> list[KnownSystem]:
    by_name = {known.name: known for known in KNOWN}
    for name in names:
        if name not in by_name:
            raise ValueError(unknown("system", name, by_name))
    return [by_name[name] for name in names] or list(KNOWN)


def entry(known: KnownSystem, seed: int = 0, folder: Path | None = None) -> dict[str, Any]:
    """All that is certified of a system.

    ``laws`` are a basis of all polynomial laws up to the degree, ``further`` independent ones of other forms.
    ``complete`` is the proof that there are no others of this degree: a matrix of so many monomials has this rank
    modulo the prime, and the laws are its whole nullspace. ``count`` is local: what a generic point has nearby.
    """
    fields = VectorFields.from_ode(known.text)
    laws = polynomial_laws(fields, known.degree, seed=seed)
    found = further_than(as_flow(fields), laws, FORMS_DEGREE, seed)
    count = certify(fields, degree=known.degree, seed=seed)
    certificate = count.certificate
    document = certificate.to_json().encode()
    if folder is not None:
        certificate.save(folder / f"{known.name}.json")
    return {
        "name": known.name,
        "source": known.source,
        "equations": known.text,
        "variables": list(fields.variables),
        "degree": known.degree,
        "laws": list(map(str, laws)),
        "independent": len(laws.independent),
        "complete": _complete(fields, known.degree, len(laws)),
        "further": [{"form": law.form.value, "law": str(law)} for law in found.further],
        "count": {"lower": count.lower, "upper": count.upper, "scope": "local, near a generic point"},
        "certificate_sha256": hashlib.sha256(document).hexdigest(),
    }


def _complete(fields: VectorFields, degree: int, laws: int) -> dict[str, Any]:
    """The rank of X h = 0 over the monomials, modulo a prime, from the matrix itself: nullity = number of laws."""
    monomials = concatenate([monomials_of_degree(fields.dimension, k) for k in range(degree, 0, -1)])
    count, d = len(monomials), len(fields)
    derived = packed_derivatives(monomials.owned_by(np.arange(count)), count, fields)
    rows: dict[tuple[int, object], dict[int, int]] = {}
    for t, (owner, c) in enumerate(zip(derived.owner.tolist(), derived.coef.tolist(), strict=True)):
        rows.setdefault((owner % d, derived.monomial(t)), {})[owner // d] = int(c) % PRIME
    matrix = [[row.get(n, 0) for n in range(count)] for row in rows.values()]
    rank = flint_rank(matrix, PRIME)
    return {"prime": PRIME, "monomials": count, "rank": rank, "proved": count - rank == laws}
