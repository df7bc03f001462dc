"""Write docs/models.md: every family with a certified example. Run it from anywhere: python docs/make_models.py"""

from __future__ import annotations

import shlex
from pathlib import Path

from clexact.cli.inputs import read_flow
from clexact.cli.main import build_parser
from clexact.counting.certify import certify
from clexact.models import FAMILIES

EXAMPLES = {
    "linear": [
        "linear 4 3 5", "linear 3 2 2 3 --loss cross-entropy", "linear 3 2 3 --flow momentum --damping nesterov",
    ],
    "relu": ["relu 3 4 2 --bias", "relu 2 3 3 2", "relu 2 3 2 --slope 1/10", "relu 3 4 2 --flow momentum"],
    "neuron": ["neuron 2 1 --powers 3", "neuron 2 1 --powers 1,3"],
    "product": ["product 5"],
    "nmf": ["nmf 4 2 5 --flow mirror", "nmf 4 2 5 --flow momentum --positive U,V --damping heavy-ball --tau 1/2"],
    "icnn": ["icnn 2 3 4 --bias --flow mirror", "icnn 2 3 4 --bias --flow momentum --positive U"],
    "shared": ["shared 4 3", "shared 4 3 --flow momentum --damping heavy-ball"],
    "tanh": ["tanh 2 3 2"],
    "gelu": ["gelu 2 3 2"],
    "silu": ["silu 2 3 2"],
    "glu": ["glu 2 3 2"],
    "swiglu": ["swiglu 2 3 2"],
    "conv1d": [
        "conv1d 2 3 2 --kernel 3", "conv1d 2 3 2 --kernel 3 --relu --bias",
        "conv1d 1 3 2 --kernel 2 --stride 2 --relu",
    ],
    "conv2d": ["conv2d 1 2 2 --kernel 2", "conv2d 1 2 2 --kernel 2 --relu"],
    "attention": [
        "attention 4 2", "attention 4 2 --heads 2 --tokens 2", "attention 4 2 --heads 4 --keys 2",
        "attention 4 4 --rope", "attention 4 2 --tokens 3 --causal", "attention 4 2 --tokens 2 --bias",
        "attention 4 4 --rope --flow momentum",
    ],
    "transformer": [
        "transformer 3 2 2", "transformer 3 2 4 --norm pre-layer --bias --gain --eps 1/100000",
        "transformer 3 2 4 --norm post-layer --bias --gain --eps 1/100000",
        "transformer 4 2 4 --heads 2 --keys 1 --norm pre-rms --gain --eps 1/100000 --rope --causal --swiglu",
    ],
    "residual": ["residual 3 2 --blocks 2", "residual 3 2 --blocks 2 --relu"],
    "maxpool": ["maxpool 3 2 2"],
    "avgpool": ["avgpool 3 2 2"],
    "recurrent": ["recurrent 2 3 2", "recurrent 2 3 2 --relu --steps 3"],
    "moe": ["moe 2 3 2", "moe 2 3 2 --gate topk --k 2", "moe 2 3 2 --gate sigmoid"],
    "mlp": [
        "mlp 2 4 4 3 --act gelu --bias", "mlp 2 3 3 --norm batch --bias --gain", "mlp 2 3 3 --act tanh --norm layer",
        "mlp 2 3 3 --act silu --norm rms", "mlp 2 3 3 --act silu --norm rms --eps 1/100000",
    ],
    "gru": ["gru 2 2 1", "gru 2 2 1 --bias --steps 3"],
    "lstm": ["lstm 2 2 1", "lstm 2 2 1 --bias --steps 3"],
    "ssm": ["ssm 2 3 2", "ssm 2 3 2 --dense"],
    "lora": ["lora 4 4 --rank 2", "lora 3 3 3 --rank 2 --act gelu", "lora 3 3 3 --act relu --fixed"],
    "cosine": ["cosine 3 2 2"],
    "weight_norm": ["weight_norm 3 2 2 --gain --bias", "weight_norm 3 2 2 --act tanh"],
    "factorization": [
        "factorization 4 4 --rank 2 --measurements 5", "factorization 3 3 3 --rank 2",
        "factorization 3 3 3 --rank 2 --scheme tucker", "factorization 4 4 --rank 2 --scheme shared",
    ],
    "diagonal": ["diagonal 4", "diagonal 4 --layers 3"],
}  # fmt: skip
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
  (`docs/trust.md`).
- **Piecewise functions** (ReLU, leaky ReLU, max) have free gates, and a count says "with free gates" unless true ones
  are known to span as much: the network itself has at least as many laws. True inputs can open fewer gates beyond
  two layers, for a scalar input without biases, where a gate multiplies itself or no input decides it, and for a
  maximum over more entries than the inputs and one more (`docs/trust.md`). `--near` counts the laws near a start, with
  true gates (`docs/true-networks.md`).
- **Normalised sigmoid gates** have no law, where softmax gates have one for each input: adding a number to all logits
  changes them. (arXiv 2606.17816, theorem 4.7, states the same laws as for softmax.)
- **Norms** have gains, shifts and eps where `--gain`, `--bias` and `--eps` say so; by default eps = 0, and the scale of
  what enters is kept: any eps > 0 ends that. A batch norm is that of training, over a batch. Of two entries a variance
  is a square, and a layer norm a sign; of two samples so is a batch norm: no count is claimed where roots of squares
  stand. Where that depends on gates (the RMS of two ReLUs, one of them off), members have other gates.
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
