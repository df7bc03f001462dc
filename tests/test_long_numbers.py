"""Integers of thousands of digits, from the text to the certificate: Python's own conversions stop at 4300 digits."""

import re
from fractions import Fraction

import pytest

import clexact
from clexact import Polynomial, VectorFields
from clexact.algebra.bounded import decimal, whole
from clexact.cli.main import run


def oscillator(frequency):
    """x' = w y, y' = -x, with the law x^2 + w y^2."""
    return VectorFields.from_ode(f"x' = {frequency}*y\ny' = -x")


@pytest.mark.parametrize(("power", "more"), [(0, -1), (0, 6), (4000, -1), (4000, 0), (4299, 0), (8000, 7), (25000, 3)])
def test_decimals(power, more):
    n = 10**power + more
    text = decimal(n)
    assert re.fullmatch(r"0|[1-9]\d*", text) and whole(text) == n
    assert whole("000" + text) == n


@pytest.mark.slow
@pytest.mark.parametrize(("power", "divisor"), [(4000, 1), (9000, 1), (4000, 3000)])
def test_the_law_of_an_oscillator(power, divisor):
    w, X = Fraction(3**power, 7**divisor), oscillator(f"3^{power}/7^{divisor}")
    count = clexact.certify(X)
    (law,) = count.laws.polynomials()
    expected = Polynomial(["x", "y"], {(2, 0): 1, (0, 2): w}).primitive
    assert str(count).startswith("exactly 1 independent conservation law ") and not count.error
    assert law == expected and clexact.lie_derivative(law, X) == [0]
    assert VectorFields.from_strings(["x", "y"], [[str(p) for p in X.components(0)]]) == X
    assert VectorFields.from_sympy(X.to_sympy(), ["x", "y"]) == X
    assert decimal(w.numerator) in count.to_json(laws=True)


def test_a_law_of_two_fields_with_long_numbers():
    X = VectorFields.from_strings(["x", "y", "z"], [{"x": "3^3000*y", "y": "-x"}, {"y": "5^2000*z", "z": "-y"}])
    (law,) = clexact.certify(X).laws.polynomials()
    assert law == Polynomial(X.variables, {(2, 0, 0): 1, (0, 2, 0): 3**3000, (0, 0, 2): 15**2000 * 3**1000})


def test_a_certificate_of_numbers_that_the_verifier_reads(tmp_path):
    clexact.certify(oscillator("3^4000")).certificate.save(tmp_path / "c.json")
    assert clexact.verify(tmp_path / "c.json")


SENTENCE = r"no certificate can be made: {}; the verifier reads numbers of at most 4000 digits and powers below 10\^9\."


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ([{"x": "3^9000*y", "y": "-x"}], "field 0: a factor is too long"),
        ([{"x": "3^4000/7^3000*y", "y": "-x"}], "field 0: a factor is too long"),
        ([{"x": "x^1000000000"}], r"field 0: 'x\^1000000000' is no power of a variable"),
        ([{"x": "3^7000*y", "y": "-x"}, {"y": "5^3000*z", "z": "-y"}], "law 0: a factor is too long"),
    ],
)
def test_no_certificate_is_made_that_the_verifier_would_not_read(fields, what):
    count = clexact.certify(VectorFields.from_strings(["x", "y", "z"], fields))
    with pytest.raises(ValueError, match=SENTENCE.format(what)):
        _ = count.certificate


def test_the_command_says_so_before_the_work(tmp_path, capsys):
    (tmp_path / "long.ode").write_text("x' = 3^9000*y\ny' = -x\n")
    (tmp_path / "short.ode").write_text("x' = 3^4000*y\ny' = -x\n")
    file = tmp_path / "c.json"
    assert run(["certify", "--system", str(tmp_path / "long.ode"), "--save", str(file)]) == 2
    out, err = capsys.readouterr()
    assert not out and not file.exists()
    assert re.fullmatch(f"clexact certify: error: {SENTENCE.format('field 0: a factor is too long')}\n", err)
    assert run(["certify", "--system", str(tmp_path / "short.ode"), "--save", str(file), "--laws"]) == 0
    assert capsys.readouterr().out.startswith("1 explicit field on Q^2\nexactly 1 independent") and file.exists()
    assert run(["verify", str(file)]) == 0


HUGE = {
    "a power": "3^1000000000",
    "a power of a sum": "(x + 3)^1000000000",
    "a sum": "+".join(f"3^41000*x^{i}" for i in range(9999)),
    "a product": "*".join(["3^41000"] * 9999),
}


@pytest.mark.slow
@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_more_than_memory_holds_is_refused_at_once(text):
    with pytest.raises(ValueError, match=r"line 1, column \d+: (power \d+ is too large|too many terms)"):
        oscillator(text)
