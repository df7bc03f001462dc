"""Sizes up to which a document is read, and words that it uses."""

from __future__ import annotations

from typing import Any

LINEAR, FUNCTIONS = ("add", "transpose", "reshape", "take", "concatenate", "sum"), ("function", "softmax")
PRIMITIVES = ("normal_cdf", "softplus")
EXPONENTIAL = ("exp", "sigmoid", "tanh", "softmax", *PRIMITIVES)  # these, or their slopes, hold exponentials
LOGARITHMS, ANGLES = ("log", "softplus"), ("sin", "cos")
TRANSCENDENTAL = (*EXPONENTIAL, "log", *ANGLES)
MAX_BYTES, MAX_NODES, MAX_ENTRIES, MAX_LAWS = 10**8, 10**5, 5 * 10**6, 10**6
MAX_DIGITS, MAX_PRIME, MAX_DEPTH, MAX_BITS, MAX_DEGREE = 4000, 2**64, 12, 16000, 2**30
MAX_STORED, MAX_ELIMINATION, MAX_CELLS = 10**7, 3 * 10**7, 3 * 10**7
VALUE_STEPS, SPARE, MAX_FACTOR = 50, 20, 10**4  # of a function; samples over their rank; primes that are tried
MAX_WEIGHT, LAW_BITS, ERROR_BITS, CHALLENGE_BITS = 1000, 80, 100, 128
MAX_OPENED, SHARE = 3, 4  # sums in sums; of the work that is left
CLOSURE_BITS, FIELDS = 61, "the fields"  # of primes for which there are fast ranks; no name of a probe
MAX_LISTED_DEPTH, MAX_PRODUCTS, MAX_CLEARED = 1000, 10**6, 10**9  # terms of a law and a field; bits of a field
DATA, DATA_NEAR, NEAR, SPANNED = SCOPES = (
    "this data", "this data, near this start", "near this start", "near this start, free gates spanned")  # fmt: skip
CASES, LISTED = "the cases", "of the gates listed"  # no name of a probe; how a bound is known
MAX_MONOMIALS, SETS = 3000, 300  # in gates; how much dearer sets of them are than numbers
NAME, NUMBER = r"[^\W\d]\w*", r"[0-9]+(?:/[1-9][0-9]*)?"
Shape = tuple[int, ...]
Pair = tuple[int, int]
Part = dict[int, int]  # {place in an array: residue, not 0}
Jet = dict[int, Part]  # {bit mask of infinitesimals, each of square 0: part}
Poly = dict[tuple[tuple[int, int], ...], int]  # {((variable, power), ...): coefficient}
Atoms = tuple[int, ...]  # a product, sorted
Form = dict[Atoms, Any]  # {product of atoms: rational number, not 0}
Monomial = tuple[tuple[str, int], ...]  # (gate, entry) of its factors
