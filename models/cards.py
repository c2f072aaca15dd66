"""The card of a checkpoint: what its weights are, how they were trained, and their metrics.

A card is checked when it is made, from a file or in code, so whatever reads one may rely on every field: types, bounds,
a network that is known here, and measures that fit its classes. What is written is what was checked.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
    with_config,
)
from pydantic.dataclasses import dataclass
from torch import Tensor
from typing_extensions import TypedDict

from .datasets.exclusion import Excluded
from .datasets.splits import find
from .json_input import first_reason, parse_json
from .preprocessing import luminance, normalize, to_unit, with_channels
from .registry import ModelSpec, channels_of, check_overrides, get_spec
from .text import PLAIN_WORDS

_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
_MOST_ANCESTORS = 200


def _number_or_none(value: Any) -> Any:
    """None for NaN, which cards of earlier versions hold where a measure is not defined."""
    return None if isinstance(value, float) and math.isnan(value) else value


Role = Literal["start", "teacher", "member"]
Text = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[str, StringConstraints(pattern=r"^\w[\w .+-]{0,150}$")]
ClassName = Annotated[str, StringConstraints(pattern=f"^{PLAIN_WORDS.pattern}$")]
Count = Annotated[int, Field(ge=0, le=10**9)]
Share = Annotated[float, Field(ge=0, le=1 + 1e-6)]  # means of float32 numbers may round up
Kappa = Annotated[Annotated[float, Field(ge=-1 - 1e-6, le=1 + 1e-6)] | None, BeforeValidator(_number_or_none)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Spread = Annotated[float, Field(gt=0, le=1)]
Option = bool | int | float | Text | list[Name]


@with_config(_STRICT)
class ClassMeasures(TypedDict):
    """Measures of one class; see `metrics.measure`."""

    precision: Share
    recall: Share
    f1: Share
    support: Count


@with_config(_STRICT)
class Measures(TypedDict):
    """Measures of a classifier on one set; see `metrics.measure`. Kappa is None where it is not defined."""

    accuracy: Share
    accuracy_interval: Annotated[list[Share], Field(min_length=2, max_length=2)]
    balanced_accuracy: Share
    macro_f1: Share
    kappa: Kappa
    log_loss: Annotated[float, Field(ge=0)]
    calibration_error: Share
    per_class: dict[ClassName, ClassMeasures]
    confusion: list[list[Count]]


@dataclass(frozen=True, config=_STRICT)
class Ancestor:
    """Weights that other weights come from, with the chain before them.

    Attributes:
        name: name of the checkpoint's folder when it was used, or `IMAGENET`, whose split, data and recipe are empty.
        roles: how it was used: its weights were the first ones (start), its predictions were part of the target
            (teacher), its probabilities are averaged (member of an ensemble).
        network, split, data, seed, recipe: values of its card; `data` is the fingerprint of set and split. Split, data
            and recipe are empty where they are not known.
        ancestors: its own ancestors, and so on.
    """

    name: Text
    roles: tuple[Role, ...]
    network: Text
    split: Text = ""
    data: Text = ""
    seed: int = 0
    recipe: Text = ""
    ancestors: tuple[Ancestor, ...] = ()

    @property
    def start(self) -> Ancestor | None:
        """The weights that its training run started from; None for random ones."""
        return next((a for a in self.ancestors if "start" in a.roles), None)


IMAGENET = "ImageNet"
"""Name of the ancestor that represents ImageNet weights."""


@dataclass(frozen=True, config=_STRICT)
class Card:
    """Metadata of trained weights: how to use them, how they were trained, and their metrics.

    Attributes:
        network: name for `create_model`, with its `overrides`.
        classes: names of the classes in the order of the logits, of plain words.
        input_size: side in pixels of the image that the network takes, 8 to 512.
        mean, std: mean and standard deviation of the training pixels in 0..1; a number, or one for each channel of RGB.
        recipe, split, data, seed: how it was trained; `data` is the fingerprint of the set.
        ancestors: the checkpoints that the run started from or distilled, with theirs; empty for random weights.
        seen: images of the validation and the test set, by the set's name, that an ancestor was trained on or chosen by
            and this training run was not; None where they cannot be counted. Empty: none. Such a card is marked: it is
            left out where networks are compared.
        excluded: the exclusion list that left out training images; None where none did. `data` is that of the whole
            split.
        epochs, best_epoch: trained, and the one chosen for its accuracy on the validation set.
        device, precision, wall_seconds: where training ran, and how long.
        parameters: number of trainable parameters.
        gray_images: whether it was trained on gray images; a network for RGB then gets the luminance in each channel.
        metrics: `metrics[split][tta][name]`, e.g. `metrics["PrivateTest"]["flip"]["accuracy"]`, of the shipped weights;
            "plain" is always among the ways, and the test set is the last one.
        cam_layer, reshape, output: the fields of `ModelSpec`, where the card says otherwise; empty: as the network has
            them.
        temperature: what logits are divided by for calibrated probabilities, fitted on the validation set; None until
            it is fitted.

    Raises:
        ValidationError: a value has another type, is out of bounds, or does not fit the others.
    """

    network: Text
    classes: Annotated[tuple[ClassName, ...], Field(min_length=2, max_length=1000)]
    input_size: Annotated[int, Field(ge=8, le=512)]
    mean: Fraction | tuple[Fraction, Fraction, Fraction]
    std: Spread | tuple[Spread, Spread, Spread]
    recipe: Text
    split: Text
    data: Text
    seed: int
    epochs: Count
    best_epoch: Count
    device: Text
    precision: Text
    wall_seconds: Annotated[float, Field(ge=0)]
    parameters: Count
    overrides: Annotated[dict[Name, Option], Field(max_length=20)] = dataclasses.field(default_factory=dict)
    ancestors: tuple[Ancestor, ...] = ()
    seen: dict[Name, Count | None] = dataclasses.field(default_factory=dict)
    excluded: Excluded | None = None
    gray_images: bool = False
    metrics: Annotated[dict[Name, dict[Literal["plain", "flip", "ten-crop"], Measures]], Field(max_length=8)] = (
        dataclasses.field(default_factory=dict)
    )
    temperature: Annotated[float | None, Field(gt=0, le=1e6)] = None
    cam_layer: Text = ""
    reshape: Text = ""
    output: Text = ""

    @model_validator(mode="after")
    def _fits_together(self) -> Card:
        check_overrides(self.network, self.overrides)
        if self.channels == 1 and not (isinstance(self.mean, float) and isinstance(self.std, float)):
            raise ValueError(f"{self.network} takes gray images, but mean or std has a number for each of 3 channels")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("two classes have the same name")
        if self.best_epoch > self.epochs:
            raise ValueError(f"the best epoch is {self.best_epoch} of {self.epochs}")
        if len(list(islice(chain(self.ancestors), _MOST_ANCESTORS + 1))) > _MOST_ANCESTORS:
            raise ValueError(f"it names more than {_MOST_ANCESTORS} ancestors")
        for part, ways in self.metrics.items():
            if "plain" not in ways:
                raise ValueError(f"metrics of {part}: those of a single view are missing")
            for way, found in ways.items():
                k = len(self.classes)
                if tuple(found["per_class"]) != self.classes or [len(row) for row in found["confusion"]] != [k] * k:
                    raise ValueError(f"metrics of {part}, {way}: they are of other classes than the card's")
        return self

    @property
    def channels(self) -> int:
        """Channels of the network's input: 1 for gray, 3 for RGB."""
        return channels_of(self.network, self.overrides)

    @property
    def color(self) -> bool:
        """Whether the network gets the colors of an image."""
        return self.channels > 1 and not self.gray_images

    @property
    def spec(self) -> ModelSpec:
        """What is known of its network, with what the card says of it."""
        spec = get_spec(self.network)
        return dataclasses.replace(
            spec,
            channels=self.channels,
            input_size=self.input_size,
            cam_layer=self.cam_layer or spec.cam_layer,
            reshape=self.reshape or spec.reshape,
            output=self.output or spec.output,
        )

    @property
    def start(self) -> Ancestor | None:
        """The weights that the training run started from; None for random ones."""
        return next((a for a in self.ancestors if "start" in a.roles), None)

    @property
    def teacher(self) -> Ancestor | None:
        """The network that was distilled; also the start, where that was its own teacher."""
        return next((a for a in self.ancestors if "teacher" in a.roles), None)

    @property
    def caveat(self) -> str:
        """A sentence where `seen` says that the measures are no test; else empty."""
        if counted := [f"{n} images of {part}" for part, n in self.seen.items() if n]:
            return f"Not a test result: weights that these come from have seen {' and '.join(counted)}."
        if not self.seen:
            return ""
        parts = " or ".join(self.seen)
        return f"Perhaps not a test result: it is not known whether weights that these come from have seen {parts}."

    def as_ancestor(self, name: str, *roles: Role) -> Ancestor:
        """This checkpoint, of the given name, as the ancestor of another one."""
        return Ancestor(name, roles, self.network, self.split, self.data, self.seed, self.recipe, self.ancestors)

    def prepare(self, images: np.ndarray | Tensor) -> Tensor:
        """Images → the network's input (B, C, input_size, input_size), normalized.

        They are gray (B, H, W) or, for a network for RGB, RGB (B, H, W, 3); uint8, or floats in 0..1 or 0..255.
        ValueError for other values.
        """
        return self.normalized(to_unit(torch.as_tensor(images), self.input_size))

    def normalized(self, pixels: Tensor) -> Tensor:
        """Pixels in 0..1, gray (B, 1, S, S) or RGB (B, 3, S, S), as the network's input (B, C, S, S)."""
        planes = luminance(pixels)[:, None] if self.gray_images and self.channels > 1 else pixels
        return normalize(with_channels(planes, self.channels), self.mean, self.std)


def chain(ancestors: Iterable[Ancestor]) -> Iterator[Ancestor]:
    """Ancestors with theirs, each before its own."""
    for one in ancestors:
        yield one
        yield from chain(one.ancestors)


_CARDS = TypeAdapter(Card)


def parse_card(data: bytes) -> Card:
    """The card in the bytes of a `card.json`; raises ValueError, in a few words, for an invalid one.

    Cards of earlier versions, which had the names of the start and the teacher in place of `ancestors`, are read too.
    """
    try:
        values = parse_json(data)
        if isinstance(values, dict) and values.keys() & _EARLIER.keys():
            data = json.dumps(_migrated(values)).encode()
        return _CARDS.validate_json(data)
    except ValidationError as error:
        raise ValueError(first_reason(error)) from error


_EARLIER = {"started_from": "start", "taught_by": "teacher"}


def _migrated(values: dict[str, Any]) -> dict[str, Any]:
    """A card of an earlier version with `ancestors`: names are kept; which images they have seen is not known."""
    roles: dict[str, list[str]] = {}
    for key, role in _EARLIER.items():
        if name := values.get(key):
            roles.setdefault(str(name), []).append(role)
    values = {key: value for key, value in values.items() if key not in _EARLIER}
    if not roles:
        return values
    ancestors = [{"name": name, "roles": found, "network": ""} for name, found in roles.items()]
    known = find(str(values.get("split")))
    seen = dict.fromkeys(known.names if known else ("validation", "test"))
    return {"ancestors": ancestors, "seen": seen} | values
