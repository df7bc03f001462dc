"""clexact: which quantities does training conserve? Exact conservation laws, counted and proved.

>>> import clexact
>>> net = clexact.models.linear([4, 3, 5])
>>> clexact.certify(clexact.gradient_flow(net))
exactly 6 independent conservation laws (D = 27, dim W = 18 -> 21)
"""

from clexact import models
from clexact.certify import Evidence, LawCount, certify
from clexact.fields import VectorFields, bracket, lie_derivative
from clexact.flow import Flow, gradient_flow
from clexact.grading import Grading, grading
from clexact.laws import Completeness, ConservationLaws, polynomial_laws
from clexact.lie import ClosureStatus, LieClosure, lie_closure
from clexact.model import Model
from clexact.polynomial import Polynomial
from clexact.program import concatenate

__version__ = "0.1.0"

__all__ = [
    "ClosureStatus",
    "Completeness",
    "ConservationLaws",
    "Evidence",
    "Flow",
    "Grading",
    "LawCount",
    "LieClosure",
    "Model",
    "Polynomial",
    "VectorFields",
    "bracket",
    "certify",
    "concatenate",
    "gradient_flow",
    "grading",
    "lie_closure",
    "lie_derivative",
    "models",
    "polynomial_laws",
]
