"""Forged theorems against their verifier: python bench/forged_theorems.py [--mutants N].

Exit status 1 if a mutant that claims something untrue is accepted, or one raises anything but a refusal.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from forged_theorems import claims_hold, forged

import clexact
from clexact.proofs.theorem_verifier import RefusedError, verify_theorem

MODELS = clexact.models
SUBJECTS = {
    "linear n r m, n >= r": (MODELS.linear("n", "r", "m"), "n >= r", lambda n, r, m: r * (r + 1) // 2),
    "linear n n n n": (MODELS.linear("n", "n", "n", "n"), "", lambda n: n * (n + 1)),
    "relu n r m, with bias": (MODELS.relu("n", "r", "m", bias=True), "", lambda n, r, m: r),
}


def main() -> int:
    """Print a line for each theorem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=2000)
    mutants, bad = parser.parse_args().mutants, 0
    for name, (model, where, truth) in SUBJECTS.items():
        document, found, spent = clexact.theorem(model, where).document, Counter[str](), 0.0
        for seed in range(mutants):
            made, path = forged(document, seed)
            start = time.perf_counter()
            try:
                verify_theorem(made)
                verdict = "accepted"
            except RefusedError:
                verdict = "refused"
            spent += time.perf_counter() - start
            if verdict == "accepted":
                verdict = "accepted, true" if claims_hold(made, truth) else "accepted, FALSE"
                bad += verdict.endswith("FALSE")
            found[verdict] += 1
            if verdict == "accepted, FALSE":
                print("  ", seed, path)
        print(f"{name}: {mutants} mutants in {spent:.2f} s: {dict(found)}", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
