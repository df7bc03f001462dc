"""The flow on given data: these inputs alone, with any targets."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from clexact.algebra.polynomial import Number, exact
from clexact.flows.analytic import of_model
from clexact.flows.gradient import GradientFlow, Loss
from clexact.flows.together import cases_flow
from clexact.programs import gates
from clexact.programs.held import Table, held
from clexact.programs.model import Model
from clexact.programs.places import Shape


def flow_of(model: Model, loss: Loss, inputs: object = None) -> GradientFlow:
    """The gradient flow of a model on these inputs, else on those that it remembers, else on all; gates are free.

    TypeError or ValueError for what are no inputs.
    """
    if inputs is None and model.inputs is None:
        return of_model(model, loss)
    tables = model.inputs if inputs is None else data_tables(model, inputs)
    assert tables is not None
    here, cases = held(model, tables)
    here.data = gates.THIS_DATA
    return cases_flow(here, loss, cases, source=model, data=tables)


def data_tables(model: Model, inputs: object) -> dict[str, Table]:
    """{probe: (inputs, *shape)}: inputs of the model as exact numbers."""
    chosen = {*model.free, *(gate.probe for gate in model.program.gates)}
    shapes = {name: shape for name, shape in model.probes.items() if name not in chosen}
    if not shapes:
        raise ValueError(f"{model.name} has no inputs, and takes no data.")
    if not isinstance(inputs, Mapping):
        if len(shapes) != 1:
            raise TypeError(f"inputs must map the probes {list(shapes)} to arrays, not be {type(inputs).__name__}.")
        inputs = {next(iter(shapes)): inputs}
    if set(inputs) != set(shapes):
        raise ValueError(f"inputs must give the probes {list(shapes)}, not {list(inputs)}.")
    tables = {name: _table(inputs[name], shape, name) for name, shape in shapes.items()}
    if len(sizes := {len(table) for table in tables.values()}) > 1:
        raise ValueError(f"inputs must be equally many for each probe, not {sorted(sizes)}.")
    return tables


def _table(values: object, shape: Shape, name: str) -> Table:
    """Exact numbers of shape (inputs, *shape)."""
    given = values.tolist() if hasattr(values, "tolist") else values  # of tensors too
    array = values if isinstance(values, np.ndarray) else np.array(given, dtype=object)
    if array.shape[1:] != shape or not array.ndim or not len(array):
        expected = ", ".join(["N", *map(str, shape)])
        raise ValueError(f"inputs for {name!r} must have shape ({expected}), N at least 1, not {array.shape}.")
    flat = np.empty(array.size, dtype=object)
    flat[:] = [_number(c, name) for c in array.ravel().tolist()]
    return flat.reshape(array.shape)


def _number(value: Any, name: str) -> Number:
    """The exact value of a number: of a float the binary fraction that it is, of a text the decimal that it writes."""
    if isinstance(value, (float, Decimal, str)):
        try:
            value = Fraction(value)
        except (ValueError, OverflowError, ZeroDivisionError):
            raise ValueError(f"an input for {name!r} must be a finite number, not {value!r}.") from None
        return int(value) if value.denominator == 1 else value
    return exact(value, f"an input for {name!r}")
