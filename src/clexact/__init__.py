"""clexact: which quantities does training conserve? Exact conservation laws, counted and proved.

>>> import clexact
>>> net = clexact.models.linear([4, 3, 5])
>>> clexact.certify(clexact.gradient_flow(net))
exactly 6 independent conservation laws (D = 27, dim W = 18 -> 21)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from clexact import functions, models
from clexact.boundary import Condition, boundary
from clexact.certificate import Certificate, Verdict, VerdictStatus, verify
from clexact.certify import Evidence, LawCount, certify
from clexact.darboux import DarbouxPolynomials, darboux_polynomials
from clexact.data import DataFields, Minimality, MinimalityStatus, data_fields, minimality
from clexact.dynamics import HeavyBall, Nesterov, gradient_flow, mirror_flow, momentum_flow
from clexact.fields import VectorFields, bracket, lie_derivative
from clexact.fit import fit
from clexact.flow import Flow
from clexact.forms import Form, Law
from clexact.formula import Formula
from clexact.grading import Grading, grading
from clexact.lawcheck import LawCheck, LawStatus, check_law
from clexact.laws import Completeness, ConservationLaws, polynomial_laws
from clexact.lie import ClosureStatus, LieClosure, lie_closure
from clexact.memory import MemoryLimitError
from clexact.model import Model
from clexact.orbit import Orbit, orbit_dimension
from clexact.polynomial import Polynomial
from clexact.program import concatenate
from clexact.regions import TieError
from clexact.relations import GeneralLaws, general_laws
from clexact.threads import set_threads
from clexact.version import __version__

if TYPE_CHECKING:
    from clexact.sweeps.case import Case
    from clexact.sweeps.certified import Budget
    from clexact.sweeps.store import Store
    from clexact.sweeps.sweep import sweep

__all__ = [
    "Budget",
    "Case",
    "Certificate",
    "ClosureStatus",
    "Completeness",
    "Condition",
    "ConservationLaws",
    "DarbouxPolynomials",
    "DataFields",
    "Evidence",
    "Flow",
    "Form",
    "Formula",
    "GeneralLaws",
    "Grading",
    "HeavyBall",
    "Law",
    "LawCheck",
    "LawCount",
    "LawStatus",
    "LieClosure",
    "MemoryLimitError",
    "Minimality",
    "MinimalityStatus",
    "Model",
    "Nesterov",
    "Orbit",
    "Polynomial",
    "Store",
    "TieError",
    "VectorFields",
    "Verdict",
    "VerdictStatus",
    "__version__",
    "boundary",
    "bracket",
    "certify",
    "check_law",
    "concatenate",
    "darboux_polynomials",
    "data_fields",
    "fit",
    "functions",
    "general_laws",
    "gradient_flow",
    "grading",
    "lie_closure",
    "lie_derivative",
    "minimality",
    "mirror_flow",
    "models",
    "momentum_flow",
    "orbit_dimension",
    "polynomial_laws",
    "set_threads",
    "sweep",
    "verify",
]


LAZY = {"Budget": "certified", "Case": "case", "Store": "store", "sweep": "sweep"}  # with their files of sweeps


def __getattr__(name: str) -> Any:
    """What needs an extra, SQLite or more is imported where it is first used."""
    if name in ("plot", "torch", "training"):
        return import_module(f"clexact.{name}")
    if name in LAZY:
        return getattr(import_module(f"clexact.sweeps.{LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
