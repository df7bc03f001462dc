"""``clexact certify`` with letters for sizes, or with sizes that a theorem covers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clexact.cli.inputs import flow_choice, options_of
from clexact.flows.choices import ChosenModel, FamilyModel, FlowChoice, PythonModel
from clexact.models import FAMILIES
from clexact.models.dimension import parameter_count
from clexact.models.sizes import Size
from clexact.programs.model import Model
from clexact.support.files import check_place
from clexact.support.nearest import unknown
from clexact.theorems import counts
from clexact.theorems.conditions import said
from clexact.theorems.prove import MIRROR_DECAY, Subject, at_numbers, lettered, prove, titled
from clexact.theorems.theorem import Theorem

LARGE = 100_000  # parameters, and velocities, from which a theorem is asked first
ALONE = ("near", "init", "bias_init", "starts", "data", "laws", "polynomials", "max_depth")


def has_letters(arguments: argparse.Namespace) -> bool:
    """Whether a size is a letter, or conditions on sizes are given."""
    words = arguments.target[1:]
    return arguments.where is not None or any(word.isidentifier() for word in words)


def run(arguments: argparse.Namespace) -> None:
    """Print the theorem, and write its certificate."""
    for option in ALONE:
        if getattr(arguments, option):
            raise ValueError(f"--{option.replace('_', '-')} goes with sizes that are numbers, not with letters.")
    if arguments.save is not None:
        check_place(Path(arguments.save))
    subject = read_subject(arguments)
    if set(subject.letters) <= set(subject.fixed):
        raise ValueError("--where goes with sizes that are letters, such as n r m.")
    theorem = prove(subject, arguments.where or "")
    show(theorem, arguments)
    if arguments.save is not None and theorem.document is not None:
        theorem.save(arguments.save)


def show(theorem: Theorem, arguments: argparse.Namespace) -> None:
    """As text or as one JSON object."""
    if arguments.json:
        print(theorem.to_json())
        return
    if not arguments.quiet:
        print(theorem.title)
    print(theorem)
    if not arguments.quiet and theorem.document is not None:
        print(f"  proved and verified for each of {len(theorem.regimes)} regimes: blocks of brackets by contents")
        print(f"  assuming: {'; '.join(theorem.assumptions)}")


def read_subject(arguments: argparse.Namespace) -> Subject:
    """The family or the function of a user's file, at sizes of which some are letters."""
    if arguments.system is not None or not arguments.target:
        raise ValueError("letters stand for the sizes of a family or of FILE.py:NAME.")
    name, *words = arguments.target
    sizes = [Size(word) if word.isidentifier() else _number(name, word) for word in words]
    letters, fixed = lettered(sizes)
    names, choice = tuple(dict.fromkeys(letters)), flow_choice(arguments)
    title = _titled(choice, f"{name}({', '.join(words)}{_said(arguments)})")
    if ".py" in name:
        options_of(arguments, name, {})

        def chosen(values: Mapping[str, int]) -> ChosenModel:
            return PythonModel.load(name, tuple(values[letter] for letter in letters))

        return Subject(
            _model(chosen),
            lambda values: choice.on(chosen(values)),
            names,
            choice.positive or (),
            title,
            _unread(choice),
            fixed,
            *_kind(choice),
            own=True,
        )
    if name not in FAMILIES:
        raise ValueError(unknown("family", name, FAMILIES, ", or FILE.py:NAME"))
    options = options_of(arguments, name, FAMILIES[name].options)
    FAMILIES[name].check(name, [fixed.get(letter, 1) for letter in letters], options)

    def member(values: Mapping[str, int]) -> ChosenModel:
        return FamilyModel.of(name, [values[letter] for letter in letters], options)

    positive = FAMILIES[name].positive if choice.positive is None else choice.positive
    positive = tuple(positive) if choice.kind == "mirror" else ()
    return Subject(
        _model(member), lambda values: choice.on(member(values)), names, positive, title, _unread(choice), fixed,
        *_kind(choice),
    )  # fmt: skip


def _model(chosen: Callable[[Mapping[str, int]], ChosenModel]) -> Callable[[Mapping[str, int]], Model]:
    """The model itself, if it is one."""

    def made(values: Mapping[str, int]) -> Model:
        found = chosen(values).find()
        if not isinstance(found, Model):
            raise TypeError(f"letters stand for sizes of a Model, not of {type(found).__name__}.")
        return found

    return made


def by_theorem(arguments: argparse.Namespace) -> bool:
    """Answer by a theorem, if the sizes are large numbers and one covers them; whether it was done."""
    words = arguments.target[1:]
    if not arguments.target or arguments.target[0] not in FAMILIES or not all(map(str.isdecimal, words)):
        return False
    if (
        arguments.direct
        or arguments.save is not None
        or arguments.degree != 2
        or any(getattr(arguments, o) for o in ALONE)
    ):
        return False
    name, options = (
        arguments.target[0],
        options_of(arguments, arguments.target[0], FAMILIES[arguments.target[0]].options),
    )
    sizes = [int(word) for word in words]
    FAMILIES[name].check(name, sizes, options)
    coordinates = parameter_count(name, sizes, options) * (2 if arguments.flow == "momentum" else 1)
    if coordinates < LARGE or min(sizes) < 2:
        return False
    subject = read_subject(arguments)
    found = None if subject.unread else at_numbers(subject, subject.fixed)
    if found is None:
        return False
    (where, count), *_ = found.theorem.general
    theorem = f"{counts.written(count)} for all {said(where)}"
    names = {letter: f"n{place}" for place, letter in enumerate(subject.letters, 1)}
    for letter, short in names.items():
        theorem = theorem.replace(letter, short)
    if arguments.json:
        laws = {"lower": found.laws, "upper": found.laws, "exact": True, "dimension": found.dimension}
        assumed = {"theorem": theorem, "assumptions": list(found.theorem.assumptions), "model": found.theorem.title}
        print(json.dumps(laws | assumed))
        return True
    if not arguments.quiet:
        print(found.theorem.title)
    kind = f"independent conservation law{'s' * (found.laws != 1)}{found.theorem.qualification}"
    print(f"exactly {found.laws} {kind} (D = {found.dimension}, by a theorem)")
    if not arguments.quiet:
        print(
            f"  the theorem: {theorem} ({', '.join(names.values())}: the sizes); --direct certifies these sizes alone"
        )
        print(f"  assuming: {'; '.join(found.theorem.assumptions)}")
    return True


def _unread(choice: FlowChoice) -> str:
    """Why theorems do not speak of such flows yet."""
    if choice.kind == "momentum" and choice.positive:
        return "proofs for all sizes are of momentum flows without positive parameters"
    return MIRROR_DECAY if choice.kind == "mirror" and choice.weight_decay != "0" else ""


def _titled(choice: FlowChoice, model: str) -> str:
    damping = f"{choice.damping or ''} {choice.tau or ''}".strip()
    return titled(choice.kind, model, choice.loss, choice.weight_decay, damping)


def _kind(choice: FlowChoice) -> tuple[str, bool, bool]:
    """The flow, whether weights decay, and whether the loss is cross-entropy."""
    return choice.kind, choice.weight_decay != "0", choice.loss != "full"


def _number(name: str, word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise ValueError(f"a size of {name} must be an integer or a letter, not {word!r}.") from None


def _said(arguments: argparse.Namespace) -> str:
    """Options, as a title has them."""
    given: dict[str, Any] = {
        key: getattr(arguments, key) for family in FAMILIES.values() for key in family.options
    }  # fmt: skip
    return "".join(f", {key}" if value is True else f", {key}={value}" for key, value in given.items() if value)
