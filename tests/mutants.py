"""Mutants of valid certificates, to fool the verifier with; and the truth of what a mutant claims, by the oracle."""

import copy
import json
import random
import re
from functools import cache

import sympy
from oracles import generic_rank, gradient_rank, is_law, ring_of

import clexact
from clexact.proofs import fields_certificate
from clexact.proofs.verifier import large

SECTIONS = ["fields", "laws", "independence", "lie", "closure", "claim", "dimension"]
KEYS = [*large.LISTED_KEYS, "closure"]
NUMBERS = ["0", "1", "-1", "2", "3", "4", "9", "561", "7", "8", "1000003", str(2**61 - 1), str(2**64 + 13), "9" * 3999,
           "9" * 5000, "+7", "07", " 7", "7.0", "1e3", "٣", "", "x", str(2**63), "3825123056546413051"]  # fmt: skip
VALUES = [None, True, False, 0, -1, 1, 2, 10**30, "", "0", "x", [], {}, [[]], {"a": 1}, "proved"]
TEXTS = [
    "",
    "null",
    "[]",
    "{}",
    "\x00",
    "\ufeff{}",
    "NaN",
    "[" * 10**5,
    '{"format":' * 10**4,
    "1" * 10**5,
    '{"a":1,"a":2}',
]


def certificates():
    """Small certificates of every kind of claim."""
    flows = [
        clexact.gradient_flow(clexact.models.linear([2, 1, 2])),
        clexact.gradient_flow(clexact.models.linear([2, 2, 1])),
        clexact.gradient_flow(clexact.models.relu([1, 2, 2])),
        clexact.gradient_flow(clexact.models.neuron(2, 1, [3])),
        clexact.gradient_flow(clexact.models.product(3)),
        clexact.gradient_flow(clexact.models.linear([2, 1, 2]), loss="cross_entropy"),
        clexact.VectorFields.from_strings(["x", "y"], [["x - x*y", "x*y - y"]]),
        clexact.VectorFields.from_strings(["x", "y", "z"], [["x", "2*y", "0"], ["0", "0", "z"]]),
        clexact.VectorFields.from_strings(["x", "y", "z"], [["2/3*y", "-2/3*x", "0"], ["0", "z", "-y"]]),
        clexact.VectorFields.from_strings(["x", "y"], [["0", "0"]]),
        clexact.VectorFields.from_strings(["x", "y"], []),
    ]
    documents = [fields_certificate.of_count(clexact.certify(flow)) for flow in flows]
    return [json.loads(json.dumps(document)) for document in documents]


def slots(document, path=()):
    """Every place of a document, as a path of keys."""
    yield path
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inner:
        yield from slots(value, (*path, key))


def changed_text(rng, text):
    """A polynomial or a number with one thing changed."""
    choice = rng.randrange(9)
    numbers, names = list(re.finditer(r"\d+", text)), re.findall(r"[^\W\d]\w*(?:\[[\d,]+\])?", text)
    if choice == 0 and numbers:
        match = rng.choice(numbers)
        return text[: match.start()] + str(int(match[0]) + rng.choice([-1, 1, 2, 10])) + text[match.end() :]
    if choice == 1:
        return text.replace(*rng.choice([(" - ", " + "), (" + ", " - "), ("*", "/"), ("^2", "^3"), ("^2", "")]), 1)
    if choice == 2 and len(names) > 1:
        a, b = rng.sample(names, 2)
        return text.replace(a, b, 1)
    if choice == 3:
        return rng.choice(NUMBERS)
    if choice == 4 and names:
        return f"{text} {rng.choice('+-')} {rng.choice(names)}"
    if choice == 5 and names:
        return f"{text}*{rng.choice(names)}"
    if choice == 6:
        place = rng.randrange(len(text) + 1)
        return text[:place] + rng.choice("0123456789+-*/^ ().eE\u0660[]") + text[place:]
    if choice == 7:
        return "-" + text
    return f"2*{text}"


def changed_list(rng, items):
    """A list with an item dropped, repeated, moved, doubled or put in."""
    items = list(items)
    choice = rng.randrange(5)
    if choice == 0 and items:
        items.pop(rng.randrange(len(items)))
    elif choice == 1 and items:
        items.insert(rng.randrange(len(items) + 1), copy.deepcopy(rng.choice(items)))
    elif choice == 2:
        rng.shuffle(items)
    elif choice == 3 and items:
        items[rng.randrange(len(items))] = copy.deepcopy(rng.choice(items))
    else:
        items.append(copy.deepcopy(rng.choice(VALUES)))
    return items


def changed_object(rng, data):
    """An object with a key dropped, renamed or added, or two values swapped."""
    data = dict(data)
    keys, choice = list(data), rng.randrange(4)
    if choice == 0 and keys:
        data.pop(rng.choice(keys))
    elif choice == 1 and keys:
        data[rng.choice(["x", "y", "0", "1", "-1", "99", "extra", "closure"])] = data.pop(rng.choice(keys))
    elif choice == 2 and len(keys) > 1:
        a, b = rng.sample(keys, 2)
        data[a], data[b] = data[b], data[a]
    else:
        data[rng.choice(["x", "0", "extra", "closure", "polynomials"])] = copy.deepcopy(rng.choice(VALUES))
    return data


def changed(rng, value):
    """A value with one thing changed, sometimes its type."""
    if rng.random() < 0.08:
        return copy.deepcopy(rng.choice(VALUES))
    if isinstance(value, bool) or value is None:
        return 1
    if isinstance(value, int):
        return rng.choice([value + 1, value - 1, -value, value + 1000, 10**20, float(value), str(value), value + 2])
    if isinstance(value, str):
        return changed_text(rng, value)
    return changed_list(rng, value) if isinstance(value, list) else changed_object(rng, value)


def with_dependent_law(rng, document):
    """A law that is a function of others, put among the independent ones."""
    if document["laws"]:
        laws = document["laws"][0]["polynomials"]
        a, b = sympy.sympify(0), sympy.sympify(0)
        names = {name: sympy.Symbol(f"v{i}") for i, name in enumerate(document["fields"]["variables"])}
        a, b = (as_sympy(rng.choice(laws), names) for _ in range(2))
        made = sympy.expand(rng.choice([a * b, a + b, a - b, 2 * a, a**2, a + 1]))
        laws.append(as_text(made, names))
        document["independence"]["laws"].append([len(laws) - 1, len(laws) - 1])
        document["independence"]["rank"] += 1
        document["claim"]["lower"] += 1
        if rng.random() < 0.5:
            document["claim"]["upper"] += 1


def as_sympy(text, names):
    """Text of a polynomial as SymPy, names with indices included."""
    text = re.sub(large.VARIABLE, lambda match: str(names[match[0]]), text.replace(" ", ""))
    return sympy.sympify(text.replace("^", "**"))


def as_text(expression, names):
    """The other way round."""
    text = str(expression).replace("**", "^")
    for name, symbol in sorted(names.items(), key=lambda item: -len(str(item[1]))):
        text = text.replace(str(symbol), name)
    return text


def consistent_lie(rng, document):
    """Bounds and ranks moved together, so that only the mathematics can tell."""
    step = rng.choice([-1, 1])
    document["claim"]["upper"] -= step
    document["lie"]["ranks"][-1] += step
    if "closure" in document or rng.random() < 0.5:
        document["claim"]["lower"] -= step
    members = document["lie"]["members"]
    if step > 0 and members:
        one = rng.choice(members)
        members.append(one if rng.random() < 0.5 else [rng.randrange(len(document["lie"]["seeds"])), *one])
    elif members:
        members.pop()


def dropped_field(rng, document):
    """A field less, or one more: the claim is about other fields then."""
    components = document["fields"]["components"]
    if components and rng.random() < 0.6:
        components.pop(rng.randrange(len(components)))
    else:
        names = document["fields"]["variables"]
        components.append({rng.choice(names): rng.choice(names)})


def other_closure(rng, document):
    """Another kind of closure, with the bounds and the words that would go with it."""
    document.pop("closure", None)
    if kind := rng.choice(["", "one field", "random points"]):
        document["closure"] = kind
    document["claim"]["lower"] = document["claim"]["upper"]
    document["claim"]["lower_evidence"] = large.CLOSED if kind == "random points" else "proved"
    if rng.random() < 0.5:
        document["lie"]["ranks"].append(document["lie"]["ranks"][-1])


PLANNED = [with_dependent_law, consistent_lie, dropped_field, other_closure]


def mutate(rng, documents):
    """(kind, text) of one mutant."""
    document = copy.deepcopy(rng.choice(documents))
    kind = rng.choice(["place"] * 6 + ["planned"] * 4 + ["swapped"] * 2 + ["text"])
    if kind == "text":
        text = json.dumps(document)
        cut = rng.randrange(len(text))
        broken = [text[:cut], text + rng.choice("x}] 1"), text[:cut] + rng.choice('"{}[],:0') + text[cut:]]
        renamed = [text.replace('"claim"', '"laws"'), text.replace("1", "NaN", 1)]
        return kind, rng.choice([*broken, *renamed, *TEXTS])
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if kind == "place":
            _change_place(rng, document)
        elif kind == "planned":
            rng.choice(PLANNED)(rng, document)
        else:
            section = rng.choice(SECTIONS)
            replace(document, section, rng.choice(documents))
    if rng.random() < 0.95 and isinstance(document.get("fields"), dict):
        document["sha256"] = large.program_hash(document)
    return kind, json.dumps(document)


def replace(document, section, other):
    """A section of another certificate, or none where that has none."""
    document.pop(section, None)
    if section in other:
        document[section] = copy.deepcopy(other[section])


def _change_place(rng, document):
    section = rng.choice([key for key in (*SECTIONS, *SECTIONS, *KEYS) if key in document])
    *path, last = (section, *rng.choice(list(slots(document[section]))))
    holder = document
    for key in path:
        holder = holder[key]
    holder[last] = changed(rng, holder[last])


def mutants(count, seed=0):
    """Distinct mutants, none of them a certificate that was given."""
    rng, documents = random.Random(seed), certificates()
    seen = {json.dumps(document) for document in documents}
    while count:
        try:
            kind, text = mutate(rng, documents)
        except (TypeError, KeyError, IndexError, AttributeError, ValueError):
            continue  # an earlier change of this mutant took away what the next one needs
        if text not in seen:
            seen.add(text)
            count -= 1
            yield kind, text


@cache
def number_of_laws(text):
    """Exact number of independent laws of fields given as JSON, and the fields, by the oracle."""
    data = json.loads(text)
    names = {name: sympy.Symbol(f"v{i}") for i, name in enumerate(data["variables"])}
    ring = ring_of([str(s) for s in names.values()])
    fields = [
        [ring.from_expr(as_sympy(field.get(name, "0"), names)) for name in data["variables"]]
        for field in data["components"]
    ]
    fields = [X for X in fields if any(X)]
    return len(names) - generic_rank(fields, len(names)), fields, ring, names


def is_true(document):
    """Whether all that an accepted mutant claims holds, by the oracle: laws, their independence, both bounds."""
    exact, fields, ring, names = number_of_laws(json.dumps(document["fields"]))
    laws = [ring.from_expr(as_sympy(law, names)) for family in document["laws"] for law in family["polynomials"]]
    chosen = [laws[n] for a, b in document["independence"]["laws"] for n in range(a, b + 1)]
    given = dict(zip(document["independence"]["point"][::2], document["independence"]["point"][1::2], strict=True))
    point = [given.get(i, 0) for i in range(document["dimension"])]
    independent = gradient_rank(chosen, point) == len(chosen) == document["independence"]["rank"]
    claim = document["claim"]
    bounds = claim["lower"] <= exact <= claim["upper"]
    return all(is_law(h, fields) for h in laws) and independent and bounds and document["dimension"] == len(names)
