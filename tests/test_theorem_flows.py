"""Theorems of momentum, weight decay and cross-entropy: against counts at single sizes, and forged proofs."""

import json
from itertools import combinations, product
from pathlib import Path

import forged_theorems
import pytest
import sympy
from forged_theorems import rotations

import clexact
from clexact.cli import main as cli
from clexact.proofs.verifier.theorem import RefusedError, verify_theorem
from clexact.theorems.brackets import Brackets
from clexact.theorems.parts import parts_of
from clexact.theorems.prove import Subject, prove, recorded

MODELS = clexact.models


@pytest.fixture(scope="module")
def momentum():
    """The theorem about two linear layers with momentum."""
    return clexact.theorem(MODELS.linear("n", "r", "m"), "n >= r", "momentum")


@pytest.fixture(scope="module")
def classes():
    """The theorem about a ReLU network with biases and cross-entropy."""
    return clexact.theorem(MODELS.relu("n", "r", "m", bias=True), loss="cross_entropy")


def flow_of(model, flow, options):
    """The flow of a model at single sizes."""
    options = dict(options)
    loss = options.pop("loss", "full")
    if flow == "momentum":
        return clexact.momentum_flow(model, options.pop("damping", None), loss, **options)
    return clexact.gradient_flow(model, loss, **options)


@pytest.mark.parametrize(
    ("name", "flow", "where", "options", "most"),
    [
        ("linear", "momentum", "n >= r", {"damping": clexact.Nesterov(), "weight_decay": "1/2"}, 2),
        ("relu", "momentum", "", {"damping": clexact.HeavyBall("1/3"), "weight_decay": 2}, 2),
        ("relu", "momentum", "", {"loss": "cross_entropy"}, 2),
        ("relu", "gradient", "", {"loss": "cross_entropy"}, 3),
        ("relu", "gradient", "", {"weight_decay": 1}, 3),
        ("linear", "gradient", "", {"loss": "cross_entropy", "weight_decay": "1/2"}, 3),
    ],
    ids=str,
)
def test_theorems_agree_with_counts_at_single_sizes(name, flow, where, options, most):
    """Wherever a theorem says a number, it is that of the engine, which finds brackets at a generic point."""
    family, seen = clexact.models.FAMILIES[name], 0
    theorem = clexact.theorem(getattr(MODELS, name)("n", "r", "m"), where, flow, **options)
    assert theorem.document is not None
    for sizes in product(range(1, most + 1), repeat=3):
        said = theorem.count(**dict(zip("nrm", sizes, strict=True)))
        if said is not None:
            count = clexact.certify(flow_of(family.model(name, list(sizes), {}), flow, options))
            assert count.lower == count.upper == said, sizes
            seen += 1
    assert seen >= 3


def test_rotations_of_two_linear_layers():
    """r (r - 1)/2 wherever it is proved, and nothing of n = m = 1, where there are others."""
    theorem = clexact.theorem(MODELS.linear("n", "r", "m"), "n + m > r", "momentum")
    assert theorem.proved and theorem.law_count == "r*(r - 1)/2"
    for n, r, m in product(range(1, 8), repeat=3):
        said = theorem.count(n=n, r=r, m=m)
        assert said in (None, rotations(n, r, m)), (n, r, m)
        assert said is not None or r >= n + m
    assert theorem.count(n=1, r=2, m=1) is None and rotations(1, 2, 1) == 2
    for n, r, m in ((1, 1, 1), (1, 2, 2), (2, 2, 1), (2, 3, 2)):
        count = clexact.certify(clexact.momentum_flow(MODELS.linear(n, r, m)))
        assert count.lower == count.upper == theorem.count(n=n, r=r, m=m)


@pytest.mark.slow
def test_more_units_than_inputs_and_outputs():
    """Indices that a sort has twice: velocities have ranks that positions have not. At an edge, certified."""
    theorem = clexact.theorem(MODELS.linear("n", "r", "m"), "r >= n + m, m + 2*n > r, m >= 2", "momentum")
    assert theorem.proved and theorem.law_count == "r*(r - 1)/2"
    atoms = [atom for regime in theorem.document["regimes"] for atom in regime["parts"][0]["atoms"].values()]
    assert any(atom["twins"] == ["r"] for atom in atoms)
    assert not any(theorem.count(n=1, r=r, m=1) for r in range(1, 9))
    for n, r, m in ((1, 3, 2), (2, 4, 2), (2, 5, 2)):
        count = clexact.certify(clexact.momentum_flow(MODELS.linear(n, r, m)))
        assert count.lower == count.upper == theorem.count(n=n, r=r, m=m)
    document = json.loads(json.dumps(theorem.document))
    for atom in regime(document)["atoms"].values():
        atom["twins"] = []
    with pytest.raises(RefusedError, match="add up"):
        verify_theorem(document)


@pytest.mark.slow
def test_more_units_than_momentum_reaches():
    """With r >= 2(n + m) some directions of R^r are met neither by positions nor by velocities (arXiv 2405.12888)."""
    theorem = clexact.theorem(MODELS.linear("n", "r", "m"), "n + m >= 3, r >= 2*n + 2*m", "momentum")
    assert theorem.proved
    for n, r, m in ((1, 6, 2), (2, 7, 1), (1, 8, 2)):
        spare = r - 2 * (n + m)
        assert theorem.count(n=n, r=r, m=m) == r * (r - 1) // 2 - spare * (spare - 1) // 2
    count = clexact.certify(clexact.momentum_flow(MODELS.linear(1, 8, 2)))
    assert count.lower == count.upper == theorem.count(n=1, r=8, m=2)


def test_momentum_with_damping_and_decay_by_all_brackets():
    """Twin: brackets of the damped flow, in full at a point, have the rank that the theorem takes from the undamped."""
    n, r, m, tau, decay = 2, 2, 1, 3, 2
    count = (n + m) * r
    theta, speed = sympy.symbols(f"x:{count}"), sympy.symbols(f"w:{count}")
    u, v = sympy.Matrix(n, r, theta[: n * r]), sympy.Matrix(r, m, theta[n * r :])
    at = {z: 1 + (7 * k * k + 3 * k) % 11 for k, z in enumerate((*theta, *speed))}
    drift = sympy.Matrix([*speed, *(-tau * w - decay * x for x, w in zip(theta, speed, strict=True))])
    pushes = [sympy.Matrix([0] * count + [phi.diff(x) for x in theta]) for phi in u * v]

    def bracket(x, y):
        return (x.jacobian((*theta, *speed)) * y - y.jacobian((*theta, *speed)) * x).applyfunc(sympy.expand)

    lifts = [bracket(push, drift) for push in pushes]
    products = [bracket(push, lift) for push in pushes for lift in lifts]
    found = [*pushes, *lifts, *products, *(bracket(one, drift) for one in products)]
    found += [bracket(x, y) for x, y in combinations(lifts, 2)]
    assert sympy.Matrix.hstack(*(field.subs(at) for field in found)).rank() == 2 * count - rotations(n, r, m)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["linear", "n", "r", "m", "--where", "n >= r", "--flow", "momentum", "--damping", "nesterov"],
         "exactly r*(r - 1)/2 independent conservation laws, for all n >= r >= 1, m >= 1"),
        (["relu", "n", "r", "m", "--flow", "momentum", "--weight-decay", "0.1"],
         "no conservation laws with free gates, for all n >= 1, r >= 1, m >= 1"),
        (["linear", "n", "r", "m", "--where", "n > r", "--loss", "cross_entropy"],
         "exactly r*(r + 3)/2 independent conservation laws, for all n > r, r >= 1, m >= 1"),
        (["relu", "10", "r", "m", "--bias", "--loss", "cross_entropy"],
         "exactly 2*r independent conservation laws with free gates, for all r >= 1, m >= 1"),
        (["linear", "n", "r", "m", "--weight-decay", "1", "--where", "r > n + m"],
         "exactly (m + n)*(2*r - m - n + 1)/2 independent conservation laws, for all r > m + n, n >= 1, m >= 1"),
    ],
)  # fmt: skip
def test_the_command_says_it_and_verifies_it(capsys, tmp_path, words, sentence):
    """The sentence, and its certificate from a file."""
    file = tmp_path / "theorem.json"
    assert cli.run(["certify", *words, "--quiet", "--save", str(file)]) == 0
    assert capsys.readouterr().out.strip() == sentence
    assert clexact.verify(file).status.name == "VERIFIED"


def test_what_theorems_do_not_speak_of():
    """Classes that stand elsewhere, and mirror flows that decay: said, with no count."""
    theorem = clexact.theorem(MODELS.residual("n", "r"), loss="cross_entropy")
    assert not theorem.proved and "classes stand elsewhere" in str(theorem)
    theorem = clexact.theorem(MODELS.icnn("n", "r", "m"), flow="mirror", loss="cross_entropy")
    assert not theorem.proved and "positive" in str(theorem)
    theorem = clexact.theorem(MODELS.icnn("n", "r", "m"), flow="mirror", weight_decay=1)
    assert not theorem.proved and "without weight decay" in str(theorem)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"loss": "hinge"}, "loss"), ({"flow": "sideways"}, "gradient, mirror or momentum"),
     ({"damping": clexact.Nesterov()}, "damping belongs")],
)  # fmt: skip
def test_wrong_flows_are_refused(options, message):
    """One sentence each."""
    with pytest.raises(ValueError, match=message):
        clexact.theorem(MODELS.relu("n", "r", "m"), **options)


def test_a_token_each_has_classes():
    """Covectors of several outputs sum to zero each: the column sums of the last layer are laws, as at single sizes."""

    def net(values):
        n, r = values["n"], values["r"]
        return clexact.Model({"V": (r, n)}, {"X": (2, r)}, lambda V, X: X @ V)

    def flow(values):
        return clexact.gradient_flow(net(values), "cross_entropy")

    theorem = prove(Subject(net, flow, ("n", "r"), (), "mine", classes=True))
    assert theorem.proved and theorem.law_count == "r"
    assert clexact.certify(flow({"n": 3, "r": 2})).lower == theorem.count(n=3, r=2) == 2


def forged(theorem, change):
    """A document that was changed."""
    document = json.loads(json.dumps(theorem.document))
    change(document)
    return document


def regime(document):
    """The proof of the one part in the first regime."""
    return document["regimes"][0]["parts"][0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(flow="gradient"), "not"),
        (lambda d: d.update(flow="sideways"), "no flow"),
        (lambda d: regime(d)["fields"]["point"].append(["U2'", "A1", "D1"]), "must stay zero"),
        (lambda d: regime(d)["fields"]["blocks"][0]["ways"][0]["rows"][0].append([[[1, []]], "drift"]), "by itself"),
        (lambda d: d["parts"][0]["laws"][0]["terms"].append([1, [["U1", "k", "i"], ["U1", "k", "j"]]]), "bilinear"),
        (lambda d: d["parts"][0]["laws"][0]["terms"][1].__setitem__(0, 1), "not conserved"),
        (lambda d: d["parts"][0].update(positive=["U1"]), "positive"),
        (lambda d: d["parts"][0]["laws"].clear(), "."),
    ],
)
def test_forged_momentum_is_refused(momentum, change, reason):
    """Each rule refuses what it is there for."""
    with pytest.raises(RefusedError, match=reason):
        verify_theorem(forged(momentum, change))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(classes=None), "not a letter|not well formed|not the count|."),
        (lambda d: d["classes"].update(letter="n_"), "two letters"),
        (lambda d: d["classes"].update(fewer="r", letter="n"), "classes"),
        (lambda d: d["classes"].update(seeds=["x"]), "classes|covectors"),
        (lambda d: d["classes"].update(seeds=[]), "classes"),
        (lambda d: d["parts"][0]["sorts"].update(r="n_"), "one sort"),
        (lambda d: d["parts"][0]["network"][0][1].append(["U1", "i", "j"]), "classes|not local|not conserved"),
        (lambda d: d["parts"][0]["positive"].append("U1"), "."),
    ],
)
def test_forged_classes_are_refused(classes, change, reason):
    """Axes of the classes stand in one covector and one parameter, and nowhere else; without them another is said."""
    document = forged(classes, change)
    if document["classes"] is None:  # true of the network of n_ classes and free covectors
        assert all("n_" in where for where, _ in verify_theorem(document))
        return
    with pytest.raises(RefusedError, match=reason):
        verify_theorem(document)


def test_weight_decay_needs_homogeneous_laws():
    """With a linear term a law is refused: under weight decay, since it is of two degrees, and else, since it moves."""

    def net(values):
        n = values["n"]
        return clexact.Model({"u": n, "v": ()}, {"x": n}, lambda u, v, x: v * (u @ x))

    theorem = prove(Subject(net, lambda values: clexact.gradient_flow(net(values)), ("n",), (), "mine"))
    document = json.loads(json.dumps(theorem.document))
    assert verify_theorem(document) and verify_theorem({**document, "decay": True})
    document["parts"][0]["laws"][0]["terms"].append([1, [["v"]]])
    with pytest.raises(RefusedError, match="homogeneous"):
        verify_theorem({**document, "decay": True})
    with pytest.raises(RefusedError, match="not conserved"):
        verify_theorem(document)


@pytest.mark.parametrize("which", ["momentum", "classes"])
def test_random_forgeries(which, request):
    """What is accepted is true."""
    theorem, accepted = request.getfixturevalue(which), 0
    truth = rotations if which == "momentum" else lambda n, r, m, n_: r
    for seed in range(120):
        document, path = forged_theorems.forged(theorem.document, seed)
        try:
            verify_theorem(document)
        except RefusedError:
            continue
        accepted += 1
        assert forged_theorems.claims_hold(document, truth, 5), path
    assert accepted < 60


def test_momentum_of_positive_parameters_has_no_theorem(capsys):
    """The command says so."""
    words = ["certify", "nmf", "n", "r", "m", "--flow", "momentum", "--positive", "U,V", "--where", "n > 3"]
    assert cli.run(words) == 0
    assert "without positive parameters" in capsys.readouterr().out


@pytest.mark.parametrize("mirror", [False, True])
def test_brackets_in_brackets_are_those_of_the_definition(mirror):
    """Twin in SymPy: values at the point of all fields and brackets up to depth 2, where entries off it are zero."""

    def net(values):
        n, r = values["n"], values["r"]
        return clexact.Model({"U": (n, r), "V": (r, n)}, {"x": n}, lambda U, V, x: U @ (V @ x))

    subject = Subject(net, lambda values: clexact.gradient_flow(net(values)), ("n", "r"), (), "mine")
    network, laws, _ = recorded(subject)
    (part,) = parts_of(network, laws, ("U",) if mirror else ())
    indices = [("A", 1), ("A", 2)]
    universe = dict.fromkeys(part.sorts, indices)

    def alive(c):
        return c[1] == c[2]

    entries = [(name, i, j) for name in "UV" for i in indices for j in indices]
    symbol = {c: sympy.Symbol(f"{c[0]}{c[1][1]}{c[2][1]}") for c in entries}
    at = {symbol[c]: 0 for c in entries if not alive(c)}

    def field(recipe):
        """Of true coordinates, by the definition of a member and of a bracket."""
        if isinstance(recipe[0][0], str):
            ((_, (i,)), (_, (j,))) = recipe
            value = sum(symbol["U", i, k] * symbol["V", k, j] for k in indices)
            metric = [symbol[c] if mirror and c[0] == "U" else 1 for c in entries]
            return sympy.Matrix([m * value.diff(symbol[c]) for m, c in zip(metric, entries, strict=True)])
        x, y = map(field, recipe)
        order = [symbol[c] for c in entries]
        return (x.jacobian(order) * y - y.jacobian(order) * x).applyfunc(sympy.expand)

    found = Brackets(part, universe, alive).rows(2)
    assert any(isinstance(recipe[1][0][0], tuple) for recipe, _ in found)
    for recipe, vector in found[:: max(1, len(found) // 25)]:
        for c, component in zip(entries, field(recipe), strict=True):
            true = sympy.cancel(component / symbol[c]) if mirror and c[0] == "U" else component
            poly = vector.get(c, {})
            said = sum(k * sympy.prod([symbol[v] for v in monomial]) for monomial, k in poly.items())
            assert sympy.expand(true.subs(at) - said) == 0


@pytest.mark.slow
def test_deeper_brackets_close_the_edge_of_a_regime():
    """Three layers, one of whose sizes is 1: depth 1 asks for 2."""
    theorem = clexact.theorem(MODELS.linear("n", "r", "m", "k"), "k >= m, m >= r, r >= n")
    assert theorem.proved
    for sizes in ((1, 1, 1, 1), (1, 1, 2, 3), (1, 2, 2, 2), (1, 2, 3, 3), (2, 2, 2, 3)):
        count = clexact.certify(clexact.gradient_flow(MODELS.linear(*sizes)))
        assert count.lower == count.upper == theorem.count(**dict(zip("nrmk", sizes, strict=True)))


def test_gated_units():
    """Inputs of two entries: 2 r laws where r is at most both widths, as at single sizes."""
    theorem = clexact.theorem(MODELS.glu("n", "r", "m"), "n >= r, m >= r")
    assert theorem.proved and theorem.law_count == "2*r"
    for sizes in ((1, 1, 1), (2, 1, 1), (2, 2, 2), (3, 2, 2)):
        count = clexact.certify(clexact.gradient_flow(MODELS.glu(*sizes)))
        assert count.lower == count.upper == theorem.count(**dict(zip("nrm", sizes, strict=True)))


UNSOUND = (  # documents by hand in tests/data whose counts are too small, and what is said of them
    "the axis of classes twice",  # of K x K entries 2 K - 1 are idle, not 1
    "a product has no seed",  # one field with decay, which a drift cannot be told from
)


@pytest.mark.parametrize(("number", "word"), list(enumerate(UNSOUND)))
def test_documents_by_hand_that_count_too_few_are_refused(number, word):
    """True are K^2 + n laws, not K^2 - 2 K + 2 + n; (U + V) e^((l - 1) t) and (U - V) e^((l + 1) t), not one law."""
    documents = json.loads((Path(__file__).parent / "data" / "unsound-theorems.json").read_text(encoding="utf-8"))
    with pytest.raises(RefusedError, match=word):
        verify_theorem(documents[number])
