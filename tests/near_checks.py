"""What the package says of networks near starts and on data, held against floats."""

import random
import warnings
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import torch
from near_networks import KINDS, STARTS, make, start
from near_oracle import NearOracle, polynomial

import clexact

MODES = ("near", "data", "data near")
DATA = (
    "random",
    "deficient",
    "repeated",
    "one",
    "zero_row",
    "constant_column",
    "equal_columns",
    "one_hot",
    "rational",
    "opposite",
)
ROUNDING = 1e-6


@dataclass(frozen=True)
class Case:
    """A network, a kind of start, of data, and whether these are used."""

    net: object
    mode: str
    start: str
    data: str
    seed: int

    def __str__(self):
        return f"{self.net.text}, {self.mode}, start {self.start!r}, data {self.data!r}, seed {self.seed}"

    def point(self):
        """The start."""
        return start(self.net, self.start, self.seed)

    def inputs(self):
        """The data."""
        return data(self.net.inputs, self.data, self.seed)


@dataclass
class Judgement:
    """``outcome``: exact, bounds, tied or refused."""

    outcome: str = "refused"
    violations: list = field(default_factory=list)
    weaker: list = field(default_factory=list)
    unclear: list = field(default_factory=list)
    count: object = None


def random_cases(seed, count, modes=MODES, kinds=KINDS):
    """So many cases."""
    rng = random.Random(seed)
    for n in range(count):
        net = make(rng.choice(kinds), rng.randrange(10**6))
        yield Case(net, modes[n % len(modes)], rng.choice(STARTS), rng.choice(DATA), rng.randrange(10**6))


def data(columns, kind, seed):
    """Rows of integers or rationals."""
    rng = random.Random(f"{columns} {kind} {seed}")
    rows = 1 if kind == "one" else rng.randint(2, 5)
    X = np.array([[rng.randint(-5, 5) for _ in range(columns)] for _ in range(rows)], dtype=object)
    match kind:
        case "deficient":
            X = np.array([[rng.choice([-2, -1, 1, 2, 3]) * c for c in X[0]] for _ in range(rows)], dtype=object)
        case "repeated":
            X = np.concatenate([X, X[:1], X[:1]])
        case "zero_row":
            X[0] = 0
        case "constant_column":
            X[:, rng.randrange(columns)] = rng.randint(-1, 2)
        case "equal_columns":
            X[:, -1] = X[:, 0]
        case "one_hot":
            X = np.eye(columns, dtype=int).astype(object)[[rng.randrange(columns) for _ in range(rows)]]
        case "rational":
            X = np.array([[Fraction(c, rng.randint(1, 7)) for c in row] for row in X], dtype=object)
        case "opposite":
            X = np.concatenate([X, -X])
    return X


def judged(case):
    """The bounds and laws against the oracle."""
    found, net = Judgement(), case.net
    point = case.point()
    inputs = case.inputs() if "data" in case.mode else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            flow = clexact.gradient_flow(net.model(), net.loss, inputs=inputs)
            count = clexact.certify(flow, near=point if "near" in case.mode else None)
    except clexact.TieError:
        found.outcome = "tied"
        return found
    except Exception as error:  # any other is a fault
        found.violations.append(f"raised {type(error).__name__}: {error}")
        return found
    found.outcome, found.count = "exact" if count.exact else "bounds", count
    oracle = NearOracle(net, point, case.seed)
    check(found, count, oracle, case, None if inputs is None else inputs.astype(float))
    return found


def check(found, count, oracle, case, inputs):
    """The rank of brackets, and each law."""
    rows, cases = None, np.zeros((0, 0))
    if inputs is None:
        cases = oracle.patterns()
    elif "near" in case.mode:
        rows, cases = on_data(oracle, inputs)
    else:
        rows = np.concatenate([inputs] * 40)
        cases = oracle.free(len(rows))
    said = f"{count.lower}..{count.upper} ({count.scope}), dims {count.filtration}"
    depth = min(3, len(count.filtration))
    ranks = oracle.ranks(cases, depth, rows)
    known = [rank for rank in ranks if rank is not None]
    if not known:
        found.unclear.append(f"{said}: ranks {ranks}")
    elif count.lower > count.dimension - max(known):
        found.violations.append(f"false lower bound: {said}, but ranks {ranks} of {len(cases)} gates")
    elif ranks[-1] is not None and count.dimension - count.upper > ranks[-1] and len(count.filtration) <= depth:
        found.violations.append(f"false upper bound: {said}, but ranks {ranks} of {len(cases)} gates")
    elif max(known) > count.dimension - count.upper:
        found.weaker.append(f"upper bound: {said}, but ranks {ranks}")
    elif not count.exact:
        found.weaker.append(f"open: {said}, ranks {ranks}: {reason(count)}")
    for law in count.laws.polynomials():
        free = inputs is not None and "near" not in case.mode
        slope = moved(oracle, law, rows, cases) if free else oracle.slopes(polynomial(law), inputs)
        if slope > ROUNDING:
            found.violations.append(f"no law: {law} moves by {slope:.0e} of its size; {said}")


def reason(count):
    """Why bounds may not meet."""
    return count.flow.start.regions.reason if count.flow.start is not None else "free gates"


def on_data(oracle, inputs):
    """Inputs and the gates that they open near the start."""
    rows, cases = [], []
    for _ in range(12):
        gates, _ = oracle.opened(oracle._near(), torch.tensor(inputs))
        rows.append(inputs)
        cases.append(gates)
    both = np.unique(np.concatenate([np.concatenate(rows), np.concatenate(cases)], axis=1), axis=0)
    return both[:, : inputs.shape[1]], both[:, inputs.shape[1] :]


def moved(oracle, law, rows, cases):
    """How far a law is moved by members with any gates."""
    theta = torch.tensor(oracle.rng.normal(size=len(oracle.start)))
    seeds = oracle._seeds(np.arange(len(rows)), cases, rows)
    fields = torch.func.vmap(oracle._member, (0, None))(seeds, theta)
    slope = torch.func.grad(polynomial(law))(theta)
    return ((fields @ slope).abs() / (fields.abs() @ slope.abs()).clamp(min=1e-30)).max().item()
