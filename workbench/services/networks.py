"""Networks by name, loaded once for all visitors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import cast

import models
from models import PAPERS, Card, ModelSpec, create_model, list_models, load_checkpoint
from models.checkpoints import (
    CheckpointError,
    checkpoint_folder,
    checkpoint_folders,
    is_name,
    list_checkpoints,
    read_card,
)
from models.footprint import weight_bytes
from models.seeding import seeded

from ..jobs import store
from ..jobs.store import Job, JobError
from .loaded_network import Network
from .own_networks import with_layer

WITHIN = 0.01
"""How far below the best network one with attention may be and still be the default: a point of accuracy."""


def default_network() -> str:
    """Name of the network that a visitor sees first, as the cards of the shipped checkpoints decide.

    The most accurate single network by PublicTest with flip averaging, or the best of those with attention modules
    where that is within `WITHIN` of it. Without any measured checkpoint, `residual_cnn`.
    """
    accuracy = {}
    for name in list_checkpoints():
        with suppress(CheckpointError, KeyError, TypeError, ValueError):  # a damaged card is listed where cards are
            card = read_card(name)
            if name == card.network != "ensemble" and card.split == "official" and not card.seen:
                accuracy[name] = float(card.metrics["PublicTest"]["flip"]["accuracy"])
    best = max(accuracy.values(), default=0.0)
    with_attention = {n: a for n, a in accuracy.items() if models.get_spec(n).attention_layers and a >= best - WITHIN}
    return max(with_attention or accuracy, key=accuracy.__getitem__, default="residual_cnn")


DEFAULT_NETWORK = default_network()


_KEPT_OPEN, _KEPT_BYTES = 8, 2 << 30  # networks, and bytes of their weights; the least recently used one closes first
_opened: OrderedDict[str, tuple[float, Network]] = OrderedDict()
_opening = Lock()
_stamps: dict[str, float] = {}  # of every network that was opened, also of those that were closed since
_changes = 0


def open_network(name: str) -> Network:
    """A network by name, opened once for all visitors, and again when its checkpoint changes; the last few stay open.

    One that has no checkpoint gets random weights, the same each time. A name may also be that of a checkpoint of its
    own, or of a job that was trained here (`checkpoint_names`).

    Raises:
        ValueError: there is no such network; CheckpointError: its checkpoint is damaged.
    """
    spec, folder = get_spec(name), folder_of(name)
    stamp = max((file.stat().st_mtime for file in folder.glob("*.*") if file.is_file()), default=0.0)
    with _opening:
        if name not in _opened or _opened[name][0] != stamp:
            global _changes
            _opened[name] = (stamp, _open(spec, folder))
            _changes += _stamps.get(name, stamp) != stamp
            _stamps[name] = stamp
        _opened.move_to_end(name)
        while len(_opened) > 1 and (len(_opened) > _KEPT_OPEN or _opened_bytes() > _KEPT_BYTES):
            _opened.popitem(last=False)
        return _opened[name][1]


def _opened_bytes() -> int:
    return sum(weight_bytes(net.model) for _, net in _opened.values())


def weights_changed() -> int:
    """How often a network was loaded with changed weights; earlier predictions are then out of date."""
    return _changes


def _open(spec: ModelSpec, folder: Path) -> Network:
    if folder.is_dir():
        return Network(spec.name, spec, *load_checkpoint(folder))
    with seeded(0):
        return Network(spec.name, spec, create_model(spec.name).eval(), None)


def is_trained(name: str) -> bool:
    """Whether there is a checkpoint of a network with a valid card, without loading it."""
    with suppress(CheckpointError):
        read_card(folder_of(name))
        return True
    return False


def folder_of(name: str) -> Path:
    """The folder of a checkpoint by name: of one in `checkpoints/`, or of a job that has ended. A name is never a path.

    Raises:
        ValueError: `name` has a form that no checkpoint's name has, such as that of a path.
    """
    if not is_name(name):
        raise ValueError(f'"{name[:60]}" is not a name of a network: choose one of {", ".join(network_names())}.')
    return job.folder if (job := _job(name)) else checkpoint_folder(name)


def get_spec(name: str) -> ModelSpec:
    """What is known of a network; of a checkpoint with a name of its own that of its architecture, under its name.

    Raises:
        ValueError: there is neither a network nor a checkpoint of this name.
    """
    if name in list_models():
        return with_layer(models.get_spec(name))
    if is_name(name):
        with suppress(CheckpointError):
            card = read_card(folder_of(name))
            return replace(card.spec, name=name, title=_title(name, card))
    return models.get_spec(name[:60])  # raises, with the nearest names


def titles(names: Iterable[str]) -> dict[str, str]:
    """Name of each network or checkpoint → its title."""
    return {name: get_spec(name).title for name in names}


def _title(name: str, card: Card) -> str:
    title, job = card.spec.title, _job(name)
    if job is not None:
        return f"{job.title} ({title}, {datetime.fromtimestamp(job.created):%d %b %H:%M})"
    begin, end = f"{card.network}-", f"-{card.split}-s{card.seed}"
    before, recipe, after = name.removeprefix(begin).removesuffix(end).partition(card.recipe)
    if not (card.recipe and name.startswith(begin) and name.endswith(end) and recipe):
        return f"{title} ({name})"
    settings = [part.replace("_", " ").replace(".", " = ", 1) for part in (before + after).split("-") if part]
    split = [] if card.split == "official" else [f"split {card.split}"]
    return ", ".join([title, f"recipe {recipe}", *settings, f"seed {card.seed}", *split])


def _job(name: str) -> Job | None:
    """The ended job of this id, whose checkpoint is whole; None where there is none."""
    if name in list_models():
        return None
    with suppress(JobError):
        if (job := store.read(name)).has_checkpoint and not job.alive:
            return job
    return None


def checkpoint_names() -> tuple[str, ...]:
    """Names of checkpoints besides the networks' own: of ended jobs, the newest first, then those in `checkpoints/`.

    None in `checkpoints/experiments/`.
    """
    ended = [job.id for job in store.jobs() if job.has_checkpoint and not job.alive]
    return (*ended, *(name for name in list_checkpoints() if name not in list_models()))


def stamps() -> tuple:
    """A value that changes whenever the list of networks or a card does, so that what is made of them can be cached."""
    folders = checkpoint_folders().values()
    files = (folder / name for folder in folders for name in ("card.json", "model.safetensors"))
    jobs = tuple((job, job.has_checkpoint) for job in store.jobs())
    return tuple(list_models()), tuple((file, store.stamp(file)) for file in files), jobs


def is_job(name: str) -> bool:
    """Whether a checkpoint of this name is that of an ended job."""
    return _job(name) is not None


def network_names() -> tuple[str, ...]:
    """All networks: the default one, then the trained ones, then the others, each in alphabetical order."""
    return tuple(sorted(list_models(), key=lambda name: (name != DEFAULT_NETWORK, not is_trained(name), name)))


def class_index(net: Network, class_: str) -> int:
    """Index of a class of the network; ValueError with the names of all classes if there is none of this name."""
    if class_ not in net.classes:
        raise ValueError(f'class_="{class_}" is not one of {", ".join(net.classes)}')
    return net.classes.index(class_)


def members(ensemble: str) -> tuple[str, ...]:
    """Names of the members of an ensemble."""
    return cast(tuple[str, ...], open_network(ensemble).model.names)


def paper(letter: str) -> str:
    """Title of one of the five papers, "A" to "E"."""
    return PAPERS[letter]
