"""The site, built by ``make docs`` into build/site/html. Neither its making nor its reading needs a network.

Formulas become MathML here, so no script is fetched; links to other projects go by inventories.toml. The
notebooks of examples/ are shown with the outputs that they hold, from copies in notebooks/, which git ignores.
"""

import os
import re
import subprocess
import sys
import tomllib
import zlib
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from latex2mathml.converter import convert
from numpydoc import xref
from sphinx.util import logging

import clexact

DOCS = Path(__file__).parent
ROOT = DOCS.parent
OTHERS = tomllib.loads((DOCS / "inventories.toml").read_text(encoding="utf-8"))

project = "clexact"
author = "clexact developers"
project_copyright = "clexact developers"
version = release = clexact.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "sphinx_copybutton",
]
exclude_patterns = ["_*", "**.ipynb_checkpoints"]
nitpicky = True
intersphinx_mapping = {}  # by write_inventories
show_warning_types = True

# --- pages ------------------------------------------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"

# --- the reference ----------------------------------------------------------------------------------------------------

autodoc_typehints = "none"  # numpydoc's sections name the types
autodoc_member_order = "bysource"
maximum_signature_line_length = 80
add_module_names = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # but what is public here
xref.DEFAULT_LINKS.clear()  # of int, str, tuple, ...: what everybody knows
PUBLIC = {name: f"clexact.{name}" for name in clexact.__all__ if name not in ("__version__", "functions", "models")}
OWN = {name: f"clexact.{room}.{name}" for room in ("torch", "training") for name in getattr(clexact, room).__all__}
numpydoc_xref_aliases = {name: full for name, full in (OWN | PUBLIC).items() if name[0].isupper()} | {
    "Fraction": "fractions.Fraction",
    "Path": "pathlib.Path",
    **{name: f".{name}" for entry in OTHERS.values() for name in entry["objects"]},  # numpydoc links no name to itself
}

# --- looks ------------------------------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = f"clexact {release}"
html_static_path = ["_site"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 6,
    "logo": {"text": "clexact"},
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
}
math_renderer = html_math_renderer = "mathml"
copybutton_exclude = ".linenos, .gp, .go"  # prompts and answers


SPACED = re.compile(r"\\(dim|exp|log)\s+(?=[A-Za-z\\])")  # functions with an argument that has no parentheses
PRIMED = re.compile("<msup>(<mi>[^<]+</mi>)<mi>(&#x0203[23];)</mi></msup>")  # raised by their glyphs, in any font
LONG = 48  # characters of a formula in a sentence that may be wider than a phone


def mathml(tex: str, display: str, place: nodes.Node) -> str:
    """MathML of a formula; what cannot be read is a warning, so that the build fails."""
    try:
        found = convert(SPACED.sub(r"\\\1\\,", tex.replace(r"\displaystyle", "").strip()), display=display)
        return PRIMED.sub(r'<mrow>\1<mo lspace="0" rspace="0">\2</mo></mrow>', found).replace(r"\_", "_")
    except Exception as error:
        logging.getLogger(__name__).warning("formula %r: %r", tex, error, location=place)
        return f"<code>{tex}</code>"


def visit_inline(visitor, node: nodes.math) -> None:
    formula = mathml(node.astext(), "inline", node)
    long = f'<span class="long-formula" tabindex="0">{formula}</span>'
    visitor.body.append(formula if len(node.astext()) < LONG else long)
    raise nodes.SkipNode


def visit_block(visitor, node: nodes.math_block) -> None:
    visitor.body.append(f'<div class="formula" tabindex="0">{mathml(node.astext(), "block", node)}</div>\n')
    raise nodes.SkipNode


def write_inventories(app, config) -> None:
    """An inventory of each other project, of those of its objects that these pages name: nothing is fetched."""
    folder = Path(app.outdir).parent / "inventories"
    folder.mkdir(parents=True, exist_ok=True)
    for name, known in OTHERS.items():
        lines = "".join(f"{thing} py:class 1 {page}#$ -\n" for thing, page in known["objects"].items())
        head = ("Sphinx inventory version 2", f"Project: {name}", "Version: ", "The rest is compressed using zlib.")
        text = "".join(f"# {line}\n" for line in head)
        (folder / f"{name}.inv").write_bytes(text.encode() + zlib.compress(lines.encode()))
        config.intersphinx_mapping[name] = (known["url"], (str(folder / f"{name}.inv"),))


def copy_notebooks(app, config) -> None:
    """Only what has changed, so that a second build reads little. Links from examples/ into docs/ are links here."""
    (DOCS / "notebooks").mkdir(exist_ok=True)
    for notebook in (ROOT / "examples").glob("*.ipynb"):
        text = notebook.read_text(encoding="utf-8").replace("](../docs/", "](../")
        copy = DOCS / "notebooks" / notebook.name
        if not copy.exists() or copy.read_text(encoding="utf-8") != text:
            copy.write_text(text, encoding="utf-8")


class CommandHelp(Directive):
    """What ``clexact SUBCOMMAND --help`` prints."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        words = [sys.executable, "-m", "clexact", *self.arguments, "--help"]
        said = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "80"})
        return [nodes.literal_block(said.stdout, said.stdout, language="text")]


PIECES = re.compile(
    r"""(?P<example> ^[ ]* >>> (?:.+\n)+ ) | ``(?P<name>\w+)`` | ``[^`]+`` | `[^`]+`
    | (?<![\w$]) (?P<dollars> \$\$?) (?P<formula> [^$]+) (?P=dollars) (?![\w$])
    | (?<=[(,\ ]) \* (?=[a-z]) | [|$]""",
    re.VERBOSE | re.MULTILINE,
)


def as_rst(app, what, name, thing, options, lines) -> None:
    """Docstrings as they are written here: $formulas$, stars and bars that mean themselves, names that are links."""
    lines[:] = [*PIECES.sub(_as_rst, "\n".join(lines) + "\n").rstrip().split("\n"), ""]


def _as_rst(piece: re.Match) -> str:
    if piece["formula"]:
        return f":math:`{' '.join(piece['formula'].split())}`"
    if piece["name"] in PUBLIC:
        return f":py:obj:`~{PUBLIC[piece['name']]}`"
    return "\\" + piece[0] if piece[0] in "*|$" else piece[0]


MENDED = (  # what the theme, Sphinx and pandas leave that axe-core objects to, and what is written instead
    (r'(<button[^>]* class="btn search-button-field[^>]*) aria-label="Search"', r'\1 aria-label="Search Ctrl+K"'),
    (r'<summary>(?=<span class="toctree-toggle")', '<summary aria-label="Its pages">'),
    (r"<th\b[^>]*>(?:<p></p>)?</th>", "<td></td>"),  # a head of nothing
    (r'<dl>\n((?:<dd><em class="sig-param">.*</dd>\n)+)</dl>', r'<div class="parameters">\n\1</div>'),  # no terms
    (r'<dd>(<em class="sig-param">.*)</dd>', r"<div>\1</div>"),
)


def mend(app, error) -> None:
    """Write the pages again where what they consist of is mended."""
    for path in Path(app.outdir).rglob("*.html") if error is None and app.builder.format == "html" else ():
        text = mended = path.read_text(encoding="utf-8")
        for pattern, instead in MENDED:
            mended = re.sub(pattern, instead, mended)
        if mended != text:
            path.write_text(mended, encoding="utf-8")


def setup(app) -> None:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.add_directive("command-help", CommandHelp)
    app.connect("build-finished", mend)
    app.connect("config-inited", copy_notebooks)
    app.connect("config-inited", write_inventories)
    app.connect("autodoc-process-docstring", as_rst, priority=400)
