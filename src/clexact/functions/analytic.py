r"""Analytic functions, entry by entry or along an axis.

Some are operations of programs: exp, reciprocal, $u^{-1/2}$, sigmoid, tanh, the normal distribution function, softplus,
log, sin, cos, softmax. Their residues are those of ``programs/characters.py``. The others are made of these.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from clexact.algebra.polynomial import Number, exact
from clexact.functions.piecewise import gate
from clexact.programs.array import Array
from clexact.programs.dispatch import implements

TANH_GELU = Fraction(2) * Fraction(float(np.sqrt(2 / np.pi))), Fraction("0.044715")
SELU = Fraction("1.0507009873554804934193349852946"), Fraction("1.6732632423543772848170429916717")


@implements(np.exp)
def exp(z: Array) -> Array:
    """The exponential function.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * exp(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return _function(z, "exp")


@implements(np.reciprocal)
def reciprocal(z: Array) -> Array:
    """1 / z.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * reciprocal(2 + v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return _function(z, "reciprocal")


def rsqrt(z: Array) -> Array:
    """$z^{-1/2}$.

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
    ValueError
        If z is a constant that is not positive.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * rsqrt(1 + v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return _function(z, "rsqrt")


@implements(np.sqrt)
def sqrt(z: Array) -> Array:
    """The square root.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * sqrt(1 + v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return z * rsqrt(z)


@implements(np.tanh)
def tanh(z: Array) -> Array:
    """The hyperbolic tangent.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * tanh(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return _function(z, "tanh")


def sigmoid(z: Array) -> Array:
    """$1 / (1 + e^{-z})$.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * sigmoid(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return _function(z, "sigmoid")


def silu(z: Array) -> Array:
    """$z / (1 + e^{-z})$, SiLU or swish.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * silu(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return z * sigmoid(z)


def normal_cdf(z: Array) -> Array:
    r"""$\Phi(z)$, the distribution function of the normal distribution.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * normal_cdf(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return _function(z, "normal_cdf")


def erf(z: Array) -> Array:
    r"""$\mathrm{erf}(z) = 2\,\Phi(\sqrt 2\,z) - 1$.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * erf(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return 2 * normal_cdf(sqrt(z.symbol(2)) * z) - 1


def gelu(z: Array, approximate: str = "none") -> Array:
    r"""$z\,\Phi(z)$, GELU; with ``approximate=\"tanh\"`` PyTorch's other one, $z\,\sigma(2 c (z + 0.044715\,z^3))$.

    Parameters
    ----------
    z : Array
        Of any shape.
    approximate : str
        "none", or "tanh": $c = \sqrt{2/\pi}$ is then the nearest float, as it is there.

    Returns
    -------
    Array
        Of the shape of z.

    Raises
    ------
    TypeError
        If z is no array of a model.
    ValueError
        If ``approximate`` is another word.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * gelu(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    if approximate == "tanh":
        slope, cubic = TANH_GELU
        return z * sigmoid(slope * (z + cubic * z**3))
    if approximate != "none":
        raise ValueError(f"approximate must be 'none' or 'tanh', not {approximate!r}.")
    return z * normal_cdf(z)


def softplus(z: Array) -> Array:
    r"""$\log(1 + e^z)$.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * softplus(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return _function(z, "softplus")


@implements(np.log)
def log(z: Array) -> Array:
    r"""The natural logarithm.

    Parameters
    ----------
    z : Array
        Of any shape, no constant: values of logarithms are not known to be independent (Schanuel).

    Returns
    -------
    Array
        Of the shape of z.

    Raises
    ------
    TypeError
        If z is no array of a model.
    ValueError
        If z is a constant other than 1.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * log(2 + v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return _function(z, "log")


@implements(np.log1p)
def log1p(z: Array) -> Array:
    r"""$\log(1 + z)$.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * log1p(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return log(1 + _array(z, "log1p"))


@implements(np.logaddexp)
def logaddexp(z: Array, w: Array) -> Array:
    r"""$\log(e^z + e^w)$.

    Parameters
    ----------
    z, w : Array
        Of shapes that broadcast; one of them may be an exact constant.

    Returns
    -------
    Array
        Of the shape to which they broadcast.

    Raises
    ------
    TypeError
        If neither is an array of a model.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: logaddexp(u * x, v * x * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    known = z if isinstance(z, Array) else _array(w, "logaddexp")
    return log(exp(known.symbol(z)) + exp(known.symbol(w)))


def logsumexp(z: Array, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    r"""$\log \sum_j e^{z_j}$ along an axis, several, or all.

    Parameters
    ----------
    z : Array
        Of any shape.
    axis : int or tuple of int, optional
        The axes summed over.
    keepdims : bool
        Whether they stay, of size 1.

    Returns
    -------
    Array
        Without these axes, or with them.

    Raises
    ------
    TypeError
        If z is no array of a model.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"W": (2, 2)}, {"x": (2,)}, lambda W, x: logsumexp(W @ x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 4, dim W = 4)
    """
    total = exp(_array(z, "logsumexp")).sum(axis=axis, keepdims=keepdims)
    return z.reshape(total.shape) if total.size == z.size else log(total)


def log_softmax(z: Array, axis: int = -1) -> Array:
    r"""$z_i - \log \sum_j e^{z_j}$ along an axis.

    Parameters
    ----------
    z : Array
        An array of at least one axis.
    axis : int
        The axis along which the exponentials sum to 1.

    Returns
    -------
    Array
        Of the shape of z; along an axis of size 1, zeros.

    Raises
    ------
    TypeError
        If z is no array of a model, or has no axis.
    IndexError
        If it has no such axis.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"W": (2, 2)}, {"x": (2,)}, lambda W, x: log_softmax(W @ x))
    >>> print(*clexact.certify(clexact.gradient_flow(net)).laws)  # the sum over the classes, for each input
    Σ_j W[j,i]  (i < 2)
    """
    if not _array(z, "log_softmax").ndim:
        raise TypeError(f"log_softmax takes an array of a model with at least one axis, not {z!r}.")
    if z.shape[axis] == 1:  # constant: it does not depend on z
        return z.symbol(np.zeros(z.shape, dtype=int))
    return z - logsumexp(z, axis, keepdims=True)


def log_sigmoid(z: Array) -> Array:
    r"""$-\log(1 + e^{-z})$.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * log_sigmoid(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return -softplus(-_array(z, "log_sigmoid"))


@implements(np.sin)
def sin(z: Array) -> Array:
    """The sine.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * sin(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return _function(z, "sin")


@implements(np.cos)
def cos(z: Array) -> Array:
    """The cosine.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * cos(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return _function(z, "cos")


@implements(np.tan)
def tan(z: Array) -> Array:
    """The tangent.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * tan(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    return sin(z) / cos(z)


def mish(z: Array) -> Array:
    r"""$z \tanh(\log(1 + e^z))$: rational in $e^z$.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * mish(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    square = (1 + exp(z)) ** 2
    return z * (square - 1) * reciprocal(square + 1)


def elu(z: Array, alpha: Number = 1, beta: Number = 1) -> Array:
    r"""z where it is positive, else $\alpha\,(e^{z/\beta} - 1)$: ELU; CELU with $\beta = \alpha$. Gates as in ``relu``.

    Parameters
    ----------
    z : Array
        Of any shape.
    alpha, beta : int or Fraction
        Not 0.

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * elu(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    a, b = exact(alpha, "alpha of elu"), exact(beta, "beta of elu")
    on = gate(z)
    return on * z + (1 - on) * (a * (exp(z / b) - 1))


def selu(z: Array) -> Array:
    """SELU: ``elu`` with the scale and the slope of Klambauer et al. (2017).

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
    >>> net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * selu(v * x))
    >>> clexact.certify(clexact.gradient_flow(net))
    exactly 0 independent conservation laws (D = 2, dim W = 2)
    """
    scale, alpha = SELU
    return scale * elu(z, alpha)


def softmax(z: Array, axis: int = -1) -> Array:
    r"""$e^{z_i} / \sum_j e^{z_j}$ along an axis.

    Parameters
    ----------
    z : Array
        An array of at least one axis.
    axis : int
        The axis along which the values sum to 1.

    Returns
    -------
    Array
        Of the shape of z; along an axis of size 1, ones.

    Raises
    ------
    TypeError
        If z is no array of a model, or has no axis.
    IndexError
        If it has no such axis.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"W": (2, 2)}, {"x": (2,)}, lambda W, x: softmax(W @ x))
    >>> print(*clexact.certify(clexact.gradient_flow(net)).laws)  # the sum over the classes, for each input
    Σ_j W[j,i]  (i < 2)
    """
    if not isinstance(z, Array) or not z.ndim:
        raise TypeError(f"softmax takes an array of a model with at least one axis, not {z!r}.")
    if z.shape[axis] == 1:  # constant: it does not depend on z
        return z.symbol(np.ones(z.shape, dtype=int))
    return z.then("softmax", z.shape, range(z.ndim)[axis])


def _function(z: Array, name: str) -> Array:
    return _array(z, name)._function(name)


def _array(z: Array, name: str) -> Array:
    if not isinstance(z, Array):
        raise TypeError(f"{name} takes an array of a model, not {z!r}.")
    return z
