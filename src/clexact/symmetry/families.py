r"""The law type: a family of conserved numbers that belong to one group, in a few terms; never written out unasked.

With $P_k$ the matrices (groups, rows, columns) of the terms and $c_k$ their coefficients, and for each group,

* ``gram``: $\sum_k c_k P_k P_k^\top$: any matrix acts on the rows, or its inverse;
* ``diagonal``: its diagonal alone, one number for each row: rescalings; ``scale``, if all coefficients are positive;
* ``total``: the sum of all its entries: $1 + t\,11^\top$ acts on the rows;
* ``translation``: the sums of the rows, linear;
* ``rotation``: $\sum_k c_k (P_k Q_k^\top - Q_k P_k^\top)$, the $Q_k$ being velocities: what Noether's theorem makes of
  matrices that act on the rows.

In a phase space terms are multiplied by powers of the clock, and in a mirror flow a ``diagonal`` may have sums of rows
in place of their squares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from clexact.algebra.polynomial import Polynomial
from clexact.algebra.terms import Terms
from clexact.programs.model import entry_names
from clexact.programs.places import Shape
from clexact.symmetry.arrays import Arrays, identity, placed, read
from clexact.symmetry.expansion import expanded
from clexact.symmetry.phases import PhaseNames
from clexact.symmetry.views import Term
from clexact.symmetry.written import MATRICES, PLAIN, PRETTY, TEX, formula, indices

if TYPE_CHECKING:
    import sympy

Kind = Literal["gram", "diagonal", "scale", "total", "translation", "rotation"]
Some = TypeVar("Some", bound="Family")
Layout = tuple[tuple[str, Shape], ...]  # parameters with their shapes, in the order of theta


@dataclass(frozen=True)
class Family:
    r"""Conserved numbers of one kind, of terms with equally many groups and rows: a law, as models and modules have it.

    With $P_k$ the matrices (groups, rows, columns) of the terms and $c_k$ their coefficients, and for each group,

    * ``gram``: the symmetric matrix $\sum_k c_k P_k P_k^\top$;
    * ``diagonal``: its diagonal alone, one number for each row, $\sum_k c_k \|P_k[i]\|^2$;
    * ``scale``: the same where all $c_k$ are positive: what leaves $P_k$ sees only its direction;
    * ``total``: $\sum_k c_k \|1^\top P_k\|^2$: what is the same for all rows is not seen;
    * ``translation``: the sum of the rows, $\sum_k c_k 1^\top P_k$, linear;
    * ``rotation``: the antisymmetric matrix $\sum_k c_k (P_k Q_k^\top - Q_k P_k^\top)$, the $Q_k$ being the velocities
      of the $P_k$.

    Attributes
    ----------
    kind : {"gram", "diagonal", "scale", "total", "translation", "rotation"}
        Which of the above.
    terms : tuple of Term
        The $P_k$ with their $c_k$.
    layout : tuple of (str, tuple of int)
        All parameters with their shapes, in the order of a flat theta; if not said, those that the law speaks of. In a
        phase space, all coordinates: the clock, the parameters, their velocities.
    phase : PhaseNames or None
        The phase space, where the law lives on one.

    Examples
    --------
    >>> import clexact
    >>> law = clexact.certify(clexact.gradient_flow(clexact.models.linear([1, 2, 1]))).laws[0]
    >>> print(law, law.formula, law.shape, law.size, sep="; ")
    U1ᵀU1 − U2U2ᵀ  (i ≤ j < 2); U1^T U1 - U2 U2^T; (2, 2); 3
    >>> law([3, 0, 1, 2])  # theta: U1 = [[3, 0]], U2 = [[1], [2]]
    array([[ 8, -2],
           [-2, -4]])
    """

    kind: Kind
    terms: tuple[Term, ...]
    layout: Layout = field(default=(), kw_only=True)
    phase: PhaseNames | None = field(default=None, kw_only=True)

    @property
    def groups(self) -> int:
        """Number of matrices."""
        return self.terms[0].view.groups

    @property
    def rows(self) -> int:
        """Rows of each."""
        return self.terms[0].view.rows

    @property
    def degree(self) -> Literal[1, 2]:
        """Degree in the parameters and velocities."""
        linear = self.kind == "translation" or all(term.linear for term in self.terms)
        return 1 if linear else 2

    @property
    def mixed(self) -> bool:
        """Whether sums stand beside squares, so that the law is homogeneous of no degree."""
        return self.kind != "translation" and len({term.linear for term in self.terms}) > 1

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters it touches."""
        return tuple(dict.fromkeys(term.parameter for term in self.terms))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its value."""
        groups, rows = self.groups, self.rows
        match self.kind:
            case "gram" | "rotation":
                return (groups, rows, rows) if groups > 1 else (rows, rows)
            case "translation":
                count = groups * self.terms[0].view.columns
                return (count,) if count > 1 or self.terms[0].view.unit is None else ()
            case "total":
                return (groups,)
            case _:
                return (groups * rows,)

    @property
    def size(self) -> int:
        """How many numbers it is, those of a matrix once: the length of ``polynomials()``."""
        if self.kind in MATRICES:
            return self.groups * self.rows * (self.rows + (1 if self.kind == "gram" else -1)) // 2
        return prod(self.shape)

    # -- how it is written ----------------------------------------------------------------------------------------

    @property
    def formula(self) -> str:
        """The law in ASCII, in the names of the parameters: ``+`` and ``-`` of squares, or of sums.

        A matrix that is no parameter, or slice of one, is called P1, P2, ... and said behind ``where``, as torch would
        write it.
        """
        return formula(self, PLAIN)

    @property
    def pretty(self) -> str:
        """The same as a person writes it: U1ᵀU1 − U2U2ᵀ."""
        return formula(self, PRETTY)

    @property
    def latex(self) -> str:
        """The same in LaTeX."""
        return formula(self, TEX)

    @property
    def indices(self) -> str:
        """Of which indices of ``formula`` there is a number each, as "i < 3"; empty for a single number."""
        return indices(self, PLAIN)

    @property
    def plain(self) -> str:
        """``formula`` with its ``indices``."""
        return self.formula + (f"  ({self.indices})" if self.indices else "")

    def __str__(self) -> str:
        some = indices(self, PRETTY)
        return self.pretty + (f"  ({some})" if some else "")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def _sympy_(self) -> sympy.Basic:
        """What ``sympy.sympify`` makes of it: its polynomials."""
        import sympy

        found = [law.to_sympy() for law in self.polynomials()]
        return found[0] if self.size == 1 else sympy.Tuple(*found)

    def _latex(self, printer: object) -> str:
        """What ``sympy.latex`` makes of it."""
        return self.latex

    def _repr_latex_(self) -> str:
        return f"$${self.latex}$$"

    # -- its numbers ----------------------------------------------------------------------------------------------

    def __call__(self, theta: Any = None, velocity: Any = None, time: Any = None, /, **parameters: Any) -> Any:
        """The law at a point: exactly for integers and fractions, in floating point for floats.

        Parameters
        ----------
        theta : array_like, torch.Tensor or mapping of str to array, optional
            All parameters in the order of ``layout`` along the last axis, or arrays by name. Axes in front are batches.
            In a phase space, all its coordinates, or the parameters alone with what follows.
        velocity : array_like, torch.Tensor or mapping of str to array, optional
            In the phase space of a momentum flow: the velocities, given as ``theta`` is.
        time : number or array_like, optional
            In a phase space: the time t, where the law depends on it.
        **parameters : array_like or torch.Tensor
            The arrays that the law speaks of, instead. Axes in front of their own are batches.

        Returns
        -------
        numpy.ndarray, number or torch.Tensor
            Of shape (*batch, *shape): Python's integers and fractions as objects.

        Raises
        ------
        TypeError, ValueError
            In one sentence, for what is no array of numbers, and for a parameter that is missing, unknown or of another
            shape.

        Examples
        --------
        >>> import clexact
        >>> law = clexact.certify(clexact.gradient_flow(clexact.models.product(3))).laws[0]
        >>> print(law)
        x[i]² − x[i+1]²  (i < 2)
        >>> law(x=[[3, 2, 1], [1, 1, 1]])
        array([[5, 3],
               [0, 0]])
        >>> law = clexact.certify(clexact.momentum_flow(clexact.models.shared(1, 2), clexact.Nesterov())).laws[0]
        >>> print(law)
        t³ (UᵀU' − U'ᵀU)  (i < j < 2)
        >>> law([3, 2], [1, 1], 2)  # theta, velocity, time
        array([[ 0,  8],
               [-8,  0]])
        """
        return self._sum(self._read(theta, parameters, velocity=velocity, time=time))

    def value(self, parameters: Mapping[str, Any]) -> Any:
        r"""The law at these arrays or tensors, on their device; others are not looked at.

        A quadratic law is a quadratic form: its value at the gradients is the $g^\top A g$ of the drift of a step.

        Parameters
        ----------
        parameters : mapping of str to numpy.ndarray or torch.Tensor
            Those that the law speaks of, by name.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            Of shape ``shape``.

        Examples
        --------
        >>> import numpy as np, clexact
        >>> law = clexact.certify(clexact.gradient_flow(clexact.models.relu([1, 2, 1]))).laws[0]
        >>> law.value({"U1": np.array([[1.0, 2.0]]), "U2": np.array([[3.0], [4.0]])})
        array([ -8., -12.])
        """
        return self._sum({name: parameters[name] for name in self._shapes})

    def _sum(self, arrays: Mapping[str, Any]) -> Any:
        total: Any = None
        for term in self.terms:
            part = term.coefficient * self._factor(term.power, arrays, 3 if self.kind in MATRICES else 1)
            part = part * self._part(term, arrays)
            total = part if total is None else total + part
        batch = tuple(total.shape[: -3 if self.kind in MATRICES else -1])
        return total.reshape((*batch, *self.shape))[()]

    def _factor(self, power: int, arrays: Mapping[str, Any], axes: int) -> Any:
        """A power of the clock, with so many axes behind those of its batch."""
        if not power or self.phase is None:
            return 1
        clock = arrays[self.phase.clock]
        return clock.reshape((*clock.shape, *(1,) * axes)) ** power

    def _part(self, term: Term, arrays: Mapping[str, Any]) -> Any:
        array = arrays[self._summed(term)]
        match self.kind:
            case "gram":
                return term.gram(array)
            case "rotation":
                return term.turning(array, arrays[term.velocity])
            case "translation":
                return term.sums(array)
            case "total":
                return term.square(array)
            case _:
                return term.totals(array) if term.linear else term.norms(array)

    def _summed(self, term: Term) -> str:
        """The array whose entries stand in a term: for a linear law of velocities, these."""
        return term.velocity if term.velocity and self.kind == "translation" else term.parameter

    def gradient(self, theta: Any, weights: Any = None, *, velocity: Any = None, time: Any = None) -> dict[str, Any]:
        r"""The derivatives $\partial h_n / \partial\theta$ of all numbers at a point, or of a weighted sum of them.

        Parameters
        ----------
        theta : array_like, torch.Tensor or mapping of str to array
            As for the law itself.
        weights : array_like or torch.Tensor, optional
            One for each number, of shape (*batch, *shape); those of a matrix for all its entries.
        velocity, time : array_like, optional
            As for the law itself.

        Returns
        -------
        dict of str to numpy.ndarray or torch.Tensor
            For each array that the law speaks of, an array of shape (*batch, *shape, *its own); with weights w, the
            gradient of $\sum_n w_n h_n$, of shape (*batch, *its own).

        Raises
        ------
        TypeError, ValueError
            As for the law itself, and for weights of another shape.

        Examples
        --------
        >>> import clexact
        >>> law = clexact.certify(clexact.gradient_flow(clexact.models.relu([1, 2, 1]))).laws[0]
        >>> print(law)
        U1[0,i]² − U2[i,0]²  (i < 2)
        >>> law.gradient([1, 2, 3, 4], weights=[1, 10])
        {'U1': array([[ 2, 40]]), 'U2': array([[ -6],
               [-80]])}
        >>> law.gradient([1, 2, 3, 4])["U1"].shape  # of two numbers
        (2, 1, 2)
        """
        arrays = self._read(theta, {}, weights, velocity=velocity, time=time)
        weights = arrays.pop("", None)
        if weights is not None:
            return self._pulled_back(arrays, weights)
        lead = {name: len(a.shape) - len(self._shapes[name]) for name, a in arrays.items()}
        many = {name: a.reshape((*a.shape[: lead[name]], 1, *a.shape[lead[name] :])) for name, a in arrays.items()}
        each = identity(prod(self.shape), next(iter(arrays.values())))
        found = self._pulled_back(many, each.reshape((-1, *self.shape)))
        whole = self._shapes
        return {
            name: a.reshape((*a.shape[: len(a.shape) - 1 - len(whole[name])], *self.shape, *whole[name]))
            for name, a in found.items()
        }

    def _pulled_back(self, arrays: Mapping[str, Any], weights: Any) -> dict[str, Any]:
        """The gradient of the sum of the numbers times these weights (*batch, *shape)."""
        batch = tuple(weights.shape[: len(weights.shape) - len(self.shape)])
        out: dict[str, Any] = {}

        def add(name: str, part: Any) -> None:
            out[name] = out[name] + part if name in out else part

        for term in self.terms:
            factor = self._factor(term.power, arrays, len(term.whole))
            for name, part in self._pulled(term, arrays, weights, batch):
                flat = part.reshape((*part.shape[:-3], -1))
                found = term.coefficient * placed(flat, term.entries.ravel(), prod(term.whole))
                add(name, factor * found.reshape((*part.shape[:-3], *term.whole)))
            if term.power and self.phase is not None:
                part = self._part(term, arrays)
                part = part.reshape((*part.shape[: -3 if self.kind in MATRICES else -1], -1))
                total = term.coefficient * (weights.reshape((*batch, -1)) * part).sum(-1)
                add(self.phase.clock, term.power * self._factor(term.power - 1, arrays, 0) * total)
        return out

    def _pulled(
        self, term: Term, arrays: Mapping[str, Any], weights: Any, batch: tuple[int, ...]
    ) -> list[tuple[str, Any]]:
        """The weighted derivatives of a term by the entries of its matrices (*batch, groups, rows, columns)."""
        name = self._summed(term)
        p, (groups, rows, columns) = term.matrices(arrays[name]), term.entries.shape
        match self.kind:
            case "gram":
                w = weights.reshape((*batch, groups, rows, rows))
                return [(name, (w + w.mT) @ p)]
            case "rotation":
                w = weights.reshape((*batch, groups, rows, rows))
                q = term.matrices(arrays[term.velocity])
                return [(name, (w - w.mT) @ q), (term.velocity, (w.mT - w) @ p)]
            case "translation":
                return [(name, weights.reshape((*batch, groups, 1, columns)) + 0 * p)]
            case "total":
                w = weights.reshape((*batch, groups, 1, 1))
                return [(name, 2 * w * (p.sum(-2)[..., None, :] + 0 * p))]
            case _:
                w = weights.reshape((*batch, groups, rows, 1))
                return [(name, w + 0 * p if term.linear else 2 * w * p)]

    @cached_property
    def _shapes(self) -> dict[str, Shape]:
        """Of the arrays that the law speaks of."""
        found: dict[str, Shape] = {}
        for term in self.terms:
            both = (term.parameter, term.velocity) if self.kind == "rotation" else (self._summed(term),)
            found |= dict.fromkeys(both, term.whole)
            if term.power and self.phase is not None:
                found[self.phase.clock] = ()
        return found

    @property
    def _whole_layout(self) -> Layout:
        return self.layout or tuple(self._shapes.items())

    def _read(
        self, theta: Any, parameters: Mapping[str, Any], weights: Any = None, velocity: Any = None, time: Any = None
    ) -> Arrays:
        """The arrays of the law by name, and under "" the weights if any; TypeError or ValueError for others."""
        layout, shapes = self._whole_layout, self._shapes
        degree = self.degree + max(term.power for term in self.terms)
        limits = degree, max(abs(term.coefficient) for term in self.terms)
        if velocity is None and time is None:
            return read(shapes, layout, theta, parameters, weights, self.shape, *limits)
        given = self._phase_arrays(theta, parameters, velocity, time)
        return read(shapes, layout, None, given, weights, self.shape, *limits)

    def _phase_arrays(self, theta: Any, parameters: Mapping[str, Any], velocity: Any, time: Any) -> Arrays:
        """The arrays of a phase space, given in parts."""
        phase = self.phase
        if phase is None or (velocity is not None and not phase.velocities):
            raise TypeError(
                "this law has no velocities and no time." if phase is None else "this law has no velocities."
            )
        positions = self._whole_layout[1 : len(self._whole_layout) - len(phase.velocities)]
        moving = {name: shape for name, (_, shape) in zip(phase.velocities, positions, strict=False)}
        given, spoken = dict[str, Any](), self._shapes
        if some := {name: shape for name, shape in positions if name in spoken}:
            given |= read(some, positions, theta, parameters, None, ())
        if some := {name: shape for name, shape in moving.items() if name in spoken}:
            if velocity is None:
                raise ValueError("the law speaks of velocities, but none are given.")
            if isinstance(velocity, Mapping):
                names = dict(zip((name for name, _ in positions), phase.velocities, strict=True))
                velocity = {names.get(name, name): array for name, array in velocity.items()}
            given |= read(some, tuple(moving.items()), velocity, {}, None, ())
        if phase.clock in spoken:
            if time is None:
                raise ValueError("the law depends on the time, but none is given.")
            given[phase.clock] = phase.at(time)
        return given

    # -- written out ----------------------------------------------------------------------------------------------

    def polynomials(self) -> list[Polynomial]:
        """Its numbers as polynomials in the entries of ``layout``: of a matrix, those of i <= j, or i < j, row by row.

        Returns
        -------
        list of Polynomial
            As many as ``size``, in the order of the value; each is what the law evaluates to there.

        Examples
        --------
        >>> import clexact
        >>> law = clexact.certify(clexact.gradient_flow(clexact.models.linear([1, 2, 1]))).laws[0]
        >>> print(*law.polynomials(), sep=", ")
        U1[0,0]^2 - U2[0,0]^2, U1[0,0]*U1[0,1] - U2[0,0]*U2[1,0], U1[0,1]^2 - U2[1,0]^2
        """
        variables = tuple(name for given, shape in self._whole_layout for name in entry_names(given, shape))
        return [Polynomial._from_checked(variables, terms) for terms in self.expanded().split(self.size)]

    def expanded(self, first: int = 0, last: int | None = None) -> Terms:
        """``polynomials`` as packed terms, canonical, in the entries of ``layout``.

        Parameters
        ----------
        first : int
            The number of the first that is wanted.
        last : int, optional
            That of the first behind it that is not.

        Returns
        -------
        Terms
            Owned by the numbers of the polynomials wanted, from 0.

        Examples
        --------
        >>> import clexact
        >>> law = clexact.certify(clexact.gradient_flow(clexact.models.linear([1, 2, 1]))).laws[0]
        >>> len(law.expanded()), len(law.expanded(2))
        (6, 2)
        """
        clock = self.offsets[self.phase.clock] if self.phase is not None else 0
        return expanded(self.kind, self.terms, self.offsets, first, last, clock)

    @property
    def offsets(self) -> dict[str, int]:
        """The place in theta of the first entry of each parameter."""
        found, first = {}, 0
        for name, shape in self._whole_layout:
            found[name] = first
            first += prod(shape)
        return found


def in_order(families: Iterable[Some], layout: Iterable[tuple[str, Shape]]) -> list[Some]:
    """In the order of the first parameters that they touch; linear ones last."""
    order = {name: n for n, (name, _) in enumerate(layout)}
    return sorted(families, key=lambda law: (law.degree == 1, min(order[name] for name in law.parameters)))
