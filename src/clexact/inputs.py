"""What the command line names: a family with its sizes, a file of the user's, or a system, and a flow on it."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from clexact.dynamics import DAMPINGS, HeavyBall, Nesterov, gradient_flow, mirror_flow, momentum_flow
from clexact.fields import VectorFields
from clexact.flow import LOSSES, Flow, as_flow
from clexact.model import Model
from clexact.models import FAMILIES
from clexact.polynomial import rational

FLOWS = ("gradient", "mirror", "momentum")
HELP = {
    "bias": "with a bias in every hidden unit",
    "slope": "slope of a leaky ReLU where it is negative",
    "powers": "powers of the activation (default 1)",
    "order": "of the Taylor coefficients",
    "kernel": "size of the kernel",
    "stride": "stride (default 1)",
    "length": "length or side of the input",
    "padding": "zeros on each side (default 0)",
    "relu": "with ReLU between the layers",
    "heads": "number of heads (default 1)",
    "rope": "with rotary positions",
    "keys": "key and value heads, each shared by several query heads",
    "tokens": "the true softmax on so many tokens, not the factored form",
    "causal": "each token sees those before it",
    "blocks": "number of blocks",
    "pool": "units of a pool (default 2)",
    "steps": "number of steps (default 2)",
    "gate": "kind of gate (default softmax)",
    "k": "experts chosen by topk (default 2)",
}


def families_with(option: str) -> list[str]:
    """Names of the families that have an option."""
    return [name for name, family in FAMILIES.items() if option in family.options]


def add_input(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a flow."""
    parser.add_argument("target", nargs="*", help="a family (clexact models lists them) and its sizes, or FILE.py:NAME")
    parser.add_argument("--system", metavar="FILE.ode", help="polynomial vector fields, lines x' = y*z - 2/3*x^2")
    flow = parser.add_argument_group("flow")
    flow.add_argument("--flow", choices=FLOWS, default="gradient", help="default: gradient")
    flow.add_argument("--damping", choices=DAMPINGS, help="momentum: tau = 0 (default), tau constant, or 3/t")
    flow.add_argument("--tau", metavar="Q", help="heavy-ball: its damping, a rational (default 1)")
    flow.add_argument("--positive", metavar="NAMES", help="mirror, momentum: positive parameters, such as U,V")
    flow.add_argument("--weight-decay", metavar="Q", default="0", help="a rational (default 0)")
    flow.add_argument(
        "--loss", choices=[loss.replace("_", "-") for loss in LOSSES], default="full",
        help="full: the loss spans all output covectors (default); cross-entropy: those of sum zero",
    )  # fmt: skip
    options = parser.add_argument_group("options of families")
    for option, kind in {key: kind for family in FAMILIES.values() for key, kind in family.options.items()}.items():
        _add_option(options, option, kind)


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


def read_flow(arguments: argparse.Namespace) -> Flow:
    """The flow that the arguments name; ValueError or TypeError saying what was expected."""
    target: list[str] = arguments.target
    if arguments.system is not None:
        if target:
            raise ValueError(f"give either --system or a model, not both --system and {' '.join(target)!r}.")
        _options(arguments, "a system", {})
        if arguments.loss != "full":
            raise ValueError("--loss belongs to models; a system has no loss.")
        return _flow(VectorFields.load(arguments.system), arguments, "a system", ())
    if not target:
        raise ValueError(f"give a family ({', '.join(FAMILIES)}) with its sizes, FILE.py:NAME or --system FILE.ode.")
    if ".py" in target[0]:
        return _flow(_from_file(target, arguments), arguments, target[0], ())
    return _flow(_from_family(target, arguments), arguments, target[0], FAMILIES[target[0]].positive)


Found = Model | Flow | VectorFields


def _flow(found: Found, arguments: argparse.Namespace, what: str, positive: tuple[str, ...]) -> Flow:
    """The flow asked for, on what was found; ``positive`` are the family's own positive parameters."""
    kind, decay = arguments.flow, _rational(arguments.weight_decay, "--weight-decay")
    names = positive if arguments.positive is None else tuple(filter(None, arguments.positive.split(",")))
    _check_flow_options(arguments, kind)
    loss = arguments.loss.replace("-", "_")
    if not isinstance(found, Model):
        if loss != "full":
            raise ValueError(f"--loss belongs to models, but {what} is a {type(found).__name__}.")
        if kind == "momentum":
            return momentum_flow(found, _damping(arguments), positive=names, weight_decay=decay)
        if kind != "gradient" or decay:
            given = type(found).__name__
            raise ValueError(f"--flow {kind} and --weight-decay belong to models, but {what} is a {given}.")
        return as_flow(found)
    if kind == "momentum":
        chosen = names if arguments.positive is not None else ()
        return momentum_flow(found, _damping(arguments), loss, positive=chosen, weight_decay=decay)
    if kind == "mirror":
        if not names:
            raise ValueError(f"--flow mirror needs --positive NAMES: {what} has none that are positive by themselves.")
        return mirror_flow(found, names, loss=loss, weight_decay=decay)
    return gradient_flow(found, loss, weight_decay=decay)


def _check_flow_options(arguments: argparse.Namespace, kind: str) -> None:
    if arguments.damping is not None and kind != "momentum":
        raise ValueError(f"--damping belongs to --flow momentum, not to --flow {kind}.")
    if arguments.tau is not None and arguments.damping != "heavy-ball":
        raise ValueError("--tau belongs to --flow momentum --damping heavy-ball.")
    if arguments.positive is not None and kind == "gradient":
        raise ValueError("--positive belongs to --flow mirror and --flow momentum.")


def _damping(arguments: argparse.Namespace) -> HeavyBall | Nesterov | None:
    match arguments.damping:
        case "heavy-ball":
            return HeavyBall(_rational(arguments.tau or "1", "--tau"))
        case "nesterov":
            return Nesterov()
        case _:
            return None


def _rational(text: str, what: str) -> Fraction:
    try:
        return rational(text)
    except ValueError:
        raise ValueError(f"{what} must be a rational such as 3 or 1/2, not {text!r}.") from None


def _options(arguments: argparse.Namespace, what: str, accepted: Any) -> dict[str, Any]:
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
        given[option] = _rational(value, f"--{option}") if accepted[option] == "rational" else value
    return given


def _from_family(target: list[str], arguments: argparse.Namespace) -> Model:
    name, *words = target
    if name not in FAMILIES:
        raise ValueError(f"unknown family {name!r}: expected one of {', '.join(FAMILIES)}, or FILE.py:NAME.")
    options = _options(arguments, name, FAMILIES[name].options)
    return FAMILIES[name].model(name, [_size(f"a size of {name}", word) for word in words], options)


def _size(what: str, word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise ValueError(f"{what} must be an integer, not {word!r}.") from None


def _from_file(target: list[str], arguments: argparse.Namespace) -> Found:
    """The object NAME of FILE.py; a function without arguments is called."""
    path, _, name = target[0].rpartition(":")
    if not path or not name or len(target) > 1:
        raise ValueError(f"expected FILE.py:NAME, not {' '.join(target)!r}.")
    _options(arguments, target[0], {})
    if not Path(path).is_file():
        raise ValueError(f"no file {path!r}.")
    module = _imported(path)
    if not hasattr(module, name):
        raise ValueError(f"{path} defines no {name!r}.")
    found = getattr(module, name)
    if callable(found) and not isinstance(found, (Model, Flow, VectorFields)):
        found = _guarded(found, f"{name}() of {path}")
    if not isinstance(found, (Model, Flow, VectorFields)):
        raise TypeError(f"{name!r} of {path} must be a Model, a Flow or VectorFields, not {type(found).__name__}.")
    return found


def _imported(path: str) -> object:
    spec = importlib.util.spec_from_file_location("clexact_user_model", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    _guarded(lambda: spec.loader.exec_module(module), path)  # type: ignore[union-attr]
    return module


def _guarded(call: Callable[[], object], what: str) -> object:
    """Run the user's code; whatever it raises becomes one sentence."""
    try:
        return call()
    except Exception as error:
        raise ValueError(f"{what} failed: {type(error).__name__}: {error}") from error
