import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Narrow = NDArray[np.int32]
Words = NDArray[np.uint64]

def equations(
    start: Ints,
    var: Narrow,
    power: Narrow,
    monomial_hash: Words,
    variable_hash: Words,
    component_start: Ints,
    term_hash: Words,
    term_coef: Words,
    p: int,
) -> tuple[Words, Ints, Words]: ...
def presolve(
    start: Ints, unknown: Ints, value: Words, unknowns: int, p: int
) -> tuple[Ints, Words, NDArray[np.bool_], Ints]: ...
