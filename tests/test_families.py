"""Every family of the library against phi written by hand: path sums, composed kernels, series made by SymPy."""

import math
import random
from fractions import Fraction
from itertools import combinations, combinations_with_replacement, pairwise, product

import numpy as np
import pytest
import sympy
from oracles import as_element, filled, generic_rank, gradient, names_of, rank_mod, ring_of, same_field_span, value_mod

import clexact
from clexact import models
from clexact.lie import values_at

PRIME = 2**61 - 1


class Hand:
    """The entries of parameters and probes of a model as polynomials, and what is made of them by hand."""

    def __init__(self, model):
        shapes, self.model = model.parameters | model.probes, model
        self.ring, self.theta, first = ring_of(names_of(shapes)), ring_of(model.variables), 0
        self.arrays = {}
        for name, shape in shapes.items():
            self.arrays[name] = filled(self.ring.gens[first : first + math.prod(shape)], shape)
            first += math.prod(shape)

    def __getitem__(self, names):
        found = [self.arrays[name] for name in names.split()]
        return found if len(found) > 1 else found[0]

    def fields(self, outputs, degree=None):
        """Gradients of the coefficients in the probes, those above a total degree in the probes left out."""
        D, found = self.model.dimension, []
        for out in outputs:
            parts = {}
            for exponents, c in (self.ring.one * out).terms():
                if degree is None or sum(exponents[D:]) <= degree:
                    parts.setdefault(exponents[D:], {})[exponents[:D]] = c
            found += [gradient(self.theta.from_dict(part)) for part in parts.values()]
        return [X for X in found if any(X)]


def series(function, order):
    """Taylor coefficients of a function at 0, by SymPy; sqrt(2/pi)/2 set to 1."""
    t = sympy.Symbol("t")
    expanded = sympy.series(function(t), t, 0, order + 1).removeO().subs(sympy.pi, sympy.Rational(1, 2))
    return [sympy.nsimplify(expanded.coeff(t, k)) for k in range(order + 1)]


SERIES = {
    "tanh": sympy.tanh,
    "gelu": lambda t: t * (1 + sympy.erf(t / sympy.sqrt(2))) / 2,
    "silu": lambda t: t / (1 + sympy.exp(-t)),
    "sigmoid": lambda t: 1 / (1 + sympy.exp(-t)),
}


def applied(name, z, order):
    """The Taylor polynomial of a function at z."""
    return sum((Fraction(str(c)) * z**k for k, c in enumerate(series(SERIES[name], order)) if c and k), z * 0)


def weights(scores, order, function=sympy.exp):
    """f(z_i) / sum_j f(z_j) up to z^order, by SymPy's derivatives along a line."""
    z, t = sympy.symbols(f"z:{len(scores)}"), sympy.Symbol("t")
    found = []
    for own in z:
        ratio, total = function(t * own) / sum(function(t * other) for other in z), 0 * scores[0]
        for k in range(order + 1):
            part = sympy.Poly(sympy.simplify(sympy.diff(ratio, t, k).subs(t, 0)) / math.factorial(k), *z)
            for exponents, c in part.terms():
                total += Fraction(str(c)) * math.prod(s**e for s, e in zip(scores, exponents, strict=True))
        found.append(total)
    return found


def paths(layers, biases=()):
    """Products along paths of matrices (output first), one for each path; from a bias of the unit behind a layer too."""
    found = []
    for last in range(len(layers), 0, -1):
        for units in product(*(range(W.shape[0]) for W in layers[:last]), range(layers[last - 1].shape[1])):
            path = math.prod(W[i, j] for W, (i, j) in zip(layers, pairwise(units), strict=False))
            if last == len(layers):
                found.append(path)
            if last <= len(biases):
                found.append(path * biases[last - 1][units[-1]])
    return found


def path_sums(layers):
    """Sums of the products over all paths between the same ends."""
    sums = {}
    for units in product(*(range(W.shape[0]) for W in layers), range(layers[-1].shape[1])):
        term = math.prod(W[i, j] for W, (i, j) in zip(layers, pairwise(units), strict=True))
        sums[units[0], units[-1]] = sums.get((units[0], units[-1]), 0) + term
    return list(sums.values())


def toeplitz(W, side, stride=1, padding=0):
    """A convolution as a matrix on flattened inputs of this side, and the side of its output."""
    axes, kernel = W.ndim - 2, W.shape[2]
    out = (side + 2 * padding - kernel) // stride + 1
    places, pixels = list(product(range(out), repeat=axes)), list(product(range(side), repeat=axes))
    matrix = np.zeros((W.shape[0] * len(places), W.shape[1] * len(pixels)), dtype=object)
    for (c, (i, place)), (d, (j, pixel)) in product(
        product(range(W.shape[0]), enumerate(places)), product(range(W.shape[1]), enumerate(pixels))
    ):
        offset = tuple(q + padding - stride * p for p, q in zip(place, pixel, strict=True))
        if all(0 <= k < kernel for k in offset):
            matrix[c * len(places) + i, d * len(pixels) + j] = W[(c, d, *offset)]
    return matrix, out


def conv(h, side, stride=1, padding=0, relu=False, bias=False):
    """Convolutions by Toeplitz matrices, the last first."""
    layers, biases = [], []
    for n in range(1, sum(name.startswith("W") for name in h.arrays) + 1):
        matrix, side = toeplitz(h[f"W{n}"], side, stride, padding)
        layers.insert(0, matrix)
        if f"b{n}" in h.arrays:
            biases.insert(0, np.repeat(h[f"b{n}"], matrix.shape[0] // len(h[f"b{n}"])))
    if relu:
        return [p for p in paths(layers, biases) if p]
    out = [p for p in path_sums(layers) if p]
    return out + [p for n, b in enumerate(biases) for p in path_sums([*layers[: n + 1], b[:, None]]) if p]


def two_layer(name, order):
    """Coefficients of sum_k c_k u_i <v_i, x>^k."""
    return lambda h: h["U"] @ [applied(name, z, order) for z in h["V"].T @ h["x"]]


def monomials(v, k):
    """All products of k entries."""
    return [math.prod(choice) for choice in combinations_with_replacement(v, k)]


def head(h, i=1, g=1):
    """Entries of Q K^T and of V O^T."""
    Q, K, V, O = h[f"Q{i} K{g} V{g} O{i}"]  # noqa: E741
    return path_sums([Q, K.T]) + path_sums([V, O.T])


def rotary(h):
    """Entries of Q_j K_j^T and Q_j J K_j^T for each plane j, and of V O^T."""
    Q, K, V, O = h["Q1 K1 V1 O1"]  # noqa: E741
    cells = list(product(range(len(Q)), range(len(Q)), range(0, Q.shape[1], 2)))
    kept = [Q[a, j] * K[b, j] + Q[a, j + 1] * K[b, j + 1] for a, b, j in cells]
    return kept + [Q[a, j + 1] * K[b, j] - Q[a, j] * K[b, j + 1] for a, b, j in cells] + path_sums([V, O.T])


def attended(h, order, causal=False):
    """The true attention on T tokens: softmax up to the order of its scores that counts."""
    X, Q, K, V, O = h["X Q1 K1 V1 O1"]  # noqa: E741
    scores, values, out = X @ Q @ K.T @ X.T, X @ V @ O.T, []
    for i, row in enumerate(scores):
        seen = i + 1 if causal else len(X)
        out.append(np.array(weights(list(row[:seen]), (order - 1) // 2)) @ values[:seen])
    return np.array(out)


def rotated(h):
    """Scores turned by the angle between tokens, (c, s) of which are probes; softmax to first order."""
    X, Q, K, V, O, c, s = h["X Q1 K1 V1 O1 c s"]  # noqa: E741
    q, k, turn = X @ Q, X @ K, np.array([[0, -1], [1, 0]])
    values, out = X @ V @ O.T, []
    for i in range(len(X)):
        row = [q[i] @ (c[i, j, 0] * k[j] + s[i, j, 0] * (turn @ k[j])) for j in range(len(X))]
        out += list(np.array(weights(row, 1)) @ values)
    return out


def block(h, order=3):
    """Y + gelu(Y A) B^T, Y = X + attention."""
    X, A, B = h["X A B"]
    Y = X + attended(h, order)
    gelu = np.array([[applied("gelu", z, order) for z in row] for row in Y @ A])
    return (Y + gelu @ B.T).ravel()


def blocks(h, relu):
    """Two residual blocks: the paths through both, with those that skip; all hidden units apart if gated."""
    U1, V1, U2, V2 = h["U1 V1 U2 V2"]
    if not relu:
        return [x + y + z for x, y, z in zip(*map(path_sums, ([U1, V1.T], [U2, V2.T], [U2, V2.T, U1, V1.T])))]  # noqa: B905
    inner = filled(path_sums([V2.T, U1]), (V2.shape[1], U1.shape[1]))
    return paths([U1, V1.T]) + paths([U2, V2.T]) + paths([U2, inner, V1.T])


def unrolled(h, steps, relu):
    """U W^t V^T for each time, sums over paths or (gated) each path."""
    U, W, V = h["U W V"]
    return [p for t in range(steps) for p in (paths if relu else path_sums)([U, *[W] * t, V.T])]


def experts(h, count, order, k=None, function=sympy.exp):
    """sum_i g_i(W x) E_i x over each choice of k experts."""
    z, out = h["W"] @ h["x"], []
    for picked in combinations(range(count), k or count):
        gates = weights([z[i] for i in picked], order - 1, function)
        out += list(sum(g * (h[f"E{i + 1}"] @ h["x"]) for g, i in zip(gates, picked, strict=True)))
    return out


def pooled(h, pool):
    """u_i v_j for every member of every group."""
    U, V = h["U V"]
    return [u * v for i, p in product(range(U.shape[1]), range(pool)) for u in U[:, i] for v in V[:, i * pool + p]]


def layers(h):
    """U1, U2, ... and b2, b3, ..."""
    return [[h[name] for name in h.arrays if name[0] == letter] for letter in "Ub"]


def linear(h):
    """Path sums of U1, ..., Uq."""
    return path_sums(layers(h)[0])


def relu(h):
    """Path products of U1, ..., Uq, those of hidden biases too."""
    return paths(*layers(h))


def gated(name, order):
    """u (a.x) f(b.x)."""
    f = (lambda z: z) if name is None else (lambda z: applied(name, z, order - 1))
    return lambda h: h["U"] @ ((h["A"].T @ h["x"]) * [f(z) for z in h["B"].T @ h["x"]])


SIGMOID = SERIES["sigmoid"]
SLOPE = Fraction(1, 10)
# (model, phi by hand, degree in the probes at which phi is cut, number of laws or None where only the oracle says it)
CASES = [
    (models.linear([2, 3]), linear, None, 0),
    (models.linear([1, 1, 1]), linear, None, 1),
    (models.linear([2, 2, 2]), linear, None, 3),
    (models.linear([1, 4, 1]), linear, None, 7),
    (models.linear([1, 2, 2, 1]), linear, None, None),
    (models.relu([2, 2, 1]), relu, None, 2),
    (models.relu([1, 1, 1], bias=True), relu, None, 1),
    (models.relu([2, 2, 1], slope=SLOPE), relu, None, 2),
    (models.relu([1, 2, 1, 2], bias=True), relu, None, 3),
    (models.neuron(2, 2, [2]), lambda h: [a * b for a in h["u"] for b in monomials(h["v"], 2)], None, 1),
    (models.neuron(1), lambda h: [h["u"][0] * h["v"][0]], None, 1),
    (models.neuron(1, 2, [1, 3]), lambda h: [a * h["v"][0] ** k for a in h["u"] for k in (1, 3)], None, 0),
    (models.product(1), lambda h: [h["x"][0]], None, 0),
    (models.product(4), lambda h: [math.prod(h["x"])], None, 3),
    (models.nmf(1, 1, 1), lambda h: path_sums([h["U"], h["V"].T]), None, 1),
    (models.nmf(2, 2, 1), lambda h: path_sums([h["U"], h["V"].T]), None, 3),
    (models.icnn(2, 2, 1), lambda h: paths([h["U"], h["V"].T]), None, 2),
    (models.icnn(1, 2, 2, bias=True), lambda h: paths([h["U"], h["V"].T], [h["b"]]), None, 2),
    (models.shared(1, 1), lambda h: [h["U"][0, 0] ** 2], None, 0),
    (models.shared(2, 2), lambda h: path_sums([h["U"], h["U"].T]), None, 0),
    (models.shared(2, 3), lambda h: path_sums([h["U"], h["U"].T]), None, None),
    (models.tanh(1, 1, 1), two_layer("tanh", 3), None, 0),
    (models.tanh(2, 2, 2, order=5), two_layer("tanh", 5), None, 0),
    (models.gelu(1, 1, 1), two_layer("gelu", 2), None, 0),
    (models.gelu(2, 2, 1, order=4), two_layer("gelu", 4), None, 0),
    (models.silu(2, 1, 1), two_layer("silu", 2), None, 0),
    (models.silu(1, 2, 2, order=4), two_layer("silu", 4), None, 0),
    (models.glu(1, 1, 1), gated(None, 2), None, 2),
    (models.glu(2, 2, 2), gated(None, 2), None, 4),
    (models.swiglu(1, 1, 1), gated("silu", 3), None, 1),
    (models.swiglu(2, 2, 1), gated("silu", 3), None, 2),
    (models.conv1d([1, 1], kernel=3, length=3), lambda h: conv(h, 3), None, 0),
    (models.conv1d([1, 1, 1], kernel=1), lambda h: conv(h, 2), None, 1),
    (models.conv1d([1, 2, 1], kernel=2), lambda h: conv(h, 4), None, None),
    (models.conv1d([1, 1, 1], kernel=2, stride=3), lambda h: conv(h, 14, 3), None, 1),
    (models.conv1d([2, 1, 1], kernel=2, stride=2, length=5, padding=1), lambda h: conv(h, 5, 2, 1), None, None),
    (models.conv1d([1, 2, 1], kernel=2, bias=True), lambda h: conv(h, 4), None, None),
    (models.conv1d([2, 2, 1], kernel=2, relu=True), lambda h: conv(h, 4, relu=True), None, 2),
    (models.conv1d([1, 2, 2, 1], kernel=1, relu=True, bias=True), lambda h: conv(h, 2, relu=True), None, 4),
    (models.conv2d([1, 1], kernel=2, length=2), lambda h: conv(h, 2), None, 0),
    (models.conv2d([1, 1, 1], kernel=2), lambda h: conv(h, 4), None, None),
    (models.conv2d([1, 2, 1], kernel=2, length=3, relu=True), lambda h: conv(h, 3, relu=True), None, 2),
    (models.conv2d([1, 1, 1], 2, 2, 3, 1, True, True), lambda h: conv(h, 3, 2, 1, relu=True), None, 1),
    (models.attention(1, 1), head, None, 2),
    (models.attention(2, 2), head, None, 6),
    (models.attention(1, 3), head, None, None),
    (models.attention(1, 2, rope=True), rotary, None, None),
    (models.attention(2, 2, rope=True), rotary, None, 4),
    (models.attention(2, 1, heads=2), lambda h: head(h) + head(h, 2, 2), None, 4),
    (models.attention(2, 1, heads=2, keys=1), lambda h: head(h) + head(h, 2, 1), None, 2),
    (models.attention(2, 1, tokens=2), lambda h: attended(h, 3).ravel(), 3, 2),
    (models.attention(2, 1, tokens=2, causal=True), lambda h: attended(h, 3, True).ravel(), 3, 2),
    (models.attention(1, 1, tokens=2, order=5), lambda h: attended(h, 5).ravel(), 5, 2),
    (models.transformer(1, 1, 1), block, 3, 2),
    (models.residual(1, 1), lambda h: path_sums([h["U1"], h["V1"].T]), None, 1),
    (models.residual(2, 2, relu=True), lambda h: paths([h["U1"], h["V1"].T]), None, 2),
    (models.residual(2, 1, blocks=2), lambda h: blocks(h, False), None, 2),
    (models.residual(2, 1, blocks=2, relu=True), lambda h: blocks(h, True), None, 2),
    (models.maxpool(2, 2, 1), lambda h: pooled(h, 2), None, 2),
    (models.maxpool(1, 1, 1, pool=1), lambda h: pooled(h, 1), None, 1),
    (models.avgpool(2, 1, 2, pool=3), lambda h: pooled(h, 3), None, 1),
    (models.avgpool(1, 1, 1, pool=1), lambda h: pooled(h, 1), None, 1),
    (models.recurrent(1, 1, 1), lambda h: unrolled(h, 2, False), None, 1),
    (models.recurrent(1, 2, 1, steps=3), lambda h: unrolled(h, 3, False), None, None),
    (models.recurrent(1, 2, 1, steps=1), lambda h: unrolled(h, 1, False), None, 7),
    (models.recurrent(1, 2, 1, relu=True), lambda h: unrolled(h, 2, True), None, None),
    (models.moe(2, 2, 1), lambda h: experts(h, 2, 4), 4, 2),
    (models.moe(1, 3, 1, order=3), lambda h: experts(h, 3, 3), 3, None),
    (models.moe(1, 2, 1, gate="sigmoid"), lambda h: experts(h, 2, 4, function=SIGMOID), 4, 0),
    (models.moe(2, 2, 1, gate="sigmoid", order=3), lambda h: experts(h, 2, 3, function=SIGMOID), 3, None),
    (models.moe(1, 3, 1, gate="topk"), lambda h: experts(h, 3, 4, 2), 4, 1),
]  # fmt: skip
IDS = [model.name for model, *_ in CASES]
ROTATED = models.attention(2, 2, rope=True, tokens=2)


def elements(flow, ring):
    """The exact fields of a flow as elements of the ring."""
    return [[as_element(p, ring) for p in flow.fields.components(i)] for i in range(len(flow.fields))]


def modular_rank_of(flow, rows=()):
    """Rank mod p of the values of random members at a random point, and of them with those of given fields."""
    rng, D = random.Random(1), flow.dimension
    point = np.array([rng.randrange(PRIME) for _ in range(D)], dtype=np.uint64)
    seeds = [[rng.randrange(PRIME) for _ in range(flow.seed_size)] for _ in range(D + 2)]
    members = values_at(flow, np.array([seeds], dtype=np.uint64), point, PRIME).tolist()
    values = [value_mod(X, point.tolist(), PRIME) for X in rows]
    return [rank_mod(matrix, PRIME) for matrix in (members, values, members + values)]


def test_every_family_is_checked_by_hand():
    """None of the library is left out."""
    assert {model.recipe["family"] for model, *_ in CASES} == set(models.FAMILIES)


@pytest.mark.parametrize(("model", "phi", "degree", "number"), CASES, ids=IDS)
def test_fields_and_laws_by_hand(model, phi, degree, number):
    """Same span of fields, exactly and mod p, and the oracle's number of laws."""
    flow, hand = clexact.gradient_flow(model), Hand(model)
    fields = hand.fields(phi(hand), degree)
    assert same_field_span(elements(flow, hand.theta), fields)
    ranks = modular_rank_of(flow, fields)
    assert ranks[0] == ranks[1] == ranks[2] > 0
    exact, count = model.dimension - generic_rank(fields, model.dimension), clexact.certify(flow)
    assert count.lower <= exact == count.upper
    assert count.exact and number in (exact, None)
