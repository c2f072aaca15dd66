"""The lower part of the sidebar: choose a sample, upload a picture or take a photo, and pick a face in it."""

from __future__ import annotations

import hashlib

import streamlit as st
from PIL import Image, ImageDraw

from workbench import faces
from workbench.faces import Box, PictureError

SOURCES = ("Sample", "Upload", "Camera")
LARGEST = (2400, 2400)  # pixels of the picture that a visitor's session keeps in memory: at most 17 MB
NO_FACE = "No face was found in this picture. Crop it by hand, or choose another picture."
_TITLES = {sample.name: sample.title for sample in faces.samples()}
_MARK = "#D6336C"


def choose() -> None:
    """Let the visitor choose a face; `state.face()` is the result."""
    st.session_state["face"] = None
    source = st.segmented_control("Face", SOURCES, default=SOURCES[0], required=True, key="source", width="stretch")
    try:
        if source == "Sample":
            _from_sample()
        else:
            _from_picture(_upload() if source == "Upload" else _photo())
    except PictureError as error:
        st.session_state["no_face"] = "This file holds no picture that could be used; the sidebar says why."
        st.error(str(error))


def _from_sample() -> None:
    name = st.selectbox("Sample face", _TITLES, format_func=_TITLES.get, key="sample")
    face = faces.load_sample(name)
    _show(faces.sample_picture(name), [face.box] if face.box else [], chosen=0)
    st.caption(next(sample.credit for sample in faces.samples() if sample.name == name))
    st.session_state["face"] = face


def _upload() -> bytes | None:
    file = st.file_uploader("Picture with a face: JPEG, PNG or WebP", key="upload")
    return file.getvalue() if file else None


def _photo() -> bytes | None:
    file = st.camera_input("Photo", key="camera")
    return file.getvalue() if file else None


def _from_picture(data: bytes | None) -> None:
    if data is None:
        st.session_state["no_face"] = "No picture yet. Choose or take one in the sidebar, or go back to the samples."
        return
    key = hashlib.sha256(data).hexdigest()
    if (st.session_state.get("picture") or ("",))[0] != key:  # a new picture: decode it and look for faces once
        st.session_state["picture"] = None
        st.session_state["by_hand"] = False
        with st.spinner("Looking for faces"):
            picture = faces.read(data)
            picture.thumbnail(LARGEST)
            st.session_state["picture"] = (key, picture, faces.detect(picture))
    _, picture, boxes = st.session_state["picture"]
    number = 0
    if len(boxes) > 1:
        number = st.selectbox(f"{len(boxes)} faces found", range(len(boxes)), format_func=lambda i: f"Face {i + 1}")
    if not boxes:
        st.warning(NO_FACE)
    box = boxes[number] if boxes else None
    if st.toggle("Crop by hand", key="by_hand"):
        box = _hand_box(picture, box or faces.whole(picture))
        _show(picture, [box], chosen=0)
    else:
        _show(picture, boxes, chosen=number)
    st.session_state["no_face"] = NO_FACE
    st.session_state["face"] = faces.crop(picture, box) if box else None


def _hand_box(picture: Image.Image, start: Box) -> Box:
    """A square that four sliders move, beginning at `start`."""
    width, height = picture.size
    x, y = start.centre
    longest = min(width, height)
    side = st.slider("Size", 5, 100, int(min(100, max(5, 100 * start.side / longest))), format="%d %%") * longest / 100
    x = st.slider("From the left", 0, 100, int(100 * min(max(x / width, 0), 1)), format="%d %%") * width / 100
    y = st.slider("From the top", 0, 100, int(100 * min(max(y / height, 0), 1)), format="%d %%") * height / 100
    angle = st.slider("Turned by", -180, 180, int(start.angle), format="%d°")
    return Box(x - side / 2, y - side / 2, side, side, angle)


def _show(picture: Image.Image, boxes: list[Box], chosen: int) -> None:
    """The picture in the sidebar, every face boxed and numbered, the chosen one in a thick line."""
    shown = picture.copy()
    shown.thumbnail((560, 560))
    scale = shown.width / picture.width
    draw = ImageDraw.Draw(shown)
    for i, box in enumerate(boxes):
        corners = [(x * scale, y * scale) for x, y in box.corners]
        draw.line([*corners, corners[0]], fill=_MARK, width=6 if i == chosen else 2, joint="curve")
        if len(boxes) > 1:
            draw.text(corners[0], f" {i + 1}", fill=_MARK, font_size=28, stroke_width=3, stroke_fill="white")
    st.image(shown, width="stretch", alt="The picture with a box round each face that was found")
