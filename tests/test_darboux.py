"""Darboux polynomials, and laws that are rational or logarithmic: SymPy differentiates them anew."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import clexact
from clexact import Form, Polynomial, VectorFields, darboux_polynomials, general_laws
from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.terms import concatenate, monomials_of_degree
from clexact.cli import main as cli
from clexact.laws.extactic import Curves, Extactic

nmf = clexact.models.nmf


def fields_of(names, *rows):
    """Fields from rows of text, variables separated by blanks."""
    return VectorFields.from_strings(names.split(), [row.split(", ") for row in rows])


LOTKA_VOLTERRA = fields_of("x y", "x - x*y, x*y - y")
SIR = fields_of("x y", "-2*x*y, 2*x*y - 3*y")
JOUANOLOU = fields_of("x y z", "y^2, z^2, x^2")


def moved(expression, fields):
    """The numerators of X_i of a SymPy expression, one for each field."""
    symbols = [sympy.Symbol(v) for v in fields.variables]
    along = [sum(c * sympy.diff(expression, x) for c, x in zip(f, symbols, strict=True)) for f in fields.to_sympy()]
    return [sympy.expand(sympy.fraction(sympy.together(d))[0]) for d in along]


def conserved(law, fields):
    """SymPy's word that the law is one."""
    return all(d == 0 for d in moved(law.to_sympy(), fields))


def assert_darboux(found, fields):
    """X_i p = lambda_i p by SymPy, and no factor splits over Q."""
    symbols = [sympy.Symbol(v) for v in fields.variables]
    for p, cofactors in zip(found, found.cofactors, strict=True):
        expression = p.to_sympy()
        assert len(cofactors) == len(fields)
        assert len(sympy.factor_list(expression)[1]) == 1 and sympy.factor_list(expression)[1][0][1] == 1
        for field, cofactor in zip(fields.to_sympy(), cofactors, strict=True):
            along = sum(c * sympy.diff(expression, x) for c, x in zip(field, symbols, strict=True))
            assert sympy.expand(along - cofactor.to_sympy() * expression) == 0


# --- factors and quotients -------------------------------------------------------------------------------------------

small = st.integers(-4, 4)


@st.composite
def plane_polynomials(draw, degree=2):
    """A polynomial in x, y that is not constant."""
    exponents = [(i, k - i) for k in range(degree + 1) for i in range(k + 1)]
    p = Polynomial(["x", "y"], dict(zip(exponents, draw(st.lists(small, min_size=len(exponents))), strict=False)))
    return p if p.degree > 0 else p + Polynomial.from_string("x", ["x", "y"])


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(plane_polynomials(), plane_polynomials(), st.fractions(min_value=1, max_value=5))
def test_factors_and_quotients_undo_products(p, q, scale):
    """(c p q) / p = c q, the factors divide and their product is the part without squares."""
    product = p * q * scale
    assert product.quotient(p) == q * scale
    assert (product + 1).quotient(p) is None
    factors = product.factors()
    assert all(product.quotient(f) is not None and f == f.primitive for f in factors)
    theirs = [f for f, _ in sympy.factor_list(product.to_sympy())[1]]
    assert {f.primitive for f in (Polynomial.from_sympy(t, list("xy")) for t in theirs)} == set(factors)


def test_factors_and_quotients_of_zero():
    """Zero has none, is divisible by all and divides nothing."""
    zero, x = Polynomial(["x"], {}), Polynomial.from_string("x", ["x"])
    assert zero.quotient(x) == zero and zero.primitive == zero
    assert Polynomial.from_string("3", ["x"]).factors() == []
    with pytest.raises(ValueError, match="no factors"):
        zero.factors()
    with pytest.raises(ZeroDivisionError, match="divided by zero"):
        x.quotient(zero)


# --- the numerical parts, against their definitions -------------------------------------------------------------------


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=6, unique=True), st.integers(1, 10**6))
def test_roots_through_finds_the_roots(roots, scale):
    """The values of scale * prod (t - r), the double root once."""
    p = 2**61 - 1

    def value(t):
        product = scale * (t - roots[0])
        for r in roots:
            product = product * (t - r) % p
        return product % p

    assert linalg.roots_through([value(t) for t in range(len(roots) + 3)], p) == sorted(roots)
    assert linalg.roots_through([0, 0, 0], p) == [] == linalg.roots_through([], p) == linalg.roots_through([7], p)


@given(st.lists(st.integers(-900, 900), min_size=3, max_size=6))
def test_short_vectors_finds_a_small_vector(vector):
    """In its own line mod p, scaled at random."""
    p = 2**61 - 1
    found = linalg.dense_nullspace([], 0, p)
    assert linalg.short_vectors(found, 3, p) == []
    if not any(vector):
        return
    lead = next(i for i, c in enumerate(vector) if c)
    inverse = pow(vector[lead], -1, p)
    basis = {lead: {i: c * inverse % p for i, c in enumerate(vector) if c}}
    primitive = linalg.primitive(dict(enumerate(vector)))
    expected = [primitive.get(i, 0) for i in range(len(vector))]
    shortest = linalg.short_vectors(basis, len(vector), p)[0]
    assert shortest in (expected, [-c for c in expected])


def test_curves_are_the_taylor_series_of_iterated_derivatives():
    """Row n of the extactic matrix of one field is X^n m / n! at the point."""
    fields, p = fields_of("x y", "1/2*x*y + 1, y - x^2"), 1_000_003
    monomials = concatenate([monomials_of_degree(2, k) for k in range(3)])
    point = Draws(3).residues((2, 2), p)
    stack = Curves(fields, monomials, 5, p, Draws(0)).matrices(point)
    for at, matrix in zip(point.tolist(), stack.tolist(), strict=True):
        for j in range(len(monomials)):
            derived, factorial = Polynomial.from_sparse(("x", "y"), {monomials.monomial(j): Fraction(1)}), 1
            for n in range(5):
                factorial *= max(1, n)
                value = derived(*at) / factorial
                assert matrix[n][j] == value.numerator * pow(value.denominator, -1, p) % p
                derived = clexact.lie_derivative(derived, fields)[0]


def test_the_generic_kernel_is_what_vanishes_on_an_orbit():
    """A rational law in the space makes one; without any, there is none."""
    monomials = concatenate([monomials_of_degree(2, k) for k in range(3)])
    assert Extactic(fields_of("x y", "x, 2*y"), monomials, Draws(0)).nullity == 1
    assert Extactic(LOTKA_VOLTERRA, monomials, Draws(0)).nullity == 0
    assert Extactic(fields_of("x y", "y, -x", "x, y"), monomials, Draws(0)).nullity == 0


# --- Darboux polynomials ---------------------------------------------------------------------------------------------

CASES = [
    (LOTKA_VOLTERRA, 2, "x, y"),
    (fields_of("x y", "x - y, x + y"), 2, "x^2 + y^2"),
    (fields_of("x y", "x - 2*y, 3*x + y"), 2, "3*x^2 + 2*y^2"),
    (fields_of("x y", "y, x"), 2, "x + y, x - y"),
    (fields_of("x y", "y + x*(x^2 + y^2 - 1), -x + y*(x^2 + y^2 - 1)"), 2, "x^2 + y^2, x^2 + y^2 - 1"),
    (fields_of("x y z", "x*(y - z), y*(z - x), z*(x - y)"), 1, "x, y, z, x + y + z"),
    (fields_of("x y z", "x, y, 0", "0, y, z"), 2, "x, y, z"),
    (fields_of("x y z", "y, -x, 0", "0, z, -y"), 2, "x^2 + y^2 + z^2"),
    (JOUANOLOU, 3, ""),
    (fields_of("x y", "1, x^2 - y^2"), 3, ""),
    (fields_of("x", "x^3 - 2*x"), 2, "x, x^2 - 2"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("fields", "degree", "expected"), CASES)
@pytest.mark.parametrize("seed", [0, 1])
def test_classical_darboux_polynomials(fields, degree, expected, seed):
    """All those that theory knows; those of SO(3) and of Jouanolou's field too."""
    found = darboux_polynomials(fields, degree, seed=seed)
    assert_darboux(found, fields)
    assert {str(p) for p in found} == set(filter(None, expected.split(", "))) and found.skipped == 0


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(plane_polynomials(), plane_polynomials(), st.integers(1, 3), st.integers(-3, -1), st.integers(0, 5))
def test_a_planted_rational_law_is_found(p, q, a, b, seed):
    """The field p q (a dp/p + b dq/q) turned by 90 degrees conserves p^a q^b; a law of it is found."""
    gradient = [a * dp * q + b * p * dq for dp, dq in zip(p.gradient, q.gradient, strict=True)]
    fields = VectorFields(["x", "y"], [[gradient[1], -gradient[0]]])
    if all(g.is_zero for g in gradient) or len(set(p.factors()) ^ set(q.factors())) == 0:
        return
    laws = general_laws(fields, 2, seed=seed)
    assert laws.independent == 1
    assert all(conserved(law, fields) and law.check(fields) for law in laws)
    assert_darboux(laws.darboux, fields)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(plane_polynomials(), plane_polynomials(degree=1), st.integers(0, 5))
def test_a_planted_logarithmic_law_is_found(p, q, seed):
    """The field p (dp/p + dq) turned by 90 degrees conserves log p + q."""
    gradient = [dp + p * dq for dp, dq in zip(p.gradient, q.gradient, strict=True)]
    if all(g.is_zero for g in gradient):
        return
    fields = VectorFields(["x", "y"], [[gradient[1], -gradient[0]]])
    laws = general_laws(fields, 2, seed=seed)
    assert laws.independent == 1
    assert all(conserved(law, fields) for law in laws)


@pytest.mark.slow
def test_a_planted_family_conserves_its_rational_law():
    """In three variables, the fields grad(h) x e_i, all tangent to f / g = c."""
    names = ("x", "y", "z")
    f, g = (Polynomial.from_string(t, names) for t in ("x^2 + y*z - 2", "x - 3*y + z"))
    d = [g * df - f * dg for df, dg in zip(f.gradient, g.gradient, strict=True)]
    zero = f * 0
    fields = VectorFields(names, [[zero, d[2], -d[1]], [-d[2], zero, d[0]], [d[1], -d[0], zero]])
    laws = general_laws(fields, 2)
    assert laws.independent == len(laws.further) == 1 and conserved(laws[0], fields)
    assert {f, g} <= set(laws.darboux)


# --- laws ------------------------------------------------------------------------------------------------------------

CLASSICAL = [
    (LOTKA_VOLTERRA, 1, "log(x) + log(y) - x - y"),
    (fields_of("x y", "x, 2*y"), 1, "y/x^2"),
    (fields_of("x y", "x, y"), 1, "y/x"),
    (fields_of("x y", "2*x, -3*y"), 1, "x^3*y^2"),
    (fields_of("x y z", "x, y, z"), 1, "y/x; z/x"),
    (fields_of("x y", "2*x*y, y^2 - x^2"), 2, "(x^2 + y^2)/x"),
    (fields_of("x y z", "x, y, 0", "0, y, z"), 1, "x*z/y"),
    (fields_of("x y", "x, 1"), 1, "log(x) - y"),
    (SIR, 1, "3*log(x) - 2*x - 2*y"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("fields", "degree", "expected"), CLASSICAL)
def test_classical_laws(fields, degree, expected):
    """Given as text, conserved by SymPy's account, in the number that theory gives."""
    laws = general_laws(fields, degree)
    assert "; ".join(map(str, laws)) == expected
    assert laws.independent == len(laws) == clexact.certify(fields, degree=degree).lower
    assert all(conserved(law, fields) and law.check(fields) for law in laws)


@pytest.mark.parametrize("fields", [JOUANOLOU, fields_of("x y", "1, x^2 - y^2"), fields_of("x", "x^2 - x")])
def test_no_law(fields):
    """None is invented."""
    laws = general_laws(fields, 2)
    assert len(laws) == laws.independent == 0


@pytest.mark.slow
def test_polynomial_laws_come_first_and_suffice():
    """Euler's top: two polynomial laws leave no room for their quotient; xy is a polynomial law."""
    top = fields_of("x y z", "y*z, -2*x*z, x*y")
    laws = general_laws(top, 2)
    assert [law.form for law in laws] == [Form.POLYNOMIAL] * 2 and laws.independent == 2
    assert list(map(str, general_laws(fields_of("x y", "x, -y"), 2))) == ["x*y"]
    assert general_laws(clexact.gradient_flow(clexact.models.product(4)), 2).independent == 3


FLOWS = [
    (clexact.mirror_flow(nmf(1, 2, 1), ["U", "V"]), 3),
    (clexact.mirror_flow(nmf(1, 1, 1), ["U", "V"]), 1),
    (clexact.gradient_flow(clexact.models.linear([1, 1, 2]), weight_decay=Fraction(1, 2)), 1),
    (clexact.momentum_flow(nmf(1, 2, 1)), 2),
]


@pytest.mark.slow
@pytest.mark.parametrize(("flow", "independent"), FLOWS)
def test_flows_of_models(flow, independent):
    """As many independent ones as certify counts, each a law by SymPy."""
    laws = general_laws(flow, 2)
    assert laws.independent == independent == clexact.certify(flow).lower
    assert all(conserved(law, flow.fields) for law in laws.further)


@pytest.mark.slow
def test_a_law_with_weights_that_are_laws():
    """NMF 1 x 2 x 1 under the mirror flow: h_1 log(U_0 / V_0) - h_0 log(U_1 / V_1) with h_k = U_k - V_k."""
    flow = clexact.mirror_flow(nmf(1, 2, 1), ["U", "V"])
    count = clexact.certify(flow)
    assert (count.lower, count.exhibited) == (3, 2)
    (law,) = count.further_laws()
    u0, u1, v0, v1 = (sympy.Symbol(v) for v in flow.variables)
    expected = (u1 - v1) * (sympy.log(u0) - sympy.log(v0)) - (u0 - v0) * (sympy.log(u1) - sympy.log(v1))
    assert sympy.expand(law.to_sympy() - expected) == 0


def test_further_laws_of_a_count():
    """Nothing where the count is met, the missing law where it is not, another degree if asked."""
    assert clexact.certify(clexact.gradient_flow(clexact.models.linear([2, 1, 2]))).further_laws() == ()
    count = clexact.certify(LOTKA_VOLTERRA, degree=1)
    assert list(map(str, count.further_laws())) == list(map(str, count.further_laws(2)))
    with pytest.raises(ValueError, match="degree must be at least 1, not 0"):
        count.further_laws(0)


def test_the_gradient_is_that_of_the_law():
    """Parallel to SymPy's gradient, for each kind."""
    x, y = sympy.symbols("x y")
    for fields in (LOTKA_VOLTERRA, fields_of("x y", "x, 2*y"), fields_of("x y", "x, -y")):
        law = general_laws(fields, 2)[0]
        mine = [d.to_sympy() for d in law.gradient]
        true = [sympy.diff(law.to_sympy(), v) for v in (x, y)]
        assert sympy.simplify(mine[0] * true[1] - mine[1] * true[0]) == 0 and any(mine)


def test_check_trusts_nothing():
    """A wrong weight, factor, rest or field is seen."""
    law = general_laws(LOTKA_VOLTERRA, 1)[0]
    one = law.weights[0]
    x = law.factors[0]
    assert law.check(LOTKA_VOLTERRA)
    assert not replace(law, weights=(one * 2, one)).check(LOTKA_VOLTERRA)
    assert not replace(law, weights=(one, x)).check(LOTKA_VOLTERRA)
    assert not replace(law, factors=(x, x + 1)).check(LOTKA_VOLTERRA)
    assert not replace(law, rest=law.rest * 2).check(LOTKA_VOLTERRA)
    assert not replace(law, form=Form.RATIONAL).check(LOTKA_VOLTERRA)
    assert not law.check(SIR)
    ratio = general_laws(fields_of("x y", "x, 2*y"), 1)[0]
    half = tuple(w / 2 for w in ratio.weights)
    assert not replace(ratio, weights=half).check(fields_of("x y", "x, 2*y"))


@pytest.mark.slow
def test_text_means_the_law():
    """SymPy reads the text as the law."""
    for fields in (LOTKA_VOLTERRA, SIR, fields_of("x y", "2*x*y, y^2 - x^2"), fields_of("x y", "x, 2*y")):
        law = general_laws(fields, 2).further[0]
        assert sympy.simplify(sympy.sympify(str(law).replace("^", "**")) - law.to_sympy()) == 0


@pytest.mark.slow
def test_text_and_latex():
    """Parentheses, powers, signs; e^(r*t) for the clock."""
    laws = general_laws(fields_of("x y", "2*x*y, y^2 - x^2"), 2)
    assert laws[0].to_latex() == r"\frac{x^{2} + y^{2}}{x}"
    spheres = general_laws(fields_of("x y z", "x, y, z", "y*z, x*z, x*y"), 2).further[0]
    assert ")/((" in str(spheres) and str(spheres).endswith("))") and r"\right) \left(" in spheres.to_latex()
    assert general_laws(LOTKA_VOLTERRA, 1)[0]._repr_latex_() == (r"$\log\left(x\right) + \log\left(y\right) - x - y$")
    assert laws._repr_latex_().startswith("$$") and laws.darboux._repr_latex_().startswith("$$")
    assert general_laws(JOUANOLOU, 1)._repr_latex_() == "no law found"
    one = Polynomial.from_string("1", ("s", "x"))
    s = Polynomial.from_string("s", ("s", "x"))
    law = clexact.Law(Form.LOGARITHMIC, (s * s,), (one * -2,), one * 0, {"s": Fraction(1, 2)})
    assert str(law) == "-2*log(s^2)" and law.written() == "-2*log(e^(1*t))"


# --- edges -----------------------------------------------------------------------------------------------------------


def test_edge_sizes():
    """One variable, no field, the zero field: every polynomial is Darboux, and a law."""
    for fields in (fields_of("x", "0"), VectorFields(["x"], []), fields_of("x y", "0, 0")):
        found = darboux_polynomials(fields, 2)
        assert [str(p) for p in found] == list(fields.variables)
        assert general_laws(fields, 1).independent == fields.dimension
    assert_darboux(darboux_polynomials(fields_of("x", "x^2 - x"), 1), fields_of("x", "x^2 - x"))
    assert list(darboux_polynomials(fields_of("x", "1"), 2)) == []
    assert darboux_polynomials(LOTKA_VOLTERRA, 1)[:1] == [darboux_polynomials(LOTKA_VOLTERRA, 1)[0]]


@pytest.mark.slow
def test_large_fields_and_large_spaces():
    """Fields that are too large are refused, spaces that are too large are counted."""
    large = clexact.gradient_flow(clexact.models.linear([30, 30, 30]))
    with pytest.raises(ValueError, match="at most 20000 terms"):
        general_laws(large, 2)
    with pytest.raises(ValueError, match="at most 20000 terms"):
        darboux_polynomials(large, 2)
    names = [f"x{i}" for i in range(16)]
    text = [f"x{i}*x{(i + 1) % 16} + {i + 1}" for i in range(16)]
    assert darboux_polynomials(VectorFields.from_strings(names, [text]), 2).skipped == 1


@pytest.mark.parametrize("search", [darboux_polynomials, general_laws])
def test_wrong_arguments(search):
    """One sentence each."""
    with pytest.raises(ValueError, match="degree must be at least 1, not 0"):
        search(LOTKA_VOLTERRA, 0)
    with pytest.raises(TypeError, match="degree must be an integer"):
        search(LOTKA_VOLTERRA, 1.0)
    with pytest.raises(ValueError, match="seed must be at least 0, not -1"):
        search(LOTKA_VOLTERRA, 1, seed=-1)
    with pytest.raises(TypeError, match="expected a flow, a Model"):
        search("x' = x", 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 5])
def test_the_same_seed_gives_the_same_answer(seed):
    """In order and in form."""
    fields = fields_of("x y z", "x, y, z", "y*z, x*z, x*y")
    first, again = (general_laws(fields, 2, seed=seed) for _ in range(2))
    assert repr(first) == repr(again) and list(first.darboux) == list(again.darboux)
    assert first.independent == 1 and conserved(first.further[0], fields)


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_prints_all_forms(tmp_path, capsys):
    """As text, LaTeX and JSON."""
    path = tmp_path / "lv.ode"
    path.write_text("x' = x - x*y\ny' = x*y - y\n")
    words = ["laws", "--system", str(path), "--forms"]
    assert cli.run(words) == 0
    text = capsys.readouterr().out
    assert "1 more found in other forms" in text and text.rstrip().endswith("log(x) + log(y) - x - y")
    assert cli.run([*words, "--quiet", "--latex"]) == 0
    assert capsys.readouterr().out.startswith(r"\log\left(x\right)")
    assert cli.run([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["further"] == [{"form": "logarithmic", "law": "log(x) + log(y) - x - y"}] and data["laws"] == []


def test_forms_with_wrong_input(capsys):
    """One sentence and status 2."""
    assert cli.run(["laws", "product", "3", "--forms", "--homogeneous"]) == 2
    assert "not homogeneous" in capsys.readouterr().err
    assert cli.run(["laws", "linear", "30", "30", "30", "--forms"]) == 2
    assert "at most 20000 terms" in capsys.readouterr().err
