"""Ranks of the fields and brackets of a recorded model modulo primes of its own, in plain Python: a second exact way.

Only the nodes of the program are read, entry by entry. Four primes p, all 1 modulo 4, the next one dividing p - 1: e^u
is g^u, g of the order of the next prime, and u a residue modulo that; modulo the last it is 1. As -1 is a square,
e^(iv) is h^v, and sin and cos are its parts. Roots are the smaller ones; log u, the even part of softplus and the odd
part of the normal distribution function are drawn by a digest of u. Jets are nested pairs; gradients are swept
backwards entry by entry.
"""

import random
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from hashlib import sha256
from math import isqrt, prod

import numpy as np
from sympy import isprime

import clexact

FIELDS = 4
SMALLEST = 2**40  # the last prime is larger
MISSES, GATED = 6, 40  # members in a row that add nothing, until no more are drawn; where gates close most of them
TRIES = 600  # of inputs, and
POINTS = 40  # of points, until the network is defined
SMALL = 2**12  # parts of rationals that are told from their residues
SLOPES = {  # that are functions themselves
    "exp": "exp", "sin": "cos", "softplus": "sigmoid", "normal_cdf": "density", "log": "reciprocal",
}  # fmt: skip


class OracleUndefinedError(Exception):
    """No inputs were found at which the network is defined."""


# --- functions of residues: a tuple, one for each prime, None where undefined ----------------------------------------


def _digest(*said):
    return int.from_bytes(sha256(repr(said).encode()).digest()[:16], "big")


def _chain(seed):
    """Primes p_0, p_1, ..., all 1 modulo 4, each dividing the one before less 1; roots of 2, 3 and 5 exist."""
    primes, p = [], SMALLEST + _digest("prime", seed) % SMALLEST
    p, step = p - p % 4 + 1, 4
    while len(primes) < FIELDS:
        while not (isprime(p) and all(pow(c, (p - 1) // 2, p) == 1 for c in (2, 3, 5))):
            p += step
        primes.insert(0, p)
        p, step = 4 * p + 1, 4 * p
    return primes


def _square_root(a, p):
    """Of a square (Tonelli, Shanks)."""
    odd, twos = p - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    c = pow(next(z for z in range(2, p) if pow(z, (p - 1) // 2, p) == p - 1), odd, p)
    root, left = pow(a, (odd + 1) // 2, p), pow(a, odd, p)
    for k in reversed(range(twos - 1)):
        if pow(left, 1 << k, p) != 1:
            root, left = root * c % p, left * c * c % p
        c = c * c % p
    return root


def _rational(u, p):
    """The rational of small parts with this residue, if there is one."""
    a, b, s, t = p, u, 0, 1
    while b > SMALL:
        a, b, s, t = b, a % b, t, s - a // b * t
    return Fraction(b, t) if 0 < abs(t) <= SMALL else None


class Residues:
    """Values of functions modulo all primes, one homomorphism for each seed."""

    def __init__(self, seed=0):
        self.seed, self.primes = seed, _chain(seed)
        self.p = self.primes[0]
        self._imaginary = [_square_root(p - 1, p) for p in self.primes]
        self.value = cache(self._value)

    def constant(self, c):
        """A rational."""
        return tuple(c.numerator * pow(c.denominator, -1, p) % p for c in (Fraction(c),) for p in self.primes)

    def mapped(self, function, *arguments):
        """A function of residues modulo p and p, prime by prime."""
        columns = zip(self.primes, *arguments, strict=True)
        return tuple(None if None in each else function(*each) for each in columns)

    def add(self, x, y):
        return self.mapped(lambda p, a, b: (a + b) % p, x, y)

    def multiply(self, x, y):
        return self.mapped(lambda p, a, b: a * b % p, x, y)

    def scaled(self, x, c):
        """A multiple by a rational."""
        return self.multiply(x, self.constant(c))

    def with_slope(self, name, u):
        """A value, where the slope is defined too."""
        value = self.value(name, u)
        slope = self.value(SLOPES[name], u) if name in SLOPES else value
        return tuple(None if None in (a, b, c) else a for a, b, c in zip(value, slope, u, strict=True))

    def _value(self, name, u):
        return getattr(self, f"_{name}")(u)

    def _power(self, u, base):
        """base^((p - 1) u / q), q being the next prime, modulo each but the last, where it is 1."""
        found = []
        for p, q, exponent in zip(self.primes, self.primes[1:], u[1:], strict=False):
            found.append(None if exponent is None else pow(base, (p - 1) // q * exponent, p))
        return (*found, 1)

    def _drawn(self, name, u):
        """Any values, equal for equal arguments."""
        return self.mapped(lambda p, a: _digest(name, self.seed, p, a) % p, u)

    def _exp(self, u):
        return self._power(u, 2)

    def _reciprocal(self, u):
        return self.mapped(lambda p, a: pow(a, -1, p) if a else None, u)

    def _rsqrt(self, u):
        return self.mapped(self._root, self._reciprocal(u))

    @staticmethod
    def _root(p, a):
        """The smaller root; that of the square of a rational is positive."""
        if pow(a, (p - 1) // 2, p) != 1:
            return None
        known = _rational(a, p)
        if known is not None and known > 0:
            root = Fraction(isqrt(known.numerator), isqrt(known.denominator))
            if root**2 == known:
                return root.numerator * pow(root.denominator, -1, p) % p
        root = _square_root(a, p)
        return min(root, p - root)

    def _sigmoid(self, u):
        return self._reciprocal(self.add(self.constant(1), self._exp(self.scaled(u, -1))))

    def _tanh(self, u):
        return self.add(self.scaled(self._sigmoid(self.scaled(u, 2)), 2), self.constant(-1))

    def _softplus(self, u):
        even = self._drawn("softplus", self.mapped(lambda p, a: min(a, p - a), u))
        return self.add(even, self.scaled(u, Fraction(1, 2)))

    def _normal_cdf(self, u):
        def odd(p, a):
            value = _digest("normal", self.seed, p, min(a, p - a))
            return (value if a < p - a else -value) % p if a else 0

        return self.add(self.mapped(odd, u), self.constant(Fraction(1, 2)))

    def _density(self, u):
        kappa = self._drawn("kappa", self.constant(1))
        return self.multiply(kappa, self._exp(self.scaled(self.multiply(u, u), Fraction(-1, 2))))

    def _log(self, u):
        drawn = self._drawn("log", u)
        return self.mapped(lambda p, a, b: (b if a != 1 else 0) if a else None, u, drawn)

    def _cos(self, u):
        return self.scaled(self.add(self._power(u, 3), self._power(self.scaled(u, -1), 3)), Fraction(1, 2))

    def _sin(self, u):
        twice = self.add(self._power(u, 3), self.scaled(self._power(self.scaled(u, -1), 3), -1))
        return self.mapped(lambda p, a, i: a * pow(2 * i, -1, p) % p, twice, self._imaginary)


# --- the program, entry by entry -------------------------------------------------------------------------------------


@dataclass
class Tape:
    """Steps (operation, what it has): leaves and constants, sums and products of two, functions of one."""

    steps: list = field(default_factory=list)

    def step(self, operation, *data):
        """The entry made by one more."""
        self.steps.append((operation, *data))
        return Entry(self, len(self.steps) - 1)


@dataclass(eq=False)
class Entry:
    """A number of the program, by its step."""

    tape: Tape
    number: int

    def __add__(self, other):
        return self.tape.step("add", self.number, other.number)

    def __mul__(self, other):
        return self.tape.step("multiply", self.number, other.number)

    def of(self, name):
        """A function of it."""
        return self.tape.step("function", self.number, name)


def each(function, array):
    """A function of all entries."""
    out = np.empty(array.shape, dtype=object)
    for place in np.ndindex(array.shape):
        out[place] = function(array[place])
    return out


def _softmax(z, axis):
    e = each(lambda x: x.of("exp"), z)
    return e * each(lambda x: x.of("reciprocal"), e.sum(axis, keepdims=True))


def _wrapped(value):
    """Entries as an array, a single one too."""
    if isinstance(value, np.ndarray):
        return value
    out = np.empty((), dtype=object)
    out[()] = value
    return out


OPERATIONS = {
    "add": lambda node, a, b: a + b,
    "multiply": lambda node, a, b: a * b,
    "matmul": lambda node, a, b: a @ b,
    "transpose": lambda node, a: a.transpose(node.data),
    "reshape": lambda node, a: a.reshape(node.shape),
    "take": lambda node, a: a.reshape(-1)[node.data],
    "select": lambda node, a: a[np.ix_(*(index.ravel() for index in node.data.along))].reshape(node.shape),
    "concatenate": lambda node, *parts: np.concatenate(parts, node.data),
    "sum": lambda node, a: a.sum(node.data),
    "function": lambda node, a: each(lambda x: x.of(node.data), a),
    "softmax": lambda node, a: _softmax(a, node.data),
}


# --- jets: a residue, or a pair (a, b) of jets, which is a + b epsilon -----------------------------------------------


class Jets:
    """Their arithmetic modulo p; residues are constants among jets."""

    def __init__(self, p):
        self.p = p

    def add(self, x, y):
        if isinstance(x, int) and isinstance(y, int):
            return (x + y) % self.p
        (a, b), (c, d) = _pair(x), _pair(y)
        return self.add(a, c), self.add(b, d)

    def multiply(self, x, y):
        if isinstance(x, int) and isinstance(y, int):
            return x * y % self.p
        if isinstance(x, int):
            return self.multiply(x, y[0]), self.multiply(x, y[1])
        if isinstance(y, int):
            return self.multiply(y, x)
        return self.multiply(x[0], y[0]), self.add(self.multiply(x[0], y[1]), self.multiply(x[1], y[0]))


def _pair(x):
    return (x, 0) if isinstance(x, int) else x


class Applied:
    """Functions of jets above one residue u, modulo all primes."""

    def __init__(self, ring, residues, u):
        self.ring, self.residues, self.u = ring, residues, u

    def value(self, name, x):
        """f(a + b epsilon) = f(a) + f'(a) b epsilon."""
        if isinstance(x, int):
            return self.residues.value(name, self.u)[0]
        return self.value(name, x[0]), self.ring.multiply(self.slope(name, x[0]), x[1])

    def slope(self, name, x):
        """f'."""
        times, plus = self.ring.multiply, self.ring.add
        if name in SLOPES:
            return self.value(SLOPES[name], x)
        if name == "cos":
            return times(-1 % self.ring.p, self.value("sin", x))
        y = self.value(name, x)
        if name == "density":
            return times(times(-1 % self.ring.p, x), y)
        square = times(y, y)
        if name == "reciprocal":
            return times(-1 % self.ring.p, square)
        if name == "rsqrt":
            return times(-pow(2, -1, self.ring.p) % self.ring.p, times(square, y))
        if name == "sigmoid":
            return plus(y, times(-1 % self.ring.p, square))
        assert name == "tanh", name
        return plus(1, times(-1 % self.ring.p, square))


# --- members and brackets --------------------------------------------------------------------------------------------


class ExactModel:
    """The members of a recorded model at points modulo primes."""

    def __init__(self, model: clexact.Model, loss: str = "full", seed: int = 0):
        self.loss, self.residues, self.draws = loss, Residues(seed), random.Random(seed)
        self.ring, self.tape, self.shape = Jets(self.residues.p), Tape(), model.program.shape
        self.gates = {gate.probe: gate for gate in model.program.gates}
        self.parameters, self.probes = self._leaves(model.parameters), self._leaves(model.probes)
        self.order = [entry.number for array in self.parameters.values() for entry in array.ravel()]
        self.outputs = [entry.number for entry in self._recorded(model.program).ravel()]

    def _leaves(self, shapes):
        return {name: each(lambda _: self.tape.step("leaf"), np.empty(s, dtype=object)) for name, s in shapes.items()}

    def _recorded(self, program):
        leaves, arrays = self.parameters | self.probes, []
        for node in program.nodes:
            if node.op in ("parameter", "probe"):
                arrays.append(leaves[node.data])
            elif node.op == "constant":
                arrays.append(each(lambda c: self.tape.step("constant", c), node.data))
            else:
                arrays.append(_wrapped(OPERATIONS[node.op](node, *(arrays[i] for i in node.inputs))))
            assert arrays[-1].shape == tuple(node.shape), node.op
        return arrays[program.output]

    def _residue(self):
        return tuple(self.draws.randrange(p) for p in self.residues.primes)

    def point(self):
        """Residues for each parameter."""
        return {number: self._residue() for number in self.order}

    def seed(self):
        """Residues for each probe, gates being what they can be; and for the covector."""
        probes = {}
        for name, array in self.probes.items():
            gate = self.gates.get(name)
            chosen = np.array([self._residue() for _ in range(array.size)], dtype=object)
            if gate is not None:
                chosen = self._opened(gate, array.shape)
            probes |= {entry.number: tuple(u) for entry, u in zip(array.ravel(), chosen, strict=True)}
        covector = [self.draws.randrange(self.residues.p) for _ in self.outputs]
        if self.loss == "cross_entropy":
            rows = np.array(covector, dtype=object).reshape(*self.shape[:-1], self.shape[-1])
            rows[..., -1] = -rows[..., :-1].sum(-1)
            covector = [int(c) % self.residues.p for c in rows.ravel()]
        return probes, covector

    def _opened(self, gate, shape):
        """A ReLU that is open or closed, or a choice of one entry."""
        constant = self.residues.constant
        if gate.axis is None:
            return [constant(self.draws.choice([1, gate.slope])) for _ in range(prod(shape))]
        chosen = np.zeros(shape, dtype=int)
        lines = np.moveaxis(chosen, gate.axis, -1)
        for place in np.ndindex(lines.shape[:-1]):
            lines[place][self.draws.randrange(lines.shape[-1])] = 1
        return [constant(int(c)) for c in chosen.ravel()]

    def forward(self, leaves):
        """Residues of all steps; None where those seen are not defined modulo the first prime."""
        values, residues = [], self.residues
        for number, (operation, *data) in enumerate(self.tape.steps):
            if operation == "leaf":
                values.append(leaves[number])
            elif operation == "constant":
                values.append(residues.constant(data[0]))
            elif operation == "function":
                values.append(residues.with_slope(data[1], values[data[0]]))
            else:
                values.append(getattr(residues, operation)(values[data[0]], values[data[1]]))
        return None if any(values[number][0] is None for number in self.outputs) else values

    def member(self, values, covector):
        """The field of a seed, whose values at the point are known: a function of jets of the parameters."""

        def gradient(theta):
            jets, slopes = self._jets(values, dict(zip(self.order, theta, strict=True)))
            adjoint = [0] * len(jets)
            for number, c in zip(self.outputs, covector, strict=True):
                adjoint[number] = self.ring.add(adjoint[number], c)
            for number in reversed(range(len(jets))):
                self._pull_back(number, jets, slopes, adjoint)
            return [adjoint[number] for number in self.order]

        return gradient

    def _jets(self, values, leaves):
        jets, slopes = [], {}
        for number, (operation, *data) in enumerate(self.tape.steps):
            if values[number][0] is None:  # of what is not seen
                jets.append(0)
            elif operation in ("leaf", "constant"):
                jets.append(leaves.get(number, values[number][0]))
            elif operation == "function":
                at, x = Applied(self.ring, self.residues, values[data[0]]), jets[data[0]]
                jets.append(at.value(data[1], x))
                slopes[number] = at.slope(data[1], x)
            else:
                jets.append(getattr(self.ring, operation)(jets[data[0]], jets[data[1]]))
        return jets, slopes

    def _pull_back(self, number, jets, slopes, adjoint):
        g, (operation, *data) = adjoint[number], self.tape.steps[number]
        if g == 0 or operation in ("leaf", "constant"):
            return
        if operation == "function":
            pulled = [(data[0], self.ring.multiply(g, slopes[number]))]
        elif operation == "add":
            pulled = [(data[0], g), (data[1], g)]
        else:
            pulled = [(i, self.ring.multiply(g, jets[j])) for i, j in (data, reversed(data))]
        for i, h in pulled:
            adjoint[i] = self.ring.add(adjoint[i], h)

    def bracket(self, X, Y):
        """[X, Y] as a function of jets: DY X - DX Y."""

        def value(theta):
            x, y = X(theta), Y(theta)
            parts = [Y(list(zip(theta, x, strict=True))), X(list(zip(theta, y, strict=True)))]
            both = [[_pair(jet)[1] for jet in part] for part in parts]
            minus = -1 % self.ring.p
            return [self.ring.add(a, self.ring.multiply(minus, b)) for a, b in zip(*both, strict=True)]

        return value

    def drawn(self, theta, tries=TRIES):
        """A member that is defined at the point."""
        for _ in range(tries):
            probes, covector = self.seed()
            values = self.forward(theta | probes)
            if values is not None:
                return self.member(values, covector)
        raise OracleUndefinedError

    def defined_point(self):
        """A point at which a member is defined."""
        for _ in range(POINTS):
            theta = self.point()
            try:
                self.drawn(theta, TRIES // POINTS)
            except OracleUndefinedError:
                continue
            return theta
        raise OracleUndefinedError


class Rows:
    """Independent rows modulo p, each with its pivot."""

    def __init__(self, p):
        self.p, self.rows = p, {}

    def add(self, row):
        """Whether it is independent of those before."""
        row = list(row)
        for pivot, other in self.rows.items():
            if c := row[pivot]:
                row = [(a - c * b) % self.p for a, b in zip(row, other, strict=True)]
        pivot = next((k for k, a in enumerate(row) if a), None)
        if pivot is None:
            return False
        inverse = pow(row[pivot], -1, self.p)
        self.rows[pivot] = [a * inverse % self.p for a in row]
        return True


def exact_rank(model: clexact.Model, loss: str = "full", depth: int = 1, seed: int = 0) -> tuple[int, ...]:
    """Ranks of W_0, ..., W_depth at a random point modulo a random prime.

    Each is at most the true one where the residues chosen are those of a homomorphism: where no root is one of a square
    and no exponential one of a logarithm.
    """
    network = ExactModel(model, loss, seed)
    theta, rows, ranks = network.defined_point(), Rows(network.residues.p), []
    place, most = [theta[number][0] for number in network.order], GATED if network.gates else MISSES
    for d in range(depth + 1):
        misses = 0
        while misses < most and len(rows.rows) < len(place):
            field = network.drawn(theta)
            for _ in range(d):
                field = network.bracket(network.drawn(theta), field)
            misses = 0 if rows.add(field(place)) else misses + 1
        ranks.append(len(rows.rows))
    return tuple(ranks)
