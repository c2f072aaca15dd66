"""Setup of a training run: checks, initial network, targets, device, precision; whether a batch fits into memory."""

from __future__ import annotations

import os
import time
from typing import Any, cast

import torch
from lightning.fabric import Fabric
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn

from ..backbones import convert_input
from ..cards import Card
from ..checkpoints import CheckpointError, load_checkpoint, read_card
from ..datasets import FaceSet
from ..datasets.sampling import class_aware, class_weights
from ..datasets.splits import Parts, split
from ..devices import device_of
from ..registry import channels_of, check_overrides, create_model, get_spec
from .config import TrainConfig
from .errors import TrainingError
from .heads import with_classes
from .masked import check_masked
from .memory import room
from .optimization import check_stages
from .processor import keep_freed_memory, quicken
from .provenance import Provenance


def parts_of(config: TrainConfig) -> Parts:
    """The training, validation and test set of a configuration, without the training images of its exclusion list.

    Raises:
        DataError: the dataset, the split or the list cannot be used.
    """
    parts = split(FaceSet.load(config.data), config.split)
    return parts.without(config.exclude) if config.exclude else parts


def built_as_start(config: TrainConfig) -> TrainConfig:
    """The configuration with the architecture options of `start_from`, where it does not set them itself."""
    if config.start_from is None:
        return config
    try:
        card = read_card(config.start_from)
    except CheckpointError:  # `first_model` reports it
        return config
    if card.network != config.model:
        return config
    return config.model_copy(update={"overrides": {**card.overrides, **config.overrides}})


def checked(config: TrainConfig, training: FaceSet) -> TrainConfig:
    """`built_as_start`, after everything that can be refused before anything is written.

    Raises:
        TrainingError, ValueError: the network cannot be trained this way, or the classes have no such weights.
    """
    config = built_as_start(config)
    spec = get_spec(config.model)
    if not spec.stages:
        raise TrainingError(f"{config.model} has no layers of its own to train: ferscope refresh makes it.")
    check_overrides(config.model, config.overrides)
    check_masked(config, len(training.classes))
    for phase in config.plan:
        check_stages(spec, phase.trained_stages)
    check_sides(config)
    class_aware(config.augmentation, config.rare_augmentation, training.class_counts)
    class_weights(config.class_weights, training.class_counts, training.classes)
    return config


def check_sides(config: TrainConfig) -> None:
    """Raise TrainingError where the network's last feature map would be smaller than 2×2 for some input size."""
    spec = get_spec(config.model)
    for side in (*config.growing_sizes, config.input_size or spec.input_size):
        if side < spec.smallest_training_side:
            raise TrainingError(
                f"{config.model} hardly trains on images of {side}×{side} pixels, whose last feature map is smaller "
                f"than 2×2: give sizes of at least {spec.smallest_training_side}."
            )


def loss_weights(config: TrainConfig, training: FaceSet) -> Tensor:
    """Weight of each class in the training loss, (K,), scaled to 1 on average over the images."""
    counts = torch.tensor(training.class_counts)
    weights = torch.tensor(class_weights(config.class_weights, training.class_counts, training.classes))
    return weights * (counts.sum() / (weights * counts).sum())


def first_model(config: TrainConfig, classes: tuple[str, ...]) -> nn.Module:
    """The network before its first epoch: with random weights, ImageNet weights, or those of `start_from`.

    `start_from` may be another network whose parameters all exist in this one with the same shapes, as those of
    ResNet-18 in ResNet-18 with attention; the attention modules then start with random weights. Kernels of the first
    convolution are converted from gray to RGB, or from RGB to gray. If it has other classes, its backbone is kept, and
    of its head the rows of the classes that both have (`heads.py`).

    Raises:
        TrainingError: the weights of `start_from` do not fit, or `pretrained` is given too.
    """
    if config.start_from is None:
        return create_model(config.model, len(classes), config.pretrained, **config.overrides)
    if config.pretrained:
        raise TrainingError("pretrained and start_from exclude each other: give one of them.")
    model, card = load_checkpoint(config.start_from)
    model = with_classes(model, card, classes)
    if (card.network, card.overrides) != (config.model, config.overrides):
        # Some options change no weight, e.g. the size to which a hybrid resizes its input.
        weights, model = (
            model.state_dict(),
            create_model(config.model, len(classes), pretrained=False, **config.overrides),
        )
        own = model.state_dict()
        weights, _ = convert_input(weights, own)
        fits = all(name in own and own[name].shape == value.shape for name, value in weights.items())
        if not fits or (card.network == config.model and len(weights) < len(own)):
            raise TrainingError(
                f"start_from={config.start_from}: the weights of its {card.network}, built with overrides "
                f"{card.overrides}, do not fit {config.model} with {config.overrides}."
            )
        model.load_state_dict(weights, strict=False)
    return model.train()


def make_fabric(config: TrainConfig, found: dict[str, Any] | None, model: nn.Module, size: int) -> tuple[Fabric, str]:
    """Fabric on the configured device, and its precision: the configured one, that of the resumed run, or the fastest.

    Args:
        config: configuration of the training run.
        found: facts of the run to resume; None for a new one.
        model: the network whose steps are timed and whose memory is estimated.
        size: side of its input in pixels.

    Raises:
        ValueError: the device does not exist here.
        TrainingError: the batch does not fit into its memory, or more processes were started than there are devices.
    """
    device_of(config.device)
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # torchrun sets it
    world = int(os.environ.get("WORLD_SIZE", 1))
    devices: dict[str, Any] = {"accelerator": config.device, "devices": processes, "num_nodes": world // processes}
    try:
        device = Fabric(**devices).device
    except MisconfigurationException as error:
        raise TrainingError(f"{processes} processes cannot train on {config.device} here: {error}") from error
    # On another device another precision may be the faster one.
    same_device = found and found.get("device", device.type) == device.type
    precision = found["precision"] if same_device else config.precision
    if config.precision not in ("auto", precision):
        raise TrainingError(f"The run was started in precision {precision}: leave out --precision to resume it.")
    channels = channels_of(config.model, config.overrides)
    must_fit(model, size, device, config.batch_size // world, processes, precision, channels)
    if device.type == "cpu":
        keep_freed_memory()
        quicken(model)
    if precision == "auto" and world > 1:  # all must agree, so none is timed
        precision = "bf16-mixed" if device.type == "cuda" else "32-true"
    elif precision == "auto":
        model = model.to(device).to(memory_format=torch.channels_last)
        most = 16 if device.type == "cpu" else config.batch_size
        images = torch.randn(min(config.batch_size, most), channels, size, size, device=device)
        precision = quickest_precision(model, images)
    return Fabric(**devices, precision=cast(Any, precision)), precision


def must_fit(
    model: nn.Module,
    size: int,
    device: torch.device,
    batch_size: int,
    processes: int = 1,
    precision: str = "auto",
    channels: int = 1,
) -> None:
    """Raise TrainingError, with the batch that would fit, where one process's share of a batch does not."""
    memory = room(model, size, device, processes, precision, channels)
    if memory is None or memory.takes(batch_size):
        return
    needed, free = ((memory.fixed + batch_size * memory.each) / 2**30, memory.free / 2**30)
    advice = f"--batch-size {memory.batch * processes}" if memory.batch else "a smaller --input-size or another network"
    raise TrainingError(
        f"A step of {batch_size} images would take about {needed:.1f} GiB of memory, and {free:.1f} GiB are free: "
        f"try {advice}."
    )


def device_name(fabric: Fabric) -> str:
    """Name of the device for the card, e.g. "cpu, threads: 1"."""
    if fabric.device.type == "cuda":
        name = torch.cuda.get_device_name(fabric.device)
    else:
        name = f"{fabric.device.type}, threads: {torch.get_num_threads()}"
    return name if fabric.world_size == 1 else f"{name}, processes: {fabric.world_size}"


def run_card(
    config: TrainConfig, parts: Parts, origin: Provenance, fabric: Fabric, precision: str, network: nn.Module
) -> Card:
    """The card of a run before its first epoch: epochs, best epoch and seconds are 0, and nothing is measured."""
    mean, std = parts.training.pixel_statistics()
    return Card(
        network=config.model,
        overrides={**config.overrides},
        classes=parts.training.classes,
        input_size=config.input_size or get_spec(config.model).input_size,
        mean=mean,
        std=std,
        recipe=config.recipe,
        ancestors=origin.ancestors,
        seen=origin.seen,
        excluded=parts.excluded,
        gray_images=True,  # as those of every imported dataset
        split=config.split,
        data=parts.fingerprint,
        seed=config.seed,
        epochs=0,
        best_epoch=0,
        device=device_name(fabric),
        precision=precision,
        wall_seconds=0,
        parameters=sum(p.numel() for p in network.parameters()),
    )


def quickest_precision(model: nn.Module, x: Tensor) -> str:
    """Fabric's name of the faster precision of up to ten training steps: float32 or bfloat16 autocast.

    CPUs without bfloat16 instructions are tens of times slower in it, so the comparison stops early. The model's state
    is restored.
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
