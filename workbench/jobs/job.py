"""One training as its folder describes it, checked when it is read: status, configuration, card and history."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from models.cards import Count, first_reason, parse_card, parse_json
from models.registry import get_spec
from models.training import history
from models.training import resume as state
from models.training.config import FILE as CONFIG
from models.training.config import TrainConfig, parse_config, read_config

State = Literal["queued", "running", "stopping", "done", "failed", "cancelled", "lost", "broken"]
"""queued → running → done | failed | cancelled (stopped by a person) | lost (ended without a word); stopping: asked to
end, not yet gone. A queued job that is stopped is cancelled at once. `resume` queues any ended one again. A job is
broken where one of its files is damaged: it can be removed, and nothing else."""

ALIVE = ("queued", "running", "stopping")
"""States that still change by themselves."""

STATUS = "status.json"
ID = re.compile(r"(\d{8}-\d{6})-([a-z0-9_]{1,60})-[0-9a-f]{4}")
_LARGEST = 2**20  # bytes of a status; one has half a thousand
Seconds = Annotated[float, Field(ge=0, le=1e11)]  # since 1970


class JobError(ValueError):
    """What was asked for cannot be done; the message is one sentence that says why and what to do."""


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))
class Job:
    """One training, as its `status.json` has it.

    Attributes:
        id: made by us, e.g. "20251121-143005-residual_cnn-3fa9"; safe as the name of a folder and in an address.
        folder: where everything of it lies.
        title: what a person called it, one line of at most 80 characters; to be shown, never a path.
        state: see `State`.
        network: name for `create_model`.
        epochs: how many it shall train.
        created, started, ended: seconds since 1970; started: the last time that a process began; None: not yet.
        pid: number of its process, to send it signals; None while none runs.
        runs: how many processes it has had; more than one after `resume`.
        told: how many events there were when the last of them began: what came before is not its word.
        asked: when it was asked to end; None: it was not.
        paused: whether it is done because its minutes were used up before its last epoch; `resume` gives as many again.
        message: one sentence for people: why it waits, failed, is broken, or what it left; "" where there is nothing
            to say.
        belongs_to: id of the set of people's own pictures that it learns from (a folder of `OWN`); None for others.
            Such a job is neither promoted nor exported, and goes with its set.
        imported: whether it came from another FERScope; such a one was done when it came, and is not resumed.
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
    told: Count = 0
    asked: Seconds | None = None
    paused: bool = False
    message: Annotated[str, Field(max_length=2000)] = ""
    belongs_to: Annotated[str | None, Field(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")] = None
    imported: bool = False

    @property
    def alive(self) -> bool:
        """Whether its state still changes by itself: queued, running or stopping."""
        return self.state in ALIVE

    @property
    def config(self) -> TrainConfig:
        """What it trains; raises JobError where the file was made by another version, or is damaged."""
        try:
            return read_config(self.folder)
        except ValueError as error:
            raise JobError(
                f'What "{self.title}" trains was written by another version, or is damaged: remove it.'
            ) from error

    @property
    def has_checkpoint(self) -> bool:
        """Whether `models.load_checkpoint(job.folder)` finds weights and card: those of the best epoch so far."""
        files = (self.folder / "model.safetensors", self.folder / "card.json")
        return self.state != "broken" and all(file.is_file() for file in files)

    @property
    def resumable(self) -> bool:
        """Whether `runner.resume` has something left to train: it ended before its last epoch."""
        if self.alive or self.imported or self.state == "broken":
            return False
        return self.state != "done" or self.paused

    @property
    def has_state(self) -> bool:
        """Whether a whole epoch is kept to go on from; a job without begins anew when it is resumed."""
        return (self.folder / state.FILE).is_file()


def read_job(folder: Path) -> Job:
    """The job in a folder; one of the state "broken", with the reason, where one of its files is damaged."""
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
            if name in (STATUS, CONFIG):  # the others come with the first epoch
                return _broken(folder, f"Its {name} is missing: remove the job.")
        except (OSError, ValueError) as error:
            return _broken(folder, f"Its {name} is damaged, or of another version ({error}): remove the job.")
    return found[STATUS]


def _status(path: Path) -> Job:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST >> 20} MB")
    values = parse_json(path.read_bytes())
    if not isinstance(values, dict) or values.keys() & {"id", "folder"} or values.get("state") == "broken":
        raise ValueError("it is not the status of a job")
    values.pop("born", None)  # of earlier versions
    try:
        job = Job(id=path.parent.name, folder=path.parent, **values)
    except ValidationError as error:
        raise ValueError(first_reason(error)) from error
    get_spec(job.network)
    return job


def _broken(folder: Path, why: str) -> Job:
    """A job of which no more is said than its id tells, and whose pictures it learned from, where that can be read."""
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
