"""Mean Grad-CAM of a checkpoint over its test set, stored as `mean_maps.json` beside it; it holds no image.

`ferscope refresh` computes it with the dataset; the page Metrics reads it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from models.checkpoints import CheckpointError, load_checkpoint, read_card, writable_folder
from models.datasets import FaceSet
from models.files import write_json
from models.registry import get_spec

from ..analysis.mean_maps import MeanMap, mean_maps
from .files import MeanMapsFile, read_current
from .sample import SurveySample, draw_sample

FILE = "mean_maps.json"
_AGAIN = "Compute it: ferscope refresh --only maps"


@dataclass(frozen=True, eq=False)
class MeanMaps:
    """Mean maps of a checkpoint.

    Attributes:
        sample: the images and the weights.
        layer: name of the layer of Grad-CAM.
        maps: mean maps of each predicted class, that of the correct predictions, then that of the wrong ones.
    """

    sample: SurveySample
    layer: str
    maps: tuple[MeanMap, ...]


def read_mean_maps(name_or_path: str | Path) -> MeanMaps:
    """Read the mean maps beside a checkpoint's weights.

    Raises:
        CheckpointError: there are none, the file is damaged, or they belong to other weights.
    """
    found = read_current(name_or_path, FILE, MeanMapsFile, _AGAIN)
    return MeanMaps(found.sample, found.layer, tuple(one.mean_map() for one in found.maps))


def survey_mean_maps(
    name: str | Path,
    faces: FaceSet,
    limit: int | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> MeanMaps:
    """Compute the mean maps of a checkpoint over its test set and store them, unless they are stored already.

    Args:
        name: a checkpoint's name, or the path of its folder.
        faces: the dataset; the card's split divides it.
        limit: number of images, a seeded sample stratified by class; None: all.
        device: where the network runs.
        progress: called with the images that are done, and their total.

    Raises:
        CheckpointError: there is no such checkpoint.
        DataError: the dataset has other classes, or lacks what the split needs.
        ValueError: the network has no layer for class activation maps.
    """
    sample, chosen = draw_sample(name, faces, "test", limit, 0)
    try:
        if (known := read_mean_maps(name)).sample == sample:
            return known
    except CheckpointError:
        pass
    layer = get_spec(read_card(name).network).cam_layer
    if layer is None:
        raise ValueError(f"{name}: the network has no layer for class activation maps")
    model, card = load_checkpoint(name, device)
    x = card.prepare(torch.from_numpy(chosen.images).to(device))
    labels = torch.from_numpy(chosen.labels).long()
    maps = mean_maps(model, x, labels, layer, progress=lambda done: progress(done, len(chosen)))
    found = MeanMaps(sample, layer, maps)
    _write(writable_folder(name) / FILE, found)
    return found


def _write(path: Path, found: MeanMaps) -> None:
    maps = [
        {**dataclasses.asdict(one), "mean": _rows(one.mean), "deviation": _rows(one.deviation)} for one in found.maps
    ]
    write_json(path, {**dataclasses.asdict(found.sample), "layer": found.layer, "maps": maps})


def _rows(values: torch.Tensor) -> list[list[float]]:
    return [[round(v, 4) for v in row] for row in values.tolist()]
