"""``Case``: what one command line of ``clexact certify`` or ``clexact orbit`` says, as plain data that travels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from clexact.algebra.draws import check_seed
from clexact.algebra.polynomial import Number, rational
from clexact.counting.orbit import ORBIT_DEPTH
from clexact.counting.starts import RANDOM, STARTS, check_inits, parameters_at, read_start
from clexact.flows.choices import ChosenModel, FamilyModel, FlowChoice, InputsFile, PythonModel, SystemModel
from clexact.flows.flow import Flow
from clexact.laws.polynomial_laws import check_degree
from clexact.lie.closure import check_depth
from clexact.models import FAMILIES
from clexact.support.nearest import one_of, unknown
from clexact.sweeps import estimate

MODELS = ("family", "system", "python")
FLOW = ("flow", "damping", "tau", "positive", "weight_decay", "loss")
DRAWN = {"init": "uniform", "bias_init": "uniform"}  # how a random start is drawn, unless it is said
QUESTION = ("degree", "max_depth", "seed", "at", "data", "near", *DRAWN)
OPTIONS = tuple(dict.fromkeys(option for family in FAMILIES.values() for option in family.options))
OF_SYSTEMS = ("parameters", "structural", "values")
KEYS = (*MODELS, "sizes", "text", *OPTIONS, *OF_SYSTEMS, *FLOW, *QUESTION)
CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
GRADIENT = FlowChoice()
LONGEST_START = 40  # characters of a start in a label


@dataclass(frozen=True)
class Case:
    """A model, a flow on it and a question: its laws near a generic start or, with ``near``, near one with true gates.

    With ``at``, the question is the orbit of a special start.

    Cases are equal if they say the same.

    Parameters
    ----------
    model : FamilyModel, SystemModel or PythonModel
        The model chosen; ``Case.of`` makes it of words.
    dynamics : FlowChoice
        The flow, with its options.
    degree : int
        Of the polynomial laws, at most.
    max_depth : int, optional
        The largest depth of brackets; default: that of the question.
    seed : int
        Of all random choices.
    at : str or tuple of str, optional
        The name of a start, or its coordinates as rationals in text.
    near : str or tuple of str, optional
        Likewise, or ``"random"``: drawn from the seed.
    init : {"uniform", "normal", "kaiming", "xavier"}, optional
        How weights of a random start are drawn (``random_start``).
    bias_init : {"uniform", "normal", "zero"}, optional
        How its biases are drawn.
    data : InputsFile, optional
        These inputs alone, with any targets. Default: all data.

    Raises
    ------
    TypeError, ValueError
        For what does not go together.

    Examples
    --------
    >>> case = Case.of("relu", 2, 5, 3, bias=True, flow="momentum", damping="heavy-ball", tau="1/2")
    >>> case.label
    'certify relu 2 5 3 --bias --flow momentum --damping heavy-ball --tau 1/2'
    >>> Case.from_dict(case.to_dict()) == case
    True
    """

    model: ChosenModel
    dynamics: FlowChoice = GRADIENT
    degree: int = 2
    max_depth: int | None = None  # None: the default of the question
    seed: int = 0
    at: str | tuple[str, ...] | None = None
    near: str | tuple[str, ...] | None = None
    init: str | None = None
    bias_init: str | None = None
    data: InputsFile | None = None

    def __post_init__(self) -> None:
        check_degree(self.degree)
        check_seed(self.seed)
        check_depth(self.depth)
        object.__setattr__(self, "max_depth", self.depth)
        self._check_orbit()
        self._check_near()
        for key in ("at", "near"):
            start, names = getattr(self, key), _names(key)
            if isinstance(start, str) and start not in names:
                raise ValueError(one_of(key, start, names, " or a list of rationals"))
            size = self.dimension if key == "at" else self.model.dimension
            if isinstance(start, tuple) and size not in (None, len(start)):
                raise ValueError(f"{key} has {len(start)} rationals, but the {'flow' if key == 'at' else 'model'} has "
                                 f"D = {size}.")  # fmt: skip

    def _check_orbit(self) -> None:
        if self.at is None:
            return
        if self.degree != 2:
            raise ValueError(f"degree belongs to certify, not to the orbit of a start: {self.degree} was given.")
        for key in ("near", "data"):
            if getattr(self, key) is not None:
                raise ValueError(f"{key} belongs to certify, not to the orbit of a start: give it without at.")

    def _check_near(self) -> None:
        """With ``near`` and ``data``, of models alone; how a random start is drawn is kept in full."""
        for key in ("near", "data"):
            if getattr(self, key) is not None and isinstance(self.model, SystemModel):
                raise ValueError(
                    f"{key} belongs to models: the fields of {self.model.file} have no gates and no inputs."
                )
        for key, default in DRAWN.items():
            if getattr(self, key) is not None and self.near != RANDOM:
                raise ValueError(f'{key} belongs to near = "{RANDOM}".')
            if getattr(self, key) is None and self.near == RANDOM:
                object.__setattr__(self, key, default)
        if self.near == RANDOM:
            check_inits(self.init, self.bias_init)

    @classmethod
    def of(cls, target: str, *sizes: int, **options: Any) -> Case:
        """As a command line: a family with its sizes, FILE.py:NAME with its integers, or FILE.ode; and options.

        Files are read at once.

        Parameters
        ----------
        target : str
            The family or the file.
        *sizes : int
            The sizes, or the integers of a function.
        **options : object
            Named as on the command line, with _ for -.

        Returns
        -------
        Case
            What the command line asks.

        Raises
        ------
        TypeError, ValueError
            For what does not go together.
        OSError
            For a file that cannot be read.

        Examples
        --------
        >>> Case.of("linear", 2, 2, 2, at="zero").label
        'orbit linear 2 2 2 --at zero'
        """
        kind = "python" if ".py" in target else "system" if Path(target).suffix else "family"
        return cls.from_dict({kind: target, **({"sizes": list(sizes)} if sizes else {}), **options})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], folder: str | Path = "") -> Case:
        """The reverse of ``to_dict``.

        Parameters
        ----------
        data : mapping
            One of ``family``, ``system`` and ``python``, and what goes with it. Of a file without its ``text``, the
            text is read.
        folder : str or Path
            Where files are.

        Returns
        -------
        Case
            What the data say.

        Raises
        ------
        TypeError, ValueError
            For what does not go together.
        OSError
            For a file that cannot be read.

        Examples
        --------
        >>> Case.from_dict({"family": "nmf", "sizes": [2, 1, 2], "flow": "mirror"}).label
        'certify nmf 2 1 2 --flow mirror'
        """
        for key in data:
            if key not in KEYS:
                raise ValueError(unknown("key", key, KEYS))
        return cls(
            _model(data, folder),
            _dynamics(data),
            data.get("degree", 2),
            data.get("max_depth"),
            data.get("seed", 0),
            _start("at", data.get("at"), folder),
            _start("near", data.get("near"), folder),
            data.get("init"),
            data.get("bias_init"),
            inputs_of(data.get("data"), folder),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data of JSON's types, without what is the default of a family or a flow.

        Returns
        -------
        dict
            As ``from_dict`` takes it.

        Examples
        --------
        >>> Case.of("linear", 2, 2, 2).to_dict()
        {'family': 'linear', 'sizes': [2, 2, 2], 'degree': 2, 'max_depth': None, 'seed': 0}
        """
        data = _model_data(self.model) | _dynamics_data(self.dynamics)
        data |= {"degree": self.degree} if self.at is None else {}
        data |= {"max_depth": self.max_depth, "seed": self.seed}
        for key in ("at", "near"):
            start = getattr(self, key)
            data |= {} if start is None else {key: list(start) if isinstance(start, tuple) else start}
        data |= self._drawn()
        return data | ({} if self.data is None else {"data": asdict(self.data)})

    def _drawn(self) -> dict[str, Any]:
        """How a random start is drawn, where it is not the default."""
        given = {key: getattr(self, key) for key in DRAWN}
        return {key: word for key, word in given.items() if word not in (None, DRAWN[key])}

    def to_json(self) -> str:
        """The data of ``to_dict`` as canonical JSON: equal cases give equal texts.

        Returns
        -------
        str
            One line, keys sorted.

        Examples
        --------
        >>> Case.of("product", 2).to_json()
        '{"degree":2,"family":"product","max_depth":null,"seed":0,"sizes":[2]}'
        """
        return CANONICAL.encode(self.to_dict())

    def key(self, engine: str) -> str:
        """SHA-256 of the case and the engine.

        Parameters
        ----------
        engine : str
            Version and hash of the sources (``provenance.engine``).

        Returns
        -------
        str
            64 hexadecimal digits.

        Examples
        --------
        >>> case = Case.of("product", 2)
        >>> len(case.key("0.1.0")), case.key("0.1.0") == case.key("0.1.1")
        (64, False)
        """
        return key_of(self.to_json(), engine)

    def flow(self) -> Flow:
        """The flow, built: on the case's data, but near a generic start.

        Returns
        -------
        Flow
            As ``certify`` takes it, with ``parameters`` as the start.

        Raises
        ------
        TypeError, ValueError
            Saying what was expected.

        Examples
        --------
        >>> Case.of("linear", 2, 2, 2, flow="momentum").flow()
        LiftedFlow(momentum flow of linear [2, 2, 2], no damping, D = 17)
        """
        return self.dynamics.on(self.model, None if self.data is None else self.data.find())

    def parameters(self, flow: Flow) -> tuple[Number, ...] | None:
        """The start near which the case asks, as ``certify`` takes it.

        Parameters
        ----------
        flow : Flow
            That of the case.

        Returns
        -------
        tuple of int or Fraction, or None
            The parameters; None for a generic start.

        Raises
        ------
        ValueError
            For a start that is not known for this model.

        Examples
        --------
        >>> case = Case.of("relu", 1, 2, 1, near="random", init="kaiming", seed=3)
        >>> len(case.parameters(case.flow())), case.label
        (4, 'certify relu 1 2 1 --near random --init kaiming --seed 3')
        """
        if self.near is None:
            return None
        near = self.near if isinstance(self.near, str) else tuple(map(rational, self.near))
        return parameters_at(flow, near, self.seed, **{key: getattr(self, key) or DRAWN[key] for key in DRAWN})

    @property
    def depth(self) -> int | None:
        """``max_depth``, or its default: None for counts (``certify``)."""
        return ORBIT_DEPTH if self.max_depth is None and self.at is not None else self.max_depth

    @property
    def dimension(self) -> int | None:
        """D of the phase space, without building anything; None where that is known only to a user's Python file.

        ValueError for a system that cannot be read.
        """
        size = self.model.dimension
        if size is None:
            return None
        if self.dynamics.kind == "momentum":
            return 2 * size + 1
        return size + (self.dynamics.weight_decay != "0")

    @property
    def cost(self) -> float:
        """Estimated seconds (``estimate.py``)."""
        analytic = isinstance(self.model, FamilyModel) and self.model.analytic
        return estimate.seconds(self._kind, self.dimension or estimate.UNKNOWN, analytic)

    @property
    def memory(self) -> int:
        """Estimated resident bytes (``estimate.py``)."""
        return estimate.memory(self._kind, self.dimension or estimate.UNKNOWN)

    @property
    def _kind(self) -> str:
        """The kind of work, as estimates tell it."""
        if self.at is not None:
            return "orbit"
        return "decay" if self.dynamics.weight_decay != "0" and self.dynamics.kind != "momentum" else self.dynamics.kind

    @property
    def start(self) -> str | tuple[Fraction, ...]:
        """``at`` as ``orbit_dimension`` takes it."""
        assert self.at is not None
        return self.at if isinstance(self.at, str) else tuple(map(rational, self.at))

    @property
    def family(self) -> str:
        """The family, or the file with the name in it."""
        return self.model.file if isinstance(self.model, SystemModel) else self.model.name

    @property
    def label(self) -> str:
        """The command line that asks the same."""
        words = ["certify" if self.at is None else "orbit", *_model_words(self.model), *_words(self._options())]
        return " ".join(words)

    def _options(self) -> dict[str, Any]:
        """The options of the command that are not the default."""
        options = _dynamics_data(self.dynamics)
        options |= {"degree": self.degree} if self.degree != 2 else {}
        if self.at is None:
            options |= {"max_depth": self.max_depth} if self.max_depth is not None else {}
        else:
            options["at"] = _short(self.at)
            options |= {"max_depth": self.max_depth} if self.max_depth != ORBIT_DEPTH else {}
        options |= {} if self.data is None else {"data": self.data.file}
        options |= {} if self.near is None else {"near": _short(self.near)}
        return options | self._drawn() | ({"seed": self.seed} if self.seed else {})


def _names(key: str) -> tuple[str, ...]:
    """The starts that have names, for orbits and for laws nearby."""
    return (RANDOM, *STARTS) if key == "near" else STARTS


def _short(start: str | tuple[str, ...]) -> str:
    """A start as a label says it."""
    text = start if isinstance(start, str) else ",".join(start)
    return text if len(text) <= LONGEST_START else f"{text[:LONGEST_START]}..."


def key_of(text: str, engine: str) -> str:
    """The key of the case with this canonical JSON."""
    return hashlib.sha256(f"{engine}\n{text}".encode()).hexdigest()


# --- from plain data -------------------------------------------------------------------------------------------------


def _model(data: Mapping[str, Any], folder: str | Path) -> ChosenModel:
    given = [key for key in MODELS if key in data]
    if len(given) != 1:
        raise ValueError(f"a case takes one of family, system and python, not {' and '.join(given) or 'none'}.")
    (kind,) = given
    name, options = _text(data, kind), {key: data[key] for key in OPTIONS if key in data}
    for key in OF_SYSTEMS if kind != "system" else ():
        if key in data:
            raise ValueError(f"{key} belongs to a file with a system, not to {name}.")
    if kind == "family":
        if "text" in data:
            raise ValueError("text belongs to system and python, not to a family.")
        if name not in FAMILIES:
            raise ValueError(unknown("family", name, FAMILIES))
        return FamilyModel.of(name, _sizes(data), options)
    if options:
        raise ValueError(f"{next(iter(options))} belongs to families, not to {name}.")
    if kind == "system":
        if "sizes" in data:
            raise ValueError(f"sizes belong to families and Python files, not to {name}.")
        text = _text(data, "text") if "text" in data else SystemModel.load(Path(folder, name)).text
        return SystemModel(text, Path(name).name, *_of_system(data))
    sizes = tuple(_sizes(data)) if "sizes" in data else ()
    path, _, symbol = name.rpartition(":")
    if not path or not symbol:
        raise ValueError(f"expected FILE.py:NAME, not {name!r}.")
    text = _text(data, "text") if "text" in data else PythonModel.load(str(Path(folder, path)) + f":{symbol}").text
    return PythonModel(text, Path(path).name, symbol, sizes)


def _of_system(data: Mapping[str, Any]) -> tuple[tuple[str, ...], bool, tuple[tuple[str, str], ...]]:
    """Its parameters, whether it is read as a structure, and values of parameters."""
    names, structural, values = (
        data.get(key, default) for key, default in zip(OF_SYSTEMS, ((), False, {}), strict=True)
    )
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"parameters must be a list of names, not {names!r}.")
    if not isinstance(structural, bool):
        raise TypeError(f"structural must be true or false, not {structural!r}.")
    numbers = isinstance(values, Mapping) and all(isinstance(v, (str, int)) and v is not True for v in values.values())
    if not numbers:
        raise TypeError(f'values must give numbers as texts or integers, such as a = "1/2", not {values!r}.')
    return tuple(names), structural, tuple((name, str(value)) for name, value in values.items())


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} must be a text, not {value!r}.")
    return value


def _sizes(data: Mapping[str, Any]) -> list[int]:
    sizes = data.get("sizes", ())
    if not isinstance(sizes, Sequence) or isinstance(sizes, str) or not all(type(n) is int for n in sizes):
        raise TypeError(f"sizes must be a list of integers, not {sizes!r}.")
    return list(sizes)


def _dynamics(data: Mapping[str, Any]) -> FlowChoice:
    loss, positive = data.get("loss", "full"), data.get("positive")
    if positive is not None:
        positive = positive.split(",") if isinstance(positive, str) else positive
        if not isinstance(positive, Sequence) or not all(isinstance(name, str) for name in positive):
            raise TypeError(f"positive must be a list of names of parameters, not {positive!r}.")
        positive = tuple(positive)
    return FlowChoice(
        data.get("flow", "gradient"),
        data.get("damping"),
        data.get("tau"),
        positive,
        data.get("weight_decay", "0"),
        loss,
    )


def _start(key: str, given: Any, folder: str | Path) -> str | tuple[str, ...] | None:
    """A name as it is, a file as what it holds, a list of exact numbers as texts."""
    if given is None:
        return None
    names = _names(key)
    if isinstance(given, str):
        return given if given in names else tuple(map(str, read_start(Path(folder, given), names)))
    if not isinstance(given, Sequence) or not all(isinstance(c, (int, str, Fraction)) for c in given):
        raise TypeError(f"{key} must be one of {', '.join(names)}, a file, or a list of rationals, not {given!r}.")
    try:
        return tuple(str(rational(str(c))) for c in given)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def inputs_of(given: Any, folder: str | Path = "") -> InputsFile | None:
    """The inputs of a file, which is read, or those that a case took with it."""
    match given:
        case None:
            return None
        case str():
            return InputsFile(InputsFile.load(Path(folder, given)).text, Path(given).name)
        case {"file": str(file), "text": str(text), **rest} if not rest:
            return InputsFile(text, file)
        case _:
            raise TypeError(f"data must name a file with a row of numbers for each input, not {given!r}.")


# --- to plain data ---------------------------------------------------------------------------------------------------


def _model_data(model: ChosenModel) -> dict[str, Any]:
    match model:
        case FamilyModel(family, sizes, options):
            plain = {key: list(value) if isinstance(value, tuple) else value for key, value in options}
            return {"family": family, "sizes": list(sizes), **plain}
        case SystemModel(text, file, parameters, structural, values):
            more = {"parameters": list(parameters), "structural": structural, "values": dict(values)}
            return {"system": file, "text": text, **{key: value for key, value in more.items() if value}}
        case PythonModel(text, file, symbol, arguments):
            return {"python": f"{file}:{symbol}", "text": text, **({"sizes": list(arguments)} if arguments else {})}


def _dynamics_data(chosen: FlowChoice) -> dict[str, Any]:
    """What is not the default."""
    options = {
        "flow": chosen.kind if chosen.kind != "gradient" else None,
        "damping": chosen.damping if chosen.damping != "none" else None,
        "tau": chosen.tau,
        "positive": None if chosen.positive is None else list(chosen.positive),
        "weight_decay": chosen.weight_decay if chosen.weight_decay != "0" else None,
        "loss": chosen.loss.replace("_", "-") if chosen.loss != "full" else None,
    }
    return {key: value for key, value in options.items() if value is not None}


def _model_words(model: ChosenModel) -> list[str]:
    match model:
        case FamilyModel(family, sizes, options):
            return [family, *map(str, sizes), *_words(dict(options))]
        case SystemModel(_, file, parameters, structural, values):
            given = {"parameters": parameters, "values": [f"{name}={value}" for name, value in values]}
            words = _words({key: value for key, value in given.items() if value})
            return ["--system", file, *words, *["--structural"] * structural]
        case PythonModel(_, _, _, arguments):
            return [model.name, *map(str, arguments)]


def _words(options: Mapping[str, Any]) -> list[str]:
    """As on the command line."""
    words = []
    for key, value in options.items():
        words.append(f"--{key.replace('_', '-')}")
        if isinstance(value, (list, tuple)):
            words.append(",".join(map(str, value)))
        elif value is not True:
            words.append(str(value))
    return words
