"""The result of a training run: comparison before and after, shortcut learning, and what to do with the checkpoint."""

from __future__ import annotations

from functools import partial

import streamlit as st

from models.files import DiskFullError
from models.text import counted, thousands
from workbench import navigation
from workbench.jobs import transfer
from workbench.jobs.store import Job, JobError
from workbench.services import training
from workbench.services.training import BeforeAfter

from .. import charts, classroom, state, views
from . import live


def show(job: Job) -> None:
    """Draw everything about a job; where it has ended with a checkpoint, its results stand in tabs."""
    if job.state == "broken":
        live.broken(job)
        return
    playing = live.actions(job)
    if job.alive or not job.has_checkpoint:
        live.picture(job, playing)
        return
    _where(job)
    sections = {"Training": partial(live.picture, job, playing), "Before and after": partial(_before_after, job)}
    if class_ := training.sticker_class(job):
        sections["Shortcut learning"] = partial(_shortcut, job, class_)
    views.tabs(sections)


def _before_after(job: Job) -> None:
    try:
        with st.spinner("Evaluating the network before and after"):
            found = training.before_after(job)
    except (ValueError, OSError) as error:
        st.warning(str(error))
        return
    _test(found)
    _faces(found)


def _where(job: Job) -> None:
    """Draw the buttons that use, promote and export the checkpoint."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Explain a face", on_click=state.choose_network, args=(job.id,), type="primary", key="use"):
            st.switch_page(navigation.FOLDER / "explain.py", query_params={})
        if not classroom.teacher():
            return
        if job.belongs_to:
            st.caption(
                "It was trained on personal images, so it cannot be exported or promoted (copied to the checkpoints)."
            )
            return
        if st.button(
            "Promote", key="promote", help="Copy it to checkpoints/, where it is kept when the job is removed."
        ):
            _promote(job)
        if st.session_state.get("export") == job.id:
            _download(job)
        else:
            st.button("Export", key="export-ask", on_click=st.session_state.update, args=({"export": job.id},))


def _promote(job: Job) -> None:
    try:
        name = transfer.promote(job.id)
    except (JobError, DiskFullError) as error:
        st.error(str(error))
    else:
        st.success(f"Promoted: it is in the list of networks as `{name}`.")


def _download(job: Job) -> None:
    try:
        data = transfer.export(job.id)
    except (JobError, OSError) as error:
        st.error(str(error))
    else:
        name = transfer.export_name(job)
        st.download_button("Save the zip", data, name, "application/zip", key="export-zip", on_click="ignore")


def _test(found: BeforeAfter) -> None:
    if found.caveat:
        st.warning(found.caveat)
    if found.excluded:
        st.info(found.excluded)
    if found.unknown:
        st.warning(found.unknown)
        return
    if found.accuracy is None:
        st.info("The dataset is not on this computer, so the test set cannot be evaluated.")
        return
    before, after = (charts.with_interval(value) for value in found.accuracy)
    both = {"before": found.recall[0], "after": found.recall[1]}
    charts.show(charts.recall_bars(both), "before-after", "Recall of each class before and after training")
    some = f"{thousands(found.n_images)} of " if found.n_images < found.of else ""
    some += counted(found.of, "image")
    text = f"**Test accuracy: {before} before, {after} after** ({some}, balanced by class; 95 % intervals)."
    if found.measured and found.measured[1] > found.n_images:
        text += f" On all {found.measured[1]} images: {charts.with_interval(found.measured[0])}."
    chose = " The epoch was chosen on these images, so the second value is optimistic." if found.chosen_on_test else ""
    views.caption(f"{text}{chose} Accuracy on other kinds of images can differ.")


def _faces(found: BeforeAfter) -> None:
    """Draw the two pinned faces before and after: predictions, and maps of the class predicted after training."""
    if found.unknown:
        return
    columns = st.columns(2 * len(found.faces))
    for i, name in enumerate(found.faces):
        k = int(found.probabilities[1][i].argmax())
        maps = [None if m is None else m[i, k] for m in found.maps]
        for j, (word, heat) in enumerate(zip(("before", "after"), maps, strict=True)):
            p = found.probabilities[j][i]
            with columns[2 * i + j]:
                top = 0.0 if heat is None else float(heat.max())
                live.pinned(name, heat, top, f"pinned-{i}-{word}", f"Map over {name} {word} training")
                predicted = f"{found.classes[int(p.argmax())]} {charts.percent(float(p.max()))}"
                st.markdown(f"**{word.capitalize()}: {predicted}**")
    if found.maps[1] is not None:
        views.caption(
            "Maps for the class predicted after training, each on its own scale. The map of random weights means "
            "nothing."
        )


def _shortcut(job: Job, class_: str) -> None:
    try:
        with st.spinner("Classifying new drawn faces with and without the sticker"):
            found = training.shortcut(job.id, class_)
    except ValueError as error:
        st.warning(str(error))
        return
    without, with_ = (charts.with_interval(value) for value in found.predicted)
    st.markdown(
        f"**Of {found.faces} new drawn faces, none of them {class_}, {without} are predicted as {class_}; of the same "
        f"faces with the sticker, {with_}.**"
    )
    if found.on_sticker:
        shares = {**found.on_sticker, "no preference": found.area}
        texts, colors = [charts.percent(value) for value in shares.values()], ["#0072B2"] * len(shares)
        colors[-1] = "#7F7F7F"
        label = f"share of the map for {class_} on or near the sticker ↑"
        charts.show(
            charts.bars(shares, texts, label, colors=colors),
            "on-sticker",
            f"Share of the map for {class_} on the sticker, by method",
        )
        views.caption(
            "Gray: a uniform map, by the area of the sticker. Methods far above it reveal the shortcut, methods near "
            "it miss it. This holds for this network and this sticker only."
        )
