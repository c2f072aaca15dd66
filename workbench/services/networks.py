"""Networks by name, loaded once for all visitors."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import cast

import torch
from torch import Tensor, nn

import models
from models import PAPERS, Card, ModelSpec, create_model, list_models, load_checkpoint
from models.checkpoints import (
    CheckpointError,
    checkpoint_folder,
    is_name,
    list_checkpoints,
    read_card,
)
from models.datasets import EMOTIONS
from models.footprint import weight_bytes
from models.layers.svd_attention import SVDAttention
from models.preprocessing import normalize, to_unit, with_channels
from models.seeding import seeded

from ..faces import Face
from ..jobs import store
from ..jobs.store import Job, JobError
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


@dataclass(frozen=True, eq=False)
class Network:
    """A loaded network.

    Attributes:
        name: what the other functions take.
        spec: what is known of its architecture.
        model: in evaluation mode, on the CPU.
        card: of its trained weights; None for random weights, whose predictions mean nothing.
    """

    name: str
    spec: ModelSpec
    model: nn.Module
    card: Card | None

    @property
    def trained(self) -> bool:
        """Whether it has trained weights."""
        return self.card is not None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in the order of the logits."""
        return self.card.classes if self.card else EMOTIONS

    @property
    def channels(self) -> int:
        """Channels of its input: 1 for gray, 3 for RGB."""
        return self.card.channels if self.card else self.spec.channels

    @property
    def input_size(self) -> int:
        """Side of its input in pixels."""
        return self.card.input_size if self.card else self.spec.input_size

    @property
    def temperature(self) -> float:
        """What its logits are divided by for calibrated probabilities; 1 where none was fitted."""
        return self.card.temperature or 1.0 if self.card else 1.0

    @property
    def inner_side(self) -> int | None:
        """Side in pixels to which it resizes each image inside; None for a network that does not."""
        side = self.spec.inner_side
        return side and cast(int, (self.card.overrides if self.card else {}).get("side", side))

    @property
    def cam_layer(self) -> str:
        """Its layer for class activation maps; ValueError where it has none."""
        if self.spec.cam_layer is None:
            raise ValueError(f"{self.name} has no layer for class activation maps: choose another network")
        return self.spec.cam_layer

    @property
    def svd_layers(self) -> tuple[str, ...]:
        """Its SVD attention modules, in the order of the forward pass."""
        return tuple(
            name for name in self.spec.attention_layers if isinstance(self.model.get_submodule(name), SVDAttention)
        )

    def see(self, face: Face) -> Tensor:
        """Luminance of what it gets of a face, in 0..1, (S, S); for a gray network all of it. TypeError for no face."""
        if not isinstance(face, Face):
            how = "face = faces.find(path)[0], with `from workbench import faces`"
            raise TypeError(f"A network takes a face, not {type(face).__name__}. From an image: {how}")
        return to_unit(torch.from_numpy(face.gray(self.input_size))[None], self.input_size)[0, 0]

    def pixels(self, face: Face) -> Tensor:
        """The pixels that it gets of a face, in 0..1, (C, S, S): gray or RGB."""
        if self.channels == 1 or not isinstance(face, Face):
            return self.see(face)[None]
        return to_unit(torch.from_numpy(face.rgb(self.input_size))[None], self.input_size)[0]

    def normalized(self, pixels: Tensor) -> Tensor:
        """Pixels in 0..1, gray (B, S, S) or (B, 1, S, S), or RGB (B, 3, S, S), as its input, (B, C, S, S)."""
        mean, std = (self.card.mean, self.card.std) if self.card else (0.5, 0.25)
        planes = pixels[:, None] if pixels.ndim == 3 else pixels
        return normalize(with_channels(planes, self.channels), mean, std)

    def prepare(self, face: Face) -> Tensor:
        """Its input for a face, (1, C, S, S)."""
        return self.normalized(self.pixels(face)[None])

    def shown_and_input(self, face: Face) -> tuple[Tensor, Tensor]:
        """Luminance of what it gets of a face, (S, S), and its input, (1, C, S, S)."""
        pixels = self.pixels(face)
        return pixels[0] if self.channels == 1 else self.see(face), self.normalized(pixels[None])

    def probabilities(self, pixels: Tensor) -> Tensor:
        """Calibrated probabilities for pixels in 0..1, such as perturbed ones, (B, 1 or C, S, S) → (B, K)."""
        return self.calibrated(self.logits(self.normalized(pixels)))

    def logits(self, x: Tensor) -> Tensor:
        """Logits for inputs (B, C, S, S): (B, K)."""
        with torch.inference_mode():
            return self.model(x).float()

    def calibrated(self, logits: Tensor) -> Tensor:
        """Probabilities, calibrated by the card's temperature, of logits (B, K): (B, K).

        Raises:
            CheckpointError: the weights give no numbers.
        """
        if not logits.isfinite().all():
            raise CheckpointError(
                f"The weights of {self.name} give no numbers for this face; get its checkpoint again."
            )
        return (logits / self.temperature).softmax(-1)


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
    job = _job(name)
    return job.folder if job else checkpoint_folder(name)


def get_spec(name: str) -> ModelSpec:
    """What is known of a network; of a checkpoint with a name of its own that of its architecture, under its name.

    Raises:
        ValueError: there is neither a network nor a checkpoint of this name.
    """
    if name in list_models():
        return with_layer(models.get_spec(name))
    if is_name(name):
        with suppress(CheckpointError):
            spec = read_card(folder_of(name)).spec
            return replace(spec, name=name, title=_title(name, spec))
    return models.get_spec(name[:60])  # raises, with the nearest names


def _title(name: str, spec: ModelSpec) -> str:
    job = _job(name)
    if job is None:
        return f"{spec.title} ({name})"
    return f"{job.title} ({spec.title}, {datetime.fromtimestamp(job.created):%d %b %H:%M})"


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
