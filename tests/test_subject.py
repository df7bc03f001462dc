"""Whose proof a certificate is: of what it lists; of a model only where that is made anew."""

import pytest

import clexact
from clexact.cli.main import run
from clexact.proofs.certificate import VerdictStatus, verify

LINEAR = clexact.gradient_flow(clexact.models.linear([4, 3, 5]))
OWN = clexact.gradient_flow(clexact.Model({"u": (2,)}, {"x": (2,)}, lambda u, x: (u * x).sum() ** 2, name="mine"))
FIELDS = clexact.VectorFields.from_strings(["x", "y"], [["y", "-x"]])
LARGE = clexact.gradient_flow(clexact.models.linear([14, 14, 14, 14]))
LARGE_OWN = clexact.gradient_flow(
    clexact.Model({"U": (14, 40), "V": (40, 14)}, {"x": (14,)}, lambda U, V, x: U @ (V @ x))
)


@pytest.mark.parametrize(
    ("given", "listed", "description"),
    [
        (LINEAR, "the program listed", "gradient flow of linear [4, 3, 5]"),
        (LARGE, "the program listed", "gradient flow of linear [14, 14, 14, 14]"),
        (OWN, "the program listed", "gradient flow of mine"),
    ],
)
def test_a_proof_is_about_what_is_listed(given, listed, description):
    verdict = verify(clexact.certify(given).certificate)
    assert verdict
    said = verdict.sentences[-1]
    assert said.startswith(f"a proof about {listed}") and f"{description!r} was not checked (--rebuild does)" in said


@pytest.mark.parametrize("flow", [LINEAR, LARGE, clexact.momentum_flow(clexact.models.relu([2, 1, 2]))])
def test_rebuilt_says_of_what_and_what_is_assumed(flow):
    verdict = verify(clexact.certify(flow).certificate, rebuild=True)
    assert verdict and flow.description in verdict.sentences[-1] and "not checked" not in str(verdict)
    assert all(words in verdict.sentences[-1] for words in flow.assumptions)


@pytest.mark.slow
@pytest.mark.parametrize("flow", [OWN, LARGE_OWN, clexact.momentum_flow(FIELDS)])
def test_a_model_of_the_users_is_undecided_not_false(flow):
    verdict = verify(clexact.certify(flow).certificate, rebuild=True)
    assert verdict.status is VerdictStatus.UNDECIDED and "no model of the library" in verdict.sentences[-1]


def test_explicit_fields_are_their_own_subject():
    verdict = verify(clexact.certify(FIELDS).certificate, rebuild=True)
    assert verdict and "the fields listed are what it is about" in verdict.sentences[-1]


def test_exit_statuses(tmp_path, capsys):
    for name, given, status in (("linear", LINEAR, 0), ("own", OWN, 3), ("fields", FIELDS, 0)):
        path = tmp_path / f"{name}.json"
        clexact.certify(given).certificate.save(path)
        try:
            code = run(["verify", str(path), "--rebuild"])
        except SystemExit as stop:
            code = stop.code
        assert code == status and run_plain(path) == 0, name
    capsys.readouterr()


def run_plain(path):
    try:
        return run(["verify", str(path)])
    except SystemExit as stop:
        return stop.code
