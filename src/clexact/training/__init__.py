r"""Training in numbers: simulated flows, discrete steps and balanced starts, with every certified law watched.

All of it is floating point, except ``train(..., exact=True)``: a small drift is a measurement, no proof. The proofs are
those of ``clexact.certify``.
"""

from clexact.support.extras import command as _command

try:
    import scipy  # noqa: F401
except ImportError as error:
    raise ImportError(f"clexact.training needs scipy: {_command('training')}.") from error

from clexact.training.data import Data
from clexact.training.flows import simulate
from clexact.training.loss import CROSS_ENTROPY, SQUARED, Loss
from clexact.training.optimizers import GD, SGD, Adam, AdamW, HeavyBallStep, NesterovStep, Optimizer
from clexact.training.projection import project
from clexact.training.risk import Risk
from clexact.training.steps import Slope, slope, train
from clexact.training.trajectory import Trajectory

__all__ = [
    "CROSS_ENTROPY",
    "GD",
    "SGD",
    "SQUARED",
    "Adam",
    "AdamW",
    "Data",
    "HeavyBallStep",
    "Loss",
    "NesterovStep",
    "Optimizer",
    "Risk",
    "Slope",
    "Trajectory",
    "project",
    "simulate",
    "slope",
    "train",
]
