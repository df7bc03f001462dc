"""Rules of analytic functions, entry by entry: each stands for itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from clexact import functions
from clexact.programs.array import Array
from clexact.torch.translation.rule import Call, Masked, number, rule, symbols


@rule("exp")
def _exp(call: Call, x: Array | Masked) -> Any:
    if isinstance(x, Masked):
        return functions.exp(x.scores) * (~x.hidden).astype(int)
    return functions.exp(x)


@rule("tanh", "sigmoid", "silu", "selu", "mish", "erf", "sqrt", "rsqrt", "reciprocal")
@rule("log", "log1p", "sin", "cos", "tan")
def _function(call: Call, x: Array) -> Any:
    return getattr(functions, call.name)(x)


@rule("special_log1p")
def _log1p(call: Call, x: Array) -> Array:
    return functions.log1p(x)


@rule("logaddexp")
def _logaddexp(call: Call, x: Any, other: Any) -> Array:
    a, b = symbols(x, other)
    return functions.logaddexp(a, b)


@rule("logsumexp", "special_logsumexp")
def _logsumexp(call: Call, x: Array, dim: Any, keepdim: bool = False) -> Array:
    axes = (dim,) if isinstance(dim, int) else tuple(dim)
    return functions.logsumexp(x, axes or None, keepdim)


@rule("special_expit")
def _expit(call: Call, x: Array) -> Array:
    return functions.sigmoid(x)


@rule("special_ndtr")
def _normal_cdf(call: Call, x: Array) -> Array:
    return functions.normal_cdf(x)


@rule("special_erf")
def _erf(call: Call, x: Array) -> Array:
    return functions.erf(x)


@rule("erfc", "special_erfc")
def _complement(call: Call, x: Array) -> Array:
    return 1 - functions.erf(x)


@rule("expm1", "special_expm1")
def _less_one(call: Call, x: Array) -> Array:
    return functions.exp(x) - 1


@rule("gelu")
def _gelu(call: Call, x: Array, approximate: str = "none") -> Array:
    return functions.gelu(x, approximate)


@rule("glu")
def _glu(call: Call, x: Any, dim: int = -1) -> Any:
    value, gate = np.split(x, 2, dim)
    return value * functions.sigmoid(gate)  # type: ignore[arg-type]


@rule("elu", "celu")
def _elu(call: Call, x: Array, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Array:
    """ELU is scaled outside and inside; CELU divides by its alpha."""
    a = number(alpha)
    if call.name == "celu":
        return functions.elu(x, a, a)
    return functions.elu(x * number(input_scale), a) * number(scale)


@rule("softplus")
def _softplus(call: Call, x: Array, beta: float = 1, threshold: float = 20) -> Array:
    call.assume(f"softplus is itself above its threshold {threshold:g} too, where PyTorch has the identity")
    b = number(beta)
    return functions.softplus(x * b) / b


@rule("log_sigmoid")
def _log_sigmoid(call: Call, x: Array) -> Array:
    return -functions.softplus(-x)


@rule("pow")
def _power(call: Call, x: Any, exponent: Any) -> Array:
    power = number(exponent) if isinstance(exponent, (int, float)) else None
    if not isinstance(x, Array) or power is None or (2 * power).denominator > 1:
        raise call.refuse("to a power that is no constant integer or half of one")
    return x**power


@rule("square")
def _square(call: Call, x: Array) -> Array:
    return x * x


@rule("prod")
def _product(call: Call, x: Any, dim: int | None = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """Factor by factor."""
    axis = 0 if dim is None else range(x.ndim)[dim]
    x = x.ravel() if dim is None else x
    first, *others = (x.take(place, axis) for place in range(x.shape[axis]))
    for other in others:
        first = first * other
    return first.reshape(call.shape)


# --- quotients -------------------------------------------------------------------------------------------------------


@rule("addcdiv")
def _add_quotient(call: Call, x: Any, tensor1: Any, tensor2: Any, value: float = 1) -> Array:
    a, b, c = symbols(x, tensor1, tensor2)
    return a + b / c * number(value)
