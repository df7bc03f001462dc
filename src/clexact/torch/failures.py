"""A rule that raises an error of its own: a fault of clexact, to be told, not a pattern without a rule."""

from __future__ import annotations

import warnings

from torch.fx import Node

from clexact.torch.trace import operation


class RuleFailedWarning(UserWarning):
    """A rule of clexact failed on an operation of a module, which is then taken to let nothing pass."""


class Failures(dict[str, str]):
    """{operation: the error of its rule}."""

    def note(self, node: Node, error: Exception) -> None:
        """Remember an error, and warn of it."""
        name = operation(node)
        said = (str(error).strip().splitlines() or [""])[0][:200]
        self[name] = f"{type(error).__name__}: {said}" if said else type(error).__name__
        warnings.warn(f"the rule for {name} failed: {self[name]}. Please report it.", RuleFailedWarning, stacklevel=2)
