"""Whether a forged certificate may be accepted, decided from its own fields.

By SymPy's rings and FLINT's ranks, with a parser and a hash of its own: no code of the engine or of the verifier.
"""

import hashlib
import json
import random
import re
from functools import cache
from math import lcm

import flint
import sympy
from oracles import is_law, lie_bracket, ring_of

FORMAT = "clexact-certificate-1"
KEYS = ["format", "version", "sha256", "model", "assumptions", "dimension", "fields", "laws", "independence", "lie",
        "closure", "claim"]  # fmt: skip
CLOSED, PROVED = "closed with error <= 2^-100", "proved"
BIG = (2**61 - 1, 2**62 - 57)


def canonical_hash(document):
    """As docs/certificate.md defines it."""
    text = json.dumps([document["dimension"], document["fields"]], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def may_be_accepted(text):
    """Whether the text is a certificate all of whose claims hold; what cannot be read must not be accepted."""
    try:
        document = json.loads(text, object_pairs_hook=_distinct, parse_float=_refuse, parse_constant=_refuse)
        return _holds(document)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return False


def _distinct(pairs):
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _refuse(word):
    raise ValueError(word)


def _integer(value):
    """A JSON integer (no boolean)."""
    if type(value) is not int:
        raise TypeError
    return value


def _place(value, count):
    """An index; no negative one."""
    if not 0 <= _integer(value) < count:
        raise IndexError
    return value


def _number(text):
    """An integer in a string of plain digits."""
    if type(text) is not str or not re.fullmatch("-?[0-9]+", text):
        raise ValueError
    return int(text)


def _only(data, *keys):
    """The values of an object that has these keys and no other."""
    if type(data) is not dict or set(data) != set(keys):
        raise ValueError
    return [data[key] for key in keys]


def parsed(text, gens):
    """A polynomial: signs part terms, * parts factors, ^ is power, a number stands first; blanks do not count."""
    text = text.replace(" ", "")
    signed = text if text[:1] in ("+", "-") else "+" + text
    total = next(iter(gens.values())).ring.zero if gens else 0
    for sign, term in zip(re.findall("[+-]", signed), re.split("[+-]", signed)[1:], strict=True):
        total += _term(term, gens) * (1 if sign == "+" else -1)
    return total


def _term(text, gens):
    first, *rest = text.split("*")
    if first[:1].isdigit():
        if not re.fullmatch("[0-9]+(/[0-9]+)?", first):
            raise ValueError
        out = sympy.QQ(*map(int, first.split("/")))
    else:
        out, rest = 1, [first, *rest]
    for factor in rest:
        name, caret, exponent = factor.partition("^")
        if caret and not re.fullmatch("[1-9][0-9]*", exponent):
            raise ValueError
        out = gens[name] ** (int(exponent) if caret else 1) * out
    return out


def value_mod(X, point, p):
    """A field with integer coefficients at a point mod p; huge powers too."""
    out = []
    for component in X:
        total = 0
        for exponents, c in component.terms():
            for x, k in zip(point, exponents, strict=True):
                c = int(c) * pow(x % p, k, p) if k else int(c)
                c %= p
            total += int(c)
        out.append(total % p)
    return out


def integral(X):
    """A field or gradient times the common denominator of its coefficients."""
    scale = lcm(*(int(c.denominator) for component in X for c in component.coeffs()))
    return [component * scale for component in X]


def rank_mod(rows, p):
    """By FLINT."""
    return int(flint.nmod_mat(rows, p).rank()) if rows and rows[0] else 0


@cache
def closed_rank(key):
    """dim W_inf of fields {(terms of each component)}: the largest of two random points modulo large primes."""
    dimension, fields = _fields_of(key)
    return max(_rank_at(fields, dimension, random.Random(n), p) for n, p in enumerate(BIG))


def _fields_of(key):
    dimension, frozen = key
    ring = ring_of([f"v{i}" for i in range(dimension)])
    return dimension, [[ring.from_dict(dict(terms)) for terms in X] for X in sorted(frozen)]


def _rank_at(fields, dimension, rng, p):
    """All brackets of a field with a member kept, until none is independent: these span the trace over Q(x)."""
    point, rows, queue = [rng.randrange(p) for _ in range(dimension)], [], list(fields)
    while queue and len(rows) < dimension:
        X = queue.pop(0)
        row = value_mod(integral(X), point, p)
        if rank_mod([*rows, row], p) > len(rows):
            rows.append(row)
            queue += [lie_bracket(Y, X) for Y in fields]
    return len(rows)


def frozen(fields, dimension):
    """What the cache is asked by."""
    nonzero = [integral(X) for X in fields if any(X)]
    return dimension, frozenset(tuple(tuple(sorted(c.to_dict().items())) for c in X) for X in nonzero)


def _holds(document):
    """Form, hash, laws, independence, brackets and bounds."""
    values = dict(zip(KEYS, _only(document, *KEYS), strict=True))
    names, components = _only(values["fields"], "variables", "components")
    dimension = _integer(values["dimension"])
    if values["format"] != FORMAT or values["sha256"] != canonical_hash(values) or len(set(names)) != len(names):
        return False
    if dimension != len(names) or not all(type(name) is str and name for name in names):
        return False
    gens = dict(zip(names, ring_of([f"v{i}" for i in range(dimension)]).gens, strict=True)) if names else {}
    if not set().union(*components) <= gens.keys() or list in map(type, components):
        return False
    fields = [[parsed(X.get(name, "0"), gens) for name in names] for X in components]
    laws = [parsed(text, gens) for text in values["laws"]]
    if dimension and not all(is_law(h, fields) for h in laws):
        return False
    exhibited = _independent(values["independence"], laws, dimension)
    spanned = _spanned(values["lie"], fields, dimension)
    return None not in (exhibited, spanned) and _claim_holds(values, fields, dimension, exhibited, spanned)


def _where(data, dimension):
    """The prime and the point."""
    p, point = _number(data["prime"]), [_number(x) for x in data["point"]]
    if not (1 < p < 2**64 and sympy.isprime(p) and len(point) == dimension and type(data["point"]) is list):
        raise ValueError
    return p, point


def _independent(data, laws, dimension):
    """The rank of the laws chosen, None if it is not the one claimed."""
    _only(data, "prime", "point", "laws", "rank")
    p, point = _where(data, dimension)
    chosen = [laws[_place(n, len(laws))] for n in data["laws"]]
    rows = [value_mod(integral([h.diff(g) for g in h.ring.gens]), point, p) for h in chosen if dimension]
    return len(chosen) if rank_mod(rows, p) == len(chosen) == _integer(data["rank"]) else None


def _spanned(data, fields, dimension):
    """The rank of the basis, None if the ranks are not those claimed: the brackets as polynomials."""
    _only(data, "prime", "point", "nodes", "basis", "ranks")
    (p, point), made = _where(data, dimension), []
    for node in data["nodes"]:
        made.append(_node(node, [integral(X) for X in fields], made))
    rows = [(depth, value_mod(X, point, p)) for depth, X in (made[_place(n, len(made))] for n in data["basis"])]
    found = [rank_mod([row for depth, row in rows if depth <= k], p) for k in range(len(data["ranks"]))]
    true = found and found == [_integer(r) for r in data["ranks"]] and found[-1] == len(rows)
    return len(rows) if true else None


def _node(node, fields, made):
    """(depth, field) of a node."""
    if set(node) == {"bracket"}:
        (d, A), (e, B) = (made[_place(n, len(made))] for n in node["bracket"])
        return 1 + max(d, e), lie_bracket(A, B)
    (parts,) = _only(node, "combination")
    chosen = [(_number(c), fields[_number(n)]) for n, c in parts.items() if _number(n) >= 0]
    if len(chosen) < len(parts) or not parts:
        raise IndexError
    return 0, [sum((c * X[j] for c, X in chosen), start=0 * fields[0][j]) for j in range(len(fields[0]))]


def _claim_holds(values, fields, dimension, exhibited, spanned):
    """lower <= N <= upper, with evidence that is one for it."""
    lower, kind_lower, upper, kind_upper = _only(values["claim"], "lower", "lower_evidence", "upper", "upper_evidence")
    (kind,) = _only(values["closure"], "kind")
    exact = dimension - closed_rank(frozen(fields, dimension))
    proved = {"none": _integer(lower) <= exhibited, "one field": sum(map(any, fields)) <= 1, "random points": False}
    evident = proved[kind] if kind_lower == PROVED else (kind_lower, kind) == (CLOSED, "random points")
    return lower <= exact <= _integer(upper) == dimension - spanned and evident and kind_upper == PROVED
