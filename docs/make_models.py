"""Write docs/models.md: every family with a certified example. Run it from anywhere: python docs/make_models.py"""

from __future__ import annotations

import shlex
from pathlib import Path

from clexact.cli.inputs import read_flow
from clexact.cli.main import build_parser
from clexact.counting.certify import certify
from clexact.models import FAMILIES
from clexact.models.examples import EXAMPLES

HEAD = """\
# Architectures

Written by `python docs/make_models.py`; a test checks the numbers. `clexact models` lists the families. One number of
laws means that the bounds meet: the count is exact. `clexact certify … --laws` prints the laws.

"""
NOTES = """\
## What is meant

- **Analytic functions** (exp, tanh, sigmoid, softmax, SiLU, GELU in both forms, softplus, log, sin, cos, roots,
  quotients) stand for themselves, at any depth and with biases anywhere. The lower bound is that of symmetries, which
  hold whatever the functions are but for what is said of them: a softmax does not see a number added to all scores, a
  norm no scale. The upper bound is a rank of residues that a homomorphism puts in place of the functions
  ([trust](trust.md)).
- **Piecewise functions** (ReLU, leaky ReLU, max) have free gates, and a count says "with free gates" unless true ones
  are known to span as much: the network itself has at least as many laws. True inputs can open fewer gates beyond
  two layers, for a scalar input without biases, where a gate multiplies itself or no input decides it, and for a
  maximum over more entries than the inputs and one more ([trust](trust.md)). `--near` counts the laws near a start,
  with true gates ([true networks](true-networks.md)).
- **Normalised sigmoid gates** have no law, where softmax gates have one for each input: adding a number to all logits
  changes them. (arXiv 2606.17816, theorem 4.7, states the same laws as for softmax.)
- **Norms** have gains, shifts and eps where `--gain`, `--bias` and `--eps` say so; by default eps = 0, and the scale of
  what enters is kept: any eps > 0 ends that. A batch norm is that of training, over a batch. Of two entries a variance
  is a square, and a layer norm a sign; of two samples so is a batch norm: no count is claimed where roots of squares
  stand. Where that depends on gates (the RMS of two ReLUs, one of them off), members have other gates.

Next: [your own model](your-model.md); [the families in the reference](reference/families.md).
"""


def main() -> None:
    """Write the page beside this script."""
    (Path(__file__).parent / "models.md").write_text(page(), encoding="utf-8")


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for name, family in FAMILIES.items():
        options = ", ".join(f"`--{option}`" for option in family.options) or "none"
        parts.append(f"## `{name} {family.sizes}`\n\n`{family.formula}`. Options: {options}.\n\n")
        parts.append("| `clexact certify` | D | dim W | laws | touching |\n|---|---|---|---|---|\n")
        parts += [row(example) for example in EXAMPLES[name]]
        parts.append("\n")
    return "".join(parts) + NOTES


def row(example: str) -> str:
    """One certified example."""
    count = certify(read_flow(build_parser().parse_args(["certify", *shlex.split(example)])))
    dims = " -> ".join(map(str, count.filtration))
    number = str(count.lower) if count.exact else f"{count.lower} to {count.upper}"
    number += " (closed)" if count.error else ""
    blocks = "; ".join(f"{n} on {', '.join(names)}" for names, n in count.blocks.items())
    return f"| `{example}` | {count.dimension} | {dims} | {number} | {blocks} |\n"


if __name__ == "__main__":
    main()
