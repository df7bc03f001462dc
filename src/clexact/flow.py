"""Flows: a family of vector fields on a phase space, named by integers and read in two ways.

``values`` evaluates random members modulo a prime on jets, without expanding anything; ``fields`` is the exact finite
family that spans them. A member is named by a row of integers, its ``seeds``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from functools import cached_property
from math import lcm, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.expand import PolynomialArray, Polynomials
from clexact.fields import VectorFields
from clexact.jets import Jet, Jets
from clexact.linalg import Words, residues
from clexact.model import Model
from clexact.program import Array, Degrees, Magnitudes, Program, Shape, TermCounts
from clexact.symmetry import Law, gram_laws, scaling_laws, translation_laws
from clexact.terms import Ints, Terms, concatenate, starts

LOSSES = ("full", "cross_entropy")
SPAN = {
    "full": "the loss spans all output covectors (squared loss does)",
    "cross_entropy": "the loss spans the output covectors of sum zero (softmax cross-entropy does)",
}


class Flow(ABC):
    """A family of polynomial vector fields; see the module's text. Subclasses fill in the attributes."""

    variables: tuple[str, ...]
    description: str
    assumptions: tuple[str, ...]
    recipe: dict[str, object]  # by which the flow can be rebuilt; empty for fields given as such
    seed_size: int  # integers that name one member of the family
    work: int  # numbers stored to evaluate one member
    degree: int  # of a component, in the variables and the seeds together, at most
    denominator: int = 1  # of the constants of its program, together: primes that divide it are avoided
    magnitude: int  # sum of the absolute integer coefficients of a component, denominators cleared, at most

    @property
    def dimension(self) -> int:
        """D, the dimension of the phase space."""
        return len(self.variables)

    @abstractmethod
    def values(self, theta: Jet, seeds: Words, prime: int) -> Jet:
        """Members named by ``seeds`` (N, seed_size), evaluated at theta (1 or N, D): a jet of shape (N, D)."""

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

    def proposed_laws(self) -> list[Law]:
        """Laws proved by the shape of the flow's program; none without a program."""
        return []


class FieldsFlow(Flow):
    r"""The flow of explicit fields: members $\sum_i s_i X_i$, named by the integers s."""

    def __init__(self, fields: VectorFields) -> None:
        self.variables, self._fields = fields.variables, fields
        self.description = f"{len(fields)} explicit field{'s' * (len(fields) != 1)} on Q^{fields.dimension}"
        self.recipe = {}
        self.assumptions = ("a quantity is conserved when every field given conserves it", "generic start")
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

    def __init__(self, model: Model, loss: str) -> None:
        self.model, self.loss, self.variables = model, loss, model.variables
        self.recipe = {**model.recipe, "loss": loss} if model.recipe else {}
        self.program = model.program if loss == "full" else _differences(model.program)
        self.description = f"gradient flow of {model.name}" + ("" if loss == "full" else ", cross-entropy loss")
        self.assumptions = (
            SPAN[loss],
            "the coefficients of the model's output in its probes are a minimal re-parametrization",
            "generic start",
        )
        self._probe_size = sum(map(prod, model.probes.values()))
        self.seed_size = self._probe_size + prod(self.program.shape)
        self.work = 2 * sum(prod(node.shape) for node in self.program.nodes)
        self.degree = max(1, self._run_degrees(Degrees()))
        constants = [c for node in self.program.nodes if node.op == "constant" for c in node.data.ravel().tolist()]
        self.denominator = lcm(*(Fraction(c).denominator for c in constants))

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

    def values(self, theta: Jet, seeds: Words, prime: int) -> Jet:
        leaves: dict[str, Jet] = {}
        for name, first in self.model.offsets().items():
            shape = self.model.parameters[name]
            leaves[name] = _piece(theta, first, shape)
        first = 0
        for name, shape in self.model.probes.items():
            leaves[name] = _piece({0: seeds}, first, shape)
            first += prod(shape)
        gradient = Jets(prime).gradient(self.program, leaves, _piece({0: seeds}, first, self.program.shape))
        out: Jet = {}
        for mask in {0}.union(*gradient.values()):
            out[mask] = np.zeros((len(seeds), self.dimension), dtype=np.uint64)
            for name, start in self.model.offsets().items():
                if mask in gradient.get(name, {}):
                    part = gradient[name][mask]
                    out[mask][:, start : start + prod(part.shape[1:])] = part.reshape(len(part), -1)
        return out

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

    def proposed_laws(self) -> list[Law]:
        return self._laws_of_shape

    @cached_property
    def _laws_of_shape(self) -> list[Law]:
        offsets = self.model.offsets()
        try:
            diagonal = scaling_laws(self.program, offsets, self.dimension)
            laws = diagonal + list(gram_laws(self.program, offsets, diagonal=False))
        except OverflowError:
            laws = list(gram_laws(self.program, offsets, diagonal=True))
        if self.loss == "cross_entropy":
            laws = list(translation_laws(self.model.program, offsets)) + laws
        return laws


def gradient_flow(model: Model, loss: str = "full") -> GradientFlow:
    r"""The gradient flow $\theta' = -\nabla E(\theta)$ of a model, over all data sets.

    Its laws h are $\nabla h(\theta) \perp W(\theta)$, where W is spanned by the $\nabla_\theta\langle C, g(\theta,
    \xi)\rangle$ (arXiv 2307.00144, propositions 2.3 to 2.5). ``loss="full"``: C is any covector (squared loss);
    ``loss="cross_entropy"``: the entries of C along the last axis, the classes, sum to zero (arXiv 2506.06194, 3.11).
    Raises TypeError if ``model`` is no Model, ValueError for another loss or, for cross-entropy, a scalar output.
    """
    if not isinstance(model, Model):
        raise TypeError(f"gradient_flow takes a clexact.Model, not {model!r}.")
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(map(repr, LOSSES))}, not {loss!r}.")
    if loss == "cross_entropy" and not model.program.shape:
        raise ValueError("cross_entropy needs an output with a last axis of classes, not a scalar.")
    return GradientFlow(model, loss)


def as_flow(flow: Flow | VectorFields) -> Flow:
    """A flow as it is, explicit fields as their flow; TypeError for anything else."""
    if isinstance(flow, VectorFields):
        return FieldsFlow(flow)
    if isinstance(flow, Flow):
        return flow
    hint = "; take clexact.gradient_flow(model)" if isinstance(flow, Model) else ""
    raise TypeError(f"expected a flow or VectorFields, not {flow!r}{hint}.")


def _differences(program: Program) -> Program:
    """The program whose outputs are the logits minus the last one: its covectors are those of sum zero."""
    extended = Program(list(program.nodes), program.output)
    logits = Array(extended, program.output)
    extended.output = (logits[..., :-1] - logits[..., -1:])._node
    return extended


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
