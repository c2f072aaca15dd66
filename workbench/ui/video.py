"""The page Video: a clip that is analyzed frame after frame, its timeline, and the frame at a time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import streamlit as st
from PIL import Image, ImageDraw

from models.images import VIDEO_SUFFIXES
from models.text import counted
from workbench import faces, services
from workbench.decoders.video import MAX_BYTES, MAX_SECONDS
from workbench.faces import PictureError
from workbench.markup import jpeg
from workbench.services.video import Clip, Followed, Moment, MomentExplained, Thinned, Timeline, Watch

from . import charts, classroom, page_content, state, uploads, views

_MARK = "#D6336C"
_STRIP, _STRIPS = 8, 6  # images of a face, and faces that have some
_SMALL = (96, 96)
RATES = (1, 2, 5, 10)  # frames a second
SAMPLE = "sample"


@dataclass
class Analysis:
    """What this visitor's session keeps of a clip: probabilities and a few small images, not the clip.

    Attributes:
        key: key of the clip, by its content.
        network, fps: the other two things that it depends on.
        title: title of the clip in the sentence above the chart.
        timeline: probabilities over time, as far as it was analyzed.
        watch: the faces that are followed, to continue.
        strips: (time, JPEG) of each face.
        boxes: box of each face at each time, in pixels of the video.
        done: whether the end was reached.
        paused: whether the visitor cancelled it.
    """

    key: str
    network: str
    fps: float
    title: str
    timeline: Timeline
    watch: Watch
    strips: dict[int, Thinned[tuple[float, bytes]]] = field(default_factory=dict)
    boxes: dict[tuple[int, float], faces.Box] = field(default_factory=dict)
    done: bool = False
    paused: bool = False

    def add(self, moment: Moment) -> None:
        """The next frame."""
        self.timeline = self.timeline.after(moment)
        for found in moment.faces:
            self.boxes[found.track, moment.time] = found.box
            self._add_image(moment.time, found)

    def _add_image(self, at: float, found: Followed) -> None:
        if found.track not in self.strips and len(self.strips) >= _STRIPS:
            return
        small = found.face.picture.copy()
        small.thumbnail(_SMALL)
        self.strips.setdefault(found.track, Thinned(_STRIP)).add((at, jpeg(small)))


def clip(network: str) -> None:
    """Choose a clip, analyze it, and show its timeline and the frame at a time."""
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    with left:
        chosen, title, key = _choose()
    fps = right.selectbox("Frames per second", RATES, index=2, key="fps", bind="query-params") or 5
    known: Analysis | None = st.session_state.get("video")
    if known is not None and (known.network != network or known.fps != fps or key not in ("", known.key)):
        known = None
    if known is None:
        if chosen is None:
            st.info("No video yet. Upload one, or use the sample.")
            state.stop()
        timeline = Timeline(services.networks.open_network(network).classes)
        known = Analysis(key, network, fps, title, timeline, Watch(network))
        st.session_state["video"] = known
    if not known.done and chosen is not None and not known.paused:
        _run(known, chosen)
    _result(known, chosen)


def _choose() -> tuple[Clip | None, str, str]:
    """The clip, its title, and its key; the key is empty while nothing is uploaded."""
    own = classroom.offers("Upload") and views.choose_one(
        "Video", ("Sample", "Upload"), default="Sample", key="clip-source", label_visibility="collapsed"
    ) == "Upload"  # fmt: skip
    if not own:
        return services.video.sample_clip(), "Sample clip: a photograph that is rotated and blurred", SAMPLE
    if not classroom.accepted():
        return None, "", ""
    most = f"{MAX_BYTES >> 20} MB, {MAX_SECONDS / 60:.0f} minutes"
    file = uploads.file_uploader(
        f"A video with faces: MP4, MOV, WebM, MKV or AVI, up to {most}",
        type=sorted(VIDEO_SUFFIXES),
        max_upload_size=MAX_BYTES >> 20,
        key="clip",
    )
    if file is None:
        return None, "", ""
    if st.session_state.get("clip-key", ("",))[0] != file.file_id:
        st.session_state["clip-key"] = file.file_id, hashlib.sha256(file.getvalue()).hexdigest()
    return Clip(file.getvalue()), "Uploaded video", st.session_state["clip-key"][1]


def _run(known: Analysis, chosen: Clip) -> None:
    """Analyze the clip from where it stopped; a click anywhere interrupts it, and it continues at the next run."""
    start = known.timeline.end + 1 / known.fps if known.timeline.moments else 0.0
    place = st.empty()
    with place.container():
        bar = st.progress(0.0, text="Detecting faces")
        st.button("Cancel", key="cancel-video", on_click=_pause)
    try:
        for moment in services.video.follow(chosen, known.network, known.fps, start, known.watch):
            known.add(moment)
            share = min(1.0, moment.time / moment.duration) if moment.duration else 0.0
            found = counted(len(known.timeline.tracks), "face")
            bar.progress(share, text=f"{moment.time:.1f} of {moment.duration:.1f} s, {found}")
        known.done = True
    except PictureError as error:
        st.session_state.pop("video")
        place.empty()
        st.error(str(error))
        state.stop()
    place.empty()


def _pause() -> None:
    if known := st.session_state.get("video"):
        st.session_state["video"] = replace(known, paused=True)


def _continue() -> None:
    if known := st.session_state.get("video"):
        st.session_state["video"] = replace(known, paused=False)


def _result(known: Analysis, chosen: Clip | None) -> None:
    if not known.done:
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.info(f"Analyzed up to {known.timeline.end:.1f} s of {known.timeline.duration:.1f} s.")
        if chosen is not None:
            right.button("Continue", key="continue-video", on_click=_continue, type="primary")
    tracks = known.timeline.tracks
    if not tracks:
        st.info("No face is found in this video. Choose one in which a face is larger and looks at the camera.")
        state.stop()
    over_time(known, chosen)


@page_content.fragment
def over_time(known: Analysis, chosen: Clip | None) -> None:
    """The chart of one face, its images, and below it the frame that was clicked."""
    tracks = known.timeline.tracks
    track = tracks[0]
    if len(tracks) > 1:
        track = st.selectbox(
            counted(len(tracks), "face"), tracks, format_func=lambda number: f"Face {number}", key="track"
        )
    times, shares = known.timeline.of(track)
    at = _time(times, shares)
    alt = f"Probability of each class over time for face {track}"
    charts.show_to_click(_figure(known, track, at), f"timeline-{track}", alt, _clicked)
    mean = shares.mean(0)
    top = int(mean.argmax())
    views.caption(
        f"**{known.title}, face {track}:** found on {len(times)} of {len(known.timeline.moments)} frames; highest mean "
        f"probability: {known.timeline.classes[top]}, {charts.percent(float(mean[top]))}. Each frame is classified by "
        "itself: motion blur and speech change the prediction too. Click a point to see the map of its frame."
    )
    if track in known.strips:
        items = known.strips[track].items
        st.image(
            [data for _, data in items],
            [f"{moment:.1f} s" for moment, _ in items],
            width=88,
            alt=[f"Face {track} at {moment:.1f} s" for moment, _ in items],
        )
    if chosen is None:
        st.info("The video itself is deleted. Choose it again to see the map of a frame.")
        return
    with st.spinner("Computing the map"):
        found = state.cached(
            ("video", known.key, known.network, track, at),
            lambda: services.video.at(chosen, at, known.network, known.boxes.get((track, at))),
        )
    _frame(found, known.network)


def _time(times: list[float], shares) -> float:
    """The time that was clicked; by default that of the most confident frame."""
    clicked = st.session_state.get("video-time")
    if clicked is None:
        return times[int(shares.max(1).values.argmax())]
    return min(times, key=lambda moment: abs(moment - clicked))


def _clicked() -> None:
    for key, value in st.session_state.items():
        if str(key).startswith("timeline-") and (points := value["selection"]["points"]):
            st.session_state["video-time"] = float(points[0]["x"])


def _figure(known: Analysis, track: int, at: float | None):
    times, shares = known.timeline.of(track)
    end = max(known.timeline.duration, known.timeline.end, 0.1)
    return charts.over_time(times, shares, known.timeline.classes, end, at)


def _frame(found: MomentExplained, network: str) -> None:
    """The frame, the map over its face, the probabilities."""
    if found.box is None or found.explanation is None:
        st.info(f"No face is found on the frame at {found.time:.2f} s.")
        return
    frame, over, bars = st.columns(3)
    explanation = found.explanation
    with frame:
        st.image(
            boxed(found.picture, [found.box]),
            width="stretch",
            alt=f"The frame at {found.time:.2f} s with a box around the face",
        )
        views.caption(f"**Frame at {found.time:.2f} s.**")
    with over:
        if explanation.layer is None:
            st.info("An ensemble has no layer of its own, so there is no map.")
        else:
            heat = explanation.map_of(explanation.class_)
            chart = charts.face_with_map(explanation.pixels, heat, float(heat.max()), 0.7)
            charts.show(chart, "frame-map", f"Grad-CAM for {explanation.class_} over the face at {found.time:.2f} s")
            views.caption(f"**Brighter: stronger evidence for {explanation.class_}.** The map has its own scale.")
    with bars:
        prediction = explanation.prediction
        chart = charts.probabilities(
            prediction.classes, prediction.probabilities, explanation.class_, prediction.trained
        )
        alt = views.probabilities_alt(network, prediction.classes, prediction.probabilities)
        charts.show(chart, "frame-probabilities", alt)
        views.caption(
            f"**Prediction: {prediction.predicted}.** It estimates the label that annotators would give this face."
        )


def boxed(picture: Image.Image, boxes: list[faces.Box]) -> Image.Image:
    """A copy of a frame, at most 480 pixels a side, with a box around each face."""
    shown = picture.copy()
    shown.thumbnail((480, 480))
    scale, draw = shown.width / picture.width, ImageDraw.Draw(shown)
    for box in boxes:
        corners = [(x * scale, y * scale) for x, y in box.corners]
        draw.line([*corners, corners[0]], fill=_MARK, width=3, joint="curve")
    return shown
