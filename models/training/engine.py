"""The training loop, on Lightning Fabric: one process on a laptop, many under `torchrun`, the same lines.

The whole set lies on the device as uint8 (FER2013: 83 MB) and is augmented there, so that nothing waits for files.
Each epoch begins by seeding torch with (seed, epoch). An epoch is therefore decided by the state it starts from, and a
resumed run follows the curve of one that was never interrupted (same device, same number of threads; on a GPU nearly,
because some of its operations add in any order). Several processes share each batch; batch-norm sees the part of its
own process only, so with it their curve is close to that of one process, and without it the same.
"""

from __future__ import annotations

import gc
import itertools
import math
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchvision.transforms.v2 import MixUp

from ..datasets import FaceSet
from ..datasets.sampling import balanced_order, class_aware, class_weights
from ..datasets.splits import Parts, split
from ..files import DiskFullError
from ..preprocessing import normalise, to_unit
from ..registry import check_overrides, get_spec
from . import resume
from .config import TrainConfig
from .interrupt import Interrupted, stop_on_signals
from .optimization import Schedule, check_stages, freeze, make_optimizer
from .provenance import provenance
from .run_folder import RunFolder
from .setup import TrainingError, built_as_start, check_sides, first_model, make_fabric, targets

_SECONDS_BETWEEN_EVENTS = 2.0
_STEPS_BETWEEN_CHECKS = 10


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
    with leaving_process_group(), stop_on_signals():
        _run(config, parts)
    return config.folder


def _run(config: TrainConfig, parts: Parts) -> None:
    """Train; in a function of its own, so that nothing of the run is left when it returns."""
    run = Run(config, parts)
    try:
        run.all_epochs()
    except Interrupted:
        run.keep_what_there_is()
        raise
    except (RuntimeError, DiskFullError) as error:
        told = run.explained(error)
        run.kept.fail(told)
        raise told from error
    finally:
        run.kept.close()


@contextmanager
def leaving_process_group() -> Iterator[None]:
    """Destroy the process group of `torch.distributed` at the end, also after an error, and wait for its threads.

    A thread of the group that releases a tensor while Python exits ends the process with SIGABRT ("terminate called
    without an active exception"), and `torchrun` reports a failed job. The threads end with the group's last reference:
    `DistributedDataParallel` holds one, within reference cycles, so destroying the group is not enough.
    """
    try:
        yield
    finally:
        if dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()
            gc.collect()


class Run:
    """One training: what it needs, and one epoch after another."""

    def __init__(self, config: TrainConfig, parts: Parts) -> None:
        self.config = config = built_as_start(config)
        self.spec = get_spec(config.model)  # an unknown name ends here, before anything is written
        if not self.spec.stages:
            raise TrainingError(f"{config.model} has no layers of its own to train: it is made by ferscope refresh.")
        check_overrides(config.model, config.overrides)
        for phase in config.plan:
            check_stages(self.spec, phase.trained_stages)
        self.size = config.input_size or self.spec.input_size
        check_sides(config)
        self.classes = parts.training.classes
        self.mean, self.std = parts.training.pixel_statistics()
        counts = torch.bincount(torch.from_numpy(parts.training.labels), minlength=len(self.classes)).tolist()
        self.augment = class_aware(config.augmentation, config.rare_augmentation, counts)
        weights = torch.tensor(class_weights(config.class_weights, counts, self.classes))
        weights *= sum(counts) / (weights * torch.tensor(counts)).sum()  # 1 on average, so that losses compare
        self.batch_size = min(config.batch_size, len(parts.training))
        self.kept = RunFolder(config, parts.fingerprint)
        found = self.kept.open()

        self.history: list[dict[str, float]] = found["history"] if found else []
        try:
            self._set_up(parts, found, weights)
        except (RuntimeError, ValueError, OSError) as error:
            told = self.explained(error)
            self.kept.fail(told)  # who looks into the folder later learns why nothing happened
            raise told from error

    def _set_up(self, parts: Parts, found: dict[str, Any] | None, weights: Tensor) -> None:
        """Build what trains, and put it where it trains."""
        config = self.config
        self.provenance = provenance(config, parts)
        torch.manual_seed(config.seed)
        network = first_model(config, self.classes)
        self.fabric, self.precision = make_fabric(config, found, network, self.size)
        if not os.environ.get("LT_CLI_USED"):  # `fabric run` has launched it
            self.fabric.launch()
        self.device = self.fabric.device
        self.parts = {
            name: (torch.from_numpy(part.images).to(self.device), torch.from_numpy(part.labels).to(self.device))
            for name, part in (("training", parts.training), ("validation", parts.validation), ("test", parts.test))
        }
        self.ids = parts.training.ids
        if config.distillation and (config.teacher or config.start_from):
            self.fabric.print(f"The teacher answers to {len(self.ids)} pictures, which takes a while.")
        shares = targets(config, parts.training, self.device)
        self.shares = None if shares is None else shares.to(self.device)  # (N, K)
        # None, not ones: the same curve, but to the last digit.
        self.weights = None if config.class_weights == "none" else weights.to(self.device)  # (K,)
        self.blend = MixUp(alpha=config.mixup, num_classes=len(self.classes)) if config.mixup else None
        n = len(parts.training)
        if config.batch_size > n:
            self.fabric.print(f"The training part has {n} pictures, so an epoch is one step with all of them.")
        self.steps = n // self.batch_size  # the last, smaller batch of an epoch is left out

        self.network = network.to(self.device, memory_format=torch.channels_last)
        self.running_mean = None
        if config.ema:
            update = get_ema_multi_avg_fn(config.ema)
            self.running_mean = AveragedModel(self.network, multi_avg_fn=update, use_buffers=True)
            self.running_mean.n_averaged.fill_(1)  # of the initial weights; with 0 the first step would replace them
        if found:
            resume.load_networks(self.kept.folder, self.network, self.running_mean)
            self._begin_phase(self._phase_of(max(1, len(self.history))))
            resume.load_optimizer(self.kept.folder, self.optimizer)
            self.schedule.load(found["schedule"])
        else:
            self._begin_phase(self._phase_of(1))
        self.kept.begin(self)

    @property
    def shipped(self) -> nn.Module:
        """The network that is measured and kept: the running mean of the weights, where there is one."""
        return self.network if self.running_mean is None else self.running_mean.module

    # ---- one epoch after another

    def all_epochs(self) -> None:
        """Train until the last epoch, until nothing gets better, or until the minutes are used up."""
        done = len(self.history) >= self.config.epochs
        if done:
            self.fabric.print(f"All {self.config.epochs} epochs are done.")
        words, numbers = TextColumn("{task.description}"), TextColumn("{task.fields[text]}")
        time_left = TimeRemainingColumn(elapsed_when_finished=True)
        with Progress(
            words, BarColumn(), numbers, time_left, disable=done or not self.fabric.is_global_zero
        ) as progress:
            task = progress.add_task("", total=self.config.epochs * self.steps, text="")
            progress.update(task, completed=len(self.history) * self.steps)
            for epoch in range(len(self.history) + 1, self.config.epochs + 1):
                if self._gets_no_better():
                    progress.console.print(
                        f"No better epoch since {int(self.kept.best['epoch'])}: training ends early."
                    )
                    break
                if self._out_of_time():
                    after = f"after epoch {epoch - 1}" if self.history else "before the first epoch"
                    progress.console.print(f"The time is used up {after}; --resume goes on.")
                    self.kept.tell("paused", epoch=epoch - 1)
                    return
                progress.update(task, description=f"epoch {epoch}/{self.config.epochs}")

                def show(loss_and_accuracy: tuple[float, float] | None, advance: int = 1) -> None:
                    progress.update(task, advance=advance)
                    if loss_and_accuracy:
                        loss, accuracy = loss_and_accuracy
                        best = f"{self.kept.best['validation_accuracy']:.1%}" if self.history else "none yet"
                        progress.update(task, text=f"loss {loss:.3f}  accuracy {accuracy:.1%}  best validation {best}")

                self.epoch(epoch, show)
                last = self.history[-1]
                show((last["train_loss"], last["train_accuracy"]), advance=0)
        self.kept.tell("finished", **self.kept.best)

    def epoch(self, epoch: int, show: Callable[[tuple[float, float] | None], None]) -> None:
        """Train one epoch, measure it, and write everything that it changed."""
        start = time.monotonic()
        if self._phase_of(epoch) != self.phase:
            self._begin_phase(self.phase + 1)
        torch.manual_seed(1_000_003 * self.config.seed + epoch)
        loss, accuracy = self._train_one_epoch(epoch, show)
        rate = self.schedule.rate
        self._agree_on_statistics()
        validation_loss, validation_accuracy = self._measure("validation")
        self.schedule.after_epoch(validation_loss)
        row = {"epoch": epoch, "learning_rate": rate, "train_loss": loss, "train_accuracy": accuracy}
        row |= {"validation_loss": validation_loss, "validation_accuracy": validation_accuracy}
        # Nothing chooses by this column: it is what "best epoch on the test set" would have reported.
        row["test_accuracy"] = self._measure("test")[1]
        row["seconds"] = round(time.monotonic() - start, 2)
        self.history.append(row)
        self.kept.write_epoch(row)

    def _phase_of(self, epoch: int) -> int:
        """Index of the phase in which an epoch lies."""
        ends = itertools.accumulate(phase.epochs for phase in self.config.plan)
        return next(i for i, end in enumerate(ends) if epoch <= end)

    def _begin_phase(self, index: int) -> None:
        """Freeze what does not train, and begin optimiser and schedule afresh."""
        self.phase, phase = index, self.config.plan[index]
        self.frozen = freeze(self.network, self.spec, phase.trained_stages)
        optimizer = make_optimizer(self.config, self.network, phase.learning_rate)
        self.model, self.optimizer = self.fabric.setup(self.network, optimizer)
        self.schedule = Schedule(self.config, optimizer, phase, self.steps)

    def _train_one_epoch(self, epoch: int, show: Callable[[tuple[float, float] | None], None]) -> tuple[float, float]:
        _, labels = self.parts["training"]
        sizes = (*self.config.growing_sizes, self.size)
        size = sizes[(epoch - 1) * len(sizes) // self.config.epochs]
        world, rank = self.fabric.world_size, self.fabric.global_rank
        balanced = self.config.sampling == "balanced"
        order = balanced_order(labels.cpu()) if balanced else torch.randperm(len(labels))
        order = order.to(self.device)  # drawn on the CPU: the same on every device and process
        if world > 1:  # each process draws its own augmentation
            torch.manual_seed(torch.initial_seed() + 500_009 * (rank + 1))
        self.model.train()
        for module in self.frozen:
            module.eval()
        total_loss, right, seen = torch.zeros((), device=self.device), 0, 0
        first_bad = torch.tensor(
            self.steps, device=self.device
        )  # looked at now and then: to look is to wait for the GPU
        values, told = None, time.monotonic()
        for step in range(self.steps):
            batch = order[step * self.batch_size : (step + 1) * self.batch_size][rank::world]
            loss, answers_right = self._step(batch, size)
            total_loss += loss * (self.batch_size / world)
            right += answers_right
            seen += len(batch)
            first_bad = torch.where(loss.isfinite(), first_bad, first_bad.clamp_max(step))
            if step % _STEPS_BETWEEN_CHECKS == _STEPS_BETWEEN_CHECKS - 1 or step + 1 == self.steps:
                values = self._reduce(total_loss, right, seen)
                if not math.isfinite(values[0]):
                    bad = int(self.fabric.all_gather(first_bad).min())
                    raise self._no_number(epoch, bad, order[bad * self.batch_size : (bad + 1) * self.batch_size])
                if time.monotonic() - told > _SECONDS_BETWEEN_EVENTS:
                    at = {"epoch": epoch, "step": step + 1, "steps": self.steps}
                    self.kept.tell("progress", **at, loss=values[0], accuracy=values[1])
                    told = time.monotonic()
            show(values)
        return values

    def _step(self, batch: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """One step of the optimiser: the batch's mean loss, and how many answers were right."""
        images, labels = self.parts["training"]
        y = labels[batch]  # (B,)
        x = normalise(self.augment(to_unit(images[batch], size), y), self.mean, self.std)
        targets = y if self.shares is None else self.shares[batch]  # (B,) or (B, K)
        if self.blend:
            x, targets = self.blend(x, targets)
            y = targets.argmax(-1)  # of the picture that weighs more
        x = x.contiguous(memory_format=torch.channels_last)  # (B, 1, S, S)
        logits = self.model(x)  # (B, K)
        # −1/N Σ w_y log p_y over the N images of the batch (paper C, eq. 7), where torch's mean divides by Σ w_y. Each
        # process has a share of the batch, and their gradients are averaged.
        smoothing = self.config.label_smoothing
        total = F.cross_entropy(logits, targets, self.weights, label_smoothing=smoothing, reduction="sum")
        loss = total * (self.fabric.world_size / self.batch_size)
        self.fabric.backward(loss)
        if self.config.clip_norm:
            self.fabric.clip_gradients(
                self.model, self.optimizer, max_norm=self.config.clip_norm, error_if_nonfinite=False
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.schedule.after_step()
        if self.running_mean is not None:
            self.running_mean.update_parameters(self.network)
        return loss.detach(), (logits.detach().argmax(-1) == y).sum()

    def _agree_on_statistics(self) -> None:
        """Batch-norm's running statistics become their mean over the processes, each of which saw its own pictures."""
        if self.fabric.world_size > 1:
            for statistic in self.shipped.buffers():
                if statistic.is_floating_point():
                    statistic.copy_(self.fabric.all_reduce(statistic.clone(), reduce_op="mean"))

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
        network = self.shipped.eval()
        logits = []
        for some in images.split(64):
            x = normalise(to_unit(some, self.size), self.mean, self.std).contiguous(memory_format=torch.channels_last)
            with self.fabric.autocast():
                logits.append(network(x).float())
        logits = torch.cat(logits)
        loss = F.cross_entropy(logits, labels, reduction="sum")
        return self._reduce(loss, (logits.argmax(-1) == labels).sum(), len(labels))

    # ---- ends

    def keep_what_there_is(self) -> None:
        """After an interruption: a usable checkpoint, even where no epoch was finished and written."""
        self.kept.write_unless_written()
        self.kept.tell("interrupted", epoch=len(self.history))

    def explained(self, error: Exception) -> Exception:
        """The same error in words that say what to do, where torch's own do not."""
        if isinstance(error, torch.OutOfMemoryError):
            smaller = f"--batch-size {max(2, self.batch_size // 2)}"
            if self.history:  # a run keeps its batch
                smaller = f"a new run with --start-from {self.kept.folder} {smaller}"
            return TrainingError(
                f"No memory is left for a batch of {self.batch_size}. {self._kept_so_far}; try {smaller}."
            )
        of_the_gpu = isinstance(error, torch.AcceleratorError) or re.search("cuda|cudnn|cublas|nccl", str(error), re.I)
        if of_the_gpu and isinstance(error, RuntimeError) and not isinstance(error, TrainingError):
            return TrainingError(
                f"The GPU stopped answering ({error}). {self._kept_so_far}; --resume goes on, on another device too."
            )
        return error

    @property
    def _kept_so_far(self) -> str:
        return f"{len(self.history)} whole epochs are kept in {self.kept.folder}"

    def _no_number(self, epoch: int, step: int, batch: Tensor) -> TrainingError:
        """What to say, and to write down, where the loss of a step is no number."""
        ids = self.ids[batch.cpu().numpy()].tolist()
        self.kept.tell("not a number", epoch=epoch, step=step + 1, ids=ids)
        return TrainingError(
            f"The loss is no longer a number in epoch {epoch}, at step {step + 1} of {self.steps}, with the pictures "
            f"{', '.join(ids[:3])} and {max(0, len(ids) - 3)} more (all of them: {self.kept.log.path}). "
            f"{self._kept_so_far}; try a lower --learning-rate, or --clip-norm 1."
        )

    def _gets_no_better(self) -> bool:
        wait = self.config.early_stop
        return wait is not None and len(self.history) - self.kept.best["epoch"] >= wait

    def _out_of_time(self) -> bool:
        if self.config.minutes is None:
            return False
        longest = max((row["seconds"] for row in self.history), default=0.0)
        over = self.kept.seconds_here() + longest > 60 * self.config.minutes
        return self.fabric.broadcast(over)  # all processes stop together

    def device_name(self) -> str:
        """Where it runs, for the card."""
        world = self.fabric.world_size
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
        else:
            name = f"{self.device.type}, threads: {torch.get_num_threads()}"
        return name if world == 1 else f"{name}, processes: {world}"
