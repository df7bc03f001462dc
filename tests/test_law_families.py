"""The law type: families are what their formulas, their polynomials and their gradients say; and are confirmed."""

import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product
from math import prod

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import clexact
from clexact import models
from clexact.algebra.draws import Draws
from clexact.functions import layer_norm, softmax
from clexact.laws.confirmation import RefutedLawWarning, confirmed_families
from clexact.laws.families import change, gradients, sparse_independent
from clexact.laws.listing import LawList
from clexact.laws.polynomial_laws import laws_from_dicts, listed_laws
from clexact.laws.result import independent
from clexact.symmetry.families import Family
from clexact.symmetry.folding import folded
from clexact.symmetry.views import Term, View

PRIME = 2**61 - 1


def heads(x, Q, K, b):
    """Two heads in one array each, with biases of the keys that a softmax does not see."""
    q, k = ((x @ A).reshape(2, 2, 2) for A in (Q, K))
    scores = softmax((q * (k + b.reshape(1, 2, 2))).sum(axis=2).T, axis=0)
    return scores.sum(axis=1)


MODELS = {
    "product": models.product(4),
    "linear": models.linear([2, 3, 1]),
    "deep": models.linear([2] * 5),
    "relu": models.relu([2, 3, 2], bias=True),
    "attention": models.attention(2, 2),
    "conv": models.conv1d([1, 2, 1], 2, relu=True),
    "gru": models.gru(1, 1, 1, bias=True),
    "moe": models.moe(1, 2, 1),
    "neuron": models.neuron(2, powers=[3]),
    "weight norm": models.weight_norm(2, 1, 1, gain=True),
    "transformer": models.transformer(2, 1, 2),
    "heads": clexact.Model({"Q": (3, 4), "K": (3, 4), "b": (4,)}, {"x": (2, 3)}, heads),
    "reshaped": clexact.Model(
        {"U": (2, 2), "W": (4, 1)},
        {"x": (2, 2)},
        lambda U, W, x: (clexact.functions.relu(U * x).reshape(4) * W[:, 0]).sum(),
    ),
    "turned": clexact.Model(
        {"U": (2, 3), "W": (6,)}, {"x": (2, 3)}, lambda U, W, x: (clexact.functions.relu(U * x).T.reshape(6) * W).sum()
    ),
    "scalar": clexact.Model({"u": (), "v": (2,)}, {"x": (2,)}, lambda u, v, x: u * clexact.functions.relu(v @ x)),
    "normed": clexact.Model({"W": (3, 2), "V": (2, 3)}, {"x": 2}, lambda W, V, x: V @ layer_norm(W @ x)),
    "centred": clexact.Model(
        {"A": (3, 2), "B": (2, 3)}, {"x": 2}, lambda A, B, x: B @ ((h := A @ x) - h.mean()) + (h - h.mean())[:2]
    ),
    "unread": clexact.Model({"E": (5,), "u": ()}, {"x": ()}, lambda E, u, x: clexact.functions.relu(u * x) * E[2]),
}


def flow_of(name):
    return clexact.gradient_flow(MODELS[name])


def families_of(name):
    return flow_of(name).families


def independent_entries(family, value):
    """The numbers of ``polynomials()`` among those of a value (*batch, *shape), along a last axis."""
    if family.kind != "gram":
        return np.reshape(value, (*np.shape(value)[: np.ndim(value) - len(family.shape)], -1))
    i, j = np.triu_indices(family.rows)
    upper = value[..., i, j]
    return upper.reshape(*upper.shape[: -2 if family.groups > 1 else -1], -1)


def points(flow, *batch, seed=0):
    return np.random.default_rng(seed).integers(-9, 10, (*batch, flow.dimension))


# -- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_a_law_is_its_polynomials(name):
    flow = flow_of(name)
    theta = points(flow, 2, 3)
    for law in flow.families:
        value, polynomials = law(theta), law.polynomials()
        assert value.shape == (2, 3, *law.shape) and len(polynomials) == law.size
        expected = [[[h(*map(int, x)) for h in polynomials] for x in row] for row in theta]
        assert independent_entries(law, value).tolist() == expected
        named = {n: theta[..., a : a + prod(s)].reshape(2, 3, *s) for (n, s), a in parts(flow)}
        assert np.array_equal(law(**{n: named[n] for n in law.parameters}), value)
        assert np.array_equal(law(named), value)
        assert np.allclose(law(theta.astype(float)), value.astype(float))


def parts(flow):
    shapes = flow.model.parameters
    return zip(shapes.items(), [flow.model.offsets()[name] for name in shapes], strict=True)


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_those_of_sympy(name):
    flow = flow_of(name)
    symbols = sympy.symbols(f"t:{flow.dimension}")
    x = points(flow)
    for law in flow.families:
        found = law.gradient(x)
        rows = np.zeros((law.size, flow.dimension), dtype=object)
        for (n, shape), first in parts(flow):
            if n in found:
                assert found[n].shape == (*law.shape, *shape)
                flat = found[n].reshape(*law.shape, prod(shape))
                rows[:, first : first + prod(shape)] = independent_entries(law, np.moveaxis(flat, -1, 0)).T
        values = dict(zip(symbols, x.tolist(), strict=True))
        for row, h in zip(rows, law.polynomials(), strict=True):
            expression = sum(c * prod(symbols[v] ** k for v, k in key) for key, c in h.items())
            assert row.tolist() == [expression.diff(s).subs(values) for s in symbols]


@pytest.mark.parametrize("name", MODELS)
def test_weighted_gradients_are_sums(name):
    flow = flow_of(name)
    theta = points(flow, 3)
    for law in flow.families:
        weights = np.random.default_rng(1).integers(-5, 6, (3, *law.shape))
        every, found = law.gradient(theta), law.gradient(theta, weights)
        for parameter, each in every.items():
            axes = tuple(range(len(law.shape)))
            sums = [np.tensordot(w, g, axes=(axes, axes)) for w, g in zip(weights, each, strict=True)]
            assert np.array_equal(found[parameter], sums)


@given(st.lists(st.fractions(), min_size=9, max_size=9))
@settings(max_examples=20, deadline=None)
def test_fractions_are_exact(theta):
    (law,) = families_of("linear")
    value = law(theta)
    assert independent_entries(law, value).tolist() == [h(*theta) for h in law.polynomials()]
    assert all(isinstance(x, (int, Fraction)) for x in value.ravel())


def test_machine_integers_do_not_overflow():
    (law,) = families_of("product")
    huge = np.array([2**62, 1, 2, 3])
    assert law(huge).tolist() == [2**124 - 1, -3, -5] and law.gradient(huge, [2**40, 0, 0])["x"][0] == 2**103
    assert law([10**30, 0, 0, 0])[0] == 10**60
    assert law(np.array([2**63, 0, 0, 0], dtype=np.uint64))[0] == 2**126
    assert law(np.array([True, False, False, False])).tolist() == [1, 0, 0]


@pytest.mark.parametrize("name", ["deep", "relu", "heads", "gru", "centred", "scalar", "unread"])
def test_tensors_are_read_as_arrays_are(name):
    torch = pytest.importorskip("torch")
    flow = flow_of(name)
    theta = points(flow, 2).astype(float)
    for law in flow.families:
        tensor = torch.tensor(theta, requires_grad=True)
        value = law(tensor)
        assert np.allclose(value.detach().numpy(), law(theta))
        weights = torch.arange(float(prod(law.shape))).reshape(law.shape).double()
        (expected,) = torch.autograd.grad((value * weights).sum(), tensor)
        found = law.gradient(tensor.detach(), weights.expand(2, *law.shape))
        for (parameter, shape), first in parts(flow):
            if parameter in found:
                own = expected[:, first : first + prod(shape)].reshape(2, *shape)
                assert torch.allclose(found[parameter], own)
        each = law.gradient(tensor.detach())
        assert all(np.allclose(each[n].numpy(), g) for n, g in law.gradient(theta).items())


def test_bad_points_are_told_in_one_sentence():
    (law,) = families_of("linear")
    for given_, message in [
        ([1, 2], r"theta must have 9 entries along its last axis, not the shape \(2,\)."),
        (3, r"theta must have 9 entries along its last axis, not the shape \(\)."),
        ([[1, 2], [3]], "theta must be an array, not rows of different lengths."),
        ({"U1": np.ones((2, 3))}, "the law speaks of U1, U2, but U2 is not given."),
        ({"U1": np.ones((3, 2)), "U2": np.ones((3, 1))}, r"U1 must have the shape \(2, 3\), with batches in front"),
        ({"U1": np.ones((2, 3)), "U2": np.ones((3, 1)), "b": 1}, "there is no parameter b: there are U1, U2."),
    ]:
        with pytest.raises(ValueError, match=message):
            law(given_)
    with pytest.raises(ValueError, match=r"weights must have the shape \(3, 3\)"):
        law.gradient(range(9), [1, 2])
    for wrong in (lambda: law(), lambda: law(range(9), U1=1)):
        with pytest.raises(TypeError, match="a law takes either theta, one vector of all parameters, or arrays"):
            wrong()
    with pytest.raises(TypeError, match="theta must hold numbers, not <U1"):
        law(list("abcdefghi"))


# -- how they are written ---------------------------------------------------------------------------------------------


def index_sets(text):
    """{letter: its values}, of i < 3, j in {0, 2, 5..9}."""
    found = {}
    for letter, size, some in re.findall(r"(\w) (?:< (\d+)|in \{([^}]*)\})", text):
        runs = [list(map(int, run.split(".."))) for run in some.split(", ")] if some else [[0, int(size) - 1]]
        found[letter] = [n for run in runs for n in range(run[0], run[-1] + 1)]
    return found


def written_values(law, arrays):
    """The numbers of a law from its ASCII formula alone, computed by PyTorch, as a dictionary by indices."""
    torch = pytest.importorskip("torch")
    text, _, where = law.formula.removesuffix(" for each h").partition(" where ")
    space = {name: torch.tensor(a, dtype=torch.float64) for name, a in arrays.items()}
    definitions = [part.split(" = ") for part in where.split("; ") if part]
    ranges = index_sets(law.indices) if law.kind != "gram" else {}
    out = {}
    for index in product(*ranges.values()):
        names = dict(zip(ranges, index, strict=True))
        found = dict(space)
        for name, expression in definitions:
            found[name] = eval(expression, {}, found)
        total = 0.0
        for sign, c, part in re.findall(
            r"([+-]) (?:(\d+) )?((?:\|?sum_\w )?\S+)", text if text[0] in "-" else f"+ {text}"
        ):
            total += (-1 if sign == "-" else 1) * int(c or 1) * read(part, found, names)
        out[index] = float(total)
    return out


def read(part, space, names):
    """A squared norm |A|^2, a square a^2, a sum."""
    torch = pytest.importorskip("torch")
    if match := re.fullmatch(r"\|(.*)\|\^2", part):
        return (vector(match[1], space, names) ** 2).sum()
    if part.endswith("^2"):
        return vector(part[:-2], space, names).reshape(()) ** 2
    return torch.as_tensor(vector(part, space, names)).sum()


def vector(text, space, names):
    if match := re.fullmatch(r"sum_(\w) (.*)", text):
        values, n = [], 0
        while True:
            try:
                values.append(vector(match[2], space, {**names, match[1]: n}))
            except IndexError:
                return sum(values)
            n += 1
    return eval(text, {}, {**space, **names})


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("linear", "deep", "attention")])
def test_formulas_say_what_is_evaluated(name):
    flow = flow_of(name)
    theta = points(flow)
    arrays = {n: theta[a : a + prod(s)].reshape(s) for (n, s), a in parts(flow)}
    for law in flow.families:
        if law.kind != "gram":
            assert list(written_values(law, arrays).values()) == np.ravel(law(theta)).tolist()


@pytest.mark.parametrize(
    ("name", "plain", "pretty", "latex"),
    [
        ("linear", "U1^T U1 - U2 U2^T  (i <= j < 3)", "U1ᵀU1 − U2U2ᵀ  (i ≤ j < 3)",
         r"U_{1}^\top\,U_{1} - U_{2}\,U_{2}^\top"),
        ("relu", "|U1[:,i]|^2 - |U2[i]|^2 - b2[i]^2  (i < 3)", "|U1[:,i]|² − |U2[i]|² − b2[i]²  (i < 3)",
         r"\|U_{1;:,i}\|^2 - \|U_{2;i}\|^2 - b_{2;i}^2"),
        ("product", "x[i]^2 - x[i+1]^2  (i < 3)", "x[i]² − x[i+1]²  (i < 3)", "x_{i}^2 - x_{i+1}^2"),
        ("neuron", "3 u^2 - |v|^2", "3 u² − |v|²", r"3 u^2 - \|v\|^2"),
        ("moe", "sum_i W[i,0]", "Σ_i W[i,0]", r"\textstyle\sum_{i} W_{i,0}"),
    ],
)  # fmt: skip
def test_how_a_law_is_written(name, plain, pretty, latex):
    laws = clexact.certify(flow_of(name)).laws
    assert (laws.written(), str(laws[0]), laws.to_latex()) == ([plain], pretty, [latex])
    assert (repr(laws[0]), laws[0]._repr_latex_()) == (f"Family({pretty})", f"$${latex}$$")


# -- all of them, and only true ones ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_families_are_as_many_as_the_laws_of_all_entries(name):
    """No law of the symmetries, entry by entry, is independent of the families."""
    flow = flow_of(name)
    point = Draws(3, b"").residues((flow.dimension,), PRIME)
    assert len(independent(listed_laws(flow, 2), point, PRIME)) == len(
        independent(laws_from_dicts(flow, flow.proposed_laws(), 2, 0), point, PRIME)
    )


@pytest.mark.parametrize("name", MODELS)
def test_no_family_is_moved_and_any_false_one_is(name):
    flow = flow_of(name)
    kept, others = confirmed_families(flow, flow.families, flow.draws(5))
    assert tuple(kept) == flow.families and not len(others)
    draws = Draws(1, b"")
    theta, field = (draws.residues((flow.dimension,), PRIME) for _ in range(2))
    for law in flow.families:
        terms = law.expanded()
        moving = change(law, theta, field, PRIME, draws)
        assert moving.any() and len(terms)
        if law.kind != "gram":  # <grad h, X> from the polynomials
            point, direction = theta.tolist(), field.tolist()
            rates = [sum(d(*point) * v for d, v in zip(h.gradient, direction, strict=True)) for h in law.polynomials()]
            assert [int(x) % PRIME for x in moving] == [int(r) % PRIME for r in rates]


def broken(law):
    """The law with another coefficient."""
    first, *others = law.terms
    return replace(law, terms=(replace(first, coefficient=first.coefficient + 2), *others))


@pytest.mark.parametrize("name", ["linear", "relu", "attention", "gru", "heads"])
def test_a_false_family_is_left_out(monkeypatch, name):
    flow = flow_of(name)
    true, count = flow.families, clexact.certify(flow_of(name))
    false = broken(true[0])
    monkeypatch.setitem(vars(flow), "families", (*true, false))
    with pytest.warns(RefutedLawWarning, match=f"{false.size} of the laws proposed"):
        laws = listed_laws(flow, 2)
    assert laws.families == true and not len(laws.others)
    with pytest.warns(RefutedLawWarning):
        assert str(clexact.certify(flow)) == str(count)


def test_true_numbers_of_a_false_family_are_kept(monkeypatch):
    """One number of three is a law: it is listed as a polynomial."""
    flow = flow_of("relu")
    first = Term("U1", 1, View((2, 2), (), 1, 1, 0, 2), (2, 3))
    rows = Term("U2", -1, View((2, 2), (), 0, 0, 0, 2), (3, 2))
    last = Term("b2", -1, View((2,), (), 0, 0, index=(0, 2)), (3,))
    family = Family("diagonal", (first, rows, last), layout=flow.families[0].layout)
    monkeypatch.setitem(vars(flow), "families", (family,))
    with pytest.warns(RefutedLawWarning, match="1 of the laws proposed"):
        laws = listed_laws(flow, 2)
    assert laws.families == () and list(laws.others) == family.polynomials()[:1]


@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_families_modulo_a_prime(name):
    """At a sparse point, entry by entry, those of the polynomials."""
    flow = flow_of(name)
    point = np.random.default_rng(2).integers(0, 3, flow.dimension).astype(np.uint64)
    for law in flow.families:
        dense = np.zeros((law.size, flow.dimension), dtype=object)
        for number, place, value in gradients(law, point, PRIME):
            np.add.at(dense, (number, place), value.astype(object))
        at = [int(x) for x in point]
        expected = [[int(d(*at)) % PRIME for d in h.gradient] for h in law.polynomials()]
        assert (dense % PRIME).tolist() == expected


def test_sparse_independence_is_that_of_polynomials():
    for name in ("deep", "relu", "heads"):
        flow = flow_of(name)
        laws, point = listed_laws(flow, 2), Draws(4, b"").residues((flow.dimension,), PRIME)
        mixed = LawList(laws.families[1:], laws_from_dicts(flow, flow.proposed_laws(), 2, 0))
        for each in (laws, mixed):
            assert len(sparse_independent(each, point, PRIME)) == len(independent(each, point, PRIME))


# -- the list ---------------------------------------------------------------------------------------------------------


def test_a_large_family_is_never_written_out(monkeypatch):
    """Not when it is counted, shown, or made JSON without its polynomials."""
    monkeypatch.setattr(Family, "expanded", lambda *_: pytest.fail("written out"))
    count = clexact.certify(clexact.gradient_flow(models.linear([16, 16, 16])))
    assert count.exact and count.lower == count.laws.size == 136 and len(count.laws) == 1
    assert count.blocks == {("U1", "U2"): 136} and count.to_dict(laws=True)["laws"] == count.laws.written()
    for shown in (str(count), repr(count.laws), count._repr_html_(), count._repr_latex_(), count.laws._repr_html_()):
        assert shown


@pytest.mark.parametrize("name", ["deep", "relu", "transformer", "centred"])
def test_polynomials_are_written_out_some_at_a_time(name):
    laws = clexact.certify(flow_of(name)).laws
    whole, size = laws.polynomials(), laws.size
    assert len(whole) == size == sum(getattr(law, "size", 1) for law in laws)
    for first, last in pairwise([0, 1, size // 2, size]):
        assert laws.packed(first, last) == whole.packed(first, last)
    assert [str(h) for law in laws.families for h in law.polynomials()] == [str(h) for h in whole][: laws.first[-1]]


def test_laws_of_a_search_stand_beside_families():
    flow = flow_of("product")
    laws = listed_laws(flow, 4)
    found = clexact.polynomial_laws(flow, 4)
    both = laws.beside(found)
    assert both.families == laws.families and both.complete
    assert both.size == len(found) and {h.degree for h in both.others} == {4}


# -- repeated blocks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [2, 3, 4, 7, 12])
def test_equal_layers_share_a_line(depth):
    laws = clexact.gradient_flow(models.linear([2] * (depth + 1))).families
    folds = folded(laws)
    assert [law for fold in folds for law in fold.members] == list(laws)
    assert [fold.many for fold in folds] == ([depth - 1] if depth > 3 else [1] * (depth - 1))
    for fold in folds:
        for n, law in enumerate(fold.members, start=1):
            if fold.many > 1:
                text = re.sub(r"_\(k\+1\)", str(n + 1), str(fold.shown))
                assert re.sub("_k", str(n), text) == str(law)
    if depth > 3:
        assert folds[0].suffix == f" for k = 1, ..., {depth - 1}"


def family(kind, *parameters):
    terms = tuple(Term(name, c, View((2, 2), (), unit), (2, 2)) for name, c, unit in parameters)
    return Family(kind, terms)


def test_only_consecutive_laws_of_one_form_are_folded():
    chain = [family("gram", (f"h.{n}.a", 1, 0), (f"h.{n}.b", -1, 1)) for n in (0, 1, 2, 5, 6, 7, 9)]
    other = [family("diagonal", (f"h.{n}.a", 1, 0), (f"h.{n}.b", -1, 1)) for n in (3, 4)]
    laws = [chain[0], other[0], *chain[1:], other[1]]
    folds = folded(laws)
    assert [(fold.first, fold.many) for fold in folds] == [(0, 3), (1, 1), (4, 3), (7, 1), (8, 1)]
    assert str(folds[0]) == "h.0..2.a·h.0..2.aᵀ − h.0..2.bᵀ·h.0..2.b  (i ≤ j < 2), 3 such laws"
    assert sorted(map(str, (law for fold in folds for law in fold.members))) == sorted(map(str, laws))
    steps = [family("gram", (f"{2 * n}.w", 1, 0), (f"{2 * n + 2}.w", -1, 1)) for n in range(5)]
    assert [fold.many for fold in folded(steps)] == [1] * 5
    assert folded([]) == []
    different = [family("gram", (f"h.{n}.a", 1, 0), ("b", -1, 1)) for n in range(3)]
    assert [fold.many for fold in folded(different, more=lambda law: law is different[1])] == [1, 1, 1]
    assert [fold.many for fold in folded(different)] == [3]
