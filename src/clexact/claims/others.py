"""Statements of other sources: intrinsic dynamics, symmetric data, chemical reactions, normalised weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations_with_replacement, product

from clexact import functions, models
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import rational_nullspace
from clexact.algebra.polynomial import Number, Polynomial
from clexact.claims.checks import complete, counted, drawn_point, gram_laws, identity, matrix, spanned
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size, cases, factored
from clexact.counting.certify import certify
from clexact.flows.dynamics import gradient_flow
from clexact.programs.array import Array
from clexact.programs.model import Model, entry_names

Table = list[list[Number]]

# --- intrinsic dynamics ----------------------------------------------------------------------------------------------


def is_intrinsic(U: Table, V: Table) -> tuple[bool, int]:
    r"""Whether ker dphi and ker dh meet inside ker dM, and the dimension in which they meet.

    phi = U V^T, h = U^T U - V^T V, and M = dphi dphi^T = U U^T (x) I + I (x) V V^T, by which phi moves.
    """
    n, m, r = len(U), len(V), len(U[0])
    rows = [_row(n, m, r, {(0, i, k): V[j][k] for k in range(r)}, {(1, j, k): U[i][k] for k in range(r)})
            for i, j in product(range(n), range(m))]  # fmt: skip
    for k, j in combinations_with_replacement(range(r), 2):
        parts = [{(0, i, k): U[i][j]} for i in range(n)] + [{(0, i, j): U[i][k]} for i in range(n)]
        parts += [{(1, i, k): -V[i][j]} for i in range(m)] + [{(1, i, j): -V[i][k]} for i in range(m)]
        rows.append(_row(n, m, r, *parts))
    kernel = rational_nullspace(rows, (n + m) * r)
    return all(_keeps_metric(U, V, vector) for vector in kernel), len(kernel)


def _row(n: int, m: int, r: int, *parts: dict[tuple[int, int, int], Number]) -> list[Number]:
    """A covector on (U, V) from its entries {(0 for U or 1 for V, row, column): entry}."""
    row: list[Number] = [0] * ((n + m) * r)
    for (which, i, k), entry in (item for part in parts for item in part.items()):
        row[(which * n + i) * r + k] += entry
    return row


def _keeps_metric(U: Table, V: Table, vector: Sequence[Number]) -> bool:
    """Whether the derivative of M along the vector vanishes."""
    r = len(U[0])
    moved = [list(vector[i * r : (i + 1) * r]) for i in range(len(U) + len(V))]
    X, Y = _symmetric(U, moved[: len(U)]), _symmetric(V, moved[len(U) :])
    left, right = product(range(len(U)), repeat=2), list(product(range(len(V)), repeat=2))
    return not any((c == d) * X[a][b] + (a == b) * Y[c][d] for a, b in left for c, d in right)


def _symmetric(A: Table, B: Table) -> Table:
    """A B^T + B A^T."""
    size = range(len(A))
    return [[_dot(A[i], B[k]) + _dot(B[i], A[k]) for k in size] for i in size]


def _dot(a: Sequence[Number], b: Sequence[Number]) -> Number:
    return sum((x * y for x, y in zip(a, b, strict=True)), start=0)


def relaxed_balanced(size: Size, seed: int) -> tuple[Table, Table]:
    """U, V with U^T U - V^T V a multiple of I: 1 if r <= n, -1 if r <= m, else 0."""
    n, r, m = size
    sign = 1 if r <= n else -1 if r <= m else 0
    large, small = (n, m) if sign >= 0 else (m, n)
    A, B = _zeros(large, r), _zeros(small, r)
    for k in range(min(r, large)):
        t = Fraction(k + 2)
        if k < small:
            A[k][k], B[k][k] = ((t + 1 / t) / 2, (t - 1 / t) / 2) if sign else (t, t)
        elif sign:
            A[k][k] = 1
    turned = _times(A, rotation(r, seed)), _times(B, rotation(r, seed))
    return turned if sign >= 0 else (turned[1], turned[0])


def _zeros(rows: int, columns: int) -> Table:
    return [[0] * columns for _ in range(rows)]


def _times(A: Table, B: Table) -> Table:
    return [[_dot(row, column) for column in zip(*B, strict=True)] for row in A]


def rotation(r: int, seed: int) -> Table:
    """A rational orthogonal matrix: a product of reflections I - 2 v v^T / <v, v>."""
    Q: Table = [[int(i == j) for j in range(r)] for i in range(r)]
    for k in range(2):
        v = drawn_point(r, seed + k)
        Q = _times(Q, [[(i == j) - Fraction(2 * v[i] * v[j], _dot(v, v)) for j in range(r)] for i in range(r)])
    return Q


def _intrinsic(U: Table, V: Table) -> Check:
    holds, dimension = is_intrinsic(U, V)
    return identity(
        holds, "ker dphi and ker dh meet in ker dM", f"they meet in dimension {dimension}, {'' if holds else 'not '}"
        "inside ker dM", "exact linear algebra over Q at a rational point", (len(U) + len(V)) * len(U[0]),
    )  # fmt: skip


def _unless_between(size: Size, seed: int) -> Check:
    n, r, m = size
    check = _intrinsic(*relaxed_balanced(size, seed))
    between = min(n, m) < r < max(n, m)
    return replace(check, holds=check.holds is not between, stated=f"{check.stated}{': not so' * between}")


def _intrinsic_drawn(size: Size, seed: int) -> Check:
    n, r, m = size
    point = drawn_point((n + m) * r, seed)
    rows: Table = [list(point[i * r : (i + 1) * r]) for i in range(n + m)]
    return _intrinsic(rows[:n], rows[n:])


# --- symmetric data --------------------------------------------------------------------------------------------------


def symmetric_risk(size: Size, exponential: bool) -> Model:
    """The risk of U V^T on x and -x with the same label y: of squared loss, or of sum_c exp(y_c g_c)."""

    def output(U: Array, V: Array, x: Array, y: Array) -> Array:
        g = U @ (V.T @ x)
        if exponential:
            return (functions.exp(y * g) + functions.exp(-(y * g))).sum()
        return ((g - y) ** 2).sum() + ((-g - y) ** 2).sum()

    n, r, m = size
    return Model({"U": (n, r), "V": (m, r)}, {"x": (m,), "y": (n,)}, output)


def _with_symmetry(size: Size, seed: int, exponential: bool, more: int) -> Check:
    """The laws on data that -1 leaves alone, beside those on all data and some more."""
    plain = certify(gradient_flow(models.nmf(*size)), seed=seed)
    return counted(gradient_flow(symmetric_risk(size, exponential)), plain.lower + more, seed)


def _extra(size: Size, seed: int) -> Check:
    """Whether there are more laws on symmetric data with squared loss."""
    plain = certify(gradient_flow(models.nmf(*size)), seed=seed)
    check = counted(gradient_flow(symmetric_risk(size, False)), plain.lower, seed)
    return replace(check, holds=None if check.holds is None else not check.holds, stated=f"more than {plain.lower}")


def _symmetric_squared(size: Size, seed: int) -> Check:
    n, r, m = size
    if m == 1:  # one field: that of ||U v||^2
        return counted(gradient_flow(symmetric_risk(size, False)), (n + m) * r - 1, seed)
    return _with_symmetry(size, seed, False, r * max(0, n - r))


# --- chemical reactions ----------------------------------------------------------------------------------------------

NETWORKS = (
    "A <-> B",
    "S + E <-> C; C -> E + P",
    "A -> B; A -> C",
    "2 A <-> B",
    "A -> B; B -> C; C -> A",
    "A -> B; 2 B -> B + C; B + C -> A + C",
    "S + I -> 2 I; I -> R",
    "A -> 2 A; A + B -> 2 B; B -> 0",
    "E + S <-> C; E + I <-> D; C -> E + P",
    "A + B -> C; A + B -> D; C + D -> A + B",
    "A -> B + C; A -> 2 D",
    "K + X <-> C; C -> K + Y; F + Y <-> D; D -> F + X",
)
RATES = (2, 3, 5, 7, 11, 13, 17, 19, 23)
Complex = dict[str, int]


def reactions(text: str) -> list[tuple[Complex, Complex]]:
    """(reactants, products) with their numbers of molecules; ``<->`` is two reactions, 0 nothing."""
    found = []
    for part in text.split(";"):
        left, arrow, right = re.split(r"(<->|->)", part)
        found.append((_complex(left), _complex(right)))
        if arrow == "<->":
            found.append((_complex(right), _complex(left)))
    return found


def _complex(text: str) -> Complex:
    found: Complex = {}
    for term in text.split("+"):
        number, name = re.fullmatch(r"\s*(\d*)\s*([A-Z]?)\s*", term).groups()  # type: ignore[union-attr]
        if name:
            found[name] = found.get(name, 0) + int(number or 1)
    return found


def species(text: str) -> list[str]:
    """In their order."""
    return list(dict.fromkeys(re.findall("[A-Z]", text)))


def stoichiometry(text: str) -> list[list[int]]:
    """A row for each reaction: the change of each species."""
    return [[after.get(x, 0) - before.get(x, 0) for x in species(text)] for before, after in reactions(text)]


def rated(text: str, rates: Sequence[int]) -> Iterator[tuple[int, Complex, list[int]]]:
    """For each reaction its rate, what it takes, and its change of each species."""
    for (before, _), change, k in zip(reactions(text), stoichiometry(text), rates, strict=False):
        yield k, before, change


def mass_action(text: str, rates: Sequence[int] | None = None) -> VectorFields:
    """x' = sum_r k_r x^(reactants of r) N_r: one field with the rates k given, else one for each reaction."""
    names, total = species(text), dict.fromkeys(species(text), "0")
    fields = []
    for k, before, change in rated(text, rates or RATES):
        monomial = "*".join([str(k), *(f"{x}^{power}" for x, power in before.items())])
        field = {x: f"({c})*{monomial}" for x, c in zip(names, change, strict=True)}
        fields.append([field[x] for x in names])
        total = {x: f"{total[x]} + {field[x]}" for x in names}
    return VectorFields.from_strings(names, [[total[x] for x in names]] if rates else fields)


def linear_laws(text: str, rows: Sequence[Sequence[int]]) -> list[Polynomial]:
    """Of the left nullspace of the stoichiometric matrix, or of other changes of the species."""
    names = species(text)
    basis = rational_nullspace(rows, len(names))
    return [Polynomial.from_string("+".join(f"({c})*{x}" for c, x in zip(v, names, strict=True)), names) for v in basis]


def kinetic(text: str, rates: Sequence[int] = RATES) -> list[list[int]]:
    """For each complex that reacts, the change by all its reactions together, with their rates."""
    sums: dict[tuple[tuple[str, int], ...], list[int]] = {}
    for k, before, change in rated(text, rates):
        row = sums.setdefault(tuple(sorted(before.items())), [0] * len(change))
        row[:] = [a + k * c for a, c in zip(row, change, strict=True)]
    return list(sums.values())


def _all_rates(size: Size, seed: int) -> Check:
    text = NETWORKS[size[0] - 1]
    return complete(mass_action(text), linear_laws(text, stoichiometry(text)), seed, 1)


def _fixed_rates(size: Size, seed: int, rows: Callable[[str], Sequence[Sequence[int]]]) -> Check:
    """Linear laws with the rates 2, 3, 5, ... beside a left nullspace."""
    text = NETWORKS[size[0] - 1]
    return spanned(mass_action(text, RATES), linear_laws(text, rows(text)), 1, seed)


# --- normalised weights ----------------------------------------------------------------------------------------------


def normalised(size: Size, gain: bool = False) -> VectorFields:
    r"""|w_k|^3 times the gradients of u_ck (g_k) <w_k, x>/|w_k| in the entries of u, w (and g), for each x = e_i.

    Units are ReLU, so each has fields of its own; a factor without zeros changes no law and no trace.
    """
    m, r, n = size
    names = entry_names("u", (n, r)) + entry_names("w", (m, r)) + (entry_names("g", (r,)) if gain else [])
    fields = []
    for k, c, i in product(range(r), range(n), range(m)):
        u, g = f"u[{c},{k}]", f"g[{k}]" if gain else "1"
        w = [f"w[{j},{k}]" for j in range(m)]
        norm = "(" + "+".join(f"{x}^2" for x in w) + ")"
        field = {u: f"{g}*{w[i]}*{norm}"} | ({g: f"{u}*{w[i]}*{norm}"} if gain else {})
        field |= {x: f"{u}*{g}*({norm if j == i else '0'} - {w[i]}*{x})" for j, x in enumerate(w)}
        fields.append([field.get(name, "0") for name in names])
    return VectorFields.from_strings(names, fields)


def _norms(size: Size, seed: int, gain: bool) -> Check:
    m, r, n = size
    fields = normalised(size, gain)
    w = matrix("w", (m, r))
    laws = gram_laws(fields, w, w[:0], diagonal=True)
    if gain:
        laws += gram_laws(fields, matrix("g", (r,)), matrix("u", (n, r)), diagonal=True)
    return complete(fields, laws, seed)


INTRINSIC = Grid(("n", "r", "m"), factored, 10, 20,
                 edges=((1, 3, 1), (2, 3, 2), (3, 2, 1), (1, 2, 3)))  # fmt: skip
LINEAR = Grid(("n", "r", "m"), factored, 5, 14,
              edges=((2, 1, 1), (3, 2, 1), (2, 2, 1), (3, 1, 2), (2, 2, 2), (3, 2, 2), (2, 3, 1)))  # fmt: skip
UNITS = Grid(("m", "r", "n"), factored, 5, 12, edges=((1, 2, 1), (4, 1, 1), (2, 2, 2)))
SYMMETRIC = "arXiv 2606.10913 (data symmetry)"
REACTIONS = "arXiv 2212.14881 (linear laws of chemical reaction networks)"

CLAIMS = [
    Claim(
        "others.balanced-intrinsic",
        "Relaxed balanced starts make the dynamics of U V^T intrinsic",
        "arXiv 2508.07370 (intrinsic dynamics, criterion by kernels)",
        Statement(
            "where U^T U - V^T V is a multiple of I, ker dphi and ker dh meet inside ker dM",
            r"\ker \partial\varphi \cap \ker \partial h \subset \ker \partial M, \quad U^\top U - V^\top V = \lambda I",
            lambda size, seed: _intrinsic(*relaxed_balanced(size, seed)),
        ),
        INTRINSIC,
        instead=Statement(
            "they do unless r is between n and m: then directions that one factor does not see turn the other's",
            r"r \le \min(n, m) \text{ or } r \ge \max(n, m)",
            lambda size, seed: _unless_between(size, seed),
        ),
        note="At one rational point: lambda = 1 if r <= n, -1 if r <= m, else 0. M = dphi dphi^T moves phi.",
    ),
    Claim(
        "others.intrinsic",
        "The same at any start",
        "arXiv 2508.07370 (intrinsic dynamics, criterion by kernels)",
        Statement(
            "ker dphi and ker dh meet inside ker dM at a point that is drawn",
            r"\ker \partial\varphi \cap \ker \partial h \subset \ker \partial M",
            _intrinsic_drawn,
        ),
        INTRINSIC,
        note="r = 1 is a ReLU unit: so the criterion holds for the path products of two ReLU layers at any start.",
    ),
    Claim(
        "others.symmetric-analytic",
        "Data symmetry gives no law more with an analytic loss that is no polynomial",
        SYMMETRIC,
        Statement(
            "as many laws on data that x -> -x leaves alone as on all data",
            r"\ell(z, y) = \sum_c e^{y_c z_c}: \ \text{no other conservation laws}",
            lambda size, seed: _with_symmetry(size, seed, True, 0),
        ),
        LINEAR,
        fitted=False,
        note="Two-layer linear networks, the labels of x and -x being equal.",
    ),
    Claim(
        "others.symmetric-squared",
        "Data symmetry gives more laws with squared loss",
        SYMMETRIC,
        Statement(
            "more laws on data that x -> -x leaves alone than on all data",
            r"\ell(z, y) = \|z - y\|^2: \ \text{more conservation laws}",
            _extra,
        ),
        LINEAR,
        instead=Statement(
            "r(n - r) more if r < n, where the column space of U does not move, else none; D - 1 in all if m = 1",
            r"N_{\text{symmetric}} = N + r \max(0, n - r), \quad \text{or } D - 1 \text{ if } m = 1",
            _symmetric_squared,
        ),
        fitted=False,
        note="Two-layer linear networks, the labels of x and -x being equal: they drop out of the gradient.",
    ),
    Claim(
        "others.reactions",
        "The laws of chemical reaction networks, for all rates",
        REACTIONS,
        Statement(
            "the left nullspace of the stoichiometric matrix is all that is conserved for all rate constants",
            r"c^\top N = 0 \iff c^\top x \text{ is conserved}",
            _all_rates,
        ),
        cases("network", len(NETWORKS)),
        note="; ".join(f"{k}: {text.replace(';', ',')}" for k, text in enumerate(NETWORKS, 1)),
    ),
    Claim(
        "others.reactions-fixed",
        "Their linear laws, for fixed rates",
        REACTIONS,
        Statement(
            "the left nullspace of the stoichiometric matrix has all linear laws",
            r"c^\top N = 0 \iff c^\top x \text{ is conserved}",
            lambda size, seed: _fixed_rates(size, seed, stoichiometry),
        ),
        cases("network", len(NETWORKS)),
        instead=Statement(
            "the left nullspace of the changes that each complex undergoes by all its reactions together",
            r"c^\top \sum_{r: \text{ complex}} k_r N_r = 0 \text{ for each complex}",
            lambda size, seed: _fixed_rates(size, seed, kinetic),
        ),
        note="Rates 2, 3, 5, 7, ... The networks are those of others.reactions.",
    ),
    Claim(
        "others.normalised",
        "Normalised weights conserve their norm, and nothing else",
        "scale invariance (weight normalisation, batch normalisation without affine map)",
        Statement(
            "||w_k||^2 for each unit u_k relu(<w_k, x>/||w_k||), and no others",
            r"\|w_k\|^2 \text{ alone}",
            lambda size, seed: _norms(size, seed, False),
        ),
        UNITS,
    ),
    Claim(
        "others.normalised-gain",
        "With a gain",
        "scale invariance (weight normalisation)",
        Statement(
            "||w_k||^2 and g_k^2 - ||u_k||^2 for each unit u_k relu(g_k <w_k, x>/||w_k||), and no others",
            r"\|w_k\|^2, \quad g_k^2 - \|u_k\|^2",
            lambda size, seed: _norms(size, seed, True),
        ),
        UNITS,
    ),
]
