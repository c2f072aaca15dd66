"""All jobs in a table, with what may be done to each."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from models.files import DiskFullError
from workbench.jobs import store, transfer
from workbench.jobs.store import Job, JobError
from workbench.services import training

from .. import classroom, page_content, uploads
from . import live

_SHOWN = 12  # jobs; the others behind an expander


@page_content.fragment(run_every=2.0)
def table() -> None:
    """Every job, the newest first; the teacher stops, resumes and removes them, everybody may watch."""
    st.subheader("What was trained here")
    live.say_error()
    there = store.jobs()
    if trouble := store.trouble():
        st.warning(trouble)
    elif not there:
        st.caption("Nothing yet: the first training stands here, also after the browser is closed.")
    for job in there[:_SHOWN]:
        _row(job)
    if len(there) > _SHOWN:
        with st.expander(f"{len(there) - _SHOWN} older ones"):
            for job in there[_SHOWN:]:
                _row(job)


def _row(job: Job) -> None:
    name, state, buttons = st.columns([4, 4, 3], vertical_alignment="center")
    when = datetime.fromtimestamp(job.created).strftime("%d %b, %H:%M")
    own = " · own pictures" if job.belongs_to else " · from another FERScope" if job.imported else ""
    name.markdown(f"**{job.title}**  \n`{job.network}` · {when}{own}")
    state.text(job.message) if job.state == "broken" else state.markdown(_told(job))
    with buttons.container(horizontal=True):
        if job.state != "broken" and st.button("Watch" if job.alive else "Look", key=f"watch-{job.id}"):
            live.watch(job.id)
            st.rerun()
        if not classroom.teacher():
            return
        if job.state in ("queued", "running"):
            st.button("Stop", key=f"stop-{job.id}", on_click=live.act, args=(live.runner.stop, job.id))
        if job.resumable:
            st.button("Go on", key=f"resume-{job.id}", on_click=live.act, args=(live.runner.resume, job.id))
        if not job.alive or job.state == "queued":
            live.remove(job, f"remove-{job.id}")


def _told(job: Job) -> str:
    words = f"It {training.WORDS[job.state]}"
    if job.state == "queued":
        return f"{words}. {job.message}"
    done = len(store.history(job))
    words += f", {done} of {job.epochs} epochs" + (" so far" if job.alive else "")
    return f"{words}. {job.message}".strip()


def bring() -> None:
    """Take in a checkpoint that another FERScope exported."""
    with st.expander("Bring a checkpoint from another FERScope"), st.form("bring", clear_on_submit=True):
        file = uploads.file_uploader(
            "The zip that it exported, up to 25 MB; a larger one: `ferscope jobs import FILE`",
            type="zip",
            key="bring-zip",
        )
        sent = st.form_submit_button("Bring it in")
    if sent and file is not None:
        try:
            with st.spinner("Looking what is in it"):
                job = transfer.import_zip(file.getvalue())
        except (JobError, DiskFullError, ValueError) as error:
            st.error(str(error))
        else:
            live.watch(job.id)
            st.rerun()
