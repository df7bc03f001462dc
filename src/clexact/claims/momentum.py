r"""Momentum flows $\theta'' + \tau(t)\,\theta' = -\nabla E(\theta)$ (talk, slides 29 to 32; arXiv 2405.12888)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations, product

from clexact import models
from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields, lie_derivative
from clexact.algebra.polynomial import Polynomial
from clexact.claims.all_sizes import AllSizes, network
from clexact.claims.checks import compared, count_at, counted, dimension_of, identity, lawful, spanned, together
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size, factored, layers, single, weights
from clexact.claims.linear import flow as gradient
from clexact.counting.minimality import data_fields
from clexact.flows.dynamics import Damping, HeavyBall, Nesterov, gradient_flow, momentum_flow, velocity
from clexact.flows.flow import Flow
from clexact.programs.model import Model

CheckAt = Callable[[Size, int], Check]
SLIDE = "talk, slide 31; arXiv 2405.12888"
DAMPINGS: tuple[Damping, ...] = (None, HeavyBall(1), Nesterov())
MORE_DAMPINGS: tuple[Damping, ...] = (None, HeavyBall(1), HeavyBall(Fraction(1, 2)), HeavyBall(3), Nesterov())

OVER = ((1, 3, 1), (1, 6, 1), (1, 4, 2), (2, 4, 1), (2, 4, 2))  # r >= n + m
EDGES = (*OVER, (1, 1, 5), (5, 1, 1), (2, 1, 2), (3, 1, 2), (2, 1, 3), (2, 2, 2))
GRID = Grid(("n", "r", "m"), factored, quick=4, full=12, edges=EDGES)
# r >= 2(n + m) + 2 from 1, 8, 2 on
WIDE = Grid(("n", "r", "m"), factored, quick=4, full=27, edges=EDGES, most=(3, 12, 3))


def flow(size: Size, damping: Damping = None) -> Flow:
    """Of U V^T."""
    return momentum_flow(models.nmf(*size), damping)


SPARE = "max(0, r - 2*(n + m))"  # more units than positions and velocities have room for
ONE_FORM = "max(0, r - 2)"  # the same for one quadratic form

# --- Noether's laws --------------------------------------------------------------------------------------------------

FACTOR = {type(None): "", HeavyBall: "s*", Nesterov: "t^3*"}  # e^(integral of tau)


def _turned(a: str, b: str, rows: int, k: int, j: int) -> str:
    """<a', b A> for the antisymmetric A with A_kj = 1 = -A_jk."""
    return "".join(f" + F*{a}'[{i},{j}]*{b}[{i},{k}] - F*{a}'[{i},{k}]*{b}[{i},{j}]" for i in range(rows))


def _pairs(size: Size, damping: Damping, pairing: Callable[[int, int], str]) -> list[Polynomial]:
    """The law of each k < j, its F replaced by the factor of the damping."""
    names, factor = flow(size, damping).variables, FACTOR[type(damping)]
    texts = [pairing(k, j).removeprefix(" + ") for k, j in combinations(range(size[1]), 2)]
    return [Polynomial.from_string(text.replace("F*", factor), names) for text in texts]


def noether(size: Size, damping: Damping) -> list[Polynomial]:
    """e^(integral of tau) (<U', U A> + <V', V A>) for a basis of the antisymmetric A."""
    n, _, m = size
    return _pairs(size, damping, lambda k, j: _turned("U", "U", n, k, j) + _turned("V", "V", m, k, j))


def crossed(size: Size, damping: Damping) -> list[Polynomial]:
    """e^(integral of tau) (<U', V A> + <V', U A>), as slide 31 has it; n = m."""
    n = size[0]
    return _pairs(size, damping, lambda k, j: _turned("U", "V", n, k, j) + _turned("V", "U", n, k, j))


def _written(size: Size, seed: int) -> Check:
    n, r, m = size
    if n != m:
        said = f"U' is {n} x {r} and V A is {m} x {r}: they have no inner product"
        return identity(False, "a conserved number", said, "sizes of matrices", 2 * factored(size) + 1)
    return together([lawful(flow(size, d), crossed(size, d), seed) for d in MORE_DAMPINGS])


def _meant(size: Size, seed: int) -> Check:
    return together([lawful(flow(size, d), noether(size, d), seed) for d in MORE_DAMPINGS])


def _all_laws(size: Size, damping: Damping) -> list[Polynomial]:
    """Noether's, and the crossed ones where they are laws."""
    return noether(size, damping) + (crossed(size, damping) if size[0] == size[2] == 1 else [])


def _generators(size: Size, seed: int) -> Check:
    r"""Of h_G = <U', U G> - <V', V G^T>, G any r x r, the conserved ones: the kernel of G -> derivatives of h_G."""
    n, r, m = size
    fields, names = flow(size).fields, flow(size).variables
    texts = [
        " + ".join(f"U'[{i},{b}]*U[{i},{a}]" for i in range(n))
        + "".join(f" - V'[{j},{a}]*V[{j},{b}]" for j in range(m))
        for a, b in product(range(r), repeat=2)
    ]
    laws = [Polynomial.from_string(text, names) for text in texts]
    moved = [[dict(p.items()) for p in lie_derivative(h, fields)] for h in laws]
    rows = [{(i, key): c for i, p in enumerate(row) for key, c in p.items()} for row in moved]
    kernel, stated = r * r - dimension_of(rows), r * (r - 1) // 2
    return identity(
        kernel == stated, f"{stated} of {r * r} generators conserved", f"a kernel of dimension {kernel}",
        "exact derivatives and their rank over Q", fields.dimension,
    )  # fmt: skip


# --- how many --------------------------------------------------------------------------------------------------------


def slide_32(n: int, r: int, m: int) -> int:
    """r(r - 1)/2."""
    return r * (r - 1) // 2


def paper(n: int, r: int, m: int) -> int:
    """r(r - 1)/2 - max(0, s)(s - 1)/2, s = r - 2(n + m)."""
    s = r - 2 * (n + m)
    return r * (r - 1) // 2 - max(0, s) * (s - 1) // 2


def number(n: int, r: int, m: int) -> int:
    r"""The paper's; at n = m = 1, where O(r) x O(r) acts on (u + v, u - v), each with one position and one velocity:
    2 [r(r - 1)/2 - max(0, r - 2)(r - 3)/2]."""
    return 2 * (r * (r - 1) // 2 - max(0, r - 2) * (r - 3) // 2) if n == m == 1 else paper(n, r, m)


def deep_flow(widths: Size) -> Flow:
    """Of a deep linear network."""
    return momentum_flow(models.linear(widths))


def deep(widths: Size) -> int:
    """Each hidden layer counts as the inner layer between its two neighbours."""
    return sum(number(a, r, b) for a, r, b in zip(widths, widths[1:], widths[2:], strict=False))


def _fewer(expected: Callable[[Size], bool]) -> CheckAt:
    """Whether momentum has fewer laws than the gradient flow, exactly where expected."""

    def check(size: Size, seed: int) -> Check:
        momentum, flat = count_at(flow, (size,), seed), count_at(gradient, (size,), seed)
        known = momentum.exact and flat.exact
        holds = (momentum.lower < flat.lower) is expected(size) if known else None
        return Check(
            holds, "fewer" if expected(size) else "not fewer", f"{momentum.headline}, gradient flow: {flat.headline}",
            f"{momentum.evidence.upper}; {flat.evidence.upper}", momentum.dimension,
            count=momentum.lower if known else None,
        )  # fmt: skip

    return check


def _still_fewer(size: Size) -> bool:
    n, r, m = size
    return r <= 2 if n == m == 1 else (r - n - m) ** 2 < r + n + m or r < n + m


def timeless(size: Size, damping: Damping) -> VectorFields:
    """The fields and d/dclock: their laws are the h(theta, theta')."""
    lifted = flow(size, damping)
    still = VectorFields.from_strings(lifted.variables, [["1"] + ["0"] * (lifted.dimension - 1)])
    return lifted.fields + still


def _without_time(stated: Callable[[Size, Damping], int]) -> CheckAt:
    return lambda size, seed: together(
        [compared(count_at(timeless, (size, d), seed), stated(size, d)) for d in DAMPINGS]
    )


def _ratios(size: Size, damping: Damping) -> int:
    return number(*size) if damping is None else max(0, number(*size) - 1)


# --- ReLU ------------------------------------------------------------------------------------------------------------


def _relu(widths: Size, seed: int) -> Check:
    nets = [models.relu(widths, bias) for bias in (False, True)]
    return together([counted(momentum_flow(net, d), 0, seed) for net in nets for d in DAMPINGS])


def scalar_relu(size: Size) -> Model:
    """n outputs, one input without biases: p units with v > 0, which answer to x > 0, and q with v < 0, to x < 0."""
    n, p, q = size
    return Model(
        {"U": (n, p), "v": (p,), "W": (n, q), "w": (q,)}, {"x": (), "y": ()},
        lambda U, v, W, w, x, y: U @ (v * x) + W @ (w * y),
    )  # fmt: skip


def _agrees(size: Size, seed: int) -> bool:
    """Whether the true gradients of the ReLU network at x = 1, -1 are those fields, at a point with these signs."""
    n, p, q = size
    r, draws = p + q, Draws(seed)
    U = [draws.integers(1, 9, r) for _ in range(n)]
    v = [c if k < p else -c for k, c in enumerate(draws.integers(1, 9, r))]
    true = data_fields(models.relu([n, r, 1]), [[1], [-1]], [c for row in U for c in row] + v).rows.tolist()
    order = [*((i, k) for i in range(n) for k in range(p)), *((None, k) for k in range(p))]
    order += [*((i, k) for i in range(n) for k in range(p, r)), *((None, k) for k in range(p, r))]
    point = [v[k] if i is None else U[i][k] for i, k in order]
    place = [n * r + k if i is None else i * r + k for i, k in order]
    split = gradient_flow(scalar_relu(size)).fields
    values, D = split.values(point), split.dimension
    ours = [[values.get(f * D + j, 0) for j in range(D)] for f in range(len(split))]
    truth = [dict(enumerate(row[j] for j in place)) for row in true]
    given = [dict(enumerate(row)) for row in ours]
    return dimension_of(truth) == dimension_of(given) == dimension_of(truth + given)


def scalar_flow(size: Size) -> Flow:
    """Its momentum flow without damping."""
    return momentum_flow(scalar_relu(size))


def _scalar(stated: Callable[[Size], int]) -> CheckAt:
    def check(size: Size, seed: int) -> Check:
        if not _agrees(size, seed):
            raise ArithmeticError(f"the fields of {size} are not those of the network.")
        return compared(count_at(scalar_flow, (size,), seed), stated(size))

    return check


# --- slides 29 to 32, as written -------------------------------------------------------------------------------------


def lifted(size: Size, tau: str) -> VectorFields:
    r"""The fields of slide 32 in (t, theta, theta'): (1, theta', -tau theta') and (0, 0, grad phi_i)."""
    base = gradient(size).fields
    D, names = base.dimension, base.variables
    fast = [velocity(name) for name in names]
    drift = ["1", *fast, *(f"-({tau})*{v}" for v in fast)]
    kicks = [["0"] * (D + 1) + [str(p) for p in base.components(i)] for i in range(len(base))]
    return VectorFields.from_strings(["t", *names, *fast], [drift, *kicks])


def damped(size: Size, power: int) -> VectorFields:
    r"""Damping 3/t^p, the drift times t^p: (t^p, t^p theta', -3 theta')."""
    plain = lifted(size, "0")
    fast = plain.variables[1 + factored(size) :]
    clear = f"t^{power}"
    drift = [[clear, *(f"{clear}*{v}" for v in fast), *(f"-3*{v}" for v in fast)]]
    return VectorFields.from_strings(plain.variables, drift) + plain.select(range(1, len(plain)))


def _cubed(power: int) -> CheckAt:
    """Whether t^3 (<U', U A> + <V', V A>) is conserved under the damping 3/t^p."""
    return lambda size, seed: lawful(damped(size, power), [str(h) for h in noether(size, Nesterov())], seed)


def factored_law(rate: int) -> CheckAt:
    """Whether s (<U', U A> + <V', V A>), s' = rate/t^3 s, is conserved under the damping 3/t^3."""

    def check(size: Size, seed: int) -> Check:
        plain = damped(size, 3)
        names = ["t", "s", *plain.variables[1:]]
        rows = [[str(p) for p in plain.components(i)] for i in range(len(plain))]
        rows = [[row[0], f"{rate}*s" if i == 0 else "0", *row[1:]] for i, row in enumerate(rows)]
        laws = [str(h) for h in noether(size, HeavyBall(1))]  # s stands for the factor there as well
        return lawful(VectorFields.from_strings(names, rows), laws, seed)

    return check


def _scheme(power: int) -> CheckAt:
    r"""Nesterov's step in the time t = k e, e = sqrt(eta), on x(t): its limit beside x'' + (3/t^p) x'.

    (x_{k+1} - x_k) - (k - 1)/(k + 2) (x_k - x_{k-1}), times (t + 2 e)/e^2, at e = 0.
    """

    def check(size: Size, seed: int) -> Check:
        t, e, x1, x2 = (Polynomial.from_string(name, ["t", "e", "x1", "x2"]) for name in ("t", "e", "x1", "x2"))
        forward, backward = x1 + x2 * e / 2, x1 - x2 * e / 2  # over e, and up to e^2, which vanishes in the limit
        step = (t + 2 * e) * forward - (t - e) * backward  # times (t + 2 e)/e
        first = {key: c for key, c in step.items() if (1, 1) in key}
        rest = [key for key, _ in step.items() if all(v != 1 for v, _ in key)]
        limit = Polynomial.from_sparse(t.variables, {tuple(f for f in k if f != (1, 1)): c for k, c in first.items()})
        true = not rest and limit * t**power == t * (t**power * x2 + 3 * x1)
        return identity(true, f"x'' + 3/t^{power} x'", f"({limit})/t, x1 = x', x2 = x''", "an exact limit", 1)

    return check


def _lagrangian(half: bool) -> CheckAt:
    """Whether d/dt dL/dv - dL/dtheta is a multiple of theta'' + tau theta' + grad E, for a random quartic E."""

    def check(size: Size, seed: int) -> Check:
        D, case = size
        damping = MORE_DAMPINGS[case - 1]
        names = [*(f"{x}{j}" for x in "xva" for j in range(D)), "c"]  # position, velocity, acceleration, clock

        def of(text: str) -> Polynomial:
            return Polynomial.from_string(text, names)

        rate = damping.rate if isinstance(damping, HeavyBall) else 0
        nesterov = isinstance(damping, Nesterov)
        power = 1 if rate else 3 if nesterov and half else 0  # of c = e^(tau t), or c = t: e^(3/t * t) is constant
        clock = of("1") if nesterov else of(f"{rate}*c")  # c'
        energy = _quartic(names, D, Draws(seed))
        speed = sum((of(f"v{j}") ** 2 for j in range(D)), of("0"))
        L = of("c") ** power * ((speed / 2 if half else speed) - energy)

        def rise(h: Polynomial) -> Polynomial:
            moved = [h.diff(f"x{j}") * of(f"v{j}") + h.diff(f"v{j}") * of(f"a{j}") for j in range(D)]
            return sum(moved, h.diff("c") * clock)

        ok = True
        for j in range(D):
            euler = rise(L.diff(f"v{j}")) - L.diff(f"x{j}")
            motion = of(f"a{j}") + energy.diff(f"x{j}")
            if nesterov:  # times t
                euler, motion = of("c") * euler, of("c") * motion + 3 * of(f"v{j}")
            ok &= euler == of("c") ** power * (motion + rate * of(f"v{j}"))
        found = "the equation of motion" if ok else "another equation"
        return identity(ok, "the equation of motion", found, "an exact identity of polynomials", 2 * D + 1)

    return check


def _quartic(names: list[str], D: int, draws: Draws) -> Polynomial:
    terms: dict[Sequence[int], int] = {}
    for powers in product(range(5), repeat=D):
        if sum(powers) <= 4:
            terms[(*powers, *[0] * (2 * D + 1))] = draws.integers(1, 9, 1)[0]
    return Polynomial(names, terms)


SMALL = Grid(
    ("n", "r", "m"), factored, quick=3, full=10,
    edges=((1, 2, 1), (1, 4, 1), (1, 2, 2), (1, 4, 2), (2, 4, 1), (2, 1, 2), (2, 3, 2)),
)  # fmt: skip
LIFTED = Grid(("n", "r", "m"), factored, quick=3, full=10, edges=((1, 2, 1), (1, 2, 2)))
RELU = layers(weights, quick=3, full=7, edges=((1, 2, 1), (2, 1, 2), (1, 2, 2)))
DEEP = layers(
    weights, quick=3, full=7, depths=(3, 4, 5),
    edges=((1, 2, 1, 1), (1, 1, 2, 1), (1, 2, 1, 2), (2, 2, 2, 2), (2, 3, 2, 2)),
)  # fmt: skip
SCALAR = Grid(
    ("n", "p", "q"), lambda size: (size[0] + 1) * (size[1] + size[2]), quick=4, full=14,
    edges=((1, 2, 1), (1, 1, 2), (1, 3, 1), (2, 1, 3), (2, 2, 1), (2, 1, 2)),
)  # fmt: skip
MOTIONS = Grid(("D", "damping"), lambda size: size[0], quick=2, full=3, most=(3, len(MORE_DAMPINGS)))

CLAIMS = [
    Claim(
        "momentum.noether",
        "Noether's laws of a linear network under momentum",
        SLIDE,
        Statement(
            "for every antisymmetric A, e^(integral of tau) (<U', V A> + <V', U A>) is conserved",
            r"\forall A \text{ antisymmetric}: \; h(\theta, \dot\theta, t) = e^{\int_0^t \tau}"
            r"(\langle \dot U, V A\rangle + \langle \dot V, U A\rangle)",
            _written,
        ),
        GRID,
        meant=Statement(
            "for every antisymmetric A, e^(integral of tau) (<U', U A> + <V', V A>) is conserved",
            r"h(\theta, \dot\theta, t) = e^{\int_0^t \tau}(\langle \dot U, U A\rangle + \langle \dot V, V A\rangle)",
            _meant,
        ),
        note="Checked for tau = 0, 1, 1/2, 3 and 3/t. The products as written exist only for n = m, and at n = m = 1 "
        "they are laws too: a second family, of rotations that mix u and v.",
        pictures=("momentum",),
    ),
    Claim(
        "momentum.no-others",
        "No other quadratic laws of a linear network under momentum",
        "talk, slide 31, theorem; arXiv 2405.12888",
        Statement(
            "the laws are those of Noether: every law quadratic in positions and velocities is a combination of them",
            r"\text{for } \varphi(\theta) = U V^\top \text{ the conservation laws are } "
            r"e^{\int_0^t \tau}(\langle \dot U, U A\rangle + \langle \dot V, V A\rangle)",
            lambda size, seed: together([spanned(flow(size, d), noether(size, d), 2, seed) for d in DAMPINGS]),
        ),
        SMALL,
        instead=Statement(
            "they are those of Noether and, at n = m = 1, e^(integral of tau) (<u', v A> + <v', u A>)",
            r"\text{and, at } n = m = 1, \; e^{\int_0^t \tau}(\langle \dot u, v A\rangle + \langle \dot v, u A\rangle)",
            lambda size, seed: together([spanned(flow(size, d), _all_laws(size, d), 2, seed) for d in DAMPINGS]),
        ),
        note="Linear combinations, all powers of the clock. Of functions of them, momentum.number decides.",
    ),
    Claim(
        "momentum.count",
        "How many laws momentum has: the slide",
        "talk, slide 32",
        Statement(
            "momentum flows have r(r - 1)/2 independent laws",
            r"\text{momentum flows: } r(r-1)/2",
            lambda size, seed: compared(count_at(flow, (size,), seed), slide_32(*size)),
        ),
        WIDE,
        instead=Statement(
            "there are r(r - 1)/2 - s(s - 1)/2, s = max(0, r - 2(n + m)); at n = m = 1 there are "
            "r(r - 1) - s(s - 1), s = max(0, r - 2)",
            r"r(r-1)/2 - s(s-1)/2, \; s = \max(0, r - 2(n+m)); \quad "
            r"n = m = 1: \; r(r-1) - s(s-1), \; s = \max(0, r-2)",
            lambda size, seed: compared(count_at(flow, (size,), seed), number(*size)),
        ),
        note="The slide's number fails exactly where r >= 2(n + m) + 2, from 1, 8, 2 on, and at n = m = 1 for r >= 2. "
        "There phi is one quadratic form of signature (r, r), which O(r) x O(r) leaves alone, not O(r) only.",
        pictures=("momentum",),
        fitted=False,
    ),
    Claim(
        "momentum.number",
        "How many laws momentum has: the corrected number",
        "arXiv 2405.12888, linear networks",
        Statement(
            "there are r(r - 1)/2 - max(0, s)(s - 1)/2 independent laws, s = r - 2(n + m)",
            r"r(r-1)/2 - \max(0, s)(s-1)/2, \quad s = r - 2(n+m)",
            lambda size, seed: compared(count_at(flow, (size,), seed), paper(*size)),
        ),
        WIDE,
        instead=Statement(
            "so it is but at n = m = 1, where there are r(r - 1) - s(s - 1), s = max(0, r - 2)",
            r"n = m = 1: \; r(r-1) - s(s-1), \quad s = \max(0, r-2)",
            lambda size, seed: compared(count_at(flow, (size,), seed), number(*size)),
            AllSizes(
                (network("nmf", "n r m", flow="momentum"),),
                f"r*(r - 1)/2 - {SPARE}*({SPARE} - 1)/2 if n + m >= 3 else r*(r - 1) - {ONE_FORM}*({ONE_FORM} - 1)",
                part="of all other sizes",
                where="n + m >= 3",
                long=True,
            ),
        ),
        note="s counts the directions of R^r that neither the positions nor the velocities reach.",
        fitted=False,
    ),
    Claim(
        "momentum.fewer",
        "Momentum keeps fewer laws than the gradient flow",
        "arXiv 2405.12888, abstract",
        Statement(
            "they are less numerous than those of the gradient flow, except in sufficiently over-parameterized regimes",
            r"\#\text{momentum} < \#\text{gradient flow}",
            _fewer(lambda size: True),
        ),
        WIDE,
        instead=Statement(
            "they are less numerous exactly where r <= n + m or (r - n - m)^2 < r + n + m; at n = m = 1, where r <= 2",
            r"r \leq n + m \text{ or } (r-n-m)^2 < r+n+m; \quad n = m = 1: \; r \leq 2",
            _fewer(_still_fewer),
        ),
        note="Where it fails is the over-parameterized regime of the abstract, with its boundary: "
        "r >= n + m + (1 + sqrt(1 + 8(n + m)))/2, but at n = m = 1.",
        fitted=False,
    ),
    Claim(
        "momentum.time",
        "The laws depend on the time",
        "arXiv 2405.12888, abstract",
        Statement(
            "the laws of momentum exhibit temporal dependence: none is a function of theta and theta' alone",
            r"h(\theta, \dot\theta, t), \quad \partial_t h \ne 0",
            _without_time(lambda size, damping: 0),
        ),
        Grid(("n", "r", "m"), factored, quick=3, full=9, edges=((1, 2, 1), (1, 2, 2), (1, 3, 1))),
        instead=Statement(
            "of N laws, all are free of the time if tau = 0, else N - 1 (at least 0): the quotients of any two are",
            r"\tau = 0: \; N; \quad \tau \ne 0: \; \max(0, N - 1), \; h_1/h_2 \text{ being free of } t",
            _without_time(_ratios),
        ),
        note="Counted for tau = 0, 1 and 3/t with the field d/dt added. Every Noether law has the same factor of time.",
    ),
    Claim(
        "momentum.orthogonal",
        "Only orthogonal invariance gives laws",
        "talk, slide 31",
        Statement(
            "of the generators (U G, -V G^T) that leave U V^T alone, exactly the antisymmetric G give a law",
            r"\text{can only leverage orthogonal invariance!}",
            _generators,
        ),
        SMALL,
        note="For tau = 0, of <U', U G> - <V', V G^T>.",
    ),
    Claim(
        "momentum.relu",
        "ReLU networks under momentum",
        "talk, slide 32; arXiv 2405.12888",
        Statement(
            "no conservation: with and without biases, tau = 0, 1 and 3/t",
            r"\text{ReLu networks: no conservation!}",
            _relu,
        ),
        RELU,
        note="Of the family of all path products, the gates being free; true data may span less beyond two layers, and "
        "do for one input without biases: momentum.relu-scalar.",
    ),
    Claim(
        "momentum.relu-scalar",
        "ReLU networks of one input without biases, under momentum",
        "talk, slide 32",
        Statement(
            "no conservation, with n outputs, p units of v > 0 and q of v < 0",
            r"\text{ReLu networks: no conservation!}",
            _scalar(lambda size: 0),
        ),
        SCALAR,
        instead=Statement(
            "the units of each sign are a linear network: its laws, p and q being the numbers of columns",
            r"N(n, p, 1) + N(n, q, 1), \quad N \text{ the number of laws of a linear network}",
            _scalar(lambda size: number(size[0], size[1], 1) + number(size[0], size[2], 1)),
        ),
        note="Units of one sign share their gate for every input, so only the sum of their u v is seen. The fields are "
        "compared with the true gradients of the network at x = 1 and x = -1.",
        fitted=False,
    ),
    Claim(
        "momentum.deep",
        "Deep linear networks under momentum",
        "slide 32 carried to more layers",
        Statement(
            "each hidden layer of r units has r(r - 1)/2 laws",
            r"\sum_l r_l(r_l-1)/2",
            lambda size, seed: compared(count_at(deep_flow, (size,), seed), sum(r * (r - 1) // 2 for r in size[1:-1])),
        ),
        DEEP,
        instead=Statement(
            "each hidden layer has the laws of a two-layer network with the widths of its neighbours",
            r"\sum_l N(r_{l-1}, r_l, r_{l+1})",
            lambda size, seed: compared(count_at(deep_flow, (size,), seed), deep(size)),
        ),
        note="Not stated in the sources. N is the number of momentum.number, doubled between two layers of width 1.",
    ),
    Claim(
        "momentum.lifting",
        "Phase-space lifting",
        "talk, slide 32",
        Statement(
            "the fields (1, theta', -tau theta') and (0, 0, grad phi_i) leave as many laws as Noether has",
            r"\dot\omega \in \text{Span}((1, \dot\theta, -\tau(t)\dot\theta), (0, 0, \nabla\varphi_1(\theta)), \ldots)",
            lambda size, seed: together([counted(lifted(size, tau), number(*size), seed) for tau in ("0", "1/2")]),
        ),
        LIFTED,
        note="The fields are written here from the slide, tau = 0 and 1/2. In t the laws of tau = 1/2 are no "
        "polynomials, since they have the factor e^(t/2): their number exceeds the polynomial laws found.",
        fitted=False,
    ),
    Claim(
        "momentum.nesterov",
        "Nesterov's damping",
        "talk, slides 29 to 32",
        Statement("Nesterov: tau(t) = 3/t^3", r"\text{Nesterov: } \tau(t) = 3/t^3", _scheme(3)),
        single(),
        meant=Statement("Nesterov: tau(t) = 3/t", r"\tau(t) = 3/t", _scheme(1)),
        note="The limit of his step with (k - 1)/(k + 2) in the time t = k sqrt(eta).",
    ),
    Claim(
        "momentum.nesterov-law",
        "The laws under Nesterov's damping",
        "talk, slides 29 to 32",
        Statement(
            "with tau = 3/t^3, t^3 (<U', U A> + <V', V A>) is conserved",
            r"\tau(t) = 3/t^3: \; t^3(\langle \dot U, U A\rangle + \langle \dot V, V A\rangle)",
            _cubed(3),
        ),
        SMALL,
        meant=Statement("with tau = 3/t it is", r"\tau(t) = 3/t: \; e^{\int \tau} = t^3", _cubed(1)),
        note="With 3/t^3 the factor would be exp(-3/(2 t^2)). At r = 1 there is no law to check.",
    ),
    Claim(
        "momentum.nesterov-factor",
        "The laws under the damping as printed",
        "talk, slides 29 to 32",
        Statement(
            "with tau = 3/t^3, e^(integral of tau) (<U', U A> + <V', V A>) is conserved: a factor exp(-3/(2t^2))",
            r"\tau(t) = 3/t^3: \; e^{-3/(2t^2)}(\langle \dot U, U A\rangle + \langle \dot V, V A\rangle)",
            factored_law(3),
        ),
        SMALL,
        note="So the formula of slide 31 fits any damping; what is misprinted is the damping called Nesterov's.",
    ),
    Claim(
        "momentum.lagrangian",
        "The Lagrangian of momentum",
        "talk, slide 31",
        Statement(
            "the Euler-Lagrange equation of L = e^(tau t) (|v|^2 - E(theta)) is theta'' + tau theta' = -grad E",
            r"L(\theta, v, t) := e^{\tau t}(\|v\|_2^2 - E(\theta))",
            _lagrangian(half=False),
        ),
        MOTIONS,
        meant=Statement(
            "that of L = e^(integral of tau) (|v|^2 / 2 - E(theta)) is",
            r"L(\theta, v, t) = e^{\int \tau}(\|v\|_2^2/2 - E(\theta))",
            _lagrangian(half=True),
        ),
        note="For a quartic E with random coefficients; tau = 0, 1, 1/2, 3 and 3/t, numbered 1 to 5. As written the "
        "force is halved, and e^(tau t) is right for constant tau only: for tau = 3/t it does not change with t.",
    ),
]
