"""``clexact plot``: draw a picture into a file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from clexact.cli.inputs import add_input, read_flow
from clexact.counting.certify import certify
from clexact.flows.flow import Flow
from clexact.programs.model import Model
from clexact.support.files import check_place

KINDS = ("level-sets", "drift", "slope", "filtration", "touches", "starts")
ONLY_LEVEL_SETS = ("levels", "box", "curves")
EPILOG = """\
examples:
  clexact plot level-sets                      gradient flows of (u v1, u v2) on their level sets, as in the talk
  clexact plot level-sets product 2 --out hyperbolas.pdf
  clexact plot level-sets --system lotka.ode --box 0.02 4
  clexact plot filtration linear 2 2 2 --flow momentum
  clexact plot touches relu 3 4 4 2 --bias
  clexact plot drift relu 3 8 2                gradient descent, momentum and weight decay on random data
  clexact plot slope                           drift against step size
  clexact plot starts true-networks.db         laws near random starts against depth and width, from a sweep
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is drawn, of which model, and into which file."""
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    add_input(parser)
    parser.add_argument("--out", metavar="FILE", help="FILE.png, .svg or .pdf (default KIND.png)")
    parser.add_argument("--degree", type=int, default=2, metavar="K", help="degree of the polynomial laws (default 2)")
    parser.add_argument("--where", metavar="CONDITION", help="starts: only rows that meet it (SQL)")
    parser.add_argument("--eta", type=float, metavar="X", help="drift: the step size (default 0.02)")
    own = parser.add_argument_group("level-sets")
    own.add_argument("--levels", type=float, nargs="+", metavar="C", help="of the laws (default -1 0 1)")
    own.add_argument("--box", type=float, nargs=2, metavar=("LOW", "HIGH"), help="of each coordinate (default -2 2)")
    own.add_argument("--curves", type=int, metavar="N", help="curves on each level set (default 4)")


def run(arguments: argparse.Namespace) -> None:
    """Draw, write the file and name it. ValueError for wrong input, OSError for a file that cannot be written."""
    path = Path(arguments.out or f"{arguments.kind}.png")
    try:
        from clexact import plot
        from clexact.plot.figures import kind_of

        kind_of(path)
        check_place(path)
        plot.save(_drawn(plot, arguments), path)
    except ImportError as error:  # which names the extra
        raise ValueError(str(error)) from None
    if arguments.json:
        print(json.dumps({"kind": arguments.kind, "file": str(path)}))
    elif not arguments.quiet:
        print(path)


def _drawn(plot: Any, arguments: argparse.Namespace) -> Any:
    kind = arguments.kind
    if arguments.where is not None and kind != "starts":
        raise ValueError(f"--where belongs to starts, not to {kind}.")
    flow = None if kind == "starts" else _flow(arguments)
    own = {name: value for name in ONLY_LEVEL_SETS if (value := getattr(arguments, name)) is not None}
    if own and kind != "level-sets":
        raise ValueError(f"--{next(iter(own))} belongs to level-sets, not to {kind}.")
    if arguments.eta is not None and kind != "drift":
        raise ValueError(f"--eta belongs to drift, not to {kind}.")
    match kind:
        case "level-sets":
            return plot.level_sets(flow, degree=arguments.degree, seed=arguments.seed, **own)
        case "starts":
            return plot.starts(_starts(arguments))
        case "drift" | "slope":
            return _trained(plot, flow, arguments)
        case _:
            draw = plot.filtration if kind == "filtration" else plot.touches
            return draw(None if flow is None else certify(flow, arguments.degree, arguments.seed))


def _starts(arguments: argparse.Namespace) -> Any:
    """The counts of the store that is named; None without one: the default."""
    from clexact.sweeps.starts import by_layers, start_counts
    from clexact.sweeps.store import Store

    if not arguments.target:
        return None
    [path, *more] = arguments.target
    if more:
        raise ValueError(f"starts takes the store of one sweep, not {' '.join(arguments.target)!r}.")
    with Store(path, write=False) as store:
        return by_layers(start_counts(store, arguments.where or ""))


def _trained(plot: Any, flow: Flow | None, arguments: argparse.Namespace) -> Any:
    """Drifts of discrete steps on random data."""
    from clexact.plot import examples

    model = None if flow is None else _squared_loss(flow, arguments.kind)
    if arguments.kind == "slope":
        return plot.slope(examples.slopes(model, arguments.seed))
    eta = examples.ETA if arguments.eta is None else arguments.eta
    return plot.drift(examples.runs(model, arguments.seed, eta))


def _squared_loss(flow: Flow, kind: str) -> Model:
    """The model that is trained with squared loss; ValueError for any other flow."""
    gradients = flow.plain_gradients
    if gradients is None or gradients.loss != "full":
        raise ValueError(f"{kind} takes discrete steps for a model, not the {flow.description}.")
    return gradients.model


def _flow(arguments: argparse.Namespace) -> Flow | None:
    """The flow that is named; None where neither a model nor an option is: the default of the kind."""
    blank = argparse.ArgumentParser()
    add_input(blank)
    if all(getattr(arguments, name) == value for name, value in vars(blank.parse_args([])).items()):
        return None
    return read_flow(arguments)
