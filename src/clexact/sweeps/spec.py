"""Specs: a sweep written as a TOML file, read into its cases with their budgets (``docs/sweeps.md``)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from clexact.algebra.draws import check_seed
from clexact.algebra.parse import read_text
from clexact.flows.choices import FLOWS, ChosenModel, FamilyModel
from clexact.flows.dynamics import DAMPINGS
from clexact.models import FAMILIES
from clexact.programs.model import MAX_DIMENSION
from clexact.proofs.certificate import MAX_OPTION, MAX_OPTIONS
from clexact.support.nearest import meant
from clexact.sweeps.block import SpecBlock, check_keys
from clexact.sweeps.case import MODELS, Case
from clexact.sweeps.certified import Budget
from clexact.sweeps.networks import Streams

EXAMPLES = Path(__file__).parent / "examples"
TOP = ("seed", "budget", "max_dimension", "cases")
BUILT = 10**5  # D of a case whose flow is built to be checked, at most


@dataclass(frozen=True)
class Spec:
    r"""The cases of a spec in its order, each with its budget.

    Attributes
    ----------
    budgets : mapping of Case to Budget
        In the order of the spec.
    skipped : int
        Number of cases larger than ``max_dimension``.

    Examples
    --------
    >>> spec = parse_spec('max_dimension = 10\n[[cases]]\nfamily = "product"\nsizes = [[2], [30]]')
    >>> [case.label for case in spec.cases], spec.skipped
    (['certify product 2'], 1)
    """

    budgets: Mapping[Case, Budget]
    skipped: int = 0

    @property
    def cases(self) -> tuple[Case, ...]:
        """All cases, each once."""
        return tuple(self.budgets)


def examples() -> list[str]:
    """The names of the specs that come with the package.

    Returns
    -------
    list of str
        Sorted; ``read_spec`` takes them.

    Examples
    --------
    >>> examples()
    ['atlas', 'linear', 'momentum', 'published', 'starts', 'true-networks']
    """
    return sorted(path.stem for path in EXAMPLES.glob("*.toml"))


def read_spec(source: str | Path) -> Spec:
    """The spec in a file, or the example of this name.

    Everything is checked before any work.

    Parameters
    ----------
    source : str or Path
        A TOML file (``docs/sweeps.md``), or the name of an example.

    Returns
    -------
    Spec
        Its cases and budgets.

    Raises
    ------
    ValueError
        In one sentence that names the block, for whatever is wrong.

    Examples
    --------
    >>> len(read_spec("linear").cases)
    608
    """
    path = Path(source)
    if not path.is_file() and str(source) in examples():
        path = EXAMPLES / f"{source}.toml"
    if not path.is_file():
        guess, known = meant(str(source), examples()), ", ".join(examples())
        raise ValueError(f"no spec {str(source)!r}{guess}: expected a TOML file, or one of {known}.")
    try:
        return parse_spec(read_text(path), path.parent)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None


def parse_spec(text: str, folder: str | Path = "") -> Spec:
    r"""The spec of a text.

    Parameters
    ----------
    text : str
        In TOML (``docs/sweeps.md``).
    folder : str or Path
        Where the files are that it names.

    Returns
    -------
    Spec
        Its cases and budgets.

    Raises
    ------
    ValueError
        As ``read_spec``.

    Examples
    --------
    >>> spec = parse_spec('[[cases]]\nfamily = "linear"\nsizes = ["n", "n"]\ngrid = { n = "1..3" }')
    >>> [case.label for case in spec.cases]
    ['certify linear 1 1', 'certify linear 2 2', 'certify linear 3 3']
    """
    try:
        return spec_of(tomllib.loads(text), folder)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not TOML: {error}.") from None
    except RecursionError:
        raise ValueError("not TOML: nested too deep.") from None


def spec_of(data: Mapping[str, Any], folder: str | Path = "") -> Spec:
    """The spec of plain data, as TOML gives it. Errors as ``read_spec``."""
    check_keys("a spec", data, TOP)
    seed, most = data.get("seed", 0), _max_dimension(data)
    check_seed(seed)
    budget, tables = _budget(data, Budget()), data.get("cases")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, Mapping) for table in tables):
        raise ValueError("a spec needs at least one block of cases, [[cases]].")
    budgets: dict[Case, Budget] = {}
    streams, skipped = Streams(seed), 0
    for number, table in enumerate(tables, start=1):
        try:
            limit, own = _max_dimension(table, most), _budget(table, budget)
            found = list(SpecBlock(table, Path(folder), streams).cases())
            kept = [case for case in found if limit is None or case.dimension is None or case.dimension <= limit]
            check(kept)
        except (ValueError, TypeError, OSError) as error:
            raise ValueError(f"block {number}{_named(table)}: {_sentence(error)}") from None
        skipped += len(found) - len(kept)
        for case in kept:
            budgets[case] = budgets[case].largest(own) if case in budgets else own
    return Spec(budgets, skipped)


def check(cases: Iterable[Case]) -> None:
    """ValueError or TypeError, in advance, for what ``Case.flow`` would refuse.

    One flow is built for each choice of options, on the smallest of its networks, on data every one, and every model of
    a family in which some sizes do not go with some options; none above D = ``BUILT`` or with very large options, and
    of the user's Python files none: what is wrong with these, their rows say.
    """
    smallest: dict[Any, Case] = {}
    fitted: dict[ChosenModel, Case] = {}
    for case in cases:
        D, model = case.dimension, case.model
        if D is None:
            continue
        if D > 2 * MAX_DIMENSION + 1:
            raise CaseError(case, f"D = {D} is too large; a model may have at most {MAX_DIMENSION} parameters.")
        if D > BUILT or not _small(model):
            continue
        shape: Any = model
        if isinstance(model, FamilyModel):
            shape = model.family, len(model.sizes), model.options
            if FAMILIES[model.family].fitted:
                fitted.setdefault(model, case)
        key = (shape if case.data is None else model, case.dynamics, case.data)
        if (smallest.setdefault(key, case).dimension or 0) > D:
            smallest[key] = case
    for case in smallest.values():
        _try(case, case.flow)
    for case in fitted.values():
        _try(case, case.model.find)


def _small(model: ChosenModel) -> bool:
    """Whether the integers among its options are such as can be built at once."""
    options = model.options if isinstance(model, FamilyModel) else ()
    return all(type(value) is not int or value <= MAX_OPTIONS.get(key, MAX_OPTION) for key, value in options)


class CaseError(ValueError):
    """What is wrong with one case."""

    def __init__(self, case: Case, message: str) -> None:
        super().__init__(f"{case.label}: {message}")


def _try(case: Case, build: Callable[[], object]) -> None:
    try:
        build()
    except (ValueError, TypeError) as error:
        raise CaseError(case, str(error)) from None


@dataclass(frozen=True)
class Planned:
    """A case with its estimates, before anything runs.

    Attributes
    ----------
    case : Case
        What is asked.
    dimension : int or None
        D of the phase space; None where only a user's Python file knows it.
    seconds : float
        Estimated, on one core.
    memory : int
        Estimated resident bytes.

    Examples
    --------
    >>> dry_run([Case.of("product", 3)])[0].dimension
    3
    """

    case: Case
    dimension: int | None
    seconds: float
    memory: int  # bytes


def dry_run(cases: Iterable[Case]) -> list[Planned]:
    """All cases with what they may take, the largest first: the order in which a sweep runs them.

    Parameters
    ----------
    cases : iterable of Case
        The cases.

    Returns
    -------
    list of Planned
        One for each.

    Examples
    --------
    >>> [planned.case.label for planned in dry_run([Case.of("linear", n, n) for n in (1, 2, 3)])]
    ['certify linear 3 3', 'certify linear 2 2', 'certify linear 1 1']
    """
    planned = [Planned(case, case.dimension, case.cost, case.memory) for case in cases]
    return sorted(planned, key=lambda one: -one.seconds)


def _max_dimension(table: Mapping[str, Any], default: int | None = None) -> int | None:
    most: int | None = table.get("max_dimension", default)
    if most is not None and (type(most) is not int or most < 1):
        raise ValueError(f"max_dimension must be an integer >= 1, not {most!r}.")
    return most


def _budget(table: Mapping[str, Any], default: Budget) -> Budget:
    """The budget of a table, where it says nothing that of the default."""
    given = table.get("budget", {})
    if not isinstance(given, Mapping):
        raise TypeError(f"budget must be a table such as {{ seconds = 60 }}, not {given!r}.")
    check_keys("a budget", given, [field.name for field in fields(Budget)])
    return replace(default, **given)


def _named(table: Mapping[str, Any]) -> str:
    """What stands in parentheses after the number of a block."""
    named = table.get("name", next((table[kind] for kind in MODELS if kind in table), None))
    return f" ({named})" if isinstance(named, str) else ""


def _sentence(error: Exception) -> str:
    """A message of the command line as one of a spec, in which options are keys; that on a case speaks its words."""
    if isinstance(error, OSError):
        return f"cannot open {error.filename!r}: {error.strerror}."
    text = " ".join(str(error).split())
    if isinstance(error, CaseError):
        return text
    for option, words in (("flow", FLOWS), ("damping", DAMPINGS)):
        text = re.sub(rf"--{option} ({'|'.join(words)})\b", rf'{option} = "\1"', text)
    return re.sub(r"--([a-z-]+)", lambda match: match[1].replace("-", "_"), text)
