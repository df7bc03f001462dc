"""``certify --near``, ``--starts`` and ``--data``: a start, many of them, and the inputs of a file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clexact.algebra.polynomial import Number
from clexact.counting.many_starts import StartCounts, near_starts
from clexact.counting.starts import RANDOM, parameters_at
from clexact.flows.choices import InputsFile
from clexact.flows.flow import Flow
from clexact.support.progress import Progress


def check_near(arguments: argparse.Namespace) -> None:
    """ValueError for options that do not go together."""
    drawn = arguments.near == RANDOM
    for option in ("init", "bias_init"):
        if getattr(arguments, option) is not None and not drawn:
            raise ValueError(f"--{option.replace('_', '-')} belongs to --near random.")
    if arguments.starts is not None:
        if not drawn:
            raise ValueError("--starts belongs to --near random.")
        if arguments.starts < 1:
            raise ValueError(f"--starts must be at least 1, not {arguments.starts}.")
        if arguments.save is not None:
            raise ValueError("--save writes the proof of one count: give it without --starts.")


def read_start(arguments: argparse.Namespace, flow: Flow) -> Sequence[Number] | None:
    """The start that the arguments name."""
    if arguments.near is None:
        return None
    if flow.gradients is None:
        raise ValueError("--near belongs to models: explicit fields have no gates.")
    return parameters_at(flow, arguments.near, arguments.seed, *_drawn(arguments))


def starts_of(arguments: argparse.Namespace, flow: Flow, progress: Progress | None) -> StartCounts:
    """The counts near as many random starts as the arguments say."""
    return near_starts(flow, arguments.starts, *_drawn(arguments), seed=arguments.seed, progress=progress)


def _drawn(arguments: argparse.Namespace) -> tuple[str, str]:
    return arguments.init or "uniform", arguments.bias_init or "uniform"


def read_data(path: str | None) -> object:
    """The inputs of a file, a row for each: a .npy file, or text whose decimals and rationals are read exactly."""
    if path is None:
        return None
    if path.endswith(".npy"):
        try:
            return np.load(Path(path), allow_pickle=False)
        except (ValueError, EOFError):
            raise ValueError(f"{path}: expected an array of numbers as NumPy saves it.") from None
    return InputsFile.load(path).find()
