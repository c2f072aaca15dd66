"""Every layout in the documentation's table of datasets, made up of a few images, and what is read of it."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.image_files import picture, write
from PIL import Image

from models.datasets import EMOTIONS, DataError, FaceSet, readers
from models.datasets.class_names import NUMBERINGS, parse_classes
from models.datasets.faceset import CLASSES

RAFDB = {str(code): name for code, name in NUMBERINGS["rafdb"].items()}
AFFECTNET = {str(code): name for code, name in NUMBERINGS["affectnet"].items()}
CODES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def read(path: Path, **options) -> tuple[str, FaceSet]:
    return readers.read(path, **options)


def labels(faces: FaceSet) -> dict[str, str]:
    """The class of each image by its name."""
    return {str(name): faces.classes[label] for name, label in zip(faces.names, faces.labels, strict=True)}


def npy(value: str) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array(value))
    return buffer.getvalue()


# ---- tables of pixels


def rows_of_pixels(n: int = 8) -> list[tuple[str, str, str]]:
    usage = ("Training", "PublicTest", "PrivateTest")
    noise = np.random.default_rng(0).integers(0, 256, (n, 48 * 48))
    return [(str(i % 7), " ".join(map(str, noise[i])), usage[i % 3]) for i in range(n)]


def csv_of(head: str, line, rows=None) -> bytes:
    return "\n".join([head, *map(line, rows or rows_of_pixels())]).encode()


PLAIN = csv_of("emotion,pixels,Usage", lambda r: ",".join(r))
DIALECTS = {
    "semicolon.csv": csv_of("emotion;pixels;Usage", lambda r: ";".join(r)),
    "tab.tsv": csv_of("emotion\tpixels\tUsage", lambda r: "\t".join(r)),
    "quotes.csv": csv_of('"emotion","pixels","Usage"', lambda r: ",".join(f'"{x}"' for x in r)),
    "blanks.csv": csv_of("emotion, Usage, pixels", lambda r: f" {r[0]} , {r[2]} , {r[1]} "),
    "mark.csv": b"\xef\xbb\xbf" + PLAIN.replace(b"\n", b"\r\n"),
    "utf16.csv": PLAIN.decode().encode("utf-16"),
    "small.csv": csv_of("Emotion,Pixels,usage", lambda r: f"{r[0]},{r[1]},{r[2].lower()}"),
    "words.csv": csv_of("emotion,pixels,Usage", lambda r: f"{CODES[int(r[0])].title()},{r[1]},{r[2]}"),
    "floats.csv": csv_of("emotion,pixels,Usage", lambda r: f"{r[0]}.0,{r[1]},{r[2]}"),
    "brackets.csv": csv_of("emotion,pixels,Usage", lambda r: f'{r[0]},"[{r[1].replace(" ", ", ")}]",{r[2]}'),
    "packed.csv.gz": gzip.compress(PLAIN),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_fer2013_is_read_in_every_dialect_of_csv(tmp_path, name):
    (tmp_path / name).write_bytes(DIALECTS[name])
    kind, faces = read(tmp_path / name)
    assert kind == "fer2013"
    assert [faces.classes[label] for label in faces.labels[np.argsort(faces.names)]] == [*CODES, CODES[0]]
    assert list(faces.counts()) == ["Training", "PublicTest", "PrivateTest"]
    first = faces.images[faces.names.tolist().index("row_0")]
    assert " ".join(map(str, first.ravel())) == rows_of_pixels()[0][1]


def test_a_tar_under_the_name_of_a_csv_is_read(tmp_path):
    with tarfile.open(tmp_path / "fer2013.csv", "w") as archive:
        member = tarfile.TarInfo("fer2013/fer2013.csv")
        member.size = len(PLAIN)
        archive.addfile(member, io.BytesIO(PLAIN))
    assert read(tmp_path / "fer2013.csv")[0] == "fer2013"


def test_a_table_of_pixels_with_contempt_or_without_usage_is_a_set_of_its_own(tmp_path):
    (tmp_path / "ckextended.csv").write_bytes(
        csv_of("emotion,pixels,Usage", lambda r: f"{int(r[0]) or 7},{r[1]},{r[2]}")
    )
    (tmp_path / "train.csv").write_bytes(csv_of("emotion,pixels", lambda r: ",".join(r[:2])))
    kind, extended = read(tmp_path / "ckextended.csv")
    assert (kind, extended.classes) == ("folder", CLASSES)
    assert labels(extended)["row_0"] == "contempt"
    kind, train = read(tmp_path / "train.csv")
    assert (kind, set(train.splits)) == ("folder", {"all"})
    assert "no column Usage" in train.notes[0]


# ---- FER+


def test_ferplus_has_the_majority_of_the_votes_in_its_folders(tmp_path):
    lines = {
        "FER2013Train": {"fer0000000": "1,9,0,0,0,0,0,0,0,0", "fer0000001": "5,5,0,0,0,0,0,0,0,0"},
        "FER2013Test": {"fer0000002": "0,0,0,0,0,0,0,8,0,2"},
    }
    files = {}
    for folder, votes in lines.items():
        files |= {f"{folder}/{name}.png": picture(int(name[3:])) for name in votes}
        table = "\n".join(f'{name}.png,"(0, 0, 48, 48)",{line}' for name, line in votes.items())
        files[f"{folder}/label.csv"] = table.encode()
    kind, faces = read(write(tmp_path, files))
    assert (kind, faces.classes) == ("ferplus", CLASSES)
    assert [(faces.classes[k], p) for k, p in zip(faces.labels, faces.splits, strict=True)] == [
        ("happy", "Training"),
        ("contempt", "PrivateTest"),
    ]
    assert any("no emotion has more than half" in note and "fer0000001" in note for note in faces.notes)


def test_ferplus_labels_beside_the_pixels_apply_and_alone_say_what_is_missing(tmp_path):
    head = b"Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
    (tmp_path / "fer2013new.csv").write_bytes(head + b"".join(b"Training,fer,0,0,0,0,0,0,9,0,0,1\n" for _ in range(8)))
    with pytest.raises(DataError, match="no images"):
        read(tmp_path)
    (tmp_path / "fer2013.csv").write_bytes(PLAIN)
    kind, faces = read(tmp_path)
    assert (kind, set(labels(faces).values()), len(faces)) == ("ferplus", {"fear"}, 8)


def test_ferplus_without_votes_says_that_they_are_missing(tmp_path):
    with pytest.raises(DataError, match=r"each with label.csv.* 1 file was left out \(without votes\)"):
        read(write(tmp_path, {"FER2013Train/fer9000000.png": picture(1)}))


# ---- RAF-DB


def test_rafdb_is_read_from_its_folders(tmp_path):
    files = {
        f"DATASET/{part}/{code}/{part}_{code}{i}_aligned.jpg": picture(10 * int(code) + i, (100, 100), "JPEG")
        for part in ("train", "test")
        for code in RAFDB
        for i in range(2)
    }
    kind, faces = read(write(tmp_path, files))
    assert (kind, faces.classes, faces.images.shape) == ("rafdb", EMOTIONS, (28, 96, 96))
    assert set(faces.splits) == {"train", "test"}
    assert all(class_ == RAFDB[name.split("_")[1][0]] for name, class_ in labels(faces).items())
    assert "1 = surprise" in faces.notes[0]


def test_rafdb_of_its_authors_takes_the_crops_and_the_list(tmp_path):
    files = {f"Image/aligned/train_{i:05d}_aligned.jpg": picture(i, (100, 100), "JPEG") for i in (1, 2)}
    files |= {"Image/original/train_00001.jpg": picture(9, (200, 150), "JPEG")}
    files["EmoLabel/list_patition_label.txt"] = b"train_00001.jpg 5\ntrain_00002.jpg 2\n"
    kind, faces = read(write(tmp_path, files))
    assert (kind, labels(faces)) == ("rafdb", {"train_00001": "sad", "train_00002": "fear"})
    assert any("1 file was left out (whole photographs" in note for note in faces.notes)


# ---- AffectNet


def test_affectnet_is_read_from_its_folders_and_its_annotations(tmp_path):
    folders = {
        f"{part}_set/{code}/{code}{i}.jpg": picture(i, (96, 96), "JPEG")
        for part in ("train", "val")
        for code in AFFECTNET
        for i in range(1)
    }
    kind, faces = read(write(tmp_path / "folders", folders))
    assert (kind, set(faces.splits)) == ("affectnet", {"train", "validation"})
    assert all(class_ == AFFECTNET[Path(name).parent.name] for name, class_ in labels(faces).items())

    codes = {"1": "1", "2": "7", "3": "8"}
    files = {f"train_set/images/{i}.jpg": picture(int(i), (96, 96), "JPEG") for i in codes}
    files |= {
        f"train_set/annotations/{i}_{what}.npy": npy(code) for i, code in codes.items() for what in ("exp", "val")
    }
    kind, faces = read(write(tmp_path / "annotations", files))
    assert kind == "affectnet"
    assert labels(faces) == {"train_set/images/1": "happy", "train_set/images/2": "contempt"}
    assert any("codes 8 to 10" in note for note in faces.notes)


def test_affectnet_tables_give_the_box_of_the_face(tmp_path):
    head = b"subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal\n"
    photo = np.zeros((100, 200), np.uint8)
    photo[20:60, 150:190] = 255
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "PNG")
    files = {"Images/12/a.png": buffer.getvalue(), "training.csv": head + b"12/a.png,150,20,40,40,1;2,6,0.1,0.2\n"}
    kind, faces = read(write(tmp_path, files))
    assert (kind, labels(faces), set(faces.splits)) == ("affectnet", {"Images/12/a": "angry"}, {"train"})
    assert faces.images.min() == 255
    assert faces.boxes.tolist() == [[150, 20, 40, 40, 0]]


# ---- CK+, KDEF, ExpW


def test_ckplus_of_its_authors_takes_the_last_frames_of_labeled_sequences(tmp_path):
    files = {
        f"cohn-kanade-images/S0{s}/001/S0{s}_001_{frame:08d}.png": picture(s * 10 + frame, (64, 49))
        for s in (10, 11)
        for frame in range(1, 6)
    }
    files["Emotion/S010/001/S010_001_00000005_emotion.txt"] = b"   2.0000000e+00\n"
    kind, faces = read(write(tmp_path, files))
    assert kind == "ckplus"
    assert labels(faces) == {f"S010_001_0000000{frame}": "contempt" for frame in (3, 4, 5)}
    assert any("5 files were left out (without a label of its sequence" in note for note in faces.notes)


def test_kdef_codes_class_and_subject_in_its_names(tmp_path):
    files = {
        f"KDEF/{who}/{who}{code}S.JPG": picture(i, (56, 76), "JPEG")
        for who in ("AF01", "BM02")
        for i, code in enumerate(("AF", "AN", "NE"))
    }
    kind, faces = read(write(tmp_path, files))
    assert (kind, set(faces.subjects)) == ("kdef", {"F01", "M02"})
    assert [labels(faces)[name] for name in ("AF01AFS", "AF01ANS", "BM02NES")] == ["fear", "angry", "neutral"]


def test_expw_cuts_each_face_of_its_list_out_of_the_photograph(tmp_path):
    photo = np.zeros((100, 200), np.uint8)
    photo[10:50, 20:60], photo[10:50, 120:160] = 90, 200
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "PNG")
    listed = b"a.png 0 10 20 60 50 9.5 3\na.png 1 10 120 160 50 8.5 0\nb.png 0 1 1 9 9 8.5 0\n"
    kind, faces = read(write(tmp_path, {"origin/a.png": buffer.getvalue(), "label.lst": listed}))
    assert (kind, labels(faces)) == ("expw", {"a_0": "happy", "a_1": "angry"})
    assert faces.images.reshape(2, -1).mean(1).tolist() == [90, 200]
    assert any("on the list, and not there" in note and "b.png" in note for note in faces.notes)


# ---- tables of paths


@pytest.mark.parametrize("inside", [True, False], ids=["a folder with the table", "the table alone"])
def test_a_table_of_paths_and_labels_labels_the_images_beside_it(tmp_path, inside):
    files = {f"images/{i}.png": picture(i) for i in range(4)}
    files["labels.csv"] = b"image;emotion;split;subject\n0.png;Happiness;train;A\n1.png;sad;val;B\n9.png;sad;test;B\n"
    files["labels.csv"] = files["labels.csv"].replace(b"\n0", b"\nimages/0").replace(b"\n1", b"\nimages\\1")
    kind, faces = read(write(tmp_path, files) if inside else write(tmp_path, files) / "labels.csv")
    assert (kind, labels(faces)) == ("table", {"images/0": "happy", "images/1": "sad"})
    assert (faces.splits.tolist(), faces.subjects.tolist()) == (["train", "validation"], ["A", "B"])
    assert any("in the table, and not there" in note and "9.png" in note for note in faces.notes)


def test_a_parquet_holds_the_images_and_names_the_labels(tmp_path):
    images = [{"bytes": picture(i), "path": f"{i}.png"} for i in range(3)]
    table = pa.table({"image": images, "label": [0, 1, 1]})
    features = {"info": {"features": {"label": {"names": ["engaged", "bored"]}}}}
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(features)}), tmp_path / "train.parquet")
    kind, faces = read(tmp_path / "train.parquet")
    assert (kind, faces.classes) == ("table", ("bored", "engaged"))
    assert (list(labels(faces).values()), set(faces.splits)) == (["engaged", "bored", "bored"], {"train"})


def test_a_table_whose_paths_climb_out_of_its_folder_reads_nothing_there(tmp_path):
    write(
        tmp_path,
        {"secret.png": picture(1), "set/a.png": picture(2), "set/t.csv": b"path,label\n../secret.png,sad\na.png,sad\n"},
    )
    _, faces = read(tmp_path / "set" / "t.csv")
    assert labels(faces) == {"a": "sad"}


# ---- classes of one's own, and what is not understood


def test_folders_of_words_are_classes_of_ones_own(tmp_path):
    files = {f"train/{name}/{i}.png": picture(i) for name in ("engaged", "bored", "drowsy") for i in range(2)}
    _, faces = read(write(tmp_path, files))
    assert faces.classes == ("bored", "drowsy", "engaged")
    assert any("each folder is a class of its own" in note for note in faces.notes)


def test_numbers_of_no_known_set_are_named_with_the_datasets_that_they_fit(tmp_path):
    files = {f"{part}/{code}/{i}.png": picture(i) for part in ("train", "test") for code in range(7) for i in range(2)}
    with pytest.raises(DataError) as error:
        read(write(tmp_path, files))
    assert "0 (4 images), 1 (4 images)" in str(error.value)
    assert "--classes fer2013 means 0=angry" in str(error.value)
    _, faces = read(tmp_path, classes=parse_classes("affectnet"))
    assert labels(faces)["train/1/0"] == "happy"


@pytest.mark.parametrize("form", ["text", "lines", "csv", "json"])
def test_a_mapping_of_classes_can_be_given_in_a_text_or_a_file(tmp_path, form):
    files = {"1/a.png": picture(1), "2/b.png": picture(2), "3/c.png": picture(3), "sad/d.png": picture(4)}
    write(tmp_path / "set", files)
    pairs = {"1": "Bored", "2": "anger", "3": ""}
    texts = {
        "text": "1=Bored,2=anger,3=",
        "lines": "1=Bored\n2=anger\n3=\n",
        "csv": "1;Bored\n2;anger\n3;\n",
        "json": json.dumps(pairs),
    }
    given = texts[form]
    if form != "text":
        (tmp_path / "mapping").write_text(given)
        given = str(tmp_path / "mapping")
    _, faces = read(tmp_path / "set", classes=parse_classes(given))
    assert labels(faces) == {"1/a": "Bored", "2/b": "angry", "sad/d": "sad"}
    assert any("3 (1 image)" in note for note in faces.notes)


@pytest.mark.parametrize("given", ["1", "nowhere.txt", "1=<b>", "1=" + 61 * "x"])
def test_a_mapping_that_is_none_is_refused(given):
    with pytest.raises(DataError):
        parse_classes(given)


def test_a_second_copy_of_a_set_inside_it_does_not_double_it(tmp_path):
    files = {
        f"images/{part}/{name}/{i}.png": picture(hash((part, name, i)) % 999)
        for part in ("train", "test")
        for name in ("happy", "sad")
        for i in range(2)
    }
    nested = {f"images/{path}": content for path, content in files.items()}
    _, faces = read(write(tmp_path, files | nested))
    assert len(faces) == 8
    assert any("8 files were left out (a second copy of the same file" in note for note in faces.notes)


def test_files_that_are_no_images_are_counted_and_two_suffixes_are_two_images(tmp_path):
    files = {"happy/1.png": picture(1), "happy/1.jpg": picture(2, kind="JPEG"), "sad/1.png": picture(3)}
    _, faces = read(write(tmp_path, files | {"sad/movie.mp4": b"x", "README.md": b"y", "sad/list.txt": b"z"}))
    assert sorted(faces.names) == ["happy/1.jpg", "happy/1.png", "sad/1"]
    assert any(note.startswith("2 files were left out (not an image or a table): README.md") for note in faces.notes)


def test_the_documentation_lists_every_kind_of_dataset():
    text = (Path(__file__).parents[4] / "docs" / "datasets.md").read_text(encoding="utf-8")
    assert [kind for kind in readers.READERS if f"`{kind}` |" not in text] == []


# ---- photographs


def test_the_largest_face_of_a_photograph_is_cropped_and_its_box_kept(tmp_path):
    def find_face(image: Image.Image) -> readers.FoundFace | None:
        assert image.mode == "RGB"
        if image.width == 300:
            return None
        return readers.FoundFace(image.crop((10, 20, 110, 120)), (10, 20, 100, 100, 5), 2)

    files = {"happy/a.png": picture(1, (200, 150)), "happy/b.png": picture(2, (300, 200)), "sad/c.png": picture(3)}
    _, faces = read(write(tmp_path, files), find_face=find_face)
    assert faces.boxes.tolist() == [[10, 20, 100, 100, 5], [0] * 5, [0] * 5]
    assert faces.images.shape == (3, 96, 96)
    note = "Faces were detected in 1 of 2 photographs. 1 had several faces: the largest was taken."
    assert faces.notes[-1] == f"{note} 1 had none: the square in the middle was taken."
    faces.save(tmp_path / "set.npz")
    assert np.array_equal(FaceSet.load(tmp_path / "set.npz").subset(np.array([0])).boxes, faces.boxes[:1])
    assert read(tmp_path)[1].boxes is None, "it can be told not to look"
