"""Checks of an imported zip file before anything of it is stored: its directory, its files and their contents.

Nothing is unpacked to the disk, no pickle is opened, and a small file cannot make the program allocate much memory:
declared sizes are limited and counted again while reading, and the network of the card is first built without memory
(torch's device `meta`) to compare its shapes with those of the weights.
"""

from __future__ import annotations

import io
import json
import math
import re
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch

from models.cards import IMAGENET, Card, chain, parse_card
from models.checkpoints import CheckpointError, load_checkpoint
from models.files import UNPACKING_ERRORS, write_bytes
from models.foreign_weights import check_fit
from models.training.config import TrainConfig, parse_config
from models.training.history import parse_history

from .limits import LIMITS
from .store import JobError

FILES = ("card.json", "config.json", "model.safetensors", "history.csv", "predictions.npz")
_NEEDED = FILES[:3]
_TABLES = {"logits.npy": "f", "labels.npy": "iu", "names.npy": "U", "ids.npy": "U", "splits.npy": "U"}
_TEXT_BYTES = 2**20  # of JSON and CSV
_DIRECTORY_BYTES = 4096  # directory of a zip file with a few files
_PLAIN = re.compile(r"(?!.*(://|www\.))[\w .,:;+()/°%=-]{0,200}")  # no address, link or image for a page
_FOLDER_NAME = re.compile(r"\w[\w .,+=-]{0,150}")  # no path: an imported card must not choose what is read here
_DEPTH, _CHAIN_DEPTH = 8, 70  # of nested JSON; each generation of ancestors adds two levels
_NO_PATHS = {
    **{"data": TrainConfig().data, "exclude": None, "start_from": None, "teacher": None, "out": None},
    "resume": False,
}
"""Settings removed from an imported configuration: it must not choose which files are read here."""


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of a zip file; JobError unless they are undamaged, among `FILES` and within the limits."""
    if len(data) > LIMITS.zip_bytes:
        raise JobError(f"The zip file is larger than the limit of {LIMITS.zip_bytes // 2**20} MB.")
    files = _entries(data, FILES, LIMITS.zip_unpacked)
    if missing := [name for name in _NEEDED if name not in files]:
        raise JobError(f"The zip file lacks {', '.join(missing)}: choose one that FERScope exported.")
    return files


def verified(files: dict[str, bytes]) -> tuple[Card, TrainConfig]:
    """Card and configuration, after all of `files` are checked and found to agree; JobError otherwise."""
    card, config = _card(files["card.json"]), _config(files["config.json"])
    _check_agreement(card, config)
    _check_weights(files["model.safetensors"], card)
    if "history.csv" in files:
        _check_history(files["history.csv"], card)
    if "predictions.npz" in files:
        _check_predictions(files["predictions.npz"], len(card.classes))
    with tempfile.TemporaryDirectory() as folder:  # load it as it will be loaded later
        for name in ("card.json", "model.safetensors"):
            write_bytes(Path(folder) / name, files[name])
        try:
            load_checkpoint(Path(folder))
        except CheckpointError as error:
            raise JobError(f"Its weights do not fit the network {card.network} of its card.") from error
    return card, TrainConfig.model_validate(config.model_dump() | _NO_PATHS)


def _check_agreement(card: Card, config: TrainConfig) -> None:
    """Raise JobError if card and configuration are of different training runs."""
    if (config.model, config.overrides) != (card.network, card.overrides):
        named = [
            f"{name} {options or ''}".strip()
            for name, options in ((config.model, config.overrides), (card.network, card.overrides))
        ]
        raise JobError(f"Its config.json is of {named[0]}, its card.json of {named[1]}: export it again.")
    if config.split != card.split:
        raise JobError(f"Its config.json has the split {config.split}, its card.json {card.split}: export it again.")
    teacher = (config.teacher or config.start_from) if config.distillation else None
    for what, folder, ancestor in (("start", config.start_from, card.start), ("teacher", teacher, card.teacher)):
        known = None if ancestor is None or ancestor.name == IMAGENET else ancestor.name
        if known != (folder and folder.name):
            raise JobError(f"Its card.json does not list the {what} of its config.json as an ancestor.")


def _entries(data: bytes, allowed: tuple[str, ...], most: int) -> dict[str, bytes]:
    """The files of a zip file by name, with at most `most` bytes unpacked."""
    _check_directory(data)
    found: dict[str, bytes] = {}
    with (
        unzipping("It is not a zip file, or it is damaged: export it again."),
        zipfile.ZipFile(io.BytesIO(data)) as archive,
    ):
        for info in archive.infolist():
            if info.filename not in allowed or info.filename in found:
                shown = "".join(letter for letter in info.filename[:60] if letter.isprintable())
                raise JobError(f'The zip file contains "{shown}", which FERScope does not export.')
            if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise JobError(f"{info.filename} is encrypted or compressed with an unsupported method.")
            room = most - sum(map(len, found.values()))
            with archive.open(info) as file:
                found[info.filename] = file.read(room + 1) if info.file_size <= room else b""
            if info.file_size > room or len(found[info.filename]) > room:
                raise JobError(f"Unpacked it is larger than the limit of {most // 2**20} MB.")
    return found


@contextmanager
def unzipping(message: str) -> Iterator[None]:
    """Turn whatever `zipfile` raises for a damaged or unsupported file into JobError(`message`)."""
    try:
        yield
    except JobError:
        raise
    except UNPACKING_ERRORS as error:
        raise JobError(message) from error


def _check_directory(data: bytes) -> None:
    """Check the end record before a library reads millions of entries: few entries, no comment, no ZIP64."""
    end = data[-22:]
    if len(end) < 22 or end[:4] != b"PK\x05\x06" or data[-42:-38] == b"PK\x06\x07":
        raise JobError("It is not a zip file that FERScope exported.")
    entries, size = struct.unpack("<HI", end[10:16])
    if entries > LIMITS.zip_entries or size > _DIRECTORY_BYTES:
        raise JobError(f"The zip file contains {entries} files; FERScope exports at most {len(FILES)}.")


def _json(name: str, data: bytes) -> Any:
    try:
        if len(data) > _TEXT_BYTES:
            raise ValueError("too long")
        value = json.loads(data)
        ancestors = value.get("ancestors", []) if isinstance(value, dict) else []
        _check_plain({**value, "ancestors": []} if ancestors else value)
        _check_plain(ancestors, _DEPTH - _CHAIN_DEPTH)
    except (ValueError, RecursionError) as error:
        raise JobError(f"Its {name} is damaged or has contents that FERScope does not write.") from error
    return value


def _check_plain(value: Any, depth: int = 0) -> None:
    """Raise ValueError for texts other than plain words, and for deep nesting."""
    if depth > _DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        raise ValueError("not plain")
    children = [*value.keys(), *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        _check_plain(child, depth + 1)


def _card(data: bytes) -> Card:
    _json("card.json", data)
    try:
        card = parse_card(data)
    except ValueError as error:
        raise JobError(f"Its card.json is not the card of a checkpoint ({_short(error)}).") from error
    sound = (
        all(not isinstance(value, list) for value in card.overrides.values())
        and not {"num_classes", "pretrained"} & card.overrides.keys()
        and _FOLDER_NAME.fullmatch(card.split)
        and not card.split.endswith(".json")
        and _sound_chain(card)
    )
    if not sound:
        raise JobError("Its card.json has options, a split or ancestors that FERScope does not write.")
    return card


def _sound_chain(card: Card) -> bool:
    """Whether names and splits of its ancestors are no paths; a split is empty only together with the data."""
    return all(
        _FOLDER_NAME.fullmatch(one.name)
        and (_FOLDER_NAME.fullmatch(one.split) or not one.split + one.data)
        and not one.split.endswith(".json")
        for one in chain(card.ancestors)
    )


def _config(data: bytes) -> TrainConfig:
    try:
        _json("config.json", data)
        return parse_config(data)
    except JobError:
        raise
    except ValueError as error:
        raise JobError(
            f"Its config.json is damaged or of another version ({_short(error)}): update both installations."
        ) from error


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _check_weights(data: bytes, card: Card) -> None:
    try:
        weights = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError) as error:
        raise JobError("Its weights are damaged, or are not in the safetensors format: export it again.") from error
    if not all(value.isfinite().all() for value in weights.values() if value.is_floating_point()):
        raise JobError("Its weights contain NaN or infinite values: train it again.")
    try:
        check_fit(card, weights)
    except ValueError as error:
        raise JobError(f"Its weights do not fit the network {card.network} of its card ({_short(error)}).") from error


def _check_history(data: bytes, card: Card) -> None:
    try:
        rows = parse_history(data[: _TEXT_BYTES + 1])
    except ValueError as error:
        raise JobError(f"Its history.csv is not a table of epochs ({_short(error)}).") from error
    if len(data) > _TEXT_BYTES or len(rows) < card.best_epoch:
        raise JobError("Its history.csv is too long, or ends before the best epoch: export it again.")


def _check_predictions(data: bytes, classes: int) -> None:
    """Check the arrays of an npz file, which is a zip file too, with the size of each array in its header."""
    files = _entries(data, tuple(_TABLES), LIMITS.zip_unpacked)
    try:
        if files.keys() != _TABLES.keys():
            raise ValueError("arrays are missing")
        arrays = {name: _array(file) for name, file in files.items()}
        rows = len(arrays["labels.npy"])
        shapes = {name: (rows, classes) if name == "logits.npy" else (rows,) for name in arrays}
        if any(value.shape != shapes[n] or value.dtype.kind not in _TABLES[n] for n, value in arrays.items()):
            raise ValueError("other shapes or types")
        labels = arrays["labels.npy"]
        if rows == 0 or labels.min() < 0 or labels.max() >= classes or not np.isfinite(arrays["logits.npy"]).all():
            raise ValueError("out of range")
        texts = (text for name in ("names.npy", "ids.npy", "splits.npy") for text in np.unique(arrays[name]))
        if not all(_PLAIN.fullmatch(str(text)) for text in texts):
            raise ValueError("not plain")
    except (ValueError, OSError, EOFError) as error:
        raise JobError("Its predictions.npz is damaged or has contents that FERScope does not write.") from error


def _array(file: bytes) -> np.ndarray:
    """One array. NumPy allocates what the header declares, so it is compared with the size of the file first."""
    stream = io.BytesIO(file)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(file) - stream.tell():
        raise ValueError("the header does not match the size")
    return np.load(io.BytesIO(file), allow_pickle=False)
