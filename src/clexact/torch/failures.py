"""Errors told in a line; those of a rule of its own are a fault of clexact, not a pattern without a rule."""

from __future__ import annotations

import warnings


class UnreadableError(Exception):
    """A module that cannot be turned into a list of operations; the message is the reason, a clause."""


def first_line(error: BaseException, most: int = 200) -> str:
    """The first line of what an error says, cut; empty if it says nothing."""
    return (str(error).strip().splitlines() or [""])[0][:most]


def told(error: BaseException, most: int = 200) -> str:
    """An error in a line: its class, and what it says."""
    name, said = type(error).__name__, first_line(error, most)
    return f"{name}: {said}" if said else name


class RuleFailedWarning(UserWarning):
    """A rule of clexact failed on an operation of a module, which is then taken to let nothing pass.

    Examples
    --------
    >>> import torch, warnings
    >>> from clexact.torch import laws
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", RuleFailedWarning)  # to stop where laws may be missing
    ...     print(laws(torch.nn.Linear(2, 1, bias=False), torch.ones(4, 2), loss="mse").uncovered)
    (Uncovered(name='weight', reason='no law found: what it makes enters the output.'),)
    """


class Failures(dict[str, str]):
    """{operation: the error of its rule}."""

    def note(self, name: str, error: Exception) -> None:
        """Remember the error of an operation's rule."""
        self[name] = told(error)

    def tell(self) -> None:
        """Warn of each."""
        for name, said in self.items():
            warnings.warn(f"the rule for {name} failed: {said}. Please report it.", RuleFailedWarning, stacklevel=3)
