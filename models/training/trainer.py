"""The training loop, on Lightning Fabric: one process on a laptop, many under `torchrun`, the same code.

Each epoch seeds torch with (seed, epoch) before it draws anything. An epoch is therefore determined by the state that
it starts from, and a resumed run follows the curve of an uninterrupted one: exactly on the same device with the same
number of threads, nearly on a GPU, where some operations add in any order. Several processes share each batch. Batch
norm sees its own process's share only, so with it the curve is close to that of one process, and without it the same.
"""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..architectures.vit_tiny import VisionTransformer
from ..datasets.splits import Parts
from ..registry import get_spec
from . import resume
from .config import TrainConfig
from .data import DeviceData
from .distillation import targets
from .errors import Interrupted, NonFiniteLossError
from .history import EpochRow, best_epoch
from .masked import pretrain
from .optimization import Schedule, freeze, make_optimizer
from .progress import ProgressReport
from .provenance import provenance
from .resume import RunState
from .run_folder import RunFolder
from .setup import first_model, loss_weights, make_fabric, run_card

OnStep = Callable[[int, tuple[float, float] | None], None]
"""Called after each step with its number and the epoch's mean loss and accuracy so far, None where not computed."""

_STEPS_BETWEEN_CHECKS = 10


class Trainer:
    """A network, its data and its optimizer on a device, and the loop over epochs.

    Args:
        config: the configuration, as `setup.checked` returns it.
        parts: training, validation and test set.
        facts: stored facts of the run to resume (`RunFolder.open`), whose tensors are in the configured folder; None: a
            new run.

    Attributes:
        network: what is trained; `model` is the same, wrapped by Fabric.
        evaluated: what is evaluated and saved: the network, or its moving average with `TrainConfig.ema`.
        data: the images on the device.
        history: a row for each complete epoch.

    Raises:
        TrainingError, ValueError: the run cannot start, with a message for the user.
    """

    def __init__(self, config: TrainConfig, parts: Parts, facts: dict[str, Any] | None = None) -> None:
        self.config, self.spec, self.started = config, get_spec(config.model), time.monotonic()
        self.history: list[EpochRow] = list(facts["history"]) if facts else []
        size = config.input_size or self.spec.input_size
        origin = provenance(config, parts)
        torch.manual_seed(config.seed)
        network = first_model(config, parts.training.classes)
        self.fabric, precision = make_fabric(config, facts, network, size)
        if not os.environ.get("LT_CLI_USED"):  # `fabric run` has launched it
            self.fabric.launch()
        n, device = len(parts.training), self.fabric.device
        if config.distillation and (config.teacher or config.start_from):
            self.fabric.print(f"Computing the teacher's predictions of {n} images, which takes a while.")
        self.data = DeviceData(config, parts, size, targets(config, parts.training, device), device)
        if config.batch_size > n:
            self.fabric.print(f"The training set has {n} images, so an epoch is one step with all of them.")
        weights = loss_weights(config, parts.training)
        # None instead of ones: equal but for rounding, and the curves of earlier runs are reproduced to the last digit.
        self.class_weights = None if config.class_weights == "none" else weights.to(device)  # (K,)
        self.network = network.to(device).to(memory_format=torch.channels_last)
        if config.masked_epochs and not facts:
            statistics = self.data.mean, self.data.std
            images, _ = self.data.sets["training"]
            encoder = cast(VisionTransformer, self.network)  # `setup.checked` has refused any other
            pretrain(encoder, images, statistics, size, config.masked_epochs, config.batch_size, self.fabric.print)
        self.running_mean = _running_mean(self.network, config.ema)
        self.evaluated = self.network if self.running_mean is None else self.running_mean.module
        self.card = run_card(config, parts, origin, self.fabric, precision, network)
        if facts:
            resume.load_networks(config.folder, self.network, self.running_mean)
        self.start_phase(self.phase_of(max(1, len(self.history))))
        if facts:
            resume.load_optimizer(config.folder, self.optimizer)
            self.schedule.load(facts["schedule"])

    @property
    def state(self) -> RunState:
        """The run as it is now, for the run folder."""
        return RunState(
            card=self.card,
            network=self.network,
            evaluated=self.evaluated,
            running_mean=self.running_mean,
            optimizer=self.optimizer,
            schedule=self.schedule.state(),
            history=tuple(self.history),
            seconds=time.monotonic() - self.started,
            device=self.fabric.device.type,
        )

    def fit(self, folder: RunFolder) -> None:
        """Train until the last epoch, early stopping, or the time limit, and write each epoch into the folder.

        Raises:
            Interrupted: after Ctrl-C, once the folder holds a usable checkpoint.
            NonFiniteLossError: the loss became NaN or infinite.
        """
        folder.start(self.state)
        try:
            with ProgressReport(folder, self.config.epochs, self.data.steps) as progress:
                finished = self._fit(folder, progress)
        except Interrupted:
            folder.write_checkpoint_if_missing(self.state)
            folder.log("interrupted", epoch=len(self.history))
            raise
        if finished:
            folder.log("finished", **best_epoch(self.history))
        else:
            folder.log("paused", epoch=len(self.history))

    def _fit(self, folder: RunFolder, progress: ProgressReport) -> bool:
        """Run the epochs that are left; whether the run is finished, not paused by the time limit."""
        epochs, first = self.config.epochs, len(self.history) + 1
        if first > epochs:
            progress.print(f"All {epochs} epochs are done.")
        for epoch in range(first, epochs + 1):
            if self._stops_early():
                progress.print(f"No better epoch since {best_epoch(self.history)['epoch']}: training ends early.")
                break
            if self._out_of_time():
                after = f"after epoch {epoch - 1}" if self.history else "before the first epoch"
                progress.print(f"The time is used up {after}; --resume continues.")
                return False
            progress.start_epoch(epoch, best_epoch(self.history)["validation_accuracy"])
            row = self.run_epoch(epoch, progress.step)
            folder.write_epoch(self.state)
            best = best_epoch(self.history)["validation_accuracy"]
            progress.end_epoch(row["train_loss"], row["train_accuracy"], best)
        return True

    def run_epoch(self, epoch: int, on_step: OnStep) -> EpochRow:
        """Train one epoch, counted from 1, and evaluate it; its row, which is also appended to `history`."""
        start = time.monotonic()
        if self.phase_of(epoch) != self.phase:
            self.start_phase(self.phase + 1)
        torch.manual_seed(1_000_003 * self.config.seed + epoch)
        loss, accuracy = self.train_epoch(epoch, on_step)
        rate = self.schedule.rate
        self._average_statistics()
        validation_loss, validation_accuracy = self.validate("validation")
        self.schedule.after_epoch(validation_loss)
        row = EpochRow(
            epoch=epoch,
            learning_rate=rate,
            train_loss=loss,
            train_accuracy=accuracy,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            test_accuracy=self.validate("test")[1],  # nothing is selected by it
            seconds=round(time.monotonic() - start, 2),
        )
        self.history.append(row)
        return row

    def phase_of(self, epoch: int) -> int:
        """Index of the phase (`TrainConfig.plan`) that an epoch belongs to."""
        ends = itertools.accumulate(phase.epochs for phase in self.config.plan)
        return next(i for i, end in enumerate(ends) if epoch <= end)

    def start_phase(self, index: int) -> None:
        """Freeze the stages that the phase does not train, and make a new optimizer and schedule."""
        self.phase, phase = index, self.config.plan[index]
        self.frozen = freeze(self.network, self.spec, phase.trained_stages)
        optimizer = make_optimizer(self.config, self.network, phase.learning_rate)
        self.model, self.optimizer = self.fabric.setup(self.network, optimizer)
        self.schedule = Schedule(self.config, optimizer, phase, self.data.steps)

    def train_epoch(self, epoch: int, on_step: OnStep) -> tuple[float, float]:
        """Mean loss and accuracy over the steps of one epoch; raises NonFiniteLossError."""
        data, device, steps = self.data, self.fabric.device, self.data.steps
        world, rank = self.fabric.world_size, self.fabric.global_rank
        size, batches = data.input_size(epoch), data.batches()
        if world > 1:  # each process draws its own augmentation
            torch.manual_seed(torch.initial_seed() + 500_009 * (rank + 1))
        self.model.train()
        for module in self.frozen:
            module.eval()
        total_loss, correct, seen = torch.zeros((), device=device), 0, 0
        means = (math.nan, math.nan)
        first_bad = torch.tensor(steps, device=device)  # read every few steps; reading synchronizes the GPU
        for step, batch in enumerate(batches):
            own = batch[rank::world]
            loss, correct_here = self.train_step(own, size)
            total_loss += loss * (data.batch_size / world)
            correct += correct_here
            seen += len(own)
            first_bad = torch.where(loss.isfinite(), first_bad, first_bad.clamp_max(step))
            measured = None
            if step % _STEPS_BETWEEN_CHECKS == _STEPS_BETWEEN_CHECKS - 1 or step + 1 == steps:
                means = measured = self._means(total_loss, correct, seen)
                if not math.isfinite(means[0]):
                    bad = int(cast(Tensor, self.fabric.all_gather(first_bad)).min())
                    raise self._non_finite(epoch, bad, batches[bad])
            on_step(step + 1, measured)
        return means

    def train_step(self, indices: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """One optimizer step on the images of the indices (B,): mean loss of the batch, and correct predictions."""
        x, targets, y = self.data.training_batch(indices, size)
        logits = self.model(x)  # (B, K)
        # −1/N Σ w_y log p_y over the N images of the batch (paper C, eq. 7), where torch's mean divides by Σ w_y. Each
        # process has a share of the batch, and their gradients are averaged.
        smoothing = self.config.label_smoothing
        total = F.cross_entropy(logits, targets, self.class_weights, label_smoothing=smoothing, reduction="sum")
        loss = total * (self.fabric.world_size / self.data.batch_size)
        self.fabric.backward(loss)
        if norm := self.config.clip_norm:
            self.fabric.clip_gradients(self.model, self.optimizer, max_norm=norm, error_if_nonfinite=False)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.schedule.after_step()
        if self.running_mean is not None:
            self.running_mean.update_parameters(self.network)
        return loss.detach(), (logits.detach().argmax(-1) == y).sum()

    @torch.no_grad()
    def validate(self, name: str) -> tuple[float, float]:
        """Log loss and accuracy of "validation" or "test": single view, no augmentation, averaged weights if any."""
        share = slice(self.fabric.global_rank, None, self.fabric.world_size)
        network, logits = self.evaluated.eval(), []
        for x in self.data.inference_batches(name, share):
            with self.fabric.autocast():
                logits.append(network(x).float())
        logits, labels = torch.cat(logits), self.data.sets[name][1][share]
        loss = F.cross_entropy(logits, labels, reduction="sum")
        return self._means(loss, (logits.argmax(-1) == labels).sum(), len(labels))

    def _means(self, loss: Tensor, correct: Tensor, seen: int) -> tuple[float, float]:
        """Mean loss and accuracy over all processes, of sums."""
        device = self.fabric.device
        exact = torch.float32 if device.type == "mps" else torch.float64  # Apple's GPUs have no double precision
        sums = torch.stack([v.to(exact) for v in (loss, correct, torch.tensor(float(seen), device=device))])
        loss, correct, seen = self._reduced(sums, "sum").tolist()
        return loss / seen, correct / seen

    def _reduced(self, x: Tensor, operation: str) -> Tensor:
        return cast(Tensor, self.fabric.all_reduce(x, reduce_op=operation))

    def _average_statistics(self) -> None:
        """Average batch norm's running statistics over the processes, each of which saw its own images."""
        if self.fabric.world_size > 1:
            for statistic in self.evaluated.buffers():
                if statistic.is_floating_point():
                    statistic.copy_(self._reduced(statistic.clone(), "mean"))

    def _non_finite(self, epoch: int, step: int, batch: Tensor) -> NonFiniteLossError:
        ids = self.data.ids[batch.cpu().numpy()].tolist()
        message = (
            f"The loss became NaN or infinite in epoch {epoch}, at step {step + 1} of {self.data.steps}, with the "
            f"images {', '.join(ids[:3])} and {max(0, len(ids) - 3)} more (all of them: events.jsonl). "
            f"{self.config.folder} holds {len(self.history)} complete epochs; try a lower --learning-rate, or "
            "--clip-norm 1."
        )
        return NonFiniteLossError(message, epoch, step + 1, ids)

    def _stops_early(self) -> bool:
        patience = self.config.early_stop
        return patience is not None and len(self.history) - best_epoch(self.history)["epoch"] >= patience

    def _out_of_time(self) -> bool:
        """Whether another epoch would exceed the time limit; the same on all processes."""
        if self.config.minutes is None:
            return False
        longest = max((row["seconds"] for row in self.history), default=0.0)
        over = time.monotonic() - self.started + longest > 60 * self.config.minutes
        return self.fabric.broadcast(over)


def _running_mean(network: nn.Module, decay: float | None) -> AveragedModel | None:
    """Exponential moving average of the weights, initialized with them."""
    if decay is None:
        return None
    mean = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    mean.n_averaged.fill_(1)  # with 0 the first step would replace the initial weights
    return mean
