"""Progress of a training run: a bar in the terminal, and a "progress" event every two seconds."""

from __future__ import annotations

import time
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from .events import first_process
from .run_folder import RunFolder

_SECONDS_BETWEEN_EVENTS = 2.0


class ProgressReport:
    """Context manager that shows and logs the progress of a training run.

    Args:
        folder: the run folder, whose events are written.
        epochs: number of epochs of the training run.
        steps: number of steps in an epoch.
    """

    def __init__(self, folder: RunFolder, epochs: int, steps: int) -> None:
        self.folder, self.epochs, self.steps = folder, epochs, steps
        words, numbers = TextColumn("{task.description}"), TextColumn("{task.fields[text]}")
        left = TimeRemainingColumn(elapsed_when_finished=True)
        hidden = folder.epochs >= epochs or not first_process()
        self._bar = Progress(words, BarColumn(), numbers, left, disable=hidden)
        self._task = self._bar.add_task("", total=epochs * steps, completed=folder.epochs * steps, text="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def print(self, line: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(line)

    def start_epoch(self, epoch: int, best: float) -> None:
        """Begin an epoch, counted from 1; `best`: the best validation accuracy so far, negative before the first."""
        self._epoch, self._best, self._logged = epoch, "none yet" if best < 0 else f"{best:.1%}", time.monotonic()
        self._bar.update(self._task, description=f"epoch {epoch}/{self.epochs}")

    def step(self, step: int, means: tuple[float, float] | None) -> None:
        """After a step, counted from 1; `means`: training loss and accuracy so far, None where not computed."""
        self._bar.update(self._task, advance=1)
        if means is None:
            return
        self._show(*means)
        if time.monotonic() - self._logged > _SECONDS_BETWEEN_EVENTS:
            at = {"epoch": self._epoch, "step": step, "steps": self.steps}
            self.folder.log("progress", **at, loss=means[0], accuracy=means[1])
            self._logged = time.monotonic()

    def end_epoch(self, loss: float, accuracy: float, best: float) -> None:
        """Show an epoch's training loss and accuracy, and the best validation accuracy after it."""
        self._best = f"{best:.1%}"
        self._show(loss, accuracy)

    def _show(self, loss: float, accuracy: float) -> None:
        text = f"loss {loss:.3f}  accuracy {accuracy:.1%}  best validation {self._best}"
        self._bar.update(self._task, text=text)
