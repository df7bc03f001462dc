"""Verify a certificate. Standard library only; nothing of the engine; ``standalone`` packs it into one file.

Exit status 0: all verified; 1: something is false; 2: not a certificate; 3: undecided.

The model is a straight-line program of arrays; nothing is expanded (docs/certificate.md). Or polynomial fields are
listed in its place: then laws are identities, multiplied out. Checked, in order:
1. every law is one, with functions opaque: entries of Gram matrices by the rule of shapes, polynomials by the chain
   rule (proofs); where these do not show it, at random points modulo random primes (error <= 2^-100);
2. the gradients of the laws listed are independent modulo a prime at an integer point, and
3. so are the values of the fields and brackets listed: by elimination (a proof), or, where that is too much work, by
   solutions of M y = b for challenges b derived from the document (error <= 2^-100);
4. the bounds: lower = the number of those laws, upper = D - the number of those fields and brackets. With ``closure``
   lower = upper, by Frobenius' theorem: of a single field (a proof), or shown at random points (error <= 2^-100).
A rank modulo a prime at an integer point never exceeds the generic rank over Q, so 2 and 3 are proofs.

With ``cases`` it speaks of given inputs, or of the gates that a network has near a start: each is recomputed exactly
(``Reading``); that near the start there are no others is checked where the document shows it (``Branches``).

With analytic functions the values in 3 are images under a ring homomorphism (``Homomorphism``), so the same holds. That
it is one rests on Ax 1971 (functional Lindemann-Weierstrass) for exponentials and logarithms, on Lindemann-Weierstrass
for those of constants, on Kolchin and Ostrowski with Liouville for normal_cdf, and on what ``Roots`` checks: that signs
of roots are free, logarithms independent, and exponents no logarithms. What is assumed beyond theorems is said
(``assumed``).
"""

from __future__ import annotations

import random
import re
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

from clexact.proofs.verifier.large.chain_rule import Moves, derivatives, form_of
from clexact.proofs.verifier.large.closure import Closure
from clexact.proofs.verifier.large.homomorphism import Homomorphism, Pole, drawn
from clexact.proofs.verifier.large.laws import Gram, Polynomials, laws_of
from clexact.proofs.verifier.large.limits import (
    ANGLES,
    ERROR_BITS,
    EXPONENTIAL,
    LAW_BITS,
    LISTED,
    LOGARITHMS,
    MAX_BITS,
    MAX_LAWS,
    MAX_PRIME,
    MAX_STORED,
    SETS,
    SHARE,
    SPANNED,
    Form,
    Part,
)
from clexact.proofs.verifier.large.listed import Listed, ListedPoint, named_laws
from clexact.proofs.verifier.large.near import Branches, Reading, Sources, Support, Supports
from clexact.proofs.verifier.large.node import common, reduced
from clexact.proofs.verifier.large.outcome import Allowance, NotACertificate, TooMuch, Untrue, counted, form, truth
from clexact.proofs.verifier.large.phase import Phase, PhasePoint
from clexact.proofs.verifier.large.point import Point
from clexact.proofs.verifier.large.primes import is_prime
from clexact.proofs.verifier.large.program import Program
from clexact.proofs.verifier.large.ranks import check_full_rank, core
from clexact.proofs.verifier.large.reading import challenges, integers, program_hash, read, sparse, typed, unpacked
from clexact.proofs.verifier.large.roots import Roots

if TYPE_CHECKING:
    from clexact.proofs.verifier.large.homomorphism import Functions
    from clexact.proofs.verifier.large.limits import Poly
    from clexact.proofs.verifier.large.program import Cases, Margin

FORMAT = "clexact-program-certificate-1"
EVERY = ["format", "version", "sha256", "model", "assumptions", "dimension", "laws", "independence", "lie", "claim"]
KEYS = [*EVERY, "parameters", "probes", "program"]  # of a document that holds a program; of one that lists fields:
LISTED_KEYS = [*EVERY, "fields"]
MAX_WORK, MIN_WORK, WORK_PER_BYTE = 3 * 10**8, 3 * 10**7, 300  # steps; those of a document grow with its length
SEVERITY = (0, 3, 1, 2)  # exit statuses from good to bad: verified, undecided, false, not a certificate
GROUNDS = "a rank at a point modulo a prime is at most the generic one; what fields conserve their brackets conserve"
THEOREMS = (  # by which functions have the values that a homomorphism gives them
    ((*EXPONENTIAL, "log", *ANGLES), "exponentials and logarithms are independent (Ax 1971, Lindemann-Weierstrass)"),
    (("normal_cdf",), "values of normal_cdf are (Kolchin, Ostrowski, Liouville)"),
    (("rsqrt",), "square roots of independent radicands have free signs (Kummer)"),
)


class Checker:
    """One certificate under examination; ``said`` collects what is verified, in words."""

    def __init__(self, document: Any, rank: Any = None, work: int = MAX_WORK) -> None:
        self.doc: dict[str, Any] = typed(document, dict, "a certificate")
        form(self.doc.get("format") == FORMAT, f"the format must be {FORMAT}")
        form("source" not in document, "made by an earlier version: its program is of Taylor coefficients")
        keys, optional = (KEYS, ["phase", "gates", "cases"]) if "fields" not in document else (LISTED_KEYS, [])
        keys = [*keys, *(key for key in [*optional, "closure"] if key in document)]
        typed(document, dict, "a certificate", keys)
        for key, kind in (("version", str), ("sha256", str), ("model", dict), ("assumptions", list)):
            typed(document[key], kind, key)
        self.rank, self.sentences, self.allowance = rank, list[str](), Allowance(work)
        self.random = random.SystemRandom()
        self.lower = self.upper = self.lower_evidence = "proved"  # how this verifier has shown the bounds
        listed = "fields" in document
        self.program = Listed(document, self.allowance) if listed else Program(document)
        self.phase = Phase(document["phase"], self.program, self.allowance) if "phase" in document else None
        self.layout, self.seed = (x.layout, x.seed) if (x := self.phase) else (self.program.theta, self.program.seed)
        self.D = self.layout.starts[-1]
        self.choices = dict[frozenset[int], None]()  # at gates, of all members
        self.defined = not self.program.functions  # whether all functions have values where the members have theirs
        family = named_laws if listed else laws_of
        self.families = [
            family(f, self.program, f"family {n} of laws", self.allowance, self.phase)
            for n, f in enumerate(typed(document["laws"], list, "laws"))
        ]
        form(sum(f.count for f in self.families) <= MAX_LAWS, f"over {MAX_LAWS} laws")

    def run(self) -> None:
        """All checks; ``Untrue`` at the first that fails."""
        what = "fields" if isinstance(self.program, Listed) else "program"
        truth(self.doc["sha256"] == program_hash(self.doc), f"sha256 is not that of the {what}")
        truth(type(self.doc["dimension"]) is int and self.doc["dimension"] == self.D, f"the dimension is {self.D}")
        self.check_cases()
        self.check_laws()
        self.check_claim(self.check_independence(), self.check_members())

    def check_cases(self) -> None:
        """The gates of all cases; whether there are others near the start, or whether they span all."""
        cases = self.program.cases
        if cases is None:
            return
        if not (cases.near and cases.gates):
            self.sentences.append(f"on the {cases.inputs_listed}" + ", with free gates" * bool(cases.gates))
            return
        branches = self.check_gates(cases)
        if cases.scope == SPANNED:
            self.check_spanned(cases)
        elif cases.others is not None:
            self.check_others(branches, cases.others)
        elif not cases.on_data:
            self.lower_evidence = LISTED

    def check_gates(self, cases: Cases) -> Branches:
        """The gates, exactly; for what else there is."""
        entering = self.program.entering([gate.node for gate in cases.gates])
        algebraic = not any(self.program.nodes[n].function for n in entering)
        truth(algebraic, "a function enters a gate, so its sign is not found exactly")
        reading = Reading(self.program, cases, self.allowance)
        tied = {j: ties for j in range(cases.count) if (ties := reading.ties(j))}
        self.check_ties(tied)
        where = f"the {cases.inputs_listed}" if cases.on_data else f"open sets around the {cases.inputs_listed}"
        self.sentences.append(f"at the start, on {where}, the gates are as listed: recomputed exactly")
        if count := sum(map(len, tied.values())):
            self.sentences[-1] += f"; {count} tie for all parameters near it, error <= 2^-{ERROR_BITS}"
        return Branches(reading, cases, tied)

    def check_ties(self, tied: dict[int, list[Margin]]) -> None:
        """What is zero at the start is zero at random parameters too; and at random inputs, where these are free."""
        for at in self.random_points() if tied else ():
            for j, margins in tied.items():
                values = at.values(self.case(j, at.p), {})
                for gate, plus, minus in margins:
                    fine = not at.margin(values, gate, plus, minus)
                    truth(fine, f"case {j} is on a kink: {gate.name}, entry {max(plus, minus)}, which parameters move")

    def random_points(self, count: int = 1) -> list[Sources]:
        """As many as show that what enters gates, or minors of ``count`` rows of it, is not zero: error <= 2^-100."""
        assert self.program.cases
        cases, out, total = self.program.cases, list[Sources](), Fraction(1)
        given = cases.tables if cases.on_data else [gate.name for gate in cases.gates]
        found = self.program.node_bounds(cases.bits(given))
        degree, constants, bits = (max(found[gate.node][k] for gate in cases.gates) for k in range(3))
        clearing = constants * common({self.program.own_denominator, *cases.denominators(given)}).bit_length()
        bits = count * (bits + 2 + clearing + count.bit_length())
        while total > Fraction(1, 2**ERROR_BITS):
            p = self.random_prime()
            out.append(Sources(self.program, p, self.draw(self.program.theta.starts[-1], p), self.allowance))
            total *= self.chance(count * degree, bits)
        return out

    def case(self, j: int, p: int, instead: dict[str, Part] | None = None) -> dict[str, Part]:
        """A case modulo p, at its input on data, else at a random one or another."""
        cases = self.program.cases
        assert cases
        if cases.on_data:
            return cases.at(j, cases.tables, p)
        sizes = {name: prod(self.seed.shapes[name]) for name in cases.inputs}
        drawn = instead or {name: self.draw(size, p) for name, size in sizes.items()}
        return cases.at(j, (gate.name for gate in cases.gates), p) | drawn

    def check_others(self, branches: Branches, others: Any) -> None:
        """Each branch that is not listed is empty, near the start too, by the multipliers of the document."""
        self.check_affine(branches.cases)
        points = [(at, self.case) for at in self.random_points(len(branches.places) + 2)]
        given, count = iter(typed(others, list, "cases.others")), 0
        for count, (j, margins) in enumerate(branches.all(), start=1):
            item = typed(next(given, None), list, f"branch {count}")
            y, used = integers(item[1::2], "multipliers", 1 << MAX_BITS), integers(item[::2], "margins")
            form(len(y) == len(used) == len(set(used)), f"branch {count} must list margins and multipliers")
            form(all(0 <= n < len(margins) for n in used), f"branch {count}: a margin is none of it")
            fine = branches.excluded(j, [margins[n] for n in used], y, points)
            truth(fine, f"branch {count} is not shown to be empty near the start")
        truth(next(given, None) is None, "more branches are listed than there are")
        self.sentences.append(f"no other gates are met near the start: {count} branches are empty")
        self.sentences[-1] += f", error <= 2^-{ERROR_BITS}" * branches.tested

    def check_affine(self, cases: Cases) -> None:
        degrees = self.program.degrees(cases.inputs)
        truth(all(degrees[gate.node] <= 1 for gate in cases.gates), "what enters a gate is not affine in the input")

    def check_spanned(self, cases: Cases) -> None:
        """The monomials in the gates are independent at the cases: free gates span what these do."""
        truth(not self.program.functions, "with functions the output is no polynomial in the gates")
        sets = Allowance(self.allowance.left // SETS)
        theta: Any = dict.fromkeys(range(self.program.theta.starts[-1]), Support([()]))
        monomials, p = Supports(self.program, 1, theta, sets).monomials(cases), self.random_prime()
        truth(len(monomials) <= cases.count, f"{cases.count} cases do not span {len(monomials)} monomials")
        self.allowance.spend(10 * cases.count * sum(map(len, monomials)))
        try:
            check_full_rank(core(cases.at_monomials(monomials, p), self.allowance), p, self.rank)
        except Untrue as error:
            raise type(error)(f"the monomials in the gates: {error}") from None
        self.sentences.append(f"the {len(monomials)} monomials in gates are independent there: these span free gates")

    def check_laws(self) -> None:
        if isinstance(self.program, Listed):
            self.check_identities(self.program)
            return
        for family in self.families:
            if isinstance(family, Gram):
                family.check(self.allowance)
                kind = f"{'squared norms' if family.diagonal else 'Gram matrices'} of {family.named}"
                self.sentences.append(
                    f"{counted(family.count, 'law')} of {kind}{self.functions}: identities, by the rule of shapes"
                )
        listed = [family for family in self.families if isinstance(family, Polynomials) and family.laws]
        tested = self.check_by_chain_rule(listed)
        if not tested:
            return
        (degree, bits), (more, longer) = self.program.bounds(), self.phase.bounds() if self.phase else (0, 0)
        degree += more + max(family.degree for family in tested)
        bits += longer + sum(family.norm_bits() for family in tested)
        error, points, total = self.chance(degree, bits), 0, Fraction(1)
        while total > Fraction(1, 2**ERROR_BITS):
            truth(error < Fraction(1, 2**16), "the degrees are too large for a test of the laws")
            self.check_at_random_point(tested)
            points, total = points + 1, total * error
        count, self.lower = sum(len(family.laws) for family in tested), f"error <= 2^-{ERROR_BITS}"
        self.sentences.append(
            f"{count} polynomials are laws{self.functions}: tested at {points} random points, error <= 2^-{ERROR_BITS}"
        )

    def check_identities(self, listed: Listed) -> None:
        """Each law, multiplied out."""
        laws = [law for family in self.families for law in family.laws]
        for n, law in enumerate(laws):
            listed.check_law(law, n, self.allowance)
        count = len(listed.fields)
        said = f"{counted(len(laws), 'polynomial')} {'is' if len(laws) == 1 else 'are'} conserved"
        self.sentences.append(f"{said} by {f'all {count} fields' if count != 1 else 'the field'}: exact identities")

    def check_by_chain_rule(self, families: list[Polynomials]) -> list[Polynomials]:
        """What is not seen to be a law by differentiating the program along the field that belongs to it."""
        if not families:
            return []
        whole_effort, count = self.allowance.left // SHARE, 0
        effort = Allowance(whole_effort)
        try:
            moves = Moves(self.program, self.phase.first if self.phase else 0, self.D, effort)
        except TooMuch:
            self.allowance.spend(whole_effort)
            return families
        cases, left = self.cases_by_atoms(moves), list[Polynomials]()
        for family in families:
            rest = [law for law in family.laws if not self.shown(law, moves, cases, effort)]
            count += len(family.laws) - len(rest)
            left += [family.only(rest)] * bool(rest)
        self.allowance.spend(whole_effort - max(0, effort.left))
        if count:
            self.sentences.append(f"{counted(count, 'law')}{self.functions}: identities, by the chain rule")
        return left

    def shown(self, law: Poly, moves: Moves, cases: list[dict[int, Any]], effort: Allowance) -> bool:
        """Whether the drift keeps a law, and the output stays when parameters move as its gradient says."""
        moves.allowance = share = Allowance(effort.left // SHARE)
        before = share.left
        try:
            gradient = derivatives(form_of(law))
            return not self.along_drift(gradient, moves) and moves.still(self.kicks(gradient, moves), cases)
        except TooMuch:
            return False
        finally:
            effort.left -= before - max(0, share.left)

    def along_drift(self, gradient: dict[int, Form], moves: Moves) -> Form:
        """<gradient, drift>."""
        out = Form()
        for x, poly in ((self.phase and self.phase.drift) or {}).items():
            for atoms, c in form_of(poly).items() if x in gradient else ():
                moves.add(out, gradient[x], (c, atoms))
        return out

    def kicks(self, gradient: dict[int, Form], moves: Moves) -> dict[int, Form]:
        """The metric times the part of a gradient that the gradients of outputs meet, as velocities of parameters."""
        phase = self.phase
        if not phase:
            return gradient
        out = dict[int, Form]()
        for j in range(phase.count):
            metric = {(): 1} if phase.metric is None else form_of(phase.metric.get(j, {}))
            for atoms, c in metric.items() if phase.offset + j in gradient else ():
                moves.add(out.setdefault(phase.first + j, {}), gradient[phase.offset + j], (c, atoms))
        return out

    def cases_by_atoms(self, moves: Moves) -> list[dict[int, Any]]:
        """What cases give, as numbers for atoms."""
        cases, held = self.program.cases, self.program.held
        if not (cases and held):
            return []
        return [
            {moves.probes[name] + i: c for name in held if name in moves.probes
             for i, c in enumerate(cases.tables[name][j])}
            for j in range(cases.count)
        ]  # fmt: skip

    @staticmethod
    def chance(degree: int, bits: int, size: int = LAW_BITS) -> Fraction:
        """That a polynomial that is not zero is, at a random point modulo a random prime of this size, at most."""
        low = 1 << (size - 1)  # more than low / (2 * size) primes lie in [low, 2 low)
        return 2 * (Fraction(degree, low) + Fraction(bits // (size - 1) + 1, low // (2 * size)))  # 2: no pole

    def random_prime(self, size: int = LAW_BITS) -> int:
        """One that divides no denominator."""
        while True:
            p = self.random.randrange(1 << (size - 1), 1 << size)
            if is_prime(p) and self.program.denominator % p:
                return p

    @property
    def functions(self) -> str:
        return ", functions opaque" if self.program.functions else ""

    def check_at_random_point(self, families: list[Polynomials]) -> None:
        """A random combination of the laws is conserved by a random field at a random point mod a random prime."""
        p, theta, field = self.random_field()
        total = 0
        for family in families:
            for gradient in family.gradients(theta, p, self.allowance):
                moved = sum(x * field.get(j, 0) for j, x in gradient.items())
                total += self.random.randrange(p) * moved
        truth(total % p == 0, "one of the polynomials is no law: a field moves it")

    def random_field(self) -> tuple[int, Part, Part]:
        """A random prime, a random point, and the value there of a random field."""
        while True:
            p = self.random_prime()
            theta, seed = self.draw(self.D, p), self.seed.split(self.draw(self.seed.starts[-1], p))
            self.allowance.spend(5000)
            try:
                return p, theta, self.at(p, theta).field(seed, {}).get(0, {})
            except Pole:  # as likely as that a law is missed: at another point
                continue

    def at(self, modulus: int, theta: Part, functions: Functions | None = None) -> Point:
        """A point."""
        if isinstance(self.program, Listed):
            return ListedPoint(self.program, modulus, theta, self.allowance)
        place = (self.program, modulus, theta, self.allowance, functions)
        return PhasePoint(self.phase, *place) if self.phase else Point(*place)

    def draw(self, count: int, p: int) -> Part:
        return {i: self.random.randrange(p) for i in range(count)}

    def place(self, data: dict[str, Any], what: str) -> tuple[int, Part]:
        """The prime and the integer point of a rank."""
        text = data["prime"]
        form(
            type(text) is str and re.fullmatch("[0-9]{1,20}", text, re.ASCII),
            f"{what}.prime must be a number in a string",
        )
        p = int(text)
        truth(p < MAX_PRIME and is_prime(p), f"{what}.prime = {p} is not a prime below 2^64")
        return p, sparse(data["point"], self.D, f"{what}.point")

    def check_independence(self) -> int:
        data = typed(self.doc["independence"], dict, "independence", ["prime", "point", "laws", "rank"])
        p, point = self.place(data, "independence")
        entries = sum(family.entries_at(point) for family in self.families)
        truth(entries <= MAX_STORED, f"the gradients of the laws have over {MAX_STORED} entries at this point")
        gradients = [g for family in self.families for g in family.gradients(point, p, self.allowance)]
        chosen: list[Part] = []
        for pair in typed(data["laws"], list, "independence.laws"):
            first, last = integers(pair, "a range of laws") if type(pair) is list and len(pair) == 2 else (1, 0)
            truth(0 <= first <= last < len(gradients), f"a range of laws must be [first, last] below {len(gradients)}")
            chosen += gradients[first : last + 1]
            truth(len(chosen) <= len(gradients), "more laws are listed than there are")
        self.check_independent(chosen, p, "the gradients of the laws")
        truth(type(data["rank"]) is int and data["rank"] == len(chosen), f"the laws' gradients have rank {len(chosen)}")
        self.sentences.append(
            f"{len(chosen)} of them are independent: gradients of rank {len(chosen)} mod {p} at a point"
        )
        return len(chosen)

    def check_independent(self, rows: list[Part], p: int, what: str) -> None:
        try:
            truth(len(rows) <= self.D, "there are more than the dimension")
            check_full_rank(core(rows, self.allowance), p, self.rank)
        except Untrue as error:
            raise type(error)(f"{what}: {error}") from None

    def members(self) -> tuple[list[Part], int]:
        """The values of the fields and brackets at the point, and the prime."""
        data = typed(self.doc["lie"], dict, "lie")
        optional = ["solutions"] if "solutions" in data else []
        optional += ["fields", "bases", "key"] if self.program.functions else []
        optional += ["angles"] if set(ANGLES) & set(self.program.functions) else []
        typed(data, dict, "lie", ["prime", "point", "seeds", "members", "ranks", *optional])
        p, theta = self.place(data, "lie")
        functions = self.homomorphism(p) if self.program.functions and data["members"] else None
        modulus = functions.m if functions else p
        layout, depth = self.seed, self.program.depth
        written = [sparse(s, layout.starts[-1], "a seed") for s in typed(data["seeds"], list, "lie.seeds")]
        seeds = [layout.split(reduced(seed, modulus)) for seed in written]
        self.choices = {self.program.choice(seed, modulus): None for seed in seeds}
        members = [integers(m, "a member", len(seeds)) for m in typed(data["members"], list, "lie.members")]
        form(all(m and min(m) >= 0 for m in members), "a member must be a list of numbers of seeds")
        self.closure = Closure(self, written, members)
        ranks = integers(data["ranks"], "lie.ranks")
        form(0 < len(ranks) <= depth, f"lie.ranks must list from 1 to {depth} ranks")
        counts = [sum(len(m) <= depth + 1 for m in members) for depth in range(len(ranks))]
        truth(ranks == counts and counts[-1] == len(members), f"the ranks of independent members are {counts}")
        truth(len(members) <= self.D, "there are more fields and brackets than the dimension")
        rows, stored = list[Part](), Allowance(MAX_STORED)
        try:
            if members:
                at = self.at(modulus, theta, functions)
            for member in members:
                rows.append(reduced(at.bracket([seeds[s] for s in member], {}).get(0, {}), p))
                stored.spend(len(rows[-1]))
            self.defined = self.defined or bool(members and not at.matters)
        except Pole as error:
            raise Untrue(f"the fields and brackets are not defined there: {error}") from None
        return rows, p

    def homomorphism(self, p: int) -> Homomorphism:
        fields, bases, key = (self.doc["lie"][name] for name in ("fields", "bases", "key"))
        fields, bases = integers(fields, "lie.fields"), integers(bases, "lie.bases")
        given = typed(self.doc["lie"].get("angles", []), list, "lie.angles")
        angles = [integers(angle, "an angle") for angle in given]
        form(all(len(angle) == 4 for angle in angles), "an angle must be [field, order, a, b]")
        (number,) = integers([key], "lie.key")
        return Homomorphism([p, *fields], bases, number, angles)

    def check_members(self) -> int:
        rows, p = self.members()
        how = self.check_rank(rows, p, self.doc["lie"])
        if not self.defined:
            chosen = self.homomorphism(p) if rows else drawn(self.random)
            Roots(self.program, chosen, self.allowance).check_defined(self.choices)
        if self.program.functions and rows:
            assumed, under = self.program.assumed, self.program.beneath(EXPONENTIAL) & set(LOGARITHMS)
            open_case = self.program.held and ({"rsqrt", "log"} & set(self.program.functions) or under)
            truth(not open_case, "roots and logarithms at cases are not shown to be independent")
            Roots(self.program, self.homomorphism(p), self.allowance).check(self.choices)
            if "log" in self.program.functions:
                Roots(self.program, self.homomorphism(p), self.allowance).check_logarithms(self.choices)
            if under:
                Roots(self.program, drawn(self.random), self.allowance).check_exponents()
            self.upper += f", assuming that {assumed}" * bool(assumed)
            how += f"; {', '.join(self.program.functions)}: by a homomorphism to F_p"
            how += f"; gates are true ones, {len(self.choices)} different" if self.program.gates else ""
        what = "1 field has" if len(rows) == 1 else f"{len(rows)} fields and brackets have"
        self.sentences.append(f"{what} rank {len(rows)} mod {p} at a point: {how}")
        return len(rows)

    def check_rank(self, rows: list[Part], p: int, data: dict[str, Any]) -> str:
        """Full rank, by elimination or by the solutions of the document; in words, which."""
        try:
            left = core(rows, self.allowance)
            if "solutions" in data:
                self.check_solutions(left, p, typed(data["solutions"], list, "lie.solutions"))
            try:
                check_full_rank(left, p, self.rank, hopeful="solutions" not in data)
            except TooMuch:
                if "solutions" not in data:
                    raise
                self.upper = f"error <= 2^-{ERROR_BITS}"
                return f"{self.upper} (challenges derived from the document)"
        except Untrue as error:
            raise type(error)(f"the fields and brackets: {error}") from None
        return "recomputed, a proof"

    def check_solutions(self, rows: list[Part], p: int, solutions: list[Any]) -> None:
        """M y = b for challenges b: were M not of full rank, a random b would be reached with chance <= 1 / p."""
        wanted = challenges(self.doc, len(rows), p)
        truth(len(solutions) == len(wanted), f"{len(wanted)} solutions are needed")
        self.allowance.spend(len(wanted) * sum(map(len, rows)))
        for b, solution in zip(wanted, solutions, strict=True):
            y = sparse(solution, self.D, "a solution")
            solved = all(
                (sum(x * y.get(c, 0) for c, x in row.items()) - n) % p == 0 for row, n in zip(rows, b, strict=True)
            )
            truth(solved, "a solution does not solve its equations")

    def check_claim(self, lower: int, members: int) -> None:
        claim = typed(self.doc["claim"], dict, "claim", ["lower", "lower_evidence", "upper", "upper_evidence"])
        self.check_free()
        upper = self.D - members
        if "closure" in self.doc:
            lower, self.lower_evidence = upper, self.closure.check(self.doc["closure"])
            self.lower = self.lower_evidence
        truth(type(claim["upper"]) is int and claim["upper"] == upper, f"the upper bound is {upper}")
        truth(type(claim["lower"]) is int and claim["lower"] == lower, f"the lower bound is {lower}")
        truth(
            claim["lower_evidence"] == self.lower_evidence,
            f"the evidence of the lower bound is {self.lower_evidence!r}",
        )
        truth(claim["upper_evidence"] == "proved", "the evidence of the upper bound must be proved")
        self.sentences.append(self.grounds(members))
        self.sentences.append(f"at least {lower} independent laws ({self.lower}), at most {upper} ({self.upper})")
        if isinstance(self.program, Listed) and (count := len(self.program.parameters)):
            self.sentences[-1] += (
                f"; {count} of them say that the parameters {', '.join(self.program.parameters)} stand"
            )
            self.sentences[-1] += f" still: at generic ones at least {max(0, lower - count)}, at most {upper - count}"
        self.sentences.append(self.subject)

    def grounds(self, members: int) -> str:
        """The theorems that it rests on."""
        named = [words for names, words in THEOREMS if members and {*names} & {*self.program.functions}]
        return "; ".join([f"it rests on this: {GROUNDS}", *named])

    def check_free(self) -> None:
        """Where other gates are not excluded: laws are laws near the start if they are with free gates."""
        if self.lower_evidence != LISTED:
            return
        free = Checker({key: value for key, value in self.doc.items() if key != "cases"}, self.rank)
        free.allowance = self.allowance
        try:
            free.check_laws()
        except TooMuch:
            raise
        except Untrue:
            self.lower += f", {LISTED}: that no others are met near the start is not checked here"
            return
        self.lower_evidence = "proved"
        self.sentences.append("the laws hold with free gates: whichever gates are met near the start")

    @property
    def subject(self) -> str:
        """What this is a proof about."""
        model = self.doc["model"].get("description")
        if isinstance(self.program, Listed):
            fields = f"a proof about {counted(len(self.program.fields), 'field')} listed"
            return f"{fields}; whether they are those of {model!a:.200} was not checked"
        listed = "program, drift and metric" if self.phase else "program"
        if cases := self.program.cases:
            more = [f"{cases.count} input{'s' * (cases.count != 1)}"] * cases.on_data
            more += ["gates"] * bool(cases.gates) + ["start"] * cases.near
            listed = " and ".join([", ".join([listed, *more[:-1]]), more[-1]])
        return f"a proof about the {listed} listed; whether it is that of {model!a:.200} was not checked"


def verify_bytes(data: bytes, rank: Any = None) -> tuple[int, list[str]]:
    """(exit status, sentences) for the bytes of a certificate; ``rank(rows, p)`` of dense rows may be a faster one."""
    checker = None
    try:
        text = unpacked(data)
        checker = Checker(read(text), rank, min(MAX_WORK, MIN_WORK + WORK_PER_BYTE * len(text)))
        checker.run()
        return 0, checker.sentences
    except NotACertificate as error:
        return 2, [f"not a certificate: {error}"]
    except TooMuch as error:
        return 3, [*(checker.sentences if checker else []), f"undecided: {error}"]
    except Untrue as error:
        return 1, [*(checker.sentences if checker else []), f"FALSE: {error}"]
