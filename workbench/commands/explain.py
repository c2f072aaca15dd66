"""`ferscope explain`: one self-contained page, and a table, of what a network answers to many pictures.

    ferscope explain photo.jpg                       # report.html and report.csv
    ferscope explain faces/ --out faces.html --network resnet18 --class happy

Pictures are read, explained and written one after another, so a folder of thousands needs no more memory than one.
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
from models.tables import write_rows
from workbench.services.explain import Explanation

from .. import faces, services
from ..analysis.overlay import overlay, png
from ..markup import as_data, template

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_SIDE = 144  # pixels, of a picture in the report


@dataclass(frozen=True, eq=False)
class Explained:
    """One face of one picture.

    Attributes:
        file: the picture's path as it was given.
        number: 1 for the largest face of the picture; 0 where none was found and its middle was taken.
        box: where the face is in the picture.
        explanation: of the network.
    """

    file: Path
    number: int
    box: faces.Box
    explanation: Explanation


def pictures(given: list[Path]) -> list[Path]:
    """The picture files among paths, folders searched; raises ValueError where a path is missing or none is found."""
    found = []
    for path in given:
        if path.is_dir():
            found += sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        elif path.is_file():
            found.append(path)
        else:
            raise ValueError(f"{path} is not there. Give pictures (JPEG, PNG, WebP) or folders of them.")
    if not found:
        raise ValueError("No picture was found. Give pictures (JPEG, PNG, WebP) or folders of them.")
    return found


def explained(file: Path, network: str, class_: str | None = None) -> Iterator[Explained]:
    """Every face of a picture with its explanation; raises PictureError where it cannot be read."""
    if file.stat().st_size > faces.MAX_BYTES:
        raise faces.PictureError("This file is larger than 25 MB. Save the picture smaller.")
    picture = faces.read(file.read_bytes())
    boxes = faces.detect(picture)
    for number, box in enumerate(boxes or [faces.whole(picture)], 1):
        face = faces.crop(picture, box)
        yield Explained(file, number if boxes else 0, box, services.explain(face, network, class_))


def write_report(
    given: list[Path], out: Path, network: str, class_: str | None = None
) -> tuple[int, int, list[tuple[Path, str]]]:
    """Write `out` and the table of the same name that ends with .csv; both appear when all is done.

    Returns:
        Number of faces, of pictures in which none was found, and the files that could not be read, each with why.

    Raises:
        ValueError: nothing that can be read, unknown network or class; CheckpointError; DiskFullError.
    """
    files = pictures(given)
    net = services.networks.open_network(network)
    if class_ is not None and class_ not in net.classes:
        raise ValueError(f'The network has no class "{class_}". It has {", ".join(net.classes)}.')
    count = Counter()
    failed: list[tuple[Path, str]] = []
    with (
        written_at_once(out) as page,
        written_at_once(out.with_suffix(".csv")) as table,
        Progress(*Progress.get_default_columns(), MofNCompleteColumn()) as progress,
    ):
        text = io.TextIOWrapper(table, encoding="utf-8", newline="", write_through=True)
        write_rows(text, [["file", "face", *_BOX, "weights", "answer", *net.classes]])

        def sections() -> Iterator[dict[str, Any]]:
            for found in _each(progress.track(files, description="Explaining"), network, class_, failed):
                write_rows(text, [_row(found)])
                count["faces" if found.number else "faceless"] += 1
                yield _section(found)
            if not count:  # nothing is written, and an earlier report stays
                listed = "\n".join(f"{file}: {why}" for file, why in failed[:5])
                raise ValueError(f"No picture could be explained.\n{listed}")

        of_fer2013 = net.card is not None and services.metrics.evaluation.is_of_fer2013(net.card)
        report = template("explain_report.html")
        for part in report.generate(net=net, of_fer2013=of_fer2013, faces=sections(), failed=failed):
            page.write(part.encode())
        text.detach()
    return count["faces"], count["faceless"], failed


def _each(
    files: Iterable[Path], network: str, class_: str | None, failed: list[tuple[Path, str]]
) -> Iterator[Explained]:
    """Every face of every file; files that cannot be read are added to `failed`, each with why."""
    for file in files:
        try:
            yield from explained(file, network, class_)
        except (faces.PictureError, OSError) as error:
            failed.append((file, str(error)))


_BOX = ("left", "top", "width", "height", "angle")


def _row(found: Explained) -> list[str | float]:
    prediction = found.explanation.prediction
    shares = (f"{share:.6f}" for share in prediction.probabilities.tolist())
    weights = "trained" if prediction.trained else "random"
    return [str(found.file), found.number, *(getattr(found.box, a) for a in _BOX), weights, prediction.answer, *shares]


def _section(found: Explained) -> dict[str, Any]:
    """What the template shows of a face."""
    explanation = found.explanation
    prediction, heat = explanation.prediction, None
    gray = (255 * explanation.pixels).round().byte().numpy()
    images = [(as_data(png(gray, _SIDE)), "the face as the network sees it")]
    if explanation.layer is not None:
        heat = explanation.map_of(explanation.class_)
        images.append((as_data(png(overlay(explanation.pixels, heat), _SIDE)), f"map for {explanation.class_}"))
    notes = [] if found.number else ["No face was found: this is the middle of the picture."]
    if heat is not None and float(heat.max()) == 0:
        notes.append(f"The map is blank: no region supports {explanation.class_}. It is no evidence of anything.")
    what = str(found.file) + (f", face {found.number}" if found.number > 1 else "")
    what += "" if found.number else " (no face found)"
    shares = (f"{100 * share:.1f}" for share in prediction.probabilities.tolist())
    return {
        "title": f"{what}: {prediction.answer}; map for {explanation.class_}",
        "images": images,
        "probabilities": list(zip(prediction.classes, shares, strict=True)),
        "notes": " ".join(notes),
    }


def explain(
    pictures: Annotated[tuple[Path, ...], tyro.conf.Positional],
    out: Path = Path("report.html"),
    network: str = services.networks.DEFAULT_NETWORK,
    class_: Annotated[str | None, tyro.conf.arg(name="class")] = None,
) -> None:
    """Explain images: one page and one table.

    Args:
        pictures: JPEG, PNG or WebP files, or folders of them
        out: the page; the table ends with .csv, its column `face` is 0 where no face was found
        network: name of a network (by default the most accurate one)
        class_: whose map is shown; by default that of the predicted class
    """
    if not pictures:
        sys.exit("Give at least one image, or a folder of images: ferscope explain photo.jpg")
    if out.suffix.lower() not in (".html", ".htm"):
        sys.exit(f"--out {out}: the report is a page; give a name that ends with .html")
    try:
        count, faceless, failed = write_report(list(pictures), out, network, class_)
    except (CheckpointError, DiskFullError, ValueError, OSError) as error:
        sys.exit(str(error))
    print(f"{out}, {out.with_suffix('.csv')}: faces found: {count}; pictures without one: {faceless}")
    if not services.networks.open_network(network).trained:
        print(f"{network} has random weights: its answers mean nothing.")
    for file, why in failed[:5]:
        print(f"{file}: {why}")
    if len(failed) > 5:
        print(f"and {len(failed) - 5} more files that could not be read; the page lists them.")


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope explain ...`; exits with status 1 and one sentence where it cannot."""
    tyro.cli(explain, prog="ferscope explain", args=argv)


if __name__ == "__main__":
    main()
