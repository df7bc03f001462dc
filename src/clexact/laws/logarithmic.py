r"""``Law``: a law that is a polynomial, a product of powers of Darboux polynomials, or a sum of their logarithms.

If $X_i p_j = \lambda_{ji} p_j$ for every field, then $X_i \log p_j = \lambda_{ji}$: a linear relation between cofactors
and derivatives of a polynomial q is a law, and the check of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

from clexact.algebra.fields import lie_derivative
from clexact.algebra.polynomial import Polynomial, latex_name
from clexact.flows.dynamics import Given, as_flow
from clexact.laws.darboux import cofactors
from clexact.laws.result import with_exponentials

if TYPE_CHECKING:
    import sympy


class Form(Enum):
    """What a law is made of; the value is the word a user reads.

    Examples
    --------
    >>> [form.value for form in Form]
    ['polynomial', 'rational', 'logarithmic']
    """

    POLYNOMIAL = "polynomial"
    RATIONAL = "rational"
    LOGARITHMIC = "logarithmic"


@dataclass(frozen=True)
class Law:
    r"""A law: q, or $\prod_j p_j^{c_j}$ with integers c_j, or $\sum_j c_j \log p_j + q$ with polynomial laws c_j.

    A logarithm is that of $|p_j|$; a law holds where no p_j vanishes.

    Attributes
    ----------
    form : Form
        Which of the three it is.
    factors : tuple of Polynomial
        The p_j.
    weights : tuple of Polynomial
        The c_j: constants, unless they are laws.
    rest : Polynomial
        The polynomial q.
    exponentials : mapping of str to Fraction
        {variable: r}: it is e^(r t).

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

    def check(self, flow: Given) -> bool:
        r"""Whether it is a law of the flow, by exact identities made anew.

        $X_i c_j = 0$, $X_i p_j = \lambda_{ji} p_j$ and $\sum_j c_j \lambda_{ji} + X_i q = 0$ for every field.

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
        if not self._well_formed or any(p.is_zero for p in self.factors):
            return False
        sums = lie_derivative(self.rest, fields)
        for p, weight in zip(self.factors, self.weights, strict=True):
            cofactor = cofactors(p, fields)
            if cofactor is None or any(not moved.is_zero for moved in lie_derivative(weight, fields)):
                return False
            sums = [total + weight * c for total, c in zip(sums, cofactor, strict=True)]
        return all(total.is_zero for total in sums)

    @property
    def _well_formed(self) -> bool:
        """A polynomial has no factors, a product has integers for weights and no rest."""
        if self.form is Form.POLYNOMIAL:
            return not self.factors
        whole = all(w.degree <= 0 and w.denominator == 1 for w in self.weights)
        return self.form is Form.LOGARITHMIC or (whole and self.rest.is_zero)

    @property
    def gradient(self) -> list[Polynomial]:
        r"""$\prod_j p_j$ times $\sum_j c_j \nabla p_j / p_j + \nabla q$, a polynomial vector.

        For a product, a multiple of its gradient; for logarithms likewise, up to the gradients of the c_j, which are
        laws themselves.
        """
        one = Polynomial.from_sparse(self.rest.variables, {(): Fraction(1)})
        total = [prod(self.factors, start=one) * d for d in self.rest.gradient]
        for j, (p, weight) in enumerate(zip(self.factors, self.weights, strict=True)):
            scale = prod(self.factors[:j] + self.factors[j + 1 :], start=one) * weight
            total = [t + scale * d for t, d in zip(total, p.gradient, strict=True)]
        return total

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

        pairs = [(p.to_sympy(), c.to_sympy()) for p, c in zip(self.factors, self.weights, strict=True)]
        if self.form is Form.RATIONAL:
            return sympy.Mul(*(p**c for p, c in pairs))
        return sympy.Add(*(c * sympy.log(p) for p, c in pairs), self.rest.to_sympy())

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
        """Terms c log p and q, joined by signs."""
        out = ""
        for p, weight in zip(self.factors, self.weights, strict=True):
            negative = next(weight.items())[1] < 0
            size = -weight if negative else weight
            text = size.to_latex() if latex else str(size)
            if len(size) > 1:
                text = rf"\left({text}\right)" if latex else f"({text})"
            term = ("" if size == 1 else text + times) + log.format(p.to_latex() if latex else str(p))
            out += (" - " if negative else " + ") + term
        rest = self.rest.to_latex() if latex else str(self.rest)
        if not self.rest.is_zero or not out:
            out += f" - {rest[1:]}" if rest.startswith("-") else f" + {rest}"
        return f"-{out[3:]}" if out.startswith(" - ") else out[3:]


def constant(p: Polynomial) -> int:
    """The integer that a constant polynomial is."""
    return int(p(*[0] * len(p.variables)))
