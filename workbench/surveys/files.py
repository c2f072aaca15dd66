"""The files that surveys write beside a checkpoint's weights, checked when they are read: types, bounds, shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.checkpoints import CheckpointError, checkpoint_folder

from ..analysis.attention import Gate, GateStatistics, ModuleStatistics
from ..analysis.mean_maps import MeanMap
from ..analysis.robustness import Curve
from .sample import SurveySample, weights_digest

LARGEST = 16 * 1024**2  # bytes; the files of the shipped networks have at most 1 MB
Text = Annotated[str, Field(max_length=200)]
Share = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[float, Field(ge=-1e6, le=1e6)]
Interval = Annotated[list[Share], Field(min_length=2, max_length=2)]
Row = Annotated[list[Share], Field(min_length=1, max_length=1024)]
Rows = Annotated[list[Row], Field(min_length=1, max_length=1024)]


class _Record(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class _Sampled(_Record):
    """The fields of `SurveySample`, at the top of each file."""

    contents: ClassVar[str] = ""  # for messages

    part: Text
    pictures: Annotated[int, Field(ge=1, le=10**9)]
    of: Annotated[int, Field(ge=1, le=10**9)]
    seed: Annotated[int, Field(ge=0)]
    weights: Text
    data: Text

    @model_validator(mode="after")
    def _part_of_all(self) -> _Sampled:
        if self.pictures > self.of:
            raise ValueError(f"{self.pictures} images are more than there are ({self.of})")
        return self

    @property
    def sample(self) -> SurveySample:
        """The sample on which everything in the file was measured."""
        return SurveySample(**{name: getattr(self, name) for name in _Sampled.model_fields})


class CurveRecord(_Record):
    """Accuracy at each value of a corruption, with its 95 % interval."""

    values: Annotated[list[Number], Field(min_length=1, max_length=1000)]
    accuracy: list[Share]
    interval: list[Interval]

    @model_validator(mode="after")
    def _as_long(self) -> CurveRecord:
        if not len(self.values) == len(self.accuracy) == len(self.interval):
            raise ValueError("values, accuracy and interval have different lengths")
        if any(low > high for low, high in self.interval):
            raise ValueError("an interval ends below its start")
        return self

    def curve(self, pictures: int) -> Curve:
        """The curve as tensors, float64."""
        columns = (torch.tensor(c, dtype=torch.float64) for c in (self.values, self.accuracy, self.interval))
        return Curve(*columns, pictures)


class RobustnessFile(_Sampled):
    """`robustness.json`."""

    contents: ClassVar[str] = "accuracy curves"
    curves: Annotated[dict[Text, CurveRecord], Field(max_length=100)]


class _GateNames(_Record):
    layer: Text
    kind: Text
    title: Text
    path: Text
    neutral: Annotated[float, Field(ge=-1, le=1)] | None


class _GateRecord(_Record):
    gate: _GateNames
    saturated: Share | None
    deviation: Annotated[float, Field(ge=0, le=1e6)]
    fixed: Share | None  # None for NaN
    changed_mean: Share
    changed_off: Share | None
    changed_uniform: Share | None
    mean_map: Rows | None

    @model_validator(mode="after")
    def _is_rectangle(self) -> _GateRecord:
        if self.mean_map and len({len(row) for row in self.mean_map}) > 1:
            raise ValueError("rows of mean_map have different lengths")
        return self

    def statistics(self) -> GateStatistics:
        values = self.model_dump(exclude={"gate", "fixed", "mean_map"})
        rows = None if self.mean_map is None else torch.tensor(self.mean_map)
        return GateStatistics(gate=Gate(**self.gate.model_dump()), fixed=or_nan(self.fixed), mean_map=rows, **values)


class _ModuleRecord(_Record):
    layer: Text
    gates: Annotated[list[_GateRecord], Field(max_length=100)]
    changed_mean: Share
    changed_off: Share

    def statistics(self) -> ModuleStatistics:
        gates = tuple(gate.statistics() for gate in self.gates)
        return ModuleStatistics(self.layer, gates, self.changed_mean, self.changed_off)


class AttentionFile(_Sampled):
    """`attention.json`."""

    contents: ClassVar[str] = "gate statistics"
    pixels: Share | None  # None for NaN
    modules: Annotated[list[_ModuleRecord], Field(min_length=1, max_length=1000)]


class _MapRecord(_Record):
    class_: Annotated[int, Field(ge=0, le=1000)]
    correct: bool
    count: Annotated[int, Field(ge=0, le=10**9)]
    mean: Rows
    deviation: Rows

    def mean_map(self) -> MeanMap:
        rows = torch.tensor(self.mean), torch.tensor(self.deviation)
        return MeanMap(self.class_, self.correct, self.count, *rows)


class MeanMapsFile(_Sampled):
    """`mean_maps.json`."""

    contents: ClassVar[str] = "mean maps"
    layer: Text
    maps: Annotated[list[_MapRecord], Field(min_length=1, max_length=2000)]


class DrawnFacesFile(_Sampled):
    """`drawn_faces.json`."""

    contents: ClassVar[str] = "accuracy on drawn faces"
    accuracy: Share
    interval: Interval
    recall: Annotated[dict[Text, Share], Field(min_length=1, max_length=1000)]


File = TypeVar("File", bound=_Sampled)


def read_file(path: Path, kind: type[File], again: str) -> File:
    """Read a survey's file.

    Args:
        path: path of the file.
        kind: what it has to hold.
        again: how it is measured anew, the end of an error's message.

    Raises:
        FileNotFoundError: it is not there.
        CheckpointError: it is too large, or holds something else; the message names the first thing that is wrong.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise CheckpointError(f"{path} is larger than {LARGEST // 1024**2} MB. Delete it. {again}")
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise CheckpointError(
            f"{path} has no valid {kind.contents} ({where}: {first['msg']}). Delete it. {again}"
        ) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}). {again}") from error


def read_current(name_or_path: str | Path, file: str, kind: type[File], again: str) -> File:
    """The file of a survey that lies beside a checkpoint's weights.

    Raises:
        CheckpointError: it is not there, is damaged, or belongs to other weights.
    """
    folder = checkpoint_folder(name_or_path)
    try:
        found, weights = read_file(folder / file, kind, again), weights_digest(folder)
    except FileNotFoundError as error:
        raise CheckpointError(f"{error.filename} is not there. {again}") from error
    if found.weights != weights:
        raise CheckpointError(f"{folder / file} belongs to other weights than those beside it. {again}")
    return found


def or_nan(value: float | None) -> float:
    """A number, which JSON holds as null where it is NaN."""
    return float("nan") if value is None else value
