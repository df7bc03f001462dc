"""Questions that people asked in public about what training keeps, each answered by the laws and by the gradients."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402

from clexact.torch import LawMonitor, ModuleLaws, check, laws  # noqa: E402

RATE = 0.0625


def seeded(net: nn.Module, seed: int = 0) -> nn.Module:
    generator, net = torch.Generator().manual_seed(seed), net.double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)
    return net


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def found(net: nn.Module, example: Any, **options: Any) -> ModuleLaws:
    """The laws; their residuals are rounding."""
    known = laws(net, example, certify=False, **options)
    assert max(check(net, example, known, loss=options.get("loss")).values(), default=0.0) < 1e-9
    return known


def entries(known: ModuleLaws) -> set[str]:
    """Parameters in laws of single entries, or of sums."""
    return {name for law in known if law.kind == "translation" for name in law.parameters}


def test_why_has_an_lstm_two_biases() -> None:
    """Only their sum is seen: the difference of the two stays for ever, entry by entry."""
    net = seeded(nn.LSTM(2, 3, batch_first=True))
    known = found(net, draw(2, 4, 2))
    law = next(law for law in known if set(law.parameters) == {"bias_ih_l0", "bias_hh_l0"})
    assert law.kind == "translation" and law.count == 12
    before = law.value(dict(net.named_parameters())).detach().clone()
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    for step in range(3):
        optimizer.zero_grad()
        net(draw(2, 4, 2, seed=step))[0].square().sum().backward()
        torch.testing.assert_close(net.bias_ih_l0.grad, net.bias_hh_l0.grad, rtol=1e-12, atol=1e-14)
        optimizer.step()
    torch.testing.assert_close(law.value(dict(net.named_parameters())), before, rtol=1e-12, atol=1e-14)


def test_does_a_bias_of_keys_do_anything() -> None:
    """No: softmax does not see a number added to all scores of a query; its gradient is rounding."""
    net = seeded(nn.MultiheadAttention(4, 2, batch_first=True))
    x = draw(2, 3, 4)
    known = found(net, (x, x, x))
    keys = next(law for law in known if law.kind == "translation")
    assert keys.parameters == ("in_proj_bias",) and keys.terms[0].view.start == 4 and keys.count == 4
    net(x, x, x)[0].square().sum().backward()
    assert net.in_proj_bias.grad[4:8].abs().max() < 1e-12 < 1e-3 < net.in_proj_bias.grad[:4].abs().max()


@pytest.mark.parametrize("trained", [True, False])
def test_is_a_bias_before_batch_norm_of_use(trained: bool) -> None:
    """In training mode it has no gradient; in evaluation mode, with statistics that are constants, it has."""
    net = seeded(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))).train(trained)
    known = found(net, draw(6, 3))
    assert ("0.bias" in entries(known)) is trained
    net(draw(6, 3)).square().sum().backward()
    assert bool(net[0].bias.grad.abs().max() < 1e-12) is trained


def test_why_do_weights_grow_under_batch_norm() -> None:
    """The outputs see only the direction of each row: h = |W_i|^2 is kept by the flow; a step adds eta^2 |g_i|^2."""
    net = seeded(nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4, eps=1e-16), nn.Tanh(), nn.Linear(4, 2)))
    known = laws(net, draw(6, 3), certify=False)
    (law,) = (law for law, _ in known.approximate if law.kind == "scale")
    assert law.parameters == ("0.weight",) and law.count == 4
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    for step in range(4):
        before = net[0].weight.detach().square().sum(1)
        optimizer.zero_grad()
        net(draw(6, 3, seed=step)).square().sum().backward()
        added = RATE**2 * net[0].weight.grad.square().sum(1)
        optimizer.step()
        torch.testing.assert_close(net[0].weight.detach().square().sum(1), before + added, rtol=1e-10, atol=1e-12)
        assert (added > 0).all()


class Triplet(nn.Module):
    """The distances in a triplet loss of embeddings that are made of length 1 by a division."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(3, 2, bias=False)

    def forward(self, anchor: Tensor, near: Tensor, far: Tensor) -> Tensor:
        a, b, c = (y / y.square().sum(1, keepdim=True).sqrt() for y in map(self.embed, (anchor, near, far)))
        return torch.relu((a - b).square().sum(1) - (a - c).square().sum(1) + 0.3)


def test_why_do_embeddings_grow_in_a_triplet_loss() -> None:
    """With embeddings of length 1, |W|^2 is kept by the flow, so steps of any size only add eta^2 |g|^2."""
    net, example = seeded(Triplet()), tuple(draw(5, 3, seed=k) for k in range(3))
    (law,) = found(net, example)
    assert law.kind == "scale" and law.parameters == ("embed.weight",) and law.count == 1
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    monitor = LawMonitor.attach(net, optimizer, laws=[law])
    for step in range(5):
        optimizer.zero_grad()
        net(*(draw(5, 3, seed=10 * step + k) for k in range(3))).sum().backward()
        optimizer.step()
    history = monitor.history()
    assert monitor.diagnose() == () and (history.values[0, 1:] >= history.values[0, :-1]).all()
    assert history.moved[0, -1] == pytest.approx(history.predicted[0, -1], rel=1e-10) and history.moved[0, -1] > 0


class LoRA(nn.Module):
    """A frozen layer with an adapter x A^T B^T."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(4, 3)
        self.A, self.B = nn.Parameter(torch.empty(2, 4)), nn.Parameter(torch.empty(3, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + x @ self.A.T @ self.B.T


def test_what_does_lora_keep_where_b_starts_at_zero() -> None:
    """A A^T - B^T B stays A_0 A_0^T: B^T B = A A^T - A_0 A_0^T, so A A^T can only grow, up to second order."""
    net = seeded(LoRA())
    net.base.requires_grad_(False)
    with torch.no_grad():
        net.B.zero_()
    (law,) = found(net, draw(5, 4))
    assert law.kind == "gram" and law.count == 3 and set(law.parameters) == {"A", "B"}
    start = (net.A @ net.A.T).detach()
    optimizer = torch.optim.SGD(net.parameters(), 1e-3)
    monitor = LawMonitor.attach(net, optimizer, laws=[law])
    for _ in range(300):
        optimizer.zero_grad()
        (net(draw(5, 4)) - 1).square().mean().backward()
        optimizer.step()
    assert monitor.diagnose() == ()
    drift = net.A @ net.A.T - net.B.T @ net.B - start
    assert drift.abs().max() < 0.02 * (net.B.T @ net.B).abs().max()


class Caching(nn.Module):
    """Attention that returns its keys and values as a cache of Hugging Face's does: an object, no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.Linear(3, 3)

    def forward(self, x: Tensor, use_cache: bool = True) -> Any:
        y = self.attention(x)
        return {"logits": y, "past_key_values": Cache(y)} if use_cache else {"logits": y}


class Cache:
    """No tensor."""

    def __init__(self, keys: Tensor) -> None:
        self.keys = keys


def test_the_cache_that_a_module_returns_is_left_out() -> None:
    net = seeded(Caching())
    known = laws(net, {"x": draw(2, 3)}, certify=False, loss="cross_entropy")
    assert "No loss reads the Cache of keys and values that it gives." in known.notes
    assert entries(known) == {"attention.weight", "attention.bias"} and not net._forward_hooks
    without = laws(net, {"x": draw(2, 3), "use_cache": False}, certify=False, loss="cross_entropy")
    assert entries(without) == {"attention.weight", "attention.bias"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the package
def test_a_gpt2_that_returns_a_dynamic_cache_has_the_laws_of_one_that_does_not() -> None:
    """The DynamicCache itself: it is left out, and not in silence."""
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": 20, "n_positions": 8, "n_embd": 8, "n_layer": 1, "n_head": 2}
    config = transformers.GPT2Config(**sizes, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=0, eos_token_id=0)
    net, tokens = seeded(transformers.GPT2LMHeadModel(config)), torch.arange(10).reshape(2, 5)
    options: dict[str, Any] = {"certify": False, "loss": "cross_entropy", "class_axis": -1}
    known = laws(net, {"input_ids": tokens}, **options)
    without = laws(net, {"input_ids": tokens, "use_cache": False}, **options)
    assert "No loss reads the DynamicCache of keys and values that it gives." in known.notes
    assert len(known) > 5 and [law.name for law in known] == [law.name for law in without] and not known.disputed


def test_what_do_logged_norms_of_weights_say() -> None:
    """That |W_1|^2 and |W_2|^2 move alike is a law: their difference is logged as one number, and predicted."""
    net = seeded(nn.Sequential(nn.Linear(3, 5, bias=False), nn.ReLU(), nn.Linear(5, 2, bias=False)))
    known = found(net, draw(4, 3))
    optimizer = torch.optim.SGD(net.parameters(), 1e-3)
    monitor = LawMonitor.attach(net, optimizer, laws=known)
    before = [p.detach().square().sum() for p in net.parameters()]
    for step in range(30):
        optimizer.zero_grad()
        (net(draw(4, 3, seed=step)) - 1).square().sum().backward()
        optimizer.step()
    first, second = (float(p.detach().square().sum() - b) for p, b in zip(net.parameters(), before, strict=True))
    assert abs(first - second) < 0.05 * abs(first)
    difference = monitor.values()["0 -> 2"].sum() - (before[0] - before[1])
    assert first - second == pytest.approx(float(difference), abs=1e-12)
    assert set(monitor.scalars()) == {"laws/0 -> 2/drift", "laws/0 -> 2/predicted"}
