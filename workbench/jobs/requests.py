"""Requests to train: defaults are filled in, limits and sources are checked, and the owner of the data is found."""

from __future__ import annotations

import re
from pathlib import Path

from models.cards import chain
from models.checkpoints import Card, CheckpointError, read_card
from models.datasets import FaceSet
from models.datasets.exclusion import read_exclusion_list
from models.datasets.splits import split
from models.footprint import footprint
from models.registry import check_overrides, get_spec
from models.training.config import TrainConfig
from models.training.errors import TrainingError
from models.training.optimization import check_stages
from models.training.provenance import provenance

from . import limits, processes, store
from .store import Job, JobError

_OWNER = re.compile(r"[A-Za-z0-9_-]{1,64}")


def complete(config: TrainConfig) -> TrainConfig:
    """The configuration with the runner's settings and absolute paths, as the process runs in another folder."""
    try:
        check_overrides(config.model, config.overrides)
        for phase in config.plan:
            check_stages(get_spec(config.model), phase.trained_stages)
        needed = footprint(config.model, 8, tuple(config.overrides.items()), config.input_size)
        needed.check(f"{config.model} with these options")
    except ValueError as error:
        raise JobError(str(error)) from error
    split_file = Path(config.split)
    more = {
        "data": config.data.absolute(),
        "start_from": config.start_from and config.start_from.absolute(),
        "teacher": config.teacher and config.teacher.absolute(),
        "exclude": config.exclude and config.exclude.absolute(),
        "split": str(split_file.absolute()) if split_file.is_file() else config.split,
        "threads": config.threads or processes.default_threads(),
        "minutes": config.minutes or limits.LIMITS.minutes,
        "out": None,
        "resume": False,
    }
    config = config.model_copy(update=more)
    limits.check_config(config)
    check_sources(config)
    return config


def check_sources(config: TrainConfig) -> None:
    """Raise JobError if the dataset or a checkpoint is missing, the initial weights are of another network, or a
    checkpoint was trained on images of the validation or test set (`models/training/provenance.py`)."""
    if not config.data.is_file():
        raise JobError(
            f'There is no dataset "{config.data.name}": import it (ferscope data import) or choose another one.'
        )
    if config.exclude:
        try:
            read_exclusion_list(config.exclude)
        except ValueError as error:
            raise JobError(str(error)) from error
    if config.distillation and not (config.teacher or config.start_from):
        raise JobError("Distillation needs a teacher: start from a checkpoint, or set distillation to 0.")
    used = [_card(config.teacher, "teacher")] if config.teacher else []
    if config.start_from:
        used.append(_card(config.start_from, "checkpoint"))
        if (network := used[-1].network) != config.model:
            raise JobError(
                f'The checkpoint "{config.start_from.name}" is of {network}, not of {config.model}: '
                f"choose a checkpoint of {config.model}."
            )
    splits = {card.split for card in used} | {one.split for card in used for one in chain(card.ancestors)}
    if splits - {config.split, ""}:  # the job itself checks the same split: reading the dataset takes seconds
        _check_provenance(config)


def _check_provenance(config: TrainConfig) -> None:
    try:
        provenance(config, split(FaceSet.load(config.data), config.split))
    except (TrainingError, ValueError) as error:
        raise JobError(str(error)) from error


def _card(folder: Path, what: str) -> Card:
    try:
        return read_card(folder)
    except CheckpointError as error:
        raise JobError(f'The {what} "{folder.name}" cannot be read: choose another one.') from error


def owner_of(config: TrainConfig, belongs_to: str | None) -> str | None:
    """Id of the visitor's own dataset that a training run uses, directly or through its initial weights or teacher."""
    owners = {belongs_to} - {None}
    data = config.data.resolve()
    if data.is_relative_to(store.OWN.resolve()):
        owners.add(data.relative_to(store.OWN.resolve()).parts[0])
    for checkpoint in filter(None, (config.start_from, config.teacher)):
        if (folder := checkpoint.resolve()).parent == store.ROOT.resolve():
            owners |= {store.read(folder.name).belongs_to} - {None}
    if len(owners) > 1:
        raise JobError("Its initial weights or teacher were trained on another visitor's own dataset: choose others.")
    owner = next(iter(owners), None)
    if owner is not None and not _OWNER.fullmatch(owner):
        raise JobError("The id of an own dataset consists of letters, digits, - and _.")
    return owner


def same(job: Job, config: TrainConfig) -> bool:
    """Whether a job has this configuration, apart from its output folder."""
    try:
        return job.config.model_copy(update={"out": None, "resume": False}) == config
    except JobError:
        return False
