"""The verifier of certificates, in the order in which one proves: no file uses anything of the engine.

``reading``: documents; ``node``, ``program``: the network; ``homomorphism``, ``point``: its fields and brackets modulo
primes; ``laws``, ``chain_rule``, ``listed``: laws; ``near``: gates at a start; ``roots``: what functions rest on;
``ranks``, ``closure``; ``check``: one certificate after the other.
"""

from clexact.proofs.verifier.large.chain_rule import Moves, derivatives, form_of
from clexact.proofs.verifier.large.check import (
    FORMAT,
    KEYS,
    LISTED_KEYS,
    MAX_WORK,
    MIN_WORK,
    SEVERITY,
    WORK_PER_BYTE,
    Checker,
    verify_bytes,
)
from clexact.proofs.verifier.large.closure import (
    CLOSED,
    ONE_FIELD,
    RANDOM_POINTS,
    Closure,
    bound_of_bracket,
    bound_of_minor,
)
from clexact.proofs.verifier.large.homomorphism import Homomorphism, Opaque, Pole, drawn, turn
from clexact.proofs.verifier.large.laws import Gram, laws_of
from clexact.proofs.verifier.large.limits import (
    ANGLES,
    DATA,
    DATA_NEAR,
    EXPONENTIAL,
    FIELDS,
    FUNCTIONS,
    LISTED,
    LOGARITHMS,
    MAX_BYTES,
    MAX_DIGITS,
    NEAR,
    SCOPES,
    SPANNED,
    VALUE_STEPS,
)
from clexact.proofs.verifier.large.listed import MAX_STEPS, VARIABLE, Listed, ListedPoint, NamedPolynomials
from clexact.proofs.verifier.large.near import Branches, Reading, Support, Supports
from clexact.proofs.verifier.large.node import NAMES, reduced, strides
from clexact.proofs.verifier.large.outcome import Allowance, NotACertificate, TooMuch, Untrue, form, truth
from clexact.proofs.verifier.large.phase import Phase, PhasePoint
from clexact.proofs.verifier.large.point import Marks, Point
from clexact.proofs.verifier.large.primes import is_prime, symbol
from clexact.proofs.verifier.large.program import Layout, Program
from clexact.proofs.verifier.large.ranks import check_full_rank, core, eliminated
from clexact.proofs.verifier.large.reading import challenges, program_hash, read, typed, unpacked
from clexact.proofs.verifier.large.roots import Roots

__all__ = [
    "ANGLES",
    "CLOSED",
    "DATA",
    "DATA_NEAR",
    "EXPONENTIAL",
    "FIELDS",
    "FORMAT",
    "FUNCTIONS",
    "KEYS",
    "LISTED",
    "LISTED_KEYS",
    "LOGARITHMS",
    "MAX_BYTES",
    "MAX_DIGITS",
    "MAX_STEPS",
    "MAX_WORK",
    "MIN_WORK",
    "NAMES",
    "NEAR",
    "ONE_FIELD",
    "RANDOM_POINTS",
    "SCOPES",
    "SEVERITY",
    "SPANNED",
    "VALUE_STEPS",
    "VARIABLE",
    "WORK_PER_BYTE",
    "Allowance",
    "Branches",
    "Checker",
    "Closure",
    "Gram",
    "Homomorphism",
    "Layout",
    "Listed",
    "ListedPoint",
    "Marks",
    "Moves",
    "NamedPolynomials",
    "NotACertificate",
    "Opaque",
    "Phase",
    "PhasePoint",
    "Point",
    "Pole",
    "Program",
    "Reading",
    "Roots",
    "Support",
    "Supports",
    "TooMuch",
    "Untrue",
    "bound_of_bracket",
    "bound_of_minor",
    "challenges",
    "check_full_rank",
    "core",
    "derivatives",
    "drawn",
    "eliminated",
    "form",
    "form_of",
    "is_prime",
    "laws_of",
    "program_hash",
    "read",
    "reduced",
    "strides",
    "symbol",
    "truth",
    "turn",
    "typed",
    "unpacked",
    "verify_bytes",
]  # fmt: skip
