"""Laws of piecewise linear networks near one parameter: the fields of the pieces that inputs can reach, no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from clexact import functions
from clexact.algebra.fields import VectorFields
from clexact.algebra.polynomial import Number
from clexact.claims.checks import compared, counted
from clexact.claims.claim import Check
from clexact.counting.certify import certify
from clexact.counting.minimality import MinimalityStatus, data_fields, minimality
from clexact.flows.dynamics import gradient_flow
from clexact.programs.array import Array
from clexact.programs.gates import FREE
from clexact.programs.model import Model
from clexact.programs.network import Gates, Input
from clexact.programs.reverse import Exact

Activation = Callable[[Array], Array]
Network = Callable[[Activation], Model]  # a model as a function of its activation


def pieces(network: Network, activation: Activation, inputs: Sequence[Input], point: Sequence[Number]) -> list[Gates]:
    """The different choices that the true network makes at the inputs."""
    read = data_fields(network(activation), inputs, point).gates
    return list({str({name: g.tolist() for name, g in gates.items()}): gates for gates in read}.values())


def piece_fields(network: Network, chosen: Sequence[Gates]) -> VectorFields:
    """All fields of the network with each of these choices in turn, for all inputs: polynomials."""
    families = [gradient_flow(network(fixed(iter(gates.values())))).fields for gates in chosen]
    return sum(families[1:], families[0])


def fixed(choices: Iterator[Exact]) -> Activation:
    """The activation that makes these choices: slopes of the shape of its argument, or selections along its last axis.

    A selection has one entry 1 in each row, and the activation sums the products.
    """

    def activation(z: Array) -> Array:
        chosen = z * next(choices)
        return chosen if z.ndim == 1 else chosen.sum(-1)

    return activation


def local_count(
    network: Network, activation: Activation, stated: int, seed: int, point: Sequence[Number] | None = None
) -> Check:
    """The certified number of laws near one parameter, drawn from the seed if not given, beside the number stated.

    Where true gates span what free gates do, the count is that of free gates. Where they do not and all linear regions
    were visited, it is that of the pieces visited: those exist on a neighbourhood of the parameter, and no others.
    """
    seen = minimality(network(activation), point, seed=seed)
    free = gradient_flow(network(activation))
    if seen.status is MinimalityStatus.EQUAL:
        count = certify(free, 2, seed)
        if seen.rank != count.filtration[0]:
            raise ArithmeticError(f"the point {seen.point} is not generic.")
        check = compared(count, stated)
        return replace(check, evidence=f"{check.evidence.replace(f' {FREE}', '')}; {seen.status.value}")
    if not seen.exhaustive:
        return Check(None, str(stated), repr(seen), "exact ranks of gradients at inputs", free.dimension)
    return counted(piece_fields(network, pieces(network, activation, seen.inputs, seen.point)), stated, seed)


def relu(z: Array) -> Array:
    """The ReLU of a vector, the maximum of the rows of a matrix."""
    return functions.relu(z) if z.ndim == 1 else functions.maximum(z)
