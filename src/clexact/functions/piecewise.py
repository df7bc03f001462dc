"""Piecewise linear functions, entry by entry or along an axis.

Such a function is linear near a generic point, with a local choice (on or off, which entry is largest) that becomes a
probe.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import count
from typing import Any

import numpy as np

from clexact.algebra.polynomial import Number, exact_number
from clexact.programs.array import Array, symbols
from clexact.programs.dispatch import implements
from clexact.programs.program import LEAVES, Gate
from clexact.programs.rearrange import Axes, merged


def relu(z: Array, slope: Number | str = 0) -> Array:
    r"""$\max(z, 0)$, entry by entry; with ``slope`` s, the leaky $\max(z, 0) + s\min(z, 0)$.

    Locally $z \mapsto g z$ with gates g that are probes, one for each z however often it is rectified. Where the
    network is affine in each gate, free gates span the same fields as gates in {s, 1} (arXiv 2307.00144, section 2);
    that inputs open all of them is an assumption, which every result states ("with free gates").

    Parameters
    ----------
    z : Array
        What is rectified, of any shape.
    slope : int or Fraction or str
        The factor s of negative entries, rational, not 1.

    Returns
    -------
    Array
        Of the shape of z.

    Raises
    ------
    TypeError
        If z is no array of a model, or the slope not exact.
    ValueError
        If the slope is 1.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"u": (), "v": (2,)}, {"x": (2,)}, lambda u, v, x: u * relu(v @ x))
    >>> net.probes  # the gate is one of them
    {'x': (2,), 'gate1': ()}
    >>> clexact.certify(clexact.gradient_flow(net)).laws
    LawList([u² − |v|²])
    """
    leak = exact_number(slope, "the slope of relu")
    if leak == 1:
        raise ValueError("a slope of 1 makes relu the identity; leave it out.")
    return gate(z, leak) * z


def maximum(z: Array, axis: int = -1) -> Array:
    r"""The largest entry along an axis: locally $z_p + \sum_{i<p} c_i (z_i - z_p)$, c (0 or 1) being a probe.

    A selection has $\sum_i c_i = 1$: written so that its last entry does not count, the others are free. Several maxima
    select jointly, and the products of their selections span the functions affine in each, not all with free $c_p$.

    Parameters
    ----------
    z : Array
        An array of at least one axis.
    axis : int
        The axis of the p entries that compete.

    Returns
    -------
    Array
        Of the shape of z without that axis.

    Raises
    ------
    TypeError
        If z is no array of a model, or has no axis.
    IndexError
        If it has no such axis.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"u": (), "V": (2, 3)}, {"x": (3,)}, lambda u, V, x: u * maximum(V @ x))
    >>> clexact.certify(clexact.gradient_flow(net)).laws
    LawList([u² − |V|²])
    """
    if not isinstance(z, Array) or not z.ndim:
        raise TypeError(f"maximum takes an array of a model with at least one axis, not {z!r}.")
    axis = range(z.ndim)[axis]
    before = (slice(None),) * axis
    if z.shape[axis] == 1:  # nothing to choose
        return z[(*before, 0)]
    last, others = z[(*before, slice(-1, None))], (*before, slice(0, -1))
    return last[(*before, 0)] + (_selection(z, axis)[others] * (z[others] - last)).sum(axis)


@implements(np.abs, np.fabs)
def absolute(z: Array) -> Array:
    r"""$|z|$, entry by entry: the leaky ReLU of slope -1.

    As ``torch.abs``; ``numpy.abs`` of an array of a model is this function. Its gates, signs locally, are those of
    ``relu`` for the same z, rescaled.

    Parameters
    ----------
    z : Array
        Of any shape.

    Returns
    -------
    Array
        Of the shape of z.

    Raises
    ------
    TypeError
        If z is no array of a model.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"u": (), "v": (2,)}, {"x": (2,)}, lambda u, v, x: u * absolute(v @ x))
    >>> clexact.certify(clexact.gradient_flow(net)).laws
    LawList([u² − |v|²])
    """
    return relu(z, slope=-1)


@implements(np.maximum)
def _larger(x1: Any, x2: Any) -> Array:
    """b + relu(a - b): the relu of a where b is zero."""
    a, b = symbols([x1, x2])
    for z, other in ((a, b), (b, a)):
        if other.node.op == "constant":
            narrow = np.broadcast_shapes(z.shape, other.shape) == z.shape
            return relu(z) if other.is_zero and narrow else other + relu(z - other)
    return b + relu(a - b)


@implements(np.minimum)
def _smaller(x1: Any, x2: Any) -> Array:
    a, b = symbols([x1, x2])
    return -_larger(-a, -b)


@implements(np.max, np.amax)
def _largest(a: Array, axis: Axes = None, keepdims: bool = False) -> Array:
    last, kept = merged(a, axis)
    largest = maximum(last)
    return largest.reshape(kept) if keepdims else largest


@implements(np.min, np.amin)
def _least(a: Array, axis: Axes = None, keepdims: bool = False) -> Array:
    return -_largest(-a, axis, keepdims)


def gate(z: Array, slope: Number = 0) -> Array:
    """The gates of z, 1 where it is positive, else the slope.

    Those of an earlier ReLU of a multiple of z, if there is one, rescaled; else new ones.
    """
    _check_array(z)
    source, factor = _unscaled(z)
    for gate in z.program.gates:
        earlier, scale = _unscaled(Array(z.program, gate.source))
        if (earlier, gate.axis) == (source, None):
            probe = z.leaf("probe", z.shape, gate.probe)
            return _rescaled(probe, gate.slope, slope, factor * scale > 0)
    return _choice(z, Gate(_free_name(z, "gate"), z.number, slope))


def _rescaled(gates: Array, slope: Number, wanted: Number, same: bool) -> Array:
    """The affine function of gates in {slope, 1} that has the values {wanted, 1}: 1 at 1 if the same, else at slope."""
    if same and slope == wanted:
        return gates
    one, other = (Fraction(1), Fraction(wanted)) if same else (Fraction(wanted), Fraction(1))
    step = (one - other) / (1 - Fraction(slope))
    return one - step + step * gates


def _selection(z: Array, axis: int) -> Array:
    """The selection of the largest entry along an axis: that of an earlier maximum of z times c > 0, or a new one."""
    source, factor = _unscaled(z)
    for gate in z.program.gates:
        earlier, scale = _unscaled(Array(z.program, gate.source))
        if (earlier, gate.axis) == (source, axis) and factor * scale > 0:
            return z.leaf("probe", z.shape, gate.probe)
    return _choice(z, Gate(_free_name(z, "choice"), z.number, axis=axis))


def _unscaled(z: Array) -> tuple[int, Fraction]:
    """A node and a number: z is that number times the node, as far as it is written so."""
    factor, number, nodes = Fraction(1), z.number, z.program.nodes
    while nodes[number].op == "multiply":
        constants = [i for i in nodes[number].inputs if nodes[i].op == "constant" and len(set(nodes[i].data.flat)) == 1]
        rest = [i for i in nodes[number].inputs if i not in constants and nodes[i].shape == nodes[number].shape]
        if not constants or not rest or not (c := Fraction(nodes[constants[0]].data.flat[0])):
            break
        factor, number = factor * c, rest[0]
    return number, factor


def _choice(z: Array, gate: Gate) -> Array:
    """A new probe of the shape of z."""
    z.program.gates.append(gate)
    return z.leaf("probe", z.shape, gate.probe)


def _free_name(z: Array, kind: str) -> str:
    used = {node.data for node in z.program.nodes if node.op in LEAVES}
    return next(f"{kind}{n}" for n in count(1) if f"{kind}{n}" not in used)


def _check_array(z: object) -> None:
    if not isinstance(z, Array):
        raise TypeError(f"expected an array of a model, not {z!r}.")
