"""Small changes of valid certificates that list fields, by kind, and the certificates that they start from."""

import copy
import json
import re
from functools import cache

import sympy
from forged_truth import CLOSED, FORMAT, PROVED, parsed
from oracles import ring_of

import clexact
from clexact.proofs import fields_certificate

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
    counts = [clexact.certify(flow, degree=3 if n == 4 else 2) for n, flow in enumerate(flows)]
    return tuple(clexact.Certificate(fields_certificate.of_count(count)).to_json() for count in counts)


def bases():
    """The base certificates as fresh documents."""
    return [json.loads(text) for text in base_texts()]


def texts(d):
    """The laws, as one family."""
    if not d["laws"]:
        d["laws"] = [{"polynomials": []}]
    (family,) = d["laws"]
    return family["polynomials"]


def chosen(d):
    """The numbers of the laws that are independent, each as a range of its own."""
    data = d["independence"]
    data["laws"] = [[n, n] for a, b in data["laws"] for n in range(a, b + 1)]
    return data["laws"]


def close(d, kind):
    """How closure is shown, or that it is not."""
    d.pop("closure", None)
    if kind != "none":
        d["closure"] = kind


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
    n, law = pick(rng, texts(d))
    texts(d)[n], words = retold(rng, law, d["fields"]["variables"])
    return f"law {n}: {words}"


@change("law polynomial")
def law_replaced(rng, d):
    """A law that is a constant, 0, a variable or another law."""
    n, _ = pick(rng, texts(d))
    others = ["0", "1", "-5/3", *d["fields"]["variables"], *texts(d), f"{rng.choice(d['fields']['variables'])}^2"]
    texts(d)[n] = rng.choice(others)
    return f"law {n} replaced by {texts(d)[n][:60]}"


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
    d["lie"]["seeds"] = [[k, 1] for k in range(len(fields))]
    d["lie"]["members"] = [[k] for k in range(rng.randint(0, len(fields)))]
    d["lie"]["ranks"] = [len(d["lie"]["members"])]
    d["claim"]["upper"] = d["dimension"] - len(d["lie"]["members"])
    new_laws(rng, d)
    kind = rng.choice(["none", "none", "one field", "random points"])
    close(d, kind)
    d["claim"]["lower"] = d["claim"]["upper"] if kind != "none" else d["independence"]["rank"]
    d["claim"]["lower_evidence"] = CLOSED if kind == "random points" else PROVED
    return f"field {i} dropped, brackets replaced by {len(fields)} fields, closure {kind}"


def new_laws(rng, d):
    """Sometimes one law more, that would be one if no field moved this variable."""
    if rng.random() < 0.5:
        texts(d).append(rng.choice(d["fields"]["variables"]))
        chosen(d).append([len(texts(d)) - 1] * 2)
        d["independence"]["rank"] += 1


@change("dependent laws")
def dependent_law(rng, d):
    """A function of the laws among the independent ones, all numbers moved with it."""
    names = d["fields"]["variables"]
    gens = dict(zip(names, ring_of([f"v{i}" for i in range(len(names))]).gens, strict=True))
    a, b = (parsed(pick(rng, texts(d))[1], gens) for _ in range(2))
    made = rng.choice([a**2, a * b, a + b, a - b, 2 * a, a**3, a + 1, a * b + a, 0 * a, 0 * a + 3])
    texts(d).append(as_text(made, names))
    grown(rng, d)
    return f"dependent law {texts(d)[-1][:60]} among the independent ones"


def as_text(p, names):
    """Polynomial as text."""
    terms = []
    for exponents, c in p.terms():
        powers = [f"{v}^{k}" if k > 1 else v for v, k in zip(names, exponents, strict=True) if k]
        terms.append("*".join([str(c), *powers]))
    return " + ".join(terms).replace("+ -", "- ") or "0"


def grown(rng, d):
    """The last law counts as one more; the bounds follow, sometimes the brackets too."""
    chosen(d).insert(rng.randint(0, len(chosen(d))), [len(texts(d)) - 1] * 2)
    d["independence"]["rank"] += 1
    d["claim"]["lower"] += rng.choice([0, 1, 1])
    if rng.random() < 0.5:
        d["claim"]["upper"] += 1
        if d["lie"]["members"] and rng.random() < 0.7:
            d["lie"]["members"].pop()
            d["lie"]["ranks"][-1] -= 1


@change("dependent laws")
def repeated_law(rng, d):
    """A law twice, or its number twice, or a non-law."""
    names, laws = d["fields"]["variables"], chosen(d)
    if rng.random() < 0.3:
        laws.append(pick(rng, laws)[1])
        d["independence"]["rank"] += 1
        d["claim"]["lower"] += 1
        return "the number of a law twice"
    texts(d).append(rng.choice([*texts(d), *names, f"{names[0]}^2 - {names[-1]}^2", "1"]))
    grown(rng, d)
    return f"{texts(d)[-1][:60]} put among the independent laws"


@change("independence")
def independence(rng, d):
    """The laws chosen: dropped, repeated, moved, out of range; the rank."""
    data, _ = d["independence"], chosen(d)
    how = rng.choice(
        ["drop", "drop with rank", "repeat", "shuffle", "number", "rank", "none", "lower with it", "range"]
    )
    if how.startswith("drop"):
        data["laws"].pop(pick(rng, data["laws"])[0])
        data["rank"] -= how == "drop with rank"
    elif how == "repeat":
        data["laws"].append(pick(rng, data["laws"])[1])
    elif how == "shuffle":
        rng.shuffle(data["laws"])
    elif how == "number":
        data["laws"][pick(rng, data["laws"])[0]] = [odd_index(rng, len(texts(d)))] * 2
    elif how == "range":
        data["laws"] = [[odd_index(rng, len(texts(d))), odd_index(rng, len(texts(d)))], *data["laws"][1:]]
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
    how = rng.choice(
        ["coordinate", "odd", "place", "shorter", "longer", "zero", "shift", "multiple", "equal", "negative"]
    )
    n, x = (2 * (k := pick(rng, at[1::2])[0]) + 1, at[2 * k + 1])
    if how == "coordinate":
        at[n] = rng.choice([0, 1, -1, p, p - 1, x + 1, rng.randrange(p)])
    elif how == "odd":
        at[n] = rng.choice([*PRIMES, str(x), None, [x], float(x), Raw("-0"), Raw("1" * HUGE), 2**64, 2**64 - 1])
    elif how == "place":
        at[n - 1] = odd_index(rng, d["dimension"])
    elif how in ("shorter", "longer"):
        at[:] = at[: -rng.randint(1, 2)] if how == "shorter" else [*at, *rng.choice([[0], [0, 0], [d["dimension"], 1]])]
    else:
        c, more = {"zero": 0, "negative": -1}.get(how, 1), {"multiple": p * rng.randint(-9, 9), "shift": p}.get(how, 0)
        at[1::2] = [x if how == "equal" else c * y + more for y in at[1::2]]
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
        data["point"][1::2] = [rng.randint(-9, 9) for _ in data["point"][1::2]]
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
    kind = rng.choice(kinds[:3] * 6 + kinds)
    close(d, kind)
    if rng.random() < 0.7:
        d["claim"]["lower"] = rng.choice([d["claim"]["upper"], d["independence"]["rank"]])
        d["claim"]["lower_evidence"] = rng.choice([CLOSED if kind == "random points" else PROVED, *EVIDENCE[:2]])
    if rng.random() < 0.4:
        d["laws"], d["independence"]["laws"], d["independence"]["rank"] = [], [], 0
    if rng.random() < 0.3:
        shrink(rng, d)
    return f"closure {str(kind)!a:.30}, lower {d['claim']['lower']} {d['claim']['lower_evidence'][:40]}"


def shrink(rng, d):
    """A member less; ranks and upper bound (and lower, if closed) follow."""
    members, ranks = d["lie"]["members"], d["lie"]["ranks"]
    members.pop(pick(rng, members)[0])
    ranks[:] = [min(r, len(members)) for r in ranks]
    d["claim"]["upper"] += 1
    d["claim"]["lower"] += "closure" in d


@change("planned lies")
def brackets_lost(rng, d):
    """Fewer brackets than needed, everything else consistent: the closure is claimed too early."""
    for _ in range(rng.randint(1, 2)):
        shrink(rng, d)
    kind = rng.choice(["none", "one field", "random points"])
    close(d, kind)
    d["claim"]["lower"] = d["claim"]["upper"] if kind != "none" or rng.random() < 0.3 else d["independence"]["rank"]
    d["claim"]["lower_evidence"] = CLOSED if kind == "random points" else PROVED
    return f"brackets lost, closure {kind}, claim {d['claim']}"


@change("planned lies")
def brackets_won(rng, d):
    """One bracket too many: repeated, with itself, of depth one more, a combination of others."""
    seeds, members, ranks = d["lie"]["seeds"], d["lie"]["members"], d["lie"]["ranks"]
    a, b = pick(rng, seeds)[0], pick(rng, members)[1]
    new = rng.choice([[a, *b], [a, a], [len(seeds)], copy.deepcopy(b), [b[-1], *b]])
    if new == [len(seeds)]:
        seeds.append([x for i in range(len(d["fields"]["components"])) for x in (i, rng.randint(-3, 3))])
    members.insert(rng.randint(0, len(members)), new)
    ranks[-1] += 1
    d["claim"]["upper"] -= 1
    d["claim"]["lower"] -= "closure" in d or rng.random() < 0.5
    if rng.random() < 0.5:
        ranks += [ranks[-1]] * rng.randint(1, 3)
    return f"one bracket too many: {str(new)[:80]}"


@change("seeds")
def seed(rng, d):
    """A seed changed: coefficients, fields; negative, huge, boolean; or the list of seeds."""
    seeds, fields = d["lie"]["seeds"], len(d["fields"]["components"])
    n, old = pick(rng, seeds)
    c = rng.choice(
        [0, 1, -1, 7, int(d["lie"]["prime"]), 2**64 - 1, 2**64, -(2**70), "1", None, True, 1.0, Raw("1" * HUGE)]
    )
    i = rng.choice([rng.randrange(fields + 1), fields, -1, 10**9, "0", None, False, Raw("-0")])
    how = rng.choice(["number", "place", "more", "empty", "odd", "drop", "repeat", "shuffle"])
    if how == "number":
        old[1] = c
    elif how == "place":
        old[0] = i
    elif how == "more":
        old += rng.choice([[fields - 1, 5], [i, 1], [0, c], old, [1]])
    elif how in ("empty", "odd"):
        seeds[n] = [] if how == "empty" else rng.choice([{"0": "1"}, [[0, 1]], None, "0", [0, 1, 0, 1], [1, 1, 0, 1]])
    elif how == "drop":
        del seeds[n]
    elif how == "repeat":
        seeds.insert(rng.randint(0, len(seeds)), copy.deepcopy(old))
    else:
        rng.shuffle(seeds)
    return f"seeds: {how} {n}, {str(seeds)[:60]}"


@change("members")
def member(rng, d):
    """The members: dropped, repeated, moved, turned round, longer, odd numbers; ranks sometimes with it."""
    data, count = d["lie"]["members"], len(d["lie"]["seeds"])
    how = rng.choice(["drop", "repeat", "shuffle", "index", "turned", "longer", "replace", "empty", "nothing"])
    if how == "drop":
        data.pop(pick(rng, data)[0])
    elif how == "repeat":
        data.append(pick(rng, data)[1])
    elif how == "shuffle":
        rng.shuffle(data)
    elif how == "empty":
        data.clear()
    elif how == "nothing":
        data[pick(rng, data)[0]] = rng.choice([[], None, 0, {}, [[0]]])
    elif how == "turned":
        pick(rng, data)[1].reverse()
    else:
        one = pick(rng, data)[1]
        new = odd_index(rng, count) if how == "index" else rng.randrange(count)
        one[:] = [new, *one] if how == "longer" else [new, *one[1:]]
    if rng.random() < 0.4:
        d["lie"]["ranks"][-1] = len(data)
        d["claim"]["upper"] = d["dimension"] - len(data)
    return f"members: {how}, {str(data)[:60]}"


@change("swapped")
def swapped(rng, d):
    """Parts of another certificate."""
    other = json.loads(rng.choice(base_texts()))
    parts = ["fields", "laws", "independence", "lie", "claim", "dimension", "model", "assumptions"]
    parts += ["closure"] * ("closure" in other)
    taken = rng.sample(parts, rng.choice([1, 1, 2, 3, 5, 7]))
    if rng.random() < 0.3:
        close(d, "none")
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
        ["scale laws", "more laws", "other point", "padded ranks", "same text", "model", "spaces", "extra seed"]
    )
    if how == "scale laws":
        n, law = pick(rng, texts(d))
        texts(d)[n] = times(rng.choice([-1, 2, 7, -30]), law)
    elif how == "more laws":
        texts(d).extend([rng.choice(["1", "0", "5/3", *texts(d)]) for _ in range(rng.randint(1, 4))])
    elif how == "other point":
        data = d[rng.choice(["lie", "independence"])]
        data["prime"] = str(sympy.nextprime(rng.randrange(10**9, 10**18)))
        data["point"][1::2] = [rng.randrange(10**9) for _ in data["point"][1::2]]
    elif how == "padded ranks":
        d["lie"]["ranks"] += [d["lie"]["ranks"][-1]] * rng.randint(1, 30)
    elif how == "extra seed":
        d["lie"]["seeds"].append([pick(rng, d["fields"]["components"])[0], rng.randint(-99, 99)])
    elif how == "spaces":
        texts(d)[:] = [law.replace("*", " * ").replace(" ", " " * rng.randint(1, 5)) for law in texts(d)]
    else:
        d["model"] = {"description": f"words {rng.randrange(10**6)}", "family": rng.choice(["linear", None, []])}
    return how


@change("words")
def words(rng, d):
    """Format, version, model and assumptions; only the format is checked, of the others the type."""
    key = rng.choice(["format", "version", "model", "assumptions"])
    d[key] = rng.choice(
        [*WRONG, FORMAT + " ", "clexact-program-certificate-2", FORMAT.upper(), [FORMAT], {"family": "linear"}]
    )
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
    """Many equal fields, laws or seeds: true still, or nearly."""
    key, count = rng.choice(["components", "laws", "seeds"]), rng.choice([100, 300])
    data = d["fields"]["components"] if key == "components" else texts(d) if key == "laws" else d["lie"]["seeds"]
    data += [copy.deepcopy(pick(rng, data)[1]) for _ in range(count)]
    return f"{count} more {key}"


@change("deep brackets")
def deep(rng, d):
    """Brackets of brackets: exponential work if they were evaluated without a limit."""
    seeds, members, depth = d["lie"]["seeds"], d["lie"]["members"], rng.randint(3, 14)
    how, base = rng.choice(["in turn", "random", "one", "long"]), copy.deepcopy(pick(rng, members)[1])
    turns = {
        "in turn": [k % len(seeds) for k in range(depth)], "random": [rng.randrange(len(seeds)) for _ in range(depth)],
        "one": [base[0]] * depth, "long": [rng.randrange(len(seeds)) for _ in range(30 * depth)],
    }  # fmt: skip
    new = [*turns[how], *base]
    members += [new] * rng.choice([1, 1, 2, 20])
    if rng.random() < 0.8:
        d["lie"]["ranks"] += [d["lie"]["ranks"][-1]] * (len(new) - len(d["lie"]["ranks"]))
        d["lie"]["ranks"][-1] = len(members)
        d["claim"]["upper"] = d["dimension"] - len(members)
    return f"{len(new) - 1} nested brackets, {how}"


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
