"""Whatever is given, an answer or one sentence: the command line, systems and certificates under random input."""

import contextlib
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clexact
from clexact.cli import main as cli
from clexact.proofs.verifier import large

FUZZ = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
SMALL = st.sampled_from(["0", "1", "2", "3", "-1", "x", "2.5", "1e3", "", "٢", str(10**30)])
WORDS = st.lists(
    st.one_of(
        st.sampled_from(["linear", "relu", "neuron", "product", "resnet", "fields.ode", "none.py:net", ":", ".py"]),
        SMALL,
        st.sampled_from(
            ["--bias", "--json", "--laws", "--quiet", "--latex", "--homogeneous", "--rebuild", "--fast", "--"]
        ),
        st.tuples(
            st.sampled_from(["--degree", "--seed", "--max-depth", "--powers", "--time-limit", "--memory-limit"]), SMALL
        ),
        st.tuples(st.just("--loss"), st.sampled_from(["full", "cross-entropy", "hinge"])),
        st.tuples(st.just("--system"), st.sampled_from(["fields.ode", "bad.ode", "certificate.json", "."])),
    ),
    max_size=7,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A good system, a bad one, a certificate."""
    path = tmp_path_factory.mktemp("fuzz")
    (path / "fields.ode").write_text("x' = y\ny' = -x\n")
    (path / "bad.ode").write_text("x' = y +\n")
    clexact.certify(clexact.VectorFields.load(path / "fields.ode")).certificate.save(path / "certificate.json")
    return path


@pytest.mark.slow
@FUZZ
@given(command=st.sampled_from(["certify", "laws", "verify", "explain", ""]), words=WORDS)
def test_the_command_line_answers_or_says_what_is_wrong(folder, command, words):
    """Exit status 0, 1, 2 or 3; on 2, nothing on standard output and one line on standard error."""
    flat = [word for item in words for word in (item if isinstance(item, tuple) else (item,))]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.run([command, *flat])
        except SystemExit as stop:
            status = stop.code
    assert status in (0, 1, 2, 3), (command, flat, status)
    assert "Traceback" not in err.getvalue()
    if status == 2 and command != "verify":
        assert out.getvalue() == "" and len(err.getvalue().strip().split("\n")) == 1, (flat, err.getvalue())


@FUZZ
@given(st.binary(max_size=300))
def test_any_bytes_as_a_system_or_certificate(tmp_path_factory, data):
    """ValueError from the loaders, a verdict from the verifier."""
    path = tmp_path_factory.mktemp("bytes") / "input"
    path.write_bytes(data)
    for load in (clexact.VectorFields.load, clexact.Certificate.load):
        with contextlib.suppress(ValueError):
            load(path)
    assert clexact.verify(path).status in clexact.VerdictStatus


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("x^2 - y")),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=12,
)


@pytest.mark.slow
@FUZZ
@given(st.fixed_dictionaries(dict.fromkeys(large.LISTED_KEYS, JSON) | {"format": st.just(large.FORMAT)}))
def test_documents_shaped_like_certificates(document):
    """Never verified, never an exception."""
    status, said = large.verify_bytes(json.dumps(document).encode())
    assert status in (1, 2) and said


@FUZZ
@given(
    st.lists(
        st.sampled_from(["x", "y", "'", "=", "+", "-", "*", "^", "/", "2", "1/3", "(", ")", "\n", "---\n", "#", " "])
    )
)
def test_texts_near_the_grammar(parts):
    """Parsed, or refused with line and column."""
    try:
        clexact.VectorFields.from_ode("".join(parts))
    except ValueError as error:
        assert "line" in str(error) or "no equation" in str(error)
