"""Forged theorems: one thing changed in what a proof says, at random. Networks stay: of others nothing is known."""

import copy
import random


def places(data, path=()):
    """Paths to all leaves and containers below."""
    yield path
    if isinstance(data, dict):
        for key in data:
            yield from places(data[key], (*path, key))
    elif isinstance(data, list):
        for k, item in enumerate(data):
            yield from places(item, (*path, k))


def forged(document, seed):
    """A document with one change in its laws or its regimes, and where."""
    draws, made = random.Random(seed), copy.deepcopy(document)
    targets = [path for path in places(made) if len(path) > 1 and _may_change(path)]
    while True:
        path = draws.choice(targets)
        *way, last = path
        parent = made
        for key in way:
            parent = parent[key]
        if _change(parent, last, draws, made):
            return made, path


def _may_change(path):
    return path[0] == "regimes" or (path[0] == "parts" and len(path) > 3 and path[2] == "laws")


def _change(parent, key, draws, whole):
    value = parent[key]
    choice = draws.randrange(4)
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, int):
        parent[key] = value + draws.choice([-2, -1, 1, 2, 10])
    elif isinstance(value, str):
        others = sorted({p[k] for p, k in _texts(whole) if p[k] != value})
        parent[key] = draws.choice(others) if others else "?"
    elif isinstance(value, list) and value:
        if choice == 0:
            value.pop(draws.randrange(len(value)))
        elif choice == 1:
            value.append(copy.deepcopy(draws.choice(value)))
        elif choice == 2 and len(value) > 1:
            i, j = draws.sample(range(len(value)), 2)
            value[i], value[j] = value[j], value[i]
        else:
            return False
    elif isinstance(value, dict) and value:
        name = draws.choice(sorted(value))
        if choice == 0:
            del value[name]
        elif choice == 1:
            value[draws.choice("ABDEnrmx")] = copy.deepcopy(value[name])
        else:
            return False
    else:
        return False
    return True


def _texts(data):
    for path in places(data):
        if path:
            parent = data
            for key in path[:-1]:
                parent = parent[key]
            if isinstance(parent[path[-1]], str):
                yield parent, path[-1]


def rotations(n, r, m):
    """The number of laws of U V^T with momentum: those of rotations, of rank 2 (n + m) at most; more of two vectors."""
    if n == m == 1:
        return max(0, 4 * r - 6)
    k = min(r, 2 * (n + m))
    return k * (2 * r - k - 1) // 2


def claims_hold(document, truth, most=7):
    """Whether what a document claims is true at small sizes; ``truth`` is the number of laws."""
    from itertools import product

    letters = document["letters"]
    for regime in document["regimes"]:
        for values in product(range(1, most), repeat=len(letters)):
            sizes = dict(zip(letters, values, strict=True))
            if all(sum(c * (sizes[n] if n else 1) for n, c in form.items()) >= b for form, b in regime["where"]):
                count = 0
                for numerator, denominator, *monomial in regime["law_count"]:
                    term = numerator / denominator
                    for name in monomial:
                        term *= sizes[name]
                    count += term
                if abs(count - truth(**sizes)) > 1e-9:
                    return False
    return True
