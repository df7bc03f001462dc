"""``TrainerCallback``: a monitor in Hugging Face's ``Trainer``."""

from __future__ import annotations

from typing import Any

from clexact.support.extras import needed
from clexact.torch.callbacks.watched import Watched
from clexact.torch.monitor import LawMonitor

needed("transformers", "trainer")
from transformers import TrainerCallback as Base  # noqa: E402


class TrainerCallback(Base):  # type: ignore[misc]
    """Watches the laws of the model that a ``transformers.Trainer`` trains.

    Drift and predicted drift of each law go to the logs of the trainer, ``laws/<name>/drift`` and
    ``laws/<name>/predicted``, each time that it writes them. Floating point.

    Parameters
    ----------
    **options : object
        As of ``LawMonitor``: ``laws``, or an ``example_input`` (with ``use_cache=False`` for decoders), and so on.

    Attributes
    ----------
    monitor : LawMonitor or None
        None before training begins; read it after ``train()``.

    Raises
    ------
    ValueError
        Without laws or an example.

    Examples
    --------
    >>> from clexact.torch.callbacks import TrainerCallback  # doctest: +SKIP
    >>> callback = TrainerCallback(example_input={"input_ids": ids, "use_cache": False})  # doctest: +SKIP
    >>> trainer = transformers.Trainer(model, arguments, train_dataset=data, callbacks=[callback])  # doctest: +SKIP
    >>> trainer.train()  # doctest: +SKIP
    >>> print(callback.monitor.report())  # doctest: +SKIP
    """

    def __init__(self, **options: Any) -> None:
        self._watched = Watched(options)

    @property
    def monitor(self) -> LawMonitor | None:
        """The monitor, once training has begun."""
        return self._watched.monitor

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Attach the monitor."""
        self._watched.start(given["model"], [given["optimizer"]])

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **given: Any) -> None:
        """Add the drifts to what is logged, and to the history of the trainer."""
        scalars = self._watched.scalars
        if logs is not None:
            logs.update(scalars)
        if state.log_history:
            state.log_history[-1].update(scalars)

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Remove the hooks."""
        self._watched.stop()
