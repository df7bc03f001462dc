"""Laws with rational parts, angles and surfaces: SymPy differentiates them, forgeries are seen, nothing is invented."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from reference import FEW

import clexact
from clexact import Form, LawStatus, Polynomial, VectorFields, check_law, general_laws, laws_on
from clexact.cli import main as cli
from clexact.laws.angles import Angle, angle_of
from clexact.training.quantities import watched


def system(text):
    return VectorFields.from_ode(text)


def rates(expression, fields):
    """X_i of a SymPy expression, simplified."""
    symbols = [sympy.Symbol(v) for v in fields.variables]
    along = [sum(c * sympy.diff(expression, x) for c, x in zip(f, symbols, strict=True)) for f in fields.to_sympy()]
    return [sympy.simplify(d) for d in along]


NODE = system("x' = x; y' = x + y")
SPIRAL = system("x' = x - y; y' = x + y")
CHAIN = system("x' = x + z; y' = y; z' = z + y^2")
FORMS = [
    (NODE, 1, "log(x) - y/x"),
    (system("x' = x^2; y' = y"), 1, "log(y) + 1/x"),
    (CHAIN, 2, None),
    (system("x' = y^2 + z^2 - x^2; y' = -2*x*y; z' = -2*x*y"), 1, "y - z; (2*y - 2*z)*log(y) - (x^2 + 3*y^2 - z^2)/y"),
    (system("x' = x^3; y' = y"), 2, None),  # a square in the denominator
    (SPIRAL, 2, "log(x^2 + y^2) - 2*arctan(y/x)"),
    (system("x' = x - 2*y; y' = 3*x + y"), 2, None),
    (system("x' = y; y' = x + y"), 2, None),
    (system("x' = -y; y' = x; z' = 1"), 2, "x^2 + y^2; arctan(y/x) - z"),
    (system("x' = y; y' = -x; z' = z"), 2, None),
    (system("x' = x + y; y' = y + z; z' = z"), 2, None),
    (system("x' = 2*x^2 - y^2; y' = x*y"), 2, None),
]


@pytest.mark.parametrize(("fields", "degree", "expected"), FORMS)
def test_as_many_as_one_field_has(fields, degree, expected):
    """D - 1 independent ones, each conserved by SymPy's account, and by three checks that share no identity."""
    laws = general_laws(fields, degree)
    assert laws.independent == fields.dimension - 1
    for law in laws:
        assert rates(law.to_sympy(), fields) == [0]
        assert law.check(fields) and check_law(fields, law).status is LawStatus.PROVED
        assert check_law(fields, law.to_sympy() if not law.angles else law).status is LawStatus.PROVED
    if expected is not None:
        assert "; ".join(map(str, laws)) == expected


def test_a_rational_law_is_a_weight():
    """x/y - y - (z/y - y) log y, up to laws that are known."""
    laws = general_laws(CHAIN, 2)
    assert [law.form for law in laws] == [Form.RATIONAL, Form.LOGARITHMIC]
    x, y, z = sympy.symbols("x y z")
    given = x / y - y - (z / y - y) * sympy.log(y)
    law = laws[1].to_sympy()
    ratio = sympy.simplify(sympy.diff(law, x) / sympy.diff(given, x))
    assert sympy.simplify(sympy.expand(law - ratio * given)) == 0 or rates(law - ratio * given, CHAIN) == [0]
    assert check_law(CHAIN, given).status is LawStatus.PROVED


def test_texts_mean_the_laws():
    """SymPy reads each text, logarithms of absolute values aside, as the law."""
    for fields, degree, _ in FORMS[::2]:
        for law in general_laws(fields, degree).further:
            text = str(law).replace("^", "**").replace("arctan", "atan")
            difference = sympy.sympify(text) - law.to_sympy()
            assert sympy.simplify(difference) == 0
            assert law.to_latex().count("{") == law.to_latex().count("}")


def test_forged_laws_are_refused():
    """Every part of a law with an angle and a denominator is load-bearing."""
    law = general_laws(SPIRAL, 2)[0]
    (angle,) = law.angles
    x, one = angle.u, law.weights[0]
    assert law.check(SPIRAL)
    for forged in (
        replace(law, weights=(one * 2, law.weights[1])),
        replace(law, weights=(one, law.weights[1] * Fraction(1, 2))),
        replace(law, weights=(x, law.weights[1])),
        replace(law, angles=(Angle(angle.u, angle.v * 2, angle.d),)),
        replace(law, angles=(Angle(angle.u, angle.v, -2),)),
        replace(law, angles=(Angle(angle.u, angle.v, 1),)),
        replace(law, angles=()),
        replace(law, form=Form.LOGARITHMIC),
        replace(law, rest=x),
        replace(law, divisors=(one, one, x * 0)),
        replace(law, divisors=(one, x, one)),
        replace(law, factors=(law.factors[0] * 0,)),
    ):
        assert not forged.check(SPIRAL)
    rational = general_laws(NODE, 1)[0]
    *below, last = rational.divisors
    for divisors in ((*below, last * 2), (*below, last * last), ()):
        assert not replace(rational, divisors=divisors).check(NODE)
    assert not rational.check(SPIRAL)


@pytest.mark.slow
@FEW
@given(st.lists(st.integers(-3, 3), min_size=4, max_size=4))
def test_linear_systems_of_the_plane(entries):
    """Every one has a law: real or complex, equal or different eigenvalues."""
    a, b, c, d = entries
    fields = VectorFields.from_strings(["x", "y"], [[f"{a}*x + {b}*y", f"{c}*x + {d}*y"]])
    laws = general_laws(fields, 2)
    if any(entries) and a * d != b * c:
        assert laws.independent == 1
    assert all(law.check(fields) for law in laws)
    numbers = {sympy.Symbol("x"): sympy.Rational(7, 5), sympy.Symbol("y"): sympy.Rational(3, 11)}
    for law in laws.further:
        symbols = sympy.symbols("x y")
        rate = sum(f * sympy.diff(law.to_sympy(), s) for f, s in zip(fields.to_sympy()[0], symbols, strict=True))
        assert abs(complex(rate.subs(numbers).evalf(30))) < 1e-20


@given(st.lists(st.integers(-4, 4), min_size=3, max_size=3), st.integers(-3, 3))
def test_the_angle_of_a_quadratic_form(coefs, shift):
    """4 a p = u^2 - d v^2 up to a square, and none where p splits over Q or is no quadratic form in a variable."""
    a, b, c = coefs
    names = ("x", "y")
    p = Polynomial(names, {(2, 0): a, (1, 1): b, (0, 2): c})
    discriminant = b * b - 4 * a * c
    if p.is_zero or len(p.factors()) != 1 or p.factors()[0].degree < 2:
        return
    angle = angle_of(p)
    assert angle is not None and angle.norm.primitive == p.primitive
    root = sympy.sqrt(sympy.Rational(discriminant, angle.d))
    assert root.is_rational
    quartic = Polynomial.from_string(f"x^4 + y^4 + {shift}*x^3*y + 5", names)
    assert angle_of(quartic) is None


def test_values_along_a_trajectory():
    """An angle goes on through the turns; NumPy's own formulas."""
    law = general_laws(SPIRAL, 2)[0]
    t = np.linspace(0, 9, 400)
    states = np.stack([np.exp(t) * np.cos(t), np.exp(t) * np.sin(t)], axis=1)
    values = watched([law], clexact.flows.dynamics.as_flow(SPIRAL)).values(states)[0]
    assert np.abs(values - values[0]).max() < 1e-9
    node = general_laws(NODE, 1)[0]
    states = np.stack([np.exp(t), (1 + t) * np.exp(t)], axis=1)
    values = watched([node], clexact.flows.dynamics.as_flow(NODE)).values(states)[0]
    assert np.abs(values - (np.log(states[:, 0]) - states[:, 1] / states[:, 0])).max() < 1e-9


# --- check_law --------------------------------------------------------------------------------------------------------

CHECKS = [
    ("x' = x; y' = x + y", "y/x - log(x)", LawStatus.PROVED),
    ("x' = x; y' = x + y", "x*exp(-y/x)", LawStatus.PROVED),
    ("x' = x; y' = x + y", "y/x - 2*log(x)", LawStatus.FALSE),
    ("x' = x^2; y' = y", "y*exp(1/x)", LawStatus.PROVED),
    ("x' = x^2; y' = y", "y*exp(2/x)", LawStatus.FALSE),
    ("x' = x; y' = 2*y", "y/x^2", LawStatus.PROVED),
    ("x' = x; y' = 2*y", "y^2/x^2", LawStatus.FALSE),
    ("x' = x; y' = 2*y", "exp(2*log(x))/y", LawStatus.PROVED),
    ("x' = x; y' = 2*y", "sin(x)^2 + cos(x)^2", LawStatus.PROVED),
    ("x' = x; y' = 2*y", "sqrt(y)/x", LawStatus.PROVED),
    ("x' = x; y' = 2*y", "sqrt(y/(x + 1))*sqrt(x + 1)/x", LawStatus.PROVED),
    ("x' = x; y' = 2*y", "sqrt(y)/sqrt(x^2)", LawStatus.PROVED),
    ("x' = sin(x); y' = y", "x*sin(x)^2 + x*cos(x)^2 - x", LawStatus.PROVED),
    ("x' = x; y' = 2*y", "x*log(x^2) - 2*x*log(x)", LawStatus.OPEN),  # 0, where logarithms are independent variables
    ("x' = x - y; y' = x + y", "2*atan(y/x) - ln(x^2 + y^2)", LawStatus.PROVED),
    ("x' = x - y; y' = x + y", "arctan(y/x) - log(x^2 + y^2)", LawStatus.FALSE),
    ("x' = y; y' = -x\n---\nx' = x; y' = y", "y/x", LawStatus.FALSE),
    ("x' = x; y' = y\n---\nx' = 2*x; y' = 2*y", "y/x", LawStatus.PROVED),
]


@pytest.mark.parametrize(("text", "law", "status"), CHECKS)
def test_expressions_as_laws(text, law, status):
    found = check_law(system(text), law)
    assert found.status is status and bool(found) == (status is LawStatus.PROVED) and found.error == 0
    assert found.law == law


def test_an_angle_that_no_field_keeps():
    law = general_laws(SPIRAL, 2)[0]
    assert check_law(NODE, law).status is LawStatus.FALSE
    fibonacci = general_laws(system("x' = y; y' = x + y"), 2)[0]
    assert check_law(NODE, fibonacci).status is LawStatus.FALSE


@pytest.mark.parametrize("law", ["foo(x)", "x/0", "log(2)", "x +", "w", "1/(x - x)"])
def test_what_is_no_function_of_the_variables(law):
    with pytest.raises(ValueError, match=r"line 1, column \d"):
        check_law(NODE, law)


# --- surfaces ---------------------------------------------------------------------------------------------------------

TOP = system(
    "m1' = 3*m2*m3; m2' = -3*m1*m3 - g3; m3' = g2\ng1' = 4*m3*g2 - m2*g3; g2' = m1*g3 - 4*m3*g1; g3' = m2*g1 - m1*g2"
)
KEPLER = VectorFields.from_strings(
    ["x", "y", "p", "q", "rho"], [["p", "q", "-x*rho^3", "-y*rho^3", "-rho^3*(x*p + y*q)"]]
)


def test_goryachev_and_chaplygin():
    """The cubic integral on m.g = 0, which is none elsewhere; its quotient is the proof."""
    found = laws_on(TOP, "m1*g1 + m2*g2 + m3*g3", 3)
    (law,), ((k,),) = found.further, found.multipliers
    assert found.independent == 3 and len(found.everywhere) == 3
    assert check_law(TOP, law).status is LawStatus.FALSE
    (rate,) = rates(law.to_sympy(), TOP)
    assert sympy.expand(rate - k.to_sympy() * found.surface.to_sympy()) == 0
    assert laws_on(TOP, "g1^2 + g2^2 + g3^2 - 1", 3).further == ()


def test_runge_and_lenz():
    """The two components in the plane; as functions of the state, with rho = 1/r, SymPy finds them conserved."""
    found = laws_on(KEPLER, "rho^2*(x^2 + y^2) - 1", 3)
    assert len(found.further) == 2 and found.independent == 3
    x, y, p, q = sympy.symbols("x y p q")
    r = sympy.sqrt(x**2 + y**2)
    for law in found.further:
        h = law.to_sympy().subs(sympy.Symbol("rho"), 1 / r)
        rate = p * h.diff(x) + q * h.diff(y) - x / r**3 * h.diff(p) - y / r**3 * h.diff(q)
        assert sympy.simplify(rate) == 0


@FEW
@given(st.lists(st.integers(-3, 3), min_size=6, max_size=6), st.integers(1, 3))
def test_a_planted_surface(c, seed):
    """x' = -dh/dy + s a, y' = dh/dx + s b keeps h where s = h - 1 vanishes: only if s does, as everything then."""
    names = ("x", "y", "z")
    h = Polynomial(names, {(2, 0, 0): c[0] or 1, (1, 1, 0): c[1], (0, 2, 0): c[2] or 2})
    s = Polynomial(names, {(0, 0, 1): 1, (1, 0, 0): c[3]})
    a, b = Polynomial(names, {(1, 0, 0): c[4]}), Polynomial(names, {(0, 1, 0): c[5] or 1})
    dx, dy, _ = h.gradient
    X = [-dy + s * a, dx + s * b]
    fields = VectorFields(names, [[*X, s - X[0] * c[3]]])  # X s = s
    found = laws_on(fields, s, 2, seed=seed)
    assert all(
        moved == [k * found.surface for k in each]
        for law, each in zip(found.further, found.multipliers, strict=True)
        for moved in [clexact.lie_derivative(law, fields)]
    )
    restricted = VectorFields(
        ["x", "y"],
        [
            [
                Polynomial(["x", "y"], {m[:2]: k for m, k in _exponents(-dy)}),
                Polynomial(["x", "y"], {m[:2]: k for m, k in _exponents(dx)}),
            ]
        ],
    )
    assert len(found) == len(clexact.polynomial_laws(restricted, 2))


def _exponents(p):
    return [(tuple(dict(m).get(v, 0) for v in range(3)), c) for m, c in p.items()]


@pytest.mark.parametrize(
    ("surface", "degree", "message"),
    [
        ("m1", 2, "the surface m1 = 0 is not invariant: the field moves it"),
        ("3", 2, "a polynomial that is no constant"),
        ("0", 2, "a polynomial that is no constant"),
        ("m1*", 2, "line 1, column 4"),
        ("m1*g1 + m2*g2 + m3*g3", 0, "degree must be at least 1"),
        ("m1*g1 + m2*g2 + m3*g3", 9, "at most 1500 monomials"),
    ],
)
def test_surfaces_that_are_refused(surface, degree, message):
    with pytest.raises(ValueError, match=message):
        laws_on(TOP, surface, degree)


def test_the_command_on_a_surface(tmp_path, capsys):
    path = tmp_path / "kepler.ode"
    path.write_text("x' = p; y' = q; p' = -x*w^3; q' = -y*w^3; w' = -w^3*(x*p + y*q)\n")
    words = ["laws", str(path), "--degree", "3", "--on", "w^2*x^2 + w^2*y^2 - 1"]
    assert cli.run(words) == 0
    text = capsys.readouterr().out
    assert "2 hold everywhere, 2 more on the surface" in text and text.rstrip().endswith("x*q^2 - y*p*q - x*w")
    assert cli.run([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["independent"] == 3 and len(data["further"]) == len(data["multipliers"]) == 2
    assert cli.run([*words, "--forms"]) == 2 and "--on goes without" in capsys.readouterr().err
    assert cli.run(["laws", str(path), "--on", "x"]) == 2 and "not invariant" in capsys.readouterr().err
