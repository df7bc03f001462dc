"""SBML, levels 2 and 3, read from its XML: species as amounts, reactions, rules; events and constraints are left out.

A document type, which entities need, is refused before the document is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from clexact.algebra import systems
from clexact.algebra.bounded import Number
from clexact.algebra.parse import decimal_number
from clexact.algebra.quotients import Quotient, Quotients, number, variable
from clexact.systems.mathml import Node, Reader, tag
from clexact.systems.network import Change, Network

SIGNS = {"listOfReactants": -1, "listOfProducts": 1}


def safe_tree(text: str) -> Node:
    """The root of an XML document; ValueError for what is none, and for one with a document type."""
    parser, given = expat.ParserCreate(), text.encode()
    parser.StartDoctypeDeclHandler, parser.StartElementHandler = _refuse, _begun
    try:
        with suppress(_BegunError):
            parser.Parse(given, True)
        return ElementTree.fromstring(given)
    except (expat.ExpatError, ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(f"no XML that is read: {error}.") from None


class _BegunError(Exception):
    """The root element has come, after which there is no document type."""


def _begun(*_: object) -> None:
    raise _BegunError


def _refuse(*_: object) -> None:
    raise ValueError("a document type, with which entities come, is not read")


def read_sbml(text: str, parameters: Sequence[str] = ()) -> Network:
    """The network of a model. ``parameters``: names whose values are not used; also those without one."""
    root = safe_tree(text)
    model = next((part for part in root if tag(part) == "model"), None)
    if tag(root) != "sbml" or model is None:
        raise ValueError("expected an <sbml> document with a <model>.")
    return _Model(model, parameters).network()


def _listed(model: Node, name: str) -> Iterator[Node]:
    for part in model:
        if tag(part) == name:
            yield from part


def _math(node: Node) -> Node:
    return next((part for part in node if tag(part) == "math"), None)


def _true(node: Node, name: str) -> bool:
    return str(node.get(name, "false")).strip() in ("true", "1")


class _Model:
    def __init__(self, model: Node, parameters: Sequence[str]) -> None:
        self.model, self.builder = model, systems.Builder()
        if any(node.get("conversionFactor") for node in (model, *_listed(model, "listOfSpecies"))):
            raise ValueError("conversion factors are not read: give the amounts in one unit.")
        self.species = {str(s.get("id")): s for s in _listed(model, "listOfSpecies")}
        self.compartments = {str(c.get("id")): c for c in _listed(model, "listOfCompartments")}
        self.constants = {str(p.get("id")): p for p in _listed(model, "listOfParameters")}
        rules = list(_listed(model, "listOfRules"))
        self.assigned = {str(r.get("variable")): _math(r) for r in rules if tag(r) == "assignmentRule"}
        self.sloped = {str(r.get("variable")): _math(r) for r in rules if tag(r) == "rateRule"}
        self.initial = {str(i.get("symbol")): _math(i) for i in _listed(model, "listOfInitialAssignments")}
        functions = {str(f.get("id")): _math(f)[0] for f in _listed(model, "listOfFunctionDefinitions")}
        self.reader = Reader(self.builder, functions, self.value)
        self._varied = bool(self.assigned or self.sloped or self.initial)  # stoichiometries may be among them
        self.known, self.open = dict[tuple[str, bool], Quotient](), set[tuple[str, bool]]()
        self.starting = False  # whether names in formulas stand for their values at the start
        self.moving = [s for s, node in self.species.items() if self._moves(s, node)]
        for name in [*self.moving, *(v for v in self.sloped if v not in self.moving)]:
            self.builder.number(name)
        self._declare(parameters)

    def _moves(self, name: str, node: Node) -> bool:
        return name not in self.assigned and not _true(node, "constant") and not _true(node, "boundaryCondition")

    def _declare(self, parameters: Sequence[str]) -> None:
        """Those asked for, and constants without a value, are parameters."""
        every = {**self.compartments, **self.constants, **self.species}
        for name in parameters:
            if name not in every or name in self.builder.numbers:
                raise ValueError(f"{name!r} is no constant of the model, and cannot be a parameter.")
        for name in parameters:
            self.builder.number(name)
            self.builder.parameters.append(name)

    def value(self, name: str) -> Quotient | None:
        """Of a name in a formula: a species is its amount over its compartment unless it is a substance there."""
        key = name, self.starting
        if key not in self.known:
            if key in self.open:
                raise ValueError(f"the value of {name!r} needs {name!r} itself.")
            self.open.add(key)
            found = self._value(name)
            if found is None:
                return None
            self.known[key] = found
            self.open.discard(key)
        return self.known[key]

    def _value(self, name: str) -> Quotient | None:
        if name in self.builder.numbers and not (self.starting and name not in self.builder.parameters):
            found = variable(self.builder.numbers[name])
            return self._over_size(name, found) if name in self.moving and name not in self.sloped else found
        if name in self.assigned:
            return self.reader.read(self.assigned[name])
        if name in self.initial:
            return self._initial(name)
        for nodes, keys in ((self.constants, ("value",)), (self.compartments, ("size", "volume"))):
            if name in nodes:
                return self._constant(name, nodes[name], keys)
        if name in self.species:
            return self._fixed_species(name)
        return None

    def _initial(self, name: str) -> Quotient:
        """By an initial assignment: of values at the start, which variables keep no longer."""
        before, self.starting = self.starting, True
        try:
            return self.reader.read(self.initial[name])
        finally:
            self.starting = before

    def _fixed_species(self, name: str) -> Quotient:
        node, size = self.species[name], self._size(name)
        amount, ring = node.get("initialAmount"), Quotients()
        substance = _true(node, "hasOnlySubstanceUnits")
        if amount is not None and not substance:
            return ring.times(number(_decimal(amount)), ring.inverse(size))
        if amount is None and node.get("initialConcentration") is not None and substance:
            return ring.times(number(_decimal(node.get("initialConcentration"))), size)
        return self._constant(name, node, ("initialAmount", "initialConcentration"))

    def _constant(self, name: str, node: Node, keys: Sequence[str]) -> Quotient:
        """Its number, else a parameter of its name."""
        given = next((node.get(key) for key in keys if node.get(key) is not None), None)
        if given is not None:
            return number(_decimal(given))
        if name in self.builder.numbers:
            raise ValueError(f"an initial assignment needs the value of {name!r} at the start, which is not given.")
        place = self.builder.number(name)
        self.builder.parameters.append(name)
        return variable(place)

    def _size(self, species: str) -> Quotient:
        home = str(self.species[species].get("compartment"))
        node = self.compartments.get(home)
        if node is None or str(node.get("spatialDimensions", "3")) in ("0", "0.0"):
            return number(1)
        found = self.value(home)
        return number(1) if found is None else found

    def _over_size(self, species: str, amount: Quotient) -> Quotient:
        if _true(self.species[species], "hasOnlySubstanceUnits"):
            return amount
        ring = Quotients()
        return ring.times(amount, ring.inverse(self._size(species)))

    def network(self) -> Network:
        changes, rates, notes = list[Change](), list[Callable[[], Quotient]](), list[str]()
        places = {name: self.builder.numbers[name] for name in self.moving}
        for reaction in _listed(self.model, "listOfReactions"):
            changes.append(self._change(reaction, places))
            rates.append(partial(self._rate, reaction))
        slopes: dict[int, Callable[[], Quotient]] = {
            self.builder.numbers[name]: partial(self._slope, name) for name in self.sloped
        }
        left = {"events": "listOfEvents", "constraints": "listOfConstraints"}
        for what, element in left.items():
            if count := sum(1 for _ in _listed(self.model, element)):
                notes.append(f"left out ({what}): {count}; the laws are those between them")
        algebraic = sum(tag(rule) == "algebraicRule" for rule in _listed(self.model, "listOfRules"))
        if algebraic:
            notes.append(f"left out (algebraic rules): {algebraic}")
        if any(self._size(name) != number(1) for name in self.moving):
            notes.append("variables are amounts: concentrations times the size of the compartment")
        return Network(self.builder, self.builder.names[: len(self.moving)], changes, rates, slopes, notes)

    def _change(self, reaction: Node, places: dict[str, int]) -> Change:
        change: Change = {}
        for side in reaction:
            sign = SIGNS.get(tag(side), 0)
            for part in side if sign else ():
                name = part.get("species")
                if (place := places.get(name)) is not None and name not in self.sloped:
                    change[place] = change.get(place, 0) + sign * self._stoichiometry(part)
        return {s: n for s, n in change.items() if n}

    def _stoichiometry(self, part: Node) -> Number:
        if not len(part) and (part.get("id") is None or not self._varied):
            top = _decimal(part.get("stoichiometry", "1"))
            return top if part.get("denominator") is None else Fraction(top) / _decimal(part.get("denominator"))
        name = str(part.get("id"))
        given = next((inner for inner in part if tag(inner) == "stoichiometryMath"), None)
        if given is not None or name in self.assigned or name in self.sloped or name in self.initial:
            formula = _math(given) if given is not None else self.assigned.get(name, self.initial.get(name))
            value = self.reader.read(formula).constant if formula is not None else None
            if value is None:
                raise ValueError(f"the stoichiometry of {part.get('species')!r} is no number.")
            return Fraction(value)
        return _decimal(part.get("stoichiometry", "1"))

    def _rate(self, reaction: Node) -> Quotient:
        name = reaction.get("id")
        law = next((part for part in reaction if tag(part) == "kineticLaw"), None)
        formula = _math(law) if law is not None else None
        if law is None or formula is None:
            raise ValueError(f"reaction {name!r} has no kinetic law: ask for the laws for all rates (structural).")
        local = dict[str, Quotient]()
        for element in ("listOfParameters", "listOfLocalParameters"):
            for p in _listed(law, element):
                if p.get("value") is None:
                    raise ValueError(f"the parameter {p.get('id')!r} of reaction {name!r} has no value.")
                local[str(p.get("id"))] = number(_decimal(p.get("value")))
        try:
            return self.reader.read(formula, local)
        except ValueError as error:
            raise ValueError(f"the rate of reaction {name!r}: {error}") from None

    def _slope(self, name: str) -> Quotient:
        try:
            return self.reader.read(self.sloped[name])
        except ValueError as error:
            raise ValueError(f"the rate rule of {name!r}: {error}") from None


@lru_cache(maxsize=1024)
def _decimal(text: Any) -> Fraction | int:
    word = str(text).strip()
    sign, digits = (-1, word[1:]) if word.startswith("-") else (1, word.removeprefix("+"))
    try:
        return sign * decimal_number(digits)
    except ValueError:
        raise ValueError(f"the number {word!r} is none that is read.") from None
