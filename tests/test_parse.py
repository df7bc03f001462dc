"""The grammar of polynomials and systems: values against Python and SymPy, places in errors, hostile texts."""

import re
from fractions import Fraction

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from reference import MODEST, XYZ, expression_texts, naive_sum, naive_times, sparse_polynomials

from clexact.algebra import bounded as expansion
from clexact.algebra import parse
from clexact.algebra.fields import VectorFields
from clexact.algebra.parse import parse_polynomial
from clexact.algebra.polynomial import Polynomial
from clexact.algebra.system_lines import statements
from clexact.algebra.systems import parse_system as read_system

SYMBOLS = dict(zip(XYZ, sympy.symbols("x y z"), strict=True))


def value(text, variables=XYZ):
    return Polynomial.from_string(text, variables)


def from_python(text):
    """What Python and SymPy make of a text of the grammar; integers become rationals first."""
    rational = re.sub(r"(?<![\w^*])(\d+)(?!\w)", r"sympy.Integer(\1)", text.replace("^", "**"))
    return eval(rational, {"sympy": sympy, **SYMBOLS})


def parse_system(text):
    """Variables, and {variable: polynomial} of each field."""
    system = read_system(text)
    return system.variables, [{system.variables[j]: p for j, p in field.items()} for field in system.fields]


@pytest.fixture
def bounded(monkeypatch):
    """Fail instead of hanging when an expansion multiplies out millions of pairs of terms."""
    work = 0

    def times(a, b, multiply=expansion.times):
        nonlocal work
        work += len(a) * len(b)
        assert work < 5 * 10**6, "the parser expands without bound"
        return multiply(a, b)

    monkeypatch.setattr(expansion, "times", times)


# --- grammar ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@MODEST
@given(expression_texts())
def test_precedence_is_that_of_python_and_sympy(text):
    assert sympy.expand(value(text).to_sympy() - from_python(text)) == 0


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("-x^2", "0 - x*x"),
        ("2*-x^2", "0 - 2*x*x"),
        ("(-x)^2", "x*x"),
        ("- -x", "x"),
        ("--x", "x"),
        ("+x - +y", "x - y"),
        ("x - y - z", "x - (y + z)"),
        ("x/2/3", "1/6*x"),
        ("1/2*x", "x/2"),
        ("x/(1 + 1)", "x/2"),
        ("6/-3*x", "0 - 2*x"),
        ("-2^2", "0 - 4"),
        ("2**3", "8"),
        ("x^0", "1"),
        ("0^0", "1"),
        ("0^3", "0"),
        ("(x + y)^2", "x*x + 2*x*y + y*y"),
        ("(2*x*y)^3", "8*x^3*y^3"),
        ("(x - x)^5", "0"),
        ("  x\t*  y ", "x*y"),
        ("007*x", "7*x"),
        ("2x", "2*x"),
        ("2(x + 1)(x - 1)", "2*x*x - 2"),
        ("3x^(2)", "3*x*x"),
        ("2^-1*x", "x/2"),
        ("x^(1 + 1)", "x*x"),
        ("x² − 2·y", "x^2 - 2*y"),
        (r"\frac{1}{2}x \cdot \left(y + 1\right)", "x*y/2 + x/2"),
        ("x^{2}", "x^2"),
        ("1.5", "3/2"),
        ("1.*x", "x"),
        (".5x", "x/2"),
        ("1e3", "1000"),
        ("2.5e-3", "1/400"),
        ("1E5", "100000"),
        ("0.0", "0"),
        ("0.1", "1/10"),
        ("4/2^2", "1"),
    ],
)
def test_grammar(text, same):
    assert value(text) == value(same)


@pytest.mark.parametrize("text", ["x^2^3", "x**2**3", "2*-x^2^3", "--x^2^3", "-x^2^3"])
def test_repeated_powers_are_refused_as_ambiguous(text):
    with pytest.raises(ValueError, match=r"line 1, column \d+: expected an operator, not '(\^|\*\*)'"):
        value(text)


@pytest.mark.parametrize("name", ["x", "theta_1", "U[0,1]", "_a", "e5", "E", "W[10]", "é"])
def test_names(name):
    assert value(f"2*{name}^2 - {name}", [name]) == Polynomial([name], {(2,): 2, (1,): -1})


def test_indices_may_be_spaced():
    assert value("U[ 0 , 1 ]*2", ["U[0,1]"]) == value("2*U[0,1]", ["U[0,1]"])


@pytest.mark.slow
@MODEST
@given(sparse_polynomials(3), sparse_polynomials(3), st.sampled_from([1, -1]))
def test_sums_and_products(p, q, sign):
    total = dict(p)
    expansion.add(total, q, sign)
    assert total == naive_sum(p, {m: sign * c for m, c in q.items()})
    assert expansion.times(p, q) == naive_times(p, q)


def test_parse_polynomial_gives_fractions():
    assert parse_polynomial("x/2 - 3", ("x",)) == {((0, 1),): Fraction(1, 2), (): Fraction(-3)}


# --- errors name the place -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "expected a number, a variable or '(', not end of line"),
        ("   ", 1, "expected a number, a variable or '(', not end of line"),
        ("x +", 4, "expected a number, a variable or '(', not end of line"),
        ("x + * y", 5, "expected a number, a variable or '(', not '*'"),
        ("x y", 3, "expected an operator, not 'y'"),
        ("x^2y", 4, "expected an operator, not 'y'; write products as x*y"),
        ("1/2x", 4, "a/2x may be (a/2)*x or a/(2*x)"),
        ("x^0.5", 3, "expected a power that is an integer >= 0, not '0.5'; a root is a variable of its own"),
        ("exp(x)", 1, "unknown variable 'exp'"),
        ("1e99999999", 1, "the power of ten of '1e99999999' is too large"),
        ("x(y)", 2, "expected an operator, not '('"),
        ("(x", 3, "expected ')', not end of line"),
        ("x)", 2, "expected an operator, not ')'"),
        ("()", 2, "expected a number, a variable or '(', not ')'"),
        ("x $ y", 3, "unexpected character '$'"),
        ("x`", 2, "unexpected character"),
        ("x = y", 3, "unexpected character '='"),
        ("  y + w", 7, "unknown variable 'w'"),
        ("x[1]", 1, "unknown variable 'x[1]'"),
        ("x^y", 3, "expected a power that is an integer >= 0, not 'y'"),
        ("x^-1", 3, "power -1 of a variable: a polynomial has powers >= 0 only"),
        ("x^(y)", 3, "expected a power that is an integer >= 0, not that in parentheses"),
        ("x^", 3, "expected a power that is an integer >= 0, not end of line"),
        ("1/x", 2, "division by a polynomial with variables"),
        ("x/0", 2, "division by zero"),
        ("x/(y - y)", 2, "division by zero"),
        ("x/(1 + y)", 2, "division by a polynomial with variables"),
    ],
)
def test_errors_name_the_column(text, column, message):
    with pytest.raises(ValueError, match=re.escape(f"line 1, column {column}: {message}")):
        value(text)


@pytest.mark.slow
@MODEST
@given(expression_texts(), st.data())
def test_a_foreign_character_is_named_where_it_stands(text, data):
    place = data.draw(st.integers(0, len(text)))
    with pytest.raises(ValueError, match=rf"^line 1, column {place + 1}: unexpected character '\$'"):
        value(f"{text[:place]}${text[place:]}")


def test_errors_in_a_text_of_several_lines_name_the_line():
    with pytest.raises(ValueError, match="line 2, column 3: unknown variable 'w'"):
        value("x +\n  w")


# --- hostile texts ---------------------------------------------------------------------------------------------------


@MODEST
@given(st.text(alphabet="xyz0129+-*/^() .[],'=#\n\t_eE$", max_size=25))
def test_any_text_of_the_alphabet_parses_or_is_refused(text):
    assert parses_or_is_refused(lambda: value(text))
    assert parses_or_is_refused(lambda: VectorFields.from_ode(text))


@pytest.mark.slow
@MODEST
@given(st.text(max_size=30))
def test_any_text_parses_or_is_refused(text):
    assert parses_or_is_refused(lambda: value(text))
    assert parses_or_is_refused(lambda: VectorFields.from_ode(f"x' = {text}"))


def parses_or_is_refused(read):
    """True for a result that reads back the same, and for a ValueError that says something."""
    try:
        result = read()
    except ValueError as error:
        return len(str(error)) > 10
    if isinstance(result, Polynomial):
        return Polynomial.from_string(str(result), result.variables) == result
    texts = [[str(p) for p in result.components(i)] for i in range(len(result))]
    return VectorFields.from_strings(result.variables, texts) == result


@pytest.mark.parametrize("depth", [1, 50, 99])
@pytest.mark.parametrize(("left", "right"), [("(", ")"), ("-", ""), ("+(", ")")])
def test_nesting(left, right, depth):
    depth = depth // len(left)
    sign = (-1) ** depth if left == "-" else 1
    assert value(left * depth + "x" + right * depth) == sign * value("x")


@pytest.mark.slow
@pytest.mark.parametrize("depth", [101, 1000, 10**5])
@pytest.mark.parametrize(("left", "right"), [("(", ")"), ("-", ""), ("-(", ")"), ("(", "")])
def test_nesting_too_deep_is_refused(left, right, depth):
    with pytest.raises(ValueError, match=r"line 1, column \d+: nested more than 100 deep"):
        value(left * depth + "x" + right * depth)


def test_long_texts_are_read():
    assert value(" + ".join(["x"] * 3000)) == 3000 * value("x")
    assert value("*".join(["x"] * 2000)) == value("x^2000")


@pytest.mark.parametrize("text", ["x^2147483647", "(x*y)^2147483647", "(-x)^2147483647", "(x^2)^1073741823"])
def test_the_largest_powers_are_read(text):
    assert value(text).degree >= 2**31 - 2


@pytest.mark.parametrize(
    "text", ["x^2147483648", "(x^2)^2147483647", "(x^2)^1073741824", "x^99999999999999999999", "(2*x)^2147483647"]
)
def test_a_power_that_is_too_large_is_refused(text):
    with pytest.raises(ValueError, match=r"line 1, column \d+: power \d+ is too large"):
        value(text)


@pytest.mark.parametrize("text", ["x^2147483647*x", "x*x^2147483647", "(x + y)*x^2147483647"])
def test_a_product_whose_power_is_too_large_is_refused(text):
    with pytest.raises(ValueError, match=r"line 1.*too large|line 1.*exceeds 2\^31 - 1"):
        value(text)


@pytest.mark.parametrize("text", ["2^100000", "(1/2)^100000", "(2/3*x)^100000", "2^99999999999999999999"])
def test_a_number_that_is_too_large_is_refused(text):
    with pytest.raises(ValueError, match=r"line 1, column \d+: power \d+ is too large"):
        value(text)


@pytest.mark.parametrize("text", ["((2^300)^300)^300", "(((3^50)^50)^50)^50*x", "((2*x)^3000)^3000"])
def test_nested_powers_of_numbers_are_bounded(text):
    with pytest.raises(ValueError, match="too large"):
        value(text)


@pytest.mark.parametrize("text", ["(x + y)^100000", "(x + y + z)^3000", "(x + y)^99999999999999999999"])
def test_a_sum_to_a_large_power_is_refused(text, bounded):
    with pytest.raises(ValueError, match=r"line 1, column \d+: (power \d+ is too large|too many terms)"):
        value(text)


@pytest.mark.parametrize("text", ["({sum})^6", "({sum})*({sum})*({sum})*({sum})*({sum})", "(({sum})^2)^3"])
def test_expansions_are_bounded(text, bounded):
    variables = [f"x{i}" for i in range(100)]
    with pytest.raises(ValueError, match=r"too large|too many"):
        value(text.format(sum=" + ".join(variables)), variables)


@pytest.mark.parametrize("power", [2, 10, 30])
def test_powers_of_sums_of_ordinary_size(power, bounded):
    x, y = sympy.symbols("x y")
    expected = sympy.Poly((x + 2 * y - 1) ** min(power, 12), x, y)
    assert value(f"(x + 2*y - 1)^{min(power, 12)}", ["x", "y"]) == Polynomial.from_sympy(expected.as_expr(), ["x", "y"])
    assert len(value(f"(x + y)^{power}")) == power + 1


@pytest.mark.parametrize("digits", [1, 300, 4000, 4001, 4301, 9999, 20000])
def test_long_integers_are_read(digits):
    assert value("9" * digits + "*x") == Polynomial(XYZ, {(1, 0, 0): 10**digits - 1})


@pytest.mark.parametrize("digits", [20001, 10**5])
def test_integers_that_are_too_long_are_refused(digits):
    with pytest.raises(ValueError, match=f"line 1, column 5: integer of {digits} digits; at most 20000 are read"):
        value("x + " + "1" * digits)


@pytest.mark.parametrize("text", ["x^" + "9" * 5000, "2^" + "9" * 4500])
def test_powers_of_many_digits_are_refused(text):
    with pytest.raises(ValueError, match="line 1, column 3: "):
        value(text)


# --- systems ---------------------------------------------------------------------------------------------------------

LORENZ = """# a comment, then a blank line

x' = 10*(y - x)      # another comment
y' = x*(28 - z) - y
  z' = x*y - 8/3*z
"""


def test_a_system():
    names, fields = parse_system(LORENZ)
    assert names == XYZ
    texts = {"x": "10*y - 10*x", "y": "28*x - x*z - y", "z": "x*y - 8/3*z"}
    assert fields == [{name: parse_polynomial(text, XYZ) for name, text in texts.items()}]


def test_several_fields_share_their_variables():
    names, fields = parse_system("x' = y\ny' = z\n---\nz' = x  # next\n  -----  \n\nx' = 1\n---\n")
    assert names == XYZ
    assert fields == [{"x": {((1, 1),): 1}, "y": {((2, 1),): 1}}, {"z": {((0, 1),): 1}}, {"x": {(): 1}}]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends(newline):
    assert parse_system(newline.join(LORENZ.splitlines())) == parse_system(LORENZ)


@pytest.mark.parametrize("left", ["x'", "x '", " x'", "x'  "])
def test_left_sides(left):
    assert parse_system(f"{left}=2*x")[1] == [{"x": {((0, 1),): 2}}]


@pytest.mark.parametrize("name", ["U[0,1]", "U[0, 1]", "U[ 0 , 1 ]"])
def test_left_sides_with_indices(name):
    assert parse_system(f"{name}' = 2*U[0,1]")[0] == ("U[0,1]",)


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "---\n# x' = 1\n---"])
def test_a_system_needs_an_equation(text):
    with pytest.raises(ValueError, match="the system has no equation; expected lines such as"):
        parse_system(text)


@pytest.mark.parametrize("line", ["x' y", "x'", "= x", "2' = x", "x y' = 1", "x[a]' = 1", "--"])
def test_a_line_that_is_no_equation_is_named(line):
    message = f"line 3, column 3: expected an equation such as  x' = y + 1, not {line!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_system(f"x' = 1\n\n  {line}\n")


def test_a_second_equation_is_refused():
    with pytest.raises(ValueError, match="line 3, column 2: a second equation for 'x' in the same field"):
        parse_system("x' = 1\ny' = 2\n x' = 3")
    assert len(parse_system("x' = 1\n---\nx' = 2")[1]) == 2


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("x' = y", "line 1, column 6", "unknown variable 'y'"),
        ("x' = 1\n\ty'  =  2*x + w # w", "line 2, column 15", "unknown variable 'w'"),
        ("x' = 1\n---\nx' =", "line 3, column 5", "expected a number"),
        ("x' = x'", "line 1, column 6", "unknown variable"),
        ("x' = 1 = 2", "line 1, column 8", "unexpected character '='"),
        ("x' = # 1", "line 1, column 5", "expected a number"),
    ],
)
def test_errors_in_a_system_name_line_and_column(text, place, message):
    with pytest.raises(ValueError, match=re.escape(f"{place}: {message}")):
        parse_system(text)


def test_statements_keep_texts_and_places():
    ((first, second),) = statements("x' = y # c\n\n y' =x")
    assert (first.name, first.text.strip(), first.place.line) == ("x", "y", 1)
    assert (second.name, second.text.strip(), second.place) == ("y", "x", parse.Place(3, 5))
