"""No mutant of a certificate that claims something untrue is accepted. ``bench/forgery.py`` makes 10,000 and more."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from mutants import SECTIONS, certificates, is_true, mutants, replace

import clexact
from clexact.cli import main as cli
from clexact.proofs import verifier
from clexact.proofs.verifier import large

DOCUMENTS = certificates()


def test_the_certificates_themselves_are_verified_and_true():
    """The suite starts from documents that are accepted, and the oracle agrees with them."""
    for document in DOCUMENTS:
        status, said = large.verify_bytes(json.dumps(document).encode())
        assert status == 0, said
        assert is_true(document)


@pytest.mark.slow
def test_no_untrue_mutant_is_accepted():
    """A reduced run; each outcome must occur, so that the suite does not only make nonsense."""
    outcomes = Counter()
    for kind, text in mutants(1500, seed=1):
        status, said = large.verify_bytes(text.encode())
        outcomes[status] += 1
        assert status != 0 or is_true(json.loads(text)), (kind, text, said)
    assert min(outcomes[0], outcomes[1], outcomes[2]) > 20


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_is_load_bearing(section):
    """Taking a section from another certificate is refused for every pair in which it differs enough to matter."""
    refused = 0
    for document in DOCUMENTS:
        for other in DOCUMENTS:
            forged = dict(document)
            replace(forged, section, other)
            forged["sha256"] = large.program_hash(forged)
            status, _ = large.verify_bytes(json.dumps(forged).encode())
            assert status != 0 or is_true(forged)
            refused += status != 0
    assert refused > 10


@pytest.mark.parametrize(
    ("change", "status"), [(lambda d: None, 0), (lambda d: d["claim"].update(lower=9), 1), (lambda d: d.pop("lie"), 2)]
)
def test_exit_status_of_the_verifier_alone_and_of_the_command(change, status, tmp_path, capsys, alone):
    """A fresh process that cannot import clexact, and the command: the same three answers."""
    document = json.loads(json.dumps(DOCUMENTS[0]))
    change(document)
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(document))
    done = subprocess.run([sys.executable, "-I", "-S", alone, str(path)], capture_output=True, text=True)
    assert done.returncode == status and "Traceback" not in done.stderr
    try:
        code = cli.run(["verify", str(path)])
    except SystemExit as stop:
        code = stop.code
    assert code == status and capsys.readouterr().out


def test_the_verifier_imports_nothing_of_the_package():
    """Standard library only."""
    for path in Path(large.__file__).parent.glob("*.py"):
        for name in re.findall(r"^\s*(?:from|import) ([\w.]+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            inside = name.startswith("clexact.proofs.verifier.large.")
            assert inside or name.split(".")[0] in sys.stdlib_module_names, name
    for path in Path(verifier.__file__).parent.glob("*.py"):
        for name in re.findall(r"^\s*(?:from|import) ([\w.]+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            inside = name.startswith("clexact.proofs.verifier")
            assert inside or name.split(".")[0] in sys.stdlib_module_names, name


def test_rebuild_refuses_a_right_certificate_of_another_model():
    """The fields are those of linear [2, 1, 2], the description says otherwise."""
    document = json.loads(json.dumps(DOCUMENTS[0]))
    assert clexact.verify(clexact.Certificate(document), rebuild=True)
    document["model"]["sizes"] = [2, 1, 3]
    assert clexact.verify(clexact.Certificate(document))
    assert not clexact.verify(clexact.Certificate(document), rebuild=True)


def test_saving_is_atomic(tmp_path, monkeypatch):
    """A full disk leaves the old file and nothing else."""
    certificate = clexact.certify(clexact.gradient_flow(clexact.models.product(3))).certificate
    path = tmp_path / "product.json"
    certificate.save(path)
    old = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        clexact.certify(clexact.gradient_flow(clexact.models.product(4))).certificate.save(path)
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]
    assert clexact.Certificate.load(path).to_json().encode() == old


@pytest.mark.parametrize("text", ["", "[]", "{}", "NaN", "\x00", '{"format": 1, "format": 2}'])
def test_load_refuses_what_is_no_certificate(text, tmp_path):
    """One sentence that names the file."""
    path = tmp_path / "no.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"no\.json: not a certificate"):
        clexact.Certificate.load(path)
    assert clexact.verify(path).status is clexact.VerdictStatus.NOT_A_CERTIFICATE


@pytest.mark.slow
def test_a_certificate_that_would_be_too_large_is_refused():
    """A million terms and more in fields that are given; of a model the program is written, whatever its size."""
    model = clexact.models.relu([8] * 7)
    assert clexact.certify(clexact.gradient_flow(model)).certificate.of_program
    names = [f"x{i}" for i in range(40)]
    sums = " + ".join(names)
    fields = clexact.VectorFields.from_strings(names, [[f"({sums})^2"] * 40] * 40)
    count = clexact.certify(fields, max_depth=0, degree=1)
    with pytest.raises(ValueError, match="terms, over 1000000"):
        _ = count.certificate


@pytest.mark.parametrize("text", ["1 2*x", "x y", "x^1 2", "2 x"])
def test_blanks_do_not_join_what_they_separate(text):
    """12 is not written 1 2."""
    read = large.NamedPolynomials([], large.Layout({"x": (), "y": (), "xy": ()}), "a law", large.Allowance(10**6))
    with pytest.raises(large.NotACertificate, match="a blank inside"):
        read.polynomial(text, "a law")
    assert read.polynomial(" x  -  2 * y ", "a law") == {((0, 1),): 1, ((1, 1),): -2}
