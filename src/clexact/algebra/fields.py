"""``VectorFields``: families of polynomial vector fields on Q^D, in packed arrays, and their exact brackets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property, partial
from itertools import islice
from math import gcd, lcm
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from clexact.algebra import parse, symbolic, systems
from clexact.algebra.bounded import Number, Sparse, add
from clexact.algebra.linalg import rational_rank
from clexact.algebra.polynomial import (
    Polynomial,
    as_symbols,
    check_point,
    check_variables,
    content,
    exact_number,
    latex_name,
)
from clexact.algebra.quotients import Quotient
from clexact.algebra.symbolic import Walker
from clexact.algebra.terms import Ints, Monomial, Terms, concatenate, ranges, starts, sum_of_products
from clexact.support.display import BREAK
from clexact.support.listed import listed, shown
from clexact.support.nearest import meant

if TYPE_CHECKING:
    import sympy


MOST_SHOWN = 6  # fields, and variables, in a formula
MOST_TERMS_SHOWN = 100

C = TypeVar("C")
S = TypeVar("S", Quotient, Polynomial)
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
    parameters : sequence of str
        Names of parameters, the last of the ring of the polynomials: laws have coefficients in Q(parameters).

    Attributes
    ----------
    variables : tuple of str
        The names, in order; the parameters last.
    parameters : tuple of str
        Their names: variables without derivatives, which are not counted.
    notes : tuple of str
        What a reader did to a system to make it polynomial, and what it left out.
    multipliers : tuple of str
        The polynomial by which each field that was read was multiplied, empty for none; () where that is not known.
    added : tuple of str
        Variables that stand for functions of others, such as sin1 for sin(x), and may have any values in the answers.
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

    def __init__(
        self, variables: Sequence[str], fields: Sequence[Components[Polynomial]], parameters: Sequence[str] = ()
    ) -> None:
        """One list of D polynomials in ``variables`` for each field, or {variable: polynomial}, the others being 0.

        ValueError or TypeError for a wrong length, variable or ring.
        """
        names, count = _with_parameters(variables, parameters)
        parts, denominators = [], []
        states = names[: len(names) - count]
        for i, field in enumerate(_each_components(fields, states, "polynomials", partial(_of_ring, names))):
            common = lcm(*(p.denominator for p in field.values()))
            denominators.append(common)
            for j, p in field.items():
                parts.append(p.terms.scaled(common // p.denominator).owned_by(i * len(names) + j))
        self._set(names, concatenate(parts).canonical(), tuple(denominators), count, ())

    def _set(
        self,
        variables: tuple[str, ...],
        terms: Terms,
        denominators: tuple[int, ...],
        count: int,
        notes: tuple[str, ...],
    ) -> None:
        self.variables = variables
        self.terms = terms
        self.denominators = denominators
        self.parameters = variables[len(variables) - count :]
        self.notes = notes
        self.multipliers: tuple[str, ...] = ()
        self.added: tuple[str, ...] = ()

    @classmethod
    def _from_checked(
        cls,
        variables: tuple[str, ...],
        terms: Terms,
        denominators: Sequence[int],
        parameters: int = 0,
        notes: tuple[str, ...] = (),
    ) -> VectorFields:
        self = cls.__new__(cls)
        self._set(variables, terms, tuple(denominators), parameters, notes)
        return self

    def _with(self, terms: Terms, denominators: Sequence[int]) -> VectorFields:
        """Other fields in the same variables."""
        return VectorFields._from_checked(self.variables, terms, denominators, len(self.parameters), self.notes)

    @classmethod
    def from_sparse(
        cls,
        variables: tuple[str, ...],
        fields: Sequence[Mapping[int, Sparse]],
        parameters: int = 0,
        notes: tuple[str, ...] = (),
    ) -> VectorFields:
        """From the components that are not 0, by their numbers.

        Parameters
        ----------
        variables : tuple of str
            D names, trusted to be checked.
        fields : sequence of mapping
            For each field {j: {monomial: coefficient}}, as ``Polynomial.from_sparse`` takes them.
        parameters : int
            How many of the variables, the last ones, are parameters.
        notes : tuple of str
            What was done to a system to make it polynomial.

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
        terms = Terms.from_monomials(owners, coefs, monomials)
        return cls._from_checked(variables, terms, denominators, parameters, notes)

    @classmethod
    def from_system(cls, system: systems.System) -> VectorFields:
        """The fields of a system that was read.

        Parameters
        ----------
        system : System
            As ``algebra.systems.parse_system`` gives it.

        Returns
        -------
        VectorFields
            The family.

        Examples
        --------
        >>> VectorFields.from_system(systems.parse_system("x' = 1"))
        VectorFields(1 field on Q^1: [1])
        """
        names, count = _with_parameters(system.variables, system.parameters)
        found = cls.from_sparse(names, system.fields, count, system.notes)
        found.multipliers = system.multipliers if any(system.multipliers) else ()
        found.added = system.added
        return found

    @classmethod
    def from_strings(
        cls,
        variables: Sequence[str] | Mapping[str, str],
        fields: Sequence[Components[str]] | None = None,
        parameters: Sequence[str] = (),
    ) -> VectorFields:
        """Read each component from text such as ``"y*z - 0.5*x^2"``.

        Parameters
        ----------
        variables : sequence of str, or mapping of str to str
            The names, in order; or one field, {variable: text}, alone.
        fields : sequence of (sequence of str or mapping of str to str), optional
            For each field its D components, or {variable: text}, the others being 0. Rational functions and exp, log,
            sqrt, sin and cos are read as ``from_ode`` does.
        parameters : sequence of str
            Names of parameters: laws have coefficients in Q(parameters).

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
        >>> VectorFields.from_strings({"x": "a*y", "y": "-x"}, parameters=["a"])
        VectorFields(1 field on Q(a)^2: [y*a, -x])
        """
        if fields is None and isinstance(variables, Mapping):
            variables, fields = [str(name) for name in variables], [variables]
        names, count = _with_parameters(variables, parameters)  # type: ignore[arg-type]
        builder = systems.Builder.over(names, count)
        read = _each_components(fields, names[: len(names) - count], "strings", builder.component)
        return cls.from_system(systems.finish(builder, read))

    @classmethod
    def from_sympy(
        cls, fields: Any, variables: Sequence[Any] | None = None, parameters: Sequence[Any] = ()
    ) -> VectorFields:
        """Read SymPy expressions.

        Parameters
        ----------
        fields : sequence of (sequence of sympy.Expr, sympy.Matrix or mapping)
            For each field a list or column matrix of expressions, or {variable: expression}, the others being 0.
            Without ``variables`` one field: {variable: expression}, or a list of ``Eq(x(t).diff(t), ...)`` of first or
            second order.
        variables : sequence of (sympy.Symbol, function of time, derivative or str), optional
            The variables, in order. x(t), also of ``dynamicsymbols``, is named x, its derivative x'.
        parameters : sequence of (sympy.Symbol or str)
            Parameters: laws have coefficients in Q(parameters).

        Returns
        -------
        VectorFields
            The family.

        Raises
        ------
        TypeError, ValueError
            For what is no rational function of the variables with rational coefficients, and for wrong lengths.

        Examples
        --------
        >>> import sympy
        >>> x, y = sympy.symbols("x y")
        >>> VectorFields.from_sympy([[y, -x * y / 2]], [x, y])
        VectorFields(1 field on Q^2: [y, -1/2*x*y])
        """
        if variables is None:
            fields, variables = symbolic.equations(fields)
        states, symbols = as_symbols(variables), as_symbols([*variables, *parameters])
        names = [symbolic.symbol_name(v) for v in symbols]
        all_names, count = _with_parameters(names[: len(states)], names[len(states) :])
        fields = [
            {symbolic.symbol_name(v): f for v, f in field.items()} if isinstance(field, Mapping) else field
            for field in listed(fields, _expected("expressions"))
        ]
        walker, builder = Walker(symbols), systems.Builder.over(all_names, count)
        read = _each_components(
            fields, all_names[: len(states)], "expressions", partial(walker.with_functions, builder=builder)
        )
        return cls.from_system(systems.finish(builder, read))

    @classmethod
    def from_ode(cls, text: str, file: str = "", parameters: Sequence[str] = ()) -> VectorFields:
        r"""Read a system of ODEs: lines ``x' = y*z - 2/3*x^2``, comments from ``#``, ``%`` or ``//``.

        Fields are split by ``---``. The variables are those with an equation in some field; where a field has none for
        it, its derivative is 0. Left sides may be ``dx/dt``, ``x'(t)``, ``xdot``, ``D(x)`` or LaTeX's ``\dot{x}``, and
        ``x''`` is made first order. Other lines define: ``v = k*x/(1 + x)``, ``par a, b = 2``, ``input u``. A field of
        rational functions is multiplied by its common denominator, and exp, log, sqrt, sin, cos of the state become
        variables: ``notes`` says so.

        Parameters
        ----------
        text : str
            The lines.
        file : str
            The file that the text is of, for the errors.
        parameters : sequence of str
            Further names that are parameters.

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
        >>> hill = VectorFields.from_ode("par k; dS/dt = -S^2/(k + S^2); dP/dt = S^2/(k + S^2)")
        >>> hill, hill.notes
        (VectorFields(1 field on Q(k)^2: [-S^2, S^2]), ('the field is multiplied by (S^2 + k), which changes no law',))
        """
        try:
            return cls.from_system(systems.parse_system(text, tuple(parameters)))
        except ValueError as error:
            raise ValueError(f"{file}: {error}" if file else str(error)) from None

    @classmethod
    def load(cls, path: str | Path, parameters: Sequence[str] = ()) -> VectorFields:
        r"""Read an ``.ode`` file.

        Parameters
        ----------
        path : str or Path
            The file; ``from_ode`` says what stands in it.
        parameters : sequence of str
            Further names that are parameters.

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
        return cls.from_ode(parse.read_text(path), str(path), parameters)

    @property
    def dimension(self) -> int:
        """The number of variables, with the parameters."""
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
            If they are no list of integers.
        IndexError
            If there is no such field.

        Examples
        --------
        >>> X = VectorFields.from_strings(["x", "y"], [["1", "0"], ["0", "1"], ["y", "0"]])
        >>> X.select([2, 0])
        VectorFields(2 fields on Q^2: [y, 0]; [1, 0])
        """
        numbers = listed(chosen, "the fields chosen must be a list of their numbers")
        for n in numbers:
            if isinstance(n, (bool, np.bool_)) or not isinstance(n, (int, np.integer)):
                raise TypeError(f"the fields chosen must be a list of their numbers, in which {shown(n)} is none.")
            if not -len(self) <= n < len(self):
                raise IndexError(f"there is no field {n}: they are numbered from 0 to {len(self) - 1}.")
        index = np.asarray(numbers, dtype=np.int64).reshape(len(numbers)) % max(1, len(self))
        position, term = ranges(self.field_starts, index)
        terms = self.terms.take(term)
        component = terms.owner % max(1, self.dimension)
        denominators = [self.denominators[i] for i in index.tolist()]
        return self._with(terms.owned_by(position * self.dimension + component), denominators)

    def at(self, values: Mapping[str, Number | str]) -> VectorFields:
        """The fields at values of some of their parameters.

        Parameters
        ----------
        values : mapping of str to int, Fraction or str
            Of each parameter that gets one; texts such as "1/2" or "0.1" are exact.

        Returns
        -------
        VectorFields
            With the other parameters.

        Raises
        ------
        TypeError, ValueError
            For a name that is no parameter, a value that is no rational, and where a denominator vanishes.

        Examples
        --------
        >>> VectorFields.from_ode("par a, b; x' = a*x; y' = b*y").at({"a": 1, "b": "-1/2"})
        VectorFields(1 field on Q^2: [x, -1/2*y])
        """
        if not isinstance(values, Mapping):
            raise TypeError(f"values must map parameters to rationals, not be {shown(values)}.")
        for name in values:
            if name not in self.parameters:
                raise ValueError(f"{shown(name)} is no parameter of the fields{meant(str(name), self.parameters)}.")
        given = {self.variables.index(name): exact_number(value, name) for name, value in values.items()}
        left = [n for n in range(self.dimension) if n not in given]
        place, names = {n: k for k, n in enumerate(left)}, tuple(self.variables[n] for n in left)
        fields = [
            {place[j]: _substituted(p, given, place) for j, p in enumerate(self.components(i)) if not p.is_zero}
            for i in range(len(self))
        ]
        said = f"at {', '.join(f'{self.variables[n]} = {value}' for n, value in given.items())}"
        notes = (*self.notes, *([said] if given else []))
        found = VectorFields.from_sparse(names, fields, len(self.parameters) - len(given), notes)
        found.multipliers = tuple(self._multiplier_at(text, given, place, names) for text in self.multipliers)
        found.added = self.added
        return found

    def _multiplier_at(self, text: str, given: Mapping[int, Number], place: Mapping[int, int], names: Any) -> str:
        """The denominator of a field at values of parameters."""
        if not text:
            return text
        value = _substituted(Polynomial.from_string(text, self.variables), given, place)
        if not value:
            raise ValueError(f"at these values the denominator {text} is 0.")
        return str(Polynomial.from_sparse(names, value))

    def __iter__(self) -> Iterator[VectorFields]:
        return (self[i] for i in range(len(self)))

    def __add__(self, other: VectorFields) -> VectorFields:
        """The family of all fields of both."""
        if not isinstance(other, VectorFields):
            return NotImplemented
        _check_same_ring(self, other)
        moved = other.terms.owned_by(other.terms.owner + len(self) * self.dimension)
        return self._with(concatenate([self.terms, moved]), self.denominators + other.denominators)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VectorFields):
            return NotImplemented
        mine, theirs = self.in_lowest_terms(), other.in_lowest_terms()
        same_ring = mine.variables == theirs.variables and mine.parameters == theirs.parameters
        return same_ring and mine.denominators == theirs.denominators and mine.terms == theirs.terms

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
        return self._with(terms, [q // c for q, c in zip(self.denominators, common, strict=True)])

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
        """The component polynomials of field i, one for each variable that is no parameter.

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
        states = parts[: self.dimension - len(self.parameters)]
        return [Polynomial._from_checked(self.variables, part, field.denominators[0]) for part in states]

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
        names = self.variables[: self.dimension - len(self.parameters)]
        columns = [[latex_name(name) for name in names]] + [[p.to_latex() for p in field] for field in shown]
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
        over = f"Q({', '.join(self.parameters)})" if self.parameters else "Q"
        states = self.dimension - len(self.parameters)
        return f"VectorFields({len(self)} {plural} on {over}^{states}: {shown}{more})"


def _each_components(fields: Any, names: tuple[str, ...], kind: str, read: Callable[[Any], S]) -> list[dict[int, S]]:
    """The components that are not 0, by their numbers, of each field."""
    expected, places = _expected(kind), {name: j for j, name in enumerate(names)}
    return [_components(i, field, places, expected, read) for i, field in enumerate(listed(fields, expected))]


def _expected(kind: str) -> str:
    return f"fields must be a list of fields, each a list of {kind}, one for each variable, or a mapping"


def _with_parameters(variables: Sequence[str], parameters: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """(all names, how many of them are parameters)."""
    states = check_variables(variables)
    last = listed(parameters, "parameters must be a list of names")
    return check_variables([*states, *last]), len(last)


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


def _substituted(p: Polynomial, given: Mapping[int, Number], place: Mapping[int, int]) -> Sparse:
    """A polynomial with numbers for some variables, the others renumbered."""
    out: Sparse = {}
    for monomial, c in p.items():
        for v, k in monomial:
            c = c * Fraction(given[v]) ** k if v in given else c
        add(out, {tuple((place[v], k) for v, k in monomial if v not in given): c} if c else {})
    return out


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
    if (X.variables, X.parameters) != (Y.variables, Y.parameters):
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
    return X._with(concatenate([forward, backward]).canonical(), denominators)


def _each(X: VectorFields, count: int) -> VectorFields:
    """X, or its one field ``count`` times."""
    if len(X) == count:
        return X
    copies = [X.terms.owned_by(X.terms.owner + k * X.dimension) for k in range(count)]
    return X._with(concatenate(copies), X.denominators * count)


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
