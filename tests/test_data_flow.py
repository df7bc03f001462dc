"""Counts on given data, gates free or true: against floats (``near_oracle.py``), and what the data never excite."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from near_checks import DATA, Case, judged, random_cases
from near_networks import ROOTED, SMOOTH, make

import clexact
from clexact.cli.main import main
from clexact.functions import log, relu, rsqrt, softplus, tanh

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
GRADIENT = clexact.gradient_flow
KINDS = ("mlp", "absolute", "maximum", "residual", "convolution", "tied", "permuted", "max_pool", "mlp", "linear_below")
CASES = [
    Case(make(kind, n + 40 * near), "data near" if near else "data", "random", data, n)
    for n, (kind, data) in enumerate(zip(KINDS, DATA, strict=True))
    for near in (False, True)
] + [
    Case(make(kind, n), mode, "random", data, n)
    for n, (kind, mode, data) in enumerate(
        [
            ("smooth", "data", "opposite"), ("smooth", "data near", "deficient"), ("softmax", "data", "zero_row"),
            ("gates_below", "data", "one"), ("gates_above", "data near", "random"), ("smooth", "data", "rational"),
        ]
    )
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bounds_and_laws_against_floats(case):
    found = judged(case)
    assert not found.violations
    assert found.outcome in ("exact", "bounds")


@pytest.mark.slow
def test_many_random_networks_against_floats():
    modes = ("data", "data near")
    assert not [said for case in random_cases(182, 6, modes) for said in judged(case).violations]
    assert not [said for case in random_cases(183, 4, modes, SMOOTH) for said in judged(case).violations]


# --- what the data never excite --------------------------------------------------------------------------------------


def rank(rows):
    """Of small integers."""
    return int(np.linalg.matrix_rank(np.array(rows, dtype=float)))


@pytest.mark.parametrize("function", [relu, tanh])
@pytest.mark.parametrize(
    "X", [[[1, 2, 3]], [[1, 2, 3], [2, 4, 6]], [[1, 0, 0], [0, 1, 0]], [[1, 1, 0], [2, 2, 1], [3, 3, 1]],
          [[0, 0, 0], [1, 5, 5]]],
)  # fmt: skip
def test_components_off_the_span_of_the_data_are_linear_laws(function, X):
    """Of a first layer V of two units 2 (3 - rank X) combinations of entries are conserved, and annihilate the data."""
    model = clexact.Model({"U": (1, 2), "V": (2, 3)}, {"x": (3,)}, lambda U, V, x: U @ function(V @ x))
    rows = []
    for law in clexact.certify(GRADIENT(model, inputs=X)).laws.polynomials():
        if law.degree == 1:
            rows.append(np.zeros(8, dtype=object))
            for monomial, c in law.items():
                rows[-1][monomial[0][0]] = c
            assert not rows[-1][:2].any()
            assert not (np.array(X, dtype=object) @ rows[-1][2:].reshape(2, 3).T).any()
    assert (rank(rows) if rows else 0) == 2 * (3 - rank(X))


def test_rows_and_what_repeats_them_say_the_same():
    model = clexact.models.relu([1, 2, 2], bias=True)
    X = [[1, 2], [3, -1]]
    one = clexact.certify(GRADIENT(model, inputs=X))
    for other in (X + X, X[::-1], [*X, X[0]]):
        count = clexact.certify(GRADIENT(model, inputs=other))
        assert (count.lower, count.upper, count.laws.polynomials().written()) == (
            one.lower,
            one.upper,
            one.laws.polynomials().written(),
        )


def test_numbers_are_taken_exactly():
    model = clexact.models.relu([1, 2, 2])
    third = [["1", "1/3"], ["3", "1"]]
    count = clexact.certify(GRADIENT(model, inputs=third))
    assert "U2[0,0] - 3*U2[0,1]" in count.laws.polynomials().written()
    same = clexact.certify(GRADIENT(model, inputs=[[1, Fraction(1, 3)], [3, 1]]))
    assert same.laws.polynomials() == count.laws.polynomials()
    floats = clexact.certify(GRADIENT(model, inputs=[[1, 1 / 3], [3, 1]]))
    assert floats.upper < count.upper  # the float 1/3 is not a third
    tenths = clexact.certify(GRADIENT(model, inputs=[[Decimal("0.1"), "0.3"]]))
    assert "3*U2[0,0] - U2[0,1]" in tenths.laws.polynomials().written()


def test_units_that_are_dead_on_the_data_are_frozen():
    count = clexact.certify(GRADIENT(clexact.models.relu([1, 2, 1]), inputs=[[1], [2]]), near=[1, 2, 3, -4])
    assert count.exact and count.lower == 3
    assert {"U1[0,1]", "U2[1,0]", "U1[0,0]^2 - U2[0,0]^2"} <= set(count.laws.polynomials().written())


# --- what fools ------------------------------------------------------------------------------------------------------


def test_free_gates_below_functions_are_true_choices():
    """One input, one unit: its gate is 1, which gives one field, or 0, which gives none: so two laws of three."""
    model = clexact.Model(
        {"a": (), "b": (), "w": ()}, {"x": ()}, lambda a, b, w, x: (lambda z: tanh(a * z) + tanh(b * z))(relu(w * x))
    )
    count = clexact.certify(GRADIENT(model, inputs=[2]))
    assert count.upper >= 2


def test_opposite_inputs_of_an_even_function_are_one():
    """softplus(v x) - softplus(-v x) = v x: with inputs 1 and -1 the fields are those of one more linear function."""
    model = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * (softplus(v * x) - softplus(-v * x)))
    count = clexact.certify(GRADIENT(model, inputs=[1, -1]))
    assert count.upper == 1


def test_terms_of_second_order_decide_gates_on_data():
    """V W x with V = W = 0 is zero, but nearby it is not: nothing is frozen."""
    model = clexact.Model(
        {"U": (1, 2), "V": (2, 2), "W": (2, 1)}, {"x": (1,)}, lambda U, V, W, x: U @ relu(V @ (W @ x))
    )
    with pytest.raises(clexact.TieError, match="input 0: terms of second order"):
        clexact.certify(GRADIENT(model, inputs=[[1], [2]]), near=[1, 2, 0, 0, 0, 0, 0, 0])
    rest = clexact.certify(GRADIENT(model, inputs=[[0]]), near=[1, 2, 3, 4, 5, 6, 7, 8])  # zero for all parameters
    assert rest.exact and rest.lower == 8


def test_equal_entries_of_an_input_tie_a_maximum_for_all_parameters():
    """max(v x_1, v x_2) with x_1 = x_2 has one gradient, whichever is chosen."""
    model = clexact.Model(
        {"u": (), "v": ()}, {"x": (2,)}, lambda u, v, x: u * clexact.functions.maximum(v * x, -1)
    )  # fmt: skip
    count = clexact.certify(GRADIENT(model, inputs=[[1, 1]]), near=[1, 2])
    assert (count.lower, count.upper) == (1, 1)
    assert count.error <= Fraction(1, 2**100)


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "error", "match"),
    [
        ([[1, float("nan")]], ValueError, "finite number, not nan"),
        ([[1, float("inf")]], ValueError, "finite number, not inf"),
        (np.array([[1, -np.inf]]), ValueError, "finite number"),
        ([[1, Decimal("NaN")]], ValueError, "finite number"),
        ([["1", "1/0"]], ValueError, "'1/0'"),
        ([["1", "one"]], ValueError, "'one'"),
        ([[1, None]], TypeError, "None"),
        ([[1, 1j]], TypeError, "1j"),
        ([], ValueError, r"shape \(N, 2\), N at least 1"),
        (np.zeros((0, 2)), ValueError, "N at least 1"),
        ([1, 2], ValueError, r"not \(2,\)"),
        ([[1, 2, 3]], ValueError, r"not \(1, 3\)"),
        ([[1, 2], [3]], ValueError, "shape"),
        (np.zeros((2, 2, 2)), ValueError, "shape"),
        (object(), ValueError, "shape"),
        ({"y": [[1, 2]]}, ValueError, r"probes \['x'\], not \['y'\]"),
    ],
)
def test_wrong_data_are_told(inputs, error, match):
    with pytest.raises(error, match=match) as found:
        GRADIENT(clexact.models.relu([1, 2, 2]), inputs=inputs)
    assert "\n" not in str(found.value)


def test_what_has_no_inputs_takes_no_data():
    model = clexact.Model({"u": (2,), "v": (2,)}, {}, lambda u, v: u @ relu(v))
    with pytest.raises(ValueError, match="no inputs"):
        GRADIENT(model, inputs=[[1]])


def test_an_input_on_a_kink_is_named():
    flow = GRADIENT(clexact.models.relu([1, 2, 2]), inputs=[[1, 2], [1, 1]])
    with pytest.raises(clexact.TieError, match="input 1: unit"):
        clexact.certify(flow, near=[1, 2, 3, 4, -3, 3])


@pytest.mark.parametrize("text", ["1 2\n3 nan\n", "1 2\n3\n", "", "1 2 3\n", "1/0 2\n", "a b\n"])
def test_the_command_line_refuses_wrong_files_with_status_2(text, tmp_path, capsys):
    (tmp_path / "data.txt").write_text(text)
    for path in ("data.txt", "missing.txt", "missing.npy"):
        with pytest.raises(SystemExit) as stopped:
            main(["certify", "relu", "1", "2", "2", "--data", str(tmp_path / path)])
        assert stopped.value.code == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_the_command_line_refuses_arrays_of_objects_and_what_is_no_array(tmp_path, capsys):
    np.save(tmp_path / "objects.npy", np.array([[1, None]], dtype=object))
    (tmp_path / "text.npy").write_text("hello")
    for name in ("objects.npy", "text.npy"):
        with pytest.raises(SystemExit) as stopped:
            main(["certify", "relu", "1", "2", "2", "--data", str(tmp_path / name)])
        assert stopped.value.code == 2
        assert f"{name}: expected an array of numbers" in capsys.readouterr().err


# --- roots and logarithms --------------------------------------------------------------------------------------------


def normed(above=lambda z: z):
    """U y / sqrt(|y|^2 + 3) with y = V x, or a function of it."""
    return clexact.Model(
        {"U": (1, 2), "V": (2, 3)}, {"x": (3,)}, lambda U, V, x: U @ above((V @ x) * rsqrt(((V @ x) ** 2).sum() + 3))
    )


ROOTED_CASES = [
    Case(make(kind, n), mode, "random", data, n)
    for n, (kind, mode, data) in enumerate(
        [
            ("normed", "data", "one"), ("normed", "data near", "random"), ("log_softmax", "data", "random"),
            ("gates_normed", "data", "rational"), ("logarithm", "data", "one"),
        ]
    )
]  # fmt: skip


@pytest.mark.parametrize("case", ROOTED_CASES, ids=str)
def test_roots_and_logarithms_on_data_against_floats(case):
    found = judged(case)
    assert not found.violations
    assert found.count.upper < found.count.dimension


@pytest.mark.slow
def test_many_networks_with_roots_and_logarithms_against_floats():
    assert not [
        said for case in random_cases(184, 12, ("data", "data near"), ROOTED) for said in judged(case).violations
    ]


def test_one_input_has_one_field():
    """All else is conserved: the output is one function of the parameters."""
    count = clexact.certify(GRADIENT(normed(), inputs=[[1, 2, 3]]))
    assert (count.lower, count.upper) == (7, 7)


def test_proportional_inputs_of_a_norm_without_epsilon_are_one():
    """V x / |V x| is the same at x and 2 x, and at 6 x: sqrt(4 u) = 2 sqrt(u)."""
    model = clexact.Model(
        {"U": (1, 2), "V": (2, 2)}, {"x": (2,)}, lambda U, V, x: U @ ((V @ x) * rsqrt(((V @ x) ** 2).sum()))
    )
    one = clexact.certify(GRADIENT(model, inputs=[[1, 2]]))
    more = clexact.certify(GRADIENT(model, inputs=[[1, 2], [2, 4], [-6, -12]]))
    assert one.upper == more.upper == 5
    other = clexact.certify(GRADIENT(model, inputs=[[1, 2], [7, 14]]))  # 7 is no square modulo all primes drawn
    assert other.upper == 5  # of one of both


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (lambda U, V, x: U @ (x * rsqrt((x * x).sum() + 3)), "one of the inputs alone"),
        (lambda U, V, x: U @ softplus(x) + (V @ x).sum(), "one of the inputs alone"),
        (lambda U, V, x: U @ log(1 + (V @ x)[:2] ** 2) + log((V @ x)[:1] ** 2), "not shown to be independent"),
    ],
)  # fmt: skip
def test_what_is_not_shown_is_said_and_no_bound_claimed(output, said):
    model = clexact.Model({"U": (1, 2), "V": (2, 2)}, {"x": (2,)}, output)
    count = clexact.certify(GRADIENT(model, inputs=[[1, 2], [3, 1]]))
    assert count.upper == count.dimension and said in count.stopped


def test_roots_on_data_have_no_certificate():
    count = clexact.certify(GRADIENT(normed(), inputs=[[1, 2, 3]]))
    with pytest.raises(ValueError, match="roots and logarithms at cases have no certificate"):
        _ = count.certificate


# --- which laws are listed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("near", [None, "random"])
def test_no_law_that_depends_on_others_is_listed(near):
    count = clexact.certify(GRADIENT(clexact.models.relu([2, 2, 2]), inputs=[[1, 2]]), near=near)
    polynomials = count.laws.polynomials()
    assert count.exact and len(count.laws) <= count.lower
    assert len(polynomials.independent) == len(polynomials) == count.lower
    assert count.laws.dependent and "depend on others" in count.laws.known


@pytest.mark.parametrize(("start", "laws"), [([2, -1, 3], 3), ([1, 2, 3], 2)])
def test_what_cancels_at_all_data_leaves_all_free(start, laws):
    """v min(relu(w x + b), relu(b - w x)) is 0 where b < 0 < w, though one of the two is open: three laws, else two."""
    net = clexact.Model(
        {"w": 1, "b": 1, "v": 1}, {"x": 1}, lambda w, b, v, x: v * np.minimum(relu(w * x + b), relu(b - w * x))
    )
    count = clexact.certify(GRADIENT(net, inputs=[[1], [-1]]), near=start)
    assert count.exact and count.lower == laws


def test_frozen_entries_are_listed_together():
    X = [[0, 1, 0, 2, 0], [0, 3, 0, 1, 0], [0, 1, 0, 5, 0]]
    count = clexact.certify(GRADIENT(clexact.models.relu([1, 3, 5]), inputs=X))
    assert "U2[i,j]  (i < 3, j in {0, 2, 4})" in count.laws.written()
    [family] = [family for family in count.laws.families if family.degree == 1]
    assert family.size == 9 and family.shape == (9,)


def test_rare_columns_of_large_data_are_found():
    """One input of a hundred moves the last column: with free gates each unit sees it."""
    X = np.random.default_rng(0).integers(0, 9, (100, 4))
    X[:, 3] = 0
    X[57, 3] = 5
    count = clexact.certify(GRADIENT(clexact.models.relu([2, 6, 4]), inputs=X))
    assert count.exact and count.lower == 6


# --- minimal starts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("widths", [(1, 2, 1), (1, 2, 2, 1), (1, 3, 1)])
def test_minimal_starts_are_those_of_minimality(widths):
    model = clexact.models.relu(list(widths), bias=len(widths) > 3)
    for seed in range(3):
        start = clexact.random_start(model, seed=seed)
        said = clexact.certify(GRADIENT(model), near=start).minimal
        assert said is clexact.minimality(model, start).minimal


def test_minimal_is_said_of_starts_alone():
    model = clexact.models.relu([1, 2, 1])
    assert clexact.certify(GRADIENT(model)).minimal is None
    assert clexact.certify(GRADIENT(model, inputs=[[1], [2]]), near=[1, 2, 3, 4]).minimal is None
