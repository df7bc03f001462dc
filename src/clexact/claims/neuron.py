r"""One hidden neuron, $u\,\sigma(v x)$ (talk, slides 5 and 18)."""

from __future__ import annotations

from clexact import functions, models
from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.polynomial import Polynomial
from clexact.claims.all_sizes import AllSizes, network
from clexact.claims.checks import EXACT, counted, identity, lawful, orthogonal, same_span, spanned, together
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size, cases
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import Flow
from clexact.flows.gradient import GradientFlow
from clexact.laws.check import check_law
from clexact.programs.model import Model

POWERS = Grid(("k",), lambda size: size[0], quick=6, full=12)
PAIRS = Grid(("i", "j"), max, quick=4, full=10, edges=((1, 6), (6, 1), (6, 6)))
VECTORS = Grid(("n", "m"), sum, quick=5, full=10, edges=((1, 9), (9, 1)))
ANALYTIC = {
    "tanh": functions.tanh, "gelu": functions.gelu, "silu": functions.silu,
    "sigmoid": functions.sigmoid, "exp": functions.exp,
}  # fmt: skip


def homogeneous(k: int, right: int, left: int) -> Flow:
    """Of u sigma(v x), sigma(s) = right |s|^k for s > 0 and left |s|^k for s < 0."""
    model = Model(
        {"u": (), "v": ()},
        {"x": ()},
        lambda u, v, x: u * (right * functions.relu(v * x) ** k + left * functions.relu(-v * x) ** k),
        name=f"u sigma(v x), sigma = {right} |s|^{k} and {left} |s|^{k}",
    )
    return gradient_flow(model)


def activations(size: Size, seed: int) -> list[Flow]:
    """sigma = s^k, (s)_+^k, (-s)_+^k and one with drawn factors on both sides."""
    (k,), (right, left) = size, Draws(seed).integers(2, 9, 2)
    return [homogeneous(k, *sides) for sides in ((1, (-1) ** k), (1, 0), (0, 1), (right, -left))]


def powers(size: Size) -> Flow:
    """Of a neuron whose activation has the powers i and j."""
    return gradient_flow(models.neuron(1, 1, sorted(set(size))))


def analytic(size: Size) -> Flow:
    """Of a neuron with the activation of this number."""
    name = list(ANALYTIC)[size[0] - 1]
    model = Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * ANALYTIC[name](v * x), name=f"u {name}(v x)")
    return gradient_flow(model)


def law(flow: Flow, text: str) -> Polynomial:
    """A polynomial in u and v."""
    return Polynomial.from_string(text, flow.variables)


def _law_and_no_other(size: Size, seed: int, divisor: int) -> Check:
    """u^2/2 - v^2/divisor is conserved, and every law of degree 2 is a multiple of it."""
    checks = []
    for flow in activations(size, seed):
        h = law(flow, f"1/2*u^2 - 1/{divisor}*v^2")
        checks += [lawful(flow, [h], seed), spanned(flow, [h], 2, seed)]
    return together(checks)


def vectors(size: Size) -> GradientFlow:
    """Of u v^T, u in R^n and v in R^m."""
    return GradientFlow(models.nmf(size[0], 1, size[1]))


def squares(size: Size) -> Polynomial:
    """|u|^2 - |v|^2."""
    n, m = size
    text = " + ".join(f"U[{i},0]^2" for i in range(n)) + "".join(f" - V[{j},0]^2" for j in range(m))
    return law(vectors(size), text)


def _only_solutions(size: Size, seed: int) -> Check:
    flow, h = vectors(size), squares(size)
    return together([counted(flow, 1, seed), lawful(flow, [h], seed), spanned(flow, [h], 2, seed)])


def unit_fields(size: Size) -> VectorFields:
    """(M v, M^T u) for the matrices M with one entry 1."""
    n, m = size
    texts = [
        [f"V[{j},0]" if a == i else "0" for a in range(n)] + [f"U[{i},0]" if b == j else "0" for b in range(m)]
        for i in range(n)
        for j in range(m)
    ]
    return VectorFields.from_strings(vectors(size).variables, texts)


def _fields(size: Size, seed: int) -> Check:
    return same_span(vectors(size).fields, unit_fields(size))


def _equation(size: Size, seed: int) -> Check:
    """Laws and near-laws: conserved exactly if the n x m matrix of polynomials is zero."""
    flow, fields, h = vectors(size), unit_fields(size), squares(size)
    names = flow.variables
    chosen = Draws(seed).integers(0, len(names) - 1, 3)
    others = [h + law(flow, f"{names[k]}^{power}") for k, power in zip(chosen, (1, 2, 3), strict=True)]
    candidates = [h, h * h + h, *others]
    zero = [all(orthogonal(g, fields.components(i)) for i in range(len(fields))) for g in candidates]
    conserved = [bool(check_law(flow, g, seed=seed)) for g in candidates]
    return identity(
        zero == conserved and 0 < sum(zero) < len(candidates), "conserved exactly if the matrix is zero",
        f"of {len(candidates)} polynomials {sum(conserved)} conserved, {sum(zero)} with a zero matrix",
        "exact identities", sum(size),
    )  # fmt: skip


CLAIMS = [
    Claim(
        "neuron.homogeneous",
        "Homogeneous activations have one law",
        "talk, slide 5, proposition",
        Statement(
            "with sigma = a |s|^k for s > 0 and b |s|^k for s < 0 there is a conservation law, and one only",
            r"\sigma(s) = a|s|^k \text{ if } s > 0, \ b|s|^k \text{ if } s < 0",
            lambda size, seed: together([counted(flow, 1, seed) for flow in activations(size, seed)]),
        ),
        POWERS,
        note="For s^k, for both one-sided powers, and for factors a, b drawn from the seed; k an integer >= 1.",
    ),
    Claim(
        "neuron.only-if",
        "There is a law only if the activation is homogeneous",
        "talk, slide 5, proposition",
        Statement(
            "an activation with the powers i and j has a law if and only if i = j",
            r"\text{there exists conservation laws if and only if } \sigma \text{ is positively } k\text{-homogeneous}",
            lambda size, seed: counted(powers(size), int(size[0] == size[1]), seed),
        ),
        PAIRS,
        note="Two powers of the series of an analytic activation span a part of its fields, so they bound its laws.",
    ),
    Claim(
        "neuron.analytic",
        "Analytic activations have no law",
        "talk, slide 5, proposition; arXiv 2606.17816, theorem 4.1",
        Statement(
            f"there is no law for {', '.join(ANALYTIC)}, which are not homogeneous",
            r"\sigma \text{ not homogeneous: no conservation law}",
            lambda size, seed: counted(analytic(size), 0, seed),
        ),
        cases("activation", len(ANALYTIC), lambda size: 2),
        note=EXACT,
    ),
    Claim(
        "neuron.formula",
        "The law of a homogeneous activation",
        "talk, slide 5, proposition",
        Statement(
            "the conservation laws are the functions of u^2/2 - v^2/k",
            r"h(u, v) = \Phi\left(\frac{u^2}{2} - \frac{v^2}{k}\right)",
            lambda size, seed: _law_and_no_other(size, seed, size[0]),
        ),
        POWERS,
        meant=Statement(
            "the conservation laws are the functions of u^2/2 - v^2/(2k), that is, of k u^2 - v^2",
            r"h(u, v) = \Phi\left(\frac{u^2}{2} - \frac{v^2}{2k}\right)",
            lambda size, seed: _law_and_no_other(size, seed, 2 * size[0]),
        ),
        note="Euler: v sigma'(v x) x = k sigma(v x), so v v' = k u u' along the flow.",
    ),
    Claim(
        "neuron.fields",
        "The fields of a single neuron",
        "talk, slide 18",
        Statement(
            "W(u, v) is spanned by the fields (M v, M^T u)",
            r"W(u, v) = \text{Span}_M \{(M v, M^\top u)\}",
            _fields,
        ),
        VECTORS,
    ),
    Claim(
        "neuron.equation",
        "The equation of a law of a single neuron",
        "talk, slides 17 and 18",
        Statement(
            "h is conserved if and only if grad_u h v^T + u (grad_v h)^T = 0",
            r"\nabla_u h(u, v) v^\top + u \nabla_v h(u, v)^\top = 0",
            _equation,
        ),
        VECTORS,
    ),
    Claim(
        "neuron.only-solutions",
        "The laws of a single neuron",
        "talk, slide 18",
        Statement(
            "the only solutions are the functions of |u|^2 - |v|^2",
            r"\text{Only solutions: } h(u, v) = \Phi(\|u\|^2 - \|v\|^2)",
            _only_solutions,
            AllSizes((network("nmf", "n 1 m", "U[i,k]*U[i,l] - V[j,k]*V[j,l]"),), complete=True),
        ),
        VECTORS,
    ),
]
