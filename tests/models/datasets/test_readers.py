"""CK+, JAFFE and folders of class folders, drawn in their layouts; and how a source is recognized."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from helpers.image_files import picture, write
from PIL import Image

from models.datasets import EMOTIONS, DataError, FaceSet, readers
from models.datasets.archives import gray, stamp
from models.datasets.class_names import SYNONYMS, class_of
from models.datasets.splits import split
from workbench.commands import data_import as commands
from workbench.commands.data import main


def ckplus_files(subjects: int = 8, frames: int = 5) -> dict[str, bytes]:
    """Of each subject one sequence, the frames numbered up to its strongest."""
    words = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
    return {
        f"CK+48/{words[s % 7]}/S{s + 5:03d}_{s % 3 + 1:03d}_{f + 10:08d}.png": picture(100 * s + f)
        for s in range(subjects)
        for f in range(frames)
    }


def jaffe_files(subjects: tuple[str, ...] = ("KA", "KL", "KM", "KR"), times: int = 2) -> dict[str, bytes]:
    return {
        f"jaffe/{who}.{code}{n + 1}.{100 * i + 10 * j + n}.tiff": picture(100 * i + 10 * j + n, (256, 256), "TIFF")
        for i, who in enumerate(subjects)
        for j, code in enumerate(("AN", "DI", "FE", "HA", "NE", "SA", "SU"))
        for n in range(times)
    }


def folder_files() -> dict[str, bytes]:
    names = {"Happiness": 3, "ANGRY": 2, "0_sadness": 2, "Neutral": 2, "confused": 1}
    return {
        f"{part}/{name}/{i}.jpg": picture(hash((part, name, i)) % 1000, (60 + 9 * i, 50), "JPEG")
        for part in ("Train", "test")
        for name, n in names.items()
        for i in range(n)
    }


# ---- CK+


def test_ckplus_takes_the_last_three_frames_of_each_sequence_with_their_subjects(tmp_path):
    kind, faces = readers.read(write(tmp_path, ckplus_files()))
    assert kind == "ckplus"
    assert faces.classes == ("angry", "disgust", "fear", "happy", "sad", "surprise", "contempt")
    assert len(faces) == 8 * 3
    assert {name[-2:] for name in faces.names} == {"12", "13", "14"}
    assert len(set(faces.subjects)) == 8
    assert faces.subjects[0] == faces.names[0][:4] == "S005"
    assert [faces.classes[label] for label in faces.labels[:6]] == ["angry"] * 3 + ["contempt"] * 3
    expected = gray(ckplus_files()["CK+48/anger/S005_001_00000012.png"])
    assert np.array_equal(faces.images[0], expected)


def test_neutral_faces_are_no_class_of_ckplus_and_are_listed(tmp_path):
    extra = {"CK+48/neutral/S005_001_00000001.png": picture(1), "CK+48/anger/S005_001_00000099.png": b"broken"}
    _, faces = readers.read(write(tmp_path, ckplus_files() | extra))
    assert len(faces) == 23, "of the last three frames one cannot be read"
    assert any("neutral/S005" in note for note in faces.notes)
    assert any("not readable" in note and "00000099" in note for note in faces.notes)


def test_a_frame_in_two_folders_is_refused(tmp_path):
    files = ckplus_files() | {"CK+48/fear/S005_001_00000014.png": picture(1)}
    with pytest.raises(DataError, match="S005_001_00000014"):
        readers.read(write(tmp_path, files))


# ---- JAFFE


def test_jaffe_reads_codes_and_subjects_from_the_names(tmp_path):
    kind, faces = readers.read(write(tmp_path, jaffe_files()))
    assert kind == "jaffe"
    assert faces.classes == EMOTIONS
    assert faces.images.shape == (56, 256, 256)
    assert set(faces.subjects) == {"KA", "KL", "KM", "KR"}
    of = {code: i for i, code in enumerate(("AN", "DI", "FE", "HA", "NE", "SA", "SU"))}
    assert all(of[name[3:5]] == label for name, label in zip(faces.names, faces.labels, strict=True))


def test_a_file_with_another_name_is_left_out_of_jaffe_and_listed(tmp_path):
    files = jaffe_files() | {"jaffe/README.png": picture(1), "jaffe/KA.HA9.999.tiff": b"II*\0broken"}
    _, faces = readers.read(write(tmp_path, files))
    assert len(faces) == 56
    assert any("README.png" in note for note in faces.notes)
    assert any("KA.HA9.999.tiff" in note for note in faces.notes)


def test_a_name_of_jaffe_in_two_folders_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"KA\.AN1\.0"):
        readers.read(write(tmp_path, jaffe_files() | {"copy/KA.AN1.0.tiff": picture(1)}))


# ---- folders


def test_folders_are_matched_by_what_people_call_the_classes(tmp_path):
    kind, faces = readers.read(write(tmp_path, folder_files()))
    assert kind == "folder"
    assert faces.classes == ("angry", "happy", "neutral", "sad"), (
        "in the project's order, without those that are missing"
    )
    assert faces.counts() == {"test": [2, 3, 2, 2], "train": [2, 3, 2, 2]}
    assert faces.images.shape == (18, 48, 48)
    assert "test/0_sadness/0" in faces.names
    assert faces.notes[0] == "Folders and their classes: 0_sadness = sad, Happiness = happy."
    assert faces.notes[1].startswith("Folders that mean no class were left out: confused (2 images).")
    assert "--classes 'confused=" in faces.notes[1]


@pytest.mark.parametrize(("name", "words"), SYNONYMS.items())
def test_every_synonym_means_its_class(name, words):
    for word in words:
        assert {class_of(w) for w in (word, word.upper(), f"3_{word}", f"{word}-1")} == {name}
    assert class_of("confused") is None


def test_no_synonym_means_two_classes():
    words = [word for some in SYNONYMS.values() for word in some]
    assert len(words) == len(set(words))


def test_a_folder_without_parts_is_one_part_and_keeps_the_image_in_the_middle(tmp_path):
    pixels = np.zeros((20, 60), np.uint8)
    pixels[:, 20:40] = 255  # what is left of a wide image that is cut to a square
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    _, faces = readers.read(write(tmp_path, {"happy/a.png": buffer.getvalue(), "sad/b.png": picture(1)}))
    assert set(faces.splits) == {"all"}
    assert faces.images[0][:, 8:-8].min() == 255


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"cats/1.png": b"x"}, "named after a class"),
        ({"notes.txt": b"x"}, "named after a class"),
        ({"happy/1.png": b"broken", "sad/1.png": picture(1)}, 'No image of "happy" can be read'),
    ],
    ids=["other folders", "no images", "a class without a readable image"],
)
def test_a_folder_that_is_no_set_of_faces_is_refused(tmp_path, files, message):
    with pytest.raises(DataError, match=message):
        readers.read(write(tmp_path, files))


def test_an_empty_class_folder_is_refused(tmp_path):
    (write(tmp_path, {"happy/1.png": picture(1), "sad/1.png": picture(2)}) / "fear").mkdir()
    with pytest.raises(DataError, match='"fear" is empty'):
        readers.read(tmp_path)


# ---- how a source is recognized


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"train/happy/Training_1.png": picture(1), "extra/logo.png": picture(2)}, "fer2013"),
        (ckplus_files(2, 3), "ckplus"),
        (jaffe_files(("KA",), 1), "jaffe"),
        ({"happy/1.png": picture(1), "sad/2.png": picture(2)}, "folder"),
    ],
)
def test_the_kind_is_found_out_from_the_names_in_a_folder_and_in_a_zip(tmp_path, files, kind):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    assert readers.read(write(tmp_path / "x", files))[0] == kind
    assert readers.read(tmp_path / "x.zip")[0] == kind


def test_the_kind_can_be_said(tmp_path):
    files = jaffe_files(("KA",), 1) | {"happy/x.png": picture(1), "sad/x.png": picture(2)}
    kind, faces = readers.read(write(tmp_path, files), "folder")
    assert (kind, len(faces)) == ("folder", 2)


def test_progress_counts_the_files(tmp_path):
    seen = []
    readers.read(write(tmp_path, ckplus_files(2, 3)), progress=seen.append)
    assert seen == [1, 2, 3, 4, 5, 6]


def test_a_stamp_changes_with_any_file(tmp_path):
    write(tmp_path, {"a/1.png": b"1", "b/2.png": b"2"})
    before = stamp(tmp_path)
    assert stamp(tmp_path) == before
    (tmp_path / "b" / "2.png").write_bytes(b"22")
    assert stamp(tmp_path) != before


# ---- the commands


@pytest.mark.parametrize(
    ("files", "name", "words"),
    [(ckplus_files(28), "ckplus", ("contempt", "28 subjects")), (jaffe_files(), "jaffe", ("neutral", "4 subjects"))],
    ids=["ckplus", "jaffe"],
)
def test_a_set_is_imported_under_its_own_name_and_divided_by_subjects(
    tmp_path, monkeypatch, capsys, files, name, words
):
    monkeypatch.chdir(write(tmp_path, files))
    monkeypatch.setattr(commands, "DATA", tmp_path / "data")
    main(["import", "."])
    printed = capsys.readouterr().out
    assert all(word in printed for word in words)
    faces = FaceSet.load(tmp_path / "data" / f"{name}.npz")
    main(["splits", "subject-out", "--data", f"data/{name}.npz", "--out", "s.json"])
    parts = split(faces, "s.json")
    people = [set(part.subjects) for part in (parts.training, parts.validation, parts.test)]
    assert sum(map(len, people)) == len(set.union(*people))


def test_two_folders_of_ones_own_become_two_sets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, "DATA", tmp_path / "data")
    for name in ("mine", "theirs"):
        write(tmp_path / name, folder_files())
        main(["import", name])
    assert sorted(p.name for p in (tmp_path / "data").iterdir()) == ["mine.npz", "theirs.npz"]


def test_a_folder_with_the_name_of_a_set_does_not_replace_that_set(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, "DATA", tmp_path / "data")
    write(tmp_path / "fer2013", folder_files())
    with pytest.raises(SystemExit, match="named fer2013, but its files are not"):
        main(["import", "fer2013"])
    main(["import", "fer2013", "--out", "mine.npz"])
    assert (tmp_path / "mine.npz").is_file()


def saved(image: Image.Image, **more) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **more)
    return buffer.getvalue()


def test_sixteen_bits_transparency_and_rotated_photos_become_the_gray_that_one_sees():
    deep = saved(Image.fromarray(np.array([[300, 40000]], np.uint16)))
    assert gray(deep).tolist() == [[1, 156]]
    assert gray(saved(Image.new("RGBA", (1, 1), (0, 0, 0, 0)))).tolist() == [[255]]
    turned = Image.fromarray(np.array([[0, 255]], np.uint8))
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    assert gray(saved(turned, exif=exif)).tolist() == [[0], [255]]


def test_files_that_were_left_out_are_printed(tmp_path, capsys):
    write(tmp_path / "x", folder_files() | {"train/sad/broken.png": b"x"})
    main(["import", str(tmp_path / "x"), "--out", str(tmp_path / "set.npz")])
    printed = capsys.readouterr().out
    assert "1 file was left out (not readable as images): train/sad/broken.png" in printed
    assert "confused (2 images)" in printed
