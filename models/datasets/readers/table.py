"""Images and a table of their labels: CSV, or Parquet, whose rows may hold the images (as Hugging Face's do).

Columns are found by their names: path, image or file …; label, emotion or class …; and, where there are such, split or
usage, and subject. The paths are relative to the table's folder, or end like those of the images.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ...images import SUFFIXES
from ..archives import Source
from ..class_names import ClassMap, part_of
from ..faceset import DataError
from . import tables
from .folder import listed, part_of_path
from .rows import Index, Reader, Row

if TYPE_CHECKING:
    import pyarrow.parquet as pq

COLUMNS = {
    "path": ("path", "image", "file", "filename", "file_name", "filepath", "image_path", "img", "image_name", "name"),
    "label": ("label", "labels", "emotion", "expression", "class", "target", "category"),
    "part": ("split", "usage", "part", "set", "subset"),
    "subject": ("subject", "subject_id", "person", "participant", "identity", "id_subject"),
}
"""What the columns may be called, in small letters, the likeliest first."""


@dataclass(frozen=True)
class _Line:
    """One row of a table; `content` is the image where the table holds it."""

    path: str
    label: str
    part: str = ""
    subject: str = ""
    content: bytes | None = None


def recognizes(source: Source) -> bool:
    """Whether there is a table with a column of images and one of labels."""
    return bool(_tables(source))


def index(source: Source, classes: ClassMap) -> Index:
    """Rows of all images that a table labels, in its order.

    Raises:
        DataError: no label means a class; the message names the labels.
    """
    found, images, labels, used = Index([]), _Images(source), Counter(), set()
    for table in _tables(source):
        for i, line in enumerate(_lines(source, table)):
            labels[line.label] += 1
            row = _row(images, table, i, line, found)
            if row is not None:
                found.rows.append(row)
                used.add(row.path)
    meaning = _meaning(labels, classes)
    rows = [(row, meaning.get(row.label)) for row in found.rows]
    found.rows[:] = [replace(row, label=class_) for row, class_ in rows if class_]
    found.left_out["labels that mean no class"] += [row.name for row, class_ in rows if not class_]
    found.left_out["not in the table"] += [str(path) for path in source.images if path not in used]
    changed = [f"{label} = {class_}" for label, class_ in meaning.items() if label != class_]
    if changed:
        found.notes.append(f"Labels and their classes: {', '.join(changed)}.")
    return found


def _meaning(labels: Counter[str], classes: ClassMap) -> dict[str, str]:
    """The class of each label that means one; words of one's own where fewer than two mean emotions."""
    meaning = {label: class_ for label in labels if (class_ := classes.class_of(label))}
    words = [label for label in labels if any(map(str.isalpha, label)) and not classes.knows(label)]
    if len(meaning) < 2 <= len(meaning | dict.fromkeys(words)):
        meaning = {label: label for label in words} | meaning
    if not meaning:
        raise DataError(
            f"No label of the table means a class. The labels are: {listed(labels)}. Say what they mean, such as "
            "--classes '0=angry,1=disgust', or the path of a file with one such line each."
        )
    return meaning


class _Images:
    """The images of a source, found by what a table says of their path."""

    def __init__(self, source: Source) -> None:
        self.folder, self.paths = source.path, set(source.images)
        self.by_name: dict[str, list[PurePosixPath]] = defaultdict(list)
        for path in source.images:
            self.by_name[path.name].append(path)

    def find(self, table: PurePosixPath, text: str) -> PurePosixPath | None:
        """The image beside the table, by its whole path, or by how its path ends where only one does."""
        wanted = PurePosixPath(text.strip().replace("\\", "/"))
        if wanted.is_absolute() or ".." in wanted.parts or not wanted.name:
            return None
        if not self.paths:  # a single table: images are in its folder
            there = wanted.suffix.lower() in SUFFIXES and (self.folder / wanted).is_file()
            return wanted if there else None
        for path in (table.parent / wanted, wanted):
            if path in self.paths:
                return path
        ending = [path for path in self.by_name[wanted.name] if path.parts[-len(wanted.parts) :] == wanted.parts]
        return ending[0] if len(ending) == 1 else None


def _row(images: _Images, table: PurePosixPath, i: int, line: _Line, found: Index) -> Row | None:
    """A row whose label is still that of the table; None where its image is not there."""
    path = None if line.content else images.find(table, line.path)
    if line.content is None and path is None:
        found.left_out["in the table, and not there"].append(line.path)
        return None
    of_table = part_of(re.split(r"[-_. ]", table.stem)[0])
    part = part_of(line.part) or line.part or of_table or part_of_path(PurePosixPath(line.path, "x"))
    name = str(path.with_suffix("")) if path else f"{table.stem}_{i}"
    return Row(line.label, name, path, part, line.subject, content=line.content)


def _tables(source: Source) -> list[PurePosixPath]:
    return [path for path in source.tables if {"path", "label"} <= set(_columns(_header(source, path)))]


def _header(source: Source, path: PurePosixPath) -> list[str]:
    if tables.is_parquet(path):
        return _parquet(source, path).schema_arrow.names
    return tables.header(source.table(path)) if path.suffix.lower() in (".csv", ".tsv", ".gz", ".txt") else []


def _columns(names: Iterable[str]) -> dict[str, str]:
    """What each of COLUMNS is called in a table that has it."""
    names = {name.strip().lower(): name for name in names}
    found = {what: next((names[word] for word in words if word in names), None) for what, words in COLUMNS.items()}
    return {what: name for what, name in found.items() if name}


def _lines(source: Source, path: PurePosixPath) -> Iterator[_Line]:
    if tables.is_parquet(path):
        yield from _parquet_lines(_parquet(source, path))
        return
    content = source.table(path)
    columns = _columns(tables.header(content))
    for line in tables.lines(content):
        texts = {what: line[name.strip().lower()] for what, name in columns.items()}
        yield _Line(texts.pop("path"), texts.pop("label"), texts.get("part", ""), texts.get("subject", ""))


def _parquet(source: Source, path: PurePosixPath) -> pq.ParquetFile:
    from pyarrow import ArrowException, parquet  # here: it takes a quarter of a second

    try:
        return parquet.ParquetFile(io.BytesIO(source.table(path)))
    except (ArrowException, OSError) as error:
        raise DataError(f"{path} is damaged or is not Parquet ({error}). Download it again.") from error


def _parquet_lines(file: pq.ParquetFile) -> Iterator[_Line]:
    columns = _columns(file.schema_arrow.names)
    names = _names_of_labels(file.schema_arrow.metadata or {}, columns["label"])
    for batch in file.iter_batches(batch_size=256, columns=list(columns.values())):
        for values in batch.to_pylist():
            line = {what: values[name] for what, name in columns.items()}
            image, label = line.pop("path"), line.pop("label")
            content, path = (image["bytes"], image["path"]) if isinstance(image, dict) else (None, image)
            label = names[label] if names and isinstance(label, int) and 0 <= label < len(names) else label
            texts = {what: "" if value is None else str(value) for what, value in line.items()}
            yield _Line(str(path or ""), str(label), texts.get("part", ""), texts.get("subject", ""), content)


def _names_of_labels(metadata: dict[bytes, bytes], column: str) -> list[str]:
    """What Hugging Face's `ClassLabel` says of the numbers in a column; empty where there is none."""
    try:
        return json.loads(metadata[b"huggingface"])["info"]["features"][column]["names"]
    except (KeyError, ValueError, TypeError):
        return []


READER = Reader(
    "table",
    "a set of one's own",
    "Give a table with a column of paths and one of labels, beside the images.",
    recognizes,
    index,
    named=False,
)
