r"""Which shifts of parameters leave the outputs of a module unchanged: laws that are linear.

Adding to a tensor a number that is constant along some axes is seen by nobody if what comes next is a softmax along one
of them, or a normalisation over them, or if the loss is cross-entropy and they hold the classes. Read backward through
the trace, each use of a tensor allows shifts that are constant along certain axes, or none; a parameter with a shift
allowed by all its uses has its sums along these axes conserved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.fx import Node

from clexact.programs.places import Shape
from clexact.symmetry.grading import matching, regrouped
from clexact.torch.failures import Failures
from clexact.torch.law import Term, View
from clexact.torch.rules import CONVOLUTIONS
from clexact.torch.rules.degrees import MisfitError
from clexact.torch.solve import Found
from clexact.torch.trace import Trace, constant, operation

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Use:
    """One use of a tensor: entries of ``mask`` (it broadcasts) may shift, alike along ``axes``; None: they may not."""

    mask: Mask
    axes: frozenset[int] | None

    @property
    def key(self) -> object:
        """Equal for uses that are."""
        return self.axes, self.mask.shape, self.mask.tobytes()


def translations(trace: Trace, class_axis: int | None, failures: Failures) -> list[Found]:
    """The linear laws of a trace; ``class_axis`` of its single output is that of the classes of cross-entropy.

    ``failures`` is told of rules that fail.
    """
    uses: dict[Node, dict[object, Use]] = {node: {} for node in trace.nodes}
    for node in trace.outputs:
        axes = None if class_axis is None else frozenset({class_axis % max(1, len(_shape(node)))})
        use = _whole(node, axes)
        uses[node][use.key] = use
    for node in reversed(trace.nodes):
        if node.op == "call_function" and not constant(node):
            for source, use in _passed(node, list(uses[node].values()), failures):
                if source in uses and (use.axes is None or use.axes) and use.mask.any():
                    uses[source][use.key] = (
                        use  # equal ones once: a residual stream has a path for every subset of blocks
                    )
    by_parameter: dict[str, tuple[Shape, list[Use]]] = {}
    for node in trace.nodes:
        if node.name in trace.parameters:
            by_parameter.setdefault(trace.parameters[node.name], (_shape(node), []))[1].extend(uses[node].values())
    return [found for name, (shape, each) in by_parameter.items() for found in _laws(name, shape, each)]


def _any(mask: Mask, axis: int | tuple[int, ...], keepdims: bool = False) -> Mask:
    return np.asarray(np.any(mask, axis=axis, keepdims=keepdims))


def _shape(node: Node) -> Shape:
    return tuple(int(size) for size in getattr(node.meta.get("val"), "shape", ()))


def _whole(node: Node, axes: frozenset[int] | None) -> Use:
    return Use(np.ones((1,) * len(_shape(node)), dtype=bool), axes)


def _laws(name: str, shape: Shape, uses: Sequence[Use]) -> list[Found]:
    """The sums of a parameter that all uses leave free: over parts of its first axis, if they differ there."""
    found: list[Found] = []
    if not shape or any(any(size > 1 for size in use.mask.shape[1:]) for use in uses):
        return found
    rows = [np.broadcast_to(use.mask, (shape[0], *use.mask.shape[1:])).reshape(-1) for use in uses]
    codes = np.zeros(shape[0], dtype=np.int64)
    for mask in rows:
        codes = np.unique(2 * codes + mask, return_inverse=True)[1].reshape(-1)
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), shape[0]]
    for start, stop in pairwise(edges):
        seen = [(use.axes, mask) for use, mask in zip(uses, rows, strict=True) if mask[start]]
        if any(axes is None or (0 in axes and mask.sum() > stop - start) for axes, mask in seen):
            continue  # not alike along all of the axis that a use needs
        needed = frozenset[int]().union(*(axes for axes, _ in seen if axes is not None))
        along = sorted(axis for axis in needed if shape[axis] > 1)
        if len(along) <= 1:
            part = (stop - start, *shape[1:])
            rest = tuple(axis for axis in range(len(shape)) if axis not in along)
            view = View(part, rest, along[0] if along else None, 0, start, None if stop - start == shape[0] else stop)
            found.append(Found("translation", (Term(name, 1, view),), view.groups, 1))
    return found


def _passed(node: Node, uses: list[Use], failures: Failures) -> list[tuple[Node, Use]]:
    """What the uses of a result mean for the operands; what is not understood may not shift."""
    try:
        return _read(node, uses)
    except MisfitError:
        pass  # not covered
    except Exception as error:
        failures.note(operation(node), error)
    return [(source, _whole(source, None)) for source in node.all_input_nodes]


def _read(node: Node, uses: list[Use]) -> list[tuple[Node, Use]]:
    name = operation(node)
    if name in PIECES:
        return [pair for use in uses for pair in _piece(node, use)]
    if name in MOVING:
        return [pair for use in uses for pair in _moved(node, use)]
    absorbed = ABSORBING[name](node) if name in ABSORBING else None
    if absorbed is not None:
        others = [s for s in node.all_input_nodes if s not in [source for source, _ in absorbed]]
        return absorbed + _biases(node, uses, others)
    passed = list[tuple[Node, Use]]()
    for use in uses:
        if use.axes is not None and name in PASSING:
            passed += PASSING[name](node, use)
        else:
            passed += [(source, _kept_still(node, source, use)) for source in node.all_input_nodes]
    return passed


def _kept_still(node: Node, source: Node, use: Use) -> Use:
    """An operand of what may not shift: all of it, or the rows of a weight or bias that make the part in question."""
    name, rows = operation(node), len(_shape(source))
    if use.axes is None and name in ("linear", *CONVOLUTIONS) and source is not node.args[0]:
        channel = len(_shape(node)) - 1 if name == "linear" else len(_shape(node)) - int(name[4]) - 1
        mask = _any(use.mask, tuple(n for n in range(use.mask.ndim) if n != channel))
        return Use(mask.reshape(-1, *[1] * (rows - 1)), None)
    return _whole(source, None)


def _biases(node: Node, uses: list[Use], others: list[Node]) -> list[tuple[Node, Use]]:
    """The weight and bias of a normalisation: the bias passes shifts on, the weight does not."""
    bias = _normal_bias(node)
    passed = []
    for use in uses:
        for source in others:
            if source is bias and use.axes is not None:
                axes = _normal_axes(node)
                lie = frozenset(n for n, axis in enumerate(axes) if axis in use.axes)
                passed.append((source, Use(np.ones((1,) * len(_shape(source)), dtype=bool), lie)))
            else:
                passed.append((source, _whole(source, None)))
    return passed


# -- operations that a shift does not pass -----------------------------------------------------------------------------


def _softmax(node: Node) -> list[tuple[Node, Use]]:
    x = node.args[0]
    return [(x, _whole(x, frozenset({node.args[1] % len(_shape(x))})))]


def _attention(node: Node) -> list[tuple[Node, Use]]:
    """The keys of all tokens may shift alike: all scores of a query then do."""
    if len({*node.args[:3]}) < 3:
        return [(source, _whole(source, None)) for source in node.all_input_nodes]
    q, key, *others = node.all_input_nodes
    return [(key, _whole(key, frozenset({len(_shape(key)) - 2})))] + [(s, _whole(s, None)) for s in (q, *others)]


def _normal_axes(node: Node) -> list[int]:
    """The axes of the result along which the weight and bias of a normalisation lie."""
    if operation(node) == "layer_norm":
        return list(range(len(_shape(node)) - len(node.args[1]), len(_shape(node))))
    return [1]


def _normal_bias(node: Node) -> Any:
    place = 3 if operation(node) in ("layer_norm", "group_norm") else 2
    return node.args[place] if len(node.args) > place else node.kwargs.get("bias")


def _layer_norm(node: Node) -> list[tuple[Node, Use]]:
    x = node.args[0]
    return [(x, _whole(x, frozenset(_normal_axes(node))))]


def _batch_norm(node: Node) -> list[tuple[Node, Use]] | None:
    x = node.args[0]
    plain = operation(node) == "_native_batch_norm_legit"  # without running statistics
    if len(node.args) != (6 if plain else 8) or node.args[3 if plain else 5] is not True:
        return None
    axes = frozenset(axis for axis in range(len(_shape(x))) if axis != 1)
    return [(x, _whole(x, axes))]


def _instance_norm(node: Node) -> list[tuple[Node, Use]] | None:
    x = node.args[0]
    if not node.args[5]:
        return None
    return [(x, _whole(x, frozenset(range(2, len(_shape(x))))))]


ABSORBING: dict[str, Callable[[Node], list[tuple[Node, Use]] | None]] = {
    "softmax": _softmax,
    "_softmax": _softmax,
    "log_softmax": _softmax,
    "_log_softmax": _softmax,
    "scaled_dot_product_attention": _attention,
    "layer_norm": _layer_norm,
    "_native_batch_norm_legit_functional": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
    "instance_norm": _instance_norm,
}


# -- operations that pass a shift on -----------------------------------------------------------------------------------


def _broadcast(node: Node, source: Node, use: Use) -> Use:
    """The use of an operand that was broadcast; along an axis of one entry it is not known to be."""
    shape, more = _shape(source), len(_shape(node)) - len(_shape(source))
    assert use.axes is not None
    mask = _any(use.mask, tuple(range(more))) if more else use.mask
    for axis, size in enumerate(shape):
        if size == 1 and mask.shape[axis] > 1:
            mask = _any(mask, axis, keepdims=True)
    whole = _shape(node)
    wide = frozenset(axis - more for axis in use.axes if axis >= more and not shape[axis - more] == 1 < whole[axis])
    return Use(mask, wide)


def _added(node: Node, use: Use) -> list[tuple[Node, Use]]:
    return [(source, _broadcast(node, source, use)) for source in node.all_input_nodes]


def _scaled(node: Node, use: Use) -> list[tuple[Node, Use]]:
    """A product passes the shift of one factor on where the other is constant along the axes."""
    assert use.axes is not None
    if len(node.all_input_nodes) < 2:
        only = [a for a in node.args[:2] if isinstance(a, Node)]
        if len(only) == 1:
            return _added(node, use)
        return [(source, _whole(source, None)) for source in node.all_input_nodes]
    passed = []
    a, b = node.all_input_nodes
    for source, other in ((a, b), (b, a)):
        more = len(_shape(node)) - len(_shape(other))
        whole = _shape(node)
        flat = all(axis < more or _shape(other)[axis - more] == 1 < whole[axis] for axis in use.axes)
        divisor = operation(node) == "div" and source is node.args[1]
        passed.append((source, _broadcast(node, source, use) if flat and not divisor else _whole(source, None)))
    return passed


def _masked(node: Node, use: Use) -> list[tuple[Node, Use]]:
    """Entries set to minus infinity stay there."""
    x, value = node.args[0], node.args[2]
    passes = value == float("-inf")
    return [(x, use if passes else _whole(x, None))]


def _linear(node: Node, use: Use) -> list[tuple[Node, Use]]:
    assert use.axes is not None
    last = len(_shape(node)) - 1
    x, weight = node.args[:2]
    bias = node.args[2] if len(node.args) > 2 else node.kwargs.get("bias")
    out_only, mask = use.axes <= {last}, _any(use.mask, tuple(range(last)))
    lies = frozenset({0}) if last in use.axes else frozenset[int]()
    passed: list[tuple[Node, Use]] = [(x, _whole(x, None) if last in use.axes else Use(
        _any(use.mask, last, keepdims=True), use.axes))]  # fmt: skip
    rows = mask.reshape(-1)
    passed.append((weight, Use(rows[:, None], lies if out_only else None)))
    if isinstance(bias, Node):
        passed.append((bias, Use(rows, lies)))
    return passed


def _convolution(node: Node, use: Use) -> list[tuple[Node, Use]]:
    assert use.axes is not None
    x, weight = node.args[:2]
    bias = node.args[2] if len(node.args) > 2 else node.kwargs.get("bias")
    channel = len(_shape(node)) - len(_shape(weight)) + 1
    others = tuple(axis for axis in range(len(_shape(node))) if axis != channel)
    rows, lies = _any(use.mask, others), frozenset({0}) if channel in use.axes else frozenset[int]()
    groups = node.args[6] if len(node.args) > 6 else node.kwargs.get("groups", 1)
    filters = Use(rows.reshape(-1, *[1] * (len(_shape(weight)) - 1)), lies)
    passed: list[tuple[Node, Use]] = [(x, _whole(x, None))]
    passed.append((weight, filters if use.axes <= {channel} and groups == 1 else _whole(weight, None)))
    return [*passed, (bias, Use(rows, lies))] if isinstance(bias, Node) else passed


def _matmul(node: Node, use: Use) -> list[tuple[Node, Use]]:
    """A shift of a row of the left factor, alike in all rows, shifts all rows alike; likewise columns of the right."""
    assert use.axes is not None
    a, b = node.args[:2]
    known = isinstance(a, Node) and isinstance(b, Node) and a is not b
    if not known or not len(_shape(a)) == len(_shape(b)) == len(_shape(node)):
        return [(source, _whole(source, None)) for source in node.all_input_nodes]
    row = len(_shape(node)) - 2
    left = Use(_any(use.mask, row + 1, keepdims=True), use.axes if use.axes <= {row} else None)
    right = Use(_any(use.mask, row, keepdims=True), use.axes if use.axes <= {row + 1} else None)
    return [(a, left), (b, right)]


def _embedding(node: Node, use: Use) -> list[tuple[Node, Use]]:
    assert use.axes is not None
    weight, last = node.args[0], len(_shape(node)) - 1
    padded = len(node.args) > 2 and node.args[2] >= 0
    passes = use.axes <= {last} and not padded and len(node.args) < 4
    mask = _any(use.mask, tuple(range(last))).reshape(1, -1)
    return [(weight, Use(mask, frozenset({1}) if passes else None))]


def _reduced(node: Node, use: Use) -> list[tuple[Node, Use]]:
    """A sum or mean of what shifts alike along the other axes does so too."""
    assert use.axes is not None
    x = node.args[0]
    assert isinstance(x, Node)
    ndim, dims = len(_shape(x)), node.args[1]
    gone = [axis % ndim for axis in ([dims] if isinstance(dims, int) else dims)]
    left = list(range(ndim)) if len(_shape(node)) == ndim else [axis for axis in range(ndim) if axis not in gone]
    mask = use.mask.reshape([use.mask.shape[left.index(axis)] if axis in left else 1 for axis in range(ndim)])
    return [(x, Use(mask, frozenset(left[axis] for axis in use.axes)))]


def _joined(node: Node, use: Use) -> list[tuple[Node, Use]]:
    """Parts put together along an axis along which shifts may differ."""
    assert use.axes is not None
    parts = [part for part in node.args[0] if isinstance(part, Node)]
    axis = (node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)) % len(_shape(node))
    ends, passed = np.cumsum([0, *(_shape(part)[axis] for part in parts)]).tolist(), list[tuple[Node, Use]]()
    for part, (start, stop) in zip(parts, pairwise(ends), strict=True):
        mask = use.mask if use.mask.shape[axis] == 1 else use.mask.take(np.arange(start, stop), axis=axis)
        passed.append((part, _whole(part, None) if axis in use.axes else Use(mask, use.axes)))
    return passed


def _dropout(node: Node, use: Use) -> list[tuple[Node, Use]]:
    x = node.args[0]
    off = not node.args[2] or node.args[1] == 0
    return [(x, use if off else _whole(x, None))]


def _rearranged(node: Node, use: Use) -> list[tuple[Node, Use]]:
    x = node.args[0]
    assert isinstance(x, Node) and use.axes is not None
    old, new, name = _shape(x), _shape(node), operation(node)
    if name == "unsqueeze":
        place = node.args[1] % len(new)
        return [(x, Use(_any(use.mask, place), frozenset(a - (a > place) for a in use.axes - {place})))]
    if name == "squeeze" and len(node.args) > 1:
        dims = [node.args[1]] if isinstance(node.args[1], int) else node.args[1]
        left = [a for a in range(len(old)) if old[a] > 1 or (a - len(old) not in dims and a not in dims)]
        gone = tuple(a for a in range(len(old)) if a not in left)
        return [(x, Use(np.expand_dims(use.mask, gone), frozenset(left[a] for a in use.axes)))]
    axes = frozenset[int]()
    for before, after in matching(old, new):
        if use.axes & set(after):  # alike along the whole group: more than is asked
            axes |= set(before)
    if old.count(1) != new.count(1):  # which axes of one entry belong together is not known: they may be a batch
        if any(new[axis] == 1 for axis in use.axes):
            return [(x, _whole(x, None))]
        axes |= {axis for axis, size in enumerate(old) if size == 1}
    return [(x, Use(regrouped(use.mask, new, old), axes))]


PASSING: dict[str, Callable[[Node, Use], list[tuple[Node, Use]]]] = {
    **dict.fromkeys(("add", "sub", "rsub"), _added),
    **dict.fromkeys(("sum", "mean"), _reduced),
    **dict.fromkeys(("cat", "concat", "concatenate"), _joined),
    **dict.fromkeys(("mul", "div"), _scaled),
    "masked_fill": _masked,
    "linear": _linear,
    **dict.fromkeys(CONVOLUTIONS, _convolution),
    **dict.fromkeys(("matmul", "bmm", "mm"), _matmul),
    "embedding": _embedding,
    **dict.fromkeys(("dropout", "native_dropout"), _dropout),
}


# -- operations that only move entries: also what may not shift keeps its place ----------------------------------------


def _moved(node: Node, use: Use) -> list[tuple[Node, Use]]:
    """A view, or a permutation of axes."""
    x, name = node.args[0], operation(node)
    assert isinstance(x, Node)
    if name in TURNS:
        ndim = len(_shape(node))
        order = list(range(ndim))
        if name == "permute":
            order = [axis % ndim for axis in node.args[1]]
        elif name in ("t", "numpy_T"):
            order = order[::-1]
        elif name == "mT":
            order[-2:] = order[:-3:-1]
        else:
            i, j = node.args[1] % ndim, node.args[2] % ndim
            order[i], order[j] = order[j], order[i]
        axes = None if use.axes is None else frozenset(order[axis] for axis in use.axes)
        return [(x, Use(use.mask.transpose(np.argsort(order)), axes))]
    if name in COPIES:
        return [(x, use)]
    if name == "expand":
        return [(x, _broadcast(node, x, use) if use.axes is not None else _whole(x, None))]
    if use.axes is None:
        return [(x, Use(regrouped(use.mask, _shape(node), _shape(x)), None))]
    return _rearranged(node, use)


def _piece(node: Node, use: Use) -> list[tuple[Node, Use]]:
    """A part along one axis: the rest of the operand is not used here."""
    name, source = operation(node), node.args[0]
    assert isinstance(source, Node)
    if name == "getitem":
        parent, number = source.args[0], node.args[1]
        if operation(source) not in ("split", "split_with_sizes", "chunk", "unbind"):
            return [(source, use)]  # the first of several results
        assert isinstance(parent, Node) and isinstance(number, int)
        return [(parent, _placed(parent, source, number, use))]
    ndim = len(_shape(source))
    axis = (node.args[1] if len(node.args) > 1 else 0) % ndim
    size = _shape(source)[axis]
    if name == "select":
        index = np.array([node.args[2] % size])
        return [(source, _scattered(use, axis, index, size, drop=True))]
    index = np.arange(size)[slice(*node.args[2:5])]
    return [(source, _scattered(use, axis, index, size))]


def _placed(parent: Node, split: Node, number: int, use: Use) -> Use:
    """The use of a tensor of which one of several parts is used."""
    shape, drop = _shape(parent), operation(split) == "unbind"
    place = 1 if drop else 2
    axis = (split.args[place] if len(split.args) > place else split.kwargs.get("dim", 0)) % len(shape)
    if drop:
        return _scattered(use, axis, np.array([number]), shape[axis], drop=True)
    size = split.args[1]
    if operation(split) == "chunk":
        size = -(-shape[axis] // size)
    starts = list(range(0, shape[axis], size)) if isinstance(size, int) else np.cumsum([0, *size]).tolist()
    stop = starts[number + 1] if number + 1 < len(starts) else shape[axis]
    return _scattered(use, axis, np.arange(starts[number], stop), shape[axis])


def _scattered(use: Use, axis: int, index: NDArray[np.int64], size: int, drop: bool = False) -> Use:
    """The use of all of an axis when only the entries ``index`` are used; shifts alike along it then are not read."""
    mask = np.expand_dims(use.mask, axis) if drop else use.mask
    wide = list(mask.shape)
    wide[axis] = size
    out = np.zeros(wide, dtype=bool)
    out[(slice(None),) * axis + (index,)] = mask
    if use.axes is None:
        return Use(out, None)
    axes = frozenset(a + (drop and a >= axis) for a in use.axes)
    return Use(out, axes)


VIEWS = {"view", "_unsafe_view", "reshape", "flatten", "unflatten", "unsqueeze", "squeeze"}
TURNS = {"permute", "transpose", "t", "numpy_T", "mT"}
COPIES = {"clone", "contiguous", "alias", "neg", "to", "_to"}  # a cast passes gradients, up to its rounding
MOVING = {"expand"} | TURNS | COPIES | VIEWS
PIECES = {"slice", "select", "getitem"}
