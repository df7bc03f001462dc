"""Families of laws as parameters seen as matrices: the views, and that they are the laws of symmetry."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from program_checks import flow_of
from random_programs import case

import clexact
from clexact import models
from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.functions import embedding
from clexact.symmetry import unread
from clexact.symmetry.families import Family
from clexact.symmetry.groups import Groups
from clexact.symmetry.views import Term, View, view_of

PRIME = 2**31 - 1


@st.composite
def views(draw):
    """A view of a parameter, and the parameter's shape: a slice along an axis, its axes split."""
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    axis = draw(st.integers(0, len(shape) - 1))
    start = draw(st.integers(0, shape[axis] - 1))
    stop = draw(st.integers(start + 1, shape[axis]))
    sliced = [stop - start if n == axis else size for n, size in enumerate(shape)]
    divisors = [draw(st.sampled_from([d for d in range(1, size + 1) if size % d == 0])) for size in sliced]
    split = tuple(n for d, size in zip(divisors, sliced, strict=True) for n in (d, size // d))
    order = draw(st.permutations(range(len(split))))
    unit = draw(st.sampled_from([None, order[0]]))
    rest = [n for n in order if n != unit]
    group = tuple(sorted(rest[: draw(st.integers(0, len(rest)))]))
    return View(split, group, unit, axis, start, stop), shape


@given(views())
def test_a_view_is_found_from_its_entries(drawn):
    view, shape = drawn
    entries = Term("w", 1, view, shape).entries
    found = view_of(entries, shape)
    again = Term("w", 1, found, shape).entries
    assert found.index is None and entries.shape == again.shape
    columns, others = (np.argsort(each[0, 0]) for each in (entries, again))  # in any order, the same for all rows
    assert np.array_equal(entries[:, :, columns], again[:, :, others])


@given(views(), st.integers(0, 2**32))
def test_terms_read_matrices(drawn, seed):
    """Against the matrices written out, on integers that no float rounds."""
    view, shape = drawn
    term = Term("w", 1, view, shape)
    a, b = (Draws(seed + n).residues(shape, 1000).astype(np.int64).astype(object) for n in range(2))
    p, q = (x.ravel()[term.entries] for x in (a, b))
    assert np.array_equal(term.gram(a), np.einsum("gic,gjc->gij", p, p, optimize=False))
    assert np.array_equal(term.norms(a, b), (p * q).sum(2).ravel())
    assert np.array_equal(term.sums(a), p.sum(1).ravel())
    assert np.array_equal(term.square(a, b), (p.sum(1) * q.sum(1)).sum(1))


@pytest.mark.parametrize("entries", [[[[0, 3], [5, 1]]], [[[0, 0], [1, 2]]], [[[7], [2]], [[1], [4]]]])
def test_entries_without_an_order_are_listed(entries):
    entries = np.array(entries)
    found = view_of(entries, (4, 2))
    assert found.index is not None and np.array_equal(Term("w", 1, found, (4, 2)).entries, entries)


# --- families ---------------------------------------------------------------------------------------------------------


def expanded(family: Family, offsets):
    """The laws of a family, {monomial: coefficient}, by their definition."""
    laws: dict[object, dict[tuple[int, ...], int]] = {}
    for term in family.terms:
        for g, matrix in enumerate(term.entries + offsets[term.parameter]):
            rows, columns = matrix.shape
            for c in range(columns):
                for i in range(rows):
                    for j in range(rows):
                        key = {
                            "gram": (g, min(i, j), max(i, j)), "diagonal": (g, i), "scale": (g, i), "total": g,
                            "translation": (g, c),
                        }[family.kind]  # fmt: skip
                        if family.kind in ("diagonal", "scale", "translation") and i != j:
                            continue
                        entry = tuple(sorted((int(matrix[i, c]), int(matrix[j, c]))))
                        entry = entry[:1] if family.kind == "translation" else entry
                        law = laws.setdefault(key, {})
                        law[entry] = law.get(entry, 0) + term.coefficient
    return list(laws.values())


def rank(laws):
    monomials = {key: n for n, key in enumerate(dict.fromkeys(key for law in laws for key in law))}
    rows = [[law.get(key, 0) % PRIME for key in monomials] for law in laws]
    return linalg.flint_rank(rows, PRIME)


def agree(flow):
    """The families span the laws of symmetry, but for products of entries that do not move."""
    groups, offsets = Groups(flow.program, flow.model.offsets()), flow.model.offsets()
    laws = [law for family in groups.families for law in expanded(family, offsets)]
    still = [key[0] for law in laws if len(law) == 1 for key in law if len(key) == 1]
    squares = [{(i, j): 1} for i in still for j in still if i <= j]
    known = groups.symmetries.euclidean_laws()
    assert rank(laws) <= rank(laws + squares) == rank(laws + squares + known) == rank(squares + known)


FAMILIES = {
    "linear": lambda: models.linear([4, 3, 5]),
    "deep": lambda: models.linear([2, 3, 3, 2]),
    "relu": lambda: models.relu([3, 4, 3, 2], bias=True),
    "conv1d": lambda: models.conv1d([2, 3, 2], 2),
    "conv2d": lambda: models.conv2d([1, 2, 2], 2, relu=True),
    "attention": lambda: models.attention(4, 2, heads=2),
    "swiglu": lambda: models.swiglu(3, 4, 2),
    "scalar": lambda: clexact.Model({"a": (), "U": (2, 3)}, {"x": 3}, lambda a, U, x: a * (U @ x)),
    "centred": lambda: clexact.Model(
        {"U": (4, 3), "V": (4, 2)}, {"x": 3}, lambda U, V, x: (lambda y: (y - y.mean()) @ (V - V.mean(axis=0)))(U @ x)
    ),
    "unread": lambda: clexact.Model({"E": (7, 3), "u": ()}, {}, lambda E, u: u * embedding(E, [2, 4])),
}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("few", [unread.FEW, 0])
def test_families_are_the_laws_of_symmetry(name, few, monkeypatch):
    monkeypatch.setattr(unread, "FEW", few)
    flow = clexact.gradient_flow(FAMILIES[name]())
    agree(flow)
    if len(flow.program.shape) and flow.program.shape[-1] > 1:
        agree(clexact.gradient_flow(FAMILIES[name](), "cross_entropy"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_families_of_random_programs(seed):
    program = replace(case(seed), flow={"flow": "gradient"})
    agree(flow_of(program))


def test_rows_that_are_not_read_are_set_aside(monkeypatch):
    """The same laws as with them: of each entry, and of the rows that are read where they are."""
    flow = clexact.gradient_flow(FAMILIES["unread"]())
    plain = Groups(flow.program, flow.model.offsets())
    monkeypatch.setattr(unread, "FEW", 0)
    aside = Groups(flow.program, flow.model.offsets())
    written = [(family.kind, [term.written for term in family.terms]) for family in aside.families]
    assert ("translation", ["E[0:2]"]) in written and ("translation", ["E[5:7]"]) in written
    offsets = flow.model.offsets()
    both = [[law for f in groups.families for law in expanded(f, offsets)] for groups in (plain, aside)]
    assert rank(both[0]) == rank(both[1]) == rank(both[0] + both[1])
