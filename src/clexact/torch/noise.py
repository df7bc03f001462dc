r"""``noise_ledger``: what stochastic gradients add to each law at a step, on average, and where decay stops it.

Each batch's loss conserves the laws, so $\langle\nabla h(\theta), g\rangle = 0$ for its gradient g, and a step of SGD
with weight decay, $\theta^+ = (1 - \eta\lambda)\theta - \eta g$, changes a quadratic law $h = \theta^\top A\theta$ by

$$h(\theta^+) = (1 - \eta\lambda)^2 h(\theta) + \eta^2 h(g), \qquad
E\,h(g) = h(\nabla L) + \operatorname{tr} A\Sigma,$$

exactly: $\nabla L = E\,g$, and $\Sigma$ is the covariance of g over the batches. A linear law only shrinks, by
$1 - \eta\lambda$: noise does not move it. Floating point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn

from clexact.support.display import counted
from clexact.support.extras import needed
from clexact.torch.forms import Forms
from clexact.torch.law import ModuleLaw, parameters_of
from clexact.torch.trace import unwrapped

Named = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class NoiseLedger:
    r"""The expected change of each law at one step of SGD, from where the module stands. Floating point.

    Each field but ``laws``, ``rate``, ``decay`` and ``batches`` has a tensor for each law, by name, of its shape.

    Attributes
    ----------
    laws : tuple of ModuleLaw
        The laws.
    rate : float
        The learning rate :math:`\eta`.
    decay : float
        The weight decay :math:`\lambda`.
    batches : int
        How many gradients were measured.
    values : dict of str to torch.Tensor
        h.
    signal : dict of str to torch.Tensor
        h of the mean gradient: what a step on all data adds, over :math:`\eta^2`; 0 for a linear law.
    noise : dict of str to torch.Tensor
        :math:`\operatorname{tr} A\Sigma`: what the batches add to that; 0 for a linear law.
    error : dict of str to torch.Tensor
        Standard error of the mean of h(g) by the choice of batches; 0 if they are all that there are.

    Examples
    --------
    >>> import torch
    >>> from clexact.torch import laws
    >>> _ = torch.manual_seed(0)
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> batches = [torch.randn(4, 2) for _ in range(8)]
    >>> found = noise_ledger(net, batches, lambda net, x: net(x).square().mean(), laws(net, batches[0]), rate=0.1)
    >>> found.drift["0 -> 2"].shape
    torch.Size([3])
    """

    laws: tuple[ModuleLaw, ...]
    rate: float
    decay: float
    batches: int
    values: Named
    signal: Named
    noise: Named
    error: Named

    @property
    def drift(self) -> Named:
        r"""The expected change at a step: :math:`((1-\eta\lambda)^2-1)h+\eta^2(h(\nabla L)+\operatorname{tr}A\Sigma)`.

        Returns
        -------
        dict of str to torch.Tensor
            For each law, by name.

        Examples
        --------
        >>> import torch
        >>> from clexact.torch import laws
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> batches = [torch.ones(4, 2), torch.zeros(4, 2)]
        >>> known = laws(net, batches[0], certify=False)
        >>> found = noise_ledger(net, batches, lambda net, x: net(x).square().mean(), known, rate=0.1, decay=0.1)
        >>> found.drift["0 -> 2"].shape
        torch.Size([3])
        """
        return self.after(1)

    def after(self, steps: int) -> Named:
        """The expected change in so many steps, were the gradients to stay as they are.

        Parameters
        ----------
        steps : int
            How many.

        Returns
        -------
        dict of str to torch.Tensor
            For each law, by name.

        Raises
        ------
        ValueError
            For a number below 1.

        Examples
        --------
        >>> import torch
        >>> from clexact.torch import laws
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> batches = [torch.ones(4, 2), torch.zeros(4, 2)]
        >>> known = laws(net, batches[0], certify=False)
        >>> found = noise_ledger(net, batches, lambda net, x: net(x).square().mean(), known, rate=0.1, decay=0.1)
        >>> found.after(10)["0 -> 2"].shape
        torch.Size([3])
        """
        if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
            raise ValueError(f"steps must be an integer of at least 1, not {steps!r}.")
        changes = {}
        for law in self.laws:
            factor = (1 - self.rate * self.decay) ** law.degree
            added = self.rate**2 * (self.signal[law.name] + self.noise[law.name])
            total = steps if factor == 1 else (1 - factor**steps) / (1 - factor)
            changes[law.name] = (factor**steps - 1) * self.values[law.name] + total * added
        return changes

    @property
    def equilibrium(self) -> Named:
        r"""Where decay and noise meet, as the gradients are now: :math:`\eta E h(g)/(\lambda(2-\eta\lambda))`.

        Returns
        -------
        dict of str to torch.Tensor
            For each law, by name; empty without weight decay, where there is none.

        Examples
        --------
        >>> import torch
        >>> from clexact.torch import laws
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> batches = [torch.ones(4, 2), torch.zeros(4, 2)]
        >>> known = laws(net, batches[0], certify=False)
        >>> found = noise_ledger(net, batches, lambda net, x: net(x).square().mean(), known, rate=0.1, decay=0.1)
        >>> found.equilibrium["0 -> 2"].shape
        torch.Size([3])
        """
        if not self.decay:
            return {}
        share = self.rate / (self.decay * (2 - self.rate * self.decay))
        return {law.name: share * (self.signal[law.name] + self.noise[law.name]) for law in self.laws}

    def to_frame(self) -> Any:
        """One row a law, with norms over its numbers, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            With value, signal, noise, drift, error (of the drift) and equilibrium.

        Raises
        ------
        ImportError
            Without pandas.

        Examples
        --------
        >>> import torch
        >>> from clexact.torch import laws
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> batches = [torch.ones(4, 2), torch.zeros(4, 2)]
        >>> known = laws(net, batches[0], certify=False)
        >>> found = noise_ledger(net, batches, lambda net, x: net(x).square().mean(), known, rate=0.1, decay=0.1)
        >>> found.to_frame()["law"].tolist()
        ['0 -> 2']
        """
        columns = ["law", "value", "signal", "noise", "drift", "error", "equilibrium"]
        return needed("pandas", "frame").DataFrame(list(self._rows()), columns=columns)

    def _rows(self) -> Iterator[tuple[str, float, float, float, float, float, float]]:
        drift, rest = self.drift, self.equilibrium
        for law in self.laws:
            name = law.name
            parts = [each[name].norm().item() for each in (self.values, self.signal, self.noise, drift)]
            error = self.rate**2 * self.error[name].norm().item()
            yield (name, parts[0], parts[1], parts[2], parts[3], error, rest[name].norm().item() if rest else 0.0)

    def __str__(self) -> str:
        lines = [
            f"{counted(len(self.laws), 'law')} under SGD with learning rate {self.rate:g} and weight decay "
            f"{self.decay:g}, from {self.batches} batches (floating point; norms over the numbers "
            "of a law)."
        ]
        for name, value, signal, noise, drift, error, rest in self._rows():
            said = f"  {name}: |h| {value:.3g}; h of the mean gradient {signal:.3g}, noise {noise:.3g}; "
            said += f"a step moves it by {drift:.3g} (standard error {error:.1g})"
            lines.append(said + (f"; at rest at {rest:.3g}" if self.decay else ""))
        return "\n".join(lines)


def noise_ledger(
    module: nn.Module,
    batches: Iterable[Any],
    loss: Callable[[nn.Module, Any], Tensor],
    laws: Sequence[ModuleLaw] | Iterable[ModuleLaw],
    *,
    rate: float,
    decay: float = 0.0,
    every: bool = False,
    seed: int = 0,
) -> NoiseLedger:
    r"""The expected drift of each law under SGD, measured from the gradients of single batches at the present weights.

    Parameters and buffers of the module stay as they are, and so do its gradients.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    batches : iterable
        At least two, as the training draws them.
    loss : callable
        Of the module and a batch: the loss that is minimised, a tensor of one number.
    laws : sequence of ModuleLaw
        Such as ``clexact.torch.laws`` finds.
    rate : float
        The learning rate.
    decay : float
        The weight decay, coupled as in ``torch.optim.SGD``.
    every : bool
        Whether these are all batches that are ever drawn, each as likely: then the mean is exact and not an estimate.
    seed : int
        Of what the module draws, such as dropout.

    Returns
    -------
    NoiseLedger
        The parts of the drift, law by law.

    Raises
    ------
    TypeError
        For a module that is none, or a loss that is no single number.
    ValueError
        For fewer than two batches, no laws, or a rate or decay that is not a number of at least 0.

    References
    ----------
    .. [1] D. Kunin et al., Neural mechanics, arXiv 2012.04728, for the drift in continuous time.

    Examples
    --------
    >>> import torch
    >>> from clexact.torch import laws
    >>> _ = torch.manual_seed(0)
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1)).double()
    >>> batches = [torch.randn(1, 2).double() for _ in range(50)]
    >>> known = laws(net, batches[0], certify=False)
    >>> found = noise_ledger(net, batches, lambda net, x: (net(x) - 1).square().mean(), known, rate=0.1, every=True)
    >>> bool(found.noise["0 -> 1"].diagonal().abs().max() > 0)
    True
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, not {type(module).__name__}.")
    for name, number in (("rate", rate), ("decay", decay)):
        if isinstance(number, bool) or not isinstance(number, int | float) or not isfinite(number) or number < 0:
            raise ValueError(f"{name} must be a number of at least 0, not {number!r}.")
    module, known = unwrapped(module), tuple(laws)
    if not known:
        raise ValueError("there is no law to keep books of.")
    parameters = parameters_of(known, module)
    forms = Forms(known, parameters)
    with _undisturbed(module, seed):
        count, mean, square, of_mean = _measured(module, batches, loss, parameters, forms)
    spread = (mean - of_mean).masked_fill(forms.linear, 0)
    of_mean, mean = (each.masked_fill(forms.linear, 0) for each in (of_mean, mean))
    variance = (square - mean**2).clamp(min=0).masked_fill(forms.linear, 0)
    noise = spread if every else spread * count / (count - 1)
    error = torch.zeros_like(variance) if every else (variance / (count - 1)).sqrt()
    parts = (forms.values(parameters)[0], mean - noise, noise, error)
    return NoiseLedger(known, float(rate), float(decay), count, *(_named(forms, each) for each in parts))


def _measured(
    module: nn.Module, batches: Iterable[Any], loss: Callable[[nn.Module, Any], Tensor],
    parameters: dict[str, nn.Parameter], forms: Forms,
) -> tuple[int, Tensor, Tensor, Tensor]:  # fmt: skip
    """How many batches; the means of h(g) and of its square; h of the mean gradient."""
    moving = {name: parameter for name, parameter in parameters.items() if parameter.requires_grad}
    count, total, squares = 0, 0.0, 0.0
    sums: dict[str, Tensor | None] = dict.fromkeys(parameters)
    for batch in batches:
        value = loss(module, batch)
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise TypeError("loss must return a tensor of one number.")
        found = torch.autograd.grad(value.reshape(()), list(moving.values()), allow_unused=True)
        gradients: dict[str, Tensor | None] = {**dict.fromkeys(parameters), **dict(zip(moving, found, strict=True))}
        h, _ = forms.values(gradients)
        count, total, squares = count + 1, total + h, squares + h**2
        for name, gradient in gradients.items():
            before = sums[name]
            if gradient is not None:
                wide = (gradient.to_dense() if gradient.is_sparse else gradient).to(forms.real)
                sums[name] = wide if before is None else before + wide
    if count < 2:
        raise ValueError(f"at least 2 batches are needed to see noise, not {count}.")
    mean, square = (torch.as_tensor(each) / count for each in (total, squares))
    of_mean, _ = forms.values({name: None if each is None else each / count for name, each in sums.items()})
    return count, mean, square, of_mean


@contextmanager
def _undisturbed(module: nn.Module, seed: int) -> Iterator[None]:
    """Random draws from a seed, and buffers (statistics of batch norms) put back."""
    kept = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
    try:
        with torch.random.fork_rng(), torch.enable_grad():
            torch.manual_seed(seed)
            yield
    finally:
        with torch.no_grad():
            for buffer, before in kept:
                buffer.copy_(before)


def _named(forms: Forms, numbers: Tensor) -> Named:
    parts = numbers.detach().cpu().split(forms.counts)
    return {law.name: part.reshape(law.shape) for law, part in zip(forms.laws, parts, strict=True)}
