"""Command lines whose errors are one line that says what was expected, and what may have been meant."""

from __future__ import annotations

import argparse
from argparse import RawDescriptionHelpFormatter
from collections.abc import Sequence
from typing import Any, NoReturn

from clexact.support.nearest import meant

WRONG_INPUT = 2


class CommandParser(argparse.ArgumentParser):
    """Words are written out in full: an option that is abbreviated today may mean two tomorrow."""

    def __init__(
        self, *, allow_abbrev: bool = False, formatter_class: Any = RawDescriptionHelpFormatter, **options: Any
    ):
        super().__init__(allow_abbrev=allow_abbrev, formatter_class=formatter_class, **options)

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_INPUT, f"{self.prog}: error: {message} (see {self.prog} --help)\n")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As always; of what is not recognised the first word is looked for among the options."""
        found, rest = self.parse_known_args(args, namespace)
        if rest:
            self._refuse(found, rest)
        return found

    def _refuse(self, found: argparse.Namespace, rest: Sequence[str]) -> NoReturn:
        """In the name of the command that was given."""
        commands = self.commands()
        parser = commands.get(getattr(found, "name", None) or "", self)
        word = next((word for word in rest if word.startswith("-")), "")
        guess = meant(word.partition("=")[0], parser._option_string_actions)
        parser.error(f"unrecognized arguments: {' '.join(rest)}{guess}")

    def commands(self) -> dict[str, CommandParser]:
        """The parsers of the subcommands, by name."""
        kind = argparse._SubParsersAction
        return next((dict(action.choices) for action in self._actions if isinstance(action, kind)), {})

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Choices are named, and the nearest one."""
        choices = action.choices
        if choices is None or value in choices:
            return
        words = [str(choice) for choice in choices]
        raise argparse.ArgumentError(
            action, f"invalid choice: {value!r}{meant(value, words)}: choose from {', '.join(words)}"
        )
