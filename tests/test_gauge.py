"""Gauge dimensions of attention: verdicts, and the ranks of Jacobians in PyTorch's float64 as an oracle."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from clexact import models  # noqa: E402
from clexact.claims import gauge  # noqa: E402
from clexact.claims.claim import Statement  # noqa: E402
from clexact.claims.grid import Reach  # noqa: E402
from clexact.claims.judge import ClaimVerdict, judge  # noqa: E402

CLAIMS = {claim.id: claim for claim in gauge.CLAIMS}
PARTLY = {"gauge.heads", "gauge.rope", "gauge.grouped-queries"}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLAIMS)
def test_verdicts(name: str) -> None:
    """The squares hold for heads that are no wider than tokens; what is true instead holds on all of the grid."""
    found = judge(CLAIMS[name], Reach.QUICK)
    assert found.verdict is (ClaimVerdict.PARTLY if name in PARTLY else ClaimVerdict.CONFIRMED), found.sentence
    assert not found.written.sizes(None)
    if name in PARTLY:
        assert found.nearby is not None and found.nearby.confirmed
        wide = {size for size in found.claim.grid.sizes(Reach.QUICK) if _width(name, size) > size[0]}
        exceptions = {size for size in wide if name == "gauge.grouped-queries" and size[1] == size[0] * size[2]}
        assert set(found.written.sizes(False)) == wide - exceptions


def _width(name: str, size: tuple[int, ...]) -> int:
    return size[1] * (2 if name == "gauge.rope" else 1)


def redundant(shapes: list[tuple[int, int]], forward, d: int, tokens: int = 3) -> int:  # type: ignore[no-untyped-def]
    """D less the rank of the Jacobian of the outputs at many random inputs."""
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    size = sum(p.numel() for p in parameters)
    rows = []
    for _ in range(2 * size // (tokens * d) + 2):
        x = torch.randn(tokens, d, generator=generator, dtype=torch.float64)
        jacobian = torch.func.jacrev(lambda *p, x=x: forward(x, *p), tuple(range(len(shapes))))(*parameters)
        rows.append(torch.cat([j.reshape(tokens * d, -1) for j in jacobian], dim=1))
    return size - int(torch.linalg.matrix_rank(torch.cat(rows), rtol=1e-10))


def head(x, q, k, v, o):  # type: ignore[no-untyped-def]
    return torch.softmax(x @ q @ k.T @ x.T, -1) @ x @ v @ o.T


@pytest.mark.parametrize(("d", "h", "heads"), [(2, 1, 1), (2, 2, 1), (3, 2, 2), (2, 3, 1), (1, 2, 2)])
def test_heads_of_pytorch(d: int, h: int, heads: int) -> None:
    def forward(x, *p):  # type: ignore[no-untyped-def]
        return sum(head(x, *p[4 * i : 4 * i + 4]) for i in range(heads))

    assert redundant([(d, h)] * 4 * heads, forward, d) == heads * 2 * gauge._factor(d, h, whole=True)


@pytest.mark.parametrize(("d", "h", "sharing"), [(2, 1, 2), (2, 2, 2), (1, 2, 2), (1, 3, 2)])
def test_grouped_queries_of_pytorch(d: int, h: int, sharing: int) -> None:
    def forward(x, k, v, *p):  # type: ignore[no-untyped-def]
        parts = [head(x, p[2 * i], k, v, p[2 * i + 1]) for i in range(sharing)]
        return torch.cat(parts, -1)  # all heads apart: as the factored form, with O of each

    assert redundant([(d, h)] * (2 + 2 * sharing), lambda *a: forward(*a)[:, :], d) == 2 * gauge._shared(d, h, sharing)


@pytest.mark.parametrize(("d", "planes"), [(2, 1), (3, 1), (1, 1), (2, 2)])
def test_rotary_heads_of_pytorch(d: int, planes: int) -> None:
    """Scores turn by the distance of tokens, plane j at its own speed."""
    speeds = torch.tensor([1.0, 0.3], dtype=torch.float64)[:planes]

    def turned(y):  # type: ignore[no-untyped-def]
        planes_ = torch.view_as_complex(y.reshape(len(y), planes, 2))
        angles = torch.arange(len(y), dtype=torch.float64)[:, None] * speeds
        return torch.view_as_real(planes_ * torch.polar(torch.ones_like(angles), angles)).reshape(len(y), -1)

    def forward(x, q, k, v, o):  # type: ignore[no-untyped-def]
        return torch.softmax(turned(x @ q) @ turned(x @ k).T, -1) @ x @ v @ o.T

    h = 2 * planes
    assert redundant([(d, h)] * 4, forward, d, tokens=6) == h + gauge._factor(d, h, whole=True)


@pytest.mark.parametrize(("d", "h"), [(2, 1), (3, 1), (2, 2)])
def test_gains_of_pytorch(d: int, h: int) -> None:
    shapes = [(1, d), *[(d, h)] * 4]
    assert redundant(shapes, lambda x, g, *p: head(x * g, *p), d) == 2 * h * h + d


def test_wrong_numbers_are_refuted() -> None:
    for size in ((2, 1, 1), (2, 2, 1)):
        for wrong in (-1, 1):
            stated = 2 * size[1] ** 2 + wrong
            check = gauge._compared(models.attention(*size), stated, 0)
            assert check.holds is False and check.count == stated - wrong
    false = Statement("one more", "", lambda size, seed: gauge._compared(models.attention(*size), 9, seed))
    claim = replace(CLAIMS["gauge.heads"], statement=false, instead=None)
    assert judge(claim, Reach.QUICK).verdict is ClaimVerdict.REFUTED
