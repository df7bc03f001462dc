"""Theorems for all sizes: against counts at single sizes, brackets computed in full, and forged proofs."""

import csv
import json
from itertools import product
from pathlib import Path

import forged_theorems
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import clexact
from clexact.cli import main as cli
from clexact.cli import theorem as theorem_command
from clexact.proofs.verifier import theorem as verifier
from clexact.proofs.verifier.theorem import RefusedError, verify_theorem
from clexact.theorems.conditions import left_over, parse, python, reduced
from clexact.theorems.contraction import NotUniformError, contraction
from clexact.theorems.prove import Subject, prove, recorded

DATA = Path(__file__).parent.parent / "docs" / "data"
MODELS = clexact.models


@pytest.fixture(scope="module")
def linear():
    """The theorem about two linear layers, of any sizes."""
    return clexact.theorem(MODELS.linear("n", "r", "m"))


def linear_laws(n, r, m):
    """The number of laws of U V^T, as the sources have it and grids confirm."""
    k = min(r, n + m)
    return k * (2 * r + 1 - k) // 2


def rows(name, network, flow):
    """Sizes and bounds in a table of docs/data."""
    with (DATA / f"{name}.csv").open() as file:
        for row in csv.DictReader(file):
            if row["network"] == network and row["flow"] in (flow, f"{flow}, U positive"):
                yield tuple(map(int, row["sizes"].split())), int(row["lower"]), int(row["upper"])


def contradicted(theorem, table):
    """Rows whose bounds are not the theorem's count, and how many it speaks of."""
    wrong, seen = [], 0
    for sizes, lower, upper in table:
        count = (
            theorem.count(**dict(zip(theorem.letters, sizes, strict=False)))
            if len(sizes) >= len(theorem.letters)
            else None
        )
        seen += count is not None
        wrong += [sizes] if count is not None and not lower == count == upper else []
    return wrong, seen


def output(capsys, *words):
    """Standard output of a command that must succeed."""
    assert cli.run(list(words)) == 0
    return capsys.readouterr().out


def test_the_sentence_of_two_linear_layers(capsys, tmp_path):
    """The command prints the theorem, JSON has its keys, and the certificate is verified by another command."""
    file = tmp_path / "theorem.json"
    words = ["certify", "linear", "n", "r", "m", "--where", "n >= r"]
    text = output(capsys, *words, "--quiet", "--save", str(file))
    assert text.strip() == "exactly r*(r + 1)/2 independent conservation laws, for all n >= r >= 1, m >= 1"
    data = json.loads(output(capsys, *words, "--json"))
    assert {"sizes", "where", "law_count", "regimes", "proved"} <= data.keys()
    assert data["sizes"] == ["n", "r", "m"] and data["proved"] is True and data["law_count"] == "r*(r + 1)/2"
    assert "exactly 1/2*r + 1/2*r*r" in output(capsys, "verify", str(file))
    file.write_text(file.read_text().replace('"rank":1', '"rank":2', 1))
    with pytest.raises(SystemExit, match="1"):
        cli.run(["verify", str(file)])


def test_all_regimes_of_two_linear_layers(linear):
    """One formula for all sizes, true of each; each regime is true where it holds, and they cover all sizes."""
    data = linear.to_dict()
    assert data["proved"] and not data["not_proved"]
    for n, r, m in product(range(1, 8), repeat=3):
        sizes = {"n": n, "r": r, "m": m}
        found = [eval(g["law_count"], {}, sizes) for g in data["regimes"] if eval(g["where"], {}, sizes)]
        assert found and set(found) == {linear_laws(n, r, m)} == {eval(data["law_count"], {}, sizes)}
        assert linear.count(**sizes) == linear_laws(n, r, m)


@pytest.mark.parametrize(
    ("model", "flow", "table", "network"),
    [
        (MODELS.linear("n", "r", "m"), "gradient", "linear", "U1 U2 ..."),
        (MODELS.relu("n", "r", "m"), "gradient", "relu", "relu"),
        (MODELS.relu("n", "r", "m", bias=True), "gradient", "relu", "relu, bias"),
        (MODELS.relu("n", "r", "m", "k"), "gradient", "relu", "relu"),
        (MODELS.nmf("n", "r", "m"), "mirror", "nmf", "U V^T"),
        (MODELS.icnn("n", "r", "m", bias=True), "mirror", "icnn", "U relu(V^T x + b)"),
    ],
    ids=str,
)
def test_theorems_agree_with_the_tables(model, flow, table, network):
    """No row of the tables contradicts a theorem; a wrong one planted among them does."""
    where = "n >= r, m >= r" if model.family == "nmf" else ""
    theorem, width = clexact.theorem(model, where, flow), len(model.letters)
    assert theorem.proved
    found = [row for row in rows(table, network, flow) if len(row[0]) == width]
    wrong, seen = contradicted(theorem, found)
    assert not wrong and seen > 20
    sizes, lower, upper = next(row for row in found if theorem.count(**dict(zip(theorem.letters, row[0], strict=True))))
    assert contradicted(theorem, [*found, (sizes, lower + 1, upper + 1)])[0] == [sizes]


def test_attention_counts_its_heads():
    """Heads are copies of one part, whose counts add up; certified at single sizes."""
    theorem = clexact.theorem(MODELS.attention("d", "h", heads=2), "d >= h")
    assert theorem.proved
    assert len(theorem.document["parts"]) == 2 and len(theorem.document["parts"][0]["copies"]) == 2
    for d, h in ((1, 1), (2, 1), (2, 2)):
        count = clexact.certify(clexact.gradient_flow(MODELS.attention(d, h, heads=2)))
        assert count.lower == count.upper == theorem.count(d=d, h=h)


def test_deep_square_layers():
    """n (n + 1) laws of three square layers: depth is fixed, the width is any."""
    theorem = clexact.theorem(MODELS.linear("n", "n", "n", "n"))
    assert theorem.proved and theorem.law_count == "n*(n + 1)"
    assert clexact.certify(clexact.gradient_flow(MODELS.linear(2, 2, 2, 2))).lower == theorem.count(n=2)


def test_the_rank_by_contents_is_that_of_all_brackets():
    """Twin: all fields and brackets in full at a point of deltas have at least the rank that the blocks add up to."""
    n, r, m = 4, 2, 3
    flow = clexact.gradient_flow(MODELS.linear(n, r, m))
    weights = {f"U1[{k},{k}]": k + 2 for k in range(r)}
    names = sympy.symbols(" ".join(f"x{k}" for k in range(flow.dimension)))
    at = {x: weights.get(name, 0) for x, name in zip(names, flow.variables, strict=True)}
    u, v = sympy.Matrix(n, r, names[: n * r]), sympy.Matrix(r, m, names[n * r :])
    entries = list(u * v)
    gradients = [sympy.Matrix([phi.diff(x) for x in names]) for phi in entries]
    hessians = [sympy.hessian(phi, names) for phi in entries]
    found = [g.subs(at) for g in gradients]
    values = found + [hessians[a] * found[b] - hessians[b] * found[a] for a in range(n * m) for b in range(a)]
    assert sympy.Matrix.hstack(*values).rank() == len(names) - linear_laws(n, r, m)


def test_forged_proofs_are_refused(linear):
    """Changed guards, pivots, counts, laws, domains: refused, or what is claimed is still true."""
    short, accepted = clexact.theorem(MODELS.linear("n", "r", "m"), "n >= r").document, 0
    for seed in range(260):
        document, path = forged_theorems.forged(short if seed % 13 else linear.document, seed)
        try:
            verify_theorem(document)
        except RefusedError:
            continue
        accepted += 1
        assert forged_theorems.claims_hold(document, linear_laws, 6), path
    assert accepted < 130


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["regimes"][0]["law_count"].append([1, 1, "m"]), "count"),
        (lambda d: d["regimes"][0].update(where=[]), "at least"),
        (lambda d: d["regimes"][0]["where"].__setitem__(2, [{"m": 1}, 0]), "at least"),
        (lambda d: d["regimes"][0]["parts"][0]["fields"]["point"].append(["U1", "A1", "A2"]), "not local"),
        (lambda d: d["regimes"][0]["parts"][0]["fields"]["blocks"][-1]["ways"][0]["rows"].clear(), "independent"),
        (lambda d: d["parts"][0]["laws"][0]["terms"][0].__setitem__(0, 2), "not conserved"),
        (lambda d: d["parts"][0]["network"][0][1].append(["U1", "i", "i"]), "sorts"),
        (lambda d: d["parts"][0]["copies"].append(d["parts"][0]["copies"][0]), "share a parameter"),
        (lambda d: d["regimes"][0]["where"].append([{"n": 1}, "0 or any"]), "a condition must be"),
        (lambda d: d["regimes"][0]["where"].append([{"s": 1}, 0]), "a condition must be"),
    ],
)
def test_a_forgery_is_refused_for_its_reason(linear, change, reason):
    """Each of the verifier's steps refuses what it is there for."""
    document = json.loads(json.dumps(linear.document))
    change(document)
    with pytest.raises(RefusedError, match=reason):
        verify_theorem(document)


def test_a_key_that_stands_twice_or_is_not_read_is_refused(linear):
    """Else a reader may take the document for another one: here of momentum, by the first of two keys."""
    text = json.dumps(linear.document)
    for key, value in (("flow", "momentum"), ("positive", ["U1"]), ("least", 5), ("rank", 7)):
        twice = text.replace(f'"{key}":', f'"{key}": {json.dumps(value)}, "{key}":', 1)
        assert twice != text and json.loads(twice) == linear.document
        assert verifier.verify_bytes(twice.encode()) == (2, ["not a certificate: a key stands twice"])

    def objects(data):
        """What the format gives keys, not names of the document's own."""
        inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
        own = isinstance(data, dict) and {*data} & {"title", "network", "terms", "where", "fields", "point", "least",
                                                    "content", "aux"}  # fmt: skip
        return [data] * bool(own) + [found for value in inner for found in objects(value)]

    document = json.loads(text)
    for data in objects(document):
        data["scope"] = "all flows"
        with pytest.raises(RefusedError, match="must have these keys"):
            verify_theorem(document)
        del data["scope"]
    assert len(objects(document)) >= 10 and verify_theorem(document)


def test_a_rank_that_nothing_shows_is_refused(linear):
    """A rank without ways, of contents of more indices than the regime says there are: those may exist."""
    document = json.loads(json.dumps(linear.document))
    (proof,) = document["regimes"][0]["parts"]
    atoms = {name: {"sorts": [name.lower()], "twins": [], "size": {name.lower(): 1}, "least": 0}
             for name in "NRM"}  # fmt: skip
    blocks = [{"content": {name: 1, "R": 1}, "rank": 1, "ways": []} for name in "NM"]
    where = [[{name: 1}, 0] for name in "nrm"]
    document["regimes"] = [{"where": where, "law_count": [[1, 1, "m", "r"], [1, 1, "n", "r"]],
        "parts": [{"atoms": atoms, "fields": {**proof["fields"], "point": [], "blocks": []},
                   "laws": {"point": [], "columns": None, "blocks": blocks}}]}]  # fmt: skip
    with pytest.raises(RefusedError, match="may be missing"):
        verify_theorem(document)


def test_the_order_of_types_matters():
    """Blocks of a ReLU network vanish outside earlier types only in their order."""
    document = json.loads(json.dumps(clexact.theorem(MODELS.relu("n", "r", "m")).document))
    document["regimes"][0]["parts"][0]["fields"]["blocks"].reverse()
    with pytest.raises(RefusedError, match="vanish"):
        verify_theorem(document)


def test_a_program_that_is_not_uniform_is_no_theorem():
    """What depends on the value of a size, or on a place along it, is refused with what was not met."""

    def odd(values):
        n = values["n"]
        return clexact.Model({"u": (n,), "v": n}, {"x": n}, lambda u, v, x: (u * v * x).sum() * (2 if n > 20 else 1))

    def cut(values):
        n = values["n"]
        return clexact.Model({"u": (n,)}, {"x": n}, lambda u, x: (u * x)[:3].sum())

    def spread(values):
        n = values["n"]
        return clexact.Model({"u": (n,), "b": n}, {"x": n}, lambda u, b, x: (u * x).sum() + b)

    for model_at in (odd, cut, spread):
        subject = Subject(
            model_at, lambda values, made=model_at: clexact.gradient_flow(made(values)), ("n",), (), "mine"
        )
        if model_at is cut:
            with pytest.raises(NotUniformError, match="cut"):
                recorded(subject)
        theorem = prove(subject)
        assert model_at is not spread or "single factor" in str(theorem)
        assert not theorem.proved and "not proved for all sizes" in str(theorem) and theorem.grid


def test_a_parameter_without_axes():
    """A number times a vector has one law, whatever the length."""
    assert clexact.theorem(MODELS.neuron("m")).law_count == "1"


def test_a_model_of_the_user_is_proved(capsys, tmp_path):
    """A function of a file, called with letters."""
    file = tmp_path / "net.py"
    file.write_text(
        "from clexact import Model\n"
        "def net(n, r):\n"
        "    return Model({'A': (r, n), 'B': (n, r), 'c': n}, {'x': n, 'y': n},\n"
        "                 lambda A, B, c, x, y: B @ (A @ x) + c * y)\n"
    )
    text = output(capsys, "certify", f"{file}:net", "n", "r", "--where", "n >= r", "--quiet")
    assert text.startswith("exactly r*(r + 1)/2 independent conservation laws, for all n >= r >= 1")
    text = output(capsys, "certify", f"{file}:net", "n", "r", "--where", "n >= max(r, 2)")
    assert "assuming: " in text and "the model is the same sum of products at all sizes as at n = 11, r = 13" in text
    assert "for all n >= r >= 1, n >= 2" in text or "for all n >= 2, n >= r >= 1" in text


@pytest.mark.parametrize("more", [1, 2, 4, 6, -2])
def test_a_length_that_is_no_letter_is_no_other_letter(more):
    """Axes of length n + 2 are not taken for those of length r, since r is n + 2 at one choice of sizes only."""

    def net(values):
        n, r = values["n"], values["r"]
        shapes = {"U": (n + more, r), "V": (r, n)}
        return clexact.Model(shapes, {"x": n}, lambda U, V, x: U @ (V @ x))

    subject = Subject(net, lambda values: clexact.gradient_flow(net(values)), ("n", "r"), (), "mine", own=True)
    with pytest.raises(NotUniformError, match="not the same"):
        recorded(subject)


def test_contractions_are_sums_of_products():
    """A network is read as it is written, whatever the sizes."""
    first, second = (
        contraction(MODELS.relu(n, r, m, bias=True).program, {n: "n", r: "r", m: "m"})
        for n, r, m in ((11, 13, 17), (19, 5, 7))
    )
    assert first == second and len(first.products) == 2
    with pytest.raises(NotUniformError, match="function"):
        contraction(MODELS.tanh(11, 13, 17).program, {11: "m", 13: "r", 17: "n"})


def test_large_sizes_by_a_theorem(capsys, monkeypatch):
    """The same count as the direct way; and sizes that no other way reaches, at once."""
    data = json.loads(output(capsys, "certify", "linear", "768", "12288", "768", "--json"))
    assert data["lower"] == data["upper"] == linear_laws(768, 12288, 768) and data["dimension"] == 18_874_368
    monkeypatch.setattr(theorem_command, "LARGE", 1)
    for words in (
        ("linear", "5", "4", "6"),
        ("attention", "4", "3", "--heads", "2"),
        ("relu", "3", "4", "5", "--bias"),
    ):
        theorem = json.loads(output(capsys, "certify", *words, "--json"))
        direct = json.loads(output(capsys, "certify", *words, "--json", "--direct"))
        assert "theorem" in theorem and "theorem" not in direct
        assert (theorem["lower"], theorem["upper"]) == (direct["lower"], direct["upper"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["linear", "n", "r", "--where", "n > r*n"], "linear conditions"),
        (["linear", "n", "r", "--where", "n > q"], "linear conditions"),
        (["linear", "n", "r", "--where", "n > r > n"], "no sizes"),
        (["linear", "n"], "at least two sizes"),
        (["linear", "n", "1.5"], "integer or a letter"),
        (["linear", "3", "2", "--where", "n > 1"], "letters"),
        (["linear", "n", "r", "--near", "zero"], "--near"),
    ],
)
def test_wrong_input_is_one_sentence(capsys, words, message):
    """Exit status 2 and what was expected."""
    assert cli.run(["certify", *words]) == 2
    assert message in capsys.readouterr().err


conditions = st.lists(
    st.tuples(*[st.integers(-3, 3)] * 3).map(lambda t: f"{t[0]}*a + {t[1]}*b >= {t[2]}"),
    min_size=1, max_size=3,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(conditions, st.lists(conditions, max_size=3))
def test_what_is_left_over_is_the_difference(domain, covers):
    """Conditions as sets of integer points: a difference misses none, and as text they stay what they are."""
    whole = parse(", ".join(domain), "ab")
    parts = [parse(" and ".join(cover), "ab") for cover in covers]
    left = left_over(whole, parts)
    for a, b in product(range(-4, 5), repeat=2):
        at = {"a": a, "b": b}
        inside = all(c.holds(at) for c in whole)
        covered = any(all(c.holds(at) for c in part) for part in parts)
        assert any(all(c.holds(at) for c in piece) for piece in left) == (inside and not covered)
        assert all(c.holds(at) for c in reduced(whole)) == inside == bool(eval(python(whole), {}, at))


@pytest.mark.parametrize("rebuild", [False, True])
def test_what_verify_says_of_a_theorem(linear, rebuild, tmp_path):
    """Its regimes as a person writes them; there is no model to be made anew."""
    file = tmp_path / "theorem.json"
    file.write_text(json.dumps(linear.document))
    verdict = clexact.verify(file, rebuild=rebuild)
    assert verdict.status.name == "VERIFIED"
    assert "exactly 1/2*r + 1/2*r*r independent laws for all" in verdict.sentences[0]
    assert "n - r >= 0" in verdict.sentences[0] and "rebuild" not in str(verdict.sentences)
