"""The library of architectures: each family is a few lines on ``Model``."""

from collections.abc import Mapping
from typing import Any

from clexact.models.attention import attention, transformer
from clexact.models.blocks import avgpool, maxpool, recurrent, residual
from clexact.models.convolution import conv1d, conv2d
from clexact.models.experts import GATES, moe
from clexact.models.factor import icnn, nmf, shared
from clexact.models.family import Family
from clexact.models.gated import gelu, glu, silu, swiglu, tanh
from clexact.models.linear import linear
from clexact.models.neuron import neuron
from clexact.models.product import product
from clexact.models.relu import relu
from clexact.programs.model import Model

_ORDER = {"order": int}
_CONV = {"kernel": int, "stride": int, "length": int, "padding": int, "relu": bool, "bias": bool}
_BLOCK = {"heads": int, "tokens": int, "order": int}
_HEADS = {"heads": int, "rope": bool, "keys": int, "tokens": int, "causal": bool, "order": int}

FAMILIES: dict[str, Family] = {
    "linear": Family(linear, "n1 n2 ...", "U1 U2 ... Uq x"),
    "relu": Family(relu, "n1 n2 ...", "U1 relu(U2 ... relu(Uq x + bq))", {"bias": bool, "slope": "rational"}),
    "neuron": Family(neuron, "m [n]", "u <v, x>^k, summed over the powers k", {"powers": "ints"}),
    "product": Family(product, "d", "x1 x2 ... xd"),
    "nmf": Family(nmf, "n r m", "U V^T", positive=("U", "V")),
    "icnn": Family(icnn, "n r m", "U relu(V^T x + b), U positive", {"bias": bool}, ("U",)),
    "shared": Family(shared, "n r", "U U^T"),
    "tanh": Family(tanh, "m r n", "U tanh(V^T x)", _ORDER),
    "gelu": Family(gelu, "m r n", "U gelu(V^T x)", _ORDER),
    "silu": Family(silu, "m r n", "U silu(V^T x)", _ORDER),
    "glu": Family(glu, "m r n", "U (A^T x * B^T x)"),
    "swiglu": Family(swiglu, "m r n", "U (A^T x * silu(B^T x))", _ORDER),
    "conv1d": Family(conv1d, "C0 C1 ...", "W1, W2, ... convolved in turn with a signal", _CONV, fitted=True),
    "conv2d": Family(conv2d, "C0 C1 ...", "W1, W2, ... convolved in turn with an image", _CONV, fitted=True),
    "attention": Family(attention, "d h", "softmax(X Q K^T X^T) X V O^T, summed over heads", _HEADS, fitted=True),
    "transformer": Family(transformer, "d h f", "attention and a gelu layer, each with a skip", _BLOCK),
    "residual": Family(residual, "n r", "x + U relu(V^T x)", {"blocks": int, "relu": bool}),
    "maxpool": Family(maxpool, "m r n", "U maxpool(V^T x)", {"pool": int}),
    "avgpool": Family(avgpool, "m r n", "U avgpool(relu(V^T x))", {"pool": int}),
    "recurrent": Family(recurrent, "m r n", "U h_T, h_t = W h_(t-1) + V^T x_t", {"steps": int, "relu": bool}),
    "moe": Family(moe, "m experts n", "sum_i gate_i(W x) E_i x", {"gate": GATES, "k": int, "order": int}, fitted=True),
}


def families_with(option: str) -> list[str]:
    """Names of the families that have an option.

    Parameters
    ----------
    option : str
        Its name, such as ``"bias"``.

    Returns
    -------
    list of str
        In the order of ``FAMILIES``.

    Examples
    --------
    >>> families_with("heads")
    ['attention', 'transformer']
    """
    return [name for name, family in FAMILIES.items() if option in family.options]


def rebuild(recipe: Mapping[str, Any]) -> Model:
    """The model of a recipe ``{"family": ..., "sizes": [...], ...}``.

    Parameters
    ----------
    recipe : mapping
        ``family``, ``sizes`` and the options of the family, as in ``Model.recipe``.

    Returns
    -------
    Model
        The same architecture, made anew.

    Raises
    ------
    TypeError, ValueError
        If it names no family, or sizes or options that the family does not take.

    Examples
    --------
    >>> rebuild({"family": "relu", "sizes": [2, 3, 1], "bias": True})
    Model(relu [2, 3, 1] with bias, D = 12, output of shape (2,))
    """
    if not isinstance(recipe, Mapping):
        raise TypeError(f"a recipe must be a mapping, not {recipe!r}.")
    options = dict(recipe)
    family, sizes = options.pop("family", None), options.pop("sizes", None)
    if not isinstance(family, str) or family not in FAMILIES or not isinstance(sizes, list):
        raise ValueError(f"the model is not of one of the families {', '.join(FAMILIES)}, and cannot be rebuilt.")
    return FAMILIES[family].model(family, sizes, options)


__all__ = [
    "FAMILIES",
    "Family",
    "attention",
    "avgpool",
    "conv1d",
    "conv2d",
    "families_with",
    "gelu",
    "glu",
    "icnn",
    "linear",
    "maxpool",
    "moe",
    "neuron",
    "nmf",
    "product",
    "rebuild",
    "recurrent",
    "relu",
    "residual",
    "shared",
    "silu",
    "swiglu",
    "tanh",
    "transformer",
]
