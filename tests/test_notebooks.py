"""The notebooks of examples/ run anew, each in a fresh kernel of this Python, and show what they are committed with."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parent.parent / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
KINDS = ("plain", "html", "latex")
LARGEST = 400_000  # bytes of a notebook with its outputs


def code_of(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell):
    """What each output of a cell is made of."""
    return [(output.output_type, sorted(output.get("data", ()))) for output in cell.outputs]


def said(cell):
    """All text of a cell's outputs."""
    texts = [output.get("text", "") for output in cell.outputs]
    return "\n".join(
        texts + [output.get("data", {}).get(f"text/{kind}", "") for output in cell.outputs for kind in KINDS]
    )


def run(source, folder):
    """The code cells of a notebook with fresh outputs; AssertionError with the report of a cell that fails."""
    target = folder / "run.ipynb"
    command = [sys.executable, str(Path(__file__).parent / "notebook.py"), str(source), str(target), str(folder)]
    places = {"IPYTHONDIR": str(folder), "JUPYTER_RUNTIME_DIR": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=os.environ | places, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return code_of(target)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_renders(path, tmp_path):
    for before, after in zip(code_of(path), run(path, tmp_path), strict=True):
        assert shown(after) == shown(before), before.source
    assert not list((tmp_path / "work").iterdir())


def test_a_notebook_that_fails_is_noticed(tmp_path):
    """A cell that raises; and the same run without what a cell should render."""
    cells = [nbformat.v4.new_code_cell("1 + 1"), nbformat.v4.new_code_cell("1 / 0")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells[:1]), tmp_path / "good.ipynb")
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "bad.ipynb")
    (fresh,) = run(tmp_path / "good.ipynb", tmp_path / "good")
    assert shown(fresh) == [("execute_result", ["text/plain"])] != shown(cells[0])
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run(tmp_path / "bad.ipynb", tmp_path / "bad")


def test_the_notebooks_are_three_and_tidy():
    """Each cell that ends in an expression shows something; no error, warning or path of a machine; all is small."""
    assert [path.stem[0] for path in NOTEBOOKS] == ["1", "2", "3"]
    for path in NOTEBOOKS:
        code = code_of(path)
        assert 8 <= len(code) <= 15
        assert path.stat().st_size < LARGEST
        rendered = {kind for cell in code for _, kinds in shown(cell) for kind in kinds}
        assert {"image/png", "text/html"} <= rendered
        for cell in code:
            assert cell.outputs or not isinstance(ast.parse(cell.source).body[-1], ast.Expr), cell.source
            assert not any(output.output_type == "error" or output.get("name") == "stderr" for output in cell.outputs)
            assert not re.search(r"/(home|root|tmp|usr|work)/|site-packages", said(cell))
