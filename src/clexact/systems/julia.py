"""Julia's texts: Catalyst's ``@reaction_network``, ``@ODEmodel`` and ModelingToolkit's equations, never run."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction

from clexact.algebra import systems
from clexact.algebra.fields import VectorFields
from clexact.algebra.parse import Place
from clexact.algebra.quotients import Quotient, Quotients, variable
from clexact.algebra.system_lines import statements
from clexact.systems.network import Change, Network

ARROW = re.compile(r"\s*(<-->|-->|<--|→|←|⇌|↔|⟷|=>|<=|⇒|<=>|⇔)\s*")
BOTH = ("<-->", "⇌", "↔", "⟷", "<=>", "⇔")
BACK = ("<--", "←", "<=")
GIVEN = ("⇒", "=>", "<=", "<=>", "⇔")  # of which the rate is the whole rate, not times the reactants
NETWORK = re.compile(r"@reaction_network\b[^\n]*?\bbegin\b(.*?)\bend\b", re.DOTALL)
EMPTY = ("0", "∅")
SIDE = re.compile(r"(?:(\d+)\s*\*?\s*|(\d+)/(\d+)\s*\*?\s*)?([^\W\d]\w*)(?:\(t\))?")


def read_julia(text: str, parameters: Sequence[str] = ()) -> Network | VectorFields:
    """A network of ``@reaction_network``, else fields of the equations found; ValueError with the line."""
    plain = re.sub(r"#=.*?=#", lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL)
    if match := NETWORK.search(plain):
        return _reactions(match[1], plain[: match.start(1)].count("\n"), parameters)
    return _equations(plain, parameters)


def _equations(text: str, parameters: Sequence[str]) -> VectorFields:
    """Of ``@ODEmodel(...)`` or of a list of equations with ~: names without an equation are parameters."""
    if match := re.search(r"@ODEmodel\s*\(", text):
        body, start = _closed(text, match.end() - 1), text[: match.end()].count("\n")
    elif match := re.search(r"\[([^\[\]]*~[^\[\]]*)\]", text, re.DOTALL):
        body, start = match[1], text[: match.start(1)].count("\n")
    else:
        raise ValueError("expected @reaction_network begin ... end, @ODEmodel(...) or a list of equations  D(x) ~ ....")
    body = "\n" * start + re.sub(r",?[ \t]*\n", "\n", body.rstrip().rstrip(","))
    body += _inputs(body)
    found = systems.parse_system(body, parameters, declare_unknown=True)
    return VectorFields.from_system(found)


def _inputs(body: str) -> str:
    """The declaration of the functions of time that have no equation, if there are any."""
    having = {s.name for field in statements(body) for s in field}
    given = dict.fromkeys(name for name in re.findall(r"([^\W\d]\w*)\(t\)", body) if name not in having)
    return f"\ninput {', '.join(given)}" if given else ""


def _closed(text: str, first: int) -> str:
    """What stands in the parentheses that open there."""
    depth = 0
    for at in range(first, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if not depth:
            return text[first + 1 : at]
    raise ValueError("a parenthesis of @ODEmodel( is not closed.")


def _reactions(body: str, before: int, parameters: Sequence[str]) -> Network:
    """Lines ``rate, A + B --> C``; a pair of rates for a reaction both ways."""
    lines = [(before + n, line.partition("#")[0].strip()) for n, line in enumerate(body.split("\n"), start=1)]
    lines = [(n, part.strip()) for n, line in lines for part in line.split(";") if part.strip()]
    kept = [(n, line) for n, line in lines if not line.startswith("@")]
    notes = [f"left out: {line}" for _, line in lines if line.startswith(("@continuous", "@discrete", "@observables"))]
    parsed = [step for n, line in kept for step in _steps(line, n)]
    builder = systems.Builder()
    for before_, after, _, _, _ in parsed:
        for name in [*before_, *after]:
            builder.number(name)
    species = builder.names
    builder.unknown_are_parameters = True
    for name in parameters:
        if name in species:
            raise ValueError(f"{name!r} is a species, and cannot be a parameter.")
    changes, rates = list[Change](), list[Callable[[], Quotient]]()
    for left, right, rate, mass_action, line in parsed:
        change: Change = {}
        for sign, side in ((-1, left), (1, right)):
            for name, count in side.items():
                place = builder.numbers[name]
                change[place] = change.get(place, Fraction(0)) + sign * count
        changes.append({s: n for s, n in change.items() if n})
        rates.append(_rate(builder, left, rate, mass_action, line))
    return Network(builder, species, changes, rates, {}, notes)


Side = dict[str, Fraction]
Step = tuple[Side, Side, str, bool, int]


def _steps(line: str, number: int) -> list[Step]:
    """One for each direction, and for each of several reactions on a line: (k1, k2), (A, B) --> (C, D)."""
    match = ARROW.search(line)
    cut = _first_comma(line)
    if match is None or cut is None or cut > match.start():
        raise ValueError(f"line {number}: expected a reaction such as  k, A + B --> C, not {line!r}.")
    rate, left, right, arrow = line[:cut].strip(), line[cut + 1 : match.start()], line[match.end() :], match[1]
    before, after = _sides(left, number), _sides(right, number)
    most = max(len(before), len(after))
    before, after = before * (most if len(before) == 1 else 1), after * (most if len(after) == 1 else 1)
    if len(before) != len(after):
        raise ValueError(f"line {number}: {len(before)} left sides and {len(after)} right sides.")
    mass_action, out = arrow not in GIVEN, list[Step]()
    rates = _listed(rate)
    both = _split_pair(rates, number) if arrow in BOTH else None
    for n, (a, b) in enumerate(zip(before, after, strict=True)):
        if both is not None:
            forward, backward = (_listed(each) for each in both)
            out.append((a, b, forward[n % len(forward)], mass_action, number))
            out.append((b, a, backward[n % len(backward)], mass_action, number))
        elif arrow in BACK:
            out.append((b, a, rates[n % len(rates)], mass_action, number))
        else:
            out.append((a, b, rates[n % len(rates)], mass_action, number))
    return out


def _split_pair(rates: list[str], number: int) -> list[str]:
    if len(rates) != 2:
        raise ValueError(f"line {number}: a reaction both ways has two rates, as  (k1, k2), A <--> B.")
    return rates


def _listed(text: str) -> list[str]:
    """The members of (a, b, ...), or the text alone."""
    text = text.strip()
    if not (text.startswith("(") and text.endswith(")")):
        return [text]
    parts, depth, first = list[str](), 0, 1
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if (letter == "," and depth == 1) or (depth == 0 and at == len(text) - 1):
            parts.append(text[first:at].strip())
            first = at + 1
        if depth == 0 and at < len(text) - 1:
            return [text]
    return parts


def _first_comma(line: str) -> int | None:
    depth = 0
    for at, letter in enumerate(line):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            return at
    return None


def _sides(text: str, number: int) -> list[Side]:
    return [_side(part, number) for part in _listed(text.partition("[")[0])]


def _side(text: str, number: int) -> Side:
    side: Side = {}
    if text.strip() in EMPTY:
        return side
    for part in text.split("+"):
        match = SIDE.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"line {number}: expected species such as 2A + B, not {text.strip()!r}.")
        count = Fraction(int(match[1] or match[2] or 1), int(match[3] or 1))
        side[match[4]] = side.get(match[4], Fraction(0)) + count
    return side


def _rate(builder: systems.Builder, left: Side, rate: str, mass_action: bool, line: int) -> Callable[[], Quotient]:
    """The rate, times A^n/n! for n of a reactant A, as Catalyst has it."""

    def made() -> Quotient:
        ring, value = Quotients(), builder.read(_expanded(rate), Place(line))
        for name, count in left.items() if mass_action else ():
            if count.denominator != 1:
                raise ValueError(f"line {line}: mass action needs integers, not {count} of {name}.")
            scale = Fraction(1)
            for k in range(2, int(count) + 1):
                scale /= k
            power = ring.power(variable(builder.numbers[name]), int(count))
            scaled = Quotient({m: c * scale for m, c in power.top.items()})
            value = ring.times(value, scaled)
        return value

    return made


def _expanded(rate: str) -> str:
    """Catalyst's mm(X, v, K) and hill(X, v, K, n) written out."""
    rate = re.sub(r"\bmm\(([^,()]*),([^,()]*),([^,()]*)\)", r"((\2)*(\1)/((\1) + (\3)))", rate)
    hill = r"((\2)*(\1)^(\4)/((\1)^(\4) + (\3)^(\4)))"
    return re.sub(r"\bhill\(([^,()]*),([^,()]*),([^,()]*),([^,()]*)\)", hill, rate)
