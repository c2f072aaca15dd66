"""What a run leaves in its folder: configuration, events, history, what `resume` needs, the best epoch's checkpoint."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch

from ..checkpoints import Card, half_precision, read_card, save_checkpoint, write_card
from ..files import write_bytes
from . import resume
from .config import TrainConfig, read_config, write_config
from .events import EventLog, first_process
from .history import FILE as HISTORY
from .history import write_history
from .lock import locked
from .setup import TrainingError

if TYPE_CHECKING:
    from .engine import Run


class RunFolder:
    """The folder of one run; every file appears whole or not at all, and only the first of several processes writes.

    Args:
        config: of the run; names the folder.
        data: fingerprint of the set and its split.
    """

    def __init__(self, config: TrainConfig, data: str) -> None:
        self.config, self.data, self.folder = config, data, config.folder
        self.teacher = _digest(config.teacher or config.start_from) if config.distillation else None
        self.started, self.seconds_before = time.monotonic(), 0.0
        self.best: dict[str, float] = {"epoch": 0, "validation_accuracy": -1.0}
        self.log = EventLog(self.folder / "events.jsonl")
        self.curves = None  # TensorBoard's writer
        self.held = ExitStack()  # the folder's lock, from `open` to `close` or `fail`

    def open(self) -> dict[str, Any] | None:
        """The facts of the run to continue; None for a new one, whose configuration is written.

        Raises:
            TrainingError: the folder holds another run, a checkpoint that no run made, or another process trains in it.
        """
        no_run = not (self.folder / resume.FILE).is_file() and not self.log.path.is_file()
        if no_run and (self.folder / "card.json").is_file():
            raise TrainingError(f"{self.folder} holds a checkpoint that no run here made. Choose another --out.")
        self.held.enter_context(locked(self.folder))
        try:
            return self._opened()
        except BaseException:
            self.held.close()
            raise

    def _opened(self) -> dict[str, Any] | None:
        if (self.folder / resume.FILE).is_file():
            if not self.config.resume:
                raise TrainingError(f"{self.folder} already holds a run. Add --resume to continue it, or choose --out.")
            facts = resume.load_facts(self.folder)
            # What did not exist when the run began counts as its default, which changes no curve.
            before = TrainConfig().curve() | facts["curve"]
            _must_agree(before, self.config.curve(), self.folder)
            if facts["data"] != self.data:
                raise TrainingError(
                    f"The run in {self.folder} cannot be continued: {self.config.data} does not hold the pictures, "
                    f"labels and parts that it was trained with. Give that set by --data{self._set_before()}, or "
                    "choose another --out."
                )
            if facts.get("teacher", self.teacher) != self.teacher:
                raise TrainingError(
                    f"The run in {self.folder} cannot be continued: it learned from other weights than those that "
                    f"{self.config.teacher or self.config.start_from} holds now. Get them back, or choose another "
                    "--out."
                )
            self.best, self.seconds_before = facts["best"], facts["seconds"]
            if facts["threads"] != torch.get_num_threads() and first_process():
                now = torch.get_num_threads()
                print(f"The run had {facts['threads']} threads, now {now}: the curve may differ in the last digits.")
            return facts
        write_config(self.folder, self.config)
        return None

    def _set_before(self) -> str:
        """The set that the folder's configuration names, in brackets; empty where it names the same or none."""
        try:
            before = read_config(self.folder).data
        except ValueError:
            return ""
        return "" if before == self.config.data else f" ({before})"

    def begin(self, run: Run) -> None:
        """Take up the run whose results are kept."""
        self.run = run
        self.checkpoint_is_written = bool(run.history)
        if self.config.tensorboard and run.fabric.is_global_zero:
            self.curves = _tensorboard(self.folder / "tensorboard")
        self.tell("resumed" if run.history else "started", epoch=len(run.history), device=run.device_name())

    def tell(self, event: str, **values: Any) -> None:
        """Append to the events."""
        if self.run.fabric.is_global_zero:
            self.log.write(event, **values)

    def fail(self, error: Exception) -> None:
        """Note why the run ends; only the first of several processes."""
        if first_process():
            self.log.write("failed", message=str(error))
        self.held.close()

    def write_epoch(self, row: dict[str, float]) -> None:
        """Keep what an epoch changed; the checkpoint, where it is the best so far."""
        better = row["validation_accuracy"] > self.best["validation_accuracy"]
        if better:
            self.best = {"epoch": row["epoch"], "validation_accuracy": row["validation_accuracy"]}
        if not self.run.fabric.is_global_zero:
            return
        if better:
            self._write_checkpoint()
        else:  # the weights stay; how many epochs were trained, and how long it took, does not
            write_card(self.folder, dataclasses.replace(read_card(self.folder), **self._spent()))
        if self.config.keep_epochs:
            weights = safetensors.torch.save(half_precision(self.run.shipped))
            write_bytes(self.folder / "epochs" / f"{row['epoch']}.safetensors", weights)
        write_history(self.folder / HISTORY, self.run.history)
        resume.save_state(self.folder, self.run.network, self.run.running_mean, self.run.optimizer, self._facts())
        for name in set(row) - {"epoch"} if self.curves else ():
            self.curves.add_scalar(name, row[name], row["epoch"])
        self.tell("epoch", **row)

    def write_unless_written(self) -> None:
        """A checkpoint of the network as it is, where no epoch has left one."""
        if not self.checkpoint_is_written and self.run.fabric.is_global_zero:
            self._write_checkpoint()

    def close(self) -> None:
        """After the last event."""
        if self.curves:
            self.curves.close()
        self.held.close()

    def seconds_here(self) -> float:
        """Since this process began the run or took it up again."""
        return time.monotonic() - self.started

    def _write_checkpoint(self) -> None:
        run, config = self.run, self.config
        card = Card(
            network=config.model,
            overrides=config.overrides,
            classes=run.classes,
            input_size=run.size,
            mean=run.mean,
            std=run.std,
            recipe=config.recipe,
            ancestors=run.provenance.ancestors,
            seen=run.provenance.seen,
            split=config.split,
            data=self.data,
            seed=config.seed,
            best_epoch=int(self.best["epoch"]),
            device=run.device_name(),
            precision=run.precision,
            parameters=sum(p.numel() for p in run.network.parameters()),
            **self._spent(),
        )
        (self.folder / "predictions.npz").unlink(missing_ok=True)  # what earlier weights answered
        save_checkpoint(self.folder, run.shipped, card)
        self.checkpoint_is_written = True

    def _spent(self) -> dict[str, int]:
        return {"epochs": len(self.run.history), "wall_seconds": round(self.seconds_before + self.seconds_here())}

    def _facts(self) -> dict[str, Any]:
        return {
            "curve": self.config.curve(),
            "data": self.data,
            "teacher": self.teacher,
            "precision": self.run.precision,
            "device": self.run.device.type,
            "threads": torch.get_num_threads(),
            "seconds": round(self.seconds_before + self.seconds_here(), 1),
            "best": self.best,
            "history": self.run.history,
            "schedule": self.run.schedule.state(),
        }


def _digest(folder: Path | None) -> str | None:
    """Of a checkpoint's weights; None where there are none, which is told when they are opened."""
    path = folder and folder / "model.safetensors"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path and path.is_file() else None


def _must_agree(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    differ = [f"{key} was {before.get(key)}, is {now.get(key)}" for key in now if before.get(key) != now.get(key)]
    if differ:
        raise TrainingError(
            f"The run in {folder} cannot be continued: {'; '.join(differ)}. Give what it had, or choose another --out; "
            f"--start-from {folder} begins a new run with its weights."
        )


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError(
            'tensorboard=True, but TensorBoard is not installed: pip install -e ".[tensorboard]", or leave it out.'
        ) from error
    return SummaryWriter(folder)
