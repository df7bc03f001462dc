"""What the package says of a network with analytic functions, held against floats: its laws, and ranks at each depth.

A violation is reported only where floats leave no doubt. ``weaker`` are dimensions that are true, but not sharp; the
outcome is "unproved" where none is claimed, since the signs of roots are not shown to be free.
"""

import warnings
from dataclasses import dataclass, field

from exact_oracle import OracleUndefinedError, exact_rank
from float_oracle import FloatModel, float_rank
from program_checks import Judgement, check_laws, warned

import clexact

DEEPEST = 3  # brackets that floats compute
DEEPEST_EXACTLY = 2  # and the second exact way


@dataclass
class NetworkJudgement(Judgement):
    """As ``Judgement``; ``said`` is the count, or why there is none."""

    said: str = ""
    weaker: list[str] = field(default_factory=list)


def judged(network, certify=clexact.certify, thorough=False, exactly=False):
    """All checks of a network; its certificate too if ``thorough``, ranks modulo other primes if ``exactly``."""
    found = NetworkJudgement()
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            count = certify(network.flow())
        found.violations += [("warning", str(each.message)) for each in said]
    except (ValueError, TypeError) as error:
        found.said = str(error)
        return found
    except Exception as error:
        found.violations.append(("raised", f"{type(error).__name__}: {error}"))
        return found
    found.outcome, found.said = "exact" if count.exact else "bounds", str(count)
    if set(count.filtration) == {0}:
        found.outcome = "unproved"
    model = network.model()
    check_laws(found, FloatModel(model, network.loss), count)
    check_ranks(found, network, model, count)
    if model.program.gates and not found.violations and not warned(network.flow()):
        check_gates(found, network, model, count)
    if exactly and found.outcome != "unproved":
        check_exactly(found, network, model, count)
    if thorough:
        check_certificate(found, count)
    return found


def check_ranks(found, network, model, count):
    """Dimensions claimed are at most the ranks; the last is that of brackets as deep, and of deeper ones."""
    if count.dimension != network.dimension:
        found.violations.append(("dimension", f"{count.dimension}, not {network.dimension}"))
    depth = min(len(count.filtration), DEEPEST)
    true = float_rank(model, network.loss, depth)
    said = f"{count}, but brackets have ranks {true.ranks}, gap {true.gap:.0e}"
    for claim, rank in zip(count.filtration, true.ranks, strict=False):
        if rank is not None and claim > rank:
            found.violations.append(("false upper bound", said))
            break
    decided = [rank for rank in true.ranks if rank is not None]
    if not decided:
        found.unclear.append(f"ranks {true.ranks}")
        return
    if count.lower > network.dimension - max(decided):
        found.violations.append(("false lower bound", said))
    if max(decided) > count.dimension - count.upper and found.outcome != "unproved":
        found.weaker.append(said)
    if true.ranks[-1] is None:
        found.unclear.append(f"ranks {true.ranks}")


def check_gates(found, network, model, count):
    """The last dimension is at most the rank where gates have the values that they have, unless the count says more."""
    true = float_rank(model, network.loss, min(len(count.filtration), DEEPEST), true_gates=True)
    if true.ranks[-1] is not None and count.dimension - count.upper > true.ranks[-1]:
        found.violations.append(("false upper bound, true gates", f"{count}, but brackets have ranks {true.ranks}"))


def check_exactly(found, network, model, count):
    """Dimensions claimed are at most the ranks modulo other primes, and the last is not below the rank there."""
    try:
        ranks = exact_rank(model, network.loss, min(len(count.filtration) - 1, DEEPEST_EXACTLY))
    except OracleUndefinedError:
        found.unclear.append("no inputs modulo other primes")
        return
    found.checks.add("exact ranks")
    said = f"{count}, but ranks modulo other primes are {ranks}"
    if any(claim > rank for claim, rank in zip(count.filtration, ranks, strict=False)):
        found.violations.append(("false dimension, modulo other primes", said))
    elif ranks[-1] > count.filtration[-1]:
        found.weaker.append(said)


def check_certificate(found, count):
    """The certificate says what the count does, and is verified."""
    certificate = count.certificate
    claim = certificate.data["claim"]
    if (claim["lower"], claim["upper"]) != (count.lower, count.upper):
        found.violations.append(("certificate", f"it claims {claim}: {count}"))
    verdict = clexact.verify(certificate)
    found.checks.add(f"certificate {verdict.status.name.lower()}")
    if verdict.status is not clexact.VerdictStatus.VERIFIED:
        found.violations.append(("certificate", f"{verdict}: {count}"))
