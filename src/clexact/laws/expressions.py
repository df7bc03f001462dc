r"""Whether an expression with quotients, logarithms and other functions is a law.

Each function of the variables is one more variable w with $X w = w'(u)\,X u$, so that X h is a rational function of all
of them. If it is zero, h is a law. If not, balls of real numbers around its value at a rational point decide: one
without zero proves that h is no law.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from clexact.algebra.bounded import Sparse
from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.quotients import Quotient, Quotients, derivative, variable
from clexact.algebra.symbolic import Walker, named
from clexact.algebra.systems import Added, Builder, add_derivative
from clexact.laws.logarithmic import Form, Law, constant

if TYPE_CHECKING:
    import sympy

BITS = 256  # of the balls
POINTS = 12  # at which a ball may show that a derivative is not zero
SIZE = 50  # of the numerators of a point


class Expression:
    """h over the variables of fields, with its functions; ValueError for what is none."""

    def __init__(self, given: str | Law | sympy.Expr, fields: VectorFields) -> None:
        self.fields, self.ring = fields, Quotients()
        self.builder = Builder.over(fields.variables, len(fields.parameters))
        self.value = self._read(given)

    def _read(self, given: Any) -> Quotient:
        if isinstance(given, str):
            return self.builder.component(given)
        if isinstance(given, Law):
            return self._of_law(given)
        import sympy

        symbols = [sympy.Symbol(name) for name in self.fields.variables]
        return Walker(symbols).with_functions(named(given), self.builder)

    def _of_law(self, law: Law) -> Quotient:
        ring = self.ring
        tops = [Quotient(dict(p.items())) for p in (*law.weights, law.rest)]
        if law.divisors:
            below = [ring.inverse(Quotient(dict(p.items()))) for p in law.divisors]
            tops = [ring.times(top, b) for top, b in zip(tops, below, strict=True)]
        factors = [Quotient(dict(p.items())) for p in law.factors]
        if law.form is Form.RATIONAL:
            powers = [ring.power(p, constant(w)) for p, w in zip(factors, law.weights, strict=True)]
            whole = powers[0]
            for power in powers[1:]:
                whole = ring.times(whole, power)
            return whole
        functions = [self.builder.apply("log", [p]) for p in factors]
        functions += [self._angle(Quotient(dict(a.u.items())), Quotient(dict(a.v.items())), a.d) for a in law.angles]
        *weights, rest = tops
        return ring.total([*(ring.times(w, f) for w, f in zip(weights, functions, strict=True)), rest])

    def _angle(self, u: Quotient, v: Quotient, d: int) -> Quotient:
        """T at v / u, T' = 1 / (1 - d s^2)."""
        ring, place = self.ring, self.builder.number(f"angle{len(self.builder.numbers)}")
        s = ring.times(v, ring.inverse(u))
        slope = ring.inverse(ring.total([Quotient({(): 1}), ring.times(ring.times(s, s), Quotient({(): -d}))]))
        self.builder.added[place] = Added(self.builder.names[place], f"T {d}", s, slope)
        return variable(place)

    def derivatives(self) -> Iterator[Quotient]:
        """X_i h for every field, a rational function of the variables and the functions."""
        for i in range(len(self.fields)):
            moved = {v: Quotient(dict(p.items())) for v, p in enumerate(self.fields.components(i)) if not p.is_zero}
            for place in self.builder.added:
                add_derivative(self.builder, moved, place)
            terms = [self.ring.times(derivative(self.value, v, self.ring), f) for v, f in moved.items()]
            yield self._reduced(self.ring.total(terms)) if terms else Quotient({})

    def _reduced(self, h: Quotient) -> Quotient:
        """By w^2 = u for roots, cos^2 = 1 - sin^2 and cosh^2 = 1 + sinh^2 in the numerator, the last function first."""
        top = Quotient(h.top)
        for place, added in reversed(self.builder.added.items()):
            square = self._square(place, added)
            if square is None:
                continue
            powers: dict[int, Sparse] = {}
            for monomial, c in top.top.items():
                k = dict(monomial).get(place, 0)
                rest = tuple(pair for pair in monomial if pair[0] != place)
                rest = tuple(sorted((*rest, (place, 1)))) if k % 2 else rest
                powers.setdefault(k // 2, {})[rest] = c
            if set(powers) - {0}:
                parts = [self.ring.times(Quotient(p), self.ring.power(square, k)) for k, p in powers.items()]
                top = Quotient(self.ring.total(parts).top)
        return Quotient(top.top, h.bottom)

    def _square(self, place: int, added: Added) -> Quotient | None:
        """What the square of a function is, in earlier ones; a sine comes just before its cosine."""
        if added.meaning == "sqrt":
            return added.argument
        if added.meaning not in ("cos", "cosh"):
            return None
        sign = -1 if added.meaning == "cos" else 1
        return Quotient({(): 1, ((place - 1, 2),): sign})

    def is_nonzero(self, h: Quotient, draws: Draws) -> bool:
        """Whether a ball around the value of h at some point shows that it is not zero: a proof."""
        if not any(
            v >= len(self.fields.variables) for m in [*h.top, *(m for f in h.bottom for m, _ in f)] for v, _ in m
        ):
            return bool(h.top)  # a rational function of the variables alone
        from flint import ctx

        before, ctx.prec = ctx.prec, BITS
        try:
            return any(self._ball_without_zero(h, draws, positive=n % 2 == 0) for n in range(POINTS))
        finally:
            ctx.prec = before

    def _ball_without_zero(self, h: Quotient, draws: Draws, *, positive: bool) -> bool:
        from flint import arb, fmpq

        numbers = draws.residues((len(self.fields.variables),), 2 * SIZE).tolist()
        point = {v: arb(fmpq(n + 1 if positive else n - SIZE, SIZE // 2)) for v, n in enumerate(numbers)}
        for place, added in self.builder.added.items():
            point[place] = _function(added.meaning, _ball(added.argument, point))
        value = _ball(h, point)
        return bool(value.is_finite() and not value.contains(0))


def _ball(q: Quotient, point: dict[int, Any]) -> Any:
    """A ball that holds the value of a rational function."""
    value = _polynomial_ball(q.top, point)
    for factor, power in q.bottom.items():
        value = value / _polynomial_ball(dict(factor), point) ** power
    return value


def _polynomial_ball(p: Sparse, point: dict[int, Any]) -> Any:
    from flint import arb, fmpq

    total = arb(0)
    for monomial, c in p.items():
        number = Fraction(c)
        term = arb(fmpq(number.numerator, number.denominator))
        for v, k in monomial:
            term = term * point[v] ** k
        total = total + term
    return total


def _function(name: str, u: Any) -> Any:
    """A ball that holds the value of a function: log is that of |u|, T as ``angles.py`` has it."""
    from flint import arb

    match name:
        case "exp" | "sin" | "cos" | "sinh" | "cosh" | "sqrt":
            return getattr(u, name)()
        case "log":
            return abs(u).log()
        case "arctan":
            return u.atan()
    d = int(name.removeprefix("T "))
    root = arb(abs(d)).sqrt()
    if d < 0:
        return (root * u).atan() / root
    return abs((1 + root * u) / (1 - root * u)).log() / (2 * root)
