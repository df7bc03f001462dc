"""Laws of symmetry, as the symmetry engine writes them at small sizes, as sums of products over indices.

They are proposals: whoever uses them checks that they are laws.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import permutations, product
from math import lcm, prod

from clexact.algebra.polynomial import Polynomial
from clexact.flows.dynamics import velocity
from clexact.flows.flow import Flow
from clexact.programs.places import Shape
from clexact.theorems.contraction import Product, entry_label
from clexact.theorems.network import IndexLaw

Entry = tuple[str, tuple[int, ...]]  # a leaf, and its indices along axes of symbolic size
Group = list[tuple[list[Entry], Fraction]]
TERM = re.compile(r"([+-]?)\s*(?:(\d+)\s*\*\s*)?([A-Za-z]\w*\[[\w,\s]+\](?:\s*\*\s*[A-Za-z]\w*\[[\w,\s]+\])*)\s*")


def index_laws(flow: Flow, letters: Mapping[int, str], shapes: Mapping[str, Shape]) -> list[IndexLaw]:
    """The families of a flow; ``letters`` by their values there. What is no such sum is left out.

    A power of the clock in front is left out, too; of a momentum flow only what is bilinear in positions and velocities
    is taken.
    """
    names = {}
    for name, shape in shapes.items():
        free = [size if size in letters else None for size in shape]
        for index in _places(shape):
            label = f"{name}[{','.join(map(str, index))}]" if shape else name
            own = tuple(k for k, size in zip(index, free, strict=True) if size is not None)
            entry = entry_label(name, index, free), own, tuple(letters[s] for s in free if s is not None)
            names[label] = entry
            names[velocity(label)] = (f"{entry[0]}'", *entry[1:])
    found: dict[object, IndexLaw] = {}
    momentum = any(name in names and name.partition("[")[0].endswith("'") for name in flow.variables)
    sizes = {letter: value for value, letter in letters.items()}
    for family in flow.families:
        for polynomial in family.polynomials():
            law = _general(polynomial, names, sizes, flow.clocks, momentum)
            if law is not None:
                found.setdefault(key(law), law)
    return _without_special(list(found.values()))


def _bilinear(leaves: Sequence[str]) -> bool:
    """Whether these are a position and a velocity."""
    return sorted(leaf.endswith("'") for leaf in leaves) == [False, True]


def stated(text: str, axes: Mapping[str, Sequence[str]]) -> IndexLaw:
    """A law as it is written, U[i,k]*U[i,l] - V[j,k]*V[j,l]: indices of all terms are its own, others are summed.

    ``axes`` has the letters of the axes of each parameter; ValueError for what is no such sum.
    """
    terms, at = list[tuple[int, list[tuple[str, list[str]]]]](), 0
    while at < len(text):
        found = TERM.match(text, at)
        if found is None or (at and not found[1]):
            raise ValueError(f"a law is a sum of products such as U[i,k]*U[i,l], not {text!r}.")
        sign, factor, product_ = found.groups()
        entries = [part.strip().rstrip("]").split("[") for part in product_.split("*")]
        factors = [(leaf, [index.strip() for index in own.split(",")]) for leaf, own in entries]
        if wrong := [leaf for leaf, own in factors if leaf not in axes or len(own) != len(axes[leaf])]:
            raise ValueError(f"{wrong[0]} is no parameter with so many axes, in {text!r}.")
        terms.append((int(factor or 1) * (-1 if sign == "-" else 1), factors))
        at = found.end()
    letters = {
        index: letter
        for _, factors in terms
        for leaf, own in factors
        for index, letter in zip(own, axes[leaf], strict=True)
    }
    mine = [index for index in letters if all(any(index in own for _, own in factors) for _, factors in terms)]
    products = []
    for coefficient, factors in terms:
        summed = dict.fromkeys(index for _, own in factors for index in own if index not in mine)
        number = {index: k for k, index in enumerate([*mine, *summed])}
        products.append(
            Product(Fraction(coefficient), tuple((leaf, tuple(number[i] for i in own)) for leaf, own in factors))
        )
    return IndexLaw(tuple(letters[index] for index in mine), tuple(products))


def _places(shape: Shape) -> Iterable[tuple[int, ...]]:
    return product(*map(range, shape))


def _general(
    polynomial: Polynomial, names: Mapping[str, tuple[str, tuple[int, ...], tuple[str, ...]]],
    sizes: Mapping[str, int], clocks: Sequence[str], momentum: bool,
) -> IndexLaw | None:  # fmt: skip
    """A polynomial with indices in place of numbers: constants become free ones, what runs over all is summed."""
    groups: dict[tuple[tuple[str, ...], Fraction], list[list[Entry]]] = {}
    axes: dict[str, tuple[str, ...]] = {}
    times = set[object]()  # powers of the clock
    for monomial, coefficient in polynomial.items():
        factors: list[Entry] = []
        times.add(tuple((k, power) for k, power in monomial if polynomial.variables[k] in clocks))
        for position, power in monomial:
            if polynomial.variables[position] in clocks:
                continue
            leaf, index, axes_of = names[polynomial.variables[position]]
            axes[leaf] = axes_of
            factors += [(leaf, index)] * power
        factors.sort()
        groups.setdefault((tuple(leaf for leaf, _ in factors), coefficient), []).append(factors)
    if len(times) > 1 or (momentum and any(not _bilinear(leaves) for leaves, _ in groups)):
        return None
    free: dict[tuple[str, int], int] = {}
    made = []
    for (leaves, coefficient), members in groups.items():
        letters = [letter for leaf in leaves for letter in axes[leaf]]
        columns = list(zip(*([k for _, index in factors for k in index] for factors in members), strict=True))
        slots: list[tuple[str, object]] = []
        for letter, column in zip(letters, columns, strict=True):
            if len(set(column)) == 1:
                free.setdefault((letter, column[0]), len(free))
                slots.append(("free", (letter, column[0])))
            else:
                slots.append(("sum", (letter, column)))
        running = dict.fromkeys(key for kind, key in slots if kind == "sum")
        if prod(sizes[letter] for letter, _ in running) != len(members):  # type: ignore[misc, has-type]
            return None
        made.append((coefficient, leaves, slots))
    return _written(made, axes, free)


def _written(
    made: Sequence[tuple[Fraction, tuple[str, ...], list[tuple[str, object]]]],
    axes: Mapping[str, tuple[str, ...]],
    free: Mapping[tuple[str, int], int],
) -> IndexLaw:
    whole = lcm(*(coefficient.denominator for coefficient, _, _ in made))
    products = []
    for coefficient, leaves, slots in made:
        summed: dict[object, int] = {}
        variables = iter(
            free[key] if kind == "free" else summed.setdefault(key, len(free) + len(summed))  # type: ignore[index]
            for kind, key in slots
        )
        factors = tuple((leaf, tuple(next(variables) for _ in axes[leaf])) for leaf in leaves)
        products.append(Product(coefficient * whole, factors))
    return IndexLaw(tuple(letter for letter, _ in free), tuple(products))


def key(law: IndexLaw) -> object:
    """Equal for laws that are equal up to the order of their free indices and a factor."""
    found = []
    for order in permutations(range(len(law.free))):
        names = dict(enumerate(order))
        found.append(_form(law.products, names, len(law.free)))
    return min(found)


def _form(products: Sequence[Product], names: Mapping[int, int], free: int) -> tuple[object, ...]:
    rows = []
    for term in products:
        best = None
        for order in permutations(term.factors):
            own = {**names}
            for _, variables in order:
                for v in variables:
                    own.setdefault(v, free + len(own))
            row = tuple((leaf, tuple(own[v] for v in variables)) for leaf, variables in order)
            best = row if best is None else min(best, row)
        rows.append((best, term.coefficient))
    rows.sort()
    factor = rows[0][1]
    return tuple((row, coefficient / factor) for row, coefficient in rows)


def _without_special(laws: list[IndexLaw]) -> list[IndexLaw]:
    """Without those that another is where two of its free indices are equal."""
    special = set()
    for law in laws:
        for a in range(len(law.free)):
            for b in range(a + 1, len(law.free)):
                if law.free[a] == law.free[b]:
                    names = {v: v - (v > b) if v != b else a for v in range(len(law.free) + 20)}
                    free = law.free[:b] + law.free[b + 1 :]
                    special.add(key(IndexLaw(free, tuple(term.renamed(names) for term in law.products))))
    return [law for law in laws if key(law) not in special]
