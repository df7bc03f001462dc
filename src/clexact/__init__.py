"""clexact: which quantities does training conserve? Exact conservation laws, counted and proved.

>>> import clexact
>>> net = clexact.models.linear([4, 3, 5])
>>> clexact.certify(clexact.gradient_flow(net))
exactly 6 independent conservation laws (D = 27, dim W = 18 -> 21)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from clexact import functions, models
from clexact.algebra.field_grading import Grading, grading
from clexact.algebra.fields import VectorFields, bracket, lie_derivative
from clexact.algebra.polynomial import Polynomial
from clexact.counting.certify import certify
from clexact.counting.count import Evidence, LawCount
from clexact.counting.dimension import FunctionalDimension, Redundancy, dimension
from clexact.counting.many_starts import StartCounts, near_starts
from clexact.counting.memory import MemoryLimitError
from clexact.counting.minimality import DataFields, Minimality, MinimalityStatus, data_fields, minimality
from clexact.counting.orbit import Orbit, orbit_dimension
from clexact.counting.starts import random_start
from clexact.flows.dynamics import HeavyBall, Nesterov, gradient_flow, mirror_flow, momentum_flow
from clexact.flows.flow import Flow
from clexact.formulas.boundary import Condition, boundary
from clexact.formulas.fit import fit
from clexact.formulas.formula import Formula
from clexact.laws.angles import Angle
from clexact.laws.check import LawCheck, LawStatus, check_law
from clexact.laws.darboux import DarbouxPolynomials, darboux_polynomials
from clexact.laws.elimination import Elimination, eliminate
from clexact.laws.listing import LawList
from clexact.laws.logarithmic import Form, Law
from clexact.laws.parametric import LawCase, LawCases, law_cases
from clexact.laws.polynomial_laws import polynomial_laws
from clexact.laws.relations import GeneralLaws, general_laws
from clexact.laws.result import Completeness, ConservationLaws
from clexact.laws.surface import SurfaceLaws, laws_on
from clexact.lie.accessibility import Accessibility, ChainRank, accessibility
from clexact.lie.closure import ClosureStatus, LieClosure, lie_closure
from clexact.models.sizes import Size
from clexact.programs.array import concatenate
from clexact.programs.model import Model
from clexact.programs.network import TieError
from clexact.proofs.certificate import Certificate, Verdict, VerdictStatus, verify
from clexact.proofs.coq_proof import coq
from clexact.support.threads import set_threads
from clexact.support.version import __version__
from clexact.symmetry.families import Family
from clexact.systems.formats import load_system
from clexact.systems.pauli import PauliAlgebra, dynamical_lie_algebra
from clexact.theorems.prove import theorem
from clexact.theorems.theorem import Theorem

if TYPE_CHECKING:
    from clexact.sweeps.case import Case
    from clexact.sweeps.certified import Budget
    from clexact.sweeps.store import Store
    from clexact.sweeps.sweep import sweep

__all__ = [
    "Accessibility",
    "Angle",
    "Budget",
    "Case",
    "Certificate",
    "ChainRank",
    "ClosureStatus",
    "Completeness",
    "Condition",
    "ConservationLaws",
    "DarbouxPolynomials",
    "DataFields",
    "Elimination",
    "Evidence",
    "Family",
    "Flow",
    "Form",
    "Formula",
    "FunctionalDimension",
    "GeneralLaws",
    "Grading",
    "HeavyBall",
    "Law",
    "LawCase",
    "LawCases",
    "LawCheck",
    "LawCount",
    "LawList",
    "LawStatus",
    "LieClosure",
    "MemoryLimitError",
    "Minimality",
    "MinimalityStatus",
    "Model",
    "Nesterov",
    "Orbit",
    "PauliAlgebra",
    "Polynomial",
    "Redundancy",
    "Size",
    "StartCounts",
    "Store",
    "SurfaceLaws",
    "Theorem",
    "TieError",
    "VectorFields",
    "Verdict",
    "VerdictStatus",
    "__version__",
    "accessibility",
    "boundary",
    "bracket",
    "certify",
    "check_law",
    "concatenate",
    "coq",
    "darboux_polynomials",
    "data_fields",
    "dimension",
    "dynamical_lie_algebra",
    "eliminate",
    "fit",
    "functions",
    "general_laws",
    "gradient_flow",
    "grading",
    "law_cases",
    "laws_on",
    "lie_closure",
    "lie_derivative",
    "load_system",
    "minimality",
    "mirror_flow",
    "models",
    "momentum_flow",
    "near_starts",
    "orbit_dimension",
    "polynomial_laws",
    "random_start",
    "set_threads",
    "sweep",
    "theorem",
    "verify",
]


LAZY = {"Budget": "certified", "Case": "case", "Store": "store", "sweep": "sweep"}  # with their files of sweeps


def __dir__() -> list[str]:
    """The public names alone."""
    return sorted([*__all__, "plot", "torch", "training"])


def __getattr__(name: str) -> Any:
    """What needs an extra, SQLite or more is imported where it is first used."""
    if name in ("plot", "torch", "training"):
        return import_module(f"clexact.{name}")
    if name in LAZY:
        return getattr(import_module(f"clexact.sweeps.{LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
