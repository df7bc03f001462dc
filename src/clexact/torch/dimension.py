"""``dimension``: how many directions of a module's parameters change its function."""

from __future__ import annotations

from typing import Any

from torch import nn

from clexact.counting.dimension import FunctionalDimension
from clexact.counting.dimension import dimension as of_flow
from clexact.flows.analytic import of_model
from clexact.support.losses import check_loss
from clexact.torch.translate import model


def dimension(
    module: nn.Module,
    example_input: Any,
    *,
    loss: object = "full",
    seed: int = 0,
    time_limit: float | None = None,
    memory_limit: int | None = None,
) -> FunctionalDimension:
    """The functional dimension of a module: that of the model that it is, proved from both sides.

    Parameters
    ----------
    module : torch.nn.Module
        The module, in training or evaluation mode.
    example_input : torch.Tensor, tuple or dict
        As for ``model``; rows of embeddings are mixed freely.
    loss : {"full", "cross_entropy"} or torch.nn.Module
        As for ``gradient_flow``: of the output, what the loss sees counts.
    seed : int
        Of all random choices.
    time_limit : float, optional
        In seconds.
    memory_limit : int, optional
        In MiB.

    Returns
    -------
    FunctionalDimension
        As from ``clexact.dimension``.

    Raises
    ------
    TypeError, ValueError, MemoryLimitError, TimeoutError
        As ``model`` and ``clexact.dimension``.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> dimension(net, torch.ones(1, 2))
    functional dimension exactly 10 of 13 (3 redundant directions)
    """
    flow = of_model(model(module, example_input, tokens="free"), check_loss(loss))
    return of_flow(flow, seed=seed, time_limit=time_limit, memory_limit=memory_limit)
