"""The library of architectures: each family is a few lines on ``Model``."""

from collections.abc import Mapping
from typing import Any

from clexact.model import Model
from clexact.models.linear import linear
from clexact.models.neuron import neuron
from clexact.models.product import product
from clexact.models.relu import relu

FAMILIES: dict[str, Any] = {"linear": linear, "relu": relu, "neuron": neuron, "product": product}


def rebuild(recipe: Mapping[str, Any]) -> Model:
    """The model of a recipe ``{"family": ..., "sizes": [...], ...}``. ValueError or TypeError if it names none."""
    options = dict(recipe)
    family, sizes = options.pop("family", None), options.pop("sizes", None)
    if family not in FAMILIES or not isinstance(sizes, list):
        raise ValueError(f"the model is not of one of the families {', '.join(FAMILIES)}, and cannot be rebuilt.")
    arguments = sizes if family in ("neuron", "product") else [sizes]
    model: Model = FAMILIES[family](*arguments, **options)
    return model


__all__ = ["FAMILIES", "linear", "neuron", "product", "rebuild", "relu"]
