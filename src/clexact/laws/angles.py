r"""``Angle``: the function that two conjugate factors $u \pm v\sqrt d$ of a Darboux polynomial give beside its log.

$T = \int \frac{ds}{1 - d s^2}$ at s = v/u is $\arctan(\sqrt{-d}\,v/u)/\sqrt{-d}$ for d < 0, and
$\log\frac{u + v\sqrt d}{u - v\sqrt d}/(2\sqrt d)$ for d > 0. Its derivative along a field X is rational over Q:
$\frac{u\,Xv - v\,Xu}{u^2 - d v^2}$, so no number but rationals is computed with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import TYPE_CHECKING

from clexact.algebra.polynomial import Polynomial

if TYPE_CHECKING:
    import sympy

Derived = list[Polynomial]
MOST_TRIED = 10**6  # squares that are divided out of a number


@dataclass(frozen=True)
class Angle:
    """T at v/u, for d that is no square.

    Attributes
    ----------
    u : Polynomial
        The first of two,
    v : Polynomial
        and the second, such that u^2 - d v^2 is a Darboux polynomial, up to a constant.
    d : int
        Not 0, without squares.

    Examples
    --------
    >>> x, y = (Polynomial.from_string(name, ["x", "y"]) for name in "xy")
    >>> print(Angle(x, y, -1), Angle(x, y, -2).to_sympy())
    arctan(y/x) sqrt(2)*atan(sqrt(2)*y/x)/2
    """

    u: Polynomial
    v: Polynomial
    d: int

    @property
    def norm(self) -> Polynomial:
        """u^2 - d v^2."""
        return self.u * self.u - self.v * self.v * self.d

    def moved(self, along: Callable[[Polynomial], Derived]) -> Derived:
        """u Xv - v Xu for every derivation X: the derivatives times the norm.

        Parameters
        ----------
        along : callable
            The derivatives of a polynomial, one for each derivation.

        Returns
        -------
        list of Polynomial
            One for each derivation.

        Examples
        --------
        >>> x, y = (Polynomial.from_string(name, ["x", "y"]) for name in "xy")
        >>> Angle(x, y, -1).moved(lambda p: [p.diff("x")])
        [Polynomial('-y')]
        """
        return [self.u * dv - self.v * du for du, dv in zip(along(self.u), along(self.v), strict=True)]

    def to_sympy(self) -> sympy.Expr:
        """The function in SymPy.

        Returns
        -------
        sympy.Expr
            An arctangent, or the logarithm of a quotient.

        Examples
        --------
        >>> x, y = (Polynomial.from_string(name, ["x", "y"]) for name in "xy")
        >>> Angle(x, y, -1).to_sympy()
        atan(y/x)
        """
        import sympy

        u, v, root = self.u.to_sympy(), self.v.to_sympy(), sympy.sqrt(abs(self.d))
        if self.d < 0:
            return sympy.atan(root * v / u) / root
        return sympy.log((u + root * v) / (u - root * v)) / (2 * root)

    def parts(self, latex: bool) -> tuple[Fraction, str]:
        r"""(c, text) with T = c times what the text says; $\sqrt{|d|}$ stands in the text.

        Parameters
        ----------
        latex : bool
            Whether the text is LaTeX.

        Returns
        -------
        tuple of Fraction and str
            The number and the text.

        Examples
        --------
        >>> x, y = (Polynomial.from_string(name, ["x", "y"]) for name in "xy")
        >>> Angle(x, y, -1).parts(latex=False)
        (Fraction(1, 1), 'arctan(y/x)')
        """
        root = rf"\sqrt{{{abs(self.d)}}}" if latex else f"sqrt({abs(self.d)})"
        times = " " if latex else "*"
        u, v = (_text(p, latex, alone=latex) for p in (self.u, self.v))
        if self.d < 0:
            scaled = v if self.d == -1 else root + times + _text(self.v, latex, alone=False)
            whole = rf"\arctan\left(\frac{{{scaled}}}{{{u}}}\right)" if latex else f"arctan({scaled}/{u})"
            return Fraction(1, -self.d), whole if self.d == -1 else root + times + whole
        scaled = root + times + _text(self.v, latex, alone=False)
        u = self.u.to_latex() if latex else str(self.u)
        over = rf"\frac{{{u} + {scaled}}}{{{u} - {scaled}}}" if latex else f"({u} + {scaled})/({u} - {scaled})"
        return Fraction(1, 2 * self.d), rf"{root} \log\left|{over}\right|" if latex else f"{root}*log({over})"

    def __str__(self) -> str:
        scale, text = self.parts(latex=False)
        return text if scale == 1 else f"{scale}*{text}"


def _text(p: Polynomial, latex: bool, alone: bool) -> str:
    """A polynomial as a factor."""
    text = p.to_latex() if latex else str(p)
    if alone or (len(p) == 1 and not text.startswith("-") and (latex or "*" not in text)):
        return text
    return rf"\left({text}\right)" if latex else f"({text})"


def angle_of(p: Polynomial) -> Angle | None:
    r"""The angle of an irreducible p that is quadratic in a variable x, its discriminant $d w^2$ with a number d.

    $4 a p = (2 a x + b)^2 - d w^2$ for $p = a x^2 + b x + c$. None for any other p, also for those that split over a
    quadratic field and are of higher degree in each variable.
    """
    for n in range(len(p.variables)):
        coefs = _quadratic_in(p, n)
        if coefs is None:
            continue
        a, b, free = coefs
        root = _root(b * b - a * free * 4)
        if root is None:
            continue
        d, w = root
        x = Polynomial.from_sparse(p.variables, {((n, 1),): Fraction(1)})
        return _reduced(a * x * 2 + b, w, d)
    return None


def _quadratic_in(p: Polynomial, n: int) -> tuple[Polynomial, Polynomial, Polynomial] | None:
    """The coefficients of x^2, x and 1, if x^2 is the highest power of the variable."""
    parts: list[dict[tuple[tuple[int, int], ...], Fraction]] = [{}, {}, {}]
    for monomial, c in p.items():
        power = dict(monomial).get(n, 0)
        if power > 2:
            return None
        parts[2 - power][tuple(pair for pair in monomial if pair[0] != n)] = c
    if not parts[0]:
        return None
    a, b, free = (Polynomial.from_sparse(p.variables, part) for part in parts)
    return a, b, free


def _root(p: Polynomial) -> tuple[int, Polynomial] | None:
    """(d, w) with p = d w^2, d an integer without squares; None if there are none, or for d = 0, 1."""
    if p.is_zero:
        return None
    w, rest = Polynomial.from_sparse(p.variables, {(): Fraction(1)}), p
    for factor in p.factors():
        while (less := rest.quotient(factor * factor)) is not None:
            rest, w = less, w * factor
    if rest.degree > 0:
        return None
    number = Fraction(next(rest.items())[1])
    square, d = _largest_square(number.numerator * number.denominator)
    return None if d == 1 else (d, w * Fraction(square, number.denominator))


def _largest_square(n: int) -> tuple[int, int]:
    """(s, d) with n = s^2 d; d has no small square, and is 1 where n is a square."""
    root = isqrt(abs(n))
    if root * root == abs(n):
        return root, 1 if n > 0 else -1
    s, k = 1, 2
    while k * k <= abs(n) and k <= MOST_TRIED:
        while n % (k * k) == 0:
            s, n = s * k, n // (k * k)
        k += 1
    return s, n


def _reduced(u: Polynomial, v: Polynomial, d: int) -> Angle:
    """Without common factors of u and v; T is odd, so that signs do not matter."""
    for factor in v.factors():
        while (a := u.quotient(factor)) is not None and (b := v.quotient(factor)) is not None:
            u, v = a, b
    contents = [next(q.items())[1] / next(q.primitive.items())[1] for q in (u, v)]
    ratio = abs(contents[1] / contents[0])
    return Angle(u.primitive * ratio.denominator, v.primitive * ratio.numerator, d)
