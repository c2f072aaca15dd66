"""Predictions and maps of the network after each epoch, computed once by the app from the weights of the run.

<job>/epochs/<n>.safetensors     weights after epoch n, written by the run; deleted after processing, except the
                                 first and the last
<job>/views/<n>.npz              predictions and maps for the pinned faces, and correct predictions of each class on a
                                 sample of the validation set: small, and shared by all visitors
"""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn

from models import Card, create_model
from models.checkpoints import read_card
from models.datasets import FaceSet
from models.datasets.splits import split
from models.datasets.synthetic.faces import draw
from models.files import UNPACKING_ERRORS, write_bytes, write_json
from models.metrics import predict

from ...analysis import cam
from ...faces import Face, load_sample, samples
from ...jobs import runner, store
from ...jobs.store import Job

PINNED = tuple(s.name for s in samples()) + tuple(f"sticker_{name}" for name in ("happy", "sad", "angry"))
"""Faces that may be pinned: samples, and drawn ones with a sticker on the forehead; never a visitor's own images."""
DEFAULT_PINNED = ("drawn_happy", "drawn_surprise")
_PER_CLASS = 30  # images of each class in the sample of the validation set
_SIDE = 480  # pixels, of a drawn face
_EARLIER = {"probabilities": "answers", "right": "right", "total": "asked"}  # arrays in files of earlier versions


@dataclass(frozen=True, eq=False)
class EpochView:
    """Predictions of the network after one epoch.

    Attributes:
        epoch: number of the epoch, from 1.
        classes: names, in order.
        faces: names of the pinned faces.
        probabilities: probabilities for each face, (F, K).
        maps: Grad-CAM of each class on each face, at least 0, in the unit of its logit, (F, K, h, w); None for a
            network without a layer for maps.
        right, total: correctly predicted images of each class, and all its images, in a sample of the validation set,
            each (K,).
    """

    epoch: int
    classes: tuple[str, ...]
    faces: tuple[str, ...]
    probabilities: Tensor
    maps: Tensor | None
    right: Tensor
    total: Tensor


# ---- pinned faces


def pin(job: Job, names: Sequence[str]) -> None:
    """Choose the faces whose maps are drawn after each epoch of a job; unknown ones are left out."""
    write_json(job.folder / "views" / "pinned.json", [name for name in names if name in PINNED][:2])


def pinned(job: Job) -> tuple[str, ...]:
    """The names of the faces that are pinned for a job."""
    with suppress(OSError, ValueError):
        found = json.loads((job.folder / "views" / "pinned.json").read_text("utf-8"))
        return tuple(name for name in found if name in PINNED) or DEFAULT_PINNED
    return DEFAULT_PINNED


@lru_cache(maxsize=32)
def pinned_face(name: str) -> Face:
    """A face that may be pinned, by its name."""
    if name.startswith("sticker_"):
        drawn = draw(name.removeprefix("sticker_"), size=_SIDE, sticker="forehead")
        return Face(Image.fromarray(drawn.image).convert("RGB"))
    return load_sample(name)


def pinned_title(name: str) -> str:
    """The title of a pinned face."""
    if name.startswith("sticker_"):
        return f"Drawn face with a sticker: {name.removeprefix('sticker_')}"
    return next(s.title for s in samples() if s.name == name)


def drawn_class(name: str) -> str | None:
    """The expression that a pinned face was drawn with; None for a photograph."""
    kind, _, emotion = name.partition("_")
    return emotion if kind in ("drawn", "sticker") else None


# ---- reading


def views(job: Job) -> list[EpochView]:
    """The views computed so far, by epoch."""
    found = []
    for path in _numbered(job.folder / "views", "npz"):
        with suppress(KeyError, *UNPACKING_ERRORS):
            found.append(_read(path, path.stat().st_mtime_ns))
    return found


@lru_cache(maxsize=256)
def _read(path: Path, stamp: int) -> EpochView:
    with np.load(path, allow_pickle=False) as file:
        tensors = {
            key: torch.from_numpy(file[key if key in file else _EARLIER[key]].astype(np.float32))
            for key in ("probabilities", "right", "total")
        }
        maps = torch.from_numpy(file["maps"].astype(np.float32)) if "maps" in file else None
        classes, names = (tuple(str(name) for name in file[key]) for key in ("classes", "faces"))
    return EpochView(int(path.stem), classes, names, maps=maps, **tensors)


def _numbered(folder: Path, kind: str) -> list[Path]:
    """Files with a number as name, in numerical order."""
    return sorted((p for p in folder.glob(f"*.{kind}") if p.stem.isdecimal()), key=lambda p: int(p.stem))


def pending(job: Job) -> bool:
    """Whether there are weights of epochs that are not processed yet."""
    done = {path.stem for path in _numbered(job.folder / "views", "npz")}
    return any(path.stem not in done for path in _numbered(job.folder / "epochs", "safetensors"))


# ---- computing


def process_epochs(job: Job) -> int:
    """Compute the missing views of epochs with weights, and delete weights that are no longer needed.

    Returns:
        Number of processed epochs.
    """
    weights = _numbered(job.folder / "epochs", "safetensors")
    done = {int(path.stem) for path in _numbered(job.folder / "views", "npz")}
    todo = [path for path in weights if int(path.stem) not in done]
    if todo:
        card = read_card(job.folder)
        model = create_model(card.network, len(card.classes), pretrained=False, **card.overrides).eval()
        for path in todo:
            state = safetensors.torch.load_file(path)
            model.load_state_dict({key: v.float() if v.is_floating_point() else v for key, v in state.items()})
            _write(job, int(path.stem), model, card)
    for path in weights[1:-1]:
        path.unlink(missing_ok=True)
    return len(todo)


def _write(job: Job, epoch: int, model: nn.Module, card: Card) -> None:
    names = pinned(job)
    probabilities, maps = evaluate_pinned(model, card, names)
    right, total = recall(model, card, *sample(job, "validation", _PER_CLASS))
    arrays = {"probabilities": probabilities.numpy(), "right": right.numpy(), "total": total.numpy()}
    if maps is not None:
        arrays["maps"] = maps.numpy().astype(np.float32)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, classes=np.array(card.classes), faces=np.array(names), **arrays)
    write_bytes(job.folder / "views" / f"{epoch}.npz", buffer.getvalue())


def evaluate_pinned(model: nn.Module, card: Card, names: Sequence[str]) -> tuple[Tensor, Tensor | None]:
    """Probabilities (F, K) and Grad-CAM of each class (F, K, h, w) for pinned faces; None for maps without a layer."""
    x = card.prepare(np.stack([pinned_face(name).gray(card.input_size) for name in names]))  # (F, 1, S, S)
    with torch.inference_mode():
        probabilities = model(x).float().softmax(-1)
    layer = card.spec.cam_layer
    return probabilities, cam.atlas(model, x, layer, ("gradcam",), reshape=card.spec.reshape)[:, 0] if layer else None


def recall(model: nn.Module, card: Card, images: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
    """Number of correctly predicted images of each class, and of all its images: each (K,)."""
    k = len(card.classes)
    truth = torch.from_numpy(labels)
    if len(truth) == 0:
        return torch.zeros(k), torch.zeros(k)
    hit = predict(model, card, images).argmax(-1) == truth
    return truth[hit].bincount(minlength=k).float(), truth.bincount(minlength=k).float()


def sample(job: Job, part: str, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, H, W) and labels (N,) of a set of a job's split, at most `each` per class, always the same ones.

    Empty if the dataset no longer exists.
    """
    config = job.config
    with suppress(OSError, ValueError):
        path = Path(config.data)
        images, labels = _sample(path, path.stat().st_mtime_ns, config.split, part, each)
        return images, labels
    return np.empty((0, 48, 48), np.uint8), np.empty(0, np.int64)


@lru_cache(maxsize=8)
def _sample(path: Path, stamp: int, name: str, part: str, each: int) -> tuple[np.ndarray, np.ndarray]:
    found: FaceSet = getattr(split(FaceSet.load(path), name), part)
    rng = np.random.default_rng(0)
    of_each = [rng.permutation(np.flatnonzero(found.labels == k))[:each] for k in range(len(found.classes))]
    chosen: np.ndarray = np.sort(np.concatenate(of_each))
    return found.images[chosen], found.labels[chosen]


def forget_images() -> None:
    """Drop the images that `sample` cached, when a visitor deletes theirs."""
    _sample.cache_clear()


# ---- in the background


_watching = threading.Lock()
_processed: dict[str, tuple] = {}  # jobs that ended and were processed: id → state and number of runs
_reported: set[tuple[str, str]] = set()  # id and message of errors that were logged


def watch(seconds: float = 1.0) -> None:
    """Start queued jobs and process new epochs, in threads of this process; a second call has no effect."""
    runner.watch(seconds)
    if _watching.acquire(blocking=False):
        threading.Thread(target=_watch, args=(seconds,), name="epochs", daemon=True).start()


def _watch(seconds: float) -> None:
    while True:
        with suppress(OSError):  # a folder was removed meanwhile, or too many files are open: try again
            process_all()
        time.sleep(seconds)


def process_all() -> None:
    """Process the new epochs of every job once; an error is printed to the terminal once."""
    for job in store.jobs():
        now = (job.state, job.runs)
        if _processed.get(job.id) == now or job.state == "broken":
            continue
        try:
            process_epochs(job)
        except Exception as error:  # a job that was removed meanwhile, a full disk: the others go on
            if (job.id, str(error)) not in _reported:
                logging.getLogger(__name__).warning("%s: its epochs cannot be processed (%s)", job.id, error)
                _reported.add((job.id, str(error)))
        if not job.alive:
            _processed[job.id] = now
