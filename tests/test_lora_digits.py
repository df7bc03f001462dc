"""Balanced factors of LoRA condition best (arXiv 2605.31484): on scikit-learn's digits, measured by the Jacobian.

For whitened inputs x and outputs B A x, both longer than the rank r, J J^T maps X to X A^T A + B B^T X on the tangent
space of the matrices of rank r, so its condition is (s_1(A)^2 + s_1(B)^2) / min(s_r(A)^2, s_r(B)^2), at least
2 s_1(BA) / s_r(BA); equal for balanced factors.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
from sklearn.datasets import load_digits  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from clexact.torch import balance  # noqa: E402

RANK, IMAGES, SEEN, CLASSES = 3, 100, 16, 10


class Adapted(nn.Module):
    """A frozen layer with x A^T B^T beside it: A drawn as peft draws it, B = 0."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        generator, bound = torch.Generator().manual_seed(0), 1 / math.sqrt(base.in_features)
        drawn = torch.rand(RANK, base.in_features, generator=generator, dtype=torch.float64)
        self.base, self.lora_A = base.requires_grad_(False), nn.Parameter((2 * drawn - 1) * bound)
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, RANK, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + x @ self.lora_A.T @ self.lora_B.T


def frozen() -> nn.Linear:
    layer, generator = nn.Linear(SEEN, CLASSES).double(), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) / 4)
    return layer


def by_peft() -> Any:
    peft = pytest.importorskip("peft")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = peft.LoraConfig(r=RANK, lora_alpha=RANK, target_modules=["0"])
        return peft.get_peft_model(nn.Sequential(frozen()), config).double()


def digits() -> tuple[Tensor, Tensor]:
    """The first principal components of some images, with X^T X = 1, and their digits."""
    data = load_digits()
    images = torch.tensor(data.data[:IMAGES])
    left = torch.linalg.svd(images - images.mean(0), full_matrices=False)[0]
    return left[:, :SEEN], torch.tensor(data.target[:IMAGES])


def factors(model: nn.Module) -> tuple[nn.Parameter, nn.Parameter]:
    """A and B."""
    found = {key: p for name, p in model.named_parameters() for key in ("lora_A", "lora_B") if key in name}
    return found["lora_A"], found["lora_B"]


def condition(model: nn.Module, x: Tensor) -> float:
    """Of J J^T, J the Jacobian of the outputs, where it is not 0: of rank all parameters less the r^2 of the orbit."""
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    values = tuple(dict(model.named_parameters())[name].detach() for name in names)

    def outputs(*given: Tensor) -> Any:
        return torch.func.functional_call(model, dict(zip(names, given, strict=True)), (x,))

    parts = torch.func.jacrev(outputs, argnums=tuple(range(len(names))))(*values)
    sizes = torch.linalg.svdvals(torch.cat([part.flatten(2).flatten(0, 1) for part in parts], 1))
    rank = RANK * (SEEN + CLASSES - RANK)
    assert sizes[rank - 1] > 1e-3 * sizes[0] and sizes[rank] < 1e-12 * sizes[0]
    return float((sizes[0] / sizes[rank - 1]) ** 2)


@pytest.mark.parametrize(
    "make",
    [lambda: Adapted(frozen()), pytest.param(by_peft, marks=[pytest.mark.slow, pytest.mark.filterwarnings("ignore")])],
)
def test_balanced_factors_condition_best(make: Any) -> None:
    model, (x, y) = make(), digits()
    a, b = factors(model)
    optimizer = torch.optim.SGD([a, b], 30.0)  # the entries of x are of size 1 / sqrt(images)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    trained, outputs = condition(model, x), model(x).detach()
    done = balance(model, x)
    balanced = condition(model, x)
    torch.testing.assert_close(model(x).detach(), outputs, rtol=1e-12, atol=1e-12)
    assert max(done.after.values()) < 1e-10
    sizes = torch.linalg.svdvals((b @ a).detach())
    assert balanced == pytest.approx(2 * float(sizes[0] / sizes[RANK - 1]), rel=1e-6)
    assert trained > 1.05 * balanced
    generator, start = torch.Generator().manual_seed(2), (a.detach().clone(), b.detach().clone())
    for _ in range(4):  # other factors of the same product
        move = torch.eye(RANK, dtype=torch.float64) + torch.randn(RANK, RANK, generator=generator) / 4
        with torch.no_grad():
            a.copy_(torch.linalg.solve(move, start[0]))
            b.copy_(start[1] @ move)
        torch.testing.assert_close(model(x).detach(), outputs, rtol=1e-10, atol=1e-10)
        assert condition(model, x) > balanced
