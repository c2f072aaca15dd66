"""From weights that another program saved, or a folder in timm's format, to a checkpoint: safetensors and card.json."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .cards import Card
from .footprint import footprint, on_meta
from .foreign_weights import Match, WeightsError, match, read_weights
from .registry import channels_of, create_model, get_spec, take_output

RECIPE = "converted"
"""Recipe in the card of a checkpoint that was not trained here."""
UNKNOWN_SPLIT = "unknown"


@dataclass(frozen=True)
class Source:
    """Weights to convert, with what is known of them.

    Attributes:
        weights: the file.
        network: name of the architecture.
        overrides: options of its builder.
        classes: names in the order of the logits; empty where only their number is known.
        count: number of logits; 0 where it is not known.
        mean, std: mean and standard deviation of the pixels in 0..1; None where they are not known.
        input_size: side in pixels; 0 for the network's own.
    """

    weights: Path
    network: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    count: int = 0
    mean: float | tuple[float, ...] | None = None
    std: float | tuple[float, ...] | None = None
    input_size: int = 0


def of_timm_folder(folder: Path) -> Source:
    """What a folder in timm's format says: `config.json` and `model.safetensors`, as on the Hugging Face Hub.

    Raises:
        WeightsError: a file is missing or damaged, or names what FERScope cannot build.
    """
    weights = folder / "model.safetensors"
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        found = {**config, **(config.get("pretrained_cfg") or {})}
        channels, height, width = found.get("input_size") or (3, 224, 224)
        labels = found.get("label_names") or list((found.get("label_descriptions") or {}).values())
        overrides = {"architecture": str(config["architecture"]), "channels": int(channels)}
        arguments = {key: value for key, value in (config.get("model_args") or {}).items() if value is not None}
        count = int(config.get("num_classes") or found.get("num_classes") or 0)
        mean, std = (tuple(map(float, found[key])) for key in ("mean", "std"))
        classes = tuple(map(str, labels)) if len(labels) == count else ()
    except FileNotFoundError as error:
        raise WeightsError(f"{folder / 'config.json'} is not there: give a folder in timm's format.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"{folder / 'config.json'} is not a configuration of timm ({error!r}). Get it again."
        ) from error
    if not weights.is_file():
        raise WeightsError(f"{weights} is not there: FERScope loads safetensors only, no pytorch_model.bin.")
    if height != width:
        raise WeightsError(f"{folder} is for images of {height}×{width} pixels; only square ones are supported.")
    known = {"img_size": "image_size", "global_pool": "pool"}
    for key, value in arguments.items():
        if key in known:
            overrides[known[key]] = value[0] if isinstance(value, list) else value
        elif key not in ("num_classes", "in_chans"):
            raise WeightsError(f'{folder} was built with the option "{key}" of timm, which is not supported.')
    if config.get("global_pool") and "pool" not in overrides:
        overrides["pool"] = config["global_pool"]
    return Source(weights, "timm", overrides, classes, count, _for(channels, mean), _for(channels, std), int(height))


def _for(channels: int, values: tuple[float, ...]) -> float | tuple[float, ...]:
    return values[0] if channels == 1 or len(set(values)) == 1 else values


@dataclass(frozen=True, eq=False)
class Converted:
    """A network with weights that fit it.

    Attributes:
        model: a network in evaluation mode.
        card: the card, as far as it is known; metrics are empty.
        match: the match of the weights and the network.
    """

    model: nn.Module
    card: Card
    match: Match


def input_channels(given: Mapping[str, Tensor], network: str, overrides: Mapping[str, Any]) -> int:
    """Channels of the input of weights, from their first convolution: 1 for gray, 3 for RGB."""
    taken = channels_of(network, overrides)
    return 4 - taken if match(given, on_meta(network, 2, overrides).state_dict()).converted else taken


def number_of_logits(given: Mapping[str, Tensor], network: str, overrides: Mapping[str, Any]) -> int:
    """Number of classes of weights, from the one layer whose shape depends on it; 0 where that is not plain."""
    shapes = [on_meta(network, count, overrides).state_dict() for count in (7, 9)]
    last = [name for name, value in shapes[0].items() if value.shape != shapes[1][name].shape]
    found = match(given, shapes[0])
    named = {name: given[found.prefix + name] for name in last if found.prefix + name in given}
    counts = {len(value) for value in named.values() if value.ndim}
    return counts.pop() if len(counts) == 1 else 0


def compared(source: Source) -> Match:
    """How weights fit their network, without building more than shapes.

    Raises:
        WeightsError: see `read_weights`; ValueError: the network cannot be built, or is too large.
    """
    side = source.input_size or get_spec(source.network).input_size
    options = tuple(source.overrides.items())
    needed = footprint(source.network, len(source.classes), options, side)
    needed.check(f"{source.network} at {side} pixels")
    wanted = on_meta(source.network, len(source.classes), source.overrides).state_dict()
    return match(read_weights(source.weights), wanted)


def converted(source: Source, found: Match, **card: Any) -> Converted:
    """The network with its weights, and its card.

    Args:
        source: the weights, with classes, mean and std.
        found: the match that `compared` returns; complete.
        **card: further fields of the card, such as `cam_layer`.

    Raises:
        WeightsError: weights are missing or not finite; ValueError: a value of the card is out of bounds.
    """
    if not found.complete:
        lacking = [*found.missing, *found.other_shapes]
        raise WeightsError(
            f"{source.weights} does not fit {source.network}: {len(lacking)} of its weights are missing or have other "
            f"shapes, such as {lacking[0]}. Choose another --network, or its options with --options NAME VALUE."
        )
    if not all(value.isfinite().all() for value in found.weights.values() if value.is_floating_point()):
        raise WeightsError(f"{source.weights} holds NaN or infinite values: train it again.")
    if source.mean is None or source.std is None:
        raise WeightsError("Mean and standard deviation of the pixels are not known: give --mean and --std.")
    model = create_model(source.network, len(source.classes), **source.overrides).eval()
    if card.get("output"):
        take_output(model, len(source.classes), card["output"])
    model.load_state_dict(
        {name: value.float() if value.is_floating_point() else value for name, value in found.weights.items()},
        strict=False,  # only counters of batch norm may be missing
    )
    side = source.input_size or get_spec(source.network).input_size
    return Converted(model, _card(source, model, side, card), found)


def _card(source: Source, model: nn.Module, side: int, more: Mapping[str, Any]) -> Card:
    known: dict[str, Any] = {"mean": source.mean, "std": source.std}
    return Card(
        network=source.network,
        overrides=dict(source.overrides),
        classes=source.classes,
        input_size=side,
        **known,
        recipe=RECIPE,
        split=UNKNOWN_SPLIT,
        data="",
        seed=0,
        epochs=0,
        best_epoch=0,
        device="",
        precision="",
        wall_seconds=0.0,
        parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        **more,
    )


def plain_class_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of classes as a card allows them: plain words, each once. "tench, Tinca tinca" → "tench"."""
    found: list[str] = []
    for i, name in enumerate(names):
        words = re.sub(r"[^\w '()-]", " ", name.split(",")[0])
        plain = " ".join(words.split())[:50].lstrip("'()- ") or f"class {i}"
        found.append(plain if plain not in found else f"{plain} {i}")
    return tuple(found)


@torch.no_grad()
def check_output(model: nn.Module, card: Card) -> None:
    """Run one blank image; ValueError where the network returns no logits (B, number of classes) for it."""
    try:
        logits = model(torch.zeros(2, card.channels, card.input_size, card.input_size))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"{card.network} takes no images of {card.input_size} pixels ({error}).") from error
    if not isinstance(logits, Tensor) or logits.shape != (2, len(card.classes)):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"{card.network} returns {shape}, and not logits (2, {len(card.classes)}) for two images.")
