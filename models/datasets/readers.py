"""One way in for every set: `read` finds out which one a source is and calls its reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import Literal

from ..images import SUFFIXES
from . import ckplus, fer2013, folder, jaffe
from .archives import Entry, entries
from .faceset import DataError, FaceSet

Kind = Literal["fer2013", "ckplus", "jaffe", "folder"]

NAMED: dict[Kind, ModuleType] = {"fer2013": fer2013, "ckplus": ckplus, "jaffe": jaffe}
"""Sets that are recognised by the names of their files; anything else is a folder of class folders."""

_LOOKED_AT = 64


def read(
    source: str | Path, kind: Kind | None = None, progress: Callable[[int], None] = lambda done: None
) -> tuple[Kind, FaceSet]:
    """Read a set of faces from an archive, a folder, FER2013's CSV, or an imported `.npz`.

    Args:
        source: path of one of these.
        kind: which set it is; None finds out from the names of the first files.
        progress: called with the number of files read so far.

    Returns:
        Which set it is ("folder" where the names are those of none), and its faces.

    Raises:
        DataError: the source is not there or is not such a set; the message says what is expected.
    """
    path = Path(source)
    if path.is_file() and path.suffix.lower() in (".npz", ".csv"):
        faces = fer2013.read(path)
        is_fer2013 = set(faces.splits) <= set(fer2013.SPLITS)
        return kind or ("fer2013" if is_fer2013 else "folder"), faces
    empty = [d for d in path.rglob("*") if d.is_dir() and folder.class_of(d.name) and not any(d.iterdir())]
    if empty:
        raise DataError(f'The folder "{empty[0].relative_to(path)}" is empty: put images there, or remove it.')
    files = entries(path, progress)
    if kind is None:
        first = list(islice(files, _LOOKED_AT))
        kind, files = _kind(first), chain(first, files)
    return kind, NAMED.get(kind, folder).from_entries(files)


def _kind(first: list[Entry]) -> Kind:
    votes = Counter(
        next((kind for kind, reader in NAMED.items() if reader.recognises(path)), "folder")
        for path, _ in first
        if path.suffix.lower() in SUFFIXES or fer2013.recognises(path)
    )
    return max((*NAMED, "folder"), key=lambda kind: votes[kind]) if votes else "folder"  # of equals the named one
