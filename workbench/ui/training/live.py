"""The chosen training run: progress, training curves, and maps of two faces after each epoch."""

from __future__ import annotations

import streamlit as st
import torch

from workbench import services
from workbench.jobs import runner, store
from workbench.jobs.store import Job, JobError
from workbench.services import training
from workbench.services.training import EpochView, Progress

from .. import charts, classroom, page_content, url_state, views

_TICK = 1.0  # seconds
_LINES = 30  # of the log
_SIDE = 48  # pixels of a pinned face
_HEIGHT = 240  # of its picture on the page, with the bar below


def chosen() -> Job | None:
    """The job in the address; None if there is none or it does not exist, which the page then says."""
    id_ = st.query_params.get("job")
    if not id_:
        return None
    try:
        return store.read(id_)
    except JobError:
        st.info(f"There is no training run {url_state.quoted(id_)}: it was removed, or made on another computer.")
        return None


def watch(id_: str) -> None:
    """Show a job by writing it into the address, so that a reload and another viewer see the same."""
    st.query_params["job"] = id_
    for key in ("lapse-at", "lapse-chosen"):
        st.session_state.pop(key, None)


def broken(job: Job) -> None:
    """Draw what can be said of a job whose files are damaged."""
    st.error(f"The files of {job.id} are damaged.")
    st.text(job.message)
    st.button("All training runs", key="job-leave", on_click=leave)


def picture(job: Job, playing: bool) -> None:
    """Draw progress, curves and maps of a job; only this part runs again each second while the job runs."""
    pending = training.pending(job)
    every = _TICK if job.alive or pending or playing else None
    page_content.fragment(_picture, run_every=every)(job.id, (job.state, pending), playing)


def actions(job: Job) -> bool:
    """Draw the teacher's buttons and the switch that plays the epochs; return whether it is on."""
    show_error()
    with st.container(horizontal=True, vertical_alignment="center"):
        if classroom.teacher():
            if job.state in ("queued", "running"):
                st.button("Stop", key="job-stop", on_click=act, args=(runner.stop, job.id))
            if job.resumable:
                st.button("Resume", key="job-resume", on_click=act, args=(runner.resume, job.id), help=_RESUME)
            if not job.alive or job.state == "queued":
                remove(job, "job-remove")
        text = "Another training run" if classroom.teacher() else "All training runs"
        st.button(text, key="job-leave", on_click=leave)
        return st.toggle("Play epochs", key="lapse-play", help="Shows one epoch per second, from the first on.")


_RESUME = "Resumes after the last complete epoch."


def act(do, id_: str) -> None:
    """Stop, resume or remove a job; an error is shown at the next run."""
    try:
        do(id_)
    except (JobError, RuntimeError) as error:
        st.session_state["job-error"] = str(error)


def show_error() -> None:
    """Draw the last error, once."""
    if error := st.session_state.pop("job-error", None):
        st.error(error)


def remove(job: Job, key: str) -> None:
    """Draw the button that removes a job, after a confirmation."""
    with st.popover("Remove", key=f"{key}-ask"):
        st.markdown("This deletes its curves and its checkpoint. Promoted checkpoints are kept.")
        st.button("Remove it", key=key, on_click=act, args=(runner.remove, job.id), type="primary")


def leave() -> None:
    """Back to the form."""
    st.query_params.pop("job", None)


def _picture(id_: str, before: tuple, playing: bool) -> None:
    try:
        job = store.read(id_)
    except JobError:
        st.rerun()  # removed meanwhile
    if (job.state, training.pending(job)) != before:
        st.rerun()  # other buttons, and another pace
    found, seen = training.progress(job), training.views(job)
    _state(job, found)
    left, right = st.columns(2)
    with left:
        _curve(found, "accuracy")
    with right:
        _faces(job, seen, playing)
    _more(job, found, seen)


def _state(job: Job, found: Progress) -> None:
    """Draw the progress as one line and a bar."""
    spec = services.networks.get_spec(job.network)
    text = f"**{job.title}**: {spec.title} {training.STATES[job.state]}"
    if job.paused:
        text += ": the time limit is reached"
    if job.state in ("running", "stopping"):
        text += f", epoch {min(found.epoch + 1, found.epochs)} of {found.epochs}" if found.epoch else ", first epoch"
        if found.seconds_left is not None:
            text += f", about {training.duration(found.seconds_left)} left"
    elif found.epoch:
        text += f" after {found.epoch} of {found.epochs} epochs"
    st.progress(found.share, text=text + ".")
    if job.state in ("failed", "lost"):
        st.error(job.message or "It failed without a message. The log below may say why; *Resume* tries again.")
    elif job.message:
        st.caption(job.message)


def _curve(found: Progress, kind: str) -> None:
    lines = {name: found.columns.get(f"{key}_{kind}") for name, key in _LINE_KEYS.items()}
    lines = {name: values for name, values in lines.items() if values is not None}
    running = found.now and found.now[kind == "accuracy"]
    figure = charts.learning(
        found.numbers, lines, f"{kind} {'↑' if kind == 'accuracy' else '↓'}", found.epochs, found.best, running,
        shares=kind == "accuracy",
    )  # fmt: skip
    charts.show(figure, f"learning-{kind}", f"{kind.capitalize()} of training and validation by epoch")


_LINE_KEYS = {"training": "train", "validation": "validation"}


# ---------------------------------------------------------------------------------------------------------------------
# The faces


def _faces(job: Job, seen: list[EpochView], playing: bool) -> None:
    """Draw the maps of the pinned faces after one epoch: the newest, the chosen one, or each in turn."""
    if not seen:
        _before(job)
        return
    at, container = st.columns([3, 2])
    with at:
        view = _at_epoch(seen, playing)
    wanted = training.sticker_class(job) or training.drawn_class(view.faces[0])
    start = view.classes.index(wanted) if wanted in view.classes else 0
    name = container.selectbox("Map for the class", view.classes, start, key=f"lapse-class-{job.id}")
    k = view.classes.index(name)
    top = max(float(v.maps[:, k].max()) for v in seen) if view.maps is not None else 0.0
    for i, (column, face) in enumerate(zip(st.columns(len(view.faces)), view.faces, strict=True)):
        p, heat = view.probabilities[i], None if view.maps is None else view.maps[i, k]
        predicted = f"{view.classes[int(p.argmax())]} {charts.percent(float(p.max()))}"
        with column:
            pinned(face, heat, top, f"pinned-face-{i}", f"Map for {name} after epoch {view.epoch}, {face}")
            st.markdown(f"**{predicted}** after epoch {view.epoch}: {training.pinned_title(face)}.")
    if view.maps is None:
        st.caption(f"{job.network} has no layer for maps; its predictions are below the faces.")


def _before(job: Job) -> None:
    """Draw the faces without maps, until the first epoch is complete."""
    st.markdown("Maps of these faces appear after the first epoch." if job.alive else "No epoch was saved.")
    names = training.pinned(job)
    for i, (column, face) in enumerate(zip(st.columns(len(names)), names, strict=True)):
        with column:
            pinned(face, None, 0.0, f"pinned-face-{i}", training.pinned_title(face))


def _at_epoch(seen: list[EpochView], playing: bool) -> EpochView:
    """The epoch to show: the newest, until another one is chosen."""
    numbers = [view.epoch for view in seen]
    if playing:
        at = st.session_state["lapse-at"] = (st.session_state.get("lapse-at", -1) + 1) % len(seen)
        st.slider("Epoch", 1, max(numbers[-1], 2), numbers[at], disabled=True, key=f"lapse-play-{numbers[at]}")
        return seen[at]
    chosen_epoch = min(st.session_state.get("lapse-chosen") or numbers[-1], numbers[-1])
    key = f"lapse-{numbers[-1]}"
    chosen_epoch = st.slider(
        "Epoch", 1, max(numbers[-1], 2), chosen_epoch, disabled=len(seen) == 1, key=key, on_change=_choose, args=(key,)
    )
    return next((view for view in reversed(seen) if view.epoch <= chosen_epoch), seen[0])


def _choose(key: str) -> None:
    newest = int(key.removeprefix("lapse-"))
    chosen = st.session_state[key]
    st.session_state["lapse-chosen"] = None if chosen == newest else chosen


def pinned(name: str, heat: torch.Tensor | None, top: float, key: str, alt: str) -> None:
    """Draw a pinned face with a map (h, w) over it, if there is one, brightest at `top`."""
    pixels = torch.from_numpy(training.pinned_face(name).gray(_SIDE)).float() / 255
    if heat is None:
        figure = charts.face(pixels, "")
    else:
        large = torch.nn.functional.interpolate(heat[None, None], (_SIDE, _SIDE), mode="bilinear")[0, 0]
        figure = charts.face_with_map(pixels, large, top, 0.75)
    charts.show(figure.update_layout(height=_HEIGHT), key, alt)


def _more(job: Job, found: Progress, seen: list[EpochView]) -> None:
    """Draw loss, per-class recall, learning rate and log."""
    views.caption(
        "**Left: accuracy** on the training set (augmented) and on the validation set, which chooses the best epoch. "
        "**Right: maps for one class,** on one scale for all epochs. A stable map does not prove that it highlights "
        "what matters in a face."
    )
    left, right = st.columns([2, 3])
    with left:
        _curve(found, "loss")
        if found.learning_rate is not None:
            st.caption(f"Learning rate at the end of epoch {found.epoch}: {found.learning_rate:.3g}.")
    with right:
        if seen and float(seen[-1].total.sum()) > 0:
            _recall(seen[-1])
    with st.expander("Log"):
        st.code(store.log_tail(job, _LINES) or "Empty.", language=None)


def _recall(view: EpochView) -> None:
    shares = training.recall_of(view)
    charts.show(
        charts.recall_bars({f"epoch {view.epoch}": shares}),
        "job-recall",
        f"Recall of each class after epoch {view.epoch}",
    )
    n = int(view.total.sum())
    st.caption(
        f"Recall of each class after epoch {view.epoch}, on {n} images of the validation set, with "
        "95\N{NO-BREAK SPACE}% intervals."
    )
