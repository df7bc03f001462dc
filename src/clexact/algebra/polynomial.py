"""``Polynomial``: exact sparse multivariate polynomials over Q."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import islice
from math import gcd, isfinite, lcm
from typing import TYPE_CHECKING, Any

import numpy as np

from clexact.algebra import parse
from clexact.algebra.bounded import Number as Number
from clexact.algebra.bounded import Sparse, add, check_power, check_terms, decimal
from clexact.algebra.linalg import Whole, exact_quotient, irreducible_factors
from clexact.algebra.symbolic import Walker, named
from clexact.algebra.terms import EMPTY, Coefs, Monomial, Terms, concatenate, largest
from clexact.support.listed import listed, shown

if TYPE_CHECKING:
    import sympy


def exact(value: object, what: str) -> Number:
    """Return an exact number as int or Fraction; floats are refused with a TypeError that says what to give."""
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, Fraction):
        return value
    if getattr(value, "is_Rational", False) is True:  # a SymPy number
        return Fraction(int(value.p), int(value.q))  # type: ignore[attr-defined]
    raise TypeError(f"{what} must be an integer or a rational (fractions.Fraction), not {shown(value)}.")


def exact_number(value: object, what: str) -> Number:
    """As ``exact``; also a text such as 1/10, 0.1 or 1e-3, and a float that is the decimal it is written as, as 0.5 is.

    ValueError for a text that is no number, TypeError for what is not exact: of a float such as 0.1 it says what to
    write instead.
    """
    if isinstance(value, str):
        try:
            return rational(value)
        except ValueError:
            raise ValueError(f"{what} must be a rational such as 3, 1/2 or 0.5, not {value!r}.") from None
    if not isinstance(value, (float, np.floating)) or not isfinite(value):
        return exact(value, what)
    written = Fraction(repr(float(value)))
    if written == Fraction(float(value)):
        return written
    raise TypeError(f"{what} must be exact, which the float {float(value)!r} is not: write {_instead(float(value))}.")


def _instead(value: float) -> str:
    """What to write in place of a float."""
    meant = Fraction(repr(value))
    return f"Fraction({meant.numerator}, {meant.denominator}) or '{value!r}'"


def check_point(point: Sequence[Number], dimension: int) -> tuple[Number, ...]:
    """The coordinates as exact numbers; ValueError for a wrong length, TypeError for what is no list or a float."""
    coordinates = listed(point, f"point must be a list of {dimension} rationals")
    if len(coordinates) != dimension:
        raise ValueError(f"point must have {dimension} coordinates, not {len(coordinates)}.")
    return tuple(exact(c, "a coordinate of point") for c in coordinates)


def check_variables(variables: Sequence[str]) -> tuple[str, ...]:
    """Return the names as a tuple; they must be distinct names such as x, theta_1 or U[0,1]."""
    names = tuple(listed(variables, "variables must be a list of names"))
    for name in names:
        if not isinstance(name, str) or not parse.NAME.fullmatch(name):
            raise ValueError(f"variable {name!r} is not a name such as x, theta_1 or U[0,1].")
    if len(set(names)) != len(names):
        raise ValueError(f"variables must be distinct, not {shown(list(names))}.")
    return names


def content(coefs: Coefs) -> int:
    """The greatest common divisor of integer coefficients, 0 for none."""
    return int(np.gcd.reduce(coefs)) if len(coefs) else 0


class Polynomial:
    r"""A polynomial $\sum_\alpha c_\alpha x^\alpha$ with rational coefficients: integer terms over one denominator.

    Build one from text, SymPy or exponents; ``+ - * **``, ``diff``, ``gradient``, ``degree``, evaluation by call.

    Parameters
    ----------
    variables : sequence of str
        Distinct names such as x, theta_1 or U[0,1].
    terms : mapping
        From exponents, tuples of as many integers >= 0 as there are variables, to integers or rationals.

    Attributes
    ----------
    variables : tuple of str
        The names, in order.
    terms : Terms
        Packed integer terms, canonical.
    denominator : int
        By which the integer terms are divided, >= 1.

    Raises
    ------
    TypeError, ValueError
        For names or exponents of another form, and for coefficients that are not exact.

    Examples
    --------
    >>> p = Polynomial.from_string("x^2 - 1/2*y", ["x", "y"])
    >>> str(p * p), p.degree
    ('x^4 - x^2*y + 1/4*y^2', 2)
    >>> p(x=3, y=2)
    Fraction(8, 1)
    >>> Polynomial(["x", "y"], {(2, 0): 1, (0, 1): Fraction(-1, 2)}) == p
    True
    """

    def __init__(self, variables: Sequence[str], terms: Mapping[Sequence[int], Any]) -> None:
        """Terms map exponent tuples of length len(variables) to integers or rationals."""
        names = check_variables(variables)
        if not isinstance(terms, Mapping):
            raise TypeError(f"terms must map exponents such as (2, 0) to coefficients, not be {shown(terms)}.")
        sparse: Sparse = {}
        for key, c in terms.items():
            exponents = listed(key, "exponents must be a tuple of integers >= 0")
            if len(exponents) != len(names) or any(not isinstance(e, (int, np.integer)) or e < 0 for e in exponents):
                raise ValueError(f"exponents must be {len(names)} integers >= 0, not {tuple(exponents)}.")
            monomial = tuple((i, int(e)) for i, e in enumerate(exponents) if e)
            add(sparse, {monomial: exact(c, "a coefficient")})
        self._set(names, *_packed(sparse))

    def _set(self, variables: tuple[str, ...], terms: Terms, denominator: int) -> None:
        common = gcd(content(terms.coef), denominator)
        if common > 1 and len(terms):
            terms, denominator = _divided(terms, common), denominator // common
        self.variables = variables
        self.terms = terms if len(terms) else EMPTY  # canonical, integer coefficients, one owner: 0
        self.denominator = denominator if len(terms) else 1

    @classmethod
    def _from_checked(cls, variables: tuple[str, ...], terms: Terms, denominator: int = 1) -> Polynomial:
        """From canonical integer terms owned by 0."""
        self = cls.__new__(cls)
        self._set(variables, terms, denominator)
        return self

    @classmethod
    def from_sparse(cls, variables: tuple[str, ...], sparse: Mapping[Monomial, Number]) -> Polynomial:
        """From {((variable index, power), ...): coefficient}.

        Parameters
        ----------
        variables : tuple of str
            Names, trusted to be checked.
        sparse : mapping
            From monomials, in the order of the variables, to numbers other than 0.

        Returns
        -------
        Polynomial
            Their sum.

        Examples
        --------
        >>> Polynomial.from_sparse(("x", "y"), {((0, 2), (1, 1)): 3, (): Fraction(1, 2)})
        Polynomial('3*x^2*y + 1/2')
        """
        return cls._from_checked(variables, *_packed(sparse))

    @classmethod
    def from_string(cls, text: str, variables: Sequence[str]) -> Polynomial:
        """Read a polynomial from text, for example ``"2/3*x^2*y - z"``.

        Parameters
        ----------
        text : str
            Sums, products and integer powers of the variables and of rationals.
        variables : sequence of str
            The names, in order.

        Returns
        -------
        Polynomial
            In these variables.

        Raises
        ------
        ValueError
            With line and column, if it is not a polynomial.

        Examples
        --------
        >>> Polynomial.from_string("(x + y)^2/2", ["x", "y"])
        Polynomial('1/2*x^2 + x*y + 1/2*y^2')
        """
        names = check_variables(variables)
        return cls.from_sparse(names, parse.parse_polynomial(text, names))

    @classmethod
    def from_sympy(cls, expression: sympy.Expr, variables: Sequence[Any]) -> Polynomial:
        """Read a SymPy expression that is polynomial in ``variables`` with rational coefficients.

        Parameters
        ----------
        expression : sympy.Expr
            What is read.
        variables : sequence of sympy.Symbol or str
            The variables, in order.

        Returns
        -------
        Polynomial
            In variables of these names.

        Raises
        ------
        TypeError, ValueError
            For what is no such expression.

        Examples
        --------
        >>> import sympy
        >>> x, y = sympy.symbols("x y")
        >>> Polynomial.from_sympy((x + y) ** 2 / 2, [x, y])
        Polynomial('1/2*x^2 + x*y + 1/2*y^2')
        """
        symbols = as_symbols(variables)
        names = check_variables([str(s) for s in symbols])
        return cls.from_sparse(names, Walker(symbols).read(expression))

    @classmethod
    def given(cls, law: object, variables: Sequence[str]) -> Polynomial:
        """A polynomial as users give it: as such, as text, or in SymPy, where symbols are known by their names.

        Parameters
        ----------
        law : Polynomial, str or sympy.Expr
            In SymPy also with entries of matrices: ``U[0, 1]`` of a ``MatrixSymbol`` or an ``IndexedBase``.
        variables : sequence of str
            The names, in order.

        Returns
        -------
        Polynomial
            In these variables; one given as such is not changed.

        Raises
        ------
        TypeError, ValueError
            For what is no polynomial in them.

        Examples
        --------
        >>> import sympy
        >>> U = sympy.MatrixSymbol("U", 2, 2)
        >>> Polynomial.given(U[0, 1] ** 2 + sympy.Symbol("x", real=True), ["U[0,1]", "x"])
        Polynomial('U[0,1]^2 + x')
        """
        if isinstance(law, Polynomial):
            return law
        return cls.from_string(law, variables) if isinstance(law, str) else cls.from_sympy(named(law), variables)

    @property
    def is_zero(self) -> bool:
        """Whether this is the zero polynomial."""
        return len(self.terms) == 0

    @property
    def degree(self) -> int:
        """Total degree; -1 for the zero polynomial."""
        return int(self.terms.degrees().max()) if len(self.terms) else -1

    def items(self) -> Iterator[tuple[Monomial, Fraction]]:
        """Terms, graded lexicographic, largest first.

        Yields
        ------
        monomial : tuple of (int, int)
            Pairs (variable index, power).
        coefficient : Fraction
            Its coefficient.

        Examples
        --------
        >>> list(Polynomial.from_string("y - x^2*y", ["x", "y"]).items())
        [(((0, 2), (1, 1)), Fraction(-1, 1)), (((1, 1),), Fraction(1, 1))]
        """
        listed = [(self.terms.monomial(t), c) for t, c in enumerate(self.terms.coef.tolist())]
        for monomial, c in sorted(listed, key=lambda item: display_key(item[0])):
            yield monomial, Fraction(c, self.denominator)

    def __len__(self) -> int:
        return len(self.terms)

    def _coerced(self, other: object) -> Polynomial | None:
        if isinstance(other, Polynomial):
            if other.variables != self.variables:
                raise ValueError(f"polynomials in {self.variables} and in {other.variables} do not combine.")
            return other
        if isinstance(other, (int, Fraction, np.integer)):
            number = Fraction(exact(other, "a number"))
            return Polynomial.from_sparse(self.variables, {(): number} if number else {})
        return None

    def __add__(self, other: object) -> Polynomial:
        that = self._coerced(other)
        if that is None:
            return NotImplemented
        common = lcm(self.denominator, that.denominator)
        parts = [p.terms.scaled(common // p.denominator) for p in (self, that)]
        return Polynomial._from_checked(self.variables, concatenate(parts).canonical(), common)

    def __mul__(self, other: object) -> Polynomial:
        that = self._coerced(other)
        if that is None:
            return NotImplemented
        pairs = np.indices((len(self), len(that))).reshape(2, -1)
        product = self.terms.times(that.terms, pairs[0], pairs[1]).canonical()
        return Polynomial._from_checked(self.variables, product, self.denominator * that.denominator)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Polynomial:
        return self * -1

    def __sub__(self, other: object) -> Polynomial:
        that = self._coerced(other)
        return NotImplemented if that is None else self + (-that)

    def __rsub__(self, other: object) -> Polynomial:
        return -self + other

    def __truediv__(self, other: object) -> Polynomial:
        if not isinstance(other, (int, Fraction, np.integer)):
            return NotImplemented
        return self * (1 / Fraction(exact(other, "a divisor")))

    def __pow__(self, power: int) -> Polynomial:
        if not isinstance(power, int) or power < 0:
            raise ValueError(f"a power must be an integer >= 0, not {power!r}.")
        self._check_power(power)
        result = Polynomial.from_sparse(self.variables, {(): Fraction(1)})
        for bit in bin(power)[2:]:
            result = result * result * self if bit == "1" else result * result
        return result

    def _check_power(self, power: int) -> None:
        """TooLargeError, a ValueError, before a power that has too many terms or too large numbers is made."""
        if self.is_zero:
            return
        coefs = [Fraction(c, self.denominator) for c in self.terms.coef.tolist()]
        check_power(coefs, int(self.terms.power.max(initial=0)), power)
        check_terms(len(self), len(self.variables), self.degree, power)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (int, Fraction)):
            other = self._coerced(other)
        if not isinstance(other, Polynomial):
            return NotImplemented
        same_ring = self.variables == other.variables and self.denominator == other.denominator
        return same_ring and self.terms == other.terms

    def __hash__(self) -> int:
        if self.degree <= 0:  # a constant equals a number, so it has that number's hash
            return hash(self(*[0] * len(self.variables)))
        return hash((self.variables, tuple(self.items())))

    @property
    def primitive(self) -> Polynomial:
        """The multiple with coprime integer coefficients and a positive leading one; zero stays zero."""
        if self.is_zero:
            return self
        leading = next(self.items())[1]
        common = content(self.terms.coef) * (1 if leading > 0 else -1)
        return Polynomial._from_checked(self.variables, self.terms, common) if common > 0 else (-self).primitive

    def factors(self) -> list[Polynomial]:
        """The irreducible factors over Q, primitive, each once, without constants.

        Returns
        -------
        list of Polynomial
            By degree, then by number of terms.

        Raises
        ------
        ValueError
            For the zero polynomial.

        Examples
        --------
        >>> Polynomial.from_string("2*x^3 - 2*x", ["x"]).factors()
        [Polynomial('x'), Polynomial('x + 1'), Polynomial('x - 1')]
        """
        if self.is_zero:
            raise ValueError("the zero polynomial has no factors.")
        present = np.unique(self.terms.var).tolist()
        found = [self._from_whole(part, present).primitive for part in irreducible_factors(self._whole(present))]
        return sorted(found, key=lambda p: (p.degree, len(p), str(p)))

    def quotient(self, divisor: Polynomial) -> Polynomial | None:
        """The polynomial q with self = q * divisor.

        Parameters
        ----------
        divisor : Polynomial
            In the same variables.

        Returns
        -------
        Polynomial or None
            None if there is none.

        Raises
        ------
        ZeroDivisionError
            For the divisor zero.

        Examples
        --------
        >>> p, q = (Polynomial.from_string(text, ["x", "y"]) for text in ("x^2 - y^2", "x - y"))
        >>> p.quotient(q), q.quotient(p)
        (Polynomial('x + y'), None)
        """
        if divisor.is_zero:
            raise ZeroDivisionError("a polynomial is divided by zero.")
        if self.is_zero:
            return self
        present = np.union1d(self.terms.var, divisor.terms.var).tolist()
        # by Gauss's lemma the quotient by a primitive polynomial has integer coefficients
        common = content(divisor.terms.coef)
        primitive = {m: c // common for m, c in divisor._whole(present).items()}
        found = exact_quotient(self._whole(present), primitive)
        if found is None:
            return None
        return self._from_whole(found, present) * Fraction(divisor.denominator, self.denominator * common)

    def _whole(self, present: list[int]) -> Whole:
        """{exponents of the variables present: coefficient}, without the denominator."""
        place, terms = {v: i for i, v in enumerate(present)}, {}
        for t, c in enumerate(self.terms.coef.tolist()):
            exponents = [0] * len(present)
            for v, k in self.terms.monomial(t):
                exponents[place[v]] = k
            terms[tuple(exponents)] = c
        return terms

    def _from_whole(self, terms: Whole, present: list[int]) -> Polynomial:
        """The reverse of ``_whole``, in the ring of this polynomial."""
        sparse = {
            tuple((v, k) for v, k in zip(present, exponents, strict=True) if k): Fraction(c)
            for exponents, c in terms.items()
        }
        return Polynomial.from_sparse(self.variables, sparse)

    def index(self, variable: str) -> int:
        """Position of a variable.

        Parameters
        ----------
        variable : str
            Its name.

        Returns
        -------
        int
            Counted from 0.

        Raises
        ------
        ValueError
            If it is not one of this polynomial's ring.

        Examples
        --------
        >>> Polynomial.from_string("x + y", ["x", "y"]).index("y")
        1
        """
        if variable not in self.variables:
            raise ValueError(f"{variable!r} is not one of the variables {', '.join(self.variables)}.")
        return self.variables.index(variable)

    def diff(self, variable: str) -> Polynomial:
        r"""Partial derivative $\partial p / \partial x$.

        Parameters
        ----------
        variable : str
            The name of x.

        Returns
        -------
        Polynomial
            In the same variables.

        Raises
        ------
        ValueError
            If the variable is not one of this polynomial's ring.

        Examples
        --------
        >>> Polynomial.from_string("x^2*y", ["x", "y"]).diff("x")
        Polynomial('2*x*y')
        """
        return self.gradient[self.index(variable)]

    @cached_property
    def gradient(self) -> list[Polynomial]:
        r"""All partial derivatives, $(\partial_1 p, \dots, \partial_D p)$."""
        partial, variable = self.terms.partials()
        parts = partial.owned_by(variable).canonical().split(len(self.variables))
        return [Polynomial._from_checked(self.variables, part, self.denominator) for part in parts]

    def __call__(self, *args: Any, **kwargs: Any) -> Fraction:
        """Value at a rational point: one number a variable, in order or by name."""
        if kwargs:
            missing = [v for v in self.variables if v not in kwargs]
            if args or missing or len(kwargs) != len(self.variables):
                raise ValueError(f"give each of the variables {', '.join(self.variables)} once.")
            args = tuple(kwargs[v] for v in self.variables)
        if len(args) != len(self.variables):
            raise ValueError(f"a point has {len(self.variables)} coordinates, not {len(args)}.")
        point = [exact(a, "a coordinate") for a in args]
        total = Fraction(0)
        for monomial, c in self.items():
            for v, k in monomial:
                c *= Fraction(point[v]) ** k
            total += c
        return total

    def to_sympy(self) -> sympy.Expr:
        """The same polynomial in SymPy, variables as symbols of the same names.

        Returns
        -------
        sympy.Expr
            A sum of terms.

        Examples
        --------
        >>> Polynomial.from_string("x^2 - 1/2*y", ["x", "y"]).to_sympy()
        x**2 - y/2
        """
        import sympy

        symbols = [sympy.Symbol(v) for v in self.variables]
        return sympy.Add(
            *(
                sympy.Mul(sympy.Rational(c.numerator, c.denominator), *(symbols[v] ** k for v, k in monomial))
                for monomial, c in self.items()
            )
        )

    def _sympy_(self) -> sympy.Expr:
        """What ``sympy.sympify`` makes of it."""
        return self.to_sympy()

    def _latex(self, printer: object) -> str:
        """What ``sympy.latex`` makes of it."""
        return self.to_latex()

    def __str__(self) -> str:
        return written(dict(self.items()), self.variables)

    def to_latex(self) -> str:
        r"""LaTeX source; ``U1[0,2]`` becomes ``U_{1;0,2}``.

        Returns
        -------
        str
            Without dollar signs.

        Examples
        --------
        >>> Polynomial.from_string("U1[0,2]^2 - 1/2*t", ["U1[0,2]", "t"]).to_latex()
        'U_{1;0,2}^{2} - \\frac{1}{2} t'
        """
        return _joined(self.items(), self.variables, _latex_number, " ", _latex_power)

    def to_html(self, most: int | None = None) -> str:
        """HTML source: U<sub>1;0,2</sub><sup>2</sup>, letters in italics.

        Parameters
        ----------
        most : int, optional
            How many terms are written, the first ones; default all.

        Returns
        -------
        str
            Then with the number of terms, where some are left out.

        Examples
        --------
        >>> Polynomial.from_string("x^2 + y", ["x", "y"]).to_html(1)
        '<i>x</i><sup>2</sup> + ... (2 terms)'
        """
        text = _joined(islice(self.items(), most), self.variables, _number, " ", _html_power)
        return text if most is None or len(self) <= most else f"{text} + ... ({len(self)} terms)"

    def _repr_latex_(self) -> str:
        return f"${self.to_latex()}$"

    def __repr__(self) -> str:
        return f"Polynomial({str(self)!r})"


def display_key(monomial: Monomial) -> tuple[Any, ...]:
    """Sort key: total degree downward, then lexicographic, x_0 before x_1, x_0^2 before x_0 x_1."""
    return (-sum(k for _, k in monomial), tuple((v, -k) for v, k in monomial))


def as_symbols(variables: Sequence[Any]) -> list[Any]:
    """Variables of SymPy, given as such or by their names."""
    import sympy

    expected = "variables must be a list of symbols or names"
    return [sympy.Symbol(v) if isinstance(v, str) else v for v in listed(variables, expected)]


def _packed(sparse: Mapping[Monomial, Number]) -> tuple[Terms, int]:
    denominator = lcm(*(c.denominator for c in sparse.values()))
    coefs = [int(c * denominator) for c in sparse.values()]
    return Terms.from_monomials([0] * len(sparse), coefs, list(sparse)), denominator


def _divided(terms: Terms, divisor: int) -> Terms:
    coefs = terms.coef // divisor
    if coefs.dtype == object and largest(coefs) < 2**63:
        coefs = coefs.astype(np.int64)
    return Terms(terms.owner, coefs, *terms.rows)


def written(sparse: Mapping[Monomial, Fraction], variables: Sequence[str]) -> str:
    """A polynomial as text that ``from_string`` reads back, largest terms first."""
    ordered = sorted(sparse.items(), key=lambda item: display_key(item[0]))
    return _joined(ordered, variables, _number, "*", lambda name, k: name if k == 1 else f"{name}^{k}")


def _joined(
    terms: Iterable[tuple[Monomial, Fraction]],
    variables: Sequence[str],
    number: Callable[[Fraction], str],
    times: str,
    power: Callable[[str, int], str],
) -> str:
    """Terms joined by signs; a coefficient of one is left out."""
    out = ""
    for monomial, c in terms:
        factors = [power(variables[v], k) for v, k in monomial]
        if abs(c) != 1 or not factors:
            factors.insert(0, number(abs(c)))
        sign = ("- " if c < 0 else "+ ") if out else ("-" if c < 0 else "")
        out += (" " if out else "") + sign + times.join(factors)
    return out or "0"


def _number(c: Fraction) -> str:
    return decimal(c.numerator) + (f"/{decimal(c.denominator)}" if c.denominator != 1 else "")


def _latex_number(c: Fraction) -> str:
    return _number(c) if c.denominator == 1 else rf"\frac{{{decimal(c.numerator)}}}{{{decimal(c.denominator)}}}"


def _latex_power(name: str, k: int) -> str:
    return latex_name(name) + (f"^{{{k}}}" if k > 1 else "")


def _html_power(name: str, k: int) -> str:
    return html_name(name) + (f"<sup>{k}</sup>" if k > 1 else "")


RATIONAL = re.compile(  # of fewer digits than Python writes
    r"[+-]?(?:\d{1,4000}/0*[1-9]\d{0,3999}|(?:\d{1,1600}(?:\.\d{0,1600})?|\.\d{1,1600})(?:[eE][+-]?\d{1,3})?)", re.ASCII
)


def rational(text: str) -> Fraction:
    """The number that a text such as 3, -1/2, 0.1 or 1e-3 writes, exactly; ValueError for all else."""
    if not isinstance(text, str) or not RATIONAL.fullmatch(text):
        raise ValueError(f"expected a rational such as 3, 1/2 or 0.5, not {text!r}.")
    sign, number = (-1, text[1:]) if text[0] == "-" else (1, text.removeprefix("+"))
    if "/" in number:
        return sign * Fraction(number)
    return Fraction(sign * parse.decimal_number(number))


def latex_name(name: str) -> str:
    """A variable's name as LaTeX: U'_{1;0,2} for U1'[0,2]."""
    base, primes, subscript = _name_parts(name)
    base = base.replace("_", r"\_")
    base = base if len(base) == 1 else rf"\mathrm{{{base}}}"
    return base + primes + (f"_{{{subscript}}}" if subscript else "")


def html_name(name: str) -> str:
    """A variable's name as HTML: U'<sub>1;0,2</sub> for U1'[0,2], a single letter in italics."""
    base, primes, subscript = _name_parts(name)
    base = f"<i>{base}</i>" if len(base) == 1 else base
    return base + primes + (f"<sub>{subscript}</sub>" if subscript else "")


def _name_parts(name: str) -> tuple[str, str, str]:
    """Letters, primes and subscript of a variable's name; all of it as letters where it has another form."""
    match = re.fullmatch(r"(?P<base>[^\d']+?)_?(?P<number>\d*)(?P<prime>'*)(?:\[(?P<index>.*)\])?", name)
    if match is None:
        return name, "", ""
    return match["base"], match["prime"], ";".join(s for s in (match["number"], match["index"]) if s)
