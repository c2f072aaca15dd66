"""What becomes of a job's checkpoint: into `checkpoints/`, out as a zip, in from the zip of another FERScope.

A zip from elsewhere is nothing to trust (`customs.py` looks into it): only files of known names, bounded in number and
size, declared and counted; no pickle; card, weights and tables are read and verified before a job is made of them.
"""

from __future__ import annotations

import io
import os
import shutil
import time
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

from models import checkpoints
from models.cards import Ancestor
from models.checkpoints import read_card
from models.files import as_json, say_when_full, write_bytes
from models.paths import FER2013
from models.training.provenance import sets_near, verified

from . import import_checks, limits, store
from .store import Job, JobError

FILES = import_checks.FILES
"""What a parcel may hold; the first three it must."""


def promote(id_: str) -> str:
    """Copy card, weights, history and predictions to `checkpoints/<name>/`, where every picker finds them.

    Returns:
        The name, made by us: network, day and the last letters of the id. Promoting the same weights again gives the
        same name and changes nothing; better ones, after `resume`, get a number behind it. Nothing is overwritten.

    Raises:
        JobError: no such job, no checkpoint yet, still running, or trained on people's own pictures.
        DiskFullError: no room; nothing is left of the copy.
    """
    with store.locked():
        job = _shareable(id_)
        first = f"{job.network}-{job.id[:8]}-{job.id[-4:]}"
        names = (first, *(f"{first}-{n}" for n in range(2, 100)))
        weights = (job.folder / "model.safetensors").read_bytes()
        for name in names:
            place = checkpoints.ROOT / name
            if not place.exists():
                _copy(job, place)
                return name
            if (place / "model.safetensors").is_file() and (place / "model.safetensors").read_bytes() == weights:
                return name
    raise JobError(f'"{job.title}" was promoted 99 times: remove some of its checkpoints first.')


def export(id_: str) -> bytes:
    """A zip of `FILES` for another FERScope; paths of this computer are taken out of card and config.

    Raises:
        JobError: as `promote`.
    """
    job = _shareable(id_)
    texts = _without_paths(job)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as parcel:
        for name in FILES:
            if name in texts:
                parcel.writestr(name, texts[name])
            elif (path := job.folder / name).is_file():
                how = zipfile.ZIP_DEFLATED if path.suffix == ".csv" else zipfile.ZIP_STORED  # the others do not shrink
                parcel.writestr(name, path.read_bytes(), how)
    return buffer.getvalue()


def _without_paths(job: Job) -> dict[str, bytes]:
    """Card and configuration, without the folders of this computer."""
    config, card = job.config, read_card(job.folder)
    card = replace(card, split=_split_name(card.split), ancestors=_without_folders(card.ancestors))
    told = {"data": Path(config.data.name), "split": card.split, "out": None, "resume": False}
    told |= {key: Path(folder.name) for key in ("start_from", "teacher") if (folder := getattr(config, key))}
    return {
        "card.json": as_json(asdict(card)),
        "config.json": as_json(config.model_copy(update=told).model_dump(mode="json")),
    }


def _split_name(split: str) -> str:
    """A split's name; of one that a file holds the file's, without its folder."""
    return Path(split).stem if os.sep in split or split.endswith(".json") else split


def _without_folders(ancestors: tuple[Ancestor, ...]) -> tuple[Ancestor, ...]:
    return tuple(
        replace(one, split=_split_name(one.split), ancestors=_without_folders(one.ancestors)) for one in ancestors
    )


def export_name(job: Job) -> str:
    """The name under which a browser saves the zip, e.g. "ferscope-residual_cnn-3fa9.zip"."""
    return f"ferscope-{job.network}-{job.id[-4:]}.zip"


def import_zip(data: bytes) -> Job:
    """Take in a zip that `export` made: a job in the state "done", which can be looked at, promoted and removed.

    Its card is marked where its ancestors have seen validation or test images, or where that cannot be known here.

    Raises:
        JobError: not such a zip: other files, climbing paths, too many or too large, damaged, weights that do not fit
            the card, a network that this FERScope does not know; or past a limit.
        DiskFullError: no room; nothing is left of it.
    """
    files = import_checks.unpacked(data)
    card, config = import_checks.verified(files)
    files["card.json"] = as_json(asdict(verified(card, sets_near(FER2013))))
    with store.locked():
        limits.check_room(len(store.jobs()), waiting=0)
        id_, now = store.new_id(card.network), time.time()
        folder = store.ROOT / id_
        title = f"{card.network}, {card.recipe}, from another FERScope"
        job = Job(id_, folder, title, "done", card.network, config.epochs, now, ended=now, imported=True)

        def fill(place: Path) -> None:
            for name in files.keys() - {"config.json"}:
                write_bytes(place / name, files[name])

        store.create(job, config.model_copy(update={"out": folder}), fill)
    return job


def _shareable(id_: str) -> Job:
    job = store.read(id_)
    if job.state == "broken":
        raise JobError(job.message)
    if job.belongs_to is not None:
        raise JobError(f'"{job.title}" learned from people\'s own pictures: it stays here and goes with them.')
    if job.alive:
        raise JobError(f'"{job.title}" has not ended yet: wait, or stop it first.')
    if not job.has_checkpoint:
        raise JobError(f'"{job.title}" has no checkpoint: let it train one epoch at least.')
    return job


def _copy(job: Job, place: Path) -> None:
    new = checkpoints.ROOT / "runs" / f".new-{place.name}"  # where nobody looks for checkpoints
    try:
        with say_when_full(place):
            new.mkdir(parents=True, exist_ok=True)
            for name in FILES:
                if name == "config.json":  # how it was trained, where that is not its recipe
                    write_bytes(new / name, _without_paths(job)[name])
                elif (job.folder / name).is_file():
                    shutil.copyfile(job.folder / name, new / name)
            os.replace(new, place)
    finally:
        shutil.rmtree(new, ignore_errors=True)
