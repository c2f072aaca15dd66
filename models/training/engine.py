"""The training loop, on Lightning Fabric: one process on a laptop, many under `torchrun`, the same lines.

The whole set lies on the device as uint8 (FER2013: 83 MB) and is augmented there, so that nothing waits for files.
Each epoch begins by seeding torch with (seed, epoch). An epoch is therefore decided by the state it starts from, and a
resumed run follows the curve of one that was never interrupted (same device, same number of threads).
"""

from __future__ import annotations

import csv
import io
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from ..checkpoints import Card, load_checkpoint, save_checkpoint
from ..datasets import FaceSet
from ..datasets.sampling import balanced_order, class_aware, class_weights
from ..datasets.splits import Parts, split
from ..files import write_bytes, write_json
from ..preprocessing import normalise, to_unit
from ..registry import create_model, get_spec
from . import state
from .config import TrainConfig
from .events import EventLog

_SECONDS_BETWEEN_EVENTS = 2.0


class TrainingError(RuntimeError):
    """A training that cannot start or go on; the message says why and what to do."""


class Interrupted(Exception):  # noqa: N818  (not an error: the user asked for it)
    """Ctrl-C, or a polite request to end; what was reached is kept."""


def train(config: TrainConfig) -> Path:
    """Train a network and keep the epoch with the best accuracy on the validation part.

    Returns:
        The run's folder: config.json, events.jsonl, history.csv, state.safetensors (for `resume`) and a checkpoint
        (model.safetensors, card.json).

    Raises:
        Interrupted: after Ctrl-C, once a usable checkpoint is written.
        TrainingError, DataError, ValueError, DiskFullError: with a message for the user.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    parts = split(FaceSet.load(config.data), config.split)
    with stop_on_signals():
        run = Run(config, parts)
        try:
            run.all_epochs()
        except Interrupted:
            run.keep_what_there_is()
            raise
    return config.folder


class Run:
    """One training: what it needs, one epoch after another, and what is written after each."""

    def __init__(self, config: TrainConfig, parts: Parts) -> None:
        self.config, self.folder = config, config.folder
        self.started = time.monotonic()
        spec = get_spec(config.model)  # an unknown name ends here, before anything is written
        self.size = config.input_size or spec.input_size
        self.classes, self.data = parts.training.classes, parts.fingerprint
        self.mean, self.std = parts.training.pixel_statistics()
        counts = torch.bincount(torch.from_numpy(parts.training.labels), minlength=len(self.classes)).tolist()
        self.augment = class_aware(config.augmentation, config.rare_augmentation, counts)
        weights = class_weights(config.class_weights, counts, self.classes)
        self.history: list[dict[str, float]] = []
        self.best: dict[str, float] = {"epoch": 0, "validation_accuracy": -1.0}
        self.seconds_before = 0.0
        found = self._open_folder()
        self.checkpoint_is_written = found is not None

        torch.manual_seed(config.seed)
        model = _first_model(config, self.classes)
        self.fabric, self.precision = _fabric(config, found, model, self.size)
        self.fabric.launch()
        self.device = self.fabric.device
        self.parts = {
            name: (torch.from_numpy(part.images).to(self.device), torch.from_numpy(part.labels).to(self.device))
            for name, part in (("training", parts.training), ("validation", parts.validation), ("test", parts.test))
        }
        shares = parts.training.targets  # of several raters, where the set has them
        self.shares = None if shares is None else torch.from_numpy(shares).to(self.device)  # (N, K)
        # None, not ones: the same curve, but to the last digit.
        self.weights = None if config.class_weights == "none" else torch.tensor(weights, device=self.device)  # (K,)
        n = len(parts.training)
        self.batch_size = min(config.batch_size, n)
        self.steps = n // self.batch_size  # the last, smaller batch of an epoch is left out
        model = model.to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(
            model.parameters(),
            lr=config.learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            nesterov=config.momentum > 0,
        )
        if found:
            state.load_state(self.folder, model, optimizer)
        self.model, self.optimizer = self.fabric.setup(model, optimizer)
        self.schedule = _schedule(config, optimizer, self.steps)
        if found:
            self._continue_from(found)
        self.log = EventLog(self.folder / "events.jsonl")
        self._tell("resumed" if found else "started", epoch=len(self.history), device=self._device_name())

    # ---- one epoch after another

    def all_epochs(self) -> None:
        """Train until the last epoch, or until the minutes are used up."""
        words, numbers = TextColumn("{task.description}"), TextColumn("{task.fields[text]}")
        time_left = TimeRemainingColumn(elapsed_when_finished=True)
        with Progress(words, BarColumn(), numbers, time_left, disable=not self.fabric.is_global_zero) as progress:
            task = progress.add_task("", total=self.config.epochs * self.steps, text="")
            progress.update(task, completed=len(self.history) * self.steps)
            for epoch in range(len(self.history) + 1, self.config.epochs + 1):
                if self._out_of_time():
                    progress.console.print(f"The time is used up after epoch {epoch - 1}; --resume goes on.")
                    self._tell("paused", epoch=epoch - 1)
                    return
                progress.update(task, description=f"epoch {epoch}/{self.config.epochs}")

                def show(loss_and_accuracy: tuple[float, float] | None) -> None:
                    progress.update(task, advance=1)
                    if loss_and_accuracy:
                        loss, accuracy = loss_and_accuracy
                        text = f"loss {loss:.3f}  accuracy {accuracy:.1%}  best validation {self._best_text()}"
                        progress.update(task, text=text)

                self.epoch(epoch, show)
        self._tell("finished", **self.best)

    def epoch(self, epoch: int, show: Callable[[tuple[float, float] | None], None]) -> None:
        """Train one epoch, measure it, and write everything that it changed."""
        start = time.monotonic()
        torch.manual_seed(1_000_003 * self.config.seed + epoch)
        loss, accuracy = self._train_one_epoch(epoch, show)
        row = {"epoch": epoch, "learning_rate": self.schedule.get_last_lr()[0]}
        row |= {"train_loss": loss, "train_accuracy": accuracy}
        row["validation_loss"], row["validation_accuracy"] = self._measure("validation")
        # Nothing chooses by this column: it is what "best epoch on the test set" would have reported.
        row["test_accuracy"] = self._measure("test")[1]
        row["seconds"] = round(time.monotonic() - start, 2)
        self.history.append(row)
        self._write_epoch(row)

    def _train_one_epoch(self, epoch: int, show: Callable[[tuple[float, float] | None], None]) -> tuple[float, float]:
        images, labels = self.parts["training"]
        sizes = (*self.config.growing_sizes, self.size)
        size = sizes[(epoch - 1) * len(sizes) // self.config.epochs]
        world, rank = self.fabric.world_size, self.fabric.global_rank
        balanced = self.config.sampling == "balanced"
        order = balanced_order(labels.cpu()) if balanced else torch.randperm(len(labels))
        order = order.to(self.device)  # drawn on the CPU: the same on every device and process
        if world > 1:  # each process draws its own augmentation
            torch.manual_seed(torch.initial_seed() + 500_009 * (rank + 1))
        self.model.train()
        total_loss, right, seen = torch.zeros((), device=self.device), 0, 0
        values, told = None, time.monotonic()
        for step in range(self.steps):
            batch = order[step * self.batch_size : (step + 1) * self.batch_size][rank::world]
            y = labels[batch]  # (B,)
            x = normalise(self.augment(to_unit(images[batch], size), y), self.mean, self.std)
            x = x.contiguous(memory_format=torch.channels_last)  # (B, 1, S, S)
            logits = self.model(x)  # (B, K)
            targets = y if self.shares is None else self.shares[batch]  # (B,) or (B, K)
            loss = F.cross_entropy(logits, targets, self.weights, label_smoothing=self.config.label_smoothing)
            self.fabric.backward(loss)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.schedule.step()
            total_loss += loss.detach() * len(y)
            right += (logits.detach().argmax(-1) == y).sum()
            seen += len(y)
            if step % 10 == 9 or step + 1 == self.steps:
                values = self._reduce(total_loss, right, seen)
                if not math.isfinite(values[0]):
                    raise TrainingError(
                        f"The loss is no longer a number in epoch {epoch}, at step {step + 1} of {self.steps}. "
                        f"{len(self.history)} whole epochs are kept in {self.folder}; try a lower --learning-rate."
                    )
                if time.monotonic() - told > _SECONDS_BETWEEN_EVENTS:
                    self._tell(
                        "progress", epoch=epoch, step=step + 1, steps=self.steps, loss=values[0], accuracy=values[1]
                    )
                    told = time.monotonic()
            show(values)
        return values

    def _reduce(self, loss: Tensor, right: Tensor, seen: int) -> tuple[float, float]:
        """Mean loss and accuracy over all processes."""
        exact = torch.float32 if self.device.type == "mps" else torch.float64  # Apple's GPUs have no double precision
        sums = torch.stack([v.to(exact) for v in (loss, right, torch.tensor(float(seen), device=self.device))])
        loss, right, seen = self.fabric.all_reduce(sums, reduce_op="sum").tolist()
        return loss / seen, right / seen

    @torch.no_grad()
    def _measure(self, part: str) -> tuple[float, float]:
        """Log loss and accuracy of a part, single view, without augmentation."""
        share = slice(self.fabric.global_rank, None, self.fabric.world_size)
        images, labels = (values[share] for values in self.parts[part])
        network = self.model.module.eval()
        logits = []
        for some in images.split(64):
            x = normalise(to_unit(some, self.size), self.mean, self.std).contiguous(memory_format=torch.channels_last)
            with self.fabric.autocast():
                logits.append(network(x).float())
        logits = torch.cat(logits)
        loss = F.cross_entropy(logits, labels, reduction="sum")
        return self._reduce(loss, (logits.argmax(-1) == labels).sum(), len(labels))

    # ---- what is kept

    def keep_what_there_is(self) -> None:
        """After an interruption: a usable checkpoint, even where no epoch was finished and written."""
        if not self.checkpoint_is_written:
            self._save_checkpoint()
        self._tell("interrupted", epoch=len(self.history))

    def _write_epoch(self, row: dict[str, float]) -> None:
        if not self.fabric.is_global_zero:
            return
        if row["validation_accuracy"] > self.best["validation_accuracy"]:
            self.best = {"epoch": row["epoch"], "validation_accuracy": row["validation_accuracy"]}
            self._save_checkpoint()
        table = io.StringIO()
        writer = csv.DictWriter(table, fieldnames=list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: round(v, 6) for k, v in r.items()} for r in self.history)
        write_bytes(self.folder / "history.csv", table.getvalue().encode())
        state.save_state(self.folder, self.model, self.optimizer, self._facts())
        self._tell("epoch", **row)

    def _save_checkpoint(self) -> None:
        parameters = sum(p.numel() for p in self.model.parameters() if p.requires_grad)
        card = Card(
            network=self.config.model,
            overrides=self.config.overrides,
            classes=self.classes,
            input_size=self.size,
            mean=self.mean,
            std=self.std,
            recipe=self.config.recipe,
            started_from=self.config.start_from.name if self.config.start_from else None,
            split=self.config.split,
            data=self.data,
            seed=self.config.seed,
            epochs=len(self.history),
            best_epoch=int(self.best["epoch"]),
            device=self._device_name(),
            precision=self.precision,
            wall_seconds=round(self._seconds()),
            parameters=parameters,
        )
        save_checkpoint(self.folder, self.model.module, card)
        self.checkpoint_is_written = True

    def _facts(self) -> dict[str, Any]:
        schedule = {k: v for k, v in self.schedule.state_dict().items() if isinstance(v, int | float | list)}
        return {
            "curve": self.config.curve(),
            "data": self.data,
            "precision": self.precision,
            "threads": torch.get_num_threads(),
            "seconds": round(self._seconds(), 1),
            "best": self.best,
            "history": self.history,
            "schedule": schedule,
        }

    # ---- starting and going on

    def _open_folder(self) -> dict[str, Any] | None:
        """The facts of the run to continue; None for a new one, whose configuration is written."""
        if (self.folder / state.FILE).is_file():
            if not self.config.resume:
                raise TrainingError(f"{self.folder} already holds a run. Add --resume to continue it, or choose --out.")
            facts = state.load_facts(self.folder)
            # What did not exist when the run began counts as its default, which changes no curve.
            before = TrainConfig().curve() | facts["curve"] | {"data": facts["data"]}
            _must_agree(before, self.config.curve() | {"data": self.data}, self.folder)
            return facts
        if (self.folder / "card.json").is_file() and not (self.folder / "events.jsonl").is_file():
            raise TrainingError(f"{self.folder} holds a checkpoint that no run here made. Choose another --out.")
        write_json(self.folder / "config.json", self.config.model_dump(mode="json"))
        return None

    def _continue_from(self, facts: dict[str, Any]) -> None:
        self.history, self.best, self.seconds_before = facts["history"], facts["best"], facts["seconds"]
        self.schedule.load_state_dict(self.schedule.state_dict() | facts["schedule"])
        for group, rate in zip(self.optimizer.param_groups, self.schedule.get_last_lr(), strict=True):
            group["lr"] = rate
        if facts["threads"] != torch.get_num_threads():
            now = torch.get_num_threads()
            print(f"The run had {facts['threads']} threads and has {now} now: the curve may differ in the last digits.")

    def _out_of_time(self) -> bool:
        if self.config.minutes is None:
            return False
        longest = max((row["seconds"] for row in self.history), default=0.0)
        over = time.monotonic() - self.started + longest > 60 * self.config.minutes
        return self.fabric.broadcast(over)  # all processes stop together

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started

    def _best_text(self) -> str:
        return f"{self.best['validation_accuracy']:.1%}" if self.history else "none yet"

    def _device_name(self) -> str:
        world = self.fabric.world_size
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
        else:
            name = f"{self.device.type}, threads: {torch.get_num_threads()}"
        return name if world == 1 else f"{name}, processes: {world}"

    def _tell(self, event: str, **values: Any) -> None:
        if self.fabric.is_global_zero:
            self.log.write(event, **values)


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Inside, Ctrl-C and a request to end raise `Interrupted`; outside, signals do what they did before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise Interrupted

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def quickest_precision(model: nn.Module, x: Tensor) -> str:
    """Time up to ten training steps in float32 and in bfloat16 autocast; the name of the quicker, for Fabric.

    Processors without bfloat16 instructions take tens of times longer, so the comparison ends once it is decided.
    """

    def step(bf16: bool) -> float:
        start = time.perf_counter()
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            model(x).float().square().mean().backward()
        if x.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    before = {name: value.clone() for name, value in model.state_dict().items()}
    seconds = {False: 0.0, True: 0.0}
    try:
        warm = {bf16: step(bf16) for bf16 in (False, True)}
        for _ in range(10):
            if max(seconds[True], warm[True]) > 3 * max(seconds[False], warm[False]):
                return "32-true"
            for bf16 in seconds:
                seconds[bf16] += step(bf16)
        return "bf16-mixed" if seconds[True] < seconds[False] else "32-true"
    finally:
        model.load_state_dict(before)
        model.zero_grad(set_to_none=True)


def _fabric(config: TrainConfig, found: dict[str, Any] | None, model: nn.Module, size: int) -> tuple[Fabric, str]:
    """Fabric on the device that is there, in the precision that is asked for, was used before, or is quickest."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # torchrun sets it
    nodes = int(os.environ.get("WORLD_SIZE", 1)) // processes
    place = {"accelerator": config.device, "devices": processes, "num_nodes": nodes}
    precision = found["precision"] if found else config.precision
    if config.precision not in ("auto", precision):
        raise TrainingError(f"The run was begun in precision {precision}: leave out --precision to continue it.")
    if precision == "auto" and processes > 1:  # all must agree, so none of them measures
        precision = "bf16-mixed" if torch.cuda.is_available() else "32-true"
    elif precision == "auto":
        device = Fabric(**place).device
        model = model.to(device, memory_format=torch.channels_last)
        most = 16 if device.type == "cpu" else config.batch_size
        precision = quickest_precision(model, torch.randn(min(config.batch_size, most), 1, size, size, device=device))
    return Fabric(**place, precision=precision), precision


def _first_model(config: TrainConfig, classes: tuple[str, ...]) -> nn.Module:
    """The network before its first epoch: with random weights, or with those of `start_from`."""
    if config.start_from is None:
        try:
            return create_model(config.model, num_classes=len(classes), **config.overrides)
        except TypeError as error:
            raise TrainingError(f"overrides={config.overrides} do not suit {config.model}: {error}") from error
    model, card = load_checkpoint(config.start_from)
    asked = {"network": config.model, "overrides": config.overrides, "classes": classes}
    for name, value in asked.items():
        if getattr(card, name) != value:
            raise TrainingError(f"start_from={config.start_from}: its {name} is {getattr(card, name)}, not {value}.")
    return model.train()


def _schedule(
    config: TrainConfig, optimizer: torch.optim.Optimizer, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    if config.schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=config.epochs * steps + 1, pct_start=0.3, cycle_momentum=False
    )


def _must_agree(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    differ = [f"{key} was {before.get(key)}, is {now.get(key)}" for key in now if before.get(key) != now.get(key)]
    if differ:
        raise TrainingError(f"The run in {folder} cannot be continued: {'; '.join(differ)}. Choose another --out.")
