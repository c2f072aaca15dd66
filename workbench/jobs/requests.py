"""What somebody wants to train: made whole, checked against limits and sources, and whose pictures it learns from."""

from __future__ import annotations

import re
from pathlib import Path

from models.cards import chain
from models.checkpoints import Card, CheckpointError, read_card
from models.datasets import FaceSet
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
    """The configuration with what the runner decides, and with whole paths: the process runs in another folder."""
    try:
        check_overrides(config.model, config.overrides)
        for phase in config.plan:
            check_stages(get_spec(config.model), phase.trained_stages)
        needed = footprint(config.model, 8, tuple(config.overrides.items()), config.input_size)
        needed.check(f"{config.model} with these options")
    except ValueError as error:
        raise JobError(str(error)) from error
    lists = Path(config.split)
    more = {
        "data": config.data.absolute(),
        "start_from": config.start_from and config.start_from.absolute(),
        "teacher": config.teacher and config.teacher.absolute(),
        "split": str(lists.absolute()) if lists.is_file() else config.split,
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
    """Raise JobError where the set or the teacher is not there, the starting point is of another network, or one of the
    two has seen images that the training validates or tests with (`models/training/provenance.py`)."""
    if not config.data.is_file():
        raise JobError(
            f'The set "{config.data.name}" is not there: import it (ferscope data import) or choose another.'
        )
    if config.distillation and not (config.teacher or config.start_from):
        raise JobError("Distillation needs a trained network to learn from: begin with one, or set it to 0.")
    used = [_card(config.teacher, "teacher")] if config.teacher else []
    if config.start_from:
        used.append(_card(config.start_from, "starting point"))
        if (network := used[-1].network) != config.model:
            raise JobError(
                f'The starting point "{config.start_from.name}" is a {network}, not a {config.model}: '
                "choose one of these."
            )
    splits = {card.split for card in used} | {one.split for card in used for one in chain(card.ancestors)}
    if splits - {config.split, ""}:  # the same split is looked into by the job: reading the set takes seconds
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
        raise JobError(f'The {what} "{folder.name}" cannot be read: choose another.') from error


def owner_of(config: TrainConfig, belongs_to: str | None) -> str | None:
    """The set of own pictures that a training learns from, directly or through its starting point or teacher."""
    owners = {belongs_to} - {None}
    data = config.data.resolve()
    if data.is_relative_to(store.OWN.resolve()):
        owners.add(data.relative_to(store.OWN.resolve()).parts[0])
    for learned_from in filter(None, (config.start_from, config.teacher)):
        if (folder := learned_from.resolve()).parent == store.ROOT.resolve():
            owners |= {store.read(folder.name).belongs_to} - {None}
    if len(owners) > 1:
        raise JobError("It would learn from two sets of own pictures: choose a starting point without the other's.")
    owner = next(iter(owners), None)
    if owner is not None and not _OWNER.fullmatch(owner):
        raise JobError("The id of a set of own pictures is made of letters, digits, - and _.")
    return owner


def same(job: Job, config: TrainConfig) -> bool:
    """Whether a job trains just this, wherever it keeps it."""
    try:
        return job.config.model_copy(update={"out": None, "resume": False}) == config
    except JobError:
        return False
