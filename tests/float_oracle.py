"""Ranks of the fields and brackets of a recorded model, in PyTorch with float64: the functions are the true ones.

Only the nodes of the program are read; what each operation and function means is said here once more. A rank is
decided by a gap of the singular values, at two points or more; where rounding leaves doubt it is None.
"""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import torch
from program_oracle import POINTS, SMALL, bracket_terms, entries, gradient, sliced
from torch.func import vmap

import clexact

GAP = 1e4  # between the singular values that count and those that do not, all relative to the largest
SIGNAL = 1e-7  # what is larger counts
CLEAR = 1e-5  # what is smaller may be one of many that become smaller and smaller
NOISE = 1e-9  # what does not count is smaller
ROUNDING = 1e-15  # of a singular value: smaller ones say nothing
SPREADS = (1.0, 2.0, 0.6, 3.0, 1.5, 0.8)  # of the probes, one for each point
AGREEING = 2  # points that a rank needs
DRAWS = 20  # of points, and of inputs, until the network is defined there


def softplus(z):
    """log(1 + e^z), as exact for large z as for small."""
    return z.clamp(min=0) + torch.log1p(torch.exp(-z.abs()))


def normal_cdf(z):
    """The distribution function of the standard normal law."""
    return torch.special.erfc(-z / 2**0.5) / 2


FUNCTIONS = {
    "exp": torch.exp, "reciprocal": torch.reciprocal, "rsqrt": torch.rsqrt, "sigmoid": torch.sigmoid,
    "tanh": torch.tanh, "normal_cdf": normal_cdf, "softplus": softplus, "log": torch.log, "sin": torch.sin,
    "cos": torch.cos,
    "silu": lambda z: z * torch.sigmoid(z), "gelu": lambda z: z * normal_cdf(z),
}  # fmt: skip


def _selected(x, along):
    """Entries at places along each axis, an array of them; the axes of the arrays replace the axis."""
    for axis, index in enumerate(along):
        x = x.index_select(axis, torch.as_tensor(index.ravel()))
    return x.reshape([size for index in along for size in index.shape])


def _softmax(x, axis):
    e = torch.exp(x)
    return e / e.sum(axis, keepdim=True)


OPERATIONS = {
    "add": lambda node, a, b: a + b,
    "multiply": lambda node, a, b: a * b,
    "matmul": lambda node, a, b: a @ b,
    "transpose": lambda node, a: a.permute(node.data),
    "reshape": lambda node, a: a.reshape(node.shape),
    "take": lambda node, a: a.reshape(-1)[torch.as_tensor(node.data.ravel())].reshape(node.shape),
    "select": lambda node, a: _selected(a, node.data.along),
    "concatenate": lambda node, *parts: torch.cat(parts, node.data),
    "sum": lambda node, a: a.sum(node.data),
    "function": lambda node, a: FUNCTIONS[node.data](a),
    "softmax": lambda node, a: _softmax(a, node.data),
}


def _tensor(constant):
    """An exact constant, rounded."""
    return torch.tensor([float(c) for c in constant.ravel()], dtype=torch.float64).reshape(constant.shape)


def _opened(gate, values):
    """The gates, or the choice of the largest, at the values of the nodes before."""
    z = values[gate.source]
    if gate.axis is None:
        return torch.where(z > 0, 1.0, float(gate.slope)).double()
    return (z == z.amax(gate.axis, keepdim=True)).double()


class FloatModel:
    """The output of a recorded model at tensors, and its fields; gates are probes like the others, or the true ones."""

    def __init__(self, model: clexact.Model, loss: str = "full", true_gates: bool = False):
        self.program, self.parameters, self.probes, self.loss = model.program, model.parameters, model.probes, loss
        self.variables = [entry for name, shape in self.parameters.items() for entry in entries(name, shape)]
        self.dimension = len(self.variables)
        self.inputs = sum(map(prod, self.probes.values()))
        self.gates = {gate.probe: gate for gate in self.program.gates} if true_gates else {}
        self.constants = {n: _tensor(node.data) for n, node in enumerate(self.program.nodes) if node.op == "constant"}

    def output(self, theta, xi):
        """The output at flat parameters and flat probes."""
        leaves = dict(zip(self.parameters, sliced(theta, self.parameters.values()), strict=True))
        leaves |= zip(self.probes, sliced(xi, self.probes.values()), strict=True)
        return self.value(leaves)

    def value(self, leaves):
        """The output at a tensor for each leaf."""
        values = []
        for n, node in enumerate(self.program.nodes):
            if node.op == "probe" and node.data in self.gates:
                found = _opened(self.gates[node.data], values)
            elif node.op in ("parameter", "probe"):
                found = leaves[node.data]
            elif node.op == "constant":
                found = self.constants[n]
            else:
                found = OPERATIONS[node.op](node, *(values[i] for i in node.inputs))
            assert tuple(found.shape) == node.shape, f"{node.op}: {tuple(found.shape)}, not {node.shape}"
            values.append(found)
        return values[self.program.output]

    def member(self, seed, theta):
        """The gradient of <C, output> by theta; the seed is the probes and C."""
        return gradient(lambda t: self.output(t, seed[: self.inputs]), seed[self.inputs :], theta)

    def seeds(self, draws, theta, many, spread):
        """Random probes and covectors of the loss, at which the member is defined; fewer where that is rare."""
        found = torch.zeros((0, self.inputs + prod(self.program.shape)), dtype=torch.float64)
        for _ in range(DRAWS):
            drawn = self._drawn(draws, max(many, 16), spread)
            defined = vmap(lambda seed: self.member(seed, theta))(drawn).isfinite().all(dim=1)
            found = torch.cat([found, drawn[defined]])
            if len(found) >= many:
                break
        return found[:many]

    def _drawn(self, draws, many, spread):
        covectors = draws.normal(size=(many, *self.program.shape))
        if self.loss == "cross_entropy":
            covectors -= covectors.mean(axis=-1, keepdims=True)
        probes = spread * draws.normal(size=(many, self.inputs))
        return torch.tensor(np.concatenate([probes, covectors.reshape(many, -1)], axis=1))

    @cached_property
    def samples(self):
        """Twice some points, and the value of a member at each."""
        draws, found = np.random.default_rng(0), []
        for _ in range(2):
            points = torch.stack([self.point(draws, 1.0) for _ in range(POINTS)])
            seeds = torch.cat([self.seeds(draws, point, 1, 1.0) for point in points])
            found.append((points.numpy(), vmap(self.member)(seeds, points).numpy()))
        return found

    def points(self, many):
        """Random points."""
        return torch.stack([self.point(np.random.default_rng(seed), 1.0) for seed in range(many)])

    def point(self, draws, spread):
        """A random point at which the output is defined for some probes."""
        for _ in range(DRAWS):
            signs = draws.choice([-1, 1], size=self.dimension)
            theta = torch.tensor(signs * draws.uniform(0.4, 1.6, size=self.dimension))
            if len(self.seeds(draws, theta, 4, spread)) == 4:
                return theta
        raise ValueError("the network is not defined at random points.")

    def brackets(self, draws, theta, depth, many, spread):
        """Values at a point of random nested brackets [X_0, [X_1, ...]].

        Each over the sizes of all X, or over that of its two terms, where this is more: what cancels stays rounding.
        """
        seeds = [self.seeds(draws, theta, many, spread) for _ in range(depth + 1)]
        seeds = [each[: min(map(len, seeds))] for each in seeds]
        terms = bracket_terms(self.member, seeds, theta)
        members = [vmap(self.member, (0, None))(each, theta).norm(dim=1, keepdim=True) for each in seeds]
        least = torch.stack(members).clamp(min=SMALL).prod(dim=0)
        return (sum(terms) / torch.maximum(least, sum(term.norm(dim=1, keepdim=True) for term in terms))).numpy()


@dataclass(frozen=True)
class FloatRank:
    """Dimensions of W_0, W_1, ...: None where floats leave doubt. ``gap`` is the least one, 1 where there is doubt."""

    ranks: tuple[int | None, ...]
    gap: float


def spectrum(rows):
    """Singular values of the rows, columns scaled, over the largest; as many as columns."""
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows):
        return np.ones(0)
    values = np.linalg.svd(rows / np.maximum(np.sqrt((rows**2).mean(axis=0)), 1e-3), compute_uv=False)
    return np.maximum(values / max(values[0], 1.0), ROUNDING)


def decided(spectra, columns):
    """(rank, gap): the largest rank that is sure at some point, if the spectrum ends there at points enough."""
    rank = max((values > SIGNAL).sum() for values in spectra)
    gaps = sorted(_gap(values, rank) for values in spectra if len(values) == columns)
    found = [gap for gap in gaps if gap >= GAP]
    return (int(rank), float(found[0])) if len(found) >= AGREEING else (None, 1.0)


def _gap(values, rank):
    """How far the values fall from the last that counts to the first that does not; 1 if they fall slowly before."""
    last, first = ([1.0, *values, ROUNDING][k] for k in (rank, rank + 1))
    if rank == len(values):
        return last / ROUNDING if last > SIGNAL else 1.0
    return last / first if last > CLEAR and first < NOISE else 1.0


def float_rank(
    model: clexact.Model, loss: str = "full", depth: int = 2, seed: int = 0, true_gates: bool = False
) -> FloatRank:
    """Ranks of W_0, ..., W_depth at random points, each decided by points that agree."""
    network, draws = FloatModel(model, loss, true_gates), np.random.default_rng(seed)
    D, spectra, found = network.dimension, [[] for _ in range(depth + 1)], []
    for spread in SPREADS:
        theta, rows = network.point(draws, spread), np.zeros((0, D))
        for d, seen in enumerate(spectra):
            rows = np.concatenate([rows, network.brackets(draws, theta, d, 2 * D + 8, spread)])
            seen.append(spectrum(rows))
        found = [decided(seen, D) for seen in spectra]
        if all(rank is not None for rank, _ in found):
            break
    return FloatRank(tuple(rank for rank, _ in found), min(gap for rank, gap in found))
