import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

class SparseForm:
    entries: int
    rank: int
    def __init__(self, columns: int, p: int) -> None: ...
    @property
    def pivots(self) -> Ints: ...
    def rows(self) -> tuple[Ints, Ints, NDArray[np.uint64]]: ...
    def add(
        self, start: Ints, column: Ints, value: NDArray[np.uint64], order: Ints, most: int
    ) -> NDArray[np.bool_]: ...
