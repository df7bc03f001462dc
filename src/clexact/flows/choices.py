"""A model and a flow on it, chosen in words: what the command line and the cases of a sweep have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import decode_source
from pathlib import Path
from types import ModuleType
from typing import Any

from clexact.algebra.fields import VectorFields
from clexact.algebra.parse import read_text
from clexact.algebra.polynomial import exact_number, rational
from clexact.flows.dynamics import (
    DAMPINGS,
    Damping,
    HeavyBall,
    Nesterov,
    as_flow,
    gradient_flow,
    mirror_flow,
    momentum_flow,
)
from clexact.flows.flow import Flow
from clexact.models import FAMILIES
from clexact.models.dimension import is_analytic, parameter_count
from clexact.programs.model import Model
from clexact.support.losses import check_loss
from clexact.support.nearest import check_word
from clexact.systems.formats import parse_text

FLOWS = ("gradient", "mirror", "momentum")
FlowSource = Model | Flow | VectorFields
Value = bool | int | str | tuple[int, ...]  # of an option of a family


@dataclass(frozen=True)
class FamilyModel:
    """A family of the library with its sizes, and those of its options that differ from their defaults."""

    family: str
    sizes: tuple[int, ...]
    options: tuple[tuple[str, Value], ...] = ()  # in the order of their names

    @classmethod
    def of(cls, family: str, sizes: list[int], options: dict[str, Any]) -> FamilyModel:
        """ValueError or TypeError as ``Family.check``."""
        read, defaults = FAMILIES[family].check(family, sizes, options), FAMILIES[family].defaults
        chosen = {
            key: _plain(value) for key, value in sorted(read.items()) if defaults[key] not in (value, _plain(value))
        }
        return cls(family, tuple(sizes), tuple(chosen.items()))

    @property
    def name(self) -> str:
        """The word by which messages name it."""
        return self.family

    @property
    def positive(self) -> tuple[str, ...]:
        """The parameters that are positive by themselves."""
        return FAMILIES[self.family].positive

    @property
    def dimension(self) -> int:
        """Number of parameters, without building the model."""
        return parameter_count(self.family, self.sizes, dict(self.options))

    @property
    def analytic(self) -> bool:
        """Whether analytic functions stand in it."""
        return is_analytic(self.family, dict(self.options))

    def find(self) -> Model:
        """The model."""
        options = {key: list(value) if isinstance(value, tuple) else value for key, value in self.options}
        return FAMILIES[self.family].model(self.family, self.sizes, options)


def _plain(value: Any) -> Value:
    """An option as plain data: a rational as text, a list as a tuple."""
    if isinstance(value, Fraction):
        return str(value)
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True)
class SystemModel:
    """Polynomial vector fields: the text of a file with a system, of a format that its name says."""

    text: str
    file: str
    parameters: tuple[str, ...] = ()
    structural: bool = False
    values: tuple[tuple[str, str], ...] = ()  # of parameters
    name = "a system"
    positive = ()

    @classmethod
    def load(
        cls,
        path: str | Path,
        parameters: tuple[str, ...] = (),
        structural: bool = False,
        values: tuple[tuple[str, str], ...] = (),
    ) -> SystemModel:
        """ValueError for a file that is no text, OSError for one that cannot be read."""
        return cls(read_text(path), str(path), parameters, structural, values)

    @property
    def dimension(self) -> int:
        """Number of variables that are no parameters; ValueError for what cannot be read."""
        fields = self.find()
        return fields.dimension - len(fields.parameters)

    def find(self) -> VectorFields:
        """The fields; ValueError naming the line and column of what cannot be read."""
        found = parse_text(self.text, self.file, self.parameters, self.structural)
        return found.at(dict(self.values)) if self.values else found


@dataclass(frozen=True)
class PythonModel:
    """The object ``symbol`` of the user's Python file, given by its text; a function is called with the arguments."""

    text: str
    file: str
    symbol: str
    arguments: tuple[int, ...] = ()
    positive = ()
    dimension = None  # nobody runs the file to ask

    @classmethod
    def load(cls, target: str, arguments: tuple[int, ...] = ()) -> PythonModel:
        """From FILE.py:NAME. ValueError if that is not its form or there is no such file."""
        path, _, symbol = target.rpartition(":")
        if not path or not symbol:
            raise ValueError(f"expected FILE.py:NAME, not {target!r}.")
        if not Path(path).is_file():
            raise ValueError(f"no file {path!r}.")
        text = _guarded(lambda: decode_source(Path(path).read_bytes()), path)
        return cls(text, path, symbol, arguments)

    @property
    def name(self) -> str:
        """The words by which messages name it."""
        return f"{self.file}:{self.symbol}"

    def find(self) -> FlowSource:
        """The object. ValueError for whatever the user's code raises, TypeError if it makes no model."""
        module = ModuleType("clexact_user_model")
        module.__file__ = self.file
        _guarded(lambda: exec(compile(self.text, self.file, "exec"), module.__dict__), self.file)
        if not hasattr(module, self.symbol):
            raise ValueError(f"{self.file} defines no {self.symbol!r}.")
        source = getattr(module, self.symbol)
        if callable(source) and not isinstance(source, FlowSource):
            given = ", ".join(map(str, self.arguments))
            source = _guarded(lambda: source(*self.arguments), f"{self.symbol}({given}) of {self.file}")
        elif self.arguments:
            raise ValueError(f"{self.symbol!r} of {self.file} is no function, and takes no sizes.")
        if not isinstance(source, FlowSource):
            given = type(source).__name__
            raise TypeError(f"{self.symbol!r} of {self.file} must be a Model, a Flow or VectorFields, not {given}.")
        return source


def _guarded(call: Callable[[], Any], what: str) -> Any:
    """Run the user's code; whatever it raises becomes one sentence, but for want of memory."""
    try:
        return call()
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(f"{what} failed: {type(error).__name__}: {error}") from error


ChosenModel = FamilyModel | SystemModel | PythonModel


@dataclass(frozen=True)
class InputsFile:
    """Inputs of a model: the text of a file with a row of numbers for each, decimals and rationals read exactly."""

    text: str
    file: str

    @classmethod
    def load(cls, path: str | Path) -> InputsFile:
        """ValueError for a file that is no text, OSError for one that cannot be read."""
        return cls(read_text(path), str(path))

    def find(self) -> list[list[Fraction]]:
        """The rows; ValueError unless they are equally many numbers each."""
        rows = [line.replace(",", " ").split() for line in self.text.splitlines()]
        rows = [row for row in rows if row]
        if len({len(row) for row in rows}) != 1:
            raise ValueError(f"{self.file}: expected a row of equally many numbers for each input.")
        try:
            return [[Fraction(word) for word in row] for row in rows]
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"{self.file}: expected numbers such as 3, -1/2 or 0.25.") from None


@dataclass(frozen=True)
class FlowChoice:
    """Which flow of a model. Rationals are given as text or exact numbers, and kept as text.

    ValueError or TypeError for options that do not go together.
    """

    kind: str = "gradient"
    damping: str | None = None
    tau: str | None = None
    positive: tuple[str, ...] | None = None
    weight_decay: str = "0"
    loss: str = "full"

    def __post_init__(self) -> None:
        check_word(self.kind, FLOWS, "--flow")
        object.__setattr__(self, "loss", check_loss(self.loss))
        if self.damping is not None:
            check_word(self.damping, DAMPINGS, "--damping")
        elif self.kind == "momentum":
            object.__setattr__(self, "damping", "none")
        if self.damping is not None and self.kind != "momentum":
            raise ValueError(f"--damping belongs to --flow momentum, not to --flow {self.kind}.")
        if self.tau is not None and self.damping != "heavy-ball":
            raise ValueError("--tau belongs to --flow momentum --damping heavy-ball.")
        if self.positive is not None and self.kind == "gradient":
            raise ValueError("--positive belongs to --flow mirror and --flow momentum.")
        if self.damping == "heavy-ball":
            object.__setattr__(self, "tau", str(exact_number("1" if self.tau is None else self.tau, "--tau")))
            HeavyBall(rational(str(self.tau)))
        if self.weight_decay != "0":
            object.__setattr__(self, "weight_decay", str(exact_number(self.weight_decay, "--weight-decay")))

    @property
    def _damping(self) -> Damping:
        match self.damping:
            case "heavy-ball":
                return HeavyBall(rational(str(self.tau)))
            case "nesterov":
                return Nesterov()
            case _:
                return None

    def on(self, model: ChosenModel, inputs: object = None) -> Flow:
        """The flow on the model, on these inputs alone if given; ValueError or TypeError saying what was expected."""
        source, decay = model.find(), rational(self.weight_decay)
        if isinstance(source, Model):
            return self._on_model(source, decay, model, inputs)
        if inputs is not None:
            raise ValueError(f"data belong to models; {model.name} has no inputs.")
        if self.loss != "full":
            raise ValueError(f"--loss belongs to models; {model.name} has no loss.")
        if self.kind == "momentum":
            return momentum_flow(source, self._damping, positive=self.positive or (), weight_decay=decay)
        if self.kind != "gradient" or decay:
            given = type(source).__name__
            raise ValueError(f"--flow {self.kind} and --weight-decay belong to models, but {model.name} is a {given}.")
        return as_flow(source)

    def _on_model(self, source: Model, decay: Fraction, model: ChosenModel, inputs: object) -> Flow:
        if self.kind == "momentum":
            if inputs is not None:
                base = gradient_flow(source, self.loss, inputs=inputs)
                return momentum_flow(base, self._damping, positive=self.positive or (), weight_decay=decay)
            return momentum_flow(source, self._damping, self.loss, positive=self.positive or (), weight_decay=decay)
        if self.kind == "mirror":
            if inputs is not None:
                raise ValueError("data go with --flow gradient and --flow momentum, not with --flow mirror.")
            names = model.positive if self.positive is None else self.positive
            if not names:
                raise ValueError(
                    f"--flow mirror needs --positive NAMES: {model.name} has none that are positive by themselves."
                )
            return mirror_flow(source, names, loss=self.loss, weight_decay=decay)
        return gradient_flow(source, self.loss, weight_decay=decay, inputs=inputs)
