"""Personal images: consent first, then files or the camera, a small dataset that is kept, and a button to delete it."""

from __future__ import annotations

import hashlib
from collections import Counter

import streamlit as st

from models.datasets.faceset import CLASSES
from models.files import DiskFullError
from models.text import counted, thousands
from workbench.faces import PictureError
from workbench.jobs.limits import LIMITS
from workbench.jobs.store import JobError
from workbench.server import access
from workbench.services import training
from workbench.services.training import OwnSet, Plan

from .. import page_content, uploads
from . import entries, own_files
from .own_files import Batch

_CONSENT = (
    "Each person in these images has agreed to their use for training on this computer and may have the images deleted"
)
_GUARDIAN = "Nobody in them is a minor, or a guardian has agreed"
_SOURCES = ("Files", "Folder", "Camera")
"""Where images come from; the camera, which browsers allow only over https, is the last."""


def offer() -> None:
    """Draw the section that makes a small dataset and deletes existing ones; nothing with `--samples-only`."""
    if access.samples_only():
        return
    with st.expander("Train on your own images"):
        _new()
        for own in training.own_sets():
            _set(own)


@page_content.fragment
def _new() -> None:
    """Draw what makes a new dataset: consent, the sources, and one button for the images of all of them."""
    st.markdown(
        f"Two to {LIMITS.own_classes} classes with at least {LIMITS.own_each} images each, at most "
        f"{thousands(LIMITS.own_images)} in total. Faces are detected, cropped, converted to gray and resized to 48 "
        "× 48; the original images are not kept. Everything stays on this computer: the trained network cannot be "
        "exported or copied to the checkpoints, and is deleted with its dataset. A network trained on so few images "
        "says little about other faces."
    )
    agreed = st.checkbox(_CONSENT, key="own-consent"), st.checkbox(_GUARDIAN, key="own-guardian")
    if not all(agreed):
        st.caption("Confirm both before you add images.")
        return
    _create(own_files.labeled(_sources()))


def _sources() -> list[own_files.File]:
    """Draw a tab for each source, and return the files of all of them; photos are kept in the session."""
    number = st.session_state.setdefault("own-number", 0)
    offered = _SOURCES[:-1] if access.on_the_network() else _SOURCES
    files, folder, *camera = st.tabs(offered, key="own-way", on_change="rerun")
    with files:
        found = own_files.uploader(folder=False, number=number)
    with folder:
        found += own_files.uploader(folder=True, number=number)
    for tab in camera:
        with tab:
            if tab.open:  # else the browser would ask for the camera
                _camera()
    return found


def _taken() -> list[training.Labelled]:
    """Faces in photos of the camera, with their classes; in memory until the dataset is created."""
    return st.session_state.setdefault("own-taken", [])


def _camera() -> None:
    """Take one photo after another, each with its class."""
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
                _taken().append((class_, training.face_of(data)))
            except PictureError as error:
                right.error(str(error))
    if taken := _taken():
        with right:
            face, alt = taken[-1][1].repeat(3, 0).repeat(3, 1), "The face in the last photo"
            st.image(face, caption=f"Last photo: {taken[-1][0]}", alt=alt)
            st.button("Remove the last photo", on_click=taken.pop, key="own-back")


def _create(batches: list[Batch]) -> None:
    """Draw the number of images of each class, and the button that makes a dataset of all of them."""
    counts = Counter(name for name, _ in _taken())
    for batch in batches:
        counts.update(batch.counts)
    so_far = ", ".join(f"{name} {n}" for name, n in counts.items()) or "no image with a class"
    st.markdown(f"So far: {so_far}.")
    if not st.button("Create the dataset", key="own-make", type="primary", disabled=not counts):
        return
    try:
        faces, notes = _faces(batches)
        _made(training.make([*_taken(), *faces]), notes)
    except (JobError, DiskFullError) as error:
        st.error(str(error))


def _faces(batches: list[Batch]) -> own_files.Found:
    """The faces of all batches and what was left out, with a progress bar meanwhile."""
    bar, faces, notes = st.progress(0.0, text="Detecting faces"), [], []
    try:
        for i, batch in enumerate(batches):
            more, why = batch.read(lambda n, of, i=i: bar.progress((i + n / of) / len(batches), f"Face {n} of {of}"))
            faces, notes = faces + more, notes + why
    finally:
        bar.empty()
    return faces, notes


def _made(own: OwnSet, notes: list[str]) -> None:
    """Empty the sources, and fill the form with suitable settings for the new dataset."""
    st.session_state.pop("own-taken", None)
    st.session_state["own-number"] += 1
    st.session_state["own-notes"] = [f"Created: {own.title}. The form above has it as its dataset.", *notes]
    values = {"model": "residual_cnn", "trained_stages": 0, "epochs": 12, "batch_size": 8, "learning_rate": 0.01}
    entries.offer(Plan("Own images", "quick", own.id, "residual_cnn", {**values, "growing_sizes": ()}))
    st.rerun()


def _set(own: OwnSet) -> None:
    name, button = st.columns([3, 2], vertical_alignment="center")
    name.markdown(own.title[0].upper() + own.title[1:])
    if button.button("Delete with its training runs", key=f"own-delete-{own.id}"):
        try:
            jobs = training.forget(own.id)
        except JobError as error:
            st.error(str(error))
        else:
            entries.forget_set(own.id)
            st.session_state["own-notes"] = [f"Deleted: the dataset and {counted(jobs, 'training run')} on it."]
            st.query_params.pop("job", None)
            st.rerun()


def show_notes() -> None:
    """Draw the notes about the last dataset, once."""
    for note in st.session_state.pop("own-notes", []):
        st.info(note)
