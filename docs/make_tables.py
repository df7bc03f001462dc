"""Write docs/data/*.csv: certified counts of whole families, one row for each size.

    python docs/make_tables.py [NAME ...]       # all tables, or those named

The same source gives the same bytes: seconds are left out. Every row is certified anew; a test recomputes some of them.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from pathlib import Path

from clexact import models
from clexact.certificate import write_atomically
from clexact.certify import certify
from clexact.dynamics import Damping, HeavyBall, Nesterov, gradient_flow, mirror_flow, momentum_flow
from clexact.flow import Flow

FOLDER = Path(__file__).parent / "data"
SEED, DEGREE = 0, 2
HEAD = ["network", "flow", "sizes", "D", "lower", "upper", "exact", "proved", "degree", "prime", "seed"]

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Table:
    """A family on a flow at all sizes whose dimension is within the budget."""

    network: str  # formula and options, as text
    flow: str
    sizes: Sequence[Sizes]
    make: Callable[[Sizes], Flow]
    budget: int  # largest dimension

    def flows(self) -> Iterator[tuple[Sizes, Flow]]:
        """Each size with its flow."""
        for size in self.sizes:
            flow = self.make(size)
            if flow.dimension <= self.budget:
                yield size, flow

    def rows(self) -> Iterator[list[str]]:
        """Certified."""
        for size, flow in self.flows():
            yield self.row(size, flow)

    def row(self, size: Sizes, flow: Flow) -> list[str]:
        """One count, certified."""
        count = certify(flow, DEGREE, SEED)
        numbers = map(str, (count.dimension, count.lower, count.upper))
        means = map(str, (DEGREE, count.closure.prime, SEED))
        said = _said(count.exact), _said(count.error == 0)
        return [self.network, self.flow, " ".join(map(str, size)), *numbers, *said, *means]


def _said(true: bool) -> str:
    return "yes" if true else "no"


def _grid(*largest: int) -> list[Sizes]:
    """All sizes from 1 to these."""
    return list(product(*(range(1, most + 1) for most in largest)))


def _layers(depths: Sequence[int], widest: int) -> list[Sizes]:
    return [size for depth in depths for size in _grid(*[widest] * (depth + 1))]


def _heads() -> list[Sizes]:
    """Sizes d, h, heads of attention, h a multiple of the heads."""
    return [(d, h, heads) for d, h, heads in _grid(4, 4, 4) if h % heads == 0]


def _relu(bias: bool) -> Table:
    name = f"relu{', bias' * bias}"
    return Table(name, "gradient", _layers((2, 3), 4), lambda s: gradient_flow(models.relu(list(s), bias=bias)), 30)


def _momentum(tau: str, damping: Damping, sizes: Sequence[Sizes], budget: int) -> Table:
    return Table("U V^T", f"momentum, tau = {tau}", sizes, lambda s: momentum_flow(models.nmf(*s), damping), budget)


def _icnn(bias: bool) -> Table:
    name = f"U relu(V^T x{' + b' * bias})"
    return Table(
        name, "mirror, U positive", _grid(4, 4, 4), lambda s: mirror_flow(models.icnn(*s, bias=bias), ["U"]), 40
    )


def _convolution(kernel: int, relu: bool) -> Table:
    name = f"conv1d, kernel {kernel}{', relu' * relu}"
    return Table(
        name, "gradient", _grid(3, 3, 3), lambda s: gradient_flow(models.conv1d(list(s), kernel=kernel, relu=relu)), 40
    )


POSITIVE = ["U", "V"]
TABLES: dict[str, list[Table]] = {
    "linear": [
        Table("U1 U2 ...", "gradient", _layers((2, 3, 4), 5), lambda s: gradient_flow(models.linear(list(s))), 30),
    ],
    "relu": [_relu(bias=False), _relu(bias=True)],
    "momentum": [
        _momentum("0", None, _grid(4, 9, 4), 41),
        _momentum("1/2", HeavyBall(Fraction(1, 2)), _grid(3, 5, 3), 25),
        _momentum("3/t", Nesterov(), _grid(3, 5, 3), 25),
        Table("relu", "momentum, tau = 0", _grid(3, 3, 3), lambda s: momentum_flow(models.relu(list(s))), 25),
    ],
    "nmf": [
        Table("U V^T", "mirror", _grid(5, 5, 5), lambda s: mirror_flow(models.nmf(*s), POSITIVE), 50),
        Table(
            "U V^T", "mirror momentum, tau = 0", _grid(3, 3, 3),
            lambda s: momentum_flow(models.nmf(*s), positive=POSITIVE), 25,
        ),
    ],
    "icnn": [_icnn(bias=False), _icnn(bias=True)],
    "attention": [
        Table("d h heads", "gradient", _heads(), lambda s: gradient_flow(models.attention(s[0], s[1], heads=s[2])), 64),
        Table(
            "d h, rotary", "gradient", [(d, h) for d, h in _grid(5, 6) if h % 2 == 0],
            lambda s: gradient_flow(models.attention(s[0], s[1], rope=True)), 64,
        ),
    ],
    "convolution": [_convolution(kernel, relu) for kernel in (1, 2, 3) for relu in (False, True)],
}  # fmt: skip


def text(tables: Sequence[Table]) -> str:
    """A file of several tables."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEAD)
    for table in tables:
        writer.writerows(table.rows())
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
