"""``Model``: a network as a function of its parameters and its probes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.programs import numeric
from clexact.programs.array import record
from clexact.programs.places import Shape, offsets
from clexact.programs.program import Program
from clexact.support.display import facts, lines, table

MAX_DIMENSION = 10**7  # of the parameters, and of the probes


_ANY_SIZE: ContextVar[bool] = ContextVar("any size", default=False)


@contextmanager
def any_size() -> Iterator[None]:
    """Models made in this block may be of any size: only their programs are wanted."""
    token = _ANY_SIZE.set(True)
    try:
        yield
    finally:
        _ANY_SIZE.reset(token)


def check_size(value: object, what: str, least: int = 1) -> int:
    """Return a size as int; TypeError unless it is an integer, ValueError unless it is at least 1, or ``least``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{what} must be an integer, not {value!r}.")
    if value < least:
        raise ValueError(f"{what} must be at least {least}, not {value}.")
    return int(value)


def entry_names(name: str, shape: Shape) -> list[str]:
    """Names of the entries of an array, row by row: U[0,1]; the bare name for a scalar."""
    return [f"{name}[{','.join(map(str, index))}]" if shape else name for index in np.ndindex(shape)]


class Model:
    r"""A model $g(\theta, \xi)$: its output as a function of parameters $\theta$ and probes $\xi$.

    Probes are what varies freely: the input x, the angle of a rotation. The fields of its gradient flow are
    $\nabla_\theta \langle C, g(\theta, \xi)\rangle$ over all $\xi$ and covectors C: the coefficients of the monomials
    in $\xi$ are the re-parametrization $\varphi$ of arXiv 2307.00144, section 2.

    ``output`` is called once, with one array for each name, and may use

    - ``@ + - * ** /`` with exact constants, ``T``, indexing, and NumPy's names for the same:
      ``add subtract multiply matmul true_divide negative positive square power``;
    - products: ``einsum tensordot dot inner outer kron``; sums: ``sum mean cumsum trace``;
    - shapes: ``reshape ravel transpose matrix_transpose swapaxes moveaxis expand_dims squeeze broadcast_to
      broadcast_arrays shape ndim size``; entries moved: ``flip roll repeat tile take take_along_axis diagonal split
      array_split pad concatenate stack vstack hstack lib.stride_tricks.sliding_window_view``; masks: ``where`` with a
      constant condition, ``tril triu zeros_like ones_like``; as methods, what NumPy's arrays have of these;
    - piecewise functions: ``relu`` and ``maximum`` of ``clexact.functions``, ``np.maximum minimum max min abs fabs``,
      whose gates and choices become probes by themselves;
    - analytic functions, which stand for themselves: ``np.exp tanh sqrt reciprocal log log1p logaddexp sin cos tan``,
      ``/`` between arrays, powers that are negative or half an integer, and of ``clexact.functions`` also ``rsqrt``,
      ``sigmoid``, ``silu``, ``gelu``, ``softmax``, ``softplus``, ``erf``, ``normal_cdf``, ``elu``, ``selu``, ``mish``,
      ``logsumexp``, ``log_softmax``, ``log_sigmoid``;
    - the layers of ``clexact.functions``: ``convolve``, ``convolve_transposed``, ``windows``, ``average_pool``,
      ``max_pool``, ``embedding``, ``upsample``, ``pixel_shuffle``, ``channel_shuffle``.

    It returns an array, or several in nested lists and tuples: their entries, one after another, are one vector.

    Parameters
    ----------
    parameters : mapping of str to int or sequence of int
        Names and shapes; () is a scalar.
    probes : mapping of str to int or sequence of int, optional
        Likewise.
    output : callable
        Of the arrays, by name, to an array or several.
    name : str
        How results call it.
    recipe : mapping, optional
        Family and options, by which ``models.rebuild`` makes the same model again.

    Attributes
    ----------
    program : Program
        The operations recorded.
    variables : tuple of str
        Names of the D entries of $\theta$, row by row.
    notes : tuple of str
        What is assumed of the model, beside what results say of any: they repeat it.
    cuts : tuple of str
        Operations of a network that are opaque in the model: completeness is that of the network cut there.
    data : str
        For which data results hold.
    inputs : dict of str to array, or None
        The data that it is trained on, if it remembers some: flows of it are on these alone.
    free : tuple of str
        Probes that no data give: what dropout keeps, what an opaque operation gives.

    Raises
    ------
    TypeError, ValueError
        For wrong names or shapes, and for an output that fails or holds no array.

    Examples
    --------
    >>> net = Model(
    ...     parameters={"U": (2, 3), "V": (4, 3)},
    ...     probes={"x": (4,), "gate": (3,)},
    ...     output=lambda U, V, x, gate: U @ (gate * (V.T @ x)),
    ... )
    >>> net.dimension, net.variables[:2]
    (18, ('U[0,0]', 'U[0,1]'))
    """

    def __init__(
        self,
        parameters: Mapping[str, int | Sequence[int]],
        probes: Mapping[str, int | Sequence[int]] | None = None,
        output: Callable[..., object] | None = None,
        name: str = "model",
        recipe: Mapping[str, object] | None = None,
    ) -> None:
        if output is None or not callable(output):
            raise TypeError(f"output must be a function of the parameters and probes, not {output!r}.")
        self.name = name
        self.notes: tuple[str, ...] = ()
        self.cuts: tuple[str, ...] = ()
        self.data = "all data"
        self.inputs: dict[str, NDArray[Any]] | None = None
        self.free: tuple[str, ...] = ()
        self.logits: Shape | None = None  # of the network's one output, the first of several where it is cut
        self.recipe = dict(recipe or {})  # family and options, by which ``models.rebuild`` makes the same model again
        self.parameters: dict[str, Shape] = _check_shapes(parameters, "parameter")
        self.probes: dict[str, Shape] = _check_shapes(probes or {}, "probe")
        if both := self.parameters.keys() & self.probes.keys():
            raise ValueError(f"{sorted(both)[0]!r} is both a parameter and a probe.")
        if not self.parameters:
            raise ValueError("a model needs at least one parameter.")
        most = float("inf") if _ANY_SIZE.get() else MAX_DIMENSION
        if (count := sum(map(prod, self.parameters.values()))) > most:
            raise ValueError(f"a model may have at most {MAX_DIMENSION} parameters, not {count}.")
        if (count := sum(map(prod, self.probes.values()))) > most:
            raise ValueError(f"a model may have at most {MAX_DIMENSION} probes, not {count}.")
        self.program: Program = record(output, self.parameters, self.probes)
        self.probes |= {node.data: node.shape for node in self.program.nodes if node.op == "probe"}  # recorded later

    @cached_property
    def variables(self) -> tuple[str, ...]:
        r"""Names of the D entries of $\theta$, row by row."""
        return tuple(entry for key, shape in self.parameters.items() for entry in entry_names(key, shape))

    @property
    def dimension(self) -> int:
        """D, the number of parameters."""
        return sum(map(prod, self.parameters.values()))

    def offsets(self) -> dict[str, int]:
        """Position in theta of the first entry of each parameter.

        Returns
        -------
        dict of str to int
            For each parameter, counted from 0.

        Examples
        --------
        >>> Model({"U": (2, 3), "b": 3}, {}, lambda U, b: U @ b).offsets()
        {'U': 0, 'b': 6}
        """
        return offsets(self.parameters)

    def __call__(self, theta: object = None, /, **arrays: object) -> Any:
        r"""The output at parameters and inputs, with the true gates and functions: exact numbers stay exact.

        At a tie one of the pieces is taken: a unit that receives exactly 0 is off, of equal entries the first is
        largest.

        Parameters
        ----------
        theta : array_like or mapping of str to array_like, optional
            All parameters, D numbers row by row, or by name.
        **arrays : array_like
            The probes by name, and the parameters if ``theta`` is not given. N inputs at once: all probes with one more
            axis in front.

        Returns
        -------
        numpy.ndarray or number
            Of the shape of the output, (N, \*shape) for N inputs: of integers and Fractions if all numbers are and no
            analytic function stands in the model, else of floats.

        Raises
        ------
        TypeError, ValueError
            For what is no array of numbers, and for a name that is missing, unknown or of another shape.

        Examples
        --------
        >>> net = Model({"U": (1, 2)}, {"x": 2}, lambda U, x: U @ x)
        >>> net(U=[[1, 2]], x=[3, 4]), net([1, 2], x=[[3.0, 4.0], [5.0, 6.0]])
        (array([11], dtype=object), array([[11.],
               [17.]]))
        """
        given = self._by_name(theta, arrays)
        exact = not self.program.functions and all(array.dtype == object for array in given.values())
        given = {name: array if exact else array.astype(float) for name, array in given.items()}
        inputs = [name for name in self.probes if name in given]
        several = bool(inputs) and all(given[name].ndim == len(self.probes[name]) + 1 for name in inputs)
        leaves = {}
        for name, array in given.items():
            many = several and name in inputs
            if array.shape[many:] != (shape := self.parameters.get(name, self.probes.get(name))):
                raise ValueError(f"{name!r} must have shape {shape}, not {array.shape[many:]}.")
            leaves[name] = array if many else array[None]
        if len({len(leaves[name]) for name in inputs}) > 1:
            raise ValueError(f"all of {', '.join(inputs)} must be of equally many inputs.")
        program = numeric.converted(self.program, object if exact else float)
        found = numeric.values(program, leaves, numeric.Samples())[program.output]
        return found if several else found[0]

    def _by_name(self, theta: object, arrays: Mapping[str, object]) -> dict[str, numeric.Values]:
        """All arrays: exact numbers as objects, others as floats."""
        gates = {gate.probe for gate in self.program.gates}
        expected = [*self.parameters, *(name for name in self.probes if name not in gates)]
        if isinstance(theta, Mapping):
            arrays = {**theta, **arrays}
        elif theta is not None:
            vector = numeric.numbers(theta, "the parameters")
            if vector.shape != (self.dimension,):
                raise ValueError(f"the parameters must have shape ({self.dimension},), not {vector.shape}.")
            arrays = {**numeric.pieces(vector, self.parameters), **arrays}
        if set(arrays) != set(expected):
            raise ValueError(f"{self.name} takes the arrays {', '.join(expected)}, not {', '.join(arrays) or 'none'}.")
        return {name: numeric.numbers(arrays[name], repr(name)) for name in expected}

    def _repr_html_(self) -> str:
        named = [("parameter", self.parameters), ("probe", self.probes)]
        rows = [(kind, name, _shown(shape), prod(shape)) for kind, shapes in named for name, shape in shapes.items()]
        headline = f"{self.name}: D = {self.dimension}, output of shape {_shown(self.program.shape)}"
        assumed = lines(self.notes) if self.notes else None
        return facts(headline, {"": table(rows, ("", "name", "shape", "entries")), "assuming": assumed})

    def __repr__(self) -> str:
        return f"Model({self.name}, D = {self.dimension}, output of shape {self.program.shape})"


def _shown(shape: Shape) -> str:
    return " x ".join(map(str, shape)) or "a number"


def _check_shapes(given: Mapping[str, int | Sequence[int]], what: str) -> dict[str, Shape]:
    if not isinstance(given, Mapping):
        raise TypeError(f"{what}s must map names to shapes, not be {given!r}.")
    shapes: dict[str, Shape] = {}
    for name, shape in given.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"{what} {name!r} is not a Python name.")
        sizes = shape if isinstance(shape, Sequence) else (shape,)
        shapes[name] = tuple(check_size(size, f"a size of {what} {name!r}") for size in sizes)
    return shapes
