"""Seconds to certify networks with true functions: python bench/networks.py [--large].

Each in a process of its own, with its peak memory; the answer must be exact and the one known. Attention with
its softmax is given beside the factored form, as a ratio of one run. ``--large`` adds blocks of thousands of
parameters. Exit status 1 for another answer.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from math import nan

ONE = """
import resource, time
import clexact
from clexact import models
{make}
start = time.perf_counter()
count = clexact.certify(clexact.gradient_flow(model))
seconds = time.perf_counter() - start
print(count.dimension, count.lower, count.upper, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
MODULE = "import torch\nfrom torch import nn\ntorch.manual_seed(0)\nmodel = clexact.torch.model({}, {})"
BLOCK = "nn.TransformerEncoderLayer({}, {}, {}, 0.0, 'gelu', batch_first=True, norm_first=True)"
NETWORKS = {  # the code that makes the model, and its number of laws
    "attention 4 2, softmax": ("model = models.attention(4, 2, tokens=3)", 6),
    "mlp 3 8 5, gelu, biases": ("model = models.mlp([3, 8, 5], act='gelu', bias=True)", 0),
    "pre-norm block, d = 4": (MODULE.format(BLOCK.format(4, 2, 3), "torch.randn(1, 3, 4)"), 25),
    "attention 64 16, 4 heads, softmax": ("model = models.attention(64, 16, heads=4, tokens=3)", 1088),
    "attention 64 16, 4 heads, factored": ("model = models.attention(64, 16, heads=4)", 1088),
    "mlp 10 64 784, gelu, biases": ("model = models.mlp([10, 64, 784], act='gelu', bias=True)", 0),
}
LARGE = {  # and, where it is not known otherwise, None
    f"pre-norm block, d = {d}": (MODULE.format(BLOCK.format(d, h, f), f"torch.randn(1, 8, {d})"), None)
    for d, h, f in ((8, 2, 32), (16, 2, 32), (16, 4, 64), (32, 4, 128))
}


def main() -> None:
    """One row each, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true")
    arguments = parser.parse_args()
    seconds, wrong = {}, False
    print(f"{'':36}{'D':>8}{'laws':>8}{'s':>9}{'MiB':>7}")
    for name, (make, known) in (NETWORKS | (LARGE if arguments.large else {})).items():
        done = subprocess.run(
            [sys.executable, "-c", ONE.format(make=make)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            wrong = True
            print(f"{name:36}  {done.stderr.strip().splitlines()[-1]}")
            continue
        dimension, lower, upper, took, memory = done.stdout.split()[-5:]
        seconds[name] = float(took)
        answer = lower if lower == upper else f"{lower}-{upper}"
        bad = lower != upper or known not in (None, int(lower))
        wrong |= bad
        print(f"{name:36}{int(dimension):8,}{answer:>8}{seconds[name]:9.2f}{memory:>7}{'  WRONG' * bad}", flush=True)
    softmax, factored = (seconds.get(f"attention 64 16, 4 heads, {form}", nan) for form in ("softmax", "factored"))
    print(f"softmax over factored form: {softmax / factored:.1f}")
    sys.exit(wrong)


if __name__ == "__main__":
    main()
