r"""Discrete steps: gradient descent, weight decay, sign descent (talk, slide 33; arXiv 2506.06194, 2012.04728)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from clexact import models
from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.polynomial import Number, Polynomial
from clexact.claims.checks import at, dimension_of, drawn_point, identity, lawful, together
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size, cases, factored, layers, weights
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import Flow
from clexact.laws.polynomial_laws import proposed_laws
from clexact.programs.model import Model
from clexact.programs.network import Network, TieError

Point = list[Any]  # polynomials or rationals
Form = Sequence[Number]


def nets(widths: Size) -> list[Model]:
    """Linear, ReLU, and ReLU with biases."""
    return [models.linear(widths), models.relu(widths), models.relu(widths, bias=True)]


def quadratic_laws(flow: Flow) -> list[Polynomial]:
    """The known laws h = theta^T A theta."""
    return [h for h in proposed_laws(flow, 2) if all(sum(k for _, k in key) == 2 for key, _ in h.items())]


# --- one step, all symbols free --------------------------------------------------------------------------------------


def _symbols(flow: Flow) -> tuple[Point, Point, Polynomial, Polynomial]:
    """theta, g = sum_i c_i X_i with free c, eta and lambda, as polynomials in all of them."""
    fields, D = flow.fields, flow.dimension
    names = [*flow.variables, *(f"c_{i}" for i in range(len(fields))), "eta", "lambda"]
    *free, eta, decay = (Polynomial.from_string(name, names) for name in names)
    theta, c = free[:D], free[D:]
    zero = eta - eta
    parts = [[at(p, theta) * c[i] for p in fields.components(i)] for i in range(len(fields))]
    return theta, [sum(column, zero) for column in zip(*parts, strict=True)], eta, decay


Move = Callable[[Any, Any, Any, Any], Any]  # (theta_j, g_j, eta, lambda) -> new theta_j
Stated = Callable[[Any, Any, Any, Any], Any]  # (h(theta), h(g), eta, lambda) -> h of the new theta


def _stepped(move: Move, stated: Stated) -> Callable[[Size, int], Check]:
    """Whether h(theta+) is as stated, for every known quadratic law of the three networks, as an identity."""

    def check(widths: Size, seed: int) -> Check:
        return together([_one_step(gradient_flow(net), move, stated) for net in nets(widths)])

    return check


def _one_step(flow: Flow, move: Move, stated: Stated) -> Check:
    theta, g, eta, decay = _symbols(flow)
    laws = quadratic_laws(flow)
    after = [move(x, y, eta, decay) for x, y in zip(theta, g, strict=True)]
    right = [at(h, after) == stated(at(h, theta), at(h, g), eta, decay) for h in laws]
    return identity(
        all(right), "an identity for each law", f"{sum(right)} of {len(right)} laws",
        f"identities over Q in theta, eta, lambda and the {len(flow.fields)} coefficients of g", flow.dimension,
    )  # fmt: skip


# --- runs on data ----------------------------------------------------------------------------------------------------

STEPS = 5
DRAWS = 20  # of data and start, at most


class DescentRun:
    """``STEPS`` exact steps of descent on rational data, squared loss: the points and the gradients."""

    def __init__(self, model: Model, rates: Sequence[Fraction], seed: int, batch: int) -> None:
        draws, inputs = Draws(seed), model.probes["x"][0]
        outputs = model.program.shape[0]
        count = 3
        x = [[Fraction(c or 1) for c in draws.integers(-5, 5, inputs)] for _ in range(count)]
        y = [[Fraction(c) for c in draws.integers(-5, 5, outputs)] for _ in range(count)]
        point: Point = [Fraction(c or 3, 4) for c in draws.integers(-4, 4, model.dimension)]
        self.rates, self.points, self.gradients = rates, [point], list[Point]()
        for k, rate in enumerate(rates):
            chosen = [(k * batch + i) % count for i in range(batch)]
            gradient = _gradient(model, point, [x[i] for i in chosen], [y[i] for i in chosen])
            point = [a - rate * b for a, b in zip(point, gradient, strict=True)]
            self.points.append(point)
            self.gradients.append(gradient)


def _gradient(model: Model, point: Point, x: Sequence[Point], y: Sequence[Point]) -> Point:
    r"""Of $\frac{1}{2N} \sum_i |g(\theta, x_i) - y_i|^2$, with the true gates."""
    network, total = Network(model, point), [Fraction(0)] * model.dimension
    for given, wanted in zip(x, y, strict=True):
        values, _ = network.values(network.shaped(given))
        residual = values[network.program.output].ravel() - np.array(wanted, dtype=object)
        rows = network.jacobian(values, network.program.output)
        total = [a + Fraction(b) / len(x) for a, b in zip(total, residual @ rows, strict=True)]
    return total


def constant(steps: int) -> list[Fraction]:
    """eta_k = 1/50."""
    return [Fraction(1, 50)] * steps


def harmonic(steps: int) -> list[Fraction]:
    """eta_k = 1/(20(k + 1))."""
    return [Fraction(1, 20 * (k + 1)) for k in range(steps)]


def drawn_run(model: Model, rates: Sequence[Fraction], seed: int, batch: int) -> DescentRun:
    """A run in which no unit receives exactly 0; such data are drawn again."""
    for attempt in range(DRAWS):
        try:
            return DescentRun(model, rates, seed + attempt, batch)
        except TieError:
            continue
    raise TieError(f"{model.name}: a unit received exactly 0 in each of {DRAWS} runs drawn.")


@cache
def runs(widths: Size, seed: int) -> list[tuple[DescentRun, list[Polynomial]]]:
    """GD and SGD, constant and harmonic steps, of the three networks; with the laws."""
    schedules = [(constant(STEPS), 3), (harmonic(STEPS), 3), (constant(STEPS), 1)]
    return [
        (drawn_run(net, rates, seed, batch), quadratic_laws(gradient_flow(net)))
        for net in nets(widths)
        for rates, batch in schedules
    ]


def _ledger(power: int) -> Callable[[Size, int], Check]:
    """Whether the drift of each law along a run is the sum of eta_k^power h(g_k)."""

    def check(widths: Size, seed: int) -> Check:
        right = [
            at(h, run.points[-1]) - at(h, run.points[0])
            == sum(eta**power * at(h, g) for eta, g in zip(run.rates, run.gradients, strict=True))
            for run, laws in runs(widths, seed)
            for h in laws
        ]
        return _of_runs(right, "equal drifts", widths)

    return check


def _of_runs(right: list[bool], stated: str, widths: Size) -> Check:
    said = f"{STEPS} exact rational steps of GD and SGD on random data, linear and ReLU"
    return identity(all(right), stated, f"{sum(right)} of {len(right)} laws and runs", said, weights(widths))


def _curvature(h: Polynomial) -> Fraction:
    """Largest row sum of absolute values of the Hessian, at least its norm."""
    sums = [sum((abs(c) for _, c in partial.gradient[j].items()), Fraction(0))
            for partial in h.gradient for j in range(len(h.variables))]  # fmt: skip
    D = len(h.variables)
    return max(sum(sums[i * D : (i + 1) * D], Fraction(0)) for i in range(D))


def _bounded(factor: Fraction) -> Callable[[Size, int], Check]:
    """Whether |h(theta_k) - h(theta_0)| <= factor C_h C_L sum_{i<k} eta_i^2 at each k, C_L the largest |g_i|^2."""

    def check(widths: Size, seed: int) -> Check:
        right = [_within(run, h, factor) for run, laws in runs(widths, seed) for h in laws]
        return _of_runs(right, "within the bound", widths)

    return check


def _within(run: DescentRun, h: Polynomial, factor: Fraction) -> bool:
    steep = max(sum(c * c for c in g) for g in run.gradients)
    start, spent = at(h, run.points[0]), Fraction(0)
    for eta, point in zip(run.rates, run.points[1:], strict=True):
        spent += eta**2
        if abs(at(h, point) - start) > factor * _curvature(h) * steep * spent:
            return False
    return True


def _order(coefficient: Callable[[int, Any], Any]) -> Callable[[Size, int], Check]:
    """Whether the drift after K = 2 steps of GD on U V^T is eta^2 S(eta), S(0) = coefficient(K, h(g_0)), exactly."""

    def check(size: Size, seed: int) -> Check:
        flow = gradient_flow(models.nmf(*size))
        start = [Fraction(c, 2) for c in drawn_point(flow.dimension, seed)]
        targets = drawn_point(len(flow.fields), seed + 1)
        eta = Polynomial.from_string("eta", ["eta"])
        point: Point = [eta * 0 + c for c in start]
        first = _towards(flow, size, point, targets)
        for _ in range(2):
            point = [x - eta * g for x, g in zip(point, _towards(flow, size, point, targets), strict=True)]
        right = []
        for h in quadratic_laws(flow):
            drift = dict((at(h, point) - at(h, start)).items())
            lowest = [sum(k for _, k in key) for key in drift]
            second = drift.get(((0, 2),), Fraction(0))
            right.append(min(lowest, default=2) >= 2 and second == coefficient(2, at(h, first)(0)))
        return identity(
            all(right), "eta^2 S(eta) with that S(0)", f"{sum(right)} of {len(right)} laws",
            "exact polynomials in eta", flow.dimension,
        )  # fmt: skip

    return check


def _towards(flow: Flow, size: Size, point: Point, targets: Sequence[int]) -> Point:
    r"""Of $\frac12 |U V^\top - Y|^2$: the residuals times the gradients of the entries."""
    n, r, m = size
    entries = [sum(point[i * r + k] * point[n * r + j * r + k] for k in range(r)) for i in range(n) for j in range(m)]
    total: Point = [point[0] * 0] * flow.dimension
    for value, target, i, j in zip(entries, targets, np.repeat(range(n), m), np.tile(range(m), n), strict=True):
        for k in range(r):
            u, v = i * r + k, n * r + j * r + k
            total[u] = total[u] + (value - target) * point[v]
            total[v] = total[v] + (value - target) * point[u]
    return total


# --- signs -----------------------------------------------------------------------------------------------------------


def sign_number(n: int, r: int, m: int) -> int:
    """Of U V^T: parameters minus components of the gradient that are no multiples of each other."""
    if n == m == 1:
        return 2 * r - 1
    return (r - 1) * (n if m == 1 else m if n == 1 else 0)


def _forms(fields: VectorFields, point: Sequence[Number]) -> list[Form]:
    """The components of g = sum_i c_i X_i at a point, as linear forms in c."""
    values, D = fields.values(point), fields.dimension
    return [tuple(values.get(i * D + j, 0) for i in range(len(fields))) for j in range(D)]


def _ties(forms: list[Form]) -> int:
    """How many forms are left when multiples are taken together."""
    kept: list[Form] = []
    for form in forms:
        if not any(_parallel(form, other) for other in kept):
            kept.append(form)
    return len(kept)


def _parallel(a: Form, b: Form) -> bool:
    return all(a[i] * b[j] == a[j] * b[i] for i, j in combinations(range(len(a)), 2))


def _sign_vectors(forms: list[Form], seed: int) -> list[list[int]]:
    """Signs of all forms on the two sides of the kernel of each, near a drawn point of it."""
    draws, found = Draws(seed), []
    for form in forms:
        drawn = [Fraction(x or 7) for x in draws.integers(-99, 99, len(form))]
        lead = _value(form, drawn) / _value(form, form)
        on = [x - lead * y for x, y in zip(drawn, form, strict=True)]
        others = [(_value(f, on), _value(f, form)) for f in forms if not _parallel(f, form)]
        far = [abs(here / slope) for here, slope in others if slope]  # where other kernels are
        step = min(far, default=Fraction(2)) / 2 or Fraction(1)
        for side in (step, -step):
            values = [_value(f, [x + side * y for x, y in zip(on, form, strict=True)]) for f in forms]
            if all(values):
                found.append([1 if value > 0 else -1 for value in values])
    return found


def _value(form: Form, c: Form) -> Fraction:
    return sum((Fraction(x * y) for x, y in zip(form, c, strict=True)), Fraction(0))


def _signs(stated: Callable[[Size], int]) -> Callable[[Size, int], Check]:
    r"""The number of laws of theta' = -sign(grad E) near a drawn point.

    Where no component of a gradient vanishes, its signs stay: the fields are constant vectors, whose brackets vanish.
    At least D - (components up to multiples) laws: multiples have tied signs. At most D - (rank of sign vectors met).
    """

    def check(size: Size, seed: int) -> Check:
        fields = gradient_flow(models.nmf(*size)).fields
        D, point = fields.dimension, drawn_point(fields.dimension, seed, 999)
        forms = _forms(fields, point)
        rank = dimension_of([dict(enumerate(row)) for row in _sign_vectors(forms, seed)])
        low, high = D - _ties(forms), D - rank
        known = low if low == high else None
        return Check(
            None if known is None else known == stated(size), str(stated(size)),
            f"{low}" if low == high else f"{low} to {high}",
            f"{_ties(forms)} components up to multiples; sign vectors of rank {rank} over Q, met at rational gradients",
            D, count=known,
        )  # fmt: skip

    return check


# --- layers and symmetries -------------------------------------------------------------------------------------------


def _norms(widths: Size, seed: int) -> Check:
    """|W_{l+1}|^2 - |W_l|^2 for each l: conserved and independent."""
    found = []
    for net in (models.linear(widths), models.relu(widths)):
        names = list(net.parameters)
        squares = [" + ".join(f"{v}^2" for v in net.variables if v.startswith(f"{name}[")) for name in names]
        laws = [Polynomial.from_string(f"{b} - {a.replace(' + ', ' - ')}", net.variables) for a, b in pairwise(squares)]
        check = lawful(gradient_flow(net), laws, seed)
        rank = dimension_of([dict(h.items()) for h in laws])
        found.append(identity(
            bool(check.holds) and rank == len(widths) - 2, f"{len(widths) - 2} laws", f"{check.found}, of rank {rank}",
            check.evidence, check.dimension,
        ))  # fmt: skip
    return together(found)


def scale_invariant(decay: str) -> VectorFields:
    r"""The gradients of $w_j w_k / |w|^2$, times $|w|^4$, and the drift of weight decay, in (s, w), w in R^3."""
    names = ["s", "w0", "w1", "w2"]
    square = "(w0^2 + w1^2 + w2^2)"
    fields = [[f"{decay}*s", *(f"-{decay}*{w}" for w in names[1:])]] if decay != "0" else []
    for j in range(3):
        for k in range(j, 3):
            rows = [f"{square}*({int(i == j)}*w{k} + {int(i == k)}*w{j}) - 2*w{j}*w{k}*w{i}" for i in range(3)]
            fields.append(["0", *rows])
    return VectorFields.from_strings(names, fields)


def _symmetric(decay: Fraction, powers: tuple[int, int, int]) -> Callable[[Size, int], Check]:
    """Whether s^p times the number conserved without decay is conserved: translation, scale, rescale."""

    def check(size: Size, seed: int) -> Check:
        case, clock = size[0], "".join("s*" for _ in range(powers[size[0] - 1]))
        if case == 2:
            law = " + ".join(f"{clock}w{j}^2" for j in range(3))
            return lawful(scale_invariant(str(decay)), [law], seed)
        net = models.linear([3, 2] if case == 1 else [2, 1, 3])
        loss = "cross_entropy" if case == 1 else "full"
        flow = gradient_flow(net, loss, weight_decay=decay)
        law = " + ".join(f"{clock}U1[{i},0]" for i in range(3))
        if case == 3:
            law = " + ".join(f"{clock}U1[{i},0]^2" for i in range(2))
            law += "".join(f" - {clock}U2[0,{j}]^2" for j in range(3))
        return lawful(flow, [law], seed)

    return check


STEP = layers(weights, quick=3, full=6, depths=(2, 3, 4), edges=((1, 2, 1), (2, 1, 2)))
RUNS = layers(weights, quick=3, full=7, depths=(2, 3), edges=((1, 2, 1), (2, 2, 2), (1, 1, 1, 1)))
SIZES = Grid(("n", "r", "m"), factored, quick=3, full=12, edges=((1, 3, 1), (2, 2, 2)))
SIGNS = Grid(
    ("n", "r", "m"), factored, quick=4, full=12,
    edges=((1, 7, 1), (2, 2, 2), (1, 2, 2), (2, 2, 1), (2, 3, 2), (2, 5, 1), (1, 5, 2), (3, 2, 3), (2, 5, 2)),
)  # fmt: skip

CLAIMS = [
    Claim(
        "discrete.step",
        "One step of gradient descent",
        "talk, slide 33; arXiv 2506.06194, section 5",
        Statement(
            "for a quadratic law h = theta^T A theta and g in W(theta), h(theta - eta g) - h(theta) = eta^2 g^T A g",
            r"h(\theta - \eta g) - h(\theta) = \eta^2 g^\top A g",
            _stepped(lambda x, g, eta, decay: x - eta * g, lambda h, hg, eta, decay: h + eta**2 * hg),
        ),
        STEP,
        note="For linear and ReLU networks with and without biases, g any combination of the fields. The gates stay.",
        pictures=("drift",),
    ),
    Claim(
        "discrete.decay",
        "One step with weight decay",
        "arXiv 2506.06194, section 5; arXiv 2012.04728",
        Statement(
            "theta+ = (1 - eta lambda) theta - eta g gives h(theta+) = (1 - eta lambda)^2 h(theta) + eta^2 g^T A g",
            r"h(\theta^+) = (1 - \eta\lambda)^2 h(\theta) + \eta^2 g^\top A g",
            _stepped(
                lambda x, g, eta, decay: (1 - eta * decay) * x - eta * g,
                lambda h, hg, eta, decay: (1 - eta * decay) ** 2 * h + eta**2 * hg,
            ),
        ),
        STEP,
    ),
    Claim(
        "discrete.decay-after",
        "One step, then weight decay",
        "the same formula for the other order",
        Statement(
            "theta+ = (1 - eta lambda)(theta - eta g) gives h(theta+) = (1 - eta lambda)^2 h(theta) + eta^2 g^T A g",
            r"\theta^+ = (1 - \eta\lambda)(\theta - \eta g): \; "
            r"h(\theta^+) = (1 - \eta\lambda)^2 h(\theta) + \eta^2 g^\top A g",
            _stepped(
                lambda x, g, eta, decay: (1 - eta * decay) * (x - eta * g),
                lambda h, hg, eta, decay: (1 - eta * decay) ** 2 * h + eta**2 * hg,
            ),
        ),
        STEP,
        instead=Statement(
            "it gives (1 - eta lambda)^2 (h(theta) + eta^2 g^T A g)",
            r"(1 - \eta\lambda)^2 (h(\theta) + \eta^2 g^\top A g)",
            _stepped(
                lambda x, g, eta, decay: (1 - eta * decay) * (x - eta * g),
                lambda h, hg, eta, decay: (1 - eta * decay) ** 2 * (h + eta**2 * hg),
            ),
        ),
        note="The order of decay and step matters.",
    ),
    Claim(
        "discrete.ledger",
        "The drift of a whole run",
        "arXiv 2506.06194, proposition 5.1, for quadratic laws",
        Statement(
            "h(theta_K) - h(theta_0) is the sum of eta_k^2 h(g_k), g_k the gradient of step k: of GD and of SGD",
            r"h(\theta_K) - h(\theta_0) = \sum_{k < K} \eta_k^2\, h(g_k)",
            _ledger(2),
        ),
        RUNS,
        note=f"{STEPS} steps in exact rationals, squared loss, true gates, constant and harmonic steps.",
        pictures=("drift",),
    ),
    Claim(
        "discrete.bound",
        "How far a law can drift",
        "arXiv 2506.06194, proposition 5.1",
        Statement(
            "|h(theta_k) - h(theta_0)| <= (C_h C_L / 2) sum_{i<k} tau_i^2, C_h bounding the Hessian, C_L |grad|^2",
            r"\mathbb{E}|h(\theta_k) - h(\theta_0)| \leq \frac{C_h C_L}{2} \sum_{i<k} \tau_i^2",
            _bounded(Fraction(1, 2)),
        ),
        RUNS,
        note="Along each run of discrete.ledger, without expectation, C_L being the largest of its |g|^2. So constant "
        "steps give O(tau^2 k), and tau_0/(k + 1) a bounded drift.",
    ),
    Claim(
        "discrete.order",
        "The order of the drift",
        "arXiv 2604.07405",
        Statement(
            "the drift of gradient descent is eta^2 S(eta), and S(0) = K h(grad E(theta_0)) after K steps",
            r"h(\theta_K) - h(\theta_0) = \eta^2 S(\eta), \quad S(0) = K\, h(\nabla E(\theta_0))",
            _order(lambda steps, h: steps * h),
        ),
        SIZES,
        note="K = 2, U V^T, squared loss. Exponents of 1.1 to 1.6 are measured at a fixed time K eta, where K grows; "
        "those are no exact statements and are not checked.",
    ),
    Claim(
        "discrete.sign",
        "Sign descent",
        "arXiv 2506.06194, Adam as sign descent, by its code",
        Statement(
            "theta' = -sign(grad E) of U V^T has no law, except one at n = m = r = 1",
            r"\theta' = -\text{sign}(\nabla E): \; 0, \text{ except for } n = m = r = 1",
            _signs(lambda size: int(max(size) == 1)),
        ),
        SIGNS,
        instead=Statement(
            "there are m(r - 1) laws at n = 1, n(r - 1) at m = 1, and 2r - 1 at n = m = 1; none where n, m >= 2",
            r"n = 1: \; m(r-1); \quad m = 1: \; n(r-1); \quad n = m = 1: \; 2r - 1; \quad n, m \geq 2: \; 0",
            _signs(lambda size: sign_number(*size)),
        ),
        note="Near a point where no component vanishes. At n = 1 the gradient of V_jk is c_j u_k, so its signs are "
        "tied over k: sign(u_1) V_j1 - sign(u_2) V_j2 is conserved, by the flow and by steps that keep the signs. Of "
        "Adam itself nothing is said.",
        fitted=False,
    ),
    Claim(
        "discrete.norms",
        "Differences of the layers' norms",
        "arXiv 2604.07405",
        Statement(
            "the L - 1 differences |W_{l+1}|^2 - |W_l|^2 are conserved, and independent",
            r"\|W_{l+1}\|_F^2 - \|W_l\|_F^2, \quad l = 1, \ldots, L - 1",
            _norms,
        ),
        layers(weights, quick=4, full=10, edges=((1, 1, 1, 1, 1, 1), (1, 5, 1), (5, 1, 1), (2, 3, 2))),
        note="Of linear and ReLU networks without biases: traces of the matrices of laws, so a part of all laws.",
    ),
    Claim(
        "discrete.symmetries",
        "Translation, scale, rescale",
        "arXiv 2012.04728",
        Statement(
            "<1, theta>, |theta|^2 and |theta_1|^2 - |theta_2|^2 are conserved: cases 1, 2, 3",
            r"\langle 1, \theta\rangle, \quad \|\theta\|^2, \quad \|\theta_1\|^2 - \|\theta_2\|^2",
            _symmetric(Fraction(0), (0, 0, 0)),
        ),
        cases("case", 3),
        note="A softmax layer, functions of w/|w| on R^3, and a linear network of one hidden unit.",
    ),
    Claim(
        "discrete.weight-decay",
        "Weight decay of the three",
        "arXiv 2012.04728, under weight decay",
        Statement(
            "with weight decay the first decays by the factor exp(-lambda t), the others by exp(-2 lambda t)",
            r"\langle 1, \theta(t)\rangle = e^{-\lambda t} \langle 1, \theta(0)\rangle, \quad "
            r"\|\theta(t)\|^2 = e^{-2\lambda t} \|\theta(0)\|^2",
            _symmetric(Fraction(1, 3), (1, 2, 2)),
        ),
        cases("case", 3),
        note="lambda = 1/3, s = e^(lambda t): s^2 h and s <1, theta> are laws. The damped oscillations under a heavy "
        "ball at finite steps are of a modified flow, and no exact statement.",
    ),
]
