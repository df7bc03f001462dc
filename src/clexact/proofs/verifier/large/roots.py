"""That signs of roots are free, logarithms independent, and exponents no logarithms."""

from __future__ import annotations

import random
from fractions import Fraction
from functools import partial
from itertools import product
from math import isqrt, prod
from typing import TYPE_CHECKING, Any

from clexact.proofs.verifier.large.homomorphism import Homomorphism, Pole
from clexact.proofs.verifier.large.limits import (
    EXPONENTIAL,
    LAW_BITS,
    LOGARITHMS,
    MAX_BITS,
    SHARE,
    SPARE,
    TRANSCENDENTAL,
    VALUE_STEPS,
    Part,
)
from clexact.proofs.verifier.large.node import reduced, strides
from clexact.proofs.verifier.large.outcome import Allowance, TooMuch, Untrue, truth
from clexact.proofs.verifier.large.point import Marks, Point
from clexact.proofs.verifier.large.primes import is_prime, odd_primes, symbol
from clexact.proofs.verifier.large.ranks import eliminated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from clexact.proofs.verifier.large.limits import Jet, Pair
    from clexact.proofs.verifier.large.node import Node
    from clexact.proofs.verifier.large.program import Layout, Program

MOVES = ("transpose", "reshape", "take")
ALIKE = 3  # points at which logarithms are compared
MOTIONS = 5  # of logarithms: numbers by which they move make up for each other with odds 1/p
KNOWN = 64  # probes that are tried at other choices of gates
WALK, MAX_STRIDE = 4, 64  # steps for each sample that is needed; slices that are changed in one
ATTEMPTS = 100  # to find where functions without roots have values: nearly everywhere
TRIALS, IDLE = 16, 30  # of probes at one theta, at least; after so many that change nothing more is changed


class Symbols(Homomorphism):
    """The same; Legendre symbols in a field are noted for each node of roots, up to one of which a root fails."""

    def __init__(self, hom: Homomorphism) -> None:
        super().__init__(hom.chain, hom.bases, hom.key, hom.angles)
        self.noted, self.asked = list[list[bool]](), self.fields[:1]  # where all must exist; symbols: of the first

    def value(self, name: str, u: int) -> int:
        if name not in ("reciprocal", "log"):
            return super().value(name, u)
        if not all(u % f for f in self.asked):
            raise Pole(f"a {name} of 0")
        return self.logarithm(u) if name == "log" else self.joined(pow(u, f - 2, f) for f in self.fields)

    def values(self, name: str, arguments: list[int]) -> list[int]:
        if name != "rsqrt" or not arguments:
            return super().values(name, arguments)
        if not all(u % self.asked[0] for u in arguments):
            raise Pole("a root of 0")
        self.noted.append([symbol(u, self.asked[0]) == 1 for u in arguments])
        if not all(symbol(u, f) == 1 for f in self.asked for u in arguments):
            raise Pole("a root of what is no square")
        return [self.root(u) for u in arguments]


class Moving(Point):
    """A point at which logarithms move by numbers of their own, and nothing else by itself."""

    def __init__(self, numbers: dict[int, Part], *place: Any) -> None:
        self.numbers = numbers
        super().__init__(*place)

    def value(self, node: Node, inputs: list[Jet], known: Part | None) -> Jet:
        out = super().value(node, inputs, known)
        if node.function not in LOGARITHMS:
            return out
        moved = self.numbers.get(id(node))
        return {0: out.get(0, {})} | ({1: moved} if moved else {})


class Roots:
    """That the signs of the roots of a program are free, so that any choice of them is a homomorphism; and logarithms.

    Adjoin the roots node by node: those of constants, then of functions of theta, then of the probes too. By Kummer
    the signs are free if no product of radicands of a node is a square in the field made before, up to a factor from
    what is shared: theta, or constants. A homomorphism to F_p takes a square to a square; so it is enough that the
    differences of the vectors of Legendre symbols of several inputs at one theta, or of several theta, have full rank
    over F_2. A node of which only some entries depend on probes comes twice.

    Where gates are listed, members are functions with the gates that they have, so this is shown at each choice of
    gates by itself (``check_at``), at which no radicand may depend on gates and theta alone, but as a constant.
    """

    def __init__(self, program: Program, hom: Homomorphism, allowance: Allowance) -> None:
        self.program, self.allowance, self.random = program, allowance, random.SystemRandom()
        self.symbols = Symbols(hom)
        self.place: Callable[..., Point] = Point
        self.stride = 1  # slices that are drawn anew at once
        self.failed = 1  # the field in which arguments were last sought in vain
        self.choice: frozenset[int] | None = None  # open gates, by their places in seeds; None: gates are any numbers
        self.given = dict[str, Part]()  # probes of a case
        self.known = list[Part]()  # probes, found at other choices
        self.epsilons = set[Fraction]()  # radicands that are constants where gates are closed
        found = [n for n, node in enumerate(program.nodes) if node.function == "rsqrt"]
        self.marks = Marks(program, allowance) if {"rsqrt", "log"} & set(program.functions) else None
        self.unmoved = self.marks.unmoved() if self.marks else {}
        every = {n: range(prod(program.nodes[n].shape)) for n in found}
        fixed = {n: self.unmoved.get(program.nodes[n], list(every[n])) for n in found}
        self.stop = max(found, default=-1) + 1
        self.partial = any(self.unmoved[node] for node in self.unmoved if node.function in ("rsqrt", "log"))
        self.constant = [n for n in found if program.static[n] and not program.active[n]]
        self.static = {n: fixed[n] for n in sorted(found, key=lambda n: not program.static[n]) if fixed[n]}
        self.dynamic = {n: sorted({*every[n]} - {*fixed[n]}) for n in found if not program.static[n]}

    def check(self, choices: Iterable[frozenset[int]] = ()) -> None:
        """``Untrue`` unless it is shown, at these choices if gates move them; ``TooMuch`` where roots are rare."""
        self.check_constants()
        if self.stop and self.constant != [*self.static, *self.dynamic]:
            theta = self.check_nodes(self.static, None)
            if any(self.dynamic.values()):  # in small fields not all theta have probes at which all is defined
                at = None if self.symbols.angles else self.point(theta)
                first = next((k for k, n in enumerate(self.dynamic) if self.program.gated[n]), len(self.dynamic))
                self.check_nodes(dict([*self.dynamic.items()][:first]), at or self.anywhere())
                for choice in choices if first < len(self.dynamic) else ():
                    self.choice = choice
                    self.check_at(choice, first, at)
                self.choice = None
        if self.epsilons:
            self.check_constants()

    def check_at(self, choice: frozenset[int], first: int, at: Point | None) -> None:
        """The same of roots from this one on, at a choice of gates."""
        nodes = self.moved(self.dynamic, choice)
        entries = {n: places if k >= first else [] for k, (n, places) in enumerate(nodes.items())}
        if any(entries.values()):
            self.check_nodes(entries, at or self.anywhere())

    def moved(self, nodes: dict[int, list[int]], choice: frozenset[int]) -> dict[int, list[int]]:
        """Of these entries of nodes those that depend on probes at a choice of gates; the others must be constants."""
        assert self.marks
        opened = self.program.seed.split(reduced(self.program.opened(choice, self.marks.p), self.marks.p))
        self.marks.pins = {name: opened.get(name, {}) for name in self.program.gates}
        unmoved, out = self.marks.unmoved(), dict[int, list[int]]()
        for n, places in nodes.items():
            fixed = {*unmoved[self.program.nodes[n]]}
            out[n] = [i for i in places if i not in fixed]
            if len(out[n]) < len(places):
                self.check_epsilons(n, [i for i in places if i in fixed])
        return out

    def check_epsilons(self, n: int, places: list[int]) -> None:
        """Entries of a node that no probe moves at the choice of gates are constants of the program."""
        constants = {c for node in self.program.nodes if node.op == "constant" for c in node.constants.values()}
        try:
            found, p = self.opaque([n])
        except Pole as error:
            raise Untrue(f"node {n}: the arguments of its roots are defined nowhere: {error}") from None
        known = {c.numerator * pow(c.denominator, -1, p) % p: c for c in constants}
        for i in places:
            shown = len(set(found[n, i])) == 1 and found[n, i][0] in known
            truth(shown, f"node {n}: a root of what depends on gates and parameters alone is not shown to be free")
            self.epsilons.add(known[found[n, i][0]])

    def point(self, theta: Part | None = None) -> Any:
        """A theta at which all roots of functions of it exist; sought from this one on."""
        return self.sample(None, len(self.static), theta)[0]

    def check_defined(self, choices: Iterable[frozenset[int]]) -> None:
        """``TooMuch`` unless, at each of these choices at gates and each case, all functions have values somewhere.

        Of a program that is defined nowhere everything is true.
        """
        at: Any = [*choices] if self.program.gates else []
        cases, held = self.program.cases, self.program.held
        given = [cases.at(j, held, self.symbols.m) for j in range(cases.count)] if cases and held else [self.given]
        whole, self.stop = self.allowance, len(self.program.nodes)
        most = whole.left // SHARE
        if "rsqrt" not in self.program.functions:  # all else has values at most arguments, or nowhere
            most = min(most, ATTEMPTS * VALUE_STEPS * (self.stop + self.program.entries) * max(1, len(at)) * len(given))
        self.allowance = Allowance(most)
        try:
            for self.choice, self.given in product(at or [None], given):
                self.anywhere()
        except TooMuch:
            raise TooMuch("the functions of the program are not shown to have values, anywhere") from None
        finally:
            whole.spend(most - max(0, self.allowance.left))
            self.allowance, self.choice, self.given = whole, None, {}

    def check_logarithms(self, choices: Iterable[frozenset[int]] = ()) -> None:
        """``Untrue`` unless the logarithms of a program are independent, so that any values are a homomorphism's.

        At each of these choices, if there are gates. There none may depend on gates and theta alone, but log(1).

        By Ax they are unless a product of integer powers of their arguments, not all of them even, is a constant times
        an exponential, which is a square; a factor of theta alone is shared by members. That is excluded as for roots,
        for all together and the arguments 1 + e^u of softplus. Those that are equal for opaque functions are one.
        """
        self.stop = len(self.program.nodes)
        _, free = self.arguments()
        for choice in choices if self.program.gates else [None]:
            self.choice = choice
            places, moved = self.arguments()
            bound = (free - moved) & {*places}
            truth(not bound, "a logarithm of what depends on gates and parameters alone is not shown to be independent")
            self.check_factors(places, moved)
        self.choice = None

    def check_factors(self, places: list[Pair], moved: set[Pair]) -> None:
        """``Untrue`` unless no product of these arguments is a square up to a factor; those moved by probes first."""
        for static in (False, True):
            chosen, basis, first = [place for place in places if (place in moved) != static], list[int](), -1
            walk = self.walk(None if static or not chosen else self.anywhere())
            for _ in range(self.steps(len(chosen))):
                if len(basis) == len(chosen):
                    break
                next(walk)
                self.allowance.spend(VALUE_STEPS * len(chosen) + len(basis))
                vector = sum(self.is_square(*place) << j for j, place in enumerate(chosen))
                first = vector if first < 0 else first
                extend(basis, vector ^ first)
            free = len(basis) == len(chosen)
            truth(free, "logarithms are not shown to be independent: log(u v) = log(u) + log(v), log(exp(u)) = u")

    def arguments(self) -> tuple[list[Pair], set[Pair]]:
        """(node, entry) of each argument, those equal for opaque functions once; and all that move with probes."""
        nodes = self.program.nodes
        try:
            found, _ = self.opaque([n for n, node in enumerate(nodes) if node.function in LOGARITHMS])
        except Pole as error:
            raise Untrue(f"the arguments of logarithms are defined nowhere: {error}") from None
        first = {(nodes[n].function, *row): (n, i) for (n, i), row in reversed(found.items())}
        first.pop(("log", 1, 1, 1, 1), None)  # log(1) is 0
        return list(first.values()), {place for place, row in found.items() if row[0] != row[1]}

    def opaque(self, nodes: list[int]) -> tuple[dict[Pair, list[int]], int]:
        """For each entry of these its argument where functions are opaque, that of softplus without sign; the prime.

        At two points, for two seeds each.
        """
        program, p = self.program, 1
        while not is_prime(p) or program.denominator % p == 0:
            p = self.random.randrange(1 << (LAW_BITS - 1), 1 << LAW_BITS)
        found: dict[Pair, list[int]] = {(n, i): [] for n in nodes for i in range(prod(program.nodes[n].shape))}
        for _ in range(2):
            theta = {j: self.random.randrange(p) for j in range(program.theta.starts[-1])}
            at = Point(program, p, theta, self.allowance)
            for _ in range(2):
                seed = {j: self.random.randrange(p) for j in range(program.seed.first[""])}
                seed |= {} if self.choice is None else program.opened(self.choice, p)
                self.allowance.spend(10 * program.entries)
                values = at.values(program.seed.split(seed), {})
                for (n, i), row in found.items():
                    u = values[program.nodes[n].inputs[0]].get(0, {}).get(i, 0)
                    row.append(min(u, -u % p) if program.nodes[n].function == "softplus" else u)
        return found, p

    def is_square(self, n: int, i: int) -> bool:
        """Whether the argument of a logarithm is one modulo p, at the arguments found."""
        node, p = self.program.nodes[n], self.symbols.fields[0]
        u = self.found[node.inputs[0]].get(0, {}).get(i, 0)
        return symbol(u if node.function == "log" else 1 + self.symbols.value("exp", u), p) == 1

    def check_exponents(self) -> None:
        """``Untrue`` if a rational combination of exponents may be one of logarithms, and what members share.

        A softplus is a logarithm: exp(softplus(z)) = 1 + exp(z). By Ax logarithms and exponentials are independent
        otherwise. A derivation moves each logarithm by a number, the same one wherever it stands, log(1) by 0, and no
        parameter and no probe: such a combination moves by one number, not 0, at all arguments. So none may; of all
        logarithms, or of those that depend on probes. (Exponents of sines are imaginary.)
        """
        nodes, p = self.program.nodes, self.symbols.fields[0]
        size, self.stop = sum(prod(node.shape) for node in nodes if node.function in EXPONENTIAL), len(nodes)
        kinds = self.same_logarithms()
        for turn in range(2 * MOTIONS):
            drawn = {kind: self.random.randrange(p) for kind in kinds.values()}
            numbers: dict[int, Part] = {}
            for (n, i), kind in kinds.items():
                if not (turn % 2 and self.program.static[n]):
                    numbers.setdefault(id(nodes[n]), {})[i] = drawn[kind]
            self.place, rows = partial(Moving, numbers), list[list[int]]()
            self.allowance.spend((size + SPARE) * size)
            while numbers and len(rows) < size + SPARE:
                self.anywhere()
                rows.append(self.motions())
            shown = not rows or self.rank([[*row, 1] for row in rows]) > self.rank(rows)
            truth(
                shown,
                "exponents are not shown to differ from logarithms: exp(softplus(z)) = 1 + exp(z), exp(log(z)) = z",
            )

    def same_logarithms(self) -> dict[Pair, tuple[Any, ...]]:
        """What each logarithm is of, those of 1 left out: log u and softplus(|u|), by values at some points."""
        nodes, m = self.program.nodes, self.symbols.m
        found: dict[Pair, tuple[Any, ...]] = {
            (n, i): (node.function,)
            for n, node in enumerate(nodes)
            if node.function in LOGARITHMS
            for i in range(prod(node.shape))
        }
        for _ in range(ALIKE):
            self.anywhere()
            self.allowance.spend(len(found))
            for (n, i), kind in found.items():
                u = self.found[nodes[n].inputs[0]].get(0, {}).get(i, 0)
                found[n, i] = (*kind, min(u, -u % m) if kind[0] == "softplus" else u)
        return {place: kind for place, kind in found.items() if kind != ("log", *[1] * ALIKE)}

    def motions(self) -> list[int]:
        """By how much each exponent moves at the arguments found."""
        row = list[int]()
        for node in self.program.nodes:
            if node.function in EXPONENTIAL:
                z = self.found[node.inputs[0]]
                at, by = z.get(0, {}), z.get(1, {})
                twice = node.function == "normal_cdf"  # z^2
                row += [by.get(i, 0) * (at.get(i, 0) if twice else 1) for i in range(prod(node.shape))]
        return row

    def rank(self, rows: list[list[int]]) -> int:
        """Modulo p."""
        p = self.symbols.fields[0]
        return eliminated([reduced(dict(enumerate(row)), p) for row in rows], p, self.allowance)

    def check_nodes(self, nodes: dict[int, list[int]], at: Point | None) -> Part:
        """The roots of these entries of nodes, those before them existing, on a walk through arguments; its end."""
        kept: Part = {}
        for k, (n, places) in enumerate(nodes.items()):
            entries, vectors = [] if n in self.constant else self.different(n, places), list[int]()
            basis, again = list[int](), self.again(at, k)
            for step in range(self.steps(len(entries))):
                if len(basis) == len(entries):
                    break
                kept = next(again, {}) or self.sample(at, k, kept, onward=step > 0)[1]
                if self.choice is not None and len(self.known) < KNOWN:
                    self.known.append(kept)
                noted = self.symbols.noted[k]
                symbols = dict(enumerate(noted) if at else zip(places, noted, strict=True))
                vectors.append(sum(symbols[i] << j for j, i in enumerate(entries)))
                self.allowance.spend(len(entries) + len(basis))
                extend(basis, vectors[-1] ^ vectors[0])
            free = len(basis) == len(entries) or self.different_are_free(n, entries, vectors)
            truth(free, f"node {n}: the signs of its roots are not shown to be free: a product of them may have none")
        return kept

    def again(self, at: Point | None, k: int) -> Iterator[Part]:
        """Of probes found at other choices of gates those at which the roots of k nodes exist at this one, too."""
        choice = self.choice
        if not at or choice is None:
            return
        for probes in [*self.known]:
            self.symbols.asked = self.fields
            numbers = probes | self.program.opened(choice, self.symbols.m)
            self.attempt(at, numbers)
            if len(self.symbols.noted) > k:
                yield numbers

    @property
    def fields(self) -> list[int]:
        """Those in which roots must exist: only exponentials depend on others than the first."""
        transcendental = set(TRANSCENDENTAL) & set(self.program.functions)
        return self.symbols.fields if transcendental else self.symbols.fields[:1]

    def anywhere(self) -> Any:
        """A random theta, with random probes, at which all is defined: not all theta have such."""
        at, theta, probes = None, Part(), Part()
        for trials in patience():
            point, theta = self.sample(None, len(self.static), theta)
            at, probes = self.sample(point, len(self.dynamic), probes, trials=trials)
            if at:
                break
            theta = self.other(theta)
        return at

    def other(self, theta: Part) -> Part:
        """Another one where probes were sought in vain: in that field only, so that what was found in others stays."""
        step = self.symbols.m // self.failed
        return {i: x + step * self.random.randrange(self.failed) for i, x in theta.items()}

    def steps(self, size: int) -> int:
        """Of a walk, for so many symbols: most change something in one field only."""
        return WALK * (size + SPARE) * len(self.symbols.fields)

    def walk(self, at: Point | None) -> Iterator[None]:
        """Probes for a point one after another, or theta with probes, at which all is defined."""
        theta, probes, trials = Part(), Part(), patience()
        while at:
            probes = self.sample(at, len(self.dynamic), probes, onward=bool(probes))[1]
            yield
        found = None
        while True:
            point, theta = self.sample(None, len(self.static), theta, onward=found is not None)
            found, probes = self.sample(point, len(self.dynamic), probes, trials=next(trials))
            if found:
                trials = patience()
                yield
            else:  # in small fields not all theta have probes at which all is defined
                theta = self.other(theta)

    def sample(
        self, at: Point | None, k: int, kept: Part | None = None, onward: bool = False, trials: int = 0
    ) -> tuple[Any, Part]:
        """Note symbols at a theta, or at probes for that of a point, where the roots of k nodes exist.

        Exponentials in a field depend on the next one, so arguments are found in the last field first, then in the one
        before it: slices are drawn anew and kept where no fewer roots exist; in later fields too, where that changes
        nothing. ``onward`` from such arguments, to others. None if so many trials, where they are limited, do not
        suffice for one of the fields.
        """
        point, symbols = None, self.symbols
        layout, places = self.program.seed if at else self.program.theta, list[int]()
        gates = self.program.opened(self.choice, symbols.m) if at and self.choice is not None else {}
        if not kept:
            places = [i for i in range(layout.first.get("", layout.starts[-1])) if i not in gates]
            kept = {i: self.random.randrange(symbols.m) for i in places} | gates
        fields = self.fields
        for n in range(0 if onward else len(fields) - 1, -1, -1):
            symbols.asked, best, r, left = fields[n:], (k + 1, 0) if onward else (0, 0), fields[n], trials
            idle = 0
            while True:
                if onward:
                    places = [i for _ in range(self.stride) for i in self.slice(layout)]
                    r = self.random.choice([fields[0], self.random.choice(fields)])
                trial = kept | {i: kept[i] + symbols.m // r * self.random.randrange(r) for i in places}
                if r != fields[n] and not onward:
                    symbols.asked = fields[n + 1 :]
                    self.attempt(at, trial)
                    stays, symbols.asked = len(symbols.noted) > k, fields[n:]
                    trial = trial if stays else kept
                point = self.attempt(at, trial)
                reached = (len(symbols.noted), sum(symbols.noted[-1]) if symbols.noted else 0)
                idle = idle + 1 if reached == best or r != fields[n] else 0
                if reached >= best:
                    kept, best = trial, reached
                if len(symbols.noted) > k:
                    self.stride = min(2 * self.stride, MAX_STRIDE)
                    break
                left -= 1
                if not left:
                    self.failed = fields[n]
                    return None, kept
                self.stride, places = max(1, self.stride // 2), self.slice(layout)
                r = fields[n] if idle < IDLE else self.random.choice(fields[n:])
        return point, kept

    def slice(self, layout: Layout) -> list[int]:
        """The places of a random slice of a random array, or of all of it."""
        gates = self.program.gates if self.choice is not None else {}
        name = self.random.choice([name for name in layout.names if name and name not in gates])
        sizes, first = layout.shapes[name], layout.first[name]
        axis = self.random.randrange(len(sizes) + 1)
        size, step = (sizes[axis], strides(sizes)[axis]) if axis < len(sizes) else (1, 1)
        chosen = self.random.randrange(max(1, size))
        return [first + i for i in range(prod(sizes)) if i // step % size == chosen]

    def attempt(self, at: Point | None, numbers: Part) -> Point | None:
        """Note symbols up to a node with a root that does not exist; the point, and one note more, if all do."""
        program, symbols, self.symbols.noted = self.program, self.symbols, []
        self.allowance.spend(200 + 40 * self.stop + 30 * len(numbers))
        try:
            if at:
                self.found = at.values(program.seed.split(reduced(numbers, symbols.m)) | self.given, {}, self.stop)
            else:
                at = self.place(program, symbols.m, numbers, self.allowance, symbols)
                at.matters[()] = self.unmoved
                at.values({}, {}, self.stop if self.partial else 0)
                at.matters.clear()
        except Pole:
            return None
        symbols.noted.append([])
        return at

    def different(self, n: int, places: list[int]) -> list[int]:
        """Those entries of a node of roots whose arguments are not the same entry of the same node, moved about."""
        found: dict[Pair, int] = {}
        self.allowance.spend(10 * len(places))
        for i in places:
            k, place = self.program.nodes[n].inputs[0], i
            while (node := self.program.nodes[k]).op in MOVES:
                link, k = node.links[0], node.inputs[0]
                place = link.table[place] if link else place
            found.setdefault((k, place), i)
        return list(found.values())

    def different_are_free(self, n: int, entries: list[int], vectors: list[int]) -> bool:
        """Whether vectors of symbols show it of the entries that differ for opaque functions, in no simple way."""
        try:
            found, _ = self.opaque([n])
        except Pole:
            return False
        first = {tuple(found[n, i]): 1 << j for j, i in enumerate(entries)}
        chosen, basis = sum(first.values()), list[int]()
        for vector in vectors:
            self.allowance.spend(len(basis))
            extend(basis, (vector ^ vectors[0]) & chosen)
        return len(basis) == len(first)

    def check_constants(self) -> None:
        """Radicands are rational; products of them that are squares w^2 need w to be a square, as roots are."""
        basis, found = dict[int, tuple[set[int], Fraction]](), {-1: self.epsilons}
        for n in self.constant:
            node = self.program.nodes[self.program.nodes[n].inputs[0]]
            while node.op in MOVES:
                node = self.program.nodes[node.inputs[0]]
            truth(node.op == "constant", f"node {n}: the root of an expression in constants is not shown to be one")
            found[n] = set(node.constants.values())
        for n, constants in found.items():
            what = f"node {n}" if n >= 0 else "where gates are closed"
            for c in constants - {0}:
                truth(c > 0, f"{what}: a root of a negative number")
                primes, value = odd_primes(c.numerator * c.denominator, self.allowance), c
                while primes and max(primes) in basis:
                    others, factor = basis[max(primes)]
                    primes, value = primes ^ others, value * factor
                    truth(value.numerator.bit_length() < MAX_BITS, "roots of constants that are too long")
                if primes:
                    basis[max(primes)] = (primes, value)
                else:
                    w = isqrt(value.numerator) * isqrt(value.denominator)
                    signs = all(symbol(w, f) == 1 for f in self.symbols.fields)
                    truth(signs, f"{what}: a wrong sign of a rational root")


def patience() -> Iterator[int]:
    """Trials of probes at one theta, at the next, and so on: 1, 1, 2, 1, 1, 2, 4, ... times ``TRIALS`` (Luby, Sinclair
    and Zuckerman 1993), since of some theta no trials are enough, and of others few are not."""
    n = 1
    while True:
        k = n
        while k & (k + 1):  # the sequence repeats its beginning before each new power of 2
            k -= (1 << (k.bit_length() - 1)) - 1
        yield TRIALS * (k + 1) // 2
        n += 1


def extend(basis: list[int], vector: int) -> None:
    """By a vector over F_2, unless it depends on those there."""
    for b in basis:
        vector = min(vector, vector ^ b)
    basis += [vector] if vector else []
