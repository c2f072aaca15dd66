"""Video: frames in order and in time, faces followed, nothing kept, limits for visitors, damaged clips."""

from __future__ import annotations

import contextlib
import io
from functools import lru_cache
from itertools import islice

import av
import numpy as np
import pytest
from PIL import Image

from workbench import faces, services
from workbench.decoders import process, video
from workbench.decoders.video import Clip, frame_at, frames
from workbench.faces import Box, PictureError
from workbench.faces.tracks import Tracks

NETWORK = "vanilla_cnn"


def clip_of(pictures, rate=10, codec="mpeg4", container="mp4", options=None) -> bytes:
    """A video of some images."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, options=options or {})
        for i, picture in enumerate(pictures):
            if i == 0:
                pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
                stream.width, stream.height, stream.pix_fmt, stream.bit_rate = *picture.size, pixels, 4_000_000
            file.mux(stream.encode(av.VideoFrame.from_image(picture).reformat(format=stream.pix_fmt)))
        file.mux(stream.encode())
    return buffer.getvalue()


@lru_cache
def gray_clip(n=20, rate=10, codec="mpeg4", container="mp4") -> bytes:
    """Frame i is gray, 10 i of 255."""
    return clip_of([Image.new("RGB", (64, 48), (10 * i,) * 3) for i in range(n)], rate, codec, container)


@lru_cache
def faces_clip() -> bytes:
    """Six frames: two faces, which cross half of the frame, then none."""
    crops = [faces.load_sample(name).picture.resize((160, 160)) for name in ("astronaut", "grace_hopper")]
    shown = []
    for i in range(6):
        picture = Image.new("RGB", (640, 320), (90, 110, 130))
        if i < 4:
            picture.paste(crops[0], (60 + 25 * i, 80))
            picture.paste(crops[1], (400 - 20 * i, 90))
        shown.append(picture)
    return clip_of(shown)


def level(frame) -> float:
    return float(np.asarray(frame.picture).mean()) / 10


@pytest.mark.parametrize(
    ("codec", "container"), [("mpeg4", "mp4"), ("libvpx", "webm"), ("mpeg4", "avi"), ("mpeg4", "mov")]
)
def test_frames_come_in_order_at_the_rate_that_was_given(codec, container):
    found = list(frames(Clip(gray_clip(20, 10, codec, container)), 5))
    assert [round(frame.time, 2) for frame in found] == [round(0.2 * i, 2) for i in range(10)]
    assert [round(level(frame)) for frame in found] == list(range(0, 20, 2))
    assert found[0].duration == pytest.approx(2, abs=0.11)


def test_a_rate_over_that_of_the_video_gives_every_frame_once():
    assert len(list(frames(Clip(gray_clip()), 60))) == 20


@pytest.mark.parametrize(("time", "index"), [(0.0, 0), (0.7, 7), (0.75, 7), (1.9, 19), (60.0, 19)])
def test_the_frame_at_a_time_is_the_one_that_is_shown_then(time, index):
    assert round(level(frame_at(Clip(gray_clip()), time))) == index


def test_an_analysis_continues_where_it_stopped():
    first = [frame.time for frame in islice(frames(Clip(gray_clip()), 5), 4)]
    rest = [frame.time for frame in frames(Clip(gray_clip()), 5, start=first[-1] + 0.2)]
    assert np.allclose(first + rest, [0.2 * i for i in range(10)])


def test_a_path_and_bytes_give_the_same(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(gray_clip() + bytes(100_000))  # more than a buffer: reading the head moves no position
    assert [f.time for f in frames(Clip(path), 2)] == [f.time for f in frames(Clip(gray_clip()), 2)]


def test_a_large_frame_is_reduced_and_boxes_stay_in_pixels_of_the_video():
    wide = clip_of([Image.new("RGB", (2560, 64), "gray")])
    frame = next(frames(Clip(wide), 1))
    assert (frame.picture.size, frame.scale) == ((1280, 32), 2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "not a video"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "not a video"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "an image, not a video"),
        (b"\0\0\0\x1cftypisom\0\0\2\0isomiso2mp41", "damaged"),
        (gray_clip()[:600], "damaged"),
    ],
)
def test_what_is_no_video_is_refused_with_a_sentence(data, message):
    with pytest.raises(PictureError, match=message):
        list(frames(Clip(data), 5))


def test_clips_of_visitors_are_limited_in_bytes_pixels_and_seconds(monkeypatch):
    with pytest.raises(PictureError, match="megapixels"):
        list(frames(Clip(clip_of([Image.new("RGB", (4096, 2304))])), 1))
    monkeypatch.setattr(video, "MAX_SECONDS", 1.0)
    with pytest.raises(PictureError, match="longer than"):
        list(frames(Clip(gray_clip()), 1))
    monkeypatch.setattr(video, "MAX_BYTES", 100)
    with pytest.raises(PictureError, match="larger than"):
        list(frames(Clip(gray_clip()), 1))


def test_a_closed_reader_ends_its_process(monkeypatch):
    started = []
    popen = process.subprocess.Popen
    monkeypatch.setattr(process.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    reader = frames(Clip(gray_clip()), 5)
    next(reader)
    reader.close()
    assert started[0].poll() is not None


@pytest.mark.parametrize(("codec", "container"), [("mpeg4", "mp4"), ("mjpeg", "avi")])
def test_a_damaged_clip_gives_frames_or_a_sentence(codec, container):
    rng, data = np.random.default_rng(0), gray_clip(20, 10, codec, container)
    for _ in range(5):
        wrong = bytearray(data)
        for at in rng.integers(0, len(wrong), 12):
            wrong[at] = int(rng.integers(256))
        with contextlib.suppress(PictureError):
            assert len(list(frames(Clip(bytes(wrong)), 5))) <= 40


def test_two_faces_keep_their_numbers_and_a_frame_without_a_face_has_none():
    moments = list(services.video.follow(Clip(faces_clip()), NETWORK, 10))
    assert [len(moment.faces) for moment in moments] == [2, 2, 2, 2, 0, 0]
    left = {found.track: [] for found in moments[0].faces}
    for moment in moments[:4]:
        for found in moment.faces:
            left[found.track].append(found.box.left)
            assert found.probabilities.sum() == pytest.approx(1, abs=1e-4)
    assert set(left) == {1, 2}
    (going_right,) = [xs for xs in left.values() if xs == sorted(xs)]
    assert going_right[0] < 200


def test_a_face_on_a_frame_is_classified_as_on_an_image():
    moment = next(services.video.follow(Clip(faces_clip()), NETWORK, 1))
    for found in moment.faces:
        alone = services.predict(found.face, NETWORK).probabilities
        assert np.allclose(found.probabilities, alone, atol=1e-5)


def test_the_face_at_a_time_is_explained():
    clip = Clip(faces_clip())
    right = services.video.at(clip, 0.1, NETWORK, near=Box(380, 90, 160, 160))
    assert right.box.left > 300
    assert right.explanation.map_of("happy").shape == (48, 48)
    assert services.video.at(clip, 0.5, NETWORK).explanation is None


def test_a_timeline_lists_faces_by_their_frames():
    timeline = services.video.Timeline(services.networks.open_network(NETWORK).classes)
    for moment in services.video.follow(Clip(faces_clip()), NETWORK, 10):
        timeline = timeline.after(moment)
    assert timeline.tracks == (1, 2)
    times, shares = timeline.of(1)
    assert np.allclose(times, [0, 0.1, 0.2, 0.3])
    assert shares.shape == (4, len(timeline.classes))
    assert len(timeline.after(moment, most=3).moments) == 3


@pytest.mark.parametrize("fps", [0, -1, 100, float("nan")])
def test_a_rate_out_of_range_is_an_error(fps):
    with pytest.raises(ValueError, match="over 0 and at most 60"):
        next(services.video.follow(Clip(gray_clip()), NETWORK, fps))


def test_numbers_survive_a_short_gap_and_not_a_long_one_or_a_jump():
    tracks, box = Tracks(), Box(100, 100, 50, 50)
    assert tracks.update([box], 0.0) == [1]
    assert tracks.update([], 0.2) == []
    assert tracks.update([Box(110, 100, 50, 50)], 0.8) == [1]
    assert tracks.update([Box(400, 100, 50, 50)], 1.0) == [2]
    assert tracks.update([Box(410, 100, 50, 50)], 2.9) == [2], "on a slow computer the frame before is long ago"
    assert tracks.update([box], 3.0) == [3]
    assert tracks.update([Box(100, 100, 150, 150)], 3.1) == [4]


def test_a_watch_looks_for_changed_weights_once_a_second(monkeypatch):
    opened, clock, open_ = [], [0.0], services.networks.open_network
    monkeypatch.setattr(services.video, "monotonic", lambda: clock[0])
    monkeypatch.setattr(services.video, "open_network", lambda name: opened.append(name) or open_(name))
    watch, picture = services.video.Watch.live(NETWORK), faces.sample_picture("astronaut")
    first = [watch.see(picture, i / 10).main for i in range(3)]
    assert opened == [NETWORK]
    clock[0] = 1.5
    watch.see(picture, 1.5)
    assert opened == [NETWORK] * 2
    wanted = services.predict(first[0].face, NETWORK).probabilities
    np.testing.assert_allclose(first[0].probabilities, wanted, atol=1e-5)
