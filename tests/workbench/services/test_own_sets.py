"""Sets of a visitor's own images: from a zip that may be anything, and gone with one call."""

import io
import os
import stat
import zipfile
from pathlib import PurePosixPath

import numpy as np
import pytest
from helpers import corrupted_files, job_folders
from PIL import Image

from models.datasets import FaceSet
from workbench import faces
from workbench.jobs import store
from workbench.jobs.limits import LIMITS
from workbench.jobs.store import JobError
from workbench.services import training
from workbench.services.training import epochs, own


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    return job_folders.at(tmp_path, monkeypatch)


def photo(name: str = "astronaut") -> bytes:
    buffer = io.BytesIO()
    picture = faces.sample_picture(name).copy()
    picture.thumbnail((300, 300))
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, data in files.items():
            file.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


def labeled(**counts: int) -> list:
    rng = np.random.default_rng(0)
    return [(name, rng.integers(0, 256, (48, 48), np.uint8)) for name, n in counts.items() for _ in range(n)]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"happy/README.txt": b"x", "happy/run.exe": b"MZ"}, "contains no image"),
        ({"../happy/1.png": b"x"}, "climbs out"),
        ({"/happy/1.png": b"x"}, "climbs out"),
        ({"C:\\happy\\1.png": b"x"}, "climbs out"),
        ({f"happy/{i}.png": b"" for i in range(10_000)}, "10000 files"),
        ({"cats/1.png": b"x"}, r"mean no class: cats \(1 image\)"),
        ({}, "no image"),
    ],
)
def test_a_zip_of_something_else_is_refused_in_a_sentence(files, says):
    with pytest.raises(JobError, match=says) as told:
        training.read_zip(zipped(files))
    assert str(told.value).count("\n") == 0


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(own, "_UNPACKED", own._UNPACKED // 16)
    monkeypatch.setattr(own.faces, "read", lambda data: pytest.fail("unpacked"))
    bomb = zipped({f"happy/{i}.png": bytes(8_000_000) for i in range(3)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    with pytest.raises(JobError, match="Unpacked"):
        training.read_zip(bomb)


def test_what_is_no_zip_is_refused():
    for data in (b"", b"PK\x03\x04 and no more", photo()):
        with pytest.raises(JobError, match="not a zip"):
            training.read_zip(data)
    with pytest.raises(JobError, match="MB"):
        training.read_zip(bytes(LIMITS.own_bytes + 1))


@pytest.mark.parametrize("packed", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_zip_is_refused_or_read_and_never_crashes(packed):
    whole = zipped({f"happy/{i}.png": b"no picture, but long enough to be packed " * 3 for i in range(3)}, packed)
    assert 100 < corrupted_files.refusals(whole, training.read_zip, JobError) < corrupted_files.TIMES


@pytest.mark.parametrize("name", ["", "/", ".", "\0", "happy/"])
def test_a_zip_with_entries_that_have_no_name_holds_no_image(name):
    with pytest.raises(JobError, match="contains no image"):
        training.read_zip(zipped({name: b"x"}))


def test_faces_are_cut_out_and_what_shows_none_is_counted():
    files = {"happy/a.png": photo(), "__MACOSX/happy/._a.png": b"x", "joy/b.png": b"not a picture"}
    found, notes = training.read_zip(zipped(files))
    assert [name for name, _ in found] == ["happy"]
    assert found[0][1].shape == (48, 48)
    assert notes == ["1 of 2 files left out: each cannot be read."]


def test_a_mapping_of_folders_settles_what_names_do_not_say():
    packed = zipped({"1/a.png": photo(), "2/b.png": b"no picture", "x/c.png": b"x", "README.txt": b"x"})
    folders = training.folders_in_zip(packed)
    assert folders == {"1": 1, "2": 1, "x": 1}
    assert training.guessed(folders) == {"1": "", "2": "", "x": ""}
    with pytest.raises(JobError, match=r"mean no class: 1 \(1 image\)"):
        training.read_zip(packed)
    found, notes = training.read_zip(packed, mapping={"1": "engaged", "2": "bored", "x": ""})
    assert [name for name, _ in found] == ["engaged"]
    assert notes == [
        "1 of 4 files left out: each is no image.",
        "1 of 4 files left out: each cannot be read.",
        "1 of 4 files left out: each is in the folder “x”, which means no class.",
    ]


def test_single_files_have_the_label_that_they_are_given():
    paths = [PurePosixPath(name) for name in ("happy_03.png", "sad/1.png", "me.png")]
    assert [training.label_in(path) for path in paths] == ["happy", "sad", ""]
    files = [(path, photo) for path in paths]
    found, notes = training.read_files(files, ["happy", "", "bored"])
    assert [name for name, _ in found] == ["happy", "bored"]
    assert notes == ["1 of 3 files left out: each is in the folder “sad”, which means no class."]
    with pytest.raises(JobError, match="No image has a label"):
        training.read_files(files, ["", "", ""])
    with pytest.raises(JobError, match="1001 files"):
        training.read_files(files[:1] * 1001, ["happy"] * 1001)


@pytest.mark.parametrize("separator", ["/", "\\"], ids=["slashes", "backslashes of PowerShell"])
def test_zips_of_every_maker_are_read_and_other_files_are_left_out(separator):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("mine/happy/a.png", "mine/fröhlich/b.png", "mine/README.txt", "mine/happy/IMG_1.HEIC", "mine/"):
            entry = zipfile.ZipInfo("x")
            entry.filename = name.replace("/", separator)
            archive.writestr(entry, photo() if name.endswith("png") else b"x")
    found, notes = training.read_zip(buffer.getvalue())
    assert [name for name, _ in found] == ["happy", "fröhlich"], "one emotion alone: both are classes of one's own"
    assert notes == ["1 of 4 files left out: each is no image.", "1 of 4 files left out: each cannot be read."]


def test_a_cropped_face_of_48_pixels_is_taken_as_it_is():
    buffer, pixels = io.BytesIO(), np.arange(48 * 48, dtype=np.uint8).reshape(48, 48)
    Image.fromarray(pixels).save(buffer, "PNG")
    assert (own.face_of(buffer.getvalue()) == pixels).all()


def test_a_class_with_one_image_is_refused_and_nothing_is_written(place):
    with pytest.raises(JobError, match="sad"):
        training.make(labeled(happy=9, sad=1))
    assert not (place / "own").exists()


def test_labels_of_ones_own_make_a_set_and_no_link_is_a_label():
    made = training.make(labeled(happy=6, engaged=6, bored=6))
    assert FaceSet.load(own.file_of(made.id)).classes == ("happy", "bored", "engaged")
    with pytest.raises(JobError, match="cannot be a label"):
        training.make([("http://x.yz", face) for _, face in labeled(a=6)] + labeled(sad=6))


def test_a_set_has_all_three_parts_of_each_class_and_no_name_of_anybody():
    made = training.make(labeled(happy=6, sad=12))
    faces_ = FaceSet.load(own.file_of(made.id))
    assert faces_.classes == ("happy", "sad")
    assert faces_.counts()["Training"] == [4, 8]
    assert faces_.counts()["PublicTest"] == faces_.counts()["PrivateTest"] == [1, 2]
    assert all(name.startswith("own_") for name in faces_.names)
    assert made.id in training.set_names()


def test_forgetting_a_set_deletes_its_jobs_and_checkpoints_too(place):
    made = training.make(labeled(happy=6, sad=6))
    mine = job_folders.job(own.file_of(made.id), belongs_to=made.id, done=1)
    other = job_folders.job(place / "x.npz", done=1)
    assert len(epochs.sample(mine, "test", each=9)[0]) == 2
    assert training.forget(made.id) == 1
    assert epochs._sample.cache_info().currsize == 0, "nor are its pictures remembered"
    assert training.own_sets() == ()
    assert [job.id for job in store.jobs()] == [other.id]
    assert not mine.folder.exists()
    with pytest.raises(JobError, match="was deleted"):
        training.forget("../jobs")
    assert other.folder.exists()


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_own_images_are_read_by_nobody_but_their_owner():
    found = own.make([(name, np.full((48, 48), i, np.uint8)) for name in ("happy", "sad") for i in range(6)])
    path = own.file_of(found.id)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
