"""``SpecBlock``: one table of a spec, that is models, their sizes and all combinations of options, as cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from clexact.counting.starts import RANDOM
from clexact.models import FAMILIES, families_with
from clexact.sweeps.case import FLOW, KEYS, MODELS, OF_SYSTEMS, OPTIONS, QUESTION, Case, inputs_of
from clexact.sweeps.networks import SizedNetwork, Streams, integer_values, networks

KEYS_OF_A_BLOCK = ("name", "grid", "draw", "where", "max_dimension", "budget", *(key for key in KEYS if key != "text"))
MOST_CASES = 10**6  # of a block
WHERE = {  # what an option needs, in words
    "damping": 'flow = "momentum"',
    "tau": 'damping = "heavy-ball"',
    "positive": 'flow = "mirror" and flow = "momentum"',
    "k": 'gate = "topk"',
    "degree": "blocks without at",
    "init": 'near = "random"',
    "bias_init": 'near = "random"',
}
LISTS = {"positive"} | {key for family in FAMILIES.values() for key, kind in family.options.items() if kind == "ints"}
INTEGERS = {"degree", "max_depth", "seed"} | {
    key for family in FAMILIES.values() for key, kind in family.options.items() if kind is int
}


class SpecBlock:
    """One table of a spec: models, their sizes, and all combinations of the options."""

    def __init__(self, table: Mapping[str, Any], folder: Path, streams: Streams) -> None:
        self.table, self.folder, self.streams = table, folder, streams
        check_keys("a block", table, KEYS_OF_A_BLOCK)
        if not isinstance(table.get("name", ""), str):
            raise TypeError(f"name must be a text, not {table['name']!r}.")
        self.options = {key: alternatives(key, table[key]) for key in (*OPTIONS, *FLOW, *QUESTION) if key in table}
        self.options.setdefault("seed", [streams.seed])
        if "data" in self.options:  # a file is read once, not for every case
            self.options["data"] = [vars(inputs_of(given, folder)) for given in self.options["data"]]
        self.used: set[str] = set()

    def cases(self) -> Iterator[Case]:
        """All of them; ValueError or TypeError for what does not go together."""
        total, drawn = 0, set[str]()
        for model in self._models():
            combinations: dict[str, list[dict[str, Any]]] = {}
            for network in networks(self.table, model.get("family"), self.streams, alternatives):
                drawn |= network.options.keys()
                chosen = repr(network.options)
                if chosen not in combinations:
                    combinations[chosen] = self._combinations(model, network)
                total += len(combinations[chosen])
                if total > MOST_CASES:
                    raise ValueError(f"a block may have at most {MOST_CASES} cases.")
                for options in combinations[chosen]:
                    yield self._case(model | network.sizes | options, network)
        if not total:
            raise ValueError(f"no network meets where = {self.table['where']!r}.")
        for key in sorted((self.options.keys() | drawn) - self.used):
            raise ValueError(_stray(key, self.table))

    def _models(self) -> list[dict[str, Any]]:
        """{family: ...}, or {system or python: ..., text: ...}."""
        kinds = [kind for kind in MODELS if kind in self.table]
        if len(kinds) != 1:
            raise ValueError(f"a block takes one of family, system and python, not {' and '.join(kinds) or 'none'}.")
        (kind,) = kinds
        names = alternatives(kind, self.table[kind])
        for name in names:
            if not isinstance(name, str):
                raise TypeError(f"{kind} must be a text or a list of texts, not {name!r}.")
        for key in OF_SYSTEMS if kind != "system" else ():
            if key in self.table:
                raise ValueError(f"{key} belongs to a block of a system, not of a {kind}.")
        if kind == "family":
            return [{"family": name} for name in names]
        return [self._with_text(kind, name) for name in names]

    def _with_text(self, kind: str, name: Any) -> dict[str, Any]:
        """The file is read once, not for every case."""
        given = {key: self.table[key] for key in OF_SYSTEMS if key in self.table}
        case = Case.from_dict({kind: name, **given}, self.folder)
        return {key: value for key, value in case.to_dict().items() if key in (kind, "text", *OF_SYSTEMS)}

    def _combinations(self, model: Mapping[str, Any], network: SizedNetwork) -> list[dict[str, Any]]:
        """Each option with each of its values, left out where it does not belong; no combination twice."""
        given = self.options | {key: [value] for key, value in network.options.items()}
        if (count := prod(map(len, given.values()))) > MOST_CASES:
            raise ValueError(f"a block may have at most {MOST_CASES} cases, not {count} combinations of its options.")
        found: dict[str, dict[str, Any]] = {}
        for values in product(*given.values()):
            combination = _belonging(model, dict(zip(given, values, strict=True)))
            self.used |= combination.keys()
            found.setdefault(repr(combination), combination)
        return list(found.values())

    def _case(self, data: Mapping[str, Any], network: SizedNetwork) -> Case:
        try:
            return Case.from_dict(data, self.folder)
        except (ValueError, TypeError) as error:
            where = f"at {network.at}: " if network.at else ""
            raise ValueError(f"{where}{error}") from None


def alternatives(key: str, value: Any) -> list[Any]:
    """The values of an option: one, a list of them, or for integers a range as text."""
    if key in LISTS:
        several = isinstance(value, list) and value and all(isinstance(v, list) for v in value)
    else:
        several = isinstance(value, list)
    listed = value if several else [value]
    if not listed:
        raise ValueError(f"{key} = [] has no value.")
    if key not in INTEGERS:
        return list(listed)
    return [n for v in listed for n in (integer_values(key, v, 0) if isinstance(v, str) else [v])]


def _belonging(model: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that belong to the model and to each other."""
    kept: dict[str, Any] = {}
    for key in (*OPTIONS, *FLOW, *QUESTION):
        if key in given and _belongs(key, model, kept, given):
            kept[key] = given[key]
    return kept


def _belongs(key: str, model: Mapping[str, object], kept: Mapping[str, object], given: Mapping[str, object]) -> bool:
    if key in OPTIONS:
        return model.get("family") in families_with(key) and (key != "k" or kept.get("gate") == "topk")
    match key:
        case "damping":
            return kept.get("flow") == "momentum"
        case "tau":
            return kept.get("damping") == "heavy-ball"
        case "positive":
            return kept.get("flow", "gradient") != "gradient"
        case "degree":
            return "at" not in given
        case "init" | "bias_init":
            return kept.get("near") == RANDOM
        case _:
            return True


def _stray(key: str, table: Mapping[str, Any]) -> str:
    """The sentence on an option that belongs to nothing in its block."""
    value = table[key] if key in table else table["draw"][key]
    (given,) = [table[kind] for kind in MODELS if kind in table]
    families = families_with(key)
    if key in WHERE and (not families or given in families):
        return f"{key} = {value!r} belongs to {WHERE[key]}."
    return f"{key} = {value!r} belongs to {', '.join(families)}, not to {given!r}."


def check_keys(what: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
    """ValueError for a key that is not known."""
    for key, value in table.items():
        if key not in known:
            raise ValueError(f"{what} has no key {key!r} (= {value!r}); expected {', '.join(known)}.")
