"""Personal images as files: zips of class folders, folders, and single images, and what their names mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

import streamlit as st

from models.datasets.archives import is_hidden
from models.datasets.faceset import CLASSES
from models.images import SUFFIXES
from models.text import counted, thousands
from workbench import faces
from workbench.jobs.limits import LIMITS
from workbench.jobs.store import JobError
from workbench.services import training

from .. import uploads

_MOST_FOLDERS = 40
_LEFT_OUT = "leave out"

File = tuple[PurePosixPath, Callable[[], bytes]]
"""Path of an uploaded file inside its folder, and its content."""

Found = tuple[list, list[str]]
"""Faces with their classes, and notes on what was left out."""


@dataclass(frozen=True)
class Batch:
    """Uploaded images with their classes, in which no face was looked for yet.

    Attributes:
        counts: images of each class.
        read: detects the faces; called with a function of (images read, images in all).
    """

    counts: Mapping[str, int]
    read: Callable[[Callable[[int, int], None]], Found]


def uploader(folder: bool, number: int) -> list[File]:
    """Draw an uploader of files or of a folder, and return its files; each accepts zips and images.

    Args:
        folder: whether a whole folder is chosen.
        number: part of the key; another one is an empty uploader.
    """
    each, zip_ = faces.MAX_BYTES >> 20, LIMITS.own_bytes >> 20
    title = f"Images up to {each} MB, or zips up to {zip_} MB with a folder for each class, such as happy/1.jpg"
    files = uploads.file_uploader(
        "A folder with a folder for each class" if folder else title,
        type=[suffix.removeprefix(".") for suffix in sorted(SUFFIXES)] + ["zip"],
        key=f"own-upload-{'folder' if folder else 'files'}-{number}",
        accept_multiple_files="directory" if folder else True,
        max_upload_size=max(each, zip_),
    )  # fmt: skip
    return [(path, file.getvalue) for file in files if (path := _path(file.name)).parts and not is_hidden(path)]


def _path(name: str) -> PurePosixPath:
    """The path of an uploaded file inside its folder; never a path on this computer."""
    return PurePosixPath(*[part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")])


def labeled(files: Sequence[File]) -> list[Batch]:
    """Draw the classes of all folders, and a table of labels for images in none; return what has a class."""
    zips = [(path, content()) for path, content in files if path.suffix.lower() == ".zip"]
    images = [(path, content) for path, content in files if path.suffix.lower() != ".zip"]
    if len(images) > LIMITS.own_images:
        st.error(f"These are {thousands(len(images))} files: use at most {thousands(LIMITS.own_images)} images.")
        images = []
    in_folders, loose = (_images(images, in_folder) for in_folder in (True, False))
    sound, folders = _folders(zips)
    folders += Counter(training.folders_of(path for path, _ in in_folders))
    mapping = classes_of(folders) if folders else {}
    batches = [_of_zip(data, found, mapping) for data, found in sound]
    if in_folders:
        batches.append(_of_files(in_folders, [mapping[path.parent.name] for path, _ in in_folders]))
    if loose:
        batches.append(_of_files(loose, _labels([path for path, _ in loose])))
    return [batch for batch in batches if batch.counts]


def _images(files: Sequence[File], in_folder: bool) -> list[File]:
    return [file for file in files if bool(file[0].parent.name) == in_folder]


def _folders(zips: Sequence[tuple[PurePosixPath, bytes]]) -> tuple[list[tuple[bytes, dict[str, int]]], Counter[str]]:
    """The zips that can be read with the images in each of their folders, and those of all; reports the others."""
    sound = []
    for path, data in zips:
        try:
            sound.append((data, training.folders_in_zip(data)))
        except JobError as error:
            st.error(f"{_plain(path.name)}: {error}" if len(zips) > 1 else str(error))
    return sound, sum((Counter(found) for _, found in sound), Counter())


def _of_zip(data: bytes, folders: Mapping[str, int], mapping: Mapping[str, str]) -> Batch:
    counts: Counter[str] = Counter()
    for folder, n in folders.items():
        if mapping[folder]:
            counts[mapping[folder]] += n
    return Batch(counts, lambda progress: training.read_zip(data, progress, {f: mapping[f] for f in folders}))


def _of_files(files: list[File], labels: list[str]) -> Batch:
    return Batch(Counter(filter(None, labels)), partial(training.read_files, files, labels))


def classes_of(folders: Mapping[str, int]) -> dict[str, str]:
    """Draw a select box of the class of each folder, open where names are not understood; "" for one left out.

    What was chosen is remembered for this session, also for the next upload with such a folder.
    """
    guesses = training.guessed(folders)
    known: dict[str, str] = st.session_state.setdefault("own-mapping", {})
    unclear = [folder for folder, class_ in guesses.items() if not class_ and folder not in known]
    shown = dict(sorted(folders.items(), key=lambda item: (item[0] not in unclear, item[0]))[:_MOST_FOLDERS])
    with st.expander(f"Classes of the {counted(len(folders), 'folder')}", expanded=bool(unclear)):
        if unclear:
            st.markdown(
                f"**{counted(len(unclear), 'folder is', 'folders are')} not named after a class that is known here:** "
                "choose the class of each, or type one of your own."
            )
        columns = st.columns(3)
        for i, (folder, n) in enumerate(shown.items()):
            with columns[i % 3]:
                known[folder] = _class_of(folder, n, known.get(folder, guesses[folder]))
        if more := len(folders) - len(shown):
            st.caption(f"{counted(more, 'more folder')}: taken by name, or left out.")
    return {folder: known.get(folder, guesses[folder]) for folder in folders}


def _class_of(folder: str, n: int, class_: str) -> str:
    options = list(dict.fromkeys((_LEFT_OUT, *CLASSES, *filter(None, (class_,)))))
    chosen = st.selectbox(
        f"{_plain(folder) or '(no folder)'}, {counted(n, 'image')}", options, options.index(class_ or _LEFT_OUT),
        key=f"own-folder-{folder}", accept_new_options=True,
    )  # fmt: skip
    return "" if chosen in (None, _LEFT_OUT) else str(chosen)


def _plain(name: str) -> str:
    """A name from a file without what Markdown would draw."""
    return "".join(letter if letter.isalnum() or letter in " -." else " " for letter in name[:40]).strip()


def _labels(paths: list[PurePosixPath]) -> list[str]:
    """Draw a table with a label for each file, filled in where a file is named after an emotion."""
    guesses = [training.label_in(path) for path in paths]
    first = list(dict.fromkeys(filter(None, guesses))) or ["happy", "sad"]
    options = st.multiselect(
        "Labels", list(dict.fromkeys((*CLASSES, *first))), first, key="own-labels", accept_new_options=True,
        help="The classes of the dataset: choose some, or type your own.",
    )  # fmt: skip
    table = st.data_editor(
        {"file": [path.name for path in paths], "label": [g if g in options else None for g in guesses]},
        column_config={
            "file": st.column_config.TextColumn(disabled=True),
            "label": st.column_config.SelectboxColumn(options=options, help="Empty: the image is left out."),
        },
        hide_index=True,
        key=f"own-table-{hash(tuple(paths))}",
    )
    return [label or "" for label in table["label"]]
