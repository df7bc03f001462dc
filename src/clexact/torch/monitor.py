"""``LawMonitor``: watch the laws of a PyTorch module while it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from html import escape
from os import PathLike
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clexact.torch import find
from clexact.torch.calls import ONLY_READS
from clexact.torch.diagnosis import Evidence, Finding, diagnose, notes
from clexact.torch.forms import Forms
from clexact.torch.history import Floats, History, open_writer
from clexact.torch.law import ModuleLaw, parameters_of
from clexact.torch.laws import ModuleLaws
from clexact.torch.ledger import Gradients, Ledger
from clexact.torch.optimizer import unwrapped_optimizer
from clexact.torch.sample import Entries, Sample
from clexact.torch.settings import read_settings, without_gradient
from clexact.torch.trace import unwrapped

PROBES = 4  # first observed steps at which the slopes <grad h, g> are taken, and then every PROBE_EVERY-th
PROBE_EVERY = 16
WRITE_EVERY = 64  # observed steps between two visits to the TensorBoard writer
SHOWN = 10  # rows of the table of laws in a notebook


class LawMonitor:
    r"""Records the laws of a module during training, what second order predicts, and why they drift more.

    Call ``step()`` once after each ``optimizer.step()``, or make it by ``LawMonitor.attach(module, optimizer, ...)``
    and call nothing. For a quadratic law and a step of gradient descent with weight decay $\lambda$,

    $$h(\theta^+) = (1 - \eta\lambda)^2 h(\theta) + \eta^2 h(g)$$

    exactly, $g$ being the gradient of the loss; for a linear law $h(\theta^+) = (1 - \eta\lambda) h(\theta)$. The
    monitor adds this up along the run and compares, whatever the optimizer. Floating point: a drift below rounding is
    not seen.

    Parameters
    ----------
    module : torch.nn.Module
        The module that is trained.
    optimizer : torch.optim.Optimizer, optional
        None: the step size is measured, and the gradients must still be there at ``step()``.
    laws : sequence of ModuleLaw, optional
        What is watched; default: what ``clexact.torch.laws`` finds. Those with sums beside squares (``law.mixed``)
        are left out.
    example_input : torch.Tensor, tuple or dict
        For ``clexact.torch.laws``, if no laws are given.
    loss : {"mse", "cross_entropy"}, optional
        Likewise.
    every : int
        One step in so many is observed, and stands for them in the prediction, which is then an estimate.
    writer : SummaryWriter or path-like, optional
        Of TensorBoard, or a folder.
    seed : int
        Which draws the few entries of each parameter by which the step is compared with the gradient.

    Raises
    ------
    ValueError
        Without laws to watch, if ``step()`` misses steps of the optimizer, or if the module's parameters changed.
    TypeError
        For a module or an optimizer that is none.

    Examples
    --------
    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> optimizer, x = torch.optim.SGD(net.parameters(), lr=0.1), torch.ones(4, 2)
    >>> monitor = LawMonitor(net, optimizer, example_input=x)
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     net(x).square().mean().backward()
    ...     optimizer.step()
    ...     monitor.step()
    >>> monitor.diagnose()
    ()
    """

    def __init__(
        self,
        module: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        laws: Sequence[ModuleLaw] | None = None,
        example_input: Any = None,
        loss: object = None,
        every: int = 1,
        writer: Any | str | PathLike[str] | None = None,
        seed: int = 0,
    ) -> None:
        optimizer = unwrapped_optimizer(optimizer)
        _check(module, optimizer, every)
        self.module, self.optimizer, self.every = unwrapped(module), optimizer, every
        if optimizer is not None and not find.holds_any(optimizer, self.module):
            raise ValueError("the optimizer holds no parameter of the module.")
        self.laws = _laws(self.module, laws, example_input, loss)
        self._parameters = _parameters(self.module, self.laws)
        self._size = _count(self.module)
        self._writer = None if writer is None else open_writer(writer)
        self._written = 0  # last step written
        self._forms = Forms(self.laws, self._parameters)
        mine = {id(parameter) for parameter in self._parameters.values()}
        self._others = [parameter for parameter in self.module.parameters() if id(parameter) not in mine]
        self._entries = Entries([*self._parameters.values(), *self._others], seed)
        self.count = 0  # steps of the optimizer so far
        self.skipped = 0  # calls of step() before which the optimizer made no step
        self._calls = 0  # steps of the optimizer since the last call of step()
        self._gradients: Gradients | None = None
        self._first: dict[int, Tensor] = {}  # watched entries of gradients, by the first backward() after the last step
        self._backward: dict[int, Tensor] = {}  # and by the last one
        self._look()
        self._ledger = Ledger(self._forms, self._now[0])
        self._attached = False
        self._handles: list[Any] = []
        self._add_hooks(backward=not isinstance(module, nn.parallel.DistributedDataParallel))  # it averages later

    @classmethod
    def attach(cls, module: nn.Module, optimizer: torch.optim.Optimizer, **options: Any) -> LawMonitor:
        """A monitor whose ``step()`` the optimizer itself calls after each step, until ``close()``.

        Parameters
        ----------
        module : torch.nn.Module
            The module that is trained.
        optimizer : torch.optim.Optimizer
            Its optimizer.
        **options : object
            As of ``LawMonitor``.

        Returns
        -------
        LawMonitor
            At work.

        Raises
        ------
        TypeError, ValueError
            As ``LawMonitor``; TypeError without an optimizer.

        Examples
        --------
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> optimizer, x = torch.optim.SGD(net.parameters(), lr=0.1), torch.ones(4, 2)
        >>> monitor = LawMonitor.attach(net, optimizer, example_input=x)
        >>> net(x).sum().backward()
        >>> optimizer.step()
        >>> monitor.count
        1
        """
        if optimizer is None:
            raise TypeError("attach needs the optimizer, not None.")
        monitor = cls(module, optimizer, **options)
        monitor._attached = True
        post = unwrapped_optimizer(optimizer).register_step_post_hook(lambda *_: monitor._step())
        monitor._handles.append(post)
        return monitor

    def close(self) -> None:
        """Write what is left to TensorBoard and remove all hooks.

        Examples
        --------
        >>> import torch
        >>> net = torch.nn.Linear(2, 2)
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> options = {"example_input": torch.ones(4, 2), "loss": "cross_entropy"}
        >>> monitor = LawMonitor.attach(net, optimizer, **options)
        >>> monitor.close()
        >>> optimizer.step()
        >>> monitor.count
        0
        """
        self.write()
        while self._handles:
            self._handles.pop().remove()

    def __enter__(self) -> LawMonitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What happens at a step

    def step(self) -> None:
        """To be called after each ``optimizer.step()``.

        Raises
        ------
        ValueError
            If the monitor is attached to its optimizer, which calls it.

        Examples
        --------
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> optimizer, x = torch.optim.SGD(net.parameters(), lr=0.1), torch.ones(4, 2)
        >>> monitor = LawMonitor(net, optimizer, example_input=x)
        >>> net(x).sum().backward()
        >>> optimizer.step()
        >>> monitor.step()
        >>> monitor.count
        1
        """
        if self._attached:
            raise ValueError("this monitor is attached to its optimizer, which calls it: leave out step().")
        self._step()

    def _add_hooks(self, backward: bool) -> None:
        """To see gradients as backward() leaves them and as the optimizer finds them."""
        for index, parameter in enumerate(self._parameters.values()):
            if backward and parameter.requires_grad:
                self._handles.append(parameter.register_post_accumulate_grad_hook(self._after_backward(index)))
        if self.optimizer is not None:
            self._handles.append(self.optimizer.register_step_pre_hook(self._before_step))

    def _after_backward(self, index: int) -> Callable[[Tensor], None]:
        def keep(parameter: Tensor) -> None:
            if self._due(self.count + 1) and parameter.grad is not None:
                self._backward[index] = self._entries.take(index, parameter.grad.detach())
                self._first.setdefault(index, self._backward[index])

        setattr(keep, ONLY_READS, True)
        return keep

    def _before_step(self, _: torch.optim.Optimizer, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        self._calls += 1
        closure = any(callable(argument) for argument in (*arguments, *named.values()))  # makes the gradients later
        if self._due(self.count + 1) and not closure:
            self._gradients = self._read_gradients(slopes=True)

    def _step(self) -> None:
        if self.optimizer is not None and self._calls != 1:
            if self._calls == 0:
                self.skipped += 1
                return
            raise ValueError(
                f"step() must follow each optimizer.step(), but {self._calls} of them came since its last call; "
                "every=k observes one step in k."
            )
        self._calls = 0
        self.count += 1
        if self._due(self.count):
            self._observe(self._gradients or self._read_gradients(slopes=False))
        elif self._due(self.count + 1):
            self._look()

    def _due(self, step: int) -> bool:
        return step % self.every == 0

    def _look(self) -> None:
        """The laws and the watched entries, now."""
        self._now = self._forms.values(self._parameters)
        self._watched = self._entries.take_all(list(self._parameters.values()))

    def _read_gradients(self, slopes: bool) -> Gradients:
        """What is kept of the gradients, with their slopes only before the parameters move, and at some steps."""
        gradients = {name: parameter.grad for name, parameter in self._parameters.items()}
        if self.optimizer is None and all(gradient is None for gradient in gradients.values()):
            raise ValueError("no gradient was there at step(): call it before zero_grad(), or give the optimizer.")
        settings = {
            name: setting if gradients[name] is not None else without_gradient(setting)
            for name, setting in read_settings(self.optimizer, self._parameters).items()
        }
        rates = None if self.optimizer is None else {name: setting.rate for name, setting in settings.items()}
        seen = self._ledger.observed
        second, size = self._forms.values(gradients, rates)
        watched = self._entries.take_all([*gradients.values(), *(other.grad for other in self._others)])
        mine, top = watched[: len(gradients)], watched.abs().max()
        read = Gradients(settings, second.masked_fill(self._forms.linear, 0), size, mine, top)
        if not slopes or (seen >= PROBES and seen % PROBE_EVERY):
            return read
        _, plain = self._forms.values(gradients)
        return replace(read, slopes=self._forms.slopes(self._parameters, gradients), bound=plain)

    def _observe(self, gradients: Gradients) -> None:
        """Compare the laws after the step with their prediction."""
        _same(self.module, self._parameters, self._size)
        before, entries = self._now, self._watched
        self._look()
        numbers = range(len(self._parameters))
        first, last = (self._entries.stacked([each.get(i) for i in numbers]) for each in (self._first, self._backward))
        sample = self._entries.sample(entries, self._watched, gradients.watched, first, last)
        self._ledger.enter(self.count, self.every, before, self._now, gradients, sample)
        self._gradients, self._first, self._backward = None, {}, {}
        if self._writer is not None and (self._ledger.full or self._ledger.observed % WRITE_EVERY == 0):
            self.write()
        self._ledger.thin()

    # What is read

    def values(self) -> dict[str, Tensor]:
        """The laws at the last step observed.

        Returns
        -------
        dict of str to torch.Tensor
            For each law, by name, of its shape, on the CPU.

        Examples
        --------
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> monitor = LawMonitor(net, example_input=torch.ones(4, 2))
        >>> {name: value.shape for name, value in monitor.values().items()}
        {'0 -> 2': torch.Size([3])}
        """
        parts = self._ledger.values.cpu().split(self._forms.counts)
        return {law.name: part.reshape(law.shape) for law, part in zip(self.laws, parts, strict=True)}

    def predicted(self) -> dict[str, Tensor]:
        """The laws at the last step observed, as second order predicts them from the values at the start.

        Returns
        -------
        dict of str to torch.Tensor
            For each law, by name, of its shape, on the CPU.

        Examples
        --------
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> optimizer, x = torch.optim.SGD(net.parameters(), lr=0.1), torch.ones(4, 2)
        >>> monitor = LawMonitor.attach(net, optimizer, example_input=x)
        >>> net(x).square().mean().backward()
        >>> optimizer.step()
        >>> all(torch.allclose(monitor.predicted()[name], value) for name, value in monitor.values().items())
        True
        """
        parts = self._ledger.predicted.cpu().split(self._forms.counts)
        return {law.name: part.reshape(law.shape) for law, part in zip(self.laws, parts, strict=True)}

    def history(self) -> History:
        """The laws at the start and at the steps kept: of more than 512, every second one is dropped.

        Returns
        -------
        History
            Plain arrays of shape (laws, steps).

        Examples
        --------
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> LawMonitor(net, example_input=torch.ones(4, 2)).history().steps  # the start alone
        array([0])
        """
        ledger, evidence = self._ledger, self.evidence()
        values = _stacked([ledger.start, *(record.values for record in ledger.records)])
        predicted = _stacked([ledger.start, *(record.predicted for record in ledger.records)])
        rows = (values, values - values[0], predicted - values[0], values - predicted)
        return History(
            tuple(law.name for law in self.laws),
            np.array([0, *(record.step for record in ledger.records)], dtype=np.int64),
            *(evidence.norm(each).T for each in rows),
        )

    def to_frame(self) -> Any:
        """One row for each law and step kept: value, moved, predicted, excess, drift; see ``History``.

        Returns
        -------
        pandas.DataFrame
            With the step and the name of the law in each row.

        Raises
        ------
        ImportError
            Without pandas.

        Examples
        --------
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> LawMonitor(net, example_input=torch.ones(4, 2)).to_frame()[["step", "law", "drift"]]
           step     law  drift
        0     0  0 -> 2    0.0
        """
        return self.history().to_frame()

    def plot(self, ax: Any = None) -> Any:
        """Draw the drifts against the steps, predicted ones dashed.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            On which to draw.

        Returns
        -------
        matplotlib.figure.Figure or matplotlib.axes.Axes
            A new figure, or the axes given.

        Raises
        ------
        ImportError
            Without matplotlib.

        Examples
        --------
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> optimizer, x = torch.optim.SGD(net.parameters(), lr=0.1), torch.ones(4, 2)
        >>> monitor = LawMonitor.attach(net, optimizer, example_input=x)
        >>> net(x).square().mean().backward()
        >>> optimizer.step()
        >>> monitor.plot().axes[0].get_yscale()
        'log'
        """
        return self.history().plot(ax)

    def evidence(self) -> Evidence:
        """All numbers that a diagnosis rests on, on the CPU: here it waits for the device.

        Returns
        -------
        Evidence
            Of the steps kept.

        Examples
        --------
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> LawMonitor(net, example_input=torch.ones(4, 2)).evidence().parameters
        ('0.weight', '0.bias', '2.weight')
        """
        ledger, forms = self._ledger, self._forms
        names = [field.name for field in fields(Sample)]
        samples = {name: _stacked([getattr(record.sample, name) for record in ledger.records]) for name in names}
        steps = max(ledger.observed, 1)
        rounding = 2 * ledger.squares.sqrt() + 4 * (ledger.squares / steps).sqrt()
        return Evidence(
            laws=self.laws,
            owner=forms.owner,
            parameters=tuple(self._parameters),
            units=np.array([torch.finfo(parameter.dtype).eps for parameter in self._parameters.values()]),
            optimizer="" if self.optimizer is None else type(self.optimizer).__name__,
            count=self.count,
            settings=[record.settings for record in ledger.records],
            **samples,
            start=_array(ledger.start),
            values=_array(ledger.values),
            factor=_array(ledger.factor),
            excess=_array(ledger.excess),
            length=_array(ledger.length),
            noise=_array(ledger.noise),
            rounding=_array(rounding),
            budget=_array(ledger.budget),
            resolution=_array(forms.resolution),
            slopes=_stacked([probe.slopes for probe in ledger.probes]),
            bounds=_stacked([probe.bound for probe in ledger.probes]),
            heights=_stacked([probe.heights for probe in ledger.probes]),
        )

    def diagnose(self) -> tuple[Finding, ...]:
        """The causes found for laws that drift more than predicted or that weight decay shrinks; see ``Cause``.

        Returns
        -------
        tuple of Finding
            Empty where nothing is wrong.

        Examples
        --------
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> optimizer, x = torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1), torch.ones(4, 2)
        >>> monitor = LawMonitor.attach(net, optimizer, example_input=x)
        >>> for _ in range(3):
        ...     optimizer.zero_grad()
        ...     (net(x) - 1).square().mean().backward()
        ...     optimizer.step()
        >>> [found.cause.name for found in monitor.diagnose()]
        ['WEIGHT_DECAY']
        """
        return diagnose(self.evidence()) if self._ledger.records else ()

    def report(self) -> str:
        """What happened to the laws, in sentences. Floating point.

        Returns
        -------
        str
            One sentence a line.

        Examples
        --------
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> print(LawMonitor(net, example_input=torch.ones(4, 2)).report())
        1 law watched; no step observed so far.
        """
        if not self._ledger.records:
            return f"{_laws_of(len(self.laws))} watched; no step observed so far."
        evidence, history, ledger = self.evidence(), self.history(), self._ledger
        kept, broken = len(self.laws) - len(evidence.broken), len(evidence.broken)
        worst = int(np.argmax(history.moved[:, -1]))
        said = [
            f"{_laws_of(len(self.laws))} over {self.count} steps, {ledger.observed} of them observed (floating point).",
            f"{kept} drift as second order predicts, up to rounding and the error of gradients; {broken} drift more.",
            f"Largest drift: '{self.laws[worst].name}' by {history.moved[worst, -1]:.3g}, predicted "
            f"{history.predicted[worst, -1]:.3g}, difference {history.excess[worst, -1]:.2g}.",
        ]
        if self.every > 1:
            said.append(f"The prediction is an estimate: one step in {self.every} stands for all.")
        if self.skipped:
            why = "skipped by a GradScaler, or gradients accumulated"
            said.append(f"{self.skipped} calls of step() came without a step of the optimizer ({why}).")
        if infinite := int(ledger.infinite):
            said.append(f"At {infinite} steps observed a gradient was not finite: nothing is predicted for them.")
        return "\n".join([*said, *notes(evidence), *(finding.sentence for finding in diagnose(evidence))])

    def __str__(self) -> str:
        return self.report()

    def _repr_html_(self) -> str:
        history = self.history()
        order = np.argsort(-history.moved[:, -1], kind="stable")[:SHOWN]
        rows = "".join(
            f"<tr><td>{escape(history.laws[law])}</td>"
            + "".join(
                f"<td>{numbers[law, -1]:.4g}</td>"
                for numbers in (history.values, history.moved, history.predicted, history.excess)
            )
            + "</tr>"
            for law in order
        )
        head = "".join(f"<th>{name}</th>" for name in ("law", "|h|", "drift", "predicted", "difference"))
        said = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.report().split("\n"))
        more = f"<p>{len(self.laws) - SHOWN} more laws, with smaller drifts.</p>" if len(self.laws) > SHOWN else ""
        return f"<div>{said}<table><tr>{head}</tr>{rows}</table>{more}</div>"

    def write(self) -> None:
        """Drift, predicted drift and their difference of each law to TensorBoard, for the steps not yet written.

        Examples
        --------
        >>> import torch
        >>> class Printer:
        ...     def add_scalar(self, tag, value, step):
        ...         print(tag, value, step)
        ...
        ...     def flush(self):
        ...         pass
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> optimizer, x = torch.optim.SGD(net.parameters(), lr=0.0), torch.ones(4, 2)
        >>> monitor = LawMonitor.attach(net, optimizer, example_input=x, writer=Printer())
        >>> net(x).sum().backward()
        >>> optimizer.step()
        >>> monitor.write()
        laws/0 -> 2/drift 0.0 1
        laws/0 -> 2/predicted 0.0 1
        """
        if self._writer is None or not self._ledger.records:
            return
        history = self.history()
        for time in np.flatnonzero(history.steps > self._written):
            for law, name in enumerate(history.laws):
                for kind, numbers in (("drift", history.moved), ("predicted", history.predicted)):
                    self._writer.add_scalar(f"laws/{name}/{kind}", float(numbers[law, time]), int(history.steps[time]))
        self._written = int(history.steps[-1])
        self._writer.flush()

    # To resume

    def state_dict(self) -> dict[str, Any]:
        """All that was recorded, as plain data and tensors for ``torch.save``.

        Returns
        -------
        dict
            As ``load_state_dict`` takes it.

        Examples
        --------
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> LawMonitor(net, example_input=torch.ones(4, 2)).state_dict()["count"]
        0
        """
        return {
            "laws": {law.name: list(law.shape) for law in self.laws},
            "count": self.count,
            "skipped": self.skipped,
            "written": self._written,
            **self._ledger.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what another monitor recorded; load the module's parameters first.

        Parameters
        ----------
        state : mapping
            What ``state_dict`` gave.

        Raises
        ------
        ValueError
            If it is of a monitor of other laws.

        Examples
        --------
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> optimizer, x = torch.optim.SGD(net.parameters(), lr=0.1), torch.ones(4, 2)
        >>> first, second = (LawMonitor(net, optimizer, example_input=x) for _ in range(2))
        >>> net(x).sum().backward()
        >>> optimizer.step()
        >>> first.step()
        >>> second.load_state_dict(first.state_dict())
        >>> second.count
        1
        """
        mine = {law.name: list(law.shape) for law in self.laws}
        if state.get("laws") != mine:
            raise ValueError(
                f"the state is of a monitor of other laws: {len(state.get('laws', ()))} of them, here {len(mine)}."
            )
        self.count, self.skipped, self._written = state["count"], state["skipped"], state["written"]
        self._ledger.load_state_dict(state)
        self._gradients, self._first, self._backward, self._calls = None, {}, {}, 0
        self._look()


def _check(module: object, optimizer: object, every: object) -> None:
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, not {type(module).__name__}.")
    if not isinstance(optimizer, torch.optim.Optimizer | None):
        raise TypeError(f"optimizer must be a torch.optim.Optimizer or None, not {type(optimizer).__name__}.")
    if not isinstance(every, int) or isinstance(every, bool) or every < 1:
        raise ValueError(f"every must be an integer of at least 1, not {every!r}.")


def _laws(
    module: nn.Module, given: Sequence[ModuleLaw] | None, example_input: Any, loss: object
) -> tuple[ModuleLaw, ...]:
    if given is None and example_input is None:
        raise ValueError("give the laws to watch, or an example_input to find them with.")
    known = find.laws(module, example_input, loss=loss) if given is None else given
    found = tuple(known)
    if not all(isinstance(law, ModuleLaw) for law in found):
        raise TypeError("laws must be a sequence of ModuleLaw, such as the answer of clexact.torch.laws.")
    if not found:
        why = f" {known.why_none}" if isinstance(known, ModuleLaws) else ""
        raise ValueError(f"no law is known for this {type(module).__name__}: there is nothing to watch.{why}")
    homogeneous = tuple(law for law in found if not law.mixed)
    if not homogeneous:
        raise ValueError("all laws given have sums beside squares: what a step makes of these is not predicted.")
    return homogeneous


def _parameters(module: nn.Module, laws: Sequence[ModuleLaw]) -> dict[str, nn.Parameter]:
    """The parameters of the laws, by name."""
    parameters = parameters_of(laws, module)
    meta = {name: torch.empty(p.shape, device="meta") for name, p in parameters.items()}
    for law in laws:
        try:
            law.value(meta)
        except (RuntimeError, IndexError) as error:
            raise ValueError(f"the law '{law.name}' is of a module whose parameters have other shapes.") from error
    return parameters


def _same(module: nn.Module, parameters: Mapping[str, nn.Parameter], size: int) -> None:
    """Refuse a module whose parameters were exchanged."""
    named = dict(module.named_parameters(remove_duplicate=False))
    if len(named) != size or any(named.get(name) is not parameter for name, parameter in parameters.items()):
        raise ValueError("parameters of the module were added, removed or replaced: make a new LawMonitor.")


def _count(module: nn.Module) -> int:
    return sum(1 for _ in module.named_parameters(remove_duplicate=False))


def _array(tensor: Tensor) -> Floats:
    return np.asarray(tensor.cpu().double())


def _stacked(tensors: Sequence[Tensor]) -> Floats:
    return _array(torch.stack(list(tensors))) if tensors else np.zeros((0, 0))


def _laws_of(count: int) -> str:
    return f"{count} law" if count == 1 else f"{count} laws"
