"""The gates that a network of polynomial pieces meets at a rational start, and at all parameters near it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import comb

from clexact.algebra.draws import Draws
from clexact.algebra.polynomial import Number
from clexact.programs.model import check_size, entry_names
from clexact.programs.nearby import Nearby
from clexact.programs.network import Network, input_degrees
from clexact.programs.region_samples import RegionSamples
from clexact.programs.region_tree import Region, RegionTree
from clexact.programs.sources import Stages

MOST = 2**12  # regions: those of 12 units that no input separates more than it can
PATIENCE = 100  # inputs in a row that meet no other region, before sampling ends
FEW_INPUTS, FEW_UNITS = 3, 12  # of either, all regions are enumerated

__all__ = ["Region", "Regions", "Units", "regions", "sampled_regions", "units"]


@dataclass(frozen=True)
class Regions:
    r"""The gates met at a start $\theta_0$, and at parameters near it.

    Attributes
    ----------
    found : tuple of Region
        Different choices of all gates, each met by an open set of inputs, in the order found.
    complete : bool
        Whether for all parameters in a neighbourhood of the start these are all that are met by open sets of inputs.
    error : Fraction
        The chance, at most 2^-100, that ``complete`` was shown wrongly; 0 where no random test was needed.
    reason : str
        Why the list is complete, or why it may not be.
    """

    found: tuple[Region, ...]
    complete: bool
    error: Fraction
    reason: str


def regions(network: Network, draws: Draws, *, most: int = MOST, patience: int = PATIENCE) -> Regions:
    """Find the gates that are met near a start: all of them where there are few inputs or units, else samples.

    Enumerated are the regions of networks in which what enters a gate is affine in the input, with up to 3 numbers as
    input or 12 entries of gates, unless they are more than ``most``. Each choice of gates that no input meets is shown
    to be met by none near the start either. Otherwise inputs are drawn until ``most`` regions are met, or ``patience``
    inputs in a row have met no other one.

    Raises TieError if the network has no gradient in the parameters on a whole region of inputs.
    """
    most, patience = check_size(most, "most"), check_size(patience, "patience")
    stages, affine = Stages(network), _affine(network)
    why = _too_many(network, stages, affine, most)
    if not why:
        nearby = Nearby(network, stages, draws, affine)
        tree = RegionTree(network, stages, nearby)
        found = tuple(islice(tree.regions(), most + 1))
        if len(found) <= most:
            return _enumerated(found, tree.doubts, nearby.error)
        why = f"they are more than {most}"
    met = tuple(islice(sampled_regions(network, draws, patience=patience), most))
    return Regions(met, False, Fraction(0), f"regions of inputs that were drawn, not of all: {why}")


def enumerable(network: Network, *, most: int = MOST) -> bool:
    """Whether ``regions`` enumerates, rather than draws inputs."""
    return not _too_many(network, Stages(network), _affine(network), most)


def sampled_regions(network: Network, draws: Draws, *, patience: int = PATIENCE) -> Iterator[Region]:
    """Regions as they are met by inputs that are drawn, until ``patience`` of these in a row have met no other one.

    Raises TieError if all inputs that were drawn have ties.
    """
    stages, affine = Stages(network), _affine(network)
    nearby = Nearby(network, stages, draws, affine=False)
    return RegionSamples(network, stages, nearby, draws, affine).regions(patience)


def _enumerated(found: tuple[Region, ...], doubts: list[str], error: Fraction) -> Regions:
    if doubts:
        return Regions(found, False, error, f"regions of the start, but there may be others near it: {doubts[0]}")
    return Regions(
        found, True, error, "all regions: every other choice of gates is met by no input, at and near the start"
    )


def _affine(network: Network) -> bool:
    degrees = input_degrees(network.program, network.inputs)
    return all(max(degrees[gate.source]) <= 1 for gate in network.gates.values())


def _too_many(network: Network, stages: Stages, affine: bool, most: int) -> str:
    """Why the regions are not enumerated, or nothing."""
    sizes = [len(entry_names(gate.probe, stages.shape(gate))) for gate in stages.gates]
    if not affine:
        return "what enters a gate is not affine in the input"
    if network.input_size > FEW_INPUTS and sum(sizes) > FEW_UNITS:
        return f"the input has more than {FEW_INPUTS} entries, and the gates more than {FEW_UNITS}"
    rectified = [n for gate, n in zip(stages.gates, sizes, strict=True) if gate.axis is None]
    if rectified and sum(comb(rectified[0] - 1, k) for k in range(network.input_size)) > most:  # cells of planes
        return f"they may be more than {most}"
    return ""


# --- what the regions say of the units --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Units:
    """Which entries of gates have one choice in all regions, and which are never apart.

    Regions in which an entry receives zero whatever the parameters do not count: its gate does not matter there.

    Attributes
    ----------
    on, off : tuple of str
        Those that are on, or off, in all regions: always, if ``complete``. Of a maximum: selected, or not.
    both : tuple of str
        The others.
    silent : tuple of str
        Those that receive zero in all regions.
    together : tuple of tuple of str
        Of the units that are on and off, groups that are on in the same regions.
    complete : bool
        Whether the regions are all that are met near the start.
    """

    on: tuple[str, ...]
    off: tuple[str, ...]
    both: tuple[str, ...]
    silent: tuple[str, ...]
    together: tuple[tuple[str, ...], ...]
    complete: bool

    def __str__(self) -> str:
        how = "always" if self.complete else "in all regions met"
        parts = [f"{how} {word}: {', '.join(names)}" for word, names in (("on", self.on), ("off", self.off)) if names]
        parts += [f"{how} zero before its gate: {', '.join(self.silent)}"] * bool(self.silent)
        apart = "never apart" if self.complete else "not apart in the regions met"
        parts += [f"{apart}: {', '.join(group)}" for group in self.together]
        return "; ".join(parts) or ("every unit is on for some inputs and off for others, each apart from the others")


def units(found: Regions) -> Units:
    """What the regions say of each entry of a gate."""
    choices = _choices(found)
    values = {name: set(seen) - {None} for name, seen in choices.items()}
    both = [name for name in choices if len(values[name]) == 2]
    groups: dict[tuple[bool | None, ...], list[str]] = defaultdict(list)
    for name in both:
        groups[choices[name]].append(name)
    together = tuple(tuple(group) for group in groups.values() if len(group) > 1)
    on, off, silent = (tuple(n for n in choices if values[n] == kind) for kind in ({True}, {False}, set()))
    return Units(on, off, tuple(both), silent, together, found.complete)


def _choices(found: Regions) -> dict[str, tuple[bool | None, ...]]:
    """For each entry of a gate and each region whether it is on; None where that does not matter."""
    choices: dict[str, list[bool | None]] = defaultdict(list)
    for region in found.found:
        for probe, gates in region.gates.items():
            quiet = region.silent[probe].ravel().tolist()
            named = zip(entry_names(probe, gates.shape), gates.ravel().tolist(), quiet, strict=True)
            for name, value, silent in named:
                choices[name].append(None if silent else _is_on(value))
    return {name: tuple(seen) for name, seen in choices.items()}


def _is_on(value: Number) -> bool:
    return value == 1
