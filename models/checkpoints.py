"""Checkpoints: a folder with `model.safetensors` (half precision), `card.json`, and what training and evaluation add.

Weights are safetensors only. Pickles can run any code when they are opened, so nothing here ever opens one.
"""

from __future__ import annotations

import dataclasses
import difflib
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from .files import UNPACKING_ERRORS, write_bytes, write_json
from .preprocessing import normalise, to_unit
from .registry import create_model, get_spec, list_models

ROOT = Path(__file__).resolve().parents[1] / "checkpoints"
"""Where checkpoints that a name stands for lie."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.+-]*", re.IGNORECASE)


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class Ancestor:
    """Weights that other weights come from, with the chain before them.

    Attributes:
        name: of the checkpoint's folder when it was used, or `IMAGENET`, whose split, data and recipe are empty.
        roles: how it was used: its weights were the first ones (start), its predictions were part of the target
            (teacher), its probabilities are averaged (member of an ensemble).
        network, split, data, seed, recipe: as in its card; `data` is the fingerprint of set and split.
        ancestors: its own, and so on.
    """

    name: str
    roles: tuple[Literal["start", "teacher", "member"], ...]
    network: str
    split: str = ""
    data: str = ""
    seed: int = 0
    recipe: str = ""
    ancestors: tuple[Ancestor, ...] = ()

    @property
    def start(self) -> Ancestor | None:
        """The weights that its training started from; None for random ones."""
        return next((a for a in self.ancestors if "start" in a.roles), None)


IMAGENET = "ImageNet"
"""Name of the ancestor that stands for ImageNet weights."""


@dataclass(frozen=True)
class Card:
    """What has to be known of trained weights in order to use them, and what they are worth.

    Attributes:
        network: name for `create_model`, with its `overrides`.
        classes: names of the classes in the order of the logits.
        input_size: side in pixels of the picture that the network takes.
        mean, std: of the training pixels in 0..1.
        recipe, split, data, seed: how it was trained; `data` is the fingerprint of the set.
        ancestors: the checkpoints that training started from or distilled, with theirs; empty for random weights.
        seen: images of the validation and the test set, by the set's name, that an ancestor was trained on or chosen by
            and this training was not; None where they cannot be counted. Empty: none. Such a card is marked: it is
            left out where networks are compared.
        epochs, best_epoch: trained, and the one chosen for its accuracy on the validation part.
        device, precision, wall_seconds: where training ran, and how long.
        parameters: number of trainable parameters.
        metrics: `metrics[split][tta][name]`, e.g. `metrics["PrivateTest"]["flip"]["accuracy"]`, of the shipped weights.
        temperature: what logits are divided by for calibrated probabilities, fitted on PublicTest; None before that.
    """

    network: str
    classes: tuple[str, ...]
    input_size: int
    mean: float
    std: float
    recipe: str
    split: str
    data: str
    seed: int
    epochs: int
    best_epoch: int
    device: str
    precision: str
    wall_seconds: float
    parameters: int
    overrides: dict[str, Any] = field(default_factory=dict)
    ancestors: tuple[Ancestor, ...] = ()
    seen: dict[str, int | None] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    temperature: float | None = None

    @property
    def start(self) -> Ancestor | None:
        """The weights that training started from; None for random ones."""
        return next((a for a in self.ancestors if "start" in a.roles), None)

    @property
    def teacher(self) -> Ancestor | None:
        """The network that was distilled; also the start, where that was its own teacher."""
        return next((a for a in self.ancestors if "teacher" in a.roles), None)

    @property
    def caveat(self) -> str:
        """A sentence where `seen` says that the measures are no test; else empty."""
        counted = [f"{n} images of {part}" for part, n in self.seen.items() if n]
        if counted:
            return f"Not a test result: weights that these come from have seen {' and '.join(counted)}."
        if not self.seen:
            return ""
        parts = " or ".join(self.seen)
        return f"Perhaps not a test result: it is not known whether weights that these come from have seen {parts}."

    def as_ancestor(self, name: str, *roles: str) -> Ancestor:
        """This checkpoint, of the given name, as the ancestor of another one."""
        return Ancestor(name, roles, self.network, self.split, self.data, self.seed, self.recipe, self.ancestors)

    def prepare(self, images: np.ndarray | Tensor) -> Tensor:
        """Gray pictures, uint8 (B, H, W) → the network's input (B, 1, input_size, input_size), normalised."""
        return normalise(to_unit(torch.as_tensor(images), self.input_size), self.mean, self.std)


def list_checkpoints() -> list[str]:
    """Sorted names of the checkpoints that `load_checkpoint` finds by name."""
    return sorted(
        card.parent.name for card in ROOT.glob("*/card.json") if (card.parent / "model.safetensors").is_file()
    )


def is_name(text: str) -> bool:
    """Whether a text has the form of a checkpoint's name: letters, digits and `_ . + -`, so that it is no path."""
    return len(text) <= 200 and _NAME.fullmatch(text) is not None


def checkpoint_folder(name_or_path: str | Path) -> Path:
    """The folder of a checkpoint: a name stands for `checkpoints/<name>/`; anything with a separator is a path."""
    if isinstance(name_or_path, str) and is_name(name_or_path):
        return ROOT / name_or_path
    return Path(name_or_path)


def read_card(name_or_path: str | Path) -> Card:
    """The card of a checkpoint, without its weights; raises CheckpointError."""
    path = checkpoint_folder(name_or_path) / "card.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        chain = tuple(map(_ancestor, values.get("ancestors", ())))
        return Card(**{**values, "classes": tuple(values["classes"]), "ancestors": chain})
    except FileNotFoundError as error:
        raise CheckpointError(_missing(path)) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path} is not the card of a checkpoint ({error}). {_get_it_again(path)}") from error


def _ancestor(values: dict[str, Any]) -> Ancestor:
    chain = tuple(map(_ancestor, values["ancestors"]))
    return Ancestor(**{**values, "roles": tuple(values["roles"]), "ancestors": chain})


@dataclass(frozen=True, eq=False)
class Predictions:
    """What shipped weights answered to one part of a set, single view.

    Attributes:
        logits: (N, K).
        labels: index of the true class, (N,).
        names, ids: of the pictures, str (N,); ids as in `FaceSet.ids`.
    """

    logits: Tensor
    labels: Tensor
    names: np.ndarray
    ids: np.ndarray


def read_predictions(name_or_path: str | Path, part: str) -> Predictions:
    """The stored answers to one part ("PublicTest", "PrivateTest").

    Raises:
        CheckpointError: they are missing or damaged.
    """
    path = checkpoint_folder(name_or_path) / "predictions.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            wanted = file["splits"] == part
            logits, labels, names, ids = (file[key][wanted] for key in ("logits", "labels", "names", "ids"))
    except FileNotFoundError as error:
        raise CheckpointError(_missing(path)) from error
    except (KeyError, *UNPACKING_ERRORS) as error:
        raise CheckpointError(f"{path} holds no predictions ({error}). {_get_it_again(path)}") from error
    return Predictions(torch.from_numpy(logits), torch.from_numpy(labels).long(), names, ids)


def write_predictions(folder: Path, parts: dict[str, Predictions]) -> None:
    """Write `predictions.npz` in one step: the answers to each part, by its name."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        names=np.concatenate([part.names for part in parts.values()]),
        ids=np.concatenate([part.ids for part in parts.values()]),
        labels=np.concatenate([part.labels.numpy() for part in parts.values()]),
        splits=np.concatenate([np.full(len(part.labels), name) for name, part in parts.items()]),
        logits=np.concatenate([part.logits.numpy() for part in parts.values()]).astype(np.float32),
    )
    write_bytes(folder / "predictions.npz", buffer.getvalue())


def load_checkpoint(name_or_path: str | Path, device: str | torch.device = "cpu") -> tuple[nn.Module, Card]:
    """Load trained weights.

    Args:
        name_or_path: a name, which stands for `checkpoints/<name>/`, or the path of a folder.
        device: where the network is put.

    Returns:
        The network in evaluation mode, float32, and its card.

    Raises:
        CheckpointError: where it is missing, damaged, a pickle, or made for another network.
    """
    card = read_card(name_or_path)
    path = checkpoint_folder(name_or_path) / "model.safetensors"
    weights = _read_weights(path)
    try:
        model = create_model(card.network, num_classes=len(card.classes), **card.overrides)
        model.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
        )
    except (ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not fit the network {card.network} of its card: {error}") from error
    return model.to(device).eval(), card


def save_checkpoint(folder: Path, model: nn.Module, card: Card) -> None:
    """Write weights and card, each in one step. Weights are rounded to half precision, running statistics are not."""
    write_bytes(folder / "model.safetensors", safetensors.torch.save(half_precision(model)))
    write_card(folder, card)


def write_card(folder: Path, card: Card) -> None:
    """Write `card.json` in one step."""
    write_json(folder / "card.json", dataclasses.asdict(card))


def half_precision(model: nn.Module) -> dict[str, Tensor]:
    """The state as it is shipped: parameters in float16, buffers as they are (a running variance may pass 65504)."""
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        state[name] = parameter.detach().half().cpu().contiguous()
        if not state[name].isfinite().all():
            raise CheckpointError(f"{name} holds numbers that half precision cannot, so the weights were not written")
    return state


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(_missing(path)) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error}). {_get_it_again(path)}") from error
    try:
        return safetensors.torch.load(data)
    except safetensors.SafetensorError as error:
        if data[:2] == b"PK" or data[:1] == b"\x80":  # only now: the length of a true header may begin with 0x80
            raise CheckpointError(
                f"{path} is a pickle, which can run any code when opened; only safetensors are loaded."
            ) from error
        raise CheckpointError(f"{path} is damaged ({error}). {_get_it_again(path)}") from error


def _missing(path: Path) -> str:
    name = path.parent.name
    if path.parent.parent != ROOT or path.parent.is_dir():
        return f"{path} is not there. {_get_it_again(path)}"
    if name in list_models() and not get_spec(name).stages:  # it has no layers of its own to train
        return f'"{name}" is not there: ferscope refresh makes it, where it is better than every single network.'
    if name in list_models():
        return f'A checkpoint of "{name}" is not there: it is not trained yet. Train it: ferscope train --model {name}'
    if (ROOT / "runs" / name / "card.json").is_file():
        return f'"{name}" is a run, not a checkpoint that ships. Give its folder: {ROOT / "runs" / name}'
    near = difflib.get_close_matches(name, list_checkpoints(), n=3, cutoff=0.0)
    return f'A checkpoint "{name}" is not there. The nearest names: {", ".join(near)}'


def _get_it_again(path: Path) -> str:
    return f"Get it again (git checkout checkpoints) or train it: ferscope train --model {path.parent.name}"
