"""What a case will take, roughly, known before anything is built: for the order of a sweep and its estimated end.

Power laws in D, fitted by least squares of logarithms to 330 cases of all families, D from 5 to 1801, certified with
their certificates on one core of a virtual machine with two (2026): three cases of four are within a factor of 3, a few
are 80 times slower (momentum flows of products, whose fields are of high degree).
"""

from __future__ import annotations

from clexact.memory import BASE, FOR_A_COORDINATE, FOR_AN_ENTRY
from clexact.sparse import SPARSE_FROM

UNKNOWN = 100  # D of a user's Python file, which nobody runs to ask
SECONDS = {  # of D = 1, and the exponent of D
    "gradient": (2.6e-3, 0.7),
    "decay": (4.3e-4, 1.2),
    "mirror": (5.7e-4, 1.1),
    "momentum": (5.0e-5, 2.0),
    "orbit": (1.5e-2, 0.5),
}
TAYLOR = 3.0  # times as long, if analytic functions are expanded


def seconds(kind: str, dimension: int, taylor: bool) -> float:
    """Of a certification with its certificate, on one core."""
    one, exponent = SECONDS[kind]
    return float(one * dimension**exponent * (TAYLOR if taylor else 1))


def memory(kind: str, dimension: int) -> int:
    """Resident bytes of the process, at most: those of ``memory.py`` without what depends on the program."""
    if kind == "gradient" and dimension >= SPARSE_FROM:
        return BASE + FOR_A_COORDINATE * dimension
    return BASE + FOR_AN_ENTRY * dimension**2 // 2
