"""What the gates near a start do, and how laws near it compare with those of free gates, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clexact.flows.near import Start
from clexact.programs.regions import units
from clexact.support.bounds import in_words

SHOWN = 8  # units that are named

Bounds = tuple[int, int]


def explained(start: Start, here: Bounds, free: Bounds) -> Iterator[str]:
    """The sentences, for bounds of the number of laws near the start and with free gates."""
    if not start.gated:
        return
    said = units(start.regions)
    how = "always" if said.complete else "in all regions met"
    if said.on:
        yield f"{how} on: {_named(said.on)}: linear there"
    closed, leaking = _by_slope(start, said.off)
    if closed:
        alone = ": what enters and leaves by them alone is frozen" if said.complete else ""
        yield f"{how} off: {_named(closed)}: zero there{alone}"
    if leaking:
        yield f"{how} off: {_named(leaking)}: linear there, with the slope of what is negative"
    if said.silent:
        yield f"{how} zero before the gate, which does not matter: {_named(said.silent)}"
    apart = "never apart" if said.complete else "not apart in the regions met"
    for group in said.together:
        yield f"{apart}: {_named(group)}: linear together"
    yield _compared(start, here, free)


def _by_slope(start: Start, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Entries of gates that hand on nothing where they are off, and those that hand on something."""
    flow = start.free.gradients
    slopes = {} if flow is None else {gate.probe: gate.slope for gate in flow.model.program.gates}
    leaking = [name for name in names if slopes.get(name.partition("[")[0])]
    return [name for name in names if name not in leaking], leaking


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _compared(start: Start, here: Bounds, free: Bounds) -> str:
    if start.spans:
        return "the gates met span what free gates span: the laws are the same"
    laws = "law" if here[1] == 1 else "laws"
    both = f"{in_words(*here)} {laws} here, {in_words(*free)} with free gates"
    if here[0] < here[1] or free[0] < free[1]:
        return both
    if here == free:
        return f"{both}: the gates met span less, but brackets make up for it"
    return f"{both}: {here[0] - free[0]} more"
