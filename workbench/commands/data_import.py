"""`ferscope data import`: a dataset, as it is distributed, to one file in the folder of datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, cast

import tyro
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from models.datasets import DataError, FaceSet, fer2013, ferplus, readers
from models.datasets.archives import stamp
from models.datasets.class_names import parse_classes
from models.datasets.faceset import source_of, stored_counts
from models.paths import DATA

Labels = Literal["own", "ferplus-majority", "ferplus-probability", "ferplus-multi-label"]

_MOST_CLASSES = 100
_NAMED = tuple(kind for kind, reader in readers.READERS.items() if reader.named)


def import_set(
    source: Annotated[Path, tyro.conf.Positional],
    /,
    out: Path | None = None,
    kind: readers.Kind | None = None,
    classes: str = "",
    faces: Literal["auto", "never"] = "auto",
    side: int | None = None,
    labels: Labels = "own",
    force: bool = False,
) -> None:
    """Import a dataset: FER2013, FER+, RAF-DB, AffectNet, CK+, JAFFE, KDEF, ExpW, or images and classes of your own.

    Args:
        source: archive (tar, zip), folder, CSV or Parquet.
        out: the file to write; by default <kind>.npz, or for a set of your own <its name>.npz, in the data folder:
            data/ of a checkout, else data/ in your FERScope folder (FERSCOPE_HOME). If the import is refused, an
            existing file is not changed.
        kind: kind of the dataset; by default recognized by its file names.
        classes: what folders or codes mean: '1=surprise,2=fear', with any names after the signs ('x=' leaves x out);
            fer2013, affectnet, rafdb, ckplus or expw for the codes of that dataset; or a file with one such line each.
        faces: auto: detect the face in images larger than 128 pixels, unless the dataset has crops; never: take the
            square in the middle.
        side: side of the imported images in pixels; by default 48, or 96 where the faces are that large.
        labels: own labels, or FER2013 with the votes of FER+: eight classes, with contempt.
        force: import again, and accept a FER2013 whose counts differ from the complete one.
    """
    if side is not None and not 8 <= side <= 512:
        raise DataError(f"--side {side}: give 8 to 512 pixels.")
    console = Console()
    settings = (kind, labels, classes, faces, side)
    mark = f"{stamp(source)} {' '.join(map(str, settings))}" if source.exists() else ""
    own = source.resolve().name.split(".")[0] or "folder"
    for known in [out] if out else [DATA / f"{name}.npz" for name in (*_NAMED, own)]:
        if mark and not force and source_of(known) == mark:
            console.print(counts_table(*stored_counts(known)))
            console.print(f"{known} was imported from this source before; --force imports it again.", soft_wrap=True)
            return
    kind, found = _read(source, kind, classes, faces, side, console)
    differences = fer2013.check_counts(found) if kind == "fer2013" else []
    if labels != "own":
        found = ferplus.relabeled(found, cast(ferplus.Mode, labels.removeprefix("ferplus-")))
        kind = "ferplus"
    out = out or DATA / f"{_name(kind, own)}.npz"
    _write(found, differences, out, mark, force, console)


def _read(
    source: Path, kind: readers.Kind | None, classes: str, faces: str, side: int | None, console: Console
) -> tuple[readers.Kind, FaceSet]:
    find_face = None
    if faces == "auto":
        from ..faces.largest import largest_face as find_face  # here: OpenCV takes a moment

    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True) as progress:
        task = progress.add_task(f"Reading {source}")
        return readers.read(
            source,
            kind,
            lambda n: progress.update(task, description=f"Reading {source}: {n:,} files"),
            parse_classes(classes),
            find_face,
            side,
        )


def _name(kind: str, own: str) -> str:
    """The name of the imported set: that of its kind, or of its source."""
    if kind in _NAMED:
        return kind
    if own in _NAMED:
        raise DataError(f"The source is named {own}, but its files are not: choose another name with --out.")
    return own


def _write(found: FaceSet, differences: list[str], out: Path, mark: str, force: bool, console: Console) -> None:
    if len(found.classes) > _MOST_CLASSES:
        raise DataError(
            f"The set has {len(found.classes)} classes, more than {_MOST_CLASSES}: merge them by --classes, or import "
            "a folder further down."
        )
    show_set(found, console)
    for sentence in (*found.notes, *differences):
        console.print(sentence, soft_wrap=True)
    if differences and not force:
        raise DataError(
            f"This is not the complete FER2013, so {out} was not written. To take it as it is, add --force."
        )
    found.save(out, mark)
    console.print(f"Written to {out}; fingerprint {found.fingerprint}", soft_wrap=True)


def show_set(faces: FaceSet, console: Console) -> None:
    """Print the counts of a set, its subjects, and the gray values of FER2013's training set."""
    console.print(counts_table(faces.classes, faces.counts()))
    people = len(set(faces.subjects.tolist()) - {""})
    if people:
        console.print(f"{people} subjects")
    if "Training" in faces.counts():
        mean, std = faces.part("Training").pixel_statistics()
        console.print(f"Training pixels: mean {255 * mean:.2f}, standard deviation {255 * std:.2f} (of 255)")


def counts_table(classes: Sequence[str], by_split: Mapping[str, list[int]]) -> Table:
    """Images of each class (columns) in each part (rows)."""
    table = Table("", *classes, "all", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))  # in 80 columns
    for split, counts in by_split.items():
        table.add_row(split, *map(str, counts), str(sum(counts)))
    return table
