"""What is true of a random program, from its text alone: its function in PyTorch, and the fields of its flow.

Nothing here comes from the package: the text is run on ``Traced`` values, and gradients and brackets are PyTorch's.
Analytic functions are the true ones. A relu of slope s is (s + (1 - s) g) z, its gate g a free number; equal sources
(as expressions, where sums and products commute, and up to a constant factor) have one gate, whatever the slope. A
maximum over entries z_1, ..., z_n is z_n + sum of c_i (z_i - z_n), the c_i free, shared likewise.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod

import numpy as np
import torch
from torch.func import grad, jvp, vmap

READINGS = ("shared", "separate", "binary")  # of gates, see ``Oracle``
CLOCKS = {"none": "t", "heavy-ball": "s", "nesterov": "t"}
POINTS = 8  # of a sample
SMALL = 1e-4  # of a field of size 1 about: what is much smaller may be rounding
torch.set_num_threads(1)


class Names:
    """Numbers of expressions: equal ones have equal numbers, whatever variables they were kept in."""

    def __init__(self):
        self._numbers = {}

    def of(self, *expression):
        """The number of an operation on numbered expressions."""
        if expression[0] in ("add", "multiply"):
            expression = (expression[0], *sorted(expression[1:]))
        return self._numbers.setdefault(expression, len(self._numbers))


@dataclass(frozen=True)
class Gate:
    """A choice: of a relu, or of the largest entry along an axis; whether its source depends on the probes."""

    axis: int | None
    shape: tuple[int, ...]
    varies: bool


class Run:
    """One evaluation: the leaves, and the gates that are met, in order."""

    def __init__(self, names, reading, gates=None):
        self.names, self.reading, self.given, self.met = names, reading, gates, {}

    def gate(self, z, axis=None):
        """The free numbers of a choice made at z: those of the same choice, if it was met before."""
        source = (z.source, axis is not None and z.factor < 0)  # for a maximum the other order is another choice
        key = (self.names.of("choice", *source, axis), len(self.met) if self.reading == "separate" else 0)
        self.met.setdefault(key, Gate(axis, z.shape, z.varies))
        place = list(self.met).index(key)
        value = torch.zeros(z.shape, dtype=torch.float64) if self.given is None else self.given[place]
        return Traced(value, self.names.of("gate", *key), self, z.varies)

    def constant(self, value):
        """An exact constant."""
        array = np.array(value, dtype=object)
        exact = tuple(Fraction(c) for c in array.ravel().tolist())
        data = torch.tensor([float(c) for c in exact], dtype=torch.float64).reshape(array.shape)
        made = Traced(data, self.names.of("constant", array.shape, exact), self, False)
        made.number = exact[0] if len(set(exact)) == 1 else None
        return made


class Traced:
    """A tensor, the number of the expression that it is the value of, and whether that depends on the probes.

    It is ``factor`` times the expression ``source``. ``number`` is what all entries of a constant are, if they agree.
    """

    __array_ufunc__ = None  # NumPy arrays on the left ask us

    def __init__(self, data, key, run, varies):
        self.data, self.key, self.run, self.varies = data, key, run, varies
        self.source, self.factor, self.number = key, Fraction(1), None

    def made(self, data, word, *details, others=()):
        """The value of an operation on this and others."""
        operands = (self, *others)
        key = self.run.names.of(word, *(x.key for x in operands), *details)
        return Traced(data, key, self.run, any(x.varies for x in operands))

    def _other(self, value):
        return value if isinstance(value, Traced) else self.run.constant(value)

    def _widened(self, ndim):
        return self.reshape((1,) * (ndim - self.data.ndim) + tuple(self.data.shape))

    def _pointwise(self, op, word, other):
        ndim = max(self.data.ndim, other.data.ndim)
        a, b = self._widened(ndim), other._widened(ndim)
        return a.made(op(a.data, b.data), word, others=[b])

    @property
    def shape(self):
        return tuple(self.data.shape)

    @property
    def T(self):  # noqa: N802
        return self.transpose()

    def __len__(self):
        return self.data.shape[0]

    def __add__(self, other):
        return self._pointwise(torch.add, "add", self._other(other))

    def __radd__(self, other):
        return self._other(other) + self

    def __mul__(self, other):
        other = self._other(other)
        made = self._pointwise(torch.mul, "multiply", other)
        for c, z in ((self, other), (other, self)):
            if c.number and z.shape == made.shape:
                made.source, made.factor = z.source, c.number * z.factor
        return made

    def __rmul__(self, other):
        return self._other(other) * self

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + self._other(other) * -1

    def __rsub__(self, other):
        return -self + other

    def __truediv__(self, other):
        return self * (1 / Fraction(other))

    def __pow__(self, k):
        if k == 0:
            return self.run.constant(np.ones(self.shape, dtype=int))
        out = self
        for _ in range(k - 1):
            out = out * self
        return out

    def __matmul__(self, other):
        other = self._other(other)
        return self.made(torch.matmul(self.data, other.data), "matmul", others=[other])

    def __rmatmul__(self, other):
        return self._other(other) @ self

    def transpose(self, *axes):
        axes = axes or tuple(range(self.data.ndim))[::-1]
        return self.made(self.data.permute(axes), "transpose", tuple(a % self.data.ndim for a in axes))

    def reshape(self, *shape):
        shape = shape[0] if isinstance(shape[0], tuple) else shape
        data = self.data.reshape(shape)
        return self if data.shape == self.data.shape else self.made(data, "reshape", tuple(data.shape))

    def __getitem__(self, key):
        places = np.arange(prod(self.shape)).reshape(self.shape)[key]
        flat = torch.as_tensor(np.array(places).ravel())
        data = self.data.reshape(-1)[flat].reshape(places.shape)
        return self.made(data, "take", places.shape, tuple(places.ravel().tolist()))

    def sum(self, axis=None):
        if axis is None:
            return self.reshape((prod(self.shape),)).sum(0)
        return self.made(self.data.sum(axis), "sum", axis % self.data.ndim)


def _entrywise(word, function):
    return lambda z: z.made(function(z.data), word)


def _softmax(z, axis=-1):
    if z.shape[axis] == 1:
        return z.run.constant(np.ones(z.shape, dtype=int))
    e = torch.exp(z.data)
    return z.made(e / e.sum(axis, keepdim=True), "softmax", axis % z.data.ndim)


def _relu(z, slope=0):
    gate, slope = z.run.gate(z), Fraction(slope)
    if z.factor < 0:
        gate = 1 - gate
    return (gate if slope == 0 else slope + (1 - slope) * gate) * z


def _maximum(z, axis=-1):
    axis, n = axis % z.data.ndim, z.shape[axis]
    before = (slice(None),) * axis
    last = z[(*before, n - 1)]
    if n == 1:
        return last
    gate, out = z.run.gate(z, axis), last
    for i in range(n - 1):
        out = out + gate[(*before, i)] * (z[(*before, i)] - last)
    return out


def _concatenate(parts, axis=0):
    one = next(p for p in parts if isinstance(p, Traced))
    parts = [one._other(p) for p in parts]
    data = torch.cat([p.data for p in parts], axis)
    return parts[0].made(data, "concatenate", axis % data.ndim, others=parts[1:])


OPERATIONS = {
    "relu": _relu, "maximum": _maximum, "softmax": _softmax, "concatenate": _concatenate,
    "exp": _entrywise("exp", torch.exp), "tanh": _entrywise("tanh", torch.tanh),
    "sigmoid": _entrywise("sigmoid", torch.sigmoid), "silu": _entrywise("silu", lambda z: z * torch.sigmoid(z)),
    "gelu": _entrywise("gelu", lambda z: z * (1 + torch.erf(z / 2**0.5)) / 2),
    "reciprocal": _entrywise("reciprocal", torch.reciprocal),
}  # fmt: skip


def sliced(flat, shapes):
    """Consecutive entries of a vector as arrays of these shapes."""
    found, first = [], 0
    for shape in shapes:
        found.append(flat[first : first + prod(shape)].reshape(shape))
        first += prod(shape)
    return found


def entries(name, shape):
    """The names of the entries of an array."""
    return [f"{name}[{','.join(map(str, place))}]" if shape else name for place in np.ndindex(shape)]


class Oracle:
    """The function and the flow of a case; see the module's text.

    ``reading`` of the gates: "shared", one free number for equal sources; "separate", one for each use; "binary",
    shared, and as they are near a generic point: 0 or 1, or a selection of one entry; always the same where the source
    does not depend on the probes.
    """

    def __init__(self, case, reading="shared", seed=0):
        self.case, self.reading, self.names = case, reading, Names()
        self.draws = np.random.Generator(np.random.PCG64(seed))
        self._function = case.function(**OPERATIONS)
        self.gates = []
        size = sum(map(prod, case.probes.values()))
        ones = [torch.ones(k, dtype=torch.float64) for k in (self.count, size)]
        self.output_shape = tuple(self.output(*ones).shape)
        self._fixed = [self._binary(gate, 1) for gate in self.gates]

    @cached_property
    def count(self):
        """Number of parameters."""
        return sum(map(prod, self.case.parameters.values()))

    def output(self, theta, xi):
        """The function at flat parameters and at flat probes followed by gates; without gates they are found."""
        c = self.case
        size = sum(map(prod, c.probes.values()))
        gates = sliced(xi[size:], [gate.shape for gate in self.gates]) if self.gates else None
        run = Run(self.names, self.reading, gates)
        values = sliced(theta, c.parameters.values()) + sliced(xi[:size], c.probes.values())
        leaves = c.parameters | c.probes
        traced = {n: Traced(v, self.names.of(n), run, n in c.probes) for n, v in zip(leaves, values, strict=True)}
        found = self._function(**traced)
        self.gates = self.gates or list(run.met.values())
        return found.data

    # --- members of the family, at many points at once ---------------------------------------------------------------

    def probes(self, many):
        """Random probes, gates after them."""
        size = sum(map(prod, self.case.probes.values()))
        parts = [self.draws.normal(size=(many, size))]
        for gate, fixed in zip(self.gates, self._fixed, strict=True):
            if self.reading != "binary":
                parts.append(self.draws.normal(size=(many, prod(gate.shape))))
            else:
                parts.append(self._binary(gate, many) if gate.varies else np.repeat(fixed, many, axis=0))
        return np.concatenate(parts, axis=1)

    def _binary(self, gate, many):
        """Gates that are 0 or 1; selections of one entry."""
        noise = self.draws.normal(size=(many, *gate.shape))
        chosen = noise > 0 if gate.axis is None else noise == noise.max(axis=gate.axis + 1, keepdims=True)
        return chosen.astype(float).reshape(many, -1)

    def covectors(self, many):
        """Random covectors that the loss spans."""
        shape, loss = self.output_shape, self.case.loss
        c = self.draws.normal(size=(many, *shape))
        if loss == "cross_entropy":
            c = c - c.mean(axis=-1, keepdims=True)
        elif loss != "full":
            rows = np.array(loss, dtype=float)
            c = self.draws.normal(size=(many, *shape[:-1], len(rows))) @ rows
        return c.reshape(many, -1)

    def seeds(self, many):
        """Names of random members: the multiple of the drift, probes and gates, covector."""
        parts = [self.draws.normal(size=(many, 1)), self.probes(many), self.covectors(many)]
        return torch.tensor(np.concatenate(parts, axis=1))

    def member(self, seed, point):
        """c drift + lifted gradient, at one point of the phase space."""
        size = prod(self.output_shape)
        xi, covector = seed[1 : len(seed) - size], seed[len(seed) - size :]
        gradient = grad(lambda theta: self.output(theta, xi).reshape(-1) @ covector)
        return self.phase.member(seed[0], point, gradient)

    @cached_property
    def phase(self):
        """The phase space of the flow."""
        return Phase(self.case)

    @property
    def variables(self):
        """The names of the coordinates."""
        return self.phase.variables

    @property
    def dimension(self):
        """Of the phase space."""
        return len(self.variables)

    def points(self, many):
        """Random points, no coordinate near 0; clocks are positive."""
        size = self.draws.uniform(0.4, 1.3, size=(many, self.dimension))
        sign = np.where(self.draws.integers(0, 2, size=size.shape), 1, -1)
        sign[:, : self.phase.clocks] = 1
        return torch.tensor(size * sign)

    def members(self, points, seeds):
        """Values of members at points, one each."""
        return vmap(lambda point, seed: self.member(seed, point))(points, seeds).numpy()

    @cached_property
    def samples(self):
        """Twice some points, and the value of a member at each."""
        return [(points.numpy(), self.members(points, self.seeds(POINTS))) for points in map(self.points, [POINTS] * 2)]

    def brackets(self, point, depth, many):
        """Values at a point of random nested brackets [X_0, [X_1, ...]], over the size of the two terms of each."""
        terms = bracket_terms(self.member, [self.seeds(many) for _ in range(depth + 1)], point)
        size = sum(term.norm(dim=1, keepdim=True) for term in terms).clamp(min=SMALL)
        return (sum(terms) / size).numpy()


def gradient(output, covector, theta):
    """The gradient of <covector, output> at theta."""
    return grad(lambda t: output(t).reshape(-1) @ covector)(theta)


def bracket_terms(member, seeds, point):
    """The two terms of nested brackets [X_0, [X_1, ...]] of a family's members, or members alone.

    ``seeds`` are arrays, one for each X, whose rows name them; one row of each makes a bracket.
    """
    return vmap(lambda *names: _terms(member, names, point))(*seeds)


def _terms(member, seeds, point):
    """The two terms of a nested bracket, or a member alone."""

    def first(point):
        return member(seeds[0], point)

    def inner(point):
        return sum(_terms(member, seeds[1:], point))

    if len(seeds) == 1:
        return [first(point)]
    x, y = first(point), inner(point)
    return [jvp(first, (point,), (y,))[1], -jvp(inner, (point,), (x,))[1]]


class Phase:
    r"""Coordinates and members of a flow, by the formulas that the package documents.

    Gradient: $\nabla$. With weight decay $\lambda$: (s, theta), drift $(\lambda s, -\lambda M\theta)$. Mirror: M times
    it, M diagonal. Momentum: (t, theta, theta'), drift $(1, \theta', -\lambda\theta)$; heavy ball $(\tau s, \theta',
    -\tau\theta' - \lambda\theta)$; Nesterov $(t, t\theta', -3\theta' - \lambda t\theta)$; gradients times $\tau\theta +
    \theta'$ on positive parameters.
    """

    def __init__(self, case):
        flow, self.case = case.flow, case
        self.names = [entry for name, shape in case.parameters.items() for entry in entries(name, shape)]
        self.kind, self.decay = flow["flow"], float(Fraction(flow.get("weight_decay", "0")))
        self.damping = flow.get("damping", "none")
        self.tau = float(Fraction(flow.get("tau", "0")))
        chosen = [n in flow.get("positive", ()) for n, s in case.parameters.items() for _ in range(prod(s))]
        self.positive = torch.tensor(chosen)
        self.clocks = int(self.kind == "momentum" or self.decay != 0)
        self.variables = list(self.names)
        if self.kind == "momentum":
            self.variables = [CLOCKS[self.damping], *self.names, *(re.sub(r"(\w+)", r"\1'", n, count=1) for n in
                                                                  self.names)]  # fmt: skip
        elif self.decay:
            self.variables = ["s", *self.names]

    def member(self, c, point, gradient):
        """c times the drift plus the gradient, lifted."""
        n = len(self.names)
        if self.kind == "momentum":
            clock, theta, velocity = point[:1], point[1 : n + 1], point[n + 1 :]
            return c * self._drift(clock, theta, velocity) + torch.cat(
                [torch.zeros_like(point[: n + 1]), self._momentum_metric(clock, theta, velocity) * gradient(theta)]
            )
        theta = point[self.clocks :]
        metric = self._metric(theta)
        lifted = metric * gradient(theta)
        if not self.clocks:
            return lifted
        drift = torch.cat([self.decay * point[:1], -self.decay * metric * theta])
        return c * drift + torch.cat([torch.zeros_like(point[:1]), lifted])

    def _metric(self, theta):
        if "metric" in self.case.flow:
            metric = eval(self.case.flow["metric"], {"F": lambda a, b: a / b})
            parts = dict(zip(self.case.parameters, sliced(theta, self.case.parameters.values()), strict=True))
            given = metric(**parts)
            return torch.cat([given.get(n, torch.ones_like(p)).reshape(-1) for n, p in parts.items()])
        return torch.where(self.positive, theta, torch.ones_like(theta)) if self.kind == "mirror" else 1

    def _momentum_metric(self, clock, theta, velocity):
        tau = 3 / clock if self.damping == "nesterov" else self.tau
        return torch.where(self.positive, tau * theta + velocity, torch.ones_like(theta))

    def _drift(self, clock, theta, velocity):
        if self.damping == "nesterov":
            return torch.cat([clock, clock * velocity, -3 * velocity - self.decay * clock * theta])
        first = self.tau * clock if self.damping == "heavy-ball" else torch.ones_like(clock)
        return torch.cat([first, velocity, -self.tau * velocity - self.decay * theta])


# --- laws ------------------------------------------------------------------------------------------------------------


def parsed(text, variables):
    """A polynomial written out, as (coefficients, exponents): shapes (terms,) and (terms, variables)."""
    places = {name: j for j, name in enumerate(variables)}
    coefficients, exponents = [], []
    for sign, term in re.findall(r"([+-]?)\s*([^\s+-][^\s+-]*)", text):
        value, powers = Fraction(-1 if sign == "-" else 1), [0] * len(variables)
        for factor in term.split("*"):
            if re.fullmatch(r"\d+(/\d+)?", factor):
                value *= Fraction(factor)
            else:
                name, _, power = factor.partition("^")
                powers[places[name]] += int(power or 1)
        coefficients.append(float(value))
        exponents.append(powers)
    return np.array(coefficients), np.array(exponents).reshape(len(exponents), len(variables))


def monomial_gradients(exponents, points):
    """Gradients of monomials at points: shape (points, terms, variables)."""
    lowered = np.maximum(exponents[:, None, :] - np.eye(exponents.shape[1], dtype=int), 0)  # (terms, variables, var.)
    values = np.prod(points[:, None, None, :] ** lowered, axis=-1)
    return values * exponents


def derivatives(polynomial, points, fields):
    """(p, <grad p, X>, a size of the latter's terms) at each point."""
    coefficients, exponents = polynomial
    gradient = coefficients[:, None] * monomial_gradients(exponents, points)
    value = (coefficients * np.prod(points[:, None, :] ** exponents, axis=-1)).sum(axis=1)
    moved = (gradient * fields[:, None, :]).sum(axis=(1, 2))
    return value, moved, (np.abs(gradient) * (np.abs(fields) + SMALL)[:, None, :]).sum(axis=(1, 2))


def movement(law, points, fields):
    r"""The derivative of $q + \sum_j c_j \log|p_j|$ along a field at each point, relative to the size of its terms.

    A law is (q, [(c_j, p_j), ...]), all of them polynomials as ``parsed`` gives them.
    """
    rest, logarithms = law
    _, total, size = derivatives(rest, points, fields)
    for weight, factor in logarithms:
        p, p_moved, p_size = derivatives(factor, points, fields)
        c, c_moved, c_size = derivatives(weight, points, fields)
        total = total + c * p_moved / p + np.log(np.abs(p)) * c_moved
        size = size + np.abs(c / p) * p_size + np.abs(np.log(np.abs(p))) * c_size
    return np.abs(total) / np.maximum(size, 1e-300)


def ranks(rows, certain=1e-6, possible=1e-11):
    """(the rank for certain, the rank at most, as far as floats tell) of rows of size 1 about."""
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not rows.size:
        return 0, 0
    values = np.linalg.svd(rows, compute_uv=False)
    largest = max(values[0], 1)
    return int((values > certain * largest).sum()), int((values > possible * largest).sum())
