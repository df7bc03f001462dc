"""That members span all brackets: a single field, or at random points."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from clexact.proofs.verifier.large.limits import CLOSURE_BITS, ERROR_BITS, MAX_ELIMINATION, Jet, Pair, Part
from clexact.proofs.verifier.large.listed import Listed
from clexact.proofs.verifier.large.node import reduced
from clexact.proofs.verifier.large.outcome import Allowance, bounded, form, truth
from clexact.proofs.verifier.large.ranks import dense, eliminated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clexact.proofs.verifier.large.check import Checker

CLOSED = f"closed with error <= 2^-{ERROR_BITS}"
ONE_FIELD, RANDOM_POINTS = "one field", "random points"  # how closure is shown


def bound_of_bracket(a: Pair, b: Pair) -> Pair:
    """Degree and bits of the norm of a component of [A, B] = dA B - dB A, from those of A and B."""
    degree = a[0] + b[0]
    return degree, a[1] + b[1] + degree.bit_length()


def bound_of_minor(field: Pair, seeds: Sequence[Part], members: Sequence[Sequence[int]]) -> Pair:
    """Degree and bits of the norm of a minor of the members and one row more: a field X, or [X, sum of c_i B_i].

    ``field``: of a field, in the variables and its seed together; a member has integers for its seed.
    """
    degree, bits = field
    of_seeds = [(degree, bits + degree * max(map(abs, seed.values()), default=1).bit_length()) for seed in seeds]
    bounds = list[Pair]()
    for member in members:
        bound = of_seeds[member[-1]]
        for s in reversed(member[:-1]):
            bound = bound_of_bracket(of_seeds[s], bound)
        bounds.append(bound)
    count, (highest, longest) = len(bounds), (max((b[k] for b in bounds), default=0) for k in range(2))
    further = bound_of_bracket(field, (highest + 1, longest + count.bit_length()))
    of_factorial = sum(k.bit_length() for k in range(1, count + 2))
    bounded(further[0] + sum(b[0] for b in bounds))
    return further[0] + sum(b[0] for b in bounds), further[1] + sum(b[1] for b in bounds) + of_factorial


class Closure:
    """That members span, over the rational functions, all fields and their brackets with a field: so all brackets.

    Then the bound from above is the number of laws near a generic point, by Frobenius' theorem. A single field is
    closed: a proof. Else a field X, a member B of the span and [X, B], all of them random, are looked at at random
    points modulo random primes: were one of them out of the span, a minor would be a polynomial over Z that is not 0,
    and it would vanish each time, because p divides all its coefficients or a root was hit (Schwartz-Zippel).
    """

    def __init__(self, checker: Checker, seeds: Sequence[Part], members: Sequence[Sequence[int]]) -> None:
        self.checker, self.seeds, self.members = checker, seeds, members

    def check(self, kind: Any) -> str:
        """The evidence of the bound from below."""
        form(kind in (ONE_FIELD, RANDOM_POINTS), f"closure must be {ONE_FIELD!r} or {RANDOM_POINTS!r}")
        program = self.checker.program
        algebraic = not program.functions and program.cases is None
        truth(algebraic, "closure is shown for polynomial fields near a generic point alone")
        if kind == ONE_FIELD:
            self.check_single()
            return "proved"
        points = self.check_at_random()
        said = f"the brackets are closed at {points} random points: error <= 2^-{ERROR_BITS}"
        self.checker.sentences.append(said)
        return CLOSED

    def check_single(self) -> None:
        program, numbers = self.checker.program, self.checker.seed.starts[-1]
        count = program.single if isinstance(program, Listed) else 1 if numbers == 1 else None
        truth(count is not None, "there are several fields: closure is not trivial")
        truth(len(self.members) == count, "the field vanishes at the point given")
        self.checker.sentences.append("a single field is closed under brackets")

    def check_at_random(self) -> int:
        """How many points it took."""
        checker, total, points = self.checker, Fraction(1), 0
        (degree, bits), (more, longer) = checker.program.bounds(), checker.phase.bounds() if checker.phase else (0, 0)
        bound = bound_of_minor((degree + more, bits + longer), self.seeds, self.members)
        error = checker.chance(*bound, CLOSURE_BITS)
        while total > Fraction(1, 2**ERROR_BITS):
            truth(error < Fraction(1, 4), "the degrees are too large for a test of the closure")
            p = checker.random_prime(CLOSURE_BITS)
            found = self.rank(self.rows(p), p)
            truth(found <= len(self.members), "the brackets are not closed: a further one is independent of them")
            points, total = points + 1, total * error
        return points

    def rows(self, p: int) -> list[Part]:
        """The members, X and [X, sum of c_i B_i] at a random point, the c_i and X being random too."""
        checker, layout = self.checker, self.checker.seed
        at = checker.at(p, checker.draw(checker.D, p))
        X, mixed = layout.split(checker.draw(layout.starts[-1], p)), Jet()
        seeds = [layout.split(reduced(seed, p)) for seed in self.seeds]
        rows, along = list[Part](), at.field(X, {}).get(0, {})
        for member in self.members:  # at theta + e X, e the first infinitesimal
            value = at.bracket([seeds[s] for s in member], {1: along}, 1)
            rows.append(value.get(0, {}))
            mixed = at.combined((1, mixed), (checker.random.randrange(p), value))
        moved = at.field(X, {1: mixed.get(0, {})})
        bracket = at.combined((1, {0: moved.get(1, {})}), (-1, {0: mixed.get(1, {})}))
        return [*rows, along, bracket.get(0, {})]

    def rank(self, rows: list[Part], p: int) -> int:
        """Modulo p."""
        if self.checker.rank:
            return int(self.checker.rank(dense(rows), p)) if any(rows) else 0
        return eliminated(rows, p, Allowance(MAX_ELIMINATION))
