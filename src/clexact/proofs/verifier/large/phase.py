"""Phase spaces: a clock, velocities, a drift and a metric."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clexact.proofs.verifier.large.laws import Polynomials
from clexact.proofs.verifier.large.limits import NAME, Jet, Pair
from clexact.proofs.verifier.large.node import reduced
from clexact.proofs.verifier.large.outcome import form
from clexact.proofs.verifier.large.point import Point
from clexact.proofs.verifier.large.program import Layout
from clexact.proofs.verifier.large.reading import sparse, typed

if TYPE_CHECKING:
    from clexact.proofs.verifier.large.limits import Part, Poly
    from clexact.proofs.verifier.large.outcome import Allowance
    from clexact.proofs.verifier.large.program import Program

MAX_PHASE_DEGREE, DRIFT = 100, "the drift"  # of polynomials of a phase space; no name of a probe


class Phase:
    """A phase space: a clock or none, the parameters, their velocities or none; a drift, and a diagonal metric or none.

    A field of it is a multiple of the drift and a gradient, times the metric, in the place of the velocities, if there
    are some.
    """

    def __init__(self, data: Any, program: Program, allowance: Allowance) -> None:
        typed(data, dict, "phase", ["clock", "velocities", "drift", "metric"])
        clock, theta = data["clock"], program.theta
        named = type(clock) is str and re.fullmatch(NAME, clock) and clock not in theta.shapes
        form(clock is None or named, "phase.clock must be a new name, or null")
        self.first, self.count = int(clock is not None), theta.starts[-1]  # of positions
        moved = {f"{name}'": sizes for name, sizes in theta.shapes.items()}
        moving = typed(data["velocities"], bool, "phase.velocities")
        self.offset = self.first + moving * self.count  # of gradients
        self.layout = Layout(({clock: ()} if named else {}) | theta.shapes | (moved if moving else {}))
        self.drift = self.polynomials(data["drift"], self.layout.starts[-1], "phase.drift", allowance)
        self.metric = self.polynomials(data["metric"], self.count, "phase.metric", allowance)
        self.seed = Layout(({} if self.drift is None else {DRIFT: ()}) | program.seed.shapes)

    def polynomials(self, data: Any, size: int, what: str, allowance: Allowance) -> dict[int, Poly] | None:
        """{place: polynomial} from [place, text, ...], with integer coefficients, as they stand; None from null."""
        if data is None:
            return None
        flat = typed(data, list, what)
        places = sparse([x for i in flat[::2] for x in (i, 0)], size, what)
        form(2 * len(places) == len(flat), f"{what} must list places and polynomials")
        read = Polynomials(flat[1::2], self.layout, what, allowance)
        form("/" not in "".join(flat[1::2]), f"{what} must have integer coefficients")
        form(read.degree <= MAX_PHASE_DEGREE, f"{what} is of too large a degree")
        return dict(zip(places, read.laws, strict=True))

    def bounds(self) -> Pair:
        """Degree and bits of the norm that drift and metric add to those of a field."""
        parts = [list(polynomials.values()) for polynomials in (self.drift or {}, self.metric or {})]
        degree = sum(max((sum(k for _, k in m) for poly in part for m in poly), default=0) for part in parts)
        bits = sum(max((sum(map(abs, poly.values())) for poly in part), default=1).bit_length() for part in parts)
        return degree + 1, bits + 1


class PhasePoint(Point):
    """A point of a phase space: fields and brackets there."""

    def __init__(self, phase: Phase, program: Program, p: int, theta: Part, *rest: Any) -> None:
        self.phase, self.whole = phase, reduced(theta, p)
        super().__init__(program, p, self.positions(theta), *rest)

    def positions(self, part: Part) -> Part:
        return {i - self.phase.first: x for i, x in part.items() if 0 <= i - self.phase.first < self.phase.count}

    def field(self, seed: dict[str, Part], extra: Jet) -> Jet:
        phase, here, out = self.phase, {0: self.whole} | extra, Jet()
        moved = {mask: positions for mask, part in extra.items() if (positions := self.positions(part))}
        kick = super().field(seed, moved)
        if phase.metric is not None:
            kick = self.product(kick, self.polynomials(phase.metric, here))
        for mask, part in kick.items():
            self.add(out, mask, {phase.offset + i: x for i, x in part.items()})
        if phase.drift is None or DRIFT not in seed:
            return out
        return self.combined((1, out), (seed[DRIFT][0], self.polynomials(phase.drift, here)))

    def polynomials(self, polynomials: dict[int, Poly], here: Jet) -> Jet:
        """Their values at a jet."""
        return polynomials_at(polynomials, here, self.p, self.allowance)


def polynomials_at(polynomials: dict[int, Poly], here: Jet, p: int, allowance: Allowance) -> Jet:
    """Values of polynomials {place: polynomial} at a jet."""
    out, powers = Jet(), dict[Pair, dict[int, int]]()
    for place, poly in polynomials.items():
        for monomial, c in poly.items():
            factors = list[dict[int, int]]()
            for v, k in monomial:
                if (v, k) not in powers:
                    allowance.spend(10 + len(here))
                    x = {mask: part[v] for mask, part in here.items() if v in part}
                    powers[v, k] = power_of(x, k, p, allowance)
                factors.append(powers[v, k])
            for mask, y in product_of(c % p, factors, here, p, allowance).items():
                part = out.setdefault(mask, {})
                part[place] = part.get(place, 0) + y
    return {mask: reduced(part, p) for mask, part in out.items()}


def product_of(c: int, factors: list[dict[int, int]], here: Jet, p: int, allowance: Allowance) -> dict[int, int]:
    """c times the factors: numbers with the infinitesimals of a jet."""
    if len(here) > 2:
        term = {0: c}
        for factor in factors:
            term = multiplied(term, factor, p, allowance)
        return term
    allowance.spend(50 + 5 * len(factors))
    e, moved = max(here), 0  # of square 0, if there is one: f + f' e
    for factor in factors:
        x = factor.get(0, 0)
        moved = (moved * x + c * factor.get(e, 0)) % p if e else 0
        c = c * x % p
    return {0: c, e: moved} if e else {0: c}


def multiplied(a: dict[int, int], b: dict[int, int], p: int, allowance: Allowance) -> dict[int, int]:
    """The product of numbers with infinitesimals {bit mask: residue}."""
    allowance.spend(10 + len(a) * len(b))
    out: dict[int, int] = {}
    for s, x in a.items():
        for t, y in b.items():
            if not s & t:
                out[s | t] = (out.get(s | t, 0) + x * y) % p
    return out


def power_of(x: dict[int, int], k: int, p: int, allowance: Allowance) -> dict[int, int]:
    """x^k, k > 0, by squaring."""
    if not any(x):
        return {0: pow(x[0], k, p)} if x else {}
    out = x
    for bit in bin(k)[3:]:
        out = multiplied(out, out, p, allowance)
        out = multiplied(out, x, p, allowance) if bit == "1" else out
    return out
