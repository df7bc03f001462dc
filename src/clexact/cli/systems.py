"""What the command line offers of systems beside networks: cases of parameters, bases, generators, remarks."""

from __future__ import annotations

import argparse
import json
from itertools import chain
from pathlib import Path

from clexact.cli.inputs import notes_of
from clexact.flows.flow import Flow
from clexact.laws.bases import BASES, MOST_LAWS, generators, in_basis
from clexact.laws.darboux import DarbouxPolynomials
from clexact.laws.parametric import law_cases
from clexact.laws.result import ConservationLaws
from clexact.laws.surface import laws_on
from clexact.support.files import check_place, write_atomically
from clexact.systems.writers import to_kyx

MANY = 40  # laws, from which generators are listed in their place


def add_choices(parser: argparse.ArgumentParser) -> None:
    """Which laws are printed, and in which basis."""
    parser.add_argument("--cases", action="store_true", help="for which values of the parameters there are more laws")
    parser.add_argument("--nonzero", action="store_true", help="with --cases: where no parameter is 0")
    parser.add_argument("--moieties", action="store_true", help="of reactions: the linear laws for all rates")
    parser.add_argument("--basis", choices=BASES, default="sparse", help="in which basis (default sparse)")
    parser.add_argument("--on", metavar="SURFACE", help="laws on an invariant surface: where this polynomial is 0")
    parser.add_argument("--kyx", metavar="OUT", help="write problems of KeYmaera X: each law stays true (with --forms "
                        "each Darboux polynomial too)")  # fmt: skip
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--generators", action="store_true", help=f"only laws that are no sums of products of others (from {MANY} on)"
    )
    which.add_argument("--all", action="store_true", help="all laws, products too")


def check_choices(arguments: argparse.Namespace) -> None:
    """ValueError for options that do not go together; --moieties stands for others."""
    if arguments.moieties:
        arguments.structural, arguments.degree = True, 1
    if arguments.cases and (arguments.forms or arguments.homogeneous or arguments.latex):
        raise ValueError("--cases goes without --forms, --homogeneous and --latex.")
    if arguments.on is not None and (
        arguments.cases or arguments.forms or arguments.homogeneous or arguments.generators
    ):
        raise ValueError("--on goes without --cases, --forms, --homogeneous and --generators.")
    if arguments.kyx is not None:
        if arguments.cases or arguments.on is not None:
            raise ValueError("--kyx goes without --cases and --on.")
        check_place(Path(arguments.kyx))
    if arguments.nonzero and not arguments.cases:
        raise ValueError("--nonzero goes with --cases.")
    if arguments.homogeneous and arguments.generators:
        raise ValueError("give either --generators or --homogeneous, which lists products of laws too.")


def chosen(laws: ConservationLaws, arguments: argparse.Namespace) -> ConservationLaws:
    """The laws to be printed."""
    many = MANY <= len(laws) <= MOST_LAWS and not (arguments.all or arguments.homogeneous or arguments.json)
    shown = in_basis(laws, arguments.basis)
    if not arguments.generators and not many:
        return shown
    try:
        return generators(shown)
    except ValueError:
        if arguments.generators:
            raise
        return shown


def remarks(flow: Flow, laws: ConservationLaws, shown: ConservationLaws) -> list[str]:
    """What the listed laws leave unsaid."""
    lines = list(notes_of(flow))
    if len(shown) < len(laws):
        lines.append(f"{len(shown)} of them are listed; the others are sums of products of these (--all lists them)")
    fields = flow.given_fields
    if not len(laws) and laws.complete:
        degree = f"degree {laws.degree}" if laws.homogeneous else f"degree <= {laws.degree}"
        which = " for generic parameters" if laws.parameters else ""
        which += " in these variables" if fields is not None and fields.added else ""
        lines.append(f"no polynomial law of {degree} exists{which}: proved")
    if fields is not None and len(fields) == 1 and len(fields.terms):
        D = flow.counted_dimension
        lines.append(f"locally, near a generic point of the {D} variables, there are {D - 1}: there is one field")
    return lines


def write_kyx(flow: Flow, laws: ConservationLaws, darboux: DarbouxPolynomials | None, file: str) -> None:
    """The laws, and Darboux polynomials with their cofactors, as problems with proofs."""
    if flow.given_fields is None:
        raise ValueError("--kyx is of a system of equations.")
    steps = list(zip(darboux, darboux.cofactors, strict=True)) if darboux is not None else []
    write_atomically(Path(file), to_kyx(flow.given_fields, list(laws), steps).encode())


def print_on(flow: Flow, arguments: argparse.Namespace) -> None:
    """The laws on an invariant surface: those that hold everywhere, then further ones."""
    fields = flow.given_fields
    if fields is not None and fields.parameters:
        raise ValueError("--on is of a system without parameters: give them values.")
    found = laws_on(flow, arguments.on, arguments.degree, seed=arguments.seed)
    if arguments.json:
        print(found.to_json())
        return
    if not arguments.quiet:
        print(f"{flow.description}: polynomial laws of degree at most {arguments.degree} where {found.surface} = 0")
        known = (
            f"{len(found.everywhere)} hold everywhere, {len(found.further)} more on the surface: these are all there"
        )
        for line in chain(notes_of(flow), [known, f"at least {found.independent} of them independent on the surface"]):
            print(f"  {line}")
    for law in found:
        print(law.to_latex() if arguments.latex else law)


def print_cases(flow: Flow, arguments: argparse.Namespace) -> None:
    """The laws for generic parameters, then each case with more."""
    fields = flow.given_fields
    if fields is None or not fields.parameters:
        raise ValueError("--cases is of a system with parameters: declare them by  par a, b  or --parameters a,b.")
    found = law_cases(fields, arguments.degree, nonzero=arguments.nonzero, seed=arguments.seed)
    if arguments.json:
        cases = [{"zero": c.zero, "nonzero": c.nonzero, "laws": c.laws.written()} for c in found.cases]
        print(json.dumps({"generic": found.generic.written(), "cases": cases}))
        return
    if not arguments.quiet:
        print(f"{flow.description}: polynomial laws of degree at most {arguments.degree}, by cases")
        for line in chain(notes_of(flow), ["parameters are complex numbers; each case is proved, with all its laws"]):
            print(f"  {line}")
    for case in found.cases:
        print(f"{case.condition}: {len(case.laws)}")
        for law in case.laws.written():
            print(f"  {law}")
    apart = ", none of them 0" if arguments.nonzero else ""
    print(f"all {'other ' if found.cases else ''}values{apart}: {len(found.generic)}")
    for law in found.generic.written():
        print(f"  {law}")
