"""Counts of random networks near starts and on data against floats: python bench/near_starts.py [--count N] [--digits].

Every bound and law that ``certify`` gives near a start (true gates), on data (free gates) and on data near a start is
held against PyTorch (``tests/near_oracle.py``). Exit status 1 if one is false; each is printed with the call that
makes it again.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import numpy as np
from near_checks import MODES, judged, random_cases
from near_networks import KINDS, ROOTED, SMOOTH
from tally import Tally

import clexact


def main() -> None:
    """Judge the cases, print what is wrong or weaker than it could be, and one row for each mode."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--mode", choices=MODES, action="append")
    parser.add_argument("--digits", action="store_true", help="time scikit-learn's digits instead, free gates and true")
    parser.add_argument("--smooth", action="store_true", help="networks with analytic functions")
    parser.add_argument("--rooted", action="store_true", help="networks with norms and logarithms, on data")
    arguments = parser.parse_args()
    if arguments.digits:
        for near in (None, "random"):
            print_digits(near)
        return
    tally = Tally(["exact", "bounds", "tied", "refused"])
    kinds = ROOTED if arguments.rooted else SMOOTH if arguments.smooth else KINDS
    modes = arguments.mode or (("data", "data near") if arguments.rooted else MODES)
    for case in random_cases(arguments.seed, arguments.count, modes, kinds):
        begun = time.perf_counter()
        found = judged(case)
        seconds = time.perf_counter() - begun
        notes = [f"VIOLATION {said}" for said in found.violations] + [f"weaker: {said}" for said in found.weaker]
        notes += [f"unclear: {said}" for said in found.unclear] + ([f"slow: {seconds:.0f} s"] if seconds > 20 else [])
        for note in notes:
            print(f"{case}, D = {case.net.dimension}\n    {note}", flush=True)
        tally.add(case.mode, found)
    tally.end()


def digits() -> np.ndarray:
    """The images of scikit-learn, or integers of their shape: three columns of zeros, two that are equal."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        made = np.random.default_rng(0).integers(0, 17, (1797, 64))
        made[:, [0, 32, 39]], made[:, 40] = 0, made[:, 41]
        return made
    return load_digits().data.astype(int)


def print_digits(near: str | None) -> None:
    """ReLU 64-32-10 with cross-entropy on the digits: seconds of a core, and the count."""
    start, inputs = time.process_time(), digits()
    flow = clexact.gradient_flow(clexact.models.relu([10, 32, 64]), "cross_entropy", inputs=inputs)
    count = clexact.certify(flow, near=near)
    print(f"{len(inputs)} inputs, near {near}: {count}, {time.process_time() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
