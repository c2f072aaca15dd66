"""The live camera of the page Video: a component that sends one frame after another, and their timeline.

Streamlit's own camera gives single photographs. Here a few lines of JavaScript send a frame, and the next one when the
result of the last has arrived, so that no queue builds up.
"""

from __future__ import annotations

import base64
import binascii
import time

import streamlit as st

from workbench import faces, services
from workbench.analysis.overlay import overlay, png
from workbench.services.video import Timeline, Watch

from . import charts, classroom, page_content, views
from .video import boxed

_LARGEST = 1_000_000  # characters of a frame
_KEPT = 150  # frames of the timeline
_HTML = '<video autoplay playsinline muted></video><p></p><button type="button">Start the camera</button>'
_CSS = """video {width: 100%; max-height: 260px; background: #7F7F7F40; border-radius: .4rem}
button {font: inherit; padding: .4rem 1rem} p {font-family: var(--st-font); margin: .2rem 0}"""
_JS = """
export default function (component) {
  const {parentElement, data, setStateValue} = component;
  const video = parentElement.querySelector('video'), text = parentElement.querySelector('p');
  const button = parentElement.querySelector('button');
  const send = () => {
    if (!video.srcObject || !video.videoWidth) return;
    const scale = Math.min(1, data.side / Math.max(video.videoWidth, video.videoHeight));
    const canvas = document.createElement('canvas');
    canvas.width = video.videoWidth * scale;
    canvas.height = video.videoHeight * scale;
    canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
    setStateValue('frame', canvas.toDataURL('image/jpeg', 0.85));
  };
  const stop = () => {
    if (video.srcObject) video.srcObject.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
    button.textContent = 'Start the camera';
  };
  button.onclick = async () => {
    if (video.srcObject) return stop();
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'user'}, audio: false});
      text.textContent = '';
      button.textContent = 'Stop the camera';
      video.onloadeddata = send;
    } catch (error) {
      text.textContent = 'The camera cannot be used: allow it in the browser, and close other programs that use it.';
    }
  };
  clearTimeout(video.next);
  video.next = setTimeout(send, 60);  // the result of the last frame has arrived
  return stop;
}
"""


@st.cache_resource
def _component():
    return st.components.v2.component("ferscope_camera", html=_HTML, css=_CSS, js=_JS)


def live(network: str) -> None:
    """Show the camera, the map over the face on its last frame, and the last probabilities over time."""
    if not classroom.offers("Camera"):
        classroom.no_camera()
        st.info("The camera is not offered here. Choose a video file.")
        return
    if not classroom.accepted():
        return
    if st.session_state.get("live", (None,))[0] != network:
        classes = services.networks.open_network(network).classes
        st.session_state["live"] = network, Watch.live(network), Timeline(classes), time.monotonic()
    camera(network)


@page_content.fragment
def camera(network: str) -> None:
    """One frame: the component, which then sends the next one, and what the last one shows."""
    left, right = st.columns(2)
    seen = st.session_state["live-frames"] = st.session_state.get("live-frames", 0) + 1
    with left:
        sent = _component()(key="camera-frames", data={"side": 480, "seen": seen}, on_frame_change=lambda: None)
        st.caption("Frames go to this computer's memory one at a time; none is stored.")
    data = _decoded(getattr(sent, "frame", None))
    if data is None:
        right.info("Start the camera. The map and the probabilities of the last frames appear here.")
        return
    try:
        picture = faces.decode(data)
    except faces.PictureError as error:
        right.error(str(error))
        return
    with right:
        show_frame(picture, network)


def show_frame(picture, network: str) -> None:
    """Classify the next frame; draw the map over the face that has been followed longest, and its timeline."""
    _, watch, timeline, began = st.session_state["live"]
    moment = watch.see(picture, time.monotonic() - began)
    timeline = timeline.after(moment, most=_KEPT)
    st.session_state["live"] = network, watch, timeline, began
    found = moment.main
    if found is None:
        st.image(boxed(picture, []), width=260, alt="The last frame of the camera, without a face")
        st.caption("No face is found. Face the camera, with light from the front.")
        return
    result = services.explain(found.face, network)
    images = [boxed(picture, [one.box for one in moment.faces])]
    if result.layer is not None:
        images.append(png(overlay(result.pixels, result.map_of(result.class_)), 240))
    alts = ["The last frame of the camera with a box around each face", f"Grad-CAM for {result.class_} over the face"]
    st.image(images, width=230, alt=alts[: len(images)])
    start = timeline.moments[0][0]
    times, shares = timeline.of(found.track)
    end = max(times[-1] - start, 0.1)
    chart = charts.over_time([at - start for at in times], shares, timeline.classes, end)
    charts.show(chart, "live-timeline", "Probability of each class over the last frames of the camera")
    share = charts.percent(float(found.probabilities.max()))
    views.caption(f"**Prediction: {result.prediction.predicted}, {share}**, for face {found.track} on the last frame.")


def _decoded(frame: object) -> bytes | None:
    """The JPEG of a frame that a browser sent; None for anything else."""
    if not isinstance(frame, str) or len(frame) > _LARGEST or not frame.startswith("data:image/jpeg;base64,"):
        return None
    try:
        return base64.b64decode(frame.partition(",")[2], validate=True)
    except binascii.Error:
        return None
