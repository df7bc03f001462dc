"""``clexact models``: the families, or all that is to be known of one."""

from __future__ import annotations

import argparse
import json
from inspect import getdoc
from textwrap import fill

from clexact.cli.inputs import HELP
from clexact.models import FAMILIES
from clexact.models.examples import EXAMPLES
from clexact.models.family import Family
from clexact.support.nearest import unknown

COLUMNS = 80


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``clexact models``."""
    parser.add_argument("family", nargs="?", help="show this one, with its options and examples")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> None:
    """All families in short, or one at length."""
    name = arguments.family
    if name is not None and name not in FAMILIES:
        raise ValueError(unknown("family", name, FAMILIES))
    if arguments.json:
        rows = {key: _row(family) for key, family in FAMILIES.items()}
        print(json.dumps(rows if name is None else rows[name]))
        return
    print("\n".join(map(_short, FAMILIES)) if name is None else page(name))


def _row(family: Family) -> dict[str, object]:
    return {
        "sizes": family.sizes, "formula": family.formula, "options": sorted(family.options),
        "positive": family.positive,
    }  # fmt: skip


def _short(name: str) -> str:
    family = FAMILIES[name]
    options = " ".join(f"--{option}" for option in family.options)
    return "\n".join([f"{name} {family.sizes}", *(_indented(line) for line in (family.formula, options) if line)])


def page(name: str) -> str:
    """Sizes, formula, what is known, options and examples of a family."""
    family, text = FAMILIES[name], getdoc(FAMILIES[name].build) or ""
    known = text.partition("\nParameters\n")[0].replace("\n\n", "\0").replace("\n", " ").split("\0")
    parts = [f"clexact certify {name} {family.sizes}", "", family.formula, ""]
    parts += [fill(_plain(paragraph), COLUMNS, break_long_words=False) + "\n" for paragraph in known if paragraph]
    if family.options:
        parts += ["options:", *(_option(family, option) for option in family.options), ""]
    if family.positive:
        parts += [f"positive under its mirror flow: {', '.join(family.positive)}", ""]
    return "\n".join([*parts, "examples:", *(f"  clexact certify {line}" for line in EXAMPLES[name])])


def _option(family: Family, option: str) -> str:
    kind, text = family.options[option], HELP[option]
    words = f"; one of {', '.join(kind)}" if isinstance(kind, tuple) else ""
    return _indented(f"{f'--{option}':<16}{text}{words}", "  ", " " * 18)


def _plain(text: str) -> str:
    """Without the marks of reStructuredText and TeX's dollars."""
    return text.replace("``", "").replace("$", "")


def _indented(text: str, first: str = "    ", others: str = "    ") -> str:
    return fill(text, COLUMNS, initial_indent=first, subsequent_indent=others, break_long_words=False)
