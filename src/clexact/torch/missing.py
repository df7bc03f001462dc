"""``missing``: linear and quadratic laws of a small module that are no family which ``laws`` lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from clexact.algebra.terms import Terms
from clexact.flows.analytic import of_model
from clexact.laws.polynomial_laws import polynomial_laws
from clexact.laws.result import ConservationLaws, arranged, without
from clexact.support.losses import check_loss
from clexact.symmetry.groups import Law
from clexact.symmetry.solutions import independent
from clexact.torch.translate import model

MOST_ENTRIES = 3000  # parameters of a module


def missing(module: nn.Module, example_input: Any, *, loss: object = "full", seed: int = 0) -> ConservationLaws:
    r"""All laws of degree at most 2 of a small module that symmetry, as ``laws`` lists it, does not explain.

    The laws of the module's program (``polynomial_laws``: h with $\langle\nabla h, \nabla\langle C, g\rangle\rangle =
    0$ for all $\theta$, inputs and covectors C, from a system of equations or, with analytic functions, from samples
    modulo a prime) that are no linear combination of those of families and of products of linear ones. ``complete``
    of the result says whether it is proved that there are no others. Rows of embeddings are mixed freely.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    example_input : torch.Tensor, tuple or dict
        As for ``laws``.
    loss : {"full", "cross_entropy"}
        As for ``gradient_flow``: any loss, or cross-entropy along the last axis of a single output.
    seed : int
        Of the random primes and points.

    Returns
    -------
    ConservationLaws
        Those that no family explains, in the names of the module as a model.

    Raises
    ------
    TypeError
        If it is given no module.
    ValueError
        For a module that torch.export cannot read, or of more than 3,000 parameters, or for another loss.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> missing(net, torch.ones(1, 2))
    ConservationLaws([])
    >>> one_input = torch.nn.Sequential(torch.nn.Linear(1, 2, bias=False), torch.nn.Linear(2, 1, bias=False))
    >>> missing(one_input, torch.ones(1, 1)).complete
    True
    """
    loss = check_loss(loss)
    made = model(module, example_input, tokens="free")
    if made.dimension > MOST_ENTRIES:
        raise ValueError(f"a module may have at most {MOST_ENTRIES} parameters here, not {made.dimension}.")
    flow = of_model(made, loss)
    found = polynomial_laws(flow, 2, seed=seed)
    explained = flow.symmetries.euclidean_laws()
    linear = [law for law in explained if all(len(key) == 1 for key in law)]
    explained += [_product(a, b) for n, a in enumerate(linear) for b in linear[n:]]
    fresh = _fresh(explained, [_law(found.packed(n, n + 1)) for n in range(len(found))])
    return replace(found, terms=arranged(without(found.terms, np.flatnonzero(~fresh))))


def _product(a: Law, b: Law) -> Law:
    total: Law = {}
    for (i,), c in a.items():
        for (j,), d in b.items():
            key = (min(i, j), max(i, j))
            total[key] = total.get(key, 0) + c * d
    return total


def _law(terms: Terms) -> Law:
    """One law, by its monomials."""
    monomials = (np.repeat(terms.var[a:b], terms.power[a:b]) for a, b in pairwise(terms.start.tolist()))
    return {tuple(m.tolist()): int(c) for m, c in zip(monomials, terms.coef.tolist(), strict=True)}


def _fresh(known: Sequence[Law], laws: Sequence[Law]) -> NDArray[np.bool_]:
    """Which laws are no combination of those known, and of the fresh ones before."""
    place: dict[tuple[int, ...], int] = {}
    rows = [
        (np.array([place.setdefault(key, len(place)) for key in law], dtype=np.int64), np.array(list(law.values())))
        for law in (*known, *laws)
    ]
    return independent(rows)[len(known) :]
