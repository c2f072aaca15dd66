"""Exclusion lists of this computer, by name: marked in the app, chosen on the page Train."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from models.datasets import DataError
from models.datasets.exclusion import ExclusionList, exclusion_list, hash_of, read_exclusion_list, write_exclusion_list

from . import imported

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
"""What a list may be called, so that a name is never a path."""

MOST = 50
"""Largest number of lists."""


def folder() -> Path:
    """Where the lists are, a JSON file each: beside the imported datasets."""
    return imported.FOLDER / "exclusions"


def names() -> tuple[str, ...]:
    """Names of the lists, in alphabetical order; only their files are looked for."""
    return tuple(sorted(file.stem for file in folder().glob("*.json") if NAME.fullmatch(file.stem)))


def path_of(name: str) -> Path:
    """The file of a list, also of one that does not exist yet; DataError for a name that could be a path."""
    if not NAME.fullmatch(name):
        raise DataError(f'"{name[:60]}" cannot be the name of a list: use letters, digits, _ and -, at most 60.')
    return folder() / f"{name}.json"


def read(name: str) -> ExclusionList:
    """A list by name; DataError where it is missing or damaged."""
    return read_exclusion_list(path_of(name))


def add(name: str, images: Iterable[str], reason: str) -> ExclusionList:
    """Put images on a list, which is created with this reason where there is none; the list as it is then.

    Args:
        name: name of the list.
        images: ids or pixel hashes; those that are on it stay once.
        reason: why they are left out, in a few words.

    Raises:
        DataError: the name, an image or the list cannot be used, or there are too many lists; DiskFullError: no room.
    """
    path = path_of(name)
    if path.is_file():
        known = read_exclusion_list(path)
        found = exclusion_list((*known.hashes, *images), known.reason)
    elif len(names()) >= MOST:
        raise DataError(f"There are {MOST} lists: remove one in {folder()} first.")
    else:
        found = exclusion_list(images, reason)
    write_exclusion_list(path, found)
    return found


def take_off(name: str, images: Iterable[str]) -> ExclusionList:
    """Take images off a list, which is removed once it is empty; the list as it is then. Errors as for `add`."""
    gone, known = set(map(hash_of, images)), read(name)
    found = exclusion_list((h for h in known.hashes if h not in gone), known.reason)
    if found.hashes:
        write_exclusion_list(path_of(name), found)
    else:
        path_of(name).unlink(missing_ok=True)
    return found


def lists_of(images: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The names of the lists that each image, by id or hash, is on; damaged lists are left out."""
    known = {}
    for name in names():
        with suppress(DataError):
            known[name] = set(read(name).hashes)
    return {image: tuple(name for name, hashes in known.items() if hash_of(image) in hashes) for image in images}
