"""`RunFolder`: the files of a run: configuration, events, history, resumable state, and the best epoch's checkpoint."""

from __future__ import annotations

import dataclasses
import hashlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from ..checkpoints import half_precision, read_card, save_checkpoint, write_card
from ..datasets.splits import Parts
from ..files import write_bytes
from . import resume
from .config import TrainConfig, read_config, write_config
from .errors import TrainingError
from .events import EventLog, first_process
from .history import FILE as HISTORY
from .history import write_history
from .lock import locked
from .resume import RunState


class RunFolder:
    """The folder of one run; every file is written beside its place and renamed, by the first of several processes.

    Args:
        config: configuration of the run; names the folder.
        parts: the images, by whose fingerprint a resumed run is checked.

    Attributes:
        path: the folder.
        epochs: complete epochs that it holds.
        log_path: path of its `events.jsonl`.
    """

    def __init__(self, config: TrainConfig, parts: Parts) -> None:
        self.config, self.data, self.path, self.epochs = config, parts.fingerprint, config.folder, 0
        self._excluded = parts.excluded.fingerprint if parts.excluded else None
        self.log_path = self.path / "events.jsonl"
        self._teacher = _digest(config.teacher or config.start_from) if config.distillation else None
        self._log, self._lock = EventLog(self.log_path), ExitStack()
        self._curves: Any = None  # TensorBoard's SummaryWriter
        self._seconds_before, self._has_checkpoint = 0.0, False

    def open(self) -> dict[str, Any] | None:
        """Lock the folder; the facts of the run to resume (`resume.load_facts`), or None for a new run.

        Raises:
            TrainingError: the folder holds another run or a checkpoint without a run, or another process trains in it.
            ValueError: its state is damaged.
        """
        no_run = not (self.path / resume.FILE).is_file() and not self.log_path.is_file()
        if no_run and (self.path / "card.json").is_file():
            raise TrainingError(f"{self.path} holds a checkpoint but no training run. Choose another --out.")
        self._lock.enter_context(locked(self.path))
        try:
            if not (self.path / resume.FILE).is_file():
                write_config(self.path, self.config)
                return None
            return self._facts_to_resume()
        except BaseException:
            self._lock.close()
            raise

    def _facts_to_resume(self) -> dict[str, Any]:
        if not self.config.resume:
            raise TrainingError(f"{self.path} already holds a run. Add --resume to continue it, or choose --out.")
        facts = resume.load_facts(self.path)
        # A field that is newer than the run has its default, which leaves the curve as it was.
        _must_agree(TrainConfig().curve() | facts["curve"], self.config.curve(), self.path)
        if facts["data"] != self.data:
            raise TrainingError(
                f"The run in {self.path} cannot be resumed: {self.config.data} does not hold the images, labels and "
                f"split that it was trained with. Give that dataset by --data{self._data_before()}, or choose another "
                "--out."
            )
        if facts.get("excluded") != self._excluded:
            raise TrainingError(
                f"The run in {self.path} cannot be resumed: the exclusion list {self.config.exclude} has changed. "
                "Restore it, or choose another --out."
            )
        if facts.get("teacher", self._teacher) != self._teacher:
            raise TrainingError(
                f"The run in {self.path} cannot be resumed: the weights of its teacher, "
                f"{self.config.teacher or self.config.start_from}, have changed. Restore them, or choose another --out."
            )
        self.epochs, self._seconds_before = len(facts["history"]), facts["seconds"]
        self._has_checkpoint = self.epochs > 0
        threads = torch.get_num_threads()
        if facts["threads"] != threads and first_process():
            print(f"The run used {facts['threads']} threads, now {threads}: the curve may differ in the last digits.")
        return facts

    def _data_before(self) -> str:
        """The dataset that the folder's configuration names, in brackets; empty where it names the same or none."""
        try:
            before = read_config(self.path).data
        except ValueError:
            return ""
        return "" if before == self.config.data else f" ({before})"

    def start(self, state: RunState) -> None:
        """Log that the run starts or resumes."""
        if self.config.tensorboard and first_process():
            self._curves = _tensorboard(self.path / "tensorboard")
        self.log("resumed" if self.epochs else "started", epoch=self.epochs, device=state.card.device)

    def log(self, event: str, **values: Any) -> None:
        """Append an event (`events.Event`)."""
        if first_process():
            self._log.write(event, **values)

    def write_epoch(self, state: RunState) -> None:
        """Write what the last epoch changed; the checkpoint only if it is the best epoch so far."""
        row = state.history[-1]
        self.epochs = len(state.history)
        if not first_process():
            return
        if state.best["epoch"] == row["epoch"]:
            self._write_checkpoint(state)
        else:  # the weights stay, the counts of epochs and seconds grow
            write_card(self.path, dataclasses.replace(read_card(self.path), **self._effort(state)))
        if self.config.keep_epochs:
            weights = safetensors.torch.save(half_precision(state.evaluated))
            write_bytes(self.path / "epochs" / f"{row['epoch']}.safetensors", weights)
        write_history(self.path / HISTORY, state.history)
        resume.save_state(self.path, state, self._facts(state))
        if self._curves:
            for name, value in row.items():
                if name != "epoch":
                    self._curves.add_scalar(name, value, row["epoch"])
        self.log("epoch", **row)

    def write_checkpoint_if_missing(self, state: RunState) -> None:
        """Write a checkpoint of the current weights where no epoch has written one."""
        if not self._has_checkpoint and first_process():
            self._write_checkpoint(state)

    def close(self) -> None:
        """Release the lock; to be called after the last event."""
        if self._curves:
            self._curves.close()
        self._lock.close()

    def _write_checkpoint(self, state: RunState) -> None:
        card = dataclasses.replace(state.card, best_epoch=int(state.best["epoch"]), **self._effort(state))
        (self.path / "predictions.npz").unlink(missing_ok=True)  # of earlier weights
        save_checkpoint(self.path, state.evaluated, card)
        self._has_checkpoint = True

    def _seconds(self, state: RunState) -> float:
        return self._seconds_before + state.seconds

    def _effort(self, state: RunState) -> dict[str, int]:
        return {"epochs": len(state.history), "wall_seconds": round(self._seconds(state))}

    def _facts(self, state: RunState) -> dict[str, Any]:
        return {
            "curve": self.config.curve(),
            "data": self.data,
            "excluded": self._excluded,
            "teacher": self._teacher,
            "precision": state.card.precision,
            "device": state.device,
            "threads": torch.get_num_threads(),
            "seconds": round(self._seconds(state), 1),
            "best": state.best,
            "history": list(state.history),
            "schedule": state.schedule,
        }


def _digest(folder: Path | None) -> str | None:
    """SHA-256 of a checkpoint's weights; None where there are none, which `targets` reports."""
    path = folder and folder / "model.safetensors"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path and path.is_file() else None


def _must_agree(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    differ = [f"{key} was {before.get(key)}, is {now.get(key)}" for key in now if before.get(key) != now.get(key)]
    if differ:
        raise TrainingError(
            f"The run in {folder} cannot be resumed: {'; '.join(differ)}. Use the original values, or choose another "
            f"--out; --start-from {folder} starts a new run with its weights."
        )


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError(
            'tensorboard=True, but TensorBoard is not installed: pip install -e ".[tensorboard]", or leave it out.'
        ) from error
    return SummaryWriter(folder)
