"""How a training run of ours differs from a paper's: every field of `TrainConfig` is compared, or listed with a reason.

A paper rarely states everything. Two cases are told apart:

- A value that every training run must have, such as momentum, weight decay, batch or first weights, and that the paper
  does not state, is *open* (`Protocol.unstated`): no value of ours contradicts the paper, but it is our choice, and
  another choice might have given the paper's figure.
- A technique that the paper does not mention, such as an average of the weights (EMA), mixup, distillation, smaller
  images at first or early stopping, counts as not used: a run of ours with it follows another protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models import Card, get_spec
from models.lineage import IMAGENET, starts
from models.registry import changed
from models.training.config import ONLY_WITH, TrainConfig
from models.training.recipes import RECIPES, from_recipe

from .definitions import Protocol

COMPARED: Sequence[str] = (
    *("split", "epochs", "input_size", "growing_sizes", "start_from", "pretrained", "trained_stages", "phases"),
    *("optimizer", "learning_rate", "momentum", "nesterov", "weight_decay", "clip_norm", "ema"),
    *("schedule", "warmup", "decay_every", "decay_factor", "patience", "early_stop"),
    *("batch_size", "augmentation", "rare_augmentation", "sampling", "class_weights", "exclude"),
    *("label_smoothing", "distillation", "mixup"),
)
"""Fields in which a training run must match a paper's, unless the paper leaves them open; the most important first."""

NOT_COMPARED: Mapping[str, str] = {
    "model": "the claim names the network",
    "overrides": "compared as a whole: what differs from the network as it is registered",
    "recipe": "a name for the values of the other fields",
    "teacher": "it has an effect with distillation only, which is compared",
    "masked_epochs": "for vision transformers only, of which no paper trains one",
    "seed": "no paper states one: training runs that differ in the seed alone are taken together",
}
"""The other fields that decide a training run (`TrainConfig.curve`), and why each is not compared by itself."""


def differences(card: Card, protocol: Protocol, epochs: int, config: dict | None = None) -> tuple[str, ...]:
    """How a training run differs from a protocol, a phrase each, in what the paper states.

    Args:
        card: card of ours.
        protocol: the paper's.
        epochs: number of epochs that ours was trained, over all training runs that led to its weights.
        config: the saved configuration of ours; None: that of the card's recipe.
    """
    built = [f"built with {key} {value}" for key, value in changed(card.network, card.overrides).items()]
    if config is None and card.recipe not in RECIPES:
        built.append(f"recipe {card.recipe}, whose values are not known")
    have, wanted = _ours(card, protocol, epochs, config), _stated(card.network, protocol)
    return (
        *built,
        *(
            _difference(key, have[key], wanted[key])
            for key in COMPARED
            if key not in protocol.unstated and have[key] != wanted[key] and _applies(key, have, wanted)
        ),
    )


def choices(card: Card, protocol: Protocol, epochs: int, config: dict | None = None) -> tuple[str, ...]:
    """What the paper leaves open and ours has, a phrase each: "batch size 64"."""
    have = _ours(card, protocol, epochs, config)
    return tuple(
        f"{_words(key)} {_value(have[key])}"
        for key in COMPARED
        if key in protocol.unstated and _applies(key, have, have)
    )


def _ours(card: Card, protocol: Protocol, epochs: int, config: dict | None) -> dict[str, Any]:
    """The fields of a training run of ours; those that its configuration does not have yet are at their defaults."""
    if config is None:
        set_ = {"data": protocol.train["data"]} if "data" in protocol.train else {}  # recipes know JAFFE and CK+ by it
        known = card.recipe in RECIPES
        config = from_recipe(card.recipe, model=card.network, **set_).curve() if known else {}
    have, before = TrainConfig().curve() | config, starts(card)
    began = [name for name in before if name != IMAGENET]
    have |= {"split": card.split, "input_size": card.input_size, "epochs": epochs}
    return have | {"start_from": began[0] if began else None, "pretrained": IMAGENET in before}


def _stated(network: str, protocol: Protocol) -> dict[str, Any]:
    wanted = protocol.config(network).curve()
    return wanted | {"input_size": wanted["input_size"] or get_spec(network).input_size}


def _applies(key: str, have: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a field has an effect in both; if not, the field that decides this is reported."""
    if key not in ONLY_WITH:
        return True
    other, values = ONLY_WITH[key]
    return have[other] == wanted[other] and have[other] in values


def _difference(key: str, have: Any, wanted: Any) -> str:
    if key == "phases":
        return "other phases" if have and wanted else "one phase, not several" if wanted else "several phases, not one"
    if key == "start_from":
        return f"started from `{have}`, trained on faces before"
    if key == "pretrained":
        return "with ImageNet weights" if have else "without ImageNet weights"
    return f"{_words(key)} {_value(have)}, not {_value(wanted)}"


def _words(key: str) -> str:
    return {"ema": "EMA of the weights", "pretrained": "ImageNet weights"}.get(key, key.replace("_", " "))


def _value(value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
