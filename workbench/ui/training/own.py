"""Personal images: consent first, then files or the camera, a small dataset that is kept, and a button to delete it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from functools import partial

import streamlit as st

from models.datasets.faceset import CLASSES
from models.files import DiskFullError
from models.text import counted
from workbench.faces import PictureError
from workbench.jobs.limits import LIMITS
from workbench.jobs.store import JobError
from workbench.server import access
from workbench.services import training
from workbench.services.training import OwnSet, Plan

from .. import uploads
from . import form, own_files

_CONSENT = "Each person in these images has agreed to a training on this computer and may have the images deleted"
_GUARDIAN = "Nobody in them is a minor, or a guardian has agreed"


def offer() -> None:
    """Draw the section that makes a small dataset and deletes existing ones; nothing with `--samples-only`."""
    if access.samples_only():
        return
    with st.expander("Train on your own images"):
        st.markdown(
            f"Two to {LIMITS.own_classes} classes with at least {LIMITS.own_each} images each, at most "
            f"{LIMITS.own_images} in total. Faces are detected, cropped, converted to gray and resized to 48 × 48; "
            "the original images are not kept. Everything stays on this computer: such a training cannot be promoted "
            "or exported, and is deleted with its dataset. A network trained on so few images says little about other "
            "faces."
        )
        agreed = st.checkbox(_CONSENT, key="own-consent"), st.checkbox(_GUARDIAN, key="own-guardian")
        if not all(agreed):
            st.caption("Confirm both before you add images.")
        else:
            sources = dict(_SOURCES) if not access.on_the_network() else {k: _SOURCES[k] for k in list(_SOURCES)[:-1]}
            sources[
                st.segmented_control("Source", sources, default=next(iter(sources)), required=True, key="own-way")
            ]()
        for own in training.own_sets():
            _set(own)


def _camera() -> None:
    """Take one photo after another, each with its class; kept in memory until the dataset is created."""
    taken: list = st.session_state.setdefault("own-taken", [])
    left, right = st.columns(2)
    with left:
        class_ = st.selectbox("Label", CLASSES, key="own-class", accept_new_options=True) or CLASSES[0]
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
        st.markdown("So far: " + (", ".join(f"{name} {n}" for name, n in counts.items()) or "no image") + ".")
        if taken:
            st.image(taken[-1][1].repeat(3, 0).repeat(3, 1), caption=f"Last photo: {taken[-1][0]}")
            st.button("Remove the last photo", on_click=taken.pop, key="own-back")
            if st.button("Create the dataset", key="own-make", type="primary"):
                try:
                    _made(taken, [])
                except (JobError, DiskFullError) as error:
                    st.error(str(error))


def _made(pictures: list, notes: list[str]) -> None:
    """Write the dataset and fill the form with suitable settings."""
    own = training.make(pictures)
    st.session_state.pop("own-taken", None)
    st.session_state["own-notes"] = notes
    values = {"model": "residual_cnn", "trained_stages": 0, "epochs": 12, "batch_size": 8, "learning_rate": 0.01}
    plan = Plan("Own images", "quick", own.id, "residual_cnn", {**values, "growing_sizes": ()})
    form.offer(plan)
    st.rerun()


def _set(own: OwnSet) -> None:
    name, button = st.columns([3, 2], vertical_alignment="center")
    text = ", ".join(f"{class_} {n}" for class_, n in own.counts.items())
    name.markdown(f"**{own.title.capitalize()}**: {text}.")
    if button.button("Delete with its training runs", key=f"own-delete-{own.id}"):
        try:
            jobs = training.forget(own.id)
        except JobError as error:
            st.error(str(error))
        else:
            st.session_state["own-notes"] = [f"Deleted: the dataset and {counted(jobs, 'training')} on it."]
            st.query_params.pop("job", None)
            st.rerun()


def show_notes() -> None:
    """Draw the notes about the last dataset, once."""
    for note in st.session_state.pop("own-notes", []):
        st.info(note)


_SOURCES: dict[str, Callable[[], None]] = {
    "Zip of class folders": partial(own_files.from_zip, _made),
    "Folder": partial(own_files.from_files, _made, folder=True),
    "Images": partial(own_files.from_files, _made, folder=False),
    "Camera": _camera,
}
"""Where images come from; the camera, which browsers allow only over https, is the last."""
