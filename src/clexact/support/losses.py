"""One vocabulary for losses: what their gradients by the output span, whatever a user calls them."""

from __future__ import annotations

LOSSES = ("full", "cross_entropy")
SAME = {"full": "full", "mse": "full", "squared": "full", "cross_entropy": "cross_entropy", "ce": "cross_entropy"}
MODULES = {"MSELoss": "full", "CrossEntropyLoss": "cross_entropy"}  # of torch.nn, which is not imported here
NAMES = "'full' ('mse', 'squared'), 'cross_entropy' ('cross-entropy', 'ce'), nn.MSELoss(), nn.CrossEntropyLoss()"


def loss_kind(loss: object) -> str | None:
    """``"full"`` or ``"cross_entropy"`` for a name or a loss of torch.nn; None for anything else."""
    if isinstance(loss, str):
        return SAME.get(loss.replace("-", "_"))
    return MODULES.get(type(loss).__name__) if type(loss).__module__ == "torch.nn.modules.loss" else None


def check_loss(loss: object, besides: str = "") -> str:
    """``loss_kind``; ValueError that lists what is expected, and what ``besides`` says, for anything else."""
    kind = loss_kind(loss)
    if kind is None:
        raise ValueError(f"loss must be one of {NAMES}{besides}, not {loss!r}.")
    return kind
