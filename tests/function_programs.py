"""Programs with analytic functions written node by node, and a slow twin of the verifier's evaluation of them.

The twin holds residues in each field of the chain with nested dual numbers; gradients are derivatives one coordinate at
a time. Nothing of the verifier's arithmetic is used.
"""

from fractions import Fraction
from hashlib import sha256
from itertools import product as indices
from math import prod

import numpy as np

import clexact
from clexact import functions

P, KEY = 8608079, 12345
FIELDS = [4304039, 35279]  # P = 2 * 4304039 + 1, 4304039 = 122 * 35279 + 1
BASES = [3**2, pow(3, 122, 4304039)]
TURNING = {  # 3526511 = 130 * 27127 + 1 = 528 * 6679 - 1, 6679 = 40 * 167 - 1; (2 + i) / (2 - i) to these powers
    "fields": (3526511, 27127), "bases": [pow(3, 130, 3526511)],
    "angles": [[3526511, 6679, 2643728, 276422], [6679, 167, 388, 3461]],
}  # fmt: skip


class Nodes:
    """A program under construction: every method appends a node and returns its number."""

    def __init__(self, parameters, probes):
        self.parameters, self.probes, self.nodes = parameters, probes, []
        self.leaf = {name: self.add("parameter", [], shape, name) for name, shape in parameters.items()}
        self.leaf |= {name: self.add("probe", [], shape, name) for name, shape in probes.items()}

    def add(self, op, inputs, shape, data=None):
        self.nodes.append([op, list(inputs), list(shape), data])
        return len(self.nodes) - 1

    def shape(self, n):
        return tuple(self.nodes[n][2])

    def constant(self, values, shape=(1, 1)):
        flat = [values] * prod(shape) if isinstance(values, (int, str)) else values
        return self.add("constant", [], shape, [x for i, c in enumerate(flat) for x in (i, str(c))])

    def function(self, name, a):
        return self.add("function", [a], self.shape(a), name)

    def softmax(self, a, axis):
        return self.add("softmax", [a], self.shape(a), axis)

    def pair(self, op, a, b):
        return self.add(op, [a, b], np.broadcast_shapes(self.shape(a), self.shape(b)))

    def plus(self, a, b):
        return self.pair("add", a, b)

    def times(self, a, b):
        return self.pair("multiply", a, b)

    def matmul(self, a, b):
        return self.add("matmul", [a, b], (*self.shape(a)[:-1], self.shape(b)[-1]))

    def transpose(self, a):
        return self.add("transpose", [a], self.shape(a)[::-1], [1, 0])

    def total(self, a, axis=0):
        """The sum along an axis that stays."""
        shape = self.shape(a)
        summed = self.add("sum", [a], shape[:axis] + shape[axis + 1 :], axis)
        return self.add("reshape", [summed], (*shape[:axis], 1, *shape[axis + 1 :]))

    def rms(self, a, eps=None):
        """a / root of the mean of squares along axis 0."""
        return self.times(a, self.function("rsqrt", self.spread(a, eps)))

    def spread(self, a, eps):
        mean = self.times(self.constant(f"1/{self.shape(a)[0]}"), self.total(self.times(a, a)))
        return mean if eps is None else self.plus(mean, self.constant(eps))

    def layer_norm(self, a, eps=None):
        mean = self.times(self.constant(f"-1/{self.shape(a)[0]}"), self.total(a))
        return self.rms(self.plus(a, mean), eps)

    def written(self):
        """The part of a document that describes the model; the output is the last node."""
        return {
            "parameters": {name: list(s) for name, s in self.parameters.items()},
            "probes": {name: list(s) for name, s in self.probes.items()},
            "program": {"nodes": self.nodes, "output": len(self.nodes) - 1},
        }


def output_of(program, linear=False):
    """The output function of a model that runs the program of a document; ``linear``: without its functions."""

    def output(**leaves):
        values = []
        for op, inputs, shape, data in program["nodes"]:
            a, b = (*(values[i] for i in inputs), None, None)[:2]
            match op:
                case "parameter" | "probe":
                    values.append(leaves[data])
                case "constant":
                    entries = dict(zip(data[::2], data[1::2], strict=True))
                    flat = [Fraction(entries.get(i, 0)) for i in range(prod(shape))]
                    values.append(np.array(flat, dtype=object).reshape(shape))
                case "add" | "multiply" | "matmul":
                    values.append(a + b if op == "add" else a * b if op == "multiply" else a @ b)
                case "concatenate":
                    values.append(clexact.concatenate([values[i] for i in inputs], data))
                case "function" | "softmax" if linear:
                    values.append(a)
                case "function":
                    values.append(getattr(functions, data)(a))
                case "softmax":
                    values.append(functions.softmax(a, data))
                case "take":
                    values.append(a.reshape(-1)[np.array(data, dtype=np.int64).reshape(shape)])
                case _:
                    values.append(getattr(a, op)(tuple(shape) if op == "reshape" else data))
        return values[program["output"]]

    return output


# --- the slow twin ---------------------------------------------------------------------------------------------------


class UndefinedError(Exception):
    """A function has no value there."""


class Field:
    """Residues modulo each prime of a chain, with the functions of such numbers."""

    def __init__(self, fields=(P, *FIELDS), bases=BASES, key=KEY, angles=()):
        self.chain, self.bases, self.key, self.angles = fields, bases, key, angles
        self.fields = (*fields, *(order for _, order, _, _ in angles))

    def number(self, x):
        x = Fraction(x)
        return tuple(x.numerator * pow(x.denominator, f - 2, f) % f for f in self.fields)

    def add(self, a, b):
        return tuple((x + y) % f for x, y, f in zip(a, b, self.fields, strict=True))

    def multiply(self, a, b):
        return tuple(x * y % f for x, y, f in zip(a, b, self.fields, strict=True))

    def hashed(self, name, a):
        """In each field, of a modulo those from it on: for log, or else of |a|, the smaller residue of a and -a.

        And the signs of what is odd: 0, or whether it is a.
        """
        values, signs = [], []
        for k, field in enumerate(self.fields):
            lift, m = 0, 1
            for x, f in zip(a[k:], self.fields[k:], strict=True):
                lift += m * ((x - lift) * pow(m, f - 2, f) % f)
                m *= f
            values.append(self.mixed(name, lift if name == "log" else min(lift, (m - lift) % m)) % field)
            signs.append((1 if lift <= m - lift else -1) if lift else 0)
        return tuple(values), tuple(signs)

    def mixed(self, name, z):
        z = np.uint64(z)
        with np.errstate(over="ignore"):
            for i in range(2):
                z = z + np.uint64(int(sha256(f"{name} {i} {self.key}".encode()).hexdigest()[:16], 16))
                z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                z = z ^ (z >> np.uint64(31))
        return int(z)

    def function(self, name, a):
        if name == "exp":
            powers = [pow(h, x, f) for h, x, f in zip(self.bases, a[1:], self.chain, strict=False)]
            return (*powers, *[1] * (len(a) - len(powers)))
        if name in ("sin", "cos"):
            return self.turned(a, name == "sin")
        if name in ("reciprocal", "log") and 0 in a:
            raise UndefinedError
        if name == "log":
            of_one = self.hashed(name, self.number(1))[0]
            return self.add(self.hashed(name, a)[0], self.multiply(of_one, self.number(-1)))
        if name == "reciprocal":
            return tuple(pow(x, f - 2, f) for x, f in zip(a, self.fields, strict=True))
        if name == "rsqrt":
            return tuple(self.root(x, f) for x, f in zip(a, self.fields, strict=True))
        value, signs = self.hashed(name, a)
        if name == "softplus":
            return self.add(self.multiply(a, self.number(Fraction(1, 2))), value)
        return self.add(self.number(Fraction(1, 2)), self.multiply(value, signs))

    def turned(self, a, part):
        """One part of omega times itself, as often as the next field of angles says."""
        out = [1 - part] * len(a)
        for f, order, c, d in self.angles:
            x, y = 1, 0
            for _ in range(a[self.fields.index(order)]):
                x, y = (x * c - y * d) % f, (x * d + y * c) % f
            out[self.fields.index(f)] = (x, y)[part]
        return tuple(out)

    def root(self, a, r):
        """That of the roots of 1 / a that is a square: found among both, not by the power that gives it."""
        y = pow(a, (r + 1) // 4, r)
        if not a or y * y % r != a:
            raise UndefinedError
        y = pow(y, r - 2, r)
        return next(z for z in (y, r - y) if pow(z, (r - 1) // 2, r) == 1)


class Dual:
    """value + slope e, e^2 = 0; both are numbers of the field or such duals again. ``level`` tells the e of each."""

    def __init__(self, value, slope, level):
        self.value, self.slope, self.level = value, slope, level


class Numbers:
    """The arithmetic of numbers and duals."""

    def __init__(self, field):
        self.field, self.zero, self.one = field, field.number(0), field.number(1)

    def parts(self, a, level):
        return (a.value, a.slope) if isinstance(a, Dual) and a.level == level else (a, self.zero)

    def level(self, *numbers):
        return max((a.level for a in numbers if isinstance(a, Dual)), default=0)

    def add(self, a, b):
        if not (level := self.level(a, b)):
            return self.field.add(a, b)
        (a0, a1), (b0, b1) = self.parts(a, level), self.parts(b, level)
        return Dual(self.add(a0, b0), self.add(a1, b1), level)

    def multiply(self, a, b):
        if not (level := self.level(a, b)):
            return self.field.multiply(a, b)
        (a0, a1), (b0, b1) = self.parts(a, level), self.parts(b, level)
        return Dual(self.multiply(a0, b0), self.add(self.multiply(a0, b1), self.multiply(a1, b0)), level)

    def times(self, c, *factors):
        out = self.field.number(c)
        for a in factors:
            out = self.multiply(out, a)
        return out

    def function(self, name, a):
        if name == "sigmoid":
            return self.function("reciprocal", self.add(self.one, self.function("exp", self.times(-1, a))))
        if name == "tanh":  # (e^2a - 1) / (e^2a + 1)
            e = self.function("exp", self.times(2, a))
            below = self.function("reciprocal", self.add(e, self.one))
            return self.multiply(self.add(e, self.times(-1, self.one)), below)
        if not (level := self.level(a)):
            return self.field.function(name, a)
        a0, a1 = self.parts(a, level)
        f = self.function(name, a0)
        return Dual(f, self.multiply(self.derivative(name, a0, f), a1), level)

    def derivative(self, name, a, f):
        match name:
            case "exp":
                return f
            case "reciprocal":
                return self.times(-1, f, f)
            case "rsqrt":
                return self.times(Fraction(-1, 2), f, self.function("reciprocal", a))
            case "log":
                return self.function("reciprocal", a)
            case "sin":
                return self.function("cos", a)
            case "cos":
                return self.times(-1, self.function("sin", a))
            case "softplus":
                e = self.function("exp", a)
                return self.multiply(e, self.function("reciprocal", self.add(e, self.one)))
        kappa, _ = self.field.hashed("density", self.one)
        return self.multiply(kappa, self.function("exp", self.times(Fraction(-1, 2), a, a)))


class Twin:
    """The program in this arithmetic."""

    def __init__(self, written, field=None):
        self.ring, self.written = Numbers(field or Field()), written

    def array(self, flat, shape):
        out = np.empty(shape, dtype=object)
        for place, x in zip(indices(*map(range, shape)), flat, strict=True):
            out[place] = x
        return out

    def output(self, theta, seed):
        """<C, output>."""
        ring, values, leaves, start = self.ring, [], {}, 0
        for kind, numbers in (("parameters", theta), ("probes", seed)):
            start = 0
            for name, shape in self.written[kind].items():
                leaves[name] = self.array(numbers[start : start + prod(shape)], shape)
                start += prod(shape)
        add, multiply = np.frompyfunc(ring.add, 2, 1), np.frompyfunc(ring.multiply, 2, 1)
        apply = np.frompyfunc(ring.function, 2, 1)
        for op, inputs, shape, data in self.written["program"]["nodes"]:
            a, b = ([values[i] for i in inputs] + [None, None])[:2]
            match op:
                case "parameter" | "probe":
                    out = leaves[data]
                case "constant":
                    given = dict(zip(data[::2], data[1::2], strict=True))
                    out = self.array([ring.field.number(given.get(i, 0)) for i in range(prod(shape))], shape)
                case "add":
                    out = add(a, b)
                case "multiply":
                    out = multiply(a, b)
                case "matmul":
                    products = multiply(a[:, :, None], b[None, :, :])
                    out = add.reduce(products, axis=1)
                case "function":
                    out = self.array(apply(data, a).ravel() if a.ndim else [apply(data, a[()])], shape)
                case "softmax":
                    powers = apply("exp", a)
                    out = multiply(powers, apply("reciprocal", add.reduce(powers, axis=data, keepdims=True)))
                case "transpose":
                    out = a.transpose(data)
                case "reshape":
                    out = a.reshape(shape)
                case "take":
                    out = a.ravel()[data].reshape(shape)
                case "sum":
                    out = add.reduce(a, axis=data)
                case "concatenate":
                    out = np.concatenate([values[i] for i in inputs], axis=data)
            values.append(out)
        total, covector = ring.zero, seed[start:]
        for c, y in zip(covector, values[self.written["program"]["output"]].ravel(), strict=True):
            total = ring.add(total, ring.multiply(c, y))
        return total

    def field(self, seed, theta, level=1):
        """The gradient, by one dual number for each coordinate."""
        out = []
        for j in range(len(theta)):
            moved = [Dual(x, self.ring.one if i == j else self.ring.zero, level) for i, x in enumerate(theta)]
            out.append(self.ring.parts(self.output(moved, seed), level)[1])
        return out

    def bracket(self, seeds, theta, level=1):
        """[X_0, [X_1, ...]] by its definition: DX_0 B - DB X_0."""
        if len(seeds) == 1:
            return self.field(seeds[0], theta, level)
        a, b = self.field(seeds[0], theta, level), self.bracket(seeds[1:], theta, level)
        by_b, by_a = ([Dual(x, y, level) for x, y in zip(theta, v, strict=True)] for v in (b, a))
        first = self.field(seeds[0], by_b, level + 1)
        second = self.bracket(seeds[1:], by_a, level + 1)
        slopes = [[self.ring.parts(x, level)[1] for x in v] for v in (first, second)]
        return [self.ring.add(x, self.ring.times(-1, y)) for x, y in zip(*slopes, strict=True)]

    def residues(self, seeds, theta):
        """The value of a member mod p, from integers."""
        number = self.ring.field.number
        value = self.bracket([[number(x) for x in seed] for seed in seeds], [number(x) for x in theta])
        return [x[0] for x in value]
