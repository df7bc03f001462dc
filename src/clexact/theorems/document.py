"""A theorem as a document that ``proofs/verifier/theorem.py`` verifies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clexact.theorems.blocks import Block, Content, Way
from clexact.theorems.classes import Classes
from clexact.theorems.conditions import Domain
from clexact.theorems.contraction import Product
from clexact.theorems.counts import Count
from clexact.theorems.network import DRIFT, Coordinate, Index, Part, Poly
from clexact.theorems.regimes import Pattern, Proof

FORMAT = "clexact-theorem-2"
LETTERS = "ijklpqstuvw"


def document(
    title: str, letters: Sequence[str], regimes: Sequence[tuple[Domain, Count, Sequence[Proof]]],
    decay: bool, classes: Classes | None,
) -> dict[str, Any]:  # fmt: skip
    """Of regimes: where they hold, their counts, and a proof for each part."""
    parts = [proof.part for proof in regimes[0][2]]
    return {
        "format": FORMAT,
        "title": title,
        "letters": [*letters, *([classes.fewer] if classes else [])],
        "flow": "momentum" if parts[0].momentum else "gradient",
        "decay": decay,
        "classes": None if classes is None else _classes(classes),
        "parts": [described(part) for part in parts],
        "regimes": [
            {
                "where": [[dict(condition.form.terms), condition.bound] for condition in where],
                "law_count": [[c.numerator, c.denominator, *m] for m, c in sorted(count.items())],
                "parts": [_proof(proof) for proof in proofs],
            }
            for where, count, proofs in regimes
        ],
    }


def _classes(classes: Classes) -> dict[str, Any]:
    return {"seeds": list(classes.seeds), "fewer": classes.fewer, "letter": classes.letter}


def described(part: Part) -> dict[str, Any]:
    """A part with its laws."""
    return {
        "copies": part.copies,
        "sorts": dict(part.sorts),
        "parameters": {name: list(axes) for name, axes in part.parameters.items()},
        "seeds": {name: list(axes) for name, axes in part.seeds.items()},
        "positive": sorted(part.positive),
        "network": [_product(term) for term in part.products],
        "laws": [
            {
                "indices": {LETTERS[k]: sort for k, sort in enumerate(law.free)},
                "terms": [_product(term) for term in law.products],
            }
            for law in part.laws
        ],
    }


def _product(term: Product) -> list[Any]:
    return [
        int(term.coefficient),
        [[leaf, *(LETTERS[v] if v < len(LETTERS) else f"i{v}" for v in own)] for leaf, own in term.factors],
    ]


def _proof(proof: Proof) -> dict[str, Any]:
    return {
        "atoms": {
            atom.name: {
                "sorts": sorted(atom.sorts),
                "twins": sorted(atom.twins),
                "size": dict(proof.sharing.sizes[atom.name].terms),
                "least": 1 if atom.single else proof.least.get(atom.name, 0),
            }
            for atom in proof.sharing.atoms
        },
        "fields": {"point": _point(proof.point), "blocks": _blocks(proof.fields, proof.order, False)},
        "laws": {
            "point": _point(proof.laws.point),
            "columns": None if proof.laws.columns is None else _point(proof.laws.columns),
            "blocks": _blocks(proof.laws.blocks, proof.laws.search.placed, True),
        },
    }


def _point(point: Sequence[Pattern]) -> list[list[str]]:
    """Axes of one atom have equal indices."""
    return [[name, *(f"{atom.rstrip('*')}1{'*' * atom.endswith('*')}" for atom in atoms)] for name, *atoms in point]


def _blocks(blocks: Sequence[Block], order: Sequence[Content], laws: bool) -> list[dict[str, Any]]:
    """Up to the last that has a rank; those without stand there too, since later ones need not vanish on them."""
    by_content = {block.content: block for block in blocks}
    last = max((k for k, content in enumerate(order) if content in by_content), default=-1)
    found = []
    for content in order[: last + 1]:
        block = by_content.get(content, Block(content, 0))
        found.append({"content": dict(content), "rank": block.rank, "ways": [_way(way, laws) for way in block.ways]})
    return found


def _way(way: Way, laws: bool) -> dict[str, Any]:
    recipe = _law if laws else _bracket
    rows = [[[_poly(poly), recipe(one)] for poly, one in combination] for combination in way.rows]
    return {"aux": dict(way.auxiliary), "rows": rows}


def _poly(poly: Poly) -> list[Any]:
    return [[c, [_coordinate(v) for v in monomial]] for monomial, c in sorted(poly.items())]


def _coordinate(c: Coordinate) -> list[str]:
    return [c[0], *map(_index, c[1:])]


def _index(index: Index) -> str:
    return f"{index[0]}{abs(index[1])}{'*' * (index[1] < 0)}"


def _law(recipe: tuple[int, Sequence[Index]]) -> list[Any]:
    return [recipe[0], [_index(index) for index in recipe[1]]]


def _bracket(recipe: Any) -> Any:
    if recipe == DRIFT:
        return "drift"
    if recipe[0] and isinstance(recipe[0][0], str):  # a seed: pairs of a leaf and its indices
        return {leaf: [[*map(_index, own)] for other, own in recipe if other == leaf] for leaf, _ in recipe}
    return [_bracket(each) for each in recipe]
