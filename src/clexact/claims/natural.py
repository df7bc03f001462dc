r"""Natural gradients of $U V^\top$: by the Fisher matrix of all parameters, or by that of each factor alone.

For inputs of covariance 1 and Gaussian noise the Fisher matrix is $J^\top J$, J the Jacobian of the map from U and V to
$U V^\top$. The natural gradient is $J^+ G$, or $J^\top (J J^\top + \lambda)^{-1} G$ with damping, and so stays in the
span of the gradients $J^\top C$, which decides what is conserved. Layer by layer, as K-FAC has it (arXiv 1503.05671),
it is $U' = -G V (V^\top V)^{-1}$, $V' = -G^\top U (U^\top U)^{-1}$.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.fields import VectorFields
from clexact.algebra.polynomial import Polynomial
from clexact.claims.checks import complete, matrix, of_count
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size, factored
from clexact.counting.certify import certify
from clexact.laws.check import check_law

Matrix = NDArray[np.object_]  # of polynomials


def determinant(A: Matrix) -> Polynomial:
    """By the first row."""
    if len(A) == 1:
        (entry,) = A[0].tolist()
        return Polynomial.given(entry, entry.variables)
    minors = (np.delete(A[1:], j, axis=1) for j in range(len(A)))
    terms = [(1 if j % 2 == 0 else -1) * A[0, j] * determinant(minor) for j, minor in enumerate(minors)]
    total: Polynomial = sum(terms[1:], terms[0])
    return total


def adjugate(A: Matrix) -> Matrix:
    """The matrix of cofactors, transposed: A times it is det A."""
    out = np.empty_like(A)
    for i, j in np.ndindex(A.shape):
        rest = np.delete(np.delete(A, i, axis=0), j, axis=1)
        out[j, i] = (1 if (i + j) % 2 == 0 else -1) * (determinant(rest) if len(rest) else A[0, 0] ** 0)
    return out


def factors(n: int, r: int, m: int) -> tuple[Matrix, Matrix]:
    """U and V."""
    names = [*matrix("U", (n, r)).ravel(), *matrix("V", (m, r)).ravel()]
    entries = np.array([Polynomial.from_string(name, names) for name in names], dtype=object)
    return entries[: n * r].reshape(n, r), entries[n * r :].reshape(m, r)


def _fields(U: Matrix, V: Matrix, components: Sequence[Sequence[Polynomial]]) -> VectorFields:
    return VectorFields(U[0, 0].variables, [list(field) for field in components])


def jacobian(U: Matrix, V: Matrix) -> Matrix:
    """Of U V^T: a row for each entry, the gradient of which it is."""
    return np.array([[h.diff(x) for x in U[0, 0].variables] for h in (U @ V.T).ravel()], dtype=object)


def layerwise(n: int, r: int, m: int) -> VectorFields:
    r"""The fields of $G = E_{ij}$, each times $\det(U^\top U) \det(V^\top V)$."""
    U, V = factors(n, r, m)
    A, B = U.T @ U, V.T @ V
    left, right = determinant(A) * (V @ adjugate(B)), determinant(B) * (U @ adjugate(A))
    zero, found = U[0, 0] - U[0, 0], []
    for i, j in np.ndindex(n, m):
        X, Y = np.full((n, r), zero), np.full((m, r), zero)
        X[i], Y[j] = left[j], right[i]
        found.append([*X.ravel(), *Y.ravel()])
    return _fields(U, V, found)


def _natural(size: Size, seed: int) -> Check:
    r"""The laws of the gradient flow, and no others, of $J^\top \mathrm{adj}(J J^\top)$: times $\det J J^\top$."""
    U, V = factors(*size)
    J = jacobian(U, V)
    laws = certify(_fields(U, V, J.tolist()), seed=seed).laws.polynomials()
    return complete(_fields(U, V, (J.T @ adjugate(J @ J.T)).T.tolist()), list(laws), seed)


def _layerwise(size: Size, seed: int) -> Check:
    """The quotient is conserved, an identity, and nothing else, by the rank of brackets."""
    U, V = factors(*size)
    fields, law = layerwise(*size), f"({determinant(U.T @ U)})/({determinant(V.T @ V)})"
    outcome, count = check_law(fields, law, seed=seed), certify(fields, seed=seed)
    check = of_count(count, bool(outcome) and count.upper == 1, "1")
    said = f"at least: the quotient of determinants is {outcome}; at most: {count.evidence.upper}"
    return replace(check, found=str(count.upper), evidence=said, count=count.upper if outcome else None)


HERE = "this package"
CLAIMS = [
    Claim(
        "natural.full",
        "The natural gradient keeps what the gradient keeps",
        HERE,
        Statement(
            "the laws of the gradient flow, and no others",
            r"U^\top U - V^\top V, \ \ldots",
            _natural,
        ),
        Grid(("n", "r", "m"), factored, 0, 0, edges=((1, 1, 1), (1, 2, 1), (2, 1, 1), (2, 2, 1), (1, 3, 2))),
        note="U V^T with J J^T invertible. In general: J^+ G and J^T (J J^T + damping)^-1 G span what gradients do, at "
        "each point, in any model; so do Gauss-Newton and Levenberg-Marquardt steps.",
        fitted=False,
    ),
    Claim(
        "natural.layers",
        "Layer by layer, as in K-FAC, it keeps a ratio of determinants alone",
        HERE,
        Statement(
            "det(U^T U) / det(V^T V), and no others",
            r"\det(U^\top U) / \det(V^\top V)",
            _layerwise,
        ),
        Grid(
            ("n", "r", "m"), factored, 0, 12, edges=((1, 1, 1), (2, 1, 1), (2, 1, 2), (2, 2, 2)), least=(3, 2, 2),
            most=(3, 2, 3),
        ),
        note="U V^T with r <= n, m, U' = -G V (V^T V)^-1, V' = -G^T U (U^T U)^-1: of the r (r + 1) / 2 balances of the "
        "gradient flow none is left, and the volume of U over that of V stays.",
        fitted=False,
    ),
]  # fmt: skip
