"""Vector fields: brackets and Lie derivatives against the formulas and SymPy, identities, round trips, errors."""

import pickle
import random
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from reference import (
    BIG,
    FEW,
    MODEST,
    XYZ,
    as_fields,
    as_sparse,
    from_fields,
    from_sparse,
    naive_bracket,
    naive_lie_derivative,
    naive_scaled,
    names,
    polynomials,
    random_fields,
    random_sparse,
    sparse_polynomials,
    vector_fields,
)

from clexact.algebra import parse
from clexact.algebra.fields import VectorFields, bracket, lie_derivative, lie_derivatives
from clexact.algebra.polynomial import Polynomial

XY = ("x", "y")
SYMBOLS = sympy.symbols("x y z")


def fields_of(*fields, variables=XYZ):
    return VectorFields.from_strings(variables, fields)


def combination(*weighted):
    """The single field sum of c X over the pairs (c, X) of families of one."""
    D = weighted[0][1].dimension
    components = [[c * p for p in X.components(0)] for c, X in weighted]
    return VectorFields(weighted[0][1].variables, [[sum(c[j] for c in components) for j in range(D)]])


def is_zero(X):
    return all(p.is_zero for i in range(len(X)) for p in X.components(i))


# --- brackets --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@MODEST
@given(vector_fields(count=1), vector_fields(count=1))
def test_bracket(X, Y):
    (x,), (y,) = as_fields(X), as_fields(Y)
    assert as_fields(bracket(X, Y)) == [naive_bracket(x, y)]


@pytest.mark.slow
@FEW
@given(vector_fields(count=1), vector_fields(count=1))
def test_bracket_is_that_of_sympy(X, Y):
    x, y = (sympy.Matrix(F.to_sympy()[0]) for F in (X, Y))
    expected = x.jacobian(SYMBOLS) * y - y.jacobian(SYMBOLS) * x
    given_field = sympy.Matrix(bracket(X, Y).to_sympy()[0])
    assert (given_field - expected).expand() == sympy.zeros(3, 1)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("dimension", "left", "right"), [(1, 2, 2), (4, 3, 3), (6, 1, 4), (5, 4, 1), (3, 0, 1), (3, 1, 0)]
)
def test_bracket_of_families(seed, dimension, left, right):
    rng = random.Random(seed)
    X, Y = (random_fields(rng, names(dimension), count) for count in (left, right))
    count = 0 if 0 in (left, right) else max(left, right)
    x, y = (as_fields(F) * (count if len(F) == 1 else 1) for F in (X, Y))
    out = bracket(X, Y)
    assert len(out) == count and out.variables == names(dimension)
    assert as_fields(out) == [naive_bracket(a, b) for a, b in zip(x[:count], y[:count], strict=True)]


@FEW
@given(vector_fields(count=2))
def test_bracket_is_antisymmetric(X):
    assert bracket(X[0], X[1]) == combination((-1, bracket(X[1], X[0])))
    assert is_zero(bracket(X[0], X[0]))


@FEW
@given(vector_fields(count=3))
def test_bracket_obeys_jacobi(X):
    a, b, c = X
    cyclic = [bracket(u, bracket(v, w)) for u, v, w in ((a, b, c), (b, c, a), (c, a, b))]
    assert is_zero(combination(*((1, F) for F in cyclic)))


@pytest.mark.slow
@FEW
@given(vector_fields(count=3), st.fractions(max_denominator=9), st.fractions(max_denominator=2**40))
def test_bracket_is_bilinear(X, s, t):
    a, b, c = X
    assert bracket(combination((s, a), (t, b)), c) == combination((s, bracket(a, c)), (t, bracket(b, c)))
    assert bracket(c, combination((s, a), (t, b))) == combination((s, bracket(c, a)), (t, bracket(c, b)))


@pytest.mark.slow
@FEW
@given(vector_fields(count=2), polynomials(max_terms=2))
def test_bracket_obeys_leibniz_for_functions(X, h):
    r"""[X, h Y] = h [X, Y] - (X h) Y with the sign of this bracket."""
    a, b = X
    scaled = VectorFields(XYZ, [[h * p for p in b.components(0)]])
    first = VectorFields(XYZ, [[h * p for p in bracket(a, b).components(0)]])
    second = VectorFields(XYZ, [[lie_derivative(h, a)[0] * p for p in b.components(0)]])
    assert bracket(a, scaled) == combination((1, first), (-1, second))


@FEW
@given(vector_fields(count=2), polynomials(max_terms=3))
def test_bracket_is_the_commutator_of_derivations(X, h):
    r"""[X, Y] h = Y (X h) - X (Y h) with the sign of this bracket."""
    a, b = X
    (xh,), (yh,) = lie_derivative(h, a), lie_derivative(h, b)
    assert lie_derivative(h, bracket(a, b))[0] == lie_derivative(xh, b)[0] - lie_derivative(yh, a)[0]


@pytest.mark.parametrize(
    "c", [2**31, 2**32 - 1, 2**62, 2**63 - 1, -(2**63), BIG, Fraction(2**63 - 1, 3), Fraction(1, BIG)]
)
def test_bracket_past_int64(c):
    x = [naive_scaled(c, p) for p in ({((0, 2),): 1}, {((0, 1), (1, 1)): 3}, {})]
    y = [{((1, 3),): Fraction(c)}, {(): Fraction(-c)}, {((2, 2),): Fraction(1)}]
    X, Y = (from_fields(XYZ, [field]) for field in (x, y))
    assert as_fields(bracket(X, Y)) == [naive_bracket(x, y)]
    assert as_fields(bracket(X, bracket(X, Y))) == [naive_bracket(x, naive_bracket(x, y))]


def test_bracket_whose_large_terms_cancel():
    X, Y = fields_of([f"{BIG}*x", f"{BIG}*y", "0"]), fields_of(["y", "-x", "0"])
    assert is_zero(bracket(X, Y)) and bracket(X, Y).terms.coef.dtype == np.int64


def test_bracket_without_variables():
    X = VectorFields([], [[], []])
    assert len(bracket(X, X)) == 2 and bracket(X, X) == X and X.components(1) == []


def test_bracket_rejects():
    X = fields_of(["x", "y", "z"], ["y", "z", "x"])
    with pytest.raises(ValueError, match=r"fields in .* and in .* do not combine"):
        bracket(X, fields_of(["x", "y"], variables=XY))
    with pytest.raises(ValueError, match="families of equal length or of one field, not 2 and 3"):
        bracket(X, X + X[0])


# --- Lie derivatives -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@MODEST
@given(sparse_polynomials(3), vector_fields())
def test_lie_derivative(h, X):
    expected = [naive_lie_derivative(h, field) for field in as_fields(X)]
    assert [as_sparse(p) for p in lie_derivative(from_sparse(XYZ, h), X)] == expected


@pytest.mark.slow
@FEW
@given(polynomials(), vector_fields(count=1))
def test_lie_derivative_is_that_of_sympy(h, X):
    expected = sum(f * sympy.diff(h.to_sympy(), s) for f, s in zip(X.to_sympy()[0], SYMBOLS, strict=True))
    assert sympy.expand(lie_derivative(h, X)[0].to_sympy() - expected) == 0


@pytest.mark.slow
@FEW
@given(polynomials(max_terms=2), polynomials(max_terms=2), vector_fields(count=2))
def test_lie_derivative_obeys_leibniz(g, h, X):
    pairs = zip(lie_derivative(g, X), lie_derivative(h, X), strict=True)
    assert lie_derivative(g * h, X) == [dg * h + g * dh for dg, dh in pairs]


@pytest.mark.slow
@FEW
@given(polynomials(), polynomials(), vector_fields(count=2))
def test_lie_derivative_is_linear(g, h, X):
    pairs = zip(lie_derivative(g, X), lie_derivative(h, X), strict=True)
    assert lie_derivative(g * 3 - h / 7, X) == [dg * 3 - dh / 7 for dg, dh in pairs]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("laws", "count", "dimension"), [(3, 4, 5), (0, 2, 3), (2, 0, 3), (5, 1, 1), (1, 3, 7)])
def test_lie_derivatives_of_many_polynomials_along_many_fields(seed, laws, count, dimension):
    rng = random.Random(seed)
    variables = names(dimension)
    X = random_fields(rng, variables, count)
    h = [from_sparse(variables, random_sparse(rng, dimension)) for _ in range(laws)]
    terms = lie_derivatives(h, X)
    first = terms.segments(laws * count)
    for n, p in enumerate(h):
        for i, field in enumerate(as_fields(X)):
            own = range(first[n * count + i], first[n * count + i + 1])
            derivative = {terms.monomial(t): int(terms.coef[t]) for t in own}
            cleared = naive_scaled(p.denominator * X.denominators[i], naive_lie_derivative(as_sparse(p), field))
            assert derivative == cleared
    assert len(terms) == first[-1]


@pytest.mark.parametrize(
    ("fields", "law"),
    [
        ([["y", "x", "0"]], "x^2 - y^2"),
        ([["y*z", "-x*z", "0"], ["0", "0", "x - x"]], "x^2 + y^2 + z"),
        ([["x", "-y", "0"]], "x*y + 1/3*z^2"),
    ],
)
def test_a_law_has_no_lie_derivative(fields, law):
    X, h = fields_of(*fields), Polynomial.from_string(law, XYZ)
    assert all(p.is_zero for p in lie_derivative(h, X)) and len(lie_derivatives([h], X)) == 0
    assert not all(p.is_zero for p in lie_derivative(h + Polynomial.from_string("x", XYZ), X))


def test_lie_derivative_of_nothing():
    X = fields_of(["x", "y", "z"])
    assert lie_derivative(Polynomial(XYZ, {}), X) == [Polynomial(XYZ, {})]
    assert lie_derivative(Polynomial.from_string("x", XYZ), VectorFields(XYZ, [])) == []
    assert lie_derivative(Polynomial([], {(): 2}), VectorFields([], [[]])) == [Polynomial([], {})]


def test_lie_derivative_rejects_another_ring():
    with pytest.raises(ValueError, match=r"a polynomial in \('x', 'y'\) has no derivative along fields in"):
        lie_derivative(Polynomial.from_string("x", XY), fields_of(["x", "y", "z"]))


# --- construction and containers -------------------------------------------------------------------------------------


@pytest.mark.slow
@MODEST
@given(st.lists(st.lists(sparse_polynomials(2, max_terms=2), min_size=2, max_size=2), max_size=3))
def test_constructor_and_components(fields):
    X = from_fields(XY, fields)
    assert as_fields(X) == fields
    assert (len(X), X.dimension, X.variables) == (len(fields), 2, XY)


@pytest.mark.slow
@MODEST
@given(vector_fields())
def test_round_trips(X):
    texts = [[str(p) for p in X.components(i)] for i in range(len(X))]
    assert VectorFields.from_strings(XYZ, texts) == X
    assert VectorFields.from_sympy(X.to_sympy(), SYMBOLS) == X
    assert VectorFields.from_sympy([sympy.Matrix(field) for field in X.to_sympy()], XYZ) == X
    assert pickle.loads(pickle.dumps(X)) == X


@pytest.mark.slow
@MODEST
@given(vector_fields(count=2))
def test_ode_round_trip(X):
    blocks = ["\n".join(f"{v}' = {p}" for v, p in zip(XYZ, X.components(i), strict=True)) for i in range(2)]
    assert VectorFields.from_ode("\n---\n".join(blocks)) == X


@pytest.mark.slow
@MODEST
@given(vector_fields())
def test_indexing_and_iteration(X):
    assert [as_fields(f)[0] for f in X] == as_fields(X) == [as_fields(X[i])[0] for i in range(len(X))]
    assert all(len(f) == 1 and f.variables == XYZ for f in X)
    for i in range(-len(X), 0):
        assert X[i] == X[len(X) + i]


@pytest.mark.parametrize("i", [2, -3, 10**9])
def test_indexing_rejects_what_is_out_of_range(i):
    with pytest.raises(IndexError, match="out of range"):
        fields_of(["x", "y", "z"], ["0", "0", "0"])[i]


@pytest.mark.slow
@MODEST
@given(vector_fields(), vector_fields())
def test_addition_joins_families(X, Y):
    assert as_fields(X + Y) == as_fields(X) + as_fields(Y)
    assert (X + Y == Y + X) == (as_fields(X) + as_fields(Y) == as_fields(Y) + as_fields(X))


@pytest.mark.slow
@MODEST
@given(vector_fields(count=2), vector_fields(count=1))
def test_joined_families_have_the_brackets_of_their_members(X, Y):
    assert bracket(X + Y, Y) == bracket(X[0], Y) + bracket(X[1], Y) + bracket(Y, Y)


def test_addition_rejects():
    with pytest.raises(ValueError, match="do not combine"):
        fields_of(["x", "y", "z"]) + fields_of(["x", "y"], variables=XY)
    with pytest.raises(TypeError, match="unsupported operand"):
        fields_of(["x", "y", "z"]) + 1


@pytest.mark.slow
@MODEST
@given(vector_fields(), vector_fields())
def test_equality(X, Y):
    assert (X == Y) == (as_fields(X) == as_fields(Y))
    copy = from_fields(XYZ, as_fields(X))
    assert copy == X


@pytest.mark.slow
@MODEST
@given(vector_fields(count=1), vector_fields(count=1), st.integers(1, 2**65))
def test_equality_does_not_see_the_denominator(X, Y, k):
    """A bracket has the product of the denominators, reduced or not."""
    reduced = from_fields(XYZ, as_fields(bracket(X, Y)))
    unreduced = bracket(combination((Fraction(1, k), X)), combination((k, Y)))
    assert unreduced == reduced and unreduced.components(0) == reduced.components(0)
    assert unreduced != combination((k + 1, reduced)) or is_zero(reduced)


def test_a_bracket_is_not_reduced():
    """Else equality would have seen no other denominator."""
    found = bracket(fields_of(["x/2", "0", "0"]), fields_of(["2*x^2", "0", "0"]))
    assert found.denominators == (2,) and found == fields_of(["-x^2", "0", "0"])


def test_equality_with_something_else():
    X = fields_of(["x", "y", "z"])
    assert X != 1 and X != [["x", "y", "z"]] and X != X + X and VectorFields(XYZ, []) != X
    assert X[0] != fields_of(["x", "z", "y"]) and fields_of(["x/2", "0", "0"]) != fields_of(["x", "0", "0"])
    with pytest.raises(TypeError, match="unhashable"):
        hash(X)


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "VectorFields(0 fields on Q^2: )"),
        (1, "VectorFields(1 field on Q^2: [x, -y])"),
        (2, "VectorFields(2 fields on Q^2: [x, -y]; [x, -y])"),
        (3, "VectorFields(3 fields on Q^2: [x, -y]; [x, -y]; ...)"),
    ],
)
def test_repr(count, shown):
    assert repr(fields_of(*[["x", "-y"]] * count, variables=XY)) == shown


def test_zero_components_beside_a_large_denominator():
    X = VectorFields(XY, [[Polynomial(XY, {(1, 0): Fraction(1, BIG)}), Polynomial(XY, {})]])
    assert as_fields(X) == [[{((0, 1),): Fraction(1, BIG)}, {}]]


def test_from_ode_fills_with_zero():
    X = VectorFields.from_ode("x' = y  # a comment\n---\ny' = 1/2*x\nz' = y^2")
    assert fields_of(["y", "0", "0"], ["0", "x/2", "y^2"]) == X


def test_load(tmp_path):
    path = tmp_path / "systeme-é.ode"
    path.write_text("# é\nx' = y\ny' = -x\n", encoding="utf-8")
    expected = fields_of(["y", "-x"], variables=XY)
    assert VectorFields.load(path) == VectorFields.load(str(path)) == expected


def test_load_names_the_file_and_the_place(tmp_path):
    path = tmp_path / "bad.ode"
    path.write_text("x' = y", encoding="utf-8")
    with pytest.raises(ValueError, match=r"bad\.ode: line 1, column 6: unknown variable 'y'"):
        VectorFields.load(path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match=r"bad\.ode: the system has no equation"):
        VectorFields.load(path)
    path.write_bytes(b"x' = \xff\xfe")
    with pytest.raises(ValueError, match=r"bad\.ode: not a text file in UTF-8"):
        VectorFields.load(path)
    with pytest.raises(FileNotFoundError, match="missing"):
        VectorFields.load(tmp_path / "missing.ode")


def test_constructor_rejects():
    x = Polynomial.from_string("x", XY)
    with pytest.raises(ValueError, match="field 1 has 1 components, not 2"):
        VectorFields(XY, [[x, x], [x]])
    with pytest.raises(ValueError, match=r"component y of field 0: expected a polynomial in x, y, not Pol.*'x'"):
        VectorFields(XY, [[x, Polynomial.from_string("x", ["x"])]])
    with pytest.raises(ValueError, match="variables must be distinct"):
        VectorFields(["x", "x"], [])


@pytest.mark.parametrize("fields", ["x", ["x", "y"], [["x", "y"], "xy"]])
def test_from_strings_rejects_a_flat_list(fields):
    with pytest.raises(TypeError, match="fields must be a list of fields, each a list of strings"):
        VectorFields.from_strings(XY, fields)


@pytest.mark.parametrize(
    ("field", "same"),
    [({"x": "y", "y": "-x"}, ["y", "-x"]), ({"y": "-x"}, ["0", "-x"]), ({}, ["0", "0"]), ({"y": "x", "x": "1"}, "1x")],
)
def test_a_field_may_be_a_mapping_of_variables(field, same):
    expected = VectorFields.from_strings(XY, [list(same)])
    assert VectorFields.from_strings(XY, [field]) == expected
    symbols = sympy.symbols("x y")
    by_symbol = {sympy.Symbol(name): sympy.sympify(text) for name, text in field.items()}
    assert VectorFields.from_sympy([by_symbol], symbols) == expected
    polynomials = {name: Polynomial.from_string(text, XY) for name, text in field.items()}
    assert VectorFields(XY, [polynomials]) == expected


def test_iterators_are_read_once():
    """Before, a generator of fields was used up by the check of its members: a family without fields."""
    texts = [["y", "-x"], ["x", "y"]]
    expected = VectorFields.from_strings(XY, texts)
    assert VectorFields.from_strings(iter(XY), (iter(field) for field in texts)) == expected
    assert VectorFields.from_strings(dict.fromkeys(XY).keys(), texts) == expected
    assert VectorFields(XY, ((p for p in expected.components(i)) for i in range(2))) == expected
    assert expected.select(iter([1])) == expected[1]


@pytest.mark.parametrize(
    "fields", [{"x": "y", "y": "-x"}, {"xy"}, [{"x", "y"}], [frozenset(XY)], [b"xy"], 3, [3], None]
)
def test_what_has_no_order_is_no_family(fields):
    with pytest.raises(TypeError, match=r"^fields must be a list of fields, each a list of strings.*or a mapping, not"):
        VectorFields.from_strings(XY, fields)
    with pytest.raises(TypeError, match=r"^fields must be a list of fields, each a list of expressions"):
        VectorFields.from_sympy(fields, XY)
    with pytest.raises(TypeError, match=r"^fields must be a list of fields, each a list of polynomials"):
        VectorFields(XY, fields)


@pytest.mark.parametrize("variables", [{"x", "y"}, {"x": 1, "y": 2}, "xy", 2, frozenset(XY)])
def test_what_has_no_order_names_no_variables(variables):
    with pytest.raises(TypeError, match=r"^variables must be a list of"):
        VectorFields.from_strings(variables, [["y", "x"]])
    with pytest.raises(TypeError, match=r"^variables must be a list of"):
        VectorFields.from_sympy([["y", "x"]], variables)
    with pytest.raises(TypeError, match=r"^variables must be a list of"):
        Polynomial(variables, {(1, 0): 1})


def test_a_mapping_of_other_variables_is_refused():
    with pytest.raises(ValueError, match="field 1 has a component for 'z', which is none of the variables x, y"):
        VectorFields.from_strings(XY, [{}, {"z": "1"}])
    with pytest.raises(TypeError, match=r"component x of field 0: a polynomial is read from a string .*, not from 3\."):
        VectorFields.from_strings(XY, [{"x": 3}])
    with pytest.raises(TypeError, match="the fields chosen must be a list of their numbers, not the set"):
        VectorFields.from_strings(XY, [{}, {}]).select({0, 1})


def test_equal_texts_are_read_once_and_zeros_make_no_polynomials(monkeypatch):
    """The work of reading a large system grows with what is in it, not with fields times variables."""
    texts, made = [], []  # of polynomials there is no public count: all ways to one end in _set
    parser, polynomial = parse.Parser.__init__, Polynomial._set

    def parsing(self, text, *rest):
        texts.append(text)
        parser(self, text, *rest)

    def making(self, *parts):
        made.append(parts)
        polynomial(self, *parts)

    monkeypatch.setattr(parse.Parser, "__init__", parsing)
    monkeypatch.setattr(Polynomial, "_set", making)
    names = [f"x{i}" for i in range(50)]
    rows = [["x0*x1" if i == j else "0" for j in range(50)] for i in range(40)]
    X = VectorFields.from_strings(names, rows)
    Y = VectorFields.from_ode("\n---\n".join(f"{name}' = x0*x1" for name in names[:40]) + "\n---\nx49' = x0*x1")
    assert [text.strip() for text in texts] == ["x0*x1", "0", "x0*x1"] and not made
    assert len(X) == 40 and len(X.terms) == 40 and len(Y) == 41


def test_from_strings_rejects_texts():
    with pytest.raises(ValueError, match="line 1, column 1: unknown variable 'z'"):
        VectorFields.from_strings(XY, [["z", "x"]])
    with pytest.raises(ValueError, match="field 0 has 3 components, not 2"):
        VectorFields.from_strings(XY, [["x", "x", "x"]])


def test_from_sympy_rejects():
    x, y = sympy.symbols("x y")
    with pytest.raises(ValueError, match="is not a polynomial in x, y"):
        VectorFields.from_sympy([[sympy.Abs(x), y]], [x, y])
    with pytest.raises(ValueError, match="field 0 has 1 components, not 2"):
        VectorFields.from_sympy([[x]], [x, y])
    with pytest.raises(ValueError, match="must be rational, not floats"):
        VectorFields.from_sympy([[0.5 * x, y]], [x, y])


def test_from_ode_rejects():
    with pytest.raises(ValueError, match="line 2, column 6: unknown variable 'w'"):
        VectorFields.from_ode("x' = 1\ny' = w")
