"""Seconds to certify networks with true functions, and to find symmetries: python bench/networks.py [--large].

Each in a process of its own, with its peak memory; the answer must be exact and the one known. Attention with
its softmax is given beside the factored form, as a ratio of one run. ``--large`` adds blocks of thousands of
parameters, networks of a million, and the laws that ``clexact.torch.laws`` finds of published architectures at their
true sizes, not certified: processor seconds and memory beside those of torch.export, and how they grow with depth.
Exit status 1 for another answer.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from math import nan
from pathlib import Path

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
} | {
    "mlp 784 512 512 10, relu, biases": ("model = models.mlp([784, 512, 512, 10], act='relu', bias=True)", 1024),
    "mlp 800 650 650 100, relu, biases": ("model = models.mlp([800, 650, 650, 100], act='relu', bias=True)", 1300),
}
SYMMETRIES = """
import resource, sys, time
sys.path.insert(0, {tests!r})
import torch
import clexact.torch
from clexact.torch import find
from torch_modules import GPT, Llama, ResNet18, ResNet101
torch.manual_seed(0)
module, example = {make}
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
read, export = find._read, []
def timed(*given):
    start = time.process_time()
    out = read(*given)
    export[:] = [time.process_time() - start, peak()]
    return out
find._read = timed
start = time.process_time()
count = clexact.torch.laws(module, example, certify=False).count
seconds = time.process_time() - start - export[0]
print(sum(p.numel() for p in module.parameters()), count, seconds, peak() - export[1], export[0])
"""
WORDS, IMAGE = "torch.arange(16)[None]", "torch.randn(1, 3, 224, 224)"
MODULES = {  # and the number of laws
    "ResNet-18": (f"ResNet18().eval(), {IMAGE}", 8576),
    "ResNet-101": (f"ResNet101().eval(), {IMAGE}", 76672),
    "GPT-2 124M": (f"GPT(), {WORDS}", 627712),
    "Llama, 22 layers of width 16": ("Llama(22), torch.arange(8)[None]", 2304),
    "Llama, 22 layers of width 2048": ("Llama(22, 2048), torch.arange(8)[None]", 6026264),
    "GPT, 12 layers of width 64": (f"GPT(64, 4, 12, 1000, 64), {WORDS}", None),
    "GPT, 24 layers of width 64": (f"GPT(64, 4, 24, 1000, 64), {WORDS}", None),
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
    sys.exit(_symmetries() or wrong if arguments.large else wrong)


def _symmetries() -> bool:
    """One row for each module, and the growth; whether an answer is wrong."""
    seconds, wrong = {}, False
    print(f"\n{'symmetries':36}{'parameters':>12}{'laws':>9}{'s':>8}{'MiB':>7}  export s")
    for name, (make, known) in MODULES.items():
        code = SYMMETRIES.format(tests=str(Path(__file__).parents[1] / "tests"), make=make)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        if done.returncode:
            wrong = True
            print(f"{name:36}  {done.stderr.strip().splitlines()[-1]}")
            continue
        parameters, laws, took, memory, export = done.stdout.split()[-5:]
        seconds[name], bad = float(took), known not in (None, int(laws))
        wrong |= bad
        row = f"{name:36}{int(parameters):12,}{int(laws):9,}{seconds[name]:8.2f}{memory:>7}{float(export):10.2f}"
        print(f"{row}{'  WRONG' * bad}", flush=True)
    deep, half = (seconds.get(f"GPT, {layers} layers of width 64", nan) for layers in (24, 12))
    print(f"twice the layers: {deep / half:.1f} times the seconds")
    return wrong


if __name__ == "__main__":
    main()
