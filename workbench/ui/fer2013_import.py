"""Import of FER2013 from a file or a path, offered to the owner of the computer only, with progress and cancel."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from models.paths import FER2013
from models.text import thousands
from workbench import services
from workbench.jobs import fer2013_import
from workbench.jobs.store import JobError

from . import classroom, page_content, uploads

NAME = FER2013.stem
"""Name of the dataset."""

_COMMAND = (
    "In a terminal of the computer that runs the app: `ferscope data import SOURCE`, where SOURCE is the archive, the "
    "folder or the CSV."
)
_WHERE = (
    "[Kaggle](https://www.kaggle.com/datasets/msambare/fer2013) has the archive; the app downloads nothing. Drawn "
    "faces need no import."
)


def running() -> bool:
    """Whether it is being imported now."""
    now = fer2013_import.current()
    return now is not None and now.state == "running"


def offer() -> None:
    """Draw what imports FER2013 if it is not imported; a command instead of a form for visitors of another computer."""
    now = fer2013_import.current()
    if running():
        page_content.fragment(_progress, run_every=1.0)()
    elif NAME not in services.dataset.imported.imported_sets():
        _say_end(now)
        st.info(f"FER2013 is not imported here. {_WHERE}" + ("" if classroom.owner() else f" {_COMMAND}"))
        if classroom.owner():
            _form()
    elif now is not None and now.state == "done" and st.session_state.get("fer2013-seen") != now.started:
        st.session_state["fer2013-seen"] = now.started
        st.success(now.message)


def _progress() -> None:
    """Draw the progress of the running import and the button that cancels it."""
    now = fer2013_import.current()
    if now is None or now.state != "running":
        st.rerun()
    read = f"{thousands(now.files)} of {thousands(fer2013_import.IMAGES)} images" if now.files else "reading the file"
    st.progress(now.share, text=f"Importing {now.source}: {read}, {services.training.duration(now.seconds)}.")
    if classroom.owner():
        st.button("Cancel the import", key="fer2013-cancel", on_click=fer2013_import.cancel)


def _say_end(now: fer2013_import.Import | None) -> None:
    """Draw why the last import wrote nothing."""
    if now is not None and now.state == "failed":
        st.error(now.message)
    elif now is not None and now.state == "cancelled":
        st.caption("The import was cancelled; nothing was written.")


def _form() -> None:
    """Draw the form: a path of this computer, or a file."""
    most = int(st.get_option("server.maxUploadSize"))
    with st.form("fer2013"):
        left, right = st.columns(2)
        path = left.text_input(
            "Path on this computer",
            key="fer2013-path",
            placeholder="~/Downloads/archive.zip",
            help="An archive (zip, tar), a folder with train and test, or fer2013.csv.",
        )
        with right:
            file = uploads.file_uploader(
                f"Or a file up to {most} MB", type=["zip", "tar", "gz", "xz", "bz2", "tgz", "csv"], key="fer2013-file",
                max_upload_size=most,
            )  # fmt: skip
        sent = st.form_submit_button("Import FER2013", type="primary")
    if not sent:
        return
    if file is None and not path.strip():
        st.warning("Enter a path or choose a file.")
        return
    out = services.dataset.imported.FOLDER / FER2013.name
    try:
        if file is not None:
            fer2013_import.import_file(file.getvalue(), file.name, out)
        else:
            fer2013_import.import_path(Path(path.strip().strip("\"'")).expanduser(), out)
    except (JobError, OSError, RuntimeError, ValueError) as error:  # RuntimeError: no home folder for ~user
        st.error(str(error))
    else:
        st.rerun()
