"""What a certificate claims of which polynomial fields, read off its document for Coq: a family, its laws, members.

The family is one vector of polynomials in the D coordinates, numbered from 1, and in constants after them: coefficients
of the fields listed, or the seed of a program. Nothing is verified here; Coq judges what is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, product
from math import lcm, prod
from typing import Any

Poly = dict[tuple[int, ...], Fraction]  # {the sorted variables of a monomial, with repetition: coefficient}
Member = Sequence[Mapping[int, int]]  # seeds {place: integer} of X_0, X_1, ... in [X_0, [X_1, ...]]
Shape = tuple[int, ...]

MAX_TERMS, MAX_DEGREE, MAX_SEEDS = 200_000, 1_000, 10**6  # far beyond what Coq takes within minutes


@dataclass(frozen=True)
class Claim:
    """A family of fields with the laws and members of a certificate; ``count`` is the number of laws it claims."""

    description: str
    coordinates: list[str]
    constants: list[str]
    fields: list[Poly]
    laws: list[Poly]
    members: list[Any]  # {place: integer}, a seed; or a pair of members, their bracket
    point: list[int]
    count: int


def read_claim(document: Mapping[str, Any]) -> Claim:
    """The claim of a certificate; ValueError with what Coq does not cover."""
    try:
        claim = document["claim"]
        if claim["lower"] != claim["upper"]:
            raise ValueError(f"the bounds do not meet: at least {claim['lower']}, at most {claim['upper']}.")
        found = _explicit(document) if "fields" in document else _of_program(document)
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise ValueError(f"this is no certificate: {type(error).__name__} {error}.") from error
    if len(found.point) != len(found.coordinates):
        raise ValueError(f"the point has {len(found.point)} coordinates, not {len(found.coordinates)}.")
    if len(found.members) * len(found.constants) > MAX_SEEDS:
        raise ValueError(f"{len(found.members)} members of {len(found.constants)} fields are too many for Coq.")
    return found


# --- polynomials -----------------------------------------------------------------------------------------------------


def added(a: Poly, b: Poly, scale: Fraction | int = 1) -> Poly:
    """a + scale b."""
    out = dict(a)
    for m, c in b.items():
        out[m] = out.get(m, Fraction(0)) + c * scale
    return {m: c for m, c in out.items() if c}


def multiplied(a: Poly, b: Poly) -> Poly:
    """A b."""
    out: Poly = {}
    for m, c in a.items():
        for n, e in b.items():
            key = tuple(sorted(m + n))
            out[key] = out.get(key, Fraction(0)) + c * e
    if len(out) > MAX_TERMS:
        raise ValueError(f"a polynomial of the fields has more than {MAX_TERMS:,} terms, too many for Coq.")
    return {m: c for m, c in out.items() if c}


def derivative(p: Poly, v: int) -> Poly:
    """∂p/∂v."""
    out: Poly = {}
    for m, c in p.items():
        if k := m.count(v):
            n = m.index(v)
            out[m[:n] + m[n + 1 :]] = c * k
    return out


def integral(polynomials: Sequence[Poly]) -> list[Poly]:
    """All multiplied by one number that makes their coefficients integers."""
    scale = lcm(*(c.denominator for p in polynomials for c in p.values()))
    return [{m: c * scale for m, c in p.items()} for p in polynomials]


def parsed(text: str, numbers: Mapping[str, int]) -> Poly:
    """2/3*x^2*y - z, the variables by their numbers."""
    out: Poly = {}
    for sign, term in re.findall(r"([+-]?)([^+-]+)", text.replace(" ", "")):
        c, variables = Fraction(-1 if sign == "-" else 1), list[int]()
        for factor in term.split("*"):
            name, _, power = factor.partition("^")
            if re.fullmatch(r"\d+(/\d+)?", factor):
                c *= Fraction(factor)
            elif name in numbers:
                if int(power or 1) > MAX_DEGREE:
                    raise ValueError(f"{factor!r} is of a degree above {MAX_DEGREE}, too large for Coq.")
                variables += [numbers[name]] * int(power or 1)
            else:
                raise ValueError(f"{factor!r} is no power of a variable: Coq covers polynomials.")
        out = added(out, {tuple(sorted(variables)): c})
    return out


# --- the certificate that lists fields -------------------------------------------------------------------------------


def _explicit(document: Mapping[str, Any]) -> Claim:
    names, listed = document["fields"]["variables"], document["fields"]["components"]
    numbers, D = {name: i + 1 for i, name in enumerate(names)}, len(names)
    used = [{name: parsed(text, numbers) for name, text in field.items()} for field in listed]
    family: list[Poly] = [{} for _ in names]
    for k, field in enumerate(used):
        cleared = dict(zip(field, integral(list(field.values())), strict=True))
        for name, p in cleared.items():
            place = numbers[name] - 1
            family[place] = added(family[place], multiplied(p, {(D + k + 1,): Fraction(1)}))
    return Claim(
        document["model"]["description"], list(names), [f"s{k}" for k in range(len(listed))], family,
        _chosen(document, [h for data in document["laws"] for h in _family(data, {}, numbers)]),
        *_members(document, D), document["claim"]["lower"],
    )  # fmt: skip


def _members(document: Mapping[str, Any], dimension: int) -> tuple[list[Any], list[int]]:
    """The members, and the point."""
    lie, point = document["lie"], [0] * dimension
    for place, x in _pairs(lie["point"]):
        point[place] = x
    seeds = [dict(_pairs(seed)) for seed in lie["seeds"]]
    return [_nested([seeds[n] for n in member]) for member in lie["members"]], point


def _chosen(document: Mapping[str, Any], laws: list[Poly]) -> list[Poly]:
    """The laws that are independent."""
    numbers = [n for a, b in document["independence"]["laws"] for n in range(a, b + 1)]
    return _laws([laws[n] for n in numbers], document)


def _laws(laws: list[Poly], document: Mapping[str, Any]) -> list[Poly]:
    """The laws, each with integer coefficients, if they are as many as are claimed."""
    if len(laws) < document["claim"]["lower"]:
        raise ValueError(
            f"the certificate shows {len(laws)} polynomial laws, and {document['claim']['lower']} by closure "
            f"(Frobenius' theorem), which the proof for Coq does not cover."
        )
    return [integral([h])[0] for h in laws]


# --- the certificate that holds a program ----------------------------------------------------------------------------


def _of_program(document: Mapping[str, Any]) -> Claim:
    if "cases" in document:
        raise ValueError("counts near a start and on given inputs are not covered by the proof for Coq.")
    parameters, probes = _shapes(document["parameters"]), _shapes(document["probes"])
    positions = [entry for name, sizes in parameters.items() for entry in _entries(name, sizes)]
    phase = document.get("phase") or {"clock": None, "velocities": False, "drift": None, "metric": None}
    clock = [] if phase["clock"] is None else [phase["clock"]]
    moving = [_primed(name) for name in positions] if phase["velocities"] else []
    coordinates = [*clock, *positions, *moving]
    numbers, D, first = {name: i + 1 for i, name in enumerate(coordinates)}, len(coordinates), len(clock)
    free = [] if phase["drift"] is None else ["drift"]
    seeds = [*free, *(entry for name, sizes in probes.items() for entry in _entries(name, sizes))]
    leaves = _leaves(parameters, first) | _leaves(probes, D + len(free))
    output = _values(document["program"], leaves)
    constants = [*seeds, *(f"c{i}" for i in range(len(output)))]
    total: Poly = {}
    for i, p in enumerate(output):
        total = added(total, multiplied(p, {(D + len(seeds) + i + 1,): Fraction(1)}))
    (total,) = integral([total])
    family: list[Poly] = [{} for _ in coordinates]
    metric = None if phase["metric"] is None else _listed(phase["metric"], numbers)
    kicked = first + (len(positions) if moving else 0)
    for i in range(len(positions)):
        kick = derivative(total, first + i + 1)
        family[kicked + i] = kick if metric is None else multiplied(metric.get(i, {}), kick)
    for place, p in ({} if phase["drift"] is None else _listed(phase["drift"], numbers)).items():
        family[place] = added(family[place], multiplied(p, {(D + 1,): Fraction(1)}))
    laws = [h for data in document["laws"] for h in _family(data, parameters, numbers)]
    return Claim(
        document["model"]["description"], coordinates, constants, family, _chosen(document, laws),
        *_members(document, D), document["claim"]["lower"],
    )  # fmt: skip


def _nested(seeds: Sequence[Mapping[int, int]]) -> Any:
    return seeds[0] if len(seeds) == 1 else (seeds[0], _nested(seeds[1:]))


def _pairs(flat: Sequence[int]) -> list[tuple[int, int]]:
    return [(int(i), int(x)) for i, x in zip(flat[::2], flat[1::2], strict=True)]


def _listed(flat: Sequence[Any], numbers: Mapping[str, int]) -> dict[int, Poly]:
    return {int(i): parsed(text, numbers) for i, text in zip(flat[::2], flat[1::2], strict=True)}


def _shapes(data: Mapping[str, Sequence[int]]) -> dict[str, Shape]:
    return {name: tuple(sizes) for name, sizes in data.items()}


def _indices(sizes: Shape) -> Iterable[Shape]:
    return product(*map(range, sizes))


def _entries(name: str, sizes: Shape) -> list[str]:
    """U[0,0], U[0,1], ..., or U."""
    return [f"{name}[{','.join(map(str, index))}]" if sizes else name for index in _indices(sizes)]


def _primed(name: str) -> str:
    """The velocity of a coordinate."""
    head, bracket, rest = name.partition("[")
    return f"{head}'{bracket}{rest}"


def _leaves(leaves: Mapping[str, Shape], first: int) -> dict[str, list[Poly]]:
    """Their entries as variables, numbered after ``first``."""
    starts = accumulate((prod(sizes) for sizes in leaves.values()), initial=first)
    return {
        name: [{(start + i + 1,): Fraction(1)} for i in range(prod(sizes))]
        for (name, sizes), start in zip(leaves.items(), starts, strict=False)
    }


def _family(data: Mapping[str, Any], parameters: Mapping[str, Shape], numbers: Mapping[str, int]) -> list[Poly]:
    """The laws of a family, in order."""
    ((kind, listed),) = data.items()
    if kind == "polynomials":
        return [parsed(text, numbers) for text in listed]
    if kind not in ("gram", "diagonal"):
        raise ValueError(f"laws of the kind {kind!r} are not covered by the proof for Coq.")
    parts = [(_slices(name, parameters[name], axis, numbers), sign) for name, axis, sign in listed["parts"]]
    r = len(parts[0][0])
    pairs = [(k, j) for k in range(r) for j in range(k, r if kind == "gram" else k + 1)]
    laws = []
    for k, j in pairs:
        law: Poly = {}
        for slices, sign in parts:
            for a, b in zip(slices[k], slices[j], strict=True):
                law = added(law, {tuple(sorted((a, b))): Fraction(sign)})
        laws.append(law)
    return laws


def _slices(name: str, sizes: Shape, axis: int, numbers: Mapping[str, int]) -> list[list[int]]:
    """The variables of each slice along an axis."""
    slices: list[list[int]] = [[] for _ in range(sizes[axis])]
    for index, entry in zip(_indices(sizes), _entries(name, sizes), strict=True):
        slices[index[axis]].append(numbers[entry])
    return slices


# --- evaluation of a program with polynomials ------------------------------------------------------------------------


def _values(program: Mapping[str, Any], leaves: Mapping[str, list[Poly]]) -> list[Poly]:
    """The entries of the output, multiplied out."""
    values, shapes = list[list[Poly]](), list[Shape]()
    for op, inputs, sizes, data in program["nodes"]:
        if op in ("parameter", "probe"):
            value = leaves[data]
        elif op in OPERATIONS:
            value = OPERATIONS[op]([values[i] for i in inputs], [shapes[i] for i in inputs], tuple(sizes), data)
        else:
            raise ValueError(
                f"{data if op == 'function' else op} is no polynomial; Coq covers polynomial fields alone."
            )
        values.append(value)
        shapes.append(tuple(sizes))
    return values[program["output"]]


def _flat(index: Sequence[int], sizes: Shape) -> int:
    """The place of an entry in row-major order; axes of size 1 are repeated, missing ones are left out."""
    place = 0
    for i, size in zip(index[len(index) - len(sizes) :], sizes, strict=True):
        place = place * size + (i if size > 1 else 0)
    return place


def _constant(_: Any, __: Any, sizes: Shape, data: Sequence[Any]) -> list[Poly]:
    given = dict(zip(data[::2], map(Fraction, data[1::2]), strict=True))
    return [{(): given[i]} if i in given else {} for i in range(prod(sizes))]


def _entrywise(combine: Callable[[Poly, Poly], Poly]) -> Callable[..., list[Poly]]:
    def value(values: list[list[Poly]], shapes: list[Shape], sizes: Shape, _: Any) -> list[Poly]:
        (a, b), (s, t) = values, shapes
        return [combine(a[_flat(index, s)], b[_flat(index, t)]) for index in _indices(sizes)]

    return value


def _matmul(values: list[list[Poly]], shapes: list[Shape], sizes: Shape, _: Any) -> list[Poly]:
    (a, b), (s, t) = values, shapes
    out = []
    for *stack, i, j in _indices(sizes):
        total: Poly = {}
        for k in range(s[-1]):
            total = added(total, multiplied(a[_flat((*stack, i, k), s)], b[_flat((*stack, k, j), t)]))
        out.append(total)
    return out


def _transpose(values: list[list[Poly]], shapes: list[Shape], sizes: Shape, axes: Sequence[int]) -> list[Poly]:
    out = []
    for index in _indices(sizes):
        place = dict(zip(axes, index, strict=True))
        out.append(values[0][_flat([place[axis] for axis in range(len(axes))], shapes[0])])
    return out


def _concatenate(values: list[list[Poly]], shapes: list[Shape], sizes: Shape, axis: int) -> list[Poly]:
    out = []
    for index in _indices(sizes):
        n, i = 0, index[axis]
        while i >= shapes[n][axis]:
            n, i = n + 1, i - shapes[n][axis]
        out.append(values[n][_flat([*index[:axis], i, *index[axis + 1 :]], shapes[n])])
    return out


def _sum(values: list[list[Poly]], shapes: list[Shape], sizes: Shape, axis: int) -> list[Poly]:
    out = []
    for index in _indices(sizes):
        total: Poly = {}
        for i in range(shapes[0][axis]):
            total = added(total, values[0][_flat([*index[:axis], i, *index[axis:]], shapes[0])])
        out.append(total)
    return out


OPERATIONS: dict[str, Callable[..., list[Poly]]] = {
    "constant": _constant,
    "add": _entrywise(added),
    "multiply": _entrywise(multiplied),
    "matmul": _matmul,
    "transpose": _transpose,
    "reshape": lambda values, _, __, ___: values[0],
    "take": lambda values, _, __, places: [values[0][i] for i in places],
    "concatenate": _concatenate,
    "sum": _sum,
}
