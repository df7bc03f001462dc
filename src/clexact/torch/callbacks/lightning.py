"""``LightningCallback``: a monitor in Lightning's ``Trainer``."""

from __future__ import annotations

from typing import Any

from clexact.support.extras import needed
from clexact.torch.callbacks.watched import Watched
from clexact.torch.monitor import LawMonitor

needed("lightning", "lightning")
from lightning.pytorch import Callback  # noqa: E402


class LightningCallback(Callback):  # type: ignore[misc]
    """Watches the laws of the module that a ``lightning.Trainer`` trains, with all of its optimizers.

    Every ``log_every`` batches drift and predicted drift of each law go to the loggers, ``laws/<name>/drift`` and
    ``laws/<name>/predicted``. What was recorded goes into the checkpoints. Floating point.

    Parameters
    ----------
    log_every : int
        Batches between two entries in the log.
    **options : object
        As of ``LawMonitor``: ``laws``, or an ``example_input``, and so on. They are of the LightningModule itself.

    Attributes
    ----------
    monitor : LawMonitor or None
        None before training begins; read it after ``fit()``.

    Raises
    ------
    ValueError
        Without laws or an example, or with ``log_every`` below 1.

    Examples
    --------
    >>> from clexact.torch.callbacks import LightningCallback  # doctest: +SKIP
    >>> callback = LightningCallback(example_input=torch.randn(4, 3))  # doctest: +SKIP
    >>> lightning.Trainer(max_epochs=1, callbacks=[callback]).fit(module, loader)  # doctest: +SKIP
    >>> print(callback.monitor.report())  # doctest: +SKIP
    """

    def __init__(self, *, log_every: int = 50, **options: Any) -> None:
        if not isinstance(log_every, int) or isinstance(log_every, bool) or log_every < 1:
            raise ValueError(f"log_every must be an integer of at least 1, not {log_every!r}.")
        self.log_every = log_every
        self._watched = Watched(options)

    @property
    def monitor(self) -> LawMonitor | None:
        """The monitor, once training has begun."""
        return self._watched.monitor

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Attach the monitor."""
        self._watched.start(pl_module, trainer.optimizers)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Log the drifts."""
        if (batch_idx + 1) % self.log_every == 0:
            pl_module.log_dict(self._watched.scalars)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Remove the hooks."""
        self._watched.stop()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Remove the hooks."""
        self._watched.stop()

    def state_dict(self) -> dict[str, Any]:
        """What was recorded, for a checkpoint."""
        return {} if self.monitor is None else self.monitor.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from it once training begins."""
        self._watched.recorded = state_dict or None
