"""The library of architectures: each family is a few lines on ``Model``."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from clexact.models.adapted import lora
from clexact.models.attention import attention
from clexact.models.blocks import avgpool, maxpool, recurrent, residual
from clexact.models.cells import gru, lstm, ssm
from clexact.models.convolution import conv1d, conv2d
from clexact.models.experts import GATES, moe
from clexact.models.factor import icnn, nmf, shared
from clexact.models.family import Family, Kind
from clexact.models.gated import gelu, glu, silu, swiglu, tanh
from clexact.models.linear import linear
from clexact.models.mlp import mlp
from clexact.models.neuron import neuron
from clexact.models.normalised import cosine, weight_norm
from clexact.models.parts import ACTS, NORMS
from clexact.models.product import product
from clexact.models.relu import relu
from clexact.models.sizes import symbolic
from clexact.models.tensors import SCHEMES, diagonal, factorization
from clexact.models.transformer import PLACES, transformer
from clexact.programs.model import Model

_CONV = {"kernel": int, "stride": int, "length": int, "padding": int, "relu": bool, "bias": bool}
_HEADS: dict[str, Kind] = {"heads": int, "rope": bool, "keys": int, "tokens": int, "causal": bool, "bias": bool}
_ACT: dict[str, Kind] = {"act": tuple(ACTS)}
_NORMED: dict[str, Kind] = {"bias": bool, "gain": bool, "eps": "rational"}
_MLP: dict[str, Kind] = {**_ACT, "norm": tuple(NORMS), **_NORMED, "batch": int}
_BLOCK: dict[str, Kind] = {**_HEADS, "norm": PLACES, **_ACT, **_NORMED, "swiglu": bool}
_CELL = {"steps": int, "bias": bool}

FAMILIES: dict[str, Family] = {
    "linear": Family(linear, "n1 n2 ...", "U1 U2 ... Uq x"),
    "relu": Family(relu, "n1 n2 ...", "U1 relu(U2 ... relu(Uq x + bq))", {"bias": bool, "slope": "rational"}),
    "neuron": Family(neuron, "m [n]", "u <v, x>^k, summed over the powers k", {"powers": "ints"}),
    "product": Family(product, "d", "x1 x2 ... xd"),
    "nmf": Family(nmf, "n r m", "U V^T", positive=("U", "V")),
    "icnn": Family(icnn, "n r m", "U relu(V^T x + b), U positive", {"bias": bool}, ("U",)),
    "shared": Family(shared, "n r", "U U^T"),
    "tanh": Family(tanh, "m r n", "U tanh(V^T x)"),
    "gelu": Family(gelu, "m r n", "U gelu(V^T x)"),
    "silu": Family(silu, "m r n", "U silu(V^T x)"),
    "glu": Family(glu, "m r n", "U (A^T x * B^T x)"),
    "swiglu": Family(swiglu, "m r n", "U (A^T x * silu(B^T x))"),
    "conv1d": Family(conv1d, "C0 C1 ...", "W1, W2, ... convolved in turn with a signal", _CONV, fitted=True),
    "conv2d": Family(conv2d, "C0 C1 ...", "W1, W2, ... convolved in turn with an image", _CONV, fitted=True),
    "attention": Family(attention, "d h", "softmax(X Q K^T X^T) X V O^T, summed over heads", _HEADS, fitted=True),
    "transformer": Family(transformer, "d h f", "attention and a dense layer, each with a skip", _BLOCK, fitted=True),
    "residual": Family(residual, "n r", "x + U relu(V^T x)", {"blocks": int, "relu": bool}),
    "maxpool": Family(maxpool, "m r n", "U maxpool(V^T x)", {"pool": int}),
    "avgpool": Family(avgpool, "m r n", "U avgpool(relu(V^T x))", {"pool": int}),
    "recurrent": Family(recurrent, "m r n", "U h_T, h_t = W h_(t-1) + V^T x_t", {"steps": int, "relu": bool}),
    "moe": Family(moe, "m experts n", "sum_i gate_i(W x) E_i x", {"gate": GATES, "k": int}, fitted=True),
    "mlp": Family(mlp, "n1 n2 ...", "U1 act(norm(U2 ... act(norm(Uq x + bq)))) + b1", _MLP, fitted=True),
    "gru": Family(gru, "m r n", "U h_T of a gated recurrent unit", _CELL),
    "lstm": Family(lstm, "m r n", "U h_T of long short-term memory", _CELL),
    "ssm": Family(ssm, "m r n", "C h_t, h_t = A h_(t-1) + B x_t", {"steps": int, "dense": bool}),
    "lora": Family(lora, "n1 n2 ...", "(W1 + B1 A1) act((W2 + B2 A2) ... x)", {"rank": int, **_ACT, "fixed": bool}),
    "cosine": Family(cosine, "r m n", "cosine of U x and V y", fitted=True),
    "weight_norm": Family(
        weight_norm, "m r n", "U act(g <v, x>/|v| + b)", {**_ACT, "gain": bool, "bias": bool}, fitted=True
    ),
    "factorization": Family(
        factorization, "n1 n2 ...", "a sum of products of vectors, measured",
        {"rank": int, "scheme": SCHEMES, "measurements": int}, fitted=True,
    ),
    "diagonal": Family(diagonal, "d", "<u^L - v^L, x>", {"layers": int}),
}  # fmt: skip


for _name, _family in list(FAMILIES.items()):  # the same functions, which also take letters for sizes
    globals()[_name] = symbolic(_name, _family, _family.build)
    FAMILIES[_name] = replace(_family, build=globals()[_name])


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
    "cosine",
    "diagonal",
    "factorization",
    "families_with",
    "gelu",
    "glu",
    "gru",
    "icnn",
    "linear",
    "lora",
    "lstm",
    "maxpool",
    "mlp",
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
    "ssm",
    "swiglu",
    "tanh",
    "transformer",
    "weight_norm",
]
