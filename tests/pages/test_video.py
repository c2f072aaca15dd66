"""The page Video: the sample at once, an upload, cancel and continue, the frame that was clicked, the camera."""

from __future__ import annotations

import io
from functools import partial

import pytest
from helpers import page_visits
from helpers.page_visits import text_of

from workbench import services
from workbench.decoders.video import frames
from workbench.ui import live_camera

from ..workbench.services.test_video import faces_clip, gray_clip

opened = partial(page_visits.opened, "video.py", network="vanilla_cnn")


@pytest.fixture(autouse=True)
def short_sample(monkeypatch):
    monkeypatch.setattr(services.video, "sample_clip", lambda: services.video.Clip(faces_clip()))


def upload(app, data: bytes):
    app.segmented_control(key="clip-source").set_value("Upload").run()
    return app.main.file_uploader[0].upload("clip.mp4", data).run()


def test_the_sample_is_analyzed_at_once_and_the_frame_follows_the_click():
    app = opened()
    assert "**Sample clip" in text_of(app)
    assert "found on 2 of 3 frames" in text_of(app)
    assert app.selectbox(key="track").options == ["Face 1", "Face 2"]
    app.session_state["video-time"] = 0.21
    app.run()
    assert "Frame at 0.20 s." in text_of(app)
    assert not app.exception


def test_a_cancelled_analysis_stays_and_is_continued_with_the_same_faces():
    app = opened()
    known = app.session_state["video"]
    whole = [time for time, _ in known.timeline.moments]
    known.timeline = type(known.timeline)(known.timeline.classes, known.timeline.moments[:1], known.timeline.duration)
    known.done, known.paused = False, True
    app.run()
    assert "Analyzed up to 0.0 s" in app.main.info[0].value
    app.button(key="continue-video").click().run()
    assert [time for time, _ in app.session_state["video"].timeline.moments] == whole
    assert set(app.session_state["video"].timeline.tracks) == {1, 2}


def test_the_timeline_stays_when_the_video_is_gone_until_another_one_comes():
    app = upload(opened(), faces_clip())
    assert "Uploaded video" in text_of(app)
    app.switch_page("../pages/metrics.py").run()
    app.switch_page("../pages/video.py").run()
    assert not app.exception
    app.segmented_control(key="clip-source").set_value("Upload").run()
    assert "Uploaded video" in text_of(app)
    assert "Choose it again" in app.main.info[-1].value
    upload(app, gray_clip())
    assert "No face is found in this video" in app.main.info[-1].value
    upload(app, faces_clip()[:600])
    assert "damaged" in app.error[0].value
    assert not app.exception


def test_frames_of_the_camera_are_followed_and_others_ignored(monkeypatch):
    for wrong in (None, 3, "data:text/html;base64,aGk=", "data:image/jpeg;base64,$$$", "x" * 2_000_000):
        assert live_camera._decoded(wrong) is None
    frame = next(frames(services.video.Clip(faces_clip()), 1)).picture
    buffer = io.BytesIO()
    frame.save(buffer, "JPEG")
    app = opened(moving="Live camera")
    assert "Start the camera" in app.main.info[0].value
    sent = type("Sent", (), {"frame": live_camera.base64.b64encode(buffer.getvalue()).decode()})()
    sent.frame = "data:image/jpeg;base64," + sent.frame
    monkeypatch.setattr(live_camera, "_component", lambda: lambda **_: sent)
    for _ in range(2):
        app.run()
        assert not app.exception
        assert "for face 1 on the last frame" in text_of(app)
    assert len(app.session_state["live"][2].moments) == 2
    sent.frame = "data:image/jpeg;base64,aGk="
    app.run()
    assert "not a JPEG" in app.error[0].value
