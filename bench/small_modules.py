"""Small modules against all their laws of degree at most 2: python bench/small_modules.py [--seconds S] [NAME ...].

Layers of width 2 or 3 with each activation, norm, pooling and recurrence, with biases and without. One row each:
parameters, numbers in the laws that ``clexact.torch.laws`` lists, laws that ``missing`` finds beside them, whether it
is proved that there are no others, seconds. With those of tests/torch_modules.py these are about 170 modules.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from clexact.torch import laws, missing

Make = Callable[[], tuple[nn.Module, Tensor]]
FUNCTIONS = [
    "ReLU",
    "LeakyReLU",
    "GELU",
    "SiLU",
    "Tanh",
    "Sigmoid",
    "Softplus",
    "ELU",
    "SELU",
    "Mish",
    "Hardtanh",
    "Hardswish",
    "Hardsigmoid",
    "Softsign",
    "LogSigmoid",
    "ReLU6",
    "PReLU",
    "Tanhshrink",
    "Softshrink",
    "CELU",
]


class Apply(nn.Module):
    """A function of a tensor as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """Its value."""
        return self.function(x)


class Added(nn.Module):
    """Parts whose results are added."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        """Their sum."""
        return sum((part(x) for part in self.parts), torch.zeros(()))


class First(nn.Module):
    """The first result of a recurrent layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """The outputs of all steps."""
        return self.layer(x)[0]  # type: ignore[no-any-return]


def vectors(*between: nn.Module, bias: bool = True) -> tuple[nn.Module, Tensor]:
    """Linear, these, and Linear."""
    return nn.Sequential(nn.Linear(2, 3, bias=bias), *between, nn.Linear(3, 2, bias=bias)), torch.randn(1, 2)


def images(*between: nn.Module, inner: int = 4, size: int = 3, **options: Any) -> tuple[nn.Module, Tensor]:
    """A convolution, these, and Linear on all that is left."""
    first = nn.Conv2d(1, 2, 2, **options)
    return nn.Sequential(first, *between, nn.Flatten(), nn.Linear(2 * inner, 2)), torch.randn(1, 1, size, size)


def small_modules() -> dict[str, Make]:
    """All of them."""
    made: dict[str, Make] = {}
    for name in FUNCTIONS:
        for bias in (True, False):
            made[f"{name}{'' if bias else ', no bias'}"] = partial(_function, name, bias)
    norms = {
        "LayerNorm": lambda: nn.LayerNorm(3),
        "LayerNorm, plain": lambda: nn.LayerNorm(3, elementwise_affine=False),
        "RMSNorm": lambda: nn.RMSNorm(3),
        "GroupNorm": lambda: nn.GroupNorm(1, 3),
        "softmax": lambda: nn.Softmax(1),
        "log_softmax": lambda: nn.LogSoftmax(1),
        "minus the mean": lambda: Apply(lambda h: h - h.mean(1, keepdim=True)),
        "GLU": lambda: nn.Sequential(nn.Linear(3, 6), nn.GLU()),
        "dropout": lambda: nn.Dropout(0.5),
        "squares": lambda: Apply(torch.square),
        "abs": lambda: Apply(torch.abs),
        "cumsum": lambda: Apply(lambda h: h.cumsum(1)),
        "flip": lambda: Apply(lambda h: h.flip(1)),
        "maximum with flip": lambda: Apply(lambda h: torch.maximum(h, h.flip(1))),
        "times its flip": lambda: Apply(lambda h: h * h.flip(1)),
        "normalize": lambda: Apply(lambda h: F.normalize(h, dim=1)),
        "exp": lambda: Apply(torch.exp),
        "sin": lambda: Apply(torch.sin),
        "sqrt of 1 + x^2": lambda: Apply(lambda h: (1 + h * h).sqrt()),
        "relu of relu": lambda: nn.Sequential(nn.ReLU(), nn.Linear(3, 3), nn.ReLU()),
        "linear": lambda: nn.Identity(),
        "three linear": lambda: nn.Linear(3, 3),
        "residual": lambda: Added(nn.Linear(3, 3), nn.Identity()),
        "residual of relu": lambda: Added(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), nn.Identity()),
        "two branches": lambda: Added(nn.Linear(3, 3), nn.Linear(3, 3)),
        "two branches of relu": lambda: Added(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), nn.Linear(3, 3)),
    }
    made |= {name: partial(lambda make: vectors(make()), make) for name, make in norms.items()}
    made |= {
        f"{name}, relu": partial(lambda make: vectors(make(), nn.ReLU()), norms[name])
        for name in ("LayerNorm", "RMSNorm", "GroupNorm", "minus the mean", "linear", "flip", "squares")
    }
    convolutions = {
        "convolution": [],
        "convolution, relu": [nn.ReLU()],
        "convolution, tanh": [nn.Tanh()],
        "convolution, batch norm": [nn.BatchNorm2d(2).eval()],
        "convolution, batch norm, relu": [nn.BatchNorm2d(2).eval(), nn.ReLU()],
        "convolution, group norm, relu": [nn.GroupNorm(1, 2), nn.ReLU()],
        "convolution, two channels": [nn.Conv2d(2, 2, 1), nn.ReLU()],
        "convolution, depthwise": [nn.Conv2d(2, 2, 1, groups=2), nn.ReLU()],
    }
    made |= {name: partial(images, *between) for name, between in convolutions.items()}
    for name in ("MaxPool2d", "AvgPool2d"):
        made[f"convolution, {name}"] = partial(images, getattr(nn, name)(2), inner=1)
        made[f"convolution, relu, {name}"] = partial(images, nn.ReLU(), getattr(nn, name)(2), inner=1)
    made["convolution, padding"] = partial(images, nn.ReLU(), inner=4, size=3, padding=1, stride=2)
    made["convolution, no bias"] = partial(images, nn.ReLU(), bias=False)
    for name in ("RNN", "GRU", "LSTM"):
        for bias in (True, False):
            made[f"{name}{'' if bias else ', no bias'}"] = partial(_recurrent, name, bias)
    return made


def _function(name: str, bias: bool) -> tuple[nn.Module, Tensor]:
    return vectors(getattr(nn, name)(), bias=bias)


def _recurrent(name: str, bias: bool) -> tuple[nn.Module, Tensor]:
    return First(getattr(nn, name)(1, 2, bias=bias, batch_first=True)), torch.randn(1, 2, 1)


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TimeoutError


def main() -> None:
    """Print a row for each module, and how many have laws that are not explained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=int, default=30)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _too_long)
    every = small_modules()
    chosen = arguments.names or list(every)
    unexplained, stopped = list[str](), list[str]()
    print(f"{'':34}{'parameters':>12}{'numbers':>9}{'missing':>9}  {'all':6}{'s':>6}")
    for name in chosen:
        torch.manual_seed(0)
        module, example = every[name]()
        start = time.perf_counter()
        signal.alarm(arguments.seconds)
        try:
            listed = laws(module, example, certify=False)
            found = missing(module, example)
        except TimeoutError:
            stopped.append(name)
            print(f"{name:34}  not done in {arguments.seconds} s", flush=True)
            continue
        finally:
            signal.alarm(0)
        size = sum(p.numel() for p in module.parameters())
        unexplained += [name] * bool(len(found))
        seconds = time.perf_counter() - start
        print(f"{name:34}{size:12}{listed.count:9}{len(found):9}  {found.complete!s:6}{seconds:6.1f}", flush=True)
    said = f"{len(chosen)} modules, {len(stopped)} not done; with laws that no rule explains: {', '.join(unexplained)}"
    print(said if unexplained else said.split(";")[0] + "; none has a law that no rule explains")


if __name__ == "__main__":
    sys.exit(main())
