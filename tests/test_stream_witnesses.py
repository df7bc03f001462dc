"""Sparse witnesses of networks with a residual stream: the same values as dense ones, and ranks that meet the laws."""

from __future__ import annotations

import numpy as np
import pytest

import clexact
from clexact._kernels.sparse import SparseForm
from clexact.counting import certify as counting
from clexact.lie.closure import bracket_values
from clexact.lie.directed import missing_direction
from clexact.lie.stream_witnesses import StreamSpanBuilder, _taken, streaming
from clexact.models import attention, mlp, transformer
from clexact.programs.sparse_jets import Part, compressed
from clexact.programs.streams import Use, stream_of
from clexact.support.errors import RANK_BITS

BLOCKS = {
    "layer norm": {"norm": "pre-layer", "bias": True},
    "rms norm": {"norm": "pre-rms"},
    "gains": {"norm": "pre-layer", "bias": True, "gain": True},
    "rotary, gated, keys shared": {"norm": "pre-rms", "rope": True, "swiglu": True, "causal": True, "keys": 1},
    "no norm": {"bias": True},
}


FEW = 2  # rows that are compared


def built(model: clexact.Model, limit: int | None = None) -> StreamSpanBuilder:
    flow = clexact.gradient_flow(model)
    found, draws = streaming(flow), flow.draws(0)
    assert found is not None
    growth = StreamSpanBuilder(*found, flow.draw_prime(draws, RANK_BITS), draws)
    growth.run(flow.dimension if limit is None else limit, None, None)
    return growth


def rows_of(growth: StreamSpanBuilder) -> int:
    return int(growth.witnesses[-1].seeds[0].rows.max()) + 1


def test_matrices_read_the_stream_or_write_to_it() -> None:
    model = transformer(8, 2, 4, heads=2, norm="pre-layer", bias=True, gain=True)
    found = stream_of(model.program, model.probes)
    assert found is not None and (found.tokens, found.width, found.gains) == (2, 8, {"g1", "g2"})
    assert found.named(writes=False, later=False) == ["Q1", "K1", "V1", "Q2", "K2", "V2"]
    assert found.named(writes=True, later=False) == ["O1", "O2"]
    assert (found.uses["A"], found.uses["B"]) == (Use(0, False, True), Use(0, True, True))
    assert not stream_of(attention(8, 2, tokens=2).program, {"X": (2, 8)}).layered  # type: ignore[union-attr]


@pytest.mark.parametrize("model", [mlp([8, 8, 8], act="gelu"), attention(8, 2), transformer(4, 2, 4)])
def test_other_networks_have_no_such_stream(model: clexact.Model) -> None:
    assert stream_of(model.program, model.probes) is None


@pytest.mark.parametrize("name", [*sorted(BLOCKS.keys() - {"gains"}), pytest.param("gains", marks=pytest.mark.slow)])
def test_values_are_those_of_dense_jets_at_the_same_seeds(name: str) -> None:
    model = transformer(8, 2, 6, heads=2, tokens=3, **BLOCKS[name])  # type: ignore[arg-type]
    flow, growth = clexact.gradient_flow(model), built(model, limit=1)
    for kind in growth._kinds.values():
        growth._draw(kind, 2**6)
        count = min(FEW, rows_of(growth))
        few = [_taken(part, np.arange(count)) for part in growth.witnesses[-1].seeds]
        seeds = [np.zeros((count, flow.seed_size), dtype=np.uint64) for _ in few]
        for dense, part in zip(seeds, few, strict=True):
            dense[part.rows, part.place] = part.value
        expected = bracket_values(flow, seeds, {0: growth.point[None]}, growth.prime)[0]
        part, found = growth._values(few, count), np.zeros((count, flow.dimension), dtype=np.uint64)
        found[part.rows, part.place] = part.value
        assert found.any(axis=1).all() and (found == expected).all()


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.slow  # two certifications each, the dense one being what takes the time
def test_counts_are_those_of_dense_brackets(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = clexact.gradient_flow(transformer(8, 2, 6, heads=2, tokens=3, **BLOCKS[name]))  # type: ignore[arg-type]
    dense = clexact.certify(flow)
    monkeypatch.setattr(counting, "SPARSE_FROM", 1)
    sparse = clexact.certify(flow)
    assert sparse.exact and (sparse.lower, sparse.upper) == (dense.lower, dense.upper)
    assert not sparse.closure.generic
    assert all(a <= b for a, b in zip(sparse.filtration, dense.filtration, strict=False))


@pytest.mark.parametrize("kind", ["units at rest", "scores", "brackets"])
def test_rows_that_are_sought_have_a_part_along_the_directions(kind: str) -> None:
    growth = built(transformer(8, 2, 6, heads=2, tokens=3, norm="pre-layer", bias=True), limit=1)
    vector, count = missing_direction(growth.form, growth.laws, growth.prime, growth._draws, 4)
    place = np.flatnonzero(vector)
    theta = growth._theta | {1: Part(vector.shape, None, place, vector[place])}
    find = growth._brackets_along if growth._kinds[kind].depth else growth._gradients_along
    seeds = find(growth._inputs.seeds(growth._kinds[kind], 64), 64, theta, 8)
    rows = int(seeds[0].rows.max(initial=-1)) + 1
    start, column, value, _ = compressed(growth._values(seeds, rows), rows)
    assert count == 4 and 1 <= rows <= 8
    assert growth.form.products(start, column, value, vector).all()


def test_pivots_are_taken_elsewhere_before_columns_that_are_weighed() -> None:
    heavy, light = np.array([0, 1]), np.array([2])
    form = SparseForm(3, 65537)
    form.weigh(heavy, 2**40)
    rows = np.array([0, 3, 5]), np.array([0, 1, 2, 0, 2]), np.arange(1, 6, dtype=np.uint64), np.arange(2)
    assert form.add(*rows, 99).tolist() == [True, True] and form.pivots[0] == light[0]
    form.weigh(heavy, -(2**40))
    assert form.add(np.array([0, 1]), heavy[:1], np.ones(1, dtype=np.uint64), np.arange(1), 99).all()


def test_rotary_positions_are_probes_for_each_two_tokens() -> None:
    model = transformer(8, 2, 4, heads=2, tokens=3, norm="pre-rms", rope=True)
    found = stream_of(model.program, model.probes)
    assert found is not None and (found.probe, found.pairs, found.rooted) == ("X", ("c", "s"), True)
    growth = built(model, limit=1)
    seeds = growth._inputs.seeds(growth._kinds["keys"], 32)
    first = {name: growth._flow.probe_place(name) for name in ("c", "s")}
    angles = [seeds.place[(seeds.place >= at) & (seeds.place < at + 9)] - at for at in first.values()]
    assert all(set(places.tolist()) == {6, 7, 8} for places in angles)  # of the last token, with all three


def test_bounds_of_a_block_without_norms_meet_at_a_sparse_point() -> None:
    growth = built(transformer(8, 2, 6, heads=2, tokens=4, bias=True), limit=242)
    assert growth.form.rank == 242 and growth.ranks == (226, 242)  # the last, of biases that differ below a layer


@pytest.mark.parametrize("count", [3, 40, 500])
def test_combinations_are_met_equally_often(count: int) -> None:
    growth = built(transformer(8, 2, 4, heads=2, norm="pre-layer"), limit=1)
    found = growth._inputs.combinations({"own": (2, 5), "none": None, "other": (0, 7), "seen": (-2, 90)}, count)
    assert set(found) == {"own", "other", "seen"} and all(len(part) == count for part in found.values())
    assert found["own"].min() >= 2 and found["own"].max() < 5 and found["seen"].min() >= -2
    pairs = found["own"] * 7 + found["other"] if count >= 21 else found["own"]
    times = np.unique(pairs, return_counts=True)[1]
    assert len(times) == (21 if count >= 21 else 3) and times.max() - times.min() <= 1


def test_large_networks_of_units_with_biases_are_certified_at_a_sparse_point() -> None:
    count = clexact.certify(clexact.gradient_flow(mlp([40, 12, 6], act="gelu", bias=True)))
    assert (count.lower, count.upper, count.closure.generic) == (0, 0, False)
