"""The ledger of noise: against steps that are made, covariances from their definition, and averages over runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402

from clexact.torch import ModuleLaws, NoiseLedger, laws, noise_ledger  # noqa: E402

Batch = tuple[Tensor, Tensor]


def network(*layers: nn.Module, seed: int = 0) -> nn.Sequential:
    net, generator = nn.Sequential(*layers).double(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)
    return net


def linear() -> nn.Sequential:
    return network(nn.Linear(4, 3, bias=False), nn.Linear(3, 2, bias=False))


def samples(count: int, size: int = 1, seed: int = 1) -> list[Batch]:
    generator = torch.Generator().manual_seed(seed)

    def draw(width: int) -> Tensor:
        return torch.randn(size, width, generator=generator, dtype=torch.float64)

    return [(draw(4), draw(2)) for _ in range(count)]


def squared(net: nn.Module, batch: Batch) -> Tensor:
    return nn.functional.mse_loss(net(batch[0]), batch[1])


@pytest.fixture(scope="module")
def known() -> ModuleLaws:
    return laws(linear(), torch.ones(2, 4, dtype=torch.float64), certify=False)


def step(net: nn.Module, batch: Batch, rate: float, decay: float) -> None:
    optimizer = torch.optim.SGD(net.parameters(), rate, weight_decay=decay)
    optimizer.zero_grad()
    squared(net, batch).backward()
    optimizer.step()


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_the_drift_is_the_mean_of_all_steps_that_could_be_made(known: ModuleLaws, decay: float) -> None:
    batches = samples(20)
    found = noise_ledger(linear(), batches, squared, known, rate=0.25, decay=decay, every=True)
    moved: Any = 0.0
    for batch in batches:
        net = linear()
        before = known.values(net)["0 -> 1"]
        step(net, batch, 0.25, decay)
        moved = moved + (known.values(net)["0 -> 1"] - before) / len(batches)
    torch.testing.assert_close(found.drift["0 -> 1"], moved, rtol=1e-12, atol=1e-14)
    assert found.error["0 -> 1"].abs().max() == 0


def test_the_noise_is_a_trace_with_the_covariance() -> None:
    """tr A Sigma: A from second derivatives, Sigma from its definition; of linear and quadratic laws, with biases."""
    net = network(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    batches = [(x, (y[:, 0] > 0).long()) for x, y in samples(12, size=3)]

    def loss(net: nn.Module, batch: Batch) -> Tensor:
        return nn.functional.cross_entropy(net(batch[0]), batch[1])

    known = laws(net, batches[0][0], loss="cross_entropy", certify=False)
    names = [name for name, _ in net.named_parameters()]
    rows = []
    for batch in batches:
        net.zero_grad()
        loss(net, batch).backward()
        rows.append(torch.cat([p.grad.reshape(-1) for p in net.parameters()]))
    gradients = torch.stack(rows)
    mean, sigma = gradients.mean(0), torch.cov(gradients.T, correction=0)
    unbiased = torch.cov(gradients.T)
    exact = noise_ledger(net, batches, loss, known, rate=0.5, every=True)
    estimate = noise_ledger(net, batches, loss, known, rate=0.5)
    start = torch.cat([p.detach().reshape(-1) for p in net.parameters()])
    for law in known:

        def value(flat: Tensor, law: Any = law) -> Tensor:
            parts = flat.split([p.numel() for p in net.parameters()])
            shaped = [part.reshape(p.shape) for part, p in zip(parts, net.parameters(), strict=True)]
            return law.value(dict(zip(names, shaped, strict=True))).reshape(-1)

        for n in range(value(start).numel()):
            half = torch.autograd.functional.hessian(lambda flat, n=n, value=value: value(flat)[n], start) / 2
            signal, noise = mean @ half @ mean, (half * sigma).sum()
            assert float(exact.signal[law.name].reshape(-1)[n]) == pytest.approx(float(signal), abs=1e-13)
            assert float(exact.noise[law.name].reshape(-1)[n]) == pytest.approx(float(noise), abs=1e-13)
            guess = float((half * unbiased).sum())
            assert float(estimate.noise[law.name].reshape(-1)[n]) == pytest.approx(guess, abs=1e-13)
            whole = float(estimate.signal[law.name].reshape(-1)[n]) + guess
            assert whole == pytest.approx(float(signal + noise), abs=1e-13)


def runs(count: int, steps: int, rate: float, decay: float, batches: list[Batch], seed: int) -> tuple[Tensor, Tensor]:
    """The two factors after so many steps of SGD from ``linear``, in ``count`` runs at once, by the formula."""
    first, second = (p.detach().expand(count, *p.shape) for p in linear().parameters())
    x, y = (torch.cat(part) for part in zip(*batches, strict=True))
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        drawn = torch.randint(len(batches), (count,), generator=generator)
        u, v = x[drawn], y[drawn]
        hidden = torch.einsum("rij,rj->ri", first, u)
        error = torch.einsum("rij,rj->ri", second, hidden) - v  # of the mean over two entries: gradient is error
        back = torch.einsum("rij,ri->rj", second, error)
        first, second = (
            (1 - rate * decay) * first - rate * torch.einsum("ri,rj->rij", back, u),
            (1 - rate * decay) * second - rate * torch.einsum("ri,rj->rij", error, hidden),
        )
    return first, second


def law_of(first: Tensor, second: Tensor) -> Tensor:
    return first @ first.mT - second.mT @ second


def test_the_formula_of_the_runs_is_the_network() -> None:
    batch = samples(1)
    net = linear()
    step(net, batch[0], 0.125, 0.25)
    first, second = runs(1, 1, 0.125, 0.25, batch, 0)
    torch.testing.assert_close((first[0], second[0]), tuple(p.detach() for p in net.parameters()))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_drift_of_a_hundred_runs(known: ModuleLaws, seed: int) -> None:
    """The mean over 100 runs of 4000 steps, with and without decay, is within 2 % of what is predicted at the start."""
    batches = samples(16, seed=5)
    for rate, decay in ((2e-6, 0.0), (2e-6, 1e-5)):
        found = noise_ledger(linear(), batches, squared, known, rate=rate, decay=decay, every=True)
        first, second = runs(100, 4000, rate, decay, batches, seed)
        moved = (law_of(first, second) - found.values["0 -> 1"]).mean(0)
        predicted = found.after(4000)["0 -> 1"]
        assert (moved - predicted).norm() < 0.02 * predicted.norm()


def test_at_rest_noise_and_decay_balance(known: ModuleLaws) -> None:
    """Averaged over long runs, eta E h(g) / (lambda (2 - eta lambda)) is the law, with g where the runs are."""
    batches, rate, decay = samples(8, seed=6), 0.05, 0.2
    first, second = runs(60, 1500, rate, decay, batches, 0)
    value = law_of(first, second).mean(0)
    rest: Any = 0.0
    for a, b in zip(first, second, strict=True):
        net = linear()
        with torch.no_grad():
            net[0].weight.copy_(a)
            net[1].weight.copy_(b)
        found = noise_ledger(net, batches, squared, known, rate=rate, decay=decay, every=True)
        rest = rest + found.equilibrium["0 -> 1"] / 60
        drift = found.drift["0 -> 1"] + (1 - (1 - rate * decay) ** 2) * found.values["0 -> 1"]
        expected = found.equilibrium["0 -> 1"] * (1 - (1 - rate * decay) ** 2)
        torch.testing.assert_close(drift, expected, rtol=1e-10, atol=1e-14)
    assert (value - rest).norm() < 0.15 * rest.norm()


def test_the_error_is_that_of_the_mean() -> None:
    """Over many choices of batches the estimates scatter by about the error that each states."""
    known = laws(linear(), torch.ones(2, 4, dtype=torch.float64), certify=False)
    means, errors = [], []
    for seed in range(40):
        found = noise_ledger(linear(), samples(30, seed=100 + seed), squared, known, rate=1.0)
        means.append(found.drift["0 -> 1"].diagonal().numpy())
        errors.append(found.error["0 -> 1"].diagonal().numpy())
    ratio = np.std(means, axis=0) / np.sqrt(np.mean(np.square(errors), axis=0))
    assert ((ratio > 0.6) & (ratio < 1.6)).all()


def test_the_module_is_left_as_it_was() -> None:
    net = network(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 2))
    known = laws(net, torch.randn(5, 4, dtype=torch.float64), certify=False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first = noise_ledger(net, samples(4, size=5), squared, known, rate=0.1, seed=1)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    again = noise_ledger(net, samples(4, size=5), squared, known, rate=0.1, seed=1)
    for name, value in first.drift.items():
        assert torch.equal(value, again.drift[name])


def test_what_is_printed(known: ModuleLaws) -> None:
    found = noise_ledger(linear(), samples(3), squared, known, rate=0.1, decay=0.1)
    assert "1 law under SGD with learning rate 0.1 and weight decay 0.1, from 3 batches" in str(found)
    assert "at rest at" in str(found) and isinstance(found, NoiseLedger)
    frame = found.to_frame()
    assert float(frame["drift"][0]) == pytest.approx(float(found.drift["0 -> 1"].norm()))
    without = noise_ledger(linear(), samples(3), squared, known, rate=0.1)
    assert without.equilibrium == {} and "at rest" not in str(without)


def test_wrong_arguments(known: ModuleLaws) -> None:
    net, batches = linear(), samples(3)
    with pytest.raises(TypeError, match=r"must be a torch.nn.Module, not list"):
        noise_ledger([], batches, squared, known, rate=0.1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rate must be a number of at least 0, not -1"):
        noise_ledger(net, batches, squared, known, rate=-1)
    with pytest.raises(ValueError, match="decay must be a number of at least 0, not nan"):
        noise_ledger(net, batches, squared, known, rate=1, decay=float("nan"))
    with pytest.raises(ValueError, match="no law"):
        noise_ledger(net, batches, squared, [], rate=0.1)
    with pytest.raises(ValueError, match="at least 2 batches are needed to see noise, not 1"):
        noise_ledger(net, batches[:1], squared, known, rate=0.1)
    with pytest.raises(TypeError, match="loss must return a tensor of one number"):
        noise_ledger(net, batches, lambda net, batch: net(batch[0]), known, rate=0.1)
    with pytest.raises(ValueError, match="steps must be an integer of at least 1, not 0"):
        noise_ledger(net, batches, squared, known, rate=0.1).after(0)
