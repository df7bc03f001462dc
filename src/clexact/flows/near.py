r"""The flow near a start: a network's gates as they truly are there.

Near a start $\theta_0$ a network is, for each input, one of finitely many pieces: those whose gates some open set of
inputs meets at $\theta_0$. Where these gates span what free gates span, the answer for free gates is that of the
network (``programs/gate_monomials.py``). Else the members are those of the pieces met: what they span, the network
spans near the start. Where these are all pieces that it has near the start, their laws are its laws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import lcm, prod

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.linalg import residues
from clexact.algebra.polynomial import Number, check_point
from clexact.algebra.terms import Terms
from clexact.flows.cases import FlowOfCases
from clexact.flows.flow import Flow
from clexact.flows.gradient import GradientFlow
from clexact.flows.lifted import LiftedFlow
from clexact.flows.together import cases_flow
from clexact.programs.balls import AnalyticNetwork
from clexact.programs.gate_monomials import gate_monomials, span_all
from clexact.programs.gates import GENERIC, NEAR, THIS_DATA, TRUE_GATES, scope_of
from clexact.programs.held import Table, held
from clexact.programs.nearby import Nearby
from clexact.programs.network import Gates, Input, Network, TieError
from clexact.programs.places import Mask
from clexact.programs.region_samples import silent_gates
from clexact.programs.regions import Region, Regions, enumerable, regions, sampled_regions
from clexact.programs.sources import Stages
from clexact.support.errors import RANK_BITS

LEAST, MOST = 64, 1024  # regions that are drawn where they do not span all
PATIENCE = 100  # inputs in a row that meet no other gates, before drawing ends
STEP = 32  # regions from one test of whether they do to the next


@dataclass(frozen=True, eq=False)
class Start:
    """A start, and the gates that a network has near it.

    Attributes
    ----------
    point : tuple of int or Fraction
        The parameters.
    regions : Regions
        The gates met, each with an input that meets them.
    spans : bool
        Whether these gates span what free gates span: then free gates are no assumption.
    free : Flow
        The flow with free gates.
    """

    point: tuple[Number, ...]
    regions: Regions
    spans: bool
    free: Flow

    @property
    def complete(self) -> bool:
        """Whether the members are those of all gates that the network has near the start."""
        return self.spans or self.regions.complete

    @property
    def gated(self) -> bool:
        """Whether the network has gates."""
        return any(region.gates for region in self.regions.found)

    @property
    def error(self) -> Fraction:
        """The chance with which the members are not those of all gates, where they are taken to be."""
        return Fraction(0) if self.spans else self.regions.error

    @property
    def said(self) -> str:
        """What is known of the gates, in words."""
        met = f"the gates near the start, of which {len(self.regions.found)} were met"
        if self.spans:
            return f"{met}, span what free gates span"
        return f"{met}: {self.regions.reason}"


def near_start(flow: Flow, point: Sequence[Number], *, seed: int = 0) -> Flow:
    """The flow near a start; ValueError for explicit fields and wrong points, TieError for a start on a kink."""
    if isinstance(flow, LiftedFlow):
        return flow.over(near_start(flow.base, point, seed=seed))
    if flow.start is not None:
        return near_start(flow.start.free, point, seed=seed)
    if not isinstance(flow, GradientFlow):
        raise ValueError("a start decides gates, and explicit fields have none: near belongs to models.")
    if isinstance(flow, FlowOfCases) and flow.data is not None:
        return _on_data(flow, flow.data, point, Draws(seed, flow.digest))
    if not flow.model.program.gates:
        none = Regions((), True, Fraction(0), "there are no gates")
        return _at(flow, Start(check_point(point, flow.dimension), none, True, flow))
    draws = Draws(seed, flow.digest)
    if flow.analytic:
        start = _met_behind_functions(flow, point, draws)
    else:
        start = _met(Network(flow.model, point), flow, draws)
    if start.spans:
        return _at(flow, start)
    tables, whole = _tables(start.regions.found), start.regions.complete
    model, cases = held(flow.model, tables) if whole else (flow.model, tables)
    return _at(cases_flow(model, flow.loss, cases, whole=whole, source=flow.model, tables=tables), start)


def _met(network: Network, flow: GradientFlow, draws: Draws) -> Start:
    """All gates near the start where they can be enumerated, else so many that they span all, or enough."""
    monomials = gate_monomials(flow.model.program, flow.model.probes)
    if enumerable(network):
        found = regions(network, draws)
        _check_met(found.found, found.reason)
        return Start(network.point, found, _span(monomials, found.found, draws), flow)
    most = min(MOST, max(LEAST, 2 * flow.dimension // prod(flow.program.shape)))
    wanted = len(monomials) if monomials is not None else most + 1
    met, drawn = list[Region](), sampled_regions(network, draws)
    for region in islice(drawn, max(most, min(2 * wanted, 2 * MOST))):
        met.append(region)
        if len(met) >= wanted and (len(met) - wanted) % STEP == 0 and _span(monomials, met, draws):
            break
    reason = "regions of inputs that were drawn, not of all"
    _check_met(met, "terms of second order decide gates near this start, at all inputs that were drawn")
    return Start(network.point, Regions(tuple(met), False, Fraction(0), reason), _span(monomials, met, draws), flow)


def _check_met(met: Sequence[Region], reason: str) -> None:
    """TieError if no gates are known: nothing is known of the network then."""
    if not met:
        raise TieError(f"no gates of the network near this start are known: {reason}.")


def _met_behind_functions(flow: GradientFlow, point: Sequence[Number], draws: Draws) -> Start:
    """Gates of a network with functions, whose regions have no flat sides: so many as are drawn."""
    network = AnalyticNetwork(flow.model, point)
    most = min(MOST, max(LEAST, 2 * flow.dimension // prod(flow.program.shape)))
    met = tuple(islice(network.sampled(draws, PATIENCE), most))
    _check_met(met, "all inputs that were drawn meet a kink of it")
    reason = "those of inputs that were drawn, not of all"
    return Start(network.point, Regions(met, False, Fraction(0), reason), False, flow)


def _on_data(flow: FlowOfCases, data: Mapping[str, Table], point: Sequence[Number], draws: Draws) -> Flow:
    """With the gates that each of the inputs meets."""
    network = AnalyticNetwork(flow.source, point) if flow.analytic else Network(flow.source, point)
    count, met, error = len(next(iter(data.values()))), list[Region](), Fraction(0)
    for n in range(count):
        try:
            region, chance = _met_by(network, {name: table[n] for name, table in data.items()}, draws)
        except TieError as tie:
            raise TieError(f"input {n}: {tie}") from None
        met.append(region)
        error += chance
    start = Start(network.point, Regions(tuple(met), True, error, "all inputs were evaluated"), False, flow)
    tables = _tables(met)
    model, cases = held(flow.source, dict(data) | tables)
    model.data = THIS_DATA
    return _at(cases_flow(model, flow.loss, cases, source=flow.source, data=data, tables=tables), start)


def _met_by(network: Network | AnalyticNetwork, given: Input, draws: Draws) -> tuple[Region, Fraction]:
    """The gates that one input meets, and the chance that they are others near the start; TieError if they may be."""
    if isinstance(network, AnalyticNetwork):
        return Region(given, gates := network.gates_at(given), _none_silent(gates)), Fraction(0)
    values, gates = network.values(given)
    if not network.tied(values, gates):
        return Region(given, gates, _none_silent(gates)), Fraction(0)
    stages, numbers = Stages(network), [c for name in network.inputs for c in given[name].ravel().tolist()]
    nearby = Nearby(network, stages, draws, affine=False, given=numbers)
    silent = silent_gates(stages, nearby, values, gates)
    if silent is None:
        raise TieError("terms of second order decide its gates near this start.")
    return Region(given, gates, silent), nearby.error


def _none_silent(gates: Gates) -> dict[str, Mask]:
    return {name: np.zeros(gate.shape, dtype=bool) for name, gate in gates.items()}


def _span(monomials: Terms | None, met: Sequence[Region], draws: Draws) -> bool:
    """Whether the gates met span what free gates span."""
    if monomials is None or len(monomials) > len(met):
        return False
    gates = np.concatenate([table.reshape(len(table), -1) for table in _tables(met).values()], axis=1)
    prime = draws.prime(RANK_BITS, avoiding=lcm(*(Fraction(c).denominator for c in set(gates.ravel().tolist()))))
    return span_all(monomials, residues(gates, prime), prime)


def _tables(met: Sequence[Region]) -> dict[str, Table]:
    """The gates met, case by case."""
    names = met[0].gates if met else {}
    return {name: np.stack([np.asarray(region.gates[name], dtype=object) for region in met]) for name in names}


def _at(flow: GradientFlow, start: Start) -> GradientFlow:
    """A copy of the flow that speaks of a start."""
    near, model = copy(flow), flow.model
    near.start = start
    near.scope = scope_of(model.data, NEAR, TRUE_GATES if start.gated else "", model.cuts)
    instead = {GENERIC: NEAR} | ({flow.reading: start.said} if start.gated else {})
    near.assumptions = tuple(instead.get(words, words) for words in flow.assumptions)
    return near
