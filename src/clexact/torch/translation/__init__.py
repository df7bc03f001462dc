"""What each operation of an exported graph is on arrays of a program: ``RULES``, in files by their kind."""

from clexact.torch.translation import (
    analytic,
    arithmetic,
    contraction,
    convolution,
    masks,
    norms,
    pieces,
    pooling,
    rearrangement,
    recurrent,
    resampling,
    softmax,
)
from clexact.torch.translation.rule import RULES, Call, Masked, NotTranslatableError

__all__ = [
    "RULES",
    "Call",
    "Masked",
    "NotTranslatableError",
    "analytic",
    "arithmetic",
    "contraction",
    "convolution",
    "masks",
    "norms",
    "pieces",
    "pooling",
    "rearrangement",
    "recurrent",
    "resampling",
    "softmax",
]
