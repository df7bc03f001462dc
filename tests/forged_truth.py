"""Whether a forged certificate that lists its fields may be accepted, decided from these.

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

FORMAT = "clexact-program-certificate-1"
KEYS = ["format", "version", "sha256", "model", "assumptions", "dimension", "fields", "laws", "independence", "lie",
        "claim"]  # fmt: skip
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
    keys = [*KEYS, "closure"] if "closure" in document else KEYS
    values = dict(zip(keys, _only(document, *keys), strict=True))
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
    laws = [parsed(text, gens) for family in values["laws"] for text in _texts(family)]
    if dimension and not all(is_law(h, fields) for h in laws):
        return False
    exhibited = _independent(values["independence"], laws, dimension)
    spanned = _spanned(values["lie"], fields, dimension)
    return None not in (exhibited, spanned) and _claim_holds(values, fields, dimension, exhibited, spanned)


def _texts(family):
    (texts,) = _only(family, "polynomials")
    if type(texts) is not list:
        raise TypeError
    return texts


def _sparse(flat, count):
    """{place: integer} from [place, integer, ...], places increasing."""
    places = [_place(i, count) for i in flat[::2]]
    if type(flat) is not list or places != sorted(set(places)) or len(flat) % 2:
        raise ValueError
    return dict(zip(places, map(_integer, flat[1::2]), strict=True))


def _where(data, dimension):
    """The prime and the point."""
    p, given = _number(data["prime"]), _sparse(data["point"], dimension)
    if not (1 < p < 2**64 and sympy.isprime(p)):
        raise ValueError
    return p, [given.get(i, 0) for i in range(dimension)]


def _independent(data, laws, dimension):
    """The rank of the laws chosen, None if it is not the one claimed."""
    _only(data, "prime", "point", "laws", "rank")
    p, point = _where(data, dimension)
    numbers = [n for a, b in data["laws"] for n in range(_place(a, len(laws)), _place(b, len(laws)) + 1)]
    rows = [value_mod(integral([laws[n].diff(g) for g in laws[n].ring.gens]), point, p) for n in numbers if dimension]
    return len(numbers) if rank_mod(rows, p) == len(numbers) == _integer(data["rank"]) else None


def _spanned(data, fields, dimension):
    """The rank of the members, None if the ranks are not those claimed: the brackets as polynomials."""
    _only(data, "prime", "point", "seeds", "members", "ranks")
    (p, point), cleared = _where(data, dimension), [integral(X) for X in fields]
    made = {(n,): _combination(_sparse(seed, len(fields)), cleared, dimension) for n, seed in enumerate(data["seeds"])}
    count, rows = len(made), []
    for member in data["members"]:
        numbers = tuple(_place(n, count) for n in member)
        rows.append((len(numbers) - 1, value_mod(_nested(numbers, made), point, p)))
    found = [rank_mod([row for depth, row in rows if depth <= k], p) for k in range(len(data["ranks"]))]
    true = found and found == [_integer(r) for r in data["ranks"]] and found[-1] == len(rows)
    return len(rows) if true else None


def _combination(parts, fields, dimension):
    """sum of c X_i; of nothing, 0."""
    zero = [0 * component for component in fields[0]] if fields else [0] * dimension
    return [sum((c * fields[i][j] for i, c in parts.items()), start=zero[j]) for j in range(dimension)]


def _nested(numbers, made):
    """[X_s, [X_t, ...]], each made once."""
    if numbers not in made:
        made[numbers] = lie_bracket(made[numbers[:1]], _nested(numbers[1:], made))
    return made[numbers]


def _claim_holds(values, fields, dimension, exhibited, spanned):
    """lower <= N <= upper, with evidence that is one for it."""
    lower, kind_lower, upper, kind_upper = _only(values["claim"], "lower", "lower_evidence", "upper", "upper_evidence")
    kind = values.get("closure", "none")
    if "closure" in values and kind not in ("one field", "random points"):
        return False
    exact = dimension - closed_rank(frozen(fields, dimension))
    proved = {"none": _integer(lower) <= exhibited, "one field": sum(map(any, fields)) <= 1, "random points": False}
    evident = proved[kind] if kind_lower == PROVED else (kind_lower, kind) == (CLOSED, "random points")
    return lower <= exact <= _integer(upper) == dimension - spanned and evident and kind_upper == PROVED
