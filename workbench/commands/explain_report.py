"""Report, table and maps of `ferscope explain`, written while the faces are explained, a batch at a time."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from rich.progress import MofNCompleteColumn, Progress

from models.files import say_when_full, written_at_once
from models.tables import write_rows

from .. import faces, services
from ..analysis import cam
from ..analysis.overlay import overlay, png
from ..markup import as_data, template
from ..services.batch import FaceMaps, explain_batch
from .explain_files import Crops, LeftOut, crops_of, crops_of_sample, image_files, shown
from .threads import shared_cores

BATCH = 16  # faces in a forward pass
_SIDE = 144  # pixels, of an image in the report at most; the page enlarges smaller ones
_BOX = ("left", "top", "width", "height", "angle")


@dataclass(frozen=True)
class Choices:
    """What is explained, and how.

    Attributes:
        network: name of a network.
        method: one of `cam.METHODS`.
        layer: target layer; None: the network's own.
        classes: target classes; (): the predicted class of each face.
        cropped: every image is a cropped face.
        maps: format of the files with maps; None: none are written.
    """

    network: str = services.networks.DEFAULT_NETWORK
    method: str = "gradcam"
    layer: str | None = None
    classes: tuple[str, ...] = ()
    cropped: bool = False
    maps: Literal["png", "npy"] | None = None


@dataclass(frozen=True, eq=False)
class Explained:
    """One face of one image.

    Attributes:
        crops: crops of its image.
        number: 1 for the largest face of the image; 0 for the center of an image without a detected face.
        result: prediction and maps.
    """

    crops: Crops
    number: int
    result: FaceMaps


@dataclass
class Summary:
    """What became of the files: counts of "face" and "no face", and the files that were left out."""

    counts: Counter[str] = field(default_factory=Counter)
    left_out: list[LeftOut] = field(default_factory=list)


def write_report(given: Sequence[Path], out: Path, choices: Choices, samples: Sequence[str] = ()) -> Summary:
    """Write the report to `out` and the table to the same name with .csv; both files appear at the end.

    Maps, where they are wanted, go to a folder beside them, named like the report with "_maps" at its end. Samples of
    the app come before the images that are given.

    Raises:
        ValueError: no readable image, unknown network, class, method or layer; CheckpointError; DiskFullError.
    """
    folder = out.with_name(f"{out.stem}_maps")
    of_samples = [crops_of_sample(name) for name in samples]
    files, not_read = image_files(given, (out, out.with_suffix(".csv"), folder)) if given or not samples else ([], [])
    net = services.networks.open_network(choices.network)
    _check(choices, net)
    done, numbers = Summary(), count(1)
    with (
        shared_cores(),
        written_at_once(out) as page,
        written_at_once(out.with_suffix(".csv")) as table,
        Progress(*Progress.get_default_columns(), MofNCompleteColumn()) as progress,
    ):
        text = io.TextIOWrapper(table, encoding="utf-8", newline="", write_through=True)
        write_rows(text, [["file", "face", *_BOX, "weights", "prediction", *net.classes, "outcome", "maps"]])

        def sections() -> Iterator[dict[str, Any]]:
            tracked = progress.track(files, len(files), description="Explaining")
            images = chain(of_samples, crops_of(tracked, choices.cropped))
            for found in _explained(images, choices):
                if isinstance(found, LeftOut):
                    done.left_out.append(found)
                else:
                    written = write_maps(found, folder, next(numbers), choices.maps) if choices.maps else []
                    write_rows(text, [_row(found, written)])
                    done.counts["face" if found.number else "no face"] += 1
                    yield _section(found)
            if not done.counts:  # nothing is written, and an existing report stays
                listed = "\n".join(f"{shown(one.file)}: {one.why}" for one in done.left_out[:5])
                raise ValueError(f"No image could be explained.\n{listed}")
            done.left_out.extend(not_read)
            write_rows(text, (_empty_row(one, len(net.classes)) for one in done.left_out))

        values = {"net": net, "method": choices.method, "layer": choices.layer or net.spec.cam_layer}
        values["of_fer2013"] = net.card is not None and services.metrics.evaluation.is_of_fer2013(net.card)
        left_out = ((shown(one.file), one.why) for one in done.left_out)
        for part in template("explain_report.html").generate(**values, faces=sections(), left_out=left_out):
            page.write(part.encode())
        text.detach()
    return done


def _check(choices: Choices, net: services.networks.Network) -> None:
    """ValueError where a choice cannot be, before any file is read."""
    if choices.method not in cam.METHODS:
        raise ValueError(f'There is no method "{choices.method}". Choose from {", ".join(cam.METHODS)}.')
    if unknown := [name for name in choices.classes if name not in net.classes]:
        raise ValueError(f'The network has no class "{unknown[0]}". Choose from {", ".join(net.classes)}.')
    if choices.layer is not None:
        sample = faces.load_sample(faces.samples()[0].name)
        explain_batch([sample], choices.network, choices.method, choices.layer)
    elif choices.maps:
        _ = net.cam_layer  # says that there is none


def _explained(images: Iterator[Crops | LeftOut], choices: Choices) -> Iterator[Explained | LeftOut]:
    """Every face of every image and every unreadable file, in their order."""
    while chunk := list(islice(images, BATCH)):
        results = _results([face for crops in chunk if isinstance(crops, Crops) for _, face in crops.found], choices)
        for crops in chunk:
            if isinstance(crops, LeftOut):
                yield crops
            else:
                for number, _ in enumerate(crops.found, int(crops.detected)):
                    yield Explained(crops, number, next(results))


def _results(cut: list[faces.Face], choices: Choices) -> Iterator[FaceMaps]:
    for start in range(0, len(cut), BATCH):
        some = cut[start : start + BATCH]
        yield from explain_batch(some, choices.network, choices.method, choices.layer, choices.classes)


def write_maps(found: Explained, folder: Path, serial: int, kind: Literal["png", "npy"]) -> list[str]:
    """Write the maps of a face, as large as its crop, one file a class, and return the names of the files.

    An .npy file has the map (H, W) in float32, in the unit of the method; a .png file shows it over the face.
    """
    _, face = found.crops.found[max(found.number - 1, 0)]
    width, height = face.picture.size
    folder.mkdir(parents=True, exist_ok=True)
    stem, names = re.sub(r"[^A-Za-z0-9-]+", "_", found.crops.file.stem)[:40], []
    gray = torch.from_numpy(np.asarray(face.picture.convert("L"), dtype=np.float32) / 255)
    for class_, heat in zip(found.result.classes, found.result.resized((height, width)), strict=True):
        path = folder / f"{serial:06d}-{stem}-face{found.number}-{class_}.{kind}"
        with say_when_full(path):
            if kind == "npy":
                np.save(path, heat.numpy())
            else:
                Image.fromarray(overlay(gray, heat)).save(path)
        names.append(path.name)
    return names


def _row(found: Explained, maps: list[str]) -> list[str | float]:
    prediction, (box, _) = found.result.prediction, found.crops.found[max(found.number - 1, 0)]
    return [
        shown(found.crops.file),
        found.number,
        *(getattr(box, name) for name in _BOX),
        "trained" if prediction.trained else "random",
        prediction.predicted,
        *(f"{share:.6f}" for share in prediction.probabilities.tolist()),
        "face" if found.number else "no face",
        " ".join(maps),
    ]


def _empty_row(one: LeftOut, classes: int) -> list[str]:
    return [shown(one.file), *[""] * (3 + len(_BOX) + classes), f"{one.kind}: {one.why}", ""]


def _section(found: Explained) -> dict[str, Any]:
    """What the template shows of a face."""
    result, prediction = found.result, found.result.prediction
    gray = (255 * result.pixels).round().byte().numpy()
    side = _SIDE if len(gray) > _SIDE else None
    images = [(as_data(png(gray, side)), "input of the network")]
    notes = list(found.crops.notes)
    if not found.number:
        notes.append("No face was detected: this is the center of the image.")
    if result.maps is not None:
        for class_, heat in zip(result.classes, result.resized((len(gray), len(gray))), strict=True):
            images.append((as_data(png(overlay(result.pixels, heat), side)), f"map for {class_}"))
            if float(heat.max()) == 0:
                notes.append(f"The map is blank: no region supports {class_}.")
    what = shown(found.crops.file) + (f", face {found.number}" if found.number > 1 else "")
    what += "" if found.number else " (no face detected)"
    shares = (f"{100 * share:.1f}" for share in prediction.probabilities.tolist())
    return {
        "title": f"{what}: {prediction.predicted}; map for {', '.join(result.classes)}",
        "images": images,
        "probabilities": list(zip(prediction.classes, shares, strict=True)),
        "notes": " ".join(notes),
    }
