"""Seconds that Coq takes for proofs of counts: ``python bench/coq.py``; needs coqc. Forgeries: ``--forged N [SEED]``.

Each row: the network, D, laws, members and their depth, kB of the file, seconds of the export, seconds of the
processor in coqc.
What is true must compile without axioms: exit status 1 otherwise.
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import clexact
from clexact import models
from clexact.proofs import coq_proof
from clexact.proofs.coq_reader import read_claim

MAX_TEXT = 200_000  # of a forged document's proof
FLOWS: dict[str, Any] = {
    "linear 4 3 5": lambda: clexact.gradient_flow(models.linear([4, 3, 5])),
    "linear 5 5 5": lambda: clexact.gradient_flow(models.linear([5, 5, 5])),
    "linear 4 4 4 4": lambda: clexact.gradient_flow(models.linear([4, 4, 4, 4])),
    "linear 3 3 3 3": lambda: clexact.gradient_flow(models.linear([3, 3, 3, 3])),
    "relu 3 5 3": lambda: clexact.gradient_flow(models.relu([3, 5, 3])),
    "relu 2 3 3 3": lambda: clexact.gradient_flow(models.relu([2, 3, 3, 3])),
    "relu 2 5 3 with bias": lambda: clexact.gradient_flow(models.relu([2, 5, 3], bias=True)),
    "attention 2 2": lambda: clexact.gradient_flow(models.attention(2, 2)),
    "attention 4 2": lambda: clexact.gradient_flow(models.attention(4, 2)),
    "conv1d 1 3 3, kernel 2": lambda: clexact.gradient_flow(models.conv1d([1, 3, 3], kernel=2)),
    "neuron 2 1, powers 3": lambda: clexact.gradient_flow(models.neuron(2, 1, [3])),
    "nmf 4 2 5, mirror": lambda: clexact.mirror_flow(models.nmf(4, 2, 5), positive=["U", "V"]),
    "linear 3 2 3, heavy ball": lambda: clexact.momentum_flow(models.linear([3, 2, 3]), clexact.HeavyBall(1)),
}


def spent() -> float:
    """Seconds of the processor in processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def depth(member: Any) -> int:
    """Of nested brackets."""
    return 0 if isinstance(member, dict) else 1 + max(map(depth, member))


def row(name: str, folder: Path) -> tuple[str, bool]:
    """A line of the table, and whether Coq accepts the proof."""
    certificate = clexact.certify(FLOWS[name]()).certificate
    started = time.perf_counter()
    text = clexact.coq(certificate)
    exported, before = time.perf_counter() - started, spent()
    (folder / "proof.v").write_text(text)
    ran = subprocess.run(["coqc", "proof.v"], cwd=folder, capture_output=True, text=True)
    seconds, claim = spent() - before, read_claim(certificate.data)
    deepest = max(map(depth, claim.members), default=0)
    numbers = f"{len(claim.coordinates)} | {claim.count} | {len(claim.members)}, depth {deepest}"
    good = not ran.returncode and "Closed under the global context" in ran.stdout
    shown = f"{seconds:.1f} s" if good else "-"
    return f"| {name} | {numbers} | {len(text) // 1000} kB | {exported:.2f} s | {shown} |", good


def judged(mutants: Any, folder: Path) -> int:
    """Coq's answers for forged documents, all checks in one file; accepted ones against the engine's bounds.

    What the proof does not read (hashes, primes, ranks, words) may be forged: its theorem is of fields, laws and point.
    """
    texts, claims, refused = list[str](), list[Any](), 0
    for mutant in mutants:
        try:
            document = json.loads(mutant.text)
            claim = read_claim(document)
            data, _ = coq_proof.statement(claim, *coq_proof.inverse(claim)).split("Theorem count")
            assert len(data) < MAX_TEXT
        except (ValueError, AssertionError, RecursionError):
            refused += 1
            continue
        check = f"check {len(claim.coordinates)} fields laws members point modulus inverse"
        answer = f"Eval vm_compute in Nat.eqb (length laws) {claim.count} && {check}."
        texts.append(f"Module M{len(claims)}.\n{data}{answer}\nEnd M{len(claims)}.\n")
        claims.append((mutant, document, claim))
    head = "Require Import ZArith List Bool count.\nImport ListNotations.\n"
    (folder / "forged.v").write_text(head + "".join(texts))
    ran = subprocess.run(["coqc", "forged.v"], cwd=folder, capture_output=True, text=True, check=True)
    answers = re.findall(r"= (true|false)", ran.stdout)
    untrue, accepted = 0, 0
    for answer, (mutant, document, claim) in zip(answers, claims, strict=True):
        if answer == "true":
            accepted += 1
            bounds = clexact.certify(fields_of(document["fields"]))
            if not bounds.lower <= claim.count <= bounds.upper:
                untrue += 1
                print(f"UNTRUE: {mutant.kind}: {mutant.change}")
    print(f"{refused} not exported, {len(claims) - accepted} refused by Coq, {accepted} accepted, {untrue} untrue")
    return untrue


def fields_of(data: Any) -> clexact.VectorFields:
    """The fields that a document lists."""
    names = data["variables"]
    return clexact.VectorFields.from_strings(
        names, [[field.get(name, "0") for name in names] for field in data["components"]]
    )


def main() -> int:
    """The table of all flows, the library's own seconds first; or forgeries."""
    if shutil.which("coqc") is None:
        print("coqc is not installed.")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "count.v").write_text(coq_proof.library())
        subprocess.run(["coqc", "count.v"], cwd=folder, check=True)
        if "--forged" in sys.argv:
            sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
            from forgery import mutants

            numbers = [int(word) for word in sys.argv[sys.argv.index("--forged") + 1 :]]
            return bool(judged(mutants(*numbers), folder))
        print(f"count.v alone: {spent():.1f} s\n")
        print("| flow | D | laws | members | file | export | coqc, of the processor |\n|---|---|---|---|---|---|---|")
        good = True
        for flow in FLOWS:
            line, accepted = row(flow, folder)
            print(line, flush=True)
            good = good and accepted
    return not good


if __name__ == "__main__":
    sys.exit(main())
