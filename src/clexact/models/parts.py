"""Activations and norms by name, for the families that leave the choice open."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from clexact import functions
from clexact.algebra.polynomial import Number
from clexact.programs.array import Array

LEAK = Fraction(1, 100)
ACTS: dict[str, Callable[[Array], Array]] = {
    "relu": functions.relu,
    "leaky": lambda z: functions.relu(z, LEAK),
    "gelu": functions.gelu,
    "gelu_tanh": lambda z: functions.gelu(z, "tanh"),
    "silu": functions.silu,
    "tanh": functions.tanh,
    "sigmoid": functions.sigmoid,
    "softplus": functions.softplus,
    "elu": functions.elu,
    "selu": functions.selu,
    "mish": functions.mish,
    "sin": functions.sin,
    "none": lambda z: z,
}
NORMS: dict[str, Callable[[Array, Number], Array]] = {
    "none": lambda z, eps: z,
    "layer": lambda z, eps: functions.layer_norm(z, eps=eps),
    "rms": lambda z, eps: functions.rms_norm(z, eps=eps),
    "batch": lambda z, eps: functions.batch_norm(z, eps=eps),
}


def normed(z: Array, norm: str, eps: Number, gain: Array | None, shift: Array | None) -> Array:
    """The norm along the last axis (``batch``: the first), times the gain, plus the shift."""
    z = NORMS[norm](z, eps)
    z = z if gain is None else gain * z
    return z if shift is None else z + shift
