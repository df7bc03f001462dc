"""A piecewise network near a start, in PyTorch with float64: the gates that dense inputs open, and what they span.

Gates are read at parameters very near the start, at inputs of many scales, on both sides of boundaries and around
rational points, where boundaries may meet. The pieces that these gates select are polynomials, so their brackets are
compared at random parameters, where singular values have a gap.
"""

from itertools import product

import numpy as np
import torch
from float_oracle import decided, normal_cdf, softplus, spectrum
from program_oracle import SMALL, bracket_terms, gradient, sliced
from torch.func import grad, vmap

STEP = 1e-5  # of the parameters from the start
SCALES = (0.03, 0.3, 1.0, 10.0, 300.0)
HALVINGS = 45


class Tensors:
    """The operations on tensors; gates are the true ones, which are kept, or those given."""

    cat = staticmethod(torch.cat)

    def __init__(self, given=None):
        self.given, self.met, self.margins, self.kinds = given, [], [], []

    def _gate(self, true):
        if self.given is not None:
            size = true.numel()
            gate, self.given = self.given[:size].reshape(true.shape), self.given[size:]
            return gate
        self.met.append(true.reshape(-1))
        return true

    def relu(self, z, slope=0):
        self.margins.append(z.reshape(-1).abs())
        self.kinds.append((z.shape, None))
        return z * self._gate(torch.where(z > 0, 1.0, float(slope)).to(z.dtype))

    def absolute(self, z):
        return self.relu(z, -1)

    def maximum(self, z, axis=-1):
        self.kinds.append((z.shape, axis))
        places = torch.arange(z.shape[axis]).reshape([-1 if n == axis % z.ndim else 1 for n in range(z.ndim)])
        one = (z.argmax(axis, keepdim=True) == places).to(z.dtype)
        order = torch.sort(z, axis).values
        self.margins.append(
            (order.narrow(axis, z.shape[axis] - 1, 1) - order.narrow(axis, 0, z.shape[axis] - 1)).reshape(-1)
        )
        return (z * self._gate(one)).sum(axis)

    @staticmethod
    def apply(name, z):
        """A function of the entries, by its name; softmax along the last axis."""
        return {
            "tanh": torch.tanh, "sigmoid": torch.sigmoid, "softplus": softplus, "sin": torch.sin,
            "gelu": lambda z: z * normal_cdf(z), "softmax": lambda z: torch.softmax(z, -1),
            "rms": lambda z: z / torch.sqrt((z * z).mean() + 0.125), "mean_square": lambda z: z / (z * z).mean().sqrt(),
            "layer_norm": lambda z: (z - z.mean()) / torch.sqrt(((z - z.mean()) ** 2).mean() + 0.01),
            "normalised": lambda z: z / torch.sqrt((z * z).sum() + 3), "log1p_square": lambda z: torch.log1p(z * z),
            "log_softmax": lambda z: torch.log_softmax(z, -1),
        }[name](z)  # fmt: skip


class NearOracle:
    """What is true of a ``near_networks.Net`` near a start, as far as inputs show it."""

    def __init__(self, net, start, seed=0):
        self.net, self.rng = net, np.random.default_rng(seed)
        self.start = torch.tensor([float(c) for c in start], dtype=torch.float64)

    def output(self, theta, x, ops):
        """The output as one axis."""
        p = dict(zip(self.net.parameters, sliced(theta, self.net.parameters.values()), strict=True))
        return self.net.output(ops, x, **p).reshape(-1)

    def _near(self):
        return self.start + STEP * torch.tensor(self.rng.normal(size=len(self.start)))

    def opened(self, theta, inputs):
        """The gates at inputs, and whether each is clear of all boundaries."""

        def gates(x):
            ops = Tensors()
            self.output(theta, x, ops)
            zero = torch.zeros(0, dtype=torch.float64)
            return torch.cat([*ops.met, zero]), torch.cat(
                [*ops.margins, zero + 1, torch.ones(1, dtype=torch.float64)]
            ).min()

        found, margin = vmap(gates)(inputs)
        return found.numpy(), margin.numpy() > 1e-12

    def free(self, many):
        """Gates that vary freely; those of a maximum have the sum 1."""
        ops = Tensors()
        self.output(self.start, torch.zeros(self.net.inputs, dtype=torch.float64), ops)
        parts = [np.zeros((many, 0))]
        for shape, axis in ops.kinds:
            gates = self.rng.normal(size=(many, *shape))
            if self.net.functions:  # they are not affine in gates
                gates = 1.0 * (gates > 0)
            if axis is not None:
                gates += (1 - gates.sum(axis=axis, keepdims=True)) / shape[axis]
            parts.append(gates.reshape(many, -1))
        return np.concatenate(parts, axis=1)

    def patterns(self):
        """Gates met near the start by inputs."""
        seen = {}
        for _ in range(4):
            theta = self._near()
            for inputs in self._inputs(theta):
                found, clear = self.opened(theta, inputs)
                for row in np.unique(found[clear], axis=0):
                    seen[row.tobytes()] = row
        return np.array(list(seen.values())).reshape(len(seen), -1)

    def _inputs(self, theta):
        n = self.net.inputs
        wide = np.concatenate([s * self.rng.normal(size=(600, n)) for s in SCALES])
        yield torch.tensor(wide)
        a, b = (
            torch.tensor(wide[self.rng.permutation(len(wide))[:600]]),
            torch.tensor(wide[self.rng.permutation(len(wide))[:600]]),
        )
        for _ in range(HALVINGS):  # to the boundaries between a and b
            middle = (a + b) / 2
            same = (self.opened(theta, middle)[0] == self.opened(theta, a)[0]).all(axis=1)
            a, b = (
                torch.where(torch.tensor(same)[:, None], middle, a),
                torch.where(torch.tensor(same)[:, None], b, middle),
            )
        for wide in (0, STEP, 30 * STEP, 0.03):
            yield torch.cat([a, b]) + wide * torch.tensor(self.rng.normal(size=(1200, n)))
        values = np.array([c / d for d in (1, 2, 3) for c in range(-6, 7)])
        grid = np.array(list(product(values, repeat=n))) if n == 1 else self.rng.choice(values, size=(1500, n))
        for wide in (STEP, 10 * STEP):
            yield torch.tensor(np.concatenate([grid] * 3) + wide * self.rng.normal(size=(3 * len(grid), n)))

    # -- what they span ---------------------------------------------------------------------------------------------

    def ranks(self, cases, depth=2, inputs=None, points=3):
        """Ranks of brackets to each depth of members with these gates (at these inputs, row by row), None in doubt."""
        D, spectra = len(self.start), [[] for _ in range(depth + 1)]
        found = []
        for n in range(points):
            theta = torch.tensor(self.rng.choice([-1, 1], size=D) * self.rng.uniform(0.4, 1.6, size=D))
            rows = np.zeros((0, D))
            for d, seen in enumerate(spectra):
                rows = np.concatenate([rows, self._brackets(theta, cases, d, inputs)])
                seen.append(spectrum(rows))
            if n:
                found = [decided(seen, D) for seen in spectra]
                if all(rank is not None for rank, _ in found):
                    break
        return tuple(rank for rank, _ in found)

    def _member(self, seed, theta):
        n, out = self.net.inputs, self._outputs
        x, gates, covector = seed[:n], seed[n : len(seed) - out], seed[len(seed) - out :]
        return gradient(lambda t: self.output(t, x, Tensors(gates)), covector, theta)

    def _true_member(self, x, covector, theta):
        return gradient(lambda t: self.output(t, x, Tensors()), covector, theta)

    @property
    def _outputs(self):
        return len(self.output(self.start, torch.zeros(self.net.inputs, dtype=torch.float64), Tensors()))

    def _seeds(self, which, cases, inputs):
        x = self.rng.normal(size=(len(which), self.net.inputs)) if inputs is None else inputs[which]
        covector = self.rng.normal(size=(len(which), self._outputs))
        if self.net.loss == "cross_entropy":
            covector -= covector.mean(axis=1, keepdims=True)
        return torch.tensor(np.concatenate([x, cases[which], covector], axis=1))

    def _brackets(self, theta, cases, depth, inputs):
        D = len(theta)
        many = max((2, 4, 6, 8)[depth] * D + 8, (4 if depth == 0 else 2) * len(cases))
        order = [self.rng.permutation(np.resize(np.arange(len(cases)), many)) for _ in range(depth + 1)]
        together = self.rng.random(many) < 0.5
        seeds = [self._seeds(np.where(together, order[0], each), cases, inputs) for each in order]
        terms = bracket_terms(self._member, seeds, theta)
        members = [vmap(self._member, (0, None))(each, theta).norm(dim=1, keepdim=True) for each in seeds]
        least = torch.stack(members).clamp(min=SMALL).prod(dim=0)
        return (sum(terms) / torch.maximum(least, sum(term.norm(dim=1, keepdim=True) for term in terms))).numpy()

    def slopes(self, law, inputs=None, many=400):
        """The largest |<grad h, X>| over |grad h| |X| for true members X at parameters near the start."""
        worst = 0.0
        for _ in range(3):
            theta = self._near()
            rows = (
                next(self._inputs(theta))[torch.tensor(self.rng.permutation(600 * len(SCALES))[:many])]
                if inputs is None
                else torch.tensor(inputs)
            )
            seeds = torch.tensor(self.rng.normal(size=(len(rows), self._outputs)))
            seeds -= seeds.mean(dim=1, keepdim=True) if self.net.loss == "cross_entropy" else 0
            fields = vmap(self._true_member, (0, 0, None))(rows, seeds, theta)
            slope = grad(law)(theta)
            sizes = (fields.abs() @ slope.abs()).clamp(
                min=1e-6 * slope.norm().item()
            )  # a softmax may be 0 but for rounding
            worst = max(worst, ((fields @ slope).abs() / sizes).max().item())
        return worst


def polynomial(h):
    """A polynomial of the package as a function of tensors."""
    terms = [(float(c), monomial) for monomial, c in h.items()]

    def value(theta):
        total = torch.zeros((), dtype=torch.float64)
        for c, monomial in terms:
            term = torch.tensor(c, dtype=torch.float64)
            for j, power in monomial:
                term = term * theta[j] ** power
            total = total + term
        return total

    return value
