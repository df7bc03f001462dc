"""No forged certificate of a model with analytic functions is accepted. ``bench/forgery.py`` makes thousands."""

import json
from collections import Counter

import pytest
from forged_programs import bases, is_true, lies, mutants

from clexact.proofs.certificate import VerdictStatus, verify_bytes

# torch.func warns of what it uses itself
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning"),
]


def written(document):
    return json.dumps(document).encode()


def test_the_certificates_themselves_are_verified_and_true():
    for document in bases():
        assert verify_bytes(written(document), rebuild=True), document["model"]
        assert is_true(document), document["model"]


def test_lies_are_refused_and_the_oracle_knows_them():
    """Said of the model, each is refused; those that list too many laws are no proof at all."""
    false = 0
    for document in lies():
        verdict = verify_bytes(written(document), rebuild=True)
        assert verdict.status is VerdictStatus.FALSE or is_true(document)
        if "fields" not in document:
            assert bool(verify_bytes(written(document))) <= is_true(document)
        false += verdict.status is VerdictStatus.FALSE
    assert false >= 25


@pytest.mark.parametrize("seed", [1, 2])
def test_no_untrue_mutant_is_accepted(seed):
    """Neither about what it lists nor about the model; each outcome must occur."""
    outcomes = Counter()
    for said, document in mutants(250, seed):
        verdict = verify_bytes(written(document))
        outcomes[verdict.status] += 1
        if verdict and "fields" not in document:
            assert is_true(document), said
        again = verify_bytes(written(document), rebuild=True)
        outcomes["rebuilt", again.status] += 1
        assert not again or ("fields" not in document and is_true(document)), said
    assert (
        min(outcomes[status] for status in list(VerdictStatus)[:3]) > 10 and outcomes["rebuilt", VerdictStatus.VERIFIED]
    )
