"""Files of a folder or an archive, and images as gray pixels: shared by all readers.

Archives are read in memory: nothing is unpacked, so it does not matter where the paths inside them point.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from ..files import UNPACKING_ERRORS
from ..images import SUFFIXES, open_image, to_rgb, upright
from ..text import counted
from .faceset import DataError

TABLES = {".csv", ".tsv", ".txt", ".lst", ".npy", ".parquet"}
"""Endings of files that may hold labels."""

_LARGEST_PICTURE = 25 << 20  # bytes
_MOST_PIXELS = 25_000_000
_LARGEST_TABLE = 1 << 30  # bytes; that of FER2013 has 300 million

_File = tuple[PurePosixPath, int, Callable[[], bytes]]  # path inside the source, size in bytes, its content


@dataclass(frozen=True)
class Source:
    """The files of a folder or an archive: their names at once, their contents when they are read.

    Attributes:
        path: path of the folder, the archive, or a single table.
        images, tables: paths inside the source, in its order.
        others: paths of files that are neither, or too large.
        kept: contents of a tar's tables, which it would have to be read again for.
    """

    path: Path
    images: tuple[PurePosixPath, ...] = ()
    tables: tuple[PurePosixPath, ...] = ()
    others: tuple[PurePosixPath, ...] = ()
    kept: dict[PurePosixPath, bytes] = field(default_factory=dict, repr=False)

    def read(self, wanted: Collection[PurePosixPath]) -> Iterator[tuple[PurePosixPath, bytes]]:
        """Contents of some files, one after another, in the order of the source; raises DataError for damage."""
        wanted = set(wanted)
        if wanted <= self.kept.keys():
            yield from ((path, self.kept[path]) for path in wanted)
        elif self.path.is_dir():
            yield from ((path, (self.path / path).read_bytes()) for path in sorted(wanted))
        else:
            with _damage_said():
                yield from ((path, content()) for path, _, content in _files(self.path) if path in wanted)

    def table(self, path: PurePosixPath) -> bytes:
        """The content of one table, unpacked where it is a `.gz`; raises DataError for a damaged or too large one."""
        content = dict(self.read([path]))[path]
        if content[:2] != b"\x1f\x8b":
            return content
        with _damage_said(), gzip.open(io.BytesIO(content)) as file:
            content = file.read(_LARGEST_TABLE + 1)
        if len(content) > _LARGEST_TABLE:
            raise DataError(f"Unpacked, {path} is larger than {_LARGEST_TABLE >> 30} GB.")
        return content

    def named(self, name: str) -> tuple[PurePosixPath, ...]:
        """Tables with a file name, whatever its case."""
        return tuple(path for path in self.tables if path.name.lower() == name.lower())


def open_source(path: Path) -> Source:
    """List a folder or an archive (tar, zip); raises DataError where there is no such path, or it is neither."""
    if not path.exists():
        raise DataError(f"{path} is not there. Give the path of an archive, a folder or a CSV.")
    if path.is_file() and path.suffix.lower() in (*TABLES, ".gz") and not is_archive(path):
        return Source(path.parent, tables=(PurePosixPath(path.name),))
    images, tables, others, kept = [], [], [], {}
    is_tar = path.is_file() and not zipfile.is_zipfile(path)
    with _damage_said():
        for name, size, content in _files(path):
            suffix = name.suffix.lower()
            if suffix in SUFFIXES and size <= _LARGEST_PICTURE:
                images.append(name)
            elif suffix in TABLES and size <= _LARGEST_TABLE:
                tables.append(name)
                if is_tar:
                    kept[name] = content()
            else:
                others.append(name)
    return Source(path, tuple(images), tuple(tables), tuple(others), kept)


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or a tar, whatever it is called."""
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def zip_name(entry: zipfile.ZipInfo) -> PurePosixPath:
    """The path of a zip's entry as its maker meant it.

    PowerShell 5.1 writes backslashes. Without the flag for UTF-8 a name counts as cp437, but macOS writes UTF-8.
    """
    name = entry.filename
    if not entry.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode()
        except UnicodeError:  # it is cp437, as an umlaut of Windows
            name = entry.filename
    return PurePosixPath(name.replace("\\", "/"))


def is_hidden(path: PurePosixPath) -> bool:
    """Whether a file is one of those that computers put into folders and archives by themselves."""
    return path.name in ("Thumbs.db", "desktop.ini") or any(
        part == "__MACOSX" or (part.startswith(".") and part.strip(".")) for part in path.parts
    )


def _files(path: Path) -> Iterator[_File]:
    """Every file but hidden ones, in the order of the source."""
    if path.is_dir():
        found = _folder_files(path)
    elif zipfile.is_zipfile(path):
        found = _zip_files(path)
    elif tarfile.is_tarfile(path):
        found = _tar_files(path)
    else:
        raise DataError(f"{path} is not an archive, a folder, a table or an imported .npz: give the path of one.")
    return (file for file in found if not is_hidden(file[0]))


def _folder_files(path: Path) -> Iterator[_File]:
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield PurePosixPath(file.relative_to(path).as_posix()), file.stat().st_size, file.read_bytes


def _zip_files(path: Path) -> Iterator[_File]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if not entry.filename.endswith(("/", "\\")):  # PowerShell 5.1 ends a folder with a backslash
                yield zip_name(entry), entry.file_size, lambda entry=entry: archive.read(entry)


def _tar_files(path: Path) -> Iterator[_File]:
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile():
                file = archive.extractfile(member)
                yield PurePosixPath(member.name), member.size, file.read if file else bytes
        while archive.fileobj.read(1 << 20):  # damage looks like the end: checked by its checksum
            pass


@contextmanager
def _damage_said() -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except (tarfile.TarError, lzma.LZMAError, *UNPACKING_ERRORS) as error:
        raise DataError(f"The archive breaks off or is damaged ({error}). Download it again.") from error


# ---- images


def decoded(content: bytes) -> Image.Image | None:
    """An image as it is to be seen, upright RGB; None where it cannot be read or is larger than 25 megapixels.

    Transparent parts become white, 16-bit gray is scaled to 8 bits.
    """
    try:
        with open_image(content) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            return to_rgb(upright(image))[0]
    except Exception:  # broken files make Pillow raise nearly anything
        return None


def gray(content: bytes, side: int | None = None) -> np.ndarray | None:
    """An image as gray pixels, uint8 (H, W); None where `decoded` is.

    `side` makes it square: the larger dimension is cut at both ends, then it is resized.
    """
    image = decoded(content)
    if image is None:
        return None
    return np.asarray(square(image, side) if side else image.convert("L"))


def square(image: Image.Image, side: int) -> Image.Image:
    """The largest square in the middle of an image, gray, resized."""
    image = image.convert("L")
    if image.size == (side, side):
        return image
    least = min(image.size)
    left, top = (image.width - least) // 2, (image.height - least) // 2
    return image.resize((side, side), Image.Resampling.LANCZOS, box=(left, top, left + least, top + least))


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
