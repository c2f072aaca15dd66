"""`ferscope explain`: every face is on the page and in the table, what cannot be read is listed, nothing is lost."""

from __future__ import annotations

import csv
import os
import re
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from models.datasets.synthetic.faces import draw_face
from workbench import faces, services
from workbench.commands import explain as report
from workbench.commands import explain_files, explain_report


@pytest.fixture
def folder(tmp_path):
    """Two drawn faces, the astronaut twice in one picture, a picture without a face, a text that calls itself one."""
    place = tmp_path / "faces"
    (place / "deeper").mkdir(parents=True)
    for emotion in ("happy", "surprise"):
        Image.fromarray(draw_face(emotion, 240)).save(place / f"{emotion}.png")
    two = Image.new("RGB", (1024, 512))
    two.paste(Image.fromarray(astronaut()), (0, 0))
    two.paste(Image.fromarray(astronaut()), (512, 0))
    two.save(place / "deeper" / "two.jpg")
    Image.new("RGB", (200, 100), (90, 120, 90)).save(place / "meadow.webp")
    (place / "<b>text.png").write_text("hello")
    (place / "notes.txt").write_text("hello")
    (place / "clip.mp4").write_bytes(b"\0\0\0\x1cftypisom")
    return place


def rows(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_face_is_on_the_page_and_in_the_table(folder, tmp_path, capsys):
    out = tmp_path / "out" / "r.html"
    report.main([str(folder), "--out", str(out)])
    page, table = out.read_text(encoding="utf-8"), rows(out.with_suffix(".csv"))
    assert [(r["file"].split("/")[-1], r["face"]) for r in table] == [
        ("two.jpg", "1"),
        ("two.jpg", "2"),
        ("happy.png", "1"),
        ("meadow.webp", "0"),
        ("surprise.png", "1"),
        ("<b>text.png", ""),
        ("clip.mp4", ""),
        ("notes.txt", ""),
    ]
    outcomes = [row["outcome"].split(":")[0] for row in table]
    assert outcomes == [*["face"] * 3, "no face", "face", "unreadable", "video", "not an image"]
    assert page.count("<section>") == 5
    assert page.count("data:image/png;base64,") == 10
    assert "No face was detected: this is the center of the image." in page
    assert "meadow.webp (no face detected)" in page
    printed = capsys.readouterr().out
    assert "faces: 4; images without a detected face: 1" in printed
    assert "<b>text.png: This is not a JPEG, PNG, WebP, HEIC," in printed
    assert "notes.txt: This is not an image by its name (.txt)." in printed
    assert "clip.mp4: This is a video. Give it by its name: ferscope explain clip.mp4" in printed
    for row in table[:5]:
        shares = [float(row[name]) for name in services.networks.open_network("residual_cnn").classes]
        assert sum(shares) == pytest.approx(1, abs=1e-4)
        assert row["prediction"] == max(
            services.networks.open_network("residual_cnn").classes, key=lambda name: float(row[name])
        )


def test_the_page_needs_nothing_else_and_names_are_no_markup(folder, tmp_path):
    out = tmp_path / "r.html"
    report.main([str(folder), "--out", str(out)])
    page = out.read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "<b>text" not in page
    assert "&lt;b&gt;text.png: This is not a JPEG, PNG, WebP, HEIC," in page


def test_a_cropped_face_is_used_as_it_is(tmp_path):
    Image.new("RGB", (200, 200), "gray").save(tmp_path / "crop.png")
    Image.new("RGB", (48, 48), "gray").save(tmp_path / "small.png")
    for option, face in ((["--maps", "png"], "0"), (["--cropped"], "1")):  # what the first one wrote does not count
        report.main([str(tmp_path), "--out", str(tmp_path / "r.html"), *option])
        crop, small = rows(tmp_path / "r.csv")
        assert (crop["face"], crop["width"], small["face"], small["width"]) == (face, "200", "1", "48")


def test_the_class_of_the_map_can_be_said(folder, tmp_path):
    out = tmp_path / "r.html"
    report.main([str(folder / "happy.png"), "--class", "sad", "--out", str(out)])
    assert "map for sad" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["npy", "png"])
def test_maps_are_written_as_large_as_the_face_for_each_class(folder, tmp_path, kind):
    out = tmp_path / "r.html"
    choices = ["--classes", "sad", "happy", "--method", "layercam", "--layer", "stage2", "--maps", kind]
    report.main([str(folder / "happy.png"), str(folder / "meadow.webp"), "--out", str(out), *choices])
    assert "class activation maps (layercam, layer <code>stage2</code>)" in out.read_text(encoding="utf-8")
    for row, stem in zip(rows(out.with_suffix(".csv")), ("happy-face1", "meadow-face0"), strict=True):
        names = row["maps"].split()
        assert [name[7:] for name in names] == [f"{stem}-sad.{kind}", f"{stem}-happy.{kind}"]
        for name in names:
            file = tmp_path / "r_maps" / name
            shape = np.load(file).shape if kind == "npy" else Image.open(file).size
            assert shape == (float(row["width"]), float(row["height"]))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are Unicode")
def test_names_that_are_no_text_are_escaped_and_end_nothing(folder, tmp_path, capsys):
    for name in (b"broken\xff.png", b"two\nlines.png", b"bell\x07.txt"):
        (tmp_path / os.fsdecode(name)).write_bytes((folder / "happy.png").read_bytes())
    (tmp_path / "link.png").symlink_to("nowhere")
    out = tmp_path / "r.html"
    report.main([*map(str, sorted(tmp_path.glob("*.png"))[:1]), str(tmp_path), "--out", str(out), "--maps", "npy"])
    listed = {row["file"].split("/")[-1]: row["outcome"].split(":")[0] for row in rows(out.with_suffix(".csv"))}
    assert {"broken\\xff.png", "two\\nlines.png", "bell\\x07.txt", "link.png"} <= listed.keys()
    assert listed["broken\\xff.png"] == listed["two\\nlines.png"] == "face"
    assert (listed["bell\\x07.txt"], listed["link.png"]) == ("not an image", "not a file")
    assert "bell\\x07.txt: This is not an image" in capsys.readouterr().out


def test_random_weights_are_named_on_the_page_in_the_table_and_in_the_terminal(folder, tmp_path, capsys):
    out = tmp_path / "r.html"
    report.main([str(folder / "happy.png"), "--out", str(out), "--network", "mobilenet_v1"])
    assert "Random weights" in out.read_text(encoding="utf-8")
    assert rows(out.with_suffix(".csv"))[0]["weights"] == "random"
    assert "mobilenet_v1 has random weights" in capsys.readouterr().out


def test_where_nothing_is_explained_the_command_fails_and_the_old_report_stays(folder, tmp_path):
    (tmp_path / "r.html").write_text("earlier")
    with pytest.raises(SystemExit, match=r"No image could be explained[^$]*text\.png"):
        report.main([str(folder / "<b>text.png"), "--out", str(tmp_path / "r.html")])
    assert (tmp_path / "r.html").read_text() == "earlier"
    assert not (tmp_path / "r.csv").exists()


def test_a_network_without_a_layer_for_maps_shows_its_prediction(folder, tmp_path):
    out = tmp_path / "r.html"
    report.main([str(folder / "happy.png"), "--out", str(out), "--network", "ensemble"])
    assert out.read_text(encoding="utf-8").count("<img") == 1


def test_samples_come_first_and_need_no_image(folder, tmp_path):
    out = tmp_path / "r.html"
    report.main(["--sample", "astronaut", "drawn_happy", "--out", str(out)])
    assert [(row["file"], row["prediction"]) for row in rows(out.with_suffix(".csv"))] == [
        ("astronaut", "happy"),
        ("drawn_happy", "happy"),
    ]
    report.main([str(folder / "happy.png"), "--sample", "astronaut", "--out", str(out)])
    assert [Path(row["file"]).name for row in rows(out.with_suffix(".csv"))] == ["astronaut", "happy.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "ferscope explain --sample astronaut"),
        (["--sample", "../astronaut"], '"../astronaut" is not a sample. Choose one of astronaut, '),
        (["nowhere.png"], "nowhere.png does not exist"),
        (["{folder}/empty"], "No images found"),
        (["{folder}", "--network", "residul_cnn"], "residual_cnn"),
        (["{folder}", "--class", "bored"], 'no class "bored"'),
        (["{folder}", "--out", "report.pdf"], "ends with .html"),
        (["{folder}", "--method", "gradcamm"], "Choose from gradcam, gradcam++"),
        (["{folder}", "--layer", "stage9"], 'layer="stage9" is not in this network'),
        (["{folder}", "--network", "ensemble", "--maps", "png"], "no layer for class activation maps"),
    ],
)
def test_what_cannot_be_done_ends_with_one_sentence_and_leaves_the_earlier_report(
    folder, tmp_path, monkeypatch, arguments, message
):
    (folder / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.html").write_text("earlier")
    with pytest.raises(SystemExit, match=re.escape(message)):
        report.main([argument.format(folder=folder) for argument in arguments])
    assert (tmp_path / "report.html").read_text() == "earlier"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["faces", "report.html"]


def test_an_error_in_the_middle_leaves_the_earlier_report(folder, tmp_path, monkeypatch):
    out, done = tmp_path / "r.html", []
    out.write_text("earlier")
    explain_batch = explain_report.explain_batch

    def broken(*args):
        done.append(1)
        if len(done) == 3:
            raise MemoryError
        return explain_batch(*args)

    monkeypatch.setattr(explain_report, "BATCH", 1)
    monkeypatch.setattr(explain_report, "explain_batch", broken)
    with pytest.raises(MemoryError):
        report.main([str(folder), "--out", str(out)])
    assert out.read_text() == "earlier"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["faces", "r.html"]


def test_many_images_need_no_more_memory_than_few(folder, tmp_path, monkeypatch):
    """What was read and computed for a batch is gone when the one after the next comes, and is on the disk."""
    many, seen, alive, written = tmp_path / "many", [], [], []
    many.mkdir()
    for i in range(12):
        (many / f"{i}.png").write_bytes((folder / "happy.png").read_bytes())

    def watched(function):
        def call(*args):
            found = function(*args)
            seen.extend(map(weakref.ref, found if isinstance(found, list) else [found]))
            alive.append(sum(one() is not None for one in seen))
            written.append(sum(file.stat().st_size for file in tmp_path.iterdir() if file.is_file()))
            return found

        return call

    monkeypatch.setattr(explain_report, "BATCH", 2)
    monkeypatch.setattr(explain_files, "_WORKERS", 1)
    monkeypatch.setattr(explain_report, "explain_batch", watched(explain_report.explain_batch))
    monkeypatch.setattr(faces, "read", watched(faces.read))
    report.main([str(many), "--out", str(tmp_path / "many.html")])
    assert len(seen) == 24
    assert max(alive) <= 7, "two batches of two faces, and the images that are read ahead"
    assert written[-1] > 0.7 * (tmp_path / "many.html").stat().st_size
    assert (tmp_path / "many.html").read_text().count("<section>") == 12
