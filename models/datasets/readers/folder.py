"""Any folder of class folders: `<class>/<image>` or `<part>/<class>/<image>`, as torchvision's ImageFolder reads them.

Classes are matched by what people call them: happy, happiness, HA and joy are one class. Where fewer than two folders
mean an emotion, each folder is a class of its own, such as "engaged" and "bored". Parts are matched alike: train,
training; val, valid, validation; test, testing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from ...text import PLAIN_WORDS, counted
from ..archives import Source
from ..class_names import NUMBERINGS, ClassMap, part_of
from ..faceset import CLASSES, DataError
from .rows import Index, Reader, Row, distinct

_FOLDERS_NAMED = 30  # in a message


def recognizes(source: Source) -> bool:
    """Whether a source has a folder that is named after an emotion."""
    return any(ClassMap().class_of(path.parent.name) for path in source.images)


def index(source: Source, classes: ClassMap) -> Index:
    """Rows of all images in folders that mean a class.

    Names are paths; parts are "train", "validation", "test" where the folders say so, "all" where they do not. Notes
    have the mapping and the folders that mean no class.

    Raises:
        DataError: no folder means a class; the message names the folders, and how to map them.
    """
    seen = Counter(path.parent.name for path in source.images)
    meaning = meanings(seen, classes)
    if not meaning:
        raise DataError(_no_class(seen))
    found = Index([])
    rows = [Row(meaning[p.parent.name], "", p, part_of_path(p)) for p in source.images if p.parent.name in meaning]
    found.rows += distinct(rows)
    found.left_out["tables, whose labels are not used"] += map(str, source.tables)
    changed = {folder: class_ for folder, class_ in meaning.items() if folder.lower() != class_}
    if changed:
        found.notes.append(f"Folders and their classes: {', '.join(f'{f} = {c}' for f, c in sorted(changed.items()))}.")
    if len(meaning) > 1 and sum(classes.class_of(folder) is not None for folder in meaning) < 2:
        found.notes.append("No two folders are named after emotions: each folder is a class of its own.")
    others = {folder: n for folder, n in seen.items() if folder not in meaning}
    if others:
        note = f"Folders that mean no class were left out: {listed(others)}."
        if name := next(filter(None, others), ""):
            note += f" If one is a class, name it: --classes '{name}={CLASSES[0]}', with any name after the sign."
        found.notes.append(note)
    return found


def meanings(folders: Iterable[str], classes: ClassMap) -> dict[str, str]:
    """The class of each folder that means one: an emotion, or where fewer than two do, any words but a part's name."""
    meaning = {folder: class_ for folder in folders if (class_ := classes.class_of(folder))}
    if len(meaning) > 1:
        return meaning
    words = [folder for folder in folders if any(map(str.isalpha, folder)) and PLAIN_WORDS.fullmatch(folder)]
    own = {folder: folder for folder in words if part_of(folder) is None and not classes.knows(folder)}
    return own | meaning if len(own | meaning) > 1 else meaning


def _no_class(seen: Counter[str]) -> str:
    known = f"No image was found in a folder named after a class ({', '.join(CLASSES)}, or a synonym)."
    if not seen:
        return f"{known} There is no image at all."
    numbers = {int(folder) for folder in seen if folder.isdecimal()}
    advice = "Say what they mean: --classes 'FOLDER=CLASS,FOLDER=CLASS', or the path of a file with one such line each."
    if fitting := [kind for kind, numbering in NUMBERINGS.items() if numbers and numbers <= numbering.keys()]:
        meanings = "; ".join(
            f"--classes {kind} means {', '.join(f'{code}={name}' for code, name in NUMBERINGS[kind].items())}"
            for kind in fitting
        )
        advice += f" Datasets number the classes differently: {meanings}."
    return f"{known} The folders with images are: {listed(seen)}. {advice}"


def listed(folders: dict[str, int]) -> str:
    """Folders and how many images each has, for a message."""
    items = [f"{folder or '(no folder)'} ({counted(n, 'image')})" for folder, n in folders.items()]
    more = f" and {len(items) - _FOLDERS_NAMED} more" if len(items) > _FOLDERS_NAMED else ""
    return ", ".join(items[:_FOLDERS_NAMED]) + more


def part_of_path(path: PurePosixPath) -> str:
    """The part of a set that the folders of a path name; "all" where none does."""
    return next((part for folder in path.parts[:-1] if (part := part_of(folder))), "all")


READER = Reader(
    "folder",
    "a set of one's own",
    "Put the images into one folder for each class, such as happy/1.jpg, or train/happy/1.jpg and test/happy/1.jpg.",
    recognizes,
    index,
    named=False,
    unique=False,
)
