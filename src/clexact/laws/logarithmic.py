r"""``Law``: a law that is a polynomial, a product of powers, or a sum of logarithms, angles and a rational function.

If $X_i p_j = \lambda_{ji} p_j$ for every field, then $X_i \log p_j = \lambda_{ji}$: a linear relation between cofactors
and derivatives of a rational function is a law. The check of one is an identity of polynomials, made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING

from clexact.algebra.fields import lie_derivative
from clexact.algebra.polynomial import Polynomial, latex_name
from clexact.flows.dynamics import Given, as_flow
from clexact.laws.angles import Angle
from clexact.laws.result import with_exponentials

if TYPE_CHECKING:
    import sympy


class Form(Enum):
    """What a law is made of; the value is the word a user reads.

    Examples
    --------
    >>> [form.value for form in Form]
    ['polynomial', 'rational', 'logarithmic', 'angular']
    """

    POLYNOMIAL = "polynomial"
    RATIONAL = "rational"
    LOGARITHMIC = "logarithmic"
    ANGULAR = "angular"


@dataclass(frozen=True)
class Law:
    r"""A law: q, or $\prod_j p_j^{c_j}$ with integers c_j, or $\sum_j c_j \log p_j + \sum_k c_k T_k + q$.

    In a sum q is a rational function, and the c_j are laws that are constants, polynomials or rational. A logarithm is
    that of $|p_j|$, an arctangent any branch of it; a law holds where no p_j and no denominator vanishes.

    Attributes
    ----------
    form : Form
        Which of them it is: ``ANGULAR`` is a sum with an angle.
    factors : tuple of Polynomial
        The p_j.
    weights : tuple of Polynomial
        The c_j, and then the c_k; of rational ones the numerators.
    rest : Polynomial
        The numerator of q.
    exponentials : mapping of str to Fraction
        {variable: r}: it is e^(r t).
    angles : tuple of Angle
        The T_k: logarithms of conjugate factors $u \pm v \sqrt d$.
    divisors : tuple of Polynomial
        The denominators of the weights, and then of q; none where all are 1.

    Examples
    --------
    >>> import clexact
    >>> X = clexact.VectorFields.from_strings(["x", "y"], [["x", "2*y"]])
    >>> law = clexact.general_laws(X, 2)[0]
    >>> print(law, law.form.name, law.check(X))
    y/x^2 RATIONAL True
    """

    form: Form
    factors: tuple[Polynomial, ...]
    weights: tuple[Polynomial, ...]
    rest: Polynomial
    exponentials: Mapping[str, Fraction] = field(default_factory=dict, hash=False)  # {variable: r}: it is e^(r t)
    angles: tuple[Angle, ...] = ()
    divisors: tuple[Polynomial, ...] = ()

    def check(self, flow: Given) -> bool:
        r"""Whether it is a law of the flow, by exact identities of polynomials.

        $X_i c_j = 0$, and $\sum_j c_j X_i p_j / p_j + \sum_k c_k X_i T_k + X_i q = 0$ times the denominators.

        Parameters
        ----------
        flow : Flow, Model or VectorFields
            A flow of a model, or explicit fields.

        Returns
        -------
        bool
            Exact.

        Raises
        ------
        TypeError
            If ``flow`` is no flow.

        Examples
        --------
        >>> import clexact
        >>> X, Y = (clexact.VectorFields.from_strings(["x", "y"], [["x", b]]) for b in ("2*y", "3*y"))
        >>> law = clexact.general_laws(X, 2)[0]
        >>> law.check(X), law.check(Y)
        (True, False)
        """
        fields = as_flow(flow).fields
        if not self._well_formed:
            return False

        def along(p: Polynomial) -> list[Polynomial]:
            return lie_derivative(p, fields)

        *below, _ = self._below
        moving = any(
            not (w_moved * b - w * b_moved).is_zero
            for w, b in zip(self.weights, below, strict=True)
            for w_moved, b_moved in zip(along(w), along(b), strict=True)
        )
        return not moving and all(total.is_zero for total in self._derivative(along, len(fields)))

    @property
    def _below(self) -> tuple[Polynomial, ...]:
        """The denominators of the weights and of q."""
        return self.divisors or (self._constant(1),) * (len(self.weights) + 1)

    def _constant(self, c: int) -> Polynomial:
        return Polynomial.from_sparse(self.rest.variables, {(): Fraction(c)} if c else {})

    @property
    def _well_formed(self) -> bool:
        """A polynomial has no factors, a product has integers for weights and no rest; nothing is divided by zero."""
        terms = len(self.factors) + len(self.angles)
        if len(self.weights) != terms or (self.divisors and len(self.divisors) != terms + 1):
            return False
        if any(p.is_zero for p in (*self.factors, *self.divisors, *(a.norm for a in self.angles))):
            return False
        if any(angle.d == 0 for angle in self.angles) or bool(self.angles) != (self.form is Form.ANGULAR):
            return False
        if self.form is Form.POLYNOMIAL:
            return not self.factors and not self.divisors
        whole = all(w.degree <= 0 and w.denominator == 1 for w in self.weights) and not self.divisors
        return self.form is not Form.RATIONAL or (whole and self.rest.is_zero)

    def _derivative(self, along: Callable[[Polynomial], list[Polynomial]], count: int) -> list[Polynomial]:
        r"""A common denominator times $\sum_j c_j dp_j/p_j + \sum_k c_k dT_k + dq$, for ``count`` derivations d."""
        *below, last = self._below
        moved = [(p, along(p)) for p in self.factors] + [(angle.norm, angle.moved(along)) for angle in self.angles]
        parts = [
            (b * p, [w * d for d in slopes])
            for w, b, (p, slopes) in zip(self.weights, below, moved, strict=True)
        ]  # fmt: skip
        rest = [last * dr - self.rest * db for dr, db in zip(along(self.rest), along(last), strict=True)]
        return _summed([*parts, (last * last, rest)], count, self._constant(0))

    @property
    def gradient(self) -> list[Polynomial]:
        r"""A multiple of $\sum_j c_j \nabla p_j / p_j + \sum_k c_k \nabla T_k + \nabla q$, a polynomial vector.

        For a product, a multiple of its gradient; for logarithms likewise, up to the gradients of the c_j, which are
        laws themselves.
        """
        return self._derivative(lambda p: p.gradient, len(self.rest.variables))

    def to_sympy(self) -> sympy.Expr:
        """The law in SymPy, variables as symbols of the same names.

        Returns
        -------
        sympy.Expr
            A product of powers, or a sum.

        Examples
        --------
        >>> import clexact
        >>> X = clexact.VectorFields.from_strings(["x", "y"], [["x", "2*y"]])
        >>> clexact.general_laws(X, 2)[0].to_sympy()
        y/x**2
        """
        import sympy

        if self.form is Form.RATIONAL:
            return sympy.Mul(*(p.to_sympy() ** constant(c) for p, c in zip(self.factors, self.weights, strict=True)))
        *below, last = self._below
        functions = [sympy.log(p.to_sympy()) for p in self.factors] + [angle.to_sympy() for angle in self.angles]
        terms = [w.to_sympy() * f / b.to_sympy() for w, b, f in zip(self.weights, below, functions, strict=True)]
        return sympy.Add(*terms, self.rest.to_sympy() / last.to_sympy())

    def written(self) -> str:
        """The law as text, with e^(r*t) in place of a variable that stands for it.

        Returns
        -------
        str
            One line.

        Examples
        --------
        >>> import clexact
        >>> X = clexact.VectorFields.from_strings(["x", "y"], [["x", "2*y"]])
        >>> clexact.general_laws(X, 2)[0].written()
        'y/x^2'
        """
        return with_exponentials(str(self), self.exponentials, r"\^(\d+)", "e^({}*t)")

    def to_latex(self) -> str:
        r"""LaTeX source, with e^(r t) in place of a variable that stands for it.

        Returns
        -------
        str
            Without dollar signs.

        Examples
        --------
        >>> import clexact
        >>> X = clexact.VectorFields.from_strings(["x", "y"], [["x", "2*y"]])
        >>> clexact.general_laws(X, 2)[0].to_latex()
        '\\frac{y}{x^{2}}'
        """
        if self.form is Form.RATIONAL:
            above, below = self._product(latex=True)
            text = rf"\frac{{{above}}}{{{below}}}"
        else:
            text = self._sum(r"\log\left({}\right)", " ", latex=True)
        rates = {latex_name(name): rate for name, rate in self.exponentials.items()}
        return with_exponentials(text, rates, r"\^\{(\d+)\}", r"e^{{{} t}}")

    def _sympy_(self) -> sympy.Expr:
        """What ``sympy.sympify`` makes of it."""
        return self.to_sympy()

    def _latex(self, printer: object) -> str:
        """What ``sympy.latex`` makes of it."""
        return self.to_latex()

    def _repr_latex_(self) -> str:
        return f"${self.to_latex()}$"

    def __str__(self) -> str:
        if self.form is Form.RATIONAL:
            above, below = self._product(latex=False)
            return f"{above}/{below}"
        return self._sum("log({})", "*", latex=False)

    def _product(self, latex: bool) -> tuple[str, str]:
        """Numerator and denominator as text, the denominator in parentheses if it has several factors."""
        powers = [constant(weight) for weight in self.weights]
        sides: tuple[list[str], list[str]] = [], []
        for p, c in zip(self.factors, powers, strict=True):
            alone = latex and abs(c) == 1 and sum((other < 0) == (c < 0) for other in powers) == 1
            text = p.to_latex() if latex else str(p)
            if len(p) > 1 and not alone:
                text = rf"\left({text}\right)" if latex else f"({text})"
            raised = f"^{{{abs(c)}}}" if latex else f"^{abs(c)}"
            sides[c < 0].append(text + (raised if abs(c) > 1 else ""))
        above, below = ((" " if latex else "*").join(side) or "1" for side in sides)
        return above, f"({below})" if len(sides[1]) > 1 and not latex else below

    def _sum(self, log: str, times: str, latex: bool) -> str:
        """Terms c log p, c T and q, joined by signs."""
        functions = [(Fraction(1), log.format(p.to_latex() if latex else str(p))) for p in self.factors]
        functions += [angle.parts(latex) for angle in self.angles]
        *below, last = self._below
        terms = [
            _term(w * scale, b, times, text, latex)
            for w, b, (scale, text) in zip(self.weights, below, functions, strict=True)
        ]
        if last.degree > 0:
            terms.append(_term(self.rest, last, "", "", latex))
        elif not self.rest.is_zero or not terms:
            text = self.rest.to_latex() if latex else str(self.rest)
            terms.append((text.startswith("-"), text.removeprefix("-")))
        first, *others = ((" - " if negative else " + ") + text for negative, text in terms)
        return "".join([f"-{first[3:]}" if first.startswith(" - ") else first[3:], *others])


def _term(weight: Polynomial, below: Polynomial, times: str, function: str, latex: bool) -> tuple[bool, str]:
    """(whether it is negative, the text of |weight| / below times a function); the function may be none."""
    negative = not weight.is_zero and next(weight.items())[1] < 0
    size = -weight if negative else weight
    if size == 1 and function and below == 1:
        return negative, function
    text = size.to_latex() if latex else str(size)
    if below != 1 and latex:
        text = rf"\frac{{{text}}}{{{below.to_latex()}}}"
    elif below != 1:
        single = len(below) == 1 and "*" not in str(below)
        text = (f"({text})" if len(size) > 1 else text) + "/" + (str(below) if single else f"({below})")
    elif len(size) > 1 and function:
        text = rf"\left({text}\right)" if latex else f"({text})"
    return negative, text + times + function


Parts = list[tuple[Polynomial, list[Polynomial]]]


def _summed(parts: Parts, count: int, zero: Polynomial) -> list[Polynomial]:
    """The numerators of sums of fractions with denominators (below, numerators), over one common denominator."""
    parts = [_lowest(below, tops) for below, tops in parts]
    common = zero + 1
    for below, _ in parts:
        if common.quotient(below) is None:
            common = common * below
    totals = [zero] * count
    for below, tops in parts:
        scale = common.quotient(below)
        if scale is not None:  # as it is: a factor of it
            totals = [total + scale * top for total, top in zip(totals, tops, strict=True)]
    return totals


def _lowest(below: Polynomial, tops: list[Polynomial]) -> tuple[Polynomial, list[Polynomial]]:
    """Without the denominator, where it divides all numerators."""
    whole = [q for top in tops if (q := top.quotient(below)) is not None]
    return (below * 0 + 1, whole) if len(whole) == len(tops) else (below, tops)


def constant(p: Polynomial) -> int:
    """The integer that a constant polynomial is."""
    return int(p(*[0] * len(p.variables)))
