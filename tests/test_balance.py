"""Balancing of modules along their symmetries, and bases of these: against autograd and singular values."""

import sys
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import clexact  # noqa: E402
from clexact.torch import balance, laws, orbit_basis  # noqa: E402


def dense(*widths, act=None, bias=True):
    """Dense layers with an activation between."""
    layers = []
    for n, m in pairwise(widths):
        layers += [nn.Linear(n, m, bias=bias), *([act()] if act else [])]
    return nn.Sequential(*(layers[:-1] if act else layers))


MODULES = {
    "relu": (lambda: dense(3, 4, 2, act=nn.ReLU), (5, 3)),
    "deep relu": (lambda: dense(2, 5, 4, 5, 1, act=nn.ReLU), (5, 2)),
    "linear": (lambda: dense(3, 2, 4, 3, bias=False), (5, 3)),
    "wider than both": (lambda: dense(3, 7, 3, bias=False), (5, 3)),
    "encoder layer": (lambda: nn.TransformerEncoderLayer(8, 2, 6, dropout=0.0, batch_first=True), (2, 3, 8)),
    "convolutions": (lambda: nn.Sequential(nn.Conv2d(1, 3, 2), nn.ReLU(), nn.Conv2d(3, 2, 2)), (2, 1, 4, 4)),
}


def made(name):
    """A module in float64 with entries of very different sizes, and an input."""
    torch.manual_seed(3)
    build, shape = MODULES[name]
    module = build().double().eval()
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(torch.exp(torch.randn(())))
    return module, torch.randn(shape, dtype=torch.float64)


def parameters(module):
    return {name: p.detach().clone() for name, p in module.named_parameters()}


@pytest.mark.parametrize("name", MODULES)
def test_balanced_and_the_same_function(name):
    """At inputs never seen; the laws vanish; the squared norm of what they tie is no larger."""
    module, x = made(name)
    other, before = 3 * torch.randn_like(x), parameters(module)
    with torch.no_grad():
        outputs = module(x), module(other)
        done = balance(module, x)
        now = module(x), module(other)
    for a, b in zip(outputs, now, strict=True):
        assert (a - b).abs().max() <= 1e-11 * a.abs().max()
    assert done.sweeps < 1000 and all(value <= 1e-10 for value in done.after.values()) and done.after
    assert max(done.before.values()) > 1e-3
    for law in laws(module, x, certify=False):
        if law.name in done.after and not dict(done.left).get(law.name):
            size = sum(p.square().sum() for p in module.parameters())
            assert law.value(parameters(module)).abs().max() <= 1e-9 * size
    assert sum(p.square().sum() for p in parameters(module).values()) < sum(p.square().sum() for p in before.values())


def test_factors_get_the_singular_values():
    """U^T U = V V^T: both have the roots of the singular values of the product."""
    module, x = made("wider than both")
    with torch.no_grad():
        product = module[1].weight @ module[0].weight
        balance(module, x, tolerance=1e-13)
    roots = torch.linalg.svdvals(product).sqrt()
    for layer in module:
        assert torch.allclose(torch.linalg.svdvals(layer.weight)[: len(roots)], roots, rtol=1e-6)


def test_values_that_are_wanted():
    """Of some laws; the others do not move."""
    module, x = made("deep relu")
    found = laws(module, x, certify=False)
    wanted = torch.linspace(-2, 3, found[1].size, dtype=torch.float64)
    balance(module, x, targets={found[1].name: wanted})
    assert torch.allclose(found[1].value(parameters(module)), wanted, atol=1e-8)
    module, x = made("linear")
    law = laws(module, x, certify=False)[0]
    balance(module, x, targets={law.name: [[1.0, 2.0], [2.0, -1.0]]})
    value = torch.tensor([[1.0, 2.0], [2.0, -1.0]], dtype=torch.float64)
    assert torch.allclose(law.value(parameters(module)), value, atol=1e-8)


def test_what_no_group_can_balance_is_left():
    """A dead unit; an adapter whose one factor is 0; the lengths behind a normalisation."""
    module, x = made("relu")
    with torch.no_grad():
        module[2].weight[:, 1] = 0
    done = balance(module, x)
    assert dict(done.left)["0 -> 2"].startswith("1 of 4 numbers: one side is 0") and done.after["0 -> 2"] < 1e-10
    adapter = dense(4, 2, 4, bias=False)
    nn.init.zeros_(adapter[1].weight)
    assert "different ranks" in balance(adapter, torch.randn(2, 4)).left[0][1]
    normed = nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4, affine=False)).train()
    assert all("length" in why for _, why in balance(normed, torch.randn(5, 3)).left)


def test_half_precision_stays_half_precision():
    """Parameters keep their type; the outputs are those within rounding."""
    module, x = made("relu")
    module, x = module.float(), x.float()
    with torch.no_grad():
        before = module(x)
        balance(module, x)
        assert module[0].weight.dtype == torch.float32 and torch.allclose(module(x), before, rtol=1e-4, atol=1e-5)


def test_wrong_arguments():
    """One sentence each; nothing is changed."""
    module, x = made("relu")
    before = parameters(module)
    nan = float("nan")
    for targets, said in (({"no": 0}, "law 'no'"), ({"0 -> 2": [1.0]}, r"shape \(4,\)"), ({"0 -> 2": nan}, "finite")):
        with pytest.raises(ValueError, match=said):
            balance(module, x, targets=targets)
    with pytest.raises(ValueError, match="must be positive"):
        balance(module, x, tolerance=0)
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        balance(3, x)
    assert all(torch.equal(p, before[name]) for name, p in module.named_parameters())


def test_a_change_of_the_function_is_never_made(monkeypatch):
    """A law that is no symmetry of the module."""
    module, x = made("relu")
    before = parameters(module)
    found = laws(module, x, certify=False)
    tanh = dense(3, 4, 2, act=nn.Tanh).double()
    tanh.load_state_dict(module.state_dict())
    monkeypatch.setattr(sys.modules["clexact.torch.balance"], "laws_of", lambda *_, **__: found)
    with pytest.raises(RuntimeError, match="nothing was changed"):
        balance(tanh, x)
    assert all(torch.equal(p, before[name]) for name, p in tanh.named_parameters())


@pytest.mark.parametrize("name", MODULES)
def test_a_basis_of_the_orbit(name):
    """Orthonormal, orthogonal to gradients of random outputs, and as many as D minus the functional dimension."""
    module, x = made(name)
    basis = orbit_basis(module, x)
    flat = torch.cat([vectors.reshape(len(vectors), -1) for vectors in basis.values()], 1)
    assert torch.allclose(flat @ flat.T, torch.eye(len(flat), dtype=flat.dtype), atol=1e-10)
    for _ in range(3):
        out = module(torch.randn_like(x))
        named = dict(module.named_parameters())
        found = torch.autograd.grad((out * torch.randn_like(out)).sum(), [named[name] for name in basis])
        gradient = torch.cat([g.reshape(-1) for g in found])
        assert (flat @ gradient).abs().max() <= 1e-9 * gradient.abs().max()
    if name not in ("encoder layer",):  # whose biases of values and outputs move together: no law has that
        one = x[:1] if x.ndim > 1 else x
        assert len(flat) == clexact.torch.dimension(module, one).redundant
