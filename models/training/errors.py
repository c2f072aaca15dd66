"""Errors of a training run, with messages that say why it stopped and what to do."""

from __future__ import annotations


class TrainingError(RuntimeError):
    """A training run that cannot start or continue; the message says why and what to do."""


class NonFiniteLossError(TrainingError):
    """The training loss became NaN or infinite.

    Attributes:
        epoch, step: epoch and step of the first such loss, counted from 1.
        ids: names of the images in that batch.
    """

    def __init__(self, message: str, epoch: int, step: int, ids: list[str]) -> None:
        super().__init__(message)
        self.epoch, self.step, self.ids = epoch, step, ids


class Interrupted(Exception):  # noqa: N818  (not an error: the user stopped the run)
    """Ctrl-C or SIGTERM; the run folder holds a usable checkpoint."""
