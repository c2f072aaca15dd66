"""People's own pictures: consent first, then a zip or a camera, a small set that stays, one button to delete it."""

from __future__ import annotations

import hashlib
from collections import Counter

import streamlit as st

from models.datasets.faceset import CLASSES
from models.files import DiskFullError
from models.text import counted
from workbench.faces import PictureError
from workbench.jobs.limits import LIMITS
from workbench.jobs.store import JobError
from workbench.server import access
from workbench.services import training
from workbench.services.training import NOTHING, OwnSet, Plan

from .. import uploads
from . import form

_CONSENT = "Each person in these pictures has agreed that this computer learns from them, and may have them deleted"
_GUARDIAN = "Nobody in them is a minor, or a guardian has agreed"


def offer() -> None:
    """Make a small set, and delete those that there are; not where only samples are offered."""
    if access.samples_only():
        return
    with st.expander("Learn from your own pictures"):
        st.markdown(
            f"Two to {LIMITS.own_classes} classes with {LIMITS.own_each} pictures or more each, "
            f"{LIMITS.own_pictures} at most. Faces are found, cut out, made gray and small (48 pixels); the pictures "
            "themselves are not kept. Everything stays on this computer: such a training is never promoted or "
            "exported, and goes with its set. So few pictures teach a network these faces, and little about others."
        )
        asked = st.checkbox(_CONSENT, key="own-consent"), st.checkbox(_GUARDIAN, key="own-guardian")
        if not all(asked):
            st.caption("Both ticks are needed before a picture.")
        else:
            ways = ["A zip of class folders"] + ["The camera"] * (not access.on_the_network())
            way = st.segmented_control("From", ways, default=ways[0], required=True, key="own-way")
            (_camera if way == "The camera" else _zip)()
        for own in training.own_sets():
            _set(own)


def _zip() -> None:
    file = uploads.file_uploader(
        f"A zip with a folder for each class, such as happy/1.jpg, up to {LIMITS.own_bytes >> 20} MB", type="zip",
        key="own-zip",
    )  # fmt: skip
    if file is not None and st.button("Make the set", key="own-make", type="primary"):
        bar = st.progress(0.0, text="Looking for faces")
        try:
            found, notes = training.read_zip(file.getvalue(), lambda i, n: bar.progress(i / n, f"Face {i} of {n}"))
            _made(found, notes)
        except (JobError, DiskFullError) as error:
            st.error(str(error))
        finally:
            bar.empty()


def _camera() -> None:
    """One picture after another, each with its class; kept in this visit's memory until the set is made."""
    taken: list = st.session_state.setdefault("own-taken", [])
    left, right = st.columns(2)
    with left:
        class_ = st.selectbox("This face shows", CLASSES, key="own-class")
        photo = uploads.camera_input("Photo", key="own-camera")
    if photo is not None:
        data = photo.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        if digest != st.session_state.get("own-last"):
            st.session_state["own-last"] = digest
            try:
                taken.append((class_, training.face_of(data)))
            except PictureError as error:
                right.error(str(error))
    with right:
        counts = Counter(name for name, _ in taken)
        st.markdown("So far: " + (", ".join(f"{name} {n}" for name, n in counts.items()) or "no picture") + ".")
        if taken:
            st.image(taken[-1][1].repeat(3, 0).repeat(3, 1), caption=f"The last one: {taken[-1][0]}")
            st.button("Take the last one back", on_click=taken.pop, key="own-back")
            if st.button("Make the set", key="own-make", type="primary"):
                try:
                    _made(taken, [])
                except (JobError, DiskFullError) as error:
                    st.error(str(error))


def _made(pictures: list, notes: list[str]) -> None:
    """Write the set and fill the form with a training that suits it."""
    own = training.make(pictures)
    st.session_state.pop("own-taken", None)
    st.session_state["own-notes"] = notes
    values = {"model": "residual_cnn", "trained_stages": 0, "epochs": 12, "batch_size": 8, "learning_rate": 0.01}
    known = "contempt" not in own.counts
    plan = Plan("Own pictures", "quick", own.id, "residual_cnn" if known else NOTHING, {**values, "growing_sizes": ()})
    form.offer(plan)
    st.rerun()


def _set(own: OwnSet) -> None:
    name, button = st.columns([3, 2], vertical_alignment="center")
    told = ", ".join(f"{class_} {n}" for class_, n in own.counts.items())
    name.markdown(f"**{own.title.capitalize()}**: {told}.")
    if button.button("Delete it, with its trainings", key=f"own-delete-{own.id}"):
        try:
            jobs = training.forget(own.id)
        except JobError as error:
            st.error(str(error))
        else:
            st.session_state["own-notes"] = [
                f"The set is deleted, and what learned from it: {counted(jobs, 'training')}."
            ]
            st.query_params.pop("job", None)
            st.rerun()


def say_notes() -> None:
    """What became of the last set, once."""
    for note in st.session_state.pop("own-notes", []):
        st.info(note)
