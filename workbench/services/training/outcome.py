"""Effects of a training run: on test images, on the pinned faces, and whether the network relies on the sticker."""

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
from . import epochs, sources

PER_CLASS = 60
"""Largest number of test images of each class on which the two networks are compared."""
_FACES = 24  # drawn faces, for the sticker
_SIDE = 48


@dataclass(frozen=True, eq=False)
class BeforeAfter:
    """Predictions of a network before and after a training run, for the same images.

    Attributes:
        classes: names, in order.
        n_images: number of test images; 0 if the dataset is not available.
        of: number of images of the test set.
        chosen_on_test: whether the epoch was selected on images of the test set, as in some papers' splits.
        accuracy: accuracy before and after, each with its 95 % interval (Wilson); None where there are no images.
        recall: recall of each class, before and after.
        faces: names of the pinned faces.
        probabilities: probabilities for them, before and after, each (F, K).
        maps: Grad-CAM of each class on them, (F, K, h, w); None without a layer.
        measured: accuracy on the whole test set, where `ferscope evaluate` has measured it, with its number of
            images.
        caveat: what the card says of test images that its start or teacher has seen; "" where they have seen none.
        excluded: how many training images were left out by which list; "" for none.
        unknown: one sentence if the initial weights are not available; `accuracy` then holds the value after twice.
    """

    classes: tuple[str, ...]
    n_images: int
    of: int
    chosen_on_test: bool
    accuracy: tuple[Interval, Interval] | None
    recall: tuple[dict[str, Interval], dict[str, Interval]]
    faces: tuple[str, ...]
    probabilities: tuple[Tensor, Tensor]
    maps: tuple[Tensor | None, Tensor | None]
    measured: tuple[Interval, int] | None
    caveat: str = ""
    excluded: str = ""
    unknown: str = ""


def before_after(job: Job) -> BeforeAfter:
    """Predictions before and after a training run; computed again only when its checkpoint changes.

    Raises:
        CheckpointError: its checkpoint is damaged or not there.
    """
    stamp = (job.folder / "card.json").stat().st_mtime_ns if job.has_checkpoint else 0
    return _before_after(job.id, stamp)


@lru_cache(maxsize=16)
def _before_after(id_: str, stamp: int) -> BeforeAfter:
    """`before_after`, cached until the checkpoint changes (`stamp`)."""
    job = store.read(id_)
    folder = job.folder
    after, card = load_checkpoint(folder)
    before, unknown = after, ""
    try:
        if job.imported and card.start is not None:
            raise ValueError(f"{card.start.name} is on the computer where it was trained.")
        before = sources.first_model(job.config, card.classes)
    except (ValueError, OSError) as error:
        unknown = f"The initial weights are not available: {error}"
    images, labels = epochs.sample(job, "test", PER_CLASS)
    first, last = (epochs.recall(model, card, images, labels) for model in (before, after))
    names = epochs.pinned(job)
    (first_probabilities, first_maps), (last_probabilities, last_maps) = (
        epochs.evaluate_pinned(model, card, names) for model in (before, after)
    )
    of, chosen_on_test = _test_part(job)
    return BeforeAfter(
        classes=card.classes,
        n_images=len(labels),
        of=of,
        chosen_on_test=chosen_on_test,
        accuracy=(_share(*map(torch.sum, first)), _share(*map(torch.sum, last))) if len(labels) else None,
        recall=(_recall(card.classes, *first), _recall(card.classes, *last)),
        faces=names,
        probabilities=(first_probabilities, last_probabilities),
        maps=(first_maps, last_maps),
        measured=_measured(folder, card),
        caveat=card.caveat,
        excluded=card.excluded.sentence if card.excluded else "",
        unknown=unknown,
    )


def recall_of(view: epochs.EpochView) -> dict[str, Interval]:
    """Recall of each class after an epoch, on the sample of the validation set, with its 95 % interval (Wilson)."""
    return _recall(view.classes, view.right, view.total)


def _recall(classes: tuple[str, ...], right: Tensor, total: Tensor) -> dict[str, Interval]:
    return {name: _share(right[i], total[i]) for i, name in enumerate(classes) if total[i]}


def _share(right: Tensor, total: Tensor) -> Interval:
    return share(np.arange(int(total)) < int(right))


def _test_part(job: Job) -> tuple[int, bool]:
    """Number of its images, 0 if the dataset is not available, and whether the epoch was selected on some of them."""
    with suppress(OSError, ValueError):
        parts = split(FaceSet.load(job.config.data), job.config.split)
        return len(parts.test), parts.chosen_on_test
    return 0, False


def _measured(folder: Path, card: Card) -> tuple[Interval, int] | None:
    """Accuracy on the whole test set from the stored predictions; None without any."""
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
    """Whether a network relies on the sticker, and which methods show it.

    Attributes:
        class_: the class that carried the sticker in training.
        faces: drawn faces of other classes, new to the network.
        predicted: share of them predicted as `class_`, without and with the sticker, each with its interval.
        on_sticker: share, for each method, of the map of `class_` that lies on or near the sticker, mean over the faces
            with it, 0..1.
        area: share of the image that this region covers, which a uniform map would get.
    """

    class_: str
    faces: int
    predicted: tuple[Interval, Interval]
    on_sticker: dict[str, float]
    area: float


def sticker_class(job: Job) -> str | None:
    """The class whose images have a sticker in a job's dataset; None for other datasets."""
    stem = Path(job.config.data).stem
    kind, _, rest = stem.partition("-")
    return rest.rpartition("-")[0] if kind == "sticker" else None


def shortcut(id_: str, class_: str) -> Shortcut:
    """Whether the network of a job relies on the sticker; computed again only when its checkpoint changes.

    Args:
        id_: id of the job, which has a checkpoint.
        class_: class with the sticker, as `sticker_class` returns it.

    Raises:
        CheckpointError: its checkpoint is damaged.
    """
    return _shortcut(id_, class_, (store.read(id_).folder / "card.json").stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _shortcut(id_: str, class_: str, stamp: int) -> Shortcut:
    """`shortcut`, cached until the checkpoint changes (`stamp`)."""
    net = networks.open_network(id_)
    others = [name for name in net.classes if name in EXPRESSIONS and name != class_]
    drawn = [(others[i % len(others)], (77, i)) for i in range(_FACES)]
    plain = np.stack([draw(name, _SIDE, seed).image for name, seed in drawn])
    with_stickers = [draw(name, _SIDE, seed, sticker="forehead") for name, seed in drawn]
    index = net.classes.index(class_)
    card = read_card(store.read(id_).folder)
    x, with_sticker = (card.prepare(images) for images in (plain, np.stack([face.image for face in with_stickers])))
    shares_predicted = [share((net.logits(each).argmax(-1) == index).numpy()) for each in (x, with_sticker)]
    size = (net.input_size,) * 2
    stickers = torch.from_numpy(np.stack([np.asarray(face.sticker) for face in with_stickers]))
    masks = F.interpolate(stickers[:, None], size)  # (F, 1, S, S)
    near = F.max_pool2d(masks, 2 * (size[0] // 12) + 1, 1, size[0] // 12)[:, 0].clamp(0, 1)
    shares = {}
    if net.spec.cam_layer:
        layer, layout = net.cam_layer, net.spec.reshape
        maps = cam.atlas(net.model, with_sticker, layer, cam.METHODS, [index], size, reshape=layout)[
            :, :, 0
        ]  # (F, M, S, S)
        inside, total = (maps * near[:, None]).sum((-2, -1)), maps.sum((-2, -1))
        held = torch.where(total > 0, inside / total.clamp_min(1e-12), 0.0).mean(0)  # (M,)
        shares = dict(zip(cam.METHODS, held.tolist(), strict=True))
    return Shortcut(class_, len(drawn), (shares_predicted[0], shares_predicted[1]), shares, float(near.mean()))
