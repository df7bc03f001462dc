r"""What a conservation law is, and when laws are independent (talk, slides 4 to 16)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import rational_rank
from clexact.algebra.polynomial import Polynomial
from clexact.claims.all_sizes import AllSizes, network
from clexact.claims.checks import (
    at,
    counted,
    drawn_point,
    gradient_rank,
    identity,
    lawful,
    orthogonal,
    same_span,
    together,
)
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size, factored
from clexact.claims.linear import flow, gram, point_of_rank, rank
from clexact.counting.minimality import data_fields
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import Flow
from clexact.laws.check import check_law
from clexact.programs.model import Model
from clexact.programs.reverse import Exact

GRID = Grid(
    ("n", "r", "m"), factored, quick=3, full=7,
    edges=((1, 3, 1), (1, 1, 4), (4, 1, 1), (2, 2, 2)),
)  # fmt: skip
NEURON = (network("neuron", "m 1", "v[j]*v[j] - u[i]*u[i]"),)
NEURONS = Grid(("m",), lambda size: size[0] + 1, quick=8, full=20)


# --- laws ------------------------------------------------------------------------------------------------------------


def matrices(size: Size) -> tuple[Exact, Exact]:
    """U and V, arrays of polynomials."""
    n, r, m = size
    names = flow(size).variables
    entries = np.array([Polynomial.from_string(name, names) for name in names], dtype=object)
    return entries[: n * r].reshape(n, r), entries[n * r :].reshape(m, r)


def risk(size: Size, draws: Draws, samples: int = 1) -> Polynomial:
    r"""The empirical risk $\sum_i \|U V^\top x_i - y_i\|^2$ of drawn data, multiplied out."""
    U, V = matrices(size)
    total: Polynomial = Polynomial(flow(size).variables, {})
    for _ in range(samples):
        x, y = (np.array(draws.integers(-9, 9, k), dtype=object) for k in (size[2], size[0]))
        total = sum(((output - label) ** 2 for output, label in zip(U @ (V.T @ x), y, strict=True)), total)
    return total


def risks(size: Size, seed: int) -> Iterator[Polynomial]:
    """Of more data sets than there are fields, of one sample each and of two."""
    draws = Draws(seed)
    return (risk(size, draws, 1 + k % 2) for k in range(2 * size[0] * size[2] + 2))


def planted(size: Size, seed: int) -> list[Polynomial]:
    """Polynomials that are near to laws: each h_kk' with the square of a drawn variable added."""
    laws = gram(size)
    names = laws[0].variables
    chosen = Draws(seed).integers(0, len(names) - 1, len(laws))
    return [h + Polynomial.from_string(f"{names[k]}^2", names) for h, k in zip(laws, chosen, strict=True)]


def function_of_laws(count: int, draws: Draws) -> Polynomial:
    """A drawn polynomial of degree 2 in count variables: a linear form and the square of another one."""
    names = [f"h{k}" for k in range(1, count + 1)]
    h = [Polynomial.from_string(name, names) for name in names]
    linear, other = (sum(c * x for c, x in zip(draws.integers(-9, 9, count), h, strict=True)) for _ in range(2))
    return linear + other * other + h[0] * h[-1]


def _functions_of_laws(size: Size, seed: int) -> Check:
    """Phi(h) is a law, and its gradient is the combination of the gradients that the chain rule says."""
    laws, draws = gram(size), Draws(seed)
    phis = [function_of_laws(len(laws), draws) for _ in range(2)]
    made = [at(phi, laws) for phi in phis]
    counts_nothing = all(_chained(phi, made_of, laws) for phi, made_of in zip(phis, made, strict=True))
    combined = identity(
        counts_nothing, "grad Phi(h) = sum_i (d_i Phi)(h) grad h_i",
        "equal" if counts_nothing else "not equal", "exact identities of polynomials", flow(size).dimension,
    )  # fmt: skip
    return together([lawful(flow(size), made, seed), combined])


def _chained(phi: Polynomial, made: Polynomial, laws: Sequence[Polynomial]) -> bool:
    weights = [at(part, laws) for part in phi.gradient]
    sums = [sum(w * h.gradient[j] for w, h in zip(weights, laws, strict=True)) for j in range(len(made.variables))]
    return made.gradient == sums


def _conserved_iff_orthogonal(size: Size, seed: int) -> Check:
    """The same polynomials are orthogonal to W and constant along the flows of drawn risks."""
    candidates = [*gram(size), *planted(size, seed)]
    fall = [E.gradient for E in risks(size, seed)]
    conserved = [all(orthogonal(h, direction) for direction in fall) for h in candidates]
    normal = [bool(check_law(flow(size), h, seed=seed)) for h in candidates]
    laws = sum(normal)
    return identity(
        conserved == normal and 0 < laws < len(candidates), "conserved exactly if orthogonal to W(theta)",
        f"of {len(candidates)} polynomials {laws} orthogonal, {sum(conserved)} conserved, "
        f"{sum(a != b for a, b in zip(conserved, normal, strict=True))} only one of the two",
        f"exact identities, with the gradients of {len(fall)} risks multiplied out", flow(size).dimension,
    )  # fmt: skip


def _span_of_jacobians(size: Size, seed: int) -> Check:
    """At a drawn point, gradients of risks and rows of the Jacobians span the same space."""
    draws, point = Draws(seed + 1), drawn_point(flow(size).dimension, seed)
    down = [[part(*point) for part in E.gradient] for E in risks(size, seed)]
    inputs = [draws.integers(-9, 9, size[2]) for _ in range(size[2] + 2)]
    rows = data_fields(flow(size).model, inputs, point).rows.tolist()
    ranks = rational_rank(down), rational_rank(rows), rational_rank(down + rows)
    return identity(
        len(set(ranks)) == 1, "the same span", f"ranks {ranks[0]}, {ranks[1]} and {ranks[2]} together",
        "exact ranks over Q at a drawn integer point", len(point),
    )  # fmt: skip


def _squared_loss_spans(size: Size, seed: int) -> Check:
    """The gradients 2 (z - y) of the squared loss, for drawn labels y."""
    (n,), draws = size, Draws(seed)
    z = draws.integers(-9, 9, n)
    labels = [draws.integers(-99, 99, n) for _ in range(n + 2)]
    found = rational_rank([[2 * (a - b) for a, b in zip(z, y, strict=True)] for y in labels])
    return identity(found == n, f"rank {n}", f"rank {found}", "exact rank over Q at a drawn z", n)


# --- independence ----------------------------------------------------------------------------------------------------


def _ranks(size: Size, seed: int) -> list[int]:
    """Of the gradients of all h_kk', at drawn points where (U; V) has rank 0, 1, ..."""
    laws = gram(size)
    return [gradient_rank(laws, point_of_rank(size, k, seed)) for k in range(rank(size) + 1)]


def _at_every_point(size: Size, seed: int) -> Check:
    count, found = len(gram(size)), _ranks(size, seed)
    return identity(
        all(k == count for k in found), f"rank {count} at every theta",
        f"where (U; V) has rank {', '.join(map(str, range(len(found))))}: {', '.join(map(str, found))}",
        "exact ranks over Q at a drawn point for each rank of (U; V)", flow(size).dimension,
    )  # fmt: skip


def _by_rank(size: Size, seed: int) -> Check:
    r, found = size[1], _ranks(size, seed)
    stated = [k * (2 * r + 1 - k) // 2 for k in range(len(found))]
    return identity(
        found == stated, f"ranks {', '.join(map(str, stated))}", f"ranks {', '.join(map(str, found))}",
        "exact ranks over Q at a drawn point for each rank of (U; V)", flow(size).dimension,
    )  # fmt: skip


# --- one hidden neuron -----------------------------------------------------------------------------------------------


def neuron(size: Size) -> Flow:
    """Of u <v, x>, u a number and v of length m."""
    m = size[0]
    model = Model({"u": (), "v": (m,)}, {"x": (m,)}, lambda u, v, x: u * (v @ x), name=f"u <v, x>, v of length {m}")
    return gradient_flow(model)


def _gradients(size: Size, seed: int) -> Check:
    """grad(u v_j) = (v_j, 0, ..., u, ..., 0), and these are the fields of the flow."""
    (m,) = size
    names = neuron(size).variables
    phi = [Polynomial.from_string(f"u*v[{j}]", names) for j in range(m)]
    texts = [[f"v[{j}]", *("u" if i == j else "0" for i in range(m))] for j in range(m)]
    stated = VectorFields.from_strings(names, texts)
    same = VectorFields(names, [h.gradient for h in phi]) == stated
    written = identity(same, "these gradients", "equal" if same else "not equal", "exact identities", m + 1)
    return together([written, same_span(neuron(size).fields, stated)])


def neuron_law(size: Size) -> str:
    """|v|^2 - u^2."""
    return " + ".join(f"v[{j}]^2" for j in range(size[0])) + " - u^2"


CLAIMS = [
    Claim(
        "definition.functions",
        "Functions of laws are laws, and count nothing",
        "talk, slide 8",
        Statement(
            "if h_1, ..., h_K are conserved, so is Phi(h_1, ..., h_K), and it is not independent of them",
            r"(h_1, \dots, h_K) \text{ conserved} \Rightarrow \Phi(h_1, \dots, h_K) \text{ conserved}",
            _functions_of_laws,
        ),
        GRID,
        note="Shown for polynomials Phi of degree 2 drawn from the seed, with the h_kk' of U V^T.",
    ),
    Claim(
        "definition.independence",
        "Independent at every parameter",
        "talk, slide 8",
        Statement(
            "at every theta the gradients of the laws are independent",
            r"\forall\theta, (\nabla h_1(\theta), \dots, \nabla h_K(\theta)) \text{ are independent}",
            _at_every_point,
        ),
        GRID,
        instead=Statement(
            "where (U; V) has rank k at theta, the gradients of the h_kk' have rank k(2r + 1 - k)/2: they are "
            "independent exactly where the columns of (U; V) are",
            r"\operatorname{rank}(\nabla h_{k,k'}(\theta)) = k(2r+1-k)/2, \quad k = \operatorname{rank}(U; V)",
            _by_rank,
        ),
        note="Of the laws of slide 6. No laws at all are independent where one has a critical point, as all quadratic "
        "ones do at 0: independence is meant at a generic theta.",
    ),
    Claim(
        "definition.conserved",
        "Conserved means orthogonal",
        "talk, slides 10 and 11, proposition",
        Statement(
            "h is conserved if and only if grad h is orthogonal to W(theta) at every theta",
            r"h \text{ conserved} \Leftrightarrow \forall\theta, \nabla h(\theta) \perp W(\theta)",
            _conserved_iff_orthogonal,
        ),
        GRID,
        note="Conserved: along the gradient flows of risks of drawn data. Tried on the laws of U V^T and, as many, on "
        "polynomials that differ from them by the square of one parameter.",
    ),
    Claim(
        "definition.jacobians",
        "W(theta) from the Jacobians",
        "talk, slide 11, proposition",
        Statement(
            "the gradients of all risks span what the images of the transposed Jacobians span, over all inputs",
            r"W(\theta) = \text{Span} \bigcup_x \text{Im}[\partial_\theta g(\theta, x)^\top]",
            _span_of_jacobians,
        ),
        GRID,
    ),
    Claim(
        "definition.loss",
        "The squared loss spans",
        "talk, slide 11, hypothesis",
        Statement(
            "over all labels y, the gradients of |z - y|^2 in z span the whole space",
            r"\text{Span}_y \nabla\ell(z, y) = \text{whole space. Example: } \ell(z, y) = \|z - y\|^2",
            _squared_loss_spans,
        ),
        Grid(("n",), lambda size: size[0], quick=8, full=30),
    ),
    Claim(
        "example.gradients",
        "The fields of one hidden neuron",
        "talk, slide 16",
        Statement(
            "phi_1 = u v_1 has the gradient (v_1, u, 0) and phi_2 = u v_2 has (v_2, 0, u)",
            r"\nabla\varphi_1(u, v_1, v_2) = (v_1, u, 0), \quad \nabla\varphi_2(u, v_1, v_2) = (v_2, 0, u)",
            _gradients,
        ),
        NEURONS,
        note="The slide has m = 2 inputs; here any number.",
        pictures=("fields",),
    ),
    Claim(
        "example.law",
        "The law of one hidden neuron",
        "talk, slides 7 and 16",
        Statement(
            "v_1^2 + v_2^2 - u^2 is conserved",
            r"h(\theta) = v_1^2 + v_2^2 - u^2",
            lambda size, seed: lawful(neuron(size), [neuron_law(size)], seed),
            AllSizes(NEURON),
        ),
        NEURONS,
        note="The slide has m = 2 inputs; here |v|^2 - u^2, v of any length m.",
        pictures=("level-sets",),
    ),
    Claim(
        "example.alone",
        "It is the only law of one hidden neuron",
        "talk, slides 7, 8 and 18",
        Statement(
            "the conserved functions are those of v_1^2 + v_2^2 - u^2: one independent law",
            r"h(\theta) = v_1^2 + v_2^2 - u^2 \text{ alone}",
            lambda size, seed: counted(neuron(size), 1, seed),
            AllSizes(NEURON, "1", complete=True),
        ),
        NEURONS,
        pictures=("level-sets",),
    ),
]
