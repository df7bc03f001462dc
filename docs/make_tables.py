"""Write docs/data/*.csv: certified counts of whole families, one row for each size.

    python docs/make_tables.py [NAME ...]       # all tables, or those named

The same source gives the same bytes: seconds are left out. Every row is certified anew, and its certificate written,
whose SHA-256 stands in the row: that of the file which ``clexact certify FAMILY ... --save FILE.json`` writes. A test
recomputes some of them. All rows are in docs/data/counts.parquet too (the extra clexact[frame]).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

from clexact import Case, sweep
from clexact.support.files import write_atomically
from clexact.support.threads import available
from clexact.sweeps.certified import Row

FOLDER = Path(__file__).parent / "data"
HEAD = [
    "network",
    "flow",
    "scope",
    "sizes",
    "D",
    "lower",
    "upper",
    "exact",
    "proved",
    "degree",
    "prime",
    "seed",
    "certificate",
]

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Table:
    """A family on a flow at all sizes whose dimension is within the budget."""

    network: str  # formula and options, as text
    flow: str
    sizes: Iterable[Case]
    budget: int  # largest dimension
    option: str | None = None  # whose value, by default 1, stands behind the sizes

    @property
    def cases(self) -> list[Case]:
        """Those within the budget."""
        return [case for case in self.sizes if case.dimension is not None and case.dimension <= self.budget]

    def line(self, row: Row) -> list[str]:
        """One count, certified."""
        case = json.loads(row.case)
        if row.lower is None:
            raise ValueError(f"{row.label} has no count: {row.failure}")
        sizes = [*case["sizes"], *([] if self.option is None else [case.get(self.option, 1)])]
        numbers = map(str, (row.dimension, row.lower, row.upper))
        means = map(str, (case["degree"], row.prime, row.seed))
        said = _said(row.lower == row.upper), _said(row.error == "0")
        told = [self.network, self.flow, row.scope, " ".join(map(str, sizes)), *numbers, *said, *means]
        return [*told, "" if row.certificate is None else sha256(gzip.decompress(row.certificate)).hexdigest()]


def _said(true: bool) -> str:
    return "yes" if true else "no"


def _grid(*largest: int) -> list[Sizes]:
    """All sizes from 1 to these."""
    return list(product(*(range(1, most + 1) for most in largest)))


def _least(first: int, sizes: Sequence[Sizes]) -> list[Sizes]:
    """Those whose first entry is at least so large: there is no norm of one entry."""
    return [size for size in sizes if size[0] >= first]


def _layers(depths: Sequence[int], widest: int) -> list[Sizes]:
    return [size for depth in depths for size in _grid(*[widest] * (depth + 1))]


def _cases(family: str, sizes: Iterable[Sizes], **options: object) -> list[Case]:
    return [Case.of(family, *size, **options) for size in sizes]


def _heads() -> list[Case]:
    """Attention of sizes d, h, heads, h a multiple of the heads."""
    return [Case.of("attention", d, h, heads=heads) for d, h, heads in _grid(4, 4, 4) if h % heads == 0]


def _relu(bias: bool) -> Table:
    return Table(f"relu{', bias' * bias}", "gradient", _cases("relu", _layers((2, 3), 4), bias=bias), 30)


def _momentum(shown: str, sizes: Sequence[Sizes], budget: int, **damping: str) -> Table:
    return Table("U V^T", f"momentum, tau = {shown}", _cases("nmf", sizes, flow="momentum", **damping), budget)


def _icnn(bias: bool) -> Table:
    name = f"U relu(V^T x{' + b' * bias})"
    return Table(name, "mirror, U positive", _cases("icnn", _grid(4, 4, 4), flow="mirror", bias=bias), 40)


def _convolution(kernel: int, relu: bool) -> Table:
    name = f"conv1d, kernel {kernel}{', relu' * relu}"
    return Table(name, "gradient", _cases("conv1d", _grid(3, 3, 3), kernel=kernel, relu=relu), 40)


def _family(name: str, sizes: Sequence[Sizes], budget: int, **options: Any) -> Table:
    """On the gradient flow, with options."""
    said = [option if value is True else f"{option} {value}" for option, value in options.items() if value is not False]
    return Table(", ".join([name, *said]), "gradient", _cases(name, sizes, **options), budget)


POSITIVE = ["U", "V"]
ROTARY = [(d, h) for d, h in _grid(5, 6) if h % 2 == 0]
TABLES: dict[str, list[Table]] = {
    "linear": [Table("U1 U2 ...", "gradient", _cases("linear", _layers((2, 3, 4), 5)), 30)],
    "relu": [_relu(bias=False), _relu(bias=True)],
    "momentum": [
        _momentum("0", _grid(4, 9, 4), 41),
        _momentum("1/2", _grid(3, 5, 3), 25, damping="heavy-ball", tau="1/2"),
        _momentum("3/t", _grid(3, 5, 3), 25, damping="nesterov"),
        Table("relu", "momentum, tau = 0", _cases("relu", _grid(3, 3, 3), flow="momentum"), 25),
    ],
    "nmf": [
        Table("U V^T", "mirror", _cases("nmf", _grid(5, 5, 5), flow="mirror"), 50),
        Table(
            "U V^T", "mirror momentum, tau = 0", _cases("nmf", _grid(3, 3, 3), flow="momentum", positive=POSITIVE), 25
        ),
    ],
    "icnn": [_icnn(bias=False), _icnn(bias=True)],
    "attention": [
        Table("d h heads", "gradient", _heads(), 64, option="heads"),
        Table("d h, rotary", "gradient", _cases("attention", ROTARY, rope=True), 64),
    ],
    "convolution": [_convolution(kernel, relu) for kernel in (1, 2, 3) for relu in (False, True)],
    "gated": [_family(name, _grid(3, 3, 3), 24) for name in ("gelu", "silu", "tanh", "glu", "swiglu", "moe")],
    "recurrent": [_family(name, _grid(3, 3, 2), 30) for name in ("recurrent", "ssm", "gru", "lstm")],
    "tensors": [
        *(_family("factorization", sizes, 36, rank=rank) for rank in (1, 2, 3, 4) for sizes in (_grid(3, 3, 3),)),
        _family("shared", _grid(4, 6), 24),
        _family("product", _grid(8), 8),
    ],
    "norms": [
        _family("cosine", _least(2, _grid(3, 3, 3)), 18),
        _family("weight_norm", _least(2, _grid(3, 3, 3)), 18),
    ],
    "transformer": [
        _family("transformer", _least(1 if norm == "none" else 2, _grid(3, 2, 2)), 24, bias=bias, norm=norm)
        for bias in (False, True)
        for norm in ("none", "pre-layer", "pre-rms", "post-layer")
    ],
    "residual": [_family("residual", _grid(3, 4), 24, relu=relu) for relu in (False, True)],
}


def text(tables: Sequence[Table]) -> str:
    """A file of several tables."""
    cases = [(table, case) for table in tables for case in table.cases]
    found = sweep([case for _, case in cases], jobs=available())
    rows = {row.case: row for row in found}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEAD)
    writer.writerows(table.line(rows[case.to_json()]) for table, case in cases)
    return out.getvalue()


def main(names: Sequence[str]) -> int:
    """Write the files; 2 for an unknown name."""
    if unknown := [name for name in names if name not in TABLES]:
        print(f"make_tables: no table is called {unknown[0]!r}; there are {', '.join(TABLES)}.", file=sys.stderr)
        return 2
    FOLDER.mkdir(exist_ok=True)
    for name in names or TABLES:
        write_atomically(FOLDER / f"{name}.csv", text(TABLES[name]).encode())
        print(FOLDER / f"{name}.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
