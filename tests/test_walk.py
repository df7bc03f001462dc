"""A walk through the command: what people type first, with a fact of each answer, and the mistakes that they make."""

import json
import shlex

import pytest

from clexact import __version__
from clexact.cli.main import run

FILES = {
    "toda.ode": "a' = a*(q - p)\nb' = b*(r - q)\np' = 2*a^2\nq' = 2*b^2 - 2*a^2\nr' = -2*b^2\n",
    "mine.py": "import clexact\n"
    'net = clexact.Model({"U": (3, 2), "V": (2, 3)}, {"x": 3}, lambda U, V, x: U @ (V @ x))\n'
    "flow = clexact.momentum_flow(net)\n"
    'fields = clexact.VectorFields.from_strings(["x", "y"], [["y", "x"]])\n',
    "start.txt": "1 2 3 -4 5 6\n",
    "data.txt": "1\n-2\n",
    "bad.py": "x = [1\n",
    "bad.ode": "x^^ = y\n",
    "bad.json": '{"format": "x"}',
    "hello.txt": "hello\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With the files that a walk meets."""
    place = tmp_path_factory.mktemp("walk")
    for name, text in FILES.items():
        (place / name).write_text(text)
    assert run(["certify", "linear", "2", "2", "2", "--quiet", "--save", str(place / "proof.json")]) == 0
    document = json.loads((place / "proof.json").read_text())
    document["claim"]["upper"] -= 1
    forged = json.dumps(document)
    (place / "forged.json").write_text(forged)
    return place


def typed(line, folder, monkeypatch, capsys):
    """(status, standard output, standard error) of a command line."""
    monkeypatch.chdir(folder)
    capsys.readouterr()
    try:
        status = run(shlex.split(line))
    except SystemExit as ended:
        status = ended.code or 0
    return status, *capsys.readouterr()


# Of two layers with r hidden units there are r(r + 1)/2 laws, with biases or ReLUs r, of momentum r(r - 1)/2.
COMMANDS = {
    "version": f"clexact {__version__}\n",
    "--version": f"clexact {__version__}\n",
    "help": "count the independent laws, with bounds that are proved",
    "--help": "usage: clexact [-h] [--version] COMMAND",
    "help certify": "[--near START]",
    "certify --help": "[--near START]",
    "help relu": "clexact certify relu n1 n2 ...",
    "sweep --help": "[--shard I/N]",
    "models": "softmax(X Q K^T X^T) X V O^T",
    "models attention": "--heads",
    "models relu --json": '"options": ["bias", "slope"]',
    "doctor": f"clexact {__version__}, python ",
    "doctor --json": '"integers of 128 bits"',
    "completion bash": "clexact",
    "completion zsh": "#compdef clexact",
    "certify linear 4 3 5": "proved: 6 polynomial laws of degree at most 2, exact identities",
    "certify linear 4 3 5 --quiet": "exactly 6 independent conservation laws (D = 27, dim W = 18 -> 21)\n",
    "certify linear 4 3 5 --json": '"lower": 6, "upper": 6',
    "certify linear 4 3 5 --laws": "U1ᵀU1 − U2U2ᵀ  (i ≤ j < 3)",
    "certify linear 1 2 1 --polynomials": "U1[0,0]*U1[0,1] - U2[0,0]*U2[1,0]",
    "certify linear 4 3 5 --loss cross-entropy --quiet": "exactly 9 ",  # and 3 sums of columns
    "certify linear 4 3 5 --loss mse --quiet": "exactly 6 ",
    "certify linear 2 2 2 --seed 5 --quiet": "exactly 3 ",
    "certify linear 2 2 2 --threads 1 --quiet": "exactly 3 ",
    "certify linear 2 2 2 --time-limit 60 --memory-limit 4000 --quiet": "exactly 3 ",
    "certify linear 2 2 3 --degree 1 --quiet": "exactly 3 independent conservation laws, closed with error <= 2^-",
    "certify linear 2 2 3 --max-depth 0 --quiet": "at least 3, at most 4 ",
    "certify linear 2 2 2 --weight-decay 1/100 --quiet": "exactly 3 ",
    "certify relu 2 5 3 --bias --laws": "|U1[:,i]|² − |U2[i]|² − b2[i]²  (i < 5)",
    "certify relu 1 4 4 1 --bias --near random --seed 1 --quiet": "exactly 10 independent conservation laws near this",
    "certify relu 1 3 1 --near random --starts 3": "3 starts (weights uniform, biases uniform), exactly 3 with free",
    "certify relu 2 2 1 --near start.txt --quiet": "independent conservation laws near this start",
    "certify relu 2 2 1 --near start.txt --data data.txt --quiet": "exactly 3 independent conservation laws for this",
    "certify nmf 4 2 5 --flow mirror --quiet": "exactly 2 ",
    "certify linear 1 2 2 --flow momentum --damping nesterov --laws": "t³ (U1ᵀU1' − U1'ᵀU1 + U2U2'ᵀ − U2'U2ᵀ)",
    "certify linear 4 3 5 --flow momentum --damping heavy-ball --tau 1/2 --quiet": "exactly 3 ",
    "certify attention 3 2 --heads 2 --quiet": "exactly 12 ",
    "certify neuron 2 1 --powers 3 --quiet": "exactly 1 ",
    "certify mlp 2 3 1 --act gelu --quiet": "exactly 0 ",
    "certify product 4 --quiet": "exactly 3 ",
    "certify conv1d 2 3 2 --kernel 3 --quiet": "exactly 6 ",
    "certify mine.py:net --quiet": "exactly 3 ",
    "certify mine.py:flow --quiet": "exactly 1 ",
    "certify mine.py:fields": "1 explicit field on Q^2",
    "certify --system toda.ode --degree 3": "there are 5 - 1 = 4 independent laws (Frobenius), 3 of them polynomials",
    "certify linear 2 2 2 --quiet --save saved.json": "exactly 3 ",
    "verify proof.json": "proof.json: verified\n",
    "verify proof.json --rebuild": "the program is that of the gradient flow of linear [2, 2, 2]",
    "laws linear 1 2 1": "U1[0,0]*U2[1,0] - U1[0,1]*U2[0,0]",
    "laws product 3 --degree 4 --latex --quiet": "x_{0}^{2} - x_{1}^{2}\n",
    "laws product 3 --json": '"laws": ["x[0]^2 - x[1]^2", "x[1]^2 - x[2]^2"]',
    "laws --system toda.ode": "\np + q + r\n",
    "laws linear 2 2 2 --homogeneous --quiet": "U1[0,0]^2 + U1[1,0]^2 - U2[0,0]^2 - U2[0,1]^2",
    "orbit linear 3 2 3 --at dead-unit": "orbit dimension 5 of 12, 4 laws more than generic",
    "orbit linear 2 1 2 --at zero --quiet": "orbit dimension 0 of 4, 3 laws more than generic\n",
    "orbit linear 2 2 2 --at balanced --json": '"orbit_dimension": 5, "closed": true',
    'fit product --grid "d=2..12" --quiet': "d - 1",
    "reproduce --list": "linear.count                 How many of them are independent",
    "reproduce --list --json": '"source": "talk, slide 28, proposition"',
    "sweep linear --dry-run": "certify linear 6 8 6",
}


def test_the_walk_has_sixty_commands():
    assert len(COMMANDS) >= 60


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_answers(line, folder, monkeypatch, capsys):
    status, out, err = typed(line, folder, monkeypatch, capsys)
    assert (status, err) == (0, "")
    assert COMMANDS[line] in out
    if "--json" in line:
        json.loads(out)


MISTAKES = {
    "certfy linear 2 2": "did you mean 'certify'?",
    "attention 3 2": "choose from certify, laws",
    "certify": "give a family (linear, relu,",
    "certify liner 2 2": "did you mean 'linear'?",
    "certify linear": "linear takes at least two sizes",
    "certify linear 2": "linear takes at least two sizes",
    "certify linear 2x 2": "a size of linear must be an integer, not '2x'.",
    "certify linear 0 2": "a size of linear must be at least 1, not 0.",
    "certify linear 2.5 2": "a size of linear must be an integer, not '2.5'.",
    "certify linear 2 2 --degre 3": "did you mean '--degree'?",
    "certify linear 2 2 --deg 2": "did you mean '--degree'?",
    "certify linear 2 2 --degree zero": "invalid int value: 'zero'",
    "certify linear 2 2 --degree 0": "degree must be at least 1, not 0.",
    "certify linear 2 2 --seed -1": "seed must be at least 0, not -1.",
    "certify linear 2 2 --threads 0": "the number of threads must be at least 1, not 0.",
    "certify linear 2 2 --time-limit 0": "the time limit must be positive, not 0.0.",
    "certify linear 2 2 --memory-limit -5": "the memory limit must be positive, not -5.",
    "certify linear 2 2 --max-depth -1": "max_depth must be at least 0, not -1.",
    "certify linear 2 2 --flow momentm": "did you mean 'momentum'?",
    "certify linear 2 2 --flow mirror --tau 1": "--tau belongs to --flow momentum --damping heavy-ball.",
    "certify linear 2 2 --loss hinge": "choose from ce, cross-entropy, full, mse, squared",
    "certify linear 2 2 --weight-decay -": "must be a rational such as 3, 1/2 or 0.5, not '-'.",
    "certify linear 2 2 --kernel 3": "--kernel belongs to conv1d, conv2d, not to linear.",
    "certify attention 3 2 --heads 0": "heads must be at least 1, not 0.",
    "certify relu 2 2 1 --near nowhere": "the start must be one of random, zero,",
    "certify relu 2 2 1 --starts 3 --near zero": "--starts belongs to --near random.",
    "certify relu 2 2 1 --init normal": "--init belongs to --near random.",
    "certify relu 2 3 2 --near random --data data.txt": "inputs for 'x' must have shape (N, 2)",
    "certify linear 2 2 2 --save nowhere/c.json": "No such file or directory.",
    "certify missing.py:net": "no file 'missing.py'.",
    "certify mine.py:nothing": "mine.py defines no 'nothing'.",
    "certify mine.py": "expected FILE.py:NAME, not 'mine.py'.",
    "certify bad.py:x": "bad.py failed: SyntaxError",
    "certify --system missing.ode": "cannot open 'missing.ode'",
    "certify --system bad.ode": "bad.ode: line 1, column 1: expected an equation",
    "certify linear 2 2 --system toda.ode": "not both --system and 'linear 2 2'.",
    "laws linear 2 2 --forms --homogeneous": "give either --forms or --homogeneous",
    "orbit linear 2 2 2": "the following arguments are required: --at",
    "orbit linear 2 2 2 --at hello.txt": "hello.txt: expected rationals such as 3 or -1/2.",
    "verify": "give either certificates in files or --db DB, or --standalone FILE.pyz alone.",
    "verify missing.json": "cannot open 'missing.json'",
    'fit linear --grid "n=1..0"': "in increasing order, not '1..0'.",
    'fit linear --grid "q=1..2"': "linear takes at least two sizes",
    "models attenton": "did you mean 'attention'?",
    "help nothing": "unknown command or family 'nothing'",
    "sweep nothing": "expected a TOML file, or one of atlas, linear,",
    "sweep linear --jobs 0": "the number of jobs must be at least 1, not 0.",
    "sweep linear --shard 3/2": "expected I/N with 1 <= I <= N, as 3/20, not '3/2'",
    "results missing.db": "there is no store 'missing.db'.",
    "reproduce --claims linear.cont": "did you mean linear.count",
    "reproduce --budget huge": "choose from quick, full",
    "plot nothing": "choose from level-sets, drift,",
    "completion fish": "choose from bash, zsh, tcsh",
    "version now": "unrecognized arguments: now",
}


def test_the_walk_has_forty_mistakes():
    assert len(MISTAKES) >= 40


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_sentence(line, folder, monkeypatch, capsys):
    """On standard error, with what was expected; status 2, and nothing else."""
    status, out, err = typed(line, folder, monkeypatch, capsys)
    assert (status, out) == (2, "")
    assert err.startswith("clexact") and err.count("\n") == 1 and "Traceback" not in err
    assert MISTAKES[line] in err


def test_files_that_are_no_proofs_are_told_apart(folder, monkeypatch, capsys):
    """1: something is false; 2: it is no certificate."""
    status, out, _ = typed("verify forged.json", folder, monkeypatch, capsys)
    assert status == 1 and out.endswith("FALSE: the upper bound is 3\n")
    status, out, _ = typed("verify bad.json", folder, monkeypatch, capsys)
    assert status == 2 and out.startswith("bad.json: not a certificate\n")
