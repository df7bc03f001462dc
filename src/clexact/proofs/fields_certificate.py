"""Certificates that list polynomial fields: those given as such, or of brackets that are deep and small polynomials.

The brackets are chosen anew as short recipes (brackets of single fields, or of few), at the count's point and prime,
until their ranks are those of the count: anyone can recompute them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import Words
from clexact.algebra.polynomial import written
from clexact.algebra.terms import Terms, largest
from clexact.counting.count import LawCount
from clexact.flows.flow import FieldsFlow, Flow, explicit_fields
from clexact.lie.brackets import ExplicitWitness
from clexact.lie.closure import LieClosure, values_at
from clexact.proofs.cases import scope_of
from clexact.proofs.program_certificate import Members, assembled, assumptions_of, closed_by_of, place_of, ranges
from clexact.proofs.verifier import large

MAX_TERMS = 10**6  # of the expanded fields
BATCH = 64  # recipes tried at a time
WIDTHS = (1, 1, 2, 4, 16, 64)  # fields combined in each member, tried in turn
LARGEST_WEIGHT = 9  # of a field in a combination
LONG, MAX_WRITTEN_POWER = 10**1000, 10**9  # numbers and powers from which what is written is read before, to be sure
IDLE = 3  # batches without progress before members get wider

Recipe = tuple[tuple[tuple[int, int], ...], ...]  # for each member X_0, X_1, ...: ((field, coefficient), ...)


def fits(count: LawCount) -> bool:
    """Whether the fields of a count can be listed."""
    return not scope_of(count.flow) and count.closure.generic and count.flow.expanded_size <= MAX_TERMS


def of_count(count: LawCount) -> dict[str, Any]:
    """The certificate of a count. ValueError where the verifier would not read it, or no short recipes are found.

    Parameters are variables that stand still: each is a law, beside those counted.
    """
    fields, closure, laws = count.flow.fields.in_lowest_terms(), count.closure, count.laws.polynomials()
    listed, texts = written_fields(fields), [*map(str, laws), *fields.parameters]
    if _long(fields.terms) or _long(laws.terms):
        _check_readable(listed, texts)
    recipes = find_recipes(fields, closure, count.seed)
    members = Members(place_of(closure.point, closure.prime), [list(map(dict, recipe)) for recipe in recipes])
    shown = place_of(count.shown.point, count.shown.prime)
    families = [{"polynomials": texts}] if texts else []
    numbers, closed_by = ranges((*count.shown.laws, *range(len(laws), len(texts)))), closed_by_of(count)
    return assembled(count.flow, {"fields": listed}, families, numbers, shown, members, closed_by)


def check_listable(flow: Flow) -> None:
    """ValueError if a certificate of a flow cannot list its fields, and no program stands for them.

    They have too many terms, or numbers longer than the verifier reads.
    """
    if flow.gradients is None and flow.expanded_size > MAX_TERMS:
        raise ValueError(
            f"the certificate of {flow.description} would list {flow.expanded_size} terms, over {MAX_TERMS}."
        )
    given = flow.given_fields
    if given is not None and _long(given.terms):
        _check_readable(written_fields(given.in_lowest_terms()), [])


def _long(terms: Terms) -> bool:
    """Whether there are numbers or powers that the verifier might not read."""
    return bool(largest(terms.coef) >= LONG or terms.power.max(initial=0) >= MAX_WRITTEN_POWER)


def _check_readable(listed: Mapping[str, Any], texts: Sequence[str]) -> None:
    """ValueError where the verifier would not read fields or laws, saying what is too long for it."""
    allowance = large.Allowance(large.MAX_WORK)
    try:
        read = large.Listed({"fields": listed}, allowance)
        for n, text in enumerate(texts):
            read.reader.polynomial(text, f"law {n}")
    except (large.NotACertificate, large.Untrue) as error:
        most = f"numbers of at most {large.MAX_DIGITS} digits and powers below 10^9"
        raise ValueError(f"no certificate can be made: {error}; the verifier reads {most}.") from None


def written_fields(fields: VectorFields) -> dict[str, Any]:
    """{variables, components}: for each field, its nonzero components as text."""
    terms, D = fields.terms, fields.dimension
    bounds = np.append(np.flatnonzero(np.diff(terms.owner, prepend=-1)), len(terms)).tolist()
    components: list[dict[str, str]] = [{} for _ in range(len(fields))]
    for first, last in pairwise(bounds):
        i, j = divmod(int(terms.owner[first]), D)
        coefs = [Fraction(int(c), fields.denominators[i]) for c in terms.coef[first:last]]
        sparse = {terms.monomial(t): c for t, c in zip(range(first, last), coefs, strict=True)}
        components[i][fields.variables[j]] = written(sparse, fields.variables)
    parameters = {"parameters": list(fields.parameters)} if fields.parameters else {}
    return {"variables": list(fields.variables), "components": components, **parameters}


def same_fields(document: Mapping[str, Any], flow: Flow) -> bool:
    """Whether a document is about the fields and the assumptions of a flow."""
    if len(flow.variables) != document["dimension"] or flow.expanded_size > MAX_TERMS:
        return False
    return (written_fields(flow.fields.in_lowest_terms()), assumptions_of(flow)) == (
        document["fields"],
        document["assumptions"],
    )


def description_of(document: Mapping[str, Any]) -> str | None:
    """The description that a flow of the fields listed has; None where none are."""
    if "fields" not in document:
        return None
    parameters = document["fields"].get("parameters", ())
    return explicit_fields(len(document["fields"]["components"]), document["dimension"] - len(parameters), parameters)


# --- brackets --------------------------------------------------------------------------------------------------------


def find_recipes(fields: VectorFields, closure: LieClosure, seed: int) -> list[Recipe]:
    """Nested brackets of few fields each whose values at the point have rank ``closure.dims[k]`` for depth at most k.

    Explicit witnesses are such brackets, which share those inside them, so that the document is short.
    """
    known = [_of_single_fields(witness) for witness in closure.witnesses if isinstance(witness, ExplicitWitness)]
    chosen = [recipe for recipes in known for recipe in recipes]
    if len(chosen) == closure.rank:
        return chosen
    draws, form = Draws(seed), Echelon(fields.dimension, closure.prime)
    prime, place = closure.prime, np.array([int(c) for c in closure.point], dtype=np.uint64)
    known_depth = len(known[-1][0]) - 1 if known else 0  # the first level that may have others
    for recipes in known:
        form.add(_recipe_values(fields, recipes, place, prime))
    for depth, target in list(enumerate(closure.dims))[known_depth:]:
        for width in WIDTHS:
            idle = 0
            while form.rank < target and idle < IDLE:
                recipes = _draw_recipes(draws, len(fields), depth, width)
                fresh = form.add(_recipe_values(fields, recipes, place, prime))[: len(recipes)]
                chosen += [recipe for recipe, kept in zip(recipes, fresh, strict=True) if kept]
                idle = 0 if fresh.any() else idle + 1
        if form.rank != target:
            raise ValueError(f"no short recipes of brackets with rank {target} were found; take another seed.")
    return chosen


def _of_single_fields(witness: ExplicitWitness) -> list[Recipe]:
    """The recipes of brackets [X_i, [X_j, ...]]."""
    return [tuple(((i, 1),) for i in numbers) for numbers in witness.numbers.T.tolist()]


def _draw_recipes(draws: Draws, count: int, depth: int, width: int) -> list[Recipe]:
    shape = BATCH, depth + 1, width
    chosen = draws.residues(shape, count).tolist()
    weights = (
        (draws.residues(shape, LARGEST_WEIGHT) + np.uint64(1)).tolist() if width > 1 else np.ones(shape, int).tolist()
    )

    def member(fields: list[int], coefficients: list[int]) -> tuple[tuple[int, int], ...]:
        return tuple(sorted(dict(zip(fields, coefficients, strict=True)).items()))

    return [tuple(map(member, *pair)) for pair in zip(chosen, weights, strict=True)]


def _recipe_values(fields: VectorFields, recipes: list[Recipe], point: Words, prime: int) -> Words:
    """Values of the recipes, by the engine's jets on the few fields that they name."""
    used = sorted({i for recipe in recipes for member in recipe for i, _ in member})
    place = {i: n for n, i in enumerate(used)}
    seeds = np.zeros((len(recipes[0]), len(recipes), len(used)), dtype=np.uint64)
    for n, recipe in enumerate(recipes):
        for k, member in enumerate(recipe):
            for i, c in member:
                seeds[k, n, place[i]] = c
    return values_at(FieldsFlow(fields.select(used)), seeds, point, prime)
