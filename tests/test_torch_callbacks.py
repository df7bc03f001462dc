"""The monitor in the loops of Accelerate, Lightning and Hugging Face's Trainer, where they are installed."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402

from clexact.torch import callbacks, find  # noqa: E402
from clexact.torch.callbacks.watched import Watched  # noqa: E402
from clexact.torch.causes import Cause  # noqa: E402
from clexact.torch.monitor import LawMonitor  # noqa: E402

RATE = 0.0625  # exact in binary
STEPS, BATCH = 6, 8


def network() -> nn.Sequential:
    net = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)
    return net


def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(STEPS * BATCH, 3, generator=generator), torch.randn(STEPS * BATCH, 2, generator=generator)


def loader() -> Any:
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*data()), batch_size=BATCH)


def alone(steps: int = STEPS, parts: int = 1) -> LawMonitor:
    """The monitor of a plain loop on the same data, of a batch in so many parts."""
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    monitor = LawMonitor.attach(net, optimizer, example_input=torch.ones(2, 3))
    x, y = data()
    size = BATCH * parts
    for n in range(steps // parts):
        optimizer.zero_grad()
        for k in range(parts):
            part = slice(n * size + k * BATCH, n * size + (k + 1) * BATCH)
            (nn.functional.mse_loss(net(x[part]), y[part]) / parts).backward()
        optimizer.step()
    return monitor


def same(monitor: LawMonitor, other: LawMonitor) -> None:
    np.testing.assert_allclose(monitor.history().values, other.history().values, rtol=1e-5)
    np.testing.assert_allclose(monitor.history().predicted, other.history().predicted, rtol=1e-5, atol=1e-9)
    assert monitor.diagnose() == other.diagnose() == ()


def test_scalars_are_the_last_of_the_history() -> None:
    monitor = alone()
    history = monitor.history()
    assert monitor.scalars() == {
        "laws/0 -> 2/drift": history.moved[0, -1], "laws/0 -> 2/predicted": history.predicted[0, -1]
    }  # fmt: skip
    assert LawMonitor(network(), example_input=torch.ones(2, 3)).scalars() == {}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the packages
@pytest.mark.parametrize("parts", [1, 2])
def test_accelerate(parts: int) -> None:
    """With gradient accumulation the optimizer steps once in ``parts`` batches."""
    accelerate = pytest.importorskip("accelerate")
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=parts)
    net = network()
    net, optimizer, batches = accelerator.prepare(net, torch.optim.SGD(net.parameters(), RATE), loader())
    watched = callbacks.AcceleratedMonitor(accelerator, net, optimizer, example_input=torch.ones(2, 3))
    logged: list[dict[str, float]] = []
    accelerator.log = lambda scalars, step=None: logged.append(scalars)
    for x, y in batches:
        with accelerator.accumulate(net):
            accelerator.backward(nn.functional.mse_loss(net(x), y))
            optimizer.step()
            optimizer.zero_grad()
        watched.log()
    assert watched.monitor.count == STEPS // parts
    same(watched.monitor, alone(parts=parts))
    assert logged[-1] == watched.monitor.scalars()
    watched.close()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the packages
def test_lightning(tmp_path: Any) -> None:
    """Gradients are made within the step, by a closure; a checkpoint goes on where the run was."""
    lightning = pytest.importorskip("lightning")

    class Module(lightning.LightningModule):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = network()

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x)

        def training_step(self, batch: tuple[Tensor, Tensor], number: int) -> Tensor:
            return nn.functional.mse_loss(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), RATE)

    def trainer(callback: Any, epochs: int) -> Any:
        return lightning.Trainer(
            max_epochs=epochs, callbacks=[callback], logger=False, accelerator="cpu", default_root_dir=tmp_path,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip

    callback = callbacks.LightningCallback(example_input=torch.ones(2, 3), log_every=2)
    first = trainer(callback, 1)
    module = Module()
    first.fit(module, loader())
    other = alone()
    np.testing.assert_allclose(callback.monitor.history().values, other.history().values, rtol=1e-5)
    assert callback.monitor.diagnose() == () and callback.monitor.count == STEPS
    assert first.logged_metrics["laws/net: 0 -> 2/drift"] == pytest.approx(callback.monitor.history().moved[0, -1])
    first.save_checkpoint(tmp_path / "last.ckpt")
    again = callbacks.LightningCallback(example_input=torch.ones(2, 3))
    trainer(again, 2).fit(Module(), loader(), ckpt_path=tmp_path / "last.ckpt")
    assert again.monitor.count == 2 * STEPS
    assert again.monitor.history().values[0, STEPS] == pytest.approx(callback.monitor.history().values[0, -1])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the packages
def test_transformers(tmp_path: Any) -> None:
    """AdamW by default, with a clip of the global norm; with SGD nothing is wrong, and the numbers are logged."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = network()

        def forward(self, x: Tensor, labels: Tensor | None = None) -> Any:
            out = self.net(x)
            return {"loss": nn.functional.mse_loss(out, labels), "logits": out} if labels is not None else out

    x, y = data()
    rows = [{"x": a, "labels": b} for a, b in zip(x, y, strict=True)]
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), per_device_train_batch_size=BATCH, num_train_epochs=1, logging_steps=2,
        report_to=[], save_strategy="no", use_cpu=True, disable_tqdm=True, max_grad_norm=1e-2,
    )  # fmt: skip
    for optimizer in (None, torch.optim.SGD):
        model = Model()
        callback = callbacks.TrainerCallback(example_input={"x": torch.ones(2, 3)})
        given = (None, None) if optimizer is None else (optimizer(model.parameters(), RATE), None)
        trainer = transformers.Trainer(model, arguments, train_dataset=rows, callbacks=[callback], optimizers=given)
        trainer.train()
        assert callback.monitor.count == STEPS
        found = {finding.cause for finding in callback.monitor.diagnose()}
        assert found == (set() if optimizer else {Cause.OPTIMIZER})
        assert "all gradients were multiplied by one factor" in callback.monitor.report(None)
        logs = [entry for entry in trainer.state.log_history if "laws/net: 0 -> 2/drift" in entry]
        assert len(logs) >= STEPS // 2
        assert logs[-1]["laws/net: 0 -> 2/drift"] == callback.monitor.history().moved[0, -1]


def test_what_is_wrong_is_told_before_training() -> None:
    with pytest.raises(ValueError, match="give the laws to watch, or an example_input"):
        Watched({"every": 2})
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        callbacks.Nothing  # noqa: B018


def test_how_often_lightning_logs() -> None:
    pytest.importorskip("lightning")
    with pytest.raises(ValueError, match="log_every must be an integer of at least 1, not 0"):
        callbacks.LightningCallback(example_input=torch.ones(1), log_every=0)


@pytest.mark.parametrize("name", ["AcceleratedMonitor", "LightningCallback", "TrainerCallback"])
def test_a_package_that_is_missing_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    home = callbacks.HOMES[name]
    package = {"trainer": "transformers"}.get(home, home)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"clexact.torch.callbacks.{home}", raising=False)
    with pytest.raises(ModuleNotFoundError, match=rf"this needs {package}: pip install .*\[{home}\]"):
        getattr(callbacks, name)


def test_a_second_run_closes_the_first() -> None:
    net = network()
    laws = find.laws(net, torch.ones(2, 3), certify=False)
    watched = Watched({"laws": laws})
    assert watched.monitor is None and watched.scalars == {}
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    watched.start(net, [optimizer])
    first = watched.monitor
    watched.start(net, [optimizer])
    assert first is not watched.monitor
    net(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    assert first is not None and first.count == 0 and watched.monitor is not None and watched.monitor.count == 1
