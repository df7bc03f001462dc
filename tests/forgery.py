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
from forged_truth import KEYS, PROVED, canonical_hash, may_be_accepted


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
    chain = [{"combination": {str(i): "1"}} for i in range(3)]
    chain += [{"bracket": [2 + k if k else 0, 1 + k % 2]} for k in range(12)]
    d = json.loads(base_texts()[8])
    d |= {"laws": [], "closure": {"kind": "none"}, "fields": {"variables": names, "components": fields}}
    d["independence"] |= {"laws": [], "rank": 0}
    d["claim"] = {"lower": 0, "lower_evidence": PROVED, "upper": 2, "upper_evidence": PROVED}
    long = [{"combination": {"0": "9" * 4000, "1": "9" * 4000}}, *({"bracket": [k, k]} for k in range(5))]
    lies = {
        "12 nested brackets": {"nodes": chain, "basis": [14], "ranks": [0] * 12 + [1]},
        "12 nested brackets 50 times": {"nodes": chain, "basis": [14] * 50, "ranks": [1]},
        "9 nested brackets 500 times": {"nodes": chain, "basis": [11] * 500, "ranks": [1]},
        "5000 nodes of huge coefficients": {"nodes": long + [{"bracket": [5, 5]}] * 5000, "basis": [0], "ranks": [1]},
    }
    texts = {name: _sealed(d | {"lie": d["lie"] | lie}) for name, lie in lies.items()}
    texts |= {name: _deep(d, *parts) for name, parts in _expansions().items()}
    powers = range(1, 400)
    fractions = " + ".join(f"1/{10**3900 + k}*x^{k}" for k in powers)
    d["fields"] = d["fields"] | {"components": [{"x": fractions}]}
    texts["400 denominators of 3900 digits"] = _sealed(d)
    one_monomial = " + ".join(f"1/{10**3900 + k}*x" for k in powers)
    texts["400 fractions of one monomial"] = _sealed(
        d | {"fields": {"variables": names, "components": []}, "laws": [one_monomial]}
    )
    law, field = (" + ".join(f"{v}^{k}*z^{2 * k}" for k in range(1, 5000)) for v in "xy")
    d |= {"fields": {"variables": names, "components": [{"x": field}]}, "laws": [law]}
    texts["a law and a field of 5000 terms"] = _sealed(d)
    return texts


def _expansions():
    """{what it is: (names, components, nodes, basis)}: brackets that grow when they are multiplied out."""
    eight, many = [f"x{i}" for i in range(8)], [f"x{i}" for i in range(3000)]
    square = {
        n: " + ".join(f"{i + j + 1}*{a}*{b}" for i, a in enumerate(eight) for j, b in enumerate(eight)) for n in eight
    }
    line = {n: " + ".join(f"{i + 3}*{a}" for i, a in enumerate(eight)) for n in eight}
    mixed, nine = [{"combination": {"0": str(k + 2), "1": "1"}} for k in range(3000)], "9" * 3900
    mixed += [{"bracket": [k, k + 1]} for k in range(2999)]
    mixed += [{"bracket": [k, 3000 + k]} for k in range(2999)] + [{"bracket": [k, 6000 + k]} for k in range(2900)]
    long = "*".join(many[:200])
    huge = [{"x0": f"{nine}*x0*x1 + x1", "x1": f"{nine}*x0^2"}, {"x0": f"{nine}*x1^2", "x1": f"{nine}*x0*x1 + x0"}]
    powers = [{"x0": "x0^999999999*x1^999999999", "x1": "x0"}, {"x0": "x1^99999999", "x1": "x0^88888888"}]
    wide = [dict.fromkeys(many, "1"), dict.fromkeys(many, "x0")]
    spread = _nested(1) + [{"bracket": [k % 2, 2]} for k in range(20000)]
    spread += [{"bracket": [0, 3 + k]} for k in range(20000)]
    return {
        "40 nested brackets of dense fields": (eight, [square, line], _nested(40), [41]),
        "2000 nested brackets of dense fields": (eight, [square, line], _nested(2000), [2001]),
        "brackets of the last two": (
            eight, [square, line], _nested(1) + [{"bracket": [k + 1, k + 2]} for k in range(3000)], [3002]
        ),
        "9000 different brackets": (eight, [square, line], mixed, [len(mixed) - 1]),
        "20000 nested linear brackets": (eight[:2], [{"x0": "x1"}, {"x1": "x0"}], _nested(20000), [20001]),
        "40 nested brackets of huge coefficients": (eight[:2], huge, _nested(40), [41]),
        "60 nested brackets of huge powers": (eight[:2], powers, _nested(60), [61]),
        "monomials of 200 variables": (many[:200], [dict.fromkeys(many[:200], long), {"x0": long}], _nested(30), [31]),
        "40000 brackets of wide fields": (many, wide, spread, [len(spread) - 1]),
    }  # fmt: skip


def _nested(count):
    """Two fields and [X_k, [X_(k-1), ...]], the two in turn."""
    nodes = [{"combination": {str(i): "1"}} for i in range(2)]
    return nodes + [{"bracket": [k % 2, 1 + k]} for k in range(count)]


def _deep(d, names, components, nodes, basis):
    """The claim that one node, by its value at a point, leaves one law less."""
    D, depth = len(names), len(nodes)
    place = {"prime": d["lie"]["prime"], "point": [str(3 + 7 * k) for k in range(D)]}
    lie = place | {"nodes": nodes, "basis": basis, "ranks": [0] * depth + [1]}
    claim = d["claim"] | {"upper": D - 1}
    shown = d["independence"] | {"point": ["1"] * D}
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
