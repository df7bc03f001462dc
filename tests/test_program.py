"""Recorded programs mean what the user's NumPy function means."""

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import filled, join, random_net

import clexact
from clexact.programs.algebras import Numbers
from clexact.programs.array import record

SHAPES = {"s": (), "v": (3,), "w": (2,), "A": (2, 3), "B": (3, 2), "T": (2, 3, 2), "R": (2, 2, 3), "N": (1, 3)}
ROWS = np.array([[1, -2], [0, 3]])

OPERATIONS = {
    "the parameter itself": lambda A, **_: A,
    "add": lambda A, R, **_: A + R,
    "add a scalar": lambda A, s, **_: s + A,
    "add a vector to rows": lambda A, v, **_: A + v,
    "add two that broadcast": lambda N, w, **_: N + w[:, None],
    "subtract": lambda A, v, **_: A - v,
    "negate": lambda A, **_: -A,
    "multiply": lambda A, v, **_: v * A,
    "multiply scalars": lambda s, **_: s * s,
    "multiply two that broadcast": lambda A, R, **_: A[None, :, :, None] * R[:, :, :, None],
    "matmul": lambda A, B, **_: A @ B,
    "matrix times vector": lambda A, v, **_: A @ v,
    "vector times matrix": lambda w, A, **_: w @ A,
    "vector times vector": lambda v, **_: v @ v,
    "stack times matrix": lambda R, B, **_: R @ B,
    "matrix times stack": lambda A, T, **_: A @ T,
    "stack times stack": lambda R, T, **_: R @ T,
    "stack times vector": lambda R, v, **_: R @ v,
    "vector times stack": lambda w, R, **_: w @ R,
    "stack of one times stack": lambda R, T, **_: R[:1] @ T,
    "deep stack": lambda R, B, **_: R[:, None] @ B,
    "transpose": lambda A, **_: A.T,
    "transpose three axes": lambda T, **_: T.T,
    "transpose in an order": lambda T, **_: T.transpose(1, 2, 0),
    "transpose in an order given as a tuple": lambda T, **_: T.transpose((2, 0, 1)),
    "transpose with negative axes": lambda T, **_: T.transpose(-1, 0, -2),
    "transpose a vector": lambda v, **_: v.T,
    "transpose a scalar": lambda s, **_: s.T,
    "reshape": lambda T, **_: T.reshape(4, 3),
    "reshape to a tuple": lambda T, **_: T.reshape((3, 4)),
    "reshape with -1": lambda T, **_: T.reshape(2, -1),
    "flatten": lambda T, **_: T.reshape(-1),
    "reshape a scalar": lambda s, **_: s.reshape(1, 1),
    "entry": lambda A, **_: A[1, 2],
    "negative entry": lambda A, **_: A[-1, -3],
    "row": lambda A, **_: A[0],
    "column": lambda A, **_: A[:, 1],
    "slice": lambda T, **_: T[:, 1:, ::-1],
    "ellipsis": lambda T, **_: T[..., 0],
    "new axis": lambda v, **_: v[:, None],
    "list with repetitions": lambda A, **_: A[:, [2, 0, 2]],
    "two lists": lambda A, **_: A[[0, 1, 1], [2, 2, 0]],
    "mask": lambda A, **_: A[np.array([[True, False, True], [False, True, False]])],
    "empty slice": lambda A, **_: A[:, 3:],
    "scalar with new axis": lambda s, **_: s[None],
    "iteration": lambda A, **_: sum(row * k for k, row in enumerate(A, start=1)),
    "length": lambda A, **_: A * len(A),
    "sizes": lambda T, **_: T * (T.size + T.ndim + T.shape[1]),
    "sum": lambda T, **_: T.sum(),
    "sum of a scalar": lambda s, **_: s.sum(),
    "sum along an axis": lambda T, **_: T.sum(axis=1),
    "sum along a negative axis": lambda T, **_: T.sum(-1),
    "concatenate": lambda A, R, **_: join([A, A * 2]),
    "concatenate along an axis": lambda A, B, **_: join([A, B.T, A], 1),
    "concatenate along a negative axis": lambda T, **_: join([T, T[:, :, :1]], -1),
    "concatenate with a constant": lambda v, **_: join([v, np.array([1, 2])]),
    "power 0": lambda A, **_: A**0,
    "power 1": lambda A, **_: A**1,
    "power 2": lambda A, **_: A**2,
    "power 5": lambda A, **_: A**5,
    "power 6 of a scalar": lambda s, **_: s**6,
    "power of NumPy's integer": lambda A, **_: A ** np.int64(3),
    "integer": lambda A, **_: 3 * A + 2 - A * 0,
    "integer minus": lambda A, **_: 1 - A,
    "integer beyond 64 bits": lambda s, **_: s * 10**30 - 2**200,
    "fraction": lambda A, **_: Fraction(2, 3) * A - Fraction(1, 7),
    "division": lambda A, **_: A / 6,
    "division by a fraction": lambda A, **_: A / Fraction(-2, 3),
    "array on the left of matmul": lambda A, **_: ROWS @ A,
    "array on the right of matmul": lambda B, **_: B @ ROWS,
    "array on the left of +": lambda A, **_: ROWS[:, :1] + A,
    "array on the left of -": lambda A, **_: np.array([1, 2, 3]) - A,
    "array on the left of *": lambda w, **_: ROWS * w,
    "array of fractions": lambda v, **_: np.array([Fraction(1, 2), 3, Fraction(-1, 5)], dtype=object) * v,
    "array of booleans": lambda v, **_: np.array([True, False, True]) * v,
    "array of small integers": lambda v, **_: np.array([200, 100, 7], dtype=np.uint8) * v,
    "NumPy scalar": lambda A, **_: np.int64(5) * A,
    "an array used twice": lambda A, B, **_: (A @ B) @ (A @ B) + (A @ B),
}


def recorded(output, shapes, arrays):
    """The value of the recorded program on numbers."""
    program = record(output, shapes, {})
    values = program.run(Numbers(), arrays)
    return program, values[program.output]


def fractions(shapes, seed=0):
    """Arrays of random rationals."""
    rng = random.Random(seed)
    draw = lambda: Fraction(rng.randint(-9, 9), rng.randint(1, 5))  # noqa: E731
    return {name: filled([draw() for _ in range(int(np.prod(shape)))], shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_those_of_numpy(name):
    """Every operation, broadcasting and kind of constant: same shape, same numbers."""
    arrays = fractions(SHAPES, seed=len(name))
    program, found = recorded(OPERATIONS[name], SHAPES, arrays)
    expected = np.asarray(OPERATIONS[name](**arrays), dtype=object)
    assert program.shape == found.shape == expected.shape
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("name", OPERATIONS)
def test_shapes_are_known_before_any_number(name):
    """Every node's recorded shape is the shape of its value."""
    program, _ = recorded(OPERATIONS[name], SHAPES, arrays := fractions(SHAPES))
    assert [node.shape for node in program.nodes] == [v.shape for v in program.run(Numbers(), arrays)]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_random_programs_are_numpy_functions(seed):
    """Compositions of all operations, on random rationals."""
    net = random_net(random.Random(seed), steps=7)
    shapes = net.parameters | net.probes
    arrays = fractions(shapes, seed)
    _, found = recorded(net.output, shapes, arrays)
    assert found.tolist() == net.output(**arrays).tolist()


def test_numbers_may_be_floats():
    """The same program runs on NumPy's floats."""
    arrays = {"A": np.ones((2, 3)), "v": np.full(3, 0.5)}
    _, found = recorded(lambda A, v: A @ v + A.sum(), {"A": (2, 3), "v": (3,)}, arrays)
    assert found.tolist() == [7.5, 7.5] and found.dtype == np.float64


def test_a_constant_is_copied():
    """Changing an array after it was used does not change the program."""
    weights = np.array([1, 2])
    program = record(lambda v: weights * v, {"v": (2,)}, {})
    weights[:] = 7
    value = program.run(Numbers(), {"v": filled([1, 1], (2,))})[program.output]
    assert value.tolist() == [1, 2]


def test_nodes_hold_no_user_function():
    """A recorded model pickles, although its function is a lambda."""
    import pickle

    net = clexact.Model({"u": (2,)}, {"x": (2,)}, lambda u, x: u * x)
    copy = pickle.loads(pickle.dumps(net))
    assert copy.variables == net.variables and repr(copy) == repr(net)
    assert clexact.gradient_flow(copy).fields == clexact.gradient_flow(net).fields


FLOATS = {
    "times": lambda A, **_: A * 0.5,
    "left": lambda A, **_: 1.0 - A,
    "array": lambda A, **_: np.ones((2, 2)) @ A,
    "numpy scalar": lambda A, **_: A + np.float64(2.0),
    "list": lambda A, **_: A + [0.1, 0.2, 0.3],  # noqa: RUF005
    "divisor": lambda A, **_: A / 2.0,
    "complex": lambda A, **_: A * 1j,
    "text": lambda A, **_: A * "2",
    "none": lambda A, **_: A + None,
    "power by a parameter": lambda A, s, **_: A**s,
    "float power": lambda A, **_: A**2.0,
    "boolean power": lambda A, **_: A**True,
    "branch": lambda A, **_: A if A[0, 0] else -A,
    "numpy function": lambda A, **_: np.arctan(A),
    "float of a parameter": lambda s, **_: float(s),
    "length of a scalar": lambda s, **_: s * len(s),
}


@pytest.mark.parametrize("name", FLOATS)
def test_record_rejects_what_is_not_polynomial_over_the_rationals(name):
    """Floats, powers that are no integer or half of one, branches: TypeError in one sentence."""
    with pytest.raises(TypeError, match=r"^the model's output function '<lambda>' failed: TypeError: .+") as caught:
        record(FLOATS[name], SHAPES, {})
    assert "\n" not in str(caught.value)


SHAPE_ERRORS = {
    "broadcast": lambda A, B, **_: A + B,
    "matmul": lambda A, **_: A @ A,
    "matmul of scalars": lambda s, **_: s @ s,
    "matmul of stacks": lambda T, **_: T @ T,
    "reshape": lambda A, **_: A.reshape(4, 2),
    "transpose": lambda A, **_: A.transpose(0, 0),
    "index": lambda A, **_: A[2],
    "axis": lambda A, **_: A.sum(2),
    "too many indices": lambda v, **_: v[0, 0],
    "concatenate": lambda A, B, **_: join([A, B]),
    "concatenate axis": lambda A, **_: join([A, A], 2),
    "matmul with a constant": lambda A, **_: np.eye(3, dtype=int) @ A,
    "zero divisor": lambda A, **_: A / 0,
}


@pytest.mark.parametrize("name", SHAPE_ERRORS)
def test_record_rejects_shapes_that_do_not_fit(name):
    """ValueError in one sentence that names the function; the cause is kept."""
    with pytest.raises(ValueError, match=r"^the model's output function '<lambda>' failed: \w+Error: .+") as caught:
        record(SHAPE_ERRORS[name], SHAPES, {})
    assert caught.value.__cause__ is not None
    assert "\n" not in str(caught.value)


def test_matmul_error_names_the_sizes():
    """Which columns meet which rows."""
    with pytest.raises(ValueError, match=r"3 columns meet 2 rows"):
        record(lambda A: A @ A, {"A": (2, 3)}, {})


@pytest.mark.parametrize(
    "output", [lambda u: None, lambda u: 3, lambda u: [], lambda u: np.ones(2), lambda u: (u, [3])], ids=range(5)
)
def test_record_rejects_wrong_outputs(output):
    """The output must be made of arrays of the model."""
    with pytest.raises(TypeError, match="output must be an array made of its parameters, not"):
        record(output, {"u": (2,)}, {})


def test_record_rejects_wrong_arguments():
    """A function that does not take the names given is told so."""
    with pytest.raises(TypeError, match=r"'f' failed: TypeError: .*unexpected keyword argument 'u'"):

        def f(v):
            return v

        record(f, {"u": (2,)}, {})


def test_a_failing_function_keeps_its_reason():
    """The user's own exception is named and chained."""

    def broken(u):
        raise KeyError("layer 3")

    with pytest.raises(ValueError, match="'broken' failed: KeyError: 'layer 3'") as caught:
        record(broken, {"u": (2,)}, {})
    assert isinstance(caught.value.__cause__, KeyError)


def test_mixing_two_models_is_refused():
    """Arrays of one model may not enter another, by an operator, by concatenate or as the output."""
    kept = []
    record(lambda u: kept.append(u) or u, {"u": (2,)}, {})
    with pytest.raises(ValueError, match="mixes arrays of two models"):
        record(lambda u: u + kept[0], {"u": (2,)}, {})
    with pytest.raises(ValueError, match="mixes arrays of two models"):
        record(lambda u: join([u, kept[0]]), {"u": (2,)}, {})
    with pytest.raises(TypeError, match="output must be an array made of its parameters"):
        record(lambda u: kept[0], {"u": (2,)}, {})


def test_concatenate_rejects_a_list_without_symbols():
    """NumPy's own function is for NumPy's arrays."""
    with pytest.raises(TypeError, match="at least one array of a model"):
        clexact.concatenate([np.ones(2)])


@pytest.mark.parametrize(
    "output",
    [
        lambda A: A.reshape(np.int64(6)),
        lambda A: A.reshape([3, 2]),
        lambda A: A.transpose([1, 0]),
        lambda A: A.transpose(np.int64(1), np.int64(0)),
        lambda A: A.sum(np.int64(1)),
        lambda A: A[np.int64(1)],
    ],
    ids=range(6),
)
def test_numpy_integers_and_lists_serve_as_sizes_and_axes(output):
    """As for NumPy's arrays."""
    arrays = fractions({"A": (2, 3)})
    _, found = recorded(output, {"A": (2, 3)}, arrays)
    assert found.tolist() == output(**arrays).tolist()
