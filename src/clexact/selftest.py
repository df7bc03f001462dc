"""``python -m clexact.selftest``: whether an installation computes what it should, in seconds; exit status 1 if not.

Kernels are compared with plain Python and SymPy, certified counts with formulas that are proved, and a certificate is
verified, then forged and refused. It needs no file of the tests and writes none.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import sympy

from clexact import models
from clexact.algebra import echelon, linalg
from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields, bracket, lie_derivative
from clexact.algebra.polynomial import Polynomial
from clexact.counting.certify import certify
from clexact.flows.dynamics import gradient_flow
from clexact.functions import gelu, layer_norm, softmax
from clexact.laws.polynomial_laws import polynomial_laws
from clexact.programs.model import Model
from clexact.proofs.certificate import VerdictStatus, verify_bytes
from clexact.support.version import __version__

SEED = 2026
PRIMES = (3, 65537, 4194301, 2**61 - 1)  # of two bits, balanced in float32 and float64, of words
SHAPES = ((1, 1), (3, 7), (12, 9), (40, 40))
LINEAR = ((4, 3, 5), (1, 2, 2), (2, 1, 2), (1, 5, 1), (3, 4, 2))  # n, r, m
RELU = ((2, 3, 1), (2, 4, 3), (1, 6, 2))
Matrix = list[list[int]]


class SelfTestError(Exception):
    """Something came out differently."""


def main() -> int:
    """Run all checks, each with what it did; the exit status."""
    print(f"clexact {__version__}")
    failed, start = 0, time.perf_counter()
    for check in CHECKS:
        began = time.perf_counter()
        try:
            said, mark = check(), "ok"
        except Exception as error:  # whatever an installation that is broken raises
            said, mark, failed = f"{check.__doc__} {type(error).__name__}: {error}", "FAILED", failed + 1
        print(f"  {mark:<6} {said} ({time.perf_counter() - began:.1f} s)", flush=True)
    passed, seconds = len(CHECKS) - failed, time.perf_counter() - start
    print(f"{passed} of {len(CHECKS)} checks passed in {seconds:.1f} s")
    return 1 if failed else 0


def same(what: str, found: object, expected: object) -> None:
    """SelfTestError unless they are equal."""
    if found != expected:
        raise SelfTestError(f"{what}: {found}, and not {expected}")


# --- kernels ---------------------------------------------------------------------------------------------------------


def reduced(rows: Matrix, p: int) -> tuple[Matrix, int]:
    """Gauss and Jordan, entry by entry: the rows of the reduced echelon form, and the rank."""
    rows, done = [row[:] for row in rows], 0
    for column in range(len(rows[0])):
        pivot = next((i for i in range(done, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        scale = pow(rows[done][column], -1, p)
        rows[done] = [scale * entry % p for entry in rows[done]]
        for i, row in enumerate(rows):
            if i != done and row[column]:
                rows[i] = [(a - row[column] * b) % p for a, b in zip(row, rows[done], strict=True)]
        done += 1
    return rows[:done], done


def times(a: Matrix, b: Matrix, p: int) -> Matrix:
    """A product, entry by entry."""
    columns = list(zip(*b, strict=True))
    return [[sum(x * y for x, y in zip(row, column, strict=True)) % p for column in columns] for row in a]


def drawn(draws: Draws, rows: int, columns: int, p: int) -> Matrix:
    """A matrix of about half the rank that it could have."""
    inner = (min(rows, columns) + 1) // 2
    left, right = (draws.residues(shape, p).tolist() for shape in ((rows, inner), (inner, columns)))
    return times(left, right, p)


def check_products() -> str:
    """Products of matrices modulo primes."""
    draws, done = Draws(SEED), 0
    for p, (n, m) in product(PRIMES, SHAPES):
        a, b = draws.residues((n, m), p), draws.residues((m, n), p)
        found = linalg.matmul(a[None], b[None], p)[0].tolist()
        same(f"a product of {n} x {m} mod {p}", found, times(a.tolist(), b.tolist(), p))
        squares = [[x * x % p for x in row] for row in a.tolist()]
        same(f"squares of entries mod {p}", linalg.multiply(a, a, p).tolist(), squares)
        done += 1
    return f"{done} products of matrices modulo {len(PRIMES)} primes, from 3 to 2^61 - 1, are those of plain Python"


def check_ranks() -> str:
    """Ranks and echelon forms modulo primes."""
    draws, done = Draws(SEED), 0
    for p, (n, m) in product(PRIMES, SHAPES):
        rows = drawn(draws, n, m, p)
        form, rank = reduced(rows, p)
        words = np.array(rows, dtype=np.uint64)
        same(f"the rank of {n} x {m} mod {p}", echelon.rank(words, p), rank)
        same(f"the rank by FLINT mod {p}", linalg.flint_rank(rows, p), rank)
        kept = [row for row in linalg.row_reduce(words, p).tolist() if any(row)]
        same(f"the echelon form of {n} x {m} mod {p}", sorted(kept), sorted(form))
        done += 1
    return f"{done} ranks and echelon forms, dense and by FLINT, are those of plain Python"


def check_fields() -> str:
    """Brackets and Lie derivatives."""
    names = ("x", "y", "z")
    components = [["x^2*y - 3*z", "y^3 + x*z/2", "x - 7*y*z^2"], ["z^2", "5*x*y - 1", "x^3 - y*z"]]
    X, Y = (VectorFields.from_strings(names, [each]) for each in components)
    symbols = sympy.symbols(names)
    first, second = ([sympy.sympify(text.replace("^", "**")) for text in each] for each in components)
    text = "x^2*z - y^4/3 + 2*x*y*z"
    h = sympy.sympify(text.replace("^", "**"))
    along = sum(v * h.diff(s) for v, s in zip(first, symbols, strict=True))
    (derived,) = lie_derivative(Polynomial.from_string(text, names), X)
    same("a Lie derivative", sympy.expand(derived.to_sympy() - along), 0)
    for i, component in enumerate(bracket(X, Y).components(0)):
        expected = sum(
            v * second[i].diff(s) - w * first[i].diff(s) for v, w, s in zip(first, second, symbols, strict=True)
        )
        same(f"component {i} of a bracket", sympy.expand(component.to_sympy() + expected), 0)
    return "a bracket of two fields and a Lie derivative are those of SymPy"


def check_laws() -> str:
    """Polynomial laws of the Toda lattice."""
    names, toda = [*"abpqr"], ["a*(q - p)", "b*(r - q)", "2*a^2", "2*b^2 - 2*a^2", "-2*b^2"]
    field = [sympy.sympify(text.replace("^", "**")) for text in toda]
    laws = polynomial_laws(VectorFields.from_strings(names, [toda]), degree=3)
    for law in laws:
        h = law.to_sympy()
        along = sum(v * h.diff(s) for v, s in zip(field, sympy.symbols(names), strict=True))
        same(f"the derivative of {law}", sympy.expand(along), 0)
    same("independent laws, of which the theory of Lax knows three", len(laws.independent), 3)
    return f"{len(laws)} polynomial laws of the Toda lattice, 3 independent: SymPy finds their derivatives 0"


# --- counts ----------------------------------------------------------------------------------------------------------


def check_counts() -> str:
    """Counts of linear and ReLU networks."""
    for n, r, m in LINEAR:
        k = min(r, n + m)
        same(f"laws of linear {n} {r} {m}", int(certify(models.linear(n, r, m))), k * (2 * r + 1 - k) // 2)
    for sizes in RELU:
        same(f"laws of relu {sizes}", int(certify(models.relu(*sizes))), sizes[1])
    return f"{len(LINEAR)} two-layer linear and {len(RELU)} ReLU networks have as many laws as their formulas say"


def check_block() -> str:
    """A transformer block with softmax, GELU and layer norms."""

    def block(X, Q, K, V, P, g, b, A, B):  # type: ignore[no-untyped-def]
        Y = g * layer_norm(X, eps="1e-5") + b
        X = X + softmax((Y @ Q) @ (Y @ K).T) @ (Y @ V) @ P
        return X + gelu(layer_norm(X, eps="1e-5") @ A) @ B

    shapes: dict[str, int | Sequence[int]] = {"Q": (3, 2), "K": (3, 2), "V": (3, 2), "P": (2, 3)}
    shapes |= {"g": 3, "b": 3, "A": (3, 4), "B": (4, 3)}
    count = certify(Model(shapes, {"X": (2, 3)}, block))
    bounds = sorted(int(certify(Model(shapes, {"X": (2, 3)}, block), seed=seed)) for seed in (1, 2))
    same("the count with other seeds, so other primes and points", bounds, [int(count)] * 2)
    return f"a transformer block with softmax, GELU and layer norms has {count.headline}, with each of three seeds"


def check_certificates() -> str:
    """A certificate, and forgeries of it."""
    document = certify(gradient_flow(models.linear(2, 2, 3)).fields).certificate.to_json()
    honest = verify_bytes(document.encode())
    same("the verdict on a certificate", honest.status, VerdictStatus.VERIFIED)
    forged = forgeries(document)
    for what, text in forged:
        same(f"the verdict on a certificate with {what}", verify_bytes(text.encode()).status, VerdictStatus.FALSE)
    return f"a certificate is verified, and refused with {', '.join(what for what, _ in forged)}"


def _false_law(data: dict[str, Any]) -> None:
    data["laws"][0]["polynomials"][0] += " + " + data["fields"]["variables"][0]


def _one_law_more(data: dict[str, Any]) -> None:
    data["claim"]["lower"] += 1


def _one_law_less(data: dict[str, Any]) -> None:
    data["claim"]["upper"] -= 1


def _a_rank_more(data: dict[str, Any]) -> None:
    data["lie"]["ranks"][-1] += 1


def _another_field(data: dict[str, Any]) -> None:
    field = data["fields"]["components"][0]
    variable = next(iter(field))
    field[variable] += " + 1"


def _a_point_of_zeros(data: dict[str, Any]) -> None:
    data["lie"]["point"] = []


FORGED = {
    "a false law": _false_law,
    "one law more from below": _one_law_more,
    "one law less from above": _one_law_less,
    "a rank more": _a_rank_more,
    "another field": _another_field,
    "a point of zeros": _a_point_of_zeros,
}


def forgeries(document: str) -> list[tuple[str, str]]:
    """The same with one thing changed each, and what that is."""
    found = []
    for what, change in FORGED.items():
        data = json.loads(document)
        change(data)
        found.append((what, json.dumps(data)))
    return found


CHECKS: Sequence[Callable[[], str]] = (
    check_products,
    check_ranks,
    check_fields,
    check_laws,
    check_counts,
    check_block,
    check_certificates,
)


if __name__ == "__main__":
    sys.exit(main())
