"""ExpW (Zhang et al. 2015, "Learning social relation traits from face images"): 91 793 faces in photographs of the web.

It is distributed as whole photographs, and a list `label.lst` of one face a line: file, number of the face, top, left,
right, bottom of its box, confidence, code of the expression. One photograph may show several faces.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from ..archives import Source
from ..class_names import NUMBERINGS, ClassMap
from ..faceset import EMOTIONS, DataError
from .rows import Index, Reader, Row

LISTS = ("label.lst", "label.txt")

_FIELDS = 8


def recognizes(source: Source) -> bool:
    """Whether there is the list of faces."""
    return any(len(_lines(source, path)[0]) == _FIELDS for name in LISTS for path in source.named(name)[:1])


def index(source: Source, classes: ClassMap) -> Index:
    """Rows of all faces of the list whose photograph is there; raises DataError for a line that cannot be read."""
    classes, found = classes.numbered("expw"), Index([])
    there = {path.name: path for path in source.images}
    (table,) = [path for name in LISTS for path in source.named(name)][:1]
    for n, line in enumerate(_lines(source, table), 1):
        try:
            name, number, box, code = line[0], int(line[1]), _box(line), line[7]
        except (ValueError, IndexError) as error:
            fields = "file, face, top, left, right, bottom, confidence, code"
            raise DataError(f"Line {n} of {table} does not have the fields {fields} ({error}).") from error
        label = classes.class_of(code)
        path = there.get(PurePosixPath(name.replace("\\", "/")).name)
        if path is None:
            found.left_out["on the list, and not there"].append(name)
        elif label is None:
            found.left_out[f"codes that are not 0 to {max(NUMBERINGS['expw'])}"].append(name)
        else:
            found.rows.append(Row(label, f"{path.stem}_{number}", path, box=box))
    listed = {row.path for row in found.rows}
    found.left_out["not on the list"] += [str(path) for path in source.images if path not in listed]
    return found


def _lines(source: Source, table: PurePosixPath) -> list[list[str]]:
    lines = source.table(table).decode("utf-8-sig", errors="replace").splitlines()
    return [line.split() for line in lines if line.strip()] or [[]]


def _box(line: list[str]) -> tuple[float, float, float, float]:
    top, left, right, bottom = map(float, line[2:6])
    if right <= left or bottom <= top:
        raise ValueError("an empty box")
    return left, top, right - left, bottom - top


READER = Reader(
    "expw",
    "ExpW",
    "It has photographs and label.lst with lines of eight fields.",
    recognizes,
    index,
    classes=EMOTIONS,
)
