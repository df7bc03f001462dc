"""What a case will take, roughly, known before anything is built: for the order of a sweep and its estimated end.

Power laws in D, fitted by least squares of logarithms to 384 cases of all families and flows, D from 5 to 1801, each
with its certificate, on one of two shared cores of a virtual machine. Of these, 70 % are within a factor of 3 of the
law and 92 % within 10; the worst take 90 times as long.
"""

from __future__ import annotations

from clexact.counting.memory import BASE, FOR_A_COORDINATE, FOR_AN_ENTRY
from clexact.lie.sparse_witnesses import SPARSE_FROM

UNKNOWN = 100  # D of a user's Python file, which nobody runs to ask
SECONDS = {  # of D = 1, and the exponent of D
    "gradient": (4.0e-3, 0.6),
    "decay": (7.0e-4, 1.1),
    "mirror": (6.0e-4, 1.1),
    "momentum": (3.0e-4, 1.7),
    "orbit": (3.0e-2, 0.4),
}
ANALYTIC = 3.0  # times as long, if there are analytic functions: norms take more, activations less


def seconds(kind: str, dimension: int, analytic: bool) -> float:
    """Of a certification with its certificate, on one core."""
    one, exponent = SECONDS[kind]
    return float(one * dimension**exponent * (ANALYTIC if analytic else 1))


def memory(kind: str, dimension: int) -> int:
    """Resident bytes of the process, at most: those of ``memory.py`` without what depends on the program."""
    if kind == "gradient" and dimension >= SPARSE_FROM:
        return BASE + FOR_A_COORDINATE * dimension
    return BASE + FOR_AN_ENTRY * dimension**2 // 2
