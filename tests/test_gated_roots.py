"""Roots of functions that gates move: signs are free at the gates that members use, in the engine and the verifier.

Where mixed gates were compared, a root of a square under one choice of gates had a random sign, and bounds were false.
"""

import json
import random
from fractions import Fraction

import numpy as np
import pytest
from float_oracle import float_rank

import clexact
from clexact.algebra.draws import Draws
from clexact.flows import analytic
from clexact.functions import absolute, batch_norm, exp, layer_norm, maximum, relu, rms_norm, rsqrt
from clexact.programs import array, patterns
from clexact.programs.characters import characters, draw_prime
from clexact.programs.independence import free_at, gated_roots, square_constants
from clexact.programs.program import Gate, Program
from clexact.proofs.program_certificate import same_program
from clexact.proofs.verifier import large as pv

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")

PLANE = {"x": (2,)}
SCALARS = {"a": (), "b": (), "w": (2,)}


def on_a_square(a, b, w, v, x):
    """u is z^2 where the gate is open, and no square where it is closed; a r y z + b r is (a + b) relu(z)."""
    z, t = (w * x).sum(), (v * x).sum()
    r, q = relu(z), relu(-z)
    return a * r * rsqrt(r * r + q * q + q * t * t) * z + b * r


def beside_a_maximum(a, b, W, x):
    """The distance of two entries from the larger one: n is -1 or 0."""
    d = W @ x - maximum(W @ x).reshape(1)
    n = d[0] * rsqrt(d[0] ** 2 - 7 * d[1] ** 3)
    return (a * n + b * n * n) * x.sum()


def of_a_modulus(a, b, w, x):
    """n is 0 or 2."""
    z = (w * x).sum()
    n = (absolute(z) - z) * rsqrt(absolute(z) ** 2 + absolute(z) + z)
    return (a * n + b * n * n) * x.sum()


def before_its_factor(a, b, w, x, y):
    """Both radicands are made before either root; the output is (a - b) / sqrt(r)."""
    r, e = (w * x).sum() ** 2 + 1, 1 + exp(y)
    more = r * e * e
    return a * rsqrt(r) - b * e * rsqrt(more)


SQUARES = {
    "a square where the gate is open": (SCALARS | {"v": (2,)}, PLANE, on_a_square, 2),
    "a square for one choice of a maximum": ({"a": (), "b": (), "W": (2, 2)}, PLANE, beside_a_maximum, 1),
    "a square on one side of a modulus": (SCALARS, PLANE, of_a_modulus, 1),
    "a product with an earlier root": (SCALARS, PLANE | {"y": ()}, before_its_factor, 3),
}


def flow_of(parameters, probes, output, *_):
    return clexact.gradient_flow(clexact.Model(parameters, probes, output))


@pytest.mark.parametrize("name", SQUARES)
def test_roots_of_squares_under_some_gates_raise_no_rank(name):
    """Ranks by hand are at least those that are claimed."""
    *network, rank = SQUARES[name]
    count = clexact.certify(flow_of(*network))
    assert count.closure.rank <= rank and count.upper >= count.dimension - rank
    assert pv.verify_bytes(count.certificate.to_json().encode())[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", SQUARES)
def test_ranks_of_such_networks_in_floats(name):
    """With true gates they are those by hand."""
    parameters, probes, output, rank = SQUARES[name]
    model = clexact.Model(parameters, probes, output)
    assert float_rank(model, "full", 2, true_gates=True).ranks[-1] == rank


@pytest.mark.parametrize("name", SQUARES)
def test_certificates_with_such_roots_are_refused(name, monkeypatch):
    """Made by an engine that checks nothing."""
    monkeypatch.setattr(analytic, "check_roots", lambda *_: None)
    monkeypatch.setattr(analytic, "gated_roots", lambda *_: [])
    monkeypatch.setattr(array, "simpler", lambda z, name: None)
    *network, rank = SQUARES[name]
    count = clexact.certify(flow_of(*network))
    assert count.closure.rank > rank  # false
    status, said = pv.verify_bytes(count.certificate.to_json().encode())
    assert status == 1 and ("not shown to be free" in said[-1] or "wrong sign" in said[-1]), said


def behind(norm, act, width, bias=False, eps=0):
    """One output of normalised units."""
    shapes = {"A": (1, width), "V": (width, 2)} | ({"b": (width, 1)} if bias else {})
    return shapes, {"x": (2, 1)}, lambda A, V, x, b=0: A @ norm(act(V @ x + b), axis=0, eps=eps)


def cosine(k, V, x):
    r = relu(V @ x)
    return (k * r).sum() * rsqrt((k * k).sum()) * rsqrt((r * r).sum())


def units(a, V, x):
    r = relu(V @ x)
    return (a * r * rsqrt(r * r + Fraction(1, 10000))).sum()


EXACT = {
    "rms of two": (*behind(rms_norm, relu, 2), 1),
    "rms of two with biases": (*behind(rms_norm, relu, 2, bias=True), 1),
    "rms of three": (*behind(rms_norm, relu, 3), 1),
    "mean and rms of three": (*behind(layer_norm, relu, 3, bias=True), 2),
    "epsilon": (*behind(rms_norm, relu, 2, eps="1e-5"), 0),
    "moduli": (*behind(layer_norm, absolute, 3), 2),
    "more units than choices that are kept": (*behind(rms_norm, relu, 30), 1),
    "batches": ({"A": (1, 3), "V": (3, 2)}, {"X": (4, 2)}, lambda A, V, X: batch_norm(relu(X @ V.T)) @ A.T, 3),
    "cosines": ({"k": (3,), "V": (3, 2)}, {"x": (2,)}, cosine, 2),
    "a root for each unit, of epsilon if closed": ({"a": (4,), "V": (4, 2)}, {"x": (2,)}, units, 0),
}


@pytest.mark.parametrize("name", EXACT)
def test_choices_are_drawn_until_counts_are_sharp(name):
    """Choices that would bind a sign are drawn anew; those that are used are shown once more by the verifier."""
    *network, laws = EXACT[name]
    count = clexact.certify(flow_of(*network))
    assert (count.lower, count.upper) == (laws, laws)
    status, said = pv.verify_bytes(count.certificate.to_json().encode())
    assert status == 0 and "gates are true ones" in "".join(said)


def test_a_choice_is_free_or_not():
    """RMSNorm of relu(V x): with one unit on, the radicand is a square."""
    flow = flow_of(*behind(rms_norm, relu, 2))
    choices = [np.array([[1, 1], [1, 0], [0, 1], [0, 0], [1, 1]], dtype=bool)[:, :, None]]
    assert flow._free(choices, Draws(0)).tolist() == [True, False, False, False, True]
    with_epsilon = flow_of(*behind(rms_norm, relu, 2, eps="1e-5"))
    assert with_epsilon._free(choices, Draws(0)).all()
    of_seven = flow_of(*behind(rms_norm, relu, 2, eps=Fraction(7, 100)))  # 7 need not be a square
    assert of_seven._free(choices, Draws(0)).tolist() == [True, True, True, False, True]


def test_free_at():
    """Radicands z^2 and z^2 + 1 for some z, a constant, and too few arguments."""
    z = np.arange(2, 40, dtype=np.uint64)
    p = next(q for q in range(10**6 + 3, 10**7, 4) if pv.is_prime(q))
    u = np.stack([z * z, z * z + np.uint64(1), np.full_like(z, 4)])[:, :, None]
    there, kept = np.ones(u.shape[:2], dtype=bool), np.zeros((3, 1), dtype=bool)
    assert free_at(u, there, kept, p).tolist() == [False, True, False]
    assert free_at(u, there, ~kept, p).tolist() == [False, True, True]
    assert free_at(u, ~there, ~kept, p).tolist() == [False, False, False]


def test_constants_that_may_be_radicands():
    """Those of the primes 2, 3 and 5, unless a root of a constant is bound to theirs: 7 and 14 to 2."""

    def constants(eps, *roots, angles=False):
        n = Program()
        for c in (eps, *roots):
            n.append("constant", (), (1,), np.array([c], dtype=object))
        for k in range(len(roots)):
            n.append("function", (k + 1,), (1,), "rsqrt")
        return square_constants(n, "it", angles)

    small = Fraction(1, 10**5)
    assert constants(small) == [small] and constants(Fraction(7, 100)) == constants(-small) == []
    assert constants(small, angles=True) == []  # 5 need not be a square where angles are
    assert constants(Fraction(1, 4), angles=True) == [Fraction(1, 4)]
    assert constants(small, 2, 7) == [small, 2] and constants(small, 7, 14) == constants(small, 49) == []


def test_gated_roots_are_those_from_the_first_on():
    def output(W, a, x):
        z = W @ x
        first = rsqrt(1 + z[0] ** 2)
        gated = rsqrt(2 + relu(z[0]) ** 2 + first)
        return a * gated + rsqrt(3 + z[1] ** 2) * first

    shapes = {"W": (2, 2), "a": ()}
    program = clexact.Model(shapes, PLANE, output).program
    roots = [n for n, node in enumerate(program.nodes) if node.op == "function"]
    assert gated_roots(program) == roots[1:]
    assert gated_roots(clexact.Model(shapes, PLANE, lambda W, a, x: relu(a * rms_norm(W @ x))).program) == []


def test_choices_at_gates():
    """One of several along an axis, ReLUs on or off; changes open more, equal ones are one."""
    gates = [((3,), Gate("g", 0)), ((2, 4), Gate("c", 0, axis=1))]
    found = patterns.any_choices(gates, 40, Draws(0))
    assert (found[1].sum(axis=2) == 1).all() and 0 < found[0].mean() < 1
    before = [choice.copy() for choice in found]
    changed = patterns.changed(gates, found, np.arange(20), Draws(1))
    assert (changed[0] >= before[0]).all() and (changed[0][:20] != before[0][:20]).any()
    assert (changed[1].sum(axis=2) == 1).all() and all(
        (a[20:] == b[20:]).all() for a, b in zip(changed, before, strict=True)
    )
    twice = [np.concatenate([choice, choice[:7]]) for choice in changed]
    different, number = patterns.distinct(twice)
    assert all((choice[number] == whole).all() for choice, whole in zip(different, twice, strict=True))
    assert len({b"".join(c[k].tobytes() for c in different) for k in range(len(different[0]))}) == len(different[0])


# --- the document ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written():
    """A network with ReLUs, a maximum and a norm; its flow, and a function that gives its document."""

    def output(A, V, x):
        z = V @ x
        return A @ rms_norm(relu(z[:3]) + maximum(z[3:]))

    flow = flow_of({"A": (1, 3), "V": (5, 2)}, PLANE, output)
    text = clexact.certify(flow).certificate.to_json()
    return flow, lambda: json.loads(text)


def judged(document, rehash=True):
    if rehash:
        document["sha256"] = pv.program_hash(document)
    return pv.verify_bytes(json.dumps(document).encode())


def test_gates_are_listed(written):
    flow, document = written
    assert document()["gates"] == {"gate1": "0", "choice1": 0}
    assert judged(document(), rehash=False)[0] == 0 and same_program(document(), flow)


@pytest.mark.parametrize(
    "change", [{"gate1": "1"}, {"gate1": "x"}, {"choice1": 1}, {"choice1": -1}, {"y": "0"}, {"choice1": 1.5}]
)
def test_gates_must_be_probes_with_slopes_or_axes(written, change):
    document = written[1]()
    document["gates"] |= change
    assert judged(document)[0] == 2


@pytest.mark.parametrize("change", [{"gate1": "1/2"}, {"gate1": "-1"}, {"choice1": "0"}, {"gate1": 0}])
def test_values_at_gates_must_be_true_ones(written, change):
    document = written[1]()
    document["gates"] |= change
    status, said = judged(document)
    assert status == 1 or change == {"choice1": "0"}, said  # a choice of one entry is one of ReLUs, too
    assert status == 0 or "no choice at a gate" in said[-1]


def test_seeds_whose_gates_are_other_numbers_are_refused(written):
    document = written[1]
    places = pv.Program(document()).seed.first
    for probe in ("gate1", "choice1"):
        data = document()
        flat = data["lie"]["seeds"][0]
        seed = dict(zip(flat[::2], flat[1::2], strict=True))
        seed[places[probe]] = 2
        data["lie"]["seeds"][0] = [x for i in sorted(seed) for x in (i, seed[i])]
        status, said = judged(data)
        assert status == 1 and f"values of '{probe}' that are no choice at a gate" in said[-1]


def test_gates_that_are_left_out_make_another_program(written):
    flow, document = written
    data = document()
    del data["gates"]
    assert judged(data, rehash=False)[0] == 1  # the hash is that of the program with gates
    assert not same_program(data, flow)


def test_logarithms_are_shown_at_each_choice():
    """log(r^2 + q) and log(z): with the gate open the first is twice the second."""

    def output(a, b, w, x):
        z = 3 + (w * x).sum()
        return a * clexact.functions.log(relu(z) ** 2 + relu(-z)) + b * clexact.functions.log(z * z * z)

    flow = flow_of(SCALARS, PLANE, output)
    count = clexact.certify(flow)
    if not count.closure.rank:
        assert "not shown" in count.stopped
    data = json.loads(count.certificate.to_json())
    program = pv.Program(data)
    hom = pv.drawn(random.SystemRandom())
    opened = frozenset([program.seed.first["gate1"]])
    with pytest.raises(pv.Untrue, match="logarithms are not shown to be independent"):
        pv.Roots(program, hom, pv.Allowance(10**7)).check_logarithms([opened])


def test_the_verifier_takes_constants_where_gates_are_closed():
    """1/49 has the root 1/7 only where 7 is a square."""
    for eps, square in ((Fraction(1, 10000), True), (Fraction(1, 49), False)):
        flow = flow_of(*behind(rms_norm, relu, 2, eps=eps))
        program = pv.Program(json.loads(clexact.certify(flow).certificate.to_json()))
        prime = next(p for n in range(100) if pv.symbol(7, p := draw_prime(Draws(n), 22)) != 1)
        said = characters(prime).written()
        hom = pv.Homomorphism([prime, *said["fields"]], said["bases"], said["key"])
        roots = pv.Roots(program, hom, pv.Allowance(10**7))
        if square:
            roots.check([frozenset()])
        else:
            with pytest.raises(pv.Untrue, match="where gates are closed: a wrong sign of a rational root"):
                roots.check([frozenset()])
