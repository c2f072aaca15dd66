"""A small network trained for a second: what is written, what is chosen, and what happens when something goes wrong."""

from __future__ import annotations

import csv
import dataclasses
import errno
import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from lightning.fabric import Fabric
from torch import nn

from models import create_model, load_checkpoint
from models.checkpoints import half_precision, read_card
from models.datasets import FaceSet
from models.datasets.exclusion import exclusion_list, write_exclusion_list
from models.datasets.sampling import class_weights
from models.datasets.splits import split
from models.files import DiskFullError
from models.train import main
from models.training import data, setup
from models.training import resume as state
from models.training.config import TrainConfig
from models.training.engine import train
from models.training.errors import Interrupted, TrainingError
from models.training.events import EventLog, read_events
from models.training.interrupt import stop_on_signals
from models.training.setup import make_fabric, quickest_precision
from models.training.trainer import Trainer


def history(folder: Path, *leave_out: str) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in leave_out} for row in csv.DictReader(file)]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def everything(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def same_state(one: Path, other: Path) -> bool:
    """Network and optimizer, in full precision."""
    a, b = (safetensors.torch.load_file(folder / state.FILE) for folder in (one, other))
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def stop_in_epoch(monkeypatch, number: int, error: BaseException) -> None:
    """Let a run break in the middle: after the steps of an epoch, before it is measured and written."""
    steps = Trainer.train_epoch

    def broken(self, epoch, on_step):
        result = steps(self, epoch, on_step)
        if epoch == number:
            raise error
        return result

    monkeypatch.setattr(Trainer, "train_epoch", broken)


# ---- a run that nothing disturbs


def test_a_run_leaves_history_events_card_and_weights(finished_run, make_config, faces):
    rows = history(finished_run)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert set(rows[0]) == {
        *("epoch", "learning_rate", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"),
        *("test_accuracy", "seconds"),
    }
    told = read_events(finished_run / "events.jsonl")
    kinds = [e["event"] for e in told if e["event"] != "progress"]
    assert kinds == ["started", "epoch", "epoch", "epoch", "epoch", "finished"]
    times = [e["time"] for e in told]
    assert times == sorted(times)
    assert abs(times[-1] - time.time()) < 7200

    model, card = load_checkpoint(finished_run)
    assert (card.network, card.overrides, card.input_size) == ("vanilla_cnn", {"width": 4}, 16)
    assert (card.split, card.recipe, card.seed) == ("official", "quick", 0)
    assert card.classes == faces.classes
    assert (card.mean, card.std) == pytest.approx(faces.part("Training").pixel_statistics())
    assert card.parameters == sum(p.numel() for p in model.parameters())
    saved = json.loads((finished_run / "config.json").read_text())
    assert saved == make_config(finished_run).model_dump(mode="json")
    assert not [p.name for p in finished_run.iterdir() if p.name.startswith(".")]


def test_a_network_learns_the_patterns(make_config, tmp_path):
    config = make_config(tmp_path / "run", epochs=12, growing_sizes=(), augmentation="none", overrides={"width": 8})
    rows = history(train(config))
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"]) - 0.3
    assert max(float(row["validation_accuracy"]) for row in rows) > 0.8


def test_the_saved_weights_are_those_of_the_epoch_with_best_validation_accuracy(finished_run):
    accuracies = [float(row["validation_accuracy"]) for row in history(finished_run)]
    card = read_card(finished_run)
    assert card.best_epoch == 1 + accuracies.index(max(accuracies))
    finished = read_events(finished_run / "events.jsonl")[-1]
    assert (finished["event"], finished["epoch"]) == ("finished", card.best_epoch)


def test_the_best_epoch_follows_the_validation_part_and_never_the_test_part(make_config, tmp_path, monkeypatch):
    measured = {"validation": [0.3, 0.6, 0.5, 0.6], "test": [0.1, 0.2, 0.3, 0.9]}
    after_each = []

    def measure(self, part):
        if part == "validation":
            after_each.append({k: v.clone() for k, v in half_precision(self.network).items()})
        return 1.0, measured[part][len(after_each) - 1]

    monkeypatch.setattr(Trainer, "validate", measure)
    folder = train(make_config(tmp_path / "run"))
    assert read_card(folder).best_epoch == 2  # the first of the two best
    kept = safetensors.torch.load_file(folder / "model.safetensors")
    assert all(torch.equal(kept[key], value) for key, value in after_each[1].items())
    assert any(not torch.equal(kept[key], value) for key, value in after_each[3].items())


def test_other_test_labels_change_neither_the_best_epoch_nor_the_weights(finished_run, make_config, faces, tmp_path):
    labels = faces.labels.copy()
    labels[faces.splits == "PrivateTest"] = np.random.default_rng(0).integers(0, 7, 35)
    dataclasses.replace(faces, labels=labels).save(tmp_path / "other.npz")
    folder = train(make_config(tmp_path / "run", data=tmp_path / "other.npz"))
    assert read_card(folder).best_epoch == read_card(finished_run).best_epoch
    assert weights(folder) == weights(finished_run)
    assert history(folder, "test_accuracy", "seconds") == history(finished_run, "test_accuracy", "seconds")
    assert [r["test_accuracy"] for r in history(folder)] != [r["test_accuracy"] for r in history(finished_run)]


def test_the_same_seed_gives_the_same_curve_and_another_seed_another(finished_run, make_config, tmp_path):
    again = train(make_config(tmp_path / "again"))
    assert history(again, "seconds") == history(finished_run, "seconds")
    assert same_state(again, finished_run)
    other = train(make_config(tmp_path / "other", seed=1, epochs=1, growing_sizes=()))
    assert history(other)[0]["train_loss"] != history(finished_run)[0]["train_loss"]


def test_what_is_measured_is_the_log_loss_and_the_accuracy_of_the_weights(make_config, tmp_path, faces):
    folder = train(make_config(tmp_path / "run", epochs=1, growing_sizes=()))
    model, card = load_checkpoint(folder)
    part = faces.part("PublicTest")
    with torch.no_grad():
        logits = model(card.prepare(part.images))
    labels = torch.from_numpy(part.labels)
    (row,) = history(folder)
    assert float(row["validation_loss"]) == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), abs=5e-3)
    assert float(row["validation_accuracy"]) == pytest.approx(
        (logits.argmax(1) == labels).float().mean().item(), abs=0.06
    )


def test_images_grow_over_the_epochs_and_are_measured_at_full_size(make_config, tmp_path, monkeypatch):
    sizes = []
    real = data.to_unit

    def recording(images, size):
        sizes.append((len(images), size))
        return real(images, size)

    monkeypatch.setattr(data, "to_unit", recording)
    train(make_config(tmp_path / "run", epochs=6, growing_sizes=(16, 20), input_size=24))
    trained = [size for n, size in sizes if n == 32]  # three steps an epoch
    assert trained == [16] * 6 + [20] * 6 + [24] * 6
    assert {size for n, size in sizes if n == 35} == {24}


def test_the_rate_rises_and_falls_to_nearly_nothing(finished_run):
    rates = [float(row["learning_rate"]) for row in history(finished_run)]
    assert max(rates) <= 0.05
    assert rates[-1] < 0.001 < rates[0]


def test_a_set_smaller_than_the_batch_is_one_step(make_config, tmp_path):
    folder = train(make_config(tmp_path / "run", epochs=1, batch_size=4096, growing_sizes=()))
    assert len(history(folder)) == 1


def test_training_leaves_the_signals_as_they_were(make_config, tmp_path):
    def mine(number, frame):
        raise AssertionError

    before = signal.signal(signal.SIGINT, mine)
    try:
        train(make_config(tmp_path / "run", epochs=1))
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


# ---- interrupted and continued


@pytest.mark.parametrize(
    "how",
    [
        {"optimizer": "adamw", "schedule": "cosine", "warmup": 1.0, "learning_rate": 1e-3},
        {"optimizer": "adam", "schedule": "plateau", "learning_rate": 1e-3, "patience": 0},
    ],
    ids=["adamw", "adam"],
)
def test_the_papers_optimizers_resume_to_the_same_curve(make_config, tmp_path, monkeypatch, how):
    whole = train(make_config(tmp_path / "whole", **how))
    config = make_config(tmp_path / "run", **how)
    with monkeypatch.context() as patched:
        stop_in_epoch(patched, 3, Interrupted())
        with pytest.raises(Interrupted):
            train(config)
    train(config.model_copy(update={"resume": True}))
    assert history(config.folder, "seconds") == history(whole, "seconds")
    assert same_state(config.folder, whole)


def test_an_interrupted_run_resumes_to_the_same_curve(finished_run, make_config, tmp_path, monkeypatch):
    config = make_config(tmp_path / "run")
    with monkeypatch.context() as patched:
        stop_in_epoch(patched, 3, Interrupted())
        with pytest.raises(Interrupted):
            train(config)
    assert len(history(config.folder)) == 2
    assert load_checkpoint(config.folder)[1].best_epoch in (1, 2)
    torch.manual_seed(12345)  # what happened meanwhile does not matter
    train(config.model_copy(update={"resume": True}))
    assert history(config.folder, "seconds") == history(finished_run, "seconds")
    assert same_state(config.folder, finished_run)
    assert weights(config.folder) == weights(finished_run)
    kinds = [e["event"] for e in read_events(config.folder / "events.jsonl") if e["event"] != "progress"]
    assert kinds == ["started", "epoch", "epoch", "interrupted", "resumed", "epoch", "epoch", "finished"]


def test_better_weights_remove_the_predictions_of_earlier_ones(make_config, tmp_path, monkeypatch):
    config = make_config(tmp_path / "run")
    monkeypatch.setattr(
        Trainer, "validate", lambda trainer, name: (1.0, 0.1 * len(trainer.history))
    )  # better in each epoch
    with monkeypatch.context() as patched:
        stop_in_epoch(patched, 2, Interrupted())
        with pytest.raises(Interrupted):
            train(config)
    (config.folder / "predictions.npz").write_bytes(b"of the first epoch")
    train(config.model_copy(update={"resume": True}))
    assert load_checkpoint(config.folder)[1].best_epoch > 1
    assert not (config.folder / "predictions.npz").exists()


def test_a_run_that_stops_when_its_minutes_are_over_resumes_to_the_same_curve(
    finished_run, make_config, tmp_path, monkeypatch, capsys
):
    config = make_config(tmp_path / "run", minutes=10)
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_out_of_time", lambda self: len(self.history) == 2)
        train(config)
    assert "after epoch 2; --resume" in capsys.readouterr().out
    assert read_events(config.folder / "events.jsonl")[-1]["event"] == "paused"
    train(config.model_copy(update={"resume": True, "minutes": None}))
    assert history(config.folder, "seconds") == history(finished_run, "seconds")
    assert weights(config.folder) == weights(finished_run)


def test_no_epoch_is_begun_that_would_not_end_in_time(make_config, tmp_path):
    config = make_config(tmp_path / "run", minutes=1)
    trainer = Trainer(config, split(FaceSet.load(config.data), "official"))
    assert not trainer._out_of_time()
    trainer.history = [{"seconds": 50.0}]
    assert not trainer._out_of_time()
    trainer.history = [{"seconds": 50.0}, {"seconds": 70.0}, {"seconds": 50.0}]
    assert trainer._out_of_time()


def test_resuming_a_finished_run_changes_nothing(finished_run, make_config, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    before = everything(tmp_path / "run")
    train(make_config(tmp_path / "run", resume=True))
    after = everything(tmp_path / "run")
    assert {k for k in after if after[k] != before[k]} == {"events.jsonl"}


def test_resume_without_an_earlier_run_begins_one(make_config, tmp_path):
    folder = train(make_config(tmp_path / "run", resume=True, epochs=1, growing_sizes=()))
    assert read_events(folder / "events.jsonl")[0]["event"] == "started"


@pytest.mark.parametrize(
    ("field", "value"), [("learning_rate", 0.04), ("epochs", 5), ("overrides", {"width": 8}), ("augmentation", "none")]
)
def test_a_run_is_not_continued_with_another_configuration(finished_run, make_config, tmp_path, field, value):
    shutil.copytree(finished_run, tmp_path / "run")
    before = everything(tmp_path / "run")
    with pytest.raises(TrainingError, match=f"{field} was .*, is ") as error:
        train(make_config(tmp_path / "run", resume=True, **{field: value}))
    assert str(value) in str(error.value)
    assert everything(tmp_path / "run") == before


YOUNG_FIELDS = {"rare_augmentation": "strong", "sampling": "balanced", "class_weights": "inverse", "nesterov": False}


def make_older(folder: Path) -> None:
    """Take the fields out of a run's state that runs of earlier days did not have."""
    facts = state.load_facts(folder)
    for field in YOUNG_FIELDS:
        del facts["curve"][field]
    tensors = safetensors.torch.load_file(folder / state.FILE)
    (folder / state.FILE).write_bytes(safetensors.torch.save(tensors, metadata={"facts": json.dumps(facts)}))


def test_a_run_from_before_a_field_existed_resumes_to_the_same_curve(finished_run, make_config, tmp_path, monkeypatch):
    config = make_config(tmp_path / "run")
    with monkeypatch.context() as patched:
        stop_in_epoch(patched, 3, Interrupted())
        with pytest.raises(Interrupted):
            train(config)
    make_older(config.folder)
    train(config.model_copy(update={"resume": True}))
    assert history(config.folder, "seconds") == history(finished_run, "seconds")
    assert same_state(config.folder, finished_run)


@pytest.mark.parametrize(("field", "value"), YOUNG_FIELDS.items())
def test_a_run_older_than_a_field_is_not_resumed_with_another_value_of_it(
    finished_run, make_config, tmp_path, field, value
):
    shutil.copytree(finished_run, tmp_path / "run")
    make_older(tmp_path / "run")
    default = TrainConfig.model_fields[field].default
    with pytest.raises(TrainingError, match=f"{field} was {default}, is {value}"):
        train(make_config(tmp_path / "run", resume=True, **{field: value}))


def test_a_run_is_not_continued_with_other_data(finished_run, make_config, tmp_path, faces):
    shutil.copytree(finished_run, tmp_path / "run")
    before = everything(tmp_path / "run")
    labels = faces.labels.copy()
    labels[0] = 3
    dataclasses.replace(faces, labels=labels).save(tmp_path / "other.npz")
    with pytest.raises(TrainingError, match=r"other.npz does not hold the images.* --data \(.*faces.*\.npz\)"):
        train(make_config(tmp_path / "run", resume=True, data=tmp_path / "other.npz"))
    assert everything(tmp_path / "run") == before


def test_a_folder_that_holds_a_run_is_not_overwritten(finished_run, make_config, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    before = everything(tmp_path / "run")
    with pytest.raises(TrainingError, match=r"already holds a run.*--resume"):
        train(make_config(tmp_path / "run"))
    assert everything(tmp_path / "run") == before


@pytest.mark.parametrize("resume", [False, True])
def test_a_checkpoint_that_ships_is_not_overwritten(finished_run, make_config, tmp_path, resume):
    (tmp_path / "shipped").mkdir()
    for name in ("card.json", "model.safetensors", "history.csv"):
        shutil.copy(finished_run / name, tmp_path / "shipped")
    before = everything(tmp_path / "shipped")
    with pytest.raises(TrainingError, match="Choose another --out"):
        train(make_config(tmp_path / "shipped", resume=resume))
    assert everything(tmp_path / "shipped") == before


@pytest.mark.parametrize("keep", [0, 50, 5000])
def test_a_damaged_state_is_refused_and_not_trained_over(finished_run, make_config, tmp_path, keep):
    shutil.copytree(finished_run, tmp_path / "run")
    path = tmp_path / "run" / state.FILE
    path.write_bytes(path.read_bytes()[:keep])
    before = everything(tmp_path / "run")
    with pytest.raises(ValueError, match="is damaged"):
        train(make_config(tmp_path / "run", resume=True))
    assert everything(tmp_path / "run") == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_inside_the_loop_asks_the_run_to_end_and_is_given_back(number):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted), stop_on_signals():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_a_second_signal_does_not_disturb_what_the_first_one_began():
    """The terminal and torchrun both signal after one Ctrl-C."""
    kept = []
    with stop_on_signals():
        try:
            signal.raise_signal(signal.SIGINT)
        except Interrupted:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
            kept.append("what was reached")
    assert kept


def test_an_interruption_in_the_first_epoch_leaves_a_usable_checkpoint(make_config, tmp_path, monkeypatch):
    stop_in_epoch(monkeypatch, 1, Interrupted())
    with pytest.raises(Interrupted):
        train(make_config(tmp_path / "run"))
    _, card = load_checkpoint(tmp_path / "run")
    assert (card.epochs, card.best_epoch) == (0, 0)
    assert read_events(tmp_path / "run" / "events.jsonl")[-1]["event"] == "interrupted"


@pytest.mark.parametrize("file", ["model.safetensors", "card.json", "history.csv", state.FILE])
def test_interruption_while_the_first_epoch_is_written_leaves_a_usable_checkpoint(
    make_config, tmp_path, monkeypatch, file
):
    replace, seen = os.replace, []

    def interrupt_once(source, target):
        if Path(target).name == file and not seen:
            seen.append(file)
            raise Interrupted
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupt_once)
    with pytest.raises(Interrupted):
        train(make_config(tmp_path / "run"))
    assert seen
    assert load_checkpoint(tmp_path / "run")[1].best_epoch == 1
    assert not [p.name for p in (tmp_path / "run").iterdir() if p.name.startswith(".")]


def test_the_card_counts_epochs_after_the_best_one_too(make_config, tmp_path, monkeypatch):
    accuracies = iter([0.2, 0.5, 0.4, 0.3])
    monkeypatch.setattr(
        Trainer, "validate", lambda trainer, name: (1.0, next(accuracies) if name == "validation" else 0.1)
    )
    train(make_config(tmp_path / "run"))
    card = read_card(tmp_path / "run")
    assert (card.best_epoch, card.epochs) == (2, 4)


def test_the_command_ends_with_the_best_epoch_and_what_measures_it(finished_run, tmp_path, capsys, faces_npz):
    shutil.copytree(finished_run, tmp_path / "run")
    main(["--out", str(tmp_path / "run"), "--resume"])
    said = capsys.readouterr().out
    card = read_card(tmp_path / "run")
    assert "All 4 epochs are done." in said
    best = max(float(row["validation_accuracy"]) for row in history(finished_run))
    assert f"The best epoch is {card.best_epoch}, {best:.1%} of" in said
    assert f"Measure it: ferscope evaluate {(tmp_path / 'run').resolve()} --data {faces_npz}" in said
    main(["--out", str(tmp_path / "run"), "--resume", "--evaluate"])
    card, said = read_card(tmp_path / "run"), capsys.readouterr().out
    assert f"PrivateTest, single view: {100 * card.metrics['PrivateTest']['plain']['accuracy']:.1f} % (" in said


def test_resuming_where_nothing_is_says_that_the_training_begins(make_config, tmp_path, capsys):
    config = make_config(tmp_path / "run", epochs=1)
    (tmp_path / "run.json").write_text(config.model_dump_json())
    main(["--config", str(tmp_path / "run.json"), "--resume"])
    assert "No complete epoch is in" in capsys.readouterr().out


def test_a_training_without_an_epoch_has_nothing_to_measure(make_config, tmp_path, capsys):
    (tmp_path / "run.json").write_text(make_config(tmp_path / "run", minutes=1e-6).model_dump_json())
    main(["--config", str(tmp_path / "run.json")])
    said = capsys.readouterr().out
    assert "The time is used up before the first epoch" in said
    assert "Measure it" not in said


def test_a_device_that_is_not_there_is_reported(make_config, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (tmp_path / "run.json").write_text(make_config(tmp_path / "run", device="cuda").model_dump_json())
    with pytest.raises(SystemExit, match="There is no device cuda here"):
        main(["--config", str(tmp_path / "run.json")])


def test_distillation_without_a_teacher_is_refused_by_the_command(make_config, tmp_path, capsys):
    (tmp_path / "run.json").write_text(make_config(tmp_path / "run", distillation=0.5).model_dump_json())
    with pytest.raises(SystemExit, match="needs a trained network"):
        main(["--config", str(tmp_path / "run.json")])
    assert "teacher's predictions" not in capsys.readouterr().out


def test_the_command_ends_with_130_after_an_interruption(make_config, tmp_path, monkeypatch, capsys):
    stop_in_epoch(monkeypatch, 2, Interrupted())
    (tmp_path / "run.json").write_text(make_config(tmp_path / "run").model_dump_json())
    with pytest.raises(SystemExit) as stop:
        main(["--config", str(tmp_path / "run.json")])
    assert stop.value.code == 130
    assert "--resume" in capsys.readouterr().out


def test_the_command_evaluates_the_saved_weights_on_request(make_config, tmp_path):
    config = make_config(tmp_path / "run").model_copy(update={"evaluate": True})
    (tmp_path / "run.json").write_text(config.model_dump_json())
    main(["--config", str(tmp_path / "run.json")])
    card = read_card(tmp_path / "run")
    assert [*card.metrics] == ["PublicTest", "PrivateTest"]
    assert [list(ways) for ways in card.metrics.values()] == [["plain"], ["plain"]]
    assert card.temperature is not None
    assert (tmp_path / "run" / "predictions.npz").is_file()


# ---- classes of unequal size


def unequal(faces: FaceSet) -> FaceSet:
    """56 training images, 26 of class 0 and 5 of each other; an image's brightness is ten times its class."""
    training = np.flatnonzero(faces.splits == "Training")
    few = np.concatenate([training[faces.labels[training] == k][: 5 if k else 14] for k in range(7)])
    few = np.concatenate([few, few[:12]])
    chosen = np.concatenate([few, np.flatnonzero(faces.splits != "Training")])
    labels = faces.labels[chosen]
    images = np.broadcast_to((10 * labels[:, None, None]).astype(np.uint8), (len(labels), *faces.images.shape[1:]))
    return FaceSet(images.copy(), labels, faces.names[chosen], faces.splits[chosen], faces.classes)


def one_epoch(
    config: TrainConfig, faces: FaceSet
) -> tuple[Trainer, float, list[torch.Tensor], torch.Tensor, torch.Tensor]:
    """Train one epoch of `faces`: its loss, and the images, labels and logits of all steps."""
    trainer = Trainer(config, split(faces, "official"))
    change, pictures, labels, logits = trainer.data.augment, [], [], []

    def recording(x, y):
        pictures.append(x)
        labels.append(y)
        return change(x, y)

    trainer.data.augment = recording
    hook = trainer.model.module.register_forward_hook(lambda module, given, answer: logits.append(answer.detach()))
    torch.manual_seed(0)
    loss, _ = trainer.train_epoch(1, lambda step, means: None)
    hook.remove()
    return loss, pictures, torch.cat(labels), torch.cat(logits)


def test_a_shuffled_epoch_has_each_image_once_a_balanced_one_each_class_equally(make_config, tmp_path, faces):
    for sampling, counts in (("shuffled", [26, *[5] * 6]), ("balanced", [8] * 7)):
        config = make_config(tmp_path / sampling, batch_size=28, sampling=sampling, augmentation="none")
        _, pictures, labels, _ = one_epoch(config, unequal(faces))
        assert labels.bincount(minlength=7).tolist() == counts
        brightness = torch.cat([x.mean((1, 2, 3)) for x in pictures])
        assert torch.allclose(brightness * 255, 10.0 * labels, atol=1e-3)  # each image kept its label


@pytest.mark.parametrize("name", ["none", "inverse", "paper-c", "heavy"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_training_loss_is_weighted_by_class_and_divided_by_the_number_of_images(
    make_config, tmp_path, faces, name, precision
):
    """Two steps, whose images weigh differently: divided by the weights of its own, each would count half."""
    small = {"label_smoothing": 0.0, "batch_size": 28, "precision": precision}
    config = make_config(tmp_path / "run", class_weights=name, **small)
    loss, _, labels, logits = one_epoch(config, unequal(faces))
    weights = torch.tensor(class_weights(name, [26, *[5] * 6], faces.classes))[labels]
    each = nn.functional.cross_entropy(logits.float(), labels, reduction="none")
    assert loss == pytest.approx((weights / weights.mean() * each).mean().item(), rel=1e-5)  # paper C, eq. 7


def test_weights_scale_no_loss_towards_shares(make_config, tmp_path, faces):
    made = unequal(faces)
    shares = dataclasses.replace(made, targets=np.eye(7, dtype=np.float32)[made.labels])
    small = {"label_smoothing": 0.0, "batch_size": 4096, "class_weights": "heavy"}
    losses = [one_epoch(make_config(tmp_path / name, **small), some)[0] for name, some in (("a", made), ("b", shares))]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_shares_of_several_annotators_are_what_is_trained_towards(make_config, tmp_path, faces):
    certain = np.eye(7, dtype=np.float32)[faces.labels]
    undecided = np.full((len(faces), 7), 1 / 7, np.float32)
    losses = {}
    for name, shares in (("label", None), ("certain", certain), ("undecided", undecided)):
        dataclasses.replace(faces, targets=shares).save(tmp_path / f"{name}.npz")
        folder = train(make_config(tmp_path / name, data=tmp_path / f"{name}.npz", label_smoothing=0.0))
        losses[name] = [float(row["train_loss"]) for row in history(folder)]
    assert losses["certain"] == pytest.approx(losses["label"], rel=1e-4)
    assert min(losses["undecided"]) >= np.log(7) - 1e-5 > losses["label"][-1]


def test_weights_never_change_what_is_measured(make_config, tmp_path, faces):
    measured = []
    for name in ("none", "heavy"):
        trainer = Trainer(make_config(tmp_path / name, class_weights=name), split(faces, "official"))
        measured.append(trainer.validate("validation"))
    assert measured[0] == measured[1]


def test_weights_for_other_classes_are_refused_before_anything_is_written(make_config, tmp_path, faces):
    classes = (*faces.classes[:-1], "contempt")
    dataclasses.replace(faces, classes=classes).save(tmp_path / "other.npz")
    with pytest.raises(ValueError, match=r"made for .* but the classes of this set are .*contempt"):
        train(make_config(tmp_path / "run", data=tmp_path / "other.npz", class_weights="heavy"))
    assert not (tmp_path / "run").exists()


def test_rare_classes_get_their_augmentation_while_training(make_config, tmp_path, faces):
    seen = []

    def record(module, given):
        seen.append(given[0])

    config = make_config(tmp_path / "run", batch_size=4096, augmentation="none", rare_augmentation="strong")
    trainer = Trainer(config, split(unequal(faces), "official"))
    trainer.model.module.register_forward_pre_hook(record)
    labels = []
    change = trainer.data.augment
    trainer.data.augment = lambda x, y: labels.append(y) or change(x, y)
    trainer.train_epoch(1, lambda step, means: None)
    varied = seen[0].flatten(1).std(1) > 1e-4  # the images are flat; erasing a patch makes them uneven
    assert not varied[labels[0] == 0].any()
    assert varied[labels[0] > 0].float().mean() > 0.3


def test_all_methods_against_class_imbalance_train_and_resume_together(make_config, tmp_path, faces, monkeypatch):
    unequal(faces).save(tmp_path / "unequal.npz")
    values = {"data": tmp_path / "unequal.npz", "epochs": 2, "growing_sizes": (), **YOUNG_FIELDS}
    whole = train(make_config(tmp_path / "whole", **values))
    config = make_config(tmp_path / "parts", **values)
    with monkeypatch.context() as patched:
        stop_in_epoch(patched, 2, Interrupted())
        with pytest.raises(Interrupted):
            train(config)
    train(config.model_copy(update={"resume": True}))
    assert history(config.folder, "seconds") == history(whole, "seconds")
    assert same_state(config.folder, whole)


# ---- trouble


def test_a_full_disk_stops_the_run_and_its_last_good_epoch_stays(
    finished_run, make_config, tmp_path, monkeypatch, capsys
):
    (tmp_path / "run.json").write_text(make_config(tmp_path / "run").model_dump_json())
    folder, replace = tmp_path / "run", os.replace

    def full_after_the_first_epoch(source, target):
        if (folder / state.FILE).exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full_after_the_first_epoch)
        with pytest.raises(SystemExit) as stop:
            main(["--config", str(tmp_path / "run.json")])
    assert "free some space" in stop.value.code
    assert load_checkpoint(folder)[1].best_epoch == 1
    assert len(history(folder)) == 1
    assert not [p.name for p in folder.iterdir() if p.name.startswith(".")]

    train(make_config(folder, resume=True))  # once there is room again
    assert history(folder, "seconds") == history(finished_run, "seconds")


def test_a_full_disk_before_the_first_epoch_is_reported(make_config, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DiskFullError, match=r"config\.json"):
        train(make_config(tmp_path / "run"))


def test_a_nan_loss_stops_the_run(make_config, tmp_path):
    with pytest.raises(TrainingError, match=r"became NaN or infinite in epoch 1.*--learning-rate"):
        train(make_config(tmp_path / "run", learning_rate=1e30, schedule="constant"))
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_later_nan_loss_keeps_the_complete_epochs(make_config, tmp_path, monkeypatch):
    config, good, train_epoch = make_config(tmp_path / "run"), {}, Trainer.train_epoch

    def with_nan_weights_in_the_second(self, epoch, on_step):
        if epoch == 2:
            good.update(everything(config.folder))
            with torch.no_grad():
                next(self.model.parameters()).fill_(float("nan"))
        return train_epoch(self, epoch, on_step)

    monkeypatch.setattr(Trainer, "train_epoch", with_nan_weights_in_the_second)
    with pytest.raises(TrainingError, match=r"epoch 2, at step 1 of 3.* 1 complete epochs"):
        train(config)
    assert {k: v for k, v in everything(config.folder).items() if v != good[k]}.keys() == {"events.jsonl"}
    events = read_events(config.folder / "events.jsonl")[-2:]
    assert [event["event"] for event in events] == ["not a number", "failed"]
    torch.manual_seed(2)  # the seed of epoch 2 with seed 0
    order = torch.randperm(98)
    assert events[0]["ids"] == FaceSet.load(config.data).part("Training").ids[order[:32].numpy()].tolist()
    assert load_checkpoint(config.folder)[1].best_epoch == 1


# ---- events


def test_events_are_one_object_a_line_and_a_line_in_the_writing_is_left_out(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    log.write("started", epoch=0)
    log.write("failed", epoch=1, message="“ß”\nnext")
    with log.path.open("a") as file:
        file.write('{"event": "epo')
    told = read_events(log.path)
    assert [(e["event"], e["epoch"]) for e in told] == [("started", 0), ("failed", 1)]
    assert told[1]["message"] == "“ß”\nnext"


@pytest.mark.parametrize(
    "line",
    [
        *("5", "[]", "{}", "[" * 100_000, "\xff"),
        *('{"event": "x", "time": "1"}', '{"event": 5, "time": 1}', '{"event": "x", "time": NaN}'),
        *('{"event": "progress", "time": 1}', '{"event": "epoch", "time": 1, "epoch": "1"}'),
    ],
)
def test_a_line_that_is_no_event_is_left_out_and_hides_no_other(tmp_path, line):
    log = EventLog(tmp_path / "events.jsonl")
    log.write("started", epoch=0)
    with log.path.open("a", encoding="latin-1") as file:
        file.write(line + "\n")
    log.write("progress", epoch=1, step=1, steps=2, loss=float("nan"), accuracy=0.5)
    told = read_events(log.path)
    assert [event["event"] for event in told] == ["started", "progress"]
    assert told[1]["loss"] is None


def test_what_is_no_event_is_not_written(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    with pytest.raises(ValueError, match="step"):
        log.write("progress", step="one")
    assert not log.path.exists()


def test_an_event_that_finds_no_room_says_so(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DiskFullError, match=r"events\.jsonl"):
        EventLog(tmp_path / "events.jsonl").write("started")


# ---- precision


class Probe(nn.Module):
    """A small network that costs a made-up clock more in one of the two precisions."""

    def __init__(self, clock: list[float], cost: dict[bool, float]) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2 * 36, 3))
        self.clock, self.cost, self.steps = clock, cost, []

    def forward(self, x):
        bf16 = torch.is_autocast_enabled("cpu")
        self.clock[0] += self.cost[bf16]
        self.steps.append(bf16)
        return self.layers(x)


@pytest.mark.parametrize(
    ("cost", "quicker", "steps"),
    [
        ({False: 2.0, True: 1.0}, "bf16-mixed", 22),
        ({False: 1.0, True: 2.0}, "32-true", 22),
        ({False: 1.0, True: 50.0}, "32-true", 2),  # decided after one step of each
    ],
)
def test_the_quicker_precision_is_taken_and_the_network_comes_back_as_it_was(monkeypatch, cost, quicker, steps):
    clock = [0.0]
    monkeypatch.setattr(setup.time, "perf_counter", lambda: clock[0])
    model = Probe(clock, cost)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert quickest_precision(model, torch.randn(4, 1, 8, 8)) == quicker
    assert len(model.steps) == steps
    assert set(model.steps) == {True, False}
    after = model.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert all(p.grad is None for p in model.parameters())
    assert model.training


@pytest.mark.parametrize(
    ("found", "asked", "taken"),
    [
        (None, "32-true", "32-true"),
        ({"precision": "bf16-mixed", "device": "cpu"}, "auto", "bf16-mixed"),
        ({"precision": "bf16-mixed"}, "auto", "bf16-mixed"),  # of before the device was noted
        ({"precision": "bf16-mixed", "device": "cuda"}, "32-true", "32-true"),
        ({"precision": "bf16-mixed", "device": "cuda"}, "auto", "the faster one"),
    ],
)
def test_a_run_keeps_its_precision_on_its_device_only(found, asked, taken, make_config, tmp_path, monkeypatch):
    fabrics = []

    def fabric(**values):
        fabrics.append(values)
        return Fabric(accelerator="cpu")

    monkeypatch.setattr(setup, "Fabric", fabric)
    monkeypatch.setattr(setup, "quickest_precision", lambda model, x: "the faster one")
    config = make_config(tmp_path / "run", precision=asked)
    assert make_fabric(config, found, create_model(config.model, **config.overrides), 16)[1] == taken
    assert fabrics[-1]["precision"] == taken


def test_a_run_that_goes_on_does_not_change_its_precision(make_config, tmp_path):
    config = make_config(tmp_path / "run", precision="32-true")
    with pytest.raises(TrainingError, match="started in precision bf16-mixed"):
        make_fabric(config, {"precision": "bf16-mixed", "device": "cpu"}, create_model(config.model), 16)


def test_the_network_comes_back_as_it_was_when_the_timing_fails():
    model = Probe([0.0], {False: 0.0, True: 0.0})
    before = {key: value.clone() for key, value in model.state_dict().items()}
    calls = []

    def fail_later(module, inputs):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("out of memory")

    model.register_forward_pre_hook(fail_later)
    with pytest.raises(RuntimeError, match="out of memory"):
        quickest_precision(model, torch.randn(4, 1, 8, 8))
    assert all(torch.equal(model.state_dict()[key], value) for key, value in before.items())
    assert all(p.grad is None for p in model.parameters())


# ---- beginning with weights that are there


def test_a_run_that_starts_from_a_checkpoint_begins_where_that_one_ended(finished_run, make_config, tmp_path):
    folder = train(make_config(tmp_path / "more", start_from=finished_run, epochs=1, learning_rate=1e-9))
    assert read_card(folder).start == read_card(finished_run).as_ancestor("finished", "start")
    (row,) = history(folder)
    best = max(float(r["validation_accuracy"]) for r in history(finished_run))
    assert float(row["validation_accuracy"]) == pytest.approx(best, abs=0.15)  # one epoch of batch norm at another size
    begun, ended = (safetensors.torch.load_file(f / "model.safetensors") for f in (finished_run, folder))
    assert torch.equal(begun["block1.1.weight"], ended["block1.1.weight"])


def test_a_checkpoint_of_another_network_is_refused_as_a_start(finished_run, make_config, tmp_path):
    with pytest.raises(TrainingError, match=r"start_from=.*the weights of its vanilla_cnn, .* do not fit residual_cnn"):
        train(make_config(tmp_path / "more", model="residual_cnn", start_from=finished_run))


# ---- an exclusion list


def test_a_run_leaves_out_what_a_list_names_and_the_card_records_it(make_config, faces, tmp_path, capsys):
    path, out = tmp_path / "wrong.json", tmp_path / "run"
    training = faces.part("Training")
    write_exclusion_list(path, exclusion_list([*training.ids[:10], faces.part("PrivateTest").ids[0]], "looked at"))
    config = make_config(out, epochs=1, exclude=path, evaluate=True)
    train(config)
    assert (
        "10 training images were left out by the list wrong.json (looked at), which has 11." in capsys.readouterr().out
    )
    card = read_card(out)
    assert (card.excluded.left_out, card.excluded.listed, card.excluded.file) == (10, 11, "wrong.json")
    assert card.data == split(faces, "official").fingerprint
    assert card.mean == training.subset(np.arange(10, len(training))).pixel_statistics()[0]
    assert len(Trainer(config, setup.parts_of(config)).data.ids) == len(training) - 10

    write_exclusion_list(path, exclusion_list(training.ids[:5].tolist()))
    with pytest.raises(TrainingError, match=r"the exclusion list .* has changed"):
        train(config.model_copy(update={"resume": True}))
