"""Forged certificates: mutants of valid ones, each with what was changed and whether it may be accepted.

``forged_changes.py`` makes them, ``forged_truth.py`` decides. ``mutants(count, seed)`` takes
the kinds in turn, one by one.
"""

import hashlib
import json
import random
import re
from dataclasses import dataclass
from itertools import accumulate

from forged_changes import HUGE, KINDS, WRONG, base_texts, swapped, written
from forged_truth import CLOSED, KEYS, PROVED, canonical_hash, may_be_accepted


@dataclass(frozen=True)
class Mutant:
    """One forged document."""

    kind: str
    change: str
    text: str

    @property
    def truth(self):
        """Whether it may be accepted: it can be read and all that it claims holds."""
        return may_be_accepted(self.text)


DEEP = 300  # levels of nesting
HASHES = [
    lambda h, rng: h[:-1] + "0123456789abcdef"[(int(h[-1], 16) + rng.randint(1, 15)) % 16],
    lambda h, rng: h.upper(), lambda h, rng: h[: rng.randint(0, 63)], lambda h, rng: h + "0", lambda h, rng: "0" * 64,
    lambda h, rng: hashlib.sha256(str(rng.random()).encode()).hexdigest(), lambda h, rng: rng.choice(WRONG),
    lambda h, rng: f" {h}", lambda h, rng: f"sha256:{h}",
]  # fmt: skip


def hash_mutant(rng, d):
    """The hash itself, or a change of the fields without it."""
    if rng.random() < 0.5:
        d["sha256"] = rng.choice(HASHES)(d["sha256"], rng)
        return f"sha256 is {str(d['sha256'])!a:.40}", written(d)
    old = d["sha256"]
    said = rng.choice([*KINDS["fields"], *KINDS["field polynomial"], swapped])(rng, d)
    d["sha256"] = old
    return f"{said}; hash of the old fields", written(d)


def text_mutant(rng, d):
    """The JSON text itself."""
    text = json.dumps(d)
    cut, key = rng.randrange(len(text)), rng.choice(KEYS)
    texts = {
        "truncated": text[:cut],
        "trailing": text + rng.choice(["x", "}", "]", " 1", "{}", text, "\x00", ",", "//", "\n\n x"]),
        "put in": text[:cut] + rng.choice(['"', "{", "}", "[", "]", ",", ":", "0", "\x00", "\n", "\ufeff", "e",
            "'"]) + text[cut:],
        "left out": text[:cut] + text[cut + rng.randint(1, 3) :],
        "a key twice": text[:-1] + f', "{key}": {json.dumps(d[key])}}}',
        "a key twice, escaped": text[:-1] + f', "\\u{ord(key[0]):04x}{key[1:]}": {json.dumps(d[key])}}}',
        "a key twice inside": re.sub(r'"(lower|rank|kind|prime)": ([^,}]+)', r'"\1": \2, "\1": \2', text,
            count=rng.randint(1, 3)),
        "BOM": "\ufeff" + text,
        "NaN": re.sub(r": (\d+)", f": {rng.choice(['NaN', 'Infinity', '-Infinity', '1.0', '1e0', '1E9', '01', '.5'])}",
                      text, count=rng.randint(1, 4)),
        "deep": rng.choice(["[", '{"a":', '[{"a":']) * rng.choice([10, 999, 10**5]) + rng.choice(["", "1", text]),
        "other": rng.choice(["", " ", "null", "true", "0", "[]", "{}", '""', "\x00", f"[{text}]", json.dumps(text),
            "1" * HUGE,
                             text.replace('"', "'"), text.encode("utf-16").decode("latin-1"), "\x00" * 1000, "-",
                             "NaN"]),
        "escaped": text.replace("p", "\\u0070"),
        "blanks": text.replace(":", " :\n" + "\t" * rng.randint(0, 9)) + "\n" * rng.randint(0, 9),
    }  # fmt: skip
    how = rng.choice(list(texts))
    return f"text: {how}", texts[how]


def combined(rng, d):
    """Two or three changes of any kind."""
    said = [rng.choice(KINDS[rng.choice(CHANGES)])(rng, d) for _ in range(rng.randint(2, 3))]
    return "; ".join(said)


TEXTS = {"hash": hash_mutant, "text": text_mutant}
CHANGES = list(KINDS)
KINDS["combined"] = [combined] * 3
ALL_KINDS = [*KINDS, *TEXTS]


def mutate(rng, kind):
    """One mutant; raises if the change does not apply to the certificate that was drawn."""
    d = json.loads(rng.choice(base_texts()))
    if kind in TEXTS:
        return Mutant(kind, *TEXTS[kind](rng, d))
    said = f"{d['model']['description']}: {rng.choice(KINDS[kind])(rng, d)}"
    if isinstance(d, dict) and {"dimension", "fields", "sha256"} <= d.keys():
        d["sha256"] = rehashed(d)
    return Mutant(kind, said, written(d))


def rehashed(d):
    """The hash of the changed fields; what is nested deeply, and huge numbers, have none that is computed.

    How deep is our own choice: Python's limit of recursion is changed by some packages.
    """
    text = written({key: d[key] for key in ("dimension", "fields")})
    try:
        return d["sha256"] if nesting(text) > DEEP else canonical_hash(json.loads(text))
    except ValueError:
        return d["sha256"]


def nesting(text):
    """How deep the brackets of a JSON text are nested, at most; those in its strings are counted too."""
    return max(accumulate((c in "[{") - (c in "]}") for c in text), default=0)


def bombs():
    """{what it is: text}: short documents that would take hours or gigabytes without a limit on all of the work."""
    names, dense = ["x", "y", "z"], "x*y*z^2 + x^2*y + y*z + x"
    fields = [{n: f"{dense} + {i + 2}*{n}^2" for n in names} for i in range(2)] + [{"x": "x^3 + z*x", "z": "z^3 + x*z"}]
    d = json.loads(base_texts()[8])
    d |= {"laws": [], "fields": {"variables": names, "components": fields}}
    del d["closure"]
    d["independence"] |= {"laws": [], "rank": 0}
    d["claim"] = {"lower": 0, "lower_evidence": PROVED, "upper": 2, "upper_evidence": PROVED}
    single, twelve = [[i, 1] for i in range(3)], [[k % 2, *[1 + j % 2 for j in range(12)]] for k in range(3)]
    huge = [[0, 2**64 - 1 - k, 1, 2**64 - 1, 2, 2**64 - 1] for k in range(5000)]
    lies = {
        "12 nested brackets": {"seeds": single, "members": twelve[:1], "ranks": [0] * 12 + [1]},
        "12 nested brackets 3 times": {"seeds": single, "members": twelve, "ranks": [0] * 12 + [3]},
        "12 nested brackets 500 times": {"seeds": single, "members": twelve[:1] * 500, "ranks": [0] * 12 + [500]},
        "5000 seeds of huge coefficients": {"seeds": huge, "members": [[*range(900)]], "ranks": [0] * 899 + [1]},
    }
    texts = {name: _sealed(d | {"lie": d["lie"] | lie}) for name, lie in lies.items()}
    texts |= {name: _deep(d, *parts) for name, parts in _expansions().items()}
    closed = json.loads(texts["40 nested brackets of dense fields"]) | {"closure": "random points"}
    closed["claim"] = closed["claim"] | {"lower": closed["claim"]["upper"], "lower_evidence": CLOSED}
    texts["closure of 40 nested brackets"] = json.dumps(closed)
    powers = range(1, 400)
    fractions = " + ".join(f"1/{10**3900 + k}*x^{k}" for k in powers)
    d["fields"] = d["fields"] | {"components": [{"x": fractions}]}
    texts["400 denominators of 3900 digits"] = _sealed(d)
    one_monomial = " + ".join(f"1/{10**3900 + k}*x" for k in powers)
    texts["400 fractions of one monomial"] = _sealed(
        d | {"fields": {"variables": names, "components": []}, "laws": [{"polynomials": [one_monomial]}]}
    )
    law, field = (" + ".join(f"{v}^{k}*z^{2 * k}" for k in range(1, 5000)) for v in "xy")
    d |= {"fields": {"variables": names, "components": [{"x": field}]}, "laws": [{"polynomials": [law]}]}
    texts["a law and a field of 5000 terms"] = _sealed(d)
    return texts


def _expansions():
    """{what it is: (names, components, members)}: brackets that grow when they are multiplied out."""
    eight, many, nine = [f"x{i}" for i in range(8)], [f"x{i}" for i in range(3000)], "9" * 3900
    square = {
        n: " + ".join(f"{i + j + 1}*{a}*{b}" for i, a in enumerate(eight) for j, b in enumerate(eight)) for n in eight
    }
    line = {n: " + ".join(f"{i + 3}*{a}" for i, a in enumerate(eight)) for n in eight}
    long = "*".join(many[:200])
    huge = [{"x0": f"{nine}*x0*x1 + x1", "x1": f"{nine}*x0^2"}, {"x0": f"{nine}*x1^2", "x1": f"{nine}*x0*x1 + x0"}]
    powers = [{"x0": "x0^999999999*x1^999999999", "x1": "x0"}, {"x0": "x1^99999999", "x1": "x0^88888888"}]
    wide = [dict.fromkeys(many, "1"), dict.fromkeys(many, "x0")]
    different = [[(k >> j) % 2 for j in range(12)] for k in range(8)]
    return {
        "40 nested brackets of dense fields": (eight, [square, line], [_nested(40)]),
        "900 nested brackets of dense fields": (eight, [square, line], [_nested(900)]),
        "20000 nested brackets": (eight[:2], [{"x0": "x1"}, {"x1": "x0"}], [_nested(20000)]),
        "900 nested linear brackets": (eight[:2], [{"x0": "x1"}, {"x1": "x0"}], [_nested(900)]),
        "different brackets of dense fields": (eight, [square, line], different),
        "40 nested brackets of huge coefficients": (eight[:2], huge, [_nested(40)]),
        "60 nested brackets of huge powers": (eight[:2], powers, [_nested(60)]),
        "monomials of 200 variables": (many[:200], [dict.fromkeys(many[:200], long), {"x0": long}], [_nested(30)]),
        "3000 brackets of wide fields": (many, wide, [[k % 2, 0, 1] for k in range(3000)]),
        "900 nested brackets of wide fields": (many, wide, [_nested(900)]),
    }  # fmt: skip


def _nested(depth):
    """[X_k, [X_(k-1), ...]], two fields in turn."""
    return [k % 2 for k in range(depth, -1, -1)]


def _deep(d, names, components, members):
    """The claim that these brackets, by their values at a point, leave so many laws less."""
    D, depth = len(names), len(members[0]) - 1
    place = {"prime": d["lie"]["prime"], "point": [x for k in range(D) for x in (k, 3 + 7 * k)]}
    lie = place | {"seeds": [[0, 1], [1, 1]], "members": members, "ranks": [0] * depth + [len(members)]}
    claim = d["claim"] | {"upper": D - len(members)}
    shown = d["independence"] | {"point": [x for k in range(D) for x in (k, 1)]}
    fields = {"variables": names, "components": components}
    return _sealed(d | {"dimension": D, "fields": fields, "lie": lie, "independence": shown, "claim": claim})


def _sealed(d):
    return json.dumps(d | {"sha256": canonical_hash(d)})


def mutants(count, seed=0, kinds=None):
    """Distinct mutants, the kinds in turn; a kind that gives nothing new is left out. None is a base certificate."""
    rng, kinds = random.Random(seed), list(kinds or ALL_KINDS)
    seen = {json.dumps(json.loads(text)) for text in base_texts()}
    while count and kinds:
        for kind in list(kinds):
            found = _fresh(rng, kind, seen)
            if found is None:
                kinds.remove(kind)
            elif count:
                seen.add(found.text)
                count -= 1
                yield found


def _fresh(rng, kind, seen, tries=300):
    """A mutant that was not seen, None after many tries."""
    for _ in range(tries):
        try:
            found = mutate(rng, kind)
        except (TypeError, KeyError, IndexError, AttributeError, ValueError):
            continue
        if found.text not in seen:
            return found
    return None
