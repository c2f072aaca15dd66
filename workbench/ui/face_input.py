"""The face of the toolbar: its source, and which face of an image is chosen."""

from __future__ import annotations

import hashlib
import random

import streamlit as st
from PIL import Image, ImageDraw

from models.datasets import DataError
from models.images import FORMATS, TITLES
from workbench import faces, services
from workbench.faces import Box, PictureError

from . import classroom, uploads, url_state

OWN = ("Upload", "Camera")
SOURCES = ("Sample", *OWN, "Dataset")
LARGEST = (2400, 2400)  # pixels of the image that a visitor's session keeps in memory: at most 17 MB
MOST = 12  # uploaded images to choose from
NO_FACE = "No face was found in this image. Crop it by hand, or choose another image."
NOT_DETECTED = "**No face was detected** in this image, so the prediction may be of something else."
_TITLES = {sample.name: sample.title for sample in faces.samples()}
_MARK = "#D6336C"
_PICKED = ["image", *(suffix for format_ in FORMATS for suffix in format_.suffixes)]  # what a file dialog lists


def choose() -> dict[str, str | None]:
    """Let the visitor choose a face, stored for `state.face()`; return it as query parameters."""
    sources = tuple(source for source in SOURCES if classroom.offers(source))
    _arrive(sources)
    st.session_state.update(face=None, face_name="", face_note="", can_crop=False)
    st.session_state.setdefault("source", sources[0])
    source = sources[0]
    if len(sources) > 1:
        source = st.segmented_control("Face", sources, required=True, key="source", width="stretch")
    chosen: dict[str, str | None] = {"sample": None, "set": None, "face": None}
    if source not in OWN and st.session_state.pop("picture", None):
        st.session_state.pop("results", None)  # nothing of an uploaded image is kept once another one is chosen
    try:
        if source == "Sample":
            chosen |= _from_sample()
        elif source == "Dataset":
            chosen |= _from_dataset()
        elif not classroom.accepted():
            st.session_state["no_face"] = "To use your own image, open Face above and accept the consent notice."
        else:
            _from_picture(*(_upload() if source == "Upload" else _photo()))
    except PictureError as error:
        st.session_state["no_face"] = str(error)
        st.error(str(error))
    return chosen


def _arrive(sources: tuple[str, ...]) -> None:
    """Choose the face that the link names, if the visitor has just followed it."""
    set_, id_, sample = (
        url_state.requested("set") or "",
        url_state.requested("face") or "",
        url_state.requested("sample"),
    )
    if set_ or id_:
        try:
            set_ = set_ or next(iter(services.dataset.imported.imported_sets()), "")
            place = (
                services.dataset.imported.find_face(set_, id_)
                if id_
                else services.dataset.imported.set_face(set_, 0).position
            )
        except DataError:
            place = None
        if place is None or "Dataset" not in sources:
            face = url_state.quoted(f"{set_} {id_}")
            url_state.note(f"The link has the face {face}, which is in no dataset that is imported here.")
        else:
            st.session_state.update(source="Dataset", set=set_, set_index=(set_, place))
    elif sample in _TITLES:
        st.session_state.update(source="Sample", sample=sample)
    elif sample is not None:
        url_state.note(f"The link has the sample {url_state.quoted(sample)}, which does not exist here.")


# ---------------------------------------------------------------------------------------------------------------------
# Samples and datasets


def _from_sample() -> dict[str, str]:
    name = st.selectbox("Sample face", _TITLES, format_func=_TITLES.get, key="sample", persist_state="session")
    face = faces.load_sample(name)
    _show(faces.sample_picture(name), [face.box] if face.box else [], chosen=0)
    st.caption(next(sample.credit for sample in faces.samples() if sample.name == name))
    st.session_state.update(face=face, face_name=_TITLES[name])
    return {"sample": name}


def _from_dataset() -> dict[str, str]:
    """A face of an imported dataset, by its id."""
    names = services.dataset.imported.imported_sets()
    if not names:
        st.session_state["no_face"] = services.dataset.imported.NOT_IMPORTED
        st.caption(services.dataset.imported.NOT_IMPORTED)
        return {}
    name = st.selectbox("Dataset", names, key="set", persist_state="session") if len(names) > 1 else names[0]
    if st.session_state.get("set_index", ("",))[0] != name:
        st.session_state["set_index"] = (name, 0)
    try:
        with st.spinner("Opening the dataset"):
            found = services.dataset.imported.set_face(*st.session_state["set_index"])
    except DataError as error:
        st.session_state["no_face"] = str(error)
        st.error(str(error))
        return {}
    st.session_state["face_id"] = found.id
    st.text_input("Face ID", key="face_id", on_change=_go_to_id, args=(name,))
    if wrong := st.session_state.pop("wrong_id", None):
        st.error(wrong)
    steps = {"Previous": found.position - 1, "Random": random.randrange(found.count), "Next": found.position + 1}
    with st.container(horizontal=True, gap="xsmall"):
        for label, place in steps.items():
            st.button(label, key=f"set-{label.lower()}", on_click=_go_to, args=(name, place), width="stretch")
    _show(found.face.picture, [], chosen=0)
    st.caption(f"{found.part}, labeled {found.label}. Image {found.position + 1} of {found.count} in {name}.")
    st.session_state.update(face=found.face, face_name=f"{name}, {found.id}; labeled {found.label}")
    return {"set": name, "face": found.id}


def _go_to(name: str, place: int) -> None:
    st.session_state["set_index"] = (name, place)


def _go_to_id(name: str) -> None:
    try:
        _go_to(name, services.dataset.imported.find_face(name, st.session_state["face_id"].strip()))
    except DataError as error:
        st.session_state["wrong_id"] = str(error)


# ---------------------------------------------------------------------------------------------------------------------
# Images of the visitor's own


def _upload() -> tuple[bytes | None, str]:
    """The chosen one of the uploaded images: the newest, until the visitor chooses another one."""
    classroom.no_camera()
    files = uploads.file_uploader(
        "Images with faces",
        type=_PICKED,
        max_upload_size=faces.MAX_BYTES >> 20,
        help=f"{TITLES}. For a video, see the page Video.",
        key="upload",
        accept_multiple_files=True,
    )
    if len(files) > MOST:
        st.caption(f"Only the last {MOST} can be chosen.")
    offered = {file.file_id: file for file in files[-MOST:]}
    if not offered:
        return None, ""
    known = st.session_state.get("uploads", [])
    if new := [id_ for id_ in offered if id_ not in known]:
        st.session_state["picture_in_use"] = new[-1]
    st.session_state["uploads"] = list(offered)
    used = st.session_state.get("picture_in_use")
    if len(offered) > 1:
        names = [file.name for file in offered.values()]
        titles = {id_: f"{i}. {name}" for i, (id_, name) in enumerate(zip(offered, names, strict=True), 1)}
        st.session_state["picture_in_use"] = used if used in offered else next(reversed(offered))
        used = st.selectbox(f"{len(offered)} images", offered, format_func=titles.get, key="picture_in_use")
    return offered.get(used, next(reversed(offered.values()))).getvalue(), "uploaded image"


def _photo() -> tuple[bytes | None, str]:
    file = uploads.camera_input("Photo", key="camera")
    return (file.getvalue() if file else None), "photo"


def _from_picture(data: bytes | None, name: str) -> None:
    if data is None:
        st.session_state["no_face"] = "No image yet. Open Face above and upload or take one, or go back to the samples."
        return
    key = hashlib.sha256(data).hexdigest()
    if (st.session_state.get("picture") or ("",))[0] != key:  # a new image: decode it and detect faces once
        st.session_state["picture"] = None
        st.session_state.update(by_hand=False, cropped=False)
        st.session_state.pop("results", None)
        with st.spinner("Detecting faces"):
            picture = faces.decode(data)
            picture.thumbnail(LARGEST)
            st.session_state["picture"] = (key, picture, faces.detect_or_whole(picture))
    _, picture, boxes = st.session_state["picture"]
    if st.toggle("The image is a cropped face", key="cropped"):
        boxes = [faces.whole(picture)]
    number = 0
    if len(boxes) > 1:
        number = st.selectbox(
            f"{len(boxes)} faces found",
            range(len(boxes)),
            format_func=lambda i: f"Face {i + 1}",
            key=f"face-of-{key[:12]}",
        )
    for note in faces.notes(picture):
        st.caption(note)
    if not boxes:
        st.warning(NO_FACE)
    box = boxes[number] if boxes else None
    if st.toggle("Crop by hand", key="by_hand"):
        box = _hand_box(picture, box or faces.whole(picture))
        _show(picture, [box], chosen=0)
    else:
        _show(picture, boxes, chosen=number)
    found = [each for each in boxes if each != faces.whole(picture)]
    st.session_state.update(no_face=NO_FACE, can_crop=True, face_name=name, face_note="" if found else NOT_DETECTED)
    st.session_state["face"] = faces.crop(picture, box) if box else None


def _hand_box(picture: Image.Image, start: Box) -> Box:
    """A square set by four sliders, starting from `start`."""
    width, height = picture.size
    x, y = start.center
    longest = min(width, height)
    side = st.slider("Size", 5, 100, int(min(100, max(5, 100 * start.side / longest))), format="%d %%") * longest / 100
    x = st.slider("Center, from the left", 0, 100, int(100 * min(max(x / width, 0), 1)), format="%d %%") * width / 100
    y = st.slider("Center, from the top", 0, 100, int(100 * min(max(y / height, 0), 1)), format="%d %%") * height / 100
    angle = st.slider("Rotation", -180, 180, int(start.angle), format="%d°")
    return Box(x - side / 2, y - side / 2, side, side, angle)


def _show(picture: Image.Image, boxes: list[Box], chosen: int) -> None:
    """Draw the image with a numbered box around each face, thicker around the chosen one."""
    shown = picture.copy()
    shown.thumbnail((560, 560))
    scale = shown.width / picture.width
    draw = ImageDraw.Draw(shown)
    for i, box in enumerate(boxes):
        corners = [(x * scale, y * scale) for x, y in box.corners]
        draw.line([*corners, corners[0]], fill=_MARK, width=6 if i == chosen else 2, joint="curve")
        if len(boxes) > 1:
            draw.text(corners[0], f" {i + 1}", fill=_MARK, font_size=28, stroke_width=3, stroke_fill="white")
    st.image(shown, width="stretch", alt="The image with a box around each detected face")
