"""Small random piecewise networks and starts: the same lines of text run on symbols of a model and on tensors.

``make(kind, seed)`` makes one again.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

import clexact

KINDS = (
    "mlp", "mlp", "mlp", "absolute", "maximum", "max_pool", "residual", "convolution", "tied", "permuted",
    "linear_below",
    "two_gates", "gated_parameter",
)  # fmt: skip
FUNCTIONS = ("tanh", "sigmoid", "softplus", "gelu", "sin")
STARTS = (
    "random", "random", "integers", "equal_rows", "opposite_rows", "zeros", "dead", "positive", "small_integers",
    "no_bias",
)  # fmt: skip
SMOOTH = ("smooth", "smooth", "softmax", "gates_below", "gates_above")
ROOTED = ("normed", "normed", "log_softmax", "normed_gates", "gates_normed", "logarithm")  # roots or logarithms
NORMS = ("rms", "mean_square", "layer_norm", "normalised")
Shapes = dict[str, tuple[int, ...]]


class Symbols:
    """The operations on symbols of a model."""

    relu = staticmethod(clexact.functions.relu)
    absolute = staticmethod(clexact.functions.absolute)
    maximum = staticmethod(clexact.functions.maximum)
    cat = staticmethod(clexact.concatenate)

    @staticmethod
    def apply(name, z):
        """A function of the entries, by its name; softmax along the last axis."""
        f = clexact.functions
        match name:
            case "rms":
                return z * f.rsqrt((z * z).sum() / z.shape[0] + Fraction(1, 8))
            case "mean_square":
                return z * f.rsqrt((z * z).sum() / z.shape[0])
            case "layer_norm":
                return f.layer_norm(z, eps=Fraction(1, 100))
            case "normalised":
                return z * f.rsqrt((z * z).sum() + 3)
            case "log1p_square":
                return f.log1p(z * z)
        return getattr(f, name)(z)


@dataclass(frozen=True)
class Net:
    """A network: ``output(ops, x, **parameters)`` for an input of one axis."""

    text: str
    parameters: Shapes
    inputs: int
    output: Callable[..., Any]
    loss: str = "full"

    @property
    def functions(self) -> bool:
        """Whether it has functions that are not piecewise linear."""
        return "make('" in self.text and self.text.split("'")[1] in (*SMOOTH, *ROOTED)

    @property
    def dimension(self) -> int:
        """D."""
        return sum(map(prod, self.parameters.values()))

    def model(self) -> clexact.Model:
        """The model under test."""
        return clexact.Model(self.parameters, {"x": (self.inputs,)}, lambda x, **p: self.output(Symbols, x, **p))


def make(kind: str, seed: int) -> Net:
    """The network of a kind and a seed."""
    rng = random.Random(f"{kind} {seed}")
    shapes, inputs, output = globals()[f"_{kind}"](rng)
    outputs = 2 if kind in ("mlp", "absolute") and shapes["U0"][0] > 1 else 1
    return Net(
        f"make({kind!r}, {seed})",
        shapes,
        inputs,
        output,
        rng.choice(["full", "full", "cross_entropy"][: 3 if outputs > 1 else 2]),
    )


def _slope(rng):
    return rng.choice([0, 0, 0, Fraction(1, 2), -1, Fraction(-1, 3)])


def _widths(rng, most=3):
    inputs, hidden = rng.choice([1, 1, 2, 2, 3]), rng.choice([1, 1, 2, 2, 3])
    wide = [rng.randint(1, {1: 4, 2: 3, 3: 2}[hidden]) for _ in range(min(hidden, most))]
    return [rng.randint(1, 2), *wide, inputs]


def _layers(widths, bias, output_bias=False):
    shapes = {f"U{k}": (widths[k], widths[k + 1]) for k in range(len(widths) - 1)}
    shapes |= {f"b{k}": (widths[k],) for k in range(0 if output_bias else 1, len(widths) - 1) if bias}
    return shapes


def _affine(p, k, x):
    z = p[f"U{k}"] @ x
    return z + p[f"b{k}"] if f"b{k}" in p else z


def _mlp(rng):
    widths, slope = _widths(rng), _slope(rng)

    def output(ops, x, **p):
        for k in reversed(range(1, len(widths) - 1)):
            x = ops.relu(_affine(p, k, x), slope)
        return _affine(p, 0, x)

    return _layers(widths, rng.random() < 0.6, rng.random() < 0.2), widths[-1], output


def _absolute(rng):
    widths = _widths(rng, 2)

    def output(ops, x, **p):
        for k in reversed(range(1, len(widths) - 1)):
            x = ops.absolute(_affine(p, k, x))
        return _affine(p, 0, x)

    return _layers(widths, rng.random() < 0.5), widths[-1], output


def _maximum(rng):
    inputs, units, pieces, bias = rng.randint(1, 3), rng.randint(1, 3), rng.randint(2, 3), rng.random() < 0.5
    shapes = {"U": (1, units), "V": (units * pieces, inputs)} | ({"b": (units * pieces,)} if bias else {})

    def output(ops, x, **p):
        z = p["V"] @ x
        z = (z + p["b"] if bias else z).reshape(units, pieces)
        return p["U"] @ ops.maximum(z, -1)

    return shapes, inputs, output


def _max_pool(rng):
    channels, size, relu = rng.randint(1, 2), rng.randint(1, 2), rng.random() < 0.5
    inputs = size + 3
    shapes = {"a": (channels, 2), "K": (channels, size)}

    def output(ops, x, **p):
        rows = [(p["K"] * x[i : i + size]).sum(-1).reshape(channels, 1) for i in range(4)]
        z = ops.cat(rows, 1)
        z = ops.relu(z) if relu else z
        return (p["a"] * ops.maximum(z.reshape(channels, 2, 2), -1)).sum().reshape(1)

    return shapes, inputs, output


def _residual(rng):
    width, bias, slope = rng.randint(1, 3), rng.random() < 0.5, _slope(rng)
    hidden, linear = rng.randint(1, 2), rng.random() < 0.5
    shapes = {"V": (width, hidden), "W": (hidden, width)} | ({"b": (hidden,)} if bias else {})
    shapes |= {"A": (1, width)} if linear else {}

    def output(ops, x, **p):
        z = p["W"] @ x
        x = x + p["V"] @ ops.relu(z + p["b"] if bias else z, slope)
        return p["A"] @ x if linear else x

    return shapes, width, output


def _convolution(rng):
    channels, size, bias = rng.randint(1, 3), rng.randint(1, 2), rng.random() < 0.5
    places = rng.randint(2, 3)
    inputs = size + places - 1
    shapes = {"a": (channels,), "K": (channels, size)} | ({"b": (channels,)} if bias else {})

    def output(ops, x, **p):
        rows = [(p["K"] * x[i : i + size]).sum(-1) for i in range(places)]
        z = ops.cat([(row + p["b"] if bias else row).reshape(1, channels) for row in rows], 0)
        return ops.relu(z) @ p["a"]

    return shapes, inputs, output


def _tied(rng):
    width, bias = rng.randint(1, 3), rng.random() < 0.5
    depth = rng.randint(1, 2)
    shapes = {"W": (width, width), "a": (1, width)} | ({"b": (width,)} if bias else {})

    def output(ops, x, **p):
        for _ in range(depth):
            z = p["W"] @ x
            x = ops.relu(z + p["b"] if bias else z)
        return p["a"] @ x

    return shapes, width, output


def _permuted(rng):
    inputs, units, bias = rng.randint(1, 2), rng.randint(2, 4), rng.random() < 0.4
    order = rng.sample(range(units), units)
    shapes = {"U": (rng.randint(1, 2), units), "V": (units, inputs)} | ({"b": (units,)} if bias else {})
    late = rng.random() < 0.5

    def output(ops, x, **p):
        z = p["V"] @ x
        z = z + p["b"] if bias else z
        return p["U"] @ (ops.relu(z)[order] if late else ops.relu(z[order]))

    return shapes, inputs, output


def _linear_below(rng):
    inputs, units, bias = rng.randint(1, 2), rng.randint(1, 3), rng.random() < 0.4
    middle, above = rng.randint(1, 2), rng.random() < 0.5
    shapes = {"V": (units, middle), "W": (middle, inputs)} | ({"b": (units,)} if bias else {})
    shapes |= {"A": (1, 2), "U": (2, units)} if above else {"U": (1, units)}

    def output(ops, x, **p):
        z = p["V"] @ (p["W"] @ x)
        y = p["U"] @ ops.relu(z + p["b"] if bias else z)
        return p["A"] @ y if above else y

    return shapes, inputs, output


def _two_gates(rng):
    inputs, units = rng.randint(1, 2), rng.randint(1, 3)
    shapes = {"U": (1, units), "T": (1, units), "V": (units, inputs), "b": (units,)}
    shift = rng.random() < 0.5

    def output(ops, x, **p):
        z = p["V"] @ x
        return p["U"] @ ops.relu(z) + p["T"] @ (ops.relu(z + p["b"]) if shift else ops.absolute(z) * p["b"])

    return shapes, inputs, output


def _gated_parameter(rng):
    inputs, units = rng.randint(1, 2), rng.randint(1, 3)
    shapes = {"U": (1, units), "V": (units, inputs), "c": (units,), "b": (units,)}

    def output(ops, x, **p):
        return p["U"] @ ops.relu(p["V"] @ x) + (p["c"] * ops.relu(p["b"])).sum().reshape(1)

    return shapes, inputs, output


def _smooth(rng):
    inputs, units, bias, name = rng.randint(1, 3), rng.randint(1, 3), rng.random() < 0.5, rng.choice(FUNCTIONS)
    middle = rng.choice([0, 0, 1, 2])
    shapes = {"U": (rng.randint(1, 2), middle or units), "V": (units, inputs)} | ({"b": (units,)} if bias else {})
    shapes |= {"T": (middle, units)} if middle else {}

    def output(ops, x, **p):
        z = p["V"] @ x
        y = ops.apply(name, z + p["b"] if bias else z)
        return p["U"] @ (ops.apply(name, p["T"] @ y) if middle else y)

    return shapes, inputs, output


def _softmax(rng):
    inputs, units = rng.randint(1, 3), rng.randint(2, 3)
    shapes = {"U": (1, units), "V": (units, inputs)}
    return shapes, inputs, lambda ops, x, U, V: U @ ops.apply("softmax", V @ x)


def _gates_below(rng):
    inputs, units, middle, name = rng.randint(1, 2), rng.randint(1, 2), rng.randint(1, 2), rng.choice(FUNCTIONS)
    shapes = {"U": (1, middle), "T": (middle, units), "V": (units, inputs)}
    return shapes, inputs, lambda ops, x, U, T, V: U @ ops.apply(name, T @ ops.relu(V @ x))


def _gates_above(rng):
    inputs, units, middle, name = rng.randint(1, 2), rng.randint(1, 2), rng.randint(1, 2), rng.choice(FUNCTIONS)
    shapes = {"U": (1, middle), "T": (middle, units), "V": (units, inputs)}
    return shapes, inputs, lambda ops, x, U, T, V: U @ ops.relu(T @ ops.apply(name, V @ x))


def _normed(rng):
    inputs, units, bias, name = rng.randint(1, 3), rng.randint(1, 3), rng.random() < 0.5, rng.choice(NORMS)
    units = max(units, 3 if name == "layer_norm" else 2)  # z / |z| does not move, nor layer_norm of two but for eps
    above = rng.choice(["", "", "tanh", "softplus", name])
    shapes = {"U": (rng.randint(1, 2), units), "V": (units, inputs)} | ({"b": (units,)} if bias else {})
    shapes |= {"T": (units, units)} if above else {}

    def output(ops, x, **p):
        z = p["V"] @ x
        y = ops.apply(name, z + p["b"] if bias else z)
        return p["U"] @ (ops.apply(above, p["T"] @ y) if above else y)

    return shapes, inputs, output


def _log_softmax(rng):
    inputs, units, below = rng.randint(1, 3), rng.randint(2, 3), rng.random() < 0.6
    shapes = {"V": (units, inputs)} | ({"T": (units, units)} if below else {})

    def output(ops, x, **p):
        z = p["V"] @ x
        return ops.apply("log_softmax", p["T"] @ ops.apply("tanh", z) if below else z)

    return shapes, inputs, output


def _logarithm(rng):
    inputs, units, name = rng.randint(1, 2), rng.randint(1, 2), rng.choice(["log1p_square", "softplus"])
    shapes = {"U": (1, units), "T": (units, units), "V": (units, inputs)}
    return shapes, inputs, lambda ops, x, U, T, V: U @ ops.apply(name, T @ ops.apply("log1p_square", V @ x))


def _normed_gates(rng):
    inputs, units, name = rng.randint(1, 2), rng.randint(2, 3), rng.choice(("rms", "normalised"))
    shapes = {"U": (1, units), "V": (units, inputs)}
    return shapes, inputs, lambda ops, x, U, V: U @ ops.relu(ops.apply(name, V @ x))


def _gates_normed(rng):
    inputs, units, name = rng.randint(1, 2), rng.randint(2, 3), rng.choice(("rms", "normalised"))
    shapes = {"U": (1, units), "V": (units, inputs)}
    return shapes, inputs, lambda ops, x, U, V: U @ ops.apply(name, ops.relu(V @ x))


def start(net: Net, kind: str, seed: int) -> list[Fraction]:
    """A start of a kind."""
    rng = random.Random(f"{net.text} {kind} {seed}")
    parts = []
    for name, shape in net.parameters.items():
        parts += _part(rng, kind, name, shape)
    return [Fraction(c) for c in parts]


def _part(rng, kind, name, shape):
    size = prod(shape)
    vector = len(shape) == 1
    match kind:
        case "random":
            return [Fraction(rng.randint(-(10**6), 10**6), 10**6) for _ in range(size)]
        case "integers":
            return [rng.choice([-3, -2, -1, 1, 2, 3]) for _ in range(size)]
        case "small_integers":
            return [rng.choice([-1, 0, 1, 1]) for _ in range(size)]
        case "positive":
            return [rng.randint(1, 4) for _ in range(size)]
        case "no_bias":
            return [0 if vector and name.startswith("b") else rng.choice([-2, -1, 1, 2]) for _ in range(size)]
        case "zeros":
            return [rng.choice([-2, 1, 3]) if rng.random() < 0.6 else 0 for _ in range(size)]
    values = np.array([rng.choice([-3, -2, -1, 1, 2, 3]) for _ in range(size)], dtype=object).reshape(shape)
    if vector:
        values = np.full(shape, values.ravel()[0], dtype=object) if kind != "dead" else values
    elif kind == "equal_rows":
        values = np.broadcast_to(values[:1], shape)
    elif kind == "opposite_rows":
        values = np.stack([values[0] * (-1) ** i for i in range(shape[0])])
    elif kind == "dead":
        values[rng.randrange(shape[0])] = 0
    return list(values.ravel())
