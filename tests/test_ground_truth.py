"""Problems written for KeYmaera X, and the benchmark of laws: SymPy and another elimination check what they say."""

import hashlib
import json
import re
from itertools import combinations_with_replacement

import pytest
import sympy

import clexact
from clexact import Polynomial, VectorFields, darboux_polynomials, polynomial_laws
from clexact.cli import main as cli
from clexact.cli.bench_laws import entry
from clexact.systems.formats import parse_text
from clexact.systems.known import KNOWN
from clexact.systems.writers import to_kyx

ENTRY = re.compile(
    r'ArchiveEntry "(?P<title>[^"]*)"\n.*?Problem\n  (?P<before>.*?) -> \[\{(?P<program>.*?)\}\](?P<after>.*?)\nEnd\.'
    r'\nTactic "proof"\n  implyR\(1\); (?P<step>.*?)\nEnd\.',
    re.DOTALL,
)
SYSTEMS = [
    "x' = y; y' = -x",
    "x' = x - x*y; y' = x*y - y",
    "par a, b; x' = a*y; y' = -b*x",
    "θ' = w/(1 + r_1); w' = -θ/(1 + r_1); r_1' = 0",
    "x' = y; y' = -x; z' = 0\n---\nx' = 0; y' = z; z' = -y",
]


def as_sympy(text):
    return sympy.sympify(
        text.replace("^", "**"), locals={name: sympy.Symbol(name) for name in re.findall(r"[A-Za-z]\w*", text)}
    )


@pytest.mark.parametrize("text", SYSTEMS)
def test_problems_of_keymaera(text):
    """Each entry says something true of the equations written in it, by the identity that its proof step needs."""
    fields = VectorFields.from_ode(text)
    laws = list(polynomial_laws(fields, 2))
    found = darboux_polynomials(fields, 2) if not fields.parameters else None
    steps = list(zip(found, found.cofactors, strict=True)) if found is not None else []
    written = to_kyx(fields, laws, steps)
    entries = list(ENTRY.finditer(written))
    assert len(entries) == (len(laws) + len(steps)) * len(fields) > 0
    for match in entries:
        assert match["before"] == match["after"]
        equations, _, domain = match["program"].partition(" & ")
        slopes = dict(part.split("' = ") for part in equations.split(", "))
        left, right = match["after"].split(" = ")
        h = as_sympy(left)
        rate = sum(h.diff(sympy.Symbol(name)) * as_sympy(slope) for name, slope in slopes.items())
        if match["step"] == "dI(1)":
            assert re.fullmatch(r"c\d*", right) and right not in slopes and sympy.simplify(rate) == 0
        else:
            cofactor = as_sympy(re.fullmatch(r'dbx\("(.*)", 1\)', match["step"])[1])
            assert right == "0" and sympy.simplify(rate - cofactor * h) == 0
        assert bool(domain) == bool(fields.multipliers)
        declared = re.findall(r"Real (\w+);", match[0])
        assert set(slopes) <= set(declared) and all(re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", name) for name in declared)
    read = parse_text(written, "a.kyx")
    assert len(read) == len(fields) and read.terms.coef.tolist() == fields.terms.coef.tolist()


def test_what_is_no_law_is_not_written():
    fields = VectorFields.from_ode("x' = y; y' = -x")
    x = Polynomial.from_string("x", ["x", "y"])
    with pytest.raises(ValueError, match="x is no law"):
        to_kyx(fields, [x])
    with pytest.raises(ValueError, match="x is no Darboux polynomial"):
        to_kyx(fields, [], [(x, [x])])


def test_the_command_writes_problems(tmp_path, capsys):
    path, out = tmp_path / "lv.ode", tmp_path / "lv.kyx"
    path.write_text("x' = x - x*y; y' = x*y - y\n")
    assert cli.run(["laws", str(path), "--forms", "--quiet", "--kyx", str(out)]) == 0
    assert out.read_text().count("dbx(") == 2 and "log(x)" in capsys.readouterr().out
    assert cli.run(["laws", str(path), "--kyx", str(tmp_path / "no" / "x.kyx")]) == 2
    assert cli.run(["laws", "linear", "2", "2", "--kyx", str(out)]) == 2
    assert "--kyx is of a system of equations" in capsys.readouterr().err


# --- the benchmark ----------------------------------------------------------------------------------------------------


def nullity(fields, degree, prime):
    """Of X h = 0 over all monomials, from SymPy's derivatives, by an elimination of its own."""
    symbols = [sympy.Symbol(v) for v in fields.variables]
    rows = {}
    columns = [sympy.prod(c) for k in range(1, degree + 1) for c in combinations_with_replacement(symbols, k)]
    for n, m in enumerate(columns):
        for i, field in enumerate(fields.to_sympy()):
            along = sympy.Poly(sum(c * sympy.diff(m, x) for c, x in zip(field, symbols, strict=True)), *symbols)
            for exponents, c in along.terms():
                rows.setdefault((i, exponents), {})[n] = int(c.p) * pow(int(c.q), -1, prime) % prime
    pivots = {}
    for row in rows.values():
        row = {n: c for n, c in row.items() if c}
        while row and (lead := min(row)) in pivots:
            factor = row[lead]
            for n, c in pivots[lead].items():
                row[n] = (row.get(n, 0) - factor * c) % prime
            row = {n: c for n, c in row.items() if c}
        if row:
            inverse = pow(row[min(row)], -1, prime)
            pivots[min(row)] = {n: c * inverse % prime for n, c in row.items()}
    return len(columns) - len(pivots)


@pytest.mark.parametrize("name", ["lorenz", "michaelis-menten", "pendulum", "node"])
def test_entries_of_the_benchmark(name, tmp_path):
    """Laws by SymPy; absences by another elimination, modulo another prime; the hash is of a proof that verifies."""
    known = next(k for k in KNOWN if k.name == name)
    found = entry(known, folder=tmp_path)
    fields = VectorFields.from_ode(known.text)
    symbols = [sympy.Symbol(v) for v in found["variables"]]
    for text in [*found["laws"], *(law["law"].replace("arctan", "atan") for law in found["further"])]:
        h = as_sympy(text) if "log" not in text else sympy.sympify(text.replace("^", "**"))
        (field,) = fields.to_sympy()
        assert sympy.simplify(sum(c * h.diff(x) for c, x in zip(field, symbols, strict=True))) == 0
    assert found["complete"]["proved"]
    assert nullity(fields, known.degree, 1_000_003) == len(found["laws"])
    document = (tmp_path / f"{name}.json").read_bytes()
    certificate = clexact.Certificate.load(tmp_path / f"{name}.json")
    assert hashlib.sha256(certificate.to_json().encode()).hexdigest() == found["certificate_sha256"]
    assert clexact.verify(certificate) and document
    assert found["count"]["lower"] <= fields.dimension - 1 <= found["count"]["upper"]


def test_known_systems():
    """Names are distinct, every text is read, and is one field."""
    assert len({known.name for known in KNOWN}) == len(KNOWN) >= 30
    for known in KNOWN:
        fields = VectorFields.from_ode(known.text)
        assert len(fields) == 1 and not fields.parameters and not fields.notes


def test_the_command_of_the_benchmark(tmp_path, capsys):
    assert cli.run(["bench-laws", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(KNOWN)
    out = tmp_path / "laws.json"
    assert cli.run(["bench-laws", "spiral", "damped", "--quiet", "--out", str(out)]) == 0
    first = out.read_text()
    data = json.loads(first)
    assert [s["name"] for s in data["systems"]] == ["spiral", "damped"] and data["seed"] == 0
    assert cli.run(["bench-laws", "spiral", "damped", "--quiet"]) == 0
    assert capsys.readouterr().out == first
    assert cli.run(["bench-laws", "lorentz"]) == 2 and "lorenz" in capsys.readouterr().err
    assert cli.run(["bench-laws", "spiral", "--certificates", str(tmp_path / "none")]) == 2
