"""The files that `ferscope explain` is given, and the faces in them; every file gets an outcome."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from models.images import SUFFIXES, TITLES, VIDEO_SUFFIXES

from .. import faces

_WORKERS = min(4, os.cpu_count() or 1)  # threads that read and detect: OpenCV and Pillow work outside of Python's lock


@dataclass(frozen=True)
class LeftOut:
    """A file without a prediction.

    Attributes:
        file: path of the file as it was given.
        kind: "unreadable", "not an image", "video" or "not a file".
        why: the reason in a sentence.
    """

    file: Path
    kind: str
    why: str


@dataclass(frozen=True, eq=False)
class Crops:
    """The faces of one image.

    Attributes:
        file: the image's path as it was given, or the name of a sample.
        found: box, in pixels of the upright image in the file, and crop of each face, the largest first; without a
            detected face the center of the image.
        detected: whether a face was detected.
        notes: sentences on what was left out while the image was decoded.
    """

    file: Path
    found: tuple[tuple[faces.Box, faces.Face], ...]
    detected: bool
    notes: tuple[str, ...]


def shown(path: Path) -> str:
    """A path as text that can be printed and written everywhere: other bytes and control characters are escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def image_files(given: Iterable[Path], skip: Iterable[Path] = ()) -> tuple[list[Path], list[LeftOut]]:
    """The image files among paths and in folders, and all other files of the folders.

    Args:
        given: files and folders.
        skip: files and folders inside of these that do not count, such as what an earlier run wrote.

    Raises:
        ValueError: a path does not exist, or there is no image.
    """
    found: list[Path] = []
    skipped = {path.resolve() for path in skip}
    left_out: list[LeftOut] = []
    for path in given:
        if path.is_dir():
            for file in sorted(_inside(path, skipped, left_out)):
                if reason := _why_not(file):
                    left_out.append(reason)
                else:
                    found.append(file)
        elif path.is_file():
            found.append(path)
        else:
            raise ValueError(f"{shown(path)} does not exist. Give images ({TITLES}) or folders of them.")
    if not found:
        raise ValueError(f"No images found. Give images ({TITLES}) or folders of them.")
    return found, left_out


def _inside(folder: Path, skipped: Collection[Path], left_out: list[LeftOut]) -> Iterator[Path]:
    """Every file below a folder; folders that cannot be opened are added to `left_out`."""

    def closed(error: OSError) -> None:
        left_out.append(LeftOut(Path(error.filename), "unreadable", f"This folder cannot be opened: {error.strerror}."))

    for place, folders, names in os.walk(folder, onerror=closed):
        here = Path(place).resolve()
        folders[:] = [name for name in folders if here / name not in skipped]
        yield from (Path(place, name) for name in names if here / name not in skipped)


def _why_not(file: Path) -> LeftOut | None:
    """Why a file of a folder is not read; None for an image by its name."""
    suffix = file.suffix.lower()
    if not file.is_file():
        return LeftOut(file, "not a file", "This is a broken link or a special file.")
    if suffix in VIDEO_SUFFIXES:
        return LeftOut(
            file, "video", f"This is a video. Give it by its name: ferscope explain {shown(Path(file.name))}"
        )
    if suffix not in SUFFIXES or file.name.startswith("."):
        ending = shown(Path(file.suffix)) if file.suffix else "no ending"
        return LeftOut(file, "not an image", f"This is not an image by its name ({ending}). Images are {TITLES}.")
    return None


def crops_of_sample(name: str) -> Crops:
    """The face of a sample of the app; its file is the name.

    Raises:
        PictureError: there is no such sample; the message lists the names.
    """
    face = faces.load_sample(name)
    return Crops(Path(name), ((face.box or faces.whole(face.picture), face),), True, ())


def crops_of(files: Iterable[Path], cropped: bool = False) -> Iterator[Crops | LeftOut]:
    """The faces of each file, in the order of the files; a few files are read ahead, each in a thread of its own.

    Args:
        files: paths of image files.
        cropped: every image is a cropped face. Without it those are that `faces.detect_or_whole` recognizes.
    """
    ahead: deque[Future[Crops | LeftOut]] = deque()
    pool = ThreadPoolExecutor(_WORKERS)
    try:
        for file in files:
            ahead.append(pool.submit(_crops, file, cropped))
            if len(ahead) > _WORKERS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _crops(file: Path, cropped: bool) -> Crops | LeftOut:
    try:
        picture = faces.read(file)
        boxes = faces.detect_or_whole(picture, cropped or None)
        factor = faces.reduced_by(picture)
        found = tuple((box.scaled(factor), faces.crop(picture, box)) for box in boxes or [faces.whole(picture)])
        return Crops(file, found, bool(boxes), faces.notes(picture))
    except (ValueError, OSError) as error:  # PictureError is a ValueError, and so is a name that cannot be encoded
        return LeftOut(file, "unreadable", str(error))
