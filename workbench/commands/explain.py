"""`ferscope explain`: one self-contained page, and a table, of what a network answers to many pictures.

    ferscope explain photo.jpg                       # report.html and report.csv
    ferscope explain faces/ --out faces.html --network resnet18 --class happy

Pictures are read, explained and written one after another, so a folder of thousands needs no more memory than one.
"""

from __future__ import annotations

import html
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.progress import MofNCompleteColumn, Progress

from models.checkpoints import CheckpointError
from models.files import DiskFullError, written_at_once
from models.tables import write_rows
from workbench.services.explain import Explanation

from .. import faces, services
from ..analysis.overlay import overlay, png
from ..markup import image

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
    count, faceless, failed = 0, 0, []
    with (
        written_at_once(out) as page,
        written_at_once(out.with_suffix(".csv")) as table,
        Progress(*Progress.get_default_columns(), MofNCompleteColumn()) as progress,
    ):
        text = io.TextIOWrapper(table, encoding="utf-8", newline="", write_through=True)
        write_rows(text, [["file", "face", *_BOX, "weights", "answer", *net.classes]])
        page.write(_head(net).encode())
        for file in progress.track(files, description="Explaining"):
            try:
                for found in explained(file, network, class_):
                    page.write(_section(found).encode())
                    write_rows(text, [_row(found)])
                    count, faceless = count + (found.number > 0), faceless + (found.number == 0)
            except (faces.PictureError, OSError) as error:
                failed.append((file, str(error)))
        if count + faceless == 0:  # nothing is written, and an earlier report stays
            told = "\n".join(f"{file}: {why}" for file, why in failed[:5])
            raise ValueError(f"No picture could be explained.\n{told}")
        page.write(_foot(failed).encode())
        text.detach()
    return count, faceless, failed


_BOX = ("left", "top", "width", "height", "angle")


def _row(found: Explained) -> list[str | float]:
    prediction = found.explanation.prediction
    shares = (f"{share:.6f}" for share in prediction.probabilities.tolist())
    weights = "trained" if prediction.trained else "random"
    return [str(found.file), found.number, *(getattr(found.box, a) for a in _BOX), weights, prediction.answer, *shares]


_STYLE = """
body { font: 17px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #111418 }
section { display: grid; grid-template-columns: 144px 144px 1fr; gap: 1rem; margin: 1.5rem 0; align-items: start }
h2 { grid-column: 1 / -1; font-size: 1rem; margin: 0; overflow-wrap: anywhere } img { display: block; width: 144px }
.bar { display: grid; grid-template-columns: 6rem 1fr 4rem; gap: .5rem } .bar i { display: block; height: .9em;
margin: .3em 0; background: #0072b2 } small { grid-column: 1 / -1 }
@media (max-width: 40rem) { section { grid-template-columns: 144px 144px } .bars { grid-column: 1 / -1 } }
"""


def _head(net: services.networks.Network) -> str:
    trained = (
        f"Trained{' on FER2013' * services.metrics.evaluation.is_of_fer2013(net.card)} (split "
        f"{html.escape(net.card.split)})."
        if net.card
        else "<strong>Random weights: nothing here means anything.</strong>"
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>FERScope</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style><body>'
        f"<h1>What in the pictures carried the decision?</h1><p>{html.escape(net.spec.title)} "
        f"(<code>{html.escape(net.name)}</code>). {trained} Left, what the network sees; right, the map for the class, "
        "on a scale of its own. The network answers what raters would call a face, not what a person feels; a map "
        "does not prove that these pixels decided.</p>\n"
    )


def _section(found: Explained) -> str:
    explanation = found.explanation
    prediction, heat = explanation.prediction, None
    gray = (255 * explanation.pixels).round().byte().numpy()
    parts = [image(png(gray, _SIDE), "the face as the network sees it")]
    if explanation.layer is not None:
        heat = explanation.map_of(explanation.class_)
        alt = f"map for {explanation.class_}"
        parts.append(image(png(overlay(explanation.pixels, heat), _SIDE), alt))
    bars = "".join(
        f'<div class="bar"><span>{html.escape(name)}</span><i style="width:{100 * share:.1f}%"></i>'
        f"<span>{100 * share:.1f} %</span></div>"
        for name, share in zip(prediction.classes, prediction.probabilities.tolist(), strict=True)
    )
    notes = [] if found.number else ["No face was found: this is the middle of the picture."]
    if heat is not None and float(heat.max()) == 0:
        notes.append(f"The map is blank: no place speaks for {explanation.class_}. It is no evidence of anything.")
    what = str(found.file) + (f", face {found.number}" if found.number > 1 else "")
    what += "" if found.number else " (no face found)"
    small = f"<small>{html.escape(' '.join(notes))}</small>" if notes else ""
    title = f"{html.escape(what)}: {html.escape(prediction.answer)}; map for {html.escape(explanation.class_)}"
    return f'<section><h2>{title}</h2>{"".join(parts)}<div class="bars">{bars}</div>{small}</section>\n'


def _foot(failed: list[tuple[Path, str]]) -> str:
    if not failed:
        return "</body></html>\n"
    items = "".join(f"<li>{html.escape(str(file))}: {html.escape(why)}</li>" for file, why in failed)
    return f"<h2>Files that could not be read</h2><ul>{items}</ul></body></html>\n"


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
