"""What each operation of a trace does to degrees: ``Degrees``, and the rules by their kind."""

from clexact.torch.rules import linear, normalisation, pointwise, shapes
from clexact.torch.rules.degrees import CONVOLUTIONS, RULES, Degrees

__all__ = ["CONVOLUTIONS", "RULES", "Degrees", "linear", "normalisation", "pointwise", "shapes"]
