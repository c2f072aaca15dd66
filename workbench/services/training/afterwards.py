"""What a training changed: on test pictures, on the pinned faces, and whether it learned the sticker."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models import load_checkpoint
from models.checkpoints import Card, CheckpointError, read_card, read_predictions
from models.datasets import FaceSet
from models.datasets.splits import split
from models.datasets.synthetic.faces import EXPRESSIONS, draw
from models.metrics import Interval, share

from ...analysis import cam
from ...jobs import store
from ...jobs.store import Job
from .. import networks
from . import epochs, teaching

EACH = 60
"""Test pictures of each class, at most, that the two networks are asked about."""
_FACES = 24  # drawn faces, for the sticker
_SIDE = 48


@dataclass(frozen=True, eq=False)
class Change:
    """What a network answers before a training and after it, to the same pictures.

    Attributes:
        classes: names, in order.
        pictures: of the test part that both were asked about; 0 where its set is not here.
        of: how many the test part has.
        chose: whether the epoch was chosen on pictures of the test part, as some papers' splits do.
        accuracy: before and after, each with its 95 % interval (Wilson); None where there are no pictures.
        recall: of each class, before and after.
        faces: names of the pinned faces.
        answers: to them, before and after, each (F, K).
        maps: Grad-CAM of each class on them, (F, K, h, w); None without a layer.
        measured: accuracy on the whole test part, where `ferscope evaluate` has measured it, with its number of
            pictures.
        caveat: what the card says of test images that its start or teacher has seen; "" where they have seen none.
        unknown: why nothing can be said of before, in one sentence; "" otherwise, else `accuracy` has after twice.
    """

    classes: tuple[str, ...]
    pictures: int
    of: int
    chose: bool
    accuracy: tuple[Interval, Interval] | None
    recall: tuple[dict[str, Interval], dict[str, Interval]]
    faces: tuple[str, ...]
    answers: tuple[Tensor, Tensor]
    maps: tuple[Tensor | None, Tensor | None]
    measured: tuple[Interval, int] | None
    caveat: str = ""
    unknown: str = ""


def before_after(job: Job) -> Change:
    """What a training changed; asked again only when its checkpoint changes.

    Raises:
        CheckpointError: its checkpoint is damaged or not there.
    """
    stamp = (job.folder / "card.json").stat().st_mtime_ns if job.has_checkpoint else 0
    return _change(job.id, stamp)


@lru_cache(maxsize=16)
def _change(id_: str, stamp: int) -> Change:
    """As `before_after`; asked again when the checkpoint changes (`stamp`)."""
    job = store.read(id_)
    folder = job.folder
    after, card = load_checkpoint(folder)
    before, unknown = after, ""
    try:
        if job.imported and card.start is not None:
            raise ValueError(f"{card.start.name} is on the computer where it was trained.")
        before = teaching.first_model(job.config, card.classes)
    except (ValueError, OSError) as error:
        unknown = f"What it began with cannot be asked any more: {error}"
    images, labels = epochs.sample(job, "test", EACH)
    first, last = (epochs.recall(model, card, images, labels) for model in (before, after))
    names = epochs.pinned(job)
    (first_answers, first_maps), (last_answers, last_maps) = (
        epochs.seen(model, card, names) for model in (before, after)
    )
    of, chose = _test_part(job)
    return Change(
        classes=card.classes,
        pictures=len(labels),
        of=of,
        chose=chose,
        accuracy=(_share(*map(torch.sum, first)), _share(*map(torch.sum, last))) if len(labels) else None,
        recall=(_recall(card.classes, *first), _recall(card.classes, *last)),
        faces=names,
        answers=(first_answers, last_answers),
        maps=(first_maps, last_maps),
        measured=_measured(folder, card),
        caveat=card.caveat,
        unknown=unknown,
    )


def recall_of(view: epochs.EpochView) -> dict[str, Interval]:
    """Recall of each class after an epoch, on the sample of the validation part, with its 95 % interval (Wilson)."""
    return _recall(view.classes, view.right, view.asked)


def _recall(classes: tuple[str, ...], right: Tensor, asked: Tensor) -> dict[str, Interval]:
    return {name: _share(right[i], asked[i]) for i, name in enumerate(classes) if asked[i]}


def _share(right: Tensor, asked: Tensor) -> Interval:
    return share(np.arange(int(asked)) < int(right))


def _test_part(job: Job) -> tuple[int, bool]:
    """How many pictures it has, 0 where the set is not here, and whether the epoch was chosen on some of them."""
    with suppress(OSError, ValueError):
        parts = split(FaceSet.load(job.config.data), job.config.split)
        return len(parts.test), parts.chosen_on_test
    return 0, False


def _measured(folder: Path, card: Card) -> tuple[Interval, int] | None:
    """Accuracy over the whole test part from the stored answers; None where none are stored."""
    if not card.metrics:
        return None
    with suppress(CheckpointError):
        found = read_predictions(folder, list(card.metrics)[-1])
        if len(found.labels):
            return share((found.logits.argmax(-1) == found.labels).numpy()), len(found.labels)
    return None


# ---- the planted shortcut


@dataclass(frozen=True, eq=False)
class Shortcut:
    """Whether a network reads the sticker, and which methods show it.

    Attributes:
        class_: the class that carried the sticker in training.
        faces: drawn faces of other classes, new to the network.
        called: share of them that are called `class_`, without and with the sticker, each with its interval.
        on_sticker: for each method, share of the map of `class_` that lies on or near the sticker, mean over the faces
            with it, 0..1.
        area: share of the picture that this place has: what a map without any preference would get.
    """

    class_: str
    faces: int
    called: tuple[Interval, Interval]
    on_sticker: dict[str, float]
    area: float


def sticker_class(job: Job) -> str | None:
    """The class whose pictures carried a sticker in a job's set; None for other sets."""
    stem = Path(job.config.data).stem
    kind, _, rest = stem.partition("-")
    return rest.rpartition("-")[0] if kind == "sticker" else None


def shortcut(id_: str, class_: str) -> Shortcut:
    """Whether the network of a job reads the sticker; asked again only when its checkpoint changes.

    Args:
        id_: of the job, whose checkpoint is whole.
        class_: as `sticker_class` has it.

    Raises:
        CheckpointError: its checkpoint is damaged.
    """
    return _shortcut(id_, class_, (store.read(id_).folder / "card.json").stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _shortcut(id_: str, class_: str, stamp: int) -> Shortcut:
    """As `shortcut`; asked again when the checkpoint changes (`stamp`)."""
    net = networks.open_network(id_)
    others = [name for name in net.classes if name in EXPRESSIONS and name != class_]
    drawn = [(others[i % len(others)], (77, i)) for i in range(_FACES)]
    plain = np.stack([draw(name, _SIDE, seed).image for name, seed in drawn])
    stuck = [draw(name, _SIDE, seed, sticker="forehead") for name, seed in drawn]
    index = net.classes.index(class_)
    card = read_card(store.read(id_).folder)
    x, with_sticker = (card.prepare(images) for images in (plain, np.stack([face.image for face in stuck])))
    called, called_with_sticker = (share((net.logits(each).argmax(-1) == index).numpy()) for each in (x, with_sticker))
    size = (net.input_size,) * 2
    stickers = torch.from_numpy(np.stack([np.asarray(face.sticker) for face in stuck]))
    masks = F.interpolate(stickers[:, None], size)  # (F, 1, S, S)
    near = F.max_pool2d(masks, 2 * (size[0] // 12) + 1, 1, size[0] // 12)[:, 0].clamp(0, 1)  # a place of a map is wide
    shares = {}
    if net.spec.cam_layer:
        maps = cam.atlas(net.model, with_sticker, net.cam_layer, cam.METHODS, [index], size)[:, :, 0]  # (F, M, S, S)
        inside, total = (maps * near[:, None]).sum((-2, -1)), maps.sum((-2, -1))
        held = torch.where(total > 0, inside / total.clamp_min(1e-12), 0.0).mean(0)  # (M,)
        shares = dict(zip(cam.METHODS, held.tolist(), strict=True))
    return Shortcut(class_, len(drawn), (called, called_with_sticker), shares, float(near.mean()))
