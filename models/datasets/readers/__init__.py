"""Readers of datasets in the layouts in which they are distributed: one module a family.

`read` finds out which dataset a source is and calls its reader. A reader lists rows (file, class, part, subject) from
names and tables, see `rows.Reader`; `rows.assemble` decodes the images of all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast

from ..archives import Source, open_source
from ..class_names import ClassMap, class_of
from ..faceset import EMOTIONS, DataError, FaceSet
from ..fer2013 import SPLITS
from . import affectnet, ckplus, expw, fer2013, ferplus, folder, jaffe, kdef, rafdb, table
from .rows import FindFace, FoundFace, Reader, assemble

__all__ = ["READERS", "FindFace", "FoundFace", "Kind", "Reader", "read"]

Kind = Literal["expw", "ferplus", "rafdb", "affectnet", "fer2013", "ckplus", "jaffe", "kdef", "folder", "table"]

_MODULES = (expw, ferplus, rafdb, affectnet, fer2013, ckplus, jaffe, kdef, folder, table)

READERS: dict[str, Reader] = {module.READER.kind: module.READER for module in _MODULES}
"""Every reader by its kind, in the order in which a source is offered to them."""


def read(
    source: str | Path,
    kind: Kind | None = None,
    progress: Callable[[int], None] = lambda done: None,
    classes: ClassMap | None = None,
    find_face: FindFace | None = None,
    side: int | None = None,
) -> tuple[Kind, FaceSet]:
    """Read a set of faces from an archive, a folder, a table, or an imported `.npz`.

    Args:
        source: path of one of these.
        kind: kind of the dataset; None finds out from the names of its files.
        progress: called with the number of files read so far.
        classes: what folders, codes or words mean, where it is not what they say.
        find_face: finds the face in photographs; None: the square in the middle is taken.
        side: side of the images in pixels; None: that of the dataset, or by the size of the faces.

    Returns:
        Which dataset it is ("folder" or "table" where it is one of one's own), and its faces.

    Raises:
        DataError: the source is not there or is not such a set; the message says what is expected.
    """
    path = Path(source)
    if path.is_file() and path.suffix.lower() == ".npz":
        faces = FaceSet.load(path)
        return kind or _of_fer2013(faces), faces
    _refuse_empty_folders(path)
    files = open_source(path)
    given = kind or _kind(files)
    reader, classes = READERS[given], classes or ClassMap()
    faces = assemble(files, reader, reader.index(files, classes), find_face, side, progress)
    return kind or (_of_fer2013(faces) if given == "fer2013" else given), faces


def _of_fer2013(faces: FaceSet) -> Kind:
    """ "fer2013", or "folder" for a set made like it that has other classes or no official split."""
    return "fer2013" if faces.classes == EMOTIONS and set(faces.splits) <= set(SPLITS) else "folder"


def _kind(source: Source) -> Kind:
    """The first kind whose reader recognizes a source; a single table is one of pixels unless it has paths."""
    for kind, reader in READERS.items():
        if reader.recognizes(source):
            return cast(Kind, kind)
    only = source.tables[0].suffix.lower() if len(source.tables) == 1 and not source.images else ""
    return "fer2013" if only in (".csv", ".tsv", ".gz") else "folder"


def _refuse_empty_folders(path: Path) -> None:
    empty = [d for d in path.rglob("*") if d.is_dir() and class_of(d.name) and not any(d.iterdir())]
    if empty:
        raise DataError(f'The folder "{empty[0].relative_to(path)}" is empty: put images there, or remove it.')
