"""A line that says what long work is doing, on a terminal or in a notebook; elsewhere nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, int, int], None]  # (stage, done, total)


@contextmanager
def shown_progress(first: str = "reading the model", quiet: bool = False) -> Iterator[Progress | None]:
    """The stage, its count and the seconds so far, on standard error."""
    from rich.console import Console  # not with every import of clexact

    console, start = Console(stderr=True), time.monotonic()
    if quiet or not (console.is_terminal or console.is_jupyter):
        yield None
        return
    with console.status(first) as status:

        def show(stage: str, done: int, total: int) -> None:
            status.update(f"{stage}: {done} of {total}, {time.monotonic() - start:.0f} s")

        yield show


@contextmanager
def heard(progress: Progress | bool | None) -> Iterator[Progress | None]:
    """What work reports to: a function as it is given; for True a line that is shown."""
    if isinstance(progress, bool):
        with shown_progress("starting", quiet=not progress) as shown:
            yield shown
    elif progress is None or callable(progress):
        yield progress
    else:
        raise TypeError(f"progress must be True, False, None or a function of (stage, done, total), not {progress!r}.")
