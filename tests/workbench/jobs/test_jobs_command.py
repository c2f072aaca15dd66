"""`ferscope jobs`, as a person types it."""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import replace

import pytest
from helpers import histories
from helpers.running_jobs import begun, ended

from models import create_model
from models.checkpoints import Card, list_checkpoints, read_card, save_checkpoint
from workbench.jobs import store
from workbench.jobs.__main__ import main

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def test_the_command_shows_and_does_what_the_page_does(acting, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)

    def said(*words: str) -> str:
        main([*words])
        return capsys.readouterr().out

    assert "no jobs" in said("list")
    job = begun(acting(overrides={"width": 4}).id)
    histories.put(job.folder, 1, train_loss=[0.7])
    assert re.search(rf"{job.id} +running +1/26 +works on", said("list"))
    assert "stopping" in said("stop", job.id)
    ended(job.id)
    shown = said("show", job.id)
    assert "cancelled" in shown
    assert "0.7" in shown
    assert "running" in said("resume", job.id)
    main(["stop", job.id])
    ended(job.id)
    model = create_model("vanilla_cnn", num_classes=2, width=4)
    facts = ("vanilla_cnn", ("a", "b"), 48, 0.5, 0.2, "quick", "official", "", 0, 1, 1, "cpu", "32-true", 1.0, 1)
    save_checkpoint(job.folder, model, Card(*facts, overrides={"width": 4}))
    capsys.readouterr()
    assert said("promote", job.id) == f"Copied to the checkpoint {list_checkpoints()[0]}.\n"
    said("export", job.id, "--out", "mine.zip")
    assert "card.json" in zipfile.ZipFile("mine.zip").namelist()
    assert "from another FERScope" in said("import", "mine.zip")
    assert "Removed" in said("rm", job.id)
    assert len(store.jobs()) == 1


def test_a_marked_job_is_promoted_and_imported_with_its_mark(acting, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    job = ended(acting("ends well", overrides={"width": 4}).id)
    card = Card("vanilla_cnn", ("a", "b"), 48, 0.5, 0.2, "quick", "official", "", 0, 1, 1, "cpu", "32-true", 1.0, 1)
    card = replace(card, overrides={"width": 4}, seen={"PrivateTest": 7})
    save_checkpoint(job.folder, create_model("vanilla_cnn", num_classes=2, width=4), card)
    for words in (["promote", job.id], ["export", job.id, "--out", "marked.zip"], ["import", "marked.zip"]):
        main(words)
    told = "Not a test result: weights that these come from have seen 7 images of PrivateTest."
    assert capsys.readouterr().out.count(told) == 2
    assert read_card(list_checkpoints()[0]).seen == {"PrivateTest": 7}


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["stop", "../../etc"], "There is no job"),
        (["rm", "20250101-000000-resnet18-0000"], "There is no job"),
        (["import", "nowhere.zip"], "nowhere.zip does not exist"),
    ],
)
def test_what_is_not_there_is_one_sentence(place, words, answer):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert answer in end.value.code


def test_an_earlier_zip_is_not_overwritten(acting, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.zip").write_bytes(b"earlier")
    with pytest.raises(SystemExit) as end:
        main(["export", acting().id, "--out", "mine.zip"])
    assert "give another name" in end.value.code
    assert (tmp_path / "mine.zip").read_bytes() == b"earlier"
