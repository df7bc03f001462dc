"""A rule that raises an error of its own: a fault of clexact, to be told, not a pattern without a rule."""

from __future__ import annotations

import warnings

from torch.fx import Node

from clexact.torch.trace import operation


class RuleFailedWarning(UserWarning):
    """A rule of clexact failed on an operation of a module, which is then taken to let nothing pass.

    Examples
    --------
    >>> import torch, warnings
    >>> from clexact.torch import laws
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", RuleFailedWarning)  # to stop where laws may be missing
    ...     print(laws(torch.nn.Linear(2, 1, bias=False), torch.ones(4, 2), loss="mse").uncovered)
    (Uncovered(name='weight', reason='no law: what it makes enters the output.'),)
    """


class Failures(dict[str, str]):
    """{operation: the error of its rule}."""

    def note(self, node: Node, error: Exception) -> None:
        """Remember an error, and warn of it."""
        name = operation(node)
        said = (str(error).strip().splitlines() or [""])[0][:200]
        self[name] = f"{type(error).__name__}: {said}" if said else type(error).__name__
        warnings.warn(f"the rule for {name} failed: {self[name]}. Please report it.", RuleFailedWarning, stacklevel=2)
