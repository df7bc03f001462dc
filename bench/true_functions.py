"""Counts of random networks with analytic functions against floats: python bench/true_functions.py [--count N].

Every law and dimension that ``certify`` gives for a network of ``tests/random_networks.py`` is checked with PyTorch
(``tests/float_oracle.py``), with ``--exactly`` also modulo other primes (``tests/exact_oracle.py``). Exit status 1 if
one is false; each is printed with the call that makes the network again.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from network_checks import judged
from random_networks import all_related, make, random_networks
from tally import Tally

SLOW = 10  # seconds of a network that is named


def main() -> None:
    """Judge the networks, print what is wrong or weaker than it could be, and one row for each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--related", action="store_true", help="all related functions, in place of random networks")
    parser.add_argument("--network", help="one network, by the call that makes it")
    parser.add_argument("--loss", default="full", help="its loss")
    parser.add_argument("--certificates", action="store_true", help="make and verify certificates too")
    parser.add_argument("--exactly", action="store_true", help="compare ranks modulo other primes too")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message=".torch.jit.script. is deprecated")
    networks = random_networks(arguments.seed, arguments.count)
    if arguments.network:
        networks = iter([make(arguments.network, arguments.loss)])
    elif arguments.related:
        networks = all_related()
    tally = Tally(["exact", "bounds", "unproved", "refused"])
    for network in networks:
        begun = time.perf_counter()
        found = judged(network, thorough=arguments.certificates, exactly=arguments.exactly)
        seconds = time.perf_counter() - begun
        notes = [f"VIOLATION {kind}: {said}" for kind, said in found.violations]
        notes += [f"weaker: {said}" for said in found.weaker] + [f"unclear: {said}" for said in found.unclear]
        if found.outcome in ("refused", "unproved") and not found.violations:
            notes += [f"{found.outcome}: {found.said}"]
        notes += [f"open: {found.said}"] if found.outcome == "bounds" and not (found.weaker or found.violations) else []
        notes += [f"slow: {seconds:.0f} s"] if seconds > SLOW else []
        for note in [*notes, *([found.said] if arguments.network else [])]:
            print(f"{network.text}, loss {network.loss}, D = {network.dimension}\n    {note}", flush=True)
        tally.add(network.kind, found)
    tally.end()


if __name__ == "__main__":
    main()
