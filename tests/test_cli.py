"""The command line as a user meets it: answers, JSON, wrong input, exit status."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

import clexact
from clexact.cli import main as cli

KEYS = {
    "dimension", "fields", "lower", "upper", "exact", "exhibited", "degree", "filtration", "evidence", "seed", "seconds"
}  # fmt: skip


def output(capsys, *words):
    """Standard output of a command that must succeed."""
    assert cli.run(list(words)) == 0
    return capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "flow"),
    [
        ("linear 4 3 5", clexact.gradient_flow(clexact.models.linear([4, 3, 5]))),
        ("linear 1 1", clexact.gradient_flow(clexact.models.linear([1, 1]))),
        ("relu 2 5 3 --bias", clexact.gradient_flow(clexact.models.relu([2, 5, 3], bias=True))),
        ("neuron 2 1 --powers 3", clexact.gradient_flow(clexact.models.neuron(2, 1, [3]))),
        ("neuron 3 --powers 1 3", clexact.gradient_flow(clexact.models.neuron(3, 1, [1, 3]))),
        ("product 4", clexact.gradient_flow(clexact.models.product(4))),
        (
            "linear 3 2 3 --loss cross-entropy",
            clexact.gradient_flow(clexact.models.linear([3, 2, 3]), loss="cross_entropy"),
        ),
    ],
)
def test_certify_prints_the_answer_of_the_library(capsys, words, flow):
    """The command and the Python call give one answer."""
    assert output(capsys, "certify", *words.split(), "--quiet").strip() == str(clexact.certify(flow))
    data = json.loads(output(capsys, "certify", *words.split(), "--json", "--laws"))
    assert KEYS | {"laws"} <= data.keys()
    assert data["laws"] == clexact.certify(flow).laws.written()
    assert data["fields"] == len(flow.fields)
    assert (data["lower"], data["upper"]) == (clexact.certify(flow).lower, clexact.certify(flow).upper)


def test_laws_are_left_out_of_json_unless_asked_for(capsys):
    """--laws decides."""
    assert "laws" not in json.loads(output(capsys, "certify", "linear", "2", "2", "--json"))


def test_families_in_one_line_and_polynomials_one_by_one(capsys):
    """--laws prints what a person writes, --polynomials all that it stands for, in JSON too."""
    count = clexact.certify(clexact.gradient_flow(clexact.models.linear([2] * 6)))
    lines = output(capsys, "certify", "linear", *"222222", "--quiet", "--laws").splitlines()
    assert lines == [str(count), "U_kᵀU_k − U_(k+1)U_(k+1)ᵀ  (i ≤ j < 2) for k = 1, ..., 4"]
    lines = output(capsys, "certify", "linear", *"222222", "--quiet", "--polynomials").splitlines()
    assert lines == [str(count), *map(str, count.laws.polynomials())] and len(lines) == 13
    data = json.loads(output(capsys, "certify", "linear", *"222222", "--json", "--polynomials"))
    assert "laws" not in data and data["polynomials"] == count.laws.polynomials().written()


def test_laws_are_in_ascii_where_the_terminal_has_no_more(capsys, monkeypatch):
    """As under a locale that has no superscripts."""
    monkeypatch.setattr("clexact.cli.main._can_print", lambda text: False)
    lines = output(capsys, "certify", "linear", "2", "2", "2", "--quiet", "--laws").splitlines()
    assert lines[1:] == ["U1^T U1 - U2 U2^T  (i <= j < 2)"]


def test_seed_and_degree_reach_the_result(capsys):
    """Options are not ignored."""
    data = json.loads(output(capsys, "certify", "linear", "2", "2", "2", "--json", "--seed", "7", "--degree", "3"))
    assert (data["seed"], data["degree"]) == (7, 3)
    other = json.loads(output(capsys, "certify", "linear", "2", "2", "2", "--json"))
    assert data["prime"] != other["prime"]


def test_max_depth_bounds_the_brackets(capsys):
    """Without brackets, the bounds of a linear network stay apart."""
    data = json.loads(output(capsys, "certify", "linear", "3", "2", "3", "--max-depth", "0", "--json"))
    assert not data["exact"] and data["lower"] == 3 and len(data["filtration"]) == 1


def test_laws_as_text_latex_and_json(capsys):
    """The three forms of one list."""
    text = output(capsys, "laws", "linear", "2", "1", "2", "--quiet").split("\n")
    assert text[0] == "U1[0,0]^2 + U1[1,0]^2 - U2[0,0]^2 - U2[0,1]^2"
    assert "U_{1;0,0}^{2}" in output(capsys, "laws", "linear", "2", "1", "2", "--latex")
    assert json.loads(output(capsys, "laws", "linear", "2", "1", "2", "--json"))["laws"] == text[:1]


def test_homogeneous_laws(capsys):
    """Only the given degree."""
    laws = output(capsys, "laws", "product", "3", "--degree", "4", "--homogeneous", "--quiet").split("\n")
    assert len(laws) == 4 and all("^4" in law for law in laws[:3])


def test_system_file(capsys, tmp_path):
    """Several fields, comments, rational coefficients."""
    path = tmp_path / "rotation.ode"
    path.write_text("# two rotations\nx' = y\ny' = -x\n---\ny' = 2/3*z\nz' = -2/3*y\n")
    data = json.loads(output(capsys, "certify", "--system", str(path), "--json", "--laws"))
    assert data["laws"] == ["x^2 + y^2 + z^2"] and data["exact"] and data["fields"] == 2


def test_user_file(capsys, tmp_path):
    """A Model, a function that makes one, and VectorFields."""
    path = tmp_path / "mine.py"
    path.write_text(
        "import clexact\nnet = clexact.models.linear([2, 1, 2])\n"
        "def make():\n    return net\n"
        "fields = clexact.VectorFields.from_strings(['x', 'y'], [['y', 'x']])\n"
    )
    answers = [output(capsys, "certify", f"{path}:{name}", "--quiet") for name in ("net", "make")]
    assert answers[0] == answers[1] and answers[0].startswith("exactly 1 ")
    assert output(capsys, "laws", f"{path}:fields", "--quiet").strip() == "x^2 - y^2"


WRONG = [
    ("certify linear 0 3", "must be at least 1, not 0"),
    ("certify linear -1 3", "must be at least 1, not -1"),
    ("certify linear 3", "at least two sizes"),
    ("certify linear", "at least two sizes"),
    ("certify linear 2a b", "must be an integer or a letter, not '2a'"),
    ("certify linear 2.5 3", "must be an integer, not '2.5'"),
    ("certify relu 2", "at least two sizes"),
    ("certify neuron", "neuron takes the sizes m [n], not 0 sizes"),
    ("certify neuron 1 2 3", "neuron takes the sizes m [n], not 3 sizes"),
    ("certify neuron 1 1 --powers 0", "at least 1, not 0"),
    ("certify product 2 3", "product takes the sizes d, not 2 sizes"),
    ("certify resnet 18", "unknown family 'resnet'"),
    ("certify", "give a family"),
    ("certify linear 2 2 --bias", "--bias belongs to relu"),
    ("certify linear 2 2 --powers 2", "--powers belongs to neuron"),
    ("certify linear 2 2 --damping nesterov", "--damping belongs to --flow momentum"),
    ("certify linear 2 2 --flow momentum --tau 2", "--tau belongs to --flow momentum --damping heavy-ball"),
    ("certify linear 2 2 --flow momentum --damping heavy-ball --tau half", "--tau must be a rational such as"),
    ("certify linear 2 2 --flow momentum --damping heavy-ball --tau -1", "tau must be at least 0, not -1"),
    ("certify linear 2 2 --flow mirror", "needs --positive NAMES"),
    ("certify linear 2 2 --flow mirror --positive U9", "none of the parameters U1"),
    ("certify linear 2 2 --positive U1", "--positive belongs to --flow mirror and --flow momentum"),
    ("certify linear 2 2 --weight-decay x", "--weight-decay must be a rational such as"),
    ("certify linear 2 2 --kernel 3", "--kernel belongs to conv1d, conv2d, not to linear"),
    ("certify conv1d 1 2", "conv1d needs the size of its kernel"),
    ("certify conv1d 1 2 --kernel 5 --length 3", "does not fit"),
    ("certify attention 2 3 --rope", "must be even, not 3"),
    ("certify attention 2 2 --heads 3 --keys 2", "must divide heads = 3"),
    ("certify moe 2 2 2 --gate hard", "invalid choice: 'hard'"),
    ("certify moe 2 2 2 --gate topk --k 5", "cannot be chosen of 2"),
    ("certify tanh 2 2 2 --order 99", "unrecognized arguments: --order 99"),
    ("certify mlp 2 2 2 --act cos", "invalid choice: 'cos'"),
    ("certify mlp 2 2 2 --norm pre-rms", "norm of mlp must be one of none, layer, rms, batch, not 'pre-rms'"),
    ("certify transformer 2 1 1 --norm batch", "norm of transformer must be one of none, pre-layer, post-layer, "),
    ("certify relu 2 2 2 --eps 1", "--eps belongs to transformer, mlp, not to relu"),
    ("certify nmf 2 2", "nmf takes the sizes n r m, not 2 sizes"),
    ("certify --system good.ode --flow mirror", "belong to models, but a system is a VectorFields"),
    ("orbit linear 2 2", "--at"),
    ("orbit linear 2 2 --at nowhere", "the start must be one of zero, identity"),
    ("orbit --system good.ode --at balanced", "needs a model"),
    ("certify linear 2 2 --degree 0", "degree must be at least 1, not 0"),
    ("certify linear 2 2 --degree x", "invalid int value: 'x'"),
    ("certify linear 2 2 --seed -1", "seed must be at least 0, not -1"),
    ("certify linear 2 2 --max-depth -1", "max_depth must be at least 0, not -1"),
    ("certify linear 2 2 --loss hinge", "invalid choice: 'hinge'"),
    ("certify --system missing.ode", "cannot open 'missing.ode'"),
    ("certify --system bad.ode", "bad.ode: line 2, column 8: unknown variable 'a'"),
    ("certify --system bad.ode linear 2 2", "not both"),
    ("certify --system good.ode --loss cross-entropy", "a system has no loss"),
    (
        "certify --system good.ode --bias",
        "--bias belongs to relu, icnn, conv1d, conv2d, attention, transformer, mlp, gru, lstm, weight_norm, not to a ",
    ),
    ("certify --system binary.ode", "not a text file"),
    ("certify missing.py:net", "no file 'missing.py'"),
    ("certify user.py", "expected FILE.py:NAME"),
    ("certify user.py:absent", "defines no 'absent'"),
    ("certify user.py:number", "must be a Model, a Flow or VectorFields, not int"),
    ("certify user.py:failing", "IndexError"),
    ("certify user.py:wrong_shape", "matmul of shapes"),
    ("certify syntax.py:net", "SyntaxError"),
    ("laws linear 2 2 --degree 0", "degree must be at least 1, not 0"),
    ("explain linear 2 2", "invalid choice: 'explain'"),
    ("fit linear", "--grid"),
    ("fit linear --grid n=1..2,m", "--grid takes axes such as n=1..5 or n=1|2|5 joined by commas, not 'm'"),
    ("fit linear --grid n=1..2,n=3", "names the axis 'n' twice"),
    ("fit linear --grid n=a..3,m=1", "the axis n takes integers a, a..b or a|b|c, not 'a..3'"),
    ("fit linear --grid n=3..1,m=1", "in increasing order, not '3..1'"),
    ("fit linear --grid n=0..2,m=1", "integers of at least 1"),
    ("fit linear --grid n=1..300,m=1..300", "at most 20000 sizes, not 90000"),
    ("fit linear --grid n=1..99999999,m=1", "at most 20000 values, not those of '1..99999999'"),
    ("fit linear --grid n=1..2", "at n = 1: linear takes at least two sizes"),
    ("fit linear 3 --grid n=1..2", "fit takes one family"),
    ("fit resnet --grid n=1..2", "not 'resnet'"),
    ("fit --grid n=1..2", "fit takes one family"),
    ("fit --system good.ode --grid n=1..2", "not '--system good.ode'"),
    ("fit nmf --grid a=1..2,r=1,m=1", "nmf takes the sizes n r m, and none is called 'a'"),
    ("fit nmf --grid n=1..2,r=1", "nmf takes the sizes n r m, not 2 sizes"),
    ("fit linear --grid n=1,m=1,r=1 --sizes n,m", "--sizes takes axes of the grid (n, m, r) and integers, not 'n,m'"),
    ("fit linear --grid n=1,m=1,r=1 --sizes n", "the axis m of the grid has no place in the sizes 'n'"),
    ("fit linear --grid depth=1..2,n=1", "the axis depth needs an axis width"),
    ("fit linear --grid depth=1..2,width=1,n=1", "besides depth and width, give no axis or two"),
    ("fit linear --grid n=1,m=1 --max-dimension 0", "--max-dimension must be at least 1, not 0"),
    ("fit linear --grid n=1,m=1 --bias", "--bias belongs to relu"),
    ("fit linear --grid n=1,m=1 --degree 0", "degree must be at least 1, not 0"),
    ("reproduce --seed -3", "seed must be at least 0, not -3"),
    ("reproduce --out nowhere/results", "cannot open"),
    ("reproduce --claims linear.cuont", "did you mean linear.count"),
    ("reproduce --budget huge", "invalid choice: 'huge'"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "message"), WRONG)
def test_wrong_input_is_one_sentence_and_status_2(words, message, tmp_path, monkeypatch, capsys):
    """No traceback, nothing on standard output, one line on standard error."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.ode").write_text("x' = x\n")
    (tmp_path / "bad.ode").write_text("x' = y\ny' = x*a\n")
    (tmp_path / "binary.ode").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "syntax.py").write_text("net = (\n")
    (tmp_path / "user.py").write_text(
        "import clexact\nnumber = 3\n"
        "def failing():\n    return [][1]\n"
        "def wrong_shape():\n    return clexact.Model({'U': (2, 3)}, output=lambda U: U @ U)\n"
    )
    try:
        status = cli.run(words.split())
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert message in captured.err and len(captured.err.strip().split("\n")) == 1 and "Traceback" not in captured.err


def test_a_certificate_that_cannot_be_saved_is_refused_before_the_work(tmp_path, capsys):
    """No such folder: nothing is computed, nothing is printed."""
    assert cli.run(["certify", "linear", "2", "2", "--save", str(tmp_path / "nowhere" / "a.json")]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "cannot open" in captured.err
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_does_not_take_the_answer_away(tmp_path, capsys, monkeypatch):
    """The count is printed, the failure is said, and no file is left."""

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert cli.run(["certify", "linear", "2", "1", "2", "--quiet", "--save", str(tmp_path / "a.json")]) == 2
    captured = capsys.readouterr()
    assert captured.out.startswith("exactly 1 independent") and "No space left" in captured.err
    assert list(tmp_path.iterdir()) == []


def test_laws_say_at_least_where_the_number_is_a_bound(capsys):
    """Three laws of degree 4 that are functions of two: a rank proves at least, not exactly."""
    text = output(capsys, "laws", "product", "3", "--degree", "4", "--homogeneous")
    assert "3 polynomial laws of degree 4, at least 2 independent" in text
    assert "6 polynomial laws of degree at most 2, 6 independent" in output(capsys, "laws", "linear", "4", "3", "5")


@pytest.mark.slow
def test_fit_prints_counts_and_formula(capsys):
    """The table, the formula, where it was fitted and tested, and in which order the sizes were taken."""
    text = output(capsys, "fit", "linear", "--grid", "n=1..4,m=1..4,r=1..5")
    assert "linear of sizes [n, r, m], gradient flow: 80 counts" in text
    assert "k*(2*r + 1 - k)/2 with k = min(r, n + m)\n" in text
    assert "fitted at 60 sizes, tested at 20 others" in text
    latex = output(capsys, "fit", "linear", "--grid", "n=1..4,m=1..4,r=1..5", "--latex", "--quiet")
    assert latex.strip() == r"\frac{k (2 r + 1 - k)}{2}\text{ with }k = \min(r, n + m)"
    rows = output(capsys, "fit", "product", "--grid", "d=2..9", "--table").split("\n")
    assert "  at m = 2 only\n" in output(capsys, "fit", "relu", "--grid", "n=1..3,r=1..6,m=2", "--sizes", "n r m")
    assert any(re.fullmatch(r"\W*9\W+9\W+8\W+8\W*", row) for row in rows) and "d - 1" in rows


@pytest.mark.slow
def test_fit_as_json(capsys):
    """Everything that the text says, as data."""
    words = ["fit", "nmf", "--grid", "n=1..3,m=1..3,r=1..5", "--flow", "mirror", "--json", "--seed", "2"]
    data = json.loads(output(capsys, *words))
    assert data["sizes"] == "n, r, m" and data["names"] == ["n", "m", "r"] and len(data["counts"]) == 45
    assert data["formula"]["text"] == "r + (r - 1)*[n = m = 1]" and data["seed"] == data["formula"]["seed"] == 2
    assert len(data["formula"]["fitted"]) + len(data["formula"]["tested"]) == 45
    assert data["open"] == data["skipped"] == [] and data["error"] == "0" and not data["interrupted"]


@pytest.mark.slow
def test_fit_lists_what_is_open_excluded_and_skipped(capsys, monkeypatch):
    """No size disappears silently; without the theorem about momentum, which takes long."""
    monkeypatch.setattr("clexact.cli.fit._theorem", lambda *_: None)
    grid = ["--grid", "n=1..2,m=1..2,r=1..6"]
    text = output(capsys, "fit", "linear", *grid, "--max-depth", "0")
    assert re.search(r"open, left out since their bounds do not meet: \(\d, \d, \d\): \d+\.\.\d+", text)
    data = json.loads(output(capsys, "fit", "linear", *grid, "--max-dimension", "12", "--json"))
    assert {row["dimension"] for row in data["skipped"]} == {15, 16, 18, 20, 24}
    assert len(data["skipped"]) + len(data["counts"]) == 24
    text = output(capsys, "fit", "linear", "--grid", "n=1..2,m=1..2,r=1..5", "--flow", "momentum")
    assert "r*(r - 1)/2, except where n = m = 1 and r >= 2\n" in text
    assert "excluded, with their counts: (1, 1, 2): 2, (1, 1, 3): 6, (1, 1, 4): 10, (1, 1, 5): 14" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "order", "formula"),
    [
        ("product --grid d=2..9", "d", "d - 1"),
        ("relu --grid depth=1..4,width=1..4", "width (depth + 1 times)", "width*(depth - 1)"),
        ("relu --grid depth=2..4,a=1..2,width=1..4,b=1..2", "a, width (depth - 1 times), b", "width*(depth - 1)"),
        ("relu --grid r=1..8,n=2", "r, n", None),
        ("relu --sizes 2_r_3 --grid r=1..8", "2, r, 3", "r"),
        ("relu --grid n=2..3,m=2..3,r=1..4 --bias", "n, r, m", "r"),
        ("linear --grid a=1..8,b=1", "a, b", "0"),
    ],
)
def test_fit_takes_sizes_in_the_order_said(capsys, words, order, formula):
    """Names of the family, n r m, depth and width, or as given."""
    data = json.loads(output(capsys, "fit", *(w.replace("_", " ") for w in words.split()), "--json"))
    assert data["sizes"] == order
    assert formula is None or data["formula"]["text"] == formula


def test_fit_without_a_formula_is_an_answer(capsys):
    """Too few sizes for any: status 0, and said."""
    assert "no formula" in output(capsys, "fit", "linear", "--grid", "n=2,m=2,r=1..3", "--quiet")


@pytest.mark.slow
def test_fit_interrupted_gives_the_counts_so_far(capsys):
    """By a limit of time: status 3; the table holds what was certified."""
    grid = "n=1..3,m=1..3,r=1..60"
    with pytest.raises(SystemExit) as stop:
        cli.run(["fit", "linear", "--grid", grid, "--flow", "momentum", "--time-limit", "0.5", "--json"])
    captured = capsys.readouterr()
    data = json.loads(captured.out)
    assert stop.value.code == 3 and data["interrupted"] and "time limit" in captured.err
    assert 0 < len(data["counts"]) < 540


@pytest.mark.slow
def test_python_dash_m():
    """python -m clexact is the command."""
    words = [sys.executable, "-m", "clexact", "certify", "linear", "2", "1", "2", "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("exactly 1 independent conservation law ")


@pytest.mark.slow
def test_interruption_prints_the_bounds_so_far():
    """Ctrl-C ends with status 130 and both bounds on standard output."""
    words = [
        sys.executable,
        "-u",
        "-m",
        "clexact",
        "certify",
        "nmf",
        "80",
        "80",
        "80",
        "--flow",
        "mirror",
        "--json",
    ]
    for seconds in (4, 12, 36):
        running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(seconds)
        os.kill(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=60)
        if running.returncode != -signal.SIGINT:  # on a busy machine it was still importing
            break
    assert running.returncode == 130 and "Traceback" not in err
    data = json.loads(out)
    assert data["interrupted"] and data["lower"] <= data["upper"] <= data["dimension"]
