"""BioNetGen's ``.net``: species by numbers, parameters, functions, reactions with mass action or a function's rate."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction

from clexact.algebra import systems
from clexact.algebra.parse import Place
from clexact.algebra.quotients import Quotient, Quotients, variable
from clexact.algebra.system_lines import Statement
from clexact.systems.network import Change, Network

BLOCK = re.compile(r"\s*(begin|end)\s+(.*\S)\s*")
FACTOR = re.compile(r"(?:([\d.eE+-]+)\*)?(\w+)")


def read_net(text: str, parameters: Sequence[str] = ()) -> Network:
    """The network of a ``.net`` file; ``parameters``: names whose values are not used.

    ValueError with the line of what cannot be read.
    """
    blocks: dict[str, list[tuple[int, list[str]]]] = {}
    block = ""
    for line, raw in enumerate(text.splitlines(), start=1):
        content = raw.partition("#")[0].rstrip("\\ ")
        if match := BLOCK.fullmatch(content):
            block = match[2] if match[1] == "begin" else ""
        elif block and content.strip():
            blocks.setdefault(block, []).append((line, content.split(None, _columns(block))))
    if not blocks.get("reactions") or not blocks.get("species"):
        raise ValueError("expected blocks 'begin species' and 'begin reactions', as generate_network writes.")
    return _network(blocks, parameters)


def _columns(block: str) -> int:
    return {"parameters": 2, "species": 2, "reactions": 4, "functions": 1, "groups": 2}.get(block, -1)


def _network(blocks: dict[str, list[tuple[int, list[str]]]], parameters: Sequence[str]) -> Network:
    builder, fixed = systems.Builder(), set[int]()
    names = list[str]()
    for line, words in blocks["species"]:
        if len(words) < 2 or words[0] != str(len(names) + 1):
            raise ValueError(f"line {line}: expected species {len(names) + 1} with its pattern.")
        if words[1].startswith("$"):
            fixed.add(len(names))
        names.append(_name(words[1], len(names) + 1, builder))
        builder.number(names[-1])
    for name in parameters:
        if name in names:
            raise ValueError(f"{name!r} is a species, and cannot be a parameter.")
        builder.number(name)
        builder.parameters.append(name)
    for line, words in blocks.get("parameters", []):
        if len(words) < 3:
            raise ValueError(f"line {line}: expected the number, name and value of a parameter.")
        _define(builder, words[1], words[2], line)
    for line, words in blocks.get("functions", []):
        name, _, body = " ".join(words[1:]).partition(")")
        _define(builder, name.partition("(")[0].strip(), body.strip().removeprefix("=").strip(), line)
    for line, words in blocks.get("groups", []):
        body = " + ".join(_weighted(term, names, line) for term in words[2].split(",")) if len(words) > 2 else "0"
        _define(builder, words[1], body, line)
    changes, rates = list[Change](), list[Callable[[], Quotient]]()
    for line, words in blocks["reactions"]:
        change, rate = _reaction(builder, names, line, words)
        changes.append({s: n for s, n in change.items() if s not in fixed})
        rates.append(rate)
    notes = [f"kept constant: {', '.join(names[s] for s in sorted(fixed))}"] if fixed else []
    return Network(builder, names, changes, rates, {}, notes)


def _name(pattern: str, place: int, builder: systems.Builder) -> str:
    """A short name for a pattern such as L(r!1).R(l!1): its letters, made different by the number of the species."""
    plain = re.sub(r"\(\)|@\w+::?|^\$", "", pattern)
    name = re.sub(r"\W+", "_", plain).strip("_") or f"s{place}"
    name = name if name[0].isalpha() and len(name) <= 40 else f"s{place}_{name[:30]}".rstrip("_")
    return name if name not in builder.numbers else f"{name}_{place}"


def _define(builder: systems.Builder, name: str, text: str, line: int) -> None:
    place = Place(line)
    text = re.sub(r"(\b[A-Za-z]\w*)\(\)", r"\1", text)
    if name not in builder.numbers:
        builder.definitions.setdefault(name, Statement("definition", name, text, place, place))


def _weighted(term: str, names: list[str], line: int) -> str:
    match = FACTOR.fullmatch(term)
    if match is None or not match[2].isdigit() or not 0 < int(match[2]) <= len(names):
        raise ValueError(f"line {line}: expected numbers of species such as 1,2*3, not {term!r}.")
    return f"{match[1] or 1}*{names[int(match[2]) - 1]}"


def _reaction(
    builder: systems.Builder, names: list[str], line: int, words: list[str]
) -> tuple[Change, Callable[[], Quotient]]:
    if len(words) < 4:
        raise ValueError(f"line {line}: expected the number, reactants, products and rate of a reaction.")
    before, after = (_numbers(word, len(names), line) for word in words[1:3])
    change: Change = {}
    for sign, side in ((-1, before), (1, after)):
        for s in side:
            change[s] = change.get(s, Fraction(0)) + sign

    def rate() -> Quotient:
        text = re.sub(r"(\b[A-Za-z]\w*)\(\)", r"\1", words[3])
        ring, value = Quotients(), builder.read(text, Place(line))
        for s in before:
            value = ring.times(value, variable(s))
        return value

    return {s: n for s, n in change.items() if n}, rate


def _numbers(word: str, count: int, line: int) -> list[int]:
    """Species from 0; the number 0 stands for nothing."""
    found = word.split(",")
    if not all(each.isdigit() and int(each) <= count for each in found):
        raise ValueError(f"line {line}: expected numbers of species such as 1,2, not {word!r}.")
    return [int(each) - 1 for each in found if int(each)]
