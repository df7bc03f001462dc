"""Rules of recurrent layers and cells: each step written out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clexact import functions
from clexact.programs.array import Array, concatenate
from clexact.torch.translation.rule import Call, rule, symbols

State = tuple[Array, ...]  # h; of an LSTM, (h, c)
Cell = Callable[[Array, State, Sequence[Array]], State]  # (x, state, weights) -> state


def _affine(x: Array, weight: Array, bias: Sequence[Array]) -> Array:
    """x W^T + b, on rows; a state of zeros reads no weights."""
    zeros = np.zeros((*x.shape[:-1], weight.shape[0]), dtype=int)
    return sum(bias, x.symbol(zeros) if x.is_zero else x @ weight.T)


def _both(x: Array, h: Array, weights: Sequence[Array]) -> tuple[Array, Array]:
    """What the input gives, and what the state gives."""
    of_input, of_state, *biases = weights[: 4 if len(weights) > 3 else 2]
    return _affine(x, of_input, biases[:1]), _affine(h, of_state, biases[1:])


def _parts(x: Any, count: int) -> Any:
    return np.split(x, count, -1)


def _lstm(x: Array, state: State, weights: Sequence[Array]) -> State:
    h, c = state
    of_input, of_state = _both(x, h, weights)
    i, f, g, o = _parts(of_input + of_state, 4)
    new = functions.sigmoid(i) * functions.tanh(g)
    c = new if c.is_zero else functions.sigmoid(f) * c + new
    h = functions.sigmoid(o) * functions.tanh(c)
    return (h @ weights[-1].T if len(weights) % 2 else h), c  # with a projection


def _gru(x: Array, state: State, weights: Sequence[Array]) -> State:
    (h,) = state
    (r, z, n), (r_h, z_h, n_h) = (_parts(part, 3) for part in _both(x, h, weights))
    kept = functions.sigmoid(z + z_h)
    return ((1 - kept) * functions.tanh(n + functions.sigmoid(r + r_h) * n_h) + kept * h,)


def _elman(activation: Callable[[Array], Array]) -> Cell:
    def cell(x: Array, state: State, weights: Sequence[Array]) -> State:
        a, b = _both(x, state[0], weights)
        return (activation(a + b),)

    return cell


CELLS: dict[str, Cell] = {
    "lstm": _lstm,
    "gru": _gru,
    "rnn_tanh": _elman(functions.tanh),
    "rnn_relu": _elman(functions.relu),
}


@rule("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
def _cell(call: Call, x: Any, hx: Any, **weights: Any) -> Any:
    given = [part for part in weights.values() if part is not None]
    state = hx if isinstance(hx, list) else [hx]
    a, *rest = symbols(x, *state, *given)
    found = CELLS[call.name.removesuffix("_cell")](a, tuple(rest[: len(state)]), rest[len(state) :])
    return found if len(found) > 1 else found[0]


@rule("lstm", "gru", "rnn_tanh", "rnn_relu")
def _layers(
    call: Call, x: Any, hx: Any, params: Any, has_biases: bool, num_layers: int, dropout: float, train: bool,
    bidirectional: bool, batch_first: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """The outputs of all steps, and the last state of every layer and direction."""
    initial = hx if isinstance(hx, list) else [hx]
    a, *rest = symbols(x, *initial, *params)
    initial, weights = rest[: len(initial)], rest[len(initial) :]
    directions, steps = 1 + bidirectional, a.swapaxes(0, 1) if batch_first else a
    each = len(weights) // (num_layers * directions)
    last = list[State]()
    for layer in range(num_layers):
        if layer and dropout and train:
            kept = call.probe()[layer - 1]
            steps = steps * (kept.swapaxes(0, 1) if batch_first else kept)
        results = []
        for direction in range(directions):
            n = layer * directions + direction
            state = tuple(part[n] for part in initial)
            found = _run(CELLS[call.name], steps, state, weights[n * each : (n + 1) * each], direction == 1)
            results.append(np.stack([state[0] for state in found]))
            last.append(found[0 if direction else -1])
        steps = concatenate(results, -1)
    return (steps.swapaxes(0, 1) if batch_first else steps), *(np.stack(parts) for parts in zip(*last, strict=True))


def _run(cell: Cell, steps: Array, state: State, weights: Sequence[Array], backwards: bool) -> list[State]:
    """The state after each step, in the order of the steps."""
    order = range(len(steps))[:: -1 if backwards else 1]
    found = {}
    for t in order:
        found[t] = state = cell(steps[t], state, weights)
    return [found[t] for t in sorted(found)]
