"""Rows of a store as tables of other tools: CSV, JSON, Parquet, pandas. All but the last take little memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from clexact.support.extras import command
from clexact.support.files import check_place, replacing
from clexact.sweeps.columns import COLUMNS, Kind

if TYPE_CHECKING:
    import pandas as pd

Rows = Iterable[dict[str, Any]]
BATCH = 10_000  # rows that are made into Arrow at a time
MISSING = "{} needs pandas and pyarrow: {}."


def write_csv(rows: Rows, columns: Sequence[str], file: TextIO) -> None:
    """A line of names, then a line a row; lists in JSON, nothing for None."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([json.dumps(value) if isinstance(value, tuple) else value for value in row.values()])


def write_json(rows: Rows, columns: Sequence[str], file: TextIO) -> None:
    """A list of objects, a line a row."""
    before = "["
    for row in rows:
        file.write(f"{before}\n{json.dumps(row)}")
        before = ","
    file.write("[]\n" if before == "[" else "\n]\n")


def write_parquet(rows: Rows, columns: Sequence[str], file: BinaryIO) -> None:
    """Columns of the types of ``COLUMNS``, whatever the rows hold."""
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ImportError:
        raise ImportError(MISSING.format("Parquet", command("frame"))) from None
    types: dict[Kind, Any] = {
        "text": pa.string(),
        "whole": pa.int64(),
        "real": pa.float64(),
        "texts": pa.list_(pa.string()),
        "wholes": pa.list_(pa.int64()),
    }
    schema = pa.schema([(name, types[COLUMNS[name]]) for name in columns])
    with ParquetWriter(file, schema) as writer:
        for batch in _batches(rows):
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema))


def _batches(rows: Rows) -> Iterator[list[dict[str, Any]]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        yield batch


TEXTS: Mapping[str, Callable[[Rows, Sequence[str], TextIO], None]] = {"csv": write_csv, "json": write_json}


def save(kind: str, path: Path, rows: Rows, columns: Sequence[str]) -> None:
    """Write csv, json or parquet; a crash or a full disk leaves the old file or none. OSError if it cannot be."""
    check_place(path)
    with replacing(path) as file:
        if kind == "parquet":
            write_parquet(rows, columns, file)
        else:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            TEXTS[kind](rows, columns, text)
            text.detach()  # which flushes, and leaves the file open


def frame(rows: Rows, columns: Sequence[str]) -> pd.DataFrame:
    """A DataFrame: whole numbers that may be missing are of type Int64, lists are tuples."""
    try:
        import pandas as pd
    except ImportError:
        raise ImportError(MISSING.format("a DataFrame", command("frame"))) from None
    whole = [name for name in columns if COLUMNS[name] == "whole"]
    return pd.DataFrame.from_records(list(rows), columns=list(columns)).astype(dict.fromkeys(whole, "Int64"))
