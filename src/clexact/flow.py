"""Flows: a family of vector fields on a phase space, named by integers and read in two ways.

``values`` evaluates random members modulo a prime on jets, without expanding anything; ``fields`` is the exact finite
family that spans them. A member is named by a row of integers, its ``seeds``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from math import comb, lcm, prod
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact import gates
from clexact.digest import digest
from clexact.display import facts, lines
from clexact.draws import Draws
from clexact.expand import PolynomialArray, Polynomials
from clexact.fields import VectorFields
from clexact.jets import Jet, Jets
from clexact.linalg import Words, rational_nullspace, residues
from clexact.model import Model
from clexact.opaque import OpaqueJets
from clexact.polynomial import Number, exact
from clexact.program import Array, Degrees, Magnitudes, Program, Shape, TermCounts
from clexact.reverse import gradients
from clexact.sparsejets import Part, SparseJet, SparseJets, piece
from clexact.symmetry import MAX_EQUATIONS, Law, Symmetries, symmetries
from clexact.terms import Ints, Terms, concatenate, monomials_of_degree, starts
from clexact.touching import Walks

SHOWN = 8  # variables where a flow shows itself
LOSSES = ("full", "cross_entropy")
SPAN = {
    "full": "the loss spans all output covectors (squared loss does)",
    "cross_entropy": "the loss spans the output covectors of sum zero (softmax cross-entropy does)",
    "given": "the loss spans the output covectors given, along the last axis of the output",
}
Loss = str | Sequence[Sequence[Number]]


class Flow(ABC):
    """A family of polynomial vector fields; see the module's text. Subclasses fill in the attributes."""

    variables: tuple[str, ...]
    description: str
    assumptions: tuple[str, ...]
    scope: str  # of which data and starts, and of which gates, the answers speak
    recipe: dict[str, object]  # by which the flow can be rebuilt; empty for fields given as such
    seed_size: int  # integers that name one member of the family
    work: int  # numbers stored to evaluate one member
    degree: int  # of a component, in the variables and the seeds together, at most
    denominator: int = 1  # of the constants of its program, together: primes that divide it are avoided
    magnitude: int  # sum of the absolute integer coefficients of a component, denominators cleared, at most
    truncated: bool = False  # whether the family is only a part of the fields: laws of it need not be laws of the flow
    some_powers: bool = False  # whether ``monomials`` has only some of the powers of the clock that a law could have
    exponentials: Mapping[str, Fraction] = MappingProxyType({})  # {variable: r}: it stands for e^(r t)
    clocks: tuple[str, ...] = ()  # variables that are functions of the time alone

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.description}, D = {self.dimension})"

    def _repr_html_(self) -> str:
        pairs = {
            "D": f"{self.dimension}: {', '.join(self.variables[:SHOWN])}{', ...' * (self.dimension > SHOWN)}",
            "assuming": lines(self.assumptions),
            "note": "a part of the fields: Taylor coefficients up to an order" if self.truncated else None,
        }
        return facts(self.description, pairs)

    @property
    def dimension(self) -> int:
        """D, the dimension of the phase space."""
        return len(self.variables)

    @property
    def qualification(self) -> str:
        """What a headline must say: " with free gates", or nothing."""
        return gates.qualification(self.scope)

    @abstractmethod
    def values(self, theta: Jet, seeds: Words, prime: int) -> Jet:
        """Members named by ``seeds`` (N, seed_size), evaluated at theta (1 or N, D): a jet of shape (N, D)."""

    def opaque_values(self, theta: Jet, seeds: Words, ring: OpaqueJets) -> Jet:
        """Members of the flow before any Taylor expansion, functions being opaque; the same as ``values`` without."""
        return self.values(theta, seeds, ring.prime)

    @property
    @abstractmethod
    def digest(self) -> bytes:
        """Of everything that the fields depend on."""

    def draws(self, seed: int) -> Draws:
        """Random choices that whoever chose the fields could not know."""
        return Draws(seed, self.digest)

    @property
    @abstractmethod
    def fields(self) -> VectorFields:
        """The exact finite family that spans all members over Q."""

    @property
    @abstractmethod
    def expanded_size(self) -> int:
        """Number of packed terms of ``fields``, at most."""

    @property
    @abstractmethod
    def field_count(self) -> int | None:
        """Number of fields in ``fields``, None where that would take an expansion that is too large."""

    @property
    def left_out(self) -> str:
        """Which laws of the program's shape were not looked for, in words; empty if all were."""
        return ""

    def proposed_laws(self) -> list[Law]:
        """Laws proved by the shape of the flow's program; none without a program."""
        return self._laws_of_shape

    @cached_property
    def _laws_of_shape(self) -> list[Law]:
        return []

    def proposed_terms(self) -> Terms:
        """``proposed_laws`` as packed terms owned by their numbers, canonical."""
        return pack_laws(self.proposed_laws())

    def law_degrees(self, terms: Terms) -> Ints:
        """Degree of each term as laws count it: without the clock's power."""
        return terms.degrees()

    def monomials(self, degrees: Sequence[int]) -> Terms:
        """All monomials that can stand in a law homogeneous of one of these degrees, in their order, owned by 0."""
        return concatenate([monomials_of_degree(self.dimension, k) for k in degrees])

    def monomial_count(self, degrees: Sequence[int]) -> int:
        """How many they are."""
        return sum(comb(self.dimension + k - 1, k) for k in degrees)


def explicit_fields(count: int, dimension: int) -> str:
    """How a flow of explicit fields is described."""
    return f"{count} explicit field{'s' * (count != 1)} on Q^{dimension}"


class FieldsFlow(Flow):
    r"""The flow of explicit fields: members $\sum_i s_i X_i$, named by the integers s."""

    def __init__(self, fields: VectorFields) -> None:
        self.variables, self._fields = fields.variables, fields
        self.description = explicit_fields(len(fields), fields.dimension)
        self.recipe = {}
        self.assumptions = ("a quantity is conserved when every field given conserves it", "generic start")
        self.scope = "the fields given, generic start"
        terms = fields.terms
        self.seed_size, self.work = len(fields), 3 * len(terms) + fields.dimension
        self.degree = 1 + int(terms.degrees().max(initial=0))
        self.magnitude = max(1, sum(abs(c) for c in terms.coef.tolist()))
        self._field = terms.owner // max(1, fields.dimension)
        component = terms.owner % max(1, fields.dimension)
        self._by_component = np.argsort(component, kind="stable")
        self._component_start = starts(component[self._by_component], fields.dimension)

    @property
    def fields(self) -> VectorFields:
        return self._fields

    @cached_property
    def digest(self) -> bytes:
        return digest(self._fields.dimension, self._fields.denominators, *self._fields.terms.arrays)

    @property
    def expanded_size(self) -> int:
        return len(self._fields.terms)

    @property
    def field_count(self) -> int:
        return len(self._fields)

    def values(self, theta: Jet, seeds: Words, prime: int) -> Jet:
        jets = Jets(prime)
        weights = jets.multiply({0: residues(self._fields.terms.coef, prime)[None]}, {0: seeds[:, self._field]})
        each = jets.multiply(jets.monomials(self._fields.terms, theta), weights)
        return jets.segment_sums(jets.take(each, self._by_component), self._component_start)


class GradientFlow(Flow):
    r"""The gradient flow of a model: members $\nabla_\theta\langle C, g(\theta, \xi)\rangle$, named by $(\xi, C)$."""

    def __init__(self, model: Model, loss: Loss = "full") -> None:
        self.model, self.loss, self.variables = model, loss, model.variables
        kind, self._matrix, self.unseen = _covectors(loss, model.program.shape)  # unseen: a basis, along the last axis
        self.program = self._seen(model.polynomial)
        self.truncated = model.truncated
        written = kind if self._matrix is None else [[str(c) for c in row] for row in self._matrix]
        self.recipe = {**model.recipe, "loss": written} if model.recipe else {}
        named = {"full": "", "cross_entropy": ", cross-entropy loss", "given": ", covectors given"}
        self.description = f"gradient flow of {model.name}{named[kind]}"
        self.assumptions = (SPAN[kind], _reparametrization(model), "generic start")
        self.scope = "all data, generic start" + (", free gates" if model.program.gates else "")
        self._probe_size = sum(map(prod, model.probes.values()))
        self.seed_size = self._probe_size + prod(self.program.shape)
        self.work = 2 * sum(prod(node.shape) for node in self.program.nodes)
        self.degree = max(1, self._run_degrees(Degrees()))
        constants = [c for node in self.program.nodes if node.op == "constant" for c in node.data.ravel().tolist()]
        self.denominator = lcm(*(Fraction(c).denominator for c in constants))

    @cached_property
    def source(self) -> Program:
        """What the loss sees, before any Taylor expansion."""
        return self._seen(self.model.program) if self.truncated else self.program

    def _seen(self, program: Program) -> Program:
        """The program of what the loss sees: the outputs, their differences, or the covectors given times them."""
        if self.loss == "full":
            return program
        extended = Program(list(program.nodes), program.output, program.gates)
        logits = Array(extended, program.output)
        seen = logits[..., :-1] - logits[..., -1:] if self._matrix is None else logits @ self._matrix.T
        extended.output = seen._node
        return extended

    def _run_degrees(self, algebra: Degrees) -> int:
        leaves = dict.fromkeys(self.model.parameters | self.model.probes, 1)
        return int(self.program.run(algebra, leaves)[self.program.output])

    def _ones(self, dtype: type) -> dict[str, NDArray[Any]]:
        shapes = self.model.parameters | self.model.probes
        return {name: np.ones(shape, dtype=dtype) for name, shape in shapes.items()}

    @cached_property
    def magnitude(self) -> int:  # type: ignore[override]
        """Degree times the coefficients of the output, times what clears the denominators of its constants."""
        clearing = self.denominator ** self._run_degrees(Degrees(of_constant=1))
        total = sum(self.program.run(Magnitudes(), self._ones(object))[self.program.output].ravel().tolist())
        return max(1, int(self.degree * clearing * total))

    @cached_property
    def digest(self) -> bytes:
        leaves = [(name, shape) for name, shape in (self.model.parameters | self.model.probes).items()]
        return digest(leaves, self.source.digest, self.program.digest)

    def values(self, theta: Jet, seeds: Words, prime: int) -> Jet:
        return self._members(Jets(prime), self.program, theta, seeds)

    def opaque_values(self, theta: Jet, seeds: Words, ring: OpaqueJets) -> Jet:
        return self._members(ring, self.source, theta, seeds)

    def _members(self, ring: Jets, program: Program, theta: Jet, seeds: Words) -> Jet:
        """Gradients of what a program puts out, for the probes and covectors that the seeds begin with."""
        leaves: dict[str, Jet] = {}
        for name, first in self.model.offsets().items():
            shape = self.model.parameters[name]
            leaves[name] = _piece(theta, first, shape)
        first = 0
        for name, shape in self.model.probes.items():
            leaves[name] = _piece({0: seeds}, first, shape)
            first += prod(shape)
        gradient = ring.gradient(program, leaves, _piece({0: seeds}, first, program.shape))
        out: Jet = {}
        for mask in {0}.union(*gradient.values()):
            out[mask] = np.zeros((len(seeds), self.dimension), dtype=np.uint64)
            for name, start in self.model.offsets().items():
                if mask in gradient.get(name, {}):
                    part = gradient[name][mask]
                    out[mask][:, start : start + prod(part.shape[1:])] = part.reshape(len(part), -1)
        return out

    def sparse_values(self, theta: SparseJet, seeds: Part, ring: SparseJets) -> SparseJet:
        """As ``values``, for a sparse point (shape (D,)) and sparse seeds (shape (seed_size,))."""
        ends = np.cumsum([0, *map(prod, self.model.probes.values())]).tolist()
        leaves = {
            name: {mask: piece(part, first, self.model.parameters[name]) for mask, part in theta.items()}
            for name, first in self.model.offsets().items()
        }
        leaves |= {
            name: {0: piece(seeds, first, shape)}
            for first, (name, shape) in zip(ends, self.model.probes.items(), strict=False)
        }
        covector = {0: piece(seeds, self._probe_size, self.program.shape)}
        found = gradients(ring, self.program, self.program.run(ring, leaves), self.program.output, covector)
        out: SparseJet = {}
        for name, first in self.model.offsets().items():
            for mask, part in found.get(name, {}).items():
                placed = {mask: part.moved((self.dimension,), part.place + first)}
                out = ring.add(out, placed) if out else placed
        return out

    def walks(self, support: NDArray[np.bool_], draws: Draws) -> Walks:
        """Random monomials of the program at a point with the given support (D,)."""
        ends = np.cumsum([0, *map(prod, self.model.probes.values())]).tolist()
        probes = dict(zip(self.model.probes, ends, strict=False))
        return Walks(self.program, self.model.offsets(), probes, self._probe_size, support, draws)

    @cached_property
    def expanded_size(self) -> int:
        with np.errstate(over="ignore"):  # infinitely many is too many
            counts = self.program.run(TermCounts(), self._ones(float))[self.program.output].sum()
        return int(min(counts, 1e18)) * self.degree

    @cached_property
    def fields(self) -> VectorFields:
        phi = self._coefficients()
        partial, variable = phi.partials()
        count = int(phi.owner.max(initial=-1)) + 1
        gradients = partial.owned_by(partial.owner * self.dimension + variable).canonical()
        return _distinct(self.variables, gradients, count)

    def _coefficients(self) -> Terms:
        r"""$\varphi$: the coefficients, polynomials in theta, of the monomials of the probes in each output."""
        return _probe_coefficients(self._expanded(self._symbols()), self.dimension)

    def _symbols(self) -> dict[str, PolynomialArray]:
        """Every parameter and probe as an array of variables, parameters first."""
        leaves, first = {}, 0
        for name, shape in (self.model.parameters | self.model.probes).items():
            leaves[name] = PolynomialArray(shape, Terms.variables(first, prod(shape)))
            first += prod(shape)
        return leaves

    def _expanded(self, leaves: dict[str, PolynomialArray]) -> Terms:
        return self.program.run(Polynomials(), leaves)[self.program.output].terms

    @property
    def field_count(self) -> int | None:
        return len(self.fields) if self.expanded_size <= 10**5 else None

    @cached_property
    def symmetries(self) -> Symmetries:
        """Groups that leave unchanged what the loss sees, found on the program before any Taylor expansion."""
        return symmetries(self.source, self.model.program, self.model.offsets(), self.dimension, self.unseen)

    @property
    def left_out(self) -> str:
        if self.symmetries.all_scalings:
            return ""
        return (
            f"the scalings of {self.model.name} were not inferred, for its size (over {MAX_EQUATIONS} products of "
            "entries): laws such as |u|^2 - |v|^2 of single units may be missing"
        )

    @cached_property
    def _laws_of_shape(self) -> list[Law]:
        return self.symmetries.euclidean_laws()

    def proposed_terms(self) -> Terms:
        parts = [pack_laws(self.symmetries.diagonal_laws())]
        count = int(parts[0].owner.max(initial=-1)) + 1
        for factor in self.symmetries.free_factors:
            terms = factor.gram_terms()
            parts.append(terms.owned_by(terms.owner + count))
            count += factor.size * (factor.size - 1) // 2
        return concatenate(parts).canonical()


def pack_laws(laws: Sequence[Law]) -> Terms:
    """Laws {variables of a monomial, with repetition: coefficient} as packed terms owned by their numbers."""
    owner = [n for n, law in enumerate(laws) for _ in law]
    monomials = [tuple(sorted(Counter(key).items())) for law in laws for key in law]
    return Terms.from_monomials(owner, [c for law in laws for c in law.values()], monomials)


def as_flow(flow: Flow | VectorFields) -> Flow:
    """A flow as it is, explicit fields as their flow; TypeError for anything else."""
    if isinstance(flow, VectorFields):
        return FieldsFlow(flow)
    if isinstance(flow, Flow):
        return flow
    hint = "; take clexact.gradient_flow(model)" if isinstance(flow, Model) else ""
    raise TypeError(f"expected a flow or VectorFields, not {flow!r}{hint}.")


def _covectors(loss: Loss, shape: Shape) -> tuple[str, NDArray[Any] | None, list[list[int]]]:
    """Kind of a loss, the matrix of its covectors if given, and a basis of the directions of logits it does not see."""
    if isinstance(loss, str) or not isinstance(loss, (Sequence, np.ndarray)):
        if loss not in LOSSES:
            raise ValueError(f"loss must be one of {', '.join(map(repr, LOSSES))} or a matrix, not {loss!r}.")
        if loss == "cross_entropy" and not shape:
            raise ValueError("cross_entropy needs an output with a last axis of classes, not a scalar.")
        return loss, None, [[1] * shape[-1]] if loss == "cross_entropy" else []
    if not shape:
        raise ValueError("covectors need an output with at least one axis, not a scalar.")
    if not all(isinstance(row, (Sequence, np.ndarray)) for row in loss):
        raise TypeError(f"covectors must be a list of rows, not {loss!r}.")
    rows = [[exact(c, "an entry of the loss's covectors") for c in row] for row in loss]
    if not rows or any(len(row) != shape[-1] for row in rows):
        raise ValueError(f"covectors must be one row or more of {shape[-1]} numbers, the last axis of the output.")
    matrix = np.array([Fraction(c) for row in rows for c in row], dtype=object).reshape(len(rows), shape[-1])
    return "given", matrix, rational_nullspace(rows, shape[-1])


def _reparametrization(model: Model) -> str:
    gated = gates.assumption(model.program, model.probes) if model.program.gates else ""
    if not model.truncated:
        return gated or "the coefficients of the model's output in its probes are a minimal re-parametrization"
    names, free = ", ".join(model.program.functions), f"; {gated}" if gated else ""
    return (
        f"{names} by Taylor coefficients of the output up to order {model.order} in {', '.join(model.expand)}: part of "
        "the fields, so the upper bound holds for the functions themselves; so do the laws shown, which symmetries of "
        f"the program before expansion prove{free}"
    )


def _piece(jet: Jet, first: int, shape: Shape) -> Jet:
    """Entries first, first + 1, ... as an array of this shape."""
    return {mask: part[:, first : first + prod(shape)].reshape(len(part), *shape) for mask, part in jet.items()}


def _probe_coefficients(terms: Terms, dimension: int) -> Terms:
    """Split each monomial into variables below ``dimension`` and probes; one owner for each (owner, probes)."""
    is_parameter = terms.var < dimension
    row = np.repeat(np.arange(len(terms)), np.diff(terms.start))
    pieces = [_selected(terms, row, is_parameter), _selected(terms, row, ~is_parameter)]
    skeleton = Terms(terms.owner, np.ones(len(terms), dtype=np.int64), *pieces[1].rows)
    groups: dict[tuple[int, bytes, bytes], int] = {}
    owner = np.empty(len(terms), dtype=np.int64)
    for t in range(len(terms)):
        place = slice(skeleton.start[t], skeleton.start[t + 1])
        key = (int(terms.owner[t]), skeleton.var[place].tobytes(), skeleton.power[place].tobytes())
        owner[t] = groups.setdefault(key, len(groups))
    return pieces[0].owned_by(owner).canonical()


def _selected(terms: Terms, row: Ints, chosen: NDArray[np.bool_]) -> Terms:
    """The terms with only the chosen variables."""
    start = np.zeros(len(terms) + 1, dtype=np.int64)
    np.cumsum(np.bincount(row[chosen], minlength=len(terms)), out=start[1:])
    return Terms(terms.owner, terms.coef, start, terms.var[chosen], terms.power[chosen])


def _distinct(variables: tuple[str, ...], gradients: Terms, count: int) -> VectorFields:
    """Fields with integer coefficients, the zero ones and repetitions left out; scaling a field changes no span."""
    D = len(variables)
    first = starts(gradients.owner // max(1, D), count)
    kept: dict[tuple[bytes, ...], Terms] = {}
    for i in range(count):
        terms = gradients.take(np.arange(first[i], first[i + 1]))
        if len(terms) == 0:
            continue
        scale = lcm(*(Fraction(c).denominator for c in terms.coef.tolist())) if terms.coef.dtype == object else 1
        if scale > 1:
            terms = Terms(terms.owner, terms.coef * scale, *terms.rows)
        if terms.coef.dtype == object:
            terms = Terms(terms.owner, np.array([int(c) for c in terms.coef], dtype=object), *terms.rows)
        terms = terms.owned_by(terms.owner - i * D)
        key = (terms.owner.tobytes(), str(terms.coef.tolist()).encode(), terms.var.tobytes(), terms.power.tobytes())
        kept.setdefault(key, terms)
    parts = [terms.owned_by(terms.owner + n * D) for n, terms in enumerate(kept.values())]
    return VectorFields._from_checked(variables, concatenate(parts).canonical(), [1] * len(parts))
