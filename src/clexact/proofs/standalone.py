"""The verifiers as one file, which needs nothing but Python: ``python clexact-verify.pyz FILE...``."""

from __future__ import annotations

import io
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from clexact.proofs import verifier
from clexact.support.files import write_atomically

MAIN = "import sys\n\nfrom clexact.proofs.verifier.tiers import main\n\nsys.exit(main(sys.argv[1:]))\n"


def verifier_archive() -> bytes:
    """A zip archive that Python runs, in the format of ``zipapp``; the same bytes each time."""
    files = {"__main__.py": MAIN, "clexact/__init__.py": "", "clexact/proofs/__init__.py": ""}
    root = Path(str(verifier.__file__)).parent
    sources = sorted(root.rglob("*.py"))
    names = [f"clexact/proofs/verifier/{path.relative_to(root).as_posix()}" for path in sources]
    files |= {name: path.read_text("utf-8") for name, path in zip(names, sources, strict=True)}
    out = io.BytesIO(b"#!/usr/bin/env python3\n")
    out.seek(0, io.SEEK_END)
    with ZipFile(out, "a") as archive:
        for name, text in files.items():
            archive.writestr(ZipInfo(name), text)  # of 1980, so that the bytes do not tell when
    return out.getvalue()


def write_verifier(path: str | Path) -> None:
    """Write the archive.

    Parameters
    ----------
    path : str or Path
        The file, as clexact-verify.pyz.

    Raises
    ------
    OSError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_verifier(file := Path(folder, "clexact-verify.pyz"))
    ...     file.read_bytes() == verifier_archive()
    True
    """
    write_atomically(Path(path), verifier_archive())
