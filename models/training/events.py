"""What a training tells while it runs: one JSON object a line, which anybody may read at any time."""

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
    """Whether this process speaks for the training: alone, or the first that `torchrun` or `fabric run` numbered."""
    return os.environ.get("RANK", "0") == "0"


@with_config(ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))
class Event(TypedDict, total=False):
    """One event: its kind, when it was (seconds since 1970), and what it is about.

    Kinds: started, resumed, progress (inside an epoch), epoch (a row of the history), paused, finished, interrupted,
    failed (with a message), not a number (with the ids of the images in the step). A number is None where it is none.
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
        """Append one event; raises DiskFullError where there is no room."""
        line = as_json({"event": event, "time": round(time.time(), 3), **values})
        _EVENT.validate_json(line)
        with say_when_full(self.path), self.path.open("ab") as file:
            file.write(line)


def read_events(path: Path) -> list[Event]:
    """All events so far.

    Lines that are no event are left out: the last one while it is being written, and one that a process left half when
    it was killed.
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
