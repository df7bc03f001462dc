"""Small changes of valid certificates, by kind, and the certificates that they start from."""

import copy
import json
import re
from functools import cache

import sympy
from forged_truth import CLOSED, FORMAT, PROVED, parsed
from oracles import ring_of

import clexact

EVIDENCE = [PROVED, CLOSED, "closed with error <= 2^-10", "closed with error <= 2^-1000", "Proved", "proved ", ""]
PRIMES = ["2", "3", "4", "9", "1", "0", "-7", "-1", "561", "41041", "3215031751", "3825123056546413051", "7", "11",
          "101",
          "18446744073709551557", "18446744073709551629", str(2**64), str(2**64 + 13), str(2**127 - 1), "1000003",
          "1000002", "2305843009213693951", str((2**31 - 1) * (2**29 - 3)), "+7", "07", "0000003103759", " 7", "7 ",
            "7\n",
          "7.0", "7e0", "0x7", "1_000_003", "٧", "７", "²", "", "-", "9" * 4000, "9" * 4001, "9" * 10**5]  # fmt: skip
WRONG = [None, True, False, 0, 1, -1, 1.0, 2.5, float("nan"), float("inf"), 10**30, "", "0", "1", "x", "proved", [], {},
         [[]], [None], {"": ""}, {"x": "y"}, ["0"], [0], "\x00", "\ud800", "é"]  # fmt: skip
HUGE = 10**5  # digits


class Raw(str):
    """Text that stands in the document as it is, without quotes."""


# --- the base --------------------------------------------------------------------------------------------------------


@cache
def base_texts():
    """Small certificates (D <= 8) of every kind of claim."""
    models, explicit = clexact.models, clexact.VectorFields.from_strings
    flows = [clexact.gradient_flow(model) for model in (
        models.linear([2, 1, 2]), models.linear([2, 2, 1]), models.relu([1, 2, 2]), models.neuron(2, 1, [3]),
        models.product(3), models.linear([2, 2, 2]),
    )]  # fmt: skip
    flows += [
        clexact.gradient_flow(models.linear([2, 1, 2]), loss="cross_entropy"),
        explicit(["x", "y"], [["x - x*y", "x*y - y"]]),
        explicit(["x", "y", "z"], [["x", "2*y", "0"], ["0", "0", "z"]]),
        explicit(["x", "y", "z"], [["x", "2*y", "0"], ["0", "y", "3*z"], ["0", "0", "0"]]),
        explicit(["x", "y", "z"], [["2/3*y", "-2/3*x", "0"], ["0", "z", "-y"]]),
        explicit(["x", "y", "z"], [["1", "0", "0"], ["0", "1", "x"]]),
        explicit(["x", "y"], [["0", "0"], ["0", "0"]]),
        explicit(["x", "y"], []),
    ]
    return tuple(clexact.certify(flow, degree=3 if n == 4 else 2).certificate.to_json() for n, flow in enumerate(flows))


def bases():
    """The base certificates as fresh documents."""
    return [json.loads(text) for text in base_texts()]


def written(document):
    """JSON text; ``Raw`` stands without quotes."""
    raws = []

    def marked(value):
        if isinstance(value, Raw):
            raws.append(value)
            return f"@raw{len(raws) - 1}@"
        if isinstance(value, dict):
            return {key: marked(item) for key, item in value.items()}
        return [marked(item) for item in value] if isinstance(value, list) else value

    text = json.dumps(marked(document))
    return re.sub(r'"@raw(\d+)@"', lambda match: raws[int(match[1])], text)


# --- small changes ---------------------------------------------------------------------------------------------------

KINDS = {}  # name: the changes of a document (rng, document) -> words; an exception says that it does not apply


def change(kind):
    """Register a change."""

    def register(function):
        KINDS.setdefault(kind, []).append(function)
        return function

    return register


def pick(rng, items):
    """(place, item) of a list; IndexError if there is none."""
    place = rng.randrange(len(items)) if items else [][0]
    return place, items[place]


def retold(rng, text, names):
    """A polynomial with a coefficient, exponent, sign, variable or term changed, and in words what."""
    terms = re.findall(r"[+-]?[^+-]+", text.replace(" ", ""))
    n = rng.randrange(len(terms))
    how = rng.choice(
        ["coefficient", "exponent", "sign", "variable", "drop", "add", "double", "zero", "fraction", "odd"]
    )
    sign, body = ("-", terms[n][1:]) if terms[n][0] == "-" else ("+", terms[n].lstrip("+"))
    name = rng.choice(names)
    if how == "odd":
        terms[n] = _odd(rng, terms[n], name)
    elif how == "coefficient":
        terms[n] = sign + (re.sub(r"^\d+", lambda m: str(int(m[0]) + 1), body) if body[0].isdigit() else f"3*{body}")
    elif how == "fraction":
        terms[n] = f"{sign}1/{rng.randint(2, 9)}" + ("" if body[0].isdigit() else f"*{body}")
    elif how == "exponent":
        place = body.find("^")
        terms[n] = sign + (
            body[:place] + rng.choice(["", "^3", "^1"]) + body[place + 2 :] if place > 0 else body + "^2"
        )
    elif how == "sign":
        terms[n] = ("-" if sign == "+" else "+") + body
    elif how == "variable":
        old = rng.choice([v for v in names if v in body])
        terms[n] = sign + body.replace(old, name)
    elif how == "drop":
        del terms[n]
    elif how == "add":
        terms.append(f"{rng.choice('+-')}{rng.randint(1, 9)}*{name}" + rng.choice(["", f"^{rng.randint(2, 9)}"]))
    elif how == "double":
        terms += [sign + body] * rng.randint(1, 3)
    else:
        terms = [f"{name}-{name}", "0", "0*" + name, "0/7"][rng.randrange(4)]
    return "".join(terms) or "0", f"{how} of {text[:60]}"


def _odd(rng, term, name):
    """Notation at or beyond the border of what can be read."""
    sign, body = ("-", term[1:]) if term[0] == "-" else ("+", term.lstrip("+"))
    forms = [f"{body}^0", f"{body}^-1", f"{body}^01", f"{body}^999999999", f"{body}^1000000000", f"{body}*2",
          f"2*2*{body}",
             f"{body}**2", f"({body})", f"1/0*{name}", f"0/1*{name}", f"2/-3*{name}", f"1.5*{name}", f"1e3*{name}",
             f"٢*{name}", f"2*{name}^٢", f"²*{name}", f"+{body}", f"--{body}", f"{body}+", f"*{body}", f"{body}*", "",
             f"2{name}", f" 2 * {name} ", f"\t{name}", f"{name}\n", f"unknown*{body}", f"{name}²",
             "1" * 4000 + f"*{name}",
             "1" * 4001, "1" * HUGE, f"{name}^" + "9" * HUGE, f"−{name}", f"1/2/3*{name}", f"007*{name}", "nan",
             "1_0"]  # fmt: skip
    return sign + rng.choice(forms)


@change("field polynomial")
def field_polynomial(rng, d):
    """A component changed."""
    i, X = pick(rng, d["fields"]["components"])
    name = rng.choice(sorted(X) if X else d["fields"]["variables"])
    X[name], words = retold(rng, X.get(name, "0"), d["fields"]["variables"])
    return f"field {i}, component {name}: {words}"


@change("law polynomial")
def law_polynomial(rng, d):
    """A law changed."""
    n, law = pick(rng, d["laws"])
    d["laws"][n], words = retold(rng, law, d["fields"]["variables"])
    return f"law {n}: {words}"


@change("law polynomial")
def law_replaced(rng, d):
    """A law that is a constant, 0, a variable or another law."""
    n, _ = pick(rng, d["laws"])
    others = ["0", "1", "-5/3", *d["fields"]["variables"], *d["laws"], f"{rng.choice(d['fields']['variables'])}^2"]
    d["laws"][n] = rng.choice(others)
    return f"law {n} replaced by {d['laws'][n][:60]}"


@change("fields")
def field_list(rng, d):
    """A field dropped, repeated, moved, put in, scaled, or zero."""
    fields, names = d["fields"]["components"], d["fields"]["variables"]
    how = rng.choice(["drop", "repeat", "shuffle", "zero", "new", "scale", "sum", "all"])
    if how == "drop":
        fields.pop(pick(rng, fields)[0])
    elif how == "repeat":
        fields.insert(rng.randint(0, len(fields)), copy.deepcopy(pick(rng, fields)[1]))
    elif how == "shuffle":
        rng.shuffle(fields)
    elif how == "zero":
        fields.append(rng.choice([{}, {rng.choice(names): "0"}, {names[0]: f"{names[0]} - {names[0]}"}]))
    elif how == "new":
        fields.append({name: rng.choice([*names, "1", f"{names[0]}^2"]) for name in names if rng.random() < 0.5})
    elif how == "scale":
        X, c = pick(rng, fields)[1], rng.choice([-1, 2, 3, 5])
        X.update({name: times(c, text) for name, text in X.items()})
    elif how == "sum":
        a, b = pick(rng, fields)[1], pick(rng, fields)[1]
        fields.append({n: " + ".join(X[n] for X in (a, b) if n in X).replace("+ -", "- ") for n in sorted({*a, *b})})
    else:
        del fields[rng.randint(0, len(fields)) :]
    return f"fields: {how}, {len(fields)} now"


def times(c, text):
    """c * polynomial, as text."""
    terms = re.findall(r"[+-]?[^+-]+", text.replace(" ", ""))
    scaled = []
    for term in terms:
        sign, body = (-1, term[1:]) if term[0] == "-" else (1, term.lstrip("+"))
        number, star, rest = body.partition("*") if body[0].isdigit() else ("1", "*", body)
        top, slash, bottom = number.partition("/")
        scaled.append(f"{'-' if c * sign < 0 else '+'}{abs(c) * int(top)}{slash}{bottom}{star}{rest}")
    return "".join(scaled)


@change("fields")
def field_component(rng, d):
    """A component dropped, moved to another variable, exchanged or put in."""
    i, X = pick(rng, d["fields"]["components"])
    names, how = d["fields"]["variables"], rng.choice(["drop", "move", "exchange", "new", "unknown"])
    name, other = rng.choice(sorted(X)), rng.choice(names)
    if how == "drop":
        del X[name]
    elif how == "move":
        X[other] = X.pop(name)
    elif how == "exchange":
        X[name], X[other] = X.get(other, "0"), X[name]
    else:
        X[other if how == "new" else "unknown"] = rng.choice([*names, "1", X[name]])
    return f"field {i}: {how} component {name}"


@change("fields without the one that kills")
def killer_dropped(rng, d):
    """Only some fields are left, and the claim says what would follow for them."""
    fields = d["fields"]["components"]
    i, _ = pick(rng, fields)
    fields.pop(i)
    d["lie"]["nodes"] = [{"combination": {str(k): "1"}} for k in range(len(fields))]
    d["lie"]["basis"] = list(range(min(len(fields), rng.randint(0, len(fields)))))
    d["lie"]["ranks"] = [len(d["lie"]["basis"])]
    d["claim"]["upper"] = d["dimension"] - len(d["lie"]["basis"])
    new_laws(rng, d)
    kind = d["closure"]["kind"] = rng.choice(["none", "none", "one field", "random points"])
    d["claim"]["lower"] = d["claim"]["upper"] if kind != "none" else d["independence"]["rank"]
    d["claim"]["lower_evidence"] = CLOSED if kind == "random points" else PROVED
    return f"field {i} dropped, brackets replaced by {len(fields)} fields, closure {kind}"


def new_laws(rng, d):
    """Sometimes one law more, that would be one if no field moved this variable."""
    if rng.random() < 0.5:
        d["laws"].append(rng.choice(d["fields"]["variables"]))
        d["independence"]["laws"].append(len(d["laws"]) - 1)
        d["independence"]["rank"] += 1


@change("dependent laws")
def dependent_law(rng, d):
    """A function of the laws among the independent ones, all numbers moved with it."""
    names = d["fields"]["variables"]
    gens = dict(zip(names, ring_of([f"v{i}" for i in range(len(names))]).gens, strict=True))
    a, b = (parsed(pick(rng, d["laws"])[1], gens) for _ in range(2))
    made = rng.choice([a**2, a * b, a + b, a - b, 2 * a, a**3, a + 1, a * b + a, 0 * a, 0 * a + 3])
    d["laws"].append(as_text(made, names))
    grown(rng, d)
    return f"dependent law {d['laws'][-1][:60]} among the independent ones"


def as_text(p, names):
    """Polynomial as text."""
    terms = []
    for exponents, c in p.terms():
        powers = [f"{v}^{k}" if k > 1 else v for v, k in zip(names, exponents, strict=True) if k]
        terms.append("*".join([str(c), *powers]))
    return " + ".join(terms).replace("+ -", "- ") or "0"


def grown(rng, d):
    """The last law counts as one more; the bounds follow, sometimes the brackets too."""
    d["independence"]["laws"].insert(rng.randint(0, len(d["independence"]["laws"])), len(d["laws"]) - 1)
    d["independence"]["rank"] += 1
    d["claim"]["lower"] += rng.choice([0, 1, 1])
    if rng.random() < 0.5:
        d["claim"]["upper"] += 1
        if d["lie"]["basis"] and rng.random() < 0.7:
            d["lie"]["basis"].pop()
            d["lie"]["ranks"][-1] -= 1


@change("dependent laws")
def repeated_law(rng, d):
    """A law twice, or its number twice, or a non-law."""
    names, chosen = d["fields"]["variables"], d["independence"]["laws"]
    if rng.random() < 0.3:
        chosen.append(pick(rng, chosen)[1])
        d["independence"]["rank"] += 1
        d["claim"]["lower"] += 1
        return "the number of a law twice"
    d["laws"].append(rng.choice([*d["laws"], *names, f"{names[0]}^2 - {names[-1]}^2", "1"]))
    grown(rng, d)
    return f"{d['laws'][-1][:60]} put among the independent laws"


@change("independence")
def independence(rng, d):
    """The laws chosen: dropped, repeated, moved, out of range; the rank."""
    data = d["independence"]
    how = rng.choice(["drop", "drop with rank", "repeat", "shuffle", "number", "rank", "none", "lower with it"])
    if how.startswith("drop"):
        data["laws"].pop(pick(rng, data["laws"])[0])
        data["rank"] -= how == "drop with rank"
    elif how == "repeat":
        data["laws"].append(pick(rng, data["laws"])[1])
    elif how == "shuffle":
        rng.shuffle(data["laws"])
    elif how == "number":
        data["laws"][pick(rng, data["laws"])[0]] = odd_index(rng, len(d["laws"]))
    elif how == "none":
        data["laws"], data["rank"] = [], rng.choice([0, 1])
    else:
        data["rank"] += rng.choice([-2, -1, 1, 2])
        d["claim"]["lower"] = data["rank"] if how == "lower with it" else d["claim"]["lower"]
    return f"independence: {how}, {str(data['laws'])[:60]}, rank {str(data['rank'])[:20]}"


def odd_index(rng, count):
    """An index in or out of range, or none at all."""
    return rng.choice([rng.randrange(count + 1), count, count + 1, -1, -count, 10**9, -(10**9), 2**64, 10**40, True,
          False,
                       str(rng.randrange(count + 1)), None, 0.0, 1.0, [0], Raw("-0"), Raw("1" * HUGE),
                       Raw("00")])  # fmt: skip


@change("points")
def point(rng, d):
    """A coordinate, the length, all zero; both points or one."""
    data = d[rng.choice(["independence", "lie"])]
    at, p = data["point"], int(data["prime"])
    how = rng.choice(["coordinate", "odd", "shorter", "longer", "zero", "shift", "multiple", "equal", "negative"])
    n, x = pick(rng, at)
    if how == "coordinate":
        at[n] = str(rng.choice([0, 1, -1, p, p - 1, int(x) + 1, rng.randrange(p)]))
    elif how == "odd":
        at[n] = rng.choice([*PRIMES, int(x), None, [x], x + " ", f"{x}.0", "-0", "--1", Raw("1" * HUGE)])
    elif how in ("shorter", "longer"):
        at[:] = at[:-1] if how == "shorter" else [*at, *at[: rng.randint(1, 3)]]
    elif how == "equal":
        at[:] = [x] * len(at)
    else:
        c = {"zero": 0, "shift": 1, "multiple": 1, "negative": -1}[how]
        at[:] = [str(c * int(y) + {"multiple": p * rng.randint(-9, 9), "shift": p}.get(how, 0)) for y in at]
    return f"point: {how}"


@change("primes")
def prime(rng, d):
    """Composite, tiny, negative, too large, badly written, another prime."""
    data, other = rng.sample([d["independence"], d["lie"]], 2)
    good = [str(sympy.nextprime(rng.randrange(10 ** rng.randint(1, 18)))), str(sympy.prime(rng.randint(1, 30)))]
    odd = [int(data["prime"]), None, True, 7.0, ["7"], str(int(data["prime"]) * 3), Raw("9" * HUGE), *good * 8]
    data["prime"] = rng.choice([*PRIMES, *odd])
    if rng.random() < 0.3:
        other["prime"] = data["prime"]
    if rng.random() < 0.3:
        data["point"] = [str(rng.randint(-9, 9)) for _ in data["point"]]
    return f"prime {str(data['prime'])[:60]}"


@change("ranks")
def ranks(rng, d):
    """Off by one, shorter, longer, permuted, of a wrong type."""
    data = d["lie"]["ranks"]
    how = rng.choice(["off", "shorter", "longer", "permuted", "odd", "empty", "growing"])
    n, r = pick(rng, data)
    if how == "off":
        data[n] = r + rng.choice([-1, 1, 2, 100, 10**30])
    elif how == "shorter":
        del data[n]
    elif how == "longer":
        data[:] = data + [data[-1]] * rng.randint(1, 6)
    elif how == "permuted":
        rng.shuffle(data)
    elif how == "odd":
        data[n] = rng.choice([str(r), float(r), bool(r), None, [r], -r, Raw(f"{r}e0"), Raw("1" * HUGE), Raw("-0")])
    elif how == "empty":
        data.clear()
    else:
        data += [data[-1] + k for k in range(1, rng.randint(2, 4))]
    return f"ranks: {how}"


@change("bounds")
def bounds(rng, d):
    """Every combination of bounds off by some, with every evidence."""
    a, b = rng.choice([-2, -1, 0, 0, 1, 2]), rng.choice([-2, -1, 0, 0, 1, 2])
    d["claim"]["lower"] += a
    d["claim"]["upper"] += b
    for side in ("lower", "upper"):
        if rng.random() < 0.4:
            d["claim"][f"{side}_evidence"] = rng.choice(EVIDENCE)
    if rng.random() < 0.15:
        side = rng.choice(["lower", "upper"])
        x = d["claim"][side]
        d["claim"][side] = rng.choice(
            [str(x), float(x), bool(x), None, [x], Raw("1" * HUGE), Raw(f"{x}.0"), 10**40, -x]
        )
    return f"bounds moved by {a}, {b}: {str(d['claim'])[:120]}"


@change("closure")
def closure(rng, d):
    """The kind, with or without what would go with it."""
    kinds = ["none", "one field", "random points", "None", "proved", "", None, 1, ["none"], "one field "]
    kind = d["closure"]["kind"] = rng.choice(kinds[:3] * 6 + kinds)
    if rng.random() < 0.7:
        d["claim"]["lower"] = rng.choice([d["claim"]["upper"], d["independence"]["rank"]])
        d["claim"]["lower_evidence"] = rng.choice([CLOSED if kind == "random points" else PROVED, *EVIDENCE[:2]])
    if rng.random() < 0.4:
        d["laws"], d["independence"]["laws"], d["independence"]["rank"] = [], [], 0
    if rng.random() < 0.3:
        shrink(rng, d)
    return f"closure {kind}, lower {d['claim']['lower']} {d['claim']['lower_evidence'][:40]}"


def shrink(rng, d):
    """The basis loses a node; ranks and upper bound (and lower, if closed) follow."""
    basis, ranks = d["lie"]["basis"], d["lie"]["ranks"]
    basis.pop(pick(rng, basis)[0])
    ranks[:] = [min(r, len(basis)) for r in ranks]
    d["claim"]["upper"] += 1
    d["claim"]["lower"] += d["closure"]["kind"] != "none"


@change("planned lies")
def brackets_lost(rng, d):
    """Fewer brackets than needed, everything else consistent: the closure is claimed too early."""
    for _ in range(rng.randint(1, 2)):
        shrink(rng, d)
    kind = d["closure"]["kind"] = rng.choice(["none", "one field", "random points"])
    d["claim"]["lower"] = d["claim"]["upper"] if kind != "none" or rng.random() < 0.3 else d["independence"]["rank"]
    d["claim"]["lower_evidence"] = CLOSED if kind == "random points" else PROVED
    return f"brackets lost, closure {kind}, claim {d['claim']}"


@change("planned lies")
def brackets_won(rng, d):
    """One bracket too many: repeated, with itself, of depth one more, a combination of others."""
    nodes, basis, ranks = d["lie"]["nodes"], d["lie"]["basis"], d["lie"]["ranks"]
    a, b = pick(rng, nodes)[0], pick(rng, nodes)[0]
    fields = {str(i): str(rng.randint(-3, 3)) for i in range(len(d["fields"]["components"]))}
    new = rng.choice([{"bracket": [a, b]}, {"bracket": [a, a]}, {"combination": fields}, copy.deepcopy(nodes[a])])
    nodes.append(new)
    basis.insert(rng.randint(0, len(basis)), len(nodes) - 1)
    ranks[-1] += 1
    d["claim"]["upper"] -= 1
    d["claim"]["lower"] -= d["closure"]["kind"] != "none" or rng.random() < 0.5
    if rng.random() < 0.5:
        ranks += [ranks[-1]] * rng.randint(1, 3)
    return f"one bracket too many: {str(new)[:80]}"


@change("nodes")
def node(rng, d):
    """A node changed: coefficients, fields, brackets; forward, negative, huge, boolean references; cycles."""
    nodes, count = d["lie"]["nodes"], len(d["lie"]["nodes"])
    n, old = pick(rng, nodes)
    fields = len(d["fields"]["components"])
    i, c = (
        rng.choice([str(rng.randrange(fields + 1)), "-1", "00", "+0", "1e0", "٠", "", "9" * 9, "9" * 10]),
        rng.choice([*PRIMES, "-1", "0", str(d["lie"]["prime"]), 1, None, Raw("1" * HUGE)]),
    )
    pair = [odd_index(rng, count), rng.choice([n, n + 1, 0, rng.randrange(count), odd_index(rng, count)])]
    changes = [
        {"combination": {**old.get("combination", {}), i: rng.choice([c, "1", "-2"])}},
        {"combination": {key: rng.choice([c, "5"]) for key in old.get("combination", {i: c})}},
        {"combination": {}}, {"bracket": pair}, {"bracket": [n, n]}, {"bracket": [0, n - 1]}, {"bracket": pair[:1]},
        {"bracket": [*pair, 0]}, {"bracket": []}, {**old, "bracket": [0, 0]}, {}, {"field": 0},
        {"bracket": [rng.randrange(count), rng.randrange(count)]}, {"bracket": old.get("bracket", [0, 1])[::-1]},
    ]  # fmt: skip
    nodes[n] = rng.choice(changes)
    return f"node {n}: {str(nodes[n])[:80]}"


@change("nodes")
def node_list(rng, d):
    """Nodes dropped, repeated, moved; the basis with or without them."""
    nodes = d["lie"]["nodes"]
    how, (n, old) = rng.choice(["drop", "repeat", "shuffle", "insert"]), pick(rng, nodes)
    if how == "drop":
        del nodes[n]
    elif how == "shuffle":
        rng.shuffle(nodes)
    else:
        nodes.insert(len(nodes) if how == "repeat" else rng.randint(0, len(nodes)), copy.deepcopy(old))
        if rng.random() < 0.5:
            d["lie"]["basis"].append(len(nodes) - 1)
    return f"nodes: {how} {n}"


@change("basis")
def basis(rng, d):
    """The basis: dropped, repeated, moved, odd indices; ranks sometimes with it."""
    data, count = d["lie"]["basis"], len(d["lie"]["nodes"])
    how = rng.choice(["drop", "repeat", "shuffle", "index", "replace", "empty"])
    if how == "drop":
        data.pop(pick(rng, data)[0])
    elif how == "repeat":
        data.append(pick(rng, data)[1])
    elif how == "shuffle":
        rng.shuffle(data)
    elif how == "empty":
        data.clear()
    else:
        data[pick(rng, data)[0]] = odd_index(rng, count) if how == "index" else rng.randrange(count)
    if rng.random() < 0.4:
        d["lie"]["ranks"][-1] = len(data)
        d["claim"]["upper"] = d["dimension"] - len(data)
    return f"basis: {how}, {str(data)[:60]}"


@change("swapped")
def swapped(rng, d):
    """Parts of another certificate."""
    other = json.loads(rng.choice(base_texts()))
    parts = ["fields", "laws", "independence", "lie", "closure", "claim", "dimension", "model", "assumptions"]
    taken = rng.sample(parts, rng.choice([1, 1, 2, 3, 5, 7]))
    if rng.random() < 0.5 and {"fields", "dimension"} & set(taken):
        taken = sorted({*taken, "fields", "dimension"})
    d.update({key: other[key] for key in taken})
    return f"{', '.join(taken)} of the {other['model']['description']}"


@change("variables")
def variables(rng, d):
    """Names repeated, renamed, moved, odd; the dimension off."""
    names = d["fields"]["variables"]
    how, n = rng.choice(["repeat", "rename", "shuffle", "more", "less", "dimension", "everywhere"]), pick(rng, names)[0]
    odd = [
        "",
        " ",
        "x y",
        "1x",
        "x[",
        "x[0,]",
        "x[0]",
        "é",
        "x٣",
        "x-1",
        "x^2",
        "2",
        "\ud800",
        "nan",
        "_x",
        "x\n",
        "x²",
        None,
        0,
    ]
    if how == "repeat":
        names[n] = pick(rng, names)[1]
    elif how == "rename":
        names[n] = rng.choice(odd)
    elif how == "shuffle":
        rng.shuffle(names)
    elif how == "more":
        names.append(rng.choice(["extra", *odd, *names]))
        d["dimension"] += rng.choice([0, 1, 1])
    elif how == "less":
        del names[n]
        d["dimension"] -= rng.choice([0, 1, 1])
    elif how == "dimension":
        dim = d["dimension"]
        wrong = [
            dim + 1,
            dim - 1,
            0,
            -dim,
            10**30,
            str(dim),
            float(dim),
            True,
            None,
            [dim],
            Raw("9" * HUGE),
            Raw("1e1"),
        ]
        d["dimension"] = rng.choice(wrong)
    else:
        return renamed(rng, d, names[n])
    return f"variables: {how}"


def renamed(rng, d, old):
    """A variable renamed wherever it stands: nothing that is claimed changes, if the name can be read."""
    new = rng.choice(["other", "é", "a[7]", "a[1,2,3]", "x1", "_", "λ", "変数", "a b", "1a", "a-b", "x٣"])
    text = json.dumps([d["fields"], d["laws"]], ensure_ascii=False)
    word = rf"(?<![\w\]]){re.escape(old)}(?![\w\[])"
    d["fields"], d["laws"] = json.loads(re.sub(word, new, text))
    return f"{old} renamed {new!r} everywhere"


@change("harmless")
def harmless(rng, d):
    """A true certificate of the same or of other numbers: moved, scaled, padded."""
    how = rng.choice(
        ["scale laws", "more laws", "other point", "padded ranks", "same text", "model", "spaces", "extra node"]
    )
    if how == "scale laws":
        n, law = pick(rng, d["laws"])
        d["laws"][n] = times(rng.choice([-1, 2, 7, -30]), law)
    elif how == "more laws":
        d["laws"] += [rng.choice(["1", "0", "5/3", *d["laws"]]) for _ in range(rng.randint(1, 4))]
    elif how == "other point":
        data = d[rng.choice(["lie", "independence"])]
        data["prime"] = str(sympy.nextprime(rng.randrange(10**9, 10**18)))
        data["point"] = [str(rng.randrange(10**9)) for _ in data["point"]]
    elif how == "padded ranks":
        d["lie"]["ranks"] += [d["lie"]["ranks"][-1]] * rng.randint(1, 30)
    elif how == "extra node":
        d["lie"]["nodes"].append(
            {"combination": {str(pick(rng, d["fields"]["components"])[0]): str(rng.randint(-99, 99))}}
        )
    elif how == "spaces":
        d["laws"] = [law.replace("*", " * ").replace(" ", " " * rng.randint(1, 5)) for law in d["laws"]]
    else:
        d["model"] = {"description": f"words {rng.randrange(10**6)}", "family": rng.choice(["linear", None, []])}
    return how


@change("words")
def words(rng, d):
    """Format, version, model and assumptions; only the format is checked, of the others the type."""
    key = rng.choice(["format", "version", "model", "assumptions"])
    d[key] = rng.choice([*WRONG, FORMAT + " ", "clexact-certificate-2", FORMAT.upper(), [FORMAT], {"family": "linear"}])
    return f"{key} is {str(d[key])!a:.60}"


@change("keys")
def keys(rng, d):
    """A key missing, renamed, added or exchanged in some object."""
    path = rng.choice([path for path in places(d) if isinstance(at(d, path), dict) and path[:1] != ("model",)])
    data, how = at(d, path), rng.choice(["missing", "renamed", "extra", "exchanged", "case"])
    key = rng.choice(list(data)) if data else ""
    if how == "missing":
        del data[key]
    elif how in ("renamed", "case"):
        data[key.upper() if how == "case" and key.upper() != key else f"{key} "] = data.pop(key)
    elif how == "extra":
        data[rng.choice(["extra", "", "x", "proof", "__class__", "0"])] = rng.choice(WRONG[:-3])
    else:
        other = rng.choice([k for k in data if k != key])
        data[key], data[other] = data[other], data[key]
    return f"{how} key {key!r} in {'/'.join(map(str, path)) or 'the document'}"


@change("types")
def types(rng, d):
    """A value of another type at any place."""
    path = rng.choice([path for path in places(d) if path])
    at(d, path[:-1])[path[-1]] = copy.deepcopy(rng.choice(WRONG))
    return f"{'/'.join(map(str, path))} is {str(at(d, path))!a:.40}"


@change("sizes")
def sizes(rng, d):
    """Huge integers as JSON numbers and in strings, deep nesting, long lists."""
    path = rng.choice([path for path in places(d) if path])
    digits = rng.choice([20, 640, 4000, 4001, 4299, 4300, 4301, HUGE])
    deep = rng.choice([10, 100, 900, 10**4, 10**5])
    values = [Raw("7" * digits), "7" * digits, Raw("-" + "7" * digits), "-" + "7" * digits,
          Raw("[" * deep + "]" * deep),
              Raw('{"a":' * deep + "1" + "}" * deep), [0] * 10**4, ["1"] * 10**4, "+".join(["1"] * 10**4),
              Raw("1e" + "9" * 9),
              "-" * digits, "*".join("1" * 999), "x" * digits, "x^" + "9" * digits, "(" * digits]  # fmt: skip
    at(d, path[:-1])[path[-1]] = value = rng.choice(values)
    return f"{'/'.join(map(str, path))} is {len(value)} long: {str(value)[:20]}"


@change("sizes")
def long_lists(rng, d):
    """Many equal fields, laws or nodes: true still, or nearly."""
    key, count = rng.choice(["components", "laws", "nodes"]), rng.choice([100, 300])
    data = d["fields"]["components"] if key == "components" else d["laws"] if key == "laws" else d["lie"]["nodes"]
    data += [copy.deepcopy(pick(rng, data)[1]) for _ in range(count)]
    return f"{count} more {key}"


@change("deep brackets")
def deep(rng, d):
    """Brackets of brackets: exponential work if they were evaluated without a limit."""
    nodes, depth, (b, _) = d["lie"]["nodes"], rng.randint(3, 14), pick(rng, d["lie"]["nodes"])
    how = rng.choice(["left", "right", "itself", "last two"])
    for k in range(depth):
        last, other = (b if not k else len(nodes) - 1), pick(rng, nodes)[0]
        pairs = {"left": [last, other % 3 % len(nodes)], "right": [other % 3 % len(nodes), last], "itself": [last,
            last],
                 "last two": [last, max(0, len(nodes) - 2)]}  # fmt: skip
        nodes.append({"bracket": pairs[how]})
    if rng.random() < 0.8:
        d["lie"]["basis"] += [len(nodes) - 1] * rng.choice([1, 1, 2, 20])
    return f"{depth} nested brackets, {how}"


def places(value, path=()):
    """The paths of all values in a document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def at(value, path):
    """The value at a path."""
    for key in path:
        value = value[key]
    return value
