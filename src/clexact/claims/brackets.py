"""Lie brackets, the algebra they generate, and the number of laws (talk, slides 21 to 26 and 33)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

from clexact import models
from clexact.algebra.draws import Draws
from clexact.algebra.field_span import finite_algebra, independent_fields
from clexact.algebra.fields import VectorFields, bracket, lie_derivative
from clexact.algebra.linalg import rational_nullspace
from clexact.algebra.polynomial import Number, Polynomial
from clexact.claims import linear, relu
from clexact.claims.batches import random_fields
from clexact.claims.checks import drawn_point, filtered, identity
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size, cases, factored, layers, weights
from clexact.counting.certify import certify
from clexact.flows.dynamics import gradient_flow
from clexact.programs.model import Model

RANDOM = Grid(("D", "degree"), lambda size: size[0] + size[1] - 1, quick=4, full=6)
GRID = Grid(
    ("n", "r", "m"), factored, quick=6, full=14,
    edges=((1, 5, 1), (1, 1, 5), (5, 1, 1), (2, 2, 3), (2, 2, 2), (1, 3, 2), (2, 3, 1)),
)  # fmt: skip
VECTORS = Grid(("n", "m"), sum, quick=7, full=12, edges=((1, 9), (9, 1)))
DEEP = layers(
    weights, quick=4, full=8,
    edges=(
        (1, 2, 2, 1), (1, 1, 1, 1, 1, 1), (2, 1, 1, 1, 1, 1), (2, 2, 2, 1), (1, 3, 1, 2), (2, 2, 2, 2),
        (1, 2, 1, 2), (1, 2, 2, 2), (1, 2, 1, 1), (2, 1, 1, 2),
    ),
)  # fmt: skip
MODELS: tuple[Callable[[], Model], ...] = (
    lambda: models.linear([2, 2, 2]),
    lambda: models.linear([1, 4, 1]),
    lambda: models.linear([2, 2, 2, 2]),
    lambda: models.relu([2, 3, 2], bias=True),
    lambda: models.relu([2, 2, 2, 2]),
    lambda: models.product(5),
    lambda: models.neuron(2, 2, [3]),
    lambda: models.neuron(2, 1, [1, 3]),
    lambda: models.glu(2, 2, 2),
    lambda: models.attention(3, 2),
    lambda: models.conv1d([1, 2, 2], kernel=2),
)
SHOWN_LEVELS, SHOWN_FIELDS = 3, 20  # of the spaces of fields whose dimensions are shown


# --- the bracket -----------------------------------------------------------------------------------------------------


def as_written(w1: VectorFields, w2: VectorFields) -> list[Polynomial]:
    """dw1 w2 - dw2 w1, component by component."""
    a, b = w1.components(0), w2.components(0)

    def moved(p: Polynomial, along: Sequence[Polynomial]) -> Polynomial:
        zero = Polynomial(p.variables, {})
        return sum((part * x for part, x in zip(p.gradient, along, strict=True)), zero)

    return [moved(p, b) - moved(q, a) for p, q in zip(a, b, strict=True)]


def _added(*fields: VectorFields) -> list[Polynomial]:
    return [sum(parts[1:], parts[0]) for parts in zip(*(X.components(0) for X in fields), strict=True)]


def _lie(size: Size, seed: int) -> Check:
    """Three drawn fields and a drawn function."""
    draws = Draws(seed)
    X, Y, Z = random_fields(draws, 3, *size)
    f = random_fields(draws, 1, *size).components(0)[0] + Polynomial.from_string(f"{X.variables[0]}^2", X.variables)
    there, back = lie_derivative(lie_derivative(f, Y)[0], X)[0], lie_derivative(lie_derivative(f, X)[0], Y)[0]
    facts = {
        "the formula": bracket(X, Y).components(0) == as_written(X, Y),
        "antisymmetry": all(p.is_zero for p in _added(bracket(X, Y), bracket(Y, X))),
        "the identity of Jacobi": all(
            p.is_zero for p in _added(bracket(X, bracket(Y, Z)), bracket(Y, bracket(Z, X)), bracket(Z, bracket(X, Y)))
        ),
        "minus the commutator of derivations": there - back == -lie_derivative(f, bracket(X, Y))[0],
    }
    wrong = [name for name, true in facts.items() if not true]
    return identity(
        not wrong, ", ".join(facts), f"wrong: {', '.join(wrong)}" if wrong else "all hold",
        "exact identities of polynomials", size[0],
    )  # fmt: skip


# --- do brackets leave W(theta)? -------------------------------------------------------------------------------------


def vectors(fields: VectorFields, point: Sequence[Number]) -> list[list[Number]]:
    """The values of the fields, up to their denominators."""
    D = fields.dimension
    values = fields.values(point)
    return [[values.get(i * D + j, 0) for j in range(D)] for i in range(len(fields))]


def leaving(fields: VectorFields, point: Sequence[Number]) -> tuple[int, int]:
    """How many brackets of two fields are outside W(theta) at a rational point, and how many pairs there are."""
    normals = rational_nullspace(vectors(fields, point), fields.dimension)
    pairs = list(combinations(range(len(fields)), 2))
    if not pairs:
        return 0, 0
    first, second = zip(*pairs, strict=True)
    values = vectors(bracket(fields.select(first), fields.select(second)), point)
    outside = [v for v in values if any(sum(a * b for a, b in zip(v, n, strict=True)) for n in normals)]
    return len(outside), len(pairs)


def _left(fields: VectorFields, points: Sequence[Sequence[Number]], stated: str, some: bool) -> Check:
    """``some``: whether a bracket is stated to leave W(theta) at these points, or none."""
    found = [leaving(fields, point) for point in points]
    shown = "; ".join(f"{out} of {pairs} brackets outside W(theta)" for out, pairs in found)
    holds = any(out for out, _ in found) == some
    evidence = "exact, at " + ("a drawn integer point" if len(points) == 1 else f"{len(points)} drawn integer points")
    return identity(holds, stated, shown, evidence, fields.dimension)


def _linear_leaves(size: Size, seed: int) -> Check:
    fields = linear.flow(size).fields
    return _left(fields, [drawn_point(fields.dimension, seed, 99)], "some bracket outside W(theta)", True)


def bracket_gain(size: Size) -> int:
    """dim W_1 - dim W_0 at a generic theta: W_0 has rank n m - (n - rank U)(m - rank V)."""
    n, r, m = size
    k = min(r, n + m)
    return (n + m) * k - k * (k + 1) // 2 - n * m + max(0, n - r) * max(0, m - r)


def _linear_gain(size: Size, seed: int) -> Check:
    gain = bracket_gain(size)
    return filtered(linear.flow(size), f"dim W_infinity - dim W_0 = {gain}", lambda c: c.rank - c.dims[0] == gain, seed)


def _relu_stays(size: Size, seed: int) -> Check:
    fields = relu.flow(size).fields
    return _left(fields, [drawn_point(fields.dimension, seed, 99)], "all brackets in W(theta)", False)


def _without_outputs(size: Size, seed: int, coordinates: int) -> tuple[int, ...]:
    """A drawn point with the first so many coordinates of u_1 zero."""
    n, r, _ = size
    point = drawn_point((n + size[2]) * r, seed, 99)
    return tuple(0 if j % r == 0 and j // r < min(n, coordinates) and j < n * r else c for j, c in enumerate(point))


def _relu_everywhere(size: Size, seed: int) -> Check:
    points = [_without_outputs(size, seed, k) for k in (0, size[0])]
    return _left(relu.flow(size).fields, points, "all brackets in W(theta), also where u_1 = 0", False)


def _relu_alive(size: Size, seed: int) -> Check:
    points = [_without_outputs(size, seed, k) for k in (0, size[0] - 1)]
    return _left(relu.flow(size).fields, points, "all brackets in W(theta) where no u_i is 0", False)


def _separate(size: Size, seed: int) -> Check:
    n, r, m = size
    return filtered(relu.flow(size), f"dim W_infinity = {r} x {n + m - 1}", lambda c: c.rank == r * (n + m - 1), seed)


def _one_column(size: Size, seed: int) -> Check:
    n, m = size
    return filtered(linear.flow((n, 1, m)), "W_infinity = W_0", lambda c: c.dims[0] == c.rank == n + m - 1, seed)


# --- how large is the algebra? ---------------------------------------------------------------------------------------


def space_dimensions(fields: VectorFields) -> list[int]:
    """Dimensions over Q of W_0, W_1, ... as spaces of fields, as long as they are small."""
    level = independent_fields(fields)
    found = [len(level)]
    while len(found) <= SHOWN_LEVELS and len(level) * len(fields) <= SHOWN_FIELDS:
        level = independent_fields([*level, *(bracket(X, Y) for X in fields for Y in level)])
        found.append(len(level))
    return found


def endless(fields: VectorFields, seed: int) -> bool:
    r"""Whether fields X = grad f and Y are found with infinitely many independent brackets [X, [X, ... Y]].

    At a point where X vanishes, [X, Z] = dX Z for every field Z, so the k-th bracket is $(\partial X)^k Y$ there. The
    Hessian dX is symmetric: if dX Y is not 0, no power of dX kills Y. If X is homogeneous of degree at least 2, the
    brackets have different degrees, so they are linearly independent.
    """
    return any(
        any(vector)
        for i in range(len(fields))
        if homogeneous_degree(fields[i]) >= 2
        for point in zeros(fields[i], seed)
        if not any(fields[i].values(point).values())
        for vector in vectors(bracket(fields[i], fields), point)
    )


def homogeneous_degree(X: VectorFields) -> int:
    """The degree of all its terms, -1 if they differ."""
    degrees = set(X.terms.degrees().tolist())
    return degrees.pop() if len(degrees) == 1 else -1


def zeros(X: VectorFields, seed: int) -> list[tuple[int, ...]]:
    """Drawn points where all variables of X of two parameter arrays vanish: zeros of a product of three or more."""
    used = [X.variables[v] for v in sorted(set(X.terms.var.tolist()))]
    arrays = list(dict.fromkeys(name.partition("[")[0] for name in used))
    point = drawn_point(X.dimension, seed)

    def without(pair: tuple[str, str]) -> tuple[int, ...]:
        gone = {name for name in used if name.partition("[")[0] in pair}
        return tuple(0 if name in gone else c for name, c in zip(X.variables, point, strict=True))

    return [without(pair) for pair in combinations(arrays, 2)]


def _infinite(fields: VectorFields, stated: int | None, seed: int) -> Check:
    """Beside a stated dimension; None: infinite."""
    expected = "infinite dimension" if stated is None else f"dimension {stated}"
    dimensions = " -> ".join(map(str, space_dimensions(fields)))
    if endless(fields, seed):
        evidence = "brackets [X, [X, ... Y]] that are not 0 at a zero of X, at any depth: exact"
        return Check(
            stated is None, expected, f"infinite; as fields dim W_k = {dimensions}, ...", evidence, fields.dimension
        )
    algebra = finite_algebra(fields)
    if algebra is None:
        return Check(None, expected, f"as fields dim W_k = {dimensions}, ...", "no proof either way", fields.dimension)
    found = f"dimension {len(algebra)}; as fields dim W_k = {dimensions}"
    return Check(len(algebra) == stated, expected, found, "closed under brackets over Q: exact", fields.dimension)


def linear_algebra(widths: Size) -> int | None:
    """so(n, m) for two layers, one field for one input and one output, else infinite."""
    if widths[0] == widths[-1] == 1:
        return 1
    N = widths[0] + widths[-1]
    return N * (N - 1) // 2 if len(widths) == 3 else None


def relu_algebra(widths: Size) -> int | None:
    """so(n, m) for each hidden unit of two layers, one field for a single path, else infinite."""
    if max(widths) == 1:
        return 1
    N = widths[0] + widths[-1]
    return widths[1] * N * (N - 1) // 2 if len(widths) == 3 else None


def _linear_fields(widths: Size) -> VectorFields:
    return gradient_flow(models.linear(list(widths))).fields


# --- how many laws? --------------------------------------------------------------------------------------------------


def _dimension_less_rank(size: Size, seed: int) -> Check:
    """Laws exhibited by exact identities, and the rank of brackets at a point: found apart from each other."""
    count = certify(gradient_flow(MODELS[size[0] - 1]()), seed=seed)
    K = count.closure.rank
    stated = f"{count.dimension} - {K} = {count.dimension - K} laws of {count.description}"
    return Check(
        count.exhibited == count.dimension - K, stated, f"{count.exhibited} independent laws exhibited",
        f"at least: {count.evidence.lower}; at most: {count.evidence.upper}", count.dimension,
        count=count.lower if count.exact else None, laws=tuple(count.laws.polynomials().to_latex(6)),
        proof=count,
    )  # fmt: skip


def _frobenius(size: Size, seed: int) -> Check:
    """The level sets of the laws are surfaces of the dimension of W."""
    count = certify(relu.flow(size), seed=seed)
    surface = count.dimension - count.exhibited
    return Check(
        surface == count.filtration[0], "dim Sigma = dim W(theta)",
        f"dim W = {count.filtration[0]}, level sets of {count.exhibited} laws of dimension {surface}",
        f"at least: {count.evidence.lower}; at most: {count.evidence.upper}", count.dimension,
    )  # fmt: skip


CLAIMS = [
    Claim(
        "brackets.lie",
        "The bracket is a Lie bracket",
        "talk, slide 22, definition",
        Statement(
            "[w1, w2] = dw1 w2 - dw2 w1 is antisymmetric, satisfies Jacobi, and is minus the usual commutator",
            r"[w_1, w_2](\theta) := \partial w_1(\theta) w_2(\theta) - \partial w_2(\theta) w_1(\theta)",
            _lie,
        ),
        RANDOM,
        note="For polynomial fields drawn from the seed. The usual sign is the opposite, which changes no span.",
    ),
    Claim(
        "brackets.frobenius",
        "Closed fields have surfaces",
        "talk, slide 23, theorem",
        Statement(
            "where all brackets lie in W(theta), a surface of the dimension of W(theta) is tangent to it",
            r"\forall(i,j), [w_i, w_j](\theta) \in W(\theta) \Rightarrow \exists\Sigma: \dim(\Sigma) = \dim(W(\theta))",
            _frobenius,
        ),
        GRID,
        note="For two-layer ReLU networks, whose fields are closed: the surfaces are the level sets of the h_k.",
    ),
    Claim(
        "brackets.linear",
        "Brackets of linear networks",
        "talk, slide 24",
        Statement(
            "for linear networks brackets leave W(theta)",
            r"\text{Linear networks: } [w_i, w_j](\theta) \notin W(\theta)",
            _linear_leaves,
        ),
        GRID,
        instead=Statement(
            "they add (n + m)k - k(k + 1)/2 - nm + (n - r)_+ (m - r)_+ dimensions, k = min(r, n + m)",
            r"\dim W_1 - \dim W_0 = (n+m)k - k(k+1)/2 - nm + (n-r)_+ (m-r)_+, \quad k = \min(r, n+m)",
            _linear_gain,
        ),
        note="Some brackets leave it; those of entries of U V^T in different rows and columns are 0.",
    ),
    Claim(
        "brackets.relu",
        "Brackets of ReLU networks",
        "talk, slide 24",
        Statement(
            "for ReLU networks all brackets lie in W(theta), at a generic theta",
            r"\text{ReLu networks: } [w_i, w_j](\theta) \in W(\theta)",
            _relu_stays,
        ),
        GRID,
    ),
    Claim(
        "brackets.relu-everywhere",
        "Brackets of ReLU networks at every parameter",
        "talk, slide 24, read for all theta",
        Statement(
            "for ReLU networks all brackets lie in W(theta) at every theta with v_i != 0",
            r"\forall\theta, [w_i, w_j](\theta) \in W(\theta)",
            _relu_everywhere,
        ),
        GRID,
        instead=Statement(
            "they lie in W(theta) where neither u_i nor v_i is 0 for any hidden unit",
            r"u_i \neq 0, v_i \neq 0 \ \forall i \Rightarrow [w_i, w_j](\theta) \in W(\theta)",
            _relu_alive,
        ),
        note="At u_i = 0 the fields of the unit are (M v_i, 0), while brackets rotate v_i.",
    ),
    Claim(
        "brackets.one-column",
        "The sub-case r = 1",
        "talk, slide 26",
        Statement(
            "for r = 1, phi(u, v) = u v^T, W_infinity(theta) = W_0(theta), of dimension n + m - 1",
            r"\varphi(u, v) = u v^\top: \quad W_\infty = W_0",
            _one_column,
        ),
        VECTORS,
    ),
    Claim(
        "brackets.separate",
        "ReLU units are separate",
        "talk, slide 26, separability",
        Statement(
            "for ReLU networks W_infinity is that of r separate units u v^T: of dimension r(n + m - 1)",
            r"\text{ReLu networks: separability, sub-case } r = 1",
            _separate,
        ),
        GRID,
    ),
    Claim(
        "brackets.number",
        "The number of conservation laws",
        "talk, slide 26, theorem",
        Statement(
            "where dim W_infinity(theta) = K is locally constant there are exactly d - K independent laws",
            r"\dim(W_\infty(\theta)) = K \text{ locally constant} \Rightarrow d - K \text{ independent laws}",
            _dimension_less_rank,
        ),
        cases("model", len(MODELS)),
        note="On networks whose laws are polynomials: d - K are exhibited, and brackets of rank K allow no more.",
    ),
    Claim(
        "brackets.infinite",
        "The algebra of linear networks",
        "talk, slide 33",
        Statement(
            "W_infinity is infinite dimensional",
            r"W_\infty \text{ is infinite dimensional}",
            lambda size, seed: _infinite(_linear_fields(size), None, seed),
        ),
        DEEP,
        instead=Statement(
            "it has dimension (n + m)(n + m - 1)/2 for two layers, 1 for one input and one output, and is infinite "
            "dimensional otherwise",
            r"\dim W_\infty = (n+m)(n+m-1)/2 \text{ for 2 layers}; \ 1 \text{ for } n = m = 1; \ \infty \text{ else}",
            lambda size, seed: _infinite(_linear_fields(size), linear_algebra(size), seed),
        ),
        note="As a space of vector fields. The fields of two layers are linear: they generate so(n, m).",
    ),
    Claim(
        "brackets.infinite-relu",
        "The algebra of ReLU networks",
        "talk, slide 33",
        Statement(
            "W_infinity is infinite dimensional",
            r"W_\infty \text{ is infinite dimensional}",
            lambda size, seed: _infinite(relu.flow(size).fields, None, seed),
        ),
        DEEP,
        instead=Statement(
            "it has dimension r(n + m)(n + m - 1)/2 for two layers, 1 for a single path, and is infinite dimensional "
            "otherwise",
            r"\dim W_\infty = r(n+m)(n+m-1)/2 \text{ for 2 layers}; \ 1 \text{ for one path}; \ \infty \text{ else}",
            lambda size, seed: _infinite(relu.flow(size).fields, relu_algebra(size), seed),
        ),
        note="As a space of vector fields, of all path products without biases.",
    ),
]
