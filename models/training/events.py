"""What a training tells while it runs: one JSON object a line, which anybody may read at any time."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ..files import say_when_full


def first_process() -> bool:
    """Whether this process speaks for the training: alone, or the first that `torchrun` or `fabric run` numbered."""
    return os.environ.get("RANK", "0") == "0"


class EventLog:
    """Appends to `events.jsonl`; each line has `event` and `time` (seconds since 1970)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, event: str, **values: Any) -> None:
        """Append one event; raises DiskFullError where there is no room."""
        line = json.dumps({"event": event, "time": round(time.time(), 3), **values})
        with say_when_full(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def read_events(path: Path) -> list[dict[str, Any]]:
    """All events so far; a last line that is still being written is left out."""
    events = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    return events
