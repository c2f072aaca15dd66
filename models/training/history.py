"""Training curves, `history.csv`: a row for each complete epoch, validated when it is written and read."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from ..cards import Count, Share
from ..files import write_bytes
from ..json_input import first_reason
from ..tables import write_rows

FILE = "history.csv"
_LARGEST = 2**22  # bytes; five hundred epochs have 40 thousand
_Finite = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@with_config(ConfigDict(extra="forbid"))  # not strict: the values of a CSV are strings
class EpochRow(TypedDict):
    """Measurements of an epoch; losses in nats, NaN or infinite where the training run diverged."""

    epoch: Count
    learning_rate: _Finite
    train_loss: float
    train_accuracy: Share
    validation_loss: float
    validation_accuracy: Share
    test_accuracy: Share
    seconds: _Finite


_ROWS = TypeAdapter(list[EpochRow])


def read_history(path: Path) -> list[EpochRow]:
    """Read the rows of a `history.csv`, epochs 1, 2, …; raises FileNotFoundError, or ValueError if it is damaged."""
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST >> 20} MB")
    return parse_history(path.read_bytes())


def parse_history(data: bytes) -> list[EpochRow]:
    """Parse the bytes of a `history.csv`; raises ValueError with a short reason if they are invalid."""
    try:
        table = csv.DictReader(io.StringIO(data.decode("ascii"), newline=""))
        rows, columns = list(table), list(table.fieldnames or ())
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if missing := [name for name in EpochRow.__annotations__ if name not in columns]:
        raise ValueError(f"it has no column {missing[0]}")
    return _checked(rows)


def write_history(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write the rows atomically, with six significant digits."""
    table, columns = io.StringIO(), list(EpochRow.__annotations__)
    checked: list[dict[str, Any]] = [{**row} for row in _checked(rows)]
    write_rows(table, [columns])
    write_rows(
        table, ([row[key] if key == "epoch" else float(f"{row[key]:.6g}") for key in columns] for row in checked)
    )
    write_bytes(path, table.getvalue().encode())


def best_epoch(rows: Sequence[EpochRow]) -> dict[str, float]:
    """Number and validation accuracy of the first epoch with the highest validation accuracy; 0 and -1 without any."""
    if not rows:
        return {"epoch": 0, "validation_accuracy": -1.0}
    best = max(rows, key=lambda row: row["validation_accuracy"])
    return {name: best[name] for name in ("epoch", "validation_accuracy")}


def _checked(rows: Sequence[Mapping[str, object]]) -> list[EpochRow]:
    try:
        found = _ROWS.validate_python(rows)
    except (ValidationError, TypeError) as error:
        raise ValueError(first_reason(error) if isinstance(error, ValidationError) else str(error)) from error
    if [row["epoch"] for row in found] != [*range(1, len(found) + 1)]:
        raise ValueError("its epochs are not 1, 2, 3, …")
    return found
