"""The form for a training run, made from `TrainConfig`: a field has a type, choices, bounds, and a sentence."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from models import get_spec, list_models
from models.datasets.augment import AUGMENTATIONS
from models.text import thousands
from models.training.config import TrainConfig
from models.training.recipes import RECIPES, from_recipe

from ...jobs.store import JobError

Kind = Literal["choice", "flag", "whole", "number", "text", "sizes"]

UP_FRONT = (
    "model", "recipe", "data", "split", "exclude", "start_from", "pretrained", "trained_stages", "class_weights",
    "epochs", "minutes", "seed",
)  # fmt: skip
"""Settings that the form shows first, with their own labels."""
_HIDDEN = {
    "out",
    "resume",
    "overrides",
    "teacher",
    "phases",
    "keep_epochs",
    "tensorboard",
    "evaluate",
}  # the runner sets them, or a recipe does
_TITLES = {
    "start_from": "Initial weights",
    "allow_seen": "Allow leaked test images",
    "masked_epochs": "Masked-image pretraining, epochs",
    "batch_size": "Batch size, images",
    "input_size": "Input size, pixels",
    "growing_sizes": "Progressive resizing, pixels",
    "learning_rate": "Maximum learning rate",
    "schedule": "Learning rate schedule",
    "warmup": "Linear warm-up, epochs",
    "decay_every": "Decay interval, epochs",
    "decay_factor": "Decay factor",
    "patience": "Patience of the schedule, epochs",
    "early_stop": "Patience of early stopping, epochs",
    "clip_norm": "Gradient norm clipping",
    "ema": "Exponential moving average of the weights",
    "mixup": "Mixup, α",
    "distillation": "Knowledge distillation",
    "rare_augmentation": "Augmentation of rare classes",
    "precision": "Floating-point precision",
    "threads": "CPU threads",
}
"""Setting → its title in the form, with the unit; of other settings the name is one."""
_CHOICES = {"augmentation": tuple(AUGMENTATIONS), "rare_augmentation": tuple(AUGMENTATIONS)}


@dataclass(frozen=True)
class Field:
    """One setting of a training run.

    Attributes:
        name: name in `TrainConfig`; title: the same in words.
        kind: what may be entered; "sizes" are whole numbers with commas between them.
        help: what it does, from the class.
        choices: options of a choice, else empty.
        optional: whether it may be left empty.
        low, high: bounds of a number; None where there is none.
        words: the title, where it is not the name.
    """

    name: str
    kind: Kind
    help: str
    choices: tuple[str, ...] = ()
    optional: bool = False
    low: float | None = None
    high: float | None = None
    words: str = ""

    @property
    def title(self) -> str:
        """The title in words."""
        return self.words or _TITLES.get(self.name) or self.name.replace("_", " ").capitalize()


def recipes() -> tuple[str, ...]:
    """Names of the recipes."""
    return tuple(RECIPES)


def trainable_networks() -> tuple[str, ...]:
    """Names of the networks that can be trained, in alphabetical order."""
    return tuple(name for name in list_models() if not get_spec(name).composite)


@lru_cache(maxsize=1)
def fields() -> tuple[Field, ...]:
    """Every setting that a person may enter, in the order of the class, without those that stand up front."""
    found = (_field(name, info) for name, info in TrainConfig.model_fields.items() if name not in UP_FRONT)
    return tuple(field for field in found if field is not None and field.name not in _HIDDEN)


def choices_of(name: str) -> tuple[str, ...]:
    """What a setting that has choices may be."""
    field = _field(name, TrainConfig.model_fields[name])
    return field.choices if field else ()


def configure(recipe: str, **values: Any) -> TrainConfig:
    """The configuration of a recipe with other values.

    Raises:
        JobError: a value cannot be; the sentence names it.
    """
    try:
        return from_recipe(recipe, **values)
    except ValidationError as error:
        first = error.errors()[0]
        raise JobError(f"{Field(str(first['loc'][0]), 'text', '').title}: {first['msg']}.") from error
    except ValueError as error:
        raise JobError(str(error)) from error


def sizes(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them; JobError where it is something else."""
    try:
        return tuple(int(part) for part in text.replace(";", ",").split(",") if part.strip())
    except ValueError as error:
        raise JobError(f'"{text[:40]}" is not a list of whole numbers: write 32, 40.') from error


def _field(name: str, info: FieldInfo) -> Field | None:
    kinds = [kind for kind in get_args(info.annotation) if kind is not NoneType]
    optional = NoneType in get_args(info.annotation)
    inner = kinds[0] if optional else info.annotation
    choices = _CHOICES.get(name) or (get_args(inner) if get_origin(inner) is Literal else ())
    kind = "choice" if choices else _kind(inner)
    bounds = {key: getattr(m, key) for m in info.metadata for key in ("ge", "gt", "le", "lt") if hasattr(m, key)}
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    help_ = " ".join(filter(None, (_in_words(_sentences().get(name, "")), _range(bounds))))
    return kind and Field(name, kind, help_, tuple(choices), optional, low, high)


def _in_words(sentence: str) -> str:
    """A sentence of the class as the form says it: settings by their titles, empty for None, no files of the code."""
    sentence = re.sub(r" \(`models/[\w/.]+`\)", "", sentence).replace("None:", "empty:")
    return re.sub(r"`(\w+)`", lambda found: f"*{Field(found[1], 'text', '').title.partition(',')[0]}*", sentence)


def _range(bounds: dict[str, Any]) -> str:
    """The range of a number as a sentence; empty where it has none."""
    words = {"ge": "from", "gt": "above", "le": "to", "lt": "and below"}
    limits = " ".join(f"{words[key]} {thousands(bounds[key])}" for key in words if key in bounds)
    return f"Range: {limits}." if limits else ""


def _kind(type_: Any) -> Kind | None:
    """Kind of input for a type; None if a form has no input for it."""
    simple: dict[Any, Kind] = {bool: "flag", int: "whole", float: "number", str: "text", Path: "text"}
    return "sizes" if type_ == tuple[int, ...] else simple.get(type_)


@lru_cache(maxsize=1)
def _sentences() -> dict[str, str]:
    """The sentence under each field of the class, which Python itself does not keep."""
    (class_,) = ast.parse(textwrap.dedent(inspect.getsource(TrainConfig))).body
    body = class_.body if isinstance(class_, ast.ClassDef) else []
    return {
        ast.unparse(field.target): " ".join(str(text.value.value).split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }
