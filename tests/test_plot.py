"""Pictures: what is drawn lies where the mathematics says."""

import re
import subprocess
import sys
from collections import Counter
from itertools import combinations

import matplotlib
import numpy as np
import pytest
import sympy
from matplotlib.figure import Figure
from pictures import artists, elements, is_blank, pixels

import clexact
from clexact import models, plot
from clexact.algebra.polynomial import Polynomial
from clexact.cli import main as cli
from clexact.plot import blocks, surfaces
from clexact.plot.levelsets import BOX
from clexact.support import extras
from clexact.support.palette import BLUE, ORANGE

CUBE = ((-2.0, 2.0),) * 3
LOTKA_VOLTERRA = clexact.VectorFields.from_strings(["x", "y"], [["x - x*y", "x*y - y"]])


def law(text, names="xyz"):
    return Polynomial.from_string(text, list(names))


def random_points(count, dimension, seed=0, low=-2.0, high=2.0):
    return np.random.default_rng(seed).uniform(low, high, (count, dimension))


def count_of(model):
    return clexact.certify(clexact.gradient_flow(model))


# --- laws in floating point ------------------------------------------------------------------------------------------


def sympy_values(expression, names, points):
    return sympy.lambdify([sympy.Symbol(name) for name in names], expression, "numpy")(*points.T)


def general_laws_of(fields, degree):
    return [h for h in clexact.general_laws(fields, degree) if h.factors]


@pytest.mark.parametrize(
    "h",
    [
        law("x^3*y - 2/3*z + 5"),
        *general_laws_of(LOTKA_VOLTERRA, 2),
        *general_laws_of(clexact.VectorFields.from_strings(["x", "y"], [["x", "3*y"]]), 2),
        *clexact.certify(clexact.mirror_flow(models.nmf(1, 2, 1), positive=["U", "V"])).further_laws(),
    ],
    ids=str,
)
def test_laws_and_gradients_are_those_of_sympy(h):
    """Polynomials, products, and sums of logarithms, also with laws as weights."""
    names = h.variables if isinstance(h, Polynomial) else h.rest.variables
    points = random_points(20, len(names), low=0.3)
    smooth, expression = surfaces.smooth(h), h.to_sympy()
    assert smooth.value(points) == pytest.approx(sympy_values(expression, names, points), rel=1e-12)
    for j, name in enumerate(names):
        expected = sympy_values(sympy.diff(expression, sympy.Symbol(name)), names, points) * np.ones(len(points))
        assert smooth.gradient(points)[:, j] == pytest.approx(expected, rel=1e-10, abs=1e-12)


# --- level sets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["x^2 + y^2 + z^2", "x^2 + y^2 - z^2", "x*y*z", "x^2*y - z^3"])
@pytest.mark.parametrize("level", [1.0, 0.4])
def test_corners_of_a_surface_are_on_its_level_set(text, level):
    smooth = surfaces.smooth(law(text))
    triangles = surfaces.surface(smooth, level, CUBE, cells=11)
    assert len(triangles) > 100
    assert surfaces.misses([smooth], [level], triangles.reshape(-1, 3)).max() < 1e-8


def area(triangles):
    a, b, c = np.moveaxis(triangles, 1, 0)
    return np.linalg.norm(np.cross(b - a, c - a), axis=-1).sum() / 2


def test_a_surface_is_all_of_the_level_set():
    """The sphere: its area, and every edge of the triangles belongs to two of them, so there is no hole."""
    triangles = surfaces.surface(surfaces.smooth(law("x^2 + y^2 + z^2")), 1.7, CUBE, cells=13)
    assert area(triangles) == pytest.approx(4 * np.pi * 1.7, rel=0.02)
    corners = [tuple(map(tuple, np.round(triangle, 9))) for triangle in triangles]
    edges = Counter(frozenset(pair) for triangle in corners for pair in combinations(triangle, 2))
    assert {count for edge, count in edges.items() if len(edge) == 2} == {2}


def test_slices_are_on_the_triangles_and_at_their_heights():
    triangles = surfaces.surface(surfaces.smooth(law("x^2 + y^2")), 1.0, CUBE, cells=8)
    segments = surfaces.slices(triangles, 2, np.array([-0.3, 0.77]))
    assert set(np.round(segments[..., 2].ravel(), 12)) == {-0.3, 0.77}
    length = np.linalg.norm(segments[:, 0] - segments[:, 1], axis=1).sum()
    assert length == pytest.approx(2 * 2 * np.pi, rel=0.03)


def test_points_are_moved_onto_several_level_sets_at_once():
    laws = [surfaces.smooth(law(text)) for text in ("x^2 - y^2", "x^2 + z^2")]
    points = surfaces.scattered(laws, [0.3, 1.2], CUBE, 5, seed=3)
    assert points.shape == (5, 3) and surfaces.inside(points, CUBE).all()
    assert surfaces.misses(laws, [0.3, 1.2], points).max() <= surfaces.TOLERANCE
    assert np.linalg.norm(points[:, None] - points, axis=-1)[np.triu_indices(5, 1)].min() > 0.5
    assert len(surfaces.scattered(laws, [0.3, -1.0], CUBE, 5, seed=3)) == 0  # x^2 + z^2 = -1


def test_what_is_behind_a_sphere_is_hidden():
    sphere, eye = surfaces.smooth(law("x^2 + y^2 + z^2")), np.array([0.6, 0.0, 0.8])
    points = random_points(400, 3, low=-1, high=1)
    points /= np.linalg.norm(points, axis=1)[:, None]
    height = points @ eye
    clear = np.abs(height) > 0.2  # points at the rim may be either
    found = surfaces.hidden([sphere], [1.0], points, eye, CUBE)
    assert (found == (height < 0))[clear].all()


def lines_of(axes, style="-"):
    """The points of the curves of a panel, shape (N, 2 or 3)."""
    found = [np.array(line.get_data_3d() if hasattr(line, "get_data_3d") else line.get_data()).T
             for line in axes.lines if line.get_color() == ORANGE]  # fmt: skip
    points = np.vstack(found)
    return points[np.isfinite(points).all(axis=1)]


@pytest.mark.slow
def test_the_talk_s_example():
    """Slide 7: three level sets of v1^2 + v2^2 - u^2, and gradient flows that stay on them."""
    figure = plot.level_sets()
    cone = surfaces.smooth(law("v^2 + w^2 - u^2", "vwu"))
    for axes, level in zip(figure.axes, (-1.0, 0.0, 1.0), strict=True):
        assert axes.get_title() == f"$v_{{1}}^{{2}} + v_{{2}}^{{2}} - u^{{2}} = {level:g}$"
        points = lines_of(axes)
        assert len(points) > 300
        assert np.abs(cone.value(points) - level).max() < 1e-9
        starts = np.array([line.get_data_3d() for line in axes.lines if line.get_marker() == "o"])
        assert np.linalg.norm(np.ptp(points, axis=0)) > 1 and len(starts) == 2 * 4


FLOWS = {
    "hyperbolas": (clexact.gradient_flow(models.product(2)), {}),
    "mirror": (clexact.mirror_flow(models.nmf(1, 1, 1), positive=["U", "V"]), {"box": (0.1, 2)}),
    "relu": (clexact.gradient_flow(models.relu([1, 1, 1], bias=True)), {}),
    "logarithms": (LOTKA_VOLTERRA, {"box": (0.05, 4)}),
    "two laws": (clexact.gradient_flow(models.product(3)), {}),
    "a top": (clexact.VectorFields.from_strings(["x", "y", "z"], [["y*z", "-2*x*z", "x*y"]]), {}),
    "cross-entropy": (clexact.gradient_flow(models.linear([2, 1, 1]), "cross_entropy"), {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOWS)
def test_curves_stay_on_their_level_sets(name):
    """In a panel of space, all laws have the levels in its title; in the plane, one of those drawn."""
    flow, options = FLOWS[name]
    found = clexact.polynomial_laws(flow, 2)
    laws = [surfaces.smooth(h) for h in [found[n] for n in found.independent] or clexact.general_laws(flow, 2)]
    for axes in plot.level_sets(flow, curves=2, **options).axes:
        points = lines_of(axes)
        if axes.name == "3d":
            levels = [float(text) for text in re.findall(r"= (\S+)\$", axes.get_title())]
        else:
            drawn = axes.collections[0]
            vertices = [path.vertices for path in drawn.get_paths()]
            levels = np.array(drawn.levels)
            for level, line in zip(levels, vertices, strict=True):  # matplotlib's contours are interpolated
                assert np.abs(laws[0].value(line) - level).max() < 0.02
            nearest = np.abs(laws[0].value(points)[:, None] - levels).argmin(axis=1)
            assert np.abs(laws[0].value(points) - levels[nearest]).max() < 1e-8
            continue
        assert len(levels) == len(laws)
        for h, level in zip(laws, levels, strict=True):
            assert np.abs(h.value(points) - level).max() < 1e-8


@pytest.mark.slow
def test_a_function_that_is_no_law_is_left_by_the_curves():
    figure = plot.level_sets(clexact.gradient_flow(models.product(2)), [1.0], laws=law("x^2 + y^2", "xy"))
    values = (lines_of(figure.axes[0]) ** 2).sum(axis=1)
    assert np.ptp(values) > 0.1


@pytest.mark.slow
def test_level_sets_of_laws_alone_and_of_a_count():
    assert not plot.level_sets(law("x^2 - y", "xy")).axes[0].lines
    count = count_of(models.product(2))
    assert lines_of(plot.level_sets(count, [0.5]).axes[0]).shape[1] == 2
    one, other = (plot.level_sets(given, [0.5], curves=1).axes[0] for given in (count, models.product(2)))
    assert artists(one) == artists(other) and any(kind == "curve" for kind, *_ in artists(one))


@pytest.mark.slow
def test_level_sets_that_are_hard_to_draw():
    """Smaller than a cell of the grid; logarithms that are not defined on planes through the grid; no drift at all."""
    sphere = plot.level_sets(law("x^2 + y^2 + z^2"), [1e-5])
    assert sphere.axes[0].get_title().endswith("= 1e-05$") and not is_blank(sphere._repr_png_())
    fields = clexact.VectorFields.from_strings(["x", "y", "z"], [["x", "-y", "0"], ["0", "y", "2*z"]])
    figure = plot.level_sets(fields, curves=1)
    for axes, level in zip(figure.axes, (-1.0, 0.0, 1.0), strict=True):
        x, y, z = lines_of(axes).T
        assert axes.get_title().endswith(f"= {level:g}$") and np.abs(z - level * x**2 * y**2).max() < 1e-6
    assert not is_blank(figure._repr_png_())
    still = plot.drift(SomeRun(np.ones((1, 3)), times=[0.0, 1.0, 2.0]))
    assert all(np.isnan(line.get_ydata()).all() for line in still.axes[0].lines) and not is_blank(still._repr_png_())


def test_trajectories_are_drawn():
    line = random_points(7, 2)
    axes = plot.level_sets(law("x - y", "xy"), trajectories=[line]).axes[0]
    assert (lines_of(axes)[:7] == line).all()


def test_levels_that_do_not_occur_are_replaced():
    """x^2 + y^2 is never -1: three levels inside the box, increasing."""
    drawn = plot.level_sets(law("x^2 + y^2", "xy")).axes[0].collections[0]
    assert len(drawn.levels) == 3 and (np.diff(drawn.levels) > 0).all() and drawn.levels[0] > 0
    assert drawn.levels[-1] < 2 * BOX[1] ** 2


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ([models.linear([2, 2, 2])], {}, "in 2 or 3 dimensions, not in 8"),
        ([law("x*y*z*w", "xyzw")], {}, "in 2 or 3 dimensions, not in 4"),
        ([clexact.momentum_flow(models.product(1))], {}, "the time among its coordinates"),
        ([[law("x", "xy"), law("y", "xy")]], {}, "are points"),
        ([clexact.VectorFields.from_strings(["x", "y"], [["1", "0"], ["0", "1"]])], {}, "no law of degree at most 2"),
        ([[]], {}, "no laws among those given"),
        ([law("x - y", "xy")], {"box": (2, -2)}, "low < high"),
        ([law("x - y", "xy")], {"box": "wide"}, "box must be"),
        ([law("x - y", "xy"), [99]], {}, "no point of the box was found on the level set x - y = 99"),
        ([law("x - y", "xy"), []], {}, "at least one level"),
        ([law("x - y", "xy"), ["high"]], {}, "levels must be"),
        ([law("x - y", "xy")], {"curves": -1}, "curves must be an integer of at least 0, not -1"),
        ([law("x - y", "xy")], {"trajectories": [np.zeros((3, 5))]}, r"shape \(T, 2\), not \(3, 5\)"),
        ([law("x - z")], {"ax": Figure().subplots(), "levels": [0]}, "projection='3d'"),
        ([law("x - y", "xy")], {"ax": [None, None]}, "as many Axes as the figure has panels, 1, not 2"),
    ],
)
def test_level_sets_rejects(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        plot.level_sets(*arguments, **options)


@pytest.mark.parametrize(("given", "laws"), [(3, None), ([1], None), (3, law("x", "xy"))])
def test_level_sets_rejects_other_types(given, laws):
    with pytest.raises(TypeError, match=r"not 3|not 1"):
        plot.level_sets(given, laws=laws)


# --- the filtration --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flow",
    [
        clexact.gradient_flow(models.linear([4, 3, 5])),
        clexact.momentum_flow(models.linear([1, 2, 2]), clexact.HeavyBall(1)),
        clexact.gradient_flow(models.relu([2, 3, 2])),
        clexact.gradient_flow(models.tanh(2, 1, 2)),
    ],
    ids=lambda flow: flow.description,
)
def test_bars_are_the_dimensions_of_the_filtration(flow):
    """The three bars at each depth: dim W_{k-1}, what is new, and what is left of D."""
    count = clexact.certify(flow)
    (axes,) = plot.filtration(count).axes
    depths, D = len(count.filtration), count.dimension
    before, new, left = (axes.patches[k * depths : (k + 1) * depths] for k in range(3))
    assert [round(bar.get_y() + bar.get_height()) for bar in new] == list(count.filtration)
    assert [bar.get_height() for bar in before] == [0, *count.filtration[:-1]]
    assert all(bar.get_y() + bar.get_height() == D for bar in left)
    top, ceiling = (line.get_ydata()[0] for line in axes.lines)
    assert (top, ceiling) == (D, D - count.upper)
    noun = "law" if count.upper == 1 else "laws"
    assert [text.get_text().strip() for text in axes.texts] == [f"$D = {D}$", f"{count.upper} {noun}"]


def test_filtration_of_closures_and_of_several():
    closure = clexact.lie_closure(clexact.gradient_flow(models.linear([2, 2, 2])))
    figure = plot.filtration({"a": closure, "b": count_of(models.linear([2, 2, 2]))})
    assert [axes.get_title() for axes in figure.axes] == ["a", "b"]
    assert figure.axes[0].texts[1].get_text().split() == ["at", "most", "3", "laws"]
    assert len(plot.filtration().axes) == 2


def test_a_number_that_is_not_proved_is_given_with_its_error():
    fields = clexact.VectorFields.from_strings(["x", "y", "z"], [["x", "2*y", "3*z"], ["x*y*z", "2*y^2*z", "3*z^2*y"]])
    count = clexact.certify(fields)
    assert count.error and count.exact
    said = plot.filtration(count).axes[0].texts[1].get_text()
    assert said.split()[:3] == [str(count.upper), "laws,", "error"] and "2^{-" in said


def test_filtration_rejects():
    with pytest.raises(TypeError, match="LawCount, a LieClosure or a mapping of these, not 3"):
        plot.filtration(3)
    with pytest.raises(ValueError, match="empty mapping"):
        plot.filtration({})


# --- which law touches which block -----------------------------------------------------------------------------------


def blocks_of(text):
    """{array: signs of the terms that hold one of its entries}, read from a law's text."""
    found = {}
    for sign, term in re.findall(r"(^|[+-] )([^+]*?)(?= [+-] |$)", text):
        for name in re.findall(r"([A-Za-z]+\d*'*)\[", term):
            found.setdefault(name, set()).add("-" if sign.startswith("-") or term.startswith("-") else "+")
    return {name: "±" if len(signs) == 2 else signs.pop().replace("-", "−") for name, signs in found.items()}


@pytest.mark.parametrize(
    "count",
    [
        count_of(models.relu([3, 4, 4, 2], bias=True)),
        count_of(models.attention(3, 2, heads=2)),
        count_of(models.linear([2, 2, 2, 2])),
        clexact.certify(clexact.momentum_flow(models.linear([2, 3, 2]), clexact.HeavyBall(1))),
        clexact.certify(clexact.mirror_flow(models.nmf(2, 3, 2), positive=["U", "V"])),
    ],
    ids=lambda count: count.description,
)
def test_the_matrix_is_that_of_the_laws(count):
    """Each row against the text of its law; the colours and signs drawn against the matrix; clocks are no block."""
    found = blocks.touched(count)
    laws = [str(count.laws.polynomials()[n]) for n in count.shown.laws]
    assert len(found.rows) == len(laws) == count.exhibited
    for row, text in zip(found.signs, laws, strict=True):
        drawn = {name: blocks.SIGNS[sign] for name, sign in zip(found.columns, row.tolist(), strict=True) if sign}
        assert drawn == blocks_of(text)
    assert (found.signs > 0).any(axis=0).all()
    (axes,) = plot.touches(count).axes
    assert (axes.collections[0].get_array().reshape(found.signs.shape) == found.signs).all()
    assert len(axes.texts) == (found.signs > 0).sum()


def test_many_laws_share_rows():
    count = count_of(models.linear([2, 6, 6, 2]))
    found = blocks.touched(count)
    assert sum(found.counts) == count.exhibited == 42 and len(found.rows) == 2
    assert found.rows == ("21 laws", "21 laws") and found.columns == ("U1", "U2", "U3")
    assert (found.signs == [[1, 2, 0], [0, 1, 2]]).all()


class Term:
    def __init__(self, parameter, coefficient):
        self.parameter, self.coefficient = parameter, coefficient


class ModuleLaw:
    def __init__(self, name, count, **terms):
        self.name, self.count = name, count
        self.terms = [Term(key.replace("_", "."), c) for key, c in terms.items()]


def test_laws_of_a_module():
    laws = [ModuleLaw("fc1 -> fc2", 8, fc1_weight=1, fc1_bias=1, fc2_weight=-1), ModuleLaw("shift", 3, fc2_bias=1)]
    found = blocks.touched(laws)
    assert found.columns == ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")
    assert (found.signs == [[1, 1, 2, 0], [0, 0, 0, 1]]).all()
    labels = [text.get_text() for text in plot.touches(laws).axes[0].get_yticklabels()]
    assert labels == ["fc1 -> fc2 (8)", "shift (3)"]


@pytest.mark.parametrize(("given", "error"), [(3, TypeError), ("U", TypeError), ([3], TypeError), ([], ValueError)])
def test_touches_rejects(given, error):
    with pytest.raises(error, match=r"touches takes|a law must be|no law"):
        plot.touches(given)


# --- drifts ----------------------------------------------------------------------------------------------------------


class SomeRun:
    """What ``drift`` asks of a run."""

    def __init__(self, values, predicted=None, **at):
        self.values, self.laws, self.predicted = values, [f"law {n}" for n in range(len(values))], predicted
        for name, value in at.items():
            setattr(self, name, value)


def test_drift_lines_are_the_relative_drifts():
    values = np.array([[1.0, 1.5, 3.0], [0.0, 1e-3, 0.0]])
    predicted = np.array([[0.0, 0.5, 1.9], [0.0, 1e-3, 1e-4]])
    (axes,) = plot.drift(SomeRun(values, predicted, times=[0.0, 0.5, 1.0])).axes
    first, guess, second, _ = axes.lines
    assert first.get_xdata().tolist() == [0, 0.5, 1] and axes.get_xlabel() == "$t$" and axes.get_yscale() == "log"
    assert first.get_ydata()[1:].tolist() == [0.25, 1.0] and np.isnan(first.get_ydata()[0])
    assert guess.get_ydata()[1:].tolist() == [0.25, 0.95] and guess.get_linestyle() == "--"
    assert second.get_ydata()[1] == 1e-3 and np.isnan(second.get_ydata()[2])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["law 0", "law 1", "predicted"]


def test_drift_of_steps_with_its_own_measure_side_by_side():
    values = np.array([[2.0, 2.0, 5.0]])
    own = SomeRun(values, steps=[0, 10, 20])
    own.drift = lambda: np.array([[0.0, 1.0, 7.0]])
    figure = plot.drift({"own": own, "plain": SomeRun(values, times=np.array([0, 10, 20]))})
    assert not any(axes.get_legend() for axes in figure.axes)  # one for both, since they have the same laws
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["law 0"]
    assert [axes.get_title() for axes in figure.axes] == ["own", "plain"]
    assert figure.axes[0].lines[0].get_ydata()[2] == 7 and figure.axes[1].lines[0].get_ydata()[2] == 1
    assert [axes.get_xlabel() for axes in figure.axes] == ["step", "step"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()


def test_panels_with_other_laws_have_legends_of_their_own():
    one, two = np.ones((1, 2)) * [0.0, 1.0], np.ones((2, 2)) * [0.0, 1.0]
    figure = plot.drift({"a": SomeRun(one, times=[0.0, 1.0]), "b": SomeRun(two, times=[0.0, 1.0])})
    assert [len(axes.get_legend().get_texts()) for axes in figure.axes] == [1, 2] and not figure.legends


def test_of_many_laws_the_one_that_drifts_most_is_marked():
    values = np.outer(np.arange(1, 11.0), [0.0, 1.0])
    (axes,) = plot.drift(SomeRun(values, times=[0.0, 1.0])).axes
    assert axes.get_legend().get_texts()[0].get_text() == "largest of 10: law 9"
    assert axes.lines[-1].get_ydata()[1] == 10 and len(axes.lines) == 11
    (axes,) = plot.drift(SomeRun(values, times=[0.0, 1.0]), laws=["law 3", "law 0"]).axes
    assert [line.get_ydata()[1] for line in axes.lines] == [4, 1]


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (3, TypeError, "a run has laws, values, and times or steps"),
        (SomeRun(np.ones((2, 3))), TypeError, "a run has"),
        (SomeRun(np.ones((2, 3)), times=[0.0, 1.0]), ValueError, r"that shape, not \(2, 3\)"),
        (SomeRun(np.ones((1, 2)), np.ones(2), times=[0.0, 1.0]), ValueError, "predicted of a run"),
        (SomeRun(np.ones((0, 2)), times=[0.0, 1.0]), ValueError, "no law or no time"),
        ({}, ValueError, "empty mapping"),
    ],
)
def test_drift_rejects(run, error, message):
    with pytest.raises(error, match=message):
        plot.drift(run)


def test_drift_rejects_unknown_laws():
    with pytest.raises(ValueError, match="'h' is none of the laws law 0"):
        plot.drift(SomeRun(np.ones((1, 2)), times=[0.0, 1.0]), laws="h")


def test_slopes_of_powers():
    steps = np.array([1e-3, 1e-2, 1e-1])
    (axes,) = plot.slope({"one": (steps, 3 * steps**2), "all": (steps, 5 * steps)}).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one, slope 2.00", "all, slope 1.00"]
    assert axes.lines[0].get_ydata() == pytest.approx(3 * steps**2)
    assert axes.lines[1].get_ydata().tolist() == (3 * steps**2).tolist()


@pytest.mark.parametrize(
    ("found", "error", "message"),
    [
        (3, TypeError, "a pair"),
        (([0.1], [0.1]), ValueError, "at least 2"),
        (([0.1, 0.2], [0.1, 0.0]), ValueError, "must be positive"),
        (([0.1, 0.2], [0.1]), ValueError, "equally many"),
        (("ab", "cd"), TypeError, "a pair"),
        ({}, ValueError, "empty mapping"),
    ],
)
def test_slope_rejects(found, error, message):
    with pytest.raises(error, match=message):
        plot.slope(found)


@pytest.mark.slow
def test_runs_of_training_are_drawn_with_their_prediction():
    """The default: gradient descent and weight decay drift as predicted, momentum does not."""
    figure = plot.drift()
    for axes in figure.axes:
        solid, dashed = axes.lines[0].get_ydata()[1:], axes.lines[1].get_ydata()[1:]
        agree = bool(np.allclose(solid, dashed, rtol=1e-6))
        assert agree == (not axes.get_title().startswith("momentum"))
    labels = [text.get_text() for text in plot.slope().axes[0].get_legend().get_texts()]
    assert labels[0] == "one step, slope 2.00"
    assert labels[1].startswith("until time 2, slope") and abs(float(labels[1].rsplit(" ", 1)[1]) - 1) < 0.05


# --- figures and files -----------------------------------------------------------------------------------------------

DRAWN = {
    "level_sets": lambda **options: plot.level_sets(models.product(2), curves=1, **options),
    "filtration": lambda **options: plot.filtration(count_of(models.linear([2, 2, 2])), **options),
    "touches": lambda **options: plot.touches(count_of(models.linear([2, 2, 2])), **options),
    "drift": lambda **options: plot.drift(SomeRun(np.array([[1.0, 2.0]]), times=[0.0, 1.0]), **options),
    "slope": lambda **options: plot.slope(([0.1, 0.2], [1.0, 4.0]), **options),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_figures_change_nothing_global(name):
    before = dict(matplotlib.rcParams)
    figure = DRAWN[name]()
    assert isinstance(figure, Figure) and not is_blank(figure._repr_png_())
    assert dict(matplotlib.rcParams) == before
    given = Figure().subplots()
    assert DRAWN[name](ax=given) is given and given.get_children()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "date"), [("png", b"Creation Time"), ("svg", b"dc:date"), ("pdf", b"CreationDate")])
def test_the_same_figure_gives_the_same_file(kind, date, tmp_path):
    """The same elements with the same names, the same pixels; no date."""
    files = [tmp_path / f"{n}.{kind}" for n in range(2)]
    for path in files:
        plot.save(DRAWN["level_sets"](), path)
    first, second = (path.read_bytes() for path in files)
    assert date not in first and len(first) == len(second)
    if kind == "png":
        assert np.array_equal(pixels(first), pixels(second)) and not is_blank(first)
    if kind == "svg":
        assert elements(first) == elements(second) and sum(one == "path" for one, *_ in elements(first)) > 20


def test_save_rejects_other_formats(tmp_path):
    with pytest.raises(ValueError, match=r"named .png, .svg or .pdf, not 'a.jpg'"):
        plot.save(Figure(), "a.jpg")


def test_colours_differ_in_gray():
    """What is told apart by colour alone, blue surfaces and orange curves, has another gray too."""
    from matplotlib.colors import to_rgb

    weights = np.array([0.299, 0.587, 0.114])
    white = 0.35 + 0.55 * 0.5  # the tint of a surface in middle light
    surface = weights @ (white + (1 - white) * np.array(to_rgb(BLUE)))
    assert surface - weights @ to_rgb(ORANGE) > 0.25


@pytest.mark.slow
def test_without_matplotlib_one_sentence_names_the_extra():
    script = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from clexact.cli import main as cli\n"
        "sys.exit(cli.run(['plot', 'filtration', 'linear', '2', '2', '2']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"clexact plot: error: this needs matplotlib: {extras.command('plot')}.\n"


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "level-sets --out a.svg",
        "level-sets product 2 --levels 1 0.5 --box -1 3 --curves 1 --out a.pdf",
        "filtration",
        "filtration linear 2 2 2 --flow momentum --out a.svg",
        "touches relu 3 4 2 --bias --out a.PNG",
        "drift relu 2 3 2 --seed 1",
        "slope linear 2 2 2 --out a.svg",
    ],
)
def test_the_command_writes_files(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["plot", *command.split()]) == 0
    (path,) = tmp_path.iterdir()
    assert capsys.readouterr().out.strip() == path.name
    data = path.read_bytes()
    match path.suffix.lower():
        case ".png":
            assert not is_blank(data)
        case ".svg":
            assert sum(kind == "path" for kind, *_ in elements(data)) > 20
        case _:
            assert data.startswith(b"%PDF") and data.rstrip().endswith(b"%%EOF")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("level-sets linear 2 2 2", "in 2 or 3 dimensions"),
        ("level-sets --out a.jpg", "named .png, .svg or .pdf"),
        ("level-sets --out no/a.png", "cannot open 'no/a.png'"),
        ("filtration --flow momentum", "give a family"),
        ("touches --levels 1", "--levels belongs to level-sets, not to touches"),
        ("touches --eta 0.1", "--eta belongs to drift, not to touches"),
        ("touches tanh 2 1 2", "no law among those given"),
        ("drift linear 2 2 2 --flow mirror --positive U1", "takes discrete steps for a model"),
        ("drift relu 2 3 2 --eta 1000", "the steps diverge"),
    ],
)
def test_the_command_rejects(command, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["plot", *command.split()]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_families_have_a_row_each():
    laws = clexact.certify(clexact.gradient_flow(clexact.models.relu([2, 3, 2], bias=True))).laws
    found = blocks.touched(laws)
    assert found.rows == (f"${laws[0].latex}$ (3)",) and found.columns == ("U1", "U2", "b2")
    assert found.signs.tolist() == [[blocks.PLUS, blocks.MINUS, blocks.MINUS]]
