"""Every family of the library against phi written by hand: path sums, composed kernels, series made by SymPy.

Of analytic functions, Taylor coefficients span a part of the fields: as many laws as are certified are left at some
order. Networks with norms and gates are differentiated numerically beside, in plain NumPy.
"""

import json
import math
import random
from fractions import Fraction
from itertools import combinations, pairwise, product

import numpy as np
import pytest
import sympy
from oracles import as_element, filled, generic_rank, gradient, names_of, rank_mod, ring_of, same_field_span, value_mod

import clexact
from clexact import models
from clexact.lie.closure import values_at

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

    def layers(self, first="U"):
        """All arrays of a kind: U1, U2, ..., or b2, b3, ..."""
        return [self.arrays[name] for name in self.arrays if name[0] == first]

    def fields(self, outputs, degree=None):
        """Gradients of the coefficients in the probes, those above a total degree in the first probe left out."""
        D, found = self.model.dimension, []
        end = D + math.prod(next(iter(self.model.probes.values()), ()))
        for out in outputs:
            parts = {}
            for exponents, c in (self.ring.one * out).terms():
                if degree is None or sum(exponents[D:end]) <= degree:
                    parts.setdefault(exponents[D:], {})[exponents[:D]] = c
            found += [gradient(self.theta.from_dict(part)) for part in parts.values()]
        return [X for X in found if any(X)]


SERIES = {
    "tanh": sympy.tanh,
    "gelu": lambda t: t * (1 + sympy.erf(t / sympy.sqrt(2))) / 2,
    "silu": lambda t: t / (1 + sympy.exp(-t)),
    "sigmoid": lambda t: 1 / (1 + sympy.exp(-t)),
    "identity": lambda t: t,
}


def applied(name, z, order):
    """The Taylor polynomial of a function at z, by SymPy, without constant; 1/sqrt(2 pi) set to 1."""
    t = sympy.Symbol("t")
    terms = sympy.series(SERIES[name](t), t, 0, order + 1).removeO().subs(sympy.pi, sympy.Rational(1, 2))
    return sum((Fraction(str(sympy.nsimplify(terms.coeff(t, k)))) * z**k for k in range(1, order + 1)), z * 0)


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
    """Products along paths of matrices (output first), one for each path; those from biases too."""
    found = []
    for last in range(len(layers), 0, -1):
        for units in product(*(range(W.shape[0]) for W in layers[:last]), range(layers[last - 1].shape[1])):
            path = math.prod(W[i, j] for W, (i, j) in zip(layers, pairwise(units), strict=False))
            found += [path] if last == len(layers) else []
            found += [path * biases[last - 1][units[-1]]] if last <= len(biases) else []
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
    axes, out = W.ndim - 2, (side + 2 * padding - W.shape[2]) // stride + 1
    places, pixels = ([*product(range(count), *[range(n)] * axes)] for count, n in zip(W.shape, (out, side)))  # noqa: B905
    matrix = np.zeros((len(places), len(pixels)), dtype=object)
    for (i, (c, *place)), (j, (d, *pixel)) in product(enumerate(places), enumerate(pixels)):
        offset = [q + padding - stride * p for p, q in zip(place, pixel, strict=True)]
        if all(0 <= k < W.shape[2] for k in offset):
            matrix[i, j] = W[(c, d, *offset)]
    return matrix, out


def conv(h, side, stride=1, padding=0, relu=False):
    """Convolutions by Toeplitz matrices, the last first."""
    layers, biases = [], []
    for n in range(1, len(h.layers("W")) + 1):
        matrix, side = toeplitz(h[f"W{n}"], side, stride, padding)
        layers.insert(0, matrix)
        if f"b{n}" in h.arrays:
            biases.insert(0, np.repeat(h[f"b{n}"], len(matrix) // len(h[f"b{n}"])))
    if relu:
        return [p for p in paths(layers, biases) if p]
    ends = [layers, *([*layers[: n + 1], b[:, None]] for n, b in enumerate(biases))]
    return [p for chain in ends for p in path_sums(chain) if p]


def unit(h, name, order):
    """U f(V^T x), or U (A^T x * f(B^T x)) with one order less left for f."""
    if "V" in h.arrays:
        return h["U"] @ [applied(name, z, order) for z in h["V"].T @ h["x"]]
    return h["U"] @ ((h["A"].T @ h["x"]) * [applied(name, z, order - 1) for z in h["B"].T @ h["x"]])


def head(h, i=1, g=1):
    """Entries of Q K^T and of V O^T; of Q_j K_j^T and Q_j J K_j^T for each plane j in place of the first."""
    Q, K, V, O = h[f"Q{i} K{g} V{g} O{i}"]  # noqa: E741
    if "c" not in h.arrays:
        return path_sums([Q, K.T]) + path_sums([V, O.T])
    cells = list(product(range(len(Q)), range(len(Q)), range(0, Q.shape[1], 2)))
    kept = [Q[a, j] * K[b, j] + Q[a, j + 1] * K[b, j + 1] for a, b, j in cells]
    return kept + [Q[a, j + 1] * K[b, j] - Q[a, j] * K[b, j + 1] for a, b, j in cells] + path_sums([V, O.T])


def attended(h, order, causal=False):
    """The true attention on T tokens: softmax up to the order of its scores that counts; scores may be turned."""
    X, Q, K, V, O = h["X Q1 K1 V1 O1"]  # noqa: E741
    scores, values, out = X @ Q @ K.T @ X.T, X @ V @ O.T, []
    if "c" in h.arrays:
        q, k, turn = X @ Q, X @ K, np.array([[0, -1], [1, 0]])
        turned = [k[j] * h["c"][i, j, 0] + turn @ k[j] * h["s"][i, j, 0] for i, j in np.ndindex(scores.shape)]
        scores = filled([q[n // len(X)] @ row for n, row in enumerate(turned)], scores.shape)
    for i, row in enumerate(scores):
        seen = i + 1 if causal else len(X)
        out += list(np.array(weights(list(row[:seen]), (order - 1) // 2)) @ values[:seen])
    return filled(out, X.shape)


def block(h, order=3):
    """Y + gelu(Y A) B^T, Y = X + attention."""
    X, A, B = h["X A B"]
    Y = X + attended(h, order)
    return (Y + np.array([[applied("gelu", z, order) for z in row] for row in Y @ A]) @ B.T).ravel()


def blocks(h, relu):
    """Two residual blocks: the paths through both, with those that skip; all hidden units apart if gated."""
    U1, V1, U2, V2 = h["U1 V1 U2 V2"]
    if not relu:
        sums = map(path_sums, ([U1, V1.T], [U2, V2.T], [U2, V2.T, U1, V1.T]))
        return list(map(sum, zip(*sums, strict=True)))
    inner = filled(path_sums([V2.T, U1]), (V2.shape[1], U1.shape[1]))
    return paths([U1, V1.T]) + paths([U2, V2.T]) + paths([U2, inner, V1.T])


def pooled(h, width):
    """Differences in each group apart, and the sum over groups of their last units: a selection sums to one."""
    n, r = h["U"].shape
    units = h["V"].T.reshape(r, width, -1)
    apart = [h["U"][i, k] * c for i in range(n) for k in range(r) for c in (units[k, :-1] - units[k, -1]).ravel()]
    return apart + path_sums([h["U"], units[:, -1]])


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


def signals(h, A, steps):
    """C A^k B for each k."""
    return [p for k in range(steps) for p in path_sums([h["C"], *[A] * k, h["B"]])]


def adapted(h):
    """B1 A1 and B2 A2 beside frozen weights, and their product."""
    first, second = [h["B1"], h["A1"]], [h["B2"], h["A2"]]
    return path_sums(first) + path_sums(second) + path_sums(first + second)


def tensor(h, core):
    """Entries of a sum over k of G[k, ...] U1[i, k] ..., a diagonal core for sums of products."""
    factors, rank = h.layers(), len(core)
    ks = (
        product(range(rank), repeat=len(factors))
        if core.ndim == len(factors)
        else ((k,) * len(factors) for k in range(rank))
    )
    chosen = [(k, core[k] if core.ndim == len(factors) else 1) for k in ks]
    return [
        sum(c * math.prod(U[i, j] for U, i, j in zip(factors, place, k, strict=True)) for k, c in chosen)
        for place in product(*(range(len(U)) for U in factors))
    ]


# (model, phi by hand, degree in the probes at which phi is cut, number of laws or None where only the oracle says it)
CASES = [
    (models.linear([2, 3]), lambda h: path_sums(h.layers()), None, 0),
    (models.linear([1, 1, 1]), lambda h: path_sums(h.layers()), None, 1),
    (models.linear([1, 4, 1]), lambda h: path_sums(h.layers()), None, 7),
    (models.linear([1, 2, 2, 1]), lambda h: path_sums(h.layers()), None, None),
    (models.relu([1, 1, 1], bias=True), lambda h: paths(h.layers(), h.layers("b")), None, 1),
    (models.relu([2, 2, 1], slope=Fraction(1, 10)), lambda h: paths(h.layers(), h.layers("b")), None, 2),
    (models.relu([1, 2, 1, 2], bias=True), lambda h: paths(h.layers(), h.layers("b")), None, 3),
    (models.neuron(2, 2, [2]), lambda h: [a * b * c for a in h["u"] for b in h["v"] for c in h["v"]], None, 1),
    (models.neuron(1, 2, [1, 3]), lambda h: [a * h["v"][0] ** k for a in h["u"] for k in (1, 3)], None, 0),
    (models.product(1), lambda h: [h["x"][0]], None, 0),
    (models.product(4), lambda h: [math.prod(h["x"])], None, 3),
    (models.nmf(1, 1, 1), lambda h: path_sums([h["U"], h["V"].T]), None, 1),
    (models.icnn(1, 2, 2, bias=True), lambda h: paths([h["U"], h["V"].T], [h["b"]]), None, 2),
    (models.shared(1, 1), lambda h: [h["U"][0, 0] ** 2], None, 0),
    (models.shared(2, 3), lambda h: path_sums([h["U"], h["U"].T]), None, None),
    (models.tanh(1, 1, 1), lambda h: unit(h, "tanh", 3), None, 0),
    (models.tanh(2, 2, 2), lambda h: unit(h, "tanh", 5), None, 0),
    (models.gelu(2, 2, 1), lambda h: unit(h, "gelu", 4), None, 0),
    (models.silu(2, 1, 1), lambda h: unit(h, "silu", 2), None, 0),
    (models.glu(1, 1, 1), lambda h: unit(h, "identity", 2), None, 2),
    (models.swiglu(1, 1, 1), lambda h: unit(h, "silu", 3), None, 1),
    (models.conv1d([1, 1], kernel=3, length=3), lambda h: conv(h, 3), None, 0),
    (models.conv1d([1, 1, 1], kernel=1), lambda h: conv(h, 2), None, 1),
    (models.conv1d([1, 1, 1], kernel=2, stride=3), lambda h: conv(h, 14, 3), None, 1),
    (models.conv1d([2, 1, 1], kernel=2, stride=2, length=5, padding=1), lambda h: conv(h, 5, 2, 1), None, None),
    (models.conv1d([1, 2, 1], kernel=2, bias=True), lambda h: conv(h, 4), None, None),
    (models.conv1d([2, 2, 1], kernel=2, relu=True), lambda h: conv(h, 4, relu=True), None, 2),
    (models.conv1d([1, 2, 2, 1], kernel=1, relu=True, bias=True), lambda h: conv(h, 2, relu=True), None, 4),
    (models.conv2d([1, 1, 1], kernel=2), lambda h: conv(h, 4), None, None),
    (models.conv2d([1, 2, 1], kernel=2, length=3, relu=True), lambda h: conv(h, 3, relu=True), None, 2),
    (models.conv2d([1, 1, 1], 2, 2, 3, 1, True, True), lambda h: conv(h, 3, 2, 1, relu=True), None, 1),
    (models.attention(1, 1), head, None, 2),
    (models.attention(2, 2), head, None, 6),
    (models.attention(1, 3), head, None, None),
    (models.attention(2, 2, rope=True), head, None, 4),
    (models.attention(2, 1, heads=2), lambda h: head(h) + head(h, 2, 2), None, 4),
    (models.attention(2, 1, heads=2, keys=1), lambda h: head(h) + head(h, 2, 1), None, 2),
    (models.attention(2, 1, tokens=2), lambda h: attended(h, 3).ravel(), 3, 2),
    (models.attention(2, 1, tokens=2, causal=True), lambda h: attended(h, 3, True).ravel(), 3, 2),
    (models.attention(1, 1, tokens=2), lambda h: attended(h, 5).ravel(), 5, 2),
    (models.attention(1, 2, rope=True, tokens=2), lambda h: attended(h, 3).ravel(), 3, 4),
    (models.transformer(1, 1, 1), block, 3, 2),
    (models.residual(2, 2, relu=True), lambda h: paths([h["U1"], h["V1"].T]), None, 2),
    (models.residual(2, 1, blocks=2), lambda h: blocks(h, False), None, 2),
    (models.residual(2, 1, blocks=2, relu=True), lambda h: blocks(h, True), None, 2),
    (models.maxpool(2, 2, 1), lambda h: pooled(h, 2), None, 2),
    (models.maxpool(1, 2, 2, pool=3), lambda h: pooled(h, 3), None, 2),
    (models.maxpool(2, 2, 2, pool=1), lambda h: path_sums([h["U"], h["V"].T]), None, 3),
    (models.avgpool(2, 1, 2, pool=3), lambda h: paths([np.repeat(h["U"], 3, axis=1), h["V"].T]), None, 1),
    (models.recurrent(1, 2, 1, steps=3), lambda h: unrolled(h, 3, False), None, None),
    (models.recurrent(1, 2, 1, steps=1), lambda h: unrolled(h, 1, False), None, 7),
    (models.recurrent(1, 2, 1, relu=True), lambda h: unrolled(h, 2, True), None, None),
    (models.moe(2, 2, 1), lambda h: experts(h, 2, 4), 4, 2),
    (models.moe(1, 2, 1, gate="sigmoid"), lambda h: experts(h, 2, 4, function=SERIES["sigmoid"]), 4, 0),
    (models.moe(2, 3, 1, gate="topk"), lambda h: experts(h, 3, 4, 2), 4, 2),
    (models.mlp([1, 2, 2]), lambda h: paths(h.layers()), None, 2),
    (models.mlp([2, 2, 1], "leaky", bias=True), lambda h: paths(h.layers(), [h["b2"]]) + list(h["b1"]), None, 2),
    (models.mlp([1, 2, 2], "none"), lambda h: path_sums(h.layers()), None, 3),
    (models.ssm(2, 2, 1), lambda h: signals(h, np.diag(h["a"]), 3), None, 2),
    (models.ssm(1, 2, 2, 4, dense=True), lambda h: signals(h, h["A"], 4), None, 3),
    (models.lora([2, 2], 2), lambda h: path_sums([h["B1"], h["A1"]]), None, 3),
    (models.lora([2, 1, 2]), adapted, None, 2),
    (models.factorization([2, 1, 2], 2), lambda h: tensor(h, np.eye(2, dtype=int)), None, None),
    (models.factorization([2, 2], 2, "shared"), lambda h: path_sums([h["U"], h["U"].T]), None, 0),
    (models.factorization([2, 1], 2, "tucker"), lambda h: tensor(h, h["G"]), None, None),
    (models.diagonal(2), lambda h: list(h["u"] ** 2 - h["v"] ** 2), None, 2),
    (models.diagonal(1, 3), lambda h: list(h["u"] ** 3 - h["v"] ** 3), None, 1),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("model", "phi", "degree", "number"), CASES, ids=lambda x: getattr(x, "name", ""))
def test_fields_and_laws_by_hand(model, phi, degree, number):
    """The oracle's number; without functions the span of fields, and values of random members at a random point."""
    flow, hand, rng, D = clexact.gradient_flow(model), Hand(model), random.Random(1), model.dimension
    fields = hand.fields(phi(hand), degree)
    if not flow.analytic:
        exactly = [[as_element(c, hand.theta) for c in X.components(0)] for X in flow.fields]
        assert same_field_span(exactly, fields)
        words = [[rng.randrange(PRIME) for _ in range(size)] for size in [D] + [flow.seed_size] * (D + 2)]
        point, seeds = np.array(words[0], dtype=np.uint64), np.array([words[1:]], dtype=np.uint64)
        members = values_at(flow, seeds, point, PRIME).tolist()
        values = [value_mod(X, words[0], PRIME) for X in fields]
        engine, by_hand, both = (rank_mod(rows, PRIME) for rows in (members, values, members + values))
        assert engine == by_hand == both > 0
    exact, count = D - generic_rank(fields, D), clexact.certify(flow)
    assert count.exact and count.lower == exact and number in (exact, None)


# --- by numbers ------------------------------------------------------------------------------------------------------


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def normal(z):
    """Of z with an infinitesimal imaginary part."""
    density = np.exp(-(z.real**2) / 2) / math.sqrt(2 * math.pi)
    return (1 + np.vectorize(math.erf)(z.real / math.sqrt(2))) / 2 + 1j * z.imag * density


ACTS = {
    "gelu": lambda z: z * normal(z),
    "gelu_tanh": lambda z: z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2,
    "silu": lambda z: z * sigmoid(z),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": lambda z: np.log1p(np.exp(z)),
    "mish": lambda z: z * np.tanh(np.log1p(np.exp(z))),
    "sin": np.sin,
}


def standard(z, kind, eps=0.0):
    """The norm, as textbooks have it."""
    axis = 0 if kind == "batch" else -1
    mean = 0 if kind == "rms" else z.mean(axis, keepdims=True)
    return (z - mean) / np.sqrt(((z - mean) ** 2).mean(axis, keepdims=True) + eps)


def dense_layers(act, norm=None, eps=0.0):
    """Layers with biases, gains and shifts where there are any."""

    def network(W, x):
        last = sum(name[0] == "U" for name in W)
        for layer in range(last, 0, -1):
            x = x @ W[f"U{layer}"].T + W.get(f"b{layer}", 0)
            if layer > 1:
                x = standard(x, norm, eps) if norm else x
                x = ACTS[act](W.get(f"g{layer}", 1) * x + W.get(f"s{layer}", 0))
        return x

    return network


def soft(z):
    powers = np.exp(z - z.real.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def heads(W, X, causal=False):
    """One head, with biases if there are any."""
    q, k, v = (X @ W[f"{name}1"] + W.get(f"b{name}1", 0) for name in "QKV")
    scores = q @ k.T
    if causal:
        scores = np.where(np.tri(len(X)), scores, -1e9)
    return soft(scores) @ v @ W["O1"].T + W.get("bO", 0)


def block_of(norm, pre, gated=False, eps=0.0, causal=False):
    """A transformer block."""

    def network(W, X):
        def normed(Z, k):
            return W.get(f"g{k}", 1) * standard(Z, norm, eps) + W.get(f"s{k}", 0)

        def layer(Z):
            inner = Z @ W["A"] + W.get("bA", 0)
            inner = ACTS["silu"](Z @ W["G"] + W.get("bG", 0)) * inner if gated else ACTS["gelu"](inner)
            return inner @ W["B"].T + W.get("bB", 0)

        if pre:
            Y = X + heads(W, normed(X, 1), causal)
            return Y + layer(normed(Y, 2))
        Y = normed(X + heads(W, X, causal), 1)
        return normed(Y + layer(Y), 2)

    return network


def unit_of(kind, width):
    """Gated recurrent units and long short-term memory, as PyTorch's manual has them."""

    def network(W, x):
        h, memory, b, c = np.zeros(width), np.zeros(width), W.get("b", 0), W.get("c", 0)
        for entry in x:
            parts = zip(np.split(W["W"] @ entry + b, kind), np.split(W["R"] @ h + c, kind), strict=True)
            if kind == 3:
                (r, r_), (z, z_), (n, n_) = parts
                update = sigmoid(z + z_)
                h = (1 - update) * np.tanh(n + sigmoid(r + r_) * n_) + update * h
            else:
                i, f, g, o = (a + b for a, b in parts)
                memory = sigmoid(f) * memory + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(memory)
        return W["U"] @ h

    return network


def angle(W, x, y):
    a, b = W["U"] @ x, W["V"] @ y
    return np.array([a @ b / np.sqrt(a @ a * (b @ b))])


def units_of_norm_one(W, x):
    V = W["V"] / np.sqrt((W["V"] ** 2).sum(0))
    return W["U"] @ np.tanh(W.get("g", 1) * (V.T @ x) + W.get("b", 0))


EPS = Fraction(1, 10)
# (model, the same in NumPy, number of laws)
NUMBERS = [
    *((models.mlp([1, 2, 2], act, bias=True), dense_layers(act), 0) for act in ACTS),
    (models.mlp([2, 2, 2], "tanh", "rms"), dense_layers("tanh", "rms"), 1),
    (models.mlp([1, 3, 2], "silu", "layer", gain=True), dense_layers("silu", "layer"), 3),
    (models.mlp([1, 3, 2], "gelu", "layer", True, True, EPS), dense_layers("gelu", "layer", 0.1), 3),
    (models.mlp([1, 2, 2], "tanh", "batch", bias=True), dense_layers("tanh", "batch"), 4),
    (models.mlp([1, 2, 2], "sigmoid", "batch", True, True, EPS, 2), dense_layers("sigmoid", "batch", 0.1), 2),
    (models.attention(2, 2, tokens=2, bias=True), lambda W, X: heads(W, X), 8),
    (models.attention(2, 1, tokens=3, bias=True, causal=True), lambda W, X: heads(W, X, True), 3),
    (models.transformer(2, 1, 1, norm="pre-rms", gain=True, eps=EPS, swiglu=True), block_of("rms", True, True, 0.1), 7),
    (models.gru(1, 2, 1, bias=True), unit_of(3, 2), 4),
    (models.gru(2, 1, 1, 3), unit_of(3, 1), 0),
    (models.lstm(1, 1, 2, bias=True), unit_of(4, 1), 4),
    (models.cosine(2, 2, 2), angle, 2),
    (models.weight_norm(2, 2, 1, "tanh", True, True), units_of_norm_one, 2),
    (models.transformer(3, 1, 1, norm="pre-layer", bias=True, gain=True, eps=EPS),
     block_of("layer", True, eps=0.1), 10),
    (models.transformer(3, 1, 1, norm="post-layer", gain=True, causal=True), block_of("layer", False, causal=True), 5),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("model", "network", "number"), NUMBERS, ids=lambda x: getattr(x, "name", ""))
def test_ranks_and_laws_by_numerical_differentiation(model, network, number):
    """Gradients at a random point over random inputs: their rank is between those certified, and they move no law.

    By complex steps, which lose no digits.
    """
    rng, D, step = np.random.default_rng(1), model.dimension, 1e-30
    theta, count = rng.normal(size=D), clexact.certify(clexact.gradient_flow(model))
    assert count.exact and count.lower == number
    ends = np.cumsum([math.prod(shape) for shape in model.parameters.values()])[:-1]

    def value(at, probes):
        pieces = zip(np.split(at, ends), model.parameters.items(), strict=True)
        return network({name: piece.reshape(shape) for piece, (name, shape) in pieces}, *probes).ravel()

    rows = []
    while len(rows) < 3 * D:
        probes = [2 * rng.normal(size=shape) for shape in model.probes.values()]
        rows += list(np.transpose([value(theta + 1j * step * e, probes).imag / step for e in np.eye(D)]))
    singular = np.linalg.svd(np.array(rows), compute_uv=False)
    assert count.filtration[0] <= int((singular > 1e-13 * singular[0]).sum()) <= D - number, singular
    for law in count.laws.polynomials():
        slope = [float(sum(c * math.prod(theta[v] ** k for v, k in m) for m, c in h.items())) for h in law.gradient]
        assert np.abs(np.array(rows) @ slope).max() < 1e-12 * np.abs(rows).max() * (1 + np.abs(slope).max())


def test_every_family_is_checked_by_hand():
    """None of the library is left out."""
    assert {model.recipe["family"] for model, *_ in [*CASES, *NUMBERS]} == set(models.FAMILIES)


# --- known numbers ---------------------------------------------------------------------------------------------------


def number_of(model):
    """The number of laws, exactly."""
    count = clexact.certify(clexact.gradient_flow(model))
    assert count.exact and count.error == 0 and count.exhibited == count.lower, str(count)
    return count.lower


@pytest.mark.slow
@pytest.mark.parametrize(("m", "r", "n"), [(1, 1, 1), (2, 1, 1), (1, 2, 2), (2, 2, 3), (3, 3, 1)])
def test_activations_and_gates(m, r, n):
    """Two laws for each bilinear unit, one for each SwiGLU unit, none for GELU, SiLU and tanh."""
    assert number_of(models.glu(m, r, n)) == 2 * r
    assert number_of(models.swiglu(m, r, n)) == r
    for family in (models.gelu, models.silu, models.tanh):
        assert number_of(family(m, r, n)) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("d", "h"), [(1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (4, 4)])
@pytest.mark.parametrize("heads", [1, 2])
def test_attention_heads(d, h, heads):
    """h(h + 1)/2 laws for Q and K and as many for V and O, for each key head; so with the true softmax."""
    assert number_of(models.attention(d, h, heads)) == heads * h * (h + 1)
    assert number_of(models.attention(d, h, 2 * heads, keys=heads)) == heads * h * (h + 1)
    if d == 2 and heads == 1:
        assert number_of(models.attention(d, h, tokens=2)) == h * (h + 1)
        assert number_of(models.attention(d, h, tokens=3, causal=True)) == h * (h + 1)


@pytest.mark.parametrize(("d", "h"), [(2, 2), (3, 2), (4, 4), (5, 6)])
def test_rotary_heads(d, h):
    """One law for each plane, and those of V and O (2r entries of Gram matrices, of which rk(2r + 1 - rk)/2 count)."""
    rk = min(h, 2 * d)
    assert number_of(models.attention(d, h, rope=True)) == h // 2 + rk * (2 * h + 1 - rk) // 2


@pytest.mark.parametrize(("m", "count", "n"), [(1, 2, 1), (2, 2, 1), (2, 3, 1), (1, 3, 2)])
def test_mixtures_of_experts(m, count, n):
    """m column sums under softmax and top-k gates, none under normalised sigmoids (against arXiv 2606.17816, 4.7)."""
    soft = clexact.certify(clexact.gradient_flow(models.moe(m, count, n)))
    assert soft.exact and soft.lower == m
    sums = [" + ".join(f"W[{i},{j}]" for i in range(count)) for j in range(m)]
    assert sorted(map(str, soft.laws.polynomials())) == sums
    if count <= m + 1:
        assert number_of(models.moe(m, count, n, gate="topk")) == m
        assert number_of(models.moe(m, count, n, gate="topk", k=1)) == m * count  # constant gates: all of W
    assert number_of(models.moe(m, count, n, gate="sigmoid")) == 0


@pytest.mark.parametrize(("model", "number"), [(models.moe(2, 1, 1), 2), (models.attention(2, 1, tokens=1), 4 + 1)])
def test_softmax_over_one_entry(model, number):
    """It is 1: W, or Q and K, are conserved."""
    assert number_of(model) == number


@pytest.mark.parametrize("family", [models.conv1d, models.conv2d])
@pytest.mark.parametrize("channels", [[1, 1, 1], [2, 3, 1], [1, 2, 2, 1]], ids=str)
@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"padding": 1, "bias": True}, {"stride": 3}], ids=str)
def test_relu_convolutions(family, channels, options):
    """One law for each hidden channel (arXiv 2506.06194, theorem 3.6)."""
    kernel = 1 if options.get("stride") == 3 or family is models.conv2d else 2
    assert number_of(family(channels, kernel, relu=True, **options)) == sum(channels[1:-1])


# --- recipes and errors ----------------------------------------------------------------------------------------------

OPTIONS = [
    models.relu([2, 2, 1], True, Fraction(-1, 3)), models.neuron(2, 3, (1, 4)), models.icnn(1, 2, 1, True),
    models.conv1d((1, 1), 2, 2, 6, 1, True, True),
    models.conv2d([1, 2, 1], 2, stride=2, padding=1), models.attention(2, 2, 4, True, 2),
    models.attention(2, 2, 2, True, 1, 2, True, True), models.transformer(2, 1, 3, 2, 1),
    models.transformer(3, 2, 1, 2, 2, "post-rms", "relu", True, True, Fraction(1, 3), 1, True, True),
    models.transformer(2, 1, 1, norm="none", bias=True, swiglu=True), models.mlp([1, 2, 3], "selu", "batch", batch=4),
    models.mlp([1, 3, 3, 2], "elu", "layer", True, True, Fraction(1, 3)), models.weight_norm(3, 2, 1, gain=True),
    models.lora([2, 3, 1], 2, "relu", True), models.factorization([2, 3], 2, "tucker", 3),
    models.factorization([2, 2, 2], scheme="shared", measurements=2), models.gru(1, 2, 1, 3, True),
    models.lstm(2, 1, 1, 1),
    models.residual(2, 1, 3, True), models.avgpool(1, 2, 1, pool=4), models.recurrent(1, 1, 1, 4, True),
    models.moe(2, 3, 1, "topk", 1), models.moe(2, 3, 1, "sigmoid"),
]  # fmt: skip


def plain(data):
    """Data of nodes that compares by ==."""
    if isinstance(data, tuple):
        return tuple(map(plain, data))
    return (data.shape, data.dtype.kind, data.tolist()) if isinstance(data, np.ndarray) else data


def described(model):
    """All that a model is, as plain data."""
    nodes = [(n.op, n.inputs, n.shape, plain(n.data)) for n in model.program.nodes]
    kept = (model.parameters, model.probes, model.variables, model.recipe)
    return model.name, nodes, model.program.output, model.program.gates, *kept


@pytest.mark.parametrize("model", [*(model for model, *_ in CASES), *OPTIONS], ids=lambda model: model.name)
def test_recipes_rebuild_the_same_program(model):
    """Through JSON, node by node."""
    assert described(models.rebuild(json.loads(json.dumps(model.recipe)))) == described(model)


ERRORS = [
    (models.relu, ([2, 2, 1], False, 0.1), TypeError, "slope of relu must be exact, which the float 0.1 is not"),
    (models.relu, ([2, 2, 1], False, 1), ValueError, "a slope of 1 makes relu the identity"),
    (models.conv1d, ([1, 1], 3, 1, 2), ValueError, "a kernel of size 3 does not fit an input of length 2"),
    (models.conv2d, ([1, 1], 2, 1, 3, -1), ValueError, "the padding of conv2d must be an integer >= 0, not -1"),
    (models.attention, (1, 1, 1, True), ValueError, "the width of a head must be even, not 1"),
    (models.avgpool, (1, 1, 1, "2"), TypeError, "pool must be an integer, not '2'"),
    (models.moe, (1, 2, 1, "topk", 3), ValueError, "k = 3 experts cannot be chosen of 2"),
    (models.rebuild, ({"family": "cube", "sizes": [1]},), ValueError, "the model is not of one of the families linear"),
    (models.rebuild, ({"family": "nmf", "sizes": [2]},), ValueError, "nmf takes the sizes n r m, not 1 sizes"),
    (models.rebuild, ({"family": "nmf", "sizes": [1, 1, 1], "k": 1},), ValueError, "nmf has no option 'k'; it takes"),
    (models.rebuild, ({"family": "relu", "sizes": [1, 1], "slope": "x"},), ValueError, "slope of relu must be a rat"),
]


@pytest.mark.parametrize(("function", "arguments", "error", "message"), ERRORS)
def test_wrong_sizes_and_options(function, arguments, error, message):
    """One clear sentence, of the exact kind of error."""
    with pytest.raises(error, match=message) as caught:
        function(*arguments)
    assert caught.type is error and str(caught.value).endswith(".")


@pytest.mark.parametrize("recipe", [
    {"family": "relu", "sizes": [1, 1, 1], "bias": "no"},
    {"family": "conv1d", "sizes": [1, 1]},
    {"family": ["linear"], "sizes": [1, 1]},
], ids=["a word for a truth value", "no kernel", "family not a word"])  # fmt: skip
def test_rebuild_refuses_wrong_recipes(recipe):
    """With a sentence, as elsewhere."""
    with pytest.raises((TypeError, ValueError), match=r"\.$"):
        models.rebuild(recipe)
