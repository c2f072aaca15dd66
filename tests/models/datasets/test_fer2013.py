"""FER2013 in every layout in which it goes round, in every state in which a download can be; and the real one."""

from __future__ import annotations

import csv
import errno
import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.datasets import EMOTIONS, DataError, FaceSet, fer2013, readers
from workbench.commands.data import main

COUNTS = {"Training": [3, 1, 2, 4, 2, 2, 3], "PublicTest": [1] * 7, "PrivateTest": [2, 1, 1, 1, 1, 1, 1]}


@pytest.fixture(autouse=True)
def tiny_counts(monkeypatch, request):
    """FER2013 with 32 images instead of 35 887, except for the tests of the real one."""
    if "imported_fer2013" not in request.fixturenames:
        monkeypatch.setattr(fer2013, "COUNTS", COUNTS)


def drawn() -> dict[str, tuple[np.ndarray, str]]:
    """Path inside the archive → image and emotion. The last image of "happy" is a copy with another label."""
    rng = np.random.default_rng(0)
    files, number = {}, 0
    for split, counts in COUNTS.items():
        for emotion, n in zip(EMOTIONS, counts, strict=True):
            for _ in range(n):
                number += 1000  # ids are not row numbers
                folder = "train" if split == "Training" else "test"
                picture = rng.integers(0, 256, (48, 48), dtype=np.uint8)
                files[f"{folder}/{emotion}/{split}_{number}"] = (picture, emotion)
    first, second = [key for key in files if "train/happy" in key or "train/sad" in key][:2]
    files[second] = (files[first][0], files[second][1])
    return files


def png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def picture_files(prefix: str = "") -> dict[str, bytes]:
    return {f"{prefix}{key}.png": png(picture) for key, (picture, _) in drawn().items()}


CSV_CODES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # the challenge's own order


def rows() -> list[dict[str, str]]:
    return [
        {
            "emotion": str(CSV_CODES.index(emotion)),
            "pixels": " ".join(map(str, picture.ravel())),
            "Usage": key.split("/")[-1].split("_")[0],
        }
        for key, (picture, emotion) in drawn().items()
    ]


def table(header: tuple[str, ...] = ("emotion", "pixels", "Usage"), some: list[dict[str, str]] | None = None) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([row[name.strip()] for name in header] for row in (rows() if some is None else some))
    return text.getvalue().encode()


def write_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def write_tar(path: Path, files: dict[str, bytes], mode: str = "w:xz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_csv(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


SHUFFLED = ("emotion", " Usage", " pixels")
LAYOUTS = {
    "tar.xz": lambda d: write_tar(d / "fer2013.tar.xz", picture_files()),
    "tar.gz": lambda d: write_tar(d / "fer2013.tar.gz", picture_files("fer2013/"), "w:gz"),
    "tar": lambda d: write_tar(d / "fer2013.tar", picture_files(), "w"),
    "zip": lambda d: write_zip(d / "archive.zip", picture_files()),
    "zip made on macOS": lambda d: write_zip(
        d / "archive.zip",
        picture_files("fer/")
        | {f"__MACOSX/fer/{os.path.dirname(k)}/._{os.path.basename(k)}.png": b"\0\5\x16\7" for k in drawn()}
        | {"fer/.DS_Store": b"\0"},
    ),
    "folder": lambda d: write_folder(d / "fer2013", picture_files()),
    "folder with other things": lambda d: write_folder(
        d / "fer2013", picture_files() | {"README.txt": b"hello", "votes.csv": b"a,b\n1,2\n", "extra/logo.png": b"x"}
    ),
    "csv": lambda d: write_csv(d / "fer2013.csv", table()),
    "csv, other order and blanks": lambda d: write_csv(d / "icml_face_data.csv", table(SHUFFLED)),
    "csv of a spreadsheet": lambda d: write_csv(d / "FER2013.CSV", b"\xef\xbb\xbf" + table().replace(b"\n", b"\r\n")),
    "csv in tar.gz": lambda d: write_tar(
        d / "fer2013.tar.gz", {"fer2013/fer2013.csv": table(), "a/README": b""}, "w:gz"
    ),
    "csv in zip": lambda d: write_zip(d / "f.zip", {"fer2013new.csv": b"Usage,Image\n", "icml_face_data.csv": table()}),
    "csv in folder": lambda d: write_folder(d / "fer2013.csv", {"fer2013.csv": table(SHUFFLED)}),
    "npz": lambda d: read(write_folder(d / "x", picture_files())).save(d / "x.npz") or d / "x.npz",
}


def read(source: Path) -> FaceSet:
    return readers.read(source, "fer2013")[1]


def expected_fingerprint() -> str:
    """Of the set itself, without any reader."""
    files = drawn()
    splits = np.array([key.split("/")[-1].split("_")[0] for key in files])
    labels = np.array([EMOTIONS.index(emotion) for _, emotion in files.values()])
    return FaceSet(np.stack([p for p, _ in files.values()]), labels, np.array(list(files)), splits).fingerprint


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_set(layout, tmp_path):
    faces = read(LAYOUTS[layout](tmp_path))
    assert fer2013.check_counts(faces) == []
    assert faces.fingerprint == expected_fingerprint()
    assert faces.images.dtype == np.uint8
    assert len(set(faces.ids.tolist())) == len(faces) == 32


def test_files_give_the_same_order_whatever_the_archive(tmp_path):
    backwards = dict(reversed(picture_files().items()))
    one, other = (read(write_tar(tmp_path / "a.tar", files, "w")) for files in (picture_files(), backwards))
    assert one.names.tolist() == other.names.tolist()
    assert np.array_equal(one.images, other.images)
    assert list(one.counts()) == ["Training", "PublicTest", "PrivateTest"]


@pytest.mark.parametrize(
    ("code", "emotion"),
    [(0, "angry"), (1, "disgust"), (2, "fear"), (3, "happy"), (4, "sad"), (5, "surprise"), (6, "neutral")],
)
def test_the_codes_of_the_csv_are_the_challenges_own(tmp_path, code, emotion):
    row = rows()[0] | {"emotion": str(code)}
    faces = read(write_csv(tmp_path / "fer2013.csv", table(some=[row])))
    assert faces.classes[faces.labels[0]] == emotion


def test_a_color_image_becomes_gray(tmp_path):
    gray = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    files = {"train/happy/Training_1.png": png(np.stack([gray] * 3, axis=-1))}
    assert np.array_equal(read(write_folder(tmp_path / "x", files)).images[0], gray)


# ---- refused


def refusal(source: Path) -> str:
    with pytest.raises(DataError) as error:
        read(source)
    return str(error.value)


def test_names_without_the_split_say_that_the_official_split_cannot_be_known(tmp_path):
    files = {f"train/{e}/{i}.png": png(p) for i, (p, e) in enumerate(drawn().values())}
    message = refusal(write_folder(tmp_path / "x", files))
    assert "official split cannot be known" in message
    assert "32 names" in message
    assert "fer2013.csv" in message


@pytest.mark.parametrize(
    "content",
    [b"", b"not a picture", png(np.zeros((48, 48), np.uint8))[:60], png(np.zeros((96, 96), np.uint8))],
    ids=["empty", "text", "breaks off", "96×96"],
)
def test_a_file_that_is_no_image_of_48_by_48_is_left_out_counted_and_named(tmp_path, content):
    bad = {"train/sad/Training_7.png": content, "train/sad/Training_8.png": b"neither"}
    faces = read(write_zip(tmp_path / "x.zip", picture_files() | bad))
    assert faces.fingerprint == expected_fingerprint()
    (note,) = faces.notes
    assert note == "2 files were left out (not 48×48 images): " + ", ".join(bad)


def test_a_huge_image_in_few_bytes_is_left_out_before_it_is_decoded(tmp_path):
    huge = bytearray(png(np.zeros((48, 48), np.uint8)))
    huge[16:24] = (30_000).to_bytes(4, "big") * 2  # width and height in the head of a PNG
    faces = read(write_folder(tmp_path / "x", picture_files() | {"train/sad/Training_7.png": bytes(huge)}))
    assert "Training_7.png" in faces.notes[0]


def test_a_name_of_two_files_is_refused_unless_the_original_set_has_it_twice(tmp_path):
    picture = png(np.zeros((48, 48), np.uint8))
    twice = {"train/sad/Training_7.png": picture, "train/happy/Training_7.png": picture}
    assert "Training_7" in refusal(write_folder(tmp_path / "x", picture_files() | twice))
    known = {f"train/{emotion}/Training_8475486.png": picture for emotion in ("angry", "surprise")}
    assert len(read(write_folder(tmp_path / "y", picture_files() | known))) == 34


@pytest.mark.parametrize("change", [lambda p: p.rsplit(" ", 1)[0], lambda p: p + " 0", lambda p: "0"])
def test_a_row_with_a_wrong_number_of_pixels_is_named(tmp_path, change):
    some = rows()
    some[5]["pixels"] = change(some[5]["pixels"])
    message = refusal(write_csv(tmp_path / "fer2013.csv", table(some=some)))
    assert "Row 5" in message
    assert "instead of 2304" in message


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("emotion", v) for v in ("8", "-1", "bored", "", "3.5", "9" * 30, "nan")),
        *(("pixels", v) for v in ("", "0 256", "0 -1", "0 x")),
        *(("Usage", v) for v in ("", "Test")),
    ],
)
def test_a_row_with_a_wrong_value_is_named(tmp_path, column, value):
    some = rows()
    some[6][column] = value
    assert "Row 6" in refusal(write_csv(tmp_path / "fer2013.csv", table(some=some)))


def test_a_csv_that_breaks_off_names_its_last_row(tmp_path):
    content = table(SHUFFLED)
    message = refusal(write_csv(tmp_path / "fer2013.csv", content[:-2000]))
    assert "Row 31" in message


@pytest.mark.parametrize("column", ["emotion", "pixels"])
def test_a_missing_column_is_named(tmp_path, column):
    header = tuple(name for name in ("emotion", "pixels", "Usage") if name != column)
    message = refusal(write_csv(tmp_path / "fer2013.csv", table(header)))
    assert f"no column {column};" in message


@pytest.mark.parametrize(
    "content", [b"", b"emotion,pixels,Usage\n", b"\xff\xfe\x00\x01", png(np.zeros((9, 9), np.uint8))]
)
def test_a_file_that_is_no_table_is_refused(tmp_path, content):
    assert "CSV" in refusal(write_csv(tmp_path / "fer2013.csv", content))


def test_a_field_without_an_end_is_refused(tmp_path):
    assert refusal(write_csv(tmp_path / "fer2013.csv", table() + b'0,"' + b"1 " * (1 << 20)))


def test_a_path_that_is_not_there_is_named(tmp_path):
    message = refusal(tmp_path / "fer2013.tar.xz")
    assert "fer2013.tar.xz is not there" in message


@pytest.mark.parametrize("content", [b"", b"hello", os.urandom(3000)], ids=["empty", "text", "random"])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    assert "is not an archive" in refusal(write_csv(tmp_path / "fer2013.tar.xz", content))


def test_a_folder_and_an_archive_without_faces_say_what_is_expected(tmp_path):
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "empty", write_zip(tmp_path / "x.zip", {"cats/1.png": b"x", "notes.txt": b"y"})):
        message = refusal(source)
        assert "No image of FER2013 was found" in message
        assert "train/<emotion>/Training_<id>.jpg" in message


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_tar_that_breaks_off_between_two_members_is_at_least_incomplete(keep, tmp_path):
    source = LAYOUTS["tar"](tmp_path)
    data = source.read_bytes()
    source.write_bytes(data[: int(keep * len(data))])
    message = run(source, "--out", tmp_path / "set.npz")
    assert "not the complete FER2013" in message or "damaged" in message or "No image" in message
    assert not (tmp_path / "set.npz").exists()


@pytest.mark.parametrize("layout", ["tar.xz", "tar.gz", "zip", "npz"])
@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_an_archive_that_breaks_off_is_refused(layout, keep, tmp_path):
    source = LAYOUTS[layout](tmp_path)
    data = source.read_bytes()
    source.write_bytes(data[: int(keep * len(data))])
    assert refusal(source)


@pytest.mark.parametrize("layout", ["tar.xz", "tar.gz", "zip"])
@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_an_archive_with_damaged_bytes_is_refused(layout, place, tmp_path):
    source = LAYOUTS[layout](tmp_path)
    data = bytearray(source.read_bytes())
    at = int(len(data) * place)
    data[at : at + 300] = bytes(300)
    source.write_bytes(data)
    assert refusal(source)


def test_an_archive_with_a_password_is_refused(tmp_path):
    source = write_zip(tmp_path / "x.zip", picture_files())
    data = bytearray(source.read_bytes())
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # the bit that says "encrypted", in both heads of a member
        at = data.find(mark)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(mark, at + 4)
    source.write_bytes(data)
    assert "damaged" in refusal(source)


@pytest.mark.parametrize("write", [lambda p, f: write_tar(p, f, "w"), write_zip], ids=["tar", "zip"])
def test_an_archive_with_climbing_paths_writes_nothing(tmp_path, write, monkeypatch):
    inside = tmp_path / "inside" / "deeper"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    climbing = {
        "../../train/sad/Training_1.png": png(np.zeros((48, 48), np.uint8)),
        f"{tmp_path}/train/sad/Training_2.png": png(np.ones((48, 48), np.uint8)),
        "../../x.png": b"x",
    }
    source = write(inside / "archive", climbing)
    faces = read(source)
    assert len(faces) == 2  # read in memory; where their paths point does not matter
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [source]


def test_a_link_in_an_archive_is_not_followed(tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(np.zeros((48, 48), np.uint8)))
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        link = tarfile.TarInfo("train/sad/Training_1.png")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)
    assert "No image" in refusal(tmp_path / "x.tar")


# ---- the command


def run(*argv: str) -> str:
    """What a command that fails says; it must be one short paragraph and not a traceback."""
    with pytest.raises(SystemExit) as stop:
        main(["import", *map(str, argv)])
    assert isinstance(stop.value.code, str), "a text: Python prints it and ends with status 1"
    assert "Traceback" not in stop.value.code
    return stop.value.code


def test_the_command_writes_the_set_and_prints_the_counts(tmp_path, capsys):
    out = tmp_path / "deeper" / "set.npz"
    main(["import", str(LAYOUTS["tar.xz"](tmp_path)), "--out", str(out)])
    assert FaceSet.load(out).fingerprint == expected_fingerprint()
    printed = capsys.readouterr().out
    assert expected_fingerprint() in printed
    for word in ("Training", "PublicTest", "PrivateTest", "angry", "17", "7", "8"):
        assert word in printed
    main(["info", str(out)])
    assert expected_fingerprint() in capsys.readouterr().out


def test_a_second_import_of_the_same_source_reads_nothing_again(tmp_path, capsys, monkeypatch):
    source, out = LAYOUTS["zip"](tmp_path), tmp_path / "set.npz"
    main(["import", str(source), "--out", str(out)])
    before = out.stat().st_mtime_ns

    def read(*args):
        raise AssertionError("read again")

    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(readers, "read", read)
        main(["import", str(source), "--out", str(out)])
    printed = capsys.readouterr().out
    assert "was imported from this source before" in printed
    assert "PublicTest" in printed
    main(["import", str(source), "--out", str(out), "--force"])
    again = out.stat().st_mtime_ns
    os.utime(source)  # it may have changed
    main(["import", str(source), "--out", str(out)])
    assert before < again < out.stat().st_mtime_ns


def test_a_wrong_count_is_refused_naming_the_difference_and_the_earlier_set_stays(tmp_path, capsys):
    out = tmp_path / "set.npz"
    main(["import", str(LAYOUTS["zip"](tmp_path)), "--out", str(out)])
    before = out.read_bytes()
    files = picture_files()
    del files[next(key for key in files if key.startswith("train/sad/"))]
    short = write_zip(tmp_path / "short.zip", files)
    capsys.readouterr()
    message = run(short, "--out", out)
    assert "not the complete FER2013" in message
    assert "--force" in message
    assert "Training: sad 1 instead of 2" in capsys.readouterr().out
    assert out.read_bytes() == before

    main(["import", str(short), "--out", str(out), "--force"])
    assert len(FaceSet.load(out)) == 31


def test_a_missing_split_and_foreign_classes_are_differences(tmp_path):
    some = [row for row in rows() if row["Usage"] != "PrivateTest"]
    faces = read(write_csv(tmp_path / "fer2013.csv", table(some=some)))
    assert fer2013.check_counts(faces) == [
        "PrivateTest: angry 0 instead of 2, " + ", ".join(f"{e} 0 instead of 1" for e in EMOTIONS[1:])
    ]
    other = FaceSet(faces.images, faces.labels, faces.names, faces.splits, (*EMOTIONS, "contempt"))
    (sentence,) = fer2013.check_counts(other)
    assert "contempt" in sentence
    renamed = FaceSet(faces.images, faces.labels, faces.names, np.full(len(faces), "train"))
    assert any('"train"' in sentence for sentence in fer2013.check_counts(renamed))


def test_a_forced_set_without_a_training_part_is_written(tmp_path):
    some = [row for row in rows() if row["Usage"] != "Training"]
    source = write_csv(tmp_path / "fer2013.csv", table(some=some))
    main(["import", str(source), "--out", str(tmp_path / "set.npz"), "--force"])
    assert len(FaceSet.load(tmp_path / "set.npz")) == 15


@pytest.mark.parametrize("source", ["nowhere.zip", "text.zip", "broken.tar.xz", "table.csv"])
def test_a_source_that_cannot_be_read_ends_the_command_with_one_sentence(tmp_path, source):
    write_csv(tmp_path / "text.zip", b"hello")
    write_csv(tmp_path / "table.csv", b"a,b\n")
    broken = write_tar(tmp_path / "broken.tar.xz", picture_files())
    broken.write_bytes(broken.read_bytes()[:20_000])
    message = run(tmp_path / source, "--out", tmp_path / "set.npz")
    assert len(message) < 400
    assert not (tmp_path / "set.npz").exists()


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_full_disk_ends_the_command_with_advice_and_the_earlier_set_stays(tmp_path, monkeypatch, call):
    out = tmp_path / "out" / "set.npz"
    main(["import", str(LAYOUTS["zip"](tmp_path)), "--out", str(out)])
    before = out.read_bytes()

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    assert "free some space" in run(tmp_path / "archive.zip", "--out", out, "--force")
    assert out.read_bytes() == before
    assert [p.name for p in out.parent.iterdir()] == ["set.npz"]


def test_a_place_that_cannot_be_written_ends_the_command_with_one_sentence(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    message = run(LAYOUTS["zip"](tmp_path), "--out", tmp_path / "file" / "set.npz")
    assert str(tmp_path / "file") in message


# ---- the real one


def test_the_real_set_has_the_known_counts(imported_fer2013):
    assert fer2013.check_counts(imported_fer2013) == []
    assert {split: sum(counts) for split, counts in imported_fer2013.counts().items()} == {
        "Training": 28_709,
        "PublicTest": 3_589,
        "PrivateTest": 3_589,
    }
    assert imported_fer2013.counts()["PublicTest"] == [467, 56, 496, 895, 607, 653, 415]
    assert imported_fer2013.images.shape == (35_887, 48, 48)


def test_the_real_training_pixels_have_the_known_mean_and_deviation(imported_fer2013):
    mean, std = imported_fer2013.part("Training").pixel_statistics()
    assert (round(255 * mean, 2), round(255 * std, 2)) == (129.47, 65.04)


def test_the_real_images_have_ids_of_their_own_and_1516_groups_of_duplicates(imported_fer2013):
    ids = imported_fer2013.ids
    assert len(set(ids.tolist())) == 35_887
    hashes, sizes = np.unique([i.split("-")[1] for i in ids], return_counts=True)
    assert (sizes > 1).sum() == 1_516
    assert 35_887 - len(hashes) == 1_853


def test_the_real_archive_and_its_imported_copy_agree(imported_fer2013, tmp_path):
    imported_fer2013.save(tmp_path / "set.npz")
    again = read(tmp_path / "set.npz")
    assert again.fingerprint == imported_fer2013.fingerprint
    assert np.array_equal(again.images, imported_fer2013.images)
    assert np.array_equal(again.names, imported_fer2013.names)


def test_the_real_set_with_one_image_less_is_refused(imported_fer2013, tmp_path, capsys):
    f, kept = imported_fer2013, slice(1, None)
    arrays = {"images": f.images[kept], "labels": f.labels[kept], "names": f.names[kept], "splits": f.splits[kept]}
    np.savez(tmp_path / "short.npz", **arrays, classes=np.array(EMOTIONS))
    assert "not the complete FER2013" in run(tmp_path / "short.npz", "--out", tmp_path / "out.npz")
    first, expected = EMOTIONS[f.labels[0]], fer2013.COUNTS["Training"][f.labels[0]]
    assert f"Training: {first} {expected - 1} instead of {expected}" in capsys.readouterr().out
    assert not (tmp_path / "out.npz").exists()
