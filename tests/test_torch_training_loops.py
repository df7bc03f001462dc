"""The monitor in training as people do it: several optimizers, SAM, Muon, averages, hooks, two processes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402

from clexact.torch import find  # noqa: E402
from clexact.torch.causes import Cause  # noqa: E402
from clexact.torch.laws import ModuleLaws  # noqa: E402
from clexact.torch.monitor import LawMonitor  # noqa: E402

RATE = 0.0625  # exact in binary


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(*layers: nn.Module, dtype: torch.dtype = torch.float64, seed: int = 0) -> nn.Sequential:
    """A new network whose entries are drawn from the seed."""
    net = nn.Sequential(*layers).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)
    return net


def rectified(dtype: torch.dtype = torch.float64) -> nn.Sequential:
    return network(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2), dtype=dtype)


@pytest.fixture(scope="module")
def known() -> ModuleLaws:
    """0 -> 2 and 2 -> 4 of ``rectified``."""
    return find.laws(rectified(), torch.ones(2, 3, dtype=torch.float64), certify=False)


def batches(steps: int, dtype: torch.dtype = torch.float64) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(16, 3, generator=generator).to(dtype), torch.randn(16, 2, generator=generator).to(dtype))
        for _ in range(steps)
    ]


def trained(
    net: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    known: Any,
    steps: int = 12,
    after: Callable[[], object] = lambda: None,
    **options: Any,
) -> LawMonitor:
    """An attached monitor after some steps, each of all optimizers."""
    dtype = next(net.parameters()).dtype
    monitor = LawMonitor.attach(net, optimizers, laws=known, **options)
    for x, y in batches(steps, dtype):
        net.zero_grad()
        (net(x) - y).square().mean().backward()
        for optimizer in optimizers:
            optimizer.step()
        after()
    return monitor


def causes(monitor: LawMonitor) -> set[Cause]:
    return {finding.cause for finding in monitor.diagnose()}


# Optimizers by name


def test_asgd_is_gradient_descent_with_a_decay_of_its_own(known: ModuleLaws) -> None:
    """theta+ = (1 - eta (lambd + decay)) theta - eta g, with eta from its state: predicted to rounding."""
    net = rectified()
    optimizer = torch.optim.ASGD(net.parameters(), RATE, lambd=0.5, weight_decay=0.25, alpha=0.75)
    monitor = trained(net, [optimizer], known)
    etas = [RATE] + [RATE / (1 + 0.5 * RATE * t) ** 0.75 for t in range(1, 12)]
    factor = np.prod([1 - eta * 0.75 for eta in etas]) ** 2
    (finding,) = monitor.diagnose()
    assert finding.cause is Cause.WEIGHT_DECAY and "agree" in finding.sentence
    assert finding.numbers["total"] == pytest.approx(factor, rel=1e-6)
    assert monitor.history().excess.max() < 1e-6 < 1e-2 < monitor.history().moved.max()


def factors(width: int, seed: int = 0) -> tuple[nn.Sequential, Tensor]:
    """Two square layers with aligned singular vectors, and a target aligned with them."""
    generator = torch.Generator().manual_seed(seed)
    u, v, w = (torch.linalg.qr(torch.randn(width, width, generator=generator, dtype=torch.float64))[0] for _ in "uvw")
    net = network(nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(v @ torch.diag(torch.linspace(1.0, 2.0, width, dtype=torch.float64)) @ u.T)
        net[1].weight.copy_(w @ torch.diag(torch.linspace(0.5, 0.9, width, dtype=torch.float64)) @ v.T)
    return net, w @ torch.diag(torch.linspace(9.0, 8.0, width, dtype=torch.float64)) @ u.T


def root(gram: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(gram)
    return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T


def kept_by_muon(net: nn.Sequential) -> Tensor:
    """sqrt(P P^T) - sqrt(Q^T Q)."""
    first, second = net[0].weight.detach(), net[1].weight.detach()
    return root(first @ first.T) - root(second.T @ second)


class Polar(torch.optim.Optimizer):
    """Muon with exact polar factors and without momentum."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                left, _, right = torch.linalg.svd(parameter.grad)
                parameter.sub_(group["lr"] * left @ right)


def test_what_muon_keeps_where_all_is_aligned() -> None:
    """Exact polar steps keep sqrt(P P^T) - sqrt(Q^T Q) to rounding, and do not keep P P^T - Q^T Q."""
    net, target = factors(4)
    optimizer = Polar(net.parameters(), 1e-2)
    start, gram = kept_by_muon(net), net[0].weight @ net[0].weight.T - net[1].weight.T @ net[1].weight
    for _ in range(50):
        optimizer.zero_grad()
        (net[1].weight @ net[0].weight - target).square().sum().backward()
        optimizer.step()
    torch.testing.assert_close(kept_by_muon(net), start, rtol=0, atol=1e-12)
    moved = net[0].weight @ net[0].weight.T - net[1].weight.T @ net[1].weight - gram
    assert moved.abs().max() > 0.5


def test_muon_of_torch_is_named_and_what_it_keeps() -> None:
    """Its steps have singular values about 1 only: the difference moves by less than the steps, the law by more."""
    net, target = factors(4)
    laws = find.laws(net, torch.ones(2, 4, dtype=torch.float64), certify=False)
    optimizer = torch.optim.Muon(net.parameters(), lr=1e-2, weight_decay=0.0, momentum=0.9)
    monitor = LawMonitor.attach(net, optimizer, laws=laws)
    start = kept_by_muon(net)
    for _ in range(50):
        optimizer.zero_grad()
        (net[1].weight @ net[0].weight - target).square().sum().backward()
        optimizer.step()
    (finding,) = monitor.diagnose()
    assert finding.cause is Cause.OPTIMIZER and finding.numbers["away"] > 0.1
    assert "Muon with momentum 0.9 steps along a sum of past gradients whose singular values" in finding.sentence
    assert "sqrt(P P^T) - sqrt(Q Q^T)" in finding.advice and "aligned" in finding.advice
    moved = torch.linalg.matrix_norm(kept_by_muon(net) - start, 2)
    assert moved < 0.7 * 50 * 1e-2  # each step's singular values are in 0.5 .. 1.5: they differ by less than 1
    kept = find.laws(net, torch.ones(2, 4, dtype=torch.float64), certify=False, optimizer=optimizer)
    assert not kept.laws and "sqrt(P P^T) - sqrt(Q Q^T)" in kept.broken[0][1]


class SAM(torch.optim.Optimizer):
    """Sharpness-aware minimisation (arXiv 2010.01412), with the two calls that its users make."""

    def __init__(self, parameters: Any, base: type[torch.optim.Optimizer], rho: float, **options: Any) -> None:
        super().__init__(parameters, {"rho": rho, **options})
        self.base_optimizer = base(self.param_groups, **options)
        self.param_groups = self.base_optimizer.param_groups

    @torch.no_grad()
    def first_step(self) -> None:
        parameters = [p for group in self.param_groups for p in group["params"]]
        norm = torch.stack([p.grad.norm() for p in parameters]).norm()
        for p in parameters:
            self.state[p]["old"] = p.data.clone()
            p.add_(p.grad * self.param_groups[0]["rho"] / norm)
        self.zero_grad()

    @torch.no_grad()
    def second_step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p.data = self.state[p]["old"]
        self.base_optimizer.step()
        self.zero_grad()

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.first_step()
        torch.enable_grad()(closure)()
        self.second_step()


@pytest.mark.parametrize("closure", [False, True])
def test_sam_takes_the_gradient_at_other_weights(known: ModuleLaws, closure: bool) -> None:
    r"""<grad h(theta), g> = -2 b(e, g), for <grad h(theta + e), g> = 0: the drift is -eta times that + eta^2 h(g)."""
    net, rho = rectified(), 0.05
    optimizer = SAM(net.parameters(), torch.optim.SGD, rho, lr=RATE)
    monitor = LawMonitor.attach(net, optimizer, laws=known)
    expected = []
    for x, y in batches(4):

        def loss(x: Tensor = x, y: Tensor = y) -> None:
            (net(x) - y).square().mean().backward()

        before = {name: p.detach().clone() for name, p in net.named_parameters()}
        loss()
        if closure:
            optimizer.step(loss)
        else:
            optimizer.first_step()
            away = {name: p.detach() - before[name] for name, p in net.named_parameters()}
            loss()
            gradient = {name: p.grad.clone() for name, p in net.named_parameters()}
            optimizer.second_step()
            expected.append(torch.cat([-law.change(away, gradient)[0].reshape(-1) for law in known]).numpy())
    (finding,) = monitor.diagnose()
    assert finding.cause is Cause.ELSEWHERE and set(finding.laws) == {"0 -> 2", "2 -> 4"}
    assert "SAM" in finding.sentence and "rho" in finding.advice
    if not closure:
        evidence = monitor.evidence()
        np.testing.assert_allclose(evidence.slopes, expected, atol=1e-13)
        np.testing.assert_allclose(evidence.excess, -RATE * np.sum(expected, axis=0), atol=1e-13)
    found = find.laws(net, torch.ones(2, 3, dtype=torch.float64), certify=False, optimizer=optimizer)
    assert {law.name for law, _ in found.broken} == {"0 -> 2", "2 -> 4"} and "SAM" in found.broken[0][1]


# Several optimizers


def split(net: nn.Sequential, *options: dict[str, float]) -> list[torch.optim.Optimizer]:
    """One SGD for matrices, another for biases."""
    matrices = [p for p in net.parameters() if p.ndim == 2]
    vectors = [p for p in net.parameters() if p.ndim == 1]
    return [torch.optim.SGD(part, **each) for part, each in zip((matrices, vectors), options, strict=True)]


def test_two_optimizers_alike_are_as_one(known: ModuleLaws) -> None:
    one, two = rectified(), rectified()
    alone = trained(one, [torch.optim.SGD(one.parameters(), RATE)], known)
    both = trained(two, split(two, {"lr": RATE}, {"lr": RATE}), known)
    assert both.diagnose() == () and both.count == alone.count == 12
    ours, theirs = both.history(), alone.history()
    for name in ("values", "moved", "predicted"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-12, atol=1e-14)
    mine, other = both.evidence(), alone.evidence()
    for name in ("slopes", "bounds", "length", "noise"):
        np.testing.assert_allclose(getattr(mine, name), getattr(other, name), rtol=1e-9, atol=1e-14)


def test_the_sizes_of_a_matrix_law_join() -> None:
    """Entry i, j is the root of the sizes of the rows, of all parameters together."""
    laws = find.laws(factors(3)[0], torch.ones(2, 3, dtype=torch.float64), certify=False)
    found = []
    for apart in (False, True):
        net = factors(3)[0]
        parts = [[p] for p in net.parameters()] if apart else [list(net.parameters())]
        optimizers = [torch.optim.SGD(part, RATE) for part in parts]
        monitor = LawMonitor.attach(net, optimizers, laws=laws)
        net(torch.eye(3, dtype=torch.float64)).square().sum().backward()
        for optimizer in optimizers:
            optimizer.step()
        evidence = monitor.evidence()
        found.append((evidence.bounds, evidence.length, evidence.slopes, evidence.excess))
    for mine, other in zip(*found, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-13)


def test_two_optimizers_that_differ_are_told_apart(known: ModuleLaws) -> None:
    net = rectified()
    monitor = trained(net, split(net, {"lr": RATE}, {"lr": RATE / 4}), known)
    (finding,) = monitor.diagnose()
    assert finding.cause is Cause.GROUPS and "one learning rate" in finding.advice
    net = rectified()
    matrices, vectors = ([p for p in net.parameters() if p.ndim == n] for n in (2, 1))
    muon, adam = torch.optim.Muon(matrices, lr=1e-2, weight_decay=0.0), torch.optim.AdamW(vectors, weight_decay=0.0)
    monitor = trained(net, [muon, adam], known)
    assert causes(monitor) == {Cause.OPTIMIZER, Cause.GROUPS}
    assert "Muon with momentum 0.95" in monitor.report(None) and "0.bias: AdamW lr" in monitor.report(None)


def test_an_optimizer_that_the_monitor_was_not_given_is_seen(known: ModuleLaws) -> None:
    net = rectified()
    first, second = split(net, {"lr": RATE}, {"lr": RATE})
    monitor = LawMonitor(net, first, laws=known)
    for x, y in batches(6):
        net.zero_grad()
        (net(x) - y).square().mean().backward()
        first.step()
        second.step()
        monitor.step()
    (finding,) = monitor.diagnose()
    assert "0.bias is not among the optimizer's parameters, and yet it moves" in finding.sentence
    assert "[first, second]" in finding.advice


def test_an_optimizer_that_makes_no_step(known: ModuleLaws) -> None:
    net = rectified()
    first, second = split(net, {"lr": RATE}, {"lr": RATE})
    monitor = LawMonitor(net, [first, second], laws=known)
    for x, y in batches(4):
        net.zero_grad()
        (net(x) - y).square().mean().backward()
        first.step()
        monitor.step()
    (finding,) = monitor.diagnose()
    assert finding.cause is Cause.FROZEN and "its optimizer made no step" in finding.sentence


@pytest.mark.parametrize("hooked_first", [False, True])
def test_an_optimizer_within_backward(known: ModuleLaws, hooked_first: bool) -> None:
    """One for each parameter, that steps once its gradient is there, and drops it: as plain gradient descent."""
    net, plain = rectified(), rectified()
    optimizers = {parameter: torch.optim.SGD([parameter], RATE) for parameter in net.parameters()}

    def add_hooks() -> None:
        for parameter in net.parameters():

            def hook(p: Tensor) -> None:
                optimizers[p].step()
                optimizers[p].zero_grad()

            parameter.register_post_accumulate_grad_hook(hook)

    if hooked_first:
        add_hooks()
    monitor = LawMonitor.attach(net, list(optimizers.values()), laws=known)
    if not hooked_first:
        add_hooks()
    for x, y in batches(12):
        (net(x) - y).square().mean().backward()
    other = trained(plain, [torch.optim.SGD(plain.parameters(), RATE)], known)
    assert monitor.diagnose() == () and monitor.history().steps[-1] == 12
    np.testing.assert_allclose(monitor.history().values, other.history().values, rtol=1e-12)
    np.testing.assert_allclose(monitor.history().predicted, other.history().predicted, rtol=1e-12, atol=1e-14)


# What else people do


def test_decay_of_weights_alone_contradicts_nothing(known: ModuleLaws) -> None:
    net = rectified()
    weights = [p for p in net.parameters() if p.ndim == 2]
    biases = [p for p in net.parameters() if p.ndim == 1]
    optimizer = torch.optim.SGD([{"params": weights, "weight_decay": 0.1}, {"params": biases}], RATE)
    monitor = trained(net, [optimizer], known)
    (finding,) = monitor.diagnose()
    assert finding.cause is Cause.GROUPS and "shrinks by no factor" in finding.sentence
    assert "differ from this" not in monitor.report(None)


def test_a_forgotten_step_is_told(known: ModuleLaws) -> None:
    net = rectified()
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    monitor = LawMonitor(net, optimizer, laws=known)
    assert "made" not in monitor.report(None)
    for x, y in batches(3):
        net.zero_grad()
        (net(x) - y).square().mean().backward()
        optimizer.step()
    assert "The optimizer made 3 steps since the last call of step()" in monitor.report(None)
    assert "LawMonitor.attach" in monitor.report(None)


@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize("forgotten", [True, False])
def test_a_forgotten_zero_grad_is_told(known: ModuleLaws, forgotten: bool, attached: bool) -> None:
    """Gradients that add up over the steps; not those of four passes for one step, nor those set to zero in place."""
    net = rectified()
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    monitor = LawMonitor.attach(net, optimizer, laws=known) if attached else LawMonitor(net, laws=known)
    for x, y in batches(6):
        if not forgotten:
            optimizer.zero_grad(set_to_none=False)
        for part in range(4):
            ((net(x[part::4]) - y[part::4]).square().mean() / 4).backward()
        optimizer.step()
        if not attached:
            monitor.step()
    assert monitor.evidence().carried == (5 if forgotten else 0)
    if not forgotten:
        assert monitor.diagnose() == ()
        return
    (finding,) = monitor.diagnose()
    assert "gradients left from the step before, in 5 of 6 steps" in finding.sentence
    assert "optimizer.zero_grad()" in finding.advice
    state = monitor.state_dict()
    resumed = LawMonitor(net, optimizer if attached else None, laws=known)
    resumed.load_state_dict(state)
    assert resumed.report() == monitor.report()


def test_a_forgotten_backward_or_step_of_the_optimizer_is_told(known: ModuleLaws) -> None:
    net = rectified()
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    monitor = LawMonitor.attach(net, optimizer, laws=known)
    for x, y in batches(3):
        optimizer.zero_grad()
        (net(x) - y).square().mean().backward()
    assert "backward() ran 3 times, and the optimizer given made no step: call optimizer.step()" in monitor.report(None)
    monitor = LawMonitor.attach(net, optimizer, laws=known)
    for _ in range(3):
        optimizer.zero_grad()
        optimizer.step()
    assert "In 3 of 3 steps seen no gradient" in monitor.report(None) and monitor.diagnose() == ()


def test_one_number_alone_shows_no_penalty() -> None:
    """|theta|_1 in the loss moves a sum of biases at a rate that hardly changes: in proportion to it, by no lambda."""
    for power, told in ((1, False), (2, True)):
        net = rectified()
        net.requires_grad_(False)[4].bias.abs_()  # two of one sign: their signs do not cancel in the sum
        net.requires_grad_(True)
        found = find.laws(net, torch.ones(2, 3, dtype=torch.float64), certify=False, loss="cross_entropy")
        optimizer = torch.optim.SGD(net.parameters(), RATE)
        monitor = LawMonitor.attach(net, optimizer, laws=found)
        for x, y in batches(8):
            optimizer.zero_grad()
            penalty = sum(p.abs().pow(power).sum() for p in net.parameters())
            (nn.functional.cross_entropy(net(x), y.argmax(1)) + 0.01 * penalty).backward()
            optimizer.step()
        assert {name for finding in monitor.diagnose() for name in finding.laws} == {law.name for law in found}
        assert all(("lambda = 0.02" in finding.sentence) is told for finding in monitor.diagnose())
        assert ("lambda" in monitor.report(None)) is told


def test_a_scaler_skips_a_step_and_changes_nothing_else(known: ModuleLaws) -> None:
    """GradScaler: the factor is told as harmless, an overflow is one step less; autocast is told by its few bits."""
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for few_bits in (False, True):
        net = rectified(torch.float32)
        optimizer = torch.optim.SGD(net.parameters(), RATE)
        monitor = LawMonitor.attach(net, optimizer, laws=known)
        for time, (x, y) in enumerate(batches(8, torch.float32)):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=few_bits):
                loss = (net(x) - y).square().mean() * (float("inf") if time == 4 else 1.0)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            scaler.step(optimizer)
            scaler.update()
        assert monitor.count == 7 and "all gradients were multiplied by one factor" in monitor.report(None)
        assert causes(monitor) == ({Cause.PRECISION} if few_bits else set())


def test_a_report_fits_the_screen(known: ModuleLaws) -> None:
    net = rectified()
    monitor = trained(net, [torch.optim.AdamW(net.parameters(), 0.01)], known)
    for width in (60, 80):
        assert 60 - 20 < max(map(len, monitor.report(width).splitlines())) <= width
    assert monitor.report().split() == monitor.report(None).split() and str(monitor) == monitor.report(80)
    assert all(finding.advice for finding in monitor.diagnose())
    with pytest.raises(ValueError, match="width must be an integer of at least 20, or None, not 3"):
        monitor.report(3)


def test_an_average_beside_changes_nothing_and_swapped_in_is_seen(known: ModuleLaws) -> None:
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    net = rectified()
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    monitor = LawMonitor(net, optimizer, laws=known)
    for time, (x, y) in enumerate(batches(12)):
        net.zero_grad()
        (net(x) - y).square().mean().backward()
        optimizer.step()
        average.update_parameters(net)
        if time == 11:
            assert monitor.diagnose() == ()
            with torch.no_grad():
                for mine, mean in zip(net.parameters(), average.module.parameters(), strict=True):
                    mine.copy_(mean)
        monitor.step()
    (finding,) = monitor.diagnose()
    assert finding.cause is Cause.OTHER and "changed by more than the optimizer's step" in finding.sentence
    with pytest.raises(ValueError, match="holds no parameter"):
        LawMonitor(average, optimizer, laws=known)


def test_parameters_of_float16(known: ModuleLaws) -> None:
    net = rectified(torch.float16)
    monitor = trained(net, [torch.optim.SGD(net.parameters(), RATE)], known)
    (finding,) = monitor.diagnose()
    assert finding.cause is Cause.PRECISION and "11 significant bits" in finding.sentence
    assert finding.numbers["excess"] < finding.numbers["budget"] and "more bits" in finding.advice


@pytest.mark.slow
def test_a_compiled_module(known: ModuleLaws) -> None:
    """With the backward pass of AOTAutograd, whose gradients reach the hooks as others do."""
    net = rectified()
    compiled = torch.compile(net, backend="aot_eager")
    monitor = trained(compiled, [torch.optim.SGD(net.parameters(), RATE)], known, steps=5)
    assert monitor.diagnose() == () and monitor.count == 5 and monitor.history().excess.max() < 1e-13


def test_laws_of_an_axis_of_classes() -> None:
    net = network(nn.Conv1d(2, 3, 1), nn.ReLU(), nn.Conv1d(3, 4, 1))
    x = torch.ones(2, 2, 5, dtype=torch.float64)
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    without = LawMonitor(net, optimizer, example_input=x, loss="cross_entropy")
    with_axis = LawMonitor(net, optimizer, example_input=x, loss="cross_entropy", class_axis=1)
    added = {law.name for law in with_axis.laws} - {law.name for law in without.laws}
    assert added == {"2.weight: sums over axis 0", "2.bias: sums over axis 0"}


def test_laws_but_for_an_eps(known: ModuleLaws) -> None:
    """|W_i|^2 before a batch norm grows as the second order says, but for eps; a large eps is named as the cause."""
    for eps, expected in ((1e-16, set()), (0.5, {Cause.NEARLY})):
        net = network(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4, eps=eps), nn.ReLU(), nn.Linear(4, 2))
        optimizer = torch.optim.SGD(net.parameters(), RATE)
        found = find.laws(net, batches(1)[0][0], certify=False)
        monitor = LawMonitor.attach(net, optimizer, laws=found, approximate=True)
        (name,) = monitor.evidence().nearly
        start = monitor.values()[name]
        for x, y in batches(10):
            net.zero_grad()
            (net(x) - y).square().mean().backward()
            optimizer.step()
        assert causes(monitor) == expected
        if not expected:
            grown = monitor.values()[name] - start  # eta^2 |g|^2 at each step: it only grows
            assert (grown > -1e-12).all() and grown.max() > 1e-4
            torch.testing.assert_close(monitor.values()[name], monitor.predicted()[name], rtol=1e-9, atol=1e-9)
        else:
            assert "eps" in monitor.report(None)
    with pytest.raises(TypeError, match="approximate must be True or False"):
        LawMonitor(net, optimizer, laws=known, approximate=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"as clexact\.torch\.laws gives them"):
        LawMonitor(net, optimizer, laws=[], approximate=True)


def _process(rank: int, folder: str, known: ModuleLaws) -> None:
    torch.distributed.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=2)
    torch.set_num_threads(1)
    net = rectified()
    wrapped = nn.parallel.DistributedDataParallel(net)
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    monitor = LawMonitor.attach(wrapped, optimizer, laws=known)
    for x, y in batches(6):
        optimizer.zero_grad()
        (wrapped(x[rank::2]) - y[rank::2]).square().mean().backward()
        optimizer.step()
    torch.save((monitor.report(), monitor.values(), len(monitor.diagnose())), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes(tmp_path: Any, known: ModuleLaws) -> None:
    """DistributedDataParallel over gloo: both see the averaged gradient, and the same laws as one process."""
    if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
        pytest.skip("no gloo")
    method = "fork" if sys.platform == "linux" else "spawn"  # a new process imports everything anew
    torch.multiprocessing.start_processes(_process, (str(tmp_path), known), nprocs=2, start_method=method)
    (first, values, findings), (second, others, more) = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert first == second and findings == more == 0
    net = rectified()
    alone = trained(net, [torch.optim.SGD(net.parameters(), RATE)], known, steps=6).values()
    for name, value in alone.items():
        assert torch.equal(values[name], others[name])
        torch.testing.assert_close(values[name], value, rtol=1e-10, atol=1e-12)
