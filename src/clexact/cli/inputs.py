"""What the command line names: a family with its sizes, a file of the user's, or a system, and a flow on it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np

from clexact.algebra.fields import VectorFields
from clexact.cli.near import read_data
from clexact.flows.choices import FLOWS, ChosenModel, FamilyModel, FlowChoice, PythonModel, SystemModel
from clexact.flows.dynamics import DAMPINGS
from clexact.flows.flow import Flow
from clexact.models import FAMILIES, families_with
from clexact.support.losses import SAME
from clexact.support.nearest import unknown
from clexact.systems.formats import SYSTEMS, is_system

HELP = {
    "bias": "with biases",
    "slope": "slope of a leaky ReLU where it is negative",
    "powers": "powers of the activation (default 1)",
    "kernel": "size of the kernel",
    "stride": "stride (default 1)",
    "length": "length or side of the input",
    "padding": "zeros on each side (default 0)",
    "relu": "with ReLU between the layers",
    "heads": "number of heads (default 1)",
    "rope": "with rotary positions",
    "keys": "key and value heads, each shared by several query heads",
    "tokens": "number of tokens; of attention: under the true softmax, not the factored form",
    "causal": "each token sees those before it",
    "blocks": "number of blocks",
    "pool": "units of a pool (default 2)",
    "steps": "number of steps (default 2)",
    "gate": "kind of gate (default softmax)",
    "k": "experts chosen by topk (default 2)",
    "act": "activation",
    "norm": "which norm, and where",
    "gain": "with gains (and, with biases, shifts) of the norms",
    "eps": "what is added to the variances of a norm (default 0)",
    "batch": "size of a batch (default 3)",
    "swiglu": "with a layer gated by SiLU",
    "dense": "with a matrix, not a vector, from state to state",
    "rank": "rank (default 1)",
    "fixed": "with frozen weights that are certain integers, not any",
    "scheme": "of factorization (default cp)",
    "measurements": "number of measurements (default: all)",
    "layers": "number of layers (default 2)",
}


def add_input(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a flow."""
    parser.add_argument("target", nargs="*", help="a family (clexact models lists them) or FILE.py:NAME, and its sizes")
    add_system(parser)
    flow = parser.add_argument_group("flow")
    flow.add_argument("--flow", choices=FLOWS, default="gradient", help="default: gradient")
    flow.add_argument("--damping", choices=DAMPINGS, help="momentum: tau = 0 (default), tau constant, or 3/t")
    flow.add_argument("--tau", metavar="Q", help="heavy-ball: its damping, a rational (default 1)")
    flow.add_argument("--positive", metavar="NAMES", help="mirror, momentum: positive parameters, such as U,V")
    flow.add_argument("--weight-decay", metavar="Q", default="0", help="a rational (default 0)")
    flow.add_argument(
        "--loss", type=_dashed, choices=sorted(map(_dashed, SAME)), default="full", metavar="LOSS",
        help="full, mse or squared: the loss spans all output covectors (default); cross-entropy: those of sum zero",
    )  # fmt: skip
    options = parser.add_argument_group("options of families")
    for option in dict.fromkeys(key for family in FAMILIES.values() for key in family.options):
        _add_option(options, option, _kind(option))


def add_system(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a file with a system."""
    system = parser.add_argument_group("systems")
    system.add_argument("--system", metavar="FILE", help=f"equations, lines x' = y*z - 2/3*x^2: {', '.join(SYSTEMS)}")
    system.add_argument("--parameters", metavar="NAMES", help="names that are parameters, such as a,b")
    system.add_argument("--values", metavar="NAME=Q,...", help="values of parameters, such as a=1,b=-1/2")
    system.add_argument("--structural", action="store_true", help="of reactions: laws for all rates, a field for each")


def _dashed(word: str) -> str:
    """As options write words: cross_entropy, as Python has it, is cross-entropy."""
    return word.replace("_", "-")


def _kind(option: str) -> Any:
    """What its values are; the words that any family has for it."""
    kinds = [FAMILIES[name].options[option] for name in families_with(option)]
    words = dict.fromkeys(word for kind in kinds if isinstance(kind, tuple) for word in kind)
    return tuple(words) or kinds[0]


def _add_option(group: Any, option: str, kind: Any) -> None:
    text = f"{', '.join(families_with(option))}: {HELP[option]}"
    flag: dict[str, Any] = {"default": None, "help": text}
    if kind is bool:
        flag["action"] = "store_true"
    elif kind is int:
        flag |= {"type": int, "metavar": "K"}
    elif kind == "ints":
        flag |= {"nargs": "+", "metavar": "K"}
    elif kind == "rational":
        flag["metavar"] = "Q"
    else:
        flag["choices"] = kind
    group.add_argument(f"--{option}", **flag)


def reading(arguments: argparse.Namespace) -> str:
    """What ``read_flow`` does, in words."""
    if arguments.system is not None:
        return f"reading {arguments.system}"
    target = " ".join(arguments.target)
    return f"running {target}" if ".py" in target else f"building {target}"


def flow_choice(arguments: argparse.Namespace) -> FlowChoice:
    """The flow that the arguments choose, whatever the model."""
    positive = None if arguments.positive is None else tuple(filter(None, arguments.positive.split(",")))
    return FlowChoice(
        arguments.flow, arguments.damping, arguments.tau, positive, arguments.weight_decay,
        arguments.loss.replace("-", "_"),
    )  # fmt: skip


def read_flow(arguments: argparse.Namespace) -> Flow:
    """The flow that the arguments name; ValueError or TypeError saying what was expected."""
    model = _model(arguments)
    _check_system(arguments, model)
    chosen = flow_choice(arguments)
    data = read_data(getattr(arguments, "data", None))
    try:
        return chosen.on(model, data)
    except ValueError as error:
        raise ValueError(f"{error}{_turned(arguments.target, data)}") from None


def _turned(target: list[str], data: Any) -> str:
    """That sizes are read from the output to the input, where the data have as many columns as the first says."""
    sizes = target[1:]
    shape: tuple[int, ...] = () if data is None else np.shape(data)
    if len(shape) != 2 or len(sizes) < 2 or sizes[0] != str(shape[1]) or sizes[0] == sizes[-1]:
        return ""
    return f" Sizes are read from the output to the input: {' '.join([target[0], *sizes[::-1]])}."


def _model(arguments: argparse.Namespace) -> ChosenModel:
    target: list[str] = arguments.target
    if arguments.system is not None:
        if target:
            raise ValueError(f"give either --system or a model, not both --system and {' '.join(target)!r}.")
        options_of(arguments, "a system", {})
        return _system(arguments, arguments.system)
    if not target:
        raise ValueError(
            f"give a family ({', '.join(FAMILIES)}) with its sizes, FILE.py:NAME or a system such as lorenz.ode."
        )
    name, *words = target
    if not words and is_system(name) and name not in FAMILIES:
        options_of(arguments, "a system", {})
        return _system(arguments, name)
    if ".py" in name:
        options_of(arguments, name, {})
        return PythonModel.load(name, tuple(_size(f"an argument of {name}", word) for word in words))
    if name not in FAMILIES:
        raise ValueError(unknown("family", name, FAMILIES, ", or FILE.py:NAME"))
    options = options_of(arguments, name, FAMILIES[name].options)
    return FamilyModel.of(name, [_size(f"a size of {name}", word) for word in words], options)


def _system(arguments: argparse.Namespace, file: str) -> SystemModel:
    names = (arguments.parameters or "").replace(",", " ").split()
    pairs = [part.partition("=") for part in (arguments.values or "").replace(" ", "").split(",") if part]
    if any(not sign or not value for _, sign, value in pairs):
        raise ValueError(f"--values takes values such as a=1,b=-1/2, not {arguments.values!r}.")
    values = tuple((name, value) for name, _, value in pairs)
    return SystemModel.load(file, tuple(names), arguments.structural, values)


def read_system(arguments: argparse.Namespace) -> VectorFields:
    """The fields of the file that the arguments name; ValueError for anything else."""
    target: list[str] = arguments.target
    file = arguments.system if arguments.system is not None else next(iter(target), None)
    if file is None or len(target) + (arguments.system is not None) != 1:
        raise ValueError("give one file with a system, such as lorenz.ode.")
    return _system(arguments, file).find()


def _check_system(arguments: argparse.Namespace, model: ChosenModel) -> None:
    """ValueError for options of systems beside a model."""
    for option in ("parameters", "structural", "values"):
        if getattr(arguments, option) and not isinstance(model, SystemModel):
            raise ValueError(f"--{option} belongs to a file with a system, not to {model.name}.")


def notes_of(flow: Flow) -> tuple[str, ...]:
    """What was done to a system to make it polynomial, and what was left out."""
    return flow.given_fields.notes if flow.given_fields is not None else ()


def options_of(arguments: argparse.Namespace, what: str, accepted: Mapping[str, Any]) -> dict[str, Any]:
    """The family's options that were given; ValueError for one of another family."""
    given: dict[str, Any] = {}
    for option in HELP:
        value = getattr(arguments, option)
        if value is None:
            continue
        if option not in accepted:
            raise ValueError(f"--{option} belongs to {', '.join(families_with(option))}, not to {what}.")
        if accepted[option] == "ints":
            value = [_size(f"--{option}", word) for words in value for word in words.split(",")]
        given[option] = value
    return given


def _size(what: str, word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise ValueError(f"{what} must be an integer, not {word!r}.") from None
