"""``LawMonitor``: watch the laws of a PyTorch module while it trains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from html import escape
from os import PathLike
from textwrap import TextWrapper
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clexact.support.listed import number_of
from clexact.torch import find
from clexact.torch.diagnosis import Finding, diagnose, notes
from clexact.torch.evidence import Evidence
from clexact.torch.history import Floats, History, open_writer
from clexact.torch.law import ModuleLaw
from clexact.torch.laws import ModuleLaws
from clexact.torch.ledger import Ledger
from clexact.torch.observer import Observer, as_optimizers
from clexact.torch.sample import Sample
from clexact.torch.trace import unwrapped

WRITE_EVERY = 64  # observed steps between two visits to the TensorBoard writer
NARROWEST = 20  # lines of a report
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
    optimizer : torch.optim.Optimizer or sequence of them, optional
        All that train the module. None: the step size is measured, and the gradients must still be there at ``step()``.
    laws : sequence of ModuleLaw, optional
        What is watched; default: what ``clexact.torch.laws`` finds. Those with sums beside squares (``law.mixed``)
        are left out.
    example_input : torch.Tensor, tuple or dict
        For ``clexact.torch.laws``, if no laws are given.
    loss : {"mse", "cross_entropy"}, optional
        Likewise.
    class_axis : int, optional
        Likewise.
    approximate : bool
        Whether laws are watched that hold but for the eps of a normalisation, too.
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
        optimizer: torch.optim.Optimizer | Sequence[torch.optim.Optimizer] | None = None,
        *,
        laws: Sequence[ModuleLaw] | ModuleLaws | None = None,
        example_input: Any = None,
        loss: object = None,
        class_axis: int | None = None,
        approximate: bool = False,
        every: int = 1,
        writer: Any | str | PathLike[str] | None = None,
        seed: int = 0,
    ) -> None:
        self.optimizers = as_optimizers(optimizer)
        _check(module, approximate, every)
        self.module, self.every = unwrapped(module), every
        if self.optimizers and not any(find.holds_any(each, self.module) for each in self.optimizers):
            raise ValueError("the optimizer holds no parameter of the module.")
        if laws is None and example_input is not None:
            laws = find.laws(self.module, example_input, loss=loss, class_axis=class_axis)
        self.laws, self._nearly = _laws(self.module, laws, approximate)
        averaged = isinstance(module, nn.parallel.DistributedDataParallel)  # gradients, after backward() is seen
        self._observer = Observer(self.module, self.optimizers, self.laws, every, seed, averaged)
        self._writer = None if writer is None else open_writer(writer)
        self._written = 0  # last step written
        self._attached = False

    @classmethod
    def attach(
        cls, module: nn.Module, optimizer: torch.optim.Optimizer | Sequence[torch.optim.Optimizer], **options: Any
    ) -> LawMonitor:
        """A monitor whose ``step()`` the optimizer itself calls after each step, until ``close()``.

        Of several optimizers a round is observed before the next one begins, or when results are read.

        Parameters
        ----------
        module : torch.nn.Module
            The module that is trained.
        optimizer : torch.optim.Optimizer or sequence of them
            All that train it.
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
        if not as_optimizers(optimizer):
            raise TypeError("attach needs the optimizer, not None.")
        monitor = cls(module, optimizer, **options)
        monitor._attached = True
        if len(monitor.optimizers) > 1:
            monitor._observer.round_over = monitor._step
        else:
            post = monitor.optimizers[0].register_step_post_hook(lambda *_: monitor._step())
            monitor._observer.handles.append(post)
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
        self._observer.close()

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

    def _step(self) -> None:
        if self._observer.step():
            if self._writer is not None and (self._ledger.full or self._ledger.observed % WRITE_EVERY == 0):
                self.write()
            self._ledger.thin()

    def _catch_up(self) -> None:
        """Observe the round that is over but for the next one, where there are several optimizers."""
        if self._attached and len(self.optimizers) > 1 and all(self._observer.calls.values()):
            self._step()

    @property
    def count(self) -> int:
        """Steps of the optimizer so far."""
        return self._observer.count

    @property
    def skipped(self) -> int:
        """Calls of ``step()`` before which the optimizer made no step."""
        return self._observer.skipped

    @property
    def _ledger(self) -> Ledger:
        return self._observer.ledger

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
        self._catch_up()
        parts = self._ledger.values.cpu().split(self._observer.forms.counts)
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
        self._catch_up()
        parts = self._ledger.predicted.cpu().split(self._observer.forms.counts)
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
        evidence, ledger = self.evidence(), self._ledger
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
        self._catch_up()
        ledger, forms = self._ledger, self._observer.forms
        names = [field.name for field in fields(Sample)]
        samples = {name: _stacked([getattr(record.sample, name) for record in ledger.records]) for name in names}
        steps = max(ledger.observed, 1)
        rounding = 2 * ledger.squares.sqrt() + 4 * (ledger.squares / steps).sqrt()
        return Evidence(
            laws=self.laws,
            owner=forms.owner,
            parameters=tuple(self._observer.parameters),
            units=np.array([torch.finfo(parameter.dtype).eps for parameter in self._observer.parameters.values()]),
            optimizer=" and ".join(dict.fromkeys(type(each).__name__ for each in self.optimizers)),
            nearly=self._nearly,
            carried=int(self._observer.carried),
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
        evidence = self.evidence()
        return diagnose(evidence) if self._ledger.records else ()

    def report(self, width: int | None = 80) -> str:
        """What happened to the laws, in sentences. Floating point.

        Parameters
        ----------
        width : int, optional
            Most columns of a line, which only a name may exceed. None: one paragraph a line.

        Returns
        -------
        str
            Paragraphs, each from a new line; what goes on in the next line is indented.

        Raises
        ------
        ValueError
            For a width that is no integer of at least 20.

        Examples
        --------
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> print(LawMonitor(net, example_input=torch.ones(4, 2)).report())
        1 law watched; no step observed so far.
        """
        if width is None:
            return "\n".join(self._sentences())
        if not isinstance(width, int) or width < NARROWEST:
            raise ValueError(f"width must be an integer of at least {NARROWEST}, or None, not {width!r}.")
        fill = TextWrapper(width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False).fill
        return "\n".join(map(fill, self._sentences()))

    def _sentences(self) -> list[str]:
        evidence, history, ledger = self.evidence(), self.history(), self._ledger
        missed = [] if self._attached or self._observer.pending < 2 else [self._forgotten]
        if not ledger.records:
            return [f"{number_of(len(self.laws), 'law')} watched; no step observed so far.", *missed, *self._waiting]
        kept, broken = len(self.laws) - len(evidence.broken), len(evidence.broken)
        worst = int(np.argmax(history.moved[:, -1]))
        said = [
            f"{number_of(len(self.laws), 'law')} over {self.count} steps, {ledger.observed} of them observed "
            "(floating point).",
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
        return [*said, *missed, *notes(evidence), *map(str, diagnose(evidence))]

    @property
    def _forgotten(self) -> str:
        """Of steps without ``step()``."""
        return (
            f"The optimizer made {self._observer.pending} steps since the last call of step(): call it after each "
            "optimizer.step(), or make the monitor by LawMonitor.attach, which needs no call."
        )

    @property
    def _waiting(self) -> list[str]:
        """Of gradients that no step used."""
        passes = self._observer.backwards
        if passes < 2 or self.count:
            return []
        return [
            f"backward() ran {passes} times, and the optimizer given made no step: call optimizer.step(), unless "
            "gradients are being accumulated."
            if self.optimizers
            else f"backward() ran {passes} times: call step() of this monitor after each optimizer.step()."
        ]

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
        said = "".join(f"<p>{escape(sentence)}</p>" for sentence in self._sentences())
        more = f"<p>{len(self.laws) - SHOWN} more laws, with smaller drifts.</p>" if len(self.laws) > SHOWN else ""
        return f"<div>{said}<table><tr>{head}</tr>{rows}</table>{more}</div>"

    def scalars(self) -> dict[str, float]:
        """Drift and predicted drift of each law at the last step kept, by the tag that they have in a log.

        Returns
        -------
        dict of str to float
            ``laws/<name>/drift`` and ``laws/<name>/predicted``; empty before the first step.

        Examples
        --------
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> optimizer, x = torch.optim.SGD(net.parameters(), lr=0.0), torch.ones(4, 2)
        >>> monitor = LawMonitor.attach(net, optimizer, example_input=x)
        >>> net(x).sum().backward()
        >>> optimizer.step()
        >>> monitor.scalars()
        {'laws/0 -> 2/drift': 0.0, 'laws/0 -> 2/predicted': 0.0}
        """
        history = self.history()
        return dict(_tagged(history, -1)) if self._ledger.records else {}

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
            for tag, number in _tagged(history, int(time)):
                self._writer.add_scalar(tag, number, int(history.steps[time]))
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
            "written": self._written,
            **self._observer.state_dict(),
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
        self._written = state["written"]
        self._observer.load_state_dict(state)


def _check(module: object, approximate: object, every: object) -> None:
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, not {type(module).__name__}.")
    if not isinstance(approximate, bool):
        raise TypeError(f"approximate must be True or False, not {approximate!r}.")
    if not isinstance(every, int) or isinstance(every, bool) or every < 1:
        raise ValueError(f"every must be an integer of at least 1, not {every!r}.")


def _laws(
    module: nn.Module, known: Sequence[ModuleLaw] | ModuleLaws | None, approximate: bool
) -> tuple[tuple[ModuleLaw, ...], frozenset[str]]:
    """What is watched, and the names of those that hold but for an eps."""
    if known is None:
        raise ValueError("give the laws to watch, or an example_input to find them with.")
    if not all(isinstance(law, ModuleLaw) for law in known):
        raise TypeError("laws must be a sequence of ModuleLaw, such as the answer of clexact.torch.laws.")
    if approximate and not isinstance(known, ModuleLaws):
        raise TypeError("approximate=True takes the laws as clexact.torch.laws gives them, or finds them.")
    nearly: tuple[ModuleLaw, ...] = ()
    if approximate and isinstance(known, ModuleLaws):
        nearly = tuple(law for law, _ in known.approximate)
    found: tuple[ModuleLaw, ...] = (*known, *nearly)
    if not found:
        why = f" {known.why_none}" if isinstance(known, ModuleLaws) else ""
        raise ValueError(f"no law is known for this {type(module).__name__}: there is nothing to watch.{why}")
    homogeneous = tuple(law for law in found if not law.mixed)
    if not homogeneous:
        raise ValueError("all laws given have sums beside squares: what a step makes of these is not predicted.")
    return homogeneous, frozenset(law.name for law in nearly)


def _tagged(history: History, time: int) -> Iterator[tuple[str, float]]:
    """Drift and predicted drift of each law at one of the steps kept, with their tags."""
    for law, name in enumerate(history.laws):
        yield f"laws/{name}/drift", float(history.moved[law, time])
        yield f"laws/{name}/predicted", float(history.predicted[law, time])


def _array(tensor: Tensor) -> Floats:
    return np.asarray(tensor.cpu().double())


def _stacked(tensors: Sequence[Tensor]) -> Floats:
    return _array(torch.stack(list(tensors))) if tensors else np.zeros((0, 0))
