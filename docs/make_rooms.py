"""Draw docs/rooms.svg: the rooms of src/clexact, floor by floor, with their files and what each room imports.

    python docs/make_rooms.py

The floors are those of the import contract in pyproject.toml; files, sentences and imports are read from the source.
"""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from html import escape
from pathlib import Path
from textwrap import wrap

ROOT = Path(__file__).parent.parent
SOURCE, PICTURE = ROOT / "src" / "clexact", Path(__file__).parent / "rooms.svg"
WIDTH, MARGIN, LINE, COLUMN = 1100, 16, 17, 150  # of the picture; of a line of text; of the names of rooms
LETTERS = 118  # of a line


@dataclass(frozen=True)
class Room:
    """A folder, or a file beside them, of the package."""

    name: str
    idea: str
    files: tuple[str, ...]
    imports: frozenset[str]  # names of other rooms


def floors() -> list[str]:
    """The names of the rooms, the highest first."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = data["tool"]["importlinter"]["contracts"]
    return [name for name in contract["layers"] if name != "__main__"]


def read(name: str) -> Room:
    """A room from its source."""
    folder = SOURCE / name
    paths = sorted(folder.rglob("*.py*")) if folder.is_dir() else [SOURCE / f"{name}.py"]
    paths = [path for path in paths if path.suffix in (".py", ".pyx")]
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    first = folder / "__init__.py" if folder.is_dir() else paths[0]
    idea = (ast.get_docstring(ast.parse(texts[first])) or "").split("\n\n")[0]
    files = dict.fromkeys(path.relative_to(folder).parts[0] for path in paths if folder.is_dir())
    imports = {room for path, text in texts.items() if path.suffix == ".py" for room in imported(text)} - {name}
    return Room(
        name,
        " ".join(idea.replace("``", "").split()),
        tuple(f.partition(".")[0] for f in files if f != "__init__.py"),
        frozenset(imports),
    )


def imported(text: str) -> set[str]:
    """The rooms that a file imports."""
    found, tree = set(), ast.parse(text)
    typing = {n for node in ast.walk(tree) if _of_types(node) for n in ast.walk(node)}  # of annotations only
    for node in set(ast.walk(tree)) - typing:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "clexact":
            parts = (node.module or "").split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return found


def _of_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def lines(room: Room, order: list[str]) -> list[tuple[str, str]]:
    """(kind, text) of all lines of a room."""
    uses = [name for name in order if name in room.imports]
    out = [("idea", line) for line in wrap(room.idea, LETTERS)]
    out += [("files", line) for line in wrap("  ".join(room.files), LETTERS)]
    return out + ([("uses", line) for line in wrap("uses " + ", ".join(uses), LETTERS)] if uses else [])


def svg(rooms: list[Room]) -> str:
    """The picture."""
    order, y, body = [room.name for room in rooms], MARGIN, list[str]()
    for room in rooms:
        listed = lines(room, order)
        height = LINE * len(listed) + 14
        body.append(f'<rect x="{MARGIN}" y="{y}" width="{WIDTH - 2 * MARGIN}" height="{height}" rx="6"/>')
        body.append(f'<text class="name" x="{MARGIN + 12}" y="{y + 20}">{escape(room.name)}</text>')
        for n, (kind, text) in enumerate(listed):
            place = f'x="{MARGIN + COLUMN}" y="{y + 20 + LINE * n}"'
            body.append(f'<text class="{kind}" {place}>{escape(text)}</text>')
        y += height + 8
    style = (
        "rect{fill:#f6f8fa;stroke:#c3cad3}text{font:13px ui-monospace,Menlo,Consolas,monospace;fill:#1c2430}"
        ".name{font-weight:700}.idea{font-family:system-ui,sans-serif}.uses{fill:#5b6675}"
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 8}" role="img">'
    title = "<title>The rooms of clexact, floor by floor: each imports from below only</title>"
    page = f'<rect x="0" y="0" width="{WIDTH}" height="{y + 8}" style="fill:#ffffff;stroke:none"/>'
    return "\n".join([head, title, f"<style>{style}</style>", page, *body, "</svg>", ""])


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(svg([read(name) for name in floors()]), encoding="utf-8")


if __name__ == "__main__":
    main()
