"""Statistics of a checkpoint's gates over a fixed sample of its validation set, stored as `attention.json` beside it.

`ferscope refresh` measures them with the dataset; the page Attention reads them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import torch

from models.checkpoints import CheckpointError, load_checkpoint, writable_folder
from models.datasets import FaceSet
from models.files import write_json
from models.preprocessing import to_unit

from ..analysis.attention import GateStatistics, ModuleStatistics, fixed_share, gate_statistics, gates_of, passes
from .files import AttentionFile, or_nan, read_current
from .sample import SurveySample, draw_sample

FILE = "attention.json"
IMAGES = 500
"""Number of images of the validation set on which gates are measured."""


@dataclass(frozen=True, eq=False)
class GateSurvey:
    """Measured statistics of a checkpoint's gates.

    Attributes:
        sample: the images and the weights.
        modules: statistics of each attention module, and of all together; see `gate_statistics`.
        pixels: the correlation ratio η² of the images themselves, 0..1, for comparison with those of the gates.
    """

    sample: SurveySample
    modules: tuple[ModuleStatistics, ...]
    pixels: float


def read_gates(name_or_path: str | Path) -> GateSurvey:
    """Read the statistics stored beside a checkpoint's weights.

    Raises:
        CheckpointError: there are none, the file is damaged, or they belong to other weights.
    """
    found = read_current(name_or_path, FILE, AttentionFile, "Measure it: ferscope refresh --only attention")
    modules = tuple(module.statistics() for module in found.modules)
    return GateSurvey(found.sample, modules, or_nan(found.pixels))


def survey_gates(
    name: str | Path,
    faces: FaceSet,
    limit: int = IMAGES,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> GateSurvey:
    """Measure the gates of a checkpoint on its validation set and store the statistics, unless they are stored already.

    Args:
        name: a checkpoint's name, or the path of its folder.
        faces: the dataset; the card's split divides it.
        limit: number of images, a seeded sample stratified by class.
        seed: random seed of that sample.
        device: where the network runs.
        progress: called with the passes over the sample that are done, and their total.

    Raises:
        CheckpointError: there is no such checkpoint.
        DataError: the dataset has other classes, or lacks what the split needs.
        ValueError: the network has no gates.
    """
    sample, chosen = draw_sample(name, faces, "validation", limit, seed)
    known = matching_gates(name, sample)
    if known:
        return known
    model, card = load_checkpoint(name, device)
    total = passes(gates_of(model))
    if not gates_of(model):
        raise ValueError(f"{name}: the network has no attention gates to measure")
    x = card.prepare(torch.from_numpy(chosen.images).to(device))
    modules = gate_statistics(model, x, progress=lambda done: progress(done, total))
    pixels = fixed_share(to_unit(torch.from_numpy(chosen.images), card.input_size)[:, 0])
    found = GateSurvey(sample, modules, pixels)
    _write(writable_folder(name) / FILE, found)
    return found


def matching_gates(name: str | Path, sample: SurveySample) -> GateSurvey | None:
    """The stored statistics if they are of this sample and these weights; else None."""
    try:
        found = read_gates(name)
    except CheckpointError:
        return None
    return found if found.sample == sample else None


# ---- the file


def _write(path: Path, found: GateSurvey) -> None:
    modules = [
        {
            "layer": module.layer,
            "changed_mean": module.changed_mean,
            "changed_off": module.changed_off,
            "gates": [_plain(gate) for gate in module.gates],
        }
        for module in found.modules
    ]
    write_json(path, {**dataclasses.asdict(found.sample), "pixels": _or_none(found.pixels), "modules": modules})


def _plain(found: GateStatistics) -> dict[str, Any]:
    """A gate's statistics as JSON: rounded maps, None for NaN."""
    values = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    rows = None if found.mean_map is None else [[round(v, 4) for v in row] for row in found.mean_map.tolist()]
    fixed = _or_none(found.fixed)
    return {**values, "gate": dataclasses.asdict(found.gate), "fixed": fixed, "mean_map": rows}


def _or_none(value: float) -> float | None:
    return None if isnan(value) else value
