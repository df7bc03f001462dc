"""Systems as people write them: each notation against the fields it means; rational functions, functions."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from reference import FEW, MODEST

import clexact
from clexact import HeavyBall, VectorFields, polynomial_laws

ROTATION = VectorFields.from_strings(["x", "y"], [["2*y", "-x/10"]])


@pytest.mark.parametrize(
    "text",
    [
        "x' = 2y\ny' = -0.1x",
        "dx/dt = 2*y; dy/dt = -1e-1*x",
        "d x / d t = 2*y, d y/dt = -x/10",
        "x'(t) = 2*y(t), y'(t) = -0.1*x(t)",
        "xdot = 2*y  % a comment\nydot = -0.1*x // another",
        "\ufeffx' = 2·y\ny' = −0.1·x",
        "ẋ = 2*y\nẏ = -0.1x",
        r"\dot{x} = 2 y" + "\n" + r"\dot y = -\frac{1}{10} x",
        r"\frac{dx}{dt} = 2 \cdot y" + "\n" + r"\frac{d y}{d t} = -\frac{x}{10}",
        "D(x) ~ 2*y\nD(y) ~ -0.1*x",
        "d/dt x = 2*y\ndydt = -x/10",
        "x' = 2*\n   y\ny' = (\n -x\n)/10",
        "x' = y \\\n + y\ny' = -x/20 ...\n - x/20",
        "k = 0.1\nv = k*x\nx' = 2*y\ny' = -v",
        "par a = 2, k = 0.1\nx' = a*y\ny' = -k*x",
        "x' = 2*y^(1)\ny' = -x^2*(10*x)^-1",
    ],
)
def test_notations_of_one_system(text):
    assert VectorFields.from_ode(text) == ROTATION


def test_second_order_is_made_first_order():
    X = VectorFields.from_ode("x'' = -x\nd^2y/dt^2 = -4*y + x'")
    assert VectorFields.from_strings(["x", "x'", "y", "y'"], [["x'", "-x", "y'", "-4*y + x'"]]) == X


def test_indices_of_latex():
    X = VectorFields.from_ode(r"\dot{x_{1}} = x_{2}; x_2' = -\left(x_1\right)^{3}")
    assert VectorFields.from_strings(["x_1", "x_2"], [["x_2", "-x_1^3"]]) == X


def test_names_with_dots_and_inputs():
    X = VectorFields.from_ode("A.x' = u*A.y + 1\nA.y' = -u*A.x\ninput u")
    assert VectorFields.from_strings(["A.x", "A.y"], [["A.y", "-A.x"], ["1", "0"]]) == X
    assert X.notes == ("a field for each monomial of the inputs u: laws for all of them",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x' = a*x", "line 1, column 6: unknown variable 'a': a parameter\\? declare it by  par a"),
        ("x' = t", "add the equation  t' = 1"),
        ("x' = 1/2x", "line 1, column 9: a/2x may be"),
        ("x' = y'\ny' = 1", "write the right side of its equation"),
        ("v = w\nw = v\nx' = v", "line 1, column 1: the definition of 'v' needs 'v' itself"),
        ("x' = abs(x)", "unknown function 'abs'.* give a system for each piece"),
        ("x' = exp(1)*x", r"exp\(1\) is not rational: declare a parameter"),
        ("par a\nx' = exp(a)*x", "exp of a parameter or an input"),
        ("par x\nx' = 1", "line 1, column 5: 'x' is declared, but it has a value or an equation too"),
        ("x' = x^(1/2)", "a root is a variable of its own"),
        ("x' = x/(x - x)", "line 1, column 7: division by zero"),
        ("par 2\nx' = 1", "expected names such as  par a, b = 2"),
    ],
)
def test_errors_say_what_to_write(text, message):
    with pytest.raises(ValueError, match=message):
        VectorFields.from_ode(text)


def test_sympy_functions_of_time_and_mappings():
    from sympy.physics.mechanics import dynamicsymbols

    t = dynamicsymbols._t
    q, p = dynamicsymbols("q p")
    oscillator = VectorFields.from_strings(["q", "p"], [["p", "-q"]])
    assert VectorFields.from_sympy([[p, -q]], [q, p]) == oscillator
    assert VectorFields.from_sympy({q: p, p: -q}) == oscillator
    assert VectorFields.from_strings({"q": "p", "p": "-q"}) == oscillator
    second = VectorFields.from_sympy([sympy.Eq(q.diff(t, 2), -q)])
    assert second == VectorFields.from_strings(["q", "q'"], [["q'", "-q"]])


def test_sympy_functions_are_those_of_texts():
    x, y = sympy.symbols("x y")
    fields = [
        [sympy.exp(-x) * y + sympy.sqrt(x), sympy.sin(x * y) / (1 + x)],
        ["exp(-x)*y + sqrt(x)", "sin(x*y)/(1 + x)"],
    ]
    assert VectorFields.from_sympy(fields[:1], [x, y]) == VectorFields.from_strings(["x", "y"], fields[1:])
    X = VectorFields.from_sympy([[y, -sympy.sin(sympy.exp(x)) / sympy.sqrt(y)]], [x, y])
    assert X.added == ("exp1", "sin1", "cos1", "sqrt1") and X.multipliers == ("sqrt1^2",)


def test_decimals_and_floats_that_are_exact():
    assert HeavyBall("0.1").rate == Fraction(1, 10) and HeavyBall(0.5).rate == Fraction(1, 2)
    one = clexact.gradient_flow(clexact.models.relu([1, 1, 1], slope="0.1"), weight_decay=0.25)
    assert "slope 1/10" in one.description
    with pytest.raises(TypeError, match=r"write Fraction\(1, 10\) or '0.1'"):
        clexact.gradient_flow(clexact.models.product(2), weight_decay=0.1)


@MODEST
@given(st.text(alphabet="xyd'/t=()*+-^.0129 ,;\n~par{}\\%#eé·", max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        X = VectorFields.from_ode(text)
    except ValueError as error:
        assert len(str(error)) > 10
        return
    assert len(X) >= 1 and len(polynomial_laws(X[0], 1).variables) == X.dimension


# --- rational right sides and functions of the state -----------------------------------------------------------------


def field_of(X, i=0):
    return dict(zip(map(sympy.Symbol, X.variables), [p.to_sympy() for p in X.components(i)], strict=False))


def test_a_rational_field_is_multiplied_by_its_common_denominator():
    X = VectorFields.from_ode("S' = -S^2/(1 + S)^2\nP' = S^2/(1 + S)^2 - P/(1 + S)\nQ' = P/(1 + S)")
    S, P = sympy.symbols("S P")
    given = [-(S**2) / (1 + S) ** 2, S**2 / (1 + S) ** 2 - P / (1 + S), P / (1 + S)]
    assert [sympy.expand(f) for f in field_of(X).values()] == [
        sympy.expand(sympy.cancel(f * (1 + S) ** 2)) for f in given
    ]
    assert X.notes == ("the field is multiplied by (S + 1)^2, which changes no law",)
    assert [str(h) for h in polynomial_laws(X, 2)] == ["S + P + Q", "S^2 + 2*S*P + 2*S*Q + P^2 + 2*P*Q + Q^2"]


def test_functions_of_the_state_become_variables_with_their_derivatives():
    """Along x, any function g of it has g' x'; the values of the variables added are those of g."""
    text = "x' = y*exp(-x) + sqrt(1 + x^2)\ny' = sin(x*y) + log(x) + tan(y)"
    X = VectorFields.from_ode(text)
    x, y = sympy.symbols("x y", positive=True)
    meant = {"exp1": sympy.exp(-x), "sqrt1": sympy.sqrt(1 + x**2), "sin1": sympy.sin(x * y), "cos1": sympy.cos(x * y)}
    meant |= {"log1": sympy.log(x), "sin2": sympy.sin(y), "cos2": sympy.cos(y)}
    assert set(X.variables) == {"x", "y", *meant}
    true = [y * meant["exp1"] + meant["sqrt1"], meant["sin1"] + meant["log1"] + sympy.tan(y)]
    point = {x: sympy.Rational(3, 4), y: sympy.Rational(1, 3)}
    values = {sympy.Symbol(n): e.subs(point) for n, e in {**meant, "x": x, "y": y}.items()}
    found = {str(s): sympy.N(f.subs(values), 30) for s, f in field_of(X).items()}
    scale = sympy.N(true[0].subs(point), 30) / found["x"]
    for name, e in {"x": x, "y": y, **meant}.items():
        slope = sum(e.diff(v) * f for v, f in zip((x, y), true, strict=True)).subs(point)
        assert abs(sympy.N(slope, 30) - scale * found[name]) < 1e-25


# --- parameters ------------------------------------------------------------------------------------------------------


def test_laws_over_the_field_of_the_parameters():
    """Not the parameters, nor their multiples: dimension, count and degree are those of the variables."""
    X = VectorFields.from_ode("par a, b\nx' = a*y*z\ny' = b*x*z\nz' = (a + b)*x*y")
    laws = polynomial_laws(X, 2)
    assert [str(h) for h in laws] == ["x^2*b - y^2*a", "x^2*a + x^2*b - z^2*a"] and laws.complete
    assert laws.independent == (0, 1) and "coefficients in Q(a, b)" in laws.known
    count = clexact.certify(X)
    assert (count.dimension, count.lower, count.upper, count.exhibited) == (3, 2, 2, 2)
    assert count.blocks == {("x", "y"): 1, ("x", "z"): 1}
    assert clexact.verify(count.certificate)
    with pytest.raises(ValueError, match="give values to a, b"):
        clexact.general_laws(X, 2)


@pytest.mark.slow
@FEW
@given(st.lists(st.integers(-2, 2), min_size=12, max_size=12), st.integers(1, 2))
def test_generic_laws_are_as_many_as_at_a_generic_value(coefficients, degree):
    """A bilinear system with entries in Z[a, b], against its values at large primes; its laws hold at small ones."""
    c = iter(coefficients)
    text = "par a, b\n" + "\n".join(
        f"{v}' = ({next(c)}*a + {next(c)}*b)*x*y + ({next(c)} + {next(c)}*a*b)*z" for v in ("x", "y", "z")
    )
    X = VectorFields.from_ode(text)
    found = polynomial_laws(X, degree)
    at = VectorFields.from_ode(text.replace("par a, b", "par a = 1000003, b = 7368787"))
    assert found.complete and len(found) == len(polynomial_laws(at, degree))
    small = VectorFields.from_ode(text.replace("par a, b", "par a = 2, b = 3"))
    for h in found:
        value = sympy.expand(h.to_sympy().subs({"a": 2, "b": 3}))
        h = clexact.Polynomial.from_sympy(value, small.variables)
        assert all(not len(p) for p in clexact.lie_derivative(h, small))


CASES = [
    ("par a, b\nx' = a*y\ny' = -b*x", 2, "ab"),
    ("par a, b\nx' = a*x\ny' = b*y", 3, "ab"),  # x^i y^j where i a + j b = 0
    ("par a, b\nx' = y*z\ny' = a*x*z\nz' = b*x*y + (a - b)^2*z", 2, "ab"),
    ("par s, r\nx' = s*(y - x)\ny' = r*x - y - x*z\nz' = x*y - r*z", 2, "sr"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("text", "degree", "names"), CASES)
def test_cases_are_right_at_every_value_of_a_grid(text, degree, names):
    """At each value the number of laws is that of the one case that it is in."""
    X = VectorFields.from_ode(text)
    found = clexact.law_cases(X, degree)
    for u in range(-2, 3):
        for v in range(-2, 3):
            point = dict(zip(names, (u, v), strict=True))
            mine = [case for case in found.cases if _holds(case, point)]
            assert len(mine) <= 1
            given = ", ".join(f"{name} = {value}" for name, value in point.items())
            at = VectorFields.from_ode(text.replace(text.splitlines()[0], f"par {given}"))
            assert len(mine[0].laws if mine else found.generic) == len(polynomial_laws(at, degree))


def _holds(case, point):
    at = [[sympy.sympify(p.replace("^", "**")).subs(point) for p in part] for part in (case.zero, case.nonzero)]
    return all(p == 0 for p in at[0]) and all(p != 0 for p in at[1])


def test_cases_of_a_saddle():
    """x^i y^j is conserved by (a x, b y) where i a + j b = 0: for degree 3, three lines beside the axes."""
    found = clexact.law_cases(VectorFields.from_ode(CASES[1][0]), 3, nonzero=True)
    assert {case.zero: [str(h) for h in case.laws] for case in found.cases} == {
        ("a + b",): ["x*y"],
        ("2*a + b",): ["x^2*y"],
        ("a + 2*b",): ["x*y^2"],
    }


@pytest.mark.parametrize(("variables", "fields"), [(5, 3), (6, 700), (9, 2000)])
def test_linear_laws_of_constant_fields_are_a_left_nullspace(variables, fields):
    """Random sparse directions with a law put into them, against SymPy's nullspace of all of them."""
    draw = np.random.default_rng(variables)
    rows = draw.integers(-3, 4, (fields, variables)) * (draw.random((fields, variables)) < 0.4)
    rows[:, 0] = -2 * rows[:, 1] - rows[:, 2]  # x0 + 2 x1 + x2 is conserved, and x4 is not met by most
    rows[:-1, 4] = 0
    X = VectorFields.from_strings([f"x{i}" for i in range(variables)], [[str(c) for c in row] for row in rows.tolist()])
    laws = polynomial_laws(X, 1)
    found = sympy.Matrix([[h.to_sympy().coeff(v) for v in sympy.symbols(X.variables)] for h in laws])
    meant = sympy.Matrix(np.unique(rows, axis=0).tolist()).nullspace()
    assert laws.complete and len(laws) == len(meant)
    assert sympy.Matrix.vstack(found, *(v.T for v in meant)).rank() == len(meant)


# --- bases, generators, elimination ----------------------------------------------------------------------------------

ENZYME = "S' = -2*S*E + C\nE' = -2*S*E + 4*C\nC' = 2*S*E - 4*C\nP' = 3*C"


def test_bases_span_the_same_space():
    from clexact.laws.bases import generators, in_basis
    from clexact.laws.result import spans

    laws = polynomial_laws(VectorFields.from_ode(ENZYME), 3)
    assert [str(h) for h in generators(laws)] == [str(h) for h in laws[:2]] and len(laws) == 9
    other = in_basis(laws, "echelon")
    assert len(other) == 9 and all(spans(laws, h) for h in other)
    linear = in_basis(polynomial_laws(VectorFields.from_ode(ENZYME), 1), "nonnegative")
    assert [str(h) for h in linear] == ["S + C + P", "E + C"]
    with pytest.raises(ValueError, match="of linear laws: give degree 1"):
        in_basis(laws, "nonnegative")


@pytest.mark.parametrize(
    "text", [ENZYME, "par k\nS' = -k*S*E/(1 + S)\nE' = 0\nP' = k*S*E/(1 + S)", "x' = y\ny' = 2*x*y"]
)
def test_elimination_reads_back_and_follows_the_system(text):
    """The smaller system, over its denominators, is the given one with the rules put in, by SymPy."""
    X = VectorFields.from_ode(text)
    found = clexact.eliminate(X, 2)
    assert found.rules and len(found.rules) + len(found.to_sympy()["fields"]) == X.dimension - len(X.parameters)
    rules = {sympy.Symbol(name): e for name, e in found.to_sympy()["rules"].items()}
    by = clexact.Polynomial.from_string(X.multipliers[0], X.variables).to_sympy() if X.multipliers else 1
    given = {v: p.to_sympy() / by for v, p in zip(X.variables, X.components(0), strict=False)}
    for name, e in found.to_sympy()["fields"].items():
        assert sympy.simplify(given[name].subs(rules) - e) == 0
    again = VectorFields.from_ode(found.to_ode())
    assert again.dimension == found.fields.dimension and len(polynomial_laws(again, 1)) == len(found.unused)


# --- control systems and Pauli words ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_the_transverse_field_ising_chain_has_so_2n(n):
    """Site by site: dimension n (2n - 1)."""
    bonds = ["I" * k + "XX" + "I" * (n - k - 2) for k in range(n - 1)]
    sites = ["I" * k + "Z" + "I" * (n - k - 1) for k in range(n)]
    assert clexact.dynamical_lie_algebra(bonds + sites).dimension == n * (2 * n - 1)
    if n < 4:
        assert (
            clexact.dynamical_lie_algebra([*bonds, *sites, "X" + "I" * (n - 1), "I" * (n - 1) + "X"]).dimension >= n * n
        )


def test_fields_of_pauli_words_are_schroedingers():
    """Against Kronecker products: psi' = -i H psi; the norm is the law of all of them."""
    from clexact.systems.formats import parse_text

    one = {"I": [[1, 0], [0, 1]], "X": [[0, 1], [1, 0]], "Y": [[0, -1j], [1j, 0]], "Z": [[1, 0], [0, -1]]}
    X = parse_text("XY + 1/2 ZI\n-YZ", "h.pauli")
    kron = lambda word: np.kron(*(np.array(one[letter]) for letter in word))  # noqa: E731
    point = np.arange(1, 9)
    psi = point[:4] + 1j * point[4:]
    for i, H in enumerate((kron("XY") + kron("ZI") / 2, -kron("YZ"))):
        meant = -1j * (H @ psi)
        found = [float(p(*point.tolist())) for p in X.components(i)]
        assert np.allclose(found, [*meant.real, *meant.imag])
    assert str(polynomial_laws(X, 2)[0]).startswith("a00^2 + a01^2")
    for text in ("XQ", "X + YY", "", "1/0 X"):
        with pytest.raises(ValueError, match=r"Pauli words|rational before"):
            clexact.dynamical_lie_algebra([text])


def test_accessibility():
    """A rigid body with one torque, along a generic axis; at rest, along an axis of inertia."""
    names = ["w1", "w2", "w3"]
    drift = VectorFields.from_strings(names, [["w2*w3", "-2*w1*w3", "w1*w2"]])
    torque = VectorFields.from_strings(names, [["1", "1", "1"]])
    assert clexact.accessibility(drift, torque).strong_rank == 3
    found = clexact.accessibility(drift, VectorFields.from_strings(names, [["1", "0", "0"]]), [0, 0, 0])
    assert (found.rank, found.strong_rank) == (1, 1)
    with pytest.raises(ValueError, match="drift must be one field"):
        clexact.accessibility(torque + drift, torque)
