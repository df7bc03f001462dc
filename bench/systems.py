"""How long systems take from the file to the laws: equations, SBML, chains of brackets.

Seconds of the processor, and ratios that depend little on the machine: to the time that bare parsers of Python take to
cut the same text into words, or XML into elements.

python bench/systems.py
"""

from __future__ import annotations

import random
import re
import tempfile
import time
from itertools import combinations_with_replacement
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from clexact import VectorFields, accessibility, load_system, polynomial_laws

SEED = 1


Reaction = tuple[list[int], list[int]]


def binding(species: int, proteins: int) -> list[Reaction]:
    """Reversible binding of proteins to complexes of up to 8, until there are so many species."""
    draw, found = random.Random(SEED), [(n,) for n in range(proteins)]
    places, out = {name: n for n, name in enumerate(found)}, list[Reaction]()
    while len(found) < species:
        a, b = draw.choice(found), draw.choice(found)
        both = tuple(sorted(a + b))
        if len(both) > 8:
            continue
        if both not in places:
            places[both] = len(found)
            found.append(both)
        out += [([places[a], places[b]], [places[both]]), ([places[both]], [places[a], places[b]])]
    return out


def exchange(species: int, proteins: int, reactions: int) -> list[Reaction]:
    """Complexes of up to 3 proteins that exchange what they are made of: distinct reactions."""
    draw = random.Random(SEED)
    found = [c for k in (1, 2, 3) for c in combinations_with_replacement(range(proteins), k)][:species]
    places = {name: n for n, name in enumerate(found)}
    out: dict[tuple[int, int, int, int], Reaction] = {}
    while len(out) < reactions:
        a, b = draw.choice(found), draw.choice(found)
        mixed = draw.sample(a + b, len(a) + len(b))
        c, d = tuple(sorted(mixed[: len(a)])), tuple(sorted(mixed[len(a) :]))
        if c in places and d in places and sorted((c, d)) != sorted((a, b)):
            key = (places[a], places[b], places[c], places[d])
            out[key] = ([key[0], key[1]], [key[2], key[3]])
    return list(out.values())


def ode(species: int, reactions: list[Reaction]) -> str:
    """Mass action as equations."""
    right: list[list[str]] = [[] for _ in range(species)]
    for n, (before, after) in enumerate(reactions):
        rate = "*".join([str(1 + n % 9), *(f"x{s}" for s in before)])
        for sign, side in (("-", before), ("+", after)):
            for s in side:
                right[s].append(f"{sign} {rate}")
    return "".join(f"x{s}' = {' '.join(parts).removeprefix('+ ') or '0'}\n" for s, parts in enumerate(right))


def sbml(species: int, reactions: list[Reaction]) -> str:
    """The stoichiometry as SBML."""
    parts = ['<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1"><model><listOfSpecies>']
    parts += [f'<species id="x{s}" compartment="c"/>' for s in range(species)]
    parts.append("</listOfSpecies><listOfReactions>")
    for n, sides in enumerate(reactions):
        parts.append(f"<reaction id={quoteattr(f'r{n}')}>")
        for name, side in zip(("listOfReactants", "listOfProducts"), sides, strict=True):
            listed = "".join(f'<speciesReference species="x{s}" stoichiometry="1"/>' for s in side)
            parts.append(f"<{name}>{listed}</{name}>")
        parts.append("</reaction>")
    return "".join([*parts, "</listOfReactions></model></sbml>"])


def bare(name: str, text: str) -> float:
    """Seconds that Python's own parser takes for the text, without any meaning."""
    start = time.process_time()
    if name.endswith(".xml"):
        ElementTree.fromstring(text)
    else:
        re.findall(r"\w+|[^\w\s]", text)
    return time.process_time() - start


def timed(what: str, name: str, text: str, degree: int, structural: bool = False) -> None:
    """One line: seconds to read, and to find all laws, and both over those of a bare parser."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, name)
        file.write_text(text, encoding="utf-8")
        unit = min(bare(name, text) for _ in range(3))
        start = time.process_time()
        fields = load_system(file, structural=structural)
        read = time.process_time()
        laws = polynomial_laws(fields, degree) if degree else []
        end = time.process_time()
    found = f", {len(laws)} laws {end - read:.2f} s ({(end - read) / unit:.1f})" if degree else ""
    print(f"{what}: read {read - start:.2f} s ({(read - start) / unit:.1f} of a bare parser){found}", flush=True)


def chain(length: int) -> None:
    """Accessibility of x_k' = x_{k-1} + x_{k-1}^2 at 0, and over that of a chain of half the length."""
    seconds = []
    for n in (length // 2, length):
        names = [f"x{k}" for k in range(n + 1)]
        drift = VectorFields.from_strings(names, [["0", *(f"{x} + {x}^2" for x in names[:-1])]])
        control = VectorFields.from_strings(names, [["1", *["0"] * n]])
        start = time.process_time()
        found = accessibility(drift, control, [0] * (n + 1))
        seconds.append(time.process_time() - start)
    ratio = seconds[1] / seconds[0]
    print(f"a chain of {length} brackets: {found!r} {seconds[1]:.2f} s ({ratio:.1f} of half the length)", flush=True)


def main() -> None:
    """All lines."""
    draw = random.Random(SEED)
    network = binding(2000, 400)
    timed(f"2,000 species, {len(network)} reactions, mass action, degree 1", "a.ode", ode(2000, network), 1)
    timed("the same, SBML, for all rates", "a.xml", sbml(2000, network), 1, structural=True)
    many = exchange(1122, 17, 24388)
    timed("1,122 species, 24,388 reactions, SBML, for all rates", "b.xml", sbml(1122, many), 1, structural=True)
    fields = "\n---\n".join(
        "\n".join(
            f"x{s}' = {draw.randint(1, 9)}*x{(s + n) % 500} - x{s}*x{n % 500}" for s in draw.sample(range(500), 6)
        )
        for n in range(827)
    )
    timed("827 fields on 500 variables", "c.ode", fields, 0)
    square = "\n".join(f"x{s}' = {' + '.join(f'{1 + (s * n) % 7}*x{n}' for n in range(200))}" for s in range(200))
    timed("200 x 200 components", "d.ode", square, 0)
    chain(20)


if __name__ == "__main__":
    main()
