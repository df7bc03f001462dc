"""The monitor: laws against exact rational evaluation, and causes of drift on training loops in which each was made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from clexact.symmetry.families import Kind  # noqa: E402
from clexact.symmetry.views import Term, View  # noqa: E402
from clexact.torch import find  # noqa: E402
from clexact.torch import ledger as ledger_module  # noqa: E402
from clexact.torch.causes import Cause  # noqa: E402
from clexact.torch.diagnosis import Finding  # noqa: E402
from clexact.torch.law import ModuleLaw, Status  # noqa: E402
from clexact.torch.monitor import LawMonitor  # noqa: E402

RATE = 0.125  # exact in binary
NAMES = ("0 -> 2", "2 -> 4", "columns")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The networks are small, and the tests run on all cores already."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def term(name: str, coefficient: int, shape: Sequence[int], unit: int | None, **options: Any) -> Term:
    return Term(name, coefficient, View(tuple(shape), options.pop("group", ()), unit, **options))


def module_law(name: str, kind: Kind, terms: Sequence[Term], shape: Sequence[int]) -> ModuleLaw:
    return ModuleLaw(kind, tuple(terms), name, int(np.prod(shape)), Status.SYMMETRY, "", "")


def network(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 4)).to(dtype)


def network_laws(prefix: str = "") -> list[ModuleLaw]:
    """|row|^2 + bias^2 - |column of the next layer|^2 of each hidden unit; column sums of the last layer."""

    def hidden(layer: int, after: int, units: int, before: int, out: int) -> ModuleLaw:
        terms = [
            term(f"{prefix}{layer}.weight", 1, (units, before), 0),
            term(f"{prefix}{layer}.bias", 1, (units,), 0),
            term(f"{prefix}{after}.weight", -1, (out, units), 1),
        ]
        return module_law(f"{layer} -> {after}", "diagonal", terms, (units,))

    last = module_law("columns", "translation", [term(f"{prefix}4.weight", 1, (4, 9), 0)], (9,))
    return [hidden(0, 2, 12, 6, 9), hidden(2, 4, 9, 12, 4), last]


def data(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(64, 6, generator=generator).to(dtype), torch.randint(4, (64,), generator=generator)


class Loop:
    """A training loop on random data, into which a test puts what it wants diagnosed."""

    def __init__(
        self,
        optimizer: Callable[[nn.Module], torch.optim.Optimizer],
        *,
        net: nn.Module | None = None,
        dtype: torch.dtype = torch.float32,
        penalty: Callable[[nn.Module], Tensor] | None = None,
        between: Callable[[nn.Module], object] | None = None,
        outside: Callable[[nn.Module], object] | None = None,
        autocast: torch.dtype | None = None,
        scaler: Any = None,
        parts: int = 1,
        **options: Any,
    ) -> None:
        self.net = network(dtype) if net is None else net
        self.optimizer = optimizer(self.net)
        self.penalty, self.between, self.outside = penalty, between, outside
        self.autocast, self.scaler, self.parts = autocast, scaler, parts
        self.inputs, self.targets = data(next(self.net.parameters()).dtype)
        blind = options.pop("blind", False)
        self.monitor = LawMonitor(self.net, None if blind else self.optimizer, laws=network_laws(), **options)
        self.draws = torch.Generator().manual_seed(2)

    def loss(self) -> Tensor:
        drawn = torch.randint(len(self.inputs), (16,), generator=self.draws)
        with torch.autocast("cpu", self.autocast or torch.bfloat16, enabled=self.autocast is not None):
            value = nn.functional.cross_entropy(self.net(self.inputs[drawn]), self.targets[drawn])
        return value if self.penalty is None else value + self.penalty(self.net)

    def run(self, steps: int = 25) -> LawMonitor:
        for _ in range(steps):
            self.optimizer.zero_grad()
            for _ in range(self.parts):
                (self.loss() if self.scaler is None else self.scaler.scale(self.loss())).backward()
            if self.between:
                self.between(self.net)
            self.optimizer.step() if self.scaler is None else self.scaler.step(self.optimizer)
            if self.scaler is not None:
                self.scaler.update()
            if self.outside:
                self.outside(self.net)
            self.monitor.step()
        return self.monitor


def sgd(rate: float = RATE, **options: Any) -> Callable[[nn.Module], torch.optim.Optimizer]:
    return lambda net: torch.optim.SGD(net.parameters(), rate, **options)


def causes(findings: Sequence[Finding]) -> dict[Cause, set[str]]:
    found: dict[Cause, set[str]] = {}
    for finding in findings:
        found.setdefault(finding.cause, set()).update(finding.laws)
    return found


def exact(law: ModuleLaw, tensors: dict[str, Tensor], absolute: bool = False) -> np.ndarray[Any, Any]:
    """The law in rational arithmetic, entry by entry from its definition; with |c| and |entries| instead, its size."""
    total: Any = 0
    for each in law.terms:
        view, tensor = each.view, tensors[each.parameter].detach().double()
        if view.stop is not None:
            tensor = tensor.narrow(view.axis or 0, view.start, view.stop - view.start)
        array = np.vectorize(Fraction, otypes=[object])(tensor.reshape(view.shape).numpy())
        kept = [*view.group, *([] if view.unit is None else [view.unit])]
        rest = [axis for axis in range(len(view.shape)) if axis not in kept]
        matrix = array.transpose([*kept, *rest]).reshape(view.groups, view.rows, view.columns)
        matrix = np.abs(matrix) if absolute else matrix
        coefficient = abs(each.coefficient) if absolute else each.coefficient
        if law.kind == "translation":
            part = matrix.sum(axis=1)
        elif law.kind == "gram":
            part = np.array([block.dot(block.T) for block in matrix])
        else:
            part = (matrix**2).sum(axis=2)
        total = total + coefficient * part.reshape(law.shape)
    return np.asarray(total)


SHAPES = {"w": (6, 5), "b": (6,), "k": (3, 6, 2, 2), "qkv": (24, 5), "s": ()}
KINDS = [
    module_law("gram", "gram", [term("w", 1, (6, 5), 0), term("k", -1, (3, 6, 2, 2), 1)], (6, 6)),
    module_law(
        "diagonal",
        "diagonal",
        [term("w", 2, (6, 5), 0), term("b", 1, (6,), 0), term("k", -1, (3, 6, 2, 2), 1)],
        (6,),
    ),
    module_law("scale", "scale", [term("k", 1, (3, 6, 2, 2), None, group=(0,))], (3,)),
    module_law("whole", "scale", [term("w", 1, (6, 5), None), term("s", -3, (), None)], (1,)),
    module_law("translation", "translation", [term("w", 1, (6, 5), 0)], (5,)),
    module_law(
        "heads",
        "gram",
        [
            term("qkv", 1, (2, 4, 5), 1, group=(0,), start=0, stop=8),
            term("qkv", -1, (2, 4, 5), 1, group=(0,), start=8, stop=16),
        ],
        (2, 4, 4),
    ),
]


def bare(dtype: torch.dtype = torch.float32) -> nn.Module:
    generator, net = torch.Generator().manual_seed(3), nn.Module()
    for name, shape in SHAPES.items():
        net.register_parameter(name, nn.Parameter(torch.randn(shape, generator=generator).to(dtype)))
    return net


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_values_are_the_exact_ones_up_to_rounding(dtype: torch.dtype) -> None:
    net = bare(dtype)
    values = LawMonitor(net, laws=KINDS).values()
    parameters = dict(net.named_parameters())
    unit = torch.finfo(dtype if dtype is not torch.bfloat16 else torch.float32).eps
    for law in KINDS:
        given = exact(law, parameters)
        size = exact(law, parameters, absolute=True).astype(float)
        found = np.vectorize(Fraction, otypes=[object])(values[law.name].numpy())
        assert found.shape == given.shape == law.shape
        assert (np.abs(found - given).astype(float) <= 30 * unit * size).all()  # at most 26 terms in a sum


def test_autocast_around_the_monitor_changes_nothing() -> None:
    net = bare()
    values = LawMonitor(net, laws=KINDS).values()
    with torch.autocast("cpu", torch.bfloat16):
        around = LawMonitor(net, laws=KINDS).values()
    for name, value in values.items():
        assert torch.equal(value, around[name]) and not value.requires_grad


def test_a_step_is_predicted_as_exact_arithmetic_predicts_it() -> None:
    net = bare(torch.float64)
    parameters, generator = dict(net.named_parameters()), torch.Generator().manual_seed(4)
    decay = 0.5
    optimizer = torch.optim.SGD(net.parameters(), RATE, weight_decay=decay)
    monitor = LawMonitor(net, optimizer, laws=KINDS)
    expected = {law.name: exact(law, parameters) for law in KINDS}
    factor = 1 - Fraction(RATE) * Fraction(decay)
    for _ in range(3):
        for parameter in parameters.values():
            parameter.grad = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        gradients = {name: parameter.grad for name, parameter in parameters.items()}
        for law in KINDS:
            second = 0 if law.degree == 1 else Fraction(RATE) ** 2 * exact(law, gradients)
            expected[law.name] = factor**law.degree * expected[law.name] + second
        optimizer.step()
        optimizer.zero_grad()  # the gradients were read before
        monitor.step()
    for name, predicted in monitor.predicted().items():
        np.testing.assert_allclose(predicted.numpy(), expected[name].astype(float), rtol=1e-13, atol=1e-13)


def test_slopes_are_the_derivatives_along_the_gradient() -> None:
    net = bare(torch.float64)
    parameters, generator = dict(net.named_parameters()), torch.Generator().manual_seed(5)
    for parameter in parameters.values():
        parameter.grad = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    gradients = {name: parameter.grad for name, parameter in parameters.items()}
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    monitor = LawMonitor(net, optimizer, laws=KINDS)
    expected = []
    for law in KINDS:
        moved = exact(law, {name: value + gradients[name] for name, value in parameters.items()}).astype(float)
        here, there = (exact(law, tensors).astype(float) for tensors in (parameters, gradients))
        expected.append((moved - here - (there if law.degree == 2 else 0)).ravel())
    optimizer.step()
    monitor.step()
    evidence = monitor.evidence()
    np.testing.assert_allclose(evidence.slopes[0], np.concatenate(expected), atol=1e-12)
    assert (np.abs(evidence.slopes) <= evidence.bounds * (1 + 1e-12)).all()


# Loops that break nothing


CLEAN: dict[str, Callable[[], Loop]] = {
    "float32": lambda: Loop(sgd()),
    "float64": lambda: Loop(sgd(), dtype=torch.float64),
    "a large step": lambda: Loop(sgd(0.5)),
    "one step in three": lambda: Loop(sgd(), every=3),
    "no optimizer given": lambda: Loop(sgd(), blind=True),
    "maximize": lambda: Loop(sgd(0.01, maximize=True)),
    "accumulation": lambda: Loop(sgd(), parts=3),
    "nothing moves": lambda: Loop(sgd(0.0)),
    "global clip": lambda: Loop(sgd(), between=lambda net: nn.utils.clip_grad_norm_(net.parameters(), 0.05)),
    "GradScaler": lambda: Loop(sgd(), scaler=torch.amp.GradScaler("cpu", init_scale=64.0)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLEAN)
def test_nothing_is_reported_of_a_clean_loop(name: str) -> None:
    monitor = CLEAN[name]().run()
    assert monitor.diagnose() == ()
    history = monitor.history()
    assert "3 drift as second order predicts" in monitor.report(None)
    if name != "one step in three":
        assert (history.excess <= (1e-13 if name == "float64" else 3e-6)).all()
    if name not in ("nothing moves", "global clip", "maximize", "one step in three"):
        drift, predicted = history.moved[:2, -1], history.predicted[:2, -1]
        assert (drift > 1e-4).all()
        np.testing.assert_allclose(drift, predicted, rtol=1e-2)


def test_a_global_clip_is_a_note() -> None:
    told = CLEAN["global clip"]().run().report(None)
    assert "all gradients were multiplied by one factor" in told
    assert "breaks no law" in told


def test_a_schedule_of_the_learning_rate_is_followed() -> None:
    loop = Loop(sgd(), dtype=torch.float64)
    schedule = torch.optim.lr_scheduler.ExponentialLR(loop.optimizer, 0.9)
    loop.outside = lambda _: schedule.step()  # even between the optimizer's step and the monitor's
    monitor = loop.run()
    assert monitor.diagnose() == ()
    assert monitor.history().excess.max() < 1e-13


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_gradient_that_cancels_to_rounding_breaks_nothing(dtype: torch.dtype) -> None:
    """A bias before batch norm, or of the keys of attention, has gradient 0: what is computed is rounding alone."""
    net = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 4)).to(dtype)
    nn.init.zeros_(net[0].bias)
    law = module_law("bias", "translation", [term("0.bias", 1, (12,), None)], (12,))
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    monitor = LawMonitor(net, optimizer, laws=[law])
    inputs, targets = data(dtype)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(inputs), targets).backward()
        optimizer.step()
        monitor.step()
    assert monitor.diagnose() == ()
    assert 0 < monitor.history().moved[0, -1] < 100 * torch.finfo(dtype).eps


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_matrix_laws_of_a_linear_network(momentum: float) -> None:
    """W_1 W_1^T - W_2^T W_2 drifts by eta^2 h(g) a step; its trace, the matrix, all of it."""
    generator, net = torch.Generator().manual_seed(8), nn.Sequential(nn.Linear(5, 4, False), nn.Linear(4, 3, False))
    laws = [module_law("h", "gram", [term("0.weight", 1, (4, 5), 0), term("1.weight", -1, (3, 4), 1)], (4, 4))]
    for parameter in net.parameters():
        nn.init.normal_(parameter, generator=generator)
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=momentum)
    monitor = LawMonitor(net, optimizer, laws=laws)
    inputs, targets = torch.randn(20, 5, generator=generator), torch.randn(20, 3, generator=generator)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(inputs), targets).backward()
        optimizer.step()
        monitor.step()
    first, second = (parameter.detach() for parameter in net.parameters())
    torch.testing.assert_close(monitor.values()["h"].float(), first @ first.T - second.T @ second)
    difference = (monitor.values()["h"] - monitor.predicted()["h"]).abs().max()
    assert causes(monitor.diagnose()) == ({Cause.OPTIMIZER: {"h"}} if momentum else {})
    assert difference > 1e-2 if momentum else difference < 1e-5 < 1e-3 < monitor.history().moved[0, -1]


@pytest.mark.slow
def test_the_laws_that_are_found_are_watched() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)]
        net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.ReLU(), *head)
    generator = torch.Generator().manual_seed(9)
    images, targets = torch.randn(16, 3, 8, 8, generator=generator), torch.randint(4, (16,), generator=generator)
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    monitor = LawMonitor.attach(net, optimizer, example_input=images, loss="cross_entropy")
    watched = {name for law in monitor.laws for name in law.parameters}
    assert watched >= {"1.weight", "1.bias", "3.weight", "3.bias", "7.weight", "7.bias"}
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(images), targets).backward()
        optimizer.step()
    assert monitor.diagnose() == ()
    assert monitor.history().excess.max() < 3e-6 < 1e-3 < monitor.history().moved.max()
    with pytest.raises(ValueError, match="no law is known for this Sequential: there is nothing to watch"):
        LawMonitor(nn.Sequential(nn.Linear(3, 3), nn.GELU(), nn.Linear(3, 3)), example_input=torch.randn(2, 3))


# Loops that break laws, each in one way


def clip_norms(net: nn.Module) -> None:
    for parameter in net.parameters():
        nn.utils.clip_grad_norm_([parameter], 0.05)


def clip_values(net: nn.Module) -> None:
    nn.utils.clip_grad_value_(net.parameters(), 0.015625)


def add_noise(net: nn.Module) -> None:
    generator = torch.Generator().manual_seed(6)
    for parameter in net.parameters():
        assert parameter.grad is not None
        parameter.grad += 0.01 * torch.randn(parameter.shape, generator=generator)


def shrink(net: nn.Module) -> None:
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(0.995)


def shift(net: nn.Module) -> None:
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.sign(parameter), alpha=-1e-3)


def shrink_one(net: nn.Module) -> None:
    assert isinstance(net, nn.Sequential)
    with torch.no_grad():
        net[0].weight.mul_(0.995)


def signs(net: nn.Module) -> None:
    for parameter in net.parameters():
        assert parameter.grad is not None
        parameter.grad = 0.01 * parameter.grad.sign()


def slow_layer(net: nn.Module) -> None:
    assert isinstance(net, nn.Sequential)
    net[2].weight.grad.mul_(0.25)


def freeze(net: nn.Sequential) -> nn.Sequential:
    net[2].weight.requires_grad_(False)
    return net


def two_rates(net: nn.Module) -> torch.optim.Optimizer:
    assert isinstance(net, nn.Sequential)
    later = [*net[2].parameters(), *net[4].parameters()]
    return torch.optim.SGD([{"params": net[0].parameters()}, {"params": later, "lr": RATE / 4}], RATE)


def partial(net: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD([p for name, p in net.named_parameters() if name != "2.weight"], RATE)


def partial_decay(net: nn.Module) -> torch.optim.Optimizer:
    """As is usual: no decay of biases."""
    weights = [p for name, p in net.named_parameters() if name.endswith("weight")]
    biases = [p for name, p in net.named_parameters() if name.endswith("bias")]
    return torch.optim.SGD([{"params": weights, "weight_decay": 0.1}, {"params": biases}], RATE)


def adaptive(name: str, **options: Any) -> Callable[[nn.Module], torch.optim.Optimizer]:
    return lambda net: getattr(torch.optim, name)(net.parameters(), **{"lr": 1e-3, **options})


class Sign(torch.optim.Optimizer):
    """An optimizer that the monitor does not know."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 1e-3})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.add_(parameter.grad.sign(), alpha=-group["lr"])


def squares(net: nn.Module) -> Tensor:
    return 0.01 * torch.stack([(parameter**2).sum() for parameter in net.parameters()]).sum()


def sizes(net: nn.Module) -> Tensor:
    return 0.01 * torch.stack([parameter.abs().sum() for parameter in net.parameters()]).sum()


ALL, HIDDEN = set(NAMES), set(NAMES[:2])
BROKEN: dict[str, tuple[Callable[[], Loop], dict[Cause, set[str]]]] = {
    "momentum": (lambda: Loop(sgd(momentum=0.9)), {Cause.OPTIMIZER: HIDDEN}),
    "Nesterov": (lambda: Loop(sgd(momentum=0.9, nesterov=True)), {Cause.OPTIMIZER: HIDDEN}),
    "momentum, no optimizer given": (lambda: Loop(sgd(momentum=0.9), blind=True), {Cause.OPTIMIZER: HIDDEN}),
    "momentum, one step in four": (lambda: Loop(sgd(momentum=0.9), every=4), {Cause.OPTIMIZER: HIDDEN}),
    "Adam": (lambda: Loop(adaptive("Adam")), {Cause.OPTIMIZER: ALL}),
    "RMSprop": (lambda: Loop(adaptive("RMSprop")), {Cause.OPTIMIZER: ALL}),
    "Adagrad": (lambda: Loop(adaptive("Adagrad")), {Cause.OPTIMIZER: ALL}),
    "AdamW without decay": (lambda: Loop(adaptive("AdamW", weight_decay=0.0)), {Cause.OPTIMIZER: ALL}),
    "AdamW": (lambda: Loop(adaptive("AdamW")), {Cause.OPTIMIZER: ALL, Cause.WEIGHT_DECAY: ALL}),
    "an unknown optimizer": (lambda: Loop(lambda net: Sign(net.parameters())), {Cause.OPTIMIZER: ALL}),
    "weight decay": (lambda: Loop(sgd(weight_decay=0.02)), {Cause.WEIGHT_DECAY: ALL}),
    "decay by hand": (lambda: Loop(sgd(), outside=shrink), {Cause.WEIGHT_DECAY: ALL}),
    "clip of values": (lambda: Loop(sgd(), between=clip_values), {Cause.CLIPPING: ALL}),
    "clip of norms": (lambda: Loop(sgd(), between=clip_norms), {Cause.CLIPPING: HIDDEN}),
    "autocast to bfloat16": (lambda: Loop(sgd(), autocast=torch.bfloat16), {Cause.PRECISION: ALL}),
    "autocast, accumulated": (lambda: Loop(sgd(), autocast=torch.bfloat16, parts=3), {Cause.PRECISION: ALL}),
    "bfloat16 parameters": (lambda: Loop(sgd(), dtype=torch.bfloat16), {Cause.PRECISION: ALL}),
    "two learning rates": (lambda: Loop(two_rates), {Cause.GROUPS: {"0 -> 2"}}),
    "decay of weights alone": (lambda: Loop(partial_decay), {Cause.GROUPS: HIDDEN, Cause.WEIGHT_DECAY: {"columns"}}),
    "requires_grad False": (lambda: Loop(sgd(), net=freeze(network())), {Cause.FROZEN: HIDDEN}),
    "not in the optimizer": (lambda: Loop(partial), {Cause.FROZEN: HIDDEN}),
    "penalty": (lambda: Loop(sgd(), penalty=squares), {Cause.OTHER: ALL}),
    "another penalty": (lambda: Loop(sgd(), penalty=sizes), {Cause.OTHER: ALL}),
    "noise on gradients": (lambda: Loop(sgd(), between=add_noise), {Cause.OTHER: ALL}),
    "parameters moved by hand": (lambda: Loop(sgd(), outside=shift), {Cause.OTHER: ALL}),
    "one parameter shrunk by hand": (lambda: Loop(sgd(), outside=shrink_one), {Cause.OTHER: {"0 -> 2"}}),
    "signs of gradients": (lambda: Loop(sgd(), between=signs), {Cause.OTHER: ALL}),
    "one gradient times a constant": (lambda: Loop(sgd(), between=slow_layer), {Cause.OTHER: HIDDEN}),
    "AdamW and clip": (
        lambda: Loop(adaptive("AdamW"), between=clip_values),
        {Cause.OPTIMIZER: ALL, Cause.CLIPPING: ALL, Cause.WEIGHT_DECAY: ALL},
    ),
    "momentum, decay and clip of norms": (
        lambda: Loop(sgd(momentum=0.9, weight_decay=0.01), between=clip_norms),
        {Cause.OPTIMIZER: ALL, Cause.CLIPPING: HIDDEN, Cause.WEIGHT_DECAY: ALL},
    ),
    "momentum and autocast": (
        lambda: Loop(sgd(momentum=0.9), autocast=torch.bfloat16),
        {Cause.OPTIMIZER: ALL, Cause.PRECISION: ALL},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_the_cause_of_a_drift_is_named(name: str) -> None:
    loop, expected = BROKEN[name]
    monitor = loop().run()
    findings = monitor.diagnose()
    assert causes(findings) == expected
    for finding in findings:
        assert str(finding) in monitor.report(None)
        assert all(np.isfinite(number) for number in finding.numbers.values())


def only(name: str) -> Finding:
    (finding,) = BROKEN[name][0]().run().diagnose()
    return finding


def test_the_numbers_of_an_optimizer() -> None:
    momentum, unknown = only("momentum"), only("an unknown optimizer")
    assert "SGD with momentum 0.9" in momentum.sentence
    assert "Sign" in unknown.sentence
    assert 0.1 < momentum.numbers["away"] < 1 and 0.1 < unknown.numbers["away"] < 1


def test_the_numbers_of_weight_decay() -> None:
    findings = BROKEN["weight decay"][0]().run().diagnose()
    for finding, degree in zip(findings, (2, 1), strict=True):
        factor = (1 - RATE * 0.02) ** degree
        assert finding.numbers["factor"] == pytest.approx(factor, rel=1e-14)
        assert finding.numbers["total"] == pytest.approx(factor**25, rel=1e-12)
        assert finding.numbers["excess"] < 1e-6
        assert "agree" in finding.sentence
    by_hand = only("decay by hand")
    assert by_hand.numbers["shrink"] == pytest.approx(0.005, rel=0.02)
    assert "no setting says" in by_hand.sentence


def test_the_numbers_of_clipping() -> None:
    values, norms = only("clip of values"), only("clip of norms")
    assert values.numbers["bound"] == 0.015625 and values.numbers["entries"] > 25
    assert "entry by entry" in values.sentence
    assert values.numbers["slope"] > 1e-3 and norms.numbers["slope"] > 1e-3
    loop = Loop(sgd())
    factors: dict[str, float] = {}

    def clip(net: nn.Module) -> None:
        for name, parameter in net.named_parameters():
            factors[name] = min(1.0, 0.05 / float(nn.utils.clip_grad_norm_([parameter], 0.05)))

    loop.between = clip
    (finding,) = loop.run().diagnose()
    told = {key.removeprefix("factor of "): value for key, value in finding.numbers.items() if "factor" in key}
    assert len(told) == 3
    for name, factor in told.items():
        assert factor == pytest.approx(factors[name], rel=1e-4)


def test_under_plain_steps_the_excess_is_the_first_order_term() -> None:
    """h(theta+) - h(theta) - eta^2 h(g) = -eta <grad h, g>, the slope of a clipped gradient."""
    monitor = Loop(sgd(), dtype=torch.float64, between=clip_values).run(3)
    evidence = monitor.evidence()
    np.testing.assert_allclose(evidence.excess, -RATE * evidence.slopes.sum(axis=0), atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "bits"), [(torch.bfloat16, 8), (torch.float16, 11)])
def test_the_numbers_of_mixed_precision(dtype: torch.dtype, bits: int) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0) if dtype is torch.float16 else None
    (finding,) = Loop(sgd(), autocast=dtype, scaler=scaler).run(40).diagnose()
    assert finding.cause is Cause.PRECISION
    assert finding.numbers["bits"] == bits
    assert 1e-6 < finding.numbers["slope"] < 2.0 ** (1 - bits)
    coarse = only("bfloat16 parameters")
    assert coarse.numbers["excess"] < coarse.numbers["budget"]
    assert "8 significant bits" in coarse.sentence


def test_steps_below_rounding_are_seen() -> None:
    """u = 1.25 stays: its step is under half a unit in the last place; v = 0.5 moves."""
    net = nn.Module()
    net.u, net.v = nn.Parameter(torch.tensor([1.25])), nn.Parameter(torch.tensor([0.5]))
    law = module_law("u v", "scale", [term("u", 1, (1,), None), term("v", -1, (1,), None)], (1,))
    monitor = LawMonitor.attach(net, optimizer := torch.optim.SGD(net.parameters(), 1e-7), laws=[law])
    for _ in range(200):
        optimizer.zero_grad()
        (net.u * net.v).sum().backward()
        optimizer.step()
    assert net.u.item() == 1.25 and net.v.item() < 0.5
    (finding,) = monitor.diagnose()
    assert finding.cause is Cause.PRECISION and "24 significant bits" in finding.sentence
    assert finding.numbers["stuck"] == 1.0
    assert finding.numbers["excess"] < finding.numbers["budget"]


@pytest.mark.slow
def test_the_numbers_of_groups_penalties_and_frozen_parameters() -> None:
    groups = only("two learning rates")
    assert groups.numbers["lr of 0.weight"] == RATE and groups.numbers["lr of 2.weight"] == RATE / 4
    assert f"measured step -{RATE / 4:.4g} gradient" in groups.sentence
    assert only("penalty").numbers["penalty"] == pytest.approx(0.02, rel=0.01)
    assert "penalty" not in only("another penalty").numbers
    assert "requires_grad is False" in only("requires_grad False").sentence
    assert "not among the optimizer's" in only("not in the optimizer").sentence


def test_a_parameter_frozen_during_the_run_is_seen() -> None:
    loop = Loop(sgd())
    loop.run(10)
    freeze(loop.net)  # type: ignore[arg-type]
    assert causes(loop.run(10).diagnose()) == {Cause.FROZEN: HIDDEN}


def test_a_training_that_diverges_is_told() -> None:
    monitor = Loop(sgd(1e6)).run(8)
    (finding,) = monitor.diagnose()
    assert finding.cause is Cause.OTHER and "the training diverged" in finding.sentence
    assert "gradient was not finite" in monitor.report(None)
    assert len(monitor.to_frame()) == 27 and "<table>" in monitor._repr_html_()


# The ways to call it


def test_an_attached_monitor_sees_the_same() -> None:
    called = Loop(sgd()).run(10)
    loop = Loop(sgd())
    loop.monitor.close()
    with LawMonitor.attach(loop.net, loop.optimizer, laws=network_laws()) as attached:
        for _ in range(10):
            loop.optimizer.zero_grad()
            loop.loss().backward()
            loop.optimizer.step()
        with pytest.raises(ValueError, match="leave out step"):
            attached.step()
    loop.optimizer.step()
    assert attached.count == 10
    assert attached.to_frame().equals(called.to_frame())


def test_a_closure_makes_the_gradients_within_the_step() -> None:
    loop = Loop(sgd(), dtype=torch.float64)

    def closure() -> Tensor:
        loop.optimizer.zero_grad()
        loss = loop.loss()
        loss.backward()
        return loss

    for _ in range(10):
        loop.optimizer.step(closure)
        loop.monitor.step()
    assert loop.monitor.diagnose() == ()
    assert loop.monitor.history().excess.max() < 1e-13


def test_close_removes_the_hooks() -> None:
    loop = Loop(sgd())
    loop.monitor.close()
    # PyTorch has no public list of hooks
    assert not loop.optimizer._optimizer_step_pre_hooks
    assert not any(parameter._post_accumulate_grad_hooks for parameter in loop.net.parameters())


def test_steps_that_a_scaler_skips_are_counted() -> None:
    calls = iter(range(12))

    def overflow(net: nn.Module) -> None:
        if next(calls) in (0, 5):
            next(net.parameters()).grad[0] = float("inf")  # type: ignore[index]

    monitor = Loop(sgd(), scaler=torch.amp.GradScaler("cpu", init_scale=64.0), between=overflow).run(12)
    assert (monitor.count, monitor.skipped) == (10, 2)
    assert monitor.diagnose() == ()
    assert monitor.history().excess.max() < 1e-5
    assert "2 calls of step() came without a step of the optimizer" in monitor.report(None)


def test_why_there_is_nothing_to_watch() -> None:
    """Each reason once, as the laws say it; laws given by hand have none."""
    net = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 2))
    with pytest.raises(ValueError, match=r"nothing to watch\. .*gelu is not homogeneous") as raised:
        LawMonitor(net, example_input=torch.randn(5, 3))
    assert str(raised.value).count("gelu is not homogeneous") == 1 and "0, 2: no law" in str(raised.value)
    found = find.laws(net, torch.randn(5, 3))
    with pytest.raises(ValueError, match="gelu is not homogeneous"):
        LawMonitor(net, laws=found)
    with pytest.raises(ValueError, match=r"there is nothing to watch\.$"):
        LawMonitor(net, laws=[])


def test_a_gradient_that_is_not_finite_but_not_used_predicts_nothing() -> None:
    loop = Loop(sgd(), blind=True)
    loop.run(3)
    for parameter in loop.net.parameters():
        parameter.grad = torch.full_like(parameter, float("inf"))
    loop.monitor.step()  # no step was made
    loop.run(3)
    assert loop.monitor.diagnose() == ()
    assert "At 1 steps observed a gradient was not finite" in loop.monitor.report(None)


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda net: torch.compile(net, backend="eager")])
def test_wrapped_modules_are_unwrapped(wrap: Callable[[nn.Module], nn.Module]) -> None:
    net = wrap(network())
    monitor = Loop(sgd(), net=net).run(5)
    assert isinstance(monitor.module, nn.Sequential)
    assert monitor.diagnose() == ()
    np.testing.assert_array_equal(monitor.history().values, Loop(sgd()).run(5).history().values)


class AcceleratedOptimizer(torch.optim.Optimizer):
    """As that of Accelerate: a shell that torch's own constructor never sees."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    def step(self, closure: Any = None) -> None:
        self.optimizer.step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad(set_to_none)


class Lookahead(torch.optim.Optimizer):
    """A shell that steps in its own way."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer


def test_a_wrapper_that_is_not_known_is_refused() -> None:
    net = network()
    optimizer = Lookahead(torch.optim.SGD(net.parameters(), RATE))
    for make in (
        lambda: LawMonitor(net, optimizer, laws=network_laws()),
        lambda: find.laws(net, data()[0], optimizer=optimizer),
    ):
        with pytest.raises(TypeError, match="Lookahead wraps an optimizer in a way that is not known"):
            make()


@pytest.mark.parametrize("attached", [False, True])
def test_the_optimizer_of_accelerate_is_unwrapped(attached: bool) -> None:
    net = network()
    optimizer = AcceleratedOptimizer(torch.optim.SGD(net.parameters(), RATE))
    make = LawMonitor.attach if attached else LawMonitor
    monitor = make(net, optimizer, laws=network_laws())
    inputs, targets = data()
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(inputs), targets).backward()
        optimizer.step()
        if not attached:
            monitor.step()
    assert monitor.count == 5 and monitor.diagnose() == () and monitor.evidence().optimizer == "SGD"
    assert "eta^2 h(gradient)" in find.laws(net, inputs, optimizer=optimizer, certify=False)[0].reason


def test_memory_in_another_order_changes_nothing() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 5, 3), nn.Flatten(), nn.Linear(20, 4))
    terms = [term("0.weight", 1, (8, 3, 3, 3), 0), term("0.bias", 1, (8,), 0), term("2.weight", -1, (5, 8, 3, 3), 1)]
    law = module_law("0 -> 2", "diagonal", terms, (8,))
    values, images = [], torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(7))
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    for memory in (torch.contiguous_format, torch.channels_last):
        net.load_state_dict(state)
        net = net.to(memory_format=memory)
        optimizer = torch.optim.SGD(net.parameters(), RATE)
        monitor = LawMonitor(net, optimizer, laws=[law])
        for _ in range(3):
            optimizer.zero_grad()
            net(images.to(memory_format=memory)).square().sum().backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            monitor.step()
        assert monitor.diagnose() == ()
        values.append(monitor.values()["0 -> 2"])
    torch.testing.assert_close(values[0], values[1], rtol=1e-5, atol=1e-5)


def test_sparse_gradients_are_read() -> None:
    net = nn.Sequential(nn.Embedding(7, 3, sparse=True), nn.Linear(3, 4))
    laws = [module_law("0 -> 1", "gram", [term("0.weight", 1, (7, 3), 1), term("1.weight", -1, (4, 3), 1)], (3, 3))]
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    monitor = LawMonitor(net, optimizer, laws=laws)
    for step in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(torch.tensor([step, 2, 6])), torch.tensor([0, 1, 3])).backward()
        optimizer.step()
        monitor.step()
    assert monitor.diagnose() == ()
    assert monitor.history().excess.max() < 5e-6 < 1e-3 < monitor.history().moved.max()


class NoWaiting(TorchDispatchMode):
    """Refuses what brings a number from the device to Python."""

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        assert "_local_scalar_dense" not in str(function) and "nonzero" not in str(function)
        return function(*arguments, **(named or {}))


@pytest.mark.parametrize("every", [1, 2])
def test_a_step_never_waits_for_the_device(every: int) -> None:
    loop = Loop(sgd(), every=every)
    for _ in range(6):
        loop.optimizer.zero_grad()
        loop.loss().backward()
        with NoWaiting():
            loop.optimizer.step()
            loop.monitor.step()
    with pytest.raises(AssertionError), NoWaiting():
        loop.monitor.values()["columns"].sum().item()


# What is read


@pytest.mark.slow
def test_frame_report_and_html() -> None:
    monitor = Loop(sgd(momentum=0.9)).run(8)
    frame = monitor.to_frame()
    assert list(frame.columns) == ["step", "law", "value", "moved", "predicted", "excess", "drift"]
    assert list(frame["step"]) == [*range(9)] * 3
    last = frame[(frame.law == "0 -> 2") & (frame.step == 8)].iloc[0]
    assert last["value"] == pytest.approx(float(monitor.values()["0 -> 2"].norm()), rel=1e-14)
    start = frame[(frame.law == "0 -> 2") & (frame.step == 0)].iloc[0]
    assert start["moved"] == start["predicted"] == start["excess"] == 0
    assert last["drift"] == pytest.approx(last["moved"] / (1 + start["value"]), rel=1e-14)
    assert monitor.report() == str(monitor)
    assert "0 -&gt; 2" in monitor._repr_html_() and "<table>" in monitor._repr_html_()
    assert LawMonitor(network(), laws=network_laws()).report() == "3 laws watched; no step observed so far."
    assert "<table>" in LawMonitor(network(), laws=network_laws())._repr_html_()


def test_plot_draws_the_drifts() -> None:
    pytest.importorskip("matplotlib")
    monitor = Loop(sgd()).run(8)
    (axes,) = monitor.plot().axes
    drawn = [line.get_ydata() for line in axes.lines]
    drift, history = monitor.history().drift(), monitor.history()
    for row in drift[:2]:
        assert any(len(line) == 9 and np.allclose(line[1:], row[1:], rtol=1e-12) for line in drawn)
    predicted = history.predicted[:2] / (1 + history.values[:2, :1])
    for row in predicted:
        assert any(len(line) == 9 and np.allclose(line[1:], row[1:], rtol=1e-12) for line in drawn)


def test_tensorboard_gets_every_step(tmp_path: Any) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monitor = Loop(sgd(), writer=tmp_path).run(7)
    monitor.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    history = monitor.history()
    for law, name in enumerate(NAMES):
        tag = next(tag for tag in events.Tags()["scalars"] if name.split()[-1] in tag and "drift" in tag)
        scalars = events.Scalars(tag)
        assert [scalar.step for scalar in scalars] == [*range(1, 8)]
        np.testing.assert_allclose([scalar.value for scalar in scalars], history.moved[law, 1:], rtol=1e-6)


def test_a_long_run_is_thinned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Loop(sgd()).run(20)
    monkeypatch.setattr(ledger_module, "KEEP", 6)
    thin = Loop(sgd()).run(20)
    steps = thin.history().steps
    assert steps[0] == 0 and steps[-1] == 20 and len(steps) <= 7 and (np.diff(steps) > 0).all()
    every = whole.to_frame().set_index(["law", "step"]).sort_index()
    kept = thin.to_frame().set_index(["law", "step"]).sort_index()
    assert kept.equals(every.loc[kept.index])


def test_a_run_is_resumed(tmp_path: Any) -> None:
    whole = Loop(sgd(momentum=0.9), between=clip_norms).run(12)
    first = Loop(sgd(momentum=0.9), between=clip_norms)
    first.run(5)
    torch.save(first.monitor.state_dict(), tmp_path / "monitor.pt")
    first.monitor.close()
    second = LawMonitor(first.net, first.optimizer, laws=network_laws())
    second.load_state_dict(torch.load(tmp_path / "monitor.pt", weights_only=True))
    first.monitor = second
    first.run(7)
    assert second.to_frame().equals(whole.to_frame())
    assert second.report() == whole.report()
    other = LawMonitor(first.net, laws=network_laws()[:1])
    with pytest.raises(ValueError, match="other laws: 3 of them, here 1"):
        other.load_state_dict(second.state_dict())


# Wrong input


def test_wrong_arguments_are_refused() -> None:
    net = network()
    with pytest.raises(TypeError, match=r"must be a torch.nn.Module, not list"):
        LawMonitor([1], laws=network_laws())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"must be a torch.optim.Optimizer or None, not float"):
        LawMonitor(net, 0.1, laws=network_laws())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="give the laws to watch, or an example_input"):
        LawMonitor(net)
    with pytest.raises(ValueError, match="nothing to watch"):
        LawMonitor(net, laws=[])
    with pytest.raises(TypeError, match="sequence of ModuleLaw"):
        LawMonitor(net, laws=["0 -> 2"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"'body\.0\.weight', which the module does not have"):
        LawMonitor(net, laws=network_laws("body."))
    with pytest.raises(ValueError, match="at least 1, not 0"):
        LawMonitor(net, laws=network_laws(), every=0)
    with pytest.raises(TypeError, match="SummaryWriter or a folder, not 3"):
        LawMonitor(net, laws=network_laws(), writer=3)
    with pytest.raises(TypeError, match="attach needs the optimizer"):
        LawMonitor.attach(net, None, laws=network_laws())  # type: ignore[arg-type]


def test_wrong_calls_are_refused() -> None:
    loop = Loop(sgd())
    loop.run(2)
    loop.optimizer.step()
    loop.optimizer.step()
    with pytest.raises(ValueError, match=r"but 2 of them came since its last call"):
        loop.monitor.step()
    loop = Loop(sgd())
    loop.optimizer.step()  # moves nothing
    loop.monitor.step()
    assert loop.monitor.history().moved.max() == loop.monitor.history().predicted.max() == 0
    blind = Loop(sgd(), blind=True)
    blind.run(2)
    blind.optimizer.zero_grad()
    with pytest.raises(ValueError, match="no gradient was there"):
        blind.monitor.step()


@pytest.mark.parametrize("change", ["replaced", "added"])
def test_other_parameters_are_refused(change: str) -> None:
    loop = Loop(sgd())
    loop.run(2)
    assert isinstance(loop.net, nn.Sequential)
    if change == "replaced":
        loop.net[2].weight = nn.Parameter(loop.net[2].weight.detach().clone())
    else:
        loop.net.append(nn.Linear(4, 4))
    with pytest.raises(ValueError, match="added, removed or replaced"):
        loop.run(1)


@pytest.mark.slow
def test_a_monitor_does_not_hide_the_laws_of_its_module() -> None:
    loop = Loop(sgd())  # its hooks only read gradients
    assert [law.name for law in find.laws(loop.net, loop.inputs, certify=False)] == ["0 -> 2", "2 -> 4"]


def test_laws_or_optimizers_of_another_module_are_refused() -> None:
    other = torch.optim.SGD(nn.Linear(2, 2).parameters(), RATE)
    with pytest.raises(ValueError, match="the optimizer holds no parameter of the module"):
        LawMonitor(network(), other, laws=network_laws())
    wide = nn.Sequential(nn.Linear(6, 13), nn.ReLU(), nn.Linear(13, 9), nn.ReLU(), nn.Linear(9, 4))
    with pytest.raises(ValueError, match="the law '0 -> 2' is of a module whose parameters have other shapes"):
        LawMonitor(wide, laws=network_laws())
