"""Personal images as files: a zip of class folders, a folder, or single images, and what their folders mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

import streamlit as st

from models.datasets.archives import is_hidden
from models.datasets.faceset import CLASSES
from models.files import DiskFullError
from models.images import SUFFIXES
from models.text import counted
from workbench import faces
from workbench.jobs.limits import LIMITS
from workbench.jobs.store import JobError
from workbench.services import training

from .. import uploads

_MOST_FOLDERS = 40
_LEFT_OUT = "leave out"

Found = tuple[list, list[str]]
"""Faces with their classes, and notes on what was left out."""

Make = Callable[[list, list[str]], None]
"""Called with them, to write the dataset."""


def from_zip(make: Make) -> None:
    """Draw the uploader of a zip, what its folders mean, and the button that makes the dataset."""
    file = uploads.file_uploader(
        f"A zip with a folder for each class, such as happy/1.jpg, up to {LIMITS.own_bytes >> 20} MB", type="zip",
        key="own-zip", max_upload_size=LIMITS.own_bytes >> 20,
    )  # fmt: skip
    if file is None:
        return
    data = file.getvalue()
    try:
        mapping = classes_of(training.folders_in_zip(data))
    except JobError as error:
        st.error(str(error))
        return
    _button(make, lambda progress: training.read_zip(data, progress, mapping), any(mapping.values()))


def from_files(make: Make, folder: bool) -> None:
    """Draw the uploader of a folder or of single images, their labels, and the button that makes the dataset."""
    files = uploads.file_uploader(
        "A folder with a folder for each class" if folder else "Images", type=_types(), key=f"own-files-{folder}",
        accept_multiple_files="directory" if folder else True, max_upload_size=faces.MAX_BYTES >> 20,
    )  # fmt: skip
    images = [(path, file.getvalue) for file in files if (path := _path(file.name)).parts and not is_hidden(path)]
    if not images:
        return
    if len(images) > LIMITS.own_images:
        st.error(f"These are {len(images)} files: use at most {LIMITS.own_images} images.")
        return
    if folder and any(path.parent.name for path, _ in images):
        mapping = classes_of(training.folders_of(path for path, _ in images))
        labels = [mapping.get(path.parent.name, "") for path, _ in images]
    else:
        labels = _labels([path for path, _ in images])
    _button(make, lambda progress: training.read_files(images, labels, progress), any(labels))


def _types() -> list[str]:
    return [suffix.removeprefix(".") for suffix in sorted(SUFFIXES)]


def _path(name: str) -> PurePosixPath:
    """The path of an uploaded file inside its folder; never a path on this computer."""
    return PurePosixPath(*[part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")])


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


def _button(make: Make, read: Callable[[Any], Found], ready: bool) -> None:
    if not st.button("Create the dataset", key="own-make", type="primary", disabled=not ready):
        return
    bar = st.progress(0.0, text="Detecting faces")
    try:
        make(*read(lambda i, n: bar.progress(i / n, f"Face {i} of {n}")))
    except (JobError, DiskFullError) as error:
        st.error(str(error))
    finally:
        bar.empty()
