"""What becomes of a checkpoint: promoted, exported, taken in; and what is refused at the border."""

from __future__ import annotations

import errno
import io
import json
import shutil
import struct
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from helpers import histories

from models import create_model, load_checkpoint
from models.cards import Ancestor
from models.checkpoints import Card, list_checkpoints, read_card, read_predictions, save_checkpoint
from models.datasets.splits import split
from models.datasets.synthetic.sets import drawn_set
from models.files import DiskFullError
from models.training.config import TrainConfig
from workbench.jobs import import_checks, limits, runner, store, transfer
from workbench.jobs.store import Job, JobError

CLASSES = ("angry", "happy", "sad")
CARD = {
    **{"network": "vanilla_cnn", "overrides": {"width": 4}, "classes": CLASSES, "input_size": 48, "mean": 0.5},
    **{"std": 0.2, "recipe": "quick", "split": "official", "data": "0a1b", "seed": 0, "epochs": 3, "best_epoch": 2},
    **{"device": "cpu, threads: 1", "precision": "32-true", "wall_seconds": 9.0, "parameters": 100},
    "ancestors": (Ancestor("start", ("start",), "vanilla_cnn", "official", "0a1b", 0, "quick"),),
}


START = {
    **{"name": "start", "roles": ["start"], "network": "vanilla_cnn", "split": "official", "data": "0a1b", "seed": 0},
    **{"recipe": "quick", "ancestors": []},
}


def nested(depth: int) -> list:
    """A chain of so many starts, as JSON has it."""
    found: list = []
    for _ in range(depth):
        found = [START | {"ancestors": found}]
    return found


@pytest.fixture
def job(place, tmp_path) -> Job:
    """One that is done, with everything that a training run and an evaluation leave."""
    id_ = store.new_id("vanilla_cnn")
    job = Job(id_, place / id_, "mine", "done", "vanilla_cnn", 3, time.time())
    config = TrainConfig(
        **{"model": "vanilla_cnn", "overrides": {"width": 4}, "data": tmp_path / "faces.npz"},
        **{"out": job.folder, "start_from": tmp_path / "start"},
    )
    with store.locked():
        store.create(job, config)
    torch.manual_seed(0)
    save_checkpoint(job.folder, create_model("vanilla_cnn", num_classes=3, width=4), Card(**CARD))
    histories.put(job.folder, 3)
    (job.folder / "log.txt").write_text("secret path")
    np.savez(
        job.folder / "predictions.npz",
        logits=np.zeros((4, 3), np.float32),
        labels=np.array([0, 1, 2, 0]),
        names=np.array(["a", "b", "c", "d"]),
        ids=np.array(["a-1", "b-1", "c-1", "d-1"]),
        splits=np.array(["PublicTest"] * 2 + ["PrivateTest"] * 2),
    )
    return job


def files_of(exported: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(exported)) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(files: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return buffer.getvalue()


def npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def changed(exported: bytes, name: str, **values) -> bytes:
    """The exported zip with other values in one of its JSON files."""
    files = files_of(exported)
    return zipped(files | {name: json.dumps(json.loads(files[name]) | values).encode()})


def left(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()}


# ---- promoted


def test_a_promoted_checkpoint_is_found_by_name_and_overwrites_none(job, tmp_path):
    name = transfer.promote(job.id)
    assert list_checkpoints() == [name]
    assert name == f"vanilla_cnn-{job.id[:8]}-{job.id[-4:]}"
    assert left(tmp_path / name) == set(transfer.FILES)
    assert json.loads((tmp_path / name / "config.json").read_text())["epochs"] == 26, "how it was trained goes along"
    assert str(tmp_path) not in (tmp_path / name / "config.json").read_text()
    assert load_checkpoint(name)[1].classes == CLASSES
    assert transfer.promote(job.id) == name
    first = (tmp_path / name / "model.safetensors").read_bytes()
    save_checkpoint(job.folder, create_model("vanilla_cnn", num_classes=3, width=4), Card(**CARD))
    assert transfer.promote(job.id) == f"{name}-2"
    assert (tmp_path / name / "model.safetensors").read_bytes() == first
    assert left(tmp_path / "runs") == {"jobs"}


@pytest.mark.parametrize("share", [transfer.promote, transfer.export])
def test_what_learned_from_own_images_or_has_not_ended_goes_nowhere(job, share, tmp_path):
    for values, message in (
        ({"belongs_to": "class5b"}, "a visitor's own images"),
        ({"state": "running"}, "still running or queued"),
    ):
        store.write(replace(job, **values))
        with pytest.raises(JobError, match=message):
            share(job.id)
    store.write(job)
    (job.folder / "card.json").unlink()
    with pytest.raises(JobError, match="no checkpoint"):
        share(job.id)
    with pytest.raises(JobError, match="There is no job"):
        share("../start")
    assert list_checkpoints() == []


def test_a_full_disk_leaves_nothing_of_a_promoted_checkpoint(job, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(DiskFullError, match="free some space"):
        transfer.promote(job.id)
    assert list_checkpoints() == []
    assert left(tmp_path / "runs") == {"jobs"}


# ---- there and back


def test_an_exported_job_comes_in_elsewhere_as_it_was_without_paths(job, tmp_path, monkeypatch):
    exported = transfer.export(job.id)
    files = files_of(exported)
    assert tuple(files) == transfer.FILES
    assert str(tmp_path).encode() not in b"".join(files.values())
    assert transfer.export_name(job) == f"ferscope-vanilla_cnn-{job.id[-4:]}.zip"
    monkeypatch.setattr(store, "ROOT", tmp_path / "elsewhere")
    new = transfer.import_zip(exported)
    assert store.jobs() == [new]
    assert (new.state, new.imported, new.resumable, new.epochs) == ("done", True, False, 26)
    assert new.config.folder == new.folder
    for name in ("model.safetensors", "history.csv", "predictions.npz"):
        assert (new.folder / name).read_bytes() == (job.folder / name).read_bytes()
    assert read_card(new.folder) == read_card(job.folder)
    assert load_checkpoint(new.folder)[1].best_epoch == 2
    assert len(read_predictions(new.folder, "PublicTest").labels) == 2
    assert len(store.history(new)) == 3
    assert transfer.promote(new.id) in list_checkpoints()
    with pytest.raises(JobError, match="no epochs left"):
        runner.resume(new.id)


def test_card_and_config_name_no_place_of_this_computer(job):
    card = read_card(job.folder)
    save_checkpoint(job.folder, load_checkpoint(job.folder)[0], replace(card, split="/home/ann/lists/half.csv"))
    files = files_of(transfer.export(job.id))
    assert json.loads(files["card.json"])["split"] == "half"
    assert json.loads(files["config.json"])["start_from"] == "start"


def test_an_imported_card_with_another_split_in_its_chain_is_marked_when_promoted(job, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "FER2013", tmp_path / "data" / "fer2013.npz")
    before = START | {"split": "random-80-20", "data": "ffff", "name": "earlier"}
    exported = changed(transfer.export(job.id), "card.json", ancestors=[START | {"ancestors": [before]}])
    unknown = transfer.import_zip(exported)
    assert read_card(unknown.folder).seen == {"PublicTest": None, "PrivateTest": None}
    assert read_card(transfer.promote(unknown.id)).seen == {"PublicTest": None, "PrivateTest": None}

    faces = drawn_set(2).faces
    faces.save(tmp_path / "data" / "fer2013.npz")
    own, other = split(faces, "official"), split(faces, "random-80-20")
    chained = [START | {"data": own.fingerprint, "ancestors": [before | {"data": other.fingerprint}]}]
    known = changed(exported, "card.json", data=own.fingerprint, ancestors=chained)
    card = read_card(transfer.import_zip(known).folder)
    used = [*other.training.pixel_hashes, *other.validation.pixel_hashes]
    fresh = ~np.isin(own.test.pixel_hashes, own.training.pixel_hashes)
    assert card.seen["PrivateTest"] == (fresh & np.isin(own.test.pixel_hashes, used)).sum() > 0
    admitted = transfer.import_zip(changed(transfer.export(job.id), "card.json", seen={"PrivateTest": 5}))
    assert read_card(admitted.folder).seen == {"PrivateTest": 5}


def test_a_chain_that_is_exported_names_no_place_of_this_computer(job):
    card = read_card(job.folder)
    before = replace(card.start, split="/home/ann/half.json", ancestors=card.ancestors)
    save_checkpoint(job.folder, load_checkpoint(job.folder)[0], replace(card, ancestors=(before,)))
    told = json.loads(files_of(transfer.export(job.id))["card.json"])["ancestors"]
    assert (told[0]["split"], told[0]["ancestors"][0]["split"]) == ("half", "official")


def test_an_import_counts_as_a_job(job, monkeypatch):
    exported = transfer.export(job.id)
    monkeypatch.setattr(limits, "LIMITS", limits.Limits(jobs=1))
    with pytest.raises(JobError, match="There are 1 jobs"):
        transfer.import_zip(exported)


# ---- refused at the border


@pytest.mark.parametrize(
    "name", ["../card.json", "/etc/passwd", "..\\card.json", "x/card.json", "model.pt", "setup.py", ".hidden", "a" * 99]
)
def test_a_file_that_does_not_belong_there_turns_the_whole_zip_away(job, name):
    exported = zipped(files_of(transfer.export(job.id)) | {name: b"x"})
    with pytest.raises(JobError, match="FERScope does not"):
        transfer.import_zip(exported)
    assert left(store.ROOT) == {job.id, ".lock"}


def test_ten_thousand_entries_are_not_even_read(job, monkeypatch):
    exported = zipped({f"{i}.json": b"" for i in range(10_000)})
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(JobError, match="10000 files"):
        transfer.import_zip(exported)


def test_a_bomb_is_refused_by_what_it_declares_and_by_what_it_holds(job, monkeypatch):
    monkeypatch.setattr(import_checks, "LIMITS", limits.Limits(zip_unpacked=2**20))
    files = files_of(transfer.export(job.id))
    bomb = zipped(files | {"history.csv": bytes(2**21)})
    assert len(bomb) < 2**19
    with pytest.raises(JobError, match="larger than the limit of 1 MB"):
        transfer.import_zip(bomb)
    lie = bytearray(bomb)  # both headers say that it is small
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = bomb.rindex(b"history.csv", 0, bomb.rindex(b"PK\x05\x06")) if mark == b"PK\x01\x02" else None
        at = bomb.rindex(mark, 0, at) if at else bomb.rindex(mark, 0, bomb.index(b"history.csv"))
        lie[at + offset : at + offset + 4] = struct.pack("<I", 100)
    with pytest.raises(JobError, match="damaged"):
        transfer.import_zip(bytes(lie))
    assert left(store.ROOT) == {job.id, ".lock"}


def test_a_bomb_inside_the_predictions_is_found_too(job, monkeypatch):
    files = files_of(transfer.export(job.id))
    known = dict(np.load(io.BytesIO(files["predictions.npz"])))
    monkeypatch.setattr(import_checks, "LIMITS", limits.Limits(zip_unpacked=2**20))
    large = npz(**known | {"logits": np.zeros((10**6, 3), np.float32)})
    with pytest.raises(JobError, match="larger than the limit of 1 MB"):
        transfer.import_zip(zipped(files | {"predictions.npz": large}))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 3)})
    inner = files_of(npz(**known))
    with pytest.raises(JobError, match=r"predictions\.npz is damaged"):
        transfer.import_zip(zipped(files | {"predictions.npz": zipped(inner | {"logits.npy": header.getvalue()})}))


@pytest.mark.parametrize(
    "arrays",
    [
        {"logits": np.zeros((4, 2), np.float32)},
        {"labels": np.array([0, 1, 2, 3])},
        {"names": np.array(["a", None, "c", "d"], object)},
        {"names": np.array(["a", "![](http://x.y/z)", "c", "d"])},
        {"logits": np.full((4, 3), np.nan, np.float32)},
        {"more": np.zeros(4)},
    ],
)
def test_predictions_that_do_not_fit_are_refused(job, arrays):
    files = files_of(transfer.export(job.id))
    known = dict(np.load(io.BytesIO(files["predictions.npz"])))
    with pytest.raises(JobError, match="FERScope does not"):
        transfer.import_zip(zipped(files | {"predictions.npz": npz(**known | arrays)}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"network": "resnet19"}, "not the card of a checkpoint .*resnet19"),
        ({"network": "residual_cnn"}, "its card.json of residual_cnn"),
        ({"network": ["vanilla_cnn"]}, "not the card"),
        ({"overrides": {"width": 5}}, "Its config.json is of vanilla_cnn {'width': 4}, its card.json of"),
        ({"overrides": {"width": 10**9}}, "not the card of a checkpoint .*from 1 to 512"),
        ({"overrides": {"pretrained": True}}, "not the card"),
        ({"overrides": {"nonsense": 1}}, "not the card of a checkpoint .*no option"),
        ({"classes": ["angry", "happy"]}, "do not fit"),
        ({"classes": ["angry", "happy", "happy"]}, "two classes have the same name"),
        ({"classes": ["angry", "happy", "![x](http://x.y/z)"]}, "FERScope does not"),
        ({"classes": ["angry", "happy", "<b>"]}, "FERScope does not"),
        ({"recipe": "q" * 300}, "FERScope does not"),
        ({"std": 0}, "std"),
        ({"mean": "0.5x"}, "not the card"),
        ({"input_size": 100_000}, "input_size"),
        ({"input_size": "48"}, "input_size"),
        ({"parameters": "7"}, "parameters"),
        ({"metrics": {"PrivateTest": 5}}, "metrics"),
        ({"metrics": [1]}, "metrics"),
        ({"temperature": "x"}, "temperature"),
        ({"classes": ["angry", "happy", "http://x.y"]}, "FERScope does not"),
        ({"classes": ["angry", "happy", "=1+1"]}, "classes"),
        ({"best_epoch": 9}, "the best epoch is 9 of 3"),
        ({"unknown": 1}, "not the card"),
        ({"seed": "0"}, "not the card"),
        ({"seen": {"PrivateTest": "many"}}, "not the card"),
        ({"seen": {"PrivateTest": -1}}, "seen.PrivateTest"),
        ({"split": "../lists"}, "ancestors that FERScope does not write"),
        ({"split": "lists.json"}, "ancestors that FERScope does not write"),
        ({"ancestors": [START | {"name": "../../home"}]}, "ancestors that FERScope does not write"),
        (
            {"ancestors": [START | {"split": "/etc/lists.json"}]},
            "ancestors that FERScope does not write",
        ),
        ({"ancestors": [START | {"split": ""}]}, "ancestors that FERScope does not write"),
        ({"ancestors": [START | {"roles": ["owner"]}]}, "not the card"),
        ({"ancestors": [START | {"seed": "0"}]}, "not the card"),
        ({"ancestors": [START | {"more": 1}]}, "not the card"),
        ({"ancestors": [START] * 201}, "more than 200 ancestors"),
        ({"ancestors": nested(40)}, "FERScope does not"),
        ({"ancestors": []}, "does not list the start of its config"),
        ({"ancestors": [START | {"name": "another"}]}, "does not list the start of its config"),
        ({"ancestors": [START | {"roles": ["start", "teacher"]}]}, "does not list the teacher of its config"),
        ({"metrics": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}}, "FERScope does not"),
    ],
)
def test_a_card_that_cannot_be_true_is_refused(job, values, message):
    exported = changed(transfer.export(job.id), "card.json", **values)
    with pytest.raises(JobError, match=message):
        transfer.import_zip(exported)
    assert left(store.ROOT) == {job.id, ".lock"}


def test_other_damage_is_one_sentence(job):
    good = files_of(transfer.export(job.id))
    weights = safetensors.torch.load(good["model.safetensors"])
    nan = safetensors.torch.save({k: v * torch.nan if v.is_floating_point() else v for k, v in weights.items()})
    whole = transfer.export(job.id)
    for exported, message in (
        (b"", "not a zip"),
        (b"PK\x03\x04" + bytes(100), "not a zip"),
        (whole[: len(whole) // 2], "not a zip"),
        (whole[:200] + bytes(100) + whole[300:], "damaged"),
        (zipped(good, zipfile.ZIP_LZMA), "unsupported method"),
        (zipped({k: v for k, v in good.items() if k != "card.json"}), r"lacks card\.json"),
        (zipped(good | {"card.json": b"{"}), r"card\.json is damaged"),
        (zipped(good | {"card.json": b"[]"}), "not the card"),
        (zipped(good | {"card.json": b"[" * 100_000}), r"card\.json is damaged"),
        (zipped(good | {"config.json": b'{"model": "vanilla_cnn", "newer": 1}'}), "another version"),
        (zipped(good | {"model.safetensors": b"\x80\x04pickle"}), "not in the safetensors format"),
        (zipped(good | {"model.safetensors": nan}), "NaN or infinite"),
        (zipped(good | {"history.csv": b"epoch,<script>\n1,2\n"}), "not a table of epochs"),
        (zipped(good | {"history.csv": good["history.csv"].replace(b"0.1", b"=cmd()", 1)}), "not a table of epochs"),
        (zipped(good | {"history.csv": good["history.csv"].replace(b"\n2,", b"\nnan,")}), "not a table of epochs"),
        (zipped(good | {"predictions.npz": b"x"}), "not a zip"),
    ):
        with pytest.raises(JobError, match=message):
            transfer.import_zip(exported)
    assert left(store.ROOT) == {job.id, ".lock"}


def test_a_zip_that_is_too_large_is_not_opened(monkeypatch):
    monkeypatch.setattr(import_checks, "LIMITS", limits.Limits(zip_bytes=10))
    with pytest.raises(JobError, match="larger than"):
        transfer.import_zip(b"x" * 11)


def test_a_full_disk_leaves_nothing_of_an_import(job, monkeypatch):
    exported = transfer.export(job.id)
    write = transfer.write_bytes

    def full(path, data):
        if path.name == "model.safetensors":
            raise DiskFullError("No room left")
        write(path, data)

    monkeypatch.setattr(transfer, "write_bytes", full)
    with pytest.raises(DiskFullError):
        transfer.import_zip(exported)
    assert left(store.ROOT) == {job.id, ".lock"}
