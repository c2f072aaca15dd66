"""Events of a training run, one JSON object a line in `events.jsonl`, which can be read while it runs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any, Required

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from ..cards import Count, Name, Share, Text
from ..files import as_json, say_when_full


def first_process() -> bool:
    """Whether this process has rank 0: the only one, or the first of those that `torchrun` or `fabric run` started."""
    return os.environ.get("RANK", "0") == "0"


@with_config(ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))
class Event(TypedDict, total=False):
    """One event: its kind, its time (seconds since 1970), and its values.

    Kinds: started, resumed, progress (inside an epoch), epoch (a row of the history), paused, finished, interrupted,
    failed (with a message), not a number (with the ids of the images in the step). None stands for NaN and infinity.
    """

    event: Required[Name]
    time: Required[Annotated[float, Field(ge=0, le=1e11)]]
    epoch: Count
    step: Count
    steps: Annotated[int, Field(ge=1, le=10**9)]
    device: Text
    message: Annotated[str, Field(max_length=100_000)]
    ids: list[Text]
    loss: float | None
    accuracy: Share | None
    learning_rate: Annotated[float, Field(ge=0)]
    train_loss: float | None
    train_accuracy: Share
    validation_loss: float | None
    validation_accuracy: Annotated[float, Field(ge=-1, le=1 + 1e-6)]  # -1: no epoch was measured
    test_accuracy: Share
    seconds: Annotated[float, Field(ge=0)]


_EVENT = TypeAdapter(Event)
_OF_PROGRESS = {"epoch", "step", "steps", "loss", "accuracy"}


class EventLog:
    """Appends to `events.jsonl`; each line has `event` and `time` (seconds since 1970)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, event: str, **values: Any) -> None:
        """Append one event; raises DiskFullError if the disk is full."""
        line = as_json({"event": event, "time": round(time.time(), 3), **values})
        _EVENT.validate_json(line)
        with say_when_full(self.path), self.path.open("ab") as file:
            file.write(line)


def read_events(path: Path) -> list[Event]:
    """Read all events so far.

    Invalid lines are skipped: the last one while it is being written, and what a killed process left incomplete.
    """
    events = []
    for line in path.read_bytes().splitlines():
        try:
            event = _EVENT.validate_json(line)
        except ValidationError:
            continue
        if event["event"] != "progress" or event.keys() >= _OF_PROGRESS:
            events.append(event)
    return events
