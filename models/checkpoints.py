"""Checkpoints: a folder with `model.safetensors` (half precision), `card.json`, and what training and evaluation add.

Checkpoints are safetensors only. A pickle can execute code when it is loaded, so this module never loads one;
`foreign_weights.py` converts other files.
"""

from __future__ import annotations

import dataclasses
import difflib
import io
import re
import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from .cards import Card, parse_card
from .files import UNPACKING_ERRORS, say_when_full, write_bytes, write_json
from .foreign_weights import SUFFIXES, check_fit
from .paths import HOME, SHIPPED
from .registry import create_model, get_spec, list_models, take_output

ROOT = HOME / "checkpoints"
"""Folder of the checkpoints that are loaded by name, and where new ones are written."""

_SHIPPED = () if SHIPPED == HOME else (SHIPPED / "checkpoints",)  # of an installed FERScope, read after `ROOT`

EXPERIMENTS = "experiments"
"""Subfolder of training runs that no list of networks offers; they are loaded by name too."""

_LARGEST_CARD = 2**22  # bytes; one with a hundred classes has half a million
_NAME = re.compile(r"[a-z0-9][a-z0-9_.+-]*", re.IGNORECASE)


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message says what is wrong and what to do."""


def list_checkpoints() -> list[str]:
    """Sorted names of the checkpoints with weights that lists of networks offer: those in `ROOT`, not `EXPERIMENTS`.

    Those with a damaged card are left out.
    """
    broken = broken_checkpoints()
    cards = (card for root in _roots() for card in root.glob("*/card.json"))
    found = {card.parent.name for card in cards if (card.parent / "model.safetensors").is_file()}
    return sorted(found - broken.keys())


def _roots() -> tuple[Path, ...]:
    """Folders in which names are looked up, the first first."""
    return ROOT, *_SHIPPED


def checkpoint_folders() -> dict[str, Path]:
    """Folders of all checkpoints by name in alphabetical order, with `EXPERIMENTS` and those without weights."""
    patterns = f"{EXPERIMENTS}/*/card.json", "*/card.json"
    cards = (card for pattern in patterns for root in reversed(_roots()) for card in root.glob(pattern))
    return dict(sorted({card.parent.name: card.parent for card in cards}.items()))  # of two with one name, the last


def broken_checkpoints() -> dict[str, str]:
    """What is wrong with each checkpoint whose card cannot be used, by its name in alphabetical order."""
    return {name: why for name, folder in checkpoint_folders().items() if (why := fault(folder))}


def fault(folder: Path) -> str | None:
    """What is wrong with the card in a folder of a checkpoint; None if it can be used or there is none."""
    try:
        if (folder / "card.json").exists():
            read_card(folder)
    except CheckpointError as error:
        return str(error)
    return None


def is_name(text: str) -> bool:
    """Whether a text has the form of a checkpoint's name: letters, digits and `_ . + -`, so that it is no path."""
    return len(text) <= 200 and _NAME.fullmatch(text) is not None


def checkpoint_folder(name_or_path: str | Path) -> Path:
    """The folder of a checkpoint by its name or path; anything with a separator is a path.

    A name means `checkpoints/<name>/` or, where that does not exist, `checkpoints/experiments/<name>/`.
    """
    if isinstance(name_or_path, str) and is_name(name_or_path) and not _is_weights(name_or_path):
        folders = [root / inner / name_or_path for inner in ("", EXPERIMENTS) for root in _roots()]
        return next((folder for folder in folders if folder.is_dir()), folders[0])
    return Path(name_or_path)


def writable_folder(name_or_path: str | Path) -> Path:
    """The folder of a checkpoint for what is written beside its weights: the user's own.

    The checkpoints of an installed FERScope lie in its package. Such a one is first copied to `ROOT`, where it is read
    from then on.
    """
    folder = checkpoint_folder(name_or_path)
    inside = [root for root in _SHIPPED if folder.resolve().is_relative_to(root.resolve())]
    if not inside:
        return folder
    own = ROOT / folder.resolve().relative_to(inside[0].resolve())
    if not own.is_dir():
        own.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=own.parent, prefix=".new-") as new, say_when_full(own):
            shutil.copytree(folder, Path(new) / own.name).rename(own)
    return own


def _is_weights(path: str | Path) -> bool:
    """Whether a path is a file of weights that another program saved."""
    return Path(path).suffix.lower() in SUFFIXES and Path(path).is_file()


def read_card(name_or_path: str | Path) -> Card:
    """The card of a checkpoint, without its weights; raises CheckpointError."""
    folder = checkpoint_folder(name_or_path)
    if _is_weights(folder):
        raise CheckpointError(
            f"{folder} is a file of weights; a checkpoint is a folder with model.safetensors and card.json. Convert "
            f"it: ferscope networks add {folder} --network NAME"
        )
    path = folder / "card.json"
    try:
        facts = path.stat()
        if facts.st_size > _LARGEST_CARD:
            raise ValueError(f"it is larger than {_LARGEST_CARD >> 20} MB")
        return _read_card(path, (facts.st_mtime_ns, facts.st_ino, facts.st_size))
    except FileNotFoundError as error:
        raise CheckpointError(_missing(path)) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not the card of a checkpoint ({error}). {_get_it_again(path)}") from error


@lru_cache(maxsize=512)
def _read_card(path: Path, stamp: tuple[int, ...]) -> Card:
    """The card that `read_card` returns; read again when the file has changed (`stamp`)."""
    return parse_card(path.read_bytes())


@dataclass(frozen=True, eq=False)
class Predictions:
    """Stored predictions of shipped weights for one split of a dataset, single view.

    Attributes:
        logits: (N, K).
        labels: index of the true class, (N,).
        names, ids: names and ids of the images, str (N,); ids as in `FaceSet.ids`.
    """

    logits: Tensor
    labels: Tensor
    names: np.ndarray
    ids: np.ndarray


def read_predictions(name_or_path: str | Path, part: str = "") -> Predictions:
    """Read the stored predictions for one split ("PublicTest", "PrivateTest"), or by default for all of them.

    Raises:
        CheckpointError: they are missing or damaged.
    """
    path = checkpoint_folder(name_or_path) / "predictions.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            wanted = file["splits"] == part if part else slice(None)
            logits, labels, names, ids = (file[key][wanted] for key in ("logits", "labels", "names", "ids"))
    except FileNotFoundError as error:
        raise CheckpointError(_missing(path)) from error
    except (KeyError, *UNPACKING_ERRORS) as error:
        raise CheckpointError(f"{path} holds no predictions ({error}). {_get_it_again(path)}") from error
    return Predictions(torch.from_numpy(logits), torch.from_numpy(labels).long(), names, ids)


def write_predictions(folder: Path, parts: dict[str, Predictions]) -> None:
    """Write `predictions.npz` atomically: the predictions for each split, by its name."""
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
        name_or_path: a name, see `checkpoint_folder`, or the path of a folder.
        device: where the network is put.

    Returns:
        The network in evaluation mode, float32, and its card.

    Raises:
        CheckpointError: it is missing, damaged, a pickle, or made for another network.
    """
    card = read_card(name_or_path)
    path = checkpoint_folder(name_or_path) / "model.safetensors"
    weights = _read_weights(path)
    try:
        check_fit(card, weights)
        model = create_model(card.network, len(card.classes), pretrained=False, **card.overrides)
        if card.output:
            take_output(model, len(card.classes), card.output)
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
    """Write `card.json` in one step; checked again, as its measures may have been changed since it was made."""
    write_json(folder / "card.json", dataclasses.asdict(dataclasses.replace(card)))


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
    if (
        path.parent.parent in [root / EXPERIMENTS for root in _roots()]
        and path.name == "model.safetensors"
        and path.parent.is_dir()
    ):
        card = read_card(path.parent)
        again = f"ferscope train --model {card.network} --recipe {card.recipe}"
        return (
            f'The weights of "{name}" are not in {path.parent}, only its card and predictions. Train it again: {again}'
        )
    if path.parent.parent != ROOT or path.parent.is_dir():
        return f"{path} is not there. {_get_it_again(path)}"
    if name in list_models() and get_spec(name).composite:  # it has no layers of its own to train
        return f'"{name}" is not there: ferscope refresh makes it, where it is better than every single network.'
    if name in list_models():
        return f'A checkpoint of "{name}" is not there: it is not trained yet. Train it: ferscope train --model {name}'
    if (ROOT / "runs" / name / "card.json").is_file():
        return f'"{name}" is a run, not a checkpoint that ships. Give its folder: {ROOT / "runs" / name}'
    near = difflib.get_close_matches(name, list_checkpoints(), n=3, cutoff=0.0)
    return f'A checkpoint "{name}" is not there. The nearest names: {", ".join(near)}'


def _get_it_again(path: Path) -> str:
    return f"Get it again (git checkout checkpoints) or train it: ferscope train --model {path.parent.name}"
