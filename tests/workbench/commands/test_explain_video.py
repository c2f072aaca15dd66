"""`ferscope explain clip.mp4`: a row for each frame and face, a report with a timeline, nothing that grows."""

from __future__ import annotations

import csv
import re

import pytest
from PIL import Image

from workbench import services
from workbench.commands import explain as command
from workbench.commands import explain_video
from workbench.decoders.video import Clip

from ..services.test_video import NETWORK, clip_of, faces_clip


def test_a_video_becomes_a_table_and_a_report(tmp_path, capsys):
    clip, out = tmp_path / "<b>clip.mp4", tmp_path / "r.html"
    clip.write_bytes(faces_clip())
    command.main([str(clip), "--fps", "10", "--out", str(out), "--network", NETWORK])
    with out.with_suffix(".csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["time"], row["track"]) for row in rows[-4:]] == [
        ("0.300", rows[-4]["track"]),
        ("0.300", rows[-3]["track"]),
        ("0.400", "0"),
        ("0.500", "0"),
    ]
    assert len(rows) == 10
    classes = services.networks.open_network(NETWORK).classes
    assert sum(float(rows[0][name]) for name in classes) == pytest.approx(1, abs=1e-4)
    page = out.read_text(encoding="utf-8")
    assert page.count("<section>") == 2
    assert page.count("<polyline") == 2 * len(classes)
    assert page.count("data:image/jpeg;base64,") == 8
    assert "&lt;b&gt;clip.mp4: 6 frames" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "frames: 6, without a face: 2; faces followed: 2" in capsys.readouterr().out


def test_a_video_without_a_face_says_so(tmp_path):
    clip, out = tmp_path / "clip.mp4", tmp_path / "r.html"
    clip.write_bytes(clip_of([Image.new("RGB", (64, 48), "gray")] * 3))
    command.main([str(clip), "--out", str(out), "--network", NETWORK])
    assert "No face was detected in this video." in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["clip.mp4", "clip.mp4"], "Give one video"),
        (["clip.mp4", "--fps", "0"], "over 0 and at most 60"),
        (["clip.mp4", "--out", "r.pdf"], "ends with .html"),
        (["broken.mp4"], "damaged"),
    ],
)
def test_what_cannot_be_done_ends_with_one_sentence_and_no_file(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(faces_clip())
    (tmp_path / "broken.mp4").write_bytes(faces_clip()[:500])
    with pytest.raises(SystemExit, match=message):
        command.main(arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.mp4", "clip.mp4"]


def test_what_a_report_keeps_does_not_grow_with_the_video(tmp_path, monkeypatch):
    seen = next(services.video.follow(Clip(faces_clip()), NETWORK, 1)).faces[0]

    def long_video(*_):
        for i in range(5000):
            found = services.video.Followed(1 + i // 10, seen.box, seen.face, seen.probabilities)
            yield services.video.Moment(i / 5, (found,), 1000.0)

    kept = []
    forget = explain_video._forget_short
    monkeypatch.setattr(explain_video, "_forget_short", lambda tracks: (forget(tracks), kept.append(len(tracks))))
    monkeypatch.setattr(services.video, "follow", long_video)
    explain_video.write_report(tmp_path / "clip.mp4", tmp_path / "r.html", NETWORK, 5)
    assert max(kept) <= 160
    assert (tmp_path / "r.html").read_text(encoding="utf-8").count("<section>") == 40


def test_a_thinned_stream_is_even_and_bounded():
    thinned = services.video.Thinned(10)
    for i in range(1000):
        thinned.add(i)
    steps = {b - a for a, b in zip(thinned.items, thinned.items[1:], strict=False)}
    assert 5 <= len(thinned.items) <= 10
    assert len(steps) == 1
