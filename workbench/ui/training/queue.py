"""The table of all training runs, with buttons for each."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from models.files import DiskFullError
from workbench.jobs import store, transfer
from workbench.jobs.store import Job, JobError
from workbench.services import training

from .. import classroom, page_content, uploads
from . import live

_SHOWN = 6  # jobs; the others behind an expander


@page_content.fragment(run_every=2.0)
def table() -> None:
    """Draw all jobs, newest first; the teacher may stop, resume and remove them, everybody may watch."""
    st.header("Training runs")
    live.show_error()
    there = store.jobs()
    if trouble := store.trouble():
        st.warning(trouble)
    elif not there:
        st.caption("No training runs yet. They are listed here and keep running when the browser is closed.")
    for job in there[:_SHOWN]:
        _row(job)
    if len(there) > _SHOWN:
        with st.expander(f"{len(there) - _SHOWN} older training runs"):
            for job in there[_SHOWN:]:
                _row(job)


def _row(job: Job) -> None:
    name, state, buttons = st.columns([4, 4, 3], vertical_alignment="center")
    when = datetime.fromtimestamp(job.created).strftime("%d %b, %H:%M")
    own = " · own images" if job.belongs_to else " · imported" if job.imported else ""
    name.markdown(f"**{job.title}**  \n`{job.network}` · {when}{own}")
    state.text(job.message) if job.state == "broken" else state.markdown(_text(job))
    with buttons.container(horizontal=True):
        if job.state != "broken" and st.button("Watch" if job.alive else "Open", key=f"watch-{job.id}"):
            live.watch(job.id)
            st.rerun()
        if not classroom.teacher():
            return
        if job.state in ("queued", "running"):
            st.button("Stop", key=f"stop-{job.id}", on_click=live.act, args=(live.runner.stop, job.id))
        if job.resumable:
            st.button("Resume", key=f"resume-{job.id}", on_click=live.act, args=(live.runner.resume, job.id))
        if not job.alive or job.state == "queued":
            live.remove(job, f"remove-{job.id}")


def _text(job: Job) -> str:
    words = f"It {training.STATES[job.state]}"
    if job.state == "queued":
        return f"{words}. {job.message}"
    done = len(store.history(job))
    words += f", {done} of {job.epochs} epochs" + (" so far" if job.alive else "")
    return f"{words}. {job.message}".strip()


def bring() -> None:
    """Draw the form that imports a checkpoint exported by another FERScope."""
    with st.expander("Import a training run from another FERScope"), st.form("bring", clear_on_submit=True):
        file = uploads.file_uploader(
            "Exported zip, up to 25 MB; for a larger one use `ferscope jobs import PATH`",
            type="zip",
            key="bring-zip",
            max_upload_size=25,
        )
        sent = st.form_submit_button("Import")
    if sent and file is not None:
        try:
            with st.spinner("Checking the file"):
                job = transfer.import_zip(file.getvalue())
        except (JobError, DiskFullError, ValueError) as error:
            st.error(str(error))
        else:
            live.watch(job.id)
            st.rerun()
