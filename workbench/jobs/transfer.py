"""Copy a job's checkpoint to `checkpoints/`, export it as a zip file, and import the zip file of another FERScope.

An imported zip file is not trusted (`import_checks.py`): only files with known names, limited in number and size; no
pickles; card, weights and tables are read and verified before a job is created.
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
"""Files that an exported zip file may contain; the first three are required."""


def promote(id_: str) -> str:
    """Copy card, weights, history and predictions to `checkpoints/<name>/`, so that every list of networks offers it.

    Returns:
        The name: network, date and the last four digits of the id. Promoting the same weights again returns the same
        name and changes nothing; other weights, after `resume`, get a number appended. Nothing is overwritten.

    Raises:
        JobError: no such job, no checkpoint yet, still running, or trained on a visitor's own images.
        DiskFullError: the disk is full; the partial copy is removed.
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
    raise JobError(f'"{job.title}" was copied to checkpoints/ 99 times: remove some of these copies first.')


def export(id_: str) -> bytes:
    """A zip file of `FILES` for another FERScope, without paths of this computer in card and configuration.

    Raises:
        JobError: no such job, no checkpoint yet, still running, or trained on a visitor's own images.
    """
    job = _shareable(id_)
    texts = _without_paths(job)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in FILES:
            if name in texts:
                archive.writestr(name, texts[name])
            elif (path := job.folder / name).is_file():
                how = zipfile.ZIP_DEFLATED if path.suffix == ".csv" else zipfile.ZIP_STORED  # others are compressed
                archive.writestr(name, path.read_bytes(), how)
    return buffer.getvalue()


def _without_paths(job: Job) -> dict[str, bytes]:
    """Card and configuration without paths of this computer."""
    config, card = job.config, read_card(job.folder)
    card = replace(card, split=_split_name(card.split), ancestors=_without_folders(card.ancestors))
    changes = {"data": Path(config.data.name), "split": card.split, "out": None, "resume": False}
    changes |= {key: Path(folder.name) for key in ("start_from", "teacher") if (folder := getattr(config, key))}
    return {
        "card.json": as_json(asdict(card)),
        "config.json": as_json(config.model_copy(update=changes).model_dump(mode="json")),
    }


def _split_name(split: str) -> str:
    """The name of a split; for a split file its name without the folder."""
    return Path(split).stem if os.sep in split or split.endswith(".json") else split


def _without_folders(ancestors: tuple[Ancestor, ...]) -> tuple[Ancestor, ...]:
    return tuple(
        replace(one, split=_split_name(one.split), ancestors=_without_folders(one.ancestors)) for one in ancestors
    )


def export_name(job: Job) -> str:
    """File name of the exported zip file, e.g. "ferscope-residual_cnn-3fa9.zip"."""
    return f"ferscope-{job.network}-{job.id[-4:]}.zip"


def import_zip(data: bytes) -> Job:
    """Import a zip file that `export` wrote, as a job in the state "done" that can be viewed, promoted and removed.

    Its card is marked if its ancestors have seen validation or test images, or if that is not known here.

    Raises:
        JobError: other files, paths that leave the folder, too many or too large files, damaged files, weights that do
            not fit the card, or a network that this FERScope does not have; or past a limit.
        DiskFullError: the disk is full; nothing remains of the import.
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
        raise JobError(f'"{job.title}" was trained on a visitor\'s own images: it cannot be copied.')
    if job.alive:
        raise JobError(f'"{job.title}" is still running or queued: wait until it has finished, or stop it.')
    if not job.has_checkpoint:
        raise JobError(f'"{job.title}" has no checkpoint: train it for at least one epoch.')
    return job


def _copy(job: Job, place: Path) -> None:
    new = checkpoints.ROOT / "runs" / f".new-{place.name}"  # not read as a checkpoint
    try:
        with say_when_full(place):
            new.mkdir(parents=True, exist_ok=True)
            for name in FILES:
                if name == "config.json":  # the settings, which may differ from the recipe
                    write_bytes(new / name, _without_paths(job)[name])
                elif (job.folder / name).is_file():
                    shutil.copyfile(job.folder / name, new / name)
            os.replace(new, place)
    finally:
        shutil.rmtree(new, ignore_errors=True)
