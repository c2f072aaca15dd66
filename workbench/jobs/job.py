"""A job as stored in its folder: status, configuration, card and history, all checked when they are read."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from models.cards import Count, parse_card
from models.json_input import first_reason, parse_json
from models.registry import get_spec
from models.training import history
from models.training.config import FILE as CONFIG
from models.training.config import TrainConfig, parse_config, read_config

State = Literal["queued", "running", "stopping", "done", "failed", "cancelled", "lost", "broken"]
"""queued → running → done | failed | cancelled (stopped by a person) | lost (ended without an exit status).
stopping: told to stop, still running. A queued job that is stopped is cancelled at once; `resume` queues a stopped one
again. A job is broken if one of its files is damaged: it can only be removed."""

ALIVE = ("queued", "running", "stopping")
"""States that change without a user's action."""

STATUS = "status.json"
ID = re.compile(r"(\d{8}-\d{6})-([a-z0-9_]{1,60})-[0-9a-f]{4}")
_LARGEST = 2**20  # bytes of a status file; about 500 are usual
Seconds = Annotated[float, Field(ge=0, le=1e11)]  # since 1970


class JobError(ValueError):
    """A request that cannot be fulfilled; the message says why and what to do, in one sentence."""


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))
class Job:
    """A training job, as stored in its `status.json`.

    Attributes:
        id: e.g. "20251121-143005-residual_cnn-3fa9"; safe as the name of a folder and in a URL.
        folder: holds all its files.
        title: the user's name for it, one line of at most 80 characters; never used as a path.
        state: see `State`.
        network: name for `create_model`.
        epochs: number of epochs to train.
        created, started, ended: seconds since 1970; started: of its latest process; None: not yet.
        pid: process id, to send signals; None while no process runs.
        runs: number of processes so far; more than one after `resume`.
        past_events: number of events before its latest process started; earlier events belong to previous processes.
        stop_requested: when it was told to stop; None if it was not.
        paused: whether it is done because its time limit was reached before its last epoch; `resume` continues for the
            same time.
        message: one sentence for the user: why it waits, failed or is broken, or what it left; may be "".
        belongs_to: id of the visitor's own dataset that it was trained on (a folder of `OWN`); None for other data.
            Such a job is neither promoted nor exported, and is deleted with its dataset.
        imported: whether it came from another FERScope; it is done from the start and cannot be resumed.
    """

    id: Annotated[str, Field(max_length=100)]
    folder: Path
    title: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
    state: State
    network: Annotated[str, Field(max_length=100)]
    epochs: Count
    created: Seconds
    started: Seconds | None = None
    ended: Seconds | None = None
    pid: Annotated[int | None, Field(ge=1, lt=2**32)] = None
    runs: Count = 0
    past_events: Count = 0
    stop_requested: Seconds | None = None
    paused: bool = False
    message: Annotated[str, Field(max_length=2000)] = ""
    belongs_to: Annotated[str | None, Field(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")] = None
    imported: bool = False

    @property
    def alive(self) -> bool:
        """Whether its state changes without a user's action: queued, running or stopping."""
        return self.state in ALIVE

    @property
    def config(self) -> TrainConfig:
        """Its training configuration; JobError if the file is of another version or damaged."""
        try:
            return read_config(self.folder)
        except ValueError as error:
            raise JobError(
                f'The configuration of "{self.title}" is of another version or damaged: remove the job.'
            ) from error

    @property
    def has_checkpoint(self) -> bool:
        """Whether its folder holds weights and card, those of the best epoch so far, for `models.load_checkpoint`."""
        files = (self.folder / "model.safetensors", self.folder / "card.json")
        return self.state != "broken" and all(file.is_file() for file in files)

    @property
    def resumable(self) -> bool:
        """Whether it ended before its last epoch, so that `runner.resume` can continue it."""
        if self.alive or self.imported or self.state == "broken":
            return False
        return self.state != "done" or self.paused


def read_job(folder: Path) -> Job:
    """The job in a folder; in the state "broken", with the reason, if one of its files is damaged."""
    checks: dict[str, Callable[[Path], Any]] = {
        STATUS: _status,
        CONFIG: lambda path: parse_config(path.read_bytes()),
        "card.json": lambda path: parse_card(path.read_bytes()),
        history.FILE: history.read_history,
    }
    found: dict[str, Any] = {}
    for name, check in checks.items():
        try:
            found[name] = check(folder / name)
        except FileNotFoundError:
            if name in (STATUS, CONFIG):  # the others are written after the first epoch
                return _broken(folder, f"Its {name} is missing: remove the job.")
        except (OSError, ValueError) as error:
            return _broken(folder, f"Its {name} is damaged or of another version ({error}): remove the job.")
    return found[STATUS]


def _status(path: Path) -> Job:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST >> 20} MB")
    values = parse_json(path.read_bytes())
    if not isinstance(values, dict) or values.keys() & {"id", "folder"} or values.get("state") == "broken":
        raise ValueError("it is not the status of a job")
    values.pop("born", None)  # of earlier versions, as are the names of the next two
    for old, name in (("told", "past_events"), ("asked", "stop_requested")):
        if old in values:
            values[name] = values.pop(old)
    try:
        job = Job(id=path.parent.name, folder=path.parent, **values)
    except ValidationError as error:
        raise ValueError(first_reason(error)) from error
    get_spec(job.network)
    return job


def _broken(folder: Path, why: str) -> Job:
    """A broken job: what its id says, and whose images it was trained on if that can be read."""
    when, network = ID.fullmatch(folder.name).groups()
    try:
        created = time.mktime(time.strptime(when, "%Y%m%d-%H%M%S"))
    except ValueError:
        created = 0.0
    try:
        owner = parse_json((folder / STATUS).read_bytes())["belongs_to"]
        job = Job(folder.name, folder, f"{network}, damaged", "broken", network, 0, created, belongs_to=owner)
    except (OSError, ValueError, KeyError, TypeError):
        job = Job(folder.name, folder, f"{network}, damaged", "broken", network, 0, created)
    return dataclasses.replace(job, message=why[:2000])
