r"""Normalisations: what is divided by a root of a mean of squares. All are made of means, products and ``rsqrt``.

With eps = 0 a rescaling of what is normalised changes nothing, so that its parameters keep their size; with eps > 0
it does. Gains and biases are factors and terms like any other: ``g * layer_norm(a) + b``.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from clexact.algebra.polynomial import Number, exact, exact_number
from clexact.functions.analytic import rsqrt, sqrt
from clexact.programs.array import Array, symbols
from clexact.programs.dispatch import implements
from clexact.programs.model import check_size
from clexact.programs.rearrange import Axes, broadcast_to

Epsilon = Number | str


def layer_norm(a: Array, axis: int | Sequence[int] = -1, eps: Epsilon = 0) -> Array:
    r"""$(a - \bar a) / \sqrt{\overline{(a - \bar a)^2} + \epsilon}$, means along axes: LayerNorm without gain and bias.

    Parameters
    ----------
    a : Array
        What is normalised.
    axis : int or sequence of int
        The axes over which means are taken.
    eps : int or Fraction or str
        What is added to the variance, not negative; a decimal as text, as "1e-5".

    Returns
    -------
    Array
        Of the shape of a.

    Raises
    ------
    TypeError
        If a is no array of a model, or eps not exact.
    ValueError
        If eps is negative or no number, or it is 0 and the mean is one of a single entry.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"W": (1, 3), "V": (3, 1)}, {"x": (1,), "y": (3,)},
    ...     lambda W, V, x, y: W @ layer_norm(V @ x + y))
    >>> clexact.certify(clexact.gradient_flow(net)).laws  # nothing is seen of the mean, on either side
    LawList([Σ_i W[0,i], Σ_i V[i,0]])
    """
    axes, added = _axes(a, axis, "layer_norm"), _epsilon(eps)
    return _standardised(a, axes, added, "layer_norm")


def rms_norm(a: Array, axis: int | Sequence[int] = -1, eps: Epsilon = 0) -> Array:
    r"""$a / \sqrt{\overline{a^2} + \epsilon}$, the mean along axes: RMSNorm without gain.

    Parameters
    ----------
    a : Array
        What is normalised.
    axis : int or sequence of int
        The axes over which the mean is taken.
    eps : int or Fraction or str
        What is added to the mean, not negative; a decimal as text, as "1e-5".

    Returns
    -------
    Array
        Of the shape of a.

    Raises
    ------
    TypeError
        If a is no array of a model, or eps not exact.
    ValueError
        If eps is negative or no number.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"W": (1, 2), "V": (2, 2)}, {"x": (2,)}, lambda W, V, x: W @ rms_norm(V @ x))
    >>> clexact.certify(clexact.gradient_flow(net)).laws
    LawList([|V|²])
    """
    axes, added = _axes(a, axis, "rms_norm"), _epsilon(eps)
    return a * rsqrt(_plus((a * a).mean(axis=axes, keepdims=True), added))


def batch_norm(a: Array, axis: int | Sequence[int] = 0, eps: Epsilon = 0) -> Array:
    r"""$(a - \bar a) / \sqrt{\overline{(a - \bar a)^2} + \epsilon}$, means over the batch: BatchNorm as it is trained.

    Parameters
    ----------
    a : Array
        What is normalised, for all samples of a batch.
    axis : int or sequence of int
        The axes of the batch: 0, or (0, 2, 3) for images with channels at axis 1.
    eps : int or Fraction or str
        What is added to the variance, not negative; a decimal as text, as "1e-5".

    Returns
    -------
    Array
        Of the shape of a.

    Raises
    ------
    TypeError
        If a is no array of a model, or eps not exact.
    ValueError
        If eps is negative or no number, or it is 0 and the batch is a single entry.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"w": (1,), "V": (2, 1)}, {"X": (3, 2)}, lambda w, V, X: batch_norm(X @ V) * w)
    >>> clexact.certify(clexact.gradient_flow(net)).laws
    LawList([|V|²])
    """
    axes, added = _axes(a, axis, "batch_norm"), _epsilon(eps)
    return _standardised(a, axes, added, "batch_norm")


def group_norm(a: Array, groups: int, axis: int = 1, eps: Epsilon = 0) -> Array:
    r"""``layer_norm`` of each group of channels: over the channels of a group and all axes after that of channels.

    Parameters
    ----------
    a : Array
        What is normalised: (samples, channels, \*places), as in PyTorch, where ``axis`` is 1.
    groups : int
        The number of groups, of equally many consecutive channels.
    axis : int
        The axis of channels.
    eps : int or Fraction or str
        What is added to the variance, not negative; a decimal as text, as "1e-5".

    Returns
    -------
    Array
        Of the shape of a.

    Raises
    ------
    TypeError
        If a is no array of a model, ``groups`` no integer, or eps not exact.
    ValueError
        If the channels do not make equal groups, eps is negative or no number, or it is 0 and a group is one entry.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"V": (4, 1), "b": (4, 1)}, {"x": (1, 2)}, lambda V, b, x: group_norm(V @ x + b, 2, axis=0))
    >>> print(*clexact.certify(clexact.gradient_flow(net)).laws, sep="\n")  # for each group: the size, and sums
    |P1[i]|² + |P2[i]|² where P1 = V.reshape(2, 2); P2 = b.reshape(2, 2)  (i < 2)
    Σ_j P1[i,j] where P1 = b.reshape(2, 2)  (i < 2)
    """
    (channels,), added = _axes(a, axis, "group_norm"), _epsilon(eps)
    size, count = a.shape[channels], check_size(groups, "the number of groups")
    if size % count:
        raise ValueError(f"group_norm: {size} channels do not make {count} equal groups.")
    split = a.reshape((*a.shape[:channels], count, size // count, *a.shape[channels + 1 :]))
    return _standardised(split, tuple(range(channels + 1, split.ndim)), added, "group_norm").reshape(a.shape)


def instance_norm(a: Array, axis: int = 1, eps: Epsilon = 0) -> Array:
    r"""``layer_norm`` of each channel, over all axes after that of channels.

    Parameters
    ----------
    a : Array
        What is normalised: (samples, channels, \*places), as in PyTorch, where ``axis`` is 1.
    axis : int
        The axis of channels.
    eps : int or Fraction or str
        What is added to the variance, not negative; a decimal as text, as "1e-5".

    Returns
    -------
    Array
        Of the shape of a.

    Raises
    ------
    TypeError
        If a is no array of a model, or eps not exact.
    ValueError
        If eps is negative or no number, or it is 0 and a channel is a single entry.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"V": (2, 2)}, {"X": (2, 3)}, lambda V, X: instance_norm(V @ X, axis=0))
    >>> print(*clexact.certify(clexact.gradient_flow(net)).laws)  # the size of each row
    |V[i]|²  (i < 2)
    """
    (channels,), added = _axes(a, axis, "instance_norm"), _epsilon(eps)
    return _standardised(a, tuple(range(channels + 1, a.ndim)), added, "instance_norm")


def normalize(a: Array, axis: int | Sequence[int] = -1, eps: Epsilon = 0) -> Array:
    r"""$a / \sqrt{|a|^2 + \epsilon}$, Euclidean norms along axes.

    With eps = 0, ``torch.nn.functional.normalize`` wherever its own small number, a least value of |a|, is not reached.

    Parameters
    ----------
    a : Array
        What is normalised.
    axis : int or sequence of int
        The axes along which squares are added up.
    eps : int or Fraction or str
        What is added to the squares, not negative; a decimal as text, as "1e-5".

    Returns
    -------
    Array
        Of the shape of a.

    Raises
    ------
    TypeError
        If a is no array of a model, or eps not exact.
    ValueError
        If eps is negative or no number.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"V": (2, 2)}, {"x": (2,), "y": (2,)}, lambda V, x, y: normalize(V @ x) @ y)
    >>> clexact.certify(clexact.gradient_flow(net)).laws
    LawList([|V|²])
    """
    axes, added = _axes(a, axis, "normalize"), _epsilon(eps)
    return a * rsqrt(_plus(_squares(a, axes), added))


def cosine_similarity(a: Array, b: Array, axis: int = -1) -> Array:
    r"""$\langle a, b\rangle / (|a|\,|b|)$ along an axis.

    Parameters
    ----------
    a, b : Array
        Arrays that broadcast to each other; one of them may be constant.
    axis : int
        The axis along which products are added up.

    Returns
    -------
    Array
        Without this axis.

    Raises
    ------
    TypeError
        If neither is an array of a model, or a constant is not exact.
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"U": (2, 1), "V": (2, 2)}, {"x": (1,), "y": (2,)},
    ...     lambda U, V, x, y: cosine_similarity(U @ x, V @ y))
    >>> print(*clexact.certify(clexact.gradient_flow(net)).laws)
    |U|² |V|²
    """
    a, b = symbols([a, b], "cosine_similarity")
    shape = np.broadcast_shapes(a.shape, b.shape)
    a, b = broadcast_to(a, shape), broadcast_to(b, shape)
    return (normalize(a, axis) * normalize(b, axis)).sum(axis)


def weight_norm(v: Array, g: Array, axis: int | None = 0) -> Array:
    r"""$g\,v / |v|$, norms over all axes but one, as ``torch.nn.utils.parametrizations.weight_norm``.

    Parameters
    ----------
    v : Array
        The directions.
    g : Array
        The sizes, one for each place along ``axis``; or an array that broadcasts to v.
    axis : int or None
        The axis that has a size for each place; None: one size, over all axes.

    Returns
    -------
    Array
        Of the shape of v.

    Raises
    ------
    TypeError
        If v is no array of a model, or a constant g not exact.
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"g": (1,), "v": (1, 2)}, {"x": (2,)}, lambda g, v, x: weight_norm(v, g) @ x)
    >>> clexact.certify(clexact.gradient_flow(net)).laws
    LawList([|v|²])
    """
    kept = () if axis is None else _axes(v, axis, "weight_norm")
    others = tuple(n for n in range(_model_array(v, "weight_norm").ndim) if n not in kept)
    size = v.symbol(g)
    if kept and size.ndim == 1:
        size = size.reshape([-1 if n in kept else 1 for n in range(v.ndim)])
    return normalize(v, others) * size


@implements(np.var)
def _var(a: Array, axis: Axes = None, ddof: Number = 0, keepdims: bool = False) -> Array:
    axes = normalize_axis_tuple(range(a.ndim) if axis is None else axis, a.ndim)
    size, lost = prod(a.shape[each] for each in axes), exact(ddof, "ddof")
    if size <= lost:
        raise ValueError(f"a variance divides by size - ddof, which is {size} - {lost}.")
    centred: Array = a - a.mean(axes, keepdims=True)
    return (centred * centred).sum(axes, keepdims) * (1 / Fraction(size - lost))


@implements(np.std)
def _std(a: Array, axis: Axes = None, ddof: Number = 0, keepdims: bool = False) -> Array:
    return sqrt(_var(a, axis, ddof, keepdims))


@implements(np.linalg.norm)
def _norm(x: Array, ord: Any = None, axis: Axes = None, keepdims: bool = False) -> Array:
    """The Euclidean norm, of matrices that of Frobenius."""
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    if not (ord is None or (ord == 2 and len(axes) == 1) or (ord == "fro" and len(axes) == 2)):
        raise ValueError(f"the Euclidean norm of arrays of a model is defined, not that of ord {ord!r}.")
    return sqrt((x * x).sum(axes, keepdims))


def _standardised(a: Array, axes: tuple[int, ...], eps: Number, name: str) -> Array:
    """Less its mean, and divided by the root of its variance."""
    if eps == 0 and prod(a.shape[axis] for axis in axes) == 1:
        raise ValueError(f"{name} over one entry divides by its variance, 0: give eps > 0, or more entries.")
    centred: Array = a - a.mean(axis=axes, keepdims=True)
    return centred * rsqrt(_plus((centred * centred).mean(axis=axes, keepdims=True), eps))


def _plus(a: Array, eps: Number) -> Array:
    return a + eps if eps else a


def _squares(a: Array, axes: tuple[int, ...]) -> Array:
    """The sums of squares along axes, which stay; those of a constant are one."""
    if a.node.op == "constant":
        return a.symbol(np.asarray((a.node.data * a.node.data).sum(axis=axes, keepdims=True)))
    return (a * a).sum(axes, keepdims=True)


def _model_array(a: object, name: str) -> Array:
    if not isinstance(a, Array):
        raise TypeError(f"{name} takes an array of a model, not {a!r}.")
    return a


def _axes(a: object, axis: int | Sequence[int], name: str) -> tuple[int, ...]:
    """The axes meant, increasing."""
    return tuple(sorted(normalize_axis_tuple(axis, _model_array(a, name).ndim)))


def _epsilon(eps: Epsilon) -> Number:
    """An exact number that is not negative."""
    value = exact_number(eps, "eps")
    if value < 0:
        raise ValueError(f"eps must not be negative, as {value} is.")
    return value
