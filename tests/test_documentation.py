"""The pages of the site: their examples run, each leads on, none is lost, and the reference has all that is public."""

import ast
import doctest
import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from itertools import chain
from pathlib import Path
from textwrap import dedent

import pytest

import clexact
from clexact.cli import main as cli

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
NOTEBOOKS = sorted(ROOT.glob("examples/*.ipynb"))
TEXTS = {page: (DOCS / page).read_text(encoding="utf-8") for page in PAGES}
SLOW = {  # half a second or more
    *("how-to/formula.md", "how-to/further-laws.md", "how-to/verify.md"),
    *("training.md", "tutorial/pytorch.md", "tutorial/theorist.md"),
}
CODE = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
FILE = re.compile(r"^```(?:python|text)\n# (\S+\.\w+)\n(.*?)^```", re.M | re.S)
SESSION = re.compile(r"^    \$ clexact (.*)\n((?:    (?!\$).*\n)+)", re.M)
TOCTREE = re.compile(r"^```\{toctree\}\n(?::[^\n]*\n)*\n?(.*?)```", re.M | re.S)
LINES = re.compile(r"\(\d+ lines\)")  # of a verifier: they change too often to be written down
OBJECT = re.compile(r"^\.\. auto\w+:: (clexact[\w.]+)$", re.M)
SWEEPS = ("Sweep", "certified", "Row", "read_spec", "parse_spec", "examples", "dry_run", "Spec", "Planned")


def examples(text):
    """The blocks of Python with prompts, as one session."""
    return "\n".join(code for code in CODE.findall(text) if ">>>" in code)


class ButLines(doctest.OutputChecker):
    """What is printed, word for word but for the lines of files."""

    def check_output(self, want, got, optionflags):
        return super().check_output(LINES.sub("(n lines)", want), LINES.sub("(n lines)", got), optionflags)


WITH_EXAMPLES = [
    pytest.param(page, marks=pytest.mark.slow if page in SLOW else ())
    for page in PAGES
    if examples(TEXTS[page]) or SESSION.search(TEXTS[page])
]


@pytest.mark.parametrize("page", WITH_EXAMPLES)
def test_the_examples_of_a_page(page, tmp_path, monkeypatch, capsys):
    """Its Python, in one namespace; its commands, with its files: the output word for word, but lines of files."""
    if "torch" in examples(TEXTS[page]):
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    for name, content in FILE.findall(TEXTS[page]):
        Path(name).write_text(content, encoding="utf-8")
    test = doctest.DocTestParser().get_doctest(examples(TEXTS[page]), {}, page, page, 0)
    found = doctest.DocTestRunner(checker=ButLines()).run(test)
    assert (found.failed, found.attempted) == (0, len(test.examples)), capsys.readouterr().out
    for command, shown in SESSION.findall(TEXTS[page]):
        capsys.readouterr()
        assert cli.run(shlex.split(command)) == 0
        assert LINES.sub("(n lines)", capsys.readouterr().out) == LINES.sub("(n lines)", dedent(shown))


def test_pages_of_examples_are_found():
    """Not none; and a page that is made from a source shows the examples of its source."""
    pages = [parameters.values[0] for parameters in WITH_EXAMPLES]
    assert {"index.md", "your-model.md", "true-functions.md", "explanation/primes.md", "how-to/verify.md"} <= set(pages)
    assert len(FILE.findall(TEXTS["your-model.md"])) == 5 and len(SESSION.findall(TEXTS["your-model.md"])) == 8
    for source in DOCS.glob("*.md.in"):
        assert CODE.findall(source.read_text(encoding="utf-8")) == CODE.findall(TEXTS[source.stem])


def last_paragraph(text):
    return text.rstrip().rsplit("\n\n", 1)[-1]


@pytest.mark.parametrize("page", PAGES)
def test_no_page_without_a_next_step(page):
    """The last paragraph says what to read next, with a link."""
    assert re.match(r"Next: .*\]\([^)]+\)", last_paragraph(TEXTS[page]), re.S)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_notebook_without_a_next_step(notebook):
    last = json.loads(notebook.read_text(encoding="utf-8"))["cells"][-1]
    assert last["cell_type"] == "markdown" and re.match(r"Next: .*\]\([^)]+\)", "".join(last["source"]))


def entries(page):
    """The pages that the toctrees of a page name, as paths below docs/."""
    lines = chain.from_iterable(body.split("\n") for body in TOCTREE.findall(TEXTS[page]))
    names = [re.sub(r"^.*<(.*)>$", r"\1", line.strip()) for line in lines if line.strip()]
    return [((DOCS / page).parent / name).resolve().relative_to(DOCS.resolve()).as_posix() for name in names]


def test_every_page_is_in_one_toctree():
    """And what they name exists."""
    named = Counter(chain.from_iterable(map(entries, PAGES)))
    pages = {page.removesuffix(".md") for page in PAGES} - {"index"}
    assert named == Counter(pages | {f"notebooks/{notebook.stem}" for notebook in NOTEBOOKS})


@pytest.mark.parametrize("page", [*(f"docs/{page}" for page in PAGES), "README.md", "CONTRIBUTING.md"])
def test_links_lead_to_files(page):
    """Those into this repository; of the notebooks the site has copies in docs/notebooks."""
    text = (ROOT / page).read_text(encoding="utf-8")
    prose = re.sub(r"`[^`]*`|\$\$.*?\$\$|\$[^$]*\$", "", text, flags=re.S)
    for link in re.findall(r"\]\((?!https?:)([^)#\s]+)[^)]*\)", prose):
        target = str((ROOT / page).parent / link).replace("docs/notebooks/", "examples/")
        assert Path(target).exists(), link


def listed(path):
    """``__all__`` of a file, which need not be imported."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            return ast.literal_eval(node.value)
    raise AssertionError(f"{path} has no __all__")


def test_every_public_object_is_in_the_reference():
    """Of clexact and of its public submodules, each once."""
    documented = Counter(chain.from_iterable(map(OBJECT.findall, TEXTS.values())))
    assert set(documented.values()) == {1}
    modules = {"functions", "models"}
    assert modules < set(clexact.__all__)
    public = {f"clexact.{name}" for name in clexact.__all__ if name not in modules | {"__version__"}}
    for module in (*modules, "plot", "torch", "training"):
        public |= {f"clexact.{module}.{name}" for name in listed(ROOT / f"src/clexact/{module}/__init__.py")}
    assert public == {name for name in documented if not name.startswith("clexact.sweeps.")}
    assert {name.rpartition(".")[2] for name in documented if name.startswith("clexact.sweeps.")} == set(SWEEPS)


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    """What ``make docs`` does."""
    for module in ("myst_nb", "numpydoc", "pydata_sphinx_theme", "sphinx_copybutton", "sphinx_design"):
        pytest.importorskip(module, reason="the site needs clexact[docs]: make docs")
    words = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", str(DOCS), str(tmp_path / "html")]
    built = subprocess.run(words, capture_output=True, text=True)
    assert (built.returncode, built.stderr) == (0, "")
    for page in PAGES:
        built = (tmp_path / "html" / page.replace(".md", ".html")).read_text(encoding="utf-8")
        prose = re.sub(r"<(pre|code|math|script)\b.*?</\1>|<[^>]*>", "", built, flags=re.S)
        assert not re.search(r"\$|``|:math:|:py:", prose)
        fetched = re.search(r"<(script|link|img)[^>]* (src|href)=.(https?:)?//", built)
        assert fetched is None  # it needs no network to be read
