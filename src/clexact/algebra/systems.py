"""Equations with definitions, parameters, inputs and functions of the state, to polynomial fields.

Right sides are rational functions. Each field is multiplied by its common denominator, which changes no law; exp, log,
sqrt, sin, cos and arctan of the state become further variables with the derivatives that they have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import isqrt
from typing import NamedTuple

from clexact.algebra.bounded import Sparse, TooLargeError
from clexact.algebra.parse import Parser, Place
from clexact.algebra.polynomial import written as polynomial_text
from clexact.algebra.quotients import Bottom, Factor, Quotient, Quotients, common_bottom, derivative, number, variable
from clexact.algebra.system_lines import Statement, statements
from clexact.support.listed import shown
from clexact.support.nearest import meant

PAIRS = {"sin": ("sin", "cos"), "cos": ("sin", "cos"), "sinh": ("sinh", "cosh"), "cosh": ("sinh", "cosh")}
FUNCTIONS = ("exp", "log", "ln", "sqrt", *PAIRS, "tan", "arctan", "pow")
OTHER_NAMES = {"ln": "log", "power": "pow", "atan": "arctan"}
NO_RATIONAL = "abs, min, max and piecewise have no polynomial derivative: give a system for each piece"
MOST_DEEP = 100  # definitions within definitions


class System(NamedTuple):
    """What a text says: polynomial fields over ``variables`` and then ``parameters``, and what was done to it."""

    variables: tuple[str, ...]
    parameters: tuple[str, ...]
    fields: list[dict[int, Sparse]]
    notes: tuple[str, ...]
    multipliers: tuple[str, ...] = ()  # by which each field was multiplied; empty texts stand for 1
    added: tuple[str, ...] = ()  # variables that stand for functions of others


@dataclass
class Added:
    """A function of the state: its name, what it is, and its derivative from that of its argument."""

    name: str
    meaning: str
    argument: Quotient
    slope: Quotient  # of the function, in the variables


@dataclass
class Builder:
    """The names of a system, numbered as they come; equations are read when all of them are known."""

    numbers: dict[str, int] = field(default_factory=dict)
    added: dict[int, Added] = field(default_factory=dict)
    definitions: dict[str, Statement] = field(default_factory=dict)
    values: dict[str, Quotient] = field(default_factory=dict)
    parameters: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    unknown_are_parameters: bool = False
    _read: dict[str, Quotient] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    _known: dict[tuple[str, frozenset[object]], Quotient] = field(default_factory=dict)

    @classmethod
    def over(cls, names: Sequence[str], parameters: int) -> Builder:
        """The names in order, the last ones being parameters."""
        last = list(names[len(names) - parameters :])
        return cls({name: n for n, name in enumerate(names)}, parameters=last)

    def component(self, text: str) -> Quotient:
        """The value of a component given as text, equal texts read once."""
        if not isinstance(text, str):
            raise TypeError(f"a polynomial is read from a string such as 'x^2 - 1/2*y', not from {shown(text)}.")
        if text not in self._read:
            self._read[text] = Parser(text, self.lookup, Place(1), self.close, self.apply).parse()
        return self._read[text]

    def close(self, name: str) -> str:
        """Which name may have been meant."""
        return meant(name, self.numbers)

    def number(self, name: str) -> int:
        """That of a name, new or not."""
        return self.numbers.setdefault(name, len(self.numbers))

    def read(self, text: str, place: Place) -> Quotient:
        """The value of a right side, equal texts read once."""
        key = text.strip()
        if key not in self._read:
            self._read[key] = Parser(text, self.lookup, place, self.hint, self.apply).parse()
        return self._read[key]

    def lookup(self, name: str) -> Quotient | None:
        """The value of a name: a variable, or what a definition says."""
        if name in self.numbers:
            return variable(self.numbers[name])
        if name not in self.definitions:
            return self._unknown(name)
        self.used.add(name)
        if name not in self.values:
            statement = self.definitions[name]
            if name in self._open or len(self._open) > MOST_DEEP:
                raise statement.begin.error(
                    0, f"the definition of {name!r} needs {name!r} itself, or is nested too deep."
                )
            self._open.append(name)
            self.values[name] = self.read(statement.text, statement.place)
            self._open.pop()
        return self.values[name]

    def _unknown(self, name: str) -> Quotient | None:
        """A new parameter, where names that are not known are such; t and functions are none."""
        if not self.unknown_are_parameters or name in ("t", *FUNCTIONS) or name.endswith("'"):
            return None
        self.parameters.append(name)
        return variable(self.number(name))

    def hint(self, name: str) -> str:
        """What to write for a name that is not known."""
        if name == "t":
            return ": for a right side that depends on time add the equation  t' = 1"
        if name.rstrip("'") in self.numbers and name.endswith("'"):
            return (
                f": write the right side of its equation, or a definition such as  v = ...; {name.rstrip(chr(39))}' = v"
            )
        close = meant(name, [*self.numbers, *self.definitions])
        return close or f": a parameter? declare it by  par {name}  or give its value by  {name} = 2"

    def apply(self, name: str, arguments: list[Quotient]) -> Quotient:
        """A function of the state as a further variable. LookupError for what is none that can be one."""
        name = name.removeprefix("\\")
        name = OTHER_NAMES.get(name, name)
        if name not in FUNCTIONS:
            raise LookupError(f"unknown function {name!r}: {', '.join(FUNCTIONS)} are read; {NO_RATIONAL}.")
        ring = Quotients()
        if name == "pow":
            power = arguments[1].constant if len(arguments) == 2 else None
            if power is None or power.denominator != 1:
                raise LookupError("pow takes a base and an integer: pow(x, 2).")
            return ring.power(arguments[0], int(power))
        if len(arguments) != 1:
            raise LookupError(f"{name} takes one argument, not {len(arguments)}.")
        if name == "tan":
            return ring.times(self.apply("sin", arguments), ring.inverse(self.apply("cos", arguments)))
        if (value := arguments[0].constant) is not None:
            return _at_constant(name, Fraction(value))
        return self._function(name, arguments[0], ring)

    def _function(self, name: str, u: Quotient, ring: Quotients) -> Quotient:
        used = {v for m in [*u.top, *(m for f in u.bottom for m, _ in f)] for v, _ in m}
        states = {n for s, n in self.numbers.items() if s not in self.parameters and s not in self.inputs}
        if not used & states or used & {self.numbers[s] for s in self.inputs}:
            raise LookupError(f"{name} of a parameter or an input: declare the value of {name} itself, as  par k.")
        key = (name, frozenset([frozenset(u.top.items()), frozenset(u.bottom.items())]))
        if key not in self._known:
            self._add(name, u, ring, key[1])
        return self._known[key]

    def _add(self, name: str, u: Quotient, ring: Quotients, argument: frozenset[object]) -> None:
        names = PAIRS.get(name, (name,))
        places = [self.number(self._fresh(each)) for each in names]
        found = [variable(place) for place in places]
        match name:
            case "exp":
                slopes = [found[0]]
            case "log":
                slopes = [ring.inverse(u)]
            case "arctan":
                slopes = [ring.inverse(ring.total([number(1), ring.times(u, u)]))]
            case "sqrt":
                slopes = [ring.inverse(Quotient({((places[0], 1),): 2}))]
            case _:
                sign = -1 if name in ("sin", "cos") else 1
                slopes = [found[1], Quotient({((places[0], 1),): sign})]
        for each, place, slope, value in zip(names, places, slopes, found, strict=True):
            self.added[place] = Added(self.names[place], each, u, slope)
            self._known[each, argument] = value

    def _fresh(self, name: str) -> str:
        return next(f"{name}{k}" for k in range(1, 10**9) if f"{name}{k}" not in {*self.numbers, *self.definitions})

    @property
    def names(self) -> list[str]:
        """By number."""
        return list(self.numbers)


def _at_constant(name: str, value: Fraction) -> Quotient:
    """A function at a rational where its value is rational too."""
    if value == {"log": 1}.get(name, 0):
        return number(1 if name in ("exp", "cos", "cosh") else 0)
    root = Fraction(isqrt(max(0, value.numerator)), isqrt(value.denominator))
    if name == "sqrt" and root**2 == value:
        return number(root)
    raise LookupError(f"{name}({value}) is not rational: declare a parameter in its place, as  par k.")


def parse_system(text: str, parameters: Sequence[str] = (), *, declare_unknown: bool = False) -> System:
    """The system of an ``.ode`` text, with further names that are parameters, or all unknown ones.

    ValueError with line and column.
    """
    builder, cut = Builder(unknown_are_parameters=declare_unknown), statements(text)
    seconds = _declare(builder, [s for field in cut for s in field], parameters)
    fields = [found for each in cut if (found := _equations(builder, each, seconds))]
    _check_used(builder, fields, parameters)
    if not fields:
        raise ValueError("the system has no equation; expected lines such as  x' = y*z - 2/3*x^2")
    outputs = [name for name in builder.definitions if name not in builder.used]
    said = [f"used by no equation and left out: {', '.join(outputs)}"] if outputs else []
    return finish(builder, fields, said)


def _check_used(builder: Builder, fields: list[dict[int, Quotient]], parameters: Sequence[str]) -> None:
    """ValueError for parameters asked for that stand in no equation."""
    every = [q for components in fields for q in components.values()]
    used = {v for q in every for m in [*q.top, *(m for f in q.bottom for m, _ in f)] for v, _ in m}
    for name in parameters:
        if builder.numbers[name] not in used:
            raise ValueError(f"the parameter {name!r} stands in no equation{meant(name, builder.definitions)}.")


def _declare(builder: Builder, found: list[Statement], parameters: Sequence[str]) -> set[str]:
    """All names are known before any equation is read. Returns the variables with a second derivative."""
    seconds = {s.name for s in found if s.kind == "second derivative"}
    for s in found:
        if s.kind.endswith("derivative"):
            builder.number(s.name)
            if s.name in seconds:
                builder.number(f"{s.name}'")
    for s in found:
        if s.kind == "definition" and s.name not in parameters:
            if s.name in builder.definitions or s.name in builder.numbers:
                raise s.begin.error(0, f"a second meaning of {s.name!r}, which is defined or has an equation already.")
            builder.definitions[s.name] = s
    declared = {"parameter": [*parameters], "input": list[str]()}
    for s in found:
        if s.kind in declared:
            if s.name in builder.numbers or s.name in builder.definitions:
                raise s.begin.error(0, f"{s.name!r} is declared, but it has a value or an equation too.")
            declared[s.kind].append(s.name)
    for name in [*declared["parameter"], *declared["input"]]:
        builder.number(name)
    builder.parameters, builder.inputs = list(dict.fromkeys(declared["parameter"])), declared["input"]
    return seconds


def _equations(builder: Builder, found: list[Statement], seconds: set[str]) -> dict[int, Quotient]:
    """The right sides of one field, by the numbers of their variables."""
    field: dict[int, Quotient] = {}
    for s in found:
        if not s.kind.endswith("derivative"):
            continue
        first, second = builder.numbers[s.name], builder.numbers.get(f"{s.name}'", -1)
        place = second if s.kind == "second derivative" else first
        if place in field or (s.name in seconds and place == first):
            raise s.begin.error(0, f"a second equation for {s.name!r} in the same field.")
        if place == second and s.kind == "second derivative":
            field[first] = variable(second)
        field[place] = builder.read(s.text, s.place)
    return field


def finish(builder: Builder, fields: list[dict[int, Quotient]], said: Sequence[str] = ()) -> System:
    """Derivatives of added variables, a field for each monomial of the inputs, common denominators."""
    names = builder.names
    for components in fields:
        for place in builder.added:
            add_derivative(builder, components, place)
    apart = {builder.numbers[name] for name in builder.inputs}
    last = {builder.numbers[name] for name in builder.parameters}
    states = [n for n in range(len(names)) if n not in last and n not in apart]
    order = {n: k for k, n in enumerate([*states, *(builder.numbers[name] for name in builder.parameters)])}
    in_order = not apart and all(n == k for n, k in order.items())
    notes, out, multipliers = list(said), list[dict[int, Sparse]](), list[str]()
    if builder.added:
        notes.append("functions of the state are variables of any values here: at their values there may be more laws")
    notes += [f"{a.name} stands for {a.meaning}({written(a.argument, names)})" for a in builder.added.values()]
    for i, components in enumerate(fields):
        bottom, cleared = over_common_denominator(components)
        if bottom:
            which = f"field {i + 1} is" if len(fields) > 1 else "the field is"
            notes.append(f"{which} multiplied by {written_bottom(bottom, names)}, which changes no law")
        found = [cleared] if in_order else _by_inputs({order[j]: p for j, p in cleared.items()}, apart, order)
        multipliers += [written_bottom(bottom, names)] * len(found)
        out += found
    if apart:
        notes.append(f"a field for each monomial of the inputs {', '.join(builder.inputs)}: laws for all of them")
    return System(
        tuple(names[n] for n in states),
        tuple(builder.parameters),
        out,
        tuple(notes),
        tuple(multipliers),
        tuple(a.name for a in builder.added.values()),
    )


def add_derivative(builder: Builder, field: dict[int, Quotient], place: int) -> None:
    """That of an added variable, by the chain rule; those that its argument has were added before it."""
    added, ring = builder.added[place], Quotients()
    terms = [ring.times(derivative(added.argument, v, ring), f) for v, f in field.items()]
    terms = [term for term in terms if term.top]
    if terms:
        field[place] = ring.times(added.slope, ring.total(terms))


def over_common_denominator(field: dict[int, Quotient]) -> tuple[Bottom, dict[int, Sparse]]:
    """(the common denominator, the components times it)."""
    if not any(q.bottom for q in field.values()):
        return {}, {j: q.top for j, q in field.items()}
    bottom, ring = common_bottom([q.bottom for q in field.values()]), Quotients()
    try:
        return bottom, {j: ring.over(q, bottom) for j, q in field.items()}
    except TooLargeError:
        many = f"the common denominator of {len(bottom)} factors is too large to multiply out"
        raise ValueError(f"{many}; of reactions, laws for all rates need none (--structural).") from None


def _by_inputs(field: dict[int, Sparse], apart: set[int], order: dict[int, int]) -> list[dict[int, Sparse]]:
    """The coefficient of each monomial in the inputs, as a field, over numbers in order."""
    found: dict[object, dict[int, Sparse]] = {} if apart else {(): {}}
    for j, p in field.items():
        for m, c in p.items():
            inputs = tuple((v, k) for v, k in m if v in apart)
            mine = tuple(sorted((order[v], k) for v, k in m if v not in apart))
            found.setdefault(inputs, {}).setdefault(j, {})[mine] = c
    return list(found.values())


def written(q: Quotient, names: Sequence[str]) -> str:
    """A rational function as text."""
    top = polynomial_text({m: Fraction(c) for m, c in q.top.items()}, names)
    return f"({top})/{written_bottom(q.bottom, names)}" if q.bottom else top


def written_bottom(bottom: Bottom, names: Sequence[str]) -> str:
    """A product of powers as text."""
    return "*".join(_written_factor(f, k, names) for f, k in bottom.items())


def _written_factor(factor: Factor, power: int, names: Sequence[str]) -> str:
    text = written(Quotient(dict(factor)), names)
    text = f"({text})" if len(factor) > 1 else text
    return text if power == 1 else f"{text}^{power}"
