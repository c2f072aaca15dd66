"""Files of a folder or an archive, one after another, and images as gray pixels: shared by all readers.

Archives are read in memory: nothing is unpacked, so it does not matter where the paths inside them point.
"""

from __future__ import annotations

import hashlib
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from ..files import UNPACKING_ERRORS
from ..images import SUFFIXES, open_image, to_rgb, upright
from ..text import counted
from .faceset import DataError

_LARGEST_PICTURE = 1 << 24  # bytes
_MOST_PIXELS = 25_000_000
_LARGEST_TABLE = 1 << 30  # bytes; that of FER2013 has 300 million

Entry = tuple[PurePosixPath, bytes]
"""Path inside the source, content."""


def entries(path: Path, progress: Callable[[int], None] = lambda done: None) -> Iterator[Entry]:
    """The images and tables of a folder or an archive (tar, zip), in the order of the source.

    Args:
        path: of the folder or the archive.
        progress: called with the number of files read so far.

    Raises:
        DataError: there is no such path, it is neither, or it breaks off.
    """
    if not path.exists():
        raise DataError(f"{path} is not there. Give the path of an archive, a folder or a CSV.")
    try:
        for i, (name, content) in enumerate(_raw(path), 1):
            progress(i)
            yield PurePosixPath(name), content
    except DataError:
        raise
    except (tarfile.TarError, lzma.LZMAError, *UNPACKING_ERRORS) as error:
        raise DataError(f"The archive breaks off or is damaged ({error}). Download it again.") from error


def _raw(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file() and _wanted(file.name, file.stat().st_size):
                yield file.relative_to(path).as_posix(), file.read_bytes()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from ((i.filename, archive.read(i)) for i in archive.infolist() if _wanted(i.filename, i.file_size))
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and _wanted(member.name, member.size) and (file := archive.extractfile(member)):
                    yield member.name, file.read()
            while archive.fileobj.read(1 << 20):  # damage looks like the end: checked by its checksum
                pass
    else:
        raise DataError(f"{path} is not an archive, a folder, a CSV or an imported .npz: give the path of one.")


def _wanted(name: str, size: int) -> bool:
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    if path.name.startswith("."):  # what macOS puts beside each file of an archive
        return False
    return (suffix in SUFFIXES and size <= _LARGEST_PICTURE) or (suffix == ".csv" and size <= _LARGEST_TABLE)


def gray(content: bytes, side: int | None = None) -> np.ndarray | None:
    """An image as gray pixels, uint8 (H, W); None where it cannot be read or is larger than 25 megapixels.

    `side` makes it square: the larger dimension is cut at both ends, then it is resized.
    """
    try:
        with open_image(content) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            image = to_rgb(upright(image))[0].convert("L")
            if side and image.size != (side, side):
                least = min(image.size)
                left, top = (image.width - least) // 2, (image.height - least) // 2
                box = (left, top, left + least, top + least)
                image = image.resize((side, side), Image.Resampling.LANCZOS, box=box)
            return np.asarray(image)
    except Exception:  # broken files make Pillow raise nearly anything
        return None


def left_out(names: Iterable[str], why: str) -> tuple[str, ...]:
    """A note on files that a reader could not take: how many, why, and the first five; nothing where there are none."""
    names = list(names)
    if not names:
        return ()
    first = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
    return (f"{counted(len(names), 'file was', 'files were')} left out ({why}): {first}",)


def stamp(path: Path) -> str:
    """A text that changes whenever the source does: name, size and time of the file, or of all files of a folder."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    lines = []
    for file in files:
        if file.is_file():
            facts = file.stat()
            lines.append(
                f"{file.relative_to(path) if path.is_dir() else file.name} {facts.st_size} {facts.st_mtime_ns}"
            )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
