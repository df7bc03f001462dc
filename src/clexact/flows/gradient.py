"""The gradient flow of a model: members named by probes and covectors, read modulo a prime or expanded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from math import lcm, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import Words, rational_nullspace
from clexact.algebra.polynomial import Number, exact
from clexact.algebra.terms import Ints, Terms, concatenate, starts
from clexact.flows.flow import Flow
from clexact.programs import gates
from clexact.programs.algebras import Degrees, Magnitudes, TermCounts
from clexact.programs.array import Array
from clexact.programs.array import concatenate as joined
from clexact.programs.expand import PolynomialArray, Polynomials
from clexact.programs.jets import Jet, Jets
from clexact.programs.model import Model
from clexact.programs.paths import MonomialPaths
from clexact.programs.places import Shape
from clexact.programs.program import Program
from clexact.programs.reverse import gradients
from clexact.programs.sparse_jets import ROWS, Part, SparseJet, SparseJets, piece
from clexact.support.digest import digest
from clexact.support.losses import check_loss
from clexact.symmetry.families import Family, in_order
from clexact.symmetry.frozen import gathered
from clexact.symmetry.grading import MAX_EQUATIONS
from clexact.symmetry.groups import Groups, Symmetries

SPAN = {
    "full": "the loss spans all output covectors (squared loss does)",
    "cross_entropy": "the loss spans the output covectors of sum zero (softmax cross-entropy does)",
    "given": "the loss spans the output covectors given, along the last axis of the output",
}


Loss = str | Sequence[Sequence[Number]] | object  # a name, a matrix of covectors, or a loss of torch.nn


class GradientFlow(Flow):
    r"""The gradient flow of a model: members $\nabla_\theta\langle C, g(\theta, \xi)\rangle$, named by $(\xi, C)$."""

    chosen_gates = False  # whether some choices at gates only are members that have residues

    def __init__(self, model: Model, loss: Loss = "full") -> None:
        self.model, self.variables = model, model.variables
        kind, self._matrix, self.unseen = _covectors(loss, model)  # unseen: a basis, along the last axis
        self.loss: Loss = loss if kind == "given" else kind
        self.program = self.seen(model.program)
        written = kind if self._matrix is None else [[str(c) for c in row] for row in self._matrix]
        self.recipe = {**model.recipe, "loss": written} if model.recipe else {}
        named = {"full": "", "cross_entropy": ", cross-entropy loss", "given": ", covectors given"}
        which = gates.gates_of(model.program, model.probes, model.data)
        self.reading = _reparametrization(model, which)
        self.description = f"gradient flow of {model.name}{named[kind]}"
        self.assumptions = (SPAN[kind], self.reading, *model.notes, *_cut(model), gates.GENERIC)
        self.scope = gates.scope_of(model.data, gates.GENERIC, which, model.cuts)
        self._probe_size = sum(map(prod, model.probes.values()))
        self.seed_size = self._probe_size + prod(self.program.shape)
        self.work = 2 * sum(prod(node.shape) for node in self.program.nodes)
        constants = [c for node in self.program.nodes if node.op == "constant" for c in node.data.ravel().tolist()]
        self.denominator = lcm(*(Fraction(c).denominator for c in constants))
        self.degree = self._degree_bound()

    def _degree_bound(self) -> int:
        return max(1, self._run_degrees(Degrees()))

    def seen(self, program: Program) -> Program:
        """The program of what the loss sees: the outputs, their differences, or the covectors given times them."""
        if self.loss == "full":
            return program
        extended = Program(list(program.nodes), program.output, program.gates)
        every = Array(extended, program.output)
        shape = _logits(self.model, self.loss)
        logits = every if shape == program.shape else every[: prod(shape)].reshape(shape)
        seen = logits[..., :-1] - logits[..., -1:] if self._matrix is None else logits @ self._matrix.T
        if shape != program.shape:  # what enters the cuts is seen as it is
            seen = joined([seen.reshape(-1), every[prod(shape) :]])
        extended.output = seen.number
        return extended

    def _run_degrees(self, algebra: Degrees) -> int:
        leaves = dict.fromkeys(self.model.parameters | self.model.probes, 1)
        return int(self.program.run(algebra, leaves)[self.program.output])

    def _ones(self, dtype: type) -> dict[str, NDArray[Any]]:
        shapes = self.model.parameters | self.model.probes
        return {name: np.ones(shape, dtype=dtype) for name, shape in shapes.items()}

    @cached_property
    def norm_bound(self) -> int:
        """Degree times the coefficients of the output, times what clears the denominators of its constants."""
        clearing = self.denominator ** self._run_degrees(Degrees(of_constant=1))
        total = sum(self.program.run(Magnitudes(), self._ones(object))[self.program.output].ravel().tolist())
        return max(1, int(self.degree * clearing * total))

    @cached_property
    def digest(self) -> bytes:
        leaves = [(name, shape) for name, shape in (self.model.parameters | self.model.probes).items()]
        return digest(leaves, self.program.digest)

    def _leaves(self, theta: Jet, seeds: Words) -> dict[str, Jet]:
        """Parameters and probes, which seeds begin with."""
        leaves: dict[str, Jet] = {}
        for name, first in self.model.offsets().items():
            shape = self.model.parameters[name]
            leaves[name] = _piece(theta, first, shape)
        for name, first in self._probe_offsets.items():
            leaves[name] = _piece({0: seeds}, first, self.model.probes[name])
        return leaves

    @cached_property
    def _probe_offsets(self) -> dict[str, int]:
        """Position in a row of seeds of the first entry of each probe."""
        ends = np.cumsum([0, *map(prod, self.model.probes.values())]).tolist()
        return dict(zip(self.model.probes, ends, strict=False))

    def values_in(self, ring: Jets, theta: Jet, seeds: Words) -> Jet:
        covector = _piece({0: seeds}, self._probe_size, self.program.shape)
        gradient = ring.gradient(self.program, self._leaves(theta, seeds), covector)
        out: Jet = {}
        for mask in {0}.union(*gradient.values()):
            out[mask] = np.zeros((len(seeds), self.dimension), dtype=np.uint64)
            for name, start in self.model.offsets().items():
                if mask in gradient.get(name, {}):
                    part = gradient[name][mask]
                    out[mask][:, start : start + prod(part.shape[1:])] = part.reshape(len(part), -1)
        return out

    def sparse_ring(self, prime: int, rows: int) -> SparseJets:
        """The ring in which ``sparse_values`` evaluates so many members."""
        return SparseJets(prime, rows)

    def sparse_seeds(self, seeds: Part, draws: Draws, prime: int) -> Part:
        """Seeds of members that move what a walk was to move: its places, with values."""
        return seeds

    def sparse_values(self, theta: SparseJet, seeds: Part, ring: SparseJets) -> SparseJet:
        """As ``values``, for a sparse point (shape (D,)) and sparse seeds (shape (seed_size,))."""
        values = self.program.run(ring, self.sparse_leaves(theta, {ROWS: seeds}))
        return self.sparse_gradients(values, seeds, ring)

    def sparse_leaves(self, theta: SparseJet, seeds: SparseJet) -> dict[str, SparseJet]:
        """Parameters and probes."""
        places = [(theta, self.model.offsets(), self.model.parameters), (seeds, self._probe_offsets, self.model.probes)]
        return {
            name: {mask: piece(part, first, shapes[name]) for mask, part in jet.items()}
            for jet, offsets, shapes in places
            for name, first in offsets.items()
        }

    def sparse_gradients(self, values: list[SparseJet], seeds: Part, ring: SparseJets) -> SparseJet:
        """From the values of all nodes, and seeds, which end with covectors."""
        covector = {ROWS: piece(seeds, self._probe_size, self.program.shape)}
        found = gradients(ring, self.program, values, self.program.output, covector)
        out: SparseJet = {}
        for name, first in self.model.offsets().items():
            for mask, part in found.get(name, {}).items():
                placed = {mask: part.moved((self.dimension,), part.place + first)}
                out = ring.add(out, placed) if out else placed
        return out

    def monomial_paths(self, support: NDArray[np.bool_], draws: Draws) -> MonomialPaths:
        """Random monomials of the program at a point with the given support (D,)."""
        first = self.model.offsets(), self._probe_offsets, self._probe_size
        return MonomialPaths(self.program, *first, support, draws)

    @cached_property
    def expanded_size(self) -> int:
        with np.errstate(over="ignore"):  # infinitely many is too many
            counts = self.program.run(TermCounts(), self._ones(float))[self.program.output].sum()
        return int(min(counts, 1e18)) * self.degree

    @cached_property
    def fields(self) -> VectorFields:
        phi = self.coefficients()
        partial, variable = phi.partials()
        count = int(phi.owner.max(initial=-1)) + 1
        gradients = partial.owned_by(partial.owner * self.dimension + variable).canonical()
        return distinct(self.variables, gradients, count)

    def coefficients(self) -> Terms:
        r"""$\varphi$: the coefficients, polynomials in theta, of the monomials of the probes in each output."""
        return probe_coefficients(self._expanded(self._symbols()), self.dimension)

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

    @property
    def gradients(self) -> GradientFlow:
        return self

    @cached_property
    def _groups(self) -> Groups:
        return Groups(self.program, self.model.offsets())

    @cached_property
    def symmetries(self) -> Symmetries:
        return self._groups.symmetries

    @cached_property
    def families(self) -> tuple[Family, ...]:
        layout = tuple(self.model.parameters.items())
        kept, alone = gathered(self._families_of_shape, layout, self._frozen)
        return self._laid_out([*kept, *alone])

    @cached_property
    def _families_of_shape(self) -> tuple[Family, ...]:
        return self._laid_out(self._groups.families)

    @property
    def _frozen(self) -> dict[str, list[int]]:
        """Entries of parameters, beside those of the program's shape, that nothing moves."""
        return {}

    def matrices(self, moving: bool = True) -> tuple[Family, ...]:
        return self._laid_out(self._groups.matrices(moving))

    def _laid_out(self, families: Iterable[Family]) -> tuple[Family, ...]:
        """In order, with all parameters."""
        layout = tuple(self.model.parameters.items())
        return tuple(replace(family, layout=layout) for family in in_order(families, layout))

    @property
    def left_out(self) -> str:
        if self._groups.all_scalings:
            return ""
        return (
            f"some scalings of {self.model.name} were not inferred, for its size (over {MAX_EQUATIONS} equations of "
            "one operation): laws such as |u|^2 - |v|^2 of single units may be missing"
        )


def _logits(model: Model, loss: Loss) -> Shape:
    """The shape of what a loss acts on: of a network that is cut, cross-entropy acts on the output, not on the cuts."""
    first = model.logits if isinstance(loss, str) and loss == "cross_entropy" else None
    return model.program.shape if first is None else first


def _covectors(loss: Loss, model: Model) -> tuple[str, NDArray[Any] | None, list[list[int]]]:
    """Kind of a loss, the matrix of its covectors if given, and a basis of the directions of logits it does not see."""
    shape = model.program.shape
    if isinstance(loss, str) or not isinstance(loss, (Sequence, np.ndarray)):
        kind = check_loss(loss, " or a matrix")
        if kind == "full":
            return kind, None, []
        if model.program.several and model.logits is None:
            raise ValueError("cross_entropy needs one output, not several.")
        shape = _logits(model, kind)
        if not shape:
            raise ValueError("cross_entropy needs an output with a last axis of classes, not a scalar.")
        if not isinstance(loss, str) and len(shape) > 2:
            raise ValueError(
                f"the classes of nn.CrossEntropyLoss are the second axis, and an output of shape {shape} has "
                "others behind it: move the classes to the end and take 'cross_entropy'."
            )
        return kind, None, [[1] * shape[-1]]
    if not shape:
        raise ValueError("covectors need an output with at least one axis, not a scalar.")
    if not all(isinstance(row, (Sequence, np.ndarray)) for row in loss):
        raise TypeError(f"covectors must be a list of rows, not {loss!r}.")
    rows = [[exact(c, "an entry of the loss's covectors") for c in row] for row in loss]
    if not rows or any(len(row) != shape[-1] for row in rows):
        raise ValueError(f"covectors must be one row or more of {shape[-1]} numbers, the last axis of the output.")
    matrix = np.array([Fraction(c) for row in rows for c in row], dtype=object).reshape(len(rows), shape[-1])
    return "given", matrix, rational_nullspace(rows, shape[-1])


def _reparametrization(model: Model, which: str) -> str:
    if which == gates.TRUE_GATES:
        return gates.SPANNED
    gated = gates.assumption(model.program, model.probes) if which else ""
    return gated or "the coefficients of the model's output in its probes are a minimal re-parametrization"


def _cut(model: Model) -> list[str]:
    """What completeness is of where some operations are opaque."""
    said = "their results vary freely and what enters them is fixed: the network itself may have more laws"
    return [f"{gates.CUT} {' and '.join(model.cuts)}; {said}"] if model.cuts else []


def _piece(jet: Jet, first: int, shape: Shape) -> Jet:
    """Entries first, first + 1, ... as an array of this shape."""
    return {mask: part[:, first : first + prod(shape)].reshape(len(part), *shape) for mask, part in jet.items()}


def probe_coefficients(terms: Terms, dimension: int) -> Terms:
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


def distinct(variables: tuple[str, ...], gradients: Terms, count: int) -> VectorFields:
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
