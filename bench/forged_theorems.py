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

from forged_theorems import claims_hold, forged, rotations

import clexact
from clexact.proofs.verifier.theorem import RefusedError, verify_theorem

MODELS = clexact.models
SUBJECTS = {
    "linear n r m, n >= r": (MODELS.linear("n", "r", "m"), "n >= r", lambda n, r, m: r * (r + 1) // 2),
    "linear n n n n": (MODELS.linear("n", "n", "n", "n"), "", lambda n: n * (n + 1)),
    "relu n r m, with bias": (MODELS.relu("n", "r", "m", bias=True), "", lambda n, r, m: r),
    "glu n r m, n >= r, m >= r": (MODELS.glu("n", "r", "m"), "n >= r, m >= r", lambda n, r, m: 2 * r),
    "linear n r m, n >= r, momentum": (
        MODELS.linear("n", "r", "m"), "n >= r", rotations, {"flow": "momentum"}),
    "linear n r m, r > n, momentum": (
        MODELS.linear("n", "r", "m"), "r > n + 1, 2*n + m > r, m >= 2", rotations, {"flow": "momentum"}),
    "relu n r m, momentum": (MODELS.relu("n", "r", "m"), "", lambda n, r, m: 0, {"flow": "momentum"}),
    "relu n r m, cross-entropy": (  # of the network with one class fewer, of n_
        MODELS.relu("n", "r", "m"), "", lambda n, r, m, n_: r, {"loss": "cross_entropy"}),
    "linear n r m, weight decay": (
        MODELS.linear("n", "r", "m"), "n >= r", lambda n, r, m: r * (r + 1) // 2, {"weight_decay": 1}),
}  # fmt: skip


def main() -> int:
    """Print a line for each theorem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=2000)
    mutants, bad = parser.parse_args().mutants, 0
    for name, (model, where, truth, *flow) in SUBJECTS.items():
        document = clexact.theorem(model, where, **(flow[0] if flow else {})).document
        found, spent = Counter[str](), 0.0
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
