"""``VectorFields``: families of polynomial vector fields on Q^D, in packed arrays, and their exact brackets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import islice
from math import gcd, lcm
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from clexact.algebra import parse
from clexact.algebra.bounded import Number, Sparse
from clexact.algebra.linalg import rational_rank
from clexact.algebra.polynomial import Polynomial, as_symbols, check_point, check_variables, content, latex_name
from clexact.algebra.symbolic import Walker
from clexact.algebra.terms import Ints, Monomial, Terms, concatenate, ranges, starts, sum_of_products
from clexact.support.display import BREAK
from clexact.support.listed import listed, shown

if TYPE_CHECKING:
    import sympy


MOST_SHOWN = 6  # fields, and variables, in a formula
MOST_TERMS_SHOWN = 100

C = TypeVar("C")
S = TypeVar("S", Sparse, Polynomial)
Components = Sequence[C] | Mapping[str, C]  # of one field


class VectorFields:
    r"""Fields $X_i = \sum_j X_{ij}(x)\,\partial_j$, i = 0..d-1, on $\mathbb{Q}^D$ with rational coefficients.

    A sequence: X[i] is the family of field i alone.

    Parameters
    ----------
    variables : sequence of str
        D distinct names such as x, theta_1 or U[0,1].
    fields : sequence of (sequence of Polynomial or mapping)
        For each field its D components, or {variable: polynomial}, the others being 0.

    Attributes
    ----------
    variables : tuple of str
        The names, in order.
    terms : Terms
        Packed integer terms; term t belongs to component ``owner % D`` of field ``owner // D``.
    denominators : tuple of int
        Field i is divided by ``denominators[i]``.

    Raises
    ------
    TypeError, ValueError
        For a wrong length, variable or ring.

    Examples
    --------
    >>> X = VectorFields.from_strings(["x", "y"], [["y", "-x"], ["x", "y"]])
    >>> bracket(X[0], X[1])  # a rotation and a scaling commute
    VectorFields(1 field on Q^2: [0, 0])
    """

    def __init__(self, variables: Sequence[str], fields: Sequence[Components[Polynomial]]) -> None:
        """One list of D polynomials in ``variables`` for each field, or {variable: polynomial}, the others being 0.

        ValueError or TypeError for a wrong length, variable or ring.
        """
        names = check_variables(variables)
        parts, denominators = [], []
        for i, field in enumerate(_each_components(fields, names, "polynomials", partial(_of_ring, names))):
            common = lcm(*(p.denominator for p in field.values()))
            denominators.append(common)
            for j, p in field.items():
                parts.append(p.terms.scaled(common // p.denominator).owned_by(i * len(names) + j))
        self._set(names, concatenate(parts).canonical(), tuple(denominators))

    def _set(self, variables: tuple[str, ...], terms: Terms, denominators: tuple[int, ...]) -> None:
        self.variables = variables
        self.terms = terms
        self.denominators = denominators

    @classmethod
    def _from_checked(cls, variables: tuple[str, ...], terms: Terms, denominators: Sequence[int]) -> VectorFields:
        self = cls.__new__(cls)
        self._set(variables, terms, tuple(denominators))
        return self

    @classmethod
    def from_sparse(cls, variables: tuple[str, ...], fields: Sequence[Mapping[int, Sparse]]) -> VectorFields:
        """From the components that are not 0, by their numbers.

        Parameters
        ----------
        variables : tuple of str
            D names, trusted to be checked.
        fields : sequence of mapping
            For each field {j: {monomial: coefficient}}, as ``Polynomial.from_sparse`` takes them.

        Returns
        -------
        VectorFields
            The family.

        Examples
        --------
        >>> VectorFields.from_sparse(("x", "y"), [{0: {((1, 1),): 2}}])
        VectorFields(1 field on Q^2: [2*y, 0])
        """
        denominators = [lcm(*(c.denominator for p in field.values() for c in p.values())) for field in fields]
        owners, coefs, monomials = list[int](), list[int](), list[Monomial]()
        for i, (field, common) in enumerate(zip(fields, denominators, strict=True)):
            for j, p in field.items():
                owners += [i * len(variables) + j] * len(p)
                coefs += [int(c * common) for c in p.values()]
                monomials += p
        return cls._from_checked(variables, Terms.from_monomials(owners, coefs, monomials), denominators)

    @classmethod
    def from_strings(cls, variables: Sequence[str], fields: Sequence[Components[str]]) -> VectorFields:
        """Read each component from text such as ``"y*z - 2/3*x^2"``.

        Parameters
        ----------
        variables : sequence of str
            The names, in order.
        fields : sequence of (sequence of str or mapping of str to str)
            For each field its D components, or {variable: text}, the others being 0.

        Returns
        -------
        VectorFields
            The family.

        Raises
        ------
        TypeError, ValueError
            For a wrong number of components, an unknown variable, or text that is no polynomial.

        Examples
        --------
        >>> VectorFields.from_strings(["x", "y"], [["y", "-x"], {"y": "x^2"}])
        VectorFields(2 fields on Q^2: [y, -x]; [0, x^2])
        """
        names = check_variables(variables)
        reader = parse.Reader(names)
        return cls.from_sparse(names, _each_components(fields, names, "strings", reader.read))

    @classmethod
    def from_sympy(cls, fields: Sequence[Components[sympy.Expr]], variables: Sequence[Any]) -> VectorFields:
        """Read SymPy expressions.

        Parameters
        ----------
        fields : sequence of (sequence of sympy.Expr, sympy.Matrix or mapping)
            For each field a list or column matrix of expressions, or {variable: expression}, the others being 0.
        variables : sequence of sympy.Symbol or str
            The variables, in order.

        Returns
        -------
        VectorFields
            The family.

        Raises
        ------
        TypeError, ValueError
            For what is no polynomial in the variables with rational coefficients, and for wrong lengths.

        Examples
        --------
        >>> import sympy
        >>> x, y = sympy.symbols("x y")
        >>> VectorFields.from_sympy([[y, -x * y / 2]], [x, y])
        VectorFields(1 field on Q^2: [y, -1/2*x*y])
        """
        symbols = as_symbols(variables)
        names = check_variables([str(v) for v in symbols])
        return cls.from_sparse(names, _each_components(fields, names, "expressions", Walker(symbols).read))

    @classmethod
    def from_ode(cls, text: str, file: str = "") -> VectorFields:
        r"""Read a system of polynomial ODEs: lines ``x' = y*z - 2/3*x^2``, ``#`` comments, fields split by ``---``.

        The variables are those with an equation in some field; where a field has none for it, its derivative is 0.

        Parameters
        ----------
        text : str
            The lines.
        file : str
            The file that the text is of, for the errors.

        Returns
        -------
        VectorFields
            The family.

        Raises
        ------
        ValueError
            With line and column, and the file if given.

        Examples
        --------
        >>> VectorFields.from_ode("x' = y  # a rotation\ny' = -x")
        VectorFields(1 field on Q^2: [y, -x])
        """
        try:
            names, fields = parse.parse_system(text)
            places = {name: j for j, name in enumerate(names)}
            return cls.from_sparse(names, [{places[name]: p for name, p in field.items()} for field in fields])
        except ValueError as error:
            raise ValueError(f"{file}: {error}" if file else str(error)) from None

    @classmethod
    def load(cls, path: str | Path) -> VectorFields:
        r"""Read an ``.ode`` file.

        Parameters
        ----------
        path : str or Path
            The file; ``from_ode`` says what stands in it.

        Returns
        -------
        VectorFields
            The family.

        Raises
        ------
        ValueError
            With the file, line and column.
        OSError
            If it cannot be read.

        Examples
        --------
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "rotation.ode")
        ...     with open(path, "w") as file:
        ...         _ = file.write("x' = y\ny' = -x\n")
        ...     print(VectorFields.load(path))
        VectorFields(1 field on Q^2: [y, -x])
        """
        return cls.from_ode(parse.read_text(path), str(path))

    @property
    def dimension(self) -> int:
        """D, the number of variables."""
        return len(self.variables)

    def __len__(self) -> int:
        return len(self.denominators)

    def __getitem__(self, i: int) -> VectorFields:
        """Field i, as a family of one."""
        return self.select([range(len(self))[i]])

    def select(self, chosen: Sequence[int]) -> VectorFields:
        """The fields of these numbers, in that order.

        Parameters
        ----------
        chosen : sequence of int
            Numbers from 0 to d - 1.

        Returns
        -------
        VectorFields
            A family of as many fields.

        Raises
        ------
        TypeError
            If the numbers are no list.
        IndexError
            If there is no such field.

        Examples
        --------
        >>> X = VectorFields.from_strings(["x", "y"], [["1", "0"], ["0", "1"], ["y", "0"]])
        >>> X.select([2, 0])
        VectorFields(2 fields on Q^2: [y, 0]; [1, 0])
        """
        numbers = listed(chosen, "the fields chosen must be a list of their numbers")
        index = np.asarray(numbers, dtype=np.int64).reshape(len(numbers))
        position, term = ranges(self.field_starts, index)
        terms = self.terms.take(term)
        component = terms.owner % max(1, self.dimension)
        denominators = [self.denominators[i] for i in index.tolist()]
        terms = terms.owned_by(position * self.dimension + component)
        return VectorFields._from_checked(self.variables, terms, denominators)

    def __iter__(self) -> Iterator[VectorFields]:
        return (self[i] for i in range(len(self)))

    def __add__(self, other: VectorFields) -> VectorFields:
        """The family of all fields of both."""
        if not isinstance(other, VectorFields):
            return NotImplemented
        _check_same_ring(self, other)
        moved = other.terms.owned_by(other.terms.owner + len(self) * self.dimension)
        terms = concatenate([self.terms, moved])
        return VectorFields._from_checked(self.variables, terms, self.denominators + other.denominators)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VectorFields):
            return NotImplemented
        mine, theirs = self.in_lowest_terms(), other.in_lowest_terms()
        same_ring = mine.variables == theirs.variables and mine.denominators == theirs.denominators
        return same_ring and mine.terms == theirs.terms

    __hash__ = None  # type: ignore[assignment]

    def in_lowest_terms(self) -> VectorFields:
        """The same fields, the integer coefficients of each coprime to its denominator.

        Returns
        -------
        VectorFields
            An equal family.

        Examples
        --------
        >>> half = VectorFields.from_strings(["x"], [["x/2"]])
        >>> zero = bracket(half, half)
        >>> zero.denominators, zero.in_lowest_terms().denominators
        ((4,), (1,))
        """
        first = self.field_starts
        common = [gcd(content(self.terms.coef[first[i] : first[i + 1]]), q) for i, q in enumerate(self.denominators)]
        divisors = np.array(common, dtype=object)[self.terms.owner // max(1, self.dimension)]
        terms = Terms(self.terms.owner, self.terms.coef // divisors, *self.terms.rows).canonical()
        denominators = [q // c for q, c in zip(self.denominators, common, strict=True)]
        return VectorFields._from_checked(self.variables, terms, denominators)

    @cached_property
    def field_starts(self) -> Ints:
        """Starts of the terms of each field, shape (d + 1,)."""
        return starts(self.terms.owner // max(1, self.dimension), len(self))

    def values(self, point: Sequence[Number]) -> dict[int, Number]:
        """Values at a rational point of the components with terms.

        Parameters
        ----------
        point : sequence of int or Fraction
            D coordinates.

        Returns
        -------
        dict of int to int or Fraction
            The value of component j of field i, times the denominator of field i, at i * D + j.

        Examples
        --------
        >>> VectorFields.from_strings(["x", "y"], [["y", "0"], ["x", "x*y"]]).values([2, 3])
        {0: 3, 2: 2, 3: 6}
        """
        found: dict[int, Number] = {}
        for t, owner in enumerate(self.terms.owner.tolist()):
            value: Number = int(self.terms.coef[t])
            for variable, power in self.terms.monomial(t):
                value = value * point[variable] ** power
            found[owner] = found.get(owner, 0) + value
        return found

    def rank_at(self, point: Sequence[Number]) -> int:
        """Rank over Q of the values at a rational point.

        Parameters
        ----------
        point : sequence of int or Fraction
            D coordinates.

        Returns
        -------
        int
            Exact.

        Raises
        ------
        TypeError, ValueError
            For another length, and for coordinates that are not exact.

        Examples
        --------
        >>> X = VectorFields.from_strings(["x", "y"], [["y", "-x"], ["x", "y"]])
        >>> X.rank_at([1, 0]), X.rank_at([0, 0])
        (2, 0)
        """
        point = check_point(point, self.dimension)
        rows: list[list[Number]] = [[0] * self.dimension for _ in range(len(self))]
        for owner, value in self.values(point).items():
            i, j = divmod(owner, self.dimension)
            rows[i][j] = value
        return rational_rank(rows)

    def components(self, i: int) -> list[Polynomial]:
        """The D component polynomials of field i.

        Parameters
        ----------
        i : int
            The number of the field, from 0.

        Returns
        -------
        list of Polynomial
            In the order of the variables.

        Examples
        --------
        >>> VectorFields.from_strings(["x", "y"], [["y", "-x/2"]]).components(0)
        [Polynomial('y'), Polynomial('-1/2*x')]
        """
        field = self[i]
        parts = field.terms.split(self.dimension)
        return [Polynomial._from_checked(self.variables, part, field.denominators[0]) for part in parts]

    def to_sympy(self) -> list[list[sympy.Expr]]:
        """The components of every field as SymPy expressions.

        Returns
        -------
        list of list of sympy.Expr
            For each field, in the order of the variables.

        Examples
        --------
        >>> VectorFields.from_strings(["x", "y"], [["y", "-x/2"]]).to_sympy()
        [[y, -x/2]]
        """
        return [[p.to_sympy() for p in self.components(i)] for i in range(len(self))]

    def _repr_latex_(self) -> str:
        """The variables and the fields as columns; their number only, where they are large."""
        if self.dimension > MOST_SHOWN or len(self.terms) > MOST_TERMS_SHOWN:
            return rf"$\text{{{len(self)} fields on }} \mathbb{{Q}}^{{{self.dimension}}}$"
        shown = [self.components(i) for i in range(min(MOST_SHOWN, len(self)))]
        columns = [[latex_name(name) for name in self.variables]] + [[p.to_latex() for p in field] for field in shown]
        heads = [r"\theta", *(f"X_{{{i + 1}}}" for i in range(len(shown)))]
        parts = [
            rf"{head} = \begin{{pmatrix}} {BREAK.join(column)} \end{{pmatrix}}"
            for head, column in zip(heads, columns, strict=True)
        ]
        more = [rf"\dots \text{{ ({len(self)} fields)}}"] * (len(self) > len(shown))
        return "$$" + r",\quad ".join(parts + more) + "$$"

    def __repr__(self) -> str:
        shown = "; ".join(f"[{', '.join(map(str, self.components(i)))}]" for i in range(min(2, len(self))))
        more = "; ..." if len(self) > 2 else ""
        plural = "field" if len(self) == 1 else "fields"
        return f"VectorFields({len(self)} {plural} on Q^{self.dimension}: {shown}{more})"


def _each_components(fields: Any, names: tuple[str, ...], kind: str, read: Callable[[Any], S]) -> list[dict[int, S]]:
    """The components that are not 0, by their numbers, of each field."""
    expected = f"fields must be a list of fields, each a list of {kind}, one for each variable, or a mapping"
    places = {name: j for j, name in enumerate(names)}
    return [_components(i, field, places, expected, read) for i, field in enumerate(listed(fields, expected))]


def _components(i: int, field: Any, places: Mapping[str, int], expected: str, read: Callable[[Any], S]) -> dict[int, S]:
    if isinstance(field, Mapping):
        numbered = [(_place(i, str(name), places), component) for name, component in field.items()]
    else:
        numbered = list(enumerate(listed(field, expected)))
        if len(numbered) != len(places):
            raise ValueError(f"field {i} has {len(numbered)} components, not {len(places)} (one for each variable).")
    found: dict[int, S] = {}
    for j, component in numbered:
        try:
            value = read(component)
        except (ValueError, TypeError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"component {list(places)[j]} of field {i}: {error}") from None
        if len(value):
            found[j] = value
    return found


def _place(i: int, name: str, places: Mapping[str, int]) -> int:
    if name not in places:
        raise ValueError(f"field {i} has a component for {name!r}, which is none of the variables {_few(places)}.")
    return places[name]


def _few(names: Collection[str]) -> str:
    return ", ".join(islice(names, MOST_SHOWN)) + ", ..." * (len(names) > MOST_SHOWN)


def _of_ring(names: tuple[str, ...], p: Any) -> Polynomial:
    if not isinstance(p, Polynomial) or p.variables != names:
        raise ValueError(f"expected a polynomial in {_few(names)}, not {shown(p)}.")
    return p


def _check_same_ring(X: VectorFields, Y: VectorFields) -> None:
    for given in (X, Y):
        if not isinstance(given, VectorFields):
            raise TypeError(f"expected VectorFields, not {shown(given)}.")
    if X.variables != Y.variables:
        raise ValueError(f"fields in {X.variables} and in {Y.variables} do not combine.")


def _derived(terms: Terms, along: Terms, field: Ints, dimension: int) -> Terms:
    r"""Lie derivatives $\sum_j X_j \partial_j p$ of polynomials p, each along its own field X = ``field[owner]``."""
    partial, variable = terms.partials()
    fields = int(field.max(initial=-1)) + 1
    # partial term k pairs with all terms of component variable[k] of its field
    pair, theirs = ranges(along.segments(fields * dimension), field[partial.owner] * dimension + variable)
    return partial.times(along, pair, theirs)


def bracket(X: VectorFields, Y: VectorFields) -> VectorFields:
    r"""Lie brackets $[X_i, Y_i] = \partial X_i\, Y_i - \partial Y_i\, X_i$, field by field, exact over Q.

    This sign is the one of Marcotte, Gribonval and Peyré (arXiv 2307.00144). A family of one combines with each
    field of the other.

    Parameters
    ----------
    X : VectorFields
        A family of d fields, or of one.
    Y : VectorFields
        Likewise, in the same variables.

    Returns
    -------
    VectorFields
        The d brackets.

    Raises
    ------
    ValueError
        If the variables or the numbers of fields differ.

    Examples
    --------
    >>> X = VectorFields.from_strings(["x", "y"], [["y", "0"]])
    >>> Y = VectorFields.from_strings(["x", "y"], [["0", "x"]])
    >>> bracket(X, Y)
    VectorFields(1 field on Q^2: [x, -y])
    """
    _check_same_ring(X, Y)
    if len(X) != len(Y) and 1 not in (len(X), len(Y)):
        raise ValueError(f"bracket takes families of equal length or of one field, not {len(X)} and {len(Y)}.")
    count = 0 if 0 in (len(X), len(Y)) else max(len(X), len(Y))
    D = X.dimension
    x = [_each(X, count), _each(Y, count)]
    owner_field = np.repeat(np.arange(count), D)
    forward = _derived(x[0].terms, x[1].terms, owner_field, D)
    backward = _derived(x[1].terms, x[0].terms, owner_field, D).scaled(-1)
    denominators = [p * q for p, q in zip(x[0].denominators, x[1].denominators, strict=True)]
    return VectorFields._from_checked(X.variables, concatenate([forward, backward]).canonical(), denominators)


def _each(X: VectorFields, count: int) -> VectorFields:
    """X, or its one field ``count`` times."""
    if len(X) == count:
        return X
    copies = [X.terms.owned_by(X.terms.owner + k * X.dimension) for k in range(count)]
    return VectorFields._from_checked(X.variables, concatenate(copies), X.denominators * count)


def lie_derivatives(polynomials: Sequence[Polynomial], X: VectorFields) -> Terms:
    r"""All $X_i h = \sum_j X_{ij}\,\partial_j h$ as packed terms, up to their nonzero denominators.

    The polynomial of law l and field i is owned by l * len(X) + i; a law is conserved when it owns no term.
    """
    return packed_derivatives(
        concatenate([h.terms.owned_by(n) for n, h in enumerate(polynomials)]), len(polynomials), X
    )


def packed_derivatives(laws: Terms, count: int, X: VectorFields) -> Terms:
    """As ``lie_derivatives``, of the polynomials 0, ..., count - 1 that own the terms."""
    d, D = len(X), X.dimension
    partial, variable = laws.partials()
    gradient = partial.owned_by(partial.owner * D + variable).canonical()
    # pair entry (l, j) of the gradients with component j of every field that has one
    components = np.unique(X.terms.owner)
    by_variable = components[np.argsort(components % max(1, D), kind="stable")]
    entries = np.unique(gradient.owner)
    pair, place = ranges(starts(np.sort(by_variable % max(1, D)), D), entries % max(1, D))
    theirs = by_variable[place]
    out = entries[pair] // max(1, D) * d + theirs // max(1, D)
    return sum_of_products(gradient, X.terms, count * D, d * D, entries[pair], theirs, out)


def lie_derivative(h: Polynomial, X: VectorFields) -> list[Polynomial]:
    r"""The polynomials $X_i h = \sum_j X_{ij}\,\partial_j h$, one for each field; h is a law when all are zero.

    Parameters
    ----------
    h : Polynomial
        In the variables of the fields.
    X : VectorFields
        A family of d fields.

    Returns
    -------
    list of Polynomial
        The d derivatives.

    Raises
    ------
    TypeError
        For arguments of another type.
    ValueError
        If the variables differ.

    Examples
    --------
    >>> X = VectorFields.from_strings(["x", "y"], [["y", "x"]])
    >>> lie_derivative(Polynomial.from_string("x^2 - y^2", ["x", "y"]), X)
    [Polynomial('0')]
    """
    if not isinstance(h, Polynomial) or not isinstance(X, VectorFields):
        raise TypeError(f"expected a Polynomial and VectorFields, not {shown(h)} and {shown(X)}.")
    if h.variables != X.variables:
        raise ValueError(f"a polynomial in {h.variables} has no derivative along fields in {X.variables}.")
    return [
        Polynomial._from_checked(X.variables, part, h.denominator * q)
        for part, q in zip(lie_derivatives([h], X).split(len(X)), X.denominators, strict=True)
    ]
