"""Files written whole: filled beside their place, then renamed; what can be known before the work that fills them."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

BINARY = getattr(os, "O_BINARY", 0)  # of Windows, which would write two bytes for a newline
MOST_READ = 2**29  # bytes; a device such as /dev/zero never ends


def read_bytes(path: str | Path) -> bytes:
    """All of a file or a pipe. ValueError if it is very large or never ends, OSError if it cannot be read."""
    with open(path, "rb") as file:
        data = file.read(MOST_READ + 1)
    if len(data) > MOST_READ:
        raise ValueError(f"{path}: more than {MOST_READ >> 20} MiB, which is not read.")
    return data


def check_readable(path: str | Path) -> None:
    """OSError unless there is a file that can be opened: known before the work on others."""
    with open(path, "rb"):
        pass


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside the file, flush to the disk and rename. OSError if it cannot be."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to be filled, beside the one at the path; at the end it is flushed to the disk and takes that place.

    A file that was there keeps its permissions, a new one has those that the umask leaves. A link stays a link.
    """
    check_regular(path)
    target = Path(os.path.realpath(path))
    part, handle = _beside(target, path)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if target.exists():
                part.chmod(stat.S_IMODE(target.stat().st_mode))
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _beside(target: Path, path: Path) -> tuple[Path, int]:
    """A new file in the folder of the target, open for writing; errors name the path that was given."""
    part = target.parent / f".{secrets.token_hex(8)}.part"
    try:
        return part, os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o666)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def check_place(path: Path) -> None:
    """OSError unless a file can be written at the path: known before the work that fills it."""
    check_folder(path)
    check_regular(path)
    part, handle = _beside(Path(os.path.realpath(path)), path)
    os.close(handle)
    part.unlink()


def check_folder(path: Path) -> None:
    """FileNotFoundError or NotADirectoryError unless the folder of the file is there."""
    if not path.parent.is_dir():
        code = errno.ENOTDIR if path.parent.exists() else errno.ENOENT
        raise OSError(code, os.strerror(code), str(path))


def check_regular(path: Path) -> None:
    """OSError for a folder, a device or a pipe: what is written takes the place of what was there."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
