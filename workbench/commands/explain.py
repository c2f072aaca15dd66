"""`ferscope explain`: a self-contained HTML report and a CSV table of a network's predictions for many images.

    ferscope explain photo.jpg                       # report.html and report.csv
    ferscope explain clip.mp4 --fps 5                # a video: timeline of each face, see explain_video.py
    ferscope explain faces/ --out faces.html --network resnet18 --class happy

Images are read, explained and written one at a time, so that a folder of thousands needs no more memory than one.
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.progress import MofNCompleteColumn, Progress

from models.checkpoints import CheckpointError
from models.files import DiskFullError, written_at_once
from models.images import SUFFIXES, TITLES, VIDEO_SUFFIXES
from models.tables import write_rows
from workbench.services.explain import Explanation

from .. import faces, services
from ..analysis.overlay import overlay, png
from ..markup import as_data, template
from . import explain_video

_SIDE = 144  # pixels, of an image in the report


@dataclass(frozen=True, eq=False)
class Explained:
    """One face of one image.

    Attributes:
        file: the image's path as it was given.
        number: 1 for the largest face of the image; 0 for the center of an image without a detected face.
        box: the position of the face in the image.
        explanation: of the network.
        notes: sentences on what was left out while the image was decoded.
    """

    file: Path
    number: int
    box: faces.Box
    explanation: Explanation
    notes: tuple[str, ...]


def pictures(given: list[Path]) -> tuple[list[Path], list[tuple[Path, str]]]:
    """The image files among paths and in folders, and the other files of the folders, each with the reason.

    Raises:
        ValueError: a path does not exist, or there is no image.
    """
    found: list[Path] = []
    left_out: list[tuple[Path, str]] = []
    for path in given:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
            found += [file for file in files if file.suffix.lower() in SUFFIXES]
            left_out += [(file, _why_not(file)) for file in files if file.suffix.lower() not in SUFFIXES]
        elif path.is_file():
            found.append(path)
        else:
            raise ValueError(f"{path} does not exist. Give images ({TITLES}) or folders of them.")
    if not found:
        raise ValueError(f"No images found. Give images ({TITLES}) or folders of them.")
    return found, left_out


def _why_not(file: Path) -> str:
    if file.suffix.lower() in VIDEO_SUFFIXES:
        return f"This is a video. Give it by its name: ferscope explain {file.name}"
    return f"This is not an image by its name ({file.suffix or 'no ending'}). Images are {TITLES}."


def explained(file: Path, network: str, class_: str | None = None, cropped: bool = False) -> Iterator[Explained]:
    """Explain every face of an image, or the whole of a cropped face; PictureError if it cannot be read."""
    picture = faces.read(file)
    boxes = faces.detect_or_whole(picture, cropped or None)
    for number, box in enumerate(boxes or [faces.whole(picture)], 1):
        face = faces.crop(picture, box)
        yield Explained(
            file, number if boxes else 0, box, services.explain(face, network, class_), faces.notes(picture)
        )


def write_report(
    given: list[Path], out: Path, network: str, class_: str | None = None, cropped: bool = False
) -> tuple[int, int, list[tuple[Path, str]]]:
    """Write the report to `out` and the table to the same name with .csv; both files appear at the end.

    Returns:
        Number of faces, number of images without a detected face, and files that were left out, each with the reason.

    Raises:
        ValueError: no readable image, unknown network or class; CheckpointError; DiskFullError.
    """
    files, failed = pictures(given)
    net = services.networks.open_network(network)
    if class_ is not None and class_ not in net.classes:
        raise ValueError(f'The network has no class "{class_}". Choose from {", ".join(net.classes)}.')
    count = Counter()
    with (
        written_at_once(out) as page,
        written_at_once(out.with_suffix(".csv")) as table,
        Progress(*Progress.get_default_columns(), MofNCompleteColumn()) as progress,
    ):
        text = io.TextIOWrapper(table, encoding="utf-8", newline="", write_through=True)
        write_rows(text, [["file", "face", *_BOX, "weights", "prediction", *net.classes]])

        def sections() -> Iterator[dict[str, Any]]:
            for found in _each(progress.track(files, description="Explaining"), network, class_, cropped, failed):
                write_rows(text, [_row(found)])
                count["faces" if found.number else "faceless"] += 1
                yield _section(found)
            if not count:  # nothing is written, and an existing report stays
                listed = "\n".join(f"{file}: {why}" for file, why in failed[:5])
                raise ValueError(f"No image could be explained.\n{listed}")

        of_fer2013 = net.card is not None and services.metrics.evaluation.is_of_fer2013(net.card)
        report = template("explain_report.html")
        for part in report.generate(net=net, of_fer2013=of_fer2013, faces=sections(), failed=failed):
            page.write(part.encode())
        text.detach()
    return count["faces"], count["faceless"], failed


def _each(
    files: Iterable[Path], network: str, class_: str | None, cropped: bool, failed: list[tuple[Path, str]]
) -> Iterator[Explained]:
    """Every face of every file; unreadable files are added to `failed`, each with the reason."""
    for file in files:
        try:
            yield from explained(file, network, class_, cropped)
        except (faces.PictureError, OSError) as error:
            failed.append((file, str(error)))


_BOX = ("left", "top", "width", "height", "angle")


def _row(found: Explained) -> list[str | float]:
    prediction = found.explanation.prediction
    shares = (f"{share:.6f}" for share in prediction.probabilities.tolist())
    weights = "trained" if prediction.trained else "random"
    return [
        str(found.file),
        found.number,
        *(getattr(found.box, a) for a in _BOX),
        weights,
        prediction.predicted,
        *shares,
    ]


def _section(found: Explained) -> dict[str, Any]:
    """What the template shows of a face."""
    explanation = found.explanation
    prediction, heat = explanation.prediction, None
    gray = (255 * explanation.pixels).round().byte().numpy()
    images = [(as_data(png(gray, _SIDE)), "input of the network")]
    if explanation.layer is not None:
        heat = explanation.map_of(explanation.class_)
        images.append((as_data(png(overlay(explanation.pixels, heat), _SIDE)), f"map for {explanation.class_}"))
    notes = list(found.notes) + ([] if found.number else ["No face was detected: this is the center of the image."])
    if heat is not None and float(heat.max()) == 0:
        notes.append(f"The map is blank: no region supports {explanation.class_}.")
    what = str(found.file) + (f", face {found.number}" if found.number > 1 else "")
    what += "" if found.number else " (no face detected)"
    shares = (f"{100 * share:.1f}" for share in prediction.probabilities.tolist())
    return {
        "title": f"{what}: {prediction.predicted}; map for {explanation.class_}",
        "images": images,
        "probabilities": list(zip(prediction.classes, shares, strict=True)),
        "notes": " ".join(notes),
    }


def explain(
    pictures: Annotated[tuple[Path, ...], tyro.conf.Positional],
    out: Path = Path("report.html"),
    network: str = services.networks.DEFAULT_NETWORK,
    class_: Annotated[str | None, tyro.conf.arg(name="class")] = None,
    cropped: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
    fps: float = 5.0,
) -> None:
    """Explain images, or the faces of a video over time, in an HTML report and a CSV table.

    Args:
        pictures: image files, or folders of them; or one video
        out: the report; the table has the same name with .csv, and 0 in its column `face` if no face was detected
        network: name of a network; by default the most accurate one with attention
        class_: class of the map; by default the predicted one
        cropped: every image is a cropped face, so none is looked for; without this, images of at most 64 pixels a side
            and those that a face fills are taken as cropped
        fps: frames a second of a video that are looked at
    """
    if not pictures:
        sys.exit("Give at least one image, or a folder of images: ferscope explain photo.jpg")
    if any(explain_video.is_video(path) for path in pictures):
        explain_video.explain(pictures, out, network, fps)
        return
    if out.suffix.lower() not in (".html", ".htm"):
        sys.exit(f"--out {out}: the report is an HTML page; give a name that ends with .html")
    try:
        count, faceless, failed = write_report(list(pictures), out, network, class_, cropped)
    except (CheckpointError, DiskFullError, ValueError, OSError) as error:
        sys.exit(str(error))
    print(f"{out}, {out.with_suffix('.csv')}: faces: {count}; images without a detected face: {faceless}")
    if not services.networks.open_network(network).trained:
        print(f"{network} has random weights: its predictions mean nothing.")
    for file, why in failed[:5]:
        print(f"{file}: {why}")
    if len(failed) > 5:
        print(f"and {len(failed) - 5} more files left out; the report lists them.")


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope explain ...`; on an error, print one sentence and exit with status 1."""
    tyro.cli(explain, prog="ferscope explain", args=argv)


if __name__ == "__main__":
    main()
