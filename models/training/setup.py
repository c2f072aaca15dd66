"""How a run begins: the network before its first epoch, the device, the precision, and whether a batch fits."""

from __future__ import annotations

import os
import time
from typing import Any, cast

import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn

from ..checkpoints import CheckpointError, load_checkpoint, read_card
from ..datasets import FaceSet
from ..devices import device_of
from ..metrics import predict
from ..registry import create_model, get_spec
from .config import TrainConfig
from .errors import TrainingError
from .memory import room
from .processor import keep_freed_memory, quicken


def built_as_start(config: TrainConfig) -> TrainConfig:
    """The configuration with the architecture options of `start_from`, except those that it sets itself."""
    if config.start_from is None:
        return config
    try:
        card = read_card(config.start_from)
    except CheckpointError:  # `first_model` will say so
        return config
    if card.network != config.model:
        return config
    return config.model_copy(update={"overrides": {**card.overrides, **config.overrides}})


def check_sides(config: TrainConfig) -> None:
    """Raise TrainingError where the last map of the network would keep less than 2×2 positions of some picture."""
    spec = get_spec(config.model)
    for side in (*config.growing_sizes, config.input_size or spec.input_size):
        if side < spec.smallest_training_side:
            raise TrainingError(
                f"{config.model} learns little from pictures of {side}×{side} pixels, of which its last map keeps less "
                f"than 2×2 positions: give sizes of at least {spec.smallest_training_side}."
            )


def first_model(config: TrainConfig, classes: tuple[str, ...]) -> nn.Module:
    """The network before its first epoch: with random weights, ImageNet's, or those of `start_from`.

    Weights of another network are taken where all of them have a place in this one, as those of ResNet-18 in ResNet-18
    with attention, of which the attention modules then begin with random weights.
    """
    if config.start_from is None:
        return create_model(config.model, len(classes), config.pretrained, **config.overrides)
    if config.pretrained:
        raise TrainingError("pretrained and start_from are two beginnings: give one of them.")
    model, card = load_checkpoint(config.start_from)
    if card.classes != classes:
        raise TrainingError(f"start_from={config.start_from}: its classes are {card.classes}, not {classes}.")
    if (card.network, card.overrides) != (config.model, config.overrides):
        # Some options change no weight, e.g. the side to which a hybrid enlarges a picture.
        start, model = model, create_model(config.model, len(classes), pretrained=False, **config.overrides)
        weights, places = start.state_dict(), model.state_dict()
        fits = all(name in places and places[name].shape == value.shape for name, value in weights.items())
        if not fits or (card.network == config.model and len(weights) < len(places)):
            raise TrainingError(
                f"start_from={config.start_from}: the weights of its {card.network}, built with overrides "
                f"{card.overrides}, do not fit {config.model} with {config.overrides}."
            )
        model.load_state_dict(weights, strict=False)
    return model.train()


def targets(config: TrainConfig, training: FaceSet, device: torch.device) -> Tensor | None:
    """What each picture's answer is to be, where that is more than its label.

    Labels or raters' shares are blended with the answers of a teacher (knowledge distillation, Hinton et al. 2015,
    arXiv:1503.02531, eq. 1 at temperature 1): of `teacher`, or of `start_from`, which then teaches itself.

    Args:
        config: of the training.
        training: the part that is trained with.
        device: where the answers are computed.

    Returns:
        Shares of the classes, (N, K) on the CPU, each row with the sum 1; None where the labels say it all.

    Raises:
        TrainingError: there is no teacher, or it has other classes.
    """
    shares = None if training.targets is None else torch.from_numpy(training.targets)
    if not config.distillation:
        if config.teacher:
            raise TrainingError(f"teacher={config.teacher} teaches nothing: set --distillation 0.5, or leave it out.")
        return shares
    folder = config.teacher or config.start_from
    if folder is None:
        raise TrainingError(
            f"distillation={config.distillation} needs a trained network to learn from: give one by --teacher."
        )
    teacher, card = load_checkpoint(folder, device)
    if card.classes != training.classes:
        raise TrainingError(f"The teacher {folder} answers with {card.classes}, the set has {training.classes}.")
    labels = torch.from_numpy(training.labels)
    if shares is None:
        shares = F.one_hot(labels, len(training.classes)).float()
    answers = predict(teacher.to(memory_format=torch.channels_last), card, training.images, "flip").softmax(-1)
    return (1 - config.distillation) * shares + config.distillation * answers


def make_fabric(config: TrainConfig, found: dict[str, Any] | None, model: nn.Module, size: int) -> tuple[Fabric, str]:
    """Fabric on the device that is there, in the precision that is asked for, was used before, or is quickest.

    Raises:
        ValueError: the device is not there.
        TrainingError: the batch does not fit into its memory, or more processes were started than there are devices.
    """
    device_of(config.device)
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # torchrun sets it
    world = int(os.environ.get("WORLD_SIZE", 1))
    place: dict[str, Any] = {"accelerator": config.device, "devices": processes, "num_nodes": world // processes}
    try:
        device = Fabric(**place).device
    except MisconfigurationException as error:
        raise TrainingError(f"{processes} processes cannot train on {config.device} here: {error}") from error
    here = found and found.get("device", device.type) == device.type  # another device may be quick in another precision
    precision = found["precision"] if here else config.precision
    if config.precision not in ("auto", precision):
        raise TrainingError(f"The run was begun in precision {precision}: leave out --precision to continue it.")
    must_fit(model, size, device, config.batch_size // world, processes, precision)
    if device.type == "cpu":
        keep_freed_memory()
        quicken(model)
    if precision == "auto" and world > 1:  # all must agree, so none of them measures
        precision = "bf16-mixed" if device.type == "cuda" else "32-true"
    elif precision == "auto":
        model = model.to(device).to(memory_format=torch.channels_last)
        most = 16 if device.type == "cpu" else config.batch_size
        precision = quickest_precision(model, torch.randn(min(config.batch_size, most), 1, size, size, device=device))
    return Fabric(**place, precision=cast(Any, precision)), precision


def must_fit(
    model: nn.Module, size: int, device: torch.device, batch_size: int, processes: int = 1, precision: str = "auto"
) -> None:
    """Raise TrainingError, with the batch that would fit, where one process's share of a batch does not."""
    there = room(model, size, device, processes, precision)
    if there is None or there.takes(batch_size):
        return
    needed, free = ((there.fixed + batch_size * there.each) / 2**30, there.free / 2**30)
    advice = f"--batch-size {there.batch * processes}" if there.batch else "a smaller --input-size or another network"
    raise TrainingError(
        f"A step of {batch_size} pictures would take about {needed:.1f} GiB of memory, and {free:.1f} GiB are free: "
        f"try {advice}."
    )


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
