"""What a row of a store holds, column by column: for SQLite, for Arrow and for readers alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from clexact.support.listed import listed

Kind = Literal["text", "whole", "real", "texts", "wholes"]  # the last two are kept as text in JSON
LISTS = ("texts", "wholes")

ROW: Mapping[str, Kind] = {  # the fields of a Row, but its certificate
    "key": "text",
    "case": "text",
    "label": "text",
    "family": "text",
    "flow": "text",
    "dimension": "whole",
    "status": "text",
    "lower": "whole",
    "upper": "whole",
    "exhibited": "whole",
    "scope": "text",
    "gates": "whole",
    "all_gates": "whole",  # 1 or 0
    "error": "text",
    "filtration": "wholes",
    "evidence_lower": "text",
    "evidence_upper": "text",
    "assumptions": "texts",
    "prime": "whole",
    "stages": "text",
    "seconds": "real",
    "peak_memory": "whole",
    "failure": "text",
    "engine": "text",
    "seed": "whole",
    "certificate_note": "text",
    "budget_seconds": "real",
    "budget_mebibytes": "whole",
    "host": "text",
    "finished": "text",
}
READ: Mapping[str, Kind] = {  # what a reader sees besides
    "exact": "whole",  # 1 if the bounds meet, 0 if not
    "certificate_sha256": "text",
    "certificate_bytes": "whole",
    "written": "whole",  # the order in which rows were written
}
COLUMNS: Mapping[str, Kind] = {**ROW, **READ}
SQL: Mapping[Kind, str] = {"text": "TEXT", "whole": "INTEGER", "real": "REAL", "texts": "TEXT", "wholes": "TEXT"}


def quoted(names: Sequence[str]) -> str:
    """Names of columns in SQL; "case" is a word of SQL itself."""
    return ", ".join(f'"{name}"' for name in names)


def stored(name: str, value: Any) -> Any:
    """A value of a Row as SQLite holds it."""
    return json.dumps(list(value)) if ROW[name] in LISTS and value is not None else value


def reader(names: Sequence[str]) -> Callable[[Sequence[Any]], dict[str, Any]]:
    """From a record of SQLite to {column: value}."""
    lists = [name for name in names if COLUMNS[name] in LISTS]

    def read(record: Sequence[Any]) -> dict[str, Any]:
        row = dict(zip(names, record, strict=True))
        return row | {name: tuple(json.loads(row[name])) for name in lists if row[name] is not None}

    return read


def checked(names: Sequence[str]) -> tuple[str, ...]:
    """The names, or all columns if none is given; ValueError for one that is no column."""
    names = listed(names, "columns must be a list of names")
    for name in names:
        if name not in COLUMNS:
            raise ValueError(f"no column is called {name!r}; the columns are {', '.join(COLUMNS)}.")
    return tuple(names) or tuple(COLUMNS)


def order(text: str) -> str:
    """ORDER BY of "seconds desc, label"; rows in the order of their writing for equal ones, and for no text."""
    terms = []
    for term in filter(None, map(str.strip, text.split(","))):
        name, _, way = term.partition(" ")
        if way.strip().lower() not in ("", "asc", "desc"):
            raise ValueError(f"expected a column, or a column and desc, not {term!r}.")
        terms.append(f"{quoted(checked([name]))} {way}")
    return ", ".join([*terms, "written"])
