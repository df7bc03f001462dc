"""Small random networks with analytic functions: layers, attention, norms, cells, and functions that are related.

``text`` is the call that makes a network again: ``random_networks.make(text)``.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

import clexact
from clexact import functions

FUNCTIONS = (
    "exp", "reciprocal", "rsqrt", "sigmoid", "tanh", "normal_cdf", "softplus", "silu", "gelu", "log", "sin", "cos",
)  # fmt: skip
SMOOTH = ("sigmoid", "tanh", "normal_cdf", "softplus", "silu", "gelu", "exp", "sin", "cos")  # defined everywhere
SOMEWHERE = ("rsqrt", "reciprocal", "log")  # the others
LEAST, MOST = 2, 40  # parameters
Shapes = dict[str, tuple[int, ...]]
Parts = tuple[Shapes, Shapes, Callable[..., Any]]


@dataclass(frozen=True)
class Network:
    """What a user gives to ``clexact.Model``, and the loss."""

    text: str
    parameters: Shapes
    probes: Shapes
    output: Callable[..., Any] = field(compare=False, repr=False)
    loss: str = "full"

    @property
    def kind(self) -> str:
        """Which of the builders below made it."""
        return self.text.partition("(")[0]

    @property
    def dimension(self) -> int:
        """D."""
        return sum(map(prod, self.parameters.values()))

    def model(self) -> clexact.Model:
        """The model under test."""
        return clexact.Model(self.parameters, self.probes, self.output)

    def flow(self) -> Any:
        """Its gradient flow."""
        return clexact.gradient_flow(self.model(), self.loss)


def applied(name: str, z: Any) -> Any:
    """A function of the entries, by its name."""
    return getattr(functions, name)(z)


def _rsqrt(z: Any) -> Any:
    return applied("rsqrt", z)


def _last(z: Any) -> Any:
    """The mean along the last axis, which stays."""
    return z.sum(-1, keepdims=True) / z.shape[-1]


def _safe(name: str, z: Any) -> Any:
    """A function of all reals: those that are not defined everywhere are taken where they are."""
    return applied(name, 1 + z * z if name in SOMEWHERE else z)


# --- layers ----------------------------------------------------------------------------------------------------------


def mlp(sizes: list[int], names: list[str], biases: list[bool]) -> Parts:
    """A network of affine layers, with a function after each but the last."""
    shapes: Shapes = {}
    for k, (inner, outer) in enumerate(pairwise(sizes), start=1):
        shapes[f"W{k}"] = (outer, inner)
        if biases[k - 1]:
            shapes[f"b{k}"] = (outer,)

    def output(x: Any, **a: Any) -> Any:
        for k in range(1, len(sizes)):
            x = a[f"W{k}"] @ x
            x = x + a[f"b{k}"] if f"b{k}" in a else x
            x = _safe(names[k - 1], x) if k < len(sizes) - 1 else x
        return x

    return shapes, {"x": (sizes[0],)}, output


def normed(
    kind: str, sizes: list[int], eps: Fraction, bias: bool, gain: bool, shift: bool, name: str | None, batch: int
) -> Parts:
    """V f(g norm(W x + b) + c) for a batch of inputs; f is left out where it has no name."""
    inputs, width, outputs = sizes
    shapes: Shapes = {"W": (inputs, width), "V": (width, outputs)}
    shapes |= {n: (width,) for n, given in (("b", bias), ("g", gain), ("c", shift)) if given}

    def output(X: Any, W: Any, V: Any, b: Any = 0, g: Any = 1, c: Any = 0) -> Any:
        h = norm(kind, X @ W + b, eps) * g + c
        return (_safe(name, h) if name else h) @ V

    return shapes, {"X": (batch, inputs)}, output


def norm(kind: str, z: Any, eps: Fraction) -> Any:
    """Of the rows of z; a batch norm, of its columns."""
    if kind == "batch":
        return norm("layer", z.T, eps).T
    if kind == "group":
        return norm("layer", z.reshape(z.shape[0], 2, -1), eps).reshape(z.shape)
    if kind == "layer":
        z = z - _last(z)
    size = (z * z).sum(-1, keepdims=True) if kind == "normalize" else _last(z * z)
    return z * _rsqrt(size + eps if eps else size)


def weight_norm(sizes: list[int], name: str, bias: bool) -> Parts:
    """U f(g v / |v| x + b), row by row."""
    inputs, width, outputs = sizes
    shapes: Shapes = {"v": (width, inputs), "g": (width,), "U": (outputs, width)}
    shapes |= {"b": (width,)} if bias else {}

    def output(x: Any, v: Any, g: Any, U: Any, b: Any = 0) -> Any:
        return U @ _safe(name, g * ((v * _rsqrt((v * v).sum(-1, keepdims=True))) @ x) + b)

    return shapes, {"x": (inputs,)}, output


def cosine(inputs: int, width: int, keys: str, name: str | None) -> Parts:
    """f of the cosine of the angle between W x and keys: another map of x, or of another probe, or a parameter."""
    shapes: Shapes = {"W": (width, inputs), "k": (width,) if keys == "parameter" else (width, inputs), "s": ()}
    probes: Shapes = {"x": (inputs,)} | ({"y": (inputs,)} if keys == "other" else {})

    def output(x: Any, W: Any, k: Any, s: Any, y: Any = None) -> Any:
        u, v = W @ x, k if keys == "parameter" else k @ (y if keys == "other" else x)
        c = (u * v).sum() * _rsqrt((u * u).sum()) * _rsqrt((v * v).sum())
        return s * (_safe(name, c) if name else c)

    return shapes, probes, output


def division(sizes: list[int], how: str, name: str) -> Parts:
    """U f(W x / s), s a parameter, its square and 1, or the sum of the squares of W and 1."""
    inputs, width, outputs = sizes

    def output(x: Any, W: Any, U: Any, s: Any) -> Any:
        divisor = {"itself": s, "square": 1 + s * s, "weights": 1 + (W * W).sum() * s * s}[how]
        return U @ _safe(name, (W @ x) * applied("reciprocal", divisor))

    return {"W": (width, inputs), "U": (outputs, width), "s": ()}, {"x": (inputs,)}, output


def experts(sizes: list[int], bias: bool, names: list[str], temperature: bool) -> Parts:
    """A mixture of experts U_i f_i(w_i x), mixed by a softmax."""
    inputs, outputs, count = sizes[0], sizes[1], len(names)
    shapes: Shapes = {"G": (count, inputs), "w": (count, inputs), "U": (count, outputs)}
    shapes |= ({"b": (count,)} if bias else {}) | ({"t": ()} if temperature else {})

    def output(x: Any, G: Any, w: Any, U: Any, b: Any = 0, t: Any = None) -> Any:
        z = G @ x + b
        gates = functions.softmax(z if t is None else z * applied("reciprocal", t))
        return sum(gates[i] * _safe(name, w[i] @ x) * U[i] for i, name in enumerate(names))

    return shapes, {"x": (inputs,)}, output


# --- attention and blocks --------------------------------------------------------------------------------------------


def _attend(X: Any, a: dict[str, Any], head: int, causal: str, scale: str) -> Any:
    """One head."""
    q, k, v = (X @ a[n][head] + (a[f"{n}b"][head] if f"{n}b" in a else 0) for n in "QKV")
    z = q @ k.T
    tokens, size = z.shape[0], k.shape[-1]
    if scale == "root":
        z = z * _rsqrt(z.symbol(size))
    elif scale == "half":
        z = z / 2
    if causal == "prefix":
        return clexact.concatenate(
            [(functions.softmax(z[t, : t + 1]) @ v[: t + 1]).reshape(1, -1) for t in range(tokens)]
        )
    if causal == "mask":
        z = z + np.triu(np.full((tokens, tokens), -4, dtype=object), 1)
    return functions.softmax(z) @ v


def attention(
    tokens: int, width: int, heads: int, size: int, biases: str, causal: str, scale: str, out: bool,
    normed: str | None, residual: bool,
) -> Parts:  # fmt: skip
    """Softmax attention: heads side by side, then O; with a norm before, and X added after, for a block."""
    shapes: Shapes = dict.fromkeys("QK", (heads, width, size)) | {"V": (heads, width, size if out else width)}
    shapes |= {f"{n}b": (heads, *shapes[n][2:]) for n in biases}
    shapes |= ({"O": (heads * size, width)} if out else {}) | ({"g": (width,)} if normed else {})

    def output(X: Any, **a: Any) -> Any:
        Z = norm(normed, X, Fraction(1, 100)) * a["g"] if normed else X
        parts = [_attend(Z, a, head, causal, scale) for head in range(heads)]
        mixed = clexact.concatenate(parts, axis=1) @ a["O"] if out else sum(parts[1:], parts[0])
        return X + mixed if residual else mixed

    return shapes, {"X": (tokens, width)}, output


def block(
    width: int, hidden: int, kind: str, eps: Fraction, name: str, biases: bool, gain: bool, embedded: bool
) -> Parts:
    """x + V f(W g norm(x)) of one token, which may be a map of the input."""
    shapes: Shapes = {"W": (width, hidden), "V": (hidden, width)}
    shapes |= {
        n: s for n, s, given in (("b", (hidden,), biases), ("c", (width,), biases), ("g", (width,), gain)) if given
    }
    shapes |= {"E": (1, width)} if embedded else {}

    def output(x: Any, W: Any, V: Any, E: Any = None, b: Any = 0, c: Any = 0, g: Any = 1) -> Any:
        x = x if E is None else x @ E
        return x + _safe(name, norm(kind, x, eps) * g @ W + b) @ V + c

    return shapes, {"x": (1, 1 if embedded else width)}, output


# --- cells -----------------------------------------------------------------------------------------------------------


def lstm(units: int, steps: int, bias: bool, read: bool) -> Parts:
    """A long short-term memory from zero; its last state, or numbers read from it."""
    shapes: Shapes = {"W": (4, units), "R": (4, units, units)} | ({"b": (4, units)} if bias else {})
    shapes |= {"U": (units,)} if read else {}

    def output(x: Any, W: Any, R: Any, b: Any = None, U: Any = None) -> Any:
        h = c = None
        for t in range(steps):
            z = [W[k] * x[t] + (R[k] @ h if h is not None else 0) + (b[k] if b is not None else 0) for k in range(4)]
            i, f, o = (functions.sigmoid(z[k]) for k in range(3))
            c = i * functions.tanh(z[3]) + (f * c if c is not None else 0)
            h = o * functions.tanh(c)
        return U @ h if U is not None else h

    return shapes, {"x": (steps,)}, output


def gru(units: int, steps: int, bias: bool, read: bool) -> Parts:
    """A gated recurrent unit from a state that is a probe."""
    shapes: Shapes = {"W": (3, units), "R": (3, units, units)} | ({"b": (3, units)} if bias else {})
    shapes |= {"U": (units,)} if read else {}

    def output(x: Any, h: Any, W: Any, R: Any, b: Any = None, U: Any = None) -> Any:
        for t in range(steps):
            z = [W[k] * x[t] + (b[k] if b is not None else 0) for k in range(3)]
            r, u = functions.sigmoid(z[0] + R[0] @ h), functions.sigmoid(z[1] + R[1] @ h)
            h = (1 - u) * functions.tanh(z[2] + r * (R[2] @ h)) + u * h
        return U @ h if U is not None else h

    return shapes, {"x": (steps,), "h": (units,)}, output


# --- expressions of scalars ------------------------------------------------------------------------------------------

RELATED = (
    "p * exp(u) + q * exp(2 * u) + r * exp(-u)", "p * exp(u) * exp(v) + q * exp(u + v)", "p * exp(u) + q * exp(u / 2)",
    "p * sigmoid(u) + q * sigmoid(-u)", "p * tanh(u) + q * sigmoid(2 * u)", "p * tanh(u) + q * tanh(-u) * v",
    "p * normal_cdf(u) + q * normal_cdf(-u)", "p * softplus(u) + q * softplus(-u)", "p * softplus(u) + q * sigmoid(u)",
    "p * rsqrt(1 + u * u) + q * rsqrt(4 + 4 * u * u)", "p * rsqrt(A) * rsqrt(B) + q * rsqrt(A * B)",
    "p * rsqrt(A * B) + q * rsqrt(A) + r * rsqrt(B)", "p * reciprocal(A) + q * rsqrt(A) * rsqrt(A)",
    "p * rsqrt(A * A) + q * reciprocal(A)", "p * rsqrt(u * u) + q * v", "p * u * rsqrt(u * u) + q * v",
    "p * rsqrt(x * x * A) + q * rsqrt(A)", "p * rsqrt(u * u) * u * v + q * v",
    "p * rsqrt(reciprocal(A)) + q * A * rsqrt(A)", "p * gelu(u) + q * gelu(-u)", "p * silu(u) + q * silu(-u)",
    "p * gelu(u) + q * u * normal_cdf(u)", "p * normal_cdf(u) + q * exp(-u * u / 2)",
    "p * exp(u) * normal_cdf(u) + q * exp(-u * u / 2) * u", "p * reciprocal(1 + exp(u)) + q * sigmoid(-u)",
    "p * tanh(u) * tanh(u) + q * sigmoid(2 * u) * sigmoid(2 * u)",
    "p * tanh(u) * tanh(u) + q * (sigmoid(2 * u) - sigmoid(2 * u) * sigmoid(2 * u))",
    "p * rsqrt(u * u + F(1, 100)) + q * u", "p * exp(softplus(u)) + q * exp(u) + r",
    "p * exp(softplus(u)) + q * exp(u)", "p * sigmoid(softplus(u)) + q * reciprocal(2 + exp(u)) + r",
    "p * tanh(softplus(u)) + q * reciprocal(2 + 2 * exp(u) + exp(2 * u)) + r",
    "p * softplus(softplus(u)) + q * softplus(u)", "p * exp(-softplus(u)) + q * sigmoid(-u)",
    "p * exp(softplus(u) - softplus(-u)) + q * exp(u)", "p * softplus(u) * u + q * softplus(-u) * u",
    "p * rsqrt(exp(u)) + q * exp(-u / 2)", "p * rsqrt(exp(2 * u)) + q * exp(-u)",
    "p * reciprocal(exp(u)) + q * exp(-u)", "p * exp(reciprocal(A)) + q * exp(-reciprocal(A))",
    "p * exp(rsqrt(A)) + q * exp(2 * rsqrt(4 * A))", "p * exp(exp(u / 2)) + q * exp(2 * exp(u / 2))",
    "p * tanh(tanh(u)) + q * sigmoid(2 * tanh(u))", "p * exp(one) * u + q * u",
    "p * exp(one) * exp(u) + q * exp(u + 1)", "p * rsqrt(2 * one) * u + q * u * v",
    "p * rsqrt(2 * one) * rsqrt(A) + q * rsqrt(2 * A)", "p * normal_cdf(one) * u + q * u",
    "p * normal_cdf(0 * one) + q * u", "p * normal_cdf(rsqrt(A)) + q * normal_cdf(-rsqrt(A))",
    "p * sigmoid(u - v) + q * exp(u) * reciprocal(exp(u) + exp(v))", "p * rsqrt(sigmoid(u)) + q * rsqrt(1 + exp(-u))",
    "p * rsqrt(a) * u + q * rsqrt(4 * a)", "p * rsqrt(a * a) * u + q * v", "p * rsqrt(a * a) + q * rsqrt(c * c)",
    "p * rsqrt(u) + q * rsqrt(2 * u)", "p * rsqrt(u) * rsqrt(v) + q * rsqrt(u * v)",
    "p * exp(u) * reciprocal(A) + q * exp(u) * rsqrt(A)", "p * rsqrt(A) + q * rsqrt(A + 1)",
    "p * exp(u * v) + q * exp(2 * u * v)", "p * rsqrt(1 + exp(u)) + q * rsqrt(exp(u) + exp(2 * u))",
    "p * rsqrt(1 + exp(2 * u) + 2 * exp(u)) + q * sigmoid(-u)",
    "p * rsqrt(1 - tanh(u) * tanh(u)) + q * (exp(u) + exp(-u))", "p * u + q * log1(u)",
    "p * softplus(0 * one) * u + q * v", "p * softplus(one) * u + q * softplus(-one) * u",
    "p * sigmoid(one) * u + q * v", "p * rsqrt(1 + 2 * u + u * u) + q * v * reciprocal(1 + u)",
    "p * rsqrt(p * p + q * q) * u + q * rsqrt(p * p + q * q) * v", "exp(p) * u + exp(q) * v",
    "exp(p + q) * u + exp(p) * v", "exp(p) * exp(u)", "p * exp(q) * exp(u) + v", "reciprocal(p) * u + v",
    "exp(p * u) + exp(-p * u)", "sigmoid(p) * u + sigmoid(-p) * v", "rsqrt(1 + p * p) * u + p * rsqrt(1 + p * p) * v",
    "normal_cdf(p) * u + normal_cdf(-p) * u + q * v", "softplus(p) * u - softplus(-p) * u + q * v",
    "tanh(p) * u + tanh(q) * v",
    "p * exp(softplus(u)) * reciprocal(exp(softplus(u)) + exp(softplus(v)))"
    " + q * (1 + exp(u)) * reciprocal(2 + exp(u) + exp(v))",
    "p * exp(softplus(u) * v) + q * exp(v)", "exp(p * softplus(u)) * q + r * exp(u)",
    "p * exp(softplus(u) / 2) + q * rsqrt(1 + exp(u)) * (1 + exp(u))",
    "p * normal_cdf(u) * softplus(u) + q * sigmoid(u)", "p * tanh(u) * rsqrt(A) + q * tanh(u)",
    "p * exp(normal_cdf(u)) + q * exp(-normal_cdf(-u))", "p * normal_cdf(softplus(u)) + q * softplus(u)",
    "p * exp(u) + q * exp(v) + r * exp(u + v)", "p * exp(relu(u) * v) + q", "p * relu(tanh(u)) + q * elu(v)",
    "p * elu(u) + q * (relu(u) + exp(-1 * relu(-1 * u)) - 1)",
    "p * tanh(relu(u)) + p * tanh(-1 * relu(-1 * u)) + q * tanh(u)",
    "p * log(A) + q * log(A * A)", "p * log(A) + q * log(B) + r * log(A * B)", "p * log(A) + q * log(reciprocal(A))",
    "p * log(A) + q * log(4 * A)", "p * log(A) + q * log(A)", "p * log(A) + q * log(B)", "p * log(exp(u)) + q * u",
    "p * log(A * exp(u)) + q * log(A) + r * u", "p * exp(log(A)) + q * u * u + r", "p * exp(2 * log(A)) + q * A * A",
    "p * exp(log(A) / 2) + q * rsqrt(A)", "p * exp(v * log(A)) + q * A", "exp(p * log(A)) + q * u",
    "p * log(1 + exp(u)) + q * softplus(u)", "p * log(2 + exp(u)) + q * softplus(u)", "p * log(u * u) + q * v",
    "p * (log(exp(u + x) + exp(v + x)) - log(exp(u) + exp(v))) + q * v", "p * log(exp(u) + exp(v)) + q * u",
    "p * (u - log(exp(u) + exp(v))) + q * (v - log(exp(u) + exp(v)))", "p * log(rsqrt(A)) + q * log(A)",
    "p * log(sigmoid(u)) + q * softplus(-u)", "p * log(1 + sigmoid(u)) + q * log(2 + exp(-u))", "log(A * p * p) * u",
    "p * log(3 + sin(u)) + q * log(3 + cos(u))", "p * log(1 + cos(u)) + q * log(cos(u / 2) * cos(u / 2))",
    "p * log(log(1 + A)) + q * log(1 + A)", "p * softplus(log(A)) + q * log(1 + A)", "p * normal_cdf(log(A)) + q * u",
    "p * tanh(log(A)) + q * reciprocal(A * A + 1)", "p * tanh(log(A) * v) + q * log(A)", "log(2 + p * p) * u + q",
    "log(A) * p + log(1 + relu(u) * relu(u)) * q", "p * exp(relu(log(A))) + q * A + r",
    "p * exp(relu(softplus(u))) + q * exp(u) + r",
    "p * sin(u) + q * cos(u)", "p * sin(u) + q * sin(-u)", "p * cos(u) + q * cos(-u)", "p * sin(u) + q * sin(u)",
    "p * (sin(2 * u) - 2 * sin(u) * cos(u)) + q * sin(u)", "p * sin(u) * sin(u) + q * cos(u) * cos(u) + r",
    "p * sin(u + v) + q * (sin(u) * cos(v) + cos(u) * sin(v))", "p * cos(u + v) + q * cos(u - v) + r * cos(u) * cos(v)",
    "p * sin(3 * u) + q * sin(u) + r * sin(u) * sin(u) * sin(u)", "p * cos(u / 2) * cos(u / 2) + q * cos(u) + r",
    "p * sin(u) * reciprocal(cos(u)) + q * sin(2 * u) * reciprocal(1 + cos(2 * u))",
    "p * sin(one) * u + q * cos(one) * v",
    "p * sin(u + 1) + q * (sin(u) * cos(one) + cos(u) * sin(one))", "p * sin(sin(u)) + q * sin(-sin(u))",
    "p * sin(v * sin(u)) + q * v", "p * exp(sin(u)) + q * exp(-sin(u))", "p * sin(exp(u)) + q * cos(exp(u))",
    "p * sin(log(A)) + q * cos(log(A))", "p * sin(log(A) + log(B)) + q * sin(log(A * B))", "sin(p) * u + cos(p) * v",
    "p * sin(2 * log(A)) + q * sin(log(A)) * cos(log(A))",
    "p * rsqrt(1 + sin(u) * sin(u)) + q * rsqrt(2 - cos(u) * cos(u))",
    "p * rsqrt(1 - sin(u) * sin(u)) + q * reciprocal(cos(u))", "p * rsqrt(2 + 2 * cos(u)) + q * reciprocal(cos(u / 2))",
    "p * exp(u) * sin(v) + q * exp(u) * cos(v)", "p * exp(u) * sin(u) + q * sin(u)", "p * sin(p) + q * cos(q)",
    "p * sin(normal_cdf(u)) + q * sin(1 - normal_cdf(-u))", "p * sin(rsqrt(A)) + q * sin(2 * rsqrt(4 * A))",
    "p * sin(relu(u)) + q * relu(sin(u))", "p * cos(tanh(u)) + q * cos(2 * sigmoid(2 * u) - 1)",
)  # fmt: skip
ARGUMENTS = {  # u, v
    "affine": ("a * x + b", "c * y + d"), "linear": ("a * x", "c * y"), "crossed": ("a * x + c * y", "c * x - a * y"),
    "shared": ("a * x + b", "a * y + b"), "bilinear": ("a * c * x", "a * c * y + b"),
}  # fmt: skip


def related(text: str, arguments: str) -> Parts:
    """An expression of u and v, maps of the probes; A = 1 + u^2, B = 2 + v^2."""
    u, v = ARGUMENTS[arguments]
    return expression(text.replace("A", "(1 + u * u)").replace("B", "(2 + v * v)"), u, v)


def expression(text: str, u: str = "0", v: str = "0") -> Parts:
    """An expression in parameters a, b, c, d, p, q, r, probes x, y, and two others that are given."""
    words = "".join(c if c.isalnum() else " " for c in f"{text} {u} {v}").split()
    parameters: Shapes = {name: () for name in "abcdpqr" if name in words}
    code, first, second = (compile(part, part, "eval") for part in (text, u, v))

    def output(x: Any, y: Any, **a: Any) -> Any:
        space: dict[str, Any] = {name: lambda z, name=name: applied(name, z) for name in (*FUNCTIONS, "relu", "elu")}
        space |= {"F": Fraction, "one": x.symbol(1), "x": x, "y": y, **a}
        space["log1"] = lambda z: space["softplus"](z) - space["softplus"](-z)  # the identity
        space |= {"u": eval(first, space), "v": eval(second, space)}
        return eval(code, space)

    return parameters, {"x": (), "y": ()}, output


def _tree(rng: random.Random, depth: int) -> str:
    """A random expression."""
    if depth == 0 or rng.random() < 0.1:
        return rng.choice(["a", "b", "c", "a", "b", "x", "y", "x", "a * x", "b * y", "c * x + d", "a + b * x"])
    if rng.random() < 0.55:
        name, inner = rng.choice(FUNCTIONS), _tree(rng, depth - 1)
        if name in SOMEWHERE:
            power = rng.choice(["{0} * {0}", "exp({0})", "1 + sigmoid({0})"])
            inner = f"{rng.choice(['1', '2', 'F(1, 100)'])} + {power.format(f'({inner})')}"
        return f"{name}({inner})"
    return f"({_tree(rng, depth - 1)}) {rng.choice('+-***')} ({_tree(rng, depth - 1)})"


# --- drawing ---------------------------------------------------------------------------------------------------------


def _call(rng: random.Random, kind: str) -> str:
    """A random call of a builder."""

    def flag() -> bool:
        return rng.random() < 0.5

    def name() -> str:
        return rng.choice(SMOOTH)

    eps = rng.choice(["Fraction(0)", "Fraction(1, 100)"])
    if kind == "mlp":
        layers = rng.choice([1, 1, 2, 2, 3])
        sizes = [rng.randint(1, 3) for _ in range(layers + 2)]
        names = [rng.choice([*SMOOTH, *SOMEWHERE]) for _ in range(layers)]
        return f"mlp({sizes}, {names}, {[flag() for _ in range(layers + 1)]})"
    sizes = [rng.randint(1, 3), rng.randint(1, 3), rng.randint(1, 2)]
    if kind == "normed":
        which = rng.choice(["layer", "layer", "rms", "rms", "normalize", "batch", "group"])
        sizes[1] = {"group": rng.choice([4, 6]), "layer": rng.choice([2, 3, 3, 4])}.get(which, rng.randint(2, 3))
        batch = rng.randint(3, 4) if which == "batch" else rng.choice([1, 1, 2])
        f = repr(name()) if flag() else None
        return f"normed({which!r}, {sizes}, {eps}, {flag()}, {flag()}, {flag()}, {f}, {batch})"
    if kind == "weight_norm":
        return f"weight_norm({[rng.randint(2, 3), *sizes[1:]]}, {name()!r}, {flag()})"
    if kind == "cosine":
        keys = rng.choice(["parameter", "other", "same"])
        return f"cosine({rng.randint(1, 3)}, {rng.randint(2, 3)}, {keys!r}, {repr(name()) if flag() else None})"
    if kind == "division":
        return f"division({sizes}, {rng.choice(['itself', 'square', 'weights'])!r}, {name()!r})"
    if kind == "experts":
        return f"experts({sizes[:2]}, {flag()}, {[name() for _ in range(rng.randint(2, 3))]}, {rng.random() < 0.3})"
    if kind == "attention":
        heads, size, width = rng.choice([1, 1, 2]), rng.randint(1, 2), rng.choice([1, 2, 2, 3])
        biases = rng.choice(["", "", "QKV", "Q", "K", "V", "QK"])
        causal, scale = rng.choice(["none", "none", "prefix", "mask"]), rng.choice(["none", "none", "half", "root"])
        before = rng.choice([None, None, "'rms'", "'layer'"])
        sizes = [rng.randint(2, 3), width, heads, size]
        return f"attention(*{sizes}, {biases!r}, {causal!r}, {scale!r}, {flag()}, {before}, {flag()})"
    if kind == "block":
        which, width = rng.choice(["layer", "rms", "normalize"]), rng.randint(2, 3)
        return f"block({width}, {rng.randint(1, 3)}, {which!r}, {eps}, {name()!r}, {flag()}, {flag()}, {flag()})"
    if kind in ("lstm", "gru"):
        return f"{kind}({rng.randint(1, 2)}, {rng.randint(1, 2)}, {flag()}, {flag()})"
    if kind == "related":
        return f"related({rng.choice(RELATED)!r}, {rng.choice(list(ARGUMENTS))!r})"
    return f"expression({_tree(rng, rng.randint(2, 4))!r})"


KINDS = {
    "mlp": 6, "normed": 5, "attention": 5, "related": 8, "expression": 6, "experts": 2, "block": 3, "lstm": 1, "gru": 1,
    "weight_norm": 2, "cosine": 2, "division": 2,
}  # fmt: skip
BUILDERS = {
    build.__name__: build
    for build in (mlp, normed, attention, related, expression, experts, block, lstm, gru, weight_norm, cosine, division)
}


def make(text: str, loss: str = "full") -> Network:
    """The network of a call."""
    return Network(text, *eval(text, {"Fraction": Fraction, **BUILDERS}), loss)


def random_networks(seed: int, count: int) -> Iterator[Network]:
    """Networks of every kind that depend on some parameter through a function."""
    rng, made = random.Random(seed), 0
    while made < count:
        (kind,) = rng.choices(list(KINDS), list(KINDS.values()))
        network = make(_call(rng, kind))
        if not LEAST <= network.dimension <= MOST:
            continue
        program = network.model().program
        if not program.functions:
            continue
        if program.shape and program.shape[-1] > 1 and rng.random() < 0.3:
            network = Network(network.text, network.parameters, network.probes, network.output, "cross_entropy")
        made += 1
        yield network


def all_related() -> Iterator[Network]:
    """Every related expression with every pair of arguments."""
    for text in RELATED:
        for arguments in ARGUMENTS:
            yield make(f"related({text!r}, {arguments!r})")
