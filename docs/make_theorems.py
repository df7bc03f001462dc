"""Write docs/theorems.md: counts proved for all sizes, and what is not.

Run it from anywhere: python docs/make_theorems.py
"""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path

from clexact.cli.main import build_parser
from clexact.cli.theorem import read_subject
from clexact.proofs.verifier.theorem import verify_theorem
from clexact.theorems.prove import prove
from clexact.theorems.theorem import Theorem

COMMANDS = (
    "linear n r m",
    "relu n r m",
    "relu n r m --bias",
    "relu n r m k",
    "relu n r m k --bias",
    "linear n n n",
    "linear n n n n",
    "linear n n n n n",
    "linear n r m k --where 'n >= r >= m >= k >= 2'",
    "attention d h",
    "attention d h --heads 12",
    "attention d h --heads 4 --keys 2 --where 'd >= h'",
    "conv1d a b c --kernel 2 --where 'a >= b, c >= b'",
    "conv1d a b c --kernel 3 --relu",
    "conv2d a b c --kernel 2 --where 'a >= b, c >= b'",
    "mlp n r m --act relu --bias",
    "neuron m n",
    "factorization n m k",
    "shared n r",
    "lora n m --rank 2",
    "residual n r",
    "nmf n r m --flow mirror",
    "icnn n r m --flow mirror",
    "icnn n r m --bias --flow mirror",
    "linear n r m --flow momentum --where 'n + m >= 3'",
    "linear n r m --flow momentum --damping nesterov --where 'n >= r'",
    "relu n r m --flow momentum",
    "relu n r m --bias --loss cross_entropy",
    "linear n r m --loss cross_entropy",
    "linear n r m --weight-decay 0.1",
    "glu n r m --where 'n >= r, m >= r'",
    "ssm n r m --where 'n + m > r'",
    "product d",
    "diagonal d",
    "maxpool m r n",
    "attention d h --rope",
    "tanh n r m",
)
HEAD = """\
# Theorems

Counts proved for all sizes, each with its certificate, written by `python docs/make_theorems.py`;
[why they are proofs](explanation/theorems.md). `--save FILE` writes the certificate, `clexact verify FILE` verifies it
without the engine. Letters are sizes, at least 1, in the order of the family ([the table of families](models.md)).

```python
>>> import clexact
>>> theorem = clexact.theorem(clexact.models.linear("n", "r", "m"))
>>> theorem.law_count
'min(r, m + n)*(2*r - min(r, m + n) + 1)/2'
>>> theorem.count(n=768, r=12288, m=768)
17695488
```

Sizes that are large numbers are answered by a theorem that covers them: `clexact certify linear 768 12288 768`;
`--direct` certifies them by themselves.

"""


REST = """\
## The other families

Networks with analytic functions (gelu, silu, swiglu, cosine, weight_norm, transformer, moe, gru, lstm, attention with
tokens, mlp with such an activation or a norm) are no sums of products: as `tanh` above, they are refused by the name of
the function. avgpool is read as maxpool is. For recurrent, and for ssm of more states than inputs and outputs together,
the search takes longer than half a minute, or ends without a proof, and is left out here. Two linear layers of one
input and one output keep more under momentum than the theorem has: n = m = 1 is the exception in the finding on
[momentum](findings.md).

"""


def subject_of(command: str) -> tuple[Theorem, float]:
    """The theorem that a command prints, and the seconds that its verification takes."""
    arguments = build_parser().parse_args(["certify", *shlex.split(command)])
    theorem = prove(read_subject(arguments), arguments.where or "", grid=False)
    start = time.perf_counter()
    if theorem.document is not None:
        verify_theorem(theorem.document)
    return theorem, time.perf_counter() - start


def section(command: str) -> str:
    """A command, what it says and how large the proof is."""
    theorem, seconds = subject_of(command)
    print(command, flush=True)
    said = [line for line in str(theorem).splitlines() if not line.startswith("  ")]
    text = f"## `clexact certify {command}`\n\n" + "\n".join(f"- {_shortened(line)}" for line in said) + "\n\n"
    if theorem.document is None:
        return text
    size = len(json.dumps(theorem.document, separators=(",", ":")))
    assert seconds < 5, command
    return text + f"Certificate: {size:,} bytes, {len(theorem.regimes)} regimes; verified in less than 5 s.\n\n"


def _shortened(line: str) -> str:
    return line if len(line) < 400 else f"{line[:300]} …"


if __name__ == "__main__":
    page = HEAD + "".join(map(section, COMMANDS))
    page += REST
    page += "Next: [a formula for every width](how-to/formula.md), fitted where nothing is proved yet.\n"
    Path(__file__).with_name("theorems.md").write_text(page, encoding="utf-8")
