"""The library of architectures: each family is a few lines on ``Model``."""

from clexact.models.linear import linear
from clexact.models.neuron import neuron
from clexact.models.product import product
from clexact.models.relu import relu

FAMILIES = {"linear": linear, "relu": relu, "neuron": neuron, "product": product}

__all__ = ["FAMILIES", "linear", "neuron", "product", "relu"]
