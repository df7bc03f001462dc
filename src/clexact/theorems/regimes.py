"""How sorts may share indices, where the point is not zero, and what is proved then: the regimes of one part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations, permutations, product
from typing import Generic, TypeVar

from clexact.theorems import counts
from clexact.theorems.blocks import Atom, Block, Content, Rows, Search
from clexact.theorems.brackets import Brackets
from clexact.theorems.conditions import Condition, Domain, Linear, empty, left_over
from clexact.theorems.counts import Count
from clexact.theorems.network import Alive, Coordinate, Part, indices_of, law_rows, rows, velocity

Pattern = tuple[str, ...]  # a parameter and, for each axis, an atom; with a prime, the same index as others of its name
T = TypeVar("T")
Held = tuple[frozenset[str], frozenset[str]]  # the sorts that have an atom, and those that have it twice
NAMES = "ABDEFGHIJKLMNPQRSTUVWXYZ"
ALL_SHARINGS = 3  # sorts of which all sharings are tried; of more, nested ones
FEW = 4  # parameters of which pairs are tried
LEAST = 2  # indices that an atom may be asked to have at least
DEPTH, DEEPER = (0, 1), (2,)  # of brackets, in turn; and where sizes at the edge are left


@dataclass(frozen=True)
class Sharing:
    """Atoms with their sizes in the letters."""

    atoms: tuple[Atom, ...]
    sizes: Mapping[str, Linear]

    def domain(self, least: Mapping[str, int]) -> Domain:
        """At least so many indices of each atom."""
        found = (Condition.of(self.sizes[a.name], least.get(a.name, 0)) for a in self.atoms if not a.single)
        return tuple(condition for condition in found if not condition.idle)


@dataclass(frozen=True)
class Short:
    """What was not met: at the points tried these brackets leave so many laws of a part possible."""

    brackets: str
    count: Count

    def said(self, written: Callable[[Count], str]) -> str:
        """In words, with the count as the letters that are asked for have it."""
        return f"at the points tried, {self.brackets} leave {written(self.count)} laws possible"


@dataclass(frozen=True)
class LawSide:
    """Independence of the laws: at a point, on all coordinates or those of some patterns."""

    point: tuple[Pattern, ...]
    columns: tuple[Pattern, ...] | None
    search: Search
    blocks: list[Block]
    count: Count


@dataclass(frozen=True)
class Proof:
    """What is proved of a part where its sorts share indices so: blocks of fields and of laws, and the least sizes."""

    part: Part
    sharing: Sharing
    point: tuple[Pattern, ...]
    fields: list[Block]
    order: list[Content]
    laws: LawSide
    count: Count
    least: Mapping[str, int]

    @property
    def domain(self) -> Domain:
        """Where it holds."""
        return self.sharing.domain(self.least)


def proofs(part: Part, domain: Domain, missing: list[Short | str]) -> Iterator[Proof]:
    """Proofs until the domain is covered, or nothing is left to try; ``missing`` collects what was not met."""
    left, edges = [domain], list[Sharing]()

    def new(sharing: Sharing, depths: Sequence[int], missing: list[Short | str]) -> Iterator[Proof]:
        nonlocal left
        if any(not empty((*piece, *sharing.domain({}))) for piece in left):
            found = _prove(part, sharing, depths, missing)
            edges.extend([sharing] if found else [])
            for proof in found:
                if any(not empty((*piece, *proof.domain)) for piece in left):
                    yield proof
                    left = [rest for piece in left for rest in left_over(piece, [proof.domain])]

    for sharing in sharings(part):
        yield from new(sharing, _depths(part, sharing, DEPTH), missing)
        if not left:
            return
    for sharing in list(edges):
        yield from new(sharing, _depths(part, sharing, DEEPER), [])


def _depths(part: Part, sharing: Sharing, depths: Sequence[int]) -> Sequence[int]:
    """Of a momentum flow, as ``Brackets.of_momentum`` has it: products of products where indices have twins."""
    if not part.momentum:
        return depths
    return (3, 4) if any(atom.twins for atom in sharing.atoms) else (3,)


def sharings(part: Part) -> Iterator[Sharing]:
    """Ways of sharing indices, those that fit most networks first."""
    sorts = list(part.sorts)
    twins = list[Sequence[Held]]()
    if _seeded(part):
        yield _star(part)
        return
    if len(sorts) <= ALL_SHARINGS:
        subsets = [frozenset(s) for size in range(len(sorts), 0, -1) for s in combinations(sorts, size)]
        families: Iterable[Sequence[frozenset[str]]] = [
            family for size in range(1, len(sorts) + 1) for family in combinations(subsets, size)
        ]
        families = sorted(families, key=lambda family: sum(map(len, family)) - len(family))
        twins = _twice(sorts) if part.momentum else []
    else:
        whole, alone = frozenset(sorts), [frozenset([sort]) for sort in sorts]
        centred = [[whole, *(one for one in alone if one != least)] for least in alone]
        families = [[whole], *centred, *(_nested(order) for order in permutations(sorts))]
    seen, seeded = set(), {sort for axes in part.seeds.values() for sort in axes}
    held = [*([(atom, frozenset[str]()) for atom in family] for family in families), *twins]
    if part.momentum:  # last those with indices that no seed has, which nothing moves: of these twins first
        idle = [any(not atom & seeded for atom, _ in own) for own in held]
        plain = [not any(double for _, double in own) for own in held]
        held = [
            own for *_, own in sorted(zip(idle, plain, held, strict=True), key=lambda row: (row[0], row[0] and row[1]))
        ]
    for own in held:
        key = frozenset(own)
        sharing = None if key in seen else _solved(part, own)
        seen.add(key)
        if sharing is not None:
            yield sharing


def _twice(sorts: Sequence[str]) -> list[Sequence[Held]]:
    """One sort has all indices of all others, of some of them twice: as many as there are positions and velocities."""
    found: list[Sequence[Held]] = []
    for sort in sorts:
        pairs = [frozenset([sort, other]) for other in sorts if other != sort]
        held = [(pair, twins) for pair in pairs for twins in (frozenset([sort]), frozenset[str]())]
        held.append((frozenset([sort]), frozenset()))
        found += [own for own in combinations(held, len(sorts)) if any(twins for _, twins in own)]
    return found


def _nested(order: Sequence[str]) -> list[frozenset[str]]:
    """Each sort has all indices of those before it."""
    return [frozenset(order[k:]) for k in range(len(order))]


def _seeded(part: Part) -> bool:
    """Whether each index of each product is one of a seed: then everything is local at any point."""
    return all(
        {v for _, own in term.factors for v in own}
        == {v for leaf, own in term.factors if leaf in part.seeds for v in own}
        for term in part.products
    )


def _star(part: Part) -> Sharing:
    """Of each sort, one index and the others."""
    names = iter(NAMES)
    atoms, sizes = list[Atom](), dict[str, Linear]()
    for sort, letter in part.sorts.items():
        first, others = next(names), next(names)
        atoms += [Atom(first, frozenset([sort]), True), Atom(others, frozenset([sort]))]
        sizes |= {first: Linear.of({"": 1}), others: Linear.of({letter: 1, "": -1})}
    return Sharing(tuple(atoms), sizes)


def _solved(part: Part, family: Sequence[Held]) -> Sharing | None:
    """With sizes, if the letters determine them as integers."""
    table = [
        [*(Fraction((sort in atom) + (sort in twins)) for atom, twins in family), Linear.of({letter: 1})]
        for sort, letter in part.sorts.items()
    ]
    rows = [
        ([x for x in row[:-1] if isinstance(x, Fraction)], {name: Fraction(c) for name, c in _terms(row[-1])})
        for row in table
    ]
    top = 0
    for column in range(len(family)):
        pivot = next((r for r in range(top, len(rows)) if rows[r][0][column]), None)
        if pivot is None:
            return None
        rows[top], rows[pivot] = rows[pivot], rows[top]
        rows[top] = _combined(rows[top], 1 / rows[top][0][column], rows[top], Fraction(0))
        for r in range(len(rows)):
            if r != top and rows[r][0][column]:
                rows[r] = _combined(rows[r], Fraction(1), rows[top], -rows[r][0][column])
        top += 1
    if any(form for _, form in rows[top:]) or any(c.denominator > 1 for _, form in rows for c in form.values()):
        return None
    sizes = [Linear.of({name: int(c) for name, c in form.items()}) for _, form in rows[:top]]
    if any(not size.terms for size in sizes):
        return None
    atoms = tuple(Atom(name, sorts, False, twins) for name, (sorts, twins) in zip(NAMES, family, strict=False))
    return Sharing(atoms, {atom.name: size for atom, size in zip(atoms, sizes, strict=True)})


Row = tuple[list[Fraction], dict[str, Fraction]]


def _terms(form: object) -> Iterable[tuple[str, int]]:
    return form.terms if isinstance(form, Linear) else ()


def _combined(a: Row, x: Fraction, b: Row, y: Fraction) -> Row:
    """x a + y b."""
    form = {
        name: x * a[1].get(name, Fraction(0)) + y * b[1].get(name, Fraction(0)) for name in a[1].keys() | b[1].keys()
    }
    return [x * c + y * d for c, d in zip(a[0], b[0], strict=True)], {name: c for name, c in form.items() if c}


# -- points -----------------------------------------------------------------------------------------------------------


def points(part: Part, sharing: Sharing) -> list[tuple[Pattern, ...]]:
    """Where it may be other than zero; velocities, if there are, nowhere or where the positions are."""
    found = _positions(part, sharing)
    if part.momentum:
        moving = [(*point, *(velocity(pattern) for pattern in point)) for point in found]
        found = [point for both in zip(found, moving, strict=True) for point in both]
    return found


def _positions(part: Part, sharing: Sharing) -> list[tuple[Pattern, ...]]:
    """Equal indices, or what has the first index of a sort."""
    if any(atom.single for atom in sharing.atoms):
        return [_star_point(part, sharing, flat, which) for which in (None, -1, 0) for flat in (False, True)]
    large = [name for name, axes in part.parameters.items() if len(axes) >= 2]
    found = dict[tuple[Pattern, ...], None]()
    pairs = combinations(large, 2) if 2 < len(large) <= FEW else ()
    chosen = [large, *([name] for name in large), *map(list, pairs)]
    for some in chosen:
        for flat in (False, True):
            found[_diagonal(part, sharing, some, flat)] = None
    return list(found)


def _diagonal(part: Part, sharing: Sharing, some: Sequence[str], flat: bool) -> tuple[Pattern, ...]:
    found: list[Pattern] = []
    for name, axes in part.parameters.items():
        if len(axes) >= 2 and name in some:
            for atom in sharing.atoms:
                places = [[atom.name, *[f"{atom.name}*"] * (sort in atom.twins)] for sort in axes]
                found += [(name, *chosen) for chosen in product(*places) if set(axes) <= atom.sorts]
        elif len(axes) == 1 and flat:
            found += [(name, atom.name) for atom in sharing.atoms if axes[0] in atom.sorts]
        elif not axes:
            found.append((name,))
    return tuple(found)


def _star_point(part: Part, sharing: Sharing, flat: bool, which: int | None) -> tuple[Pattern, ...]:
    """At most one axis has other indices than the first: any, or one that is given; ``flat``: also of vectors."""
    found: dict[Pattern, None] = {}
    for name, axes in part.parameters.items():
        at = [[atom for atom in sharing.atoms if sort in atom.sorts] for sort in axes]
        for chosen in product(*at):
            loose = [k for k, atom in enumerate(chosen) if not atom.single]
            most = 1 if len(axes) > 1 or flat else 0
            if len(loose) <= most and (which is None or not loose or loose == [which % len(axes)]):
                found[name, *(atom.name for atom in chosen)] = None
    return tuple(found)


def alive(point: Sequence[Pattern], c: Coordinate) -> bool:
    """Whether the point is not zero there: axes of one atom have equal indices."""
    names = tuple(name + "*" * (number < 0) for name, number in c[1:])
    return (c[0], *names) in point and all(
        abs(i[1]) == abs(j[1]) for k, i in enumerate(c[1:]) for j in c[1 : k + 1] if i[0] == j[0]
    )  # fmt: skip


def alive_at(point: Sequence[Pattern]) -> Alive:
    """The same as a function, which remembers."""
    return cache(lambda c: alive(point, c))


# -- proofs -----------------------------------------------------------------------------------------------------------


def _prove(part: Part, sharing: Sharing, depths: Sequence[int], missing: list[Short | str]) -> list[Proof]:
    """With the least sizes that it needs; nothing if no point gives as much rank as is wanted."""
    dimension = counts.added(
        counts.multiplied({(part.sorts[s],): Fraction(1)} for s in axes) for axes in part.moving.values()
    )
    best: Count | None = None
    part.made.clear()
    law_sides = _Lazy(_law_sides(part, sharing))
    for depth in depths:
        for point in points(part, sharing):
            if not local(part, sharing, point, False):
                continue
            fields = Search(part, sharing.atoms, _rows(part, alive_at(point), depth))
            blocks = fields.blocks()
            count = counts.added([dimension, counts.scaled(total(blocks, sharing), -1)])
            for laws in law_sides:
                if laws.count == count:
                    return _with_least(Proof(part, sharing, point, blocks, fields.placed, laws, count, {}))
            best = count
    if best is not None:
        missing.append(Short(_tried(part), best))
    return []


def _rows(part: Part, at: Alive, depth: int) -> Rows:
    """Fields and brackets at a point, of given indices."""
    if part.momentum or depth > 1:
        return lambda universe: Brackets(part, universe, at).rows(depth)
    return lambda universe: rows(part, universe, at, depth)


def _tried(part: Part) -> str:
    """Which brackets were looked at."""
    return "brackets of momentum" if part.momentum else f"brackets of depth {DEPTH[-1]}"


class _Lazy(Generic[T]):
    """What an iterator gives, made when it is asked for, and kept."""

    def __init__(self, source: Iterator[T]) -> None:
        self.source, self.made = source, list[T]()

    def __iter__(self) -> Iterator[T]:
        yield from self.made
        for one in self.source:
            self.made.append(one)
            yield one


def _law_sides(part: Part, sharing: Sharing) -> Iterator[LawSide]:
    """Points for the gradients of the laws, and what is proved there: of all coordinates, or of those alive alone."""
    tried = set[object]()
    for point in [*points(part, sharing), _assembled(part, sharing)]:
        at = alive_at(point)
        for columns in (None, point):
            if (point, columns) not in tried and local(part, sharing, point, True, columns):
                seen = _everywhere if columns is None else at
                search = Search(part, sharing.atoms, lambda u, a=at, s=seen: law_rows(part, u, a, s))  # type: ignore[misc]
                blocks = search.blocks()
                yield LawSide(point, columns, search, blocks, total(blocks, sharing))
            tried.add((point, columns))


def _everywhere(c: Coordinate) -> bool:
    return True


def _assembled(part: Part, sharing: Sharing) -> tuple[Pattern, ...]:
    """For each parameter by itself, the most that keeps laws local."""
    if not any(atom.single for atom in sharing.atoms):
        return ()
    options = [_star_point(part, sharing, flat, which) for which in (None, -1, 0) for flat in (True, False)]
    options.append(tuple(p for p in options[0] if all(_single(sharing, atom) for atom in p[1:])))
    found: list[Pattern] = []
    for name in part.parameters:
        for option in options:
            own = tuple(p for p in option if p[0] == name)
            if local(part, sharing, own, True, own):
                found += own
                break
    return tuple(found)


def _single(sharing: Sharing, name: str) -> bool:
    return any(atom.name == name and atom.single for atom in sharing.atoms)


def total(blocks: Sequence[Block], sharing: Sharing) -> Count:
    """The rank that blocks prove."""
    return counts.added(
        counts.scaled(counts.multiplied(counts.binomial(sharing.sizes[a], k) for a, k in block.content), block.rank)
        for block in blocks
    )


def local(
    part: Part, sharing: Sharing, point: Sequence[Pattern], laws: bool, columns: Sequence[Pattern] | None = None
) -> bool:
    """Whether values at the point stay with the indices of their seeds: the verifier says why this decides it."""
    atoms = {atom.name: atom for atom in sharing.atoms}
    terms = (
        [(t, set(range(len(law.free)))) for law in part.laws for t in law.products]
        if laws
        else [(t, set[int]()) for t in part.products]
    )
    for term, held in terms:
        sorts = part.sorts_of(term)
        held = held | {v for leaf, own in term.factors if leaf in part.seeds for v in own}
        choices = [
            [
                (name, k)
                for name, atom in atoms.items()
                if sort in atom.sorts
                for number in ((1,) if v in held or atom.single else (1, 2))
                for k in ((number, -number) if sort in atom.twins else (number,))
            ]
            for v, sort in sorts.items()
        ]
        for chosen in product(*choices):
            at = dict(zip(sorts, chosen, strict=True))
            met = [(leaf, *(at[v] for v in own)) for leaf, own in term.factors]
            outer = [c for c in met if any(number == 2 for _, number in indices_of(c))]
            dead = [c for c in outer if not alive(point, c)]
            if outer and len(dead) < 2 and (columns is None or any(alive(columns, c) for c in dead or met)):
                return False
    return True


def _with_least(proof: Proof) -> list[Proof]:
    """The proof for each least choice of sizes at which all indices that it needs exist."""
    atoms = [atom.name for atom in proof.sharing.atoms if not atom.single]
    needs = [
        (dict(block.content), [_sum(dict(block.content), way.auxiliary) for way in block.ways])
        for block in (*proof.fields, *proof.laws.blocks)
    ]
    most = {a: max([LEAST, *(way.get(a, 0) for _, ways in needs for way in ways)]) for a in atoms}
    good = {
        sizes
        for sizes in product(*(range(most[a] + 1) for a in atoms))
        if all(_fits(dict(zip(atoms, sizes, strict=True)), content, ways) for content, ways in needs)
    }
    found: list[tuple[int, ...]] = []
    for least in sorted(product(range(LEAST + 1), repeat=len(atoms)), key=sum):
        above = product(*(range(k, most[a] + 1) for k, a in zip(least, atoms, strict=True)))
        if not any(all(x <= y for x, y in zip(f, least, strict=True)) for f in found) and all(v in good for v in above):
            found.append(least)
    fields = {name: getattr(proof, name) for name in proof.__dataclass_fields__}
    return [Proof(**{**fields, "least": dict(zip(atoms, least, strict=True))}) for least in found]


def _fits(have: Mapping[str, int], content: Mapping[str, int], ways: Sequence[Mapping[str, int]]) -> bool:
    return any(have.get(a, 1) < k for a, k in content.items()) or any(
        all(have.get(a, 1) >= k for a, k in way.items()) for way in ways
    )


def _sum(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {name: a.get(name, 0) + b.get(name, 0) for name in a.keys() | b.keys()}
