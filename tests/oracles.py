"""Oracles that share no code with the engine: SymPy's polynomial rings and exact matrices of python-flint.

A field is a list of D ``PolyElement`` of one SymPy ring; a ``Net`` is what a user gives to ``clexact.Model``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import combinations_with_replacement, pairwise, product
from math import prod
from typing import Any

import flint
import numpy as np
import sympy
from sympy import QQ
from sympy.polys.rings import PolyElement, PolyRing

import clexact
from clexact.programs.array import Array

Field = list[PolyElement]


def names_of(shapes: dict[str, tuple[int, ...]]) -> list[str]:
    """The names of all entries, row by row: U[0,1], and the bare name of a scalar."""
    return [
        f"{name}[{','.join(map(str, place))}]" if shape else name
        for name, shape in shapes.items()
        for place in product(*map(range, shape))
    ]


def ring_of(variables: Sequence[str]) -> PolyRing:
    """Polynomials over Q in variables of any name."""
    return PolyRing([sympy.Symbol(v) for v in variables], QQ)


@dataclass(frozen=True)
class Net:
    """Parameters, probes and output of a model; the output must run on NumPy arrays too (``join`` concatenates)."""

    parameters: dict[str, tuple[int, ...]]
    probes: dict[str, tuple[int, ...]]
    output: Callable[..., Any] = field(compare=False)

    def model(self) -> clexact.Model:
        """The model under test."""
        return clexact.Model(self.parameters, self.probes, self.output)

    def flow(self, loss: str = "full") -> Any:
        """Its gradient flow."""
        return clexact.gradient_flow(self.model(), loss)

    @property
    def dimension(self) -> int:
        """D."""
        return sum(map(prod, self.parameters.values()))

    @cached_property
    def ring(self) -> PolyRing:
        """Polynomials in the parameters."""
        return ring_of(names_of(self.parameters))

    @cached_property
    def expanded(self) -> np.ndarray:
        """The output as polynomials in parameters and probes, by running the function on them."""
        shapes = self.parameters | self.probes
        ring = ring_of(names_of(shapes))
        return run_on_numpy(self.output, shapes, list(ring.gens), ring.zero)

    def outputs(self, loss: str = "full") -> list[PolyElement]:
        """The entries of the output; for cross-entropy, their differences along the last axis."""
        out = self.expanded
        return list((out if loss == "full" else out[..., :-1] - out[..., -1:]).ravel())

    def fields(self, loss: str = "full") -> list[Field]:
        """Gradients of all coefficients of the output in the probes, zero ones left out."""
        D, found = self.dimension, []
        for entry in self.outputs(loss):
            parts: dict[tuple[int, ...], dict[tuple[int, ...], Any]] = {}
            for exponents, c in entry.terms():
                parts.setdefault(exponents[D:], {})[exponents[:D]] = c
            found += [gradient(self.ring.from_dict(part)) for part in parts.values()]
        return [X for X in found if any(X)]

    def member(self, seeds: Sequence[int], loss: str = "full") -> Field:
        """The field named by the values of all probes, then of the covector."""
        D, size = self.dimension, sum(map(prod, self.probes.values()))
        total = self.ring.zero
        for entry, c in zip(self.outputs(loss), seeds[size:], strict=True):
            for exponents, a in entry.terms():
                value = prod((s**k for s, k in zip(seeds[:size], exponents[D:], strict=True)), start=QQ(c) * a)
                total += self.ring.from_dict({exponents[:D]: value}) if value else 0
        return gradient(total)


def run_on_numpy(output: Callable[..., Any], shapes: dict[str, tuple[int, ...]], flat: list[Any], zero: Any) -> Any:
    """The function's value on NumPy arrays filled with the given entries."""
    arrays, first = {}, 0
    for name, shape in shapes.items():
        arrays[name] = filled(flat[first : first + prod(shape)], shape)
        first += prod(shape)
    out = np.asarray(output(**arrays), dtype=object)
    return filled([zero + entry for entry in out.ravel()], out.shape)


def filled(flat: Iterable[Any], shape: tuple[int, ...]) -> np.ndarray:
    """A NumPy array of objects."""
    out = np.empty(prod(shape), dtype=object)
    for i, entry in enumerate(flat):
        out[i] = entry
    return out.reshape(shape)


def join(parts: Sequence[Any], axis: int = 0) -> Any:
    """Concatenate symbols of a model or NumPy arrays."""
    return (clexact.concatenate if any(isinstance(p, Array) for p in parts) else np.concatenate)(parts, axis=axis)


def block(x: Any) -> Any:
    """A number as an array of one axis; operations of NumPy give bare objects in place of arrays without axes."""
    return x.reshape(1) if isinstance(x, Array) else filled([x], (1,))


def powered(a: Any, power: int) -> Any:
    """a ** power; SymPy refuses 0 ** 0."""
    return a**power if power or isinstance(a, Array) else np.ones(a.shape, dtype=object)


def layered(dims: Sequence[int], gates: bool = False, bias: bool = False, output_bias: bool = False) -> Net:
    """A network with weights U1, U2, ..., written here once more."""
    shapes = {f"U{k}": shape for k, shape in enumerate(pairwise(dims), start=1)}
    shapes |= {f"b{k}": (dims[k - 1],) for k in range(1 if output_bias else 2, len(dims)) if bias or k == 1}
    probes = {"x": (dims[-1],)} | ({f"g{k}": (dims[k - 1],) for k in range(2, len(dims))} if gates else {})

    def output(x: Any, **a: Any) -> Any:
        for k in range(len(dims) - 1, 0, -1):
            x = a[f"U{k}"] @ x
            x = x + a[f"b{k}"] if f"b{k}" in a else x
            x = a[f"g{k}"] * x if f"g{k}" in a else x
        return x

    return Net(shapes, probes, output)


# --- fields of text and SymPy ----------------------------------------------------------------------------------------


def read(variables: Sequence[str], fields: Sequence[Sequence[str]]) -> list[Field]:
    """Fields written as SymPy reads them."""
    ring = ring_of(variables)
    symbols = ring.symbols
    space = dict(zip(variables, symbols, strict=True))
    polys = [[sympy.Poly(sympy.sympify(text, space, rational=True), *symbols) for text in X] for X in fields]
    return [[ring.from_dict({m: QQ(c.p, c.q) for m, c in p.terms() if c}) for p in X] for X in polys]


def as_clexact(fields: list[Field]) -> clexact.VectorFields:
    """The same fields for the engine, through SymPy expressions."""
    ring = fields[0][0].ring
    return clexact.VectorFields.from_sympy([[p.as_expr() for p in X] for X in fields], ring.symbols)


def as_element(h: clexact.Polynomial, ring: PolyRing) -> PolyElement:
    """A polynomial of the engine as an element of the ring."""
    out = ring.zero
    for monomial, c in h.items():
        powers = dict(monomial)
        exponents = tuple(powers.get(j, 0) for j in range(ring.ngens))
        out += ring.from_dict({exponents: QQ(c.numerator, c.denominator)})
    return out


def gradient(p: PolyElement) -> Field:
    """All partial derivatives."""
    return [p.diff(x) for x in p.ring.gens]


def derivative(h: PolyElement, X: Field) -> PolyElement:
    """<grad h, X>."""
    return sum((c * h.diff(x) for c, x in zip(X, h.ring.gens, strict=True) if c), start=h.ring.zero)


def is_law(h: PolyElement, fields: Iterable[Field]) -> bool:
    """Whether every field kills h."""
    return not any(derivative(h, X) for X in fields)


def lie_bracket(X: Field, Y: Field) -> Field:
    """dX Y - dY X."""
    return [derivative(x, Y) - derivative(y, X) for x, y in zip(X, Y, strict=True)]


def combination(coefficients: Sequence[Any], fields: Sequence[Field]) -> Field:
    """Sum of c X."""
    return [sum(c * X[j] for c, X in zip(coefficients, fields, strict=True)) for j in range(len(fields[0]))]


def value(X: Field, point: Sequence[Any]) -> list[Any]:
    """The value at a rational point."""
    at = [QQ(c.numerator, c.denominator) for c in map(Fraction, point)]
    return [QQ(p.evaluate(list(zip(p.ring.gens, at, strict=True)))) if p else QQ(0) for p in X]


def value_mod(X: Field, point: Sequence[int], p: int) -> list[int]:
    """The value at a point, mod p."""
    totals = []
    for component in X:
        total = 0
        for exponents, c in component.terms():
            term = int(c.numerator) * pow(int(c.denominator), -1, p)
            for x, k in zip(point, exponents, strict=True):
                term = term * pow(int(x), k, p) % p
            total += term
        totals.append(total % p)
    return totals


# --- exact linear algebra --------------------------------------------------------------------------------------------


def rank(rows: Sequence[Sequence[Any]]) -> int:
    """Rank over Q."""
    return int(flint.fmpq_mat([list(row) for row in rows]).rank()) if len(rows) and len(rows[0]) else 0


def rank_mod(rows: Sequence[Sequence[int]], p: int) -> int:
    """Rank mod p."""
    return int(flint.nmod_mat([[int(x) for x in row] for row in rows], p).rank()) if len(rows) and len(rows[0]) else 0


def nullspace(rows: list[list[Any]], columns: int) -> list[list[Any]]:
    """A basis of {a : rows a = 0} over Q."""
    if not rows:
        return [[QQ(i == j) for j in range(columns)] for i in range(columns)]
    form, size = flint.fmpq_mat(rows).rref()
    pivots = [next(j for j in range(columns) if form[i, j]) for i in range(size)]
    basis = []
    for free in sorted(set(range(columns)) - set(pivots)):
        vector = [QQ(j == free) for j in range(columns)]
        for i, pivot in enumerate(pivots):
            vector[pivot] = -form[i, free]
        basis.append(vector)
    return basis


def coefficient_rows(polynomials: Sequence[PolyElement]) -> list[list[Any]]:
    """Polynomials as dense vectors over all monomials that occur in them."""
    monomials = sorted({m for p in polynomials for m in p})
    return [[p.get(m, QQ(0)) for m in monomials] for p in polynomials]


def same_span(a: Sequence[PolyElement], b: Sequence[PolyElement]) -> bool:
    """Whether two lists of polynomials span the same space over Q."""
    rows = coefficient_rows([*a, *b])
    return rank(rows[: len(a)]) == rank(rows[len(a) :]) == rank(rows)


def same_field_span(a: Sequence[Field], b: Sequence[Field]) -> bool:
    """Whether two families of fields span the same space over Q."""
    if not a or not b:
        return not any(any(X) for X in [*a, *b])
    columns = [coefficient_rows(component) for component in zip(*[*a, *b], strict=True)]
    rows = [[c for component in columns for c in component[i]] for i in range(len(a) + len(b))]
    return rank(rows[: len(a)]) == rank(rows[len(a) :]) == rank(rows)


# --- laws and Lie algebras -------------------------------------------------------------------------------------------


def dense_laws(fields: list[Field], ring: PolyRing, degree: int, homogeneous: bool = False) -> list[PolyElement]:
    """A basis of all polynomial laws of degree 1 to ``degree``: the nullspace of one dense matrix."""
    degrees = [degree] if homogeneous else range(1, degree + 1)
    choices = [c for k in degrees for c in combinations_with_replacement(range(ring.ngens), k)]
    monomials = [prod((ring.gens[j] for j in choice), start=ring.one) for choice in choices]
    equations: dict[Any, dict[int, Any]] = {}
    for n, monomial in enumerate(monomials):
        for i, X in enumerate(fields):
            for m, c in derivative(monomial, X).terms():
                equations.setdefault((i, m), {})[n] = c
    rows = [[row.get(n, QQ(0)) for n in range(len(monomials))] for row in equations.values()]
    basis = nullspace([row for row in rows if any(row)], len(monomials))
    return [sum((c * m for c, m in zip(v, monomials, strict=True) if c), start=ring.zero) for v in basis]


def gradient_rank(laws: Sequence[PolyElement], point: Sequence[Any]) -> int:
    """Rank of the gradients at a point."""
    return rank([value(gradient(h), point) for h in laws])


def random_point(dimension: int, seed: int = 0) -> list[int]:
    """A random integer point."""
    rng = random.Random(seed)
    return [rng.randint(-(10**9), 10**9) for _ in range(dimension)]


def lie_dims(fields: list[Field], point: Sequence[Any], depth: int) -> tuple[list[int], bool]:
    """Exact ranks of W_0, ..., W_depth at a point, all brackets taken; and whether the W stopped growing over Q."""
    level, basis, dims = _new_members(fields, []), [], []
    for _ in range(depth + 1):
        basis = basis + level
        dims.append(rank([value(X, point) for X in basis]))
        level = _new_members([lie_bracket(X, Y) for X in fields for Y in level], basis)
        if not level:
            return dims, True
    return dims, False


def _new_members(candidates: list[Field], basis: list[Field]) -> list[Field]:
    """Candidates that are independent over Q of the basis and of those before them."""
    rows: dict[Any, dict[Any, Any]] = {}
    for X in basis:
        _insert(rows, X)
    return [X for X in candidates if _insert(rows, X)]


def _insert(rows: dict[Any, dict[Any, Any]], X: Field) -> bool:
    """Reduce a field by sparse rows {pivot: row}; keep and report what is left of it."""
    row = {(j, m): c for j, p in enumerate(X) for m, c in p.terms() if c}
    while row:
        pivot = max(row)
        if pivot not in rows:
            rows[pivot] = row
            return True
        factor = row[pivot] / rows[pivot][pivot]
        for k, c in rows[pivot].items():
            row[k] = row.get(k, QQ(0)) - factor * c
        row = {k: c for k, c in row.items() if c}
    return False


def generic_rank(fields: list[Field], dimension: int, seed: int = 0) -> int:
    """dim W_infinity at a generic point: brackets with a basis over Q(x) until none is independent of it."""
    point, basis, values = random_point(dimension, seed), [], []
    queue = list(fields)
    while queue and len(basis) < dimension:
        X = queue.pop(0)
        if rank([*values, value(X, point)]) > len(values):
            basis.append(X)
            values.append(value(X, point))
            queue += [lie_bracket(Y, X) for Y in fields]
    return len(basis)


# --- random inputs ---------------------------------------------------------------------------------------------------


def random_system(rng: random.Random, rational: bool = False) -> list[Field]:
    """One to three sparse fields of degree at most 2 in two to four variables."""
    dimension = rng.randint(2, 4)
    ring = ring_of([f"x{i}" for i in range(dimension)])
    return [[_random_component(rng, ring, rational) for _ in range(dimension)] for _ in range(rng.randint(1, 3))]


def _random_component(rng: random.Random, ring: PolyRing, rational: bool) -> PolyElement:
    out = ring.zero
    for _ in range(rng.choice([0, 1, 1, 2])):
        monomial = prod((rng.choice(ring.gens) for _ in range(rng.randint(0, 2))), start=ring.one)
        out += monomial * QQ(rng.choice([-2, -1, 1, 3]), rng.randint(2, 5) if rational else 1)
    return out


STEPS = ("matmul",) * 5 + (
    "add", "subtract", "multiply", "transpose", "reshape", "take", "concatenate", "sum", "power", "outer", "constant",
    "divide", "residual", "gate", "stack",
)  # fmt: skip


def random_net(rng: random.Random, steps: int = 6) -> Net:
    """A small program made of random operations that fit; shapes, degrees and numbers of terms stay small."""
    sizes = [rng.randint(1, 3) for _ in range(3)]
    shapes = {"A": (sizes[0], sizes[1]), "B": (sizes[1], sizes[2]), "c": (rng.choice(sizes),)}
    if rng.random() < 0.4:
        shapes |= {"D": (rng.choice(sizes), rng.choice(sizes))}
    probes = {"x": (sizes[2],)} | ({"gate": (sizes[1],)} if rng.random() < 0.5 else {})
    arrays = [(np.full(shape, 1, dtype=object), 1) for shape in (shapes | probes).values()]
    recipe: list[Callable[[list[Any]], Any]] = []
    while len(recipe) < steps:
        step, inputs, degree = _random_step(rng, arrays)
        try:
            out = np.asarray(step([a for a, _ in arrays]), dtype=object)
        except ValueError:
            continue
        degrees = [arrays[i][1] for i in inputs]
        total = degree(degrees)
        if total <= 4 and 0 < out.size <= 12 and out.ndim <= 3 and np.sum(abs(out)) <= 80:
            arrays.append((np.asarray(abs(out), dtype=object), total))
            recipe.append(step)

    def output(**given: Any) -> Any:
        values = [given[name] for name in shapes | probes]
        for step in recipe:
            out = step(values)
            values.append(out if isinstance(out, Array) else np.asarray(out, dtype=object))
        return values[-1]

    return Net(shapes, probes, output)


def _random_step(rng: random.Random, arrays: list[Any]) -> tuple[Callable[[list[Any]], Any], list[int], Any]:
    """A random operation on earlier arrays (late ones preferred), its operands, and the degree of its result."""
    i, j = (min(len(arrays) - 1, int(rng.triangular(0, len(arrays), len(arrays)))) for _ in range(2))
    shape, op, k = arrays[i][0].shape, rng.choice(STEPS), rng.randint(0, 3)
    axis = rng.randrange(-len(shape), len(shape)) if shape else 0
    order = rng.sample(range(len(shape)), len(shape))
    key = _random_key(rng, shape)
    target = rng.choice([(-1,), (1, *shape), (*shape, 1), shape[::-1]])
    constant = np.array([[rng.randint(-1, 2) for _ in range(shape[0])] for _ in range(2)]) if shape else 2
    binary = {
        "matmul": lambda v: v[i] @ v[j],
        "add": lambda v: v[i] + v[j],
        "residual": lambda v: v[j] + v[i] @ v[j],
        "subtract": lambda v: v[i] - v[j],
        "multiply": lambda v: v[i] * v[j],
        "gate": lambda v: v[i] * v[j][None, :],
        "outer": lambda v: v[i][..., None] * v[j][None],
        "concatenate": lambda v: join([v[i], v[j]], axis),
        "stack": lambda v: join([v[i][None], v[j][None]]),
    }
    unary = {
        "transpose": lambda v: v[i].transpose(order) if k else v[i].T,
        "reshape": lambda v: v[i].reshape(target),
        "take": lambda v: v[i][key],
        "sum": lambda v: v[i].sum(axis=axis) if k and shape else v[i].sum(),
        "power": lambda v: powered(v[i], k),
        "constant": lambda v: constant @ v[i] if shape and k else 1 - v[i] * 2,
        "divide": lambda v: -v[i] / 2,
    }
    if op == "gate" and arrays[j][0].ndim != 1:
        op = "matmul"
    if op == "outer" and not arrays[j][0].ndim:
        op = "add"
    if op in binary:
        merge = max if op in ("add", "subtract", "concatenate", "stack") else sum
        return binary[op], [i, j], merge
    return unary[op], [i], (lambda d: d[0] * k) if op == "power" else sum


def _random_key(rng: random.Random, shape: tuple[int, ...]) -> Any:
    """An index of NumPy: an entry, a slice, a step backwards, a list with repetitions, a new axis."""
    if not shape:
        return (None,)
    n = shape[0]
    entry = rng.randrange(-n, n)
    return rng.choice([entry, slice(None, None, -1), slice(0, 1), [entry, 0, entry], (..., slice(0, 1)), (..., None)])
