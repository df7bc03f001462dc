"""``Formula``: a polynomial over Q in sizes and in quantities such as min(r, n + m), and how it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm, prod
from typing import TYPE_CHECKING, Any

from clexact.algebra.polynomial import latex_name
from clexact.formulas.boundary import Condition
from clexact.formulas.quantities import Indicator, Quantity, Sizes, check_call, columns_of, signed, text

if TYPE_CHECKING:
    import sympy

Exponents = tuple[int, ...]
Terms = Mapping[Exponents, Fraction]
SUMMAND = 6  # letters that one summand more is worth
LETTERS = "kljipqst"  # of quantities, those that are not names of sizes


@dataclass(frozen=True)
class Formula:
    """A count as a polynomial over Q in the sizes ``names`` and in ``quantities`` of them.

    It was found at the sizes ``fitted`` alone and holds at the sizes ``tested`` too, which the fit did not see; a seed
    chose which. It is a finding, not a theorem: nothing is proved about any other size. Where ``excluding`` is true,
    nothing is claimed.

    Attributes
    ----------
    names : tuple of str
        The sizes it is called with.
    quantities : tuple of Quantity
        Minima, maxima and the like of the sizes.
    terms : tuple of (tuple of int, Fraction)
        Exponents of the names, then of the quantities, and the coefficient.
    fitted : tuple of tuple of int
        The sizes that determined the coefficients.
    tested : tuple of tuple of int
        The sizes held out.
    excluding : Condition or None
        Where nothing is claimed.
    excluded : tuple of (tuple of int, int)
        The sizes of the grid there, with their counts.
    refused : int
        Number of simpler formulas that fitted too and missed a size held out.
    seed : int
        Which chose the sizes held out.

    Examples
    --------
    >>> import clexact
    >>> found = clexact.fit({(n, r): r * (r + 1) // 2 for n in range(1, 5) for r in range(1, 9)}, ("n", "r"))
    >>> print(found, found(n=7, r=100), found.degree)
    r*(r + 1)/2 5050 2
    >>> len(found.fitted), len(found.tested)
    (24, 8)
    """

    names: tuple[str, ...]
    quantities: tuple[Quantity, ...]
    terms: tuple[tuple[Exponents, Fraction], ...]  # exponents of the names, then of the quantities
    fitted: tuple[Sizes, ...]
    tested: tuple[Sizes, ...]
    excluding: Condition | None
    excluded: tuple[tuple[Sizes, int], ...]
    refused: int
    seed: int

    @property
    def degree(self) -> int:
        """Total degree in the sizes and the quantities."""
        return max((sum(exponents) for exponents, _ in self.terms), default=0)

    @property
    def region(self) -> str | None:
        """Where it is claimed, in words; None if on the whole grid."""
        return None if self.excluding is None else f"except where {self.excluding}"

    def __call__(self, **sizes: int) -> int | Fraction:
        """The exact value. TypeError for missing or unknown sizes, ValueError where it is not claimed."""
        at = check_call(sizes, self.names)
        if self.excluding is not None and self.excluding(**sizes):
            raise ValueError(f"the formula is not claimed where {self.excluding}, as at {at}.")
        value = values(self.terms, self.quantities, self.names, [at])[0]
        return value.numerator if value.denominator == 1 else value

    def to_sympy(self) -> sympy.Expr:
        """As a SymPy expression in symbols of the same names, with Min, Max and Piecewise.

        Returns
        -------
        sympy.Expr
            The polynomial, quantities written out.

        Examples
        --------
        >>> import clexact
        >>> counts = {(n, r): min(n, r) * (r + 1) for n in range(1, 6) for r in range(1, 8)}
        >>> clexact.fit(counts, ("n", "r")).to_sympy()
        r*Min(n, r) + Min(n, r)
        """
        import sympy

        symbols = [*map(sympy.Symbol, self.names), *(q.to_sympy() for q in self.quantities)]
        return sympy.Add(
            *(
                sympy.Mul(sympy.Rational(c.numerator, c.denominator), *(s**k for s, k in zip(symbols, e, strict=True)))
                for e, c in self.terms
            )
        )

    def __str__(self) -> str:
        return self._written(latex=False)

    def to_latex(self) -> str:
        r"""As LaTeX.

        Returns
        -------
        str
            Without dollar signs.

        Examples
        --------
        >>> import clexact
        >>> clexact.fit({(r,): r * (r + 1) // 2 for r in range(1, 12)}, ("r",)).to_latex()
        '\\frac{r (r + 1)}{2}'
        """
        return self._written(latex=True)

    def _repr_latex_(self) -> str:
        return f"${self.to_latex()}$"

    @cached_property
    def _letters(self) -> dict[Quantity, str]:
        free = iter(letter for letter in LETTERS if letter not in self.names)
        return {q: next(free) for q in self.quantities if not isinstance(q, Indicator)}

    def _written(self, latex: bool) -> str:
        def said(words: str) -> str:
            return rf"\text{{ {words} }}" if latex else f" {words} "

        sizes = [latex_name(x) if latex else x for x in self.names]
        symbols = [*sizes, *(self._letters.get(q) or text(q, latex) for q in self.quantities)]
        out = _joined([product.written(symbols, latex) for product in self._layout])
        if self._letters:
            out += said("with") + ", ".join(f"{letter} = {text(q, latex)}" for q, letter in self._letters.items())
        if self.excluding is not None:
            out += ("," if not latex else r"\text{,}") + said("except where") + text(self.excluding, latex)
        return out

    @cached_property
    def _layout(self) -> list[_Product]:
        """Expanded, factored, or factored by the quantities that occur: the shortest, with few summands."""
        symbols = [*self.names, *(self._letters.get(q) or str(q) for q in self.quantities)]
        groups: dict[tuple[int, ...], dict[Exponents, Fraction]] = {}
        for exponents, c in self.terms:
            used = tuple(i for i in range(len(self.names), len(symbols)) if exponents[i])
            groups.setdefault(used, {})[exponents] = c
        groups = dict(sorted(groups.items()))
        layouts = [
            [self._factored(dict(self.terms))] if self.terms else [],
            [self._factored(group) for group in groups.values()],
            [self._factored({e: c}) for e, c in self.terms],
        ]
        return min(
            layouts, key=lambda layout: sum(len(product.written(symbols, False)) + SUMMAND for product in layout)
        )

    def _factored(self, terms: Terms) -> _Product:
        """A product over Q; factors are positive on the whole at the sizes fitted, letters first, indicators last."""
        content, found = _factors(terms)
        factors = []
        for integral, k in found:
            factor = {e: Fraction(c) for e, c in integral.items()}
            if sum(values(tuple(factor.items()), self.quantities, self.names, self.fitted)) < 0:
                content, factor = content * (-1) ** k, {e: -c for e, c in factor.items()}
            factors.append((factor, k))
        return _Product(content, tuple(sorted(factors, key=self._rank)))

    def _rank(self, item: tuple[Terms, int]) -> tuple[bool, int, list[list[int]]]:
        terms, _ = item
        indicators = [len(self.names) + i for i, q in enumerate(self.quantities) if isinstance(q, Indicator)]
        return any(e[i] for e in terms for i in indicators), len(terms), [[-k for k in e] for e in terms]

    def to_dict(self) -> dict[str, Any]:
        """Plain data.

        Returns
        -------
        dict
            Of types of JSON: text, latex, and what the attributes hold.

        Examples
        --------
        >>> import clexact
        >>> data = clexact.fit({(r,): r**2 for r in range(1, 12)}, ("r",)).to_dict()
        >>> data["text"], data["degree"], data["region"]
        ('r^2', 2, None)
        """
        return {
            "text": str(self),
            "latex": self.to_latex(),
            "names": list(self.names),
            "quantities": {letter: str(q) for q, letter in self._letters.items()},
            "degree": self.degree,
            "region": self.region,
            "fitted": [list(s) for s in self.fitted],
            "tested": [list(s) for s in self.tested],
            "excluded": [{"sizes": list(s), "count": count} for s, count in self.excluded],
            "refused": self.refused,
            "seed": self.seed,
        }


def values(
    terms: Sequence[tuple[Exponents, Fraction]],
    quantities: Sequence[Quantity],
    names: Sequence[str],
    sizes: Sequence[Sizes],
) -> list[Fraction]:
    """The values of a polynomial in sizes and quantities, exactly."""
    columns = columns_of(sizes, names)
    table = [columns[x].tolist() for x in names] + [q.value(columns).tolist() for q in quantities]
    scale = lcm(*(c.denominator for _, c in terms))
    whole = [(exponents, int(c * scale)) for exponents, c in terms]
    rows = zip(*table, strict=True)
    return [Fraction(sum(c * prod(map(pow, row, e)) for e, c in whole), scale) for row in rows]


@dataclass(frozen=True)
class _Product:
    """content * product of factors, each a polynomial with integers and its power."""

    content: Fraction
    factors: tuple[tuple[Terms, int], ...]

    def written(self, symbols: Sequence[str], latex: bool) -> str:
        """With its sign in front, if it is negative."""
        number, divisor = abs(self.content.numerator), self.content.denominator
        pieces = [str(number)] if number != 1 or not self.factors else []
        alone = not pieces and len(self.factors) == 1 and (self.content == 1 or (latex and divisor > 1))
        pieces += [_power(terms, k, symbols, latex, alone and k == 1) for terms, k in self.factors]
        out = (" " if latex else "*").join(pieces)
        if divisor > 1:
            out = rf"\frac{{{out}}}{{{divisor}}}" if latex else f"{out}/{divisor}"
        return f"-{out}" if self.content < 0 else out


def _joined(products: Sequence[str]) -> str:
    return signed([(-1 if p[0] == "-" else 1, "", p.removeprefix("-")) for p in products])


def _power(terms: Terms, k: int, symbols: Sequence[str], latex: bool, bare: bool) -> str:
    """A factor to its power; in parentheses if it is a sum that does not stand alone."""
    single = len(terms) == 1
    base = _sum(terms, symbols, latex)
    base = base if single or bare else f"({base})"
    return base + (f"^{{{k}}}" if latex else f"^{k}") * (k > 1)


def _sum(terms: Terms, symbols: Sequence[str], latex: bool) -> str:
    """A polynomial with integers, its positive terms first, by degree, a constant last."""

    def rank(item: tuple[Exponents, Fraction]) -> tuple[bool, int, list[int]]:
        exponents, c = item
        return c < 0, -sum(exponents), [-k for k in exponents]

    times = " " if latex else "*"
    parts = []
    for exponents, c in sorted(terms.items(), key=rank):
        powers = [_letter_power(s, k, latex) for s, k in zip(symbols, exponents, strict=True) if k]
        before = "" if abs(c) == 1 and powers else str(abs(c)) + (times if powers else "")
        parts.append((c, before, times.join(powers)))
    return signed(parts)


def _letter_power(symbol: str, k: int, latex: bool) -> str:
    return symbol if k == 1 else symbol + (f"^{{{k}}}" if latex else f"^{k}")


def _factors(terms: Terms) -> tuple[Fraction, list[tuple[dict[Exponents, int], int]]]:
    """A rational content, and irreducible factors over Q with integer coefficients and their powers, by SymPy."""
    import sympy

    generators = sympy.symbols(f"x0:{len(next(iter(terms)))}")
    rational = {e: sympy.Rational(c.numerator, c.denominator) for e, c in terms.items()}
    content, found = sympy.Poly.from_dict(rational, *generators, domain="QQ").factor_list()
    number, factors = Fraction(int(content.p), int(content.q)), []
    for poly, k in found:
        integral, whole = poly.clear_denoms(convert=True)
        number /= int(integral) ** k
        factors.append(({e: int(c) for e, c in whole.terms()}, k))
    return number, factors
