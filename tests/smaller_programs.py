"""A program that shows a fault, made smaller as long as it does."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from random_programs import Case


def minimal(case: Case, shows: Callable[[Case], bool]) -> Case:
    """The first smaller program that still shows it, again and again."""
    while True:
        smaller = next((other for other in map(pruned, edits(case)) if other != case and _holds(shows, other)), None)
        if smaller is None:
            return case
        case = smaller


def _holds(shows, case):
    try:
        return shows(case)
    except Exception:  # the edit made it no program
        return False


def edits(case: Case) -> Iterator[Case]:
    """Programs with something left out: the loss, the end, one operation."""
    names = [*case.parameters, *case.probes, *(name for name, _ in case.lines)]
    if case.flow != {"flow": "gradient"}:
        yield replace(case, flow={"flow": "gradient"})
        yield replace(case, flow={**case.flow, "weight_decay": "0"})
    if case.loss != "full":
        yield replace(case, loss="full")
    for name in names[:-1]:
        if name != case.result:
            yield replace(case, result=name)
    for n, (name, expression) in enumerate(case.lines):
        for operand in dict.fromkeys(re.findall(r"[A-Za-z]\w*", expression)):
            if operand in names[: names.index(name)]:
                yield _without(case, n, name, operand)


def _without(case, n, name, operand):
    """The program in which an operand stands for the n-th variable."""
    kept = [(v, re.sub(rf"\b{name}\b", operand, text)) for v, text in case.lines[:n] + case.lines[n + 1 :]]
    return replace(case, lines=tuple(kept), result=operand if case.result == name else case.result)


def pruned(case: Case) -> Case:
    """The program without what its result does not use."""
    used, kept = {case.result}, []
    for name, expression in reversed(case.lines):
        if name in used:
            used |= set(re.findall(r"\w+", expression))
            kept.insert(0, (name, expression))
    named = used | set(case.flow.get("positive", ())) | set(re.findall(r"\w+", str(case.flow.get("metric", ""))))
    probes = {name: shape for name, shape in case.probes.items() if name in used}
    parameters = {name: shape for name, shape in case.parameters.items() if name in named}
    return replace(case, lines=tuple(kept), parameters=parameters, probes=probes)
