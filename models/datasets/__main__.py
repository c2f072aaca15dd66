"""`ferscope data`, or `python -m models.datasets`: bring a set of faces into the one form that all code here reads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import tyro
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ..files import DiskFullError
from . import fer2013
from .faceset import DataError, FaceSet

DEFAULT = Path("data/fer2013.npz")

app = tyro.extras.SubcommandApp()


def counts_table(faces: FaceSet) -> Table:
    """Pictures of each class (columns) in each split (rows)."""
    table = Table("", *faces.classes, "all", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))  # in 80 columns
    for split, counts in faces.counts().items():
        table.add_row(split, *map(str, counts), str(sum(counts)))
    return table


@app.command(name="import")
def import_set(source: Annotated[Path, tyro.conf.Positional], /, out: Path = DEFAULT, force: bool = False) -> None:
    """Take FER2013 from its archive, its folder or the challenge's CSV.

    Args:
        source: archive (tar, zip), folder, or fer2013.csv.
        out: the file to write; an earlier one stays where the new one is refused.
        force: take a set whose counts differ from FER2013's.
    """
    console = Console()
    with console.status(f"Reading {source}"):
        faces = fer2013.read(source)
    console.print(counts_table(faces))
    differences = fer2013.check_counts(faces)
    for sentence in differences:
        console.print(sentence, soft_wrap=True)
    if differences and not force:
        raise DataError(
            f"This is not the complete FER2013, so {out} was not written. To take it as it is, add --force."
        )
    faces.save(out)
    if "Training" in faces.counts():
        mean, std = faces.part("Training").pixel_statistics()
        console.print(f"Training pixels: mean {255 * mean:.2f}, standard deviation {255 * std:.2f} (of 255)")
    console.print(f"Written to {out}; fingerprint {faces.fingerprint}", soft_wrap=True)


@app.command(name="info")
def info(path: Annotated[Path, tyro.conf.Positional] = DEFAULT, /) -> None:
    """Print the counts and the fingerprint of an imported set."""
    faces = FaceSet.load(path)
    console = Console()
    console.print(counts_table(faces))
    console.print(f"{path}: fingerprint {faces.fingerprint}", soft_wrap=True)


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope data ...`; ends with status 1 and one sentence where it cannot."""
    try:
        app.cli(prog="ferscope data", args=argv)
    except (DataError, DiskFullError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
